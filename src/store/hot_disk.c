/* store/hot_disk.c - the system's own disk calls. */
#include "store/hot_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int system_create(void *ctx, const char *path)
{
    (void)ctx;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return -1;
    if (TEMP_FAILURE_RETRY(flock(fd, LOCK_EX)) == 0) return fd;
    int saved_errno = errno;
    (void)close(fd);
    (void)unlink(path);
    errno = saved_errno;
    return -1;
}
static ssize_t system_pwritev(void *ctx, int fd, const struct iovec *parts, int n_parts,
                              int64_t offset)
{
    (void)ctx;
    return TEMP_FAILURE_RETRY(pwritev(fd, parts, n_parts, offset));
}
static int system_fdatasync(void *ctx, int fd)
{
    (void)ctx;
    return fdatasync(fd);
}
static int system_ftruncate(void *ctx, int fd, int64_t bytes)
{
    (void)ctx;
    return (int)TEMP_FAILURE_RETRY(ftruncate(fd, bytes));
}
static int system_links(void *ctx, int fd)
{
    (void)ctx;
    struct stat about;
    return fstat(fd, &about) == 0 ? (int)about.st_nlink : -1;
}
static int system_rename(void *ctx, const char *from, const char *to)
{
    (void)ctx;
    return rename(from, to);
}
static int system_unlink(void *ctx, const char *path)
{
    (void)ctx;
    return unlink(path);
}
static int system_sync_folder(void *ctx, const char *path)
{
    (void)ctx;
    PX_AUTO(px_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -1;
    return fsync(fd);
}
static int system_close(void *ctx, int fd)
{
    (void)ctx;
    return close(fd);
}

const struct hot_disk hot_disk_system = {
    .create = system_create,
    .pwritev = system_pwritev,
    .fdatasync = system_fdatasync,
    .ftruncate = system_ftruncate,
    .links = system_links,
    .rename = system_rename,
    .unlink = system_unlink,
    .sync_folder = system_sync_folder,
    .close = system_close,
};
