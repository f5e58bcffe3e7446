/* A pipeline is read as a whole, and what is wrong in it is said with its place and what to do. */
// link: px_delivery_pipeline
#include "delivery/pipeline/pipeline_support.h"

#include "delivery/pipeline/definition.h"

static struct px_str problems_of(struct test *t, const char *text, int *ret_answer)
{
    PX_AUTO(px_buf_deinit) struct px_buf problems;
    struct definition definition;
    px_buf_init(&problems, 1u << 16);
    *ret_answer = definition_read(px_str_c(text), "p.json", &test_table, &t->arena, &problems,
                                  &definition);
    return px_arena_dup(&t->arena, px_buf_str(&problems));
}

static bool has(struct px_str text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

TEST(lists_and_waves_unfold)
{
    PX_AUTO(px_buf_deinit) struct px_buf problems;
    static const char *const paths[] = {"build/package", "dev/plan",         "dev/one/r1/apply",
                                        "dev/one/bake",  "dev/two/r2/apply", "dev/two/r3/apply",
                                        "dev/two/bake"};
    struct definition d;
    px_buf_init(&problems, 1u << 16);
    CHECK_OK(definition_read(S(PIPELINE_SMALL), "p.json", &test_table, &t->arena, &problems, &d));
    CHECK_INT(d.step_count, PX_COUNT(paths));
    for (size_t i = 0; i < PX_COUNT(paths); i++) CHECK_STR(d.steps[i].path, px_str_c(paths[i]));
    CHECK_STR(d.steps[4].region, S("r2"));
    CHECK_STR(d.steps[4].wave, S("two"));
    CHECK_STR(d.stages[d.steps[4].stage].environment->name, S("dev"));
    CHECK_STR(px_str_c(d.steps[4].undo.action->name), S("unmake"));
    CHECK_INT(d.steps[4].act.timeout_s, 1800);
    CHECK_INT(d.lease_s, 60);
}

TEST(variables_are_filled_in)
{
    yyjson_val *with = NULL, *filled = NULL;
    const struct definition_values values = {
        .environment = S("dev"), .region = S("r1"), .run = S("000001")};
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 4096);
    CHECK_OK(px_json_parse(
        S("{\"a\":[\"${environment}/${region}\",1,true],\"b\":{\"c\":\"$${run} is ${run}.${wave}\"},\"d\":\"$\"}"),
        &t->arena, &with, NULL));
    CHECK_OK(definition_fill(with, &values, &t->arena, &filled));
    px_buf_add_json(&buf, filled);
    CHECK_STR(px_buf_str(&buf),
              S("{\"a\":[\"dev/r1\",1,true],\"b\":{\"c\":\"${run} is 000001.\"},\"d\":\"$\"}"));
}

#define MAKE "{\"name\":\"a\",\"action\":\"make\",\"with\":{\"file\":\"x\"}}"
#define STAGE(more)                                                                                \
    "{\"version\":1,\"environments\":{\"dev\":{}},\"lists\":{\"l\":[" MAKE                         \
    "]},\"stages\":[{\"name\":\"s\"" more "}]}"
#define STORE(store)                                                                               \
    "{\"version\":1,\"environments\":{\"dev\":{}},\"store\":" store                                \
    ",\"stages\":[{\"name\":\"s\",\"steps\":[" MAKE "]}]}"
#define STEPS(step) STAGE(",\"steps\":[" step "]")
#define WAVES(waves) STAGE(",\"environment\":\"dev\",\"region_steps\":\"l\",\"waves\":[" waves "]")

