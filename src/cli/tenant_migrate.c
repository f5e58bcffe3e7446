/* cli/tenant_migrate.c - `prism tenant migrate TENANT --to REGION`: starts tenant-migration in the tenant's home region, whichever
 * region of the fleet one is connected to, and follows it (docs/design/migration.md).
 *
 * The start goes by the home's API, whose audit log tells of it; what is looked up before and while it moves goes over the regions' control
 * sockets. A region that does not answer for a while is no end: the execution is durable there, and goes on when it is back. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/px_words.h"
#include "cli/interrupt.h"
#include "cli/migration.h"
#include "cli/progress.h"
#include "cli/remote.h"
#include "cli/settings.h"
#include "cli/table.h"
#include "cli/tenant.h"
#include "cli/workflow_served.h"
#include "fleet/state.h"

#define MACHINE "tenant-migration"
#define CALL_TIMEOUT_MS 10000
#define ANSWER_BYTES_MAX ((size_t)32 << 20)
#define LOOK_MS_FIRST 20
#define LOOK_MS_MAX 250
#define REGISTRY_WAIT_S 30 /* for a home that does not know yet that it is one */
#define START_WAIT_S 30    /* for a region that died while it was told to start */
#define POLL_ARENA_BYTES_MAX ((size_t)256 << 20)

struct migrate_values {
    const char *to, *to_shard;
    bool wait, no_wait, socket;
};
static const struct cli_option options[] = {
    {"to", 't', CLI_TEXT, offsetof(struct migrate_values, to), "REGION", "the new home region",
     NULL, 0, 0},
    {"to-shard", 's', CLI_TEXT, offsetof(struct migrate_values, to_shard), "SHARD",
     "the shard there (default: the least full one that takes the tenant)", NULL, 0, 0},
    {"wait", 'w', CLI_FLAG, offsetof(struct migrate_values, wait), NULL,
     "wait until the old home has forgotten the tenant, too", NULL, 0, 0},
    {"no-wait", 'n', CLI_FLAG, offsetof(struct migrate_values, no_wait), NULL, "only start it",
     NULL, 0, 0},
    WORKFLOW_SOCKET_OPTION(struct migrate_values, socket),
};

struct migrating {
    struct cli *cli;
    const struct migrate_values *values;
    const char *tenant;
    struct fleet_state fleet;
    struct px_arena *arena; /* of what is asked now */
    /* of the tenant's item in the registry */
    struct px_str home, tier;
    int64_t epoch, moving_epoch;
    struct px_str moving_to;
    struct px_str shard, prefix; /* there; the shard that is asked for */
    const char *execution;       /* its name */
};

/* ---- regions of the fleet ---- */

/* The fleet's folder: the data folder, or the one that a region's own stands in. */
static int find_fleet(struct migrating *m)
{
    struct cli *cli = m->cli;
    const char *folder = cli->data_dir;
    if (!settings_is_fleet(cli)) {
        struct px_str above = px_arena_printf(&cli->arena, "%s/../..", cli->data_dir);
        char *real = above.ptr ? realpath(above.ptr, NULL) : NULL;
        folder = real ? px_arena_cstr(&cli->arena, px_str_c(real)) : NULL;
        free(real);
    }
    int r = folder ? fleet_state_load(folder, &cli->arena, &m->fleet) : FLEET_NONE;
    if (r == FLEET_NONE)
        return cli_fail(cli, CLI_NOT_RUNNING,
                        "%s is not the folder of several regions, and a tenant moves between "
                        "regions: start some with prism up --regions NAME,NAME",
                        cli->data_dir);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "the regions of %s", folder);
}

struct question {
    const char *region, *method;
    struct px_str path, body;
    const char *action; /* Step Functions'; NULL: none */
};
/* Without a word when the region is away: a fault then, and the caller knows what it means. ret_status: of HTTP. */
static int call_there(const struct migrating *m, struct px_str endpoint,
                      const struct http_call *call, int *ret_status, yyjson_val **ret_root)
{
    PX_AUTO(http_client_free) struct http_client *client = NULL;
    struct http_response response;
    if (!endpoint.ptr || !call->path.ptr) return px_arena_fault(m->arena);
    PX_TRY(http_client_new(endpoint, CALL_TIMEOUT_MS, &client));
    PX_TRY(http_client_call(client, call, ANSWER_BYTES_MAX, NULL, NULL, &response));
    *ret_root = NULL;
    *ret_status = response.status;
    if (px_json_parse(response.body, m->arena, ret_root, NULL) < 0) return px_arena_fault(m->arena);
    return 0;
}

