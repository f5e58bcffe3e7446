/* region/gateway_reply.c - answers: the function's, a mock's, or a gateway response of the contract. */
#include "region/gateway_internal.h"

#define REPLY_HEADERS_MAX 64
#define REPLY_BYTES_MAX (64 * 1024) /* of a gateway response */

/* Answer whole; the access log comes first because the request's arena goes with the answer. */
static void finish(struct gateway_call *call, int status, const struct http_header *headers,
                   size_t count, struct px_str body)
{
    struct http_request *request = call->request;
    call->status = status;
    call->bytes_out = body.len;
    gateway_log_access(call);
    call->request = NULL;
    request->user = NULL;
    http_reply(request, status, headers, count, body);
}

static struct px_str variable_of(const struct gateway_call *call,
                                 const struct api_gateway_reply *reply, enum api_variable variable)
{
    switch (variable) {
    case API_VARIABLE_REQUEST_ID: return px_str_c(call->request_id);
    case API_VARIABLE_MESSAGE:
    case API_VARIABLE_MESSAGE_STRING: return call->message.len ? call->message : reply->message;
    case API_VARIABLE_RESPONSE_TYPE: return reply->type;
    case API_VARIABLE_VALIDATION: return call->violation;
    case API_VARIABLE_COUNT_: break;
    }
    return S("");
}

/* As within a JSON string. */
static void add_escaped(struct px_buf *text, struct px_str value)
{
    PX_AUTO(px_buf_deinit) struct px_buf quoted;
    px_buf_init(&quoted, REPLY_BYTES_MAX);
    px_buf_add_json_str(&quoted, value);
    if (quoted.len >= 2) px_buf_add_str(text, px_str(quoted.ptr + 1, quoted.len - 2));
}

/* The template with its variables put in. */
static struct px_str expand(const struct gateway_call *call, const struct api_gateway_reply *reply)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct px_str rest = reply->template_text, before;
    enum api_variable variable;
    px_buf_init(&text, REPLY_BYTES_MAX);
    while (api_template_next(&rest, &before, &variable)) {
        struct px_str value = variable_of(call, reply, variable);
        px_buf_add_str(&text, before);
        if (variable == API_VARIABLE_MESSAGE_STRING)
            px_buf_add_json_str(&text, value);
        else if (variable == API_VARIABLE_VALIDATION)
            add_escaped(&text, value);
        else
            px_buf_add_str(&text, value);
    }
    return px_arena_dup(call->request->arena, px_buf_str(&text));
}

void gateway_refuse(struct gateway_call *call, enum api_gateway_response which, const char *why)
{
    const struct api_gateway_reply *reply = &call->gateway->options.contract->replies[which];
    struct http_header headers[3 + API_REPLY_HEADERS_MAX + GATEWAY_QUOTA_HEADERS] = {
        {S("Content-Type"), reply->media_type},
        {S("x-amzn-RequestId"), px_str_c(call->request_id)},
        {S("X-Amzn-Trace-Id"), px_str_c(call->trace_id)},
    };
    memcpy(headers + 3, reply->headers, reply->header_count * sizeof(*headers));
    size_t count = gateway_quota_refusal(call, headers, 3 + reply->header_count);
    call->gateway->stats.refused++;
    call->fault = call->fault ? call->fault : why;
    call->fault_type = reply->type;
    finish(call, reply->status, headers, count, expand(call, reply));
}

void gateway_refuse_name(struct gateway_call *call)
{
    const struct http_header headers[] = {{S("Content-Type"), S("application/json")},
                                          {S("x-amzn-ErrorType"), S("ForbiddenException")},
                                          {S("x-amzn-RequestId"), px_str_c(call->request_id)},
                                          {S("X-Amzn-Trace-Id"), px_str_c(call->trace_id)}};
    call->gateway->stats.refused++;
    call->fault = "no such name, or not for this client";
    finish(call, 403, headers, PX_COUNT(headers), S("{\"message\":\"Forbidden\"}"));
}

void gateway_reply_problem(struct gateway_call *call, int status, struct px_str problem,
                           const char *why)
{
    const struct http_header headers[] = {{S("Content-Type"), S("application/problem+json")},
                                          {S("x-amzn-RequestId"), px_str_c(call->request_id)},
                                          {S("X-Amzn-Trace-Id"), px_str_c(call->trace_id)}};
    call->gateway->stats.refused++;
    call->fault = why;
    finish(call, status, headers, PX_COUNT(headers), problem);
}

struct px_str gateway_media_type(const struct http_request *request)
{
    struct px_str rest = http_header_get(request, S("Content-Type")), type;
    (void)px_str_cut(&rest, ';', &type);
    type = px_str_trim(type);
    return type.len ? type : S("application/json");
}

