/* asl/expr_value.h - asl_expr_eval() for who goes on with the value. */
#pragma once

#include "asl/expr.h"

/* What a path gives that names an element behind the end of an array. */
enum asl_past_end { ASL_PAST_END_FAILS, ASL_PAST_END_IS_NULL };

/* ret_fresh: the value is new, without parent; else part of another, to be copied. */
PX_MUST_USE int asl_expr_value(const struct asl_expr *expr, const struct asl_scope *scope,
                               const char *field, enum asl_past_end past_end,
                               yyjson_mut_val **ret_value, bool *ret_fresh,
                               struct asl_failure *ret_failure);
