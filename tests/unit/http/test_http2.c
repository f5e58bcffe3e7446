/* HTTP/2 at the server against nghttp2's client in the same loop, over TLS and without. What h2spec, curl and Python's h2 make of it is in
 * tests/sys. */
#include "http/tls_rig.h"

#include <nghttp2/nghttp2.h>

#include "http/http2.h"

#define STREAMS_MAX_SEEN 64
#define RECEIVED_MAX (8u << 20)

struct answer {
    int status;
    struct px_buf body;
    bool ended, closed;
    uint32_t code;
    char server_header[32], trailer[32];
};

struct client {
    struct tls_rig *rig;
    int fd;
    struct tls_client *tls; /* NULL: plain */
    nghttp2_session *ng;
    struct answer answers[STREAMS_MAX_SEEN]; /* by (id - 1) / 2, modulo */
    bool over, gone_away;
    uint32_t settings_streams;
};

static struct answer *answer_of(struct client *client, int32_t id)
{
    return &client->answers[(id - 1) / 2 % STREAMS_MAX_SEEN];
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_bytes, const uint8_t *value, size_t value_bytes, uint8_t flags,
                     void *ctx)
{
    struct answer *answer = answer_of(ctx, frame->hd.stream_id);
    struct px_str n = px_str((const char *)name, name_bytes);
    int64_t status = 0;
    (void)ng, (void)flags;
    if (px_str_eq(n, S(":status")) &&
        px_str_to_i64(px_str((const char *)value, value_bytes), &status))
        answer->status = (int)status;
    if (px_str_eq(n, S("x-seen")))
        (void)snprintf(answer->server_header, sizeof answer->server_header, "%.*s",
                       (int)value_bytes, (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t count, void *ctx)
{
    (void)ng, (void)flags;
    px_buf_add(&answer_of(ctx, id)->body, bytes, count);
    return 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *ctx)
{
    struct client *client = ctx;
    (void)ng;
    if (frame->hd.type == NGHTTP2_GOAWAY) client->gone_away = true;
    if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
        for (size_t i = 0; i < frame->settings.niv; i++)
            if (frame->settings.iv[i].settings_id == NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
                client->settings_streams = frame->settings.iv[i].value;
    if (frame->hd.stream_id > 0 && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        answer_of(client, frame->hd.stream_id)->ended = true;
    return 0;
}

static int on_close(nghttp2_session *ng, int32_t id, uint32_t code, void *ctx)
{
    struct answer *answer = answer_of(ctx, id);
    (void)ng;
    answer->closed = true;
    answer->code = code;
    return 0;
}

static void client_begin(struct client *client, bool manual_windows)
{
    nghttp2_session_callbacks *calls;
    nghttp2_option *option;
    CHECK_INT(nghttp2_session_callbacks_new(&calls), 0);
    CHECK_INT(nghttp2_option_new(&option), 0);
    nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
    nghttp2_option_set_no_auto_window_update(option, manual_windows);
    CHECK_INT(nghttp2_session_client_new2(&client->ng, calls, client, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(calls);
    for (size_t i = 0; i < STREAMS_MAX_SEEN; i++)
        px_buf_init(&client->answers[i].body, RECEIVED_MAX);
    CHECK_INT(nghttp2_submit_settings(client->ng, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

static struct client *client_plain(struct test *t, struct tls_rig *rig, uint16_t port)
{
    struct client *client = px_arena_zalloc(&t->arena, sizeof *client);
    client->rig = rig;
    client->fd = dial_port(port);
    client_begin(client, false);
    return client;
}

static void client_end(struct client *client)
{
    nghttp2_session_del(client->ng);
    for (size_t i = 0; i < STREAMS_MAX_SEEN; i++) px_buf_deinit(&client->answers[i].body);
    if (!client->tls) px_close(&client->fd);
}

static ssize_t client_recv(struct client *client, void *into, size_t max)
{
    if (!client->tls) return recv(client->fd, into, max, 0);
    int n = SSL_read(client->tls->ssl, into, (int)max);
    if (n > 0) return n;
    errno = EAGAIN;
    return wants_more(client->tls, n) ? -1 : 0;
}

static bool client_send(struct client *client, const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        ssize_t n = client->tls ? SSL_write(client->tls->ssl, bytes, (int)count)
                                : send(client->fd, bytes, count, MSG_NOSIGNAL);
        if (n > 0) {
            bytes += n;
            count -= (size_t)n;
        } else if (client->tls ? !wants_more(client->tls, (int)n) : errno != EAGAIN) {
            return false;
        }
        rig_turn(client->rig);
    }
    return true;
}

/* Send what there is and take what comes; the loop turns once. */
static void step(struct client *client)
{
    static uint8_t bytes[65536];
    const uint8_t *out;
    nghttp2_ssize n;
    while (!client->over && (n = nghttp2_session_mem_send2(client->ng, &out)) > 0)
        client->over = !client_send(client, out, (size_t)n);
    rig_turn(client->rig);
    ssize_t got = client->over ? -1 : client_recv(client, bytes, sizeof bytes);
    if (got > 0)
        client->over = nghttp2_session_mem_recv2(client->ng, bytes, (size_t)got) < 0;
    else if (got == 0 || errno != EAGAIN)
        client->over = true;
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* A body that is the view, which shrinks. */
static nghttp2_ssize read_body(nghttp2_session *ng, int32_t id, uint8_t *into, size_t max,
                               uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    struct px_str *left = source->ptr;
    size_t n = PX_MIN(left->len, max);
    (void)ng, (void)id, (void)ctx;
    if (n > 0) memcpy(into, left->ptr, n);
    *left = px_str_skip(*left, n);
    if (left->len == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (nghttp2_ssize)n;
}

static int32_t ask_with(struct client *client, const char *method, const char *path,
                        struct px_str *body, const nghttp2_nv *more, size_t more_count)
{
    nghttp2_nv fields[140] = {nv(":method", method), nv(":path", path), nv(":scheme", "https"),
                              nv(":authority", "localhost")};
    CHECK(more_count <= 136);
    for (size_t i = 0; i < more_count; i++) fields[4 + i] = more[i];
    nghttp2_data_provider2 provider = {.source.ptr = body, .read_callback = read_body};
    int32_t id = nghttp2_submit_request2(client->ng, NULL, fields, 4 + more_count,
                                         body ? &provider : NULL, NULL);
    CHECK(id > 0);
    return id;
}

static int32_t ask(struct client *client, const char *method, const char *path, struct px_str *body)
{
    return ask_with(client, method, path, body, NULL, 0);
}

static struct answer *wait_for(struct client *client, int32_t id)
{
    struct answer *answer = answer_of(client, id);
    while (!answer->closed && !client->over) step(client);
    return answer;
}

/* ---- the handler ---- */

struct h2_rig {
    struct tls_rig *rig;
    uint16_t plain_port;
    struct http_request *held[32], *streamed;
    size_t held_count, piece_bytes;
    unsigned requests, gone, drains, refusals;
    bool pause_first;
    char trailer[16];
};

static void on_drain(void *ctx) { ((struct h2_rig *)ctx)->drains++; }

static void on_request(void *ctx, struct http_request *request)
{
    struct h2_rig *h2 = ctx;
    h2->requests++;
    if (request == h2->streamed) {
        if (request->trailer_count > 0)
            (void)snprintf(h2->trailer, sizeof h2->trailer, "%.*s",
                           PX_FMT(request->trailers[0].value));
        h2->streamed = NULL;
        http_reply(request, 200, NULL, 0, S("all"));
    } else if (px_str_eq(request->path, S("/hold"))) {
        h2->held[h2->held_count++ % PX_COUNT(h2->held)] = request;
    } else if (px_str_eq(request->path, S("/pieces"))) {
        http_reply_begin(request, 200, NULL, 0, on_drain, h2);
        for (int i = 0; i < 100; i++) (void)http_reply_piece(request, S("piece "));
        http_reply_end(request, true);
    } else if (px_str_eq(request->path, S("/cut"))) {
        http_reply_begin(request, 200, NULL, 0, NULL, NULL);
        (void)http_reply_piece(request, S("half"));
        http_reply_end(request, false);
    } else {
        struct http_header headers[] = {{S("X-Seen"), http_header_get(request, S("Host"))},
                                        {S("Connection"), S("close")},
                                        {S("Keep-Alive"), S("1")},
                                        {S("X-Bad"), S("a\r\nb")}};
        for (size_t i = 0; i < HTTP_BODY_PADDING && request->body.len > 0; i++)
            CHECK_INT(request->body.ptr[request->body.len + i], 0);
        if (px_str_eq(request->path, S("/cookie")))
            headers[0].value = http_header_get(request, S("cookie"));
        http_reply(request, px_str_eq(request->path, S("/204")) ? 204 : 200, headers, 4,
                   request->body.len > 0 ? request->body : request->path);
    }
}

static void on_gone(void *ctx, struct http_request *request)
{
    struct h2_rig *h2 = ctx;
    h2->gone++;
    if (request != h2->streamed) return;
    h2->streamed = NULL;
    http_reply_end(request, false);
}

static bool on_head(void *ctx, struct http_request *request)
{
    struct h2_rig *h2 = ctx;
    if (!px_str_eq(request->path, S("/stream"))) return false;
    h2->streamed = request;
    return true;
}

static void on_piece(void *ctx, struct http_request *request, struct px_str piece)
{
    struct h2_rig *h2 = ctx;
    h2->piece_bytes += piece.len;
    if (h2->pause_first) http_request_pause(request, true);
    h2->pause_first = false;
}

static struct http_header on_refuse(void *ctx, const struct http_refusal *refusal)
{
    (void)refusal;
    ((struct h2_rig *)ctx)->refusals++;
    return (struct http_header){S("X-Seen"), S("refused")};
}

static struct h2_rig *h2_rig_new(struct test *t, struct http_server_options options)
{
    struct h2_rig *h2 = px_arena_zalloc(&t->arena, sizeof *h2);
    options.on_request = on_request;
    options.on_gone = on_gone;
    options.on_head = on_head;
    options.on_piece = on_piece;
    options.on_refuse = on_refuse;
    options.ctx = h2;
    h2->rig = tls_rig_new(t, options);
    http_server_offer_http2(h2->rig->server);
    CHECK_OK(http_server_listen_tcp(h2->rig->server, "127.0.0.1", 0, &h2->plain_port));
    return h2;
}

static struct client *client_new(struct test *t, struct h2_rig *h2)
{
    return client_plain(t, h2->rig, h2->plain_port);
}

/* ---- ordinary ---- */

TEST(requests_share_a_connection_and_are_answered_in_any_order)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){0});
    struct client *client = client_new(t, h2);
    int32_t first = ask(client, "GET", "/hold", NULL), second = ask(client, "GET", "/b?c=d", NULL);
    struct answer *answer = wait_for(client, second);
    CHECK_INT(answer->status, 200);
    CHECK_STR(px_buf_str(&answer->body), S("/b"));
    CHECK_STR(px_str_c(answer->server_header), S("localhost"));
    CHECK(!answer_of(client, first)->ended && h2->held_count == 1);
    CHECK_INT(client->settings_streams, HTTP2_STREAMS_MAX);
    http_reply(h2->held[0], 200, NULL, 0, S("late"));
    CHECK_STR(px_buf_str(&wait_for(client, first)->body), S("late"));
    CHECK_INT(http_server_connections(h2->rig->server), 1);
    client_end(client);
    tls_rig_end(h2->rig);
}

TEST(alpn_chooses_it_and_without_it_http_1_1_is_spoken)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){0});
    struct tls_client tls = tls_client_new(h2->rig);
    CHECK_INT(SSL_set_alpn_protos(tls.ssl, (const uint8_t *)"\x08http/1.1\x02h2", 12), 0);
    CHECK(tls_client_shake(h2->rig, &tls));
    struct client *client = px_arena_zalloc(&t->arena, sizeof *client);
    client->rig = h2->rig;
    client->tls = &tls;
    client_begin(client, false);
    struct px_str body = S("posted");
    struct answer *answer = wait_for(client, ask(client, "POST", "/a", &body));
    CHECK_INT(answer->status, 200);
    CHECK_STR(px_buf_str(&answer->body), S("posted"));
    client_end(client);
    tls_client_end(&tls);
    tls = tls_client_new(h2->rig);
    CHECK(tls_client_shake(h2->rig, &tls));
    CHECK(tls_client_say(h2->rig, &tls,
                         S("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")));
    CHECK(px_str_starts(tls_client_hear(t, h2->rig, &tls, 4096, NULL), S("HTTP/1.1 200 ")));
    tls_client_end(&tls);
    tls_rig_end(h2->rig);
}

TEST(large_bodies_go_both_ways)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){0});
    struct client *client = client_new(t, h2);
    size_t bytes = 3 << 20;
    char *text = px_arena_zalloc(&t->arena, bytes);
    for (size_t i = 0; i < bytes; i++) text[i] = (char)('a' + i % 23);
    struct px_str body = px_str(text, bytes), other = body;
    int32_t first = ask(client, "POST", "/p", &body), second = ask(client, "PUT", "/q", &other);
    CHECK_STR(px_buf_str(&wait_for(client, first)->body), px_str(text, bytes));
    CHECK_STR(px_buf_str(&wait_for(client, second)->body), px_str(text, bytes));
    client_end(client);
    tls_rig_end(h2->rig);
}

TEST(answers_have_bodies_where_they_may)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){0});
    struct client *client = client_new(t, h2);
    struct answer *answer = wait_for(client, ask(client, "HEAD", "/a", NULL));
    CHECK(answer->status == 200 && answer->ended && answer->body.len == 0);
    answer = wait_for(client, ask(client, "GET", "/204", NULL));
    CHECK(answer->status == 204 && answer->ended && answer->body.len == 0);
    answer = wait_for(client, ask(client, "GET", "/pieces", NULL));
    CHECK(answer->status == 200 && answer->ended && answer->body.len == 600);
    answer = wait_for(client, ask(client, "HEAD", "/pieces", NULL));
    CHECK(answer->ended && answer->body.len == 0);
    answer = wait_for(client, ask(client, "GET", "/cut", NULL));
    CHECK(!answer->ended && answer->code == NGHTTP2_INTERNAL_ERROR);
    nghttp2_nv cookies[] = {nv("cookie", "a=1"), nv("cookie", "b=2")};
    answer = wait_for(client, ask_with(client, "GET", "/cookie", NULL, cookies, 2));
    CHECK_STR(px_str_c(answer->server_header), S("a=1; b=2"));
    nghttp2_nv expect = nv("expect", "100-continue");
    struct px_str body = S("body");
    answer = wait_for(client, ask_with(client, "POST", "/a", &body, &expect, 1));
    CHECK_STR(px_buf_str(&answer->body), S("body"));
    client_end(client);
    tls_rig_end(h2->rig);
}

