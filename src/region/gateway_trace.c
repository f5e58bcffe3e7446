/* region/gateway_trace.c - request id, trace context, access log row and span row of a call.
 * Trace header: AWS X-Ray developer guide, "Tracing header"; incoming W3C traceparent is honoured. */
#include "base/px_id.h"
#include "region/gateway_internal.h"

static bool is_zero(const uint8_t *bytes, size_t count)
{
    uint8_t any = 0;
    for (size_t i = 0; i < count; i++) any |= bytes[i];
    return any == 0;
}

/* 00-<32 hex>-<16 hex>-<2 hex>, in small letters, ids not zero (W3C Trace Context, 3.2). */
static bool from_traceparent(struct px_str header, uint64_t span, struct gateway_call *call)
{
    if (header.len != 55 || header.ptr[2] != '-' || header.ptr[35] != '-' || header.ptr[52] != '-')
        return false;
    for (size_t i = 0; i < header.len; i++)
        if (header.ptr[i] >= 'A' && header.ptr[i] <= 'F') return false;
    uint8_t version, trace[16], parent[8], flags;
    if (!px_unhex(px_str(header.ptr, 2), &version, 1) || version == 0xff ||
        !px_unhex(px_str(header.ptr + 3, 32), trace, 16) || is_zero(trace, 16) ||
        !px_unhex(px_str(header.ptr + 36, 16), parent, 8) || is_zero(parent, 8) ||
        !px_unhex(px_str(header.ptr + 53, 2), &flags, 1))
        return false;
    call->sampled = flags & 1;
    snprintf(call->parent_span, sizeof(call->parent_span), "%.16s", header.ptr + 36);
    snprintf(call->trace_id, sizeof(call->trace_id), "Root=1-%.8s-%.24s;Parent=%016llx;Sampled=%d",
             header.ptr + 3, header.ptr + 11, (unsigned long long)span, call->sampled);
    return true;
}

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
    px_uuid7(call->started_wall_ns, call->request_id);
    uint64_t random[3];
    px_random(random, sizeof(random));
    if (from_traceparent(http_header_get(call->request, S("traceparent")), random[2], call)) return;
    call->sampled = sample(gw, call->started_wall_ns, random[0] >> 8);
    snprintf(call->trace_id, sizeof(call->trace_id),
             "Root=1-%08x-%016llx%08x;Parent=%016llx;Sampled=%d",
             (unsigned)(call->started_wall_ns / PX_NS_PER_S), (unsigned long long)random[1],
             (unsigned)random[0], (unsigned long long)random[2], call->sampled);
}

static void add_field(struct px_buf *row, const char *name, struct px_str value)
{
    if (value.len == 0) return;
    px_buf_printf(row, ",\"%s\":", name);
    px_buf_add_json_str(row, value);
}

static void access_row(const struct gateway_call *call, double ms, struct px_buf *row)
{
    char when[40];
    struct px_str time = px_time_format(call->started_wall_ns, 6, when);
    const struct api_route *route = call->match.route;
    px_buf_printf(row,
                  "{\"time\":\"%.*s\",\"request_id\":\"%s\",\"status\":%d,\"duration_ms\":%.3f",
                  PX_FMT(time), call->request_id, call->status, ms);
    add_field(row, "method", call->request->method_name);
    add_field(row, "resource", route ? route->resource : (struct px_str){0});
    add_field(row, "path", call->request->path);
    add_field(row, "tenant", call->caller.tenant);
    add_field(row, "key_id", call->caller.key_id);
    add_field(row, "source_ip", call->request->peer);
    add_field(row, "user_agent", http_header_get(call->request, S("user-agent")));
    add_field(row, "function", route ? route->function : (struct px_str){0});
    add_field(row, "error", px_str_c(call->fault));
    px_buf_printf(row, ",\"bytes_in\":%zu,\"bytes_out\":%zu", call->bytes_in, call->bytes_out);
    if (call->function_ms > 0) px_buf_printf(row, ",\"function_ms\":%.3f", call->function_ms);
    if (call->authorizer_ms > 0) px_buf_printf(row, ",\"authorizer_ms\":%.3f", call->authorizer_ms);
    px_buf_add_c(row, call->cold ? ",\"cold\":true}\n" : "}\n");
}

struct http_header gateway_log_refusal(void *ctx, const struct http_refusal *refusal)
{
    struct gateway *gw = ctx;
    char when[40];
    int64_t now = px_wall_ns(gw->options.clock);
    px_uuid7(now, gw->refusal_id);
    gw->stats.requests++;
    gw->stats.refused++;
    struct px_buf *row = telemetry_row(gw->options.telemetry, TELEMETRY_ACCESS);
    if (row) {
        px_buf_printf(row, "{\"time\":\"%.*s\",\"request_id\":\"%s\",\"status\":%d",
                      PX_FMT(px_time_format(now, 6, when)), gw->refusal_id, refusal->status);
        add_field(row, "source_ip", refusal->peer);
        add_field(row, "error", px_str_c(refusal->why));
        px_buf_add_c(row, "}\n");
        telemetry_done(gw->options.telemetry, TELEMETRY_ACCESS);
    }
    return (struct http_header){S("x-amzn-RequestId"), px_str_c(gw->refusal_id)};
}

/* One span per sampled request, in the columns of the traces dataset. */
static void span_row(const struct gateway_call *call, double ms, struct px_buf *row)
{
    char when[40];
    struct px_str time = px_time_format(call->started_wall_ns, 6, when);
    const char *root = call->trace_id + 7; /* behind "Root=1-" */
    const char *span = strstr(call->trace_id, "Parent=") + 7;
    px_buf_printf(row,
                  "{\"time\":\"%.*s\",\"start_time_unix_nano\":%lld,\"duration_ns\":%lld,"
                  "\"trace_id\":\"%.8s%.24s\",\"span_id\":\"%.16s\",\"kind\":\"SERVER\","
                  "\"status_code\":\"%s\",\"name\":",
                  PX_FMT(time), (long long)call->started_wall_ns, (long long)(ms * 1e6), root,
                  root + 9, span, call->status >= 500 ? "ERROR" : "UNSET");
    px_buf_add_json_str(row, call->match.route ? call->match.route->operation_id : S("unrouted"));
    add_field(row, "parent_span_id", px_str_c(call->parent_span));
    px_buf_printf(row, ",\"attributes.http.response.status_code\":%d", call->status);
    add_field(row, "attributes.http.request.method", call->request->method_name);
    add_field(row, "attributes.http.route",
              call->match.route ? call->match.route->resource : (struct px_str){0});
    add_field(row, "attributes.prism.tenant", call->caller.tenant);
    px_buf_printf(
        row,
        ",\"attributes.prism.request_id\":\"%s\",\"resource.service.name\":\"prism-gateway\"}\n",
        call->request_id);
}

void gateway_log_access(struct gateway_call *call)
{
    struct telemetry *telemetry = call->gateway->options.telemetry;
    double ms = (double)(px_mono_ns(call->gateway->options.clock) - call->started_mono_ns) / 1e6;
    struct px_buf *row = telemetry_row(telemetry, TELEMETRY_ACCESS);
    if (row) {
        access_row(call, ms, row);
        telemetry_done(telemetry, TELEMETRY_ACCESS);
    }
    row = call->sampled ? telemetry_row(telemetry, TELEMETRY_SPAN) : NULL;
    if (row) {
        span_row(call, ms, row);
        telemetry_done(telemetry, TELEMETRY_SPAN);
    }
}
