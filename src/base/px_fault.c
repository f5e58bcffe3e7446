/* base/px_fault.c - the thread's last fault.
 *
 * The trace keeps the first TRACE_PLACES places, origin first: where it began tells most, and what
 * lies outside follows from the caller's log line. px_fold() of a fault that is not the recorded one
 * starts a new trace, so that a stale path is never shown for another fault. */
#include "base/px.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define TRACE_PLACES 10

struct trace {
    int fault;
    unsigned places_seen; /* may exceed TRACE_PLACES */
    struct {
        const char *file;
        int line;
    } places[TRACE_PLACES];
    char detail[320];
};

static _Thread_local struct trace trace;

static const struct {
    const char *name;
    int http;
    const char *message;
} fault_table[] = {{"?", 500, "no fault"},
#define X(name, http, text) {#name, http, text},
                   PX_FAULTS(X)
#undef X
};

static size_t fault_row(int fault)
{
    return fault < 0 && fault > -(int)PX_COUNT(fault_table) ? (size_t)-fault : 0;
}

const char *px_fault_name(int fault) { return fault_table[fault_row(fault)].name; }
const char *px_fault_message(int fault) { return fault_table[fault_row(fault)].message; }
int px_fault_http(int fault) { return fault_table[fault_row(fault)].http; }

static void trace_place(const char *file, int line)
{
    unsigned at = trace.places_seen++;
    if (at >= TRACE_PLACES) return;
    trace.places[at].file = file;
    trace.places[at].line = line;
}

static void trace_begin(int fault, const char *file, int line)
{
    PX_ASSERT(fault_row(fault) != 0);
    trace.fault = fault;
    trace.places_seen = 0;
    trace.detail[0] = '\0';
    trace_place(file, line);
}

/* Details may print views of the previous detail, and %m needs errno: format aside, then store. */
static void trace_detail(const char *fmt, va_list args)
{
    char detail[sizeof trace.detail];
    if (vsnprintf(detail, sizeof detail, fmt, args) >= 0)
        memcpy(trace.detail, detail, sizeof detail);
}

int px_fault_at(int fault, const char *file, int line, const char *fmt, ...)
{
    int saved_errno = errno;
    trace_begin(fault, file, line);
    va_list args;
    va_start(args, fmt);
    errno = saved_errno;
    trace_detail(fmt, args);
    va_end(args);
    errno = saved_errno;
    return fault;
}

static int fault_of_errno(int error)
{
    switch (error) {
    case ENOMEM: return PX_F_OOM;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return PX_F_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS: return PX_F_DENIED;
    case EAGAIN:
    case EBUSY:
    case ETXTBSY:
    case EDEADLK: return PX_F_BUSY;
    case ETIMEDOUT: return PX_F_TIMEOUT;
    case EMFILE:
    case ENFILE: return PX_F_LIMIT;
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case EHOSTUNREACH:
    case ENETUNREACH: return PX_F_UNAVAILABLE;
    default: return PX_F_IO;
    }
}

int px_fault_errno_at(const char *file, int line, const char *fmt, ...)
{
    int saved_errno = errno;
    int fault = fault_of_errno(saved_errno);
    trace_begin(fault, file, line);
    va_list args;
    va_start(args, fmt);
    errno = saved_errno;
    trace_detail(fmt, args);
    va_end(args);
    if (!strstr(fmt, "%m")) {
        size_t used = strlen(trace.detail);
        errno = saved_errno;
        (void)snprintf(trace.detail + used, sizeof trace.detail - used, ": %m");
    }
    errno = saved_errno;
    return fault;
}

int px_fold(int result, const char *file, int line)
{
    if (result > 0) return px_fault_at(PX_F_BUG, file, line, "answer %d was forwarded", result);
    if (result == trace.fault)
        trace_place(file, line);
    else
        trace_begin(result, file, line);
    return result;
}

static const char *base_name(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash ? slash + 1 : file;
}

/* Append to buf and return the new length, which stays below buf_bytes. */
__attribute__((format(printf, 4, 5))) static size_t text_add(char *buf, size_t len,
                                                             size_t buf_bytes, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(buf + len, buf_bytes - len, fmt, args);
    va_end(args);
    return n < 0 ? len : PX_MIN(len + (size_t)n, buf_bytes - 1);
}

char *px_fault_text(int fault, char *buf, size_t buf_bytes)
{
    PX_ASSERT(buf_bytes > 0);
    bool known = fault != 0 && fault == trace.fault;
    const char *detail = known && trace.detail[0] ? trace.detail : px_fault_message(fault);
    size_t len = text_add(buf, 0, buf_bytes, "%s: %s", px_fault_name(fault), detail);
    if (!known) return buf;

    unsigned kept = PX_MIN(trace.places_seen, (unsigned)TRACE_PLACES);
    for (unsigned i = 0; i < kept; i++)
        len = text_add(buf, len, buf_bytes, "%s%s:%d", i ? " < " : " (",
                       base_name(trace.places[i].file), trace.places[i].line);
    if (trace.places_seen > kept)
        len = text_add(buf, len, buf_bytes, " < %u more", trace.places_seen - kept);
    (void)text_add(buf, len, buf_bytes, ")");
    return buf;
}
