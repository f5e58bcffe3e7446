#include "support/support.h"

#include "lambda/apigw.h"

/* As API Gateway documents it ("Input format of a Lambda function for proxy integration"), shortened. */
static const char documented[] =
    "{\"resource\":\"/my/{thing}\",\"path\":\"/my/path\",\"httpMethod\":\"GET\","
    "\"headers\":{\"header1\":\"value1\",\"header2\":\"value1,value2\"},"
    "\"multiValueHeaders\":{\"header1\":[\"value1\"],\"header2\":[\"value1\",\"value2\"]},"
    "\"queryStringParameters\":{\"parameter1\":\"value1,value2\",\"parameter2\":\"value\"},"
    "\"multiValueQueryStringParameters\":{\"parameter1\":[\"value1\",\"value2\"],\"parameter2\":[\"value\"]},"
    "\"requestContext\":{\"accountId\":\"123456789012\",\"apiId\":\"id\","
    "\"authorizer\":{\"claims\":null,\"scopes\":null},\"domainName\":\"x\",\"identity\":{\"accountId\":null,"
    "\"sourceIp\":\"192.0.2.7\",\"userAgent\":\"agent\"},\"path\":\"/my/path\",\"protocol\":\"HTTP/1.1\","
    "\"requestId\":\"id=\",\"requestTime\":\"04/Mar/2020:19:15:17 +0000\",\"stage\":\"$default\"},"
    "\"pathParameters\":null,\"stageVariables\":null,\"body\":\"Hello from Lambda!\",\"isBase64Encoded\":false}";

TEST(reads_the_documented_event)
{
    struct api_event event;
    CHECK_OK(api_event_parse(px_str_c(documented), &t->arena, &event, NULL));
    CHECK_STR(event.resource, S("/my/{thing}"));
    CHECK_STR(event.path, S("/my/path"));
    CHECK_STR(event.method, S("GET"));
    CHECK_INT(event.header_count, 3);
    CHECK_STR(api_header(&event, S("HEADER2")), S("value1"));
    CHECK_INT(event.query_count, 3);
    CHECK_STR(api_query(&event, S("parameter2")), S("value"));
    CHECK_STR(api_query(&event, S("PARAMETER2")), S(""));
    CHECK_INT(event.path_param_count, 0);
    CHECK_STR(event.request_id, S("id="));
    CHECK_STR(event.source_ip, S("192.0.2.7"));
    CHECK_STR(event.stage, S("$default"));
    CHECK_STR(event.caller.tenant, S(""));
    CHECK_STR(event.body, S("Hello from Lambda!"));
}

