/* Pipelines of the test's own: actions that append to a file what they did, so that order and repetition can be seen, and that kill
 * the process where a test wants it. */
#pragma once

#include "support/support.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/px_json.h"
#include "delivery/pipeline/builtin.h"
#include "delivery/pipeline/pipeline.h"
#include "delivery/pipeline/release.h"

/* Thousands of entries are synced here: in memory that takes no time. What a disk does to them is objects_dir's to show. */
__attribute__((constructor)) static void stay_in_memory(void)
{
    if (access("/dev/shm", W_OK | X_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 0);
}

/* ---- actions ---- */

__attribute__((unused)) static void note_line(const char *path, const char *what,
                                              struct px_str step)
{
    FILE *file = fopen(path, "a");
    PX_ASSERT(file);
    (void)fprintf(file, "%s %.*s\n", what, PX_FMT(step));
    (void)fclose(file);
}
__attribute__((unused)) static struct px_str in_root(const struct action_context *ctx,
                                                     const char *name)
{
    return px_arena_printf(ctx->arena, "%s/%s", ctx->root, name);
}
/* Whether file `name` in the root says so: "begin dev/x" */
__attribute__((unused)) static bool is_told(const struct action_context *ctx, const char *name,
                                            const char *when)
{
    char want[200], got[200] = "";
    FILE *file = fopen(in_root(ctx, name).ptr, "r");
    if (!file) return false;
    (void)fgets(got, sizeof got, file);
    (void)fclose(file);
    (void)snprintf(want, sizeof want, "%s %.*s", when, PX_FMT(ctx->step));
    return strncmp(got, want, sizeof want) == 0;
}
__attribute__((unused)) static void die_once(const struct action_context *ctx, const char *when)
{
    if (!is_told(ctx, "die", when)) return;
    (void)unlink(in_root(ctx, "die").ptr);
    (void)kill(getpid(), SIGKILL);
}
/* What a step makes: a file of its own with its release and region; an undo removes it. Running it again changes nothing. */
__attribute__((unused)) static int make_run(struct action_context *ctx, yyjson_val *with,
                                            yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 4096);
    die_once(ctx, "begin");
    struct px_str name = px_json_str(with, "file");
    struct px_str path = px_arena_printf(ctx->arena, "%s/made-%.*s", ctx->root, PX_FMT(name));
    PX_TRY(px_file_write_atomic(path.ptr, px_json_str(with, "text"), 0600));
    die_once(ctx, "middle");
    note_line(in_root(ctx, "calls").ptr, "make", ctx->step);
    if (is_told(ctx, "fail", "fail")) return action_fail(ctx, ACTION_FAILED, "told to fail");
    if (is_told(ctx, "refuse", "refuse")) return action_fail(ctx, ACTION_REFUSED, "told to refuse");
    while (is_told(ctx, "hang", "hang")) {
        if (action_cancelled(ctx)) return ACTION_CANCELLED;
        action_pause(ctx, 20);
    }
    px_buf_printf(&json, "{\"made\":\"%.*s\",\"digest\":\"%064d\"}", PX_FMT(name), 7);
    PX_TRY(action_note(ctx, S("{\"about\":\"to end\"}")));
    die_once(ctx, "end");
    PX_TRY(action_result(ctx, &json, ret_result));
    return 0;
}
__attribute__((unused)) static int unmake_run(struct action_context *ctx, yyjson_val *with,
                                              yyjson_val **ret_result)
{
    (void)ret_result;
    die_once(ctx, "begin");
    struct px_str path = px_arena_printf(ctx->arena, "%s/made-%.*s", ctx->root,
                                         PX_FMT(px_json_str(with, "file")));
    (void)unlink(path.ptr);
    die_once(ctx, "middle");
    note_line(in_root(ctx, "calls").ptr, "unmake", ctx->step);
    if (is_told(ctx, "fail-undo", "fail")) return action_fail(ctx, ACTION_FAILED, "told to fail");
    die_once(ctx, "end");
    return 0;
}
static const struct action_field make_fields[] = {{"file", ACTION_TEXT, true, 0, 0, NULL},
                                                  {"text", ACTION_TEXT, false, 0, 0, NULL}};
static const struct action action_make = {
    .name = "make", .summary = "make a file", ACTION_FIELDS(make_fields), .run = make_run};
static const struct action action_unmake = {
    .name = "unmake", .summary = "remove a file", ACTION_FIELDS(make_fields), .run = unmake_run};
static const struct action *const test_actions[] = {&action_make,     &action_unmake,  &action_wait,
                                                    &action_approval, &action_command, NULL};
static const struct action_table test_table = {.actions = test_actions};

/* ---- a pipeline ---- */

