/* Requests to a service that throttles, fails, resets, stops half-way, or says nothing. */
#include "aws/fake.h"
#include "aws/reach.h"

#include "aws/client.h"
#include "aws/retry.h"

__attribute__((constructor)) static void reach(void) { reach_init(); }

struct rig {
    struct fake fake;
    struct cloud *cloud;
    struct cloud_client *client;
    struct cloud_response response;
};
static const struct cloud_client_options quick = {.retry_base_ms = 1, .retry_cap_ms = 2};

#define RIG_START(rig, opts, ...)                                                                  \
    static const struct fake_step steps_[] = {__VA_ARGS__};                                        \
    rig_start(t, rig, opts, steps_, PX_COUNT(steps_))
static void rig_start(struct test *t, struct rig *rig, const struct cloud_client_options *options,
                      const struct fake_step *steps, size_t count)
{
    memset(rig, 0, sizeof *rig);
    fake_start(&rig->fake, steps, count);
    struct cloud_client_options client = *options;
    client.service = S("dynamodb");
    client.endpoint = px_arena_printf(&t->arena, "http://127.0.0.1:%d", rig->fake.port);
    CHECK_OK(cloud_open(NULL, &rig->cloud));
    CHECK_OK(cloud_client_new(rig->cloud, &client, &rig->client));
}
static void rig_stop(struct rig *rig)
{
    cloud_client_free(&rig->client);
    cloud_close(&rig->cloud);
    fake_stop(&rig->fake);
}
static int ask(struct test *t, struct rig *rig)
{
    static const struct cloud_header headers[] = {{S("X-Amz-Target"), S("DynamoDB_20120810.Get")}};
    struct cloud_request request = {.what = "Get",
                                    .method = "POST",
                                    .path = S("/"),
                                    .headers = headers,
                                    .header_count = 1,
                                    .body = S("{\"a\":1}"),
                                    .deadline_ms = 2000};
    return cloud_call(rig->client, &request, &t->arena, &rig->response);
}
/* The fault's text says all of these, and none of what is secret. */
static void fault_says(int fault, const char *const *words)
{
    char text[512];
    (void)px_fault_text(fault, text, sizeof text);
    for (; *words; words++)
        if (!strstr(text, *words)) TEST_FAIL("\"%s\" is not in: %s", *words, text);
    CHECK(!strstr(text, "wJalrXUtn") && !strstr(text, "TOKEN") && !strstr(text, "AKID"));
}
#define SAYS(fault, ...) fault_says((fault), (const char *const[]){__VA_ARGS__, NULL})

