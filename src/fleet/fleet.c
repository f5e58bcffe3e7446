/* fleet/fleet.c - wiring and life of the supervisor. See fleet.h.
 *
 * The primary (the first region) starts first where the others have never run: they take its secrets and keys.
 * Before all has served once a part that cannot start ends everything, with its reason; afterwards
 * parts are started again for ever. Stopping: the router drains, then the regions. */
#include "fleet/fleet_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"

#define PORT_DEFAULT 4318
#define STOP_MS 70000 /* router and regions take 30 s each at most; what is there still is killed */
#define ENV_MAX 512
#define FOLLOW_MS 1000
#define LOCK_WAIT_MS 40000 /* regions of a supervisor that was killed drain meanwhile */

/* ---- what children are started with ---- */

const char *fleet_find_node(struct px_arena *arena)
{
    const char *given = getenv("PRISM_NODE"), *path = getenv("PATH");
    if (given && given[0]) return access(given, X_OK) == 0 ? given : NULL;
    struct px_str rest = px_str_c(path ? path : "/usr/local/bin:/usr/bin:/bin"), dir;
    while (rest.len > 0) {
        (void)px_str_cut(&rest, ':', &dir);
        const char *file = px_arena_printf(arena, "%.*s/node", PX_FMT(dir)).ptr;
        if (file && dir.len > 0 && access(file, X_OK) == 0) return file;
    }
    return NULL;
}

/* Our own environment without what is ours alone, and `more`. */
static int make_env(struct px_arena *arena, const char *const *more, size_t count, char ***ret_env)
{
    static const char *const ours[] = {
        "PRISM_DATA=", "PRISM_PORT=", "PRISM_KEY=", "PRISM_FLEET=", "PRISM_STANDS_IN_FOR="};
    char **env = px_arena_zalloc_array(arena, sizeof *env, ENV_MAX);
    size_t n = 0;
    if (!env) return px_arena_fault(arena);
    for (char **at = environ; *at && n < ENV_MAX - count - 1; at++) {
        bool skip = false;
        for (size_t i = 0; i < PX_COUNT(ours); i++)
            skip = skip || strncmp(*at, ours[i], strlen(ours[i])) == 0;
        if (!skip) env[n++] = *at;
    }
    for (size_t i = 0; i < count; i++)
        if (more[i] && more[i][0]) env[n++] = (char *)(uintptr_t)more[i];
    *ret_env = env;
    return 0;
}

static int make_args(struct px_arena *arena, const char *const *from, size_t count,
                     char ***ret_args)
{
    char **args = px_arena_zalloc_array(arena, sizeof *args, count + 1);
    if (!args) return px_arena_fault(arena);
    for (size_t i = 0; i < count; i++) args[i] = (char *)(uintptr_t)from[i];
    *ret_args = args;
    return 0;
}

/* The region that this one stands in for, as PRISM_STANDS_IN_FOR; "" for none. */
static const char *stands_in_for(const struct fleet *fleet, size_t index, struct px_arena *arena)
{
    struct px_str names = S("");
    for (size_t i = 0; i < fleet->state.count; i++) {
        if (fleet->state.regions[i].standby != (int)index) continue;
        names = px_arena_printf(arena, "%.*s%s%s", PX_FMT(names), names.len ? "," : "",
                                fleet->state.regions[i].name);
    }
    if (names.len == 0) return "";
    return px_arena_printf(arena, "PRISM_STANDS_IN_FOR=%.*s", PX_FMT(names)).ptr;
}

static int on_start_region(void *ctx, struct px_arena *arena, char ***ret_args, char ***ret_env)
{
    struct fleet_part *part = ctx;
    struct fleet *fleet = part->fleet;
    const struct fleet_region *region = &fleet->state.regions[part->index];
    const char *folder =
        px_arena_printf(arena, "%s/regions/%s", fleet->state.folder, region->name).ptr;
    const char *port = px_arena_printf(arena, "%u", region->port).ptr;
    const char *const args[] = {fleet->options->program,
                                "--data",
                                folder,
                                "up",
                                "--region",
                                region->name,
                                "--port",
                                port,
                                "--host",
                                fleet->host};
    const char *const env[] = {
        px_arena_printf(arena, "PRISM_FLEET=%s", fleet->state.path).ptr,
        px_arena_printf(arena, "PRISM_SUPERVISOR=%d", (int)getpid()).ptr,
        stands_in_for(fleet, part->index, arena),
    };
    const char *logs = px_arena_printf(arena, "%s/logs", folder).ptr;
    if (px_arena_full(arena) || !logs) return px_arena_fault(arena);
    PX_TRY(px_dir_make(logs)); /* the folder may have been lost */
    PX_TRY(make_args(arena, args, PX_COUNT(args), ret_args));
    return make_env(arena, env, PX_COUNT(env), ret_env);
}

