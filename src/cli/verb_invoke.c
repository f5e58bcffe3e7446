/* cli/verb_invoke.c - `prism invoke FUNCTION EVENT.json`: Lambda's Invoke on the control socket. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/px_file.h"
#include "cli/remote.h"
#include "cli/verbs.h"

#define EVENT_BYTES_MAX (6u << 20)

struct invoke_values {
    bool async;
};
static const struct cli_option options[] = {
    {"async", 'a', CLI_FLAG, offsetof(struct invoke_values, async), NULL,
     "do not wait: the event is queued and repeated when it fails", NULL, 0, 0},
};

static int read_all(int fd, struct px_buf *buf)
{
    for (;;) {
        char *at = px_buf_reserve(buf, 65536);
        if (!at) return px_buf_fault(buf);
        ssize_t n = read(fd, at, 65536);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return px_fault_errno("standard input");
        if (n == 0) return 0;
        buf->len += (size_t)n;
    }
}

static int read_event(struct cli *cli, const char *path, struct px_buf *event)
{
    int r = strcmp(path, "-") == 0 ? read_all(STDIN_FILENO, event) : px_file_read(path, event);
    if (r == PX_FILE_ABSENT) return cli_fail(cli, CLI_FAILED, "%s does not exist", path);
    if (r == PX_FILE_TOO_LARGE || r == PX_F_LIMIT)
        return cli_fail(cli, CLI_FAILED, "%s is larger than an event may be, 6 MiB", path);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "%s", path);
}

static int invoke(struct cli *cli, const struct invoke_values *v, const char *function,
                  struct px_str event)
{
    struct remote remote;
    struct http_response response;
    struct px_str name = remote_encode(&cli->arena, px_str_c(function));
    struct px_str path = px_arena_printf(&cli->arena, "/2015-03-31/functions/%.*s/invocations",
                                         PX_FMT(name));
    struct remote_call call = {.method = "POST", .path = path, .body = event};
    if (v->async) call.more = (struct http_header){S("X-Amz-Invocation-Type"), S("Event")};
    int exit = remote_open_control(cli, 0, &remote);
    if (exit != CLI_OK) return exit;
    exit = remote_run(&remote, &call, &response);
    if (exit == CLI_OK) {
        struct px_str id = http_response_header(&response, S("x-amzn-RequestId"));
        if (v->async && cli->json)
            (void)fprintf(cli->out, "{\"request_id\":\"%.*s\"}\n", PX_FMT(id));
        else if (v->async)
            (void)fprintf(cli->out, "queued as %.*s\n", PX_FMT(id));
        else
            (void)fprintf(cli->out, "%.*s\n", PX_FMT(response.body));
        struct px_str error = http_response_header(&response, S("X-Amz-Function-Error"));
        if (error.len > 0) {
            (void)fflush(cli->out);
            (void)fprintf(cli->err, "prism: the function failed (%.*s)\n", PX_FMT(error));
            exit = CLI_REGION_ERROR;
        }
    }
    remote_close(&remote);
    return exit;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    PX_AUTO(px_buf_deinit) struct px_buf event;
    px_buf_init(&event, EVENT_BYTES_MAX);
    if (arg_count > 1) {
        int exit = read_event(cli, args[1], &event);
        if (exit != CLI_OK) return exit;
    } else {
        px_buf_add_c(&event, "{}");
    }
    return invoke(cli, values, args[0], px_buf_str(&event));
}

const struct cli_verb verb_invoke = {
    .name = "invoke",
    .arguments = "FUNCTION [EVENT.json|-]",
    .summary = "invoke a function with an event and show its answer",
    .details =
        "Without an event it gets {}. The answer goes to standard output as the function gave it; a "
        "failed function gives exit code 5.",
    .complete = "function",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct invoke_values),
    .args_min = 1,
    .args_max = 2,
    .run = run,
};
