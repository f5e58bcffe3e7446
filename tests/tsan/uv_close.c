/* tests/tsan/uv_close.c - only in builds under ThreadSanitizer, which knows a descriptor's end by close() alone.
 *
 * libuv closes with syscall(SYS_close, fd), unseen: when a thread is then given the same number, its use looks like a
 * race with whatever the loop did with the old one. Linked with --wrap=syscall, libuv's call becomes a close(). */
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
    long args[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) /* like the C library's: six words, however many were given */
        args[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_close) return close((int)args[0]);
    return __real_syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
