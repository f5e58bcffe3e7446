/* sql/engine.h - one DuckDB database for one query, one tenant's queries or one maintenance job: opened in
 * memory, limited, locked down, run with deadline and cancellation. docs/design/query.md: what is
 * refused, and why.
 *
 * An engine belongs to one thread at a time; opening takes about 6 ms of CPU, so that who answers
 * requests opens the next one ahead and keeps one (svc/query/engines.h). */
#pragma once

#include <duckdb.h>

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "base/px_clock.h"

struct sql_engine; /* opaque */
/* Objects in S3 are read with this (sql/remote.h); an empty extension: only files are read. */
struct sql_remote {
    struct px_str extension; /* path of httpfs.duckdb_extension */
    bool verified; /* this process has loaded that file before: its code is in memory, and another
                      engine need not hash 21 MB (80 ms) for the signature once more */
    struct px_str ca_file; /* PEM; empty: the system's */
};
struct sql_limits {
    uint64_t memory_bytes;
    uint32_t threads;
    struct px_str
        temp_dir; /* for spilled rows; of a folder that exists, a new one in it is used, so
                               that engines share it safely; empty: no spilling */
    uint64_t temp_bytes_max;
    struct sql_remote remote;
};
/* Session time zone UTC; now(), current_timestamp and their kin give TIMESTAMP, so that they compare
 * with `time` without a cast and prune row groups. */
PX_MUST_USE int sql_engine_new(const struct sql_limits *limits, struct sql_engine **ret_engine);
void sql_engine_free(struct sql_engine **engine);
/* End the statement and the connection: nothing runs, temporary views are gone, and what was registered
 * may go. sql_engine_free() then has the database left to close, which takes milliseconds; another
 * thread may do it. */
void sql_engine_stop(struct sql_engine *engine);
/* A stopped engine on a new connection; a lock stays. */
PX_MUST_USE int sql_engine_renew(struct sql_engine *engine);
duckdb_connection sql_engine_connection(struct sql_engine *engine);
/* Run trusted SQL of ours, which may be several statements; an error is a fault with DuckDB's text. */
PX_MUST_USE int sql_exec(struct sql_engine *engine, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* From here on: only these files can be opened, no setting changed, no extension loaded. Their names
 * are kept out of the texts that sql_run() and sql_fetch() give. Called once. */
PX_MUST_USE int sql_engine_lock(struct sql_engine *engine, const struct px_str *files,
                                size_t count);
/* The same with whole folders, whose names end in '/'. */
PX_MUST_USE int sql_engine_lock_folders(struct sql_engine *engine, const struct px_str *folders,
                                        size_t count);

/* Names in SQL text. */
void sql_add_identifier(struct px_buf *buf, struct px_str name); /* "na""me" */
void sql_add_literal(struct px_buf *buf, struct px_str text);    /* 'te''xt' */

enum sql_answer { SQL_REFUSED = 1, SQL_FAILED, SQL_CANCELLED, SQL_TIMEOUT, SQL_MEMORY };

#define SQL_STATEMENT_BYTES_MAX (128 * 1024)

/* A table that a statement names, in lower case; `defined`: the statement defines a CTE of this name
 * somewhere, so that it need not exist. */
struct sql_table {
    struct px_str name;
    bool defined;
};
struct sql_statement {
    struct sql_table *tables; /* without repetition, in order of appearance */
    size_t table_count;
    bool shows_tables; /* SHOW TABLES */
};
/* A tenant's statement: exactly one SELECT (WITH, VALUES, FROM-first, DESCRIBE, SUMMARIZE and SHOW
 * TABLES are fine), unqualified tables, functions of a closed list (sql/functions.h), no parameters.
 * It is only parsed, nothing is looked up; the last texts that passed are known without. The tables
 * are valid until the next call.
 * Answers: SQL_REFUSED with a sentence for the caller in ret_why (in arena). */
PX_MUST_USE int sql_check(struct sql_engine *engine, struct px_str sql, struct px_arena *arena,
                          struct sql_statement *ret_statement, struct px_str *ret_why);

/* How long a statement may run. */
struct sql_leash {
    const struct px_clock *clock;
    int64_t deadline_mono_ns;
    const _Atomic bool *cancelled; /* set by a signal handler or a thread; NULL: never */
};
/* Execute a statement that passed sql_check(), on a locked engine. Chunks are then had from
 * sql_fetch(); ret_result stays valid until sql_engine_free() or the next sql_run(). The leash holds
 * from this call to the end of fetching. Answers: SQL_FAILED (ret_why: DuckDB's words, without paths),
 * SQL_MEMORY, SQL_CANCELLED, SQL_TIMEOUT.
 * Faults: PX_F_IO when a file cannot be read, PX_F_UNAVAILABLE when S3 does not give an object, PX_F_BUG
 * for an internal error of DuckDB. */
PX_MUST_USE int sql_run(struct sql_engine *engine, struct px_str sql, const struct sql_leash *leash,
                        struct px_arena *arena, duckdb_result **ret_result, struct px_str *ret_why);
/* Likewise for a COPY of ours around a tenant's checked statement. */
PX_MUST_USE int sql_run_copy(struct sql_engine *engine, struct px_str sql,
                             const struct sql_leash *leash, struct px_arena *arena,
                             duckdb_result **ret_result, struct px_str *ret_why);
/* The next chunk, to be destroyed by the caller; NULL at the end. Answers and faults as sql_run. */
PX_MUST_USE int sql_fetch(struct sql_engine *engine, struct px_arena *arena,
                          duckdb_data_chunk *ret_chunk, struct px_str *ret_why);
