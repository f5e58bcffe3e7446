/* cli/verb_migrate.c - `prism migrate`: the catalog's tables brought up to this release, or the steps shown. Functions add what
 * is missing themselves where they may; with a database of its own it is done before a release, by somebody who may change
 * tables. What is taken away is taken away by a person's word alone. */
#include <stdlib.h>

#include "aws/shared.h"
#include "base/px_buf.h"
#include "cli/settings.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "svc/catalog/catalog.h"

#define JSON_BYTES_MAX (1u << 20)
#define STATEMENT_MS (15 * 60 * 1000) /* an index of a large table takes its time */

struct migrate_values {
    const char *meta;
    int64_t timeout_ms, to, rows;
    bool status, dry_run, expand_only, contract, force;
};
static const struct cli_option options[] = {
    {"meta", 'm', CLI_TEXT, offsetof(struct migrate_values, meta), "URL",
     "postgresql://user@host/database or an SQLite file (default PRISM_META_URL, which other users of "
     "the machine cannot see, else meta.db of the data folder)",
     NULL, 0, 0},
    {"status", 's', CLI_FLAG, offsetof(struct migrate_values, status), NULL,
     "only tell which steps are pending; exit code 4 when some that add are", NULL, 0, 0},
    {"dry-run", 'n', CLI_FLAG, offsetof(struct migrate_values, dry_run), NULL,
     "print the SQL of the steps that would be run, as this database would get it", NULL, 0, 0},
    {"to", 0, CLI_NUMBER, offsetof(struct migrate_values, to), "VERSION",
     "no step with a greater number (default: all)", NULL, 1, INT32_MAX},
    {"expand-only", 0, CLI_FLAG, offsetof(struct migrate_values, expand_only), NULL,
     "run what adds and fills, which functions of before do not notice (the default)", NULL, 0, 0},
    {"contract", 0, CLI_FLAG, offsetof(struct migrate_values, contract), NULL,
     "also take away what no function that runs uses any more", NULL, 0, 0},
    {"force", 0, CLI_FLAG, offsetof(struct migrate_values, force), NULL,
     "with --contract: although functions said within a day that they are of an older release",
     NULL, 0, 0},
    {"rows", 0, CLI_NUMBER, offsetof(struct migrate_values, rows), "N",
     "rows of one batch of a backfill (default 1000)", NULL, 1, 1000000},
    {"timeout", 't', CLI_TIME, offsetof(struct migrate_values, timeout_ms), "TIME",
     "how long to wait for the database, and for others who migrate (default 30s)", NULL, 0, 0},
};
static const struct migrate_values defaults = {.timeout_ms = 30000};

struct run {
    struct cli *cli;
    const struct migrate_values *v;
    struct migrate migrate;
    struct migrate_state before, after;
    struct px_str held; /* why a step was not taken away; empty: nothing was held */
};

/* ---- running ---- */

static struct px_str users_of(struct cli *cli, const struct migrate_state *state)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 8u << 10);
    for (size_t i = 0; i < state->user_count; i++)
        px_buf_printf(&buf, "%s%s knows %d", i > 0 ? ", " : "", state->users[i].name,
                      state->users[i].knows);
    return px_arena_dup(&cli->arena, px_buf_str(&buf));
}

static struct px_str why_held(struct run *run, int answer)
{
    switch (answer) {
    case MIGRATE_BEHIND: return S("steps that add have to be run before");
    case MIGRATE_LEFT: return S("a backfill has rows left: run it again");
    case MIGRATE_IN_USE: {
        struct px_str users = users_of(run->cli, &run->after);
        return px_arena_printf(
            &run->cli->arena,
            "functions that run know less than it needs (%.*s); --force does it all the same",
            PX_FMT(users));
    }
    default: return S("it was not approved");
    }
}

static int contract(struct run *run)
{
    size_t done = 0;
    enum migrate_word word = run->v->force ? MIGRATE_FORCED : MIGRATE_APPROVED;
    int r = migrate_contract(&run->migrate, (int)run->v->to, word, &done);
    if (r < 0) PX_TRY(r);
    PX_TRY(migrate_look(&run->migrate, &run->after));
    if (r > 0) run->held = why_held(run, r);
    return 0;
}

