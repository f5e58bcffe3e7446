/* Rules of a Choice state in JSONPath. */
#include "asl_kit.h"

#include "asl/choice.h"
#include "base/px_buf.h"

struct told {
    struct px_str places[16], texts[16];
    size_t count;
};
static void note(void *ctx, struct px_str place, struct px_str expected)
{
    struct told *told = ctx;
    if (told->count == PX_COUNT(told->places)) return;
    told->places[told->count] = place;
    told->texts[told->count++] = expected;
}

static int compiled(struct kit *kit, const char *text, struct told *told,
                    const struct asl_rule **ret_rule)
{
    struct asl_template_error error = {note, told};
    return asl_rule_compile(kit_fixed(kit, text), &kit->t->arena, &error, ret_rule);
}
static int asked(struct kit *kit, const char *text, bool *ret_matches)
{
    struct told told = {0};
    const struct asl_rule *rule = NULL;
    int r = compiled(kit, text, &told, &rule);
    if (r) TEST_FAIL("%s: %.*s", text, PX_FMT(told.texts[0]));
    return asl_rule_matches(rule, &kit->scope, ret_matches, &kit->failure);
}
static void check_rule(struct kit *kit, const char *text, bool want)
{
    bool matches = !want;
    int r = asked(kit, text, &matches);
    if (r == ASL_FAILED) TEST_FAIL("%s: %.*s", text, PX_FMT(kit->failure.cause));
    CHECK_OK(r);
    if (matches != want) TEST_FAIL("%s is %s", text, matches ? "true" : "false");
}
static void holds(struct kit *kit, const char *text) { check_rule(kit, text, true); }
static void fails_to_hold(struct kit *kit, const char *text) { check_rule(kit, text, false); }

static const char input[] =
    "{'s':'b','n':5,'f':5.5,'t':true,'no':false,'z':null,'a':[],'o':{},'when':'2016-08-18T17:33:00Z',"
    "'same':'2016-08-18T19:33:00+02:00','later':'2016-08-18T17:33:00.001Z','digits':'5'}";

TEST(strings_are_ordered)
{
    struct kit kit;
    kit_init(&kit, t, input);
    holds(&kit, "{'Variable':'$.s','StringEquals':'b'}");
    fails_to_hold(&kit, "{'Variable':'$.s','StringEquals':'B'}");
    holds(&kit, "{'Variable':'$.s','StringLessThan':'ba'}");
    fails_to_hold(&kit, "{'Variable':'$.s','StringLessThan':'b'}");
    holds(&kit, "{'Variable':'$.s','StringLessThanEquals':'b'}");
    holds(&kit, "{'Variable':'$.s','StringGreaterThan':'a'}");
    fails_to_hold(&kit, "{'Variable':'$.s','StringGreaterThan':'c'}");
    holds(&kit, "{'Variable':'$.s','StringGreaterThanEquals':''}");
    holds(&kit, "{'Variable':'$.s','StringEqualsPath':'$.s'}");
    holds(&kit, "{'Variable':'$name','StringLessThanPath':'$$.State.Name'}");
    kit.scope.input = kit_value(&kit, "{'beyond':'\xF0\x9F\x98\x80','last':'\xEF\xBF\xBD'}");
    holds(&kit, "{'Variable':'$.beyond','StringLessThanPath':'$.last'}"); /* by UTF-16 units */
    holds(&kit, "{'Variable':'$.last','StringGreaterThanPath':'$.beyond'}");
}

TEST(numbers_are_ordered_by_value)
{
    struct kit kit;
    kit_init(&kit, t, input);
    holds(&kit, "{'Variable':'$.n','NumericEquals':5.0}");
    fails_to_hold(&kit, "{'Variable':'$.f','NumericEquals':5}");
    holds(&kit, "{'Variable':'$.n','NumericLessThan':5.1}");
    holds(&kit, "{'Variable':'$.n','NumericLessThanEquals':5}");
    holds(&kit, "{'Variable':'$.f','NumericGreaterThan':5}");
    holds(&kit, "{'Variable':'$.n','NumericGreaterThanEquals':-1e300}");
    holds(&kit, "{'Variable':'$.n','NumericLessThanPath':'$.f'}");
    holds(&kit, "{'Variable':'$.n','NumericEqualsPath':'$.n'}");
    fails_to_hold(&kit, "{'Variable':'$.n','NumericGreaterThanEqualsPath':'$.f'}");
    kit.scope.input = kit_value(&kit, "{'big':9007199254740993}");
    fails_to_hold(&kit, "{'Variable':'$.big','NumericEquals':9007199254740992}");
}

