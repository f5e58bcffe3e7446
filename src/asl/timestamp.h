/* asl/timestamp.h - RFC 3339 timestamps as the States Language takes them: upper-case T, a zone (Z or an offset), seconds
 * with any fraction. */
#pragma once

#include "base/px.h"

struct asl_timestamp {
    int64_t s;  /* since 1970-01-01T00:00:00Z */
    int32_t ns; /* 0..999999999; digits beyond are dropped */
};
PX_MUST_USE bool asl_timestamp_read(struct px_str text, struct asl_timestamp *ret_timestamp);
/* In nanoseconds; before 1677 and after 2262 the least and the greatest number. */
PX_MUST_USE bool asl_timestamp_parse(struct px_str text, int64_t *ret_wall_ns);
/* "2026-11-27T04:30:00.123Z" into buf (at least 31 bytes). */
struct px_str asl_timestamp_format(int64_t wall_ms, char *buf);
