/* store/meta_pg.c - the metadata store on PostgreSQL; docs: meta.h, docs/design/aws.md.
 *
 * vocabulary  link: a connection, to the writer or to a replica, opened when it is needed
 *             reaching: connecting, waiting for the write lock, and doing again what is safe to do again; as
 *             long as busy_ms says
 *             lost: the connection broke inside a transaction; nothing of it remains
 *
 * A writer holds one lock per database, which the transaction's end gives back: callers get what SQLite gives
 * them, one writer at a time, and never a serialization failure in the middle of what they do.
 * Nothing was done before COMMIT was sent, so all until then can be done again on another connection. When the
 * answer to COMMIT is lost, the transaction's number tells the server's verdict on it.
 * Settings hold for a transaction (SET LOCAL): RDS Proxy ties a client to a connection while they do, and for
 * good with others. A single statement that reads needs none: its limit is the client's patience. */
#include "store/meta_half.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "aws/retry.h"
#include "aws/shared.h"
#include "base/px_buf.h"
#include "base/px_clock.h"
#include "base/px_id.h"
#include "observe/observe.h"
#include "store/pg_ddl.h"
#include "store/pg_link.h"

#define STATEMENT_MS 30000     /* without a deadline */
#define CONNECT_MS 3000        /* one attempt: another address may answer */
#define READER_CONNECT_MS 1000 /* the writer can do instead */
#define IDLE_MS 15000          /* a writer that is frozen gives the lock back after this */
#define ROLLBACK_MS 1000
#define READER_PAUSE_MS 10000 /* a replica that failed is left alone for this */
#define SCRIPT_BYTES_MAX (1u << 20)
#define LOCK_KEY INT64_C(0x507269736d) /* "Prism": the write lock's number among the database's */

struct pg_meta {
    struct meta meta; /* first: the header's functions know only this */
    struct pg_link writer, reader;
    struct cloud_shared own; /* where nobody shares */
    struct pg_link *in;      /* the running transaction's; NULL: none */
    bool has_reader, writes, lost;
    char number[24]; /* the writing transaction's, of PostgreSQL */
    int64_t reader_again_ns;
    int64_t deadline_ns;
    int busy_ms, statement_ms;
};
struct pg_rows {
    struct meta_rows rows;
    struct pg_result result;
    size_t part;
    int row;
};

static struct pg_meta *pg_of(struct meta *meta) { return (struct pg_meta *)meta; }

/* ---- time ---- */

static int64_t now_ns(void) { return px_mono_ns(&px_clock_system); }

static int64_t statement_until(const struct pg_meta *pg)
{
    return pg->deadline_ns > 0 ? pg->deadline_ns : now_ns() + pg->statement_ms * PX_NS_PER_MS;
}

static int64_t reach_until(const struct pg_meta *pg)
{
    int64_t until = now_ns() + pg->busy_ms * PX_NS_PER_MS;
    return pg->deadline_ns > 0 ? PX_MIN(until, pg->deadline_ns) : until;
}

static int64_t ms_until(int64_t until_ns)
{
    return PX_MAX((until_ns - now_ns()) / PX_NS_PER_MS, INT64_C(1));
}

static void sleep_ms(uint32_t ms)
{
    struct timespec rest = {ms / 1000, (long)(ms % 1000) * 1000000L};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {}
}

/* ---- doing again ---- */

struct pg_work; /* one thing that may be done again */
typedef int (*pg_do)(struct pg_meta *pg, struct pg_link *link, struct pg_work *work);
struct pg_work {
    pg_do run;
    enum meta_mode mode;
    const char *sql;
    const struct pg_params *params;
    struct pg_result result;
    int64_t until_ns; /* of reaching */
};

static int attempt(struct pg_meta *pg, struct pg_link *link, struct pg_work *work)
{
    int connect_ms = link == &pg->reader ? READER_CONNECT_MS : CONNECT_MS;
    int64_t until = PX_MIN(work->until_ns, now_ns() + connect_ms * PX_NS_PER_MS);
    int r = pg_link_open(link, until);
    if (r == 0) r = work->run(pg, link, work);
    return r;
}

