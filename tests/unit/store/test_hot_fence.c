/* The fence of a tenant that moves: its states, its order, crashes, and what it is there for: nothing that was
 * acknowledged is missing from a listing made behind it. */
#include "store/hot_kit.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "base/px_file.h"
#include "store/hot_fence.h"

static struct hot_store *store_open(struct test *t)
{
    struct hot_store *store = NULL;
    CHECK_OK(hot_store_open(test_path(t, "hot"), &store));
    return store;
}

static int raise_fence(struct hot_store *store, enum hot_fence_state state, int64_t epoch)
{
    const struct hot_fence fence = {state, epoch, "elsewhere"};
    return hot_fence_raise(store, ACME, &fence, NULL);
}

static void check_fence(struct hot_store *store, enum hot_fence_state state, int64_t epoch)
{
    struct hot_fence fence;
    CHECK_OK(hot_fence_read(store, ACME, &fence));
    CHECK_INT(fence.state, state);
    CHECK_INT(fence.epoch, epoch);
    if (state != HOT_FENCE_NONE) CHECK_STR(px_str_c(fence.region), S("elsewhere"));
}

TEST(a_tenant_that_never_moved_has_none)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    uint64_t seq;
    check_fence(store, HOT_FENCE_NONE, 0);
    CHECK_OK(hot_writer_new(store, NULL, &writer));
    CHECK_OK(append_text(writer, S("x"), &seq));
    check_fence(store, HOT_FENCE_NONE, 0);
}

TEST(of_one_epoch_a_move_goes_forward_and_ends_once)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    CHECK_OK(raise_fence(store, HOT_FENCE_LEAVING, 2));
    CHECK_OK(raise_fence(store, HOT_FENCE_LEAVING, 2)); /* a repeat */
    check_fence(store, HOT_FENCE_LEAVING, 2);
    CHECK_INT(raise_fence(store, HOT_FENCE_ARRIVING, 2), HOT_FENCE_STALE);
    CHECK_OK(raise_fence(store, HOT_FENCE_LEFT, 2));
    CHECK_OK(raise_fence(store, HOT_FENCE_LEFT, 2));
    CHECK_INT(raise_fence(store, HOT_FENCE_HOME, 2), HOT_FENCE_STALE); /* a late abort */
    CHECK_INT(raise_fence(store, HOT_FENCE_LEAVING, 2), HOT_FENCE_STALE);
    check_fence(store, HOT_FENCE_LEFT, 2);
    CHECK_OK(raise_fence(store, HOT_FENCE_ARRIVING, 3)); /* it comes back */
    CHECK_INT(raise_fence(store, HOT_FENCE_LEFT, 2), HOT_FENCE_STALE);
    CHECK_OK(raise_fence(store, HOT_FENCE_HOME, 3));
    CHECK_INT(raise_fence(store, HOT_FENCE_LEFT, 3), HOT_FENCE_STALE);
    check_fence(store, HOT_FENCE_HOME, 3);
}

TEST(a_refusal_tells_what_stands)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    const struct hot_fence late = {HOT_FENCE_LEAVING, 4, "far"};
    struct hot_fence stands;
    CHECK_OK(raise_fence(store, HOT_FENCE_HOME, 5));
    CHECK_INT(hot_fence_raise(store, ACME, &late, &stands), HOT_FENCE_STALE);
    CHECK_INT(stands.state, HOT_FENCE_HOME);
    CHECK_INT(stands.epoch, 5);
}

TEST(a_fence_that_cannot_be_read_is_a_fault_and_not_an_open_gate)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    struct hot_fence fence;
    static const char *const texts[] = {"",
                                        "{",
                                        "{}",
                                        "{\"state\":\"none\",\"epoch\":1}",
                                        "{\"state\":\"left\",\"epoch\":0,\"region\":\"a\"}",
                                        "{\"state\":\"away\",\"epoch\":1,\"region\":\"a\"}"};
    CHECK_OK(px_dir_make(test_path(t, "hot/acme").ptr));
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        CHECK_OK(
            px_file_write_atomic(test_path(t, "hot/acme/.fence").ptr, px_str_c(texts[i]), 0600));
        CHECK_INT(hot_fence_read(store, ACME, &fence), PX_F_CORRUPT);
    }
    CHECK_OK(hot_fence_remove(store, ACME));
    CHECK_OK(hot_fence_remove(store, ACME));
    check_fence(store, HOT_FENCE_NONE, 0);
}

TEST(the_fence_is_no_dataset_and_no_hot_file)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    struct px_str *names;
    struct hot_file *files;
    size_t count;
    CHECK_OK(raise_fence(store, HOT_FENCE_ARRIVING, 2));
    CHECK_OK(hot_datasets(store, ACME, &t->arena, &names, &count));
    CHECK_INT(count, 0);
    CHECK_OK(hot_list(store, ACME, S(""), &t->arena, &files, &count));
    CHECK_INT(count, 0);
    CHECK_OK(hot_refresh(store, ACME, &t->arena));
    CHECK_OK(hot_refresh(store, S("nobody"), &t->arena));
}

