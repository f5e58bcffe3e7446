/* asl/jsonata.h - JSONata by the official implementation (npm package jsonata, in the version that Step Functions
 * documents) in an embedded JavaScript engine (quickjs-ng). The engine has no input and output, a ceiling of memory and
 * a bound of time for each evaluation. One engine belongs to one thread. Functions that Step Functions adds ($partition,
 * $range, $hash, $random(seed), $uuid, $parse) are there, $eval is not (developer guide, "Transforming data with JSONata"). */
#pragma once

#include "asl/expr.h"

struct asl_jsonata_options {
    size_t memory_bytes_max; /* 0: 64 MiB */
    int64_t eval_ms_max;     /* 0: 1000; of the thread's processor time */
};
/* Takes next to no memory before the first expression that needs the engine. options may be NULL. Faults: PX_F_OOM. */
PX_MUST_USE int asl_jsonata_new(const struct asl_jsonata_options *options,
                                struct asl_jsonata **ret_jsonata);
void asl_jsonata_free(struct asl_jsonata **jsonata);

/* Parse only. Answers: ASL_INVALID, with the place in the text and JSONata's own words. Faults: PX_F_OOM. */
PX_MUST_USE int asl_jsonata_check(struct asl_jsonata *jsonata, struct px_str text,
                                  struct px_where *ret_where);
/* Evaluate with $states (input, context, result, errorOutput) and the scope's variables. Compiled expressions are kept by
 * their text, within bounds. An expression without a value (undefined) fails, as do functions in the result.
 *   field      where the expression stands, for the cause: "Output/total"
 *   ret_value  part of the scope's values (a plain path), or new
 * The causes are as Step Functions words them, from "The JSONata expression '...' specified for the field '...' ..." on; what
 * stands before that ("An error occurred while executing the state ...") is the caller's.
 * Answers: ASL_FAILED with States.QueryEvaluationError, or States.DataLimitExceeded for a result of more than 1 MiB.
 * Faults: PX_F_OOM, PX_F_LIMIT from the arena. */
PX_MUST_USE int asl_jsonata_eval(struct asl_jsonata *jsonata, struct px_str text,
                                 const struct asl_scope *scope, const char *field,
                                 yyjson_mut_val **ret_value, struct asl_failure *ret_failure);
