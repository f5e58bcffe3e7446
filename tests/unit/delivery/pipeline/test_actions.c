/* The actions that come with the engine: programs, bakes, releases. */
// link: px_delivery_pipeline
#include "delivery/pipeline/pipeline_support.h"

#include "delivery/pipeline/exec.h"
#include "delivery/pipeline/release.h"
#include "delivery/pipeline/release_machines.h"

static bool has(struct px_str text, const char *part)
{
    return text.len > 0 && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/* ---- an action alone ---- */

struct alone {
    struct test *t;
    struct action_context ctx;
    struct action_gate gate;
    struct px_buf error, kept;
    bool cancel;
    struct action_release delivered;
    int64_t cancel_at_ns;
};
static bool alone_is_cancelled(void *ctx)
{
    struct alone *a = ctx;
    return a->cancel || (a->cancel_at_ns && px_mono_ns(&px_clock_system) > a->cancel_at_ns);
}
static void alone_progress(void *ctx, const struct action_progress *progress)
{
    (void)ctx, (void)progress;
}
static int alone_note(void *ctx, struct px_str json)
{
    (void)ctx, (void)json;
    return 0;
}
static int alone_keep(void *ctx, struct px_str name, struct px_str bytes)
{
    struct alone *a = ctx;
    (void)name;
    px_buf_clear(&a->kept);
    px_buf_add_str(&a->kept, bytes);
    return 0;
}
static int alone_kept(void *ctx, struct px_str step, struct px_str name, struct px_buf *buf)
{
    (void)ctx, (void)step, (void)name, (void)buf;
    return 1;
}
static int alone_delivered(void *ctx, struct px_str environment, struct action_release *ret_release)
{
    struct alone *a = ctx;
    (void)environment;
    *ret_release = a->delivered;
    return 0;
}
static void alone_init(struct alone *a, struct action_host *host, struct test *t)
{
    *a = (struct alone){.t = t};
    *host = (struct action_host){.is_cancelled = alone_is_cancelled,
                                 .progress = alone_progress,
                                 .note = alone_note,
                                 .keep = alone_keep,
                                 .kept = alone_kept,
                                 .delivered = alone_delivered,
                                 .ctx = a};
    px_buf_init(&a->error, 1u << 16);
    px_buf_init(&a->kept, 4u << 20);
    a->ctx = (struct action_context){.arena = &t->arena,
                                     .clock = &px_clock_system,
                                     .run = S("000001"),
                                     .step = S("s/a"),
                                     .root = t->dir,
                                     .work_dir = t->dir,
                                     .table = &test_table,
                                     .gate = &a->gate,
                                     .host = host,
                                     .error = &a->error,
                                     .began_ns = px_wall_ns(&px_clock_system),
                                     .deadline_ns = px_mono_ns(&px_clock_system) +
                                                    600 * PX_NS_PER_S};
}
static void alone_deinit(struct alone *a)
{
    px_buf_deinit(&a->error);
    px_buf_deinit(&a->kept);
}
static int act(struct alone *a, const struct action *action, const char *with,
               yyjson_val **ret_result)
{
    yyjson_val *root = NULL;
    CHECK_OK(px_json_parse(px_str_c(with), &a->t->arena, &root, NULL));
    *ret_result = NULL;
    a->ctx.with = root;
    return action->run(&a->ctx, root, ret_result);
}
#define ALONE(name)                                                                                \
    struct action_host host;                                                                       \
    PX_AUTO(alone_deinit) struct alone name;                                                       \
    yyjson_val *result __attribute__((unused)) = NULL;                                             \
    alone_init(&name, &host, t)

/* ---- command ---- */

TEST(a_command_gets_its_arguments_as_they_are)
{
    ALONE(a);
    CHECK_OK(act(&a, &action_command,
                 "{\"argv\":[\"printf\",\"%s|\",\"a b\",\"$HOME\",\"*\",\"\"]}", &result));
    CHECK_STR(px_buf_str(&a.kept), S("a b|$HOME|*||\n"));
}

TEST(a_command_sees_listed_variables_alone)
{
    ALONE(a);
    (void)setenv("PIPELINE_SEEN", "yes", 1);
    (void)setenv("PIPELINE_HIDDEN", "no", 1);
    CHECK_OK(
        act(&a, &action_command,
            "{\"argv\":[\"env\"],\"pass\":[\"PATH\",\"PIPELINE_SEEN\"],\"set\":{\"MORE\":\"1\"}}",
            &result));
    struct px_str said = px_buf_str(&a.kept);
    CHECK(has(said, "PIPELINE_SEEN=yes\n") && has(said, "MORE=1\n") &&
          has(said, "PRISM_RUN=000001\n"));
    CHECK(!has(said, "PIPELINE_HIDDEN"));
}

TEST(secrets_are_taken_out_of_what_is_kept)
{
    ALONE(a);
    (void)setenv("PIPELINE_TOKEN", "hunter2hunter2", 1);
    CHECK_INT(
        act(&a, &action_command,
            "{\"argv\":[\"sh\",\"-c\",\"echo x${PIPELINE_TOKEN}y >&2; printf hunter2; printf 'hunter2\\n'; exit 3\"],\"pass\":[\"PATH\",\"PIPELINE_TOKEN\"]}",
            &result),
        ACTION_FAILED);
    CHECK(has(px_buf_str(&a.kept), "x[redacted]y"));
    CHECK(!has(px_buf_str(&a.kept), "hunter2") && !has(px_buf_str(&a.error), "hunter2"));
    CHECK(has(px_buf_str(&a.error), "exit code 3"));
}

TEST(what_a_command_writes_is_bounded)
{
    ALONE(a);
    CHECK_OK(act(
        &a, &action_command,
        "{\"argv\":[\"sh\",\"-c\",\"i=0; while [ $i -lt 60 ]; do head -c 100000 /dev/zero | tr '\\\\0' x; echo; i=$((i+1)); done; echo the end\"]}",
        &result));
    CHECK(a.kept.len < (3u << 20));
    CHECK(px_str_ends(px_buf_str(&a.kept), S("the end\n")));
}

TEST(a_result_is_a_json_object)
{
    ALONE(a);
    CHECK_OK(act(&a, &action_command,
                 "{\"argv\":[\"echo\",\"{\\\"digest\\\":\\\"12\\\"}\"],\"result\":true}", &result));
    CHECK_STR(px_json_str(result, "digest"), S("12"));
    CHECK_INT(act(&a, &action_command, "{\"argv\":[\"echo\",\"12\"],\"result\":true}", &result),
              ACTION_REFUSED);
}

TEST(a_program_that_is_not_there_is_refused)
{
    ALONE(a);
    CHECK_INT(act(&a, &action_command, "{\"argv\":[\"no-such-program\"]}", &result),
              ACTION_REFUSED);
    CHECK(has(px_buf_str(&a.error), "no program no-such-program"));
    CHECK_INT(act(&a, &action_command, "{\"argv\":[\"./nor-this\"]}", &result), ACTION_REFUSED);
    CHECK_INT(act(&a, &action_command, "{\"argv\":[\"true\"],\"dir\":\"nowhere\"}", &result),
              ACTION_REFUSED);
}

/* A child of a child that left the group, and holds a pipe; its number is in a file. */
#define ESCAPES                                                                                    \
    "setsid sh -c 'echo $$ > pid; exec sleep 1000' & while ! [ -s pid ]; do sleep 0.01; done; "

static pid_t escaped(struct test *t)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    int64_t pid = 0;
    px_buf_init(&text, 100);
    CHECK_OK(px_file_read(test_path(t, "pid").ptr, &text));
    CHECK(px_str_to_i64(px_str_trim(px_buf_str(&text)), &pid) && pid > 1);
    return (pid_t)pid;
}