/* Until it is done, or until_ns would pass. Answers: PG_CONFLICT. */
static int reach(struct pg_meta *pg, struct pg_work *work)
{
    static const struct retry_pace pace = {25, 1000};
    work->until_ns = reach_until(pg);
    if (now_ns() >= work->until_ns) return px_fault(PX_F_TIMEOUT, "no time is left for PostgreSQL");
    for (unsigned tries = 0;; tries++) {
        char before[sizeof pg->writer.trouble];
        memcpy(before, pg->writer.trouble, sizeof before);
        int r = attempt(pg, &pg->writer, work);
        if (r != PG_GONE) return r;
        if (tries > 0 && now_ns() >= work->until_ns) /* cut short: the one before knows why */
            memcpy(pg->writer.trouble, before, sizeof before);
        observe_store_kind(PX_F_UNAVAILABLE);
        /* a connection that was left idle is often broken: the first time the next one comes at once */
        uint32_t delay_ms = tries == 0 ? 0 : retry_delay_ms(&pace, tries, px_random_u64());
        if (now_ns() + delay_ms * PX_NS_PER_MS >= work->until_ns)
            return pg_link_fault(&pg->writer, tries + 1);
        if (delay_ms > 0) sleep_ms(delay_ms);
        observe_add(METRIC_STORE_RETRIES, 1);
    }
}

/* ---- transactions: pieces ---- */

/* Answers: PG_GONE. */
static int plain(struct pg_meta *pg, struct pg_link *link, const char *sql,
                 struct pg_result *ret_result)
{
    struct pg_statement statement = {sql, NULL, statement_until(pg)};
    int r = pg_link_run(link, &statement, ret_result);
    if (r == PG_CONFLICT) return px_fault(PX_F_BUG, "%.80s: %s", sql, link->trouble);
    return r;
}

static void roll_back(struct pg_link *link)
{
    PX_AUTO(pg_result_free) struct pg_result result = {0};
    struct pg_statement statement = {"ROLLBACK", NULL, now_ns() + ROLLBACK_MS * PX_NS_PER_MS};
    if (link->conn && pg_link_run(link, &statement, &result) != 0) pg_link_close(link);
}

static int begin_reading(struct pg_meta *pg, struct pg_link *link)
{
    char sql[256];
    PX_AUTO(pg_result_free) struct pg_result result = {0};
    (void)snprintf(sql, sizeof sql,
                   "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;"
                   "SET LOCAL statement_timeout = %lld;"
                   "SET LOCAL idle_in_transaction_session_timeout = %d",
                   (long long)ms_until(statement_until(pg)), IDLE_MS);
    return plain(pg, link, sql, &result);
}

/* Answers: PG_GONE, also when the server does not write (any more). */
static int begin_writing(struct pg_meta *pg, struct pg_link *link, int64_t until_ns)
{
    char sql[512];
    PX_AUTO(pg_result_free) struct pg_result result = {0};
    (void)snprintf(sql, sizeof sql,
                   "BEGIN ISOLATION LEVEL READ COMMITTED;"
                   "SET LOCAL statement_timeout = %lld;"
                   "SET LOCAL idle_in_transaction_session_timeout = %d;"
                   "SET LOCAL lock_timeout = %lld;"
                   "SELECT pg_advisory_xact_lock(%lld), current_setting('transaction_read_only'),"
                   " CASE WHEN current_setting('transaction_read_only') = 'off'"
                   " THEN pg_current_xact_id()::text END",
                   (long long)ms_until(statement_until(pg)), IDLE_MS, (long long)ms_until(until_ns),
                   (long long)LOCK_KEY);
    int r = plain(pg, link, sql, &result);
    if (r != 0) return r;
    const PGresult *row = result.parts[0];
    if (PQntuples(row) != 1 || PQnfields(row) != 3)
        return px_fault(PX_F_PROTOCOL, "PostgreSQL: the lock was not answered");
    if (strcmp(PQgetvalue(row, 0, 1), "off") != 0) {
        (void)snprintf(link->trouble, sizeof link->trouble, "%s does not write", link->target.host);
        pg_link_close(link);
        return PG_GONE;
    }
    (void)snprintf(pg->number, sizeof pg->number, "%s", PQgetvalue(row, 0, 2));
    return 0;
}

static int do_begin(struct pg_meta *pg, struct pg_link *link, struct pg_work *work)
{
    int r = work->mode == META_WRITE ? begin_writing(pg, link, work->until_ns)
                                     : begin_reading(pg, link);
    if (r < 0) roll_back(link);
    if (r != 0) return r;
    pg->in = link;
    pg->writes = work->mode == META_WRITE;
    pg->lost = false;
    return 0;
}

