/* svc/ingest/decode.h - request bodies to rows. A decoder is pure: bytes in, rows and refusals out. */
#pragma once

#include "base/px_arena.h"
#include "columnar/batch.h"

struct decode_limits {
    size_t record_bytes_max;
    uint32_t records_max, fields_max;
    int64_t time_min_us, time_max_us; /* accepted range */
    int64_t now_ns;                   /* arrival: the time of records that have none */
};
/* A refused record: which one and why. The first DECODE_REFUSALS_KEPT are kept, all are counted. */
#define DECODE_REFUSALS_KEPT 20
struct decode_refusal {
    uint64_t record; /* index in the request, from 0 */
    struct px_where where;
};
struct decode_result {
    uint64_t accepted, refused;
    struct decode_refusal refusals[DECODE_REFUSALS_KEPT];
    uint32_t refusals_kept;
};
enum decode_answer {
    DECODE_INVALID = 1, /* the body as a whole: ret_where says what and where; no row was added */
    DECODE_TOO_LARGE,   /* more records or bytes than allowed; ret_where says which limit */
};
/* NDJSON (one object a line, blank lines skipped) or one JSON array of objects or one object, which
 * may take several lines: told by the first byte. Nested objects are flattened with dots, arrays
 * become JSON text, null is absent. The batch must be empty. docs/design/schema.md has the rules for
 * names, numbers and times.
 * A record's time is its first of: time_field when given, time, timestamp, @timestamp, ts, _time:
 * RFC 3339 text or a number in s, ms, us or ns, told by its magnitude; else the arrival. */
PX_MUST_USE int decode_json_records(struct px_str body, struct px_str time_field,
                                    const struct decode_limits *limits, struct px_arena *arena,
                                    struct batch *batch, struct decode_result *ret_result,
                                    struct px_where *ret_where);
/* OTLP export requests, protobuf (json false) or OTLP's JSON mapping. Columns: docs/design/ingest.md. */
enum otlp_signal { OTLP_LOGS, OTLP_TRACES, OTLP_METRICS };
PX_MUST_USE int decode_otlp(enum otlp_signal signal, bool json, struct px_str body,
                            const struct decode_limits *limits, struct px_arena *arena,
                            struct batch *batch, struct decode_result *ret_result,
                            struct px_where *ret_where);
/* Undo Content-Encoding: "", identity, gzip, deflate or zstd.
 * Answers: DECODE_INVALID (unknown encoding or broken stream), DECODE_TOO_LARGE (past bytes_max; found
 * while inflating, so a bomb costs bytes_max at most). `out` holds the bytes. */
PX_MUST_USE int decode_content(struct px_str encoding, struct px_str body, size_t bytes_max,
                               struct px_buf *out, struct px_str *ret_body,
                               struct px_where *ret_where);
