/* tests/unit/aws/bucket.h - a bucket that answers as told, to several connections at once: each request is
 * answered by the first rule that knows its first line and has not been used up. */
#pragma once

#include "support/support.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

enum bucket_kind {
    BUCKET_ANSWER,
    BUCKET_HALF,   /* the head and half of the body, then the end */
    BUCKET_RESET,  /* a reset when half of the request's body is read */
    BUCKET_LOST,   /* the whole request is read, then the end */
    BUCKET_SILENT, /* nothing, until the client goes */
};
struct bucket_rule {
    const char *method, *has; /* of the first line; has: anything in it, or NULL */
    unsigned times;           /* 0: always */
    enum bucket_kind kind;
    int status;          /* 0: 200 */
    const char *headers; /* "Name: value\r\n", or NULL; $ID becomes the last put's id */
    const char *body;
    size_t zeros; /* or a body of so many NULs */
};
#define BUCKET_ERROR(code) "<?xml version=\"1.0\"?><Error><Code>" code "</Code></Error>"

#define BUCKET_CONNECTIONS_MAX 64
#define BUCKET_RULES_MAX 16
struct bucket {
    int listener;
    uint16_t port;
    pthread_t acceptor, threads[BUCKET_CONNECTIONS_MAX];
    int fds[BUCKET_CONNECTIONS_MAX]; /* -1: ended */
    unsigned connections;
    const struct bucket_rule *rules;
    size_t rule_count;
    pthread_mutex_t lock;
    /* under the lock; to look at after a call */
    unsigned used[BUCKET_RULES_MAX], requests;
    char put_id[64];
    char log[8192];   /* first lines */
    char heads[8192]; /* of the last requests, whole; the newest last */
};
struct bucket_connection {
    struct bucket *bucket;
    unsigned number;
};

static const struct bucket_rule *bucket_note(struct bucket *bucket, const char *head)
{
    static const struct bucket_rule unknown = {.status = 501};
    const struct bucket_rule *found = &unknown;
    char line[512];
    (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(head, "\r"), head);
    (void)pthread_mutex_lock(&bucket->lock);
    bucket->requests++;
    size_t used = strlen(bucket->log);
    (void)snprintf(bucket->log + used, sizeof bucket->log - used, "%s\n", line);
    if (strlen(bucket->heads) + strlen(head) >= sizeof bucket->heads) bucket->heads[0] = '\0';
    (void)strncat(bucket->heads, head, sizeof bucket->heads - strlen(bucket->heads) - 1);
    const char *id = strcasestr(head, "x-amz-meta-put-id: ");
    if (id) (void)snprintf(bucket->put_id, sizeof bucket->put_id, "%.32s", id + 19);
    for (size_t i = 0; i < bucket->rule_count; i++) {
        const struct bucket_rule *rule = &bucket->rules[i];
        size_t method = strlen(rule->method);
        bool fits = strncmp(line, rule->method, method) == 0 && line[method] == ' ' &&
                    (!rule->has || strstr(line, rule->has));
        if (!fits || (rule->times && bucket->used[i] >= rule->times)) continue;
        bucket->used[i]++;
        found = rule;
        break;
    }
    (void)pthread_mutex_unlock(&bucket->lock);
    return found;
}

