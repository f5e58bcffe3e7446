/* The contract reader and the router. */
#include "support/support.h"

#include "region/openapi.h"
#include "vtl/vtl.h"

#define URI(fn)                                                                                    \
    "arn:${partition}:apigateway:${region}:lambda:path/2015-03-31/functions/"                      \
    "arn:${partition}:lambda:${region}:${account}:function:${prefix}-" fn ":live/invocations"
#define LAMBDA(fn)                                                                                 \
    "\"x-amazon-apigateway-integration\":{\"type\":\"aws_proxy\",\"uri\":\"" URI(fn) "\"}"

static const char contract_text[] =
    "{\"openapi\":\"3.0.1\",\"paths\":{"
    "\"/v1/health\":{\"get\":{\"security\":[],\"x-amazon-apigateway-integration\":{\"type\":\"mock\","
    "\"responses\":{\"default\":{\"statusCode\":\"200\",\"responseParameters\":{\"method.response.header.X-A\":"
    "\"'b, c'\"},\"responseTemplates\":{\"application/json\":\"{}\"}}}}}},"
    "\"/v1/ingest/{dataset}\":{\"post\":{\"operationId\":\"in\",\"security\":[{\"k\":[]}]," LAMBDA(
        "ingest") "}},"
                  "\"/v1/ingest/special\":{\"post\":{\"security\":[{\"k\":[]}]," LAMBDA(
                      "other") "}}},"
                               "\"components\":{\"securitySchemes\":{\"k\":{\"x-amazon-apigateway-authorizer\":{"
                               "\"identitySource\":\"method.request.header.Authorization\",\"authorizerUri\":\"" URI(
                                   "authorizer") "\",\"authorizerResultTtlInSeconds\":60}}}},"
                                                 "\"x-amazon-apigateway-gateway-responses\":{\"UNAUTHORIZED\":{\"statusCode\":\"418\"}}}";

static struct api_contract contract_for_test(struct test *t)
{
    struct api_contract contract;
    struct px_where where = {0};
    CHECK_OK(api_contract_parse(px_str_c(contract_text), &t->arena, &contract, &where));
    return contract;
}

static struct api_match find(struct test *t, const char *method, const char *path)
{
    struct api_contract *contract = px_arena_new(&t->arena, struct api_contract);
    struct api_match match;
    *contract = contract_for_test(t);
    CHECK_OK(api_route_find(contract, px_str_c(method), px_str_c(path), &t->arena, &match));
    return match;
}

TEST(contract_names_functions_authorizer_and_gateway_responses)
{
    struct api_contract contract = contract_for_test(t);
    CHECK_INT(contract.route_count, 3);
    CHECK_STR(contract.authorizer_function, S("authorizer"));
    CHECK_STR(contract.identity_header, S("Authorization"));
    CHECK_INT(contract.authorizer_ttl_s, 60);
    CHECK_INT(contract.replies[API_GW_UNAUTHORIZED].status, 418);
    CHECK_INT(contract.replies[API_GW_REQUEST_TOO_LARGE].status, 413);
}

/* The template of a gateway response with its variables in brackets. */
static const char *shown(struct test *t, struct px_str text)
{
    static const char *const names[] = {"id", "message string", "message", "type", "violation", ""};
    struct px_str out = S(""), before;
    enum api_variable variable;
    while (api_template_next(&text, &before, &variable))
        out = px_arena_printf(&t->arena, "%.*s%.*s[%s]", PX_FMT(out), PX_FMT(before),
                              names[variable]);
    return out.ptr;
}

/* One route, and the gateway responses `members`. */
static const char *with_replies(struct test *t, const char *members)
{
    return px_arena_printf(&t->arena,
                           "{\"openapi\":\"3.0.1\",\"paths\":{\"/a\":{\"get\":{" LAMBDA(
                               "f") "}}},\"x-amazon-apigateway-gateway-responses\":{%s}}",
                           members)
        .ptr;
}

