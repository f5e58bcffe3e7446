/* Arbitrary text as a definition: refused with places and words, or a machine whose states lead to states of their own flow,
 * which can be drawn. The first byte says which type of machine; 'T' is a template, whose values are put in before. */
// link: px_asl
#include <stdlib.h>

#include "asl/graph.h"
#include "asl/render.h"

#define ARENA_BYTES ((size_t)64 << 20)

static void check_problems(const struct asl_problems *problems, struct px_str text, bool refused)
{
    size_t errors = 0;
    PX_ASSERT(problems->count <= 1000);
    for (size_t i = 0; i < problems->count; i++) {
        const struct asl_problem *problem = &problems->list[i];
        PX_ASSERT(problem->code && problem->message.ptr && problem->place.len > 0);
        PX_ASSERT((problem->line == 0) == (problem->column == 0) && problem->line <= text.len + 1);
        errors += !problem->warning;
    }
    PX_ASSERT((errors > 0) == refused);
}

static void check_flow(const struct asl_flow *flow);

static void check_state(const struct asl_state *state)
{
    struct asl_edge edge;
    PX_ASSERT(asl_flow_state(state->flow, state->name) == state);
    for (size_t i = 0; asl_state_edge(state, i, &edge); i++)
        PX_ASSERT(!edge.to || edge.to->flow == state->flow);
    if (state->type == ASL_PARALLEL)
        for (size_t i = 0; i < state->of.parallel.branch_count; i++)
            check_flow(state->of.parallel.branches[i]);
    if (state->type == ASL_MAP) check_flow(state->of.map.processor);
}

static void check_flow(const struct asl_flow *flow)
{
    PX_ASSERT(flow->start && flow->start->flow == flow && flow->state_count > 0);
    for (size_t i = 0; i < flow->state_count; i++) {
        PX_ASSERT(flow->states[i].index == i && flow->states[i].flow == flow);
        check_state(&flow->states[i]);
    }
}

static void draw(const struct asl_machine *machine, struct px_arena *arena)
{
    struct px_buf svg;
    px_buf_init(&svg, ARENA_BYTES);
    int r = asl_graph_svg(machine, NULL, arena, &svg);
    PX_ASSERT(r == 0 || r == ASL_GRAPH_TOO_LARGE || r == PX_F_LIMIT);
    PX_ASSERT(r != 0 || px_utf8_ok(px_buf_str(&svg)));
    px_buf_deinit(&svg);
}

static struct px_str rendered(struct px_str template, struct px_arena *arena)
{
    static const struct asl_value_of_name values[] = {{{"a", 1}, {"\"1\"", 3}},
                                                      {{"b", 1}, {"", 0}}};
    struct px_str text = {0};
    struct px_where where = {0};
    int r = asl_render(template, values, PX_COUNT(values), arena, &text, &where);
    PX_ASSERT(r == 0 || r == PX_F_LIMIT ||
              (r == ASL_INVALID && where.expected[0] && where.offset < template.len));
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_arena arena;
    struct asl_problems problems = {0};
    const struct asl_machine *machine = NULL;
    if (size == 0) return 0;
    enum asl_machine_type type = data[0] == 'E' ? ASL_EXPRESS : ASL_STANDARD;
    struct px_str text = px_str((const char *)data + 1, size - 1);
    px_arena_init(&arena, ARENA_BYTES);
    if (data[0] == 'T') text = rendered(text, &arena);
    int r = asl_machine_parse(text, type, NULL, &arena, &machine, &problems);
    PX_ASSERT(r == 0 || r == ASL_INVALID || r == PX_F_LIMIT);
    if (r >= 0) check_problems(&problems, text, r == ASL_INVALID);
    if (r == 0) {
        check_flow(&machine->flow);
        draw(machine, &arena);
    }
    px_arena_deinit(&arena);
    return 0;
}
