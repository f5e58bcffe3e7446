/* The server against raw sockets: bytes out, bytes back. One loop and one thread: the test's side of a
 * connection never blocks, and the loop turns while it waits. */
#include "support/support.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "http/server.h"

#include "dial.h"

struct rig {
    uv_loop_t loop;
    struct http_server *server;
    uint16_t port;
    struct http_request *held; /* of /hold, until the test answers it */
    unsigned requests, gone, drains, pieces;
    size_t piece_bytes;
    bool pause_next_piece, drained;
    char last_trailer[32];
};

/* ---- the handler: what it answers follows from the path ---- */

static void reply_echo(struct http_request *request)
{
    for (size_t i = 0; i < HTTP_BODY_PADDING && request->body.len > 0; i++)
        CHECK_INT(request->body.ptr[request->body.len + i], 0);
    struct http_header header = {S("X-Method"), request->method_name};
    http_reply(request, 200, &header, 1, request->body.len > 0 ? request->body : request->path);
}

static void on_drain(void *ctx) { ((struct rig *)ctx)->drains++; }

static void on_request(void *ctx, struct http_request *request)
{
    struct rig *rig = ctx;
    rig->requests++;
    if (request->trailer_count > 0)
        (void)snprintf(rig->last_trailer, sizeof rig->last_trailer, "%.*s",
                       PX_FMT(request->trailers[0].value));
    if (px_str_eq(request->path, S("/hold"))) {
        rig->held = request;
    } else if (px_str_eq(request->path, S("/204"))) {
        http_reply(request, 204, NULL, 0, S(""));
    } else if (px_str_eq(request->path, S("/cut"))) {
        http_reply_end(request, false);
    } else if (px_str_eq(request->path, S("/large"))) {
        static char large[4096];
        memset(large, 'L', sizeof large);
        http_reply(request, 200, NULL, 0, px_str(large, sizeof large));
    } else if (px_str_eq(request->path, S("/forge"))) {
        struct http_header headers[] = {{S("X-Bad"), S("a\r\nSet-Cookie: x")},
                                        {S("X Y"), S("z")},
                                        {S("content-length"), S("7")},
                                        {S("X-Good"), S("g")}};
        http_reply(request, 200, headers, 4, S("ok"));
    } else if (px_str_eq(request->path, S("/query"))) {
        http_reply(request, 200, NULL, 0, request->query);
    } else if (px_str_eq(request->path, S("/peer"))) {
        http_reply(request, 200, NULL, 0, request->peer.len > 0 ? request->peer : S("none"));
    } else if (px_str_eq(request->path, S("/pieces"))) {
        http_reply_begin(request, 200, NULL, 0, on_drain, rig);
        CHECK_INT(http_reply_piece(request, S("one")), 0);
        (void)http_reply_piece(request, S(""));
        (void)http_reply_piece(request, S("twotwotwotwotwotwo"));
        http_reply_end(request, true);
    } else {
        reply_echo(request);
    }
}

static void on_gone(void *ctx, struct http_request *request)
{
    (void)request;
    ((struct rig *)ctx)->gone++;
}

static bool on_head(void *ctx, struct http_request *request)
{
    struct rig *rig = ctx;
    if (!px_str_eq(request->path, S("/stream"))) return false;
    rig->held = request;
    return true;
}

static void on_piece(void *ctx, struct http_request *request, struct px_str piece)
{
    struct rig *rig = ctx;
    rig->pieces++;
    rig->piece_bytes += piece.len;
    if (rig->pause_next_piece) http_request_pause(request, true);
    rig->pause_next_piece = false;
}

/* ---- the rig ---- */

/* libuv opens descriptors of its own with its first loop, which no test left open. */
__attribute__((constructor)) static void warm_up(void)
{
    uv_loop_t loop;
    PX_ASSERT(uv_loop_init(&loop) == 0 && uv_loop_close(&loop) == 0);
}

static struct rig *rig_new(struct test *t, struct http_server_options options)
{
    struct rig *rig = px_arena_new(&t->arena, struct rig);
    CHECK_INT(uv_loop_init(&rig->loop), 0);
    options.on_request = on_request;
    options.on_gone = on_gone;
    options.on_head = on_head;
    options.on_piece = on_piece;
    options.ctx = rig;
    CHECK_OK(http_server_new(&rig->loop, &options, &rig->server));
    CHECK_OK(http_server_listen_tcp(rig->server, "127.0.0.1", 0, &rig->port));
    return rig;
}

