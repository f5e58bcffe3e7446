/* delivery/pipeline/exec.h - a program run to its end, and never beyond ours.
 *
 * The program and all that it starts are one process group under a guardian process. The guardian kills the group when the
 * program has ended, when it is told to, and when this process dies, however it dies: `kill -9` of the pipeline leaves no
 * Terraform behind. Descendants that leave the group become the guardian's children and are killed likewise. */
#pragma once

#include "base/px_buf.h"
#include "base/px_clock.h"

struct exec_options {
    const char *const
        *argv; /* NULL-ended; argv[0] is looked for in the PATH of env when it has no '/' */
    const char *const *env; /* "NAME=value", NULL-ended; nothing else is passed on */
    const char *dir;
    const char *
        lock; /* a file: held while anything of the program may live, so that two never overlap; NULL: none */
    const struct px_clock *clock;
    int64_t deadline_ns; /* monotonic */
    bool (*is_cancelled)(void *ctx);
    /* Each piece of its standard output and error, in order. */
    void (*on_output)(void *ctx, struct px_str piece, bool is_error);
    void *ctx;
};
enum exec_ending {
    EXEC_EXITED,
    EXEC_SIGNALLED,
    EXEC_LATE,      /* killed at its deadline */
    EXEC_CANCELLED, /* killed because is_cancelled() said so */
};
struct exec_result {
    enum exec_ending ending;
    int code; /* exit code or signal */
};
/* Standard input is empty. At a deadline or a cancel the group gets SIGTERM (a Terraform saves its state), and SIGKILL grace_ms
 * later.
 * Faults: PX_F_CONFIG: no such program, or none that can be run. */
#define EXEC_GRACE_MS 20000
PX_MUST_USE int exec_run(const struct exec_options *options, struct exec_result *ret_result);
