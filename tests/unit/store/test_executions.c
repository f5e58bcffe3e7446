/* The journal of workflows: turns in batches, what is read back, crashes, memory that runs out. */
#include "store/child.h"
#include "support/support_alloc.h"

#include "store/executions.h"

#include <sys/resource.h>

static struct execution_store *store_open(struct test *t)
{
    struct execution_store *store = NULL;
    CHECK_OK(execution_store_open(test_path(t, "workflows.db"), &store));
    return store;
}

static struct execution_row row_of(uint64_t number, struct px_str name)
{
    return (struct execution_row){
        .number = number,
        .machine = S("m"),
        .definition = 1,
        .name = name,
        .arn = S("arn:aws:states:local:000000000000:execution:m:x"),
        .start_ms = 1000 + (int64_t)number,
        .input = S("{\"a\":1}"),
    };
}

static void begin(struct execution_batch *batch, uint64_t number, struct px_str name)
{
    const struct execution_frame frame = {.frame = 1, .record = S("{\"phase\":4}")};
    const struct execution_turn turn = {.row = row_of(number, name),
                                        .first = true,
                                        .events = S("{\"id\":1}\n{\"id\":2}\n"),
                                        .event_first = 1,
                                        .event_count = 2,
                                        .frames = &frame,
                                        .frame_count = 1};
    struct execution_turn whole = turn;
    whole.row.event_count = 2;
    CHECK_OK(execution_batch_add(batch, &whole));
}

static void finish(struct execution_batch *batch, uint64_t number, enum execution_status status,
                   int64_t stop_ms)
{
    const struct execution_frame gone = {.frame = 1};
    struct execution_turn turn = {
        .row = {.number = number, .status = status, .stop_ms = stop_ms, .event_count = 3},
        .events = S("{\"id\":3}\n"),
        .event_first = 3,
        .event_count = 1,
        .frames = &gone,
        .frame_count = status == EXECUTION_SUCCEEDED};
    if (status == EXECUTION_SUCCEEDED)
        turn.row.output = S("[]");
    else
        turn.row.error = S("Broken");
    CHECK_OK(execution_batch_add(batch, &turn));
}

TEST(what_was_committed_is_read_back)
{
    PX_AUTO(execution_store_close) struct execution_store *store = store_open(t);
    PX_AUTO(execution_batch_deinit) struct execution_batch batch;
    execution_batch_init(&batch, 1u << 20);
    begin(&batch, 7, S("one"));
    struct execution_row row;
    CHECK_INT(execution_get(store, 7, &t->arena, &row), EXECUTION_ABSENT);
    CHECK_OK(execution_commit(store, &batch));
    execution_batch_clear(&batch);
    CHECK_OK(execution_find(store, S("m"), S("one"), &t->arena, &row));
    CHECK_INT(row.number, 7);
    CHECK_STR(row.input, S("{\"a\":1}"));
    CHECK(!row.output.ptr && !row.error.ptr && !row.cause.ptr);
    CHECK_INT(row.event_count, 2);
    CHECK_INT(execution_find(store, S("other"), S("one"), &t->arena, &row), EXECUTION_ABSENT);
    finish(&batch, 7, EXECUTION_FAILED, 5000);
    CHECK_OK(execution_commit(store, &batch));
    CHECK_OK(execution_get(store, 7, &t->arena, &row));
    CHECK_INT(row.status, EXECUTION_FAILED);
    CHECK_STR(row.error, S("Broken"));
    CHECK_STR(row.name, S("one"));
    uint64_t last;
    CHECK_OK(execution_last_number(store, &last));
    CHECK_INT(last, 7);
}

