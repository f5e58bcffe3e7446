/* base/px_file.c - files and folders with durability said aloud. */
#include "base/px_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/px_id.h"

#define READ_BYTES 65536u

/* Room for the next read: what the file seems to hold plus one byte to see its end, within buf's
 * ceiling. 0 when the ceiling is reached. */
static size_t read_room(const struct px_buf *buf, int64_t expected_bytes)
{
    size_t left = buf->limit_bytes - buf->len;
    size_t want = expected_bytes > 0 ? (size_t)expected_bytes + 1 : READ_BYTES;
    return PX_MIN(left, want);
}

/* Whether anything follows; the buffer is full to its ceiling. */
static int read_over(int fd, const char *path)
{
    char c;
    ssize_t got = TEMP_FAILURE_RETRY(read(fd, &c, 1));
    if (got < 0) return px_fault_errno("read %s", path);
    return got > 0 ? PX_FILE_TOO_LARGE : 0;
}

static int read_rest(int fd, const char *path, int64_t size, struct px_buf *buf)
{
    for (;;) {
        size_t room = read_room(buf, size);
        size = 0; /* a file that grew is read on in steps */
        if (room == 0) return read_over(fd, path);
        char *at = px_buf_reserve(buf, room);
        if (!at) return px_buf_fault(buf);
        ssize_t got = TEMP_FAILURE_RETRY(read(fd, at, room));
        if (got < 0) return px_fault_errno("read %s", path);
        if (got == 0) return 0;
        buf->len += (size_t)got;
    }
}

int px_file_read(const char *path, struct px_buf *buf)
{
    if (px_buf_fault(buf)) return px_buf_fault(buf);
    PX_AUTO(px_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return PX_FILE_ABSENT;
    if (fd < 0) return px_fault_errno("open %s", path);
    struct stat about;
    if (fstat(fd, &about) != 0) return px_fault_errno("fstat %s", path);

    size_t len_before = buf->len;
    int r = read_rest(fd, path, about.st_size, buf);
    if (r != 0) buf->len = len_before;
    return r;
}

int px_file_write_all(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t done = TEMP_FAILURE_RETRY(write(fd, at, n));
        if (done < 0) return px_fault_errno("write %zu bytes", n);
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

/* ---- folders ---- */

/* The folder that holds path, into folder[PATH_MAX]. */
static int parent_of(const char *path, char *folder)
{
    const char *slash = strrchr(path, '/');
    size_t len = !slash ? 1 : slash == path ? 1 : (size_t)(slash - path);
    if (len >= PATH_MAX) return px_fault(PX_F_LIMIT, "path of %zu bytes", len);
    memcpy(folder, slash ? path : ".", len);
    folder[len] = '\0';
    return 0;
}

int px_dir_sync(const char *path)
{
    PX_AUTO(px_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return px_fault_errno("open folder %s", path);
    if (fsync(fd) != 0) return px_fault_errno("fsync folder %s", path);
    return 0;
}

static int dir_check(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0) return px_fault_errno("stat %s", path);
    if (!S_ISDIR(about.st_mode)) return px_fault(PX_F_IO, "%s is no folder", path);
    return 0;
}

/* path has no trailing slash. */
static int dir_make(const char *path)
{
    char parent[PATH_MAX];
    PX_TRY(parent_of(path, parent));
    if (mkdir(path, 0700) == 0) return px_dir_sync(parent);
    if (errno == EEXIST) return dir_check(path);
    if (errno != ENOENT) return px_fault_errno("mkdir %s", path);
    PX_TRY(dir_make(parent));
    if (mkdir(path, 0700) != 0 && errno != EEXIST) return px_fault_errno("mkdir %s", path);
    return px_dir_sync(parent);
}

int px_dir_make(const char *path)
{
    char plain[PATH_MAX];
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') len--;
    if (len == 0) return px_fault(PX_F_BUG, "a folder without a name");
    if (len >= sizeof plain) return px_fault(PX_F_LIMIT, "path of %zu bytes", len);
    memcpy(plain, path, len);
    plain[len] = '\0';
    return dir_make(plain);
}

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

int px_dir_remove(const char *path)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT) return 0;
    return px_fault_errno("remove %s", path);
}

static void dir_close(DIR **dir)
{
    if (*dir) (void)closedir(*dir);
    *dir = NULL;
}

static int entry_is_dir(DIR *dir, const char *path, const struct dirent *entry, bool *ret_is_dir)
{
    if (entry->d_type != DT_UNKNOWN) {
        *ret_is_dir = entry->d_type == DT_DIR;
        return 0;
    }
    struct stat about;
    if (fstatat(dirfd(dir), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT) return px_fault_errno("stat %s/%s", path, entry->d_name);
        about.st_mode = 0; /* removed meanwhile; fn finds out */
    }
    *ret_is_dir = S_ISDIR(about.st_mode);
    return 0;
}

int px_dir_each(const char *path, int (*fn)(void *ctx, const char *name, bool is_dir), void *ctx)
{
    PX_AUTO(dir_close) DIR *dir = opendir(path);
    if (!dir && (errno == ENOENT || errno == ENOTDIR)) return PX_FILE_ABSENT;
    if (!dir) return px_fault_errno("open folder %s", path);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) return errno ? px_fault_errno("read folder %s", path) : 0;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        bool is_dir;
        PX_TRY(entry_is_dir(dir, path, entry, &is_dir));
        int r = fn(ctx, entry->d_name, is_dir);
        if (r != 0) return r;
    }
}

/* ---- replacing a file ---- */

static int write_synced(const char *path, struct px_str bytes, unsigned mode)
{
    PX_AUTO(px_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) return px_fault_errno("create %s", path);
    if (fchmod(fd, mode) != 0) return px_fault_errno("chmod %s", path);
    PX_TRY(px_file_write_all(fd, bytes.ptr, bytes.len));
    if (fsync(fd) != 0) return px_fault_errno("fsync %s", path);
    return 0;
}

/* The temporary sibling of path, into temp[PATH_MAX], and the folder of both. */
static int sibling_of(const char *path, char *folder, char *temp)
{
    PX_TRY(parent_of(path, folder));
    const char *slash = strrchr(path, '/');
    int n = snprintf(temp, PATH_MAX, "%s/.%s.%016llx.tmp", folder, slash ? slash + 1 : path,
                     (unsigned long long)px_random_u64());
    return n > 0 && n < PATH_MAX ? 0 : px_fault(PX_F_LIMIT, "path of %d bytes", n);
}

int px_file_write_atomic(const char *path, struct px_str bytes, unsigned mode)
{
    char folder[PATH_MAX], temp[PATH_MAX];
    PX_TRY(sibling_of(path, folder, temp));
    int r = write_synced(temp, bytes, mode);
    if (r == 0 && rename(temp, path) != 0) r = px_fault_errno("rename %s to %s", temp, path);
    if (r != 0) {
        (void)unlink(temp);
        return r;
    }
    return px_dir_sync(folder);
}

int px_file_write_new(const char *path, struct px_str bytes, unsigned mode)
{
    char folder[PATH_MAX], temp[PATH_MAX];
    PX_TRY(sibling_of(path, folder, temp));
    int r = write_synced(temp, bytes, mode);
    if (r == 0 && link(temp, path) != 0) /* rename would replace */
        r = errno == EEXIST ? PX_FILE_EXISTS : px_fault_errno("link %s to %s", temp, path);
    (void)unlink(temp);
    return r != 0 ? r : px_dir_sync(folder);
}
