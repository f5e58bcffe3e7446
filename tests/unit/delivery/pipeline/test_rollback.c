/* `prism rollback`: what an environment had is there again, as a whole, and what stands there is known as that. */
// link: px_delivery_pipeline
#include "delivery/pipeline/rollback_support.h"

#include "delivery/pipeline/environment.h"

#define SCHEMA "{\"expands_to\":1,\"contracts_to\":0,\"needs\":1,\"floor\":0}"

/* The rollback of `way`, approved whenever it waits. */
static int go_back(struct bench *bench, const struct pipeline_way_back *way, bool approve,
                   struct px_str *ret_said)
{
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    const struct pipeline_decision yes = {.approve = true};
    CHECK_OK(pipeline_open(&bench->options, &p));
    int r = pipeline_rollback(p, way);
    while (r == PIPELINE_WAITS && approve) {
        CHECK_OK(pipeline_decide(p, &yes));
        r = pipeline_resume(p);
    }
    if (r < 0) {
        char text[600];
        print_error("%s\n", px_fault_text(r, text, sizeof text));
    }
    if (ret_said) *ret_said = px_arena_dup(&bench->t->arena, pipeline_said(p));
    return r;
}
static bool has(struct px_str text, const char *part)
{
    return text.len > 0 && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}
static struct environment environment_of(struct bench *bench, const char *name)
{
    PX_AUTO(object_store_close) struct object_store *store = NULL;
    struct environment now;
    CHECK_OK(object_store_open(bench->state, NULL, &store));
    CHECK_OK(environment_read(store, px_str_c(name), &bench->t->arena, &now));
    return now;
}

/* Versions one, two, three delivered one after the other; what stood in prod with each. */
struct three {
    struct bench bench;
    struct px_str ids[3], prod[3], dev[3];
};
static void three_versions(struct three *v, struct test *t, const char *name)
{
    static const char *const names[] = {"one", "two", "three"};
    rollback_init(&v->bench, t, name);
    for (size_t i = 0; i < 3; i++) {
        v->ids[i] = version_is(&v->bench, names[i], SCHEMA);
        CHECK_OK(bench_do(&v->bench, BENCH_RUN));
        v->dev[i] = stands(&v->bench, "dev");
        v->prod[i] = stands(&v->bench, "prod");
    }
}

TEST(an_environment_goes_back_by_one_and_by_one_more_and_forth)
{
    struct three v;
    struct px_str said;
    struct pipeline_way_back way = {.environment = S("dev")};
    three_versions(&v, t, "one-by-one");
    CHECK_OK(go_back(&v.bench, &way, true, NULL));
    CHECK_STR(stands(&v.bench, "dev"), v.dev[1]);
    CHECK_STR(stands(&v.bench, "prod"), v.prod[2]);
    CHECK_STR(environment_of(&v.bench, "dev").release.id, v.ids[1]);
    CHECK_OK(go_back(&v.bench, &way, true, NULL));
    CHECK_STR(stands(&v.bench, "dev"), v.dev[0]);
    CHECK_INT(go_back(&v.bench, &way, true, &said), PIPELINE_REFUSED);
    CHECK(has(said, "is the first release of dev"));
    way.to = px_str(v.ids[2].ptr, 5); /* how it begins */
    CHECK_OK(go_back(&v.bench, &way, true, NULL));
    CHECK_STR(stands(&v.bench, "dev"), v.dev[2]);
    CHECK_INT(go_back(&v.bench, &way, true, &said), PIPELINE_NONE);
    CHECK(has(said, "stands there already"));
    way.to = S("ffff");
    CHECK_INT(go_back(&v.bench, &way, true, &said), PIPELINE_REFUSED);
    CHECK(has(said, "never had release ffff; it had "));
    bench_check(&v.bench);
}

