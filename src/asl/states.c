/* asl/states.c - the states that have no children: Pass, Choice, Wait, Succeed, Fail, Task. */
#include <math.h>
#include <stdlib.h>

#include "asl/engine_internal.h"
#include "asl/timestamp.h"

/* What Step Functions takes for TimeoutSeconds, HeartbeatSeconds and Seconds at most. */
#define SECONDS_MAX 99999999

static int leave_with(struct step *step, yyjson_mut_val *result)
{
    const struct asl_state *state = step->state;
    return step_leave(step, &(struct leaving){.result = result,
                                              .assign = state->assign,
                                              .output = state->output,
                                              .next = state->next});
}

/* ---- Pass ---- */

static int pass(struct step *step)
{
    const struct asl_state *state = step->state;
    yyjson_mut_val *result = NULL;
    if (state->language == ASL_JSONATA) return leave_with(step, NULL);
    int r = step_payload(step, state->of.pass.parameters, &result);
    if (r != 0) return r;
    if (state->of.pass.result && !(result = asl_copy_fixed(&step->values, state->of.pass.result)))
        return px_arena_fault(step->values.arena);
    return leave_with(step, result);
}

/* ---- Choice ---- */

static int condition_holds(struct step *step, const struct asl_field *condition, bool *ret_holds)
{
    yyjson_mut_val *value = NULL;
    int r = step_field(step, condition, step->scope.input, &value);
    if (r != 0) return r;
    if (!yyjson_mut_is_bool(value)) {
        struct px_str source = condition->kind == ASL_FIELD_COMPUTED
                                   ? asl_expr_source(condition->expr)
                                   : S("");
        return step_fail(
            step, ASL_E_QUERY,
            "The JSONata expression '%.*s' specified for the field 'Condition' returned an unexpected result "
            "type. Expected 'boolean', but was '%s' for value: %.*s",
            PX_FMT(source), asl_type_name(value), PX_FMT(step_text(step, value)));
    }
    *ret_holds = yyjson_mut_get_bool(value);
    return 0;
}

static int rule_holds(struct step *step, const struct asl_choice_rule *rule, yyjson_mut_val *input,
                      bool *ret_holds)
{
    if (step->state->language == ASL_JSONATA)
        return condition_holds(step, &rule->condition, ret_holds);
    struct asl_scope scope = step->scope;
    scope.input = input;
    step->evaluation = true;
    int r = asl_rule_matches(rule->rule, &scope, ret_holds, &step->failure);
    if (r == ASL_FAILED) return r;
    PX_TRY(r);
    step->evaluation = false;
    return 0;
}

static int choice(struct step *step)
{
    const struct asl_state *state = step->state;
    const struct asl_choice *choice = &state->of.choice;
    yyjson_mut_val *input = NULL;
    int r = step_effective_input(step, &input);
    if (r != 0) return r;
    for (size_t i = 0; i < choice->rule_count; i++) {
        const struct asl_choice_rule *rule = &choice->rules[i];
        bool holds = false;
        r = rule_holds(step, rule, input, &holds);
        if (r != 0) return r;
        if (holds)
            return step_leave(step, &(struct leaving){.assign = rule->assign,
                                                      .output = rule->output,
                                                      .next = rule->next});
    }
    if (!choice->otherwise)
        return step_fail(
            step, ASL_E_NO_CHOICE,
            "Failed to transition out of the state. The state does not point to a next state.");
    return step_leave(step, &(struct leaving){.assign = state->assign,
                                              .output = state->output,
                                              .next = choice->otherwise});
}

/* ---- Wait ---- */

static bool is_path(const struct asl_field *field)
{
    return px_str_ends(px_str_c(field->name), S("Path"));
}

static int wait_seconds(struct step *step, yyjson_mut_val *value, int64_t *ret_due_ms)
{
    const struct asl_field *field = &step->state->of.wait.seconds;
    double seconds;
    bool number = asl_value_number(value, &seconds);
    struct px_str source = field->kind == ASL_FIELD_COMPUTED ? asl_expr_source(field->expr) : S("");
    if (is_path(field) && (!number || !yyjson_mut_is_int(value)))
        return step_fail(step, ASL_E_RUNTIME,
                         "The %s parameter cannot be parsed as a long value: %.*s == %.*s",
                         field->name, PX_FMT(source), PX_FMT(step_text(step, value)));
    if (is_path(field) && seconds < 0)
        return step_fail(step, ASL_E_RUNTIME,
                         "The %s parameter references a negative value: %.*s == %.*s", field->name,
                         PX_FMT(source), PX_FMT(step_text(step, value)));
    if (!number || floor(seconds) != seconds)
        return step_fail(
            step, ASL_E_QUERY,
            "The JSONata expression '%.*s' specified for the field 'Seconds' returned an unexpected result type. "
            "Expected 'integer', but was '%s' for value: %.*s",
            PX_FMT(source), asl_type_name(value), PX_FMT(step_text(step, value)));
    if (seconds < 0 || seconds > SECONDS_MAX)
        return step_fail(step, step->state->language == ASL_JSONATA ? ASL_E_QUERY : ASL_E_RUNTIME,
                         "The value returned for field '%s' must be between 0 and %d: %.*s",
                         field->name, SECONDS_MAX, PX_FMT(step_text(step, value)));
    *ret_due_ms = step->scope.now_ms + (int64_t)seconds * 1000;
    return 0;
}

