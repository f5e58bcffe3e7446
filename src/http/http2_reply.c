/* http/http2_reply.c - answers: the head to nghttp2, the body into the stream, from where nghttp2 takes what the
 * reader has opened windows for. Everything is copied, and written in the loop's next turn: answers of several
 * streams share a write and a TLS record. */
#include <stdio.h>
#include <stdlib.h>

#include "http/http2_internal.h"

#define OUT_ROOM_MIN 1024u

struct h2_stream *h2_stream_of(struct http_request *request)
{
    return (struct h2_stream *)((char *)request - offsetof(struct h2_stream, request));
}

/* ---- what waits ---- */

void h2_reply_drop(struct h2_stream *stream)
{
    stream->session->conn->server->queued_bytes -= h2_out_left(stream);
    free(stream->out);
    stream->out = NULL;
    stream->out_at = stream->out_bytes = stream->out_room = 0;
}

/* Room for more behind what is left. */
static bool out_grow(struct h2_stream *stream, size_t more)
{
    size_t left = h2_out_left(stream);
    if (stream->out_at > 0 && left > 0) memmove(stream->out, stream->out + stream->out_at, left);
    stream->out_at = 0;
    stream->out_bytes = left;
    if (left + more <= stream->out_room) return true;
    size_t room = PX_MAX(left + more, PX_MAX(left * 2, (size_t)OUT_ROOM_MIN));
    char *out = realloc(stream->out, room);
    if (!out) return false;
    stream->out = out;
    stream->out_room = room;
    return true;
}

static bool out_add(struct h2_stream *stream, struct px_str piece)
{
    struct http_server *server = stream->session->conn->server;
    if (piece.len == 0) return true;
    if (piece.len > server->options.buffered_bytes_max ||
        server->queued_bytes > server->options.buffered_bytes_max - piece.len)
        return false;
    if (stream->out_bytes + piece.len > stream->out_room && !out_grow(stream, piece.len))
        return false;
    memcpy(stream->out + stream->out_bytes, piece.ptr, piece.len);
    stream->out_bytes += piece.len;
    server->queued_bytes += piece.len;
    stream->out_high = PX_MAX(stream->out_high, h2_out_left(stream));
    return true;
}

static nghttp2_ssize on_read(nghttp2_session *ng, int32_t id, uint8_t *into, size_t bytes_max,
                             uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    struct h2_stream *stream = source->ptr;
    size_t n = PX_MIN(h2_out_left(stream), bytes_max);
    (void)ng, (void)id, (void)ctx;
    if (n > 0) memcpy(into, stream->out + stream->out_at, n);
    stream->out_at += n;
    stream->session->conn->server->queued_bytes -= n;
    stream->since_ms = h2_now_ms(stream);
    size_t left = h2_out_left(stream);
    if (stream->out_high > 0 && left <= stream->out_high / 2) {
        stream->out_high = left;
        stream->wants_drain = true;
    }
    if (left == 0 && stream->out_end) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return n == 0 && !stream->out_end ? NGHTTP2_ERR_DEFERRED : (nghttp2_ssize)n;
}

/* ---- heads ---- */

/* What belongs to one connection of HTTP/1.1. RFC 9113 section 8.2.2 */
static bool is_of_connection(struct px_str name)
{
    static const struct px_str names[] = {
        {"keep-alive", 10}, {"proxy-connection", 16}, {"upgrade", 7}};
    for (size_t i = 0; i < PX_COUNT(names); i++)
        if (px_str_ieq(name, names[i])) return true;
    return false;
}

static nghttp2_nv pair(struct px_str name, struct px_str value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.ptr, (uint8_t *)(uintptr_t)value.ptr, name.len,
                        value.len, NGHTTP2_NV_FLAG_NONE};
}

static struct px_str lower(struct px_arena *arena, struct px_str name)
{
    char *text = px_arena_alloc(arena, name.len + 1);
    if (!text) return (struct px_str){0};
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        text[i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
    }
    return px_str(text, name.len);
}

struct head {
    int status;
    const struct http_header *headers;
    size_t header_count;
    int64_t length; /* -1: not said */
};

/* NULL when memory is out. */
static nghttp2_nv *compose(struct h2_stream *stream, const struct head *head, size_t *ret_count)
{
    struct px_arena *arena = &stream->arena;
    struct px_str status = px_arena_printf(arena, "%d", head->status);
    struct px_str length = px_arena_printf(arena, "%lld", (long long)head->length);
    nghttp2_nv *fields = px_arena_array(arena, nghttp2_nv, head->header_count + 3);
    size_t count = 0;
    if (!status.ptr || !length.ptr || !fields) return NULL;
    fields[count++] = pair(S(":status"), status);
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];
        if (reply_field_is_ours(header->name) || is_of_connection(header->name) ||
            !http_header_is_safe(header))
            continue;
        struct px_str name = lower(arena, header->name);
        if (!name.ptr) return NULL;
        fields[count++] = pair(name, px_str_trim(header->value));
    }
    fields[count++] = pair(S("date"), server_date(stream->session->conn->server));
    if (head->length >= 0) fields[count++] = pair(S("content-length"), length);
    *ret_count = count;
    return fields;
}

