/* cli/verb_up.c - `prism up`: start a region, or several, in the foreground or detached. See up.h for its parts. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/px_file.h"
#include "cli/remote.h"
#include "cli/settings.h"
#include "cli/up.h"
#include "cli/verbs.h"
#include "config/local.h"
#include "fleet/fleet.h"
#include "region/region.h"

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

/* ---- what came of it ---- */

int up_report(struct up *up, int answer)
{
    struct cli *cli = up->cli;
    if (up->several && answer == FLEET_FAILED) return cli_fail(cli, CLI_FAILED, "%s", up->why);
    if (answer == REGION_RUNNING) /* FLEET_RUNNING is the same */
        return cli_fail(cli, CLI_FAILED, "another process holds %s; see prism status",
                        cli->data_dir);
    if (answer == REGION_PORT_TAKEN)
        return cli_fail(cli, CLI_FAILED,
                        "port %d is in use by another program: choose another with --port N",
                        (int)settings_port(cli));
    if (!up->several && answer == REGION_TLS_PORT_TAKEN)
        return cli_fail(cli, CLI_FAILED,
                        "the port for TLS is in use by another program: choose another with "
                        "--tls-port N");
    if (answer != 0) return cli_fault(cli, answer, "the region cannot run");
    return CLI_OK;
}

void up_tell_ready(struct up *up, const struct guide *guide)
{
    if (up->word_fd >= 0)
        up_say_ready(up, guide);
    else
        guide_print(up->cli, guide, up->cli->out);
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
    up_tell_ready(up, &guide);
    /* Without it the next start evaluates again, and that is all. */
    if (up->keep.len > 0)
        (void)!px_file_write_atomic(settings_path(up->cli, CONFIG_LOCAL_FILE), up->keep, 0600);
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

int up_run(struct up *up)
{
    struct cli *cli = up->cli;
    if (up->several) return up_run_fleet(up);
    struct region_options region = {
        .data_dir = cli->data_dir,
        .platform_dir = settings_platform_dir(cli),
        .functions_dir = settings_functions_dir(cli),
        .host = up->values->host,
        .port = (uint16_t)cli->port,
        .wish = {.region_name = cli->region,
                 .aws_endpoint = up->values->aws_endpoint,
                 .aws_prefix = up->values->aws_prefix,
                 .tls = up->tls},
        .settings = up->settings,
        .fleet_file = getenv("PRISM_FLEET"),
        .on_ready = on_ready,
        .ctx = up,
    };
    return region_run(&region);
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
    if ((exit = up_settle_tls(&up)) != CLI_OK) return exit;
    if (up.several && (exit = up_check_fleet(&up)) != CLI_OK) return exit;
    if (!settings_functions_dir(cli) || !settings_platform_dir(cli))
        return cli_fail(cli, CLI_FAILED,
                        "the functions or platform files are missing beside the program: build or "
                        "install all of Prism (make build)");
    exit = up_find_settings(&up);
    if (exit != CLI_OK) return exit;
    if (up.values->detach) return up_run_detached(&up);
    if (supervisor && !follow_supervisor(&up, supervisor)) return CLI_FAILED;
    int r = up_run(&up);
    if (r != 0 && up.word_fd >= 0) up_say_failed(&up, r);
    return up_report(&up, r);
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
