/* delivery/terraform/child.h - a program run as a child: no shell, an end that is certain, output that is bounded.
 *
 * The child is a process group of its own. What it writes goes to a file that has no name, not to a pipe: when we die a
 * pipe would break, and a Go program whose standard output breaks is killed at once (os/signal, "SIGPIPE"), Terraform in the
 * middle of a change included. When we die the child gets the SIGINT that makes Terraform end in order.
 *
 * Stopping: SIGINT to the child alone, which Terraform takes as "finish what runs, write the state"; after grace_ms again, which
 * it takes as "now"; then SIGTERM and SIGKILL to the group. The group is always killed once the child is gone, so that nothing
 * that it started stays. */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "base/px_clock.h"

enum child_end {
    CHILD_EXITED = 1,
    CHILD_SIGNALLED,
    CHILD_CANCELLED, /* `stop` said so; how the child ended does not matter then */
    CHILD_LATE,      /* deadline_ns passed */
    CHILD_TALKED,    /* it wrote more than output_bytes_max */
};
struct child_spec {
    const char *const *argv; /* NULL-ended; argv[0] is looked up in PATH when it has no slash */
    const char *const *env;  /* NULL-ended "NAME=value", in place of ours; "NAME": not in it */
    const char *dir;         /* where it runs; NULL: here */
    const char *scratch_dir; /* where the files without names are; on a disk of our own */
    int64_t deadline_ns;     /* monotonic; 0: none */
    int64_t grace_ms;
    size_t output_bytes_max; /* of standard output and of standard error each */
    const struct px_clock *clock;
    bool (*stop)(void *ctx); /* asked several times a second; NULL: never */
    void (*line)(
        void *ctx,
        struct px_str line); /* of standard output as it comes, without its end; may be NULL */
    void *ctx;
};
struct child_result {
    enum child_end end;
    int code; /* exit code or signal */
};

/* Run it to its end.
 *   out, err  what it wrote to standard output and error, appended; what is over their ceilings is left out at the front of err, and
 *             is a fault for out. Either may be NULL.
 * Faults: PX_F_CONFIG when there is no such program or folder; PX_F_IO. */
PX_MUST_USE int child_run(const struct child_spec *spec, struct px_buf *out, struct px_buf *err,
                          struct child_result *ret_result);
