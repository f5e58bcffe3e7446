/* delivery/pipeline/state.c - the table of events; see state.h. */
#include "delivery/pipeline/state.h"

const char *step_state_name(enum step_state state)
{
    static const char *const names[] = {"pending", "running",     "waiting", "done",
                                        "failed",  "rolled-back", "skipped"};
    return names[state];
}

void state_init(struct state *state, struct px_arena *arena)
{
    *state = (struct state){.arena = arena, .hash = ENTRY_NO_PREV};
}

int state_set_definition(struct state *state, const struct definition *definition)
{
    struct state_step *steps = px_arena_array(state->arena, struct state_step,
                                              definition->step_count + 1);
    bool *stages_done = px_arena_array(state->arena, bool, definition->stage_count + 1);
    if (!steps || !stages_done) return px_arena_fault(state->arena);
    state->steps = steps;
    state->stages_done = stages_done;
    state->definition = definition;
    return 0;
}

size_t state_step_of(const struct state *state, struct px_str path)
{
    for (size_t i = 0; i < state->definition->step_count; i++)
        if (px_str_eq(state->definition->steps[i].path, path)) return i;
    return SIZE_MAX;
}

size_t state_at(const struct state *state)
{
    size_t i = 0;
    while (i < state->definition->step_count && state->steps[i].state == STEP_DONE) i++;
    return i;
}

size_t state_back_at(const struct state *state)
{
    const struct definition_stage *stage = &state->definition->stages[state->back_stage];
    for (size_t i = stage->first + stage->count; i-- > stage->first;) {
        const struct state_step *step = &state->steps[i];
        bool began = step->state != STEP_PENDING && step->state != STEP_SKIPPED;
        if (began && state->definition->steps[i].undo.action && step->undo != UNDO_DONE) return i;
    }
    return SIZE_MAX;
}

/* ---- events ----
 * Each says what is wrong with it, or NULL; it changes nothing when something is. */

static struct action_release release_of(yyjson_val *says, const char *id)
{
    return (struct action_release){.id = px_json_str(says, id),
                                   .place = px_json_str(says, "place"),
                                   .document = px_json_obj(says, "document")};
}

static const char *on_run_started(struct state *state, const struct entry *entry)
{
    struct px_str definition = px_json_str(entry->data, "definition");
    if (state->seq != 0) return "a run that has begun begins again";
    if (!digest_is_hex(definition)) return "it does not say which pipeline";
    state->run = entry->run;
    state->starter = entry->who;
    state->started_ns = entry->at_ns;
    state->definition_sha256 = definition;
    state->file = px_json_str(entry->data, "file");
    state->until = px_json_str(entry->data, "until");
    state->key = px_json_str(entry->data, "key");
    state->emergency = px_json_str(entry->data, "emergency");
    state->release = release_of(entry->data, "release");
    return NULL;
}

static const char *on_held(struct state *state, const struct entry *entry)
{
    if (entry->fence != state->fence + 1) return "its fence does not follow the last one";
    state->fence = entry->fence;
    state->holder = (struct state_holder){
        .held = true,
        .who = entry->who,
        .host = px_json_str(entry->data, "host"),
        .boot = px_json_str(entry->data, "boot"),
        .pid = px_json_i64(entry->data, "pid", 0),
        .started = px_json_i64(entry->data, "started", 0),
        .since_ns = entry->at_ns,
    };
    return NULL;
}

static const char *on_released(struct state *state, const struct entry *entry)
{
    (void)entry;
    state->holder.held = false;
    return NULL;
}

static struct state_step *step_of(struct state *state, const struct entry *entry)
{
    size_t i = state_step_of(state, entry->step);
    return i == SIZE_MAX ? NULL : &state->steps[i];
}

static const char *on_step_started(struct state *state, const struct entry *entry)
{
    size_t i = state_step_of(state, entry->step);
    if (state->going_back) return "a step begins while its stage goes back";
    if (i == SIZE_MAX || i != state_at(state)) return "another step is next";
    struct state_step *step = &state->steps[i];
    if (step->state == STEP_WAITING) return "it waits already";
    if (step->attempts == 0) step->began_ns = entry->at_ns;
    step->again = step->state == STEP_RUNNING;
    step->state = STEP_RUNNING;
    step->attempts = (uint32_t)px_json_i64(entry->data, "attempt", 1);
    step->error = px_str(NULL, 0);
    return NULL;
}