TEST(nothing_outlives_a_command)
{
    ALONE(a);
    CHECK_OK(act(&a, &action_command, "{\"argv\":[\"sh\",\"-c\",\"" ESCAPES "exit 0\"]}", &result));
    CHECK_INT(kill(escaped(t), 0), -1);
}

TEST(a_command_ends_at_its_deadline)
{
    ALONE(a);
    a.ctx.deadline_ns = px_mono_ns(&px_clock_system) + 300 * PX_NS_PER_MS;
    CHECK_INT(
        act(&a, &action_command, "{\"argv\":[\"sh\",\"-c\",\"echo busy; sleep 1000\"]}", &result),
        ACTION_FAILED);
    CHECK(has(px_buf_str(&a.error), "did not end in time"));
    a.ctx.deadline_ns = px_mono_ns(&px_clock_system) + 600 * PX_NS_PER_S;
    a.cancel_at_ns = px_mono_ns(&px_clock_system) + 300 * PX_NS_PER_MS;
    CHECK_INT(act(&a, &action_command, "{\"argv\":[\"sleep\",\"1000\"]}", &result),
              ACTION_CANCELLED);
}

TEST(a_command_ends_with_a_pipeline_that_is_killed)
{
    ALONE(a);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)act(&a, &action_command, "{\"argv\":[\"sh\",\"-c\",\"" ESCAPES "sleep 1000\"]}",
                  &result);
        _exit(0);
    }
    while (access(test_path(t, "pid").ptr, F_OK) != 0) usleep(10000);
    struct px_buf text;
    px_buf_init(&text, 100);
    while (px_file_read(test_path(t, "pid").ptr, &text) != 0 || text.len == 0) usleep(10000);
    px_buf_deinit(&text);
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, NULL, 0) == child);
    /* who runs the step again waits for what is left of it, and then it is gone */
    CHECK_OK(act(&a, &action_command, "{\"argv\":[\"true\"]}", &result));
    CHECK_INT(kill(escaped(t), 0), -1);
}

