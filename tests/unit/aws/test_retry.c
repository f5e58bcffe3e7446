/* Retries: the budget and the pauses. */
#include "support/support.h"

#include "aws/retry.h"

TEST(pauses_grow_to_a_ceiling_and_are_anything_below)
{
    struct retry_pace pace = {25, 2000};
    CHECK_INT(retry_delay_ms(&pace, 0, 25), 25);
    CHECK_INT(retry_delay_ms(&pace, 0, 26), 0);
    CHECK_INT(retry_delay_ms(&pace, 3, 200), 200);
    CHECK_INT(retry_delay_ms(&pace, 3, 201), 0);
    CHECK_INT(retry_delay_ms(&pace, 10, 2000), 2000);
    CHECK_INT(retry_delay_ms(&pace, 4000000000u, 2001), 0);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < 1000; i++)
        sum += retry_delay_ms(&pace, 2, i * UINT64_C(0x9E3779B97F4A7C15));
    CHECK(sum > 45000 && sum < 55000); /* of 0 to 100, evenly */
}

TEST(a_service_that_is_down_gets_few_retries)
{
    struct retry_budget budget;
    retry_budget_init(&budget);
    int retries = 0;
    while (retry_budget_take(&budget, RETRY_COST)) retries++;
    CHECK_INT(retries, RETRY_TOKENS_MAX / RETRY_COST);
    for (int i = 0; i < RETRY_COST - 1; i++) retry_budget_refund(&budget, 0);
    CHECK(!retry_budget_take(&budget, RETRY_COST));
    retry_budget_refund(&budget, 0);
    CHECK(retry_budget_take(&budget, RETRY_COST));
    CHECK_INT(budget.tokens, 0);
}

TEST(a_success_gives_back_what_its_last_retry_took_and_no_more_than_all)
{
    struct retry_budget budget;
    retry_budget_init(&budget);
    CHECK(retry_budget_take(&budget, RETRY_COST_TIMEOUT));
    CHECK(retry_budget_take(&budget, RETRY_COST));
    retry_budget_refund(&budget, RETRY_COST);
    CHECK_INT(budget.tokens, RETRY_TOKENS_MAX - RETRY_COST_TIMEOUT);
    for (int i = 0; i < 100; i++) retry_budget_refund(&budget, 0);
    CHECK_INT(budget.tokens, RETRY_TOKENS_MAX);
}

TEST_MAIN
