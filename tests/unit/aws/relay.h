/* tests/unit/aws/relay.h - a port that hands everything on to another, and counts the bytes that come back. */
#pragma once

#include "support/support.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#define RELAY_CONNECTIONS_MAX 256
struct relay {
    int listener;
    uint16_t port, to_port; /* both on loopback */
    pthread_t acceptor, threads[RELAY_CONNECTIONS_MAX];
    unsigned connections;
    _Atomic bool stop;
    _Atomic uint64_t bytes;    /* that came back */
    _Atomic uint64_t requests; /* that were sent, as far as one begins a packet */
};
struct relay_connection {
    struct relay *relay;
    int fd;
};

static bool relay_write(int fd, const char *bytes, ssize_t n)
{
    while (n > 0) {
        ssize_t done = send(fd, bytes, (size_t)n, MSG_NOSIGNAL);
        if (done <= 0) return false;
        bytes += done;
        n -= done;
    }
    return true;
}

static void relay_pump(struct relay *relay, int client, int server)
{
    static _Thread_local char chunk[65536];
    struct pollfd both[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    while (!relay->stop) {
        if (poll(both, 2, 100) < 0) return;
        for (int i = 0; i < 2; i++) {
            if (!(both[i].revents & (POLLIN | POLLHUP | POLLERR))) continue;
            ssize_t n = recv(both[i].fd, chunk, sizeof chunk,
                             0); /* not read(2), which the process counts */
            if (n <= 0) return;
            if (i == 0 && (chunk[0] == 'G' || chunk[0] == 'H' || chunk[0] == 'P'))
                relay->requests++;
            if (i == 1) relay->bytes += (uint64_t)n;
            if (!relay_write(both[!i].fd, chunk, n)) return;
        }
    }
}

static void *relay_connection_run(void *ctx)
{
    struct relay_connection connection = *(struct relay_connection *)ctx;
    free(ctx);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(connection.relay->to_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(server, (struct sockaddr *)&to, sizeof to) == 0)
        relay_pump(connection.relay, connection.fd, server);
    (void)close(server);
    (void)close(connection.fd);
    return NULL;
}

static void *relay_accept(void *ctx)
{
    struct relay *relay = ctx;
    for (;;) {
        int fd = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) return NULL; /* shut down by relay_stop() */
        struct relay_connection *connection = malloc(sizeof *connection);
        PX_ASSERT(connection && relay->connections < RELAY_CONNECTIONS_MAX);
        *connection = (struct relay_connection){relay, fd};
        PX_ASSERT(pthread_create(&relay->threads[relay->connections], NULL, relay_connection_run,
                                 connection) == 0);
        relay->connections++;
    }
}

static void relay_start(struct relay *relay, uint16_t to_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_bytes = sizeof at;
    memset(relay, 0, sizeof *relay);
    relay->to_port = to_port;
    relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(relay->listener, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_INT(listen(relay->listener, 64), 0);
    CHECK_INT(getsockname(relay->listener, (struct sockaddr *)&at, &at_bytes), 0);
    relay->port = ntohs(at.sin_port);
    CHECK_INT(pthread_create(&relay->acceptor, NULL, relay_accept, relay), 0);
}
/* The client must be gone. */
static void relay_stop(struct relay *relay)
{
    relay->stop = true;
    (void)shutdown(relay->listener, SHUT_RDWR);
    CHECK_INT(pthread_join(relay->acceptor, NULL), 0);
    (void)close(relay->listener);
    for (unsigned i = 0; i < relay->connections; i++)
        CHECK_INT(pthread_join(relay->threads[i], NULL), 0);
}