static int wait_timestamp(struct step *step, yyjson_mut_val *value, int64_t *ret_due_ms)
{
    const struct asl_field *field = &step->state->of.wait.timestamp;
    struct px_str text = asl_value_str(value);
    int64_t due_ns;
    if (text.ptr && asl_timestamp_parse(text, &due_ns)) {
        *ret_due_ms = due_ns / PX_NS_PER_MS + (due_ns % PX_NS_PER_MS > 0);
        return 0;
    }
    if (step->state->language == ASL_JSONATA)
        return step_fail(
            step, ASL_E_QUERY,
            "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: %.*s",
            PX_FMT(step_text(step, value)));
    return step_fail(
        step, ASL_E_RUNTIME,
        "The %s parameter does not reference a valid ISO-8601 extended offset date-time format string: %.*s == "
        "%.*s",
        field->name,
        PX_FMT(field->kind == ASL_FIELD_COMPUTED ? asl_expr_source(field->expr) : S("")),
        PX_FMT(step_text(step, value)));
}

static int wait(struct step *step)
{
    const struct asl_wait *wait = &step->state->of.wait;
    yyjson_mut_val *input = NULL, *value = NULL;
    int64_t due_ms = 0;
    int r = step_effective_input(step, &input);
    if (r == 0)
        r = step_field(step,
                       wait->seconds.kind != ASL_FIELD_ABSENT ? &wait->seconds : &wait->timestamp,
                       input, &value);
    if (r != 0) return r;
    r = wait->seconds.kind != ASL_FIELD_ABSENT ? wait_seconds(step, value, &due_ms)
                                               : wait_timestamp(step, value, &due_ms);
    if (r != 0) return r;
    step->frame->phase = PHASE_WAIT;
    PX_TRY(
        timers_set(&step->engine->timers, &step->frame->timer, PX_MAX(due_ms, step->scope.now_ms)));
    return 0;
}

/* ---- Fail ---- */

static int fail_text(struct step *step, const struct asl_field *field, yyjson_mut_val *input,
                     struct px_str *ret_text)
{
    yyjson_mut_val *value = NULL;
    *ret_text = (struct px_str){0};
    int r = step_field(step, field, input, &value);
    if (r != 0 || !value) return r;
    *ret_text = asl_value_str(value);
    if (ret_text->ptr) return 0;
    if (step->state->language == ASL_JSONATA)
        return step_fail(
            step, ASL_E_QUERY,
            "The JSONata expression '%.*s' specified for the field '%s' returned an unexpected result type. "
            "Expected 'string', but was '%s' for value: %.*s",
            PX_FMT(asl_expr_source(field->expr)), field->name, asl_type_name(value),
            PX_FMT(step_text(step, value)));
    return step_fail(
        step, ASL_E_RUNTIME, "The %s field refers to value %.*s which is not a valid string: %.*s",
        field->name, PX_FMT(step_text(step, value)), PX_FMT(asl_expr_source(field->expr)));
}

static int fail(struct step *step)
{
    const struct asl_fail_state *fail = &step->state->of.fail;
    struct px_str error, cause;
    int r = fail_text(step, &fail->error, step->scope.input, &error);
    if (r == 0) r = fail_text(step, &fail->cause, step->scope.input, &cause);
    if (r != 0) return r;
    step->failure = (struct asl_failure){error, cause};
    step->evaluation = false;
    return step_fail_frame(step);
}

/* ---- Task ---- */

static int task_seconds(struct step *step, const struct asl_field *field, yyjson_mut_val *input,
                        int64_t *ret_ms)
{
    yyjson_mut_val *value = NULL;
    double seconds;
    *ret_ms = 0;
    int r = step_field(step, field, input, &value);
    if (r != 0 || !value) return r;
    if (!asl_value_number(value, &seconds) || floor(seconds) != seconds || seconds < 1 ||
        seconds > SECONDS_MAX) {
        if (step->state->language == ASL_JSONATA)
            return step_fail(
                step, ASL_E_QUERY,
                "The value returned for field '%s' must be an integer between 1 and %d: %.*s",
                field->name, SECONDS_MAX, PX_FMT(step_text(step, value)));
        return step_fail(
            step, ASL_E_RUNTIME,
            "The %s field refers to value \"%.*s\" which is not a valid integer: %.*s", field->name,
            PX_FMT(step_text(step, value)),
            PX_FMT(field->kind == ASL_FIELD_COMPUTED ? asl_expr_source(field->expr) : S("")));
    }
    *ret_ms = (int64_t)seconds * 1000;
    return 0;
}