TEST(nothing_is_touched_by_a_plan)
{
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    struct three v;
    three_versions(&v, t, "plan");
    struct pipeline_way_back way = {.environment = S("prod"), .plan_only = true};
    CHECK_OK(go_back(&v.bench, &way, false, NULL));
    CHECK_STR(stands(&v.bench, "prod"), v.prod[2]);
    CHECK_STR(environment_of(&v.bench, "prod").release.id, v.ids[2]);
    CHECK_OK(pipeline_open(&v.bench.options, &p));
    CHECK_OK(pipeline_load(p, 0));
    CHECK_INT(pipeline_state(p)->definition->step_count, 5); /* three plans, two bakes of nothing */
    way = (struct pipeline_way_back){.environment = S("prod"), .to = v.ids[0]};
    CHECK_INT(go_back(&v.bench, &way, false, NULL), PIPELINE_WAITS);
    CHECK_STR(stands(&v.bench, "prod"), v.prod[2]);
}

TEST(who_begins_it_does_not_approve_it_where_that_is_so_but_in_an_emergency)
{
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    struct three v;
    const struct pipeline_decision yes = {.approve = true};
    struct pipeline_way_back way = {.environment = S("prod")};
    three_versions(&v, t, "emergency");
    CHECK_INT(go_back(&v.bench, &way, false, NULL), PIPELINE_WAITS);
    CHECK_OK(pipeline_open(&v.bench.options, &p));
    CHECK_INT(pipeline_decide(p, &yes), PIPELINE_REFUSED);
    CHECK_INT(bench_do(&v.bench, BENCH_ABORT), PIPELINE_ABORTED);
    way.emergency = S("everything burns");
    bench_tell(&v.bench, "lossy", "");
    CHECK_INT(go_back(&v.bench, &way, false, NULL), PIPELINE_FAILED);
    CHECK_STR(stands(&v.bench, "prod"), v.prod[2]);
    bench_tell(&v.bench, "lossy", NULL);
    CHECK_OK(go_back(&v.bench, &way, false, NULL));
    CHECK_STR(stands(&v.bench, "prod"), v.prod[1]);
    CHECK_OK(pipeline_load(p, 0));
    CHECK_STR(pipeline_state(p)->emergency, S("everything burns"));
    bench_check(&v.bench);
}

TEST(a_region_goes_back_alone_and_the_environment_is_known_as_mixed)
{
    struct three v;
    struct px_str said;
    struct pipeline_way_back way = {.environment = S("prod"),
                                    .emergency = S("one region"),
                                    .regions = {S("r2")},
                                    .region_count = 1};
    three_versions(&v, t, "region");
    CHECK_OK(go_back(&v.bench, &way, false, NULL));
    struct px_str now = stands(&v.bench, "prod");
    CHECK(has(now, "regionr2={config:two}") && has(now, "regionr1={config:three}") &&
          has(now, "prod-global={config:three}"));
    struct environment prod = environment_of(&v.bench, "prod");
    CHECK(prod.release.mixed);
    CHECK_STR(prod.release.id, v.ids[2]);
    way.regions[0] = S("r9");
    CHECK_INT(go_back(&v.bench, &way, false, &said), PIPELINE_REFUSED);
    CHECK(has(said, "there are r1, r2"));
    /* all of it: to what it has as a whole */
    way.region_count = 0;
    CHECK_OK(go_back(&v.bench, &way, false, NULL));
    CHECK_STR(stands(&v.bench, "prod"), v.prod[2]);
    CHECK(!environment_of(&v.bench, "prod").release.mixed);
}

TEST(no_way_back_over_a_contract_nor_to_what_is_gone)
{
    struct bench bench;
    struct px_str said;
    struct pipeline_way_back way = {.environment = S("dev")};
    rollback_init(&bench, t, "contract");
    struct px_str first = version_is(&bench, "one", SCHEMA);
    const char *place = bench.options.release;
    CHECK_OK(bench_do(&bench, BENCH_RUN));
    (void)version_is(&bench, "two", "{\"expands_to\":2,\"contracts_to\":0,\"floor\":0}");
    CHECK_OK(bench_do(&bench, BENCH_RUN));
    (void)version_is(&bench, "three", "{\"expands_to\":3,\"contracts_to\":3,\"floor\":2}");
    CHECK_OK(bench_do(&bench, BENCH_RUN));
    struct px_str now = stands(&bench, "dev");
    way.to = first;
    CHECK_INT(go_back(&bench, &way, true, &said), PIPELINE_REFUSED);
    CHECK(has(said, "must know its step 2") && has(said, "knows step 1") &&
          has(said, "Roll forward"));
    CHECK_STR(stands(&bench, "dev"), now);
    way.to = S("");
    CHECK_OK(go_back(&bench, &way, true, NULL)); /* to two, which knows it */
    way.to = first;                              /* what was taken away is not there again */
    CHECK_INT(go_back(&bench, &way, true, &said), PIPELINE_REFUSED);
    CHECK(has(said, "must know its step 2"));
    way = (struct pipeline_way_back){.environment = S("prod")};
    CHECK_OK(px_dir_remove(test_path(t, "contract/release-two").ptr));
    CHECK_INT(go_back(&bench, &way, true, &said), PIPELINE_REFUSED);
    CHECK(has(said, "is not whole any more"));
    (void)place;
}

