/* svc/storage/parquet.h - rows into one Parquet file through DuckDB, with what the catalog wants to know
 * about the file. */
#pragma once

#include "base/px_arena.h"
#include "columnar/schema.h"
#include "sql/engine.h"
#include "svc/catalog/lifecycle.h"

struct parquet_job {
    struct px_str select;        /* SQL that gives the rows */
    struct px_str path;          /* of the file to write */
    const struct schema *schema; /* its columns, for the statistics */
    const struct lifecycle_parquet *how;
};
struct parquet_file {
    int64_t rows, bytes;
    bool has_times; /* exact bounds of `time` follow */
    int64_t time_min_us, time_max_us;
    struct px_str stats_json; /* see struct segment */
};
/* The file is complete but not synced on return. Its statistics come from the writer, nothing is read
 * again: of time, whole numbers, doubles without NaN, and strings whose bounds are short. */
PX_MUST_USE int parquet_write(struct sql_engine *engine, const struct parquet_job *job,
                              struct px_arena *arena, struct parquet_file *ret_file);

/* The columns for a select, as a file of ours has them. */
void parquet_add_columns(const struct schema *schema, struct px_buf *sql);

/* Run trusted SQL that gives rows of integers (at most max rows of `columns`); NULL gives 0. More rows
 * than max are PX_F_LIMIT. */
PX_MUST_USE int parquet_select_ints(struct sql_engine *engine, struct px_str sql, size_t columns,
                                    size_t max, int64_t *values, size_t *ret_rows);
/* Decode every value of a file. Answers: PARQUET_BAD when it cannot be decoded or does not hold
 * `rows` rows; ret_why says so. Faults: memory, disk: nothing is said about the file. */
enum parquet_answer { PARQUET_BAD = 1 };
PX_MUST_USE int parquet_verify(struct sql_engine *engine, struct px_str path, int64_t rows,
                               struct px_arena *arena, struct px_str *ret_why);
