/* The functions authorizer, keys and tenants: events in, answers out, over the embedded stores. */
#include "support/support.h"

#include "base/px_json.h"
#include "lambda/apigw.h"
#include "svc/security/authorizer.h"
#include "svc/security/key_admin.h"
#include "svc/security/wiring.h"
#include "svc/sharding/tenants.h"

#define ARN "arn:aws:execute-api:eu-west-1:123456789012:abcdef/prod/POST/v1/query"

static const struct token_place place = {{"dev", 3}, {"local", 5}, {"token-signing-key", 17}};

struct fixture {
    struct security_stores stores;
    struct home home; /* where the functions run */
    struct px_buf body;
    struct lambda_reply reply;
    struct test *t;
};

static struct fixture *open_functions(struct test *t)
{
    struct fixture *f = px_arena_new(&t->arena, struct fixture);
    f->t = t;
    f->home.region = S("local");
    f->stores.clock = &t->clock;
    struct security_urls urls = {test_path(t, "tables.db"), test_path(t, "secrets")};
    CHECK_OK(security_stores_open(&f->stores, &urls));
    px_buf_init(&f->body, 6u << 20);
    return f;
}

static void close_functions(struct fixture *f)
{
    px_buf_deinit(&f->body);
    security_stores_close(&f->stores);
}

static struct lambda_event event_of(struct fixture *f, struct px_str payload)
{
    px_buf_clear(&f->body);
    f->reply = (struct lambda_reply){.body = &f->body};
    return (struct lambda_event){.payload = payload, .arena = &f->t->arena, .reply = &f->reply};
}

static int revoke_keys(void *ctx, struct px_str tenant, struct px_arena *arena, size_t *ret_count)
{
    struct fixture *f = ctx;
    struct keys keys = security_keys(&f->stores);
    return keys_revoke_all(&keys, tenant, arena, ret_count);
}

static int run_tenants(struct fixture *f, struct px_str payload)
{
    struct tenants service = {security_registry(&f->stores, &f->home), revoke_keys, f};
    struct lambda_event event = event_of(f, payload);
    return tenants_handle(&service, &event);
}
static int run_keys(struct fixture *f, struct px_str payload)
{
    struct key_admin service = {security_keys(&f->stores), security_registry(&f->stores, &f->home),
                                place};
    struct lambda_event event = event_of(f, payload);
    return key_admin_handle(&service, &event);
}
static int run_authorizer(struct fixture *f, struct px_str payload)
{
    struct authorizer service = {security_keys(&f->stores), security_registry(&f->stores, NULL),
                                 S("dev"), place};
    struct lambda_event event = event_of(f, payload);
    return authorizer_handle(&service, &event);
}

static yyjson_val *answer(struct fixture *f)
{
    yyjson_val *root = NULL;
    CHECK_OK(px_json_parse(px_buf_str(&f->body), &f->t->arena, &root, NULL));
    return root;
}
static struct px_str text_at(yyjson_val *root, const char *path)
{
    return px_json_val_str(px_json_at(root, path));
}

/* An HTTP event as the gateway makes it. */
static struct px_str http(struct fixture *f, const char *method, const char *resource,
                          const char *tenant, const char *caller, const char *scopes,
                          const char *body)
{
    const struct http_header params[] = {{S("tenant"), px_str_c(tenant)},
                                         {S("key_id"), S("0123456789abcdef")}};
    struct api_event event = {
        .resource = px_str_c(resource),
        .path = px_str_c(resource),
        .method = px_str_c(method),
        .path_params = params,
        .path_param_count = PX_COUNT(params),
        .request_id = S("req-1"),
        .stage = S("v1"),
        .caller = {.tenant = px_str_c(caller),
                   .key_id = S("k"),
                   .scopes = px_str_c(scopes),
                   .tier = S("pooled"),
                   .home_region = S("local"),
                   .shard = S("shard-0"),
                   .epoch = 1},
        .body = px_str_c(body),
    };
    struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    api_event_write(&event, &buf);
    struct px_str copy = px_arena_dup(&f->t->arena, px_buf_str(&buf));
    px_buf_deinit(&buf);
    return copy;
}

static int64_t status(struct fixture *f) { return px_json_i64(answer(f), "statusCode", 0); }
static yyjson_val *http_body(struct fixture *f)
{
    struct api_response response;
    yyjson_val *root = NULL;
    CHECK_OK(api_response_parse(px_buf_str(&f->body), &f->t->arena, &response));
    CHECK_OK(px_json_parse(response.body, &f->t->arena, &root, NULL));
    return root;
}

