/* Ingest while a tenant moves between two regions: whatever the fence does and whenever, a request that was
 * answered with 200 is in what the last seal finds, and its repeat in the new home is stored once. */
#include "svc/ingest/harness.h"

#include "store/hot_disk.h"
#include "store/hot_fence.h"

/* A region: stores of its own, and the table of claims that all regions share. */
struct region_of {
    struct instance it;
    struct hot_disk disk;
    struct hot_store *other;              /* the same folder, for whoever moves the tenant */
    enum hot_fence_state raise_in_append; /* NONE: nothing happens */
    int64_t epoch;
};

static int fence_at(struct hot_store *store, enum hot_fence_state state, int64_t epoch,
                    const char *region)
{
    struct hot_fence fence = {state, epoch, ""};
    (void)snprintf(fence.region, sizeof fence.region, "%s", region);
    return hot_fence_raise(store, S("acme"), &fence, NULL);
}

/* The frame is written but the append has not returned: the latest moment for somebody else's fence. */
static int sync_and_fence(void *ctx, int fd)
{
    struct region_of *region = ctx;
    if (region->raise_in_append != HOT_FENCE_NONE)
        CHECK_OK(fence_at(region->other, region->raise_in_append, region->epoch, "west"));
    region->raise_in_append = HOT_FENCE_NONE;
    return hot_disk_system.fdatasync(NULL, fd);
}

static void region_init(struct test *t, struct region_of *region, const char *name)
{
    struct instance *it = &region->it;
    *region = (struct region_of){.disk = hot_disk_system};
    region->disk.fdatasync = sync_and_fence;
    region->disk.ctx = region;
    struct px_str root = test_path(t, "%s-hot", name);
    CHECK_OK(hot_store_open_on(root, &region->disk, &it->hot));
    CHECK_OK(hot_store_open(root, &region->other));
    instance_start(it, &t->clock, test_path(t, "tables.db"), test_path(t, "%s.db", name),
                   (struct home){.region = px_str_c(name)}, NULL);
}
static void region_deinit(struct region_of *region)
{
    instance_free(&region->it);
    hot_store_close(&region->other);
}

static struct reply send_keyed(struct test *t, struct region_of *region, const char *home)
{
    const struct request request = {.key = "k-1", .home_region = home, .body = S("{\"n\":1}")};
    return send_to(t, region->it.ingest, &request);
}

static void check_elsewhere(struct reply reply, const char *region)
{
    CHECK_STATUS(421, reply);
    CHECK_STR(px_json_str(reply.json, "home_region"), px_str_c(region));
}

static void check_moving(struct reply reply)
{
    CHECK_STATUS(503, reply);
    CHECK_STR(reply.retry_after, S("1"));
}

TEST(a_leaving_tenant_is_told_to_repeat_and_one_that_left_where_it_is)
{
    PX_AUTO(region_deinit) struct region_of east;
    region_init(t, &east, "east");
    CHECK_OK(fence_at(east.other, HOT_FENCE_LEAVING, 2, "west"));
    check_moving(send_keyed(t, &east, "east"));
    const struct request otlp = {.resource = "/v1/logs",
                                 .type = "application/json",
                                 .home_region = "east",
                                 .body = S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":"
                                           "[{\"body\":{\"stringValue\":\"x\"}}]}]}]}")};
    check_moving(send_to(t, east.it.ingest, &otlp));
    CHECK_OK(fence_at(east.other, HOT_FENCE_LEFT, 2, "west"));
    check_elsewhere(send_keyed(t, &east, "east"), "west"); /* a policy that is a minute old */
    CHECK_INT(stored_in(t, east.it.hot, "events").frames, 0);
    const struct request other = {.tenant = "other", .body = S("{\"n\":1}")};
    CHECK_STATUS(200, send_to(t, east.it.ingest, &other)); /* it is one tenant's fence */
}

TEST(the_new_home_takes_records_when_its_fence_says_so_whatever_a_gateway_remembers)
{
    PX_AUTO(region_deinit) struct region_of west;
    region_init(t, &west, "west");
    CHECK_OK(fence_at(west.other, HOT_FENCE_ARRIVING, 2, "east"));
    check_elsewhere(send_keyed(t, &west, "east"), "east");
    check_moving(send_keyed(t, &west, "west"));
    CHECK_OK(fence_at(west.other, HOT_FENCE_HOME, 2, ""));
    CHECK_STATUS(200, send_keyed(t, &west, "east"));
}

TEST(whoever_meets_a_freeze_whose_time_is_over_is_served_and_lets_others_on)
{
    PX_AUTO(region_deinit) struct region_of east;
    region_init(t, &east, "east");
    int64_t now_ms = px_wall_ns(&t->clock) / PX_NS_PER_MS;
    struct hot_fence fence = {
        .state = HOT_FENCE_LEAVING, .epoch = 2, .region = "west", .until_ms = now_ms + 1000};
    CHECK_OK(hot_fence_freeze(east.other, S("acme"), &fence, &fence));
    check_moving(send_keyed(t, &east, "east"));
    test_advance(t, PX_NS_PER_S);
    CHECK_STATUS(200, send_keyed(t, &east, "east"));
    CHECK_INT(stored_in(t, east.it.hot, "events").frames, 1);
    CHECK_OK(hot_fence_read(east.other, S("acme"), &fence));
    CHECK_INT(fence.state, HOT_FENCE_THAWED);
    CHECK_INT(hot_fence_close(east.other, S("acme"), 2, fence.until_ms, 0, now_ms),
              HOT_FENCE_STALE);
}

