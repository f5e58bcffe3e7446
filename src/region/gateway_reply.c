/* region/gateway_reply.c - answers: the function's, a mock's, or a gateway response of the contract. */
#include "region/gateway_internal.h"

#define REPLY_HEADERS_MAX 64

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

/* The template with $context.requestId put in. */
static struct px_str expand(struct px_str text, const struct gateway_call *call)
{
    static const char mark[] = "$context.requestId";
    const char *at = text.len ? memmem(text.ptr, text.len, mark, sizeof(mark) - 1) : NULL;
    if (!at) return text;
    size_t head = (size_t)(at - text.ptr);
    struct px_str tail = px_str_skip(text, head + sizeof(mark) - 1);
    return px_arena_printf(call->request->arena, "%.*s%s%.*s", (int)head, text.ptr,
                           call->request_id, PX_FMT(tail));
}

void gateway_refuse(struct gateway_call *call, enum api_gateway_response which, const char *why)
{
    const struct api_gateway_reply *reply = &call->gateway->options.contract->replies[which];
    const struct http_header headers[] = {
        {S("Content-Type"), S("application/problem+json")},
        {S("x-amzn-RequestId"), px_str_c(call->request_id)},
        {S("X-Amzn-Trace-Id"), px_str_c(call->trace_id)},
        {S("WWW-Authenticate"), S("Bearer")},
        {S("Retry-After"), S("1")},
    };
    struct http_header used[5] = {headers[0], headers[1], headers[2]};
    size_t count = 3;
    if (reply->status == 401) used[count++] = headers[3];
    if (reply->status == 429 || reply->status == 503) used[count++] = headers[4];
    call->gateway->stats.refused++;
    call->fault = call->fault ? call->fault : why;
    finish(call, reply->status, used, count, expand(reply->template_text, call));
}

void gateway_reply_mock(struct gateway_call *call)
{
    const struct http_header headers[] = {{S("Content-Type"), S("application/json")},
                                          {S("x-amzn-RequestId"), px_str_c(call->request_id)},
                                          {S("X-Amzn-Trace-Id"), px_str_c(call->trace_id)}};
    finish(call, call->match.route->mock_status, headers, 3, call->match.route->mock_body);
}

/* The function's headers, the request's id and its trace. */
static size_t with_ids(const struct gateway_call *call, const struct api_response *response,
                       struct http_header headers[REPLY_HEADERS_MAX + 2])
{
    size_t count = PX_MIN(response->header_count, (size_t)REPLY_HEADERS_MAX);
    if (count) memcpy(headers, response->headers, count * sizeof(*headers));
    headers[count++] = (struct http_header){S("x-amzn-RequestId"), px_str_c(call->request_id)};
    headers[count++] = (struct http_header){S("X-Amzn-Trace-Id"), px_str_c(call->trace_id)};
    return count;
}

static void reply_response(struct gateway_call *call, const struct api_response *response)
{
    struct http_header headers[REPLY_HEADERS_MAX + 2];
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
    struct http_header headers[REPLY_HEADERS_MAX + 2];
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
