/* Placement of tenants on shards. One suite for both halves of the tables; tests/sys/test_tables_dynamodb.py runs it on
 * DynamoDB. */
#include "store/tables_kit.h"

#include "svc/sharding/placement.h"

#define REGION "eu-west-1"

static const char *const tables[] = {"tenants", "shards"};

static int place_open(struct test *t, const char *shards, struct placement *ret_placement)
{
    const struct table_options options = {.clock = &t->clock, .busy_ms = 60000};
    struct table_store *store = NULL;
    PX_TRY(table_store_open(tables_url(t), &options, &store));
    *ret_placement = (struct placement){{store, &t->clock, {.region = S(REGION)}},
                                        px_str_c(shards)};
    return 0;
}
static struct placement placement_open(struct test *t, const char *shards)
{
    struct placement placement = {0};
    tables_prepare(t, tables, PX_COUNT(tables));
    CHECK_OK(place_open(t, shards, &placement));
    return placement;
}
static void placement_close(struct placement *placement)
{
    table_store_close(&placement->registry.tables);
}

static int create(struct test *t, const struct placement *p, const char *name, const char *tier,
                  const char *shard, struct px_str *ret_shard)
{
    const struct tenant_spec spec = {
        .name = px_str_c(name), .tier = px_str_c(tier), .shard = px_str_c(shard)};
    struct tenant tenant = {0};
    const char *why = NULL;
    int r = placement_create(p, &spec, &t->arena, &tenant, &why);
    *ret_shard = r == 0 ? tenant.shard : (struct px_str){0};
    return r;
}
static struct px_str place(struct test *t, const struct placement *p, const char *name,
                           const char *tier)
{
    struct px_str shard;
    CHECK_OK(create(t, p, name, tier, "", &shard));
    return shard;
}
static void set(struct test *t, const struct placement *p, const char *shard,
                struct shard_change change)
{
    const char *why = NULL;
    struct shard ignored;
    CHECK_OK(placement_set(p, px_str_c(shard), &change, &t->arena, &ignored, &why));
}
static void bound(struct test *t, const struct placement *p, const char *shard, int64_t tenants)
{
    set(t, p, shard, (struct shard_change){.bounds = {tenants, -1, -1}});
}
static struct shard shard_named(struct test *t, const struct placement *p, const char *name)
{
    struct shard *shards = NULL;
    size_t count = 0;
    CHECK_OK(placement_shards(p, &t->arena, &shards, &count));
    for (size_t i = 0; i < count; i++)
        if (px_str_eq(shards[i].name, px_str_c(name))) return shards[i];
    CHECK(!"the shard is there");
    return (struct shard){0};
}
static int64_t tenants_of(struct test *t, const struct placement *p, const char *name)
{
    return shard_named(t, p, name).load.tenants;
}
static void end(struct test *t, const struct placement *p, const char *name)
{
    struct tenant tenant;
    const char *why = NULL;
    CHECK_OK(placement_delete(p, px_str_c(name), &t->arena, &tenant, &why));
}

TEST(pooled_tenants_go_to_the_least_full_shard)
{
    struct placement p = placement_open(t, "shard-0,shard-1,shard-2");
    bound(t, &p, "shard-0", 10);
    bound(t, &p, "shard-1", 5);
    bound(t, &p, "shard-2", 5);
    CHECK_STR(place(t, &p, "a", "pooled"), S("shard-0"));
    CHECK_STR(place(t, &p, "b", "pooled"), S("shard-1"));
    CHECK_STR(place(t, &p, "c", ""), S("shard-2"));
    CHECK_STR(place(t, &p, "d", "pooled"), S("shard-0")); /* 1 of 10 is less full than 1 of 5 */
    CHECK_INT(tenants_of(t, &p, "shard-0"), 2);
    placement_close(&p);
}

