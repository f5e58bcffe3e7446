/* cli/workflow_list.c - `prism workflow list`: executions, or the questions that wait for an answer. */
#include "cli/table.h"
#include "cli/workflow.h"
#include "cli/workflow_region.h"

struct list_values {
    const char *machine, *status;
    int64_t limit;
    bool interventions;
};
static const struct cli_option options[] = {
    {"machine", 'm', CLI_TEXT, offsetof(struct list_values, machine), "MACHINE",
     "only of this machine", NULL, 0, 0},
    {"status", 's', CLI_TEXT, offsetof(struct list_values, status), "STATUS",
     "only those that are so", "RUNNING SUCCEEDED FAILED TIMED_OUT ABORTED", 0, 0},
    {"limit", 'n', CLI_NUMBER, offsetof(struct list_values, limit), "N",
     "at most so many (default 20)", NULL, 1, 1000},
    {"interventions", 'i', CLI_FLAG, offsetof(struct list_values, interventions), NULL,
     "the questions that executions ask an operator; see approve and reject", NULL, 0, 0},
};

static int print(struct cli *cli, struct table *table, const char *none)
{
    if (table->row_count == 0)
        (void)fprintf(cli->err, "%s\n", none);
    else
        table_print(table, table_terminal_width(cli->out), cli->out);
    return CLI_OK;
}

static int print_executions(struct cli *cli, yyjson_val *root)
{
    static const char *const names[] = {"NAME", "MACHINE", "STATUS", "STARTED", ">DURATION", NULL};
    struct table table;
    size_t i, n;
    yyjson_val *one;
    int r = table_init(&table, &cli->arena, names);
    px_json_arr_foreach(px_json_arr(root, "executions"), i, n, one)
    {
        struct px_str *row = r == 0 ? table_row(&table) : NULL;
        if (!row) return cli_fault(cli, PX_F_OOM, "list of executions");
        row[0] = px_json_str(one, "name");
        row[1] = workflow_machine_of(px_json_str(one, "stateMachineArn"));
        row[2] = px_json_str(one, "status");
        row[3] = workflow_time(cli, one, "startDate");
        row[4] = workflow_duration(cli, one);
    }
    return print(cli, &table, "There are no such executions.");
}

static int print_interventions(struct cli *cli, yyjson_val *root)
{
    static const char *const names[] = {"ASKED", "MACHINE", "EXECUTION", "QUESTION", "TOKEN", NULL};
    struct table table;
    size_t i, n;
    yyjson_val *one;
    int r = table_init(&table, &cli->arena, names);
    px_json_arr_foreach(px_json_arr(root, "interventions"), i, n, one)
    {
        struct px_str *row = r == 0 ? table_row(&table) : NULL;
        struct px_str arn = px_json_str(one, "executionArn");
        const char *colon = arn.ptr ? memrchr(arn.ptr, ':', arn.len) : NULL;
        yyjson_val *message = yyjson_obj_get(one, "message");
        if (!row) return cli_fault(cli, PX_F_OOM, "list of questions");
        row[0] = px_json_str(one, "created");
        row[1] = px_json_str(one, "machine");
        row[2] = colon ? px_str_skip(arn, (size_t)(colon - arn.ptr) + 1) : arn;
        row[3] = px_json_str(message, "question");
        if (!row[3].len) row[3] = table_cell(&cli->arena, message);
        row[4] = px_json_str(one, "taskToken");
    }
    return print(cli, &table, "Nobody waits for an answer.");
}

static int interventions(struct cli *cli)
{
    struct remote remote;
    yyjson_val *root = NULL;
    struct px_str text;
    const struct remote_call call = {.method = "GET", .path = S("/workflows/interventions")};
    int exit = remote_open_control(cli, 0, &remote);
    if (exit != CLI_OK) return exit;
    exit = remote_json(&remote, &call, &root, &text);
    remote_close(&remote);
    if (exit != CLI_OK) return exit;
    if (!cli->json) return print_interventions(cli, root);
    (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
    return CLI_OK;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct list_values *v = values;
    yyjson_val *root = NULL;
    struct px_str text;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    (void)arg_count, (void)args;
    px_buf_init(&body, 65536);
    if (v->interventions) return interventions(cli);
    px_buf_printf(&body, "{\"maxResults\":%lld", (long long)v->limit);
    workflow_add(&body, "stateMachineArn", v->machine);
    workflow_add(&body, "statusFilter", v->status);
    px_buf_add_char(&body, '}');
    if (px_buf_fault(&body)) return cli_fault(cli, px_buf_fault(&body), "list of executions");
    int exit = workflow_call(cli, "ListExecutions", px_buf_str(&body), &root, &text);
    if (exit != CLI_OK) return exit;
    if (!cli->json) return print_executions(cli, root);
    (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
    return CLI_OK;
}

static const struct list_values defaults = {.limit = 20};
const struct cli_verb workflow_list = {
    .name = "list",
    .arguments = "",
    .summary = "executions of the region, newest first, or questions of theirs",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct list_values),
    .defaults = &defaults,
    .run = run,
};
