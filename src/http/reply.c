/* http/reply.c - answers: composed in the request's arena, written at once as far as the socket takes
 * them, and only the rest copied and queued. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "http/connection.h"

#define REFUSAL_LINE_BYTES 128u
#define WRITE_PIECES_MAX 3u

struct out {
    uv_write_t write;
    struct http_connection *conn;
    size_t bytes;
    char data[];
};

/* ---- writing ---- */

static void progress(struct http_connection *conn)
{
    if (conn->protocol) {
        conn->protocol->written(conn);
        return;
    }
    if (conn->state == CONN_REPLYING && conn->writes > 0) {
        connection_set_state(conn, CONN_REPLYING); /* its time begins anew */
    } else if (conn->state == CONN_REPLYING && conn->request_open) {
        connection_set_state(conn, CONN_SERVING); /* a streamed answer goes on */
    } else if (conn->state == CONN_REPLYING) {
        connection_next(conn);
        return;
    }
    bool low = conn->queued_high > 0 && conn->queued_bytes <= conn->queued_high / 2;
    if (!low || !conn->request_open) return;
    conn->queued_high = conn->queued_bytes;
    if (conn->on_drain) conn->on_drain(conn->drain_ctx);
}

static void on_written(uv_write_t *write, int status)
{
    struct out *out = (struct out *)write;
    struct http_connection *conn = out->conn;
    conn->writes--;
    conn->queued_bytes -= out->bytes;
    conn->server->queued_bytes -= out->bytes;
    free(out);
    if (conn->state == CONN_CLOSED) return;
    if (status < 0)
        connection_close(conn);
    else
        progress(conn);
}

/* Copy what is left of the pieces and queue it. */
static bool queue_rest(struct http_connection *conn, const uv_buf_t *pieces, unsigned count,
                       size_t skip, size_t left)
{
    struct http_server *server = conn->server;
    if (left > server->options.buffered_bytes_max ||
        server->queued_bytes > server->options.buffered_bytes_max - left)
        return false;
    struct out *out = malloc(sizeof *out + left);
    if (!out) return false;
    *out = (struct out){.conn = conn, .bytes = left};
    char *at = out->data;
    for (unsigned i = 0; i < count; i++) {
        size_t from = PX_MIN(skip, pieces[i].len);
        skip -= from;
        if (pieces[i].len == from) continue;
        memcpy(at, pieces[i].base + from, pieces[i].len - from);
        at += pieces[i].len - from;
    }
    uv_buf_t rest = uv_buf_init(out->data, (unsigned)left);
    if (uv_write(&out->write, &conn->uv.stream, &rest, 1, on_written) != 0) {
        free(out);
        return false;
    }
    conn->writes++;
    conn->queued_bytes += left;
    conn->queued_high = PX_MAX(conn->queued_high, conn->queued_bytes);
    server->queued_bytes += left;
    return true;
}

void connection_write_raw(struct http_connection *conn, const uv_buf_t *pieces, unsigned count)
{
    if (conn->state == CONN_CLOSED) return;
    size_t total = 0, sent = 0;
    for (unsigned i = 0; i < count; i++) total += pieces[i].len;
    if (conn->writes == 0) {
        int n = uv_try_write(&conn->uv.stream, pieces, count);
        if (n < 0 && n != UV_EAGAIN) {
            connection_close(conn);
            return;
        }
        sent = n > 0 ? (size_t)n : 0;
    }
    if (sent == total) return;
    if (!queue_rest(conn, pieces, count, sent, total - sent))
        connection_close(conn);
    else if (conn->state == CONN_SERVING)
        connection_set_state(conn, CONN_REPLYING);
}

