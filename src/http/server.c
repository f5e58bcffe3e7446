/* http/server.c - the server's life: listeners, connections in lists by state, the clock, the end.
 *
 * Deadlines cost no system call and no timer per request: each state's connections stand in a list by
 * the time they began, so the oldest is first, and one timer fires at the earliest deadline there
 * was; most often it finds nothing and is set anew. */
#include "http/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/connection.h"

#define BACKLOG 1024
#define SLABS_KEPT 64
#define SLAB_ARENA_KEPT_BYTES (64u * 1024u)
#define REQUEST_ARENA_BYTES_MAX (64u << 20)
#define LINGER_MS 2000
#define REFUSED_LINGERING_MAX 64

struct http_listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct http_server *server;
    struct http_listener *next;
    struct http_greeter *greeter; /* NULL: nothing stands between */
};

/* ---- slabs ---- */

struct http_slab *server_slab_take(struct http_server *server)
{
    struct http_slab *slab = server->slabs;
    if (slab) {
        server->slabs = slab->next;
        server->slab_count--;
        return slab;
    }
    slab = malloc(sizeof *slab + server->in_bytes + HTTP_BODY_PADDING);
    if (slab) px_arena_init(&slab->arena, REQUEST_ARENA_BYTES_MAX);
    return slab;
}

static void slab_free(struct http_slab *slab)
{
    px_arena_deinit(&slab->arena);
    free(slab);
}

void server_slab_give(struct http_server *server, struct http_slab *slab)
{
    if (server->slab_count >= SLABS_KEPT) {
        slab_free(slab);
        return;
    }
    if (slab->arena.held_bytes > SLAB_ARENA_KEPT_BYTES)
        px_arena_deinit(&slab->arena);
    else
        px_arena_reset(&slab->arena);
    slab->next = server->slabs;
    server->slabs = slab;
    server->slab_count++;
}

/* ---- the clock ---- */

static void on_timer(uv_timer_t *timer);

