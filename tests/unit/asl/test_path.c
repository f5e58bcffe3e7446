/* JSONPath: what is found, in which form, what a miss says, what does not compile. */
#include "asl_kit.h"

#include "base/px_buf.h"

static const char store[] =
    "{'store':{'book':["
    "{'category':'reference','author':'Rees','title':'Sayings','price':8.95},"
    "{'category':'fiction','author':'Waugh','title':'Sword','price':12.99},"
    "{'category':'fiction','author':'Melville','title':'Moby Dick','isbn':'0-553','price':8.99},"
    "{'category':'fiction','author':'Tolkien','title':'Rings','isbn':'0-395','price':22.99}],"
    "'bicycle':{'color':'red','price':19.95}},"
    "'expensive':10,'nothing':null,'empty':[],'flags':[true,false],'a b':{'c.d':1},'n':[[1,2],[3,4],[5,6]]}";

static int evaluated(struct kit *kit, const char *path, const char *field,
                     yyjson_mut_val **ret_value)
{
    const struct asl_expr *expr = NULL;
    struct px_where where = {0};
    int r = asl_expr_path(px_str_c(path), &kit->t->arena, &expr, &where);
    if (r) TEST_FAIL("%s does not compile: at %zu %s", path, where.offset, where.expected);
    return asl_expr_eval(expr, &kit->scope, field, ret_value, &kit->failure);
}

static void finds(struct kit *kit, const char *path, const char *want)
{
    yyjson_mut_val *value = NULL;
    int r = evaluated(kit, path, "InputPath", &value);
    if (r == ASL_FAILED) TEST_FAIL("%s: %.*s", path, PX_FMT(kit->failure.cause));
    CHECK_OK(r);
    struct px_str got = kit_text(kit, value);
    if (!px_str_eq(got, px_str_c(want))) TEST_FAIL("%s: %.*s, not %s", path, PX_FMT(got), want);
}

static void fails(struct kit *kit, const char *path, const char *field, const char *cause)
{
    yyjson_mut_val *value = NULL;
    int r = evaluated(kit, path, field, &value);
    if (r != ASL_FAILED) TEST_FAIL("%s gave %d", path, r);
    CHECK_STR(kit->failure.error, S("States.Runtime"));
    if (!px_str_eq(kit->failure.cause, px_str_c(cause)))
        TEST_FAIL("%s: %.*s, not %s", path, PX_FMT(kit->failure.cause), cause);
}

TEST(a_definite_path_gives_the_value)
{
    struct kit kit;
    kit_init(&kit, t, store);
    finds(&kit, "$.expensive", "10");
    finds(&kit, " $.expensive ", "10");
    finds(&kit, "$['expensive']", "10");
    finds(&kit, "$[\"expensive\"]", "10");
    finds(&kit, "$[ 'expensive' ]", "10");
    finds(&kit, "$.nothing", "null");
    finds(&kit, "$.store.bicycle", "{'color':'red','price':19.95}");
    finds(&kit, "$.store['bicycle'].color", "'red'");
    finds(&kit, "$['a b']['c.d']", "1");
    finds(&kit, "$.n[1][0]", "3");
    finds(&kit, "$.n[-1][-2]", "5");
    finds(&kit, "$.n[ 0 ]", "[1,2]");
    finds(&kit, "$.n.[0]", "[1,2]");
    finds(&kit, "$.store.book[0].title", "'Sayings'");
    finds(&kit, "$.store.bicycle['price','color','none']", "{'price':19.95,'color':'red'}");
}

TEST(roots_are_the_input_the_context_and_variables)
{
    struct kit kit;
    kit_init(&kit, t, "[1,{'a':2}]");
    finds(&kit, "$", "[1,{'a':2}]");
    finds(&kit, "$[1].a", "2");
    finds(&kit, "$$.Execution.Input.n", "7");
    finds(&kit, "$$['Map'].Item.Index", "2");
    finds(&kit, "$name", "'Ada'");
    finds(&kit, "$list[-1]", "3");
    finds(&kit, "$list[*]", "[1,2,3]");
    finds(&kit, "$deep.er[0].x", "9");
    finds(&kit, "$$",
          "{'Execution':{'Id':'arn:1','Input':{'n':7}},'State':{'Name':'Pass'},"
          "'Map':{'Item':{'Index':2}}}");
}

