/* A run that is killed anywhere and resumed ends as one that nobody disturbed: what was made, and what the log says.
 *
 * Where to kill follows from the undisturbed run: behind each of its entries, and at the beginning, in the middle and at the end of
 * each of its steps' actions. */
// link: px_delivery_pipeline
#include "delivery/pipeline/pipeline_support.h"

static const char *const moments[] = {"begin", "middle", "end"};

struct wanted {
    struct px_str story, made;
    int entries, answer;
};

static void undisturbed(struct test *t, const char *name, const char *fail,
                        struct wanted *ret_wanted)
{
    struct bench bench;
    bench_init(&bench, t, name, PIPELINE_SMALL);
    bench_tell(&bench, "fail", fail);
    ret_wanted->answer = bench_do(&bench, BENCH_RUN);
    ret_wanted->entries = bench.entries;
    ret_wanted->story = bench_story(&bench);
    ret_wanted->made = bench_made(&bench);
    bench_check(&bench);
}

static void check_same(struct bench *bench, const struct wanted *wanted, int answer)
{
    CHECK_INT(answer, wanted->answer);
    CHECK_STR(bench_made(bench), wanted->made);
    CHECK_STR(bench_story(bench), wanted->story);
    bench_check(bench);
}

static void kill_behind_each_entry(struct test *t, const char *name, const char *fail)
{
    struct wanted wanted;
    undisturbed(t, name, fail, &wanted);
    CHECK(wanted.entries > 15);
    for (int at = 1; at < wanted.entries; at++) {
        struct bench bench;
        bench_init(&bench, t, test_path(t, "%s-%d", name, at).ptr + strlen(t->dir) + 1,
                   PIPELINE_SMALL);
        bench_tell(&bench, "fail", fail);
        CHECK(bench_die(&bench, BENCH_RUN, at));
        check_same(&bench, &wanted, bench_do(&bench, BENCH_RESUME));
    }
}

TEST(killed_behind_any_entry) { kill_behind_each_entry(t, "good", NULL); }
TEST(killed_behind_any_entry_of_a_run_that_goes_back)
{
    kill_behind_each_entry(t, "bad", "fail dev/two/r3/apply");
}

/* The steps whose action is the test's own, in their order. */
static size_t steps_of(struct test *t, struct px_str paths[16])
{
    PX_AUTO(px_buf_deinit) struct px_buf problems;
    struct definition definition;
    size_t count = 0;
    px_buf_init(&problems, 1u << 16);
    CHECK_OK(definition_read(S(PIPELINE_SMALL), "p.json", &test_table, &t->arena, &problems,
                             &definition));
    for (size_t i = 0; i < definition.step_count; i++)
        if (definition.steps[i].act.action == &action_make)
            paths[count++] = definition.steps[i].path;
    CHECK(count >= 5);
    return count;
}

static void kill_in_the_middle(struct test *t, const char *fail, const char *moment,
                               struct px_str step, const struct wanted *wanted)
{
    struct bench bench;
    struct px_str name = px_arena_printf(&t->arena, "%s-%.*s", moment, PX_FMT(step));
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '/') ((char *)(uintptr_t)name.ptr)[i] = '_';
    bench_init(&bench, t, name.ptr, PIPELINE_SMALL);
    bench_tell(&bench, "fail", fail);
    bench_tell(&bench, "die", px_arena_printf(&t->arena, "%s %.*s", moment, PX_FMT(step)).ptr);
    CHECK(bench_die(&bench, BENCH_RUN, 0));
    check_same(&bench, wanted, bench_do(&bench, BENCH_RESUME));
}

TEST(killed_in_the_middle_of_any_step)
{
    struct px_str steps[16];
    struct wanted wanted;
    size_t count = steps_of(t, steps);
    undisturbed(t, "good", NULL, &wanted);
    for (size_t i = 0; i < count * PX_COUNT(moments); i++)
        kill_in_the_middle(t, NULL, moments[i % 3], steps[i / 3], &wanted);
}

TEST(killed_in_the_middle_of_any_undo)
{
    struct px_str steps[16];
    struct wanted wanted;
    size_t count = steps_of(t, steps);
    struct px_str fail = px_arena_printf(&t->arena, "fail %.*s", PX_FMT(steps[count - 1]));
    undisturbed(t, "bad", fail.ptr, &wanted);
    CHECK_INT(wanted.answer, PIPELINE_FAILED);
    CHECK_STR(wanted.made, S("made-package--=.\n")); /* its stage had ended */
    for (size_t i = 0; i < count * PX_COUNT(moments); i++) {
        struct px_str step = px_arena_printf(&t->arena, "%.*s!undo", PX_FMT(steps[i / 3]));
        if (!px_str_starts(step, S("build/")))
            kill_in_the_middle(t, fail.ptr, moments[i % 3], step, &wanted);
    }
}

TEST(killed_again_and_again)
{
    struct wanted wanted;
    struct bench bench;
    int lives = 0;
    undisturbed(t, "good", NULL, &wanted);
    bench_init(&bench, t, "cat", PIPELINE_SMALL);
    CHECK(bench_die(&bench, BENCH_RUN, 3));
    /* each life: it takes the run, begins the step again, says that it is about to end, ends it, and writes one entry more */
    while (bench_die(&bench, BENCH_RESUME, 5) && lives < 200) lives++;
    CHECK(lives > 3);
    CHECK_STR(bench_made(&bench), wanted.made);
    bench_check(&bench);
}

TEST_MAIN
