/* bench/expressions.c - JSONata expressions a second in Prism's engine.
 *
 *   expressions CASES.json MS     each case {"name", "expression", "input"} for MS milliseconds of processor time
 *   expressions --open ROUNDS     microseconds to open an engine (the first expression of one), the least of the rounds
 *
 * One line a case: name, evaluations a second, tab between. bench/expressions.py runs the same under Node.js. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "asl/jsonata.h"

#define ARENA_BYTES ((size_t)64 << 20)

static void die(const char *what)
{
    fprintf(stderr, "expressions: %s\n", what);
    exit(1);
}
static void must(int result)
{
    char text[512];
    if (result != 0) die(px_fault_text(result, text, sizeof text));
}

static int64_t cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static uint64_t roll(void *ctx) { return ++*(uint64_t *)ctx * UINT64_C(0x9e3779b97f4a7c15); }

/* One step: its own arena and document, the input copied into it, as a state would have it. */
static void step(struct asl_jsonata *engine, yyjson_val *one, struct px_arena *arena)
{
    static uint64_t dice;
    struct asl_values values;
    must(asl_values_init(&values, arena));
    const struct asl_scope scope = {
        .values = &values,
        .input = asl_copy_fixed(&values, yyjson_obj_get(one, "input")),
        .context = yyjson_mut_obj(values.doc),
        .random = roll,
        .random_ctx = &dice,
    };
    yyjson_mut_val *value;
    struct asl_failure failure;
    int r = asl_jsonata_eval(engine, px_json_str(one, "expression"), &scope, "Output", &value,
                             &failure);
    if (r == ASL_FAILED) die(px_arena_cstr(arena, failure.cause));
    must(r);
    px_arena_reset(arena);
}

static void measure(struct asl_jsonata *engine, yyjson_val *one, int64_t ns)
{
    struct px_arena arena;
    px_arena_init(&arena, ARENA_BYTES);
    for (int i = 0; i < 20; i++) step(engine, one, &arena);
    long count = 0;
    int64_t spent = 0, begin = cpu_ns();
    while (spent < ns) {
        for (int i = 0; i < 20; i++, count++) step(engine, one, &arena);
        spent = cpu_ns() - begin;
    }
    printf("%.*s\t%.0f\n", PX_FMT(px_json_str(one, "name")), (double)count * 1e9 / (double)spent);
    px_arena_deinit(&arena);
}

static void measure_opening(long rounds)
{
    int64_t least = INT64_MAX;
    for (long i = 0; i < rounds; i++) {
        struct asl_jsonata *engine;
        struct px_where where;
        must(asl_jsonata_new(NULL, &engine));
        int64_t begin = cpu_ns();
        must(asl_jsonata_check(engine, S("1"), &where));
        int64_t spent = cpu_ns() - begin;
        asl_jsonata_free(&engine);
        least = PX_MIN(least, spent);
    }
    printf("open\t%.0f\n", (double)least / 1e3);
}

int main(int argc, char **argv)
{
    if (argc != 3) die("usage: expressions CASES.json MS | --open ROUNDS");
    if (strcmp(argv[1], "--open") == 0) {
        measure_opening(strtol(argv[2], NULL, 10));
        return 0;
    }
    struct px_arena arena;
    struct asl_jsonata *engine;
    yyjson_val *cases, *one;
    size_t i, count;
    px_arena_init(&arena, ARENA_BYTES);
    must(px_json_load(argv[1], ARENA_BYTES / 4, &arena, &cases));
    must(asl_jsonata_new(NULL, &engine));
    yyjson_arr_foreach(cases, i, count, one)
    {
        measure(engine, one, strtol(argv[2], NULL, 10) * 1000000);
    }
    asl_jsonata_free(&engine);
    px_arena_deinit(&arena);
    return 0;
}
