/* svc/query/spare.h - the next query's engine, opened while the present query runs, and the last one's
 * end: opening costs 6 ms and closing up to as much, which no request should wait for. */
#pragma once

#include "sql/engine.h"

struct spare; /* opaque */
/* Opens the first engine at once. limits are copied. */
PX_MUST_USE int spare_new(const struct sql_limits *limits, struct spare **ret_spare);
void spare_free(struct spare **spare);
/* A fresh engine, the caller's; the next one begins to open in a thread of its own. */
PX_MUST_USE int spare_take(struct spare *spare, struct sql_engine **ret_engine);
/* Take a stopped engine back, to be closed by a thread of its own. */
void spare_give(struct spare *spare, struct sql_engine **engine);
