/* store/meta_lite.c - the metadata store on SQLite; docs: meta.h.
 *
 * SQLite numbers $1, $2, ... by their first appearance in the text, PostgreSQL by the digits; they are
 * bound by name here, so that the digits count. */
#include "store/meta_half.h"

#include "store/lite.h"

#include <stdio.h>
#include <stdlib.h>

struct lite_meta {
    struct meta meta; /* first: the header's functions know only this */
    struct lite lite;
};
struct lite_rows {
    struct meta_rows rows;
    struct lite_stmt stmt;
    int pending; /* the answer of a step taken ahead; 0: none */
};

static struct lite *lite_of(struct meta *meta) { return &((struct lite_meta *)meta)->lite; }

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
    PX_TRY(lite_take(lite_of(meta), sql, ret_stmt));
    PX_ASSERT((size_t)sqlite3_bind_parameter_count(ret_stmt->stmt) == count);
    for (size_t i = 0; i < count; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "$%zu", i + 1);
        int index = sqlite3_bind_parameter_index(ret_stmt->stmt, name);
        PX_ASSERT(index > 0);
        if (bind_value(ret_stmt->stmt, index, &params[i]) != SQLITE_OK)
            return lite_fault(lite_of(meta), sql);
    }
    return 0;
}

static int lite_exec(struct meta *meta, const char *sql, const struct meta_value *params,
                     size_t count, int64_t *ret_changed)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(statement_take(meta, sql, params, count, &stmt));
    int64_t before = sqlite3_total_changes64(lite_of(meta)->db);
    int r = lite_step(&stmt);
    if (r == LITE_CONFLICT) return META_CONFLICT;
    if (r == LITE_ROW) return px_fault(PX_F_BUG, "rows from meta_exec: %s", sql);
    if (r != LITE_DONE) PX_TRY(r);
    if (ret_changed) {
        bool any = sqlite3_total_changes64(lite_of(meta)->db) !=
                   before; /* DDL leaves changes() stale */
        *ret_changed = any ? sqlite3_changes64(lite_of(meta)->db) : 0;
    }
    return 0;
}

static void lite_end(struct meta_rows *rows)
{
    lite_give(&((struct lite_rows *)rows)->stmt);
    free(rows);
}

static int lite_select(struct meta *meta, const char *sql, const struct meta_value *params,
                       size_t count, struct meta_rows **ret_rows)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(statement_take(meta, sql, params, count, &stmt));
    int pending = lite_step(&stmt);
    if (pending == LITE_CONFLICT) return META_CONFLICT;
    if (pending < 0) PX_TRY(pending);
    struct lite_rows *rows = calloc(1, sizeof *rows);
    if (!rows) return px_fault(PX_F_OOM, "rows");
    *rows = (struct lite_rows){{meta->half}, stmt, pending};
    stmt = (struct lite_stmt){0};
    *ret_rows = &rows->rows;
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

static int lite_next(struct meta_rows *held, struct meta_value *values, size_t columns)
{
    struct lite_rows *rows = (struct lite_rows *)held;
    int r = rows->pending ? rows->pending : lite_step(&rows->stmt);
    rows->pending = r == LITE_DONE ? LITE_DONE : 0; /* the end stays the end */
    if (r == LITE_DONE) return META_END;
    if (r != LITE_ROW) PX_TRY(r);
    PX_ASSERT((size_t)sqlite3_column_count(rows->stmt.stmt) == columns);
    for (size_t i = 0; i < columns; i++) values[i] = column_value(&rows->stmt, (int)i);
    return 0;
}

/* ---- transactions ---- */

static int lite_begin(struct meta *meta, enum meta_mode mode)
{
    if (mode == META_WRITE)
        PX_TRY(lite_begin_write(lite_of(meta), false));
    else
        PX_TRY(lite_run(lite_of(meta), "BEGIN"));
    return 0;
}

static int lite_commit(struct meta *meta)
{
    PX_TRY(lite_run(lite_of(meta), "COMMIT"));
    return 0;
}

static void meta_lite_rollback(struct meta *meta) { lite_rollback(lite_of(meta)); }

static int lite_script(struct meta *meta, const char *sql)
{
    PX_TRY(lite_run_script(lite_of(meta), sql));
    return 0;
}

static void lite_script_text(const char *sql, struct px_buf *buf) { px_buf_add_c(buf, sql); }

static int lite_has_table(struct meta *meta, const char *name, bool *ret_has)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(lite_of(meta), "SELECT 1 FROM sqlite_schema WHERE name = ?1", &stmt));
    lite_bind_text(&stmt, 1, px_str_c(name));
    int r = lite_step(&stmt);
    if (r != LITE_ROW && r != LITE_DONE) PX_TRY(r);
    *ret_has = r == LITE_ROW;
    return 0;
}

/* ---- opening ---- */

static void lite_set_deadline(struct meta *meta, int64_t mono_ns) { (void)meta, (void)mono_ns; }

static int lite_scrub(struct meta *meta) { return lite_empty_log(lite_of(meta)); }

static void meta_lite_close(struct meta *meta)
{
    lite_close(lite_of(meta));
    free(meta);
}

static const struct meta_half half = {.exec = lite_exec,
                                      .select = lite_select,
                                      .next = lite_next,
                                      .end = lite_end,
                                      .begin = lite_begin,
                                      .commit = lite_commit,
                                      .rollback = meta_lite_rollback,
                                      .script = lite_script,
                                      .script_text = lite_script_text,
                                      .has_table = lite_has_table,
                                      .set_deadline = lite_set_deadline,
                                      .scrub = lite_scrub,
                                      .close = meta_lite_close};

int meta_lite_open(struct px_str path, const struct meta_options *options, struct meta **ret_meta)
{
    struct lite_meta *made = calloc(1, sizeof *made);
    if (!made) return px_fault(PX_F_OOM, "the metadata store");
    PX_AUTO(meta_close) struct meta *meta = &made->meta;
    *meta = (struct meta){&half, options->read_only};
    struct lite_options lite_options = {options->busy_ms, options->read_only};
    PX_TRY(lite_open(path, &lite_options, &made->lite));
    if (!options->read_only) PX_TRY(lite_run_script(&made->lite, "PRAGMA secure_delete=ON"));
    *ret_meta = PX_TAKE(meta);
    return 0;
}
