/* svc/storage/manifest.h - what the source of a move writes down for its target: one object for each dataset and
 * one that names them, written last. All are JSON. */
#pragma once

#include "base/px_json.h"
#include "svc/storage/storage_internal.h"

#define MOVES_PREFIX                                                                               \
    "_moves/" /* no tenant's name begins with it; old ones are orphans for retain */
/* Below a move's own folder: what the source took in a spool, until clean removes it, and which objects there are. */
#define MOVE_SPOOL_FOLDER "spool/"
#define MOVE_SPOOL_INDEX "index.json"
#define MANIFEST_BYTES_MAX ((size_t)256 << 20)

struct manifest {
    bool last;      /* packed behind the fence */
    int64_t freeze; /* then: under which */
    struct px_str *datasets;
    size_t count;
    struct px_str *claims; /* names of the lists of claims of what is sealed (move_claims.h) */
    size_t claim_count;
    struct tenant_retention retention; /* what the tenant says of all its datasets */
};
/* An object of JSON that a move wrote; what is read lives in arena. Answers: OBJECT_ABSENT. */
PX_MUST_USE int manifest_get_json(struct object_store *store, struct px_str key,
                                  struct px_arena *arena, yyjson_val **ret_root);
PX_MUST_USE int manifest_put(struct object_store *store, struct px_str tenant, int64_t epoch,
                             const struct manifest *manifest, struct px_arena *arena);
/* Answers: OBJECT_ABSENT. */
PX_MUST_USE int manifest_get(struct object_store *store, struct px_str tenant, int64_t epoch,
                             struct px_arena *arena, struct manifest *ret_manifest);
/* Keys of segments are the source's. */
PX_MUST_USE int manifest_put_dataset(struct object_store *store, int64_t epoch,
                                     const struct catalog_arrival *dataset, struct px_arena *arena);
PX_MUST_USE int manifest_get_dataset(struct object_store *store, struct px_str tenant,
                                     int64_t epoch, struct px_str dataset, struct px_arena *arena,
                                     struct catalog_arrival *ret_dataset);
/* Where an object of the source goes: its name with the epoch in front, instead of an earlier move's. So no two
 * moves write one key, and an object that a catalog has given up is never taken for a new one. */
PX_MUST_USE int manifest_target_prefix(int64_t epoch, struct px_arena *arena,
                                       struct px_str *ret_prefix);
PX_MUST_USE int manifest_target_key(struct px_str key, int64_t epoch, struct px_arena *arena,
                                    struct px_str *ret_key);
