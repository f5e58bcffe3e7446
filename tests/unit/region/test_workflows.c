/* Executions in a loop of their own, with their journal: what a whole region's tests cannot provoke. */
#include "support/support.h"

#include <fcntl.h>

#include "region/workflows_internal.h"

#define WAIT_AND_PASS                                                                              \
    "{\"StartAt\":\"W\",\"States\":{\"W\":{\"Type\":\"Wait\",\"Seconds\":1,\"Next\":\"P\"},"       \
    "\"P\":{\"Type\":\"Pass\",\"End\":true}}}"

/* libuv keeps two descriptors for signals from its first loop on; no test is to be blamed for them. */
__attribute__((constructor)) static void open_first_loop(void)
{
    uv_loop_t loop;
    if (uv_loop_init(&loop) == 0) (void)uv_loop_close(&loop);
}

struct world {
    uv_loop_t loop;
    struct data_dir data;
    struct function_catalogue functions;
    struct px_log log;
    struct workflows *w;
    char arn[200];
    enum start_outcome outcome;
    bool started, ended;
    enum asl_status status;
};

static void write_platform(struct test *t, const char *definition)
{
    CHECK_OK(px_dir_make(test_path(t, "platform/workflows").ptr));
    CHECK_OK(px_file_write_atomic(
        test_path(t, "platform/workflows.json").ptr,
        S("{\"machines\":{\"m\":{\"type\":\"STANDARD\"},\"x\":{\"type\":\"EXPRESS\"}}}"), 0600));
    CHECK_OK(px_file_write_atomic(test_path(t, "platform/workflows/m.asl.json").ptr,
                                  px_str_c(definition), 0600));
    CHECK_OK(px_file_write_atomic(test_path(t, "platform/workflows/x.asl.json").ptr,
                                  px_str_c(definition), 0600));
}

static void begin(struct test *t, struct world *world)
{
    *world = (struct world){
        .data = {.path = px_str(t->dir, strlen(t->dir)), .region_name = S("test")}};
    world->log = (struct px_log){.fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
                                 .level = PX_ERROR,
                                 .clock = &px_clock_system};
    CHECK_INT(uv_loop_init(&world->loop), 0);
    const struct workflows_options options = {
        .loop = &world->loop,
        .data = &world->data,
        .platform_dir = test_path(t, "platform").ptr,
        .functions = &world->functions,
        .clock = &px_clock_system,
        .log = &world->log,
    };
    CHECK_OK(workflows_new(&options, &world->w));
    workflows_go(world->w);
}

static void finish(struct world *world)
{
    workflows_close(world->w);
    CHECK_INT(uv_run(&world->loop, UV_RUN_DEFAULT), 0);
    workflows_free(&world->w);
    CHECK_INT(uv_loop_close(&world->loop), 0);
    CHECK_INT(close(world->log.fd), 0);
}

static void on_done(void *ctx, const struct start_result *result)
{
    struct world *world = ctx;
    world->started = true;
    world->outcome = result->outcome;
    (void)snprintf(world->arn, sizeof world->arn, "%.*s", PX_FMT(result->arn));
    if (!result->info || result->info->status == ASL_RUNNING) return;
    world->ended = true;
    world->status = result->info->status;
}

static void start(struct world *world, const char *machine, const char *name, struct px_str input,
                  bool until_end)
{
    const struct start_request request = {
        .machine = workflow_machine_find(&world->w->catalogue, px_str_c(machine)),
        .name = px_str_c(name),
        .input = input,
        .until_end = until_end,
        .done = on_done,
        .ctx = world,
    };
    world->started = world->ended = false;
    workflows_start(world->w, &request);
}

static struct px_str large_input(struct test *t, size_t bytes)
{
    char *text = px_arena_alloc(&t->arena, bytes + 2);
    memset(text, 'x', bytes + 2);
    text[0] = text[bytes + 1] = '"';
    return px_str(text, bytes + 2);
}

