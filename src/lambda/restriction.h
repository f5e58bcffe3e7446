/* lambda/restriction.h - what of its tenant's data a caller is limited to, besides its scopes: datasets, and rows of them.
 *
 *   {"datasets": ["logs", "checkout"],
 *    "rows": [{"column": "service", "in": ["shop", "cart"]}, {"column": "level", "equals": "error"}]}
 *
 * Both may be missing, not both at once. All conditions hold for each row; of a dataset without the column, no row is shown.
 * Values are texts, whole numbers and booleans: never SQL. A restriction is made by who issues a key or a token and travels as
 * JSON text, as everything of the authorizer's context. docs/design/security.md */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "base/px_json.h"

#define RESTRICTION_BYTES_MAX 2048u /* of its JSON: it stands in a header */
#define RESTRICTION_DATASETS_MAX 32u
#define RESTRICTION_ROWS_MAX 8u
#define RESTRICTION_VALUES_MAX 32u

struct restriction_row {
    struct px_str column;
    struct px_str *values; /* as text: 7, true, shop */
    size_t value_count;    /* 1 at least */
    yyjson_val *json;      /* the condition as it was written */
};
struct restriction {
    struct px_str *datasets;
    size_t dataset_count; /* 0: all */
    struct restriction_row *rows;
    size_t row_count;
};
enum restriction_answer { RESTRICTION_INVALID = 1, RESTRICTION_WIDER };
/* Views of value's document and arena. Answers: RESTRICTION_INVALID, with a sentence in ret_why (may be NULL). */
PX_MUST_USE int restriction_parse(yyjson_val *value, struct px_arena *arena,
                                  struct restriction *ret_restriction, const char **ret_why);
/* The same, and in ret_json the text that travels, in arena. RESTRICTION_INVALID as well when that is longer than
 * RESTRICTION_BYTES_MAX. */
PX_MUST_USE int restriction_take(yyjson_val *value, struct px_arena *arena,
                                 struct restriction *ret_restriction, struct px_str *ret_json,
                                 const char **ret_why);
/* Of the authorizer's context; an empty text is no restriction: *ret_restriction is NULL then.
 * Faults: PX_F_CORRUPT: it is there and cannot be understood, so that nothing may be shown. */
PX_MUST_USE int restriction_read(struct px_str json, struct px_arena *arena,
                                 const struct restriction **ret_restriction);
/* NULL allows all. */
bool restriction_allows(const struct restriction *restriction, struct px_str dataset);

/* Is what inner shows shown by outer, too? Its datasets are some of outer's, and outer's conditions are among its own, value by
 * value. NULL is no restriction. */
bool restriction_within(const struct restriction *inner, const struct restriction *outer);
/* The text of what is wished within outer: the datasets wished, or outer's; outer's conditions, and those wished.
 * Answers: RESTRICTION_WIDER: a dataset is wished that outer has not; RESTRICTION_INVALID: too many conditions, or bytes. */
PX_MUST_USE int restriction_narrow(const struct restriction *outer, const struct restriction *wish,
                                   struct px_arena *arena, struct px_str *ret_json);
