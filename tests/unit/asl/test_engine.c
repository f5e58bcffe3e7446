/* Executions by turns: what is asked of the host and when, what is journaled, and that an execution which crashes at any turn
 * ends as one that does not. */
#include "engine_kit.h"

/* ---- machines that have everything ---- */

static const char ten_passes[] =
    "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"Next\":\"B\"},\"B\":{\"Type\":\"Pass\",\"Next\":\"C\"},"
    "\"C\":{\"Type\":\"Pass\",\"Assign\":{\"seen.$\":\"$.n\"},\"Next\":\"D\"},\"D\":{\"Type\":\"Pass\",\"Parameters\":{\"n.$\":"
    "\"$seen\",\"id.$\":\"$$.Execution.Name\"},\"End\":true}}}";

static const char retried[] = "{\"StartAt\":\"T\",\"States\":{\"T\":{\"Type\":\"Task\"," FUNCTION(
    "fail") ",\"Retry\":[{\"ErrorEquals\":[\"Broken\"],"
            "\"IntervalSeconds\":2,\"MaxAttempts\":2,\"BackoffRate\":3}],\"Catch\":[{\"ErrorEquals\":[\"States.ALL\"],\"ResultPath\":"
            "\"$.error\",\"Next\":\"C\"}],\"End\":true},\"C\":{\"Type\":\"Pass\",\"End\":true}}}";

static const char everything[] =
    "{\"StartAt\":\"P\",\"States\":{"
    "\"P\":{\"Type\":\"Parallel\",\"ResultPath\":\"$.both\",\"Next\":\"M\",\"Branches\":["
    "{\"StartAt\":\"B1\",\"States\":{\"B1\":{\"Type\":\"Task\"," FUNCTION(
        "one") ",\"Next\":\"B1w\"},\"B1w\":{\"Type\":\"Wait\","
               "\"Seconds\":5,\"End\":true}}},"
               "{\"StartAt\":\"B2\",\"States\":{\"B2\":{\"Type\":\"Pass\",\"Result\":{\"b\":2},\"End\":true}}}]},"
               "\"M\":{\"Type\":\"Map\",\"ItemsPath\":\"$.list\",\"MaxConcurrency\":2,\"ItemSelector\":{\"v.$\":\"$$.Map.Item.Value\","
               "\"i.$\":\"$$.Map.Item.Index\"},\"ItemProcessor\":{\"StartAt\":\"I\",\"States\":{\"I\":{\"Type\":\"Task\"," FUNCTION("item") ",\"Next\":\"J\"},\"J\":{\"Type\":\"Task\"," FUNCTION(
                   "again") ",\"End\":true}}},\"ResultPath\":\"$.mapped\","
                            "\"Next\":\"D\"},"
                            "\"D\":{\"Type\":\"Map\",\"ItemsPath\":\"$.list\",\"ItemProcessor\":{\"ProcessorConfig\":{\"Mode\":\"DISTRIBUTED\","
                            "\"ExecutionType\":\"STANDARD\"},\"StartAt\":\"K\",\"States\":{\"K\":{\"Type\":\"Task\"," FUNCTION(
                                "child") ",\"End\":true}}},"
                                         "\"ResultPath\":\"$.children\",\"Next\":\"R\"},"
                                         "\"R\":{\"Type\":\"Task\"," FUNCTION(
                                             "fail") ",\"Retry\":[{\"ErrorEquals\":[\"States.TaskFailed\"],\"MaxAttempts\":1,"
                                                     "\"IntervalSeconds\":1}],\"Catch\":[{\"ErrorEquals\":[\"Broken\"],\"ResultPath\":\"$.error\",\"Next\":\"E\"}],\"End\":true},"
                                                     "\"E\":{\"Type\":\"Choice\",\"Choices\":[{\"Variable\":\"$.error.Error\",\"StringEquals\":\"Broken\",\"Next\":\"Z\"}],"
                                                     "\"Default\":\"F\"},\"F\":{\"Type\":\"Fail\"},\"Z\":{\"Type\":\"Succeed\",\"OutputPath\":\"$\"}}}";
static const char everything_output[] =
    "{\"list\":[10,20,30],\"both\":[{\"list\":[10,20,30]},{\"b\":2}],\"mapped\":[{\"v\":10,\"i\":0},{\"v\":20,\"i\":1},{\"v\":30,"
    "\"i\":2}],\"children\":[10,20,30],\"error\":{\"Error\":\"Broken\",\"Cause\":\"as ever\"}}";

TEST(a_chain_of_states_is_one_turn_and_leaves_no_records)
{
    struct world w;
    world_open(t, &w, ten_passes);
    start(&w, "{\"n\":42}");
    run_all(&w);
    CHECK_INT(w.status, ASL_SUCCEEDED);
    CHECK_STR(px_str_c(w.output), S("{\"n\":42,\"id\":\"one\"}"));
    CHECK_INT(asl_engine_turns(w.engine), 1);
    CHECK_INT(w.kept[0].frame_count, 0);
    CHECK_INT(w.events, 10); /* started, 4 entered, 4 exited, succeeded */
    CHECK_INT(asl_engine_count(w.engine), 0);
    world_close(&w);
}

