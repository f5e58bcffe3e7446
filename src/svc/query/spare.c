/* svc/query/spare.c - see spare.h. A thread that opens owns `engine` until it is joined, one that closes
 * owns `old`; nothing is shared. */
#include "svc/query/spare.h"

#include <pthread.h>
#include <stdlib.h>

struct spare {
    struct px_arena arena;
    struct sql_limits limits;
    struct sql_engine *engine;
    pthread_t open_thread;
    bool opening;
    struct sql_engine *old;
    pthread_t close_thread;
    bool closing;
};

static void *open_engine(void *arg)
{
    struct spare *spare = arg;
    if (sql_engine_new(&spare->limits, &spare->engine) != 0) spare->engine = NULL;
    return NULL; /* whoever takes tries again and sees the fault */
}

static void *close_engine(void *arg)
{
    struct spare *spare = arg;
    sql_engine_free(&spare->old);
    return NULL;
}

static void join(pthread_t thread, bool *running)
{
    if (*running) pthread_join(thread, NULL);
    *running = false;
}

int spare_new(const struct sql_limits *limits, struct spare **ret_spare)
{
    PX_AUTO(spare_free) struct spare *spare = calloc(1, sizeof(*spare));
    if (!spare) return px_fault(PX_F_OOM, "spare engine");
    px_arena_init(&spare->arena, 1u << 16);
    spare->limits = *limits;
    spare->limits.temp_dir = px_arena_dup(&spare->arena, limits->temp_dir);
    if (!spare->limits.temp_dir.ptr) return px_fault(px_arena_fault(&spare->arena), "temp dir");
    PX_TRY(sql_engine_new(&spare->limits, &spare->engine));
    *ret_spare = PX_TAKE(spare);
    return 0;
}

void spare_free(struct spare **spare)
{
    if (!*spare) return;
    join((*spare)->open_thread, &(*spare)->opening);
    join((*spare)->close_thread, &(*spare)->closing);
    sql_engine_free(&(*spare)->engine);
    px_arena_deinit(&(*spare)->arena);
    free(*spare);
    *spare = NULL;
}

int spare_take(struct spare *spare, struct sql_engine **ret_engine)
{
    join(spare->open_thread, &spare->opening);
    if (!spare->engine) PX_TRY(sql_engine_new(&spare->limits, &spare->engine));
    *ret_engine = PX_TAKE(spare->engine);
    spare->opening = pthread_create(&spare->open_thread, NULL, open_engine, spare) == 0;
    return 0;
}

void spare_give(struct spare *spare, struct sql_engine **engine)
{
    join(spare->close_thread, &spare->closing);
    spare->old = PX_TAKE(*engine);
    spare->closing = pthread_create(&spare->close_thread, NULL, close_engine, spare) == 0;
    if (!spare->closing) sql_engine_free(&spare->old);
}
