/* asl/fork.c - Parallel and Map: children of a frame.
 *
 * A Parallel's branches and an inline Map's items are frames of the same execution; a distributed Map's items are executions of
 * their own. Children are started up to the concurrency, their results kept by index until all are there. The first failure
 * decides (a distributed Map: the first beyond what is tolerated): the others are given up. */
#include <stdlib.h>

#include "asl/engine_internal.h"

static int fork_new(struct step *step, size_t total, size_t concurrency, struct fork **ret_fork)
{
    struct frame *frame = step->frame;
    struct fork *fork = calloc(1, sizeof(*fork));
    fork_free(&frame->fork);
    frame->fork = fork;
    if (fork) fork->results = calloc(total ? total : 1, sizeof(struct asl_blob *));
    if (fork) fork->child = calloc(total ? total : 1, 1);
    if (!fork || !fork->results || !fork->child)
        return px_fault(PX_F_OOM, "%zu children of a state", total);
    fork->total = total;
    fork->concurrency = concurrency;
    fork->tolerated_count = fork->tolerated_percentage = -1;
    fork->run = frame->last_event;
    *ret_fork = fork;
    return 0;
}

static int blob_of_value(struct step *step, yyjson_mut_val *value, struct asl_blob **ret_blob)
{
    struct px_str text;
    PX_TRY(asl_value_write(&step->values, value, &text));
    *ret_blob = asl_blob_new(text);
    return *ret_blob ? 0 : px_fault(PX_F_OOM, "a child's input");
}

/* ---- Parallel ---- */

int parallel_attempt(struct step *step)
{
    const struct asl_parallel *parallel = &step->state->of.parallel;
    yyjson_mut_val *input = NULL;
    struct fork *fork = NULL;
    int r = step_payload(step, parallel->payload, &input);
    if (r != 0) return r;
    turn_bare(step->execution, step->frame, ASL_EV_ParallelStateStarted);
    PX_TRY(fork_new(step, parallel->branch_count, parallel->branch_count, &fork));
    PX_TRY(blob_of_value(step, input, &fork->input));
    step->frame->phase = PHASE_CHILDREN;
    return fork_progress(step);
}

/* ---- a Map's items ---- */

static int number_field(struct step *step, const struct asl_field *field, yyjson_mut_val *input,
                        const char *kind, bool whole, double *ret_number)
{
    yyjson_mut_val *value = NULL;
    int r = step_field(step, field, input, &value);
    if (r != 0 || !value) return r;
    double number;
    if (!asl_value_number(value, &number) || (whole && number != (double)(int64_t)number)) {
        struct px_str source = field->kind == ASL_FIELD_COMPUTED ? asl_expr_source(field->expr)
                                                                 : S("");
        if (step->state->language == ASL_JSONATA)
            return step_fail(
                step, ASL_E_QUERY,
                "The JSONata expression '%.*s' specified for the field '%s' returned an unexpected result type. "
                "Expected '%s', but was '%s' for value: %.*s",
                PX_FMT(source), field->name, whole ? "integer" : "number", asl_type_name(value),
                PX_FMT(step_text(step, value)));
        return step_fail(step, ASL_E_RUNTIME,
                         "The %s field refers to value \"%.*s\" which is not a valid %s: %.*s",
                         field->name, PX_FMT(step_text(step, value)), kind, PX_FMT(source));
    }
    *ret_number = number;
    return 0;
}

