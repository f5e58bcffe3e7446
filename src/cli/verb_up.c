/* cli/verb_up.c - `prism up`: start a region, in the foreground or detached.
 *
 * Detached: a child in a session of its own runs the region with its output in <data>/logs/region.log
 * and says through a pipe that it is ready, or why it is not; the parent prints and leaves. The pipe's
 * end without a word means that the child died. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/px_file.h"
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "cli/config.h"
#include "cli/guide.h"
#include "cli/remote.h"
#include "cli/settings.h"
#include "cli/verbs.h"
#include "config/local.h"
#include "fleet/fleet.h"
#include "region/region.h"

#define LOG_TAIL_BYTES 2000
#define WORD_BYTES_MAX 8192 /* what the child says */

struct up_values {
    bool detach;
    bool tls, no_tls;
    const char *host, *aws_endpoint, *aws_prefix, *regions, *environment;
    const char *tls_certificate, *tls_key, *tls_names, *tls_clients;
    int64_t lag_ms, tls_port;
};
static const struct up_values defaults = {.lag_ms = -1};
static const struct cli_option options[] = {
    {"detach", 'd', CLI_FLAG, offsetof(struct up_values, detach), NULL,
     "leave the region running in the background", NULL, 0, 0},
    {"host", 0, CLI_TEXT, offsetof(struct up_values, host), "ADDRESS",
     "numeric address to listen on (default 127.0.0.1: this machine only)", NULL, 0, 0},
    {"environment", 'e', CLI_TEXT, offsetof(struct up_values, environment), "NAME",
     "whose settings functions get (default PRISM_ENVIRONMENT, else local); of dev, staging and "
     "prod those of the region that has this one's name",
     NULL, 0, 0},
    {"regions", 0, CLI_TEXT, offsetof(struct up_values, regions), "NAME,NAME",
     "several regions behind the edge router, which needs Node.js (default as remembered)", NULL, 0,
     0},
    {"registry-lag", 0, CLI_TIME, offsetof(struct up_values, lag_ms), "TIME",
     "with several regions: how old a change of the registry is when the others get it (default as "
     "remembered, else 0)",
     NULL, 0, FLEET_LAG_MS_MAX},
    {"aws-endpoint", 0, CLI_TEXT, offsetof(struct up_values, aws_endpoint), "URL",
     "keep tables, objects and secrets behind this endpoint of AWS or an emulator (default as "
     "remembered, else in the data folder)",
     NULL, 0, 0},
    {"aws-prefix", 0, CLI_TEXT, offsetof(struct up_values, aws_prefix), "NAME",
     "what the names of tables, buckets and secrets there begin with (default as remembered, else "
     "prism-REGION)",
     NULL, 0, 0},
    {"tls", 0, CLI_FLAG, offsetof(struct up_values, tls), NULL,
     "also serve over TLS, on a port of its own (default as remembered)", NULL, 0, 0},
    {"no-tls", 0, CLI_FLAG, offsetof(struct up_values, no_tls), NULL,
     "from now on without TLS again", NULL, 0, 0},
    {"tls-port", 0, CLI_NUMBER, offsetof(struct up_values, tls_port), "N",
     "that port (default as remembered, else 8443)", NULL, 1, 65535},
    {"tls-cert", 0, CLI_TEXT, offsetof(struct up_values, tls_certificate), "FILE",
     "certificate to show, in PEM with what signed it; followed when it changes (default one that "
     "this data folder's own authority signs)",
     NULL, 0, 0},
    {"tls-key", 0, CLI_TEXT, offsetof(struct up_values, tls_key), "FILE", "its private key, in PEM",
     NULL, 0, 0},
    {"tls-names", 0, CLI_TEXT, offsetof(struct up_values, tls_names), "NAME,NAME",
     "domain names that the gateway has beside those of the contract; it answers to no others then, but to localhost and "
     "addresses (default as remembered)",
     NULL, 0, 0},
    {"tls-clients", 0, CLI_TEXT, offsetof(struct up_values, tls_clients), "NAME=FILE,NAME=FILE",
     "domain names whose clients show a certificate that an authority in the file (PEM) signed; followed when it changes (default "
     "as remembered)",
     NULL, 0, 0},
};

