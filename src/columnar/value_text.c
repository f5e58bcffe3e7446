/* columnar/value_text.c - see value_text.h. */
#include "columnar/value_text.h"

#include <math.h>
#include <yyjson.h>

#include "base/px_clock.h"

void text_add_int(struct px_buf *buf, int64_t value)
{
    char text[20], *at = text + sizeof text;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) *--at = '-';
    px_buf_add(buf, at, (size_t)(text + sizeof text - at));
}

/* yyjson writes the shortest text that reads back the same. */
static void add_finite(struct px_buf *buf, double value)
{
    char memory[512];
    yyjson_alc alc;
    bool have_memory = yyjson_alc_pool_init(&alc, memory, sizeof memory);
    yyjson_val val = {.tag = YYJSON_TYPE_NUM | YYJSON_SUBTYPE_REAL, .uni.f64 = value};
    size_t len = 0;
    char *text = yyjson_val_write_opts(&val, YYJSON_WRITE_NOFLAG, &alc, &len, NULL);
    PX_ASSERT(have_memory && text);
    px_buf_add(buf, text, len);
}

static const char *name_of_not_finite(double value)
{
    return isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

void text_add_double(struct px_buf *buf, double value)
{
    if (isfinite(value))
        add_finite(buf, value);
    else
        px_buf_add_c(buf, name_of_not_finite(value));
}

void json_add_double(struct px_buf *buf, double value)
{
    if (isfinite(value))
        add_finite(buf, value);
    else
        px_buf_printf(buf, "\"%s\"", name_of_not_finite(value));
}

/* Empty when nanoseconds do not reach that far. */
static struct px_str format_time(int64_t unix_us, char text[31])
{
    int64_t ns;
    if (__builtin_mul_overflow(unix_us, PX_NS_PER_US, &ns)) return px_str(NULL, 0);
    return px_time_format(ns, 6, text);
}

void text_add_time(struct px_buf *buf, int64_t unix_us)
{
    char memory[31];
    struct px_str text = format_time(unix_us, memory);
    if (text.len)
        px_buf_add_str(buf, text);
    else
        text_add_int(buf, unix_us);
}

void json_add_time(struct px_buf *buf, int64_t unix_us)
{
    char memory[31];
    struct px_str text = format_time(unix_us, memory);
    if (text.len)
        px_buf_printf(buf, "\"%.*s\"", PX_FMT(text));
    else
        text_add_int(buf, unix_us);
}
