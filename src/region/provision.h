/* region/provision.h - make the tables and buckets of a region that are missing, for an endpoint of AWS
 * that begins empty. Their layout is infra/global/tables.tf's and infra/modules/storage's, as far as the
 * functions depend on it: keys and expiry. */
#pragma once

#include "base/px_clock.h"
#include "region/functions.h"

/* Those that exist are left as they are. Faults: PX_F_DENIED, PX_F_UNAVAILABLE, PX_F_PROTOCOL, ... */
PX_MUST_USE int provision(const struct function_catalogue *catalogue, struct px_str prefix,
                          struct px_arena *arena, const struct px_clock *clock);