TEST(what_is_written_reads_back)
{
    struct http_header headers[] = {{S("Content-Type"), S("application/json")},
                                    {S("x-a"), S("1")},
                                    {S("X-A"), S("2 \"quoted\"")}};
    struct http_header query[] = {{S("q"), S("a b")}, {S("q"), S("\xC3\xA9")}};
    struct http_header params[] = {{S("dataset"), S("app/logs")}};
    static const char body[] = "\0\1\2binary\xff\xfe";
    struct api_event event = {
        .resource = S("/v1/ingest/{dataset}"),
        .path = S("/v1/ingest/app%2Flogs"),
        .method = S("POST"),
        .headers = headers,
        .header_count = 3,
        .query = query,
        .query_count = 2,
        .path_params = params,
        .path_param_count = 1,
        .request_id = S("r-1"),
        .source_ip = S("::1"),
        .stage = S("live"),
        .caller = {.tenant = S("acme"),
                   .key_id = S("00ff"),
                   .scopes = S("ingest query"),
                   .tier = S("pool"),
                   .home_region = S("eu"),
                   .shard = S("s1"),
                   .quotas = S("{\"q\":1}"),
                   .epoch = 42},
        .body = px_str(body, sizeof body - 1),
    };
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 1 << 20);
    api_event_write(&event, &json);
    CHECK_OK(px_buf_fault(&json));
    struct api_event got;
    CHECK_OK(api_event_parse(px_buf_str(&json), &t->arena, &got, NULL));
    CHECK_STR(got.resource, event.resource);
    CHECK_STR(got.path, event.path);
    CHECK_INT(got.header_count, 3);
    CHECK_STR(api_header(&got, S("content-type")), S("application/json"));
    CHECK_STR(got.headers[2].value, S("2 \"quoted\""));
    CHECK_INT(got.query_count, 2);
    CHECK_STR(got.query[1].value, S("\xC3\xA9"));
    CHECK_STR(api_path_param(&got, S("dataset")), S("app/logs"));
    CHECK_STR(got.caller.tenant, S("acme"));
    CHECK_STR(got.caller.home_region, S("eu"));
    CHECK_INT(got.caller.epoch, 42);
    CHECK_STR(got.caller.quotas, S("{\"q\":1}"));
    CHECK_STR(got.source_ip, S("::1"));
    CHECK_STR(got.body, event.body);
    /* the maps with one value hold the last, as API Gateway's do */
    yyjson_val *root;
    CHECK_OK(px_json_parse(px_buf_str(&json), &t->arena, &root, NULL));
    CHECK_STR(px_json_val_str(px_json_at(root, "headers.X-A")), S("2 \"quoted\""));
    CHECK(px_json_at(root, "headers.x-a") == NULL);
    CHECK_STR(px_json_val_str(px_json_at(root, "requestContext.authorizer.epoch")), S("42"));
}

TEST(a_large_body_survives_both_ways)
{
    size_t bytes = 6 << 20;
    char *body = malloc(bytes);
    for (size_t i = 0; i < bytes; i++) body[i] = (char)(i * 2654435761u >> 13);
    struct api_event event = {.method = S("POST"), .path = S("/"), .body = px_str(body, bytes)},
                     got;
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 16 << 20);
    api_event_write(&event, &json);
    CHECK(px_buf_reserve(&json, API_PADDING) != NULL);
    CHECK_OK(api_event_parse_in_place(px_buf_str(&json), &t->arena, &got, NULL));
    CHECK(px_str_eq(got.body, event.body));
    free(body);
}

/* What only looks like a large body must not be taken for one. */
TEST(large_bodies_are_found_by_the_parser_and_not_by_their_looks)
{
    static char base64[40001], quoted[40001];
    memset(base64, 'A', 40000);
    memset(quoted, 'B', 40000);
    quoted[30000] = '\\', quoted[30001] = '"';
    static const struct {
        const char *format, *text;
        size_t body_bytes; /* 0: invalid */
        char first;
    } cases[] = {
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":\"%s\",\"isBase64Encoded\":true}", base64,
         30000, 0},
        {"{\"body\":\"%s\",\"isBase64Encoded\":true,\"httpMethod\":\"GET\",\"path\":\"/\"}", base64,
         30000, 0},
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":\"%s\",\"isBase64Encoded\":false}",
         base64, 40000, 'A'},
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":\"%s\"}", base64, 40000, 'A'},
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":\"%s\"}", quoted, 39999, 'B'},
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":\"%s\",\"isBase64Encoded\":true}", quoted,
         0, 0},
        {"{\"headers\":{\"body\":\"%s\"},\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":\"aGk=\","
         "\"isBase64Encoded\":true}",
         base64, 2, 'h'},
        {"{\"x\":\"\\\"body\\\":\",\"body\":\"%s\",\"httpMethod\":\"GET\",\"path\":\"/\",\"isBase64Encoded\":true}",
         base64, 30000, 0},
        {"{\"body\":\"aGk=\",\"y\":\"%s\",\"httpMethod\":\"GET\",\"path\":\"/\",\"isBase64Encoded\":true}",
         base64, 2, 'h'},
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":\"%s", base64, 0, 0},
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":\"%s\"x}", base64, 0, 0},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        size_t bytes = strlen(cases[i].format) + strlen(cases[i].text) + API_PADDING;
        char *json = malloc(bytes);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        int n = snprintf(json, bytes, cases[i].format, cases[i].text);
