/* delivery/pipeline/pipeline.c - what the verbs call; see pipeline.h. */
#include "delivery/pipeline/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/px_file.h"
#include "delivery/pipeline/engine.h"
#include "delivery/pipeline/release.h"

#define SAID_BYTES_MAX (1u << 16)
#define LOOK_MS 200
#define TOLD_NS (5 * PX_NS_PER_S)
#define WHY_BYTES_MAX 1000

int pipeline_open(const struct pipeline_options *options, struct pipeline **ret_pipeline)
{
    const struct object_options objects = {.cloud = options->cloud};
    PX_AUTO(pipeline_close) struct pipeline *p = calloc(1, sizeof *p);
    if (!p) return px_fault(PX_F_OOM, "pipeline");
    p->options = options;
    px_arena_init(&p->arena, ENGINE_ARENA_BYTES);
    px_buf_init(&p->said, SAID_BYTES_MAX);
    px_buf_init(&p->error, SAID_BYTES_MAX);
    PX_TRY(object_store_open(px_str_c(options->state_url), &objects, &p->store));
    PX_TRY(object_store_open(px_str_c(options->state_url), &objects, &p->lease_store));
    *ret_pipeline = PX_TAKE(p);
    return 0;
}

void pipeline_close(struct pipeline **pipeline)
{
    struct pipeline *p = *pipeline;
    if (!p) return;
    engine_release(p, "stopped");
    object_store_close(&p->lease_store);
    object_store_close(&p->store);
    px_buf_deinit(&p->said);
    px_buf_deinit(&p->error);
    px_arena_deinit(&p->arena);
    free(p);
    *pipeline = NULL;
}

struct px_str pipeline_said(const struct pipeline *pipeline) { return px_buf_str(&pipeline->said); }

const struct state *pipeline_state(const struct pipeline *pipeline)
{
    return pipeline->loaded ? &pipeline->state : NULL;
}

int pipeline_progress(struct pipeline *p, struct px_arena *arena, struct px_str *ret_json)
{
    struct lease_seen seen;
    *ret_json = px_str(NULL, 0);
    if (!p->loaded || !p->state.holder.held) return 0;
    int r = lease_look(p->store, p->state.run, p->state.fence, arena, &seen);
    if (r == OBJECT_ABSENT) return 0;
    PX_TRY(r);
    *ret_json = seen.progress;
    return 0;
}

int pipeline_load(struct pipeline *p, uint32_t run)
{
    uint32_t last = run;
    if (p->loaded && run == p->state.run) return engine_catch_up(p);
    if (run == 0) {
        int r = journal_last(p->store, &last);
        if (r == JOURNAL_NONE) {
            engine_say(p, "there is no run yet: prism pipeline run");
            return PIPELINE_NONE;
        }
        PX_TRY(r);
    }
    int r = engine_load(p, last);
    if (r == PIPELINE_NONE) engine_say(p, "there is no run %u", last);
    return r;
}

/* ---- run ---- */

int engine_read_definition(struct pipeline *p, struct px_buf *text, struct px_arena *arena,
                           struct definition *definition)
{
    px_buf_clear(&p->said);
    int r = definition_load(p->options->file, p->options->overlay, p->options->actions, arena,
                            &p->said, text, definition);
    return r == DEFINITION_INVALID ? PIPELINE_INVALID : r;
}

/* Answers: PIPELINE_INVALID. */
static int check_stage(struct pipeline *p, const struct definition *definition, const char *name)
{
    if (!name) return 0;
    for (size_t i = 0; i < definition->stage_count; i++)
        if (px_str_eq(definition->stages[i].name, px_str_c(name))) return 0;
    engine_say(p, "the pipeline has no stage '%s'", name);
    return PIPELINE_INVALID;
}

static void say_unfinished(struct pipeline *p)
{
    size_t at = state_at(&p->state);
    const char *what = p->state.going_back ? "was stopped while its stage went back"
                                           : "was stopped";
    if (p->state.holder.held) {
        engine_say_holder(p);
        return;
    }
    if (at < p->definition.step_count && p->state.steps[at].state == STEP_WAITING)
        what = "waits for an approval";
    engine_say(
        p,
        "run %u of %.*s %s%s%.*s and has not ended: prism pipeline resume or prism pipeline abort it first",
        p->state.run, PX_FMT(p->state.starter), what, at < p->definition.step_count ? " at " : "",
        PX_FMT(at < p->definition.step_count ? p->definition.steps[at].path : px_str(NULL, 0)));
}

