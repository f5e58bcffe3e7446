/* asl/csv.h - comma separated values (RFC 4180) as a Map's items: an object a line, all values strings. */
#pragma once

#include "asl/value.h"

struct asl_csv_options {
    char delimiter;               /* one of , | ; space tab */
    const struct px_str *headers; /* NULL: the first line */
    size_t header_count;
};
/* CR LF, LF or CR end a line; quotes are doubled inside quotes; fields that are missing are left out, those without a header
 * too. A byte order mark is skipped. Answers: ASL_INVALID: no header, or a quote without end. */
PX_MUST_USE int asl_csv_parse(struct px_str text, const struct asl_csv_options *options,
                              struct asl_values *values, yyjson_mut_val **ret_items);