static int map_limits(struct step *step, yyjson_mut_val *input, double *ret_concurrency,
                      double *ret_count, double *ret_percentage)
{
    const struct asl_map *map = &step->state->of.map;
    const char *error = step->state->language == ASL_JSONATA ? ASL_E_QUERY : ASL_E_RUNTIME;
    *ret_concurrency = 0;
    *ret_count = *ret_percentage = -1;
    int r = number_field(step, &map->max_concurrency, input, "integer", true, ret_concurrency);
    if (r == 0) r = number_field(step, &map->tolerated_count, input, "integer", true, ret_count);
    if (r == 0)
        r = number_field(step, &map->tolerated_percentage, input, "float", false, ret_percentage);
    if (r != 0) return r;
    if (*ret_concurrency < 0) return step_fail(step, error, "MaxConcurrency cannot be negative.");
    if (map->tolerated_count.kind != ASL_FIELD_ABSENT && *ret_count < 0)
        return step_fail(step, error, "ToleratedFailureCount cannot be negative.");
    if (map->tolerated_percentage.kind != ASL_FIELD_ABSENT &&
        (*ret_percentage < 0 || *ret_percentage > 100))
        return step_fail(step, error, "ToleratedFailurePercentage must be between 0 and 100.");
    double ceiling = map->distributed ? ASL_DISTRIBUTED_CONCURRENCY_MAX
                                      : ASL_INLINE_CONCURRENCY_MAX;
    if (*ret_concurrency == 0 || *ret_concurrency > ceiling) *ret_concurrency = ceiling;
    return 0;
}

static int items_jsonata(struct step *step, yyjson_mut_val **ret_items)
{
    const struct asl_map *map = &step->state->of.map;
    int r;
    *ret_items = step->scope.input;
    if (map->items_template) {
        step->evaluation = true;
        r = asl_template_eval(map->items_template, &step->scope, "Items", ret_items,
                              &step->failure);
        if (r == 0) step->evaluation = false;
        if (r != 0) return r;
    } else if (map->items.kind != ASL_FIELD_ABSENT) {
        r = step_field(step, &map->items, step->scope.input, ret_items);
        if (r != 0) return r;
    } else if (!yyjson_mut_is_arr(*ret_items) && !yyjson_mut_is_obj(*ret_items)) {
        struct px_str text;
        PX_TRY(asl_value_write(&step->values, *ret_items, &text));
        return step_fail(step, ASL_E_QUERY, "Map state input must be an array but was: %.*s",
                         PX_FMT(text));
    }
    if (yyjson_mut_is_arr(*ret_items) || (map->distributed && yyjson_mut_is_obj(*ret_items)))
        return 0;
    struct px_str text,
        source = map->items.kind == ASL_FIELD_COMPUTED ? asl_expr_source(map->items.expr) : S("");
    PX_TRY(asl_value_write(&step->values, *ret_items, &text));
    return step_fail(
        step, ASL_E_QUERY,
        "The JSONata expression '%.*s' specified for the field 'Items' returned an unexpected result type. "
        "Expected 'array', but was '%s' for value: %.*s",
        PX_FMT(source), asl_type_name(*ret_items), PX_FMT(text));
}

static int items_jsonpath(struct step *step, yyjson_mut_val *input, yyjson_mut_val **ret_items)
{
    const struct asl_path_field *path = &step->state->of.map.items_path;
    struct px_str source = S("$");
    *ret_items = input;
    if (path->kind == ASL_PATH_EXPR) {
        struct asl_scope scope = step->scope;
        scope.input = input;
        source = asl_expr_source(path->expr);
        step->evaluation = true;
        int r = asl_expr_eval(path->expr, &scope, "ItemsPath", ret_items, &step->failure);
        if (r != 0) return r;
        step->evaluation = false;
    }
    if (yyjson_mut_is_arr(*ret_items) ||
        (step->state->of.map.distributed && yyjson_mut_is_obj(*ret_items)))
        return 0;
    return step_fail(step, ASL_E_RUNTIME, "Reference path \"%.*s\" must point to array.",
                     PX_FMT(source));
}

static int set_items(struct step *step, struct fork *fork, yyjson_mut_val *items)
{
    size_t count = fork->total, i = 0;
    yyjson_mut_val *value, *name;
    fork->items = calloc(count ? count : 1, sizeof(struct asl_blob *));
    if (!fork->items) return px_fault(PX_F_OOM, "%zu items of a Map", count);
    if (yyjson_mut_is_arr(items)) {
        yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(items);
        while ((value = yyjson_mut_arr_iter_next(&iter)))
            PX_TRY(blob_of_value(step, value, &fork->items[i++]));
        return 0;
    }
    fork->keys = calloc(count ? count : 1, sizeof(struct asl_blob *));
    if (!fork->keys) return px_fault(PX_F_OOM, "%zu items of a Map", count);
    yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(items);
    while ((name = yyjson_mut_obj_iter_next(&iter))) {
        fork->keys[i] = asl_blob_new(asl_value_str(name));
        if (!fork->keys[i]) return px_fault(PX_F_OOM, "items of a Map");
        PX_TRY(blob_of_value(step, yyjson_mut_obj_iter_get_val(name), &fork->items[i++]));
    }
    return 0;
}

