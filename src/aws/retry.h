/* aws/retry.h - how often and when a request is tried again.
 *
 * The budget is a bucket of tokens that all calls of a client share: a retry takes some, a call that
 * succeeds at once gives one back, and one that succeeds after retries gives back what its last retry
 * took. So a service that fails now and then is tried again freely, and one that is down gets about
 * one request a call instead of attempts_max. Figures: the "standard" retry mode of AWS's SDKs. */
#pragma once

#include "base/px.h"

#define RETRY_TOKENS_MAX 500
#define RETRY_COST 5
#define RETRY_COST_TIMEOUT 10 /* nobody knows how busy a silent peer is */

struct retry_budget {
    int tokens;
};
static inline void retry_budget_init(struct retry_budget *budget)
{
    budget->tokens = RETRY_TOKENS_MAX;
}
/* False, with nothing taken, when too few are left. */
PX_MUST_USE bool retry_budget_take(struct retry_budget *budget, int cost);
/* A call has succeeded; cost: what its last retry took, 0 without retries. */
void retry_budget_refund(struct retry_budget *budget, int cost);

struct retry_pace {
    uint32_t base_ms, cap_ms;
};
/* Full jitter: anything from 0 to base * 2^retry, at most cap. retry counts from 0. */
uint32_t retry_delay_ms(const struct retry_pace *pace, unsigned retry, uint64_t random);
