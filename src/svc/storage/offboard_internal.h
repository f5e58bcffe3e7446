/* svc/storage/offboard_internal.h - what export and proof share: the registry's word, hashes, the manifest. */
#pragma once

#include "base/px_json.h"
#include "svc/storage/offboard.h"

#define OFFBOARD_JSON_BYTES_MAX ((size_t)256 << 20)

enum offboard_status { OFFBOARD_ACTIVE, OFFBOARD_SUSPENDED, OFFBOARD_DELETED };
struct offboard_registry {
    enum offboard_status status;
    int64_t epoch;
    bool moving;
    struct px_str document;
};
PX_MUST_USE int offboard_registry(struct storage *storage, struct px_str tenant,
                                  struct px_arena *arena, struct offboard_registry *ret);
void offboard_hash(struct px_str bytes, char ret_hex[OFFBOARD_HEX_BYTES]);
bool offboard_late(const struct offboard *offboard);

/* A copy: its name below the tenant's folder of exports. */
struct offboard_object {
    struct px_str name;
    int64_t bytes, rows;
    struct px_str sha256; /* empty in an inventory */
};
struct offboard_manifest {
    yyjson_val *root;
    struct offboard_object *objects;
    size_t count;
    char sha256[OFFBOARD_HEX_BYTES];
    struct px_str key;
};
/* Answers: OBJECT_ABSENT. */
PX_MUST_USE int offboard_manifest_read(struct storage *storage, struct px_str tenant, bool copied,
                                       struct px_arena *arena, struct offboard_manifest *ret);
void offboard_manifest_sums(const struct offboard_manifest *manifest, struct offboarded *ret);
PX_MUST_USE int offboard_key(struct px_arena *arena, struct px_str tenant, struct px_str name,
                             struct px_str *ret_key);
/* Objects and bytes under a prefix. */
struct offboard_sum {
    uint64_t objects, bytes;
};
PX_MUST_USE int offboard_sum(struct object_store *store, struct px_str prefix,
                             struct offboard_sum *sum);