struct up {
    yyjson_val *settings; /* of functions; NULL: the catalogue says all */
    struct px_str keep;   /* for the next start, so that it evaluates no templates */
    struct cli *cli;
    const struct up_values *values;
    bool several;    /* regions, behind the edge router */
    const char *why; /* they do not start */
    bool tls;        /* asked for */
    const char *certificate, *key, *clients;
    int word_fd; /* where the detached child says what came of it; -1 in the foreground */
};

/* ---- what came of it ---- */

static int report_answer(struct up *up, int r)
{
    struct cli *cli = up->cli;
    if (up->several && r == FLEET_FAILED) return cli_fail(cli, CLI_FAILED, "%s", up->why);
    if (r == REGION_RUNNING) /* FLEET_RUNNING is the same */
        return cli_fail(cli, CLI_FAILED, "another process holds %s; see prism status",
                        cli->data_dir);
    if (r == REGION_PORT_TAKEN)
        return cli_fail(cli, CLI_FAILED,
                        "port %d is in use by another program: choose another with --port N",
                        (int)settings_port(cli));
    if (!up->several && r == REGION_TLS_PORT_TAKEN)
        return cli_fail(cli, CLI_FAILED,
                        "the port for TLS is in use by another program: choose another with "
                        "--tls-port N");
    if (r != 0) return cli_fault(cli, r, "the region cannot run");
    return CLI_OK;
}

static void write_word(struct up *up, const struct px_buf *word)
{
    if (px_buf_fault(word) == 0 && px_file_write_all(up->word_fd, word->ptr, word->len) != 0)
        return;
    px_close(&up->word_fd);
}

static void say_ready(struct up *up, const struct guide *guide)
{
    PX_AUTO(px_buf_deinit) struct px_buf word;
    px_buf_init(&word, WORD_BYTES_MAX);
    px_buf_printf(&word,
                  "{\"pid\":%lld,\"port\":%lld,\"created\":%s,\"tenant\":", (long long)guide->pid,
                  (long long)guide->port, guide->created ? "true" : "false");
    px_buf_add_json_str(&word, guide->tenant);
    px_buf_add_c(&word, ",\"key\":");
    px_buf_add_json_str(&word, guide->key);
    px_buf_printf(&word, ",\"tls_port\":%lld,\"tls_own\":%s", (long long)guide->tls_port,
                  guide->tls_own ? "true" : "false");
    if (guide->regions.len > 0) {
        px_buf_add_c(&word, ",\"regions\":");
        px_buf_add_str(&word, guide->regions);
    }
    px_buf_add_char(&word, '}');
    write_word(up, &word);
}

static void on_ready(void *ctx, const struct region_ready *ready)
{
    struct up *up = ctx;
    struct guide guide = {.pid = getpid(),
                          .port = ready->port,
                          .created = ready->created,
                          .tenant = ready->tenant,
                          .key = ready->key,
                          .tls_port = ready->tls_port,
                          .tls_own = ready->tls_own};
    if (up->word_fd >= 0)
        say_ready(up, &guide);
    else
        guide_print(up->cli, &guide, up->cli->out);
    /* Without it the next start evaluates again, and that is all. */
    if (up->keep.len > 0)
        (void)!px_file_write_atomic(settings_path(up->cli, CONFIG_LOCAL_FILE), up->keep, 0600);
}

/* ---- several regions ---- */

static void on_fleet_ready(void *ctx, const struct fleet_ready *ready)
{
    struct up *up = ctx;
    PX_AUTO(px_buf_deinit) struct px_buf regions;
    px_buf_init(&regions, WORD_BYTES_MAX / 2);
    for (size_t i = 0; i < ready->state->count; i++)
        px_buf_printf(&regions, "%c{\"name\":\"%s\",\"endpoint\":\"http://127.0.0.1:%u\"}",
                      i ? ',' : '[', ready->state->regions[i].name, ready->state->regions[i].port);
    px_buf_add_char(&regions, ']');
    struct guide guide = {.pid = getpid(),
                          .port = ready->port,
                          .created = ready->created,
                          .tenant = ready->created ? ready->tenant : (struct px_str){0},
                          .key = ready->key,
                          .regions = px_buf_str(&regions)};
    if (up->word_fd >= 0)
        say_ready(up, &guide);
    else
        guide_print(up->cli, &guide, up->cli->out);
}