TEST(other_paths_give_lists)
{
    struct kit kit;
    kit_init(&kit, t, store);
    finds(&kit, "$.store.book[*].author", "['Rees','Waugh','Melville','Tolkien']");
    finds(&kit, "$.store.book.*.author", "['Rees','Waugh','Melville','Tolkien']");
    finds(&kit, "$.store.bicycle.*", "['red',19.95]");
    finds(&kit, "$.n[*][0]", "[1,3,5]");
    finds(&kit, "$.n[0,2]", "[[1,2],[5,6]]");
    finds(&kit, "$.n[0, -1, 9][1]", "[2,6]");
    finds(&kit, "$.store['book','bicycle'].price", "[19.95]");
    finds(&kit, "$..isbn", "['0-553','0-395']");
    finds(&kit, "$..price", "[8.95,12.99,8.99,22.99,19.95]");
    finds(&kit, "$..book[0].title", "['Sayings']");
    finds(&kit, "$..book[-1:].title", "['Rings']");
    finds(&kit, "$..[0]",
          "[{'category':'reference','author':'Rees','title':'Sayings','price':8.95},"
          "true,[1,2],1,3,5]");
    finds(&kit, "$.n..*", "[[1,2],[3,4],[5,6],1,2,3,4,5,6]");
    finds(&kit, "$.store..['color','price']",
          "[{},{'price':8.95},{'price':12.99},{'price':8.99},"
          "{'price':22.99},{'color':'red','price':19.95}]");
}

TEST(slices_count_as_the_library_of_step_functions_does)
{
    struct kit kit;
    kit_init(&kit, t, "{'a':[0,1,2,3,4,5]}");
    finds(&kit, "$.a[1:3]", "[1,2]");
    finds(&kit, "$.a[:2]", "[0,1]");
    finds(&kit, "$.a[4:]", "[4,5]");
    finds(&kit, "$.a[-2:]", "[4,5]");
    finds(&kit, "$.a[:-4]", "[0,1]");
    finds(&kit, "$.a[-9:]", "[0,1,2,3,4,5]");
    finds(&kit, "$.a[:-9]", "[]");
    finds(&kit, "$.a[3:99]", "[3,4,5]");
    finds(&kit, "$.a[9:]", "[]");
    finds(&kit, "$.a[3:3]", "[]");
    finds(&kit, "$.a[3:1]", "[]");
    finds(&kit, "$.a[-3:-1]", "[3,4]");
    finds(&kit, "$.a[1:-1]", "[]"); /* not what Python does */
    finds(&kit, "$.a[-2:2]", "[4,5,0,1]");
    finds(&kit, "$.a[ 1 : 2 ]", "[1]");
}

TEST(a_list_of_nothing_is_a_list)
{
    struct kit kit;
    kit_init(&kit, t, store);
    finds(&kit, "$.absent[*]", "[]");
    finds(&kit, "$.absent.further[1:5].value", "[]");
    finds(&kit, "$.absent[:1]", "[]");
    finds(&kit, "$.expensive[*]", "[]");
    finds(&kit, "$.expensive[0:2]", "[]");
    finds(&kit, "$.nothing[*]", "[]");
    finds(&kit, "$..absent", "[]");
    finds(&kit, "$.empty[?(@.a)]", "[]");
    finds(&kit, "$.absent[?(@.a)]", "[]");
    finds(&kit, "$.expensive[?(@ > 3)]", "[]");
}

