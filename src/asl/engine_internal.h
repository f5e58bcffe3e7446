/* asl/engine_internal.h - what the files of the engine share: engine.c (holding, timers, effects), turn.c (events, records),
 * step.c (one transition), dataflow.c (inputs and outputs), states.c, fork.c (children), failure handling in retry.c.
 *
 * Vocabulary. A *frame* is a line of control: the execution's own, a branch's, an item's. A *transition* is one step of a frame.
 * A *turn* is what one execution did in one go: events and frame records, handed to the journal together. An *effect* is
 * something the host is asked for; it waits until its turn is committed. */
#pragma once

#include "asl/blob.h"
#include "asl/engine.h"

#define ASL_TOKEN_BYTES 48

struct frame;

struct timer {
    int64_t due_ms;
    size_t at; /* place in the heap, from 1; 0: not set */
    struct asl_execution *execution;
    struct frame *frame; /* NULL: the execution's own timeout */
};
struct timers {
    struct timer **heap;
    size_t count, cap;
};
PX_MUST_USE int timers_set(struct timers *timers, struct timer *timer, int64_t due_ms);
void timers_unset(struct timers *timers, struct timer *timer);
struct timer *timers_due(struct timers *timers,
                         int64_t now_ms); /* unset and returned; NULL: none */

enum phase {
    PHASE_ENTER,    /* the state is to be entered */
    PHASE_ATTEMPT,  /* entered; to be tried again after a backoff */
    PHASE_TASK,     /* a task is out */
    PHASE_WAIT,     /* a Wait state's timer */
    PHASE_BACKOFF,  /* a retry's timer */
    PHASE_READER,   /* an ItemReader's call is out */
    PHASE_CHILDREN, /* a Parallel or Map with children */
    PHASE_WRITER,   /* a ResultWriter's call is out */
    PHASE_DONE,     /* a child that ended; `output` is its result */
    PHASE_FAILED, /* a child that failed and whose parent has not taken it yet; with `fork`: of its own children */
};
enum outcome { OUTCOME_NONE, OUTCOME_SUCCEEDED, OUTCOME_FAILED, OUTCOME_TIMER };

/* What a ResultWriter writes, in this order; those without a child are not written, the manifest always. */
enum asl_result_file {
    ASL_RESULTS_SUCCEEDED,
    ASL_RESULTS_FAILED,
    ASL_RESULTS_PENDING,
    ASL_RESULT_FILES, /* then the manifest */
};
enum child { CHILD_NONE, CHILD_RUNNING, CHILD_DONE, CHILD_FAILED };
/* A Parallel's branches or a Map's items. */
struct fork {
    uint32_t run; /* the event that began it: a frame may come to its Map again */
    size_t total, running, done, failed;
    size_t next;    /* no child before it is CHILD_NONE */
    uint8_t *child; /* enum child, by index */
    size_t concurrency;
    struct asl_blob **items;   /* a Map's, each; NULL for a Parallel */
    struct asl_blob **keys;    /* when the items were an object's members */
    struct asl_blob **results; /* by index; NULL: not there */
    size_t result_bytes;
    struct asl_blob
        *input; /* a Parallel's for each branch; a Map's effective input for its selector */
    double tolerated_count, tolerated_percentage; /* < 0: not given */
    bool broken;                                  /* a child's failure decides */
    struct asl_blob *error, *cause;
    /* of a Map that writes its results: what is told of each child that ended; how far the files are */
    struct asl_blob **ends;
    unsigned file; /* enum asl_result_file */
    size_t file_bytes[ASL_RESULT_FILES];
};
/* Items that several files hold, while these are read. In memory only: after a crash reading begins again. */
struct reading {
    struct px_buf items; /* JSON values with commas between them */
    size_t count;
    bool listed; /* all files are known */
    struct asl_blob *
        columns; /* of an inventory's files, "Bucket, Key, Size"; NULL: they have their own header */
    struct reading_file {
        struct asl_blob *bucket, *key;
    } * files;
    size_t file_count, file_cap, file_next;
};

struct frame {
    struct asl_execution *execution;
    struct frame *parent;
    uint32_t id, index;
    const struct asl_flow *flow;
    const struct asl_state *state;
    struct asl_blob *input;     /* the state's */
    struct asl_blob *variables; /* an object's text; NULL: none */
    struct asl_blob *item;      /* $$.Map.Item.Value of the nearest Map; NULL: none */
    uint32_t item_index;
    enum phase phase;
    int64_t entered_ms;
    uint32_t entered_event, last_event;
    uint32_t retry_count;
    uint32_t *retries; /* by retrier; NULL: none yet */
    struct timer timer;
    int64_t timeout_due_ms, heartbeat_due_ms, heartbeat_ms; /* of a task; INT64_MAX, 0: none */
    uint64_t secret;                                        /* of the token */
    bool submitted;           /* .waitForTaskToken, .sync: the service took it */
    bool out;                 /* the host knows the token */
    struct asl_blob *payload; /* of a task that the host does not know yet */
    struct asl_blob *role;
    struct asl_blob *submitted_output;
    enum outcome outcome;
    bool outcome_submitted, outcome_too_large;
    struct asl_blob *outcome_text, *outcome_error, *outcome_cause;
    struct asl_blob *output; /* PHASE_DONE */
    struct fork *fork;
    struct reading *reading; /* PHASE_READER */
    struct sources *sources; /* of a Map's items; NULL: what the state was given, or nobody asks */
    bool ready, dirty;
    struct frame *ready_next;
};

