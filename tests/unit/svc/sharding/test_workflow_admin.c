/* Function workflows, of a Step Functions that answers as told: what is refused before it is asked, what of its refusals is the
 * caller's, what is shown, and what stands in the audit log. */
// link: px_svc_sharding px_svc_audit px_store px_aws px_lambda
#include "aws/fake.h"
#include "aws/reach.h"

#include "lambda/apigw.h"
#include "svc/audit/verify.h"
#include "svc/sharding/workflow_admin.h"

#define ARNS "arn:aws-x:states:eu-central-1:123456789012:stateMachine:prism-x-"
#define RUN "arn:aws-x:states:eu-central-1:123456789012:execution:prism-x-"
#define EXECUTIONS "/v1/admin/workflows/{machine}/executions"
#define EXECUTION EXECUTIONS "/{execution}"
#define DESCRIBED                                                                                  \
    "{\"name\":\"x\",\"status\":\"RUNNING\",\"startDate\":1.5,\"redriveCount\":0,\"input\":\"{}\"}"
#define ASKS(id, token)                                                                            \
    "{\"type\":\"TaskScheduled\",\"id\":" #id ",\"previousEventId\":1,"                            \
    "\"taskScheduledEventDetails\":{\"resource\":\"sendMessage\",\"parameters\":"                  \
    "\"{\\\"MessageBody\\\":{\\\"question\\\":\\\"Well?\\\",\\\"task_token\\\":\\\"" token         \
    "\\\"}}\"}}"

__attribute__((constructor)) static void reach(void) { reach_init(); }

struct rig {
    struct test *t;
    struct fake fake;
    struct cloud_shared cloud;
    struct table_store *tables;
    struct audit audit;
    struct workflow_admin admin;
    struct px_buf body;
    char endpoint[40];
};

#define RIG_START(rig, ...)                                                                        \
    static const struct fake_step steps_[] = {__VA_ARGS__};                                        \
    rig_start(rig, t, steps_, PX_COUNT(steps_))
static void rig_start(struct rig *rig, struct test *t, const struct fake_step *steps, size_t count)
{
    memset(rig, 0, sizeof *rig);
    rig->t = t;
    fake_start_as_aws(&rig->fake, steps, count);
    (void)snprintf(rig->endpoint, sizeof rig->endpoint, "http://127.0.0.1:%d", rig->fake.port);
    CHECK_OK(table_store_open(test_path(t, "tables.db"), NULL, &rig->tables));
    rig->audit = (struct audit){rig->tables, &t->clock, S("here")};
    rig->admin = (struct workflow_admin){
        .sfn = {.cloud = &rig->cloud, .endpoint = px_str_c(rig->endpoint)},
        .machines = S("tidy move"),
        .arn_prefix = S(ARNS),
        .audit = &rig->audit};
    px_buf_init(&rig->body, LAMBDA_PAYLOAD_BYTES_MAX);
}
static void rig_stop(struct rig *rig)
{
    sfn_deinit(&rig->admin.sfn);
    cloud_shared_close(&rig->cloud);
    table_store_close(&rig->tables);
    px_buf_deinit(&rig->body);
    fake_stop(&rig->fake);
}