TEST(a_full_region_is_an_answer_and_leaves_nothing)
{
    struct placement p = placement_open(t, "shard-0");
    struct px_str shard;
    struct tenant tenant;
    bound(t, &p, "shard-0", 1);
    CHECK_STR(place(t, &p, "a", "pooled"), S("shard-0"));
    CHECK_INT(create(t, &p, "b", "pooled", "", &shard), PLACEMENT_FULL);
    CHECK_INT(registry_get(&p.registry, S("b"), &t->arena, &tenant), REGISTRY_ABSENT);
    CHECK_INT(create(t, &p, "a", "pooled", "", &shard), REGISTRY_EXISTS); /* not: full */
    CHECK_INT(create(t, &p, "B", "pooled", "", &shard), REGISTRY_INVALID);
    CHECK_INT(tenants_of(t, &p, "shard-0"), 1);
    placement_close(&p);
}

TEST(a_deleted_tenant_gives_its_place_back_once)
{
    struct placement p = placement_open(t, "shard-0");
    bound(t, &p, "shard-0", 2);
    place(t, &p, "a", "pooled");
    place(t, &p, "b", "pooled");
    end(t, &p, "a");
    end(t, &p, "a");
    CHECK_INT(tenants_of(t, &p, "shard-0"), 1);
    CHECK_STR(place(t, &p, "c", "pooled"), S("shard-0"));
    placement_close(&p);
}

TEST(a_dedicated_tenant_gets_a_shard_that_nobody_else_gets)
{
    struct placement p = placement_open(t, "shard-0,shard-1");
    struct px_str shard;
    CHECK_STR(place(t, &p, "a", "pooled"), S("shard-0"));
    CHECK_STR(place(t, &p, "big", "dedicated"), S("shard-1"));
    CHECK_STR(shard_named(t, &p, "shard-1").owner, S("big"));
    CHECK_STR(place(t, &p, "b", "pooled"), S("shard-0"));
    CHECK_INT(create(t, &p, "vast", "dedicated", "", &shard), PLACEMENT_FULL);
    CHECK_INT(create(t, &p, "c", "pooled", "shard-1", &shard), PLACEMENT_FULL);
    end(t, &p, "big");
    CHECK_STR(place(t, &p, "vast", "dedicated"), S("shard-1"));
    placement_close(&p);
}

TEST(in_a_region_of_one_shard_everybody_shares_it)
{
    struct placement p = placement_open(t, "");
    CHECK_STR(place(t, &p, "a", "pooled"), S("shard-0"));
    CHECK_STR(place(t, &p, "big", "dedicated"), S("shard-0"));
    CHECK_STR(place(t, &p, "b", "pooled"), S("shard-0"));
    placement_close(&p);
}

TEST(closed_shards_kinds_and_names_are_heeded)
{
    struct placement p = placement_open(t, "shard-0,shard-1,shard-2");
    struct px_str shard;
    const struct shard_load as_is = {-1, -1, -1};
    set(t, &p, "shard-0", (struct shard_change){.state = S("closed"), .bounds = as_is});
    set(t, &p, "shard-1", (struct shard_change){.kind = S("dedicated"), .bounds = as_is});
    CHECK_STR(place(t, &p, "a", "pooled"), S("shard-2"));
    CHECK_STR(place(t, &p, "big", "dedicated"), S("shard-1"));
    CHECK_OK(create(t, &p, "b", "pooled", "shard-2", &shard));
    CHECK_INT(create(t, &p, "c", "pooled", "shard-0", &shard), PLACEMENT_FULL);
    CHECK_INT(create(t, &p, "c", "pooled", "shard-9", &shard), PLACEMENT_NO_SHARD);
    const char *why = NULL;
    struct shard ignored;
    const struct shard_change wrong = {.kind = S("odd"), .bounds = as_is};
    CHECK_INT(placement_set(&p, S("shard-0"), &wrong, &t->arena, &ignored, &why), REGISTRY_INVALID);
    CHECK_INT(placement_set(&p, S("shard-9"), &wrong, &t->arena, &ignored, &why),
              PLACEMENT_NO_SHARD);
    placement_close(&p);
}

