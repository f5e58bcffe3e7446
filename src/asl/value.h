/* asl/value.h - the JSON values of one step: read from text, computed, written back as text.
 *
 * All values of a step are yyjson's mutable ones in one document over the step's arena. A value has one parent at
 * most: whoever puts a value that came from elsewhere into an array or object copies it (asl_copy()). Values that a
 * function returns may be part of another one: reading is free, inserting is a copy.
 * Integers stay integers (64 bits), other numbers are doubles; equal by value. A name stands once in an object. */
#pragma once

#include "base/px_json.h"

#include "asl/failure.h"

/* An input, output or result: 256 KiB of UTF-8 (Step Functions quotas, "Maximum input or output size"). */
#define ASL_DATA_BYTES_MAX (256u << 10)
/* Deeper is not written: what stands around a value in events and records, some levels more, has to be read again as well. */
#define ASL_DEPTH_MAX 160
static_assert(ASL_DEPTH_MAX + 40 <= PX_JSON_DEPTH_MAX,
              "a value is read again with what is around it");

struct asl_values {
    yyjson_mut_doc *doc;
    struct px_arena *arena; /* borrowed; of one step */
};
/* Faults: PX_F_OOM, PX_F_LIMIT from the arena. */
PX_MUST_USE int asl_values_init(struct asl_values *values, struct px_arena *arena);

/* Parse text; of members with one name the last one counts. Answers: ASL_INVALID with ret_where filled (may be NULL). */
PX_MUST_USE int asl_value_parse(struct asl_values *values, struct px_str text,
                                yyjson_mut_val **ret_value, struct px_where *ret_where);
/* Deep copies, without parent. NULL: arena fault (px_arena_fault()). */
yyjson_mut_val *asl_copy(struct asl_values *values, yyjson_mut_val *value);
yyjson_mut_val *asl_copy_fixed(struct asl_values *values, yyjson_val *value);
yyjson_mut_val *asl_text(struct asl_values *values, struct px_str text); /* copies; NULL likewise */
/* The same with strings left where they are: for a source that lives as long as the values do. */
yyjson_mut_val *asl_share(struct asl_values *values, yyjson_mut_val *value);
yyjson_mut_val *asl_share_fixed(struct asl_values *values, yyjson_val *value);

/* Minified JSON into the arena; the bytes that the limit counts.
 * Answers: ASL_INVALID for what could not be read again: deeper than ASL_DEPTH_MAX, a number that is none. */
PX_MUST_USE int asl_value_write(struct asl_values *values, yyjson_mut_val *value,
                                struct px_str *ret_text);
/* False: nested deeper than ASL_DEPTH_MAX. */
PX_MUST_USE bool asl_value_depth_is_fine(yyjson_mut_val *value);
/* Equal by value: numbers as numbers, members in any order. What is nested beyond all use (1000 levels) is not equal. */
bool asl_value_equal(yyjson_mut_val *a, yyjson_mut_val *b);
/* The same for equal values. */
uint64_t asl_value_hash(yyjson_mut_val *value);
/* The view of a string; ptr NULL for anything else. */
struct px_str asl_value_str(yyjson_mut_val *value);
bool asl_value_number(yyjson_mut_val *value, double *ret_number); /* false: not a number */
/* The order of two numbers: negative, 0, positive. */
int asl_number_cmp(yyjson_mut_val *a, yyjson_mut_val *b);
/* The member of that name; NULL when absent or when value is no object. */
yyjson_mut_val *asl_member(yyjson_mut_val *value, struct px_str name);
/* Set a member, replacing one of that name in its place; takes value, which has no parent. */
PX_MUST_USE int asl_member_set(struct asl_values *values, yyjson_mut_val *object,
                               struct px_str name, yyjson_mut_val *value);
/* "array", "object", "string", "number", "boolean", "null": as causes name them. */
const char *asl_type_name(yyjson_mut_val *value);
