/* cli/interrupt.h - Ctrl-C and its kin while a verb has something to leave in order. The end is the
 * signal's own, so that a shell's loop stops as well and the exit code is 128 + its number. */
#pragma once

#include <pthread.h>
#include <signal.h>

#include "base/px.h"

/* Hold SIGINT, SIGTERM and SIGHUP back in this thread and those it starts from now on; signals that
 * whoever started us has switched off (nohup, a background job) stay off. */
void interrupt_hold(sigset_t *ret_held);
/* The signal that came, or 0. */
int interrupt_came(const sigset_t *held);
/* End as the signal ends a program that knows nothing of it. */
_Noreturn void interrupt_end(int signal_number);

/* A file that an interrupted program must not leave behind. */
struct interrupt_guard {
    sigset_t held;
    const char *path;
    pthread_t thread;
    bool started;
};
void interrupt_guard_start(struct interrupt_guard *guard, const char *path);
void interrupt_guard_stop(struct interrupt_guard *guard);
