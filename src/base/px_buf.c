/* base/px_buf.c - a growable byte buffer with a ceiling. Its JSON text lives in px_buf_text.c. */
#include "base/px_buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CAP_BYTES_MIN 256u

void px_buf_init(struct px_buf *buf, size_t limit_bytes)
{
    *buf = (struct px_buf){.limit_bytes = limit_bytes};
}

void px_buf_deinit(struct px_buf *buf)
{
    free(buf->ptr);
    px_buf_init(buf, buf->limit_bytes);
}

void px_buf_deinit_wiped(struct px_buf *buf)
{
    if (buf->cap > 0) explicit_bzero(buf->ptr, buf->cap);
    px_buf_deinit(buf);
}

static bool buf_grow(struct px_buf *buf, size_t need)
{
    size_t doubled = PX_MAX(PX_MIN(buf->cap, SIZE_MAX / 2) * 2, (size_t)CAP_BYTES_MIN);
    size_t cap = PX_MIN(PX_MAX(doubled, need), buf->limit_bytes);
    char *ptr = realloc(buf->ptr, PX_MAX(cap, (size_t)1)); /* room for nothing is a pointer too */
    if (!ptr) {
        buf->fault = px_fault(PX_F_OOM, "a buffer could not grow to %zu bytes", cap);
        return false;
    }
    buf->ptr = ptr;
    buf->cap = cap;
    return true;
}

char *px_buf_reserve(struct px_buf *buf, size_t more)
{
    if (buf->fault) return NULL;
    if (more <= buf->cap - buf->len && buf->ptr) return buf->ptr + buf->len;
    if (buf->len > buf->limit_bytes || more > buf->limit_bytes - buf->len) {
        buf->fault = px_fault(PX_F_LIMIT, "a buffer reached its ceiling of %zu bytes",
                              buf->limit_bytes);
        return NULL;
    }
    return buf_grow(buf, buf->len + more) ? buf->ptr + buf->len : NULL;
}

void px_buf_add(struct px_buf *buf, const void *bytes, size_t n)
{
    if (n == 0) return;
    char *room = px_buf_reserve(buf, n);
    if (!room) return;
    memcpy(room, bytes, n);
    buf->len += n;
}

void px_buf_add_char(struct px_buf *buf, char c)
{
    char *room = px_buf_reserve(buf, 1);
    if (!room) return;
    *room = c;
    buf->len++;
}

void px_buf_add_i64(struct px_buf *buf, int64_t n)
{
    char text[21];
    size_t sign = n < 0;
    text[0] = '-';
    size_t digits = px_u64_digits(sign ? 0 - (uint64_t)n : (uint64_t)n, text + sign);
    px_buf_add(buf, text, sign + digits);
}

void px_buf_add_milli(struct px_buf *buf, double value)
{
    bool fits = value >= 0 && value < 0x1p50; /* a NaN compares false */
    uint64_t thousandths = fits ? (uint64_t)(value * 1000 + 0.5) : 0;
    unsigned rest = (unsigned)(thousandths % 1000);
    char text[24];
    size_t at = px_u64_digits(thousandths / 1000, text);
    text[at++] = '.';
    text[at++] = (char)('0' + rest / 100);
    text[at++] = (char)('0' + rest / 10 % 10);
    text[at++] = (char)('0' + rest % 10);
    px_buf_add(buf, text, at);
}

void px_buf_printf(struct px_buf *buf, const char *fmt, ...)
{
    char small[256];
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    PX_ASSERT(n >= 0);
    size_t bytes = (size_t)n;
    if (bytes < sizeof small) {
        px_buf_add(buf, small, bytes);
    } else {
        char *text = malloc(bytes + 1); /* vsnprintf wants a NUL that the ceiling does not count */
        if (!text) {
            buf->fault = px_fault(PX_F_OOM, "formatting %zu bytes", bytes);
        } else {
            (void)vsnprintf(text, bytes + 1, fmt, again);
            px_buf_add(buf, text, bytes);
        }
        free(text);
    }
    va_end(again);
}
