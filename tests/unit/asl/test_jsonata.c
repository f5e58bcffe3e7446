/* JSONata: what expressions give, in which words they fail, and that hostile ones harm nobody. */
// link: px_asl prism::quickjs
#include "support/support.h"

#include "asl/jsonata.h"
#include "asl/jsonata_engine.h"

/* ---- a step ---- */

struct kit {
    struct asl_jsonata *jsonata;
    struct px_arena arena;
    struct asl_values values;
    struct asl_scope scope;
    uint64_t dice;
};

static uint64_t kit_random(void *ctx) { return ++*(uint64_t *)ctx * UINT64_C(0x9e3779b97f4a7c15); }

static yyjson_mut_val *read_json(struct kit *kit, const char *text)
{
    yyjson_mut_val *value = NULL;
    CHECK_OK(asl_value_parse(&kit->values, px_str_c(text), &value, NULL));
    return value;
}

static const char *const input_text =
    "{\"order\":{\"id\":\"o-1\",\"total\":27.5,\"lines\":[{\"sku\":\"a\",\"price\":10,\"count\":2},"
    "{\"sku\":\"b\",\"price\":2.5,\"count\":3}]},\"tags\":[\"x\",\"y\",\"z\"],\"one\":[7],\"none\":[],"
    "\"nothing\":null,\"yes\":true,\"text\":\"Hello, World\",\"n\":3,\"o\":{},\"deep\":[[1,2],[3]],"
    "\"and\":{\"or\":1}}";

static void kit_init(struct kit *kit, const struct asl_jsonata_options *options)
{
    *kit = (struct kit){0};
    px_arena_init(&kit->arena, 64u << 20);
    CHECK_OK(asl_values_init(&kit->values, &kit->arena));
    CHECK_OK(asl_jsonata_new(options, &kit->jsonata));
    kit->scope = (struct asl_scope){
        .values = &kit->values,
        .jsonata = kit->jsonata,
        .input = read_json(kit, input_text),
        .context = read_json(kit, "{\"State\":{\"Name\":\"Pick\"},\"Execution\":{\"Id\":\"e1\"}}"),
        .variables = read_json(kit, "{\"attempt\":2,\"list\":[1,2,3],\"who\":{\"name\":\"Ada\"},"
                                    "\"sum_of\":\"text\",\"max\":99}"),
        .random = kit_random,
        .random_ctx = &kit->dice,
        .now_ms = INT64_C(1767323045123),
    };
}

static void kit_deinit(struct kit *kit)
{
    asl_jsonata_free(&kit->jsonata);
    px_arena_deinit(&kit->arena);
}

#define KIT(options)                                                                               \
    PX_AUTO(kit_deinit) struct kit kit;                                                            \
    kit_init(&kit, options)

/* The minified value, or the failure's cause. */
static struct px_str outcome(struct kit *kit, const char *expression)
{
    yyjson_mut_val *value = NULL;
    struct asl_failure failure = {0};
    struct px_str text;
    int r = asl_jsonata_eval(kit->jsonata, px_str_c(expression), &kit->scope, "Output", &value,
                             &failure);
    if (r == ASL_FAILED) {
        CHECK(!value && failure.cause.ptr && failure.error.ptr);
        return failure.cause;
    }
    CHECK_OK(r);
    CHECK_OK(asl_value_write(&kit->values, value, &text));
    return text;
}

static void check_gives(struct kit *kit, const char *expression, const char *want)
{
    struct px_str got = outcome(kit, expression);
    if (!px_str_eq(got, px_str_c(want)))
        TEST_FAIL("%s gives %.*s, not %s", expression, PX_FMT(got), want);
}

/* "... threw an error during evaluation. <want>" and the like: how the cause ends. */
static void check_fails(struct kit *kit, const char *expression, const char *want)
{
    struct px_str got = outcome(kit, expression);
    if (!px_str_starts(got, S("The JSONata expression '")) || !px_str_ends(got, px_str_c(want)))
        TEST_FAIL("%s fails with %.*s, not with %s", expression, PX_FMT(got), want);
}

/* ---- the language ---- */

struct gives {
    const char *expression, *want;
};

static void check_all(struct kit *kit, const struct gives *all, size_t count)
{
    for (size_t i = 0; i < count; i++) check_gives(kit, all[i].expression, all[i].want);
}