TEST(filters_compare)
{
    struct kit kit;
    kit_init(&kit, t, store);
    finds(&kit, "$.store.book[?(@.price < 9)].title", "['Sayings','Moby Dick']");
    finds(&kit, "$.store.book[?(@.price<=8.95)].title", "['Sayings']");
    finds(&kit, "$.store.book[?(@.price > 12.99)].title", "['Rings']");
    finds(&kit, "$.store.book[?(@.price>=12.99)].title", "['Sword','Rings']");
    finds(&kit, "$.store.book[?(@.price == 8.99)].author", "['Melville']");
    finds(&kit, "$.store.book[?(@.author != 'Rees')].price", "[12.99,8.99,22.99]");
    finds(&kit, "$.store.book[?(@.author == \"Rees\")].price", "[8.95]");
    finds(&kit, "$.store.book[?('Rees' == @.author)].price", "[8.95]");
    finds(&kit, "$.store.book[?(@['author'] == 'Rees')].price", "[8.95]");
    finds(&kit, "$.store.book[?(@.price < $.expensive)].title", "['Sayings','Moby Dick']");
    finds(&kit, "$..book[?(@.price > 20)].title", "['Rings']");
    finds(&kit, "$..[?(@.color)].price", "[19.95]");
    finds(&kit, "$.store.bicycle[?(@.price > 1)].color", "['red']");
    finds(&kit, "$.n[?(@[0] > 2)]", "[[3,4],[5,6]]");
    finds(&kit, "$.n[*][?(@ >= 4)]", "[4,5,6]");
    finds(&kit, "$.flags[?(@ == true)]", "[true]");
    finds(&kit, "$.n[?(@ == [3,4])]", "[[3,4]]");
    finds(&kit, "$.store[?(@ == {'color':'red', 'price':19.95})]",
          "[]"); /* the object itself is asked */
    finds(&kit, "$.store.*[?(@ == {'price':19.95, 'color':'red'})].color", "['red']");
    finds(&kit, "$.store.book[?(@.author < 'S')].author", "['Rees','Melville']");
    finds(&kit, "$.store.book[?(@.author < 5)].author", "[]");
    finds(&kit, "$.n[?(@[0] == '3')]", "[[3,4]]");
    finds(&kit, "$.n[?(@[0] === '3')]", "[]");
    finds(&kit, "$.n[?(@[0] === 3)]", "[[3,4]]");
    finds(&kit, "$.n[?(@[0] !== 3)]", "[[1,2],[5,6]]");
}

TEST(filters_ask_for_presence)
{
    struct kit kit;
    kit_init(&kit, t, store);
    finds(&kit, "$.store.book[?(@.isbn)].title", "['Moby Dick','Rings']");
    finds(&kit, "$.store.book[?(!@.isbn)].title", "['Sayings','Sword']");
    finds(&kit, "$.store.book[?(!(@.isbn))].title", "['Sayings','Sword']");
    finds(&kit, "$.store.book[?(@.isbn == null)].title", "[]");
    finds(&kit, "$.store.book[?(@.isbn != 'x')].price", "[8.95,12.99,8.99,22.99]");
    kit.scope.input = kit_value(&kit, "[{'a':null},{'a':false},{'b':1}]");
    finds(&kit, "$[?(@.a)]", "[{'a':null},{'a':false}]");
    finds(&kit, "$[?(@.a == null)]", "[{'a':null}]");
}

TEST(filters_join_and_negate)
{
    struct kit kit;
    kit_init(&kit, t, store);
    finds(&kit, "$.store.book[?(@.category == 'fiction' && @.price < 10)].title", "['Moby Dick']");
    finds(&kit, "$.store.book[?(@.category=='fiction'&&@.price<10)].title", "['Moby Dick']");
    finds(&kit, "$.store.book[?(@.price > 20 || @.price < 8.97)].title", "['Sayings','Rings']");
    finds(&kit, "$.store.book[?(@.isbn && @.price < 10 || @.author == 'Rees')].title",
          "['Sayings','Moby Dick']");
    finds(&kit, "$.store.book[?(@.isbn && (@.price > 20 || @.author == 'Rees'))].title",
          "['Rings']");
    finds(&kit, "$.store.book[?(!(@.isbn && @.price < 10))].title", "['Sayings','Sword','Rings']");
    finds(&kit, "$.store.book[?( @.price>8 && @.price>9 && @.price>13 )].title", "['Rings']");
}

