/* cli/workflow_validate.c - `prism workflow validate FILE`: what CreateStateMachine would refuse, with all its places. */
#include "base/px_buf.h"
#include "cli/workflow.h"

#define OUTPUT_BYTES_MAX (16u << 20)

struct validate_values {
    struct workflow_source source;
    struct cli_list stubs;
};
static const struct cli_option options[] = {
    {"stub", 0, CLI_LIST, offsetof(struct validate_values, stubs), "NAME=BEHAVIOUR",
     "what `run` takes, so that a command line serves both; nothing is run here", NULL, 0, 0},
    WORKFLOW_SOURCE_OPTIONS(struct validate_values, source),
};

/* Members as ValidateStateMachineDefinition names them, and lines, which it does not have. */
static void add_diagnostic(struct px_buf *json, const struct asl_problem *problem)
{
    px_buf_printf(json, "{\"severity\":\"%s\",\"code\":\"%s\",\"message\":",
                  problem->warning ? "WARNING" : "ERROR", problem->code);
    px_buf_add_json_str(json, problem->message);
    px_buf_add_c(json, ",\"location\":");
    px_buf_add_json_str(json, problem->place);
    if (problem->line > 0)
        px_buf_printf(json, ",\"line\":%zu,\"column\":%zu", problem->line, problem->column);
    px_buf_add_char(json, '}');
}

static int print_json(struct cli *cli, const struct workflow_file *file)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, OUTPUT_BYTES_MAX);
    px_buf_add_c(&json, "{\"file\":");
    px_buf_add_json_str(&json, px_str_c(file->name));
    px_buf_printf(&json, ",\"result\":\"%s\",\"diagnostics\":[", file->machine ? "OK" : "FAIL");
    for (size_t i = 0; i < file->problems.count; i++) {
        if (i > 0) px_buf_add_char(&json, ',');
        add_diagnostic(&json, &file->problems.list[i]);
    }
    px_buf_add_c(&json, "]}\n");
    if (px_buf_fault(&json) != 0) return cli_fault(cli, px_buf_fault(&json), "%s", file->name);
    (void)fwrite(json.ptr, 1, json.len, cli->out);
    return CLI_OK;
}

static void print_text(struct cli *cli, const struct workflow_file *file)
{
    size_t warnings = 0, count = file->problems.count;
    for (size_t i = 0; i < count; i++) warnings += file->problems.list[i].warning;
    workflow_print_problems(file, cli->out);
    (void)fprintf(cli->out, "%s: %s, %zu error%s, %zu warning%s\n", file->name,
                  file->machine ? "accepted" : "refused", count - warnings,
                  count - warnings == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct validate_values *v = values;
    struct workflow_file file;
    (void)arg_count;
    int exit = workflow_open(cli, args[0], &v->source, &file);
    if (exit != CLI_OK) return exit;
    if (cli->json)
        exit = print_json(cli, &file);
    else
        print_text(cli, &file);
    if (exit != CLI_OK) return exit;
    return file.machine ? CLI_OK : CLI_REFUSED;
}

const struct cli_verb workflow_validate = {
    .name = "validate",
    .arguments = "FILE|-",
    .summary = "check a state machine's definition as Step Functions does when it is created",
    .details =
        "Every problem is told with its line, its code, what is wrong and its place. Exit code 4: "
        "refused. Warnings do not refuse.",
    .complete = "file",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct validate_values),
    .args_min = 1,
    .args_max = 1,
    .without_data = true,
    .run = run,
};