struct asked {
    const char *method, *resource, *machine, *execution; /* NULL: GET, EXECUTION, "tidy", "x" */
    const char *body, *after, *limit;
    const char *caller; /* NULL: an operator */
};
static int call(struct rig *rig, const struct asked *asked, struct api_response *ret_response)
{
    struct test *t = rig->t;
    const struct http_header params[] = {
        {S("machine"), px_str_c(asked->machine ? asked->machine : "tidy")},
        {S("execution"), px_str_c(asked->execution ? asked->execution : "x")}};
    struct http_header query[2];
    size_t count = 0;
    if (asked->after) query[count++] = (struct http_header){S("after"), px_str_c(asked->after)};
    if (asked->limit) query[count++] = (struct http_header){S("limit"), px_str_c(asked->limit)};
    struct px_str resource = px_str_c(asked->resource ? asked->resource : EXECUTION);
    const struct api_event event = {
        .resource = resource,
        .path = resource,
        .method = px_str_c(asked->method ? asked->method : "GET"),
        .query = query,
        .query_count = count,
        .path_params = params,
        .path_param_count = px_str_eq(resource, S(EXECUTIONS)) ? 1 : 2,
        .request_id = S("req-1"),
        .source_ip = S("10.0.0.7"),
        .body = px_str_c(asked->body ? asked->body : ""),
        .caller = {.tenant = px_str_c(asked->caller ? asked->caller : "_system"),
                   .key_id = S("key7"),
                   .scopes = S("admin"),
                   .epoch = 1}};
    struct lambda_reply reply = {.body = &rig->body};
    PX_AUTO(px_buf_deinit) struct px_buf payload;
    px_buf_init(&payload, 8u << 20);
    api_event_write(&event, &payload);
    px_buf_clear(&rig->body);
    const struct lambda_event lambda = {.payload = px_arena_dup(&t->arena, px_buf_str(&payload)),
                                        .arena = &t->arena,
                                        .reply = &reply};
    int r = workflow_admin_handle(&rig->admin, &lambda);
    if (r == 0) CHECK_OK(api_response_parse(px_buf_str(&rig->body), &t->arena, ret_response));
    return r;
}
static struct api_response ask(struct rig *rig, const struct asked *asked)
{
    struct api_response response = {0};
    CHECK_OK(call(rig, asked, &response));
    return response;
}
static int status(struct rig *rig, const struct asked *asked) { return ask(rig, asked).status; }
static bool says(struct px_str text, const char *what)
{
    return memmem(text.ptr, text.len, what, strlen(what)) != NULL;
}
static bool asked_of_it(const struct rig *rig, const char *what)
{
    return strstr(rig->fake.request, what) != NULL;
}

/* A chain's entries. */
static size_t entries(struct rig *rig, const char *chain, struct audit_entry **ret_list,
                      struct px_str **ret_texts)
{
    size_t count = 0;
    CHECK_OK(audit_read(rig->tables, px_str_c(chain), 0, 100, &rig->t->arena, ret_list, ret_texts,
                        &count));
    return count;
}

/* ---- what is refused before anybody is asked ---- */

TEST(only_machines_of_the_list_are_there)
{
    static const char *const none[] = {
        "tenant-onboarding", "tid",     "tidy move",    "tidy ",    "", "*",
        "tidy:live",         "../tidy", "prism-x-tidy", ARNS "tidy"};
    struct rig rig;
    RIG_START(&rig, FAKE_OK(DESCRIBED));
    for (size_t i = 0; i < PX_COUNT(none); i++) {
        CHECK_INT(status(&rig, &(struct asked){.machine = none[i]}), 404);
        CHECK_INT(status(&rig, &(struct asked){.method = "POST",
                                               .resource = EXECUTIONS,
                                               .machine = none[i],
                                               .body = "{}"}),
                  404);
    }
    CHECK_INT(rig.fake.requests, 0);
    struct px_str all = ask(&rig, &(struct asked){.resource = "/v1/admin/workflows"}).body;
    CHECK_STR(all, S("{\"machines\":[{\"machine\":\"tidy\",\"arn\":\"" ARNS "tidy\"},"
                     "{\"machine\":\"move\",\"arn\":\"" ARNS "move\"}]}"));
    rig_stop(&rig);
}

TEST(a_name_that_could_mean_another_execution_is_none)
{
    static const char *const none[] = {
        "",
        "*",
        "x:y",
        "x/y",
        "x y",
        "x\"",
        "..\\x",
        "\xc3\xa4",
        RUN "tidy:x",
        "123456789012345678901234567890123456789012345678901234567890"
        "123456789012345678901"};
    struct rig rig;
    RIG_START(&rig, FAKE_OK(DESCRIBED));
    for (size_t i = 0; i < PX_COUNT(none); i++) {
        CHECK_INT(status(&rig, &(struct asked){.execution = none[i]}), 404);
        CHECK_INT(status(&rig, &(struct asked){.method = "POST",
                                               .resource = EXECUTION "/stop",
                                               .execution = none[i],
                                               .body = "{}"}),
                  404);
    }
    CHECK_INT(rig.fake.requests, 0);
    CHECK_INT(status(&rig, &(struct asked){.execution = "a-Z_0.9", .machine = "move"}), 200);
    CHECK(strstr(rig.fake.first, "{\"executionArn\":\"" RUN "move:a-Z_0.9\"}"));
    rig_stop(&rig);
}

