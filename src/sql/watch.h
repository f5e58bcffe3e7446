/* sql/watch.h - a thread that interrupts a connection at a deadline or when a flag is set. Binding and
 * long-running operators do not come back to their caller, so somebody else has to look at the clock. */
#pragma once

#include "sql/engine.h"

struct sql_watch; /* opaque; one thread arms it */
PX_MUST_USE int sql_watch_new(struct sql_watch **ret_watch);
void sql_watch_free(struct sql_watch **watch);
/* From here to sql_watch_disarm() the connection is watched; connection and what leash points to are
 * borrowed until then. Takes no thread switch while the last statement was a moment ago. */
void sql_watch_arm(struct sql_watch *watch, duckdb_connection connection,
                   const struct sql_leash *leash);
/* Once it has returned, no interrupt comes any more. NULL and a disarmed watch are no-ops. */
void sql_watch_disarm(struct sql_watch *watch);
/* 0, SQL_CANCELLED or SQL_TIMEOUT: why it has interrupted since it was armed, if it has. */
int sql_watch_cause(const struct sql_watch *watch);