static int run_fleet(struct up *up)
{
    struct cli *cli = up->cli;
    const struct fleet_options fleet = {
        .data_dir = cli->data_dir,
        .program = settings_program(cli),
        .edge_dir = settings_edge_dir(cli),
        .node = fleet_find_node(&cli->arena),
        .host = up->values->host,
        .regions = up->values->regions,
        .port = (uint16_t)cli->port,
        .lag_ms = up->values->lag_ms,
        .on_ready = on_fleet_ready,
        .ctx = up,
    };
    return fleet_run(&fleet, &cli->arena, &up->why);
}

static int check_fleet(struct up *up)
{
    struct cli *cli = up->cli;
    if (up->values->aws_endpoint || up->values->aws_prefix)
        return cli_fail(cli, CLI_USAGE,
                        "several regions keep their stores in their folders: "
                        "--aws-endpoint is for one");
    if (!fleet_find_node(&cli->arena))
        return cli_fail(
            cli, CLI_FAILED,
            "the edge router in front of several regions needs Node.js 18 or later: "
            "install it (on Debian: apt-get install nodejs), or name it with PRISM_NODE");
    if (!settings_edge_dir(cli) || !settings_program(cli))
        return cli_fail(cli, CLI_FAILED,
                        "the edge router (edge/local.mjs) is missing beside the "
                        "program: build or install all of Prism");
    return CLI_OK;
}

/* ---- one ---- */

/* Ended when the supervisor of several regions ends, whatever ends it. False: it has ended already. */
static bool follow_supervisor(struct up *up, const char *supervisor)
{
    int64_t pid = 0;
    up->word_fd = 3;
    (void)fcntl(up->word_fd, F_SETFD, FD_CLOEXEC);
    return px_str_to_i64(px_str_c(supervisor), &pid) && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 &&
           getppid() == (pid_t)pid;
}

/* ---- settings ---- */

static struct px_str region_name(struct cli *cli)
{
    yyjson_val *memory = NULL;
    if (cli->region) return px_str_c(cli->region);
    int r = px_json_load(settings_path(cli, "prism.json"), 64 * 1024, &cli->arena, &memory);
    struct px_str name = r == 0 ? px_json_str(memory, "region") : S("");
    return name.len > 0 ? name : S("local");
}

/* Before anything is touched but the data folder; of several regions, which find their own, only that there are no faults. */
static int find_settings(struct up *up)
{
    struct cli *cli = up->cli;
    struct config_report report = {.arena = &cli->arena};
    const char *given = up->values->environment, *ours = getenv("PRISM_ENVIRONMENT");
    bool chosen = given || (ours && ours[0]);
    const char *name = given ? given : chosen ? ours : "local";
    struct config_local of = {.data_dir = cli->data_dir,
                              .environment = px_str_c(name),
                              .region = region_name(cli),
                              .report = &report};
    if (strcmp(name, "local") == 0) {
        of.region = S("local");
        of.built = settings_built(cli);
    }
    const struct config_places places = {0};
    int exit = config_find_places(cli, &places, &of.platform_dir, &of.infra_dir);
    if (exit != CLI_OK) return exit;
    if (given && setenv("PRISM_ENVIRONMENT", given, 1) != 0)
        return cli_fault(cli, PX_F_OOM, "settings");
    if (up->several && strcmp(name, "local") != 0) return CLI_OK;
    int r = config_local_settings(&of, &cli->arena, &up->settings, &up->keep);
    if (r == 0 || (r == CONFIG_LOCAL_NONE && !chosen)) return CLI_OK;
    if (r == CONFIG_LOCAL_NONE)
        return cli_fail(cli, CLI_USAGE, "there is no environment %s in %s/environments", name,
                        of.platform_dir);
    if (r == CONFIG_LOCAL_NO_REGION)
        return cli_fail(
            cli, CLI_USAGE,
            "environment %s has no region %.*s: name one of its with --region, or take --environment local",
            name, PX_FMT(of.region));
    if (r != CONFIG_LOCAL_REFUSED) return cli_fault(cli, r, "settings of %s", name);
    config_say_faults(cli->err, &report);
    return cli_fail(cli, CLI_REFUSED, "environment %s has %zu fault%s; nothing was started", name,
                    report.count, report.count == 1 ? "" : "s");
}