TEST(nothing_is_asked_of_the_world_before_its_turn_is_durable)
{
    struct world w;
    bool more;
    world_open(t, &w, retried);
    start(&w, "{}");
    CHECK_OK(asl_engine_run(w.engine, 1000, &more));
    CHECK_INT(w.started, 0);
    CHECK_INT(w.task_count, 0);
    asl_engine_committed(w.engine, asl_engine_turns(w.engine));
    CHECK_INT(w.started, 1);
    CHECK_INT(w.task_count, 1);
    CHECK(!w.tasks[0].again);
    world_close(&w);
}

TEST(retries_back_off_and_then_the_error_is_caught)
{
    struct world w;
    world_open(t, &w, retried);
    start(&w, "{\"a\":1}");
    int64_t begun = t->now_ns;
    run_to_end(&w);
    CHECK_INT(w.status, ASL_SUCCEEDED);
    CHECK_STR(px_str_c(w.output),
              S("{\"a\":1,\"error\":{\"Error\":\"Broken\",\"Cause\":\"as ever\"}}"));
    CHECK_INT((t->now_ns - begun) / PX_NS_PER_S, 2 + 6); /* 2 s, then 2 * 3 */
    world_close(&w);
}

/* A Parallel that is entered again with what it returned wraps it once more each time. */
static const char wrapping[] =
    "{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Parallel\",\"Branches\":[{\"StartAt\":\"B\",\"States\":{\"B\":"
    "{\"Type\":\"Pass\",\"End\":true}}}],\"Next\":\"P2\"},\"P2\":{\"Type\":\"Choice\",\"Choices\":[{\"Variable\":\"$.a\","
    "\"IsPresent\":true,\"Next\":\"Z\"}],\"Default\":\"P\"},\"Z\":{\"Type\":\"Succeed\"}}}";

TEST(what_could_not_be_read_again_ends_the_execution)
{
    struct world w;
    world_open(t, &w, wrapping);
    start(&w, "{\"a\":1}");
    run_all(&w);
    CHECK_INT(w.status, ASL_FAILED_STATUS);
    CHECK_STR(px_str_c(w.error), S("States.Runtime"));
    CHECK(strstr(w.cause, "'P' (entered at the event id #"));
    CHECK(strstr(w.cause, "The output is nested more than 160 levels deep."));
    world_close(&w);
}

TEST(all_kinds_of_states_together)
{
    struct world w;
    world_open(t, &w, everything);
    start(&w, "{\"list\":[10,20,30]}");
    run_to_end(&w);
    CHECK_INT(w.status, ASL_SUCCEEDED);
    CHECK_STR(px_str_c(w.output), px_str_c(everything_output));
    CHECK_INT(w.kept_count, 4); /* itself and three children */
    for (size_t i = 0; i < w.kept_count; i++) CHECK_INT(w.kept[i].frame_count, 0);
    world_close(&w);
}

static void run_with_crashes(struct test *t, uint64_t seed)
{
    struct world w;
    world_open(t, &w, everything);
    start(&w, "{\"list\":[10,20,30]}");
    crash_to_end(&w, seed);
    CHECK_INT(w.kept[0].status, ASL_SUCCEEDED);
    CHECK_STR(px_str_c(w.kept[0].output), px_str_c(everything_output));
    for (size_t i = 0; i < w.kept_count; i++) CHECK_INT(w.kept[i].frame_count, 0);
    world_close(&w);
}

TEST(an_execution_that_crashes_anywhere_ends_as_one_that_does_not)
{
    for (uint64_t seed = 1; seed <= 200; seed++) run_with_crashes(t, seed);
}

TEST(a_task_times_out_and_its_late_answer_finds_no_token)
{
    struct world w;
    char token[64];
    world_open(
        t, &w,
        "{\"StartAt\":\"T\",\"States\":{\"T\":{\"Type\":\"Task\",\"TimeoutSeconds\":3," FUNCTION(
            "slow") ",\"End\":true}}}");
    start(&w, "{}");
    run_all(&w);
    CHECK_INT(w.task_count, 1);
    memcpy(token, w.tasks[0].token, sizeof(token));
    wait_for_timer(&w);
    run_all(&w);
    CHECK_INT(w.status, ASL_FAILED_STATUS);
    CHECK_STR(px_str_c(w.error), S("States.Timeout"));
    CHECK(w.tasks[0].cancelled);
    CHECK_INT(asl_engine_task_succeeded(w.engine, px_str_c(token), S("{}")), ASL_ENGINE_UNKNOWN);
    world_close(&w);
}

