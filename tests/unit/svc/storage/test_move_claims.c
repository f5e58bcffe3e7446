/* A move and a registry whose items arrive in no order, or late: what is sealed is not taken over before the claims of it
 * are there, whoever sealed it and whatever else has come; and nothing else is waited for. */
#include "svc/storage/storage_kit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/px_id.h"
#include "svc/storage/manifest.h"
#include "svc/storage/move.h"

#define ACME S("acme")
#define EPOCH 2

struct rig {
    struct kit east, west; /* source and target */
    struct storage_move move;
};

static void rig_open(struct test *t, struct rig *rig)
{
    struct storage_moved moved = {0};
    memset(rig, 0, sizeof *rig);
    CHECK_OK(kit_open(&rig->east, test_path(t, "east").ptr));
    CHECK_OK(kit_open(&rig->west, test_path(t, "west").ptr));
    rig->move = (struct storage_move){.tenant = ACME,
                                      .epoch = EPOCH,
                                      .segments = rig->east.segments,
                                      .analytics = rig->east.analytics};
    CHECK_OK(storage_greet(rig->west.storage, &rig->move, S("east"), &moved));
}
static void rig_close(struct rig *rig)
{
    kit_close(&rig->east);
    kit_close(&rig->west);
}

/* What function ingest does: the claim, then the frame that it names. */
struct claimed {
    uint8_t request;
    char writer[HOT_WRITER_LEN + 1];
    uint64_t seq;
    int64_t started_ns, ends_ns; /* 0: now, in a day */
};

static struct table_key claim_key(struct test *t, uint8_t request)
{
    uint8_t id[16];
    char hex[33];
    memset(id, request, sizeof id);
    px_hex(id, sizeof id, hex);
    return (struct table_key){S("idempotency"), ACME, px_arena_printf(&t->arena, "logs/%s", hex)};
}

static void put_claim(struct test *t, struct kit *kit, const struct claimed *claim)
{
    int64_t now_ns = px_wall_ns(&px_clock_system);
    const struct table_put put = {
        .key = claim_key(t, claim->request),
        .document = px_arena_printf(
            &t->arena, "{\"state\":\"done\",\"writer\":\"%s\",\"seq\":%llu,\"started_ns\":%lld}",
            claim->writer, (unsigned long long)claim->seq,
            (long long)(claim->started_ns ? claim->started_ns : 5)),
        .expires_ns = claim->ends_ns ? claim->ends_ns : now_ns + 86400 * PX_NS_PER_S};
    CHECK_OK(table_put(kit->tables, &put, NULL, NULL, NULL));
}

static struct claimed take(struct test *t, struct kit *kit, uint8_t request)
{
    struct hot_writer *writer = NULL;
    struct claimed claim = {.request = request,
                            .ends_ns = px_wall_ns(&px_clock_system) + 86400 * PX_NS_PER_S};
    CHECK_OK(hot_writer_new(kit->hot, NULL, &writer));
    memcpy(claim.writer, hot_writer_id(writer).ptr, HOT_WRITER_LEN);
    claim.seq = hot_writer_next_seq(writer, ACME, S("logs"));
    put_claim(t, kit, &claim);
    CHECK_OK(kit_append(writer,
                        &(struct kit_rows){.first_id = request, .count = 1, .request = request},
                        &claim.seq));
    hot_writer_free(&writer);
    return claim;
}

