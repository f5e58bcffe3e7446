/* lambda/pool.c - which instance gets which invocation, and how many there are.
 *
 * One timer per pool fires at the earliest deadline (of an instance, a memory sample, a respawn) and
 * then looks at everything; there are few instances, and so a look is cheap. The first idle instance
 * of the list is always taken, so that those not needed fall idle and end.
 *
 * An invocation that waits longer than SCALE_AFTER_MS starts another instance, and each such look at
 * most doubles their number: small fast events share warm instances, slow ones soon get their own.
 * All of it holds up to concurrency_max.
 *
 * Groups that wait take turns (queue.h); one that has its share of instances is passed over, so instances
 * may be idle while invocations wait. */
#include "lambda/pool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "lambda/instance.h"

#define SCALE_AFTER_MS 5
#define SHORT_EVENT_MS 5.0
#define SAMPLE_MS 100
#define SHARED_LOOK_MS 10
#define IDLE_MS_DEFAULT 60000
#define QUEUE_DEFAULT 1000
#define LOG_BYTES_MAX (16u << 20)
#define INIT_ERROR_BYTES_MAX (256u * 1024u)
#define BACKOFF_MS_MIN 100u
#define BACKOFF_MS_MAX 5000u
#define STOP_KILL_MS 500 /* from SIGTERM to SIGKILL at the end of the grace */

/* ---- telling callers ---- */

void pool_error_json(struct px_buf *buf, const char *type, struct px_str request_id,
                     const char *message)
{
    px_buf_add_c(buf, "{\"errorType\":");
    px_buf_add_json_str(buf, px_str_c(type));
    px_buf_add_c(buf, ",\"errorMessage\":");
    struct px_buf text;
    px_buf_init(&text, 8192);
    if (request_id.len > 0) px_buf_printf(&text, "RequestId: %.*s Error: ", PX_FMT(request_id));
    px_buf_add_c(&text, message);
    px_buf_add_json_str(buf, px_buf_str(&text));
    px_buf_deinit(&text);
    px_buf_add_char(buf, '}');
    (void)px_buf_reserve(buf, HTTP_BODY_PADDING);
}

void pool_finish(struct lambda_invocation *invocation, enum lambda_outcome outcome,
                 struct px_str payload)
{
    struct lambda_pool *pool = invocation->pool;
    struct instance *instance = invocation->instance;
    struct lambda_result result = {
        .outcome = outcome, .payload = payload, .cold = invocation->cold};
    if (instance) {
        if (invocation->cold) instance_sample(instance);
        result.init_ms = invocation->cold ? instance->init_ms : 0;
        result.duration_ms = (double)(uv_hrtime() - invocation->begun_ns) / 1e6;
        result.max_rss_bytes = instance->rss_max_bytes;
        pool->usual_ms += (result.duration_ms - pool->usual_ms) / 16;
    }
    if (outcome != LAMBDA_OK && outcome != LAMBDA_THROTTLED) pool->stats.errors++;
    if (outcome == LAMBDA_THROTTLED) pool->stats.throttles++;
    struct lambda_call call = invocation->call;
    bool spilled = instance && !instance->provisioned && pool->options.concurrency_min > 0;
    if (pool->options.on_ended && !pool->freed)
        pool->options.on_ended(pool->options.ended_ctx, &result, spilled);
    bool tell = !pool->freed;
    free(invocation);
    if (tell) call.on_done(call.ctx, &result);
}

void pool_finish_error(struct lambda_invocation *invocation, enum lambda_outcome outcome,
                       const char *type, const char *message)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 64u * 1024u);
    pool_error_json(&json, type, invocation->call.request_id, message);
    pool_finish(invocation, outcome, px_buf_str(&json));
}

static void tell_later(struct lambda_invocation *invocation, enum lambda_outcome outcome)
{
    struct lambda_pool *pool = invocation->pool;
    invocation->outcome = outcome;
    invocation->next = NULL;
    *pool->to_tell_end = invocation;
    pool->to_tell_end = &invocation->next;
    pool_wake(pool, uv_now(pool->loop));
}

static void tell_all(struct lambda_pool *pool)
{
    struct lambda_invocation *list = pool->to_tell;
    pool->to_tell = NULL;
    pool->to_tell_end = &pool->to_tell;
    while (list) {
        struct lambda_invocation *invocation = list;
        list = list->next;
        if (invocation->outcome == LAMBDA_THROTTLED)
            pool_finish_error(invocation, LAMBDA_THROTTLED, "TooManyRequestsException",
                              "Rate Exceeded.");
        else if (invocation->outcome == LAMBDA_TOO_LARGE)
            pool_finish_error(invocation, LAMBDA_TOO_LARGE, "RequestTooLargeException",
                              "Request must be smaller than 6291456 bytes");
        else
            pool_finish_error(invocation, invocation->outcome, "Runtime.ExitError",
                              "the caller is gone");
    }
}