TEST(frames_of_a_success_go_and_those_of_a_failure_stay)
{
    PX_AUTO(execution_store_close) struct execution_store *store = store_open(t);
    PX_AUTO(execution_batch_deinit) struct execution_batch batch;
    execution_batch_init(&batch, 1u << 20);
    begin(&batch, 1, S("good"));
    begin(&batch, 2, S("bad"));
    finish(&batch, 1, EXECUTION_SUCCEEDED, 10);
    finish(&batch, 2, EXECUTION_FAILED, 10);
    CHECK_OK(execution_commit(store, &batch));
    struct execution_frame *frames;
    size_t count;
    CHECK_OK(execution_frames(store, 1, &t->arena, &frames, &count));
    CHECK_INT(count, 0);
    CHECK_OK(execution_frames(store, 2, &t->arena, &frames, &count));
    CHECK_INT(count, 1);
    CHECK_STR(frames[0].record, S("{\"phase\":4}"));
}

TEST(a_frame_is_replaced_and_its_children_go_by_one_word)
{
    PX_AUTO(execution_store_close) struct execution_store *store = store_open(t);
    PX_AUTO(execution_batch_deinit) struct execution_batch batch;
    execution_batch_init(&batch, 1u << 20);
    begin(&batch, 1, S("x"));
    const struct execution_frame some[] = {
        {.frame = 2, .parent = 1, .record = S("{\"index\":0}")},
        {.frame = 3, .parent = 1, .record = S("{\"index\":1}")},
        {.frame = 4, .parent = 3, .record = S("{}")},
        {.frame = 1, .record = S("{\"phase\":6}")},
    };
    struct execution_turn turn = {
        .row = {.number = 1}, .frames = some, .frame_count = PX_COUNT(some)};
    CHECK_OK(execution_batch_add(&batch, &turn));
    CHECK_OK(execution_commit(store, &batch));
    execution_batch_clear(&batch);
    struct execution_frame *frames;
    size_t count;
    CHECK_OK(execution_frames(store, 1, &t->arena, &frames, &count));
    CHECK_INT(count, 4);
    CHECK_STR(frames[0].record, S("{\"phase\":6}"));
    CHECK_INT(frames[3].parent, 3);
    const struct execution_frame gone[] = {{.frame = 4, .parent = 3},
                                           {.frame = 1, .children_gone = true}};
    turn.frames = gone;
    turn.frame_count = 2;
    CHECK_OK(execution_batch_add(&batch, &turn));
    CHECK_OK(execution_commit(store, &batch));
    CHECK_OK(execution_frames(store, 1, &t->arena, &frames, &count));
    CHECK_INT(count, 1);
}

TEST(a_batch_is_committed_whole_or_not_at_all)
{
    PX_AUTO(execution_store_close) struct execution_store *store = store_open(t);
    PX_AUTO(execution_batch_deinit) struct execution_batch batch;
    execution_batch_init(&batch, 1u << 20);
    begin(&batch, 1, S("a"));
    begin(&batch, 2, S("a")); /* the name is taken */
    CHECK_INT(execution_commit(store, &batch), PX_F_BUG);
    uint64_t last;
    CHECK_OK(execution_last_number(store, &last));
    CHECK_INT(last, 0);
    execution_batch_clear(&batch);
    const struct execution_turn unknown = {.row = {.number = 9}};
    begin(&batch, 1, S("a"));
    CHECK_OK(execution_batch_add(&batch, &unknown));
    CHECK_INT(execution_commit(store, &batch), PX_F_CORRUPT);
    CHECK_OK(execution_last_number(store, &last));
    CHECK_INT(last, 0);
}

TEST(a_batch_has_a_ceiling_and_can_be_used_again)
{
    PX_AUTO(execution_batch_deinit) struct execution_batch batch;
    execution_batch_init(&batch, 200 * 1024);
    char text[4000];
    memset(text, 'x', sizeof text);
    const struct execution_turn turn = {.row = {.number = 1, .input = px_str(text, sizeof text)}};
    size_t added = 0;
    int r;
    while ((r = execution_batch_add(&batch, &turn)) == 0) added++;
    CHECK_INT(r, EXECUTION_BATCH_FULL);
    CHECK_INT(batch.turns, added);
    CHECK(added > 10);
    execution_batch_clear(&batch);
    CHECK_OK(execution_batch_add(&batch, &turn));
    CHECK_INT(batch.turns, 1);
}