TEST(heartbeats_put_the_end_off)
{
    struct world w;
    world_open(
        t, &w,
        "{\"StartAt\":\"T\",\"States\":{\"T\":{\"Type\":\"Task\",\"HeartbeatSeconds\":2,\"TimeoutSeconds\":60,"
        "\"Resource\":\"arn:aws:states:::sqs:sendMessage.waitForTaskToken\",\"Parameters\":{\"QueueUrl\":\"q\","
        "\"MessageBody\":{\"t.$\":\"$$.Task.Token\"}},\"End\":true}}}");
    start(&w, "{}");
    run_all(&w);
    CHECK_INT(w.task_count, 1);
    struct px_str token = px_str_c(w.tasks[0].token);
    CHECK(strstr(w.tasks[0].payload, w.tasks[0].token) != NULL);
    CHECK_OK(asl_engine_task_submitted(w.engine, token, S("{\"MessageId\":\"1\"}")));
    run_all(&w);
    for (int i = 0; i < 5; i++) {
        test_advance(t, PX_NS_PER_S);
        CHECK_OK(asl_engine_task_heartbeat(w.engine, token));
        run_all(&w);
        CHECK_INT(w.ended, 0);
    }
    test_advance(t, 3 * PX_NS_PER_S);
    run_all(&w);
    CHECK_INT(w.ended, 1);
    CHECK_STR(px_str_c(w.error), S("States.HeartbeatTimeout"));
    world_close(&w);
}

TEST(what_the_journal_does_not_take_does_not_go_on)
{
    struct world w;
    bool more;
    world_open(t, &w, retried);
    start(&w, "{}");
    run_all(&w);
    CHECK_INT(w.task_count, 1);
    w.turns_until_fault = 1;
    CHECK_OK(asl_engine_task_succeeded(w.engine, px_str_c(w.tasks[0].token), S("{\"late\":1}")));
    CHECK_INT(asl_engine_run(w.engine, 1000, &more), PX_F_IO);
    asl_engine_committed(w.engine, asl_engine_turns(w.engine));
    CHECK_INT(w.ended, 0);
    CHECK_INT(asl_engine_count(w.engine), 0); /* put down */
    crash(&w);
    run_all(&w);
    CHECK_INT(w.task_count, 1);
    CHECK(w.tasks[0].again);
    CHECK_OK(asl_engine_task_succeeded(w.engine, px_str_c(w.tasks[0].token), S("{\"now\":1}")));
    run_all(&w);
    CHECK_STR(px_str_c(w.output), S("{\"now\":1}"));
    world_close(&w);
}

TEST(a_token_survives_a_crash_and_is_answered_once)
{
    struct world w;
    char token[64];
    world_open(
        t, &w,
        "{\"StartAt\":\"T\",\"States\":{\"T\":{\"Type\":\"Task\",\"Resource\":\"arn:aws:states:::sqs:sendMessage."
        "waitForTaskToken\",\"Parameters\":{\"QueueUrl\":\"q\",\"MessageBody\":\"b\"},\"End\":true}}}");
    start(&w, "{}");
    run_all(&w);
    memcpy(token, w.tasks[0].token, sizeof(token));
    CHECK_OK(asl_engine_task_submitted(w.engine, px_str_c(token), S("{}")));
    run_all(&w);
    crash(&w);
    run_all(&w);
    CHECK_INT(w.task_count, 0); /* the service had taken it */
    CHECK_OK(asl_engine_task_succeeded(w.engine, px_str_c(token), S("{\"yes\":true}")));
    CHECK_INT(asl_engine_task_succeeded(w.engine, px_str_c(token), S("{\"yes\":false}")),
              ASL_ENGINE_UNKNOWN);
    run_all(&w);
    CHECK_STR(px_str_c(w.output), S("{\"yes\":true}"));
    world_close(&w);
}

TEST(a_task_whose_result_was_not_written_is_started_again)
{
    struct world w;
    char token[64];
    world_open(t, &w, retried);
    start(&w, "{}");
    run_all(&w);
    memcpy(token, w.tasks[0].token, sizeof(token));
    crash(&w);
    run_all(&w);
    CHECK_INT(w.task_count, 1);
    CHECK(w.tasks[0].again);
    CHECK_STR(px_str_c(w.tasks[0].token), px_str_c(token));
    world_close(&w);
}

TEST(a_failing_branch_gives_the_others_up)
{
    struct world w;
    world_open(
        t, &w,
        "{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Parallel\",\"End\":true,\"Branches\":[{\"StartAt\":\"A\",\"States\":{"
        "\"A\":{\"Type\":\"Task\"," FUNCTION(
            "slow") ",\"End\":true}}},{\"StartAt\":\"B\",\"States\":{\"B\":{\"Type\":\"Fail\","
                    "\"Error\":\"No\",\"Cause\":\"because\"}}}]}}}");
    start(&w, "{}");
    run_all(&w);
    CHECK_INT(w.status, ASL_FAILED_STATUS);
    CHECK_STR(px_str_c(w.error), S("No"));
    CHECK_STR(px_str_c(w.cause), S("because"));
    for (size_t i = 0; i < w.task_count; i++) CHECK(w.tasks[i].cancelled);
    world_close(&w);
}