static void timer_until(struct http_server *server, uint64_t due_ms)
{
    if (due_ms >= server->timer_due_ms || server->freed) return;
    uint64_t now_ms = uv_now(server->loop);
    server->timer_due_ms = due_ms;
    (void)uv_timer_start(&server->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

static void list_remove(struct connection_list *list, struct http_connection *conn)
{
    *(conn->prev ? &conn->prev->next : &list->first) = conn->next;
    *(conn->next ? &conn->next->prev : &list->last) = conn->prev;
}

static void list_append(struct connection_list *list, struct http_connection *conn)
{
    conn->prev = list->last;
    conn->next = NULL;
    *(list->last ? &list->last->next : &list->first) = conn;
    list->last = conn;
}

/* Also to begin the same state's time anew. */
void connection_set_state(struct http_connection *conn, enum connection_state state)
{
    struct http_server *server = conn->server;
    if (conn->state != CONN_CLOSED) list_remove(&server->lists[conn->state], conn);
    server->greeting -= conn->state == CONN_GREETING;
    server->greeting += state == CONN_GREETING;
    conn->state = state;
    if (state == CONN_CLOSED) return;
    conn->since_ms = uv_now(server->loop);
    list_append(&server->lists[state], conn);
    if (server->limits_ms[state] != HTTP_NO_LIMIT_MS)
        timer_until(server, conn->since_ms + server->limits_ms[state]);
}

static void expire(struct http_connection *conn)
{
    if (conn->protocol && conn->state == CONN_STREAMS)
        conn->protocol->tick(conn);
    else if (conn->protocol && conn->state == CONN_IDLE)
        conn->protocol->drain(conn);
    else if (conn->state == CONN_READING && conn->paused)
        connection_set_state(conn, CONN_READING); /* the handler holds it back, not the peer */
    else if (conn->state == CONN_READING && !conn->streamed)
        connection_refuse(conn, 408, "the request took too long to arrive");
    else
        connection_close(conn);
}

static void check_drained(struct http_server *server)
{
    if (!server->draining || server->connections > 0 || server->listener_count > 0) return;
    void (*done)(void *ctx) = server->on_drained;
    server->on_drained = NULL;
    if (done) done(server->drained_ctx);
}

static void on_timer(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    uint64_t now_ms = uv_now(server->loop);
    server->timer_due_ms = UINT64_MAX;
    for (int state = 0; state < CONN_CLOSED; state++) {
        uint64_t limit_ms = server->limits_ms[state];
        if (limit_ms == HTTP_NO_LIMIT_MS) continue;
        struct http_connection *conn;
        while ((conn = server->lists[state].first) && conn->since_ms + limit_ms <= now_ms)
            expire(conn);
        if (conn) timer_until(server, conn->since_ms + limit_ms);
    }
    check_drained(server);
}

/* ---- the loop's next turn ---- */

void connection_defer_drop(struct http_connection *conn)
{
    struct http_server *server = conn->server;
    if (!conn->deferred) return;
    conn->deferred = false;
    *(conn->deferred_prev ? &conn->deferred_prev->deferred_next
                          : &server->deferred) = conn->deferred_next;
    *(conn->deferred_next ? &conn->deferred_next->deferred_prev
                          : &server->deferred_last) = conn->deferred_prev;
}

/* Those that are deferred meanwhile are for the turn after this one. */
static void on_idle(uv_idle_t *idle)
{
    struct http_server *server = idle->data;
    struct http_connection *conn;
    uint32_t turn = server->turn++;
    while ((conn = server->deferred) && conn->deferred_turn == turn) {
        connection_defer_drop(conn);
        if (conn->transport) conn->transport->turn(conn);
        if (conn->protocol && conn->state != CONN_CLOSED) conn->protocol->turn(conn);
    }
    if (!server->deferred) (void)uv_idle_stop(idle);
}

void connection_defer(struct http_connection *conn)
{
    struct http_server *server = conn->server;
    if (conn->deferred || conn->state == CONN_CLOSED || server->freed) return;
    conn->deferred = true;
    conn->deferred_turn = server->turn;
    conn->deferred_prev = server->deferred_last;
    conn->deferred_next = NULL;
    *(server->deferred_last ? &server->deferred_last->deferred_next : &server->deferred) = conn;
    server->deferred_last = conn;
    (void)uv_idle_start(&server->idle, on_idle);
}

/* ---- connections ---- */

static void server_unref(struct http_server *server)
{
    if (!server->freed || server->own_handles > 0 || server->listener_count > 0 ||
        server->connections_in_memory > 0)
        return;
    while (server->greeters) {
        struct http_greeter *greeter = server->greeters;
        server->greeters = greeter->next;
        greeter->free(greeter);
    }
    free(server->transport_scratch);
    free(server->protocol_scratch);
    while (server->slabs) {
        struct http_slab *slab = server->slabs;
        server->slabs = slab->next;
        slab_free(slab);
    }
    free(server->scratch);
    free(server);
}

void connection_closed(struct http_connection *conn)
{
    conn->server->connections--;
    check_drained(conn->server);
}

void connection_unref(struct http_connection *conn)
{
    struct http_server *server = conn->server;
    if (conn->state != CONN_CLOSED || conn->uv.handle.data || conn->request_open || conn->held > 0)
        return;
    if (conn->protocol) conn->protocol->free(conn);
    if (conn->slab) server_slab_give(server, conn->slab);
    if (conn->free_transport) conn->free_transport(conn);
    free(conn);
    server->connections_in_memory--;
    server_unref(server);
}

static int connection_init(struct http_connection *conn, const struct http_listener *listener)
{
    if (listener->uv.handle.type == UV_TCP)
        return uv_tcp_init(listener->server->loop, &conn->uv.tcp);
    return uv_pipe_init(listener->server->loop, &conn->uv.pipe, 0);
}

static void name_peer(struct http_connection *conn)
{
    struct sockaddr_storage at;
    int bytes = sizeof at;
    if (conn->uv.handle.type != UV_TCP ||
        uv_tcp_getpeername(&conn->uv.tcp, (struct sockaddr *)&at, &bytes) != 0)
        return;
    (void)uv_ip_name((const struct sockaddr *)&at, conn->peer, sizeof conn->peer);
}

/* Whoever comes to an end with its greeting does so within a round trip or two; those that only hold a
 * place make room. Nothing can be said to a connection too many before it has greeted. */
static void greet(struct http_connection *conn, struct http_greeter *greeter, bool too_many)
{
    if (too_many || greeter->greet(greeter, conn) != 0) {
        connection_close(conn);
        return;
    }
    connection_set_state(conn, CONN_GREETING);
    connection_open(conn);
    if (conn->server->greeting > GREETING_MAX)
        connection_close(conn->server->lists[CONN_GREETING].first);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct http_listener *listener = stream->data;
    struct http_server *server = listener->server;
    struct http_connection *conn = status == 0 ? malloc(sizeof *conn) : NULL;
    if (!conn)
        return; /* out of memory or descriptors: the peer waits in the backlog or is turned away */
    memset(conn, 0, sizeof *conn);
    conn->server = server;
    conn->state = CONN_CLOSED; /* in no list yet */
    if (connection_init(conn, listener) != 0) {
        free(conn);
        return;
    }
    conn->uv.handle.data = conn;
    server->connections++;
    server->connections_in_memory++;
    connection_set_state(conn, CONN_IDLE);
    if (uv_accept(stream, &conn->uv.stream) != 0) {
        connection_close(conn);
        return;
    }
    name_peer(conn);
    bool too_many = server->connections > server->options.connections_max;
    if (listener->greeter) {
        greet(conn, listener->greeter, too_many);
        return;
    }
    connection_open(conn);
    if (too_many) connection_refuse(conn, 503, "too many connections");
    if (server->connections > server->options.connections_max + REFUSED_LINGERING_MAX)
        connection_close(conn);
}

/* ---- listening ---- */

static void on_listener_closed(uv_handle_t *handle)
{
    struct http_listener *listener = handle->data;
    struct http_server *server = listener->server;
    free(listener);
    server->listener_count--;
    check_drained(server);
    server_unref(server);
}

static void listeners_close(struct http_server *server)
{
    while (server->listeners) {
        struct http_listener *listener = server->listeners;
        server->listeners = listener->next;
        uv_close(&listener->uv.handle, on_listener_closed);
    }
}

static int listener_new(struct http_server *server, bool tcp, struct http_listener **ret_listener)
{
    struct http_listener *listener = calloc(1, sizeof *listener);
    if (!listener) return px_fault(PX_F_OOM, "a listener");
    int error = tcp ? uv_tcp_init(server->loop, &listener->uv.tcp)
                    : uv_pipe_init(server->loop, &listener->uv.pipe, 0);
    if (error) {
        free(listener);
        return px_fault(PX_F_IO, "a listener: %s", uv_strerror(error));
    }
    listener->server = server;
    listener->uv.handle.data = listener;
    listener->next = server->listeners;
    server->listeners = listener;
    server->listener_count++;
    *ret_listener = listener;
    return 0;
}

/* For one that could not listen: it is the newest. */
static void listener_drop(struct http_server *server)
{
    struct http_listener *listener = server->listeners;
    server->listeners = listener->next;
    uv_close(&listener->uv.handle, on_listener_closed);
}

static int port_of(const struct http_listener *listener, uint16_t *ret_port)
{
    struct sockaddr_storage at;
    int bytes = sizeof at;
    int error = uv_tcp_getsockname(&listener->uv.tcp, (struct sockaddr *)&at, &bytes);
    if (error) return error;
    *ret_port = ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                               : ((struct sockaddr_in *)&at)->sin_port);
    return 0;
}

int server_listen_tcp(struct http_server *server, const char *host, uint16_t port,
                      struct http_greeter *greeter, uint16_t *ret_port)
{
    struct sockaddr_storage at = {0};
    if (uv_ip4_addr(host, port, (struct sockaddr_in *)&at) != 0 &&
        uv_ip6_addr(host, port, (struct sockaddr_in6 *)&at) != 0)
        return px_fault(PX_F_CONFIG, "%s is not an address", host);
    struct http_listener *listener;
    PX_TRY(listener_new(server, true, &listener));
    listener->greeter = greeter;
    uint16_t bound = port;
    int error = uv_tcp_bind(&listener->uv.tcp, (const struct sockaddr *)&at, 0);
    if (!error) error = uv_listen(&listener->uv.stream, BACKLOG, on_connection);
    if (!error) error = port_of(listener, &bound);
    if (error) listener_drop(server);
    if (error == UV_EADDRINUSE) return HTTP_PORT_TAKEN;
    if (error) return px_fault(PX_F_IO, "listen on %s:%u: %s", host, port, uv_strerror(error));
    if (ret_port) *ret_port = bound;
    return 0;
}

int http_server_listen_tcp(struct http_server *server, const char *host, uint16_t port,
                           uint16_t *ret_port)
{
    return server_listen_tcp(server, host, port, NULL, ret_port);
}

/* A socket file left by a crash would keep its successor from binding. Only what nobody listens on is
 * removed, and nothing that is no socket. */
static int remove_stale_socket(const char *path)
{
    struct stat what;
    if (lstat(path, &what) != 0) return errno == ENOENT ? 0 : px_fault_errno("look at %s", path);
    if (!S_ISSOCK(what.st_mode)) return px_fault(PX_F_CONFIG, "%s is not a socket", path);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, path, PX_MIN(strlen(path), sizeof un.sun_path - 1));
    PX_AUTO(px_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return px_fault_errno("socket");
    if (connect(fd, (struct sockaddr *)&un, sizeof un) == 0 || errno != ECONNREFUSED)
        return px_fault(PX_F_BUSY, "another process listens on %s", path);
    if (unlink(path) != 0) return px_fault_errno("remove %s", path);
    return 0;
}

int http_server_listen_unix(struct http_server *server, const char *path)
{
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return px_fault(PX_F_CONFIG, "%s is too long for a socket", path);
    PX_TRY(remove_stale_socket(path));
    struct http_listener *listener;
    PX_TRY(listener_new(server, false, &listener));
    int error = uv_pipe_bind(&listener->uv.pipe, path);
    /* nobody can connect before listen(2), so the mode is never wider than this */
    if (!error && chmod(path, S_IRUSR | S_IWUSR) != 0) error = uv_translate_sys_error(errno);
    if (!error) error = uv_listen(&listener->uv.stream, BACKLOG, on_connection);
    if (!error) return 0;
    listener_drop(server);
    return px_fault(PX_F_IO, "listen on %s: %s", path, uv_strerror(error));
}

/* ---- life ---- */

static void options_default(struct http_server_options *options)
{
    if (!options->body_bytes_max) options->body_bytes_max = 10u << 20;
    if (!options->header_bytes_max) options->header_bytes_max = 16u << 10;
    if (!options->connections_max) options->connections_max = 4096;
    if (!options->idle_ms) options->idle_ms = 60000;
    if (!options->read_ms) options->read_ms = 30000;
    if (!options->buffered_bytes_max) options->buffered_bytes_max = 256u << 20;
}

int http_server_new(uv_loop_t *loop, const struct http_server_options *options,
                    struct http_server **ret_server)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (!server) return px_fault(PX_F_OOM, "a server");
    server->loop = loop;
    server->options = *options;
    options_default(&server->options);
    server->in_bytes = server->options.header_bytes_max + IN_SLACK_BYTES;
    server->limits_ms[CONN_GREETING] = HANDSHAKE_MS;
    server->limits_ms[CONN_IDLE] = server->options.idle_ms;
    server->limits_ms[CONN_REPLYING] = server->options.idle_ms;
    server->limits_ms[CONN_READING] = server->options.read_ms;
    server->limits_ms[CONN_LINGERING] = LINGER_MS;
    server->limits_ms[CONN_STREAMS] = PX_MIN(
        STREAMS_TICK_MS, PX_MIN(server->options.read_ms, server->options.idle_ms));
    server->limits_ms[CONN_SERVING] = HTTP_NO_LIMIT_MS; /* the handler's time is the handler's */
    server->timer_due_ms = UINT64_MAX;
    int error = uv_timer_init(loop, &server->timer);
    if (error) {
        free(server);
        return px_fault(PX_F_IO, "a timer: %s", uv_strerror(error));
    }
    server->timer.data = server->idle.data = server;
    uv_unref((uv_handle_t *)&server->timer);
    (void)uv_idle_init(loop, &server->idle); /* cannot fail */
    server->own_handles = 2;
    *ret_server = server;
    return 0;
}

