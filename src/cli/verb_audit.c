/* cli/verb_audit.c - `prism audit list|show|export|verify`: the audit log of administrative calls. A region that serves is asked by
 * its API; else its tables are read. verify reads the tables in any case: who changed them may have changed what serves them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/audit_log.h"
#include "cli/lines.h"
#include "cli/table.h"
#include "cli/verbs.h"

#define PAGE_BYTES_MAX ((size_t)64 << 20)
#define LINE_BYTES_MAX ((size_t)1 << 20)
#define ROWS_MAX 10000

struct audit_values {
    struct audit_log_where where;
    const char *tip, *file;
    int64_t limit;
};
#define WHERE_OPTIONS                                                                              \
    {"store",                                                                                      \
     0,                                                                                            \
     CLI_TEXT,                                                                                     \
     offsetof(struct audit_values, where.store),                                                   \
     "URL",                                                                                        \
     "dynamodb://PREFIX, or a file of tables (default: the region that runs, or its tables)",      \
     NULL,                                                                                         \
     0,                                                                                            \
     0},                                                                                           \
    {                                                                                              \
        "environment", 'e', CLI_TEXT, offsetof(struct audit_values, where.environment), "NAME",    \
            "an environment on AWS: dynamodb://prism-NAME", NULL, 0, 0                             \
    }

/* ---- list ---- */

struct row {
    struct audit_entry intent;
    int status; /* 0: no outcome */
};
struct rows {
    struct row list[ROWS_MAX];
    size_t count;
};

static void add_entry(struct rows *rows, const struct audit_entry *entry)
{
    if (entry->event == AUDIT_INTENT) {
        if (rows->count < ROWS_MAX) rows->list[rows->count++].intent = *entry;
        return;
    }
    for (size_t i = rows->count; i-- > 0;) {
        if (rows->list[i].intent.seq != entry->of ||
            !px_str_eq(rows->list[i].intent.chain, entry->chain))
            continue;
        rows->list[i].status = entry->status;
        return;
    }
}

/* The last calls of one chain: each has two entries, and others' may stand between them. */
static int add_chain(struct audit_log *log, const struct audit_log_chain *chain, int64_t limit,
                     struct rows *rows)
{
    struct audit_page page;
    uint64_t last = 0, back = 2 * (uint64_t)limit;
    int exit = audit_log_last(log, chain, &last);
    uint64_t after = last > back ? last - back : 0;
    while (exit == CLI_OK) {
        exit = audit_log_read(log, chain->name, after, &log->cli->arena, &page);
        if (exit != CLI_OK || page.count == 0) break;
        for (size_t i = 0; i < page.count; i++) add_entry(rows, &page.entries[i]);
        after = page.entries[page.count - 1].seq;
    }
    return exit;
}

static int compare_rows(const void *a, const void *b)
{
    const struct audit_entry *one = &((const struct row *)a)->intent,
                             *other = &((const struct row *)b)->intent;
    if (one->at_ns != other->at_ns) return one->at_ns < other->at_ns ? -1 : 1;
    int order = px_str_cmp(one->chain, other->chain);
    return order != 0 ? order : one->seq < other->seq ? -1 : one->seq > other->seq;
}

static struct px_str who_of(struct cli *cli, const struct audit_who *who)
{
    if (who->tenant.len == 0) return S("(direct)");
    return px_arena_printf(&cli->arena, "%.*s/%.*s", PX_FMT(who->tenant), PX_FMT(who->key_id));
}

static int print_rows(struct cli *cli, const struct row *list, size_t count)
{
    static const char *const names[] = {"CHAIN",  ">SEQ",   "AT",     "WHO", "OPERATION",
                                        "TARGET", "STATUS", "SOURCE", NULL};
    struct table table;
    int r = table_init(&table, &cli->arena, names);
    for (size_t i = 0; i < count; i++) {
        const struct audit_entry *e = &list[i].intent;
        struct px_str *row = r == 0 ? table_row(&table) : NULL;
        char at[32];
        if (!row) return cli_fault(cli, PX_F_OOM, "the audit log");
        row[0] = e->chain;
        row[1] = px_arena_printf(&cli->arena, "%" PRIu64, e->seq);
        row[2] = px_arena_dup(&cli->arena, px_time_format(e->at_ns, 3, at));
        row[3] = who_of(cli, &e->who);
        row[4] = e->operation;
        row[5] = e->target;
        row[6] = list[i].status > 0 ? px_arena_printf(&cli->arena, "%d", list[i].status)
                                    : S("no outcome");
        row[7] = e->who.source;
    }
    table_print(&table, table_terminal_width(cli->out), cli->out);
    return CLI_OK;
}