TEST(filters_look_into_lists_and_texts)
{
    struct kit kit;
    kit_init(
        &kit, t,
        "[{'k':1,'v':'abc','l':[1,2]},{'k':2,'v':'','l':[]},{'k':3,'v':'xyz','l':[2,3],'o':{}}]");
    finds(&kit, "$[?(@.v in ['abc','xyz'])].k", "[1,3]");
    finds(&kit, "$[?(@.v IN [\"abc\"])].k", "[1]");
    finds(&kit, "$[?(@.v nin ['abc','xyz'])].k", "[2]");
    finds(&kit, "$[?(2 in @.l)].k", "[1,3]");
    finds(&kit, "$[?(@.l contains 1)].k", "[1]");
    finds(&kit, "$[?(@.v contains 'b')].k", "[1]");
    finds(&kit, "$[?(@.l subsetof [1,2,9])].k", "[1,2]");
    finds(&kit, "$[?(@.l anyof [3,4])].k", "[3]");
    finds(&kit, "$[?(@.l noneof [3,4])].k", "[1,2]");
    finds(&kit, "$[?(@.l all [2])].k", "[1,3]");
    finds(&kit, "$[?(@.l size 2)].k", "[1,3]");
    finds(&kit, "$[?(@.v size 3)].k", "[1,3]");
    finds(&kit, "$[?(@.l empty true)].k", "[2]");
    finds(&kit, "$[?(@.v empty false)].k", "[1,3]");
    finds(&kit, "$[?(@.o empty true)].k", "[3]");
    finds(&kit, "$[?(@.l.length() > 1)].k", "[1,3]");
    finds(&kit, "$[?(@.l.size() == 0)].k", "[2]");
    finds(&kit, "$[?(@.l.sum() == 5)].k", "[3]");
    finds(&kit, "$[?(@.l.min() == 1 && @.l.max() == 2 && @.l.avg() == 1.5)].k", "[1]");
    finds(&kit, "$[?(@.v == 'a\\u0062c')].k", "[1]");
    finds(&kit, "$[?(@.l == [])].k", "[2]");
    finds(&kit, "$[?(@.l[?(@ > 2)] == [3])].k", "[3]");
    finds(&kit, "$[?(@.l in [[1,2],[true,null,-1.5e1]])].k", "[1]");
}

TEST(patterns_match_the_whole_text)
{
    struct kit kit;
    kit_init(
        &kit, t,
        "[{'k':1,'v':'Abc'},{'k':2,'v':'abcd'},{'k':3,'v':['x','abc']},{'k':4,'v':12.5},{'k':5,"
        "'v':true},{'k':6,'v':null},{'k':7},{'k':8,'v':'a/b'},{'k':9,'v':'a\\nb'},{'k':10,'v':'é'}]");
    finds(&kit, "$[?(@.v =~ /abc/)].k", "[3]");
    finds(&kit, "$[?(@.v =~ /abc/i)].k", "[1,3]");
    finds(&kit, "$[?(@.v =~ /(?i)A.*/)].k", "[1,2,3,8]");
    finds(&kit, "$[?(@.v =~ /a.b/)].k", "[8]");
    finds(&kit, "$[?(@.v=~/a.b/s && @.k > 8)].k", "[9]");
    finds(&kit, "$[?(@.v =~ /a\\/b/)].k", "[8]");
    finds(&kit, "$[?(@.v =~ /\\d+\\.5/)].k", "[4]");
    finds(&kit, "$[?(@.v =~ /true|false/)].k", "[5]");
    finds(&kit, "$[?(@.v =~ /./)].k", "[3,10]");
    finds(&kit, "$[?(@.v =~ //)].k", "[6,7]");
    finds(&kit, "$[?(!(@.v =~ /[a-z].*/im))].k", "[4,6,7,9,10]");
}

TEST(a_pattern_that_backtracks_without_end_fails)
{
    struct kit kit;
    kit_init(&kit, t, "['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab']");
    yyjson_mut_val *value = NULL;
    CHECK_INT(evaluated(&kit, "$[?(@ =~ /(a|aa)+[cd]/)]", "InputPath", &value), ASL_FAILED);
    finds(&kit, "$[?(@ =~ /a+b/)][0]", "[]");
}