TEST(history_is_read_in_pages_forwards_and_backwards)
{
    PX_AUTO(execution_store_close) struct execution_store *store = store_open(t);
    PX_AUTO(execution_batch_deinit) struct execution_batch batch;
    execution_batch_init(&batch, 1u << 20);
    begin(&batch, 1, S("x"));
    struct execution_turn turn = {.row = {.number = 1, .event_count = 6},
                                  .events = S("{\"id\":3}\n{\"id\":4}\n{\"id\":5}\n{\"id\":6}\n"),
                                  .event_first = 3,
                                  .event_count = 4};
    CHECK_OK(execution_batch_add(&batch, &turn));
    CHECK_OK(execution_commit(store, &batch));
    struct px_str *lines;
    size_t count;
    for (uint32_t from = 1; from <= 6; from++) {
        CHECK_OK(execution_history(store, 1, from, false, 2, &t->arena, &lines, &count));
        CHECK_INT(count, from == 6 ? 1 : 2);
        CHECK_STR(lines[0], px_arena_printf(&t->arena, "{\"id\":%u}", from));
        CHECK_OK(execution_history(store, 1, from, true, 2, &t->arena, &lines, &count));
        CHECK_INT(count, from == 1 ? 1 : 2);
        CHECK_STR(lines[0], px_arena_printf(&t->arena, "{\"id\":%u}", from));
        if (count > 1) CHECK_STR(lines[1], px_arena_printf(&t->arena, "{\"id\":%u}", from - 1));
    }
    CHECK_OK(execution_history(store, 1, 0, true, 100, &t->arena, &lines, &count));
    CHECK_INT(count, 6);
    CHECK_STR(lines[0], S("{\"id\":6}"));
    CHECK_OK(execution_history(store, 1, 0, false, 100, &t->arena, &lines, &count));
    CHECK_INT(count, 6);
    CHECK_OK(execution_history(store, 1, 7, false, 100, &t->arena, &lines, &count));
    CHECK_INT(count, 0);
}

TEST(lists_are_newest_first_and_filtered)
{
    PX_AUTO(execution_store_close) struct execution_store *store = store_open(t);
    PX_AUTO(execution_batch_deinit) struct execution_batch batch;
    execution_batch_init(&batch, 1u << 20);
    for (uint64_t i = 1; i <= 9; i++) {
        struct execution_turn turn = {
            .row = row_of(i, px_arena_printf(&t->arena, "n%llu", (unsigned long long)i)),
            .first = true};
        if (i > 7) turn.row.machine = S("other");
        if (i == 6) turn.row.parent = 5;
        if (i == 7) {
            turn.row.waiter = S("5-1-abc");
            turn.row.waiter_execution = 5;
        }
        CHECK_OK(execution_batch_add(&batch, &turn));
    }
    finish(&batch, 2, EXECUTION_SUCCEEDED, 10);
    CHECK_OK(execution_commit(store, &batch));
    struct execution_row *rows;
    size_t count;
    struct execution_filter filter = {
        .machine = S("m"), .status = EXECUTION_ANY_STATUS, .max = 100};
    CHECK_OK(execution_list(store, &filter, false, &t->arena, &rows, &count));
    CHECK_INT(count, 6); /* without the child */
    CHECK_INT(rows[0].number, 7);
    CHECK(!rows[0].input.ptr);
    filter.before = 7;
    filter.max = 2;
    CHECK_OK(execution_list(store, &filter, true, &t->arena, &rows, &count));
    CHECK_INT(count, 2);
    CHECK_INT(rows[0].number, 5);
    CHECK_STR(rows[0].input, S("{\"a\":1}"));
    filter = (struct execution_filter){.status = EXECUTION_SUCCEEDED, .max = 9};
    CHECK_OK(execution_list(store, &filter, false, &t->arena, &rows, &count));
    CHECK_INT(count, 1);
    CHECK_INT(rows[0].number, 2);
    filter = (struct execution_filter){.status = EXECUTION_RUNNING, .name = S("n8"), .max = 9};
    CHECK_OK(execution_list(store, &filter, false, &t->arena, &rows, &count));
    CHECK_INT(count, 1);
    filter = (struct execution_filter){.status = EXECUTION_ANY_STATUS, .parent = 5, .max = 9};
    CHECK_OK(execution_list(store, &filter, false, &t->arena, &rows, &count));
    CHECK_INT(count, 1);
    CHECK_INT(rows[0].number, 6);
    filter = (struct execution_filter){
        .status = EXECUTION_ANY_STATUS, .waited_for_by = 5, .max = 9};
    CHECK_OK(execution_list(store, &filter, false, &t->arena, &rows, &count));
    CHECK_INT(count, 1);
    CHECK_STR(rows[0].waiter, S("5-1-abc"));
    uint64_t seen = 0, after = 0;
    struct execution_row row;
    while (execution_next_running(store, after, &t->arena, &row) == 0) {
        CHECK(row.number > after && row.number != 2);
        after = row.number;
        seen++;
    }
    CHECK_INT(seen, 8);
}

