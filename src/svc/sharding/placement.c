/* svc/sharding/placement.c - shards as items of table "shards".
 *
 * Invariant: `tenants` of a shard is the number of living tenants of this region that name it and have no item
 * "arrived/<tenant>", and of those that are expected on it (stays.c), after every transaction of placement_create(),
 * placement_delete(), placement_move_commit(), adopt() and of stays.c. A new shard's item is put with what the registry counts; until it stands there nobody can be placed
 * on it. An arrival's item is replicated before the tenant's, so whoever sees a tenant at home here sees it or
 * what became of it. */
#include "svc/sharding/placement_internal.h"

#include <stdlib.h>
#include <time.h>

#include "base/px_id.h"

#define PAUSE_NS_MAX (20 * PX_NS_PER_MS)
#define LOAD_KEPT_NS (2 * 86400 * PX_NS_PER_S)
#define PREFIX_SHARD "shard/"
#define PREFIX_LOAD "load/"
#define PREFIX_ARRIVED "arrived/"

static const struct px_str kind_names[] = {
    [SHARD_ANY] = {"any", 3},
    [SHARD_POOLED] = {"pooled", 6},
    [SHARD_DEDICATED] = {"dedicated", 9},
};

struct px_str shard_kind_name(enum shard_kind kind)
{
    PX_ASSERT((size_t)kind < PX_COUNT(kind_names));
    return kind_names[kind];
}

bool shard_kind_parse(struct px_str name, enum shard_kind *ret_kind)
{
    for (size_t i = 0; i < PX_COUNT(kind_names); i++) {
        if (!px_str_eq(name, kind_names[i])) continue;
        *ret_kind = (enum shard_kind)i;
        return true;
    }
    return false;
}

/* Thousandths, rounded down; a value near INT64_MAX must not wrap. */
static int64_t thousandths(int64_t value, int64_t bound)
{
    if (bound <= 0) return 0;
    return (int64_t)PX_MIN((__int128)value * 1000 / bound, (__int128)INT64_MAX);
}

int64_t shard_fullness(const struct shard *shard)
{
    int64_t most = thousandths(shard->load.tenants, shard->bounds.tenants);
    most = PX_MAX(most, thousandths(shard->load.bytes, shard->bounds.bytes));
    return PX_MAX(most, thousandths(shard->load.requests, shard->bounds.requests));
}

static void add_load(struct px_buf *buf, const char *name, const struct shard_load *load)
{
    px_buf_printf(buf, ",\"%s\":{\"tenants\":%lld,\"bytes\":%lld,\"requests\":%lld}", name,
                  (long long)load->tenants, (long long)load->bytes, (long long)load->requests);
}

void shard_write(const struct shard *shard, struct px_buf *buf)
{
    px_buf_add_c(buf, "{\"shard\":");
    px_buf_add_json_str(buf, shard->name);
    px_buf_add_c(buf, ",\"kind\":");
    px_buf_add_json_str(buf, shard_kind_name(shard->kind));
    px_buf_printf(buf, ",\"state\":\"%s\",\"owner\":", shard->closed ? "closed" : "open");
    px_buf_add_json_str(buf, shard->owner.len > 0 ? shard->owner : S(""));
    add_load(buf, "load", &shard->load);
    add_load(buf, "bounds", &shard->bounds);
    px_buf_printf(buf, ",\"fullness\":%lld}", (long long)shard_fullness(shard));
}

static struct shard_load read_load(yyjson_val *obj)
{
    return (struct shard_load){px_json_i64(obj, "tenants", -1), px_json_i64(obj, "bytes", -1),
                               px_json_i64(obj, "requests", -1)};
}
static bool load_ok(const struct shard_load *load)
{
    return load->tenants >= 0 && load->bytes >= 0 && load->requests >= 0;
}

