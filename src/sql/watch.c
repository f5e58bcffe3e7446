/* sql/watch.c - see watch.h.
 *
 * The thread wakes every POLL_MS, because a flag set by a signal handler can wake nobody. DuckDB
 * forgets an interrupt when it starts the next step of a statement, so it is repeated until the
 * watch ends. */
#include "sql/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define POLL_MS 10

struct sql_watch {
    duckdb_connection connection;
    struct sql_leash leash;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ended; /* under lock */
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

static void *watch_thread(void *arg)
{
    struct sql_watch *watch = arg;
    pthread_mutex_lock(&watch->lock);
    while (!watch->ended) {
        int cause = atomic_load(&watch->cause);
        if (cause == 0) cause = cause_now(&watch->leash);
        if (cause != 0) {
            atomic_store(&watch->cause, cause);
            duckdb_interrupt(watch->connection);
        }
        wait_a_little(watch);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

int sql_watch_new(duckdb_connection connection, const struct sql_leash *leash,
                  struct sql_watch **ret_watch)
{
    PX_AUTO(px_free_mem) struct sql_watch *watch = calloc(1, sizeof(*watch));
    if (!watch) return px_fault(PX_F_OOM, "watch");
    watch->connection = connection;
    watch->leash = *leash;
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

int sql_watch_cause(const struct sql_watch *watch)
{
    return watch ? atomic_load(&watch->cause) : 0;
}