#define STEP_MAKE(name)                                                                                               \
    "{\"name\":\"" name "\",\"action\":\"make\",\"with\":{\"file\":\"" name                                           \
    "-${environment}-${region}\",\"text\":\"${region}.\"},\"undo\":{\"action\":\"unmake\",\"with\":{\"file\":\"" name \
    "-${environment}-${region}\"}}}"
#define PIPELINE_SMALL PIPELINE("60")
#define PIPELINE(lease_s)                                                                                               \
    "{\"version\":1,\"lease_s\":" lease_s                                                                               \
    ",\"defaults\":{\"pause_s\":0},\"environments\":{\"dev\":{\"approval\":{\"by_starter\":true,\"expires_s\":3600}}}," \
    "\"lists\":{\"region\":[" STEP_MAKE(                                                                                \
        "apply") "]},\"stages\":["                                                                                      \
                 "{\"name\":\"build\",\"steps\":[" STEP_MAKE(                                                           \
                     "package") "]},"                                                                                   \
                                "{\"name\":\"dev\",\"environment\":\"dev\",\"steps\":[" STEP_MAKE(                      \
                                    "plan") "],\"region_steps\":\"region\","                                            \
                                            "\"waves\":[{\"name\":\"one\",\"regions\":[\"r1\"],\"bake\":{\"time_s\":0}},{\"name\":\"two\",\"regions\":[\"r2\",\"r3\"],\"bake\":{\"time_s\":0}}]}]}"

struct bench { /* a store, sources and a pipeline's file in the scratch folder */
    struct test *t;
    struct pipeline_options options;
    struct px_str state, work, file;
    struct px_str die_in; /* kill it when this step begins; empty: none */
    int kill_at, entries; /* the process kills itself behind its kill_at-th entry; 0: never */
};
__attribute__((unused)) static void bench_on_change(void *ctx, const struct state *state,
                                                    const struct entry *entry,
                                                    const struct action_progress *progress)
{
    struct bench *bench = ctx;
    (void)state, (void)progress;
    bool begins = entry && entry->event == ENTRY_STEP_STARTED;
    if (begins && bench->die_in.len > 0 && px_str_eq(entry->step, bench->die_in))
        (void)kill(getpid(), SIGKILL);
    if (entry && ++bench->entries == bench->kill_at) (void)kill(getpid(), SIGKILL);
}
__attribute__((unused)) static void bench_init(struct bench *bench, struct test *t,
                                               const char *name, const char *pipeline)
{
    *bench = (struct bench){.t = t};
    struct px_str root = test_path(t, "%s", name);
    CHECK_OK(px_dir_make(root.ptr));
    bench->state = test_path(t, "%s/state", name);
    bench->work = test_path(t, "%s/work", name);
    bench->file = test_path(t, "%s/pipeline.json", name);
    CHECK_OK(px_file_write_atomic(bench->file.ptr, px_str_c(pipeline), 0600));
    bench->options = (struct pipeline_options){
        .state_url = bench->state.ptr,
        .clock = &px_clock_system,
        .actions = &test_table,
        .who = "ada",
        .root = root.ptr,
        .work_dir = bench->work.ptr,
        .file = bench->file.ptr,
        .on_change = bench_on_change,
        .ctx = bench,
    };
}
__attribute__((unused)) static void bench_tell(const struct bench *bench, const char *name,
                                               const char *what)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", bench->options.root, name);
    if (what)
        CHECK_OK(px_file_write_atomic(path, px_str_c(what), 0600));
    else
        (void)unlink(path);
}
enum bench_verb { BENCH_RUN, BENCH_RESUME, BENCH_ABORT };
__attribute__((unused)) static int bench_do(struct bench *bench, enum bench_verb verb)
{
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    int r = pipeline_open(&bench->options, &p);
    if (r == 0 && verb == BENCH_RUN) r = pipeline_run(p);
    if (r == 0 && verb == BENCH_RESUME) r = pipeline_resume(p);
    if (r == 0 && verb == BENCH_ABORT) r = pipeline_abort(p, S("told to"), false);
    if (r < 0) {
        char text[600];
        print_error("%s\n", px_fault_text(r, text, sizeof text));
    }
    return r;
}
/* In a process of its own; true: it was killed. */
__attribute__((unused)) static bool bench_die(struct bench *bench, enum bench_verb verb,
                                              int kill_at)
{
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        bench->kill_at = kill_at;
        bench->entries = 0;
        int r = bench_do(bench, verb);
        _exit(r < 0 ? 100 : r);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) != 100);
    return WIFSIGNALED(status);
}

