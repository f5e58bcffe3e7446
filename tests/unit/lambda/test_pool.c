/* The pool: which instance gets which event, limits, crashes, starts and the end. */
#include "lambda/pool_rig.h"

/* ---- events ---- */

TEST(from_zero_an_event_starts_an_instance_and_the_next_finds_it_warm)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){.concurrency_max = 1});
    CHECK_INT(stats_of(rig).idle + stats_of(rig).starting, 0);
    struct result *first = finish(invoke(rig, "\"hello\""));
    CHECK_INT(first->outcome, LAMBDA_OK);
    CHECK_STR(first->payload, S("\"hello\""));
    CHECK(first->cold && first->init_ms > 0 && first->duration_ms > 0 && first->max_rss_bytes > 0);
    struct result *second = finish(invoke(rig, "\"again\""));
    CHECK(!second->cold);
    CHECK_INT(stats_of(rig).cold_starts, 1);
    CHECK_INT(stats_of(rig).invocations, 2);
    rig_end(rig);
}

TEST(the_event_has_its_context_and_lambdas_environment)
{
    struct rig *rig = rig_new(
        t, (struct lambda_pool_options){
               .timeout_ms = 7000,
               .env = (const char *const[]){"PRISM_REGION=eu-1", "TEST_X=y z", NULL}});
    struct result *result = finish(invoke_call(
        rig, (struct lambda_call){.payload = S("\"context\""),
                                  .trace_id = S("Root=1-5759e988-bd862e3fe1be46a994272793")}));
    CHECK(px_str_starts(result->payload, px_str_c(result->id)));
    CHECK(has(result->payload, " Root=1-5759e988-bd862e3fe1be46a994272793 1 "));
    int64_t left_ms;
    CHECK(px_str_to_i64(px_str_skip(result->payload, result->payload.len - 4), &left_ms));
    CHECK(left_ms > 3000 && left_ms <= 7000);
    struct px_str env = answer(rig, "\"env\"");
    static const char *const wanted[] = {"AWS_LAMBDA_FUNCTION_NAME=unit\n",
                                         "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512\n",
                                         "AWS_LAMBDA_FUNCTION_VERSION=$LATEST\n",
                                         "AWS_REGION=eu-1\n",
                                         "AWS_DEFAULT_REGION=eu-1\n",
                                         "AWS_LAMBDA_RUNTIME_API=127.0.0.1:",
                                         "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/unit\n",
                                         "AWS_LAMBDA_LOG_STREAM_NAME=20",
                                         "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand\n",
                                         "LAMBDA_TASK_ROOT=/",
                                         "_HANDLER=bootstrap\n",
                                         "TZ=:UTC\n",
                                         "LANG=en_US.UTF-8\n",
                                         "PATH=/",
                                         "TEST_X=y z\n"};
    for (size_t i = 0; i < PX_COUNT(wanted); i++)
        if (!has(env, wanted[i])) TEST_FAIL("%s is missing in\n%.*s", wanted[i], PX_FMT(env));
    CHECK(!has(env, "HOME="));            /* nothing of the region's own environment */
    CHECK(!has(env, "_X_AMZN_TRACE_ID")); /* the second event had none */
    rig_end(rig);
}

TEST(a_function_is_spoken_to_by_the_socket_that_it_was_given_and_by_no_other)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){.concurrency_max = 1});
    CHECK_STR(answer(rig, "\"sockets\""), S("1"));
    CHECK_STR(answer(rig, "\"sockets\""), S("1"));
    rig_end(rig);
    static const char *const not_it[] = {"PRISM_RUNTIME_FD=0", "PRISM_RUNTIME_FD=1",
                                         "PRISM_RUNTIME_FD=99",
                                         "PRISM_RUNTIME_FD=", "PRISM_REGION_PID="};
    for (size_t i = 0; i < PX_COUNT(not_it); i++) { /* then it dials, and answers all the same */
        rig = rig_new(t,
                      (struct lambda_pool_options){.env = (const char *const[]){not_it[i], NULL}});
        CHECK_STR(answer(rig, "\"echo\""), S("\"echo\""));
        CHECK_STR(answer(rig, "\"sockets\""), S("2"));
        rig_end(rig);
    }
}

