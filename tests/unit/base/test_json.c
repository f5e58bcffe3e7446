/* JSON in, fields out, JSON again. */
#include "support/support_alloc.h"

#include "base/px_json.h"

static yyjson_val *parsed(struct test *t, struct px_str text)
{
    yyjson_val *root = NULL;
    CHECK_OK(px_json_parse(text, &t->arena, &root, NULL));
    return root;
}

TEST(fields_come_with_their_type_or_the_default)
{
    yyjson_val *root = parsed(t,
                              S("{\"s\":\"a\\u00e9\",\"i\":-3,\"r\":2.5,\"whole\":1e3,\"b\":true,"
                                "\"n\":null,\"big\":18446744073709551615,\"o\":{\"a\":[1,2]}}"));
    CHECK_STR(px_json_str(root, "s"), S("aé"));
    CHECK_STR(px_json_str(root, "i"), S(""));
    CHECK_INT(px_json_i64(root, "i", 9), -3);
    CHECK_INT(px_json_i64(root, "whole", 9), 1000);
    CHECK_INT(px_json_i64(root, "r", 9), 9);
    CHECK_INT(px_json_i64(root, "big", 9), 9);
    CHECK_INT(px_json_i64(root, "n", 9), 9);
    CHECK_INT(px_json_i64(root, "absent", 9), 9);
    CHECK(px_json_f64(root, "r", 0) == 2.5 && px_json_f64(root, "i", 0) == -3);
    CHECK(px_json_bool(root, "b", false) && px_json_bool(root, "s", true));
    CHECK(px_json_obj(root, "o") && !px_json_arr(root, "o") && !px_json_obj(root, "s"));
    CHECK_INT(yyjson_arr_size(px_json_at(root, "o.a")), 2);
    CHECK(!px_json_at(root, "o.a.x") && !px_json_at(root, "o.b") && !px_json_at(NULL, "o"));
    CHECK_INT(px_json_i64(NULL, "i", 9), 9);
}

TEST(what_is_no_string_is_the_empty_view)
{
    yyjson_val *root = parsed(t, S("{\"a\":[1,2,3],\"o\":{\"x\":1,\"y\":2},\"n\":7,\"s\":\"\"}"));
    static const char *const keys[] = {"a", "o", "n", "absent"};
    for (size_t i = 0; i < PX_COUNT(keys); i++) {
        struct px_str text = px_json_str(root, keys[i]);
        CHECK(text.ptr == NULL && text.len == 0);
    }
    CHECK(px_json_str(root, "s").ptr && px_json_str(root, "s").len == 0);
}

TEST(the_text_may_go_after_parsing_and_needs_no_padding)
{
    struct px_str text = S("{\"key\":\"value\"}");
    char *exact = malloc(text.len); /* AddressSanitizer sees a read behind it */
    memcpy(exact, text.ptr, text.len);
    yyjson_val *root = parsed(t, px_str(exact, text.len));
    CHECK_INT(memcmp(exact, text.ptr, text.len), 0);
    memset(exact, 'x', text.len);
    free(exact);
    CHECK_STR(px_json_str(root, "key"), S("value"));
}

TEST(what_is_not_json_is_an_answer_with_its_place)
{
    static const char *const bad[] = {
        "",        " ",        "{",      "[1,]",        "{\"a\":1,}",
        "nul",     "01",       "1 2",    "'a'",         "[NaN]",
        "// c\n1", "\"\x80\"", "\"\n\"", "\"\\ud800\"", "\xef\xbb\xbf{}",
        "{a:1}",   "1."};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        yyjson_val *root = NULL;
        struct px_where where = {.offset = 999};
        int r = px_json_parse(px_str_c(bad[i]), &t->arena, &root, &where);
        if (r != PX_JSON_INVALID) TEST_FAIL("\"%s\" gave %d", bad[i], r);
        CHECK(!root && where.expected[0] && where.offset <= strlen(bad[i]));
    }
    struct px_where where;
    yyjson_val *root;
    CHECK_INT(px_json_parse(S("[1, x]"), &t->arena, &root, &where), PX_JSON_INVALID);
    CHECK_INT(where.offset, 4);
}

static int parse_nested(struct test *t, size_t depth)
{
    char text[4 * PX_JSON_DEPTH_MAX];
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    yyjson_val *root;
    return px_json_parse(px_str(text, 2 * depth), &t->arena, &root, NULL);
}
TEST(nesting_has_a_ceiling)
{
    CHECK_OK(parse_nested(t, PX_JSON_DEPTH_MAX));
    CHECK_INT(parse_nested(t, PX_JSON_DEPTH_MAX + 1), PX_JSON_INVALID);
    /* siblings do not add up */
    PX_AUTO(px_buf_deinit) struct px_buf wide;
    px_buf_init(&wide, 1u << 20);
    px_buf_add_c(&wide, "[[]");
    for (int i = 0; i < 3 * PX_JSON_DEPTH_MAX; i++) px_buf_add_c(&wide, ",{\"a\":[]}");
    px_buf_add_c(&wide, "]");
    (void)parsed(t, px_buf_str(&wide));
}

TEST(a_small_arena_is_a_fault)
{
    struct px_arena arena;
    px_arena_init(&arena, 64);
    yyjson_val *root;
    CHECK_INT(px_json_parse(S("[1,2,3,4,5,6,7,8,9]"), &arena, &root, NULL), PX_F_LIMIT);
    px_arena_deinit(&arena);
}

static int parse_and_write(void)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_arena_init(&arena, 1u << 20);
    px_buf_init(&buf, 1u << 20);
    yyjson_val *root = NULL;
    PX_TRY(px_json_parse(S("{\"a\":[1,2,{\"b\":null}],\"c\":\"text\"}"), &arena, &root, NULL));
    px_buf_add_json(&buf, root);
    return px_buf_fault(&buf);
}
TEST(memory_running_out_is_a_fault_at_every_allocation)
{
    SWEEP_ALLOCATIONS(parse_and_write(), (void)0);
}

TEST(writing_gives_what_was_read)
{
    struct px_str text = S("{\"a\":[1,-2,3.5,1e300,true,null,\"\\u0001\\\"é\"],\"b\":{}}");
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 4096);
    px_buf_add_json(&buf, parsed(t, text));
    CHECK_STR(px_buf_str(&buf), text);
    px_buf_clear(&buf);
    px_buf_add_json(&buf, px_json_at(parsed(t, text), "b"));
    CHECK_STR(px_buf_str(&buf), S("{}"));
}

TEST(load_names_file_and_line)
{
    struct px_str path = test_path(t, "a.json");
    yyjson_val *root;
    char text[512];
    CHECK_INT(px_json_load(path.ptr, 1000, &t->arena, &root), PX_F_CONFIG);
    CHECK(strstr(px_fault_text(PX_F_CONFIG, text, sizeof text), "a.json does not exist"));
    CHECK_OK(px_file_write_atomic(path.ptr, S("{\n\"a\":1,\n\"b\":}\n"), 0600));
    CHECK_INT(px_json_load(path.ptr, 1000, &t->arena, &root), PX_F_CONFIG);
    CHECK(strstr(px_fault_text(PX_F_CONFIG, text, sizeof text), "a.json:3: JSON: "));
    CHECK_INT(px_json_load(path.ptr, 5, &t->arena, &root), PX_F_CONFIG);
    CHECK_OK(px_file_write_atomic(path.ptr, S("{\"a\":1}"), 0600));
    CHECK_OK(px_json_load(path.ptr, 1000, &t->arena, &root));
    CHECK_INT(px_json_i64(root, "a", 0), 1);
}

TEST_MAIN