TEST(gateway_response_has_the_contract_s_words_then_the_default_s_then_aws_s_own)
{
    struct api_contract contract;
    struct px_where where = {0};
    const char *text = with_replies(
        t, "\"THROTTLED\":{\"responseParameters\":{\"gatewayresponse.header.Retry-After\":\"'1'\"},"
           "\"responseTemplates\":{\"application/problem+json\":\"$context.requestId: "
           "$context.error.messageString$context.error.responseType\"}},"
           "\"DEFAULT_4XX\":{\"statusCode\":\"400\",\"responseTemplates\":{\"text/plain\":"
           "\"no $context.error.message\"}}");
    CHECK_OK(api_contract_parse(px_str_c(text), &t->arena, &contract, &where));
    const struct api_gateway_reply *reply = &contract.replies[API_GW_THROTTLED];
    CHECK_INT(reply->status, 429);
    CHECK_STR(reply->type, S("THROTTLED"));
    CHECK_STR(reply->media_type, S("application/problem+json"));
    CHECK_STR(px_str_c(shown(t, reply->template_text)), S("[id]: [message string][type]"));
    CHECK_INT(reply->header_count, 1);
    CHECK_STR(reply->headers[0].name, S("Retry-After"));
    CHECK_STR(reply->headers[0].value, S("1"));
    reply = &contract.replies[API_GW_UNAUTHORIZED];
    CHECK_INT(reply->status, 400);
    CHECK_STR(reply->media_type, S("text/plain"));
    CHECK_STR(px_str_c(shown(t, reply->template_text)), S("no [message]"));
    reply = &contract.replies[API_GW_INTEGRATION_TIMEOUT];
    CHECK_INT(reply->status, 504);
    CHECK_STR(px_str_c(shown(t, reply->template_text)), S("{\"message\":[message string]}[]"));
}

TEST(mock_route_needs_no_authorizer)
{
    struct api_match match = find(t, "GET", "/v1/health");
    CHECK(match.route);
    CHECK_INT(match.route->integration, API_MOCK);
    CHECK(!match.route->authorized);
    CHECK_STR(match.route->mock_body, S("{}"));
    CHECK_INT(match.route->mock_header_count, 1);
    CHECK_STR(match.route->mock_headers[0].name, S("X-A"));
    CHECK_STR(match.route->mock_headers[0].value, S("b, c"));
}

TEST(parameter_is_decoded_and_literal_part_wins)
{
    struct api_match match = find(t, "POST", "/v1/ingest/a%2Fb");
    CHECK(match.route);
    CHECK_STR(match.route->function, S("ingest"));
    CHECK_INT(match.param_count, 1);
    CHECK_STR(match.params[0].value, S("a/b"));
    match = find(t, "POST", "/v1/ingest/special");
    CHECK_STR(match.route->function, S("other"));
}

TEST(unknown_path_wrong_method_and_broken_escape_have_no_route)
{
    static const char *const paths[] = {"/",
                                        "/v1",
                                        "/v1/ingest",
                                        "/v1/ingest/",
                                        "/v1/ingest/a/b",
                                        "/v1/ingest/%zz",
                                        "/v1/ingest/%0",
                                        "/v1/ingest/%00",
                                        "x"};
    for (size_t i = 0; i < PX_COUNT(paths); i++) CHECK(!find(t, "POST", paths[i]).route);
    struct api_match match = find(t, "DELETE", "/v1/health");
    CHECK(!match.route);
    CHECK(match.path_known);
}

/* One route whose integration is `members`. */
static const char *one_route(struct test *t, const char *members)
{
    return px_arena_printf(&t->arena,
                           "{\"openapi\":\"3.0.1\",\"paths\":{\"/a\":{\"get\":{"
                           "\"x-amazon-apigateway-integration\":{\"type\":\"aws_proxy\",%s}}}}}",
                           members)
        .ptr;
}

TEST(function_of_a_shard_is_the_function_here)
{
    struct api_contract contract;
    struct px_where where = {0};
    const char *text = one_route(t, "\"uri\":\"" URI("ingest-${stageVariables.shard}") "\"");
    CHECK_OK(api_contract_parse(px_str_c(text), &t->arena, &contract, &where));
    CHECK_STR(contract.routes[0].function, S("ingest"));
}

