/* A state machine, its input and what happens to it: parsed, run with tasks that are answered, crashed and restored from its
 * own records. Whatever is accepted runs within bounds, and its history has no gap. Bytes: definition, 0, input, 0, dice. */
// link: px_asl
#include <stdlib.h>

#include "asl/engine.h"

#define STEPS_MAX 400
#define TASKS_MAX 64
#define FRAMES_MAX 512

struct kept_frame {
    uint32_t frame, parent;
    char *record;
};
struct world {
    struct asl_engine *engine;
    char tokens[TASKS_MAX][64];
    size_t task_count;
    struct kept_frame frames[FRAMES_MAX];
    size_t frame_count;
    bool ended, overflown;
    uint32_t events;
    int64_t now_ns;
    const uint8_t *dice;
    size_t dice_left;
};

static uint8_t die(struct world *w)
{
    if (w->dice_left == 0) return 0;
    w->dice_left--;
    return *w->dice++;
}

static uint64_t roll(void *ctx) { return (uint64_t)die(ctx) * 0x9e3779b97f4a7c15u; }
static int64_t wall_ns(void *ctx) { return ((struct world *)ctx)->now_ns; }

static void host_task(void *ctx, const struct asl_task_call *call)
{
    struct world *w = ctx;
    if (w->task_count == TASKS_MAX || call->token.len >= sizeof w->tokens[0]) {
        w->overflown = true;
        return;
    }
    memcpy(w->tokens[w->task_count], call->token.ptr, call->token.len);
    w->tokens[w->task_count++][call->token.len] = '\0';
}

static void host_cancel(void *ctx, struct px_str token) { (void)ctx, (void)token; }
static void host_ended(void *ctx, struct asl_execution *execution)
{
    struct world *w = ctx;
    if (!asl_execution_info(execution)->parent) w->ended = true;
}