TEST(booleans_are_equal)
{
    struct kit kit;
    kit_init(&kit, t, input);
    holds(&kit, "{'Variable':'$.t','BooleanEquals':true}");
    fails_to_hold(&kit, "{'Variable':'$.t','BooleanEquals':false}");
    holds(&kit, "{'Variable':'$.no','BooleanEquals':false}");
    fails_to_hold(&kit, "{'Variable':'$.t','BooleanEqualsPath':'$.no'}");
    holds(&kit, "{'Variable':'$.no','BooleanEqualsPath':'$.no'}");
}

TEST(timestamps_are_points_in_time)
{
    struct kit kit;
    kit_init(&kit, t, input);
    holds(&kit, "{'Variable':'$.when','TimestampEquals':'2016-08-18T17:33:00.000Z'}");
    holds(&kit, "{'Variable':'$.when','TimestampEqualsPath':'$.same'}");
    holds(&kit, "{'Variable':'$.later','TimestampGreaterThanPath':'$.same'}");
    holds(&kit, "{'Variable':'$.when','TimestampLessThan':'9999-12-31T23:59:59Z'}");
    holds(&kit, "{'Variable':'$.when','TimestampLessThanEquals':'2016-08-18T17:33:00Z'}");
    holds(&kit, "{'Variable':'$.when','TimestampGreaterThanEqualsPath':'$.when'}");
    fails_to_hold(&kit, "{'Variable':'$.when','TimestampGreaterThan':'2016-08-18T17:33:00Z'}");
    fails_to_hold(&kit, "{'Variable':'$.s','TimestampEquals':'2016-08-18T17:33:00Z'}");
    fails_to_hold(&kit, "{'Variable':'$.when','TimestampEqualsPath':'$.s'}");
    fails_to_hold(&kit, "{'Variable':'$.n','TimestampLessThan':'2016-08-18T17:33:00Z'}");
}

TEST(another_type_is_no_match)
{
    struct kit kit;
    kit_init(&kit, t, input);
    static const char *const members[] = {"z", "n", "t", "a", "o"};
    static const char *const rules[] = {"'StringEquals':'5'", "'StringLessThan':'z'",
                                        "'StringMatches':'*'", "'StringEqualsPath':'$.s'",
                                        "'TimestampLessThan':'2016-08-18T17:33:00Z'"};
    for (size_t i = 0; i < PX_COUNT(members); i++)
        for (size_t k = 0; k < PX_COUNT(rules); k++)
            fails_to_hold(
                &kit,
                px_arena_printf(&t->arena, "{'Variable':'$.%s',%s}", members[i], rules[k]).ptr);
    fails_to_hold(&kit, "{'Variable':'$.digits','NumericEquals':5}");
    fails_to_hold(&kit, "{'Variable':'$.n','NumericEqualsPath':'$.digits'}");
    fails_to_hold(&kit, "{'Variable':'$.n','BooleanEquals':true}");
    fails_to_hold(&kit, "{'Variable':'$.z','BooleanEquals':false}");
}

TEST(a_star_stands_for_any_text)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    static const struct {
        const char *text, *pattern;
        bool matches;
    } cases[] = {
        {"log.txt", "log.txt", true},
        {"log.txt", "log", false},
        {"log.txt", "*", true},
        {"", "*", true},
        {"", "", true},
        {"x", "", false},
        {"log.txt", "log*", true},
        {"log.txt", "*.txt", true},
        {"log.txt", "l*g*t", true},
        {"log.txt", "l**t", true},
        {"log.txt", "*g.*x*", true},
        {"log.txt", "*x.*", false},
        {"aba", "ab*ba", false},
        {"abba", "ab*ba", true},
        {"aXbXc", "a*X*X*c", true},
        {"aXbc", "a*X*X*c", false},
        {"a.c", "a?c", false},
        {"a*c", "a\\*c", true},
        {"abc", "a\\*c", false},
        {"a\\c", "a\\\\c", true},
        {"a\\bc", "a\\\\*c", true},
        {"a\\bc", "a\\bc", true},
        {"x\\", "x\\", true},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        kit.scope.input = asl_text(&kit.values, px_str_c(cases[i].text));
        PX_AUTO(px_buf_deinit) struct px_buf rule;
        px_buf_init(&rule, 4096);
        px_buf_add_c(&rule, "{'Variable':'$','StringMatches':");
        px_buf_add_json_str(&rule, px_str_c(cases[i].pattern));
        px_buf_add(&rule, "}", 2);
        bool matches = !cases[i].matches;
        CHECK_OK(asked(&kit, rule.ptr, &matches));
        if (matches != cases[i].matches) TEST_FAIL("%s and %s", cases[i].text, cases[i].pattern);
    }
}

