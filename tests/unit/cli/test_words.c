/* "did you mean", numbers for people, tables. */
#include "support/support.h"

#include "base/px_words.h"
#include "cli/cli.h"
#include "cli/glyph.h"
#include "cli/progress.h"
#include "cli/table.h"

TEST(distance_counts_edits_and_swaps)
{
    CHECK_INT(px_words_distance(S("status"), S("status")), 0);
    CHECK_INT(px_words_distance(S("stauts"), S("status")), 1);
    CHECK_INT(px_words_distance(S("statu"), S("status")), 1);
    CHECK_INT(px_words_distance(S("sstatus"), S("status")), 1);
    CHECK_INT(px_words_distance(S(""), S("up")), 2);
    CHECK_INT(px_words_distance(S("query"), S("tail")), 5);
    char longer[100];
    memset(longer, 'x', sizeof longer);
    CHECK(px_words_distance(px_str(longer, sizeof longer), S("up")) > 30);
}

TEST(the_nearest_word_is_named_and_a_far_one_is_not)
{
    const char *const verbs[] = {"up", "down", "status", "send", "query", "tenant", "key"};
    CHECK_STR(px_str_c(px_words_nearest(S("stats"), verbs, PX_COUNT(verbs))), S("status"));
    CHECK_STR(px_str_c(px_words_nearest(S("qurey"), verbs, PX_COUNT(verbs))), S("query"));
    CHECK_STR(px_str_c(px_words_nearest(S("tenants"), verbs, PX_COUNT(verbs))), S("tenant"));
    CHECK_STR(px_str_c(px_words_nearest(S("stat"), verbs, PX_COUNT(verbs))), S("status"));
    CHECK(!px_words_nearest(S("deploy"), verbs, PX_COUNT(verbs)));
    CHECK(!px_words_nearest(S("zz"), verbs, PX_COUNT(verbs)));
    CHECK(!px_words_nearest(S(""), verbs, 0));
}

TEST(numbers_are_written_for_people)
{
    char buf[32];
    CHECK_STR(px_str_c(cli_count(0, buf)), S("0"));
    CHECK_STR(px_str_c(cli_count(999, buf)), S("999"));
    CHECK_STR(px_str_c(cli_count(1000, buf)), S("1,000"));
    CHECK_STR(px_str_c(cli_count(1234567, buf)), S("1,234,567"));
    CHECK_STR(px_str_c(cli_count(UINT64_MAX, buf)), S("18,446,744,073,709,551,615"));
    CHECK_STR(px_str_c(cli_bytes(0, buf)), S("0 B"));
    CHECK_STR(px_str_c(cli_bytes(999, buf)), S("999 B"));
    CHECK_STR(px_str_c(cli_bytes(1400, buf)), S("1.4 kB"));
    CHECK_STR(px_str_c(cli_bytes(999999, buf)), S("1.0 MB"));
    CHECK_STR(px_str_c(cli_bytes(330000000, buf)), S("330 MB"));
}

/* What a table prints. */
static struct px_str printed(struct test *t, struct table *table, size_t width)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    CHECK(to);
    table_print(table, width, to);
    (void)fclose(to);
    struct px_str copy = px_arena_dup(&t->arena, px_str(text, bytes));
    free(text);
    return copy;
}

static struct table table_of(struct test *t, const char *const *cells, size_t rows)
{
    static const char *const names[] = {"NAME", ">N", "NOTE", NULL};
    struct table table;
    CHECK_OK(table_init(&table, &t->arena, names));
    for (size_t r = 0; r < rows; r++) {
        struct px_str *row = table_row(&table);
        CHECK(row);
        for (size_t c = 0; c < 3; c++) row[c] = px_str_c(cells[r * 3 + c]);
    }
    return table;
}

TEST(columns_are_aligned_and_lines_have_no_trailing_spaces)
{
    const char *const cells[] = {"a", "5", "first", "longer", "1000", "", "", "", "last"};
    struct table table = table_of(t, cells, 3);
    CHECK_STR(printed(t, &table, 0), S("NAME       N  NOTE\n"
                                       "a          5  first\n"
                                       "longer  1000\n"
                                       "              last\n"));
}

TEST(a_narrow_terminal_cuts_the_widest_column)
{
    const char *const cells[] = {"a", "5", "a long note that does not fit"};
    struct table table = table_of(t, cells, 1);
    CHECK_STR(printed(t, &table, 20), S("NAME  N  NOTE\n"
                                        "a     5  a long not\xe2\x80\xa6\n"));
}

