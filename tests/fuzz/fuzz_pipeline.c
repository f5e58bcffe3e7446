/* Arbitrary bytes as a pipeline; and, behind a first line of them, as the lines of a run's journal: read, chained and applied to the
 * state of a run of that pipeline. */
// link: px_delivery_pipeline
#include <stdlib.h>

#include "delivery/pipeline/builtin.h"
#include "delivery/pipeline/state.h"

#define ARENA_BYTES ((size_t)64 << 20)

static void read_journal(struct px_str text, const struct definition *definition,
                         struct px_arena *arena)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    struct state state;
    struct px_str line;
    px_buf_init(&json, 16u << 20);
    state_init(&state, arena);
    for (bool more = true; more;) {
        struct entry entry;
        more = px_str_cut(&text, '\n', &line);
        if (entry_read(line, arena, &entry) != 0) continue;
        entry.seq = state.seq + 1; /* else hardly any would fit */
        if (state.run > 0) entry.run = state.run;
        if (state_apply(&state, &entry) != 0) continue;
        if (!state.definition && state_set_definition(&state, definition) != 0) return;
        PX_ASSERT(state_at(&state) <= definition->step_count);
        if (state.going_back) (void)state_back_at(&state);
    }
    if (!state.definition) return;
    state_write_json(&state, 0, S(""), &json);
    state_write_results(&state, &json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct action_table table = {.actions = action_builtins};
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    PX_AUTO(px_buf_deinit) struct px_buf problems;
    struct px_str text = px_str((const char *)data, size), first;
    struct definition definition;
    px_arena_init(&arena, ARENA_BYTES);
    px_buf_init(&problems, 1u << 20);
    (void)px_str_cut(&text, '\n', &first);
    int r = definition_read(first, "fuzz", &table, &arena, &problems, &definition);
    PX_ASSERT(r <= 0 || (r == DEFINITION_INVALID && problems.len > 0));
    if (r != 0) return 0;
    for (size_t i = 0; i < definition.step_count; i++) {
        const struct definition_values values = {.environment = S("dev"), .run = S("000001")};
        yyjson_val *with = NULL;
        PX_ASSERT(definition_fill(definition.steps[i].act.with, &values, &arena, &with) <= 0);
    }
    read_journal(text, &definition, &arena);
    return 0;
}
