/* A tenant's data from one region to another and back: everything is there exactly once on the side that the
 * fence names, also when each step is killed with SIGKILL at a random moment and repeated, and when steps
 * come too early, too late or twice.
 *
 * Killed steps run in a process of their own, this program started again, so that DuckDB's threads never cross
 * a fork. PRISM_KILLS sets how many moves are made with kills (default 6). */
#include "svc/storage/storage_kit.h"

#include "svc/ingest/spool.h"
#include "svc/storage/manifest.h"
#include "svc/storage/move.h"

#define ACME S("acme")
enum { ROWS = 100 };

static const char *const regions[] = {"east", "west"};

struct pair {
    struct kit kits[2];
    int home;
    int64_t epoch; /* of the last move */
    int64_t frames;
};

static void pair_open(struct test *t, struct pair *pair)
{
    *pair = (struct pair){.epoch = 1};
    for (int i = 0; i < 2; i++)
        CHECK_OK(kit_open(&pair->kits[i], test_path(t, "%s", regions[i]).ptr));
}
static void pair_close(struct pair *pair)
{
    for (int i = 0; i < 2; i++) kit_close(&pair->kits[i]);
}

static struct kit *source(struct pair *pair) { return &pair->kits[pair->home]; }
static struct kit *target(struct pair *pair) { return &pair->kits[1 - pair->home]; }

/* ---- steps; the same ones run here and in children ---- */

static struct storage_move move_of(struct kit *from, int64_t epoch)
{
    return (struct storage_move){
        .tenant = ACME, .epoch = epoch, .segments = from->segments, .analytics = from->analytics};
}

/* Nobody need be waited for: the spool may begin at once. */
static int freeze_and_close(struct kit *from, int64_t epoch, const char *to_region)
{
    struct hot_fence fence = {.state = HOT_FENCE_LEAVING, .epoch = epoch, .spool_ms = 1}, stands;
    (void)snprintf(fence.region, sizeof fence.region, "%s", to_region);
    int r = hot_fence_raise(from->hot, ACME, &fence, &stands);
    bool known = stands.state == HOT_FENCE_SPOOLING && stands.epoch == epoch; /* a repeat */
    return known ? 0 : r == HOT_FENCE_STALE ? MOVE_FENCED : r;
}

static int step(struct kit *from, struct kit *to, const char *from_region, const char *to_region,
                const char *name, int64_t epoch, struct storage_moved *moved)
{
    const struct storage_move move = move_of(from, epoch);
    struct px_str there = px_str_c(from_region), here = px_str_c(to_region);
    *moved = (struct storage_moved){0};
    if (strcmp(name, "greet") == 0) return storage_greet(to->storage, &move, there, moved);
    if (strcmp(name, "pack") == 0) return storage_pack(from->storage, &move, moved);
    if (strcmp(name, "fetch") == 0) return storage_fetch(to->storage, &move, moved);
    if (strcmp(name, "freeze") == 0) return freeze_and_close(from, epoch, to_region);
    if (strcmp(name, "check") == 0) return storage_check(to->storage, &move, moved);
    if (strcmp(name, "leave") == 0) return storage_leave(from->storage, &move, here);
    if (strcmp(name, "receive") == 0) return storage_receive(to->storage, &move);
    if (strcmp(name, "finish") == 0) return storage_finish(from->storage, &move, moved);
    if (strcmp(name, "settle") == 0) return storage_settle(to->storage, &move, moved);
    if (strcmp(name, "clean") == 0) return storage_clean(from->storage, &move, moved);
    if (strcmp(name, "stay") == 0) return storage_stay(from->storage, &move, moved);
    if (strcmp(name, "part") == 0) return storage_fence(to->storage, &move, HOT_FENCE_LEFT, there);
    return px_fault(PX_F_BUG, "no step %s", name);
}

static int do_step(struct pair *pair, const char *name, struct storage_moved *moved)
{
    return step(source(pair), target(pair), regions[pair->home], regions[1 - pair->home], name,
                pair->epoch, moved);
}

