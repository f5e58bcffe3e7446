/* base/px_clock.h - time, through a table of functions so that tests can hold the hands.
 *
 * Wall time is nanoseconds since 1970-01-01 UTC without leap seconds; monotonic time has an
 * arbitrary origin and serves deadlines. */
#pragma once

#include "base/px.h"

#define PX_NS_PER_S INT64_C(1000000000)
#define PX_NS_PER_MS INT64_C(1000000)
#define PX_NS_PER_US INT64_C(1000)

struct px_clock {
    int64_t (*wall_ns)(void *ctx);
    int64_t (*mono_ns)(void *ctx);
    void *ctx;
};
/* The machine's clocks; static and constant. */
extern const struct px_clock px_clock_system;
static inline int64_t px_wall_ns(const struct px_clock *clock)
{
    return clock->wall_ns(clock->ctx);
}
static inline int64_t px_mono_ns(const struct px_clock *clock)
{
    return clock->mono_ns(clock->ctx);
}

/* RFC 3339, e.g. 2026-11-23T14:30:00.123456789Z or with +01:00, a space for the T allowed, and a
 * bare date. Also YYYY-MM-DDTHH:MM:SS without zone, taken as UTC. False when it is anything else. */
PX_MUST_USE bool px_time_parse(struct px_str text, int64_t *ret_wall_ns);
/* RFC 3339 UTC with `digits` (0, 3, 6 or 9) fractional digits into buf (at least 31 bytes);
 * returns a view of it. */
struct px_str px_time_format(int64_t wall_ns, int digits, char *buf);
