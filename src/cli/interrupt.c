/* cli/interrupt.c - signals are waited for, never handled: no code runs at arbitrary moments and no
 * variable is global. */
#include "cli/interrupt.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void interrupt_hold(sigset_t *ret_held)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigemptyset(ret_held);
    for (size_t i = 0; i < PX_COUNT(numbers); i++) {
        struct sigaction now;
        bool is_off = sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler == SIG_IGN;
        if (!is_off) sigaddset(ret_held, numbers[i]);
    }
    pthread_sigmask(SIG_BLOCK, ret_held, NULL);
}

int interrupt_came(const sigset_t *held)
{
    const struct timespec at_once = {0};
    int number = sigtimedwait(held, NULL, &at_once);
    return number > 0 ? number : 0;
}

_Noreturn void interrupt_end(int signal_number)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal_number);
    (void)signal(signal_number, SIG_DFL);
    (void)kill(getpid(), signal_number);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    _exit(128 +
          signal_number); /* where even that does not end us: the first process of a container */
}

static void *watch(void *arg)
{
    const struct interrupt_guard *guard = arg;
    int number = 0;
    while (sigwait(&guard->held, &number) != 0) continue;
    (void)unlink(guard->path);
    interrupt_end(number);
}

void interrupt_guard_start(struct interrupt_guard *guard, const char *path)
{
    *guard = (struct interrupt_guard){.path = path};
    interrupt_hold(&guard->held);
    guard->started = pthread_create(&guard->thread, NULL, watch, guard) == 0;
    if (!guard->started) pthread_sigmask(SIG_UNBLOCK, &guard->held, NULL);
}

void interrupt_guard_stop(struct interrupt_guard *guard)
{
    if (!guard->started) return;
    (void)pthread_cancel(guard->thread); /* sigwait is where it can end */
    (void)pthread_join(guard->thread, NULL);
    pthread_sigmask(SIG_UNBLOCK, &guard->held, NULL);
    guard->started = false;
}