static void run(struct pair *pair, const char *name, struct storage_moved *moved)
{
    struct storage_moved own;
    moved = moved ? moved : &own;
    int r = do_step(pair, name, moved);
    char text[512];
    if (r != 0) TEST_FAIL("%s: %d %s", name, r, r < 0 ? px_fault_text(r, text, 512) : "");
    CHECK(!moved->more);
    CHECK_INT(moved->differ, 0);
}

static int write_frames(struct kit *kit, int64_t first, int count)
{
    struct hot_writer *writer = NULL;
    PX_TRY(hot_writer_new(kit->hot, NULL, &writer));
    for (int i = 0; i < count; i++) {
        uint64_t seq;
        PX_TRY(kit_append(writer,
                          &(struct kit_rows){.first_id = (first + i) * ROWS,
                                             .count = ROWS,
                                             .time_us = KIT_EPOCH_US + (first + i) * 1000000},
                          &seq));
    }
    hot_writer_free(&writer);
    return 0;
}

static void write_more(struct pair *pair, int count)
{
    CHECK_OK(write_frames(source(pair), pair->frames, count));
    pair->frames += count;
}

static void check_all(struct pair *pair)
{
    kit_check_all(source(pair), (size_t)(pair->frames * ROWS), NULL);
}

static const char *const steps[] = {"greet", "pack",  "fetch",   "freeze", "pack",   "fetch",
                                    "check", "leave", "receive", "finish", "settle", "clean"};
enum { FIRST_OPEN = 6, LAST_OPEN = 8 }; /* behind these steps records go into the spool */

/* What function ingest does with records while nobody knows where the tenant is. */
static void spool_more(struct pair *pair, int count)
{
    PX_AUTO(spool_close) struct spool spool = {0};
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct hot_fence fence;
    px_arena_init(&arena, 1u << 20);
    CHECK_OK(hot_fence_spool(source(pair)->hot, ACME, INT64_MAX, &fence));
    CHECK(hot_fence_may_spool(&fence, INT64_MAX));
    for (int i = 0; i < count; i++) {
        int64_t number = pair->frames++;
        PX_AUTO(px_buf_deinit) struct px_buf frame;
        px_buf_init(&frame, 64u << 20);
        struct claim_wish wish = {.tenant = ACME,
                                  .dataset = S("logs"),
                                  .has_key = true,
                                  .window_ns = 3600 * PX_NS_PER_S,
                                  .lease_ns = 60 * PX_NS_PER_S,
                                  .accepted = ROWS};
        memcpy(wish.request_id, &number, sizeof number);
        memcpy(wish.content, &number, sizeof number);
        CHECK_OK(kit_encode(&(struct kit_rows){.first_id = number * ROWS,
                                               .count = ROWS,
                                               .time_us = KIT_EPOCH_US + number * 1000000},
                            wish.request_id, &frame));
        for (int twice = 0; twice < 2; twice++) /* the first answer was lost */
            CHECK_OK(spool_append(&spool, source(pair)->hot, &wish, pair->epoch, px_buf_str(&frame),
                                  &arena));
    }
}

static void move_all(struct pair *pair)
{
    pair->epoch++;
    for (size_t i = 0; i < PX_COUNT(steps); i++) {
        run(pair, steps[i], NULL);
        if (i < 3) write_more(pair, 1); /* it is written to until the fence stands */
        if (i >= FIRST_OPEN && i <= LAST_OPEN) spool_more(pair, 1);
    }
    pair->home = 1 - pair->home;
}

/* ---- when all goes well ---- */

TEST(a_tenant_moves_there_and_back_and_is_whole_each_time)
{
    struct pair pair;
    pair_open(t, &pair);
    const struct storage_scope all = {0};
    struct storage_counts counts = {0};
    write_more(&pair, 3);
    CHECK_OK(storage_seal(source(&pair)->storage, &all, &counts));
    CHECK_OK(storage_compact(source(&pair)->storage, &all, &counts)); /* analytics, too */
    for (int i = 0; i < 4; i++) {
        write_more(&pair, 2);
        move_all(&pair);
        check_all(&pair);
        struct dataset_info *infos;
        size_t count;
        CHECK_OK(catalog_list(target(&pair)->catalog, ACME, &t->arena, &infos, &count));
        CHECK_INT(count, 0); /* the old home has nothing left */
        CHECK_OK(storage_compact(source(&pair)->storage, &all, &counts));
        check_all(&pair);
    }
    pair_close(&pair);
}