static const char *on_noted(struct state *state, const struct entry *entry)
{
    struct state_step *step = step_of(state, entry);
    bool undoing = step && step->undo == UNDO_RUNNING;
    if (!step || (step->state != STEP_RUNNING && !undoing)) return "the step does not run";
    struct state_note **last = undoing ? &step->undo_notes : &step->notes;
    struct state_note *note = px_arena_new(state->arena, struct state_note);
    if (!note) return "out of memory";
    note->data = entry->data;
    while (*last) last = &(*last)->next;
    *last = note;
    return NULL;
}

static const char *on_waits(struct state *state, const struct entry *entry)
{
    struct state_step *step = step_of(state, entry);
    if (!step || step->state != STEP_RUNNING) return "the step does not run";
    step->state = STEP_WAITING;
    step->plan = entry->plan;
    step->asked_ns = entry->at_ns;
    step->expires_ns = entry->at_ns + px_json_i64(entry->data, "expires_s", 0) * PX_NS_PER_S;
    step->approved = step->rejected = false;
    return NULL;
}

static const char *on_decided(struct state *state, const struct entry *entry)
{
    struct state_step *step = step_of(state, entry);
    if (!step || step->state != STEP_WAITING) return "the step does not wait";
    if (!px_str_eq(step->plan, entry->plan))
        return "it is about another plan than the one that waits";
    if (step->approved || step->rejected) return "it was decided already";
    step->approved = entry->event == ENTRY_APPROVED;
    step->rejected = !step->approved;
    step->decided_by = entry->who;
    step->decided_ns = entry->at_ns;
    step->decided_why = px_json_str(entry->data, "why");
    return NULL;
}

static const char *on_step_done(struct state *state, const struct entry *entry)
{
    struct state_step *step = step_of(state, entry);
    if (!step || (step->state != STEP_RUNNING && step->state != STEP_WAITING))
        return "the step does not run";
    step->state = STEP_DONE;
    step->ended_ns = entry->at_ns;
    step->result = px_json_obj(entry->data, "result");
    yyjson_val *release = px_json_obj(step->result, "release");
    if (release) state->release = release_of(release, "id");
    return NULL;
}

static const char *on_step_failed(struct state *state, const struct entry *entry)
{
    struct state_step *step = step_of(state, entry);
    if (!step || (step->state != STEP_RUNNING && step->state != STEP_WAITING))
        return "the step does not run";
    step->state = STEP_FAILED;
    step->ended_ns = entry->at_ns;
    step->error = px_json_str(entry->data, "error");
    step->final = px_json_bool(entry->data, "final", false);
    return NULL;
}

static size_t stage_of(const struct state *state, struct px_str name)
{
    for (size_t i = 0; i < state->definition->stage_count; i++)
        if (px_str_eq(state->definition->stages[i].name, name)) return i;
    return SIZE_MAX;
}

static const char *on_stage_done(struct state *state, const struct entry *entry)
{
    size_t i = stage_of(state, entry->stage);
    if (i == SIZE_MAX) return "there is no such stage";
    const struct definition_stage *stage = &state->definition->stages[i];
    if (state->going_back || state_at(state) < stage->first + stage->count)
        return "the stage has steps left";
    state->stages_done[i] = true;
    return NULL;
}

static const char *on_abort_asked(struct state *state, const struct entry *entry)
{
    state->aborting = true;
    state->abort_by = entry->who;
    state->abort_why = px_json_str(entry->data, "why");
    return NULL;
}

static const char *on_going_back(struct state *state, const struct entry *entry)
{
    size_t i = stage_of(state, entry->stage);
    if (i == SIZE_MAX || state->going_back) return "no stage can go back there";
    state->going_back = true;
    state->back_stage = i;
    state->back_why = px_json_str(entry->data, "why");
    return NULL;
}

static const char *on_undo_started(struct state *state, const struct entry *entry)
{
    size_t i = state_step_of(state, entry->step);
    if (!state->going_back || i == SIZE_MAX || i != state_back_at(state))
        return "another step is taken back first";
    struct state_step *step = &state->steps[i];
    if (step->undo_attempts == 0) step->undo_began_ns = entry->at_ns;
    step->undo_again = step->undo == UNDO_RUNNING;
    step->undo = UNDO_RUNNING;
    step->undo_final = false;
    step->undo_attempts = (uint32_t)px_json_i64(entry->data, "attempt", 1);
    return NULL;
}