TEST(a_fence_raised_during_an_append_refuses_it)
{
    PX_AUTO(region_deinit) struct region_of east;
    region_init(t, &east, "east");
    east.raise_in_append = HOT_FENCE_LEAVING;
    east.epoch = 2;
    check_moving(send_keyed(t, &east, "east"));
    CHECK_INT(stored_in(t, east.it.hot, "events").frames,
              1); /* for the last seal to find, or not */
}

/* The last seal in the old home: everything that is hot there, as marks. */
static void seal_marks(struct test *t, struct region_of *from, struct region_of *to)
{
    const struct seal_mark mark = {hot_writer_id(from->it.writer), 0,
                                   stored_in(t, from->it.hot, "events").frames};
    const struct segment segment = {.key = S("acme/events/one.parquet"),
                                    .tier = TIER_SEGMENT,
                                    .rows = 1,
                                    .bytes = 1,
                                    .schema_json = S("[]"),
                                    .stats_json = S("{}")};
    const struct catalog_sealing sealing = {
        .tenant = S("acme"),
        .dataset = S("events"),
        .schema_json = S("[{\"name\":\"time\",\"type\":\"time\"}]"),
        .segments = &segment,
        .segment_count = 1,
        .marks = &mark,
        .mark_count = 1};
    CHECK_OK(catalog_seal(to->it.catalog, &sealing));
}

TEST(a_refused_request_whose_frame_went_along_is_not_stored_again)
{
    PX_AUTO(region_deinit) struct region_of east, west;
    region_init(t, &east, "east");
    region_init(t, &west, "west");
    east.raise_in_append = HOT_FENCE_LEAVING;
    east.epoch = 2;
    check_moving(send_keyed(t, &east, "east"));
    seal_marks(t, &east, &west); /* the seal read the frame; its mark travels with its segment */
    CHECK_OK(fence_at(west.other, HOT_FENCE_HOME, 2, ""));
    struct reply reply = send_keyed(t, &west, "west");
    CHECK_STATUS(200, reply);
    CHECK_STR(reply.replayed, S("true"));
    CHECK_INT(stored_in(t, west.it.hot, "events").frames, 0);
}

TEST(a_refused_request_whose_frame_stayed_behind_is_stored_in_the_new_home_at_once)
{
    PX_AUTO(region_deinit) struct region_of east, west;
    region_init(t, &east, "east");
    region_init(t, &west, "west");
    east.raise_in_append = HOT_FENCE_LEFT; /* it slept through the whole move */
    east.epoch = 2;
    check_elsewhere(send_keyed(t, &east, "east"), "west");
    CHECK_OK(fence_at(west.other, HOT_FENCE_HOME, 2, ""));
    struct reply reply = send_keyed(t, &west, "west"); /* no lease is waited for */
    CHECK_STATUS(200, reply);
    CHECK_STR(reply.replayed, S(""));
    CHECK_INT(stored_in(t, west.it.hot, "events").frames, 1);
    reply = send_keyed(t, &west, "west");
    CHECK_STATUS(200, reply);
    CHECK_STR(reply.replayed, S("true"));
}

TEST(a_repeat_is_not_confirmed_by_a_frame_that_stays_behind)
{
    PX_AUTO(region_deinit) struct region_of east, west;
    region_init(t, &east, "east");
    region_init(t, &west, "west");
    east.raise_in_append = HOT_FENCE_LEFT;
    east.epoch = 2;
    check_elsewhere(send_keyed(t, &east, "east"), "west");
    check_elsewhere(send_keyed(t, &east, "east"), "west");
    CHECK_OK(fence_at(west.other, HOT_FENCE_HOME, 2, ""));
    CHECK_STATUS(200, send_keyed(t, &west, "west"));
    CHECK_INT(stored_in(t, west.it.hot, "events").frames, 1);
}

TEST(when_a_move_is_given_up_the_refused_frame_counts_where_it_is)
{
    PX_AUTO(region_deinit) struct region_of east;
    region_init(t, &east, "east");
    east.raise_in_append = HOT_FENCE_LEAVING;
    east.epoch = 2;
    check_moving(send_keyed(t, &east, "east"));
    CHECK_OK(fence_at(east.other, HOT_FENCE_HOME, 2, ""));
    struct reply reply = send_keyed(t, &east, "east");
    CHECK_STATUS(200, reply);
    CHECK_STR(reply.replayed, S("true"));
    CHECK_INT(stored_in(t, east.it.hot, "events").frames, 1);
}

TEST_MAIN