/* A tenant with a key, by direct events as the region makes them at first start. */
static struct px_str first_key(struct fixture *f)
{
    CHECK_OK(run_tenants(f, S("{\"op\":\"create\",\"name\":\"acme\",\"tier\":\"dedicated\"}")));
    CHECK_OK(run_keys(f, S("{\"op\":\"issue\",\"tenant\":\"acme\",\"label\":\"first\"}")));
    return text_at(answer(f), "key");
}

static struct px_str request_event(struct fixture *f, struct px_str key)
{
    return px_arena_printf(&f->t->arena,
                           "{\"type\":\"REQUEST\",\"methodArn\":\"" ARN "\",\"headers\":"
                           "{\"Host\":\"x\",\"AUTHORIZATION\":\"bearer %.*s\"}}",
                           PX_FMT(key));
}

TEST(a_key_becomes_a_policy_for_the_whole_stage_and_a_context_of_strings)
{
    struct fixture *f = open_functions(t);
    struct px_str key = first_key(f);
    CHECK_OK(run_authorizer(f, request_event(f, key)));
    yyjson_val *root = answer(f);
    CHECK_STR(text_at(root, "principalId"), S("acme"));
    CHECK_STR(text_at(root, "policyDocument.Version"), S("2012-10-17"));
    yyjson_val *statement = yyjson_arr_get_first(px_json_at(root, "policyDocument.Statement"));
    CHECK_STR(px_json_str(statement, "Effect"), S("Allow"));
    CHECK_STR(px_json_str(statement, "Action"), S("execute-api:Invoke"));
    CHECK_STR(px_json_val_str(yyjson_arr_get_first(px_json_arr(statement, "Resource"))),
              S("arn:aws:execute-api:eu-west-1:123456789012:abcdef/prod/*"));
    CHECK_STR(text_at(root, "context.tenant"), S("acme"));
    CHECK_STR(text_at(root, "context.scopes"), S("ingest query"));
    CHECK_STR(text_at(root, "context.tier"), S("dedicated"));
    CHECK_STR(text_at(root, "context.home_region"), S("local"));
    CHECK_STR(text_at(root, "context.shard"), S("shard-0"));
    CHECK_STR(text_at(root, "context.epoch"), S("1"));
    CHECK_STR(text_at(root, "context.key_id"), px_str(key.ptr + 6, 16));
    /* "prism" and sha256sum of dev/acme */
    CHECK_STR(text_at(root, "usageIdentifierKey"),
              S("prism33c84eb23b889dc6263b453d24590707271cae6b87df05409cad60a18a0a9d44"));
    close_functions(f);
}

TEST(the_key_may_come_as_token_or_as_x_api_key)
{
    struct fixture *f = open_functions(t);
    struct px_str key = first_key(f);
    CHECK_OK(run_authorizer(f, px_arena_printf(&t->arena,
                                               "{\"type\":\"TOKEN\",\"methodArn\":\"" ARN
                                               "\",\"authorizationToken\":\"Bearer %.*s\"}",
                                               PX_FMT(key))));
    CHECK_OK(run_authorizer(f, px_arena_printf(&t->arena,
                                               "{\"type\":\"REQUEST\",\"methodArn\":\"" ARN
                                               "\",\"headers\":{\"x-api-key\":\"%.*s\"}}",
                                               PX_FMT(key))));
    close_functions(f);
}

static void check_unauthorized(struct fixture *f, struct px_str payload)
{
    CHECK_INT(run_authorizer(f, payload), LAMBDA_ERROR);
    CHECK_STR(f->reply.error_message, S("Unauthorized"));
    CHECK_INT(f->body.len, 0);
}

TEST(every_key_that_does_not_open_gets_the_same_word)
{
    struct fixture *f = open_functions(t);
    struct px_str key = first_key(f);
    check_unauthorized(f, S("{\"type\":\"REQUEST\",\"methodArn\":\"" ARN "\"}"));
    check_unauthorized(f, S("{\"type\":\"REQUEST\",\"methodArn\":\"" ARN "\",\"headers\":[1]}"));
    check_unauthorized(f, S("{\"type\":\"TOKEN\",\"methodArn\":\"" ARN "\"}"));
    check_unauthorized(f, request_event(f, S("")));
    check_unauthorized(f, request_event(f, S("prism_x_y")));
    check_unauthorized(f, request_event(f, px_str(key.ptr, key.len - 1)));
    check_unauthorized(f, px_arena_printf(&t->arena,
                                          "{\"type\":\"REQUEST\",\"methodArn\":\"" ARN
                                          "\",\"headers\":{\"Authorization\":\"Basic %.*s\"}}",
                                          PX_FMT(key)));
    struct px_str revoke_event = px_arena_printf(
        &t->arena, "{\"op\":\"revoke\",\"tenant\":\"acme\",\"key_id\":\"%.16s\"}", key.ptr + 6);
    CHECK_OK(run_keys(f, revoke_event));
    check_unauthorized(f, request_event(f, key));
    close_functions(f);
}