TEST(tenants_from_before_there_were_shards_are_counted)
{
    struct placement p = placement_open(t, "shard-0");
    struct tenant tenant;
    const char *why = NULL;
    struct tenant_spec spec = {.name = S("old"), .home_region = S(REGION)};
    CHECK_OK(registry_create(&p.registry, &spec, &t->arena, &tenant, &why));
    spec.name = S("elsewhere");
    spec.home_region = S("us-east-1");
    CHECK_OK(registry_create(&p.registry, &spec, &t->arena, &tenant, &why));
    CHECK_INT(tenants_of(t, &p, "shard-0"), 1);
    placement_close(&p);
}

TEST(a_recount_mends_what_moved_without_it)
{
    struct placement p = placement_open(t, "shard-0,shard-1");
    struct tenant tenant;
    const char *why = NULL;
    size_t mended = 9;
    yyjson_val *loads = NULL;
    place(t, &p, "a", "pooled");
    const struct tenant_spec moved = {
        .name = S("m"), .home_region = S(REGION), .shard = S("shard-1")};
    CHECK_OK(registry_create(&p.registry, &moved, &t->arena, &tenant, &why));
    CHECK_OK(px_json_parse(S("[{\"tenant\":\"a\",\"bytes\":100,\"requests\":7},"
                             "{\"tenant\":\"gone\",\"bytes\":1,\"requests\":1}]"),
                           &t->arena, &loads, NULL));
    CHECK_OK(placement_observe(&p, loads, &t->arena, &why));
    CHECK_OK(placement_recount(&p, &t->arena, &mended));
    CHECK_INT(mended, 1);
    CHECK_INT(tenants_of(t, &p, "shard-1"), 1);
    CHECK_INT(shard_named(t, &p, "shard-0").load.bytes, 100);
    CHECK_INT(shard_named(t, &p, "shard-0").load.requests, 7);
    CHECK_OK(placement_recount(&p, &t->arena, &mended));
    CHECK_INT(mended, 0);
    CHECK_OK(px_json_parse(S("[{\"tenant\":\"a\",\"bytes\":-1,\"requests\":7}]"), &t->arena, &loads,
                           NULL));
    CHECK_INT(placement_observe(&p, loads, &t->arena, &why), REGISTRY_INVALID);
    placement_close(&p);
}

/* ---- moves between regions ---- */

#define OTHER "us-east-1"

/* Two regions whose tables are one: replication without a lag. */
struct regions {
    struct placement here, there;
};
static struct regions regions_open(struct test *t)
{
    struct regions r = {0};
    r.here = placement_open(t, "shard-0,shard-1");
    CHECK_OK(place_open(t, "shard-0,shard-7", &r.there));
    r.there.registry.home.region = S(OTHER);
    return r;
}
static void regions_close(struct regions *r)
{
    placement_close(&r->here);
    placement_close(&r->there);
}

static int64_t move_begin(struct test *t, const struct placement *from, const char *to,
                          const char *shard)
{
    struct tenant tenant;
    const char *why = NULL;
    CHECK_OK(registry_move_begin(&from->registry, S("m"), px_str_c(to), px_str_c(shard), &t->arena,
                                 &tenant, &why));
    return tenant.moving_epoch;
}
static struct tenant commit(struct test *t, const struct placement *from, int64_t epoch)
{
    struct tenant tenant = {0};
    const char *why = NULL;
    CHECK_OK(placement_move_commit(from, S("m"), epoch, S(""), &t->arena, &tenant, &why));
    return tenant;
}
static void check_counts(struct test *t, const struct regions *r, int64_t here, int64_t there,
                         int64_t there_7)
{
    size_t mended = 9;
    for (int i = 0; i < 2; i++) { /* a recount finds them as they are */
        CHECK_INT(tenants_of(t, &r->here, "shard-0"), here);
        CHECK_INT(tenants_of(t, &r->there, "shard-0"), there);
        CHECK_INT(tenants_of(t, &r->there, "shard-7"), there_7);
        CHECK_OK(placement_recount(&r->here, &t->arena, &mended));
        CHECK_INT(mended, 0);
        CHECK_OK(placement_recount(&r->there, &t->arena, &mended));
        CHECK_INT(mended, 0);
    }
}

