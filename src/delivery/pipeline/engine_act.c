/* delivery/pipeline/engine_act.c - one call of an action: what it is told, and what it may ask of the engine meanwhile. */
#include <stdio.h>

#include "base/px_file.h"
#include "delivery/pipeline/engine.h"
#include "delivery/pipeline/environment.h"
#include "delivery/pipeline/signature.h"

#define KEPT_BYTES_MAX ((size_t)64 << 20)

/* ---- what actions ask for ---- */

static bool is_cancelled(void *ctx)
{
    struct pipeline *p = ctx;
    if (atomic_load(&p->lease.news) && engine_catch_up(p) != 0) return true;
    bool abort_now = p->state.aborting && !p->undoing; /* going back is what was asked for */
    return abort_now || engine_is_lost(p) || engine_is_interrupted(p);
}

static void add_text(struct px_buf *buf, const char *name, struct px_str text)
{
    if (text.len == 0) return;
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json_str(buf, text);
}

static void say_progress(struct pipeline *p, const struct action_progress *progress)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, LEASE_TEXT_BYTES);
    px_buf_add_c(&json, "{\"step\":");
    px_buf_add_json_str(&json, p->definition.steps[p->at].path);
    if (p->undoing) px_buf_add_c(&json, ",\"undo\":true");
    add_text(&json, "text", progress->text);
    if (progress->weight >= 0) px_buf_printf(&json, ",\"weight\":%d", progress->weight);
    add_text(&json, "alarms", progress->alarms);
    if (progress->left_ms >= 0)
        px_buf_printf(&json, ",\"left_ms\":%lld", (long long)progress->left_ms);
    if (progress->requests_min > 0)
        px_buf_printf(&json, ",\"requests\":%llu,\"requests_min\":%llu",
                      (unsigned long long)progress->requests,
                      (unsigned long long)progress->requests_min);
    px_buf_add_char(&json, '}');
    if (px_buf_fault(&json) == 0) lease_say(&p->lease, px_buf_str(&json));
}

static void on_progress(void *ctx, const struct action_progress *progress)
{
    struct pipeline *p = ctx;
    say_progress(p, progress);
    if (p->options->on_change) p->options->on_change(p->options->ctx, &p->state, NULL, progress);
}

static int on_note(void *ctx, struct px_str json)
{
    struct pipeline *p = ctx;
    struct entry entry = {.event = ENTRY_STEP_NOTED,
                          .step = p->definition.steps[p->at].path,
                          .plan = engine_plan_of(p, p->at)};
    PX_TRY(engine_append(p, &entry, json));
    return 0;
}

static int kept_key(const struct pipeline *p, struct px_str step, struct px_str name, char *key,
                    size_t bytes)
{
    int n = snprintf(key, bytes, "runs/%06u/kept/%.*s/%.*s", p->state.run, PX_FMT(step),
                     PX_FMT(name));
    return n > 0 && (size_t)n < bytes ? 0 : px_fault(PX_F_LIMIT, "a name of %d bytes", n);
}

static int on_keep(void *ctx, struct px_str name, struct px_str bytes)
{
    struct pipeline *p = ctx;
    char key[512];
    if (engine_is_lost(p)) return px_fault(PX_F_BUSY, "run %u was taken over", p->state.run);
    if (bytes.len > KEPT_BYTES_MAX)
        return px_fault(PX_F_LIMIT, "%.*s has %zu bytes", PX_FMT(name), bytes.len);
    PX_TRY(kept_key(p, p->definition.steps[p->at].path, name, key, sizeof key));
    PX_TRY(object_put(p->store, px_str_c(key), bytes));
    return 0;
}

static int on_kept(void *ctx, struct px_str step, struct px_str name, struct px_buf *buf)
{
    struct pipeline *p = ctx;
    char key[512];
    PX_TRY(kept_key(p, step, name, key, sizeof key));
    return object_get(p->store, px_str_c(key), buf);
}

static int on_delivered(void *ctx, struct px_str environment, struct action_release *ret_release)
{
    struct pipeline *p = ctx;
    struct environment found;
    PX_TRY(environment_read(p->store, environment, p->step_arena, &found));
    *ret_release = found.release;
    return 0;
}

/* ---- beside the runs ---- */

static int on_shelf_get(void *ctx, struct px_str key, struct px_buf *buf)
{
    return object_get(((struct pipeline *)ctx)->store, key, buf);
}