static const char *on_undo_done(struct state *state, const struct entry *entry)
{
    struct state_step *step = step_of(state, entry);
    if (!step || step->undo != UNDO_RUNNING) return "the step is not being taken back";
    step->undo = UNDO_DONE;
    step->undo_left = px_json_str(px_json_obj(entry->data, "result"), "left");
    if (step->undo_left.len == 0) step->state = STEP_ROLLED_BACK;
    return NULL;
}

static const char *on_undo_failed(struct state *state, const struct entry *entry)
{
    struct state_step *step = step_of(state, entry);
    if (!step || step->undo != UNDO_RUNNING) return "the step is not being taken back";
    step->undo = UNDO_FAILED;
    step->undo_error = px_json_str(entry->data, "error");
    step->undo_final = px_json_bool(entry->data, "final", false);
    return NULL;
}

static const char *on_went_back(struct state *state, const struct entry *entry)
{
    if (!state->going_back || state->went_back) return "no stage goes back";
    state->went_back = true;
    state->left = px_json_arr(entry->data, "left");
    return NULL;
}

static const char *on_run_ended(struct state *state, const struct entry *entry)
{
    state->ended = true;
    state->ended_ns = entry->at_ns;
    state->holder.held = false;
    state->outcome = px_json_str(entry->data, "outcome");
    state->why = px_json_str(entry->data, "why");
    if (!state->left) state->left = px_json_arr(entry->data, "left");
    for (size_t i = 0; i < state->definition->step_count; i++)
        if (state->steps[i].state == STEP_PENDING) state->steps[i].state = STEP_SKIPPED;
    return NULL;
}

static const struct {
    const char *(*apply)(struct state *state, const struct entry *entry);
    bool by_anybody; /* not by the holder alone */
} events[] = {
    [ENTRY_RUN_STARTED] = {on_run_started, true}, [ENTRY_HELD] = {on_held, true},
    [ENTRY_RELEASED] = {on_released, false},      [ENTRY_STEP_STARTED] = {on_step_started, false},
    [ENTRY_STEP_NOTED] = {on_noted, false},       [ENTRY_STEP_WAITS] = {on_waits, false},
    [ENTRY_APPROVED] = {on_decided, true},        [ENTRY_REJECTED] = {on_decided, true},
    [ENTRY_STEP_DONE] = {on_step_done, false},    [ENTRY_STEP_FAILED] = {on_step_failed, false},
    [ENTRY_STAGE_DONE] = {on_stage_done, false},  [ENTRY_ABORT_ASKED] = {on_abort_asked, true},
    [ENTRY_GOING_BACK] = {on_going_back, false},  [ENTRY_UNDO_STARTED] = {on_undo_started, false},
    [ENTRY_UNDO_DONE] = {on_undo_done, false},    [ENTRY_UNDO_FAILED] = {on_undo_failed, false},
    [ENTRY_WENT_BACK] = {on_went_back, false},    [ENTRY_RUN_ENDED] = {on_run_ended, false},
};

static const char *check(const struct state *state, const struct entry *entry)
{
    if (entry->seq != state->seq + 1) return "an entry is missing before it";
    if (state->seq == 0) return entry->event == ENTRY_RUN_STARTED ? NULL : "the run has not begun";
    if (entry->run != state->run) return "it is of another run";
    if (!state->definition) return "its pipeline is not known";
    if (state->ended) return "the run has ended";
    if (events[entry->event].by_anybody) return NULL;
    if (!state->holder.held) return "nobody holds the run";
    return entry->fence == state->fence ? NULL : "it is from somebody who has lost the run";
}

int state_apply(struct state *state, const struct entry *entry)
{
    const char *wrong = check(state, entry);
    if (!wrong) wrong = events[entry->event].apply(state, entry);
    if (wrong)
        return px_fault(PX_F_CORRUPT, "run %u entry %u, %s%s%.*s: %s", entry->run, entry->seq,
                        entry_event_name(entry->event), entry->step.len ? " " : "",
                        PX_FMT(entry->step), wrong);
    state->seq = entry->seq;
    memcpy(state->hash, entry->hash, sizeof state->hash);
    return 0;
}
