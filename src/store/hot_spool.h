/* store/hot_spool.h - a place for records that are taken while nobody knows where their tenant is: beside its datasets, in
 * files of the same format, found by no seal and no query.
 *
 * A spool belongs to one move: its folder is `.spool/m<epoch>` in the tenant's. Whoever takes records puts the frame on stable
 * storage, then looks at the fence; whoever ends the spool raises the fence, then lists. So what was answered for is in the
 * listing (docs/design/migration.md). */
#pragma once

#include "store/hot.h"

#define HOT_SPOOL_FOLDER ".spool"
#define HOT_SPOOL_NAME_BYTES 24
struct hot_spool {
    struct hot_store *files; /* a hot store of its own: a tenant called `name`, and its datasets */
    char name[HOT_SPOOL_NAME_BYTES]; /* of the move */
};
enum hot_spool_answer { HOT_SPOOL_ABSENT = 1 };
/* make: the folder when it is not there; else answers HOT_SPOOL_ABSENT, as the server of the file system sees it. */
PX_MUST_USE int hot_spool_open(struct hot_store *store, struct px_str tenant, int64_t epoch,
                               bool make, struct hot_spool *ret_spool);
void hot_spool_close(struct hot_spool *spool);
/* Its files, with all that was stored before the call; as hot_list(). */
PX_MUST_USE int hot_spool_list(const struct hot_spool *spool, struct px_arena *arena,
                               struct hot_file **ret_files, size_t *ret_count);
/* All spools of a tenant go, also files that a writer holds: nobody was answered for what comes yet. */
PX_MUST_USE int hot_spool_remove(struct hot_store *store, struct px_str tenant);
