/* asl/engine_kit.h - a world for executions: a journal in memory, tasks that wait for their answer, crashes, a bucket. */
#pragma once

#include "support/support.h"

#include "asl/engine.h"
#include "base/px_json.h"

#define EXECUTIONS_MAX 64
#define FRAMES_MAX 256
#define FILES_MAX 16
#define TASKS_MAX 256

/* ---- a world: a journal in memory, tasks that wait for their answer ---- */

struct kept_frame {
    uint32_t frame, parent;
    char *record;
};
struct kept {
    uint64_t number;
    struct kept_frame frames[FRAMES_MAX];
    size_t frame_count;
    char name[64], arn[256];
    char *input, *output, *error, *cause;
    enum asl_status status;
    int64_t start_ms;
    uint32_t event_count;
    uint64_t parent;
    uint32_t parent_frame, parent_run, parent_index;
    uint64_t last_id;
};
struct out_task {
    char token[64], name[64];
    char *payload;
    bool again, cancelled;
};
struct world {
    struct test *t;
    struct asl_engine *engine;
    struct asl_program *program;
    struct kept kept[EXECUTIONS_MAX];
    size_t kept_count;
    struct out_task tasks[TASKS_MAX];
    size_t task_count;
    size_t events, started, ended;
    struct px_buf history;
    enum asl_status status;
    char output[4096], error[256], cause[1024];
    uint64_t dice;
    bool mended;           /* what is named "fail..." succeeds */
    int turns_until_fault; /* 0: none comes */
    struct {
        char *key, *body;
    } files[FILES_MAX]; /* what was put, by key */
    size_t file_count;
};

static inline uint64_t roll(void *ctx)
{
    struct world *w = ctx;
    w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
    return w->dice;
}

static inline uint64_t roll_die(uint64_t *dice, uint64_t sides)
{
    *dice = *dice * 6364136223846793005u + 1442695040888963407u;
    return (*dice >> 33) % sides;
}

static inline char *text_of(struct px_str s)
{
    if (!s.ptr) return NULL;
    char *text = malloc(s.len + 1);
    CHECK(text != NULL);
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    return text;
}

static inline void set_text(char **to, struct px_str s)
{
    free(*to);
    *to = text_of(s);
}

static inline struct kept *kept_of(struct world *w, uint64_t number)
{
    for (size_t i = 0; i < w->kept_count; i++)
        if (w->kept[i].number == number) return &w->kept[i];
    CHECK(w->kept_count < EXECUTIONS_MAX);
    struct kept *k = &w->kept[w->kept_count++];
    *k = (struct kept){.number = number};
    return k;
}

static inline void drop_frame(struct kept *k, size_t i)
{
    free(k->frames[i].record);
    k->frames[i] = k->frames[--k->frame_count];
}

static inline void keep_record(struct kept *k, const struct asl_frame_record *record)
{
    for (size_t i = k->frame_count; i-- > 0;) {
        bool itself = !record->children_gone && k->frames[i].frame == record->frame;
        bool child = record->children_gone && k->frames[i].parent == record->frame;
        if (itself || child) drop_frame(k, i);
    }
    if (!record->record.ptr) return;
    CHECK(k->frame_count < FRAMES_MAX);
    k->frames[k->frame_count++] = (struct kept_frame){record->frame, record->parent,
                                                      text_of(record->record)};
}

static inline void check_events(struct kept *k, const struct asl_turn *turn)
{
    struct px_arena arena;
    struct px_str rest = turn->events, line;
    uint32_t count = 0;
    px_arena_init(&arena, 16u << 20);
    while (px_str_cut(&rest, '\n', &line)) {
        yyjson_val *event = NULL;
        CHECK_OK(px_json_parse(line, &arena, &event, NULL));
        CHECK_INT(px_json_i64(event, "id", 0), (int64_t)++k->last_id); /* without a gap */
        CHECK(px_json_i64(event, "p", -1) < (int64_t)k->last_id);
        count++;
    }
    CHECK_INT(count, turn->event_count);
    px_arena_deinit(&arena);
}

