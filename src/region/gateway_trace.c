/* region/gateway_trace.c - request id, trace context, access log row and span of a call.
 *
 * A caller's trace goes on, whether it is told as W3C's traceparent or as X-Amzn-Trace-Id; the first wins,
 * since who sends it means it, while the other may come from a proxy. */
#include "base/px_id.h"
#include "region/gateway_internal.h"

/* X-Ray's default rule: the first request of each second, and 5 % of the others. */
static bool sample(struct gateway *gw, int64_t wall_ns, uint64_t random)
{
    int64_t second = wall_ns / PX_NS_PER_S;
    if (second != gw->sampled_second) {
        gw->sampled_second = second;
        return true;
    }
    return random % 20 == 0;
}

void gateway_trace_start(struct gateway_call *call)
{
    struct gateway *gw = call->gateway;
    call->started_wall_ns = px_wall_ns(gw->options.clock);
    call->started_mono_ns = call->request->received_mono_ns;
    px_uuid7_from(&gw->random, call->started_wall_ns, call->request_id);
    if (!trace_from_w3c(http_header_get(call->request, S("traceparent")), &call->trace) &&
        !trace_from_xray(http_header_get(call->request, S("x-amzn-trace-id")), &call->trace))
        trace_begin(&gw->random, call->started_wall_ns, &call->trace);
    if (!call->trace.decided) {
        uint64_t random;
        memcpy(&random, call->trace.trace + 8, sizeof random);
        call->trace.sampled = sample(gw, call->started_wall_ns, random);
    }
    memcpy(call->parent, call->trace.span, sizeof call->parent);
    trace_new_span(&gw->random, call->trace.span);
    (void)trace_to_xray(&call->trace, call->trace_id);
}

static void add_field(struct px_buf *row, const char *name, struct px_str value)
{
    if (value.len == 0) return;
    px_buf_add(row, ",\"", 2);
    px_buf_add_c(row, name);
    px_buf_add(row, "\":", 2);
    px_buf_add_json_str(row, value);
}

static void add_count(struct px_buf *row, const char *lead, size_t n)
{
    px_buf_add_c(row, lead);
    px_buf_add_i64(row, (int64_t)n);
}

static void add_ms(struct px_buf *row, const char *lead, double ms)
{
    px_buf_add_c(row, lead);
    px_buf_add_milli(row, ms);
}

/* What every row begins with: an open object. */
static void begin_row(struct px_buf *row, int64_t wall_ns, const char *request_id, int status)
{
    char when[40];
    px_buf_add_c(row, "{\"time\":\"");
    px_buf_add_str(row, px_time_format(wall_ns, 6, when));
    px_buf_add_c(row, "\",\"request_id\":\"");
    px_buf_add_c(row, request_id);
    px_buf_add_c(row, "\",\"status\":");
    px_buf_add_i64(row, status);
}

/* The fields of platform/access_log.json that are `local`. */
static void access_row(const struct gateway_call *call, double ms, struct px_buf *row)
{
    const struct api_route *route = call->match.route;
    begin_row(row, call->started_wall_ns, call->request_id, call->status);
    add_ms(row, ",\"duration_ms\":", ms);
    add_field(row, "method", call->request->method_name);
    add_field(row, "resource", route ? route->resource : (struct px_str){0});
    add_field(row, "path", call->request->path);
    add_field(row, "tenant", call->caller.tenant);
    add_field(row, "key_id", call->caller.key_id);
    add_field(row, "source_ip", call->request->peer);
    add_field(row, "user_agent", http_header_get(call->request, S("user-agent")));
    add_field(row, "function", route ? route->function : (struct px_str){0});
    add_field(row, "error", call->fault_type);
    add_field(row, "error_message", px_str_c(call->fault));
    add_field(row, "trace_id", px_str_c(call->trace_id));
    add_field(row, "domain", http_header_get(call->request, S("host")));
    add_field(row, "tier", call->caller.tier);
    add_count(row, ",\"bytes_in\":", call->bytes_in);
    add_count(row, ",\"bytes_out\":", call->bytes_out);
    if (call->function_ms > 0) add_ms(row, ",\"function_ms\":", call->function_ms);
    if (call->authorizer_ms > 0) add_ms(row, ",\"authorizer_ms\":", call->authorizer_ms);
    px_buf_add_c(row, call->cold ? ",\"cold\":true}\n" : "}\n");
}

/* Where a slow request's time went. What is none of the phases is the gateway's own: reading the body, building the event,
 * writing what a client takes slowly. No bodies, no paths with what they name. */
static void slow_row(const struct gateway_call *call, double ms, struct px_buf *row)
{
    const struct api_route *route = call->match.route;
    double phases = call->authorizer_ms + call->queue_ms + call->function_ms;
    begin_row(row, call->started_wall_ns, call->request_id, call->status);
    add_field(row, "trace_id", px_str_c(call->trace_id));
    add_ms(row, ",\"duration_ms\":", ms);
    add_ms(row, ",\"authorizer_ms\":", call->authorizer_ms);
    add_ms(row, ",\"queue_ms\":", call->queue_ms);
    add_ms(row, ",\"function_ms\":", call->function_ms);
    add_ms(row, ",\"gateway_ms\":", PX_MAX(ms - phases, 0));
    add_field(row, "method", call->request->method_name);
    add_field(row, "resource", route ? route->resource : (struct px_str){0});
    add_field(row, "tenant", call->caller.tenant);
    add_field(row, "key_id", call->caller.key_id);
    add_field(row, "function", route ? route->function : (struct px_str){0});
    add_field(row, "error", call->fault_type);
    add_count(row, ",\"bytes_in\":", call->bytes_in);
    add_count(row, ",\"bytes_out\":", call->bytes_out);
    px_buf_add_c(row, call->cold ? ",\"cold\":true}\n" : ",\"cold\":false}\n");
}

