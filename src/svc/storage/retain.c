/* svc/storage/retain.c - what is too old, what nothing refers to, and what crashes left behind.
 *
 * Removal of objects comes last in every chain: a segment is first dead in the catalog, for as long as
 * a query that began before may run (dead_grace_s), then its object goes, then its row. An object that
 * the catalog does not know is an orphan of a crash once it is older than any writer can be
 * (orphan_age_s); its age is the file system's, so the machine's clock is asked and not the one that a
 * test may have moved. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "store/hot_fence.h"
#include "store/hot_spool.h"
#include "svc/catalog/names.h"
#include "svc/catalog/retention.h"
#include "svc/storage/manifest.h"
#include "svc/storage/offboard.h"
#include "svc/storage/retain_rules.h"

enum { PAGE = 256, MARKS_MAX = 10000 };

#define NS_PER_DAY (86400 * PX_NS_PER_S)

static bool in_scope(const struct storage_scope *scope, struct px_str tenant, struct px_str dataset)
{
    return (scope->tenant.len == 0 || px_str_eq(scope->tenant, tenant)) &&
           (scope->dataset.len == 0 || px_str_eq(scope->dataset, dataset));
}

/* ---- retention ---- */

static int expire_segments(struct storage *storage, const struct dataset_info *info,
                           struct storage_counts *counts)
{
    int64_t days = retention_of(storage->options.lifecycle, info).days;
    int64_t limit_us = px_wall_ns(storage->options.clock) / PX_NS_PER_US -
                       days * (NS_PER_DAY / PX_NS_PER_US);
    if (info->segments == 0 || info->time_min_us >= limit_us) return 0;
    size_t expired = 0;
    PX_TRY(catalog_expire(storage->options.catalog, info->tenant, info->name, limit_us, &expired));
    counts->segments_in += expired;
    counts->datasets += expired > 0;
    return 0;
}

static int expire_dataset(struct storage *storage, const struct storage_scope *scope,
                          const struct dataset_info *info, struct storage_counts *counts)
{
    bool settled = false;
    PX_TRY(storage_is_settled(storage, info->tenant, &settled));
    if (!settled) return 0;
    PX_TRY(expire_segments(storage, info, counts));
    return storage_retain_rules(storage, scope, info, counts);
}

static int expire(struct storage *storage, const struct storage_scope *scope,
                  struct px_arena *arena, struct storage_counts *counts)
{
    struct dataset_info *infos = NULL;
    size_t count = 0;
    PX_TRY(catalog_list(storage->options.catalog, scope->tenant, arena, &infos, &count));
    for (size_t i = 0; i < count; i++) {
        if (!in_scope(scope, infos[i].tenant, infos[i].name)) continue;
        int r = expire_dataset(storage, scope, &infos[i], counts);
        if (r != 0) storage_failed(storage, infos[i].tenant, infos[i].name, r, counts);
    }
    return 0;
}

/* ---- dead segments ---- */

static int remove_dead(struct storage *storage, const struct storage_scope *scope,
                       struct px_arena *arena, struct storage_counts *counts)
{
    for (size_t count = PAGE; count == PAGE && !storage_late(scope, counts);) {
        struct segment *dead = NULL;
        int64_t ids[PAGE];
        px_arena_reset(arena);
        PX_TRY(catalog_dead(storage->options.catalog,
                            storage->options.lifecycle->dead_grace_s * PX_NS_PER_S, PAGE, arena,
                            &dead, &count));
        for (size_t i = 0; i < count; i++) {
            PX_TRY(object_delete(storage_tier(storage, dead[i].tier), dead[i].key));
            ids[i] = dead[i].id;
        }
        if (count > 0) PX_TRY(catalog_forget(storage->options.catalog, ids, count));
        counts->objects_removed += count;
    }
    return 0;
}

/* ---- orphans ---- */

/* What a move has brought is in no catalog until its dataset's import, and what it wrote down never is: both are kept until
 * it is over, however long it takes. */
static int is_moving(struct storage *storage, struct px_str key, bool *ret_moving)
{
    struct px_str moves = S(MOVES_PREFIX), tenant, epoch;
    struct px_str rest = px_str_skip(key, px_str_starts(key, moves) ? moves.len : 0);
    struct hot_fence fence = {0};
    if (px_str_cut(&rest, '/', &tenant) && tenant_name_ok(tenant))
        PX_TRY(hot_fence_read(storage->options.hot, tenant, &fence));
    *ret_moving = fence.state == HOT_FENCE_THAWED || fence.state == HOT_FENCE_LEAVING ||
                  fence.state == HOT_FENCE_ARRIVING || hot_fence_is_open(&fence);
    /* What was spooled may be nowhere else until the other region has told it on; clean removes it then. A tenant that was
     * deleted has no fence. */
    if (fence.state != HOT_FENCE_NONE && px_str_cut(&rest, '/', &epoch) &&
        px_str_starts(rest, S(MOVE_SPOOL_FOLDER)))
        *ret_moving = true;
    return 0;
}

