/* What an execution asks, of its history read from the end. */
// link: px_svc_sharding
#include "support/support.h"

#include "svc/sharding/workflow_question.h"

#define WAITS(id, before, token)                                                                   \
    "{\"type\":\"TaskScheduled\",\"id\":" #id ",\"previousEventId\":" #before                      \
    ",\"taskScheduledEventDetails\":{\"resourceType\":\"sqs\",\"resource\":"                       \
    "\"sendMessage.waitForTaskToken\",\"parameters\":\"{\\\"QueueUrl\\\":\\\"q\\\","               \
    "\\\"MessageBody\\\":{\\\"question\\\":\\\"Well?\\\",\\\"task_token\\\":\\\"" token            \
    "\\\"}}\"}}"
#define CALLS(id, before)                                                                          \
    "{\"type\":\"TaskScheduled\",\"id\":" #id ",\"previousEventId\":" #before                      \
    ",\"taskScheduledEventDetails\":{\"resourceType\":\"lambda\",\"resource\":\"invoke\","         \
    "\"parameters\":\"{}\"}}"
#define EVENT(kind, id, before)                                                                    \
    "{\"type\":\"" kind "\",\"id\":" #id ",\"previousEventId\":" #before "}"

/* The events as they happened. */
static struct question_walk walk_back(struct test *t, const char *const *events, size_t count)
{
    struct question_walk walk = {0};
    while (count-- > 0) {
        yyjson_val *event = NULL;
        CHECK_OK(px_json_parse(px_str_c(events[count]), &t->arena, &event, NULL));
        CHECK_OK(question_take(&walk, event, &t->arena));
    }
    return walk;
}
#define WALK(t, ...)                                                                               \
    walk_back((t), (const char *const[]){__VA_ARGS__},                                             \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

TEST(a_task_that_waits_is_a_question_without_its_token)
{
    struct question_walk walk = WALK(t, EVENT("TaskStateEntered", 1, 0), WAITS(2, 1, "AAA"),
                                     EVENT("TaskStarted", 3, 2), EVENT("TaskSubmitted", 4, 3));
    CHECK_INT(walk.found_count, 1);
    CHECK_STR(walk.found[0].token, S("AAA"));
    CHECK_INT(walk.found[0].event, 2);
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 4096);
    question_write(&walk.found[0], &json);
    CHECK_STR(px_buf_str(&json), S("{\"event\":2,\"message\":{\"question\":\"Well?\"}}"));
}

TEST(what_was_answered_or_was_late_asks_no_more)
{
    static const char *const ends[] = {"TaskSucceeded", "TaskFailed", "TaskTimedOut",
                                       "TaskStateAborted"};
    for (size_t i = 0; i < PX_COUNT(ends); i++) {
        struct px_str end = px_arena_printf(
            &t->arena, "{\"type\":\"%s\",\"id\":5,\"previousEventId\":4}", ends[i]);
        struct question_walk walk = WALK(t, WAITS(2, 1, "AAA"), EVENT("TaskStarted", 3, 2),
                                         EVENT("TaskSubmitted", 4, 3), end.ptr);
        CHECK_INT(walk.found_count, 0);
    }
    struct question_walk early = WALK(t, WAITS(2, 1, "AAA"), EVENT("TaskStarted", 3, 2),
                                      EVENT("TaskSubmitFailed", 4, 3));
    CHECK_INT(early.found_count, 0);
}

TEST(one_that_asks_again_asks_once_and_branches_ask_for_themselves)
{
    struct question_walk again = WALK(t, WAITS(2, 1, "AAA"), EVENT("TaskStarted", 3, 2),
                                      EVENT("TaskFailed", 4, 3), WAITS(5, 4, "BBB"),
                                      EVENT("TaskStarted", 6, 5));
    CHECK_INT(again.found_count, 1);
    CHECK_STR(again.found[0].token, S("BBB"));
    struct question_walk both = WALK(t, WAITS(2, 1, "AAA"), WAITS(3, 1, "BBB"), CALLS(4, 1),
                                     EVENT("TaskStarted", 5, 3), EVENT("TaskStarted", 6, 4),
                                     EVENT("TaskStarted", 7, 2), EVENT("TaskSucceeded", 8, 6),
                                     EVENT("TaskSucceeded", 9, 7));
    CHECK_INT(both.found_count, 1);
    CHECK_STR(both.found[0].token, S("BBB"));
}

TEST(what_nobody_could_answer_is_no_question)
{
    struct question_walk walk = WALK(
        t, CALLS(2, 1), "{\"type\":\"TaskScheduled\",\"id\":3}",
        "{\"type\":\"TaskScheduled\",\"id\":4,\"taskScheduledEventDetails\":{\"resource\":"
        "\"sendMessage.waitForTaskToken\",\"parameters\":\"{\"}}",
        "{\"type\":\"TaskScheduled\",\"id\":5,\"taskScheduledEventDetails\":{\"resource\":"
        "\"sendMessage.waitForTaskToken\",\"parameters\":\"{\\\"MessageBody\\\":\\\"x\\\"}\"}}",
        "{}", "[]");
    CHECK_INT(walk.found_count, 0);
}

TEST(questions_are_bounded)
{
    struct question_walk walk = {0};
    yyjson_val *event = NULL;
    CHECK_OK(px_json_parse(S(WAITS(2, 1, "AAA")), &t->arena, &event, NULL));
    for (size_t i = 0; i < QUESTIONS_MAX; i++) CHECK_OK(question_take(&walk, event, &t->arena));
    CHECK(!walk.too_many);
    CHECK_OK(question_take(&walk, event, &t->arena));
    CHECK(walk.too_many && walk.found_count == QUESTIONS_MAX);
}

/* The first was given up when the execution was stopped. */
TEST(what_was_asked_before_a_redrive_is_asked_no_more)
{
    struct question_walk walk = WALK(t, WAITS(2, 1, "AAA"), EVENT("TaskStarted", 3, 2),
                                     EVENT("TaskSubmitted", 4, 3), EVENT("ExecutionAborted", 5, 4),
                                     EVENT("ExecutionRedriven", 6, 5), WAITS(7, 6, "BBB"),
                                     EVENT("TaskStarted", 8, 7), EVENT("TaskSubmitted", 9, 8));
    CHECK_INT(walk.found_count, 1);
    CHECK_STR(walk.found[0].token, S("BBB"));
    CHECK(walk.over);
}

TEST_MAIN
