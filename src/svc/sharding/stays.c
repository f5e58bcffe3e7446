/* svc/sharding/stays.c - who is expected here, and who is leaving: one item "stay/<tenant>" of table "shards" in this region's partition.
 *
 *   none --expect--> expected --(its arrival is counted)--> none        home is here
 *   expected --part--> leaving --parted--> none                         the move was given up
 *   none --part--> leaving --parted--> none                             it has moved away
 *   leaving --expect--> (busy until parted, or until a minute is over)
 *
 * One item, changed on its version: so whoever takes a tenant's access point away cannot meet whoever makes one for its return.
 * Expected is counted on its shard in the same transaction, therefore bounds hold however many come at once. */
#include "svc/sharding/placement_internal.h"

#define PREFIX_STAY "stay/"
#define LEAVING_NS (60 * PX_NS_PER_S)

static const char *const state_names[] = {
    [STAY_NONE] = "", [STAY_EXPECTED] = "expected", [STAY_LEAVING] = "leaving"};

static int read_stay(const struct table_item *item, struct px_arena *arena, struct stay *stay)
{
    yyjson_val *doc = NULL;
    int r = px_json_parse(item->document, arena, &doc, NULL);
    PX_TRY(r == PX_JSON_INVALID ? 0 : r);
    for (size_t i = STAY_EXPECTED; i < PX_COUNT(state_names); i++)
        if (px_str_eq(px_json_str(doc, "state"), px_str_c(state_names[i])))
            stay->state = (enum stay_state)i;
    stay->shard = px_json_str(doc, "shard");
    stay->epoch = px_json_i64(doc, "epoch", 0);
    stay->version = item->version;
    if (stay->state == STAY_NONE || stay->epoch < 1)
        return px_fault(PX_F_CORRUPT, "stay of tenant %.*s", PX_FMT(stay->tenant));
    return 0;
}

int stay_get(const struct placement *placement, struct px_str tenant, struct px_arena *arena,
             struct stay *ret_stay)
{
    struct table_item item;
    struct px_str sort = px_arena_printf(arena, PREFIX_STAY "%.*s", PX_FMT(tenant));
    if (!sort.ptr) return px_arena_fault(arena);
    *ret_stay = (struct stay){.key = placement_key(placement, sort), .tenant = tenant};
    int r = table_get(placement->registry.tables, &ret_stay->key, arena, &item);
    if (r == TABLE_ABSENT) return 0;
    PX_TRY(r);
    return read_stay(&item, arena, ret_stay);
}

struct table_put stay_removal(const struct stay *stay)
{
    return (struct table_put){
        .key = stay->key, .condition = TABLE_VERSION, .version = stay->version};
}

int stays_expected(const struct placement *placement, struct px_arena *arena,
                   struct stay **ret_stays, size_t *ret_count)
{
    struct stay *stays = NULL;
    size_t count = 0;
    struct px_str after = {0};
    for (;;) {
        struct table_query query = {.key = placement_key(placement, S(PREFIX_STAY)),
                                    .after_sort = after,
                                    .max = PLACEMENT_PAGE};
        struct table_item *items = NULL;
        size_t found = 0;
        if (after.len > 0) query.after_partition = placement->registry.home.region;
        PX_TRY(table_query(placement->registry.tables, &query, arena, &items, &found));
        stays = px_arena_realloc(arena, stays, count * sizeof *stays,
                                 (count + found + 1) * sizeof *stays);
        if (!stays) return px_arena_fault(arena);
        for (size_t i = 0; i < found; i++) {
            struct stay stay = {.key = placement_key(placement, items[i].sort),
                                .tenant = px_str_skip(items[i].sort, strlen(PREFIX_STAY))};
            PX_TRY(read_stay(&items[i], arena, &stay));
            if (stay.state == STAY_EXPECTED) stays[count++] = stay;
        }
        if (found < PLACEMENT_PAGE) break;
        after = items[found - 1].sort;
    }
    *ret_stays = stays;
    *ret_count = count;
    return 0;
}

/* A put of the stay as it now is, on its version. */
static int put_stay(const struct placement *placement, const struct stay *stay,
                    struct px_arena *arena, struct table_put *ret_put)
{
    /* names of shards and tenants need no escapes */
    struct px_str doc = px_arena_printf(
        arena, "{\"state\":\"%s\",\"epoch\":%lld,\"shard\":\"%.*s\"}", state_names[stay->state],
        (long long)stay->epoch, PX_FMT(stay->shard));
    if (!doc.ptr) return px_arena_fault(arena);
    *ret_put = (struct table_put){.key = stay->key,
                                  .document = doc,
                                  .expires_ns = stay->state == STAY_LEAVING
                                                    ? px_wall_ns(placement->registry.clock) +
                                                          LEAVING_NS
                                                    : 0,
                                  .condition = stay->version > 0 ? TABLE_VERSION : TABLE_NEW,
                                  .version = stay->version};
    return 0;
}