static void add_member(struct px_buf *buf, const char *before, struct px_str text)
{
    px_buf_add_c(buf, before);
    px_buf_add_json_str(buf, text);
}

static int print_rows_json(struct cli *cli, const struct row *list, size_t count)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, (size_t)64 << 20);
    px_buf_add_c(&json, "{\"calls\":[");
    for (size_t i = 0; i < count; i++) {
        const struct audit_entry *e = &list[i].intent;
        char at[32];
        add_member(&json, i > 0 ? ",{\"chain\":" : "{\"chain\":", e->chain);
        px_buf_printf(&json, ",\"seq\":%" PRIu64, e->seq);
        add_member(&json, ",\"at\":", px_time_format(e->at_ns, 6, at));
        add_member(&json, ",\"operation\":", e->operation);
        add_member(&json, ",\"target\":", e->target);
        px_buf_printf(&json, ",\"who\":{\"direct\":%s", e->who.direct ? "true" : "false");
        add_member(&json, ",\"tenant\":", e->who.tenant);
        add_member(&json, ",\"key_id\":", e->who.key_id);
        add_member(&json, ",\"source\":", e->who.source);
        add_member(&json, ",\"request_id\":", e->who.request_id);
        px_buf_add_char(&json, '}');
        if (list[i].status > 0) px_buf_printf(&json, ",\"status\":%d", list[i].status);
        px_buf_add_char(&json, '}');
    }
    px_buf_add_c(&json, "]}\n");
    if (px_buf_fault(&json)) return cli_fault(cli, px_buf_fault(&json), "the audit log");
    (void)fwrite(json.ptr, 1, json.len, cli->out);
    return CLI_OK;
}

static int run_list(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct audit_values *v = values;
    PX_AUTO(audit_log_close) struct audit_log log = {0};
    PX_AUTO(px_free_mem) struct rows *rows = calloc(1, sizeof *rows);
    int exit = rows ? audit_log_open(cli, &v->where, &log)
                    : cli_fault(cli, PX_F_OOM, "the audit log");
    if (exit == CLI_OK) exit = audit_log_choose(&log, arg_count > 0 ? args[0] : NULL);
    if (exit != CLI_OK) return exit;
    for (size_t i = 0; exit == CLI_OK && i < log.chain_count; i++)
        exit = add_chain(&log, &log.chains[i], v->limit, rows);
    if (exit != CLI_OK) return exit;
    qsort(rows->list, rows->count, sizeof rows->list[0], compare_rows);
    size_t shown = PX_MIN(rows->count, (size_t)v->limit);
    const struct row *first = rows->list + (rows->count - shown);
    return cli->json ? print_rows_json(cli, first, shown) : print_rows(cli, first, shown);
}

static const struct cli_option list_options[] = {{"limit", 'n', CLI_NUMBER,
                                                  offsetof(struct audit_values, limit), "N",
                                                  "the last N calls (default 100)", NULL, 1, 1000},
                                                 WHERE_OPTIONS};
static const struct audit_values list_defaults = {.limit = 100};
static const struct cli_verb list = {
    .name = "list",
    .arguments = "[TENANT|REGION/TENANT]",
    .summary = "who did what, and what came of it",
    .details =
        "A call without outcome is under way, or was ended by a crash: its effect may or may not be there.",
    CLI_OPTIONS(list_options),
    .values_bytes = sizeof(struct audit_values),
    .defaults = &list_defaults,
    .args_max = 1,
    .run = run_list,
};

/* ---- show ---- */

static const struct cli_option where_options[] = {WHERE_OPTIONS};

