/* Who may drive a run, who may decide, what goes back, and what the log shows. */
// link: px_delivery_pipeline
#include "delivery/pipeline/pipeline_support.h"

#include "delivery/pipeline/journal.h"

static bool has(struct px_str text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static void open_it(struct bench *bench, struct pipeline **ret_pipeline)
{
    CHECK_OK(pipeline_open(&bench->options, ret_pipeline));
}

/* ---- going back ---- */

TEST(a_failed_step_takes_its_stage_back_and_says_what_is_left)
{
    struct bench bench;
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    bench_init(
        &bench, t, "b",
        "{\"version\":1,\"defaults\":{\"pause_s\":0},\"stages\":[{\"name\":\"s\",\"steps\":[" STEP_MAKE(
            "one") ",{\"name\":\"hand\",\"action\":\"make\",\"with\":{\"file\":\"hand\"},\"undo\":\"remove hand\"}," STEP_MAKE("two") "]}]}");
    bench_tell(&bench, "fail", "fail s/two");
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_FAILED);
    CHECK_STR(bench_made(&bench), S("made-hand=\n"));
    open_it(&bench, &p);
    CHECK_OK(pipeline_load(p, 0));
    const struct state *state = pipeline_state(p);
    CHECK(state->ended);
    CHECK_STR(state->outcome, S("failed"));
    CHECK(has(state->why, "told to fail"));
    CHECK_INT(yyjson_arr_size(state->left), 1);
    CHECK_STR(px_json_val_str(yyjson_arr_get(state->left, 0)), S("s/hand: remove hand"));
    CHECK_INT(state->steps[0].state, STEP_ROLLED_BACK);
    CHECK_INT(state->steps[1].state, STEP_DONE);
}

TEST(a_step_is_tried_again_as_often_as_it_says)
{
    struct bench bench;
    bench_init(
        &bench, t, "b",
        "{\"version\":1,\"defaults\":{\"pause_s\":0,\"attempts\":3},\"stages\":[{\"name\":\"s\",\"steps\":[" STEP_MAKE(
            "one") "]}]}");
    bench_tell(&bench, "fail", "fail s/one");
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_FAILED);
    struct px_str story = bench_story(&bench);
    size_t tries = 0;
    for (const char *at = story.ptr; (at = strstr(at, "step-failed")); at++) tries++;
    CHECK_INT(tries, 3);
    bench_init(
        &bench, t, "c",
        "{\"version\":1,\"defaults\":{\"pause_s\":0,\"attempts\":3},\"stages\":[{\"name\":\"s\",\"steps\":[" STEP_MAKE(
            "one") "]}]}");
    bench_tell(&bench, "refuse", "refuse s/one"); /* no use in trying */
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_FAILED);
    story = bench_story(&bench);
    tries = 0;
    for (const char *at = story.ptr; (at = strstr(at, "step-failed")); at++) tries++;
    CHECK_INT(tries, 1);
}

TEST(an_undo_that_fails_leaves_a_run_that_can_be_mended)
{
    struct bench bench;
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    bench_init(&bench, t, "b", PIPELINE_SMALL);
    bench_tell(&bench, "fail", "fail dev/two/r3/apply");
    bench_tell(&bench, "fail-undo", "fail dev/two/r2/apply!undo");
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_STUCK);
    CHECK(has(bench_made(&bench), "made-apply-dev-r1")); /* what stands below stays */
    CHECK_INT(bench_do(&bench, BENCH_RESUME), PIPELINE_STUCK);
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_BUSY); /* no new run over it */
    bench_tell(&bench, "fail-undo", NULL);
    CHECK_INT(bench_do(&bench, BENCH_RESUME), PIPELINE_FAILED);
    CHECK_STR(bench_made(&bench), S("made-package--=.\n"));
    bench_check(&bench);
}

