/* store/hot_fence.c - see hot_fence.h.
 *
 * On NFS a client may hold names, attributes and absences for as long as its mount options say (a
 * minute by default: nfs(5), acdirmax). statx() with AT_STATX_FORCE_SYNC asks the server (statx(2)),
 * and a folder whose change attribute has moved on makes the kernel look its names up anew. So one
 * forced statx() of the folder comes before each look at the fence; on a local disk it is a plain stat. */
#include "store/hot_fence.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "store/hot_disk.h"

#define FENCE_FILE ".fence"
#define LOCK_FILE ".fence-lock"
#define FENCE_BYTES_MAX 512u
#define OPEN_TRIES 8 /* each further one means that the fence was replaced between two calls */

static const struct px_str names[] = {
    [HOT_FENCE_NONE] = {"none", 4},         [HOT_FENCE_HOME] = {"home", 4},
    [HOT_FENCE_LEAVING] = {"leaving", 7},   [HOT_FENCE_LEFT] = {"left", 4},
    [HOT_FENCE_ARRIVING] = {"arriving", 8}, [HOT_FENCE_THAWED] = {"thawed", 6},
    [HOT_FENCE_SPOOLING] = {"spooling", 8}, [HOT_FENCE_TAKING] = {"taking", 6},
};

struct px_str hot_fence_state_name(enum hot_fence_state state)
{
    PX_ASSERT((size_t)state < PX_COUNT(names));
    return names[state];
}

bool hot_fence_state_parse(struct px_str name, enum hot_fence_state *ret_state)
{
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        if (!px_str_eq(name, names[i])) continue;
        *ret_state = (enum hot_fence_state)i;
        return true;
    }
    return false;
}

static int path_of(const struct hot_store *store, struct px_str tenant, const char *file,
                   char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/%.*s%s%s", store->root, PX_FMT(tenant), file[0] ? "/" : "",
                     file);
    return n > 0 && n < PATH_MAX ? 0 : px_fault(PX_F_LIMIT, "path too long below %s", store->root);
}

/* ---- reading ---- */

enum { FOLDER_ABSENT = 1, FENCE_ABSENT = 1, FENCE_REPLACED };

static int ask_server(const char *path)
{
    struct statx about;
    if (statx(AT_FDCWD, path, AT_STATX_FORCE_SYNC, STATX_MTIME | STATX_SIZE, &about) == 0) return 0;
    if (errno == ENOENT || errno == ESTALE) return FOLDER_ABSENT;
    return px_fault_errno("stat %s", path);
}

static int read_text(const char *path, char text[FENCE_BYTES_MAX], size_t *ret_bytes)
{
    PX_AUTO(px_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return FENCE_ABSENT;
    if (fd < 0 && errno == ESTALE) return FENCE_REPLACED;
    if (fd < 0) return px_fault_errno("open %s", path);
    ssize_t n = TEMP_FAILURE_RETRY(read(fd, text, FENCE_BYTES_MAX));
    if (n < 0 && errno == ESTALE) return FENCE_REPLACED;
    if (n < 0) return px_fault_errno("read %s", path);
    *ret_bytes = (size_t)n;
    return 0;
}

static int parse(struct px_str tenant, struct px_str text, struct hot_fence *ret_fence)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, (size_t)64 << 10);
    yyjson_val *root = NULL;
    int r = px_json_parse(text, &arena, &root, NULL);
    if (r < 0) return r;
    struct hot_fence fence = {.epoch = px_json_i64(root, "epoch", 0),
                              .until_ms = px_json_i64(root, "until_ms", 0),
                              .spool_ms = px_json_i64(root, "spool_ms", 0)};
    struct px_str region = px_json_str(root, "region");
    bool whole = r == 0 && hot_fence_state_parse(px_json_str(root, "state"), &fence.state) &&
                 fence.state != HOT_FENCE_NONE && fence.epoch > 0 &&
                 region.len < sizeof fence.region;
    if (!whole) return px_fault(PX_F_CORRUPT, "the fence of tenant %.*s", PX_FMT(tenant));
    if (region.len > 0) memcpy(fence.region, region.ptr, region.len);
    *ret_fence = fence;
    return 0;
}