TEST(stopping_ends_an_execution_and_its_children)
{
    struct world w;
    world_open(
        t, &w,
        "{\"StartAt\":\"D\",\"States\":{\"D\":{\"Type\":\"Map\",\"End\":true,\"ItemProcessor\":{\"ProcessorConfig\":{\"Mode\":"
        "\"DISTRIBUTED\",\"ExecutionType\":\"STANDARD\"},\"StartAt\":\"K\",\"States\":{\"K\":{\"Type\":\"Task\"," FUNCTION(
            "slow") ",\"End\":true}}}}}}");
    start(&w, "[1,2,3]");
    run_all(&w);
    CHECK_INT(asl_engine_count(w.engine), 4);
    CHECK_INT(w.task_count, 3);
    CHECK_OK(asl_engine_stop(w.engine, 1, &(struct asl_failure){S("Enough"), S("said so")}));
    run_all(&w);
    CHECK_INT(w.status, ASL_ABORTED);
    CHECK_STR(px_str_c(w.error), S("Enough"));
    CHECK_INT(asl_engine_count(w.engine), 0);
    for (size_t i = 0; i < w.task_count; i++) CHECK(w.tasks[i].cancelled);
    CHECK_INT(asl_engine_stop(w.engine, 1, NULL), ASL_ENGINE_UNKNOWN);
    world_close(&w);
}

TEST(a_machine_has_its_own_timeout)
{
    struct world w;
    world_open(
        t, &w,
        "{\"TimeoutSeconds\":10,\"StartAt\":\"W\",\"States\":{\"W\":{\"Type\":\"Wait\",\"Seconds\":100,\"End\":true}}}");
    start(&w, "{}");
    run_to_end(&w);
    CHECK_INT(w.status, ASL_TIMED_OUT);
    CHECK_STR(px_str_c(w.error), S("States.Timeout"));
    world_close(&w);
}

TEST(a_tolerated_share_of_children_may_fail)
{
    static const char definition[] =
        "{\"StartAt\":\"D\",\"States\":{\"D\":{\"Type\":\"Map\",\"End\":true,\"ToleratedFailurePercentage\":%d,\"ItemProcessor\":{"
        "\"ProcessorConfig\":{\"Mode\":\"DISTRIBUTED\",\"ExecutionType\":\"STANDARD\"},\"StartAt\":\"C\",\"States\":{\"C\":{\"Type\":"
        "\"Choice\",\"Choices\":[{\"Variable\":\"$\",\"NumericEquals\":2,\"Next\":\"F\"}],\"Default\":\"P\"},\"P\":{\"Type\":"
        "\"Pass\",\"End\":true},\"F\":{\"Type\":\"Fail\",\"Error\":\"Two\"}}}}}}";
    char text[1024];
    for (int percent = 20; percent <= 40; percent += 20) {
        struct world w;
        (void)snprintf(text, sizeof(text), definition, percent);
        world_open(t, &w, text);
        start(&w, "[1,2,3]");
        run_all(&w);
        CHECK_INT(w.status, percent < 33 ? ASL_FAILED_STATUS : ASL_SUCCEEDED);
        if (percent < 33)
            CHECK_STR(px_str_c(w.error), S("States.ExceedToleratedFailureThreshold"));
        else
            CHECK_STR(px_str_c(w.output), S("[1,3]"));
        world_close(&w);
    }
}

/* Reads a list's files of lines, makes a child of each item, and writes what they gave; %s: more members of the Map. */
#define READER                                                                                                                \
    "\"ItemReader\":{\"Resource\":\"arn:aws:states:::s3:listObjectsV2\",\"Parameters\":{\"Bucket\":\"b\",\"Prefix\":\"p/\"}," \
    "\"ReaderConfig\":{\"InputType\":\"JSONL\",\"Transformation\":\"LOAD_AND_FLATTEN\"}},"
#define WRITER(config)                                                                                                                   \
    "\"ResultWriter\":{\"Resource\":\"arn:aws:states:::s3:putObject\",\"Parameters\":{\"Bucket\":\"results\",\"Prefix\":\"out\"}" config \
    "},"
#define MAP(members, states)                                                                                   \
    "{\"StartAt\":\"D\",\"States\":{\"D\":{\"Type\":\"Map\",\"End\":true," members                             \
    "\"ItemProcessor\":{\"ProcessorConfig\":{\"Mode\":\"DISTRIBUTED\",\"ExecutionType\":\"STANDARD\"}," states \
    "}}}}"
#define ONE_TASK                                                                                   \
    "\"StartAt\":\"C\",\"States\":{\"C\":{\"Type\":\"Task\"," FUNCTION("item") ",\"End\":true}}"
