/* svc/quota/told.h - what callers are told of quotas: a refusal, and the fields RateLimit and RateLimit-Policy
 * (draft-ietf-httpapi-ratelimit-headers-10). */
#pragma once

#include "base/px_arena.h"
#include "svc/quota/quota.h"

struct quota_refusal {
    enum quota_name which;
    struct px_str name; /* of it; lives as long as who refused */
    int64_t limit;
    int64_t window_s; /* that limit is for; 0: it is of what is there at once */
    int64_t wait_s;   /* until it is worth trying again; 1 or more */
};
/* What is left of one limit. Of requests a second it may be more than the limit: a burst is. */
struct quota_left {
    enum quota_name which;
    struct px_str name; /* lives as long as who tells it */
    int64_t limit, left, window_s;
    int64_t whole_s; /* until all of it is there again, when nothing is spent meanwhile */
};

/* Values of RateLimit and of RateLimit-Policy, in an arena; ptr NULL: nothing is told. */
struct quota_fields {
    struct px_str state, policy;
};
/* One more item of both lists. Where the arena is full, ptr is NULL. */
struct quota_fields quota_fields_add(struct px_arena *arena, struct quota_fields before,
                                     const struct quota_left *item);
struct quota_fields quota_fields_of_refusal(struct px_arena *arena,
                                            const struct quota_refusal *over);