static void seal(struct rig *rig)
{
    const struct storage_scope all = {0};
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(rig->east.storage, &all, &counts));
    CHECK(counts.frames > 0);
}
static void pack(struct rig *rig)
{
    struct storage_moved moved = {0};
    CHECK_OK(storage_pack(rig->east.storage, &rig->move, &moved));
    CHECK(!moved.more);
}
static void freeze(struct rig *rig)
{
    CHECK_OK(storage_fence(rig->east.storage, &rig->move, HOT_FENCE_LEAVING, S("west")));
}
static bool fetch(struct rig *rig)
{
    struct storage_moved moved = {0};
    CHECK_OK(storage_fetch(rig->west.storage, &rig->move, &moved));
    return !moved.more;
}
/* Objects are here, claims are not: the fetch says "more" and never "last". */
static void check_waits(struct rig *rig)
{
    struct storage_moved moved = {.copied = 1};
    struct storage_move move = rig->move;
    while (moved.copied > 0) { /* until it had nothing to wait for but claims */
        moved = (struct storage_moved){0};
        move.deadline_mono_ns = px_mono_ns(&px_clock_system) + 200 * PX_NS_PER_MS;
        CHECK_OK(storage_fetch(rig->west.storage, &move, &moved));
        CHECK(moved.more && !moved.last);
    }
    CHECK(moved.datasets > 0);
}

/* The item of a request is in the target what it is in the source. */
static void check_alike(struct test *t, struct rig *rig, uint8_t request)
{
    const struct table_key key = claim_key(t, request);
    struct table_item there, here;
    CHECK_OK(table_get(rig->east.tables, &key, &t->arena, &there));
    CHECK_OK(table_get(rig->west.tables, &key, &t->arena, &here));
    CHECK(px_str_eq(there.document, here.document));
    CHECK_INT(there.expires_ns, here.expires_ns);
}

TEST(an_item_that_was_put_later_and_arrives_first_opens_nothing)
{
    struct rig rig;
    rig_open(t, &rig);
    struct claimed first = take(t, &rig.east, 1);
    pack(&rig);
    put_claim(t, &rig.west, &first);
    CHECK(fetch(&rig));
    (void)take(t, &rig.east, 2);
    pack(&rig);
    /* what is put behind all claims and has come tells nothing: a barrier of this kind would let the move go on, and a
     * repeat of the second request would be stored again */
    const struct table_put barrier = {.key = {S("idempotency"), ACME, S("_move/2")},
                                      .document = S("{\"barrier\":9223372036854775807}")};
    CHECK_OK(table_put(rig.west.tables, &barrier, NULL, NULL, NULL));
    check_waits(&rig);
    CHECK(fetch(&rig));
    check_alike(t, &rig, 2);
    rig_close(&rig);
}

TEST(what_is_missing_behind_the_freeze_is_put_at_once_and_what_arrives_later_says_the_same)
{
    struct rig rig;
    rig_open(t, &rig);
    struct claimed older = {.request = 7, .seq = 9, .started_ns = 4}, last = {.request = 0};
    memset(older.writer, 'w', HOT_WRITER_LEN);
    put_claim(t, &rig.west, &older); /* of the same request as one below, from before */
    for (uint8_t i = 1; i <= 120; i++) last = take(t, &rig.east, i); /* more than are put at once */
    put_claim(t, &rig.west, &last);
    freeze(&rig);
    pack(&rig);
    struct storage_moved moved = {0};
    CHECK_OK(storage_fetch(rig.west.storage, &rig.move, &moved));
    CHECK(moved.last && !moved.more);
    for (uint8_t i = 1; i <= 120; i++) check_alike(t, &rig, i);
    rig_close(&rig);
}

TEST(a_claim_that_ends_soon_is_left_to_replication)
{
    struct rig rig;
    rig_open(t, &rig);
    struct claimed claim = take(t, &rig.east, 1);
    claim.ends_ns = px_wall_ns(&px_clock_system) + 100 * PX_NS_PER_S;
    put_claim(t, &rig.east, &claim);
    freeze(&rig);
    pack(&rig);
    check_waits(&rig);
    put_claim(t, &rig.west, &claim);
    CHECK(fetch(&rig));
    rig_close(&rig);
}