TEST(widths_are_columns_not_bytes)
{
    CHECK_INT(glyph_width(S("abc")), 3);
    CHECK_INT(glyph_width(S("\xc3\xa4\xc3\xb6")), 2);         /* two letters of two bytes */
    CHECK_INT(glyph_width(S("\xe6\x97\xa5\xe6\x9c\xac")), 4); /* two wide characters */
    CHECK_INT(glyph_width(S("e\xcc\x81")), 1);                /* a letter and a combining mark */
    CHECK_INT(glyph_width(S("\xff\xfe")), 8);                 /* no UTF-8: written out */
    const char *const cells[] = {"\xe6\x97\xa5", "1", "x", "ab", "2", "y"};
    struct table table = table_of(t, cells, 2);
    CHECK_STR(printed(t, &table, 0), S("NAME  N  NOTE\n"
                                       "\xe6\x97\xa5    1  x\n"
                                       "ab    2  y\n"));
}

TEST(control_characters_do_not_reach_the_terminal)
{
    const char *const cells[] = {"\033[2J", "1", "a\nb\tc\x7f"};
    struct table table = table_of(t, cells, 1);
    struct px_str text = printed(t, &table, 0);
    CHECK(!memchr(text.ptr, '\033', text.len));
    CHECK(memmem(text.ptr, text.len, "a\\nb\\tc\\x7f", 11));
}

/* What glyph_add() makes of a text. */
static struct px_str shown(struct test *t, struct px_str text, bool keep_lines)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1000);
    glyph_add(&buf, text, keep_lines);
    return px_arena_dup(&t->arena, px_buf_str(&buf));
}

TEST(what_a_terminal_would_act_on_is_written_out)
{
    CHECK_STR(shown(t, S("plain \xc3\xa4\xe6\x97\xa5"), false), S("plain \xc3\xa4\xe6\x97\xa5"));
    CHECK_STR(shown(t, S("a\nb\r"), false), S("a\\nb\\r"));
    CHECK_STR(shown(t, S("a\nb\r"), true), S("a\nb\\r"));
    CHECK_STR(shown(t, S("\033]0;x\007"), false), S("\\x1b]0;x\\x07"));
    CHECK_STR(shown(t, S("\xc2\x9b[31m"), false), S("\\u{9b}[31m")); /* CSI of C1 */
    CHECK_STR(shown(t, S("\x9b\xff"), false), S("\\x9b\\xff"));
    CHECK_STR(shown(t, S("\xe2\x80\xae"), false), S("\\u{202e}")); /* right to left from here */
    CHECK_STR(shown(t, S("\xe0\x80\x9b"), false), S("\\xe0\\x80\\x9b")); /* overlong */
    CHECK_STR(shown(t, S("\xed\xa0\x80"), false), S("\\xed\\xa0\\x80")); /* a surrogate */
    CHECK_STR(shown(t, S("\xe6\x97"), false), S("\\xe6\\x97"));          /* cut off */
}

TEST(a_cell_shows_a_value)
{
    yyjson_val *root = NULL;
    CHECK_OK(px_json_parse(S("[null,\"x\",1.5,{\"a\":[1]},true]"), &t->arena, &root, NULL));
    CHECK_STR(table_cell(&t->arena, yyjson_arr_get(root, 0)), S(""));
    CHECK_STR(table_cell(&t->arena, yyjson_arr_get(root, 1)), S("x"));
    CHECK_STR(table_cell(&t->arena, yyjson_arr_get(root, 2)), S("1.5"));
    CHECK_STR(table_cell(&t->arena, yyjson_arr_get(root, 3)), S("{\"a\":[1]}"));
    CHECK_STR(table_cell(&t->arena, yyjson_arr_get(root, 4)), S("true"));
}

TEST(progress_tells_share_rate_and_time_left)
{
    char line[200];
    struct progress progress;
    progress_init(&progress, NULL, 1000000);
    progress_line(&progress, 250000, 5000, 2.0, line, sizeof line);
    CHECK(strstr(line, " 25%"));
    CHECK(strstr(line, "5,000 records"));
    CHECK(strstr(line, "2,500/s"));
    CHECK(strstr(line, "6 s left"));
    progress_line(&progress, 0, 0, 0, line, sizeof line);
    CHECK(strstr(line, "? left"));
    progress_line(&progress, 2000000, 1, 1, line, sizeof line); /* the file grew */
    CHECK(strstr(line, "100%"));
    progress_init(&progress, NULL, 0);
    progress_line(&progress, 250000, 5000, 2.0, line, sizeof line);
    CHECK(!strstr(line, "left"));
}

TEST_MAIN
