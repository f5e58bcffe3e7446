/* The client against a scripted peer: a thread that accepts connections and says what the test wrote. */
#include "support/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "http/client.h"

struct turn {
    bool accept;      /* a new connection first */
    const char *wait; /* read until this came; NULL: do not read */
    struct px_str say;
    bool close;
};
struct peer {
    int listener;
    uint16_t port;
    const struct turn *turns;
    size_t turn_count;
    pthread_t thread;
    char heard[1 << 16];
    size_t heard_bytes;
};

static void hear(struct peer *peer, int fd, const char *wait)
{
    size_t from = peer->heard_bytes;
    while (!strstr(peer->heard + from, wait)) {
        ssize_t n = read(fd, peer->heard + peer->heard_bytes,
                         sizeof peer->heard - 1 - peer->heard_bytes);
        if (n <= 0) return;
        peer->heard_bytes += (size_t)n;
    }
}

static void *peer_main(void *arg)
{
    struct peer *peer = arg;
    int fd = -1;
    for (size_t i = 0; i < peer->turn_count; i++) {
        const struct turn *turn = &peer->turns[i];
        if (turn->accept) {
            px_close(&fd);
            fd = accept(peer->listener, NULL, NULL);
        }
        if (turn->wait) hear(peer, fd, turn->wait);
        size_t done = 0;
        while (done < turn->say.len) {
            ssize_t n = send(fd, turn->say.ptr + done, turn->say.len - done, MSG_NOSIGNAL);
            if (n <= 0) break;
            done += (size_t)n;
        }
        if (turn->close) px_close(&fd);
    }
    px_close(&fd);
    return NULL;
}

