/* Arbitrary text as a JSONata expression: refused with a place inside the text, or evaluated on a small input, to a value that is
 * JSON or to a failure with a cause, in bounded time and memory. Whatever came before, the engine then still adds 1 and 1. */
// link: px_asl prism::quickjs
#include "asl/jsonata.h"
#include "asl/jsonata_engine.h"

#include <stdlib.h>

#define ARENA_BYTES ((size_t)16 << 20)
#define TEXT_BYTES_MAX 4096

static struct asl_jsonata *engine;
static uint64_t dice;

static uint64_t roll(void *ctx) { return ++*(uint64_t *)ctx; }
static yyjson_mut_val *read_json(struct asl_values *values, const char *text)
{
    yyjson_mut_val *value = NULL;
    int r = asl_value_parse(values, px_str_c(text), &value, NULL);
    PX_ASSERT(r == 0);
    return value;
}

static void evaluate(struct px_str text, const struct asl_scope *scope, yyjson_mut_val **ret_value)
{
    struct asl_failure failure = {0};
    int r = asl_jsonata_eval(engine, text, scope, "Output", ret_value, &failure);
    PX_ASSERT(r == 0 || (r == ASL_FAILED && failure.error.len > 0 && failure.cause.len > 0));
    struct px_str written;
    if (r == 0) r = asl_value_write(scope->values, *ret_value, &written);
    PX_ASSERT(r == 0 || r == ASL_FAILED);
}

static void check_one(struct px_str text, struct px_arena *arena)
{
    struct asl_values values;
    int r = asl_values_init(&values, arena);
    PX_ASSERT(r == 0);
    const struct asl_scope scope = {
        .values = &values,
        .input = read_json(&values,
                           "{\"a\":[{\"b\":1,\"c\":\"x\"},{\"b\":2}],\"s\":\"text\",\"n\":-1.5}"),
        .context = read_json(&values, "{\"State\":{\"Name\":\"S\"}}"),
        .variables = read_json(&values, "{\"v\":[1,2,3],\"w\":null}"),
        .random = roll,
        .random_ctx = &dice,
        .now_ms = 1,
    };
    yyjson_mut_val *value = NULL;
    struct px_where where = {.offset = SIZE_MAX};
    r = asl_jsonata_check(engine, text, &where);
    PX_ASSERT(r == 0 || (r == ASL_INVALID && where.offset <= text.len && where.expected[0]));
    evaluate(text, &scope, &value);
    value = NULL;
    evaluate(S("1 + 1"), &scope, &value);
    PX_ASSERT(value && yyjson_mut_get_sint(value) == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > TEXT_BYTES_MAX) return 0;
    if (!engine) {
        const struct asl_jsonata_options options = {.memory_bytes_max = 8u << 20,
                                                    .eval_ms_max = 50};
        int r = asl_jsonata_new(&options, &engine);
        PX_ASSERT(r == 0);
        engine->lazy_min = 1;
    }
    char *text = malloc(size + !size); /* without anything behind it */
    if (!text) abort();
    if (size) memcpy(text, data, size);
    struct px_arena arena;
    px_arena_init(&arena, ARENA_BYTES);
    if (px_utf8_ok(px_str(text, size))) check_one(px_str(text, size), &arena);
    px_arena_deinit(&arena);
    free(text);
    return 0;
}
