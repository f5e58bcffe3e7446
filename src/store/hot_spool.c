/* store/hot_spool.c - see hot_spool.h. */
#include "store/hot_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/px_file.h"
#include "store/hot_disk.h"
#include "store/hot_fence.h"

static int path_of(const struct hot_store *store, struct px_str tenant, char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/%.*s/" HOT_SPOOL_FOLDER, store->root, PX_FMT(tenant));
    return n > 0 && n < PATH_MAX ? 0 : px_fault(PX_F_LIMIT, "path too long below %s", store->root);
}

/* The tenant's folder is asked for, so that a client of NFS looks this name up anew. */
static int is_there(struct hot_store *store, struct px_str tenant, const char *path,
                    bool *ret_there)
{
    struct hot_fence fence;
    struct statx about;
    PX_TRY(hot_fence_read(store, tenant, &fence));
    *ret_there = statx(AT_FDCWD, path, AT_STATX_FORCE_SYNC, STATX_TYPE, &about) == 0;
    return *ret_there || errno == ENOENT || errno == ESTALE ? 0 : px_fault_errno("stat %s", path);
}

int hot_spool_open(struct hot_store *store, struct px_str tenant, int64_t epoch, bool make,
                   struct hot_spool *ret_spool)
{
    char path[PATH_MAX];
    bool there = make;
    struct hot_spool spool = {0};
    PX_TRY(path_of(store, tenant, path));
    if (!make) PX_TRY(is_there(store, tenant, path, &there));
    if (!there) return HOT_SPOOL_ABSENT;
    (void)snprintf(spool.name, sizeof spool.name, "m%lld", (long long)epoch);
    PX_TRY(hot_store_open_on(px_str_c(path), store->disk, &spool.files));
    *ret_spool = spool;
    return 0;
}

void hot_spool_close(struct hot_spool *spool)
{
    hot_store_close(&spool->files);
    *spool = (struct hot_spool){0};
}

int hot_spool_list(const struct hot_spool *spool, struct px_arena *arena,
                   struct hot_file **ret_files, size_t *ret_count)
{
    struct px_str name = px_str_c(spool->name);
    PX_TRY(hot_refresh(spool->files, name, arena));
    return hot_list(spool->files, name, S(""), arena, ret_files, ret_count);
}

int hot_spool_remove(struct hot_store *store, struct px_str tenant)
{
    char path[PATH_MAX];
    PX_TRY(path_of(store, tenant, path));
    return px_dir_remove(path);
}