static int on_start_router(void *ctx, struct px_arena *arena, char ***ret_args, char ***ret_env)
{
    struct fleet *fleet = ctx;
    const char *const args[] = {
        fleet->node, px_arena_printf(arena, "%s/local.mjs", fleet->options->edge_dir).ptr,
        px_arena_printf(arena, "%s/router.json", fleet->state.folder).ptr};
    if (px_arena_full(arena)) return px_arena_fault(arena);
    PX_TRY(make_args(arena, args, PX_COUNT(args), ret_args));
    return make_env(arena, NULL, 0, ret_env);
}

/* ---- becoming ready ---- */

/* It reads router.json and the files that are named there. */
static bool router_reads_again(struct fleet *fleet)
{
    if (!child_pid(&fleet->router) || fleet->router.state != CHILD_READY) return false;
    (void)uv_process_kill(&fleet->router.process, SIGHUP);
    return true;
}

int fleet_save(struct fleet *fleet)
{
    struct fleet_shown shown = {0};
    if (fleet->certificates)
        shown = (struct fleet_shown){certificates_file(fleet->certificates),
                                     certificates_key_file(fleet->certificates)};
    PX_TRY(fleet_state_save(&fleet->state));
    PX_TRY(
        fleet_state_save_router(&fleet->state, fleet->host, fleet->certificates ? &shown : NULL));
    (void)router_reads_again(fleet);
    return 0;
}

/* ---- TLS: the router's, whose files are made, tried and followed here ---- */

static void on_follow(uv_timer_t *timer)
{
    struct fleet *fleet = timer->data;
    if (certificates_follow(fleet->certificates) && !router_reads_again(fleet))
        fleet->shown_late = true;
}

static int find_certificates(struct fleet *fleet)
{
    const struct tls_memory *tls = &fleet->state.tls;
    struct px_str left = tls->names, names[CERTIFICATE_NAMES_MAX], one;
    struct certificates_options options = {
        .folder = px_arena_printf(fleet->arena, "%s/tls", fleet->state.folder).ptr,
        .certificate = tls->key.len ? px_arena_cstr(fleet->arena, tls->certificate) : NULL,
        .key = px_arena_cstr(fleet->arena, tls->key),
        .names = names,
        .clock = fleet->clock,
        .log = &fleet->log};
    if (tls->port == 0) return 0;
    if (px_arena_full(fleet->arena)) return px_arena_fault(fleet->arena);
    while (left.len > 0 && options.name_count < CERTIFICATE_NAMES_MAX) {
        (void)px_str_cut(&left, ',', &one);
        if (one.len > 0) names[options.name_count++] = one;
    }
    if (left.len > 0) return px_fault(PX_F_CONFIG, "more than %d names", CERTIFICATE_NAMES_MAX);
    return certificates_new(&options, &fleet->certificates);
}

static bool has_joined(const struct fleet *fleet, size_t index)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/regions/%s/tenant.key", fleet->state.folder,
                   fleet->state.regions[index].name);
    return access(path, F_OK) == 0;
}

/* The operator's and the first tenant's key beside fleet.json, where the command looks for them. */
static int copy_keys(const struct fleet *fleet)
{
    static const char *const names[] = {"admin.key", "tenant.key"};
    char from[4096], to[4096];
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        PX_AUTO(px_buf_deinit) struct px_buf text;
        px_buf_init(&text, 4096);
        (void)snprintf(to, sizeof to, "%s/%s", fleet->state.folder, names[i]);
        (void)snprintf(from, sizeof from, "%s/regions/%s/%s", fleet->state.folder,
                       fleet->state.regions[0].name, names[i]);
        if (access(to, F_OK) == 0) continue;
        int r = px_file_read(from, &text);
        if (r > 0) return px_fault(PX_F_CONFIG, "%s is missing", from);
        PX_TRY(r);
        r = px_file_write_atomic(to, px_buf_str(&text), 0600);
        explicit_bzero(text.ptr, text.len);
        PX_TRY(r);
    }
    return 0;
}

