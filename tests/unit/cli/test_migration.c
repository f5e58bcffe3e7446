/* Where a move stands, from events as GetExecutionHistory gives them. */
#include "support/support.h"

#include "cli/migration.h"

static void take(struct test *t, struct migration_view *view, const char *json)
{
    yyjson_val *event = NULL;
    CHECK_OK(px_json_parse(px_str_c(json), &t->arena, &event, NULL));
    migration_view_take(view, event, &t->arena);
}

static void enter(struct test *t, struct migration_view *view, const char *type, const char *state,
                  double at_s)
{
    struct px_str json = px_arena_printf(
        &t->arena,
        "{\"id\":%llu,\"timestamp\":%.3f,\"type\":\"%sStateEntered\","
        "\"stateEnteredEventDetails\":{\"name\":\"%s\"}}",
        (unsigned long long)view->next, at_s, type, state);
    take(t, view, json.ptr);
}

static void leave(struct test *t, struct migration_view *view, const char *state, double at_s,
                  const char *output)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 65536);
    px_buf_printf(&json,
                  "{\"id\":%llu,\"timestamp\":%.3f,\"type\":\"TaskStateExited\","
                  "\"stateExitedEventDetails\":{\"name\":\"%s\",\"output\":",
                  (unsigned long long)view->next, at_s, state);
    px_buf_add_json_str(&json, px_str_c(output));
    px_buf_add_c(&json, "}}");
    CHECK_OK(px_buf_fault(&json));
    struct px_str text = px_arena_dup(&t->arena, px_buf_str(&json));
    take(t, view, text.ptr);
}

static struct px_str line(struct test *t, const struct migration_view *view, double now_s)
{
    char buf[256];
    (void)migration_line(view, now_s, buf, sizeof buf);
    return px_arena_dup(&t->arena, px_str_c(buf));
}

TEST(a_move_is_followed_from_its_first_to_its_last_step)
{
    struct migration_view view;
    migration_view_init(&view);
    CHECK_STR(line(t, &view, 1), S("starts, round 1, 0 B copied"));
    enter(t, &view, "Task", "Begin", 10);
    leave(t, &view, "Begin", 10.1, "{\"move\":{\"epoch\":7}}");
    CHECK_STR(px_str_c(view.shard), S(""));
    leave(t, &view, "Place", 10.2,
          "{\"request\":{\"to_shard\":\"shard-0\"},\"place\":{\"shard\":\"shard-1\"}}");
    CHECK_STR(px_str_c(view.shard), S("shard-1"));
    enter(t, &view, "Task", "Fetch", 11);
    leave(t, &view, "Fetch", 12, "{\"fetch\":{\"segments\":3,\"rows\":40,\"copied_bytes\":1000}}");
    enter(t, &view, "Pass", "NextRound", 12);
    enter(t, &view, "Task", "Pack", 12);
    CHECK_STR(line(t, &view, 12), S("writes down what there is, round 2, 1.0 kB copied"));
    CHECK_INT(view.phase, MIGRATION_COPYING);
    enter(t, &view, "Task", "Freeze", 20);
    CHECK_INT(view.phase, MIGRATION_FROZEN);
    leave(t, &view, "FetchLast", 20.2,
          "{\"fetch\":{\"segments\":4,\"rows\":50,\"copied_bytes\":500}}");
    enter(t, &view, "Task", "Commit", 20.3);
    CHECK_STR(line(t, &view, 21),
              S("tells the registry, round 2, 1.5 kB copied, writers have waited 1.0 s"));
    leave(t, &view, "Commit", 20.5, "{}");
    enter(t, &view, "Task", "Settle", 20.5);
    enter(t, &view, "Wait", "Drain", 20.5);
    CHECK_INT(view.phase, MIGRATION_MOVED);
    CHECK(migration_waited_s(&view, 99) > 0.49 && migration_waited_s(&view, 99) < 0.51);
    CHECK_INT(view.epoch, 7);
    CHECK_INT(view.segments, 4);
    CHECK_INT(view.rows, 50);
    CHECK_STR(px_str_c(view.error), S(""));
}

TEST(of_several_freezes_the_longest_is_what_writers_waited)
{
    struct migration_view view;
    migration_view_init(&view);
    enter(t, &view, "Task", "Freeze", 5);
    enter(t, &view, "Task", "Thaw", 6);
    leave(t, &view, "Thaw", 7, "{\"error\":{\"Error\":\"FrozenTooLong\",\"Cause\":\"\"}}");
    enter(t, &view, "Wait", "LetWritersOn", 7);
    CHECK_INT(view.phase, MIGRATION_COPYING);
    enter(t, &view, "Pass", "AnotherRound", 8);
    CHECK_INT(view.rounds, 2);
    CHECK(migration_waited_s(&view, 99) == 2);
    enter(t, &view, "Task", "Freeze", 20);
    leave(t, &view, "Freeze", 20, "{}");
    CHECK(migration_waited_s(&view, 21) == 2 && migration_waited_s(&view, 23) == 3);
    leave(t, &view, "Commit", 20.5, "{}"); /* by its Catch */
    enter(t, &view, "Task", "CommitAgain", 20.5);
    CHECK(migration_waited_s(&view, 24) == 4);
    leave(t, &view, "CommitAgain", 25, "{}");
    CHECK(migration_waited_s(&view, 99) == 5);
}

TEST(a_move_that_is_given_up_says_why_and_since_when_writers_are_served)
{
    struct migration_view view;
    migration_view_init(&view);
    enter(t, &view, "Task", "Freeze", 5);
    leave(t, &view, "PackLast", 6, "{\"error\":{\"Error\":\"none\",\"Cause\":\"\"}}");
    leave(t, &view, "FetchLast", 7, "{\"error\":{\"Error\":\"Lambda.Unknown\",\"Cause\":\"no\"}}");
    enter(t, &view, "Task", "Stay", 7);
    CHECK_INT(view.phase, MIGRATION_BACK);
    leave(t, &view, "Stay", 8, "{\"error\":{\"Error\":\"Lambda.Unknown\",\"Cause\":\"no\"}}");
    CHECK_STR(px_str_c(view.error), S("Lambda.Unknown"));
    CHECK_STR(px_str_c(view.cause), S("no"));
    CHECK(migration_waited_s(&view, 99) == 3);
    leave(t, &view, "Part", 9,
          "{\"error\":{\"Error\":\"Lambda.Unknown\"},"
          "\"compensation_error\":{\"Error\":\"Fenced\",\"Cause\":\"late\"}}");
    enter(t, &view, "Task", "AskBack", 9);
    CHECK_INT(view.phase, MIGRATION_ASKS);
    CHECK_STR(px_str_c(view.error), S("Fenced"));
    enter(t, &view, "Task", "Stay", 10); /* approved: it tries again */
    CHECK_INT(view.phase, MIGRATION_BACK);
}

TEST(an_event_that_is_not_understood_changes_nothing_but_the_place)
{
    struct migration_view view;
    migration_view_init(&view);
    take(t, &view, "{\"id\":1,\"type\":\"ExecutionStarted\"}");
    take(t, &view, "{\"id\":2,\"type\":\"TaskStateEntered\"}");
    take(t, &view, "{\"id\":3,\"type\":\"TaskStateExited\",\"stateExitedEventDetails\":{}}");
    CHECK_INT(view.next, 4);
    CHECK_INT(view.phase, MIGRATION_COPYING);
}

TEST_MAIN