TEST(paths_select_and_map)
{
    static const struct gives all[] = {
        {"$states.input.order.id", "\"o-1\""},
        {"$states.input.order.lines.sku", "[\"a\",\"b\"]"},
        {"$states.input.order.lines[0].sku", "\"a\""},
        {"$states.input.order.lines[-1].sku", "\"b\""},
        {"$states.input.order.lines[price > 5].sku", "\"a\""},
        {"$states.input.order.lines[price > 5].sku[]", "[\"a\"]"},
        {"$states.input.order.lines^(>count).sku", "[\"b\",\"a\"]"},
        {"$states.input.order.lines{sku: count}", "{\"a\":2,\"b\":3}"},
        {"$states.input.order.lines.(price * count)", "[20,7.5]"},
        {"$states.input.order.lines@$l.($l.sku & '!')", "[\"a!\",\"b!\"]"},
        {"$states.input.order.lines#$i.{'at': $i, 'sku': sku}",
         "[{\"at\":0,\"sku\":\"a\"},{\"at\":1,\"sku\":\"b\"}]"},
        {"$states.input.order.lines.sku.%.%.id", "[\"o-1\",\"o-1\"]"},
        {"$states.input.order.*[0]", "\"o-1\""},
        {"$states.input.**.sku", "[\"a\",\"b\"]"},
        {"$states.input.tags", "[\"x\",\"y\",\"z\"]"},
        {"$states.input.tags[1]", "\"y\""},
        {"$states.input.tags[[0..1]]", "[\"x\",\"y\"]"},
        {"$states.input.one", "[7]"},
        {"$states.input.none", "[]"},
        {"$states.input.nothing", "null"},
        {"$states.input.o", "{}"},
        {"$states.input.deep", "[[1,2],[3]]"},
        {"$states.input.`and`.`or`", "1"},
        {"$states.context.State.Name", "\"Pick\""},
        {"$attempt + 1", "3"},
        {"$who.name", "\"Ada\""},
        {"$list", "[1,2,3]"},
        {"$list[$ > 1]", "[2,3]"},
        {"$max", "99"},
        {"$exists($states.result)", "false"},
        {"$exists($states.input.order.missing)", "false"},
        {"$keys($states)", "[\"input\",\"context\"]"},
    };
    KIT(NULL);
    check_all(&kit, all, PX_COUNT(all));
}

TEST(operators_and_constructors)
{
    static const struct gives all[] = {
        {"1 + 2 * 3 - 4 / 8", "6.5"},
        {"10 % 3", "1"},
        {"'a' & 1 & true & null", "\"a1truenull\""},
        {"1 = 1.0 and 'a' != 'b' or false", "true"},
        {"1 in [1, 2]", "true"},
        {"[1..4]", "[1,2,3,4]"},
        {"[1, [2, 3], 4]", "[1,[2,3],4]"},
        {"[$states.input.tags, 'w']", "[\"x\",\"y\",\"z\",\"w\"]"},
        {"{'a': 1, 'b': [true, null], 'c': $missing}", "{\"a\":1,\"b\":[true,null]}"},
        {"$states.input.n > 2 ? 'many' : 'few'", "\"many\""},
        {"($a := 2; $b := $a * $a; $b + 1)", "5"},
        {"null", "null"},
        {"[]", "[]"},
        {"{}", "{}"},
        {"'string'", "\"string\""},
        {"\"double \\u00e9\"", "\"double é\""},
        {"$states.input ~> |order|{'id': 'new'}, ['lines']| ~> $lookup('order')",
         "{\"id\":\"new\",\"total\":27.5}"},
        {"/* a comment */ 1", "1"},
        {"($f := function($n) { $n <= 1 ? 1 : $n * $f($n - 1) }; $f(10))", "3628800"},
        {"($inc := function($x) { $x + 1 }; $twice := $inc ~> $inc; $twice(1))", "3"},
        {"($first := $substring(?, 0, 2); $first('abc'))", "\"ab\""},
        {"($add := function($a, $b) { $a + $b }; $add3 := $add(?, 3); $add3(4))", "7"},
        {"$map([1, 2, 3], λ($v, $i) { $v * $i })", "[0,2,6]"},
        {"'abc' ~> $uppercase ~> $substring(1)", "\"BC\""},
        {"$match($states.input.text, /W.*/)", "{\"match\":\"World\",\"index\":7,\"groups\":[]}"},
    };
    KIT(NULL);
    check_all(&kit, all, PX_COUNT(all));
}

