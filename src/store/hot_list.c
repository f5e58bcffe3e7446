/* store/hot_list.c - the hot store as folders: opening, listing, removing. */
#include "base/px_clock.h"
#include "base/px_file.h"
#include "store/hot_disk.h"
#include "store/hot_format.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int hot_store_open_on(struct px_str root, const struct hot_disk *disk, struct hot_store **ret_store)
{
    while (root.len > 1 && root.ptr[root.len - 1] == '/') root.len--;
    if (root.len == 0 || root.len > PATH_MAX / 2)
        return px_fault(PX_F_CONFIG, "the hot store's folder has a name of %zu bytes", root.len);
    PX_AUTO(hot_store_close) struct hot_store *store = calloc(1, sizeof *store);
    if (!store) return px_fault(PX_F_OOM, "the hot store");
    store->disk = disk;
    store->root = strndup(root.ptr, root.len);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): PX_AUTO frees it */
    if (!store->root) return px_fault(PX_F_OOM, "the hot store");
    PX_TRY(px_dir_make(store->root));
    *ret_store = PX_TAKE(store);
    return 0;
}

int hot_store_open(struct px_str root, struct hot_store **ret_store)
{
    PX_TRY(hot_store_open_on(root, &hot_disk_system, ret_store));
    return 0;
}

void hot_store_close(struct hot_store **store)
{
    if (!*store) return;
    free((*store)->root);
    free(*store);
    *store = NULL;
}

/* ---- walking root/tenant/dataset/file ---- */

/* One pass over the folders. visit gets every entry of every dataset folder asked for. */
struct walk {
    struct px_str root, tenant, dataset; /* tenant, dataset: empty for all; then the current one */
    char path[PATH_MAX];                 /* of the current dataset folder */
    int (*visit)(struct walk *walk, struct px_str name);
    void *ctx;
};

static int each_absent_is_empty(const char *path, int (*fn)(void *, const char *, bool), void *ctx)
{
    int r = px_dir_each(path, fn, ctx);
    return r == PX_FILE_ABSENT ? 0 : r;
}

static int walk_file(void *ctx, const char *name, bool is_dir)
{
    struct walk *walk = ctx;
    return is_dir ? 0 : walk->visit(walk, px_str_c(name));
}

static int walk_dataset(struct walk *walk, struct px_str dataset)
{
    struct walk inner = *walk;
    inner.dataset = dataset;
    int n = snprintf(inner.path, sizeof inner.path, "%.*s/%.*s/%.*s", PX_FMT(walk->root),
                     PX_FMT(walk->tenant), PX_FMT(dataset));
    if (n < 0 || (size_t)n >= sizeof inner.path) return px_fault(PX_F_LIMIT, "path too long");
    return each_absent_is_empty(inner.path, walk_file, &inner);
}
static int walk_dataset_entry(void *ctx, const char *name, bool is_dir)
{
    return is_dir && name[0] != '.' ? walk_dataset(ctx, px_str_c(name)) : 0;
}

static int walk_tenant(struct walk *walk, struct px_str tenant)
{
    struct walk inner = *walk;
    inner.tenant = tenant;
    if (walk->dataset.len > 0) return walk_dataset(&inner, walk->dataset);
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%.*s/%.*s", PX_FMT(walk->root), PX_FMT(tenant));
    if (n < 0 || (size_t)n >= sizeof path) return px_fault(PX_F_LIMIT, "path too long");
    return each_absent_is_empty(path, walk_dataset_entry, &inner);
}
static int walk_tenant_entry(void *ctx, const char *name, bool is_dir)
{
    return is_dir && name[0] != '.' ? walk_tenant(ctx, px_str_c(name)) : 0;
}

static int walk_run(struct walk *walk, const struct hot_store *store)
{
    walk->root = px_str_c(store->root);
    if (walk->tenant.len > 0) return walk_tenant(walk, walk->tenant);
    return each_absent_is_empty(store->root, walk_tenant_entry, walk);
}

/* ---- listing ---- */

struct list_node {
    struct list_node *next;
    struct hot_file file;
};
struct listing {
    struct px_arena *arena;
    struct list_node *first;
    size_t count;
};

