/* Payload templates in both languages. */
#include "asl_kit.h"

#include "asl/template.h"

struct told {
    struct px_arena *arena;
    struct px_str places[8], texts[8];
    size_t count;
};
static void note(void *ctx, struct px_str place, struct px_str expected)
{
    struct told *told = ctx;
    if (told->count == PX_COUNT(told->places)) return;
    told->places[told->count] = place;
    told->texts[told->count++] = expected;
}

static int compiled(struct kit *kit, const char *text, enum asl_language language,
                    struct told *told, const struct asl_template **ret_template)
{
    struct asl_template_error error = {note, told};
    return asl_template_compile(kit_fixed(kit, text), language, KIT_ENGINE, &kit->t->arena, &error,
                                ret_template);
}

static int evaluated(struct kit *kit, const char *text, enum asl_language language,
                     const char *field, yyjson_mut_val **ret_value)
{
    struct told told = {0};
    const struct asl_template *template = NULL;
    int r = compiled(kit, text, language, &told, &template);
    if (r) TEST_FAIL("%s: %.*s", text, PX_FMT(told.texts[0]));
    kit->scope.jsonata = language == ASL_JSONATA ? KIT_ENGINE : NULL;
    return asl_template_eval(template, &kit->scope, field, ret_value, &kit->failure);
}

static void gives(struct kit *kit, const char *text, const char *want)
{
    yyjson_mut_val *value = NULL;
    CHECK_OK(evaluated(kit, text, ASL_JSONPATH, "Parameters", &value));
    CHECK_STR(kit_text(kit, value), px_str_c(want));
}

TEST(members_that_end_in_a_path_sign_are_expressions)
{
    struct kit kit;
    kit_init(&kit, t, "{'a':1,'o':{'b':[2]},'l':[1,2]}");
    gives(&kit, "{'x.$':'$.a'}", "{'x':1}");
    gives(&kit, "{'x.$':'$','y':'$'}", "{'x':{'a':1,'o':{'b':[2]},'l':[1,2]},'y':'$'}");
    gives(&kit, "{'f':'fixed','x.$':'$.o.b','n':null,'i':1,'r':1.50}",
          "{'f':'fixed','x':[2],'n':null,'i':1,'r':1.5}");
    gives(&kit, "{'c.$':'$$.Execution.Id','v.$':'$name','.$':'$.a'}",
          "{'c':'arn:1','v':'Ada','':1}");
    gives(&kit, "{'d':{'e':{'x.$':'$.a'},'k':[1]}}", "{'d':{'e':{'x':1},'k':[1]}}");
    gives(&kit, "{'l.$':'$.l[?(@ > 1)]','none.$':'$.none[*]'}", "{'l':[2],'none':[]}");
    gives(&kit, "{'y':{'z':[{'q.$':'$.a'},'$.a',['$.a',{'w.$':'$.l[0]'}]]}}",
          "{'y':{'z':[{'q':1},'$.a',['$.a',{'w':1}]]}}");
    gives(&kit, "{'s':'States.UUID()','j':'{% $x %}'}", "{'s':'States.UUID()','j':'{% $x %}'}");
    gives(&kit, "{}", "{}");
}

TEST(functions_are_expressions_too)
{
    struct kit kit;
    kit_init(&kit, t, "{'a':1}");
    yyjson_mut_val *value = NULL;
    CHECK_OK(evaluated(&kit, "{'g.$':'States.Array($.a, $)','u.$':'States.MathAdd($.a, 1)'}",
                       ASL_JSONPATH, "Parameters", &value));
    CHECK_STR(kit_text(&kit, value), S("{'g':[1,{'a':1}],'u':2}"));
}

TEST(a_value_has_no_parent_but_its_template)
{
    struct kit kit;
    kit_init(&kit, t, "{'o':{'b':1}}");
    yyjson_mut_val *value = NULL;
    CHECK_OK(evaluated(
        &kit, "{'x.$':'$.o','y.$':'$.o','z.$':'States.ArrayGetItem(States.Array($.o), 0)'}",
        ASL_JSONPATH, "Parameters", &value));
    CHECK_OK(asl_member_set(&kit.values, asl_member(value, S("x")), S("b"),
                            yyjson_mut_uint(kit.values.doc, 2)));
    CHECK_OK(asl_member_set(&kit.values, asl_member(value, S("z")), S("b"),
                            yyjson_mut_uint(kit.values.doc, 3)));
    CHECK_STR(kit_text(&kit, value), S("{'x':{'b':2},'y':{'b':1},'z':{'b':3}}"));
    CHECK_STR(kit_text(&kit, kit.scope.input), S("{'o':{'b':1}}"));
}

