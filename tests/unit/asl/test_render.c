/* What templatefile() would make of a definition's template, and that what it would refuse is refused. */
#include "support/support.h"

#include "asl/render.h"

static const struct asl_value_of_name values[] = {
    {{"region", 6}, {"eu-west-1", 9}},
    {{"shards", 6}, {"[\"a\",\"b\"]", 9}},
    {{"region", 6}, {"us-east-1", 9}},
    {{"empty", 5}, {"", 0}},
};

static struct px_str rendered(struct test *t, const char *template)
{
    struct px_str text = {0};
    struct px_where where = {0};
    CHECK_OK(asl_render(px_str_c(template), values, PX_COUNT(values), &t->arena, &text, &where));
    return text;
}

static void refused(struct test *t, const char *template, size_t offset, const char *expected)
{
    struct px_str text = {0};
    struct px_where where = {0};
    int r = asl_render(px_str_c(template), values, PX_COUNT(values), &t->arena, &text, &where);
    CHECK_INT(r, ASL_INVALID);
    CHECK(!text.ptr);
    CHECK_INT(where.offset, offset);
    CHECK_STR(px_str_c(where.expected), px_str_c(expected));
}

TEST(names_become_their_values)
{
    CHECK_STR(rendered(t, ""), S(""));
    CHECK_STR(rendered(t, "{}"), S("{}"));
    CHECK_STR(rendered(t, "a:${region}:${ shards }"), S("a:us-east-1:[\"a\",\"b\"]"));
    CHECK_STR(rendered(t, "${empty}${empty}x"), S("x"));
}

TEST(the_last_value_of_a_name_wins) { CHECK_STR(rendered(t, "${region}"), S("us-east-1")); }

TEST(what_is_escaped_stays)
{
    CHECK_STR(rendered(t, "$${region} %%{if}"), S("${region} %{if}"));
    CHECK_STR(rendered(t, "$.a $$.b {% $c %} 100% $"), S("$.a $$.b {% $c %} 100% $"));
}

TEST(what_has_no_value_is_refused_at_its_place)
{
    refused(t, "ab ${nothing}", 3, "a value for 'nothing'");
    refused(t, "${region", 0, "a '}' that ends '${'");
    refused(t, "x${jsonencode(a)}", 1, "a name in '${...}'");
    refused(t, "${}", 0, "a name in '${...}'");
    refused(t, "a %{ if true }", 2, "no directive: '%{' is written '%%{'");
}

TEST_MAIN
