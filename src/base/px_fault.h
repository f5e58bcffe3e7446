/* base/px_fault.h - faults: what went wrong in the world, passed up unchanged to the edge, which logs
 * it once. One table gives each its number, the HTTP status an edge answers with, and its text.
 *
 * The path of a fault and one line of detail are kept per thread, as errno is, in a small ring that
 * px_fault_text() prints. That is the only mutable state in base, and it only ever explains. */
#pragma once

#include <stddef.h>

#define PX_MUST_USE __attribute__((warn_unused_result))

/*      name       HTTP  text */
#define PX_FAULTS(X)                                                                               \
    X(OOM, 503, "out of memory")                                                                   \
    X(IO, 500, "input or output failed")                                                           \
    X(NO_SPACE, 507, "no space left on the device")                                                \
    X(CORRUPT, 500, "stored data failed its check")                                                \
    X(TIMEOUT, 504, "deadline passed")                                                             \
    X(BUSY, 503, "resource is busy")                                                               \
    X(UNAVAILABLE, 503, "a needed service is unavailable")                                         \
    X(DENIED, 500, "a needed service or file denies access")                                       \
    X(CONFIG, 500, "configuration is wrong")                                                       \
    X(PROTOCOL, 502, "peer broke the protocol")                                                    \
    X(LIMIT, 507, "an internal limit was reached")                                                 \
    X(BUG, 500, "unexpected internal state")

enum px_fault {
    PX_F_NONE_ = 0,
#define X(name, http, text) PX_F_ORDINAL_##name,
    PX_FAULTS(X)
#undef X
};
/* Faults are negative: PX_F_OOM and so on. */
enum {
#define X(name, http, text) PX_F_##name = -PX_F_ORDINAL_##name,
    PX_FAULTS(X)
#undef X
};

const char *px_fault_name(int fault); /* "OOM"; "?" for no fault */
const char *px_fault_message(int fault);
int px_fault_http(int fault);

/* Tells the compiler what it cannot see: a fault is negative, so out-parameters stay unwritten. */
static inline int px_is_fault_(int fault)
{
    if (fault >= 0) __builtin_unreachable();
    return fault;
}

/* Begin a fault: forget the thread's last path, note this place and a detail for people. Returns
 * `fault`, so that `return px_fault(PX_F_IO, "open %s: %m", path);` reads well. %m works. */
#define px_fault(fault, ...) px_is_fault_(px_fault_at((fault), __FILE__, __LINE__, __VA_ARGS__))
int px_fault_at(int fault, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The fault for errno: ENOMEM, ENOSPC, EDQUOT, EACCES, EPERM and the rest. ": %m" is added to the
 * detail unless fmt has %m itself. */
#define px_fault_errno(...) px_is_fault_(px_fault_errno_at(__FILE__, __LINE__, __VA_ARGS__))
int px_fault_errno_at(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Note that a fault passed here; returns it unchanged. Answers must not come this far. */
int px_fold(int result, const char *file, int line);
/* "IO: open /x: No such file or directory (hot.c:41 < ingest.c:88)": the thread's last fault.
 * Written to buf, always terminated; returns buf. */
char *px_fault_text(int fault, char *buf, size_t buf_bytes);

/* Pass any non-zero result up. A positive one here is a mistake of ours and becomes PX_F_BUG. */
#define PX_TRY(expr)                                                                               \
    do {                                                                                           \
        int px_result_ = (expr);                                                                   \
        if (__builtin_expect(px_result_ != 0, 0))                                                  \
            return px_is_fault_(px_fold(px_result_, __FILE__, __LINE__));                          \
    } while (0)
