/* base/px.h - what every file of Prism may use: borrowed text, the two result channels, ownership
 * macros and assertions. It knows nothing of telemetry.
 *
 * Results. An `int` result is 0 for done, positive for an *answer* (an outcome that the called
 * function documents and its caller handles), negative for a *fault* (passed up unchanged; see
 * px_fault.h). Out-parameters are named ret_x, come last and are written only when 0 is returned.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* so a header of Prism comes before the system's */
#endif

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/px_fault.h"

/* A borrowed run of bytes; not NUL-terminated. An empty one may have ptr NULL. */
struct px_str {
    const char *ptr;
    size_t len;
};

/* printf("%.*s", PX_FMT(s)) */
#define PX_FMT(s) (int)(s).len, ((s).ptr ? (s).ptr : "")
/* View of a string literal. */
#define S(lit) ((struct px_str){"" lit, sizeof(lit) - 1})

static inline struct px_str px_str(const char *ptr, size_t len)
{
    return (struct px_str){ptr, len};
}
/* View of a NUL-terminated string; NULL gives the empty view. */
static inline struct px_str px_str_c(const char *c)
{
    return (struct px_str){c, c ? strlen(c) : 0};
}
static inline bool px_str_eq(struct px_str a, struct px_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool px_str_starts(struct px_str s, struct px_str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}
static inline bool px_str_ends(struct px_str s, struct px_str tail)
{
    return s.len >= tail.len &&
           (tail.len == 0 || memcmp(s.ptr + s.len - tail.len, tail.ptr, tail.len) == 0);
}
/* The rest of s after its first n bytes; n past the end gives the empty view. */
static inline struct px_str px_str_skip(struct px_str s, size_t n)
{
    if (!s.ptr) return s; /* NULL + 0 is undefined in C17 */
    return n >= s.len ? (struct px_str){s.ptr + s.len, 0} : (struct px_str){s.ptr + n, s.len - n};
}
/* Order as memcmp does, the shorter first among equals. */
int px_str_cmp(struct px_str a, struct px_str b);
/* ASCII case folded; for header names. */
bool px_str_ieq(struct px_str a, struct px_str b);
/* White space (space, tab, CR, LF) removed at both ends. */
struct px_str px_str_trim(struct px_str s);
/* Split at the first `sep`: ret_head gets what stands before it, *rest what follows. False, with
 * ret_head the whole of *rest and *rest empty, when there is no `sep`. */
bool px_str_cut(struct px_str *rest, char sep, struct px_str *ret_head);
/* Decimal number, the whole of s. False when it is anything else or does not fit. */
PX_MUST_USE bool px_str_to_i64(struct px_str s, int64_t *ret_value);
PX_MUST_USE bool px_str_to_u64(struct px_str s, uint64_t *ret_value);

/* The decimal digits of n, at most 20 of them and no NUL, into out; answers how many. */
size_t px_u64_digits(uint64_t n, char out[20]);

/* Where a parser stopped and what it wanted; filled only when a parser answers "invalid". */
struct px_where {
    size_t offset;      /* bytes from the start of the input */
    char path[96];      /* e.g. resourceLogs[0].scopeLogs[2]; empty when it means nothing */
    char expected[160]; /* one sentence for the caller to show */
};
void px_where_set(struct px_where *where, size_t offset, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* PX_AUTO(ender) calls ender(&variable) when the variable leaves scope; an ender leaves an empty
 * variable alone, so an explicit earlier call is fine. */
#define PX_AUTO(ender) __attribute__((cleanup(ender)))
/* Move ownership out of a pointer variable; the variable is left NULL. */
#define PX_TAKE(p)                                                                                 \
    __extension__({                                                                                \
        __typeof__(p) px_taken_ = (p);                                                             \
        (p) = NULL;                                                                                \
        px_taken_;                                                                                 \
    })

/* For our own mistakes, in every build: prints the place and aborts. */
#define PX_ASSERT(cond) ((cond) ? (void)0 : px_panic(__FILE__, __LINE__, #cond))
_Noreturn void px_panic(const char *file, int line, const char *what);

#define PX_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PX_MIN(a, b) ((a) < (b) ? (a) : (b))
#define PX_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Enders for PX_AUTO. */
void px_close(int *fd);             /* -1 is empty */
void px_free_mem(void *ptr_to_ptr); /* free() of the pointer that it points to */
