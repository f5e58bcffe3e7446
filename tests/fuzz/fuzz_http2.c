/* Frames of HTTP/2 to the server's session. Whatever they are, nobody's request stays with the handler, the connection ends when the
 * peer has closed its side, bodies and answers that were charged are given back, and what comes out is frames.
 *
 *   byte 0   where the frames are cut in two, in units of 4 bytes, so that resuming is tried everywhere
 *   byte 1   bit 0: without the preface and the settings that begin a session; bit 1: the handler answers a turn later;
 *            bit 2: in pieces; bit 3: with 128 KiB; bit 4: nothing is read until all is said
 *   from 2   frames */
// link: px_http
#include "http/connection.h"
#include "http/http2.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/px_file.h"

#define LATE_MAX 512
#define LARGE_BYTES (128u * 1024u)

static const char beginning[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

static struct {
    uv_loop_t loop;
    struct http_server *server;
    char dir[32], path[48];
    char large[LARGE_BYTES];
    struct http_request *late[LATE_MAX];
    size_t late_count, open;
    uint8_t mode;
} rig;

static void reply(struct http_request *request)
{
    struct http_header header = {S("X-Path"), request->path};
    struct px_str body = rig.mode & 8 ? px_str(rig.large, LARGE_BYTES) : request->body;
    rig.open--;
    if (!(rig.mode & 4)) {
        http_reply(request, 200, &header, 1, body);
        return;
    }
    http_reply_begin(request, 200, &header, 1, NULL, NULL);
    (void)http_reply_piece(request, body);
    (void)http_reply_piece(request, S("."));
    http_reply_end(request, request->path.len % 2 == 0);
}

static void check(const struct http_request *request)
{
    PX_ASSERT(request->method_name.len > 0 && request->path.len > 0);
    for (size_t i = 0; i < request->header_count; i++) {
        PX_ASSERT(http_header_is_safe(&request->headers[i]));
        PX_ASSERT(request->headers[i].name.len > 0 && request->headers[i].name.ptr[0] != ':');
    }
    for (size_t i = 0; i < HTTP_BODY_PADDING && request->body.len > 0; i++)
        PX_ASSERT(request->body.ptr[request->body.len + i] == 0);
}

static void on_request(void *ctx, struct http_request *request)
{
    (void)ctx;
    check(request);
    if (!request->user) rig.open++;
    request->user = &rig;
    if (rig.mode & 2 && rig.late_count < LATE_MAX)
        rig.late[rig.late_count++] = request;
    else
        reply(request);
}

static bool on_head(void *ctx, struct http_request *request)
{
    (void)ctx;
    if (!px_str_starts(request->path, S("/s"))) return false;
    request->user = &rig;
    rig.open++;
    return true;
}

static void on_piece(void *ctx, struct http_request *request, struct px_str piece)
{
    (void)ctx;
    PX_ASSERT(request->user == &rig && (piece.len == 0 || piece.ptr));
    if (piece.len % 7 == 3) http_request_pause(request, true), http_request_pause(request, false);
}

static bool is_late(const struct http_request *request)
{
    for (size_t i = 0; i < rig.late_count; i++)
        if (rig.late[i] == request) return true;
    return false;
}

static void on_gone(void *ctx, struct http_request *request)
{
    (void)ctx;
    if (request->user && !is_late(request)) reply(request); /* streamed, and its end never came */
}

static void answer_late(void)
{
    while (rig.late_count > 0) reply(rig.late[--rig.late_count]);
}

static void stop(void)
{
    http_server_free(&rig.server);
    (void)uv_run(&rig.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&rig.loop);
    if (px_dir_remove(rig.dir) != 0) abort();
}

static void start(void)
{
    memcpy(rig.dir, "/tmp/prism-fuzz-XXXXXX", 23);
    memset(rig.large, 'x', sizeof rig.large);
    PX_ASSERT(mkdtemp(rig.dir) && uv_loop_init(&rig.loop) == 0);
    (void)snprintf(rig.path, sizeof rig.path, "%s/http.sock", rig.dir);
    const struct http_server_options options = {.body_bytes_max = 65536,
                                                .buffered_bytes_max = 1u << 20,
                                                .on_request = on_request,
                                                .on_head = on_head,
                                                .on_piece = on_piece,
                                                .on_gone = on_gone};
    PX_ASSERT(http_server_new(&rig.loop, &options, &rig.server) == 0);
    http_server_offer_http2(rig.server);
    PX_ASSERT(http_server_listen_unix(rig.server, rig.path) == 0);
    (void)atexit(stop);
}

static int dial(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, rig.path, strlen(rig.path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    PX_ASSERT(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
    return fd;
}

/* What came out, read frame by frame. */
struct ear {
    uint8_t head[9];
    size_t filled, left; /* of this frame's head; of its payload */
    bool other;          /* the answer is of HTTP/1.1: there was no preface */
    size_t seen;
};

static void listen_to(struct ear *ear, const uint8_t *bytes, size_t count)
{
    if (ear->seen == 0 && count > 0) ear->other = bytes[0] == 'H';
    ear->seen += count;
    while (count > 0 && !ear->other) {
        if (ear->left > 0) {
            size_t n = PX_MIN(ear->left, count);
            ear->left -= n, bytes += n, count -= n;
            continue;
        }
        ear->head[ear->filled++] = *bytes++;
        count--;
        if (ear->filled < sizeof ear->head) continue;
        ear->filled = 0;
        ear->left = (size_t)ear->head[0] << 16 | (size_t)ear->head[1] << 8 | ear->head[2];
        PX_ASSERT(ear->left <= 16384 && ear->head[3] <= 9 && ear->head[3] != 5);
    }
}

static void hear(int fd, struct ear *ear)
{
    static uint8_t bytes[65536];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0) listen_to(ear, bytes, (size_t)n);
}

static void turn(int fd, struct ear *ear)
{
    (void)uv_run(&rig.loop, UV_RUN_NOWAIT);
    if (!(rig.mode & 16)) hear(fd, ear);
}

static void say(int fd, const uint8_t *bytes, size_t count, struct ear *ear)
{
    for (int stuck = 0; count > 0 && stuck < 1000;) {
        ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) return; /* refused and closed */
        if (n > 0) bytes += n, count -= (size_t)n;
        stuck = n > 0 ? 0 : stuck + 1; /* who does not read is not read from */
        turn(fd, ear);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!rig.server) start();
    if (size < 3) return 0;
    struct ear ear = {0};
    size_t cut = PX_MIN((size_t)data[0] * 4, size - 2);
    rig.mode = data[1];
    int fd = dial();
    if (!(rig.mode & 1)) say(fd, (const uint8_t *)beginning, sizeof beginning - 1, &ear);
    say(fd, data + 2, cut, &ear);
    answer_late();
    say(fd, data + 2 + cut, size - 2 - cut, &ear);
    turn(fd, &ear);
    answer_late();
    rig.mode &= (uint8_t)~16u;
    (void)shutdown(fd, SHUT_WR);
    for (int turns = 0; turns < 100 || http_server_connections(rig.server) > 0; turns++) {
        PX_ASSERT(turns < 100000);
        turn(fd, &ear);
        answer_late();
        if (http_server_connections(rig.server) == 0) break;
    }
    (void)uv_run(&rig.loop, UV_RUN_NOWAIT);
    answer_late();
    PX_ASSERT(rig.open == 0);
    PX_ASSERT(rig.server->body_bytes == 0 && rig.server->queued_bytes == 0);
    PX_ASSERT(rig.server->connections_in_memory == 0);
    px_close(&fd);
    return 0;
}
