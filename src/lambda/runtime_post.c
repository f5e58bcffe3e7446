/* lambda/runtime_post.c - what the runtime posts to the Runtime API.
 *
 * A streamed answer is one chunked POST: the prelude, eight NUL bytes, the body. An error behind its
 * beginning can no longer change the status, so it travels in trailers. */
#include "lambda/runtime_post.h"

#include "lambda/apigw.h"

#define ANSWER_BYTES_MAX (64u * 1024u) /* of the API to a post: a status word */
#define ERROR_BYTES_MAX (64u * 1024u)
#define ERROR_TYPE "Lambda-Runtime-Function-Error-Type"
#define ERROR_BODY "Lambda-Runtime-Function-Error-Body"

static int answer_of(const struct http_response *response)
{
    if (response->status == 413) return RUNTIME_POST_TOO_LARGE;
    if (response->status / 100 == 4) return RUNTIME_POST_REFUSED;
    if (response->status / 100 == 2) return 0;
    return px_fault(PX_F_UNAVAILABLE, "the Runtime API answered %d", response->status);
}

static int post(struct http_client *client, const struct http_call *call)
{
    struct http_response response;
    PX_TRY(http_client_call(client, call, ANSWER_BYTES_MAX, NULL, NULL, &response));
    return answer_of(&response);
}

static struct px_str invocation_path(struct px_arena *arena, struct px_str request_id,
                                     const char *what)
{
    return px_arena_printf(arena, RUNTIME_PATH "invocation/%.*s/%s", PX_FMT(request_id), what);
}

/* What an answer is posted by; its path is in the arena. */
static int response_call(struct px_str request_id, struct px_str body, struct px_arena *arena,
                         struct http_call *ret_call)
{
    struct px_str path = invocation_path(arena, request_id, "response");
    if (!path.ptr) return px_arena_fault(arena);
    static const struct http_header headers[] = {
        {S("Content-Type"), S("application/json")},
    };
    *ret_call = (struct http_call){"POST", path, headers, PX_COUNT(headers), body};
    return 0;
}

int runtime_post_response(struct http_client *client, struct px_str request_id, struct px_str body,
                          struct px_arena *arena)
{
    struct http_call call;
    PX_TRY(response_call(request_id, body, arena, &call));
    return post(client, &call);
}

int runtime_post_response_ahead(struct http_client *client, struct px_str request_id,
                                struct px_str body, struct px_arena *arena)
{
    struct http_call call;
    PX_TRY(response_call(request_id, body, arena, &call));
    PX_TRY(http_client_ahead(client, &call));
    return 0;
}

/* ---- errors ---- */

static void add_error_json(struct px_buf *buf, const struct runtime_error *error)
{
    px_buf_add_c(buf, "{\"errorType\":");
    px_buf_add_json_str(buf, error->type);
    px_buf_add_c(buf, ",\"errorMessage\":");
    px_buf_add_json_str(buf, error->message);
    px_buf_add_c(buf, ",\"stackTrace\":[]}");
}

/* The header's form is category.reason; whatever else stands in the type stays in the JSON. */
static struct px_str error_category(struct px_arena *arena, struct px_str type)
{
    bool has_category = memchr(type.ptr ? type.ptr : "", '.', type.len) != NULL;
    struct px_str text = px_arena_printf(arena, "%s%.*s", has_category ? "" : "Function.",
                                         (int)PX_MIN(type.len, (size_t)128),
                                         type.ptr ? type.ptr : "");
    struct http_header header = {S(ERROR_TYPE), text};
    return text.ptr && http_header_is_safe(&header) ? text : S("Function.Unknown");
}

int runtime_post_error(struct http_client *client, struct px_str request_id,
                       const struct runtime_error *error, struct px_arena *arena)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, ERROR_BYTES_MAX);
    struct runtime_error cut = *error;
    cut.message.len = PX_MIN(cut.message.len, (size_t)8192); /* six times that once escaped */
    cut.type.len = PX_MIN(cut.type.len, (size_t)512);
    add_error_json(&json, &cut);
    PX_TRY(px_buf_fault(&json));
    struct px_str path = request_id.len > 0 ? invocation_path(arena, request_id, "error")
                                            : S(RUNTIME_PATH "init/error");
    if (!path.ptr) return px_arena_fault(arena);
    struct http_header headers[] = {
        {S("Content-Type"), S("application/vnd.aws.lambda.error+json")},
        {S(ERROR_TYPE), error_category(arena, cut.type)},
    };
    struct http_call call = {"POST", path, headers, PX_COUNT(headers), px_buf_str(&json)};
    return post(client, &call);
}

/* ---- streaming ---- */

int lambda_stream_begin(const struct lambda_event *event, struct px_str prelude_json)
{
    struct lambda_stream *stream = event->reply->stream;
    PX_ASSERT(!stream->begun);
    struct px_str path = invocation_path(stream->arena, stream->request_id, "response");
    if (!path.ptr) return px_arena_fault(stream->arena);
    static const struct http_header headers[] = {
        {S("Content-Type"), S("application/vnd.awslambda.http-integration-response")},
        {S("Lambda-Runtime-Function-Response-Mode"), S("streaming")},
        {S("Trailer"), S(ERROR_TYPE ", " ERROR_BODY)},
    };
    struct http_call call = {"POST", path, headers, PX_COUNT(headers), {0}};
    PX_TRY(http_client_begin(stream->client, &call));
    stream->begun = true;
    stream->status = api_response_status(prelude_json);
    struct px_str parts[] = {prelude_json, {"\0\0\0\0\0\0\0\0", 8}};
    for (size_t i = 0; i < PX_COUNT(parts); i++)
        PX_TRY(http_client_hold_piece(stream->client, parts[i]));
    return 0;
}

int lambda_stream_write(const struct lambda_event *event, struct px_str bytes)
{
    struct lambda_stream *stream = event->reply->stream;
    PX_ASSERT(stream->begun && !stream->ended);
    PX_TRY(http_client_piece(stream->client, bytes));
    return 0;
}

int lambda_stream_last(const struct lambda_event *event, struct px_str bytes)
{
    struct lambda_stream *stream = event->reply->stream;
    PX_ASSERT(stream->begun && !stream->ended);
    stream->ended = true;
    PX_TRY(http_client_last_piece(stream->client, bytes));
    return 0;
}

int runtime_post_stream_end(struct lambda_stream *stream, const struct runtime_error *error)
{
    PX_AUTO(px_buf_deinit) struct px_buf json, base64;
    px_buf_init(&json, ERROR_BYTES_MAX);
    px_buf_init(&base64, ERROR_BYTES_MAX);
    struct http_header trailers[2];
    size_t count = 0;
    if (error) {
        struct runtime_error cut = *error;
        cut.message.len = PX_MIN(cut.message.len,
                                 (size_t)1024); /* fields are shorter than bodies */
        add_error_json(&json, &cut);
        px_buf_add_base64(&base64, px_buf_str(&json));
        PX_TRY(px_buf_fault(&json));
        PX_TRY(px_buf_fault(&base64));
        trailers[count++] = (struct http_header){S(ERROR_TYPE),
                                                 error_category(stream->arena, cut.type)};
        trailers[count++] = (struct http_header){S(ERROR_BODY), px_buf_str(&base64)};
    }
    struct http_response response;
    PX_TRY(http_client_end(stream->client, trailers, count, ANSWER_BYTES_MAX, &response));
    return answer_of(&response);
}
