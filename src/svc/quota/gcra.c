/* svc/quota/gcra.c - see gcra.h. */
#include "svc/quota/gcra.h"

struct quota_price quota_price_request(const struct quota_limits *limits)
{
    int64_t rate = limits->values[QUOTA_REQUESTS_PER_S],
            burst = limits->values[QUOTA_REQUESTS_BURST];
    if (rate <= 0) return (struct quota_price){0};
    if (burst <= 0) burst = rate;
    int64_t cost_ns = PX_MAX(PX_NS_PER_S / rate, 1);
    return (struct quota_price){PX_MIN(burst, INT64_MAX / 2 / cost_ns) * cost_ns, cost_ns, false};
}

struct quota_price quota_price_bytes(const struct quota_limits *limits, uint64_t bytes)
{
    int64_t rate = limits->values[QUOTA_BYTES_PER_S];
    if (rate <= 0 || bytes == 0) return (struct quota_price){0};
    double cost_ns = (double)bytes * (double)PX_NS_PER_S / (double)rate;
    return (struct quota_price){PX_NS_PER_S, (int64_t)PX_MIN(cost_ns, 1e18), true};
}

int64_t quota_lacking_ns(int64_t full_ns, const struct quota_price *price, int64_t now_ns)
{
    if (price->depth_ns == 0) return 0;
    int64_t owed_ns = full_ns > now_ns ? full_ns - now_ns : 0;
    int64_t room_ns = price->depth_ns - (price->in_debt ? 1 : price->cost_ns);
    return PX_MAX(owed_ns - room_ns, 0);
}

void quota_pay(int64_t *full_ns, const struct quota_price *price, int64_t now_ns)
{
    if (price->depth_ns > 0) *full_ns = PX_MAX(*full_ns, now_ns) + price->cost_ns;
}