static int remove_if_orphan(struct storage *storage, struct object_store *store,
                            const struct object_info *info, struct storage_counts *counts)
{
    int64_t age_ns = px_wall_ns(&px_clock_system) - info->modified_ns;
    if (age_ns < storage->options.lifecycle->orphan_age_s * PX_NS_PER_S) return 0;
    if (px_str_starts(info->key, S(QUARANTINE_PREFIX))) return 0;
    if (px_str_starts(info->key, S(PROOFS_PREFIX))) return 0;
    bool known = px_str_starts(info->key, S(EXPORTS_PREFIX)) &&
                 age_ns < storage->options.lifecycle->export_days * NS_PER_DAY;
    if (!known) PX_TRY(catalog_knows(storage->options.catalog, info->key, &known));
    if (known) return 0;
    bool moving = false;
    PX_TRY(is_moving(storage, info->key, &moving));
    if (moving) return 0;
    PX_TRY(object_delete(store, info->key));
    counts->objects_removed++;
    return 0;
}

static int remove_orphans(struct storage *storage, struct object_store *store,
                          const struct storage_scope *scope, struct px_arena *arena,
                          struct storage_counts *counts)
{
    char after_text[1025];
    struct px_str after = {0};
    for (size_t count = PAGE; count == PAGE && !storage_late(scope, counts);) {
        struct object_info *infos = NULL;
        px_arena_reset(arena);
        PX_TRY(object_list(store, S(""), after, PAGE, arena, &infos, &count));
        for (size_t i = 0; i < count; i++)
            PX_TRY(remove_if_orphan(storage, store, &infos[i], counts));
        if (count == 0) break;
        struct px_str last = infos[count - 1].key;
        PX_ASSERT(last.len < sizeof after_text);
        memcpy(after_text, last.ptr, last.len);
        after = px_str(after_text, last.len);
    }
    return 0;
}

/* ---- marks ---- */

static int prune_mark(struct storage *storage, const struct idle_mark *mark, struct px_arena *arena,
                      struct storage_counts *counts)
{
    struct hot_file *files = NULL;
    size_t count = 0;
    PX_TRY(hot_list(storage->options.hot, mark->tenant, mark->dataset, arena, &files, &count));
    for (size_t i = 0; i < count; i++)
        if (px_str_eq(files[i].writer, mark->writer))
            return 0; /* its sealed frames are still there */
    PX_TRY(catalog_forget_mark(storage->options.catalog, mark));
    counts->items_removed++;
    return 0;
}

static int prune_marks(struct storage *storage, struct px_arena *arena,
                       struct storage_counts *counts)
{
    struct idle_mark *marks = NULL;
    size_t count = 0;
    px_arena_reset(arena);
    PX_TRY(catalog_idle_marks(storage->options.catalog,
                              storage->options.lifecycle->mark_idle_days * NS_PER_DAY, MARKS_MAX,
                              arena, &marks, &count));
    PX_AUTO(px_arena_deinit) struct px_arena listing;
    px_arena_init(&listing, STORAGE_ARENA_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        px_arena_reset(&listing);
        PX_TRY(prune_mark(storage, &marks[i], &listing, counts));
    }
    return 0;
}

/* ---- deleted tenants ---- */

/* rmdir only takes empty folders, so a writer that is still there keeps its own. */
static int remove_folder(struct px_arena *arena, struct px_str root, struct px_str tenant,
                         struct px_str dataset)
{
    struct px_str path = px_arena_printf(arena, "%.*s/%.*s%s%.*s", PX_FMT(root), PX_FMT(tenant),
                                         dataset.len ? "/" : "", PX_FMT(dataset));
    if (!path.ptr) return px_arena_fault(arena);
    if (rmdir(path.ptr) == 0 || errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST) return 0;
    return px_fault_errno("rmdir %s", path.ptr);
}

