/* Models: JSON Schema draft 4 as the gateway checks bodies by it. */
#include "support/support.h"

#include "region/model.h"

static void *alloc(void *ctx, size_t bytes) { return px_arena_alloc(ctx, bytes); }

static const struct model *compiled(struct test *t, const char *document, const char *pointer)
{
    char why[160] = "";
    const struct model *model = NULL;
    struct models *models = models_new(document, strlen(document));
    CHECK(models);
    int r = model_compile(models, pointer, alloc, &t->arena, &model, why, sizeof(why));
    models_free(&models);
    if (r != 0) TEST_FAIL("%s", why);
    return model;
}

/* A root schema; references start at it. */
static const struct model *of(struct test *t, const char *schema)
{
    return compiled(
        t,
        px_arena_printf(&t->arena,
                        "{\"a/b\":{\"s~\":%s},\"components\":{\"schemas\":{"
                        "\"Name\":{\"type\":\"string\",\"pattern\":\"^[a-z]{1,3}$\"}}}}",
                        schema)
            .ptr,
        "/a~1b/s~0");
}

static const char *said(struct test *t, const struct model *model, const char *body)
{
    char *why = px_arena_zalloc(&t->arena, 512);
    return model_check(model, body, strlen(body), why, 512) == MODEL_FITS ? "" : why;
}