static int read_shard(const struct table_item *item, struct px_arena *arena,
                      struct shard *ret_shard)
{
    yyjson_val *doc = NULL;
    int r = px_json_parse(item->document, arena, &doc, NULL);
    if (r < 0) return r;
    struct px_str name = item->sort, state = px_json_str(doc, "state");
    if (px_str_starts(name, S(PREFIX_SHARD))) name = px_str_skip(name, strlen(PREFIX_SHARD));
    struct shard shard = {
        .name = name,
        .closed = px_str_eq(state, S("closed")),
        .owner = px_json_str(doc, "owner"),
        .load = read_load(px_json_obj(doc, "load")),
        .bounds = read_load(px_json_obj(doc, "bounds")),
        .version = item->version,
    };
    bool whole = r == 0 && px_str_eq(px_json_str(doc, "shard"), name) &&
                 (shard.closed || px_str_eq(state, S("open"))) && load_ok(&shard.load) &&
                 load_ok(&shard.bounds) && shard_kind_parse(px_json_str(doc, "kind"), &shard.kind);
    if (!whole) return px_fault(PX_F_CORRUPT, "item of shard %.*s", PX_FMT(name));
    *ret_shard = shard;
    return 0;
}

struct table_key placement_key(const struct placement *placement, struct px_str sort)
{
    return (struct table_key){
        .table = S("shards"), .partition = placement->registry.home.region, .sort = sort};
}

/* A put of the shard as it now is, on its version; its texts live in arena. */
int placement_put_of(const struct placement *placement, const struct shard *shard,
                     struct px_arena *arena, struct table_put *ret_put)
{
    PX_AUTO(px_buf_deinit) struct px_buf doc;
    px_buf_init(&doc, 4096);
    shard_write(shard, &doc);
    PX_TRY(px_buf_fault(&doc));
    struct px_str text = px_arena_dup(arena, px_buf_str(&doc));
    struct px_str sort = px_arena_printf(arena, PREFIX_SHARD "%.*s", PX_FMT(shard->name));
    if (!text.ptr || !sort.ptr) return px_arena_fault(arena);
    *ret_put = (struct table_put){.key = placement_key(placement, sort),
                                  .document = text,
                                  .condition = shard->version > 0 ? TABLE_VERSION : TABLE_NEW,
                                  .version = shard->version};
    return 0;
}

/* Between attempts, so that many who meet do not meet again. */
void placement_pause(void)
{
    const struct timespec pause = {.tv_nsec = (long)(px_random_u64() % PAUSE_NS_MAX)};
    (void)nanosleep(&pause, NULL);
}

/* ---- reading ---- */

static int stored_shards(const struct placement *placement, struct px_arena *arena,
                         struct shard **ret_shards, size_t *ret_count)
{
    struct table_query query = {.key = placement_key(placement, S(PREFIX_SHARD)),
                                .max = SHARDS_MAX};
    struct table_item *items = NULL;
    size_t count = 0;
    struct shard *shards = px_arena_array(arena, struct shard, SHARDS_MAX);
    if (!shards) return px_arena_fault(arena);
    PX_TRY(table_query(placement->registry.tables, &query, arena, &items, &count));
    for (size_t i = 0; i < count; i++) PX_TRY(read_shard(&items[i], arena, &shards[i]));
    *ret_shards = shards;
    *ret_count = count;
    return 0;
}

struct shard *placement_find(struct shard *shards, size_t count, struct px_str name)
{
    for (size_t i = 0; i < count; i++)
        if (px_str_eq(shards[i].name, name)) return &shards[i];
    return NULL;
}

static int missing_shards(const struct placement *placement, struct shard *stored, size_t count,
                          struct shard missing[SHARDS_MAX], size_t *ret_missing)
{
    struct px_str rest = placement->shards.len > 0 ? placement->shards : S("shard-0"), name;
    size_t missed = 0;
    bool more = true;
    while (more) {
        more = px_str_cut(&rest, ',', &name);
        if (name.len == 0 || placement_find(stored, count, name) ||
            placement_find(missing, missed, name))
            continue;
        if (count + missed == SHARDS_MAX)
            return px_fault(PX_F_CONFIG, "more than %d shards", SHARDS_MAX);
        missing[missed++] = (struct shard){.name = name, .bounds = {.tenants = SHARD_TENANTS_MAX}};
    }
    *ret_missing = missed;
    return 0;
}

