/* asl/failure.h - how an execution's step fails: an error name that Retry and Catch can see, and a cause for people.
 *
 * Functions of asl/ that evaluate return ASL_FAILED, an answer, with the failure written. Faults (negative) are the
 * machine's: out of memory, a bug; they end the turn, and the execution goes on from its last transition later. */
#pragma once

#include "base/px.h"
#include "base/px_arena.h"

enum asl_answer { ASL_FAILED = 1, ASL_INVALID };

/* Names that the States Language reserves; source: states-language.net, appendix A, and the Step Functions developer
 * guide, "Handling errors in Step Functions workflows". */
#define ASL_E_ALL "States.ALL"
#define ASL_E_TASK_FAILED "States.TaskFailed"
#define ASL_E_TIMEOUT "States.Timeout"
#define ASL_E_HEARTBEAT_TIMEOUT "States.HeartbeatTimeout"
#define ASL_E_PERMISSIONS "States.Permissions"
#define ASL_E_RUNTIME "States.Runtime"
#define ASL_E_DATA_LIMIT "States.DataLimitExceeded"
#define ASL_E_RESULT_PATH "States.ResultPathMatchFailure"
#define ASL_E_PARAMETER_PATH "States.ParameterPathFailure"
#define ASL_E_BRANCH_FAILED "States.BranchFailed"
#define ASL_E_NO_CHOICE "States.NoChoiceMatched"
#define ASL_E_INTRINSIC "States.IntrinsicFailure"
#define ASL_E_TOLERANCE "States.ExceedToleratedFailureThreshold"
#define ASL_E_ITEM_READER "States.ItemReaderFailed"
#define ASL_E_RESULT_WRITER "States.ResultWriterFailed"
#define ASL_E_QUERY "States.QueryEvaluationError"

/* Views into an arena that the call names. Either may be absent (ptr NULL): a Fail state without Error and Cause. */
struct asl_failure {
    struct px_str error, cause;
};

/* Write a failure with a formatted cause into the arena and return ASL_FAILED, or the arena's fault. */
PX_MUST_USE int asl_fail(struct px_arena *arena, struct asl_failure *ret_failure, const char *error,
                         const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The same names, or States.ALL; States.TaskFailed stands for all but States.Timeout. States.ALL does not match
 * States.DataLimitExceeded and States.Runtime. `names` is what a retrier or catcher lists in ErrorEquals. */
bool asl_error_matches(const struct px_str *names, size_t count, struct px_str error);
