/* Values: read, copied, compared, written; integers stay integers. */
#include "asl_kit.h"

static void round_trip(struct kit *kit, const char *text)
{
    CHECK_STR(kit_text(kit, kit_value(kit, text)), px_str_c(text));
}

TEST(what_is_read_is_written_the_same)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    static const char *const texts[] = {"null",
                                        "true",
                                        "0",
                                        "-1",
                                        "18446744073709551615",
                                        "-9223372036854775808",
                                        "1.5",
                                        "1.0",
                                        "1e300",
                                        "0.1",
                                        "'a'",
                                        "[]",
                                        "{}",
                                        "[[],{},[{}]]",
                                        "{'a':{'b':[1,2,{'c':null}]},'d':'x'}",
                                        "[1,[2,[3,[4]]],5]"};
    for (size_t i = 0; i < PX_COUNT(texts); i++) round_trip(&kit, texts[i]);
}

TEST(the_last_of_several_members_counts)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    CHECK_STR(kit_text(&kit, kit_value(&kit, "{'a':1,'b':2,'a':{'x':[1]}}")),
              S("{'a':{'x':[1]},'b':2}"));
    CHECK_STR(kit_text(&kit, kit_value(&kit, "{'b':1,'b':[2],'b':3}")), S("{'b':3}"));
    CHECK_STR(
        kit_text(&kit,
                 kit_value(&kit, "[{'':1,'':2},{'a':{'c':1,'c':2},'a':{'c':3,'c':4,'d':5}}]")),
        S("[{'':2},{'a':{'c':4,'d':5}}]"));
    PX_AUTO(px_buf_deinit) struct px_buf many;
    px_buf_init(&many, 1u << 20);
    for (int i = 0; i < 1000; i++) px_buf_printf(&many, "%c'k%d':%d", i ? ',' : '{', i % 500, i);
    px_buf_add_c(&many, "}");
    px_buf_add(&many, "", 1);
    yyjson_mut_val *object = kit_value(&kit, many.ptr);
    CHECK_INT(yyjson_mut_obj_size(object), 500);
    CHECK_STR(kit_text(&kit, asl_member(object, S("k0"))), S("500"));
    CHECK_STR(kit_text(&kit, asl_member(object, S("k499"))), S("999"));
}

TEST(what_is_no_json_is_invalid_with_its_place)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    yyjson_mut_val *value = NULL;
    struct px_where where = {0};
    CHECK_INT(asl_value_parse(&kit.values, S("[1, x]"), &value, &where), ASL_INVALID);
    CHECK_INT(where.offset, 4);
    CHECK(!value && where.expected[0]);
    CHECK_INT(asl_value_parse(&kit.values, S(""), &value, NULL), ASL_INVALID);
    CHECK_INT(asl_value_parse(&kit.values, S("\"\xFF\""), &value, NULL), ASL_INVALID);
}

TEST(a_copy_shares_nothing_but_texts_where_that_is_asked)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    const char *text = "{'a':[1,{'b':'text'},[]],'c':{},'d':2.5}";
    yyjson_mut_val *source = kit_value(&kit, text);
    yyjson_mut_val *copy = asl_copy(&kit.values, source), *share = asl_share(&kit.values, source);
    CHECK_STR(kit_text(&kit, copy), px_str_c(text));
    CHECK_STR(kit_text(&kit, share), px_str_c(text));
    const char *b = yyjson_mut_get_str(
                   yyjson_mut_obj_get(yyjson_mut_arr_get(asl_member(source, S("a")), 1), "b")),
               *copied = yyjson_mut_get_str(
                   yyjson_mut_obj_get(yyjson_mut_arr_get(asl_member(copy, S("a")), 1), "b")),
               *shared = yyjson_mut_get_str(
                   yyjson_mut_obj_get(yyjson_mut_arr_get(asl_member(share, S("a")), 1), "b"));
    CHECK(copied != b && shared == b);
    CHECK_OK(asl_member_set(&kit.values, copy, S("c"), yyjson_mut_true(kit.values.doc)));
    CHECK_OK(asl_member_set(&kit.values, asl_member(share, S("c")), S("new"),
                            yyjson_mut_true(kit.values.doc)));
    CHECK_STR(kit_text(&kit, source), px_str_c(text));

    yyjson_val *fixed = kit_fixed(&kit, "{'x':{'a':1,'b':2,'a':3},'y':['z',{}]}");
    CHECK_STR(kit_text(&kit, asl_copy_fixed(&kit.values, fixed)),
              S("{'x':{'a':3,'b':2},'y':['z',{}]}"));
    CHECK_STR(kit_text(&kit, asl_share_fixed(&kit.values, px_json_at(fixed, "y"))), S("['z',{}]"));
    CHECK_STR(
        kit_text(&kit, asl_copy_fixed(&kit.values, yyjson_arr_get(px_json_at(fixed, "y"), 0))),
        S("'z'"));
}

