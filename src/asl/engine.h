/* asl/engine.h - executions: any number at once, on one thread, without a clock, a disk or a network of its own.
 *
 * The holder calls asl_engine_run() when there may be something to do. It makes executions go on until each waits for a task,
 * a timer or its children. What they did is handed to the journal turn by turn; what they want done (tasks started, ends told)
 * waits until the holder says that the turn is on stable storage (asl_engine_committed()). After a crash the executions of the
 * journal are restored and go on from their last transition; a task whose result is not in the journal is started again with
 * the same token.
 *
 * Semantics: states-language.net and the Step Functions developer guide; where they differ, what Step Functions does. */
#pragma once

#include "asl/history.h"
#include "asl/program.h"
#include "base/px_clock.h"

struct asl_engine;    /* opaque */
struct asl_execution; /* opaque; owned by the engine */

/* Ceilings of Step Functions ("Quotas related to state machine executions"). */
#define ASL_HISTORY_EVENTS_MAX 25000
#define ASL_INLINE_CONCURRENCY_MAX 40
#define ASL_DISTRIBUTED_CONCURRENCY_MAX 10000
#define ASL_EXPRESS_MS_MAX (5 * 60 * 1000)

enum asl_status { ASL_RUNNING, ASL_SUCCEEDED, ASL_FAILED_STATUS, ASL_TIMED_OUT, ASL_ABORTED };
const char *asl_status_name(enum asl_status status); /* "RUNNING" */

/* What is known of an execution; views that live as long as it. */
struct asl_execution_info {
    uint64_t number; /* given by the engine, growing, never given twice in one journal */
    const struct asl_program *program;
    struct px_str name, arn;
    enum asl_status status;
    int64_t start_ms, stop_ms; /* wall time; stop 0 while running */
    struct px_str input;
    struct px_str output;       /* of a succeeded one */
    struct asl_failure failure; /* of another that ended; members may be absent */
    uint64_t parent;            /* number of the execution whose distributed Map made it; 0: none */
    uint32_t parent_frame, parent_run,
        parent_index; /* the frame, which of its Map runs, which item */
    uint32_t redrive_count;
    uint32_t event_count;
};
const struct asl_execution_info *asl_execution_info(const struct asl_execution *execution);

/* A task to be started. Views live until the call returns. */
struct asl_task_call {
    struct px_str
        token; /* names this attempt: [A-Za-z0-9-]{1,64}; what .waitForTaskToken tells others as well */
    const struct asl_execution *execution;
    const struct asl_state *state;
    const struct asl_resource *resource;
    struct px_str payload; /* JSON */
    struct px_str role;    /* Credentials; empty: none */
    bool again;            /* started before a crash, which may have done its work */
    /* Of a Map's reader: the object is Parquet, and the answer its rows, a JSON value a line; rows_max: no more are looked at (0: all). */
    bool rows;
    uint64_t rows_max;
};
/* What the engine asks of the world, only ever from inside asl_engine_committed() or, with no journal, asl_engine_run(). */
struct asl_host {
    void *ctx;
    /* Start; its end is told by asl_engine_task_*(), at once or later. A .waitForTaskToken call is told twice: when the
     * service took it, and when somebody answers the token. */
    void (*task)(void *ctx, const struct asl_task_call *call);
    /* Nobody waits for it any more. */
    void (*cancel)(void *ctx, struct px_str token);
    /* The start is durable. May be NULL. */
    void (*started)(void *ctx, struct asl_execution *execution);
    /* The end is durable; the execution is freed after the call. */
    void (*ended)(void *ctx, struct asl_execution *execution);
};

/* A frame is one line of control of an execution: its own, a branch's, an item's. Its record is what is needed to go on. */
struct asl_frame_record {
    uint32_t frame, parent; /* parent 0: the execution's own */
    struct px_str record;   /* JSON; ptr NULL: the frame is gone, or its children are */
    bool children_gone;     /* the records whose parent is this frame go, its own stays */
};
struct asl_turn {
    const struct asl_execution *execution;
    bool first; /* the journal does not know the execution yet */
    bool ended;
    struct px_str events; /* lines of history.h; may be empty */
    uint32_t event_first, event_count;
    const struct asl_frame_record *frames; /* to be applied in this order */
    size_t frame_count;
};
struct asl_journal {
    void *ctx;
    /* Take the turn, whose views live until the call returns, into what is written next. Express executions are handed too;
     * the journal may leave them out. A fault ends the run. */
    int (*turn)(void *ctx, const struct asl_turn *turn);
};

