/* asl/frame.c - lines of control, and their records.
 *
 * A record is what a frame needs to go on after a crash: which state, with what input and variables, how often retried, which
 * task is out. A Parallel's or Map's own record is written when its children begin and not again: how far it came is known from
 * its children's records (PHASE_DONE with their output). */
#include <stdlib.h>

#include "asl/engine_internal.h"
#include "base/px_id.h"

int frame_new(struct asl_execution *execution, struct frame *parent, uint32_t index,
              const struct asl_flow *flow, struct asl_blob *input, struct frame **ret_frame)
{
    if (execution->frame_count == execution->frame_cap) {
        size_t cap = execution->frame_cap ? execution->frame_cap * 2 : 1;
        struct frame **frames = realloc(execution->frames, cap * sizeof(struct frame *));
        if (!frames) return px_fault(PX_F_OOM, "frames of an execution");
        execution->frames = frames;
        execution->frame_cap = cap;
    }
    struct frame *frame = calloc(1, sizeof(*frame));
    if (!frame) return px_fault(PX_F_OOM, "a frame of an execution");
    frame->execution = execution;
    frame->parent = parent;
    frame->id = execution->next_frame++;
    frame->index = index;
    frame->flow = flow;
    frame->state = flow->start;
    frame->input = asl_blob_ref(input);
    if (parent) {
        frame->variables = asl_blob_ref(parent->variables);
        frame->item = asl_blob_ref(parent->item);
        frame->item_index = parent->item_index;
        frame->last_event = parent->last_event;
    }
    frame->timeout_due_ms = frame->heartbeat_due_ms = INT64_MAX;
    frame->timer.execution = execution;
    frame->timer.frame = frame;
    execution->frames[execution->frame_count++] = frame;
    *ret_frame = frame;
    return 0;
}

