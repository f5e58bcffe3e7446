/* cli/workflow_decide.c - `prism workflow approve|reject TOKEN|EXECUTION`: the answer to a question. */
#include "cli/workflow.h"
#include "cli/workflow_served.h"

struct decide_values {
    const char *output, *error, *cause;
    bool socket;
};
static const struct cli_option approve_options[] = {
    {"output", 'o', CLI_TEXT, offsetof(struct decide_values, output), "JSON",
     "the answer (default {\"action\":\"retry\"})", NULL, 0, 0},
    WORKFLOW_SOCKET_OPTION(struct decide_values, socket),
};
static const struct cli_option reject_options[] = {
    {"error", 'e', CLI_TEXT, offsetof(struct decide_values, error), "NAME",
     "the error that the step gets (default Rejected)", NULL, 0, 0},
    {"cause", 'c', CLI_TEXT, offsetof(struct decide_values, cause), "TEXT", "why, for people", NULL,
     0, 0},
    WORKFLOW_SOCKET_OPTION(struct decide_values, socket),
};

static bool is_meant(yyjson_val *one, struct px_str what)
{
    struct px_str arn = px_json_str(one, "executionArn");
    const char *colon = arn.ptr ? memrchr(arn.ptr, ':', arn.len) : NULL;
    struct px_str name = colon ? px_str_skip(arn, (size_t)(colon - arn.ptr) + 1) : arn;
    return px_str_eq(px_json_str(one, "taskToken"), what) || px_str_eq(arn, what) ||
           px_str_eq(name, what) || px_str_eq(px_json_str(one, "id"), what);
}

/* The question that is meant: of those that wait the only one of an execution. NULL: none, so the text is a token that nobody
 * waits for, or of a task that asks in no queue. */
static int find_question(struct remote *remote, const char *text, yyjson_val **ret_question)
{
    struct cli *cli = remote->cli;
    yyjson_val *root = NULL, *one;
    struct px_str answer;
    size_t i, n, count = 0;
    const struct remote_call call = {.method = "GET", .path = S("/workflows/interventions")};
    int exit = remote_json(remote, &call, &root, &answer);
    if (exit != CLI_OK) return exit;
    *ret_question = NULL;
    px_json_arr_foreach(px_json_arr(root, "interventions"), i, n, one)
    {
        if (!is_meant(one, px_str_c(text))) continue;
        count++;
        *ret_question = one;
    }
    if (count > 1)
        return cli_fail(cli, CLI_USAGE,
                        "%s asks %zu questions: name one by its token, see prism workflow list "
                        "--interventions",
                        text, count);
    return CLI_OK;
}

static int answer_on_socket(struct remote *remote, const char *action, struct px_str token,
                            const struct decide_values *v)
{
    struct cli *cli = remote->cli;
    yyjson_val *root = NULL;
    struct px_str text;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 2u << 20);
    workflow_add(&body, "taskToken", px_arena_cstr(&cli->arena, token));
    workflow_add(&body, "output", v->output);
    workflow_add(&body, "error", v->error);
    workflow_add(&body, "cause", v->cause);
    px_buf_add_char(&body, '}');
    if (px_buf_fault(&body)) return cli_fault(cli, px_buf_fault(&body), "an answer");
    return workflow_call_on(remote, action, px_buf_str(&body), &root, &text);
}

/* Whether the API's question, which has no token, is this one. */
static bool is_same(yyjson_val *shown, yyjson_val *waits)
{
    size_t i, n;
    yyjson_val *key, *val;
    yyjson_val *one = px_json_obj(shown, "message"), *other = px_json_obj(waits, "message");
    if (yyjson_obj_size(one) + 1 != yyjson_obj_size(other)) return false;
    px_json_obj_foreach(one, i, n, key, val)
    {
        yyjson_val *same = yyjson_obj_get(other, yyjson_get_str(key));
        if (!same || !yyjson_equals(val, same)) return false;
    }
    return true;
}

/* By which the API knows it; -1: it cannot be told. */
static int find_event(struct workflow_served *served, yyjson_val *question, int64_t *ret_event)
{
    yyjson_val *root = NULL, *one;
    size_t i, n, same = 0;
    *ret_event = -1;
    int exit = workflow_served_call(served, "", S(""), &root);
    if (exit != CLI_OK) return exit;
    px_json_arr_foreach(px_json_arr(root, "questions"), i, n, one)
    {
        if (!is_same(one, question)) continue;
        *ret_event = px_json_i64(one, "event", -1);
        same++;
    }
    if (same != 1) *ret_event = -1;
    return CLI_OK;
}

