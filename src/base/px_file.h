/* base/px_file.h - files and folders with durability said aloud. Paths are NUL-terminated. */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"

enum px_file_answer { PX_FILE_ABSENT = 1, PX_FILE_TOO_LARGE, PX_FILE_EXISTS };

/* Whole file appended to buf. Answers: PX_FILE_ABSENT, PX_FILE_TOO_LARGE (over buf's ceiling). */
PX_MUST_USE int px_file_read(const char *path, struct px_buf *buf);
/* Replace path with bytes: temporary sibling, fsync, rename, fsync of the folder. On return the
 * content is on stable storage; a crash leaves the old or the new content, never a mixture. */
PX_MUST_USE int px_file_write_atomic(const char *path, struct px_str bytes, unsigned mode);
/* The same for a file that must not exist yet. Answers: PX_FILE_EXISTS, with nothing changed; of several
 * at once exactly one gets 0. */
PX_MUST_USE int px_file_write_new(const char *path, struct px_str bytes, unsigned mode);
PX_MUST_USE int px_file_write_all(int fd, const void *bytes, size_t n);
/* mkdir -p, mode 0700 for what is new; every new entry is fsynced into its parent. */
PX_MUST_USE int px_dir_make(const char *path);
PX_MUST_USE int px_dir_sync(const char *path);
/* Remove a tree; absent is fine. */
PX_MUST_USE int px_dir_remove(const char *path);
/* Call fn for every entry but . and ..; names are views valid during the call. A non-zero result
 * of fn ends the walk and is returned. Answers: PX_FILE_ABSENT. */
PX_MUST_USE int px_dir_each(const char *path, int (*fn)(void *ctx, const char *name, bool is_dir),
                            void *ctx);
