/* asl/dataflow.c - what a state sees and what it leaves behind.
 *
 * JSONPath: input -> InputPath -> Parameters -> (result) -> ResultSelector -> ResultPath -> OutputPath -> output.
 * JSONata:  input -> Arguments -> (result) -> Output -> output.
 * Assign is computed beside the output; every expression of a state sees the variables as they were when it was entered. */
#include <stdio.h>
#include <stdlib.h>

#include "asl/engine_internal.h"
#include "asl/timestamp.h"

/* ---- the context object ---- */

static bool put_text(struct step *step, yyjson_mut_val *object, const char *name,
                     struct px_str text)
{
    return yyjson_mut_obj_add_strncpy(step->values.doc, object, name, text.ptr ? text.ptr : "",
                                      text.len);
}

static bool put_time(struct step *step, yyjson_mut_val *object, const char *name, int64_t wall_ms)
{
    char text[40];
    return put_text(step, object, name, asl_timestamp_format(wall_ms, text));
}

static int put_input(struct step *step, yyjson_mut_val *object)
{
    yyjson_mut_val *input = NULL;
    int r = asl_value_parse(&step->values, step->execution->info.input, &input, NULL);
    if (r > 0)
        return px_fault(PX_F_CORRUPT, "input of execution %.*s",
                        PX_FMT(step->execution->info.name));
    PX_TRY(r);
    return yyjson_mut_obj_add_val(step->values.doc, object, "Input", input)
               ? 0
               : px_arena_fault(step->values.arena);
}

static int put_item(struct step *step, const struct frame *frame, yyjson_mut_val *context)
{
    yyjson_mut_doc *doc = step->values.doc;
    yyjson_mut_val *value = NULL;
    if (!frame->item) return 0;
    int r = asl_value_parse(&step->values, asl_blob_str(frame->item), &value, NULL);
    if (r > 0) return px_fault(PX_F_CORRUPT, "item of a Map");
    PX_TRY(r);
    yyjson_mut_val *map = yyjson_mut_obj_add_obj(doc, context, "Map"),
                   *item = map ? yyjson_mut_obj_add_obj(doc, map, "Item") : NULL;
    if (!item || !yyjson_mut_obj_add_uint(doc, item, "Index", frame->item_index) ||
        !yyjson_mut_obj_add_val(doc, item, "Value", value) ||
        !put_text(step, item, "Source", sources_find(NULL, 0))) /* an inline Map reads nothing */
        return px_arena_fault(step->values.arena);
    return 0;
}

int step_context(struct step *step, const struct frame *frame, yyjson_mut_val **ret_context)
{
    const struct asl_execution_info *info = &step->execution->info;
    yyjson_mut_doc *doc = step->values.doc;
    yyjson_mut_val *context = yyjson_mut_obj(doc);
    if (!context) return px_arena_fault(step->values.arena);
    *ret_context = context;
    if (!info->program->uses_context) return 0; /* nobody looks */
    yyjson_mut_val *execution = yyjson_mut_obj_add_obj(doc, context, "Execution");
    if (!execution || !put_text(step, execution, "Id", info->arn))
        return px_arena_fault(step->values.arena);
    PX_TRY(put_input(step, execution));
    bool fine = put_time(step, execution, "StartTime", info->start_ms) &&
                put_text(step, execution, "Name", info->name) &&
                put_text(step, execution, "RoleArn", info->program->role_arn) &&
                yyjson_mut_obj_add_uint(doc, execution, "RedriveCount", info->redrive_count);
    yyjson_mut_val *machine = yyjson_mut_obj_add_obj(doc, context, "StateMachine");
    fine = fine && machine && put_text(step, machine, "Id", info->program->arn) &&
           put_text(step, machine, "Name", info->program->name);
    yyjson_mut_val *state = yyjson_mut_obj_add_obj(doc, context, "State");
    fine = fine && state && put_text(step, state, "Name", frame->state->name) &&
           put_time(step, state, "EnteredTime", frame->entered_ms);
    if (fine &&
        (frame->state->type == ASL_TASK || frame->state->retrier_count || frame->retry_count))
        fine = yyjson_mut_obj_add_uint(doc, state, "RetryCount", frame->retry_count);
    if (fine && frame->state->type == ASL_TASK &&
        frame->state->of.task.resource.pattern == ASL_TASK_TOKEN && frame->secret) {
        char token[ASL_TOKEN_BYTES];
        engine_token(frame, token);
        yyjson_mut_val *task = yyjson_mut_obj_add_obj(doc, context, "Task");
        fine = task && put_text(step, task, "Token", px_str_c(token));
    }
    if (!fine) return px_arena_fault(step->values.arena);
    return put_item(step, frame, context);
}

