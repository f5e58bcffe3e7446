/* http/request.c - from the parser's callbacks to a complete request.
 *
 * llhttp knows the grammar and refuses what is malformed; here stands what a server decides: limits,
 * which requests it serves, and where a body goes. A body lies, in this order of preference, where it
 * was read behind its head; in a buffer of its own, into which the rest of a body of known length is
 * read straight; or in that buffer by copying, when it came in chunks. */
#include <stdlib.h>

#include "http/connection.h"

#define BODY_ROOM_MIN (64u * 1024u)
#define OVERHEAD_BYTES_MAX (16u * 1024u)

static int refuse(struct http_connection *conn, int status, const char *why)
{
    conn->refuse_status = status;
    conn->refuse_why = why;
    return -1;
}

void request_begin(struct http_connection *conn)
{
    connection_set_state(conn, CONN_READING);
    http_fields_reset(&conn->slab->fields);
    conn->url = (struct http_span){0};
    conn->head_done = conn->message_done = conn->streamed = conn->paused = conn->chunked = false;
    conn->gone_told = false;
    conn->refuse_status = 0;
    conn->head_bytes = conn->overhead_bytes = 0;
    conn->on_drain = NULL;
    conn->queued_high = 0;
    conn->request = (struct http_request){
        .peer = px_str_c(conn->peer),
        .server_name = conn->server_name,
        .client = conn->client,
        .received_mono_ns = (int64_t)uv_hrtime(),
        .arena = &conn->slab->arena,
        .connection = conn,
    };
}

/* ---- the head ---- */

static int on_url(llhttp_t *parser, const char *at, size_t bytes)
{
    struct http_connection *conn = parser->data;
    http_span_add(&conn->url, (size_t)(at - conn->slab->in), bytes);
    if (conn->url.bytes <= conn->server->options.header_bytes_max / 2) return 0;
    return refuse(conn, 414, "the path is too long");
}

static int add_overhead(struct http_connection *conn, size_t bytes)
{
    conn->overhead_bytes += bytes;
    if (conn->overhead_bytes <= OVERHEAD_BYTES_MAX) return 0;
    return refuse(conn, 431, "the trailers or chunk extensions are too large");
}

/* Fields behind the body: kept, in memory of their own, only for a body that came in pieces. */
static int on_trailer(struct http_connection *conn, const char *at, size_t bytes, bool is_name)
{
    if (add_overhead(conn, bytes) != 0) return -1;
    if (!conn->streamed) return 0;
    size_t offset = conn->trailer_text.len;
    px_buf_add(&conn->trailer_text, at, bytes);
    if (px_buf_fault(&conn->trailer_text)) return refuse(conn, 503, "out of memory");
    if (!is_name) {
        http_fields_add_value(&conn->slab->fields, offset, bytes);
        return 0;
    }
    return http_fields_add_name(&conn->slab->fields, offset, bytes)
               ? 0
               : refuse(conn, 431, "too many trailers");
}

static int on_header_field(llhttp_t *parser, const char *at, size_t bytes)
{
    struct http_connection *conn = parser->data;
    if (conn->head_done) return on_trailer(conn, at, bytes, true);
    if (http_fields_add_name(&conn->slab->fields, (size_t)(at - conn->slab->in), bytes)) return 0;
    return refuse(conn, 431, "too many headers");
}

static int on_header_value(llhttp_t *parser, const char *at, size_t bytes)
{
    struct http_connection *conn = parser->data;
    if (conn->head_done) return on_trailer(conn, at, bytes, false);
    http_fields_add_value(&conn->slab->fields, (size_t)(at - conn->slab->in), bytes);
    return 0;
}

bool request_split_url(struct px_str url, struct http_request *request)
{
    if (px_str_starts(url, S("http://")) || px_str_starts(url, S("https://"))) {
        url = px_str_skip(url, url.ptr[4] == 's' ? 8 : 7);
        const char *slash = memchr(url.ptr ? url.ptr : "", '/', url.len);
        request->authority = slash ? px_str(url.ptr, (size_t)(slash - url.ptr)) : url;
        url = slash ? px_str_skip(url, request->authority.len) : S("/");
    }
    (void)px_str_cut(&url, '?', &request->path);
    request->query = url;
    return px_str_starts(request->path, S("/")) || px_str_eq(request->path, S("*"));
}

/* One look at each field that decides how the message is read. */
struct framing {
    unsigned hosts, transfer_encodings;
    struct px_str transfer_encoding, expect;
};

