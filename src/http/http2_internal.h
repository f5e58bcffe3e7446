/* http/http2_internal.h - what the files of HTTP/2 share: the session (http2.c), a stream's request
 * (http2_request.c) and its answer (http2_reply.c). Inside http only.
 *
 * A stream lives from its first header until nghttp2 has closed it and no handler has its request. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "http/connection.h"
#include "http/http2.h"

/* Answers that wait for a reader beyond this wait in their streams, and nothing more is read. */
#define H2_OUT_BYTES_MAX (256u * 1024u)
#define H2_ARENA_BYTES_MAX (64u << 20)

struct h2_stream {
    struct h2_session *session;
    struct h2_stream *prev, *next; /* of the session */
    int32_t id;
    struct px_arena arena;
    struct http_request request;
    struct http_header *headers; /* HTTP_FIELDS_MAX of them: the head's, and behind them trailers */
    size_t header_count, trailer_count, head_bytes;
    struct px_str method, path, authority;
    int64_t content_length; /* -1: not said */
    int64_t
        since_ms; /* the request began or, streamed, its last piece; the answer's last progress */
    int refuse_status;
    const char *refuse_why;

    bool head_done, complete; /* of the request */
    bool streamed, paused;
    bool ready, held;              /* to be handed to the handler; the handler has it */
    bool handed;                   /* to on_request */
    bool answered, refused, begun; /* begun: the answer's head was submitted */
    bool closed, reset;            /* nghttp2 has done with it; we or the peer cut it */
    bool gone_told, wants_drain;
    bool peer_reset;
    bool called; /* a handler is being called for it */

    char *body;
    size_t body_bytes, body_room, body_charged;

    char *out; /* of the answer, out_at bytes of it sent */
    size_t out_at, out_bytes, out_room, out_high;
    bool out_end; /* nothing is added any more */
    void (*on_drain)(void *ctx);
    void *drain_ctx;
};

struct h2_session {
    struct http_connection *conn;
    nghttp2_session *ng;
    struct h2_stream *first, *last; /* in the order they came */
    size_t stream_count;
    int32_t last_id,
        cut_id;         /* the newest; the newest that ended before its request did, by our doing */
    int64_t written_ms; /* when the socket last took something */
    bool ending;        /* no more requests */
};

static inline int64_t h2_now_ms(const struct h2_stream *stream)
{
    return (int64_t)uv_now(stream->session->conn->server->loop);
}
static inline size_t h2_out_left(const struct h2_stream *stream)
{
    return stream->out_bytes - stream->out_at;
}
/* Nothing that is written to it arrives. */
static inline bool h2_goes_nowhere(const struct h2_stream *stream)
{
    const struct http_connection *conn = stream->session->conn;
    return stream->closed || stream->reset || stream->refused || conn->state == CONN_CLOSED ||
           conn->refused;
}

/* http2.c */
void h2_stream_unref(struct h2_stream *stream); /* frees it once nobody has it */
void h2_stream_reset(struct h2_stream *stream, uint32_t code);

/* http2_request.c: from nghttp2's callbacks */
struct h2_stream *h2_stream_new(struct h2_session *session, int32_t id);
void h2_request_field(struct h2_stream *stream, struct px_str name, struct px_str value);
void h2_request_head(struct h2_stream *stream, bool body_follows);
void h2_request_data(struct h2_stream *stream, struct px_str piece);
void h2_request_complete(struct h2_stream *stream);
void h2_request_dispatch(struct h2_stream *stream); /* never from inside nghttp2 */
void h2_request_pause(struct http_request *request, bool pause);
void h2_request_drop_body(struct h2_stream *stream);

/* http2_reply.c */
struct h2_stream *h2_stream_of(struct http_request *request);
void h2_refuse(struct h2_stream *stream, int status, const char *why);
void h2_reply_drop(struct h2_stream *stream); /* what is left of it */
void h2_continue(struct h2_stream *stream);
void h2_reply(struct http_request *request, int status, const struct http_header *headers,
              size_t header_count, struct px_str body);
void h2_reply_begin(struct http_request *request, int status, const struct http_header *headers,
                    size_t header_count, void (*on_drain)(void *ctx), void *ctx);
size_t h2_reply_piece(struct http_request *request, struct px_str piece);
void h2_reply_end(struct http_request *request, bool complete);