/* Over the region's control socket. */
static int ask(const struct migrating *m, const struct question *q, int *ret_status,
               yyjson_val **ret_root)
{
    struct px_str endpoint = px_arena_printf(m->arena, "unix:%s/regions/%s/region.sock",
                                             m->fleet.folder, q->region);
    struct px_str target = px_arena_printf(m->arena, "AWSStepFunctions.%s",
                                           q->action ? q->action : "");
    struct http_header headers[] = {
        {S("Content-Type"), q->action ? S("application/x-amz-json-1.0") : S("application/json")},
        {S("X-Amz-Target"), target}};
    const struct http_call call = {.method = q->method,
                                   .path = q->path,
                                   .headers = headers,
                                   .header_count = q->action ? 2 : 1,
                                   .body = q->body};
    return target.ptr ? call_there(m, endpoint, &call, ret_status, ret_root)
                      : px_arena_fault(m->arena);
}

static int workflow(const struct migrating *m, const char *region, const char *action,
                    struct px_str body, int *ret_status, yyjson_val **ret_root)
{
    const struct question q = {region, "POST", S("/"), body, action};
    return ask(m, &q, ret_status, ret_root);
}

/* A region is away, or refuses. */
static int refused(const struct migrating *m, const char *region, int r, int status,
                   yyjson_val *root)
{
    struct px_str why = px_json_str(root, "detail");
    if (why.len == 0) why = px_json_str(root, "message");
    if (why.len == 0) why = px_json_str(root, "errorMessage");
    if (r == PX_F_OOM || r == PX_F_LIMIT) return cli_fault(m->cli, r, "asking region %s", region);
    if (r != 0)
        return cli_fail(m->cli, CLI_NOT_RUNNING,
                        "region %s does not answer; nothing was started (see prism region list)",
                        region);
    return cli_fail(m->cli, status >= 500 ? CLI_REGION_ERROR : CLI_REFUSED, "region %s: %.*s (%d)",
                    region, PX_FMT(why), status);
}

static int names_of(const struct migrating *m, const char **names)
{
    for (size_t i = 0; i < m->fleet.count; i++) names[i] = m->fleet.regions[i].name;
    return (int)m->fleet.count;
}