TEST(errors_and_faults_of_a_function_are_its_outcome)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){.concurrency_max = 1});
    struct result *result = finish(invoke(rig, "\"error\""));
    CHECK_INT(result->outcome, LAMBDA_FUNCTION_ERROR);
    CHECK_STR(result->payload,
              S("{\"errorType\":\"Tenant.Unknown\",\"errorMessage\":\"who?\",\"stackTrace\":[]}"));
    result = finish(invoke(rig, "\"fault\""));
    CHECK_INT(result->outcome, LAMBDA_FUNCTION_ERROR);
    CHECK(has(result->payload,
              "{\"errorType\":\"NO_SPACE\",\"errorMessage\":\"NO_SPACE: no room for \\\"7\\\""));
    CHECK_STR(answer(rig, "\"alive\""), S("\"alive\""));
    CHECK_INT(stats_of(rig).cold_starts, 1); /* by the same process */
    rig_end(rig);
}

TEST(large_events_and_answers_pass_and_too_large_ones_are_named)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){0});
    size_t bytes = LAMBDA_PAYLOAD_BYTES_MAX;
    char *event = malloc(bytes + 1);
    memset(event, 'e', bytes);
    memcpy(event, "\"length ", 8);
    event[bytes - 1] = '"', event[bytes] = '\0';
    CHECK_STR(answer(rig, event), S("6291456"));
    free(event);
    char *over = px_arena_zalloc(&t->arena, bytes + 2);
    memset(over, ' ', bytes + 1);
    struct result *refused = finish(invoke(rig, over));
    CHECK_INT(refused->outcome, LAMBDA_TOO_LARGE);
    CHECK(has(refused->payload, "RequestTooLargeException"));
    CHECK_INT(answer(rig, "\"bytes 6291456\"").len, 6291456);
    struct result *result = finish(invoke(rig, "\"bytes 6291457\""));
    CHECK_INT(result->outcome, LAMBDA_TOO_LARGE);
    CHECK(has(result->payload, "Function.ResponseSizeTooLarge"));
    CHECK_STR(answer(rig, "\"alive\""), S("\"alive\""));
    rig_end(rig);
}

/* ---- limits and crashes ---- */

TEST(a_crash_is_answered_as_lambda_words_it_and_loses_nothing_else)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){.concurrency_max = 1});
    struct result *crash = invoke(rig, "\"crash\""), *waits = invoke(rig, "\"waits\"");
    finish(crash);
    CHECK_INT(crash->outcome, LAMBDA_EXITED);
    char want[256];
#if !defined(__SANITIZE_ADDRESS__)
    (void)snprintf(
        want, sizeof want,
        "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"RequestId: %s Error: Runtime exited with "
        "error: signal: segmentation fault\"}",
        crash->id);
    CHECK_STR(crash->payload, px_str_c(want));
#endif
    CHECK_INT(finish(waits)->outcome, LAMBDA_OK);
    struct result *result = finish(invoke(rig, "\"exit 3\""));
    CHECK(has(result->payload, "Error: Runtime exited with error: exit status 3\"}"));
    result = finish(invoke(rig, "\"exit 0\""));
    CHECK_INT(result->outcome, LAMBDA_EXITED);
    CHECK(has(result->payload, "Runtime exited without providing a reason"));
    CHECK_INT(stats_of(rig).crashes, 3);
    (void)want;
    rig_end(rig);
}

TEST(a_timeout_kills_the_instance_and_says_after_how_long)
{
    struct rig *rig = rig_new(
        t, (struct lambda_pool_options){.timeout_ms = 250, .concurrency_max = 1});
    pid_t pid = pid_in(answer(rig, "\"pid\""));
    struct result *result = finish(invoke(rig, "\"sleep 5000\""));
    CHECK_INT(result->outcome, LAMBDA_TIMED_OUT);
    CHECK(result->duration_ms >= 249 && result->duration_ms < 5000);
    char want[200];
    (void)snprintf(
        want, sizeof want,
        "{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"RequestId: %s Error: Task timed out after "
        "0.25 seconds\"}",
        result->id);
    CHECK_STR(result->payload, px_str_c(want));
    CHECK(pid_in(answer(rig, "\"pid\"")) != pid);
    for (int i = 0; i < 3000 && !is_gone(pid); i++)
        turn_until(rig, &(bool){false}, 1); /* it was killed */
    CHECK(is_gone(pid));
    CHECK_INT(stats_of(rig).timeouts, 1);
    rig_end(rig);
}