/* ---- commit ---- */

enum verdict { COMMITTED, ROLLED_BACK, RUNNING, UNKNOWN };

static int do_ask(struct pg_meta *pg, struct pg_link *link, struct pg_work *work)
{
    struct pg_statement statement = {"SELECT pg_xact_status($1::text::xid8)", work->params,
                                     work->until_ns};
    (void)pg;
    return pg_link_run(link, &statement, &work->result);
}

static enum verdict verdict_read(const struct pg_result *result)
{
    struct meta_value value;
    if (result->count == 0 || PQntuples(result->parts[0]) != 1) return UNKNOWN;
    if (pg_column(result->parts[0], 0, 0, &value) != 0 || value.type != META_TEXT) return UNKNOWN;
    if (px_str_eq(value.s, S("committed"))) return COMMITTED;
    if (px_str_eq(value.s, S("aborted"))) return ROLLED_BACK;
    return px_str_eq(value.s, S("in progress")) ? RUNNING : UNKNOWN;
}

/* The answer to COMMIT was lost. Nobody else has the number, so the verdict is on this transaction alone. */
static enum verdict ask_verdict(struct pg_meta *pg)
{
    struct meta_value number = meta_s(px_str_c(pg->number));
    struct pg_params params;
    int64_t until = reach_until(pg);
    if (pg_params_set(&params, &number, 1) != 0) return UNKNOWN;
    enum verdict verdict = RUNNING;
    while (verdict == RUNNING && now_ns() < until) {
        struct pg_work work = {.run = do_ask, .params = &params};
        verdict = reach(pg, &work) == 0 ? verdict_read(&work.result) : UNKNOWN;
        pg_result_free(&work.result);
        if (verdict == RUNNING)
            sleep_ms(20); /* the server has not noticed yet, or is about to commit */
    }
    return verdict;
}

static int settle(struct pg_meta *pg)
{
    char trouble[sizeof pg->writer.trouble];
    memcpy(trouble, pg->writer.trouble, sizeof trouble);
    switch (ask_verdict(pg)) {
    case COMMITTED: return 0;
    case ROLLED_BACK:
        return px_fault(PX_F_UNAVAILABLE, "PostgreSQL: COMMIT: %s: it was rolled back", trouble);
    default:
        return px_fault(PX_F_UNAVAILABLE, "PostgreSQL: COMMIT: %s: its outcome is unknown",
                        trouble);
    }
}

static int commit(struct pg_meta *pg, struct pg_link *link)
{
    PX_AUTO(pg_result_free) struct pg_result result = {0};
    if (pg->writes && now_ns() >= statement_until(pg)) { /* else nobody could wait for the answer */
        roll_back(link);
        return px_fault(PX_F_TIMEOUT, "no time is left for COMMIT: it was rolled back");
    }
    int r = plain(pg, link, "COMMIT", &result);
    if (r == PG_GONE || r == PX_F_TIMEOUT) return pg->writes ? settle(pg) : 0;
    PX_TRY(r);
    if (strcmp(PQcmdStatus(result.parts[0]), "COMMIT") !=
        0) /* "ROLLBACK": a statement had failed */
        return px_fault(PX_F_BUG, "a transaction that failed was to be committed");
    return 0;
}

static int pg_begin(struct meta *meta, enum meta_mode mode)
{
    struct pg_meta *pg = pg_of(meta);
    PX_ASSERT(!pg->in && !pg->lost);
    if (mode == META_WRITE && meta->read_only)
        return px_fault(PX_F_DENIED, "the metadata is open for reading");
    struct pg_work work = {.run = do_begin, .mode = mode};
    if (mode == META_LAGGING && pg->has_reader && now_ns() >= pg->reader_again_ns) {
        work.until_ns = reach_until(pg);
        if (attempt(pg, &pg->reader, &work) == 0) return 0;
        pg->reader_again_ns = now_ns() + READER_PAUSE_MS * PX_NS_PER_MS;
    }
    PX_TRY(reach(pg, &work));
    return 0;
}

static int pg_commit(struct meta *meta)
{
    struct pg_meta *pg = pg_of(meta);
    if (pg->lost) return px_fault(PX_F_UNAVAILABLE, "PostgreSQL: the transaction is lost");
    PX_ASSERT(pg->in);
    struct pg_link *link = PX_TAKE(pg->in);
    PX_TRY(commit(pg, link));
    return 0;
}