TEST(a_request_is_signed_and_its_answer_comes_whole)
{
    struct rig rig;
    RIG_START(&rig, &quick, {.status = 200, .headers = "X-Id: 7\r\n", .body = "{\"b\":2}"});
    CHECK_OK(ask(t, &rig));
    CHECK_INT(rig.response.status, 200);
    CHECK_STR(rig.response.body, S("{\"b\":2}"));
    CHECK_STR(cloud_response_header(&rig.response, S("x-id")), S("7"));
    CHECK_STR(cloud_response_header(&rig.response, S("x-none")), S(""));
    CHECK(!rig.response.unsure);
    char *request = rig.fake.request;
    CHECK(strstr(request, "POST / HTTP/1.1\r\n") == request);
    CHECK(strstr(request, "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
    CHECK(strstr(request, "/eu-central-1/dynamodb/aws4_request, SignedHeaders="));
    CHECK(strstr(request, "\r\nX-Amz-Date: ") && strstr(request, "\r\nX-Amz-Target: DynamoDB_"));
    CHECK(strcmp(request + rig.fake.body_at, "{\"a\":1}") == 0);
    rig_stop(&rig);
}

TEST(an_anonymous_request_is_not_signed_and_401_is_the_callers)
{
    struct rig rig;
    RIG_START(&rig, &quick, {.status = 401, .headers = "WWW-Authenticate: Basic\r\n"});
    struct cloud_request request = {
        .what = "manifest", .method = "GET", .path = S("/v2/"), .anonymous = true};
    CHECK_INT(cloud_call(rig.client, &request, &t->arena, &rig.response), CLOUD_REFUSED);
    CHECK_INT(rig.response.status, 401);
    CHECK_STR(cloud_response_header(&rig.response, S("www-authenticate")), S("Basic"));
    CHECK(!strstr(rig.fake.request, "Authorization:") && !strstr(rig.fake.request, "X-Amz-"));
    rig_stop(&rig);
}

TEST(a_connection_serves_many_requests)
{
    struct rig rig;
    RIG_START(&rig, &quick, FAKE_OK("{}"));
    for (int i = 0; i < 20; i++) CHECK_OK(ask(t, &rig));
    CHECK_INT(rig.fake.requests, 20);
    CHECK_INT(rig.fake.connections, 1);
    rig_stop(&rig);
}

TEST(a_refusal_is_the_callers_and_not_tried_again)
{
    struct rig rig;
    RIG_START(&rig, &quick, FAKE_ERROR(400, "ConditionalCheckFailedException"));
    CHECK_INT(ask(t, &rig), CLOUD_REFUSED);
    CHECK_STR(rig.response.error, S("ConditionalCheckFailedException"));
    CHECK_INT(rig.response.status, 400);
    CHECK_INT(rig.fake.requests, 1);
    rig_stop(&rig);
}

TEST(throttling_and_failures_are_tried_again_on_the_same_connection)
{
    struct rig rig;
    RIG_START(&rig, &quick, FAKE_ERROR(400, "ThrottlingException"), {.status = 429},
              {.status = 500, .body = "not JSON"}, {.status = 503}, FAKE_OK("{}"));
    CHECK_OK(ask(t, &rig));
    CHECK_INT(rig.fake.requests, 5);
    CHECK_INT(rig.fake.connections, 1);
    CHECK(rig.response.unsure); /* the 500 may have done it */
    rig_stop(&rig);
}

TEST(throttling_alone_leaves_no_doubt)
{
    struct rig rig;
    RIG_START(&rig, &quick, FAKE_ERROR(400, "ThrottlingException"), FAKE_OK("{}"));
    CHECK_OK(ask(t, &rig));
    CHECK(!rig.response.unsure);
    rig_stop(&rig);
}

TEST(resets_and_half_answers_are_tried_again_on_new_connections)
{
    struct rig rig;
    RIG_START(&rig, &quick, {.kind = FAKE_RESET},
              {.kind = FAKE_HALF, .status = 200, .body = "{\"half\":1}"}, FAKE_OK("{\"all\":1}"));
    CHECK_OK(ask(t, &rig));
    CHECK_STR(rig.response.body, S("{\"all\":1}"));
    CHECK_INT(rig.fake.requests, 3);
    CHECK_INT(rig.fake.connections, 3);
    CHECK(rig.response.unsure);
    CHECK(strcmp(rig.fake.first + rig.fake.body_at, "{\"a\":1}") == 0); /* whole each time */
    CHECK(strcmp(rig.fake.request + rig.fake.body_at, "{\"a\":1}") == 0);
    rig_stop(&rig);
}

TEST(a_body_that_does_not_match_its_checksum_is_tried_again)
{
    struct rig rig;
    RIG_START(&rig, &quick, {.status = 200, .headers = "x-amz-crc32: 1\r\n", .body = "{}"},
              {.status = 200, .headers = "x-amz-crc32: 2745614147\r\n", .body = "{}"});
    CHECK_OK(ask(t, &rig));
    CHECK_INT(rig.fake.requests, 2);
    rig_stop(&rig);
}

TEST(a_silent_attempt_is_given_up_and_the_next_may_succeed)
{
    struct rig rig;
    struct cloud_client_options options = quick;
    options.attempt_ms = 500;
    RIG_START(&rig, &options, {.kind = FAKE_SILENT}, FAKE_OK("{}"));
    CHECK_OK(ask(t, &rig));
    CHECK_INT(rig.fake.requests, 2);
    CHECK(rig.response.unsure);
    rig_stop(&rig);
}

TEST(the_deadline_holds_with_all_retries)
{
    struct rig rig;
    struct cloud_client_options options = quick;
    options.attempt_ms = 60;
    RIG_START(&rig, &options, {.kind = FAKE_SILENT});
    struct cloud_request request = {
        .what = "Get", .method = "POST", .path = S("/"), .deadline_ms = 200};
    int64_t begin_ns = px_mono_ns(&px_clock_system);
    int r = cloud_call(rig.client, &request, &t->arena, &rig.response);
    int64_t took_ms = (px_mono_ns(&px_clock_system) - begin_ns) / PX_NS_PER_MS;
    /* The last attempt may be cut off before it has a connection. */
    CHECK(r == PX_F_TIMEOUT || r == PX_F_UNAVAILABLE);
    SAYS(r, "dynamodb Get in eu-central-1", "no time is left");
    CHECK(took_ms >= 100);
    rig_stop(&rig);
}

TEST(throttled_to_the_end_is_busy_and_says_so)
{
    struct rig rig;
    struct cloud_client_options options = quick;
    options.attempts_max = 4;
    RIG_START(&rig, &options, FAKE_ERROR(400, "ProvisionedThroughputExceededException"));
    int r = ask(t, &rig);
    CHECK_INT(r, PX_F_BUSY);
    SAYS(r, "throttled 400 ProvisionedThroughputExceededException", "4 attempts");
    CHECK_INT(rig.fake.requests, 4);
    rig_stop(&rig);
}

TEST(a_service_that_is_down_uses_up_the_budget_and_then_gets_one_request_a_call)
{
    struct rig rig;
    struct cloud_client_options options = quick;
    options.attempts_max = 1 + RETRY_TOKENS_MAX / RETRY_COST / 2; /* two calls empty it */
    RIG_START(&rig, &options, {.status = 500});
    CHECK_INT(ask(t, &rig), PX_F_UNAVAILABLE);
    CHECK_INT(ask(t, &rig), PX_F_UNAVAILABLE);
    CHECK_INT(rig.fake.requests, RETRY_TOKENS_MAX / RETRY_COST + 2);
    int r = ask(t, &rig);
    CHECK_INT(r, PX_F_UNAVAILABLE);
    SAYS(r, "the service failed 500", "1 attempts", "the budget for retries is empty");
    CHECK_INT(rig.fake.requests, RETRY_TOKENS_MAX / RETRY_COST + 3);
    rig_stop(&rig);
}

TEST(nobody_listening_is_unavailable)
{
    struct rig rig;
    struct cloud_client_options options = quick;
    options.attempts_max = 2;
    RIG_START(&rig, &options, FAKE_OK("{}"));
    fake_stop(&rig.fake);
    int r = ask(t, &rig);
    CHECK_INT(r, PX_F_UNAVAILABLE);
    SAYS(r, "no connection", "2 attempts");
    cloud_client_free(&rig.client);
    cloud_close(&rig.cloud);
}

TEST(expired_credentials_a_wrong_clock_and_a_wrong_region_are_told_apart)
{
    struct rig rig;
    RIG_START(
        &rig, &quick, FAKE_ERROR(400, "ExpiredTokenException"),
        {.status = 400,
         .headers = "Date: Wed, 01 Jan 2020 00:00:00 GMT\r\n",
         .body = "{\"__type\":\"x#InvalidSignatureException\",\"message\":\"x-amz-security-token:"
                 "TOKEN\"}"},
        {.status = 400,
         .body = "{\"__type\":\"x#InvalidSignatureException\",\"message\":\"Credential should be "
                 "scoped to a valid region. \"}"},
        {.status = 400,
         .headers = "x-amzn-ErrorType: AccessDeniedException:http://x/\r\n",
         .body = "{\"Message\":\"TOKEN\"}"});
    int r = ask(t, &rig);
    CHECK_INT(r, PX_F_DENIED);
    SAYS(r, "the credentials have expired");
    r = ask(t, &rig);
    CHECK_INT(r, PX_F_DENIED);
    SAYS(r, "this machine's clock is wrong");
    r = ask(t, &rig);
    CHECK_INT(r, PX_F_CONFIG);
    SAYS(r, "wrong region", "eu-central-1");
    r = ask(t, &rig);
    CHECK_INT(r, PX_F_DENIED);
    SAYS(r, "denied 400 AccessDeniedException");
    CHECK_INT(rig.fake.requests, 4);
    rig_stop(&rig);
}

TEST(an_answer_past_its_ceiling_is_a_fault_and_not_tried_again)
{
    struct rig rig;
    RIG_START(&rig, &quick, FAKE_OK("{\"a\":\"0123456789012345678901234567890123456789\"}"));
    struct cloud_request request = {
        .what = "Get", .method = "GET", .path = S("/"), .body_bytes_max = 20};
    int r = cloud_call(rig.client, &request, &t->arena, &rig.response);
    CHECK_INT(r, PX_F_LIMIT);
    CHECK_INT(rig.fake.requests, 1);
    rig_stop(&rig);
}

TEST(without_credentials_nothing_is_sent)
{
    struct rig rig;
    CHECK_INT(unsetenv("AWS_ACCESS_KEY_ID"), 0);
    RIG_START(&rig, &quick, FAKE_OK("{}"));
    int r = ask(t, &rig);
    CHECK_INT(setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1), 0);
    CHECK_INT(r, PX_F_DENIED);
    SAYS(r, "no credentials in the environment");
    CHECK_INT(rig.fake.requests, 0);
    rig_stop(&rig);
}

TEST(credentials_come_from_the_containers_endpoint_once)
{
    struct fake metadata;
    static const struct fake_step credentials[] = {
        FAKE_OK("{\"AccessKeyId\":\"CONTAINERKEY\",\"SecretAccessKey\":\"s\",\"Token\":\"session\","
                "\"Expiration\":\"2099-01-01T00:00:00Z\"}")};
    fake_start(&metadata, credentials, 1);
    CHECK_INT(unsetenv("AWS_ACCESS_KEY_ID"), 0);
    struct px_str uri = px_arena_printf(&t->arena, "http://127.0.0.1:%d/creds", metadata.port);
    CHECK_INT(setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.ptr, 1), 0);
    struct rig rig;
    RIG_START(&rig, &quick, FAKE_OK("{}"));
    int r = ask(t, &rig), again = ask(t, &rig);
    CHECK_INT(unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"), 0);
    CHECK_INT(setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1), 0);
    CHECK_OK(r);
    CHECK_OK(again);
    CHECK(strstr(rig.fake.request, "Credential=CONTAINERKEY/"));
    CHECK(strstr(rig.fake.request, "\r\nX-Amz-Security-Token: session\r\n"));
    CHECK_INT(metadata.requests, 1);
    rig_stop(&rig);
    fake_stop(&metadata);
}