static int add_and_fill(struct run *run)
{
    const struct migrate_batches batches = {.to = (int)run->v->to, .rows = run->v->rows};
    struct migrate_filled filled;
    size_t done = 0;
    do { /* a backfill stands between steps that add */
        PX_TRY(migrate_expand(&run->migrate, batches.to, &done));
        PX_TRY(migrate_backfill(&run->migrate, &batches, &filled));
    } while (done > 0 || filled.batches > 0);
    return 0;
}

static int work(struct run *run)
{
    PX_TRY(migrate_look(&run->migrate, &run->before));
    if (!run->v->status && !run->v->dry_run) PX_TRY(add_and_fill(run));
    PX_TRY(migrate_look(&run->migrate, &run->after));
    if (run->v->contract && !run->v->status && !run->v->dry_run) PX_TRY(contract(run));
    return 0;
}

/* ---- output ---- */

static const char *state_of(const struct run *run, size_t i)
{
    const struct migrate_item *item = &run->after.items[i];
    if (!item->step) return "of a later release";
    if (item->edited) return "edited";
    if (item->applied_ns == 0) return "pending";
    return run->before.items[i].applied_ns == 0 ? "applied now" : "applied";
}

static int print_table(struct run *run)
{
    static const char *const names[] = {">STEP", "KIND", "NAME", "STATE", "APPLIED", NULL};
    struct cli *cli = run->cli;
    struct table table;
    PX_TRY(table_init(&table, &cli->arena, names));
    for (size_t i = 0; i < run->after.count; i++) {
        const struct migrate_item *item = &run->after.items[i];
        struct px_str *row = table_row(&table);
        char time[31];
        if (!row) return px_arena_fault(&cli->arena);
        row[0] = px_arena_printf(&cli->arena, "%d", item->number);
        row[1] = px_str_c(migrate_kind_name(item->kind));
        row[2] = px_str_c(item->step ? item->step->name : NULL);
        row[3] = px_str_c(state_of(run, i));
        if (item->applied_ns != 0)
            row[4] = px_arena_dup(&cli->arena, px_time_format(item->applied_ns, 0, time));
    }
    table_print(&table, table_terminal_width(cli->out), cli->out);
    return 0;
}

static void add_step(const struct run *run, size_t i, struct px_buf *buf)
{
    const struct migrate_item *item = &run->after.items[i];
    char time[31];
    px_buf_printf(buf, "{\"number\":%d,\"kind\":\"%s\",\"name\":", item->number,
                  migrate_kind_name(item->kind));
    px_buf_add_json_str(buf, px_str_c(item->step ? item->step->name : NULL));
    px_buf_add_c(buf, ",\"state\":");
    px_buf_add_json_str(buf, px_str_c(state_of(run, i)));
    if (item->kind == MIGRATE_BACKFILL) px_buf_printf(buf, ",\"rows\":%lld", (long long)item->rows);
    if (item->applied_ns != 0) {
        px_buf_add_c(buf, ",\"applied\":");
        px_buf_add_json_str(buf, px_time_format(item->applied_ns, 0, time));
    }
    px_buf_add_char(buf, '}');
}

static int print_json(struct run *run)
{
    const struct migrate_state *state = &run->after;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, JSON_BYTES_MAX);
    px_buf_printf(
        &buf,
        "{\"expanded\":%d,\"contracted\":%d,\"pending\":%zu,\"contract_pending\":%zu,\"held\":",
        state->expanded, state->contracted, state->adding, state->removing);
    px_buf_add_json_str(&buf, run->held);
    px_buf_add_c(&buf, ",\"steps\":[");
    for (size_t i = 0; i < state->count; i++) {
        if (i > 0) px_buf_add_char(&buf, ',');
        add_step(run, i, &buf);
    }
    px_buf_add_c(&buf, "],\"functions\":[");
    for (size_t i = 0; i < state->user_count; i++) {
        px_buf_add_c(&buf, i > 0 ? ",{\"name\":" : "{\"name\":");
        px_buf_add_json_str(&buf, px_str_c(state->users[i].name));
        px_buf_printf(&buf, ",\"knows\":%d}", state->users[i].knows);
    }
    px_buf_add_c(&buf, "]}\n");
    PX_TRY(px_buf_fault(&buf));
    (void)fwrite(buf.ptr, 1, buf.len, run->cli->out);
    return 0;
}