static void pg_rollback(struct meta *meta)
{
    struct pg_meta *pg = pg_of(meta);
    if (pg->in) roll_back(pg->in);
    pg->in = NULL;
    pg->lost = false;
}

/* ---- statements ---- */

static bool only_reads(const char *sql)
{
    while (*sql == ' ' || *sql == '\n') sql++;
    return px_str_ieq(px_str(sql, PX_MIN(strlen(sql), (size_t)6)), S("SELECT"));
}

/* Answers: PG_GONE, PG_CONFLICT. */
static int do_statement(struct pg_meta *pg, struct pg_link *link, struct pg_work *work)
{
    pg_result_free(&work->result);
    struct pg_statement statement = {work->sql, work->params, statement_until(pg)};
    return pg_link_run(link, &statement, &work->result);
}

/* A statement that writes, as a transaction of its own. Before COMMIT all of it may be done again. */
static int do_change(struct pg_meta *pg, struct pg_link *link, struct pg_work *work)
{
    int r = begin_writing(pg, link, work->until_ns);
    if (r == 0) r = do_statement(pg, link, work);
    if (r != 0) {
        roll_back(link);
        return r;
    }
    pg->writes = true;
    PX_TRY(commit(pg, link));
    return 0;
}

/* In the running transaction. */
static int inside(struct pg_meta *pg, struct pg_work *work)
{
    if (pg->lost) return px_fault(PX_F_UNAVAILABLE, "PostgreSQL: the transaction is lost");
    int r = do_statement(pg, pg->in, work);
    if (pg->in->conn) return r == PG_GONE ? pg_link_fault(pg->in, 1) : r;
    struct pg_link *link = PX_TAKE(pg->in);
    pg->lost = true;
    return r == PG_GONE ? pg_link_fault(link, 1) : r;
}

/* Answers: META_CONFLICT. *ret_result is the caller's. */
static int statement_run(struct meta *meta, const char *sql, const struct meta_value *values,
                         size_t count, struct pg_result *ret_result)
{
    struct pg_meta *pg = pg_of(meta);
    struct pg_params params;
    bool reads = only_reads(sql);
    PX_TRY(pg_params_set(&params, values, count));
    struct pg_work work = {.run = reads ? do_statement : do_change, .sql = sql, .params = &params};
    int r;
    if (!reads && meta->read_only)
        r = px_fault(PX_F_DENIED, "the metadata is open for reading: %.80s", sql);
    else
        r = pg->in || pg->lost ? inside(pg, &work) : reach(pg, &work);
    if (r != 0) pg_result_free(&work.result);
    if (r == PG_CONFLICT) return META_CONFLICT;
    PX_TRY(r);
    *ret_result = work.result;
    return 0;
}

static int pg_exec(struct meta *meta, const char *sql, const struct meta_value *params,
                   size_t count, int64_t *ret_changed)
{
    PX_AUTO(pg_result_free) struct pg_result result = {0};
    int r = statement_run(meta, sql, params, count, &result);
    if (r == META_CONFLICT) return META_CONFLICT;
    PX_TRY(r);
    for (size_t i = 0; i < result.count; i++)
        if (PQntuples(result.parts[i]) > 0)
            return px_fault(PX_F_BUG, "rows from meta_exec: %s", sql);
    if (ret_changed) *ret_changed = pg_result_changed(&result);
    return 0;
}

static void pg_end(struct meta_rows *held)
{
    pg_result_free(&((struct pg_rows *)held)->result);
    free(held);
}

static int pg_select(struct meta *meta, const char *sql, const struct meta_value *params,
                     size_t count, struct meta_rows **ret_rows)
{
    PX_AUTO(pg_result_free) struct pg_result result = {0};
    int r = statement_run(meta, sql, params, count, &result);
    if (r == META_CONFLICT) return META_CONFLICT;
    PX_TRY(r);
    struct pg_rows *rows = calloc(1, sizeof *rows);
    if (!rows) return px_fault(PX_F_OOM, "rows");
    rows->rows.half = meta->half;
    rows->result = result;
    result = (struct pg_result){0};
    *ret_rows = &rows->rows;
    return 0;
}