/* ---- the queue ---- */

static void queue_put(struct lambda_pool *pool, struct lambda_invocation *invocation)
{
    invocation->queued = true;
    invocation->queued_ms = uv_now(pool->loop);
    lambda_queue_put(&pool->queue, invocation);
}

static void queue_remove(struct lambda_pool *pool, struct lambda_invocation *invocation)
{
    lambda_queue_remove(&pool->queue, invocation);
    invocation->queued = false;
}

/* Three quarters, but at least one and never all of more than one. */
static uint32_t share_of(uint32_t all) { return all > 1 ? all - PX_MAX(all / 4, 1u) : all; }

static bool may_run(const void *ctx, const struct lambda_invocation *invocation)
{
    const struct lambda_pool *pool = ctx;
    uint64_t group = invocation->call.group;
    uint32_t running = 0;
    if (group == 0 || pool->stopping) return true; /* at the end what waits should soon be done */
    for (const struct instance *i = pool->instances; i; i = i->next)
        running += i->invocation && i->invocation->call.group == group;
    return running < share_of(pool->options.concurrency_max);
}

static struct lambda_invocation *queue_first(const struct lambda_pool *pool)
{
    return lambda_queue_first(&pool->queue, may_run, pool);
}

static struct lambda_invocation *queue_take(struct lambda_pool *pool)
{
    struct lambda_invocation *first = queue_first(pool);
    if (!first) return NULL;
    lambda_queue_take(&pool->queue, first);
    first->queued = false;
    return first;
}

/* False: there is no place. In a queue that is full whoever has most waiting makes room for who has less, so that groups share the
 * places evenly, however many of them want more. */
static bool queue_make_room(struct lambda_pool *pool, uint64_t group)
{
    uint32_t max = pool->options.queue_max;
    bool has_share = group != 0 && lambda_queue_waiting(&pool->queue, group) >= share_of(max);
    if (has_share || pool->queue.count < max) return !has_share;
    struct lambda_invocation *leaves = group ? lambda_queue_crowding(&pool->queue, group) : NULL;
    if (!leaves) return false;
    queue_remove(pool, leaves);
    tell_later(leaves, LAMBDA_THROTTLED);
    return true;
}

static bool may_always(const void *ctx, const struct lambda_invocation *first)
{
    (void)ctx, (void)first;
    return true;
}

static struct lambda_invocation *queue_any(const struct lambda_pool *pool)
{
    return lambda_queue_first(&pool->queue, may_always, NULL);
}

/* What waits when no instance can be started: its answer is the error of the newest start. */
static void queue_fail(struct lambda_pool *pool)
{
    struct px_buf copy; /* told callers may invoke again, and that starts instances */
    px_buf_init(&copy, INIT_ERROR_BYTES_MAX + 64);
    px_buf_add_str(&copy, px_buf_str(&pool->init_error));
    if (copy.len == 0)
        pool_error_json(&copy, "Runtime.ExitError", S(""), "the function could not be started");
    (void)px_buf_reserve(&copy, HTTP_BODY_PADDING);
    for (uint32_t n = pool->queue.count; n > 0 && pool->queue.count > 0; n--) {
        struct lambda_invocation *first = queue_any(pool);
        queue_remove(pool, first);
        pool_finish(first, LAMBDA_INIT_FAILED, px_buf_str(&copy));
    }
    px_buf_deinit(&copy);
}

/* ---- how many instances ---- */

struct census {
    uint32_t live, starting, busy;
};

static struct census census_of(const struct lambda_pool *pool)
{
    struct census census = {0};
    for (const struct instance *i = pool->instances; i; i = i->next) {
        if (!instance_is_live(i)) continue;
        census.live++;
        census.starting += i->state == INSTANCE_STARTING;
        census.busy += i->state == INSTANCE_BUSY;
    }
    return census;
}

/* Events this short wait for a processor rather than for one another: more processes than twice the
 * processors would only take turns. */
static bool processors_are_the_limit(const struct lambda_pool *pool, const struct census *census)
{
    return pool->usual_ms < SHORT_EVENT_MS && census->live >= 2 * uv_available_parallelism();
}

