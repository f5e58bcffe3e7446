/* asl/history.h - what happened in an execution, event by event: the types of GetExecutionHistory, kept as compact JSON lines
 * and read as the API gives them.
 *
 * Kept form, a line an event: {"id":2,"p":1,"t":<ms>,"y":"PassStateEntered","d":{...}}; JSON inside d (input, output) is not
 * escaped. Source of types and fields: API reference, HistoryEvent. */
#pragma once

#include "base/px_buf.h"
#include "base/px_json.h"

/* type, member of HistoryEvent that holds its details (NULL: none) */
#define ASL_EVENTS(X)                                                                              \
    X(ExecutionStarted, "executionStartedEventDetails")                                            \
    X(ExecutionSucceeded, "executionSucceededEventDetails")                                        \
    X(ExecutionFailed, "executionFailedEventDetails")                                              \
    X(ExecutionAborted, "executionAbortedEventDetails")                                            \
    X(ExecutionTimedOut, "executionTimedOutEventDetails")                                          \
    X(ExecutionRedriven, "executionRedrivenEventDetails")                                          \
    X(PassStateEntered, "stateEnteredEventDetails")                                                \
    X(PassStateExited, "stateExitedEventDetails")                                                  \
    X(ChoiceStateEntered, "stateEnteredEventDetails")                                              \
    X(ChoiceStateExited, "stateExitedEventDetails")                                                \
    X(WaitStateEntered, "stateEnteredEventDetails")                                                \
    X(WaitStateExited, "stateExitedEventDetails")                                                  \
    X(WaitStateAborted, NULL)                                                                      \
    X(SucceedStateEntered, "stateEnteredEventDetails")                                             \
    X(SucceedStateExited, "stateExitedEventDetails")                                               \
    X(FailStateEntered, "stateEnteredEventDetails")                                                \
    X(TaskStateEntered, "stateEnteredEventDetails")                                                \
    X(TaskStateExited, "stateExitedEventDetails")                                                  \
    X(TaskStateAborted, NULL)                                                                      \
    X(TaskScheduled, "taskScheduledEventDetails")                                                  \
    X(TaskStarted, "taskStartedEventDetails")                                                      \
    X(TaskSubmitted, "taskSubmittedEventDetails")                                                  \
    X(TaskSucceeded, "taskSucceededEventDetails")                                                  \
    X(TaskFailed, "taskFailedEventDetails")                                                        \
    X(TaskTimedOut, "taskTimedOutEventDetails")                                                    \
    X(LambdaFunctionScheduled, "lambdaFunctionScheduledEventDetails")                              \
    X(LambdaFunctionStarted, NULL)                                                                 \
    X(LambdaFunctionSucceeded, "lambdaFunctionSucceededEventDetails")                              \
    X(LambdaFunctionFailed, "lambdaFunctionFailedEventDetails")                                    \
    X(LambdaFunctionTimedOut, "lambdaFunctionTimedOutEventDetails")                                \
    X(ParallelStateEntered, "stateEnteredEventDetails")                                            \
    X(ParallelStateStarted, NULL)                                                                  \
    X(ParallelStateSucceeded, NULL)                                                                \
    X(ParallelStateFailed, NULL)                                                                   \
    X(ParallelStateAborted, NULL)                                                                  \
    X(ParallelStateExited, "stateExitedEventDetails")                                              \
    X(MapStateEntered, "stateEnteredEventDetails")                                                 \
    X(MapStateStarted, "mapStateStartedEventDetails")                                              \
    X(MapIterationStarted, "mapIterationStartedEventDetails")                                      \
    X(MapIterationSucceeded, "mapIterationSucceededEventDetails")                                  \
    X(MapIterationFailed, "mapIterationFailedEventDetails")                                        \
    X(MapIterationAborted, "mapIterationAbortedEventDetails")                                      \
    X(MapStateSucceeded, NULL)                                                                     \
    X(MapStateFailed, NULL)                                                                        \
    X(MapStateAborted, NULL)                                                                       \
    X(MapStateExited, "stateExitedEventDetails")                                                   \
    X(MapRunStarted, "mapRunStartedEventDetails")                                                  \
    X(MapRunSucceeded, NULL)                                                                       \
    X(MapRunFailed, "mapRunFailedEventDetails")                                                    \
    X(MapRunAborted, NULL)                                                                         \
    X(MapRunRedriven, "mapRunRedrivenEventDetails")                                                \
    X(EvaluationFailed, "evaluationFailedEventDetails")

enum asl_event_type {
#define X(name, details) ASL_EV_##name,
    ASL_EVENTS(X)
#undef X
        ASL_EV_COUNT
};
const char *asl_event_name(enum asl_event_type type);
/* A kept line as GetExecutionHistory shows it, without line end. Faults: PX_F_CORRUPT for a line that is none. */
PX_MUST_USE int asl_event_show(struct px_str line, struct px_arena *arena, struct px_buf *buf);