struct asl_engine_options {
    const struct asl_host *host; /* copied */
    const struct asl_journal
        *journal;                  /* copied; NULL: nothing is kept, effects are not held back */
    const struct px_clock *clock;  /* NULL: the machine's */
    struct asl_jsonata *jsonata;   /* borrowed; NULL: programs with JSONata fail */
    uint64_t next_number;          /* the first execution's; 0: 1 */
    uint64_t (*random)(void *ctx); /* NULL: px_random_u64() */
    void *random_ctx;
    size_t executions_max; /* 0: 100,000 */
};
PX_MUST_USE int asl_engine_new(const struct asl_engine_options *options,
                               struct asl_engine **ret_engine);
void asl_engine_free(struct asl_engine **engine);

enum asl_engine_answer {
    ASL_ENGINE_FULL = 1, /* executions_max */
    ASL_ENGINE_INVALID,  /* the input or output is no JSON, or over 256 KiB */
    ASL_ENGINE_UNKNOWN,  /* no such token or execution, or it waits no longer */
};
struct asl_start {
    struct asl_program *program; /* a reference is taken */
    struct px_str name, arn;     /* copied; unique names are the holder's business */
    struct px_str input;         /* JSON */
};
/* Answers: ASL_ENGINE_FULL, ASL_ENGINE_INVALID. */
PX_MUST_USE int asl_engine_start(struct asl_engine *engine, const struct asl_start *start,
                                 struct asl_execution **ret_execution);
/* Answers: ASL_ENGINE_UNKNOWN. */
PX_MUST_USE int asl_engine_stop(struct asl_engine *engine, uint64_t number,
                                const struct asl_failure *why);
struct asl_execution *asl_engine_find(struct asl_engine *engine,
                                      uint64_t number); /* NULL: not running */

/* A task's end, or a token's answer. Answers: ASL_ENGINE_UNKNOWN, ASL_ENGINE_INVALID. */
PX_MUST_USE int asl_engine_task_succeeded(struct asl_engine *engine, struct px_str token,
                                          struct px_str output);
PX_MUST_USE int asl_engine_task_failed(struct asl_engine *engine, struct px_str token,
                                       const struct asl_failure *failure);
/* The service took a .waitForTaskToken or .sync call; `output` is what it said. */
PX_MUST_USE int asl_engine_task_submitted(struct asl_engine *engine, struct px_str token,
                                          struct px_str output);
PX_MUST_USE int asl_engine_task_heartbeat(struct asl_engine *engine, struct px_str token);
/* What the task that waits for this token called; NULL: none waits. */
const struct asl_resource *asl_engine_task_resource(struct asl_engine *engine, struct px_str token);

/* Go on until nothing is ready or steps_max transitions were made. ret_more: something is still ready.
 * Faults: of the journal; PX_F_OOM. The execution concerned is put down: nothing of it goes on until it is restored from the
 * journal, where it is as its last turn left it. The others are as they were; call again. */
PX_MUST_USE int asl_engine_run(struct asl_engine *engine, size_t steps_max, bool *ret_more);
/* Turns handed to the journal so far; asl_engine_committed(engine, that) after they are stable releases what they want. */
uint64_t asl_engine_turns(const struct asl_engine *engine);
void asl_engine_committed(struct asl_engine *engine, uint64_t turns);
/* Wall time of the next timer, in milliseconds; INT64_MAX: none. */
int64_t asl_engine_next_ms(const struct asl_engine *engine);
size_t asl_engine_count(const struct asl_engine *engine);

/* ---- after a crash, and for redrive ---- */

/* An execution as the journal has it. */
struct asl_restore {
    struct asl_program *program;
    uint64_t number;
    struct px_str name, arn, input;
    int64_t start_ms;
    uint32_t event_count, redrive_count;
    uint64_t parent;
    uint32_t parent_frame, parent_run, parent_index;
    const struct asl_frame_record *frames; /* parents before children */
    size_t frame_count;
    bool redrive; /* it had ended: its failed states are entered again */
};
/* A child whose parent waits for it no more is aborted in its next turn.
 * Parents first, then their children, then asl_engine_child_ended() for children that ended and whose parent has not taken it.
 * Faults: PX_F_CORRUPT for records that do not fit the program. Answers: ASL_ENGINE_FULL. */
PX_MUST_USE int asl_engine_restore(struct asl_engine *engine, const struct asl_restore *restore,
                                   struct asl_execution **ret_execution);
/* How a child of a distributed Map ended. */
struct asl_child_end {
    uint64_t parent;
    uint32_t frame, run, index;
    enum asl_status status;
    struct px_str output; /* of a succeeded one */
    struct asl_failure failure;
    struct px_str name, arn, input;
    int64_t start_ms, stop_ms;
    uint32_t redrive_count;
};
PX_MUST_USE int asl_engine_child_ended(struct asl_engine *engine, const struct asl_child_end *end);
