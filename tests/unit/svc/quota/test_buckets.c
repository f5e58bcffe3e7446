/* Token buckets: exact rates, bounded memory. */
#include "support/support.h"

#include <stdlib.h>

#include "svc/quota/buckets.h"

#define DAY_NS (86400 * PX_NS_PER_S)

static struct buckets *made(bool tiers)
{
    struct buckets *buckets = NULL;
    CHECK_OK(buckets_new(tiers, &buckets));
    return buckets;
}

static int take(struct buckets *buckets, const char *own, uint64_t bytes, int64_t at_ns,
                struct quota_refusal *refusal)
{
    const struct buckets_spend spend = {.tenant = S("acme"),
                                        .tier = S("pooled"),
                                        .own = px_str_c(own),
                                        .bytes = bytes,
                                        .mono_ns = at_ns,
                                        .wall_ns = DAY_NS * 20000 + at_ns};
    return buckets_take(buckets, &spend, refusal);
}

/* Calls come every step_ns for 5 s; after the burst, each window of a second that begins at any of them has the rate within 2 %,
 * or one request where that is less than one. */
static void hold_to_rate(struct test *t, const char *own, int64_t rate, int64_t step_ns)
{
    struct buckets *buckets = made(false);
    struct quota_refusal refusal;
    size_t count = (size_t)(5 * PX_NS_PER_S / step_ns), window = (size_t)(PX_NS_PER_S / step_ns);
    uint32_t *sums = calloc(count + 1, sizeof(*sums));
    CHECK(sums);
    for (size_t i = 0; i < count; i++)
        sums[i + 1] = sums[i] + (take(buckets, own, 0, (int64_t)i * step_ns, &refusal) == 0);
    for (size_t i = 2 * window; i + window <= count; i++) {
        int64_t got = sums[i + window] - sums[i], off = llabs(got - rate);
        if (off * 50 > rate && off > 1) CHECK_INT(got, rate);
    }
    free(sums);
    buckets_free(&buckets);
    (void)t;
}

TEST(over_any_second_a_flood_gets_its_rate_within_two_percent)
{
    hold_to_rate(t, "{\"requests_per_s\":1,\"requests_burst\":1}", 1, 1000000);
    hold_to_rate(t, "{\"requests_per_s\":7,\"requests_burst\":9}", 7, 999999);
    hold_to_rate(t, "{\"requests_per_s\":50,\"requests_burst\":100}", 50, 200003);
    hold_to_rate(t, "{\"requests_per_s\":333}", 333, 30011);
    hold_to_rate(t, "{\"requests_per_s\":3000,\"requests_burst\":10}", 3000, 3331);
    hold_to_rate(t, "{\"requests_per_s\":70000,\"requests_burst\":10}", 70000, 1409);
}

TEST(a_full_bucket_holds_its_burst_and_a_refusal_spends_nothing)
{
    struct buckets *buckets = made(false);
    struct quota_refusal refusal = {0};
    static const char own[] = "{\"requests_per_s\":2,\"requests_burst\":3}";
    for (int i = 0; i < 3; i++) CHECK_OK(take(buckets, own, 0, 0, &refusal));
    for (int i = 0; i < 100; i++) CHECK_INT(take(buckets, own, 0, 0, &refusal), BUCKETS_OVER);
    CHECK_STR(refusal.name, S("requests_per_s"));
    CHECK_INT(refusal.limit, 2);
    CHECK_INT(refusal.window_s, 1);
    CHECK_INT(refusal.wait_s, 1);
    CHECK_INT(take(buckets, own, 0, PX_NS_PER_S / 2 - 1, &refusal), BUCKETS_OVER);
    CHECK_OK(take(buckets, own, 0, PX_NS_PER_S / 2, &refusal));
    CHECK_INT(take(buckets, own, 0, PX_NS_PER_S / 2, &refusal), BUCKETS_OVER);
    buckets_free(&buckets);
}

static int enter(struct buckets *buckets, const char *own, const char *function,
                 struct bucket **place, struct quota_refusal *refusal)
{
    const struct buckets_spend spend = {
        .tenant = S("acme"), .own = px_str_c(own), .function = px_str_c(function)};
    *place = NULL;
    return buckets_enter(buckets, &spend, place, refusal);
}