/* ---- wait ---- */

#define FIGURES(text) "\"figures\":[\"echo\",\"" text "\"],\"every_s\":1"

TEST(a_bake_wants_time_and_requests_and_no_alarm)
{
    ALONE(a);
    CHECK_OK(act(&a, &action_wait, "{\"time_s\":0}", &result));
    CHECK_OK(act(
        &a, &action_wait,
        "{\"time_s\":0,\"requests_min\":5,\"alarms\":[\"*\"]," FIGURES(
            "{\\\"requests\\\":5,\\\"alarms\\\":[{\\\"name\\\":\\\"a\\\",\\\"state\\\":\\\"OK\\\"}]}") "}",
        &result));
    CHECK_INT(px_json_i64(result, "requests", 0), 5);
    CHECK_INT(
        act(&a, &action_wait,
            "{\"time_s\":1000,\"alarms\":[\"*\"]," FIGURES(
                "{\\\"alarms\\\":[{\\\"name\\\":\\\"a\\\",\\\"state\\\":\\\"ALARM\\\"}]}") "}",
            &result),
        ACTION_REFUSED);
    CHECK(has(px_buf_str(&a.error), "1 alarm fires: a"));
    CHECK_OK(act(&a, &action_wait,
                 "{\"time_s\":0,\"alarms\":[\"b\"]," FIGURES(
                     "{\\\"alarms\\\":[{\\\"name\\\":\\\"a\\\",\\\"state\\\":\\\"ALARM\\\"}]}") "}",
                 &result));
    CHECK_INT(act(&a, &action_wait, "{\"time_s\":0,\"requests_min\":5}", &result), ACTION_REFUSED);
    CHECK(has(px_buf_str(&a.error), "nothing tells them"));
    a.ctx.deadline_ns = px_mono_ns(&px_clock_system);
    CHECK_INT(act(&a, &action_wait,
                  "{\"time_s\":0,\"requests_min\":5," FIGURES("{\\\"requests\\\":4}") "}", &result),
              ACTION_REFUSED);
    CHECK(has(px_buf_str(&a.error), "only 4 of 5"));
}

TEST(a_bake_without_figures_does_not_end_well)
{
    ALONE(a);
    a.ctx.deadline_ns = px_mono_ns(&px_clock_system);
    CHECK_INT(
        act(&a, &action_wait, "{\"time_s\":0,\"alarms\":[\"*\"],\"figures\":[\"false\"]}", &result),
        ACTION_REFUSED);
    CHECK(has(px_buf_str(&a.error), "no figures to judge it by"));
    CHECK_INT(act(&a, &action_wait,
                  "{\"time_s\":0,\"alarms\":[\"*\"],\"figures\":[\"echo\",\"what\"]}", &result),
              ACTION_REFUSED);
}