/* ---- what a child begins with ---- */

/* {"Map":{"Item":{"Index","Value"[,"Key"],"Source"}}} in the context, over the frame's own. */
static int put_item(struct step *step, yyjson_mut_val *context, size_t index, yyjson_mut_val *value,
                    struct asl_blob *key)
{
    yyjson_mut_doc *doc = step->values.doc;
    yyjson_mut_val *map = yyjson_mut_obj(doc),
                   *item = map ? yyjson_mut_obj_add_obj(doc, map, "Item") : NULL;
    struct px_str source = sources_find(step->frame->sources, index);
    if (!item || !yyjson_mut_obj_add_uint(doc, item, "Index", index) ||
        !yyjson_mut_obj_add_val(doc, item, "Value", value) ||
        (key && !yyjson_mut_obj_add_strn(doc, item, "Key", key->text, key->len)) ||
        !yyjson_mut_obj_add_strn(doc, item, "Source", source.ptr, source.len))
        return px_arena_fault(step->values.arena);
    return asl_member_set(&step->values, context, S("Map"), map);
}

static int parse_blob(struct step *step, const struct asl_blob *blob, yyjson_mut_val **ret_value)
{
    int r = asl_value_parse(&step->values, asl_blob_str(blob), ret_value, NULL);
    return r > 0 ? px_fault(PX_F_CORRUPT, "an item of Map %.*s", PX_FMT(step->state->name)) : r;
}

/* The item through ItemSelector. */
static int select_item(struct step *step, size_t index, yyjson_mut_val **ret_value)
{
    struct fork *fork = step->frame->fork;
    const struct asl_map *map = &step->state->of.map;
    yyjson_mut_val *value = NULL, *input = NULL;
    PX_TRY(parse_blob(step, fork->items[index], &value));
    if (!map->selector) {
        *ret_value = value;
        if (!fork->keys) return 0;
        yyjson_mut_val *pair = yyjson_mut_obj(step->values.doc);
        if (!pair ||
            !yyjson_mut_obj_add_strn(step->values.doc, pair, "Key", fork->keys[index]->text,
                                     fork->keys[index]->len) ||
            !yyjson_mut_obj_add_val(step->values.doc, pair, "Value", value))
            return px_arena_fault(step->values.arena);
        *ret_value = pair;
        return 0;
    }
    struct asl_scope scope = step->scope;
    PX_TRY(step_context(step, step->frame, &scope.context));
    PX_TRY(put_item(step, scope.context, index, value, fork->keys ? fork->keys[index] : NULL));
    if (fork->input) {
        PX_TRY(parse_blob(step, fork->input, &input));
        scope.input = input;
    }
    step->evaluation = true;
    int r = asl_template_eval(map->selector, &scope,
                              map->legacy_iterator ? "Parameters" : "ItemSelector", ret_value,
                              &step->failure);
    if (r == ASL_FAILED) return r;
    PX_TRY(r);
    step->evaluation = false;
    return 0;
}

int map_child_input(struct step *step, size_t index, struct asl_blob **ret_input)
{
    struct fork *fork = step->frame->fork;
    const struct asl_map *map = &step->state->of.map;
    yyjson_mut_val *value = NULL;
    if (map->batches || (!map->selector && !fork->keys)) {
        *ret_input = asl_blob_ref(fork->items[index]);
        return 0;
    }
    int r = select_item(step, index, &value);
    return r != 0 ? r : blob_of_value(step, value, ret_input);
}

