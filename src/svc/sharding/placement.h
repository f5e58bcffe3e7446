/* svc/sharding/placement.h - on which shard of this region a new tenant goes, and how full shards are.
 *
 * Table "shards": partition = region, sort "shard/<name>" one item per shard with its bounds and how many
 * tenants it has; sort "load/<tenant>" what a tenant stored and asked lately. A region writes only its own
 * partition, so conditional writes hold although the table is replicated.
 *
 * A tenant's item and its shard's count change in one transaction, on the count's version. So of many
 * onboardings at once none exceeds a bound, and one that fails takes no place.
 *
 * A move takes the tenant off its shard's count and leaves "arrived/<tenant>" in the target's partition, in
 * the transaction that makes the target its home; the target counts it, and takes the item away, the
 * next time that it looks at its shards. A target that was asked before (placement_expect()) has counted it then. */
#pragma once

#include "svc/sharding/registry.h"

#define SHARDS_MAX 64
#define SHARD_TENANTS_MAX 2000 /* of a shard that nobody gave a bound */

enum shard_kind { SHARD_ANY, SHARD_POOLED, SHARD_DEDICATED };
/* What a shard has, or what a tenant adds to it. */
struct shard_load {
    int64_t tenants;
    int64_t bytes;    /* stored */
    int64_t requests; /* a day */
};
struct shard {
    struct px_str name;
    enum shard_kind kind;     /* which tiers may come; ANY: both */
    bool closed;              /* takes nobody; those who are there stay */
    struct px_str owner;      /* the dedicated tenant that has it alone; empty: none */
    struct shard_load load;   /* bytes and requests as of the last recount */
    struct shard_load bounds; /* bytes and requests 0: no bound */
    int64_t version;
};
struct px_str shard_kind_name(enum shard_kind kind);
PX_MUST_USE bool shard_kind_parse(struct px_str name, enum shard_kind *ret_kind);
/* A JSON object; with its fullness, which nobody reads back. */
void shard_write(const struct shard *shard, struct px_buf *buf);
/* How full it is, by what it is fullest of, in thousandths of its bound. */
int64_t shard_fullness(const struct shard *shard);

struct placement {
    struct registry registry; /* its home is the region */
    struct px_str shards;     /* names, "shard-0,shard-1"; empty: "shard-0" */
};
enum placement_answer {
    PLACEMENT_FULL = REGISTRY_COMPANION + 1, /* no shard may take it */
    PLACEMENT_NO_SHARD,                      /* the region has none of that name */
    PLACEMENT_BUSY,                          /* too many at once: worth repeating */
    PLACEMENT_LATE,                          /* a later move is under way */
    PLACEMENT_STAYS,                         /* it is at home here, or is coming back */
};

/* The shards, in order of names; those that the table does not have yet are made, with the tenants counted
 * that they have already. */
PX_MUST_USE int placement_shards(const struct placement *placement, struct px_arena *arena,
                                 struct shard **ret_shards, size_t *ret_count);
/* Create a tenant of this region. spec->shard empty: pooled goes to the least full shard that is under its
 * bounds, dedicated to an empty one, which is then its own; in a region of one shard, to that.
 * Answers: those of registry_create() but REGISTRY_COMPANION, and enum placement_answer. */
PX_MUST_USE int placement_create(const struct placement *placement, const struct tenant_spec *spec,
                                 struct px_arena *arena, struct tenant *ret_tenant,
                                 const char **ret_why);
/* Delete a tenant and give its place back. Answers: those of registry_delete(), PLACEMENT_BUSY. */
PX_MUST_USE int placement_delete(const struct placement *placement, struct px_str name,
                                 struct px_arena *arena, struct tenant *ret_tenant,
                                 const char **ret_why);
/* registry_move_commit(), to the shard that placement_expect() answered (empty: the one of the beginning); the place is given back here and
 * noted for the target to count.
 * Answers: those of registry_move_commit(), PLACEMENT_BUSY. */
PX_MUST_USE int placement_move_commit(const struct placement *placement, struct px_str name,
                                      int64_t epoch, struct px_str shard, struct px_arena *arena,
                                      struct tenant *ret_tenant, const char **ret_why);
/* Keep a place in this region, before it comes, for a tenant that the move `epoch` brings: on spec->shard, or where that may not take it on
 * another. It counts from now on. A repeat gives the same place. Of spec name, tier and shard are looked at.
 * Answers: PLACEMENT_FULL, PLACEMENT_NO_SHARD, PLACEMENT_LATE, PLACEMENT_BUSY, also while its last stay is being cleared away. */
PX_MUST_USE int placement_expect(const struct placement *placement, const struct tenant_spec *spec,
                                 int64_t epoch, struct px_arena *arena, struct px_str *ret_shard);
/* A tenant that the move `epoch` took away from here, or did not bring after all: its place is given back, and for a minute, or until
 * placement_parted(), it is not expected again, so that what it had here can be taken away.
 * Answers: PLACEMENT_STAYS: nothing is to be taken away; PLACEMENT_BUSY. */
PX_MUST_USE int placement_part(const struct placement *placement, struct px_str name, int64_t epoch,
                               struct px_arena *arena);
PX_MUST_USE int placement_parted(const struct placement *placement, struct px_str name,
                                 struct px_arena *arena);
/* Count the tenants of each shard and add up their loads; *ret_mended: shards whose count was wrong.
 * Answers: PLACEMENT_BUSY. */
PX_MUST_USE int placement_recount(const struct placement *placement, struct px_arena *arena,
                                  size_t *ret_mended);
/* What an operator may set; negative numbers and empty texts leave it as it is. */
struct shard_change {
    struct px_str kind;  /* "any", "pooled", "dedicated" */
    struct px_str state; /* "open", "closed" */
    struct shard_load bounds;
};
/* Answers: PLACEMENT_NO_SHARD, REGISTRY_INVALID, PLACEMENT_BUSY. */
PX_MUST_USE int placement_set(const struct placement *placement, struct px_str name,
                              const struct shard_change *change, struct px_arena *arena,
                              struct shard *ret_shard, const char **ret_why);
/* Note what tenants stored and asked; kept for two days. Answers: REGISTRY_INVALID for an array that is not
 * of {"tenant","bytes","requests"}; nothing was noted then. */
PX_MUST_USE int placement_observe(const struct placement *placement, yyjson_val *loads,
                                  struct px_arena *arena, const char **ret_why);

/* ---- moves (rebalance.c) ---- */

struct placed {
    struct px_str tenant, shard;
    bool dedicated;
    struct shard_load load; /* tenants is 1 */
};
/* Living tenants of this region, each with its load, in order of names. */
PX_MUST_USE int placement_tenants(const struct placement *placement, struct px_arena *arena,
                                  struct placed **ret_placed, size_t *ret_count);
struct proposal {
    struct px_str tenant, from, to;
    const char *why;
};
/* Moves that would help, best first, at most max; nothing is changed. First dedicated tenants that share a
 * shard, then shards that are closed or over a bound, then the fullest shards while they are more than 200
 * thousandths fuller than the emptiest and a move makes the fullest of both at least 20 less full. Of
 * an even region it proposes nothing, and nothing once its proposals are done. `shards` becomes the state after them. */
PX_MUST_USE int rebalance_propose(struct shard *shards, size_t shard_count, struct placed *placed,
                                  size_t placed_count, size_t max, struct px_arena *arena,
                                  struct proposal **ret_proposals, size_t *ret_count);