static const struct {
    const char *text, *place, *what;
} wrong[] = {
    {"{", "p.json:1:", "no JSON"},
    {"{\n\"version\": 1,\n\"stages\": [}\n}", "p.json:3:", "no JSON"},
    {"[]", "pipeline", "must be an object"},
    {"{\"version\":2,\"stages\":[{\"name\":\"s\",\"steps\":[" MAKE "]}]}", "version", "must be 1"},
    {"{\"version\":1}", "stages", "must be an array of stages"},
    {"{\"version\":1,\"stages\":[]}", "stages", "at least one"},
    {"{\"version\":1,\"stagse\":[]}", "pipeline",
     "unknown member 'stagse'; there are version, lease_s, defaults"},
    {"{\"version\":1,\"version\":1,\"stages\":[{\"name\":\"s\",\"steps\":[" MAKE "]}]}", "pipeline",
     "stands there twice"},
    {STORE("{\"environment\":\"prod\",\"name\":\"runs\",\"prefix\":\"p\"}"), "store.environment",
     "must be one of `environments`"},
    {STORE("{\"environment\":\"dev\",\"prefix\":\"p\"}"), "store.name", "must be a name"},
    {STORE("{\"environment\":\"dev\",\"name\":\"runs\",\"prefix\":\"a/b\"}"), "store.prefix",
     "must be a name"},
    {STORE("{\"environment\":\"dev\",\"bucket\":\"runs\"}"), "store", "unknown member 'bucket'"},
    {"{\"version\":1,\"lease_s\":1,\"stages\":[{\"name\":\"s\",\"steps\":[" MAKE "]}]}",
     "pipeline.lease_s", "from 3 to 3600"},
    {"{\"version\":1,\"defaults\":{\"timeout_s\":\"1h\"},\"stages\":[{\"name\":\"s\",\"steps\":[" MAKE
     "]}]}",
     "defaults.timeout_s", "must be a whole number"},
    {"{\"version\":1,\"environments\":{\"dev\":{\"approval\":{\"expires_s\":1}}},\"stages\":[{\"name\":\"s\",\"steps\":[" MAKE
     "]}]}",
     "environments.dev.approval.expires_s", "from 60"},
    {"{\"version\":1,\"environments\":{\"dev\":{\"approval\":{\"by_starter\":\"yes\"}}},\"stages\":[{\"name\":\"s\",\"steps\":[" MAKE
     "]}]}",
     "environments.dev.approval.by_starter", "true or false"},
    {STAGE(""), "stages[0]", "has no steps"},
    {STAGE(",\"steps\":[]"), "stages[0].steps", "must be an array of steps"},
    {STAGE(",\"steps\":\"m\""), "stages[0].steps", "no list 'm'"},
    {STAGE(",\"environment\":\"qa\",\"steps\":\"l\""), "stages[0].environment", "no 'qa'"},
    {STEPS("1"), "stages[0].steps[0]", "must be an object"},
    {STEPS("{\"name\":\"A b\",\"action\":\"make\",\"with\":{\"file\":\"x\"}}"),
     "stages[0].steps[0].name", "small letters"},
    {STEPS("{\"name\":\"bake\",\"action\":\"make\",\"with\":{\"file\":\"x\"}}"),
     "stages[0].steps[0].name", "not 'bake'"},
    {STEPS(MAKE "," MAKE), "stages[0].steps[1]", "a second step 'a'"},
    {STEPS("{\"name\":\"a\"}"), "stages[0].steps[0].action", "there are make, unmake, wait"},
    {STEPS("{\"name\":\"a\",\"action\":\"mkae\"}"), "stages[0].steps[0].action",
     "no action 'mkae'"},
    {STEPS("{\"name\":\"a\",\"action\":\"make\"}"), "stages[0].steps[0].with.file", "is missing"},
    {STEPS("{\"name\":\"a\",\"action\":\"make\",\"with\":{\"file\":1}}"),
     "stages[0].steps[0].with.file", "must be a text"},
    {STEPS("{\"name\":\"a\",\"action\":\"make\",\"with\":{\"file\":\"x\",\"flie\":1}}"),
     "stages[0].steps[0].with", "unknown member 'flie'"},
    {STEPS("{\"name\":\"a\",\"action\":\"make\",\"with\":{\"file\":\"${regoin}\"}}"),
     "stages[0].steps[0].with.file", "no variable 'regoin'"},
    {STEPS("{\"name\":\"a\",\"action\":\"make\",\"with\":{\"file\":\"x\"},\"timeout_s\":0}"),
     "stages[0].steps[0].timeout_s", "from 1"},
    {STEPS("{\"name\":\"a\",\"action\":\"make\",\"with\":{\"file\":\"x\"},\"attempts\":11}"),
     "stages[0].steps[0].attempts", "from 1 to 10"},
    {STEPS("{\"name\":\"a\",\"action\":\"make\",\"with\":{\"file\":\"x\"},\"undo\":[]}"),
     "stages[0].steps[0].undo", "tells a person what to do"},
    {STEPS(
         "{\"name\":\"a\",\"action\":\"make\",\"with\":{\"file\":\"x\"},\"undo\":{\"action\":\"none\"}}"),
     "stages[0].steps[0].undo.action", "no action 'none'"},
    {STEPS("{\"name\":\"a\",\"action\":\"command\",\"with\":{\"argv\":[]}}"),
     "stages[0].steps[0].with.argv", "array of 1 to"},
    {STEPS("{\"name\":\"a\",\"action\":\"command\",\"with\":{\"argv\":[\"a\\u0000b\"]}}"),
     "stages[0].steps[0].with.argv[0]", "zero character"},
    {STEPS("{\"name\":\"a\",\"action\":\"approval\",\"with\":{\"plan\":\"b\"}}"),
     "stages[0].steps[0].with.plan", "no step 'b' stands before it"},
    {STAGE(",\"steps\":\"l\",\"region_steps\":\"l\""), "stages[0]", "go together"},
    {WAVES(""), "stages[0].waves", "at least one"},
    {WAVES("{\"name\":\"w\",\"regions\":[],\"bake\":{\"time_s\":1}}"), "stages[0].waves[0].regions",
     "at least one"},
    {WAVES("{\"name\":\"w\",\"regions\":[\"a\",\"b\"],\"bake\":{\"time_s\":1}}"),
     "stages[0].waves[0].regions", "begin with one, the smallest"},
    {WAVES("{\"name\":\"w\",\"regions\":[\"a\"]}"), "stages[0].waves[0].bake", "must be an object"},
    {WAVES("{\"name\":\"w\",\"regions\":[\"a\"],\"bake\":{}}"), "stages[0].waves[0].bake.time_s",
     "is missing"},
    {WAVES("{\"name\":\"w\",\"regions\":[\"a\"],\"bake\":{\"time_s\":-1}}"),
     "stages[0].waves[0].bake.time_s", "whole number"},
    {WAVES(
         "{\"name\":\"w\",\"regions\":[\"a\"],\"bake\":{\"time_s\":1}},{\"name\":\"v\",\"regions\":[\"a\"],\"bake\":{\"time_s\":1}}"),
     "stages[0].waves[0].regions[0]", "2 times"},
    {WAVES(
         "{\"name\":\"w\",\"regions\":[\"a\"],\"bake\":{\"time_s\":1}},{\"name\":\"v\",\"regions\":[\"b\",\"c\"],\"bake\":{\"time_s\":1}},"
         "{\"name\":\"u\",\"regions\":[\"d\"],\"bake\":{\"time_s\":1}}"),
     "stages[0].waves[2].regions", "waves grow"},
    {WAVES("{\"name\":\"w\",\"regions\":[\"a\"],\"bake\":{\"time_s\":1,\"alarms\":[\"*\"]}}"),
     "stages[0].waves[0].bake", "nothing tells requests and alarms"},
    {WAVES("{\"name\":\"w\",\"regions\":[\"A_1\"],\"bake\":{\"time_s\":1}}"),
     "stages[0].waves[0].regions[0]", "a region's name"},
};

TEST(what_is_wrong_is_said_with_its_place)
{
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        int answer = 0;
        struct px_str said = problems_of(t, wrong[i].text, &answer);
        if (answer != DEFINITION_INVALID || !has(said, wrong[i].place) || !has(said, wrong[i].what))
            TEST_FAIL("%zu: %s\ngave %d and \"%.*s\", not \"%s ... %s\"", i, wrong[i].text, answer,
                      PX_FMT(said), wrong[i].place, wrong[i].what);
    }
}

TEST(all_problems_are_told_at_once)
{
    int answer = 0;
    struct px_str said = problems_of(
        t,
        STEPS(
            "{\"name\":\"a\",\"action\":\"make\",\"timeout_s\":0},{\"name\":\"b\",\"action\":\"mak\"}"),
        &answer);
    CHECK_INT(answer, DEFINITION_INVALID);
    CHECK(has(said, "steps[0].timeout_s") && has(said, "steps[0].with.file") &&
          has(said, "steps[1].action"));
}

TEST_MAIN
