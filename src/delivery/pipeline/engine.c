/* delivery/pipeline/engine.c - a run driven forward: the next step, again and again, until something else is to be done. */
#include "delivery/pipeline/engine.h"
#include "delivery/pipeline/contract.h"
#include "delivery/pipeline/environment.h"

#include <stdio.h>
#include <time.h>

#define LOOK_MS 100

/* ---- a step ---- */

bool engine_pause(struct pipeline *p, int64_t s)
{
    int64_t until_ns = px_mono_ns(p->options->clock) + s * PX_NS_PER_S;
    while (px_mono_ns(p->options->clock) < until_ns) {
        if (engine_is_lost(p) || engine_is_interrupted(p) || atomic_load(&p->lease.news))
            return false;
        (void)nanosleep(&(struct timespec){0, LOOK_MS * PX_NS_PER_MS}, NULL);
    }
    return true;
}

static int write_started(struct pipeline *p, size_t at)
{
    char data[64];
    const struct state_step *step = &p->state.steps[at];
    bool again = step->state == STEP_RUNNING;
    struct entry entry = {.event = ENTRY_STEP_STARTED,
                          .step = p->definition.steps[at].path,
                          .plan = engine_plan_of(p, at)};
    (void)snprintf(data, sizeof data, "{\"attempt\":%u%s}", step->attempts + !again,
                   again ? ",\"again\":true" : "");
    PX_TRY(engine_append(p, &entry, px_str_c(data)));
    return 0;
}

static int write_done(struct pipeline *p, size_t at, const struct px_buf *result)
{
    PX_AUTO(px_buf_deinit) struct px_buf data;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    yyjson_val *root = NULL;
    struct entry entry = {.event = ENTRY_STEP_DONE,
                          .step = p->definition.steps[at].path,
                          .plan = engine_plan_of(p, at)};
    px_buf_init(&data, ENTRY_BYTES_MAX);
    px_arena_init(&arena, ENGINE_STEP_ARENA_BYTES);
    if (result->len > 0) {
        PX_TRY(px_json_parse(px_buf_str(result), &arena, &root, NULL));
        if (px_json_str(root, "digest").len > 0) entry.plan = px_json_str(root, "digest");
        if (px_json_obj(root, "release"))
            entry.release = px_json_str(px_json_obj(root, "release"), "id");
        px_buf_printf(&data, "{\"result\":%.*s}", PX_FMT(px_buf_str(result)));
    }
    PX_TRY(px_buf_fault(&data));
    PX_TRY(engine_append(p, &entry, px_buf_str(&data)));
    return 0;
}

static int write_failed(struct pipeline *p, size_t at, bool final)
{
    PX_AUTO(px_buf_deinit) struct px_buf data;
    struct entry entry = {.event = ENTRY_STEP_FAILED,
                          .step = p->definition.steps[at].path,
                          .plan = engine_plan_of(p, at)};
    px_buf_init(&data, ENTRY_BYTES_MAX);
    px_buf_add_c(&data, "{\"error\":");
    px_buf_add_json_str(&data, px_buf_str(&p->error));
    px_buf_printf(&data, ",\"final\":%s}", final ? "true" : "false");
    PX_TRY(px_buf_fault(&data));
    PX_TRY(engine_append(p, &entry, px_buf_str(&data)));
    return 0;
}

static int write_waits(struct pipeline *p, size_t at)
{
    PX_AUTO(px_buf_deinit) struct px_buf data;
    const struct definition_environment *environment =
        p->definition.stages[p->definition.steps[at].stage].environment;
    struct entry entry = {.event = ENTRY_STEP_WAITS,
                          .step = p->definition.steps[at].path,
                          .plan = engine_plan_of(p, at)};
    px_buf_init(&data, ENTRY_BYTES_MAX);
    px_buf_printf(&data, "{\"expires_s\":%lld,\"why\":",
                  (long long)(environment ? environment->expires_s : 86400));
    px_buf_add_json_str(&data, px_buf_str(&p->error));
    px_buf_add_char(&data, '}');
    PX_TRY(px_buf_fault(&data));
    PX_TRY(engine_append(p, &entry, px_buf_str(&data)));
    return 0;
}

