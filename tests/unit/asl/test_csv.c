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

TEST(doubled_quotes_are_quotes_where_nothing_is_quoted_too)
{
    CHECK_STR(parse(t, "a,b\n{\"\"k\"\":1},5\" wide\n", &plain),
              S("[{\"a\":\"{\\\"k\\\":1}\",\"b\":\"5\\\" wide\"}]"));
    CHECK_STR(parse(t, "a,b\n\"\",\"\"\"\"\n", &plain), S("[{\"a\":\"\",\"b\":\"\\\"\"}]"));
}

TEST(a_backslash_escapes_itself_quotes_and_the_delimiter_and_else_goes)
{
    CHECK_STR(parse(t, "a,b\nC:\\\\x\\y,p\\,q\n", &plain),
              S("[{\"a\":\"C:\\\\xy\",\"b\":\"p,q\"}]"));
    CHECK_STR(parse(t, "a,b\n\"say \\\"no\\\"\",\\\"z\\|\n", &plain),
              S("[{\"a\":\"say \\\"no\\\"\",\"b\":\"\\\"z|\"}]"));
    CHECK_STR(parse(t, "a,b\n1,2\\\n3,4\\", &plain),
              S("[{\"a\":\"1\",\"b\":\"2\"},{\"a\":\"3\",\"b\":\"4\"}]"));
}

TEST(missing_fields_are_empty_and_those_without_a_header_left_out)
{
    CHECK_STR(parse(t, "a,b\n1,2,3\n4\n", &plain),
              S("[{\"a\":\"1\",\"b\":\"2\"},{\"a\":\"4\",\"b\":\"\"}]"));
}

TEST(many_quoted_fields_take_no_more_room_than_they_are)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct asl_values values;
    yyjson_mut_val *items = NULL;
    px_buf_init(&text, 1u << 20);
    px_buf_add_c(&text, "key\n");
    for (int i = 0; i < 20000; i++) px_buf_printf(&text, "\"p/%d\"\n", i);
    CHECK_OK(px_buf_fault(&text));
    CHECK_OK(asl_values_init(&values, &t->arena));
    CHECK_OK(asl_csv_parse(px_buf_str(&text), &plain, &values, &items));
    CHECK_INT(yyjson_mut_arr_size(items), 20000);
}

static int parse_header_of(struct test *t, size_t bytes, bool given)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct asl_values values;
    yyjson_mut_val *items = NULL;
    px_buf_init(&text, 1u << 20);
    px_buf_add_c(&text, "a,");
    while (text.len < bytes) px_buf_add_char(&text, 'x');
    const struct px_str headers[] = {S("a"), px_str_skip(px_buf_str(&text), 2)};
    const struct asl_csv_options options = {
        .delimiter = ',', .headers = given ? headers : NULL, .header_count = 2};
    CHECK_OK(asl_values_init(&values, &t->arena));
    if (given) return asl_csv_parse(S("1,2\n"), &options, &values, &items);
    px_buf_add_c(&text, "\r\n1,2\n");
    return asl_csv_parse(px_buf_str(&text), &options, &values, &items);
}

TEST(a_header_has_10_kib_at_most)
{
    for (int given = 0; given < 2; given++) {
        CHECK_OK(parse_header_of(t, ASL_CSV_HEADER_BYTES_MAX, given));
        CHECK_INT(parse_header_of(t, ASL_CSV_HEADER_BYTES_MAX + 1, given), ASL_CSV_HEADER_TOO_LONG);
    }
    PX_AUTO(px_buf_deinit) struct px_buf commas;
    struct asl_values values;
    yyjson_mut_val *items = NULL;
    px_buf_init(&commas, 1u << 20);
    while (commas.len < 20000) px_buf_add_char(&commas, ',');
    CHECK_OK(asl_values_init(&values, &t->arena));
    CHECK_INT(asl_csv_parse(px_buf_str(&commas), &plain, &values, &items), ASL_CSV_HEADER_TOO_LONG);
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
    CHECK_INT(asl_csv_parse(S(""), &plain, &values, &items), ASL_CSV_BAD);
    CHECK_INT(asl_csv_parse(S("a\n\"never ends"), &plain, &values, &items), ASL_CSV_BAD);
    CHECK(items == NULL);
}

TEST_MAIN