static void turn(struct rig *rig, int ms)
{
    for (int i = 0; i < ms; i++) {
        uv_run(&rig->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
}

static void rig_end(struct rig *rig)
{
    http_server_free(&rig->server);
    if (rig->held) http_reply(rig->held, 200, NULL, 0, S("late"));
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    CHECK_INT(uv_loop_close(&rig->loop), 0);
}

static int dial(const struct rig *rig) { return dial_port(rig->port); }

/* All of it, turning the loop when the socket is full; false when the server closed. */
static bool say(struct rig *rig, int fd, struct px_str text)
{
    while (text.len > 0) {
        ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
        if (n > 0) text = px_str_skip(text, (size_t)n);
        if (n < 0 && errno != EAGAIN) return false;
        uv_run(&rig->loop, UV_RUN_NOWAIT);
    }
    return true;
}

/* What came until `wait` was in it, the server closed, or 3 s had passed; a view into 1 MiB. */
static struct px_str hear(struct test *t, struct rig *rig, int fd, const char *wait)
{
    size_t room = 1 << 20, got = 0;
    char *text = px_arena_zalloc(&t->arena, room);
    int64_t end_ns = px_mono_ns(&px_clock_system) + 3 * PX_NS_PER_S;
    while (px_mono_ns(&px_clock_system) < end_ns && got < room - 1) {
        ssize_t n = recv(fd, text + got, room - 1 - got, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) break;
        if (n > 0) got += (size_t)n;
        if (wait && strstr(text, wait)) break;
        if (n < 0) turn(rig, 1);
    }
    return px_str(text, got);
}

/* Everything that comes back for these bytes, until the server closes. */
static struct px_str ask(struct test *t, struct rig *rig, struct px_str text)
{
    int fd = dial(rig);
    (void)say(rig, fd, text);
    CHECK_INT(shutdown(fd, SHUT_WR), 0);
    struct px_str answer = hear(t, rig, fd, NULL);
    px_close(&fd);
    return answer;
}

static int status_in(struct px_str answer)
{
    int64_t status;
    if (answer.len < 12 || !px_str_starts(answer, S("HTTP/1.1 "))) return -1;
    return px_str_to_i64(px_str(answer.ptr + 9, 3), &status) ? (int)status : -1;
}

static bool has(struct px_str text, const char *part) { return text.ptr && strstr(text.ptr, part); }

/* ---- ordinary requests ---- */

TEST(answers_with_length_date_and_keeps_the_connection)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    int fd = dial(rig);
    say(rig, fd, S("GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"));
    struct px_str answer = hear(t, rig, fd, "/a");
    CHECK_INT(status_in(answer), 200);
    CHECK(has(answer, "X-Method: GET\r\n") && has(answer, "\r\nContent-Length: 2\r\n") &&
          has(answer, "Date: "));
    CHECK(!has(answer, "Connection:"));
    say(rig, fd, S("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"));
    CHECK(has(hear(t, rig, fd, "hello"), "Content-Length: 5\r\n\r\nhello"));
    say(rig, fd, S("GET /query?a=%20b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    answer = hear(t, rig, fd, NULL);
    CHECK(has(answer, "Connection: close\r\n\r\na=%20b"));
    px_close(&fd);
    turn(rig, 2);
    CHECK_INT(http_server_connections(rig->server), 0);
    rig_end(rig);
}

TEST(pipelined_requests_are_answered_in_order)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    struct px_buf many;
    px_buf_init(&many, 4 << 20);
    for (int i = 0; i < 3000; i++)
        px_buf_printf(&many, "POST /n%d HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n<%04d>", i,
                      i);
    struct px_str answer = ask(t, rig, px_buf_str(&many));
    CHECK_INT(rig->requests, 3000);
    const char *at = answer.ptr;
    for (int i = 0; i < 3000; i++) {
        char want[16];
        (void)snprintf(want, sizeof want, "<%04d>", i);
        at = strstr(at, want);
        CHECK(at != NULL);
    }
    px_buf_deinit(&many);
    rig_end(rig);
}

TEST(a_pipelined_request_waits_for_the_answer_before_it)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    int fd = dial(rig);
    say(rig, fd, S("GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /second HTTP/1.1\r\nHost: x\r\n\r\n"));
    turn(rig, 10);
    CHECK_INT(rig->requests, 1);
    http_reply(PX_TAKE(rig->held), 200, NULL, 0, S("first"));
    struct px_str answer = hear(t, rig, fd, "/second");
    CHECK(strstr(answer.ptr, "first") < strstr(answer.ptr, "/second"));
    px_close(&fd);
    rig_end(rig);
}

/* A socket that was given, which keeps writes apart. */
static int given(struct rig *rig)
{
    int ends[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    CHECK_OK(http_server_adopt(rig->server, &ends[0]));
    CHECK_INT(ends[0], -1);
    CHECK_INT(http_server_connections(rig->server), 1);
    return ends[1];
}

static struct px_str one_write(struct test *t, int fd)
{
    char *text = px_arena_zalloc(&t->arena, 65536);
    ssize_t n = recv(fd, text, 65535, 0);
    return px_str(text, n > 0 ? (size_t)n : 0);
}

TEST(small_answers_to_pipelined_requests_go_in_one_write)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    int fd = given(rig);
    say(rig, fd,
        S("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\nGET /pieces HTTP/1.1\r\nHost: x\r\n"
          "\r\n"));
    turn(rig, 3);
    struct px_str first = one_write(t, fd);
    CHECK(has(first, "\r\n\r\n/aHTTP/1.1 200 OK\r\n") &&
          has(first, "\r\n\r\n/bHTTP/1.1 200 OK\r\n"));
    CHECK(px_str_ends(first, S("Transfer-Encoding: chunked\r\n\r\n")));
    CHECK_STR(one_write(t, fd), S("3\r\none\r\n"));
    px_close(&fd);
    turn(rig, 3);
    CHECK_INT(http_server_connections(rig->server), 0);
    rig_end(rig);
}

TEST(a_small_answer_does_not_wait_for_the_next_request_to_be_answered)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    int fd = given(rig);
    say(rig, fd,
        S("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /h")); /* and half of one */
    turn(rig, 3);
    CHECK(px_str_ends(one_write(t, fd), S("\r\n\r\n/a")));
    http_reply(PX_TAKE(rig->held), 200, NULL, 0, S("second"));
    CHECK(px_str_ends(one_write(t, fd), S("\r\n\r\nsecond")));
    say(rig, fd, S("old HTTP/1.1\r\nHost: x\r\n\r\n"));
    turn(rig, 3);
    CHECK_INT(rig->requests, 3);
    http_reply(PX_TAKE(rig->held), 200, NULL, 0, S("third"));
    CHECK(px_str_ends(one_write(t, fd), S("\r\n\r\nthird")));
    px_close(&fd);
    rig_end(rig);
}