TEST(streamed_bodies_can_be_held_back)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){.body_bytes_max = 1000});
    struct client *client = client_new(t, h2);
    size_t bytes = 1 << 20;
    struct px_str body = px_str(px_arena_zalloc(&t->arena, bytes), bytes);
    h2->pause_first = true;
    int32_t id = ask(client, "POST", "/stream", &body);
    while (h2->piece_bytes == 0) step(client);
    for (int i = 0; i < 50; i++) step(client);
    CHECK(h2->piece_bytes < bytes &&
          body.len >= bytes - HTTP2_WINDOW_BYTES); /* a window of it came */
    struct answer *other = wait_for(client, ask(client, "GET", "/other", NULL));
    CHECK_INT(other->status, 200); /* and the connection's windows are open */
    http_request_pause(h2->streamed, false);
    CHECK_STR(px_buf_str(&wait_for(client, id)->body), S("all"));
    CHECK_INT(h2->piece_bytes, bytes);
    client_end(client);
    tls_rig_end(h2->rig);
}

/* ---- limits ---- */

TEST(limits_are_answered_on_their_stream_alone)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){.body_bytes_max = 100000});
    struct client *client = client_new(t, h2);
    size_t bytes = 120000;
    char *text = px_arena_zalloc(&t->arena, bytes);
    memset(text, 'x', bytes - 1);
    nghttp2_nv large = nv("x-large", text + bytes - 1 - 17000), many[120];
    CHECK_INT(wait_for(client, ask_with(client, "GET", "/a", NULL, &large, 1))->status, 431);
    for (size_t i = 0; i < PX_COUNT(many); i++) many[i] = nv("x-a", "b");
    CHECK_INT(wait_for(client, ask_with(client, "GET", "/a", NULL, many, 120))->status, 431);
    char *path = text + bytes - 1 - 9000;
    path[0] = '/';
    CHECK_INT(wait_for(client, ask(client, "GET", path, NULL))->status, 414);
    struct px_str body = px_str(text, bytes);
    CHECK_INT(wait_for(client, ask(client, "POST", "/a", &body))->status, 413);
    body = px_str(text, bytes);
    nghttp2_nv length = nv("content-length", "120000");
    CHECK_INT(wait_for(client, ask_with(client, "POST", "/a", &body, &length, 1))->status, 413);
    nghttp2_nv expect = nv("expect", "something");
    struct answer *answer = wait_for(client, ask_with(client, "GET", "/a", NULL, &expect, 1));
    CHECK_INT(answer->status, 417);
    CHECK_STR(px_str_c(answer->server_header), S("refused"));
    CHECK_INT(h2->requests, 0);
    CHECK_INT(h2->refusals, 6);
    CHECK_INT(wait_for(client, ask(client, "GET", "/a", NULL))->status, 200);
    client_end(client);
    tls_rig_end(h2->rig);
}

