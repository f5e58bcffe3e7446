/* The contract's names and the operator's: which stage a request is for, and who may ask there. */
#include "support/support.h"

#include "region/names.h"

static const char contract_text[] =
    "{\"openapi\":\"3.0.1\",\"paths\":{\"/a\":{\"get\":{\"x-amazon-apigateway-integration\":{\"type\":\"mock\","
    "\"responses\":{\"default\":{\"statusCode\":\"200\"}}}}}},\"x-prism-names\":{%s}}";

static int parse(struct test *t, const char *names, struct api_contract *ret,
                 struct px_where *where)
{
    struct px_str text = px_arena_printf(&t->arena, contract_text, names);
    return api_contract_parse(text, &t->arena, ret, where);
}

static const struct names *names_for_test(struct test *t, const struct names_own *own, size_t count)
{
    struct api_contract contract;
    struct px_where where = {0};
    static const char *const shards[] = {"s0", "s01", NULL};
    const struct names *names = NULL;
    CHECK_OK(parse(
        t,
        "\"domains\":{\"region\":\"{code}.api.{domain}\",\"origin\":\"origin.{domain}\"},"
        "\"base_path\":\"{shard}\",\"variables\":{\"shard\":\"{shard}\",\"two\":\"{shard}-{shard}\"}",
        &contract, &where));
    const struct names_options options = {.contract = px_arena_new(&t->arena, struct api_names),
                                          .shards = shards,
                                          .code = S("eu"),
                                          .own = own,
                                          .own_count = count};
    *(struct api_names *)options.contract = contract.names;
    CHECK_OK(names_new(&options, &t->arena, &names));
    return names;
}

static struct http_request request_of(struct test *t, const char *host, const char *path)
{
    struct http_header *header = px_arena_new(&t->arena, struct http_header);
    *header = (struct http_header){S("host"), px_str_c(host)};
    return (struct http_request){.path = px_str_c(path), .headers = header, .header_count = 1};
}

TEST(a_base_path_is_a_shards_stage_and_none_is_the_firsts)
{
    const struct names *names = names_for_test(t, NULL, 0);
    static const struct {
        const char *path, *stage, *below;
    } cases[] = {{"/a", "s0", "/a"},
                 {"/s0/a", "s0", "/a"},
                 {"/s01/a/b", "s01", "/a/b"},
                 {"/s01", "s01", "/"},
                 {"/s01/", "s01", "/"},
                 {"/s012/a", "s0", "/s012/a"},
                 {"//s01/a", "s0", "//s01/a"},
                 {"/S01/a", "s0", "/S01/a"},
                 {"/s0/s01/a", "s0", "/s01/a"},
                 {"*", "s0", "*"},
                 {"/", "s0", "/"}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct http_request request = request_of(t, "eu.api.localhost:8443", cases[i].path);
        struct names_place place;
        CHECK_OK(names_find(names, &request, &place));
        CHECK_STR(place.stage->name, px_str_c(cases[i].stage));
        CHECK_STR(place.path, px_str_c(cases[i].below));
        CHECK_STR(place.domain, S("eu.api.localhost"));
    }
    struct http_request request = request_of(t, "x", "/s01/a");
    struct names_place place;
    CHECK_OK(names_find(names, &request, &place)); /* no names of its own: any */
    CHECK_STR(place.stage->variables[1].value, S("s01-s01"));
}

TEST(only_names_that_there_are_and_stars_of_one_label)
{
    static const struct names_own own[] = {{{"*.example.org", 13}, false}, {{"B.test", 6}, false}};
    const struct names *names = names_for_test(t, own, PX_COUNT(own));
    static const char *const good[] = {"b.test",
                                       "B.TEST.",
                                       "b.test:1",
                                       "x.example.org",
                                       "eu.api.localhost",
                                       "origin.localhost",
                                       "localhost",
                                       "127.0.0.1",
                                       "[::1]:80",
                                       "::1",
                                       ""};
    static const char *const bad[] = {"example.org", "a.b.example.org", ".example.org",
                                      "a.test",      "eu.api.b.test",   "us.api.localhost",
                                      "b.test.evil", "1.2.3.4a",        "xb.test"};
    struct names_place place;
    for (size_t i = 0; i < PX_COUNT(good); i++) {
        struct http_request request = request_of(t, good[i], "/a");
        CHECK_OK(names_find(names, &request, &place));
    }
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct http_request request = request_of(t, bad[i], "/a");
        CHECK_INT(names_find(names, &request, &place), NAMES_FORBIDDEN);
        request = request_of(t, "b.test", "/a");
        request.authority = px_str_c(bad[i]);
        CHECK_INT(names_find(names, &request, &place), NAMES_FORBIDDEN);
    }
}

TEST(a_name_for_certificates_is_for_who_showed_one_to_it)
{
    static const struct names_own own[] = {{{"acme.test", 9}, true}, {{"*.test", 6}, false}};
    static const struct http_client_certificate shown = {0};
    const struct names *names = names_for_test(t, own, PX_COUNT(own));
    struct http_request request = request_of(t, "ACME.test", "/a");
    struct names_place place;
    CHECK_INT(names_find(names, &request, &place), NAMES_FORBIDDEN);
    request.server_name = S("acme.test");
    CHECK_INT(names_find(names, &request, &place), NAMES_FORBIDDEN);
    request.client = &shown;
    CHECK_OK(names_find(names, &request, &place));
    request.server_name = S("other.test");
    CHECK_INT(names_find(names, &request, &place), NAMES_FORBIDDEN);
    request = request_of(t, "other.test", "/a");
    CHECK_OK(names_find(names, &request, &place));
    struct px_str each[8];
    CHECK_INT(names_each(names, each, PX_COUNT(each)), 3);
    CHECK_STR(each[2], S("*.test"));
}

TEST(what_is_no_name_is_refused)
{
    static const char *const wrong[] = {
        "\"domains\":{\"a\":\"Upper.{domain}\"}", "\"domains\":{\"a\":1}", "\"base_path\":\"a/b\"",
        "\"variables\":{\"a\":1}",
        "\"domains\":{\"1\":\"a\",\"2\":\"a\",\"3\":\"a\",\"4\":\"a\",\"5\":\"a\",\"6\":\"a\",\"7\":\"a\",\"8\":\"a\",\"9\":\"a\"}"};
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        struct api_contract contract;
        struct px_where where = {0};
        CHECK_INT(parse(t, wrong[i], &contract, &where), API_CONTRACT_INVALID);
        CHECK(strstr(where.path, "x-prism-names"));
    }
    static const char *const shards[] = {"s0", NULL};
    static const char *const own[] = {"no name", "", "*", "a/b", "*.*.a"};
    struct api_names none = {0};
    const struct names *names = NULL;
    for (size_t i = 0; i < PX_COUNT(own); i++) {
        struct names_own one = {px_str_c(own[i]), false};
        const struct names_options options = {
            .contract = &none, .shards = shards, .code = S("eu"), .own = &one, .own_count = 1};
        CHECK_INT(names_new(&options, &t->arena, &names), PX_F_CONFIG);
    }
}

TEST_MAIN