TEST(a_bake_counts_from_its_first_beginning)
{
    ALONE(a);
    a.ctx.began_ns -= 1000 * PX_NS_PER_S;
    CHECK_OK(act(&a, &action_wait, "{\"time_s\":900}", &result));
    a.cancel = true;
    CHECK_INT(act(&a, &action_wait, "{\"time_s\":2000}", &result), ACTION_CANCELLED);
}

/* ---- release and promote ---- */

static void package(struct test *t, const char *bytes)
{
    char hash[DIGEST_HEX_BYTES];
    digest_of(px_str_c(bytes), hash);
    CHECK_OK(px_dir_make(test_path(t, "package/functions/f").ptr));
    CHECK_OK(px_dir_make(test_path(t, "platform/environments").ptr));
    CHECK_OK(px_file_write_atomic(test_path(t, "platform/functions.json").ptr, S("{}"), 0600));
    CHECK_OK(px_file_write_atomic(test_path(t, "package/functions/f/%s.zip", hash).ptr,
                                  px_str_c(bytes), 0600));
    struct px_str list = px_arena_printf(
        &t->arena, "{\"artifacts\":{\"f\":{\"kind\":\"zip\",\"sha256\":\"%s\"}}}", hash);
    CHECK_OK(px_file_write_atomic(test_path(t, "package/artifacts.tfvars.json").ptr, list, 0600));
}
static void release(struct alone *a, struct action_release *ret_release)
{
    yyjson_val *result = NULL;
    CHECK_OK(act(a, &action_release, "{\"package\":\"package\",\"source\":\"0123\"}", &result));
    yyjson_val *r = px_json_obj(result, "release");
    *ret_release = (struct action_release){px_json_str(r, "id"), px_json_str(r, "place"),
                                           px_json_obj(r, "document")};
}

TEST(a_release_made_again_is_the_same)
{
    ALONE(a);
    struct action_release first, second, read;
    package(t, "zip");
    release(&a, &first);
    release(&a, &second);
    CHECK_INT(first.id.len, 12);
    CHECK_STR(first.id, second.id);
    CHECK_OK(release_read(first.place, NULL, &t->arena, &read));
    CHECK_STR(read.id, first.id);
    CHECK_OK(px_file_write_atomic(test_path(t, "platform/functions.json").ptr, S("{} "), 0600));
    release(&a, &second);
    CHECK(!px_str_eq(first.id, second.id));
}

static void define(struct test *t, const char *machine, const char *text)
{
    CHECK_OK(px_dir_make(test_path(t, "platform/workflows").ptr));
    CHECK_OK(px_file_write_atomic(test_path(t, "platform/workflows/%s.asl.json", machine).ptr,
                                  px_str_c(text), 0600));
}

TEST(a_release_knows_the_definitions_of_its_state_machines)
{
    ALONE(a);
    struct action_release made;
    char hash[DIGEST_HEX_BYTES];
    (void)result;
    package(t, "zip");
    define(t, "b", "{}");
    define(t, "a", "{\"StartAt\":\"A\"}");
    CHECK_OK(px_file_write_atomic(test_path(t, "platform/workflows/README.md").ptr, S("x"), 0600));
    release(&a, &made);
    yyjson_val *machines = px_json_obj(made.document, "machines");
    digest_of(S("{\"StartAt\":\"A\"}"), hash);
    CHECK_INT(yyjson_obj_size(machines), 2);
    CHECK_STR(px_json_str(machines, "a"), px_str_c(hash));
    const char *platform = test_path(t, "platform").ptr;
    CHECK_OK(release_machines_check(&a.ctx, platform)); /* the run has no release */
    a.ctx.release = made;
    CHECK_OK(release_machines_check(&a.ctx, platform));
    static const struct {
        const char *machine, *text, *says;
    } wrong[] = {{"b", "{ }", "state machine b is defined otherwise than in release"},
                 {"c", "{}", "state machine c is not in release"},
                 {"a", NULL, "state machine a has no definition here"}};
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        struct px_str path = test_path(t, "platform/workflows/%s.asl.json", wrong[i].machine);
        if (wrong[i].text)
            define(t, wrong[i].machine, wrong[i].text);
        else
            CHECK_INT(unlink(path.ptr), 0);
        px_buf_clear(&a.error);
        CHECK_INT(release_machines_check(&a.ctx, platform), ACTION_REFUSED);
        CHECK(has(px_buf_str(&a.error), wrong[i].says));
        if (strcmp(wrong[i].machine, "c") == 0) CHECK_INT(unlink(path.ptr), 0);
        define(t, "b", "{}");
    }
}