TEST(bodies_of_all_streams_have_one_ceiling)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){.buffered_bytes_max = 400000});
    struct client *client = client_new(t, h2);
    size_t bytes = 200000;
    struct px_str bodies[4];
    int32_t ids[4];
    unsigned refused = 0;
    for (size_t i = 0; i < PX_COUNT(ids); i++) {
        bodies[i] = px_str(px_arena_zalloc(&t->arena, bytes), bytes);
        ids[i] = ask(client, "POST", "/a", &bodies[i]);
    }
    for (size_t i = 0; i < PX_COUNT(ids); i++) refused += wait_for(client, ids[i])->status != 200;
    CHECK(refused >= 1);
    bodies[0] = px_str(bodies[0].ptr - bytes, bytes);
    CHECK_INT(wait_for(client, ask(client, "POST", "/a", &bodies[0]))->status, 200);
    client_end(client);
    tls_rig_end(h2->rig);
}

TEST(a_request_that_does_not_arrive_is_answered_408)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){.read_ms = 30});
    struct client *client = client_new(t, h2);
    nghttp2_nv fields[] = {nv(":method", "POST"), nv(":path", "/a"), nv(":scheme", "http"),
                           nv(":authority", "x")};
    int32_t id = nghttp2_submit_headers(client->ng, NGHTTP2_FLAG_NONE, -1, NULL, fields, 4, NULL);
    CHECK_INT(wait_for(client, id)->status, 408);
    client_end(client);
    tls_rig_end(h2->rig);
}