/* ---- at every step ---- */

static size_t rollback_steps(struct bench *bench, struct px_str paths[40])
{
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    CHECK_OK(pipeline_open(&bench->options, &p));
    CHECK_OK(pipeline_load(p, 0));
    const struct definition *definition = pipeline_state(p)->definition;
    for (size_t i = 0; i < definition->step_count; i++)
        paths[i] = px_arena_dup(&bench->t->arena, definition->steps[i].path);
    return definition->step_count;
}

/* Delivery two is cut at each of its steps and left as it lies; the rollback puts version one there again in every environment that it
 * had reached. Then the rollback itself is killed in each of its steps, and goes on. */
TEST(cut_off_at_any_step_of_any_stage_it_leads_back)
{
    PX_AUTO(px_buf_deinit) struct px_buf problems;
    struct definition definition;
    struct bench bench;
    px_buf_init(&problems, 1u << 16);
    CHECK_OK(definition_read(S(PIPELINE_TWO), "p.json", &rollback_table, &t->arena, &problems,
                             &definition));
    rollback_init(&bench, t, "cut");
    struct px_str first = version_is(&bench, "one", SCHEMA);
    CHECK_OK(bench_do(&bench, BENCH_RUN));
    struct px_str dev = stands(&bench, "dev"), prod = stands(&bench, "prod");
    (void)version_is(&bench, "two", SCHEMA);
    for (size_t i = 0; i < definition.step_count; i++) {
        PX_AUTO(pipeline_close) struct pipeline *p = NULL;
        struct px_str path = definition.steps[i].path;
        bench.die_in = path;
        CHECK(bench_die(&bench, BENCH_RUN, 0));
        bench.die_in = S("");
        CHECK_OK(pipeline_open(&bench.options, &p));
        CHECK_INT(pipeline_abort(p, S("left"), true), 0);
        pipeline_close(&p);
        for (size_t e = 0; e < 2; e++) {
            const struct pipeline_way_back way = {
                .environment = e ? S("prod") : S("dev"), .to = first, .emergency = S("cut off")};
            int r = go_back(&bench, &way, false, NULL);
            if (r != 0 && r != PIPELINE_NONE) TEST_FAIL("%.*s: %d", PX_FMT(path), r);
        }
        if (!px_str_eq(stands(&bench, "dev"), dev) || !px_str_eq(stands(&bench, "prod"), prod))
            TEST_FAIL("%.*s: %.*s%.*s", PX_FMT(path), PX_FMT(stands(&bench, "dev")),
                      PX_FMT(stands(&bench, "prod")));
    }
    bench_check(&bench);
}

TEST(killed_in_any_of_its_steps_it_goes_on)
{
    struct three v;
    struct px_str steps[40];
    size_t count = 0;
    struct pipeline_way_back way = {.environment = S("prod"), .emergency = S("again")};
    three_versions(&v, t, "killed");
    CHECK_OK(go_back(&v.bench, &way, false, NULL));
    count = rollback_steps(&v.bench, steps);
    CHECK(count >= 8);
    for (size_t i = 0; i < count; i++) {
        size_t to = i % 2 ? 1 : 2; /* forth and back */
        int status = 0;
        way.to = v.ids[to];
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            v.bench.die_in = steps[i];
            _exit(go_back(&v.bench, &way, false, NULL) == 0 ? 0 : 100);
        }
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        CHECK_OK(bench_do(&v.bench, BENCH_RESUME));
        CHECK_STR(stands(&v.bench, "prod"), v.prod[to]);
    }
    bench_check(&v.bench);
}

TEST_MAIN
