/* svc/ingest/otlp_traces.c - spans to rows. Columns: docs/design/ingest.md. Events and links are JSON arrays:
 * unnested with SQL when they are wanted, out of the way when they are not. */
#include "svc/ingest/otlp.h"

#include "base/px_id.h"

#include <stdio.h>

typedef Opentelemetry__Proto__Trace__V1__ResourceSpans resource_spans;
typedef Opentelemetry__Proto__Trace__V1__ScopeSpans scope_spans;
typedef Opentelemetry__Proto__Trace__V1__Span span;
typedef Opentelemetry__Proto__Trace__V1__Span__Event span_event;
typedef Opentelemetry__Proto__Trace__V1__Span__Link span_link;

uint64_t otlp_count_traces(const otlp_traces_request *request)
{
    uint64_t count = 0;
    for (size_t i = 0; i < request->n_resource_spans; i++) {
        const resource_spans *resource = request->resource_spans[i];
        for (size_t j = 0; j < resource->n_scope_spans; j++)
            count += resource->scope_spans[j]->n_spans;
    }
    return count;
}

/* ---- events and links ---- */

/* "attributes" and "dropped_attributes_count" of an object, where there are any. */
static int add_attributes(struct px_buf *json, otlp_pair *const *pairs, size_t count,
                          uint32_t dropped)
{
    if (count) {
        px_buf_add_c(json, ",\"attributes\":");
        OTLP_TRY(otlp_add_pairs(json, pairs, count, 1));
    }
    if (dropped) px_buf_printf(json, ",\"dropped_attributes_count\":%u", dropped);
    px_buf_add_char(json, '}');
    return 0;
}

static int add_event(struct px_buf *json, const span_event *event)
{
    px_buf_printf(json,
                  "{\"time_unix_nano\":%llu,\"name\":", (unsigned long long)event->time_unix_nano);
    px_buf_add_json_str(json, otlp_str(event->name));
    return add_attributes(json, event->attributes, event->n_attributes,
                          event->dropped_attributes_count);
}

static int add_link(struct px_buf *json, const span_link *link)
{
    px_buf_add_c(json, "{\"trace_id\":");
    otlp_add_hex(json, link->trace_id);
    px_buf_add_c(json, ",\"span_id\":");
    otlp_add_hex(json, link->span_id);
    if (link->trace_state.len) {
        px_buf_add_c(json, ",\"trace_state\":");
        px_buf_add_json_str(json, otlp_str(link->trace_state));
    }
    if (link->flags) px_buf_printf(json, ",\"flags\":%u", link->flags);
    return add_attributes(json, link->attributes, link->n_attributes,
                          link->dropped_attributes_count);
}

static int put_events(struct otlp_rows *rows, const span *record)
{
    if (record->n_events == 0) return 0;
    struct px_buf *json = &rows->text;
    px_buf_clear(json);
    for (size_t i = 0; i < record->n_events; i++) {
        px_buf_add_char(json, i ? ',' : '[');
        int r = add_event(json, record->events[i]);
        if (r != 0)
            return otlp_refuse(rows, "events", "values of at most %d levels", OTLP_VALUE_DEPTH_MAX);
    }
    px_buf_add_char(json, ']');
    return otlp_put_json(rows, S("events"));
}

static int put_links(struct otlp_rows *rows, const span *record)
{
    if (record->n_links == 0) return 0;
    struct px_buf *json = &rows->text;
    px_buf_clear(json);
    for (size_t i = 0; i < record->n_links; i++) {
        px_buf_add_char(json, i ? ',' : '[');
        int r = add_link(json, record->links[i]);
        if (r != 0)
            return otlp_refuse(rows, "links", "values of at most %d levels", OTLP_VALUE_DEPTH_MAX);
    }
    px_buf_add_char(json, ']');
    return otlp_put_json(rows, S("links"));
}

/* ---- spans ---- */

static const char *const kinds[] = {"UNSPECIFIED", "INTERNAL", "SERVER",
                                    "CLIENT",      "PRODUCER", "CONSUMER"};