/* Until somebody decides, or it expires, or an end is asked for. */
static int attend(struct pipeline *p, size_t at)
{
    const struct state_step *step = &p->state.steps[at];
    while (!step->approved && !step->rejected && !p->state.aborting) {
        if (px_wall_ns(p->options->clock) >= step->expires_ns) return 0;
        if (!engine_pause(p, 1)) PX_TRY(engine_catch_up(p));
        if (engine_is_lost(p) || engine_is_interrupted(p)) return 0;
    }
    return 0;
}

static int wait_for_decision(struct pipeline *p, size_t at)
{
    const struct state_step *step = &p->state.steps[at];
    struct px_str path = p->definition.steps[at].path;
    if (step->state != STEP_WAITING) PX_TRY(write_waits(p, at));
    if (step->approved || step->rejected) return 0;
    if (p->options->attend) {
        PX_TRY(attend(p, at));
        return 0;
    }
    engine_say(
        p,
        "run %u waits at %.*s for an approval of plan %.12s: prism pipeline approve --plan %.12s, then prism pipeline resume",
        p->state.run, PX_FMT(path), step->plan.len ? step->plan.ptr : "-",
        step->plan.len ? step->plan.ptr : "-");
    engine_release(p, "waits for an approval");
    return PIPELINE_WAITS;
}

static int run_step(struct pipeline *p, size_t at)
{
    PX_AUTO(px_buf_deinit) struct px_buf result;
    const struct definition_step *what = &p->definition.steps[at];
    struct state_step *step = &p->state.steps[at];
    px_buf_init(&result, ENTRY_BYTES_MAX);
    if (step->state == STEP_FAILED) {
        if (step->final) {
            PX_TRY(engine_turn_back(p, at, step->error));
            return 0;
        }
        if (!engine_pause(p, what->act.pause_s)) return 0;
    }
    if (step->state != STEP_WAITING) PX_TRY(write_started(p, at));
    int r = engine_act(p, at, false, &result);
    switch (r) {
    case 0: r = write_done(p, at, &result); break;
    case ACTION_WAITS: return wait_for_decision(p, at);
    case ACTION_CANCELLED: return 0; /* the loop sees why */
    case ACTION_FAILED: r = write_failed(p, at, step->attempts >= what->act.attempts); break;
    case ACTION_REFUSED: r = write_failed(p, at, true); break;
    default: break;
    }
    PX_TRY(r);
    return 0;
}

/* ---- stages ---- */

/* What the environment has now, for the next run to go back to. A run that was taken over may say so late; the newer run's word
 * stays. */
static int write_environment(struct pipeline *p, const struct definition_stage *stage)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct environment now;
    bool whole = stage->delivers == DEFINITION_WHOLE;
    px_arena_init(&arena, ENGINE_STEP_ARENA_BYTES);
    if (!stage->environment || p->state.release.id.len == 0) return 0;
    if (stage->delivers == DEFINITION_NOTHING) return 0;
    PX_TRY(environment_read(p->store, stage->environment->name, &arena, &now));
    now.floor = contract_floor_after(p->state.release.document, now.floor);
    if (whole) {
        now.release = p->state.release;
        now.run = p->state.run;
    } else {
        now.release.mixed |= !px_str_eq(now.release.id, p->state.release.id);
    }
    if (engine_is_lost(p)) return px_fault(PX_F_BUSY, "run %u was taken over", p->state.run);
    PX_TRY(environment_write(p->store, stage->environment->name, &now));
    return 0;
}

static int close_stages(struct pipeline *p)
{
    size_t at = state_at(&p->state);
    for (size_t i = 0; i < p->definition.stage_count; i++) {
        const struct definition_stage *stage = &p->definition.stages[i];
        struct entry entry = {.event = ENTRY_STAGE_DONE, .stage = stage->name};
        if (p->state.stages_done[i] || stage->first + stage->count > at) continue;
        PX_TRY(write_environment(p, stage));
        PX_TRY(engine_append(p, &entry, S("")));
    }
    return 0;
}

