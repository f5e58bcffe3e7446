/* tests/unit/aws/fake.h - a service that answers as told, in a thread: whole, half, late, or not at all.
 * It answers one request at a time and keeps connections until the client, or a step, closes them. */
#pragma once

#include "support/support.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FAKE_CONNECTIONS_MAX 64

enum fake_kind {
    FAKE_ANSWER,
    FAKE_HALF,  /* the head and half of the body, then the end */
    FAKE_RESET, /* a reset instead of an answer */
    FAKE_SILENT /* nothing, until the client goes */
};
struct fake_step {
    enum fake_kind kind;
    int status;
    const char *headers; /* "Name: value\r\n", or NULL */
    const char *body;    /* $ID becomes the "put_id" of the request */
};
#define FAKE_OK(text)                                                                              \
    {                                                                                              \
        .kind = FAKE_ANSWER, .status = 200, .body = (text)                                         \
    }
#define FAKE_ERROR(code, name)                                                                     \
    {                                                                                              \
        .kind = FAKE_ANSWER, .status = (code), .body = "{\"__type\":\"com.amazonaws#" name "\"}"   \
    }

struct fake {
    int listener;
    uint16_t port;
    pthread_t thread;
    const struct fake_step *steps; /* the last one repeats */
    size_t step_count;
    /* to look at after fake_stop(), or between calls */
    _Atomic unsigned requests, connections;
    char request[8192]; /* the last one */
    char first[8192];
    size_t body_at;
    _Atomic bool stop;
};

/* Until the head and the body that it announces are there; false when the client has gone. */
static bool fake_receive(struct fake *fake, int fd)
{
    size_t have = 0, want = 0;
    while (want == 0 || have < want) {
        if (have + 1 >= sizeof fake->request) return false;
        ssize_t n = read(fd, fake->request + have, sizeof fake->request - 1 - have);
        if (n <= 0) return false;
        have += (size_t)n;
        fake->request[have] = '\0';
        char *end = strstr(fake->request, "\r\n\r\n");
        if (!end) continue;
        char *length = strcasestr(fake->request, "\r\nContent-Length: ");
        fake->body_at = (size_t)(end + 4 - fake->request);
        want = fake->body_at + (length ? strtoul(length + 18, NULL, 10) : 0);
    }
    if (fake->requests == 0) memcpy(fake->first, fake->request, sizeof fake->first);
    return true;
}

/* The step's body: itself, or in `own` with the request's id in it. */
static const char *fake_body(const struct fake *fake, const char *body, char *own, size_t own_bytes)
{
    const char *at = body ? strstr(body, "$ID") : NULL;
    const char *id = strstr(fake->request, "\"put_id\":{\"S\":\"");
    if (!at || !id) return body ? body : "";
    (void)snprintf(own, own_bytes, "%.*s%.*s%s", (int)(at - body), body,
                   (int)strcspn(id + 15, "\""), id + 15, at + 3);
    return own;
}

static bool fake_send(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes += n;
        count -= (size_t)n;
    }
    return true;
}

/* False: the connection ends. */
static bool fake_answer(const struct fake *fake, int fd, const struct fake_step *step)
{
    char head[4096], own[2048], c;
    const char *body = fake_body(fake, step->body, own, sizeof own);
    size_t body_bytes = strlen(body);
    if (step->kind == FAKE_RESET) {
        struct linger now = {1, 0};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        return false;
    }
    if (step->kind == FAKE_SILENT) {
        (void)!read(fd, &c, 1);
        return false;
    }
    bool half = step->kind == FAKE_HALF;
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n",
                     step->status, step->headers ? step->headers : "", body_bytes);
    return fake_send(fd, head, (size_t)n) &&
           fake_send(fd, body, half ? body_bytes / 2 : body_bytes) && !half;
}

/* False: the connection ends. */
static bool fake_exchange(struct fake *fake, int fd)
{
    if (!fake_receive(fake, fd)) return false;
    size_t number = fake->requests++, at = PX_MIN(number, fake->step_count - 1);
    return fake_answer(fake, fd, &fake->steps[at]);
}

/* The listener is first; a slot of -1 is free. */
static void *fake_run(void *ctx)
{
    struct fake *fake = ctx;
    struct pollfd slots[FAKE_CONNECTIONS_MAX + 1];
    for (size_t i = 0; i < PX_COUNT(slots); i++)
        slots[i] = (struct pollfd){.fd = i == 0 ? fake->listener : -1, .events = POLLIN};
    while (!fake->stop && poll(slots, PX_COUNT(slots), -1) > 0) {
        for (size_t i = 1; i < PX_COUNT(slots); i++) {
            if (slots[i].fd < 0 || !slots[i].revents || fake_exchange(fake, slots[i].fd)) continue;
            (void)close(slots[i].fd);
            slots[i].fd = -1;
        }
        if (!slots[0].revents) continue;
        int fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) break; /* shut down by fake_stop() */
        fake->connections++;
        size_t free_slot = 1;
        while (free_slot < PX_COUNT(slots) && slots[free_slot].fd >= 0) free_slot++;
        PX_ASSERT(free_slot < PX_COUNT(slots));
        slots[free_slot].fd = fd;
        slots[free_slot].revents = 0;
    }
    for (size_t i = 1; i < PX_COUNT(slots); i++)
        if (slots[i].fd >= 0) (void)close(slots[i].fd);
    return NULL;
}

static void fake_start(struct fake *fake, const struct fake_step *steps, size_t step_count)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_bytes = sizeof at;
    memset(fake, 0, sizeof *fake);
    fake->steps = steps;
    fake->step_count = step_count;
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(fake->listener, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_INT(listen(fake->listener, 16), 0);
    CHECK_INT(getsockname(fake->listener, (struct sockaddr *)&at, &at_bytes), 0);
    fake->port = ntohs(at.sin_port);
    CHECK_INT(pthread_create(&fake->thread, NULL, fake_run, fake), 0);
}
/* The same on a Unix socket. */
static inline void fake_start_on_socket(struct fake *fake, const char *path,
                                        const struct fake_step *steps, size_t step_count)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    CHECK(strlen(path) < sizeof at.sun_path);
    memcpy(at.sun_path, path, strlen(path));
    memset(fake, 0, sizeof *fake);
    fake->steps = steps;
    fake->step_count = step_count;
    fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(fake->listener, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_INT(listen(fake->listener, 16), 0);
    CHECK_INT(pthread_create(&fake->thread, NULL, fake_run, fake), 0);
}
/* The same, as the endpoint of every service of AWS. */
static inline void fake_start_as_aws(struct fake *fake, const struct fake_step *steps, size_t count)
{
    char url[40];
    fake_start(fake, steps, count);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", fake->port);
    CHECK_INT(setenv("AWS_ENDPOINT_URL", url, 1), 0);
}
/* The client must be gone. */
static void fake_stop(struct fake *fake)
{
    fake->stop = true;
    (void)shutdown(fake->listener, SHUT_RDWR);
    CHECK_INT(pthread_join(fake->thread, NULL), 0);
    (void)close(fake->listener);
}
