/* Which release works on which catalog, and that a stage does not go back to one that does not. */
// link: px_delivery_pipeline
#include "delivery/pipeline/pipeline_support.h"

#include "delivery/pipeline/contract.h"
#include "delivery/pipeline/environment.h"

static yyjson_val *release(struct test *t, const char *schema)
{
    yyjson_val *root = NULL;
    CHECK_OK(px_json_parse(px_arena_printf(&t->arena, "{%s}", schema), &t->arena, &root, NULL));
    return root;
}

TEST(a_release_works_behind_steps_that_it_knows_the_reasons_of)
{
    static const struct {
        const char *release;
        int64_t floor;
        bool works;
    } cases[] = {
        {"\"schema\":{\"expands_to\":4,\"contracts_to\":0,\"needs\":3,\"floor\":0}", 0, true},
        {"\"schema\":{\"expands_to\":4,\"contracts_to\":0,\"needs\":3,\"floor\":0}", 4, true},
        {"\"schema\":{\"expands_to\":4,\"contracts_to\":0,\"needs\":3,\"floor\":0}", 5, false},
        {"\"schema\":{\"expands_to\":9,\"contracts_to\":9,\"needs\":3,\"floor\":8}", 8, true},
        {"", 0, true}, /* it uses no catalog, as far as is known */
        {"", 1, false},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++)
        if (contract_allows(release(t, cases[i].release), cases[i].floor) != cases[i].works)
            TEST_FAIL("case %zu", i);
}

TEST(what_was_taken_away_stays_away)
{
    yyjson_val *first = release(t, "\"schema\":{\"expands_to\":7,\"contracts_to\":7,\"floor\":5}");
    yyjson_val *second = release(t, "\"schema\":{\"expands_to\":8,\"contracts_to\":0,\"floor\":0}");
    CHECK_INT(contract_floor_after(first, 0), 5);
    CHECK_INT(contract_floor_after(second, 5), 5);
    CHECK_INT(contract_floor_after(first, 6), 6);
    /* of before there was `floor` */
    CHECK_INT(
        contract_floor_after(release(t, "\"schema\":{\"expands_to\":7,\"contracts_to\":6}"), 0), 6);
}

/* Two deliveries, the second of which fails at its end. */
static int deliver_two(struct bench *bench, const char *before, const char *after)
{
    (void)bench_release(bench, "one", before);
    CHECK_OK(bench_do(bench, BENCH_RUN));
    (void)bench_release(bench, "two", after);
    bench_tell(bench, "fail", "fail dev/two/r3/apply");
    return bench_do(bench, BENCH_RUN);
}

TEST(a_stage_does_not_go_back_over_a_contract)
{
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    struct bench bench;
    bench_init(&bench, t, "crossing", PIPELINE_SMALL);
    CHECK_INT(deliver_two(&bench, "{\"expands_to\":4,\"contracts_to\":0,\"floor\":0}",
                          "{\"expands_to\":6,\"contracts_to\":6,\"floor\":5}"),
              PIPELINE_FAILED);
    CHECK(memmem(bench_made(&bench).ptr, bench_made(&bench).len, "made-apply-dev-r2", 17));
    CHECK_OK(pipeline_open(&bench.options, &p));
    CHECK_OK(pipeline_load(p, 0));
    const struct state *state = pipeline_state(p);
    CHECK(state->ended);
    CHECK_INT(state->steps[1].undo, UNDO_NONE);
    struct px_str left = px_json_val_str(yyjson_arr_get_first(state->left));
    CHECK(px_str_starts(left, S("stage dev: nothing of it was taken back: release ")));
    CHECK(memmem(left.ptr, left.len, "must know its step 5", 20));
    CHECK(memmem(left.ptr, left.len, "knows step 4", 12));
    bench_check(&bench);
}

TEST(a_stage_goes_back_over_what_the_release_before_knows)
{
    struct bench bench;
    bench_init(&bench, t, "known", PIPELINE_SMALL);
    CHECK_INT(deliver_two(&bench, "{\"expands_to\":5,\"contracts_to\":0,\"floor\":0}",
                          "{\"expands_to\":6,\"contracts_to\":6,\"floor\":5}"),
              PIPELINE_FAILED);
    CHECK_STR(bench_made(&bench), S("made-package--=.\n"));
}

TEST(an_environment_remembers_how_far_it_was_contracted)
{
    PX_AUTO(object_store_close) struct object_store *store = NULL;
    struct environment now;
    struct bench bench;
    bench_init(&bench, t, "remembers", PIPELINE_SMALL);
    (void)bench_release(&bench, "one", "{\"expands_to\":6,\"contracts_to\":6,\"floor\":5}");
    CHECK_OK(bench_do(&bench, BENCH_RUN));
    struct px_str second = bench_release(&bench, "two",
                                         "{\"expands_to\":5,\"contracts_to\":0,\"floor\":0}");
    CHECK_OK(bench_do(&bench, BENCH_RUN));
    CHECK_OK(object_store_open(bench.state, NULL, &store));
    CHECK_OK(environment_read(store, S("dev"), &t->arena, &now));
    CHECK_INT(now.floor, 5);
    CHECK_INT(now.run, 2);
    CHECK_STR(now.release.id, second);
}

TEST_MAIN