TEST(memory_over_the_limit_ends_the_instance)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){.memory_mb = 160});
    struct result *result = finish(invoke(rig, "\"grow 3000\""));
    CHECK_INT(result->outcome, LAMBDA_EXITED);
    CHECK(has(result->payload, "signal: killed"));
    CHECK(result->max_rss_bytes > 160u << 20);
    rig_end(rig);
}

#if !defined(__SANITIZE_ADDRESS__)
TEST(memory_has_a_hard_ceiling_beside_the_sampled_one)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){.memory_mb = 128});
    pid_t pid = pid_in(answer(rig, "\"pid\""));
    struct rlimit limit;
    CHECK_INT(prlimit(pid, RLIMIT_DATA, NULL, &limit), 0);
    CHECK_INT(limit.rlim_max, (128 + 256) << 20);
    rig_end(rig);
}
#endif

/* ---- init ---- */

TEST(an_init_error_is_retried_once_and_then_told)
{
    struct rig *rig = rig_new(
        t, (struct lambda_pool_options){.env = (const char *const[]){"TEST_INIT=fault", NULL}});
    struct result *result = finish(invoke(rig, "\"x\""));
    CHECK_INT(result->outcome, LAMBDA_INIT_FAILED);
    CHECK(has(result->payload, "{\"errorType\":\"CONFIG\",\"errorMessage\":\"CONFIG: no key"));
    char *first = strstr(rig->log, "could not start");
    CHECK(first && strstr(first + 1, "could not start")); /* two starts */
    CHECK(!strstr(strstr(first + 1, "could not start") + 1, "could not start"));
    rig_end(rig);
}

TEST(a_function_that_always_exits_does_not_spin)
{
    struct rig *rig = rig_new(
        t, (struct lambda_pool_options){.env = (const char *const[]){"TEST_INIT=exit", NULL},
                                        .concurrency_min = 1});
    struct result *result = finish(invoke(rig, "\"x\""));
    CHECK_INT(result->outcome, LAMBDA_INIT_FAILED);
    CHECK(has(result->payload, "Runtime exited with error: exit status 3"));
    turn_until(rig, NULL, 300); /* warm minimum or not, starts come 100, 200, 400 ms apart */
    for (int i = 0; i < 200; i++) (void)invoke(rig, "\"x\"");
    turn_until(rig, NULL, 400);
    CHECK_INT(rig->done, 201); /* answered at once while the pool backs off */
    rig_end(rig);
}

TEST(an_executable_that_cannot_be_started_is_an_init_failure)
{
    struct rig *rig = rig_new(t,
                              (struct lambda_pool_options){.executable = "/nonexistent/bootstrap"});
    struct result *result = finish(invoke(rig, "\"x\""));
    CHECK_INT(result->outcome, LAMBDA_INIT_FAILED);
    CHECK(has(result->payload, "Runtime.InvalidEntrypoint") &&
          has(result->payload, "/nonexistent/bootstrap"));
    rig_end(rig);
}

/* ---- scale ---- */

TEST(waiting_events_start_more_instances_up_to_the_maximum)
{
    struct rig *rig = rig_new(t,
                              (struct lambda_pool_options){.concurrency_max = 3, .queue_max = 6});
    struct result *results[10];
    for (int i = 0; i < 10; i++) results[i] = invoke(rig, "\"sleep 400\"");
    unsigned outcomes[LAMBDA_TOO_LARGE + 1] = {0};
    for (int i = 0; i < 10; i++) outcomes[finish(results[i])->outcome]++;
    CHECK_INT(outcomes[LAMBDA_OK], 6);
    CHECK_INT(outcomes[LAMBDA_THROTTLED], 4); /* the queue is bounded */
    CHECK_STR(results[9]->payload.len > 0 && has(results[9]->payload, "TooManyRequestsException")
                  ? S("y")
                  : S("n"),
              S("y"));
    struct lambda_pool_stats stats = stats_of(rig);
    CHECK_INT(stats.idle, 3);
    CHECK_INT(stats.throttles, 4);
    rig_end(rig);
}