/* ---- a freeze that has an end ---- */

static int freeze(struct hot_store *store, int64_t epoch, int64_t until_ms, int64_t *ret_number)
{
    const struct hot_fence fence = {
        .state = HOT_FENCE_LEAVING, .epoch = epoch, .region = "elsewhere", .until_ms = until_ms};
    struct hot_fence stands;
    int r = hot_fence_freeze(store, ACME, &fence, &stands);
    *ret_number = stands.until_ms;
    return r;
}

static int thaw(struct hot_store *store, int64_t epoch)
{
    struct hot_fence stands;
    return hot_fence_thaw(store, ACME, epoch, true, &stands);
}

TEST(a_freeze_is_closed_before_its_end_or_not_at_all)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    struct hot_fence fence;
    int64_t first = 0, again = 0, second = 0;
    CHECK_OK(freeze(store, 2, 1000, &first));
    CHECK_OK(freeze(store, 2, 5000, &again)); /* a repeat makes nobody wait for longer */
    CHECK(first == 1000 && again == 1000);
    CHECK_OK(hot_fence_read(store, ACME, &fence));
    CHECK(!hot_fence_is_over(&fence, 999) && hot_fence_is_over(&fence, 1000));
    CHECK_INT(raise_fence(store, HOT_FENCE_LEFT, 2), HOT_FENCE_STALE); /* nothing is decided */
    CHECK_INT(hot_fence_close(store, ACME, 2, 1000, 0, 1000), HOT_FENCE_STALE);
    CHECK_INT(hot_fence_close(store, ACME, 2, 999, 0, 0), HOT_FENCE_STALE);
    CHECK_OK(thaw(store, 2));
    CHECK_OK(thaw(store, 2));
    check_fence(store, HOT_FENCE_THAWED, 2);
    CHECK_INT(raise_fence(store, HOT_FENCE_LEFT, 2), HOT_FENCE_STALE);
    CHECK_OK(freeze(store, 2, 500, &second)); /* the clock was set back */
    CHECK_INT(second, 1001);
    CHECK_INT(hot_fence_close(store, ACME, 2, first, 0, 0), HOT_FENCE_STALE); /* another freeze's */
    CHECK_OK(hot_fence_close(store, ACME, 2, second, 0, 1000));
    CHECK_OK(hot_fence_close(store, ACME, 2, second, 0, 9000)); /* a repeat */
    CHECK_OK(hot_fence_read(store, ACME, &fence));
    CHECK(fence.state == HOT_FENCE_LEAVING && !hot_fence_is_over(&fence, INT64_MAX));
    CHECK_INT(thaw(store, 2), HOT_FENCE_STALE);
    CHECK_OK(raise_fence(store, HOT_FENCE_LEFT, 2));
    CHECK_INT(freeze(store, 2, 9000, &again), HOT_FENCE_STALE);
    CHECK_INT(thaw(store, 2), HOT_FENCE_STALE);
    CHECK_INT(thaw(store, 1), HOT_FENCE_STALE);
    check_fence(store, HOT_FENCE_LEFT, 2);
}

TEST(a_thawed_move_is_given_up_by_the_same_step_as_a_frozen_one)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    int64_t number = 0;
    CHECK_OK(thaw(store, 3)); /* the freeze was never raised */
    check_fence(store, HOT_FENCE_NONE, 0);
    CHECK_OK(freeze(store, 3, 1000, &number));
    CHECK_OK(thaw(store, 4)); /* as when the one of epoch 4 was not */
    check_fence(store, HOT_FENCE_LEAVING, 3);
    CHECK_OK(thaw(store, 3));
    CHECK_OK(raise_fence(store, HOT_FENCE_HOME, 3));
    CHECK_INT(freeze(store, 3, 2000, &number), HOT_FENCE_STALE); /* a late repeat */
    check_fence(store, HOT_FENCE_HOME, 3);
}

TEST(who_may_not_wait_does_not_wait_for_somebody_that_sleeps_in_a_change)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    struct hot_fence fence;
    int64_t number = 0;
    PX_AUTO(px_close) int fd = -1;
    CHECK_OK(freeze(store, 2, 1000, &number));
    CHECK_OK(hot_fence_hold(store, ACME, &fence, &fd));
    CHECK_INT(hot_fence_thaw(store, ACME, 2, false, &fence), HOT_FENCE_HELD);
    CHECK_INT(fence.state, HOT_FENCE_LEAVING);
    px_close(&fd);
    CHECK_OK(hot_fence_thaw(store, ACME, 2, false, &fence));
    CHECK_INT(fence.state, HOT_FENCE_THAWED);
}

/* ---- killed while raising ---- */

