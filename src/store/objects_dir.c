/* store/objects.c - objects as files: <root>/<key>, temporary ones in <root>/.tmp/; docs: objects.h.
 *
 * An object appears by rename or link of a synced file, then its folder is synced. Folders are made
 * as keys need them and removed when the last key is gone; a put whose folder vanishes in between
 * makes it again. What a folder cannot hold although S3 can: a key that is also the folder of
 * another ("a" and "a/b"), and parts over 255 bytes; both are faults. */
#include "store/objects.h"

#include "base/px_clock.h"
#include "base/px_file.h"
#include "base/px_id.h"
#include "store/objects_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMP_FOLDER ".tmp"
#define FOLDER_TRIES 10 /* against somebody who removes the folder as empty */

/* ---- opening ---- */

int object_store_open(struct px_str url, struct object_store **ret_store)
{
    if (px_str_starts(url, S("s3://")))
        return px_fault(PX_F_CONFIG, "objects in S3 are not built in");
    PX_AUTO(object_store_close) struct object_store *store = calloc(1, sizeof *store);
    if (!store) return px_fault(PX_F_OOM, "the object store");
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%.*s/" TEMP_FOLDER, PX_FMT(url));
    if (url.len == 0 || n < 0 || n >= PATH_MAX / 2)
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): PX_AUTO frees it */
        return px_fault(PX_F_CONFIG, "the object store's folder has a name of %zu bytes", url.len);
    PX_TRY(px_dir_make(path));
    path[url.len] = '\0';
    store->root = realpath(path, NULL); /* absolute: others open object_url() from elsewhere */
    if (!store->root) return px_fault_errno("realpath %s", path);
    *ret_store = PX_TAKE(store);
    return 0;
}

void object_store_close(struct object_store **store)
{
    if (!*store) return;
    free((*store)->root);
    free(*store);
    *store = NULL;
}

/* ---- keys and paths ---- */

/* Keys are made by Prism from names it has checked; a bad one is our mistake. */
static bool key_is_valid(struct px_str key)
{
    if (key.len == 0 || key.len > 1024 || memchr(key.ptr, '\0', key.len)) return false;
    struct px_str rest = key, part;
    bool first = true, more = true;
    while (more) {
        more = px_str_cut(&rest, '/', &part);
        if (part.len == 0 || px_str_eq(part, S(".")) || px_str_eq(part, S(".."))) return false;
        if (first && px_str_eq(part, S(TEMP_FOLDER))) return false;
        first = false;
    }
    return true;
}

static int path_of(const struct object_store *store, struct px_str key, char *path)
{
    PX_ASSERT(key_is_valid(key));
    int n = snprintf(path, PATH_MAX, "%s/%.*s", store->root, PX_FMT(key));
    return n > 0 && n < PATH_MAX ? 0 : px_fault(PX_F_LIMIT, "path of %d bytes", n);
}

/* Length of the folder part of path. */
static size_t folder_len(const char *path) { return (size_t)(strrchr(path, '/') - path); }

static int temp_path(const struct object_store *store, char *path)
{
    char id[37];
    px_uuid7(px_wall_ns(&px_clock_system), id);
    int n = snprintf(path, PATH_MAX, "%s/" TEMP_FOLDER "/%s", store->root, id);
    return n > 0 && n < PATH_MAX ? 0 : px_fault(PX_F_LIMIT, "path of %d bytes", n);
}

int object_temp_path(struct object_store *store, struct px_arena *arena, struct px_str *ret_path)
{
    char path[PATH_MAX];
    PX_TRY(temp_path(store, path));
    struct px_str copy = px_arena_dup(arena, px_str_c(path));
    if (!copy.ptr) return px_arena_fault(arena);
    *ret_path = copy;
    return 0;
}

int object_url(struct object_store *store, struct px_str key, struct px_arena *arena,
               struct px_str *ret_url)
{
    char path[PATH_MAX];
    PX_TRY(path_of(store, key, path));
    struct px_str copy = px_arena_dup(arena, px_str_c(path));
    if (!copy.ptr) return px_arena_fault(arena);
    *ret_url = copy;
    return 0;
}