TEST(a_reader_that_opens_no_window_loses_its_stream)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){.idle_ms = 60});
    struct client *client = px_arena_zalloc(&t->arena, sizeof *client);
    client->rig = h2->rig;
    client->fd = dial_port(h2->plain_port);
    client_begin(client, true);
    size_t bytes = 100000;
    struct px_str body = px_str(px_arena_zalloc(&t->arena, bytes), bytes);
    int32_t id = ask(client, "POST", "/a", &body);
    struct answer *answer = wait_for(client, id);
    CHECK(!answer->ended && answer->body.len > 0 && answer->code == NGHTTP2_CANCEL);
    client_end(client);
    tls_rig_end(h2->rig);
}

/* ---- peers that go, and floods ---- */

TEST(a_reset_stream_is_gone_and_the_others_go_on)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){0});
    struct client *client = client_new(t, h2);
    int32_t id = ask(client, "GET", "/hold", NULL);
    while (h2->held_count == 0) step(client);
    CHECK_INT(nghttp2_submit_rst_stream(client->ng, 0, id, NGHTTP2_CANCEL), 0);
    while (h2->gone == 0) step(client);
    CHECK_INT(wait_for(client, ask(client, "GET", "/a", NULL))->status, 200);
    http_reply(h2->held[0], 200, NULL, 0, S("to nobody"));
    CHECK_INT(wait_for(client, ask(client, "GET", "/a", NULL))->status, 200);
    client_end(client);
    tls_rig_end(h2->rig);
}