TEST(a_release_from_before_has_no_definitions_and_wrong_ones_are_none)
{
    ALONE(a);
    static const struct {
        const char *members;
        int answer;
    } cases[] = {{"", 0},
                 {",\"machines\":{}", 0},
                 {",\"machines\":[]", RELEASE_INVALID},
                 {",\"machines\":{\"a\":\"short\"}", RELEASE_INVALID}};
    (void)result;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        yyjson_val *document = NULL;
        char id[13];
        struct px_str rest = px_arena_printf(
            &t->arena,
            "\"artifacts\":{\"f\":{\"kind\":\"zip\",\"sha256\":\"%064d\"}},\"platform_sha256\":\"%064d\"%s}",
            1, 2, cases[i].members);
        struct px_str text = px_arena_printf(&t->arena, "{%.*s", PX_FMT(rest));
        CHECK_OK(px_json_parse(text, &t->arena, &document, NULL));
        CHECK_OK(release_id(document, id));
        text = px_arena_printf(&t->arena, "{\"release\":\"%s\",%.*s", id, PX_FMT(rest));
        CHECK_INT(release_parse(text, &t->arena, &document), cases[i].answer);
    }
}

TEST(an_artifact_that_is_not_what_was_packaged_is_no_release)
{
    ALONE(a);
    char hash[DIGEST_HEX_BYTES];
    digest_of(S("zip"), hash);
    package(t, "zip");
    CHECK_OK(
        px_file_write_atomic(test_path(t, "package/functions/f/%s.zip", hash).ptr, S("zap"), 0600));
    CHECK_INT(act(&a, &action_release, "{\"package\":\"package\",\"source\":\"0123\"}", &result),
              ACTION_REFUSED);
    CHECK(has(px_buf_str(&a.error), "package again"));
    CHECK_INT(act(&a, &action_release, "{\"package\":\"nowhere\",\"source\":\"0123\"}", &result),
              ACTION_REFUSED);
}

TEST(a_release_that_was_edited_is_none)
{
    ALONE(a);
    struct action_release first, read;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 1u << 16);
    package(t, "zip");
    release(&a, &first);
    CHECK_OK(px_file_read(test_path(t, "package/release.json").ptr, &text));
    char *at = memmem(text.ptr, text.len, "0123", 4);
    at[3] = '4';
    CHECK_OK(
        px_file_write_atomic(test_path(t, "package/release.json").ptr, px_buf_str(&text), 0600));
    CHECK_INT(release_read(first.place, NULL, &t->arena, &read), RELEASE_INVALID);
}

#define PROMOTE "{\"from\":\"dev\",\"to\":\"staging\"}"

TEST(only_what_an_environment_runs_is_promoted)
{
    ALONE(a);
    char hash[DIGEST_HEX_BYTES];
    package(t, "zip");
    CHECK_INT(act(&a, &action_promote, PROMOTE, &result), ACTION_REFUSED);
    release(&a, &a.ctx.release);
    CHECK_INT(act(&a, &action_promote, PROMOTE, &result), ACTION_REFUSED);
    CHECK(has(px_buf_str(&a.error), "has no release yet"));
    a.delivered = (struct action_release){.id = S("000000000000")};
    CHECK_INT(act(&a, &action_promote, PROMOTE, &result), ACTION_REFUSED);
    CHECK(has(px_buf_str(&a.error), "has release 000000000000 and this run delivers"));
    a.delivered = a.ctx.release;
    CHECK_OK(act(&a, &action_promote, PROMOTE, &result));
    struct px_str copy = px_arena_printf(
        &t->arena, "{\"from\":\"dev\",\"to\":\"staging\",\"copy_to\":\"%s/next\"}", t->dir);
    CHECK_OK(act(&a, &action_promote, copy.ptr, &result));
    struct action_release there;
    CHECK_OK(release_read(px_json_str(px_json_obj(result, "release"), "place"), NULL, &t->arena,
                          &there));
    CHECK_STR(there.id, a.ctx.release.id);
    digest_of(S("zip"), hash);
    CHECK(access(test_path(t, "next/functions/f/%s.zip", hash).ptr, R_OK) == 0);
    CHECK_OK(
        px_file_write_atomic(test_path(t, "package/functions/f/%s.zip", hash).ptr, S("zap"), 0600));
    CHECK_INT(act(&a, &action_promote, PROMOTE, &result), ACTION_REFUSED);
    CHECK(has(px_buf_str(&a.error), "is not what was released"));
}