/* The call that entry seq belongs to: its intent, and the outcome if there is one. */
static int find_call(struct audit_log *log, struct px_str chain, uint64_t seq,
                     struct px_str *ret_intent, struct px_str *ret_outcome)
{
    uint64_t of = seq, after = seq - 1;
    *ret_intent = *ret_outcome = (struct px_str){0};
    while (ret_outcome->len == 0) {
        struct audit_page page;
        int exit = audit_log_read(log, chain, after, &log->cli->arena, &page);
        if (exit != CLI_OK) return exit;
        if (page.count == 0) break;
        for (size_t i = 0; i < page.count; i++) {
            const struct audit_entry *e = &page.entries[i];
            if (e->seq == seq && e->event == AUDIT_OUTCOME && of == seq) {
                of = e->of; /* begin at its intent */
                after = of - 1;
                break;
            }
            if (e->seq == of && e->event == AUDIT_INTENT) *ret_intent = page.texts[i];
            if (e->event == AUDIT_OUTCOME && e->of == of) *ret_outcome = page.texts[i];
            after = e->seq;
        }
    }
    return CLI_OK;
}

static int run_show(struct cli *cli, const void *values, int arg_count, char **args)
{
    PX_AUTO(audit_log_close) struct audit_log log = {0};
    const struct audit_values *v = values;
    struct px_str intent = {0}, outcome = {0};
    uint64_t seq = 0;
    (void)arg_count;
    if (!px_str_to_u64(px_str_c(args[1]), &seq) || seq == 0 || seq > UINT32_MAX)
        return cli_fail(cli, CLI_USAGE, "'%s' is no entry's number", args[1]);
    int exit = audit_log_open(cli, &v->where, &log);
    if (exit == CLI_OK) exit = audit_log_choose(&log, args[0]);
    if (exit == CLI_OK && log.chain_count != 1)
        exit = cli_fail(cli, CLI_USAGE, "'%s' has chains in several regions: say REGION/TENANT",
                        args[0]);
    if (exit != CLI_OK) return exit;
    struct px_str chain = log.chains[0].name;
    exit = find_call(&log, chain, seq, &intent, &outcome);
    if (exit != CLI_OK) return exit;
    if (intent.len == 0)
        return cli_fail(cli, CLI_REFUSED, "chain %.*s has no entry %" PRIu64, PX_FMT(chain), seq);
    (void)fprintf(cli->out, "{\"intent\":%.*s,\"outcome\":%.*s}\n", PX_FMT(intent),
                  PX_FMT(outcome.len > 0 ? outcome : S("null")));
    return CLI_OK;
}

static const struct cli_verb show = {
    .name = "show",
    .arguments = "TENANT|REGION/TENANT SEQ",
    .summary = "one call: who, from where, what was there before and after, as JSON",
    CLI_OPTIONS(where_options),
    .values_bytes = sizeof(struct audit_values),
    .args_min = 2,
    .args_max = 2,
    .run = run_show,
};

/* ---- export ---- */

static int export_chain(struct audit_log *log, struct px_str chain)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct audit_page page;
    uint64_t after = 0;
    px_arena_init(&arena, PAGE_BYTES_MAX);
    for (;;) {
        px_arena_reset(&arena);
        int exit = audit_log_read(log, chain, after, &arena, &page);
        if (exit != CLI_OK || page.count == 0) return exit;
        for (size_t i = 0; i < page.count; i++)
            (void)fprintf(log->cli->out, "%.*s\n", PX_FMT(page.texts[i]));
        after = page.entries[page.count - 1].seq;
    }
}

static int run_export(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct audit_values *v = values;
    PX_AUTO(audit_log_close) struct audit_log log = {0};
    int exit = audit_log_open(cli, &v->where, &log);
    if (exit == CLI_OK) exit = audit_log_choose(&log, arg_count > 0 ? args[0] : NULL);
    for (size_t i = 0; exit == CLI_OK && i < log.chain_count; i++)
        exit = export_chain(&log, log.chains[i].name);
    return exit;
}

static const struct cli_verb export = {
    .name = "export",
    .arguments = "[TENANT|REGION/TENANT]",
    .summary = "every entry as it is stored, one a line",
    .details =
        "The SHA-256 of a line without its newline stands in the next line of its chain as prev; prism audit verify --file checks that of what "
        "was exported, wherever it is kept.",
    CLI_OPTIONS(where_options),
    .values_bytes = sizeof(struct audit_values),
    .args_max = 1,
    .run = run_export,
};

/* ---- verify ---- */

