/* cli/workflow_decide.c - `prism workflow approve|reject TOKEN|EXECUTION`: the answer to a question. */
#include "cli/workflow.h"
#include "cli/workflow_region.h"

struct decide_values {
    const char *output, *error, *cause;
};
static const struct cli_option approve_options[] = {
    {"output", 'o', CLI_TEXT, offsetof(struct decide_values, output), "JSON",
     "the answer (default {\"action\":\"retry\"})", NULL, 0, 0},
};
static const struct cli_option reject_options[] = {
    {"error", 'e', CLI_TEXT, offsetof(struct decide_values, error), "NAME",
     "the error that the step gets (default Rejected)", NULL, 0, 0},
    {"cause", 'c', CLI_TEXT, offsetof(struct decide_values, cause), "TEXT", "why, for people", NULL,
     0, 0},
};

static bool is_meant(yyjson_val *one, struct px_str what)
{
    struct px_str arn = px_json_str(one, "executionArn");
    const char *colon = arn.ptr ? memrchr(arn.ptr, ':', arn.len) : NULL;
    struct px_str name = colon ? px_str_skip(arn, (size_t)(colon - arn.ptr) + 1) : arn;
    return px_str_eq(px_json_str(one, "taskToken"), what) || px_str_eq(arn, what) ||
           px_str_eq(name, what) || px_str_eq(px_json_str(one, "id"), what);
}

/* The token that is meant: of the questions that wait the only one of an execution, or the text itself. */
static int find_token(struct remote *remote, const char *text, const char **ret_token)
{
    struct cli *cli = remote->cli;
    yyjson_val *root = NULL, *one;
    struct px_str answer;
    size_t i, n, count = 0;
    const struct remote_call call = {.method = "GET", .path = S("/workflows/interventions")};
    int exit = remote_json(remote, &call, &root, &answer);
    if (exit != CLI_OK) return exit;
    *ret_token = text;
    px_json_arr_foreach(px_json_arr(root, "interventions"), i, n, one)
    {
        if (!is_meant(one, px_str_c(text))) continue;
        count++;
        *ret_token = px_arena_cstr(&cli->arena, px_json_str(one, "taskToken"));
        if (!*ret_token) return cli_fault(cli, PX_F_OOM, "a token");
    }
    if (count > 1)
        return cli_fail(cli, CLI_USAGE,
                        "%s asks %zu questions: name one by its token, see prism workflow list "
                        "--interventions",
                        text, count);
    return CLI_OK;
}

static int decide(struct cli *cli, const char *action, const char *what,
                  const struct decide_values *v)
{
    struct remote remote;
    const char *token = NULL;
    yyjson_val *root = NULL;
    struct px_str text;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 2u << 20);
    int exit = remote_open_control(cli, 0, &remote);
    if (exit != CLI_OK) return exit;
    exit = find_token(&remote, what, &token);
    if (exit == CLI_OK) {
        workflow_add(&body, "taskToken", token);
        workflow_add(&body, "output", v->output);
        workflow_add(&body, "error", v->error);
        workflow_add(&body, "cause", v->cause);
        px_buf_add_char(&body, '}');
        exit = px_buf_fault(&body)
                   ? cli_fault(cli, px_buf_fault(&body), "an answer")
                   : workflow_call_on(&remote, action, px_buf_str(&body), &root, &text);
    }
    remote_close(&remote);
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
        "An execution may be named instead of the token when it asks only one question; see list --interventions.",
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
