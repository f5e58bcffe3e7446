/* observe/observe.c - see observe.h.
 *
 * A batch of spans is encoded when it is due and stays in the buffer until it is sent or the process
 * ends; what is recorded meanwhile goes into the next one, encoded only when this one is gone. So there
 * is at most one encoded batch and one that fills. */
#include "observe/observe.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "base/px_id.h"

#define BATCH_BYTES_MAX ((size_t)1 << 20)
#define LINES_BYTES_MAX                                                                            \
    ((size_t)1 << 20) /* each line is far below CloudWatch's 256 KB: 24 KB at most */
#define SPANS_INTERVAL_MS 1000
#define BACKOFF_MS_MAX 60000
#define SOURCE_MAX 8
#define TENANT_BYTES_MAX 128
#define TRACE_TEXT_MAX 256

struct observe {
    struct observe_options options;
    struct metrics *metrics; /* NULL: none */
    struct px_buf lines;
    int64_t lines_at_ns; /* when the last were written, monotonic */

    struct spans spans;
    struct span_attribute source[SOURCE_MAX];
    size_t source_count;
    struct px_buf batch;
    uint32_t batch_spans;
    int64_t batch_at_ns; /* not before */
    uint32_t backoff_ms;
    uint64_t dropped_told;

    /* the event */
    bool in_event;
    struct trace_context context; /* span: whose children are made now */
    char
        trace[TRACE_TEXT_MAX]; /* the header that is not read yet: most events need nothing of it */
    size_t trace_bytes;        /* 0: it is read, or there is none */
    struct span *root;         /* NULL: none */
    int64_t begin_mono_ns;
    struct px_log_context log;
    char trace_hex[33];
    char tenant[TENANT_BYTES_MAX];
};

/* The one pointer that is found instead of passed; see observe.h. */
static _Thread_local struct observe *current;

static int64_t mono_ns(const struct observe *observe) { return px_mono_ns(observe->options.clock); }
static int64_t wall_ns(const struct observe *observe) { return px_wall_ns(observe->options.clock); }

/* To the microsecond: further digits would only make lines longer. */
static double ms_of(int64_t ns)
{
    int64_t us = ns / PX_NS_PER_US;
    return (double)us / 1000;
}

/* ---- notes ---- */

void observe_add(enum metric metric, double amount)
{
    if (current && current->in_event && current->metrics)
        metrics_add(current->metrics, metric, amount);
}

void observe_tenant(struct px_str tenant)
{
    struct observe *observe = current;
    if (!observe || !observe->in_event || tenant.len == 0 || tenant.len > TENANT_BYTES_MAX) return;
    memcpy(observe->tenant, tenant.ptr, tenant.len);
    observe->log.tenant = px_str(observe->tenant, tenant.len);
    if (observe->metrics) metrics_set_tenant(observe->metrics, tenant);
    observe_event_text("prism.tenant", tenant);
}

bool observe_is_recorded(void) { return current && current->root; }

void observe_event_text(const char *key, struct px_str value)
{
    struct observe *observe = current;
    if (observe && observe->root && value.len > 0)
        span_add_text(&observe->spans, observe->root, key, value);
}

void observe_event_number(const char *key, int64_t value)
{
    if (current && current->root) span_add_number(current->root, key, value);
}

void observe_event_link(struct px_str traceparent, struct px_str tracestate)
{
    struct observe *observe = current;
    struct trace_context caller;
    if (!observe || !observe->root || !trace_from_w3c(traceparent, &caller)) return;
    span_set_state(&observe->spans, observe->root, trace_state(tracestate));
    if (memcmp(caller.trace, observe->context.trace, sizeof caller.trace) != 0)
        observe->root->link = caller;
}

/* ---- work ---- */

static struct span *span_begin(struct observe *observe, struct px_str name, enum span_kind kind)
{
    if (!observe->options.spans || !observe->context.sampled) return NULL;
    struct span *span = spans_add(&observe->spans);
    if (!span) return NULL;
    memcpy(span->trace, observe->context.trace, sizeof span->trace);
    memcpy(span->parent, observe->context.span, sizeof span->parent);
    trace_new_span(NULL, span->id);
    span->kind = kind;
    span->start_ns = wall_ns(observe);
    span_set_name(span, name);
    memcpy(observe->context.span, span->id, sizeof span->id);
    return span;
}