TEST(one_group_leaves_room_for_others)
{
    struct rig *rig = rig_new(t,
                              (struct lambda_pool_options){.concurrency_max = 4, .queue_max = 8});
    const struct lambda_call slow = {.payload = S("\"sleep 400\""), .group = 7};
    struct result *flood[12];
    for (size_t i = 0; i < PX_COUNT(flood); i++) {
        flood[i] = invoke_call(rig, slow);
        turn_until(rig, NULL, i < 3 ? 60 : 1);
    }
    CHECK_INT(stats_of(rig).busy, 3);   /* three quarters of 4 */
    CHECK_INT(stats_of(rig).queued, 6); /* and of 8 */
    int64_t begun_ns = px_mono_ns(&px_clock_system);
    struct result *other = finish(
        invoke_call(rig, (struct lambda_call){.payload = S("\"pid\""), .group = 8}));
    CHECK_INT(other->outcome, LAMBDA_OK);
    CHECK((px_mono_ns(&px_clock_system) - begun_ns) / PX_NS_PER_MS < 300);
    CHECK_INT(finish(invoke_call(rig, (struct lambda_call){.payload = S("\"pid\"")}))->outcome,
              LAMBDA_OK);
    size_t throttled = 0, fine = 0;
    for (size_t i = 0; i < PX_COUNT(flood); i++) {
        (void)finish(flood[i]);
        throttled += flood[i]->outcome == LAMBDA_THROTTLED;
        fine += flood[i]->outcome == LAMBDA_OK;
    }
    CHECK_INT(throttled, 3);
    CHECK_INT(fine, 9);
    rig_end(rig);
}

TEST(in_a_full_queue_whoever_has_most_waiting_makes_room)
{
    struct rig *rig = rig_new(t,
                              (struct lambda_pool_options){.concurrency_max = 1, .queue_max = 4});
    struct lambda_call call = {.payload = S("\"sleep 200\""), .group = 7};
    struct result *first = invoke_call(rig, call), *most[3];
    while (stats_of(rig).busy == 0) turn_until(rig, NULL, 1);
    call.payload = S("\"pid\"");
    for (size_t i = 0; i < PX_COUNT(most); i++) most[i] = invoke_call(rig, call);
    call.group = 8;
    struct result *second = invoke_call(rig, call);
    call.group = 9;
    struct result *third = invoke_call(rig, call);
    call.group = 0;
    struct result *nobodys = invoke_call(rig, call); /* has no claim */
    CHECK_INT(finish(most[2])->outcome, LAMBDA_THROTTLED);
    CHECK_INT(finish(nobodys)->outcome, LAMBDA_THROTTLED);
    CHECK_INT(finish(first)->outcome, LAMBDA_OK);
    CHECK_INT(finish(second)->outcome, LAMBDA_OK);
    CHECK_INT(finish(third)->outcome, LAMBDA_OK);
    for (size_t i = 0; i < 2; i++) CHECK_INT(finish(most[i])->outcome, LAMBDA_OK);
    rig_end(rig);
}

TEST(a_place_that_a_crash_gives_back_is_taken)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){.concurrency_max = 2});
    struct result *idle = invoke_call(rig, (struct lambda_call){.payload = S("\"pid\"")});
    struct result *crash = invoke_call(rig,
                                       (struct lambda_call){.payload = S("\"crash\""), .group = 7});
    struct result *waits = invoke_call(rig,
                                       (struct lambda_call){.payload = S("\"pid\""), .group = 7});
    CHECK_INT(finish(idle)->outcome, LAMBDA_OK);
    CHECK_INT(finish(crash)->outcome, LAMBDA_EXITED);
    CHECK_INT(finish(waits)->outcome, LAMBDA_OK);
    rig_end(rig);
}