TEST(functions_of_the_language)
{
    static const struct gives all[] = {
        {"$sum($states.input.order.lines.(price * count))", "27.5"},
        {"[$count([1,2]), $min([3,1]), $average([1,2])]", "[2,1,1.5]"},
        {"$string({'a': [1, 2.50]})", "\"{\\\"a\\\":[1,2.5]}\""},
        {"$number('0x10') + $number('2')", "18"},
        {"[$round(2.5), $round(3.5), $floor(-1.5), $ceil(1.2), $abs(-3), $power(2, 10), $sqrt(16)]",
         "[2,4,-2,2,3,1024,4]"},
        {"$split('a, b', ', ')", "[\"a\",\"b\"]"},
        {"$split('a1b22c', /[0-9]+/)", "[\"a\",\"b\",\"c\"]"},
        {"$join(['a', 'b'], '-')", "\"a-b\""},
        {"$replace('John Smith', /(\\w+)\\s(\\w+)/, '$2, $1')", "\"Smith, John\""},
        {"$match('ababbabbcc', /a(b+)/).groups", "[\"b\",\"bb\",\"bb\"]"},
        {"$contains('abracadabra', /a.*a/)", "true"},
        {"$contains('hello$world', /^hello\\$/)", "true"},
        {"$pad('x', -3, '0') & $trim('  a  b ')", "\"00xa b\""},
        {"$formatNumber(1234.5678, '#,##0.00')", "\"1,234.57\""},
        {"$formatBase(255, 16)", "\"ff\""},
        {"$formatInteger(2026, 'I')", "\"MMXXVI\""},
        {"$base64encode('hi there') & $base64decode('aGk=')", "\"aGkgdGhlcmU=hi\""},
        {"$encodeUrlComponent('?x=é') & $decodeUrl('%20')", "\"%3Fx%3D%C3%A9 \""},
        {"$merge([{'a': 1}, {'b': 2}])", "{\"a\":1,\"b\":2}"},
        {"$spread({'a': 1, 'b': 2})", "[{\"a\":1},{\"b\":2}]"},
        {"$each({'a': 1}, function($v, $k) { $k & $v })", "\"a1\""},
        {"$sift({'a': 1, 'b': 2}, function($v) { $v > 1 })", "{\"b\":2}"},
        {"$filter([1..5], function($v) { $v % 2 = 1 })", "[1,3,5]"},
        {"$reduce([1..5], function($a, $b) { $a + $b })", "15"},
        {"$sort([3, 1, 2])", "[1,2,3]"},
        {"$sort($states.input.order.lines, function($a, $b) { $a.count < $b.count }).sku",
         "[\"b\",\"a\"]"},
        {"$reverse([1, 2]) ~> $append(0)", "[2,1,0]"},
        {"$distinct([1, 1, 2])", "[1,2]"},
        {"$zip([1, 2], ['a', 'b'])", "[[1,\"a\"],[2,\"b\"]]"},
        {"$single([1, 2, 3], function($v) { $v = 2 })", "2"},
        {"[$type(1), $type('a'), $type([]), $type({}), $type(null), $type(true), $type($sum)]",
         "[\"number\",\"string\",\"array\",\"object\",\"null\",\"boolean\",\"function\"]"},
        {"$boolean([0]) or $not('')", "true"},
        {"$toMillis('2026-01-02T03:04:05.123Z')", "1767323045123"},
        {"$toMillis('2026-01-02T03:04:05')", "1767323045000"},
        {"$fromMillis(1767323045123, '[Y0001]-[M01]-[D01] [H01]:[m01]', '+0100')",
         "\"2026-01-02 04:04\""},
        {"$toMillis('12/10/2018', '[M01]/[D01]/[Y0001]')", "1544400000000"},
    };
    KIT(NULL);
    check_all(&kit, all, PX_COUNT(all));
}