struct observe_work observe_begin(const char *name, enum span_kind kind)
{
    struct observe_work work = {0};
    if (!current || !current->in_event) return work;
    work.observe = current;
    memcpy(work.above, current->context.span, sizeof work.above);
    work.span = span_begin(current, px_str_c(name), kind);
    work.begin_mono_ns = mono_ns(current);
    return work;
}

void observe_text(const struct observe_work *work, const char *key, struct px_str value)
{
    if (work->span && value.len > 0) span_add_text(&work->observe->spans, work->span, key, value);
}

void observe_number(const struct observe_work *work, const char *key, int64_t value)
{
    if (work->span) span_add_number(work->span, key, value);
}

static void span_end(struct observe *observe, struct span *span, int64_t took_ns, int result)
{
    span->end_ns = span->start_ns + PX_MAX(took_ns, 1);
    if (result < 0) span->error = px_fault_name(result);
    (void)observe;
}

void observe_end(struct observe_work *work, int result)
{
    struct observe *observe = work->observe;
    if (!observe) return;
    if (work->span) {
        span_end(observe, work->span, mono_ns(observe) - work->begin_mono_ns, result);
        memcpy(observe->context.span, work->above, sizeof work->above);
    }
    *work = (struct observe_work){0};
}

void observe_store_kind(int fault)
{
    switch (fault) {
    case PX_F_BUSY: observe_add(METRIC_STORE_THROTTLED, 1); break;
    case PX_F_UNAVAILABLE: observe_add(METRIC_STORE_UNAVAILABLE, 1); break;
    case PX_F_TIMEOUT: observe_add(METRIC_STORE_TIMEOUTS, 1); break;
    case PX_F_DENIED: observe_add(METRIC_STORE_DENIED, 1); break;
    default: break;
    }
}

void observe_end_store(struct observe_work *work, int result)
{
    struct observe *observe = work->observe;
    if (!observe) return;
    int64_t took_ns = mono_ns(observe) - work->begin_mono_ns;
    observe_add(METRIC_STORE_CALLS, 1);
    observe_add(METRIC_STORE_MS, ms_of(took_ns));
    if (result < 0) observe_add(METRIC_STORE_FAULTS, 1);
    observe_end(work, result);
}

static void trace_read(struct observe *observe)
{
    struct px_str text = px_str(observe->trace, observe->trace_bytes);
    if (text.len == 0 || !trace_from_xray(text, &observe->context))
        observe->context = (struct trace_context){0};
    observe->trace_bytes = 0;
}

bool observe_context(struct trace_context *ret_context)
{
    if (!current || !current->in_event) return false;
    if (current->trace_bytes > 0) trace_read(current);
    if (!trace_is_set(&current->context)) return false;
    *ret_context = current->context;
    return true;
}

/* ---- life ---- */

static void source_add(struct observe *observe, const char *key, struct px_str value)
{
    if (value.len == 0) return;
    observe->source[observe->source_count++] = (struct span_attribute){
        .key = key, .is_text = true, .text = value};
}

/* Names: OpenTelemetry's semantic conventions of resources (service, cloud, deployment, faas). */
static void source_fill(struct observe *observe, const struct observe_options *options)
{
    source_add(observe, "service.name", options->function);
    source_add(observe, "service.namespace", S("prism"));
    source_add(observe, "faas.name", options->function);
    source_add(observe, "faas.version", options->version);
    source_add(observe, "cloud.region", options->region);
    source_add(observe, "deployment.environment.name", options->environment);
}