int engine_wait_for_turn(struct pipeline *p)
{
    int64_t told_ns = 0;
    while (!p->state.ended) {
        say_unfinished(p);
        if (!p->options->wait) return PIPELINE_BUSY;
        int64_t now_ns = px_mono_ns(p->options->clock);
        if (p->options->on_wait && (told_ns == 0 || now_ns - told_ns > TOLD_NS)) {
            p->options->on_wait(p->options->ctx, px_buf_str(&p->said));
            told_ns = now_ns;
        }
        if (engine_is_interrupted(p)) {
            engine_say(p, "interrupted while waiting; nothing was begun");
            return PIPELINE_BUSY;
        }
        (void)nanosleep(&(struct timespec){0, LOOK_MS * PX_NS_PER_MS}, NULL);
        PX_TRY(engine_catch_up(p));
    }
    return 0;
}

static int write_first(struct pipeline *p, const char *sha256, const struct definition *definition,
                       const struct action_release *release)
{
    PX_AUTO(px_buf_deinit) struct px_buf data;
    struct entry entry = {.event = ENTRY_RUN_STARTED};
    px_buf_init(&data, ENTRY_BYTES_MAX);
    px_buf_printf(&data, "{\"definition\":\"%s\",\"file\":", sha256);
    px_buf_add_json_str(&data, px_str_c(p->asked ? p->asked : p->options->file));
    if (p->emergency.len > 0) {
        px_buf_add_c(&data, ",\"emergency\":");
        px_buf_add_json_str(
            &data, px_str(p->emergency.ptr, PX_MIN(p->emergency.len, (size_t)WHY_BYTES_MAX)));
    }
    if (p->options->until) {
        px_buf_add_c(&data, ",\"until\":");
        px_buf_add_json_str(&data, px_str_c(p->options->until));
    }
    if (p->options->key) {
        px_buf_add_c(&data, ",\"key\":");
        px_buf_add_json_str(&data, px_str_c(p->options->key));
    }
    if (definition->overlay) {
        px_buf_add_c(&data, ",\"overlay\":");
        px_buf_add_json(&data, definition->overlay);
    }
    if (release->id.len > 0) {
        px_buf_add_c(&data, ",\"release\":");
        px_buf_add_json_str(&data, release->id);
        px_buf_add_c(&data, ",\"place\":");
        px_buf_add_json_str(&data, release->place);
        px_buf_add_c(&data, ",\"document\":");
        px_buf_add_json(&data, release->document);
    }
    px_buf_add_char(&data, '}');
    PX_TRY(px_buf_fault(&data));
    entry.at_ns = px_wall_ns(p->options->clock);
    entry.who = px_str_c(p->options->who);
    entry.release = release->id;
    return journal_append(&p->journal, &p->arena, &entry, px_buf_str(&data));
}

int engine_begin(struct pipeline *p, struct px_str text, const struct definition *definition,
                 const struct action_release *release)
{
    char sha256[DIGEST_HEX_BYTES], key[96], hash[DIGEST_HEX_BYTES];
    uint32_t run = p->loaded ? p->state.run + 1 : 1;
    memcpy(hash, p->loaded ? p->state.hash : ENTRY_NO_PREV, sizeof hash);
    digest_of(text, sha256);
    (void)snprintf(key, sizeof key, "definitions/%s.json", sha256);
    PX_TRY(object_put(p->store, px_str_c(key), text));
    journal_init(&p->journal, p->store, run);
    memcpy(p->journal.hash, hash, sizeof hash);
    int r = write_first(p, sha256, definition, release);
    if (r == JOURNAL_TAKEN) return r;
    PX_TRY(r);
    PX_TRY(engine_load(p, run));
    return 0;
}

static int read_release(struct pipeline *p, struct px_arena *arena, struct action_release *release)
{
    if (!p->options->release) return 0;
    int r = release_read(px_str_c(p->options->release), p->options->cloud, arena, release);
    if (r != RELEASE_INVALID) return r;
    engine_say(p, "%s holds no release.json that is whole", p->options->release);
    return PIPELINE_INVALID;
}

