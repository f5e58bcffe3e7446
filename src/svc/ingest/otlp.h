/* svc/ingest/otlp.h - inside of decode_otlp(): a request becomes the same protobuf-c structs from either
 * encoding, then one writer walks them into rows, so protobuf and JSON cannot differ.
 *
 *   otlp_unpack.c   protobuf -> structs          otlp_value.c  attribute values -> columns, JSON text
 *   otlp_json.c     OTLP's JSON -> structs       otlp_row.c    a row's life: refusals, times, groups
 *   otlp_logs.c, otlp_traces.c, otlp_metrics.c   structs -> rows of that signal */
#pragma once

#include "svc/ingest/decode.h"

#include <opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h>
#include <opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h>
#include <opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h>

typedef Opentelemetry__Proto__Common__V1__AnyValue otlp_value;
typedef Opentelemetry__Proto__Common__V1__ArrayValue otlp_array;
typedef Opentelemetry__Proto__Common__V1__KeyValueList otlp_kvlist;
typedef Opentelemetry__Proto__Common__V1__KeyValue otlp_pair;
typedef Opentelemetry__Proto__Common__V1__InstrumentationScope otlp_scope;
typedef Opentelemetry__Proto__Resource__V1__Resource otlp_resource;
typedef Opentelemetry__Proto__Collector__Logs__V1__ExportLogsServiceRequest otlp_logs_request;
typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest otlp_traces_request;
typedef Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest
    otlp_metrics_request;

/* Levels of lists in lists; deeper values are refused with their record. */
#define OTLP_VALUE_DEPTH_MAX 32

static inline struct px_str otlp_str(ProtobufCBinaryData bytes)
{
    return px_str((const char *)bytes.data, bytes.len);
}

/* ---- a request's structs, in arena ---- */

/* Answers: DECODE_INVALID, DECODE_TOO_LARGE (the arena's ceiling). */
PX_MUST_USE int otlp_unpack(const ProtobufCMessageDescriptor *type, struct px_str body,
                            struct px_arena *arena, ProtobufCMessage **ret_message,
                            struct px_where *ret_where);
PX_MUST_USE int otlp_unpack_json(const ProtobufCMessageDescriptor *type, struct px_str body,
                                 struct px_arena *arena, ProtobufCMessage **ret_message,
                                 struct px_where *ret_where);

/* ---- values ---- */

enum otlp_kind { OTLP_ABSENT, OTLP_STR, OTLP_BOOL, OTLP_INT, OTLP_DOUBLE, OTLP_JSON };
/* One attribute as a column takes it. */
struct otlp_field {
    struct px_str name;
    enum otlp_kind kind;
    union {
        struct px_str s; /* STR: UTF-8; JSON: text */
        int64_t i;
        double d;
        bool b;
    };
};
enum otlp_value_answer { OTLP_TOO_DEEP = 1 };
/* value (may be NULL: absent) as a field without name; text is built in `text` when it does not stand
 * in the message, and lives until text changes. Answers: OTLP_TOO_DEEP. */
PX_MUST_USE int otlp_field_of(const otlp_value *value, struct px_buf *text,
                              struct otlp_field *ret_field);
/* Valid UTF-8: `bytes` itself, or a copy in `text` with U+FFFD for what is not. */
PX_MUST_USE int otlp_utf8(struct px_str bytes, struct px_buf *text, struct px_str *ret_utf8);
/* JSON text appended; the buffer's fault tells of failure. Answers: OTLP_TOO_DEEP. */
PX_MUST_USE int otlp_add_value(struct px_buf *json, const otlp_value *value, unsigned depth);
PX_MUST_USE int otlp_add_pairs(struct px_buf *json, otlp_pair *const *pairs, size_t count,
                               unsigned depth);
void otlp_add_double(struct px_buf *json,
                     double value); /* NaN and infinities as strings, as protobuf does */
void otlp_add_doubles(struct px_buf *json, const double *values, size_t count);
void otlp_add_hex(struct px_buf *json, ProtobufCBinaryData bytes); /* a JSON string */
void otlp_add_u64s(struct px_buf *json, const uint64_t *values, size_t count);

/* ---- rows ---- */

/* Columns that all records of one resource and scope share, prepared once. */
struct otlp_group {
    struct otlp_field *fields;
    size_t count, cap;
    bool refused; /* a field cannot be a column: each record is refused for it */
    struct px_where where;
};