TEST(a_start_that_is_none_asks_nobody)
{
    static const char *const none[] = {
        "{\"name\":\"x y\"}",
        "{\"name\":\"\"}",
        "{\"name\":7}",
        "{\"input\":7}",
        "{\"input\":\"{}\"}",
        "{\"input\":null}",
        "{\"version\":1}",
        "[]",
        "{",
        "{\"input\":{\"tenant\":\"acme\",\"by\":{\"tenant\":\"_system\",\"key_id\":\"other\"}}}",
        "{\"input\":{\"by\":null}}",
    };
    struct rig rig;
    RIG_START(&rig, FAKE_OK("{\"executionArn\":\"" RUN "tidy:x\",\"startDate\":1.5}"));
    for (size_t i = 0; i < PX_COUNT(none); i++)
        if (status(&rig, &(struct asked){
                             .method = "POST", .resource = EXECUTIONS, .body = none[i]}) != 400)
            TEST_FAIL("%s was taken", none[i]);
    CHECK_INT(rig.fake.requests, 0);
    rig_stop(&rig);
}

TEST(an_answer_that_is_none_asks_nobody)
{
    static const char *const none[] = {"{}",
                                       "{\"output\":1,\"error\":\"E\"}",
                                       "{\"output\":1,\"cause\":\"C\"}",
                                       "{\"output\":1,\"event\":\"2\"}",
                                       "{\"output\":1,\"event\":-2}",
                                       "{\"error\":7}",
                                       "{\"error\":\"E\",\"cause\":{}}",
                                       "{\"output\":1,\"task_token\":\"T\"}"};
    struct rig rig;
    RIG_START(&rig, FAKE_OK(DESCRIBED));
    rig.admin.audit = NULL; /* which asks how it stands */
    for (size_t i = 0; i < PX_COUNT(none); i++)
        if (status(&rig, &(struct asked){.method = "POST",
                                         .resource = EXECUTION "/answer",
                                         .body = none[i]}) != 400)
            TEST_FAIL("%s was taken", none[i]);
    CHECK_INT(rig.fake.requests, 0);
    rig_stop(&rig);
}

TEST(who_is_no_operator_asks_nobody_and_is_told_of_in_his_own_chain)
{
    struct rig rig;
    struct audit_entry *list = NULL;
    struct px_str *texts = NULL;
    RIG_START(&rig, FAKE_OK(DESCRIBED));
    CHECK_INT(status(&rig, &(struct asked){.caller = "acme"}), 403);
    CHECK_INT(status(&rig, &(struct asked){.caller = "acme",
                                           .method = "POST",
                                           .resource = EXECUTION "/stop",
                                           .body = "{\"error\":\"Mine\"}"}),
              403);
    CHECK_INT(rig.fake.requests, 0);
    CHECK_INT(entries(&rig, "here/_system", &list, &texts), 0);
    CHECK_INT(entries(&rig, "here/acme", &list, &texts), 2);
    CHECK_STR(list[0].operation, S("workflow.stop"));
    CHECK_STR(list[0].target, S("tidy/x"));
    CHECK(!list[0].before);
    CHECK_INT(list[1].status, 403);
    rig_stop(&rig);
}

TEST(a_direct_event_runs_nothing)
{
    struct rig rig;
    RIG_START(&rig, FAKE_OK(DESCRIBED));
    struct lambda_reply reply = {.body = &rig.body};
    const struct lambda_event event = {
        .payload = px_arena_dup(&t->arena, S("{\"op\":\"start\",\"name\":\"x\",\"input\":{}}")),
        .arena = &t->arena,
        .reply = &reply};
    CHECK_INT(workflow_admin_handle(&rig.admin, &event), LAMBDA_ERROR);
    CHECK_STR(reply.error_type, S("BadRequest"));
    CHECK_INT(rig.fake.requests, 0);
    rig_stop(&rig);
}

/* ---- what Step Functions refuses ---- */

static const struct fake_step refusals[] = {
    FAKE_ERROR(400, "ExecutionDoesNotExist"),  FAKE_ERROR(400, "StateMachineDoesNotExist"),
    FAKE_ERROR(400, "ExecutionAlreadyExists"), FAKE_ERROR(400, "ExecutionNotRedrivable"),
    FAKE_ERROR(400, "TaskTimedOut"),           FAKE_ERROR(400, "TaskDoesNotExist"),
    FAKE_ERROR(400, "InvalidToken"),           FAKE_ERROR(400, "InvalidName"),
    FAKE_ERROR(400, "InvalidExecutionInput"),  FAKE_ERROR(400, "InvalidOutput"),
    FAKE_ERROR(400, "ValidationException"),    FAKE_ERROR(400, "ExecutionLimitExceeded")};
