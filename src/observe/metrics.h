/* observe/metrics.h - Prism's own metrics: one table of them, sums and values of a process since the last
 * flush, and the lines in CloudWatch's embedded metric format (EMF) that a flush writes.
 *
 * platform/alarms.json lists the same metrics for Terraform, docs/design/observability.md for people;
 * tests/unit/observe/test_metrics.c compares the three. */
#pragma once

#include "base/px_buf.h"
#include "base/px_clock.h"

/* COUNT: a sum. GAUGE: the newest. VALUES: each one, for percentiles. */
enum metric_kind { METRIC_COUNT, METRIC_GAUGE, METRIC_VALUES };

/* id, name, unit of CloudWatch's, kind, whether chosen tenants have it as a metric of their own, meaning.
 * One line each: tests read this table. */
/* clang-format off */
#define METRICS(X)                                                                                                        \
    X(ANSWERS_2XX, "answers_2xx", "Count", COUNT, true, "Answers with a status of 200 to 299.")                           \
    X(ANSWERS_4XX, "answers_4xx", "Count", COUNT, true, "Answers with a status of 400 to 499.")                           \
    X(ANSWERS_5XX, "answers_5xx", "Count", COUNT, true, "Answers with a status of 500 to 599.")                           \
    X(FUNCTION_ERRORS, "function_errors", "Count", COUNT, false, "Events that ended with an error instead of an answer.") \
    X(EVENT_MS, "event_ms", "Milliseconds", VALUES, true, "From an event to its answer.")                                 \
    X(COLD_STARTS, "cold_starts", "Count", COUNT, false, "First events of a process.")                                    \
    X(MEMORY_PEAK, "memory_peak", "Bytes", GAUGE, false, "Most resident memory that the process has had.")                \
    X(RECORDS_ACCEPTED, "records_accepted", "Count", COUNT, true, "Records that were stored.")                            \
    X(RECORDS_REFUSED, "records_refused", "Count", COUNT, true, "Records that were refused by themselves.")               \
    X(BATCHES_REPEATED, "batches_repeated", "Count", COUNT, true, "Requests whose records had been stored before.")       \
    X(INGEST_BYTES, "ingest_bytes", "Bytes", COUNT, true, "Request bodies that were stored, as they came.")               \
    X(QUOTA_REFUSALS, "quota_refusals", "Count", COUNT, true, "Requests over their tenant's rate, refused by a function.")\
    X(ROWS_RETURNED, "rows_returned", "Count", COUNT, true, "Rows of answers to queries.")                                \
    X(STORE_CALLS, "store_calls", "Count", COUNT, false, "Calls of stores.")                                              \
    X(STORE_MS, "store_ms", "Milliseconds", VALUES, false, "How long calls of stores took, with their retries.")          \
    X(STORE_FAULTS, "store_faults", "Count", COUNT, false, "Calls of stores that failed in the end.")                     \
    X(STORE_RETRIES, "store_retries", "Count", COUNT, false, "Attempts after the first.")                                 \
    X(STORE_THROTTLED, "store_throttled", "Count", COUNT, false, "Attempts that a store turned away as too many.")        \
    X(STORE_UNAVAILABLE, "store_unavailable", "Count", COUNT, false, "Attempts that found no store, or one that failed.") \
    X(STORE_TIMEOUTS, "store_timeouts", "Count", COUNT, false, "Attempts without an answer in time.")                     \
    X(STORE_DENIED, "store_denied", "Count", COUNT, false, "Attempts with credentials that are missing, old or too weak.")\
    X(SPANS_SENT, "spans_sent", "Count", COUNT, false, "Spans that were taken by who collects them.")                     \
    X(SPANS_DROPPED, "spans_dropped", "Count", COUNT, false, "Spans that found no room or were refused.")
/* clang-format on */

enum metric {
#define X(id, name, unit, kind, tenant, about) METRIC_##id,
    METRICS(X)
#undef X
        METRICS_TOTAL
};
struct metric_info {
    const char *name, *unit, *about;
    enum metric_kind kind;
    bool of_tenants;
};
extern const struct metric_info metric_table[METRICS_TOTAL];

/* Limits of the format; source: CloudWatch user guide, "Specification: Embedded metric format". */
#define EMF_VALUES_MAX 100    /* of one metric in a document */
#define EMF_METRICS_MAX 100   /* of a directive */
#define EMF_DIMENSIONS_MAX 30 /* of a set */
/* How every line begins; who reads a function's output knows them by it. */
#define EMF_BEGIN "{\"_aws\":{"

#define METRICS_TENANTS_MAX 16

struct metrics; /* opaque */
struct metrics_options {
    struct px_str name_space; /* "Prism/prism-prod"; 1 to 255 of [A-Za-z0-9._/#:-], not "AWS/..." */
    struct px_str function;   /* the dimension `function` */
    /* Tenants that get a dimension of their own, "acme,globex": at most METRICS_TENANTS_MAX, because each
     * value of a dimension is another metric to pay for. All other tenants are properties of lines. */
    struct px_str tenants;
};
/* Faults: PX_F_CONFIG (names that CloudWatch refuses, too many tenants), PX_F_OOM. */
PX_MUST_USE int metrics_new(const struct metrics_options *options, struct metrics **ret_metrics);
void metrics_free(struct metrics **metrics);

/* An event begins, to which the following belong. A line names request and trace when it is of one event
 * only, and the tenant when all its events were of that one. */
void metrics_set_event(struct metrics *metrics, struct px_str request_id, struct px_str trace_id);
/* Whose the event is, once it is known; the first name counts. */
void metrics_set_tenant(struct metrics *metrics, struct px_str tenant);

/* Add to a COUNT, set a GAUGE, note one of VALUES. A value that is no number is passed over. */
void metrics_add(struct metrics *metrics, enum metric metric, double amount);
bool metrics_any(const struct metrics *metrics);  /* since the last flush */
bool metrics_full(const struct metrics *metrics); /* the next of some VALUES would find no room */
/* Append the lines of all since the last flush, and begin anew, also after a fault.
 * Faults: PX_F_OOM, PX_F_LIMIT of buf. */
PX_MUST_USE int metrics_flush(struct metrics *metrics, int64_t wall_ns, struct px_buf *buf);
