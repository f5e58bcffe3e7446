/* svc/query/engines.c - see engines.h.
 *
 * fresh: opened, nobody's. kept: locked to `tenant`. old: being closed. A thread that opens owns `fresh`
 * until it is joined, one that closes owns `old`; nothing else is shared. */
#include "svc/query/engines.h"

#include "svc/lending/lending.h"

#include <pthread.h>
#include <stdlib.h>

#define TENANT_BYTES_MAX 64
#define QUERIES_KEPT_MAX 1000 /* then a kept engine is renewed, whatever may have piled up in it */

struct thread {
    pthread_t id;
    bool running;
};
struct engines {
    struct px_arena arena;
    struct engines_options options;
    struct hot_sets hot_sets;
    struct sql_engine *fresh;
    struct thread opener;
    struct sql_engine *kept;
    struct views *views, *exact_views; /* of the kept one; of one that is leased exact */
    char tenant[TENANT_BYTES_MAX];
    size_t tenant_len;
    uint32_t queries; /* of the kept one */
    uint64_t reader;  /* whose credentials it has; 0: none */
    struct sql_engine *old;
    struct thread closer;
};

/* ---- threads ---- */

static void join(struct thread *thread)
{
    if (thread->running) pthread_join(thread->id, NULL);
    thread->running = false;
}

static void *open_fresh(void *arg)
{
    struct engines *engines = arg;
    if (sql_engine_new(&engines->options.limits, &engines->fresh) != 0) engines->fresh = NULL;
    return NULL; /* whoever takes tries again and sees the fault */
}

static void *close_old(void *arg)
{
    struct engines *engines = arg;
    sql_engine_free(&engines->old);
    return NULL;
}

static int take_fresh(struct engines *engines, struct sql_engine **ret_engine)
{
    join(&engines->opener);
    if (!engines->fresh) PX_TRY(sql_engine_new(&engines->options.limits, &engines->fresh));
    *ret_engine = PX_TAKE(engines->fresh);
    struct thread *opener = &engines->opener;
    opener->running = pthread_create(&opener->id, NULL, open_fresh, engines) == 0;
    return 0;
}

/* The engine is stopped already. */
static void discard(struct engines *engines, struct sql_engine *engine)
{
    struct thread *closer = &engines->closer;
    if (!engine) return;
    join(closer);
    engines->old = engine;
    closer->running = pthread_create(&closer->id, NULL, close_old, engines) == 0;
    if (!closer->running) sql_engine_free(&engines->old);
}

/* ---- a tenant's engine ---- */

/* Where all objects of a tenant are in a store, with '/' at the end. */
static int folder_of(struct object_store *store, struct px_str tenant, struct px_arena *arena,
                     struct px_str *ret_folder)
{
    struct px_str url, key = px_arena_printf(arena, "%.*s/x", PX_FMT(tenant));
    if (!key.ptr) return px_fault(px_arena_fault(arena), "folder");
    PX_TRY(object_url(store, key, arena, &url));
    PX_ASSERT(px_str_ends(url, key));
    *ret_folder = px_str(url.ptr, url.len - 1);
    return 0;
}

static int lock_to(struct engines *engines, struct sql_engine *engine, struct px_str tenant)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 1u << 16);
    const struct copies *copies = engines->options.copies;
    struct px_str folders[3];
    size_t count = 2;
    PX_TRY(folder_of(engines->options.segments, tenant, &arena, &folders[0]));
    PX_TRY(folder_of(engines->options.analytics, tenant, &arena, &folders[1]));
    if (copies) PX_TRY(copies_folder(copies, tenant, &arena, &folders[count++]));
    PX_TRY(sql_engine_lock_folders(engine, folders, count));
    return 0;
}