int hot_fence_read(struct hot_store *store, struct px_str tenant, struct hot_fence *ret_fence)
{
    char folder[PATH_MAX], path[PATH_MAX], text[FENCE_BYTES_MAX];
    size_t bytes = 0;
    *ret_fence = (struct hot_fence){0};
    PX_TRY(path_of(store, tenant, "", folder));
    PX_TRY(path_of(store, tenant, FENCE_FILE, path));
    for (int i = 0; i < OPEN_TRIES; i++) {
        int r = ask_server(folder);
        if (r == FOLDER_ABSENT) return 0; /* then nothing was written to it, either */
        PX_TRY(r);
        r = read_text(path, text, &bytes);
        if (r == FENCE_ABSENT) return 0;
        if (r == FENCE_REPLACED) continue;
        PX_TRY(r);
        return parse(tenant, px_str(text, bytes), ret_fence);
    }
    return px_fault(PX_F_IO, "the fence of tenant %.*s cannot be read", PX_FMT(tenant));
}

/* ---- raising ---- */

static bool same(const struct hot_fence *a, const struct hot_fence *b)
{
    return a->state == b->state && a->epoch == b->epoch && a->until_ms == b->until_ms &&
           a->spool_ms == b->spool_ms && strcmp(a->region, b->region) == 0;
}

static bool gives_way(const struct hot_fence *old, const struct hot_fence *new)
{
    if (old->epoch != new->epoch) return old->epoch < new->epoch && !hot_fence_is_open(old);
    bool home = new->state == HOT_FENCE_HOME, left = new->state == HOT_FENCE_LEFT;
    bool taking = new->state == HOT_FENCE_TAKING;
    switch (old->state) {
    case HOT_FENCE_LEAVING: return home || (left && old->until_ms == 0);
    case HOT_FENCE_THAWED: return home || new->state == HOT_FENCE_LEAVING;
    case HOT_FENCE_ARRIVING: return home || left || taking;
    case HOT_FENCE_SPOOLING: return left || taking;
    case HOT_FENCE_TAKING: return home;
    case HOT_FENCE_LEFT: return left && old->spool_ms != 0 && new->spool_ms == 0;
    case HOT_FENCE_NONE:
    case HOT_FENCE_HOME: break;
    }
    return false;
}

static int write_fence(const char *path, const struct hot_fence *fence)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, FENCE_BYTES_MAX);
    px_buf_add_c(&text, "{\"state\":");
    px_buf_add_json_str(&text, hot_fence_state_name(fence->state));
    px_buf_printf(&text, ",\"epoch\":%lld,\"region\":", (long long)fence->epoch);
    px_buf_add_json_str(&text, px_str_c(fence->region));
    if (fence->until_ms != 0)
        px_buf_printf(&text, ",\"until_ms\":%lld", (long long)fence->until_ms);
    if (fence->spool_ms != 0)
        px_buf_printf(&text, ",\"spool_ms\":%lld", (long long)fence->spool_ms);
    px_buf_add_c(&text, "}\n");
    PX_TRY(px_buf_fault(&text));
    return px_file_write_atomic(path, px_buf_str(&text), 0640);
}

/* The folder may be new, and then its own name has to last as well: px_dir_make() sees to that.
 * Answers: HOT_FENCE_HELD (only without `wait`). */