/* Each living tenant of this region, to visit(). */
static int walk(const struct placement *placement,
                int (*visit)(void *ctx, const struct tenant *tenant), void *ctx)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    PX_AUTO(px_buf_deinit) struct px_buf after;
    px_arena_init(&arena, 128u << 20);
    px_buf_init(&after, 1024);
    for (;;) {
        struct tenant *tenants = NULL;
        size_t count = 0;
        px_arena_reset(&arena);
        PX_TRY(registry_list(&placement->registry, px_buf_str(&after), PLACEMENT_PAGE, false,
                             &arena, &tenants, &count));
        for (size_t i = 0; i < count; i++)
            if (px_str_eq(tenants[i].home_region, placement->registry.home.region))
                PX_TRY(visit(ctx, &tenants[i]));
        if (count < PLACEMENT_PAGE) return 0;
        px_buf_clear(&after);
        px_buf_add_str(&after, tenants[count - 1].name);
        PX_TRY(px_buf_fault(&after));
    }
}

/* ---- tenants that arrived and are not counted yet ---- */

/* In order of names: DynamoDB, too, sorts within a partition. */
static int arrivals_list(const struct placement *placement, struct px_arena *arena,
                         struct table_item **ret_items, size_t *ret_count)
{
    struct table_query query = {.key = placement_key(placement, S(PREFIX_ARRIVED)),
                                .max = PLACEMENT_PAGE};
    return table_query(placement->registry.tables, &query, arena, ret_items, ret_count);
}

static struct px_str arrived_name(const struct table_item *item)
{
    return px_str_skip(item->sort, strlen(PREFIX_ARRIVED));
}

static int by_arrived_name(const void *name, const void *item)
{
    return px_str_cmp(*(const struct px_str *)name, arrived_name(item));
}

static bool is_arriving(const struct table_item *arrivals, size_t count, struct px_str name)
{
    return count > 0 && bsearch(&name, arrivals, count, sizeof(*arrivals), by_arrived_name);
}

/* Written where the tenant was, for the region to which it goes. */
static int arrival_put(const struct tenant *tenant, int64_t epoch, struct px_arena *arena,
                       struct table_put *ret_put)
{
    struct px_str sort = px_arena_printf(arena, PREFIX_ARRIVED "%.*s", PX_FMT(tenant->name));
    struct px_str doc = px_arena_printf(arena, "{\"epoch\":%lld}", (long long)epoch);
    if (!sort.ptr || !doc.ptr) return px_arena_fault(arena);
    *ret_put = (struct table_put){.key = {S("shards"), tenant->moving_to, sort}, .document = doc};
    return 0;
}

enum adoption { ADOPT_LATER, ADOPT_COUNTED, ADOPT_STALE };

/* LATER: the tenant's item is not here yet. STALE: it went on, and was never counted here. */
static enum adoption adoption_of(const struct placement *placement, const struct tenant *tenant,
                                 int64_t epoch)
{
    if (tenant->epoch < epoch) return ADOPT_LATER;
    bool here = px_str_eq(tenant->home_region, placement->registry.home.region);
    return here && tenant->status != TENANT_DELETED ? ADOPT_COUNTED : ADOPT_STALE;
}

/* Count one arrival, unless it was expected and so is counted, and take its items away, in one transaction. *adopted grows when it is gone.
 * Answers: TABLE_CONDITION_FAILED: somebody else did, or the shard changed. */