static int begin_run(struct pipeline *p, struct px_str text, const struct definition *definition,
                     const struct action_release *release)
{
    for (;;) {
        int r = pipeline_load(p, 0);
        if (r == 0 && p->options->key && px_str_eq(p->state.key, px_str_c(p->options->key)))
            return 0;
        if (r == 0) r = engine_wait_for_turn(p);
        if (r != 0 && r != PIPELINE_NONE) return r;
        r = engine_begin(p, text, definition, release);
        if (r == JOURNAL_TAKEN) continue;
        PX_TRY(r);
        return 0;
    }
}

int pipeline_run(struct pipeline *p)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct definition definition;
    struct action_release release = {0};
    px_arena_init(&arena, ENGINE_STEP_ARENA_BYTES);
    px_buf_init(&text, DEFINITION_BYTES_MAX);
    int r = engine_read_definition(p, &text, &arena, &definition);
    if (r == 0) r = check_stage(p, &definition, p->options->until);
    if (r == 0) r = check_stage(p, &definition, p->options->pause_behind);
    if (r == 0) r = read_release(p, &arena, &release);
    if (r == 0) r = begin_run(p, px_buf_str(&text), &definition, &release);
    if (r != 0) return r;
    r = p->state.ended ? 0 : engine_take(p); /* ended: a run of this key */
    return r == 0 ? engine_drive(p) : r;
}

int pipeline_resume(struct pipeline *p)
{
    int r = pipeline_load(p, 0);
    if (r == 0) r = check_stage(p, &p->definition, p->options->pause_behind);
    if (r == 0) r = engine_take(p);
    return r == 0 ? engine_drive(p) : r;
}

/* ---- abort ---- */

/* Answers: 0, PIPELINE_NONE. */
static int ask_for_abort(struct pipeline *p, struct px_str why)
{
    PX_AUTO(px_buf_deinit) struct px_buf data;
    px_buf_init(&data, 4096);
    px_buf_add_c(&data, "{\"why\":");
    px_buf_add_json_str(&data, px_str(why.ptr, PX_MIN(why.len, (size_t)WHY_BYTES_MAX)));
    px_buf_add_char(&data, '}');
    PX_TRY(px_buf_fault(&data));
    while (!p->state.ended && !p->state.aborting && !p->state.going_back) {
        struct entry entry = {.event = ENTRY_ABORT_ASKED};
        int r = engine_append_once(p, &entry, px_buf_str(&data));
        if (r != JOURNAL_TAKEN) PX_TRY(r);
    }
    return 0;
}

static int leave_as_is(struct pipeline *p, struct px_str why)
{
    int r = engine_take(p);
    if (r != 0) return r;
    r = engine_end(p, "left", why);
    engine_release(p, "left as it is");
    PX_TRY(r);
    engine_say(p, "run %u was ended as it stands; nothing was taken back", p->state.run);
    return 0;
}

int pipeline_abort(struct pipeline *p, struct px_str why, bool leave)
{
    int r = pipeline_load(p, 0);
    if (r != 0) return r;
    if (p->state.ended) {
        engine_say(p, "run %u has ended: %.*s", p->state.run, PX_FMT(p->state.outcome));
        return PIPELINE_NONE;
    }
    if (leave) return leave_as_is(p, why);
    PX_TRY(ask_for_abort(p, why));
    r = engine_take(p);
    if (r == PIPELINE_BUSY)
        engine_say(
            p,
            "%.*s on %.*s drives run %u and was told; follow it with prism pipeline status --follow",
            PX_FMT(p->state.holder.who), PX_FMT(p->state.holder.host), p->state.run);
    return r == 0 ? engine_drive(p) : r;
}

/* ---- decisions ---- */

/* NULL: it may be made. */
static const char *refusal(struct pipeline *p, size_t at, const struct pipeline_decision *decision)
{
    const struct state_step *step = &p->state.steps[at];
    const struct definition_environment *environment =
        p->definition.stages[p->definition.steps[at].stage].environment;
    size_t i, max;
    yyjson_val *val;
    bool listed = !environment || !environment->approvers;
    if (decision->plan.len > 0 &&
        (decision->plan.len < 8 || !px_str_starts(step->plan, decision->plan)))
        return "the plan that waits is another one; look at it again, then approve its digest";
    if (px_wall_ns(p->options->clock) >= step->expires_ns)
        return "the time to decide is over; the run goes back when it is resumed";
    if (!decision->approve) return NULL;
    if (environment && !environment->by_starter &&
        px_str_eq(px_str_c(p->options->who), p->state.starter))
        return "who started the run may not approve it in this environment; somebody else has to";
    px_json_arr_foreach(environment ? environment->approvers : NULL, i, max, val)
        listed |= px_str_eq(px_json_val_str(val), px_str_c(p->options->who));
    return listed ? NULL : "you are none of the environment's approvers";
}