static size_t frame_at(const struct asl_execution *execution, uint32_t id)
{
    size_t low = 0, high = execution->frame_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (execution->frames[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct frame *frame_find(const struct asl_execution *execution, uint32_t id)
{
    size_t at = frame_at(execution, id);
    return at < execution->frame_count && execution->frames[at]->id == id ? execution->frames[at]
                                                                          : NULL;
}

void frame_clear_outcome(struct frame *frame)
{
    frame->outcome = OUTCOME_NONE;
    frame->outcome_submitted = frame->outcome_too_large = false;
    asl_blob_unref(&frame->outcome_text);
    asl_blob_unref(&frame->outcome_error);
    asl_blob_unref(&frame->outcome_cause);
}

static void blobs_free(struct asl_blob ***blobs, size_t count)
{
    for (size_t i = 0; *blobs && i < count; i++) asl_blob_unref(&(*blobs)[i]);
    free(*blobs);
    *blobs = NULL;
}

void fork_free(struct fork **fork)
{
    if (!*fork) return;
    blobs_free(&(*fork)->items, (*fork)->total);
    blobs_free(&(*fork)->keys, (*fork)->total);
    blobs_free(&(*fork)->results, (*fork)->total);
    blobs_free(&(*fork)->ends, (*fork)->total);
    free((*fork)->child);
    asl_blob_unref(&(*fork)->input);
    asl_blob_unref(&(*fork)->error);
    asl_blob_unref(&(*fork)->cause);
    free(*fork);
    *fork = NULL;
}

void reading_free(struct reading **reading)
{
    struct reading *r = *reading;
    if (!r) return;
    for (size_t i = 0; i < r->file_count; i++) {
        asl_blob_unref(&r->files[i].bucket);
        asl_blob_unref(&r->files[i].key);
    }
    free(r->files);
    asl_blob_unref(&r->columns);
    px_buf_deinit(&r->items);
    free(r);
    *reading = NULL;
}

void frame_clear_state(struct frame *frame)
{
    timers_unset(&frame->execution->engine->timers, &frame->timer);
    frame_clear_outcome(frame);
    frame->timeout_due_ms = frame->heartbeat_due_ms = INT64_MAX;
    frame->heartbeat_ms = 0;
    frame->submitted = frame->out = false;
    asl_blob_unref(&frame->payload);
    asl_blob_unref(&frame->role);
    asl_blob_unref(&frame->submitted_output);
    fork_free(&frame->fork);
    reading_free(&frame->reading);
    sources_free(&frame->sources);
}

static size_t *fork_count(struct fork *fork, enum child child)
{
    return child == CHILD_RUNNING  ? &fork->running
           : child == CHILD_DONE   ? &fork->done
           : child == CHILD_FAILED ? &fork->failed
                                   : NULL;
}

void fork_set(struct fork *fork, size_t index, enum child child)
{
    size_t *before = fork_count(fork, fork->child[index]), *after = fork_count(fork, child);
    if (before) (*before)--;
    if (after) (*after)++;
    fork->child[index] = (uint8_t)child;
}

static void unready(struct frame *frame)
{
    struct asl_execution *execution = frame->execution;
    if (!frame->ready) return;
    struct frame **link = &execution->ready_first;
    while (*link != frame) link = &(*link)->ready_next;
    *link = frame->ready_next;
    if (!*link) execution->ready_last = link;
    frame->ready = false;
}

/* Told to the journal unless a frame above it says it for all. */
static void note_gone(struct frame *frame, bool children)
{
    struct asl_execution *execution = frame->execution;
    if (!execution->engine->has_journal) return;
    if (execution->gone_count == execution->gone_cap) {
        size_t cap = execution->gone_cap ? execution->gone_cap * 2 : 4;
        struct asl_frame_record *gone = realloc(execution->gone, cap * sizeof(*gone));
        PX_ASSERT(
            gone); /* a few bytes; to go on would leave a record that comes back after a crash */
        execution->gone = gone;
        execution->gone_cap = cap;
    }
    execution->gone[execution->gone_count++] = (struct asl_frame_record){
        .frame = frame->id,
        .parent = frame->parent ? frame->parent->id : 0,
        .children_gone = children};
}

static void free_frame(struct frame *frame)
{
    unready(frame);
    if (frame->out && engine_effect(frame->execution, EFFECT_CANCEL, frame) != 0)
        frame->out = false; /* without memory for it: its answer will find no token */
    engine_abort_children(frame);
    frame_clear_state(frame);
    asl_blob_unref(&frame->input);
    asl_blob_unref(&frame->variables);
    asl_blob_unref(&frame->item);
    asl_blob_unref(&frame->output);
    free(frame->retries);
    free(frame);
}

static bool is_below(const struct frame *frame, const struct frame *top)
{
    while (frame && frame != top) frame = frame->parent;
    return frame == top;
}

void frame_forget(struct frame *frame, bool record_gone)
{
    struct asl_execution *execution = frame->execution;
    /* children have greater ids: from the end, so that no parent goes before its children */
    for (size_t i = execution->frame_count; i-- > 0;) {
        struct frame *below = execution->frames[i];
        if (!is_below(below, frame)) continue;
        if (record_gone && below->fork)
            note_gone(below, true); /* records of children that ended before */
        if (record_gone) note_gone(below, false);
        memmove(&execution->frames[i], &execution->frames[i + 1],
                (execution->frame_count - i - 1) * sizeof(struct frame *));
        execution->frame_count--;
        bool last = below == frame;
        free_frame(below);
        if (last) return;
    }
}

void frame_forget_children(struct frame *parent)
{
    struct asl_execution *execution = parent->execution;
    for (size_t i = execution->frame_count; i-- > 0;) {
        if (i < execution->frame_count && execution->frames[i]->parent == parent)
            frame_forget(execution->frames[i], true);
    }
    note_gone(parent, true);
}

bool frame_is_halted(const struct frame *frame)
{
    for (frame = frame->parent; frame; frame = frame->parent)
        if (frame->phase == PHASE_FAILED) return true;
    return false;
}

int frame_halt_children(struct frame *parent)
{
    struct asl_execution *execution = parent->execution;
    engine_abort_children(parent);
    for (size_t i = 0; i < execution->frame_count; i++) {
        struct frame *below = execution->frames[i];
        if (below == parent || !is_below(below, parent)) continue;
        unready(below);
        timers_unset(&execution->engine->timers, &below->timer);
        if (below->out) PX_TRY(engine_effect(execution, EFFECT_CANCEL, below));
        below->out = false;
        engine_abort_children(below);
    }
    return 0;
}

void frame_sweep(struct asl_execution *execution)
{
    for (size_t i = execution->frame_count; i-- > 0;) {
        if (i < execution->frame_count && execution->frames[i]->phase == PHASE_DONE)
            frame_forget(execution->frames[i], false);
    }
}

/* ---- records ---- */

static void add_json(struct px_buf *buf, const char *name, const struct asl_blob *blob)
{
    if (!blob) return;
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add(buf, blob->text, blob->len);
}

static void add_text(struct px_buf *buf, const char *name, const struct asl_blob *blob)
{
    if (!blob) return;
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json_str(buf, asl_blob_str(blob));
}

static void add_number(struct px_buf *buf, const char *name, int64_t number, int64_t otherwise)
{
    if (number != otherwise) px_buf_printf(buf, ",\"%s\":%lld", name, (long long)number);
}

static void write_fork(const struct fork *fork, struct px_buf *buf)
{
    px_buf_printf(buf, ",\"run\":%u,\"total\":%zu,\"concurrency\":%zu,\"tc\":%.17g,\"tp\":%.17g",
                  fork->run, fork->total, fork->concurrency, fork->tolerated_count,
                  fork->tolerated_percentage);
    add_json(buf, "forkInput", fork->input);
    if (fork->items) {
        px_buf_add_c(buf, ",\"items\":[");
        for (size_t i = 0; i < fork->total; i++) {
            if (i) px_buf_add_char(buf, ',');
            px_buf_add_str(buf, asl_blob_str(fork->items[i]));
        }
        px_buf_add_char(buf, ']');
    }
    if (fork->keys) {
        px_buf_add_c(buf, ",\"keys\":[");
        for (size_t i = 0; i < fork->total; i++) {
            if (i) px_buf_add_char(buf, ',');
            px_buf_add_json_str(buf, asl_blob_str(fork->keys[i]));
        }
        px_buf_add_char(buf, ']');
    }
}

/* Reading several files and writing them begin again: what came so far is not in the journal, and a file written twice is the same. */
static enum phase phase_kept(const struct frame *frame)
{
    return frame->phase == PHASE_READER && frame->reading ? PHASE_ATTEMPT
           : frame->phase == PHASE_WRITER                 ? PHASE_CHILDREN
                                                          : frame->phase;
}

void frame_write(const struct frame *frame, struct px_buf *buf)
{
    enum phase phase = phase_kept(frame);
    bool called = phase == frame->phase;
    px_buf_printf(buf, "{\"index\":%u,\"phase\":%d,\"state\":", frame->index, (int)phase);
    px_buf_add_json_str(buf, frame->state->name);
    add_json(buf, "input", frame->input);
    add_json(buf, "variables", frame->variables);
    if (frame->item && !(frame->parent && frame->parent->item == frame->item)) {
        add_json(buf, "item", frame->item);
        add_number(buf, "itemIndex", frame->item_index, 0);
    }
    add_number(buf, "enteredMs", frame->entered_ms, 0);
    add_number(buf, "enteredEvent", frame->entered_event, 0);
    add_number(buf, "lastEvent", frame->last_event, 0);
    add_number(buf, "retryCount", frame->retry_count, 0);
    if (frame->retries) {
        px_buf_add_c(buf, ",\"retries\":[");
        for (size_t i = 0; i < frame->state->retrier_count; i++)
            px_buf_printf(buf, "%s%u", i ? "," : "", frame->retries[i]);
        px_buf_add_char(buf, ']');
    }
    if (frame->timer.at) add_number(buf, "due", frame->timer.due_ms, -1);
    add_number(buf, "timeout", frame->timeout_due_ms, INT64_MAX);
    add_number(buf, "heartbeatDue", frame->heartbeat_due_ms, INT64_MAX);
    add_number(buf, "heartbeat", frame->heartbeat_ms, 0);
    if (frame->secret && called)
        px_buf_printf(buf, ",\"secret\":\"%016llx\"", (unsigned long long)frame->secret);
    if (frame->submitted) px_buf_add_c(buf, ",\"submitted\":true");
    if (called) add_json(buf, "payload", frame->payload);
    add_text(buf, "role", frame->role);
    add_json(buf, "submittedOutput", frame->submitted_output);
    if (frame->phase == PHASE_FAILED) {
        add_text(buf, "error", frame->outcome_error);
        add_text(buf, "cause", frame->outcome_cause);
    }
    add_json(buf, "output", frame->output);
    if (phase != PHASE_ATTEMPT) sources_write(frame->sources, buf);
    if (frame->fork) write_fork(frame->fork, buf);
    px_buf_add_char(buf, '}');
}

static int read_json(yyjson_val *record, const char *name, struct asl_blob **ret_blob)
{
    yyjson_val *val = yyjson_obj_get(record, name);
    if (!val) return 0;
    struct px_buf buf;
    px_buf_init(&buf, 64u << 20);
    px_buf_add_json(&buf, val);
    int r = px_buf_fault(&buf);
    *ret_blob = r == 0 ? asl_blob_new(px_buf_str(&buf)) : NULL;
    px_buf_deinit(&buf);
    return r != 0 || *ret_blob ? r : px_fault(PX_F_OOM, "a frame's record");
}

static int read_text(yyjson_val *record, const char *name, struct asl_blob **ret_blob)
{
    struct px_str text = px_json_str(record, name);
    if (!text.ptr) return 0;
    *ret_blob = asl_blob_new(text);
    return *ret_blob ? 0 : px_fault(PX_F_OOM, "a frame's record");
}

static int read_list(yyjson_val *record, const char *name, size_t total, bool strings,
                     struct asl_blob ***ret_list)
{
    yyjson_val *list = px_json_arr(record, name), *val;
    size_t i, n;
    if (!list) return 0;
    if (yyjson_arr_size(list) != total) return px_fault(PX_F_CORRUPT, "a Map's record: %s", name);
    struct asl_blob **blobs = calloc(total ? total : 1, sizeof(struct asl_blob *));
    if (!blobs) return px_fault(PX_F_OOM, "a Map's record");
    *ret_list = blobs;
    yyjson_arr_foreach(list, i, n, val)
    {
        struct px_buf buf;
        px_buf_init(&buf, 64u << 20);
        if (strings)
            px_buf_add_str(&buf, px_json_val_str(val));
        else
            px_buf_add_json(&buf, val);
        int r = px_buf_fault(&buf);
        if (r == 0 && !(blobs[i] = asl_blob_new(px_buf_str(&buf))))
            r = px_fault(PX_F_OOM, "a Map's record");
        px_buf_deinit(&buf);
        PX_TRY(r);
    }
    return 0;
}

static int read_fork(struct frame *frame, yyjson_val *record)
{
    if (!yyjson_obj_get(record, "total")) return 0;
    struct fork *fork = frame->fork = calloc(1, sizeof(*fork));
    if (!fork) return px_fault(PX_F_OOM, "a Map's record");
    fork->run = (uint32_t)px_json_i64(record, "run", 0);
    fork->total = (size_t)px_json_i64(record, "total", 0);
    fork->concurrency = (size_t)px_json_i64(record, "concurrency", 0);
    fork->tolerated_count = px_json_f64(record, "tc", -1);
    fork->tolerated_percentage = px_json_f64(record, "tp", -1);
    fork->results = calloc(fork->total ? fork->total : 1, sizeof(struct asl_blob *));
    fork->child = calloc(fork->total ? fork->total : 1, 1);
    if (!fork->results || !fork->child) return px_fault(PX_F_OOM, "a Map's record");
    PX_TRY(read_json(record, "forkInput", &fork->input));
    PX_TRY(read_list(record, "items", fork->total, false, &fork->items));
    return read_list(record, "keys", fork->total, true, &fork->keys);
}

static const struct asl_flow *flow_of(struct asl_execution *execution, const struct frame *parent,
                                      uint32_t index)
{
    if (!parent) return execution->flow;
    const struct asl_state *state = parent->state;
    if (state->type == ASL_PARALLEL && index < state->of.parallel.branch_count)
        return state->of.parallel.branches[index];
    return state->type == ASL_MAP ? state->of.map.processor : NULL;
}

static int read_retries(struct frame *frame, yyjson_val *record)
{
    yyjson_val *list = px_json_arr(record, "retries"), *val;
    size_t i, n;
    if (!list) return 0;
    if (yyjson_arr_size(list) != frame->state->retrier_count)
        return px_fault(PX_F_CORRUPT, "a frame's record: retries");
    frame->retries = calloc(frame->state->retrier_count + 1, sizeof(*frame->retries));
    if (!frame->retries) return px_fault(PX_F_OOM, "a frame's record");
    yyjson_arr_foreach(list, i, n, val) frame->retries[i] = (uint32_t)yyjson_get_uint(val);
    return 0;
}

static int read_fields(struct frame *frame, yyjson_val *record)
{
    struct px_str secret = px_json_str(record, "secret");
    uint8_t bytes[8];
    frame->entered_ms = px_json_i64(record, "enteredMs", 0);
    frame->entered_event = (uint32_t)px_json_i64(record, "enteredEvent", 0);
    frame->last_event = (uint32_t)px_json_i64(record, "lastEvent", 0);
    frame->retry_count = (uint32_t)px_json_i64(record, "retryCount", 0);
    frame->timeout_due_ms = px_json_i64(record, "timeout", INT64_MAX);
    frame->heartbeat_due_ms = px_json_i64(record, "heartbeatDue", INT64_MAX);
    frame->heartbeat_ms = px_json_i64(record, "heartbeat", 0);
    frame->submitted = px_json_bool(record, "submitted", false);
    if (secret.ptr && !px_unhex(secret, bytes, sizeof(bytes)))
        return px_fault(PX_F_CORRUPT, "a frame's record: secret");
    for (size_t i = 0; secret.ptr && i < sizeof(bytes); i++)
        frame->secret = frame->secret << 8 | bytes[i];
    PX_TRY(read_json(record, "variables", &frame->variables));
    PX_TRY(read_json(record, "payload", &frame->payload));
    PX_TRY(read_text(record, "role", &frame->role));
    PX_TRY(read_json(record, "submittedOutput", &frame->submitted_output));
    PX_TRY(read_text(record, "error", &frame->outcome_error));
    PX_TRY(read_text(record, "cause", &frame->outcome_cause));
    PX_TRY(read_json(record, "output", &frame->output));
    if (yyjson_obj_get(record, "item")) {
        asl_blob_unref(&frame->item);
        PX_TRY(read_json(record, "item", &frame->item));
        frame->item_index = (uint32_t)px_json_i64(record, "itemIndex", 0);
    }
    PX_TRY(read_retries(frame, record));
    PX_TRY(sources_read(record, &frame->sources));
    return read_fork(frame, record);
}

/* What a child's record says of its parent's progress. */
static void count_child(struct frame *frame, struct fork *fork)
{
    fork_set(fork, frame->index, frame->phase == PHASE_DONE ? CHILD_DONE : CHILD_RUNNING);
    if (frame->phase != PHASE_DONE) return;
    fork->result_bytes += frame->output ? frame->output->len : 0;
    fork->results[frame->index] = asl_blob_ref(frame->output);
}

/* A failed execution goes on: whatever did not end is entered again, and what failed of its children waits for them again. */
static void enter_again(struct frame *frame)
{
    if (frame->phase == PHASE_DONE || frame->phase == PHASE_CHILDREN) return;
    turn_touch(frame); /* the redrive's first turn says it for all of them */
    if (frame->phase == PHASE_FAILED && frame->fork) {
        frame_clear_outcome(frame);
        frame->phase = PHASE_CHILDREN;
        return;
    }
    frame_clear_state(frame);
    frame->phase = PHASE_ENTER;
    frame->retry_count = 0;
    free(frame->retries);
    frame->retries = NULL;
}

static int wake(struct frame *frame, yyjson_val *record)
{
    int64_t due = px_json_i64(record, "due", -1);
    if (frame_is_halted(frame)) return 0;
    if (due >= 0 && frame->phase != PHASE_ENTER)
        PX_TRY(timers_set(&frame->execution->engine->timers, &frame->timer, due));
    switch (frame->phase) {
    case PHASE_ENTER:
    case PHASE_ATTEMPT:
    case PHASE_CHILDREN:
    case PHASE_FAILED: engine_ready(frame); return 0;
    case PHASE_TASK:
    case PHASE_READER:
    case PHASE_WRITER:
        return frame->submitted ? 0 : engine_effect(frame->execution, EFFECT_TASK, frame);
    default: return 0;
    }
}

int frame_read(struct asl_execution *execution, const struct asl_frame_record *from, bool redrive)
{
    struct px_arena arena;
    yyjson_val *record = NULL;
    struct frame *frame = NULL, *parent = from->parent ? frame_find(execution, from->parent) : NULL;
    struct asl_blob *input = NULL;
    px_arena_init(&arena, 256u << 20);
    int r = px_json_parse(from->record, &arena, &record, NULL);
    if (r > 0 || (from->parent && (!parent || !parent->fork)))
        r = px_fault(PX_F_CORRUPT, "record of frame %u", from->frame);
    uint32_t index = r == 0 ? (uint32_t)px_json_i64(record, "index", 0) : 0;
    const struct asl_flow *flow = r == 0 ? flow_of(execution, parent, index) : NULL;
    const struct asl_state *state = flow ? asl_flow_state(flow, px_json_str(record, "state"))
                                         : NULL;
    if (r == 0 && (!state || (parent && index >= parent->fork->total)))
        r = px_fault(PX_F_CORRUPT, "record of frame %u: there is no state %.*s", from->frame,
                     PX_FMT(px_json_str(record, "state")));
    if (r == 0) r = read_json(record, "input", &input);
    if (r == 0) execution->next_frame = from->frame;
    if (r == 0) r = frame_new(execution, parent, index, flow, input, &frame);
    asl_blob_unref(&input);
    if (r == 0) {
        frame->state = state;
        asl_blob_unref(&frame->variables);
        frame->phase = (enum phase)px_json_i64(record, "phase", 0);
        r = read_fields(frame, record);
    }
    if (r == 0 && frame->phase == PHASE_WRITER)
        frame->phase = PHASE_CHILDREN; /* as it was kept before */
    if (r == 0 && redrive) enter_again(frame);
    if (r == 0 && parent) count_child(frame, parent->fork);
    if (r == 0) r = wake(frame, record);
    px_arena_deinit(&arena);
    return r < 0 ? px_fold(r, __FILE__, __LINE__) : r;
}
