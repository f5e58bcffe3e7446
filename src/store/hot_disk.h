/* store/hot_disk.h - the calls that the hot store's writer makes on the disk, as a table, so that
 * tests can let any one of them fail. Results and errno are those of the system calls. */
#pragma once

#include "store/hot.h"

#include <sys/types.h>
#include <sys/uio.h>

struct hot_disk {
    int (*create)(void *ctx, const char *path); /* O_EXCL, write only; and flock(LOCK_EX) */
    ssize_t (*pwritev)(void *ctx, int fd, const struct iovec *parts, int n_parts, int64_t offset);
    int (*fdatasync)(void *ctx, int fd);
    int (*ftruncate)(void *ctx, int fd, int64_t bytes);
    int (*links)(void *ctx, int fd); /* st_nlink, or -1 */
    int (*rename)(void *ctx, const char *from, const char *to);
    int (*unlink)(void *ctx, const char *path);
    int (*sync_folder)(void *ctx, const char *path);
    int (*close)(void *ctx, int fd);
    void *ctx;
};
extern const struct hot_disk hot_disk_system;

/* As hot_store_open(); disk is borrowed. */
PX_MUST_USE int hot_store_open_on(struct px_str root, const struct hot_disk *disk,
                                  struct hot_store **ret_store);

struct hot_store {
    char *root;
    const struct hot_disk *disk;
};