#define TWO_FAILS                                                                                                             \
    "\"StartAt\":\"C\",\"States\":{\"C\":{\"Type\":\"Choice\",\"Choices\":[{\"Variable\":\"$\",\"NumericEquals\":2,\"Next\":" \
    "\"F\"}],\"Default\":\"P\"},\"P\":{\"Type\":\"Pass\",\"End\":true},\"F\":{\"Type\":\"Fail\",\"Error\":\"Two\",\"Cause\":" \
    "\"it is two\"}}"

static void check_manifest(struct test *t, const struct world *w, struct px_str succeeded,
                           struct px_str failed, struct px_str pending)
{
    yyjson_val *manifest = NULL, *lists;
    CHECK(file_named(w, "/manifest.json") != NULL);
    CHECK_OK(px_json_parse(px_str_c(file_named(w, "/manifest.json")), &t->arena, &manifest, NULL));
    CHECK_STR(px_json_str(manifest, "DestinationBucket"), S("results"));
    CHECK(px_str_starts(px_json_str(manifest, "MapRunArn"),
                        S("arn:aws:states:eu-west-1:000000000000:mapRun:machine/D:")));
    lists = px_json_obj(manifest, "ResultFiles");
    const struct {
        const char *name;
        struct px_str file;
    } wanted[] = {{"SUCCEEDED", succeeded}, {"FAILED", failed}, {"PENDING", pending}};
    for (size_t i = 0; i < PX_COUNT(wanted); i++) {
        yyjson_val *list = px_json_arr(lists, wanted[i].name);
        CHECK_INT(yyjson_arr_size(list), wanted[i].file.ptr ? 1 : 0);
        if (!wanted[i].file.ptr) continue;
        struct px_str key = px_json_str(yyjson_arr_get_first(list), "Key");
        CHECK(px_str_starts(key, S("out/")) && px_str_ends(key, wanted[i].file));
        const char *body = file_named(w, wanted[i].file.ptr);
        CHECK(body != NULL);
        CHECK_INT(px_json_i64(yyjson_arr_get_first(list), "Size", -1), (int64_t)strlen(body));
    }
}

TEST(results_are_written_with_what_is_known_of_each_child)
{
    struct world w;
    yyjson_val *list = NULL, *child;
    world_open(t, &w, MAP(WRITER("") "\"ToleratedFailureCount\":1,", TWO_FAILS));
    start(&w, "[1,2,\"three\"]");
    run_to_end(&w);
    CHECK_INT(w.status, ASL_SUCCEEDED);
    check_manifest(t, &w, S("/SUCCEEDED_0.json"), S("/FAILED_0.json"), (struct px_str){0});
    CHECK(strstr(w.output, "\"ResultWriterDetails\":{\"Bucket\":\"results\",\"Key\":\"out/"));
    CHECK(strstr(w.output, "/manifest.json\"}}"));
    CHECK_OK(px_json_parse(px_str_c(file_named(&w, "/SUCCEEDED_0.json")), &t->arena, &list, NULL));
    CHECK_INT(yyjson_arr_size(list), 2);
    child = yyjson_arr_get(list, 1);
    CHECK_STR(px_json_str(child, "Status"), S("SUCCEEDED"));
    CHECK_STR(px_json_str(child, "Input"), S("\"three\""));
    CHECK_STR(px_json_str(child, "Output"), S("\"three\""));
    CHECK_STR(px_json_str(child, "RedriveStatus"), S("NOT_REDRIVABLE"));
    CHECK_STR(px_json_str(child, "StateMachineArn"),
              S("arn:aws:states:eu-west-1:000000000000:stateMachine:machine/D"));
    CHECK(px_str_starts(px_json_str(child, "ExecutionArn"),
                        S("arn:aws:states:eu-west-1:000000000000:execution:machine/D:")));
    CHECK_OK(px_json_parse(px_str_c(file_named(&w, "/FAILED_0.json")), &t->arena, &list, NULL));
    CHECK_INT(yyjson_arr_size(list), 1);
    child = yyjson_arr_get_first(list);
    CHECK_STR(px_json_str(child, "Status"), S("FAILED"));
    CHECK_STR(px_json_str(child, "Error"), S("Two"));
    CHECK_STR(px_json_str(child, "Cause"), S("it is two"));
    CHECK_STR(px_json_str(child, "RedriveStatus"), S("REDRIVABLE"));
    CHECK(!yyjson_obj_get(child, "Output"));
    world_close(&w);
}

