/* svc/quota/places.h - how many queries of a tenant run at once, counted by all processes of a region together in table `usage`: where no
 * gateway of Prism stands in front of the functions. docs/design/quotas.md has the bounds.
 *
 * One item a tenant, changed under its version; of tenants alone that have such a limit. It names the places that are taken, each with the
 * time at which it ends by itself. So no more run than there are places, whoever asks at once, and a process that is killed
 * holds its place until its query's time would have been up. Two writes and a read a query.
 *
 * While the table does not answer queries are let in, and it is asked again after PLACES_ALONE_S. A limit above PLACES_MAX is held as that:
 * a function has no more instances than an account's concurrency, and an item has to stay small.
 *
 * One thread, one place at a time. */
#pragma once

#include "base/px_clock.h"
#include "store/tables.h"
#include "svc/quota/quota.h"
#include "svc/quota/told.h"

struct places; /* opaque */

#define PLACES_MAX 1000
#define PLACES_ALONE_S 5
#define PLACES_WAIT_MS 250 /* for the tables that it should be given: table_options.busy_ms */
#define PLACES_HOLD_MS_MAX 1200000 /* above Lambda's 15 minutes; what says more is not believed */

struct places_options {
    const struct px_clock *clock;
    bool tiers; /* their numbers hold, too */
    /* The tables, when they are needed for the first time; borrowed until places_free(). */
    int (*open)(void *ctx, struct table_store **ret_tables);
    /* The tables did not answer; told once until they are asked again. May be NULL. */
    void (*alone)(void *ctx, int fault);
    void *ctx;
};
PX_MUST_USE int places_new(const struct places_options *options, struct places **ret_places);
void places_free(struct places **places); /* what is held ends by itself */

struct places_ask {
    struct px_str tenant;    /* 1 to 63 bytes */
    struct px_str tier, own; /* as the authorizer says: quota_limits_of() */
    int64_t hold_ms;         /* after which the query is surely over; 1 to PLACES_HOLD_MS_MAX */
};
/* Take a place, if the tenant has a limit; none is held before. Who has no limit costs no call of the table.
 * Answers: PLACES_OVER, ret_refusal says what. Faults: PX_F_PROTOCOL when own is no JSON, PX_F_OOM; never those of the tables. */
enum places_answer { PLACES_OVER = 1 };
PX_MUST_USE int places_enter(struct places *places, const struct places_ask *ask,
                             struct quota_refusal *ret_refusal);
/* Give it back, if one is held. What cannot be given back ends by itself. */
void places_leave(struct places *places);
