/* asl/failure.c - failures are made in one place, so that no cause is without a bound. */
#include "asl/failure.h"

#include <stdarg.h>
#include <stdio.h>

/* Step Functions API reference, HistoryEvent: a cause has at most 32,768 characters. */
#define CAUSE_BYTES_MAX 32768u

/* At most `max` bytes that end with a whole UTF-8 character. */
static size_t whole_characters(const char *text, size_t len, size_t max)
{
    if (len <= max) return len;
    while (max > 0 && ((unsigned char)text[max] & 0xC0u) == 0x80u) max--;
    return max;
}

int asl_fail(struct px_arena *arena, struct asl_failure *ret_failure, const char *error,
             const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    PX_ASSERT(n >= 0);
    char *text = px_arena_alloc(arena, (size_t)n + 1);
    if (text) (void)vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    if (!text) return px_arena_fault(arena);

    ret_failure->error = px_str_c(error);
    ret_failure->cause = px_str(text, whole_characters(text, (size_t)n, CAUSE_BYTES_MAX));
    return ASL_FAILED;
}

static bool is(struct px_str name, const char *reserved)
{
    return px_str_eq(name, px_str_c(reserved));
}

/* Developer guide, "Handling errors in Step Functions workflows": States.Runtime always ends the execution. A task whose
 * heartbeat stays away has timed out: both names stand for it. That States.ALL takes States.DataLimitExceeded of a task is
 * what Step Functions was seen to do, though the guide says otherwise. */
static bool name_matches(struct px_str name, struct px_str error)
{
    bool timeout = is(error, ASL_E_TIMEOUT) || is(error, ASL_E_HEARTBEAT_TIMEOUT);
    if (is(name, ASL_E_ALL)) return true;
    if (is(name, ASL_E_TASK_FAILED)) return !timeout;
    if (is(name, ASL_E_TIMEOUT)) return timeout;
    return px_str_eq(name, error);
}

bool asl_error_matches(const struct px_str *names, size_t count, struct px_str error)
{
    if (is(error, ASL_E_RUNTIME)) return false;
    for (size_t i = 0; i < count; i++)
        if (name_matches(names[i], error)) return true;
    return false;
}