static inline int journal_turn(void *ctx, const struct asl_turn *turn)
{
    struct world *w = ctx;
    const struct asl_execution_info *info = asl_execution_info(turn->execution);
    if (w->turns_until_fault && --w->turns_until_fault == 0)
        return px_fault(PX_F_IO, "the disk of a test");
    struct kept *k = kept_of(w, info->number);
    check_events(k, turn);
    if (turn->first) {
        (void)snprintf(k->name, sizeof(k->name), "%.*s", PX_FMT(info->name));
        (void)snprintf(k->arn, sizeof(k->arn), "%.*s", PX_FMT(info->arn));
        set_text(&k->input, info->input);
        k->start_ms = info->start_ms;
        k->parent = info->parent;
        k->parent_frame = info->parent_frame;
        k->parent_run = info->parent_run;
        k->parent_index = info->parent_index;
    }
    k->status = info->status;
    k->event_count = info->event_count;
    for (size_t i = 0; i < turn->frame_count; i++) keep_record(k, &turn->frames[i]);
    if (turn->ended) {
        set_text(&k->output, info->output);
        set_text(&k->error, info->failure.error);
        set_text(&k->cause, info->failure.cause);
    }
    if (!info->parent) px_buf_add_str(&w->history, turn->events);
    w->events += turn->event_count;
    return 0;
}

static inline void host_task(void *ctx, const struct asl_task_call *call)
{
    struct world *w = ctx;
    CHECK(w->task_count < TASKS_MAX);
    struct out_task *task = &w->tasks[w->task_count++];
    *task = (struct out_task){.payload = text_of(call->payload), .again = call->again};
    (void)snprintf(task->token, sizeof(task->token), "%.*s", PX_FMT(call->token));
    (void)snprintf(task->name, sizeof(task->name), "%.*s", PX_FMT(call->resource->action));
    const char *colon = memrchr(call->resource->arn.ptr, ':', call->resource->arn.len);
    if (call->resource->kind == ASL_RESOURCE_LAMBDA && colon)
        (void)snprintf(task->name, sizeof(task->name), "%.*s",
                       (int)(call->resource->arn.ptr + call->resource->arn.len - colon - 1),
                       colon + 1);
}

static inline void host_cancel(void *ctx, struct px_str token)
{
    struct world *w = ctx;
    for (size_t i = 0; i < w->task_count; i++)
        if (px_str_eq(px_str_c(w->tasks[i].token), token)) w->tasks[i].cancelled = true;
}

static inline void host_started(void *ctx, struct asl_execution *execution)
{
    (void)execution;
    ((struct world *)ctx)->started++;
}

static inline void host_ended(void *ctx, struct asl_execution *execution)
{
    struct world *w = ctx;
    const struct asl_execution_info *info = asl_execution_info(execution);
    if (info->parent) return;
    w->ended++;
    w->status = info->status;
    (void)snprintf(w->output, sizeof(w->output), "%.*s", PX_FMT(info->output));
    (void)snprintf(w->error, sizeof(w->error), "%.*s", PX_FMT(info->failure.error));
    (void)snprintf(w->cause, sizeof(w->cause), "%.*s", PX_FMT(info->failure.cause));
}

static inline void engine_open(struct world *w)
{
    const struct asl_host host = {w, host_task, host_cancel, host_started, host_ended};
    const struct asl_journal journal = {w, journal_turn};
    uint64_t next = 1;
    for (size_t i = 0; i < w->kept_count; i++) next = PX_MAX(next, w->kept[i].number + 1);
    CHECK_OK(asl_engine_new(&(struct asl_engine_options){.host = &host,
                                                         .journal = &journal,
                                                         .clock = &w->t->clock,
                                                         .random = roll,
                                                         .random_ctx = w,
                                                         .next_number = next},
                            &w->engine));
}

static inline struct asl_program *program_of(struct test *t, const char *definition,
                                             enum asl_machine_type type)
{
    struct asl_program *program = NULL;
    struct asl_problems problems = {0};
    const struct asl_program_options options = {
        S("machine"), S("arn:aws:states:eu-west-1:000000000000:stateMachine:machine"),
        S("arn:aws:iam::000000000000:role/machine"), type, NULL};
    int r = asl_program_new(px_str_c(definition), &options, &t->arena, &program, &problems);
    for (size_t i = 0; i < problems.count; i++)
        if (r != 0)
            print_error("%.*s: %.*s\n", PX_FMT(problems.list[i].place),
                        PX_FMT(problems.list[i].message));
    CHECK_OK(r);
    return program;
}

static inline void world_open(struct test *t, struct world *w, const char *definition)
{
    *w = (struct world){.t = t, .dice = 7};
    px_buf_init(&w->history, 16u << 20);
    w->program = program_of(t, definition, ASL_STANDARD);
    engine_open(w);
}