#pragma GCC diagnostic pop
        for (int in_place = 0; in_place < 2; in_place++) {
            struct api_event event;
            struct px_where where = {0};
            struct px_str payload = px_str(json, (size_t)n);
            int r = in_place ? api_event_parse_in_place(payload, &t->arena, &event, &where)
                             : api_event_parse(payload, &t->arena, &event, &where);
            if (r != (cases[i].body_bytes ? 0 : API_INVALID)) TEST_FAIL("case %zu gave %d", i, r);
            if (r == API_INVALID) CHECK(where.expected[0] != '\0');
            if (r != 0) continue;
            CHECK_INT(event.body.len, cases[i].body_bytes);
            CHECK_INT(event.body.ptr[0], cases[i].first);
        }
        free(json);
    }
}

TEST(what_is_no_event_is_invalid_and_says_where)
{
    static const struct {
        const char *json, *path;
    } cases[] = {
        {"", ""},
        {"[]", ""},
        {"{\"httpMethod\":\"GET\"", ""},
        {"{\"path\":\"/\"}", "httpMethod"},
        {"{\"httpMethod\":1,\"path\":\"/\"}", "httpMethod"},
        {"{\"httpMethod\":\"GET\"}", "path"},
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"headers\":[]}", "headers"},
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"headers\":{\"a\":[]}}", "headers"},
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"multiValueHeaders\":{\"a\":\"b\"}}", "headers"},
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"pathParameters\":{\"a\":{}}}", "pathParameters"},
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":7}", "body"},
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":\"x\",\"isBase64Encoded\":1}", "body"},
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":\"a\",\"isBase64Encoded\":true}", "body"},
        {"{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":\"a*==\",\"isBase64Encoded\":true}",
         "body"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct api_event event;
        struct px_where where = {0};
        CHECK_INT(api_event_parse(px_str_c(cases[i].json), &t->arena, &event, &where), API_INVALID);
        CHECK_STR(px_str_c(where.path), px_str_c(cases[i].path));
        CHECK(where.expected[0] != '\0');
        CHECK_INT(api_event_parse(px_str_c(cases[i].json), &t->arena, &event, NULL), API_INVALID);
    }
}

TEST(an_event_larger_than_its_arena_is_a_limit)
{
    struct px_arena small;
    px_arena_init(&small, 4096);
    char *big = px_arena_zalloc(&t->arena, 8193);
    memset(big, 'A', 8192);
    struct px_str json = px_arena_printf(
        &t->arena,
        "{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":\"%s\",\"isBase64Encoded\":true}", big);
    struct api_event event;
    CHECK_INT(api_event_parse(json, &small, &event, NULL), PX_F_LIMIT);
    px_arena_deinit(&small);
}

TEST(scopes_are_whole_words)
{
    struct api_caller caller = {.scopes = S("ingest queryx admin")};
    CHECK(api_caller_may(&caller, S("ingest")));
    CHECK(api_caller_may(&caller, S("admin")));
    CHECK(!api_caller_may(&caller, S("query")));
    CHECK(!api_caller_may(&caller, S("")));
    caller.scopes = S("");
    CHECK(!api_caller_may(&caller, S("ingest")));
}

static struct api_response response_of(struct test *t, const char *json)
{
    struct api_response response;
    CHECK_OK(api_response_parse(px_str_c(json), &t->arena, &response));
    return response;
}

