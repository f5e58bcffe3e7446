/* store/meta.c - the metadata store on SQLite.
 *
 * SQLite numbers $1, $2, ... by their first appearance in the text, PostgreSQL by the digits; they are
 * bound by name here, so that the digits count. */
#include "store/meta.h"

#include "base/px_clock.h"
#include "store/lite.h"

#include <stdio.h>
#include <stdlib.h>

struct meta {
    struct lite lite;
    bool read_only;
};
struct meta_rows {
    struct lite_stmt stmt;
    int pending; /* the answer of a step taken ahead; 0: none */
};

int meta_open(struct px_str url, const struct meta_options *options, struct meta **ret_meta)
{
    if (px_str_starts(url, S("postgres:")) || px_str_starts(url, S("postgresql:")))
        return px_fault(PX_F_CONFIG, "metadata in PostgreSQL is not built in");
    PX_AUTO(meta_close) struct meta *meta = calloc(1, sizeof *meta);
    if (!meta) return px_fault(PX_F_OOM, "the metadata store");
    struct lite_options lite_options = {0};
    if (options) lite_options = (struct lite_options){options->busy_ms, options->read_only};
    meta->read_only = lite_options.read_only;
    PX_TRY(lite_open(url, &lite_options, &meta->lite));
    *ret_meta = PX_TAKE(meta);
    return 0;
}

void meta_close(struct meta **meta)
{
    if (!*meta) return;
    lite_close(&(*meta)->lite); /* rolls back what was not committed */
    free(*meta);
    *meta = NULL;
}

/* ---- statements ---- */

static int bind_value(sqlite3_stmt *stmt, int index, const struct meta_value *value)
{
    const char *ptr = value->s.ptr ? value->s.ptr : "";
    switch (value->type) {
    case META_NULL: return sqlite3_bind_null(stmt, index);
    case META_INT: return sqlite3_bind_int64(stmt, index, value->i);
    case META_REAL: return sqlite3_bind_double(stmt, index, value->d);
    case META_TEXT:
        return sqlite3_bind_text64(stmt, index, ptr, value->s.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    case META_BYTES: return sqlite3_bind_blob64(stmt, index, ptr, value->s.len, SQLITE_TRANSIENT);
    }
    return SQLITE_MISUSE;
}

static int statement_take(struct meta *meta, const char *sql, const struct meta_value *params,
                          size_t count, struct lite_stmt *ret_stmt)
{
    PX_TRY(lite_take(&meta->lite, sql, ret_stmt));
    PX_ASSERT((size_t)sqlite3_bind_parameter_count(ret_stmt->stmt) == count);
    for (size_t i = 0; i < count; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "$%zu", i + 1);
        int index = sqlite3_bind_parameter_index(ret_stmt->stmt, name);
        PX_ASSERT(index > 0);
        if (bind_value(ret_stmt->stmt, index, &params[i]) != SQLITE_OK)
            return lite_fault(&meta->lite, sql);
    }
    return 0;
}

int meta_exec(struct meta *meta, const char *sql, const struct meta_value *params, size_t count,
              int64_t *ret_changed)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(statement_take(meta, sql, params, count, &stmt));
    int64_t before = sqlite3_total_changes64(meta->lite.db);
    int r = lite_step(&stmt);
    if (r == LITE_CONFLICT) return META_CONFLICT;
    if (r == LITE_ROW) return px_fault(PX_F_BUG, "rows from meta_exec: %s", sql);
    if (r != LITE_DONE) PX_TRY(r);
    if (ret_changed) {
        bool any = sqlite3_total_changes64(meta->lite.db) !=
                   before; /* DDL leaves changes() stale */
        *ret_changed = any ? sqlite3_changes64(meta->lite.db) : 0;
    }
    return 0;
}

int meta_select(struct meta *meta, const char *sql, const struct meta_value *params, size_t count,
                struct meta_rows **ret_rows)
{
    PX_AUTO(meta_rows_close) struct meta_rows *rows = calloc(1, sizeof *rows);
    if (!rows) return px_fault(PX_F_OOM, "rows");
    PX_TRY(statement_take(meta, sql, params, count, &rows->stmt));
    rows->pending = lite_step(&rows->stmt);
    if (rows->pending == LITE_CONFLICT) return META_CONFLICT;
    if (rows->pending < 0) PX_TRY(rows->pending);
    *ret_rows = PX_TAKE(rows);
    return 0;
}

