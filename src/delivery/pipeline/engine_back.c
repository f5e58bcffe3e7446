/* delivery/pipeline/engine_back.c - a stage taken back: the undo of each step that began, the last one first.
 *
 * An undo that fails for good stops it there: what stands below may need what is still above. The run then is stuck, not ended:
 * resume tries again, `abort --leave` ends it as it stands. */
#include "delivery/pipeline/engine.h"

#include <stdio.h>

#include "delivery/pipeline/contract.h"
#include "delivery/pipeline/environment.h"

int engine_turn_back(struct pipeline *p, size_t at, struct px_str why)
{
    PX_AUTO(px_buf_deinit) struct px_buf data;
    const struct definition_step *step = &p->definition.steps[at];
    struct entry entry = {.event = ENTRY_GOING_BACK,
                          .stage = p->definition.stages[step->stage].name};
    px_buf_init(&data, ENTRY_BYTES_MAX);
    px_buf_add_c(&data, "{\"why\":");
    px_buf_add_json_str(&data, why);
    px_buf_add_c(&data, ",\"step\":");
    px_buf_add_json_str(&data, step->path);
    px_buf_add_char(&data, '}');
    PX_TRY(px_buf_fault(&data));
    PX_TRY(engine_append(p, &entry, px_buf_str(&data)));
    return 0;
}

static int write_undo(struct pipeline *p, size_t at, enum entry_event event, struct px_str data)
{
    struct entry entry = {
        .event = event, .step = p->definition.steps[at].path, .plan = engine_plan_of(p, at)};
    PX_TRY(engine_append(p, &entry, data));
    return 0;
}

static int write_undo_done(struct pipeline *p, size_t at, struct px_str result)
{
    PX_AUTO(px_buf_deinit) struct px_buf data;
    px_buf_init(&data, ENTRY_BYTES_MAX);
    if (result.len > 0) px_buf_printf(&data, "{\"result\":%.*s}", PX_FMT(result));
    PX_TRY(px_buf_fault(&data));
    return write_undo(p, at, ENTRY_UNDO_DONE, px_buf_str(&data));
}

static int write_undo_failed(struct pipeline *p, size_t at, bool final)
{
    PX_AUTO(px_buf_deinit) struct px_buf data;
    px_buf_init(&data, ENTRY_BYTES_MAX);
    px_buf_add_c(&data, "{\"error\":");
    px_buf_add_json_str(&data, px_buf_str(&p->error));
    px_buf_printf(&data, ",\"final\":%s}", final ? "true" : "false");
    PX_TRY(px_buf_fault(&data));
    PX_TRY(write_undo(p, at, ENTRY_UNDO_FAILED, px_buf_str(&data)));
    return 0;
}

static int stuck(struct pipeline *p, size_t at)
{
    engine_say(
        p,
        "run %u is stuck: %.*s could not be taken back: %.*s; mend that, then prism pipeline resume tries again, or prism pipeline abort --leave ends the run as it stands",
        p->state.run, PX_FMT(p->definition.steps[at].path), PX_FMT(p->state.steps[at].undo_error));
    engine_release(p, "stuck");
    return PIPELINE_STUCK;
}

/* Answers: PIPELINE_STUCK; 0: go on, it is done or tried again. */
static int undo_step(struct pipeline *p, size_t at)
{
    PX_AUTO(px_buf_deinit) struct px_buf result;
    char data[64];
    const struct definition_act *undo = &p->definition.steps[at].undo;
    struct state_step *step = &p->state.steps[at];
    bool again = step->undo == UNDO_RUNNING;
    uint32_t attempt = step->undo == UNDO_FAILED && step->undo_final ? 1
                                                                     : step->undo_attempts + !again;
    px_buf_init(&result, ENTRY_BYTES_MAX);
    if (step->undo == UNDO_FAILED && !step->undo_final)
        if (!engine_pause(p, undo->pause_s)) PX_TRY(engine_catch_up(p));
    if (engine_is_interrupted(p)) return 0;
    (void)snprintf(data, sizeof data, "{\"attempt\":%u%s}", attempt,
                   again ? ",\"again\":true" : "");
    PX_TRY(write_undo(p, at, ENTRY_UNDO_STARTED, px_str_c(data)));
    int r = engine_act(p, at, true, &result);
    if (r == ACTION_CANCELLED) return 0;
    if (r == ACTION_WAITS) r = ACTION_REFUSED; /* nobody is asked on the way back */
    if (r == ACTION_FAILED || r == ACTION_REFUSED) {
        bool final = r == ACTION_REFUSED || attempt >= undo->attempts;
        PX_TRY(write_undo_failed(p, at, final));
        return final ? stuck(p, at) : 0;
    }
    PX_TRY(r);
    PX_TRY(write_undo_done(p, at, px_buf_str(&result)));
    return 0;
}

