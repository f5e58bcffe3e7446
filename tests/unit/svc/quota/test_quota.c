/* What the platform says of quotas, and what a tenant's own numbers make of it. */
#include "support/support.h"

#include "svc/quota/quota.h"

static struct quota_book book_of(struct test *t)
{
    struct quota_book book;
    CHECK_OK(quota_book_read(&t->arena, &book));
    return book;
}

static const char *refusal(struct test *t, const char *json)
{
    struct quota_book book = book_of(t);
    yyjson_val *root = NULL;
    const char *why = NULL;
    CHECK_OK(px_json_parse(px_str_c(json), &t->arena, &root, NULL));
    CHECK_OK(quota_refuse(&book, root, &t->arena, &why));
    return why;
}

TEST(the_platforms_file_is_whole_and_takes_rates_from_the_usage_plans)
{
    struct quota_book book = book_of(t);
    CHECK_INT(book.tier_count, 2);
    for (size_t tier = 0; tier < book.tier_count; tier++) {
        CHECK(book.kinds[QUOTA_REQUESTS_PER_S].tiers[tier] > 0);
        CHECK(book.kinds[QUOTA_REQUESTS_BURST].tiers[tier] > 0);
        CHECK(book.kinds[QUOTA_REQUESTS_PER_DAY].tiers[tier] > 0);
        CHECK_INT(book.kinds[QUOTA_DATASETS].tiers[tier], QUOTA_NONE);
    }
    for (size_t i = 0; i < QUOTA_COUNT_; i++)
        for (size_t tier = 0; tier < book.tier_count; tier++)
            CHECK(book.kinds[i].tiers[tier] == QUOTA_NONE ||
                  (book.kinds[i].tiers[tier] >= book.kinds[i].min &&
                   book.kinds[i].tiers[tier] <= book.kinds[i].max));
}

TEST(a_change_names_known_quotas_within_their_ranges)
{
    CHECK(!refusal(t, "{}"));
    CHECK(!refusal(t, "{\"requests_per_s\":1,\"datasets\":0,\"bytes_per_s\":null}"));
    CHECK(!refusal(t, "{\"of_an_old_release\":null}"));
    CHECK(strstr(refusal(t, "{\"requests\":1}"), "no such quota; they are requests_per_s, "));
    CHECK(strstr(refusal(t, "{\"requests_per_s\":0}"),
                 "requests_per_s is a whole number of requests per second, 1 to 1000000"));
    CHECK(refusal(t, "{\"requests_per_s\":1000001}"));
    CHECK(refusal(t, "{\"requests_per_s\":18446744073709551615}"));
    CHECK(refusal(t, "{\"requests_per_s\":\"5\"}"));
    CHECK(refusal(t, "{\"requests_per_s\":-5}"));
    CHECK(refusal(t, "{\"requests_per_s\":5.5}"));
}

TEST(a_tenants_own_numbers_come_before_its_tiers)
{
    struct quota_book book = book_of(t);
    struct quota_limits limits;
    struct px_str own = S("{\"requests_per_s\":7,\"datasets\":\"x\",\"what\":1}");
    CHECK_OK(quota_limits_of(&book, S("pooled"), own, &t->arena, &limits));
    CHECK_INT(limits.values[QUOTA_REQUESTS_PER_S], 7);
    CHECK(limits.values[QUOTA_REQUESTS_BURST] > 0);
    CHECK_INT(limits.values[QUOTA_DATASETS], QUOTA_NONE);
    CHECK_OK(quota_limits_of(&book, S(""), own, &t->arena, &limits));
    CHECK_INT(limits.values[QUOTA_REQUESTS_PER_S], 7);
    CHECK_INT(limits.values[QUOTA_REQUESTS_BURST], QUOTA_NONE);
    CHECK_INT(quota_limits_of(&book, S(""), S("{"), &t->arena, &limits), QUOTA_NO_JSON);
}

TEST_MAIN