static int check_region(const struct migrating *m, const char *name)
{
    const char *names[FLEET_REGIONS_MAX];
    size_t count = (size_t)names_of(m, names);
    if (fleet_state_find(&m->fleet, px_str_c(name)) >= 0) return CLI_OK;
    const char *near = px_words_nearest(px_str_c(name), names, count);
    return cli_fail(m->cli, CLI_REFUSED, "there is no region %s%s%s%s; see prism region list", name,
                    near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

/* ---- where the tenant is ---- */

/* One replica's item; false: the region is away or has none (*ret_absent). */
static bool read_item(struct migrating *m, const char *region, yyjson_val **ret_item,
                      bool *ret_absent)
{
    struct px_str tenant = remote_encode(m->arena, px_str_c(m->tenant));
    const struct question q = {region, "GET",
                               px_arena_printf(m->arena, "/registry/tenants/%.*s", PX_FMT(tenant)),
                               S(""), NULL};
    int status = 0;
    *ret_absent = false;
    if (ask(m, &q, &status, ret_item) != 0) return false;
    *ret_absent = status == 404;
    return status == 200;
}

static void take_item(struct migrating *m, yyjson_val *item)
{
    yyjson_val *moving = px_json_obj(item, "moving");
    m->home = px_json_str(item, "home_region");
    m->tier = px_json_str(item, "tier");
    m->epoch = px_json_i64(item, "epoch", 0);
    m->moving_to = px_json_str(moving, "to");
    m->moving_epoch = px_json_i64(moving, "epoch", 0);
}

/* Of all replicas that answer the newest item; then the home's own, which alone is never old. */
static int look(struct migrating *m, bool *ret_known_at_home)
{
    yyjson_val *newest = NULL, *item;
    size_t absent = 0;
    *ret_known_at_home = false;
    for (size_t i = 0; i < m->fleet.count; i++) {
        bool is_absent = false;
        if (read_item(m, m->fleet.regions[i].name, &item, &is_absent) &&
            (!newest || px_json_i64(item, "epoch", 0) > px_json_i64(newest, "epoch", 0)))
            newest = item;
        absent += is_absent;
    }
    if (!newest && absent == 0)
        return cli_fail(m->cli, CLI_NOT_RUNNING,
                        "no region of %s answers: start them with prism up", m->fleet.folder);
    if (!newest || px_str_eq(px_json_str(newest, "status"), S("deleted")))
        return cli_fail(m->cli, CLI_REFUSED, "there is no tenant %s", m->tenant);
    take_item(m, newest);
    const char *home = px_arena_cstr(m->arena, m->home);
    bool is_absent = false;
    if (!home) return cli_fault(m->cli, PX_F_OOM, "a region");
    int exit = check_region(m, home);
    if (exit != CLI_OK) return exit;
    if (!read_item(m, home, &item, &is_absent))
        return is_absent ? CLI_OK : refused(m, home, PX_F_UNAVAILABLE, 0, NULL);
    *ret_known_at_home = px_str_eq(px_json_str(item, "home_region"), m->home);
    if (*ret_known_at_home) take_item(m, item);
    return CLI_OK;
}

static void pause_ms(long ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * PX_NS_PER_MS};
    (void)nanosleep(&pause, NULL);
}

static int find_home(struct migrating *m)
{
    int64_t end_ns = px_mono_ns(m->cli->clock) + REGISTRY_WAIT_S * PX_NS_PER_S;
    for (;;) {
        bool known = false;
        int exit = look(m, &known);
        if (exit != CLI_OK || known) return exit;
        if (px_mono_ns(m->cli->clock) >= end_ns)
            return cli_fail(m->cli, CLI_FAILED,
                            "%.*s has not heard yet that it is the home of %s: the registry is "
                            "late or cut off; try again, see prism region list",
                            PX_FMT(m->home), m->tenant);
        pause_ms(LOOK_MS_MAX);
    }
}

/* ---- an execution ---- */

/* New events into the view, and whether the execution runs; a fault: the region is away. */
static int catch_up(struct migrating *m, const char *home, struct migration_view *view,
                    struct px_str *ret_state)
{
    yyjson_val *about = NULL, *events = NULL, *event;
    int status = 0;
    struct px_str body = px_arena_printf(m->arena, "{\"executionArn\":\"%s\"}", m->execution);
    PX_TRY(workflow(m, home, "DescribeExecution", body, &status, &about));
    if (status != 200) return PX_F_UNAVAILABLE;
    for (bool more = true; more;) {
        size_t i, n;
        body = px_arena_printf(
            m->arena, "{\"executionArn\":\"%s\",\"maxResults\":200,\"nextToken\":\"%llu\"}",
            m->execution, (unsigned long long)view->next);
        PX_TRY(workflow(m, home, "GetExecutionHistory", body, &status, &events));
        if (status != 200) return PX_F_UNAVAILABLE;
        px_json_arr_foreach(px_json_arr(events, "events"), i, n, event)
            migration_view_take(view, event, m->arena);
        more = px_json_str(events, "nextToken").len > 0;
    }
    *ret_state = px_json_str(about, "status");
    if (!px_str_eq(*ret_state, S("FAILED"))) return 0;
    (void)snprintf(view->error, sizeof view->error, "%.*s", PX_FMT(px_json_str(about, "error")));
    (void)snprintf(view->cause, sizeof view->cause, "%.*s", PX_FMT(px_json_str(about, "cause")));
    return 0;
}

/* ---- what may stand in the way ---- */

/* Whether an execution moves this tenant; one that only cleans up behind a move does not. */
static int moves_it(struct migrating *m, const char *home, yyjson_val *execution, bool *ret_moves)
{
    yyjson_val *about = NULL, *input = NULL;
    struct migration_view view;
    struct px_str state, arn = px_json_str(execution, "executionArn");
    struct px_str body = px_arena_printf(m->arena, "{\"executionArn\":\"%.*s\"}", PX_FMT(arn));
    int status = 0;
    *ret_moves = false;
    PX_TRY(workflow(m, home, "DescribeExecution", body, &status, &about));
    if (status != 200)
        return status < 500 ? 0 : PX_F_UNAVAILABLE; /* over and forgotten meanwhile */
    if (px_json_parse(px_json_str(about, "input"), m->arena, &input, NULL) != 0) return 0;
    if (!px_str_eq(px_json_str(input, "tenant"), px_str_c(m->tenant))) return 0;
    migration_view_init(&view);
    m->execution = px_arena_cstr(m->arena, px_json_str(execution, "name"));
    if (!m->execution) return px_arena_fault(m->arena);
    PX_TRY(catch_up(m, home, &view, &state));
    *ret_moves = view.phase != MIGRATION_MOVED && px_str_eq(state, S("RUNNING"));
    return 0;
}

/* The name of the running execution that moves this tenant; empty: none. */
static int find_running(struct migrating *m, const char *home, struct px_str *ret_name)
{
    yyjson_val *list = NULL, *one;
    size_t i, n;
    int status = 0;
    *ret_name = S("");
    int r = workflow(m, home, "ListExecutions",
                     S("{\"stateMachineArn\":\"" MACHINE "\",\"statusFilter\":\"RUNNING\","
                       "\"maxResults\":1000}"),
                     &status, &list);
    if (r != 0 || status != 200) return refused(m, home, r, status, list);
    px_json_arr_foreach(px_json_arr(list, "executions"), i, n, one)
    {
        bool moves = false;
        r = moves_it(m, home, one, &moves);
        if (r != 0) return refused(m, home, r, 0, NULL);
        if (moves) *ret_name = px_json_str(one, "name");
    }
    return CLI_OK;
}

static int check_free(struct migrating *m, const char *home)
{
    struct px_str running = {0};
    int exit = find_running(m, home, &running);
    if (exit != CLI_OK) return exit;
    if (running.len > 0)
        return cli_fail(m->cli, CLI_REFUSED,
                        "%s is moving already: see prism workflow show %.*s --region %s", m->tenant,
                        PX_FMT(running), home);
    if (m->moving_epoch > 0 && !px_str_eq(m->moving_to, px_str_c(m->values->to)))
        return cli_fail(
            m->cli, CLI_REFUSED,
            "%s was on its way to %.*s when the execution ended: finish that move first, "
            "with --to %.*s",
            m->tenant, PX_FMT(m->moving_to), PX_FMT(m->moving_to));
    return CLI_OK; /* the same move goes on */
}

/* ---- where to, exactly ---- */

/* The prefix of names there, from a machine's ARN. */
static int find_prefix(struct migrating *m, const char *to)
{
    yyjson_val *list = NULL, *one;
    size_t i, n;
    int status = 0;
    int r = workflow(m, to, "ListStateMachines", S("{}"), &status, &list);
    if (r != 0 || status != 200) return refused(m, to, r, status, list);
    px_json_arr_foreach(px_json_arr(list, "stateMachines"), i, n, one)
    {
        struct px_str name = px_json_str(one, "name");
        if (!px_str_ends(name, S("-" MACHINE))) continue;
        m->prefix = px_arena_dup(&m->cli->arena, px_str(name.ptr, name.len - strlen("-" MACHINE)));
    }
    if (m->prefix.len > 0) return CLI_OK;
    return cli_fail(m->cli, CLI_FAILED, "region %s has no state machine " MACHINE, to);
}

static bool takes(const struct migrating *m, yyjson_val *shard)
{
    struct px_str owner = px_json_str(shard, "owner"), kind = px_json_str(shard, "kind");
    return px_str_eq(px_json_str(shard, "state"), S("open")) &&
           (px_str_eq(kind, S("any")) || px_str_eq(kind, m->tier)) &&
           (owner.len == 0 || px_str_eq(owner, px_str_c(m->tenant)));
}

static int choose_shard(struct migrating *m, const char *to)
{
    const struct question q = {to, "POST", S("/2015-03-31/functions/tenants/invocations"),
                               S("{\"op\":\"shards\"}"), NULL};
    yyjson_val *root = NULL, *shard, *best = NULL;
    const char *wanted = m->values->to_shard;
    size_t i, n;
    int status = 0;
    int r = ask(m, &q, &status, &root);
    yyjson_val *shards = px_json_arr(root, "shards");
    if (r != 0 || !shards) return refused(m, to, r, status, root);
    px_json_arr_foreach(shards, i, n, shard)
    {
        bool fits = wanted ? px_str_eq(px_json_str(shard, "shard"), px_str_c(wanted))
                           : takes(m, shard);
        if (fits && (!best || px_json_i64(shard, "fullness", 0) < px_json_i64(best, "fullness", 0)))
            best = shard;
    }
    if (best) {
        m->shard = px_arena_dup(&m->cli->arena, px_json_str(best, "shard"));
        return m->shard.ptr ? CLI_OK : cli_fault(m->cli, PX_F_OOM, "a shard");
    }
    if (wanted)
        return cli_fail(m->cli, CLI_REFUSED,
                        "region %s has no shard %s; see prism tenant placement --region %s", to,
                        wanted, to);
    return cli_fail(m->cli, CLI_REFUSED,
                    "no shard of region %s takes a tenant of tier %.*s: name one with --to-shard, "
                    "see prism tenant placement --region %s",
                    to, PX_FMT(m->tier), to);
}

/* ---- the start ---- */

/* What is asked of the home: of its API, or of its control socket. */
struct wish {
    struct px_str endpoint, authorization, path, body; /* endpoint empty: the socket */
};

static void add_member(struct px_buf *buf, const char *name, struct px_str text)
{
    px_buf_printf(buf, "%s\"%s\":", buf->len > 0 ? "," : "{", name);
    px_buf_add_json_str(buf, text);
}

static int wish_of_api(struct migrating *m, const char *home, struct px_buf *body,
                       struct wish *ret_wish)
{
    struct cli *cli = m->cli;
    struct px_str key,
        folder = px_arena_printf(&cli->arena, "%s/regions/%s", m->fleet.folder, home);
    struct px_str tenant = remote_encode(&cli->arena, px_str_c(m->tenant));
    int64_t port = 0;
    if (!folder.ptr) return cli_fault(cli, PX_F_OOM, "a region");
    int exit = settings_reach(cli, folder.ptr, &port, &key);
    if (exit != CLI_OK) return exit;
    add_member(body, "id", px_str_c(m->execution));
    add_member(body, "to", px_str_c(m->values->to));
    add_member(body, "to_prefix", m->prefix);
    add_member(body, "to_shard", m->shard);
    px_buf_add_char(body, '}');
    *ret_wish = (struct wish){
        px_arena_printf(&cli->arena, "127.0.0.1:%d", (int)port),
        px_arena_printf(&cli->arena, "Bearer %.*s", PX_FMT(key)),
        px_arena_printf(&cli->arena, "/v1/admin/tenants/%.*s/moves", PX_FMT(tenant)),
        px_buf_str(body)};
    bool whole = ret_wish->endpoint.ptr && ret_wish->authorization.ptr && ret_wish->path.ptr;
    return whole && !px_buf_fault(body) ? CLI_OK : cli_fault(cli, PX_F_OOM, "a move");
}

static int wish_of_socket(struct migrating *m, struct px_buf *body, struct wish *ret_wish)
{
    PX_AUTO(px_buf_deinit) struct px_buf input;
    px_buf_init(&input, 65536);
    add_member(&input, "tenant", px_str_c(m->tenant));
    add_member(&input, "to", px_str_c(m->values->to));
    add_member(&input, "to_prefix", m->prefix);
    add_member(&input, "to_shard", m->shard);
    px_buf_add_char(&input, '}');
    add_member(body, "stateMachineArn", S(MACHINE ":live"));
    add_member(body, "name", px_str_c(m->execution));
    add_member(body, "input", px_buf_str(&input));
    px_buf_add_char(body, '}');
    *ret_wish = (struct wish){.body = px_buf_str(body)};
    bool whole = !px_buf_fault(&input) && !px_buf_fault(body);
    return whole ? CLI_OK : cli_fault(m->cli, PX_F_OOM, "a move");
}

static int ask_for(const struct migrating *m, const char *home, const struct wish *wish,
                   int *ret_status, yyjson_val **ret_root)
{
    const struct http_header headers[] = {{S("Content-Type"), S("application/json")},
                                          {S("Authorization"), wish->authorization}};
    const struct http_call call = {.method = "POST",
                                   .path = wish->path,
                                   .headers = headers,
                                   .header_count = PX_COUNT(headers),
                                   .body = wish->body};
    if (wish->endpoint.len == 0)
        return workflow(m, home, "StartExecution", wish->body, ret_status, ret_root);
    return call_there(m, wish->endpoint, &call, ret_status, ret_root);
}

/* Until it is answered: a repeat with name and input of the first starts nothing twice. */
static int ask_until_answered(struct migrating *m, const char *home, const struct wish *wish)
{
    int64_t end_ns = px_mono_ns(m->cli->clock) + START_WAIT_S * PX_NS_PER_S;
    for (;;) {
        yyjson_val *root = NULL;
        int status = 0, r = ask_for(m, home, wish, &status, &root);
        bool away = r == PX_F_UNAVAILABLE || r == PX_F_TIMEOUT || r == PX_F_PROTOCOL;
        bool late = px_mono_ns(m->cli->clock) >= end_ns;
        bool failed = r == 0 && (wish->endpoint.len > 0 ? status >= 500 : status == 503);
        if (r == 0 && status / 100 == 2) return CLI_OK;
        if ((!away && !failed) || (failed && late)) return refused(m, home, r, status, root);
        if (late)
            return cli_fail(
                m->cli, CLI_FAILED,
                "%s does not answer any more, so whether the move started is not known: "
                "look with prism workflow show %s --region %s",
                home, m->execution, home);
        pause_ms(LOOK_MS_MAX);
    }
}

static int start(struct migrating *m, const char *home)
{
    struct cli *cli = m->cli;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    struct wish wish;
    px_buf_init(&body, 65536);
    m->execution = px_arena_printf(&cli->arena, "%.40s-%lld-%llx", m->tenant,
                                   (long long)(m->moving_epoch ? m->moving_epoch : m->epoch + 1),
                                   (unsigned long long)px_wall_ns(cli->clock))
                       .ptr;
    if (!m->execution) return cli_fault(cli, PX_F_OOM, "a move");
    int exit = m->values->socket ? wish_of_socket(m, &body, &wish)
                                 : wish_of_api(m, home, &body, &wish);
    return exit == CLI_OK ? ask_until_answered(m, home, &wish) : exit;
}

/* ---- following it ---- */

enum ending { GOES_ON, MOVED, GIVEN_UP, UNFINISHED, ASKS, STARTED };
static const char *const ending_names[] = {"",           "moved", "given up",
                                           "unfinished", "asks",  "started"};

static enum ending ending_of(const struct migrating *m, const struct migration_view *view,
                             struct px_str status)
{
    if (px_str_eq(status, S("SUCCEEDED"))) return MOVED;
    bool compensated = px_str_eq(status, S("FAILED")) &&
                       strcmp(view->error, "MigrationNotFinished") != 0 &&
                       strcmp(view->error, "MigrationNotGivenUp") != 0;
    if (!px_str_eq(status, S("RUNNING"))) return compensated ? GIVEN_UP : UNFINISHED;
    if (view->phase == MIGRATION_ASKS) return ASKS;
    return view->phase == MIGRATION_MOVED && !m->values->wait ? MOVED : GOES_ON;
}

static double now_s(const struct migrating *m) { return (double)px_wall_ns(m->cli->clock) / 1e9; }

static void show(const struct migrating *m, const char *home, const struct migration_view *view,
                 bool away)
{
    char line[256];
    if (!m->cli->err_is_tty || m->cli->json) return;
    size_t columns = table_terminal_width(m->cli->err);
    int room = columns > 1 ? (int)columns - 1 : (int)sizeof line;
    if (away)
        (void)snprintf(line, sizeof line, "%s does not answer; the move goes on when it is back",
                       home);
    else
        (void)migration_line(view, now_s(m), line, sizeof line);
    (void)fprintf(m->cli->err, "\r\033[K%.*s", room, line);
    (void)fflush(m->cli->err);
}

static void clear(const struct migrating *m)
{
    if (m->cli->err_is_tty && !m->cli->json) (void)fputs("\r\033[K", m->cli->err);
}

static enum ending follow(struct migrating *m, const char *home, struct migration_view *view)
{
    struct px_arena *whole = m->arena;
    enum ending ending = GOES_ON;
    sigset_t held;
    interrupt_hold(&held);
    for (long look_ms = LOOK_MS_FIRST; ending == GOES_ON;
         look_ms = PX_MIN(look_ms * 2, LOOK_MS_MAX)) {
        PX_AUTO(px_arena_deinit) struct px_arena poll;
        struct px_str status = S("RUNNING");
        px_arena_init(&poll, POLL_ARENA_BYTES_MAX);
        m->arena = &poll;
        int r = catch_up(m, home, view, &status);
        m->arena = whole;
        ending = r == 0 ? ending_of(m, view, status) : GOES_ON;
        show(m, home, view, r != 0);
        int signal_number = interrupt_came(&held);
        if (signal_number != 0 && ending == GOES_ON) {
            clear(m);
            (void)fprintf(m->cli->err,
                          "prism: the move goes on without this command; look with: prism workflow "
                          "show %s --follow --region %s\n",
                          m->execution, home);
            interrupt_end(signal_number);
        }
        if (ending == GOES_ON) pause_ms(look_ms);
    }
    clear(m);
    return ending;
}

/* ---- the end ---- */

/* The one that took it, or was asked for while none has. */
static struct px_str shard_of(const struct migrating *m, const struct migration_view *view)
{
    return view->shard[0] ? px_str_c(view->shard) : m->shard;
}

static void print_json(const struct migrating *m, const struct migration_view *view,
                       enum ending ending)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 65536);
    px_buf_add_c(&json, "{\"tenant\":");
    px_buf_add_json_str(&json, px_str_c(m->tenant));
    px_buf_add_c(&json, ",\"from\":");
    px_buf_add_json_str(&json, m->home);
    px_buf_add_c(&json, ",\"to\":");
    px_buf_add_json_str(&json, px_str_c(m->values->to));
    px_buf_add_c(&json, ",\"shard\":");
    px_buf_add_json_str(&json, shard_of(m, view));
    px_buf_add_c(&json, ",\"shard_asked\":");
    px_buf_add_json_str(&json, m->shard);
    px_buf_printf(&json, ",\"execution\":\"%s\",\"outcome\":\"%s\"", m->execution,
                  ending_names[ending]);
    if (ending != STARTED)
        px_buf_printf(&json,
                      ",\"epoch\":%lld,\"rounds\":%lld,\"segments\":%llu,\"rows\":%llu,"
                      "\"bytes_copied\":%llu,\"writers_waited_ms\":%.0f",
                      (long long)view->epoch, (long long)view->rounds,
                      (unsigned long long)view->segments, (unsigned long long)view->rows,
                      (unsigned long long)view->bytes_copied,
                      1000 * migration_waited_s(view, now_s(m)));
    if (ending == GIVEN_UP || ending == UNFINISHED || ending == ASKS) {
        px_buf_add_c(&json, ",\"error\":");
        px_buf_add_json_str(&json, px_str_c(view->error));
        px_buf_add_c(&json, ",\"cause\":");
        px_buf_add_json_str(&json, px_str_c(view->cause));
    }
    px_buf_add_char(&json, '}');
    (void)fprintf(m->cli->out, "%.*s\n", PX_FMT(px_buf_str(&json)));
}

