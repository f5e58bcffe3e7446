/* region/first_start.h - a new data folder gets its operator (_system) and its first tenant (default). */
#pragma once

#include "region/data_dir.h"

#define FIRST_TENANT "default"

/* Create what is missing of: tenants _system and default, admin.key, tenant.key. Killed half-way, the
 * next start goes on. ret_key: the first tenant's whole key when it was made now, else empty; wiped by
 * the caller. */
PX_MUST_USE int first_start(const struct data_dir *dir, struct px_arena *arena,
                            const struct px_clock *clock, struct px_str *ret_key);