static int64_t days_of(struct test *t, struct catalog *catalog, struct px_str tenant)
{
    struct tenant_retention said;
    CHECK_OK(catalog_tenant_retention(catalog, tenant, &t->arena, &said));
    return said.days;
}

#define RULES "[{\"attribute\":\"name\",\"equals\":\"row 3\",\"days\":3}]"

TEST(rules_move_along)
{
    struct pair pair;
    struct dataset_info info;
    pair_open(t, &pair);
    write_more(&pair, 1);
    CHECK_OK(catalog_say_retention(source(&pair)->catalog, ACME, S(""), 0, S(RULES)));
    CHECK_OK(catalog_say_retention(source(&pair)->catalog, ACME, S("logs"), 5, S("[]")));
    move_all(&pair);
    CHECK_OK(catalog_find(source(&pair)->catalog, ACME, S("logs"), &t->arena, &info));
    CHECK_STR(info.rules, S("[]"));
    CHECK_STR(info.tenant_rules, S(RULES));
    CHECK_OK(catalog_say_retention(source(&pair)->catalog, ACME, S("logs"), 5, S("")));
    move_all(&pair);
    CHECK_OK(catalog_find(source(&pair)->catalog, ACME, S("logs"), &t->arena, &info));
    CHECK_INT(info.rules.len, 0);
    CHECK_INT(info.retention_days, 5);
    pair_close(&pair);
}

TEST(the_tenants_retention_moves_along_and_so_does_that_it_has_none)
{
    struct pair pair;
    int64_t days = -1;
    pair_open(t, &pair);
    write_more(&pair, 1);
    CHECK_OK(catalog_set_tenant_retention(source(&pair)->catalog, ACME, 30));
    CHECK_OK(
        catalog_set_tenant_retention(target(&pair)->catalog, ACME, 7)); /* of an earlier stay */
    move_all(&pair);
    days = days_of(t, source(&pair)->catalog, ACME);
    CHECK_INT(days, 30);
    days = days_of(t, target(&pair)->catalog, ACME);
    CHECK_INT(days, 0); /* the old home has nothing left */
    CHECK_OK(catalog_set_tenant_retention(source(&pair)->catalog, ACME, 0));
    CHECK_OK(catalog_set_tenant_retention(target(&pair)->catalog, ACME, 7));
    move_all(&pair);
    days = days_of(t, source(&pair)->catalog, ACME);
    CHECK_INT(days, 0);
    pair_close(&pair);
}

TEST(the_second_round_copies_only_what_is_new_and_a_repeat_nothing)
{
    struct pair pair;
    struct storage_moved moved;
    pair_open(t, &pair);
    write_more(&pair, 2);
    pair.epoch = 2;
    run(&pair, "greet", NULL);
    run(&pair, "pack", &moved);
    CHECK_INT(moved.rows, 2 * ROWS);
    CHECK(!moved.last);
    run(&pair, "fetch", &moved);
    CHECK_INT(moved.copied, 1);
    run(&pair, "fetch", &moved);
    CHECK_INT(moved.copied, 0);
    int64_t version = 0, again = 0;
    CHECK_OK(catalog_version(target(&pair)->catalog, ACME, S("logs"), &version));
    write_more(&pair, 1);
    run(&pair, "freeze", NULL);
    run(&pair, "pack", &moved);
    CHECK(moved.last);
    run(&pair, "fetch", &moved);
    CHECK_INT(moved.copied, 1);
    CHECK(moved.last);
    CHECK_OK(catalog_version(target(&pair)->catalog, ACME, S("logs"), &again));
    CHECK_INT(again, version + 1);
    run(&pair, "fetch", NULL);
    CHECK_OK(catalog_version(target(&pair)->catalog, ACME, S("logs"), &again));
    CHECK_INT(again, version + 1);
    run(&pair, "check", &moved);
    CHECK_INT(moved.rows, 3 * ROWS);
    pair_close(&pair);
}

