/* svc/quota/buckets.h - what tenants spend at one gateway: token buckets of requests and bytes per second, and a count of the
 * day's requests; and how many queries of theirs run. One thread. Never blocks; allocates for a tenant that was not there, and when its limits change.
 *
 * The requests' bucket holds requests_burst (as many as a second's, when none is said) and fills by requests_per_s. That of bytes
 * holds one second's and is spent before it is asked: one body may take it below nothing, and what comes next waits until it is
 * full again to that depth. At most BUCKETS_MAX tenants are remembered, the least recently seen is forgotten first: it begins
 * with full buckets and a new day, so it may gain one burst by it, and only while so many others were seen meanwhile. Who has queries
 * running is not forgotten. */
#pragma once

#include "base/px_clock.h"
#include "svc/quota/quota.h"
#include "svc/quota/told.h"

struct buckets; /* opaque */

#define BUCKETS_MAX 16384u

/* tiers: what has no number of its own has its tier's; else no limit. */
PX_MUST_USE int buckets_new(bool tiers, struct buckets **ret_buckets);
void buckets_free(struct buckets **buckets);
/* What is spent a second, and places of queries, are held by others (rates.h, places.h); said before the first is taken. */
void buckets_leave_rates(struct buckets *buckets);

struct buckets_spend {
    struct px_str tenant;    /* 1 to 63 bytes */
    struct px_str tier, own; /* as the authorizer says: quota_limits_of() */
    uint64_t bytes;          /* of the request's body */
    struct px_str function;  /* that it calls */
    int64_t mono_ns, wall_ns;
};
/* Spend one request, or nothing at all when there is not enough.
 * Answers: BUCKETS_OVER, ret_refusal says what. Faults: PX_F_PROTOCOL when own is no JSON, PX_F_OOM. */
enum buckets_answer { BUCKETS_OVER = 1 };
PX_MUST_USE int buckets_take(struct buckets *buckets, const struct buckets_spend *spend,
                             struct quota_refusal *ret_refusal);

/* Requests of days are kept elsewhere as well: what came of tenants with such a limit since it was taken last, of at most max of them.
 * Who takes them puts each back with the total that stands there then, others' requests included; negative: they were not kept,
 * and are taken again. */
struct buckets_day {
    char tenant[64];
    int64_t day, requests, total;
};
size_t buckets_day_take(struct buckets *buckets, struct buckets_day *ret_days, size_t max);
void buckets_day_put(struct buckets *buckets, const struct buckets_day *day);

/* Take one of the places of queries, when the call is one and its tenant has a limit of them: *ret_place is not NULL then, and
 * its holder calls buckets_leave() once, before the buckets are freed. Answers and faults as above. */
struct bucket;
PX_MUST_USE int buckets_enter(struct buckets *buckets, const struct buckets_spend *spend,
                              struct bucket **ret_place, struct quota_refusal *ret_refusal);
void buckets_leave(struct bucket **place); /* NULL is a no-op */

#define BUCKETS_LEFT_MAX 3u
/* What the tenant, which was seen before, has left of each limit that it has; returns how many these are. bytes are not looked at. */
size_t buckets_left(const struct buckets *buckets, const struct buckets_spend *spend,
                    struct quota_left ret_left[BUCKETS_LEFT_MAX]);