static int run_region(struct up *up)
{
    struct cli *cli = up->cli;
    if (up->several) return run_fleet(up);
    struct region_options region = {
        .data_dir = cli->data_dir,
        .platform_dir = settings_platform_dir(cli),
        .functions_dir = settings_functions_dir(cli),
        .host = up->values->host,
        .port = (uint16_t)cli->port,
        .wish = {.region_name = cli->region,
                 .aws_endpoint = up->values->aws_endpoint,
                 .aws_prefix = up->values->aws_prefix,
                 .tls = up->tls,
                 .no_tls = up->values->no_tls,
                 .tls_port = (uint16_t)up->values->tls_port,
                 .tls_certificate = up->certificate,
                 .tls_key = up->key,
                 .tls_names = up->values->tls_names,
                 .tls_clients = up->clients},
        .settings = up->settings,
        .fleet_file = getenv("PRISM_FLEET"),
        .on_ready = on_ready,
        .ctx = up,
    };
    return region_run(&region);
}

/* ---- detached ---- */

static void say_failed(struct up *up, int r)
{
    char *text = NULL;
    size_t bytes = 0;
    struct cli quiet = *up->cli;
    quiet.err = open_memstream(&text, &bytes);
    if (!quiet.err) return;
    quiet.json = false;
    struct up told = *up;
    told.cli = &quiet;
    told.word_fd = -1;
    int exit = report_answer(&told, r);
    (void)fclose(quiet.err);
    struct px_str line = px_str_trim(px_str(text, bytes));
    if (px_str_starts(line, S("prism: "))) line = px_str_skip(line, 7);
    PX_AUTO(px_buf_deinit) struct px_buf word;
    px_buf_init(&word, WORD_BYTES_MAX);
    px_buf_printf(&word, "{\"exit\":%d,\"why\":", exit);
    px_buf_add_json_str(&word, line);
    px_buf_add_char(&word, '}');
    write_word(up, &word);
    free(text);
}

_Noreturn static void be_child(struct up *up, const char *log_path)
{
    (void)setsid();
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) {
        say_failed(up, px_fault_errno("%s", log_path));
        _exit(CLI_FAILED);
    }
    px_close(&null);
    px_close(&log);
    int r = run_region(up);
    if (r != 0 && up->word_fd >= 0) say_failed(up, r);
    _exit(r == 0 ? CLI_OK : CLI_FAILED);
}

/* All that the child says, until it closes the pipe or dies. */
static int hear(int fd, struct px_buf *word)
{
    for (;;) {
        char *at = px_buf_reserve(word, 1024);
        if (!at) return px_buf_fault(word);
        ssize_t n = read(fd, at, 1024);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return px_fault_errno("pipe");
        if (n == 0) return 0;
        word->len += (size_t)n;
    }
}

static int child_died(struct cli *cli, const char *log_path)
{
    char tail[LOG_TAIL_BYTES + 1] = "";
    FILE *log = fopen(log_path, "re");
    if (log) {
        if (fseek(log, -LOG_TAIL_BYTES, SEEK_END) != 0) rewind(log);
        tail[fread(tail, 1, LOG_TAIL_BYTES, log)] = '\0';
        (void)fclose(log);
    }
    return cli_fail(cli, CLI_FAILED, "the region ended before it was ready; %s ends with\n%s",
                    log_path, tail);
}