TEST(scheme_of_a_usage_plan_is_no_authorizer)
{
    static const char text[] =
        "{\"openapi\":\"3.0.1\",\"paths\":{\"/a\":{\"get\":{\"security\":[{\"k\":[],\"u\":[]}]," LAMBDA(
            "f") "}}},\"components\":{\"securitySchemes\":{\"u\":{\"type\":\"apiKey\"},"
                 "\"k\":{\"x-amazon-apigateway-authorizer\":{\"identitySource\":"
                 "\"method.request.header.A\",\"authorizerUri\":\"" URI(
                     "a") "\"}},"
                          "\"v\":{\"type\":\"apiKey\"}}}}";
    struct api_contract contract;
    struct px_where where = {0};
    CHECK_OK(api_contract_parse(px_str_c(text), &t->arena, &contract, &where));
    CHECK(contract.routes[0].authorized);
    CHECK_STR(contract.authorizer_function, S("a"));
    CHECK_STR(contract.identity_header, S("A"));
}

static void refused(struct test *t, const char *text, const char *expected)
{
    struct api_contract contract;
    struct px_where where = {0};
    CHECK_INT(api_contract_parse(px_str_c(text), &t->arena, &contract, &where),
              API_CONTRACT_INVALID);
    if (!strstr(where.expected, expected))
        TEST_FAIL("reason is \"%s\", without \"%s\"", where.expected, expected);
}

TEST(contract_that_aws_would_read_differently_is_refused)
{
    refused(t, "{", "");
    refused(t, "{\"openapi\":\"3.1.0\"}", "3.0");
    refused(t, "{\"openapi\":\"3.0.1\",\"paths\":{}}", "no operations");
    refused(t, "{\"openapi\":\"3.0.1\",\"paths\":{\"/a\":{\"get\":{}}}}", "aws_proxy, aws or mock");
    refused(
        t,
        "{\"openapi\":\"3.0.1\",\"paths\":{\"/a\":{\"get\":{\"x-amazon-apigateway-integration\":"
        "{\"type\":\"aws_proxy\",\"uri\":\"arn:x\"}}}}}",
        "names no function");
    refused(t,
            "{\"openapi\":\"3.0.1\",\"paths\":{\"/a\":{\"get\":{\"security\":[{\"k\":[]}]," LAMBDA(
                "f") "}}}}",
            "no authorizer");
    refused(t, one_route(t, "\"uri\":\"" URI("f") "\",\"responseTransferMode\":\"STREAM\""),
            "need each other");
    refused(t,
            one_route(t, "\"uri\":\":function:${prefix}-f:live/response-streaming-invocations\""),
            "need each other");
    refused(t, one_route(t, "\"uri\":\"" URI("f-${stageVariables.other}") "\""),
            "names no function");
    refused(t, one_route(t, "\"uri\":\"" URI("-${stageVariables.shard}") "\""),
            "names no function");
    refused(
        t,
        "{\"openapi\":\"3.0.1\",\"paths\":{\"/a\":{\"get\":{\"x-amazon-apigateway-integration\":"
        "{\"type\":\"mock\",\"passthroughBehavior\":\"never\",\"responses\":{\"default\":"
        "{\"statusCode\":\"200\"}}}}}}}",
        "one template");
    refused(
        t,
        "{\"openapi\":\"3.0.1\",\"paths\":{\"/a\":{\"get\":{\"x-amazon-apigateway-integration\":"
        "{\"type\":\"mock\",\"responses\":{\"default\":{\"statusCode\":\"200\","
        "\"responseParameters\":{\"method.response.header.A\":\"context.stage\"}}}}}}}}",
        "quotes");
}

/* The authorizer's URI is all that differs. */
static const char *asks(struct test *t, const char *uri)
{
    return px_arena_printf(
               &t->arena,
               "{\"openapi\":\"3.0.1\",\"paths\":{\"/a\":{\"get\":{\"security\":[{\"k\":[]}]," LAMBDA(
                   "f") "}}},\"components\":{\"securitySchemes\":{\"k\":{\"x-amazon-apigateway-authorizer\":{"
                        "\"identitySource\":\"method.request.header.A\",\"authorizerUri\":\"%s\"}}}}}",
               uri)
        .ptr;
}

