/* tests/unit/support/support_alloc.h - memory that runs out on purpose.
 *
 *   SWEEP_ALLOCATIONS(call_under_test(...)) runs the call with the 1st, 2nd, 3rd ... allocation
 *   failing until it returns 0; each earlier run must return `PX_F_OOM`. `after` runs every time.
 *
 * It replaces malloc, calloc and realloc of the whole program, so include it in one file per program.
 * AddressSanitizer has its own malloc; there the call runs once, without failures. */
#pragma once

#include "support/support.h"

#include <errno.h>

static _Thread_local long alloc_left = -1; /* allocations until one fails; -1: none does */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ALLOC_SWEEP_MAX 100000L
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t n, size_t bytes);
extern void *__libc_realloc(void *ptr, size_t bytes);

static bool alloc_fails(void)
{
    if (alloc_left < 0) return false;
    if (alloc_left > 0) {
        alloc_left--;
        return false;
    }
    errno = ENOMEM;
    return true;
}
void *malloc(size_t bytes) { return alloc_fails() ? NULL : __libc_malloc(bytes); }
void *calloc(size_t n, size_t bytes) { return alloc_fails() ? NULL : __libc_calloc(n, bytes); }
void *realloc(void *ptr, size_t bytes) { return alloc_fails() ? NULL : __libc_realloc(ptr, bytes); }
#else
#define ALLOC_SWEEP_MAX 0L
#endif

#define SWEEP_ALLOCATIONS(call, after)                                                             \
    do {                                                                                           \
        int sweep_result_ = -1;                                                                    \
        for (long sweep_at_ = 0; sweep_result_ != 0; sweep_at_++) {                                \
            if (ALLOC_SWEEP_MAX > 0) alloc_left = sweep_at_;                                       \
            sweep_result_ = (call);                                                                \
            alloc_left = -1;                                                                       \
            after;                                                                                 \
            if (sweep_result_ != 0) CHECK_INT(sweep_result_, PX_F_OOM);                            \
            CHECK(sweep_at_ <= ALLOC_SWEEP_MAX);                                                   \
        }                                                                                          \
    } while (0)
