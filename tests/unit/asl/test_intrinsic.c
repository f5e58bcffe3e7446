/* Intrinsic functions: values, limits, what they refuse, when they are compiled and when they run. */
#include "asl_kit.h"

#include "base/px_buf.h"

static int evaluated(struct kit *kit, const char *text, yyjson_mut_val **ret_value)
{
    const struct asl_expr *expr = NULL;
    struct px_where where = {0};
    int r = asl_expr_path(px_str_c(text), &kit->t->arena, &expr, &where);
    if (r) TEST_FAIL("%s does not compile: at %zu %s", text, where.offset, where.expected);
    CHECK(asl_expr_is_intrinsic(expr));
    return asl_expr_eval(expr, &kit->scope, "a.$", ret_value, &kit->failure);
}

static void gives(struct kit *kit, const char *text, const char *want)
{
    yyjson_mut_val *value = NULL;
    int r = evaluated(kit, text, &value);
    if (r == ASL_FAILED) TEST_FAIL("%s: %.*s", text, PX_FMT(kit->failure.cause));
    CHECK_OK(r);
    struct px_str got = kit_text(kit, value);
    if (!px_str_eq(got, px_str_c(want))) TEST_FAIL("%s: %.*s, not %s", text, PX_FMT(got), want);
}

/* `said` is what stands behind "The function '...' had the following error: ". */
static void refuses(struct kit *kit, const char *text, const char *said)
{
    yyjson_mut_val *value = NULL;
    int r = evaluated(kit, text, &value);
    if (r != ASL_FAILED) TEST_FAIL("%s gave %d", text, r);
    CHECK_STR(kit->failure.error, S("States.Runtime"));
    CHECK_STR(kit->failure.cause,
              px_arena_printf(&kit->t->arena, "The function '%s' had the following error: %s", text,
                              said));
}
static void refuses_arguments(struct kit *kit, const char *text)
{
    struct px_str rest = px_str_c(text), name;
    (void)px_str_cut(&rest, '(', &name);
    refuses(kit, text,
            px_arena_printf(&kit->t->arena, "Invalid arguments in %.*s", PX_FMT(name)).ptr);
}

TEST(format_fills_its_template)
{
    struct kit kit;
    kit_init(
        &kit, t,
        "{'s':'text','n':1,'f':1.5,'b':true,'z':null,'a':[1,'x',[null]],'o':{'Arg1':1,'Arg2':[],"
        "'o':{'k':'v'}},'t':'{} and {}'}");
    gives(&kit, "States.Format('nothing')", "'nothing'");
    gives(&kit, "States.Format('')", "''");
    gives(&kit, "States.Format('{}', $.s)", "'text'");
    gives(&kit, "States.Format('<{}{}>', $.n, $.f)", "'<11.5>'");
    gives(&kit, "States.Format('{} {}', $.b, $.z)", "'true null'");
    gives(&kit, "States.Format('{}', $.a)", "'[1, x, [null]]'");
    gives(&kit, "States.Format('{}', $.o)", "'{Arg1=1, Arg2=[], o={k=v}}'");
    gives(&kit, "States.Format($.t, 1, 'two')", "'1 and two'");
    gives(&kit, "States.Format('{}', $name)", "'Ada'");
    gives(&kit, "States.Format('{}', $$.State.Name)", "'Pass'");
    gives(&kit, "States.Format('{}', '{}')", "'{}'");
    gives(&kit, "States.Format('a}b')", "'a}b'");
    refuses(
        &kit, "States.Format('{}')",
        "Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.");
    refuses(
        &kit, "States.Format('{}', 1, 2)",
        "Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.");
    refuses(&kit, "States.Format('{', 1)",
            "Invalid template in States.Format: matching '}' not found for '{'.");
    refuses(&kit, "States.Format('{0}', 1)",
            "Invalid template in States.Format: matching '}' not found for '{'.");
    refuses_arguments(&kit, "States.Format($.n, 1)");
}