int observe_new(const struct observe_options *options, struct observe **ret_observe)
{
    PX_AUTO(observe_free) struct observe *observe = calloc(1, sizeof *observe);
    if (!observe) return px_fault(PX_F_OOM, "an observer");
    observe->options = *options;
    if (observe->options.spans_interval_ms == 0)
        observe->options.spans_interval_ms = SPANS_INTERVAL_MS;
    spans_init(&observe->spans);
    px_buf_init(&observe->lines, LINES_BYTES_MAX);
    px_buf_init(&observe->batch, BATCH_BYTES_MAX);
    source_fill(observe, options);
    if (options->metrics) PX_TRY(metrics_new(options->metrics, &observe->metrics));
    current = observe;
    *ret_observe = PX_TAKE(observe);
    return 0;
}

void observe_free(struct observe **pobserve)
{
    struct observe *observe = *pobserve;
    if (!observe) return;
    if (current == observe) current = NULL;
    metrics_free(&observe->metrics);
    spans_deinit(&observe->spans);
    px_buf_deinit(&observe->lines);
    px_buf_deinit(&observe->batch);
    free(observe);
    *pobserve = NULL;
}

/* ---- events ---- */

/* The whole header is read when it is sampled, or when somebody asks. */
static void trace_take(struct observe *observe, struct px_str trace)
{
    bool sampled = true;
    observe->trace_bytes = trace.len < TRACE_TEXT_MAX ? trace.len : 0;
    if (observe->trace_bytes == 0) return;
    memcpy(observe->trace, trace.ptr, trace.len);
    bool peeked = trace_peek_xray(trace, observe->trace_hex, &sampled);
    if (!peeked || sampled) {
        trace_read(observe);
        if (!trace_is_set(&observe->context)) return;
        px_hex(observe->context.trace, 16, observe->trace_hex);
    }
    observe->log.trace_id = px_str(observe->trace_hex, 32);
}

void observe_event_begin(struct observe *observe, const struct observe_event *event)
{
    observe->in_event = true;
    observe->begin_mono_ns = mono_ns(observe);
    observe->context = (struct trace_context){0};
    observe->log = (struct px_log_context){.cold = event->cold};
    trace_take(observe, event->trace);
    if (observe->metrics) {
        metrics_set_event(observe->metrics, event->request_id, observe->log.trace_id);
        if (event->cold) metrics_add(observe->metrics, METRIC_COLD_STARTS, 1);
    }
    observe->root = span_begin(observe, observe->options.function, SPAN_SERVER);
    observe_event_text("faas.invocation_id", event->request_id);
    observe_event_text("cloud.resource_id", event->function_arn);
    if (event->cold) observe_event_number("faas.coldstart", 1);
}

static void count_answer(struct observe *observe, int status)
{
    if (status < 0) metrics_add(observe->metrics, METRIC_FUNCTION_ERRORS, 1);
    if (status >= 200 && status < 300) metrics_add(observe->metrics, METRIC_ANSWERS_2XX, 1);
    if (status >= 400 && status < 500) metrics_add(observe->metrics, METRIC_ANSWERS_4XX, 1);
    if (status >= 500) metrics_add(observe->metrics, METRIC_ANSWERS_5XX, 1);
}

static void note_memory(struct observe *observe)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) /* in KiB */
        metrics_add(observe->metrics, METRIC_MEMORY_PEAK, (double)usage.ru_maxrss * 1024);
}

void observe_event_end(struct observe *observe, int status)
{
    int64_t took_ns = mono_ns(observe) - observe->begin_mono_ns;
    if (observe->root) {
        if (status > 0) span_add_number(observe->root, "http.response.status_code", status);
        span_end(observe, observe->root, took_ns, 0);
        if (status < 0 || status >= 500) observe->root->error = status < 0 ? "ERROR" : "5XX";
    }
    if (observe->metrics) {
        count_answer(observe, status);
        metrics_add(observe->metrics, METRIC_EVENT_MS, ms_of(took_ns));
    }
    observe->root = NULL;
    observe->in_event = false;
    observe->trace_bytes = 0;
    observe->context = (struct trace_context){0};
    observe->log = (struct px_log_context){0};
}

const struct px_log_context *observe_log_context(const struct observe *observe)
{
    return &observe->log;
}