static void fail(struct fleet *fleet, const char *name, const char *why)
{
    if (fleet->why) return;
    fleet->why = px_arena_printf(fleet->arena, "%s does not start: %s", name, why).ptr;
    fleet_begin_stop(fleet);
}

static void tell_ready(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->state.count; i++)
        if (!fleet->state.regions[i].down && fleet->parts[i].child.state != CHILD_READY) return;
    if (fleet->router.state != CHILD_READY || fleet->ready_told) return;
    fleet->ready_told = true;
    const struct fleet_ready ready = {.port = fleet->state.port,
                                      .state = &fleet->state,
                                      .created = fleet->created,
                                      .tenant = S("default"),
                                      .key = px_buf_str(&fleet->key)};
    px_log(&fleet->log, PX_INFO, "%zu regions serve behind port %u", fleet->state.count,
           fleet->state.port);
    if (fleet->options->on_ready) fleet->options->on_ready(fleet->options->ctx, &ready);
    if (fleet->key.len > 0) explicit_bzero(fleet->key.ptr, fleet->key.len);
    px_buf_clear(&fleet->key);
}

static void start_others(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->state.count; i++)
        if (!fleet->state.regions[i].down && fleet->parts[i].child.state == CHILD_DOWN &&
            !fleet->parts[i].child.wanted)
            child_start(&fleet->parts[i].child);
    if (fleet->router.state == CHILD_DOWN && !fleet->router.wanted) child_start(&fleet->router);
}

static void check_end(struct fleet *fleet);

static void on_change(struct fleet *fleet, struct child *child)
{
    if (fleet->stopping) {
        check_end(fleet);
    } else if (!fleet->ready_told) {
        if (child->state == CHILD_PAUSED)
            fail(fleet, child->options.name, child->last_error);
        else
            tell_ready(fleet);
    }
}

static void on_region_change(void *ctx)
{
    struct fleet_part *part = ctx;
    on_change(part->fleet, &part->child);
}

static void on_router_change(void *ctx)
{
    struct fleet *fleet = ctx;
    on_change(fleet, &fleet->router);
}

static void keep_key(struct fleet *fleet, struct px_str word)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena arena;
    yyjson_val *root = NULL;
    px_arena_init(&arena, 256u << 10);
    if (px_json_parse(word, &arena, &root, NULL) != 0 || !px_json_bool(root, "created", false))
        return;
    fleet->created = true;
    px_buf_clear(&fleet->key);
    px_buf_add_str(&fleet->key, px_json_str(root, "key"));
}

static void on_region_word(void *ctx, struct px_str word)
{
    struct fleet_part *part = ctx;
    struct fleet *fleet = part->fleet;
    if (part->child.state != CHILD_READY) return;
    px_log(&fleet->log, PX_INFO, "%s serves on port %u", part->child.options.name,
           fleet->state.regions[part->index].port);
    if (fleet->stopping) return;
    if (part->index == 0) {
        keep_key(fleet, word);
        int r = copy_keys(fleet);
        if (r != 0) px_log_fault(&fleet->log, r, "keys");
        start_others(fleet);
    }
    fleet_push_settings(fleet, NULL); /* they may have changed since it read them */
}

static void on_router_word(void *ctx, struct px_str word)
{
    struct fleet *fleet = ctx;
    (void)word;
    if (fleet->shown_late) fleet->shown_late = !router_reads_again(fleet);
}

/* ---- the end ---- */

static bool all_down(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->state.count; i++)
        if (fleet->parts[i].child.state != CHILD_DOWN) return false;
    return fleet->router.state == CHILD_DOWN;
}

static void close_all(struct fleet *fleet)
{
    uv_handle_t *const handles[] = {(uv_handle_t *)&fleet->sigterm, (uv_handle_t *)&fleet->sigint,
                                    (uv_handle_t *)&fleet->kill_timer,
                                    (uv_handle_t *)&fleet->follow_timer};
    for (size_t i = 0; i < fleet->state.count; i++) child_close(&fleet->parts[i].child);
    child_close(&fleet->router);
    http_server_free(&fleet->control);
    for (size_t i = 0; i < PX_COUNT(handles); i++)
        if (!uv_is_closing(handles[i])) uv_close(handles[i], NULL);
    fleet->ended = true;
}

static void check_end(struct fleet *fleet)
{
    if (fleet->ended) return;
    if (fleet->router.state == CHILD_DOWN)
        for (size_t i = 0; i < fleet->state.count; i++)
            if (fleet->parts[i].child.wanted) child_stop(&fleet->parts[i].child, SIGTERM);
    if (all_down(fleet) && !fleet->ended) close_all(fleet);
}

