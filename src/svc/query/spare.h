/* svc/query/spare.h - the next query's engine, opened while the present query runs: opening costs 6 ms,
 * which no request should wait for. */
#pragma once

#include "sql/engine.h"

struct spare; /* opaque */
/* Opens the first engine at once. limits are copied. */
PX_MUST_USE int spare_new(const struct sql_limits *limits, struct spare **ret_spare);
void spare_free(struct spare **spare);
/* A fresh engine, the caller's; the next one begins to open in a thread of its own. */
PX_MUST_USE int spare_take(struct spare *spare, struct sql_engine **ret_engine);
