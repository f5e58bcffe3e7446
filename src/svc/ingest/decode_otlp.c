/* svc/ingest/decode_otlp.c - decode_otlp(): unpack by encoding, count, write rows by signal. */
#include "svc/ingest/otlp.h"

static const ProtobufCMessageDescriptor *request_type(enum otlp_signal signal)
{
    switch (signal) {
    case OTLP_LOGS:
        return &opentelemetry__proto__collector__logs__v1__export_logs_service_request__descriptor;
    case OTLP_TRACES:
        return &opentelemetry__proto__collector__trace__v1__export_trace_service_request__descriptor;
    case OTLP_METRICS: break;
    }
    return &opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__descriptor;
}

static uint64_t count_records(enum otlp_signal signal, const void *request)
{
    switch (signal) {
    case OTLP_LOGS: return otlp_count_logs(request);
    case OTLP_TRACES: return otlp_count_traces(request);
    case OTLP_METRICS: break;
    }
    return otlp_count_metrics(request);
}

static int write_records(enum otlp_signal signal, struct otlp_rows *rows, const void *request)
{
    switch (signal) {
    case OTLP_LOGS: return otlp_write_logs(rows, request);
    case OTLP_TRACES: return otlp_write_traces(rows, request);
    case OTLP_METRICS: break;
    }
    return otlp_write_metrics(rows, request);
}

int decode_otlp(enum otlp_signal signal, bool json, struct px_str body,
                const struct decode_limits *limits, struct px_arena *arena, struct batch *batch,
                struct decode_result *ret_result, struct px_where *ret_where)
{
    ProtobufCMessage *request;
    int r = json ? otlp_unpack_json(request_type(signal), body, arena, &request, ret_where)
                 : otlp_unpack(request_type(signal), body, arena, &request, ret_where);
    if (r != 0) return r;
    uint64_t count = count_records(signal, request);
    if (count > limits->records_max) {
        px_where_set(ret_where, 0, NULL, "at most %u records in a request, not %llu",
                     limits->records_max, (unsigned long long)count);
        return DECODE_TOO_LARGE;
    }

    struct decode_result result = {0};
    struct otlp_rows rows = {.batch = batch, .limits = limits, .result = &result, .arena = arena};
    px_buf_init(&rows.text,
                2 * limits->record_bytes_max + 64); /* room to see that a text is too long */
    r = write_records(signal, &rows, request);
    px_buf_deinit(&rows.text);
    if (r == OTLP_ROWS_FULL) {
        px_where_set(ret_where, 0, NULL, "a smaller request: its columns do not fit into memory");
        return DECODE_TOO_LARGE;
    }
    if (r == PX_F_LIMIT && px_arena_full(arena)) {
        px_where_set(ret_where, 0, NULL, "a request that unpacks into at most %zu bytes of memory",
                     arena->limit_bytes);
        return DECODE_TOO_LARGE;
    }
    PX_TRY(r);
    *ret_result = result;
    return 0;
}
