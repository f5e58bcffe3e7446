/* region/telemetry.c - two buffers a kind: one fills while the other is with the ingest function. */
#include "region/telemetry.h"

#include <stdlib.h>

#include "base/px_id.h"
#include "lambda/apigw.h"

#define ROW_BYTES_MAX (1024 * 1024) /* a function's batch of spans */

/* Spans go where everybody's go: OTLP requests behind one another are one request (observe/spans.h). */
static const struct {
    const char *dataset, *path, *content_type;
} kinds[TELEMETRY_KINDS] = {
    [TELEMETRY_ACCESS] = {"access_log", "/v1/ingest/access_log", "application/x-ndjson"},
    [TELEMETRY_FUNCTION] = {"function_log", "/v1/ingest/function_log", "application/x-ndjson"},
    [TELEMETRY_METRIC] = {"metrics", "/v1/ingest/metrics", "application/x-ndjson"},
    [TELEMETRY_WORKFLOW] = {"workflow_events", "/v1/ingest/workflow_events",
                            "application/x-ndjson"},
    [TELEMETRY_SLOW] = {"slow_requests", "/v1/ingest/slow_requests", "application/x-ndjson"},
    [TELEMETRY_SPAN] = {"traces", "/v1/traces", "application/x-protobuf"},
};

struct stream {
    struct telemetry *telemetry;
    enum telemetry_kind kind;
    struct px_buf filling, sending, event;
    size_t row_at; /* of `filling`: where the row in work begins */
    char key[37];  /* idempotency key of `sending` */
    bool in_flight;
};
struct telemetry {
    struct telemetry_options options;
    struct stream streams[TELEMETRY_KINDS];
    uv_timer_t timer;
    uint64_t dropped;
    bool closing;
    int64_t drain_until_ns;
    void (*drained)(void *ctx);
    void *drained_ctx;
};

static bool idle(const struct telemetry *t)
{
    for (size_t i = 0; i < TELEMETRY_KINDS; i++)
        if (t->streams[i].in_flight || t->streams[i].filling.len || t->streams[i].sending.len)
            return false;
    return true;
}

/* A batch that cannot be stored (the answer is a 4xx) is our mistake; it is dropped, not repeated. */
static void on_done(void *ctx, const struct lambda_result *result)
{
    struct stream *stream = ctx;
    struct telemetry *t = stream->telemetry;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 1 << 20);
    struct api_response response = {.status = 503};
    stream->in_flight = false;
    if (result->outcome == LAMBDA_OK) (void)!api_response_parse(result->payload, &arena, &response);
    if (response.status >= 400 && response.status < 500 && response.status != 409 &&
        response.status != 429) {
        px_log(t->options.log, PX_ERROR, "telemetry batch refused: %s %d %.*s",
               kinds[stream->kind].dataset, response.status, PX_FMT(response.body));
        px_buf_clear(&stream->sending);
    }
    if (response.status < 300) px_buf_clear(&stream->sending);
}

static void write_event(struct stream *stream)
{
    bool is_otlp = stream->kind == TELEMETRY_SPAN;
    struct px_str path = px_str_c(kinds[stream->kind].path);
    const struct http_header headers[] = {
        {S("Content-Type"), px_str_c(kinds[stream->kind].content_type)},
        {S("Idempotency-Key"), px_str_c(stream->key)},
    };
    const struct http_header param = {S("dataset"), px_str_c(kinds[stream->kind].dataset)};
    const struct api_event event = {
        .resource = is_otlp ? path : S("/v1/ingest/{dataset}"),
        .path = path,
        .method = S("POST"),
        .headers = headers,
        .header_count = PX_COUNT(headers),
        .path_params = &param,
        .path_param_count = is_otlp ? 0 : 1,
        .request_id = px_str_c(stream->key),
        .source_ip = S("127.0.0.1"),
        .stage = S("v1"),
        .caller = {.tenant = S("_system"), .scopes = S("ingest"), .key_id = S("region")},
        .body = px_buf_str(&stream->sending),
    };
    px_buf_clear(&stream->event);
    api_event_write(&event, &stream->event);
}