/* A release in a folder of its own, without bytes of artifacts; options.release from now on. Returns its id. */
__attribute__((unused)) static struct px_str bench_release(struct bench *bench, const char *name,
                                                           const char *schema)
{
    static const char rest[] =
        "\"artifacts\":{\"ingest\":{\"kind\":\"image\",\"sha256\":\"%064d\"}},"
        "\"platform_sha256\":\"%064d\",\"config_sha256\":\"%064d\",\"schema\":%s}";
    struct px_arena *arena = &bench->t->arena;
    yyjson_val *document = NULL;
    char id[13];
    struct px_str tail = px_arena_printf(arena, rest, name[0], name[0], name[0], schema);
    struct px_str text = px_arena_printf(arena, "{\"source\":\"%s\",%.*s", name, PX_FMT(tail));
    struct px_str dir = px_arena_printf(arena, "%s/release-%s", bench->options.root, name);
    CHECK_OK(px_json_parse(text, arena, &document, NULL));
    CHECK_OK(release_id(document, id));
    text = px_arena_printf(arena, "{\"release\":\"%s\",%.*s", id, PX_FMT(px_str_skip(text, 1)));
    CHECK_OK(px_dir_make(dir.ptr));
    CHECK_OK(px_file_write_atomic(px_arena_printf(arena, "%.*s/release.json", PX_FMT(dir)).ptr,
                                  text, 0600));
    bench->options.release = dir.ptr;
    return px_arena_printf(arena, "%s", id);
}

/* ---- what came of it ---- */

/* The log without what a crash adds: who drove, steps that began again, notes that were written twice. "event step data" lines. */
struct story {
    struct px_buf text;
    char last[300];
};
__attribute__((unused)) static int story_add(void *ctx, const struct entry *entry)
{
    struct story *story = ctx;
    char line[300];
    if (entry->event == ENTRY_HELD || entry->event == ENTRY_RELEASED) return 0;
    if (px_json_bool(entry->data, "again", false)) return 0;
    yyjson_val *result = px_json_obj(entry->data, "result");
    (void)snprintf(line, sizeof line, "%s %.*s %.*s plan=%.8s made=%.*s error=%.*s\n",
                   entry_event_name(entry->event), PX_FMT(entry->step), PX_FMT(entry->stage),
                   entry->plan.len ? entry->plan.ptr : "", PX_FMT(px_json_str(result, "made")),
                   PX_FMT(px_json_str(entry->data, "error")));
    if (entry->event == ENTRY_STEP_NOTED && strcmp(line, story->last) == 0) return 0;
    memcpy(story->last, line, sizeof line);
    px_buf_add_c(&story->text, line);
    return 0;
}
__attribute__((unused)) static struct px_str bench_story(struct bench *bench)
{
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    struct story story = {.last = ""};
    px_buf_init(&story.text, 1u << 20);
    CHECK_OK(pipeline_open(&bench->options, &p));
    CHECK_OK(pipeline_history(p, 0, story_add, &story));
    struct px_str copy = px_arena_dup(&bench->t->arena, px_buf_str(&story.text));
    px_buf_deinit(&story.text);
    return copy;
}
/* Files that were made, and what is in them. */
struct made {
    struct px_str names[64];
    size_t count;
    struct px_arena *arena;
    const char *root;
};
__attribute__((unused)) static int made_add(void *ctx, const char *name, bool is_dir)
{
    struct made *made = ctx;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char path[600];
    (void)is_dir;
    px_buf_init(&text, 4096);
    if (strncmp(name, "made-", 5) != 0) return 0;
    (void)snprintf(path, sizeof path, "%s/%s", made->root, name);
    PX_TRY(px_file_read(path, &text));
    PX_ASSERT(made->count < PX_COUNT(made->names));
    made->names[made->count++] = px_arena_printf(made->arena, "%s=%.*s", name,
                                                 PX_FMT(px_buf_str(&text)));
    return 0;
}
__attribute__((unused)) static int by_text(const void *a, const void *b)
{
    return px_str_cmp(*(const struct px_str *)a, *(const struct px_str *)b);
}
__attribute__((unused)) static struct px_str bench_made(struct bench *bench)
{
    struct made made = {.arena = &bench->t->arena, .root = bench->options.root};
    struct px_str all = S("");
    CHECK_OK(px_dir_each(bench->options.root, made_add, &made));
    qsort(made.names, made.count, sizeof made.names[0], by_text);
    for (size_t i = 0; i < made.count; i++)
        all = px_arena_printf(&bench->t->arena, "%.*s%.*s\n", PX_FMT(all), PX_FMT(made.names[i]));
    return all;
}
/* Every hash in its place. */
__attribute__((unused)) static void bench_check(struct bench *bench)
{
    PX_AUTO(pipeline_close) struct pipeline *p = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf problems;
    uint64_t entries = 0;
    unsigned count = 0;
    char tip[DIGEST_HEX_BYTES];
    px_buf_init(&problems, 1u << 16);
    CHECK_OK(pipeline_open(&bench->options, &p));
    CHECK_OK(pipeline_check(p, S(""), &problems, &entries, &count, tip));
    CHECK_STR(px_buf_str(&problems), S(""));
    CHECK(entries > 0);
}
