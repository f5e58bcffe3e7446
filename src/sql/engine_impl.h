/* sql/engine_impl.h - the engine's layout, for the files of this folder only. */
#pragma once

#include "sql/engine.h"
#include "sql/watch.h"

#define SQL_ENGINE_MAGIC 0x53514c45u
#define SQL_PASSED_MAX 32 /* statements remembered by sql_check(), and their bounds */
#define SQL_PASSED_BYTES_MAX ((size_t)8 << 10)
#define SQL_PASSED_TABLES_MAX 32

struct sql_passed; /* check.c */

struct sql_engine {
    uint32_t magic;
    bool locked;
    duckdb_database database;
    duckdb_connection connection;
    struct px_arena arena; /* names to hide */
    struct px_str temp_dir;
    const struct px_str *hidden;
    size_t hidden_count;
    uint64_t memory_bytes;
    _Atomic uint64_t remote_bytes; /* written by whatever thread of DuckDB asked S3 */
    struct sql_passed *passed[SQL_PASSED_MAX];
    size_t passed_next;
    /* the running statement */
    duckdb_prepared_statement prepared;
    duckdb_result result;
    bool has_result;
    struct sql_watch *watch;
};

/* DuckDB's text with every hidden file name replaced; ret_found: there was one. ptr NULL when the
 * arena is full. */
struct px_str sql_scrub(const struct sql_engine *engine, const char *text, struct px_arena *arena,
                        bool *ret_found);
/* Give up the running statement, if any. */
void sql_forget(struct sql_engine *engine);
/* The statements that sql_check() remembers. */
void sql_forget_passed(struct sql_engine *engine);
/* What an error of DuckDB means for trusted SQL: always a fault. */
int sql_fault(duckdb_error_type type, const char *text);