TEST(functions_of_step_functions)
{
    static const struct gives all[] = {
        {"$partition([1, 2, 3, 4, 5], 2)", "[[1,2],[3,4],[5]]"},
        {"$partition([1, 2], 1)", "[[1],[2]]"},
        {"$partition([1, 2], 5)", "[[1,2]]"},
        {"$partition([1, 2, 3], 2.9)", "[[1,2],[3]]"},
        {"$partition([], 2)", "[]"},
        {"$count($partition([1..1000], 7))", "143"},
        {"$range(0, 10, 2)", "[0,2,4,6,8,10]"},
        {"$range(0, 9, 2)", "[0,2,4,6,8]"},
        {"$range(3, 0, -1)", "[3,2,1,0]"},
        {"$range(1, 9, 9)", "1"},
        {"$range(1, 0, 1)", "[]"},
        {"$range(1.9, 3.2, 1.5)", "[1,2,3]"},
        {"$hash('abc', 'MD5')", "\"900150983cd24fb0d6963f7d28e17f72\""},
        {"$hash('abc', 'SHA-1')", "\"a9993e364706816aba3e25717850c26c9cd0d89d\""},
        {"$hash('', 'SHA-256')",
         "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""},
        {"$substring($hash('é', 'SHA-384'), 0, 8) & $length($hash('', 'SHA-512'))",
         "\"41a2ddb3128\""},
        {"$parse('{\"a\":[1,true,null]}')", "{\"a\":[1,true,null]}"},
        {"$parse('1.1')", "1.1"},
        {"$parse('[]')", "[]"},
        {"$parse($string($states.input.order)) = $states.input.order", "true"},
        {"$random(7) = $random(7)", "true"},
        {"$random(7) = $random(8)", "false"},
        {"$random(0)", "0.730967787376657"},
        {"$random() != $random()", "true"},
        {"$match($uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/).index",
         "0"},
        {"$uuid() != $uuid()", "true"},
        {"$exists($partition($missing, 2)) or $exists($parse($missing))", "false"},
        {"[1, 2, 3] ~> $partition(2)", "[[1,2],[3]]"},
        {"$map([1, 2], $partition(?, 1))", "[[[1]],[[2]]]"},
    };
    KIT(NULL);
    check_all(&kit, all, PX_COUNT(all));
    check_fails(&kit, "$partition([1], 0)",
                "$partition: the chunk size must be at least 1, but was 0");
    check_fails(&kit, "$range(1, 2, 0)", "$range: the step must not be 0");
    check_fails(&kit, "$hash('a', 'CRC')", "but was CRC");
    check_fails(&kit, "$parse(1)",
                "T0410: Argument 1 of function \"parse\" does not match function signature");
    check_fails(&kit, "$eval('1')", "T1006: Attempted to invoke a non-function");
}

TEST(time_and_dice_are_the_steps)
{
    KIT(NULL);
    check_gives(&kit, "$now()", "\"2026-01-02T03:04:05.123Z\"");
    check_gives(&kit, "$millis()", "1767323045123");
    check_gives(&kit, "$now('[Y]')", "\"2026\"");
    check_gives(&kit, "$millis() = $toMillis($now())", "true");
    kit.dice = 0;
    struct px_str first = outcome(&kit, "[$random(), $uuid(), $shuffle([1..9])]");
    kit.dice = 0;
    check_gives(&kit, "[$random(), $uuid(), $shuffle([1..9])]", px_arena_cstr(&kit.arena, first));
    kit.scope.now_ms = 0;
    check_gives(&kit, "$now()", "\"1970-01-01T00:00:00.000Z\"");
}

TEST(result_and_error_output_are_there_when_the_step_has_them)
{
    KIT(NULL);
    check_fails(&kit, "$states.result", "returned nothing (undefined).");
    kit.scope.result = read_json(&kit, "{\"Payload\":[1]}");
    kit.scope.error_output = read_json(&kit, "{\"Error\":\"E\",\"Cause\":\"c\"}");
    check_gives(&kit, "$states.result.Payload", "[1]");
    check_gives(&kit, "$states.errorOutput.Error & $states.errorOutput.Cause", "\"Ec\"");
    check_gives(&kit, "$keys($states)", "[\"input\",\"context\",\"result\",\"errorOutput\"]");
    kit.scope.variables = NULL;
    check_fails(&kit, "$attempt", "returned nothing (undefined).");
}

/* ---- failing ---- */

TEST(causes_are_in_the_words_of_step_functions)
{
    static const struct gives all[] = {
        {"$doesNotExist",
         "The JSONata expression '$doesNotExist' specified for the field 'Output' returned "
         "nothing (undefined)."},
        {"$states.input.order.missing",
         "The JSONata expression '$states.input.order.missing' specified for the field 'Output' returned "
         "nothing (undefined)."},
        {"$nope(1)",
         "The JSONata expression '$nope(1)' specified for the field 'Output' threw an error during "
         "evaluation. T1006: Attempted to invoke a non-function"},
        {"1 + 'a'",
         "The JSONata expression '1 + 'a'' specified for the field 'Output' threw an error during "
         "evaluation. T2002: The right side of the \"+\" operator must evaluate to a number"},
        {"$error('no stock')",
         "The JSONata expression '$error('no stock')' specified for the field 'Output' "
         "threw an error during evaluation. D3137: no stock"},
        {"1 +",
         "The JSONata expression '1 +' specified for the field 'Output' threw an error during "
         "evaluation. S0207: Unexpected end of expression"},
        {"$sum",
         "The JSONata expression '$sum' specified for the field 'Output' returned a function, which is "
         "no JSON value."},
        {"{'f': function($x) { $x }}",
         "The JSONata expression '{'f': function($x) { $x }}' specified for the field 'Output' returned a "
         "function, which is no JSON value."},
        {"'ab' ~> /b/",
         "The JSONata expression ''ab' ~> /b/' specified for the field 'Output' returned a function, "
         "which is no JSON value."},
    };
    KIT(NULL);
    check_all(&kit, all, PX_COUNT(all));
    struct asl_failure failure;
    yyjson_mut_val *value;
    CHECK_INT(
        asl_jsonata_eval(kit.jsonata, S("$nope"), &kit.scope, "Arguments/a", &value, &failure),
        ASL_FAILED);
    CHECK_STR(failure.error, S(ASL_E_QUERY));
    CHECK_STR(failure.cause,
              S("The JSONata expression '$nope' specified for the field 'Arguments/a' returned "
                "nothing (undefined)."));
}

TEST(check_tells_the_place_in_bytes)
{
    static const struct {
        const char *text;
        size_t offset;
        const char *expected;
    } all[] = {
        {"1 +", 3, "S0207: Unexpected end of expression"},
        {"$states.input[", 14, "S0203: Expected \"]\" before end of expression"},
        {"'open", 5, "S0101: String literal must be terminated by a matching quote"},
        {"'é😀' & )", 12, "S0211: The symbol \")\" cannot be used as a unary operator"},
        {"", 0, "S0207: Unexpected end of expression"},
    };
    KIT(NULL);
    for (size_t i = 0; i < PX_COUNT(all); i++) {
        struct px_where where = {0};
        CHECK_INT(asl_jsonata_check(kit.jsonata, px_str_c(all[i].text), &where), ASL_INVALID);
        CHECK_STR(px_str_c(where.expected), px_str_c(all[i].expected));
        if (where.offset != all[i].offset)
            TEST_FAIL("%s fails at %zu, not at %zu", all[i].text, where.offset, all[i].offset);
    }
    struct px_where where = {.offset = 77};
    CHECK_OK(asl_jsonata_check(kit.jsonata, S("$states.input.a + 1"), &where));
    CHECK_INT(where.offset, 77);
}

/* ---- values ---- */

TEST(numbers_are_javascripts)
{
    static const struct gives all[] = {
        {"$states.input.big + 0", "9007199254740992"},
        {"$states.input.minus + 0", "-5"},
        {"$states.input.huge", "18446744073709552000.0"},
        {"$states.input.real", "1.5"},
        {"-0", "0"},
        {"0.1 + 0.2", "0.30000000000000004"},
        {"1e20", "100000000000000000000.0"},
        {"3.0", "3"},
        {"2147483647 + 1", "2147483648"},
        {"-2147483648 - 1", "-2147483649"},
    };
    KIT(NULL);
    kit.jsonata->always_runs = true;
    kit.scope.input = read_json(&kit, "{\"big\":9007199254740993,\"minus\":-5,\"real\":1.50,"
                                      "\"huge\":18446744073709551615}");
    check_all(&kit, all, PX_COUNT(all));
    check_gives(&kit, "[1 / 0]", "[null]");
}

TEST(text_is_unicode)
{
    KIT(NULL);
    kit.scope.input = read_json(&kit, "{\"a\":\"é😀\",\"z\":\"a\\u0000b\",\"😀\":1}");
    check_gives(&kit, "$states.input.a & 'ö'", "\"é😀ö\"");
    check_gives(&kit, "$length($states.input.a)", "2");
    check_gives(&kit, "$states.input.z & ''", "\"a\\u0000b\"");
    check_gives(&kit, "$states.input.`😀`", "1");
    check_gives(&kit, "'\\ud83d\\ude00'", "\"😀\"");
    check_gives(&kit, "'\\ud83d' & 'x'", "\"\xef\xbf\xbdx\"");
    check_gives(&kit, "{'\\udc00': 1}", "{\"\xef\xbf\xbd\":1}");
}

TEST(plain_paths_give_what_the_module_gives)
{
    static const char *const all[] = {
        "$states.input",
        "$states.input.order",
        " $states.input.order.id\n",
        "$states.input.order.total",
        "$states.input.order.lines",
        "$states.input.order.lines.sku",
        "$states.input.tags",
        "$states.input.one",
        "$states.input.none",
        "$states.input.none.a",
        "$states.input.nothing",
        "$states.input.nothing.a",
        "$states.input.text.length",
        "$states.input.yes",
        "$states.input.deep",
        "$states.input.o",
        "$states.input.o.toString",
        "$states.input.and",
        "$states.input.missing",
        "$states.context",
        "$states.context.State.Name",
        "$states.result",
        "$states.result.a",
        "$states.nope",
        "$states",
        "$attempt",
        "$list",
        "$list.a",
        "$who",
        "$who.name",
        "$who.nope",
        "$max",
        "$nope",
        "$",
        "$$",
        "$.a",
        "$states.",
        "$states..a",
        "$states.input.order .id",
        "$states.input.`order`",
        "$states.input.1",
        "$states.input.true",
    };
    KIT(NULL);
    for (size_t i = 0; i < PX_COUNT(all); i++) {
        kit.jsonata->always_runs = false;
        struct px_str plain = outcome(&kit, all[i]);
        kit.jsonata->always_runs = true;
        struct px_str run = outcome(&kit, all[i]);
        if (!px_str_eq(plain, run))
            TEST_FAIL("%s gives %.*s, not %.*s", all[i], PX_FMT(plain), PX_FMT(run));
    }
}

TEST(members_are_converted_when_asked_for_or_at_once_alike)
{
    static const char *const all[] = {
        "$states.input & ''",
        "{'a': $states.input}",
        "$keys($states.input)",
        "$states.input.*",
        "$states.input.**.sku",
        "$merge([$states.input, {'tags': 1}, $who])",
        "$spread($states.input.order)",
        "$each($states.input.order, function($v, $k) { $k & $type($v) })",
        "$sift($states.input, function($v) { $type($v) = 'array' })",
        "$states.input.order = $parse($string($states.input.order))",
        "$states.input ~> |order.lines|{'price': price + 1}, ['sku']|",
        "($o := $states.input.order; [$o.lines, $o.lines.sku, $o])",
        "$exists($states.input.order.lines) and $exists($states.input.none)",
        "$lookup($states.input, 'deep')",
        "$states.input.order.(lines^(price)).sku",
        "$distinct([$states.input.order, $states.input.order])",
        "$sort($keys($states))",
    };
    KIT(NULL);
    for (size_t i = 0; i < PX_COUNT(all); i++) {
        kit.jsonata->lazy_min = SIZE_MAX;
        struct px_str at_once = outcome(&kit, all[i]);
        kit.jsonata->lazy_min = 0;
        struct px_str asked_for = outcome(&kit, all[i]);
        if (!px_str_eq(at_once, asked_for) || px_str_starts(at_once, S("The JSONata")))
            TEST_FAIL("%s gives %.*s, not %.*s", all[i], PX_FMT(asked_for), PX_FMT(at_once));
    }
}

TEST(plain_paths_need_no_engine)
{
    KIT(NULL);
    check_gives(&kit, "$states.input.order.lines",
                "[{\"sku\":\"a\",\"price\":10,\"count\":2},{\"sku\":\"b\","
                "\"price\":2.5,\"count\":3}]");
    check_gives(&kit, "$list", "[1,2,3]");
    CHECK(!kit.jsonata->cell.runtime);
    check_gives(&kit, "$attempt + 1", "3");
    CHECK(kit.jsonata->cell.runtime);
}

/* ---- hostile ---- */

static void check_still_works(struct kit *kit)
{
    check_gives(kit, "$sum([1, 2]) & $string($states.input.one)", "\"3[7]\"");
}

TEST(what_does_not_end_is_ended)
{
    static const char *const all[] = {
        "($f := function() { $f() }; $f())",
        "($f := function($n) { $f($n + 1) }; $f(0))",
        "$map([1..9999999], function($v) { $map([1..9999], function($w) { $v * $w }) })",
        "$match('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', /^(a+)+$/)",
        "$contains($pad('', 5000, 'x'), /(x+x+)+y/)",
        "$sort([1..100000], function($a, $b) { ($f := function() { $f() }; $f()) })",
        "$replace('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', /(a*)*$/, '')",
    };
    KIT((&(struct asl_jsonata_options){.eval_ms_max = 50, .memory_bytes_max = 16u << 20}));
    for (size_t i = 0; i < PX_COUNT(all); i++) {
        struct px_str got = outcome(&kit, all[i]);
        if (!px_str_ends(got,
                         S("Expression evaluation timeout: more than 50 ms of processor time")) &&
            !px_str_ends(got, S("Expression evaluation needs more than 16 MiB of memory")))
            TEST_FAIL("%s ended with %.*s", all[i], PX_FMT(got));
        check_still_works(&kit);
    }
}

TEST(recursion_without_end_is_an_error)
{
    KIT((&(struct asl_jsonata_options){.eval_ms_max = 60000}));
    check_fails(&kit, "($f := function($n) { 1 + $f($n + 1) }; $f(0))",
                "Expression evaluation needs more than 64 MiB of memory");
    check_still_works(&kit);
    char deep[20001];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    check_fails(&kit, deep, "Stack overflow: check for a recursive function that does not end");
    check_still_works(&kit);
}

TEST(memory_has_a_ceiling)
{
    static const char *const all[] = {
        "($f := function($s) { $f($s & $s) }; $f('0123456789'))",
        "[1..9999999].[1..9999999]",
        "$pad('', 1000000000, 'x')",
        "$length($join([1..1000000].'0123456789012345678901234567890123456789'))",
    };
    KIT((&(struct asl_jsonata_options){.eval_ms_max = 60000, .memory_bytes_max = 16u << 20}));
    for (size_t i = 0; i < PX_COUNT(all); i++) {
        check_fails(&kit, all[i], "Expression evaluation needs more than 16 MiB of memory");
        check_still_works(&kit);
    }
}

/* 4 MiB hold some 250 of these, and none of it is the next one's fault. */
TEST(what_earlier_expressions_left_does_not_fill_the_memory_of_the_next)
{
    KIT((&(struct asl_jsonata_options){.memory_bytes_max = 4u << 20, .eval_ms_max = 60000}));
    char text[256];
    for (int i = 0; i < 400; i++) {
        (void)snprintf(text, sizeof text, "$map([1..100], function($v) { $v + %d })[0]", i);
        char want[16];
        (void)snprintf(want, sizeof want, "%d", i + 1);
        check_gives(&kit, text, want);
    }
}

TEST(a_small_value_that_is_large_as_text_is_refused)
{
    KIT(NULL);
    struct asl_failure failure;
    yyjson_mut_val *value;
    static const char bomb[] = "$reduce([1..40], function($a, $v) { [[$a], [$a]] }, 1)";
    CHECK_INT(asl_jsonata_eval(kit.jsonata, px_str_c(bomb), &kit.scope, "Output", &value, &failure),
              ASL_FAILED);
    CHECK_STR(failure.error, S(ASL_E_DATA_LIMIT));
    check_fails(&kit, "$reduce([1..300], function($a, $v) { {'a': $a} }, 1)",
                "returned a value with too many levels of nesting.");
    check_still_works(&kit);
}

TEST(names_of_javascript_are_names)
{
    static const struct gives all[] = {
        {"{'constructor': 1, '__proto__': 2, 'toString': 3, 'valueOf': 5}",
         "{\"constructor\":1,\"__proto__\":2,\"toString\":3,\"valueOf\":5}"},
        {"{'isPrototypeOf': 1, 'hasOwnProperty': 2}", "{\"isPrototypeOf\":1,\"hasOwnProperty\":2}"},
        {"$exists($states.input.constructor) or $exists($states.input.__proto__)", "false"},
        {"$exists($states.input.toString) or $exists($states.input.hasOwnProperty)", "false"},
        {"$exists({}.constructor) or $exists({}.__proto__) or $exists({}.__defineGetter__)",
         "false"},
        {"$exists((function(){1}).constructor) or $exists($sum.constructor)", "false"},
        {"$exists($lookup({}, '__proto__')) or $exists($lookup({'a': 1}, 'constructor'))", "false"},
        {"$exists([1].constructor) or $exists('a'.constructor)", "false"},
        {"$parse('{\"__proto__\":{\"polluted\":1}}').__proto__.polluted", "1"},
        {"$exists($merge([$parse('{\"__proto__\":{\"polluted\":1}}'), {'a': 1}]).polluted)",
         "false"},
        {"($x := {} ~> |$|{'__proto__': {'polluted': 1}}|; $exists({}.polluted))", "false"},
        {"($__proto__ := {'a': 1}; $constructor := 2; $constructor)", "2"},
        {"$sort($keys($merge([{'b': 1}, {'__proto__': 1}])))", "[\"__proto__\",\"b\"]"},
    };
    KIT(NULL);
    check_all(&kit, all, PX_COUNT(all));
    check_still_works(&kit);
    kit.scope.input = read_json(
        &kit, "{\"__proto__\":{\"a\":1},\"constructor\":\"c\",\"toString\":\"t\"}");
    check_gives(&kit,
                "$states.input.__proto__.a & $states.input.constructor & $states.input.toString",
                "\"1ct\"");
    check_gives(
        &kit, "$string($states.input)",
        "\"{\\\"__proto__\\\":{\\\"a\\\":1},\\\"constructor\\\":\\\"c\\\",\\\"toString\\\":\\\"t\\\"}\"");
}

/* With a $clone that does not copy, a transform writes to what it is given. */
TEST(nothing_of_one_evaluation_is_seen_by_the_next)
{
    static const char *const attacks[] = {
        "($clone := function($o) { $o }; $sum ~> |$|{'implementation': $max}|; 1)",
        "($clone := function($o) { $o }; $sum ~> |$|{'_jsonata_function': false}|; 1)",
        "($clone := function($o) { $o }; (function(){1}).environment ~> |$|{'lookup': 1}|; 1)",
        "($clone := function($o) { $o }; (function(){1}).environment ~> |global|{'ancestry': 1}|; 1)",
        "($f := function(){'mine'}; $clone := function($o) { $o }; $f.body ~> |$|{'value': 'other'}|; 1)",
        "($clone := function($o) { $o }; $sum.signature ~> |$|{'validate': 1}|; 1)",
        "($clone := function($o) { $o }; $partition ~> |$|{'implementation': 1}|; 1)",
        "($sum := 1; $states := 2; $leak := 3; 1)",
        "($clone := function($o) { $o }; $states ~> |$|{'input': 'other'}|; 1)",
    };
    KIT(NULL);
    for (size_t i = 0; i < PX_COUNT(attacks); i++) {
        (void)outcome(&kit, attacks[i]);
        check_still_works(&kit);
        check_gives(&kit, "$exists($leak)", "false");
        check_gives(&kit, "$partition([1], 1)", "[[1]]");
        (void)outcome(&kit, attacks[i]);
    }
    static const char *const own =
        "($f := function(){'mine'}; $g := $f(); $clone := function($o) { $o }; "
        "$f.body ~> |$|{'value': 'other'}|; $g)";
    struct px_str first = outcome(&kit, own);
    check_gives(&kit, own, px_arena_cstr(&kit.arena, first));
}

/* ---- keeping ---- */

static size_t memory_of(struct kit *kit)
{
    JSMemoryUsage usage;
    JS_RunGC(kit->jsonata->cell.runtime);
    JS_ComputeMemoryUsage(kit->jsonata->cell.runtime, &usage);
    return (size_t)usage.malloc_size;
}

TEST(evaluating_again_and_again_takes_no_more_memory)
{
    KIT(NULL);
    static const char *const all[] = {"$sum($states.input.order.lines.(price * count))",
                                      "$states.input.missing & $nope(1)", "$map([1..9], $string)",
                                      "$states.input ~> |order|{'id': $uuid()}|"};
    size_t before = 0;
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < PX_COUNT(all); i++) (void)outcome(&kit, all[i]);
        if (round == 9) before = memory_of(&kit);
    }
    CHECK(memory_of(&kit) <= before + 4096);
}

TEST(compiled_expressions_are_kept_within_bounds)
{
    KIT(NULL);
    char text[64];
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(text, sizeof text, "%d + $attempt", i);
        char want[16];
        (void)snprintf(want, sizeof want, "%d", i + 2);
        check_gives(&kit, text, want);
    }
    CHECK(kit.jsonata->expr_count > 100 && kit.jsonata->expr_count <= 512);
    size_t count = kit.jsonata->expr_count;
    check_gives(&kit, text, "2001");
    CHECK_INT(kit.jsonata->expr_count, count);

    const int spaces = 300 << 10; /* more than all of them may be */
    const char *large = px_arena_printf(&kit.arena, "1 + 1 %*s", spaces, "").ptr;
    check_gives(&kit, large, "2");
    check_gives(&kit, large, "2");
    CHECK_INT(kit.jsonata->expr_count, 1);
    check_gives(&kit, text, "2001");
}

TEST_MAIN