TEST(a_stuck_run_can_be_left_as_it_is)
{
    struct bench bench;
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    bench_init(&bench, t, "b", PIPELINE_SMALL);
    bench_tell(&bench, "fail", "fail dev/two/r3/apply");
    bench_tell(&bench, "fail-undo", "fail dev/two/r2/apply!undo");
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_STUCK);
    open_it(&bench, &p);
    CHECK_OK(pipeline_abort(p, S("by hand"), true));
    CHECK_STR(pipeline_state(p)->outcome, S("left"));
    bench_tell(&bench, "fail", NULL);
    CHECK_OK(bench_do(&bench, BENCH_RUN));
    bench_check(&bench);
}

/* ---- interrupting and aborting ---- */

static bool when_hanging(void *ctx)
{
    struct bench *bench = ctx;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/calls", bench->options.root);
    return access(path, F_OK) == 0;
}

TEST(an_interrupted_run_goes_on)
{
    struct bench bench;
    bench_init(&bench, t, "b", PIPELINE_SMALL);
    bench_tell(&bench, "hang", "hang build/package");
    bench.options.on_interrupt = when_hanging;
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_INTERRUPTED);
    bench.options.on_interrupt = NULL;
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_BUSY);
    bench_tell(&bench, "hang", NULL);
    CHECK_OK(bench_do(&bench, BENCH_RESUME));
    bench_check(&bench);
}

TEST(a_run_is_driven_stage_by_stage)
{
    struct bench bench;
    bench_init(&bench, t, "b", PIPELINE_SMALL);
    bench.options.pause_behind = "build";
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_PAUSED);
    CHECK_STR(bench_made(&bench), S("made-package--=.\n"));
    CHECK_INT(bench_do(&bench, BENCH_RESUME), PIPELINE_PAUSED);
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_BUSY);
    bench.options.pause_behind = "nowhere";
    CHECK_INT(bench_do(&bench, BENCH_RESUME), PIPELINE_INVALID);
    bench.options.pause_behind = "dev"; /* the last one: it has ended */
    CHECK_OK(bench_do(&bench, BENCH_RESUME));
    bench_check(&bench);
}

TEST(a_key_begins_one_run)
{
    struct bench bench;
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    bench_init(&bench, t, "b", PIPELINE_SMALL);
    bench.options.key = "41";
    bench.options.pause_behind = "build";
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_PAUSED);
    bench.options.pause_behind = NULL;
    bench.options.key = "42";
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_BUSY);
    bench.options.key = "41";
    CHECK_OK(bench_do(&bench, BENCH_RUN));
    CHECK_OK(bench_do(&bench, BENCH_RUN)); /* tells how it ended */
    open_it(&bench, &p);
    CHECK_OK(pipeline_load(p, 0));
    CHECK_INT(pipeline_state(p)->run, 1);
}