TEST(what_is_no_object_stands_as_it_is)
{
    struct kit kit;
    kit_init(&kit, t, "{'a':1}");
    gives(&kit, "'$.a'", "'$.a'");
    gives(&kit, "[1,'$.a',{'b.$':'$.a'}]", "[1,'$.a',{'b':1}]");
    gives(&kit, "null", "null");
    gives(&kit, "7", "7");
}

TEST(fixed_is_what_holds_no_expression)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    static const struct {
        const char *text;
        enum asl_language language;
        bool fixed;
    } cases[] = {
        {"{'a':[1,{'b':'$.c'}]}", ASL_JSONPATH, true},
        {"{'a':[1,{'b.$':'$.c'}]}", ASL_JSONPATH, false},
        {"{'a.$':'$.c'}", ASL_JSONATA, true},
        {"['a',{'b':'{%1%}'}]", ASL_JSONATA, false},
        {"'{% 1 %}'", ASL_JSONATA, false},
        {"'{% 1 %}'", ASL_JSONPATH, true},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct told told = {0};
        const struct asl_template *template = NULL;
        CHECK_OK(compiled(&kit, cases[i].text, cases[i].language, &told, &template));
        CHECK(asl_template_is_fixed(template) == cases[i].fixed);
    }
}

TEST(a_path_that_finds_nothing_names_its_member)
{
    struct kit kit;
    kit_init(&kit, t, "{'l':[1,2],'n':1}");
    yyjson_mut_val *value = NULL;
    CHECK_INT(evaluated(&kit, "{'a':{'address.$':'$.none'}}", ASL_JSONPATH, "Parameters", &value),
              ASL_FAILED);
    CHECK_STR(kit.failure.error, S("States.Runtime"));
    CHECK_STR(
        kit.failure.cause,
        S("The JSONPath '$.none' specified for the field 'address.$' could not be found in the input "
          "'{\"l\":[1,2],\"n\":1}'"));
    CHECK_INT(evaluated(&kit, "{'a.$':'$.l[9].x'}", ASL_JSONPATH, "Parameters", &value),
              ASL_FAILED);
    CHECK_INT(evaluated(&kit, "{'a.$':'$.n[0]'}", ASL_JSONPATH, "Parameters", &value), ASL_FAILED);
    CHECK_INT(evaluated(&kit, "{'a.$':'$.l.length()'}", ASL_JSONPATH, "Parameters", &value),
              ASL_FAILED);
    CHECK_STR(
        kit.failure.cause,
        S("The JSONPath '$.l.length()' specified for the field 'a.$' could not be found in the input "
          "'{\"l\":[1,2],\"n\":1}'"));
}

TEST(an_index_behind_the_end_is_null)
{
    struct kit kit;
    kit_init(&kit, t, "{'l':[1,2]}");
    gives(&kit, "{'a.$':'$.l[2]','b.$':'$.l[-3]','c.$':'$.l[1]'}", "{'a':null,'b':null,'c':2}");
}

TEST(a_value_that_is_nested_too_deeply_fails)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    int levels = 1, r = 0;
    while (r == 0 && levels < 1000) {
        yyjson_mut_val *value = NULL;
        r = evaluated(&kit, "{'x.$':'States.Array($)'}", ASL_JSONPATH, "Parameters", &value);
        levels += 2;
        if (r == 0) kit.scope.input = value;
    }
    CHECK_INT(r, ASL_FAILED);
    CHECK_INT(levels, ASL_DEPTH_MAX + 1);
    CHECK_STR(kit.failure.error, S("States.Runtime"));
    CHECK_STR(kit.failure.cause,
              S("The value of the field 'Parameters' is nested more than 160 levels deep."));
}

TEST(wrong_places_are_all_told_in_the_words_of_step_functions)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    struct told told = {0};
    const struct asl_template *template = NULL;
    CHECK_INT(compiled(&kit,
                       "{'a.$':'a','b':{'c/~':[{'d.$':1}]},'e.$':'$.fine','f.$':'States.Nope()'}",
                       ASL_JSONPATH, &told, &template),
              ASL_INVALID);
    CHECK(!template);
    CHECK_INT(told.count, 3);
    CHECK_STR(told.places[0], S(""));
    CHECK_STR(
        told.texts[0],
        S("The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call"));
    CHECK_STR(told.places[1], S("/b/c~1~0/0"));
    CHECK_STR(
        told.texts[1],
        S("The value for the field 'd.$' must be a valid JSONPath or a valid intrinsic function call"));
    CHECK_STR(
        told.texts[2],
        S("The value for the field 'f.$' must be a valid JSONPath or a valid intrinsic function call"));

    told.count = 0;
    CHECK_INT(compiled(&kit, "{'x':{'a':1,'a.$':'$.b'}}", ASL_JSONPATH, &told, &template),
              ASL_INVALID);
    CHECK_STR(told.places[0], S("/x"));
    CHECK_STR(told.texts[0], S("The field 'a' is there twice"));
}