/* ---- what goes in ---- */

static int select_path(struct step *step, const struct asl_path_field *path, const char *field,
                       yyjson_mut_val *whole, yyjson_mut_val **ret_value)
{
    if (path->kind == ASL_PATH_ROOT) {
        *ret_value = whole;
        return 0;
    }
    if (path->kind == ASL_PATH_NULL) {
        *ret_value = yyjson_mut_obj(step->values.doc);
        return *ret_value ? 0 : px_arena_fault(step->values.arena);
    }
    struct asl_scope scope = step->scope;
    scope.input = whole;
    step->evaluation = true;
    int r = asl_expr_eval(path->expr, &scope, field, ret_value, &step->failure);
    if (r == ASL_FAILED) return r;
    PX_TRY(r);
    step->evaluation = false;
    return 0;
}

int step_effective_input(struct step *step, yyjson_mut_val **ret_value)
{
    if (step->state->language == ASL_JSONATA) {
        *ret_value = step->scope.input;
        return 0;
    }
    return select_path(step, &step->state->input_path, "InputPath", step->scope.input, ret_value);
}

static int eval_template(struct step *step, const struct asl_template *template,
                         const struct asl_scope *scope, const char *field,
                         yyjson_mut_val **ret_value)
{
    step->evaluation = true;
    int r = asl_template_eval(template, scope, field, ret_value, &step->failure);
    if (r == ASL_FAILED) return r;
    PX_TRY(r);
    step->evaluation = false;
    return 0;
}

int step_payload(struct step *step, const struct asl_template *payload, yyjson_mut_val **ret_value)
{
    yyjson_mut_val *input = NULL;
    int r = step_effective_input(step, &input);
    if (r != 0) return r;
    if (!payload) {
        *ret_value = input;
        return 0;
    }
    struct asl_scope scope = step->scope;
    scope.input = input;
    return eval_template(step, payload, &scope,
                         step->state->language == ASL_JSONATA ? "Arguments" : "Parameters",
                         ret_value);
}

int step_field(struct step *step, const struct asl_field *field, yyjson_mut_val *input,
               yyjson_mut_val **ret_value)
{
    *ret_value = NULL;
    if (field->kind == ASL_FIELD_ABSENT) return 0;
    if (field->kind == ASL_FIELD_WRITTEN) {
        *ret_value = asl_copy_fixed(&step->values, field->written);
        return *ret_value ? 0 : px_arena_fault(step->values.arena);
    }
    struct asl_scope scope = step->scope;
    scope.input = input;
    step->evaluation = true;
    int r = asl_expr_eval(field->expr, &scope, field->name, ret_value, &step->failure);
    if (r == ASL_FAILED) return r;
    PX_TRY(r);
    step->evaluation = false;
    return 0;
}

struct px_str step_text(struct step *step, yyjson_mut_val *value)
{
    struct px_str text = asl_value_str(value);
    if (text.ptr) return text;
    return asl_value_write(&step->values, value, &text) == 0 ? text : S("");
}

/* ---- what comes out ---- */

