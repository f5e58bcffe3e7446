/* cli/workflow_region.c - see workflow_region.h. */
#include "cli/workflow_region.h"

#include <time.h>

#define POLL_MS_FIRST 20
#define POLL_MS_MAX 500

int workflow_call_on(struct remote *remote, const char *action, struct px_str body,
                     yyjson_val **ret_root, struct px_str *ret_text)
{
    struct px_str target = px_arena_printf(&remote->cli->arena, "AWSStepFunctions.%s", action);
    const struct remote_call call = {.method = "POST",
                                     .path = S("/"),
                                     .body = body.len ? body : S("{}"),
                                     .content_type = "application/x-amz-json-1.0",
                                     .more = {S("X-Amz-Target"), target}};
    if (!target.ptr) return cli_fault(remote->cli, PX_F_OOM, "%s", action);
    return remote_json(remote, &call, ret_root, ret_text);
}

int workflow_call(struct cli *cli, const char *action, struct px_str body, yyjson_val **ret_root,
                  struct px_str *ret_text)
{
    struct remote remote;
    int exit = remote_open_control(cli, 0, &remote);
    if (exit != CLI_OK) return exit;
    exit = workflow_call_on(&remote, action, body, ret_root, ret_text);
    remote_close(&remote);
    return exit;
}

void workflow_add(struct px_buf *body, const char *name, const char *text)
{
    if (!text) return;
    px_buf_add_char(body, body->len ? ',' : '{');
    px_buf_add_json_str(body, px_str_c(name));
    px_buf_add_char(body, ':');
    px_buf_add_json_str(body, px_str_c(text));
}

struct px_str workflow_time(struct cli *cli, yyjson_val *object, const char *name)
{
    char when[40];
    double seconds = px_json_f64(object, name, -1);
    if (seconds < 0) return S("");
    int64_t ms = (int64_t)(seconds * 1000 + 0.5);
    return px_arena_dup(&cli->arena, px_time_format(ms * PX_NS_PER_MS, 3, when));
}

struct px_str workflow_duration(struct cli *cli, yyjson_val *execution)
{
    double start = px_json_f64(execution, "startDate", 0),
           stop = px_json_f64(execution, "stopDate", (double)px_wall_ns(cli->clock) / 1e9);
    return px_arena_printf(&cli->arena, "%.3f s", stop > start ? stop - start : 0.0);
}

const char *workflow_live(struct cli *cli, const char *machine)
{
    return strchr(machine, ':') ? machine : px_arena_printf(&cli->arena, "%s:live", machine).ptr;
}

struct px_str workflow_machine_of(struct px_str arn)
{
    static const struct px_str marks[] = {
        {":stateMachine:", 14}, {":execution:", 11}, {":express:", 9}};
    for (size_t i = 0; i < PX_COUNT(marks); i++) {
        const char *at = memmem(arn.ptr, arn.len, marks[i].ptr, marks[i].len);
        if (!at) continue;
        struct px_str rest = px_str_skip(arn, (size_t)(at - arn.ptr) + marks[i].len), machine;
        (void)px_str_cut(&rest, ':', &machine);
        return px_str_starts(machine, S("prism-")) ? px_str_skip(machine, 6) : machine;
    }
    return arn;
}

int workflow_print_end(struct cli *cli, yyjson_val *execution, struct px_str text)
{
    struct px_str output = px_json_str(execution, "output");
    bool good = px_str_eq(px_json_str(execution, "status"), S("SUCCEEDED"));
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    if (cli->json) {
        px_buf_add_str(&buf, text);
    } else if (good) {
        px_buf_add_str(&buf, output);
    } else {
        px_buf_add_c(&buf, "{\"Error\":");
        px_buf_add_json_str(&buf, px_json_str(execution, "error"));
        px_buf_add_c(&buf, ",\"Cause\":");
        px_buf_add_json_str(&buf, px_json_str(execution, "cause"));
        px_buf_add_char(&buf, '}');
    }
    if (px_buf_fault(&buf)) return cli_fault(cli, px_buf_fault(&buf), "the execution's end");
    (void)fprintf(cli->out, "%.*s\n", PX_FMT(px_buf_str(&buf)));
    return good ? CLI_OK : CLI_NOT_RUNNING;
}

int workflow_wait(struct cli *cli, struct px_str arn, yyjson_val **ret_execution,
                  struct px_str *ret_text)
{
    struct remote remote;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 65536);
    workflow_add(&body, "executionArn", px_arena_cstr(&cli->arena, arn));
    px_buf_add_char(&body, '}');
    if (px_buf_fault(&body)) return cli_fault(cli, px_buf_fault(&body), "an execution's name");
    int exit = remote_open_control(cli, 0, &remote);
    if (exit != CLI_OK) return exit;
    for (long pause_ms = POLL_MS_FIRST;; pause_ms = PX_MIN(pause_ms * 2, POLL_MS_MAX)) {
        exit = workflow_call_on(&remote, "DescribeExecution", px_buf_str(&body), ret_execution,
                                ret_text);
        if (exit != CLI_OK || !px_str_eq(px_json_str(*ret_execution, "status"), S("RUNNING")))
            break;
        const struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * PX_NS_PER_MS};
        (void)nanosleep(&pause, NULL);
    }
    remote_close(&remote);
    return exit;
}