TEST(what_was_compacted_between_two_rounds_is_there_once)
{
    struct pair pair;
    const struct storage_scope all = {0};
    struct storage_counts counts = {0};
    pair_open(t, &pair);
    write_more(&pair, 2);
    pair.epoch = 2;
    run(&pair, "greet", NULL);
    run(&pair, "pack", NULL);
    run(&pair, "fetch", NULL);
    CHECK_OK(hot_fence_remove(source(&pair)->hot, ACME)); /* it began before it was announced */
    CHECK_OK(storage_compact(source(&pair)->storage, &all, &counts));
    CHECK(counts.objects > 0);
    CHECK_OK(storage_compact(target(&pair)->storage, &all, &counts)); /* leaves it alone */
    for (size_t i = 3; i < PX_COUNT(steps); i++) run(&pair, steps[i], NULL);
    pair.home = 1;
    check_all(&pair);
    pair_close(&pair);
}

/* ---- a freeze that takes too long ---- */

static int64_t freeze_for(struct pair *pair, int64_t for_ms)
{
    struct storage_moved moved = {0};
    const struct storage_move move = move_of(source(pair), pair->epoch);
    CHECK_OK(storage_freeze(source(pair)->storage, &move, S("west"), for_ms, &moved));
    return moved.freeze;
}

TEST(what_is_taken_after_a_freeze_was_thawed_goes_along_with_the_next_one)
{
    struct pair pair;
    struct storage_moved moved;
    pair_open(t, &pair);
    write_more(&pair, 2);
    pair.epoch = 2;
    run(&pair, "greet", NULL);
    const struct storage_move move = move_of(source(&pair), 2);
    int64_t first = freeze_for(&pair, 3600 * 1000);
    run(&pair, "pack", &moved);
    CHECK(moved.last && moved.freeze == first);
    run(&pair, "fetch", &moved);
    CHECK(moved.last && moved.freeze == first);
    CHECK_OK(storage_thaw(source(&pair)->storage, &move));
    write_more(&pair, 1); /* acknowledged, and in no copy */
    CHECK_INT(storage_close(source(&pair)->storage, &move, first, 0), MOVE_FENCED);
    CHECK_INT(do_step(&pair, "leave", &moved), MOVE_FENCED);
    run(&pair, "pack", &moved); /* the rounds go on */
    CHECK(!moved.last && moved.freeze == 0);
    run(&pair, "fetch", NULL);
    write_more(&pair, 1);
    int64_t second = freeze_for(&pair, 3600 * 1000);
    CHECK(second > first);
    run(&pair, "pack", &moved);
    run(&pair, "fetch", &moved);
    CHECK(moved.last && moved.freeze == second);
    CHECK_INT(storage_close(source(&pair)->storage, &move, first, 0), MOVE_FENCED);
    CHECK_OK(storage_close(source(&pair)->storage, &move, second, 0));
    CHECK_INT(storage_thaw(source(&pair)->storage, &move), MOVE_FENCED);
    for (size_t i = FIRST_OPEN; i < PX_COUNT(steps); i++) run(&pair, steps[i], NULL);
    pair.home = 1;
    check_all(&pair);
    pair_close(&pair);
}

TEST(a_freeze_that_is_over_is_not_closed)
{
    struct pair pair;
    pair_open(t, &pair);
    write_more(&pair, 1);
    pair.epoch = 2;
    run(&pair, "greet", NULL);
    const struct storage_move move = move_of(source(&pair), 2);
    int64_t freeze = freeze_for(&pair, 1);
    (void)usleep(3000);
    CHECK_INT(storage_close(source(&pair)->storage, &move, freeze, 0), MOVE_FENCED);
    run(&pair, "stay", NULL);
    check_all(&pair);
    pair_close(&pair);
}

/* ---- steps at the wrong time ---- */