static int pg_next(struct meta_rows *held, struct meta_value *values, size_t columns)
{
    struct pg_rows *rows = (struct pg_rows *)held;
    while (rows->part < rows->result.count &&
           rows->row >= PQntuples(rows->result.parts[rows->part])) {
        rows->part++;
        rows->row = 0;
    }
    if (rows->part == rows->result.count) return META_END;
    const PGresult *part = rows->result.parts[rows->part];
    PX_ASSERT((size_t)PQnfields(part) == columns);
    for (size_t i = 0; i < columns; i++) PX_TRY(pg_column(part, rows->row, (int)i, &values[i]));
    rows->row++;
    return 0;
}

/* ---- migrations ---- */

static void pg_script_text(const char *sql, struct px_buf *buf)
{
    pg_ddl_write(px_str_c(sql), buf);
    if (px_buf_fault(buf) == 0) buf->len--; /* its NUL */
}

static int pg_script(struct meta *meta, const char *sql)
{
    struct pg_meta *pg = pg_of(meta);
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, SCRIPT_BYTES_MAX);
    pg_ddl_write(px_str_c(sql), &text);
    PX_TRY(px_buf_fault(&text));
    struct pg_work work = {.sql = text.ptr};
    int r = inside(pg, &work);
    pg_result_free(&work.result);
    if (r == PG_CONFLICT) return px_fault(PX_F_BUG, "%.120s: a key is there twice", sql);
    PX_TRY(r);
    return 0;
}

static int pg_has_table(struct meta *meta, const char *name, bool *ret_has)
{
    const struct meta_value params[] = {meta_s(px_str_c(name))};
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value row[1];
    PX_TRY(meta_select(meta, "SELECT count(*) FROM pg_class WHERE oid = to_regclass($1)", params, 1,
                       &rows));
    PX_TRY(meta_rows_next(rows, row, 1));
    *ret_has = row[0].i > 0;
    return 0;
}

/* ---- opening ---- */

static void pg_set_deadline(struct meta *meta, int64_t mono_ns)
{
    pg_of(meta)->deadline_ns = mono_ns;
}

static void pg_close(struct meta *meta)
{
    struct pg_meta *pg = pg_of(meta);
    pg_link_close(&pg->writer);
    pg_link_close(&pg->reader);
    cloud_shared_close(&pg->own);
    free(pg);
}

static const struct meta_half half = {.has_users = true,
                                      .exec = pg_exec,
                                      .select = pg_select,
                                      .next = pg_next,
                                      .end = pg_end,
                                      .begin = pg_begin,
                                      .commit = pg_commit,
                                      .rollback = pg_rollback,
                                      .script = pg_script,
                                      .script_text = pg_script_text,
                                      .has_table = pg_has_table,
                                      .set_deadline = pg_set_deadline,
                                      .close = pg_close};

/* For the writer, which is where somebody else signs in than the URL says. */
static int sign_in_as(const struct meta_options *options, struct pg_target *target)
{
    if (options->user.len >= sizeof target->user ||
        options->password.len >= sizeof target->password)
        return px_fault(PX_F_LIMIT, "the user's name or password is too long for PostgreSQL");
    if (options->user.len > 0) target->secret[0] = '\0';
    if (options->user.len > 0)
        (void)snprintf(target->user, sizeof target->user, "%.*s", PX_FMT(options->user));
    if (options->password.len > 0)
        (void)snprintf(target->password, sizeof target->password, "%.*s",
                       PX_FMT(options->password));
    return 0;
}

int meta_pg_open(struct px_str url, const struct meta_options *options, struct meta **ret_meta)
{
    struct pg_meta *pg = calloc(1, sizeof *pg);
    if (!pg) return px_fault(PX_F_OOM, "the metadata store");
    PX_AUTO(meta_close) struct meta *meta = &pg->meta;
    *meta = (struct meta){&half, options->read_only};
    pg->busy_ms = options->busy_ms;
    pg->statement_ms = options->statement_ms > 0 ? options->statement_ms : STATEMENT_MS;
    pg->has_reader = options->reader_url.len > 0;
    PX_TRY(pg_target_init(url, &pg->writer.target));
    PX_TRY(sign_in_as(options, &pg->writer.target));
    if (pg->has_reader) PX_TRY(pg_target_init(options->reader_url, &pg->reader.target));
    pg->writer.cloud = pg->reader.cloud = options->cloud ? options->cloud : &pg->own;
    *ret_meta = PX_TAKE(meta);
    return 0;
}