static int write_decision(struct pipeline *p, size_t at, const struct pipeline_decision *decision)
{
    PX_AUTO(px_buf_deinit) struct px_buf data;
    struct entry entry = {.event = decision->approve ? ENTRY_APPROVED : ENTRY_REJECTED,
                          .step = p->definition.steps[at].path,
                          .plan = p->state.steps[at].plan};
    px_buf_init(&data, 4096);
    if (decision->why.len > 0) {
        px_buf_add_c(&data, "{\"why\":");
        px_buf_add_json_str(
            &data, px_str(decision->why.ptr, PX_MIN(decision->why.len, (size_t)WHY_BYTES_MAX)));
        px_buf_add_char(&data, '}');
    }
    PX_TRY(px_buf_fault(&data));
    return engine_append_once(p, &entry, px_buf_str(&data));
}

int pipeline_decide(struct pipeline *p, const struct pipeline_decision *decision)
{
    int r = pipeline_load(p, 0);
    if (r != 0) return r;
    for (;;) {
        size_t at = state_at(&p->state);
        const struct state_step *step = at < p->definition.step_count ? &p->state.steps[at] : NULL;
        if (p->state.ended || p->state.going_back || !step || step->state != STEP_WAITING) {
            engine_say(p, "run %u waits for no approval", p->state.run);
            return PIPELINE_NONE;
        }
        const char *wrong = step->approved || step->rejected ? "it was decided already"
                                                             : refusal(p, at, decision);
        if (wrong) {
            engine_say(p, "run %u at %.*s: %s", p->state.run, PX_FMT(p->definition.steps[at].path),
                       wrong);
            return PIPELINE_REFUSED;
        }
        r = write_decision(p, at, decision);
        if (r == JOURNAL_TAKEN) continue;
        PX_TRY(r);
        engine_say(p, "run %u at %.*s: plan %.12s is %s%s", p->state.run,
                   PX_FMT(p->definition.steps[at].path), step->plan.len ? step->plan.ptr : "-",
                   decision->approve ? "approved" : "rejected",
                   p->state.holder.held ? "" : "; go on with prism pipeline resume");
        return 0;
    }
}

/* ---- the log ---- */

static int each_entry(struct pipeline *p, uint32_t run,
                      int (*fn)(void *ctx, const struct entry *entry), void *ctx)
{
    struct journal journal;
    journal_init(&journal, p->store, run);
    for (;;) {
        PX_AUTO(px_arena_deinit) struct px_arena arena;
        struct entry entry;
        px_arena_init(&arena, 4 * (size_t)ENTRY_BYTES_MAX);
        int r = journal_next(&journal, &arena, &entry);
        if (r == JOURNAL_NONE) return journal.seq > 0 ? 0 : PIPELINE_NONE;
        PX_TRY(r);
        r = fn(ctx, &entry);
        if (r != 0) return r;
    }
}

int pipeline_history(struct pipeline *p, uint32_t run,
                     int (*fn)(void *ctx, const struct entry *entry), void *ctx)
{
    uint32_t last = run;
    int r = run == 0 ? journal_last(p->store, &last) : 0;
    if (r == JOURNAL_NONE) {
        engine_say(p, "there is no run yet: prism pipeline run");
        return PIPELINE_NONE;
    }
    PX_TRY(r);
    for (uint32_t i = run == 0 ? 1 : run; i <= last; i++) {
        r = each_entry(p, i, fn, ctx);
        if (r == PIPELINE_NONE) engine_say(p, "there is no run %u", i);
        if (r != 0) return r;
    }
    return 0;
}

int pipeline_check(struct pipeline *p, struct px_str tip, struct px_buf *problems,
                   uint64_t *ret_entries, unsigned *ret_problems, char ret_tip[DIGEST_HEX_BYTES])
{
    struct journal_check check;
    PX_TRY(journal_verify(p->store, tip, problems, &check));
    *ret_entries = check.entries;
    *ret_problems = check.problems;
    memcpy(ret_tip, check.tip, DIGEST_HEX_BYTES);
    return 0;
}