TEST(a_tenant_that_moves_takes_its_place_along)
{
    struct regions r = regions_open(t);
    CHECK_STR(place(t, &r.here, "m", "pooled"), S("shard-0"));
    check_counts(t, &r, 1, 0, 0);
    int64_t epoch = move_begin(t, &r.here, OTHER, "shard-7");
    check_counts(t, &r, 1, 0, 0);
    for (int i = 0; i < 3; i++) { /* with repeats, before and after the other region looked */
        struct tenant moved = commit(t, &r.here, epoch);
        CHECK_STR(moved.home_region, S(OTHER));
        CHECK_STR(moved.shard, S("shard-7"));
        if (i > 0) check_counts(t, &r, 0, 0, 1);
    }
    epoch = move_begin(t, &r.there, REGION, "shard-0");
    commit(t, &r.there, epoch);
    commit(t, &r.there, epoch);
    check_counts(t, &r, 1, 0, 0);
    /* on again at once: the place is given back before it was ever counted */
    epoch = move_begin(t, &r.here, OTHER, "shard-0");
    commit(t, &r.here, epoch);
    epoch = move_begin(t, &r.there, REGION, "shard-0");
    commit(t, &r.there, epoch);
    check_counts(t, &r, 1, 0, 0);
    end(t, &r.here, "m");
    check_counts(t, &r, 0, 0, 0);
    regions_close(&r);
}

TEST(a_move_that_is_given_up_moves_no_place)
{
    struct regions r = regions_open(t);
    struct tenant tenant;
    const char *why = NULL;
    place(t, &r.here, "m", "pooled");
    int64_t epoch = move_begin(t, &r.here, OTHER, "shard-7");
    for (int i = 0; i < 2; i++)
        CHECK_OK(registry_move_abort(&r.here.registry, S("m"), epoch, &t->arena, &tenant, &why));
    CHECK_INT(placement_move_commit(&r.here, S("m"), epoch, S(""), &t->arena, &tenant, &why),
              REGISTRY_CONFLICT);
    check_counts(t, &r, 1, 0, 0);
    CHECK_OK(registry_get(&r.here.registry, S("m"), &t->arena, &tenant));
    CHECK_STR(tenant.shard, S("shard-0"));
    regions_close(&r);
}

TEST(a_tenant_that_arrived_and_is_deleted_gives_its_place_back)
{
    struct regions r = regions_open(t);
    place(t, &r.here, "m", "pooled");
    commit(t, &r.here, move_begin(t, &r.here, OTHER, "shard-7"));
    end(t, &r.there, "m"); /* before anybody looked */
    check_counts(t, &r, 0, 0, 0);
    regions_close(&r);
}

TEST(the_first_look_of_a_region_counts_who_arrived_before_it_once)
{
    struct regions r = regions_open(t);
    place(t, &r.here, "m", "pooled");
    commit(t, &r.here, move_begin(t, &r.here, OTHER, "shard-7"));
    CHECK_INT(tenants_of(t, &r.there, "shard-7"), 1); /* the item of that shard is made now */
    check_counts(t, &r, 0, 0, 1);
    regions_close(&r);
}

TEST(an_arrival_waits_for_its_tenants_item)
{
    struct regions r = regions_open(t);
    const struct table_put early = {.key = {S("shards"), S(OTHER), S("arrived/m")},
                                    .document = S("{\"epoch\":2}")};
    place(t, &r.here, "m", "pooled");
    CHECK_OK(table_put(r.there.registry.tables, &early, &t->arena, NULL, NULL));
    check_counts(t, &r, 1, 0, 0);
    commit(t, &r.here, move_begin(t, &r.here, OTHER, "shard-0"));
    check_counts(t, &r, 0, 1, 0);
    regions_close(&r);
}

TEST(a_dedicated_tenant_frees_its_shard_and_owns_the_other)
{
    struct regions r = regions_open(t);
    struct px_str shard = place(t, &r.here, "m", "dedicated");
    CHECK_STR(shard_named(t, &r.here, "shard-0").owner, S("m"));
    commit(t, &r.here, move_begin(t, &r.here, OTHER, "shard-7"));
    CHECK_STR(shard_named(t, &r.here, "shard-0").owner, S(""));
    CHECK_STR(shard_named(t, &r.there, "shard-7").owner, S("m"));
    CHECK_STR(shard, S("shard-0"));
    regions_close(&r);
}

