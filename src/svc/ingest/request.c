/* svc/ingest/request.c - an HTTP event to an ingest request: route, caller, content type, key. */
#include "svc/ingest/request.h"

#include <stdarg.h>
#include <stdio.h>

#include "svc/catalog/names.h"

#define KEY_BYTES_MAX 255
#define TIME_FIELD_CHARS_MAX 256 /* of the contract */

int refuse(struct refusal *refusal, int status, const char *fmt, ...)
{
    char text[sizeof refusal->where.expected];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    *refusal = (struct refusal){.status = status};
    px_where_set(&refusal->where, 0, NULL, "%s", text);
    return REQUEST_REFUSED;
}

static int read_route(const struct api_event *event, struct ingest_request *request,
                      struct refusal *refusal)
{
    static const struct {
        const char *resource, *dataset;
        enum otlp_signal signal;
    } signals[] = {{"/v1/logs", "logs", OTLP_LOGS},
                   {"/v1/traces", "traces", OTLP_TRACES},
                   {"/v1/metrics", "metrics", OTLP_METRICS}};
    for (size_t i = 0; i < PX_COUNT(signals); i++) {
        if (!px_str_eq(event->resource, px_str_c(signals[i].resource))) continue;
        request->is_otlp = true;
        request->signal = signals[i].signal;
        request->dataset = px_str_c(signals[i].dataset);
        return 0;
    }
    if (!px_str_eq(event->resource, S("/v1/ingest/{dataset}")))
        return refuse(refusal, 404, "no such route");
    const char *why;
    request->dataset = api_path_param(event, S("dataset"));
    if (!dataset_name_ok(request->dataset, &why)) return refuse(refusal, 400, "%s", why);
    return 0;
}

static int read_caller(const struct api_event *event, struct ingest_request *request,
                       struct refusal *refusal)
{
    request->tenant = event->caller.tenant;
    if (!tenant_name_ok(request->tenant)) return refuse(refusal, 403, "the request has no tenant");
    if (!api_caller_may(&event->caller, S("ingest")))
        return refuse(refusal, 403, "the key does not have the scope \"ingest\"");
    return 0;
}

/* The media type without its parameters. */
static struct px_str media_type(const struct api_event *event)
{
    struct px_str rest = api_header(event, S("content-type")), type;
    (void)px_str_cut(&rest, ';', &type);
    return px_str_trim(type);
}

static int read_otlp_format(struct px_str type, struct ingest_request *request,
                            struct refusal *refusal)
{
    bool is_protobuf = px_str_ieq(type, S("application/x-protobuf")) ||
                       px_str_ieq(type, S("application/protobuf"));
    request->format = is_protobuf ? BODY_PROTOBUF : BODY_JSON;
    if (is_protobuf || px_str_ieq(type, S("application/json"))) return 0;
    return refuse(refusal, 415, "Content-Type is application/x-protobuf or application/json");
}

static int read_records_format(struct px_str type, struct ingest_request *request,
                               struct refusal *refusal)
{
    static const char *const types[] = {"application/x-ndjson", "application/json",
                                        "application/ndjson",   "application/jsonl",
                                        "text/plain",           ""};
    request->format = BODY_RECORDS;
    for (size_t i = 0; i < PX_COUNT(types); i++)
        if (px_str_ieq(type, px_str_c(types[i]))) return 0;
    return refuse(refusal, 415, "Content-Type is application/x-ndjson or application/json");
}

/* Of two keys, each of two hops might believe another. */
static bool has_several_keys(const struct api_event *event)
{
    unsigned count = 0;
    for (size_t i = 0; i < event->header_count; i++)
        count += px_str_ieq(event->headers[i].name, S("idempotency-key"));
    return count > 1;
}

static int read_key(const struct api_event *event, struct ingest_request *request,
                    struct refusal *refusal)
{
    request->key = api_header(event, S("idempotency-key"));
    if (!request->key.ptr) return 0;
    if (has_several_keys(event)) return refuse(refusal, 400, "more than one Idempotency-Key");
    bool fine = request->key.len >= 1 && request->key.len <= KEY_BYTES_MAX;
    for (size_t i = 0; fine && i < request->key.len; i++)
        fine = request->key.ptr[i] >= 0x20 && request->key.ptr[i] < 0x7F;
    if (!fine)
        return refuse(refusal, 400, "Idempotency-Key is 1 to %d printable ASCII characters",
                      KEY_BYTES_MAX);
    return 0;
}

/* Of UTF-8, as JSON Schema counts a text's length. */
static size_t characters(struct px_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) count += (text.ptr[i] & 0xC0) != 0x80;
    return count;
}

int request_read(const struct api_event *event, struct ingest_request *ret_request,
                 struct refusal *ret_refusal)
{
    *ret_request = (struct ingest_request){.request_id = event->request_id, .format = BODY_RECORDS};
    int r = read_route(event, ret_request, ret_refusal);
    if (r == 0 && !px_str_eq(event->method, S("POST")))
        r = refuse(ret_refusal, 405, "the method is POST");
    if (r == 0) {
        struct px_str type = media_type(event);
        r = ret_request->is_otlp ? read_otlp_format(type, ret_request, ret_refusal)
                                 : read_records_format(type, ret_request, ret_refusal);
    }
    if (r == 0) r = read_caller(event, ret_request, ret_refusal);
    if (r == 0) r = read_key(event, ret_request, ret_refusal);
    ret_request->encoding = api_header(event, S("content-encoding"));
    ret_request->time_field = api_query(event, S("time_field"));
    if (r == 0 && characters(ret_request->time_field) > TIME_FIELD_CHARS_MAX)
        r = refuse(ret_refusal, 400, "time_field has at most %d characters", TIME_FIELD_CHARS_MAX);
    return r;
}
