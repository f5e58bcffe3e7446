/* region/copies.h - the objects of this region once more in a sibling's folder: what S3's replication of the buckets segments and
 * analytics does on AWS (infra/modules/storage/replication.tf), deletions included. docs/design/regions.md
 *
 * A thread compares the two folders and copies what differs, so it needs no memory of what it did: a kill at any
 * moment leaves an object that is copied, or one that is not. Whoever writes objects is never waited for. */
#pragma once

#include "base/px_log.h"
#include "region/data_dir.h"
#include "region/replicator.h"
#include "store/objects.h"

struct copies; /* opaque */

struct copies_options {
    const struct data_dir *dir;      /* borrowed, as all here */
    const struct siblings *siblings; /* with a replica */
    struct replicator *replicator;   /* says whether the sibling can be reached */
    const struct px_clock *clock;
    const struct px_log *log;
    uint32_t every_ms;
};
PX_MUST_USE int copies_new(const struct copies_options *options, struct copies **ret_copies);
void copies_free(struct copies **copies);
/* {"region":"eu-west-1","copied":12,"deleted":1,"complete":"2026-11-27T05:06:07Z","error":""} */
void copies_write_status(struct copies *copies, struct px_buf *buf);

struct copies_sum {
    uint64_t copied, deleted;
};
/* Make `to` like `from`. deletes: also remove what `from` has not. stop (may be NULL) ends it early when true. */
PX_MUST_USE int copies_make_alike(struct object_store *from, struct object_store *to, bool deletes,
                                  bool (*stop)(void *ctx), void *ctx, struct copies_sum *sum);