TEST(a_suspended_tenant_is_denied_and_a_deleted_one_unknown)
{
    struct fixture *f = open_functions(t);
    struct px_str key = first_key(f);
    CHECK_OK(run_tenants(f, S("{\"op\":\"change\",\"tenant\":\"acme\",\"status\":\"suspended\"}")));
    CHECK_OK(run_authorizer(f, request_event(f, key)));
    yyjson_val *statement = yyjson_arr_get_first(px_json_at(answer(f), "policyDocument.Statement"));
    CHECK_STR(px_json_str(statement, "Effect"), S("Deny"));
    CHECK(!px_json_at(answer(f), "context"));
    CHECK_OK(run_tenants(f, S("{\"op\":\"delete\",\"tenant\":\"acme\"}")));
    CHECK_INT(px_json_i64(answer(f), "keys_revoked", 0), 1);
    check_unauthorized(f, request_event(f, key));
    close_functions(f);
}

TEST(what_is_no_authorizer_event_is_an_error_of_its_own)
{
    struct fixture *f = open_functions(t);
    const char *const bad[] = {
        "", "{", "[]", "{}", "{\"methodArn\":\"arn:x\"}", "{\"methodArn\":\"x/y/z\"}"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        CHECK_INT(run_authorizer(f, px_str_c(bad[i])), LAMBDA_ERROR);
        CHECK_STR(f->reply.error_type, S("InvalidEvent"));
    }
    close_functions(f);
}

#define TENANTS "/v1/admin/tenants"
#define TENANT "/v1/admin/tenants/{tenant}"
#define KEYS "/v1/admin/tenants/{tenant}/keys"

TEST(only_the_operator_manages_tenants_over_http)
{
    struct fixture *f = open_functions(t);
    const char *body = "{\"name\":\"beta\"}";
    CHECK_OK(run_tenants(f, http(f, "POST", TENANTS, "", "acme", "ingest query admin", body)));
    CHECK_INT(status(f), 403);
    CHECK_OK(run_tenants(f, http(f, "POST", TENANTS, "", "_system", "ingest query", body)));
    CHECK_INT(status(f), 403);
    CHECK_OK(run_tenants(f, http(f, "POST", TENANTS, "", "", "", body)));
    CHECK_INT(status(f), 403);
    CHECK_OK(run_tenants(f, http(f, "POST", TENANTS, "", "_system", "admin", body)));
    CHECK_INT(status(f), 201);
    CHECK_STR(px_json_str(http_body(f), "name"), S("beta"));
    CHECK_OK(run_tenants(f, http(f, "POST", TENANTS, "", "_system", "admin", body)));
    CHECK_INT(status(f), 409);
    CHECK_OK(run_tenants(f, http(f, "GET", TENANT, "beta", "beta", "admin", "")));
    CHECK_INT(status(f), 200);
    CHECK_OK(run_tenants(f, http(f, "GET", TENANT, "beta", "acme", "admin", "")));
    CHECK_INT(status(f), 403);
    CHECK_OK(run_tenants(f, http(f, "DELETE", TENANT, "beta", "beta", "admin", "")));
    CHECK_INT(status(f), 403);
    close_functions(f);
}

TEST(bad_bodies_are_400_with_the_place_or_the_field)
{
    struct fixture *f = open_functions(t);
    const struct {
        const char *body, *word;
    } bad[] = {
        {"{\"name\":\"x\"", "byte"},
        {"[]", "object"},
        {"", "body"},
        {"{\"nmae\":\"x\"}", "nmae"},
        {"{\"name\":7}", "text"},
        {"{\"name\":\"x\",\"quotas\":3}", "quotas"},
        {"{\"name\":\"Not Fine\"}", "name"},
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        CHECK_OK(run_tenants(f, http(f, "POST", TENANTS, "", "_system", "admin", bad[i].body)));
        CHECK_INT(status(f), 400);
        struct px_str detail = px_json_str(http_body(f), "detail");
        CHECK(strstr(px_arena_cstr(&t->arena, detail), bad[i].word));
    }
    close_functions(f);
}