TEST(idle_instances_end_but_the_warm_minimum_stays)
{
    struct rig *rig = rig_new(
        t, (struct lambda_pool_options){.concurrency_min = 1,
                                        .concurrency_max = 3,
                                        .idle_ms = 150,
                                        .env = (const char *const[]){"TEST_STOP_FILE=/tmp", NULL}});
    struct result *results[3];
    for (int i = 0; i < 3; i++) results[i] = invoke(rig, "\"sleep 2000\"");
    for (int i = 0; i < 190 && stats_of(rig).busy != 3; i++) turn_until(rig, NULL, 10);
    CHECK_INT(stats_of(rig).busy, 3);
    for (int i = 0; i < 3; i++) CHECK_INT(finish(results[i])->outcome, LAMBDA_OK);
    /* how soon is the machine's matter; that it stays at one, the pool's */
    for (int i = 0; i < 100 && stats_of(rig).idle != 1; i++) turn_until(rig, NULL, 100);
    turn_until(rig, NULL, 400);
    struct lambda_pool_stats stats = stats_of(rig);
    CHECK_INT(stats.idle, 1);
    CHECK_INT(stats.starting + stats.busy, 0);
    CHECK_INT(stats.crashes, 0);
    rig_end(rig);
}

TEST(an_instance_that_is_let_go_before_its_first_event_has_not_failed)
{
    struct rig *rig = rig_new(
        t, (struct lambda_pool_options){.concurrency_min = 3, .concurrency_max = 3});
    for (int i = 0; i < 100 && stats_of(rig).idle != 3; i++) turn_until(rig, NULL, 10);
    lambda_pool_keep(rig->pool, 0);
    for (int i = 0; i < 3; i++) CHECK(lambda_pool_shed(rig->pool));
    turn_until(rig, NULL, 400);
    CHECK_INT(stats_of(rig).init_failures, 0);
    CHECK_INT(finish(invoke(rig, "\"pid\""))->outcome, LAMBDA_OK);
    rig_end(rig);
}

TEST(a_warm_minimum_is_there_before_the_first_event_and_after_a_crash)
{
    struct rig *rig = rig_new(
        t, (struct lambda_pool_options){.concurrency_min = 2, .concurrency_max = 2});
    turn_until(rig, NULL, 400);
    CHECK_INT(stats_of(rig).idle, 2);
    struct result *result = finish(invoke(rig, "\"pid\""));
    CHECK(!result->cold); /* nobody waited for its start */
    CHECK_INT(finish(invoke(rig, "\"exit 1\""))->outcome, LAMBDA_EXITED);
    turn_until(rig, NULL, 400);
    CHECK_INT(stats_of(rig).idle, 2);
    rig_end(rig);
}

/* ---- callers that go ---- */

TEST(a_waiting_invocation_can_be_cancelled_and_a_running_one_is_signalled)
{
    struct rig *rig = rig_new(
        t, (struct lambda_pool_options){.concurrency_max = 1, .cancel_on_gone = true});
    CHECK_STR(answer(rig, "\"warm\""), S("\"warm\""));
    struct result *running = px_arena_new(&t->arena, struct result),
                  *waiting = px_arena_new(&t->arena, struct result);
    running->rig = waiting->rig = rig;
    struct lambda_call call = {
        .payload = S("\"untilgone\""), .request_id = S("id-1"), .on_done = on_done, .ctx = running};
    struct lambda_invocation *first = lambda_pool_invoke(rig->pool, &call);
    call.ctx = waiting, call.request_id = S("id-2");
    struct lambda_invocation *second = lambda_pool_invoke(rig->pool, &call);
    turn_until(rig, NULL, 30);
    lambda_invocation_cancel(second);
    CHECK(!waiting->done);
    CHECK_INT(finish(waiting)->outcome, LAMBDA_EXITED);
    lambda_invocation_cancel(first);
    CHECK_STR(finish(running)->payload, S("gone 1"));
    rig_end(rig);
}

/* ---- output ---- */

TEST(output_goes_to_the_log_file_and_the_callback_line_by_line)
{
    const char *path = test_path(t, "unit.log").ptr;
    struct rig *rig = rig_new(t, (struct lambda_pool_options){.log_path = path});
    (void)answer(rig, "\"log\"");
    rig_end(rig);
    CHECK_INT(rig->lines, 3);
    CHECK(strstr(rig->log, "\"message\":\"line one\",\"requestId\":\""));
    CHECK(strstr(rig->log, "|to stderr|half a line|"));
    struct px_buf text;
    px_buf_init(&text, 1 << 20);
    CHECK_OK(px_file_read(path, &text));
    CHECK(has(px_buf_str(&text), "line one") &&
          has(px_buf_str(&text), "\nto stderr\nhalf a line\n"));
    px_buf_deinit(&text);
}

