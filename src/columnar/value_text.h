/* columnar/value_text.h - single values as text: JSON for MIXED columns and `_other`, and the text
 * a STRING column gets for a value of another type. */
#pragma once

#include "base/px_buf.h"

/* Decimal. */
void text_add_int(struct px_buf *buf, int64_t value);
/* The shortest text that reads back as the same number, with ".0" or an exponent, so that it is
 * not taken for an INT; JSON has no NaN or infinity: they are NaN, Infinity, -Infinity without
 * quotes. */
void text_add_double(struct px_buf *buf, double value);
/* RFC 3339 in UTC with six digits; microseconds as a number outside the years 1677 to 2262. */
void text_add_time(struct px_buf *buf, int64_t unix_us);

/* The same as JSON values: NaN, the infinities and times are strings. */
void json_add_double(struct px_buf *buf, double value);
void json_add_time(struct px_buf *buf, int64_t unix_us);