static void submit(struct h2_stream *stream, const struct head *head, bool with_body)
{
    size_t count = 0;
    nghttp2_nv *fields = compose(stream, head, &count);
    const nghttp2_data_provider2 body = {.source.ptr = stream, .read_callback = on_read};
    stream->begun = true;
    stream->since_ms = h2_now_ms(stream);
    if (!fields || nghttp2_submit_response2(stream->session->ng, stream->id, fields, count,
                                            with_body ? &body : NULL) != 0)
        h2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR);
    connection_defer(stream->session->conn);
}

void h2_continue(struct h2_stream *stream)
{
    nghttp2_nv field = pair(S(":status"), S("100"));
    (void)nghttp2_submit_headers(stream->session->ng, NGHTTP2_FLAG_NONE, stream->id, NULL, &field,
                                 1, NULL);
}

/* ---- answers ---- */

static void check_open(const struct h2_stream *stream)
{
    PX_ASSERT(stream->held);
    PX_ASSERT(stream->complete || h2_goes_nowhere(stream));
}

static void answered(struct h2_stream *stream)
{
    stream->held = false;
    h2_request_drop_body(stream);
    if (stream->closed)
        h2_stream_unref(stream);
    else
        connection_defer(stream->session->conn);
}

static bool has_body(const struct http_request *request, int status)
{
    return reply_status_has_body(status) && request->method != HTTP_HEAD_;
}

void h2_reply(struct http_request *request, int status, const struct http_header *headers,
              size_t header_count, struct px_str body)
{
    struct h2_stream *stream = h2_stream_of(request);
    check_open(stream);
    if (!h2_goes_nowhere(stream)) {
        bool with_body = has_body(request, status) && body.len > 0;
        struct head head = {status, headers, header_count,
                            reply_status_has_body(status) ? (int64_t)body.len : -1};
        stream->out_end = true;
        if (with_body && !out_add(stream, body))
            h2_stream_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM);
        else
            submit(stream, &head, with_body);
    }
    answered(stream);
}

void h2_reply_begin(struct http_request *request, int status, const struct http_header *headers,
                    size_t header_count, void (*on_drain)(void *ctx), void *ctx)
{
    struct h2_stream *stream = h2_stream_of(request);
    check_open(stream);
    stream->on_drain = on_drain;
    stream->drain_ctx = ctx;
    if (h2_goes_nowhere(stream)) return;
    struct head head = {status, headers, header_count, -1};
    bool with_body = has_body(request, status);
    stream->out_end = !with_body;
    submit(stream, &head, with_body);
}

size_t h2_reply_piece(struct http_request *request, struct px_str piece)
{
    struct h2_stream *stream = h2_stream_of(request);
    check_open(stream);
    if (h2_goes_nowhere(stream) || stream->out_end || piece.len == 0) return 0;
    if (!out_add(stream, piece)) {
        h2_stream_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM);
        return 0;
    }
    (void)nghttp2_session_resume_data(stream->session->ng, stream->id);
    connection_defer(stream->session->conn);
    return h2_out_left(stream);
}

void h2_reply_end(struct http_request *request, bool complete)
{
    struct h2_stream *stream = h2_stream_of(request);
    if (!complete) h2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR);
    check_open(stream);
    if (!h2_goes_nowhere(stream)) {
        stream->out_end = true;
        (void)nghttp2_session_resume_data(stream->session->ng, stream->id);
    }
    answered(stream);
}

/* ---- refusals ---- */

void h2_refuse(struct h2_stream *stream, int status, const char *why)
{
    struct http_server *server = stream->session->conn->server;
    const struct http_refusal refusal = {status, why, px_str_c(stream->session->conn->peer)};
    char text[REFUSAL_BYTES_MAX];
    struct http_header headers[2] = {{S("content-type"), S("application/problem+json")}};
    size_t count = 1;
    if (stream->refused || stream->begun) return;
    if (server->options.on_refuse)
        headers[count++] = server->options.on_refuse(server->options.ctx, &refusal);
    struct px_str body = px_str(text, (size_t)refusal_body(text, status, why));
    struct head head = {status, headers, count, (int64_t)body.len};
    bool with_body = !stream->head_done || has_body(&stream->request, status);
    stream->out_end = true;
    if (with_body && !out_add(stream, body)) with_body = false;
    submit(stream, &head, with_body);
    stream->refused = true;
    h2_request_drop_body(stream);
}