static bool would_run(const struct run *run, const struct migrate_item *item)
{
    if (!item->step || item->applied_ns != 0) return false;
    if (run->v->to != 0 && item->number > run->v->to) return false;
    return item->kind != MIGRATE_CONTRACT || run->v->contract;
}

static int print_sql(struct run *run)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, JSON_BYTES_MAX);
    for (int removing = 0; removing < 2; removing++)
        for (size_t i = 0; i < run->after.count; i++) {
            const struct migrate_item *item = &run->after.items[i];
            if (!would_run(run, item) || (item->kind == MIGRATE_CONTRACT) != removing) continue;
            px_buf_printf(&buf, "-- %d %s: %s\n", item->number, migrate_kind_name(item->kind),
                          item->step->name);
            migrate_sql(&run->migrate, item->step, &buf);
            px_buf_add_c(&buf, "\n");
        }
    PX_TRY(px_buf_fault(&buf));
    (void)fwrite(buf.ptr, 1, buf.len, run->cli->out);
    return 0;
}

static int print(struct run *run)
{
    if (run->v->dry_run) return print_sql(run);
    PX_TRY(run->cli->json ? print_json(run) : print_table(run));
    return 0;
}

/* ---- the verb ---- */

/* Answers: an enum cli_exit, already said. */
static int url_find(struct cli *cli, const char *given, struct px_str *ret_url)
{
    const char *url = given ? given : getenv("PRISM_META_URL");
    if (!url || !*url) url = cli->data_dir ? settings_path(cli, "meta.db") : NULL;
    if (!url) return cli_fail(cli, CLI_USAGE, "no metadata: give --meta URL or --data DIR");
    *ret_url = px_str_c(url);
    return CLI_OK;
}

static int check_values(struct cli *cli, const struct migrate_values *v)
{
    if (v->contract && v->expand_only)
        return cli_fail(cli, CLI_USAGE, "--expand-only and --contract exclude each other");
    if (v->force && !v->contract) return cli_fail(cli, CLI_USAGE, "--force needs --contract");
    return CLI_OK;
}

/* Another's tables are not to be touched by those who have pending steps left: an exit code for scripts. */
static int verdict(struct run *run)
{
    if (run->held.len > 0)
        return cli_fail(run->cli, CLI_REFUSED, "a contract step was held: %.*s", PX_FMT(run->held));
    return run->after.adding > 0 && !run->v->dry_run ? CLI_REFUSED : CLI_OK;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct migrate_values *v = values;
    PX_AUTO(cloud_shared_close) struct cloud_shared cloud = {0};
    PX_AUTO(meta_close) struct meta *meta = NULL;
    struct run run = {.cli = cli, .v = v};
    struct px_str url = {0};
    (void)arg_count, (void)args;
    int exit = check_values(cli, v);
    if (exit == CLI_OK) exit = url_find(cli, v->meta, &url);
    if (exit != CLI_OK) return exit;
    const struct meta_options how = {.busy_ms = (int)PX_MIN(v->timeout_ms, (int64_t)INT32_MAX),
                                     .statement_ms = STATEMENT_MS,
                                     .read_only = v->status || v->dry_run,
                                     .cloud = &cloud};
    int r = meta_open(url, &how, &meta);
    run.migrate = (struct migrate){meta, &catalog_migrations, &px_clock_system};
    if (r == 0) r = work(&run);
    if (r == 0) r = print(&run);
    if (r != 0) return cli_fault(cli, r, "migrate");
    return verdict(&run);
}

const struct cli_verb verb_migrate = {
    .name = "migrate",
    .arguments = "[--meta URL] [--status | --dry-run] [--to VERSION] [--contract [--force]]",
    .summary = "bring the catalog's tables up to this release",
    .details =
        "By default it runs the steps that add and fill, so functions of the release before go on working while this runs and "
        "afterwards: migrate first, then release. What no function uses any more is taken away with --contract, a release "
        "later; functions that run say which steps they know, and one that knows too little holds it. Each step is one "
        "transaction behind the database's write lock, so several may migrate at once, and who is killed leaves nothing "
        "half-done. A region on this machine adds what is missing by itself. docs/design/catalog-schema.md",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct migrate_values),
    .defaults = &defaults,
    .without_data = true,
    .run = run,
};