/* ---- putting ---- */

static int place_once(const char *from, const char *path, const char *folder, bool new_only)
{
    PX_TRY(px_dir_make(folder));
    if ((new_only ? link(from, path) : rename(from, path)) == 0) return px_dir_sync(folder);
    if (errno == EEXIST && new_only) return OBJECT_EXISTS;
    return px_fault_errno("place %s", path);
}

/* Give a synced file its place. new_only: link(2) instead of rename(2), which replaces.
 * Answers: OBJECT_EXISTS. The source is gone after success. */
static int file_place(const char *from, const char *path, bool new_only)
{
    char folder[PATH_MAX];
    memcpy(folder, path, folder_len(path));
    folder[folder_len(path)] = '\0';
    int r = place_once(from, path, folder, new_only);
    /* ENOENT: the folder was removed as empty just now. When it is the source that is gone, it was
     * renamed, and the object was deleted again before the folder was synced. */
    for (int tries = 1; r < 0 && errno == ENOENT && tries < FOLDER_TRIES; tries++) {
        if (access(from, F_OK) != 0) return 0;
        r = place_once(from, path, folder, new_only);
    }
    if (r != 0) return r;
    if (new_only && unlink(from) != 0) return px_fault_errno("remove %s", from);
    return 0;
}

static int temp_write(const char *path, struct px_str bytes)
{
    PX_AUTO(px_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return px_fault_errno("create %s", path);
    PX_TRY(px_file_write_all(fd, bytes.ptr, bytes.len));
    if (fsync(fd) != 0) return px_fault_errno("fsync %s", path);
    return 0;
}

int object_put(struct object_store *store, struct px_str key, struct px_str bytes)
{
    char path[PATH_MAX], temp[PATH_MAX];
    PX_TRY(path_of(store, key, path));
    PX_TRY(temp_path(store, temp));
    int r = temp_write(temp, bytes);
    if (r == 0) r = file_place(temp, path, false);
    if (r != 0) (void)unlink(temp);
    PX_TRY(r);
    return 0;
}

static int file_sync(const char *path)
{
    PX_AUTO(px_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return px_fault_errno("open %s", path);
    if (fsync(fd) != 0) return px_fault_errno("fsync %s", path);
    return 0;
}

static int file_copy(const char *from, const char *to)
{
    PX_AUTO(px_close) int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) return px_fault_errno("open %s", from);
    PX_AUTO(px_close) int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0) return px_fault_errno("create %s", to);
    char chunk[65536];
    for (;;) {
        ssize_t got = TEMP_FAILURE_RETRY(read(in, chunk, sizeof chunk));
        if (got < 0) return px_fault_errno("read %s", from);
        if (got == 0) break;
        PX_TRY(px_file_write_all(out, chunk, (size_t)got));
    }
    if (fsync(out) != 0) return px_fault_errno("fsync %s", to);
    return 0;
}

/* The file lies on another file system: what is placed is a copy. */
static int put_copy(struct object_store *store, const char *local, const char *path)
{
    char temp[PATH_MAX];
    PX_TRY(temp_path(store, temp));
    int r = file_copy(local, temp);
    if (r == 0) r = file_place(temp, path, true);
    if (r != 0) {
        (void)unlink(temp);
        return r;
    }
    if (unlink(local) != 0) return px_fault_errno("remove %s", local);
    return 0;
}

int object_put_file(struct object_store *store, struct px_str key, struct px_str local_path)
{
    char path[PATH_MAX], local[PATH_MAX];
    struct stat from, root;
    PX_TRY(path_of(store, key, path));
    if (local_path.len >= sizeof local)
        return px_fault(PX_F_LIMIT, "path of %zu bytes", local_path.len);
    memcpy(local, local_path.ptr, local_path.len);
    local[local_path.len] = '\0';
    if (stat(local, &from) != 0) return px_fault_errno("stat %s", local);
    if (stat(store->root, &root) != 0) return px_fault_errno("stat %s", store->root);
    if (from.st_dev != root.st_dev) return put_copy(store, local, path);
    PX_TRY(file_sync(local));
    return file_place(local, path, true);
}