TEST(a_small_answer_comes_before_whatever_becomes_of_the_next_request)
{
    static const char *const next[] = {
        "GET /b HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",           /* refused */
        "GET /cut HTTP/1.1\r\nHost: x\r\n\r\n",                    /* cut by its handler */
        "GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", /* the last */
        "GET /204 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /large HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    static const char *const after[] = {"400 Bad", "", "\r\n\r\n/b", "204 No", "LLLLL"};
    for (size_t i = 0; i < PX_COUNT(next); i++) {
        struct rig *rig = rig_new(t, (struct http_server_options){0});
        struct px_str both = px_arena_printf(&t->arena, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n%s",
                                             next[i]);
        struct px_str answer = ask(t, rig, both);
        CHECK_INT(status_in(answer), 200);
        CHECK(has(answer, "\r\n\r\n/a"));
        CHECK(has(answer, after[i]));
        rig_end(rig);
    }
}

TEST(requests_byte_by_byte_read_as_whole_ones)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    static const char text[] =
        "\r\nPOST /x?y HTTP/1.1\r\nHost: x\r\nA:  b \r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;e=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: u\r\n\r\n"
        "PUT /l HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nbytewise!";
    int fd = dial(rig);
    for (size_t i = 0; i < sizeof text - 1; i++) say(rig, fd, px_str(text + i, 1));
    struct px_str answer = hear(t, rig, fd, "bytewise!");
    CHECK(has(answer, "\r\n\r\nabc0123456789HTTP/1.1 200 OK\r\nX-Method: PUT"));
    px_close(&fd);
    rig_end(rig);
}

