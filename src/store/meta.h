/* store/meta.h - relational metadata through one narrow SQL dialect: the catalog's home.
 *
 * Embedded half: SQLite in WAL mode, synchronous=FULL. The PostgreSQL half comes behind the same
 * header, so statements keep to what both speak: parameters $1..$9, types BIGINT, TEXT, BYTEA (BLOB
 * in SQLite, same spelling works by affinity), DOUBLE PRECISION; ON CONFLICT; RETURNING; no
 * AUTOINCREMENT, no booleans, times as BIGINT nanoseconds.
 * One connection, one thread. Statements are prepared once and kept by their address-stable text. */
#pragma once

#include "base/px.h"
#include "base/px_arena.h"

struct meta;
struct meta_rows; /* a running SELECT */
enum meta_answer { META_CONFLICT = 1, META_END };

struct meta_options {
    int busy_ms; /* 0: 5000 */
    bool read_only;
};
PX_MUST_USE int meta_open(struct px_str url, const struct meta_options *options,
                          struct meta **ret_meta);
void meta_close(struct meta **meta);

enum meta_type { META_NULL, META_INT, META_REAL, META_TEXT, META_BYTES };
struct meta_value {
    enum meta_type type;
    int64_t i;
    double d;
    struct px_str s; /* TEXT, BYTES */
};
static inline struct meta_value meta_i(int64_t i)
{
    return (struct meta_value){META_INT, i, 0, {0}};
}
static inline struct meta_value meta_s(struct px_str s)
{
    return (struct meta_value){META_TEXT, 0, 0, s};
}
static inline struct meta_value meta_bytes(struct px_str s)
{
    return (struct meta_value){META_BYTES, 0, 0, s};
}
static inline struct meta_value meta_null(void)
{
    return (struct meta_value){META_NULL, 0, 0, {0}};
}

/* Run a statement that returns no rows. ret_changed (may be NULL): rows changed.
 * Answers: META_CONFLICT on a unique or foreign key violation. */
PX_MUST_USE int meta_exec(struct meta *meta, const char *sql, const struct meta_value *params,
                          size_t count, int64_t *ret_changed);
/* Also for INSERT ... RETURNING: read it to META_END then, or the commit's outcome stays unknown.
 * Answers: META_CONFLICT as above. After it, roll back a running transaction (PostgreSQL insists). */
PX_MUST_USE int meta_select(struct meta *meta, const char *sql, const struct meta_value *params,
                            size_t count, struct meta_rows **ret_rows);
/* Next row: `columns` values into values[]; text lives until the next call. Answers: META_END. */
PX_MUST_USE int meta_rows_next(struct meta_rows *rows, struct meta_value *values, size_t columns);
void meta_rows_close(struct meta_rows **rows);

/* A write transaction takes the write lock at once (BEGIN IMMEDIATE); a read transaction is a
 * snapshot. meta_rollback without a transaction is a no-op. */
PX_MUST_USE int meta_begin(struct meta *meta, bool write);
PX_MUST_USE int meta_commit(struct meta *meta);
void meta_rollback(struct meta *meta);

/* Migrations: numbered steps, each run once, in order, in one transaction each; two processes may
 * call it at once. Steps only add (expand); removal comes a release later (contract). */
struct meta_migration {
    int number;
    const char *name;
    const char *sql; /* several statements; the portable dialect */
};
PX_MUST_USE int meta_migrate(struct meta *meta, const struct meta_migration *steps, size_t count);
