/* Mapping templates: what those of the subset make, what is refused, and that no value of a request is read as VTL or leaves the string
 * that it stands in. */
// link: px_vtl
#include "support/support.h"

#include "base/px_json.h"
#include "vtl/vtl.h"

#define UNQUOTE ".replaceAll(\"\\\\'\",\"'\")"
#define ESCAPED(x) "$util.escapeJavaScript(" x ")" UNQUOTE

struct kit {
    struct vtl *vtl;
    struct px_arena arena;
    struct vtl_result result;
    struct px_str why;
};

static void kit_init(struct kit *kit, const struct vtl_options *options)
{
    *kit = (struct kit){0};
    px_arena_init(&kit->arena, 64u << 20);
    CHECK_OK(vtl_new(options, &kit->vtl));
}

static void kit_deinit(struct kit *kit)
{
    vtl_free(&kit->vtl);
    px_arena_deinit(&kit->arena);
}

#define KIT(options)                                                                               \
    PX_AUTO(kit_deinit) struct kit kit;                                                            \
    kit_init(&kit, options)

static int render(struct kit *kit, const char *text, struct px_str body, struct px_str tenant)
{
    const struct vtl_pair path[] = {{S("tenant"), tenant}};
    const struct vtl_pair query[] = {{S("q"), S("1")}, {S("tenant"), S("of the query")}};
    const struct vtl_pair headers[] = {{S("X-Thing"), S("a b")}};
    const struct vtl_pair context[] = {
        {S("requestId"), S("r-1")}, {S("authorizer.tenant"), S("_system")}, {S("stage"), S("v1")}};
    const struct vtl_pair stage[] = {{S("shard"), S("shard-0")}};
    const struct vtl_input input = {.body = body,
                                    .path = path,
                                    .path_count = 1,
                                    .query = query,
                                    .query_count = 2,
                                    .headers = headers,
                                    .header_count = 1,
                                    .context = context,
                                    .context_count = 3,
                                    .stage_variables = stage,
                                    .stage_variable_count = 1};
    return vtl_render(kit->vtl, px_str_c(text), &input, &kit->arena, &kit->result, &kit->why);
}

static void expect(struct kit *kit, const char *text, const char *body, const char *result)
{
    CHECK_OK(vtl_check(kit->vtl, px_str_c(text), &kit->arena, &kit->why));
    CHECK_OK(render(kit, text, px_str_c(body), S("acme")));
    CHECK_STR(kit->result.text, px_str_c(result));
}

TEST(what_templates_make)
{
    KIT(NULL);
    expect(&kit, "{\"status\":204}", "", "{\"status\":204}");
    expect(&kit, "$input.json('$')", "{ \"a\" : [1, {\"b\":null}] }", "{\"a\":[1,{\"b\":null}]}");
    expect(&kit, "$input.json('$.a[1].b')", "{\"a\":[1,{\"b\":\"x\\\"y\"}]}", "\"x\\\"y\"");
    expect(&kit, "{\"id\":\"$context.requestId of ${context.stage}\"}", "",
           "{\"id\":\"r-1 of v1\"}");
    expect(&kit, "\"${stageVariables.shard}x\"", "", "\"shard-0x\"");
    expect(&kit, "\"" ESCAPED("$context.authorizer.tenant") "\"", "", "\"_system\"");
    expect(&kit, "\"" ESCAPED("$input.params('tenant')") "\"", "", "\"acme\"");
    expect(&kit, "\"" ESCAPED("$input.params('x-thing')") "\"", "", "\"a b\"");
    expect(&kit, "\"" ESCAPED("$input.params('none')") "\"", "", "\"\"");
    expect(&kit, "\"" ESCAPED("$input.path('$.n')") "\"", "{\"n\":42}", "\"42\"");
    expect(&kit, "\"$util.urlEncode($input.body)\"", "a b/\xc3\xa4~*'", "\"a+b%2F%C3%A4%7E*%27\"");
    expect(&kit, "\"$util.base64Encode($input.body)\"", "\xc3\xa4?", "\"w6Q/\"");
    expect(&kit, "\"" ESCAPED("$util.base64Decode($input.body)") "\"", "w6Q/", "\"\\u00E4?\"");
    expect(&kit, "\"" ESCAPED("$util.urlDecode($input.body)") "\"", "a+b%2F", "\"a b\\/\"");
    expect(&kit, "#set($a = $input.path('$.a'))\n{\"a\":\"" ESCAPED("$a") "\"}", "{\"a\":\"b\"}",
           "{\"a\":\"b\"}");
    expect(&kit,
           "{\"input\":\"{\\\"tenant\\\":\\\"" ESCAPED(ESCAPED(
               "$input.params('tenant')")) "\\\",\\\"body\\\":" ESCAPED("$input.json('$')") "}\"}",
           "{\"to\":\"x\"}",
           "{\"input\":\"{\\\"tenant\\\":\\\"acme\\\",\\\"body\\\":{\\\"to\\\":\\\"x\\\"}}\"}");
}