static int list_visit(struct walk *walk, struct px_str name)
{
    struct listing *listing = walk->ctx;
    struct px_str writer;
    uint32_t file_no;
    if (!hot_name_parse(name, &writer, &file_no)) return 0;
    struct list_node *node = px_arena_new(listing->arena, struct list_node);
    if (!node) return px_arena_fault(listing->arena);
    struct hot_file *file = &node->file;
    file->path = px_arena_printf(listing->arena, "%s/%.*s", walk->path, PX_FMT(name));
    file->tenant = px_arena_dup(listing->arena, walk->tenant);
    file->dataset = px_arena_dup(listing->arena, walk->dataset);
    if (!file->path.ptr || !file->tenant.ptr || !file->dataset.ptr)
        return px_arena_fault(listing->arena);
    file->writer = px_str(file->path.ptr + file->path.len - name.len, writer.len);
    file->file_no = file_no;

    struct stat about;
    if (stat(file->path.ptr, &about) != 0)
        return errno == ENOENT ? 0 : px_fault_errno("stat %s", file->path.ptr);
    file->bytes = (uint64_t)about.st_size;
    node->next = listing->first;
    listing->first = node;
    listing->count++;
    return 0;
}

static int file_order(const void *left, const void *right)
{
    const struct hot_file *a = left, *b = right;
    int order = px_str_cmp(a->tenant, b->tenant);
    if (order == 0) order = px_str_cmp(a->dataset, b->dataset);
    if (order == 0) order = px_str_cmp(a->writer, b->writer);
    return order ? order : (a->file_no > b->file_no) - (a->file_no < b->file_no);
}

int hot_list(struct hot_store *store, struct px_str tenant, struct px_str dataset,
             struct px_arena *arena, struct hot_file **ret_files, size_t *ret_count)
{
    PX_ASSERT(tenant.len > 0 || dataset.len == 0);
    struct listing listing = {.arena = arena};
    struct walk walk = {.tenant = tenant, .dataset = dataset, .visit = list_visit, .ctx = &listing};
    PX_TRY(walk_run(&walk, store));
    struct hot_file *files = px_arena_array(arena, struct hot_file, listing.count);
    if (!files) return px_arena_fault(arena);
    size_t at = 0;
    for (const struct list_node *node = listing.first; node; node = node->next)
        files[at++] = node->file;
    if (at > 1) qsort(files, at, sizeof *files, file_order);
    *ret_files = files;
    *ret_count = at;
    return 0;
}

/* ---- datasets ---- */

struct name_node {
    struct name_node *next;
    struct px_str name;
};
struct naming {
    struct px_arena *arena;
    struct name_node *first;
    size_t count;
};

static int naming_visit(void *ctx, const char *name, bool is_dir)
{
    struct naming *naming = ctx;
    if (!is_dir || name[0] == '.') return 0;
    struct name_node *node = px_arena_new(naming->arena, struct name_node);
    if (!node) return px_arena_fault(naming->arena);
    *node = (struct name_node){naming->first, px_arena_dup(naming->arena, px_str_c(name))};
    if (!node->name.ptr) return px_arena_fault(naming->arena);
    naming->first = node;
    naming->count++;
    return 0;
}

int hot_datasets(struct hot_store *store, struct px_str tenant, struct px_arena *arena,
                 struct px_str **ret_names, size_t *ret_count)
{
    char path[PATH_MAX];
    struct naming naming = {.arena = arena};
    int n = snprintf(path, sizeof path, "%s/%.*s", store->root, PX_FMT(tenant));
    if (n < 0 || (size_t)n >= sizeof path) return px_fault(PX_F_LIMIT, "path too long");
    PX_TRY(each_absent_is_empty(path, naming_visit, &naming));
    struct px_str *names = px_arena_array(arena, struct px_str, naming.count);
    if (!names) return px_arena_fault(arena);
    size_t at = 0;
    for (const struct name_node *node = naming.first; node; node = node->next)
        names[at++] = node->name;
    *ret_names = names;
    *ret_count = at;
    return 0;
}

/* ---- live or closed ---- */

