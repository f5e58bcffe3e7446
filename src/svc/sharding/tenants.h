/* svc/sharding/tenants.h - the tenant registry as a function: HTTP routes under /v1/admin/tenants and
 * the direct operations create, ensure, get, list, change, delete; and, direct only, those on shards: shards,
 * shard, recount, observe, rebalance, and of moves: move-begin, move-ready, move-commit, move-abort, move-place,
 * move-vacate. docs/api.md, docs/design/sharding.md */
#pragma once

#include "lambda/runtime.h"
#include "svc/sharding/placement.h"
#include "svc/sharding/residence.h"

struct tenants {
    struct registry registry;
    /* Ends all keys of a tenant that is being deleted; may be called again after a crash. */
    int (*revoke_keys)(void *ctx, struct px_str tenant, struct px_arena *arena, size_t *ret_count);
    void *ctx;
    struct px_str shards;        /* of this region: "shard-0,shard-1"; empty: "shard-0" */
    struct residence *residence; /* NULL: nothing is made for tenants besides the registry */
    const struct audit *audit;   /* NULL: changes are not recorded */
};
PX_MUST_USE int tenants_handle(const struct tenants *tenants, const struct lambda_event *event);
