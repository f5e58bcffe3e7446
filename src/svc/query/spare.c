/* svc/query/spare.c - see spare.h. States: nothing, opening (a thread runs), ready. The thread is joined
 * before its result is looked at, so nothing is shared. */
#include "svc/query/spare.h"

#include <pthread.h>
#include <stdlib.h>

struct spare {
    struct px_arena arena;
    struct sql_limits limits;
    struct sql_engine *engine;
    pthread_t thread;
    bool opening;
};

static void *open_thread(void *arg)
{
    struct spare *spare = arg;
    if (sql_engine_new(&spare->limits, &spare->engine) != 0) spare->engine = NULL;
    return NULL; /* whoever takes tries again and sees the fault */
}

static void begin(struct spare *spare)
{
    spare->opening = pthread_create(&spare->thread, NULL, open_thread, spare) == 0;
}

static void settle(struct spare *spare)
{
    if (spare->opening) pthread_join(spare->thread, NULL);
    spare->opening = false;
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
    settle(*spare);
    sql_engine_free(&(*spare)->engine);
    px_arena_deinit(&(*spare)->arena);
    free(*spare);
    *spare = NULL;
}

int spare_take(struct spare *spare, struct sql_engine **ret_engine)
{
    settle(spare);
    if (!spare->engine) PX_TRY(sql_engine_new(&spare->limits, &spare->engine));
    *ret_engine = PX_TAKE(spare->engine);
    begin(spare);
    return 0;
}
