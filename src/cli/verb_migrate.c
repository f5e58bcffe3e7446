/* cli/verb_migrate.c - `prism migrate [--meta URL] [--status]`: the catalog's tables brought up to this
 * release. Functions do so themselves where they may; with a database of its own it is done before a
 * release, by somebody who may change tables. */
#include <stdlib.h>

#include "aws/shared.h"
#include "base/px_buf.h"
#include "cli/settings.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "svc/catalog/catalog.h"

#define APPLIED_MAX 256
#define JSON_BYTES_MAX (1u << 20)

struct migrate_values {
    const char *meta;
    int64_t timeout_ms;
    bool status;
};
static const struct cli_option options[] = {
    {"meta", 'm', CLI_TEXT, offsetof(struct migrate_values, meta), "URL",
     "postgresql://user@host/database or an SQLite file (default PRISM_META_URL, which other users of "
     "the machine cannot see, else meta.db of the data folder)",
     NULL, 0, 0},
    {"status", 's', CLI_FLAG, offsetof(struct migrate_values, status), NULL,
     "only tell which steps are pending; exit code 4 when some are", NULL, 0, 0},
    {"timeout", 't', CLI_TIME, offsetof(struct migrate_values, timeout_ms), "TIME",
     "how long to wait for the database, and for others who migrate (default 30s)", NULL, 0, 0},
};
static const struct migrate_values defaults = {.timeout_ms = 30000};

/* One step that this release has, or that a later one has run. */
struct step {
    int number;
    const char *name;   /* NULL: of a later release */
    int64_t applied_ns; /* 0: pending */
    bool now;           /* by this command */
};
struct steps {
    struct step items[APPLIED_MAX];
    size_t count, pending;
};

static const struct meta_applied *find(const struct meta_applied *applied, size_t count, int number)
{
    for (size_t i = 0; i < count; i++)
        if (applied[i].number == number) return &applied[i];
    return NULL;
}

static const struct meta_migration *known(int number)
{
    for (size_t i = 0; i < catalog_migration_count; i++)
        if (catalog_migrations[i].number == number) return &catalog_migrations[i];
    return NULL;
}

static int look(struct meta *meta, struct steps *steps)
{
    struct meta_applied applied[APPLIED_MAX];
    size_t count = 0;
    PX_TRY(meta_migrations(meta, APPLIED_MAX, applied, &count));
    *steps = (struct steps){0};
    for (size_t i = 0; i < catalog_migration_count; i++) {
        const struct meta_migration *step = &catalog_migrations[i];
        const struct meta_applied *done = find(applied, count, step->number);
        steps->items[steps->count++] = (struct step){step->number, step->name,
                                                     done ? done->applied_ns : 0, false};
        steps->pending += !done;
    }
    for (size_t i = 0; i < count && steps->count < APPLIED_MAX; i++)
        if (!known(applied[i].number))
            steps->items[steps->count++] = (struct step){applied[i].number, NULL,
                                                         applied[i].applied_ns, false};
    return 0;
}

static int migrate(struct meta *meta, const struct migrate_values *v, struct steps *steps)
{
    struct steps before;
    PX_TRY(look(meta, &before));
    if (!v->status) PX_TRY(meta_migrate(meta, catalog_migrations, catalog_migration_count));
    PX_TRY(look(meta, steps));
    for (size_t i = 0; i < catalog_migration_count; i++)
        steps->items[i].now = before.items[i].applied_ns == 0 && steps->items[i].applied_ns != 0;
    return 0;
}

/* ---- output ---- */

static const char *state_of(const struct step *step)
{
    if (!step->name) return "of a later release";
    if (step->applied_ns == 0) return "pending";
    return step->now ? "applied now" : "applied";
}

static int print_table(struct cli *cli, const struct steps *steps)
{
    static const char *const names[] = {">STEP", "NAME", "STATE", "APPLIED", NULL};
    struct table table;
    PX_TRY(table_init(&table, &cli->arena, names));
    for (size_t i = 0; i < steps->count; i++) {
        const struct step *step = &steps->items[i];
        struct px_str *row = table_row(&table);
        char time[31];
        if (!row) return px_arena_fault(&cli->arena);
        row[0] = px_arena_printf(&cli->arena, "%d", step->number);
        row[1] = px_str_c(step->name);
        row[2] = px_str_c(state_of(step));
        if (step->applied_ns != 0)
            row[3] = px_arena_dup(&cli->arena, px_time_format(step->applied_ns, 0, time));
    }
    table_print(&table, table_terminal_width(cli->out), cli->out);
    return 0;
}

static int print_json(struct cli *cli, const struct steps *steps)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, JSON_BYTES_MAX);
    px_buf_printf(&buf, "{\"pending\":%zu,\"steps\":[", steps->pending);
    for (size_t i = 0; i < steps->count; i++) {
        const struct step *step = &steps->items[i];
        char time[31];
        px_buf_printf(&buf, "%s{\"number\":%d,\"name\":", i > 0 ? "," : "", step->number);
        px_buf_add_json_str(&buf, px_str_c(step->name));
        px_buf_add_c(&buf, ",\"state\":");
        px_buf_add_json_str(&buf, px_str_c(state_of(step)));
        if (step->applied_ns != 0) {
            px_buf_add_c(&buf, ",\"applied\":");
            px_buf_add_json_str(&buf, px_time_format(step->applied_ns, 0, time));
        }
        px_buf_add_char(&buf, '}');
    }
    px_buf_add_c(&buf, "]}\n");
    PX_TRY(px_buf_fault(&buf));
    (void)fwrite(buf.ptr, 1, buf.len, cli->out);
    return 0;
}

/* ---- running ---- */

/* Answers: an enum cli_exit, already said. */
static int url_find(struct cli *cli, const char *given, struct px_str *ret_url)
{
    const char *url = given ? given : getenv("PRISM_META_URL");
    if (!url || !*url) url = cli->data_dir ? settings_path(cli, "meta.db") : NULL;
    if (!url) return cli_fail(cli, CLI_USAGE, "no metadata: give --meta URL or --data DIR");
    *ret_url = px_str_c(url);
    return CLI_OK;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct migrate_values *v = values;
    PX_AUTO(cloud_shared_close) struct cloud_shared cloud = {0};
    PX_AUTO(meta_close) struct meta *meta = NULL;
    struct steps steps = {0};
    struct px_str url = {0};
    (void)arg_count, (void)args;
    int exit = url_find(cli, v->meta, &url);
    if (exit != CLI_OK) return exit;
    const struct meta_options how = {.busy_ms = (int)PX_MIN(v->timeout_ms, (int64_t)INT32_MAX),
                                     .read_only = v->status,
                                     .cloud = &cloud};
    int r = meta_open(url, &how, &meta);
    if (r == 0) r = migrate(meta, v, &steps);
    if (r != 0) return cli_fault(cli, r, "migrate");
    r = cli->json ? print_json(cli, &steps) : print_table(cli, &steps);
    if (r != 0) return cli_fault(cli, r, "migrate");
    return steps.pending > 0 ? CLI_REFUSED : CLI_OK;
}

const struct cli_verb verb_migrate = {
    .name = "migrate",
    .arguments = "[--meta URL] [--status]",
    .summary = "bring the catalog's tables up to this release",
    .details =
        "Steps only add, so functions of the release before go on working while this runs and "
        "afterwards: migrate first, then release. Each step is one transaction behind the database's "
        "write lock, so several may migrate at once. A region on this machine migrates by itself.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct migrate_values),
    .defaults = &defaults,
    .without_data = true,
    .run = run,
};