struct folder_walk {
    struct px_arena *arena;
    struct px_str root, tenant;
};
static int remove_dataset_folder(void *ctx, const char *name, bool is_dir)
{
    struct folder_walk *walk = ctx;
    return is_dir ? remove_folder(walk->arena, walk->root, walk->tenant, px_str_c(name)) : 0;
}

int storage_remove_hot(struct storage *storage, struct px_str tenant, bool held_too,
                       struct px_arena *arena, struct storage_counts *counts)
{
    struct hot_file *files = NULL;
    size_t count = 0;
    PX_TRY(hot_list(storage->options.hot, tenant, S(""), arena, &files, &count));
    for (size_t i = 0; i < count; i++) {
        bool live = false;
        if (!held_too) PX_TRY(hot_file_is_live(storage->options.hot, &files[i], &live));
        if (live) continue;
        int removed = held_too ? hot_file_discard(storage->options.hot, &files[i])
                               : hot_file_remove(storage->options.hot, &files[i]);
        if (removed == PX_F_BUSY) continue; /* another process looks at its lock: next time */
        PX_TRY(removed);
        counts->files_removed++;
    }
    PX_TRY(hot_spool_remove(storage->options.hot, tenant));
    struct folder_walk walk = {arena, storage->options.hot_root, tenant};
    struct px_str folder = px_arena_printf(arena, "%.*s/%.*s", PX_FMT(walk.root), PX_FMT(tenant));
    if (!folder.ptr) return px_arena_fault(arena);
    int r = px_dir_each(folder.ptr, remove_dataset_folder, &walk);
    if (r == PX_FILE_ABSENT) return 0;
    PX_TRY(r);
    PX_TRY(hot_fence_remove(storage->options.hot, tenant));
    return remove_folder(arena, walk.root, tenant, S(""));
}

/* The registry's word is needed: a tenant that is merely not found keeps its data. */
static int remove_if_deleted(struct storage *storage, const struct table_item *item,
                             struct storage_counts *counts)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    yyjson_val *root = NULL;
    int r = px_json_parse(item->document, &arena, &root, NULL);
    if (r == PX_JSON_INVALID) return px_fault(PX_F_CORRUPT, "the tenant's item is not JSON");
    PX_TRY(r);
    if (!px_str_eq(px_json_str(root, "status"), S("deleted"))) return 0;
    PX_TRY(catalog_drop_tenant(storage->options.catalog, item->partition));
    return storage_remove_hot(storage, item->partition, false, &arena, counts);
}

static int remove_tenants(struct storage *storage, const struct storage_scope *scope,
                          struct px_arena *arena, struct storage_counts *counts)
{
    char after_text[513];
    struct table_query query = {.key = {.table = S("tenants")}, .max = PAGE};
    for (size_t count = PAGE; count == PAGE && !storage_late(scope, counts);) {
        struct table_item *items = NULL;
        px_arena_reset(arena);
        PX_TRY(table_query(storage->options.tables, &query, arena, &items, &count));
        for (size_t i = 0; i < count; i++) {
            if (!in_scope(scope, items[i].partition, scope->dataset)) continue;
            int r = remove_if_deleted(storage, &items[i], counts);
            if (r != 0) storage_failed(storage, items[i].partition, S(""), r, counts);
        }
        if (count == 0) break;
        struct px_str last = items[count - 1].partition;
        PX_ASSERT(last.len < sizeof after_text);
        memcpy(after_text, last.ptr, last.len);
        query.after_partition = px_str(after_text, last.len);
    }
    return 0;
}

/* ---- folders of dropped datasets ---- */

struct dropped_walk {
    struct storage *storage;
    const struct storage_scope *scope;
    struct px_arena *arena;
    int64_t before_s; /* wall time */
};

/* Old enough that no writer has made it a moment ago to put its first file there. */
static int remove_dropped_folder(const struct dropped_walk *walk, struct px_str tenant,
                                 struct px_str dataset)
{
    struct stat about;
    struct px_str root = walk->storage->options.hot_root;
    struct px_str path = px_arena_printf(walk->arena, "%.*s/%.*s/%.*s", PX_FMT(root),
                                         PX_FMT(tenant), PX_FMT(dataset));
    if (!path.ptr) return px_arena_fault(walk->arena);
    if (stat(path.ptr, &about) != 0 || about.st_mtime > walk->before_s) return 0;
    return remove_folder(walk->arena, root, tenant, dataset);
}