struct asl_execution {
    struct asl_execution_info info;
    struct asl_engine *engine;
    const struct asl_flow *flow; /* the machine's, or an item processor's */
    enum asl_machine_type type;
    struct asl_blob *name_text, *arn_text, *input_text, *output_text, *error_text, *cause_text;
    struct frame **frames; /* by id, growing */
    size_t frame_count, frame_cap;
    uint32_t next_frame, next_event;
    struct frame *ready_first, **ready_last;
    struct timer timer; /* TimeoutSeconds of the machine */
    bool queued, first_turn, redriven, ended, stopping, timed_out;
    bool overflowing; /* its history has no room for what happens: it fails of that (turn.c) */
    struct asl_execution *queue_next;
    /* frames that went in this turn */
    struct asl_frame_record *gone;
    size_t gone_count, gone_cap;
};

enum effect_kind { EFFECT_STARTED, EFFECT_TASK, EFFECT_CANCEL, EFFECT_ENDED };
struct effect {
    struct effect *next;
    uint64_t turn;
    enum effect_kind kind;
    uint64_t number, secret;
    uint32_t frame;
    bool again;
};

struct asl_engine {
    struct asl_host host;
    struct asl_journal journal;
    bool has_journal;
    const struct px_clock *clock;
    struct asl_jsonata *jsonata;
    uint64_t (*random)(void *ctx);
    void *random_ctx;
    size_t executions_max, live;
    uint64_t next_number;
    struct asl_execution *
        *list;         /* by number, growing; freed ones are NULL until the list is packed */
    uint64_t *numbers; /* beside it */
    size_t count, cap;
    struct asl_execution *queue_first, **queue_last;
    struct timers timers;
    struct effect *effect_first, **effect_last, *effect_free;
    uint64_t turns;
    struct px_arena step;
    struct px_buf events;
    uint32_t event_first, event_count;
    size_t
        event_kept; /* bytes of events when the one that is written began, if it is not to stay; else SIZE_MAX */
    struct px_buf record_text;
    struct asl_frame_record *records;
    size_t record_cap;
    bool in_turn, restoring;
};

/* ---- engine.c ---- */
void engine_ready(struct frame *frame); /* put it and its execution in the queues */
PX_MUST_USE int engine_effect(struct asl_execution *execution, enum effect_kind kind,
                              const struct frame *frame);
int64_t engine_now_ms(const struct asl_engine *engine);
PX_MUST_USE int engine_child(struct frame *parent, uint32_t index, struct asl_blob *input);
void engine_abort_children(struct frame *parent); /* child executions of a distributed Map */
void engine_token(const struct frame *frame, char text[ASL_TOKEN_BYTES]);

/* ---- frame.c ---- */
PX_MUST_USE int frame_new(struct asl_execution *execution, struct frame *parent, uint32_t index,
                          const struct asl_flow *flow, struct asl_blob *input,
                          struct frame **ret_frame);
struct frame *frame_find(const struct asl_execution *execution, uint32_t id);
void frame_forget(struct frame *frame,
                  bool record_gone); /* and everything below it; cancels what is out */
void frame_forget_children(
    struct frame *parent); /* with their records, also of those that are swept */
/* What is below a child that failed rests, until an ancestor forgets it or a redrive goes on with it: tasks are given up, nothing of
 * it moves, its records stay. */
PX_MUST_USE int frame_halt_children(struct frame *parent);
bool frame_is_halted(const struct frame *frame);
void frame_sweep(struct asl_execution *execution); /* children that are done and written */
void frame_clear_outcome(struct frame *frame);
void frame_clear_state(struct frame *frame); /* before it enters another state */
void fork_free(struct fork **fork);
void reading_free(struct reading **reading);

/* Where a Map's items come from (sources.c). */
struct sources;
void sources_free(struct sources **sources);
/* Items from `first` on come from the object, or from the list of the bucket where there is no key. */
PX_MUST_USE int sources_add(struct sources **sources, size_t first, struct px_str bucket,
                            struct px_str key);
struct px_str sources_find(const struct sources *sources, size_t item);
void sources_write(const struct sources *sources, struct px_buf *buf); /* a member of a record */
PX_MUST_USE int sources_read(yyjson_val *record, struct sources **ret_sources);
void fork_set(struct fork *fork, size_t index, enum child child);
/* The record of a frame, and back. */
void frame_write(const struct frame *frame, struct px_buf *buf);
PX_MUST_USE int frame_read(struct asl_execution *execution, const struct asl_frame_record *record,
                           bool redrive);

