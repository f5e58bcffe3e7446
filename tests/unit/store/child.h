/* tests/unit/store/child.h - work in several processes at once. */
#pragma once

#include "support/support.h"

#include <signal.h>
#include <sys/wait.h>

#define CHILDREN_MAX 32

/* Start `count` children that wait for each other and then run work(t, i); their exit statuses, 0 to
 * 255, go to status[]. A child must not fail a CHECK: it answers through its status. */
static __attribute__((unused)) void in_children(struct test *t, int count,
                                                int (*work)(struct test *t, int i), int *status)
{
    pid_t pids[CHILDREN_MAX];
    int gate[2];
    CHECK(count <= CHILDREN_MAX && pipe(gate) == 0);
    for (int i = 0; i < count; i++) {
        pids[i] = fork();
        if (pids[i] != 0) continue;
        char c;
        (void)close(gate[1]);
        ssize_t opened = read(gate[0], &c, 1); /* until the parent closes its end */
        _exit(opened == 0 ? work(t, i) : 99);
    }
    (void)close(gate[0]);
    (void)close(gate[1]);
    for (int i = 0; i < count; i++) {
        CHECK_INT(waitpid(pids[i], &status[i], 0), pids[i]);
        CHECK(WIFEXITED(status[i]));
        status[i] = WEXITSTATUS(status[i]);
    }
}

/* Run work(t, out) in a child, which writes a uint64_t to `out` for each thing it was promised; kill
 * it after_us after the first. Returns the last number it reported. */
static __attribute__((unused)) uint64_t killed_child(struct test *t, unsigned after_us,
                                                     void (*work)(struct test *t, int out))
{
    int ends[2], status;
    CHECK_INT(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        work(t, ends[1]);
        _exit(1);
    }
    (void)close(ends[1]);
    uint64_t last = 0, number;
    CHECK_INT(read(ends[0], &last, sizeof last), sizeof last); /* it runs */
    (void)usleep(after_us);
    CHECK_INT(kill(child, SIGKILL), 0);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    while (read(ends[0], &number, sizeof number) == sizeof number) last = number;
    (void)close(ends[0]);
    return last;
}