TEST(a_client_signs_for_the_region_that_it_names)
{
    struct rig rig;
    const struct cloud_client_options elsewhere = {.region = S("us-west-2"), .retry_base_ms = 1};
    RIG_START(&rig, &elsewhere, FAKE_OK("{}"), FAKE_ERROR(400, "AccessDeniedException"));
    CHECK_OK(ask(t, &rig));
    CHECK(strstr(rig.fake.request, "/us-west-2/dynamodb/aws4_request"));
    int r = ask(t, &rig);
    CHECK_INT(r, PX_F_DENIED);
    SAYS(r, "in us-west-2");
    rig_stop(&rig);
}

TEST(a_unix_socket_is_an_endpoint_to_which_nothing_is_signed)
{
    struct rig rig = {0};
    static const struct fake_step steps[] = {{.status = 503}, FAKE_OK("{\"b\":2}")};
    struct px_str path = test_path(t, "service.sock");
    struct cloud_client_options options = quick;
    options.service = S("dynamodb");
    options.endpoint = px_arena_printf(&t->arena, "unix:%s", path.ptr);
    fake_start_on_socket(&rig.fake, path.ptr, steps, PX_COUNT(steps));
    CHECK_OK(cloud_open(NULL, &rig.cloud));
    CHECK_OK(cloud_client_new(rig.cloud, &options, &rig.client));
    CHECK_OK(ask(t, &rig));
    CHECK_STR(rig.response.body, S("{\"b\":2}"));
    CHECK_STR(cloud_client_url(rig.client), options.endpoint);
    CHECK(!cloud_client_is_own(rig.client));
    CHECK_INT(rig.fake.requests, 2);
    CHECK_INT(rig.fake.connections, 1);
    CHECK(!strstr(rig.fake.request, "Authorization:") && !strstr(rig.fake.request, "AKID"));
    rig_stop(&rig);
}