/* At home here by a move of this epoch or a later one. A replica that is late tells of an earlier epoch. */
static int is_at_home(const struct placement *placement, struct px_str name, int64_t epoch,
                      struct px_arena *arena, struct tenant *ret_tenant, bool *ret_here)
{
    int r = registry_get(&placement->registry, name, arena, ret_tenant);
    PX_TRY(r < 0 ? r : 0);
    *ret_here = r == 0 && px_str_eq(ret_tenant->home_region, placement->registry.home.region) &&
                ret_tenant->epoch >= epoch;
    return 0;
}

/* ---- expecting ---- */

/* Answers: TABLE_CONDITION_FAILED: somebody else was quicker; enum placement_answer. */
static int expect_once(const struct placement *placement, const struct tenant_spec *spec,
                       int64_t epoch, struct px_arena *arena, struct px_str *ret_shard)
{
    struct shard *shards = NULL, *shard = NULL;
    struct table_put puts[2];
    struct tenant tenant = {0};
    struct stay stay = {0};
    size_t count = 0;
    bool here = false;
    PX_TRY(placement_shards(placement, arena, &shards, &count));
    PX_TRY(stay_get(placement, spec->name, arena, &stay));
    PX_TRY(is_at_home(placement, spec->name, epoch, arena, &tenant, &here));
    if (here || (stay.state == STAY_EXPECTED && stay.epoch == epoch)) {
        *ret_shard = here ? tenant.shard : stay.shard; /* a repeat */
        return 0;
    }
    if (stay.epoch > epoch) return PLACEMENT_LATE;
    if (stay.state == STAY_LEAVING) return PLACEMENT_BUSY;
    bool counted = stay.state == STAY_EXPECTED; /* by an earlier move, which nobody ended */
    stay.epoch = epoch;
    stay.state = STAY_EXPECTED;
    if (!counted) {
        int r = placement_choose(shards, count, spec, &shard);
        if (r == PLACEMENT_FULL) {
            struct tenant_spec anywhere = *spec;
            anywhere.shard = (struct px_str){0};
            r = placement_choose(shards, count, &anywhere, &shard);
        }
        if (r > 0) return r;
        stay.shard = shard->name;
        placement_take(shard, spec->name, px_str_eq(spec->tier, S("dedicated")), count);
        PX_TRY(placement_put_of(placement, shard, arena, &puts[1]));
    }
    PX_TRY(put_stay(placement, &stay, arena, &puts[0]));
    int r = table_put_all(placement->registry.tables, puts, counted ? 1 : 2, NULL);
    if (r == 0) *ret_shard = stay.shard;
    return r;
}

int placement_expect(const struct placement *placement, const struct tenant_spec *spec,
                     int64_t epoch, struct px_arena *arena, struct px_str *ret_shard)
{
    for (int i = 0; i < PLACEMENT_ATTEMPTS; i++) {
        if (i > 0) placement_pause();
        int r = expect_once(placement, spec, epoch, arena, ret_shard);
        if (r != TABLE_CONDITION_FAILED) return r;
    }
    return PLACEMENT_BUSY;
}

/* ---- leaving ---- */

static int part_once(const struct placement *placement, struct px_str name, int64_t epoch,
                     struct px_arena *arena)
{
    struct shard *shards = NULL, *shard = NULL;
    struct table_put puts[2];
    struct tenant tenant = {0};
    struct stay stay = {0};
    size_t count = 0, put_count = 1;
    bool here = false;
    PX_TRY(placement_shards(placement, arena, &shards, &count));
    PX_TRY(stay_get(placement, name, arena, &stay));
    PX_TRY(is_at_home(placement, name, epoch, arena, &tenant, &here));
    if (here || (stay.state == STAY_EXPECTED && stay.epoch > epoch)) return PLACEMENT_STAYS;
    if (stay.state == STAY_EXPECTED) shard = placement_find(shards, count, stay.shard);
    if (shard) {
        placement_give_back(shard, name);
        PX_TRY(placement_put_of(placement, shard, arena, &puts[put_count++]));
    }
    stay.state = STAY_LEAVING;
    stay.epoch = PX_MAX(stay.epoch, epoch);
    PX_TRY(put_stay(placement, &stay, arena, &puts[0]));
    return table_put_all(placement->registry.tables, puts, put_count, NULL);
}

int placement_part(const struct placement *placement, struct px_str name, int64_t epoch,
                   struct px_arena *arena)
{
    for (int i = 0; i < PLACEMENT_ATTEMPTS; i++) {
        if (i > 0) placement_pause();
        int r = part_once(placement, name, epoch, arena);
        if (r != TABLE_CONDITION_FAILED) return r;
    }
    return PLACEMENT_BUSY;
}

int placement_parted(const struct placement *placement, struct px_str name, struct px_arena *arena)
{
    struct stay stay = {0};
    PX_TRY(stay_get(placement, name, arena, &stay));
    if (stay.state != STAY_LEAVING) return 0;
    int r = table_delete(placement->registry.tables, &stay.key, TABLE_VERSION, stay.version);
    return r == TABLE_CONDITION_FAILED ? 0 : r; /* somebody repeats it, and ends it */
}
