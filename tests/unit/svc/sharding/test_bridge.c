/* Calls of functions in other regions, to a Lambda that answers as told. */
#include "aws/fake.h"
#include "aws/reach.h"

#include "svc/sharding/bridge.h"

#define MAY "{\"us-east-1\":[\"prism-x-storage-shard-0\"],\"eu-west-1\":[]}"
#define EVENT                                                                                      \
    "{\"region\":\"us-east-1\",\"function\":\"prism-x-storage-shard-0\",\"event\":{\"op\":\"go\",\"n\":1}}"
#define OWN "arn:aws-x:lambda:eu-central-1:123456789012:function:prism-x-bridge:live"

__attribute__((constructor)) static void reach(void) { reach_init(); }

struct rig {
    struct test *t;
    struct fake fake;
    struct cloud_shared cloud;
    struct bridge *bridge;
    struct px_buf body;
    struct lambda_reply reply;
    int64_t deadline_ns;
    _Atomic bool called_off;
};

#define RIG_START(rig, ...)                                                                        \
    static const struct fake_step steps_[] = {__VA_ARGS__};                                        \
    rig_start(t, rig, steps_, PX_COUNT(steps_))
static void rig_start(struct test *t, struct rig *rig, const struct fake_step *steps, size_t count)
{
    memset(rig, 0, sizeof *rig);
    rig->t = t;
    fake_start_as_aws(&rig->fake, steps, count);
    const struct bridge_options options = {.cloud = &rig->cloud,
                                           .functions = S(MAY),
                                           .called_off = &rig->called_off,
                                           .retry_base_ms = 1};
    px_buf_init(&rig->body, (size_t)8 << 20);
    CHECK_OK(bridge_new(&options, &rig->bridge));
}
static void rig_stop(struct rig *rig)
{
    bridge_free(&rig->bridge);
    cloud_shared_close(&rig->cloud);
    px_buf_deinit(&rig->body);
    fake_stop(&rig->fake);
}
static int handle(struct rig *rig, struct px_str payload)
{
    static const struct px_log log = {.fd = -1, .level = PX_ERROR, .clock = &px_clock_system};
    px_buf_clear(&rig->body);
    rig->reply = (struct lambda_reply){.body = &rig->body};
    const struct lambda_event event = {.function_arn = S(OWN),
                                       .payload = payload,
                                       .deadline_ns = rig->deadline_ns,
                                       .arena = &rig->t->arena,
                                       .log = &log,
                                       .reply = &rig->reply};
    return bridge_handle(rig->bridge, &event);
}
#define CHECK_ERROR(rig, payload, type)                                                            \
    do {                                                                                           \
        CHECK_INT(handle(rig, payload), LAMBDA_ERROR);                                             \
        CHECK_STR((rig)->reply.error_type, S(type));                                               \
    } while (0)

TEST(a_function_elsewhere_is_called_by_its_arn_and_its_answer_comes_back)
{
    struct rig rig;
    RIG_START(&rig, FAKE_OK("{\"moved\":1}"));
    CHECK_OK(handle(&rig, S(EVENT)));
    CHECK_STR(px_buf_str(&rig.body), S("{\"moved\":1}"));
    const char *request = rig.fake.request;
    CHECK(strstr(request,
                 "POST /2015-03-31/functions/arn%3Aaws-x%3Alambda%3Aus-east-1%3A123456789012%3A"
                 "function%3Aprism-x-storage-shard-0%3Alive/invocations HTTP/1.1\r\n") == request);
    CHECK(strstr(request, "/us-east-1/lambda/aws4_request, SignedHeaders="));
    CHECK(strstr(request, "X-Amz-Invocation-Type: RequestResponse\r\n"));
    CHECK(strcmp(request + rig.fake.body_at, "{\"op\":\"go\",\"n\":1}") == 0);
    CHECK_OK(handle(&rig, S(EVENT)));
    CHECK_INT(rig.fake.connections, 1);
    rig_stop(&rig);
}

TEST(a_functions_error_comes_through_with_its_type_and_words)
{
    struct rig rig;
    RIG_START(&rig,
              {.status = 200,
               .headers = "X-Amz-Function-Error: Unhandled\r\n",
               .body = "{\"errorType\":\"Fenced\",\"errorMessage\":\"of epoch 7 \\\"x\\\"\"}"},
              {.status = 200, .headers = "X-Amz-Function-Error: Unhandled\r\n", .body = "oops"});
    CHECK_ERROR(&rig, S(EVENT), "Fenced");
    CHECK_STR(rig.reply.error_message, S("of epoch 7 \"x\""));
    CHECK_INT(rig.fake.requests, 1);
    CHECK_ERROR(&rig, S(EVENT), "Lambda.Unknown");
    CHECK(px_str_ends(rig.reply.error_message, S("payload: oops")));
    rig_stop(&rig);
}