static const int answered[] = {404, 404, 409, 409, 409, 409, 400, 400, 400, 400, 400, 429};

TEST(refusals_that_are_the_callers_are_answers)
{
    struct rig rig;
    static_assert(PX_COUNT(refusals) == PX_COUNT(answered), "one for each");
    rig_start(&rig, t, refusals, PX_COUNT(refusals));
    for (size_t i = 0; i < PX_COUNT(answered); i++) {
        struct api_response response = ask(&rig, &(struct asked){0});
        if (response.status != answered[i])
            TEST_FAIL("%s is %d", refusals[i].body, response.status);
        CHECK(!says(response.body, "amazonaws") && !says(response.body, ARNS));
    }
    CHECK_INT(rig.fake.requests, PX_COUNT(refusals));
    rig_stop(&rig);
}

TEST(refusals_that_are_ours_are_faults_and_told)
{
    struct rig rig;
    struct api_response response;
    struct audit_entry *list = NULL;
    struct px_str *texts = NULL;
    const struct asked start = {.method = "POST", .resource = EXECUTIONS, .body = "{}"};
    RIG_START(&rig, FAKE_ERROR(400, "StateMachineDeleting"), FAKE_ERROR(400, "InvalidArn"),
              FAKE_OK("{}"), FAKE_OK("nothing"));
    for (int i = 0; i < 4; i++) CHECK_INT(call(&rig, &start, &response), PX_F_PROTOCOL);
    CHECK_INT(entries(&rig, "here/_system", &list, &texts), 8);
    for (int i = 1; i < 8; i += 2) CHECK(list[i].status >= 500);
    rig_stop(&rig);
}

/* ---- changes ---- */

TEST(a_start_is_of_the_alias_and_says_who)
{
    struct rig rig;
    struct audit_entry *list = NULL;
    struct px_str *texts = NULL;
    RIG_START(&rig, FAKE_OK("{\"executionArn\":\"" RUN "tidy:off\",\"startDate\":1.5}"));
    struct api_response response = ask(
        &rig, &(struct asked){.method = "POST",
                              .resource = EXECUTIONS,
                              .body = "{\"name\":\"off\",\"input\":{\"tenant\":\"a\\\"b\"}}"});
    CHECK_INT(response.status, 202);
    CHECK(says(response.body, "\"machine\":\"tidy\",\"execution\":\"off\""));
    CHECK(asked_of_it(&rig, "X-Amz-Target: AWSStepFunctions.StartExecution\r\n"));
    CHECK(asked_of_it(&rig,
                      "{\"stateMachineArn\":\"" ARNS "tidy:live\",\"input\":\"{\\\"tenant\\\":"
                      "\\\"a\\\\\\\"b\\\",\\\"by\\\":{\\\"tenant\\\":\\\"_system\\\","
                      "\\\"key_id\\\":\\\"key7\\\"}}\",\"name\":\"off\"}"));
    CHECK_INT(rig.fake.requests, 1);
    CHECK_INT(entries(&rig, "here/_system", &list, &texts), 2);
    CHECK_STR(list[0].operation, S("workflow.start"));
    CHECK_STR(list[0].target, S("tidy"));
    CHECK_STR(list[0].who.key_id, S("key7"));
    CHECK_STR(list[0].who.source, S("10.0.0.7"));
    CHECK(!list[0].who.direct && !list[0].before);
    CHECK(says(texts[0], "\"asked\":{\"name\":\"off\",\"input\":{\"tenant\":\"a\\\"b\"}}"));
    CHECK_INT(list[1].status, 202);
    CHECK_STR(px_json_str(list[1].after, "execution"), S("off"));
    rig_stop(&rig);
}

/* A call to Step Functions that is made again, since its answer was lost, names the same execution. */
TEST(a_start_without_a_name_has_the_requests)
{
    struct rig rig;
    RIG_START(&rig, {.kind = FAKE_RESET},
              FAKE_OK("{\"executionArn\":\"" RUN "tidy:req-1\",\"startDate\":1.5}"));
    struct api_response response = ask(
        &rig, &(struct asked){.method = "POST", .resource = EXECUTIONS, .body = "{}"});
    CHECK_INT(response.status, 202);
    CHECK(says(response.body, "\"execution\":\"req-1\",\"arn\":\"" RUN "tidy:req-1\""));
    CHECK(strstr(rig.fake.first, "\"name\":\"req-1\"}") &&
          asked_of_it(&rig, "\"name\":\"req-1\"}"));
    CHECK_INT(rig.fake.requests, 2);
    rig_stop(&rig);
}