TEST(conditions_and_status)
{
    KIT(NULL);
    static const char text[] = "#set($t = $input.path('$.t'))\n"
                               "#if($t.contains(\"Exists\") && !($t == \"NotExists\"))\n"
                               "#set($context.responseOverride.status = 409)1"
                               "#elseif($t != \"a\")\n2#else\n3#end";
    expect(&kit, text, "{\"t\":\"x#ExecutionAlreadyExists\"}", "1");
    CHECK_INT(kit.result.status, 409);
    expect(&kit, text, "{\"t\":\"NotExists\"}", "2");
    CHECK_INT(kit.result.status, 0);
    expect(&kit, text, "{\"t\":\"a\"}", "3");
}

TEST(what_is_refused)
{
    KIT(NULL);
    static const char *const texts[] = {
        /* a value that is not escaped for where it stands */
        "$input.body", "\"$input.body\"", "\"$input.path('$.a')\"", "$input.path('$.a')",
        "\"$util.escapeJavaScript($input.body)\"", ESCAPED("$input.body"), "\"$input.json('$')\"",
        "\"{\\\"a\\\":\\\"" ESCAPED("$input.body") "\\\"}\"",
        "\"{\\\"a\\\":" ESCAPED("$input.body") "}\"", "\"" ESCAPED("$input.body") "\\\"a\\\"\"",
        "\"" ESCAPED(ESCAPED("$input.body")) "\"", "$context.requestId",
        "\"$context.authorizer.tenant\"", "\"\\u0022" ESCAPED("$input.body") "\"",
        /* read in two ways */
        "#if($input.body)1#end", "#if($input.path('$.a') == 1)1#end", "\"\\$context.requestId\"",
        "\"\\\\\\$context.requestId\"", "\"$!context.requestId\"", "$5", "a # b", "## a", "#* a *#",
        "#[[a]]#", "\"a#if($context.stage == \"b\")c#end\"",
        "#if($context.stage == \"a\" || $context.stage == \"b\" && $context.stage == \"c\")1#end",
        "#if(!$context.stage == \"a\")1#end", "#if(\"a\" == \"b\")1#end", "#if(1 < 2)1#end",
        /* beyond the subset */
        "#stop", "#foreach($x in $input.path('$'))1#end", "#macro(a)1#end", "#define($a)1#end",
        "#parse(\"a\")", "#include(\"a\")", "#evaluate($input.body)", "#noescape()1#end",
        "\"$context.unknown\"", "\"$other\"", "\"$input.eval('1')\"",
        "$util.parseJson($input.body)", "\"$context.requestId.length()\"", "$input.json(\"$.a\")",
        "$input.json('$..a')", "$input.json('$[?(@.a)]')", "$input.json($context.stage)",
        "\"$context.constructor\"", "\"$context.__proto__\"", "\"$util.constructor($input.body)\"",
        "\"$util.toString($input.body)\"", "\"$stageVariables\"", "\"$input.body.length()\"",
        "\"$context.requestId.eval('a')\"", "#set($context.stage = \"a\")", "#set($input = \"a\")",
        "#set($a.b = \"a\")", "#set($a = 1)", "#set($a = {})", "#set($a = [1..9])",
        "#set($a = \"$input.body\")", "#set($a = \"1\")#set($a = \"2\")",
        "#if($context.stage == \"a\")#set($a = \"1\")#end\"$a\"",
        "#set($context.responseOverride.status = 99)",
        "#set($context.responseOverride.header.X = \"a\")",
        /* no JSON */
        "\"", "\"a\nb\"", "#if($context.stage == \"a\")\"#end", "\"\\\"a\"", "#end", "#if(", "${",
        "{}#end{}", "#if($context.stage == \"a\")1", "#end#if($context.stage == \"a\")1", "#endx",
        "#elsex"};
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        int r = vtl_check(kit.vtl, px_str_c(texts[i]), &kit.arena, &kit.why);
        if (r == 0 && render(&kit, texts[i], S("{}"), S("a")) == 0)
            TEST_FAIL("taken: %s", texts[i]);
        CHECK_INT(r, VTL_REFUSED);
        CHECK(kit.why.len > 0);
    }
}

/* The machine's ARN, a tenant from the path and a body, as the contract's own template has them. */
static const char start[] =
    "{\"name\":\"$context.requestId\",\"input\":\"{\\\"tenant\\\":\\\"" ESCAPED(ESCAPED(
        "$input.params('tenant')")) "\\\",\\\"to\\\":" ESCAPED("$input.json('$.to')") "}\"}";

static void check_start(struct kit *kit, struct px_str value)
{
    yyjson_val *root = NULL, *inner = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 1u << 20);
    px_buf_add_c(&body, "{\"to\":");
    px_buf_add_json_str(&body, value);
    px_buf_add_c(&body, "}");
    CHECK_OK(render(kit, start, px_buf_str(&body), value));
    CHECK_OK(px_json_parse(kit->result.text, &kit->arena, &root, NULL));
    CHECK_INT(yyjson_obj_size(root), 2);
    CHECK_OK(px_json_parse(px_json_str(root, "input"), &kit->arena, &inner, NULL));
    CHECK_INT(yyjson_obj_size(inner), 2);
    CHECK(px_str_eq(px_json_str(inner, "tenant"), value));
    CHECK(px_str_eq(px_json_str(inner, "to"), value));
}