static pid_t in_background(struct bench *bench, enum bench_verb verb)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int r = bench_do(bench, verb);
        _exit(r < 0 ? 100 : r);
    }
    return child;
}
static int end_of(pid_t child)
{
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
static void wait_until_hanging(struct bench *bench)
{
    while (!when_hanging(bench)) usleep(10000);
}

TEST(a_run_that_somebody_drives_is_aborted_by_a_word)
{
    struct bench bench;
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    bench_init(&bench, t, "b", PIPELINE_SMALL);
    bench_tell(&bench, "hang", "hang build/package");
    pid_t child = in_background(&bench, BENCH_RUN);
    wait_until_hanging(&bench);
    open_it(&bench, &p);
    CHECK_INT(pipeline_abort(p, S("changed my mind"), false), PIPELINE_BUSY);
    CHECK(has(pipeline_said(p), "was told"));
    CHECK_INT(end_of(child), PIPELINE_ABORTED);
    CHECK_OK(pipeline_load(p, 1));
    CHECK_STR(pipeline_state(p)->outcome, S("aborted"));
    CHECK_STR(pipeline_state(p)->why, S("changed my mind"));
    CHECK_STR(bench_made(&bench), S(""));
}

TEST(a_run_that_nobody_drives_is_aborted_here)
{
    struct bench bench;
    bench_init(&bench, t, "b", PIPELINE_SMALL);
    CHECK(bench_die(&bench, BENCH_RUN, 16));
    CHECK_INT(bench_do(&bench, BENCH_ABORT), PIPELINE_ABORTED);
    CHECK_STR(bench_made(&bench), S("made-package--=.\n"));
    CHECK_INT(bench_do(&bench, BENCH_ABORT), PIPELINE_NONE);
    bench_check(&bench);
}

/* ---- two at once ---- */

TEST(of_two_runs_one_is_refused_with_who_holds_it)
{
    struct bench bench;
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    bench_init(&bench, t, "b", PIPELINE_SMALL);
    bench_tell(&bench, "hang", "hang build/package");
    pid_t child = in_background(&bench, BENCH_RUN);
    wait_until_hanging(&bench);
    bench.options.who = "bob";
    open_it(&bench, &p);
    CHECK_INT(pipeline_run(p), PIPELINE_BUSY);
    CHECK(has(pipeline_said(p), "driven by ada") && has(pipeline_said(p), "since 20"));
    CHECK_INT(pipeline_resume(p), PIPELINE_BUSY);
    bench_tell(&bench, "hang", NULL);
    CHECK_INT(end_of(child), 0);
}

TEST(of_two_runs_one_waits_and_nothing_interleaves)
{
    struct bench bench;
    bench_init(&bench, t, "b", PIPELINE_SMALL);
    bench_tell(&bench, "hang", "hang build/package");
    bench.options.wait = true;
    pid_t first = in_background(&bench, BENCH_RUN);
    wait_until_hanging(&bench);
    pid_t others[3];
    for (size_t i = 0; i < PX_COUNT(others); i++) others[i] = in_background(&bench, BENCH_RUN);
    bench_tell(&bench, "hang", NULL);
    CHECK_INT(end_of(first), 0);
    for (size_t i = 0; i < PX_COUNT(others); i++) CHECK_INT(end_of(others[i]), 0);
    struct px_str story = bench_story(&bench);
    unsigned open_runs = 0, runs = 0;
    struct px_str line;
    while (px_str_cut(&story, '\n',
                      &line)) { /* in the order of the chain: a run ends before the next begins */
        if (px_str_starts(line, S("run-started"))) runs++, open_runs++;
        if (px_str_starts(line, S("run-ended"))) open_runs--;
        CHECK(open_runs <= 1);
    }
    CHECK_INT(runs, 4);
    bench_check(&bench);
}

TEST(who_lost_the_run_cannot_write_behind_who_took_it)
{
    struct bench bench;
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    bench_init(&bench, t, "b", PIPELINE("3"));
    bench_tell(&bench, "hang", "hang build/package");
    pid_t first = in_background(&bench, BENCH_RUN);
    wait_until_hanging(&bench);
    CHECK(kill(first, SIGSTOP) == 0); /* as a machine that was suspended: alive, and silent */
    bench_tell(&bench, "hang", NULL);
    bench.options.who = "bob";
    bench.options.wait = true;
    CHECK_OK(bench_do(&bench, BENCH_RESUME));
    CHECK(kill(first, SIGCONT) == 0);
    CHECK_INT(end_of(first), PIPELINE_LOST);
    open_it(&bench, &p);
    CHECK_OK(pipeline_load(p, 0));
    CHECK_STR(pipeline_state(p)->outcome, S("succeeded"));
    CHECK_INT(pipeline_state(p)->fence, 2);
    bench_check(&bench);
}

/* ---- gates ---- */

#define GATED(by_starter, expires)                                                                 \
    "{\"version\":1,\"environments\":{\"prod\":{\"approval\":{\"by_starter\":" by_starter          \
    ",\"expires_s\":" expires "}}},"                                                               \
    "\"stages\":[{\"name\":\"prod\",\"environment\":\"prod\",\"steps\":[" STEP_MAKE(               \
        "plan") ",{\"name\":\"gate\",\"action\":\"approval\",\"with\":{\"plan\":\"plan\"}}," STEP_MAKE("apply") "]}]}"
#define DIGEST "0000000000000000000000000000000000000000000000000000000000000007"

static int decide(struct bench *bench, const char *who, bool approve, const char *plan)
{
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    const struct pipeline_decision decision = {approve, px_str_c(plan), S("looked at it")};
    bench->options.who = who;
    open_it(bench, &p);
    int r = pipeline_decide(p, &decision);
    bench->options.who = "ada";
    return r;
}

TEST(a_gate_waits_for_somebody_else)
{
    struct bench bench;
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    bench_init(&bench, t, "b", GATED("false", "3600"));
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_WAITS);
    CHECK_INT(bench_do(&bench, BENCH_RESUME), PIPELINE_WAITS); /* asked once */
    CHECK_INT(decide(&bench, "ada", true, ""), PIPELINE_REFUSED);
    CHECK_INT(decide(&bench, "bob", true, "11111111"), PIPELINE_REFUSED);
    CHECK_INT(decide(&bench, "bob", true, "0000"), PIPELINE_REFUSED); /* too short to mean one */
    CHECK_OK(decide(&bench, "bob", true, DIGEST));
    CHECK_INT(decide(&bench, "bob", false, DIGEST), PIPELINE_REFUSED); /* decided is decided */
    CHECK_OK(bench_do(&bench, BENCH_RESUME));
    CHECK_INT(decide(&bench, "bob", true, DIGEST), PIPELINE_NONE);
    open_it(&bench, &p);
    CHECK_OK(pipeline_load(p, 0));
    const struct state_step *gate = &pipeline_state(p)->steps[1];
    CHECK_STR(gate->decided_by, S("bob"));
    CHECK_STR(px_json_str(gate->result, "approved_by"), S("bob"));
    CHECK_STR(gate->plan, S(DIGEST));
}

