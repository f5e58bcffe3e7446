/* JSON as a payload template in both languages and as a rule of a Choice state: refused with places inside it, or evaluated. */
// link: px_asl
#include <stdlib.h>

#include "asl/choice.h"
#include "base/px_buf.h"

#define ARENA_BYTES ((size_t)64 << 20)

static const char usual[] =
    "{\"a\":{\"b\":[1,2.5,\"x\",null,true]},\"s\":\"text\",\"n\":3,\"t\":true,\"z\":null,\"l\":[1,2,3],"
    "\"when\":\"2016-08-18T17:33:00Z\"}";

struct told {
    yyjson_val *written; /* NULL: a name stands twice somewhere, so pointers mean nothing */
    size_t count;
};
/* A place is a JSON pointer to what is there. */
static void note(void *ctx, struct px_str place, struct px_str expected)
{
    struct told *told = ctx;
    told->count++;
    PX_ASSERT(expected.len > 0 && px_utf8_ok(place));
    PX_ASSERT(place.len == 0 || place.ptr[0] == '/');
    if (told->written && place.len > 0)
        PX_ASSERT(yyjson_ptr_getn(told->written, place.ptr, place.len));
}

static uint64_t dice(void *ctx) { return *(uint64_t *)ctx += 0x9E3779B97F4A7C15ULL; }

/* Copying drops all but one of several members with a name. */
static bool names_stand_once(yyjson_val *written, struct asl_values *values)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, ARENA_BYTES);
    px_buf_add_json(&text, written);
    struct px_str copied = {0};
    yyjson_mut_val *copy = asl_copy_fixed(values, written);
    PX_ASSERT(copy && px_buf_fault(&text) == 0);
    int r = asl_value_write(values, copy, &copied);
    return r == 0 && px_str_eq(copied, px_buf_str(&text));
}

static void as_template(yyjson_val *written, enum asl_language language, struct px_arena *arena,
                        const struct asl_scope *scope)
{
    struct told told = {names_stand_once(written, scope->values) ? written : NULL, 0};
    struct asl_template_error error = {note, &told};
    const struct asl_template *template = NULL;
    int r = asl_template_compile(written, language, NULL, arena, &error, &template);
    PX_ASSERT(r == 0 || r == ASL_INVALID || r == PX_F_LIMIT);
    PX_ASSERT((r == ASL_INVALID) == (told.count > 0) || r < 0);
    if (r) return;
    bool fixed = asl_template_is_fixed(template);
    if (language == ASL_JSONATA && !fixed) return; /* there is no engine here */
    struct asl_failure failure = {0};
    yyjson_mut_val *value = NULL, *copy = asl_copy_fixed(scope->values, written);
    r = asl_template_eval(template, scope, "Parameters", &value, &failure);
    PX_ASSERT(r == 0 || r == PX_F_LIMIT || (r == ASL_FAILED && !fixed && failure.cause.len > 0));
    if (r == 0 && fixed && copy) PX_ASSERT(asl_value_equal(value, copy));
    struct px_str text;
    r = r == 0 ? asl_value_write(scope->values, value, &text) : 0;
    PX_ASSERT(r == 0 || r == ASL_INVALID || r == PX_F_LIMIT);
}

static void as_rule(yyjson_val *written, struct px_arena *arena, const struct asl_scope *scope)
{
    struct told told = {names_stand_once(written, scope->values) ? written : NULL, 0};
    struct asl_template_error error = {note, &told};
    const struct asl_rule *rule = NULL;
    struct asl_failure failure = {0};
    bool matches = false;
    int r = asl_rule_compile(written, arena, &error, &rule);
    PX_ASSERT(r == 0 || r == PX_F_LIMIT || (r == ASL_INVALID && told.count > 0));
    if (r) return;
    r = asl_rule_matches(rule, scope, &matches, &failure);
    PX_ASSERT(r == 0 || r == PX_F_LIMIT || (r == ASL_FAILED && failure.cause.len > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena, definition;
    px_arena_init(&arena, ARENA_BYTES);
    px_arena_init(&definition, ARENA_BYTES);
    yyjson_val *written = NULL;
    struct asl_values values;
    uint64_t seed = 7;
    if (px_json_parse(px_str((const char *)data, size), &definition, &written, NULL)) return 0;
    int r = asl_values_init(&values, &arena);
    PX_ASSERT(r == 0);
    struct asl_scope scope = {.values = &values, .random = dice, .random_ctx = &seed};
    r = asl_value_parse(&values, px_str_c(usual), &scope.input, NULL);
    PX_ASSERT(r == 0);
    scope.context = scope.variables = scope.input;
    as_template(written, ASL_JSONPATH, &definition, &scope);
    as_template(written, ASL_JSONATA, &definition, &scope);
    as_rule(written, &definition, &scope);
    return 0;
}