/* ---- turn.c ---- */
/* Begin an event of a frame (NULL: the execution) and of its details' object; members are added to the returned buffer; then
 * turn_event_end(). */
struct px_buf *turn_event(struct asl_execution *execution, struct frame *frame,
                          enum asl_event_type type);
void turn_event_end(struct asl_execution *execution);
void turn_member(struct px_buf *buf, const char *name, struct px_str text);      /* a JSON string */
void turn_member_json(struct px_buf *buf, const char *name, struct px_str json); /* as it is */
void turn_failure(struct px_buf *buf, struct px_str error, struct px_str cause);
void turn_bare(struct asl_execution *execution, struct frame *frame, enum asl_event_type type);
void turn_touch(struct frame *frame); /* its record is to be written */
void turn_begin(struct asl_engine *engine);
PX_MUST_USE int turn_end(struct asl_execution *execution);

/* ---- step ---- */
struct step {
    struct asl_engine *engine;
    struct asl_execution *execution;
    struct frame *frame;
    const struct asl_state *state;
    struct asl_values values;
    struct asl_scope scope;
    struct asl_failure failure;
    bool
        evaluation; /* the failure came from evaluating the definition: its cause names the state */
};
/* One transition of a ready frame (step.c). */
PX_MUST_USE int step_frame(struct frame *frame);
PX_MUST_USE int step_begin(struct frame *frame, struct step *ret_step);

/* dataflow.c. ASL_FAILED with step->failure. */
PX_MUST_USE int step_effective_input(struct step *step, yyjson_mut_val **ret_value); /* InputPath */
PX_MUST_USE int step_payload(struct step *step, const struct asl_template *payload,
                             yyjson_mut_val **ret_value);
PX_MUST_USE int step_fail(struct step *step, const char *error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The state's result becomes its output; the frame goes on or ends.
 *   result  NULL: the state has none, its (effective) input passes through
 *   assign, output, next  those of the state, or of a Choice rule */
struct leaving {
    yyjson_mut_val *result;
    const struct asl_template *assign, *output;
    const struct asl_state *next;
    bool error_output;                        /* a Catch: result is the error output */
    const struct asl_path_field *result_path; /* NULL: the state's */
};
PX_MUST_USE int step_leave(struct step *step, const struct leaving *leaving);
PX_MUST_USE int step_end_frame(struct step *step, struct asl_blob *output);
/* A number from a field; ret_given false when absent. Answers: ASL_FAILED. */
PX_MUST_USE int step_field(struct step *step, const struct asl_field *field, yyjson_mut_val *input,
                           yyjson_mut_val **ret_value);
struct px_str step_text(struct step *step,
                        yyjson_mut_val *value); /* strings bare, others as JSON; "" on a fault */
PX_MUST_USE int step_context(struct step *step, const struct frame *frame,
                             yyjson_mut_val **ret_context);

/* states.c, fork.c: try the state. */
PX_MUST_USE int state_attempt(struct step *step);
PX_MUST_USE int task_attempt(struct step *step);
PX_MUST_USE int task_outcome(struct step *step);
PX_MUST_USE int parallel_attempt(struct step *step);
PX_MUST_USE int map_attempt(struct step *step);
PX_MUST_USE int map_reader_outcome(struct step *step);
PX_MUST_USE int map_writer_outcome(struct step *step);
PX_MUST_USE int fork_progress(struct step *step);
PX_MUST_USE int map_begin(struct step *step, yyjson_mut_val *input, yyjson_mut_val *items);
/* A child's input from its item, by ItemSelector where there is one. */
PX_MUST_USE int map_child_input(struct step *step, size_t index, struct asl_blob **ret_input);
PX_MUST_USE int map_broken(struct step *step); /* the state fails of its children */
/* reader.c */
PX_MUST_USE int map_reader_attempt(struct step *step, yyjson_mut_val *input);
/* A call of a Map's own, in PHASE_READER or PHASE_WRITER. */
PX_MUST_USE int map_call(struct step *step, struct px_str payload, enum phase phase);
/* writer.c */
bool map_writes(const struct asl_state *state); /* its results go to files */
PX_MUST_USE int map_writer_attempt(struct step *step);
PX_MUST_USE int map_transform(struct step *step, yyjson_mut_val **results);
/* What is kept of a child for the files, an object's text in `arena`; nothing of one whose output is all that is written. */
PX_MUST_USE int map_child_end(const struct asl_state *state, const struct asl_child_end *end,
                              struct px_arena *arena, struct px_str *ret_text);
/* "arn:...:mapRun:machine/label:<uuid>": the same each time. */
PX_MUST_USE int map_run_arn(const struct frame *frame, uint32_t run, struct px_arena *arena,
                            struct px_str *ret_arn);

/* retry.c: the state failed (step->failure): retry, catch, or fail the frame. */
PX_MUST_USE int step_failed(struct step *step);
PX_MUST_USE int step_fail_frame(struct step *step);
PX_MUST_USE int execution_end(struct asl_execution *execution, enum asl_status status,
                              struct asl_blob *output, struct px_str error, struct px_str cause);
