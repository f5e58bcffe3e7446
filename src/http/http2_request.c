/* http/http2_request.c - from a stream's frames to a complete request: fields into its arena, the body into a
 * buffer that grows with what has come, limits answered as HTTP/1.1's are. nghttp2 has checked the grammar
 * (RFC 9113 section 8: pseudo-fields, forbidden fields, Content-Length against what came). */
#include <stdlib.h>

#include "http/http2_internal.h"

#define BODY_ROOM_MIN (16u * 1024u)
#define TRAILER_BYTES_MAX (16u * 1024u)

static void refuse_later(struct h2_stream *stream, int status, const char *why)
{
    if (stream->refuse_status) return;
    stream->refuse_status = status;
    stream->refuse_why = why;
}

struct h2_stream *h2_stream_new(struct h2_session *session, int32_t id)
{
    struct h2_stream *stream = calloc(1, sizeof *stream);
    if (!stream) return NULL;
    stream->session = session;
    stream->id = id;
    stream->content_length = -1;
    stream->since_ms = h2_now_ms(stream);
    px_arena_init(&stream->arena, H2_ARENA_BYTES_MAX);
    stream->headers = px_arena_array(&stream->arena, struct http_header, HTTP_FIELDS_MAX);
    if (!stream->headers) {
        px_arena_deinit(&stream->arena);
        free(stream);
        return NULL;
    }
    stream->request = (struct http_request){
        .peer = px_str_c(session->conn->peer),
        .server_name = session->conn->server_name,
        .client = session->conn->client,
        .received_mono_ns = (int64_t)uv_hrtime(),
        .arena = &stream->arena,
        .connection = session->conn,
    };
    stream->prev = session->last;
    *(session->last ? &session->last->next : &session->first) = stream;
    session->last = stream;
    session->stream_count++;
    session->conn->held++;
    return stream;
}

/* ---- the head ---- */

static struct px_str keep(struct h2_stream *stream, struct px_str text)
{
    struct px_str kept = px_arena_dup(&stream->arena, text);
    if (!kept.ptr) refuse_later(stream, 503, "out of memory");
    return kept;
}

static void keep_pseudo(struct h2_stream *stream, struct px_str name, struct px_str value)
{
    if (px_str_eq(name, S(":method")))
        stream->method = keep(stream, value);
    else if (px_str_eq(name, S(":path")))
        stream->path = keep(stream, value);
    else if (px_str_eq(name, S(":authority")))
        stream->authority = keep(stream, value);
    if (stream->path.len > stream->session->conn->server->options.header_bytes_max / 2)
        refuse_later(stream, 414, "the path is too long");
}

/* A browser may send cookies one by one; a handler gets them as HTTP/1.1 has them. RFC 9113 section 8.2.3 */
static bool join_cookie(struct h2_stream *stream, struct px_str value)
{
    for (size_t i = 0; i < stream->header_count; i++) {
        struct http_header *header = &stream->headers[i];
        if (!px_str_eq(header->name, S("cookie"))) continue;
        header->value = px_arena_printf(&stream->arena, "%.*s; %.*s", PX_FMT(header->value),
                                        PX_FMT(value));
        if (!header->value.ptr) refuse_later(stream, 503, "out of memory");
        return true;
    }
    return false;
}

static void keep_field(struct h2_stream *stream, struct px_str name, struct px_str value)
{
    bool trailer = stream->head_done;
    if (!trailer && px_str_eq(name, S("cookie")) && join_cookie(stream, value)) return;
    if (!trailer && px_str_eq(name, S("content-length")))
        (void)!px_str_to_i64(value, &stream->content_length);
    /* one place is left for Host */
    if (stream->header_count + stream->trailer_count >= HTTP_FIELDS_MAX - 1) {
        refuse_later(stream, 431, "too many headers");
        return;
    }
    struct http_header *header = &stream->headers[stream->header_count + stream->trailer_count];
    *header = (struct http_header){keep(stream, name), keep(stream, value)};
    *(trailer ? &stream->trailer_count : &stream->header_count) += 1;
}

void h2_request_field(struct h2_stream *stream, struct px_str name, struct px_str value)
{
    const struct http_server_options *options = &stream->session->conn->server->options;
    if (stream->reset || stream->refused || (stream->head_done && !stream->streamed)) return;
    stream->head_bytes += name.len + value.len + 4;
    size_t max = stream->head_done ? TRAILER_BYTES_MAX : options->header_bytes_max;
    if (stream->head_bytes > max)
        refuse_later(stream, 431, "the headers are too large");
    else if (px_str_starts(name, S(":")))
        keep_pseudo(stream, name, value);
    else
        keep_field(stream, name, value);
}

/* Handlers look for Host, and for nothing that begins with a colon. */
static void add_host(struct h2_stream *stream)
{
    if (stream->authority.len == 0) return;
    for (size_t i = 0; i < stream->header_count; i++)
        if (px_str_eq(stream->headers[i].name, S("host"))) {
            stream->headers[i].value = stream->authority;
            return;
        }
    stream->headers[stream->header_count++] = (struct http_header){S("host"), stream->authority};
}

static void check_head(struct h2_stream *stream, struct px_str expect)
{
    if (px_str_eq(stream->method, S("CONNECT")))
        refuse_later(stream, 501, "this server is no proxy");
    else if (!request_split_url(stream->path, &stream->request))
        refuse_later(stream, 400, "the path begins with a slash");
    else if (expect.len > 0 && !px_str_ieq(expect, S("100-continue")))
        refuse_later(stream, 417, "the one expectation that is known is 100-continue");
}

