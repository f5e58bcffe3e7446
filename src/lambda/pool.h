/* lambda/pool.h - the region's side of the Runtime API: instances of one function as processes, one
 * event each at a time, limits as Lambda enforces them. Single-threaded, in the region's loop.
 *
 * Instance states: STARTING (exec'd, no `next` yet), IDLE (its `next` waits), BUSY, DEAD. Each instance
 * has a Runtime API listener of its own on 127.0.0.1, as each sandbox has on AWS. Invocations wait in
 * a bounded queue when all instances are busy and concurrency_max is reached.
 * Source of behaviours: AWS Lambda developer guide (runtime API, execution environment, quotas). */
#pragma once

#include <uv.h>

#include "base/px_arena.h"
#include "base/px_log.h"
#include "http/server.h"

struct lambda_pool; /* opaque */

/* Everything is borrowed while the pool lives. */
struct lambda_result;
/* Of a streamed answer: so many bytes at once, then so many a second. All 0: as fast as it is read. */
struct lambda_stream_pace {
    uint64_t free_bytes, bytes_per_s;
};
#define LAMBDA_STREAM_PACE                                                                         \
    (struct lambda_stream_pace) { 6u << 20, 2u << 20 } /* aws-facts 17 */
struct lambda_pool_options {
    const char *name;       /* function name */
    const char *version;    /* NULL: "$LATEST" */
    const char *executable; /* path of bootstrap */
    const char *const *env; /* "NAME=value", NULL-ended; the pool adds the AWS_* ones */
    const char *log_path;   /* appended, NULL: none; one old file is kept as PATH.1 at 16 MiB */
    uint32_t memory_mb, timeout_ms;
    uint32_t concurrency_min; /* kept warm; 0: from zero */
    uint32_t concurrency_max;
    uint32_t queue_max; /* waiting invocations; past it LAMBDA_THROTTLED; 0: 1000 */
    uint32_t idle_ms;   /* instances above concurrency_min end after; 0: 60 s */
    struct lambda_stream_pace stream_pace;
    bool cancel_on_gone; /* SIGUSR1 to the instance when its caller is gone */
    /* Each line of stdout and stderr, without its end; may be NULL. When an instance crashes, times out
     * or fails to start, a line of the pool's own says so, in the form of Lambda's platform events. */
    void (*on_log)(void *ctx, const char *function, struct px_str line);
    /* A line of metrics (observe/metrics.h); it is neither told as a line of the log nor kept in its file. NULL:
     * it is a line as any other. */
    void (*on_metrics)(void *ctx, const char *function, struct px_str line);
    /* An OTLP request with spans that an instance posted to /v1/traces beside its Runtime API; NULL: 404. */
    void (*on_spans)(void *ctx, const char *function, struct px_str otlp);
    void *ctx;
    /* Each invocation that ended, before its caller is told; spilled: a warm pool's minimum did not have it. NULL: nobody
     * counts. */
    void (*on_ended)(void *ended_ctx, const struct lambda_result *result, bool spilled);
    void *ended_ctx;
    /* Several pools may share one limit: how many instances the others have. The pool asks with give true when it
     * wants one more and there is no room, so that an idle one of theirs ends. NULL: concurrency_max is its own. */
    uint32_t (*others)(void *others_ctx, bool give);
    void *others_ctx;
};
PX_MUST_USE int lambda_pool_new(uv_loop_t *loop, const struct lambda_pool_options *options,
                                struct lambda_pool **ret_pool);
/* Take nothing new (LAMBDA_THROTTLED), let what was taken end (at most grace_ms), SIGTERM, then
 * SIGKILL; done is called once when all instances are reaped. A second call hurries: its grace_ms
 * counts from then, and its done takes the place of the first. */
void lambda_pool_stop(struct lambda_pool *pool, uint32_t grace_ms, void (*done)(void *ctx),
                      void *ctx);
/* Kill what is left. No callback is called any more, so invocations should have ended before. The
 * memory goes when the loop has run its close callbacks. */
