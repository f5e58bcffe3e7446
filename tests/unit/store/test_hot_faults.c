/* A disk that fails: what was acknowledged is readable, what was refused is not. */
#include "store/child.h"
#include "store/hot_kit.h"

#include <sys/resource.h>
#include <sys/stat.h>

#define APPENDS 12

struct run {
    bool acked[APPENDS];
    int refused;
    uint64_t seqs[APPENDS];
};

static struct px_str text_of(struct test *t, int i)
{
    return px_arena_printf(&t->arena, "text %d", i);
}

/* Append numbered texts; small files, so that starting and extending both occur. */
static void run_appends(struct test *t, struct bad_disk *bad, struct run *run)
{
    PX_AUTO(hot_store_close) struct hot_store *store = NULL;
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    struct hot_writer_options options = {.file_bytes_max = 200};
    CHECK_OK(hot_store_open_on(test_path(t, "hot"), &bad->table, &store));
    CHECK_OK(hot_writer_new(store, &options, &writer));
    for (int i = 0; i < APPENDS; i++) {
        int r = append_text(writer, text_of(t, i), &run->seqs[i]);
        run->acked[i] = r == 0;
        if (r == 0) continue;
        CHECK_INT(r, bad->error == ENOSPC ? PX_F_NO_SPACE : PX_F_IO);
        run->refused++;
    }
}

static void check_run(struct test *t, const struct run *run, bool refused_may_show)
{
    PX_AUTO(hot_store_close) struct hot_store *store = NULL;
    CHECK_OK(hot_store_open(test_path(t, "hot"), &store));
    struct readback *rb = read_all(t, store);
    CHECK_INT(rb->corrupt, 0);
    for (int i = 0; i < APPENDS; i++) {
        bool there = has_payload(rb, text_of(t, i));
        if (run->acked[i] && !there) TEST_FAIL("acknowledged %d is lost", i);
        if (!run->acked[i] && there && !refused_may_show) TEST_FAIL("refused %d is there", i);
    }
    for (size_t i = 1; i < rb->frames; i++)
        CHECK(rb->seqs[i] > rb->seqs[i - 1]); /* never one twice */
}

/* Returns whether the failure was reached at all. */
static bool sweep_step(struct test *t, long fail_from, long fail_count, int error)
{
    struct px_arena keep = t->arena;
    t->arena = (struct px_arena){.limit_bytes = keep.limit_bytes};
    struct bad_disk bad;
    struct run run = {0};
    bad_disk_init(&bad, fail_from, fail_count, error);
    run_appends(t, &bad, &run);
    check_run(t, &run, fail_count > 1);
    if (fail_count == 1) CHECK(run.refused <= 1);
    CHECK_OK(px_dir_remove(test_path(t, "hot").ptr));
    px_arena_deinit(&t->arena);
    t->arena = keep;
    return bad.failed_now;
}

TEST(any_one_failing_call_refuses_at_most_its_own_append)
{
    static const int errors[] = {EIO, ENOSPC};
    for (size_t e = 0; e < PX_COUNT(errors); e++) {
        long at = 1;
        while (sweep_step(t, at, 1, errors[e])) at++;
        CHECK(at > 5 * APPENDS / 2);
    }
}

TEST(failures_in_a_row_lose_nothing_that_was_acknowledged)
{
    for (long count = 2; count <= 6; count++) {
        long at = 1;
        while (sweep_step(t, at, count, EIO)) at++;
    }
    long at = 1;
    while (sweep_step(t, at, 1000000, EIO)) at++;
}

/* Fails one call kind by its index in a run of appends that all fit into one file. */
TEST(a_failed_sync_poisons_the_file)
{
    struct bad_disk bad;
    bad_disk_init(&bad, 0, 1, EIO);
    PX_AUTO(hot_store_close) struct hot_store *store = NULL;
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    CHECK_OK(hot_store_open_on(test_path(t, "hot"), &bad.table, &store));
    CHECK_OK(hot_writer_new(store, NULL, &writer));
    uint64_t seq;
    CHECK_OK(append_text(writer, S("one"), &seq));
    bad.fail_from = bad.calls + 2; /* pwritev, then fdatasync */
    CHECK_INT(append_text(writer, S("two"), &seq), PX_F_IO);
    CHECK_INT(hot_writer_next_seq(writer, ACME, LOGS), 3);
    CHECK_OK(append_text(writer, S("three"), &seq));
    CHECK_INT(seq, 3);
    struct readback *rb = read_all(t, store);
    CHECK_INT(rb->files, 2); /* the doubtful one is not written to again */
    CHECK_INT(rb->frames, 2);
    CHECK_STR(rb->payloads[1], S("three"));
}

