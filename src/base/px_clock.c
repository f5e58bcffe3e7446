/* base/px_clock.c - the machine's clocks, and RFC 3339 with nanoseconds (aws-c-common's dates end at
 * milliseconds). Day numbers follow Howard Hinnant's "chrono-compatible low-level date algorithms". */
#include "base/px_clock.h"

#include <time.h>

static int64_t clock_ns(clockid_t id)
{
    struct timespec now;
    int result = clock_gettime(id, &now);
    PX_ASSERT(result == 0);
    return (int64_t)now.tv_sec * PX_NS_PER_S + now.tv_nsec;
}
static int64_t system_wall_ns(void *ctx)
{
    (void)ctx;
    return clock_ns(CLOCK_REALTIME);
}
static int64_t system_mono_ns(void *ctx)
{
    (void)ctx;
    return clock_ns(CLOCK_MONOTONIC);
}
const struct px_clock px_clock_system = {system_wall_ns, system_mono_ns, NULL};

/* ---- the calendar ---- */

static int64_t day_of_date(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static void date_of_day(int64_t day_no, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    day_no += 719468;
    int64_t era = (day_no >= 0 ? day_no : day_no - 146096) / 146097;
    unsigned doe = (unsigned)(day_no - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    *ret_day = doy - (153 * mp + 2) / 5 + 1;
    *ret_month = mp < 10 ? mp + 3 : mp - 9;
    *ret_year = (unsigned)(era * 400 + yoe + (*ret_month <= 2));
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* ---- reading ---- */

/* Exactly n digits off the front of *rest. */
static bool take_digits(struct px_str *rest, size_t n, unsigned *ret_value)
{
    if (rest->len < n) return false;
    uint64_t value;
    if (!px_str_to_u64(px_str(rest->ptr, n), &value)) return false;
    *ret_value = (unsigned)value;
    *rest = px_str_skip(*rest, n);
    return true;
}
static bool take_char(struct px_str *rest, char c)
{
    if (rest->len == 0 || rest->ptr[0] != c) return false;
    *rest = px_str_skip(*rest, 1);
    return true;
}

static bool take_date(struct px_str *rest, int64_t *ret_day_no)
{
    unsigned year, month, day;
    if (!take_digits(rest, 4, &year) || !take_char(rest, '-')) return false;
    if (!take_digits(rest, 2, &month) || !take_char(rest, '-')) return false;
    if (!take_digits(rest, 2, &day)) return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return false;
    *ret_day_no = day_of_date(year, month, day);
    return true;
}

/* Second 60 is a leap second; as on POSIX clocks it is the same as the next minute's second 0. */
static bool take_time(struct px_str *rest, int64_t *ret_second)
{
    unsigned hour, minute, second;
    if (!take_digits(rest, 2, &hour) || !take_char(rest, ':')) return false;
    if (!take_digits(rest, 2, &minute) || !take_char(rest, ':')) return false;
    if (!take_digits(rest, 2, &second)) return false;
    if (hour > 23 || minute > 59 || second > 60) return false;
    *ret_second = (int64_t)hour * 3600 + minute * 60 + second;
    return true;
}

/* Nothing, or a point and digits, of which those behind the ninth are cut off. */
static bool take_fraction(struct px_str *rest, int64_t *ret_ns)
{
    *ret_ns = 0;
    if (!take_char(rest, '.')) return true;
    int64_t unit = PX_NS_PER_S / 10;
    size_t digits = 0;
    while (rest->len > 0 && rest->ptr[0] >= '0' && rest->ptr[0] <= '9') {
        *ret_ns += unit * (rest->ptr[0] - '0');
        unit /= 10;
        digits++;
        *rest = px_str_skip(*rest, 1);
    }
    return digits > 0;
}

/* Z, an offset, or nothing, which means UTC. */
static bool take_zone(struct px_str *rest, int64_t *ret_offset_s)
{
    *ret_offset_s = 0;
    if (rest->len == 0 || take_char(rest, 'Z') || take_char(rest, 'z')) return true;
    bool west = take_char(rest, '-');
    if (!west && !take_char(rest, '+')) return false;
    unsigned hours, minutes;
    if (!take_digits(rest, 2, &hours) || !take_char(rest, ':')) return false;
    if (!take_digits(rest, 2, &minutes) || hours > 23 || minutes > 59) return false;
    int64_t offset_s = (int64_t)hours * 3600 + minutes * 60;
    *ret_offset_s = west ? -offset_s : offset_s;
    return true;
}

/* False outside 1677-09-21 to 2262-04-11, the range of int64_t. A time before 1970 counts its
 * fraction upwards from a negative second, so the product alone may lie just outside. */
static bool ns_of_seconds(int64_t seconds, int64_t fraction_ns, int64_t *ret_ns)
{
    if (seconds < 0 && fraction_ns > 0) {
        seconds += 1;
        fraction_ns -= PX_NS_PER_S;
    }
    int64_t ns;
    if (__builtin_mul_overflow(seconds, PX_NS_PER_S, &ns)) return false;
    if (__builtin_add_overflow(ns, fraction_ns, &ns)) return false;
    *ret_ns = ns;
    return true;
}

bool px_time_parse(struct px_str text, int64_t *ret_wall_ns)
{
    int64_t day_no, second = 0, fraction_ns = 0, offset_s = 0;
    if (!take_date(&text, &day_no)) return false;
    if (text.len > 0) {
        if (!take_char(&text, 'T') && !take_char(&text, 't') && !take_char(&text, ' '))
            return false;
        if (!take_time(&text, &second) || !take_fraction(&text, &fraction_ns)) return false;
        if (!take_zone(&text, &offset_s) || text.len > 0) return false;
    }
    return ns_of_seconds(day_no * 86400 + second - offset_s, fraction_ns, ret_wall_ns);
}

/* ---- writing ---- */

static char *put_digits(char *at, uint64_t value, int n)
{
    for (int i = n - 1; i >= 0; i--, value /= 10) at[i] = (char)('0' + value % 10);
    return at + n;
}
static char *put_char(char *at, char c)
{
    *at = c;
    return at + 1;
}

struct px_str px_time_format(int64_t wall_ns, int digits, char *buf)
{
    PX_ASSERT(digits == 0 || digits == 3 || digits == 6 || digits == 9);
    int64_t seconds = wall_ns / PX_NS_PER_S, fraction_ns = wall_ns % PX_NS_PER_S;
    if (fraction_ns < 0) fraction_ns += PX_NS_PER_S, seconds--;
    int64_t day_no = seconds / 86400, second = seconds % 86400;
    if (second < 0) second += 86400, day_no--;

    unsigned year, month, day;
    date_of_day(day_no, &year, &month, &day);
    char *at = put_char(put_digits(buf, year, 4), '-');
    at = put_char(put_digits(at, month, 2), '-');
    at = put_char(put_digits(at, day, 2), 'T');
    at = put_char(put_digits(at, (uint64_t)second / 3600, 2), ':');
    at = put_char(put_digits(at, (uint64_t)second / 60 % 60, 2), ':');
    at = put_digits(at, (uint64_t)second % 60, 2);
    if (digits > 0) {
        for (int i = digits; i < 9; i++) fraction_ns /= 10;
        at = put_digits(put_char(at, '.'), (uint64_t)fraction_ns, digits);
    }
    at = put_char(at, 'Z');
    *at = '\0';
    return px_str(buf, (size_t)(at - buf));
}