static int output_jsonata(struct step *step, const struct leaving *leaving,
                          yyjson_mut_val **ret_output, yyjson_mut_val **ret_assigned)
{
    struct asl_scope scope = step->scope;
    if (leaving->error_output)
        scope.error_output = leaving->result;
    else
        scope.result = leaving->result;
    *ret_output = leaving->result ? leaving->result : step->scope.input;
    if (leaving->assign) {
        int r = eval_template(step, leaving->assign, &scope, "Assign", ret_assigned);
        if (r != 0) return r;
    }
    return leaving->output ? eval_template(step, leaving->output, &scope, "Output", ret_output) : 0;
}

static int put_result(struct step *step, const struct asl_path_field *path, yyjson_mut_val *result,
                      yyjson_mut_val **ret_whole)
{
    if (path->kind == ASL_PATH_ROOT) {
        *ret_whole = result;
        return 0;
    }
    if (path->kind == ASL_PATH_NULL) {
        *ret_whole = step->scope.input;
        return 0;
    }
    yyjson_mut_val *whole = asl_copy(&step->values, step->scope.input),
                   *copy = asl_copy(&step->values, result);
    if (!whole || !copy) return px_arena_fault(step->values.arena);
    step->evaluation = true;
    int r = asl_expr_put(path->expr, &step->values, &whole, copy, &step->failure);
    if (r == ASL_FAILED) return r;
    PX_TRY(r);
    step->evaluation = false;
    *ret_whole = whole;
    return 0;
}

static int output_jsonpath(struct step *step, const struct leaving *leaving,
                           yyjson_mut_val **ret_output, yyjson_mut_val **ret_assigned)
{
    const struct asl_state *state = step->state;
    yyjson_mut_val *result = leaving->result, *whole = NULL;
    struct asl_scope scope = step->scope;
    int r;
    if (!result) { /* Choice, Wait, Succeed: the effective input passes */
        r = step_effective_input(step, &result);
        if (r != 0) return r;
        whole = result;
    }
    scope.input = result;
    if (leaving->result && !leaving->error_output && state->result_selector) {
        r = eval_template(step, state->result_selector, &scope, "ResultSelector", &result);
        if (r != 0) return r;
        scope.input = result;
    }
    if (leaving->assign) {
        r = eval_template(step, leaving->assign, &scope, "Assign", ret_assigned);
        if (r != 0) return r;
    }
    if (leaving->result) {
        r = put_result(step, leaving->result_path ? leaving->result_path : &state->result_path,
                       result, &whole);
        if (r != 0) return r;
    }
    if (leaving->error_output) { /* OutputPath is of the state's own end */
        *ret_output = whole;
        return 0;
    }
    return select_path(step, &state->output_path, "OutputPath", whole, ret_output);
}

/* Variables of this frame: what it inherited and what it assigned. */
static int assign(struct step *step, yyjson_mut_val *assigned)
{
    struct frame *frame = step->frame;
    yyjson_mut_val *all = step->scope.variables, *name, *value;
    if (!all && !(all = yyjson_mut_obj(step->values.doc)))
        return px_arena_fault(step->values.arena);
    yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(assigned);
    while ((name = yyjson_mut_obj_iter_next(&iter))) {
        value = asl_copy(&step->values, yyjson_mut_obj_iter_get_val(name));
        if (!value) return px_arena_fault(step->values.arena);
        PX_TRY(asl_member_set(&step->values, all,
                              px_str(yyjson_mut_get_str(name), yyjson_mut_get_len(name)), value));
    }
    struct px_str text;
    PX_TRY(asl_value_write(&step->values, all, &text));
    struct asl_blob *blob = asl_blob_new(text);
    if (!blob) return px_fault(PX_F_OOM, "variables of an execution");
    asl_blob_unref(&frame->variables);
    frame->variables = blob;
    return 0;
}

static enum asl_event_type event_exited(enum asl_state_type type)
{
    static const enum asl_event_type exited[] = {
        [ASL_TASK] = ASL_EV_TaskStateExited,         [ASL_PASS] = ASL_EV_PassStateExited,
        [ASL_CHOICE] = ASL_EV_ChoiceStateExited,     [ASL_WAIT] = ASL_EV_WaitStateExited,
        [ASL_SUCCEED] = ASL_EV_SucceedStateExited,   [ASL_FAIL] = ASL_EV_FailStateEntered,
        [ASL_PARALLEL] = ASL_EV_ParallelStateExited, [ASL_MAP] = ASL_EV_MapStateExited,
    };
    return exited[type];
}