TEST(a_backslash_in_a_name_stands_for_itself)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    CHECK_OK(asl_value_parse(&kit.values,
                             S("{\"a\\\\\\\"b\":1,\"it's\":2,\"q\\\"\":3,\"c]d\":4,\"\":5}"),
                             &kit.scope.input, NULL));
    finds(&kit, "$['a\\\"b']", "1");
    finds(&kit, "$['it\\'s']", "2");
    finds(&kit, "$[\"it's\"]", "2");
    finds(&kit, "$['q\"']", "3");
    finds(&kit, "$['c]d']", "4");
    finds(&kit, "$['']", "5");
}

TEST(a_miss_is_worded_as_step_functions_words_it)
{
    struct kit kit;
    kit_init(&kit, t, "{'a':{'b':'text'},'n':null,'l':[1]}");
    fails(&kit, "$.none", "InputPath", "Invalid path '$.none' : No results for path: $['none']");
    fails(&kit, "$.no.such.path", "OutputPath",
          "Invalid path '$.no.such.path' : Missing property in path $['no']");
    fails(&kit, "$.a.x.y", "InputPath",
          "Invalid path '$.a.x.y' : Missing property in path $['a']['x']");
    fails(&kit, "$.l[4]", "InputPath", "Invalid path '$.l[4]' : No results for path: $['l'][4]");
    fails(&kit, "$.n[0]", "InputPath", "Invalid path '$.n[0]' : The path $['n'] is null");
    fails(&kit, "$.a[0]", "InputPath",
          "Invalid path '$.a[0]' : Filter: [0] can only be applied to arrays. Current context is: "
          "{\"b\":\"text\"}");
    fails(
        &kit, "$.a.b.c", "InputPath",
        "Invalid path '$.a.b.c' : Expected to find an object with property ['c'] in path $['a']['b'] "
        "but found a string");
    fails(&kit, "$.l.length()", "InputPath",
          "Invalid path '$.l.length()' : No results for path: $['l'].length()");
    fails(
        &kit, "$.none", "ErrorPath",
        "The JSONPath '$.none' specified for the field 'ErrorPath' could not be found in the input "
        "'{\"a\":{\"b\":\"text\"},\"n\":null,\"l\":[1]}'");
    kit.scope.context = kit_value(&kit, "{'State':{}}");
    fails(
        &kit, "$$.Task.Token", "CausePath",
        "The JSONPath '$$.Task.Token' specified for the field 'CausePath' could not be found in the "
        "input '{\"State\":{}}'");
    fails(
        &kit, "$unknown.x", "SecondsPath",
        "The JSONPath '$unknown.x' specified for the field 'SecondsPath' could not be found in the "
        "input '{\"a\":{\"b\":\"text\"},\"n\":null,\"l\":[1]}'");
    kit.scope.variables = NULL;
    fails(
        &kit, "$name", "InputPath",
        "The JSONPath '$name' specified for the field 'InputPath' could not be found in the input "
        "'{\"a\":{\"b\":\"text\"},\"n\":null,\"l\":[1]}'");
}

