/* region/gateway_internal.h - one request on its way through the gateway; for gateway*.c only.
 *
 * States of a call: routed -> (authorizing) -> integrating -> answered -> ended. It is answered once
 * (by the function, by a gateway response, or by the integration timeout) and ends when the function
 * has also let go of the event, which the call owns. */
#pragma once

#include "base/px_buf.h"
#include "lambda/apigw.h"
#include "observe/spans.h"
#include "region/auth_cache.h"
#include "region/auth_guard.h"
#include "region/gateway.h"
#include "region/request_days.h"
#include "svc/quota/buckets.h"
#include "vtl/vtl.h"

#define LAMBDA_EVENT_BYTES_MAX (6 * 1024 * 1024) /* synchronous invocation: aws-facts 17 */
#define GATEWAY_EVENT_KEEP_BYTES (64 * 1024)     /* a larger event buffer is not kept for reuse */

struct gateway_call {
    struct gateway *gateway;
    struct gateway_call *next, *prev;  /* the gateway's active calls, or its free list */
    struct gateway_call *next_waiting; /* in an auth flight */
    struct http_request *request;      /* NULL once answered */
    struct names_place place;
    struct api_match match;
    struct api_caller caller;
    struct px_buf event;
    struct lambda_invocation *invocation;
    struct gateway_call **stream_link; /* in the request's arena; what its on_drain sees */
    char request_id[37];
    struct trace_context trace;      /* its span is this call's */
    uint8_t parent[8];               /* the caller's span; all zero: none */
    char trace_id[TRACE_XRAY_BYTES]; /* X-Amzn-Trace-Id: the same as text */
    bool streaming, cold;
    bool gone;         /* its client is */
    bool asks_service; /* a direct integration that has not answered yet */
    int64_t started_wall_ns, started_mono_ns, deadline_mono_ns;
    int64_t invoked_mono_ns; /* 0: no function was asked */
    double function_ms, authorizer_ms, queue_ms;
    size_t bytes_in, bytes_out;
    struct px_str message, violation; /* of its gateway response: $context.error.* */
    struct quota_refusal over; /* what the tenant had spent; wait_s 0: nothing was refused for it */
    struct bucket *place_of_query; /* until its end; NULL: it holds none */
    const char *fault; /* why a gateway response was given; NULL: the function's own answer */
    struct px_str fault_type; /* which: "THROTTLED"; empty: none was */
    int status;
};
/* Authorizer calls under way, one per identity; further requests of that identity wait for it. */
struct auth_flight {
    struct gateway *gateway;
    struct auth_flight *next;
    struct px_str identity; /* owned; with the stage that it called before it */
    struct px_buf event;
    char request_id[37];
    struct gateway_call *waiting;
    int64_t started_mono_ns;
    bool
        stale; /* the cache was emptied meanwhile: its result is neither kept nor shared any more */
};
struct gateway {
    struct gateway_options options;
    struct http_server *server;
    struct auth_cache *auth;
    struct auth_guard *guard;
    struct auth_flight *flights;
    struct buckets *buckets;
    struct request_days *request_days; /* NULL: none keeps them */
    struct gateway_call *active, *spare;
    size_t spare_count;
    uv_timer_t sweep; /* integration timeouts, coarse */
    struct gateway_calm {
        size_t flood_bytes; /* that were held at once since memory last went back */
        unsigned sweeps;    /* with next to nothing held, in a row */
    } calm;
    struct gateway_stats stats;
    struct px_random_stock random; /* for the names of requests, traces and spans */
    struct spans spans;            /* the one that is being written */
    int64_t sampled_second; /* X-Ray's default rule: the first request of each second and 5 % */
    char refusal_id[37];
    int64_t handshakes_second; /* in which the last failed one was logged */
    uint32_t handshakes_logged, handshakes_silent;
    bool connections_gone, freed;
    void (*drained)(void *ctx); /* until called */
    void *drained_ctx;
};

/* gateway.c */
void gateway_call_end(struct gateway_call *call);  /* after its answer; the struct is reused */
void gateway_give_back(struct gateway *gateway);   /* gateway_calm.c: each sweep */
void gateway_integrate(struct gateway_call *call); /* authorized: build the event and invoke */
/* Percent- and plus-decoded pairs of the query string, in the request's arena. False: it cannot be read, and the pairs are those before
 * the place: an escape is broken or stands for NUL, or there are more than GATEWAY_QUERY_PAIRS_MAX. */
#define GATEWAY_QUERY_PAIRS_MAX 64
bool gateway_read_query(struct http_request *request, struct http_header *pairs, size_t *ret_count);
/* gateway_limits.c: true, or it was refused */
bool gateway_fits_aws(struct gateway_call *call);
/* gateway_quota.c: true, or it was refused: the tenant has spent what it may */
bool gateway_quota(struct gateway_call *call);
/* Headers of such a refusal in place of the contract's of the same name; returns how many there are then. */
#define GATEWAY_QUOTA_HEADERS 3
size_t gateway_quota_refusal(const struct gateway_call *call, struct http_header *headers,
                             size_t count);
/* What the tenant has left, behind the headers of a function's answer: at most 2 more; returns how many there are then. */
#define GATEWAY_LEFT_HEADERS 2
size_t gateway_quota_left(const struct gateway_call *call, struct http_header *headers,
                          size_t count);
/* gateway_direct.c: ask the service, or refuse; the call ends by itself */
void gateway_direct(struct gateway_call *call);
/* gateway_validate.c: true, or it was refused */
bool gateway_validate(struct gateway_call *call);
/* gateway_auth.c: calls gateway_integrate or gateway_refuse, at once or later */
void gateway_authorize(struct gateway_call *call);
/* What the authorizer has said so far is void, also what it is about to say. */
void gateway_auth_flush(struct gateway *gateway);
/* gateway_reply.c: each answers the request, writes the access log and clears call->request */
void gateway_refuse(struct gateway_call *call, enum api_gateway_response which, const char *why);
/* No API has that name: API Gateway's own words, which no contract can change. */
void gateway_refuse_name(struct gateway_call *call);
/* A refusal that is no gateway response. problem: borrowed for the call. */
void gateway_reply_problem(struct gateway_call *call, int status, struct px_str problem,
                           const char *why);
/* The media type of a Content-Type, without parameters; API Gateway takes none for JSON. */
struct px_str gateway_media_type(const struct http_request *request);
void gateway_reply_mock(struct gateway_call *call);
void gateway_reply_direct(struct gateway_call *call, const struct api_direct_reply *reply,
                          const struct vtl_result *result);
void gateway_reply_result(struct gateway_call *call, const struct lambda_result *result);
void gateway_stream_begin(void *ctx, struct px_str prelude_json);
size_t gateway_stream_piece(void *ctx, struct px_str piece);
void gateway_stream_end(struct gateway_call *call, bool complete);
/* gateway_trace.c */
void gateway_trace_start(struct gateway_call *call);
void gateway_log_access(struct gateway_call *call);
/* What the HTTP server refused was no call: it gets an id and a row all the same. */
struct http_header gateway_log_refusal(void *ctx, const struct http_refusal *refusal);
void gateway_log_handshake(void *ctx, struct px_str peer, const char *why);