static int report_word(struct cli *cli, struct px_str word, const char *log_path)
{
    yyjson_val *root = NULL;
    if (word.len == 0 || px_json_parse(word, &cli->arena, &root, NULL) != 0)
        return child_died(cli, log_path);
    struct px_str why = px_json_str(root, "why");
    if (why.len > 0)
        return cli_fail(cli, (enum cli_exit)px_json_i64(root, "exit", CLI_FAILED), "%.*s",
                        PX_FMT(why));
    struct guide guide = {.pid = px_json_i64(root, "pid", 0),
                          .port = px_json_i64(root, "port", 0),
                          .created = px_json_bool(root, "created", false),
                          .tenant = px_json_str(root, "tenant"),
                          .key = px_json_str(root, "key"),
                          .tls_port = px_json_i64(root, "tls_port", 0),
                          .tls_own = px_json_bool(root, "tls_own", false),
                          .detached = true};
    yyjson_val *regions = px_json_arr(root, "regions");
    PX_AUTO(px_buf_deinit) struct px_buf list;
    px_buf_init(&list, WORD_BYTES_MAX);
    if (regions) px_buf_add_json(&list, regions);
    guide.regions = px_buf_str(&list);
    guide_print(cli, &guide, cli->out);
    return CLI_OK;
}

static int run_detached(struct up *up)
{
    struct cli *cli = up->cli;
    const char *log_path = settings_path(cli, "logs/region.log");
    int r = px_dir_make(settings_path(cli, "logs"));
    if (r != 0) return cli_fault(cli, r, "data folder");
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return cli_fault(cli, px_fault_errno("pipe"), "cannot start");
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        px_close(&ends[0]);
        up->word_fd = ends[1];
        be_child(up, log_path);
    }
    px_close(&ends[1]);
    PX_AUTO(px_close) int from_child = ends[0];
    if (child < 0) return cli_fault(cli, px_fault_errno("fork"), "cannot start");
    PX_AUTO(px_buf_deinit) struct px_buf word;
    px_buf_init(&word, WORD_BYTES_MAX);
    r = hear(from_child, &word);
    if (r != 0) return cli_fault(cli, r, "cannot start");
    return report_word(cli, px_buf_str(&word), log_path);
}

/* ---- the verb ---- */

/* Absolute, because a detached region and its functions must not depend on where it was started. */
static int settle_data_dir(struct cli *cli)
{
    char real[PATH_MAX];
    int r = px_dir_make(cli->data_dir);
    if (r != 0) return cli_fault(cli, r, "data folder");
    if (!realpath(cli->data_dir, real))
        return cli_fault(cli, px_fault_errno("%s", cli->data_dir), "data folder");
    cli->data_dir = px_arena_cstr(&cli->arena, px_str_c(real));
    return cli->data_dir ? CLI_OK : cli_fault(cli, PX_F_OOM, "data folder");
}

static const char *absolute(struct cli *cli, const char *path)
{
    char real[PATH_MAX];
    return realpath(path, real) ? px_arena_cstr(&cli->arena, px_str_c(real)) : path;
}

/* NAME=FILE,NAME=FILE with whole paths. */
static int settle_clients(struct up *up)
{
    struct cli *cli = up->cli;
    struct px_str left = px_str_c(up->values->tls_clients), one, name, text = S("");
    while (left.len > 0) {
        (void)px_str_cut(&left, ',', &one);
        if (!px_str_cut(&one, '=', &name) || name.len == 0 || one.len == 0)
            return cli_fail(cli, CLI_USAGE, "--tls-clients is NAME=FILE, with commas between them");
        const char *path = px_arena_cstr(&cli->arena, one);
        text = px_arena_printf(&cli->arena, "%.*s%s%.*s=%s", PX_FMT(text), text.len ? "," : "",
                               PX_FMT(name), path ? absolute(cli, path) : "");
    }
    up->clients = px_arena_cstr(&cli->arena, text);
    return up->clients ? CLI_OK : cli_fault(cli, PX_F_OOM, "--tls-clients");
}

