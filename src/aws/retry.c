/* aws/retry.c - budget and pauses; docs: retry.h. */
#include "aws/retry.h"

bool retry_budget_take(struct retry_budget *budget, int cost)
{
    PX_ASSERT(cost > 0);
    if (budget->tokens < cost) return false;
    budget->tokens -= cost;
    return true;
}

void retry_budget_refund(struct retry_budget *budget, int cost)
{
    PX_ASSERT(cost >= 0);
    budget->tokens = PX_MIN(budget->tokens + PX_MAX(cost, 1), RETRY_TOKENS_MAX);
}

uint32_t retry_delay_ms(const struct retry_pace *pace, unsigned retry, uint64_t random)
{
    uint64_t ceiling = (uint64_t)pace->base_ms << PX_MIN(retry, 31u);
    ceiling = PX_MIN(ceiling, (uint64_t)pace->cap_ms);
    return (uint32_t)(random % (ceiling + 1));
}
