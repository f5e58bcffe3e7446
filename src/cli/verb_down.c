/* cli/verb_down.c - `prism down`: drain the region and wait until its process is gone. The region holds
 * a lock on <data>/region.lock as long as it lives, so the lock tells the truth where a process id may
 * not (a zombie, a reused number). */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "cli/remote.h"
#include "cli/settings.h"
#include "cli/verbs.h"

#define LOOK_MS 10
#define CALL_TIMEOUT_MS 10000

struct down_values {
    int64_t timeout_ms;
};
static const struct cli_option options[] = {
    {"timeout", 't', CLI_TIME, offsetof(struct down_values, timeout_ms), "TIME",
     "how long to wait for running requests (default 60s)", NULL, 0, 0},
};
static const struct down_values defaults = {.timeout_ms = 60000};

static bool is_gone(const char *lock_path)
{
    PX_AUTO(px_close) int fd = open(lock_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT;
    return flock(fd, LOCK_SH | LOCK_NB) == 0;
}

static bool wait_gone(struct cli *cli, int64_t timeout_ms)
{
    const char *lock_path = settings_path(cli, "region.lock");
    int64_t end_ns = px_mono_ns(cli->clock) + timeout_ms * PX_NS_PER_MS;
    while (!is_gone(lock_path)) {
        if (px_mono_ns(cli->clock) >= end_ns) return false;
        const struct timespec pause = {.tv_nsec = LOOK_MS * PX_NS_PER_MS};
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count, (void)args;
    const struct down_values *v = values;
    struct remote remote;
    struct http_response response;
    if (is_gone(settings_path(cli, "region.lock")))
        return cli_fail(cli, CLI_NOT_RUNNING, "no region is running on %s", cli->data_dir);
    int exit = remote_open_control(cli, CALL_TIMEOUT_MS, &remote);
    if (exit != CLI_OK) return exit;
    exit = remote_run(&remote, &(struct remote_call){.method = "POST", .path = S("/drain")},
                      &response);
    remote_close(&remote);
    if (exit != CLI_OK) return exit;
    if (!wait_gone(cli, v->timeout_ms))
        return cli_fail(
            cli, CLI_FAILED,
            "the region is draining, but still there after %lld s; prism status shows what it "
            "is busy with",
            (long long)(v->timeout_ms / 1000));
    (void)fputs(cli->json                ? "{\"stopped\":true}\n"
                : settings_is_fleet(cli) ? "The regions have stopped.\n"
                                         : "The region has stopped.\n",
                cli->out);
    return CLI_OK;
}

const struct cli_verb verb_down = {
    .name = "down",
    .summary = "stop the region, or all regions of the data folder",
    .details =
        "Running requests end, nothing new is taken, then the processes stop. What was answered is "
        "stored in any case.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct down_values),
    .defaults = &defaults,
    .run = run,
};