TEST(what_is_no_path_is_refused_with_its_place)
{
    static const struct {
        const char *text;
        size_t at;
    } bad[] = {
        {"", 0},
        {"a", 0},
        {"@.a", 0},
        {"$a.", 3},
        {"$.", 2},
        {"$..", 3},
        {"$...a", 3},
        {"$.a..", 5},
        {"$.a b", 3},
        {"$a b", 2},
        {"$['a'", 5},
        {"$['a", 4},
        {"$['a'x]", 5},
        {"$['a',]", 6},
        {"$['a',\"b\"]", 6},
        {"$[]", 2},
        {"$[a]", 2},
        {"$[1", 3},
        {"$[1,]", 4},
        {"$[:]", 3},
        {"$[1:2:3]", 5},
        {"$[::2]", 3},
        {"$[1.5]", 3},
        {"$[99999999999]", 11},
        {"$[-]", 3},
        {"$[*", 3},
        {"$[*1]", 3},
        {"$[?]", 3},
        {"$[?@.a]", 3},
        {"$[?()]", 4},
        {"$[?(@.a]", 8},
        {"$[?(@.a)", 8},
        {"$[?(@.a == )]", 11},
        {"$[?(@.a = 1)]", 8},
        {"$[?(@.a && )]", 11},
        {"$[?(1)]", 5},
        {"$[?(@.a == 'x)]", 15},
        {"$[?(@.a in [1,])]", 14},
        {"$[?(@.a == {'b' 1})]", 16},
        {"$[?(@.a == {b:1})]", 12},
        {"$[?(@.a == '\\u12')]", 16},
        {"$[?(@.first() == 1)]", 11},
        {"$.f(", 4},
        {"$$$", 2},
        {"$$a", 2},
        {"$9", 1},
        {"$[?(@.a == {'b':1,'b':2})]", 23},
        {"$[?(@.a =~ 'x')]", 11},
        {"$[?(@.a =~ /x)]", 12},
        {"$[?(@.a =~ /(/)]", 13},
        {"$[?(@.a =~ /x/q)]", 12},
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        const struct asl_expr *expr = NULL;
        struct px_where where = {.offset = 999};
        char *exact = malloc(strlen(bad[i].text) + !bad[i].text[0]);
        memcpy(exact, bad[i].text, strlen(bad[i].text));
        int r = asl_expr_path(px_str(exact, strlen(bad[i].text)), &t->arena, &expr, &where);
        free(exact);
        if (r != ASL_INVALID || expr) TEST_FAIL("\"%s\" gave %d", bad[i].text, r);
        if (where.offset != bad[i].at || !where.expected[0])
            TEST_FAIL("\"%s\": at %zu, %s", bad[i].text, where.offset, where.expected);
    }
}

static bool compiles(struct test *t, struct px_str text)
{
    const struct asl_expr *expr = NULL;
    struct px_where where;
    int r = asl_expr_path(text, &t->arena, &expr, &where);
    CHECK(r == 0 || r == ASL_INVALID);
    return r == 0;
}
static struct px_str repeated(struct test *t, const char *head, const char *part, int n,
                              const char *tail, const char *end)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    px_buf_add_c(&buf, head);
    for (int i = 0; i < n; i++) px_buf_add_c(&buf, part);
    px_buf_add_c(&buf, tail);
    for (int i = 0; i < n; i++) px_buf_add_c(&buf, end);
    px_buf_add_c(&buf, head[1] == '[' ? ")]" : "");
    CHECK_INT(px_buf_fault(&buf), 0);
    return px_arena_dup(&t->arena, px_buf_str(&buf));
}
TEST(nesting_and_length_have_ceilings)
{
    CHECK(compiles(t, repeated(t, "$", ".a", 256, "", "")));
    CHECK(!compiles(t, repeated(t, "$", ".a", 257, "", "")));
    CHECK(compiles(t, repeated(t, "$[?(", "(", 10, "@.a", ")")));
    CHECK(!compiles(t, repeated(t, "$[?(", "(", 17, "@.a", ")")));
    CHECK(!compiles(t, repeated(t, "$[?(", "!", 100000, "@.a", "")));
    CHECK(!compiles(t, repeated(t, "$[?(@.a == ", "[", 100000, "1", "]")));
    CHECK(!compiles(t, repeated(t, "$[?(", "@.a[?(", 1000, "@.b", ")]")));
    CHECK(compiles(t, repeated(t, "$[?(@.a", " && @.b", 20000, "", ""))); /* side by side is fine */
}

TEST(a_long_chain_of_terms_needs_no_stack)
{
    struct kit kit;
    kit_init(&kit, t, "[{'b':1}]");
    finds(&kit, repeated(t, "$[?(@.b", " && @.b", 50000, "", "").ptr, "[{'b':1}]");
    finds(&kit, repeated(t, "$[?(@.a", " || @.b", 50000, "", "").ptr, "[{'b':1}]");
}