TEST(claims_from_before_the_move_are_waited_for_and_those_of_frames_that_are_not_sealed_are_not)
{
    struct rig rig;
    rig_open(t, &rig);
    struct claimed sealed = take(t, &rig.east, 1);
    seal(&rig);
    struct claimed refused = sealed;
    refused.request = 9;
    refused.seq = sealed.seq + 1; /* its frame was never stored */
    put_claim(t, &rig.east, &refused);
    pack(&rig);
    check_waits(&rig);
    put_claim(t, &rig.west, &sealed);
    CHECK(fetch(&rig));
    rig_close(&rig);
}

TEST(what_the_schedule_seals_between_two_packs_is_waited_for)
{
    struct rig rig;
    rig_open(t, &rig);
    struct claimed first = take(t, &rig.east, 1);
    put_claim(t, &rig.west, &first);
    pack(&rig);
    CHECK(fetch(&rig));
    struct claimed second = take(t, &rig.east, 2);
    seal(&rig);
    pack(&rig);
    check_waits(&rig);
    put_claim(t, &rig.west, &second);
    CHECK(fetch(&rig));
    rig_close(&rig);
}

TEST(a_claim_of_another_frame_is_not_the_one_unless_it_is_later)
{
    struct rig rig;
    rig_open(t, &rig);
    struct claimed claim = take(t, &rig.east, 1), other = claim;
    pack(&rig);
    other.seq = claim.seq + 7;
    other.started_ns = 4;
    put_claim(t, &rig.west, &other);
    check_waits(&rig);
    other.started_ns = 6;
    put_claim(t, &rig.west, &other);
    CHECK(fetch(&rig));
    rig_close(&rig);
}

TEST(a_claim_that_has_ended_or_never_stood_is_not_waited_for)
{
    struct rig rig;
    rig_open(t, &rig);
    struct claimed ended = take(t, &rig.east, 1);
    (void)take(t, &rig.east, 2);
    const struct table_key gone = claim_key(t, 2);
    CHECK_OK(table_delete(rig.east.tables, &gone, TABLE_ANY, 0));
    ended.ends_ns = px_wall_ns(&px_clock_system) + 3600 * PX_NS_PER_S;
    put_claim(t, &rig.east, &ended);
    pack(&rig);
    rig.west.now_ns = ended.ends_ns;
    CHECK(fetch(&rig));
    rig_close(&rig);
}

TEST(what_was_found_complete_is_not_looked_at_again)
{
    struct rig rig;
    rig_open(t, &rig);
    for (uint8_t i = 1; i <= 120; i++) { /* more than are asked for at once */
        struct claimed claim = take(t, &rig.east, i);
        put_claim(t, &rig.west, &claim);
    }
    pack(&rig);
    CHECK(fetch(&rig));
    const struct table_key key = claim_key(t, 117);
    CHECK_OK(table_delete(rig.west.tables, &key, TABLE_ANY, 0));
    CHECK(fetch(&rig));
    rig_close(&rig);
}

TEST(what_a_move_wrote_down_stays_as_long_as_it_lasts)
{
    struct rig rig;
    char path[512];
    const struct storage_scope all = {0};
    struct storage_counts counts = {0};
    rig_open(t, &rig);
    (void)take(t, &rig.east, 1);
    pack(&rig);
    (void)snprintf(path, sizeof path, "%s/segments/_moves/acme/%d/index.json", rig.east.dir, EPOCH);
    const struct timespec old[2] = {{1000, 0}, {1000, 0}};
    bool aged = utimensat(AT_FDCWD, path, old, 0) == 0; /* not where objects are in S3 */
    CHECK_OK(storage_retain(rig.east.storage, &all, &counts));
    CHECK_INT(counts.objects_removed, 0);
    CHECK_OK(storage_fence(rig.east.storage, &rig.move, HOT_FENCE_HOME, S("")));
    CHECK_OK(storage_retain(rig.east.storage, &all, &counts));
    CHECK_INT(counts.objects_removed, aged);
    rig_close(&rig);
}

TEST_MAIN