TEST(a_rejected_plan_goes_back)
{
    struct bench bench;
    bench_init(&bench, t, "b", GATED("true", "3600"));
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_WAITS);
    CHECK_OK(decide(&bench, "ada", false, ""));
    CHECK_INT(bench_do(&bench, BENCH_RESUME), PIPELINE_FAILED);
    CHECK_STR(bench_made(&bench), S(""));
    CHECK(has(bench_story(&bench), "rejected by ada: looked at it"));
}

static int64_t later_ns(void *ctx) { return px_wall_ns(&px_clock_system) + *(int64_t *)ctx; }
static int64_t mono_ns(void *ctx)
{
    (void)ctx;
    return px_mono_ns(&px_clock_system);
}

TEST(a_decision_has_its_time)
{
    struct bench bench;
    int64_t shift_ns = 0;
    const struct px_clock clock = {later_ns, mono_ns, &shift_ns};
    bench_init(&bench, t, "b", GATED("true", "3600"));
    bench.options.clock = &clock;
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_WAITS);
    shift_ns = 3601 * PX_NS_PER_S;
    CHECK_INT(decide(&bench, "ada", true, ""), PIPELINE_REFUSED);
    CHECK_INT(bench_do(&bench, BENCH_RESUME), PIPELINE_FAILED);
    CHECK(has(bench_story(&bench), "nobody approved it within 3600 s"));
    bench_init(&bench, t, "c", GATED("true", "3600"));
    bench.options.clock = &clock;
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_WAITS);
    CHECK_OK(decide(&bench, "ada", true, ""));
    shift_ns += 3601 * PX_NS_PER_S; /* nobody went on */
    CHECK_INT(bench_do(&bench, BENCH_RESUME), PIPELINE_FAILED);
    CHECK(has(bench_story(&bench), "it was approved, but the run did not go on within 3600 s"));
}