TEST(a_step_that_comes_too_early_or_too_late_changes_nothing)
{
    struct pair pair;
    struct storage_moved moved;
    pair_open(t, &pair);
    write_more(&pair, 2);
    pair.epoch = 2;
    CHECK_INT(do_step(&pair, "fetch", &moved), MOVE_FENCED);
    CHECK_INT(do_step(&pair, "clean", &moved), MOVE_FENCED);
    run(&pair, "greet", NULL);
    CHECK_INT(do_step(&pair, "fetch", &moved), MOVE_UNPACKED);
    CHECK_INT(do_step(&pair, "clean", &moved), MOVE_FENCED);
    pair.epoch = 1;
    move_all(&pair); /* epoch 2 */
    check_all(&pair);
    pair.home = 0; /* late repeats of that move's steps */
    static const char *const late[] = {"greet", "pack", "fetch", "freeze", "check", "part"};
    for (size_t i = 0; i < PX_COUNT(late); i++)
        CHECK_INT(do_step(&pair, late[i], &moved), MOVE_FENCED);
    CHECK_INT(do_step(&pair, "stay", &moved), MOVE_DECIDED);
    for (size_t i = FIRST_OPEN + 1; i < PX_COUNT(steps); i++)
        run(&pair, steps[i], NULL); /* what was done may be repeated */
    pair.home = 1;
    check_all(&pair);
    move_all(&pair); /* back, epoch 3 */
    check_all(&pair);
    pair.home = 0;
    pair.epoch = 2;
    CHECK_INT(do_step(&pair, "clean", &moved), MOVE_FENCED); /* the old clean, after the return */
    check_all(&pair);
    pair_close(&pair);
}

TEST(a_move_that_is_given_up_leaves_the_source_as_it_was_and_the_next_one_works)
{
    struct pair pair;
    pair_open(t, &pair);
    write_more(&pair, 2);
    for (size_t after = 1; after <= 7; after++) { /* given up after each step */
        pair.epoch++;
        for (size_t i = 0; i < after; i++) run(&pair, steps[i], NULL);
        if (after > 3) spool_more(&pair, 2);
        run(&pair, "stay", NULL);
        run(&pair, "part", NULL);
        struct kit *other = target(&pair);
        const struct storage_move move = move_of(other, pair.epoch);
        struct storage_moved moved = {0};
        CHECK_OK(storage_clean(other->storage, &move, &moved));
        check_all(&pair);
        write_more(&pair, 1);
        check_all(&pair);
    }
    move_all(&pair);
    check_all(&pair);
    pair_close(&pair);
}

TEST(a_straggler_is_not_found_when_the_tenant_comes_back)
{
    struct pair pair;
    pair_open(t, &pair);
    write_more(&pair, 2);
    pair.epoch = 2;
    for (size_t i = 0; i < 8; i++) run(&pair, steps[i], NULL);
    CHECK_OK(write_frames(source(&pair), pair.frames, 1)); /* behind the fence; nobody was told */
    for (size_t i = 8; i < 11; i++) run(&pair, steps[i], NULL);
    pair.home = 1;
    check_all(&pair);
    move_all(&pair); /* nobody cleaned up there before */
    check_all(&pair);
    pair_close(&pair);
}

TEST(a_live_straggler_holds_the_return_up_until_its_writer_lets_go)
{
    struct pair pair;
    struct storage_moved moved;
    struct hot_writer *writer = NULL;
    uint64_t seq;
    pair_open(t, &pair);
    write_more(&pair, 2);
    pair.epoch = 2;
    for (size_t i = 0; i < 8; i++) run(&pair, steps[i], NULL);
    CHECK_OK(hot_writer_new(source(&pair)->hot, NULL, &writer));
    CHECK_OK(kit_append(writer, &(struct kit_rows){.first_id = 0, .count = 1}, &seq));
    for (size_t i = 8; i < 11; i++) run(&pair, steps[i], NULL);
    CHECK_OK(do_step(&pair, "clean", &moved));
    CHECK(moved.more);
    pair.home = 1;
    pair.epoch = 3;
    CHECK_OK(do_step(&pair, "greet", &moved));
    CHECK(moved.more);
    hot_writer_retire(writer, ACME, S("logs"));
    pair.epoch = 2;
    move_all(&pair);
    check_all(&pair);
    hot_writer_free(&writer);
    pair_close(&pair);
}

