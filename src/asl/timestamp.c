/* asl/timestamp.c - fixed places, so no scanning: 2016-08-18T17:33:00.5+02:00. */
#include "asl/timestamp.h"

#include <stdio.h>
#include <time.h>

#define NS_PER_S 1000000000

static bool digits(const char *at, size_t n, int max, int *ret_value)
{
    int value = 0;
    for (size_t i = 0; i < n; i++) {
        if (at[i] < '0' || at[i] > '9') return false;
        value = value * 10 + (at[i] - '0');
    }
    *ret_value = value;
    return value <= max;
}

static bool day_is_in_month(const struct tm *tm)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = tm->tm_year + 1900;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return tm->tm_mday <= days[tm->tm_mon] + (tm->tm_mon == 1 && leap ? 1 : 0);
}

/* "2016-08-18T17:33:00" */
static bool date_time(const char *at, struct tm *tm)
{
    bool fine = digits(at, 4, 9999, &tm->tm_year) && at[4] == '-' &&
                digits(at + 5, 2, 12, &tm->tm_mon) && at[7] == '-' &&
                digits(at + 8, 2, 31, &tm->tm_mday) && at[10] == 'T' &&
                digits(at + 11, 2, 23, &tm->tm_hour) && at[13] == ':' &&
                digits(at + 14, 2, 59, &tm->tm_min) && at[16] == ':' &&
                digits(at + 17, 2, 59, &tm->tm_sec);
    if (!fine || tm->tm_mon == 0 || tm->tm_mday == 0) return false;
    tm->tm_year -= 1900;
    tm->tm_mon -= 1;
    return day_is_in_month(tm);
}

/* ".123": any number of digits, nanoseconds count. */
static bool fraction(struct px_str *rest, int32_t *ret_ns)
{
    *ret_ns = 0;
    if (rest->len == 0 || rest->ptr[0] != '.') return true;
    int32_t unit = NS_PER_S / 10;
    size_t i = 1;
    for (; i < rest->len && rest->ptr[i] >= '0' && rest->ptr[i] <= '9'; i++, unit /= 10)
        *ret_ns += (rest->ptr[i] - '0') * unit;
    *rest = px_str_skip(*rest, i);
    return i > 1;
}

/* "Z" or "+02:00": seconds east of UTC. */
static bool zone(struct px_str text, int *ret_east_s)
{
    *ret_east_s = 0;
    if (text.len == 1) return text.ptr[0] == 'Z';
    int hours, minutes;
    if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-') || text.ptr[3] != ':')
        return false;
    if (!digits(text.ptr + 1, 2, 18, &hours) || !digits(text.ptr + 4, 2, 59, &minutes))
        return false;
    *ret_east_s = (hours * 60 + minutes) * 60 * (text.ptr[0] == '-' ? -1 : 1);
    return hours * 60 + minutes <=
           18 * 60; /* ISO 8601 as Java reads it; a day has no further zones */
}

bool asl_timestamp_read(struct px_str text, struct asl_timestamp *ret_timestamp)
{
    struct tm tm = {0};
    int32_t ns;
    int east_s;
    if (text.len < sizeof "2016-08-18T17:33:00Z" - 1 || !date_time(text.ptr, &tm)) return false;
    struct px_str rest = px_str_skip(text, 19);
    if (!fraction(&rest, &ns) || !zone(rest, &east_s)) return false;
    *ret_timestamp = (struct asl_timestamp){(int64_t)timegm(&tm) - east_s, ns};
    return true;
}

bool asl_timestamp_parse(struct px_str text, int64_t *ret_wall_ns)
{
    struct asl_timestamp timestamp;
    if (!asl_timestamp_read(text, &timestamp)) return false;
    int64_t ns;
    if (__builtin_mul_overflow(timestamp.s, NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, timestamp.ns, &ns))
        ns = timestamp.s < 0 ? INT64_MIN : INT64_MAX;
    *ret_wall_ns = ns;
    return true;
}

struct px_str asl_timestamp_format(int64_t wall_ms, char *buf)
{
    int64_t s = wall_ms / 1000, ms = wall_ms % 1000;
    if (ms < 0) {
        s--;
        ms += 1000;
    }
    struct tm tm;
    time_t at = (time_t)s;
    gmtime_r(&at, &tm);
    int n = snprintf(buf, 31, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                     tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)ms);
    return px_str(buf, n < 31 ? (size_t)n : 30);
}