TEST(a_path_that_visits_too_much_fails)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    PX_AUTO(px_buf_deinit) struct px_buf wide;
    px_buf_init(&wide, 1u << 20);
    for (int i = 0; i < 10000; i++) px_buf_printf(&wide, "%c%d", i ? ',' : '[', i);
    px_buf_add(&wide, "]", 2);
    kit.scope.input = kit_value(&kit, wide.ptr);
    yyjson_mut_val *value = NULL;
    CHECK_INT(evaluated(&kit, "$[?(@ in $)]", "InputPath", &value), ASL_FAILED);
    CHECK(px_str_starts(kit.failure.cause, S("The JSONPath '$[?(@ in $)]' visits more than ")));
    finds(&kit, "$[?(@ == 9999)]", "[9999]");

    yyjson_mut_val *deep = kit_value(&kit, "{'a':1}");
    for (int i = 0; i < 2000; i++) {
        yyjson_mut_val *outer = yyjson_mut_arr(kit.values.doc);
        (void)yyjson_mut_arr_append(outer, deep);
        deep = outer;
    }
    kit.scope.input = deep;
    CHECK_INT(evaluated(&kit, "$..a", "InputPath", &value), ASL_FAILED);
}

static const struct asl_expr *expr_of(struct test *t, const char *text)
{
    const struct asl_expr *expr = NULL;
    struct px_where where;
    CHECK_OK(asl_expr_path(px_str_c(text), &t->arena, &expr, &where));
    return expr;
}

TEST(a_reference_path_names_one_place_of_the_input)
{
    static const char *const yes[] = {"$", "$.a", "$['a'].b[0]", "$.a[-1]"};
    static const char *const no[] = {"$$.a",        "$name",        "$.a[*]",     "$.a[0,1]",
                                     "$..a",        "$.a[1:]",      "$['a','b']", "$.a.length()",
                                     "$.a[?(@.b)]", "States.UUID()"};
    for (size_t i = 0; i < PX_COUNT(yes); i++) CHECK(asl_expr_is_reference(expr_of(t, yes[i])));
    for (size_t i = 0; i < PX_COUNT(no); i++) CHECK(!asl_expr_is_reference(expr_of(t, no[i])));
    CHECK(asl_expr_is_intrinsic(expr_of(t, "States.UUID()")) &&
          !asl_expr_is_intrinsic(expr_of(t, "$.a")));
    CHECK_STR(asl_expr_source(expr_of(t, " $.a ")), S("$.a"));
}

TEST(finding_tells_what_is_there)
{
    struct kit kit;
    kit_init(&kit, t, "{'a':null,'l':[]}");
    static const struct {
        const char *path;
        const char *want;
    } cases[] = {{"$.a", "null"},    {"$.b", NULL},      {"$.b.c", NULL},
                 {"$.l[0]", NULL},   {"$.l[*]", NULL},   {"$", "{'a':null,'l':[]}"},
                 {"$unknown", NULL}, {"$name", "'Ada'"}, {"$list[?(@ > 2)]", "[3]"},
                 {"$$.No", NULL}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        yyjson_mut_val *value = NULL;
        CHECK_OK(asl_expr_find(expr_of(t, cases[i].path), &kit.scope, &value, &kit.failure));
        if (!value != !cases[i].want) TEST_FAIL("%s", cases[i].path);
        if (value) CHECK_STR(kit_text(&kit, value), px_str_c(cases[i].want));
    }
}

