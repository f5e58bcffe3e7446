/* lambda/instance_api.c - the Runtime API of one instance (version 2018-06-01), server side.
 *
 * Out of order calls are answered as Lambda's own supervisor answers them: 400 InvalidRequestID for an
 * id that is not the current one, 403 InvalidStateTransition for a call that the state does not allow. */
#include <sys/socket.h>

#include "base/px_clock.h"
#include "lambda/instance.h"
#include "lambda/runtime_post.h"

#define BODY_BYTES_MAX                                                                             \
    (ANSWER_BYTES_MAX + (1u << 20)) /* so that a little too much is answered by name */
#define ERROR_TYPE_HEADER "Lambda-Runtime-Function-Error-Type"

static void reply_error(struct http_request *request, int status, const char *type,
                        const char *message)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 4096);
    px_buf_printf(&json, "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}\n", message, type);
    struct http_header header = {S("Content-Type"), S("application/json")};
    http_reply(request, status, &header, 1, px_buf_str(&json));
}

static void reply_accepted(struct http_request *request)
{
    struct http_header header = {S("Content-Type"), S("application/json")};
    http_reply(request, 202, &header, 1, S("{\"status\":\"OK\"}\n"));
}

static void reply_state(struct http_request *request)
{
    reply_error(request, 403, "InvalidStateTransition", "State transition is not allowed");
}

/* ---- next ---- */

static void on_next(struct instance *instance, struct http_request *request)
{
    if (instance->parked || instance->invocation) {
        reply_state(request);
        return;
    }
    instance->parked = request;
    if (!instance->ready) {
        instance->ready = true;
        instance->init_ms = (double)(uv_hrtime() - instance->spawned_ns) / (double)PX_NS_PER_MS;
    }
    if (instance_is_live(instance)) pool_instance_asks(instance);
}

/* ---- answers ---- */