TEST(large_bodies_arrive_whole_by_length_and_in_chunks)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    size_t bytes = 700001;
    char *body = px_arena_alloc(&t->arena, bytes + 1);
    for (size_t i = 0; i < bytes; i++) body[i] = (char)('a' + i % 25);
    body[bytes] = '\0';
    struct px_str by_length = px_arena_printf(
        &t->arena, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", bytes, body);
    struct px_str in_chunks = px_arena_printf(
        &t->arena,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "%zx\r\n%.*s\r\n%zx\r\n%s\r\n0\r\n\r\n",
        bytes - 7, (int)(bytes - 7), body, (size_t)7, body + bytes - 7);
    CHECK(has(ask(t, rig, by_length), body));
    CHECK(has(ask(t, rig, in_chunks), body));
    rig_end(rig);
}

TEST(head_204_and_http_1_0_have_their_framing)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    struct px_str answer = ask(t, rig, S("HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(has(answer, "Content-Length: 4\r\n") && px_str_ends(answer, S("\r\n\r\n")));
    answer = ask(t, rig, S("GET /204 HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK_INT(status_in(answer), 204);
    CHECK(!has(answer, "Content-Length"));
    answer = ask(t, rig, S("GET /abc HTTP/1.0\r\n\r\n"));
    CHECK(has(answer, "Connection: close\r\n\r\n/abc"));
    answer = ask(t, rig, S("GET /abc HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    CHECK(has(answer, "Connection: keep-alive\r\n\r\n/abc"));
    answer = ask(t, rig, S("GET http://host.example/abc?q HTTP/1.1\r\nHost: host.example\r\n\r\n"));
    CHECK(px_str_ends(answer, S("/abc")));
    answer = ask(
        t, rig,
        S("GET /u HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
          "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\nGET /v HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(has(answer, "/uHTTP/1.1 200") && px_str_ends(answer, S("/v")));
    rig_end(rig);
}

TEST(answers_in_pieces_are_chunked_but_not_for_http_1_0)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    struct px_str answer = ask(t, rig, S("GET /pieces HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(has(answer, "Transfer-Encoding: chunked") && !has(answer, "Content-Length"));
    CHECK(has(answer, "\r\n\r\n3\r\none\r\n12\r\ntwotwotwotwotwotwo\r\n0\r\n\r\n"));
    answer = ask(t, rig, S("GET /pieces HTTP/1.0\r\n\r\n"));
    CHECK(!has(answer, "chunked") && has(answer, "\r\n\r\nonetwotwotwotwotwotwo"));
    answer = ask(t, rig, S("HEAD /pieces HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(px_str_ends(answer, S("\r\n\r\n")) && !has(answer, "one"));
    rig_end(rig);
}

TEST(expect_100_continue_is_answered_before_the_body)
{
    struct rig *rig = rig_new(t, (struct http_server_options){.body_bytes_max = 10});
    int fd = dial(rig);
    say(rig, fd,
        S("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"));
    CHECK_STR(hear(t, rig, fd, "\r\n\r\n"), S("HTTP/1.1 100 Continue\r\n\r\n"));
    say(rig, fd, S("body"));
    CHECK(has(hear(t, rig, fd, "body"), "HTTP/1.1 200 OK"));
    px_close(&fd);
    struct px_str answer = ask(t, rig,
                               S("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n"
                                 "Expect: 100-continue\r\n\r\n"));
    CHECK_INT(status_in(answer), 413); /* and no 100 before it */
    CHECK_INT(
        status_in(ask(t, rig,
                      S("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: y\r\n\r\na"))),
        417);
    rig_end(rig);
}

TEST(a_handler_cannot_forge_a_message)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    struct px_str answer = ask(t, rig, S("GET /forge HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(has(answer, "X-Good: g") && has(answer, "Content-Length: 2"));
    CHECK(!has(answer, "Set-Cookie") && !has(answer, "X Y") && !has(answer, "content-length"));
    rig_end(rig);
}

/* ---- what is refused ---- */

#define HOST "Host: x\r\n"

TEST(what_two_servers_could_read_differently_is_refused)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"POST / HTTP/1.1\r\n" HOST
         "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\n" HOST
         "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\nabc", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\nabc", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x3\r\n\r\nabc", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n\r\na", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length : 3\r\n\r\nabc", 400},
        {"POST / HTTP/1.1\r\n" HOST
         "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\nabc", 501},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\x0b"
         "chunked\r\n\r\n0\r\n\r\n",
         400},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A: b\r\n\tc\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A: b\rC: d\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A\x01: b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
        {"GET /a b HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET relative HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /\r\n\r\n", 505},
        {"GET / HTTP/0.9\r\n\r\n", 505},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
        {"GET / HTTP/1.2\r\n" HOST "\r\n", 505},
        {"GET / HTTP/9.9\r\n" HOST "\r\n", 505},
        {"GET / HTTQ/1.1\r\n" HOST "\r\n", 400},
        {"get / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"CONNECT x:80 HTTP/1.1\r\n" HOST "\r\n", 501},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
    };
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct px_str answer = ask(t, rig, px_str_c(cases[i].text));
        if (status_in(answer) != cases[i].status)
            TEST_FAIL("case %zu gave %d, not %d: %s\n%.*s", i, status_in(answer), cases[i].status,
                      cases[i].text, PX_FMT(answer));
        CHECK(has(answer, "application/problem+json") && has(answer, "Connection: close"));
        CHECK(!strstr(answer.ptr + 10, "HTTP/1.1 ")); /* one answer: what follows is no request */
    }
    CHECK_INT(rig->requests, 0);
    rig_end(rig);
}

TEST(limits_have_their_statuses)
{
    struct rig *rig = rig_new(
        t, (struct http_server_options){.body_bytes_max = 100, .header_bytes_max = 2048});
    char *filler = px_arena_zalloc(&t->arena, 70001);
    memset(filler, 'a', 70000);
    struct px_str cases[] = {
        px_arena_printf(&t->arena, "GET /%.1500s HTTP/1.1\r\n" HOST "\r\n", filler),
        px_arena_printf(&t->arena, "GET /%s HTTP/1.1\r\n" HOST "\r\n", filler),
        px_arena_printf(&t->arena, "GET / HTTP/1.1\r\n" HOST "A: %.3000s\r\n\r\n", filler),
        px_arena_printf(&t->arena, "GET / HTTP/1.1\r\n" HOST "A: %s\r\n\r\n", filler),
        px_arena_printf(&t->arena, "POST / HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n%.101s",
                        filler),
        px_arena_printf(&t->arena,
                        "POST / HTTP/1.1\r\n" HOST
                        "Transfer-Encoding: chunked\r\n\r\n65\r\n%.101s\r\n0\r\n\r\n",
                        filler),
        px_arena_printf(
            &t->arena, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1;%s\r\na\r\n",
            filler),
        px_arena_printf(&t->arena,
                        "POST / HTTP/1.1\r\n" HOST
                        "Transfer-Encoding: chunked\r\n\r\n0\r\nT: %s\r\n\r\n",
                        filler),
    };
    const int statuses[] = {414, 414, 431, 431, 413, 413, 431, 431};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        int status = status_in(ask(t, rig, cases[i]));
        if (status != statuses[i]) TEST_FAIL("case %zu gave %d", i, status);
    }
    struct px_buf many;
    px_buf_init(&many, 1 << 20);
    px_buf_add_c(&many, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 100; i++) px_buf_add_c(&many, "A:\r\n");
    px_buf_add_c(&many, "\r\n");
    CHECK_INT(status_in(ask(t, rig, px_buf_str(&many))), 431);
    CHECK_INT(rig->requests, 0);
    px_buf_deinit(&many);
    rig_end(rig);
}

TEST(a_client_that_keeps_sending_still_gets_the_413)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    size_t bytes = 30u << 20;
    char *body = malloc(bytes);
    memset(body, 'x', bytes);
    int fd = dial(rig);
    say(rig, fd, S("POST / HTTP/1.1\r\n" HOST "Content-Length: 31457280\r\n\r\n"));
    CHECK(say(rig, fd, px_str(body, bytes)));
    CHECK_INT(status_in(hear(t, rig, fd, "\r\n\r\n")), 413);
    free(body);
    px_close(&fd);
    rig_end(rig);
}

TEST(slow_senders_get_a_408_and_idle_ones_are_closed)
{
    struct rig *rig = rig_new(t, (struct http_server_options){.read_ms = 60, .idle_ms = 40});
    int slow = dial(rig), body = dial(rig), idle = dial(rig);
    say(rig, slow, S("GET / HT"));
    say(rig, body, S("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nab"));
    for (int i = 0; i < 12; i++) { /* one byte now and then does not buy time */
        (void)send(body, "c", i < 2, MSG_NOSIGNAL);
        turn(rig, 10);
    }
    CHECK_INT(status_in(hear(t, rig, slow, "\r\n\r\n")), 408);
    CHECK_INT(status_in(hear(t, rig, body, "\r\n\r\n")), 408);
    CHECK_INT(hear(t, rig, idle, NULL).len, 0);
    px_close(&slow);
    px_close(&body);
    px_close(&idle);
    turn(rig, 5);
    CHECK_INT(http_server_connections(rig->server), 0);
    rig_end(rig);
}

TEST(connections_over_the_limit_get_a_503)
{
    struct rig *rig = rig_new(t, (struct http_server_options){.connections_max = 3});
    int fds[5];
    for (size_t i = 0; i < PX_COUNT(fds); i++) {
        fds[i] = dial(rig);
        turn(rig, 2);
    }
    CHECK_INT(status_in(hear(t, rig, fds[3], "\r\n\r\n")), 503);
    CHECK_INT(status_in(hear(t, rig, fds[4], "\r\n\r\n")), 503);
    say(rig, fds[0], S("GET /a HTTP/1.1\r\n" HOST "\r\n"));
    CHECK_INT(status_in(hear(t, rig, fds[0], "/a")), 200);
    for (size_t i = 0; i < PX_COUNT(fds); i++) px_close(&fds[i]);
    turn(rig, 5);
    CHECK_INT(http_server_connections(rig->server), 0);
    rig_end(rig);
}

TEST(bodies_being_received_share_a_ceiling)
{
    struct rig *rig = rig_new(t, (struct http_server_options){.buffered_bytes_max = 300000});
    static char part[200000];
    int first = dial(rig), second = dial(rig);
    say(rig, first, S("POST / HTTP/1.1\r\n" HOST "Content-Length: 250000\r\n\r\n"));
    say(rig, first, px_str(part, sizeof part));
    turn(rig, 3);
    say(rig, second, S("POST / HTTP/1.1\r\n" HOST "Content-Length: 250000\r\n\r\n"));
    (void)say(rig, second, px_str(part, sizeof part));
    CHECK_INT(status_in(hear(t, rig, second, "\r\n\r\n")), 503);
    say(rig, first, px_str(part, 50000));
    CHECK_INT(status_in(hear(t, rig, first, "\r\n\r\n")), 200);
    px_close(&first);
    px_close(&second);
    rig_end(rig);
}

/* ---- peers that go, stall or half close ---- */

TEST(a_reset_and_an_end_tell_the_handler_and_nothing_breaks)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    int fd = dial(rig);
    say(rig, fd, S("POST /hold HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"));
    turn(rig, 3);
    struct linger hard = {1, 0};
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    px_close(&fd);
    turn(rig, 5);
    CHECK_INT(rig->gone, 1);
    CHECK_STR(rig->held->body, S("abc")); /* views live until the answer */
    http_reply(PX_TAKE(rig->held), 200, NULL, 0, S("nobody"));
    fd = dial(rig);
    say(rig, fd, S("POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\na")); /* incomplete */
    px_close(&fd);
    turn(rig, 5);
    CHECK_INT(rig->requests, 1);
    CHECK_INT(http_server_connections(rig->server), 0);
    rig_end(rig);
}

TEST(a_half_closed_peer_gets_its_answer)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    int fd = dial(rig);
    say(rig, fd, S("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    CHECK_INT(shutdown(fd, SHUT_WR), 0);
    turn(rig, 5);
    CHECK_INT(rig->gone, 1);
    http_reply(PX_TAKE(rig->held), 200, NULL, 0, S("still"));
    CHECK(has(hear(t, rig, fd, NULL), "\r\n\r\nstill"));
    px_close(&fd);
    rig_end(rig);
}

TEST(a_slow_reader_holds_up_only_itself_and_ends)
{
    struct rig *rig = rig_new(t, (struct http_server_options){.idle_ms = 400});
    int fd = dial(rig), other = dial(rig), few = 65536;
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &few, sizeof few),
              0); /* the kernel's part is fixed */
    say(rig, fd, S("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    turn(rig, 3);
    struct http_request *request = PX_TAKE(rig->held);
    char *piece = px_arena_zalloc(&t->arena, 1 << 20);
    http_reply_begin(request, 200, NULL, 0, on_drain, rig);
    size_t queued = 0;
    for (int i = 0; i < 12; i++) queued = http_reply_piece(request, px_str(piece, 1 << 20));
    CHECK(queued > 1 << 20);
    say(rig, other, S("GET /ok HTTP/1.1\r\n" HOST "\r\n"));
    CHECK_INT(status_in(hear(t, rig, other, "/ok")), 200);
    (void)hear(t, rig, fd, NULL); /* 1 MiB of it */
    for (int i = 0; i < 10 && rig->drains == 0; i++) (void)hear(t, rig, fd, NULL);
    CHECK(rig->drains > 0);
    do queued = http_reply_piece(request, px_str(piece, 1 << 20));
    while (queued > 0 && queued < 8 << 20);
    for (int i = 0; i < 3000 && rig->gone == 0; i++) turn(rig, 1); /* it reads no more */
    CHECK_INT(rig->gone, 1);
    CHECK_INT(http_reply_piece(request, S("dropped")), 0);
    http_reply_end(request, true);
    px_close(&fd);
    px_close(&other);
    rig_end(rig);
}

TEST(an_answer_cut_short_has_no_last_chunk)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    int fd = dial(rig);
    say(rig, fd, S("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    turn(rig, 3);
    struct http_request *request = PX_TAKE(rig->held);
    http_reply_begin(request, 200, NULL, 0, NULL, NULL);
    (void)http_reply_piece(request, S("part"));
    http_reply_end(request, false);
    struct px_str answer = hear(t, rig, fd, NULL);
    CHECK(px_str_ends(answer, S("4\r\npart\r\n")));
    px_close(&fd);
    rig_end(rig);
}

/* ---- bodies in pieces ---- */

TEST(a_streamed_body_comes_in_pieces_with_its_trailers_and_can_be_held_back)
{
    struct rig *rig = rig_new(t, (struct http_server_options){.body_bytes_max = 10});
    int fd = dial(rig);
    static char part[400000];
    rig->pause_next_piece = true;
    say(rig, fd, S("POST /stream HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n61a80\r\n"));
    for (size_t done = 0; done < sizeof part && !rig->pieces;) {
        ssize_t n = send(fd, part + done, 10000, MSG_NOSIGNAL);
        CHECK(n > 0);
        done += (size_t)n;
        turn(rig, 1);
        if (rig->pieces == 0) continue;
        size_t seen = rig->piece_bytes;
        n = send(fd, part + done, sizeof part - done, MSG_NOSIGNAL);
        done += n > 0 ? (size_t)n : 0;
        turn(rig, 5);
        CHECK_INT(rig->piece_bytes, seen); /* nothing came while it is held back */
        http_request_pause(rig->held, false);
        say(rig, fd, px_str(part + done, sizeof part - done));
    }
    say(rig, fd, S("\r\n0\r\nX-Error: why\r\n\r\n"));
    struct px_str answer = hear(t, rig, fd, "\r\n\r\n");
    CHECK_INT(status_in(answer), 200);
    CHECK_INT(rig->piece_bytes, sizeof part);
    CHECK_STR(px_str_c(rig->last_trailer), S("why"));
    rig->held = NULL;
    px_close(&fd);
    rig_end(rig);
}

TEST(a_streamed_body_that_breaks_off_tells_the_handler)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    int fd = dial(rig);
    say(rig, fd,
        S("POST /stream HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"));
    turn(rig, 3);
    px_close(&fd);
    turn(rig, 5);
    CHECK_INT(rig->gone, 1);
    http_reply(PX_TAKE(rig->held), 200, NULL, 0, S(""));
    fd = dial(rig);
    say(rig, fd, S("POST /stream HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcX"));
    CHECK_INT(status_in(hear(t, rig, fd, "\r\n\r\n")), 400);
    CHECK_INT(rig->gone, 2);
    http_reply(PX_TAKE(rig->held), 200, NULL, 0, S(""));
    CHECK_INT(rig->requests, 0);
    px_close(&fd);
    rig_end(rig);
}

/* ---- listening and ending ---- */

TEST(a_unix_socket_is_private_and_a_stale_one_is_replaced)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    const char *path = test_path(t, "control.sock").ptr;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, path, strlen(path));
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_INT(bind(stale, (struct sockaddr *)&un, sizeof un), 0);
    px_close(&stale);
    CHECK_OK(http_server_listen_unix(rig->server, path));
    struct stat what;
    CHECK_INT(stat(path, &what), 0);
    CHECK_INT(what.st_mode & 0777, 0600);
    CHECK_INT(http_server_listen_unix(rig->server, path), PX_F_BUSY);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
    say(rig, fd, S("GET /peer HTTP/1.1\r\n" HOST "\r\n"));
    CHECK(has(hear(t, rig, fd, "none"), "none"));
    px_close(&fd);
    struct px_str file = test_path(t, "file");
    CHECK_OK(px_file_write_atomic(file.ptr, S("precious"), 0600));
    CHECK_INT(http_server_listen_unix(rig->server, file.ptr), PX_F_CONFIG);
    rig_end(rig);
    CHECK_INT(access(path, F_OK), -1);
}

TEST(a_port_in_use_is_an_answer)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    uint16_t port;
    CHECK_INT(http_server_listen_tcp(rig->server, "127.0.0.1", rig->port, &port), HTTP_PORT_TAKEN);
    CHECK_INT(http_server_listen_tcp(rig->server, "host.example", 0, &port), PX_F_CONFIG);
    rig_end(rig);
}

static void on_drained(void *ctx) { ((struct rig *)ctx)->drained = true; }

TEST(draining_answers_what_runs_and_takes_nothing_new)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    int busy = dial(rig), idle = dial(rig);
    say(rig, idle, S("GET /a HTTP/1.1\r\n" HOST "\r\n"));
    (void)hear(t, rig, idle, "/a");
    say(rig, busy, S("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    turn(rig, 3);
    http_server_drain(rig->server, on_drained, rig);
    turn(rig, 5);
    CHECK(!rig->drained);
    CHECK_INT(hear(t, rig, idle, NULL).len, 0); /* closed */
    http_reply(PX_TAKE(rig->held), 200, NULL, 0, S("last"));
    struct px_str answer = hear(t, rig, busy, NULL);
    CHECK(has(answer, "Connection: close") && has(answer, "last"));
    turn(rig, 5);
    CHECK(rig->drained);
    px_close(&busy);
    px_close(&idle);
    rig_end(rig);
}

TEST(draining_without_connections_is_done_at_once)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    http_server_drain(rig->server, on_drained, rig);
    turn(rig, 3);
    CHECK(rig->drained);
    rig_end(rig);
}

TEST(freeing_leaves_a_held_request_answerable)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    int fd = dial(rig);
    say(rig, fd, S("POST /hold HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi"));
    turn(rig, 3);
    rig_end(rig); /* frees the server, then answers */
    px_close(&fd);
}

TEST(hundreds_of_connections_are_served)
{
    struct rig *rig = rig_new(t, (struct http_server_options){0});
    static int fds[400]; /* of a process that may have 1024 descriptors, both ends */
    for (size_t i = 0; i < PX_COUNT(fds); i++) fds[i] = dial(rig);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < PX_COUNT(fds); i++)
            say(rig, fds[i], S("GET /r HTTP/1.1\r\n" HOST "\r\n"));
        for (size_t i = 0; i < PX_COUNT(fds); i++) {
            char answer[512] = "";
            for (int k = 0; k < 2000 && !strstr(answer, "/r"); k++) {
                if (recv(fds[i], answer, sizeof answer - 1, 0) <= 0) turn(rig, 1);
            }
            CHECK(strstr(answer, "/r") != NULL);
        }
    }
    CHECK_INT(rig->requests, 3 * PX_COUNT(fds));
    for (size_t i = 0; i < PX_COUNT(fds); i++) px_close(&fds[i]);
    rig_end(rig);
}

TEST_MAIN