static void kill_all(struct fleet *fleet)
{
    child_stop(&fleet->router, SIGKILL);
    for (size_t i = 0; i < fleet->state.count && !fleet->ended; i++)
        if (fleet->parts[i].child.state != CHILD_DOWN) child_stop(&fleet->parts[i].child, SIGKILL);
}

static void on_kill_timer(uv_timer_t *timer)
{
    struct fleet *fleet = timer->data;
    px_log(&fleet->log, PX_WARN, "what is still there is killed");
    kill_all(fleet);
}

void fleet_begin_stop(struct fleet *fleet)
{
    if (fleet->stopping) return;
    fleet->stopping = true;
    px_log(&fleet->log, PX_INFO, "stopping");
    (void)uv_timer_start(&fleet->kill_timer, on_kill_timer, STOP_MS, 0);
    child_stop(&fleet->router, SIGTERM); /* its end goes on with the regions */
    check_end(fleet);
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct fleet *fleet = signal->data;
    (void)number;
    if (fleet->stopping)
        kill_all(fleet);
    else
        fleet_begin_stop(fleet);
}

/* ---- the start ---- */

static int region_log_path(struct fleet *fleet, size_t index, const char **ret_path)
{
    const char *dir = px_arena_printf(fleet->arena, "%s/regions/%s/logs", fleet->state.folder,
                                      fleet->state.regions[index].name)
                          .ptr;
    if (!dir) return px_arena_fault(fleet->arena);
    PX_TRY(px_dir_make(dir));
    *ret_path = px_arena_printf(fleet->arena, "%s/region.log", dir).ptr;
    return *ret_path ? 0 : px_arena_fault(fleet->arena);
}

static int init_parts(struct fleet *fleet)
{
    struct child_options options = {
        .loop = &fleet->loop, .clock = fleet->clock, .log = &fleet->log};
    for (size_t i = 0; i < fleet->state.count; i++) {
        struct fleet_part *part = &fleet->parts[i];
        part->fleet = fleet;
        part->index = i;
        PX_TRY(region_log_path(fleet, i, &options.log_path));
        options.name = px_arena_printf(fleet->arena, "region %s", fleet->state.regions[i].name).ptr;
        options.on_start = on_start_region;
        options.on_word = on_region_word;
        options.on_change = on_region_change;
        options.ctx = part;
        child_init(&part->child, &options);
    }
    options.log_path = px_arena_printf(fleet->arena, "%s/logs/router.log", fleet->state.folder).ptr;
    options.name = "the router";
    options.holds_stdin = true;
    options.on_start = on_start_router;
    options.on_word = on_router_word;
    options.on_change = on_router_change;
    options.ctx = fleet;
    child_init(&fleet->router, &options);
    return px_arena_full(fleet->arena) ? px_arena_fault(fleet->arena) : 0;
}

static void watch(struct fleet *fleet)
{
    (void)uv_signal_init(&fleet->loop, &fleet->sigterm);
    (void)uv_signal_init(&fleet->loop, &fleet->sigint);
    (void)uv_timer_init(&fleet->loop, &fleet->kill_timer);
    (void)uv_timer_init(&fleet->loop, &fleet->follow_timer);
    fleet->sigterm.data = fleet->sigint.data = fleet->kill_timer.data = fleet;
    fleet->follow_timer.data = fleet;
    if (fleet->certificates)
        (void)uv_timer_start(&fleet->follow_timer, on_follow, FOLLOW_MS, FOLLOW_MS);
    (void)uv_signal_start(&fleet->sigterm, on_signal, SIGTERM);
    (void)uv_signal_start(&fleet->sigint, on_signal, SIGINT);
}

/* Regions of a supervisor that was killed end by themselves; their folders are free then. */
static int wait_free(const struct fleet *fleet, size_t index)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/regions/%s/region.lock", fleet->state.folder,
                   fleet->state.regions[index].name);
    int64_t until = px_mono_ns(fleet->clock) + LOCK_WAIT_MS * PX_NS_PER_MS;
    for (;;) {
        PX_AUTO(px_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0) return 0;
        if (px_mono_ns(fleet->clock) > until)
            return px_fault(PX_F_BUSY, "region %s of this folder runs by itself: stop it first",
                            fleet->state.regions[index].name);
        (void)usleep(20000);
    }
}

