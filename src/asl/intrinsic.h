/* asl/intrinsic.h - the functions of JSONPath states: States.Format('{}', $.a). expr.h is what others call.
 * Developer guide, "Intrinsic functions for JSONPath states"; where Step Functions was seen to do otherwise, as it does. */
#pragma once

#include "asl/expr.h"
#include "asl/path.h"

struct asl_call; /* opaque, in the definition's arena */

/* Compile "States.Name(...)", the whole of text. Answers: ASL_INVALID, ret_where (not NULL) says where. */
PX_MUST_USE int asl_call_compile(struct px_str text, struct px_arena *arena,
                                 const struct asl_call **ret_call, struct px_where *ret_where);
/* `text` is the call as written, for causes. Answers: ASL_FAILED with States.Runtime. */
PX_MUST_USE int asl_call_eval(const struct asl_call *call, struct px_str text,
                              const struct asl_scope *scope, yyjson_mut_val **ret_value,
                              bool *ret_fresh, struct asl_failure *ret_failure);
/* The value of $, $$ or the variable of a path; NULL: there is no such variable. */
yyjson_mut_val *asl_scope_root(const struct asl_scope *scope, const struct asl_path *path);