static uint32_t instances_wanted(struct lambda_pool *pool, const struct census *census,
                                 uint64_t now_ms)
{
    const struct lambda_pool_options *options = &pool->options;
    const struct lambda_invocation *first = queue_first(pool);
    uint32_t more = 0;
    if (!pool->stopping && census->live < options->concurrency_min)
        more = options->concurrency_min - census->live;
    if (first && pool->queue.count > census->starting && census->live > 0) {
        uint64_t due_ms = first->queued_ms + SCALE_AFTER_MS;
        if (now_ms >= due_ms && !processors_are_the_limit(pool, census))
            more = PX_MAX(more, PX_MIN(pool->queue.count - census->starting, census->live));
        pool_wake(pool, PX_MAX(due_ms, now_ms + SCALE_AFTER_MS));
    } else if (pool->queue.count > 0 && census->live == 0) {
        more = PX_MAX(more, 1u);
    }
    return PX_MIN(more, options->concurrency_max - PX_MIN(census->live, options->concurrency_max));
}

/* Of a limit that several pools share, what the others leave. While there is no room the pool looks again soon: an
 * instance of theirs that ends does not wake this one. */
static uint32_t within_shared(struct lambda_pool *pool, uint32_t live, uint32_t wanted)
{
    const struct lambda_pool_options *options = &pool->options;
    if (!options->others || wanted == 0) return wanted;
    uint32_t all = live + options->others(options->others_ctx, false);
    uint32_t room = options->concurrency_max - PX_MIN(all, options->concurrency_max);
    if (room >= wanted) return wanted;
    (void)options->others(options->others_ctx, true);
    pool_wake(pool, uv_now(pool->loop) + SHARED_LOOK_MS);
    return room;
}

static void pool_scale(struct lambda_pool *pool)
{
    if (pool->freed) return;
    uint64_t now_ms = uv_now(pool->loop);
    struct census census = census_of(pool);
    if (now_ms < pool->spawn_after_ms) {
        if (census.live == 0 && pool->queue.count > 0) queue_fail(pool);
        if (census.live < pool->options.concurrency_min) pool_wake(pool, pool->spawn_after_ms);
        return;
    }
    uint32_t more = within_shared(pool, census.live, instances_wanted(pool, &census, now_ms));
    for (uint32_t i = 0; i < more; i++) {
        bool provisioned = census.live + i < pool->options.concurrency_min;
        if (instance_spawn(pool, provisioned) != 0) {
            pool_wake(pool,
                      now_ms + BACKOFF_MS_MIN); /* out of memory; those that wait go on waiting */
            return;
        }
    }
}

void pool_instance_dead(struct instance *instance, bool in_init)
{
    struct lambda_pool *pool = instance->pool;
    if (pool->freed) return;
    if (in_init && pool->init_failures++ > 0) {
        uint32_t doublings = PX_MIN(pool->init_failures - 2, 10u);
        pool->spawn_after_ms = uv_now(pool->loop) +
                               PX_MIN(BACKOFF_MS_MIN << doublings, BACKOFF_MS_MAX);
    }
    pool_wake(pool, uv_now(pool->loop)); /* the timer starts others, and sees the end of a stop */
}

void pool_instance_asks(struct instance *instance)
{
    struct lambda_pool *pool = instance->pool;
    if (instance->answered) pool->init_failures = 0, pool->spawn_after_ms = 0;
    struct lambda_invocation *invocation = queue_take(pool);
    if (invocation) {
        instance_give(instance, invocation);
        return;
    }
    bool was_idle = instance->state == INSTANCE_IDLE;
    instance_set_state(instance, INSTANCE_IDLE, pool->options.idle_ms);
    bool spare = was_idle && census_of(pool).live > pool->options.concurrency_min;
    if (pool->stopping || spare) instance_stop(instance, SIGTERM);
}

/* ---- the timer ---- */

static struct instance *idle_instance(const struct lambda_pool *pool)
{
    for (struct instance *i = pool->instances; i; i = i->next)
        if (i->state == INSTANCE_IDLE && i->parked && !i->exited) return i;
    return NULL;
}

/* An instance that ends gives back its group's place, and another may have been idle for want of it. */
static void hand_out(struct lambda_pool *pool)
{
    struct instance *idle;
    while (pool->queue.count > 0 && (idle = idle_instance(pool)) != NULL) {
        struct lambda_invocation *invocation = queue_take(pool);
        if (!invocation) return;
        instance_give(idle, invocation);
    }
}