/* Of an execution that came by an alias both the alias and the version that it drew are told. */
TEST(figures_are_told_by_version_and_by_alias)
{
    struct world world;
    write_platform(t, WAIT_AND_PASS);
    begin(t, &world);
    const struct workflow_machine *machine = workflow_machine_find(&world.w->catalogue, S("m"));
    const struct start_request request = {.machine = machine,
                                          .name = S("by-alias"),
                                          .qualifier = S(WORKFLOW_LIVE),
                                          .input = S("{}"),
                                          .until_end = true,
                                          .done = on_done,
                                          .ctx = &world};
    workflows_start(world.w, &request);
    while (!world.started) (void)uv_run(&world.loop, UV_RUN_ONCE);
    CHECK(world.ended && world.status == ASL_SUCCEEDED);
    machine_count_refused(world.w, machine, 1, S(WORKFLOW_LIVE));
    machine_count_refused(world.w, machine, 2, S(""));
    static const struct {
        struct workflows_subject subject;
        uint64_t started, refused;
    } cases[] = {{{.machine = S("m")}, 1, 2},
                 {{.machine = S("m"), .version = 1}, 1, 1},
                 {{.machine = S("m"), .version = 2}, 0, 1},
                 {{.machine = S("m"), .alias = S(WORKFLOW_LIVE)}, 1, 1},
                 {{.machine = S("m"), .alias = S("other")}, 0, 0}};
    int64_t now_s = px_wall_ns(&px_clock_system) / PX_NS_PER_S;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct figures_sum sum = {0};
        CHECK(workflows_figures(world.w, &cases[i].subject, now_s - 60, now_s + 60, &sum));
        CHECK_INT(sum.started, cases[i].started);
        CHECK_INT(sum.throttles, cases[i].refused);
    }
    finish(&world);
}

TEST(an_execution_is_in_the_journal_when_its_start_is_told_and_when_its_end_is)
{
    struct world world;
    struct execution_row row;
    write_platform(t, WAIT_AND_PASS);
    begin(t, &world);
    start(&world, "m", "one", S("{\"a\":1}"), false);
    while (!world.started) (void)uv_run(&world.loop, UV_RUN_ONCE);
    CHECK_INT(world.outcome, START_OK);
    CHECK_STR(px_str_c(world.arn), S("arn:aws:states:test:000000000000:execution:prism-m:one"));
    CHECK_OK(execution_find(world.w->reader, S("prism-m"), S("one"), &t->arena, &row));
    CHECK_INT(row.status, EXECUTION_RUNNING);
    start(&world, "m", "one", S("{\"a\":1}"), true); /* the same */
    while (!world.started) (void)uv_run(&world.loop, UV_RUN_ONCE);
    CHECK(world.ended && world.status == ASL_SUCCEEDED);
    struct figures_sum sum = {0};
    int64_t now_s = px_wall_ns(&px_clock_system) / PX_NS_PER_S;
    struct workflows_subject subject = {.machine = S("m")}, none = {.machine = S("nothing")};
    CHECK(workflows_figures(world.w, &subject, now_s - 60, now_s + 60, &sum));
    CHECK(sum.started == 1 && sum.invocations == 1 && sum.errors == 0 && sum.duration_min_ms > 900);
    subject.version = 7;
    CHECK(workflows_figures(world.w, &subject, now_s - 60, now_s + 60, &sum) && sum.started == 1);
    CHECK(!workflows_figures(world.w, &none, now_s - 60, now_s + 60, &sum));
    CHECK_OK(execution_find(world.w->reader, S("prism-m"), S("one"), &t->arena, &row));
    CHECK_INT(row.status, EXECUTION_SUCCEEDED);
    CHECK_STR(row.output, S("{\"a\":1}"));
    start(&world, "m", "one", S("{\"a\":1}"), false);
    while (!world.started) (void)uv_run(&world.loop, UV_RUN_ONCE);
    CHECK_INT(world.outcome, START_EXISTS);
    finish(&world);
}

TEST(what_was_running_goes_on_in_the_next_process)
{
    struct world world;
    struct execution_row row;
    write_platform(t, WAIT_AND_PASS);
    begin(t, &world);
    start(&world, "m", "one", S("[1]"), false);
    while (!world.started) (void)uv_run(&world.loop, UV_RUN_ONCE);
    finish(&world);
    write_platform(t, "{\"StartAt\":\"F\",\"States\":{\"F\":{\"Type\":\"Fail\"}}}");
    begin(t, &world); /* with the definition that it began with */
    CHECK_INT(asl_engine_count(world.w->engine), 1);
    while (asl_engine_count(world.w->engine) > 0) (void)uv_run(&world.loop, UV_RUN_ONCE);
    CHECK_OK(execution_find(world.w->reader, S("prism-m"), S("one"), &t->arena, &row));
    CHECK_INT(row.status, EXECUTION_SUCCEEDED);
    CHECK_STR(row.output, S("[1]"));
    start(&world, "m", "two", S("[1]"), true);
    while (!world.started) (void)uv_run(&world.loop, UV_RUN_ONCE);
    CHECK_INT(world.status, ASL_FAILED_STATUS);
    finish(&world);
}