static void gives_text(struct kit *kit, const char *text, const char *want)
{
    yyjson_mut_val *value = NULL;
    CHECK_OK(evaluated(kit, text, &value));
    CHECK_STR(asl_value_str(value), px_str_c(want));
}
TEST(four_characters_can_be_escaped)
{
    struct kit kit;
    kit_init(&kit, t, "{'t':'x'}");
    gives_text(&kit, "States.Format('it\\'s \\{\\} {} \\\\', 1)", "it's {} 1 \\");
    gives_text(&kit, "States.ArrayGetItem(States.Array('a\\'\\{\\}\\\\'), 0)", "a'{}\\");
    gives_text(&kit, "States.ArrayGetItem(States.Array('{} } {'), 0)", "{} } {");
    kit.scope.input = asl_text(&kit.values, S("\\{{}\\} C:\\dir \\"));
    gives_text(&kit, "States.Format($, 7)", "{7} C:\\dir \\");
}

TEST(json_goes_to_text_and_back)
{
    struct kit kit;
    kit_init(&kit, t, "{'o':{'a':[1,2.0,null]},'blank':' ','empty':'','n':1}");
    gives_text(&kit, "States.JsonToString($.o)", "{\"a\":[1,2.0,null]}");
    gives(&kit, "States.JsonToString($.n)", "'1'");
    gives_text(&kit, "States.JsonToString('x')", "\"x\"");
    gives(&kit, "States.StringToJson(States.JsonToString($.o))", "{'a':[1,2.0,null]}");
    gives(&kit, "States.StringToJson('[1, 2]')", "[1,2]");
    gives(&kit, "States.StringToJson($.blank)", "null");
    gives(&kit, "States.StringToJson($.empty)", "null");
    refuses_arguments(&kit, "States.StringToJson('[1')");
    refuses_arguments(&kit, "States.StringToJson($.n)");
    refuses_arguments(&kit, "States.StringToJson(null)");
}

TEST(arrays_are_made_and_taken_apart)
{
    struct kit kit;
    kit_init(
        &kit, t,
        "{'a':[1,2,3,4,5],'d':[1,1.0,'1',true,true,null,null,[],[],{'a':1,'b':2},{'b':2,'a':1}],'e':[]}");
    gives(&kit, "States.Array()", "[]");
    gives(&kit, "States.Array( 1 , -2.5e1,'x',true,false,null , $.e )",
          "[1,-25.0,'x',true,false,null,[]]");
    gives(&kit, "States.ArrayPartition($.a, 2)", "[[1,2],[3,4],[5]]");
    gives(&kit, "States.ArrayPartition($.a, 9)", "[[1,2,3,4,5]]");
    gives(&kit, "States.ArrayPartition($.a, 2.9)", "[[1,2],[3,4],[5]]");
    gives(&kit, "States.ArrayPartition($.e, 1)", "[]");
    gives(&kit, "States.ArrayContains($.a, 5)", "true");
    gives(&kit, "States.ArrayContains($.a, '5')", "false");
    gives(&kit, "States.ArrayContains($.d, $.d[9])", "true");
    gives(&kit, "States.ArrayContains($.e, $.e)", "false");
    gives(&kit, "States.ArrayLength($.a)", "5");
    gives(&kit, "States.ArrayLength($.a[?(@ > 3)])", "2");
    gives(&kit, "States.ArrayLength($.none[*])", "0");
    gives(&kit, "States.ArrayGetItem($.a, 0)", "1");
    gives(&kit, "States.ArrayGetItem($.a, 4)", "5");
    gives(&kit, "States.ArrayUnique($.d)", "[1,'1',true,null,[],{'a':1,'b':2}]");
    gives(&kit, "States.ArrayUnique($.e)", "[]");
    refuses_arguments(&kit, "States.ArrayPartition($.a, 0)");
    refuses_arguments(&kit, "States.ArrayPartition($.a, 0.49)");
    refuses_arguments(&kit, "States.ArrayPartition($.a, -1)");
    refuses_arguments(&kit, "States.ArrayPartition($.a, '2')");
    refuses_arguments(&kit, "States.ArrayPartition('a', 2)");
    refuses_arguments(&kit, "States.ArrayContains('abc', 'a')");
    refuses_arguments(&kit, "States.ArrayLength('abc')");
    refuses_arguments(&kit, "States.ArrayGetItem($.a, 5)");
    refuses_arguments(&kit, "States.ArrayGetItem($.a, -1)");
    refuses_arguments(&kit, "States.ArrayGetItem($.a, '0')");
    refuses_arguments(&kit, "States.ArrayUnique($)");
}