TEST(an_admin_key_manages_the_keys_of_its_own_tenant_only)
{
    struct fixture *f = open_functions(t);
    first_key(f);
    CHECK_OK(run_tenants(f, S("{\"op\":\"create\",\"name\":\"beta\"}")));
    const char *body =
        "{\"scopes\":[\"admin\"],\"label\":\"l\",\"expires\":\"2027-01-01T00:00:00Z\"}";
    CHECK_OK(run_keys(f, http(f, "POST", KEYS, "acme", "acme", "admin", body)));
    CHECK_INT(status(f), 201);
    CHECK_STR(px_json_str(http_body(f), "expires"), S("2027-01-01T00:00:00.000Z"));
    CHECK_OK(run_keys(f, http(f, "POST", KEYS, "beta", "acme", "admin", body)));
    CHECK_INT(status(f), 403);
    CHECK_OK(run_keys(f, http(f, "POST", KEYS, "beta", "_system", "admin", body)));
    CHECK_INT(status(f), 201);
    CHECK_OK(run_keys(f, http(f, "POST", KEYS, "nobody", "_system", "admin", body)));
    CHECK_INT(status(f), 404);
    CHECK_OK(run_keys(f, http(f, "GET", KEYS, "acme", "acme", "ingest query", "")));
    CHECK_INT(status(f), 403);
    CHECK_OK(run_keys(f, http(f, "GET", KEYS, "acme", "acme", "admin", "")));
    CHECK_INT(yyjson_arr_size(px_json_arr(http_body(f), "keys")), 2);
    CHECK(!memmem(f->body.ptr, f->body.len, "hash", 4));
    CHECK_OK(run_keys(f, http(f, "DELETE", KEYS "/{key_id}", "acme", "acme", "admin", "")));
    CHECK_INT(status(f), 404);
    close_functions(f);
}

TEST(a_bad_key_request_is_refused)
{
    struct fixture *f = open_functions(t);
    first_key(f);
    const char *const bad[] = {
        "{\"scopes\":[]}",        "{\"scopes\":[\"root\"]}",
        "{\"scopes\":\"admin\"}", "{\"expires\":\"soon\"}",
        "{\"expires\":12}",       "{\"expires\":\"2020-01-01T00:00:00Z\"}",
        "{\"label\":7}",          "{\"scope\":[\"admin\"]}",
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        CHECK_OK(run_keys(f, http(f, "POST", KEYS, "acme", "acme", "admin", bad[i])));
        CHECK_INT(status(f), 400);
    }
    close_functions(f);
}

static void check_misdirected(struct fixture *f)
{
    CHECK_INT(status(f), 421);
    CHECK_STR(px_json_str(http_body(f), "home_region"), S("local"));
    CHECK_STR(px_json_str(http_body(f), "detail"), S(HOME_DETAIL));
}

TEST(a_tenant_and_its_keys_are_changed_in_its_home_region_only)
{
    struct fixture *f = open_functions(t);
    struct px_str key = first_key(f);
    f->home.region = S("elsewhere");
    const char *suspend = "{\"status\":\"suspended\"}";
    CHECK_OK(run_tenants(f, http(f, "PATCH", TENANT, "acme", "_system", "admin", suspend)));
    check_misdirected(f);
    CHECK_OK(run_tenants(f, http(f, "DELETE", TENANT, "acme", "_system", "admin", "")));
    check_misdirected(f);
    CHECK_OK(run_keys(f, http(f, "POST", KEYS, "acme", "acme", "admin", "{}")));
    check_misdirected(f);
    CHECK_OK(run_keys(f, http(f, "DELETE", KEYS "/{key_id}", "acme", "acme", "admin", "")));
    check_misdirected(f);
    CHECK_INT(run_tenants(f, S("{\"op\":\"delete\",\"tenant\":\"acme\"}")), LAMBDA_ERROR);
    CHECK_STR(f->reply.error_type, S("Misdirected"));
    CHECK_STR(f->reply.error_message, S(HOME_DETAIL ": local"));

    CHECK_OK(run_tenants(f, http(f, "GET", TENANT, "acme", "acme", "admin", "")));
    CHECK_STR(px_json_str(http_body(f), "status"), S("active"));
    CHECK_OK(run_keys(f, http(f, "GET", KEYS, "acme", "acme", "admin", "")));
    CHECK_INT(yyjson_arr_size(px_json_arr(http_body(f), "keys")), 1);
    CHECK_OK(run_authorizer(f, request_event(f, key)));
    f->home.region = S("local");
    CHECK_OK(run_tenants(f, http(f, "DELETE", TENANT, "acme", "_system", "admin", "")));
    CHECK_INT(status(f), 200);
    f->home.region = S("elsewhere"); /* again, in the wrong place */
    CHECK_OK(run_tenants(f, http(f, "DELETE", TENANT, "acme", "_system", "admin", "")));
    check_misdirected(f);
    close_functions(f);
}

TEST(where_the_region_is_not_known_a_tenant_is_changed_as_ever)
{
    struct fixture *f = open_functions(t);
    first_key(f);
    f->home = (struct home){0};
    CHECK_OK(run_tenants(f, http(f, "DELETE", TENANT, "acme", "_system", "admin", "")));
    CHECK_INT(status(f), 200);
    close_functions(f);
}

