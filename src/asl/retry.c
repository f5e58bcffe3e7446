/* asl/retry.c - what happens when a state fails: a retry after a backoff, a Catch, or the end of the frame.
 *
 * Source: developer guide, "Handling errors in Step Functions workflows": retriers are looked at in order, each counts its own
 * attempts; delay = IntervalSeconds * BackoffRate ^ attempts, at most MaxDelaySeconds; JitterStrategy FULL takes a random time
 * between 0 and that. Then catchers in order. States.Runtime can be caught by name only, never retried by States.ALL. */
#include <math.h>
#include <stdlib.h>

#include "asl/engine_internal.h"

static int64_t delay_ms(struct step *step, const struct asl_retrier *retrier, uint32_t attempts)
{
    double seconds = (double)retrier->interval_s * pow(retrier->backoff_rate, attempts);
    double ceiling = retrier->max_delay_s ? (double)retrier->max_delay_s
                                          : 31622400.0; /* a year: no execution is older */
    if (!(seconds < ceiling)) seconds = ceiling;
    double ms = seconds * 1000;
    if (retrier->full_jitter) {
        uint64_t random = step->engine->random(step->engine->random_ctx) >> 11;
        ms *= (double)random / 9007199254740992.0; /* 2^53: in [0, 1) */
    }
    return (int64_t)ms;
}

static int retry(struct step *step, bool *ret_retried)
{
    struct frame *frame = step->frame;
    const struct asl_state *state = step->state;
    *ret_retried = false;
    for (size_t i = 0; i < state->retrier_count; i++) {
        const struct asl_retrier *retrier = &state->retriers[i];
        if (!asl_error_matches(retrier->errors, retrier->error_count, step->failure.error))
            continue;
        if (!frame->retries &&
            !(frame->retries = calloc(state->retrier_count, sizeof(*frame->retries))))
            return px_fault(PX_F_OOM, "counts of retries");
        if ((int64_t)frame->retries[i] >= retrier->max_attempts) return 0;
        int64_t due_ms = step->scope.now_ms + delay_ms(step, retrier, frame->retries[i]);
        if (frame->fork) frame_forget_children(frame);
        frame_clear_state(frame);
        frame->retries[i]++;
        frame->retry_count++;
        frame->secret = 0;
        frame->phase = PHASE_BACKOFF;
        PX_TRY(timers_set(&step->engine->timers, &frame->timer, due_ms));
        *ret_retried = true;
        return 0;
    }
    return 0;
}

static int error_output(struct step *step, yyjson_mut_val **ret_value)
{
    yyjson_mut_doc *doc = step->values.doc;
    yyjson_mut_val *value = yyjson_mut_obj(doc);
    struct px_str error = step->failure.error, cause = step->failure.cause;
    if (!value ||
        (error.ptr && !yyjson_mut_obj_add_strn(doc, value, "Error", error.ptr, error.len)) ||
        (cause.ptr && !yyjson_mut_obj_add_strn(doc, value, "Cause", cause.ptr, cause.len)))
        return px_arena_fault(step->values.arena);
    *ret_value = value;
    return 0;
}

static int catch_it(struct step *step, bool *ret_caught)
{
    const struct asl_state *state = step->state;
    *ret_caught = false;
    for (size_t i = 0; i < state->catcher_count; i++) {
        const struct asl_catcher *catcher = &state->catchers[i];
        if (!asl_error_matches(catcher->errors, catcher->error_count, step->failure.error))
            continue;
        yyjson_mut_val *value = NULL;
        PX_TRY(error_output(step, &value));
        *ret_caught = true;
        return step_leave(step, &(struct leaving){
                                    .result = value,
                                    .assign = catcher->assign,
                                    .output = catcher->output,
                                    .next = catcher->next,
                                    .error_output = true,
                                    .result_path = &catcher->result_path,
                                });
    }
    return 0;
}

/* The definition's own failures name the state and the event. */
static int name_state(struct step *step)
{
    struct px_str cause = step->failure.cause;
    if (!step->evaluation) return 0;
    step->failure.cause = px_arena_printf(
        step->values.arena,
        "An error occurred while executing the state '%.*s' (entered at the event id #%u). %.*s",
        PX_FMT(step->state->name), step->frame->entered_event, PX_FMT(cause));
    step->evaluation = false;
    if (!step->failure.cause.ptr) return px_arena_fault(step->values.arena);
    if (!px_str_eq(step->failure.error, S(ASL_E_QUERY))) return 0;
    struct px_buf *buf = turn_event(step->execution, step->frame, ASL_EV_EvaluationFailed);
    turn_failure(buf, step->failure.error, step->failure.cause);
    turn_member(buf, "state", step->state->name);
    turn_event_end(step->execution);
    return 0;
}

int step_failed(struct step *step)
{
    bool handled = false;
    PX_TRY(name_state(step));
    PX_TRY(retry(step, &handled));
    if (handled) return 0;
    int r = catch_it(step, &handled);
    if (r == ASL_FAILED) { /* the catcher's own expressions fail: nothing catches that */
        PX_TRY(name_state(step));
        return step_fail_frame(step);
    }
    PX_TRY(r);
    return handled ? 0 : step_fail_frame(step);
}

