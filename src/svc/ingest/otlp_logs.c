/* svc/ingest/otlp_logs.c - log records to rows. Columns: docs/design/ingest.md. */
#include "svc/ingest/otlp.h"

typedef Opentelemetry__Proto__Logs__V1__ResourceLogs resource_logs;
typedef Opentelemetry__Proto__Logs__V1__ScopeLogs scope_logs;
typedef Opentelemetry__Proto__Logs__V1__LogRecord log_record;

uint64_t otlp_count_logs(const otlp_logs_request *request)
{
    uint64_t count = 0;
    for (size_t i = 0; i < request->n_resource_logs; i++) {
        const resource_logs *resource = request->resource_logs[i];
        for (size_t j = 0; j < resource->n_scope_logs; j++)
            count += resource->scope_logs[j]->n_log_records;
    }
    return count;
}

/* Text as it is, anything else as its JSON text: the column stays one of text. */
static int put_body(struct otlp_rows *rows, const otlp_value *body)
{
    if (!body || body->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE__NOT_SET)
        return 0;
    if (body->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE) {
        struct px_str utf8;
        OTLP_TRY(otlp_utf8(otlp_str(body->string_value), &rows->text, &utf8));
        return otlp_put_str(rows, S("body"), utf8);
    }
    px_buf_clear(&rows->text);
    int r = otlp_add_value(&rows->text, body, 0);
    if (r == OTLP_TOO_DEEP)
        return otlp_refuse(rows, "body", "a value of at most %d levels", OTLP_VALUE_DEPTH_MAX);
    OTLP_TRY(otlp_text_done(rows));
    return otlp_put_str(rows, S("body"), px_buf_str(&rows->text));
}

/* An invalid id stands for none, as the log data model asks. */
static int put_trace(struct otlp_rows *rows, const log_record *record)
{
    if (otlp_id_is_valid(record->trace_id, 16))
        OTLP_TRY(otlp_put_hex(rows, S("trace_id"), record->trace_id));
    if (otlp_id_is_valid(record->span_id, 8))
        OTLP_TRY(otlp_put_hex(rows, S("span_id"), record->span_id));
    return otlp_put_int_set(rows, S("flags"), record->flags);
}

static int fill_log(struct otlp_rows *rows, const void *of)
{
    const log_record *record = of;
    bool has_time = record->time_unix_nano != 0;
    OTLP_TRY(otlp_put_time(rows, has_time ? "timeUnixNano" : "observedTimeUnixNano",
                           has_time ? record->time_unix_nano : record->observed_time_unix_nano));
    OTLP_TRY(otlp_put_ns_set(rows, S("time_unix_nano"), "timeUnixNano", record->time_unix_nano));
    OTLP_TRY(otlp_put_ns_set(rows, S("observed_time_unix_nano"), "observedTimeUnixNano",
                             record->observed_time_unix_nano));
    OTLP_TRY(otlp_put_int_set(rows, S("severity_number"), (int)record->severity_number));
    OTLP_TRY(otlp_put_str_set(rows, S("severity_text"), record->severity_text));
    OTLP_TRY(put_body(rows, record->body));
    OTLP_TRY(put_trace(rows, record));
    OTLP_TRY(otlp_put_str_set(rows, S("event_name"), record->event_name));
    OTLP_TRY(
        otlp_put_int_set(rows, S("dropped_attributes_count"), record->dropped_attributes_count));
    return otlp_put_pairs(rows, S("attributes."), record->attributes, record->n_attributes);
}

static int write_scope(struct otlp_rows *rows, const scope_logs *scope)
{
    OTLP_TRY(otlp_set_scope(rows, scope->scope));
    for (size_t i = 0; i < scope->n_log_records; i++) {
        rows->at[2] = i;
        OTLP_TRY(otlp_write_row(rows, fill_log, scope->log_records[i]));
    }
    return 0;
}

int otlp_write_logs(struct otlp_rows *rows, const otlp_logs_request *request)
{
    rows->path_format = "resourceLogs[%zu].scopeLogs[%zu].logRecords[%zu]";
    for (size_t i = 0; i < request->n_resource_logs; i++) {
        const resource_logs *resource = request->resource_logs[i];
        rows->at[0] = i;
        OTLP_TRY(otlp_set_resource(rows, resource->resource));
        for (size_t j = 0; j < resource->n_scope_logs; j++) {
            rows->at[1] = j;
            OTLP_TRY(write_scope(rows, resource->scope_logs[j]));
        }
    }
    return 0;
}
