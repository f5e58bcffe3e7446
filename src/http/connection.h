/* http/connection.h - one connection of the server and what its files share. Inside http only.
 *
 * States and what ends them:
 *   GREETING   a TLS handshake; HANDSHAKE_MS, or being the oldest of too many
 *   IDLE       no byte of a request yet; idle_ms
 *   READING    a request is arriving; read_ms
 *   SERVING    the handler has it; nothing but the handler
 *   REPLYING   the answer is queued for a slow reader; idle_ms without progress
 *   STREAMS    HTTP/2 with requests: its protocol looks at each of them every so often
 *   LINGERING  refused and answered: what still arrives is dropped, so that the peer's kernel does
 *              not throw the answer away with a reset; 2 s, 128 MiB, or the peer's end
 *   CLOSED     the handle is closing or closed; memory stays while the handler has the request
 */
#pragma once

#include <llhttp.h>
#include <uv.h>

#include "http/fields.h"
#include "http/server.h"

#define IN_SLACK_BYTES (16u * 1024u) /* of a slab behind the largest head: small bodies, chunks */

enum connection_state {
    CONN_GREETING,
    CONN_IDLE,
    CONN_READING,
    CONN_REPLYING,
    CONN_LINGERING,
    CONN_SERVING,
    CONN_STREAMS,
    CONN_CLOSED, /* in no list, and so the number of those that are */
};

/* What a connection needs only while it has a request; idle ones have none. */
struct http_slab {
    struct http_slab *next; /* in the server's free list */
    struct px_arena arena;
    struct http_fields fields;
    struct http_header headers[HTTP_FIELDS_MAX];
    char in[]; /* the head, behind it small bodies, chunks, pipelined requests */
};

/* What stands between a connection and its socket. Plain connections have none, and a program that
 * never asks for one does not link it. */
struct http_transport {
    void (*received)(struct http_connection *conn, const char *bytes, size_t count);
    /* All of it is sent, queued or the connection closed. */
    void (*write)(struct http_connection *conn, const uv_buf_t *pieces, unsigned count);
    void (*resumed)(struct http_connection *conn); /* reading goes on after it stood still */
    void (*turn)(struct http_connection *conn);    /* what connection_defer() asked for */
    void (*finish)(struct http_connection *conn);  /* nothing more is written */
};
/* What is spoken on a connection when that is not HTTP/1.1. Of the calls for the connection none comes from
 * inside a handler; of those for a request, all do. */
struct http_protocol {
    void (*received)(struct http_connection *conn, const char *bytes, size_t count);
    void (*written)(struct http_connection *conn); /* something that waited for the socket */
    void (*turn)(struct http_connection *conn);    /* what connection_defer() asked for */
    void (*tick)(struct http_connection *conn);    /* its state's time is over */
    void (*drain)(struct http_connection *conn);   /* no request more */
    void (*closed)(struct http_connection *conn);
    void (*free)(struct http_connection *conn);

    void (*pause)(struct http_request *request, bool pause);
    void (*reply)(struct http_request *request, int status, const struct http_header *headers,
                  size_t header_count, struct px_str body);
    void (*begin)(struct http_request *request, int status, const struct http_header *headers,
                  size_t header_count, void (*on_drain)(void *ctx), void *ctx);
    size_t (*piece)(struct http_request *request, struct px_str piece);
    void (*end)(struct http_request *request, bool complete);
};
/* What begins connections of a listener with a transport; owned by the server. */
struct http_greeter {
    struct http_greeter *next;
    /* Sets transport and free_transport. */
    int (*greet)(struct http_greeter *greeter, struct http_connection *conn);
    void (*free)(struct http_greeter *greeter);
};

/* Small answers to pipelined requests, which go in one write with the last of them. */
#define CORK_BYTES 1024u
struct http_cork {
    size_t bytes;
    char at[CORK_BYTES];
};

struct http_connection {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct http_server *server;
    enum connection_state state;
    struct http_connection *prev, *next; /* in the state's list */
    uint64_t since_ms;
    const struct http_transport *transport;
    void (*free_transport)(struct http_connection *conn);
    struct tls_session *tls;
    struct px_str
        server_name; /* as of struct http_request; the transport's, from its handshake on */
    const struct http_client_certificate *client;
    const struct http_protocol *protocol; /* NULL: HTTP/1.1 */
    struct h2_session *h2;
    uint32_t held; /* requests of it that handlers or the protocol still have */
    bool choked;   /* the protocol reads nothing until more has been written */
    bool used;     /* a request of HTTP/1.1 was read */
    struct http_connection *deferred_prev, *deferred_next;
    uint32_t deferred_turn;
    bool deferred;
    bool cut; /* the answer is not whole, and what a transport says at its end would hide that */

    /* reading */
    struct http_slab *slab;
    size_t filled, parsed; /* bytes of slab->in read and parsed */
    size_t head_bytes;     /* of it, what the head's views need; once head_done */
    struct http_span url;
    bool head_done, message_done, processing, read_stopped, peer_eof, gone_told, refused;
    int refuse_status; /* set in a parser callback: answer with it and close */
    const char *refuse_why;
    llhttp_t parser;

    /* the body, when it is not a view into the slab */
    char *body;
    size_t body_bytes, body_room, body_charged;
    size_t overhead_bytes; /* of chunk extensions and trailers */
    struct px_buf trailer_text;
    bool streamed; /* the body goes through on_piece */
    bool paused;

