/* Times as text. */
#include "support/support.h"

static int64_t parsed(const char *text)
{
    int64_t ns = -1;
    if (!px_time_parse(px_str_c(text), &ns)) TEST_FAIL("%s was refused", text);
    return ns;
}

TEST(rfc3339_in_its_variants)
{
    int64_t whole = INT64_C(1795444200) * PX_NS_PER_S;
    CHECK_INT(parsed("2026-11-23T14:30:00Z"), whole);
    CHECK_INT(parsed("2026-11-23T14:30:00.123456789Z"), whole + 123456789);
    CHECK_INT(parsed("2026-11-23t14:30:00.5z"), whole + 500000000);
    CHECK_INT(parsed("2026-11-23 15:30:00.12345678999+01:00"), whole + 123456789);
    CHECK_INT(parsed("2026-11-23T09:00:00-05:30"), whole);
    CHECK_INT(parsed("2026-11-23T14:30:00"), whole);
    CHECK_INT(parsed("2026-11-23"), whole - (14 * 3600 + 1800) * PX_NS_PER_S);
    CHECK_INT(parsed("2024-02-29"), INT64_C(1709164800) * PX_NS_PER_S);
    CHECK_INT(parsed("2016-12-31T23:59:60Z"), parsed("2017-01-01T00:00:00Z"));
    CHECK_INT(parsed("1969-12-31T23:59:59.999999999Z"), -1);
}

TEST(the_ends_of_int64_are_exact)
{
    CHECK_INT(parsed("2262-04-11T23:47:16.854775807Z"), INT64_MAX);
    CHECK_INT(parsed("1677-09-21T00:12:43.145224192Z"), INT64_MIN);
    int64_t ns = 5;
    CHECK(!px_time_parse(S("2262-04-11T23:47:16.854775808Z"), &ns));
    CHECK(!px_time_parse(S("1677-09-21T00:12:43.145224191Z"), &ns));
    CHECK(!px_time_parse(S("9999-12-31T23:59:59Z"), &ns) && !px_time_parse(S("0000-01-01"), &ns));
    CHECK_INT(ns, 5);
}

TEST(anything_else_is_refused)
{
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-11",
                                      "2026-13-01",
                                      "2026-00-01",
                                      "2026-02-29",
                                      "2100-02-29",
                                      "2026-11-31",
                                      "2026-11-23T",
                                      "2026-11-23T14:30",
                                      "2026-11-23T24:00:00Z",
                                      "2026-11-23T14:60:00Z",
                                      "2026-11-23T14:30:61Z",
                                      "2026-11-23T14:30:00.",
                                      "2026-11-23T14:30:00.Z",
                                      "2026-11-23T14:30:00ZZ",
                                      "2026-11-23T14:30:00+1:00",
                                      "2026-11-23T14:30:00+0100",
                                      "2026-11-23T14:30:00+24:00",
                                      "2026-11-23X14:30:00Z",
                                      " 2026-11-23",
                                      "2026-11-23 ",
                                      "2026-11-23Z",
                                      "+026-11-23",
                                      "2026/11/23",
                                      "1795444200"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        int64_t ns;
        if (px_time_parse(px_str_c(bad[i]), &ns)) TEST_FAIL("\"%s\" was taken", bad[i]);
    }
}

TEST(format_and_parse_are_inverse)
{
    char buf[31];
    int64_t at = INT64_MIN;
    for (int i = 0; i < 20000; i++) {
        int64_t back;
        struct px_str text = px_time_format(at, 9, buf);
        CHECK(px_time_parse(text, &back));
        CHECK_INT(back, at);
        at += INT64_MAX / 10001 + 12345;
    }
    CHECK_STR(px_time_format(0, 0, buf), S("1970-01-01T00:00:00Z"));
    CHECK_STR(px_time_format(-1, 9, buf), S("1969-12-31T23:59:59.999999999Z"));
    CHECK_STR(px_time_format(-1, 3, buf), S("1969-12-31T23:59:59.999Z"));
    CHECK_STR(px_time_format(INT64_C(1795444200123456789), 6, buf),
              S("2026-11-23T14:30:00.123456Z"));
}

TEST(the_system_clocks_run)
{
    int64_t wall = px_wall_ns(&px_clock_system), mono = px_mono_ns(&px_clock_system);
    CHECK(wall > INT64_C(1700000000) * PX_NS_PER_S);
    CHECK(px_mono_ns(&px_clock_system) >= mono);
}

TEST_MAIN