TEST(a_connection_that_goes_takes_its_requests_along)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){0});
    struct client *client = client_new(t, h2);
    size_t bytes = 100000;
    struct px_str body = px_str(px_arena_zalloc(&t->arena, bytes), bytes);
    (void)ask(client, "GET", "/hold", NULL);
    (void)ask(client, "GET", "/hold", NULL);
    while (h2->held_count < 2) step(client);
    h2->pause_first = true;
    (void)ask(client, "POST", "/stream", &body);
    while (!h2->streamed || h2->piece_bytes == 0) step(client);
    client_end(client);
    while (h2->gone < 3) rig_turn(h2->rig);
    CHECK(!h2->streamed);
    http_reply(h2->held[0], 200, NULL, 0, S("to nobody"));
    struct http_request *last = h2->held[1];
    http_server_free(&h2->rig->server);
    http_reply_begin(last, 200, NULL, 0, on_drain, h2);
    CHECK_INT(http_reply_piece(last, S("to nobody")), 0);
    http_reply_end(last, true);
    tls_rig_end(h2->rig);
}

/* CVE-2023-44487 */
TEST(streams_that_are_reset_at_once_end_the_connection_and_start_little)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){0});
    struct client *client = client_new(t, h2);
    unsigned asked = 0;
    while (!client->gone_away && !client->over && asked < 5000) {
        int32_t ids[20];
        for (int i = 0; i < 20; i++, asked++) ids[i] = ask(client, "GET", "/hold", NULL);
        step(client); /* a reset before that would take them back */
        for (int i = 0; i < 20; i++)
            CHECK_INT(nghttp2_submit_rst_stream(client->ng, 0, ids[i], NGHTTP2_CANCEL), 0);
        step(client);
        while (h2->held_count > 0) http_reply(h2->held[--h2->held_count], 200, NULL, 0, S(""));
    }
    CHECK(client->gone_away || client->over);
    CHECK(asked < 1000);
    client_end(client);
    while (http_server_connections(h2->rig->server) > 0) rig_turn(h2->rig);
    tls_rig_end(h2->rig);
}

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"

