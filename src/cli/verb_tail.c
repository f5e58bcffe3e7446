/* cli/verb_tail.c - `prism tail DATASET [-f]`: the last records, then new ones by polling /v1/query.
 *
 * A poll asks for records from the newest time seen less an overlap, because senders' clocks and
 * parallel requests put records behind ones already shown; seen.h tells which are new. A record that
 * comes later than the overlap with an older time is not shown: query it.
 *
 * A poll is limited. One that is full of a single instant (a file without times, stored at once) is made
 * again with twice the limit, because no time leads past a part of an instant. */
#include <time.h>

#include "base/px_buf.h"
#include "cli/record.h"
#include "cli/remote.h"
#include "cli/seen.h"
#include "cli/verbs.h"
#include "svc/catalog/names.h"

#define CALL_TIMEOUT_MS 60000
#define POLL_MS 500
#define OVERLAP_NS (5 * PX_NS_PER_S)
#define ROWS_MAX 10000       /* of one poll, unless an instant holds more */
#define ROWS_MAX_MAX 1000000 /* of a query's result */

struct tail_values {
    bool follow;
    int64_t lines;
    const char *where;
};
static const struct cli_option options[] = {
    {"follow", 'f', CLI_FLAG, offsetof(struct tail_values, follow), NULL, "go on with new records",
     NULL, 0, 0},
    {"lines", 'n', CLI_NUMBER, offsetof(struct tail_values, lines), "N",
     "begin with the last N records (default 10)", NULL, 0, ROWS_MAX},
    {"where", 'w', CLI_TEXT, offsetof(struct tail_values, where), "EXPR",
     "only records for which this SQL expression holds", NULL, 0, 0},
};
static const struct tail_values defaults = {.lines = 10};

struct tail {
    struct cli *cli;
    const struct tail_values *values;
    const char *dataset;
    struct remote remote;
    struct seen seen;
    struct px_arena arena;        /* one record */
    struct px_buf held;           /* lines of the first poll: only its end is shown */
    struct px_buf content;        /* of one record */
    int64_t oldest_ns, newest_ns; /* of this poll */
    int64_t latest_ns;            /* of all polls */
    int64_t floor_ns;             /* no poll begins before it any more */
    uint64_t rows, rows_max;      /* of this poll */
    bool first;
};

static void show(struct cli *cli, struct px_str line)
{
    if (cli->json)
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(line));
    else
        record_print(cli, line);
}

/* Without what is null: a column that the dataset got meanwhile must not make an old record new. */
static struct px_str content_of(struct tail *tail, yyjson_val *record, struct px_str line)
{
    size_t i, n;
    yyjson_val *key, *val;
    px_buf_clear(&tail->content);
    px_json_obj_foreach(record, i, n, key, val)
    {
        if (yyjson_is_null(val)) continue;
        px_buf_add_json(&tail->content, key);
        px_buf_add_json(&tail->content, val);
    }
    return tail->content.len > 0 && !tail->content.fault ? px_buf_str(&tail->content) : line;
}

static int on_record(void *ctx, struct px_str line)
{
    struct tail *tail = ctx;
    struct cli *cli = tail->cli;
    bool is_new = false;
    yyjson_val *record = NULL;
    int64_t time_ns;
    px_arena_reset(&tail->arena);
    if (px_json_parse(line, &tail->arena, &record, NULL) != 0) record = NULL;
    if (!px_time_parse(px_json_str(record, "time"), &time_ns)) time_ns = tail->newest_ns;
    int r = seen_add(&tail->seen, content_of(tail, record, line), time_ns, &is_new);
    if (r != 0) return cli_fault(cli, r, "tail");
    if (tail->rows++ == 0) tail->oldest_ns = time_ns;
    tail->newest_ns = time_ns;
    tail->latest_ns = PX_MAX(tail->latest_ns, time_ns);
    if (tail->first) {
        px_buf_add_str(&tail->held, line);
        px_buf_add_char(&tail->held, '\n');
        return px_buf_fault(&tail->held) ? cli_fault(cli, px_buf_fault(&tail->held), "tail") : 0;
    }
    if (is_new) show(cli, line);
    return ferror(cli->out) ? CLI_FAILED : 0;
}

/* The last lines of what the first poll brought. */
static void show_end(struct tail *tail)
{
    struct px_str text = px_buf_str(&tail->held), line;
    size_t at = text.len;
    for (int64_t left = tail->values->lines; left > 0 && at > 0; left--) {
        const char *end = at > 1 ? memrchr(text.ptr, '\n', at - 1) : NULL;
        at = end ? (size_t)(end - text.ptr) + 1 : 0;
    }
    text = px_str_skip(text, at);
    while (text.len > 0) {
        px_str_cut(&text, '\n', &line);
        show(tail->cli, line);
    }
    (void)fflush(tail->cli->out);
    px_buf_clear(&tail->held);
}

static int on_piece(void *ctx, struct px_str piece) { return record_lines_feed(ctx, piece); }