static void puts_to(struct kit *kit, const char *root, const char *path, const char *want)
{
    yyjson_mut_val *whole = kit_value(kit, root);
    CHECK_OK(asl_expr_put(expr_of(kit->t, path), &kit->values, &whole, kit_value(kit, "[7]"),
                          &kit->failure));
    CHECK_STR(kit_text(kit, whole), px_str_c(want));
}
static void puts_not(struct kit *kit, const char *root, const char *path, const char *cause)
{
    yyjson_mut_val *whole = kit_value(kit, root);
    CHECK_INT(asl_expr_put(expr_of(kit->t, path), &kit->values, &whole, kit_value(kit, "[7]"),
                           &kit->failure),
              ASL_FAILED);
    CHECK_STR(kit->failure.error, S("States.ResultPathMatchFailure"));
    CHECK_STR(kit->failure.cause, px_str_c(cause));
}
TEST(putting_makes_objects_on_the_way)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    puts_to(&kit, "{'a':1}", "$", "[7]");
    puts_to(&kit, "{'a':1}", "$.a", "{'a':[7]}");
    puts_to(&kit, "{'a':1}", "$.b", "{'a':1,'b':[7]}");
    puts_to(&kit, "{'a':1}", "$.b.c['d e']", "{'a':1,'b':{'c':{'d e':[7]}}}");
    puts_to(&kit, "{'a':{'x':1}}", "$.a.y", "{'a':{'x':1,'y':[7]}}");
    puts_to(&kit, "{'a':[1,2,3]}", "$.a[1]", "{'a':[1,[7],3]}");
    puts_to(&kit, "{'a':[1,2,3]}", "$.a[-1]", "{'a':[1,2,[7]]}");
    puts_to(&kit, "[[1],{'b':2}]", "$[1].c", "[[1],{'b':2,'c':[7]}]");
    puts_not(&kit, "{'a':1}", "$.a.b", "Unable to apply ReferencePath $.a.b to input {\"a\":1}");
    puts_not(&kit, "'text'", "$.a", "Unable to apply ReferencePath $.a to input \"text\"");
    puts_not(&kit, "[1]", "$[1]", "Unable to apply ReferencePath $[1] to input [1]");
    puts_not(&kit, "{}", "$.a[0]", "Unable to apply ReferencePath $.a[0] to input {}");
    puts_not(&kit, "{}", "$.a[0].b", "Unable to apply ReferencePath $.a[0].b to input {}");
    puts_not(&kit, "[1]", "$.a", "Unable to apply ReferencePath $.a to input [1]");
}

TEST(putting_does_not_nest_too_deeply)
{
    struct kit kit;
    kit_init(&kit, t, "{}");
    yyjson_mut_val *value = kit_value(&kit, "[]");
    int r = 0, levels = 1;
    for (; r == 0 && levels < 1000; levels++) {
        yyjson_mut_val *root = kit_value(&kit, "{}");
        r = asl_expr_put(expr_of(t, "$.a"), &kit.values, &root, value, &kit.failure);
        value = root;
    }
    CHECK_INT(r, ASL_FAILED);
    CHECK_INT(levels, ASL_DEPTH_MAX + 1);
    CHECK_STR(kit.failure.error, S("States.Runtime"));
}

static int compile_and_evaluate(void)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 4u << 20);
    struct asl_values values;
    struct px_where where;
    struct asl_failure failure;
    yyjson_mut_val *value = NULL;
    PX_TRY(asl_values_init(&values, &arena));
    struct asl_scope scope = {.values = &values};
    PX_TRY(asl_value_parse(&values, S("{\"a\":[{\"b\":1,\"c\":[1,2,3,4,5,6,7,8,9,10]},{\"b\":2}]}"),
                           &scope.input, NULL));
    static const char *const paths[] = {
        "$.a[0].b",
        "$..c[*]",
        "$.a[?(@.b in [1, 'x', {'y': null}] && !@.d || @.c.length() > 2)]['b','c']",
        "$.a[0,1].b",
        "$.none.at.all",
        "$.a[*]['b','c']"};
    for (int round = 0; round < 40; round++)
        for (size_t i = 0; i < PX_COUNT(paths); i++) {
            const struct asl_expr *expr = NULL;
            PX_TRY(asl_expr_path(px_str_c(paths[i]), &arena, &expr, &where));
            int r = asl_expr_eval(expr, &scope, "InputPath", &value, &failure);
            if (r < 0) return r;
        }
    return 0;
}
TEST(memory_running_out_is_a_fault_at_every_allocation)
{
    SWEEP_ALLOCATIONS(compile_and_evaluate(), (void)0);
}

TEST_MAIN