TEST(ranges_run_both_ways_within_a_ceiling)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    gives(&kit, "States.ArrayRange(1, 9, 2)", "[1,3,5,7,9]");
    gives(&kit, "States.ArrayRange(0, 10, 3)", "[0,3,6,9]");
    gives(&kit, "States.ArrayRange(5, 1, -2)", "[5,3,1]");
    gives(&kit, "States.ArrayRange(-2, 2, 2)", "[-2,0,2]");
    gives(&kit, "States.ArrayRange(3, 3, 1)", "[3]");
    gives(&kit, "States.ArrayRange(3, 3, -1)", "[3]");
    gives(&kit, "States.ArrayRange(5, 1, 1)", "[]");
    gives(&kit, "States.ArrayRange(1, 5, -1)", "[]");
    gives(&kit, "States.ArrayRange(1.6, 1.4, 1)", "[1]");
    gives(&kit, "States.ArrayRange(5.4, -0.6, -2.4)", "[5,3,1]");
    gives(&kit, "States.ArrayLength(States.ArrayRange(1, 1000, 1))", "1000");
    gives(&kit, "States.ArrayLength(States.ArrayRange(1000, 1, -1))", "1000");
    gives(&kit, "States.ArrayRange(-9007199254740992, 9007199254740992, 9007199254740992)",
          "[-9007199254740992,0,9007199254740992]");
    refuses(&kit, "States.ArrayLength(States.ArrayRange(1, 1001, 1))",
            "Invalid arguments in States.ArrayRange");
    refuses_arguments(&kit, "States.ArrayRange(1, 10, 0)");
    refuses_arguments(&kit, "States.ArrayRange(1, 10, 0.49)");
    refuses_arguments(&kit, "States.ArrayRange('a', 5, 1)");
    refuses_arguments(&kit, "States.ArrayRange(1, 1e300, 1)");
    refuses_arguments(&kit, "States.ArrayRange(-9007199254740992, 9007199254740992, 1)");
}

TEST(base64_encodes_and_decodes_text)
{
    struct kit kit;
    kit_init(&kit, t, "{'s':'é'}");
    gives(&kit, "States.Base64Encode('')", "''");
    gives(&kit, "States.Base64Encode('f')", "'Zg=='");
    gives(&kit, "States.Base64Encode('foobar')", "'Zm9vYmFy'");
    gives(&kit, "States.Base64Decode('Zm9vYg==')", "'foob'");
    gives(&kit, "States.Base64Decode('')", "''");
    gives(&kit, "States.Base64Decode(States.Base64Encode($.s))", "'é'");
    gives(&kit, "States.Base64Decode('/2H/')",
          "'\xEF\xBF\xBD"
          "a\xEF\xBF\xBD'");
    gives(&kit, "States.Base64Decode('Zm9')", "'fo'"); /* as Java reads it */
    refuses_arguments(&kit, "States.Base64Decode('Zm9v=')");
    refuses_arguments(&kit, "States.Base64Decode('Zm9*')");
    refuses_arguments(&kit, "States.Base64Decode(1)");
    refuses_arguments(&kit, "States.Base64Encode(1)");
    char *text = px_arena_alloc(&t->arena, 20004);
    memset(text, 'a', 10001);
    kit.scope.input = asl_text(&kit.values, px_str(text, 10001));
    refuses_arguments(&kit, "States.Base64Encode($)");
    refuses_arguments(&kit, "States.Hash($, 'MD5')");
    for (int i = 0; i < 20000; i++) text[i] = i % 2 ? '\xA9' : '\xC3'; /* characters, not bytes */
    kit.scope.input = asl_text(&kit.values, px_str(text, 20000));
    gives(&kit, "States.ArrayLength(States.Array(States.Base64Encode($)))", "1");
}