struct findings {
    struct cli *cli;
    struct px_buf json, tips;
    size_t count;
};

static void findings_deinit(struct findings *f)
{
    px_buf_deinit(&f->json);
    px_buf_deinit(&f->tips);
}

static void on_problem(void *ctx, const struct audit_problem *problem)
{
    struct findings *f = ctx;
    if (!f->cli->json) {
        (void)fprintf(f->cli->out, "%.*s: %s: %.*s\n", PX_FMT(problem->chain), problem->kind,
                      PX_FMT(problem->text));
        return;
    }
    add_member(&f->json, f->count++ > 0 ? ",{\"chain\":" : "{\"chain\":", problem->chain);
    px_buf_printf(&f->json, ",\"seq\":%" PRIu64 ",\"kind\":\"%s\"", problem->seq, problem->kind);
    add_member(&f->json, ",\"text\":", problem->text);
    px_buf_add_char(&f->json, '}');
}

static void add_tip(void *ctx, struct px_str chain, uint64_t seq, const char *hash)
{
    struct findings *f = ctx;
    add_member(&f->tips, f->tips.len > 0 ? ",{\"chain\":" : "{\"chain\":", chain);
    px_buf_printf(&f->tips, ",\"seq\":%" PRIu64 ",\"tip\":\"%s\"}", seq, hash);
}

static int add_tips(struct findings *f, const struct audit_log *log)
{
    for (size_t i = 0; i < log->chain_count; i++) {
        struct audit_head head;
        int r = audit_head_read(log->tables, log->chains[i].name, &head);
        if (r == PX_F_CORRUPT) head = (struct audit_head){.seq = 0};
        if (r != 0 && r != PX_F_CORRUPT) return r;
        add_tip(f, log->chains[i].name, head.seq, head.hash);
    }
    return 0;
}

static int print_report(struct findings *f, const char *tip, const struct audit_report *report)
{
    struct cli *cli = f->cli;
    bool lost = tip && !report->tip_found;
    int r = px_buf_fault(&f->json) ? px_buf_fault(&f->json) : px_buf_fault(&f->tips);
    if (r != 0) return cli_fault(cli, r, "the audit log");
    if (cli->json) {
        (void)fprintf(cli->out,
                      "{\"chains\":%" PRIu64 ",\"entries\":%" PRIu64 ",\"unfinished\":%" PRIu64
                      ",\"problems\":[%.*s],\"tips\":[%.*s]%s}\n",
                      report->chains, report->entries, report->unfinished,
                      PX_FMT(px_buf_str(&f->json)), PX_FMT(px_buf_str(&f->tips)),
                      !tip   ? ""
                      : lost ? ",\"tip_found\":false"
                             : ",\"tip_found\":true");
    } else {
        if (lost) (void)fprintf(cli->out, "tip %s is in no chain: its end was cut off\n", tip);
        (void)fprintf(cli->out,
                      "%" PRIu64 " entries in %" PRIu64 " chains, %" PRIu64
                      " calls without outcome, %" PRIu64 " problem%s\n",
                      report->entries, report->chains, report->unfinished, report->problems,
                      report->problems == 1 ? "" : "s");
    }
    return report->problems > 0 || lost ? CLI_REFUSED : CLI_OK;
}

static int verify_tables(struct findings *f, const struct audit_values *v, const char *argument,
                         struct audit_report *all)
{
    PX_AUTO(audit_log_close) struct audit_log log = {0};
    struct audit_log_where where = v->where;
    where.tables = true;
    int exit = audit_log_open(f->cli, &where, &log);
    if (exit == CLI_OK) exit = audit_log_choose(&log, argument);
    if (exit != CLI_OK) return exit;
    for (size_t i = 0; i < log.chain_count; i++) {
        struct px_str chain = log.chains[i].name;
        const struct audit_check check = {log.tables, chain, px_str_c(v->tip), on_problem, f};
        struct audit_report report;
        int r = audit_verify(&check, &report);
        if (r != 0) return cli_fault(f->cli, r, "chain %.*s", PX_FMT(chain));
        all->chains++;
        all->entries += report.entries;
        all->unfinished += report.unfinished;
        all->problems += report.problems;
        all->tip_found = all->tip_found || report.tip_found;
    }
    int r = add_tips(f, &log);
    return r == 0 ? CLI_OK : cli_fault(f->cli, r, "the audit log");
}