static void print_text(const struct migrating *m, const struct migration_view *view,
                       const char *home, enum ending ending)
{
    char size[24], rows[32];
    FILE *out = m->cli->out;
    struct px_str shard = shard_of(m, view);
    (void)cli_bytes(view->bytes_copied, size);
    (void)cli_count(view->rows, rows);
    switch (ending) {
    case STARTED: (void)fprintf(out, "%s\n", m->execution); break;
    case MOVED:
        (void)fprintf(out,
                      "%s has moved to %s, %.*s: %s rows in %llu segment%s, %s copied in %lld "
                      "round%s; writers waited %.1f s\n",
                      m->tenant, m->values->to, PX_FMT(shard), rows,
                      (unsigned long long)view->segments, view->segments == 1 ? "" : "s", size,
                      (long long)view->rounds, view->rounds == 1 ? "" : "s",
                      migration_waited_s(view, now_s(m)));
        if (!px_str_eq(shard, m->shard))
            (void)fprintf(out, "%.*s did not take it when its turn came\n", PX_FMT(m->shard));
        if (view->phase == MIGRATION_MOVED && !m->values->wait)
            (void)fprintf(out, "%s forgets it when the last queries there have ended\n", home);
        break;
    case ASKS:
        (void)fprintf(out,
                      "%s waits for a decision: %s: %s\nanswer with: prism workflow approve %s "
                      "--region %s\n(that tries again; to leave it as it is: --output "
                      "'{\"action\":\"stop\"}')\n",
                      m->tenant, view->error, view->cause, m->execution, home);
        break;
    case GIVEN_UP:
        (void)fprintf(out, "%s stays in %s, the move was given up: %s: %s\n", m->tenant, home,
                      view->error, view->cause);
        break;
    case UNFINISHED:
        (void)fprintf(
            out,
            "the move of %s ended before it was done: %s: %s\nit may be refused in both "
            "regions: see prism workflow show %s --history --region %s, then move it again\n",
            m->tenant, view->error, view->cause, m->execution, home);
        break;
    case GOES_ON: break;
    }
}