TEST(direct_events_answer_plainly_and_refuse_by_name)
{
    struct fixture *f = open_functions(t);
    CHECK_OK(run_tenants(f, S("{\"op\":\"ensure\",\"name\":\"_system\"}")));
    CHECK_STR(px_json_str(answer(f), "status"), S("active"));
    CHECK_OK(run_tenants(f, S("{\"op\":\"ensure\",\"name\":\"_system\"}"))); /* again */
    CHECK_INT(run_tenants(f, S("{\"op\":\"create\",\"name\":\"_system\"}")), LAMBDA_ERROR);
    CHECK_STR(f->reply.error_type, S("Conflict"));
    CHECK_INT(run_tenants(f, S("{\"op\":\"get\",\"tenant\":\"nobody\"}")), LAMBDA_ERROR);
    CHECK_STR(f->reply.error_type, S("NotFound"));
    CHECK_INT(run_tenants(f, S("{\"op\":\"explode\"}")), LAMBDA_ERROR);
    CHECK_STR(f->reply.error_type, S("BadRequest"));
    CHECK_INT(run_tenants(f, S("nonsense")), LAMBDA_ERROR);
    CHECK_INT(run_keys(f, S("{\"op\":\"list\",\"tenant\":\"\"}")), LAMBDA_ERROR);
    CHECK_OK(run_tenants(f, S("{\"op\":\"list\",\"limit\":1}")));
    CHECK_STR(px_json_str(answer(f), "next"), S("_system"));
    close_functions(f);
}

/* ---- tokens ---- */

#define TOKENS "/v1/tokens"

/* What POST /v1/tokens gets from the gateway: the context that the authorizer made of what was shown. */
static struct px_str token_request(struct fixture *f, struct px_str shown, const char *body)
{
    CHECK_OK(run_authorizer(f, request_event(f, shown)));
    struct api_event event = {.resource = S(TOKENS),
                              .path = S(TOKENS),
                              .method = S("POST"),
                              .request_id = S("req-1"),
                              .stage = S("v1"),
                              .body = px_str_c(body)};
    api_caller_read(px_json_obj(answer(f), "context"), &event.caller);
    struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    api_event_write(&event, &buf);
    struct px_str copy = px_arena_dup(&f->t->arena, px_buf_str(&buf));
    px_buf_deinit(&buf);
    return copy;
}

static int64_t ask_token(struct fixture *f, struct px_str shown, const char *body)
{
    CHECK_OK(run_keys(f, token_request(f, shown, body)));
    return status(f);
}

static struct px_str issue_token(struct fixture *f, struct px_str key, const char *body)
{
    CHECK_INT(ask_token(f, key, body), 201);
    return px_json_str(http_body(f), "token");
}

static struct px_str issue_key(struct fixture *f, const char *scopes)
{
    struct px_str op = px_arena_printf(
        &f->t->arena, "{\"op\":\"issue\",\"tenant\":\"acme\",\"scopes\":[%s]}", scopes);
    CHECK_OK(run_keys(f, op));
    return text_at(answer(f), "key");
}

TEST(a_token_says_what_its_key_says_or_less)
{
    struct fixture *f = open_functions(t);
    struct px_str key = first_key(f); /* ingest, query */
    struct px_str token = issue_token(f, key, "");
    CHECK_OK(run_authorizer(f, request_event(f, token)));
    CHECK_STR(text_at(answer(f), "context.scopes"), S("ingest query"));
    CHECK_STR(text_at(answer(f), "context.tenant"), S("acme"));
    CHECK_INT(text_at(answer(f), "context.token").len, TOKEN_ID_LEN);
    CHECK_STR(text_at(answer(f), "context.key_id"), px_str(key.ptr + 6, 16));
    CHECK_OK(run_authorizer(f, request_event(f, key)));
    CHECK_INT(text_at(answer(f), "context.token").len, 0);

    token = issue_token(f, key, "{\"scopes\":[\"query\"],\"expires_in_s\":60}");
    CHECK_OK(run_authorizer(f, request_event(f, token)));
    CHECK_STR(text_at(answer(f), "context.scopes"), S("query"));
    test_advance(t, 60 * PX_NS_PER_S);
    check_unauthorized(f, request_event(f, token));

    struct px_str reader = issue_key(f, "\"query\"");
    CHECK_INT(ask_token(f, reader, "{\"scopes\":[\"ingest\"]}"), 403);
    CHECK_INT(ask_token(f, reader, "{\"scopes\":[\"admin\"]}"), 400);
    struct px_str admin = issue_key(f, "\"admin\"");
    CHECK_INT(ask_token(f, admin, ""), 400); /* has none that a token may have */
    token = issue_token(f, admin, "{\"scopes\":[\"ingest\"]}");
    CHECK_OK(run_authorizer(f, request_event(f, token)));
    CHECK_STR(text_at(answer(f), "context.scopes"), S("ingest"));
    CHECK_INT(ask_token(f, token, ""), 403); /* no token of a token */
    close_functions(f);
}