TEST(a_redrive_says_when)
{
    struct rig rig;
    RIG_START(&rig, FAKE_OK(DESCRIBED), FAKE_OK("{\"redriveDate\":2.5}"), FAKE_OK(DESCRIBED));
    struct api_response response = ask(
        &rig, &(struct asked){.method = "POST", .resource = EXECUTION "/redrive"});
    CHECK_INT(response.status, 200);
    CHECK(says(response.body, "\"redriven\":\"1970-01-01T00:00:02.500Z\""));
    rig_stop(&rig);
}

TEST(a_stop_tells_how_it_stood_and_how_it_stands)
{
    struct rig rig;
    struct audit_entry *list = NULL;
    struct px_str *texts = NULL;
    RIG_START(
        &rig, FAKE_OK(DESCRIBED), FAKE_OK("{\"stopDate\":2.5}"),
        FAKE_OK("{\"name\":\"x\",\"status\":\"ABORTED\",\"startDate\":1.5,\"stopDate\":2.5}"));
    struct api_response response = ask(
        &rig, &(struct asked){.method = "POST", .resource = EXECUTION "/stop", .body = "{}"});
    CHECK_INT(response.status, 200);
    CHECK(says(response.body, "\"status\":\"ABORTED\",\"started\":\"1970-01-01T00:00:01.500Z\","
                              "\"stopped\":\"1970-01-01T00:00:02.500Z\""));
    CHECK_INT(entries(&rig, "here/_system", &list, &texts), 2);
    CHECK_STR(px_json_str(list[0].before, "status"), S("RUNNING"));
    CHECK_STR(px_json_str(list[1].after, "status"), S("ABORTED"));
    rig_stop(&rig);
}

TEST(what_cannot_be_told_is_not_done)
{
    struct rig rig;
    struct api_response response;
    RIG_START(&rig, FAKE_OK("{\"executionArn\":\"" RUN "tidy:off\",\"startDate\":1.5}"));
    const struct table_put head = {.key = {.table = S(AUDIT_HEADS), .partition = S("here/_system")},
                                   .document = S("{}")};
    CHECK_OK(table_put(rig.tables, &head, NULL, NULL, NULL));
    CHECK_INT(call(&rig, &(struct asked){.method = "POST", .resource = EXECUTIONS, .body = "{}"},
                   &response),
              PX_F_CORRUPT);
    CHECK_INT(rig.fake.requests, 0);
    rig_stop(&rig);
}

/* ---- questions ---- */

TEST(an_answer_goes_to_the_question_that_is_meant_and_its_token_nowhere_else)
{
    struct rig rig;
    struct audit_entry *list = NULL;
    struct px_str *texts = NULL;
    RIG_START(&rig, FAKE_OK(DESCRIBED),
              FAKE_OK("{\"events\":[" ASKS(9, "TOK9") "," ASKS(2, "TOK2") "]}"), FAKE_OK(DESCRIBED),
              FAKE_OK("{\"events\":[" ASKS(9, "TOK9") "],\"nextToken\":\"8\"}"),
              FAKE_OK("{\"events\":[" ASKS(2, "TOK2") "]}"), FAKE_OK("{}"));
    const struct asked which = {
        .method = "POST", .resource = EXECUTION "/answer", .body = "{\"output\":{\"action\":1}}"};
    struct api_response response = ask(&rig, &which);
    CHECK_INT(response.status, 409);
    CHECK(says(response.body, "several questions") && !says(response.body, "TOK"));
    const struct asked second = {.method = "POST",
                                 .resource = EXECUTION "/answer",
                                 .body = "{\"event\":2,\"output\":{\"action\":1}}"};
    response = ask(&rig, &second);
    CHECK_INT(response.status, 200);
    CHECK_STR(response.body, S("{\"answered\":2}"));
    CHECK(asked_of_it(&rig, "X-Amz-Target: AWSStepFunctions.SendTaskSuccess\r\n"));
    CHECK(asked_of_it(&rig, "{\"taskToken\":\"TOK2\",\"output\":\"{\\\"action\\\":1}\"}"));
    CHECK_INT(entries(&rig, "here/_system", &list, &texts), 4);
    CHECK_INT(list[1].status, 409);
    CHECK_INT(list[3].status, 200);
    for (size_t i = 0; i < 4; i++) CHECK(!says(texts[i], "TOK"));
    rig_stop(&rig);
}