TEST(kinds_are_asked_for)
{
    struct kit kit;
    kit_init(&kit, t, input);
    static const struct {
        const char *operator_, *members; /* which hold */
    } cases[] = {{"IsString", "s when same later digits"},
                 {"IsNumeric", "n f"},
                 {"IsBoolean", "t no"},
                 {"IsNull", "z"},
                 {"IsTimestamp", "when same later"},
                 {"IsPresent", "s n f t no z a o when same later digits"}};
    static const char *const members[] = {"s", "n", "f",    "t",    "no",    "z",
                                          "a", "o", "when", "same", "later", "digits"};
    for (size_t i = 0; i < PX_COUNT(cases); i++)
        for (size_t k = 0; k < PX_COUNT(members); k++) {
            struct px_str words = px_arena_printf(&t->arena, " %s ", cases[i].members);
            struct px_str word = px_arena_printf(&t->arena, " %s ", members[k]);
            bool is = strstr(words.ptr, word.ptr) != NULL;
            check_rule(&kit,
                       px_arena_printf(&t->arena, "{'Variable':'$.%s','%s':true}", members[k],
                                       cases[i].operator_)
                           .ptr,
                       is);
            check_rule(&kit,
                       px_arena_printf(&t->arena, "{'Variable':'$.%s','%s':false}", members[k],
                                       cases[i].operator_)
                           .ptr,
                       !is);
        }
}

TEST(presence_is_asked_without_failing)
{
    struct kit kit;
    kit_init(&kit, t, input);
    holds(&kit, "{'Variable':'$.none.deeper','IsPresent':false}");
    fails_to_hold(&kit, "{'Variable':'$.a[0]','IsPresent':true}");
    fails_to_hold(&kit, "{'Variable':'$unknown','IsPresent':true}");
    holds(&kit,
          "{'And':[{'Variable':'$.none','IsPresent':false},{'Variable':'$.z','IsPresent':true}]}");
}

