/* Records that come while nobody knows whether their tenant moved or stays: they are answered for in time, and stored once
 * wherever the tenant is at home in the end. */
#include "svc/ingest/harness.h"

#include "store/hot_disk.h"
#include "store/hot_fence.h"
#include "svc/ingest/spool.h"

#define EPOCH 2
#define WAIT_NS (400 * PX_NS_PER_MS)

/* A region with stores of its own. The registry's replication is cut: each has its own claims. */
struct place {
    struct instance it;
    struct hot_disk disk;
    struct hot_store *other; /* the same folder, for whoever moves the tenant */
    bool
        end_in_append; /* the spool ends when the frame is written and the append has not returned */
};

static int raise_fence(struct place *place, enum hot_fence_state state, int64_t spool_ms)
{
    const struct hot_fence fence = {
        .state = state, .epoch = EPOCH, .region = "west", .spool_ms = spool_ms};
    return hot_fence_raise(place->other, S("acme"), &fence, NULL);
}

static int sync_and_end(void *ctx, int fd)
{
    struct place *place = ctx;
    if (place->end_in_append) CHECK_OK(raise_fence(place, HOT_FENCE_LEFT, 0));
    place->end_in_append = false;
    return hot_disk_system.fdatasync(NULL, fd);
}

static void place_init(struct test *t, struct place *place, const char *name)
{
    struct instance *it = &place->it;
    *place = (struct place){.disk = hot_disk_system};
    place->disk.fdatasync = sync_and_end;
    place->disk.ctx = place;
    struct px_str root = test_path(t, "%s-hot", name);
    CHECK_OK(hot_store_open_on(root, &place->disk, &it->hot));
    CHECK_OK(hot_store_open(root, &place->other));
    instance_start(it, &t->clock, test_path(t, "%s-tables.db", name), test_path(t, "%s.db", name),
                   (struct home){.region = px_str_c(name)}, NULL);
}
static void place_deinit(struct place *place)
{
    instance_free(&place->it);
    hot_store_close(&place->other);
}

static struct reply send_keyed(struct test *t, struct place *place, const char *key,
                               const char *body)
{
    const struct request request = {.key = key, .home_region = "east", .body = px_str_c(body)};
    return send_to(t, place->it.ingest, &request);
}
static void check_moving(struct reply reply)
{
    CHECK_STATUS(503, reply);
    CHECK_STR(reply.retry_after, S("1"));
}

/* LEAVING without an end, from which on writers wait for the decision. */
static void leave(struct test *t, struct place *east)
{
    int64_t now_ms = px_wall_ns(&t->clock) / PX_NS_PER_MS;
    CHECK_OK(raise_fence(east, HOT_FENCE_LEAVING, now_ms + WAIT_NS / PX_NS_PER_MS));
}

static int catalog_of(void *ctx, struct catalog **ret_catalog)
{
    *ret_catalog = ((struct place *)ctx)->it.catalog;
    return 0;
}

/* What ends the move does: the spool of one region to the hot files of the other, or of the same one. */
static struct spool_told tell(struct test *t, struct place *from, struct place *to)
{
    PX_AUTO(hot_spool_close) struct hot_spool spool = {0};
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    struct spool_told told = {0};
    CHECK_OK(hot_spool_open(from->other, S("acme"), EPOCH, false, &spool));
    CHECK_OK(hot_writer_new(to->it.hot, NULL, &writer));
    const struct claim_stores stores = {to->it.hot, writer,     to->it.tables,
                                        &t->clock,  catalog_of, to};
    CHECK_OK(spool_tell(&stores, S("acme"), &spool, 0, &told));
    CHECK(!told.more);
    return told;
}

TEST(writers_wait_for_the_decision_for_a_moment_and_are_then_answered_for)
{
    PX_AUTO(place_deinit) struct place east;
    struct hot_fence fence;
    place_init(t, &east, "east");
    CHECK_STATUS(200, send_keyed(t, &east, "k-0", "{\"n\":0}"));
    leave(t, &east);
    check_moving(send_keyed(t, &east, "k-1", "{\"n\":1}"));
    test_advance(t, WAIT_NS);
    struct reply again = send_keyed(t, &east, "k-0", "{\"n\":0}"); /* was stored before */
    CHECK_STATUS(200, again);
    CHECK(px_json_bool(again.json, "duplicate", false));
    CHECK_STATUS(422, send_keyed(t, &east, "k-0", "{\"n\":7}"));
    CHECK_STATUS(200, send_keyed(t, &east, "k-1", "{\"n\":1}"));
    CHECK_OK(hot_fence_read(east.other, S("acme"), &fence));
    CHECK_INT(fence.state, HOT_FENCE_SPOOLING);
    CHECK_INT(stored_in(t, east.it.hot, "events").frames, 1); /* where nobody finds it yet */
    /* decided, but the target has not said that it takes records */
    CHECK_OK(raise_fence(&east, HOT_FENCE_LEFT, fence.spool_ms));
    CHECK_STATUS(200, send_keyed(t, &east, "k-2", "{\"n\":2}"));
    CHECK_OK(raise_fence(&east, HOT_FENCE_LEFT, 0));
    CHECK_STATUS(421, send_keyed(t, &east, "k-3", "{\"n\":3}"));
}