TEST(results_are_written_as_their_configuration_says)
{
    static const struct {
        const char *definition, *file, *body;
    } cases[] = {
        {MAP(WRITER(",\"WriterConfig\":{\"Transformation\":\"COMPACT\",\"OutputType\":\"JSON\"}"),
             ONE_TASK),
         "/SUCCEEDED_0.json", "[[1,2],{\"n\":3},[[4]]]"},
        {MAP(WRITER(",\"WriterConfig\":{\"Transformation\":\"COMPACT\",\"OutputType\":\"JSONL\"}"),
             ONE_TASK),
         "/SUCCEEDED_0.jsonl", "[1,2]\n{\"n\":3}\n[[4]]\n"},
        {MAP(WRITER(",\"WriterConfig\":{\"Transformation\":\"FLATTEN\",\"OutputType\":\"JSON\"}"),
             ONE_TASK),
         "/SUCCEEDED_0.json", "[1,2,{\"n\":3},[4]]"},
        {MAP(WRITER(",\"WriterConfig\":{\"Transformation\":\"FLATTEN\",\"OutputType\":\"JSONL\"}"),
             ONE_TASK),
         "/SUCCEEDED_0.jsonl", "1\n2\n{\"n\":3}\n[4]\n"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct world w;
        world_open(t, &w, cases[i].definition);
        start(&w, "[[1,2],{\"n\":3},[[4]]]");
        run_to_end(&w);
        CHECK_INT(w.status, ASL_SUCCEEDED);
        CHECK_STR(px_str_c(file_named(&w, cases[i].file)), px_str_c(cases[i].body));
        CHECK_INT(w.file_count, 2);
        world_close(&w);
    }
}

TEST(a_map_that_fails_writes_what_there_is)
{
    struct world w;
    world_open(t, &w, MAP(WRITER("") "\"MaxConcurrency\":1,", TWO_FAILS));
    start(&w, "[1,2,3]");
    run_to_end(&w);
    CHECK_INT(w.status, ASL_FAILED_STATUS);
    CHECK_STR(px_str_c(w.error), S("States.ExceedToleratedFailureThreshold"));
    check_manifest(t, &w, S("/SUCCEEDED_0.json"), S("/FAILED_0.json"), S("/PENDING_0.json"));
    CHECK_STR(px_str_c(file_named(&w, "/PENDING_0.json")),
              S("[{\"Input\":\"3\",\"InputDetails\":{\"Included\":true},\"Status\":\"PENDING\"}]"));
    world_close(&w);
}

TEST(files_are_read_and_written_through_crashes)
{
    static const char definition[] = MAP(
        READER WRITER(",\"WriterConfig\":{\"Transformation\":\"FLATTEN\",\"OutputType\":\"JSON\"}"),
        ONE_TASK);
    char manifest[2048] = "", output[4096] = "";
    for (uint64_t seed = 0; seed <= 100; seed++) {
        struct world w;
        world_open(t, &w, definition);
        start(&w, "{}");
        if (seed == 0)
            run_to_end(&w); /* none */
        else
            crash_to_end(&w, seed);
        CHECK_INT(w.kept[0].status, ASL_SUCCEEDED);
        CHECK_STR(px_str_c(file_named(&w, "/SUCCEEDED_0.json")), S("[1,2,3,4]"));
        CHECK_INT(w.file_count, 2);
        if (seed == 0) {
            (void)snprintf(manifest, sizeof(manifest), "%s", file_named(&w, "/manifest.json"));
            (void)snprintf(output, sizeof(output), "%s", w.kept[0].output);
        }
        CHECK_STR(px_str_c(file_named(&w, "/manifest.json")), px_str_c(manifest));
        CHECK_STR(px_str_c(w.kept[0].output), px_str_c(output));
        world_close(&w);
    }
}

#define WHENCE "\"ItemSelector\":{\"v.$\":\"$$.Map.Item.Value\",\"from.$\":\"$$.Map.Item.Source\"},"
#define ONE_PASS "\"StartAt\":\"C\",\"States\":{\"C\":{\"Type\":\"Pass\",\"End\":true}}"

TEST(an_item_knows_the_file_that_it_is_from_through_crashes)
{
    for (uint64_t seed = 0; seed <= 50; seed++) {
        struct world w;
        world_open(t, &w, MAP(READER WHENCE, ONE_TASK));
        start(&w, "{}");
        if (seed == 0)
            run_to_end(&w); /* none */
        else
            crash_to_end(&w, seed);
        CHECK_STR(px_str_c(w.kept[0].output),
                  S("[{\"v\":1,\"from\":\"s3://b/p/1\"},{\"v\":2,\"from\":\"s3://b/p/1\"},"
                    "{\"v\":[3],\"from\":\"s3://b/p/2\"},{\"v\":4,\"from\":\"s3://b/p/3\"}]"));
        world_close(&w);
    }
}

TEST(an_item_is_from_the_list_or_the_file_or_what_the_state_was_given)
{
    static const struct {
        const char *definition, *output;
    } cases[] = {
        {MAP("\"ItemReader\":{\"Resource\":\"arn:aws:states:::s3:listObjectsV2\",\"Parameters\":{\"Bucket\":\"b\","
             "\"Prefix\":\"p/\"}}," WHENCE,
             ONE_PASS),
         "[{\"v\":{\"Key\":\"p/1\"},\"from\":\"s3://b\"},{\"v\":{\"Key\":\"p/2\"},\"from\":\"s3://b\"},"
         "{\"v\":{\"Key\":\"p/3\"},\"from\":\"s3://b\"}]"},
        {MAP("\"ItemReader\":{\"Resource\":\"arn:aws:states:::s3:getObject\",\"Parameters\":{\"Bucket\":\"b\","
             "\"Key\":\"p/2\"},\"ReaderConfig\":{\"InputType\":\"JSON\"}},\"ItemBatcher\":{\"MaxItemsPerBatch\":2}," WHENCE,
             ONE_PASS),
         "[{\"Items\":[{\"v\":3,\"from\":\"s3://b/p/2\"}]}]"},
        {MAP("\"ItemsPath\":\"$.list\"," WHENCE, ONE_PASS), "[{\"v\":7,\"from\":\"STATE_DATA\"}]"},
        {"{\"StartAt\":\"M\",\"States\":{\"M\":{\"Type\":\"Map\",\"ItemsPath\":\"$.list\",\"End\":true,\"ItemProcessor\":{"
         "\"StartAt\":\"C\",\"States\":{\"C\":{\"Type\":\"Pass\",\"Parameters\":{\"from.$\":\"$$.Map.Item.Source\"},"
         "\"End\":true}}}}}}",
         "[{\"from\":\"STATE_DATA\"}]"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct world w;
        world_open(t, &w, cases[i].definition);
        start(&w, "{\"list\":[7]}");
        run_to_end(&w);
        CHECK_STR(px_str_c(w.cause), S(""));
        CHECK_STR(px_str_c(w.output), px_str_c(cases[i].output));
        world_close(&w);
    }
}

TEST(a_redrive_goes_on_from_the_failed_state)
{
    struct world w;
    world_open(
        t, &w,
        "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Task\"," FUNCTION(
            "one") ",\"Next\":\"B\"},\"B\":{\"Type\":\"Task\"," FUNCTION("fail") ",\"End\":true}}}");
    start(&w, "{\"x\":1}");
    run_to_end(&w);
    CHECK_INT(w.status, ASL_FAILED_STATUS);
    struct kept *k = &w.kept[0];
    CHECK_INT(k->frame_count, 1);
    struct asl_frame_record record = {k->frames[0].frame, 0, px_str_c(k->frames[0].record), false};
    struct asl_execution *execution = NULL;
    CHECK_OK(asl_engine_restore(w.engine,
                                &(struct asl_restore){.program = w.program,
                                                      .number = 1,
                                                      .name = S("one"),
                                                      .arn = px_str_c(k->arn),
                                                      .input = px_str_c(k->input),
                                                      .start_ms = k->start_ms,
                                                      .event_count = k->event_count,
                                                      .frames = &record,
                                                      .frame_count = 1,
                                                      .redrive = true},
                                &execution));
    w.ended = 0;
    run_all(&w);
    CHECK_INT(w.task_count, 1);
    CHECK_STR(px_str_c(w.tasks[0].name), S("fail"));
    CHECK_OK(asl_engine_task_succeeded(w.engine, px_str_c(w.tasks[0].token), S("{\"x\":2}")));
    run_all(&w);
    CHECK_INT(w.status, ASL_SUCCEEDED);
    CHECK_STR(px_str_c(w.output), S("{\"x\":2}"));
    world_close(&w);
}

/* Three levels, of which each has children that ended before the failure. */
static const char nested[] =
    "{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Parallel\",\"End\":true,\"Branches\":["
    "{\"StartAt\":\"M\",\"States\":{\"M\":{\"Type\":\"Map\",\"ItemsPath\":\"$.list\",\"End\":true,"
    "\"ItemProcessor\":{\"StartAt\":\"Q\",\"States\":{\"Q\":{\"Type\":\"Parallel\",\"End\":true,\"Branches\":["
    "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Task\"," FUNCTION(
        "one") ",\"End\":true}}},"
               "{\"StartAt\":\"B\",\"States\":{\"B\":{\"Type\":\"Task\"," FUNCTION(
                   "two") ",\"Next\":\"C\"},"
                          "\"C\":{\"Type\":\"Task\"," FUNCTION(
                              "fail") ",\"End\":true}}}]}}}}}},"
                                      "{\"StartAt\":\"D\",\"States\":{\"D\":{\"Type\":\"Task\"," FUNCTION(
                                          "three") ",\"End\":true}}}]}}}";
#define NESTED_OUTPUT "[[[1,1],[2,2]],{\"list\":[1,2]}]"

TEST(a_redrive_runs_only_what_did_not_succeed_at_any_depth)
{
    struct world w;
    world_open(t, &w, nested);
    start(&w, "{\"list\":[1,2]}");
    run_to_end(&w);
    CHECK_INT(w.status, ASL_FAILED_STATUS);
    CHECK_STR(px_str_c(w.error), S("Broken"));
    for (int i = 0; i < 2; i++) { /* the first breaks again, and nothing is lost by it */
        redrive(&w);
        run_all(&w);
        CHECK_INT(w.task_count,
                  2); /* the one that failed, and the other item's, which was given up for it */
        for (size_t k = 0; k < w.task_count; k++) CHECK_STR(px_str_c(w.tasks[k].name), S("fail"));
        w.mended = i == 1;
        run_to_end(&w);
        CHECK_INT(w.status, w.mended ? ASL_SUCCEEDED : ASL_FAILED_STATUS);
    }
    CHECK_STR(px_str_c(w.output), S(NESTED_OUTPUT));
    CHECK_INT(w.kept[0].frame_count, 0);
    world_close(&w);
}

TEST(a_redrive_of_what_is_nested_goes_on_through_crashes)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        static struct world w;
        world_open(t, &w, nested);
        start(&w, "{\"list\":[1,2]}");
        crash_to_end(&w, seed);
        CHECK_INT(w.kept[0].status, ASL_FAILED_STATUS);
        redrive(&w);
        run_all(&w); /* the turns that say so: before, the journal has it as failed */
        w.mended = true;
        crash_to_end(&w, seed + 1000);
        CHECK_INT(w.kept[0].status, ASL_SUCCEEDED);
        CHECK_STR(px_str_c(w.kept[0].output), S(NESTED_OUTPUT));
        CHECK_INT(w.kept[0].frame_count, 0);
        world_close(&w);
    }
}

