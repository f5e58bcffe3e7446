/* asl/engine.c - the holder of executions: queues, timers, tokens, effects that wait for their turn to be durable.
 *
 * An execution is queued when one of its frames is ready. What comes from outside (a task's end, a timer) is only noted in the
 * frame; the transition that it causes is made by asl_engine_run(), inside a turn. */
#include "asl/engine_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/px_id.h"

#define STEP_BYTES_MAX (64u << 20)
#define EVENTS_BYTES_MAX (256u << 20)
#define TURN_TRANSITIONS_MAX 512 /* then the others have their turn */

const char *asl_status_name(enum asl_status status)
{
    static const char *const names[] = {"RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"};
    return names[status];
}

const struct asl_execution_info *asl_execution_info(const struct asl_execution *execution)
{
    return &execution->info;
}

static uint64_t kernel_random(void *ctx)
{
    (void)ctx;
    return px_random_u64();
}

int64_t engine_now_ms(const struct asl_engine *engine)
{
    return px_wall_ns(engine->clock) / PX_NS_PER_MS;
}

int asl_engine_new(const struct asl_engine_options *options, struct asl_engine **ret_engine)
{
    struct asl_engine *engine = calloc(1, sizeof(*engine));
    if (!engine) return px_fault(PX_F_OOM, "an engine of workflows");
    engine->host = *options->host;
    engine->has_journal = options->journal != NULL;
    if (options->journal) engine->journal = *options->journal;
    engine->clock = options->clock ? options->clock : &px_clock_system;
    engine->jsonata = options->jsonata;
    engine->random = options->random ? options->random : kernel_random;
    engine->random_ctx = options->random_ctx;
    engine->executions_max = options->executions_max ? options->executions_max : 100000;
    engine->next_number = options->next_number ? options->next_number : 1;
    engine->queue_last = &engine->queue_first;
    engine->effect_last = &engine->effect_first;
    px_arena_init(&engine->step, STEP_BYTES_MAX);
    px_buf_init(&engine->events, EVENTS_BYTES_MAX);
    px_buf_init(&engine->record_text, EVENTS_BYTES_MAX);
    *ret_engine = engine;
    return 0;
}

/* ---- the list of executions ---- */

