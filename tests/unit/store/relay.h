/* tests/unit/store/relay.h - a TCP relay on a loopback port that breaks connections as it is told. It waits for a text from
 * the client, so what passes must not be encrypted. */
#pragma once

#include "support/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define RELAY_PAIRS 16

enum relay_deed {
    RELAY_PASS,
    RELAY_CUT,     /* what the client sent does not arrive, and the connection breaks */
    RELAY_SWALLOW, /* it arrives, its answer does not, and the connection breaks */
    RELAY_HOLD     /* nothing arrives on either side any more */
};
struct relay {
    pthread_t thread;
    int listener, upstream_port;
    uint16_t port;
    struct pollfd fds[1 + 2 * RELAY_PAIRS]; /* the listener, then client and server of each pair */
    bool swallows[RELAY_PAIRS];
    const char *_Atomic trip; /* the text; NULL: none */
    _Atomic int deed, trips;
    _Atomic bool refuses, cuts, ends;
};

static int relay_connect(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    PX_ASSERT(fd >= 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    (void)close(fd);
    return -1;
}

static void relay_drop(struct relay *relay, size_t pair)
{
    for (size_t i = 1 + 2 * pair; i <= 2 + 2 * pair; i++) {
        px_close(&relay->fds[i].fd);
        relay->fds[i].fd = -1;
    }
    relay->swallows[pair] = false;
}

static void relay_accept(struct relay *relay)
{
    int client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
    int server = client >= 0 && !relay->refuses ? relay_connect(relay->upstream_port) : -1;
    for (size_t pair = 0; server >= 0 && pair < RELAY_PAIRS; pair++) {
        if (relay->fds[1 + 2 * pair].fd >= 0) continue;
        relay->fds[1 + 2 * pair] = (struct pollfd){client, POLLIN, 0};
        relay->fds[2 + 2 * pair] = (struct pollfd){server, POLLIN, 0};
        return;
    }
    px_close(&client);
    px_close(&server);
}

/* What becomes of bytes from the client. */
static int relay_judge(struct relay *relay, const char *bytes, size_t n)
{
    const char *trip = relay->trip;
    if (!trip || !memmem(bytes, n, trip, strlen(trip))) return RELAY_PASS;
    relay->trip = NULL;
    relay->trips++;
    return relay->deed;
}

static void relay_move(struct relay *relay, size_t at)
{
    char bytes[65536];
    size_t pair = (at - 1) / 2;
    bool from_client = (at - 1) % 2 == 0;
    ssize_t n = read(relay->fds[at].fd, bytes, sizeof bytes);
    int deed = n > 0 && from_client ? relay_judge(relay, bytes, (size_t)n) : RELAY_PASS;
    if (deed == RELAY_HOLD) {
        relay->fds[1 + 2 * pair].events = relay->fds[2 + 2 * pair].events = 0;
        return;
    }
    bool lost = !from_client && relay->swallows[pair]; /* the answer */
    if (n <= 0 || deed == RELAY_CUT || lost) {
        relay_drop(relay, pair);
        return;
    }
    relay->swallows[pair] = relay->swallows[pair] || deed == RELAY_SWALLOW;
    int to = relay->fds[from_client ? at + 1 : at - 1].fd;
    if (send(to, bytes, (size_t)n, MSG_NOSIGNAL) != n) relay_drop(relay, pair);
}

static void *relay_run(void *ctx)
{
    struct relay *relay = ctx;
    while (!relay->ends) {
        (void)poll(relay->fds, PX_COUNT(relay->fds), 5);
        for (size_t pair = 0; relay->cuts && pair < RELAY_PAIRS; pair++) relay_drop(relay, pair);
        relay->cuts = false;
        if (relay->fds[0].revents & POLLIN) relay_accept(relay);
        for (size_t i = 1; i < PX_COUNT(relay->fds); i++)
            if (relay->fds[i].fd >= 0 && (relay->fds[i].revents & (POLLIN | POLLHUP)))
                relay_move(relay, i);
        for (size_t i = 0; i < PX_COUNT(relay->fds); i++) relay->fds[i].revents = 0;
    }
    for (size_t pair = 0; pair < RELAY_PAIRS; pair++) relay_drop(relay, pair);
    return NULL;
}

static void relay_start(struct relay *relay, int upstream_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    *relay = (struct relay){.upstream_port = upstream_port};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(relay->listener >= 0 && bind(relay->listener, (struct sockaddr *)&at, sizeof at) == 0);
    CHECK(listen(relay->listener, 16) == 0);
    CHECK(getsockname(relay->listener, (struct sockaddr *)&at, &len) == 0);
    relay->port = ntohs(at.sin_port);
    for (size_t i = 0; i < PX_COUNT(relay->fds); i++) relay->fds[i] = (struct pollfd){-1, 0, 0};
    relay->fds[0] = (struct pollfd){relay->listener, POLLIN, 0};
    CHECK(pthread_create(&relay->thread, NULL, relay_run, relay) == 0);
}

static void relay_stop(struct relay *relay)
{
    relay->ends = true;
    (void)pthread_join(relay->thread, NULL);
    (void)close(relay->listener);
}

/* The next time that the client sends `text`. */
static __attribute__((unused)) void relay_arm(struct relay *relay, const char *text,
                                              enum relay_deed deed)
{
    relay->deed = deed;
    relay->trip = text;
}

/* All connections that there are break now. */
static __attribute__((unused)) void relay_cut(struct relay *relay)
{
    relay->cuts = true;
    while (relay->cuts) (void)usleep(1000);
}