/* Not strndup(): a sanitizer that checks strings looks for an end behind the record. */
static char *copy_of(struct px_str text)
{
    char *copy = malloc(text.len + 1);
    if (!copy) abort();
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

static void keep(struct world *w, const struct asl_frame_record *record)
{
    for (size_t i = w->frame_count; i-- > 0;) {
        uint32_t id = record->children_gone ? w->frames[i].parent : w->frames[i].frame;
        if (id != record->frame) continue;
        free(w->frames[i].record);
        memmove(&w->frames[i], &w->frames[i + 1], (w->frame_count - i - 1) * sizeof w->frames[0]);
        w->frame_count--;
    }
    if (!record->record.ptr) return;
    if (w->frame_count == FRAMES_MAX) {
        w->overflown = true;
        return;
    }
    size_t at = w->frame_count++;
    while (at > 0 && w->frames[at - 1].frame > record->frame) {
        w->frames[at] = w->frames[at - 1];
        at--;
    }
    w->frames[at] = (struct kept_frame){record->frame, record->parent, copy_of(record->record)};
}

static int turn(void *ctx, const struct asl_turn *turn)
{
    struct world *w = ctx;
    if (asl_execution_info(turn->execution)->parent) return 0;
    if (turn->event_count) PX_ASSERT(turn->event_first == w->events + 1);
    w->events += turn->event_count;
    for (size_t i = 0; i < turn->frame_count; i++) keep(w, &turn->frames[i]);
    return 0;
}

static int open_engine(struct world *w, const struct px_clock *clock)
{
    const struct asl_host host = {w, host_task, host_cancel, NULL, host_ended};
    const struct asl_journal journal = {w, turn};
    return asl_engine_new(&(struct asl_engine_options){.host = &host,
                                                       .journal = &journal,
                                                       .clock = clock,
                                                       .random = roll,
                                                       .random_ctx = w,
                                                       .executions_max = 64},
                          &w->engine);
}

static void answer(struct world *w)
{
    for (size_t i = 0; i < w->task_count; i++) {
        struct px_str token = px_str_c(w->tokens[i]);
        int r = die(w) % 3 == 0
                    ? asl_engine_task_failed(w->engine, token,
                                             &(struct asl_failure){S("Broken"), {0}})
                    : asl_engine_task_succeeded(w->engine, token, S("{\"a\":[1,{\"b\":2}]}"));
        PX_ASSERT(r == 0 || r == ASL_ENGINE_UNKNOWN);
    }
    w->task_count = 0;
}

static int crash(struct world *w, const struct px_clock *clock, struct asl_program *program,
                 struct px_str input)
{
    struct asl_frame_record records[FRAMES_MAX];
    struct asl_execution *execution = NULL;
    asl_engine_free(&w->engine);
    w->task_count = 0;
    PX_TRY(open_engine(w, clock));
    for (size_t i = 0; i < w->frame_count; i++)
        records[i] = (struct asl_frame_record){w->frames[i].frame, w->frames[i].parent,
                                               px_str_c(w->frames[i].record), false};
    int r = asl_engine_restore(w->engine,
                               &(struct asl_restore){.program = program,
                                                     .number = 1,
                                                     .name = S("n"),
                                                     .arn = S("arn:n"),
                                                     .input = input,
                                                     .event_count = w->events,
                                                     .frames = records,
                                                     .frame_count = w->frame_count},
                               &execution);
    PX_ASSERT(r == 0 || r == PX_F_OOM || r == PX_F_LIMIT);
    return r;
}

static void live(struct world *w, const struct px_clock *clock, struct asl_program *program,
                 struct px_str input)
{
    struct asl_execution *execution = NULL;
    if (asl_engine_start(w->engine, &(struct asl_start){program, S("n"), S("arn:n"), input},
                         &execution) != 0)
        return;
    for (int i = 0; i < STEPS_MAX && !w->ended && !w->overflown; i++) {
        bool more = false;
        if (asl_engine_run(w->engine, 8, &more) != 0) return;
        if (w->events && die(w) % 16 == 1 && asl_engine_find(w->engine, 1) &&
            asl_execution_info(asl_engine_find(w->engine, 1))->status == ASL_RUNNING) {
            if (crash(w, clock, program, input) != 0) return;
            continue;
        }
        asl_engine_committed(w->engine, asl_engine_turns(w->engine));
        if (more || w->ended) continue;
        if (w->task_count)
            answer(w);
        else if (asl_engine_next_ms(w->engine) == INT64_MAX)
            return;
        else if (asl_engine_next_ms(w->engine) > w->now_ns / PX_NS_PER_MS) {
            if (asl_engine_next_ms(w->engine) > INT64_MAX / PX_NS_PER_MS - 1) return;
            w->now_ns = asl_engine_next_ms(w->engine) * PX_NS_PER_MS;
        }
    }
}

static void run(struct px_str definition, struct px_str input, const uint8_t *dice,
                size_t dice_count)
{
    struct px_arena arena;
    struct asl_program *program = NULL;
    struct asl_problems problems;
    struct world w = {.now_ns = 1000000 * PX_NS_PER_S, .dice = dice, .dice_left = dice_count};
    const struct px_clock clock = {wall_ns, wall_ns, &w};
    px_arena_init(&arena, 16u << 20);
    const struct asl_program_options options = {S("m"), S("arn:m"), S("arn:r"), ASL_STANDARD, NULL};
    if (asl_program_new(definition, &options, &arena, &program, &problems) == 0 &&
        program->machine->language == ASL_JSONPATH &&
        !memmem(definition.ptr, definition.len, "JSONata", 7)) {
        if (open_engine(&w, &clock) == 0) live(&w, &clock, program, input);
        asl_engine_free(&w.engine);
    }
    for (size_t i = 0; i < w.frame_count; i++) free(w.frames[i].record);
    asl_program_unref(&program);
    px_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_str rest = px_str((const char *)data, size), definition, input;
    if (size == 0 || size > 16384) return 0;
    (void)px_str_cut(&rest, '\0', &definition);
    (void)px_str_cut(&rest, '\0', &input);
    run(definition, input, (const uint8_t *)rest.ptr, rest.len);
    return 0;
}
