/* Policies and the authorizer cache. */
#include "support/support.h"

#include "region/auth_cache.h"

static const char arn[] = "arn:aws:execute-api:local:000000000000:prism/v1/POST/v1/logs";

static struct auth_result policy(struct test *t, const char *text)
{
    struct auth_result result;
    CHECK(auth_result_parse(px_str_c(text), &t->arena, &result));
    return result;
}

#define POLICY(statements)                                                                         \
    "{\"policyDocument\":{\"Version\":\"2012-10-17\",\"Statement\":[" statements                   \
    "]},\"context\":{\"tenant\":\"acme\",\"scopes\":\"ingest\",\"epoch\":\"7\"}}"
#define ALLOW_ALL "{\"Effect\":\"Allow\",\"Action\":\"execute-api:Invoke\",\"Resource\":\"arn:*\"}"

TEST(allow_that_matches_allows_and_context_is_read)
{
    struct auth_result r = policy(t, POLICY(ALLOW_ALL));
    CHECK(auth_result_allows(&r, arn));
    CHECK_STR(r.caller.tenant, S("acme"));
    CHECK_INT(r.caller.epoch, 7);
}

TEST(deny_wins_over_allow_in_any_order)
{
    struct auth_result r = policy(
        t, POLICY(ALLOW_ALL ",{\"Effect\":\"Deny\",\"Resource\":[\"*/v1/logs\"]}"));
    CHECK(!auth_result_allows(&r, arn));
    r = policy(t, POLICY("{\"Effect\":\"Deny\",\"Resource\":\"*/v1/traces\"}," ALLOW_ALL));
    CHECK(auth_result_allows(&r, arn));
}

TEST(nothing_that_matches_means_no)
{
    struct auth_result r = policy(t, POLICY("{\"Effect\":\"Allow\",\"Resource\":\"*/GET/*\"}"));
    CHECK(!auth_result_allows(&r, arn));
}

TEST(what_is_no_policy_is_refused)
{
    static const char *const texts[] = {
        "",
        "null",
        "{}",
        POLICY(""),
        POLICY("{\"Effect\":\"Maybe\",\"Resource\":\"*\"}"),
        POLICY("{\"Effect\":\"Allow\"}"),
        "{\"policyDocument\":{\"Statement\":[" ALLOW_ALL "]},\"context\":{\"epoch\":\"x\"}}",
    };
    struct auth_result r;
    for (size_t i = 0; i < PX_COUNT(texts); i++)
        CHECK(!auth_result_parse(px_str_c(texts[i]), &t->arena, &r));
}

TEST(cached_result_ends_with_its_time_and_by_clear)
{
    struct auth_cache *cache = NULL;
    struct auth_result r = policy(t, POLICY(ALLOW_ALL));
    CHECK_OK(auth_cache_new(&t->clock, 60, 8, &cache));
    CHECK(!auth_cache_find(cache, S("Bearer a")));
    CHECK_OK(auth_cache_put(cache, S("Bearer a"), &r));
    const struct auth_result *found = auth_cache_find(cache, S("Bearer a"));
    CHECK(found);
    CHECK_STR(found->caller.tenant, S("acme"));
    CHECK(auth_result_allows(found, arn));
    test_advance(t, 61 * PX_NS_PER_S);
    CHECK(!auth_cache_find(cache, S("Bearer a")));
    CHECK_OK(auth_cache_put(cache, S("Bearer a"), &r));
    auth_cache_clear(cache);
    CHECK(!auth_cache_find(cache, S("Bearer a")));
    auth_cache_free(&cache);
}

TEST(cache_is_bounded_and_drops_the_least_recently_used)
{
    struct auth_cache *cache = NULL;
    struct auth_result r = policy(t, POLICY(ALLOW_ALL));
    CHECK_OK(auth_cache_new(&t->clock, 60, 2, &cache));
    CHECK_OK(auth_cache_put(cache, S("a"), &r));
    CHECK_OK(auth_cache_put(cache, S("b"), &r));
    CHECK(auth_cache_find(cache, S("a")));
    CHECK_OK(auth_cache_put(cache, S("c"), &r));
    CHECK(auth_cache_find(cache, S("a")));
    CHECK(!auth_cache_find(cache, S("b")));
    auth_cache_free(&cache);
}

TEST_MAIN
