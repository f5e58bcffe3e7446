/* region/request_days.h - requests of a day (UTC), kept in table `usage` beside the gateway's buckets, so that a restart does not begin the
 * day anew and several gateways count together.
 *
 * The loop never waits for a table: it hands what came since to a thread, which adds it to the tenants' items (svc/quota/days.h, kind
 * "requests"), and takes what these say then at its next turn. So a gateway that is killed loses what came since
 * its last turn, and what others count is known a turn and a write late. Tenants without such a limit are not written. */
#pragma once

#include "base/px_log.h"
#include "svc/quota/buckets.h"

struct request_days; /* opaque */

/* tables_url: kept as a copy. clock and log are borrowed. */
PX_MUST_USE int request_days_new(struct px_str tables_url, const struct px_clock *clock,
                                 const struct px_log *log, struct request_days **ret_days);
/* Every quarter of a second or so, in the thread that has the buckets. */
void request_days_turn(struct request_days *days, struct buckets *buckets);
/* Waits for the thread, which writes what came last. NULL is a no-op. */
void request_days_free(struct request_days **days, struct buckets *buckets);