/* True: it goes with the answer to the request behind this one, which has been read already. */
static bool corked(struct http_connection *conn, const uv_buf_t *pieces, unsigned count)
{
    struct http_cork *cork = conn->cork;
    if (!cork || conn->parsed == conn->filled || !conn->keep_alive || conn->transport ||
        conn->writes > 0)
        return false;
    size_t total = cork->bytes;
    for (unsigned i = 0; i < count; i++) total += pieces[i].len;
    if (total > CORK_BYTES) return false;
    for (unsigned i = 0; i < count; i++) {
        memcpy(cork->at + cork->bytes, pieces[i].base, pieces[i].len);
        cork->bytes += pieces[i].len;
    }
    return true;
}

void connection_uncork(struct http_connection *conn)
{
    if (!conn->cork || conn->cork->bytes == 0) return;
    uv_buf_t all = uv_buf_init(conn->cork->at, (unsigned)conn->cork->bytes);
    conn->cork->bytes = 0; /* first: a write that fails closes, and closing comes here */
    connection_write_raw(conn, &all, 1);
}

void connection_write(struct http_connection *conn, const uv_buf_t *pieces, unsigned count)
{
    uv_buf_t all[1 + WRITE_PIECES_MAX];
    if (conn->transport) {
        conn->transport->write(conn, pieces, count);
        return;
    }
    if (!conn->cork || conn->cork->bytes == 0) {
        connection_write_raw(conn, pieces, count);
        return;
    }
    PX_ASSERT(count <= WRITE_PIECES_MAX);
    all[0] = uv_buf_init(conn->cork->at, (unsigned)conn->cork->bytes);
    memcpy(all + 1, pieces, count * sizeof *pieces);
    conn->cork->bytes = 0;
    connection_write_raw(conn, all, count + 1);
}

/* ---- heads ---- */

struct px_str server_date(struct http_server *server)
{
    time_t now = time(NULL);
    if (now != server->date_s || server->date[0] == '\0') {
        struct tm utc;
        server->date_s = now;
        if (!gmtime_r(&now, &utc) ||
            strftime(server->date, sizeof server->date, "%a, %d %b %Y %H:%M:%S GMT", &utc) == 0)
            return S("Thu, 01 Jan 1970 00:00:00 GMT");
    }
    return px_str(server->date, 29);
}

/* The server's own business, whatever a handler or a function behind it says. */
bool reply_field_is_ours(struct px_str name)
{
    switch (name.len) {
    case 4: return px_str_ieq(name, S("Date"));
    case 10: return px_str_ieq(name, S("Connection")) || px_str_ieq(name, S("Keep-Alive"));
    case 14: return px_str_ieq(name, S("Content-Length"));
    case 17: return px_str_ieq(name, S("Transfer-Encoding"));
    default: return false;
    }
}

static char *put(char *at, struct px_str text)
{
    if (text.len > 0) memcpy(at, text.ptr, text.len);
    return at + text.len;
}

static char *put_number(char *at, uint64_t n) { return at + px_u64_digits(n, at); }

struct reply_head {
    int status;
    const struct http_header *headers;
    size_t header_count;
    int64_t length; /* -1: none is said */
};

/* {NULL, 0} when the arena is full. */
static struct px_str compose_head(struct http_connection *conn, const struct reply_head *head)
{
    size_t bytes = 256; /* status line and our own fields */
    for (size_t i = 0; i < head->header_count; i++)
        bytes += head->headers[i].name.len + head->headers[i].value.len + 4;
    char *begin = px_arena_alloc(&conn->slab->arena, bytes), *at = begin;
    if (!begin) return (struct px_str){0};
    at = put(at, S("HTTP/1.1 "));
    at = put_number(at, (uint64_t)head->status);
    at = put(at, S(" "));
    at = put(at, px_str_c(http_status_text(head->status)));
    at = put(at, S("\r\n"));
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];
        if (reply_field_is_ours(header->name) || !http_header_is_safe(header)) continue;
        at = put(at, header->name);
        at = put(at, S(": "));
        at = put(at, header->value);
        at = put(at, S("\r\n"));
    }
    at = put(at, S("Date: "));
    at = put(at, server_date(conn->server));
    if (head->length >= 0) {
        at = put(at, S("\r\nContent-Length: "));
        at = put_number(at, (uint64_t)head->length);
    }
    if (conn->chunked) at = put(at, S("\r\nTransfer-Encoding: chunked"));
    if (!conn->keep_alive) at = put(at, S("\r\nConnection: close"));
    if (conn->keep_alive && conn->is_http_1_0) at = put(at, S("\r\nConnection: keep-alive"));
    at = put(at, S("\r\n\r\n"));
    return px_str(begin, (size_t)(at - begin));
}

