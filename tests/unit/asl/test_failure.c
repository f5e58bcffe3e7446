/* Which names of a retrier or catcher match an error, and what a cause may be. */
#include "support/support_alloc.h"

#include "asl/failure.h"
#include "base/px_buf.h"

static bool matches(const char *name, const char *error)
{
    struct px_str names[] = {S("Other.Name"), px_str_c(name)};
    return asl_error_matches(names, 2, px_str_c(error));
}

TEST(a_name_matches_itself_and_no_other)
{
    CHECK(matches("Lambda.TooManyRequestsException", "Lambda.TooManyRequestsException"));
    CHECK(!matches("Lambda.TooMany", "Lambda.TooManyRequestsException"));
    CHECK(matches("Other.Name", "Other.Name"));
    CHECK(!asl_error_matches(NULL, 0, S("Other.Name")));
}

TEST(all_matches_all_but_what_ends_the_execution)
{
    static const char *const errors[] = {"Mine",
                                         ASL_E_TASK_FAILED,
                                         ASL_E_TIMEOUT,
                                         ASL_E_DATA_LIMIT,
                                         ASL_E_QUERY,
                                         ASL_E_HEARTBEAT_TIMEOUT,
                                         ""};
    for (size_t i = 0; i < PX_COUNT(errors); i++) CHECK(matches(ASL_E_ALL, errors[i]));
    CHECK(!matches(ASL_E_ALL, ASL_E_RUNTIME));
    CHECK(!matches(ASL_E_RUNTIME, ASL_E_RUNTIME));
    CHECK(!matches(ASL_E_TASK_FAILED, ASL_E_RUNTIME));
}

TEST(task_failed_stands_for_all_but_timeouts)
{
    CHECK(matches(ASL_E_TASK_FAILED, "Lambda.Unknown"));
    CHECK(matches(ASL_E_TASK_FAILED, ASL_E_PERMISSIONS));
    CHECK(!matches(ASL_E_TASK_FAILED, ASL_E_TIMEOUT));
    CHECK(!matches(ASL_E_TASK_FAILED, ASL_E_HEARTBEAT_TIMEOUT));
}

TEST(a_heartbeat_that_stays_away_is_a_timeout_too)
{
    CHECK(matches(ASL_E_TIMEOUT, ASL_E_HEARTBEAT_TIMEOUT));
    CHECK(matches(ASL_E_HEARTBEAT_TIMEOUT, ASL_E_HEARTBEAT_TIMEOUT));
    CHECK(!matches(ASL_E_HEARTBEAT_TIMEOUT, ASL_E_TIMEOUT));
}

TEST(a_failure_is_an_answer_with_a_name_and_a_cause)
{
    struct asl_failure failure = {0};
    CHECK_INT(asl_fail(&t->arena, &failure, ASL_E_RUNTIME, "%d of %s", 3, "these"), ASL_FAILED);
    CHECK_STR(failure.error, S("States.Runtime"));
    CHECK_STR(failure.cause, S("3 of these"));
}

TEST(a_cause_ends_with_a_whole_character_at_its_ceiling)
{
    struct asl_failure failure = {0};
    char *text = px_arena_zalloc(&t->arena, 40001);
    memset(text, 'a', 32767);
    text[32767] = '\xC3'; /* one character, across the ceiling */
    text[32768] = '\xA9';
    memset(text + 32769, 'b', 7000);
    CHECK_INT(asl_fail(&t->arena, &failure, ASL_E_RUNTIME, "%s", text), ASL_FAILED);
    CHECK_INT(failure.cause.len, 32767);
    CHECK(px_utf8_ok(failure.cause));
}

static int fail_once(void)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 1u << 20);
    struct asl_failure failure = {0};
    int r = asl_fail(&arena, &failure, ASL_E_RUNTIME, "%s", "a cause");
    return r == ASL_FAILED ? 0 : r;
}
TEST(without_memory_it_is_a_fault) { SWEEP_ALLOCATIONS(fail_once(), (void)0); }

TEST_MAIN