static inline void world_close(struct world *w)
{
    asl_engine_free(&w->engine);
    asl_program_unref(&w->program);
    px_buf_deinit(&w->history);
    for (size_t i = 0; i < w->task_count; i++) free(w->tasks[i].payload);
    for (size_t i = 0; i < w->file_count; i++) free(w->files[i].key), free(w->files[i].body);
    for (size_t i = 0; i < w->kept_count; i++) {
        struct kept *k = &w->kept[i];
        while (k->frame_count) drop_frame(k, 0);
        free(k->input), free(k->output), free(k->error), free(k->cause);
    }
}

static inline void start(struct world *w, const char *input)
{
    struct asl_execution *execution = NULL;
    CHECK_OK(asl_engine_start(
        w->engine,
        &(struct asl_start){w->program, S("one"),
                            S("arn:aws:states:eu-west-1:000000000000:execution:machine:one"),
                            px_str_c(input)},
        &execution));
}

static inline void run_all(struct world *w)
{
    bool more = true;
    while (more) {
        CHECK_OK(asl_engine_run(w->engine, 1000000, &more));
        asl_engine_committed(w->engine, asl_engine_turns(w->engine));
        if (asl_engine_next_ms(w->engine) == 0) more = true;
    }
}

/* ---- a bucket: two pages of a list, three files of lines, and what is put ---- */

static inline struct px_str object_of(const char *payload)
{
    if (strstr(payload, "ContinuationToken"))
        return S("{\"Contents\":[{\"Key\":\"p/3\"}],\"IsTruncated\":false}");
    if (strstr(payload, "Prefix"))
        return S(
            "{\"Contents\":[{\"Key\":\"p/1\"},{\"Key\":\"p/2\"}],\"IsTruncated\":true,\"NextContinuationToken\":\"t\"}");
    return strstr(payload, "p/1") ? S("1\n2\n") : strstr(payload, "p/2") ? S("[3]") : S("4\n");
}

static inline void put_object(struct world *w, const char *payload)
{
    struct px_arena arena;
    yyjson_val *call = NULL;
    px_arena_init(&arena, 1u << 20);
    CHECK_OK(px_json_parse(px_str_c(payload), &arena, &call, NULL));
    struct px_str key = px_json_str(call, "Key");
    CHECK_STR(px_json_str(call, "Bucket"), S("results"));
    size_t i = 0;
    while (i < w->file_count && !px_str_eq(px_str_c(w->files[i].key), key)) i++;
    CHECK(i < FILES_MAX);
    w->file_count = PX_MAX(w->file_count, i + 1);
    set_text(&w->files[i].key, key);
    set_text(&w->files[i].body, px_json_str(call, "Body"));
    px_arena_deinit(&arena);
}

static inline const char *file_named(const struct world *w, const char *end)
{
    for (size_t i = 0; i < w->file_count; i++)
        if (px_str_ends(px_str_c(w->files[i].key), px_str_c(end))) return w->files[i].body;
    return NULL;
}

/* What a task named so answers; `tries` is how often it was asked before in this world. */
static inline void answer(struct world *w, struct out_task *task)
{
    struct px_str token = px_str_c(task->token);
    int r;
    if (strcmp(task->name, "putObject") == 0) {
        put_object(w, task->payload);
        set_text(&task->payload, S("{}"));
    } else if (strcmp(task->name, "getObject") == 0 || strcmp(task->name, "listObjectsV2") == 0) {
        set_text(&task->payload, object_of(task->payload));
    }
    if (!w->mended && strncmp(task->name, "fail", 4) == 0)
        r = asl_engine_task_failed(w->engine, token,
                                   &(struct asl_failure){S("Broken"), S("as ever")});
    else
        r = asl_engine_task_succeeded(w->engine, token, px_str_c(task->payload));
    CHECK(r == 0 || r == ASL_ENGINE_UNKNOWN); /* cancelled meanwhile */
}

/* Answers all that is out, in order; true when something was. */
static inline bool answer_all(struct world *w)
{
    size_t count = w->task_count;
    for (size_t i = 0; i < count; i++) {
        if (!w->tasks[i].cancelled) answer(w, &w->tasks[i]);
        free(w->tasks[i].payload);
    }
    memmove(w->tasks, w->tasks + count, (w->task_count - count) * sizeof(w->tasks[0]));
    w->task_count -= count;
    return count > 0;
}

static inline void wait_for_timer(struct world *w)
{
    int64_t next_ms = asl_engine_next_ms(w->engine);
    CHECK(next_ms != INT64_MAX);
    int64_t ahead_ns = next_ms * PX_NS_PER_MS - w->t->now_ns;
    if (ahead_ns > 0) test_advance(w->t, ahead_ns);
}