static int remove_dropped_of(void *ctx, const char *name, bool is_dir)
{
    struct dropped_walk *walk = ctx;
    struct px_str tenant = px_str_c(name), *names = NULL;
    size_t count = 0;
    if (!is_dir || name[0] == '.') return 0;
    PX_TRY(catalog_dropped(walk->storage->options.catalog, tenant, walk->arena, &names, &count));
    for (size_t i = 0; i < count; i++)
        if (in_scope(walk->scope, tenant, names[i]))
            PX_TRY(remove_dropped_folder(walk, tenant, names[i]));
    return 0;
}

/* Each dataset that is named anew has its folder, and only a folder tells ingest how many there are. */
static int remove_dropped_folders(struct storage *storage, const struct storage_scope *scope,
                                  struct px_arena *arena)
{
    struct px_str root = storage->options.hot_root;
    if (root.len == 0) return 0;
    int64_t now_s = px_wall_ns(&px_clock_system) / PX_NS_PER_S;
    struct dropped_walk walk = {storage, scope, arena,
                                now_s - storage->options.lifecycle->orphan_age_s};
    char *path = px_arena_cstr(arena, root);
    if (!path) return px_arena_fault(arena);
    int r = px_dir_each(path, remove_dropped_of, &walk);
    return r == PX_FILE_ABSENT ? 0 : r;
}

/* ---- leftovers of killed processes ---- */

struct spill_walk {
    struct px_arena *arena;
    struct px_str parent;
    int64_t before_s; /* wall time */
    struct storage_counts *counts;
};
static int remove_spill_folder(void *ctx, const char *name, bool is_dir)
{
    struct spill_walk *walk = ctx;
    struct stat about;
    if (!is_dir || !px_str_starts(px_str_c(name), S(SPILL_PREFIX))) return 0;
    struct px_str path = px_arena_printf(walk->arena, "%.*s/%s", PX_FMT(walk->parent), name);
    if (!path.ptr) return px_arena_fault(walk->arena);
    if (stat(path.ptr, &about) != 0 || about.st_mtime > walk->before_s) return 0;
    PX_TRY(px_dir_remove(path.ptr));
    walk->counts->objects_removed++;
    return 0;
}

static int sweep_spills(struct storage *storage, struct px_arena *arena,
                        struct storage_counts *counts)
{
    struct px_str parent = storage->options.limits.temp_dir;
    if (parent.len == 0) return 0;
    int64_t now_s = px_wall_ns(&px_clock_system) / PX_NS_PER_S;
    struct spill_walk walk = {arena, parent, now_s - storage->options.lifecycle->orphan_age_s,
                              counts};
    char *path = px_arena_cstr(arena, parent);
    if (!path) return px_arena_fault(arena);
    int r = px_dir_each(path, remove_spill_folder, &walk);
    return r == PX_FILE_ABSENT ? 0 : r;
}

/* ---- the operations ---- */

static int sweep(struct storage *storage, struct storage_counts *counts)
{
    int64_t age_ms = storage->options.lifecycle->orphan_age_s * 1000;
    struct object_store *stores[] = {storage->options.segments, storage->options.analytics};
    for (size_t i = 0; i < PX_COUNT(stores); i++) {
        size_t removed = 0;
        PX_TRY(object_store_sweep(stores[i], age_ms, &removed));
        counts->objects_removed += removed;
    }
    size_t removed = 0;
    PX_TRY(hot_sweep(storage->options.hot, age_ms, &removed));
    counts->files_removed += removed;
    return 0;
}

int storage_retain(struct storage *storage, const struct storage_scope *scope,
                   struct storage_counts *counts)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    PX_TRY(remove_tenants(storage, scope, &arena, counts));
    px_arena_reset(&arena);
    PX_TRY(expire(storage, scope, &arena, counts));
    PX_TRY(remove_dead(storage, scope, &arena, counts));
    PX_TRY(remove_orphans(storage, storage->options.segments, scope, &arena, counts));
    PX_TRY(remove_orphans(storage, storage->options.analytics, scope, &arena, counts));
    PX_TRY(sweep(storage, counts));
    px_arena_reset(&arena);
    PX_TRY(remove_dropped_folders(storage, scope, &arena));
    px_arena_reset(&arena);
    PX_TRY(sweep_spills(storage, &arena, counts));
    return prune_marks(storage, &arena, counts);
}

int storage_ttl(struct storage *storage, const struct storage_scope *scope,
                struct storage_counts *counts)
{
    for (size_t removed = PAGE; removed == PAGE && !storage_late(scope, counts);) {
        PX_TRY(table_expire(storage->options.tables, PAGE, &removed));
        counts->items_removed += removed;
    }
    return 0;
}
