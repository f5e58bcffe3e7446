/* sql/watch.c - see watch.h.
 *
 * While armed, and for IDLE_POLLS more, the thread wakes every POLL_MS, because a flag set by a signal
 * handler can wake nobody; so a statement that follows soon finds it awake and need not wake it.
 * Then it sleeps until the next one is armed. DuckDB forgets an interrupt when it starts the next step
 * of a statement, so it is repeated until the watch is disarmed. */
#include "sql/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define POLL_MS 10
#define IDLE_POLLS 100 /* a second */

struct sql_watch {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under lock */
    bool ended, armed, asleep;
    int idle_polls;
    duckdb_connection connection;
    struct sql_leash leash;

    atomic_int cause;
};

static int cause_now(const struct sql_leash *leash)
{
    if (leash->cancelled && *leash->cancelled) return SQL_CANCELLED;
    return px_mono_ns(leash->clock) >= leash->deadline_mono_ns ? SQL_TIMEOUT : 0;
}

static void wait_a_little(struct sql_watch *watch)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLL_MS * PX_NS_PER_MS;
    if (until.tv_nsec >= PX_NS_PER_S) {
        until.tv_nsec -= PX_NS_PER_S;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&watch->wake, &watch->lock, &until);
}

static void look(struct sql_watch *watch)
{
    int cause = atomic_load(&watch->cause);
    if (cause == 0) cause = cause_now(&watch->leash);
    if (cause == 0) return;
    atomic_store(&watch->cause, cause);
    duckdb_interrupt(watch->connection);
}

static void *watch_thread(void *arg)
{
    struct sql_watch *watch = arg;
    pthread_mutex_lock(&watch->lock);
    while (!watch->ended) {
        if (watch->armed) look(watch);
        watch->asleep = !watch->armed && ++watch->idle_polls > IDLE_POLLS;
        if (watch->asleep)
            pthread_cond_wait(&watch->wake, &watch->lock);
        else
            wait_a_little(watch);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

int sql_watch_new(struct sql_watch **ret_watch)
{
    PX_AUTO(px_free_mem) struct sql_watch *watch = calloc(1, sizeof(*watch));
    if (!watch) return px_fault(PX_F_OOM, "watch");
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&watch->lock, NULL);
    pthread_cond_init(&watch->wake, &attr);
    pthread_condattr_destroy(&attr);
    int error = pthread_create(&watch->thread, NULL, watch_thread, watch);
    if (error != 0) {
        pthread_cond_destroy(&watch->wake);
        pthread_mutex_destroy(&watch->lock);
        return px_fault(PX_F_OOM, "no thread: %s", strerror(error));
    }
    *ret_watch = PX_TAKE(watch);
    return 0;
}

void sql_watch_free(struct sql_watch **watch)
{
    struct sql_watch *w = *watch;
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->ended = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
    *watch = NULL;
}

void sql_watch_arm(struct sql_watch *watch, duckdb_connection connection,
                   const struct sql_leash *leash)
{
    pthread_mutex_lock(&watch->lock);
    PX_ASSERT(!watch->armed);
    atomic_store(&watch->cause, 0);
    watch->connection = connection;
    watch->leash = *leash;
    watch->armed = true;
    watch->idle_polls = 0;
    if (watch->asleep) pthread_cond_signal(&watch->wake);
    pthread_mutex_unlock(&watch->lock);
}

void sql_watch_disarm(struct sql_watch *watch)
{
    if (!watch) return;
    pthread_mutex_lock(&watch->lock);
    watch->armed = false;
    pthread_mutex_unlock(&watch->lock);
}

int sql_watch_cause(const struct sql_watch *watch)
{
    return watch ? atomic_load(&watch->cause) : 0;
}