/* ---- getting and deleting ---- */

static int head(const char *path, struct stat *ret_about)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return errno == ENOENT || errno == ENOTDIR ? OBJECT_ABSENT
                                                   : px_fault_errno("stat %s", path);
    if (!S_ISREG(about.st_mode)) return OBJECT_ABSENT;
    *ret_about = about;
    return 0;
}

int64_t object_modified_ns(const struct stat *about)
{
    return about->st_mtim.tv_sec * PX_NS_PER_S + about->st_mtim.tv_nsec;
}

int object_get(struct object_store *store, struct px_str key, struct px_buf *buf)
{
    char path[PATH_MAX];
    struct stat about;
    PX_TRY(path_of(store, key, path));
    int r = head(path, &about);
    if (r != 0) return r;
    r = px_file_read(path, buf);
    if (r == PX_FILE_ABSENT) return OBJECT_ABSENT;
    if (r == PX_FILE_TOO_LARGE) return OBJECT_TOO_LARGE;
    PX_TRY(r);
    return 0;
}

int object_head(struct object_store *store, struct px_str key, struct px_arena *arena,
                struct object_info *ret_info)
{
    char path[PATH_MAX];
    struct stat about;
    PX_TRY(path_of(store, key, path));
    int r = head(path, &about);
    if (r != 0) return r;
    struct px_str copy = px_arena_dup(arena, key);
    if (!copy.ptr) return px_arena_fault(arena);
    *ret_info = (struct object_info){copy, (uint64_t)about.st_size, object_modified_ns(&about)};
    return 0;
}

/* Remove folders that became empty, up to the root; whoever fills one meanwhile wins. */
static void prune(const struct object_store *store, char *path)
{
    size_t root_len = strlen(store->root);
    for (size_t len = folder_len(path); len > root_len; len = folder_len(path)) {
        path[len] = '\0';
        if (rmdir(path) != 0) return;
    }
}

int object_delete(struct object_store *store, struct px_str key)
{
    char path[PATH_MAX];
    struct stat about;
    PX_TRY(path_of(store, key, path));
    int r = head(path, &about);
    if (r == OBJECT_ABSENT) return 0;
    PX_TRY(r);
    if (unlink(path) != 0) return errno == ENOENT ? 0 : px_fault_errno("remove %s", path);
    prune(store, path);
    return 0;
}

/* ---- litter ---- */

struct sweep {
    const struct object_store *store;
    int64_t older_than_ns;
    size_t removed;
};

static int sweep_entry(void *ctx, const char *name, bool is_dir)
{
    struct sweep *sweep = ctx;
    char path[PATH_MAX + NAME_MAX];
    struct stat about;
    if (is_dir) return 0;
    (void)snprintf(path, sizeof path, "%s/" TEMP_FOLDER "/%s", sweep->store->root, name);
    if (stat(path, &about) != 0) return errno == ENOENT ? 0 : px_fault_errno("stat %s", path);
    if (object_modified_ns(&about) > sweep->older_than_ns) return 0;
    if (unlink(path) != 0) return errno == ENOENT ? 0 : px_fault_errno("remove %s", path);
    sweep->removed++;
    return 0;
}

int object_store_sweep(struct object_store *store, int64_t age_ms, size_t *ret_removed)
{
    char folder[PATH_MAX];
    struct sweep sweep = {store, px_wall_ns(&px_clock_system) - age_ms * PX_NS_PER_MS, 0};
    (void)snprintf(folder, sizeof folder, "%s/" TEMP_FOLDER, store->root);
    int r = px_dir_each(folder, sweep_entry, &sweep);
    if (r != 0 && r != PX_FILE_ABSENT) PX_TRY(r);
    *ret_removed = sweep.removed;
    return 0;
}
