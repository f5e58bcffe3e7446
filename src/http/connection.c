/* http/connection.c - reading: bytes from the socket to the parser, one request after another.
 *
 * Reading goes on while a handler works, so that the peer's going is seen; what arrives then waits in
 * the slab behind the request, and when that is full the socket waits. Everything here runs from the
 * loop and closing is asynchronous, so a connection outlives each call that closes it. */
#include "http/connection.h"

#include <stdlib.h>

#define LINGER_BYTES_MAX (128u << 20)

/* ---- the end of a connection ---- */

/* Never from inside a handler's call into the server: a handler must not be re-entered. */
void connection_tell_gone(struct http_connection *conn)
{
    if (!conn->request_open || conn->gone_told) return;
    conn->gone_told = true;
    struct http_server_options *options = &conn->server->options;
    if (options->on_gone) options->on_gone(options->ctx, &conn->request);
    if (conn->request_open && conn->on_drain && !conn->server->freed)
        conn->on_drain(conn->drain_ctx);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_connection *conn = handle->data;
    if (conn->protocol) conn->protocol->closed(conn);
    connection_tell_gone(conn);
    handle->data = NULL;
    connection_closed(conn);
    connection_unref(conn);
}

void connection_close(struct http_connection *conn)
{
    connection_uncork(conn);
    if (conn->transport) conn->transport->finish(conn);
    if (conn->state == CONN_CLOSED) return;
    connection_set_state(conn, CONN_CLOSED);
    connection_defer_drop(conn);
    if (!conn->request_open) request_drop_body(conn);
    uv_close(&conn->uv.handle, on_closed);
}

/* ---- parsing ---- */

/* llhttp has one number for a version that it does not know and for what is no version. */
static int status_of(llhttp_errno_t error, const char *reason)
{
    if (error == HPE_PAUSED_H2_UPGRADE) return 505; /* HTTP/2's preface */
    return error == HPE_INVALID_VERSION && strcmp(reason, "Invalid HTTP version") == 0 ? 505 : 400;
}

/* HTTP/2 by prior knowledge (RFC 9113 section 3.3): what was read begins with its preface. TLS has its own way to
 * agree on it. */
static bool becomes_http2(struct http_connection *conn, llhttp_errno_t error)
{
    if (error != HPE_PAUSED_H2_UPGRADE || conn->used || conn->transport ||
        !conn->server->begin_http2)
        return false;
    if (conn->server->begin_http2(conn) == 0)
        conn->protocol->received(conn, conn->slab->in, conn->filled);
    else
        connection_close(conn);
    return true;
}

static void parse_failed(struct http_connection *conn, llhttp_errno_t error)
{
    if (conn->state == CONN_CLOSED || conn->state == CONN_LINGERING) return;
    if (becomes_http2(conn, error)) return;
    const char *reason = llhttp_get_error_reason(&conn->parser);
    if (conn->refuse_status)
        connection_refuse(conn, conn->refuse_status, conn->refuse_why);
    else
        connection_refuse(conn, status_of(error, reason), reason);
}

/* Returns how many bytes the parser used; less than given at a request's end. */
static size_t parse(struct http_connection *conn, const char *bytes, size_t count)
{
    llhttp_errno_t error = llhttp_execute(&conn->parser, bytes, count);
    if (error == HPE_OK) return count;
    if (error == HPE_PAUSED) return (size_t)(llhttp_get_error_pos(&conn->parser) - bytes);
    parse_failed(conn, error);
    return count;
}

static bool head_is_too_large(const struct http_connection *conn)
{
    size_t bytes = conn->head_done ? conn->head_bytes : conn->filled;
    return bytes > conn->server->options.header_bytes_max;
}

static void parse_slab(struct http_connection *conn)
{
    conn->parsed += parse(conn, conn->slab->in + conn->parsed, conn->filled - conn->parsed);
    if (conn->state != CONN_READING) return;
    if (head_is_too_large(conn)) {
        bool in_url = !conn->head_done && conn->slab->fields.count == 0;
        connection_refuse(conn, in_url ? 414 : 431,
                          in_url ? "the path is too long" : "the headers are too large");
    } else if (conn->message_done) {
        request_dispatch(conn);
    } else if (conn->head_done) {
        conn->filled = conn->parsed = conn->head_bytes; /* body bytes have gone to their place */
    }
}

static void give_slab_back(struct http_connection *conn)
{
    if (conn->slab) server_slab_give(conn->server, conn->slab);
    conn->slab = NULL;
    conn->filled = conn->parsed = 0;
}

static bool wants_bytes(const struct http_connection *conn)
{
    return conn->state == CONN_IDLE || conn->state == CONN_READING;
}

/* All complete requests that have been read. A handler that answers at once comes back here through
 * connection_next(), which only notes it: the loop below goes on, and the stack stays flat. */
static void process(struct http_connection *conn)
{
    if (conn->processing) return;
    struct http_cork cork;
    cork.bytes = 0;
    conn->cork = &cork;
    conn->processing = true;
    while (wants_bytes(conn) && !conn->protocol && conn->parsed < conn->filled) {
        if (conn->state == CONN_IDLE) request_begin(conn);
        parse_slab(conn);
    }
    connection_uncork(conn);
    conn->cork = NULL;
    conn->processing = false;
    if (conn->state == CONN_IDLE || conn->protocol) give_slab_back(conn);
    if (wants_bytes(conn) && conn->peer_eof) connection_close(conn);
    connection_reading(conn);
}

