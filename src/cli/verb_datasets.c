/* cli/verb_datasets.c - `prism datasets [NAME]`. */
#include "cli/remote.h"
#include "cli/table.h"
#include "cli/verbs.h"

#define CALL_TIMEOUT_MS 30000

static int print_list(struct cli *cli, yyjson_val *root)
{
    static const char *const names[] = {"DATASET", ">ROWS", ">SIZE", "FROM", "TO", NULL};
    struct table table;
    size_t i, n;
    yyjson_val *dataset;
    PX_TRY(table_init(&table, &cli->arena, names));
    px_json_arr_foreach(px_json_arr(root, "datasets"), i, n, dataset)
    {
        char rows[32], bytes[24];
        struct px_str *row = table_row(&table);
        if (!row) return px_arena_fault(&cli->arena);
        (void)cli_count((uint64_t)px_json_i64(dataset, "rows", 0), rows);
        (void)cli_bytes((uint64_t)px_json_i64(dataset, "bytes", 0), bytes);
        row[0] = px_json_str(dataset, "name");
        row[1] = px_arena_dup(&cli->arena, px_str_c(rows));
        row[2] = px_arena_dup(&cli->arena, px_str_c(bytes));
        row[3] = px_json_str(dataset, "time_min");
        row[4] = px_json_str(dataset, "time_max");
    }
    table_print(&table, table_terminal_width(cli->out), cli->out);
    return 0;
}

static int print_one(struct cli *cli, yyjson_val *dataset)
{
    static const char *const names[] = {"COLUMN", "TYPE", NULL};
    struct table table;
    size_t i, n;
    yyjson_val *column;
    PX_TRY(table_init(&table, &cli->arena, names));
    px_json_arr_foreach(px_json_arr(dataset, "columns"), i, n, column)
    {
        struct px_str *row = table_row(&table);
        if (!row) return px_arena_fault(&cli->arena);
        row[0] = px_json_str(column, "name");
        row[1] = px_json_str(column, "type");
    }
    table_print(&table, table_terminal_width(cli->out), cli->out);
    return 0;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values;
    struct remote remote;
    yyjson_val *root = NULL;
    struct px_str text, name = remote_encode(&cli->arena, px_str_c(arg_count > 0 ? args[0] : ""));
    struct px_str path = px_arena_printf(&cli->arena, "/v1/datasets%s%.*s",
                                         arg_count > 0 ? "/" : "", PX_FMT(name));
    int exit = remote_open(cli, "tenant.key", CALL_TIMEOUT_MS, &remote);
    if (exit != CLI_OK) return exit;
    exit = remote_json(&remote, &(struct remote_call){.method = "GET", .path = path}, &root, &text);
    remote_close(&remote);
    if (exit != CLI_OK) return exit;
    if (cli->json) {
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
        return CLI_OK;
    }
    int r = arg_count > 0 ? print_one(cli, root) : print_list(cli, root);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "datasets");
}

const struct cli_verb verb_datasets = {
    .name = "datasets",
    .arguments = "[DATASET]",
    .summary = "list the datasets, or show the columns of one",
    .complete = "dataset",
    .args_max = 1,
    .run = run,
};