TEST(a_variable_that_is_not_there_fails)
{
    struct kit kit;
    kit_init(&kit, t, input);
    bool matches;
    static const struct {
        const char *rule, *path;
    } cases[] = {
        {"{'Variable':'$.none','NumericEquals':1}", "$.none"},
        {"{'Variable':'$.none','IsString':false}", "$.none"},
        {"{'Variable':'$.none','StringMatches':'*'}", "$.none"},
        {"{'Variable':'$.n','NumericEqualsPath':'$.none'}", "$.none"},
        {"{'Variable':'$unknown','IsNull':true}", "$unknown"},
        {"{'Not':{'Variable':'$.o.x','IsNull':true}}", "$.o.x"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        CHECK_INT(asked(&kit, cases[i].rule, &matches), ASL_FAILED);
        CHECK_STR(kit.failure.error, S("States.Runtime"));
        CHECK_STR(
            kit.failure.cause,
            px_arena_printf(&t->arena,
                            "Invalid path '%s': The choice state's condition path references an "
                            "invalid value.",
                            cases[i].path));
    }
}

TEST(rules_join_and_negate_and_stop_early)
{
    struct kit kit;
    kit_init(&kit, t, input);
    holds(&kit,
          "{'And':[{'Variable':'$.n','NumericEquals':5},{'Variable':'$.s','StringEquals':'b'}]}");
    fails_to_hold(
        &kit, "{'And':[{'Variable':'$.n','NumericEquals':6},{'Variable':'$.none','IsNull':true}]}");
    holds(&kit,
          "{'Or':[{'Variable':'$.n','NumericEquals':5},{'Variable':'$.none','IsNull':true}]}");
    fails_to_hold(
        &kit,
        "{'Or':[{'Variable':'$.n','NumericEquals':6},{'Variable':'$.s','StringEquals':'c'}]}");
    holds(&kit, "{'Not':{'Variable':'$.n','NumericEquals':6},'Next':'x','Comment':'y'}");
    holds(&kit,
          "{'Not':{'And':[{'Or':[{'Variable':'$.n','NumericEquals':6}]},{'Not':{'Variable':'$.t',"
          "'BooleanEquals':true}}]}}");
}

TEST(wrong_places_are_told)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    static const struct {
        const char *rule, *place, *text;
    } cases[] = {
        {"{'Variable':'$.a','Next':'b'}", "",
         "A choice rule must have exactly one comparison operator"},
        {"{'Variable':'$.a','IsNull':true,'IsString':true}", "",
         "A choice rule must have exactly one comparison operator"},
        {"{'IsNull':true}", "", "The field 'Variable' is required but was missing"},
        {"{'Variable':1,'IsNull':true}", "/Variable", "Expected value of type [STRING]"},
        {"{'Variable':'a','IsNull':true}", "/Variable", "Value is not a Reference Path"},
        {"{'Variable':'States.UUID()','IsNull':true}", "/Variable",
         "Value is not a Reference Path"},
        {"{'Variable':'$.a','IsNull':'true'}", "/IsNull", "Expected value of type [BOOLEAN]"},
        {"{'Variable':'$.a','NumericEquals':'1'}", "/NumericEquals",
         "Expected value of type [NUMBER]"},
        {"{'Variable':'$.a','StringEquals':1}", "/StringEquals", "Expected value of type [STRING]"},
        {"{'Variable':'$.a','StringMatches':null}", "/StringMatches",
         "Expected value of type [STRING]"},
        {"{'Variable':'$.a','BooleanEquals':1}", "/BooleanEquals",
         "Expected value of type [BOOLEAN]"},
        {"{'Variable':'$.a','TimestampEquals':'2016-08-18'}", "/TimestampEquals",
         "String does not match RFC3339 timestamp"},
        {"{'Variable':'$.a','NumericEqualsPath':1}", "/NumericEqualsPath",
         "Expected value of type [STRING]"},
        {"{'And':[]}", "/And", "Expected a non-empty array"},
        {"{'Or':{}}", "/Or", "Expected a non-empty array"},
        {"{'Not':[]}", "/Not", "Expected value of type [OBJECT]"},
        {"{'And':[{'Variable':'$.a','IsNull':true},{'Not':{'Variable':'$.a','IsNull':1}}]}",
         "/And/1/Not/IsNull", "Expected value of type [BOOLEAN]"},
        {"{'And':[{'Variable':'$.a','IsNull':true}],'Or':[{'Variable':'$.a','IsNull':true}]}", "",
         "Only one of the fields And, Or and Not may be there"},
        {"[]", "", "Expected value of type [OBJECT]"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct told told = {0};
        const struct asl_rule *rule = NULL;
        CHECK_INT(compiled(&kit, cases[i].rule, &told, &rule), ASL_INVALID);
        CHECK(!rule && told.count == 1);
        CHECK_STR(told.places[0], px_str_c(cases[i].place));
        CHECK_STR(told.texts[0], px_str_c(cases[i].text));
    }
    struct told told = {0};
    const struct asl_rule *rule = NULL;
    CHECK_INT(compiled(&kit, "{'Or':[{'Variable':'a','IsNull':1},{}]}", &told, &rule), ASL_INVALID);
    CHECK_INT(told.count, 3);
}

static int compile_and_ask(void)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 1u << 20);
    struct asl_values values;
    struct told told;
    struct asl_template_error error = {note, &told};
    struct asl_failure failure;
    yyjson_val *written = NULL;
    bool matches;
    PX_TRY(asl_values_init(&values, &arena));
    struct asl_scope scope = {.values = &values};
    PX_TRY(asl_value_parse(&values, S("{\"a\":\"text\"}"), &scope.input, NULL));
    PX_TRY(px_json_parse(
        S("{\"And\":[{\"Variable\":\"$.a\",\"StringMatches\":\"t*t\"},{\"Not\":{\"Variable\":"
          "\"$.a\",\"NumericEquals\":1}},{\"Or\":[{\"Variable\":\"$.b\",\"IsNull\":true}]}]}"),
        &arena, &written, NULL));
    for (int round = 0; round < 30; round++) {
        const struct asl_rule *rule = NULL;
        told.count = 0;
        PX_TRY(asl_rule_compile(written, &arena, &error, &rule));
        int r = asl_rule_matches(rule, &scope, &matches, &failure);
        if (r < 0) return r;
    }
    return 0;
}
TEST(memory_running_out_is_a_fault_at_every_allocation)
{
    SWEEP_ALLOCATIONS(compile_and_ask(), (void)0);
}

TEST_MAIN