static int exit_state(struct step *step, struct px_str output, yyjson_mut_val *assigned)
{
    struct px_buf *buf = turn_event(step->execution, step->frame, event_exited(step->state->type));
    turn_member(buf, "name", step->state->name);
    turn_member_json(buf, "output", output);
    if (assigned && yyjson_mut_obj_size(assigned)) {
        struct px_str text;
        PX_TRY(asl_value_write(&step->values, assigned, &text));
        turn_member_json(buf, "assignedVariables", text);
    }
    turn_event_end(step->execution);
    return 0;
}

static int go_on(struct step *step, const struct asl_state *next, struct px_str output)
{
    struct frame *frame = step->frame;
    struct asl_blob *blob = px_str_eq(output, asl_blob_str(frame->input))
                                ? asl_blob_ref(frame->input)
                                : asl_blob_new(output);
    if (!blob) return px_fault(PX_F_OOM, "a state's output");
    if (frame->fork) frame_forget_children(frame);
    frame_clear_state(frame);
    free(frame->retries);
    frame->retries = NULL;
    frame->retry_count = 0;
    if (!next) {
        int r = step_end_frame(step, blob);
        asl_blob_unref(&blob);
        return r;
    }
    asl_blob_unref(&frame->input);
    frame->input = blob;
    frame->state = next;
    frame->secret = 0;
    frame->phase = PHASE_ENTER;
    engine_ready(frame);
    return 0;
}

int step_leave(struct step *step, const struct leaving *leaving)
{
    yyjson_mut_val *output = NULL, *assigned = NULL;
    struct px_str text;
    int r = step->state->language == ASL_JSONATA
                ? output_jsonata(step, leaving, &output, &assigned)
                : output_jsonpath(step, leaving, &output, &assigned);
    if (r != 0) return r;
    if (!asl_value_depth_is_fine(output)) { /* what Parallel and Map wrap, in a loop */
        step->evaluation = true;
        return asl_fail(step->values.arena, &step->failure, ASL_E_RUNTIME,
                        "The output is nested more than %d levels deep.", ASL_DEPTH_MAX);
    }
    PX_TRY(asl_value_write(&step->values, output, &text));
    if (text.len > ASL_DATA_BYTES_MAX) {
        step->evaluation = false;
        return asl_fail(
            step->values.arena, &step->failure, ASL_E_DATA_LIMIT,
            "The state/task '%.*s' returned a result with a size exceeding the maximum number of bytes service "
            "limit.",
            PX_FMT(step->state->name));
    }
    PX_TRY(exit_state(step, text, assigned));
    if (assigned) PX_TRY(assign(step, assigned));
    return go_on(step, leaving->next, text);
}

/* The frame has no state to go to. */
int step_end_frame(struct step *step, struct asl_blob *output)
{
    struct frame *frame = step->frame, *parent = frame->parent;
    if (!parent)
        return execution_end(step->execution, ASL_SUCCEEDED, output, (struct px_str){0},
                             (struct px_str){0});
    struct fork *fork = parent->fork;
    frame->phase = PHASE_DONE;
    frame->output = asl_blob_ref(output);
    asl_blob_unref(&frame->input);
    asl_blob_unref(&frame->variables);
    fork->results[frame->index] = asl_blob_ref(output);
    fork->result_bytes += output->len;
    fork_set(fork, frame->index, CHILD_DONE);
    if (parent->state->type == ASL_MAP) {
        struct px_buf *buf = turn_event(step->execution, frame, ASL_EV_MapIterationSucceeded);
        turn_member(buf, "name", parent->state->name);
        px_buf_printf(buf, ",\"index\":%u", frame->index);
        turn_event_end(step->execution);
    }
    parent->last_event = frame->last_event;
    engine_ready(parent);
    return 0;
}