TEST(what_is_nested_and_failed_is_forgotten_where_it_is_caught)
{
    static const char caught[] =
        "{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Parallel\",\"Catch\":[{\"ErrorEquals\":[\"Broken\"],"
        "\"Next\":\"Z\"}],\"End\":true,\"Branches\":[{\"StartAt\":\"Q\",\"States\":{\"Q\":{\"Type\":\"Parallel\","
        "\"End\":true,\"Branches\":[{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Task\"," FUNCTION(
            "fail") ",\"End\":true}}},"
                    "{\"StartAt\":\"B\",\"States\":{\"B\":{\"Type\":\"Wait\",\"Seconds\":900,\"End\":true}}}]}}}]},"
                    "\"Z\":{\"Type\":\"Task\"," FUNCTION("one") ",\"End\":true}}}";
    struct world w;
    world_open(t, &w, caught);
    start(&w, "{}");
    run_all(&w);
    CHECK(answer_all(&w));
    run_all(&w);
    CHECK_INT(w.kept[0].frame_count, 1);
    CHECK_INT(w.task_count, 1);
    CHECK_STR(px_str_c(w.tasks[0].name), S("one"));
    CHECK(asl_engine_next_ms(w.engine) == INT64_MAX); /* the Wait's timer is gone */
    run_to_end(&w);
    CHECK_INT(w.status, ASL_SUCCEEDED);
    world_close(&w);
}