static int lock(const struct hot_store *store, struct px_str tenant, bool wait, int *ret_fd)
{
    char path[PATH_MAX];
    PX_TRY(path_of(store, tenant, "", path));
    PX_TRY(px_dir_make(path));
    PX_TRY(path_of(store, tenant, LOCK_FILE, path));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) return px_fault_errno("open %s", path);
    if (TEMP_FAILURE_RETRY(flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB))) != 0) {
        int r = errno == EWOULDBLOCK ? HOT_FENCE_HELD : px_fault_errno("flock %s", path);
        px_close(&fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

/* Under the lock. */
static int put(const struct hot_store *store, struct px_str tenant, const struct hot_fence *old,
               const struct hot_fence *fence)
{
    char path[PATH_MAX];
    if (!same(old, fence)) {
        PX_TRY(path_of(store, tenant, FENCE_FILE, path));
        return write_fence(path, fence);
    }
    /* perhaps by a call that died before its name was synced */
    PX_TRY(path_of(store, tenant, "", path));
    return px_dir_sync(path);
}

int hot_fence_raise(struct hot_store *store, struct px_str tenant, const struct hot_fence *fence,
                    struct hot_fence *ret_fence)
{
    PX_ASSERT(fence->state != HOT_FENCE_NONE && fence->epoch > 0);
    PX_ASSERT(memchr(fence->region, '\0', sizeof fence->region));
    PX_AUTO(px_close) int fd = -1;
    struct hot_fence old;
    PX_TRY(lock(store, tenant, true, &fd));
    PX_TRY(hot_fence_read(store, tenant, &old));
    if (ret_fence) *ret_fence = old;
    if (!same(&old, fence) && !gives_way(&old, fence)) return HOT_FENCE_STALE;
    PX_TRY(put(store, tenant, &old, fence));
    if (ret_fence) *ret_fence = *fence;
    return 0;
}

int hot_fence_freeze(struct hot_store *store, struct px_str tenant, const struct hot_fence *fence,
                     struct hot_fence *ret_fence)
{
    PX_ASSERT(fence->state == HOT_FENCE_LEAVING && fence->epoch > 0 && fence->until_ms > 0);
    PX_ASSERT(memchr(fence->region, '\0', sizeof fence->region));
    PX_AUTO(px_close) int fd = -1;
    struct hot_fence old, raised = *fence; /* it may be ret_fence */
    PX_TRY(lock(store, tenant, true, &fd));
    PX_TRY(hot_fence_read(store, tenant, &old));
    *ret_fence = old;
    if (old.epoch == raised.epoch) {
        if (old.state != HOT_FENCE_LEAVING && old.state != HOT_FENCE_THAWED) return HOT_FENCE_STALE;
        if (old.state == HOT_FENCE_LEAVING) raised = old;
        /* a clock that was set back must not make two freezes one */
        if (old.state == HOT_FENCE_THAWED)
            raised.until_ms = PX_MAX(raised.until_ms, old.until_ms + 1);
    } else if (!gives_way(&old, &raised)) {
        return HOT_FENCE_STALE;
    }
    PX_TRY(put(store, tenant, &old, &raised));
    *ret_fence = raised;
    return 0;
}

int hot_fence_close(struct hot_store *store, struct px_str tenant, int64_t epoch, int64_t until_ms,
                    int64_t spool_ms, int64_t now_ms)
{
    PX_AUTO(px_close) int fd = -1;
    struct hot_fence old;
    PX_TRY(lock(store, tenant, true, &fd));
    PX_TRY(hot_fence_read(store, tenant, &old));
    if (old.epoch != epoch) return HOT_FENCE_STALE;
    if (old.state == HOT_FENCE_SPOOLING)
        return 0; /* closed by a call whose answer was lost, as below */
    if (old.state != HOT_FENCE_LEAVING) return HOT_FENCE_STALE;
    bool closed = old.until_ms == 0;
    if (!closed && (old.until_ms != until_ms || now_ms >= until_ms)) return HOT_FENCE_STALE;
    struct hot_fence fence = old;
    fence.until_ms = 0;
    if (!closed) fence.spool_ms = spool_ms;
    return put(store, tenant, &old, &fence);
}

int hot_fence_spool(struct hot_store *store, struct px_str tenant, int64_t now_ms,
                    struct hot_fence *ret_fence)
{
    PX_AUTO(px_close) int fd = -1;
    int r = lock(store, tenant, false, &fd);
    if (r < 0) return r;
    PX_TRY(hot_fence_read(store, tenant, ret_fence));
    if (r == HOT_FENCE_HELD) return r;
    struct hot_fence fence = *ret_fence;
    if (fence.state != HOT_FENCE_LEAVING || !hot_fence_may_spool(&fence, now_ms)) return 0;
    fence.state = HOT_FENCE_SPOOLING;
    PX_TRY(put(store, tenant, ret_fence, &fence));
    *ret_fence = fence;
    return 0;
}

int hot_fence_thaw(struct hot_store *store, struct px_str tenant, int64_t epoch, bool wait,
                   struct hot_fence *ret_fence)
{
    PX_AUTO(px_close) int fd = -1;
    int r = lock(store, tenant, wait, &fd);
    if (r == HOT_FENCE_HELD) {
        PX_TRY(hot_fence_read(store, tenant, ret_fence));
        return HOT_FENCE_HELD;
    }
    PX_TRY(r);
    PX_TRY(hot_fence_read(store, tenant, ret_fence));
    struct hot_fence fence = *ret_fence;
    if (fence.epoch < epoch) return 0;
    bool thawed = fence.state == HOT_FENCE_THAWED;
    bool thaws = fence.state == HOT_FENCE_LEAVING && fence.until_ms != 0;
    if (fence.epoch > epoch || !(thawed || thaws)) return HOT_FENCE_STALE;
    fence.state = HOT_FENCE_THAWED;
    PX_TRY(put(store, tenant, ret_fence, &fence));
    *ret_fence = fence;
    return 0;
}

int hot_fence_hold(struct hot_store *store, struct px_str tenant, struct hot_fence *ret_fence,
                   int *ret_fd)
{
    int fd = -1;
    PX_TRY(lock(store, tenant, true, &fd));
    int r = hot_fence_read(store, tenant, ret_fence);
    if (r != 0) {
        px_close(&fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

int hot_fence_remove(struct hot_store *store, struct px_str tenant)
{
    static const char *const files[] = {FENCE_FILE, LOCK_FILE};
    for (size_t i = 0; i < PX_COUNT(files); i++) {
        char path[PATH_MAX];
        PX_TRY(path_of(store, tenant, files[i], path));
        if (unlink(path) != 0 && errno != ENOENT) return px_fault_errno("remove %s", path);
    }
    return 0;
}

/* ---- what others wrote ---- */

int hot_refresh(struct hot_store *store, struct px_str tenant, struct px_arena *arena)
{
    char path[PATH_MAX];
    PX_TRY(path_of(store, tenant, "", path));
    int r = ask_server(path);
    if (r == FOLDER_ABSENT) return 0;
    PX_TRY(r);
    struct px_str *datasets = NULL;
    struct hot_file *files = NULL;
    size_t count = 0;
    PX_TRY(hot_datasets(store, tenant, arena, &datasets, &count));
    for (size_t i = 0; i < count; i++) {
        char *folder = px_arena_cstr(arena, datasets[i]);
        if (!folder) return px_arena_fault(arena);
        PX_TRY(path_of(store, tenant, folder, path));
        r = ask_server(path);
        if (r != FOLDER_ABSENT) PX_TRY(r);
    }
    PX_TRY(hot_list(store, tenant, S(""), arena, &files, &count));
    for (size_t i = 0; i < count; i++) {
        char *name = px_arena_cstr(arena, files[i].path);
        if (!name) return px_arena_fault(arena);
        r = ask_server(name);
        if (r != FOLDER_ABSENT) PX_TRY(r);
    }
    return 0;
}
