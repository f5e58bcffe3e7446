/* svc/storage/storage.c - what the operations share: the DuckDB engine, notices. */
#include "svc/storage/storage.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/px_file.h"
#include "base/px_id.h"
#include "store/hot_fence.h"
#include "svc/storage/storage_internal.h"

int storage_new(const struct storage_options *options, struct storage **ret_storage)
{
    struct storage *storage = calloc(1, sizeof *storage);
    if (!storage) return px_fault(PX_F_OOM, "storage");
    storage->magic = STORAGE_MAGIC;
    storage->options = *options;
    struct storage_limits *limits = &storage->options.limits;
    if (!storage->options.clock) storage->options.clock = &px_clock_system;
    if (limits->memory_bytes == 0) limits->memory_bytes = UINT64_C(1) << 30;
    if (limits->threads == 0) limits->threads = 2;
    if (limits->temp_bytes_max == 0) limits->temp_bytes_max = UINT64_C(8) << 30;
    *ret_storage = storage;
    return 0;
}

void storage_free(struct storage **storage)
{
    struct storage *s = *storage;
    if (!s) return;
    PX_ASSERT(s->magic == STORAGE_MAGIC);
    sql_engine_free(&s->engine);
    if (s->spill_dir[0] && px_dir_remove(s->spill_dir) != 0)
        s->spill_dir[0] = '\0'; /* retain will */
    free(s);
    *storage = NULL;
}

/* DuckDB makes the folder when it needs it, but not the one above. */
static int name_spill_dir(struct storage *storage)
{
    char id[37];
    px_uuid7(px_wall_ns(&px_clock_system), id);
    struct px_str parent = storage->options.limits.temp_dir;
    int n = snprintf(storage->spill_dir, sizeof storage->spill_dir, "%.*s/" SPILL_PREFIX "%s",
                     PX_FMT(parent), id);
    if (n < 0 || (size_t)n >= sizeof storage->spill_dir) {
        storage->spill_dir[0] = '\0';
        return px_fault(PX_F_CONFIG, "temp dir too long");
    }
    char *slash = strrchr(storage->spill_dir, '/');
    *slash = '\0';
    int r = px_dir_make(storage->spill_dir);
    *slash = '/';
    return r;
}

static int engine_open(struct storage *storage, struct sql_engine **ret_engine)
{
    const struct storage_limits *limits = &storage->options.limits;
    if (limits->temp_dir.len > 0) PX_TRY(name_spill_dir(storage));
    const struct sql_limits sql_limits = {
        .memory_bytes = limits->memory_bytes,
        .threads = limits->threads,
        .temp_dir = px_str_c(storage->spill_dir),
        .temp_bytes_max = limits->temp_dir.len > 0 ? limits->temp_bytes_max : 0,
        .remote = storage->options.remote,
    };
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    PX_TRY(sql_engine_new(&sql_limits, &engine));
    PX_TRY(hot_table_register(sql_engine_connection(engine), &storage->sets));
    /* rows of one frame stay together, the order of frames means nothing; ORDER BY still holds */
    PX_TRY(sql_exec(engine, "SET preserve_insertion_order = false"));
    storage->reader = 0;
    *ret_engine = PX_TAKE(engine);
    return 0;
}

int storage_engine(struct storage *storage, struct sql_engine **ret_engine)
{
    if (!storage->engine) PX_TRY(engine_open(storage, &storage->engine));
    *ret_engine = storage->engine;
    return 0;
}

int storage_is_settled(struct storage *storage, struct px_str tenant, bool *ret_settled)
{
    struct hot_fence fence;
    PX_TRY(hot_fence_read(storage->options.hot, tenant, &fence));
    *ret_settled = fence.state == HOT_FENCE_NONE || fence.state == HOT_FENCE_HOME;
    return 0;
}

bool storage_late(const struct storage_scope *scope, struct storage_counts *counts)
{
    bool late = scope->deadline_mono_ns != 0 &&
                px_mono_ns(&px_clock_system) >= scope->deadline_mono_ns;
    if (late) counts->more = true;
    return late;
}

static void notify(struct storage *storage, const struct storage_notice *notice)
{
    if (storage->options.notify) storage->options.notify(storage->options.notify_ctx, notice);
}

void storage_failed(struct storage *storage, struct px_str tenant, struct px_str dataset, int fault,
                    struct storage_counts *counts)
{
    char text[512];
    counts->failed++;
    notify(storage, &(struct storage_notice){STORAGE_FAILED,
                                             tenant,
                                             dataset,
                                             {0},
                                             px_str_c(px_fault_text(fault, text, sizeof text))});
}

void storage_set_aside(struct storage *storage, struct px_str tenant, struct px_str dataset,
                       struct px_str what, struct px_str why, struct storage_counts *counts)
{
    counts->set_aside++;
    notify(storage, &(struct storage_notice){STORAGE_SET_ASIDE, tenant, dataset, what, why});
}
