/* asl/program.h - a state machine under its name: the compiled definition and what executions say of it. Counted, because
 * executions outlive a change of the definition. */
#pragma once

#include "asl/definition.h"

struct asl_program {
    uint32_t refs;
    struct px_arena arena;
    const struct asl_machine *machine;
    struct px_str name, arn, role_arn; /* what $$.StateMachine and $$.Execution.RoleArn show */
    struct px_str source;
    bool uses_context; /* some expression may look at the context object */
};
struct asl_program_options {
    struct px_str name, arn, role_arn;
    enum asl_machine_type type;
    struct asl_jsonata *jsonata; /* NULL: expressions are checked at run time */
};
/* The text of at most 1 MiB (Step Functions quota). ret_problems as asl_machine_parse(), in `arena`.
 * Answers: ASL_INVALID. */
PX_MUST_USE int asl_program_new(struct px_str text, const struct asl_program_options *options,
                                struct px_arena *arena, struct asl_program **ret_program,
                                struct asl_problems *ret_problems);
struct asl_program *asl_program_ref(struct asl_program *program);
void asl_program_unref(struct asl_program **program);