static int migrate(struct migrating *m)
{
    struct cli *cli = m->cli;
    struct migration_view view;
    enum ending ending = STARTED;
    int exit = find_fleet(m);
    if (exit == CLI_OK) exit = check_region(m, m->values->to);
    if (exit == CLI_OK) exit = find_home(m);
    if (exit != CLI_OK) return exit;
    if (px_str_eq(m->home, px_str_c(m->values->to)))
        return cli_fail(cli, CLI_REFUSED, "%s is at home in %s already", m->tenant, m->values->to);
    const char *home = px_arena_cstr(m->arena, m->home);
    if (!home) return cli_fault(cli, PX_F_OOM, "a region");
    exit = check_free(m, home);
    if (exit == CLI_OK) exit = find_prefix(m, m->values->to);
    if (exit == CLI_OK) exit = choose_shard(m, m->values->to);
    if (exit == CLI_OK) exit = start(m, home);
    if (exit != CLI_OK) return exit;
    migration_view_init(&view);
    if (!m->values->no_wait) ending = follow(m, home, &view);
    if (cli->json)
        print_json(m, &view, ending);
    else
        print_text(m, &view, home, ending);
    return ending == ASKS                               ? CLI_ASKS
           : ending == GIVEN_UP || ending == UNFINISHED ? CLI_EXECUTION_FAILED
                                                        : CLI_OK;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    struct migrating m = {.cli = cli, .values = values, .tenant = args[0], .arena = &cli->arena};
    (void)arg_count;
    if (!m.values->to) return cli_fail(cli, CLI_USAGE, "where to? give --to REGION");
    if (m.values->wait && m.values->no_wait)
        return cli_fail(cli, CLI_USAGE, "--wait and --no-wait exclude each other");
    return migrate(&m);
}

const struct cli_verb verb_tenant_migrate = {
    .name = "migrate",
    .arguments = "NAME --to REGION",
    .summary = "move a tenant to another region while it is written to and queried",
    .details =
        "Starts the state machine tenant-migration in the tenant's home region and follows it until the new home serves; "
        "with --wait until the old one has forgotten the tenant as well, with --no-wait it shows the execution's name at once. "
        "Writers are told to repeat for a moment, and queries where the old home ends and the new one begins. Ctrl-C ends the command, not the move. "
        "Exit codes: 0 moved, 3 given up (then all is as before) or ended unfinished, 6 a person has to decide.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct migrate_values),
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
