/* lambda/instance_stream.c - a streamed answer: prelude, eight NUL bytes, body; an error in trailers.
 *
 * Pieces go to the caller as they come; while more than STREAM_QUEUED_MAX wait for a slow reader
 * there, or the pool's pace is ahead, the function's connection is not read, and so the function itself waits. */
#include <aws/common/encoding.h>

#include "lambda/apigw.h"
#include "lambda/instance.h"

#define STREAM_QUEUED_MAX (1u << 20)
#define STREAM_BYTES_MAX (200u << 20) /* aws-facts 17 */
#define PRELUDE_BYTES_MAX (64u << 10)
#define PRELUDE_END_BYTES 8

bool instance_stream_wanted(const struct http_request *request)
{
    return px_str_ieq(http_header_get(request, S("Lambda-Runtime-Function-Response-Mode")),
                      S("streaming"));
}

void instance_stream_begin(struct instance *instance, struct http_request *request)
{
    struct instance_stream *stream = &instance->stream;
    struct px_str type = http_header_get(request, S("Content-Type"));
    *stream = (struct instance_stream){.request = request, .begun_ns = uv_hrtime()};
    px_buf_init(&stream->prelude, PRELUDE_BYTES_MAX);
    px_buf_init(&stream->body, ANSWER_BYTES_MAX);
    stream->has_prelude = px_str_ieq(type,
                                     S("application/vnd.awslambda.http-integration-response"));
    if (stream->has_prelude) return;
    px_buf_add_c(&stream->prelude, "{\"statusCode\":200,\"headers\":{\"Content-Type\":");
    px_buf_add_json_str(&stream->prelude, type.len > 0 ? type : S("application/octet-stream"));
    px_buf_add_c(&stream->prelude, "}}");
}

static void stream_clear(struct instance_stream *stream)
{
    px_buf_deinit(&stream->prelude);
    px_buf_deinit(&stream->body);
    *stream = (struct instance_stream){0};
}

void instance_stream_drop(struct instance *instance)
{
    struct http_request *request = PX_TAKE(instance->stream.request);
    stream_clear(&instance->stream);
    if (request) http_reply_end(request, false);
}

/* Ends the invocation and the process, which has broken a limit or the protocol. */
static void stream_fail(struct instance *instance, enum lambda_outcome outcome, const char *type,
                        const char *text)
{
    pool_finish_error(PX_TAKE(instance->invocation), outcome, type, text);
    instance_stop(instance, SIGKILL); /* its request is answered when its connection goes */
}

/* Reading waits for the caller and for the pace. */
static void hold_back(const struct instance_stream *stream)
{
    http_request_pause(stream->request, stream->unread || stream->go_on_ms > 0);
}

static void keep_pace(struct instance *instance)
{
    const struct lambda_stream_pace *pace = &instance->pool->options.stream_pace;
    struct instance_stream *stream = &instance->stream;
    if (pace->bytes_per_s == 0 || stream->bytes <= pace->free_bytes) return;
    uint64_t due_ms = stream->begun_ns / (uint64_t)PX_NS_PER_MS +
                      (stream->bytes - pace->free_bytes) * 1000 / pace->bytes_per_s;
    if (due_ms <= uv_now(instance->pool->loop)) return;
    stream->go_on_ms = due_ms;
    pool_wake(instance->pool, due_ms);
}

void instance_stream_tick(struct instance *instance, uint64_t now_ms)
{
    struct instance_stream *stream = &instance->stream;
    if (!stream->request || stream->go_on_ms == 0) return;
    if (now_ms < stream->go_on_ms) {
        pool_wake(instance->pool, stream->go_on_ms);
        return;
    }
    stream->go_on_ms = 0;
    hold_back(stream);
}

static void body_piece(struct instance *instance, struct px_str piece)
{
    struct instance_stream *stream = &instance->stream;
    const struct lambda_call *call = &instance->invocation->call;
    stream->bytes += piece.len;
    if (!call->on_stream_piece) {
        px_buf_add_str(&stream->body, piece);
        if (px_buf_fault(&stream->body))
            stream_fail(instance, LAMBDA_TOO_LARGE, "Function.ResponseSizeTooLarge",
                        "a streamed response for a caller that takes none is too large");
        return;
    }
    if (stream->bytes > STREAM_BYTES_MAX) {
        stream_fail(instance, LAMBDA_TOO_LARGE, "Function.ResponseSizeTooLarge",
                    "Response payload size exceeded the maximum of a streamed response (200 MiB).");
        return;
    }
    if (piece.len > 0 && call->on_stream_piece(call->ctx, piece) > STREAM_QUEUED_MAX)
        stream->unread = true;
    keep_pace(instance);
    if (stream->request) hold_back(stream);
}

static void prelude_complete(struct instance *instance)
{
    const struct lambda_call *call = &instance->invocation->call;
    instance->stream.prelude_done = true;
    if (call->on_stream_begin)
        call->on_stream_begin(call->ctx, px_buf_str(&instance->stream.prelude));
}