static int adopt_one(const struct placement *placement, struct shard *shards, size_t count,
                     const struct table_item *item, struct px_arena *arena, size_t *adopted)
{
    struct tenant tenant;
    yyjson_val *doc = NULL;
    int r = px_json_parse(item->document, arena, &doc, NULL);
    if (r == PX_JSON_INVALID)
        return px_fault(PX_F_CORRUPT, "arrival of tenant %.*s", PX_FMT(arrived_name(item)));
    PX_TRY(r);
    r = registry_get(&placement->registry, arrived_name(item), arena, &tenant);
    if (r == REGISTRY_ABSENT) return 0;
    PX_TRY(r);
    int64_t epoch = px_json_i64(doc, "epoch", 0);
    enum adoption adoption = adoption_of(placement, &tenant, epoch);
    struct shard *shard = placement_find(shards, count, tenant.shard);
    if (adoption == ADOPT_LATER || (adoption == ADOPT_COUNTED && !shard)) return 0;
    struct stay stay = {0};
    PX_TRY(stay_get(placement, tenant.name, arena, &stay));
    bool expected = stay.state == STAY_EXPECTED && stay.epoch <= epoch;
    struct shard *kept = expected ? placement_find(shards, count, stay.shard) : NULL;
    struct table_put puts[4] = {{.key = placement_key(placement, item->sort),
                                 .condition = TABLE_VERSION,
                                 .version = item->version}};
    size_t put_count = 1;
    if (expected) puts[put_count++] = stay_removal(&stay);
    struct shard *changed[2] = {NULL, NULL};
    if (adoption == ADOPT_COUNTED && shard != kept) {
        placement_take(shard, tenant.name, px_str_eq(tenant.tier, S("dedicated")), count);
        changed[0] = shard;
    }
    if (kept && (adoption == ADOPT_STALE || shard != kept)) {
        placement_give_back(kept, tenant.name);
        changed[1] = kept;
    }
    for (size_t i = 0; i < PX_COUNT(changed); i++)
        if (changed[i]) PX_TRY(placement_put_of(placement, changed[i], arena, &puts[put_count++]));
    r = table_put_all(placement->registry.tables, puts, put_count, NULL);
    if (r != 0) return r;
    for (size_t i = 0; i < PX_COUNT(changed); i++)
        if (changed[i]) changed[i]->version++;
    ++*adopted;
    return 0;
}

/* All that can be: what is left then waits for its tenant's item. Answers: TABLE_CONDITION_FAILED: the shards
 * are to be read again. */
static int adopt(const struct placement *placement, struct shard *shards, size_t count,
                 struct px_arena *arena)
{
    struct table_item *items = NULL;
    size_t arrived = 0, adopted = 0;
    do {
        adopted = 0;
        PX_TRY(arrivals_list(placement, arena, &items, &arrived));
        for (size_t i = 0; i < arrived; i++) {
            int r = adopt_one(placement, shards, count, &items[i], arena, &adopted);
            if (r != 0) return r;
        }
    } while (arrived == PLACEMENT_PAGE && adopted > 0);
    return 0;
}

struct counting {
    struct shard *shards;
    size_t count;
    const struct table_item *arrivals;
    size_t arrival_count;
};
static int count_one(void *ctx, const struct tenant *tenant)
{
    struct counting *counting = ctx;
    struct shard *shard = placement_find(counting->shards, counting->count, tenant->shard);
    if (shard && !is_arriving(counting->arrivals, counting->arrival_count, tenant->name))
        shard->load.tenants++;
    return 0;
}

/* Those of the table, made where they are missing. */
static int known_shards(const struct placement *placement, struct px_arena *arena,
                        struct shard **ret_shards, size_t *ret_count)
{
    struct shard *missing = px_arena_array(arena, struct shard, SHARDS_MAX);
    size_t missed = 0;
    if (!missing) return px_arena_fault(arena);
    PX_TRY(stored_shards(placement, arena, ret_shards, ret_count));
    PX_TRY(missing_shards(placement, *ret_shards, *ret_count, missing, &missed));
    if (missed == 0) return 0;
    struct table_item *arrivals = NULL;
    size_t arrived = 0;
    PX_TRY(
        arrivals_list(placement, arena, &arrivals, &arrived)); /* counted when they are adopted */
    struct counting counting = {missing, missed, arrivals, arrived};
    PX_TRY(walk(placement, count_one, &counting));
    for (size_t i = 0; i < missed; i++) {
        struct table_put put;
        PX_TRY(placement_put_of(placement, &missing[i], arena, &put));
        int r = table_put(placement->registry.tables, &put, arena, NULL, NULL);
        PX_TRY(r < 0 ? r : 0); /* TABLE_CONDITION_FAILED: somebody else made it */
    }
    return stored_shards(placement, arena, ret_shards, ret_count);
}

int placement_shards(const struct placement *placement, struct px_arena *arena,
                     struct shard **ret_shards, size_t *ret_count)
{
    for (int i = 0; i < PLACEMENT_ATTEMPTS; i++) {
        if (i > 0) placement_pause();
        PX_TRY(known_shards(placement, arena, ret_shards, ret_count));
        int r = adopt(placement, *ret_shards, *ret_count, arena);
        if (r != TABLE_CONDITION_FAILED) return r;
    }
    return px_fault(PX_F_BUSY, "shards of %.*s: others change them all the time",
                    PX_FMT(placement->registry.home.region));
}

