/* asl/expr.h - one expression of a definition: a JSONPath, an intrinsic function or a JSONata expression. Compiled
 * once into the definition's arena, read by any number of steps, also at the same time. */
#pragma once

#include "asl/value.h"

struct asl_jsonata; /* jsonata.h */

enum asl_language { ASL_JSONPATH, ASL_JSONATA };

/* What an expression sees, and where its result is made. */
struct asl_scope {
    struct asl_values *values;
    struct asl_jsonata *jsonata;  /* borrowed; NULL where the definition has no JSONata */
    yyjson_mut_val *input;        /* $ in JSONPath, $states.input in JSONata; never NULL */
    yyjson_mut_val *context;      /* $$ and $states.context; an object; never NULL */
    yyjson_mut_val *variables;    /* $name; an object, or NULL for none */
    yyjson_mut_val *result;       /* $states.result; NULL: not there */
    yyjson_mut_val *error_output; /* $states.errorOutput; NULL: not there */
    /* A random number of 64 bits for States.UUID, States.MathRandom, $random, jitter. Tests hold the dice. */
    uint64_t (*random)(void *ctx);
    void *random_ctx;
    int64_t now_ms; /* wall time of this step, for $now() and $millis() */
};

struct asl_expr; /* opaque */

/* A JSONPath ("$.a", "$$.Execution.Id", "$variable.b[0]") or an intrinsic function ("States.Format('{}', $.a)").
 *   text   borrowed; copied
 *   arena  the definition's
 * Answers: ASL_INVALID, ret_where (not NULL) says where in text and what was expected. */
PX_MUST_USE int asl_expr_path(struct px_str text, struct px_arena *arena,
                              const struct asl_expr **ret_expr, struct px_where *ret_where);
/* The text between {% and %}. Its syntax is checked with `jsonata`; NULL leaves that to the first evaluation.
 * Answers: ASL_INVALID likewise. */
PX_MUST_USE int asl_expr_jsonata(struct px_str text, struct asl_jsonata *jsonata,
                                 struct px_arena *arena, const struct asl_expr **ret_expr,
                                 struct px_where *ret_where);
/* The text as written in the definition. */
struct px_str asl_expr_source(const struct asl_expr *expr);
/* True for a JSONPath that names one place by members and single indices only, on $ (not $$, not a variable): what
 * ResultPath and ItemsPath-like fields of the specification call a reference path. */
bool asl_expr_is_reference(const struct asl_expr *expr);
bool asl_expr_is_intrinsic(const struct asl_expr *expr);

/* Evaluate.
 *   field      the definition's name for where the expression stands, for the cause ("InputPath", "b.$")
 *   ret_value  part of the scope's values, or new; see value.h
 * Answers: ASL_FAILED; the error is States.Runtime for a path that finds nothing and for a function, States.QueryEvaluationError
 * for JSONata; callers whose field has another error name put theirs. The cause is what Step Functions says behind "An error
 * occurred while executing the state ... (entered at the event id #...). ", which who executes the state puts before it. */
PX_MUST_USE int asl_expr_eval(const struct asl_expr *expr, const struct asl_scope *scope,
                              const char *field, yyjson_mut_val **ret_value,
                              struct asl_failure *ret_failure);
/* For Choice rules: whether a JSONPath finds anything; ret_value NULL when it does not. A list without elements is nothing. */
PX_MUST_USE int asl_expr_find(const struct asl_expr *expr, const struct asl_scope *scope,
                              yyjson_mut_val **ret_value, struct asl_failure *ret_failure);
/* Put `value` (without parent) at a reference path of *root, making objects on the way; *root changes when the path
 * is "$". Answers: ASL_FAILED with States.ResultPathMatchFailure, States.Runtime when the whole becomes nested too deeply. */
PX_MUST_USE int asl_expr_put(const struct asl_expr *reference, struct asl_values *values,
                             yyjson_mut_val **root, yyjson_mut_val *value,
                             struct asl_failure *ret_failure);