static struct framing framing_of(const struct http_request *request)
{
    struct framing framing = {0};
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (header->name.len == 4 && px_str_ieq(header->name, S("Host"))) {
            framing.hosts++;
        } else if (header->name.len == 6 && px_str_ieq(header->name, S("Expect"))) {
            framing.expect = header->value;
        } else if (header->name.len == 17 && px_str_ieq(header->name, S("Transfer-Encoding"))) {
            framing.transfer_encodings++;
            framing.transfer_encoding = header->value;
        }
    }
    return framing;
}

static bool has_body(const struct http_connection *conn)
{
    return conn->parser.flags & F_CHUNKED || conn->parser.content_length > 0;
}

static int check_head(struct http_connection *conn, const struct framing *framing)
{
    const llhttp_t *parser = &conn->parser;
    if (parser->http_major != 1 || parser->http_minor > 1)
        return refuse(conn, 505, "this server speaks HTTP/1.1");
    if (framing->hosts > 1 || (framing->hosts == 0 && !conn->is_http_1_0))
        return refuse(conn, 400, "a request has one Host header");
    if (framing->transfer_encodings > 0 && conn->is_http_1_0)
        return refuse(conn, 400, "HTTP/1.0 has no Transfer-Encoding");
    if (framing->transfer_encodings > 1)
        return refuse(conn, 400, "more than one Transfer-Encoding");
    if (framing->transfer_encodings > 0 && !px_str_ieq(framing->transfer_encoding, S("chunked")))
        return refuse(conn, 501, "the one transfer coding that is known is chunked");
    if (parser->method == HTTP_CONNECT) return refuse(conn, 501, "this server is no proxy");
    if (framing->expect.len > 0 && !px_str_ieq(framing->expect, S("100-continue")))
        return refuse(conn, 417, "the one expectation that is known is 100-continue");
    return 0;
}

static void fill_head(struct http_connection *conn)
{
    struct http_slab *slab = conn->slab;
    struct http_request *request = &conn->request;
    http_fields_view(&slab->fields, slab->in, slab->headers);
    request->headers = slab->headers;
    request->header_count = slab->fields.count;
    request->method_name = px_str_c(llhttp_method_name((llhttp_method_t)conn->parser.method));
    request->method = http_method_of(request->method_name);
    conn->head_bytes = conn->url.offset + conn->url.bytes;
    if (slab->fields.count > 0) {
        struct http_span name = slab->fields.at[slab->fields.count - 1].name;
        struct http_span value = slab->fields.at[slab->fields.count - 1].value;
        conn->head_bytes = PX_MAX(name.offset + name.bytes, value.offset + value.bytes);
    }
    conn->head_done = true;
    conn->is_http_1_0 = conn->parser.http_minor == 0;
}

static void write_continue(struct http_connection *conn)
{
    static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t piece = uv_buf_init(text, sizeof text - 1);
    connection_write(conn, &piece, 1);
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_connection *conn = parser->data;
    struct http_server_options *options = &conn->server->options;
    fill_head(conn);
    parser->upgrade = 0; /* no other protocol is offered, so the request is an ordinary one */
    struct framing framing = framing_of(&conn->request);
    if (check_head(conn, &framing) != 0) return -1;
    struct px_str url = px_str(conn->slab->in + conn->url.offset, conn->url.bytes);
    if (!request_split_url(url, &conn->request))
        return refuse(conn, 400, "the path begins with a slash");
    if (!has_body(conn)) return 0;
    if (options->on_head && options->on_head(options->ctx, &conn->request)) {
        conn->streamed = conn->request_open = true;
        px_buf_init(&conn->trailer_text, OVERHEAD_BYTES_MAX);
        http_fields_reset(&conn->slab->fields); /* now for the trailers */
    } else if (!(parser->flags & F_CHUNKED) && parser->content_length > options->body_bytes_max) {
        return refuse(conn, 413, "the body is too large");
    }
    if (framing.expect.len > 0 && !conn->is_http_1_0) write_continue(conn);
    return 0;
}

/* ---- the body ---- */

bool request_body_is_direct(const struct http_connection *conn)
{
    return conn->state == CONN_READING && conn->body && !(conn->parser.flags & F_CHUNKED) &&
           !conn->message_done;
}

bool server_charge_body(struct http_server *server, size_t *charged, size_t room)
{
    size_t others = server->body_bytes - *charged;
    if (room > server->options.buffered_bytes_max ||
        others > server->options.buffered_bytes_max - room)
        return false;
    server->body_bytes = others + room;
    server->body_bytes_most = PX_MAX(server->body_bytes_most, server->body_bytes);
    *charged = room;
    return true;
}

/* Doubling, up to the body's length when that is known: what is charged is what has come, within a
 * factor of two, and not what a peer announces. */