static int on_shelf_put(void *ctx, struct px_str key, struct px_str bytes)
{
    struct pipeline *p = ctx;
    if (engine_is_lost(p)) return px_fault(PX_F_BUSY, "run %u was taken over", p->state.run);
    return object_put(p->store, key, bytes);
}

/* ---- what they are told ---- */

struct px_str engine_plan_of(const struct pipeline *p, size_t at)
{
    const struct definition_step *step = &p->definition.steps[at];
    struct px_str own = px_json_str(p->state.steps[at].result, "digest");
    const struct action *action = step->act.action;
    for (size_t i = 0; own.len == 0 && i < action->field_count; i++) {
        if (action->fields[i].kind != ACTION_STEP) continue;
        struct px_str name = px_json_str(step->act.with, action->fields[i].name);
        size_t other = name.len > 0 ? definition_step_before(&p->definition, at, name) : SIZE_MAX;
        if (other != SIZE_MAX) own = px_json_str(p->state.steps[other].result, "digest");
    }
    return own;
}

/* "prod/second/bake" as a folder's name */
static int make_work_dir(struct pipeline *p, struct px_arena *arena,
                         const struct definition_step *step, const char **ret_run_dir,
                         const char **ret_dir)
{
    struct px_str run_dir = px_arena_printf(arena, "%s/%06u", p->options->work_dir, p->state.run);
    struct px_str name = px_arena_dup(arena, step->path);
    if (!run_dir.ptr || !name.ptr) return px_arena_fault(arena);
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '/') ((char *)(uintptr_t)name.ptr)[i] = '_';
    struct px_str dir = px_arena_printf(arena, "%.*s/%.*s%s", PX_FMT(run_dir), PX_FMT(name),
                                        p->undoing ? "!undo" : "");
    if (!dir.ptr) return px_arena_fault(arena);
    PX_TRY(px_dir_make(dir.ptr));
    *ret_run_dir = run_dir.ptr;
    *ret_dir = dir.ptr;
    return 0;
}

static int read_results(struct pipeline *p, struct px_arena *arena, yyjson_val **ret_results)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, ENGINE_STEP_ARENA_BYTES / 4);
    state_write_results(&p->state, &buf);
    PX_TRY(px_buf_fault(&buf));
    PX_TRY(px_json_parse(px_buf_str(&buf), arena, ret_results, NULL));
    return 0;
}

static int read_notes(const struct state_note *note, struct px_arena *arena, yyjson_val **ret_notes)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, ENGINE_STEP_ARENA_BYTES / 4);
    if (!note) return 0;
    for (char sep = '['; note; note = note->next, sep = ',') {
        px_buf_add_char(&buf, sep);
        px_buf_add_json(&buf, note->data);
    }
    px_buf_add_char(&buf, ']');
    PX_TRY(px_buf_fault(&buf));
    PX_TRY(px_json_parse(px_buf_str(&buf), arena, ret_notes, NULL));
    return 0;
}

static int fill_context(struct pipeline *p, const struct definition_act *act,
                        struct action_context *ctx)
{
    const struct definition_step *step = &p->definition.steps[p->at];
    const struct definition_stage *stage = &p->definition.stages[step->stage];
    const struct state_step *state = &p->state.steps[p->at];
    const char *run_dir = NULL;
    struct environment previous;
    ctx->run = px_arena_printf(ctx->arena, "%06u", p->state.run);
    ctx->step = p->undoing ? px_arena_printf(ctx->arena, "%.*s!undo", PX_FMT(step->path))
                           : step->path;
    if (!ctx->run.ptr || !ctx->step.ptr) return px_arena_fault(ctx->arena);
    ctx->stage = stage->name;
    ctx->wave = step->wave;
    ctx->region = step->region;
    ctx->regions = step->regions;
    ctx->environment = stage->environment ? stage->environment->name : px_str(NULL, 0);
    ctx->who = p->state.starter;
    ctx->release = p->state.release;
    ctx->done = p->undoing ? state->result : NULL;
    ctx->undoing = p->undoing;
    ctx->began_ns = p->undoing ? state->undo_began_ns : state->began_ns;
    ctx->deadline_ns = px_mono_ns(ctx->clock) + act->timeout_s * PX_NS_PER_S;
    PX_TRY(make_work_dir(p, ctx->arena, step, &run_dir, &ctx->work_dir));
    PX_TRY(environment_read(p->store, ctx->environment, ctx->arena, &previous));
    ctx->previous = previous.release;
    PX_TRY(read_results(p, ctx->arena, &ctx->results));
    PX_TRY(read_notes(p->undoing ? state->undo_notes : state->notes, ctx->arena, &ctx->noted));
    const struct definition_values values = {
        .environment = ctx->environment,
        .region = ctx->region,
        .stage = ctx->stage,
        .wave = ctx->wave,
        .run = ctx->run,
        .run_dir = px_str_c(run_dir),
        .release = ctx->release.id,
        .place = ctx->release.place,
        .root = px_str_c(ctx->root),
    };
    PX_TRY(definition_fill(act->with, &values, ctx->arena, &ctx->with));
    return 0;
}