TEST(a_function_is_called_by_its_alias_live_and_by_no_other)
{
    static const char *const tails[][2] = {
        {"f:blue/invocations", "by the alias live"},
        {"f:Live/invocations", "by the alias live"},
        {"f:live2/invocations", "by the alias live"},
        {"f:7/invocations", "by the alias live"},
        {"f:$LATEST/invocations", "by the alias live"},
        {"f:${stageVariables.alias}/invocations", "by the alias live"},
        {"f-${stageVariables.shard}:blue/invocations", "by the alias live"},
        {"f:live:live/invocations", "by the alias live"},
        {"f:/invocations", "by the alias live"},
        {"f/invocations", "by the alias live"},
        {"f", "by the alias live"},
        {"f:live", "must end with"},
        {"f:live/", "must end with"},
        {"f:live/invoke", "must end with"},
        {"f:live/invocations/x", "must end with"},
    };
    for (size_t i = 0; i < PX_COUNT(tails); i++) {
        struct px_str uri = px_arena_printf(&t->arena, "arn:x:function:${prefix}-%s", tails[i][0]);
        refused(t, one_route(t, px_arena_printf(&t->arena, "\"uri\":\"%s\"", uri.ptr).ptr),
                tails[i][1]);
        refused(t, asks(t, uri.ptr), tails[i][1]);
    }
    struct api_contract contract;
    struct px_where where = {0};
    const char *text = asks(t, ":function:${prefix}-g:live/invocations");
    CHECK_OK(api_contract_parse(px_str_c(text), &t->arena, &contract, &where));
    CHECK_STR(contract.authorizer_function, S("g"));
    text = asks(t, ":function:${prefix}-g:blue/invocations");
    CHECK_INT(api_contract_parse(px_str_c(text), &t->arena, &contract, &where),
              API_CONTRACT_INVALID);
    CHECK(strcmp(where.path, "k") == 0);
}

TEST(gateway_response_that_means_something_else_here_is_refused)
{
    static const char *const replies[][2] = {
        {"\"statusCode\":\"200\"", "statusCode"},
        {"\"statusCode\":429", "statusCode"},
        {"\"responseTemplates\":{\"a/b\":\"\",\"c/d\":\"\"}", "one media type"},
        {"\"responseTemplates\":{\"a/b\":\"$context.stage\"}", "template may hold"},
        {"\"responseTemplates\":{\"a/b\":\"#set(x)\"}", "no directives"},
        {"\"responseParameters\":{\"gatewayresponse.header.A\":\"context.stage\"}", "quotes"},
        {"\"responseParameters\":{\"method.response.header.A\":\"'b'\"}", "quotes"},
    };
    for (size_t i = 0; i < PX_COUNT(replies); i++)
        refused(
            t, with_replies(t, px_arena_printf(&t->arena, "\"THROTTLED\":{%s}", replies[i][0]).ptr),
            replies[i][1]);
}

TEST(the_committed_contract_is_read_whole)
{
    struct api_contract contract;
    CHECK_OK(api_contract_load(PX_SOURCE_DIR "/platform/api.openapi.json", &t->arena, &contract));
    CHECK(contract.route_count >= 15);
    CHECK_INT(contract.replies[API_GW_NOT_FOUND].status, 404);
    size_t with_model = 0;
    for (size_t i = 0; i < contract.route_count; i++) with_model += contract.routes[i].model_count;
    CHECK(with_model >= 4);
}

/* A contract with the request validator "all" and one route with these members. */
static const char *validated(struct test *t, const char *members)
{
    return px_arena_printf(
               &t->arena,
               "{\"openapi\":\"3.0.1\",\"x-amazon-apigateway-request-validators\":{\"all\":{"
               "\"validateRequestParameters\":true,\"validateRequestBody\":true}},"
               "\"x-amazon-apigateway-request-validator\":\"all\","
               "\"components\":{\"parameters\":{\"P\":{\"in\":\"query\",\"name\":\"p\",\"required\":true}},"
               "\"schemas\":{\"S\":{\"type\":\"object\"}}},"
               "\"paths\":{\"/a/{b}\":{\"post\":{%s" LAMBDA("f") "}}}}",
               members)
        .ptr;
}

TEST(validator_names_what_a_request_must_have)
{
    struct api_contract contract;
    struct px_where where = {0};
    const char *text = validated(
        t,
        "\"parameters\":[{\"$ref\":\"#/components/parameters/P\"},{\"in\":\"header\",\"name\":\"H\","
        "\"required\":true},{\"in\":\"path\",\"name\":\"b\",\"required\":true},{\"in\":\"query\",\"name\":\"q\"}],"
        "\"requestBody\":{\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/S\"}}}},");
    CHECK_OK(api_contract_parse(px_str_c(text), &t->arena, &contract, &where));
    const struct api_route *route = &contract.routes[0];
    CHECK_INT(route->required_count, 2);
    CHECK_STR(route->required[0].name, S("p"));
    CHECK(!route->required[0].header);
    CHECK_STR(route->required[1].name, S("H"));
    CHECK(route->required[1].header);
    CHECK_INT(route->model_count, 1);
    char why[64];
    CHECK_INT(model_check(route->models[0].model, "[]", 2, why, sizeof(why)), MODEL_VIOLATED);
}