static bool is_behind_until(const struct state *state, size_t at)
{
    if (at == state->definition->step_count) return true;
    if (state->until.len == 0) return false;
    for (size_t i = 0; i < state->definition->steps[at].stage; i++)
        if (px_str_eq(state->definition->stages[i].name, state->until)) return true;
    return false;
}

/* Whoever drives a run from several places, each with rights of its own, drives a part of it at a time. */
static bool is_behind_pause(const struct pipeline *p, size_t at)
{
    const char *pause = p->options->pause_behind;
    for (size_t i = 0; pause && i < p->definition.steps[at].stage; i++)
        if (px_str_eq(p->definition.stages[i].name, px_str_c(pause))) return true;
    return false;
}

int engine_end(struct pipeline *p, const char *outcome, struct px_str why)
{
    PX_AUTO(px_buf_deinit) struct px_buf data;
    struct entry entry = {.event = ENTRY_RUN_ENDED};
    px_buf_init(&data, ENTRY_BYTES_MAX);
    px_buf_printf(&data, "{\"outcome\":\"%s\"", outcome);
    if (why.len > 0) {
        px_buf_add_c(&data, ",\"why\":");
        px_buf_add_json_str(&data, why);
    }
    px_buf_add_char(&data, '}');
    PX_TRY(px_buf_fault(&data));
    PX_TRY(engine_append(p, &entry, px_buf_str(&data)));
    return 0;
}

/* ---- the run ---- */

static int answer_of_end(struct pipeline *p)
{
    const struct state *state = &p->state;
    if (px_str_eq(state->outcome, S("succeeded"))) {
        engine_say(p, "run %u has succeeded", state->run);
        return 0;
    }
    size_t left = yyjson_arr_size(state->left);
    engine_say(p, "run %u %s: %.*s%s", state->run,
               px_str_eq(state->outcome, S("failed")) ? "has failed" : "was aborted",
               PX_FMT(state->why),
               left > 0 ? "; what is left is listed by prism pipeline status" : "");
    return px_str_eq(state->outcome, S("failed")) ? PIPELINE_FAILED : PIPELINE_ABORTED;
}

static int drive_on(struct pipeline *p)
{
    for (;;) {
        PX_TRY(engine_catch_up(p));
        if (p->state.ended) return answer_of_end(p);
        if (engine_is_lost(p)) return px_fault(PX_F_BUSY, "run %u was taken over", p->state.run);
        if (engine_is_interrupted(p)) return PIPELINE_INTERRUPTED;
        if (p->state.going_back) {
            int r = engine_go_back(p);
            if (r != 0) return r;
            continue;
        }
        size_t at = state_at(&p->state);
        PX_TRY(close_stages(p));
        if (is_behind_until(&p->state, at)) {
            PX_TRY(engine_end(p, "succeeded", S("")));
        } else if (p->state.aborting) {
            PX_TRY(engine_turn_back(p, at, p->state.abort_why));
        } else if (is_behind_pause(p, at)) {
            return PIPELINE_PAUSED;
        } else {
            int r = run_step(p, at);
            if (r != 0) return r;
        }
    }
}

int engine_drive(struct pipeline *p)
{
    int r = drive_on(p);
    if (r == PX_F_BUSY && engine_is_lost(p)) {
        engine_say(p, "run %u was taken over by %.*s on %.*s; nothing was written behind them",
                   p->state.run, PX_FMT(p->state.holder.who), PX_FMT(p->state.holder.host));
        if (p->state.fence == p->fence)
            engine_say(
                p,
                "run %u was lost: no sign of life could be stored for the length of its lease; go on with prism pipeline resume",
                p->state.run);
        r = PIPELINE_LOST;
    }
    if (r == PIPELINE_INTERRUPTED)
        engine_say(
            p,
            "run %u was interrupted and can go on: prism pipeline resume (or prism pipeline abort)",
            p->state.run);
    if (r == PIPELINE_PAUSED)
        engine_say(p, "run %u stands behind stage %s: prism pipeline resume goes on", p->state.run,
                   p->options->pause_behind);
    engine_release(p, r == PIPELINE_INTERRUPTED ? "interrupted"
                      : r == PIPELINE_PAUSED    ? "paused"
                                                : "stopped");
    return r;
}