static int start_item(struct step *step, size_t index)
{
    struct frame *frame = step->frame, *child = NULL;
    struct fork *fork = frame->fork;
    const struct asl_map *map = &step->state->of.map;
    struct asl_blob *input = NULL;
    int r = map_child_input(step, index, &input);
    if (r != 0) return r;
    if (map->distributed) {
        r = engine_child(frame, (uint32_t)index, input);
    } else {
        r = frame_new(step->execution, frame, (uint32_t)index, map->processor, input, &child);
    }
    asl_blob_unref(&input);
    PX_TRY(r);
    if (!child) return 0;
    asl_blob_unref(&child->item);
    child->item = asl_blob_ref(fork->items[index]);
    child->item_index = (uint32_t)index;
    struct px_buf *buf = turn_event(step->execution, child, ASL_EV_MapIterationStarted);
    turn_member(buf, "name", step->state->name);
    px_buf_printf(buf, ",\"index\":%zu", index);
    turn_event_end(step->execution);
    turn_touch(child);
    engine_ready(child);
    return 0;
}

static int start_branch(struct step *step, size_t index)
{
    struct frame *frame = step->frame, *child = NULL;
    PX_TRY(frame_new(step->execution, frame, (uint32_t)index,
                     step->state->of.parallel.branches[index], frame->fork->input, &child));
    turn_touch(child);
    engine_ready(child);
    return 0;
}

/* ---- batches ---- */

struct batch {
    yyjson_mut_val *items;
    size_t count, bytes;
};

static int batch_close(struct step *step, struct batch *batch, yyjson_mut_val *shared,
                       struct asl_blob ***blobs, size_t *count)
{
    yyjson_mut_doc *doc = step->values.doc;
    if (batch->count == 0) return 0;
    yyjson_mut_val *whole = yyjson_mut_obj(doc),
                   *copy = shared ? asl_copy(&step->values, shared) : NULL;
    if (!whole || (shared && (!copy || !yyjson_mut_obj_add_val(doc, whole, "BatchInput", copy))) ||
        !yyjson_mut_obj_add_val(doc, whole, "Items", batch->items))
        return px_arena_fault(step->values.arena);
    *batch = (struct batch){0};
    struct asl_blob **more = realloc(*blobs, (*count + 1) * sizeof(struct asl_blob *));
    if (!more) return px_fault(PX_F_OOM, "batches of a Map");
    *blobs = more;
    return blob_of_value(step, whole, &more[(*count)++]);
}

static int make_batches(struct step *step, size_t items_max, size_t bytes_max,
                        yyjson_mut_val *shared, struct asl_blob ***ret_blobs, size_t *ret_count)
{
    struct fork *fork = step->frame->fork;
    struct batch batch = {0};
    for (size_t i = 0; i < fork->total; i++) {
        yyjson_mut_val *value = NULL;
        struct px_str text;
        int r = select_item(step, i, &value);
        if (r != 0) return r;
        PX_TRY(asl_value_write(&step->values, value, &text));
        if (batch.count &&
            ((items_max && batch.count == items_max) || batch.bytes + text.len + 1 > bytes_max))
            PX_TRY(batch_close(step, &batch, shared, ret_blobs, ret_count));
        if (!batch.items && !(batch.items = yyjson_mut_arr(step->values.doc)))
            return px_arena_fault(step->values.arena);
        yyjson_mut_val *copy = asl_copy(&step->values, value);
        if (!copy || !yyjson_mut_arr_append(batch.items, copy))
            return px_arena_fault(step->values.arena);
        batch.count++;
        batch.bytes += text.len + 1;
    }
    return batch_close(step, &batch, shared, ret_blobs, ret_count);
}