struct http_header gateway_log_refusal(void *ctx, const struct http_refusal *refusal)
{
    struct gateway *gw = ctx;
    int64_t now = px_wall_ns(gw->options.clock);
    px_uuid7_from(&gw->random, now, gw->refusal_id);
    gw->stats.requests++;
    gw->stats.refused++;
    struct px_buf *row = telemetry_row(gw->options.telemetry, TELEMETRY_ACCESS);
    if (row) {
        begin_row(row, now, gw->refusal_id, refusal->status);
        add_field(row, "source_ip", refusal->peer);
        add_field(row, "error_message", px_str_c(refusal->why));
        px_buf_add_c(row, "}\n");
        telemetry_done(gw->options.telemetry, TELEMETRY_ACCESS);
    }
    return (struct http_header){S("x-amzn-RequestId"), px_str_c(gw->refusal_id)};
}

/* Whoever dials can make lines of these, so there are few; how many more there were is told with the next. */
#define HANDSHAKES_A_SECOND 5
void gateway_log_handshake(void *ctx, struct px_str peer, const char *why)
{
    struct gateway *gw = ctx;
    int64_t second = px_mono_ns(gw->options.clock) / PX_NS_PER_S;
    if (second != gw->handshakes_second) gw->handshakes_logged = 0;
    gw->handshakes_second = second;
    if (gw->handshakes_logged++ >= HANDSHAKES_A_SECOND) {
        gw->handshakes_silent++;
        return;
    }
    char more[64] = "";
    if (gw->handshakes_silent > 0)
        (void)snprintf(more, sizeof more, "; %u before it were not logged", gw->handshakes_silent);
    gw->handshakes_silent = 0;
    px_log(gw->options.log, PX_WARN, "a TLS handshake with %.*s failed: %s%s", PX_FMT(peer), why,
           more);
}

/* One span per sampled request. */
static int span_write(const struct gateway_call *call, double ms, struct px_buf *row)
{
    static const struct span_attribute gateway = {
        .key = "service.name", .is_text = true, .text = {"prism-gateway", 13}};
    static const struct spans_source source = {&gateway, 1};
    struct spans *spans = &call->gateway->spans;
    struct span *span = spans_add(spans);
    if (!span) return px_fault(PX_F_OOM, "a span");
    const struct api_route *route = call->match.route;
    memcpy(span->trace, call->trace.trace, sizeof span->trace);
    memcpy(span->id, call->trace.span, sizeof span->id);
    memcpy(span->parent, call->parent, sizeof span->parent);
    span->kind = SPAN_SERVER;
    span->start_ns = call->started_wall_ns;
    span->end_ns = call->started_wall_ns + PX_MAX((int64_t)(ms * 1e6), 1);
    span->error = call->status >= 500 ? "5XX" : NULL;
    span_set_name(span, route ? route->operation_id : S("unrouted"));
    span_set_state(spans, span, trace_state(http_header_get(call->request, S("tracestate"))));
    span_add_number(span, "http.response.status_code", call->status);
    span_add_text(spans, span, "http.request.method", call->request->method_name);
    if (route) span_add_text(spans, span, "http.route", route->resource);
    if (call->caller.tenant.len) span_add_text(spans, span, "prism.tenant", call->caller.tenant);
    span_add_text(spans, span, "prism.request_id", px_str_c(call->request_id));
    int r = spans_encode(spans, &source, row);
    spans_clear(spans);
    return r;
}

void gateway_log_access(struct gateway_call *call)
{
    struct telemetry *telemetry = call->gateway->options.telemetry;
    double ms = (double)(px_mono_ns(call->gateway->options.clock) - call->started_mono_ns) / 1e6;
    const struct figures_event event = {.error = call->status >= 500,
                                        .refused = call->status >= 400 && call->status < 500,
                                        .duration_ms = ms};
    if (call->gateway->options.figures)
        figures_add(call->gateway->options.figures, px_wall_ns(call->gateway->options.clock),
                    &event);
    if (call->gateway->options.requests)
        request_sums_add(call->gateway->options.requests, call->match.route, call->caller.tenant,
                         call->status, ms);
    struct px_buf *row = telemetry_row(telemetry, TELEMETRY_ACCESS);
    if (row) {
        access_row(call, ms, row);
        telemetry_done(telemetry, TELEMETRY_ACCESS);
    }
    uint32_t slow_ms = call->gateway->options.slow_ms;
    row = slow_ms > 0 && ms >= slow_ms ? telemetry_row(telemetry, TELEMETRY_SLOW) : NULL;
    if (row) {
        slow_row(call, ms, row);
        telemetry_done(telemetry, TELEMETRY_SLOW);
    }
    row = call->trace.sampled ? telemetry_row(telemetry, TELEMETRY_SPAN) : NULL;
    if (row) {
        if (span_write(call, ms, row) != 0 && !row->fault) row->fault = PX_F_OOM;
        telemetry_done(telemetry, TELEMETRY_SPAN);
    }
}
