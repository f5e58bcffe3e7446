/* region/request_days.c - see request_days.h.
 *
 * A batch is the loop's (FREE), the thread's (WRITING), and the loop's again (WRITTEN) until its totals are told. */
#include "region/request_days.h"

#include <pthread.h>
#include <stdlib.h>

#include "svc/quota/days.h"

#define BATCH_MAX 256
#define BUSY_MS 2000
#define NO_LIMIT (INT64_MAX / 4) /* the buckets refuse; here it is counted */
#define ARENA_BYTES_MAX ((size_t)1 << 20)

enum batch_state { BATCH_FREE, BATCH_WRITING, BATCH_WRITTEN };

struct request_days {
    const struct px_clock *clock;
    const struct px_log *log;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* guards the next two */
    pthread_cond_t wake;
    enum batch_state state;
    bool ending;
    struct buckets_day batch[BATCH_MAX];
    size_t count;
    bool failing; /* the last batch did: it is told once */
    /* the thread's */
    struct table_store *tables;
    struct days *days;
    struct px_arena arena;
    char url[4096];
};

/* ---- the thread ---- */

static int write_one(struct request_days *days, struct buckets_day *day)
{
    int64_t wait_s = 0;
    const struct days_ask ask = {px_str_c(day->tenant), day->requests, NO_LIMIT};
    const struct table_options options = {.busy_ms = BUSY_MS};
    if (!days->tables) PX_TRY(table_store_open(px_str_c(days->url), &options, &days->tables));
    px_arena_reset(&days->arena);
    PX_TRY(days_take(days->days, days->tables, &ask, &days->arena, &wait_s));
    day->total = days_seen(days->days, ask.tenant);
    return 0;
}

static void write_batch(struct request_days *days)
{
    int fault = 0;
    for (size_t i = 0; i < days->count; i++) {
        struct buckets_day *day = &days->batch[i];
        if (fault == 0) fault = write_one(days, day);
        if (fault != 0) day->total = -1;
    }
    if (fault != 0 && !days->failing)
        px_log_fault(days->log, fault, "requests of the day are counted, and not written");
    days->failing = fault != 0;
}

static void *run(void *ctx)
{
    struct request_days *days = ctx;
    (void)pthread_mutex_lock(&days->mutex);
    for (;;) {
        while (days->state != BATCH_WRITING && !days->ending)
            (void)pthread_cond_wait(&days->wake, &days->mutex);
        if (days->state != BATCH_WRITING) break;
        (void)pthread_mutex_unlock(&days->mutex);
        write_batch(days);
        (void)pthread_mutex_lock(&days->mutex);
        days->state = BATCH_WRITTEN;
    }
    (void)pthread_mutex_unlock(&days->mutex);
    return NULL;
}

/* ---- the loop ---- */

int request_days_new(struct px_str tables_url, const struct px_clock *clock,
                     const struct px_log *log, struct request_days **ret_days)
{
    struct request_days *days = calloc(1, sizeof *days);
    if (!days) return px_fault(PX_F_OOM, "requests of days");
    days->clock = clock;
    days->log = log;
    (void)pthread_mutex_init(&days->mutex, NULL);
    (void)pthread_cond_init(&days->wake, NULL);
    px_arena_init(&days->arena, ARENA_BYTES_MAX);
    int r = tables_url.len < sizeof days->url
                ? days_new(clock, S("requests"), &days->days)
                : px_fault(PX_F_CONFIG, "the tables' URL is too long");
    if (r == 0) memcpy(days->url, tables_url.ptr, tables_url.len);
    if (r == 0 && pthread_create(&days->thread, NULL, run, days) != 0)
        r = px_fault(PX_F_UNAVAILABLE, "a thread for requests of days");
    days->started = r == 0;
    if (r != 0) {
        request_days_free(&days, NULL);
        return r;
    }
    *ret_days = days;
    return 0;
}

static void tell(struct request_days *days, struct buckets *buckets)
{
    for (size_t i = 0; i < days->count; i++) buckets_day_put(buckets, &days->batch[i]);
    days->count = 0;
    days->state = BATCH_FREE;
}

void request_days_turn(struct request_days *days, struct buckets *buckets)
{
    (void)pthread_mutex_lock(&days->mutex);
    if (days->state == BATCH_WRITTEN) tell(days, buckets);
    if (days->state == BATCH_FREE) {
        days->count = buckets_day_take(buckets, days->batch, BATCH_MAX);
        if (days->count > 0) days->state = BATCH_WRITING;
        if (days->count > 0) (void)pthread_cond_signal(&days->wake);
    }
    (void)pthread_mutex_unlock(&days->mutex);
}

static void end_thread(struct request_days *days)
{
    (void)pthread_mutex_lock(&days->mutex);
    days->ending = true;
    (void)pthread_cond_signal(&days->wake);
    (void)pthread_mutex_unlock(&days->mutex);
    (void)pthread_join(days->thread, NULL);
}

void request_days_free(struct request_days **days_at, struct buckets *buckets)
{
    struct request_days *days = *days_at;
    if (!days) return;
    *days_at = NULL;
    if (days->started) end_thread(days);
    if (buckets && !days->failing)
        while ((days->count = buckets_day_take(buckets, days->batch, BATCH_MAX)) > 0)
            write_batch(days);
    table_store_close(&days->tables);
    days_free(&days->days);
    px_arena_deinit(&days->arena);
    (void)pthread_cond_destroy(&days->wake);
    (void)pthread_mutex_destroy(&days->mutex);
    free(days);
}
