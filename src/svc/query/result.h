/* svc/query/result.h - how a result becomes an answer's body: one writer a format, all behind one table
 * of functions. A writer appends to out->buf and knows nothing of limits and streams; whoever drives it
 * (reply.c) empties the buffer between chunks. Parquet is not here: it goes through a file
 * (result_parquet.h). */
#pragma once

#include "sql/cell.h"
#include "svc/query/cost.h"

struct result_out {
    struct px_buf *buf;
    struct px_arena *arena;
    duckdb_result *result;         /* schema */
    const struct px_str *names;    /* of the columns, as SQL gives them */
    const struct cell_type *types; /* NULL for formats that do not need them */
    idx_t column_count;
    uint64_t rows; /* written so far */
    void *state;   /* the writer's own */
};
enum result_answer {
    RESULT_UNSUPPORTED = 1
}; /* out->state is then a NUL-ended reason in the arena */
struct result_failure {
    int status; /* that the answer would have had */
    struct px_str detail;
};
struct result_format {
    struct px_str name, content_type;
    bool binary, needs_types;
    int (*begin)(struct result_out *out);
    /* The first `rows` rows of the chunk; out->rows counts the rows before it. */
    int (*chunk)(struct result_out *out, duckdb_data_chunk chunk, idx_t rows);
    /* truncated: the request's own limit cut the result. */
    int (*end)(struct result_out *out, const struct query_cost *cost, bool truncated);
    /* Instead of end, when the answer has begun and cannot go on: complete what is written and say why
     * in the format's own terms. NULL: the format has no place for it. */
    int (*fail)(struct result_out *out, const struct result_failure *failure);
    void (*free)(struct result_out *out); /* may be NULL; after a begin() that gave 0 */
};
extern const struct result_format result_json, result_ndjson, result_csv, result_arrow;
