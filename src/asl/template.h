/* asl/template.h - payload templates: Parameters, ResultSelector, ItemSelector, Assign and the like in JSONPath (members
 * whose name ends in ".$" are expressions), Arguments, Output, Assign and the like in JSONata (strings "{% ... %}" are). */
#pragma once

#include "asl/expr.h"

struct asl_template; /* opaque, in the definition's arena */

/* Told of every place that does not compile: `place` is a JSON pointer below the template, `expected` one sentence as Step
 * Functions words it. As there, the place in JSONPath is the object that holds the member ("" or "/a" for the member b.$ of a,
 * which the sentence names), in JSONata the string itself ("/a/b"). */
struct asl_template_error {
    void (*told)(void *ctx, struct px_str place, struct px_str expected);
    void *ctx;
};
/* Compile a value of a definition, which must outlive the template. In ASL_JSONPATH the value is an object (fields that
 * take any value hand one that is none as it is). Every wrong place is told; then ASL_INVALID. */
PX_MUST_USE int asl_template_compile(yyjson_val *written, enum asl_language language,
                                     struct asl_jsonata *jsonata, struct px_arena *arena,
                                     const struct asl_template_error *error,
                                     const struct asl_template **ret_template);
/* A new value without parent.
 *   field  what the template is, for causes ("Parameters")
 * Answers: ASL_FAILED, as asl_expr_eval(). An index behind the end of an array, at the end of a path, gives null, as Step
 * Functions does it. Texts of the definition are not copied: it outlives the value. */
PX_MUST_USE int asl_template_eval(const struct asl_template *template,
                                  const struct asl_scope *scope, const char *field,
                                  yyjson_mut_val **ret_value, struct asl_failure *ret_failure);
/* Whether it holds no expression at all. */
bool asl_template_is_fixed(const struct asl_template *template);