TEST(a_definition_keeps_its_number_until_its_text_changes)
{
    PX_AUTO(execution_store_close) struct execution_store *store = store_open(t);
    uint64_t first, second, other, back;
    CHECK_INT(execution_defined(store, S("m"), S("{1}"), &first), EXECUTION_ABSENT);
    CHECK_OK(execution_define(store, S("m"), S("{1}"), &first));
    CHECK_OK(execution_defined(store, S("m"), S("{1}"), &second));
    CHECK_INT(first, second);
    CHECK_OK(execution_define(store, S("m"), S("{1}"), &second));
    CHECK_INT(first, second);
    CHECK_OK(execution_define(store, S("n"), S("{1}"), &other));
    CHECK(other != first);
    CHECK_OK(execution_define(store, S("m"), S("{2}"), &second));
    CHECK_OK(execution_define(store, S("m"), S("{1}"), &back));
    CHECK(second > first && back > second);
    struct px_str text;
    CHECK_OK(execution_definition(store, second, &t->arena, &text));
    CHECK_STR(text, S("{2}"));
    CHECK_INT(execution_definition(store, 99, &t->arena, &text), EXECUTION_ABSENT);
}

TEST(definitions_that_are_begun_are_there_when_they_were_ended)
{
    for (int ends = 0; ends < 2; ends++) {
        uint64_t one, two;
        struct px_str text;
        struct execution_store *store = store_open(t);
        CHECK_OK(execution_define_begin(store));
        CHECK_OK(execution_define(store, S("m"), S("{1}"), &one));
        CHECK_OK(execution_define(store, S("n"), S("{2}"), &two));
        if (ends) CHECK_OK(execution_define_end(store));
        execution_store_close(&store);
        store = store_open(t);
        CHECK_INT(execution_definition(store, one, &t->arena, &text), ends ? 0 : EXECUTION_ABSENT);
        CHECK_INT(execution_definition(store, two, &t->arena, &text), ends ? 0 : EXECUTION_ABSENT);
        execution_store_close(&store);
    }
}