TEST(a_copy_that_differs_is_told)
{
    struct pair pair;
    struct storage_moved moved;
    pair_open(t, &pair);
    write_more(&pair, 2);
    pair.epoch = 2;
    for (size_t i = 0; i < 6; i++) run(&pair, steps[i], NULL);
    struct catalog_snapshot snapshot;
    CHECK_OK(catalog_read(target(&pair)->catalog, ACME, S("logs"), INT64_MIN, INT64_MAX, &t->arena,
                          &snapshot));
    CHECK_OK(object_put(target(&pair)->segments, snapshot.segments[0].key, S("other bytes")));
    CHECK_OK(do_step(&pair, "check", &moved));
    CHECK_INT(moved.differ, 1);
    CHECK_OK(object_delete(target(&pair)->segments, snapshot.segments[0].key));
    CHECK_OK(do_step(&pair, "check", &moved));
    CHECK_INT(moved.differ, 1);
    run(&pair, "fetch", &moved); /* brings it again */
    CHECK_INT(moved.copied, 1);
    run(&pair, "check", NULL);
    pair_close(&pair);
}

TEST(keys_have_the_epoch_of_the_last_move_only)
{
    struct px_str key;
    CHECK_OK(manifest_target_key(S("acme/logs/a-b.parquet"), 4, &t->arena, &key));
    CHECK_STR(key, S("acme/logs/m4-a-b.parquet"));
    CHECK_OK(manifest_target_key(key, 15, &t->arena, &key));
    CHECK_STR(key, S("acme/logs/m15-a-b.parquet"));
    CHECK_OK(manifest_target_key(S("m1-x/date=2026-01-01/m-1.parquet"), 2, &t->arena, &key));
    CHECK_STR(key, S("m1-x/date=2026-01-01/m2-m-1.parquet"));
}

/* ---- killed ---- */

static int child_main(char **argv)
{
    struct kit kits[2] = {0};
    struct storage_moved moved;
    int from = (int)strtol(argv[4], NULL, 10);
    char dir[256];
    int r = 0;
    for (int i = 0; i < 2 && r == 0; i++) {
        (void)snprintf(dir, sizeof dir, "%s/%s", argv[2], regions[i]);
        r = kit_open(&kits[i], dir);
    }
    if (r == 0)
        r = step(&kits[from], &kits[1 - from], regions[from], regions[1 - from], argv[3],
                 strtoll(argv[5], NULL, 10), &moved);
    char text[512];
    if (r < 0) print_error("%s: %s\n", argv[3], px_fault_text(r, text, sizeof text));
    if (r == 0 && (moved.more || moved.differ > 0)) r = 1;
    for (int i = 0; i < 2; i++) kit_close(&kits[i]);
    return r == 0 ? 0 : 1;
}

static pid_t start(struct test *t, const struct pair *pair, const char *name)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        char from[8], epoch[32];
        (void)snprintf(from, sizeof from, "%d", pair->home);
        (void)snprintf(epoch, sizeof epoch, "%lld", (long long)pair->epoch);
        char *const argv[] = {(char *)(uintptr_t) "child",
                              (char *)(uintptr_t) "--child",
                              t->dir,
                              (char *)(uintptr_t)name,
                              from,
                              epoch,
                              NULL};
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    return pid;
}

/* Killed once, perhaps after it was done, and then repeated to its end. */
static void killed_step(struct test *t, const struct pair *pair, const char *name, uint32_t *seed)
{
    int status = 0;
    *seed = *seed * 1664525u + 1013904223u;
    pid_t pid = start(t, pair, name);
    (void)usleep((useconds_t)(*seed >> 8) % 60000);
    (void)kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    pid = start(t, pair, name);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) TEST_FAIL("%s after a kill", name);
}

TEST(every_step_may_be_killed_at_any_moment)
{
    const char *text = getenv("PRISM_KILLS");
    int moves = text ? (int)strtol(text, NULL, 10) : 6;
    uint32_t seed = 20261127;
    struct pair pair;
    pair_open(t, &pair);
    for (int i = 0; i < moves; i++) {
        pair.epoch++;
        write_more(&pair, 2);
        for (size_t s = 0; s < PX_COUNT(steps); s++) {
            killed_step(t, &pair, steps[s], &seed);
            if (s < 3) write_more(&pair, 1);
            if (s >= FIRST_OPEN && s <= LAST_OPEN) spool_more(&pair, 1);
        }
        pair.home = 1 - pair.home;
        check_all(&pair);
    }
    pair_close(&pair);
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "--child") == 0) return child_main(argv);
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    return _cmocka_run_group_tests(argv[0], test_list, test_count, NULL, NULL);
}