struct otlp_rows {
    struct batch *batch;
    const struct decode_limits *limits;
    struct decode_result *result;
    struct px_arena *arena; /* for groups */
    struct px_buf text;     /* scratch for one value */
    struct otlp_group resource, scope;
    size_t row_bytes;        /* text put into the current row */
    struct px_where refusal; /* why the current row is refused */
    /* where the current row stands, for refusals; only printed then */
    const char *path_format; /* "resourceLogs[%zu].scopeLogs[%zu].logRecords[%zu]" */
    size_t at[4];
};
/* What the functions below and the writers of signals return beside 0 and faults; a put that returns one of
 * them ends the row. */
enum otlp_row_answer { OTLP_ROW_REFUSED = 1, OTLP_ROWS_FULL };
#define OTLP_TRY(expr)                                                                             \
    do {                                                                                           \
        int otlp_result_ = (expr);                                                                 \
        if (__builtin_expect(otlp_result_ != 0, 0)) return otlp_result_;                           \
    } while (0)

PX_MUST_USE int otlp_set_resource(struct otlp_rows *rows, const otlp_resource *resource);
PX_MUST_USE int otlp_set_scope(struct otlp_rows *rows, const otlp_scope *scope);

/* One row: fill(rows, record) puts its columns; the group's columns are put behind them. Counts the
 * record as accepted or refused. Answers: OTLP_ROWS_FULL. */
typedef int otlp_fill(struct otlp_rows *rows, const void *record);
PX_MUST_USE int otlp_write_row(struct otlp_rows *rows, otlp_fill *fill, const void *record);

/* Refuse the current row. field is a path below the record, or NULL. */
int otlp_refuse(struct otlp_rows *rows, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Columns of the current row. Text that is empty and numbers that are 0 are absent where the name says
 * `_set`. */
PX_MUST_USE int otlp_put_time(struct otlp_rows *rows, const char *field,
                              uint64_t unix_ns); /* 0: arrival */
PX_MUST_USE int otlp_put_ns_set(struct otlp_rows *rows, struct px_str name, const char *field,
                                uint64_t unix_ns);
PX_MUST_USE int otlp_put_str(struct otlp_rows *rows, struct px_str name, struct px_str text);
PX_MUST_USE int otlp_put_str_set(struct otlp_rows *rows, struct px_str name,
                                 ProtobufCBinaryData text);
PX_MUST_USE int otlp_put_hex(struct otlp_rows *rows, struct px_str name, ProtobufCBinaryData bytes);
PX_MUST_USE int otlp_put_bool(struct otlp_rows *rows, struct px_str name, bool value);
PX_MUST_USE int otlp_put_int(struct otlp_rows *rows, struct px_str name, int64_t value);
PX_MUST_USE int otlp_put_int_set(struct otlp_rows *rows, struct px_str name, int64_t value);
PX_MUST_USE int otlp_put_u64(struct otlp_rows *rows, struct px_str name, uint64_t value);
PX_MUST_USE int otlp_put_double(struct otlp_rows *rows, struct px_str name, double value);
/* An enum as its name without the prefix; a number that names nothing as that number. */
PX_MUST_USE int otlp_put_enum(struct otlp_rows *rows, struct px_str name, int value,
                              const char *const *names, size_t count);
/* rows->text holds JSON text that was built there; when it outgrew a record, the row is refused. */
PX_MUST_USE int otlp_put_json(struct otlp_rows *rows, struct px_str name);
PX_MUST_USE int otlp_text_done(struct otlp_rows *rows);
/* prefix: "attributes." */
PX_MUST_USE int otlp_put_pairs(struct otlp_rows *rows, struct px_str prefix,
                               otlp_pair *const *pairs, size_t count);

/* Valid ids are `bytes` long and not all zero (W3C trace context). */
bool otlp_id_is_valid(ProtobufCBinaryData id, size_t bytes);

/* ---- signals ---- */

uint64_t otlp_count_logs(const otlp_logs_request *request);
uint64_t otlp_count_traces(const otlp_traces_request *request);
uint64_t otlp_count_metrics(const otlp_metrics_request *request);
PX_MUST_USE int otlp_write_logs(struct otlp_rows *rows, const otlp_logs_request *request);
PX_MUST_USE int otlp_write_traces(struct otlp_rows *rows, const otlp_traces_request *request);
PX_MUST_USE int otlp_write_metrics(struct otlp_rows *rows, const otlp_metrics_request *request);