TEST(a_move_to_another_shard_is_another_move)
{
    struct regions r = regions_open(t);
    struct tenant tenant;
    const char *why = NULL;
    place(t, &r.here, "m", "pooled");
    int64_t epoch = move_begin(t, &r.here, OTHER, "shard-7");
    CHECK_INT(move_begin(t, &r.here, OTHER, "shard-7"), epoch);
    CHECK_INT(registry_move_begin(&r.here.registry, S("m"), S(OTHER), S("shard-0"), &t->arena,
                                  &tenant, &why),
              REGISTRY_CONFLICT);
    CHECK(why);
    why = NULL;
    CHECK_OK(registry_move_abort(&r.here.registry, S("m"), epoch, &t->arena, &tenant, &why));
    CHECK_INT(
        registry_move_begin(&r.here.registry, S("m"), S(OTHER), S("a b"), &t->arena, &tenant, &why),
        REGISTRY_INVALID);
    regions_close(&r);
}

/* ---- places that are kept for a move ---- */

static int expect(struct test *t, const struct placement *p, const char *tenant, int64_t epoch,
                  const char *shard, struct px_str *ret_shard)
{
    const struct tenant_spec spec = {
        .name = px_str_c(tenant), .tier = S("pooled"), .shard = px_str_c(shard)};
    return placement_expect(p, &spec, epoch, &t->arena, ret_shard);
}

TEST(an_expected_tenant_is_counted_once_before_and_after_it_came)
{
    struct regions r = regions_open(t);
    struct px_str shard;
    struct tenant tenant = {0};
    const char *why = NULL;
    place(t, &r.here, "m", "pooled");
    int64_t epoch = move_begin(t, &r.here, OTHER, "shard-0");
    for (int i = 0; i < 2; i++) {
        CHECK_OK(expect(t, &r.there, "m", epoch, "shard-7", &shard));
        CHECK_STR(shard, S("shard-7"));
        check_counts(t, &r, 1, 0, 1);
    }
    CHECK_OK(placement_move_commit(&r.here, S("m"), epoch, shard, &t->arena, &tenant, &why));
    CHECK_STR(tenant.shard, S("shard-7"));
    check_counts(t, &r, 0, 0, 1);
    CHECK_OK(expect(t, &r.there, "m", epoch, "shard-0", &shard)); /* a late repeat */
    CHECK_STR(shard, S("shard-7"));
    CHECK_OK(placement_part(&r.here, S("m"), epoch, &t->arena));
    CHECK_INT(placement_part(&r.there, S("m"), epoch, &t->arena), PLACEMENT_STAYS);
    check_counts(t, &r, 0, 0, 1);
    regions_close(&r);
}

TEST(a_move_that_is_given_up_gives_the_kept_place_back)
{
    struct regions r = regions_open(t);
    struct px_str shard;
    place(t, &r.here, "m", "pooled");
    CHECK_OK(expect(t, &r.there, "m", 2, "shard-7", &shard));
    for (int i = 0; i < 2; i++) CHECK_OK(placement_part(&r.there, S("m"), 2, &t->arena));
    check_counts(t, &r, 1, 0, 0);
    CHECK_INT(expect(t, &r.there, "m", 3, "shard-7", &shard), PLACEMENT_BUSY);
    CHECK_OK(placement_parted(&r.there, S("m"), &t->arena));
    CHECK_OK(placement_parted(&r.there, S("m"), &t->arena));
    CHECK_OK(expect(t, &r.there, "m", 3, "shard-7", &shard));
    check_counts(t, &r, 1, 0, 1);
    regions_close(&r);
}