void connection_next(struct http_connection *conn)
{
    if (!conn->keep_alive || conn->server->draining) {
        connection_close(conn);
        return;
    }
    size_t left = conn->filled - conn->parsed;
    if (left > 0) memmove(conn->slab->in, conn->slab->in + conn->parsed, left);
    conn->filled = left;
    conn->parsed = 0;
    px_arena_reset(&conn->slab->arena);
    llhttp_resume(&conn->parser);
    connection_set_state(conn, CONN_IDLE);
    process(conn);
}

/* ---- reading ---- */

static size_t slab_room(const struct http_connection *conn)
{
    size_t in_bytes = conn->server->in_bytes;
    return conn->filled < in_bytes ? in_bytes - conn->filled : 0;
}

static char *scratch(struct http_server *server)
{
    if (!server->scratch) server->scratch = malloc(SCRATCH_BYTES);
    return server->scratch;
}

static char *protocol_scratch(struct http_server *server)
{
    if (!server->protocol_scratch) server->protocol_scratch = malloc(PROTOCOL_SCRATCH_BYTES);
    return server->protocol_scratch;
}

uv_buf_t connection_place(struct http_connection *conn)
{
    if (conn->protocol) {
        char *room = protocol_scratch(conn->server);
        return uv_buf_init(room, room ? PROTOCOL_SCRATCH_BYTES : 0);
    }
    if (!conn->slab) conn->slab = server_slab_take(conn->server);
    if (!conn->slab) return uv_buf_init(NULL, 0);
    if (!request_body_is_direct(conn))
        return uv_buf_init(conn->slab->in + conn->filled, (unsigned)slab_room(conn));
    if (!request_body_room(conn, 1)) return uv_buf_init(NULL, 0);
    size_t missing = (size_t)conn->parser.content_length; /* llhttp counts it down */
    return uv_buf_init(conn->body + conn->body_bytes,
                       (unsigned)PX_MIN(conn->body_room - conn->body_bytes, missing));
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct http_connection *conn = handle->data;
    (void)suggested;
    if (conn->state != CONN_LINGERING && !conn->transport) {
        *buf = connection_place(conn);
        return;
    }
    char *room = scratch(conn->server);
    *buf = uv_buf_init(room, room ? SCRATCH_BYTES : 0);
}

void connection_ended(struct http_connection *conn, ssize_t error)
{
    if (conn->protocol || conn->state == CONN_GREETING) {
        connection_close(conn);
        return;
    }
    if (error == UV_ENOBUFS && conn->state != CONN_LINGERING) {
        bool known = conn->refuse_status != 0;
        connection_refuse(conn, known ? conn->refuse_status : 503,
                          known ? conn->refuse_why : "out of memory");
        return;
    }
    conn->peer_eof = true;
    if (error == UV_EOF && (conn->state == CONN_SERVING || conn->state == CONN_REPLYING))
        connection_tell_gone(conn); /* perhaps only half of it: the answer is still written */
    else
        connection_close(conn);
}

static void linger_on(struct http_connection *conn, size_t count)
{
    conn->lingered_bytes += count;
    if (conn->lingered_bytes > LINGER_BYTES_MAX) connection_close(conn);
}

void connection_bytes(struct http_connection *conn, const char *bytes, size_t count)
{
    if (conn->protocol) {
        conn->protocol->received(conn, bytes, count);
        return;
    }
    if (conn->streamed && conn->state == CONN_READING) connection_set_state(conn, CONN_READING);
    bool direct = conn->body && bytes == conn->body + conn->body_bytes;
    if (!direct) {
        conn->filled += count;
        process(conn);
        return;
    }
    (void)parse(conn, bytes, count);
    if (conn->state == CONN_READING && conn->message_done) request_dispatch(conn);
    connection_reading(conn);
}

void connection_rest(struct http_connection *conn)
{
    if (conn->state == CONN_IDLE) give_slab_back(conn);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct http_connection *conn = stream->data;
    if (count < 0 && conn->transport && conn->state != CONN_LINGERING)
        conn->transport->received(conn, NULL, 0); /* what was held back comes first */
    if (count < 0)
        connection_ended(conn, count);
    else if (count > 0 && conn->state == CONN_LINGERING)
        linger_on(conn, (size_t)count);
    else if (count > 0 && conn->transport)
        conn->transport->received(conn, buf->base, (size_t)count);
    else if (count > 0)
        connection_bytes(conn, buf->base, (size_t)count);
    else
        connection_rest(conn);
}

void connection_reading(struct http_connection *conn)
{
    if (conn->state == CONN_CLOSED || conn->peer_eof) return;
    bool full = !wants_bytes(conn) && conn->state != CONN_LINGERING && slab_room(conn) == 0;
    bool stop = full || (conn->paused && conn->state == CONN_READING);
    if (conn->protocol) stop = conn->choked && conn->state != CONN_LINGERING;
    if (stop == conn->read_stopped) return;
    conn->read_stopped = stop;
    if (stop)
        (void)uv_read_stop(&conn->uv.stream);
    else if (uv_read_start(&conn->uv.stream, on_alloc, on_read) != 0)
        connection_close(conn);
    else if (conn->transport)
        conn->transport->resumed(conn);
}

void connection_open(struct http_connection *conn)
{
    if (conn->uv.handle.type == UV_TCP) (void)uv_tcp_nodelay(&conn->uv.tcp, 1);
    llhttp_init(&conn->parser, HTTP_REQUEST, &request_parser_settings);
    conn->parser.data = conn;
    conn->read_stopped = true;
    connection_reading(conn);
}

void http_request_pause(struct http_request *request, bool pause)
{
    struct http_connection *conn = request->connection;
    if (conn->protocol) {
        conn->protocol->pause(request, pause);
        return;
    }
    conn->paused = pause;
    connection_reading(conn);
}
