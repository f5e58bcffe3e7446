/* cli/verb_tick.c - `prism tick seal|compact|retain|ttl`: what the schedules do, now. */
#include "cli/remote.h"
#include "cli/verbs.h"

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values, (void)arg_count;
    struct remote remote;
    struct http_response response;
    struct px_str name = remote_encode(&cli->arena, px_str_c(args[0]));
    struct px_str path = px_arena_printf(&cli->arena, "/tick/%.*s", PX_FMT(name));
    int exit = remote_open_control(cli, 0, &remote);
    if (exit != CLI_OK) return exit;
    exit = remote_run(&remote, &(struct remote_call){.method = "POST", .path = path}, &response);
    if (exit == CLI_OK) {
        struct px_str error = http_response_header(&response, S("X-Amz-Function-Error"));
        if (error.len > 0)
            exit = cli_fail(cli, CLI_REGION_ERROR, "%s failed: %.*s", args[0],
                            PX_FMT(response.body));
        else
            (void)fprintf(cli->out, "%.*s\n", PX_FMT(response.body));
    }
    remote_close(&remote);
    return exit;
}

const struct cli_verb verb_tick = {
    .name = "tick",
    .arguments = "seal|compact|retain|ttl",
    .summary = "run a scheduled job now and show what it did",
    .details =
        "seal: write-ahead files to Parquet segments. compact: segments to larger, time-sorted Parquet. "
        "retain: remove what is past its retention. ttl: remove expired table items.",
    .complete = "seal compact retain ttl",
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