static void on_response(struct instance *instance, struct http_request *request)
{
    if (instance->stream.request == request) {
        instance_stream_end(instance);
        reply_accepted(request);
        return;
    }
    bool too_large = request->body.len > ANSWER_BYTES_MAX;
    struct lambda_invocation *invocation = instance_take(instance);
    if (too_large) {
        char text[160];
        (void)snprintf(
            text, sizeof text,
            "Response payload size (%zu bytes) exceeded maximum allowed payload size (%zu bytes).",
            request->body.len, ANSWER_BYTES_MAX);
        pool_finish_error(invocation, LAMBDA_TOO_LARGE, "Function.ResponseSizeTooLarge", text);
        reply_error(request, 413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size");
    } else {
        pool_finish(invocation, LAMBDA_OK, request->body);
        reply_accepted(request);
    }
}

static void on_error(struct instance *instance, struct http_request *request)
{
    bool too_large = px_str_eq(http_header_get(request, S(ERROR_TYPE_HEADER)),
                               S("Function.ResponseSizeTooLarge"));
    pool_finish(instance_take(instance), too_large ? LAMBDA_TOO_LARGE : LAMBDA_FUNCTION_ERROR,
                request->body);
    reply_accepted(request);
}

static void on_init_error(struct instance *instance, struct http_request *request)
{
    if (instance->ready) {
        reply_state(request);
        return;
    }
    struct px_buf *error = &instance->pool->init_error;
    px_buf_clear(error);
    px_buf_add_str(error, request->body);
    if (px_buf_fault(error)) px_buf_clear(error); /* too long to keep: its exit is told instead */
    reply_accepted(request);
}

/* Not Lambda's: whoever calls here is this function, so its spans need no key. */
static void on_traces(struct instance *instance, struct http_request *request)
{
    const struct lambda_pool_options *options = &instance->pool->options;
    struct http_header type = {S("Content-Type"), S("application/x-protobuf")};
    if (!options->on_spans) {
        reply_error(request, 404, "NotFound", "there is no such call");
        return;
    }
    if (!instance->pool->freed) options->on_spans(options->ctx, options->name, request->body);
    http_reply(request, 200, &type, 1, S("")); /* an empty ExportTraceServiceResponse */
}

/* "invocation/ID/response" or ".../error". */
static void on_invocation(struct instance *instance, struct http_request *request,
                          struct px_str rest)
{
    struct px_str id;
    (void)px_str_cut(&rest, '/', &id);
    bool response = px_str_eq(rest, S("response"));
    if (!response && !px_str_eq(rest, S("error"))) {
        reply_error(request, 404, "NotFound", "there is no such call");
    } else if (request->method != HTTP_POST_) {
        reply_error(request, 405, "MethodNotAllowed", "this call is a POST");
    } else if (!instance->invocation && instance->ready && instance->parked) {
        reply_state(request); /* it waits for an event and answers one */
    } else if (!instance->invocation || !px_str_eq(id, instance->invocation->call.request_id)) {
        reply_error(request, 400, "InvalidRequestID", "Invalid request ID");
    } else if (response) {
        on_response(instance, request);
    } else {
        on_error(instance, request);
    }
}

static void on_request(void *ctx, struct http_request *request)
{
    struct instance *instance = ctx;
    struct px_str rest = request->path;
    if (instance->stream.request == request && !instance->invocation) {
        instance_stream_drop(instance); /* its invocation has ended otherwise meanwhile */
        return;
    }
    if (px_str_eq(rest, S("/v1/traces")) && request->method == HTTP_POST_) {
        on_traces(instance, request);
        return;
    }
    if (!px_str_starts(rest, S(RUNTIME_PATH))) {
        reply_error(request, 404, "NotFound", "there is no such call");
        return;
    }
    rest = px_str_skip(rest, sizeof RUNTIME_PATH - 1);
    if (px_str_eq(rest, S("invocation/next")) && request->method == HTTP_GET_)
        on_next(instance, request);
    else if (px_str_eq(rest, S("init/error")) && request->method == HTTP_POST_)
        on_init_error(instance, request);
    else if (px_str_starts(rest, S("invocation/")))
        on_invocation(instance, request, px_str_skip(rest, 11));
    else
        reply_error(request, 404, "NotFound", "there is no such call");
}

/* ---- streamed answers ---- */

static bool is_response_to(const struct http_request *request, struct px_str id)
{
    struct px_str path = request->path;
    return px_str_starts(path, S(RUNTIME_PATH "invocation/")) &&
           px_str_ends(path, S("/response")) &&
           px_str_eq(px_str(path.ptr + sizeof RUNTIME_PATH "invocation/" - 1,
                            path.len - (sizeof RUNTIME_PATH "invocation/" - 1) - 9),
                     id);
}

static bool on_head(void *ctx, struct http_request *request)
{
    struct instance *instance = ctx;
    if (!instance->invocation || instance->stream.request || request->method != HTTP_POST_ ||
        !instance_stream_wanted(request) ||
        !is_response_to(request, instance->invocation->call.request_id))
        return false;
    instance_stream_begin(instance, request);
    return true;
}

static void on_piece(void *ctx, struct http_request *request, struct px_str piece)
{
    struct instance *instance = ctx;
    if (instance->stream.request == request && instance->invocation)
        instance_stream_piece(instance, piece);
}

/* The connection broke. The process most often has exited too, which ends its invocation; if it
 * lives on, it cannot answer any more and is ended. */
static void on_gone(void *ctx, struct http_request *request)
{
    struct instance *instance = ctx;
    bool was_parked = instance->parked == request;
    if (was_parked) instance->parked = NULL;
    if (instance->stream.request == request)
        instance_stream_drop(instance);
    else if (was_parked)
        http_reply(request, 410, NULL, 0, S(""));
    if (instance->state == INSTANCE_IDLE || instance->state == INSTANCE_BUSY)
        instance_stop(instance, SIGKILL);
}

int instance_api_listen(struct instance *instance, uint16_t *ret_port, int *ret_fd)
{
    const struct http_server_options options = {
        .body_bytes_max = BODY_BYTES_MAX,
        .connections_max = 64,
        .idle_ms = HTTP_NO_LIMIT_MS,
        .read_ms = HTTP_NO_LIMIT_MS,
        .buffered_bytes_max = 64u << 20,
        .on_request = on_request,
        .on_gone = on_gone,
        .on_head = on_head,
        .on_piece = on_piece,
        .ctx = instance,
    };
    PX_TRY(http_server_new(instance->pool->loop, &options, &instance->server));
    PX_TRY(http_server_listen_tcp(instance->server, "127.0.0.1", 0, ret_port));
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return px_fault_errno("socketpair");
    int r = http_server_adopt(instance->server, &ends[0]);
    px_close(&ends[0]);
    if (r == 0)
        *ret_fd = ends[1];
    else
        px_close(&ends[1]);
    return r;
}