TEST(a_bad_wish_for_a_token_is_refused)
{
    static const char *const bad[] = {"{\"scopes\":[]}",
                                      "{\"scopes\":\"query\"}",
                                      "{\"scopes\":[\"root\"]}",
                                      "{\"scopes\":[1]}",
                                      "{\"expires_in_s\":0}",
                                      "{\"expires_in_s\":-1}",
                                      "{\"expires_in_s\":86401}",
                                      "{\"expires_in_s\":1.5}",
                                      "{\"expires_in_s\":\"60\"}",
                                      "{\"expires_in_s\":18446744073709551615}",
                                      "{\"tenant\":\"beta\"}",
                                      "[]",
                                      "{"};
    struct fixture *f = open_functions(t);
    struct px_str key = first_key(f);
    for (size_t i = 0; i < PX_COUNT(bad); i++) CHECK_INT(ask_token(f, key, bad[i]), 400);
    CHECK_INT(run_keys(f, S("{\"op\":\"token\",\"tenant\":\"acme\"}")), LAMBDA_ERROR);
    CHECK_OK(run_keys(f, http(f, "POST", TOKENS, "", "", "", "")));
    CHECK_INT(status(f), 403);
    close_functions(f);
}

TEST(a_restricted_token_says_so_to_every_function)
{
    struct fixture *f = open_functions(t);
    struct px_str key = first_key(f);
    struct px_str token = issue_token(
        f, key,
        "{\"scopes\":[\"query\"],\"restriction\":{\"datasets\":[\"logs\"],"
        "\"rows\":[{\"column\":\"it's\",\"in\":[\"a\",7,true]}]}}");
    CHECK_OK(run_authorizer(f, request_event(f, token)));
    CHECK_STR(
        text_at(answer(f), "context.restriction"),
        S("{\"datasets\":[\"logs\"],\"rows\":[{\"column\":\"it's\",\"in\":[\"a\",7,true]}]}"));
    static const char *const bad[] = {"{}",
                                      "[]",
                                      "null",
                                      "\"x\"",
                                      "{\"datasets\":[]}",
                                      "{\"rows\":[]}",
                                      "{\"datasets\":[\"\"]}",
                                      "{\"dataset\":[\"x\"]}",
                                      "{\"rows\":[{\"column\":\"a\"}]}",
                                      "{\"rows\":[{\"column\":\"a\",\"equals\":null}]}",
                                      "{\"rows\":[{\"column\":\"a\",\"equals\":1.5}]}",
                                      "{\"rows\":[{\"column\":\"a\",\"equals\":1,\"in\":[1]}]}",
                                      "{\"rows\":[{\"column\":\"a\",\"equals\":\"x\\u0000y\"}]}",
                                      "{\"rows\":[{\"column\":\"a\",\"in\":[]}]}",
                                      "{\"rows\":[{\"column\":\"a\",\"equals\":1,\"or\":true}]}"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct px_str body = px_arena_printf(&t->arena,
                                             "{\"scopes\":[\"query\"],\"restriction\":%s}", bad[i]);
        CHECK_INT(ask_token(f, key, px_arena_cstr(&t->arena, body)), 400);
    }
    const char *rows = "{\"restriction\":{\"rows\":[{\"column\":\"a\",\"equals\":1}]}}";
    CHECK_INT(ask_token(f, key, rows), 400); /* with the scope ingest */
    struct px_str large = px_arena_printf(
        &t->arena,
        "{\"scopes\":[\"query\"],\"restriction\":{\"rows\":[{\"column\":\"a\","
        "\"equals\":\"%02100d\"}]}}",
        0);
    CHECK_INT(ask_token(f, key, px_arena_cstr(&t->arena, large)), 400);
    close_functions(f);
}

static struct px_str issue_narrow_key(struct fixture *f, const char *scopes,
                                      const char *restriction)
{
    struct px_str op = px_arena_printf(
        &f->t->arena, "{\"op\":\"issue\",\"tenant\":\"acme\",\"scopes\":[%s],\"restriction\":%s}",
        scopes, restriction);
    CHECK_OK(run_keys(f, op));
    return text_at(answer(f), "key");
}

