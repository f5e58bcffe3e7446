/* base/px.c - text views and the last word of an assertion. */
#include "base/px.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

int px_str_cmp(struct px_str a, struct px_str b)
{
    size_t shared = PX_MIN(a.len, b.len);
    int order = shared ? memcmp(a.ptr, b.ptr, shared) : 0;
    if (order != 0) return order;
    return (a.len > b.len) - (a.len < b.len);
}

static unsigned char ascii_lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool px_str_ieq(struct px_str a, struct px_str b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) return false;
    return true;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

struct px_str px_str_trim(struct px_str s)
{
    while (s.len > 0 && is_space(s.ptr[0])) s = px_str_skip(s, 1);
    while (s.len > 0 && is_space(s.ptr[s.len - 1])) s.len--;
    return s;
}

bool px_str_cut(struct px_str *rest, char sep, struct px_str *ret_head)
{
    const char *at = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;
    if (!at) {
        *ret_head = *rest;
        *rest = px_str_skip(*rest, rest->len);
        return false;
    }
    *ret_head = px_str(rest->ptr, (size_t)(at - rest->ptr));
    *rest = px_str_skip(*rest, ret_head->len + 1);
    return true;
}

bool px_str_to_u64(struct px_str s, uint64_t *ret_value)
{
    if (s.len == 0) return false;
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') return false;
        if (__builtin_mul_overflow(value, 10u, &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value)) return false;
    }
    *ret_value = value;
    return true;
}

bool px_str_to_i64(struct px_str s, int64_t *ret_value)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    uint64_t magnitude;
    if (!px_str_to_u64(negative ? px_str_skip(s, 1) : s, &magnitude)) return false;
    if (magnitude > (uint64_t)INT64_MAX + negative) return false;
    *ret_value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

size_t px_u64_digits(uint64_t n, char out[20])
{
    char reversed[20];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    for (size_t i = 0; i < count; i++) out[i] = reversed[count - 1 - i];
    return count;
}

void px_where_set(struct px_where *where, size_t offset, const char *path, const char *fmt, ...)
{
    if (!where) return;
    where->offset = offset;
    (void)snprintf(where->path, sizeof where->path, "%s", path ? path : "");
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(where->expected, sizeof where->expected, fmt, args);
    va_end(args);
}

/* What ThreadSanitizer asks every program that was built with it, since a function's environment is the
 * region's business and has no TSAN_OPTIONS. DuckDB comes built without instrumentation: its own
 * synchronisation is not seen, and a stack through it often shows only the C++ library's part, of which
 * nothing is ours. A race ends the process, so that somebody notices. */
#if defined(__SANITIZE_THREAD__)
const char *__tsan_default_options(void);
const char *__tsan_default_suppressions(void);
const char *__tsan_default_options(void) { return "halt_on_error=1:exitcode=66"; }
const char *__tsan_default_suppressions(void)
{
    return "race:duckdb::\nrace:std::\nrace:operator new\nrace:operator delete\n"
           "mutex:duckdb::\ndeadlock:duckdb::\n";
}
#endif

_Noreturn void px_panic(const char *file, int line, const char *what)
{
    char text[512];
    int n = snprintf(text, sizeof text, "%s:%d: assertion failed: %s\n", file, line, what);
    size_t bytes = n < 0 ? 0 : PX_MIN((size_t)n, sizeof text - 1);
    ssize_t ignored = write(STDERR_FILENO, text, bytes);
    (void)ignored;
    abort();
}

void px_close(int *fd)
{
    if (*fd < 0) return;
    (void)close(*fd); /* whoever needs the answer of close has synced before */
    *fd = -1;
}

void px_free_mem(void *ptr_to_ptr)
{
    void *ptr;
    memcpy(&ptr, ptr_to_ptr, sizeof ptr);
    free(ptr);
    ptr = NULL;
    memcpy(ptr_to_ptr, &ptr, sizeof ptr);
}
