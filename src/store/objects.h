/* store/objects.h - whole immutable objects under keys: Parquet segments, exports.
 *
 * Keys are like S3's: UTF-8, '/' as separator, no empty, "." or ".." part, 1..1024 bytes.
 * Embedded half: a directory; a put is temp file, fsync, rename, fsync of the folder, so an object is
 * there whole or not at all. The AWS half (S3) comes behind the same header. */
#pragma once

#include "base/px.h"
#include "base/px_arena.h"
#include "base/px_buf.h"

struct object_store; /* opaque */
enum object_answer { OBJECT_ABSENT = 1, OBJECT_EXISTS, OBJECT_TOO_LARGE };

/* url: a directory path (created when absent). */
PX_MUST_USE int object_store_open(struct px_str url, struct object_store **ret_store);
void object_store_close(struct object_store **store);

struct object_info {
    struct px_str key; /* in the caller's arena */
    uint64_t bytes;
    int64_t modified_ns;
};
/* Write the object, replacing one of the same key. */
PX_MUST_USE int object_put(struct object_store *store, struct px_str key, struct px_str bytes);
/* Take a local file that the caller finished writing (it need not be synced) as the object: synced,
 * moved when on the same file system, else copied; local_path is gone after success.
 * Answers: OBJECT_EXISTS, with nothing changed. */
PX_MUST_USE int object_put_file(struct object_store *store, struct px_str key,
                                struct px_str local_path);
/* Answers: OBJECT_ABSENT, OBJECT_TOO_LARGE (over buf's ceiling). */
PX_MUST_USE int object_get(struct object_store *store, struct px_str key, struct px_buf *buf);
PX_MUST_USE int object_head(struct object_store *store, struct px_str key, struct px_arena *arena,
                            struct object_info *ret_info);
PX_MUST_USE int object_delete(struct object_store *store, struct px_str key); /* absent is fine */
/* Objects whose key starts with prefix, in key order, at most `max`, after `after` (empty: from the
 * start). */
PX_MUST_USE int object_list(struct object_store *store, struct px_str prefix, struct px_str after,
                            size_t max, struct px_arena *arena, struct object_info **ret_infos,
                            size_t *ret_count);
/* Something that DuckDB can open for this key: a path here, s3://... there. In arena. */
PX_MUST_USE int object_url(struct object_store *store, struct px_str key, struct px_arena *arena,
                           struct px_str *ret_url);
/* A local file name for writing an object before object_put_file(), on the same file system. Such
 * leftovers of crashes are removed by object_store_sweep() once older than age_ms. */
PX_MUST_USE int object_temp_path(struct object_store *store, struct px_arena *arena,
                                 struct px_str *ret_path);
PX_MUST_USE int object_store_sweep(struct object_store *store, int64_t age_ms, size_t *ret_removed);