static uv_buf_t piece_of(struct px_str s)
{
    return uv_buf_init((char *)(uintptr_t)s.ptr, (unsigned)s.len);
}

/* ---- answers ---- */

static bool goes_nowhere(const struct http_connection *conn)
{
    return conn->state == CONN_CLOSED || conn->refused;
}

/* A request is answered when it is complete, once; one whose peer is gone, at any time. */
static void check_open(const struct http_connection *conn)
{
    PX_ASSERT(conn->request_open);
    PX_ASSERT(conn->message_done || goes_nowhere(conn));
}

static void answered(struct http_connection *conn)
{
    conn->request_open = false;
    request_drop_body(conn);
    if (conn->state == CONN_CLOSED)
        connection_unref(conn);
    else if (!conn->refused && conn->writes == 0)
        connection_next(conn);
}

bool reply_status_has_body(int status) { return status != 204 && status != 304 && status >= 200; }

void http_reply(struct http_request *request, int status, const struct http_header *headers,
                size_t header_count, struct px_str body)
{
    struct http_connection *conn = request->connection;
    if (conn->protocol) {
        conn->protocol->reply(request, status, headers, header_count, body);
        return;
    }
    check_open(conn);
    if (!goes_nowhere(conn)) {
        if (conn->server->draining) conn->keep_alive = false;
        struct reply_head head = {status, headers, header_count,
                                  reply_status_has_body(status) ? (int64_t)body.len : -1};
        struct px_str text = compose_head(conn, &head);
        bool with_body = reply_status_has_body(status) && request->method != HTTP_HEAD_ &&
                         body.len > 0;
        uv_buf_t pieces[] = {piece_of(text), piece_of(body)};
        unsigned count = with_body ? 2 : 1;
        if (!text.ptr)
            connection_close(conn);
        else if (!corked(conn, pieces, count))
            connection_write(conn, pieces, count);
    }
    answered(conn);
}

void http_reply_begin(struct http_request *request, int status, const struct http_header *headers,
                      size_t header_count, void (*on_drain)(void *ctx), void *ctx)
{
    struct http_connection *conn = request->connection;
    if (conn->protocol) {
        conn->protocol->begin(request, status, headers, header_count, on_drain, ctx);
        return;
    }
    check_open(conn);
    conn->on_drain = on_drain;
    conn->drain_ctx = ctx;
    if (goes_nowhere(conn)) return;
    bool with_body = reply_status_has_body(status) && request->method != HTTP_HEAD_;
    conn->chunked = with_body && !conn->is_http_1_0;
    if (conn->server->draining || (with_body && conn->is_http_1_0)) conn->keep_alive = false;
    struct reply_head head = {status, headers, header_count, -1};
    struct px_str text = compose_head(conn, &head);
    uv_buf_t piece = piece_of(text);
    if (text.ptr)
        connection_write(conn, &piece, 1);
    else
        connection_close(conn);
}

size_t http_reply_piece(struct http_request *request, struct px_str piece)
{
    struct http_connection *conn = request->connection;
    if (conn->protocol) return conn->protocol->piece(request, piece);
    check_open(conn);
    bool body_is_sent = conn->chunked || (conn->is_http_1_0 && request->method != HTTP_HEAD_);
    if (goes_nowhere(conn) || piece.len == 0 || !body_is_sent) return 0;
    char size[24];
    int size_bytes = snprintf(size, sizeof size, "%zx\r\n", piece.len);
    uv_buf_t pieces[] = {uv_buf_init(size, (unsigned)size_bytes), piece_of(piece),
                         piece_of(S("\r\n"))};
    if (conn->chunked)
        connection_write(conn, pieces, 3);
    else
        connection_write(conn, pieces + 1, 1);
    return conn->queued_bytes;
}