/* Nesting that parsing would not let in, as a machine that wraps its state in a loop makes it. */
static yyjson_mut_val *wrapped(struct kit *kit, size_t levels)
{
    yyjson_mut_val *value = yyjson_mut_arr(kit->values.doc);
    for (size_t i = 1; i < levels; i++) {
        yyjson_mut_val *outer = yyjson_mut_arr(kit->values.doc);
        (void)yyjson_mut_arr_append(outer, value);
        value = outer;
    }
    return value;
}

TEST(depth_bounds_what_is_written_and_nothing_recurses_without_a_bound)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    struct px_str text;
    CHECK_OK(asl_value_write(&kit.values, wrapped(&kit, ASL_DEPTH_MAX), &text));
    yyjson_mut_val *again;
    CHECK_OK(asl_value_parse(&kit.values, text, &again, NULL));
    CHECK_INT(asl_value_write(&kit.values, wrapped(&kit, ASL_DEPTH_MAX + 1), &text), ASL_INVALID);
    yyjson_mut_val *deep = wrapped(&kit, 100000), *copy = asl_copy(&kit.values, deep);
    CHECK(copy);
    CHECK_INT(asl_value_write(&kit.values, copy, &text), ASL_INVALID);
    CHECK(!asl_value_equal(deep, copy));
    CHECK_INT(asl_value_hash(deep), asl_value_hash(copy));
    CHECK(asl_value_equal(wrapped(&kit, 900), wrapped(&kit, 900)));
}

TEST(equal_is_by_value)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"1", "1.0", true},
        {"1", "2", false},
        {"-1", "18446744073709551615", false},
        {"9007199254740993", "9007199254740992.0", false},
        {"9007199254740992", "9007199254740992.0", true},
        {"-9007199254740993", "-9007199254740992.0", false},
        {"18446744073709551615", "18446744073709551616.0", false},
        {"-9223372036854775808", "-9223372036854775808.0", true},
        {"-2", "-2.5", false},
        {"0", "-0.0", true},
        {"0", "-0", true},
        {"-0", "-0.0", true},
        {"0", "false", false},
        {"null", "false", false},
        {"true", "true", true},
        {"true", "false", false},
        {"'1'", "1", false},
        {"'a'", "'a'", true},
        {"'a'", "'ab'", false},
        {"[1,2]", "[1.0,2]", true},
        {"[1,2]", "[2,1]", false},
        {"[1]", "[1,2]", false},
        {"{'a':1,'b':[2]}", "{'b':[2.0],'a':1}", true},
        {"{'a':1}", "{'a':2}", false},
        {"{'a':1}", "{'b':1}", false},
        {"{'a':1}", "{'a':1,'b':2}", false},
        {"{}", "[]", false},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        yyjson_mut_val *a = kit_value(&kit, cases[i].a), *b = kit_value(&kit, cases[i].b);
        if (asl_value_equal(a, b) != cases[i].equal || asl_value_equal(b, a) != cases[i].equal)
            TEST_FAIL("%s and %s", cases[i].a, cases[i].b);
        if (cases[i].equal) CHECK_INT(asl_value_hash(a), asl_value_hash(b));
    }
}

TEST(a_signed_number_can_be_positive)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    yyjson_mut_val *made = yyjson_mut_sint(kit.values.doc, 5);
    CHECK(asl_value_equal(made, kit_value(&kit, "5")) &&
          asl_value_equal(kit_value(&kit, "5.0"), made));
    CHECK(asl_number_cmp(made, kit_value(&kit, "4")) > 0 &&
          asl_number_cmp(made, kit_value(&kit, "-6")) > 0);
    CHECK(asl_number_cmp(made, kit_value(&kit, "5.5")) < 0);
    CHECK_INT(asl_value_hash(made), asl_value_hash(kit_value(&kit, "5.0")));
}

TEST(numbers_have_one_order_over_all_their_kinds)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    static const char *const ascending[] = {"-1e300",
                                            "-9223372036854775808",
                                            "-9007199254740993",
                                            "-3",
                                            "-2.5",
                                            "-2",
                                            "-0.5",
                                            "0",
                                            "0.5",
                                            "1",
                                            "1.5",
                                            "9007199254740993",
                                            "18446744073709551615",
                                            "18446744073709551616.0",
                                            "1e300"};
    for (size_t i = 0; i < PX_COUNT(ascending); i++)
        for (size_t k = 0; k < PX_COUNT(ascending); k++) {
            int cmp = asl_number_cmp(kit_value(&kit, ascending[i]), kit_value(&kit, ascending[k]));
            if ((cmp < 0) != (i < k) || (cmp > 0) != (i > k))
                TEST_FAIL("%s and %s: %d", ascending[i], ascending[k], cmp);
        }
}