TEST(what_leaves_is_not_in_the_way_for_longer_than_a_minute)
{
    struct regions r = regions_open(t);
    struct px_str shard;
    CHECK_OK(placement_part(&r.there, S("m"), 2, &t->arena)); /* and then whoever did it died */
    CHECK_INT(expect(t, &r.there, "m", 3, "shard-7", &shard), PLACEMENT_BUSY);
    test_advance(t, 61 * PX_NS_PER_S);
    CHECK_OK(expect(t, &r.there, "m", 3, "shard-7", &shard));
    CHECK_INT(placement_part(&r.there, S("m"), 2, &t->arena), PLACEMENT_STAYS); /* it is late */
    CHECK_INT(expect(t, &r.there, "m", 2, "shard-7", &shard), PLACEMENT_LATE);
    regions_close(&r);
}

TEST(a_place_is_kept_on_another_shard_where_the_named_one_is_full_and_nowhere_beyond_a_bound)
{
    struct regions r = regions_open(t);
    struct px_str shard;
    bound(t, &r.there, "shard-7", 1);
    bound(t, &r.there, "shard-0", 1);
    CHECK_INT(expect(t, &r.there, "a", 1, "shard-5", &shard), PLACEMENT_NO_SHARD);
    CHECK_OK(expect(t, &r.there, "a", 1, "shard-7", &shard));
    CHECK_STR(shard, S("shard-7"));
    CHECK_OK(expect(t, &r.there, "b", 1, "shard-7", &shard));
    CHECK_STR(shard, S("shard-0"));
    CHECK_INT(expect(t, &r.there, "c", 1, "shard-7", &shard), PLACEMENT_FULL);
    CHECK_INT(create(t, &r.there, "d", "pooled", "", &shard), PLACEMENT_FULL);
    CHECK_OK(placement_part(&r.there, S("a"), 1, &t->arena));
    CHECK_OK(expect(t, &r.there, "c", 1, "shard-7", &shard));
    CHECK_INT(tenants_of(t, &r.there, "shard-7"), 1);
    CHECK_INT(tenants_of(t, &r.there, "shard-0"), 1);
    regions_close(&r);
}

/* ---- many at once ---- */

#define CHILDREN 6
#define EACH 8
#define ROOM 20 /* in both shards together, for 48 who come */

/* How many it placed; some it deletes again. A child must not fail a CHECK. */
static int crowd(struct test *t, int child)
{
    struct placement p = {0};
    int placed = 0;
    if (place_open(t, "shard-0,shard-1", &p) != 0) return 200;
    for (int i = 0; i < EACH; i++) {
        char name[32];
        struct px_str shard;
        struct tenant tenant;
        const char *why = NULL;
        (void)snprintf(name, sizeof name, "t-%d-%d", child, i);
        int r = create(t, &p, name, "pooled", "", &shard);
        if (r == PLACEMENT_FULL) continue;
        if (r != 0) return 201;
        placed++;
        if (i % 3 != 0) continue;
        if (placement_delete(&p, px_str_c(name), &t->arena, &tenant, &why) != 0) return 202;
        placed--;
    }
    placement_close(&p);
    return placed;
}

static int count_on(struct test *t, const struct placement *p, const char *shard)
{
    struct placed *placed = NULL;
    size_t count = 0;
    int on = 0;
    CHECK_OK(placement_tenants(p, &t->arena, &placed, &count));
    for (size_t i = 0; i < count; i++) on += px_str_eq(placed[i].shard, px_str_c(shard));
    return on;
}

TEST(of_many_onboardings_at_once_none_exceeds_a_bound)
{
    struct placement p = placement_open(t, "shard-0,shard-1");
    int status[CHILDREN], sum = 0;
    bound(t, &p, "shard-0", ROOM / 2);
    bound(t, &p, "shard-1", ROOM / 2);
    placement_close(&p);
    in_children(t, CHILDREN, crowd, status);
    for (int i = 0; i < CHILDREN; i++) {
        CHECK(status[i] < 200);
        sum += status[i];
    }
    CHECK_OK(place_open(t, "shard-0,shard-1", &p));
    CHECK(sum <= ROOM);
    CHECK_INT(count_on(t, &p, "shard-0") + count_on(t, &p, "shard-1"), sum);
    CHECK(count_on(t, &p, "shard-0") <= ROOM / 2 && count_on(t, &p, "shard-1") <= ROOM / 2);
    CHECK_INT(tenants_of(t, &p, "shard-0"), count_on(t, &p, "shard-0"));
    CHECK_INT(tenants_of(t, &p, "shard-1"), count_on(t, &p, "shard-1"));
    placement_close(&p);
}

