/* What function `tenants` asks of machine tenant-onboarding, of a Step Functions that answers as told. */
#include "aws/fake.h"
#include "aws/reach.h"

#include "svc/sharding/residence.h"

#define ARN "arn:aws-x:states:eu-central-1:123456789012:stateMachine:prism-x-tenant-onboarding:live"

__attribute__((constructor)) static void reach(void) { reach_init(); }

struct rig {
    struct fake fake;
    struct cloud_shared cloud;
    struct residence residence;
    char endpoint[40];
};

#define RIG_START(rig, ...)                                                                        \
    static const struct fake_step steps_[] = {__VA_ARGS__};                                        \
    rig_start(rig, steps_, PX_COUNT(steps_))
static void rig_start(struct rig *rig, const struct fake_step *steps, size_t count)
{
    memset(rig, 0, sizeof *rig);
    fake_start_as_aws(&rig->fake, steps, count);
    (void)snprintf(rig->endpoint, sizeof rig->endpoint, "http://127.0.0.1:%d", rig->fake.port);
    rig->residence = (struct residence){
        .sfn = {.cloud = &rig->cloud, .endpoint = px_str_c(rig->endpoint)}, .machine = S(ARN)};
}
static void rig_stop(struct rig *rig)
{
    residence_deinit(&rig->residence);
    cloud_shared_close(&rig->cloud);
    fake_stop(&rig->fake);
}
static int enter(struct test *t, struct rig *rig, const char **ret_why)
{
    return residence_enter(&rig->residence, S("acme"), S("shard-1"), S("pooled"), &t->arena,
                           ret_why);
}

TEST(who_enters_is_given_to_the_machine_which_is_waited_for)
{
    struct rig rig;
    const char *why = NULL;
    RIG_START(&rig, FAKE_OK("{\"status\":\"SUCCEEDED\",\"output\":\"{}\"}"));
    CHECK_OK(enter(t, &rig, &why));
    const char *request = rig.fake.request;
    CHECK(strstr(request, "POST / HTTP/1.1\r\n") == request);
    CHECK(strstr(request, "X-Amz-Target: AWSStepFunctions.StartSyncExecution\r\n"));
    CHECK(strstr(request, "/eu-central-1/states/aws4_request, SignedHeaders="));
    CHECK(strcmp(request + rig.fake.body_at,
                 "{\"stateMachineArn\":\"" ARN "\",\"input\":\"{\\\"only\\\":\\\"enter\\\","
                 "\\\"tenant\\\":\\\"acme\\\",\\\"shard\\\":\\\"shard-1\\\","
                 "\\\"tier\\\":\\\"pooled\\\"}\"}") == 0);
    CHECK_OK(residence_leave(&rig.residence, S("acme"), &t->arena, &why));
    CHECK(strstr(request + rig.fake.body_at,
                 "\"{\\\"only\\\":\\\"leave\\\",\\\"tenant\\\":\\\"acme\\\"}\""));
    CHECK_INT(rig.fake.connections, 1);
    CHECK(!why);
    rig_stop(&rig);
}

TEST(a_machine_that_ends_otherwise_says_why)
{
    struct rig rig;
    const char *why = NULL;
    RIG_START(&rig,
              FAKE_OK("{\"status\":\"FAILED\",\"error\":\"OnboardingFailed\",\"cause\":\"no\"}"),
              FAKE_OK("{\"status\":\"TIMED_OUT\"}"), FAKE_OK("{}"));
    CHECK_INT(enter(t, &rig, &why), RESIDENCE_REFUSED);
    CHECK_STR(px_str_c(why), S("OnboardingFailed: no"));
    CHECK_INT(enter(t, &rig, &why), RESIDENCE_REFUSED);
    CHECK_STR(px_str_c(why), S("TIMED_OUT: "));
    CHECK_INT(enter(t, &rig, &why), PX_F_PROTOCOL);
    rig_stop(&rig);
}

TEST(a_machine_that_cannot_be_started_says_why)
{
    struct rig rig;
    const char *why = NULL;
    RIG_START(&rig, FAKE_ERROR(400, "StateMachineDoesNotExist"));
    CHECK_INT(enter(t, &rig, &why), RESIDENCE_REFUSED);
    CHECK(strstr(why, "StateMachineDoesNotExist"));
    rig_stop(&rig);
}

TEST(what_is_no_arn_of_a_machine_is_a_fault)
{
    struct cloud_shared cloud = {0};
    struct residence residence = {.sfn = {.cloud = &cloud}, .machine = S("tenant-onboarding")};
    const char *why = NULL;
    CHECK_INT(residence_enter(&residence, S("a"), S("s"), S("pooled"), &t->arena, &why),
              PX_F_CONFIG);
    residence_deinit(&residence);
    cloud_shared_close(&cloud);
}

TEST_MAIN