static int settle(struct fleet *fleet)
{
    const struct fleet_options *o = fleet->options;
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/prism.json", o->data_dir);
    if (access(path, F_OK) == 0)
        return px_fault(PX_F_CONFIG,
                        "%s is the folder of one region: several take another (--data)",
                        o->data_dir);
    int r = fleet_state_load(o->data_dir, fleet->arena, &fleet->state);
    if (r == FLEET_NONE && !o->regions)
        return px_fault(PX_F_CONFIG, "%s has no regions yet: name them with --regions",
                        o->data_dir);
    PX_TRY(r == FLEET_NONE ? 0 : r);
    if (o->regions) PX_TRY(fleet_state_add(&fleet->state, px_str_c(o->regions), fleet->arena));
    if (o->port) fleet->state.port = o->port;
    if (!fleet->state.port) fleet->state.port = PORT_DEFAULT;
    if (o->lag_ms >= 0) fleet->state.lag_ms = (uint32_t)o->lag_ms;
    (void)tls_memory_settle(&fleet->state.tls, &o->tls, fleet->arena);
    PX_TRY(find_certificates(fleet));
    PX_TRY(fleet_state_choose_ports(&fleet->state));
    return fleet_save(fleet);
}

static int start(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->state.count; i++) PX_TRY(wait_free(fleet, i));
    PX_TRY(init_parts(fleet));
    PX_TRY(fleet_control_start(fleet));
    bool joined = true;
    for (size_t i = 0; i < fleet->state.count; i++) joined = joined && has_joined(fleet, i);
    if (joined)
        start_others(fleet);
    else
        child_start(&fleet->parts[0].child);
    return 0;
}

static void abandon(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->state.count; i++)
        if (fleet->parts[i].fleet) child_close(&fleet->parts[i].child);
    if (fleet->router.options.name) child_close(&fleet->router);
    http_server_free(&fleet->control);
    uv_close((uv_handle_t *)&fleet->sigterm, NULL);
    uv_close((uv_handle_t *)&fleet->sigint, NULL);
    uv_close((uv_handle_t *)&fleet->kill_timer, NULL);
    uv_close((uv_handle_t *)&fleet->follow_timer, NULL);
}

static int run(struct fleet *fleet)
{
    PX_TRY(settle(fleet));
    if (uv_loop_init(&fleet->loop) != 0) return px_fault(PX_F_OOM, "event loop");
    watch(fleet);
    int r = start(fleet);
    if (r != 0) abandon(fleet);
    (void)uv_run(&fleet->loop, UV_RUN_DEFAULT);
    PX_ASSERT(uv_loop_close(&fleet->loop) == 0);
    if (r == 0 && fleet->why) return FLEET_FAILED;
    return r;
}

static int take_lock(const char *folder, struct px_arena *arena, int *ret_fd)
{
    const char *path = px_arena_printf(arena, "%s/region.lock", folder).ptr;
    const char *logs = px_arena_printf(arena, "%s/logs", folder).ptr;
    if (!path || !logs) return px_arena_fault(arena);
    PX_TRY(px_dir_make(logs));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return px_fault_errno("%s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *ret_fd = fd;
        return 0;
    }
    int r = errno == EWOULDBLOCK ? FLEET_RUNNING : px_fault_errno("lock %s", path);
    px_close(&fd);
    return r;
}

int fleet_run(const struct fleet_options *options, struct px_arena *arena, const char **ret_why)
{
    PX_AUTO(px_close) int lock_fd = -1;
    struct fleet *fleet = calloc(1, sizeof *fleet);
    if (!fleet) return px_fault(PX_F_OOM, "supervisor");
    fleet->options = options;
    fleet->clock = &px_clock_system;
    fleet->arena = arena;
    fleet->host = options->host ? options->host : "127.0.0.1";
    fleet->node = options->node;
    fleet->started_wall_ns = px_wall_ns(fleet->clock);
    fleet->log = (struct px_log){
        .fd = STDOUT_FILENO, .level = PX_INFO, .service = S("supervisor"), .clock = fleet->clock};
    px_buf_init(&fleet->key, 4096);
    (void)umask(077);
    (void)signal(SIGPIPE, SIG_IGN);
    int r = take_lock(options->data_dir, arena, &lock_fd);
    if (r == 0) r = run(fleet);
    if (r == FLEET_FAILED) *ret_why = fleet->why;
    px_buf_deinit(&fleet->key);
    certificates_free(&fleet->certificates);
    free(fleet);
    return r;
}
