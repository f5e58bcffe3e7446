/* http/listener.c - where connections come from: sockets that are listened on, and what is made of who dials. */
#include "http/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/connection.h"

#define BACKLOG 1024
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

/* ---- who dials ---- */

static int connection_init(struct http_connection *conn, bool tcp)
{
    uv_loop_t *loop = conn->server->loop;
    return tcp ? uv_tcp_init(loop, &conn->uv.tcp) : uv_pipe_init(loop, &conn->uv.pipe, 0);
}

/* Idle, without a socket yet. NULL: out of memory. */
static struct http_connection *connection_new(struct http_server *server, bool tcp)
{
    struct http_connection *conn = malloc(sizeof *conn);
    if (!conn) return NULL;
    memset(conn, 0, sizeof *conn);
    conn->server = server;
    conn->state = CONN_CLOSED; /* in no list yet */
    if (connection_init(conn, tcp) != 0) {
        free(conn);
        return NULL;
    }
    conn->uv.handle.data = conn;
    server->connections++;
    server->connections_in_memory++;
    connection_set_state(conn, CONN_IDLE);
    return conn;
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
    if (conn->server->greeting <= GREETING_MAX) return;
    connection_tell_handshake(conn->server->lists[CONN_GREETING].first, "it made room for others");
    connection_close(conn->server->lists[CONN_GREETING].first);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct http_listener *listener = stream->data;
    struct http_server *server = listener->server;
    bool tcp = listener->uv.handle.type == UV_TCP;
    struct http_connection *conn = status == 0 ? connection_new(server, tcp) : NULL;
    if (!conn)
        return; /* out of memory or descriptors: the peer waits in the backlog or is turned away */
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

int http_server_adopt(struct http_server *server, int *fd)
{
    struct http_connection *conn = connection_new(server, false);
    if (!conn) return px_fault(PX_F_OOM, "a connection");
    int error = uv_pipe_open(&conn->uv.pipe, *fd);
    if (error) {
        connection_close(conn);
        return px_fault(PX_F_IO, "a socket that was given: %s", uv_strerror(error));
    }
    *fd = -1;
    connection_open(conn);
    return 0;
}

/* ---- listening ---- */

static void on_listener_closed(uv_handle_t *handle)
{
    struct http_listener *listener = handle->data;
    struct http_server *server = listener->server;
    free(listener);
    server->listener_count--;
    server_check_drained(server);
    server_unref(server);
}

void server_stop_listening(struct http_server *server)
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