TEST(jsonata_strings_are_expressions_wherever_they_stand)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    yyjson_mut_val *value = NULL;
    kit_jsonata.answer = "[1]";
    CHECK_OK(evaluated(&kit, "{'a':'{% $x %}','b':['c','{%$y%}',{'d':'{%1%}'}],'e.$':'$.f'}",
                       ASL_JSONATA, "Output", &value));
    CHECK_STR(kit_text(&kit, value), S("{'a':[1],'b':['c',[1],{'d':[1]}],'e.$':'$.f'}"));
    CHECK_STR(px_str_c(kit_jsonata.text), S("1"));
    CHECK_STR(px_str_c(kit_jsonata.field), S("Output/b[2]/d"));
    CHECK_OK(evaluated(&kit, "'{% $states.input %}'", ASL_JSONATA, "Arguments", &value));
    CHECK_STR(kit_text(&kit, value), S("[1]"));
    CHECK_STR(px_str_c(kit_jsonata.text), S("$states.input"));
    CHECK_STR(px_str_c(kit_jsonata.field), S("Arguments"));
    CHECK_OK(evaluated(&kit, "['{% 1 %}']", ASL_JSONATA, "Items", &value));
    CHECK_STR(px_str_c(kit_jsonata.field), S("Items[0]"));
    kit_jsonata.answer = NULL;
    CHECK_INT(evaluated(&kit, "{'a':'{% $x %}'}", ASL_JSONATA, "Assign", &value), ASL_FAILED);
    CHECK_STR(kit.failure.error, S("States.QueryEvaluationError"));
    CHECK_STR(kit.failure.cause, S("of 'Assign/a'"));
}

TEST(jsonata_that_is_not_whole_is_refused_with_its_place)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    struct told told = {0};
    const struct asl_template *template = NULL;
    CHECK_INT(compiled(&kit, "{'a':'{% 1','b':['x %}','{%}','{% 1 +%}','{% 1 %} ',' {% 1 %}']}",
                       ASL_JSONATA, &told, &template),
              ASL_INVALID);
    CHECK_INT(told.count, 6);
    CHECK_STR(told.places[0], S("/a"));
    CHECK_STR(told.places[1], S("/b/0"));
    CHECK_STR(told.places[2], S("/b/1"));
    CHECK_STR(told.places[3], S("/b/2"));
    CHECK_STR(told.texts[3], S("Unexpected end of expression"));
    CHECK_STR(told.places[4], S("/b/3"));
    CHECK_STR(told.places[5], S("/b/4"));
}

static void ignore(void *ctx, struct px_str place, struct px_str expected)
{
    (void)ctx, (void)place, (void)expected;
}
static int compile_and_evaluate(enum asl_language language)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 4u << 20);
    struct asl_values values;
    struct asl_failure failure;
    struct asl_template_error error = {ignore, NULL};
    yyjson_val *written = NULL;
    yyjson_mut_val *value = NULL;
    PX_TRY(asl_values_init(&values, &arena));
    struct asl_scope scope = {.values = &values, .jsonata = KIT_ENGINE};
    PX_TRY(asl_value_parse(&values, S("{\"a\":[1,2]}"), &scope.input, NULL));
    PX_TRY(px_json_parse(
        S("{\"x.$\":\"$.a\",\"y\":{\"z\":[\"{% 1 %}\",{\"w.$\":\"$.a[0]\"}],\"f\":{\"g\":1}}}"),
        &arena, &written, NULL));
    kit_jsonata.answer = "{'k':[1]}";
    for (int round = 0; round < 30; round++) {
        const struct asl_template *template = NULL;
        PX_TRY(asl_template_compile(written, language, KIT_ENGINE, &arena, &error, &template));
        PX_TRY(asl_template_eval(template, &scope, "Parameters", &value, &failure));
    }
    yyjson_val *wrong = NULL;
    PX_TRY(px_json_parse(S("{\"x.$\":\"a\",\"y\":[\"{% 1\"]}"), &arena, &wrong, NULL));
    const struct asl_template *none = NULL;
    int r = asl_template_compile(wrong, language, KIT_ENGINE, &arena, &error, &none);
    return r == ASL_INVALID ? 0 : r;
}
TEST(memory_running_out_is_a_fault_at_every_allocation)
{
    SWEEP_ALLOCATIONS(compile_and_evaluate(ASL_JSONPATH), (void)0);
    SWEEP_ALLOCATIONS(compile_and_evaluate(ASL_JSONATA), (void)0);
}

TEST_MAIN