static int take_batch(struct audit_lines *log, struct px_str text)
{
    while (text.len > 0) {
        struct px_str line;
        (void)px_str_cut(&text, '\n', &line);
        if (line.len > 0) PX_TRY(audit_lines_take(log, line));
    }
    return 0;
}

static int take_lines(struct audit_lines *log, int fd)
{
    PX_AUTO(lines_deinit) struct lines lines;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    struct lines_batch batch;
    lines_init(&lines, fd, LINE_BYTES_MAX, LINE_BYTES_MAX);
    px_buf_init(&buf, 4 * LINE_BYTES_MAX);
    for (;;) {
        int r = lines_next(&lines, &buf, &batch);
        if (r == LINES_END) return 0;
        if (r == LINES_TOO_LONG) { /* no entry is that long */
            PX_TRY(audit_lines_take(log, S("")));
            continue;
        }
        PX_TRY(r);
        PX_TRY(take_batch(log, batch.text));
    }
}

static int verify_file(struct findings *f, const struct audit_values *v, struct audit_report *all)
{
    PX_AUTO(audit_lines_free) struct audit_lines *lines = NULL;
    PX_AUTO(px_close)
    int fd = strcmp(v->file, "-") == 0 ? dup(STDIN_FILENO) : open(v->file, O_RDONLY | O_CLOEXEC);
    const struct audit_check check = {.tip = px_str_c(v->tip), .on_problem = on_problem, .ctx = f};
    if (fd < 0) return cli_fail(f->cli, CLI_FAILED, "%s: %s", v->file, strerror(errno));
    int r = audit_lines_new(&check, &lines);
    if (r == 0) r = take_lines(lines, fd);
    if (r == 0) r = audit_lines_end(lines, all, add_tip, f);
    return r == 0 ? CLI_OK : cli_fault(f->cli, r, "%s", v->file);
}

static int run_verify(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct audit_values *v = values;
    PX_AUTO(findings_deinit) struct findings findings = {.cli = cli};
    struct audit_report all = {0};
    if (v->tip && !digest_is_hex(px_str_c(v->tip)))
        return cli_fail(cli, CLI_USAGE, "--tip is a hash of 64 hex digits");
    if (v->file && (arg_count > 0 || v->where.store || v->where.environment))
        return cli_fail(cli, CLI_USAGE, "--file stands alone: all its lines are verified");
    px_buf_init(&findings.json, (size_t)64 << 20);
    px_buf_init(&findings.tips, (size_t)64 << 20);
    int exit = v->file ? verify_file(&findings, v, &all)
                       : verify_tables(&findings, v, arg_count > 0 ? args[0] : NULL, &all);
    return exit == CLI_OK ? print_report(&findings, v->tip, &all) : exit;
}

static const struct cli_option verify_options[] = {
    {"tip", 't', CLI_TEXT, offsetof(struct audit_values, tip), "HASH",
     "a tip that was noted down elsewhere: it must be in a chain still", NULL, 0, 0},
    {"file", 'f', CLI_TEXT, offsetof(struct audit_values, file), "FILE",
     "what prism audit export or GET /v1/admin/audit/{tenant} gave, - for standard input", NULL, 0,
     0},
    WHERE_OPTIONS};
static const struct cli_verb verify = {
    .name = "verify",
    .arguments = "[TENANT|REGION/TENANT]",
    .summary = "whether the log is what was written; exit code 4 when it is not",
    .details =
        "Follows every chain of hashes and compares its end with its head. An entry that was changed, removed, moved or written again, "
        "a fork and an end that was cut off are named with their place. Note the tips that --json shows elsewhere: who can write "
        "both tables could cut off an end with its head. It reads the tables, not what the region serves of them; with --file an export, which "
        "holds no heads, so that only a tip shows an end that was cut off.",
    CLI_OPTIONS(verify_options),
    .values_bytes = sizeof(struct audit_values),
    .args_max = 1,
    .run = run_verify,
};

static const struct cli_verb *const verbs[] = {&list, &show, &export, &verify, NULL};
const struct cli_verb verb_audit = {
    .name = "audit",
    .arguments = "VERB ...",
    .summary = "read and verify the log of administrative calls",
    .verbs = verbs,
};
