/* cli/secret_list.c - `prism secret list|history`. */
#include "base/px_json.h"
#include "cli/secret.h"
#include "cli/table.h"
#include "svc/security/rotation.h"

static const struct cli_option where_options[] = {SECRET_WHERE_OPTIONS};

static struct px_str time_cell(struct cli *cli, int64_t wall_ns)
{
    char text[32];
    return wall_ns == 0 ? (struct px_str){0}
                        : px_arena_dup(&cli->arena, px_time_format(wall_ns, 0, text));
}

static struct px_str stages_cell(struct cli *cli, unsigned stages)
{
    static const char *const words[] = {"current", "previous", "pending"};
    struct px_str text = {0};
    for (unsigned i = 0; i < PX_COUNT(words); i++)
        if (stages & (1u << i))
            text = px_arena_printf(&cli->arena, "%.*s%s%s", PX_FMT(text), text.len > 0 ? "," : "",
                                   words[i]);
    return text;
}

/* A table for people, a list of objects for programs: the same cells. */
static void print(struct cli *cli, struct table *table, const char *what)
{
    if (!cli->json) {
        table_print(table, table_terminal_width(cli->out), cli->out);
        return;
    }
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 1u << 20);
    px_buf_printf(&json, "{\"%s\":[", what);
    for (size_t row = 0; row < table->row_count; row++) {
        for (size_t i = 0; i < table->column_count; i++) {
            px_buf_add_c(&json, i > 0 ? "," : row > 0 ? ",{" : "{");
            px_buf_add_char(&json, '"');
            for (size_t k = 0; k < table->columns[i].name.len; k++)
                px_buf_add_char(&json, (char)(table->columns[i].name.ptr[k] | 0x20));
            px_buf_add_c(&json, "\":");
            px_buf_add_json_str(&json, table->cells[row * table->column_count + i]);
        }
        px_buf_add_char(&json, '}');
    }
    (void)fprintf(cli->out, "%.*s]}\n", PX_FMT(px_buf_str(&json)));
}

static int add_secret(const struct secret_place *place, struct table *table, struct px_str name)
{
    struct cli *cli = place->cli;
    struct secret_info info = {0};
    int r = secret_describe(place->store, name, SECRET_HISTORY, &cli->arena, &info);
    if (r == SECRET_ABSENT) return 0; /* it went just now */
    PX_TRY(r);
    const struct secret_state *current = secret_at(&info, SECRET_CURRENT);
    const struct secret_state *pending = secret_at(&info, SECRET_PENDING);
    struct px_str *row = table_row(table);
    if (!row) return px_arena_fault(&cli->arena);
    row[0] = name;
    row[1] = rotation_knows(name) ? S("yes") : S("no");
    row[2] = time_cell(cli, current ? current->created_ns : 0);
    row[3] = time_cell(cli, info.rotated_ns);
    row[4] = pending && pending != current ? pending->id : (struct px_str){0};
    return 0;
}

static int run_list(struct cli *cli, const void *values, int arg_count, char **args)
{
    static const char *const names[] = {"NAME", "ROTATES", "SINCE", "ROTATED", "PENDING", NULL};
    const struct secret_values *v = values;
    PX_AUTO(secret_place_close) struct secret_place place = {0};
    struct px_str *list = NULL;
    struct table table;
    size_t count = 0;
    (void)arg_count, (void)args;
    int exit = secret_place_open(cli, v, &place);
    if (exit != CLI_OK) return exit;
    struct px_str below = v->service ? px_arena_printf(&cli->arena, "%s/", v->service)
                                     : (struct px_str){0};
    int r = table_init(&table, &cli->arena, names);
    if (r == 0) r = secret_list(place.store, &cli->arena, &list, &count);
    for (size_t i = 0; r == 0 && i < count; i++)
        if (px_str_starts(list[i], below)) r = add_secret(&place, &table, list[i]);
    if (r != 0) return cli_fault(cli, r, "%.*s", PX_FMT(place.url));
    print(cli, &table, "secrets");
    return CLI_OK;
}

const struct cli_verb secret_verb_list = {
    .name = "list",
    .summary = "list secrets: what rotates them, since when their values are",
    CLI_OPTIONS(where_options),
    .values_bytes = sizeof(struct secret_values),
    .run = run_list,
};

static int run_history(struct cli *cli, const void *values, int arg_count, char **args)
{
    static const char *const names[] = {"VERSION", "STAGES", "CREATED", NULL};
    PX_AUTO(secret_place_close) struct secret_place place = {0};
    struct secret_info info = {0};
    struct table table;
    struct px_str name = {0};
    (void)arg_count;
    int exit = secret_place_open(cli, values, &place);
    if (exit == CLI_OK) exit = secret_name_of(&place, args[0], &name);
    if (exit != CLI_OK) return exit;
    int r = secret_describe(place.store, name, SECRET_HISTORY, &cli->arena, &info);
    if (r == SECRET_ABSENT)
        return cli_fail(cli, CLI_REFUSED, "there is no secret %.*s", PX_FMT(name));
    if (r == 0) r = table_init(&table, &cli->arena, names);
    for (size_t i = 0; r == 0 && i < info.count; i++) {
        struct px_str *row = table_row(&table);
        if (!row) return cli_fault(cli, PX_F_OOM, "history");
        row[0] = info.versions[i].id;
        row[1] = stages_cell(cli, info.versions[i].stages);
        row[2] = time_cell(cli, info.versions[i].created_ns);
    }
    if (r != 0) return cli_fault(cli, r, "secret %.*s", PX_FMT(name));
    print(cli, &table, "versions");
    return CLI_OK;
}

const struct cli_verb secret_verb_history = {
    .name = "history",
    .arguments = "NAME",
    .summary = "a secret's versions, newest first, with their stages; never their values",
    CLI_OPTIONS(where_options),
    .values_bytes = sizeof(struct secret_values),
    .args_min = 1,
    .args_max = 1,
    .run = run_history,
};
