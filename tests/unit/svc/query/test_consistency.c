/* Queries while another process appends, seals and removes hot files: every answered batch is seen exactly
 * once, from the moment on at which it was answered. */
#include "svc/query/query_kit.h"
#include "svc/query/snapshot.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define ROWS 50
#define BATCHES 150

struct progress {
    atomic_int begun, answered; /* batches */
    atomic_int ready;
};

/* Seals after every third batch; every sixth time the hot file is left for the next seal to find. */
static void write_and_seal(struct test *t, struct kit *kit, struct progress *progress)
{
    for (int i = 0; i < BATCHES; i++) {
        atomic_store(&progress->begun, i + 1);
        kit_lines(kit, S("logs"), (int64_t)i * ROWS, ROWS);
        atomic_store(&progress->answered, i + 1);
        if (i % 3 == 2) kit_seal(t, kit, S("logs"), i % 6 == 2);
    }
}

static pid_t start_writer(struct test *t, struct progress *progress)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child > 0) return child;
    struct kit kit;
    kit_init(t, &kit, NULL);
    atomic_store(&progress->ready, 1);
    write_and_seal(t, &kit, progress);
    kit_free(&kit);
    _exit(0);
}

static void check_once(struct test *t, struct kit *kit, const struct progress *progress)
{
    int before = atomic_load(&progress->answered);
    struct px_str got = kit_value(t, kit,
                                  "SELECT count(*), count(DISTINCT n), max(n) + 1 FROM logs");
    int after = atomic_load(&progress->begun);
    if (kit->status == 404 && before == 0) return;
    int64_t numbers[3] = {-1, -2, -3}; /* rows, distinct ones, the highest */
    struct px_str rest = got, part;
    for (size_t i = 0; i < 3; i++) {
        (void)px_str_cut(&rest, ',', &part);
        if (!px_str_to_i64(part, &numbers[i])) TEST_FAIL("no numbers: %.*s", PX_FMT(got));
    }
    if (numbers[0] != numbers[1] || numbers[0] != numbers[2] ||
        numbers[0] < (int64_t)before * ROWS || numbers[0] > (int64_t)after * ROWS)
        TEST_FAIL("between %d and %d batches of %d rows: %.*s", before, after, ROWS, PX_FMT(got));
}

/* The same without SQL, so that the moments between two looks at the catalog are met often. */
static void check_snapshot(struct test *t, struct kit *kit, const struct progress *progress)
{
    (void)t;
    static struct snapshot_memory memory;
    struct snapshot_stores stores = {kit->hot, kit->segments, kit->analytics, kit->catalog,
                                     &memory};
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 64u << 20);
    struct snapshot snapshot = {0};
    int before = atomic_load(&progress->answered);
    int r = snapshot_take(&stores, kit->tenant, S("logs"), INT64_MIN, INT64_MAX, &arena, &snapshot);
    int after = atomic_load(&progress->begun);
    if (r == SNAPSHOT_ABSENT && before == 0) return;
    CHECK_OK(r);
    int64_t rows = (int64_t)snapshot.hot.rows;
    for (size_t i = 0; i < snapshot.file_count; i++) rows += snapshot.files[i].rows;
    snapshot_release(&snapshot);
    if (rows < (int64_t)before * ROWS || rows > (int64_t)after * ROWS)
        TEST_FAIL("between %d and %d batches of %d rows: %lld", before, after, ROWS,
                  (long long)rows);
}

static void watch(struct test *t,
                  void (*check)(struct test *, struct kit *, const struct progress *))
{
    struct progress *progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(progress != MAP_FAILED);
    pid_t child = start_writer(t, progress);
    while (!atomic_load(&progress->ready)) usleep(1000);
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    int rounds = 0, status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        check(t, &kit, progress);
        rounds++;
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_INT(atomic_load(&progress->answered), BATCHES);
    check(t, &kit, progress);
    CHECK(rounds > 5);
    munmap(progress, sizeof(*progress));
}

TEST(every_answered_batch_is_seen_exactly_once_while_it_is_sealed) { watch(t, check_once); }

TEST(a_snapshot_misses_and_doubles_nothing) { watch(t, check_snapshot); }

TEST_MAIN