static struct px_str restriction_of(struct fixture *f, struct px_str shown)
{
    CHECK_OK(run_authorizer(f, request_event(f, shown)));
    return text_at(answer(f), "context.restriction");
}

#define SHOP "{\"column\":\"service\",\"equals\":\"shop\"}"
#define LEVEL "{\"column\":\"level\",\"in\":[1,2]}"

TEST(a_restricted_key_says_so_to_every_function_and_is_listed_so)
{
    struct fixture *f = open_functions(t);
    const char *narrow = "{\"datasets\":[\"logs\"],\"rows\":[" SHOP "]}";
    first_key(f);
    struct px_str key = issue_narrow_key(f, "\"query\"", narrow);
    CHECK_STR(restriction_of(f, key), px_str_c(narrow));
    CHECK_STR(text_at(answer(f), "context.scopes"), S("query"));
    CHECK_INT(text_at(answer(f), "context.token").len, 0);
    CHECK_OK(run_keys(f, http(f, "GET", KEYS, "acme", "acme", "admin", "")));
    size_t i, n = 0, found = 0;
    yyjson_val *listed;
    px_json_arr_foreach(px_json_arr(http_body(f), "keys"), i, n, listed)
    {
        yyjson_val *restriction = px_json_obj(listed, "restriction");
        if (!restriction) continue;
        found++;
        CHECK_STR(px_json_str(listed, "id"), px_str(key.ptr + 6, 16));
        CHECK_INT(yyjson_obj_size(restriction), 2);
    }
    CHECK_INT(n, 2);
    CHECK_INT(found, 1);
    close_functions(f);
}

TEST(a_bad_restriction_of_a_key_is_refused)
{
    static const char *const bad[] = {
        "{\"restriction\":{}}",
        "{\"restriction\":null}",
        "{\"restriction\":\"{}\"}",
        "{\"restriction\":{\"datasets\":[\"logs\"],\"where\":\"1=1\"}}",
        "{\"restriction\":{\"rows\":[" SHOP "]}}", /* with ingest */
        "{\"scopes\":[\"ingest\"],\"restriction\":{\"rows\":[" SHOP "]}}",
        "{\"scopes\":[\"query\",\"admin\"],\"restriction\":{\"datasets\":[\"logs\"]}}",
        "{\"scopes\":[\"admin\"],\"restriction\":{\"datasets\":[\"logs\"]}}"};
    struct fixture *f = open_functions(t);
    first_key(f);
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        CHECK_OK(run_keys(f, http(f, "POST", KEYS, "acme", "acme", "admin", bad[i])));
        CHECK_INT(status(f), 400);
    }
    const char *fine = "{\"restriction\":{\"datasets\":[\"logs\"]}}"; /* for sending, too */
    CHECK_OK(run_keys(f, http(f, "POST", KEYS, "acme", "acme", "admin", fine)));
    CHECK_INT(status(f), 201);
    close_functions(f);
}

TEST(a_token_of_a_restricted_key_is_as_narrow_or_narrower)
{
    struct fixture *f = open_functions(t);
    first_key(f);
    struct px_str key = issue_narrow_key(f, "\"query\"",
                                         "{\"datasets\":[\"logs\",\"shop\"],\"rows\":[" SHOP "]}");
    CHECK_STR(restriction_of(f, issue_token(f, key, "")),
              S("{\"datasets\":[\"logs\",\"shop\"],\"rows\":[" SHOP "]}"));
    struct px_str token = issue_token(f, key, "{\"restriction\":{\"datasets\":[\"shop\"]}}");
    CHECK_STR(restriction_of(f, token), S("{\"datasets\":[\"shop\"],\"rows\":[" SHOP "]}"));
    token = issue_token(f, key, "{\"restriction\":{\"rows\":[" LEVEL "]}}");
    CHECK_STR(restriction_of(f, token),
              S("{\"datasets\":[\"logs\",\"shop\"],\"rows\":[" SHOP "," LEVEL "]}"));
    CHECK_INT(ask_token(f, key, "{\"restriction\":{\"datasets\":[\"shop\",\"more\"]}}"), 400);
    CHECK_INT(ask_token(f, key, "{\"restriction\":{}}"), 400);
    struct px_str rows = S("");
    for (int i = 0; i < 8; i++)
        rows = px_arena_printf(&t->arena, "%.*s%s{\"column\":\"c%d\",\"equals\":1}", PX_FMT(rows),
                               i > 0 ? "," : "", i);
    struct px_str nine = px_arena_printf(&t->arena, "{\"restriction\":{\"rows\":[%.*s]}}",
                                         PX_FMT(rows));
    CHECK_INT(ask_token(f, key, px_arena_cstr(&t->arena, nine)), 400); /* nine with the key's */
    close_functions(f);
}