TEST(nothing_is_called_that_the_list_does_not_name)
{
    static const char *const refused[] = {
        "{\"region\":\"ap-south-1\",\"function\":\"prism-x-storage-shard-0\",\"event\":{}}",
        "{\"region\":\"eu-west-1\",\"function\":\"prism-x-storage-shard-0\",\"event\":{}}",
        "{\"region\":\"us-east-1\",\"function\":\"prism-x-storage-shard-1\",\"event\":{}}",
        "{\"region\":\"us-east-1\",\"function\":\"prism-x-storage-shard-0:1\",\"event\":{}}",
        "{\"region\":\"us-east-1\",\"function\":\"../prism-x-storage-shard-0\",\"event\":{}}",
    };
    static const char *const invalid[] = {
        "",
        "[]",
        "{}",
        "{\"region\":\"us-east-1\",\"function\":\"prism-x-storage-shard-0\"}",
        "{\"region\":1,\"function\":\"prism-x-storage-shard-0\",\"event\":{}}",
        "{\"region\":\"us-east-1\",\"function\":\"prism-x-storage-shard-0\",\"event\":{},\"x\":1}",
    };
    struct rig rig;
    RIG_START(&rig, FAKE_OK("{}"));
    for (size_t i = 0; i < PX_COUNT(refused); i++)
        CHECK_ERROR(&rig, px_str_c(refused[i]), "NotAllowed");
    for (size_t i = 0; i < PX_COUNT(invalid); i++)
        CHECK_ERROR(&rig, px_str_c(invalid[i]), "InvalidEvent");
    CHECK_INT(rig.fake.requests, 0);
    rig_stop(&rig);
}

TEST(throttling_and_failures_are_tried_again_and_then_have_step_functions_names)
{
    struct rig rig;
    RIG_START(&rig, {.status = 429}, {.status = 500}, FAKE_OK("1"),
              {.status = 429, .headers = "x-amzn-ErrorType: TooManyRequestsException\r\n"});
    CHECK_OK(handle(&rig, S(EVENT)));
    CHECK_INT(rig.fake.requests, 3);
    CHECK_ERROR(&rig, S(EVENT), "Lambda.TooManyRequestsException");
    CHECK_INT(rig.fake.requests, 7);
    rig_stop(&rig);
}

TEST(what_lambda_refuses_has_step_functions_names)
{
    struct rig rig;
    RIG_START(
        &rig,
        {.status = 404, .headers = "x-amzn-ErrorType: ResourceNotFoundException:http://x\r\n"},
        {.status = 403, .headers = "x-amzn-ErrorType: AccessDeniedException\r\n"}, {.status = 418});
    CHECK_ERROR(&rig, S(EVENT), "Lambda.ResourceNotFoundException");
    CHECK_ERROR(&rig, S(EVENT), "Lambda.AccessDeniedException");
    CHECK_ERROR(&rig, S(EVENT), "Lambda.ServiceException");
    CHECK_INT(rig.fake.requests, 3);
    rig_stop(&rig);
}

TEST(a_region_that_does_not_answer_is_told_in_time)
{
    struct rig rig;
    RIG_START(&rig, {.kind = FAKE_SILENT});
    rig.deadline_ns = px_wall_ns(&px_clock_system) + 400 * PX_NS_PER_MS;
    CHECK_ERROR(&rig, S(EVENT), "Sandbox.Timedout");
    CHECK_INT(rig.fake.requests, 1);
    rig.deadline_ns = 0;
    rig.called_off = true;
    CHECK_ERROR(&rig, S(EVENT), "Lambda.SdkClientException");
    rig_stop(&rig);
}

TEST(a_list_that_is_none_is_said_at_the_start)
{
    static const char *const wrong[] = {"x", "[]", "{\"r\":1}", "{\"r\":[1]}", "{\"r\":[\"\"]}"};
    struct cloud_shared cloud = {0};
    struct bridge *bridge = NULL;
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        const struct bridge_options options = {.cloud = &cloud, .functions = px_str_c(wrong[i])};
        CHECK_INT(bridge_new(&options, &bridge), PX_F_CONFIG);
    }
    CHECK_OK(bridge_new(&(struct bridge_options){.cloud = &cloud}, &bridge));
    bridge_free(&bridge);
}

TEST_MAIN