static void fill_request(struct h2_stream *stream)
{
    struct http_request *request = &stream->request;
    add_host(stream);
    request->method_name = stream->method;
    request->method = http_method_of(stream->method);
    request->headers = stream->headers;
    request->header_count = stream->header_count;
    stream->head_done = true;
    stream->head_bytes = 0;
}

void h2_request_head(struct h2_stream *stream, bool body_follows)
{
    const struct http_server_options *options = &stream->session->conn->server->options;
    fill_request(stream);
    struct px_str expect = http_header_get(&stream->request, S("expect"));
    check_head(stream, expect);
    if (!stream->refuse_status && body_follows) {
        if (options->on_head && options->on_head(options->ctx, &stream->request))
            stream->streamed = stream->held = true;
        else if (stream->content_length > (int64_t)options->body_bytes_max)
            refuse_later(stream, 413, "the body is too large");
        if (!stream->refuse_status && expect.len > 0) h2_continue(stream);
    }
    if (stream->refuse_status) h2_refuse(stream, stream->refuse_status, stream->refuse_why);
}

/* ---- the body ---- */

void h2_request_drop_body(struct h2_stream *stream)
{
    free(stream->body);
    stream->body = NULL;
    stream->session->conn->server->body_bytes -= stream->body_charged;
    stream->body_bytes = stream->body_room = stream->body_charged = 0;
}

/* As request_body_room(): what is charged is what has come, within a factor of two. */
static bool body_add(struct h2_stream *stream, struct px_str piece)
{
    size_t need = stream->body_bytes + piece.len;
    if (need > stream->body_room) {
        size_t room = PX_MAX(PX_MAX(stream->body_room * 2, need), (size_t)BODY_ROOM_MIN);
        if (stream->content_length >= (int64_t)need)
            room = PX_MIN(room, (size_t)stream->content_length);
        if (!server_charge_body(stream->session->conn->server, &stream->body_charged, room))
            return false;
        char *body = realloc(stream->body, room + HTTP_BODY_PADDING);
        if (!body) return false;
        stream->body = body;
        stream->body_room = room;
    }
    memcpy(stream->body + stream->body_bytes, piece.ptr, piece.len);
    stream->body_bytes = need;
    return true;
}

static void consumed(struct h2_stream *stream, size_t bytes)
{
    (void)nghttp2_session_consume_stream(stream->session->ng, stream->id, bytes);
}

/* What came while it was held back waits here, at most a window of it. */
static void give_pieces(struct h2_stream *stream, struct px_str piece)
{
    struct http_server_options *options = &stream->session->conn->server->options;
    stream->since_ms = h2_now_ms(stream);
    if (stream->paused) {
        if (!body_add(stream, piece)) h2_stream_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM);
        return;
    }
    if (options->on_piece) options->on_piece(options->ctx, &stream->request, piece);
    consumed(stream, piece.len);
}

void h2_request_data(struct h2_stream *stream, struct px_str piece)
{
    const struct http_server_options *options = &stream->session->conn->server->options;
    if (stream->streamed) {
        if (stream->held) give_pieces(stream, piece);
        return;
    }
    if (piece.len > options->body_bytes_max - stream->body_bytes)
        h2_refuse(stream, 413, "the body is too large");
    else if (!body_add(stream, piece))
        h2_refuse(stream, 503, "too many bodies are being received");
    else
        consumed(stream, piece.len);
}

/* In the loop's next turn the kept pieces go on, so that no handler is called from inside its own call. */
void h2_request_pause(struct http_request *request, bool pause)
{
    struct h2_stream *stream = h2_stream_of(request);
    stream->paused = pause;
    stream->since_ms = h2_now_ms(stream);
    if (pause || stream->handed || h2_goes_nowhere(stream)) return;
    stream->ready = stream->complete || stream->body_bytes > 0;
    connection_defer(stream->session->conn);
}

/* ---- complete ---- */

void h2_request_complete(struct h2_stream *stream)
{
    stream->complete = true;
    if (stream->refused) return;
    if (stream->refuse_status) /* of trailers */
        h2_refuse(stream, stream->refuse_status, stream->refuse_why);
    else
        stream->ready = !stream->paused;
}

static void give_kept(struct h2_stream *stream)
{
    size_t bytes = stream->body_bytes;
    char *body = PX_TAKE(stream->body);
    struct http_server_options *options = &stream->session->conn->server->options;
    h2_request_drop_body(stream);
    if (options->on_piece) options->on_piece(options->ctx, &stream->request, px_str(body, bytes));
    consumed(stream, bytes);
    free(body);
}

void h2_request_dispatch(struct h2_stream *stream)
{
    struct http_request *request = &stream->request;
    struct http_server_options *options = &stream->session->conn->server->options;
    stream->ready = false;
    if (stream->reset || stream->closed || stream->refused) return;
    if (stream->streamed && stream->body_bytes > 0) {
        give_kept(stream);
        stream->ready = stream->complete && stream->held && !stream->paused;
        return;
    }
    if (!stream->complete) return;
    if (stream->body) {
        memset(stream->body + stream->body_bytes, 0, HTTP_BODY_PADDING);
        request->body = px_str(stream->body, stream->body_bytes);
    }
    request->trailers = stream->headers + stream->request.header_count;
    request->trailer_count = stream->trailer_count;
    stream->held = stream->handed = true;
    if (options->on_request) options->on_request(options->ctx, request);
}