TEST(places_of_queries_are_taken_and_given_back)
{
    struct buckets *buckets = made(false);
    struct quota_refusal refusal = {0};
    struct bucket *first, *second, *none;
    static const char own[] = "{\"concurrent_queries\":2}";
    CHECK_OK(enter(buckets, own, "query", &first, &refusal));
    CHECK_OK(enter(buckets, own, "ingest", &none, &refusal)); /* not a query */
    CHECK(first && !none);
    CHECK_OK(enter(buckets, own, "query", &second, &refusal));
    CHECK_INT(enter(buckets, own, "query", &none, &refusal), BUCKETS_OVER);
    CHECK(!none);
    CHECK_STR(refusal.name, S("concurrent_queries"));
    CHECK_INT(refusal.limit, 2);
    CHECK_INT(refusal.window_s, 0);
    CHECK_INT(refusal.wait_s, 1);
    CHECK_OK(enter(buckets, "", "query", &none, &refusal)); /* without limits nothing is counted */
    CHECK(!none);
    CHECK_OK(enter(buckets, "{\"datasets\":1}", "query", &none, &refusal));
    CHECK(!none);
    /* However many others are seen, who has queries running is remembered. */
    char name[24];
    for (size_t i = 0; i <= BUCKETS_MAX; i++) {
        (void)snprintf(name, sizeof name, "t%zu", i);
        const struct buckets_spend spend = {.tenant = px_str_c(name), .own = S("{\"datasets\":1}")};
        CHECK_OK(buckets_take(buckets, &spend, &refusal));
    }
    CHECK_INT(enter(buckets, own, "query", &none, &refusal), BUCKETS_OVER);
    buckets_leave(&first);
    buckets_leave(&first); /* an empty one is a no-op */
    CHECK_OK(enter(buckets, own, "query", &first, &refusal));
    buckets_leave(&first);
    buckets_leave(&second);
    buckets_free(&buckets);
}

TEST(what_is_left_is_told_of_each_limit_that_there_is)
{
    struct buckets *buckets = made(false);
    struct quota_refusal refusal = {0};
    struct quota_left left[BUCKETS_LEFT_MAX];
    static const char own[] = "{\"requests_per_s\":2,\"requests_burst\":4,\"requests_per_day\":5,"
                              "\"bytes_per_s\":1000,\"datasets\":1}";
    struct buckets_spend spend = {.tenant = S("acme"), .own = px_str_c(own)};
    spend.wall_ns = DAY_NS * 20000;
    CHECK_INT(buckets_left(buckets, &spend, left), 0); /* never seen */
    for (int i = 0; i < 3; i++) CHECK_OK(take(buckets, own, 100, 0, &refusal));
    CHECK_INT(buckets_left(buckets, &spend, left), 3);
    static const struct {
        const char *name;
        int64_t limit, left, window_s, whole_s;
    } told[] = {{"requests_per_s", 2, 1, 1, 2},
                {"requests_per_day", 5, 2, 86400, 86400},
                {"bytes_per_s", 1000, 700, 1, 1}};
    for (size_t i = 0; i < PX_COUNT(told); i++) {
        CHECK_STR(left[i].name, px_str_c(told[i].name));
        CHECK_INT(left[i].limit, told[i].limit);
        CHECK_INT(left[i].left, told[i].left);
        CHECK_INT(left[i].window_s, told[i].window_s);
        CHECK_INT(left[i].whole_s, told[i].whole_s);
    }
    spend.mono_ns = 2 * PX_NS_PER_S;
    spend.wall_ns += DAY_NS; /* a burst is there again, and a day has begun */
    CHECK_INT(buckets_left(buckets, &spend, left), 3);
    CHECK_INT(left[0].left, 4);
    CHECK_INT(left[0].whole_s, 0);
    CHECK_INT(left[1].left, 5);
    CHECK_INT(left[2].left, 1000);
    CHECK_OK(take(buckets, own, 9000, PX_NS_PER_S * 2, &refusal)); /* in debt: nothing is left */
    CHECK_INT(buckets_left(buckets, &spend, left), 3);
    CHECK_INT(left[2].left, 0);
    CHECK_INT(left[2].whole_s, 9);
    spend.own = S("");
    CHECK_INT(buckets_left(buckets, &spend, left), 0);
    buckets_free(&buckets);
}