TEST(hostile_values_stay_values)
{
    KIT(NULL);
    CHECK_OK(vtl_check(kit.vtl, px_str_c(start), &kit.arena, &kit.why));
    static const char *const values[] = {"\"",
                                         "\\",
                                         "\\\"",
                                         "\\\\\"",
                                         "'",
                                         "\\'",
                                         "\",\"tenant\":\"other",
                                         "\\\",\\\"tenant\\\":\\\"other",
                                         "\n\r\t\b\f",
                                         "$input.body",
                                         "${context.requestId}",
                                         "#set($x = 1)",
                                         "#stop",
                                         "#end",
                                         "$",
                                         "$&",
                                         "$1",
                                         "$'",
                                         "#",
                                         "##",
                                         "#*",
                                         "/",
                                         "</script>",
                                         "\x7f",
                                         "\xe2\x80\xa8",
                                         "\xf0\x9f\x98\x80",
                                         "$util.escapeJavaScript('a')",
                                         "__proto__",
                                         "constructor",
                                         "\\u0022",
                                         "#if(true)",
                                         "\\$x",
                                         "\x01\x1f"};
    for (size_t i = 0; i < PX_COUNT(values); i++) check_start(&kit, px_str_c(values[i]));
    for (int c = 1; c < 128; c++) {
        char one = (char)c;
        check_start(&kit, px_str(&one, 1));
    }
}

static void expect_failure(struct kit *kit, const char *text, const char *body)
{
    CHECK_OK(vtl_check(kit->vtl, px_str_c(text), &kit->arena, &kit->why));
    CHECK_INT(render(kit, text, px_str_c(body), S("acme")), VTL_FAILED);
    CHECK(kit->why.len > 0);
    expect(kit, "\"$context.requestId\"", "", "\"r-1\"");
}

TEST(what_is_not_there_fails)
{
    KIT(NULL);
    expect_failure(&kit, "$input.json('$.a')", "{}");
    expect_failure(&kit, "$input.json('$.a')", "{\"b\":1}");
    expect_failure(&kit, "$input.json('$.toString')", "{}");
    expect_failure(&kit, "$input.json('$.__proto__')", "{}");
    expect_failure(&kit, "$input.json('$.a.length')", "{\"a\":\"x\"}");
    expect_failure(&kit, "$input.json('$.a.length')", "{\"a\":[]}");
    expect_failure(&kit, "$input.json('$')", "");
    expect_failure(&kit, "$input.json('$')", "{\"a\":1");
    expect_failure(&kit, "$input.json('$')", "\"\\ud800");
    expect_failure(&kit, "\"" ESCAPED("$input.path('$.a')") "\"", "{\"a\":null}");
    expect_failure(&kit, "\"" ESCAPED("$input.path('$.a')") "\"", "{\"a\":{\"toString\":1}}");
    expect_failure(&kit, "\"" ESCAPED("$input.path('$.a')") "\"", "{\"a\":1.5}");
    expect_failure(&kit, "\"$util.base64Encode($util.urlDecode($input.body))\"", "%zz");
    expect_failure(&kit, "\"${stageVariables.other}\"", "");
    expect_failure(&kit, "\"" ESCAPED("$context.authorizer.other") "\"", "");
}

/* What met a ceiling is refused, and the next call is as if nothing had been. */
TEST(ceilings)
{
    KIT((&(struct vtl_options){.memory_bytes_max = 3u << 20}));
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 8u << 20);
    px_buf_add_char(&body, '[');
    for (int i = 0; i < 200000; i++) px_buf_add_c(&body, i ? ",{}" : "{}");
    px_buf_add_char(&body, ']');
    for (int i = 0; i < 2; i++) {
        CHECK_INT(render(&kit, "$input.json('$')", px_buf_str(&body), S("a")), VTL_FAILED);
        CHECK_STR(kit.why, S("it takes too much memory"));
        expect(&kit, "\"$context.requestId\"", "", "\"r-1\"");
    }
    px_buf_clear(&body);
    for (int i = 0; i < 20000; i++) px_buf_add_char(&body, '[');
    CHECK_INT(render(&kit, "$input.json('$')", px_buf_str(&body), S("a")), VTL_FAILED);
    px_buf_clear(&body);
    for (int i = 0; i < (5 << 20); i++) px_buf_add_char(&body, 'a');
    CHECK_INT(render(&kit, "$input.json('$')", px_buf_str(&body), S("a")), VTL_FAILED);
    CHECK_STR(kit.why, S("the request is too large for a template"));
    vtl_rest(kit.vtl);
    expect(&kit, "\"$context.requestId\"", "", "\"r-1\"");
}

TEST_MAIN