TEST(models_stand_in_the_route_or_refer_to_each_other_and_no_example_counts)
{
    struct api_contract contract;
    struct px_where where = {0};
    const char *text = validated(
        t,
        "\"requestBody\":{\"content\":{\"application/json\":{\"example\":{\"pattern\":\"(a*)*\"},"
        "\"schema\":{\"properties\":{\"s/~\\\"\":{\"$ref\":\"#/components/schemas/S\"}}}}}},");
    CHECK_OK(api_contract_parse(px_str_c(text), &t->arena, &contract, &where));
    const struct model *model = contract.routes[0].models[0].model;
    const struct px_str fits = S("{\"s/~\\\"\":{}}"), violates = S("{\"s/~\\\"\":1}");
    char why[64];
    CHECK_INT(model_check(model, fits.ptr, fits.len, why, sizeof(why)), MODEL_FITS);
    CHECK_INT(model_check(model, violates.ptr, violates.len, why, sizeof(why)), MODEL_VIOLATED);
}

TEST(validator_that_cannot_be_kept_is_refused)
{
    static const char *const members[][2] = {
        {"\"x-amazon-apigateway-request-validator\":\"none\",", "not in the file"},
        {"\"parameters\":[{\"$ref\":\"#/components/parameters/Q\"}],", "leads nowhere"},
        {"\"requestBody\":{\"content\":{\"text/csv\":{\"schema\":{}}}},", "is application/json"},
        {"\"requestBody\":{\"content\":{\"application/json\":{\"schema\":{\"pattern\":\"(\"}}}},",
         "its model is none"},
        {"\"requestBody\":{\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/T\"}}}},",
         "its model is none"},
        {"\"requestBody\":{\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/parameters/P\"}}}},",
         "its model is none"},
    };
    for (size_t i = 0; i < PX_COUNT(members); i++)
        refused(t, validated(t, members[i][0]), members[i][1]);
}

/* ---- direct integrations ---- */

#define ANSWER(status, text)                                                                       \
    "{\"statusCode\":\"" status                                                                    \
    "\",\"contentHandling\":\"CONVERT_TO_TEXT\",\"responseTemplates\":{"                           \
    "\"application/json\":\"" text "\"}}"
#define DIRECT_HEAD                                                                                \
    "\"type\":\"aws\",\"httpMethod\":\"POST\",\"uri\":\"arn:x:states:action/StartExecution\","     \
    "\"credentials\":\"arn:r\",\"passthroughBehavior\":\"never\",\"contentHandling\":\"CONVERT_TO_TEXT\","
#define DIRECT_ASK(text) "\"requestTemplates\":{\"application/json\":\"" text "\"},"
#define DIRECT_ANSWERS                                                                             \
    "\"responses\":{\"200\":" ANSWER("202", "1") ",\"4\\\\d{2}\":" ANSWER(                         \
        "400", "2") ",\"default\":" ANSWER("502", "3") "}"

static const char *direct(struct test *t, const char *members)
{
    return px_arena_printf(&t->arena,
                           "{\"openapi\":\"3.0.1\",\"paths\":{\"/a\":{\"post\":{"
                           "\"x-amazon-apigateway-integration\":{%s}}}}}",
                           members)
        .ptr;
}

TEST(answers_of_a_service_are_chosen_by_its_status)
{
    struct api_contract contract;
    struct px_where where = {0};
    const char *text = direct(t, DIRECT_HEAD DIRECT_ASK("{}") DIRECT_ANSWERS);
    CHECK_OK(api_contract_parse(px_str_c(text), &t->arena, &contract, &where));
    const struct api_direct *of = contract.routes[0].direct;
    CHECK_INT(contract.routes[0].integration, API_DIRECT);
    CHECK_STR(of->action, S("StartExecution"));
    CHECK_STR(api_direct_reply(of, 200)->template_text, S("1"));
    CHECK_STR(api_direct_reply(of, 400)->template_text, S("2"));
    CHECK_STR(api_direct_reply(of, 499)->template_text, S("2"));
    CHECK_STR(api_direct_reply(of, 201)->template_text, S("3"));
    CHECK_STR(api_direct_reply(of, 500)->template_text, S("3"));
}

