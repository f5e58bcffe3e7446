/* svc/query/reply.h - from result bytes to answers: small ones whole, with their cost in a header; large
 * ones in pieces as they come. */
#pragma once

#include "svc/query/coder.h"
#include "svc/query/cost.h"
#include "svc/query/query.h"
#include "svc/quota/told.h"

struct reply {
    const struct query_sink *sink;
    struct px_str request_id;
    struct px_str content_type;
    bool binary;
    bool begun;           /* the sink has the status: what fails now can only cut the answer */
    uint64_t bytes_max;   /* of the body */
    uint64_t bytes_given; /* to the sink */
    struct px_buf body;   /* what is not yet given */
    enum coding coding;   /* of a result, set before the first flush; a short one is sent plainly */
    struct coder *coder;  /* once something was coded */
    struct px_buf coded;
    /* Before the answer's last bytes go, whatever it is: what the caller's next request needs is free then. May be NULL,
     * and called more than once. */
    void (*ending)(void *ctx);
    void *ending_ctx;
};
void reply_init(struct reply *reply, const struct query_sink *sink, struct px_str request_id,
                uint64_t bytes_max);
void reply_deinit(struct reply *reply);

enum reply_answer { REPLY_TOO_LARGE = 1 };
/* After each addition to the body: gives a piece when there is enough.
 * Answers: REPLY_TOO_LARGE: over bytes_max, or over what a whole answer holds when the sink cannot
 * stream. */
PX_MUST_USE int reply_flush(struct reply *reply);
/* The end. warning may be empty. Answers as reply_flush. */
PX_MUST_USE int reply_end(struct reply *reply, const struct query_cost *cost,
                          struct px_str warning);
/* Give what is in the body, whatever the limit says; only after something has begun. */
PX_MUST_USE int reply_last(struct reply *reply);
/* A problem instead of the result; only while nothing has begun. extra_json: see api_problem_write. */
PX_MUST_USE int reply_problem(struct reply *reply, int status, struct px_str detail,
                              struct px_str extra_json);
/* Likewise 429, with what is told of the quota that is spent. */
PX_MUST_USE int reply_over(struct reply *reply, const struct quota_refusal *over,
                           struct px_str detail, struct px_arena *arena);