uint32_t http_server_connections(const struct http_server *server) { return server->connections; }

static void drain_protocols(struct connection_list *list)
{
    for (struct http_connection *conn = list->first, *next; conn; conn = next) {
        next = conn->next; /* it may leave the list, and no other does */
        if (conn->protocol) conn->protocol->drain(conn);
    }
}

void http_server_drain(struct http_server *server, void (*done)(void *ctx), void *ctx)
{
    server->draining = true;
    server->on_drained = done;
    server->drained_ctx = ctx;
    listeners_close(server);
    while (server->lists[CONN_GREETING].first) connection_close(server->lists[CONN_GREETING].first);
    drain_protocols(&server->lists[CONN_STREAMS]);
    drain_protocols(&server->lists[CONN_IDLE]);
    while (server->lists[CONN_IDLE].first) connection_close(server->lists[CONN_IDLE].first);
    uv_ref((uv_handle_t *)&server
               ->timer); /* until it has looked whether there was nothing to wait for */
    timer_until(server, 0);
}

static void on_own_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    server->own_handles--;
    server_unref(server);
}

void http_server_free(struct http_server **server_at)
{
    struct http_server *server = *server_at;
    if (!server) return;
    *server_at = NULL;
    server->options.on_request = NULL;
    server->options.on_gone = NULL;
    server->options.on_head = NULL;
    server->options.on_refuse = NULL;
    server->on_drained = NULL;
    listeners_close(server);
    for (int state = 0; state < CONN_CLOSED; state++)
        while (server->lists[state].first) connection_close(server->lists[state].first);
    server->freed = true;
    uv_close((uv_handle_t *)&server->timer, on_own_closed);
    uv_close((uv_handle_t *)&server->idle, on_own_closed);
}
