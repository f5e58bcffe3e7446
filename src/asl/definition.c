/* asl/definition.c - from text to a machine: the text, the machine's own members, flows and where their states lead.
 *
 * A flow's states are one array whose addresses are known before any of them is read, so that a name resolves to a state as
 * soon as it is met. Flows are read where they stand; the JSON parser bounds how deep that goes. */
#include "asl/fields.h"

#include <stdlib.h>

/* ---- names in a flow ---- */

static struct px_str state_name(const struct asl_flow *flow, uint32_t index)
{
    return flow->states[index].name;
}

const struct asl_state *asl_flow_state(const struct asl_flow *flow, struct px_str name)
{
    size_t low = 0, high = flow->state_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = px_str_cmp(state_name(flow, flow->by_name[middle]), name);
        if (order == 0) return &flow->states[flow->by_name[middle]];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int order_names(const void *left, const void *right, void *ctx)
{
    const struct asl_flow *flow = ctx;
    return px_str_cmp(state_name(flow, *(const uint32_t *)left),
                      state_name(flow, *(const uint32_t *)right));
}

/* "Missing 'Next' target" is said of StartAt and Default, too. */
const struct asl_state *asl_read_target(const struct asl_reader *r, const struct asl_flow *flow,
                                        const char *name)
{
    yyjson_val *val = yyjson_obj_get(r->object, name);
    if (!yyjson_is_str(val)) return NULL;
    const struct asl_state *state = asl_flow_state(flow, px_json_val_str(val));
    struct asl_place place = asl_named_place(r->place, r->object, name);
    if (!state)
        asl_problem(r->check, &place, ASL_C_TARGET, "Missing 'Next' target: %.*s",
                    PX_FMT(px_json_val_str(val)));
    return state;
}

static void check_state_name(struct asl_check *check, const struct asl_place *place)
{
    bool control = false;
    for (size_t i = 0; i < place->name.len; i++)
        control = control || (unsigned char)place->name.ptr[i] < 0x20 || place->name.ptr[i] == 0x7f;
    if (place->name.len == 0)
        asl_problem(check, place, ASL_C_STATE_NAME, "A state needs a name");
    else if (asl_char_count(place->name) > ASL_NAME_MAX)
        asl_problem(check, place, ASL_C_STATE_NAME,
                    "The state name '%.*s' exceeds the %d-character limit allowed by the service",
                    PX_FMT(place->name), ASL_NAME_MAX);
    else if (control)
        asl_problem(check, place, ASL_C_STATE_NAME, "A state name has no control characters");
    if (!asl_name_is_new(check, &check->states, place->name))
        asl_problem(check, place, ASL_C_DUPLICATE_STATE, "Duplicate State name: %.*s",
                    PX_FMT(place->name));
}

/* ---- where a flow leads ---- */

static bool is_terminal(const struct asl_state *state, yyjson_val *object)
{
    return state->type == ASL_SUCCEED || state->type == ASL_FAIL ||
           yyjson_is_true(yyjson_obj_get(object, "End"));
}

static void check_reach(struct asl_check *check, const struct asl_place *states_place,
                        yyjson_val *states, const struct asl_flow *flow)
{
    size_t i, n, waiting = 0;
    yyjson_val *key, *val;
    struct asl_edge edge;
    bool *reached = asl_check_array(check, bool, flow->state_count);
    const struct asl_state **stack = asl_check_array(check, const struct asl_state *,
                                                     flow->state_count);
    if (!reached || !stack) return;
    if (flow->start) {
        stack[waiting++] = flow->start;
        reached[flow->start->index] = true;
    }
    while (waiting > 0) {
        const struct asl_state *state = stack[--waiting];
        for (i = 0; asl_state_edge(state, i, &edge); i++) {
            if (!edge.to || reached[edge.to->index]) continue;
            reached[edge.to->index] = true;
            stack[waiting++] = edge.to;
        }
    }
    yyjson_obj_foreach(states, i, n, key, val)
    {
        struct asl_place place = asl_member_place(states_place, key);
        if (!reached[i])
            asl_problem(check, &place, ASL_C_TARGET, "State \"%.*s\" is not reachable.",
                        PX_FMT(place.name));
    }
}

/* Only the machine itself must have a state that ends it, and then nothing is said of what is out of reach. */
static void check_ways(struct asl_check *check, const struct asl_place *place,
                       const struct asl_place *states_place, yyjson_val *states,
                       const struct asl_flow *flow)
{
    size_t i, n;
    yyjson_val *key, *val;
    bool ends = flow->owner != NULL;
    yyjson_obj_foreach(states, i, n, key, val) ends = ends || is_terminal(&flow->states[i], val);
    if (ends)
        check_reach(check, states_place, states, flow);
    else
        asl_problem(check, place, ASL_C_NO_END, "Workflow has no terminal state");
}

/* ---- flows ---- */

static struct asl_state *name_states(struct asl_check *check, const struct asl_place *states_place,
                                     yyjson_val *states, struct asl_flow *flow)
{
    size_t i, n = yyjson_obj_size(states);
    yyjson_val *key, *val;
    struct asl_state *list = asl_check_array(check, struct asl_state, n);
    uint32_t *by_name = asl_check_array(check, uint32_t, n);
    if (!list || !by_name) return NULL;
    yyjson_obj_foreach(states, i, n, key, val)
    {
        struct asl_place place = asl_member_place(states_place, key);
        check_state_name(check, &place);
        list[i] = (struct asl_state){.name = place.name, .flow = flow, .index = (uint32_t)i};
        by_name[i] = (uint32_t)i;
    }
    flow->states = list;
    flow->state_count = n;
    flow->by_name = by_name;
    if (n > 1) qsort_r(by_name, n, sizeof *by_name, order_names, flow);
    return list;
}

void asl_read_flow(struct asl_check *check, const struct asl_place *place, yyjson_val *object,
                   struct asl_flow *flow)
{
    yyjson_val *states = px_json_obj(object, "States"), *key, *val;
    struct asl_place states_place = asl_named_place(place, object, "States");
    struct asl_reader r = {check, place, object, ASL_JSONPATH};
    size_t i, n;
    if (!states) return;
    if (yyjson_obj_size(states) == 0)
        asl_problem(check, &states_place, ASL_C_SCHEMA, "Value cannot be empty");
    struct asl_state *list = name_states(check, &states_place, states, flow);
    if (!list) return;
    flow->start = asl_read_target(&r, flow, "StartAt");
    bool all = true;
    yyjson_obj_foreach(states, i, n, key, val)
    {
        struct asl_place at = asl_member_place(&states_place, key);
        all = asl_read_state(check, &at, val, &list[i]) && all;
    }
    bool starts = yyjson_is_str(yyjson_obj_get(object, "StartAt"));
    if (all && starts && n > 0) check_ways(check, place, &states_place, states, flow);
}

/* ---- the machine ---- */

static enum asl_language machine_language(yyjson_val *root)
{
    yyjson_val *val = yyjson_obj_get(root, "QueryLanguage");
    return !val || px_str_eq(px_json_val_str(val), S("JSONPath")) ? ASL_JSONPATH : ASL_JSONATA;
}

static void read_machine(struct asl_check *check, yyjson_val *root, struct asl_machine *machine)
{
    struct asl_place place = {0};
    check->language = machine_language(root);
    struct asl_reader r = {check, &place, root, check->language};
    machine->language = check->language;
    machine->type = check->type;
    machine->source = check->text;
    if (!asl_check_object(&r, ASL_O_MACHINE)) return;
    machine->timeout_s = px_json_i64(root, "TimeoutSeconds", 0);
    machine->comment = px_json_str(root, "Comment");
    asl_read_flow(check, &place, root, &machine->flow);
}

/* ---- the text ---- */

/* Where the parser's copy of the text begins: the first string of an object's text is the name of its first member. */
static const char *origin_of(struct px_str text, yyjson_val *root)
{
    yyjson_obj_iter iter = {0};
    if (!yyjson_obj_iter_init(root, &iter)) return NULL;
    const char *first = yyjson_get_str(yyjson_obj_iter_next(&iter));
    const char *quote = memchr(text.ptr, '"', text.len);
    return first && quote ? first - (quote - text.ptr) - 1 : NULL;
}

static bool is_blank(struct px_str text) { return px_str_trim(text).len == 0; }

/* False: told. */
static bool check_text(struct asl_check *check)
{
    if (is_blank(check->text))
        asl_text_problem(check, ASL_C_EMPTY, 0, "The definition is empty");
    else if (check->text.len > ASL_DEFINITION_BYTES_MAX)
        asl_text_problem(check, ASL_C_SCHEMA, 0, "The definition is larger than %u bytes",
                         ASL_DEFINITION_BYTES_MAX);
    return !check->refused;
}

static int parse_text(struct asl_check *check, struct asl_machine *machine)
{
    struct px_where where = {0};
    yyjson_val *root = NULL;
    if (!check_text(check)) return 0;
    int r = px_json_parse(check->text, check->arena, &root, &where);
    if (r == PX_JSON_INVALID) {
        bool deep = strstr(where.expected, "nesting") != NULL;
        asl_text_problem(check, deep ? ASL_C_DEPTH : ASL_C_JSON, where.offset, "%s",
                         where.expected);
        return 0;
    }
    PX_TRY(r);
    check->origin = origin_of(check->text, root);
    read_machine(check, root, machine);
    return 0;
}

int asl_machine_parse(struct px_str text, enum asl_machine_type type, struct asl_jsonata *jsonata,
                      struct px_arena *arena, const struct asl_machine **ret_machine,
                      struct asl_problems *ret_problems)
{
    struct asl_check check = {.arena = arena, .jsonata = jsonata, .type = type};
    struct asl_machine *machine = px_arena_new(arena, struct asl_machine);
    check.text = px_arena_dup(arena, text);
    if (!machine || !check.text.ptr) return px_fold(px_arena_fault(arena), __FILE__, __LINE__);
    PX_TRY(parse_text(&check, machine));
    PX_TRY(asl_problems_finish(&check, ret_problems));
    if (check.refused) return ASL_INVALID;
    *ret_machine = machine;
    return 0;
}