static bool bucket_write(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = send(fd, bytes, n, MSG_NOSIGNAL);
        if (done <= 0) return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

static bool bucket_answer(struct bucket *bucket, int fd, const struct bucket_rule *rule, bool head)
{
    char text[2048], headers[1024];
    const char *given = rule->headers ? rule->headers : "", *id = strstr(given, "$ID");
    (void)pthread_mutex_lock(&bucket->lock);
    (void)snprintf(headers, sizeof headers, "%.*s%s%s", id ? (int)(id - given) : (int)strlen(given),
                   given, id ? bucket->put_id : "", id ? id + 3 : "");
    (void)pthread_mutex_unlock(&bucket->lock);
    size_t bytes = rule->zeros ? rule->zeros : rule->body ? strlen(rule->body) : 0, sent = bytes;
    if (rule->kind == BUCKET_HALF) sent /= 2;
    bool has_length = strcasestr(headers, "Content-Length") != NULL;
    int n = snprintf(text, sizeof text, "HTTP/1.1 %d X\r\n%s", rule->status ? rule->status : 200,
                     headers);
    if (!has_length)
        n += snprintf(text + n, sizeof text - (size_t)n, "Content-Length: %zu\r\n", bytes);
    n += snprintf(text + n, sizeof text - (size_t)n, "\r\n");
    if (!bucket_write(fd, text, (size_t)n)) return false;
    if (head) return true;
    char *zeros = rule->zeros ? calloc(1, rule->zeros) : NULL;
    bool written = bucket_write(fd, zeros ? zeros : rule->body ? rule->body : "", sent);
    free(zeros);
    return written && rule->kind != BUCKET_HALF;
}

/* One request and its answer; false: the connection ends. */
static bool bucket_serve(struct bucket *bucket, int fd)
{
    char head[8192], drop[65536];
    size_t have = 0;
    char *end = NULL;
    while (!end) {
        ssize_t n = have + 1 < sizeof head ? read(fd, head + have, sizeof head - 1 - have) : 0;
        if (n <= 0) return false;
        have += (size_t)n;
        head[have] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    char *length = strcasestr(head, "\r\nContent-Length: ");
    size_t want = length && length < end ? strtoul(length + 18, NULL, 10) : 0;
    size_t got = have - (size_t)(end + 4 - head);
    end[4] = '\0';
    const struct bucket_rule *rule = bucket_note(bucket, head);
    size_t to_read = rule->kind == BUCKET_RESET ? want / 2 : want;
    while (got < to_read) {
        ssize_t n = read(fd, drop, PX_MIN(sizeof drop, want - got));
        if (n <= 0) return false;
        got += (size_t)n;
    }
    if (rule->kind == BUCKET_RESET) {
        struct linger now = {1, 0};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        return false;
    }
    if (rule->kind == BUCKET_LOST) return false;
    if (rule->kind == BUCKET_SILENT) return read(fd, drop, 1) > 0 && false;
    return bucket_answer(bucket, fd, rule, strncmp(head, "HEAD ", 5) == 0);
}

static void *bucket_connection_run(void *ctx)
{
    struct bucket_connection connection = *(struct bucket_connection *)ctx;
    struct bucket *bucket = connection.bucket;
    free(ctx);
    while (bucket_serve(bucket, bucket->fds[connection.number])) {}
    (void)pthread_mutex_lock(&bucket->lock);
    (void)close(bucket->fds[connection.number]);
    bucket->fds[connection.number] = -1;
    (void)pthread_mutex_unlock(&bucket->lock);
    return NULL;
}

static void *bucket_accept(void *ctx)
{
    struct bucket *bucket = ctx;
    for (;;) {
        int fd = accept4(bucket->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) return NULL; /* shut down by bucket_stop() */
        int now = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
        struct bucket_connection *connection = malloc(sizeof *connection);
        PX_ASSERT(connection && bucket->connections < BUCKET_CONNECTIONS_MAX);
        *connection = (struct bucket_connection){bucket, bucket->connections};
        (void)pthread_mutex_lock(&bucket->lock);
        bucket->fds[bucket->connections] = fd;
        (void)pthread_mutex_unlock(&bucket->lock);
        PX_ASSERT(pthread_create(&bucket->threads[bucket->connections], NULL, bucket_connection_run,
                                 connection) == 0);
        bucket->connections++;
    }
}

static void bucket_start(struct bucket *bucket, const struct bucket_rule *rules, size_t rule_count)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_bytes = sizeof at;
    memset(bucket, 0, sizeof *bucket);
    PX_ASSERT(rule_count <= BUCKET_RULES_MAX);
    bucket->rules = rules;
    bucket->rule_count = rule_count;
    (void)pthread_mutex_init(&bucket->lock, NULL);
    bucket->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(bucket->listener, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_INT(listen(bucket->listener, 64), 0);
    CHECK_INT(getsockname(bucket->listener, (struct sockaddr *)&at, &at_bytes), 0);
    bucket->port = ntohs(at.sin_port);
    CHECK_INT(pthread_create(&bucket->acceptor, NULL, bucket_accept, bucket), 0);
}
/* The client must be gone. */
static void bucket_stop(struct bucket *bucket)
{
    (void)shutdown(bucket->listener, SHUT_RDWR);
    CHECK_INT(pthread_join(bucket->acceptor, NULL), 0);
    (void)close(bucket->listener);
    (void)pthread_mutex_lock(&bucket->lock);
    for (unsigned i = 0; i < bucket->connections; i++)
        if (bucket->fds[i] >= 0) (void)shutdown(bucket->fds[i], SHUT_RDWR);
    (void)pthread_mutex_unlock(&bucket->lock);
    for (unsigned i = 0; i < bucket->connections; i++)
        CHECK_INT(pthread_join(bucket->threads[i], NULL), 0);
    (void)pthread_mutex_destroy(&bucket->lock);
}
/* How many requests had this in their first line. */
static unsigned bucket_count(struct bucket *bucket, const char *what)
{
    unsigned count = 0;
    (void)pthread_mutex_lock(&bucket->lock);
    for (const char *at = strstr(bucket->log, what); at; at = strstr(at + 1, what)) count++;
    (void)pthread_mutex_unlock(&bucket->lock);
    return count;
}