bool request_body_room(struct http_connection *conn, size_t bytes)
{
    size_t need = conn->body_bytes + bytes;
    if (need <= conn->body_room) return true;
    size_t room = PX_MAX(PX_MAX(conn->body_room * 2, need), (size_t)BODY_ROOM_MIN);
    if (!(conn->parser.flags & F_CHUNKED))
        room = PX_MIN(room, conn->body_bytes + (size_t)conn->parser.content_length);
    room = PX_MAX(room, need);
    if (!server_charge_body(conn->server, &conn->body_charged, room)) {
        (void)refuse(conn, 503, "too many bodies are being received");
        return false;
    }
    char *body = realloc(conn->body, room + HTTP_BODY_PADDING);
    if (!body) {
        (void)refuse(conn, 503, "out of memory");
        return false;
    }
    conn->body = body;
    conn->body_room = room;
    return true;
}

void request_drop_body(struct http_connection *conn)
{
    free(conn->body);
    conn->body = NULL;
    conn->server->body_bytes -= conn->body_charged;
    conn->body_bytes = conn->body_room = conn->body_charged = 0;
    if (conn->streamed) px_buf_deinit(&conn->trailer_text);
}

static int on_body(llhttp_t *parser, const char *at, size_t bytes)
{
    struct http_connection *conn = parser->data;
    struct http_server_options *options = &conn->server->options;
    if (conn->streamed) {
        if (options->on_piece) options->on_piece(options->ctx, &conn->request, px_str(at, bytes));
        return 0;
    }
    if (bytes > options->body_bytes_max - conn->body_bytes)
        return refuse(conn, 413, "the body is too large");
    bool whole = !conn->body && !(parser->flags & F_CHUNKED) && parser->content_length == 0;
    if (whole) {
        conn->request.body = px_str(at, bytes); /* request_dispatch() makes it safe */
        return 0;
    }
    if (!conn->body || at != conn->body + conn->body_bytes) { /* else it was read in place */
        if (!request_body_room(conn, bytes)) return -1;
        PX_ASSERT(conn->body);
        memcpy(conn->body + conn->body_bytes, at, bytes);
    }
    conn->body_bytes += bytes;
    return 0;
}

static int on_overhead(llhttp_t *parser, const char *at, size_t bytes)
{
    (void)at;
    return add_overhead(parser->data, bytes);
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_connection *conn = parser->data;
    conn->message_done = conn->used = true;
    conn->keep_alive = llhttp_should_keep_alive(parser);
    return HPE_PAUSED;
}

const llhttp_settings_t request_parser_settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_chunk_extension_name = on_overhead,
    .on_chunk_extension_value = on_overhead,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- complete ---- */

/* A body that is a view into the slab gets its padding: behind it when nothing else stands there,
 * else (a pipelined request does) in a copy. */
static bool pad_view(struct http_connection *conn)
{
    struct px_str body = conn->request.body;
    if (conn->parsed == conn->filled) {
        memset(conn->slab->in + conn->filled, 0, HTTP_BODY_PADDING);
        conn->filled += HTTP_BODY_PADDING;
        conn->parsed = conn->filled;
        return true;
    }
    char *copy = px_arena_zalloc(&conn->slab->arena, body.len + HTTP_BODY_PADDING);
    if (!copy) return false;
    memcpy(copy, body.ptr, body.len);
    conn->request.body.ptr = copy;
    return true;
}

static void take_trailers(struct http_connection *conn)
{
    struct http_fields *fields = &conn->slab->fields;
    struct http_header *trailers = px_arena_array(&conn->slab->arena, struct http_header,
                                                  fields->count);
    if (!trailers) return;
    http_fields_view(fields, conn->trailer_text.ptr, trailers);
    conn->request.trailers = trailers;
    conn->request.trailer_count = fields->count;
}

void request_dispatch(struct http_connection *conn)
{
    struct http_request *request = &conn->request;
    struct http_server_options *options = &conn->server->options;
    if (conn->streamed && conn->slab->fields.count > 0) take_trailers(conn);
    if (conn->body) {
        memset(conn->body + conn->body_bytes, 0, HTTP_BODY_PADDING);
        request->body = px_str(conn->body, conn->body_bytes);
    } else if (request->body.len > 0 && !pad_view(conn)) {
        connection_refuse(conn, 503, "out of memory");
        return;
    }
    conn->request_open = true;
    connection_set_state(conn, CONN_SERVING);
    options->on_request(options->ctx, request);
}

struct px_str http_header_get(const struct http_request *request, struct px_str name)
{
    return http_headers_find(request->headers, request->header_count, name);
}