/* ---- choosing ---- */

void placement_take(struct shard *shard, struct px_str tenant, bool dedicated, size_t shard_count)
{
    if (dedicated && shard->load.tenants == 0 && shard_count > 1) shard->owner = tenant;
    shard->load.tenants++;
}

void placement_give_back(struct shard *shard, struct px_str tenant)
{
    if (shard->load.tenants > 0) shard->load.tenants--;
    if (px_str_eq(shard->owner, tenant)) shard->owner = (struct px_str){0};
}

static bool has_room(const struct shard *shard)
{
    const struct shard_load *load = &shard->load, *bounds = &shard->bounds;
    return !shard->closed && load->tenants < bounds->tenants &&
           (bounds->bytes == 0 || load->bytes < bounds->bytes) &&
           (bounds->requests == 0 || load->requests < bounds->requests);
}

static bool may_take(const struct shard *shard, bool dedicated, bool alone)
{
    if (!has_room(shard) || shard->owner.len > 0) return false;
    if (shard->kind == (dedicated ? SHARD_POOLED : SHARD_DEDICATED)) return false;
    return !dedicated || alone || shard->load.tenants == 0;
}

/* Answers: PLACEMENT_FULL, PLACEMENT_NO_SHARD. */
int placement_choose(struct shard *shards, size_t count, const struct tenant_spec *spec,
                     struct shard **ret_shard)
{
    bool dedicated = px_str_eq(spec->tier, S("dedicated"));
    struct shard *best = NULL;
    if (spec->shard.len > 0) {
        best = placement_find(shards, count, spec->shard);
        if (!best) return PLACEMENT_NO_SHARD;
        if (!may_take(best, dedicated, count == 1)) return PLACEMENT_FULL;
        *ret_shard = best;
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!may_take(&shards[i], dedicated, count == 1)) continue;
        if (!best || shard_fullness(&shards[i]) < shard_fullness(best)) best = &shards[i];
    }
    if (!best) return PLACEMENT_FULL;
    *ret_shard = best;
    return 0;
}

static int create_once(const struct placement *placement, struct tenant_spec spec,
                       struct px_arena *arena, struct tenant *ret_tenant, const char **ret_why)
{
    struct shard *shards = NULL, *shard = NULL;
    size_t count = 0;
    struct table_put put;
    PX_TRY(placement_shards(placement, arena, &shards, &count));
    int r = placement_choose(shards, count, &spec, &shard);
    if (r > 0) return r;
    placement_take(shard, spec.name, px_str_eq(spec.tier, S("dedicated")), count);
    PX_TRY(placement_put_of(placement, shard, arena, &put));
    spec.shard = shard->name;
    spec.companion = &put;
    return registry_create(&placement->registry, &spec, arena, ret_tenant, ret_why);
}

int placement_create(const struct placement *placement, const struct tenant_spec *spec,
                     struct px_arena *arena, struct tenant *ret_tenant, const char **ret_why)
{
    struct tenant_spec own = *spec;
    struct tenant there;
    PX_ASSERT(!spec->companion);
    own.home_region = placement->registry.home.region;
    /* What is wrong with the request is told before what is wrong with the shards. */
    int r = registry_check(&own, arena, ret_why);
    if (r == REGISTRY_INVALID) return r;
    PX_TRY(r);
    r = registry_get(&placement->registry, spec->name, arena, &there);
    if (r == 0) return REGISTRY_EXISTS;
    PX_TRY(r < 0 ? r : 0);
    for (int i = 0; i < PLACEMENT_ATTEMPTS; i++) {
        if (i > 0) placement_pause();
        r = create_once(placement, own, arena, ret_tenant, ret_why);
        if (r != REGISTRY_COMPANION) return r;
    }
    return PLACEMENT_BUSY;
}

/* ---- giving back ---- */

