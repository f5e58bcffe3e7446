/* http/client.h - a small blocking HTTP/1.1 client for the Runtime API (plain TCP on one machine), the
 * region's control socket and the command's calls to a region. One connection, kept alive; one request
 * at a time; llhttp parses. TLS and AWS are the AWS Common Runtime's business, not this one's. It
 * links without libuv, so that a function stays small. */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "http/message.h"

struct http_client; /* opaque */
enum http_client_answer { HTTP_CLIENT_INTERRUPTED = 1 };

/* endpoint: "127.0.0.1:9001", "[::1]:9001", "localhost:9001", "http://host:port" or "unix:/path"; the
 * host is an address or localhost, for it is this machine. Connects lazily.
 * timeout_ms bounds each call; 0: none.
 * Faults: PX_F_CONFIG (endpoint not understood), PX_F_OOM. */
PX_MUST_USE int http_client_new(struct px_str endpoint, int timeout_ms,
                                struct http_client **ret_client);
void http_client_free(struct http_client **client);
/* A connected socket to that peer, for the first call; once it is lost, calls connect to the endpoint. *fd is taken
 * and -1 then. */
void http_client_adopt(struct http_client *client, int *fd);
/* Another bound for the calls from now on. */
void http_client_timeout(struct http_client *client, int timeout_ms);
/* Something to look at besides the answer: once fd (borrowed; -1 for none) can be read while a call
 * waits for the first byte of its answer, the call answers HTTP_CLIENT_INTERRUPTED and closes the
 * connection. With a signalfd(2) no signal is lost between a look and the wait. */
void http_client_interrupt_fd(struct http_client *client, int fd);
/* Something to do while a call with an interrupt fd has waited so long for the first byte of its answer; what
 * it returns is the time until it is called once more. after_ms, and a result, of 0: not any more. */
struct http_client_pause {
    uint32_t after_ms;
    uint32_t (*call)(void *ctx);
    void *ctx;
};
void http_client_pause(struct http_client *client, struct http_client_pause pause);

struct http_call {
    const char *method;
    struct px_str path;                /* with query */
    const struct http_header *headers; /* without Host, Content-Length, Transfer-Encoding */
    size_t header_count;
    struct px_str body;
};
struct http_response {
    int status;
    struct http_header *headers; /* in the client's memory until the next call */
    size_t header_count;
    struct px_str body; /* likewise, when no body callback was given; writable, HTTP_BODY_PADDING
                           zero bytes follow it */
};
/* Send and wait. A kept connection found closed before any byte of the answer is tried once more.
 *   body_bytes_max  ceiling of the answer's body
 *   on_body         may be NULL; gets the body in pieces instead; non-zero ends the call with it
 * Answers: HTTP_CLIENT_INTERRUPTED, only with an interrupt fd.
 * Faults: PX_F_UNAVAILABLE (no connection), PX_F_TIMEOUT, PX_F_PROTOCOL, PX_F_LIMIT, PX_F_OOM. */
PX_MUST_USE int http_client_call(struct http_client *client, const struct http_call *call,
                                 size_t body_bytes_max,
                                 int (*on_body)(void *ctx, struct px_str piece), void *ctx,
                                 struct http_response *ret_response);
/* Send without waiting (pipelining, RFC 9112 section 9.3.2): the answer is received by the next http_client_call(), in front of its
 * own and without a look at the interrupt fd. Of that answer only the status is kept; its body may have HTTP_AHEAD_BYTES_MAX.
 * One call at a time can be ahead. A call behind one is not tried again on another connection.
 * Faults: as http_client_call(), of sending. */
#define HTTP_AHEAD_BYTES_MAX (64u * 1024u)
PX_MUST_USE int http_client_ahead(struct http_client *client, const struct http_call *call);
/* Of the call that was ahead of the last one; 0: none was, or it got no answer. */
int http_client_ahead_status(const struct http_client *client);
struct px_str http_response_header(const struct http_response *response, struct px_str name);
/* Within on_body: the status of the answer that is being received. */
int http_client_status(const struct http_client *client);

/* The same call sent as several pieces with Transfer-Encoding: chunked; call->body is not looked at.
 * The head waits for the first piece and goes with it. After a fault the connection is closed. */
PX_MUST_USE int http_client_begin(struct http_client *client, const struct http_call *call);
PX_MUST_USE int http_client_piece(struct http_client *client, struct px_str piece);
/* A small piece, copied, that goes with whatever is sent next. Faults: PX_F_LIMIT. */
PX_MUST_USE int http_client_hold_piece(struct http_client *client, struct px_str piece);
/* A piece with which the body ends, in one go: http_client_end() then only receives, and has no
 * trailers to send. */
PX_MUST_USE int http_client_last_piece(struct http_client *client, struct px_str piece);
/* trailers: fields behind the body, announced with a Trailer header of the call; may be none. */
PX_MUST_USE int http_client_end(struct http_client *client, const struct http_header *trailers,
                                size_t trailer_count, size_t body_bytes_max,
                                struct http_response *ret_response);
