/* asl/timestamp.h - RFC 3339 timestamps as the States Language takes them: upper-case T, a zone (Z or an offset), seconds
 * with any fraction. */
#pragma once

#include "base/px.h"

PX_MUST_USE bool asl_timestamp_parse(struct px_str text, int64_t *ret_wall_ns);
/* "2026-11-27T04:30:00.123Z" into buf (at least 31 bytes). */
struct px_str asl_timestamp_format(int64_t wall_ms, char *buf);
