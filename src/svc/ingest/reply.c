/* svc/ingest/reply.c - answers. OTLP's go out in the request's encoding: an Export*ServiceResponse, or a
 * google.rpc.Status when nothing was stored (OTLP specification, "OTLP/HTTP Response"). */
#include "svc/ingest/request.h"

#include <opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h>
#include <stdio.h>

/* The three signals' responses differ in names only: on the wire field 1 of the response is a message
 * whose field 1 is a count and whose field 2 is a text. google.rpc.Status has that inner shape too:
 * field 1 the code, field 2 the message. So one generated type writes all four. */
typedef Opentelemetry__Proto__Collector__Logs__V1__ExportLogsServiceResponse export_response;
typedef Opentelemetry__Proto__Collector__Logs__V1__ExportLogsPartialSuccess counted_text;
#define EXPORT_RESPONSE_INIT                                                                       \
    OPENTELEMETRY__PROTO__COLLECTOR__LOGS__V1__EXPORT_LOGS_SERVICE_RESPONSE__INIT
#define COUNTED_TEXT_INIT                                                                          \
    OPENTELEMETRY__PROTO__COLLECTOR__LOGS__V1__EXPORT_LOGS_PARTIAL_SUCCESS__INIT

#define REPLY_BYTES_MAX (64u * 1024u) /* twenty reasons and some */

/* What is said beside the body. */
struct head {
    int retry_after_s; /* 0: nothing */
    bool duplicate;
    struct quota_fields quota;
};

static void respond(int status, struct px_str type, const struct px_buf *body,
                    const struct head *head, struct px_buf *buf)
{
    struct http_header headers[5] = {{S("Content-Type"), type}};
    size_t count = 1;
    char seconds[16];
    if (head->retry_after_s > 0) {
        (void)snprintf(seconds, sizeof seconds, "%d", head->retry_after_s);
        headers[count++] = (struct http_header){S("Retry-After"), px_str_c(seconds)};
    }
    if (head->duplicate)
        headers[count++] = (struct http_header){S("Idempotent-Replayed"), S("true")};
    if (head->quota.state.ptr && head->quota.policy.ptr) {
        headers[count++] = (struct http_header){S("RateLimit"), head->quota.state};
        headers[count++] = (struct http_header){S("RateLimit-Policy"), head->quota.policy};
    }
    if (px_buf_fault(body)) {
        buf->fault = px_buf_fault(body);
        return;
    }
    bool is_binary = px_str_eq(type, S("application/x-protobuf"));
    struct api_response response = {status, headers, count, px_buf_str(body), is_binary};
    api_response_write(&response, buf);
}

static void pack(const ProtobufCMessage *message, struct px_buf *body)
{
    size_t bytes = protobuf_c_message_get_packed_size(message);
    uint8_t *to = (uint8_t *)px_buf_reserve(body, bytes);
    if (to) body->len += protobuf_c_message_pack(message, to);
}

static ProtobufCBinaryData bytes_of(struct px_str s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)(uintptr_t)s.ptr};
}

/* "logRecords[3].timeUnixNano: a time from ..." */
static struct px_str where_text(const struct px_where *where, char *text, size_t room)
{
    int n = where->path[0] ? snprintf(text, room, "%s: expected %s", where->path, where->expected)
                           : snprintf(text, room, "%s", where->expected);
    return px_str(text, PX_MIN((size_t)PX_MAX(n, 0), room - 1));
}

/* ---- refusals ---- */

/* google.rpc.Code for an HTTP status. */
static int rpc_code(int status)
{
    static const struct {
        int status, code;
    } codes[] = {{403, 7}, {404, 5}, {405, 12}, {409, 10}, {413, 8},
                 {421, 9}, {429, 8}, {503, 14}, {504, 4},  {507, 8}};
    for (size_t i = 0; i < PX_COUNT(codes); i++)
        if (codes[i].status == status) return codes[i].code;
    return status >= 500 ? 13 : 3; /* INTERNAL, INVALID_ARGUMENT */
}

static void reply_status(const struct ingest_request *request, int status, struct px_str text,
                         const struct head *head, struct px_buf *buf)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, REPLY_BYTES_MAX);
    if (request->format == BODY_PROTOBUF) {
        counted_text message = COUNTED_TEXT_INIT; /* google.rpc.Status, see above */
        message.rejected_log_records = rpc_code(status);
        message.error_message = bytes_of(text);
        pack(&message.base, &body);
        respond(status, S("application/x-protobuf"), &body, head, buf);
        return;
    }
    px_buf_printf(&body, "{\"code\":%d,\"message\":", rpc_code(status));
    px_buf_add_json_str(&body, text);
    px_buf_add_char(&body, '}');
    respond(status, S("application/json"), &body, head, buf);
}

static void reply_problem(const struct ingest_request *request, int status, struct px_str detail,
                          struct px_str extra_json, const struct head *head, struct px_buf *buf)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, REPLY_BYTES_MAX);
    api_problem_write(status, detail, request->request_id, extra_json, &body);
    respond(status, S("application/problem+json"), &body, head, buf);
}

