/* svc/ingest/decode_time.h - the time of a record, from whatever form it was sent in. */
#pragma once

#include "base/px.h"

struct decode_time {
    int64_t us;  /* since 1970, rounded down */
    bool has_ns; /* it was given finer than microseconds, and */
    int64_t ns;  /* this is all of it */
};
/* RFC 3339 as px_time_parse() knows it, but for all years 0000 to 9999; or digits, taken as a
 * number. False when it is neither. */
PX_MUST_USE bool decode_time_text(struct px_str text, struct decode_time *ret_time);
/* A number of s, ms, us or ns, told by its size: below 1e11 seconds (until the year 5138), below
 * 1e14 milliseconds, below 1e17 microseconds, else nanoseconds. */
void decode_time_int(int64_t value, struct decode_time *ret_time);
/* The same with a fraction; rounded to the nearest microsecond. False for what is out of range. */
PX_MUST_USE bool decode_time_double(double value, struct decode_time *ret_time);
