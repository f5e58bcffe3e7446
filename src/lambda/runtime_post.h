/* lambda/runtime_post.h - what the runtime posts: answers, errors and streamed answers. Inside lambda
 * only; functions use runtime.h. */
#pragma once

#include "http/client.h"
#include "lambda/runtime.h"

#define RUNTIME_PATH "/2018-06-01/runtime/"
#define RUNTIME_REGION_PID "PRISM_REGION_PID" /* the process of the local region */
/* A socket of that process which is its Runtime API too: loopback TCP costs twice as much per message. Who is given
 * it may send an answer and ask for the next event without waiting in between. */
#define RUNTIME_SOCKET_FD "PRISM_RUNTIME_FD"

struct lambda_stream {
    struct http_client *client;
    struct px_str request_id;
    struct px_arena *arena;
    bool begun, ended;
    int status; /* of the prelude */
};

/* How an error reads: {"errorType","errorMessage","stackTrace":[]}. */
struct runtime_error {
    struct px_str type, message;
};

/* Answers of the posts below besides 0 (taken). */
enum runtime_post_answer {
    RUNTIME_POST_TOO_LARGE = 1, /* 413 */
    RUNTIME_POST_REFUSED,       /* another 4xx: this event is settled elsewhere (timed out, say) */
};
PX_MUST_USE int runtime_post_response(struct http_client *client, struct px_str request_id,
                                      struct px_str body, struct px_arena *arena);
/* The same without waiting: what is said to it comes with the next call (http_client_ahead_status()). */
PX_MUST_USE int runtime_post_response_ahead(struct http_client *client, struct px_str request_id,
                                            struct px_str body, struct px_arena *arena);
/* request_id empty: an init error. */
PX_MUST_USE int runtime_post_error(struct http_client *client, struct px_str request_id,
                                   const struct runtime_error *error, struct px_arena *arena);
/* The end of a stream that has begun; error may be NULL. */
PX_MUST_USE int runtime_post_stream_end(struct lambda_stream *stream,
                                        const struct runtime_error *error);