TEST(hashes_are_in_lower_case_hex)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    gives(&kit, "States.Hash('abc', 'MD5')", "'900150983cd24fb0d6963f7d28e17f72'");
    gives(&kit, "States.Hash('abc', 'SHA-1')", "'a9993e364706816aba3e25717850c26c9cd0d89d'");
    gives(&kit, "States.Hash('abc', 'SHA-256')",
          "'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'");
    gives(
        &kit, "States.Hash('abc', 'SHA-384')",
        "'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7'");
    gives(&kit, "States.Hash('abc', 'SHA-512')",
          "'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
          "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f'");
    gives(&kit, "States.Hash('', 'MD5')", "'d41d8cd98f00b204e9800998ecf8427e'");
    refuses_arguments(&kit, "States.Hash('abc', 'sha-256')");
    refuses_arguments(&kit, "States.Hash('abc', 'SHA-224')");
    refuses_arguments(&kit, "States.Hash('abc', 1)");
    refuses_arguments(&kit, "States.Hash(1, 'MD5')");
}

TEST(merging_is_shallow)
{
    struct kit kit;
    kit_init(&kit, t, "{'a':{'x':{'p':1},'y':2},'b':{'x':{'q':3},'z':4},'e':{}}");
    gives(&kit, "States.JsonMerge($.a, $.b, false)", "{'x':{'q':3},'y':2,'z':4}");
    gives(&kit, "States.JsonMerge($.e, $.b, false)", "{'x':{'q':3},'z':4}");
    gives(&kit, "States.JsonMerge($.e, $.e, false)", "{}");
    refuses_arguments(&kit, "States.JsonMerge($.a, $.b, true)");
    refuses_arguments(&kit, "States.JsonMerge($.a, 1, false)");
    refuses_arguments(&kit, "States.JsonMerge('a', $.b, false)");
    refuses_arguments(&kit, "States.JsonMerge($.a, $.b, null)");
}

TEST(sums_are_of_rounded_numbers)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    gives(&kit, "States.MathAdd(111, -1)", "110");
    gives(&kit, "States.MathAdd(1.5, 0)", "2");
    gives(&kit, "States.MathAdd(-1.5, 0)", "-1");
    gives(&kit, "States.MathAdd(-1.51, 0)", "-2");
    gives(&kit, "States.MathAdd(-0.5, 0)", "0");
    gives(&kit, "States.MathAdd(2147483647, 0)", "2147483647");
    refuses_arguments(&kit, "States.MathAdd(2147483647, 1)");
    refuses_arguments(&kit, "States.MathAdd(2147483648, -1)");
    refuses_arguments(&kit, "States.MathAdd(-2147483648, -1)");
    refuses_arguments(&kit, "States.MathAdd('1', 1)");
    refuses_arguments(&kit, "States.MathAdd(1, null)");
}

TEST(random_numbers_are_below_the_end_and_follow_a_seed)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    bool seen[4] = {false};
    kit.dice = 1000;
    for (int i = 0; i < 100; i++) {
        yyjson_mut_val *value = NULL;
        double number = -9;
        CHECK_OK(evaluated(&kit, "States.MathRandom(-2, 2)", &value));
        CHECK(asl_value_number(value, &number) && number >= -2 && number < 2);
        seen[(int)number + 2] = true;
    }
    CHECK(seen[0] && seen[1] && seen[2] && seen[3]);
    /* java.util.Random(42).nextInt(10) is 0, Random(3).nextInt(64) is 46 */
    gives(&kit, "States.MathRandom(0, 10, 42)", "0");
    gives(&kit, "States.MathRandom(5, 15, 42)", "5");
    gives(&kit, "States.MathRandom(0, 64, 3)", "46");
    gives(&kit, "States.MathRandom(0, 999, 3)", "239");
    gives(&kit, "States.MathRandom(1.6, 2.4, 0)", "1");
    refuses_arguments(&kit, "States.MathRandom(1, 1)");
    refuses_arguments(&kit, "States.MathRandom(2, 1)");
    refuses_arguments(&kit, "States.MathRandom(1, 1.6)");
    refuses_arguments(&kit, "States.MathRandom('a', 2)");
    refuses_arguments(&kit, "States.MathRandom(1, 2, 'seed')");
    refuses_arguments(&kit, "States.MathRandom(1, 2, null)");
    refuses_arguments(&kit, "States.MathRandom(0, 3000000000, 1)");
    gives(&kit, "States.ArrayLength(States.Array(States.MathRandom(0, 3000000000)))", "1");
}