TEST(bytes_may_go_into_debt_by_one_body_and_are_paid_back)
{
    struct buckets *buckets = made(false);
    struct quota_refusal refusal = {0};
    static const char own[] = "{\"bytes_per_s\":1000000}";
    CHECK_OK(take(buckets, own, 10000000, 0, &refusal));
    CHECK_INT(take(buckets, own, 1, 0, &refusal), BUCKETS_OVER);
    CHECK_STR(refusal.name, S("bytes_per_s"));
    CHECK_INT(refusal.wait_s, 10);
    CHECK_OK(take(buckets, own, 0, 0, &refusal)); /* without a body nothing is asked of it */
    CHECK_INT(take(buckets, own, 1, 9 * PX_NS_PER_S - 1, &refusal), BUCKETS_OVER);
    CHECK_OK(take(buckets, own, 1, 9 * PX_NS_PER_S + 1, &refusal));
    buckets_free(&buckets);
}

TEST(a_days_requests_are_counted_until_midnight)
{
    struct buckets *buckets = made(false);
    struct quota_refusal refusal = {0};
    static const char own[] = "{\"requests_per_day\":2}";
    CHECK_OK(take(buckets, own, 0, 0, &refusal));
    CHECK_OK(take(buckets, own, 0, 0, &refusal));
    CHECK_INT(take(buckets, own, 0, DAY_NS - 10 * PX_NS_PER_S, &refusal), BUCKETS_OVER);
    CHECK_INT(refusal.which, QUOTA_REQUESTS_PER_DAY);
    CHECK_INT(refusal.window_s, 86400);
    CHECK_INT(refusal.wait_s, 10);
    CHECK_OK(take(buckets, own, 0, DAY_NS, &refusal));
    buckets_free(&buckets);
}

TEST(without_tiers_only_own_numbers_limit_and_other_numbers_hold_at_once)
{
    struct buckets *without = made(false), *with = made(true);
    struct quota_refusal refusal = {0};
    for (int i = 0; i < 10000; i++) CHECK_OK(take(without, "", 1 << 20, 0, &refusal));
    for (int i = 0; i < 10000; i++) CHECK_OK(take(without, "{\"datasets\":1}", 1, 0, &refusal));
    int got = 0;
    while (take(with, "", 0, 0, &refusal) == 0) got++;
    CHECK(got > 10 && got < 10000);
    CHECK_OK(take(with, "{\"requests_per_s\":1000000,\"requests_burst\":1000000}", 0,
                  3600 * PX_NS_PER_S, &refusal));
    CHECK_INT(take(with, "{", 0, 0, &refusal), PX_F_PROTOCOL);
    buckets_free(&without);
    buckets_free(&with);
}

TEST(tenants_are_told_apart_and_the_least_recently_seen_is_forgotten)
{
    struct buckets *buckets = made(false);
    struct quota_refusal refusal = {0};
    char name[32];
    struct buckets_spend spend = {.own = S("{\"requests_per_s\":1,\"requests_burst\":1}")};
    for (unsigned i = 0; i < BUCKETS_MAX + 10; i++) {
        (void)snprintf(name, sizeof(name), "t%u", i);
        spend.tenant = px_str_c(name);
        CHECK_OK(buckets_take(buckets, &spend, &refusal));
        CHECK_INT(buckets_take(buckets, &spend, &refusal), BUCKETS_OVER);
    }
    spend.tenant = S("t10"); /* the oldest that is still known */
    CHECK_INT(buckets_take(buckets, &spend, &refusal), BUCKETS_OVER);
    spend.tenant = S("t9");
    CHECK_OK(buckets_take(buckets, &spend, &refusal));
    buckets_free(&buckets);
}

TEST_MAIN