TEST(a_number_that_could_not_be_taken_back_is_skipped)
{
    struct bad_disk bad;
    bad_disk_init(&bad, 0, 4, EIO); /* fdatasync, voiding, cutting off, ... */
    PX_AUTO(hot_store_close) struct hot_store *store = NULL;
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    CHECK_OK(hot_store_open_on(test_path(t, "hot"), &bad.table, &store));
    CHECK_OK(hot_writer_new(store, NULL, &writer));
    uint64_t seq;
    CHECK_OK(append_text(writer, S("one"), &seq));
    bad.fail_from = bad.calls + 2;
    CHECK_INT(append_text(writer, S("two"), &seq), PX_F_IO);
    CHECK_OK(append_text(writer, S("three"), &seq));
    CHECK_INT(seq, 3);
}

/* ---- a disk that is really full ---- */

static int count_entry(void *ctx, const char *name, bool is_dir)
{
    (void)name, (void)is_dir;
    ++*(int *)ctx;
    return 0;
}

/* In a child: files may not grow over 4 KiB. Exit status: acknowledged appends; 200 and up: wrong. */
static int append_until_full(struct test *t, int unused)
{
    (void)unused;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {4096, 4096};
    struct hot_store *store = NULL;
    struct hot_writer *writer = NULL;
    uint64_t seq;
    char text[1000];
    memset(text, 'x', sizeof text);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 200;
    if (hot_store_open(test_path(t, "hot"), &store) != 0) return 201;
    if (hot_writer_new(store, NULL, &writer) != 0) return 202;
    int acked = 0;
    for (int i = 0; i < 9; i++) {
        int r = append_text(writer, px_str(text, sizeof text), &seq);
        if (r != 0 && r != PX_F_NO_SPACE) return 203;
        acked += r == 0;
    }
    char large[8000] = {0};
    for (int i = 0; i < 5; i++) /* does not even fit into a new file */
        if (append_text(writer, px_str(large, sizeof large), &seq) != PX_F_NO_SPACE) return 204;
    hot_writer_free(&writer);
    hot_store_close(&store);
    return acked;
}

TEST(a_full_disk_refuses_keeps_what_it_has_and_is_not_littered)
{
    int acked;
    in_children(t, 1, append_until_full, &acked);
    CHECK(acked >= 6 && acked < 9);
    PX_AUTO(hot_store_close) struct hot_store *store = NULL;
    CHECK_OK(hot_store_open(test_path(t, "hot"), &store));
    struct readback *rb = read_all(t, store);
    CHECK_INT(rb->frames, acked);
    CHECK_INT(rb->corrupt, 0);
    int entries = 0;
    CHECK_OK(px_dir_each(test_path(t, "hot/acme/logs").ptr, count_entry, &entries));
    CHECK_INT(entries, rb->files);
}

/* ---- kill -9 ---- */

static void append_and_report(struct test *t, int out)
{
    struct hot_store *store = NULL;
    struct hot_writer *writer = NULL;
    struct hot_writer_options options = {.file_bytes_max = 2000};
    if (hot_store_open(test_path(t, "hot"), &store) != 0) return;
    if (hot_writer_new(store, &options, &writer) != 0) return;
    for (uint64_t i = 1;; i++) {
        uint64_t seq = 0;
        struct px_str text = px_arena_printf(&t->arena, "%llu", (unsigned long long)i);
        if (append_text(writer, text, &seq) != 0 || seq != i) return;
        if (write(out, &seq, sizeof seq) != sizeof seq) return;
    }
}

TEST(whatever_was_acknowledged_survives_kill_9)
{
    PX_AUTO(hot_store_close) struct hot_store *store = NULL;
    CHECK_OK(hot_store_open(test_path(t, "hot"), &store));
    for (unsigned round = 0; round < 25; round++) {
        uint64_t acked = killed_child(t, round * 701 % 9000, append_and_report);
        struct readback *rb = read_all(t, store);
        CHECK_INT(rb->corrupt, 0);
        CHECK(rb->frames == acked || rb->frames == acked + 1);
        for (size_t i = 0; i < rb->frames; i++) {
            CHECK_INT(rb->seqs[i], i + 1);
            CHECK_STR(rb->payloads[i], px_arena_printf(&t->arena, "%zu", i + 1));
        }
        struct hot_file *files;
        size_t count;
        CHECK_OK(hot_list(store, ACME, LOGS, &t->arena, &files, &count));
        for (size_t i = 0; i < count; i++)
            CHECK_OK(hot_file_remove(store, &files[i])); /* none lives */
    }
}

TEST_MAIN