TEST(a_process_killed_while_it_raises_leaves_the_old_or_the_new)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    for (int64_t epoch = 1; epoch <= 40; epoch++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            for (int64_t i = 0;; i++) /* until killed */
                if (raise_fence(store, HOT_FENCE_LEAVING, epoch * 1000 + i) < 0) _exit(1);
        }
        (void)usleep((useconds_t)(epoch * 137));
        CHECK_INT(kill(pid, SIGKILL), 0);
        int status;
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK(WIFSIGNALED(status));
        struct hot_fence fence;
        CHECK_OK(hot_fence_read(store, ACME, &fence));
        CHECK_OK(raise_fence(store, HOT_FENCE_HOME, epoch * 1000 + 999)); /* no lock stays */
    }
}

/* ---- what it is for ---- */

#define WRITERS 3

/* Appends until the fence says stop; each number that it would acknowledge goes to fd. */
static void write_until_fenced(struct hot_store *store, int fd)
{
    struct hot_writer *writer = NULL;
    if (hot_writer_new(store, NULL, &writer) != 0) _exit(1);
    for (;;) {
        struct hot_fence fence;
        uint64_t seq;
        char line[HOT_WRITER_LEN + 32];
        if (append_text(writer, S("payload"), &seq) != 0) _exit(2);
        if (hot_fence_read(store, ACME, &fence) != 0) _exit(3);
        if (fence.state == HOT_FENCE_LEAVING) _exit(0);
        int n = snprintf(line, sizeof line, "%.*s %llu\n", PX_FMT(hot_writer_id(writer)),
                         (unsigned long long)seq);
        if (write(fd, line, (size_t)n) != n) _exit(4);
    }
}

static uint64_t last_in(struct test *t, const struct hot_file *files, size_t count,
                        struct px_str writer)
{
    uint64_t last = 0;
    (void)t;
    for (size_t i = 0; i < count; i++) {
        if (!px_str_eq(files[i].writer, writer)) continue;
        PX_AUTO(hot_reader_close) struct hot_reader *reader = NULL;
        struct hot_frame frame;
        CHECK_OK(hot_reader_open(&files[i], &reader));
        while (hot_reader_next(reader, &frame) == 0) last = PX_MAX(last, frame.seq);
    }
    return last;
}

/* The listing is read to its end before anybody looks at what was acknowledged. */
static void one_race(struct test *t, struct hot_store *store, int64_t epoch, useconds_t wait_us)
{
    int fds[2];
    pid_t pids[WRITERS];
    struct hot_file *files;
    size_t count;
    CHECK_INT(pipe(fds), 0);
    for (int i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        CHECK(pids[i] >= 0);
        if (pids[i] == 0) write_until_fenced(store, fds[1]);
    }
    close(fds[1]);
    struct px_buf acknowledged;
    px_buf_init(&acknowledged, 64u << 20);
    px_buf_add_char(&acknowledged, '\n');
    char first;
    CHECK_INT(read(fds[0], &first, 1), 1); /* somebody is under way */
    px_buf_add_char(&acknowledged, first);
    (void)usleep(wait_us);
    CHECK_OK(raise_fence(store, HOT_FENCE_LEAVING, epoch));
    CHECK_OK(hot_refresh(store, ACME, &t->arena));
    CHECK_OK(hot_list(store, ACME, S(""), &t->arena, &files, &count));
    uint64_t *lasts = px_arena_array(&t->arena, uint64_t, count + 1);
    for (size_t i = 0; i < count; i++) lasts[i] = last_in(t, files, count, files[i].writer);
    char piece[4096];
    ssize_t n;
    while ((n = read(fds[0], piece, sizeof piece)) > 0) px_buf_add(&acknowledged, piece, (size_t)n);
    close(fds[0]);
    for (int i = 0; i < WRITERS; i++) {
        int status;
        CHECK_INT(waitpid(pids[i], &status, 0), pids[i]);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    struct px_str rest = px_buf_str(&acknowledged), line, writer;
    size_t lines = 0;
    while (rest.len > 0) {
        (void)px_str_cut(&rest, '\n', &line);
        if (line.len == 0) continue;
        uint64_t seq = 0;
        CHECK(px_str_cut(&line, ' ', &writer) && px_str_to_u64(line, &seq));
        bool found = false;
        for (size_t i = 0; i < count; i++)
            found = found || (px_str_eq(files[i].writer, writer) && lasts[i] >= seq);
        CHECK(found);
        lines++;
    }
    CHECK(lines > 0);
    px_buf_deinit(&acknowledged);
}

TEST(what_was_acknowledged_before_a_fence_is_in_every_listing_behind_it)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    for (int64_t i = 1; i <= 25; i++) {
        one_race(t, store, 2 * i, (useconds_t)(i * 211 % 3000));
        CHECK_OK(raise_fence(store, HOT_FENCE_HOME, 2 * i + 1));
    }
}

TEST_MAIN