TEST(given_up_what_was_spooled_is_stored_here_once)
{
    PX_AUTO(place_deinit) struct place east;
    place_init(t, &east, "east");
    leave(t, &east);
    test_advance(t, WAIT_NS);
    for (int i = 0; i < 2; i++) CHECK_STATUS(200, send_keyed(t, &east, "k-1", "{\"n\":1}"));
    CHECK_OK(raise_fence(&east, HOT_FENCE_TAKING, 0));
    CHECK_STATUS(200, send_keyed(t, &east, "k-1", "{\"n\":1}")); /* before it was told on */
    struct spool_told told = tell(t, &east, &east);
    CHECK_INT(told.stored, 0);
    CHECK_INT(told.known, 2);
    CHECK_INT(stored_in(t, east.it.hot, "events").frames, 1);
}

TEST(moved_what_was_spooled_and_what_the_target_took_itself_is_there_once)
{
    PX_AUTO(place_deinit) struct place east, west;
    place_init(t, &east, "east");
    place_init(t, &west, "west");
    leave(t, &east);
    test_advance(t, WAIT_NS);
    CHECK_STATUS(200, send_keyed(t, &east, "k-1", "{\"n\":1}"));
    CHECK_STATUS(200, send_keyed(t, &east, "k-2", "{\"n\":2}"));
    CHECK_STATUS(200, send_keyed(t, &east, "k-3", "{\"n\":3}"));
    CHECK_OK(raise_fence(&west, HOT_FENCE_TAKING, 0));
    CHECK_STATUS(200, send_keyed(t, &west, "k-2", "{\"n\":2}")); /* its answer there was lost */
    CHECK_STATUS(200, send_keyed(t, &west, "k-3", "{\"n\":4}")); /* a key that was used twice */
    struct spool_told told = tell(t, &east, &west);
    CHECK_INT(told.stored, 2);
    CHECK_INT(told.known, 1);
    CHECK_INT(stored_in(t, west.it.hot, "events").frames,
              4); /* both of k-3: both were answered for */
    told = tell(t, &east, &west);
    CHECK_INT(told.stored, 0);
    CHECK_INT(told.known, 3);
    CHECK_INT(stored_in(t, west.it.hot, "events").frames, 4);
    struct reply again = send_keyed(t, &west, "k-1", "{\"n\":1}");
    CHECK(px_json_bool(again.json, "duplicate", false));
}

TEST(a_spool_that_ends_during_an_append_answers_for_nothing)
{
    PX_AUTO(place_deinit) struct place east;
    int64_t now_ms = px_wall_ns(&t->clock) / PX_NS_PER_MS;
    place_init(t, &east, "east");
    CHECK_OK(raise_fence(&east, HOT_FENCE_LEFT, now_ms - 1));
    CHECK_STATUS(200, send_keyed(t, &east, "k-1", "{\"n\":1}"));
    east.end_in_append = true;
    CHECK_STATUS(421, send_keyed(t, &east, "k-2", "{\"n\":2}"));
    CHECK(!east.end_in_append);
}

TEST(no_later_move_begins_before_a_spool_has_been_told_on)
{
    PX_AUTO(place_deinit) struct place east;
    struct hot_fence fence;
    place_init(t, &east, "east");
    leave(t, &east);
    test_advance(t, WAIT_NS);
    CHECK_OK(hot_fence_spool(east.other, S("acme"), px_wall_ns(&t->clock) / PX_NS_PER_MS, &fence));
    CHECK_INT(fence.state, HOT_FENCE_SPOOLING);
    /* a later move does not pass over it */
    const struct hot_fence next = {.state = HOT_FENCE_THAWED, .epoch = EPOCH + 1};
    CHECK_INT(hot_fence_raise(east.other, S("acme"), &next, NULL), HOT_FENCE_STALE);
    CHECK_OK(raise_fence(&east, HOT_FENCE_TAKING, 0));
    CHECK_INT(hot_fence_raise(east.other, S("acme"), &next, NULL), HOT_FENCE_STALE);
    CHECK_OK(raise_fence(&east, HOT_FENCE_HOME, 0));
    CHECK_OK(hot_fence_raise(east.other, S("acme"), &next, NULL));
}

TEST(a_spool_is_bounded_and_damage_in_it_is_a_fault)
{
    PX_AUTO(place_deinit) struct place east;
    PX_AUTO(spool_close) struct spool spool = {0};
    place_init(t, &east, "east");
    struct claim_wish wish = {
        .tenant = S("acme"), .dataset = S("events"), .window_ns = 1, .lease_ns = 1};
    struct px_str big = {.ptr = calloc(1, SPOOL_BYTES_MAX), .len = SPOOL_BYTES_MAX};
    CHECK(big.ptr);
    CHECK_OK(spool_append(&spool, east.other, &wish, EPOCH, S("no frame"), &t->arena));
    CHECK_INT(spool_append(&spool, east.other, &wish, EPOCH, big, &t->arena), SPOOL_FULL);
    free((char *)(uintptr_t)big.ptr);
    PX_AUTO(hot_spool_close) struct hot_spool place = {0};
    struct spool_told told = {0};
    CHECK_OK(hot_spool_open(east.other, S("acme"), EPOCH, false, &place));
    const struct claim_stores stores = {east.it.hot, east.it.writer, east.it.tables,
                                        &t->clock,   catalog_of,     &east};
    CHECK_INT(spool_tell(&stores, S("acme"), &place, 0, &told), PX_F_CORRUPT);
    CHECK_OK(hot_spool_remove(east.other, S("acme")));
    struct hot_spool gone;
    CHECK_INT(hot_spool_open(east.other, S("acme"), EPOCH, false, &gone), HOT_SPOOL_ABSENT);
}

TEST_MAIN
