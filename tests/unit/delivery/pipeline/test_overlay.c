/* A run may do otherwise than its pipeline's file says, within bounds, and its log says what. */
// link: px_delivery_pipeline
#include "delivery/pipeline/pipeline_support.h"

#include "delivery/pipeline/definition.h"

#define FIRST                                                                                      \
    "{\"name\":\"first\",\"steps\":[{\"name\":\"look\",\"action\":\"command\",\"with\":{\"argv\":[\"false\"]}}]}"
#define GATED                                                                                      \
    "{\"version\":1,\"environments\":{\"dev\":{}},\"lists\":{\"l\":[" STEP_MAKE(                   \
        "apply") "]},\"stages\":[" FIRST ",{\"name\":\"dev\",\"environment\":\"dev\",\"steps\":["  \
                 "{\"name\":\"plan\",\"action\":\"command\",\"with\":{\"argv\":[\"true\"]}},"      \
                 "{\"name\":\"gate\",\"action\":\"approval\",\"with\":{\"plan\":\"plan\"}}],"      \
                 "\"region_steps\":\"l\",\"waves\":[{\"name\":\"one\",\"regions\":[\"r1\"],\"bake\":{\"time_s\":900}}]}]}"

static int load(struct test *t, const char *pipeline, const char *overlay,
                struct definition *ret_definition, struct px_str *ret_said, struct px_str *ret_text)
{
    PX_AUTO(px_buf_deinit) struct px_buf said, text;
    const char *file = test_path(t, "p.json").ptr, *over = test_path(t, "o.json").ptr;
    px_buf_init(&said, 1u << 16);
    px_buf_init(&text, DEFINITION_BYTES_MAX);
    CHECK_OK(px_file_write_atomic(file, px_str_c(pipeline), 0600));
    CHECK_OK(px_file_write_atomic(over, px_str_c(overlay), 0600));
    int r = definition_load(file, over, &test_table, &t->arena, &said, &text, ret_definition);
    *ret_said = px_arena_dup(&t->arena, px_buf_str(&said));
    *ret_text = px_arena_dup(&t->arena, px_buf_str(&text));
    return r;
}

static const struct definition_step *step_of(const struct definition *d, const char *path)
{
    for (size_t i = 0; i < d->step_count; i++)
        if (px_str_eq(d->steps[i].path, px_str_c(path))) return &d->steps[i];
    return NULL;
}

TEST(parameters_go_over_those_of_the_file_and_commands_are_left_out)
{
    struct definition d;
    struct px_str said, text;
    CHECK_OK(
        load(t, GATED,
             "{\"why\":\"in a hurry\",\"skip\":[\"first\"],\"actions\":{\"wait\":{\"time_s\":2,"
             "\"patience_s\":3}},\"steps\":{\"dev/one/r1/apply\":{\"text\":null},"
             "\"dev/one/r1/apply!undo\":{\"file\":\"other\"}}}",
             &d, &said, &text));
    CHECK_INT(d.stage_count, 1);
    CHECK(!step_of(&d, "first/look") && step_of(&d, "dev/gate"));
    CHECK_INT(px_json_i64(step_of(&d, "dev/one/bake")->act.with, "time_s", 0), 2);
    CHECK_INT(step_of(&d, "dev/one/bake")->act.timeout_s, 5);
    const struct definition_step *apply = step_of(&d, "dev/one/r1/apply");
    CHECK(!yyjson_obj_get(apply->act.with, "text"));
    CHECK_STR(px_json_str(apply->act.with, "file"), S("apply-${environment}-${region}"));
    CHECK_STR(px_json_str(apply->undo.with, "file"), S("other"));
    CHECK_STR(px_json_str(d.overlay, "why"), S("in a hurry"));
    /* what the run keeps says the same by itself */
    PX_AUTO(px_buf_deinit) struct px_buf problems;
    struct definition again;
    px_buf_init(&problems, 1u << 16);
    CHECK_OK(definition_read(text, "kept", &test_table, &t->arena, &problems, &again));
    CHECK_INT(again.step_count, d.step_count);
    CHECK_INT(step_of(&again, "dev/one/bake")->act.timeout_s, 5);
}