TEST(members_are_found_and_set_in_their_place)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    yyjson_mut_val *object = kit_value(&kit, "{'a':1,'b':2,'c':3}");
    CHECK_STR(kit_text(&kit, asl_member(object, S("b"))), S("2"));
    CHECK(!asl_member(object, S("d")) && !asl_member(object, S("")));
    CHECK(!asl_member(asl_member(object, S("a")), S("a")) &&
          !asl_member(kit_value(&kit, "[1]"), S("a")));
    CHECK(!asl_member(kit_value(&kit, "{}"), S("a")) && !asl_member(NULL, S("a")));
    CHECK_OK(asl_member_set(&kit.values, object, S("b"), kit_value(&kit, "[true]")));
    CHECK_OK(asl_member_set(&kit.values, object, S("c"), kit_value(&kit, "4")));
    CHECK_OK(asl_member_set(&kit.values, object, S("d"), kit_value(&kit, "5")));
    CHECK_STR(kit_text(&kit, object), S("{'a':1,'b':[true],'c':4,'d':5}"));
    yyjson_mut_val *one = kit_value(&kit, "{'a':1}");
    CHECK_OK(asl_member_set(&kit.values, one, S("a"), kit_value(&kit, "2")));
    CHECK_OK(asl_member_set(&kit.values, one, S("b"), kit_value(&kit, "3")));
    CHECK_STR(kit_text(&kit, one), S("{'a':2,'b':3}"));
}

TEST(views_and_numbers_are_only_of_their_kind)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    double number = 9;
    CHECK_STR(asl_value_str(kit_value(&kit, "'text'")), S("text"));
    CHECK(asl_value_str(kit_value(&kit, "''")).ptr && !asl_value_str(kit_value(&kit, "[1]")).ptr);
    CHECK(!asl_value_str(NULL).ptr && !asl_value_number(NULL, &number));
    CHECK(!asl_value_number(kit_value(&kit, "'1'"), &number) && number == 9);
    CHECK(asl_value_number(kit_value(&kit, "-2"), &number) && number == -2);
    CHECK(asl_value_number(kit_value(&kit, "2.5"), &number) && number == 2.5);
    CHECK_STR(asl_value_str(asl_text(&kit.values, S("a\"b"))), S("a\"b"));
}

static int everything(void)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 1u << 20);
    struct asl_values values;
    yyjson_mut_val *value = NULL;
    struct px_str text;
    PX_TRY(asl_values_init(&values, &arena));
    PX_TRY(asl_value_parse(&values, S("{\"a\":[1,{\"b\":\"c\",\"b\":2}],\"d\":{\"e\":1,\"f\":2}}"),
                           &value, NULL));
    for (int i = 0; i < 100; i++) { /* more than one block */
        value = asl_copy(&values, value);
        if (!value) return px_arena_fault(&arena);
        yyjson_mut_val *name = asl_text(&values, S("name"));
        if (!name) return px_arena_fault(&arena);
        PX_TRY(asl_member_set(&values, value, S("x"), name));
    }
    PX_TRY(asl_value_write(&values, value, &text));
    return 0;
}
TEST(memory_running_out_is_a_fault_at_every_allocation)
{
    SWEEP_ALLOCATIONS(everything(), (void)0);
}

TEST(a_small_arena_is_a_fault)
{
    struct px_arena arena;
    px_arena_init(&arena, 600);
    struct asl_values values;
    yyjson_mut_val *value = NULL;
    CHECK_OK(asl_values_init(&values, &arena));
    CHECK_INT(
        asl_value_parse(&values, S("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]"), &value, NULL),
        PX_F_LIMIT);
    CHECK(!asl_text(
        &values, S("a text that does not fit, because it is longer than what is left of it, "
                   "however little that may be, which is at most six hundred bytes in all, "
                   "and the document has taken some of these already, and this text, which "
                   "goes on and on, takes the rest, and more than the rest, and so it does "
                   "not fit, as was said before, at the beginning of this long long text, "
                   "whose end is near, and nearer now, and here it is, six hundred bytes on: "
                   "the end, at last, the very end, after which nothing comes, at all, at all")));
    CHECK_INT(px_arena_fault(&arena), PX_F_LIMIT);
    px_arena_deinit(&arena);
}

TEST_MAIN