static int blob_of(struct px_str text, struct asl_blob **ret_blob)
{
    *ret_blob = NULL;
    if (!text.ptr) return 0;
    *ret_blob = asl_blob_new(text);
    return *ret_blob ? 0 : px_fault(PX_F_OOM, "an error");
}

/* A child's failure decides its parent's state; the first one counts. */
static int tell_parent(struct step *step)
{
    struct frame *frame = step->frame, *parent = frame->parent;
    struct fork *fork = parent->fork;
    struct asl_blob *error, *cause;
    PX_TRY(blob_of(step->failure.error, &error));
    PX_TRY(blob_of(step->failure.cause, &cause));
    struct fork *own = PX_TAKE(frame->fork); /* stays, with its children's records: for a redrive */
    frame_clear_state(frame);
    frame->fork = own;
    frame->phase = PHASE_FAILED; /* its record, until the parent has dealt with it */
    PX_TRY(frame_halt_children(frame));
    frame->outcome_error = asl_blob_ref(error);
    frame->outcome_cause = asl_blob_ref(cause);
    fork_set(fork, frame->index, CHILD_FAILED);
    if (!fork->broken) {
        fork->broken = true;
        fork->error = PX_TAKE(error);
        fork->cause = PX_TAKE(cause);
    }
    asl_blob_unref(&error);
    asl_blob_unref(&cause);
    if (parent->state->type == ASL_MAP) {
        struct px_buf *buf = turn_event(step->execution, frame, ASL_EV_MapIterationFailed);
        turn_member(buf, "name", parent->state->name);
        px_buf_printf(buf, ",\"index\":%u", frame->index);
        turn_event_end(step->execution);
    }
    parent->last_event = frame->last_event;
    engine_ready(parent);
    return 0;
}

int step_fail_frame(struct step *step)
{
    if (step->frame->parent) return tell_parent(step);
    return execution_end(step->execution, ASL_FAILED_STATUS, NULL, step->failure.error,
                         step->failure.cause);
}

/* ---- the end of an execution ---- */

static enum asl_event_type event_end(enum asl_status status)
{
    switch (status) {
    case ASL_SUCCEEDED: return ASL_EV_ExecutionSucceeded;
    case ASL_TIMED_OUT: return ASL_EV_ExecutionTimedOut;
    case ASL_ABORTED: return ASL_EV_ExecutionAborted;
    default: return ASL_EV_ExecutionFailed;
    }
}

static int cancel_all(struct asl_execution *execution)
{
    for (size_t i = 0; i < execution->frame_count; i++) {
        struct frame *frame = execution->frames[i];
        if (frame->out) PX_TRY(engine_effect(execution, EFFECT_CANCEL, frame));
        frame->out = false;
        engine_abort_children(frame);
    }
    return 0;
}

#define DIGITS_(n) #n
#define DIGITS(n) DIGITS_(n)

int execution_end(struct asl_execution *execution, enum asl_status status, struct asl_blob *output,
                  struct px_str error, struct px_str cause)
{
    struct frame *root = execution->frame_count ? execution->frames[0] : NULL;
    struct asl_blob *error_text, *cause_text;
    if (execution->overflowing && (status == ASL_SUCCEEDED || status == ASL_FAILED_STATUS)) {
        status = ASL_FAILED_STATUS;
        output = NULL;
        error = S(ASL_E_RUNTIME);
        cause = S("The execution reached the maximum number of history events (" DIGITS(
            ASL_HISTORY_EVENTS_MAX) ").");
    }
    if (status == ASL_TIMED_OUT && !error.ptr) error = S(ASL_E_TIMEOUT);
    PX_TRY(blob_of(error, &error_text));
    PX_TRY(blob_of(cause, &cause_text));
    asl_blob_unref(&execution->error_text);
    asl_blob_unref(&execution->cause_text);
    execution->error_text = error_text;
    execution->cause_text = cause_text;
    execution->output_text = asl_blob_ref(output);
    struct asl_execution_info *info = &execution->info;
    info->status = status;
    info->stop_ms = engine_now_ms(execution->engine);
    info->output = asl_blob_str(output);
    info->failure = (struct asl_failure){asl_blob_str(error_text), asl_blob_str(cause_text)};
    struct px_buf *buf = turn_event(execution, root, event_end(status));
    if (output) turn_member_json(buf, "output", info->output);
    turn_failure(buf, info->failure.error, info->failure.cause);
    turn_event_end(execution);
    PX_TRY(cancel_all(execution));
    execution->ended = true;
    timers_unset(&execution->engine->timers, &execution->timer);
    for (size_t i = 0; i < execution->frame_count; i++)
        timers_unset(&execution->engine->timers, &execution->frames[i]->timer);
    if (status != ASL_SUCCEEDED)
        return 0; /* the frames' records stay: a redrive goes on from them */
    while (execution->frame_count) frame_forget(execution->frames[0], true);
    return 0;
}
