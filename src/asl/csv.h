/* asl/csv.h - text with delimiters as a Map's items: an object a line, all values strings.
 *
 * As the developer guide has it ("ItemReader (Map)", "How Step Functions parses input CSV files"): RFC 4180, and
 *
 *   - a doubled quote is a quote outside of quotes, too: {""a"":1} needs none around it;
 *   - a backslash lets a backslash, a quote and the delimiter stand for themselves; before anything else it goes;
 *   - fields that are missing at a line's end are empty, those without a header are left out;
 *   - a header has 10 KiB at most. */
#pragma once

#include "asl/value.h"

#define ASL_CSV_HEADER_BYTES_MAX 10240u /* names and the delimiters between them */

struct asl_csv_options {
    char delimiter;               /* one of , | ; space tab */
    const struct px_str *headers; /* NULL: the first line */
    size_t header_count;
};
enum asl_csv_answer { ASL_CSV_BAD = 1, ASL_CSV_HEADER_TOO_LONG };
/* CR LF, LF or CR end a line; empty ones are no items. A byte order mark is skipped. Answers: ASL_CSV_BAD: no header, or a
 * quote without end; ASL_CSV_HEADER_TOO_LONG. */
PX_MUST_USE int asl_csv_parse(struct px_str text, const struct asl_csv_options *options,
                              struct asl_values *values, yyjson_mut_val **ret_items);
