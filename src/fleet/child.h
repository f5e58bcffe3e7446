/* fleet/child.h - one process that is kept alive.
 *
 *   DOWN      not wanted
 *   STARTING  runs, and has not said yet that it serves
 *   READY
 *   STOPPING  asked to end, or killed
 *   PAUSED    ended by itself; starts again when the pause is over: none for who served and lived for a
 *             second, else 100 ms, doubled by each such end in a row, 10 s at most
 */
#pragma once

#include <uv.h>

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "base/px_clock.h"
#include "base/px_log.h"

enum child_state { CHILD_DOWN, CHILD_STARTING, CHILD_READY, CHILD_STOPPING, CHILD_PAUSED };

struct child;
struct child_options {
    uv_loop_t *loop;
    const struct px_clock *clock;
    const struct px_log *log;
    const char *name;     /* for the log */
    const char *log_path; /* its standard output and error are appended there */
    bool holds_stdin;     /* its standard input ends when we do */
    /* Arguments and environment for a start; both NULL-ended, in arena. */
    int (*on_start)(void *ctx, struct px_arena *arena, char ***ret_args, char ***ret_env);
    /* It said a JSON object and closed descriptor 3: it serves, or (member "why") it cannot. */
    void (*on_word)(void *ctx, struct px_str word);
    /* Something has changed: its state, or it has ended. */
    void (*on_change)(void *ctx);
    void *ctx;
};
struct child {
    struct child_options options;
    enum child_state state;
    bool wanted;
    uv_process_t process;
    uv_pipe_t word, life;
    uv_timer_t timer;
    unsigned open_handles; /* of this start */
    bool exited;
    struct px_buf said;
    int64_t started_ns; /* monotonic */
    uint32_t pause_ms;
    unsigned restarts;
    char last_error[512];
};
void child_init(struct child *child, const struct child_options *options);
/* It shall run. */
void child_start(struct child *child);
/* It shall not; signal: SIGTERM or SIGKILL, again is fine. */
void child_stop(struct child *child, int signal);
/* Ended and started at once, for another environment. */
void child_restart(struct child *child);
int child_pid(const struct child *child); /* 0: none */
const char *child_state_name(const struct child *child);
/* Call once it is DOWN, to let the loop end. */
void child_close(struct child *child);
