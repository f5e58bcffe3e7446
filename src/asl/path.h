/* asl/path.h - JSONPath as Step Functions takes it, which is Jayway's JsonPath (github.com/json-path/JsonPath): members,
 * indices, slices, unions, wildcards, recursive descent, filters. expr.h is what others call.
 *
 * A path is definite when it can name one value at most; then its value is what it names, else a list. */
#pragma once

#include "asl/value.h"

struct asl_path; /* opaque, in the definition's arena */

enum asl_path_root { ASL_ROOT_INPUT /* $ */, ASL_ROOT_CONTEXT /* $$ */, ASL_ROOT_VARIABLE };

/* Where a path stands, which decides where a name without brackets ends. */
enum asl_path_place {
    ASL_PATH_ALONE,
    ASL_PATH_ARGUMENT /* of a function: at ',' and ')' as well */
};

/* Compile the path at the beginning of `text`.
 *   ret_used  bytes of text that it took; all of it for ASL_PATH_ALONE
 * Answers: ASL_INVALID, ret_where (not NULL) says where in text. */
PX_MUST_USE int asl_path_compile(struct px_str text, enum asl_path_place place,
                                 struct px_arena *arena, const struct asl_path **ret_path,
                                 size_t *ret_used, struct px_where *ret_where);
enum asl_path_root asl_path_root(const struct asl_path *path);
struct px_str asl_path_variable(const struct asl_path *path); /* without its $ */
bool asl_path_is_definite(const struct asl_path *path);
bool asl_path_is_reference(const struct asl_path *path);
struct px_str asl_path_text(const struct asl_path *path);

/* Why a definite path found nothing. */
struct asl_path_miss {
    size_t token;          /* the one that found nothing */
    yyjson_mut_val *value; /* what it was asked of */
};

/* Evaluate below `root`, the value of $, $$ or the variable.
 *   ret_value  NULL: a definite path found nothing, ret_miss (not NULL) says where. A path that is not definite gives a
 *              list, also an empty one
 *   ret_fresh  the value is new, not a part of root
 * Answers: ASL_FAILED (States.Runtime) for a path that visits too much. */
PX_MUST_USE int asl_path_eval(const struct asl_path *path, struct asl_values *values,
                              yyjson_mut_val *root, yyjson_mut_val **ret_value, bool *ret_fresh,
                              struct asl_path_miss *ret_miss, struct asl_failure *ret_failure);
/* What Jayway says of a miss, as Step Functions shows it. ptr NULL: arena fault. */
struct px_str asl_path_miss_text(const struct asl_path *path, const struct asl_path_miss *miss,
                                 struct asl_values *values);
/* Whether the miss is an index behind the end, at the end of the path. */
bool asl_path_miss_is_past_end(const struct asl_path *path, const struct asl_path_miss *miss);
/* Whether an index was asked of something that is no array. */
bool asl_path_miss_is_no_array(const struct asl_path *path, const struct asl_path_miss *miss);
/* Put value at a reference path; see asl_expr_put(). False in ret_done: something in the way is no object. */
PX_MUST_USE int asl_path_put(const struct asl_path *path, struct asl_values *values,
                             yyjson_mut_val **root, yyjson_mut_val *value, bool *ret_done);