TEST(direct_integration_that_is_not_evaluated_alike_is_refused)
{
    refused(t, direct(t, DIRECT_HEAD DIRECT_ANSWERS), "one request template");
    refused(
        t,
        direct(t, DIRECT_HEAD "\"requestTemplates\":{\"a/b\":\"1\",\"c/d\":\"2\"}," DIRECT_ANSWERS),
        "one request template");
    refused(
        t, direct(t, DIRECT_HEAD DIRECT_ASK("{}") "\"responses\":{\"200\":" ANSWER("200", "1") "}"),
        "\"default\"");
    refused(
        t,
        direct(t, DIRECT_HEAD DIRECT_ASK("{}") "\"responses\":{\"[45].*\":" ANSWER("200", "1") "}"),
        "responses are by");
    refused(t,
            direct(t, DIRECT_HEAD DIRECT_ASK("{}") "\"responses\":{\"4\\\\d{2}\":" ANSWER(
                          "400", "1") ",\"404\":" ANSWER("404", "1") "}"),
            "two responses fit");
    refused(t,
            direct(t, DIRECT_HEAD DIRECT_ASK(
                          "{}") "\"responses\":{\"default\":{\"statusCode\":\"200\"}}"),
            "needs one template");
    refused(t, direct(t, "\"type\":\"aws\",\"uri\":\"arn:x:sqs:path/q\""),
            "states:action/StartExecution");
    refused(t, direct(t, "\"type\":\"aws\",\"uri\":\"arn:x:states:action/StopExecution\""),
            "states:action/StartExecution");
    refused(
        t,
        direct(
            t,
            "\"type\":\"aws\",\"uri\":\"arn:x:states:action/StartExecution\",\"httpMethod\":\"POST\","
            "\"credentials\":\"arn:r\",\"passthroughBehavior\":\"when_no_match\""),
        "must be never");
}

static int settled(struct test *t, struct px_str text, struct api_contract *contract,
                   struct px_where *where)
{
    const struct api_places places = {S("aws"), S("eu-west-1"), S("000000000000"), S("prism")};
    struct vtl *vtl = NULL;
    CHECK_OK(vtl_new(NULL, &vtl));
    CHECK_OK(api_contract_parse(text, &t->arena, contract, where));
    int r = api_direct_settle(contract, &places, vtl, &t->arena, where);
    vtl_free(&vtl);
    return r;
}

TEST(places_are_filled_in_and_templates_are_of_the_subset)
{
    struct api_contract contract;
    struct px_where where = {0};
    const char *text = direct(
        t, DIRECT_HEAD DIRECT_ASK(
               "\\\"${partition}:${region}:${account}:${prefix}-m:$context.requestId\\\"")
               DIRECT_ANSWERS);
    CHECK_OK(settled(t, px_str_c(text), &contract, &where));
    CHECK_STR(contract.routes[0].direct->template_text,
              S("\"aws:eu-west-1:000000000000:prism-m:$context.requestId\""));
    text = direct(t, DIRECT_HEAD DIRECT_ASK("\\\"$input.body\\\"") DIRECT_ANSWERS);
    CHECK_INT(settled(t, px_str_c(text), &contract, &where), API_CONTRACT_INVALID);
    CHECK(strstr(where.expected, "a mapping template: a value of the request") &&
          strcmp(where.path, "POST /a") == 0);
}

TEST(the_contract_s_own_templates_are_of_the_subset)
{
    struct api_contract contract;
    struct px_where where = {0};
    size_t count = 0;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 8u << 20);
    CHECK_OK(px_file_read(PX_SOURCE_DIR "/platform/api.openapi.json", &text));
    int r = settled(t, px_buf_str(&text), &contract, &where);
    if (r != 0) TEST_FAIL("%s: %s", where.path, where.expected);
    for (size_t i = 0; i < contract.route_count; i++) count += contract.routes[i].direct != NULL;
    CHECK_INT(count, 1);
}

TEST_MAIN