void lambda_pool_free(struct lambda_pool **pool);

/* Keep that many warm from now on, at most concurrency_max. Those above it end when they have idled. */
void lambda_pool_keep(struct lambda_pool *pool, uint32_t concurrency_min);
/* End one idle instance for another pool's sake; false: none is idle. */
bool lambda_pool_shed(struct lambda_pool *pool);
uint32_t lambda_pool_live(const struct lambda_pool *pool);
uint32_t lambda_pool_busy(const struct lambda_pool *pool);
/* Another concurrency_max from now on, at least 1; what runs above it ends when it has idled. */
void lambda_pool_limit(struct lambda_pool *pool, uint32_t concurrency_max);

enum lambda_outcome {
    LAMBDA_OK,
    LAMBDA_FUNCTION_ERROR, /* posted to /error: payload is {"errorType","errorMessage",...} */
    LAMBDA_EXITED, /* Runtime.ExitError: "RequestId: ... Error: Runtime exited with error: signal: killed" */
    LAMBDA_TIMED_OUT, /* Sandbox.Timedout: "... Task timed out after 3.00 seconds" */
    LAMBDA_INIT_FAILED,
    LAMBDA_THROTTLED, /* TooManyRequestsException, 429 */
    /* Over 6 MB: the response (Function.ResponseSizeTooLarge), or the event, which then was not given
     * to the function (RequestTooLargeException; a gateway sees to it before and answers 413). */
    LAMBDA_TOO_LARGE,
};
struct lambda_result {
    enum lambda_outcome outcome;
    struct px_str payload; /* valid during the callback, API_PADDING writable bytes behind it */
    bool cold;
    double init_ms, duration_ms;
    uint64_t max_rss_bytes; /* of the instance, sampled */
};
struct lambda_call {
    struct px_str payload;    /* borrowed until on_done */
    struct px_str trace_id;   /* X-Amzn-Trace-Id or empty */
    struct px_str request_id; /* UUID; borrowed until on_done */
    /* Whose it is (a hash of the tenant); 0: nobody's. Of one group at most three quarters of
     * concurrency_max run and of queue_max wait; groups take turns, and when the queue is full the one with most
     * waiting loses its newest (LAMBDA_THROTTLED) to one with less. */
    uint64_t group;
    /* Streamed answers, when set: called for the prelude and pieces; see lambda_stream in runtime.h.
     * It returns bytes queued downstream; the pool stops reading above 1 MiB until
     * lambda_invocation_resume(). When not set, a streamed answer becomes an ordinary one. */
    void (*on_stream_begin)(void *ctx, struct px_str prelude_json);
    size_t (*on_stream_piece)(void *ctx, struct px_str piece);
    void (*on_done)(void *ctx,
                    const struct lambda_result *result); /* exactly once, never inside invoke */
    void *ctx;
};
struct lambda_invocation; /* a handle for cancelling */
/* Never blocks. The returned handle is valid until on_done. */
struct lambda_invocation *lambda_pool_invoke(struct lambda_pool *pool,
                                             const struct lambda_call *call);
/* The caller is gone: a waiting invocation is dropped (on_done with LAMBDA_EXITED); a running one is
 * signalled when cancel_on_gone, and ends by itself otherwise. */
void lambda_invocation_cancel(struct lambda_invocation *invocation);
/* What was queued downstream has drained: go on reading a streamed answer. */
void lambda_invocation_resume(struct lambda_invocation *invocation);

struct lambda_pool_stats {
    uint32_t starting, idle, busy, queued;
    uint64_t invocations, errors, throttles, timeouts, crashes, cold_starts;
    uint64_t rss_bytes;
    uint32_t init_failures; /* in a row, up to now */
    const char
        *last_error; /* of a crash, a time-out or a failed start; empty: none. The pool's own */
};
void lambda_pool_stats(const struct lambda_pool *pool, struct lambda_pool_stats *ret_stats);