TEST(a_refusal_is_an_answer_with_an_error)
{
    struct rig rig;
    RIG_START(&rig, FAKE_OK(DESCRIBED), FAKE_OK("{\"events\":[" ASKS(2, "TOK2") "]}"),
              FAKE_ERROR(400, "TaskTimedOut"));
    const struct asked no = {.method = "POST",
                             .resource = EXECUTION "/answer",
                             .body = "{\"error\":\"Rejected\",\"cause\":\"no\"}"};
    CHECK_INT(status(&rig, &no), 409); /* somebody was faster */
    CHECK(asked_of_it(&rig, "X-Amz-Target: AWSStepFunctions.SendTaskFailure\r\n"));
    CHECK(asked_of_it(&rig, "{\"taskToken\":\"TOK2\",\"error\":\"Rejected\",\"cause\":\"no\"}"));
    rig_stop(&rig);
}

/* ---- what is shown ---- */

TEST(an_execution_and_its_history_show_no_token)
{
    struct rig rig;
    RIG_START(&rig, FAKE_OK(DESCRIBED), FAKE_OK("{\"events\":[" ASKS(2, "TOK2") "]}"),
              FAKE_OK("{\"events\":[" ASKS(2, "TOK2") "],\"nextToken\":\"3\"}"));
    struct api_response response = ask(&rig, &(struct asked){0});
    CHECK_INT(response.status, 200);
    CHECK(
        says(response.body, "\"questions\":[{\"event\":2,\"message\":{\"question\":\"Well?\"}}]"));
    response = ask(
        &rig, &(struct asked){.resource = EXECUTION "/history", .after = "2", .limit = "1000"});
    CHECK(says(response.body, "\"resource\":\"sendMessage\"") && !says(response.body, "TOK2"));
    CHECK(says(response.body, "\"next\":\"3\""));
    CHECK(asked_of_it(&rig, "\"nextToken\":\"2\",\"maxResults\":100}"));
    rig_stop(&rig);
}

/* "{"events":[...]}" of as large events as there are, of what takes most room in an answer. */
static const char *large_events(struct test *t, int count)
{
    PX_AUTO(px_buf_deinit) struct px_buf all;
    px_buf_init(&all, 16u << 20);
    for (int i = 0; i < count; i++) {
        px_buf_printf(&all, "%s{\"id\":%d,\"type\":\"TaskStateExited\",\"output\":\"",
                      i == 0 ? "{\"events\":[" : ",", i + 1);
        for (int k = 0; k < 260000; k++) px_buf_add_c(&all, "\\\"");
        px_buf_add_c(&all, "\"}");
    }
    px_buf_add_c(&all, "]}");
    px_buf_add_char(&all, '\0');
    CHECK_OK(px_buf_fault(&all));
    return px_arena_dup(&t->arena, px_buf_str(&all)).ptr;
}

TEST(a_page_fits_an_answer_or_is_asked_to_be_smaller)
{
    struct rig rig;
    const struct fake_step steps[] = {FAKE_OK(large_events(t, 5)), FAKE_OK(large_events(t, 4))};
    const struct asked history = {.resource = EXECUTION "/history"};
    rig_start(&rig, t, steps, PX_COUNT(steps));
    CHECK_INT(status(&rig, &history), 413);
    CHECK_INT(status(&rig, &history), 200);
    rig_stop(&rig);
}

TEST(executions_come_in_pages)
{
    struct rig rig;
    RIG_START(&rig, FAKE_OK("{\"executions\":[" DESCRIBED "],\"nextToken\":\"p\\\"2\"}"));
    struct api_response response = ask(
        &rig, &(struct asked){.resource = EXECUTIONS, .after = "p\"1", .limit = "7"});
    CHECK_INT(response.status, 200);
    CHECK(says(response.body, "\"next\":\"p\\\"2\"}"));
    CHECK(asked_of_it(&rig, "{\"stateMachineArn\":\"" ARNS "tidy\",\"nextToken\":\"p\\\"1\","
                            "\"maxResults\":7}"));
    rig_stop(&rig);
}

TEST_MAIN
