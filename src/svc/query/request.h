/* svc/query/request.h - the request of POST /v1/query, read and checked. */
#pragma once

#include "lambda/apigw.h"

enum query_format { QUERY_JSON, QUERY_NDJSON, QUERY_CSV, QUERY_ARROW, QUERY_PARQUET };

struct query_request {
    struct px_str sql;
    int64_t start_us, end_us; /* [start, end); INT64_MIN, INT64_MAX: open */
    enum query_format format;
    uint64_t limit; /* rows wanted at most; UINT64_MAX: all */
};
enum request_answer { REQUEST_INVALID = 1, REQUEST_NOT_ACCEPTABLE };
/* The body: {"sql", "start", "end", "format", "limit"}; without "format" the Accept header decides, and
 * without that it is JSON. A time is RFC 3339 text, a number since 1970 in s, ms, us or ns (told by its
 * size), "now", or a distance from now such as "-15m" (s, m, h, d, w).
 * Answers: REQUEST_INVALID, and REQUEST_NOT_ACCEPTABLE when Accept decides and takes none of the formats; with a sentence in ret_why. */
PX_MUST_USE int query_request_read(const struct api_event *event, int64_t now_ns,
                                   struct px_arena *arena, struct query_request *ret_request,
                                   struct px_str *ret_why);
