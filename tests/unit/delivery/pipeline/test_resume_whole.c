/* The project's own pipeline, platform/pipeline.json, killed at every step: each action is the test's own, with the parameters, gates and
 * ways back of the real one. What there is to kill is generated from the list, so a step that is added is killed as well.
 *
 * One run goes through all kills, for each of them takes a life of its own: it is resumed until somebody is asked, or it has ended. */
// link: px_delivery_pipeline
#include "delivery/pipeline/pipeline_support.h"

#include "delivery/pipeline/action_rollout.h"
#include "delivery/pipeline/action_terraform.h"
#include "delivery/pipeline/figures.h"

#define ACTIONS_MAX 32
#define LIVES_MAX 2000

static const struct action *const own_runs[] = {&action_approval, NULL};
static const struct action *const others[] = {&action_config_render,
                                              &action_images,
                                              &action_sign,
                                              &action_terraform_plan,
                                              &action_terraform_apply,
                                              &action_drift,
                                              &action_rollout,
                                              &action_rollback,
                                              &action_terraform_restore,
                                              NULL};

static bool is_own(const struct action *action)
{
    for (size_t i = 0; own_runs[i]; i++)
        if (own_runs[i] == action) return true;
    return false;
}

static struct px_str file_of(const struct action_context *ctx)
{
    struct px_str step = ctx->step;
    if (px_str_ends(step, S("!undo"))) step.len -= strlen("!undo");
    struct px_str path = px_arena_printf(ctx->arena, "%s/made-%.*s", ctx->root, PX_FMT(step));
    for (size_t i = strlen(ctx->root) + 1; i < path.len; i++)
        if (path.ptr[i] == '/') ((char *)(uintptr_t)path.ptr)[i] = '_';
    return path;
}

static int stand_in(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    struct px_str path = file_of(ctx);
    (void)with;
    px_buf_init(&json, 4096);
    die_once(ctx, "begin");
    if (ctx->undoing)
        (void)unlink(path.ptr);
    else
        PX_TRY(px_file_write_atomic(path.ptr, S("."), 0600));
    die_once(ctx, "middle");
    if (is_told(ctx, "fail", "fail")) return action_fail(ctx, ACTION_REFUSED, "told to fail");
    px_buf_printf(&json, "{\"made\":\"%.*s\",\"digest\":\"%064d\"}", PX_FMT(ctx->step), 7);
    die_once(ctx, "end");
    PX_TRY(action_result(ctx, &json, ret_result));
    return 0;
}

/* ---- a run ---- */

struct whole {
    struct bench bench;
    struct action copies[ACTIONS_MAX];
    const struct action *table_of[ACTIONS_MAX + 1];
    struct action_table table;
    struct definition definition;
};

static void add_actions(struct whole *w, const struct action *const *actions, size_t *count)
{
    for (; *actions; actions++) {
        PX_ASSERT(*count < ACTIONS_MAX);
        w->copies[*count] = **actions;
        if (!is_own(*actions)) w->copies[*count].run = stand_in;
        w->table_of[*count] = is_own(*actions) ? *actions : &w->copies[*count];
        ++*count;
    }
}

static void whole_init(struct whole *w, struct test *t, const char *name, const char *fail)
{
    PX_AUTO(px_buf_deinit) struct px_buf text, problems;
    size_t count = 0;
    px_buf_init(&text, DEFINITION_BYTES_MAX);
    px_buf_init(&problems, 1u << 16);
    CHECK_OK(px_file_read(PX_SOURCE_DIR "/platform/pipeline.json", &text));
    px_buf_add_char(&text, '\0');
    bench_init(&w->bench, t, name, text.ptr);
    *w = (struct whole){.bench = w->bench};
    w->bench.options.ctx = &w->bench;
    add_actions(w, action_builtins, &count);
    add_actions(w, others, &count);
    w->table = (struct action_table){.actions = w->table_of, .figures = figures_of_cloudwatch};
    w->bench.options.actions = &w->table;
    bench_tell(&w->bench, "fail", fail);
    CHECK_OK(definition_read(px_str(text.ptr, text.len - 1), "p.json", &w->table, &t->arena,
                             &problems, &w->definition));
    CHECK(w->definition.step_count > 30);
}