static void event_scheduled(struct step *step, struct px_str payload, int64_t timeout_ms,
                            int64_t heartbeat_ms)
{
    const struct asl_resource *resource = &step->state->of.task.resource;
    bool function = resource->kind == ASL_RESOURCE_LAMBDA;
    struct px_buf *buf = turn_event(step->execution, step->frame,
                                    function ? ASL_EV_LambdaFunctionScheduled
                                             : ASL_EV_TaskScheduled);
    if (function) {
        turn_member(buf, "resource", resource->arn);
        turn_member_json(buf, "input", payload);
    } else {
        turn_member(buf, "resourceType", resource->service);
        turn_member(buf, "resource", resource->action);
        turn_member_json(buf, "parameters", payload);
    }
    if (timeout_ms)
        px_buf_printf(buf, ",\"timeoutInSeconds\":%lld", (long long)(timeout_ms / 1000));
    if (heartbeat_ms)
        px_buf_printf(buf, ",\"heartbeatInSeconds\":%lld", (long long)(heartbeat_ms / 1000));
    turn_event_end(step->execution);
}

static int keep(struct asl_blob **blob, struct px_str text)
{
    asl_blob_unref(blob);
    *blob = asl_blob_new(text);
    return *blob ? 0 : px_fault(PX_F_OOM, "a task");
}

static int send(struct step *step, struct px_str payload, int64_t timeout_ms, int64_t heartbeat_ms)
{
    struct frame *frame = step->frame;
    PX_TRY(keep(&frame->payload, payload));
    event_scheduled(step, payload, timeout_ms, heartbeat_ms);
    if (step->state->of.task.resource.kind == ASL_RESOURCE_LAMBDA)
        turn_bare(step->execution, frame, ASL_EV_LambdaFunctionStarted);
    frame->phase = PHASE_TASK;
    frame->submitted = false;
    frame->timeout_due_ms = timeout_ms ? step->scope.now_ms + timeout_ms : INT64_MAX;
    frame->heartbeat_ms = heartbeat_ms;
    frame->heartbeat_due_ms = heartbeat_ms ? step->scope.now_ms + heartbeat_ms : INT64_MAX;
    int64_t due_ms = PX_MIN(frame->timeout_due_ms, frame->heartbeat_due_ms);
    if (due_ms != INT64_MAX) PX_TRY(timers_set(&step->engine->timers, &frame->timer, due_ms));
    PX_TRY(engine_effect(step->execution, EFFECT_TASK, frame));
    return 0;
}

int task_attempt(struct step *step)
{
    const struct asl_task *task = &step->state->of.task;
    struct frame *frame = step->frame;
    yyjson_mut_val *input = NULL, *payload = NULL, *role = NULL;
    int64_t timeout_ms, heartbeat_ms;
    struct px_str text;
    frame->secret = step->engine->random(step->engine->random_ctx) | 1; /* not 0: that is none */
    PX_TRY(step_context(step, frame, &step->scope.context));            /* with the token */
    int r = step_effective_input(step, &input);
    if (r == 0) r = task_seconds(step, &task->timeout_s, input, &timeout_ms);
    if (r == 0) r = task_seconds(step, &task->heartbeat_s, input, &heartbeat_ms);
    if (r == 0) r = step_field(step, &task->role, input, &role);
    if (r == 0) r = step_payload(step, task->payload, &payload);
    if (r != 0) return r;
    PX_TRY(asl_value_write(&step->values, payload, &text));
    if (text.len > ASL_DATA_BYTES_MAX) {
        step->evaluation = false;
        return asl_fail(
            step->values.arena, &step->failure, ASL_E_DATA_LIMIT,
            "The state/task '%.*s' was called with a payload of a size exceeding the maximum number of bytes "
            "service limit.",
            PX_FMT(task->resource.kind == ASL_RESOURCE_SERVICE ? task->resource.service
                                                               : task->resource.arn));
    }
    if (role) PX_TRY(keep(&frame->role, step_text(step, role)));
    return send(step, text, timeout_ms, heartbeat_ms);
}