/* ---- moves ---- */

struct region {
    struct shard shards[4];
    size_t shard_count;
    struct placed placed[64];
    size_t placed_count;
    struct proposal *proposals;
    size_t count;
};
static void add_shard(struct region *r, const char *name, int64_t tenants_max)
{
    r->shards[r->shard_count++] = (struct shard){
        .name = px_str_c(name), .bounds = {.tenants = tenants_max, .requests = 1000}};
}
static void add_tenant(struct test *t, struct region *r, const char *shard, int64_t requests,
                       bool dedicated)
{
    struct px_str name = px_arena_printf(&t->arena, "t%zu", r->placed_count);
    r->placed[r->placed_count++] = (struct placed){
        name, px_str_c(shard), dedicated, {.tenants = 1, .requests = requests}};
}
static void propose(struct test *t, struct region *r, size_t max)
{
    CHECK_OK(rebalance_propose(r->shards, r->shard_count, r->placed, r->placed_count, max,
                               &t->arena, &r->proposals, &r->count));
}

TEST(a_region_that_is_nearly_even_is_left_alone)
{
    struct region r = {0};
    add_shard(&r, "a", 100);
    add_shard(&r, "b", 100);
    add_tenant(t, &r, "a", 300, false);
    add_tenant(t, &r, "a", 100, false);
    add_tenant(t, &r, "b", 210, false);
    propose(t, &r, 10); /* 400 and 210 thousandths */
    CHECK_INT(r.count, 0);
}

TEST(the_fullest_shard_gives_until_it_is_even_and_then_nothing_more)
{
    struct region r = {0};
    add_shard(&r, "a", 100);
    add_shard(&r, "b", 100);
    for (int i = 0; i < 8; i++) add_tenant(t, &r, "a", 100, false);
    propose(t, &r, 10);
    CHECK(r.count >= 3 && r.count <= 4);
    CHECK_STR(r.proposals[0].from, S("a"));
    CHECK_STR(r.proposals[0].to, S("b"));
    CHECK(shard_fullness(&r.shards[0]) - shard_fullness(&r.shards[1]) <= 200);
    propose(t, &r, 10); /* once they are done */
    CHECK_INT(r.count, 0);
}

TEST(one_large_tenant_is_not_sent_back_and_forth)
{
    struct region r = {0};
    add_shard(&r, "a", 100);
    add_shard(&r, "b", 100);
    add_tenant(t, &r, "a", 900, false);
    propose(t, &r, 10);
    CHECK_INT(r.count, 0);
}

TEST(dedicated_tenants_and_closed_shards_come_first)
{
    struct region r = {0};
    add_shard(&r, "a", 100);
    add_shard(&r, "b", 100);
    add_shard(&r, "c", 100);
    r.shards[1].closed = true;
    add_tenant(t, &r, "a", 10, false);
    add_tenant(t, &r, "a", 10, true);
    add_tenant(t, &r, "b", 10, false);
    propose(t, &r, 10);
    CHECK_INT(r.count, 2);
    CHECK_STR(r.proposals[0].tenant, S("t1"));
    CHECK_STR(r.proposals[0].to, S("c"));
    CHECK_STR(r.proposals[1].tenant, S("t2"));
    CHECK_STR(r.proposals[1].to, S("a")); /* c is t1's own now */
}

TEST(a_shard_over_its_bound_is_relieved_and_at_most_so_many_are_proposed)
{
    struct region r = {0};
    add_shard(&r, "a", 4);
    add_shard(&r, "b", 4);
    for (int i = 0; i < 6; i++) add_tenant(t, &r, "a", 1, false);
    propose(t, &r, 1);
    CHECK_INT(r.count, 1);
    CHECK(strcmp(r.proposals[0].why, "its shard is over a bound") == 0);
    propose(t, &r, 10);
    CHECK(shard_fullness(&r.shards[0]) <= 1000 && shard_fullness(&r.shards[1]) <= 1000);
}

TEST_MAIN