static int delete_once(const struct placement *placement, struct px_str name,
                       struct px_arena *arena, struct tenant *ret_tenant, const char **ret_why)
{
    struct shard *shards = NULL, *shard = NULL;
    size_t count = 0;
    struct table_put put;
    struct tenant tenant;
    int r = registry_get(&placement->registry, name, arena, &tenant);
    if (r == REGISTRY_ABSENT) return r;
    PX_TRY(r);
    if (px_str_eq(tenant.home_region, placement->registry.home.region)) {
        PX_TRY(placement_shards(placement, arena, &shards, &count));
        shard = placement_find(shards, count, tenant.shard);
    }
    if (!shard) return registry_delete(&placement->registry, name, arena, ret_tenant, ret_why);
    placement_give_back(shard, name);
    PX_TRY(placement_put_of(placement, shard, arena, &put));
    return registry_delete_with(&placement->registry, name, &put, arena, ret_tenant, ret_why);
}

int placement_delete(const struct placement *placement, struct px_str name, struct px_arena *arena,
                     struct tenant *ret_tenant, const char **ret_why)
{
    for (int i = 0; i < PLACEMENT_ATTEMPTS; i++) {
        if (i > 0) placement_pause();
        int r = delete_once(placement, name, arena, ret_tenant, ret_why);
        if (r != REGISTRY_COMPANION) return r;
    }
    return PLACEMENT_BUSY;
}

/* ---- moving away ---- */

static int commit_once(const struct placement *placement, struct px_str name, int64_t epoch,
                       struct px_str shard, struct px_arena *arena, struct tenant *ret_tenant,
                       const char **ret_why)
{
    const struct registry *registry = &placement->registry;
    struct shard *shards = NULL;
    struct table_put puts[2];
    struct tenant tenant;
    size_t count = 0, put_count = 0;
    int r = registry_get(registry, name, arena, &tenant);
    if (r == REGISTRY_ABSENT) return r;
    PX_TRY(r);
    bool known = registry->home.region.len > 0;
    if (known && px_str_eq(tenant.home_region, registry->home.region) &&
        tenant.moving_epoch == epoch) {
        PX_TRY(placement_shards(placement, arena, &shards, &count));
        struct shard *old = placement_find(shards, count, tenant.shard);
        if (old) {
            placement_give_back(old, name);
            PX_TRY(placement_put_of(placement, old, arena, &puts[put_count++]));
        }
        PX_TRY(arrival_put(&tenant, epoch, arena, &puts[put_count++]));
    }
    return registry_move_commit_with(registry, name, epoch, shard, puts, put_count, arena,
                                     ret_tenant, ret_why);
}

int placement_move_commit(const struct placement *placement, struct px_str name, int64_t epoch,
                          struct px_str shard, struct px_arena *arena, struct tenant *ret_tenant,
                          const char **ret_why)
{
    for (int i = 0; i < PLACEMENT_ATTEMPTS; i++) {
        if (i > 0) placement_pause();
        int r = commit_once(placement, name, epoch, shard, arena, ret_tenant, ret_why);
        if (r != REGISTRY_COMPANION) return r;
    }
    return PLACEMENT_BUSY;
}

/* ---- what an operator sets ---- */

static int apply(struct shard *shard, const struct shard_change *change, const char **ret_why)
{
    if (change->kind.len > 0 && !shard_kind_parse(change->kind, &shard->kind)) {
        *ret_why = "kind is any, pooled or dedicated";
        return REGISTRY_INVALID;
    }
    bool close = px_str_eq(change->state, S("closed"));
    if (change->state.len > 0 && !close && !px_str_eq(change->state, S("open"))) {
        *ret_why = "state is open or closed";
        return REGISTRY_INVALID;
    }
    if (change->state.len > 0) shard->closed = close;
    if (change->bounds.tenants >= 0) shard->bounds.tenants = change->bounds.tenants;
    if (change->bounds.bytes >= 0) shard->bounds.bytes = change->bounds.bytes;
    if (change->bounds.requests >= 0) shard->bounds.requests = change->bounds.requests;
    return 0;
}