/* Whether the server ends a connection on which this is sent again and again, and nothing is read meanwhile. */
static bool ends(struct h2_rig *h2, struct px_str begin, struct px_str again, unsigned times)
{
    int fd = dial_port(h2->plain_port);
    char answer[4096];
    ssize_t n = send(fd, begin.ptr, begin.len, MSG_NOSIGNAL);
    bool ended = n != (ssize_t)begin.len;
    for (unsigned i = 0; i < times && !ended; i++) {
        n = send(fd, again.ptr, again.len, MSG_NOSIGNAL);
        ended = n < 0 && errno != EAGAIN;
        if (i % 64 == 0 || n < 0) rig_turn(h2->rig);
    }
    for (unsigned i = 0; i < 20000 && !ended; i++) { /* idle_ms is longer */
        n = recv(fd, answer, sizeof answer, 0);
        ended = n == 0 || (n < 0 && errno != EAGAIN);
        rig_turn(h2->rig);
    }
    px_close(&fd);
    while (http_server_connections(h2->rig->server) > 0) rig_turn(h2->rig);
    return ended;
}

static struct px_str many_of(struct test *t, struct px_str frame)
{
    char *many = px_arena_zalloc(&t->arena, 1000 * frame.len);
    for (size_t i = 0; i < 1000; i++) memcpy(many + i * frame.len, frame.ptr, frame.len);
    return px_str(many, 1000 * frame.len);
}

TEST(floods_of_frames_end_the_connection)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){0});
    struct px_str preface = px_str(PREFACE, sizeof PREFACE - 1);
    /* CVE-2019-9512 and -9515: more of them at once than answers may wait */
    static const char ping[] = "\0\0\x08\6\0\0\0\0\0abcdefgh", settings[] = "\0\0\0\4\0\0\0\0\0";
    CHECK(ends(h2, preface, many_of(t, px_str(ping, sizeof ping - 1)), 100));
    CHECK(ends(h2, preface, many_of(t, px_str(settings, sizeof settings - 1)), 100));
    /* CVE-2024-27316: a head without an end */
    static const char head[] = PREFACE "\0\0\1\1\1\0\0\0\1\x82",
                      more[] = "\0\0\1\x09\0\0\0\0\1\x86";
    CHECK(ends(h2, px_str(head, sizeof head - 1), px_str(more, sizeof more - 1), 1000));
    CHECK_INT(h2->requests, 0);
    tls_rig_end(h2->rig);
}