TEST(each_character_splits_a_string)
{
    struct kit kit;
    kit_init(&kit, t, "{'s':'a·b–c','d':'–·'}");
    gives(&kit, "States.StringSplit('1,2,3', ',')", "['1','2','3']");
    gives(&kit, "States.StringSplit('This.is+a,test=string', '.+,=')",
          "['This','is','a','test','string']");
    gives(&kit, "States.StringSplit(', , ,', ',')", "[' ',' ']");
    gives(&kit, "States.StringSplit(',,,', ',')", "[]");
    gives(&kit, "States.StringSplit('', ',')", "[]");
    gives(&kit, "States.StringSplit('abc', '')", "['abc']");
    gives(&kit, "States.StringSplit($.s, $.d)", "['a','b','c']");
    refuses_arguments(&kit, "States.StringSplit(1, ',')");
    refuses_arguments(&kit, "States.StringSplit('a', 1)");
}

TEST(a_uuid_is_of_version_4)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    kit.dice = 0x0123456789ABCDEEULL;
    kit.dice_step = 1;
    gives(&kit, "States.UUID()", "'01234567-89ab-4def-8123-456789abcdf0'");
    kit.dice_step = 0xEDCBA9876543210FULL;
    kit.dice = 0;
    gives(&kit, "States.UUID()", "'edcba987-6543-410f-9b97-530eca86421e'");
}

TEST(calls_nest)
{
    struct kit kit;
    kit_init(&kit, t, "{'arn':'arn:aws:x:1'}");
    gives(&kit,
          "States.Format('{}.{}', States.ArrayGetItem(States.StringSplit($.arn, ':'), 1), "
          "States.MathAdd(States.ArrayLength(States.StringSplit($.arn, ':')), -1))",
          "'aws.3'");
    gives(&kit, "States.Array(States.Array(States.Array($list[0])), States.UUID())",
          "[[[1]],'00000000-0000-4001-8000-000000000002']");
    refuses(&kit, "States.Array(States.Array(States.MathAdd('x', 1)))",
            "Invalid arguments in States.MathAdd");
}

TEST(an_argument_that_is_not_there_fails)
{
    struct kit kit;
    kit_init(&kit, t, "{'other':1,'l':[1]}");
    refuses(&kit, "States.Format('{}',$.nope)",
            "The JsonPath argument for the field '$.nope' could not be found in the input "
            "'{\"other\":1,\"l\":[1]}'");
    refuses(&kit, "States.Array(States.Format('{} {}', $.other, $.a.b))",
            "The JsonPath argument for the field '$.a.b' could not be found in the input "
            "'{\"other\":1,\"l\":[1]}'");
    refuses(&kit, "States.Array($.l[5])",
            "The JsonPath argument for the field '$.l[5]' could not be found in the input "
            "'{\"other\":1,\"l\":[1]}'");
    refuses(&kit, "States.Array($$.Nope.Deep)",
            "The JsonPath argument for the field '$.Nope.Deep' could not be found in the input "
            "'{\"other\":1,\"l\":[1]}'");
    refuses(&kit, "States.Array($nope)",
            "The JsonPath argument for the field '$nope' could not be found in the input "
            "'{\"other\":1,\"l\":[1]}'");
    refuses(&kit, "States.Array($.other[0])",
            "Filter: [0] can only be applied to arrays. Current context is: 1");
}