int placement_set(const struct placement *placement, struct px_str name,
                  const struct shard_change *change, struct px_arena *arena,
                  struct shard *ret_shard, const char **ret_why)
{
    for (int i = 0; i < PLACEMENT_ATTEMPTS; i++) {
        struct shard *shards = NULL;
        size_t count = 0;
        struct table_put put;
        if (i > 0) placement_pause();
        PX_TRY(placement_shards(placement, arena, &shards, &count));
        struct shard *shard = placement_find(shards, count, name);
        if (!shard) return PLACEMENT_NO_SHARD;
        int r = apply(shard, change, ret_why);
        if (r == REGISTRY_INVALID) return r;
        PX_TRY(placement_put_of(placement, shard, arena, &put));
        r = table_put(placement->registry.tables, &put, arena, &shard->version, NULL);
        if (r == TABLE_CONDITION_FAILED) continue;
        PX_TRY(r);
        *ret_shard = *shard;
        return 0;
    }
    return PLACEMENT_BUSY;
}

/* ---- loads ---- */

static int check_loads(yyjson_val *loads, const char **ret_why)
{
    size_t i, n;
    yyjson_val *item;
    if (!yyjson_is_arr(loads) || yyjson_arr_size(loads) > PLACEMENT_PAGE) {
        *ret_why = "loads is an array of at most 1000";
        return REGISTRY_INVALID;
    }
    px_json_arr_foreach(loads, i, n, item)
    {
        struct px_str tenant = px_json_str(item, "tenant");
        if (tenant.len > 0 && tenant.len <= 63 && px_json_i64(item, "bytes", -1) >= 0 &&
            px_json_i64(item, "requests", -1) >= 0)
            continue;
        *ret_why = "a load has tenant, bytes and requests, whole numbers of 0 or more";
        return REGISTRY_INVALID;
    }
    return 0;
}

int placement_observe(const struct placement *placement, yyjson_val *loads, struct px_arena *arena,
                      const char **ret_why)
{
    size_t i, n;
    yyjson_val *item;
    int r = check_loads(loads, ret_why);
    if (r == REGISTRY_INVALID) return r;
    int64_t expires_ns = px_wall_ns(placement->registry.clock) + LOAD_KEPT_NS;
    px_json_arr_foreach(loads, i, n, item)
    {
        struct px_str sort = px_arena_printf(arena, PREFIX_LOAD "%.*s",
                                             PX_FMT(px_json_str(item, "tenant")));
        struct px_str doc = px_arena_printf(arena, "{\"bytes\":%lld,\"requests\":%lld}",
                                            (long long)px_json_i64(item, "bytes", 0),
                                            (long long)px_json_i64(item, "requests", 0));
        if (!sort.ptr || !doc.ptr) return px_arena_fault(arena);
        struct table_put put = {
            .key = placement_key(placement, sort), .document = doc, .expires_ns = expires_ns};
        PX_TRY(table_put(placement->registry.tables, &put, arena, NULL, NULL));
    }
    return 0;
}

struct listing {
    struct px_arena *arena;
    struct placed *list;
    size_t count, cap;
};
static int list_one(void *ctx, const struct tenant *tenant)
{
    struct listing *listing = ctx;
    if (listing->count == listing->cap) {
        size_t cap = PX_MAX(listing->cap * 2, (size_t)256);
        struct placed *list = px_arena_realloc(listing->arena, listing->list,
                                               listing->cap * sizeof(*list), cap * sizeof(*list));
        if (!list) return px_arena_fault(listing->arena);
        listing->list = list;
        listing->cap = cap;
    }
    struct placed *placed = &listing->list[listing->count++];
    *placed = (struct placed){
        .tenant = px_arena_dup(listing->arena, tenant->name),
        .shard = px_arena_dup(listing->arena, tenant->shard),
        .dedicated = px_str_eq(tenant->tier, S("dedicated")),
        .load = {.tenants = 1},
    };
    return placed->tenant.ptr && placed->shard.ptr ? 0 : px_arena_fault(listing->arena);
}

static int by_name(const void *a, const void *b)
{
    return px_str_cmp(((const struct placed *)a)->tenant, ((const struct placed *)b)->tenant);
}

