/* http/server.c - the server's life: connections in lists by state, the clock, the end. What comes in: listener.c.
 *
 * Deadlines cost no system call and no timer per request: each state's connections stand in a list by
 * the time they began, so the oldest is first, and one timer fires at the earliest deadline there
 * was; most often it finds nothing and is set anew. */
#include "http/server.h"

#include <stdlib.h>

#include "http/connection.h"

#define SLABS_KEPT 64
#define SLAB_ARENA_KEPT_BYTES (64u * 1024u)
#define REQUEST_ARENA_BYTES_MAX (64u << 20)
#define LINGER_MS 2000

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

void connection_tell_handshake(const struct http_connection *conn, const char *why)
{
    const struct http_server_options *options = &conn->server->options;
    if (options->on_handshake_failed)
        options->on_handshake_failed(options->ctx, px_str_c(conn->peer), why);
}

static void expire(struct http_connection *conn)
{
    if (conn->state == CONN_GREETING) connection_tell_handshake(conn, "it took too long");
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

void server_check_drained(struct http_server *server)
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
    server_check_drained(server);
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

void server_unref(struct http_server *server)
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
    server_check_drained(conn->server);
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

size_t http_server_held_most(struct http_server *server)
{
    size_t most = server->body_bytes_most;
    server->body_bytes_most = server->body_bytes;
    return most + server->queued_bytes;
}

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
    server_stop_listening(server);
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
    server->options.on_handshake_failed = NULL;
    server->on_drained = NULL;
    server_stop_listening(server);
    for (int state = 0; state < CONN_CLOSED; state++)
        while (server->lists[state].first) connection_close(server->lists[state].first);
    server->freed = true;
    uv_close((uv_handle_t *)&server->timer, on_own_closed);
    uv_close((uv_handle_t *)&server->idle, on_own_closed);
}
