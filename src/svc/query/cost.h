/* svc/query/cost.h - what a query cost: the answer's header and the "cost" of JSON answers. */
#pragma once

#include "base/px_buf.h"
#include "base/px_clock.h"

struct query_cost {
    uint64_t
        bytes_scanned; /* read from files by this process, got from S3, and hot blocks decoded */
    uint64_t files_read, files_pruned;
    uint64_t rows; /* of the result */
    double cpu_ms, wall_ms;
};
/* A point in the process's life to measure from. */
struct cost_mark {
    int64_t mono_ns;
    double cpu_ms;
    uint64_t bytes_read;
};
void cost_mark_set(struct cost_mark *mark, const struct px_clock *clock);
/* cpu, wall and the bytes that read(2) and pread(2) gave since the mark. One query runs at a time in a
 * function's process, so the process's numbers are the query's. */
void cost_since(const struct cost_mark *mark, const struct px_clock *clock,
                struct query_cost *cost);
void cost_add_json(struct px_buf *buf, const struct query_cost *cost);   /* an object */
void cost_add_header(struct px_buf *buf, const struct query_cost *cost); /* bytes_scanned=1, ... */