/* Items become batches {"BatchInput":...,"Items":[...]}, which are what children are started with. */
static int batch_items(struct step *step, yyjson_mut_val *input)
{
    const struct asl_map *map = &step->state->of.map;
    struct fork *fork = step->frame->fork;
    double items_max = 0, bytes_max = 0;
    yyjson_mut_val *shared = NULL;
    int r = number_field(step, &map->items_per_batch, input, "integer", true, &items_max);
    if (r == 0) r = number_field(step, &map->bytes_per_batch, input, "integer", true, &bytes_max);
    if (r == 0 && map->batch_input) {
        struct asl_scope scope = step->scope;
        scope.input = input;
        step->evaluation = true;
        r = asl_template_eval(map->batch_input, &scope, "BatchInput", &shared, &step->failure);
        if (r == 0) step->evaluation = false;
    }
    if (r != 0) return r;
    size_t ceiling = ASL_DATA_BYTES_MAX - 1024,
           bytes = bytes_max > 0 && bytes_max < (double)ceiling ? (size_t)bytes_max : ceiling;
    struct asl_blob **blobs = NULL;
    size_t count = 0;
    r = make_batches(step, items_max > 0 ? (size_t)items_max : 0, bytes, shared, &blobs, &count);
    if (r != 0) {
        for (size_t i = 0; i < count; i++) asl_blob_unref(&blobs[i]);
        free(blobs);
        return r;
    }
    for (size_t i = 0; i < fork->total; i++) {
        asl_blob_unref(&fork->items[i]);
        if (fork->keys) asl_blob_unref(&fork->keys[i]);
    }
    free(fork->items);
    free(fork->keys);
    free(fork->results);
    free(fork->child);
    sources_free(&step->frame->sources); /* who asked for them is in the batches */
    fork->keys = NULL;
    fork->items = blobs ? blobs : calloc(1, sizeof(struct asl_blob *));
    fork->total = count;
    fork->results = calloc(count ? count : 1, sizeof(struct asl_blob *));
    fork->child = calloc(count ? count : 1, 1);
    return fork->items && fork->results && fork->child ? 0 : px_fault(PX_F_OOM, "batches of a Map");
}

/* ---- Map ---- */

int map_begin(struct step *step, yyjson_mut_val *input, yyjson_mut_val *items)
{
    const struct asl_map *map = &step->state->of.map;
    double concurrency, count, percentage;
    struct fork *fork = NULL;
    int r = map_limits(step, input, &concurrency, &count, &percentage);
    if (r != 0) return r;
    size_t total = yyjson_mut_is_arr(items) ? yyjson_mut_arr_size(items)
                                            : yyjson_mut_obj_size(items);
    struct px_buf *buf = turn_event(step->execution, step->frame, ASL_EV_MapStateStarted);
    px_buf_printf(buf, "\"length\":%zu", total);
    turn_event_end(step->execution);
    if (map->distributed) {
        struct px_str arn;
        PX_TRY(map_run_arn(step->frame, step->execution->next_event, step->values.arena, &arn));
        buf = turn_event(step->execution, step->frame, ASL_EV_MapRunStarted);
        turn_member(buf, "mapRunArn", arn);
        turn_event_end(step->execution);
    }
    PX_TRY(fork_new(step, total, (size_t)concurrency, &fork));
    fork->tolerated_count = count;
    fork->tolerated_percentage = percentage;
    PX_TRY(set_items(step, fork, items));
    if (map->selector) PX_TRY(blob_of_value(step, input, &fork->input));
    if (map->batches) {
        r = batch_items(step, input);
        if (r != 0) return r;
    }
    step->frame->phase = PHASE_CHILDREN;
    return fork_progress(step);
}

int map_attempt(struct step *step)
{
    yyjson_mut_val *input = NULL, *items = NULL;
    int r = step_effective_input(step, &input);
    if (r != 0) return r;
    if (step->state->of.map.reader) return map_reader_attempt(step, input);
    double ignored[3];
    r = map_limits(step, input, &ignored[0], &ignored[1], &ignored[2]);
    if (r == 0)
        r = step->state->language == ASL_JSONATA ? items_jsonata(step, &items)
                                                 : items_jsonpath(step, input, &items);
    return r != 0 ? r : map_begin(step, input, items);
}

/* ---- progress ---- */

static bool is_distributed(const struct step *step)
{
    return step->state->type == ASL_MAP && step->state->of.map.distributed;
}

static bool beyond_tolerance(const struct fork *fork)
{
    double share = fork->total ? 100.0 * (double)fork->failed / (double)fork->total : 0;
    if (fork->failed == 0) return false;
    if (fork->tolerated_count < 0 && fork->tolerated_percentage < 0) return true;
    return (fork->tolerated_count >= 0 && (double)fork->failed > fork->tolerated_count) ||
           (fork->tolerated_percentage >= 0 && share > fork->tolerated_percentage);
}