static int keep_for(struct engines *engines, struct px_str tenant)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    PX_ASSERT(tenant.len > 0 && tenant.len < TENANT_BYTES_MAX);
    discard(engines, PX_TAKE(engines->kept));
    views_free(&engines->views);
    PX_TRY(views_new(&engines->views));
    PX_TRY(take_fresh(engines, &engine));
    PX_TRY(hot_table_register(sql_engine_connection(engine), &engines->hot_sets));
    PX_TRY(lock_to(engines, engine, tenant));
    engines->kept = PX_TAKE(engine);
    memcpy(engines->tenant, tenant.ptr, tenant.len);
    engines->tenant_len = tenant.len;
    engines->queries = 0;
    engines->reader = 0;
    return 0;
}

static int take_kept(struct engines *engines, struct px_str tenant)
{
    bool same = engines->kept && px_str_eq(tenant, px_str(engines->tenant, engines->tenant_len));
    if (!same || engines->queries >= QUERIES_KEPT_MAX) PX_TRY(keep_for(engines, tenant));
    engines->queries++;
    return 0;
}

/* ---- leases ---- */

int engines_take(struct engines *engines, struct px_str tenant, bool exact,
                 struct engine_lease *ret_lease)
{
    struct engine_lease lease = {.hot_sets = &engines->hot_sets, .exact = exact};
    memset(&engines->hot_sets, 0, sizeof(engines->hot_sets));
    if (exact) {
        PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
        PX_TRY(take_fresh(engines, &engine));
        PX_TRY(hot_table_register(sql_engine_connection(engine), &engines->hot_sets));
        uint64_t reader = 0;
        PX_TRY(lend_access(engines->options.readers, tenant, engine, &reader));
        PX_TRY(views_new(&engines->exact_views));
        lease.views = engines->exact_views;
        lease.engine = PX_TAKE(engine);
    } else {
        PX_TRY(take_kept(engines, tenant));
        PX_TRY(lend_access(engines->options.readers, tenant, engines->kept, &engines->reader));
        lease.views = engines->views;
        lease.engine = engines->kept;
    }
    *ret_lease = lease;
    return 0;
}

/* The next query's connection is made now, when nobody waits for it. */
static bool ready_again(struct engines *engines, const struct engine_lease *lease)
{
    if (lease->broken || sql_engine_renew(lease->engine) != 0) return false;
    return (lease->forgetful ? views_drop_all : views_tidy)(engines->views, lease->engine) == 0;
}

void engines_give(struct engines *engines, struct engine_lease *lease)
{
    if (!lease->engine) return;
    if (lease->exact) {
        sql_engine_stop(lease->engine);
        views_free(&engines->exact_views);
        discard(engines, lease->engine);
    } else if (!ready_again(engines, lease)) {
        sql_engine_stop(lease->engine);
        discard(engines, PX_TAKE(engines->kept));
    }
    lease->engine = NULL;
}

/* ---- life ---- */

int engines_new(const struct engines_options *options, struct engines **ret_engines)
{
    PX_AUTO(engines_free) struct engines *engines = calloc(1, sizeof(*engines));
    if (!engines) return px_fault(PX_F_OOM, "engines");
    px_arena_init(&engines->arena, 1u << 16);
    engines->options = *options;
    struct sql_limits *limits = &engines->options.limits;
    limits->temp_dir = px_arena_dup(&engines->arena, options->limits.temp_dir);
    limits->remote.extension = px_arena_dup(&engines->arena, options->limits.remote.extension);
    limits->remote.ca_file = px_arena_dup(&engines->arena, options->limits.remote.ca_file);
    if (!limits->temp_dir.ptr || !limits->remote.extension.ptr || !limits->remote.ca_file.ptr)
        return px_fault(px_arena_fault(&engines->arena), "paths");
    PX_TRY(sql_engine_new(&engines->options.limits, &engines->fresh));
    engines->options.limits.remote.verified = true;
    *ret_engines = PX_TAKE(engines);
    return 0;
}

void engines_free(struct engines **engines)
{
    struct engines *e = *engines;
    if (!e) return;
    join(&e->opener);
    join(&e->closer);
    sql_engine_free(&e->fresh);
    sql_engine_free(&e->kept);
    views_free(&e->views);
    views_free(&e->exact_views);
    px_arena_deinit(&e->arena);
    free(e);
    *engines = NULL;
}