static int settle_tls(struct up *up)
{
    struct cli *cli = up->cli;
    const struct up_values *values = up->values;
    up->tls = values->tls || values->tls_port || values->tls_certificate || values->tls_key ||
              values->tls_names || values->tls_clients;
    if (up->tls && values->no_tls)
        return cli_fail(cli, CLI_USAGE, "--no-tls goes with no other option of TLS");
    if (!values->tls_certificate != !values->tls_key)
        return cli_fail(cli, CLI_USAGE, "--tls-cert and --tls-key go together");
    if (up->several && up->tls)
        return cli_fail(cli, CLI_USAGE,
                        "TLS is for one region: several are behind the edge router");
    if (values->tls_clients) {
        int exit = settle_clients(up);
        if (exit != CLI_OK) return exit;
    }
    if (!values->tls_certificate) return CLI_OK;
    up->certificate = absolute(cli, values->tls_certificate);
    up->key = absolute(cli, values->tls_key);
    return CLI_OK;
}

static int already_running(struct up *up)
{
    struct cli *cli = up->cli;
    struct remote remote;
    yyjson_val *status = NULL;
    struct px_str text;
    int exit = remote_open_control(cli, 5000, &remote);
    if (exit != CLI_OK) return exit;
    exit = remote_json(&remote, &(struct remote_call){.method = "GET", .path = S("/status")},
                       &status, &text);
    remote_close(&remote);
    if (exit != CLI_OK) return exit;
    struct guide guide = {.pid = px_json_i64(status, "pid", 0),
                          .port = px_json_i64(status, "port", 0),
                          .tls_port = px_json_i64(status, "tls_port", 0),
                          .tls_own = px_json_bool(status, "tls_own", false),
                          .already_running = true};
    bool elsewhere = cli->port != 0 && cli->port != guide.port;
    if (!up->values->detach || elsewhere)
        return cli_fail(cli, CLI_FAILED, "a region runs already on %s: pid %lld, port %lld",
                        cli->data_dir, (long long)guide.pid, (long long)guide.port);
    if (up->values->regions && !settings_is_fleet(cli))
        return cli_fail(cli, CLI_FAILED,
                        "one region runs already on %s: several take another folder (--data)",
                        cli->data_dir);
    guide_print(cli, &guide, cli->out);
    return CLI_OK;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count, (void)args;
    struct up up = {.cli = cli, .values = values, .word_fd = -1};
    const char *supervisor = getenv("PRISM_SUPERVISOR");
    int exit = settle_data_dir(cli);
    if (exit != CLI_OK) return exit;
    if (remote_is_running(cli)) return already_running(&up);
    up.several = up.values->regions || settings_is_fleet(cli);
    if (up.several && cli->region)
        return cli_fail(cli, CLI_USAGE,
                        "--region is for one; of several on a folder, prism region "
                        "heal starts one again");
    if ((exit = settle_tls(&up)) != CLI_OK) return exit;
    if (up.several && (exit = check_fleet(&up)) != CLI_OK) return exit;
    if (!settings_functions_dir(cli) || !settings_platform_dir(cli))
        return cli_fail(cli, CLI_FAILED,
                        "the functions or platform files are missing beside the program: build or "
                        "install all of Prism (make build)");
    exit = find_settings(&up);
    if (exit != CLI_OK) return exit;
    if (up.values->detach) return run_detached(&up);
    if (supervisor && !follow_supervisor(&up, supervisor)) return CLI_FAILED;
    int r = run_region(&up);
    if (r != 0 && up.word_fd >= 0) say_failed(&up, r);
    return report_answer(&up, r);
}

const struct cli_verb verb_up = {
    .name = "up",
    .summary = "start a region, or several, on this machine",
    .details =
        "The data folder is made when it is absent; then a first tenant and its key are made too, "
        "and the key is shown once. Everything that was answered survives a crash: starting again "
        "on the same folder goes on where it was. With --aws-endpoint, tables and buckets that are "
        "missing are made, credentials and region come from where AWS's own tools look for them, and "
        "PRISM_META_URL may name a PostgreSQL database for the metadata. With --regions each region is a process with a folder of its own, kept alive by this one, and the port is the edge router's; prism region rehearses failures.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct up_values),
    .defaults = &defaults,
    .run = run,
};
