/* svc/sharding/placement_internal.h - what placement.c and stays.c have in common. Inside sharding only. */
#pragma once

#include "svc/sharding/placement.h"

#define PLACEMENT_ATTEMPTS 64
#define PLACEMENT_PAGE 1000

struct shard *placement_find(struct shard *shards, size_t count, struct px_str name);
struct table_key placement_key(const struct placement *placement, struct px_str sort);
/* A put of the shard as it now is, on its version; its texts live in arena. */
PX_MUST_USE int placement_put_of(const struct placement *placement, const struct shard *shard,
                                 struct px_arena *arena, struct table_put *ret_put);
/* Where spec may go; an empty spec->shard: the least full. Answers: PLACEMENT_FULL, PLACEMENT_NO_SHARD. */
PX_MUST_USE int placement_choose(struct shard *shards, size_t count, const struct tenant_spec *spec,
                                 struct shard **ret_shard);
/* One tenant more, one less, of the shard in memory. */
void placement_take(struct shard *shard, struct px_str tenant, bool dedicated, size_t shard_count);
void placement_give_back(struct shard *shard, struct px_str tenant);
/* Between attempts, so that many who meet do not meet again. */
void placement_pause(void);

/* ---- stays.c ---- */

enum stay_state {
    STAY_NONE,
    STAY_EXPECTED, /* a move brings it here: it is counted on the shard */
    STAY_LEAVING,  /* what it had here is being taken away; for a while, should nobody end it */
};
struct stay {
    struct table_key key;
    struct px_str tenant, shard;
    enum stay_state state;
    int64_t epoch; /* of the move */
    int64_t version;
};
/* state NONE when there is none. */
PX_MUST_USE int stay_get(const struct placement *placement, struct px_str tenant,
                         struct px_arena *arena, struct stay *ret_stay);
/* A removal of that item, on its version. */
struct table_put stay_removal(const struct stay *stay);
/* All that are expected. */
PX_MUST_USE int stays_expected(const struct placement *placement, struct px_arena *arena,
                               struct stay **ret_stays, size_t *ret_count);
