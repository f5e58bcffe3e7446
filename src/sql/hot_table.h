/* sql/hot_table.h - hot frames as a DuckDB table function, `prism_hot(<slot>)`: the bridge between the
 * write-ahead files and SQL, used by queries (fresh data) and by sealing (COPY to Parquet).
 *
 * A hot_set is an immutable list of frames seen through one schema. It is registered on a database
 * under a slot number; the function scans it in parallel, one frame at a time per thread, decoding
 * only the projected columns. Texts are not copied: vectors point into the decoded frame. */
#pragma once

#include <duckdb.h>

#include "columnar/convert.h"

struct hot_set {
    struct schema schema;
    const struct frame *frames;
    size_t frame_count;
    int64_t start_us, end_us; /* rows outside [start, end) are left out; INT64_MIN/MAX: all */
    uint64_t rows;            /* sum over frames, an upper bound */
};
#define HOT_SETS_MAX 64
struct hot_sets {
    const struct hot_set *sets[HOT_SETS_MAX];
    size_t count;
    _Atomic uint64_t bytes_read; /* compressed bytes of blocks decoded so far */
    /* The first fault of a scan: DuckDB then fails the statement with an error of its own, and the
     * caller finds here what it was. The text is set before the fault. */
    _Atomic int fault;
    char fault_text[256];
    _Atomic int fault_claimed; /* hot_table.c's business */
};
/* Register prism_hot(slot) on a connection's database. sets is borrowed until the database closes. */
PX_MUST_USE int hot_table_register(duckdb_connection connection, struct hot_sets *sets);