static struct meta_value column_value(const struct lite_stmt *stmt, int column)
{
    switch (sqlite3_column_type(stmt->stmt, column)) {
    case SQLITE_INTEGER: return meta_i(sqlite3_column_int64(stmt->stmt, column));
    case SQLITE_FLOAT:
        return (struct meta_value){META_REAL, 0, sqlite3_column_double(stmt->stmt, column), {0}};
    case SQLITE_TEXT: return meta_s(lite_column(stmt, column));
    case SQLITE_BLOB: return meta_bytes(lite_column(stmt, column));
    default: return meta_null();
    }
}

int meta_rows_next(struct meta_rows *rows, struct meta_value *values, size_t columns)
{
    int r = rows->pending ? rows->pending : lite_step(&rows->stmt);
    rows->pending = r == LITE_DONE ? LITE_DONE : 0; /* the end stays the end */
    if (r == LITE_DONE) return META_END;
    if (r != LITE_ROW) PX_TRY(r);
    PX_ASSERT((size_t)sqlite3_column_count(rows->stmt.stmt) == columns);
    for (size_t i = 0; i < columns; i++) values[i] = column_value(&rows->stmt, (int)i);
    return 0;
}

void meta_rows_close(struct meta_rows **rows)
{
    if (!*rows) return;
    lite_give(&(*rows)->stmt);
    free(*rows);
    *rows = NULL;
}

/* ---- transactions ---- */

int meta_begin(struct meta *meta, bool write)
{
    if (write)
        PX_TRY(lite_begin_write(&meta->lite, false));
    else
        PX_TRY(lite_run(&meta->lite, "BEGIN"));
    return 0;
}

int meta_commit(struct meta *meta)
{
    PX_TRY(lite_run(&meta->lite, "COMMIT"));
    return 0;
}

void meta_rollback(struct meta *meta) { lite_rollback(&meta->lite); }

/* ---- migrations ---- */

/* Answers: LITE_ROW when the step was run before. */
static int step_look(struct meta *meta, const struct meta_migration *step)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(&meta->lite, "SELECT 1 FROM migrations WHERE number = ?1", &stmt));
    lite_bind_int(&stmt, 1, step->number);
    return lite_step(&stmt);
}

/* Inside a write transaction; another process may have been faster. */
static int step_run(struct meta *meta, const struct meta_migration *step)
{
    int r = step_look(meta, step);
    if (r == LITE_ROW) return 0;
    if (r != LITE_DONE) PX_TRY(r);
    PX_TRY(lite_run_script(&meta->lite, step->sql));
    const struct meta_value params[] = {meta_i(step->number), meta_s(px_str_c(step->name)),
                                        meta_i(px_wall_ns(&px_clock_system))};
    PX_TRY(meta_exec(meta, "INSERT INTO migrations (number, name, applied_ns) VALUES ($1, $2, $3)",
                     params, PX_COUNT(params), NULL));
    return 0;
}

static int in_transaction(struct meta *meta, const struct meta_migration *step,
                          int (*run)(struct meta *meta, const struct meta_migration *step))
{
    PX_TRY(meta_begin(meta, true));
    int r = run(meta, step);
    if (r == 0) r = meta_commit(meta);
    if (r != 0) meta_rollback(meta);
    PX_TRY(r);
    return 0;
}

static int home_make(struct meta *meta, const struct meta_migration *unused)
{
    (void)unused;
    PX_TRY(lite_run_script(&meta->lite, "CREATE TABLE IF NOT EXISTS migrations ("
                                        "number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL,"
                                        "applied_ns BIGINT NOT NULL)"));
    return 0;
}

static int home_exists(struct meta *meta, bool *ret_exists)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(&meta->lite, "SELECT 1 FROM sqlite_schema WHERE name = 'migrations'", &stmt));
    int r = lite_step(&stmt);
    if (r != LITE_ROW && r != LITE_DONE) PX_TRY(r);
    *ret_exists = r == LITE_ROW;
    return 0;
}

int meta_migrate(struct meta *meta, const struct meta_migration *steps, size_t count)
{
    PX_ASSERT(!meta->read_only);
    bool exists;
    PX_TRY(home_exists(meta, &exists));
    if (!exists) PX_TRY(in_transaction(meta, NULL, home_make));
    for (size_t i = 0; i < count; i++) {
        PX_ASSERT(i == 0 || steps[i - 1].number < steps[i].number);
        int r = step_look(meta, &steps[i]); /* without the write lock: nearly always it is done */
        if (r == LITE_ROW) continue;
        if (r != LITE_DONE) PX_TRY(r);
        PX_TRY(in_transaction(meta, &steps[i], step_run));
    }
    return 0;
}