void gateway_reply_mock(struct gateway_call *call)
{
    const struct api_route *route = call->match.route;
    if (route->mock_media_type.len &&
        !px_str_ieq(gateway_media_type(call->request), route->mock_media_type)) {
        gateway_refuse(call, API_GW_UNSUPPORTED_MEDIA_TYPE, "no template for the Content-Type");
        return;
    }
    struct http_header headers[3 + API_REPLY_HEADERS_MAX] = {
        {S("x-amzn-RequestId"), px_str_c(call->request_id)},
        {S("X-Amzn-Trace-Id"), px_str_c(call->trace_id)}};
    size_t count = 2;
    if (route->mock_body.len)
        headers[count++] = (struct http_header){S("Content-Type"), S("application/json")};
    memcpy(headers + count, route->mock_headers, route->mock_header_count * sizeof(*headers));
    finish(call, route->mock_status, headers, count + route->mock_header_count, route->mock_body);
}

void gateway_reply_direct(struct gateway_call *call, const struct api_direct_reply *reply,
                          const struct vtl_result *result)
{
    struct http_header headers[3 + API_REPLY_HEADERS_MAX] = {
        {S("Content-Type"), reply->media_type},
        {S("x-amzn-RequestId"), px_str_c(call->request_id)},
        {S("X-Amzn-Trace-Id"), px_str_c(call->trace_id)}};
    memcpy(headers + 3, reply->headers, reply->header_count * sizeof(*headers));
    finish(call, result->status ? result->status : reply->status, headers, 3 + reply->header_count,
           result->text);
}

#define WITH_IDS_MAX (REPLY_HEADERS_MAX + 2 + GATEWAY_LEFT_HEADERS)

/* The function's headers, the request's id, its trace and what is left of the tenant's quotas. */
static size_t with_ids(const struct gateway_call *call, const struct api_response *response,
                       struct http_header headers[WITH_IDS_MAX])
{
    size_t count = PX_MIN(response->header_count, (size_t)REPLY_HEADERS_MAX);
    if (count) memcpy(headers, response->headers, count * sizeof(*headers));
    headers[count++] = (struct http_header){S("x-amzn-RequestId"), px_str_c(call->request_id)};
    headers[count++] = (struct http_header){S("X-Amzn-Trace-Id"), px_str_c(call->trace_id)};
    return gateway_quota_left(call, headers, count);
}

static void reply_response(struct gateway_call *call, const struct api_response *response)
{
    struct http_header headers[WITH_IDS_MAX];
    size_t count = with_ids(call, response, headers);
    finish(call, response->status, headers, count, response->body);
}

void gateway_reply_result(struct gateway_call *call, const struct lambda_result *result)
{
    struct api_response response;
    switch (result->outcome) {
    case LAMBDA_OK:
        if (api_response_parse(result->payload, call->request->arena, &response) == 0)
            reply_response(call, &response);
        else
            gateway_refuse(call, API_GW_INTEGRATION_FAILURE, "the function's answer is malformed");
        return;
    case LAMBDA_THROTTLED: gateway_refuse(call, API_GW_THROTTLED, "function throttled"); return;
    case LAMBDA_TIMED_OUT:
        gateway_refuse(call, API_GW_INTEGRATION_TIMEOUT, "function timed out");
        return;
    case LAMBDA_FUNCTION_ERROR:
        gateway_refuse(call, API_GW_INTEGRATION_FAILURE, "function error");
        return;
    case LAMBDA_TOO_LARGE:
        gateway_refuse(call, API_GW_INTEGRATION_FAILURE, "function response too large");
        return;
    case LAMBDA_EXITED:
    case LAMBDA_INIT_FAILED:
        gateway_refuse(call, API_GW_INTEGRATION_FAILURE, "function exited");
        return;
    }
}

/* ---- streamed answers ---- */

/* The last bytes may drain after the call's end, so the server holds a link that is cut then. */
static void on_drain(void *ctx)
{
    struct gateway_call *call = *(struct gateway_call **)ctx;
    if (call && call->invocation) lambda_invocation_resume(call->invocation);
}

void gateway_stream_begin(void *ctx, struct px_str prelude_json)
{
    struct gateway_call *call = ctx;
    struct api_response prelude;
    if (!call->request) return;
    call->streaming = true;
    if (api_response_parse(prelude_json, call->request->arena, &prelude) != 0) {
        gateway_refuse(call, API_GW_INTEGRATION_FAILURE, "the stream's prelude is malformed");
        return;
    }
    call->stream_link = px_arena_new(call->request->arena, struct gateway_call *);
    if (!call->stream_link) {
        gateway_refuse(call, API_GW_INTEGRATION_FAILURE, "out of memory");
        return;
    }
    *call->stream_link = call;
    call->status = prelude.status;
    struct http_header headers[WITH_IDS_MAX];
    size_t count = with_ids(call, &prelude, headers);
    http_reply_begin(call->request, prelude.status, headers, count, on_drain, call->stream_link);
}

size_t gateway_stream_piece(void *ctx, struct px_str piece)
{
    struct gateway_call *call = ctx;
    if (!call->request) return 0;
    call->bytes_out += piece.len;
    return http_reply_piece(call->request, piece);
}

void gateway_stream_end(struct gateway_call *call, bool complete)
{
    struct http_request *request = call->request;
    if (!complete && !call->fault) call->fault = "the function failed within its answer";
    gateway_log_access(call);
    *call->stream_link = NULL;
    call->request = NULL;
    request->user = NULL;
    http_reply_end(request, complete);
}