TEST(what_ended_long_ago_goes_with_all_that_belongs_to_it)
{
    PX_AUTO(execution_store_close) struct execution_store *store = store_open(t);
    PX_AUTO(execution_batch_deinit) struct execution_batch batch;
    uint64_t old, new;
    struct px_str text, *lines;
    execution_batch_init(&batch, 1u << 20);
    CHECK_OK(execution_define(store, S("m"), S("{1}"), &old));
    CHECK_OK(execution_define(store, S("m"), S("{2}"), &new));
    for (uint64_t i = 1; i <= 6; i++) {
        begin(&batch, i, px_arena_printf(&t->arena, "n%llu", (unsigned long long)i));
        if (i < 6) finish(&batch, i, EXECUTION_FAILED, (int64_t)i * 100);
    }
    CHECK_OK(execution_commit(store, &batch));
    size_t removed, count;
    CHECK_OK(execution_expire(store, 401, 2, &removed));
    CHECK_INT(removed, 2);
    CHECK_OK(execution_definition(store, old, &t->arena, &text)); /* others still need it */
    CHECK_OK(execution_expire(store, 401, 100, &removed));
    CHECK_INT(removed, 2);
    CHECK_OK(execution_expire(store, 401, 100, &removed));
    CHECK_INT(removed, 0);
    CHECK_OK(execution_history(store, 1, 1, false, 9, &t->arena, &lines, &count));
    CHECK_INT(count, 0);
    struct execution_frame *frames;
    CHECK_OK(execution_frames(store, 1, &t->arena, &frames, &count));
    CHECK_INT(count, 0);
    CHECK_OK(execution_frames(store, 6, &t->arena, &frames, &count)); /* it runs */
    CHECK_INT(count, 1);
    CHECK_OK(execution_definition(store, new, &t->arena, &text));
}

TEST(what_a_running_execution_may_ask_for_stays)
{
    PX_AUTO(execution_store_close) struct execution_store *store = store_open(t);
    PX_AUTO(execution_batch_deinit) struct execution_batch batch;
    execution_batch_init(&batch, 1u << 20);
    begin(&batch, 1, S("parent"));
    for (uint64_t i = 2; i <= 3; i++) {
        struct execution_turn turn = {.row = row_of(i, i == 2 ? S("child") : S("called")),
                                      .first = true};
        if (i == 2)
            turn.row.parent = 1;
        else
            turn.row.waiter_execution = 1;
        CHECK_OK(execution_batch_add(&batch, &turn));
        finish(&batch, i, EXECUTION_SUCCEEDED, 10);
    }
    CHECK_OK(execution_commit(store, &batch));
    execution_batch_clear(&batch);
    size_t removed;
    CHECK_OK(execution_expire(store, 1000, 100, &removed));
    CHECK_INT(removed, 0);
    finish(&batch, 1, EXECUTION_FAILED, 2000);
    CHECK_OK(execution_commit(store, &batch));
    CHECK_OK(execution_expire(store, 1000, 100, &removed));
    CHECK_INT(removed, 2);
}

/* ---- crashes, a full disk, no memory ---- */

/* Batch i begins execution i, and ends i - 1 with its third event; both or none. */
static int batch_of(struct execution_batch *batch, uint64_t i, const char *name)
{
    execution_batch_clear(batch);
    struct execution_turn turn = {.row = row_of(i, px_str_c(name)),
                                  .first = true,
                                  .events = S("{\"id\":1}\n"),
                                  .event_first = 1,
                                  .event_count = 1};
    PX_TRY(execution_batch_add(batch, &turn));
    if (i == 1) return 0;
    struct execution_turn last = {
        .row = {.number = i - 1, .status = EXECUTION_SUCCEEDED, .event_count = 2},
        .events = S("{\"id\":2}\n"),
        .event_first = 2,
        .event_count = 1};
    PX_TRY(execution_batch_add(batch, &last));
    return 0;
}

