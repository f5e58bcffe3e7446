/* Arbitrary bytes to the server. Whatever comes back is a sequence of HTTP answers, the connection ends
 * when the peer has closed its side, and no request is left with the handler. The first byte of the
 * input says where the bytes are cut in two, so that resuming is tried everywhere. */
// link: px_http
#include "http/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/px_file.h"

static struct {
    uv_loop_t loop;
    struct http_server *server;
    char dir[32], path[48];
    size_t open; /* requests that the handler has */
    size_t piece_bytes;
} rig;

static void reply(struct http_request *request)
{
    struct http_header header = {S("X-Path"), request->path};
    for (size_t i = 0; i < HTTP_BODY_PADDING && request->body.len > 0; i++)
        PX_ASSERT(request->body.ptr[request->body.len + i] == 0);
    if (!px_str_eq(request->query, S("pieces"))) {
        http_reply(request, 200, &header, 1, request->body);
        return;
    }
    http_reply_begin(request, 200, &header, 1, NULL, NULL);
    (void)http_reply_piece(request, request->body);
    http_reply_end(request, true);
}

static void on_request(void *ctx, struct http_request *request)
{
    (void)ctx;
    if (request->user) rig.open--;
    for (size_t i = 0; i < request->header_count; i++)
        PX_ASSERT(http_header_is_safe(&request->headers[i]));
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
    (void)ctx, (void)request;
    rig.piece_bytes += piece.len;
}

static void on_gone(void *ctx, struct http_request *request)
{
    (void)ctx;
    if (!request->user) return; /* answered at once, so only a streamed one can be open */
    rig.open--;
    http_reply(request, 200, NULL, 0, S(""));
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
    PX_ASSERT(mkdtemp(rig.dir) && uv_loop_init(&rig.loop) == 0);
    (void)snprintf(rig.path, sizeof rig.path, "%s/http.sock", rig.dir);
    const struct http_server_options options = {.body_bytes_max = 65536,
                                                .on_request = on_request,
                                                .on_head = on_head,
                                                .on_piece = on_piece,
                                                .on_gone = on_gone};
    PX_ASSERT(http_server_new(&rig.loop, &options, &rig.server) == 0);
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

/* Reads what came; *seen counts, and `head` keeps the beginning. */
static void hear(int fd, char *head, size_t room, size_t *seen)
{
    static char text[65536];
    ssize_t n;
    while ((n = recv(fd, text, sizeof text, 0)) > 0) {
        size_t keep = *seen < room ? PX_MIN((size_t)n, room - *seen) : 0;
        memcpy(head + *seen, text, keep);
        *seen += (size_t)n;
    }
}

static void say(int fd, const uint8_t *bytes, size_t count, char *head, size_t room, size_t *seen)
{
    while (count > 0) {
        ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) return; /* refused and closed */
        if (n > 0) bytes += n, count -= (size_t)n;
        (void)uv_run(&rig.loop, UV_RUN_NOWAIT);
        hear(fd, head, room, seen);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!rig.server) start();
    if (size < 2) return 0;
    char head[16];
    size_t seen = 0, cut = PX_MIN((size_t)data[0], size - 1);
    int fd = dial();
    say(fd, data + 1, cut, head, sizeof head, &seen);
    say(fd, data + 1 + cut, size - 1 - cut, head, sizeof head, &seen);
    (void)shutdown(fd, SHUT_WR);
    for (int turn = 0; turn < 100 || http_server_connections(rig.server) > 0; turn++) {
        PX_ASSERT(turn < 100000);
        (void)uv_run(&rig.loop, UV_RUN_NOWAIT);
        hear(fd, head, sizeof head, &seen);
        if (http_server_connections(rig.server) == 0) break;
    }
    PX_ASSERT(rig.open == 0);
    if (seen >= 9) PX_ASSERT(memcmp(head, "HTTP/1.1 ", 9) == 0);
    px_close(&fd);
    return 0;
}
