/* sql/watch.h - a thread that interrupts a connection at a deadline or when a flag is set. Binding and
 * long-running operators do not come back to their caller, so somebody else has to look at the clock. */
#pragma once

#include "sql/engine.h"

struct sql_watch; /* opaque */
/* leash and connection are borrowed until sql_watch_free(). */
PX_MUST_USE int sql_watch_new(duckdb_connection connection, const struct sql_leash *leash,
                              struct sql_watch **ret_watch);
void sql_watch_free(struct sql_watch **watch);
/* 0, SQL_CANCELLED or SQL_TIMEOUT: why it has interrupted, if it has. */
int sql_watch_cause(const struct sql_watch *watch);