static size_t list_at(const struct asl_engine *engine, uint64_t number)
{
    /* freed ones are NULL: numbers stand beside them */
    size_t low = 0, high = engine->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (engine->numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct asl_execution *asl_engine_find(struct asl_engine *engine, uint64_t number)
{
    size_t at = list_at(engine, number);
    return at < engine->count && engine->numbers[at] == number ? engine->list[at] : NULL;
}

static void list_pack(struct asl_engine *engine)
{
    size_t kept = 0;
    for (size_t i = 0; i < engine->count; i++) {
        if (!engine->list[i]) continue;
        engine->list[kept] = engine->list[i];
        engine->numbers[kept++] = engine->numbers[i];
    }
    engine->count = kept;
}

static int list_reserve(struct asl_engine *engine)
{
    if (engine->count == engine->cap && engine->live < engine->count / 2) list_pack(engine);
    if (engine->count < engine->cap) return 0;
    size_t cap = engine->cap ? engine->cap * 2 : 64;
    struct asl_execution **list = realloc(engine->list, cap * sizeof(struct asl_execution *));
    if (list) engine->list = list;
    uint64_t *numbers = realloc(engine->numbers, cap * sizeof(*numbers));
    if (numbers) engine->numbers = numbers;
    if (!list || !numbers) return px_fault(PX_F_OOM, "%zu executions", cap);
    engine->cap = cap;
    return 0;
}

/* Numbers grow, but a restored execution may come in any order. */
static void list_add(struct asl_engine *engine, struct asl_execution *execution)
{
    size_t at = list_at(engine, execution->info.number);
    memmove(&engine->list[at + 1], &engine->list[at],
            (engine->count - at) * sizeof(struct asl_execution *));
    memmove(&engine->numbers[at + 1], &engine->numbers[at],
            (engine->count - at) * sizeof(engine->numbers[0]));
    engine->list[at] = execution;
    engine->numbers[at] = execution->info.number;
    engine->count++;
    engine->live++;
}

static void execution_free(struct asl_execution *execution)
{
    struct asl_engine *engine = execution->engine;
    timers_unset(&engine->timers, &execution->timer);
    if (execution->queued) {
        struct asl_execution **link = &engine->queue_first;
        while (*link != execution) link = &(*link)->queue_next;
        *link = execution->queue_next;
        if (!*link) engine->queue_last = link;
    }
    while (execution->frame_count) frame_forget(execution->frames[0], false);
    size_t at = list_at(engine, execution->info.number);
    if (at < engine->count && engine->list[at] == execution) {
        engine->list[at] = NULL;
        engine->live--;
        while (engine->count && !engine->list[engine->count - 1]) engine->count--;
    }
    free(execution->frames);
    free(execution->gone);
    asl_blob_unref(&execution->name_text);
    asl_blob_unref(&execution->arn_text);
    asl_blob_unref(&execution->input_text);
    asl_blob_unref(&execution->output_text);
    asl_blob_unref(&execution->error_text);
    asl_blob_unref(&execution->cause_text);
    struct asl_program *program = (struct asl_program *)(uintptr_t)execution->info.program;
    asl_program_unref(&program);
    free(execution);
}

void asl_engine_free(struct asl_engine **engine)
{
    struct asl_engine *e = *engine;
    if (!e) return;
    for (size_t i = e->count; i-- > 0;) {
        if (i < e->count && e->list[i]) execution_free(e->list[i]);
    }
    for (struct effect *list = e->effect_first, *next; list; list = next) {
        next = list->next;
        free(list);
    }
    for (struct effect *list = e->effect_free, *next; list; list = next) {
        next = list->next;
        free(list);
    }
    free(e->list);
    free(e->numbers);
    free(e->timers.heap);
    free(e->records);
    px_arena_deinit(&e->step);
    px_buf_deinit(&e->events);
    px_buf_deinit(&e->record_text);
    free(e);
    *engine = NULL;
}

/* ---- effects ---- */

int engine_effect(struct asl_execution *execution, enum effect_kind kind, const struct frame *frame)
{
    struct asl_engine *engine = execution->engine;
    struct effect *effect = engine->effect_free;
    if (effect)
        engine->effect_free = effect->next;
    else if (!(effect = malloc(sizeof(*effect))))
        return px_fault(PX_F_OOM, "an effect");
    *effect = (struct effect){
        .turn = engine->turns + (engine->in_turn ? 1 : 0),
        .kind = kind,
        .number = execution->info.number,
        .frame = frame ? frame->id : 0,
        .secret = frame ? frame->secret : 0,
        .again = engine->restoring,
    };
    *engine->effect_last = effect;
    engine->effect_last = &effect->next;
    return 0;
}

static void token_write(uint64_t number, uint32_t frame, uint64_t secret,
                        char text[ASL_TOKEN_BYTES])
{
    (void)snprintf(text, ASL_TOKEN_BYTES, "%llx-%x-%016llx", (unsigned long long)number, frame,
                   (unsigned long long)secret);
}

void engine_token(const struct frame *frame, char text[ASL_TOKEN_BYTES])
{
    token_write(frame->execution->info.number, frame->id, frame->secret, text);
}

/* Of a frame whose task, reader or writer is out. */
static const struct asl_resource *resource_of(const struct frame *frame)
{
    const struct asl_map *map = &frame->state->of.map;
    if (frame->phase == PHASE_TASK) return &frame->state->of.task.resource;
    if (frame->phase == PHASE_WRITER) return &map->writer->resource;
    return frame->reading && frame->reading->listed ? &map->reader->object_resource
                                                    : &map->reader->resource;
}

/* The host reads Parquet. MaxItems counts when it is written out; what is computed is known when the rows are there. */
static void ask_for_rows(const struct frame *frame, struct asl_task_call *call)
{
    const struct asl_item_reader *reader = frame->state->of.map.reader;
    if (frame->phase != PHASE_READER) return;
    enum asl_input_type type = call->resource == &reader->object_resource ? reader->object_type
                                                                          : reader->input_type;
    call->rows = type == ASL_INPUT_PARQUET;
    if (call->rows && reader->max_items.kind == ASL_FIELD_WRITTEN)
        call->rows_max = yyjson_get_uint(reader->max_items.written);
}

static void release_task(struct asl_engine *engine, struct asl_execution *execution,
                         const struct effect *effect)
{
    char token[ASL_TOKEN_BYTES];
    struct frame *frame = frame_find(execution, effect->frame);
    if (!frame || frame->secret != effect->secret || execution->ended) return; /* over meanwhile */
    if (frame->phase != PHASE_TASK && frame->phase != PHASE_READER && frame->phase != PHASE_WRITER)
        return;
    if (frame_is_halted(frame)) return;
    engine_token(frame, token);
    frame->out = true;
    struct asl_blob *payload = PX_TAKE(frame->payload),
                    *role = PX_TAKE(frame->role); /* the journal has them */
    struct asl_task_call call = {
        .token = px_str_c(token),
        .execution = execution,
        .state = frame->state,
        .resource = resource_of(frame),
        .payload = asl_blob_str(payload),
        .role = asl_blob_str(role),
        .again = effect->again,
    };
    ask_for_rows(frame, &call);
    engine->host.task(engine->host.ctx, &call);
    asl_blob_unref(&payload);
    asl_blob_unref(&role);
}

static void release_cancel(struct asl_engine *engine, const struct effect *effect)
{
    char token[ASL_TOKEN_BYTES];
    token_write(effect->number, effect->frame, effect->secret, token);
    if (engine->host.cancel) engine->host.cancel(engine->host.ctx, px_str_c(token));
}

static void release(struct asl_engine *engine, const struct effect *effect)
{
    struct asl_execution *execution = asl_engine_find(engine, effect->number);
    if (effect->kind == EFFECT_CANCEL) release_cancel(engine, effect);
    if (effect->kind == EFFECT_CANCEL || !execution) return; /* it was put down */
    if (effect->kind == EFFECT_TASK) {
        release_task(engine, execution, effect);
    } else if (effect->kind == EFFECT_STARTED) {
        if (engine->host.started) engine->host.started(engine->host.ctx, execution);
    } else {
        engine->host.ended(engine->host.ctx, execution);
        execution_free(execution);
    }
}

void asl_engine_committed(struct asl_engine *engine, uint64_t turns)
{
    while (engine->effect_first && engine->effect_first->turn <= turns) {
        struct effect *effect = engine->effect_first, copy = *effect;
        engine->effect_first = effect->next;
        if (!engine->effect_first) engine->effect_last = &engine->effect_first;
        effect->next = engine->effect_free;
        engine->effect_free = effect;
        release(engine, &copy);
    }
}

uint64_t asl_engine_turns(const struct asl_engine *engine) { return engine->turns; }
size_t asl_engine_count(const struct asl_engine *engine) { return engine->live; }

int64_t asl_engine_next_ms(const struct asl_engine *engine)
{
    if (engine->queue_first) return 0;
    return engine->timers.count ? engine->timers.heap[0]->due_ms : INT64_MAX;
}

/* ---- queues ---- */

static void queue_execution(struct asl_execution *execution)
{
    struct asl_engine *engine = execution->engine;
    if (execution->queued || execution->ended) return;
    execution->queued = true;
    execution->queue_next = NULL;
    *engine->queue_last = execution;
    engine->queue_last = &execution->queue_next;
}

void engine_ready(struct frame *frame)
{
    struct asl_execution *execution = frame->execution;
    if (!frame->ready) {
        frame->ready = true;
        frame->ready_next = NULL;
        *execution->ready_last = frame;
        execution->ready_last = &frame->ready_next;
    }
    queue_execution(execution);
}

static struct asl_execution *queue_take(struct asl_engine *engine)
{
    struct asl_execution *execution = engine->queue_first;
    engine->queue_first = execution->queue_next;
    if (!engine->queue_first) engine->queue_last = &engine->queue_first;
    execution->queued = false;
    return execution;
}

static struct frame *ready_take(struct asl_execution *execution)
{
    struct frame *frame = execution->ready_first;
    execution->ready_first = frame->ready_next;
    if (!execution->ready_first) execution->ready_last = &execution->ready_first;
    frame->ready = false;
    return frame;
}

/* ---- starting ---- */

static bool json_is_valid(struct asl_engine *engine, struct px_str text)
{
    struct asl_values values;
    yyjson_mut_val *value = NULL;
    if (text.len == 0 || text.len > ASL_DATA_BYTES_MAX) return false;
    px_arena_reset(&engine->step);
    return asl_values_init(&values, &engine->step) == 0 &&
           asl_value_parse(&values, text, &value, NULL) == 0 && asl_value_depth_is_fine(value);
}

static int execution_new(struct asl_engine *engine, struct asl_program *program, uint64_t number,
                         struct px_str name, struct px_str arn, struct asl_blob *input,
                         struct asl_execution **ret_execution)
{
    PX_TRY(list_reserve(engine));
    struct asl_execution *execution = calloc(1, sizeof(*execution));
    if (!execution) return px_fault(PX_F_OOM, "an execution");
    execution->engine = engine;
    execution->ready_last = &execution->ready_first;
    execution->next_frame = 1;
    execution->next_event = 1;
    execution->first_turn = true;
    execution->flow = &program->machine->flow;
    execution->type = program->machine->type;
    execution->timer.execution = execution;
    execution->name_text = asl_blob_new(name);
    execution->arn_text = asl_blob_new(arn);
    execution->input_text = asl_blob_ref(input);
    execution->info = (struct asl_execution_info){
        .number = number,
        .program = asl_program_ref(program),
        .name = asl_blob_str(execution->name_text),
        .arn = asl_blob_str(execution->arn_text),
        .start_ms = engine_now_ms(engine),
        .input = asl_blob_str(input),
    };
    list_add(engine, execution);
    if (!execution->name_text || !execution->arn_text) {
        execution_free(execution);
        return px_fault(PX_F_OOM, "an execution");
    }
    if (engine->next_number <= number) engine->next_number = number + 1;
    *ret_execution = execution;
    return 0;
}

static int set_timeout(struct asl_execution *execution)
{
    int64_t limit_ms = execution->flow->owner ? 0
                                              : execution->info.program->machine->timeout_s * 1000;
    if (execution->type == ASL_EXPRESS && (limit_ms == 0 || limit_ms > ASL_EXPRESS_MS_MAX))
        limit_ms = ASL_EXPRESS_MS_MAX;
    if (limit_ms == 0) return 0;
    return timers_set(&execution->engine->timers, &execution->timer,
                      execution->info.start_ms + limit_ms);
}

static int begin(struct asl_execution *execution)
{
    struct frame *frame = NULL;
    int r = set_timeout(execution);
    if (r == 0) r = frame_new(execution, NULL, 0, execution->flow, execution->input_text, &frame);
    if (r != 0) {
        execution_free(execution);
        return px_is_fault_(px_fold(r, __FILE__, __LINE__));
    }
    engine_ready(frame);
    return 0;
}

int asl_engine_start(struct asl_engine *engine, const struct asl_start *start,
                     struct asl_execution **ret_execution)
{
    struct asl_execution *execution = NULL;
    if (engine->live >= engine->executions_max) return ASL_ENGINE_FULL;
    if (!json_is_valid(engine, start->input)) return ASL_ENGINE_INVALID;
    struct asl_blob *input = asl_blob_new(start->input);
    if (!input) return px_fault(PX_F_OOM, "an execution's input");
    int r = execution_new(engine, start->program, engine->next_number, start->name, start->arn,
                          input, &execution);
    asl_blob_unref(&input);
    PX_TRY(r);
    PX_TRY(begin(execution));
    *ret_execution = execution;
    return 0;
}

int engine_child(struct frame *parent, uint32_t index, struct asl_blob *input)
{
    struct asl_execution *above = parent->execution, *execution = NULL;
    struct asl_engine *engine = above->engine;
    const struct asl_map *map = &parent->state->of.map;
    char uuid[37], label[96];
    px_uuid7(px_wall_ns(engine->clock), uuid);
    struct px_str name = map->label.len ? map->label : parent->state->name;
    (void)snprintf(label, sizeof(label), "/%.*s:", PX_FMT(name));
    /* "arn:...:execution:machine:name" names a child "arn:...:execution:machine/label:uuid" */
    struct px_str arn = above->info.arn;
    const char *last = arn.ptr ? memrchr(arn.ptr, ':', arn.len) : NULL;
    struct px_str head = last ? px_str(arn.ptr, (size_t)(last - arn.ptr)) : arn;
    struct px_str full = px_arena_printf(&engine->step, "%.*s%s%s", PX_FMT(head), label, uuid);
    if (!full.ptr) return px_arena_fault(&engine->step);
    struct asl_program *program = (struct asl_program *)(uintptr_t)above->info.program;
    PX_TRY(execution_new(engine, program, engine->next_number, px_str_c(uuid), full, input,
                         &execution));
    execution->flow = map->processor;
    execution->type = map->child_type;
    execution->info.parent = above->info.number;
    execution->info.parent_frame = parent->id;
    execution->info.parent_run = parent->fork->run;
    execution->info.parent_index = index;
    return begin(execution);
}

void engine_abort_children(struct frame *parent)
{
    struct asl_engine *engine = parent->execution->engine;
    if (!parent->fork || parent->state->type != ASL_MAP || !parent->state->of.map.distributed)
        return;
    for (size_t i = 0; i < engine->count; i++) {
        struct asl_execution *child = engine->list[i];
        if (!child || child->ended || child->info.parent != parent->execution->info.number ||
            child->info.parent_frame != parent->id || child->info.parent_run != parent->fork->run)
            continue;
        child->stopping = true;
        queue_execution(child);
    }
}

int asl_engine_stop(struct asl_engine *engine, uint64_t number, const struct asl_failure *why)
{
    struct asl_execution *execution = asl_engine_find(engine, number);
    if (!execution || execution->ended) return ASL_ENGINE_UNKNOWN;
    asl_blob_unref(&execution->error_text);
    asl_blob_unref(&execution->cause_text);
    if (why && why->error.ptr && !(execution->error_text = asl_blob_new(why->error)))
        return px_fault(PX_F_OOM, "stop");
    if (why && why->cause.ptr && !(execution->cause_text = asl_blob_new(why->cause)))
        return px_fault(PX_F_OOM, "stop");
    execution->stopping = true;
    queue_execution(execution);
    return 0;
}

/* ---- answers from outside ---- */

static bool hex_number(struct px_str text, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (text.len == 0 || text.len > 16) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return false;
        number = number << 4 | (uint64_t)digit;
    }
    *ret_number = number;
    return true;
}

static struct frame *frame_of_token(struct asl_engine *engine, struct px_str token)
{
    struct px_str number_text, frame_text;
    uint64_t number, id, secret;
    if (!px_str_cut(&token, '-', &number_text) || !px_str_cut(&token, '-', &frame_text))
        return NULL;
    if (!hex_number(number_text, &number) || !hex_number(frame_text, &id) ||
        !hex_number(token, &secret))
        return NULL;
    struct asl_execution *execution = asl_engine_find(engine, number);
    struct frame *frame = execution && !execution->ended && id <= UINT32_MAX
                              ? frame_find(execution, (uint32_t)id)
                              : NULL;
    if (!frame || frame->secret != secret || frame_is_halted(frame)) return NULL;
    if (frame->phase != PHASE_TASK && frame->phase != PHASE_READER && frame->phase != PHASE_WRITER)
        return NULL;
    return frame->outcome == OUTCOME_NONE ? frame : NULL;
}

static int note_outcome(struct frame *frame, enum outcome outcome, struct px_str text,
                        const struct asl_failure *failure)
{
    frame_clear_outcome(frame);
    if (text.ptr && !(frame->outcome_text = asl_blob_new(text)))
        return px_fault(PX_F_OOM, "a task's result");
    if (failure && failure->error.ptr && !(frame->outcome_error = asl_blob_new(failure->error)))
        return px_fault(PX_F_OOM, "a task's error");
    if (failure && failure->cause.ptr && !(frame->outcome_cause = asl_blob_new(failure->cause)))
        return px_fault(PX_F_OOM, "a task's cause");
    frame->outcome = outcome;
    engine_ready(frame);
    return 0;
}

int asl_engine_task_succeeded(struct asl_engine *engine, struct px_str token, struct px_str output)
{
    struct frame *frame = frame_of_token(engine, token);
    if (!frame) return ASL_ENGINE_UNKNOWN;
    if (frame->phase == PHASE_READER) { /* a file, which may be large and need not be JSON */
        frame->out = false;
        return note_outcome(frame, OUTCOME_SUCCEEDED, output, NULL);
    }
    if (output.len <= ASL_DATA_BYTES_MAX && !json_is_valid(engine, output))
        return ASL_ENGINE_INVALID;
    frame->out = false;
    bool too_large = output.len > ASL_DATA_BYTES_MAX;
    PX_TRY(note_outcome(frame, OUTCOME_SUCCEEDED, too_large ? S("null") : output, NULL));
    frame->outcome_too_large = too_large;
    return 0;
}

int asl_engine_task_failed(struct asl_engine *engine, struct px_str token,
                           const struct asl_failure *failure)
{
    struct frame *frame = frame_of_token(engine, token);
    if (!frame) return ASL_ENGINE_UNKNOWN;
    frame->out = false;
    return note_outcome(frame, OUTCOME_FAILED, (struct px_str){0}, failure);
}

int asl_engine_task_submitted(struct asl_engine *engine, struct px_str token, struct px_str output)
{
    struct frame *frame = frame_of_token(engine, token);
    if (!frame || frame->submitted) return ASL_ENGINE_UNKNOWN;
    frame->submitted = true;
    frame->outcome_submitted = true;
    asl_blob_unref(&frame->submitted_output);
    if (!(frame->submitted_output = asl_blob_new(output)))
        return px_fault(PX_F_OOM, "a task's submission");
    engine_ready(frame);
    return 0;
}

int asl_engine_task_heartbeat(struct asl_engine *engine, struct px_str token)
{
    struct frame *frame = frame_of_token(engine, token);
    if (!frame) return ASL_ENGINE_UNKNOWN;
    if (frame->heartbeat_ms == 0) return 0;
    frame->heartbeat_due_ms = engine_now_ms(engine) + frame->heartbeat_ms;
    return timers_set(&engine->timers, &frame->timer,
                      PX_MIN(frame->heartbeat_due_ms, frame->timeout_due_ms));
}

const struct asl_resource *asl_engine_task_resource(struct asl_engine *engine, struct px_str token)
{
    const struct frame *frame = frame_of_token(engine, token);
    return frame ? resource_of(frame) : NULL;
}

static int keep_end(struct asl_engine *engine, const struct frame *frame,
                    const struct asl_child_end *end)
{
    struct px_str text = {0};
    struct fork *fork = frame->fork;
    if (!map_writes(frame->state)) return 0;
    if (!fork->ends && !(fork->ends = calloc(fork->total, sizeof(struct asl_blob *))))
        return px_fault(PX_F_OOM, "ends of children");
    px_arena_reset(&engine->step);
    PX_TRY(map_child_end(frame->state, end, &engine->step, &text));
    if (text.ptr && !(fork->ends[end->index] = asl_blob_new(text)))
        return px_fault(PX_F_OOM, "the end of a child");
    return 0;
}

static int take_child(struct asl_engine *engine, const struct asl_child_end *end)
{
    struct asl_execution *parent = asl_engine_find(engine, end->parent);
    struct frame *frame = parent && !parent->ended ? frame_find(parent, end->frame) : NULL;
    struct fork *fork = frame ? frame->fork : NULL;
    if (!fork || fork->run != end->run || end->index >= fork->total ||
        fork->child[end->index] >= CHILD_DONE)
        return 0;
    if (frame->phase == PHASE_WRITER) return 0; /* it was given up, and the files say so */
    if (frame->phase == PHASE_FAILED || frame_is_halted(frame)) return 0;
    PX_TRY(keep_end(engine, frame, end));
    fork_set(fork, end->index, end->status == ASL_SUCCEEDED ? CHILD_DONE : CHILD_FAILED);
    if (end->status == ASL_SUCCEEDED) {
        if (!(fork->results[end->index] = asl_blob_new(end->output)))
            return px_fault(PX_F_OOM, "a child's output");
        fork->result_bytes += end->output.len;
    } else {
        if (!fork->error && end->failure.error.ptr) fork->error = asl_blob_new(end->failure.error);
        if (!fork->cause && end->failure.cause.ptr) fork->cause = asl_blob_new(end->failure.cause);
    }
    engine_ready(frame);
    return 0;
}

int asl_engine_child_ended(struct asl_engine *engine, const struct asl_child_end *end)
{
    PX_TRY(take_child(engine, end));
    return 0;
}

/* ---- running ---- */

static int fire_timers(struct asl_engine *engine)
{
    int64_t now_ms = engine_now_ms(engine);
    struct timer *timer;
    while ((timer = timers_due(&engine->timers, now_ms))) {
        if (!timer->frame) {
            timer->execution->timed_out = timer->execution->stopping = true;
            queue_execution(timer->execution);
        } else if (timer->frame->outcome == OUTCOME_NONE) {
            PX_TRY(note_outcome(timer->frame, OUTCOME_TIMER, (struct px_str){0}, NULL));
        }
    }
    return 0;
}

static int make_transitions(struct asl_execution *execution, size_t *steps)
{
    size_t made = 0;
    if (execution->stopping && !execution->ended)
        return execution_end(execution, execution->timed_out ? ASL_TIMED_OUT : ASL_ABORTED, NULL,
                             asl_blob_str(execution->error_text),
                             asl_blob_str(execution->cause_text));
    while (!execution->ended && execution->ready_first && made++ < TURN_TRANSITIONS_MAX) {
        PX_TRY(step_frame(ready_take(execution)));
        (*steps)++;
    }
    return 0;
}

/* Effects of a turn that is not in the journal. */
static void forget_effects(struct asl_engine *engine)
{
    struct effect **link = &engine->effect_first;
    while (*link) {
        struct effect *effect = *link;
        if (effect->turn <= engine->turns) {
            link = &effect->next;
            continue;
        }
        *link = effect->next;
        effect->next = engine->effect_free;
        engine->effect_free = effect;
    }
    engine->effect_last = link;
}

/* What the journal does not have must not go on: the execution is as its last turn left it when it is restored. */
static void put_down(struct asl_execution *execution)
{
    forget_effects(execution->engine);
    execution_free(execution);
}

static int make_turn(struct asl_execution *execution, size_t *steps)
{
    struct asl_engine *engine = execution->engine;
    turn_begin(engine);
    int r = make_transitions(execution, steps);
    if (r == PX_F_LIMIT && !execution->ended) /* of memory, by what the definition does */
        r = execution_end(execution, ASL_FAILED_STATUS, NULL, S(ASL_E_RUNTIME),
                          S("The state needs more memory than a state may use."));
    if (r == 0) r = turn_end(execution);
    return r;
}

static int run_execution(struct asl_execution *execution, size_t *steps)
{
    struct asl_engine *engine = execution->engine;
    engine->in_turn = true;
    int r = make_turn(execution, steps);
    engine->in_turn = false;
    if (r != 0) {
        put_down(execution);
        return px_is_fault_(px_fold(r, __FILE__, __LINE__));
    }
    frame_sweep(execution);
    if (execution->ended && execution->info.parent) {
        const struct asl_execution_info *info = &execution->info;
        PX_TRY(take_child(engine, &(struct asl_child_end){
                                      .parent = info->parent,
                                      .frame = info->parent_frame,
                                      .run = info->parent_run,
                                      .index = info->parent_index,
                                      .status = info->status,
                                      .output = info->output,
                                      .failure = info->failure,
                                      .name = info->name,
                                      .arn = info->arn,
                                      .input = info->input,
                                      .start_ms = info->start_ms,
                                      .stop_ms = info->stop_ms,
                                      .redrive_count = info->redrive_count,
                                  }));
    }
    if (execution->ready_first) queue_execution(execution);
    return 0;
}

int asl_engine_run(struct asl_engine *engine, size_t steps_max, bool *ret_more)
{
    size_t steps = 0;
    PX_TRY(fire_timers(engine));
    while (engine->queue_first && steps < steps_max) {
        struct asl_execution *execution = queue_take(engine);
        if (execution->ended) continue;
        PX_TRY(run_execution(execution, &steps));
        if (!engine->has_journal) asl_engine_committed(engine, engine->turns);
    }
    *ret_more = engine->queue_first != NULL;
    return 0;
}

/* ---- after a crash ---- */

int asl_engine_restore(struct asl_engine *engine, const struct asl_restore *restore,
                       struct asl_execution **ret_execution)
{
    struct asl_execution *execution = NULL;
    if (engine->live >= engine->executions_max) return ASL_ENGINE_FULL;
    struct asl_blob *input = asl_blob_new(restore->input);
    if (!input) return px_fault(PX_F_OOM, "an execution's input");
    int r = execution_new(engine, restore->program, restore->number, restore->name, restore->arn,
                          input, &execution);
    asl_blob_unref(&input);
    PX_TRY(r);
    execution->first_turn = false;
    execution->next_event = restore->event_count + 1;
    execution->info.event_count = restore->event_count;
    execution->info.start_ms = restore->start_ms;
    execution->info.redrive_count = restore->redrive_count + (restore->redrive ? 1 : 0);
    execution->redriven = restore->redrive;
    execution->info.parent = restore->parent;
    execution->info.parent_frame = restore->parent_frame;
    execution->info.parent_run = restore->parent_run;
    execution->info.parent_index = restore->parent_index;
    struct asl_execution *above = restore->parent ? asl_engine_find(engine, restore->parent) : NULL;
    struct frame *frame = above ? frame_find(above, restore->parent_frame) : NULL;
    if (frame && frame->state->type == ASL_MAP && frame->fork &&
        frame->fork->run == restore->parent_run) {
        execution->flow = frame->state->of.map.processor;
        execution->type = frame->state->of.map.child_type;
        if (restore->parent_index < frame->fork->total)
            fork_set(frame->fork, restore->parent_index, CHILD_RUNNING);
    } else if (restore->parent) { /* its Map gave it up, and it had not heard of it */
        execution->stopping = true;
        queue_execution(execution);
    }
    engine->restoring = true;
    if (!execution->stopping) r = set_timeout(execution);
    for (size_t i = 0; r == 0 && i < restore->frame_count && !execution->stopping; i++)
        r = frame_read(execution, &restore->frames[i], restore->redrive);
    engine->restoring = false;
    if (r != 0) {
        execution_free(execution);
        return px_is_fault_(px_fold(r, __FILE__, __LINE__));
    }
    *ret_execution = execution;
    return 0;
}