/* ---- the log ---- */

static struct px_str check_log(struct bench *bench, const char *tip)
{
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf problems;
    uint64_t entries = 0;
    unsigned count = 0;
    char now[DIGEST_HEX_BYTES];
    px_buf_init(&problems, 1u << 16);
    open_it(bench, &p);
    CHECK_OK(pipeline_check(p, px_str_c(tip), &problems, &entries, &count, now));
    CHECK_INT(count > 0, problems.len > 0);
    return px_arena_dup(&bench->t->arena, px_buf_str(&problems));
}

static void edit(const struct bench *bench, const char *name, const char *from, const char *to)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", bench->state.ptr, name);
    px_buf_init(&text, 1u << 20);
    CHECK_OK(px_file_read(path, &text));
    char *at = memmem(text.ptr, text.len, from, strlen(from));
    CHECK(at && strlen(from) == strlen(to));
    for (size_t i = 0; to[i]; i++) at[i] = to[i];
    CHECK_OK(px_file_write_atomic(path, px_buf_str(&text), 0600));
}
static void take_out(const struct bench *bench, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", bench->state.ptr, name);
    CHECK(unlink(path) == 0);
}

TEST(a_log_that_was_changed_shows)
{
    struct bench bench;
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    char tip[DIGEST_HEX_BYTES];
    for (int i = 0; i < 6; i++) {
        bench_init(&bench, t, test_path(t, "b%d", i).ptr + strlen(t->dir) + 1, PIPELINE_SMALL);
        CHECK_OK(bench_do(&bench, BENCH_RUN));
        CHECK_OK(bench_do(&bench, BENCH_RUN));
        CHECK_STR(check_log(&bench, ""), S(""));
        open_it(&bench, &p);
        CHECK_OK(pipeline_load(p, 2));
        memcpy(tip, pipeline_state(p)->hash, sizeof tip);
        pipeline_close(&p);
        CHECK_STR(check_log(&bench, tip), S(""));
        char last[64];
        (void)snprintf(last, sizeof last, "runs/000002/%06d.json", bench.entries / 2 + 1);
        struct px_str said;
        switch (i) {
        case 0:
            edit(&bench, "runs/000001/000005.json", "\"who\":\"ada\"", "\"who\":\"eve\"");
            CHECK(has(check_log(&bench, ""), "run 1 entry 6 does not follow"));
            break;
        case 1:
            take_out(&bench, "runs/000001/000005.json");
            CHECK(has(check_log(&bench, ""), "run 1: entries 5 to 5 are missing"));
            break;
        case 2: /* cut off at the end: only the tip tells */
            take_out(&bench, last);
            CHECK(has(check_log(&bench, tip), "no entry has the hash"));
            break;
        case 3: /* the end of a run that another one followed */
            (void)snprintf(last, sizeof last, "runs/000001/%06d.json", bench.entries / 2 + 1);
            take_out(&bench, last);
            CHECK(has(check_log(&bench, ""), "its last entries are missing"));
            break;
        case 4:
            edit(&bench, "runs/000002/000001.json", "\"run\":2", "\"run\":3");
            said = check_log(&bench, "");
            CHECK(has(said, "run 2 entry 1 says that it is entry 1 of run 3"));
            break;
        default:
            edit(&bench, "runs/000002/000003.json", "\"event\"", "\"evenX\"");
            said = check_log(&bench, "");
            CHECK(has(said, "run 2 entry 3 cannot be read"));
            break;
        }
    }
}

TEST(a_pipeline_that_has_changed_does_not_change_a_run)
{
    struct bench bench;
    bench_init(&bench, t, "b", PIPELINE_SMALL);
    CHECK(bench_die(&bench, BENCH_RUN, 10));
    CHECK_OK(px_file_write_atomic(bench.file.ptr, S("{}"), 0600));
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_INVALID);
    CHECK_OK(bench_do(&bench, BENCH_RESUME));
}

TEST_MAIN
