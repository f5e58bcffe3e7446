/* A stage that fails takes back what Terraform applied: the release, configuration and sources that stood there before. The cases are
 * made from the list of steps: each of them fails, or the run is killed in it and aborted. */
// link: px_delivery_pipeline
#include "delivery/pipeline/rollback_support.h"

#define SCHEMA "{\"expands_to\":1,\"contracts_to\":0,\"needs\":1,\"floor\":0}"

/* A bench on which version one stands everywhere, and version two lies ready. */
static void two_versions(struct bench *bench, struct test *t, const char *name)
{
    rollback_init(bench, t, name);
    (void)version_is(bench, "one", SCHEMA);
    CHECK_OK(bench_do(bench, BENCH_RUN));
    (void)version_is(bench, "two", SCHEMA);
}

TEST(what_stood_there_is_put_there_again_whole)
{
    struct bench bench;
    two_versions(&bench, t, "whole");
    struct px_str dev = stands(&bench, "dev"), prod = stands(&bench, "prod");
    CHECK(memmem(prod.ptr, prod.len, "stands-prod-regionr2={config:one}{artifacts:", 43));
    CHECK(memmem(prod.ptr, prod.len, "sources-one", 11));
    bench_tell(&bench, "fail", "fail prod/two/r2/rollout");
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_FAILED);
    CHECK_STR(stands(&bench, "prod"), prod);
    CHECK(!px_str_eq(stands(&bench, "dev"), dev)); /* its stage had ended */
    bench_check(&bench);
}

/* Terraform itself fails half-way, in each unit. */
TEST(a_half_done_apply_is_taken_back)
{
    static const char *const units[] = {"stands-prod-global", "stands-prod-regionr1",
                                        "stands-prod-regionr2"};
    struct bench bench;
    two_versions(&bench, t, "half");
    struct px_str prod = stands(&bench, "prod");
    for (size_t i = 0; i < PX_COUNT(units); i++) {
        bench_tell(&bench, "stop", units[i]);
        CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_FAILED);
        CHECK_STR(stands(&bench, "prod"), prod);
    }
}

TEST(of_a_first_delivery_nothing_is_destroyed)
{
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    struct bench bench;
    rollback_init(&bench, t, "first");
    (void)version_is(&bench, "one", SCHEMA);
    bench_tell(&bench, "fail", "fail dev/one/r1/rollout");
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_FAILED);
    CHECK(
        memmem(stands(&bench, "dev").ptr, stands(&bench, "dev").len, "regionr1={config:one}", 21));
    CHECK_OK(pipeline_open(&bench.options, &p));
    CHECK_OK(pipeline_load(p, 0));
    const struct state *state = pipeline_state(p);
    CHECK(state->ended);
    CHECK_INT(yyjson_arr_size(state->left), 2);
    struct px_str left = px_json_val_str(yyjson_arr_get_first(state->left));
    CHECK(px_str_starts(left, S("dev/apply: it is the first delivery there")));
    CHECK_INT(state->steps[state_step_of(state, S("dev/one/r1/apply"))].state, STEP_DONE);
}

TEST(a_way_back_that_loses_data_is_not_gone_by_itself)
{
    struct bench bench;
    two_versions(&bench, t, "lossy");
    bench_tell(&bench, "fail", "fail dev/one/r1/rollout");
    bench_tell(&bench, "lossy", "");
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_STUCK);
    bench_tell(&bench, "lossy", NULL);
    CHECK_INT(bench_do(&bench, BENCH_RESUME), PIPELINE_FAILED);
    CHECK(
        memmem(stands(&bench, "dev").ptr, stands(&bench, "dev").len, "regionr1={config:one}", 21));
}

/* ---- at every step ---- */

static size_t steps_of(struct test *t, struct px_str paths[40])
{
    PX_AUTO(px_buf_deinit) struct px_buf problems;
    struct definition definition;
    px_buf_init(&problems, 1u << 16);
    int r = definition_read(S(PIPELINE_TWO), "p.json", &rollback_table, &t->arena, &problems,
                            &definition);
    if (r != 0) TEST_FAIL("%.*s", PX_FMT(px_buf_str(&problems)));
    CHECK(definition.step_count < 40);
    for (size_t i = 0; i < definition.step_count; i++) paths[i] = definition.steps[i].path;
    return definition.step_count;
}

/* The run is killed when a step has begun; whoever comes next aborts it. The stage is as it was, those before have the new version. */
TEST(killed_in_any_step_and_aborted_the_version_before_stands)
{
    struct px_str steps[40], two[2];
    static const char *const environments[] = {"dev", "prod"};
    struct bench bench;
    size_t count = steps_of(t, steps);
    two_versions(&bench, t, "steps");
    struct px_str one[2] = {stands(&bench, "dev"), stands(&bench, "prod")};
    for (size_t i = 0; i < count; i++) {
        bool of_prod = px_str_starts(steps[i], S("prod/"));
        bench.die_in = steps[i];
        CHECK(bench_die(&bench, BENCH_RUN, 0));
        bench.die_in = S("");
        CHECK_INT(bench_do(&bench, BENCH_ABORT), PIPELINE_ABORTED);
        for (size_t e = 0; e < 2; e++) {
            struct px_str now = stands(&bench, environments[e]);
            bool back = e == (size_t)of_prod || !of_prod;
            if (back && !px_str_eq(now, one[e]))
                TEST_FAIL("%.*s: %.*s", PX_FMT(steps[i]), PX_FMT(now));
            if (!back && i > 0 && two[e].ptr && !px_str_eq(now, two[e]))
                TEST_FAIL("%.*s: %.*s", PX_FMT(steps[i]), PX_FMT(now));
            two[e] = back ? px_str(NULL, 0) : now;
        }
    }
    bench_check(&bench);
}

TEST_MAIN
