/* region/telemetry.h - the region's own records: access log, function logs, metrics, spans and
 * what workflows say, stored
 * in the `_system` tenant by the ingest function like anybody's data: rows as NDJSON, spans as OTLP.
 *
 * They gather in bounded buffers, one per dataset, and leave once a second; each batch carries an
 * idempotency key and is sent again until it is answered. What does not fit is counted and the count
 * is itself a metric: telemetry never blocks or grows the region. */
#pragma once

#include <uv.h>

#include "base/px_buf.h"
#include "base/px_clock.h"
#include "base/px_log.h"
#include "lambda/pool.h"

enum telemetry_kind {
    TELEMETRY_ACCESS,
    TELEMETRY_FUNCTION,
    TELEMETRY_METRIC,
    TELEMETRY_SPAN,
    TELEMETRY_WORKFLOW, /* what operators should see of workflows */
    TELEMETRY_SLOW,     /* requests that took long, and where */
    TELEMETRY_KINDS
};
struct telemetry; /* opaque */

struct telemetry_options {
    uv_loop_t *loop;
    struct lambda_pool *(*pool)(void *ctx, struct px_str function);
    void *pool_ctx;
    const struct px_clock *clock;
    const struct px_log *log;
    uint32_t flush_ms;       /* 0: 1000 */
    size_t buffer_bytes_max; /* per kind; 0: 2 MiB */
};
PX_MUST_USE int telemetry_new(const struct telemetry_options *options,
                              struct telemetry **ret_telemetry);
/* A place for one NDJSON row (the caller ends it with a newline and calls telemetry_done), of TELEMETRY_SPAN
 * for one ExportTraceServiceRequest, or NULL when the buffer is full, which is counted. */
struct px_buf *telemetry_row(struct telemetry *telemetry, enum telemetry_kind kind);
void telemetry_done(struct telemetry *telemetry, enum telemetry_kind kind);
uint64_t telemetry_dropped(const struct telemetry *telemetry);
/* Send what there is and call done when it is answered, or after wait_ms. No rows are taken after. */
void telemetry_drain(struct telemetry *telemetry, uint32_t wait_ms, void (*done)(void *ctx),
                     void *ctx);
void telemetry_free(struct telemetry **telemetry);
