/* region/auth_guard.h - sources that show wrong keys too often are not asked about for a while.
 *
 * What a wrong key costs is an authorizer's call: that is what is bounded, for nobody guesses 192 bits. A source is an IPv4
 * address or the first half of an IPv6 address. It may be wrong `max` times at once, and once more every window/max;
 * until then it waits. Keys whose policy the gateway has do not come here. On AWS the web ACL does the like.
 * One thread. Bounded: the source that was wrong the longest ago is forgotten first. */
#pragma once

#include "base/px_clock.h"

struct auth_guard; /* opaque */

#define AUTH_GUARD_SOURCES_MAX 4096
#define AUTH_GUARD_WINDOW_S 300

/* max: wrong keys of a source in a window; 0: no bound. */
PX_MUST_USE int auth_guard_new(const struct px_clock *clock, uint32_t max, size_t sources_max,
                               struct auth_guard **ret_guard);
void auth_guard_free(struct auth_guard **guard);
/* Whole seconds until the source may show another key; 0: now. */
uint32_t auth_guard_wait_s(struct auth_guard *guard, struct px_str source);
/* Its key was wrong. What cannot be noted for lack of memory is not. */
void auth_guard_blame(struct auth_guard *guard, struct px_str source);