static const struct {
    const char *overlay, *what;
} wrong[] = {
    {"{", "o.json:1: no JSON"},
    {"[]", "overlay: must be an object"},
    {"{}", "overlay.why: must say why"},
    {"{\"why\":\"x\",\"skpi\":[]}", "unknown member 'skpi'"},
    {"{\"why\":\"x\",\"skip\":\"first\"}", "overlay.skip: must be an array"},
    {"{\"why\":\"x\",\"skip\":[\"\"]}", "overlay.skip[0]: must be the path"},
    {"{\"why\":\"x\",\"skip\":[\"frist\"]}", "there is no stage or step 'frist'"},
    {"{\"why\":\"x\",\"skip\":[\"dev\"]}", "leaves dev/gate out"},
    {"{\"why\":\"x\",\"skip\":[\"dev/plan\"]}", "leaves dev/plan out"},
    {"{\"why\":\"x\",\"skip\":[\"dev/one/bake\"]}", "leaves dev/one/bake out"},
    {"{\"why\":\"x\",\"skip\":[\"dev/one/r1/apply\"]}", "leaves dev/one/r1/apply out"},
    {"{\"why\":\"x\",\"actions\":[]}", "overlay.actions: must be an object"},
    {"{\"why\":\"x\",\"actions\":{\"wait\":1}}", "overlay.actions.wait: must be an object"},
    {"{\"why\":\"x\",\"actions\":{\"wiat\":{}}}", "there is no action 'wiat'"},
    {"{\"why\":\"x\",\"actions\":{\"command\":{\"argv\":[\"true\"]}}}",
     "cannot change what 'command'"},
    {"{\"why\":\"x\",\"actions\":{\"approval\":{\"plan\":\"look\"}}}",
     "cannot change what 'approval'"},
    {"{\"why\":\"x\",\"actions\":{\"wait\":{\"time_s\":-1}}}",
     "bake.time_s: must be a whole number"},
    {"{\"why\":\"x\",\"actions\":{\"wait\":{\"tmie_s\":1}}}", "unknown member 'tmie_s'"},
    {"{\"why\":\"x\",\"actions\":{\"wait\":{\"time_s\":null}}}", "bake.time_s: is missing"},
    {"{\"why\":\"x\",\"steps\":{\"dev/gate\":{\"plan\":\"plan\"}}}",
     "cannot change what 'approval'"},
    {"{\"why\":\"x\",\"steps\":{\"dev/two/bake\":{}}}", "there is no step 'dev/two/bake'"},
};

TEST(what_an_overlay_may_not_do_is_refused)
{
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        struct definition d;
        struct px_str said, text;
        int r = load(t, GATED, wrong[i].overlay, &d, &said, &text);
        if (r != DEFINITION_INVALID ||
            !memmem(said.ptr, said.len, wrong[i].what, strlen(wrong[i].what)))
            TEST_FAIL("%s\ngave %d and \"%.*s\", not \"%s\"", wrong[i].overlay, r, PX_FMT(said),
                      wrong[i].what);
    }
}

static int find_start(void *ctx, const struct entry *entry)
{
    if (entry->event != ENTRY_RUN_STARTED) return 0;
    yyjson_val *overlay = px_json_obj(entry->data, "overlay");
    *(bool *)ctx = px_str_eq(px_json_str(overlay, "why"), S("by test"));
    return 0;
}

TEST(the_log_has_it_and_a_run_that_is_resumed_has_it_still)
{
    struct bench bench;
    bool found = false;
    bench_init(&bench, t, "log", PIPELINE("60"));
    const char *over = test_path(t, "log/o.json").ptr;
    CHECK_OK(px_file_write_atomic(
        over, S("{\"why\":\"by test\",\"actions\":{\"make\":{\"text\":\"otherwise\"}}}"), 0600));
    bench.options.overlay = over;
    CHECK(bench_die(&bench, BENCH_RUN, 4));
    CHECK_INT(unlink(over), 0);
    bench.options.overlay = NULL;
    CHECK_OK(bench_do(&bench, BENCH_RESUME));
    struct px_str made = bench_made(&bench);
    CHECK(memmem(made.ptr, made.len, "made-apply-dev-r3=otherwise", 27));
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    CHECK_OK(pipeline_open(&bench.options, &p));
    CHECK_OK(pipeline_history(p, 0, find_start, &found));
    CHECK(found);
}

TEST_MAIN
