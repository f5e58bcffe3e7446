/* cli/workflow_stop.c - `prism workflow stop|redrive EXECUTION`. */
#include "cli/workflow.h"
#include "cli/workflow_region.h"

struct stop_values {
    const char *error, *cause;
};
static const struct cli_option options[] = {
    {"error", 'e', CLI_TEXT, offsetof(struct stop_values, error), "NAME", "the error it ends with",
     NULL, 0, 0},
    {"cause", 'c', CLI_TEXT, offsetof(struct stop_values, cause), "TEXT", "why, for people", NULL,
     0, 0},
};

static int call(struct cli *cli, const char *action, const char *execution,
                const struct stop_values *v, const char *done)
{
    yyjson_val *root = NULL;
    struct px_str text;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 1u << 20);
    workflow_add(&body, "executionArn", execution);
    workflow_add(&body, "error", v ? v->error : NULL);
    workflow_add(&body, "cause", v ? v->cause : NULL);
    px_buf_add_char(&body, '}');
    if (px_buf_fault(&body)) return cli_fault(cli, px_buf_fault(&body), "%s", execution);
    int exit = workflow_call(cli, action, px_buf_str(&body), &root, &text);
    if (exit != CLI_OK) return exit;
    if (cli->json)
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
    else
        (void)fprintf(cli->out, "%s %s\n", execution, done);
    return CLI_OK;
}

static int run_stop(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    return call(cli, "StopExecution", args[0], values, "is stopped");
}

static int run_redrive(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count, (void)values;
    return call(cli, "RedriveExecution", args[0], NULL, "goes on");
}

const struct cli_verb workflow_stop = {
    .name = "stop",
    .arguments = "EXECUTION",
    .summary = "end an execution as aborted",
    .details = "What it waits for is given up: a function that runs ends by itself.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct stop_values),
    .args_min = 1,
    .args_max = 1,
    .run = run_stop,
};
const struct cli_verb workflow_redrive = {
    .name = "redrive",
    .arguments = "EXECUTION",
    .summary = "let an execution that failed go on from the state that failed",
    .details =
        "As Step Functions does: with the input, the variables and the definition that it had; within 14 days.",
    .args_min = 1,
    .args_max = 1,
    .run = run_redrive,
};
