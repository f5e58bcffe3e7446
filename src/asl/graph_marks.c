/* asl/graph_marks.c - from a history to what became of each state.
 *
 * Events are a tree by previousEventId. An event belongs to the innermost entry of a state that is open on its way up: entering
 * opens one within that, leaving closes it. An entry succeeded once it was left, recovered when something in it had failed
 * before, failed or runs when it was never left. */
#include "asl/graph.h"

#include <stdlib.h>

struct entry {
    const struct asl_state *state;
    uint32_t around; /* the entry that it was opened in, plus 1; 0: none */
    bool failed, left;
};
struct asl_marks {
    const struct asl_state **states; /* each once */
    enum asl_mark *marks;
    size_t count, cap;
};

/* ---- states by name, in all flows ---- */

static const struct asl_state *find_in(const struct asl_flow *flow, struct px_str name);

static const struct asl_state *find_below(const struct asl_state *state, struct px_str name)
{
    const struct asl_state *found = NULL;
    if (state->type == ASL_PARALLEL)
        for (size_t i = 0; i < state->of.parallel.branch_count && !found; i++)
            found = find_in(state->of.parallel.branches[i], name);
    if (state->type == ASL_MAP) found = find_in(state->of.map.processor, name);
    return found;
}

/* As deep as definitions are. */
static const struct asl_state *find_in(const struct asl_flow *flow, struct px_str name)
{
    const struct asl_state *found = asl_flow_state(flow, name);
    for (size_t i = 0; i < flow->state_count && !found; i++)
        found = find_below(&flow->states[i], name);
    return found;
}

/* ---- events ---- */

static int64_t event_id(yyjson_val *event, const char *name) { return px_json_i64(event, name, 0); }

static struct px_str state_name(yyjson_val *event, const char *details)
{
    return px_json_str(px_json_obj(event, details), "name");
}

static bool is_failure(struct px_str type)
{
    return px_str_ends(type, S("Failed")) || px_str_ends(type, S("TimedOut")) ||
           px_str_ends(type, S("Aborted"));
}

/* Worst last: of several entries of one state the worst is shown. */
static int rank(enum asl_mark mark)
{
    static const int ranks[] = {[ASL_MARK_NONE] = 0,
                                [ASL_MARK_SUCCEEDED] = 1,
                                [ASL_MARK_CAUGHT] = 2,
                                [ASL_MARK_RUNNING] = 3,
                                [ASL_MARK_FAILED] = 4};
    return ranks[mark];
}

static void set_mark(struct asl_marks *marks, const struct asl_state *state, enum asl_mark mark)
{
    for (size_t i = 0; i < marks->count; i++) {
        if (marks->states[i] != state) continue;
        if (rank(mark) > rank(marks->marks[i])) marks->marks[i] = mark;
        return;
    }
    marks->states[marks->count] = state;
    marks->marks[marks->count++] = mark;
}

struct history {
    const struct asl_machine *machine;
    struct entry *entries; /* by entry */
    uint32_t *entry_of;    /* by event id: the entry it belongs to, plus 1 */
    size_t entry_count, ids;
    bool over; /* the execution has ended */
};

/* From an entry outwards to the first one of a state, or of any state that holds flows. */
static uint32_t find_around(const struct history *h, uint32_t entry, struct px_str name)
{
    for (; entry > 0; entry = h->entries[entry - 1].around) {
        const struct asl_state *state = h->entries[entry - 1].state;
        bool holds = state->type == ASL_PARALLEL || state->type == ASL_MAP;
        if (name.ptr ? px_str_eq(state->name, name) : holds) return entry;
    }
    return 0;
}

static uint32_t enter(struct history *h, yyjson_val *event, uint32_t around)
{
    struct px_str name = state_name(event, "stateEnteredEventDetails");
    const struct asl_state *state = find_in(&h->machine->flow, name);
    if (!state) return around;
    h->entries[h->entry_count++] = (struct entry){.state = state, .around = around};
    return (uint32_t)h->entry_count;
}

static uint32_t leave(struct history *h, yyjson_val *event, uint32_t entry)
{
    uint32_t left = find_around(h, entry, state_name(event, "stateExitedEventDetails"));
    if (left == 0) return entry;
    h->entries[left - 1].left = true;
    return h->entries[left - 1].around;
}

static void take_event(struct history *h, yyjson_val *event)
{
    struct px_str type = px_json_str(event, "type");
    int64_t id = event_id(event, "id"), previous = event_id(event, "previousEventId");
    if (id <= 0 || (size_t)id >= h->ids) return;
    uint32_t entry = previous > 0 && previous < id ? h->entry_of[previous] : 0;
    if (px_str_starts(type, S("Execution"))) h->over = h->over || !px_str_ends(type, S("Started"));
    if (px_str_ends(type, S("StateEntered"))) {
        entry = enter(h, event, entry);
    } else if (px_str_ends(type, S("StateExited"))) {
        entry = leave(h, event, entry);
    } else if (is_failure(type)) {
        /* of the whole, told behind the failure of a part: ParallelStateFailed, MapIterationFailed */
        bool whole = px_str_starts(type, S("Parallel")) || px_str_starts(type, S("Map"));
        if (whole) entry = find_around(h, entry, (struct px_str){0});
        if (entry > 0) h->entries[entry - 1].failed = true;
    }
    h->entry_of[id] = entry;
}

static enum asl_mark mark_of_entry(const struct history *h, const struct entry *entry)
{
    if (entry->left) return entry->failed ? ASL_MARK_CAUGHT : ASL_MARK_SUCCEEDED;
    return h->over || entry->failed ? ASL_MARK_FAILED : ASL_MARK_RUNNING;
}

int asl_marks_read(yyjson_val *history, const struct asl_machine *machine, struct px_arena *arena,
                   const struct asl_marks **ret_marks)
{
    yyjson_val *events = yyjson_is_arr(history) ? history : px_json_arr(history, "events"), *event;
    struct history h = {.machine = machine};
    size_t i, n = yyjson_arr_size(events);
    if (!events) return ASL_INVALID;
    h.ids = n + 1; /* ids are 1, 2, 3, ...; an excerpt with others shows less */
    h.entries = px_arena_array(arena, struct entry, n + 1);
    h.entry_of = px_arena_array(arena, uint32_t, h.ids);
    struct asl_marks *marks = px_arena_new(arena, struct asl_marks);
    const struct asl_state **states = px_arena_array(arena, const struct asl_state *, n + 1);
    enum asl_mark *list = px_arena_array(arena, enum asl_mark, n + 1);
    if (!h.entries || !h.entry_of || !marks || !states || !list)
        return px_fold(px_arena_fault(arena), __FILE__, __LINE__);
    marks->states = states;
    marks->marks = list;
    px_json_arr_foreach(events, i, n, event) take_event(&h, event);
    for (i = 0; i < h.entry_count; i++)
        set_mark(marks, h.entries[i].state, mark_of_entry(&h, &h.entries[i]));
    *ret_marks = marks;
    return 0;
}

enum asl_mark asl_mark_of(const struct asl_marks *marks, const struct asl_state *state)
{
    for (size_t i = 0; marks && i < marks->count; i++)
        if (marks->states[i] == state) return marks->marks[i];
    return ASL_MARK_NONE;
}