void reply_refused(const struct ingest_request *request, const struct refusal *refusal,
                   struct px_buf *buf)
{
    char text[sizeof refusal->where.path + sizeof refusal->where.expected + 32];
    struct px_str detail = where_text(&refusal->where, text, sizeof text);
    const struct head head = {refusal->retry_after_s, false, refusal->quota};
    if (request->is_otlp) {
        reply_status(request, refusal->status, detail, &head, buf);
        return;
    }
    PX_AUTO(px_buf_deinit) struct px_buf extra;
    px_buf_init(&extra, 1024);
    if (refusal->where.offset > 0) px_buf_printf(&extra, "\"offset\":%zu", refusal->where.offset);
    if (refusal->home_region.len > 0) {
        px_buf_add_c(&extra, extra.len > 0 ? ",\"home_region\":" : "\"home_region\":");
        px_buf_add_json_str(&extra, refusal->home_region);
    }
    reply_problem(request, refusal->status, detail, px_buf_str(&extra), &head, buf);
}

/* ---- outcomes ---- */

static void add_errors(struct px_buf *json, const struct decode_result *result)
{
    px_buf_add_c(json, "\"errors\":[");
    for (uint32_t i = 0; result && i < result->refusals_kept; i++) {
        const struct decode_refusal *it = &result->refusals[i];
        px_buf_printf(json, "%s{\"record\":%llu,\"reason\":", i ? "," : "",
                      (unsigned long long)it->record);
        px_buf_add_json_str(json, px_str_c(it->where.expected));
        if (it->where.path[0]) {
            px_buf_add_c(json, ",\"path\":");
            px_buf_add_json_str(json, px_str_c(it->where.path));
        }
        px_buf_printf(json, ",\"offset\":%zu}", it->where.offset);
    }
    px_buf_add_char(json, ']');
}

static struct px_str refused_text(const struct ingest_outcome *outcome, char *text, size_t room)
{
    char first[sizeof(struct px_where)] = "";
    if (outcome->result && outcome->result->refusals_kept > 0)
        (void)where_text(&outcome->result->refusals[0].where, first, sizeof first);
    unsigned long long refused = outcome->refused, all = outcome->accepted + outcome->refused;
    int n = snprintf(text, room, "%llu of %llu records were refused%s%s", refused, all,
                     first[0] ? ", the first: " : "", first);
    return px_str(text, PX_MIN((size_t)PX_MAX(n, 0), room - 1));
}

static void reply_export(const struct ingest_request *request, const struct ingest_outcome *outcome,
                         struct px_str text, const struct head *head, struct px_buf *buf)
{
    static const char *const rejected[] = {"rejectedLogRecords", "rejectedSpans",
                                           "rejectedDataPoints"};
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, REPLY_BYTES_MAX);
    if (request->format == BODY_PROTOBUF) {
        counted_text partial = COUNTED_TEXT_INIT;
        partial.rejected_log_records = (int64_t)outcome->refused;
        partial.error_message = bytes_of(text);
        export_response message = EXPORT_RESPONSE_INIT;
        if (outcome->refused) message.partial_success = &partial;
        pack(&message.base, &body);
        respond(200, S("application/x-protobuf"), &body, head, buf);
        return;
    }
    px_buf_add_char(&body, '{');
    if (outcome->refused) {
        px_buf_printf(&body, "\"partialSuccess\":{\"%s\":\"%llu\",\"errorMessage\":",
                      rejected[request->signal], (unsigned long long)outcome->refused);
        px_buf_add_json_str(&body, text);
        px_buf_add_char(&body, '}');
    }
    px_buf_add_char(&body, '}');
    respond(200, S("application/json"), &body, head, buf);
}

static void reply_result(const struct ingest_outcome *outcome, const struct head *head,
                         struct px_buf *buf)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, REPLY_BYTES_MAX);
    px_buf_printf(&body, "{\"accepted\":%llu,\"refused\":%llu,",
                  (unsigned long long)outcome->accepted, (unsigned long long)outcome->refused);
    add_errors(&body, outcome->result);
    px_buf_add_c(&body, outcome->duplicate ? ",\"duplicate\":true}" : ",\"duplicate\":false}");
    respond(200, S("application/json"), &body, head, buf);
}

void reply_outcome(const struct ingest_request *request, const struct ingest_outcome *outcome,
                   struct px_buf *buf)
{
    char text[sizeof(struct px_where) + 128];
    struct px_str reason = refused_text(outcome, text, sizeof text);
    bool is_lost = outcome->accepted == 0 && outcome->refused > 0;
    const struct head head = {.duplicate = !is_lost && outcome->duplicate, .quota = outcome->quota};
    if (request->is_otlp) {
        if (is_lost)
            reply_status(request, 400, reason, &head, buf);
        else
            reply_export(request, outcome, reason, &head, buf);
        return;
    }
    if (!is_lost) {
        reply_result(outcome, &head, buf);
        return;
    }
    PX_AUTO(px_buf_deinit) struct px_buf errors;
    px_buf_init(&errors, REPLY_BYTES_MAX);
    add_errors(&errors, outcome->result);
    reply_problem(request, 400, reason, px_buf_str(&errors), &head, buf);
}