void http_reply_end(struct http_request *request, bool complete)
{
    struct http_connection *conn = request->connection;
    if (conn->protocol) {
        conn->protocol->end(request, complete);
        return;
    }
    uv_buf_t end = piece_of(S("0\r\n\r\n"));
    if (!complete) {
        conn->cut = true;
        connection_close(conn);
    }
    check_open(conn);
    if (conn->chunked && !goes_nowhere(conn)) connection_write(conn, &end, 1);
    answered(conn);
}

/* ---- refusals ---- */

static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
    (void)status;
    free(shutdown);
}

void connection_linger(struct http_connection *conn)
{
    conn->refused = true;
    conn->keep_alive = false;
    if (conn->state != CONN_LINGERING) connection_set_state(conn, CONN_LINGERING);
    if (conn->transport) conn->transport->finish(conn);
    if (conn->state == CONN_CLOSED) return;
    uv_shutdown_t *shutdown = malloc(sizeof *shutdown);
    if (!shutdown || uv_shutdown(shutdown, &conn->uv.stream, on_shutdown) != 0) {
        free(shutdown);
        connection_close(conn);
        return;
    }
    connection_reading(conn);
}

/* The owner hears of a refusal, and its header line goes with it; "" without one. */
static void tell_refusal(struct http_connection *conn, int status, const char *why,
                         char line[REFUSAL_LINE_BYTES])
{
    const struct http_server_options *options = &conn->server->options;
    const struct http_refusal refusal = {status, why ? why : "", px_str_c(conn->peer)};
    line[0] = '\0';
    if (!options->on_refuse) return;
    struct http_header header = options->on_refuse(options->ctx, &refusal);
    bool fits = header.name.len + header.value.len + sizeof ": \r\n" <= REFUSAL_LINE_BYTES;
    if (header.name.len > 0 && fits && http_header_is_safe(&header))
        (void)snprintf(line, REFUSAL_LINE_BYTES, "%.*s: %.*s\r\n", PX_FMT(header.name),
                       PX_FMT(header.value));
}

int refusal_body(char body[REFUSAL_BYTES_MAX], int status, const char *why)
{
    return snprintf(
        body, REFUSAL_BYTES_MAX,
        "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%.160s\"}",
        http_status_text(status), status, why && !strpbrk(why, "\"\\") ? why : "");
}

void connection_refuse(struct http_connection *conn, int status, const char *why)
{
    if (conn->state == CONN_CLOSED || conn->refused) return;
    char body[REFUSAL_BYTES_MAX], head[256 + REFUSAL_LINE_BYTES], line[REFUSAL_LINE_BYTES];
    tell_refusal(conn, status, why, line);
    int body_bytes = refusal_body(body, status, why);
    int head_bytes = snprintf(
        head, sizeof head,
        "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nDate: %.29s\r\n"
        "Content-Length: %d\r\n%sConnection: close\r\n\r\n",
        status, http_status_text(status), server_date(conn->server).ptr, body_bytes, line);
    bool is_head = conn->head_done && conn->request.method == HTTP_HEAD_;
    uv_buf_t pieces[] = {uv_buf_init(head, (unsigned)head_bytes),
                         uv_buf_init(body, (unsigned)body_bytes)};
    conn->refused = true;
    conn->keep_alive = false;
    connection_set_state(conn, CONN_LINGERING);
    connection_write(conn, pieces, is_head ? 1 : 2);
    if (conn->state == CONN_CLOSED) return;
    if (!conn->request_open) request_drop_body(conn);
    connection_tell_gone(conn);
    connection_linger(conn);
}