/* ---- the end ---- */

TEST(stopping_lets_what_runs_end_and_runs_the_functions_stop)
{
    const char *mark = test_path(t, "stopped").ptr;
    struct px_str env = px_arena_printf(&t->arena, "TEST_STOP_FILE=%s", mark);
    struct rig *rig = rig_new(
        t, (struct lambda_pool_options){.env = (const char *const[]){env.ptr, NULL}});
    (void)answer(rig, "\"warm\"");
    struct result *running = invoke(rig, "\"sleep 300\"");
    turn_until(rig, NULL, 50);
    lambda_pool_stop(rig->pool, 5000, on_stopped, rig);
    struct result *late = invoke(rig, "\"late\"");
    CHECK_INT(finish(late)->outcome, LAMBDA_THROTTLED);
    CHECK_INT(finish(running)->outcome, LAMBDA_OK);
    turn_until(rig, &rig->stopped, 5000);
    CHECK(rig->stopped);
    CHECK_INT(access(mark, F_OK), 0);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    CHECK_INT(uv_loop_close(&rig->loop), 0);
}

TEST(stopping_ends_what_does_not_end_by_itself)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){0});
    pid_t pid = pid_in(answer(rig, "\"pid\""));
    struct result *running = invoke(rig, "\"sleep 15000\"");
    turn_until(rig, NULL, 50);
    int64_t begin_ns = px_mono_ns(&px_clock_system);
    lambda_pool_stop(rig->pool, 100, on_stopped, rig);
    turn_until(rig, &rig->stopped, 8000);
    CHECK(rig->stopped && px_mono_ns(&px_clock_system) - begin_ns < 5 * PX_NS_PER_S);
    CHECK_INT(running->outcome, LAMBDA_EXITED);
    CHECK(is_gone(pid));
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    CHECK_INT(uv_loop_close(&rig->loop), 0);
}

TEST(freeing_kills_what_is_left)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){.concurrency_min = 1});
    pid_t pid = pid_in(answer(rig, "\"pid\""));
    (void)invoke(rig, "\"sleep 15000\"");
    turn_until(rig, NULL, 30);
    lambda_pool_free(&rig->pool);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    CHECK(is_gone(pid));
    CHECK_INT(rig->done, 1); /* no callback after that */
    CHECK_INT(uv_loop_close(&rig->loop), 0);
}

/* A region killed outright takes its functions along: they see the end of their Runtime API. */
TEST(functions_die_with_a_region_that_is_killed)
{
    int ends[2];
    CHECK_INT(pipe(ends), 0);
    CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* orphans come here to be reaped */
    pid_t region = fork();
    if (region == 0) {
        struct rig *rig = rig_new(t, (struct lambda_pool_options){.concurrency_max = 2});
        struct result *a = invoke(rig, "\"sleep 100\""), *b = invoke(rig, "\"sleep 100\"");
        finish(a), finish(b);
        dprintf(ends[1], "%.*s %.*s\n", PX_FMT(a->payload), PX_FMT(b->payload));
        (void)invoke(rig, "\"sleep 400\""); /* one of them is at work when the region dies */
        turn_until(rig, NULL, 20000);
        _exit(0);
    }
    char text[64] = "";
    CHECK(read(ends[0], text, sizeof text - 1) > 0);
    struct px_str second = px_str_trim(px_str_c(text)), first;
    CHECK(px_str_cut(&second, ' ', &first));
    pid_t pids[] = {pid_in(first), pid_in(second)};
    CHECK(!is_gone(pids[0]) && !is_gone(pids[1]));
    usleep(50000);
    CHECK_INT(kill(region, SIGKILL), 0);
    CHECK_INT(waitpid(region, NULL, 0), region);
    for (int i = 0; i < 100 && !(is_gone(pids[0]) && is_gone(pids[1])); i++) {
        usleep(10000);
        (void)waitpid(-1, NULL, WNOHANG);
    }
    CHECK(is_gone(pids[0]));
    CHECK(is_gone(pids[1]));
    px_close(&ends[0]);
    px_close(&ends[1]);
}

int main(int argc, char **argv) { return pool_main(argc, argv); }
