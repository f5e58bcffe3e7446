/* A template's value with the places that it was written at, and that no template takes more than it is given. */
#include "support/support.h"

#include "config/source.h"

static struct config_tree tree_of(struct test *t, const char *text)
{
    struct config_tree tree = {0};
    CHECK_OK(config_evaluate_text(text, 300000, &t->arena, &tree));
    return tree;
}

static struct px_str message_of(const struct config_tree *tree, yyjson_val *node)
{
    return px_json_str(yyjson_arr_get(tree->faults, (size_t)px_json_i64(node, "fault", 0)),
                       "message");
}

static void check_place(const struct config_tree *tree, yyjson_val *node, uint32_t line,
                        uint32_t column)
{
    struct config_place place = config_place_of(tree, node);
    CHECK_STR(place.file, S("text"));
    CHECK_INT(place.line, line);
    CHECK_INT(place.column, column);
}

TEST(values_have_their_kinds)
{
    struct config_tree tree = tree_of(t, "{a: 1.5, b: 'x', c: [true, null], d: {e: -1}, h:: 9}");
    CHECK_INT(config_kind_of(tree.root), CONFIG_MAP);
    CHECK(config_number(config_at(tree.root, "a"), 0) == 1.5);
    CHECK_STR(config_text(config_at(tree.root, "b")), S("x"));
    CHECK_INT(config_kind_of(config_at(tree.root, "c")), CONFIG_LIST);
    CHECK(config_number(config_at(tree.root, "d.e"), 0) == -1);
    CHECK(!config_at(tree.root, "h"));
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 1024);
    config_write_json(&text, tree.root);
    CHECK_STR(px_buf_str(&text), S("{\"a\":1.5,\"b\":\"x\",\"c\":[true,null],\"d\":{\"e\":-1}}"));
}

TEST(a_value_is_where_its_field_says_it)
{
    struct config_tree tree = tree_of(t, "{\n  a: 1,\n  b: {\n    c: 2 } }");
    check_place(&tree, config_at(tree.root, "a"), 2, 6);
    check_place(&tree, config_at(tree.root, "b.c"), 4, 8);
}

TEST(names_fields_parameters_and_choices_are_followed_to_where_a_value_was_written)
{
    struct config_tree tree = tree_of(t, "local f(size, big=true) = {\n"
                                         "  local own = size, a: own, b: $.a,\n"
                                         "  c: if big then 7 else 8 };\n"
                                         "f(5)");
    check_place(&tree, config_at(tree.root, "a"), 4, 3);
    check_place(&tree, config_at(tree.root, "b"), 4, 3);
    check_place(&tree, config_at(tree.root, "c"), 3, 18);
}

TEST(the_last_layer_is_told_first_and_those_below_it_after)
{
    struct config_tree tree = tree_of(t, "{a: {b: 1, c: 1}}\n+ {a+: {b: 2}}\n+ {a+: {b: 3}}");
    yyjson_val *b = config_at(tree.root, "a.b"), *over = yyjson_obj_get(b, "over");
    CHECK(config_number(b, 0) == 3);
    check_place(&tree, b, 3, 12);
    CHECK_INT(yyjson_arr_size(over), 2);
    CHECK_INT(config_place_at(&tree, yyjson_arr_get(over, 0)).line, 2);
    CHECK_INT(config_place_at(&tree, yyjson_arr_get(over, 1)).line, 1);
    check_place(&tree, config_at(tree.root, "a.c"), 1, 15);
}

TEST(fields_made_in_a_loop_and_items_of_lists_have_places)
{
    struct config_tree tree = tree_of(t, "{[k]: {v: k}\n for k in ['x',\n 'y']}");
    check_place(&tree, config_at(tree.root, "y.v"), 1, 11);
    tree = tree_of(t, "[1,\n 2 + 3]");
    check_place(&tree, yyjson_arr_get(config_items(tree.root), 1), 2, 2);
}

TEST(what_cannot_be_evaluated_leaves_the_rest)
{
    struct config_tree tree = tree_of(
        t, "{a: error 'no', b: 1, c: self.d, d: self.c, e: function(x) x}");
    CHECK_INT(config_kind_of(config_at(tree.root, "a")), CONFIG_WRONG);
    CHECK_STR(message_of(&tree, config_at(tree.root, "a")), S("no"));
    CHECK(config_number(config_at(tree.root, "b"), 0) == 1);
    CHECK(px_str_starts(message_of(&tree, config_at(tree.root, "c")),
                        S("max stack frames exceeded")));
    CHECK(px_str_starts(message_of(&tree, config_at(tree.root, "e")), S("a function is no value")));
}

TEST(texts_that_are_no_template_are_wrong_at_their_place)
{
    static const char *const texts[] = {"{",        "{a: 1,, }",    "'x",
                                        "{a: b}",   "local a = 1;", "",
                                        "{a: 1} {", "import 'x'",   "importstr '/etc/hostname'"};
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        struct config_tree tree = tree_of(t, texts[i]);
        CHECK_INT(config_kind_of(tree.root), CONFIG_WRONG);
        CHECK(message_of(&tree, tree.root).len > 0);
        CHECK(config_place_of(&tree, tree.root).line >= 1);
    }
}

TEST(work_memory_depth_and_size_are_bounded)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"local f(n) = if n == 0 then 0 else f(n - 1) tailstrict; f(100000000)",
         "it takes too many steps"},
        {"std.length([x for x in std.range(0, 100000000)])", "too many or too large values"},
        {"local f(s, n) = if n == 0 then s else f(s + s, n - 1) tailstrict; std.length(f('abcdefgh', 40))",
         "too large values"},
        {"local s = std.repeat('x', 100000); [s for i in std.range(1, 90)]",
         "its result is too large"},
        {"local f(n) = if n == 0 then 0 else 1 + f(n - 1); f(1000)", "max stack frames exceeded"},
        {"local f(n) = if n == 0 then 0 else [f(n - 1)]; f(40)", "nested too deeply"},
        {"std.parseYaml('a: 1')", "not offered"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct config_tree tree = tree_of(t, cases[i].text);
        yyjson_val *fault = yyjson_arr_get(tree.faults, 0);
        struct px_str message = px_json_str(fault, "message");
        if (!memmem(message.ptr ? message.ptr : "", message.len, cases[i].why,
                    strlen(cases[i].why)))
            TEST_FAIL("%s: %.*s", cases[i].text, PX_FMT(message));
    }
}

TEST_MAIN
