/* http/socket.c - blocking sockets with a deadline.
 *
 * Without a deadline calls simply block. With one, a call is tried without waiting first and poll(2)
 * waits for what is left, so a deadline costs nothing while the peer is quick. */
#include "http/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/px_clock.h"

/* ---- addresses ---- */

static int parse_unix(struct px_str path, struct http_address *ret_address)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&ret_address->at;
    if (path.len == 0 || path.len >= sizeof un->sun_path)
        return px_fault(PX_F_CONFIG, "socket path of %zu bytes: must be 1 to %zu", path.len,
                        sizeof un->sun_path - 1);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.ptr, path.len);
    ret_address->bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    memcpy(ret_address->host, "localhost", sizeof "localhost");
    return 0;
}

static bool parse_host(struct px_str host, uint16_t port, struct http_address *ret_address)
{
    char text[INET6_ADDRSTRLEN];
    if (px_str_eq(host, S("localhost"))) host = S("127.0.0.1");
    if (host.len == 0 || host.len >= sizeof text) return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    struct sockaddr_in *in = (struct sockaddr_in *)&ret_address->at;
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        ret_address->bytes = sizeof *in;
        return true;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ret_address->at;
    if (inet_pton(AF_INET6, text, &in6->sin6_addr) != 1) return false;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    ret_address->bytes = sizeof *in6;
    return true;
}

/* "host:port" or "[v6]:port"; without a port, 80. */
static bool split_port(struct px_str text, struct px_str *ret_host, uint16_t *ret_port)
{
    uint64_t port = 80;
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':' && text.ptr[colon - 1] != ']') colon--;
    if (colon > 0 && text.ptr[colon - 1] == ':') {
        if (!px_str_to_u64(px_str_skip(text, colon), &port) || port == 0 || port > 65535)
            return false;
        text.len = colon - 1;
    }
    if (px_str_starts(text, S("[")) && px_str_ends(text, S("]")))
        text = px_str(text.ptr + 1, text.len - 2);
    *ret_host = text;
    *ret_port = (uint16_t)port;
    return true;
}

int http_address_parse(struct px_str endpoint, struct http_address *ret_address)
{
    struct http_address address = {0};
    if (px_str_starts(endpoint, S("unix:"))) {
        PX_TRY(parse_unix(px_str_skip(endpoint, 5), &address));
        *ret_address = address;
        return 0;
    }
    struct px_str text = endpoint, host;
    if (px_str_starts(text, S("http://"))) text = px_str_skip(text, 7);
    if (px_str_ends(text, S("/"))) text.len--;
    uint16_t port;
    if (text.len >= sizeof address.host || !split_port(text, &host, &port) ||
        !parse_host(host, port, &address))
        return px_fault(PX_F_CONFIG,
                        "endpoint %.*s: want ADDRESS:PORT, localhost:PORT or unix:PATH",
                        PX_FMT(endpoint));
    memcpy(address.host, text.ptr, text.len);
    *ret_address = address;
    return 0;
}

/* ---- input and output ---- */

static int64_t left_ms(int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - px_mono_ns(&px_clock_system);
    return left_ns <= 0 ? 0 : (left_ns + PX_NS_PER_MS - 1) / PX_NS_PER_MS;
}

/* Until one of them is ready; a deadline of 0 is none. */
static int wait_for(struct pollfd *fds, nfds_t count, int64_t deadline_ns)
{
    for (;;) {
        int64_t wait_ms = deadline_ns ? PX_MIN(left_ms(deadline_ns), (int64_t)INT32_MAX) : -1;
        int n = poll(fds, count, (int)wait_ms);
        if (n > 0) return 0;
        if (n < 0 && errno != EINTR) return px_fault_errno("poll");
        if (n == 0 && left_ms(deadline_ns) == 0)
            return px_fault(PX_F_TIMEOUT, "the peer took too long");
    }
}

static int wait_one(int fd, short events, int64_t deadline_ns)
{
    struct pollfd one = {.fd = fd, .events = events};
    return wait_for(&one, 1, deadline_ns);
}

int http_socket_wait(int fd, int other_fd, int64_t deadline_ns)
{
    struct pollfd both[] = {{.fd = fd, .events = POLLIN}, {.fd = other_fd, .events = POLLIN}};
    PX_TRY(wait_for(both, 2, deadline_ns));
    return both[1].revents ? HTTP_SOCKET_INTERRUPTED : 0;
}

static int connect_within(int fd, const struct http_address *address, int64_t deadline_ns)
{
    int64_t wait_ms = deadline_ns ? PX_MAX(left_ms(deadline_ns), INT64_C(1)) : 0;
    struct timeval wait = {wait_ms / 1000, wait_ms % 1000 * 1000}; /* bounds connect(2) too */
    if (wait_ms && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0)
        return px_fault_errno("SO_SNDTIMEO");
    if (connect(fd, (const struct sockaddr *)&address->at, address->bytes) != 0) {
        if (errno == EAGAIN || errno == EINPROGRESS)
            return px_fault(PX_F_TIMEOUT, "connect to %s took too long", address->host);
        if (errno == ENOENT) errno = ECONNREFUSED; /* a socket path that nobody made */
        return px_fault_errno("connect to %s", address->host);
    }
    int on = 1;
    if (address->at.ss_family != AF_UNIX &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        return px_fault_errno("TCP_NODELAY");
    return 0;
}

int http_socket_connect(const struct http_address *address, int64_t deadline_ns, int *ret_fd)
{
    int fd = socket(address->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return px_fault_errno("socket");
    int r = connect_within(fd, address, deadline_ns);
    if (r != 0) {
        px_close(&fd);
        PX_TRY(r);
    }
    *ret_fd = fd;
    return 0;
}

static bool is_closed(int error) { return error == EPIPE || error == ECONNRESET; }

int http_socket_send(int fd, struct iovec *pieces, int count, int64_t deadline_ns)
{
    int flags = MSG_NOSIGNAL | (deadline_ns ? MSG_DONTWAIT : 0);
    while (count > 0) {
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
        ssize_t sent = sendmsg(fd, &message, flags);
        if (sent < 0) {
            if (is_closed(errno)) return HTTP_SOCKET_CLOSED;
            if (errno == EAGAIN && deadline_ns)
                PX_TRY(wait_one(fd, POLLOUT, deadline_ns));
            else if (errno != EINTR)
                return px_fault_errno("send");
            continue;
        }
        size_t done = (size_t)sent;
        for (; count > 0 && done >= pieces->iov_len; pieces++, count--) done -= pieces->iov_len;
        if (count == 0) break;
        pieces->iov_base = (char *)pieces->iov_base + done;
        pieces->iov_len -= done;
    }
    return 0;
}

int http_socket_receive(int fd, void *into, size_t bytes_max, int64_t deadline_ns,
                        size_t *ret_bytes)
{
    for (;;) {
        ssize_t got = recv(fd, into, bytes_max, deadline_ns ? MSG_DONTWAIT : 0);
        if (got > 0) {
            *ret_bytes = (size_t)got;
            return 0;
        }
        if (got == 0 || is_closed(errno)) return HTTP_SOCKET_CLOSED;
        if (errno == EAGAIN && deadline_ns)
            PX_TRY(wait_one(fd, POLLIN, deadline_ns));
        else if (errno != EINTR)
            return px_fault_errno("receive");
    }
}
