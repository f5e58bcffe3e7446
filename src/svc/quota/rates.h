/* svc/quota/rates.h - what tenants spend a second, of buckets that all processes of a region share in table `usage`: where no gateway
 * of Prism stands in front of the functions. docs/design/quotas.md has the bounds.
 *
 * One item a tenant, changed under its version; of tenants alone that have numbers of their own for it. A process takes from it before it uses: what a request needs; once it wrote
 * four times within a second, or another was there first, besides an eighth of what it used in this second and the one before, at most
 * what an eighth of a second gives (a lease), given up after two seconds. So in any second a tenant gets its rate, what a full bucket held, and a lease for
 * each process; and all leases together are no more than a quarter of a second's use. A bucket of requests holds a quarter of a second's at least. A process that is killed leaves behind that so much was taken, never that anything is locked.
 *
 * While the table does not answer a process holds a tenant to its rate by itself, and asks again after RATES_ALONE_S. What a tier says of
 * bytes is held by each process by itself at all times.
 *
 * One thread. At most RATES_TENANTS_MAX tenants are remembered. */
#pragma once

#include "base/px_clock.h"
#include "store/tables.h"
#include "svc/quota/quota.h"
#include "svc/quota/told.h"

struct rates; /* opaque */

#define RATES_TENANTS_MAX 4096u
#define RATES_AHEAD_PART 8 /* of a second's use; at most of a second's rate: a lease */
#define RATES_LEASE_S 2
#define RATES_ALONE_S 5
#define RATES_WAIT_MS 250 /* for the tables that it should be given: table_options.busy_ms */

struct rates_options {
    const struct px_clock *clock;
    bool tiers; /* their numbers hold, too */
    /* The tables, when they are needed for the first time; borrowed until rates_free(). */
    int (*open)(void *ctx, struct table_store **ret_tables);
    /* The tables did not answer; told once until they are asked again. May be NULL. */
    void (*alone)(void *ctx, int fault);
    void *ctx;
};
PX_MUST_USE int rates_new(const struct rates_options *options, struct rates **ret_rates);
void rates_free(struct rates **rates);

struct rates_ask {
    struct px_str tenant;    /* 1 to 63 bytes */
    struct px_str tier, own; /* as the authorizer says: quota_limits_of() */
    uint64_t bytes;          /* of the request's body */
};
/* Spend one request, or nothing at all when there is not enough. Who has no limits costs no call of the table.
 * Answers: RATES_OVER, ret_refusal says what. Faults: PX_F_PROTOCOL when own is no JSON, PX_F_OOM; never those of the tables. */
enum rates_answer { RATES_OVER = 1 };
PX_MUST_USE int rates_take(struct rates *rates, const struct rates_ask *ask,
                           struct quota_refusal *ret_refusal);
#define RATES_DETAIL "too many requests at once; repeat later" /* as the gateway's THROTTLED says */
