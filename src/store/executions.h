/* store/executions.h - the journal of workflows: executions, the frames that each needs to go on, their history.
 *
 * One SQLite file in WAL mode with synchronous=FULL. Turns are gathered in a batch in memory, which needs no file, and a batch is
 * committed in one transaction, so that one fsync serves all executions that moved meanwhile: a crash keeps whole batches only.
 * One thread at a time may use a store; a batch may be filled by another thread than the one that commits an earlier batch. */
#pragma once

#include "base/px.h"
#include "base/px_arena.h"

struct execution_store; /* opaque */
enum execution_answer { EXECUTION_ABSENT = 1, EXECUTION_BATCH_FULL };

enum execution_status {
    EXECUTION_RUNNING,
    EXECUTION_SUCCEEDED,
    EXECUTION_FAILED,
    EXECUTION_TIMED_OUT,
    EXECUTION_ABORTED
};
#define EXECUTION_ANY_STATUS (-1)

/* path: created when absent, mode 0600. */
PX_MUST_USE int execution_store_open(struct px_str path, struct execution_store **ret_store);
void execution_store_close(struct execution_store **store);

/* ---- definitions: an execution goes on with the one that it began with ---- */

/* The number of this text among the machine's definitions; a text that was the newest before keeps its number. */
PX_MUST_USE int execution_define(struct execution_store *store, struct px_str machine,
                                 struct px_str text, uint64_t *ret_definition);
/* The same for a text that is the newest already. Answers: EXECUTION_ABSENT: it is another one, or the first. */
PX_MUST_USE int execution_defined(struct execution_store *store, struct px_str machine,
                                  struct px_str text, uint64_t *ret_definition);
/* Definitions between the two are committed together, so that a first start waits for the disk once; without the second there are none
 * of them. */
PX_MUST_USE int execution_define_begin(struct execution_store *store);
PX_MUST_USE int execution_define_end(struct execution_store *store);
/* Answers: EXECUTION_ABSENT. */
PX_MUST_USE int execution_definition(struct execution_store *store, uint64_t definition,
                                     struct px_arena *arena, struct px_str *ret_text);

/* ---- writing ---- */

struct execution_row {
    uint64_t number; /* 1.. */
    struct px_str machine;
    uint64_t definition;
    uint32_t version;        /* of the machine (machines.h); 0: started without one */
    struct px_str alias;     /* that led to it; empty: none */
    struct px_str name, arn; /* the name is unique in its machine */
    enum execution_status status;
    int64_t start_ms, stop_ms;          /* stop 0 while running */
    struct px_str input;                /* JSON */
    struct px_str output, error, cause; /* ptr NULL: absent */
    uint64_t parent;                    /* 0: none */
    uint32_t parent_frame, parent_run, parent_index;
    struct px_str waiter;      /* token of the task that waits for its end; empty: none */
    uint64_t waiter_execution; /* that token's execution; 0: none */
    uint32_t redrive_count, event_count;
};
struct execution_frame {
    uint32_t frame, parent;
    struct px_str record; /* ptr NULL: the frame is gone, or with children_gone those below it */
    bool children_gone;
};
struct execution_turn {
    /* first: all of it is new. Else what may have changed: status, stop_ms, output, error, cause and the two counts. */
    struct execution_row row;
    bool first;
    struct px_str events; /* event_count lines, each with its end; ids event_first and on */
    uint32_t event_first, event_count;
    const struct execution_frame *frames; /* applied in this order */
    size_t frame_count;
};

struct batched_turn;
struct execution_batch {
    struct px_arena arena;
    struct batched_turn *first, **last;
    size_t turns;
};
void execution_batch_init(struct execution_batch *batch, size_t bytes_max);
void execution_batch_deinit(struct execution_batch *batch);
void execution_batch_clear(struct execution_batch *batch);
/* Everything is copied. Answers: EXECUTION_BATCH_FULL, with nothing added. */
PX_MUST_USE int execution_batch_add(struct execution_batch *batch,
                                    const struct execution_turn *turn);
/* All turns of the batch or none are on stable storage. It may be called again after a fault.
 * Faults: PX_F_BUG when a name stands in its machine already; those of the disk. */
PX_MUST_USE int execution_commit(struct execution_store *store,
                                 const struct execution_batch *batch);

/* ---- reading; everything into arena ---- */

PX_MUST_USE int execution_last_number(struct execution_store *store, uint64_t *ret_number);
/* Answers: EXECUTION_ABSENT. */
PX_MUST_USE int execution_get(struct execution_store *store, uint64_t number,
                              struct px_arena *arena, struct execution_row *ret_row);
PX_MUST_USE int execution_find(struct execution_store *store, struct px_str machine,
                               struct px_str name, struct px_arena *arena,
                               struct execution_row *ret_row);
/* Its frames, parents before their children. */
PX_MUST_USE int execution_frames(struct execution_store *store, uint64_t number,
                                 struct px_arena *arena, struct execution_frame **ret_frames,
                                 size_t *ret_count);
/* The running one with the lowest number above `after`: in this order parents come before children.
 * Answers: EXECUTION_ABSENT. */
PX_MUST_USE int execution_next_running(struct execution_store *store, uint64_t after,
                                       struct px_arena *arena, struct execution_row *ret_row);

/* Newest first. */
struct execution_filter {
    struct px_str machine;  /* empty: all */
    struct px_str name;     /* empty: all */
    int status;             /* EXECUTION_ANY_STATUS: all */
    bool with_children;     /* of distributed Maps, too */
    uint64_t parent;        /* only this one's children; 0: any */
    uint64_t waited_for_by; /* only those whose end a task of this one waits for; 0: any */
    uint32_t version;       /* 0: any */
    struct px_str alias;    /* empty: any */
    uint64_t before;        /* numbers below; 0: from the newest on */
    size_t max;
};
/* Inputs and outputs are left out (ptr NULL) unless with_data. */
PX_MUST_USE int execution_list(struct execution_store *store, const struct execution_filter *filter,
                               bool with_data, struct px_arena *arena,
                               struct execution_row **ret_rows, size_t *ret_count);
/* At most max lines from event `from` (1..) on, or backwards from it (0: from the last one). */
PX_MUST_USE int execution_history(struct execution_store *store, uint64_t number, uint32_t from,
                                  bool backwards, size_t max, struct px_arena *arena,
                                  struct px_str **ret_lines, size_t *ret_count);

/* Remove at most max executions that ended before, with history and frames, and definitions that nobody needs. */
PX_MUST_USE int execution_expire(struct execution_store *store, int64_t before_ms, size_t max,
                                 size_t *ret_removed);