static void *call_off(void *ctx)
{
    struct rig *rig = ((void **)ctx)[0];
    _Atomic bool *flag = ((void **)ctx)[1];
    const struct timespec pause = {.tv_nsec = PX_NS_PER_MS};
    while (rig->fake.connections == 0) (void)nanosleep(&pause, NULL);
    *flag = true;
    return NULL;
}

TEST(a_call_that_is_called_off_ends_and_closes_its_connection)
{
    struct rig rig;
    _Atomic bool flag = false;
    void *both[] = {&rig, &flag};
    pthread_t other;
    const struct cloud_client_options patient = {.attempt_ms = 600000};
    RIG_START(&rig, &patient, {.kind = FAKE_SILENT});
    CHECK_INT(pthread_create(&other, NULL, call_off, both), 0);
    const struct cloud_request request = {.what = "Get",
                                          .method = "POST",
                                          .path = S("/"),
                                          .deadline_ms = 600000,
                                          .called_off = &flag};
    int r = cloud_call(rig.client, &request, &t->arena, &rig.response);
    CHECK_INT(r, PX_F_UNAVAILABLE);
    SAYS(r, "called off");
    CHECK_INT(pthread_join(other, NULL), 0);
    CHECK_INT(rig.fake.connections, 1);
    rig_stop(&rig);
}

TEST(what_is_configured_wrong_is_said_at_once)
{
    struct cloud *cloud = NULL;
    CHECK_INT(unsetenv("AWS_REGION"), 0);
    int r = cloud_open(NULL, &cloud);
    CHECK_INT(setenv("AWS_REGION", "eu-central-1", 1), 0);
    CHECK_INT(r, PX_F_CONFIG);
    SAYS(r, "AWS_REGION is not set");
    struct cloud_options options = {.ca_file = S("/nonexistent.pem")};
    CHECK_INT(cloud_open(&options, &cloud), PX_F_CONFIG);
    CHECK(!cloud);
    CHECK_OK(cloud_open(NULL, &cloud));
    struct cloud_client *client = NULL;
    struct cloud_client_options wrong = {.service = S("dynamodb"), .endpoint = S("nowhere")};
    CHECK_INT(cloud_client_new(cloud, &wrong, &client), PX_F_CONFIG);
    cloud_close(&cloud);
}

TEST_MAIN
