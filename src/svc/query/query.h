/* svc/query/query.h - one SQL statement over one tenant's data: POST /v1/query.
 *
 * Order of things: authorise, read the request, check the statement (sql/engine.h), take a consistent
 * snapshot of each dataset it names (snapshot.h), make a view of each (view.h), lock the engine, run,
 * write. docs/design/query.md has vocabulary, limits, formats and the lock-down.
 *
 * Bad input and reached limits are 4xx and 5xx answers given to the sink. After a fault the caller has
 * either nothing yet or the beginning of a streamed answer. */
#pragma once

#include "base/px_arena.h"
#include "base/px_clock.h"
#include "lambda/apigw.h"
#include "sql/engine.h"
#include "store/hot.h"
#include "store/objects.h"
#include "store/readers.h"
#include "svc/catalog/catalog.h"
#include "svc/home/home.h"

struct query;  /* opaque; one per instance, one thread */
struct places; /* svc/quota/places.h */
struct rates;  /* svc/quota/rates.h */

struct query_limits {
    uint64_t memory_bytes;     /* DuckDB's; 0: 1.5 GiB */
    uint64_t temp_bytes_max;   /* spilled to the temp folder; 0: 1 GiB */
    uint32_t threads;          /* 0: 2 */
    int64_t timeout_ms;        /* 0: 25 s */
    uint64_t rows_max;         /* of a result; 0: 1,000,000 */
    uint64_t result_bytes_max; /* 0: 200 MiB */
    uint64_t copies_bytes_max; /* of local copies of small objects in S3; 0: 128 MiB */
    uint64_t copy_bytes_max;   /* of one; 0: 1 MiB */
};
struct query_options {
    struct hot_store *hot; /* borrowed, all of them */
    struct object_store *segments, *analytics;
    struct object_readers *readers; /* NULL where both are folders */
    struct sql_remote remote;       /* copied; needed where one is not */
    struct catalog *catalog;
    /* What tenants spend a second, and how many queries of theirs run; NULL: a gateway sees to it. */
    struct rates *rates;
    struct places *places;
    const struct px_clock *clock;
    struct home home; /* whose records are queried, borrowed; zeros: everybody's */
    struct query_limits limits;
    struct px_str temp_dir; /* for spilling and for Parquet answers; copied */
};
/* Opens the first engine, so that no request waits for it. */
PX_MUST_USE int query_new(const struct query_options *options, struct query **ret_query);
void query_free(struct query **query);
/* Other limits from the next request on; zeros: the defaults. Those of DuckDB (memory, temporary files,
 * threads) and of copies stay as they were. */
void query_set_limits(struct query *query, const struct query_limits *limits);

/* Where an answer goes. begin is called once; when `whole`, the body is complete and nothing follows,
 * else pieces follow through more. A body that is not whole is longer than QUERY_WHOLE_BYTES_MAX, so
 * that a whole one fits into a synchronous Lambda response even as base64. */
#define QUERY_WHOLE_BYTES_MAX ((size_t)4 << 20)
struct query_answer {
    int status;
    const struct http_header *headers;
    size_t header_count;
    struct px_str body;
    bool binary, whole;
};
struct query_sink {
    int (*begin)(void *ctx, const struct query_answer *answer);
    int (*more)(void *ctx,
                struct px_str piece); /* NULL: no streaming, longer answers are refused */
    void *ctx;
};
enum query_outcome {
    QUERY_CUT =
        1, /* a streamed answer ended before its end, in a format without a place for the reason:
                      ret_why says why */
};
/* cancelled: may be set by a signal handler; the statement then ends soon. deadline_mono_ns: on the
 * options' clock; the limit timeout_ms counts, too. */
PX_MUST_USE int query_handle(struct query *query, const struct api_event *event,
                             struct px_arena *arena, int64_t deadline_mono_ns,
                             const _Atomic bool *cancelled, const struct query_sink *sink,
                             struct px_str *ret_why);
