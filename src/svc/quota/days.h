/* svc/quota/days.h - what tenants use of a day (UTC), counted in the tables by all processes of a region together.
 *
 * One item a tenant, kind and day, changed under its version; of tenants alone that have a limit. A process takes from it before it
 * uses. So the item's number is never less than what was used, whenever a process is killed, and a limit is never overspent. It takes what it needs; once it did so eight times
 * within a second, or another was there first, as much besides as it used in this second and the one before, at most a sixteenth of
 * what a limit has left. So the number is more than what was used by what processes hold, and by what those held that ended.
 *
 * One thread. At most DAYS_TENANTS_MAX tenants are remembered; who is forgotten loses what was held for it. */
#pragma once

#include "base/px_clock.h"
#include "store/tables.h"

struct days; /* opaque */

#define DAYS_TABLE "usage"
#define DAYS_TENANTS_MAX 4096u
#define DAYS_KEPT_S (8 * 86400) /* an item, after its day */

/* kind: "records", ...; lives as long as the program. */
PX_MUST_USE int days_new(const struct px_clock *clock, struct px_str kind, struct days **ret_days);
void days_free(struct days **days);

struct days_ask {
    struct px_str tenant; /* 1 to 63 bytes */
    int64_t count;        /* to use; 0 or more */
    int64_t limit;        /* of the day; 0 or more */
};
/* Take count of today, or nothing.
 * Answers: DAYS_OVER, with what remains until midnight in *ret_wait_s.
 * Faults: those of the tables; PX_F_BUSY when others changed the item each time; PX_F_CORRUPT. */
enum days_answer { DAYS_OVER = 1, DAYS_NONE };
PX_MUST_USE int days_take(struct days *days, struct table_store *tables, const struct days_ask *ask,
                          struct px_arena *arena, int64_t *ret_wait_s);
/* What the tenant's day came to when its item was written last, without what is held here; 0: nothing is known of it. */
int64_t days_seen(const struct days *days, struct px_str tenant);
/* What was taken just now was not used. */
void days_return(struct days *days, struct px_str tenant, int64_t count);

/* What is taken of today, and its date: "2026-11-28". Answers: DAYS_NONE, nothing was counted of it yet. */
struct days_used {
    int64_t count;
    char date[11];
};
PX_MUST_USE int days_read(struct table_store *tables, const struct px_clock *clock,
                          struct px_str kind, struct px_str tenant, struct px_arena *arena,
                          struct days_used *ret_used);
