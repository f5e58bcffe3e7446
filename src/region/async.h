/* region/async.h - asynchronous invocation as Lambda does it: accept, then invoke, twice more after 1 and 2
 * minutes when the function fails, then the dead-letter folder.
 *
 * An accepted event is on stable storage (<data>/async/) before the caller hears of it, and is taken up
 * again after a restart: at least once. Scheduled events are not kept: the next one comes anyway.
 * Source: AWS Lambda developer guide, "How Lambda handles errors and retries with asynchronous
 * invocation"; the dead letter's form is that of a Lambda destination record. */
#pragma once

#include <uv.h>

#include "base/px_clock.h"
#include "base/px_log.h"
#include "lambda/pool.h"
#include "region/functions.h"

#define ASYNC_PAYLOAD_BYTES_MAX (1024 * 1024) /* aws-facts 17 */

struct async_queue; /* opaque */
struct async_options {
    uv_loop_t *loop;
    const char *data_dir;
    const struct px_clock *clock;
    const struct px_log *log;
    struct lambda_pool *(*pool)(void *ctx, struct px_str function);
    void *pool_ctx;
    uint32_t retry_ms; /* before the first retry, doubled for the second; 0: 60 s */
    size_t jobs_max;   /* 0: 10,000 */
    size_t bytes_max;  /* of their payloads, which stay in memory; 0: 32 MiB */
};
enum async_answer { ASYNC_FULL = 1, ASYNC_TOO_LARGE };
PX_MUST_USE int async_queue_new(const struct async_options *options,
                                struct async_queue **ret_queue);
/* Stop retrying; jobs under way are the pools' to end. */
void async_queue_stop(struct async_queue *queue);
void async_queue_free(struct async_queue **queue);
/* payload is copied. durable: kept over a restart. request_id[37] is written.
 * Answers: ASYNC_FULL, ASYNC_TOO_LARGE. */
PX_MUST_USE int async_invoke(struct async_queue *queue, const struct function_spec *function,
                             struct px_str payload, bool durable, char ret_request_id[37]);
/* Take up what an earlier process accepted. */
PX_MUST_USE int async_recover(struct async_queue *queue,
                              const struct function_catalogue *catalogue);
size_t async_pending(const struct async_queue *queue);