static void sample_busy(struct lambda_pool *pool, uint64_t now_ms)
{
    bool any = false;
    for (struct instance *i = pool->instances; i; i = i->next) any |= i->state == INSTANCE_BUSY;
    if (!any) return;
    if (now_ms >= pool->sample_due_ms) {
        pool->sample_due_ms = now_ms + SAMPLE_MS;
        for (struct instance *i = pool->instances; i; i = i->next)
            if (i->state == INSTANCE_BUSY) instance_sample(i);
    }
    pool_wake(pool, pool->sample_due_ms);
}

/* True when the pool may be gone. */
static bool stop_look(struct lambda_pool *pool, uint64_t now_ms)
{
    if (!pool->stopping) return false;
    bool over = now_ms >= pool->stop_due_ms;
    if (over) {
        while (pool->queue.count > 0) {
            struct lambda_invocation *first = queue_any(pool);
            queue_remove(pool, first);
            tell_later(first, LAMBDA_EXITED);
        }
        for (struct instance *i = pool->instances; i; i = i->next) {
            if (!instance_is_live(i)) continue;
            instance_stop(i, SIGTERM);
            instance_set_state(i, INSTANCE_STOPPING, STOP_KILL_MS);
        }
    } else {
        pool_wake(pool, pool->stop_due_ms);
    }
    bool ended = !pool->instances && pool->queue.count == 0 && !pool->to_tell;
    if (!ended || !pool->on_stopped) return false;
    void (*done)(void *ctx) = pool->on_stopped;
    pool->on_stopped = NULL;
    done(pool->stopped_ctx);
    return true;
}

static void on_timer(uv_timer_t *timer)
{
    struct lambda_pool *pool = timer->data;
    uint64_t now_ms = uv_now(pool->loop);
    pool->timer_due_ms = UINT64_MAX;
    tell_all(pool);
    for (struct instance *i = pool->instances, *next; i; i = next) {
        next = i->next;
        instance_tick(i, now_ms);
    }
    hand_out(pool);
    sample_busy(pool, now_ms);
    if (stop_look(pool, now_ms)) return;
    pool_scale(pool);
}