static struct peer *peer_new(struct test *t, const struct turn *turns, size_t count)
{
    struct peer *peer = px_arena_new(&t->arena, struct peer);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof at;
    peer->listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(bind(peer->listener, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_INT(listen(peer->listener, 8), 0);
    CHECK_INT(getsockname(peer->listener, (struct sockaddr *)&at, &bytes), 0);
    peer->port = ntohs(at.sin_port);
    peer->turns = turns;
    peer->turn_count = count;
    CHECK_INT(pthread_create(&peer->thread, NULL, peer_main, peer), 0);
    return peer;
}

static void peer_end(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    px_close(&peer->listener);
}

static struct http_client *client_for(struct test *t, uint16_t port, int timeout_ms)
{
    struct http_client *client;
    CHECK_OK(
        http_client_new(px_arena_printf(&t->arena, "127.0.0.1:%u", port), timeout_ms, &client));
    return client;
}

static const struct http_call get = {.method = "GET", .path = {"/x", 2}};

static int call(struct http_client *client, const struct http_call *what,
                struct http_response *response)
{
    return http_client_call(client, what, 1 << 20, NULL, NULL, response);
}

/* One call to a peer that accepts, reads a head and says `answer`, then closes. */
static int ask(struct test *t, struct px_str answer, struct http_client **ret_client,
               struct http_response *response)
{
    struct turn *turn = px_arena_new(&t->arena, struct turn);
    *turn = (struct turn){true, "\r\n\r\n", answer, true};
    struct peer *peer = peer_new(t, turn, 1);
    *ret_client = client_for(t, peer->port, 5000);
    int r = call(*ret_client, &get, response);
    peer_end(peer);
    return r;
}

TEST(reads_status_headers_and_body_and_keeps_the_connection)
{
    const struct turn turns[] = {
        {true, "\r\n\r\n",
         S("HTTP/1.1 200 OK\r\nX-One:  first \r\nx-two:\r\nContent-Length: 5\r\n\r\nhello"), false},
        {false, "\r\n\r\nbody", S("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), true},
    };
    struct peer *peer = peer_new(t, turns, PX_COUNT(turns));
    struct http_client *client = client_for(t, peer->port, 5000);
    struct http_response response;
    CHECK_OK(call(client, &get, &response));
    CHECK_INT(response.status, 200);
    CHECK_INT(response.header_count, 3);
    CHECK_STR(http_response_header(&response, S("x-ONE")), S("first"));
    CHECK_STR(http_response_header(&response, S("X-Two")), S(""));
    CHECK_STR(response.body, S("hello"));
    struct http_header header = {S("X-Mine"), S("yes")};
    struct http_call post = {"POST", S("/p?q=1"), &header, 1, S("body")};
    CHECK_OK(call(client, &post, &response));
    CHECK_INT(response.status, 404);
    peer_end(peer);
    CHECK(strstr(peer->heard, "POST /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
    CHECK(strstr(peer->heard, "\r\nX-Mine: yes\r\nContent-Length: 4\r\n\r\nbody"));
    http_client_free(&client);
}

TEST(bodies_come_by_length_by_chunks_and_by_end_of_stream)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n012\r\n7;x=y\r\n3456789\r\n0\r\nX-T: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n0123456789",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
    };
    for (size_t i = 0; i < PX_COUNT(answers); i++) {
        struct http_client *client;
        struct http_response response;
        CHECK_OK(ask(t, px_str_c(answers[i]), &client, &response));
        CHECK_INT(response.status, 200);
        CHECK_STR(response.body, S("0123456789"));
        for (size_t k = 0; k < HTTP_BODY_PADDING; k++) CHECK_INT(response.body.ptr[10 + k], 0);
        http_client_free(&client);
    }
}

TEST(a_body_of_many_reads_arrives_whole)
{
    size_t bytes = 900000;
    char *body = px_arena_alloc(&t->arena, bytes + 1);
    for (size_t i = 0; i < bytes; i++) body[i] = (char)('a' + i % 23);
    body[bytes] = '\0';
    struct px_str forms[] = {
        px_arena_printf(&t->arena, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", bytes, body),
        px_arena_printf(
            &t->arena,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n", bytes,
            body),
    };
    for (size_t i = 0; i < PX_COUNT(forms); i++) {
        struct http_client *client;
        struct http_response response;
        CHECK_OK(ask(t, forms[i], &client, &response));
        CHECK(px_str_eq(response.body, px_str(body, bytes)));
        http_client_free(&client);
    }
}

TEST(a_broken_answer_is_a_protocol_fault)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n012",
        "HTTP/1.1 200 OK\r\nContent-Len",
        "SSH-2.0-OpenSSH_9.2p1\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    };
    for (size_t i = 0; i < PX_COUNT(answers); i++) {
        struct http_client *client;
        struct http_response response;
        CHECK_INT(ask(t, px_str_c(answers[i]), &client, &response), PX_F_PROTOCOL);
        http_client_free(&client);
    }
}

TEST(a_head_or_body_over_its_ceiling_is_refused)
{
    char *filler = px_arena_zalloc(&t->arena, 60001);
    memset(filler, 'a', 60000);
    struct http_client *client;
    struct http_response response;
    struct px_str head = px_arena_printf(&t->arena, "HTTP/1.1 200 OK\r\nX: %s\r\n\r\n", filler);
    CHECK_INT(ask(t, head, &client, &response), PX_F_PROTOCOL);
    http_client_free(&client);
    CHECK_INT(ask(t, S("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n"), &client, &response),
              PX_F_LIMIT);
    http_client_free(&client);
    CHECK_INT(ask(t, S("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"), &client,
                  &response),
              PX_F_PROTOCOL);
    http_client_free(&client);
}

TEST(a_kept_connection_that_was_closed_is_opened_again)
{
    const struct turn turns[] = {
        {true, "\r\n\r\n", S("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"), true},
        {true, "\r\n\r\n", S("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"), true},
    };
    struct peer *peer = peer_new(t, turns, PX_COUNT(turns));
    struct http_client *client = client_for(t, peer->port, 5000);
    struct http_response response;
    CHECK_OK(call(client, &get, &response));
    CHECK_STR(response.body, S("1"));
    CHECK_OK(call(client, &get, &response));
    CHECK_STR(response.body, S("2"));
    peer_end(peer);
    CHECK_INT(call(client, &get, &response), PX_F_UNAVAILABLE); /* nobody listens any more */
    http_client_free(&client);
}

TEST(a_silent_peer_runs_into_the_timeout)
{
    const struct turn turns[] = {{true, "never said", S(""), true}};
    struct peer *peer = peer_new(t, turns, 1);
    struct http_client *client = client_for(t, peer->port, 60);
    struct http_response response;
    int64_t begin_ns = px_mono_ns(&px_clock_system);
    CHECK_INT(call(client, &get, &response), PX_F_TIMEOUT);
    int64_t took_ms = (px_mono_ns(&px_clock_system) - begin_ns) / PX_NS_PER_MS;
    CHECK(took_ms >= 50);
    peer_end(peer);
    http_client_free(&client);
}

TEST(an_interrupt_ends_the_wait)
{
    const struct turn turns[] = {{true, "never said", S(""), true}};
    struct peer *peer = peer_new(t, turns, 1);
    struct http_client *client = client_for(t, peer->port, 0);
    struct http_response response;
    int fd = eventfd(1, EFD_CLOEXEC);
    http_client_interrupt_fd(client, fd);
    CHECK_INT(call(client, &get, &response), HTTP_CLIENT_INTERRUPTED);
    peer_end(peer);
    px_close(&fd);
    http_client_free(&client);
}

struct pauses {
    int count, interrupt_fd;
    struct http_client *client;
};
/* Twice; the second time the wait is ended. */
static uint32_t in_pause(void *ctx)
{
    struct pauses *pauses = ctx;
    uint64_t one = 1;
    if (++pauses->count == 2) CHECK_INT(write(pauses->interrupt_fd, &one, sizeof one), 8);
    return 1;
}

TEST(a_wait_has_pauses_and_goes_on)
{
    const struct turn turns[] = {
        {true, "\r\n\r\n", S(""), false}, /* and says nothing */
        {false, "never said", S(""), true},
        {true, "\r\n\r\n", S("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), true},
    };
    struct peer *peer = peer_new(t, turns, PX_COUNT(turns));
    struct http_client *client = client_for(t, peer->port, 0);
    struct http_response response;
    struct pauses pauses = {.interrupt_fd = eventfd(0, EFD_CLOEXEC), .client = client};
    http_client_interrupt_fd(client, pauses.interrupt_fd);
    http_client_pause(client, (struct http_client_pause){1, in_pause, &pauses});
    CHECK_INT(call(client, &get, &response), HTTP_CLIENT_INTERRUPTED);
    CHECK_INT(pauses.count, 2);
    http_client_interrupt_fd(client, -1); /* no pauses then, either */
    CHECK_OK(call(client, &get, &response));
    CHECK_STR(response.body, S("hi"));
    CHECK_INT(pauses.count, 2);
    peer_end(peer);
    px_close(&pauses.interrupt_fd);
    http_client_free(&client);
}

static int count_bytes(void *ctx, struct px_str piece)
{
    *(size_t *)ctx += piece.len;
    return *(size_t *)ctx > 5 ? 77 : 0;
}

static const struct http_call posted = {.method = "POST", .path = {"/p", 2}, .body = {"b", 1}};

TEST(the_answer_of_a_call_ahead_comes_with_the_next_calls)
{
    const struct turn turns[] = {
        {true, "\r\n\r\nbGET /x", /* both at once, the second in the middle of the head */
         S("HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nyesHTTP/1.1 200 OK\r\nX-O"), false},
        {false, NULL, S("ne: 1\r\nContent-Length: 5\r\n\r\nhello"), false},
        {false, "\r\n\r\nbGET /x",
         S("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n"
           "\r\nwhol"),
         false},
        {false, "GET /x", S("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"), true},
    };
    struct peer *peer = peer_new(t, turns, PX_COUNT(turns));
    struct http_client *client = client_for(t, peer->port, 5000);
    struct http_response response;
    int never = eventfd(1, EFD_CLOEXEC); /* what has come already is not interrupted */
    CHECK_OK(http_client_ahead(client, &posted));
    CHECK_INT(http_client_ahead_status(client), 0);
    CHECK_OK(call(client, &get, &response));
    CHECK_INT(http_client_ahead_status(client), 202);
    CHECK_INT(response.status, 200);
    CHECK_INT(response.header_count, 2);
    CHECK_STR(http_response_header(&response, S("X-One")), S("1"));
    CHECK_STR(response.body, S("hello"));
    CHECK_OK(http_client_ahead(client, &posted));
    http_client_interrupt_fd(client, never);
    CHECK_OK(call(client, &get, &response));
    http_client_interrupt_fd(client, -1);
    CHECK_INT(http_client_ahead_status(client), 400);
    CHECK_STR(response.body, S("whol"));
    CHECK_OK(call(client, &get, &response));
    CHECK_INT(http_client_ahead_status(client), 0);
    CHECK_STR(response.body, S("1"));
    peer_end(peer);
    px_close(&never);
    http_client_free(&client);
}

TEST(a_call_ahead_is_received_before_an_interrupt_is_looked_at)
{
    const struct turn turns[] = {
        {true, "\r\n\r\nbGET /x", S("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"), false},
        {false, "never said", S(""), true},
    };
    struct peer *peer = peer_new(t, turns, PX_COUNT(turns));
    struct http_client *client = client_for(t, peer->port, 0);
    struct http_response response;
    int fd = eventfd(1, EFD_CLOEXEC);
    http_client_interrupt_fd(client, fd);
    CHECK_OK(http_client_ahead(client, &posted));
    CHECK_INT(call(client, &get, &response), HTTP_CLIENT_INTERRUPTED);
    CHECK_INT(http_client_ahead_status(client), 202);
    peer_end(peer);
    px_close(&fd);
    http_client_free(&client);
}

TEST(a_call_behind_one_whose_answer_never_came_is_not_sent_again)
{
    const struct turn turns[] = {
        {true, "\r\n\r\nbGET /x", S(""), true}, /* neither is answered */
        {true, "\r\n\r\nbGET /x",               /* the first is the last of its connection */
         S("HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), true},
        {true, "GET /x", S("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), true},
    };
    struct peer *peer = peer_new(t, turns, PX_COUNT(turns));
    struct http_client *client = client_for(t, peer->port, 5000);
    struct http_response response;
    CHECK_OK(http_client_ahead(client, &posted));
    CHECK_INT(call(client, &get, &response), PX_F_UNAVAILABLE);
    CHECK_INT(http_client_ahead_status(client), 0);
    CHECK_OK(http_client_ahead(client, &posted));
    CHECK_OK(call(client, &get, &response));
    CHECK_INT(http_client_ahead_status(client), 202);
    CHECK_STR(response.body, S("hi"));
    peer_end(peer);
    http_client_free(&client);
}

TEST(a_socket_that_is_given_serves_until_it_is_lost)
{
    const struct turn turns[] = {
        {true, "\r\n\r\n", S("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndial"), true},
    };
    struct peer *peer = peer_new(t, turns, PX_COUNT(turns));
    struct http_client *client = client_for(t, peer->port, 5000);
    struct http_response response;
    int ends[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct px_str said = S("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ngiven");
    CHECK_INT(write(ends[1], said.ptr, said.len), (ssize_t)said.len);
    http_client_adopt(client, &ends[0]);
    CHECK_INT(ends[0], -1);
    CHECK_OK(call(client, &get, &response));
    CHECK_STR(response.body, S("given"));
    px_close(&ends[1]);
    CHECK_OK(call(client, &get, &response));
    CHECK_STR(response.body, S("dial"));
    peer_end(peer);
    http_client_free(&client);
}

TEST(a_body_callback_sees_pieces_and_can_stop)
{
    const struct turn turns[] = {
        {true, "\r\n\r\n",
         S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), false},
        {false, "\r\n\r\n", S("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!"), true},
    };
    struct peer *peer = peer_new(t, turns, PX_COUNT(turns));
    struct http_client *client = client_for(t, peer->port, 5000);
    struct http_response response;
    size_t bytes = 0;
    CHECK_OK(http_client_call(client, &get, 100, count_bytes, &bytes, &response));
    CHECK_INT(bytes, 5);
    bytes = 0;
    CHECK_INT(http_client_call(client, &get, 100, count_bytes, &bytes, &response), 77);
    peer_end(peer);
    http_client_free(&client);
}

TEST(a_request_in_pieces_is_chunked_and_ends_with_trailers)
{
    const struct turn turns[] = {{true, "0\r\nX-End: why\r\n\r\n",
                                  S("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"), true}};
    struct peer *peer = peer_new(t, turns, 1);
    struct http_client *client = client_for(t, peer->port, 5000);
    struct http_call post = {.method = "POST", .path = S("/s")};
    CHECK_OK(http_client_begin(client, &post));
    CHECK_OK(http_client_piece(client, S("")));
    CHECK_OK(http_client_piece(client, S("abc")));
    CHECK_OK(http_client_piece(client, S("0123456789abcdefg")));
    struct http_header trailer = {S("X-End"), S("why")};
    struct http_response response;
    CHECK_OK(http_client_end(client, &trailer, 1, 100, &response));
    CHECK_INT(response.status, 202);
    peer_end(peer);
    CHECK(strstr(
        peer->heard,
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n11\r\n0123456789abcdefg\r\n0\r\nX-End: why"));
    http_client_free(&client);
}

TEST(held_pieces_go_with_the_last_one_and_end_the_body)
{
    const struct turn turns[] = {
        {true, "0\r\n\r\n", S("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"), false},
        {false, "0\r\n\r\n", S("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"), true}};
    struct peer *peer = peer_new(t, turns, 2);
    struct http_client *client = client_for(t, peer->port, 5000);
    struct http_call post = {.method = "POST", .path = S("/s")};
    struct http_response response;
    static const struct px_str bodies[] = {{"body", 4}, {"", 0}};
    for (size_t i = 0; i < PX_COUNT(bodies); i++) {
        CHECK_OK(http_client_begin(client, &post));
        CHECK_OK(http_client_hold_piece(client, S("head")));
        CHECK_OK(http_client_hold_piece(client, S("")));
        CHECK_OK(http_client_last_piece(client, bodies[i]));
        CHECK_OK(http_client_end(client, NULL, 0, 100, &response));
        CHECK_INT(response.status, 202);
    }
    peer_end(peer);
    CHECK(strstr(peer->heard, "chunked\r\n\r\n4\r\nhead\r\n4\r\nbody\r\n0\r\n\r\nPOST"));
    CHECK(strstr(peer->heard, "chunked\r\n\r\n4\r\nhead\r\n0\r\n\r\n"));
    http_client_free(&client);
}

TEST(nothing_that_would_forge_a_request_is_sent)
{
    struct http_client *client;
    struct http_response response;
    CHECK_OK(http_client_new(S("127.0.0.1:1"), 0, &client));
    struct http_call bad_path = {.method = "GET", .path = S("/a HTTP/1.1\r\nX: y")};
    CHECK_INT(call(client, &bad_path, &response), PX_F_CONFIG);
    struct http_header bad = {S("X"), S("a\r\nY: b")};
    struct http_call bad_header = {
        .method = "GET", .path = S("/"), .headers = &bad, .header_count = 1};
    CHECK_INT(call(client, &bad_header, &response), PX_F_CONFIG);
    http_client_free(&client);
}

TEST(endpoints_are_addresses_localhost_and_socket_paths)
{
    static const char *const fine[] = {"127.0.0.1:9001", "localhost:80", "http://[::1]:8080/",
                                       "http://127.0.0.1", "unix:/tmp/x.sock"};
    static const char *const wrong[] = {"",
                                        ":80",
                                        "host.example:80",
                                        "127.0.0.1:0",
                                        "127.0.0.1:65536",
                                        "127.0.0.1:x",
                                        "unix:",
                                        "https://127.0.0.1"};
    struct http_client *client;
    for (size_t i = 0; i < PX_COUNT(fine); i++) {
        CHECK_OK(http_client_new(px_str_c(fine[i]), 0, &client));
        http_client_free(&client);
    }
    for (size_t i = 0; i < PX_COUNT(wrong); i++)
        CHECK_INT(http_client_new(px_str_c(wrong[i]), 0, &client), PX_F_CONFIG);
}

TEST_MAIN
