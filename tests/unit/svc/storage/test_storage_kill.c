/* Operations killed with SIGKILL at random moments, and run by two processes at once: afterwards every
 * row is there exactly once, and after a retain no object is left that the catalog does not know.
 *
 * Each operation runs in a process of its own, this program started again with other arguments, so that
 * DuckDB's threads never cross a fork. PRISM_KILLS sets how many kills there are (default 40). */
#include "svc/storage/storage_kit.h"

#include <time.h>

enum { ROWS_PER_FRAME = 200, FRAMES_PER_ROUND = 12 };

/* ---- the child ---- */

static int child_write(struct kit *kit, int64_t first_frame)
{
    const struct hot_writer_options options = {.file_bytes_max = 20000}; /* several files */
    struct hot_writer *writer = NULL;
    PX_TRY(hot_writer_new(kit->hot, &options, &writer));
    for (int i = 0; i < FRAMES_PER_ROUND; i++) {
        uint64_t seq;
        int64_t frame = first_frame + i;
        /* over three days, so that compaction splits */
        PX_TRY(
            kit_append(writer,
                       &(struct kit_rows){.first_id = frame * ROWS_PER_FRAME,
                                          .count = ROWS_PER_FRAME,
                                          .time_us = KIT_EPOCH_US + (frame % 7) * KIT_DAY_US / 3},
                       &seq));
    }
    hot_writer_free(&writer);
    return 0;
}

static int child_run(struct kit *kit, const char *op)
{
    const struct storage_scope everything = {0};
    struct storage_counts counts = {0};
    int r = strcmp(op, "seal") == 0      ? storage_seal(kit->storage, &everything, &counts)
            : strcmp(op, "compact") == 0 ? storage_compact(kit->storage, &everything, &counts)
                                         : storage_retain(kit->storage, &everything, &counts);
    if (r == 0 && counts.failed + counts.set_aside > 0)
        return px_fault(PX_F_BUG, "%s: %s", op, kit->last_notice);
    return r;
}

static int child_main(char **argv)
{
    struct kit kit = {0};
    int r = kit_open(&kit, argv[2]);
    kit.lifecycle.segment_rows_max = 500;
    kit.lifecycle.dead_grace_s = 0;
    kit.lifecycle.orphan_age_s = strcmp(argv[3], "sweep") == 0 ? 0 : 3600;
    if (r == 0)
        r = strcmp(argv[3], "write") == 0 ? child_write(&kit, strtoll(argv[4], NULL, 10))
                                          : child_run(&kit, argv[3]);
    char text[512];
    if (r != 0) print_error("%s: %s\n", argv[3], px_fault_text(r, text, sizeof text));
    kit_close(&kit);
    return r == 0 ? 0 : 1;
}

/* ---- the parent ---- */

static pid_t start(struct test *t, const char *op, const char *argument)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        char *const argv[] = {(char *)(uintptr_t) "child", (char *)(uintptr_t) "--child", t->dir,
                              (char *)(uintptr_t)op,       (char *)(uintptr_t)argument,   NULL};
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    return pid;
}

static void finish(pid_t pid)
{
    int status = 0;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
}

static void run(struct test *t, const char *op, const char *argument)
{
    finish(start(t, op, argument));
}

static int64_t frames_written;
static void write_round(struct test *t)
{
    char first[32];
    (void)snprintf(first, sizeof first, "%lld", (long long)frames_written);
    run(t, "write", first);
    frames_written += FRAMES_PER_ROUND;
}

static void check_rows(struct test *t)
{
    struct kit kit = {0};
    CHECK_OK(kit_open(&kit, t->dir));
    kit_check_all(&kit, (size_t)frames_written * ROWS_PER_FRAME, NULL);
    kit_close(&kit);
}

/* True when the process was killed, false when it had finished before. */
static bool kill_after(pid_t pid, long us)
{
    struct timespec wait = {us / 1000000, us % 1000000 * 1000};
    (void)nanosleep(&wait, NULL);
    (void)kill(pid, SIGKILL);
    int status = 0;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status)) CHECK_INT(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status);
}

/* Microseconds that an operation takes from start to end. */
static long time_of(struct test *t, const char *op)
{
    int64_t begun = px_mono_ns(&px_clock_system);
    run(t, op, NULL);
    return (long)((px_mono_ns(&px_clock_system) - begun) / PX_NS_PER_US);
}

/* Objects that belong to nothing: orphans of the killed. */
static size_t count_objects(struct kit *kit)
{
    return kit_objects(kit->segments, S("")) + kit_objects(kit->analytics, S(""));
}

static void check_no_orphans(struct test *t)
{
    run(t, "seal", NULL);
    run(t, "compact", NULL);
    run(t, "sweep", NULL); /* the dead, then orphans of any age */
    struct kit kit = {0};
    CHECK_OK(kit_open(&kit, t->dir));
    struct dataset_info info;
    CHECK_OK(catalog_find(kit.catalog, S("acme"), S("logs"), &t->arena, &info));
    CHECK_INT(count_objects(&kit), info.segments);
    CHECK_INT(kit_hot_files(&kit), 0); /* all writers are gone, all frames sealed */
    struct kit_tally tally;
    kit_check_all(&kit, (size_t)frames_written * ROWS_PER_FRAME, &tally);
    CHECK_INT(tally.hot_rows, 0);
    kit_close(&kit);
}

