/* bench/executions.c - executions on the engine with its journal on a disk: transitions a second, start to end, memory held.
 *
 *   executions transitions DEFINITION FOLDER EXECUTIONS    many at once, 1,000 running; each state entered is a transition
 *   executions latency DEFINITION FOLDER EXECUTIONS        one after the other: start, its fsync, end, its fsync
 *   executions held DEFINITION FOLDER EXECUTIONS           all waiting for a task's token
 *
 * A line of JSON. bench/workflows.py puts others beside it. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asl/engine.h"
#include "base/px_clock.h"
#include "base/px_file.h"
#include "store/executions.h"

#define AT_ONCE 1000
#define BATCH_BYTES (64u << 20)

struct bench {
    struct asl_engine *engine;
    struct asl_program *program;
    struct execution_store *store;
    struct execution_batch batch;
    uint64_t definition;
    uint64_t states, ended;
    struct px_arena frames;
};

static void must(int result)
{
    char text[512];
    if (result == 0) return;
    fprintf(stderr, "executions: %d %s\n", result,
            result < 0 ? px_fault_text(result, text, sizeof text) : "");
    exit(1);
}

static int64_t now_us(void) { return px_mono_ns(&px_clock_system) / PX_NS_PER_US; }

static void host_task(void *ctx, const struct asl_task_call *call) { (void)ctx, (void)call; }
static void host_ended(void *ctx, struct asl_execution *execution)
{
    struct bench *bench = ctx;
    if (asl_execution_info(execution)->status != ASL_SUCCEEDED) {
        fprintf(stderr, "executions: %.*s\n", PX_FMT(asl_execution_info(execution)->failure.cause));
        exit(1);
    }
    bench->ended++;
}

static void count_states(struct bench *bench, struct px_str events)
{
    for (const char *at = events.ptr;
         (at = memmem(at, events.len - (size_t)(at - events.ptr), "StateEntered\"", 13)); at += 13)
        bench->states++;
}

static int journal_turn(void *ctx, const struct asl_turn *turn)
{
    struct bench *bench = ctx;
    const struct asl_execution_info *info = asl_execution_info(turn->execution);
    px_arena_reset(&bench->frames);
    struct execution_frame *frames = px_arena_array(&bench->frames, struct execution_frame,
                                                    turn->frame_count + 1);
    for (size_t i = 0; i < turn->frame_count; i++)
        frames[i] = (struct execution_frame){turn->frames[i].frame, turn->frames[i].parent,
                                             turn->frames[i].record, turn->frames[i].children_gone};
    count_states(bench, turn->events);
    return execution_batch_add(&bench->batch,
                               &(struct execution_turn){
                                   .row =
                                       {
                                           .number = info->number,
                                           .machine = info->program->name,
                                           .definition = bench->definition,
                                           .name = info->name,
                                           .arn = info->arn,
                                           .status = (enum execution_status)info->status,
                                           .start_ms = info->start_ms,
                                           .stop_ms = info->stop_ms,
                                           .input = info->input,
                                           .output = info->output,
                                           .event_count = info->event_count,
                                       },
                                   .first = turn->first,
                                   .events = turn->events,
                                   .event_first = turn->event_first,
                                   .event_count = turn->event_count,
                                   .frames = frames,
                                   .frame_count = turn->frame_count,
                               });
}

static void commit(struct bench *bench)
{
    if (bench->batch.turns) must(execution_commit(bench->store, &bench->batch));
    execution_batch_clear(&bench->batch);
    asl_engine_committed(bench->engine, asl_engine_turns(bench->engine));
}

static void open_bench(struct bench *bench, const char *definition, const char *folder)
{
    struct px_buf text;
    struct px_arena arena;
    struct asl_problems problems;
    px_buf_init(&text, 2u << 20);
    px_arena_init(&arena, 4u << 20);
    px_arena_init(&bench->frames, 64u << 20);
    must(px_file_read(definition, &text));
    const struct asl_program_options options = {
        S("bench"), S("arn:aws:states:us-east-1:000000000000:stateMachine:bench"), S(""),
        ASL_STANDARD, NULL};
    must(asl_program_new(px_buf_str(&text), &options, &arena, &bench->program, &problems));
    must(execution_store_open(px_arena_printf(&arena, "%s/executions.db", folder), &bench->store));
    must(execution_define(bench->store, S("bench"), px_buf_str(&text), &bench->definition));
    execution_batch_init(&bench->batch, BATCH_BYTES);
    const struct asl_host host = {.ctx = bench, .task = host_task, .ended = host_ended};
    const struct asl_journal journal = {bench, journal_turn};
    must(asl_engine_new(&(struct asl_engine_options){.host = &host, .journal = &journal},
                        &bench->engine));
    px_buf_deinit(&text);
    px_arena_deinit(&arena);
}

static void start_one(struct bench *bench, uint64_t i)
{
    char name[32], arn[128];
    struct asl_execution *execution = NULL;
    (void)snprintf(name, sizeof name, "e%llu", (unsigned long long)i);
    (void)snprintf(arn, sizeof arn, "arn:aws:states:us-east-1:000000000000:execution:bench:%s",
                   name);
    must(asl_engine_start(
        bench->engine,
        &(struct asl_start){bench->program, px_str_c(name), px_str_c(arn),
                            S("{\"order\":{\"id\":42,\"items\":[1,2,3]},\"customer\":\"acme\"}")},
        &execution));
}

static void run_until(struct bench *bench, uint64_t ended)
{
    bool more = true;
    while (bench->ended < ended) {
        must(asl_engine_run(bench->engine, 100000, &more));
        commit(bench);
    }
}

static void transitions(struct bench *bench, uint64_t count)
{
    int64_t begun = now_us();
    for (uint64_t i = 0; i < count; i += AT_ONCE) {
        uint64_t end = i + AT_ONCE < count ? i + AT_ONCE : count;
        for (uint64_t k = i; k < end; k++) start_one(bench, k);
        run_until(bench, end);
    }
    double seconds = (double)(now_us() - begun) / 1e6;
    printf("{\"executions\":%llu,\"states\":%llu,\"seconds\":%.3f,\"states_per_s\":%.0f}\n",
           (unsigned long long)count, (unsigned long long)bench->states, seconds,
           (double)bench->states / seconds);
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void latency(struct bench *bench, uint64_t count)
{
    int64_t *took = calloc(count, sizeof *took);
    if (!took || count == 0) exit(1);
    for (uint64_t i = 0; i < count; i++) {
        int64_t begun = now_us();
        start_one(bench, i);
        run_until(bench, i + 1);
        took[i] = now_us() - begun;
    }
    qsort(took, count, sizeof *took, by_time);
    printf("{\"executions\":%llu,\"p50_us\":%lld,\"p99_us\":%lld}\n", (unsigned long long)count,
           (long long)took[count / 2], (long long)took[count * 99 / 100]);
    free(took);
}

static uint64_t resident_bytes(void)
{
    struct px_buf text;
    px_buf_init(&text, 4096);
    must(px_file_read("/proc/self/statm", &text));
    px_buf_add_char(&text, '\0');
    const char *second = strchr(text.ptr, ' ');
    uint64_t pages = second ? strtoull(second, NULL, 10) : 0;
    px_buf_deinit(&text);
    return pages * 4096;
}

static void held(struct bench *bench, uint64_t count)
{
    bool more = true;
    uint64_t before = resident_bytes();
    for (uint64_t i = 0; i < count; i++) {
        start_one(bench, i);
        if (i % AT_ONCE != AT_ONCE - 1 && i + 1 != count) continue;
        must(asl_engine_run(bench->engine, SIZE_MAX, &more));
        commit(bench);
    }
    printf("{\"executions\":%zu,\"resident_bytes\":%llu,\"before_bytes\":%llu}\n",
           asl_engine_count(bench->engine), (unsigned long long)resident_bytes(),
           (unsigned long long)before);
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    if (argc != 5) {
        fprintf(stderr,
                "usage: executions transitions|latency|held DEFINITION FOLDER EXECUTIONS\n");
        return 2;
    }
    uint64_t count = strtoull(argv[4], NULL, 10);
    open_bench(&bench, argv[2], argv[3]);
    if (strcmp(argv[1], "transitions") == 0)
        transitions(&bench, count);
    else if (strcmp(argv[1], "latency") == 0)
        latency(&bench, count);
    else
        held(&bench, count);
    asl_engine_free(&bench.engine);
    asl_program_unref(&bench.program);
    execution_batch_deinit(&bench.batch);
    execution_store_close(&bench.store);
    px_arena_deinit(&bench.frames);
    return 0;
}