/* ---- what leaves ---- */

static bool is_past(int64_t at_ns, int64_t now_ns) { return at_ns == 0 || now_ns >= at_ns; }

static int64_t lines_due_ns(const struct observe *observe)
{
    return observe->lines_at_ns + observe->options.metrics_interval_ms * PX_NS_PER_MS;
}

static void count_spans(struct observe *observe)
{
    uint64_t dropped = observe->spans.dropped - observe->dropped_told;
    if (dropped > 0) metrics_add(observe->metrics, METRIC_SPANS_DROPPED, (double)dropped);
    observe->dropped_told = observe->spans.dropped;
}

struct px_str observe_metric_lines(struct observe *observe, bool all)
{
    struct px_str none = {0};
    if (!observe->metrics || !metrics_any(observe->metrics)) return none;
    int64_t now_ns = mono_ns(observe);
    if (!all && !metrics_full(observe->metrics) && observe->lines_at_ns != 0 &&
        now_ns < lines_due_ns(observe))
        return none;
    observe->lines_at_ns = now_ns;
    count_spans(observe);
    note_memory(observe);
    px_buf_clear(&observe->lines);
    int r = metrics_flush(observe->metrics, wall_ns(observe), &observe->lines);
    return r == 0 ? px_buf_str(&observe->lines) : none; /* without memory there is nobody to tell */
}

static void batch_encode(struct observe *observe)
{
    struct spans_source source = {observe->source, observe->source_count};
    uint32_t count = observe->spans.count;
    if (spans_encode(&observe->spans, &source, &observe->batch) == 0) {
        observe->batch_spans = count;
    } else {
        px_buf_clear(&observe->batch);
        observe->spans.dropped += count;
    }
    spans_clear(&observe->spans);
}

struct px_str observe_span_batch(struct observe *observe, bool all)
{
    struct px_str none = {0};
    if (observe->in_event || (observe->spans.count == 0 && observe->batch_spans == 0)) return none;
    bool due = all || is_past(observe->batch_at_ns, mono_ns(observe)) ||
               (observe->backoff_ms == 0 && observe->spans.count >= SPANS_MAX / 2);
    if (!due) return none;
    if (observe->batch_spans == 0) batch_encode(observe);
    return px_buf_str(&observe->batch);
}

static void batch_next(struct observe *observe, uint32_t in_ms)
{
    observe->batch_at_ns = mono_ns(observe) + in_ms * PX_NS_PER_MS;
}

void observe_batch_sent(struct observe *observe, uint64_t refused)
{
    refused = PX_MIN(refused, (uint64_t)observe->batch_spans);
    observe->spans.dropped += refused;
    if (observe->metrics)
        metrics_add(observe->metrics, METRIC_SPANS_SENT, (double)(observe->batch_spans - refused));
    px_buf_clear(&observe->batch);
    observe->batch_spans = 0;
    observe->backoff_ms = 0;
    batch_next(observe, observe->options.spans_interval_ms);
}

void observe_batch_failed(struct observe *observe)
{
    observe->backoff_ms = observe->backoff_ms ? PX_MIN(observe->backoff_ms * 2, BACKOFF_MS_MAX)
                                              : SPANS_INTERVAL_MS;
    batch_next(observe, observe->backoff_ms);
}

static uint32_t ms_until(int64_t at_ns, int64_t now_ns)
{
    int64_t ms = (at_ns - now_ns) / PX_NS_PER_MS + 1;
    return (uint32_t)PX_MIN(PX_MAX(ms, 1), INT64_C(3600000));
}

uint32_t observe_due_ms(const struct observe *observe)
{
    int64_t now_ns = mono_ns(observe);
    uint32_t due = 0;
    if (observe->metrics && metrics_any(observe->metrics))
        due = ms_until(lines_due_ns(observe), now_ns);
    if (observe->spans.count > 0 || observe->batch_spans > 0) {
        uint32_t spans = ms_until(observe->batch_at_ns, now_ns);
        due = due == 0 ? spans : PX_MIN(due, spans);
    }
    return due;
}