TEST(reads_responses_as_api_gateway_does)
{
    struct api_response response = response_of(t, "{\"statusCode\":201}");
    CHECK_INT(response.status, 201);
    CHECK_INT(response.body.len, 0);
    response = response_of(t, "{\"statusCode\":\"204\",\"headers\":null,\"body\":null}");
    CHECK_INT(response.status, 204);
    response = response_of(
        t,
        "{\"statusCode\":200,\"headers\":{\"a\":\"1\",\"b\":2,\"c\":true},"
        "\"multiValueHeaders\":{\"A\":[\"x\",\"y\"]},\"body\":\"aGk=\",\"isBase64Encoded\":true}");
    CHECK_INT(response.header_count, 4);
    CHECK_STR(http_headers_find(response.headers, 4, S("a")), S("x"));
    CHECK_STR(http_headers_find(response.headers, 4, S("B")), S("2"));
    CHECK_STR(http_headers_find(response.headers, 4, S("c")), S("true"));
    CHECK_STR(response.body, S("hi"));
}

TEST(a_malformed_response_is_invalid)
{
    static const char *const wrong[] = {
        "",
        "null",
        "\"text\"",
        "{}",
        "{\"statusCode\":99}",
        "{\"statusCode\":600}",
        "{\"statusCode\":\"2x\"}",
        "{\"statusCode\":200.5}",
        "{\"statusCode\":200,\"headers\":\"x\"}",
        "{\"statusCode\":200,\"headers\":{\"a\":{}}}",
        "{\"statusCode\":200,\"body\":{}}",
        "{\"statusCode\":200,\"body\":\"!\",\"isBase64Encoded\":true}",
        "{\"statusCode\":200",
    };
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        struct api_response response;
        CHECK_INT(api_response_parse(px_str_c(wrong[i]), &t->arena, &response), API_INVALID);
    }
}

TEST(writes_responses_that_read_back)
{
    struct http_header headers[] = {
        {S("Set-Cookie"), S("a")}, {S("X"), S("y")}, {S("set-cookie"), S("b")}};
    struct api_response response = {200, headers, 3, px_str("\xff\0z", 3), true}, got;
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 4096);
    api_response_write(&response, &json);
    CHECK_OK(api_response_parse(px_buf_str(&json), &t->arena, &got));
    CHECK_INT(got.header_count, 3);
    CHECK_STR(got.body, response.body);
    px_buf_clear(&json);
    response = (struct api_response){404, NULL, 0, S("text \"x\"\n"), false};
    api_response_write(&response, &json);
    CHECK_OK(api_response_parse(px_buf_str(&json), &t->arena, &got));
    CHECK_INT(got.status, 404);
    CHECK_STR(got.body, response.body);
    CHECK_INT(api_response_status(px_buf_str(&json)), 404);
    CHECK_INT(api_response_status(S("{\"statusCode\":200,\"headers\":{}}")), 200);
    CHECK_INT(api_response_status(S("{\"policyDocument\":{}}")), 0);
    CHECK_INT(api_response_status(S("{\"statusCode\":")), 0);
    CHECK_INT(api_response_status(S("")), 0);
}

TEST(problems_are_rfc_9457)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 4096);
    api_respond_problem(413, S("body of 7 bytes"), S("r-9"), S("\"limitBytes\":6"), &json);
    struct api_response got;
    CHECK_OK(api_response_parse(px_buf_str(&json), &t->arena, &got));
    CHECK_INT(got.status, 413);
    CHECK_STR(http_headers_find(got.headers, got.header_count, S("content-type")),
              S("application/problem+json"));
    CHECK_STR(got.body,
              S("{\"type\":\"about:blank\",\"title\":\"Content Too Large\",\"status\":413,"
                "\"detail\":\"body of 7 bytes\",\"requestId\":\"r-9\",\"limitBytes\":6}"));
    px_buf_clear(&json);
    api_respond_json(200, S("{}"), &json);
    CHECK_STR(px_buf_str(&json),
              S("{\"statusCode\":200,\"headers\":{\"Content-Type\":\"application/json\"},"
                "\"body\":\"{}\",\"isBase64Encoded\":false}"));
}

TEST_MAIN
