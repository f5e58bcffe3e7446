/* Several processes change one catalog, and some of them die on the way. */
#include "store/child.h"
#include "svc/catalog/catalog_support.h"

enum { SEALERS = 4, ROUNDS = 25, KILLS = 40, ROWS = 10 };

/* A child opens its own connection: one must not cross a fork. */
static void child_open(struct test *t, struct catalog_fixture *f)
{
    const struct meta_options options = {.busy_ms = 20000};
    if (meta_open(meta_url(t, "meta"), &options, &f->meta) != 0) _exit(10);
    if (catalog_new(f->meta, &px_clock_system, &f->catalog) != 0) _exit(11);
}

static pid_t spawn(struct test *t, int (*run)(struct test *t, int number), int number)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) _exit(run(t, number));
    return pid;
}

/* Offers (round, round + 1] of one writer for every round; the exit status counts the wins. */
static int sealer(struct test *t, int number)
{
    struct catalog_fixture f = {0};
    child_open(t, &f);
    int wins = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        char key[64];
        (void)snprintf(key, sizeof key, "s%d-%d", number, (int)round);
        int r = seal_one(f.catalog, &(struct one_sealing){
                                        .key = key, .from = round, .to = round + 1, .rows = ROWS});
        if (r == 0)
            wins++;
        else if (r != CATALOG_CONFLICT)
            return 12;
    }
    fixture_close(&f);
    return 100 + wins;
}

/* A sealer that has offered a round finds the mark behind it, by its own win or another's; so every
 * round has a winner, and no second one. */
TEST(of_concurrent_sealers_exactly_one_wins_each_round)
{
    pid_t pids[SEALERS];
    (void)meta_url_make(t, "meta");
    for (int i = 0; i < SEALERS; i++) pids[i] = spawn(t, sealer, i);
    int wins = 0;
    for (int i = 0; i < SEALERS; i++) {
        int status = 0;
        CHECK_INT(waitpid(pids[i], &status, 0), pids[i]);
        CHECK(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) >= 100);
        wins += WEXITSTATUS(status) - 100;
    }
    CHECK_INT(wins, ROUNDS);
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    struct catalog_snapshot s;
    read_all(t, f.catalog, &s);
    CHECK_INT(s.segment_count, ROUNDS);
    CHECK_INT(s.marks[0].sealed_seq, ROUNDS);
    CHECK_INT(s.version, ROUNDS);
    fixture_close(&f);
}

/* Seals one frame after another until it is killed; tells of each. */
static void endless_sealer(struct test *t, int out)
{
    struct catalog_fixture f = {0};
    child_open(t, &f);
    for (uint64_t at;;) {
        if (catalog_mark(f.catalog, S("acme"), S("logs"), S("w1"), &at) != 0) _exit(13);
        char key[64];
        (void)snprintf(key, sizeof key, "n%d-%llu", (int)getpid(), (unsigned long long)at);
        if (seal_one(f.catalog, &(struct one_sealing){
                                    .key = key, .from = at, .to = at + 1, .rows = ROWS}) != 0)
            _exit(14);
        at++;
        if (write(out, &at, sizeof at) != sizeof at) _exit(15);
    }
}

TEST(a_sealer_killed_at_any_moment_leaves_mark_and_segments_equal)
{
    struct catalog_fixture f = {0};
    (void)meta_url_make(t, "meta");
    for (int i = 0; i < KILLS; i++) { /* no open connection crosses the fork */
        uint64_t told = killed_child(t, (unsigned)(rand() % 20000), endless_sealer);

        fixture_open(t, &f);
        struct catalog_snapshot s;
        read_all(t, f.catalog, &s);
        CHECK(s.mark_count == 1 && s.marks[0].sealed_seq >= told);
        CHECK_INT(s.segment_count, s.marks[0].sealed_seq);
        CHECK_INT(s.version, s.marks[0].sealed_seq);
        px_arena_reset(&t->arena);
        fixture_close(&f);
    }
}

TEST_MAIN
