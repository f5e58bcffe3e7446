/* An expression on the first line, JSON of its input behind it: refused with a place inside the text, or evaluated, the same each
 * time, to a value that can be written and read again, or to a failure that says something. */
// link: px_asl
#include <stdlib.h>

#include "asl/expr.h"
#include "base/px_buf.h"

#define ARENA_BYTES ((size_t)64 << 20)

static const char usual[] =
    "{\"a\":{\"b\":[1,2.5,\"x\",null,true,{\"c\":[[],{}]}],\"s\":\"text\"},\"l\":[{\"k\":1,\"v\":\"one\"},"
    "{\"k\":2,\"v\":\"two\"},{\"k\":3}],\"t\":\"{} and {}\",\"n\":3,\"e\":[]}";

static uint64_t dice(void *ctx) { return *(uint64_t *)ctx += 0x9E3779B97F4A7C15ULL; }

static void writable(struct asl_values *values, yyjson_mut_val *value)
{
    struct px_str text, again;
    yyjson_mut_val *read = NULL;
    int r = asl_value_write(values, value, &text);
    PX_ASSERT(r == 0 || r == ASL_INVALID || r == PX_F_LIMIT);
    if (r) return;
    r = asl_value_parse(values, text, &read, NULL);
    PX_ASSERT(r == 0 || r == PX_F_LIMIT);
    if (r) return;
    PX_ASSERT(asl_value_equal(value, read) && asl_value_hash(value) == asl_value_hash(read));
    r = asl_value_write(values, read, &again);
    PX_ASSERT(r == PX_F_LIMIT || px_str_eq(text, again));
}

static void told(const struct asl_failure *failure)
{
    PX_ASSERT(failure->error.len > 0 && failure->cause.len > 0 && failure->cause.len <= 32768);
    PX_ASSERT(px_utf8_ok(failure->error));
}

static void evaluate(const struct asl_expr *expr, struct asl_values *values, yyjson_mut_val *input)
{
    uint64_t first_dice = 7, second_dice = 7;
    struct asl_failure failure = {0};
    yyjson_mut_val *first = NULL, *second = NULL, *found = NULL;
    struct asl_scope scope = {.values = values,
                              .input = input,
                              .context = input,
                              .variables = yyjson_mut_is_obj(input) ? input : NULL,
                              .random = dice,
                              .random_ctx = &first_dice};
    int r = asl_expr_eval(expr, &scope, "InputPath", &first, &failure);
    PX_ASSERT(r == 0 || r == ASL_FAILED || r == PX_F_LIMIT);
    if (r == ASL_FAILED) told(&failure);
    if (r == 0) writable(values, first);
    scope.random_ctx = &second_dice;
    int again = asl_expr_eval(expr, &scope, "a.$", &second, &failure);
    PX_ASSERT(again == r || r == PX_F_LIMIT || again == PX_F_LIMIT);
    if (r == 0 && again == 0) PX_ASSERT(asl_value_equal(first, second));
    again = asl_expr_find(expr, &scope, &found, &failure);
    PX_ASSERT(again == 0 || again == ASL_FAILED || again == PX_F_LIMIT);
    if (!asl_expr_is_reference(expr)) return;
    PX_ASSERT((r == 0) == (found != NULL));
    yyjson_mut_val *root = asl_copy(values, input), *put = yyjson_mut_true(values->doc);
    if (!root || !put) return;
    if (asl_expr_put(expr, values, &root, put, &failure)) return;
    scope.input = root;
    r = asl_expr_eval(expr, &scope, "InputPath", &found, &failure);
    PX_ASSERT(r == PX_F_LIMIT || (r == 0 && yyjson_mut_is_true(found)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + !size); /* exactly as long, so that ASan sees a byte too far */
    if (!copy) abort();
    if (size) memcpy(copy, data, size);
    struct px_str json = px_str(copy, size), text;
    PX_AUTO(px_arena_deinit) struct px_arena arena, definition;
    px_arena_init(&arena, ARENA_BYTES);
    px_arena_init(&definition, ARENA_BYTES);
    struct asl_values values;
    const struct asl_expr *expr = NULL;
    struct px_where where = {.offset = SIZE_MAX};
    yyjson_mut_val *input = NULL;
    (void)px_str_cut(&json, '\n', &text);
    int r = asl_values_init(&values, &arena);
    PX_ASSERT(r == 0);
    if (asl_value_parse(&values, json, &input, NULL)) {
        r = asl_value_parse(&values, px_str_c(usual), &input, NULL);
        PX_ASSERT(r == 0);
    }
    /* a definition is JSON: its texts are UTF-8 */
    r = px_utf8_ok(text) ? asl_expr_path(text, &definition, &expr, &where) : -1;
    PX_ASSERT(r <= 0 || (r == ASL_INVALID && where.offset <= text.len && where.expected[0]));
    free(copy); /* what is compiled needs the text no longer */
    if (r == 0) evaluate(expr, &values, input);
    return 0;
}
