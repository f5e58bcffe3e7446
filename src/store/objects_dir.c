/* store/objects_dir.c - objects as files: <root>/<key>, temporary ones in <root>/.tmp/; docs: objects.h.
 *
 * An object appears by rename or link of a synced file, then its folder is synced. Folders are made
 * as keys need them and removed when the last key is gone; a put whose folder vanishes in between
 * makes it again. What a folder cannot hold although S3 can: a key that is also the folder of
 * another ("a" and "a/b"), and parts over 255 bytes; both are faults. */
#include "store/objects_dir.h"
#include "base/px_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES_MAX ((size_t)64 << 20) /* of one call */
#define FOLDER_TRIES 10                   /* against somebody who removes the folder as empty */

/* ---- keys and paths ---- */

static int path_of(const struct object_folder *folder, struct px_str key, char *path)
{
    int n = snprintf(path, PATH_MAX, "%s/%.*s", folder->root, PX_FMT(key));
    return n > 0 && n < PATH_MAX ? 0 : px_fault(PX_F_LIMIT, "path of %d bytes", n);
}

/* Length of the folder part of path. */
static size_t folder_len(const char *path) { return (size_t)(strrchr(path, '/') - path); }

static int dir_url(struct object_store *store, struct px_str key, struct px_arena *arena,
                   struct px_str *ret_url)
{
    char path[PATH_MAX];
    PX_TRY(path_of(object_folder_of(store), key, path));
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

static int dir_put(struct object_store *store, struct px_str key, struct px_str bytes)
{
    char path[PATH_MAX], temp[PATH_MAX];
    PX_TRY(path_of(object_folder_of(store), key, path));
    PX_TRY(object_temp_name(store, temp));
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

static int each_piece(int fd, const char *path, object_piece *piece, void *ctx)
{
    char chunk[65536];
    for (;;) {
        ssize_t got = TEMP_FAILURE_RETRY(read(fd, chunk, sizeof chunk));
        if (got < 0) return px_fault_errno("read %s", path);
        if (got == 0) return 0;
        int r = piece(ctx, px_str(chunk, (size_t)got));
        if (r != 0) return r;
    }
}

static int write_piece(void *ctx, struct px_str bytes)
{
    const int *fd = ctx;
    return px_file_write_all(*fd, bytes.ptr, bytes.len);
}

/* By the kernel, which may share the blocks; by hand from wherever it stops, since it does not take all file systems
 * (copy_file_range(2)) and both descriptors stand where it stopped. */
static int copy_bytes(int in, int out, const char *from)
{
    ssize_t n;
    do {
        n = TEMP_FAILURE_RETRY(copy_file_range(in, NULL, out, NULL, COPY_BYTES_MAX, 0));
    } while (n > 0);
    return each_piece(in, from, write_piece, &out);
}

static int file_copy(const char *from, const char *to)
{
    PX_AUTO(px_close) int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) return px_fault_errno("open %s", from);
    PX_AUTO(px_close) int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0) return px_fault_errno("create %s", to);
    PX_TRY(copy_bytes(in, out, from));
    if (fsync(out) != 0) return px_fault_errno("fsync %s", to);
    return 0;
}

/* The file lies on another file system: what is placed is a copy. */
static int put_copy(struct object_store *store, const char *local, const char *path)
{
    char temp[PATH_MAX];
    PX_TRY(object_temp_name(store, temp));
    int r = file_copy(local, temp);
    if (r == 0) r = file_place(temp, path, true);
    if (r != 0) {
        (void)unlink(temp);
        return r;
    }
    if (unlink(local) != 0) return px_fault_errno("remove %s", local);
    return 0;
}

