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

TEST(killed_in_the_middle_of_any_step)
{
    static const char *const steps[] = {"build/package", "dev/plan", "dev/one/r1/apply",
                                        "dev/two/r2/apply", "dev/two/r3/apply"};
    struct wanted wanted;
    undisturbed(t, "good", NULL, &wanted);
    for (size_t i = 0; i < PX_COUNT(steps) * PX_COUNT(moments); i++) {
        struct bench bench;
        char name[32], what[100];
        (void)snprintf(name, sizeof name, "at-%zu", i);
        (void)snprintf(what, sizeof what, "%s %s", moments[i % 3], steps[i / 3]);
        bench_init(&bench, t, name, PIPELINE_SMALL);
        bench_tell(&bench, "die", what);
        CHECK(bench_die(&bench, BENCH_RUN, 0));
        check_same(&bench, &wanted, bench_do(&bench, BENCH_RESUME));
    }
}

TEST(killed_in_the_middle_of_any_undo)
{
    static const char *const steps[] = {"dev/two/r3/apply!undo", "dev/two/r2/apply!undo",
                                        "dev/one/r1/apply!undo", "dev/plan!undo"};
    struct wanted wanted;
    undisturbed(t, "bad", "fail dev/two/r3/apply", &wanted);
    CHECK_INT(wanted.answer, PIPELINE_FAILED);
    CHECK_STR(wanted.made, S("made-package--=.\n")); /* its stage had ended */
    for (size_t i = 0; i < PX_COUNT(steps) * PX_COUNT(moments); i++) {
        struct bench bench;
        char name[32], what[100];
        (void)snprintf(name, sizeof name, "at-%zu", i);
        (void)snprintf(what, sizeof what, "%s %s", moments[i % 3], steps[i / 3]);
        bench_init(&bench, t, name, PIPELINE_SMALL);
        bench_tell(&bench, "fail", "fail dev/two/r3/apply");
        bench_tell(&bench, "die", what);
        CHECK(bench_die(&bench, BENCH_RUN, 0));
        check_same(&bench, &wanted, bench_do(&bench, BENCH_RESUME));
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