TEST(operations_killed_at_random_moments_lose_and_double_nothing)
{
    static const char *const ops[] = {"seal", "compact", "sweep"};
    const char *env = getenv("PRISM_KILLS");
    int kills = env ? (int)strtol(env, NULL, 10) : 40, killed = 0;
    frames_written = 0;
    write_round(t);
    long span_us = time_of(t, "seal");
    srand(7);
    int tried = 0; /* a machine that became idle ends more of them in time */
    for (int i = 0; i < kills || (killed < kills / 2 && i < kills * 10); i++, tried++) {
        const char *op = ops[i % 3];
        write_round(t);
        if (i % 6 == 1) run(t, "seal", NULL); /* so that there is something to compact */
        killed += kill_after(start(t, op, NULL), rand() % (span_us + 1));
        check_rows(t);
    }
    print_message("%d of %d were killed before their end\n", killed, tried);
    CHECK(killed >= kills / 2); /* otherwise this proved little */
    check_no_orphans(t);
}

TEST(two_processes_at_once_do_each_others_work_only_once)
{
    static const char *const pairs[][2] = {{"seal", "seal"},
                                           {"seal", "compact"},
                                           {"compact", "compact"},
                                           {"retain", "seal"},
                                           {"retain", "compact"}};
    frames_written = 0;
    for (int i = 0; i < 10; i++) {
        write_round(t);
        pid_t first = start(t, pairs[i % 5][0], NULL);
        pid_t second = start(t, pairs[i % 5][1], NULL);
        finish(first);
        finish(second);
        check_rows(t);
    }
    check_no_orphans(t);
}

/* ---- rules of retention ---- */

static bool goes(size_t id) { return id % 17 == 3; } /* whose name is "row 3" */

/* all_gone: every row that the rule says goes is gone by now. */
static void check_rest(struct test *t, bool all_gone)
{
    struct kit kit = {0};
    struct dataset_info info;
    size_t ids = (size_t)frames_written * ROWS_PER_FRAME;
    struct kit_tally tally = {.seen = calloc(ids + 1, 1), .ids = ids};
    CHECK(tally.seen);
    CHECK_OK(kit_open(&kit, t->dir));
    CHECK_OK(kit_tally(&kit, &tally));
    for (size_t i = 0; i < ids; i++) {
        bool right = goes(i) ? tally.seen[i] <= !all_gone : tally.seen[i] == 1;
        if (!right) TEST_FAIL("id %zu is there %d times", i, tally.seen[i]);
    }
    CHECK_OK(catalog_find(kit.catalog, S("acme"), S("logs"), &t->arena, &info));
    CHECK_INT(info.rows, tally.parquet_rows);
    free(tally.seen);
    kit_close(&kit);
}

TEST(rules_that_are_killed_at_random_moments_take_no_other_rows_along)
{
    static const char *const rules = "[{\"attribute\":\"name\",\"equals\":\"row 3\",\"days\":1}]";
    const char *env = getenv("PRISM_KILLS");
    int kills = (env ? (int)strtol(env, NULL, 10) : 40) / 2, killed = 0, tried = 0;
    struct kit kit = {0};
    CHECK_OK(kit_open(&kit, t->dir));
    CHECK_OK(catalog_say_retention(kit.catalog, S("acme"), S("logs"), 0, px_str_c(rules)));
    kit_close(&kit);
    frames_written = 0;
    write_round(t);
    run(t, "seal", NULL);
    long span_us = time_of(t, "rules");
    srand(11);
    for (int i = 0; i < kills || (killed < kills / 2 && i < kills * 10); i++, tried++) {
        write_round(t);
        run(t, "seal", NULL);
        if (i % 3 == 1) run(t, "compact", NULL);
        killed += kill_after(start(t, "rules", NULL), rand() % (2 * span_us + 1));
        check_rest(t, false);
    }
    print_message("%d of %d were killed before their end\n", killed, tried);
    CHECK(killed >= kills / 2);
    write_round(t);
    run(t, "seal", NULL);
    pid_t first = start(t, "rules", NULL), second = start(t, "compact", NULL);
    finish(first); /* whoever is overtaken leaves it to the next */
    finish(second);
    check_rest(t, false);
    run(t, "rules", NULL);
    check_rest(t, true);
    run(t, "sweep", NULL);
    CHECK_OK(kit_open(&kit, t->dir));
    struct dataset_info info;
    CHECK_OK(catalog_find(kit.catalog, S("acme"), S("logs"), &t->arena, &info));
    CHECK_INT(count_objects(&kit), info.segments);
    kit_close(&kit);
}

int main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[1], "--child") == 0) return child_main(argv);
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    return _cmocka_run_group_tests(argv[0], test_list, test_count, NULL, NULL);
}