static void write_sql(const struct tail *tail, struct px_buf *sql)
{
    const char *where = tail->values->where;
    px_buf_printf(sql, "SELECT * FROM (SELECT * FROM \"%s\"%s%s%s", tail->dataset,
                  where ? " WHERE (" : "", where ? where : "", where ? ")" : "");
    px_buf_printf(sql, " ORDER BY time%s LIMIT %llu) ORDER BY time", tail->first ? " DESC" : "",
                  (unsigned long long)tail->rows_max);
}

static void write_request(const struct tail *tail, int64_t from_ns, struct px_buf *body)
{
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    char start[40];
    px_buf_init(&sql, 1u << 20);
    write_sql(tail, &sql);
    px_buf_add_c(body, "{\"format\":\"ndjson\",\"sql\":");
    px_buf_add_json_str(body, px_buf_str(&sql));
    if (from_ns > 0) {
        px_buf_add_c(body, ",\"start\":");
        px_buf_add_json_str(body, px_time_format(from_ns, 6, start));
    }
    px_buf_add_char(body, '}');
}

static int poll_once(struct tail *tail, int64_t from_ns)
{
    struct cli *cli = tail->cli;
    struct http_response response;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    PX_AUTO(record_lines_deinit) struct record_lines lines;
    px_buf_init(&body, 1u << 20);
    write_request(tail, from_ns, &body);
    record_lines_init(&lines, on_record, tail);
    tail->rows = 0;
    int r = seen_begin(&tail->seen, tail->floor_ns);
    if (r == 0) r = px_buf_fault(&body);
    if (r != 0) return cli_fault(cli, r, "tail");
    struct remote_call call = {.method = "POST",
                               .path = S("/v1/query"),
                               .body = px_buf_str(&body),
                               .on_body = on_piece,
                               .ctx = &lines};
    int exit = remote_run(&tail->remote, &call, &response);
    if (exit == CLI_OK && record_lines_end(&lines) != 0) exit = CLI_FAILED;
    (void)fflush(cli->out);
    return exit;
}

/* Poll with a limit that the instants in it leave room in. */
static int poll_whole(struct tail *tail, int64_t from_ns)
{
    for (tail->rows_max = ROWS_MAX;; tail->rows_max *= 2) {
        int exit = poll_once(tail, from_ns);
        bool cut = tail->rows == tail->rows_max && tail->oldest_ns == tail->newest_ns;
        if (exit != CLI_OK || !cut || tail->rows_max * 2 > ROWS_MAX_MAX) return exit;
        px_buf_clear(&tail->held);
    }
}

/* Where the next poll begins: a full one goes on where it was cut, any other looks back again. */
static int64_t next_start(struct tail *tail)
{
    bool full = tail->rows == tail->rows_max;
    tail->floor_ns = PX_MAX(tail->floor_ns, tail->latest_ns - OVERLAP_NS);
    return full ? PX_MAX(tail->floor_ns, tail->newest_ns) : tail->floor_ns;
}

static int follow(struct tail *tail)
{
    /* the first poll cut its oldest instant short: what is missing of it is old, not new */
    if (tail->rows == tail->rows_max) tail->floor_ns = tail->oldest_ns + PX_NS_PER_US;
    tail->first = false;
    tail->rows = 0;
    for (;;) {
        int exit = poll_whole(tail, next_start(tail));
        if (exit != CLI_OK) return exit;
        const struct timespec pause = {.tv_nsec = POLL_MS * PX_NS_PER_MS};
        if (tail->rows < tail->rows_max) (void)nanosleep(&pause, NULL);
    }
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    struct tail tail = {
        .cli = cli, .values = values, .dataset = args[0], .first = true, .floor_ns = 1};
    const char *why = NULL;
    if (!dataset_name_ok(px_str_c(args[0]), &why))
        return cli_fail(cli, CLI_USAGE, "%s: %s", args[0], why);
    int exit = remote_open(cli, "tenant.key", CALL_TIMEOUT_MS, &tail.remote);
    if (exit != CLI_OK) return exit;
    px_arena_init(&tail.arena, 256u << 20);
    px_buf_init(&tail.held, 256u << 20);
    px_buf_init(&tail.content, 64u << 20);
    /* a follower notes more than it shows: its next poll overlaps */
    tail.rows_max = (uint64_t)tail.values->lines;
    exit = tail.values->follow ? poll_whole(&tail, 0) : poll_once(&tail, 0);
    if (exit == CLI_OK) show_end(&tail);
    if (exit == CLI_OK && tail.values->follow) exit = follow(&tail);
    px_buf_deinit(&tail.held);
    px_buf_deinit(&tail.content);
    px_arena_deinit(&tail.arena);
    seen_deinit(&tail.seen);
    remote_close(&tail.remote);
    return exit;
}

const struct cli_verb verb_tail = {
    .name = "tail",
    .arguments = "DATASET",
    .summary = "show the newest records of a dataset, and with -f those that come",
    .details =
        "One record a line: time, severity, message, the rest as name=value; with --json as NDJSON.",
    .complete = "dataset",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct tail_values),
    .defaults = &defaults,
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