TEST(what_is_no_call_is_refused_with_its_place)
{
    static const struct {
        const char *text;
        size_t at;
    } bad[] = {
        {"States.", 0},
        {"States.Nope()", 0},
        {"States.format('{}')", 0},
        {"States.UUID", 0},
        {"States.UUID(", 12},
        {"States.UUID()x", 13},
        {"States.UUID() x", 13},
        {"States.UUID(1)", 0},
        {"States.Array(1,)", 15},
        {"States.Array(1 2)", 15},
        {"States.Array(,1)", 13},
        {"States.Array('a)", 16},
        {"States.Array(\"a\")", 13},
        {"States.Array('a\\\"b')", 16},
        {"States.Array('a\\nb')", 16},
        {"States.Array('a\\", 16},
        {"States.Array(.5)", 13},
        {"States.Array(nul)", 13},
        {"States.Array($.)", 15},
        {"States.Array($.a b)", 17},
        {"States.Array($.a[)", 17},
        {"States.ArrayLength()", 0},
        {"States.ArrayLength(1, 2)", 0},
        {"States.Format()", 0},
        {"States.MathRandom(1)", 0},
        {"States.MathRandom(1,2,3,4)", 0},
        {"States.Array(States.Nope())", 13},
        {"States.UUID()[0]", 13},
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        const struct asl_expr *expr = NULL;
        struct px_where where = {.offset = 999};
        char *exact = malloc(strlen(bad[i].text));
        memcpy(exact, bad[i].text, strlen(bad[i].text));
        int r = asl_expr_path(px_str(exact, strlen(bad[i].text)), &t->arena, &expr, &where);
        free(exact);
        if (r != ASL_INVALID || expr) TEST_FAIL("\"%s\" gave %d", bad[i].text, r);
        if (where.offset != bad[i].at || !where.expected[0])
            TEST_FAIL("\"%s\": at %zu, %s", bad[i].text, where.offset, where.expected);
    }
}

static bool nests(struct test *t, int depth)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    for (int i = 0; i < depth; i++) px_buf_add_c(&buf, "States.Array(");
    for (int i = 0; i < depth; i++) px_buf_add_c(&buf, ")");
    const struct asl_expr *expr;
    struct px_where where;
    int r = asl_expr_path(px_buf_str(&buf), &t->arena, &expr, &where);
    CHECK(r == 0 || r == ASL_INVALID);
    return r == 0;
}
TEST(calls_nest_to_a_depth)
{
    CHECK(nests(t, 10));
    CHECK(!nests(t, 11));
    CHECK(!nests(t, 10000));
}

static int every_function(void)
{
    static const char *const calls[] = {
        "States.Format('{} \\{{}', $.a, 'x')",
        "States.StringToJson('[1,[2]]')",
        "States.JsonToString($)",
        "States.Array(1, $.a, 'x')",
        "States.ArrayPartition($.a, 2)",
        "States.ArrayContains($.a, 3)",
        "States.ArrayRange(1, 200, 1)",
        "States.ArrayGetItem($.a, 1)",
        "States.ArrayLength($.a)",
        "States.ArrayUnique($.a)",
        "States.Base64Encode('foobar')",
        "States.Base64Decode('/2H/')",
        "States.Hash('abc', 'SHA-384')",
        "States.JsonMerge($, $, false)",
        "States.MathRandom(1, 9, 3)",
        "States.MathAdd(1, 2)",
        "States.StringSplit('a b c', ' ')",
        "States.UUID()",
        "States.Array($.none)",
        "States.MathAdd('a', 1)",
    };
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 4u << 20);
    struct asl_values values;
    struct kit dice = {.dice_step = 1};
    struct px_where where;
    struct asl_failure failure;
    PX_TRY(asl_values_init(&values, &arena));
    struct asl_scope scope = {.values = &values, .random = kit_random, .random_ctx = &dice};
    PX_TRY(asl_value_parse(&values, S("{\"a\":[1,2,3,{\"b\":\"c\"}]}"), &scope.input, NULL));
    for (int round = 0; round < 8; round++)
        for (size_t i = 0; i < PX_COUNT(calls); i++) {
            const struct asl_expr *expr = NULL;
            yyjson_mut_val *value = NULL;
            PX_TRY(asl_expr_path(px_str_c(calls[i]), &arena, &expr, &where));
            int r = asl_expr_eval(expr, &scope, "a.$", &value, &failure);
            if (r < 0) return r;
        }
    return 0;
}
TEST(memory_running_out_is_a_fault_at_every_allocation)
{
    SWEEP_ALLOCATIONS(every_function(), (void)0);
}

TEST_MAIN