static int add_loads(const struct placement *placement, const struct listing *listing,
                     struct px_arena *arena)
{
    struct px_str after = {0};
    for (;;) {
        struct table_query query = {.key = placement_key(placement, S(PREFIX_LOAD)),
                                    .after_sort = after,
                                    .max = PLACEMENT_PAGE};
        struct table_item *items = NULL;
        size_t count = 0;
        if (after.len > 0) query.after_partition = placement->registry.home.region;
        PX_TRY(table_query(placement->registry.tables, &query, arena, &items, &count));
        for (size_t i = 0; i < count; i++) {
            yyjson_val *doc = NULL;
            struct placed key = {.tenant = px_str_skip(items[i].sort, strlen(PREFIX_LOAD))};
            struct placed *placed = listing->count == 0
                                        ? NULL
                                        : bsearch(&key, listing->list, listing->count,
                                                  sizeof(*listing->list), by_name);
            if (!placed) continue; /* gone, or moved away */
            if (px_json_parse(items[i].document, arena, &doc, NULL) != 0) continue;
            placed->load.bytes = px_json_i64(doc, "bytes", 0);
            placed->load.requests = px_json_i64(doc, "requests", 0);
        }
        if (count < PLACEMENT_PAGE) return 0;
        after = items[count - 1].sort;
    }
}

int placement_tenants(const struct placement *placement, struct px_arena *arena,
                      struct placed **ret_placed, size_t *ret_count)
{
    struct listing listing = {.arena = arena};
    PX_TRY(walk(placement, list_one, &listing));
    if (listing.count > 0)
        qsort(listing.list, listing.count, sizeof(*listing.list),
              by_name); /* DynamoDB has no order */
    PX_TRY(add_loads(placement, &listing, arena));
    *ret_placed = listing.list;
    *ret_count = listing.count;
    return 0;
}

/* ---- counting again ---- */

static int64_t sum(int64_t a, int64_t b)
{
    int64_t both;
    return __builtin_add_overflow(a, b, &both) ? INT64_MAX : both;
}

/* The shards were read before the tenants, so whoever was placed meanwhile made this write fail. */
static int recount_once(const struct placement *placement, struct px_arena *arena,
                        size_t *ret_mended)
{
    struct shard *shards = NULL;
    struct placed *placed = NULL;
    struct table_item *arrivals = NULL;
    struct stay *stays = NULL;
    size_t count = 0, tenants = 0, mended = 0, arrived = 0, stay_count = 0;
    PX_TRY(placement_shards(placement, arena, &shards, &count));
    struct table_put *puts = px_arena_array(arena, struct table_put, count + 1);
    if (!puts) return px_arena_fault(arena);
    PX_TRY(placement_tenants(placement, arena, &placed, &tenants));
    PX_TRY(arrivals_list(placement, arena, &arrivals, &arrived)); /* after the tenants: see above */
    PX_TRY(stays_expected(placement, arena, &stays, &stay_count));
    for (size_t i = 0; i < count; i++) {
        struct shard_load load = {0};
        bool owner_lives = false;
        for (size_t k = 0; k < tenants; k++) {
            if (!px_str_eq(placed[k].shard, shards[i].name)) continue;
            if (is_arriving(arrivals, arrived, placed[k].tenant)) continue;
            load.tenants++;
            load.bytes = sum(load.bytes, placed[k].load.bytes);
            load.requests = sum(load.requests, placed[k].load.requests);
            owner_lives = owner_lives || px_str_eq(placed[k].tenant, shards[i].owner);
        }
        for (size_t k = 0; k < stay_count; k++) {
            if (!px_str_eq(stays[k].shard, shards[i].name)) continue;
            load.tenants++;
            owner_lives = owner_lives || px_str_eq(stays[k].tenant, shards[i].owner);
        }
        mended += load.tenants != shards[i].load.tenants;
        shards[i].load = load;
        if (!owner_lives) shards[i].owner = (struct px_str){0};
        PX_TRY(placement_put_of(placement, &shards[i], arena, &puts[i]));
    }
    int r = count == 0 ? 0 : table_put_all(placement->registry.tables, puts, count, NULL);
    if (r == 0) *ret_mended = mended;
    return r;
}

int placement_recount(const struct placement *placement, struct px_arena *arena, size_t *ret_mended)
{
    for (int i = 0; i < PLACEMENT_ATTEMPTS; i++) {
        if (i > 0) placement_pause();
        int r = recount_once(placement, arena, ret_mended);
        if (r != TABLE_CONDITION_FAILED) return r;
    }
    return PLACEMENT_BUSY;
}
