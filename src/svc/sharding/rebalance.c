/* svc/sharding/rebalance.c - moves of tenants that would help. Greedy: one move after the other, each the one
 * that helps most given those before it. Hysteresis keeps a region that is nearly even from moving at all. */
#include "svc/sharding/placement.h"

#define SPREAD_MIN 200 /* thousandths between the fullest and the emptiest shard */
#define GAIN_MIN 20

struct plan {
    struct shard *shards;
    size_t shard_count;
    struct placed *placed;
    size_t placed_count;
    struct proposal *proposals;
    size_t count, max;
    bool *moved; /* by tenant: nobody is moved twice */
};

static struct shard *shard_of(struct plan *plan, struct px_str name)
{
    for (size_t i = 0; i < plan->shard_count; i++)
        if (px_str_eq(plan->shards[i].name, name)) return &plan->shards[i];
    return NULL;
}

static void add(struct shard_load *to, const struct shard_load *load, int sign)
{
    to->tenants += sign * load->tenants;
    to->bytes = PX_MAX(to->bytes + sign * load->bytes, 0);
    to->requests = PX_MAX(to->requests + sign * load->requests, 0);
}

static int64_t fullness_with(const struct shard *shard, const struct shard_load *load, int sign)
{
    struct shard then = *shard;
    add(&then.load, load, sign);
    return shard_fullness(&then);
}

static void move(struct plan *plan, size_t tenant, struct shard *from, struct shard *to,
                 const char *why)
{
    struct placed *placed = &plan->placed[tenant];
    add(&from->load, &placed->load, -1);
    add(&to->load, &placed->load, 1);
    if (px_str_eq(from->owner, placed->tenant)) from->owner = (struct px_str){0};
    if (placed->dedicated) to->owner = placed->tenant;
    plan->proposals[plan->count++] = (struct proposal){placed->tenant, from->name, to->name, why};
    placed->shard = to->name;
    plan->moved[tenant] = true;
}

/* Where it would fit within every bound and stay at or below `below`; the emptiest of them. */
static struct shard *target(struct plan *plan, const struct placed *placed,
                            const struct shard *from, int64_t below)
{
    struct shard *best = NULL;
    for (size_t i = 0; i < plan->shard_count; i++) {
        struct shard *shard = &plan->shards[i];
        bool fits = shard != from && !shard->closed && shard->owner.len == 0 &&
                    shard->kind != (placed->dedicated ? SHARD_POOLED : SHARD_DEDICATED) &&
                    (!placed->dedicated || shard->load.tenants == 0) &&
                    fullness_with(shard, &placed->load, 1) <= below;
        if (fits && (!best || shard_fullness(shard) < shard_fullness(best))) best = shard;
    }
    return best;
}

static void part_dedicated(struct plan *plan)
{
    for (size_t i = 0; i < plan->placed_count && plan->count < plan->max; i++) {
        struct placed *placed = &plan->placed[i];
        struct shard *from = shard_of(plan, placed->shard);
        if (!placed->dedicated || !from || from->load.tenants < 2) continue;
        struct shard *to = target(plan, placed, from, 1000);
        if (to) move(plan, i, from, to, "a dedicated tenant shares its shard");
    }
}

/* The tenant whose leaving helps most: the greatest share of what the shard is fullest of. */
static bool heaviest(struct plan *plan, const struct shard *from, size_t *ret_tenant)
{
    int64_t best = INT64_MAX;
    for (size_t i = 0; i < plan->placed_count; i++) {
        const struct placed *placed = &plan->placed[i];
        if (plan->moved[i] || !px_str_eq(placed->shard, from->name)) continue;
        int64_t then = fullness_with(from, &placed->load, -1);
        if (then >= best || !target(plan, placed, from, 1000)) continue;
        best = then;
        *ret_tenant = i;
    }
    return best != INT64_MAX;
}

static void relieve(struct plan *plan)
{
    for (size_t i = 0; i < plan->shard_count; i++) {
        struct shard *from = &plan->shards[i];
        size_t tenant = 0;
        while (plan->count < plan->max && from->load.tenants > 0 &&
               (from->closed || shard_fullness(from) > 1000) && heaviest(plan, from, &tenant)) {
            struct shard *to = target(plan, &plan->placed[tenant], from, 1000);
            move(plan, tenant, from, to,
                 from->closed ? "its shard is closed" : "its shard is over a bound");
        }
    }
}

/* The move off `from` that leaves the fuller of both least full. */
static bool best_move(struct plan *plan, const struct shard *from, size_t *ret_tenant)
{
    int64_t best = shard_fullness(from) - GAIN_MIN;
    bool found = false;
    for (size_t i = 0; i < plan->placed_count; i++) {
        const struct placed *placed = &plan->placed[i];
        if (plan->moved[i] || placed->dedicated || !px_str_eq(placed->shard, from->name)) continue;
        const struct shard *to = target(plan, placed, from, best);
        if (!to) continue;
        int64_t then = PX_MAX(fullness_with(from, &placed->load, -1),
                              fullness_with(to, &placed->load, 1));
        if (then > best || (found && then == best)) continue;
        best = then;
        found = true;
        *ret_tenant = i;
    }
    return found;
}

static bool takes_pooled(const struct shard *shard)
{
    return !shard->closed && shard->owner.len == 0 && shard->kind != SHARD_DEDICATED;
}

static void level(struct plan *plan)
{
    while (plan->count < plan->max) {
        struct shard *fullest = NULL, *emptiest = NULL;
        size_t tenant = 0;
        for (size_t i = 0; i < plan->shard_count; i++) {
            struct shard *shard = &plan->shards[i];
            if (!takes_pooled(shard)) continue;
            if (!fullest || shard_fullness(shard) > shard_fullness(fullest)) fullest = shard;
            if (!emptiest || shard_fullness(shard) < shard_fullness(emptiest)) emptiest = shard;
        }
        if (!fullest || shard_fullness(fullest) - shard_fullness(emptiest) <= SPREAD_MIN) return;
        int64_t then = shard_fullness(fullest) - GAIN_MIN;
        if (!best_move(plan, fullest, &tenant)) return;
        struct shard *to = target(plan, &plan->placed[tenant], fullest, then);
        move(plan, tenant, fullest, to, "its shard is much fuller than others");
    }
}

int rebalance_propose(struct shard *shards, size_t shard_count, struct placed *placed,
                      size_t placed_count, size_t max, struct px_arena *arena,
                      struct proposal **ret_proposals, size_t *ret_count)
{
    struct plan plan = {.shards = shards,
                        .shard_count = shard_count,
                        .placed = placed,
                        .placed_count = placed_count,
                        .max = max};
    plan.proposals = px_arena_array(arena, struct proposal, max + 1);
    plan.moved = px_arena_array(arena, bool, placed_count + 1);
    if (!plan.proposals || !plan.moved) return px_arena_fault(arena);
    /* What stands in the items may be of the last recount; the tenants are of now. */
    for (size_t i = 0; i < shard_count; i++) shards[i].load = (struct shard_load){0};
    for (size_t i = 0; i < placed_count; i++) {
        struct shard *shard = shard_of(&plan, placed[i].shard);
        if (shard) add(&shard->load, &placed[i].load, 1);
    }
    part_dedicated(&plan);
    relieve(&plan);
    level(&plan);
    *ret_proposals = plan.proposals;
    *ret_count = plan.count;
    return 0;
}
