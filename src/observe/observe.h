/* observe/observe.h - what a function tells of its events: metrics and spans, noted while an event is in
 * work, written and sent after its answer. docs/design/observability.md has the formats.
 *
 * Stores and clients note what they do through the functions of the first half, which find the
 * process's observer per thread, as errno is found: it only ever explains, so it is no parameter of
 * every call in between. Where a thread has none (the region, a command, DuckDB's workers, a test) they
 * do nothing, and without a sampled trace no span is made. Nothing here fails its caller. */
#pragma once

#include "base/px_clock.h"
#include "base/px_fault.h"
#include "base/px_log.h"
#include "observe/metrics.h"
#include "observe/spans.h"

/* ---- while an event is in work ---- */

void observe_add(enum metric metric, double amount);
/* The event's tenant, once known: on log lines, metric lines and its span. */
void observe_tenant(struct px_str tenant);
/* Whether the event has a span, which the following three add to. */
PX_MUST_USE bool observe_is_recorded(void);
void observe_event_text(const char *key, struct px_str value);
void observe_event_number(const char *key, int64_t value);
/* The caller belongs to another trace than the platform put the event into: a link to it. */
void observe_event_link(struct px_str traceparent, struct px_str tracestate);

/* A piece of work within the event, and its span. */
struct observe_work {
    struct observe *observe; /* NULL: nobody looks */
    struct span *span;       /* NULL: not sampled, or no room */
    uint8_t above[8];        /* whose children follow when it ends */
    int64_t begin_mono_ns;
};
/* name: "DynamoDB PutItem"; no tenant's data in it. */
struct observe_work observe_begin(const char *name, enum span_kind kind);
void observe_text(const struct observe_work *work, const char *key, struct px_str value);
void observe_number(const struct observe_work *work, const char *key, int64_t value);
/* A fault (result < 0) marks the span; answers are no errors. */
void observe_end(struct observe_work *work, int result);
/* The same for a call of a store: store_calls, store_ms and store_faults tell of it, too. */
void observe_end_store(struct observe_work *work, int result);
/* An attempt of a call failed: what kind of fault it was, as store_throttled, store_timeouts ... */
void observe_store_kind(int fault);

/* Where this thread is, to be passed on; false: in no trace. */
PX_MUST_USE bool observe_context(struct trace_context *ret_context);

/* ---- the runtime's half ---- */

struct observe; /* opaque */
struct observe_options {
    const struct px_clock *clock;
    struct px_str function;                /* borrowed */
    const struct metrics_options *metrics; /* NULL: no metrics */
    uint32_t metrics_interval_ms; /* 0: a line after each event; else at most one in so long */
    bool spans;                   /* record sampled traces */
    uint32_t spans_interval_ms;   /* between two batches; 0: 1000 */
    struct px_str region, environment, version; /* of the spans' resource; may be empty; borrowed */
};
/* It becomes the calling thread's. Faults: those of metrics_new(). */
PX_MUST_USE int observe_new(const struct observe_options *options, struct observe **ret_observe);
void observe_free(struct observe **observe);

struct observe_event {
    struct px_str request_id;
    struct px_str trace;        /* X-Ray form; may be empty */
    struct px_str function_arn; /* may be empty */
    bool cold;
};
void observe_event_begin(struct observe *observe, const struct observe_event *event);
/* After the answer was posted.
 *   status   of the answer; 0: it has none, negative: an error was posted instead */
void observe_event_end(struct observe *observe, int status);
/* For log lines of the event: its trace, its tenant, whether it is the first. Stays where it is. */
const struct px_log_context *observe_log_context(const struct observe *observe);

/* Metric lines that are due now, or all there are; empty: none. Views into a buffer of its own. */
struct px_str observe_metric_lines(struct observe *observe, bool all);
/* An OTLP request that is due now, or all there is; empty: none. Then one of the two below. */
struct px_str observe_span_batch(struct observe *observe, bool all);
void observe_batch_sent(struct observe *observe, uint64_t refused); /* refused: of its spans */
/* Keep it and try again later: after 1 s, 2 s ... 60 s. Spans that find no room meanwhile are dropped. */
void observe_batch_failed(struct observe *observe);
/* In how many ms something is due without another event; 0: never. */
uint32_t observe_due_ms(const struct observe *observe);
