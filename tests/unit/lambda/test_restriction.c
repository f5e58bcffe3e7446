/* Restrictions, one within another. */
#include "support/support.h"

#include "lambda/restriction.h"

static const struct restriction *restriction(struct test *t, const char *json)
{
    const struct restriction *found = NULL;
    CHECK_OK(restriction_read(px_str_c(json), &t->arena, &found));
    return found;
}

static bool within(struct test *t, const char *inner, const char *outer)
{
    return restriction_within(restriction(t, inner), restriction(t, outer));
}

#define A "{\"column\":\"a\",\"equals\":1}"
#define B "{\"column\":\"b\",\"in\":[\"x\",true]}"

TEST(within_is_some_of_the_datasets_and_all_of_the_conditions)
{
    static const struct {
        const char *inner, *outer;
        bool within;
    } cases[] = {
        {"", "", true},
        {"{\"datasets\":[\"d\"]}", "", true},
        {"", "{\"datasets\":[\"d\"]}", false},
        {"", "{\"rows\":[" A "]}", false},
        {"{\"datasets\":[\"d\"]}", "{\"datasets\":[\"e\",\"d\"]}", true},
        {"{\"datasets\":[\"d\",\"f\"]}", "{\"datasets\":[\"e\",\"d\"]}", false},
        {"{\"datasets\":[\"D\"]}", "{\"datasets\":[\"d\"]}", false},
        {"{\"rows\":[" A "]}", "{\"datasets\":[\"d\"]}", false}, /* of all datasets */
        {"{\"datasets\":[\"d\"]}", "{\"rows\":[" A "]}", false},
        {"{\"rows\":[" B "," A "]}", "{\"rows\":[" A "]}", true},
        {"{\"rows\":[" B "]}", "{\"rows\":[" A "]}", false},
        {"{\"rows\":[" A "]}", "{\"rows\":[" A "," B "]}", false},
        {"{\"rows\":[{\"column\":\"a\",\"in\":[\"1\"]}]}", "{\"rows\":[" A "]}", true},
        {"{\"rows\":[{\"column\":\"a\",\"in\":[1,2]}]}", "{\"rows\":[" A "]}", false},
        {"{\"rows\":[{\"column\":\"b\",\"in\":[true,\"x\"]}]}", "{\"rows\":[" B "]}", false},
        {"{\"rows\":[{\"column\":\"A\",\"equals\":1}]}", "{\"rows\":[" A "]}", false},
        {"{\"datasets\":[\"d\"],\"rows\":[" A "," B "]}", "{\"datasets\":[\"d\"],\"rows\":[" A "]}",
         true},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++)
        CHECK_INT(within(t, cases[i].inner, cases[i].outer), cases[i].within);
}

TEST(what_is_wished_within_another_has_the_conditions_of_both)
{
    static const struct {
        const char *outer, *wish, *both;
    } cases[] = {
        {"{\"datasets\":[\"d\",\"e\"]}", "{\"datasets\":[\"e\"]}", "{\"datasets\":[\"e\"]}"},
        {"{\"datasets\":[\"d\",\"e\"]}", "{\"rows\":[" A "]}",
         "{\"datasets\":[\"d\",\"e\"],\"rows\":[" A "]}"},
        {"{\"rows\":[" A "]}", "{\"datasets\":[\"e\"]}", "{\"datasets\":[\"e\"],\"rows\":[" A "]}"},
        {"{\"rows\":[" A "]}", "{\"rows\":[" B "]}", "{\"rows\":[" A "," B "]}"},
        {"{\"rows\":[" A "]}", "{\"rows\":[" B "," A "]}", "{\"rows\":[" A "," B "]}"},
        {"{\"datasets\":[\"d\"],\"rows\":[" B "]}", "{\"datasets\":[\"d\"],\"rows\":[" B "]}",
         "{\"datasets\":[\"d\"],\"rows\":[" B "]}"},
        {"{\"datasets\":[\"d\"]}", "{\"datasets\":[\"d\",\"e\"]}", NULL},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        const struct restriction *outer = restriction(t, cases[i].outer);
        const struct restriction *wish = restriction(t, cases[i].wish);
        struct px_str both = S("untouched");
        int r = restriction_narrow(outer, wish, &t->arena, &both);
        CHECK_INT(r, cases[i].both ? 0 : RESTRICTION_WIDER);
        CHECK_STR(both, px_str_c(cases[i].both ? cases[i].both : "untouched"));
        if (!cases[i].both) continue;
        CHECK(within(t, cases[i].both, cases[i].outer));
        CHECK(within(t, cases[i].both, cases[i].wish));
    }
}

/* {"rows":[...]} of so many conditions, on columns from `first` on, each with a value of so many bytes. */
static const struct restriction *conditions(struct test *t, int count, int first, int bytes)
{
    struct px_str json = S("{\"rows\":[");
    for (int i = 0; i < count; i++)
        json = px_arena_printf(&t->arena, "%.*s%s{\"column\":\"c%d\",\"equals\":\"%0*d\"}",
                               PX_FMT(json), i > 0 ? "," : "", first + i, bytes, 1);
    json = px_arena_printf(&t->arena, "%.*s]}", PX_FMT(json));
    return restriction(t, px_arena_cstr(&t->arena, json));
}

TEST(both_together_have_the_bounds_of_one)
{
    struct px_str both;
    CHECK_OK(restriction_narrow(conditions(t, 5, 0, 1), conditions(t, 3, 5, 1), &t->arena, &both));
    CHECK_OK(restriction_narrow(conditions(t, 5, 0, 1), conditions(t, 5, 2, 1), &t->arena, &both));
    CHECK_INT(restriction_narrow(conditions(t, 5, 0, 1), conditions(t, 4, 5, 1), &t->arena, &both),
              RESTRICTION_INVALID);
    CHECK_INT(
        restriction_narrow(conditions(t, 2, 0, 800), conditions(t, 1, 5, 800), &t->arena, &both),
        RESTRICTION_INVALID);
}

static int take(struct test *t, const char *json, struct px_str *ret_json, const char **ret_why)
{
    struct restriction found;
    yyjson_val *root = NULL;
    CHECK_OK(px_json_parse(px_str_c(json), &t->arena, &root, NULL));
    return restriction_take(root, &t->arena, &found, ret_json, ret_why);
}

TEST(what_travels_is_the_text_that_was_understood)
{
    struct px_str json = S("untouched");
    const char *why = NULL;
    CHECK_OK(take(t, " { \"rows\" : [ " A " ] } ", &json, &why));
    CHECK_STR(json, S("{\"rows\":[" A "]}"));
    for (int bytes = 2000; bytes < 40000; bytes += 37000) { /* too long, and far too long */
        struct px_str large = px_arena_printf(
            &t->arena, "{\"rows\":[{\"column\":\"a\",\"equals\":\"%0*d\"}]}", bytes + 100, 1);
        why = NULL;
        CHECK_INT(take(t, large.ptr, &json, &why), RESTRICTION_INVALID);
        CHECK(why && strstr(why, "2048"));
    }
    CHECK_INT(take(t, "{}", &json, &why), RESTRICTION_INVALID);
}

TEST_MAIN