TEST(a_history_reads_as_the_api_gives_it)
{
    struct world w;
    struct px_buf shown;
    struct px_str rest, line;
    size_t count = 0;
    world_open(t, &w, ten_passes);
    start(&w, "{\"n\":42}");
    run_all(&w);
    px_buf_init(&shown, 1u << 20);
    rest = px_buf_str(&w.history);
    while (px_str_cut(&rest, '\n', &line)) {
        yyjson_val *event = NULL;
        px_buf_clear(&shown);
        CHECK_OK(asl_event_show(line, &t->arena, &shown));
        CHECK_OK(px_json_parse(px_buf_str(&shown), &t->arena, &event, NULL));
        CHECK(px_json_str(event, "type").len > 0);
        if (count == 1) {
            CHECK_STR(px_json_str(event, "type"), S("PassStateEntered"));
            CHECK_STR(px_json_str(px_json_obj(event, "stateEnteredEventDetails"), "input"),
                      S("{\"n\":42}"));
            CHECK_INT(px_json_i64(event, "previousEventId", -1), 0);
        }
        count++;
    }
    CHECK_INT(count, 10);
    px_buf_deinit(&shown);
    world_close(&w);
}

TEST(bad_input_is_refused)
{
    struct world w;
    struct asl_execution *execution = NULL;
    world_open(t, &w, ten_passes);
    CHECK_INT(asl_engine_start(w.engine, &(struct asl_start){w.program, S("x"), S("x"), S("{")},
                               &execution),
              ASL_ENGINE_INVALID);
    CHECK_INT(asl_engine_task_succeeded(w.engine, S("1-1-zz"), S("{}")), ASL_ENGINE_UNKNOWN);
    CHECK_INT(asl_engine_task_succeeded(w.engine, S(""), S("{}")), ASL_ENGINE_UNKNOWN);
    world_close(&w);
}

TEST_MAIN
