/* svc/home/home.h - is a tenant at home in this region?
 *
 * The registry's tables are copied between regions, and of two writes to one item the later one stands.
 * So one region changes a tenant: its home. Records lie there, too. A region that is asked for somebody
 * else's tenant says 421 (RFC 9110 section 15.5.20) and names the home; the edge router then looks
 * anew where the tenant is. docs/design/aws.md, "Two regions". */
#pragma once

#include "base/px_arena.h"
#include "store/hot_fence.h"

#define HOME_MISDIRECTED 421
#define HOME_DETAIL "the tenant's home is another region"

struct home {             /* borrowed text */
    struct px_str region; /* this one; empty: not known, and then everybody is at home */
    struct px_str
        stands_in_for; /* regions, with commas between: their tenants come while they are down */
};
/* May the tenant and its keys be changed here? An empty home_region is an old item's: yes. */
PX_MUST_USE bool home_owns(const struct home *home, struct px_str home_region);
/* May its records be taken and queried here? At home and where this region stands in: records and
 * their catalog belong to the region that took them, so nothing is changed in two places. */
PX_MUST_USE bool home_serves(const struct home *home, struct px_str home_region);
/* The extra member of the problem, "home_region":"..."; empty without memory. */
struct px_str home_hint(struct px_str home_region, struct px_arena *arena);

/* Where a request of a tenant goes, by what the gateway knows of the tenant (which may be a minute old) and by
 * the tenant's fence, which is never old: the one with the higher epoch is right, and of one epoch the fence. */
enum home_verdict {
    HOME_HERE,
    HOME_MOVING,    /* nowhere for a moment: 503, to be repeated */
    HOME_ELSEWHERE, /* 421; ret_region says where */
    HOME_SPOOL, /* HOME_WRITE alone: into the spool, when its time has come (hot_fence_may_spool()), else as MOVING */
};
struct home_claim { /* of the caller's context, borrowed */
    struct px_str home_region;
    int64_t epoch;
};
enum home_purpose {
    HOME_READ,
    HOME_WRITE,  /* of records */
    HOME_CHANGE, /* of datasets */
};
/* ret_region: a view into claim or fence. */
enum home_verdict home_decide(const struct home *home, const struct hot_fence *fence,
                              const struct home_claim *claim, enum home_purpose purpose,
                              struct px_str *ret_region);
#define HOME_MOVING_DETAIL "the tenant is moving to another region; repeat it in a moment"