/* The error code of the GOAWAY among frames; -1: there is none. */
static int64_t goaway_of(struct px_str frames)
{
    const unsigned char *at = (const unsigned char *)frames.ptr, *end = at + frames.len;
    while (end - at >= 9 + 8) {
        size_t bytes = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        if (at[3] == NGHTTP2_GOAWAY) return at[9 + 7];
        at += PX_MIN(9 + bytes, (size_t)(end - at));
    }
    return -1;
}

/* RFC 9113 section 5.1, half-closed (remote). h2spec sends its frame when the answer has ended the stream already. */
TEST(what_comes_behind_the_end_of_a_request_that_is_worked_on_is_an_error)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){0});
    static const char request[] = PREFACE "\0\0\x0c\1\5\0\0\0\1\x82\x86\4\5/hold\x41\1x",
                      data[] = "\0\0\1\0\0\0\0\0\1x";
    char answer[4096];
    size_t bytes = 0;
    ssize_t n = 1;
    int fd = dial_port(h2->plain_port);
    CHECK_INT(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    while (h2->held_count == 0) rig_turn(h2->rig);
    CHECK_INT(send(fd, data, sizeof data - 1, MSG_NOSIGNAL), sizeof data - 1);
    while (n != 0 && goaway_of(px_str(answer, bytes)) < 0) {
        rig_turn(h2->rig);
        n = recv(fd, answer + bytes, sizeof answer - bytes, 0);
        bytes += (size_t)PX_MAX(n, 0);
    }
    CHECK_INT(goaway_of(px_str(answer, bytes)), NGHTTP2_STREAM_CLOSED);
    px_close(&fd);
    while (h2->gone == 0) rig_turn(h2->rig);
    http_reply(h2->held[0], 200, NULL, 0, S("nobody"));
    while (http_server_connections(h2->rig->server) > 0) rig_turn(h2->rig);
    CHECK_INT(h2->requests, 1);
    tls_rig_end(h2->rig);
}

TEST(nothing_but_the_preface_begins_it)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){0});
    struct px_str wrong = S("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    CHECK(ends(h2, wrong, wrong, 1000));
    /* after a request of HTTP/1.1 it is too late */
    CHECK(ends(h2, S("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"), px_str(PREFACE, sizeof PREFACE - 1),
               1000));
    CHECK_INT(h2->requests, 1);
    tls_rig_end(h2->rig);
}

/* ---- the end ---- */

static void on_drained(void *ctx) { *(bool *)ctx = true; }

TEST(draining_says_so_and_lets_streams_end)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){0});
    struct client *client = client_new(t, h2), *idle = client_new(t, h2);
    bool drained = false;
    int32_t id = ask(client, "GET", "/hold", NULL);
    CHECK_INT(wait_for(idle, ask(idle, "GET", "/a", NULL))->status, 200);
    while (h2->held_count == 0) step(client);
    http_server_drain(h2->rig->server, on_drained, &drained);
    while (!client->gone_away) step(client);
    while (!idle->over) step(idle);
    CHECK(idle->gone_away && !drained);
    http_reply(h2->held[0], 200, NULL, 0, S("last"));
    CHECK_STR(px_buf_str(&wait_for(client, id)->body), S("last"));
    while (!drained) step(client);
    client_end(client);
    client_end(idle);
    tls_rig_end(h2->rig);
}

TEST(an_idle_connection_is_told_to_go)
{
    struct h2_rig *h2 = h2_rig_new(t, (struct http_server_options){.idle_ms = 30});
    struct client *client = client_new(t, h2);
    CHECK_INT(wait_for(client, ask(client, "GET", "/a", NULL))->status, 200);
    while (!client->over) step(client);
    CHECK(client->gone_away);
    client_end(client);
    tls_rig_end(h2->rig);
}

TEST_MAIN