TEST(a_release_is_published_where_functions_are_deployed_from)
{
    ALONE(a);
    char hash[DIGEST_HEX_BYTES];
    package(t, "zip");
    release(&a, &a.ctx.release);
    CHECK_INT(act(&a, &action_publish, "{}", &result), ACTION_REFUSED);
    (void)unsetenv("PIPELINE_BUCKET");
    CHECK_INT(act(&a, &action_publish, "{\"to_variable\":\"PIPELINE_BUCKET\"}", &result),
              ACTION_REFUSED);
    CHECK(has(px_buf_str(&a.error), "no variable PIPELINE_BUCKET"));
    (void)setenv("PIPELINE_BUCKET", test_path(t, "bucket/").ptr, 1);
    CHECK_OK(act(&a, &action_publish, "{\"to_variable\":\"PIPELINE_BUCKET\"}", &result));
    struct px_str place = px_json_str(px_json_obj(result, "release"), "place");
    CHECK(px_str_ends(place, a.ctx.release.id));
    digest_of(S("zip"), hash);
    CHECK(access(test_path(t, "bucket/functions/f/%s.zip", hash).ptr, R_OK) == 0);
    struct action_release there;
    CHECK_OK(release_read(place, NULL, &t->arena, &there));
    CHECK_STR(there.id, a.ctx.release.id);
    a.ctx.release = there; /* from there once more, as on another machine */
    CHECK_OK(act(&a, &action_publish, "{\"to_variable\":\"PIPELINE_BUCKET\"}", &result));
    CHECK_STR(px_json_str(px_json_obj(result, "release"), "place"), place);
}

/* ---- approval ---- */

TEST(a_plan_that_changed_after_its_approval_is_refused)
{
    ALONE(a);
    yyjson_val *results = NULL;
    char hash[DIGEST_HEX_BYTES];
    digest_of(S("plan"), hash);
    CHECK_OK(px_file_write_atomic(test_path(t, "plan.bin").ptr, S("plan"), 0600));
    struct px_str text = px_arena_printf(
        &t->arena,
        "{\"s/plan\":{\"digest\":\"%s\",\"files\":[{\"path\":\"%s/plan.bin\",\"sha256\":\"%s\"}]}}",
        hash, t->dir, hash);
    CHECK_OK(px_json_parse(text, &t->arena, &results, NULL));
    a.ctx.results = results;
    a.ctx.who = S("ada");
    CHECK_INT(act(&a, &action_approval, "{\"plan\":\"plan\"}", &result), ACTION_WAITS);
    a.gate = (struct action_gate){.asked = true,
                                  .plan = px_str_c(hash),
                                  .approved = true,
                                  .by = S("bob"),
                                  .expires_ns = INT64_MAX};
    CHECK_OK(act(&a, &action_approval, "{\"plan\":\"plan\"}", &result));
    a.gate.by = S("ada");
    CHECK_INT(act(&a, &action_approval, "{\"plan\":\"plan\"}", &result), ACTION_REFUSED);
    a.gate.by_starter = true;
    CHECK_OK(act(&a, &action_approval, "{\"plan\":\"plan\"}", &result));
    CHECK_OK(px_file_write_atomic(test_path(t, "plan.bin").ptr, S("plot"), 0600));
    CHECK_INT(act(&a, &action_approval, "{\"plan\":\"plan\"}", &result), ACTION_REFUSED);
    CHECK(has(px_buf_str(&a.error), "the plan has changed"));
}

TEST_MAIN
