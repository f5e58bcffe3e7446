/* svc/ingest/dataset_limit.c - see dataset_limit.h. */
#include "svc/ingest/dataset_limit.h"

static bool has(const struct px_str *names, size_t count, struct px_str name)
{
    for (size_t i = 0; i < count; i++)
        if (px_str_eq(names[i], name)) return true;
    return false;
}

/* At the ceiling: folders of dropped datasets do not count, and one of those is as new as any. */
static int admit_by_catalog(const struct dataset_limit *limit, struct px_str tenant,
                            struct px_str dataset, const struct px_str *folders, size_t count,
                            struct px_arena *arena)
{
    struct catalog *catalog = NULL;
    struct px_str *dropped = NULL;
    size_t dropped_count = 0, in_use = 0;
    PX_TRY(limit->catalog_of(limit->ctx, &catalog));
    PX_TRY(catalog_dropped(catalog, tenant, arena, &dropped, &dropped_count));
    for (size_t i = 0; i < count; i++) in_use += !has(dropped, dropped_count, folders[i]);
    bool is_new = !has(folders, count, dataset) || has(dropped, dropped_count, dataset);
    return is_new && in_use >= limit->datasets_max ? DATASET_REFUSED : 0;
}

int dataset_admit(const struct dataset_limit *limit, struct px_str tenant, struct px_str dataset,
                  struct px_arena *arena)
{
    struct px_str *folders = NULL;
    size_t count = 0;
    PX_TRY(hot_datasets(limit->hot, tenant, arena, &folders, &count));
    bool is_new = !has(folders, count, dataset);
    if (count + is_new <= limit->datasets_max) return 0;
    return admit_by_catalog(limit, tenant, dataset, folders, count, arena);
}
