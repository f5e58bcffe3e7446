/* http/client.c - a blocking client of one connection.
 *
 * The head of an answer stays in `in`, where its fields are viewed. A body of known length is received
 * straight into `body`, where llhttp sees it and nothing is copied; one without goes through the part
 * of `in` behind the head. A call that ends in anything but 0 closes the connection, because what
 * stands on the wire then belongs to nobody. */
#include "http/client.h"

#include <llhttp.h>
#include <stdlib.h>

#include "base/px_clock.h"
#include "http/fields.h"
#include "http/socket.h"

#define IN_BYTES (32u * 1024u)
#define HEAD_BYTES_MAX (IN_BYTES - 4096u) /* leaves room to receive a body behind the head */
#define OUT_BYTES_MAX (160u * 1024u)

enum {
    CLOSED_EARLY = 2
}; /* beside HTTP_CLIENT_INTERRUPTED: closed before any byte of the answer */

struct http_client {
    struct http_address address;
    int timeout_ms;
    int interrupt_fd;
    struct http_client_pause pause;
    int fd;
    bool kept;        /* the connection has served a call before */
    bool ahead;       /* a call was sent whose answer has not been received */
    int ahead_status; /* of the one in front of the last call */

    int64_t deadline_ns;
    size_t body_bytes_max;
    int (*on_body)(void *ctx, struct px_str piece);
    void *ctx;
    bool is_head; /* the answer to HEAD has no body, whatever its fields say */

    struct px_buf out;  /* head of the request, or what waits for the next piece */
    bool ended;         /* of a request in pieces: the last piece was sent */
    struct px_buf body; /* of the answer */
    llhttp_t parser;
    bool any_byte, head_done, complete, keep;
    int result;         /* of a callback that stopped the parser */
    size_t in_used;     /* read while the head was read; then, what the head takes */
    struct px_str rest; /* of `in`: bytes behind the answer of a call ahead */
    size_t body_seen;
    struct http_fields fields;
    struct http_header headers[HTTP_FIELDS_MAX];
    char in[IN_BYTES];
};

/* ---- the answer, as llhttp tells it ---- */

static int stop_parser(struct http_client *client, int result)
{
    client->result = result;
    return HPE_USER;
}

static int on_message_begin(llhttp_t *parser)
{
    struct http_client *client = parser->data;
    http_fields_reset(&client->fields);
    client->head_done = false;
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t bytes)
{
    struct http_client *client = parser->data;
    if (client->head_done) return 0; /* trailers are of no use to a caller */
    if (http_fields_add_name(&client->fields, (size_t)(at - client->in), bytes)) return 0;
    return stop_parser(client, px_fault(PX_F_PROTOCOL, "more than %d fields", HTTP_FIELDS_MAX));
}

static int on_header_value(llhttp_t *parser, const char *at, size_t bytes)
{
    struct http_client *client = parser->data;
    if (!client->head_done)
        http_fields_add_value(&client->fields, (size_t)(at - client->in), bytes);
    return 0;
}

static int too_large(struct http_client *client)
{
    return stop_parser(
        client, px_fault(PX_F_LIMIT, "an answer of more than %zu bytes", client->body_bytes_max));
}

