/* http/server.h - an HTTP/1.1 server in one event loop: libuv for sockets and timers, llhttp (Node.js's
 * parser) for the protocol, with or without TLS (http/tls.h). It serves the gateway, the Runtime API and the control socket.
 *
 * One thread. A handler is called when a request is complete (headers and whole body, at most
 * body_bytes_max), answers at once or later with the same request pointer, exactly once. Requests of
 * one connection are answered in order; a pipelined next request is parsed only after the answer.
 * Bounded: connections, header bytes, body bytes, idle and header and body time. Every limit is
 * answered with the right status and a problem (RFC 9457) before the connection closes: 400, 408,
 * 413, 414, 417, 431, 501, 503, 505. Parsing is strict: what two servers could read in two ways
 * (Content-Length beside Transfer-Encoding, a bare CR or LF, folded fields, two Hosts) is a 400.
 * Content-Encoding is not touched here. HTTP/2 comes behind this same header. */
#pragma once

#include <uv.h>

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "http/message.h"

struct http_server; /* opaque */
struct http_connection;

/* A complete request. All views live until it is answered. */
struct http_request {
    enum http_method method;
    struct px_str method_name;
    struct px_str path;  /* still percent-encoded, without query */
    struct px_str query; /* without '?' */
    struct px_str
        authority; /* of a target that has one, which counts for more than Host; mostly empty */
    const struct http_header *headers;
    size_t header_count;
    struct px_str body;                 /* writable; HTTP_BODY_PADDING zero bytes follow it */
    const struct http_header *trailers; /* of a body that came through on_piece */
    size_t trailer_count;
    struct px_str peer;       /* numeric address, empty on a Unix socket */
    int64_t received_mono_ns; /* when its first byte was read */
    struct px_str
        server_name; /* whose certificate TLS showed; empty: for whom no other is, or no TLS */
    const struct http_client_certificate
        *client;            /* what the client showed; NULL: none was asked for */
    struct px_arena *arena; /* freed after the answer is written; for whatever the handler needs */
    void *user;             /* the handler's own */
    struct http_connection *connection; /* the server's own */
};
/* First value of a header, ASCII case folded; empty when absent. */
struct px_str http_header_get(const struct http_request *request, struct px_str name);

/* What the server answers by itself because of a limit or the grammar. */
struct http_refusal {
    int status;
    const char *why;
    struct px_str peer;
};

#define HTTP_NO_LIMIT_MS UINT32_MAX

struct http_server_options {
    size_t body_bytes_max;    /* 0: 10 MiB, API Gateway's limit */
    size_t header_bytes_max;  /* 0: 16 KiB; request line and headers; the path at most half of it */
    uint32_t connections_max; /* 0: 4096; further ones get 503 and are closed */
    uint32_t idle_ms; /* keep-alive, and a reader that takes nothing; 0: 60 s; HTTP_NO_LIMIT_MS */
    uint32_t read_ms; /* one request must have arrived within; 0: 30 s; HTTP_NO_LIMIT_MS */
    /* Bodies being received, all connections: past it 503. Answers that wait for slow readers have
     * a ceiling of the same size: past it the connection is cut. 0: 256 MiB */
    size_t buffered_bytes_max;
    void (*on_request)(void *ctx, struct http_request *request);
    /* The peer went away before the answer, or closed its sending side, which looks the same; the
     * request must still be answered (a peer that only half closed gets it). May be NULL. */
    void (*on_gone)(void *ctx, struct http_request *request);
    /* May be NULL. Called when a request's head is complete and a body follows. True: the body goes
     * through on_piece as it arrives, without ceiling, and on_request follows its end; if the peer
     * goes first, on_gone is called instead and the request must still be answered. */
    bool (*on_head)(void *ctx, struct http_request *request);
    void (*on_piece)(void *ctx, struct http_request *request, struct px_str piece);
    /* May be NULL. Called when the server refuses, before it answers; the header that is returned (no
     * name: none) goes out with the answer. Not for the server's calls. */
    struct http_header (*on_refuse)(void *ctx, const struct http_refusal *refusal);
    /* May be NULL. A TLS handshake came to nothing; why says nothing of keys or names. */
    void (*on_handshake_failed)(void *ctx, struct px_str peer, const char *why);
    void *ctx;
};
/* The loop is borrowed. Start listening with one of the listen calls; several may be made. */
PX_MUST_USE int http_server_new(uv_loop_t *loop, const struct http_server_options *options,
                                struct http_server **ret_server);
enum http_listen_answer { HTTP_PORT_TAKEN = 1 };
/* host: numeric address; port 0 picks one. Answers: HTTP_PORT_TAKEN (EADDRINUSE). */
PX_MUST_USE int http_server_listen_tcp(struct http_server *server, const char *host, uint16_t port,
                                       uint16_t *ret_port);
/* Mode 0600. A socket file that nobody listens on is replaced; one in use is PX_F_BUSY. The file is
 * removed when the server stops listening. */
PX_MUST_USE int http_server_listen_unix(struct http_server *server, const char *path);
/* One end of a socketpair(2), as if whoever has the other had dialled. *fd is taken and -1 then; a fault leaves it.
 * Faults: PX_F_OOM, PX_F_IO. */
PX_MUST_USE int http_server_adopt(struct http_server *server, int *fd);
/* Stop accepting, let running requests finish, close idle connections, then call done (once, from
 * the loop). */
void http_server_drain(struct http_server *server, void (*done)(void *ctx), void *ctx);
/* Close everything now. The memory goes when the loop has run its close callbacks and requests that
 * a handler still has are answered. No callback of the options is called any more. */
void http_server_free(struct http_server **server);
uint32_t http_server_connections(const struct http_server *server);
/* How many bytes of bodies it held at once since the last call, at most; and of answers that wait, now. */
size_t http_server_held_most(struct http_server *server);

/* Hold back the pieces of a body, or go on. */
void http_request_pause(struct http_request *request, bool pause);

/* Answer with a whole body, which is copied unless the socket takes it at once. headers without
 * Content-Length, Transfer-Encoding, Connection and Date, which the server adds; those and fields
 * that could forge a message (see http_header_is_safe) are left out. */
void http_reply(struct http_request *request, int status, const struct http_header *headers,
                size_t header_count, struct px_str body);
/* Answer in pieces (Transfer-Encoding: chunked). http_reply_piece returns the bytes now queued for a
 * slow reader, so that the caller can pause its source; on_drain (may be NULL) is called when they
 * have fallen to half of their highest, and when the peer is gone, after which pieces are dropped. */
void http_reply_begin(struct http_request *request, int status, const struct http_header *headers,
                      size_t header_count, void (*on_drain)(void *ctx), void *ctx);
size_t http_reply_piece(struct http_request *request, struct px_str piece);
/* complete false: cut the connection; that is possible at any time, also without a beginning. */
void http_reply_end(struct http_request *request, bool complete);
