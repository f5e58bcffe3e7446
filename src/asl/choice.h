/* asl/choice.h - the rules of a Choice state in JSONPath: comparisons of all types, And, Or, Not, Is*, *Path. In JSONata
 * a rule is its Condition, an expression (definition.h). */
#pragma once

#include "asl/template.h"

struct asl_rule; /* opaque, in the definition's arena */

/* Compile one element of Choices (Next and other members are the caller's). Errors are told as by asl_template_compile().
 * Answers: ASL_INVALID. */
PX_MUST_USE int asl_rule_compile(yyjson_val *written, struct px_arena *arena,
                                 const struct asl_template_error *error,
                                 const struct asl_rule **ret_rule);
/* Answers: ASL_FAILED (States.Runtime: a Variable that is not there, except for IsPresent). */
PX_MUST_USE int asl_rule_matches(const struct asl_rule *rule, const struct asl_scope *scope,
                                 bool *ret_matches, struct asl_failure *ret_failure);