static bool length_is_known(const struct http_client *client)
{
    return client->parser.flags & F_CONTENT_LENGTH && !client->is_head;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_client *client = parser->data;
    client->head_done = true;
    http_fields_view(&client->fields, client->in, client->headers);
    if (client->is_head) return 1;
    if (!length_is_known(client)) return 0;
    if (parser->content_length > client->body_bytes_max) return too_large(client);
    if (!client->on_body &&
        !px_buf_reserve(&client->body, (size_t)parser->content_length + HTTP_BODY_PADDING))
        return stop_parser(client, px_buf_fault(&client->body));
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t bytes)
{
    struct http_client *client = parser->data;
    if (bytes > client->body_bytes_max - client->body_seen) return too_large(client);
    client->body_seen += bytes;
    if (client->on_body) {
        int r = client->on_body(client->ctx, px_str(at, bytes));
        return r == 0 ? 0 : stop_parser(client, r);
    }
    struct px_buf *body = &client->body;
    if (at == body->ptr + body->len)
        body->len += bytes; /* received in place */
    else
        px_buf_add(body, at, bytes);
    return px_buf_fault(body) ? stop_parser(client, px_buf_fault(body)) : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_client *client = parser->data;
    if (parser->status_code / 100 == 1)
        return 0; /* 100 Continue and the like: the answer follows */
    client->complete = true;
    client->keep = llhttp_should_keep_alive(parser);
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_message_begin,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- receiving ---- */

static int parse(struct http_client *client, const char *bytes, size_t count)
{
    llhttp_errno_t error = llhttp_execute(&client->parser, bytes, count);
    if (error == HPE_OK) return 0;
    if (error == HPE_PAUSED) {
        const char *end = llhttp_get_error_pos(&client->parser);
        client->rest = px_str(end, (size_t)(bytes + count - end));
        return 0;
    }
    if (client->result != 0) return client->result;
    return px_fault(PX_F_PROTOCOL, "answer of %s: %s", client->address.host,
                    llhttp_get_error_reason(&client->parser));
}

static int at_end_of_stream(struct http_client *client)
{
    if (!client->any_byte) return CLOSED_EARLY;
    (void)llhttp_finish(&client->parser); /* completes an answer that ends with the stream */
    client->keep = false;
    if (client->complete) return 0;
    return px_fault(PX_F_PROTOCOL, "%s closed the connection within its answer",
                    client->address.host);
}

/* Where the next bytes go: the body's own place, or `in` behind what must stay there. */
static int place_to_receive(struct http_client *client, char **ret_at, size_t *ret_bytes)
{
    struct px_buf *body = &client->body;
    if (client->head_done && length_is_known(client) && !client->on_body) {
        *ret_at = body->ptr + body->len;
        *ret_bytes = (size_t)client->parser.content_length; /* llhttp counts it down */
        return 0;
    }
    if (client->in_used > HEAD_BYTES_MAX)
        return px_fault(PX_F_PROTOCOL, "the head of an answer is over %u bytes", HEAD_BYTES_MAX);
    *ret_at = client->in + client->in_used;
    *ret_bytes = IN_BYTES - client->in_used;
    return 0;
}

/* Of `in`, what the views of the fields need. */
static size_t head_bytes(const struct http_client *client)
{
    if (client->fields.count == 0) return 0;
    struct http_span name = client->fields.at[client->fields.count - 1].name;
    struct http_span value = client->fields.at[client->fields.count - 1].value;
    return PX_MAX(name.offset + name.bytes, value.offset + value.bytes);
}

static int received(struct http_client *client, const char *at, size_t bytes)
{
    client->any_byte = true;
    int r = parse(client, at, bytes);
    if (r != 0) return r;
    client->in_used = client->head_done ? head_bytes(client) : client->in_used + bytes;
    return 0;
}

static int receive_some(struct http_client *client)
{
    char *at;
    size_t bytes;
    PX_TRY(place_to_receive(client, &at, &bytes));
    int r = http_socket_receive(client->fd, at, bytes, client->deadline_ns, &bytes);
    if (r == HTTP_SOCKET_CLOSED) return at_end_of_stream(client);
    PX_TRY(r);
    return received(client, at, bytes);
}

/* What had come with the answer in front of this one. */
static int receive_rest(struct http_client *client)
{
    struct px_str rest = client->rest;
    client->rest = S("");
    if (rest.len == 0) return 0;
    memmove(client->in, rest.ptr, rest.len);
    return received(client, client->in, rest.len);
}

static int receive_whole(struct http_client *client)
{
    int r = receive_rest(client);
    while (r == 0 && !client->complete) r = receive_some(client);
    return r;
}

static void answer_reset(struct http_client *client)
{
    llhttp_init(&client->parser, HTTP_RESPONSE, &settings);
    client->parser.data = client;
    client->any_byte = client->head_done = client->complete = client->keep = false;
    client->in_used = client->body_seen = 0;
    client->result = 0;
    px_buf_clear(&client->body);
    client->body_bytes_max = PX_MIN(client->body_bytes_max, SIZE_MAX / 2);
    client->body.limit_bytes = client->body_bytes_max + HTTP_BODY_PADDING;
}

/* For the first byte. Answers: HTTP_CLIENT_INTERRUPTED. */
static int wait_for_answer(struct http_client *client)
{
    uint32_t pause_ms = client->pause.after_ms;
    while (pause_ms > 0) {
        int64_t pause_ns = px_mono_ns(&px_clock_system) + pause_ms * PX_NS_PER_MS;
        if (client->deadline_ns != 0 && pause_ns >= client->deadline_ns) break;
        int r = http_socket_wait(client->fd, client->interrupt_fd, pause_ns);
        if (r == HTTP_SOCKET_INTERRUPTED) return HTTP_CLIENT_INTERRUPTED;
        if (r != PX_F_TIMEOUT) return r;
        pause_ms = client->pause.call(client->pause.ctx);
    }
    int r = http_socket_wait(client->fd, client->interrupt_fd, client->deadline_ns);
    return r == HTTP_SOCKET_INTERRUPTED ? HTTP_CLIENT_INTERRUPTED : r;
}

/* Nothing but its status is wanted. It stays ahead until that is known. */
static int receive_ahead(struct http_client *client)
{
    size_t body_bytes_max = client->body_bytes_max;
    bool is_head = client->is_head;
    int (*on_piece)(void *, struct px_str) = client->on_body;
    client->body_bytes_max = HTTP_AHEAD_BYTES_MAX;
    client->is_head = false;
    client->on_body = NULL;
    answer_reset(client);
    int r = receive_whole(client);
    client->body_bytes_max = body_bytes_max;
    client->is_head = is_head;
    client->on_body = on_piece;
    if (r != 0) return r;
    client->ahead = false;
    client->ahead_status = client->parser.status_code;
    return client->keep ? 0 : CLOSED_EARLY;
}

static int receive_answer(struct http_client *client, struct http_response *ret_response)
{
    if (client->ahead) {
        int r = receive_ahead(client);
        if (r != 0) return r;
    }
    answer_reset(client);
    int r = 0;
    if (client->interrupt_fd >= 0 && client->rest.len == 0) r = wait_for_answer(client);
    if (r == 0) r = receive_whole(client);
    if (r != 0) return r;
    if (client->rest.len > 0) client->keep = false; /* nobody asked for what stands there */
    char *padding = px_buf_reserve(&client->body, HTTP_BODY_PADDING);
    if (!padding) return px_buf_fault(&client->body);
    memset(padding, 0, HTTP_BODY_PADDING);
    *ret_response = (struct http_response){
        .status = client->parser.status_code,
        .headers = client->headers,
        .header_count = client->fields.count,
        .body = px_buf_str(&client->body),
    };
    return 0;
}

/* ---- sending ---- */

static void add_header(struct px_buf *out, struct px_str name, struct px_str value)
{
    struct http_header header = {name, value};
    if (!http_header_is_safe(&header)) {
        out->fault = px_fault(PX_F_CONFIG, "header %.*s cannot be sent", PX_FMT(name));
        return;
    }
    px_buf_add_str(out, name);
    px_buf_add(out, ": ", 2);
    px_buf_add_str(out, value);
    px_buf_add(out, "\r\n", 2);
}

static bool path_is_safe(struct px_str path)
{
    for (size_t i = 0; i < path.len; i++)
        if ((unsigned char)path.ptr[i] <= ' ' || path.ptr[i] == 0x7f) return false;
    return px_str_starts(path, S("/"));
}

static void add_head(struct http_client *client, const struct http_call *call, bool chunked)
{
    struct px_buf *out = &client->out;
    px_buf_clear(out);
    if (!path_is_safe(call->path)) {
        out->fault = px_fault(PX_F_CONFIG, "path %.*s cannot be sent", PX_FMT(call->path));
        return;
    }
    px_buf_add_c(out, call->method);
    px_buf_add_char(out, ' ');
    px_buf_add_str(out, call->path);
    px_buf_add_c(out, " HTTP/1.1\r\n");
    add_header(out, S("Host"), px_str_c(client->address.host));
    for (size_t i = 0; i < call->header_count; i++)
        add_header(out, call->headers[i].name, call->headers[i].value);
    if (chunked)
        add_header(out, S("Transfer-Encoding"), S("chunked"));
    else if (call->body.len > 0 || call->method[0] == 'P') /* POST, PUT, PATCH */
        px_buf_printf(out, "Content-Length: %zu\r\n", call->body.len);
    px_buf_add(out, "\r\n", 2);
}

static int ensure_connected(struct http_client *client)
{
    client->kept = client->fd >= 0;
    if (client->kept) return 0;
    PX_TRY(http_socket_connect(&client->address, client->deadline_ns, &client->fd));
    return 0;
}

/* A peer that closed may have answered before it did (413, say), so that is for receiving to see. */
static int send_pieces(struct http_client *client, struct iovec *pieces, int count)
{
    int r = http_socket_send(client->fd, pieces, count, client->deadline_ns);
    if (r != HTTP_SOCKET_CLOSED) PX_TRY(r);
    return 0;
}

static struct iovec piece_of(struct px_str s)
{
    return (struct iovec){(void *)(uintptr_t)s.ptr, s.len};
}

static int exchange(struct http_client *client, const struct http_call *call,
                    struct http_response *ret_response)
{
    PX_TRY(ensure_connected(client));
    struct iovec pieces[] = {piece_of(px_buf_str(&client->out)), piece_of(call->body)};
    PX_TRY(send_pieces(client, pieces, call->body.len > 0 ? 2 : 1));
    return receive_answer(client, ret_response);
}

static void lose(struct http_client *client)
{
    px_close(&client->fd);
    client->ahead = false;
    client->rest = S("");
}

/* What every call ends with. */
static int settle(struct http_client *client, int r)
{
    if (r != 0 || !client->keep) lose(client);
    if (r == CLOSED_EARLY)
        return px_fault(PX_F_UNAVAILABLE, "%s closed the connection without an answer",
                        client->address.host);
    return r;
}

static void call_setup(struct http_client *client, const struct http_call *call, bool chunked)
{
    client->deadline_ns = 0;
    if (client->timeout_ms > 0)
        client->deadline_ns = px_mono_ns(&px_clock_system) + client->timeout_ms * PX_NS_PER_MS;
    client->is_head = strcmp(call->method, "HEAD") == 0;
    client->on_body = NULL;
    add_head(client, call, chunked);
}

int http_client_call(struct http_client *client, const struct http_call *call,
                     size_t body_bytes_max, int (*on_piece)(void *ctx, struct px_str piece),
                     void *ctx, struct http_response *ret_response)
{
    call_setup(client, call, false);
    PX_TRY(px_buf_fault(&client->out));
    client->body_bytes_max = body_bytes_max;
    client->on_body = on_piece;
    client->ctx = ctx;
    client->ahead_status = 0;
    int r = exchange(client, call, ret_response);
    if (r == CLOSED_EARLY && client->kept && !client->ahead) {
        lose(client);
        r = exchange(client, call, ret_response);
    }
    return settle(client, r);
}

int http_client_ahead(struct http_client *client, const struct http_call *call)
{
    PX_ASSERT(!client->ahead);
    call_setup(client, call, false);
    PX_TRY(px_buf_fault(&client->out));
    int r = ensure_connected(client);
    struct iovec pieces[] = {piece_of(px_buf_str(&client->out)), piece_of(call->body)};
    if (r == 0) r = send_pieces(client, pieces, call->body.len > 0 ? 2 : 1);
    if (r != 0) return settle(client, r);
    client->ahead = true;
    return 0;
}

int http_client_ahead_status(const struct http_client *client) { return client->ahead_status; }

/* ---- a request in pieces ---- */

int http_client_begin(struct http_client *client, const struct http_call *call)
{
    PX_ASSERT(!client->ahead);
    call_setup(client, call, true);
    PX_TRY(px_buf_fault(&client->out));
    client->ended = false;
    int r = ensure_connected(client);
    return r == 0 ? 0 : settle(client, r);
}

/* What waits in `out`, then the piece as a chunk, then `tail`. */
static int send_chunk(struct http_client *client, struct px_str piece, struct px_str tail)
{
    if (client->fd < 0) return px_fault(PX_F_UNAVAILABLE, "the connection is closed");
    if (piece.len > 0) px_buf_printf(&client->out, "%zx\r\n", piece.len);
    PX_TRY(px_buf_fault(&client->out));
    struct iovec pieces[] = {piece_of(px_buf_str(&client->out)), piece_of(piece),
                             piece_of(piece.len > 0 ? tail : px_str_skip(tail, 2))};
    int r = http_socket_send(client->fd, pieces, 3, client->deadline_ns);
    px_buf_clear(&client->out);
    if (r == HTTP_SOCKET_CLOSED) r = px_fault(PX_F_UNAVAILABLE, "the peer stopped reading");
    return r == 0 ? 0 : settle(client, r);
}

int http_client_piece(struct http_client *client, struct px_str piece)
{
    if (piece.len == 0) return 0; /* an empty chunk would end the body */
    return send_chunk(client, piece, S("\r\n"));
}

int http_client_hold_piece(struct http_client *client, struct px_str piece)
{
    if (piece.len == 0) return 0;
    px_buf_printf(&client->out, "%zx\r\n", piece.len);
    px_buf_add_str(&client->out, piece);
    px_buf_add(&client->out, "\r\n", 2);
    int r = px_buf_fault(&client->out);
    return r == 0 ? 0 : settle(client, r);
}

int http_client_last_piece(struct http_client *client, struct px_str piece)
{
    client->ended = true;
    return send_chunk(client, piece, S("\r\n0\r\n\r\n"));
}

int http_client_end(struct http_client *client, const struct http_header *trailers,
                    size_t trailer_count, size_t body_bytes_max, struct http_response *ret_response)
{
    PX_ASSERT(!client->ended || trailer_count == 0);
    if (client->fd < 0) return px_fault(PX_F_UNAVAILABLE, "the connection is closed");
    client->body_bytes_max = body_bytes_max;
    if (client->ended) return settle(client, receive_answer(client, ret_response));
    px_buf_add(&client->out, "0\r\n", 3);
    for (size_t i = 0; i < trailer_count; i++)
        add_header(&client->out, trailers[i].name, trailers[i].value);
    px_buf_add(&client->out, "\r\n", 2);
    struct iovec end = piece_of(px_buf_str(&client->out));
    int r = px_buf_fault(&client->out);
    if (r == 0) r = send_pieces(client, &end, 1);
    if (r == 0) r = receive_answer(client, ret_response);
    return settle(client, r);
}

struct px_str http_response_header(const struct http_response *response, struct px_str name)
{
    return http_headers_find(response->headers, response->header_count, name);
}

int http_client_status(const struct http_client *client) { return client->parser.status_code; }

/* ---- life ---- */

int http_client_new(struct px_str endpoint, int timeout_ms, struct http_client **ret_client)
{
    struct http_address address;
    PX_TRY(http_address_parse(endpoint, &address));
    struct http_client *client = malloc(
        sizeof *client); /* not cleared: a page unused is no memory */
    if (!client) return px_fault(PX_F_OOM, "a client");
    memset(client, 0, offsetof(struct http_client, fields));
    client->address = address;
    client->timeout_ms = timeout_ms;
    client->fd = client->interrupt_fd = -1;
    px_buf_init(&client->out, OUT_BYTES_MAX);
    px_buf_init(&client->body, 0);
    *ret_client = client;
    return 0;
}

void http_client_free(struct http_client **client)
{
    if (!*client) return;
    px_close(&(*client)->fd);
    px_buf_deinit(&(*client)->out);
    px_buf_deinit(&(*client)->body);
    free(*client);
    *client = NULL;
}

void http_client_adopt(struct http_client *client, int *fd)
{
    lose(client);
    client->fd = *fd;
    *fd = -1;
}

void http_client_timeout(struct http_client *client, int timeout_ms)
{
    client->timeout_ms = timeout_ms;
}
void http_client_interrupt_fd(struct http_client *client, int fd) { client->interrupt_fd = fd; }
void http_client_pause(struct http_client *client, struct http_client_pause pause)
{
    client->pause = pause;
}