static void event_done(struct step *step, struct px_str output)
{
    const struct asl_resource *resource = &step->state->of.task.resource;
    bool function = resource->kind == ASL_RESOURCE_LAMBDA;
    struct px_buf *buf = turn_event(step->execution, step->frame,
                                    function ? ASL_EV_LambdaFunctionSucceeded
                                             : ASL_EV_TaskSucceeded);
    if (!function) {
        turn_member(buf, "resourceType", resource->service);
        turn_member(buf, "resource", resource->action);
    }
    turn_member_json(buf, "output", output);
    turn_event_end(step->execution);
}

static void event_not_done(struct step *step, enum asl_event_type of_function,
                           enum asl_event_type of_service)
{
    const struct asl_resource *resource = &step->state->of.task.resource;
    bool function = resource->kind == ASL_RESOURCE_LAMBDA;
    struct px_buf *buf = turn_event(step->execution, step->frame,
                                    function ? of_function : of_service);
    if (!function) {
        turn_member(buf, "resourceType", resource->service);
        turn_member(buf, "resource", resource->action);
    }
    turn_failure(buf, step->failure.error, step->failure.cause);
    turn_event_end(step->execution);
}

static int timed_out(struct step *step)
{
    struct frame *frame = step->frame;
    bool heartbeat = frame->heartbeat_due_ms < frame->timeout_due_ms;
    step->failure = (struct asl_failure){heartbeat ? S(ASL_E_HEARTBEAT_TIMEOUT) : S(ASL_E_TIMEOUT),
                                         {0}};
    if (frame->out) PX_TRY(engine_effect(step->execution, EFFECT_CANCEL, frame));
    event_not_done(step, ASL_EV_LambdaFunctionTimedOut, ASL_EV_TaskTimedOut);
    return ASL_FAILED;
}

static int task_failure(struct step *step)
{
    struct frame *frame = step->frame;
    step->failure = (struct asl_failure){
        px_arena_dup(step->values.arena, asl_blob_str(frame->outcome_error)),
        frame->outcome_cause ? px_arena_dup(step->values.arena, asl_blob_str(frame->outcome_cause))
                             : (struct px_str){0},
    };
    if (!step->failure.error.len) step->failure.error = S(ASL_E_TASK_FAILED);
    event_not_done(step, ASL_EV_LambdaFunctionFailed, ASL_EV_TaskFailed);
    return ASL_FAILED;
}

static int submitted(struct step *step)
{
    struct frame *frame = step->frame;
    const struct asl_resource *resource = &step->state->of.task.resource;
    struct px_buf *buf = turn_event(step->execution, frame, ASL_EV_TaskSubmitted);
    turn_member(buf, "resourceType", resource->service);
    turn_member(buf, "resource", resource->action);
    turn_member_json(buf, "output", asl_blob_str(frame->submitted_output));
    turn_event_end(step->execution);
    frame->outcome_submitted = false;
    return 0;
}

int task_outcome(struct step *step)
{
    struct frame *frame = step->frame;
    yyjson_mut_val *result = NULL;
    if (frame->outcome_submitted) PX_TRY(submitted(step));
    if (frame->outcome == OUTCOME_NONE) return 0;
    timers_unset(&step->engine->timers, &frame->timer);
    if (frame->outcome == OUTCOME_TIMER) return timed_out(step);
    if (frame->outcome == OUTCOME_FAILED) return task_failure(step);
    if (frame->outcome_too_large) {
        const struct asl_resource *resource = &step->state->of.task.resource;
        int r = asl_fail(
            step->values.arena, &step->failure, ASL_E_DATA_LIMIT,
            "The state/task '%.*s' returned a result with a size exceeding the maximum number of bytes service "
            "limit.",
            PX_FMT(resource->kind == ASL_RESOURCE_SERVICE ? resource->service : resource->arn));
        if (r == ASL_FAILED) event_not_done(step, ASL_EV_LambdaFunctionFailed, ASL_EV_TaskFailed);
        return r;
    }
    int r = asl_value_parse(&step->values, asl_blob_str(frame->outcome_text), &result, NULL);
    if (r > 0) return px_fault(PX_F_BUG, "a task's output was checked before");
    PX_TRY(r);
    event_done(step, asl_blob_str(frame->outcome_text));
    return leave_with(step, result);
}

int state_attempt(struct step *step)
{
    switch (step->state->type) {
    case ASL_PASS: return pass(step);
    case ASL_CHOICE: return choice(step);
    case ASL_WAIT: return wait(step);
    case ASL_SUCCEED: return leave_with(step, NULL);
    case ASL_FAIL: return fail(step);
    case ASL_TASK: return task_attempt(step);
    case ASL_PARALLEL: return parallel_attempt(step);
    case ASL_MAP: return map_attempt(step);
    }
    return px_fault(PX_F_BUG, "type %d of a state", (int)step->state->type);
}
