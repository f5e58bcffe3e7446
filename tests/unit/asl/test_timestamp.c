/* RFC 3339 as the States Language narrows it. */
#include "support/support.h"

#include "asl/timestamp.h"

TEST(a_timestamp_is_a_point_in_time)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.000000001Z", 1},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1969-12-31T23:59:59.5Z", -500000000},
        {"2016-08-18T17:33:00Z", 1471541580000000000},
        {"2016-08-18T17:33:00.123456789Z", 1471541580123456789},
        {"2016-08-18T17:33:00.1234567899999999999999Z", 1471541580123456789},
        {"2016-08-18T12:33:00-05:00", 1471541580000000000},
        {"2024-02-29T00:00:00Z", 1709164800000000000},
        {"2016-08-18T17:33:00-00:00", 1471541580000000000},
        {"9999-12-31T23:59:59Z", INT64_MAX},
        {"0001-01-01T00:00:00Z", INT64_MIN},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        int64_t ns = 1;
        if (!asl_timestamp_parse(px_str_c(cases[i].text), &ns)) TEST_FAIL("%s", cases[i].text);
        CHECK_INT(ns, cases[i].ns);
    }
}

TEST(far_timestamps_still_differ)
{
    struct asl_timestamp a, b;
    CHECK(asl_timestamp_read(S("9999-12-31T23:59:58Z"), &a));
    CHECK(asl_timestamp_read(S("9999-12-31T23:59:59.25Z"), &b));
    CHECK_INT(b.s - a.s, 1);
    CHECK_INT(b.ns, 250000000);
}

TEST(what_is_no_timestamp_is_refused)
{
    static const char *const bad[] = {
        "",
        "2016-08-18",
        "2016-08-18T17:33:00",
        "2016-08-18 17:33:00Z",
        "2016-08-18t17:33:00Z",
        "2016-08-18T17:33:00z",
        "2016-8-18T17:33:00Z",
        "2016-13-18T17:33:00Z",
        "2016-00-18T17:33:00Z",
        "2016-08-00T17:33:00Z",
        "2016-08-32T17:33:00Z",
        "2023-02-29T17:33:00Z",
        "1900-02-29T17:33:00Z",
        "2016-08-18T24:00:00Z",
        "2016-08-18T17:60:00Z",
        "2016-08-18T17:33:60Z",
        "2016-08-18T17:33:00.Z",
        "2016-08-18T17:33:00,5Z",
        "2016-08-18T17:33:00+1:00",
        "2016-08-18T17:33:00+0100",
        "2016-08-18T17:33:00+18:01",
        "2016-08-18T17:33:00+01:60",
        "2016-08-18T17:33:00ZZ",
        "2016-08-18T17:33:00Z ",
        " 2016-08-18T17:33:00Z",
        "+016-08-18T17:33:00Z",
        "18-08-2016T17:33:00Z",
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        int64_t ns;
        char *exact = malloc(strlen(bad[i]) +
                             !bad[i][0]); /* AddressSanitizer sees a read behind it */
        memcpy(exact, bad[i], strlen(bad[i]));
        if (asl_timestamp_parse(px_str(exact, strlen(bad[i])), &ns)) TEST_FAIL("took %s", bad[i]);
        free(exact);
    }
}

TEST(formatting_gives_milliseconds_of_utc)
{
    char buf[31];
    CHECK_STR(asl_timestamp_format(0, buf), S("1970-01-01T00:00:00.000Z"));
    CHECK_STR(asl_timestamp_format(-1, buf), S("1969-12-31T23:59:59.999Z"));
    CHECK_STR(asl_timestamp_format(1471541580123, buf), S("2016-08-18T17:33:00.123Z"));
    int64_t ns;
    CHECK(asl_timestamp_parse(asl_timestamp_format(1709164800007, buf), &ns));
    CHECK_INT(ns, 1709164800007000000);
}

TEST_MAIN