struct successor {
    const struct hot_file *file;
    bool found;
};
static int successor_look(void *ctx, const char *name, bool is_dir)
{
    struct successor *look = ctx;
    struct px_str writer;
    uint32_t file_no;
    (void)is_dir;
    if (hot_name_parse(px_str_c(name), &writer, &file_no) &&
        px_str_eq(writer, look->file->writer) && file_no > look->file->file_no)
        look->found = true;
    return 0;
}

static int has_successor(const struct hot_file *file, bool *ret_found)
{
    char folder[PATH_MAX];
    struct successor look = {.file = file};
    const char *slash = memrchr(file->path.ptr, '/', file->path.len);
    PX_ASSERT(slash && file->path.len < sizeof folder);
    memcpy(folder, file->path.ptr, (size_t)(slash - file->path.ptr));
    folder[slash - file->path.ptr] = '\0';
    PX_TRY(each_absent_is_empty(folder, successor_look, &look));
    *ret_found = look.found;
    return 0;
}

/* A shared lock is enough to ask, and is what a read-only descriptor may take on NFS. */
static int is_locked(const struct hot_file *file, bool *ret_locked)
{
    char path[PATH_MAX];
    PX_ASSERT(file->path.len < sizeof path);
    memcpy(path, file->path.ptr, file->path.len);
    path[file->path.len] = '\0';
    *ret_locked = false;
    PX_AUTO(px_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ESTALE)) return 0;
    if (fd < 0) return px_fault_errno("open %s", path);
    if (TEMP_FAILURE_RETRY(flock(fd, LOCK_SH | LOCK_NB)) == 0) return 0;
    if (errno != EWOULDBLOCK) return px_fault_errno("flock %s", path);
    *ret_locked = true;
    return 0;
}

int hot_file_is_live(struct hot_store *store, const struct hot_file *file, bool *ret_live)
{
    (void)store;
    bool locked, succeeded = false;
    PX_TRY(is_locked(file, &locked));
    if (locked) PX_TRY(has_successor(file, &succeeded));
    *ret_live = locked && !succeeded;
    return 0;
}

int hot_file_remove(struct hot_store *store, const struct hot_file *file)
{
    bool live;
    PX_TRY(hot_file_is_live(store, file, &live));
    if (live) return px_fault(PX_F_BUSY, "%.*s still has its writer", PX_FMT(file->path));
    return hot_file_discard(store, file);
}

int hot_file_discard(struct hot_store *store, const struct hot_file *file)
{
    (void)store;
    char path[PATH_MAX];
    PX_ASSERT(file->path.len < sizeof path);
    memcpy(path, file->path.ptr, file->path.len);
    path[file->path.len] = '\0';
    if (unlink(path) == 0 || errno == ENOENT) return 0;
    return px_fault_errno("remove %s", path);
}

/* ---- litter ---- */

struct sweep {
    int64_t older_than_ns;
    size_t removed;
};

static int sweep_visit(struct walk *walk, struct px_str name)
{
    struct sweep *sweep = walk->ctx;
    if (!px_str_starts(name, S(".")) || !px_str_ends(name, S(".wal.new"))) return 0;
    char path[PATH_MAX + NAME_MAX + 2];
    (void)snprintf(path, sizeof path, "%s/%.*s", walk->path, PX_FMT(name));
    struct stat about;
    if (stat(path, &about) != 0) return errno == ENOENT ? 0 : px_fault_errno("stat %s", path);
    int64_t changed_ns = about.st_mtim.tv_sec * PX_NS_PER_S + about.st_mtim.tv_nsec;
    if (changed_ns > sweep->older_than_ns) return 0;
    if (unlink(path) != 0) return errno == ENOENT ? 0 : px_fault_errno("remove %s", path);
    sweep->removed++;
    return 0;
}

int hot_sweep(struct hot_store *store, int64_t age_ms, size_t *ret_removed)
{
    struct sweep sweep = {px_wall_ns(&px_clock_system) - age_ms * PX_NS_PER_MS, 0};
    struct walk walk = {.visit = sweep_visit, .ctx = &sweep};
    PX_TRY(walk_run(&walk, store));
    *ret_removed = sweep.removed;
    return 0;
}