static inline void run_to_end(struct world *w)
{
    for (int i = 0; i < 10000 && w->ended == 0; i++) {
        run_all(w);
        if (w->ended == 0 && !answer_all(w)) wait_for_timer(w);
    }
    CHECK_INT(w->ended, 1);
}

static inline void restore(struct world *w, struct kept *k, bool redrive)
{
    struct asl_frame_record records[FRAMES_MAX];
    struct asl_execution *execution = NULL;
    for (size_t a = 0; a < k->frame_count; a++) /* by frame: parents before children */
        for (size_t b = a + 1; b < k->frame_count; b++)
            if (k->frames[b].frame < k->frames[a].frame) {
                struct kept_frame f = k->frames[a];
                k->frames[a] = k->frames[b];
                k->frames[b] = f;
            }
    for (size_t a = 0; a < k->frame_count; a++)
        records[a] = (struct asl_frame_record){k->frames[a].frame, k->frames[a].parent,
                                               px_str_c(k->frames[a].record), false};
    k->status = ASL_RUNNING;
    CHECK_OK(asl_engine_restore(w->engine,
                                &(struct asl_restore){
                                    .program = w->program,
                                    .number = k->number,
                                    .name = px_str_c(k->name),
                                    .arn = px_str_c(k->arn),
                                    .input = px_str_c(k->input),
                                    .start_ms = k->start_ms,
                                    .event_count = k->event_count,
                                    .parent = k->parent,
                                    .parent_frame = k->parent_frame,
                                    .parent_run = k->parent_run,
                                    .parent_index = k->parent_index,
                                    .frames = records,
                                    .frame_count = k->frame_count,
                                    .redrive = redrive,
                                },
                                &execution));
}

static inline void tell_ended(struct world *w, const struct kept *k)
{
    CHECK_OK(
        asl_engine_child_ended(w->engine, &(struct asl_child_end){
                                              .parent = k->parent,
                                              .frame = k->parent_frame,
                                              .run = k->parent_run,
                                              .index = k->parent_index,
                                              .status = k->status,
                                              .output = px_str_c(k->output),
                                              .failure = {px_str_c(k->error), px_str_c(k->cause)},
                                              .name = px_str_c(k->name),
                                              .arn = px_str_c(k->arn),
                                              .input = px_str_c(k->input),
                                              .start_ms = k->start_ms,
                                              .stop_ms = k->start_ms,
                                          }));
}

static inline void forget_process(struct world *w)
{
    asl_engine_free(&w->engine);
    for (size_t i = 0; i < w->task_count; i++) free(w->tasks[i].payload);
    w->task_count = 0;
    engine_open(w);
}

/* The process is gone: what the journal has is all there is. */
static inline void crash(struct world *w)
{
    forget_process(w);
    for (size_t i = 0; i < w->kept_count; i++) /* parents have smaller numbers */
        if (w->kept[i].status == ASL_RUNNING) restore(w, &w->kept[i], false);
    for (size_t i = 0; i < w->kept_count; i++)
        if (w->kept[i].parent && w->kept[i].status != ASL_RUNNING) tell_ended(w, &w->kept[i]);
}

/* What ended as failed goes on, with the children that did not succeed. */
static inline void redrive(struct world *w)
{
    forget_process(w);
    w->ended = 0;
    restore(w, &w->kept[0], true);
    for (size_t i = 1; i < w->kept_count; i++) {
        struct kept *k = &w->kept[i];
        if (k->status == ASL_SUCCEEDED)
            tell_ended(w, k);
        else if (k->frame_count)
            restore(w, k, true);
    }
}

#define FUNCTION(name) "\"Resource\":\"arn:aws:lambda:eu-west-1:000000000000:function:" name "\""

/* One seed's crashes: before effects, after them, between answers. */
static inline void crash_to_end(struct world *world, uint64_t seed)
{
    uint64_t dice = seed;
    for (int i = 0; i < 100000 && world->ended == 0; i++) {
        bool more;
        CHECK_OK(asl_engine_run(world->engine, 1 + roll_die(&dice, 4), &more));
        if (world->kept_count && roll_die(&dice, 5) == 0) {
            crash(world);
            continue;
        }
        asl_engine_committed(world->engine, asl_engine_turns(world->engine));
        if (world->ended) break;
        if (roll_die(&dice, 5) == 0) crash(world);
        if (more || asl_engine_next_ms(world->engine) == 0 || roll_die(&dice, 3) == 0) continue;
        if (!answer_all(world) && asl_engine_next_ms(world->engine) != INT64_MAX)
            wait_for_timer(world);
        if (world->kept[0].status != ASL_RUNNING)
            break; /* ended in the journal, and crashed before it was told */
    }
}
