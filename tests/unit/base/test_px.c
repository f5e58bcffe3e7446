/* Views, numbers, identifiers and assertions. */
#include "support/support.h"

#include "base/px_id.h"

#include <signal.h>
#include <sys/wait.h>

TEST(order_is_that_of_memcmp_with_the_shorter_first)
{
    CHECK(px_str_cmp(S("a"), S("b")) < 0);
    CHECK(px_str_cmp(S("ab"), S("a")) > 0);
    CHECK(px_str_cmp(S("a\xff"), S("ab")) > 0);
    CHECK_INT(px_str_cmp(S(""), (struct px_str){0}), 0);
}

TEST(header_names_compare_without_case)
{
    CHECK(px_str_ieq(S("Content-Type"), S("content-TYPE")));
    CHECK(!px_str_ieq(S("a["), S("a{"))); /* differ by the case bit only, but are no letters */
    CHECK(!px_str_ieq(S("ab"), S("abc")));
}

TEST(trim_takes_white_space_off_both_ends)
{
    CHECK_STR(px_str_trim(S(" \t\r\n a b \n")), S("a b"));
    CHECK_STR(px_str_trim(S(" \n ")), S(""));
    CHECK_STR(px_str_trim((struct px_str){0}), S(""));
}

TEST(cut_splits_at_the_first_separator)
{
    struct px_str rest = S("a,b,,c"), head;
    CHECK(px_str_cut(&rest, ',', &head));
    CHECK_STR(head, S("a"));
    CHECK(px_str_cut(&rest, ',', &head));
    CHECK(px_str_cut(&rest, ',', &head));
    CHECK_STR(head, S(""));
    CHECK(!px_str_cut(&rest, ',', &head));
    CHECK_STR(head, S("c"));
    CHECK_INT(rest.len, 0);
    CHECK(!px_str_cut(&rest, ',', &head));
    CHECK_INT(head.len, 0);
}

TEST(numbers_are_the_whole_text_and_fit)
{
    int64_t i = 7;
    uint64_t u = 7;
    CHECK(px_str_to_i64(S("-9223372036854775808"), &i) && i == INT64_MIN);
    CHECK(px_str_to_i64(S("9223372036854775807"), &i) && i == INT64_MAX);
    CHECK(!px_str_to_i64(S("9223372036854775808"), &i));
    CHECK(!px_str_to_i64(S("-9223372036854775809"), &i));
    CHECK(px_str_to_u64(S("18446744073709551615"), &u) && u == UINT64_MAX);
    u = 7;
    CHECK(!px_str_to_u64(S("18446744073709551616"), &u));
    CHECK(!px_str_to_u64(S("99999999999999999999"), &u));
    CHECK(!px_str_to_u64(S(""), &u) && !px_str_to_u64(S("-1"), &u) && !px_str_to_u64(S("1 "), &u));
    CHECK(!px_str_to_i64(S("-"), &i) && !px_str_to_i64(S("+1"), &i) &&
          !px_str_to_i64(S("--1"), &i));
    CHECK_INT(u, 7);
}

TEST(hex_comes_back_and_nothing_else_does)
{
    char hex[9];
    unsigned char raw[4] = {0};
    px_hex("\x00\xab\xff\x10", 4, hex);
    CHECK_STR(px_str_c(hex), S("00abff10"));
    CHECK(px_unhex(S("00ABff10"), raw, 4) && memcmp(raw, "\x00\xab\xff\x10", 4) == 0);
    CHECK(!px_unhex(S("00abff1"), raw, 4) && !px_unhex(S("00abff1g"), raw, 4));
    CHECK(!px_unhex(S("00abff1000"), raw, 4));
}

TEST(uuid7_sorts_by_time_and_has_its_version_and_variant)
{
    char before[37] = "";
    for (int64_t at = 0; at < 2000; at++) {
        char now[37];
        px_uuid7(INT64_C(1767323045) * PX_NS_PER_S + at * 1000, now); /* a microsecond apart */
        CHECK_INT(strlen(now), 36);
        CHECK(now[8] == '-' && now[14] == '7' && strchr("89ab", now[19]));
        CHECK(strcmp(before, now) < 0);
        memcpy(before, now, sizeof now);
    }
    CHECK_STR(px_str(before, 15), S("019b7ca9-8c89-7")); /* the last is in the second millisecond */
}

TEST(secrets_compare_by_content)
{
    CHECK(px_secret_eq(S("abc"), S("abc")) && !px_secret_eq(S("abc"), S("abd")));
    CHECK(!px_secret_eq(S("abc"), S("ab")) && px_secret_eq(S(""), S("")));
}

TEST(a_stock_of_random_bytes_gives_none_twice)
{
    struct px_random_stock stock = {0};
    uint64_t seen[300]; /* more than one filling */
    for (size_t i = 0; i < PX_COUNT(seen); i++) {
        px_random_from(&stock, &seen[i], sizeof seen[i]);
        for (size_t j = 0; j < i; j++) CHECK(seen[i] != seen[j]);
    }
    unsigned char large[sizeof stock.bytes + 1] = {0}, none[sizeof large] = {0};
    size_t left = stock.left;
    px_random_from(&stock, large, sizeof large);
    CHECK(memcmp(large + sizeof large - 64, none, 64) != 0);
    CHECK_INT(stock.left, left);
    char one[37], other[37];
    px_uuid7_from(&stock, PX_NS_PER_S, one);
    px_uuid7_from(&stock, PX_NS_PER_S, other);
    CHECK_INT(strlen(one), 36);
    CHECK(memcmp(one, other, 15) == 0 && strcmp(one, other) != 0);
}

TEST(random_bytes_differ) { CHECK(px_random_u64() != px_random_u64()); }

static int *take_example(void)
{
    PX_AUTO(px_free_mem) int *owned = malloc(sizeof *owned);
    CHECK(owned);
    *owned = 42;
    return PX_TAKE(owned);
}
TEST(take_moves_ownership_past_the_automatic_ender)
{
    PX_AUTO(px_free_mem) int *mine = take_example();
    CHECK_INT(*mine, 42);
    px_free_mem(&mine);
    CHECK(!mine); /* and the automatic call now finds it empty */
}

TEST(a_failed_assertion_aborts)
{
    pid_t child = fork();
    if (child == 0) {
        (void)!freopen("/dev/null", "w", stderr);
        signal(SIGABRT, SIG_DFL);
        PX_ASSERT(1 == 2);
        _exit(0);
    }
    int status = 0;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

TEST_MAIN
