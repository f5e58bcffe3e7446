/* svc/sharding/shards.h - the operations on shards of function tenants. */
#pragma once

#include "svc/sharding/admin.h"
#include "svc/sharding/placement.h"

/* By the route's op:
 *   shards     {"region","shards":[...]}: shard_write() of each
 *   shard      sets kind, state and bounds of one
 *   recount    {"mended","shards":[...]}
 *   observe    {"noted":n}
 *   rebalance  {"proposals":[{"tenant","from","to","why"}],"shards":[...] as they are,"after":[...]}; at most `limit` */
/* A shard as it stands, shard_write(); nothing when the region has none of that name. */
PX_MUST_USE int shards_state(const struct placement *placement, struct px_str name,
                             struct px_arena *arena, struct px_buf *json);
PX_MUST_USE int shards_run(const struct placement *placement, const struct admin_request *request,
                           struct px_arena *arena, struct admin_outcome *outcome);
