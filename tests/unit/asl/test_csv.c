/* A Map's items from CSV. */
#include "support/support.h"

#include "asl/csv.h"

static struct px_str parse(struct test *t, const char *text, const struct asl_csv_options *options)
{
    struct asl_values values;
    yyjson_mut_val *items = NULL;
    struct px_str json;
    CHECK_OK(asl_values_init(&values, &t->arena));
    CHECK_OK(asl_csv_parse(px_str_c(text), options, &values, &items));
    CHECK_OK(asl_value_write(&values, items, &json));
    return json;
}

static const struct asl_csv_options plain = {.delimiter = ','};

TEST(the_first_line_names_the_members)
{
    CHECK_STR(parse(t, "a,b\r\n1,2\r\n3,4", &plain),
              S("[{\"a\":\"1\",\"b\":\"2\"},{\"a\":\"3\",\"b\":\"4\"}]"));
    CHECK_STR(parse(t, "a\n", &plain), S("[]"));
}

TEST(quotes_hold_delimiters_line_ends_and_quotes)
{
    CHECK_STR(parse(t, "a,b\n\"x,\ny\",\"say \"\"no\"\"\"\n", &plain),
              S("[{\"a\":\"x,\\ny\",\"b\":\"say \\\"no\\\"\"}]"));
}

TEST(fields_without_a_header_and_missing_ones_are_left_out)
{
    CHECK_STR(parse(t, "a,b\n1,2,3\n4\n", &plain), S("[{\"a\":\"1\",\"b\":\"2\"},{\"a\":\"4\"}]"));
}

TEST(empty_lines_and_a_byte_order_mark_are_no_items)
{
    CHECK_STR(parse(t,
                    "\xef\xbb\xbf"
                    "a,b\n\n1,\n\r\n",
                    &plain),
              S("[{\"a\":\"1\",\"b\":\"\"}]"));
}

TEST(headers_may_be_given_and_delimiters_chosen)
{
    const struct px_str headers[] = {S("x"), S("y")};
    const struct asl_csv_options given = {.delimiter = '|', .headers = headers, .header_count = 2};
    CHECK_STR(parse(t, "1|2\n3|4\n", &given),
              S("[{\"x\":\"1\",\"y\":\"2\"},{\"x\":\"3\",\"y\":\"4\"}]"));
}

TEST(what_has_no_header_or_no_end_is_invalid)
{
    struct asl_values values;
    yyjson_mut_val *items = NULL;
    CHECK_OK(asl_values_init(&values, &t->arena));
    CHECK_INT(asl_csv_parse(S(""), &plain, &values, &items), ASL_INVALID);
    CHECK_INT(asl_csv_parse(S("a\n\"never ends"), &plain, &values, &items), ASL_INVALID);
    CHECK(items == NULL);
}

TEST_MAIN