static void give_gate(struct pipeline *p, struct action_context *ctx, struct action_gate *gate)
{
    const struct definition_step *step = &p->definition.steps[p->at];
    const struct definition_environment *environment =
        p->definition.stages[step->stage].environment;
    const struct state_step *state = &p->state.steps[p->at];
    *gate = (struct action_gate){
        .asked = state->state == STEP_WAITING,
        .plan = state->plan,
        .expires_ns = state->expires_ns,
        .approved = state->approved,
        .rejected = state->rejected,
        .by = state->decided_by,
        .why = state->decided_why,
        .decided_ns = state->decided_ns,
        .by_starter = !environment || environment->by_starter,
        .expires_s = environment ? environment->expires_s : 86400,
    };
    ctx->gate = gate;
}

/* Nothing is done to an environment for a release that is none of its signers'; what was done before is taken back all the same. */
static int check_signature(struct pipeline *p, const struct action_context *ctx)
{
    const struct definition_step *step = &p->definition.steps[p->at];
    const struct definition_environment *environment =
        p->definition.stages[step->stage].environment;
    if (!environment || !environment->signers || p->undoing) return 0;
    if (ctx->release.id.len == 0)
        return action_fail(ctx, ACTION_REFUSED,
                           "there is no release yet, and environment %.*s takes only signed ones",
                           PX_FMT(environment->name));
    return signature_check_release(ctx, environment->signers);
}

static int call(struct pipeline *p, const struct definition_act *act, struct px_arena *arena,
                struct px_buf *ret_result)
{
    const struct action_host host = {is_cancelled, on_progress,  on_note,      on_keep, on_kept,
                                     on_delivered, on_shelf_get, on_shelf_put, p};
    struct action_gate gate;
    yyjson_val *result = NULL;
    const struct state_step *state = &p->state.steps[p->at];
    struct action_context ctx = {
        .arena = arena,
        .clock = p->options->clock,
        .cloud = p->options->cloud,
        .root = p->options->root,
        .table = p->options->actions,
        .host = &host,
        .error = &p->error,
        .again = p->undoing ? state->undo_again : state->again,
    };
    PX_TRY(fill_context(p, act, &ctx));
    give_gate(p, &ctx, &gate);
    int r = check_signature(p, &ctx);
    if (r == 0) r = act->action->run(&ctx, ctx.with, &result);
    px_buf_clear(ret_result);
    if (r == 0 && result) px_buf_add_json(ret_result, result);
    if (r == 0) PX_TRY(px_buf_fault(ret_result));
    return r;
}

/* A fault of an action is how it failed; of the engine's own it is one only when the run was lost. */
static int failed(struct pipeline *p, int fault)
{
    char text[600];
    if (fault == PX_F_BUSY && engine_is_lost(p)) return px_fold(fault, __FILE__, __LINE__);
    px_buf_clear(&p->error);
    px_buf_add_c(&p->error, px_fault_text(fault, text, sizeof text));
    return ACTION_FAILED;
}

int engine_act(struct pipeline *p, size_t at, bool undo, struct px_buf *ret_result)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    const struct definition_step *step = &p->definition.steps[at];
    p->at = at;
    p->undoing = undo;
    p->step_arena = &arena;
    px_buf_clear(&p->error);
    px_arena_init(&arena, ENGINE_STEP_ARENA_BYTES);
    int r = call(p, undo ? &step->undo : &step->act, &arena, ret_result);
    p->undoing = false;
    p->step_arena = NULL;
    return r < 0 ? failed(p, r) : r;
}