int map_broken(struct step *step)
{
    struct frame *frame = step->frame;
    struct fork *fork = frame->fork;
    bool parallel = step->state->type == ASL_PARALLEL;
    if (is_distributed(step)) {
        step->failure = (struct asl_failure){
            S(ASL_E_TOLERANCE), S("The specified tolerated failure threshold was exceeded")};
        struct px_buf *buf = turn_event(step->execution, frame, ASL_EV_MapRunFailed);
        turn_failure(buf, step->failure.error, step->failure.cause);
        turn_event_end(step->execution);
    } else {
        step->failure = (struct asl_failure){
            fork->error ? px_arena_dup(step->values.arena, asl_blob_str(fork->error))
                        : (struct px_str){0},
            fork->cause ? px_arena_dup(step->values.arena, asl_blob_str(fork->cause))
                        : (struct px_str){0},
        };
    }
    turn_bare(step->execution, frame,
              parallel ? ASL_EV_ParallelStateFailed : ASL_EV_MapStateFailed);
    step->evaluation = false;
    return ASL_FAILED;
}

/* A Map that writes its results does so although it fails. */
static int broken(struct step *step)
{
    if (!map_writes(step->state)) return map_broken(step);
    engine_abort_children(step->frame);
    step->frame->fork->broken = true;
    return map_writer_attempt(step);
}

static int gather(struct step *step, yyjson_mut_val **ret_results)
{
    struct fork *fork = step->frame->fork;
    yyjson_mut_val *results = yyjson_mut_arr(step->values.doc), *value = NULL;
    if (!results) return px_arena_fault(step->values.arena);
    if (fork->result_bytes > ASL_DATA_BYTES_MAX + 2)
        return asl_fail(
            step->values.arena, &step->failure, ASL_E_DATA_LIMIT,
            "The state/task '%.*s' returned a result with a size exceeding the maximum number of bytes service "
            "limit.",
            PX_FMT(step->state->name));
    for (size_t i = 0; i < fork->total; i++) {
        if (!fork->results[i]) continue; /* a failure that is tolerated */
        PX_TRY(parse_blob(step, fork->results[i], &value));
        if (!yyjson_mut_arr_append(results, value)) return px_arena_fault(step->values.arena);
    }
    *ret_results = results;
    return 0;
}

static int finish(struct step *step)
{
    const struct asl_state *state = step->state;
    yyjson_mut_val *results = NULL;
    int r;
    if (map_writes(state)) return map_writer_attempt(step);
    r = gather(step, &results);
    if (r == 0 && state->type == ASL_MAP && state->of.map.writer) r = map_transform(step, &results);
    if (r != 0) return r;
    if (is_distributed(step)) turn_bare(step->execution, step->frame, ASL_EV_MapRunSucceeded);
    turn_bare(step->execution, step->frame,
              state->type == ASL_PARALLEL ? ASL_EV_ParallelStateSucceeded
                                          : ASL_EV_MapStateSucceeded);
    return step_leave(step, &(struct leaving){.result = results,
                                              .assign = state->assign,
                                              .output = state->output,
                                              .next = state->next});
}

/* The first child that was not started; after a crash, or in a redrive, that need not be the one behind the last. */
static bool next_child(struct fork *fork, size_t *ret_index)
{
    while (fork->next < fork->total && fork->child[fork->next] != CHILD_NONE) fork->next++;
    *ret_index = fork->next;
    return fork->next < fork->total;
}

int fork_progress(struct step *step)
{
    struct frame *frame = step->frame;
    struct fork *fork = frame->fork;
    bool distributed = is_distributed(step);
    if (!fork)
        return px_fault(PX_F_CORRUPT, "state %.*s has no children", PX_FMT(step->state->name));
    if (distributed ? beyond_tolerance(fork) : fork->broken) return broken(step);
    size_t index;
    while (fork->running < fork->concurrency && next_child(fork, &index)) {
        int r = step->state->type == ASL_PARALLEL ? start_branch(step, index)
                                                  : start_item(step, index);
        if (r != 0) return r;
        fork_set(fork, index, CHILD_RUNNING);
    }
    return fork->done + fork->failed >= fork->total ? finish(step) : 0;
}