static void decide(struct whole *w)
{
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    w->bench.options.who = "bob"; /* in prod who started the run may not */
    CHECK_OK(pipeline_open(&w->bench.options, &p));
    CHECK_OK(pipeline_decide(p, &(struct pipeline_decision){.approve = true}));
    w->bench.options.who = "ada";
}

static int drive(struct whole *w, enum bench_verb verb)
{
    int r = bench_do(&w->bench, verb);
    while (r == PIPELINE_WAITS) {
        decide(w);
        r = bench_do(&w->bench, BENCH_RESUME);
    }
    return r;
}

/* One life: until it is killed (true), or waits for nobody any more. */
static bool live(struct whole *w, bool first, int kill_at)
{
    if (bench_die(&w->bench, first ? BENCH_RUN : BENCH_RESUME, kill_at)) return true;
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    CHECK_OK(pipeline_open(&w->bench.options, &p));
    CHECK_OK(pipeline_load(p, 0));
    const struct state *state = pipeline_state(p);
    if (state->ended) return false;
    pipeline_close(&p);
    decide(w);
    return true;
}

struct wanted {
    struct px_str made, story;
    int answer;
};

static void undisturbed(struct test *t, const char *fail, struct whole *w,
                        struct wanted *ret_wanted)
{
    whole_init(w, t, "undisturbed", fail);
    ret_wanted->answer = drive(w, BENCH_RUN);
    ret_wanted->made = bench_made(&w->bench);
    ret_wanted->story = bench_story(&w->bench);
}

static void check_same(struct whole *w, const struct wanted *wanted)
{
    CHECK_INT(drive(w, BENCH_RESUME) == PIPELINE_NONE, 1); /* it has ended */
    CHECK_STR(bench_made(&w->bench), wanted->made);
    CHECK_STR(bench_story(&w->bench), wanted->story);
    bench_check(&w->bench);
}

TEST(killed_at_every_boundary)
{
    struct whole w;
    struct wanted wanted;
    undisturbed(t, NULL, &w, &wanted);
    CHECK_OK(wanted.answer);
    /* of a life that goes on with a new step: held, started, done: so 3 is behind each step's end, and 4 behind the next one's beginning */
    for (int kill_at = 3; kill_at <= 4; kill_at++) {
        int lives = 1;
        whole_init(&w, t, kill_at == 3 ? "ends" : "beginnings", NULL);
        for (bool first = true; live(&w, first, kill_at) && lives < LIVES_MAX; lives++)
            first = false;
        CHECK(lives > (int)w.definition.step_count / 2 && lives < LIVES_MAX);
        check_same(&w, &wanted);
    }
}

static void kill_within(struct test *t, const char *fail, const char *undo)
{
    static const char *const moments[] = {"begin", "middle", "end"};
    struct whole w;
    struct wanted wanted;
    unsigned killed = 0, steps = 0;
    undisturbed(t, fail, &w, &wanted);
    whole_init(&w, t, "within", fail);
    bool first = true;
    struct px_str die = px_arena_printf(&t->arena, "%s/die", w.bench.options.root);
    for (size_t n = 0; n < w.definition.step_count; n++) {
        /* going back, the last one first */
        size_t i = *undo ? w.definition.step_count - 1 - n : n;
        const struct definition_step *step = &w.definition.steps[i];
        bool back = step->undo.action && px_str_starts(step->path, S("prod/"));
        if (step->act.action == &action_approval || (*undo && !back)) continue;
        steps++;
        for (size_t m = 0; m < PX_COUNT(moments); m++) {
            bench_tell(
                &w.bench, "die",
                px_arena_printf(&t->arena, "%s %.*s%s", moments[m], PX_FMT(step->path), undo).ptr);
            while (live(&w, first, 0)) {
                first = false;
                if (access(die.ptr, F_OK) == 0) continue; /* an approval was between */
                killed++;
                break;
            }
        }
    }
    while (live(&w, first, 0)) first = false;
    check_same(&w, &wanted);
    CHECK(steps > 0);
    CHECK_INT(killed, steps * PX_COUNT(moments));
}

TEST(killed_within_every_step) { kill_within(t, NULL, ""); }
TEST(killed_within_every_way_back)
{
    kill_within(t, "fail prod/second/us-east-1/rollout", "!undo");
}

TEST_MAIN
