/* svc/quota/gcra.h - a bucket as the time at which it is full again (generic cell rate algorithm): the prices of what is spent.
 *
 * A bucket that is full at `full_ns` lacks (full_ns - now) / cost at `now`; what is spent moves full_ns on by its cost. No
 * refilling, no rounding that adds up but of the cost of one request, which is under 0.1 % at a million a second.
 * Source of the algorithm: ITU-T I.371, virtual scheduling. */
#pragma once

#include "base/px_clock.h"
#include "svc/quota/quota.h"

struct quota_price {
    int64_t depth_ns; /* of a full bucket; 0: no limit */
    int64_t cost_ns;
    bool in_debt; /* whatever is there is enough */
};
/* Of one request: the bucket holds requests_burst, or as many as a second's. */
struct quota_price quota_price_request(const struct quota_limits *limits);
/* Of a body: the bucket holds a second's. */
struct quota_price quota_price_bytes(const struct quota_limits *limits, uint64_t bytes);
/* How long until it is enough; 0: it is. */
int64_t quota_lacking_ns(int64_t full_ns, const struct quota_price *price, int64_t now_ns);
void quota_pay(int64_t *full_ns, const struct quota_price *price, int64_t now_ns);
