/* store/meta.h - relational metadata through one narrow SQL dialect: the catalog's home.
 *
 * Embedded half: SQLite in WAL mode, synchronous=FULL. AWS half: PostgreSQL through libpq, straight
 * or by RDS Proxy (docs/design/aws.md). Statements keep to what both speak: parameters $1..$32, types
 * BIGINT, TEXT, BYTEA (BLOB in SQLite, same spelling works by affinity), DOUBLE PRECISION; ON
 * CONFLICT; RETURNING; no AUTOINCREMENT, no booleans, times as BIGINT nanoseconds. Text is UTF-8
 * without NUL and orders by its bytes. A column of another type is cast (sum() of BIGINT is no BIGINT).
 * One connection, one thread. SQLite prepares statements once and keeps them by their address-stable
 * text; PostgreSQL keeps none. */
#pragma once

#include "base/px.h"
#include "base/px_arena.h"

struct cloud_shared; /* aws/shared.h */
struct meta;
struct meta_rows; /* a running SELECT */
enum meta_answer { META_CONFLICT = 1, META_END };

struct meta_options {
    int busy_ms;      /* how long to wait for another writer, and to reach PostgreSQL; 0: 5000 */
    int statement_ms; /* PostgreSQL's limit of a statement where no deadline is set; 0: 30000 */
    bool read_only;
    struct px_str user, password; /* PostgreSQL: in place of the URL's; empty: the URL's */
    struct px_str reader_url;     /* PostgreSQL: where META_LAGGING may read; empty: from url */
    struct cloud_shared *cloud; /* borrowed; signs for PostgreSQL; NULL: the store makes its own */
};
/* url: path of the SQLite file (created when absent, mode 0600), or "postgresql://user@host/database"
 * (docs/design/aws.md), to which the first call connects.
 * Faults of PostgreSQL, here and later: PX_F_CONFIG (the URL, an unknown database), PX_F_DENIED (who
 * connects, or what may be done), PX_F_UNAVAILABLE (nobody answers, or the connection broke), PX_F_BUSY
 * (locked, no connection left), PX_F_TIMEOUT, PX_F_LIMIT (text that is no UTF-8, too many rows). A
 * statement outside of a transaction, and the beginning of one, is tried again while that is safe and
 * busy_ms lasts. A transaction whose connection breaks is gone: its calls fault until meta_rollback. */
PX_MUST_USE int meta_open(struct px_str url, const struct meta_options *options,
                          struct meta **ret_meta);
void meta_close(struct meta **meta);
/* No later call lasts longer than until then (monotonic, of px_clock_system); 0: no end. SQLite's
 * calls wait only as busy_ms says. */
void meta_set_deadline(struct meta *meta, int64_t mono_ns);

/* Leave no byte of what was deleted in the file: SQLite overwrites what it deletes, but its log keeps it until that is
 * written over; this empties it. PostgreSQL's vacuum does likewise by itself. Not in a transaction. Faults: PX_F_BUSY when others read. */
PX_MUST_USE int meta_scrub(struct meta *meta);

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

/* Run a statement that returns no rows. ret_changed (may be NULL): rows changed. Outside of a
 * transaction it is one of its own, so a fault may leave its outcome unknown (meta_commit).
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

enum meta_mode {
    META_SNAPSHOT, /* reads of one moment */
    META_WRITE,    /* the only writer from now on: the write lock is taken at once */
    META_LAGGING /* reads of one moment that may be some time ago: from a replica if there is one */
};
PX_MUST_USE int meta_begin(struct meta *meta, enum meta_mode mode);
/* After a fault a transaction that wrote may have been committed all the same (the answer was lost, and
 * what became of it could not be asked), so whoever does it again has to find out. Readers never mind. */
PX_MUST_USE int meta_commit(struct meta *meta);
void meta_rollback(struct meta *meta); /* without a transaction a no-op */