static const char *const statuses[] = {"UNSET", "OK", "ERROR"};

static int put_ids(struct otlp_rows *rows, const span *record)
{
    if (!otlp_id_is_valid(record->trace_id, 16))
        return otlp_refuse(rows, "traceId", "16 bytes that are not all zero");
    if (!otlp_id_is_valid(record->span_id, 8))
        return otlp_refuse(rows, "spanId", "8 bytes that are not all zero");
    OTLP_TRY(otlp_put_hex(rows, S("trace_id"), record->trace_id));
    OTLP_TRY(otlp_put_hex(rows, S("span_id"), record->span_id));
    if (otlp_id_is_valid(record->parent_span_id, 8))
        OTLP_TRY(otlp_put_hex(rows, S("parent_span_id"), record->parent_span_id));
    return otlp_put_str_set(rows, S("trace_state"), record->trace_state);
}

static int put_times(struct otlp_rows *rows, const span *record)
{
    uint64_t start = record->start_time_unix_nano, end = record->end_time_unix_nano;
    OTLP_TRY(
        otlp_put_time(rows, start ? "startTimeUnixNano" : "endTimeUnixNano", start ? start : end));
    OTLP_TRY(otlp_put_ns_set(rows, S("start_time_unix_nano"), "startTimeUnixNano", start));
    OTLP_TRY(otlp_put_ns_set(rows, S("end_time_unix_nano"), "endTimeUnixNano", end));
    if (start == 0 || end == 0) return 0;
    return otlp_put_int(rows, S("duration_ns"), (int64_t)(end - start));
}

static int put_status(struct otlp_rows *rows, const span *record)
{
    int code = record->status ? (int)record->status->code : 0;
    OTLP_TRY(otlp_put_enum(rows, S("status_code"), code, statuses, PX_COUNT(statuses)));
    return record->status ? otlp_put_str_set(rows, S("status_message"), record->status->message)
                          : 0;
}

static int fill_span(struct otlp_rows *rows, const void *of)
{
    const span *record = of;
    OTLP_TRY(put_times(rows, record));
    OTLP_TRY(put_ids(rows, record));
    OTLP_TRY(otlp_put_str_set(rows, S("name"), record->name));
    OTLP_TRY(otlp_put_enum(rows, S("kind"), (int)record->kind, kinds, PX_COUNT(kinds)));
    OTLP_TRY(put_status(rows, record));
    OTLP_TRY(otlp_put_int_set(rows, S("flags"), record->flags));
    OTLP_TRY(put_events(rows, record));
    OTLP_TRY(put_links(rows, record));
    OTLP_TRY(
        otlp_put_int_set(rows, S("dropped_attributes_count"), record->dropped_attributes_count));
    OTLP_TRY(otlp_put_int_set(rows, S("dropped_events_count"), record->dropped_events_count));
    OTLP_TRY(otlp_put_int_set(rows, S("dropped_links_count"), record->dropped_links_count));
    return otlp_put_pairs(rows, S("attributes."), record->attributes, record->n_attributes);
}

static int write_scope(struct otlp_rows *rows, const scope_spans *scope)
{
    OTLP_TRY(otlp_set_scope(rows, scope->scope));
    for (size_t i = 0; i < scope->n_spans; i++) {
        rows->at[2] = i;
        OTLP_TRY(otlp_write_row(rows, fill_span, scope->spans[i]));
    }
    return 0;
}

int otlp_write_traces(struct otlp_rows *rows, const otlp_traces_request *request)
{
    rows->path_format = "resourceSpans[%zu].scopeSpans[%zu].spans[%zu]";
    for (size_t i = 0; i < request->n_resource_spans; i++) {
        const resource_spans *resource = request->resource_spans[i];
        rows->at[0] = i;
        OTLP_TRY(otlp_set_resource(rows, resource->resource));
        for (size_t j = 0; j < resource->n_scope_spans; j++) {
            rows->at[1] = j;
            OTLP_TRY(write_scope(rows, resource->scope_spans[j]));
        }
    }
    return 0;
}