static void send_batch(struct stream *stream)
{
    struct telemetry *t = stream->telemetry;
    if (stream->in_flight) return;
    if (stream->sending.len == 0) {
        if (stream->filling.len == 0) return;
        struct px_buf full = stream->filling;
        stream->filling = stream->sending;
        stream->sending = full;
        px_uuid7(px_wall_ns(t->options.clock), stream->key);
    }
    write_event(stream);
    if (px_buf_fault(&stream->event)) {
        t->dropped++;
        px_buf_clear(&stream->sending);
        return;
    }
    stream->in_flight = true;
    const struct lambda_call call = {.payload = px_buf_str(&stream->event),
                                     .request_id = px_str_c(stream->key),
                                     .on_done = on_done,
                                     .ctx = stream};
    (void)lambda_pool_invoke(t->options.pool(t->options.pool_ctx, S("ingest")), &call);
}

static void maybe_drained(struct telemetry *t)
{
    if (!t->drained || (!idle(t) && px_mono_ns(t->options.clock) < t->drain_until_ns)) return;
    void (*done)(void *) = t->drained;
    t->drained = NULL;
    uv_timer_stop(&t->timer);
    done(t->drained_ctx);
}

static void on_timer(uv_timer_t *timer)
{
    struct telemetry *t = timer->data;
    for (size_t i = 0; i < TELEMETRY_KINDS; i++) send_batch(&t->streams[i]);
    maybe_drained(t);
}

int telemetry_new(const struct telemetry_options *options, struct telemetry **ret_telemetry)
{
    struct telemetry *t = calloc(1, sizeof(*t));
    if (!t) return px_fault(PX_F_OOM, "telemetry");
    t->options = *options;
    if (!t->options.flush_ms) t->options.flush_ms = 1000;
    if (!t->options.buffer_bytes_max) t->options.buffer_bytes_max = 2 << 20;
    for (size_t i = 0; i < TELEMETRY_KINDS; i++) {
        struct stream *s = &t->streams[i];
        s->telemetry = t;
        s->kind = (enum telemetry_kind)i;
        px_buf_init(&s->filling, t->options.buffer_bytes_max + ROW_BYTES_MAX);
        px_buf_init(&s->sending, t->options.buffer_bytes_max + ROW_BYTES_MAX);
        px_buf_init(&s->event, 2 * t->options.buffer_bytes_max + ROW_BYTES_MAX);
    }
    uv_timer_init(t->options.loop, &t->timer);
    t->timer.data = t;
    uv_timer_start(&t->timer, on_timer, t->options.flush_ms, t->options.flush_ms);
    *ret_telemetry = t;
    return 0;
}

struct px_buf *telemetry_row(struct telemetry *t, enum telemetry_kind kind)
{
    struct px_buf *buf = &t->streams[kind].filling;
    if (t->closing || t->drained || buf->len >= t->options.buffer_bytes_max) {
        t->dropped++;
        return NULL;
    }
    t->streams[kind].row_at = buf->len;
    return buf;
}

/* A row that failed half-way must not spoil its batch: cut back to where it began. */
void telemetry_done(struct telemetry *t, enum telemetry_kind kind)
{
    struct px_buf *buf = &t->streams[kind].filling;
    if (!px_buf_fault(buf)) return;
    buf->len = t->streams[kind].row_at;
    buf->fault = 0;
    t->dropped++;
}

uint64_t telemetry_dropped(const struct telemetry *t) { return t->dropped; }

void telemetry_drain(struct telemetry *t, uint32_t wait_ms, void (*done)(void *ctx), void *ctx)
{
    t->drain_until_ns = px_mono_ns(t->options.clock) + wait_ms * PX_NS_PER_MS;
    t->drained = done;
    t->drained_ctx = ctx;
    uv_timer_start(&t->timer, on_timer, 0, 20);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct telemetry *t = handle->data;
    for (size_t i = 0; i < TELEMETRY_KINDS; i++) {
        px_buf_deinit(&t->streams[i].filling);
        px_buf_deinit(&t->streams[i].sending);
        px_buf_deinit(&t->streams[i].event);
    }
    free(t);
}

void telemetry_free(struct telemetry **telemetry)
{
    struct telemetry *t = *telemetry;
    if (!t) return;
    *telemetry = NULL;
    t->closing = true;
    uv_close((uv_handle_t *)&t->timer, on_timer_closed);
}
