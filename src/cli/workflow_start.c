/* cli/workflow_start.c - `prism workflow start MACHINE`. */
#include "cli/workflow.h"
#include "cli/workflow_served.h"

#define INPUT_BYTES_MAX (256u << 10)

struct start_values {
    const char *input, *input_file, *name;
    bool wait, sync, socket;
};
static const struct cli_option options[] = {
    {"input", 'i', CLI_TEXT, offsetof(struct start_values, input), "JSON",
     "the execution's input (default: {})", NULL, 0, 0},
    {"input-file", 'f', CLI_TEXT, offsetof(struct start_values, input_file), "FILE",
     "the input from a file, or - for standard input", NULL, 0, 0},
    {"name", 'n', CLI_TEXT, offsetof(struct start_values, name), "NAME",
     "the execution's name (default: a new UUID)", NULL, 0, 0},
    {"wait", 'w', CLI_FLAG, offsetof(struct start_values, wait), NULL,
     "wait for the end and show the output", NULL, 0, 0},
    {"sync", 's', CLI_FLAG, offsetof(struct start_values, sync), NULL,
     "an Express machine: wait for the answer, which is kept nowhere", NULL, 0, 0},
    WORKFLOW_SOCKET_OPTION(struct start_values, socket),
};

/* Of an Express machine; by the socket, since its output is for who asks alone. */
static int start_sync(struct cli *cli, const char *machine, const char *name, struct px_str input)
{
    yyjson_val *root = NULL;
    struct px_str text;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 2u << 20);
    workflow_add(&body, "stateMachineArn", workflow_live(cli, machine));
    workflow_add(&body, "name", name);
    if (input.len) workflow_add(&body, "input", px_arena_cstr(&cli->arena, input));
    px_buf_add_char(&body, '}');
    if (px_buf_fault(&body)) return cli_fault(cli, px_buf_fault(&body), "the execution's input");
    int exit = workflow_call(cli, "StartSyncExecution", px_buf_str(&body), &root, &text);
    return exit == CLI_OK ? workflow_print_end(cli, root, text) : exit;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct start_values *v = values;
    yyjson_val *root = NULL;
    struct px_str text, arn, input = px_str_c(v->input);
    (void)arg_count;
    if (v->input && v->input_file)
        return cli_fail(cli, CLI_USAGE, "--input and --input-file exclude each other");
    if (v->wait && v->sync)
        return cli_fail(cli, CLI_USAGE, "--wait is for Standard machines, --sync for Express ones");
    if (v->input_file) {
        int exit = workflow_read(cli, v->input_file, INPUT_BYTES_MAX, &input);
        if (exit != CLI_OK) return exit;
    }
    if (v->sync) return start_sync(cli, args[0], v->name, input);
    const struct workflow_wish wish = {args[0], v->name, input, v->socket};
    int exit = workflow_start_wish(cli, &wish, &arn, &text);
    if (exit != CLI_OK) return exit;
    if (v->wait) {
        exit = workflow_wait(cli, arn, &root, &text);
        return exit == CLI_OK ? workflow_print_end(cli, root, text) : exit;
    }
    (void)fprintf(cli->out, "%.*s\n", PX_FMT(cli->json ? text : arn));
    return CLI_OK;
}

const struct cli_verb workflow_start = {
    .name = "start",
    .arguments = "MACHINE",
    .summary = "start an execution in the region",
    .details =
        "MACHINE is a name of platform/workflows.json, and its alias live is started; MACHINE:3 or MACHINE:ALIAS starts a version or "
        "another alias. Without --wait and --sync it shows the execution's ARN, once the start is "
        "on stable storage. Machines of the platform are started by the API, so the audit log tells of it. With one of them it shows the output, or {\"Error\",\"Cause\"} with exit code 3.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct start_values),
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