static int answer_served(struct workflow_served *served, int64_t event,
                         const struct decide_values *v)
{
    struct cli *cli = served->remote.cli;
    yyjson_val *root = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 2u << 20);
    if (v->output) {
        int r = px_json_parse(px_str_c(v->output), &cli->arena, &root, NULL);
        if (r < 0) return cli_fault(cli, r, "an answer");
        if (r > 0) return cli_fail(cli, CLI_REFUSED, "the answer is JSON");
        px_buf_printf(&body, "{\"output\":%s", v->output);
    }
    workflow_add(&body, "error", v->error);
    workflow_add(&body, "cause", v->cause);
    if (event > 0)
        px_buf_printf(&body, "%s\"event\":%lld", body.len > 0 ? "," : "{", (long long)event);
    px_buf_add_char(&body, '}');
    if (px_buf_fault(&body)) return cli_fault(cli, px_buf_fault(&body), "an answer");
    return workflow_served_call(served, "/answer", px_buf_str(&body), &root);
}

static int decide_on(struct remote *control, const char *action, const char *what,
                     const struct decide_values *v)
{
    struct cli *cli = control->cli;
    yyjson_val *question = NULL;
    int64_t event = -1;
    struct workflow_served served = {0};
    int exit = find_question(control, what, &question);
    if (exit != CLI_OK) return exit;
    struct px_str token = question ? px_json_str(question, "taskToken") : px_str_c(what);
    const char *arn = question && !v->socket
                          ? px_arena_cstr(&cli->arena, px_json_str(question, "executionArn"))
                          : NULL;
    if (arn) exit = workflow_served_execution(cli, arn, &served);
    if (exit != CLI_OK) return exit;
    if (served.machine) exit = find_event(&served, question, &event);
    if (exit == CLI_OK)
        exit = event >= 0 ? answer_served(&served, event, v)
                          : answer_on_socket(control, action, token, v);
    workflow_served_close(&served);
    return exit;
}

/* By the API alone, which refuses when the execution asks several questions. */
static int decide_path(struct cli *cli, const char *path, const struct decide_values *v)
{
    struct workflow_served served = {0};
    int exit = workflow_served_execution(cli, path, &served);
    if (exit != CLI_OK) return exit;
    exit = answer_served(&served, 0, v);
    workflow_served_close(&served);
    return exit;
}

static int decide(struct cli *cli, const char *action, const char *what,
                  const struct decide_values *v)
{
    struct remote control;
    int exit;
    if (workflow_is_path(what)) {
        exit = decide_path(cli, what, v);
    } else {
        exit = remote_open_control(cli, 0, &control);
        if (exit != CLI_OK) return exit;
        exit = decide_on(&control, action, what, v);
        remote_close(&control);
    }
    if (exit != CLI_OK) return exit;
    (void)fprintf(cli->out, cli->json ? "{}\n" : "The execution has its answer.\n");
    return CLI_OK;
}

static int run_approve(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    return decide(cli, "SendTaskSuccess", args[0], values);
}

static int run_reject(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    return decide(cli, "SendTaskFailure", args[0], values);
}

static const struct decide_values approve_defaults = {.output = "{\"action\":\"retry\"}"};
const struct cli_verb workflow_approve = {
    .name = "approve",
    .arguments = "TOKEN|EXECUTION",
    .summary = "answer the question that an execution waits with",
    .details =
        "An execution may be named instead of the token when it asks only one question, by name, ARN or MACHINE/NAME; see list "
        "--interventions.",
    CLI_OPTIONS(approve_options),
    .values_bytes = sizeof(struct decide_values),
    .defaults = &approve_defaults,
    .args_min = 1,
    .args_max = 1,
    .run = run_approve,
};
static const struct decide_values reject_defaults = {.error = "Rejected"};
const struct cli_verb workflow_reject = {
    .name = "reject",
    .arguments = "TOKEN|EXECUTION",
    .summary = "answer it with an error",
    CLI_OPTIONS(reject_options),
    .values_bytes = sizeof(struct decide_values),
    .defaults = &reject_defaults,
    .args_min = 1,
    .args_max = 1,
    .run = run_reject,
};
