/* region/tuning.h - what a region lets its environment change, for small machines and tests:
 *
 *   PRISM_REGION_IDLE_MS   how long an instance above the minimum idles before it ends   60000
 *   PRISM_REGION_RETRY_MS  before the first retry of an asynchronous event; then doubled 60000
 *   PRISM_REGION_METRICS_MS  how often rows of metrics are written                       60000
 *   PRISM_REGION_DRAIN_MS  how long a drain lets run what runs, then it is cut           30000
 *   PRISM_REGION_COPY_MS   with siblings: how often objects are compared with their copies 5000
 *   PRISM_REGION_SLOW_MS   from how long on a request is a row of slow_requests          5000
 *   PRISM_REGION_WRONG_KEYS_MAX  of one address in five minutes (auth_guard.h); 0: no bound   1000
 *   PRISM_REGION_RATES     gateway: it holds tenants to what they may send a second and run at once; functions: they do, as on AWS  gateway
 *   PRISM_REGION_QUOTAS    own: tenants have the limits that they were given; tier: else those of their tier  own
 *
 * and PRISM_AWS_LIMITS, "on" (the default) or "off": whether what AWS would refuse is refused where the region could do more;
 * "paced": that, and streamed answers are as slow as there.
 *
 * Memory: machine.h. */
#pragma once

#include "base/px.h"

struct region_tuning {
    uint32_t idle_ms, retry_ms, metrics_ms, drain_ms, copy_ms, wrong_keys_max, slow_ms;
    bool aws_limits, aws_pace, quota_tiers, functions_hold_rates;
};
/* Faults: PX_F_CONFIG for what is no number of milliseconds from 1 to a day, no count, or none of the words. */
PX_MUST_USE int region_tuning_read(struct region_tuning *ret_tuning);
