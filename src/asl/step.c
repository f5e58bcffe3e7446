/* asl/step.c - one transition of a frame: what its phase and what came from outside lead to.
 *
 *   phase     ready because             does
 *   ENTER     it came to the state      enters it and tries it
 *   ATTEMPT   a record says so          tries it (after a crash in a backoff that was over)
 *   TASK      result, error, timer      leaves the state, or fails it
 *   WAIT      timer                     leaves the state
 *   BACKOFF   timer                     tries it again
 *   CHILDREN  a child ended             starts more, or leaves, or fails
 *   READER    the items came            starts children
 *   WRITER    the results are written   leaves the state
 *   FAILED    (a record says so)        gives its failure to its parent
 */
#include <stdarg.h>
#include <stdio.h>

#include "asl/engine_internal.h"

int step_fail(struct step *step, const char *error, const char *fmt, ...)
{
    char text[1024];
    va_list list;
    va_start(list, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, list);
    va_end(list);
    step->evaluation = true;
    return asl_fail(step->values.arena, &step->failure, error, "%s", text);
}

static int parse(struct step *step, const struct asl_blob *blob, yyjson_mut_val **ret_value)
{
    if (!blob) return 0;
    int r = asl_value_parse(&step->values, asl_blob_str(blob), ret_value, NULL);
    return r > 0 ? px_fault(PX_F_CORRUPT, "data of state %.*s", PX_FMT(step->state->name)) : r;
}

int step_begin(struct frame *frame, struct step *ret_step)
{
    struct asl_engine *engine = frame->execution->engine;
    struct step *step = ret_step;
    *step = (struct step){
        .engine = engine, .execution = frame->execution, .frame = frame, .state = frame->state};
    px_arena_reset(&engine->step);
    PX_TRY(asl_values_init(&step->values, &engine->step));
    step->scope = (struct asl_scope){
        .values = &step->values,
        .jsonata = engine->jsonata,
        .random = engine->random,
        .random_ctx = engine->random_ctx,
        .now_ms = engine_now_ms(engine),
    };
    PX_TRY(parse(step, frame->input, &step->scope.input));
    PX_TRY(parse(step, frame->variables, &step->scope.variables));
    return step_context(step, frame, &step->scope.context);
}

static enum asl_event_type event_entered(enum asl_state_type type)
{
    static const enum asl_event_type entered[] = {
        [ASL_TASK] = ASL_EV_TaskStateEntered,         [ASL_PASS] = ASL_EV_PassStateEntered,
        [ASL_CHOICE] = ASL_EV_ChoiceStateEntered,     [ASL_WAIT] = ASL_EV_WaitStateEntered,
        [ASL_SUCCEED] = ASL_EV_SucceedStateEntered,   [ASL_FAIL] = ASL_EV_FailStateEntered,
        [ASL_PARALLEL] = ASL_EV_ParallelStateEntered, [ASL_MAP] = ASL_EV_MapStateEntered,
    };
    return entered[type];
}

static void enter(struct frame *frame)
{
    struct asl_execution *execution = frame->execution;
    frame->entered_ms = engine_now_ms(execution->engine);
    struct px_buf *buf = turn_event(execution, frame, event_entered(frame->state->type));
    turn_member(buf, "name", frame->state->name);
    turn_member_json(buf, "input", asl_blob_str(frame->input));
    turn_event_end(execution);
    frame->entered_event = frame->last_event;
}

/* The execution's first event, and a redrive's. */
static void announce(struct frame *frame)
{
    struct asl_execution *execution = frame->execution;
    if (execution->next_event == 1) {
        struct px_buf *buf = turn_event(execution, frame, ASL_EV_ExecutionStarted);
        turn_member_json(buf, "input", execution->info.input);
        turn_member(buf, "roleArn", execution->info.program->role_arn);
        turn_event_end(execution);
        /* the first state's event says 0 before it, as Step Functions does */
        frame->last_event = 0;
    }
    if (execution->redriven) {
        execution->redriven = false;
        struct px_buf *buf = turn_event(execution, NULL, ASL_EV_ExecutionRedriven);
        px_buf_printf(buf, "\"redriveCount\":%u", execution->info.redrive_count);
        turn_event_end(execution);
    }
}

static int attempt(struct frame *frame)
{
    struct step step;
    PX_TRY(step_begin(frame, &step));
    int r = state_attempt(&step);
    return r == ASL_FAILED ? step_failed(&step) : r;
}

static int outcome(struct frame *frame, int (*take)(struct step *step))
{
    struct step step;
    PX_TRY(step_begin(frame, &step));
    int r = take(&step);
    return r == ASL_FAILED ? step_failed(&step) : r;
}

static int wait_over(struct step *step)
{
    frame_clear_state(step->frame);
    return step_leave(step, &(struct leaving){.assign = step->state->assign,
                                              .output = step->state->output,
                                              .next = step->state->next});
}

static int give_failure(struct frame *frame)
{
    struct step step;
    PX_TRY(step_begin(frame, &step));
    step.failure = (struct asl_failure){asl_blob_str(frame->outcome_error),
                                        asl_blob_str(frame->outcome_cause)};
    return step_fail_frame(&step);
}

static int transition(struct frame *frame)
{
    announce(frame);
    turn_touch(frame);
    switch (frame->phase) {
    case PHASE_ENTER: enter(frame); return attempt(frame);
    case PHASE_ATTEMPT: return attempt(frame);
    case PHASE_BACKOFF:
        frame_clear_outcome(frame);
        frame->phase = PHASE_ATTEMPT;
        return attempt(frame);
    case PHASE_WAIT: return outcome(frame, wait_over);
    case PHASE_TASK: return outcome(frame, task_outcome);
    case PHASE_READER: return outcome(frame, map_reader_outcome);
    case PHASE_WRITER: return outcome(frame, map_writer_outcome);
    case PHASE_CHILDREN: return outcome(frame, fork_progress);
    case PHASE_FAILED: return give_failure(frame);
    case PHASE_DONE: return 0;
    }
    return px_fault(PX_F_BUG, "phase %d of a frame", (int)frame->phase);
}

int step_frame(struct frame *frame)
{
    struct asl_execution *execution = frame->execution;
    if (frame_is_halted(frame)) return 0;
    PX_TRY(transition(frame));
    if (execution->overflowing && !execution->ended)
        PX_TRY(execution_end(execution, ASL_FAILED_STATUS, NULL, (struct px_str){0},
                             (struct px_str){0}));
    return 0;
}