void pool_wake(struct lambda_pool *pool, uint64_t at_ms)
{
    if (at_ms >= pool->timer_due_ms || pool->freed) return;
    uint64_t now_ms = uv_now(pool->loop);
    pool->timer_due_ms = at_ms;
    (void)uv_timer_start(&pool->timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

/* ---- invocations ---- */

struct lambda_invocation *lambda_pool_invoke(struct lambda_pool *pool,
                                             const struct lambda_call *call)
{
    struct lambda_invocation *invocation = calloc(1, sizeof *invocation);
    PX_ASSERT(invocation); /* a few dozen bytes, and a caller who must be told */
    invocation->pool = pool;
    invocation->call = *call;
    pool->stats.invocations++;
    bool at_once = !pool->stopping && may_run(pool, invocation) && !queue_first(pool);
    struct instance *instance = at_once ? idle_instance(pool) : NULL;
    if (call->payload.len > LAMBDA_PAYLOAD_BYTES_MAX) {
        tell_later(invocation, LAMBDA_TOO_LARGE);
    } else if (instance) {
        instance_give(instance, invocation);
    } else if (pool->stopping || !queue_make_room(pool, call->group)) {
        tell_later(invocation, LAMBDA_THROTTLED);
    } else {
        queue_put(pool, invocation);
        struct census census = census_of(pool);
        pool_wake(pool, uv_now(pool->loop) + (census.live > 0 ? SCALE_AFTER_MS : 0));
    }
    return invocation;
}

void lambda_invocation_cancel(struct lambda_invocation *invocation)
{
    if (invocation->cancelled) return;
    invocation->cancelled = true;
    if (invocation->queued) {
        queue_remove(invocation->pool, invocation);
        tell_later(invocation, LAMBDA_EXITED);
    } else if (invocation->instance && !invocation->instance->exited &&
               invocation->pool->options.cancel_on_gone) {
        (void)uv_process_kill(&invocation->instance->process, SIGUSR1);
    }
}

void lambda_pool_stats(const struct lambda_pool *pool, struct lambda_pool_stats *ret_stats)
{
    struct lambda_pool_stats stats = pool->stats;
    struct census census = census_of(pool);
    stats.starting = census.starting;
    stats.busy = census.busy;
    stats.idle = census.live - census.starting - census.busy;
    stats.queued = pool->queue.count;
    stats.last_error = pool->last_error;
    stats.init_failures = pool->init_failures;
    for (struct instance *i = pool->instances; i; i = i->next) {
        if (!instance_is_live(i)) continue;
        if (i->state == INSTANCE_IDLE)
            instance_sample(i); /* idle ones are not sampled by the clock */
        stats.rss_bytes += i->rss_bytes;
    }
    *ret_stats = stats;
}

void lambda_pool_keep(struct lambda_pool *pool, uint32_t concurrency_min)
{
    pool->options.concurrency_min = PX_MIN(concurrency_min, pool->options.concurrency_max);
    pool_wake(pool, uv_now(pool->loop));
}

bool lambda_pool_shed(struct lambda_pool *pool)
{
    struct instance *idle = idle_instance(pool);
    if (idle) instance_stop(idle, SIGTERM);
    return idle != NULL;
}

uint32_t lambda_pool_live(const struct lambda_pool *pool) { return census_of(pool).live; }

uint32_t lambda_pool_busy(const struct lambda_pool *pool) { return census_of(pool).busy; }

void lambda_pool_limit(struct lambda_pool *pool, uint32_t concurrency_max)
{
    PX_ASSERT(concurrency_max >= 1);
    pool->options.concurrency_max = concurrency_max;
    pool->options.concurrency_min = PX_MIN(pool->options.concurrency_min, concurrency_max);
}

/* ---- life ---- */

int lambda_pool_new(uv_loop_t *loop, const struct lambda_pool_options *options,
                    struct lambda_pool **ret_pool)
{
    PX_ASSERT(options->concurrency_max >= 1 &&
              options->concurrency_min <= options->concurrency_max);
    struct lambda_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return px_fault(PX_F_OOM, "a pool");
    pool->loop = loop;
    pool->options = *options;
    (void)snprintf(pool->arn, sizeof pool->arn, "arn:aws:lambda:local:000000000000:function:%s",
                   options->name);
    if (!pool->options.idle_ms) pool->options.idle_ms = IDLE_MS_DEFAULT;
    if (!pool->options.queue_max) pool->options.queue_max = QUEUE_DEFAULT;
    pool->to_tell_end = &pool->to_tell;
    pool->timer_due_ms = UINT64_MAX;
    pool->usual_ms = SHORT_EVENT_MS; /* unknown: not short */
    px_buf_init(&pool->init_error, INIT_ERROR_BYTES_MAX);
    int r = log_file_open(&pool->log, options->log_path, LOG_BYTES_MAX);
    if (r == 0 && uv_timer_init(loop, &pool->timer) != 0) r = px_fault(PX_F_IO, "a timer");
    if (r != 0) {
        log_file_close(&pool->log);
        free(pool);
        return r;
    }
    pool->timer.data = pool;
    pool_scale(pool);
    *ret_pool = pool;
    return 0;
}

void lambda_pool_stop(struct lambda_pool *pool, uint32_t grace_ms, void (*done)(void *ctx),
                      void *ctx)
{
    uint64_t now_ms = uv_now(pool->loop);
    pool->stopping = true;
    pool->stop_due_ms = now_ms + grace_ms;
    pool->on_stopped = done;
    pool->stopped_ctx = ctx;
    hand_out(pool);
    for (struct instance *i = pool->instances; i; i = i->next)
        if ((i->state == INSTANCE_IDLE || i->state == INSTANCE_STARTING) && pool->queue.count == 0)
            instance_stop(i, SIGTERM);
    pool_wake(pool, now_ms);
}

void pool_unref(struct lambda_pool *pool)
{
    if (!pool->freed) {
        pool_wake(pool, uv_now(pool->loop)); /* the last instance may have been waited for */
        return;
    }
    if (!pool->timer_closed || pool->instances) return;
    log_file_close(&pool->log);
    px_buf_deinit(&pool->init_error);
    free(pool->scratch);
    free(pool);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct lambda_pool *pool = handle->data;
    pool->timer_closed = true;
    pool_unref(pool);
}

static void drop_list(struct lambda_invocation *list)
{
    while (list) {
        struct lambda_invocation *next = list->next;
        free(list);
        list = next;
    }
}

void lambda_pool_free(struct lambda_pool **pool_at)
{
    struct lambda_pool *pool = *pool_at;
    if (!pool) return;
    *pool_at = NULL;
    pool->freed = true;
    drop_list(lambda_queue_empty(&pool->queue));
    drop_list(PX_TAKE(pool->to_tell));
    for (struct instance *i = pool->instances; i; i = i->next) instance_abandon(i);
    uv_close((uv_handle_t *)&pool->timer, on_timer_closed);
}