static void commit_and_report(struct test *t, int out)
{
    struct execution_store *store = NULL;
    struct execution_batch batch;
    uint64_t last;
    if (execution_store_open(test_path(t, "workflows.db"), &store) != 0 ||
        execution_last_number(store, &last) != 0)
        return;
    execution_batch_init(&batch, 1u << 20);
    for (uint64_t i = last + 1;; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "n%llu", (unsigned long long)i);
        if (batch_of(&batch, i, name) != 0 || execution_commit(store, &batch) != 0) return;
        if (write(out, &i, sizeof i) != sizeof i) return;
    }
}
TEST(kill_9_leaves_whole_batches)
{
    uint64_t most = 0;
    for (unsigned round = 0; round < 8; round++) {
        uint64_t acked = killed_child(t, round * 1907 % 9000, commit_and_report), last;
        PX_AUTO(execution_store_close) struct execution_store *store = store_open(t);
        CHECK_OK(execution_last_number(store, &last));
        CHECK(last >= acked && last <= acked + 1);
        CHECK(last > most);
        most = last;
        PX_AUTO(px_arena_deinit) struct px_arena arena;
        px_arena_init(&arena, 64u << 20);
        struct execution_filter filter = {.status = EXECUTION_ANY_STATUS, .max = SIZE_MAX};
        struct execution_row *rows;
        size_t count;
        CHECK_OK(execution_list(store, &filter, false, &arena, &rows, &count));
        CHECK_INT(count, last);
        for (size_t i = 0; i < PX_MIN(count, (size_t)100); i++) {
            struct px_str *lines;
            size_t events;
            CHECK_INT(rows[i].status, i == 0 ? EXECUTION_RUNNING : EXECUTION_SUCCEEDED);
            CHECK_OK(
                execution_history(store, rows[i].number, 1, false, 9, &arena, &lines, &events));
            CHECK_INT(events, i == 0 ? 1 : 2);
        }
    }
}

static int commit_until_full(struct test *t, int i)
{
    (void)i;
    struct execution_store *store = NULL;
    struct execution_batch batch;
    signal(SIGXFSZ, SIG_IGN);
    if (execution_store_open(test_path(t, "workflows.db"), &store) != 0) return 200;
    struct rlimit limit = {300000, 300000};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 200;
    execution_batch_init(&batch, 1u << 20);
    for (uint64_t done = 0; done < 199; done++) {
        char name[24];
        (void)snprintf(name, sizeof name, "n%llu", (unsigned long long)done);
        if (batch_of(&batch, done + 1, name) != 0) return 201;
        int r = execution_commit(store, &batch);
        if (r != 0) /* and it can be tried again */
            return r == PX_F_NO_SPACE && execution_commit(store, &batch) == PX_F_NO_SPACE
                       ? (int)done
                       : 202;
    }
    return 203;
}
TEST(a_full_disk_keeps_what_was_committed)
{
    int done;
    in_children(t, 1, commit_until_full, &done);
    CHECK(done > 2 && done < 199);
    PX_AUTO(execution_store_close) struct execution_store *store = store_open(t);
    uint64_t last;
    CHECK_OK(execution_last_number(store, &last));
    CHECK_INT(last, done);
}

static int everything_once(struct test *t)
{
    PX_AUTO(execution_store_close) struct execution_store *store = NULL;
    PX_AUTO(execution_batch_deinit) struct execution_batch batch;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 1u << 20);
    execution_batch_init(&batch, 1u << 20);
    PX_TRY(execution_store_open(px_arena_printf(&arena, "%s/sweep.db", t->dir), &store));
    uint64_t definition;
    PX_TRY(execution_define(store, S("m"), S("{}"), &definition));
    uint64_t last;
    PX_TRY(execution_last_number(store, &last));
    if (last == 0) { /* later runs find it: a commit is slow */
        PX_TRY(batch_of(&batch, 1, "n1"));
        PX_TRY(execution_commit(store, &batch));
    }
    struct execution_row row, *rows;
    struct execution_filter filter = {.status = EXECUTION_ANY_STATUS, .max = 9};
    struct px_str *lines;
    size_t count;
    PX_TRY(execution_get(store, 1, &arena, &row));
    PX_TRY(execution_list(store, &filter, true, &arena, &rows, &count));
    PX_TRY(execution_history(store, 1, 1, false, 9, &arena, &lines, &count));
    return 0;
}
TEST(memory_running_out_is_a_fault_at_every_allocation)
{
    SWEEP_ALLOCATIONS(everything_once(t), (void)0);
}

TEST_MAIN