/* The piece's part of the prelude; *piece keeps what follows. */
static void prelude_piece(struct instance *instance, struct px_str *piece)
{
    struct px_buf *prelude = &instance->stream.prelude;
    size_t before = prelude->len,
           from = before >= PRELUDE_END_BYTES ? before - PRELUDE_END_BYTES + 1 : 0;
    size_t room = PRELUDE_BYTES_MAX - before;
    px_buf_add(prelude, piece->ptr, PX_MIN(piece->len, room));
    static const char end[PRELUDE_END_BYTES] = {0};
    const char *found = memmem(prelude->ptr + from, prelude->len - from, end, sizeof end);
    if (found) {
        size_t prelude_bytes = (size_t)(found - prelude->ptr);
        *piece = px_str_skip(*piece, prelude_bytes + PRELUDE_END_BYTES - before);
        prelude->len = prelude_bytes;
        prelude_complete(instance);
        return;
    }
    *piece = S("");
    if (prelude->len == PRELUDE_BYTES_MAX || px_buf_fault(prelude))
        stream_fail(instance, LAMBDA_FUNCTION_ERROR, "Runtime.InvalidStreamPrelude",
                    "the prelude of a streamed response does not end");
}

void instance_stream_piece(struct instance *instance, struct px_str piece)
{
    struct instance_stream *stream = &instance->stream;
    if (!stream->has_prelude && !stream->prelude_done) prelude_complete(instance);
    if (!stream->prelude_done) prelude_piece(instance, &piece);
    if (instance->invocation && piece.len > 0) body_piece(instance, piece);
}

void lambda_invocation_resume(struct lambda_invocation *invocation)
{
    struct instance *instance = invocation->instance;
    if (!instance || !instance->stream.request) return;
    instance->stream.unread = false;
    hold_back(&instance->stream);
}

/* ---- the end ---- */

static struct px_str trailer(const struct http_request *request, struct px_str name)
{
    return http_headers_find(request->trailers, request->trailer_count, name);
}

/* For a caller that takes no pieces: the proxy response that a function without streaming would give. */
static int buffered_response(const struct instance_stream *stream, struct px_arena *arena,
                             struct px_buf *json)
{
    struct api_response response;
    int r = api_response_parse(px_buf_str(&stream->prelude), arena, &response);
    if (r != 0) return r;
    struct px_str type = http_headers_find(response.headers, response.header_count,
                                           S("Content-Type"));
    response.body = px_buf_str(&stream->body);
    bool is_coded =
        http_headers_find(response.headers, response.header_count, S("Content-Encoding")).len > 0;
    response.binary = is_coded || (!px_str_starts(type, S("text/")) &&
                                   !px_str_starts(type, S("application/json")) &&
                                   !px_str_starts(type, S("application/x-ndjson")));
    api_response_write(&response, json);
    (void)px_buf_reserve(json, API_PADDING);
    return px_buf_fault(json);
}

static void finish_error(struct lambda_invocation *invocation, const struct http_request *request)
{
    struct px_str base64 = trailer(request, S("Lambda-Runtime-Function-Error-Body"));
    struct aws_byte_cursor in = aws_byte_cursor_from_array(base64.ptr, base64.len);
    size_t bytes = 0;
    if (base64.len > 0 && aws_base64_compute_decoded_len(&in, &bytes) == AWS_OP_SUCCESS) {
        char *room = px_arena_alloc(request->arena, bytes + API_PADDING);
        struct aws_byte_buf out = aws_byte_buf_from_empty_array(room, room ? bytes : 0);
        if (room && aws_base64_decode(&in, &out) == AWS_OP_SUCCESS) {
            pool_finish(invocation, LAMBDA_FUNCTION_ERROR, px_str(room, out.len));
            return;
        }
    }
    pool_finish_error(invocation, LAMBDA_FUNCTION_ERROR, "Runtime.StreamError",
                      "the streamed response failed");
}

void instance_stream_end(struct instance *instance)
{
    struct instance_stream *stream = &instance->stream;
    struct http_request *request = stream->request;
    if (!stream->prelude_done && !stream->has_prelude) prelude_complete(instance);
    bool prelude_done = stream->prelude_done;
    struct lambda_invocation *invocation = instance_take(instance);
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, ANSWER_BYTES_MAX * 2);
    if (trailer(request, S("Lambda-Runtime-Function-Error-Type")).len > 0)
        finish_error(invocation, request);
    else if (!prelude_done)
        pool_finish_error(invocation, LAMBDA_FUNCTION_ERROR, "Runtime.TruncatedResponse",
                          "the streamed response ended within its prelude");
    else if (invocation->call.on_stream_piece)
        pool_finish(invocation, LAMBDA_OK, S(""));
    else if (buffered_response(stream, request->arena, &json) == 0)
        pool_finish(invocation, LAMBDA_OK, px_buf_str(&json));
    else
        pool_finish_error(invocation, LAMBDA_FUNCTION_ERROR, "Runtime.InvalidStreamPrelude",
                          "the prelude of a streamed response is not understood");
    stream_clear(stream);
}
