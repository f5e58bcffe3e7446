/* cli/workflow_stop.c - `prism workflow stop|redrive EXECUTION`. */
#include "cli/workflow.h"
#include "cli/workflow_served.h"

struct stop_values {
    const char *error, *cause;
    bool socket;
};
static const struct cli_option options[] = {
    {"error", 'e', CLI_TEXT, offsetof(struct stop_values, error), "NAME", "the error it ends with",
     NULL, 0, 0},
    {"cause", 'c', CLI_TEXT, offsetof(struct stop_values, cause), "TEXT", "why, for people", NULL,
     0, 0},
    WORKFLOW_SOCKET_OPTION(struct stop_values, socket),
};
static const struct cli_option redrive_options[] = {
    WORKFLOW_SOCKET_OPTION(struct stop_values, socket),
};

struct change {
    const char *action, *what; /* Step Functions', and the API's */
    const char *date, *from;   /* the member of the one's answer, made of the other's */
    const char *done;
};
static const struct change stopping = {"StopExecution", "/stop", "stopDate", "stopped",
                                       "is stopped"};
static const struct change redriving = {"RedriveExecution", "/redrive", "redriveDate", "redriven",
                                        "goes on"};

static int change_served(struct workflow_served *served, const struct change *change,
                         const struct stop_values *v, struct px_str *ret_text)
{
    struct cli *cli = served->remote.cli;
    yyjson_val *root = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 1u << 20);
    workflow_add(&body, "error", v->error);
    workflow_add(&body, "cause", v->cause);
    px_buf_add_c(&body, body.len > 0 ? "}" : "{}");
    if (px_buf_fault(&body)) return cli_fault(cli, px_buf_fault(&body), "an execution");
    int exit = workflow_served_call(served, change->what, px_buf_str(&body), &root);
    if (exit != CLI_OK) return exit;
    *ret_text = px_str_c(workflow_seconds(cli, change->date, root, change->from));
    return ret_text->ptr ? CLI_OK : cli_fault(cli, PX_F_OOM, "an execution");
}

static int change_on_socket(struct cli *cli, const char *execution, const struct change *change,
                            const struct stop_values *v, struct px_str *ret_text)
{
    yyjson_val *root = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 1u << 20);
    workflow_add(&body, "executionArn", execution);
    workflow_add(&body, "error", v->error);
    workflow_add(&body, "cause", v->cause);
    px_buf_add_char(&body, '}');
    if (px_buf_fault(&body)) return cli_fault(cli, px_buf_fault(&body), "%s", execution);
    return workflow_call(cli, change->action, px_buf_str(&body), &root, ret_text);
}

static int run(struct cli *cli, const char *execution, const struct change *change,
               const struct stop_values *v)
{
    struct workflow_served served = {0};
    struct px_str text = {0};
    int exit = v->socket ? CLI_OK : workflow_served_execution(cli, execution, &served);
    if (exit != CLI_OK) return exit;
    exit = served.machine ? change_served(&served, change, v, &text)
                          : change_on_socket(cli, execution, change, v, &text);
    workflow_served_close(&served);
    if (exit != CLI_OK) return exit;
    if (cli->json)
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
    else
        (void)fprintf(cli->out, "%s %s\n", execution, change->done);
    return CLI_OK;
}

static int run_stop(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    return run(cli, args[0], &stopping, values);
}

static int run_redrive(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    return run(cli, args[0], &redriving, values);
}

const struct cli_verb workflow_stop = {
    .name = "stop",
    .arguments = "EXECUTION",
    .summary = "end an execution as aborted",
    .details =
        "What it waits for is given up: a function that runs ends by itself. EXECUTION is a name, an ARN or MACHINE/NAME.",
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
    CLI_OPTIONS(redrive_options),
    .values_bytes = sizeof(struct stop_values),
    .args_min = 1,
    .args_max = 1,
    .run = run_redrive,
};