/* ---- the catalog ---- */

/* The release before does not work on what this one may have made of the catalog's schema: going back would leave the environment
 * without functions that start, so it is left as it stands. Text in the state's arena; empty: nothing is in the way. */
static int find_contract(struct pipeline *p, struct px_str *ret_why)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct environment before;
    const struct definition_stage *stage = &p->definition.stages[p->state.back_stage];
    *ret_why = px_str(NULL, 0);
    px_arena_init(&arena, ENGINE_STEP_ARENA_BYTES);
    if (!stage->environment) return 0;
    PX_TRY(environment_read(p->store, stage->environment->name, &arena, &before));
    int64_t floor = contract_floor_after(p->state.release.document, before.floor);
    if (before.release.id.len == 0 || contract_allows(before.release.document, floor)) return 0;
    *ret_why = px_arena_printf(
        &p->arena,
        "nothing of it was taken back: release %.*s may have contracted the catalog's schema so that functions must know its step %lld, and "
        "release %.*s, which %.*s had before, knows step %lld: roll forward with a release that knows step %lld",
        PX_FMT(p->state.release.id), (long long)floor, PX_FMT(before.release.id),
        PX_FMT(stage->environment->name), (long long)contract_of(before.release.document).knows,
        (long long)floor);
    return ret_why->ptr ? 0 : px_arena_fault(&p->arena);
}

/* ---- what is left ---- */

static void add_left(struct px_buf *data, unsigned *count, struct px_str text)
{
    if ((*count)++ > 0) px_buf_add_char(data, ',');
    px_buf_add_json_str(data, text);
}

static void list_left(struct pipeline *p, struct px_str why, struct px_buf *data)
{
    char text[1024];
    unsigned count = 0;
    const struct definition_stage *stage = &p->definition.stages[p->state.back_stage];
    px_buf_add_c(data, "{\"left\":[");
    if (why.len > 0) {
        (void)snprintf(text, sizeof text, "stage %.*s: %.*s", PX_FMT(stage->name), PX_FMT(why));
        add_left(data, &count, px_str_c(text));
    }
    for (size_t i = stage->first; i < stage->first + stage->count; i++) {
        const struct definition_step *step = &p->definition.steps[i];
        struct px_str left = step->undo_by_hand.len > 0 ? step->undo_by_hand
                                                        : p->state.steps[i].undo_left;
        if (p->state.steps[i].state == STEP_PENDING || left.len == 0) continue;
        (void)snprintf(text, sizeof text, "%.*s: %.*s", PX_FMT(step->path), PX_FMT(left));
        add_left(data, &count, px_str_c(text));
    }
    for (size_t i = 0; i < p->state.back_stage; i++) {
        const struct definition_environment *environment = p->definition.stages[i].environment;
        if (!environment || !p->state.stages_done[i]) continue;
        (void)snprintf(text, sizeof text, "environment %.*s keeps release %.*s",
                       PX_FMT(environment->name), PX_FMT(p->state.release.id));
        add_left(data, &count, px_str_c(text));
    }
    px_buf_add_c(data, "]}");
}

static int finish(struct pipeline *p, struct px_str why)
{
    PX_AUTO(px_buf_deinit) struct px_buf data;
    struct entry entry = {.event = ENTRY_WENT_BACK,
                          .stage = p->definition.stages[p->state.back_stage].name};
    px_buf_init(&data, ENTRY_BYTES_MAX);
    if (!p->state.went_back) {
        list_left(p, why, &data);
        PX_TRY(px_buf_fault(&data));
        PX_TRY(engine_append(p, &entry, px_buf_str(&data)));
    }
    PX_TRY(engine_end(p, p->state.aborting ? "aborted" : "failed", p->state.back_why));
    return 0;
}

int engine_go_back(struct pipeline *p)
{
    struct px_str why = {0};
    size_t at = state_back_at(&p->state);
    if (at != SIZE_MAX && !p->state.went_back) PX_TRY(find_contract(p, &why));
    if (at != SIZE_MAX && !p->state.went_back && why.len == 0) return undo_step(p, at);
    PX_TRY(finish(p, why));
    return 0;
}