/* Somebody has the signing key: the restriction of the key that a token names holds all the same. */
TEST(a_token_that_is_wider_than_its_key_is_unauthorized)
{
    static const struct {
        const char *restriction;
        bool fits;
    } cases[] = {
        {"", false},
        {"{\"datasets\":[\"logs\"]}", false},
        {"{\"rows\":[" SHOP "]}", false},
        {"{\"datasets\":[\"logs\",\"more\"],\"rows\":[" SHOP "]}", false},
        {"{\"datasets\":[\"logs\"],\"rows\":[" SHOP "]}", true},
        {"{\"datasets\":[\"logs\"],\"rows\":[" LEVEL "," SHOP "]}", true},
    };
    struct fixture *f = open_functions(t);
    struct px_str first = first_key(f);
    issue_token(f, first, ""); /* makes the signing key */
    struct px_str key = issue_narrow_key(f, "\"query\"",
                                         "{\"datasets\":[\"logs\"],\"rows\":[" SHOP "]}");
    PX_AUTO(token_keys_wipe) struct token_keys signing = {0};
    CHECK_OK(token_keys_load(f->stores.secrets, place.secret, &signing));
    struct px_str audience;
    CHECK_OK(token_audience(&place, &t->arena, &audience));
    int64_t now_s = px_wall_ns(&t->clock) / PX_NS_PER_S;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        const struct token_claims claims = {.tenant = S("acme"),
                                            .key_id = px_str(key.ptr + 6, 16),
                                            .id = S("019fc9d5-2d3e-7c11-a1f0-5b1e6d1f2a3c"),
                                            .scopes = KEY_QUERY,
                                            .restriction = px_str_c(cases[i].restriction),
                                            .issued_s = now_s,
                                            .from_s = now_s,
                                            .until_s = now_s + 60};
        struct px_buf token;
        px_buf_init(&token, 2 * TOKEN_BYTES_MAX);
        CHECK_OK(token_write(&claims, audience, &signing.list[0], &token));
        if (cases[i].fits)
            CHECK_STR(restriction_of(f, px_buf_str(&token)), px_str_c(cases[i].restriction));
        else
            check_unauthorized(f, request_event(f, px_buf_str(&token)));
        px_buf_deinit(&token);
    }
    close_functions(f);
}

TEST(a_token_dies_with_its_key_and_with_its_tenant)
{
    struct fixture *f = open_functions(t);
    struct px_str first = first_key(f), second = issue_key(f, "\"query\"");
    struct px_str token = issue_token(f, second, ""), other = issue_token(f, first, "");
    CHECK_OK(run_authorizer(f, request_event(f, token)));
    CHECK_OK(
        run_keys(f, px_arena_printf(&t->arena,
                                    "{\"op\":\"revoke\",\"tenant\":\"acme\",\"key_id\":\"%.16s\"}",
                                    second.ptr + 6)));
    check_unauthorized(f, request_event(f, token));
    CHECK_OK(run_authorizer(f, request_event(f, other)));
    CHECK_OK(run_tenants(f, S("{\"op\":\"change\",\"tenant\":\"acme\",\"status\":\"suspended\"}")));
    CHECK_OK(run_authorizer(f, request_event(f, other)));
    yyjson_val *statement = yyjson_arr_get_first(px_json_at(answer(f), "policyDocument.Statement"));
    CHECK_STR(px_json_str(statement, "Effect"), S("Deny"));
    CHECK_OK(run_tenants(f, S("{\"op\":\"delete\",\"tenant\":\"acme\"}")));
    check_unauthorized(f, request_event(f, other));
    close_functions(f);
}

TEST(what_somebody_else_signed_is_unauthorized)
{
    struct fixture *f = open_functions(t);
    struct px_str key = first_key(f);
    struct px_str token = issue_token(f, key, "");
    struct fixture *elsewhere = open_functions(t); /* the same tables; another secret of keys */
    security_stores_close(&elsewhere->stores);
    elsewhere->stores = (struct security_stores){.clock = &t->clock};
    struct security_urls urls = {test_path(t, "tables.db"), test_path(t, "secrets2")};
    CHECK_OK(security_stores_open(&elsewhere->stores, &urls));
    check_unauthorized(elsewhere, request_event(elsewhere, token));
    CHECK_OK(run_authorizer(f, request_event(f, token)));
    check_unauthorized(f, request_event(f, px_arena_printf(&t->arena, "%.*sA", PX_FMT(token))));
    check_unauthorized(f, request_event(f, S("a.b.c")));
    check_unauthorized(f, request_event(f, S("eyJhbGciOiJub25lIn0.e30.")));
    close_functions(elsewhere);
    close_functions(f);
}

TEST_MAIN