static void set_room(struct workflows *w, size_t bytes)
{
    for (size_t i = 0; i < PX_COUNT(w->batches); i++) w->batches[i].arena.limit_bytes = bytes;
}

TEST(an_execution_whose_turn_the_journal_cannot_take_is_made_to_go_on_from_it)
{
    struct world world;
    struct px_str *lines;
    struct execution_row row;
    size_t count;
    write_platform(t, WAIT_AND_PASS);
    begin(t, &world);
    start(&world, "m", "one", large_input(t, 200000), false);
    while (!world.started) (void)uv_run(&world.loop, UV_RUN_ONCE);
    CHECK_INT(world.outcome, START_OK);
    for (size_t i = 0; i < PX_COUNT(world.w->batches); i++) /* no block that is kept has room */
        px_arena_deinit(&world.w->batches[i].arena);
    set_room(world.w, 1000);
    while (!uv_is_active((uv_handle_t *)&world.w->recovery)) (void)uv_run(&world.loop, UV_RUN_ONCE);
    CHECK_INT(asl_engine_count(world.w->engine), 0);
    set_room(world.w, (size_t)1 << 30);
    while (uv_is_active((uv_handle_t *)&world.w->recovery)) (void)uv_run(&world.loop, UV_RUN_ONCE);
    while (asl_engine_count(world.w->engine) > 0) (void)uv_run(&world.loop, UV_RUN_ONCE);
    CHECK_OK(execution_find(world.w->reader, S("prism-m"), S("one"), &t->arena, &row));
    CHECK_INT(row.status, EXECUTION_SUCCEEDED);
    CHECK_OK(
        execution_history(world.w->reader, row.number, 1, false, 100, &t->arena, &lines, &count));
    CHECK_INT(count, row.event_count);
    CHECK_INT(world.w->run_count, 0);
    finish(&world);
}

TEST(who_waits_for_one_that_never_was_in_the_journal_is_told)
{
    struct world world;
    write_platform(t, WAIT_AND_PASS);
    begin(t, &world);
    set_room(world.w, 1000);
    start(&world, "m", "one", large_input(t, 200000), false);
    while (!world.started) (void)uv_run(&world.loop, UV_RUN_ONCE);
    CHECK(world.outcome != START_OK);
    CHECK_INT(world.w->run_count, 0);
    set_room(world.w, (size_t)1 << 30);
    start(&world, "m", "one", S("1"), true); /* the name is free */
    while (!world.started) (void)uv_run(&world.loop, UV_RUN_ONCE);
    CHECK_INT(world.outcome, START_OK);
    finish(&world);
}

TEST(express_executions_leave_no_trace)
{
    struct world world;
    uint64_t last;
    write_platform(t, WAIT_AND_PASS);
    begin(t, &world);
    start(&world, "x", "", S("{\"secret\":1}"), true);
    CHECK_INT(world.w->express_count, 1);
    while (!world.started) (void)uv_run(&world.loop, UV_RUN_ONCE);
    CHECK(world.ended && world.status == ASL_SUCCEEDED);
    CHECK_OK(execution_last_number(world.w->reader, &last));
    CHECK_INT(last, 0);
    CHECK_INT(world.w->express_count, 0);
    finish(&world);
}

TEST(closing_tells_whoever_waits)
{
    struct world world;
    write_platform(t, WAIT_AND_PASS);
    begin(t, &world);
    start(&world, "m", "one", S("{}"), true);
    (void)uv_run(&world.loop, UV_RUN_NOWAIT);
    finish(&world);
    CHECK(world.started && !world.ended);
    CHECK_INT(world.outcome, START_CLOSING);
}

TEST_MAIN