    /* answering */
    struct http_request request;
    bool request_open; /* a handler has it */
    bool keep_alive, is_http_1_0, chunked;
    struct http_cork *cork; /* while requests that have been read are worked off */
    uint32_t writes;        /* uv_write_t on the way */
    size_t queued_bytes;    /* in them */
    size_t queued_high;
    void (*on_drain)(void *ctx);
    void *drain_ctx;
    size_t lingered_bytes;
    char peer[48];
};

struct connection_list {
    struct http_connection *first, *last; /* oldest first */
};

struct http_server {
    uv_loop_t *loop;
    struct http_server_options options;
    size_t in_bytes; /* of a slab */
    struct http_listener *listeners;
    uint32_t listener_count; /* those not yet closed */
    uv_timer_t timer;
    uint64_t timer_due_ms; /* UINT64_MAX: not running */
    uint32_t own_handles;  /* not yet closed: timer and idle */
    struct connection_list lists[CONN_CLOSED];
    /* Those that have something to do in the loop's next turn; idle runs while there are such. */
    struct http_connection *deferred, *deferred_last;
    uv_idle_t idle;
    uint32_t turn;
    uint32_t greeting; /* in that list */
    struct http_greeter *greeters;
    struct transport_scratch *transport_scratch;      /* TLS's */
    int (*begin_http2)(struct http_connection *conn); /* NULL: it is not offered */
    char *protocol_scratch;
    uint64_t limits_ms[CONN_CLOSED];
    uint32_t connections, connections_in_memory;
    size_t body_bytes, queued_bytes; /* over all connections */
    size_t body_bytes_most;          /* http_server_held_most() */
    struct http_slab *slabs;
    uint32_t slab_count;
    char *scratch; /* where goes what lingering connections send and what is still encrypted */
    bool draining, freed;
    void (*on_drained)(void *ctx);
    void *drained_ctx;
    char date[32];
    int64_t date_s;
};

#define SCRATCH_BYTES (64u * 1024u)
#define PROTOCOL_SCRATCH_BYTES (64u * 1024u)
#define STREAMS_TICK_MS 1000u
#define HANDSHAKE_MS 10000u
#define GREETING_MAX 1024u

/* server.c */
void connection_set_state(struct http_connection *conn, enum connection_state state);
void connection_closed(struct http_connection *conn); /* the handle is; what the server counts */
/* Its handshake came to nothing. */
void connection_tell_handshake(const struct http_connection *conn, const char *why);
/* Its transport goes on in the loop's next turn. */
void connection_defer(struct http_connection *conn);
void connection_defer_drop(struct http_connection *conn);
void connection_unref(
    struct http_connection *conn); /* frees it once closed and without a request */
struct http_slab *server_slab_take(struct http_server *server);
void server_slab_give(struct http_server *server, struct http_slab *slab);
void server_check_drained(
    struct http_server *server);               /* whether there is nothing left to wait for */
void server_unref(struct http_server *server); /* frees it once it is freed and nothing is left */

/* listener.c */
int server_listen_tcp(struct http_server *server, const char *host, uint16_t port,
                      struct http_greeter *greeter, uint16_t *ret_port);
void server_stop_listening(struct http_server *server);

/* connection.c */
void connection_open(struct http_connection *conn);
void connection_close(struct http_connection *conn);
void connection_next(
    struct http_connection *conn); /* the answer is out: the next request, or the end */
void connection_reading(struct http_connection *conn); /* start or stop, as its state says */
void connection_tell_gone(struct http_connection *conn);
/* For a transport: where its next bytes go (none: connection_ended() with UV_ENOBUFS), that they are there,
 * that for now there are no more, and that there will not be any more. */
uv_buf_t connection_place(struct http_connection *conn);
void connection_bytes(struct http_connection *conn, const char *bytes, size_t count);
void connection_rest(struct http_connection *conn);
void connection_ended(struct http_connection *conn, ssize_t error);

/* request.c: what the parser's callbacks make of the bytes */
extern const llhttp_settings_t request_parser_settings;
/* Charge the server for `room` bytes of a body instead of *charged. False: it has too many. */
PX_MUST_USE bool server_charge_body(struct http_server *server, size_t *charged, size_t room);
/* "/path?query", "http://host/path?query" or "*" */
PX_MUST_USE bool request_split_url(struct px_str url, struct http_request *request);
void request_begin(struct http_connection *conn);
void request_dispatch(struct http_connection *conn); /* a complete one, to the handler */
void request_drop_body(struct http_connection *conn);
bool request_body_is_direct(const struct http_connection *conn);
/* Room to receive the body in its own place. False: refuse_status says why. */
PX_MUST_USE bool request_body_room(struct http_connection *conn, size_t bytes);

/* reply.c */
#define REFUSAL_BYTES_MAX 320u
/* The problem that a refusal is answered with; returns its bytes. */
int refusal_body(char body[REFUSAL_BYTES_MAX], int status, const char *why);
struct px_str server_date(struct http_server *server);
/* Fields that the server writes itself. */
bool reply_field_is_ours(struct px_str name);
bool reply_status_has_body(int status);
void connection_refuse(struct http_connection *conn, int status, const char *why);
/* All is written: drop what comes until the peer has gone. */
void connection_linger(struct http_connection *conn);
/* Up to three pieces. What is corked goes first. */
void connection_write(struct http_connection *conn, const uv_buf_t *pieces, unsigned count);
void connection_uncork(struct http_connection *conn);
void connection_write_raw(struct http_connection *conn, const uv_buf_t *pieces, unsigned count);
