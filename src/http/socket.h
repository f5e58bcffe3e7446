/* http/socket.h - blocking sockets with a deadline, for the client. Deadlines are monotonic nanoseconds;
 * 0 means none, and then each call is one system call. Inside http only. */
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include "base/px.h"

struct http_address {
    struct sockaddr_storage at;
    socklen_t bytes;
    char host[128]; /* for the Host field */
};
/* The endpoints of http_client_new(). Faults: PX_F_CONFIG. */
PX_MUST_USE int http_address_parse(struct px_str endpoint, struct http_address *ret_address);

enum http_socket_answer { HTTP_SOCKET_CLOSED = 1, HTTP_SOCKET_INTERRUPTED };

/* Faults: PX_F_UNAVAILABLE when nobody listens there. */
PX_MUST_USE int http_socket_connect(const struct http_address *address, int64_t deadline_ns,
                                    int *ret_fd);
/* All of it; the vector is consumed. Answers: HTTP_SOCKET_CLOSED (by the peer). */
PX_MUST_USE int http_socket_send(int fd, struct iovec *pieces, int count, int64_t deadline_ns);
/* At least one byte. Answers: HTTP_SOCKET_CLOSED. */
PX_MUST_USE int http_socket_receive(int fd, void *into, size_t bytes_max, int64_t deadline_ns,
                                    size_t *ret_bytes);
/* Until fd can be read. Answers: HTTP_SOCKET_INTERRUPTED: other_fd can, whether or not fd can too. */
PX_MUST_USE int http_socket_wait(int fd, int other_fd, int64_t deadline_ns);