TEST(first_violation_is_told_with_its_place)
{
    static const struct {
        const char *schema, *body, *said;
    } cases[] = {
        {"{\"type\":\"object\"}", "{}", ""},
        {"{\"type\":\"object\",\"required\":[\"sql\"]}", "{}",
         "[object has missing required properties ([\"sql\"])]"},
        {"{\"properties\":{\"a\":{\"type\":\"integer\"}}}", "{\"a\":\"x\"}",
         "[/a: instance type (string) does not match any allowed primitive type (allowed: [\"integer\"])]"},
        {"{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1,\"b\":2}",
         "[object instance has properties which are not allowed by the schema: [\"b\"]]"},
        {"{\"properties\":{\"a\":{\"items\":{\"enum\":[\"x\"]}}}}", "{\"a\":[\"x\",\"y\"]}",
         "[/a/1: instance value not found in enum]"},
        {"{\"minimum\":1}", "0",
         "[numeric instance is lower than the required minimum (minimum: 1, found: 0)]"},
        {"{\"maximum\":5}", "9223372036854775807",
         "[numeric instance is greater than the required maximum (maximum: 5, found: 9223372036854775807)]"},
        {"{\"minLength\":1}", "\"\"",
         "[string \"\" is too short (length: 0, required minimum: 1)]"},
        {"{\"maxLength\":1}", "\"\\u00e9x\"",
         "[string \"\u00e9x\" is too long (length: 2, maximum allowed: 1)]"},
        {"{\"$ref\":\"#/components/schemas/Name\"}", "\"abc\"", ""},
        {"{\"$ref\":\"#/components/schemas/Name\"}", "\"abcd\"",
         "[regex does not match input string \"abcd\"]"},
        {"{\"properties\":{\"n\":{\"$ref\":\"#/components/schemas/Name\"}}}", "{\"n\":\"A\"}",
         "[/n: regex does not match input string \"A\"]"},
        {"{\"minItems\":1}", "[]",
         "[array is too short: must have at least 1 elements but instance has 0 elements]"},
        {"{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"number\"}]}", "1.5", ""},
        {"{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"number\"}]}", "null",
         "[instance failed to match exactly one schema]"},
        {"{\"allOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}", "{\"a\":1}",
         "[instance failed to match all required schemas]"},
        {"{\"uniqueItems\":true}", "[1,1]", "[array must not contain duplicate elements]"},
        {"{}", "", "[no JSON: The document is empty. Byte 0]"},
        {"{}", "{\"a\":", "[no JSON: Invalid value. Byte 5]"},
        {"{}", "1 2", "[no JSON: The document root must not be followed by other values. Byte 2]"},
        {"{}", "\"\xff\"", "[no JSON: Invalid encoding in string. Byte 1]"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++)
        CHECK_STR(px_str_c(said(t, of(t, cases[i].schema), cases[i].body)),
                  px_str_c(cases[i].said));
}

TEST(zero_within_a_body_is_no_end)
{
    char why[64];
    CHECK_INT(model_check(of(t, "{}"), "{}\0{}", 5, why, sizeof(why)), MODEL_VIOLATED);
    CHECK_STR(px_str_c(why), S("[no JSON: a zero. Byte 2]"));
}

TEST(depth_and_words_are_bounded)
{
    const struct model *any = of(t, "{\"type\":[\"array\",\"string\"]}");
    char *deep = px_arena_zalloc(&t->arena, 200001), why[16];
    memset(deep, '[', 200000);
    CHECK_STR(px_str_c(said(t, any, deep)), S("[more than 64 objects and arrays in each other]"));
    memcpy(deep + 64, deep + 199999, 1);
    deep[64] = '\0';
    CHECK_STR(px_str_c(said(t, any, deep)), S("[no JSON: Invalid value. Byte 64]"));
    memset(deep + 1, 'x', 100000);
    deep[0] = deep[100001] = '"';
    deep[100002] = '\0';
    CHECK(strlen(said(t, of(t, "{\"maxLength\":3}"), deep)) < 200);
    CHECK_INT(model_check(of(t, "{\"minLength\":5}"), "\"\u00e9\"", 4, why, sizeof(why)),
              MODEL_VIOLATED);
    CHECK_STR(px_str_c(why), S("[string \"\u00e9\" is"));
}

TEST(what_takes_much_memory_to_look_at_is_refused)
{
    size_t bytes = 24u << 20, n = 0;
    char *body = malloc(bytes), why[64];
    body[n++] = '[';
    while (n < bytes - 2) {
        body[n++] = '1';
        body[n++] = ',';
    }
    body[n - 1] = ']';
    /* Each item is hashed, and kept until the array's end. */
    CHECK_INT(model_check(of(t, "{\"uniqueItems\":true,\"items\":{}}"), body, n, why, sizeof(why)),
              MODEL_VIOLATED);
    free(body);
}

TEST(what_is_no_schema_is_refused_with_a_reason)
{
    static const char *const documents[][2] = {
        {"{\"s\":{\"$ref\":\"#/nowhere\"}}", "/s"},
        {"{\"s\":{\"pattern\":\"(\"}}", "/s"},
        {"{\"s\":{\"$ref\":\"#/s\"}}", "/s"},
        {"{\"s\":{\"$ref\":\"http://x/y\"}}", "/s"},
        {"{\"s\":{}}", "/other"},
        {"{\"s\":{\"pattern\":\"[a-z]*+\"}}", "/s"},
        {"{\"s\":{\"properties\":{\"a\":{\"pattern\":\"(a|b*){2,}\"}}}}", "/s"},
        {"{\"s\":{\"patternProperties\":{\"^(a?)+\":{}}}}", "/s"},
    };
    for (size_t i = 0; i < PX_COUNT(documents); i++) {
        char why[160] = "";
        const struct model *model = NULL;
        struct models *models = models_new(documents[i][0], strlen(documents[i][0]));
        CHECK(models);
        CHECK_INT(
            model_compile(models, documents[i][1], alloc, &t->arena, &model, why, sizeof(why)),
            MODEL_WRONG);
        CHECK(why[0] && !model);
        models_free(&models);
    }
    CHECK(!models_new("{", 1));
}

TEST(patterns_that_end_are_taken)
{
    static const char *const patterns[] = {"^a*b+$",  "^[)*+]*$",   "\\\\)+",
                                           "^(a*)?$", "x{1,3}y{2}", "a?b*"};
    for (size_t i = 0; i < PX_COUNT(patterns); i++) {
        char schema[80];
        (void)snprintf(schema, sizeof(schema), "{\"pattern\":\"%s\"}", patterns[i]);
        CHECK(of(t, schema));
    }
}

TEST(memory_of_models_has_an_end)
{
    static const char text[] = "{\"s\":{\"properties\":{\"a\":{\"enum\":[1,2,3]}}}}";
    struct px_arena small;
    char why[160];
    for (size_t limit = 0; limit < 4096; limit += 64) {
        const struct model *model = NULL;
        struct models *models = models_new(text, sizeof(text) - 1);
        px_arena_init(&small, limit);
        int r = model_compile(models, "/s", alloc, &small, &model, why, sizeof(why));
        CHECK(r == MODEL_NO_MEMORY || (r == 0 && model));
        models_free(&models);
        px_arena_deinit(&small);
    }
}

TEST_MAIN
