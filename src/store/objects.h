/* store/objects.h - whole immutable objects under keys: Parquet segments, exports.
 *
 * Keys are like S3's: UTF-8, '/' as separator, no empty, "." or ".." part, 1..1024 bytes.
 * Embedded half: a directory; a put is temp file, fsync, rename, fsync of the folder, so an object is
 * there whole or not at all.
 * AWS half: a bucket of S3, or what lies below a prefix in it. Large objects go in parts, several at
 * once; what is put and got is compared by checksum (docs/design/aws.md). */
#pragma once

#include "base/px.h"
#include "base/px_arena.h"
#include "base/px_buf.h"

struct cloud_shared; /* aws/shared.h */
struct object_store; /* opaque */
enum object_answer { OBJECT_ABSENT = 1, OBJECT_EXISTS, OBJECT_TOO_LARGE, OBJECT_LOCAL };

struct object_options {         /* for S3; a directory needs none */
    struct cloud_shared *cloud; /* borrowed; NULL: the store makes its own */
    struct px_str temp_dir;     /* for object_temp_path(); empty: /tmp */
    uint32_t call_ms,
        transfer_ms;     /* deadlines of one call, and of a large object; 0: 10 s, 2 min */
    uint64_t part_bytes; /* objects above it go in parts of it; 0: 8 MiB; at least 5 MiB */
};
/* url: a directory path (created when absent), or "s3://bucket[/prefix][?kms-key=arn][&region=name]": with a key's
 * ARN, objects are encrypted with that key instead of the bucket's own setting; with a region, the bucket is one of that
 * region and not of the process's own. options may be NULL.
 * Faults with S3, here and later: those of cloud_call(); PX_F_CONFIG for a missing bucket. */
PX_MUST_USE int object_store_open(struct px_str url, const struct object_options *options,
                                  struct object_store **ret_store);
void object_store_close(struct object_store **store);

struct object_info {
    struct px_str key; /* in the caller's arena */
    uint64_t bytes;
    int64_t modified_ns;
    struct px_str version; /* by object_head(), of a bucket that keeps versions; else empty */
};
/* Write the object, replacing one of the same key. */
PX_MUST_USE int object_put(struct object_store *store, struct px_str key, struct px_str bytes);
/* Take a local file that the caller finished writing (it need not be synced) as the object; local_path is
 * gone after success. In a directory: synced, moved when on the same file system, else copied.
 *   class   of lifecycle, [a-z0-9-]{0,64}: S3's object tag `class`, by which the bucket's rules move it to
 *           colder storage; empty: none
 * Answers: OBJECT_EXISTS, with nothing changed; of several that put one key, one gets 0. */
PX_MUST_USE int object_put_file(struct object_store *store, struct px_str key,
                                struct px_str local_path, struct px_str class);
/* Answers: OBJECT_ABSENT, OBJECT_TOO_LARGE (over buf's ceiling). */
PX_MUST_USE int object_get(struct object_store *store, struct px_str key, struct px_buf *buf);
/* The same bytes in order, piece by piece and all of one version: memory is bounded by a piece (a part of S3's, 64 KiB of a
 * file). What `piece` returns, when it is not 0, ends the reading and is returned; it is a fault.
 * Answers: OBJECT_ABSENT. Faults: PX_F_BUSY: it was replaced meanwhile. */
typedef int object_piece(void *ctx, struct px_str bytes);
PX_MUST_USE int object_read(struct object_store *store, struct px_str key, object_piece *piece,
                            void *ctx);
/* What `from` has under from_key, under to_key of `to`, replacing one of the same key; whole or not at all. No byte of it goes
 * through this process's memory: S3 copies between buckets of a region, large ones in parts; the kernel between files. Between
 * regions it goes through, a part at a time. class: as in object_put_file().
 * Answers: OBJECT_ABSENT: there is no such object in `from`. Faults: PX_F_CONFIG: one is a directory and one a bucket. */
PX_MUST_USE int object_copy(struct object_store *from, struct px_str from_key,
                            struct object_store *to, struct px_str to_key, struct px_str class);
PX_MUST_USE int object_head(struct object_store *store, struct px_str key, struct px_arena *arena,
                            struct object_info *ret_info);
PX_MUST_USE int object_delete(struct object_store *store, struct px_str key); /* absent is fine */
/* Objects whose key starts with prefix, in key order, at most `max`, after `after` (empty: from the
 * start). What others put under keys that are none here is left out. */
PX_MUST_USE int object_list(struct object_store *store, struct px_str prefix, struct px_str after,
                            size_t max, struct px_arena *arena, struct object_info **ret_infos,
                            size_t *ret_count);
/* Something that DuckDB can open for this key: a path here, s3://... there. In arena. */
PX_MUST_USE int object_url(struct object_store *store, struct px_str key, struct px_arena *arena,
                           struct px_str *ret_url);
/* An URL by which whoever has it reads or writes this one object until it expires, without credentials.
 *   expires_s   1 to 604800; temporary credentials of ours may end sooner, and the URL with them
 * Answers: OBJECT_LOCAL: a directory has no such URLs. */
enum object_right { OBJECT_READ, OBJECT_WRITE };
PX_MUST_USE int object_presign(struct object_store *store, struct px_str key,
                               enum object_right right, uint32_t expires_s, struct px_arena *arena,
                               struct px_str *ret_url);
/* A local file name for writing an object before object_put_file(), on the same file system where the
 * store is a directory. Such leftovers of crashes are removed by object_store_sweep() once older than
 * age_ms. (Parts of an upload that was cut off are removed by the bucket's lifecycle rule.) */
PX_MUST_USE int object_temp_path(struct object_store *store, struct px_arena *arena,
                                 struct px_str *ret_path);
PX_MUST_USE int object_store_sweep(struct object_store *store, int64_t age_ms, size_t *ret_removed);
