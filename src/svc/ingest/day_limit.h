/* svc/ingest/day_limit.h - how many records a tenant may send on a day (UTC): quota records_per_day. Who has no such limit is not
 * counted, and costs no call of the tables. */
#pragma once

#include "svc/ingest/request.h"
#include "svc/quota/days.h"
#include "svc/quota/quota.h"

struct day_limit; /* opaque; one thread */

/* tiers: what a tenant has no number of its own for, its tier's holds. */
PX_MUST_USE int day_limit_new(const struct px_clock *clock, bool tiers,
                              struct day_limit **ret_limit);
void day_limit_free(struct day_limit **limit);

/* What of the caller's day was taken for a request and is not used yet. */
struct day_taken {
    struct px_str tenant;
    int64_t count;
};
/* All limits of the caller. Faults: PX_F_PROTOCOL when its quotas are no JSON. */
PX_MUST_USE int day_limit_all(const struct day_limit *limit, const struct api_caller *caller,
                              struct px_arena *arena, struct quota_limits *ret_limits);
/* Take what ask says, before it is stored. Answers: REQUEST_REFUSED (429 until midnight). Faults: those of days_take(). */
PX_MUST_USE int day_limit_take(struct day_limit *limit, struct table_store *tables,
                               const struct days_ask *ask, struct px_arena *arena,
                               struct day_taken *ret_taken, struct refusal *refusal);
/* RateLimit and RateLimit-Policy of the day, as this process knows it: what others hold counts as used. ask: as it was taken. */
struct quota_fields day_limit_told(const struct day_limit *limit, const struct days_ask *ask,
                                   struct px_arena *arena);
/* What is left in taken was not stored, or had been before. */
void day_limit_return(struct day_limit *limit, struct day_taken *taken);
