/* svc/ingest/decode_time.c - see decode_time.h.
 *
 * The form that nearly every record has, 2026-11-23T14:30:00.123456Z, is read here without a call,
 * for all years; anything else is px_time_parse()'s business. */
#include "svc/ingest/decode_time.h"

#include <math.h>

#include "base/px_clock.h"

#define US_PER_S INT64_C(1000000)

/* Days since 1970-01-01 of a date of the Gregorian calendar; March is the first month of its year,
 * so that the leap day comes last. */
static int64_t day_number(unsigned year, unsigned month, unsigned day)
{
    unsigned y = month > 2 ? year + 400 : year + 399; /* one cycle later: nothing is negative */
    unsigned m = month > 2 ? month - 3 : month + 9;
    int64_t days = (int64_t)y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day;
    return days - 865566;
}

static unsigned month_days(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && is_leap ? 29 : days[month - 1];
}

/* Two digits; anything else gives 100 or more. */
static inline unsigned two(const char *at)
{
    unsigned high = (unsigned char)at[0] - (unsigned)'0',
             low = (unsigned char)at[1] - (unsigned)'0';
    return high > 9 || low > 9 ? 10000 : high * 10 + low;
}

/* YYYY-MM-DDTHH:MM:SS */
static bool read_seconds(const char *at, int64_t *ret_s)
{
    bool has_shape = at[4] == '-' && at[7] == '-' && (at[10] == 'T' || at[10] == ' ') &&
                     at[13] == ':' && at[16] == ':';
    unsigned year = two(at) * 100 + two(at + 2), month = two(at + 5), day = two(at + 8);
    unsigned hour = two(at + 11), minute = two(at + 14), second = two(at + 17);
    if (!has_shape || year > 9999 || month < 1 || month > 12 || day < 1) return false;
    if (day > month_days(year, month) || hour > 23 || minute > 59 || second > 60) return false;
    *ret_s = day_number(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

/* Behind the seconds: nothing or a point and 1 to 9 digits. */
static bool take_fraction(struct px_str *rest, unsigned *ret_ns)
{
    *ret_ns = 0;
    if (rest->len == 0 || rest->ptr[0] != '.') return true;
    unsigned unit = 100000000;
    size_t at = 1;
    for (; at < rest->len && at <= 9; at++, unit /= 10) {
        unsigned digit = (unsigned char)rest->ptr[at] - (unsigned)'0';
        if (digit > 9) break;
        *ret_ns += digit * unit;
    }
    *rest = px_str_skip(*rest, at);
    return at > 1;
}

/* Z or +hh:mm or -hh:mm and then the end. */
static bool take_zone(struct px_str rest, int64_t *ret_offset_s)
{
    *ret_offset_s = 0;
    if (rest.len == 1) return rest.ptr[0] == 'Z' || rest.ptr[0] == 'z';
    bool has_shape = rest.len == 6 && (rest.ptr[0] == '+' || rest.ptr[0] == '-') &&
                     rest.ptr[3] == ':' && two(rest.ptr + 1) < 24 && two(rest.ptr + 4) < 60;
    if (!has_shape) return false;
    *ret_offset_s = (int64_t)two(rest.ptr + 1) * 3600 + two(rest.ptr + 4) * 60;
    if (rest.ptr[0] == '-') *ret_offset_s = -*ret_offset_s;
    return true;
}

static bool read_common_form(struct px_str text, struct decode_time *ret_time)
{
    int64_t seconds, offset_s;
    unsigned ns;
    if (text.len < 20 || !read_seconds(text.ptr, &seconds)) return false;
    struct px_str rest = px_str_skip(text, 19);
    if (!take_fraction(&rest, &ns) || !take_zone(rest, &offset_s)) return false;
    seconds -= offset_s;
    struct decode_time time = {.us = seconds * US_PER_S + ns / 1000};
    if (ns % 1000 != 0) {
        time.has_ns = !__builtin_mul_overflow(seconds, PX_NS_PER_S, &time.ns) &&
                      !__builtin_add_overflow(time.ns, (int64_t)ns, &time.ns);
    }
    *ret_time = time;
    return true;
}

static void of_ns(int64_t ns, struct decode_time *ret_time)
{
    int64_t rest = ns % 1000;
    ret_time->us = ns / 1000 - (rest < 0 ? 1 : 0);
    ret_time->has_ns = rest != 0;
    ret_time->ns = ns;
}

bool decode_time_text(struct px_str text, struct decode_time *ret_time)
{
    if (__builtin_expect(read_common_form(text, ret_time), 1)) return true;
    int64_t number;
    if (px_str_to_i64(text, &number)) {
        decode_time_int(number, ret_time);
        return true;
    }
    if (!px_time_parse(text, &number)) return false;
    of_ns(number, ret_time);
    return true;
}

void decode_time_int(int64_t value, struct decode_time *ret_time)
{
    uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
    *ret_time = (struct decode_time){0};
    if (size < UINT64_C(100000000000))
        ret_time->us = value * US_PER_S;
    else if (size < UINT64_C(100000000000000))
        ret_time->us = value * 1000;
    else if (size < UINT64_C(100000000000000000))
        ret_time->us = value;
    else
        of_ns(value, ret_time);
}

bool decode_time_double(double value, struct decode_time *ret_time)
{
    double size = fabs(value);
    if (!(size < 0x1p63)) return false;
    double unit = size < 1e11 ? 1e6 : size < 1e14 ? 1e3 : size < 1e17 ? 1 : 1e-3;
    *ret_time = (struct decode_time){.us = (int64_t)llround(value * unit)};
    return true;
}