static int dir_put_file(struct object_store *store, struct px_str key, struct px_str local_path,
                        struct px_str class)
{
    const struct object_folder *folder = object_folder_of(store);
    char path[PATH_MAX], local[PATH_MAX];
    struct stat from, root;
    PX_TRY(path_of(object_folder_of(store), key, path));
    (void)class; /* a folder has no storage classes */
    memcpy(local, local_path.ptr, local_path.len);
    local[local_path.len] = '\0';
    if (stat(local, &from) != 0) return px_fault_errno("stat %s", local);
    if (stat(folder->root, &root) != 0) return px_fault_errno("stat %s", folder->root);
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

static int dir_get(struct object_store *store, struct px_str key, struct px_buf *buf)
{
    char path[PATH_MAX];
    struct stat about;
    PX_TRY(path_of(object_folder_of(store), key, path));
    int r = head(path, &about);
    if (r != 0) return r;
    r = px_file_read(path, buf);
    if (r == PX_FILE_ABSENT) return OBJECT_ABSENT;
    if (r == PX_FILE_TOO_LARGE) return OBJECT_TOO_LARGE;
    PX_TRY(r);
    return 0;
}

static int dir_read(struct object_store *store, struct px_str key, object_piece *piece, void *ctx)
{
    char path[PATH_MAX];
    struct stat about;
    PX_TRY(path_of(object_folder_of(store), key, path));
    int r = head(path, &about);
    if (r != 0) return r;
    PX_AUTO(px_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? OBJECT_ABSENT : px_fault_errno("open %s", path);
    return each_piece(fd, path, piece, ctx);
}

static int dir_copy(struct object_store *from, struct px_str from_key, struct object_store *to,
                    struct px_str to_key, struct px_str class)
{
    char source[PATH_MAX], path[PATH_MAX], temp[PATH_MAX];
    struct stat about;
    (void)class; /* a folder has no storage classes */
    PX_TRY(path_of(object_folder_of(from), from_key, source));
    PX_TRY(path_of(object_folder_of(to), to_key, path));
    int r = head(source, &about);
    if (r != 0) return r;
    PX_TRY(object_temp_name(to, temp));
    r = file_copy(source, temp);
    bool gone = r < 0 && access(source, F_OK) != 0 && errno == ENOENT;
    if (r == 0) r = file_place(temp, path, false);
    if (r != 0) (void)unlink(temp);
    if (gone) return OBJECT_ABSENT;
    PX_TRY(r);
    return 0;
}

static int dir_head(struct object_store *store, struct px_str key, struct px_arena *arena,
                    struct object_info *ret_info)
{
    char path[PATH_MAX];
    struct stat about;
    PX_TRY(path_of(object_folder_of(store), key, path));
    int r = head(path, &about);
    if (r != 0) return r;
    struct px_str copy = px_arena_dup(arena, key);
    if (!copy.ptr) return px_arena_fault(arena);
    *ret_info = (struct object_info){
        .key = copy, .bytes = (uint64_t)about.st_size, .modified_ns = object_modified_ns(&about)};
    return 0;
}

/* Remove folders that became empty, up to the root; whoever fills one meanwhile wins. */
static void prune(const struct object_folder *folder, char *path)
{
    size_t root_len = strlen(folder->root);
    for (size_t len = folder_len(path); len > root_len; len = folder_len(path)) {
        path[len] = '\0';
        if (rmdir(path) != 0) return;
    }
}

static int dir_delete(struct object_store *store, struct px_str key)
{
    char path[PATH_MAX];
    struct stat about;
    PX_TRY(path_of(object_folder_of(store), key, path));
    int r = head(path, &about);
    if (r == OBJECT_ABSENT) return 0;
    PX_TRY(r);
    if (unlink(path) != 0) return errno == ENOENT ? 0 : px_fault_errno("remove %s", path);
    prune(object_folder_of(store), path);
    return 0;
}

/* ---- opening ---- */

static int dir_presign(struct object_store *store, struct px_str key, enum object_right right,
                       uint32_t expires_s, struct px_arena *arena, struct px_str *ret_url)
{
    (void)store, (void)key, (void)right, (void)expires_s, (void)arena, (void)ret_url;
    return OBJECT_LOCAL;
}

static void dir_close(struct object_store *store)
{
    struct object_folder *folder = object_folder_of(store);
    free(folder->root);
    free(folder->temp);
    free(folder);
}

static const struct object_half half = {.put = dir_put,
                                        .put_file = dir_put_file,
                                        .get = dir_get,
                                        .read = dir_read,
                                        .copy = dir_copy,
                                        .head = dir_head,
                                        .delete = dir_delete,
                                        .list = object_folder_list,
                                        .url = dir_url,
                                        .presign = dir_presign,
                                        .close = dir_close};

int objects_dir_open(struct px_str name, struct object_store **ret_store)
{
    struct object_folder *folder = calloc(1, sizeof *folder);
    if (!folder) return px_fault(PX_F_OOM, "the object store");
    PX_AUTO(object_store_close) struct object_store *store = &folder->store;
    store->half = &half;
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%.*s/" OBJECT_TEMP_FOLDER, PX_FMT(name));
    if (name.len == 0 || n < 0 || n >= PATH_MAX / 2)
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): PX_AUTO frees it */
        return px_fault(PX_F_CONFIG, "the object store's folder has a name of %zu bytes", name.len);
    PX_TRY(px_dir_make(path));
    folder->temp = realpath(path, NULL); /* absolute: others open object_url() from elsewhere */
    if (!folder->temp) return px_fault_errno("realpath %s", path);
    path[name.len] = '\0';
    folder->root = realpath(path, NULL);
    if (!folder->root) return px_fault_errno("realpath %s", path);
    store->temp_folder = folder->temp;
    *ret_store = PX_TAKE(store);
    return 0;
}
