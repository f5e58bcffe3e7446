/* region/workflows_internal.h - what the files of the workflows share: workflows.c (the engine in the loop, commits), workflows_runs.c
 * (executions that somebody waits for), workflows_start.c (starting and redriving), workflows_machines.c (versions and aliases),
 * workflows_restore.c, workflows_api*.c (the protocol), connect*.c.
 *
 * Vocabulary. A *run* is a live execution as the region knows it: its name, and who waits for it. An *answer* is a reply that is held
 * back until a turn is on stable storage. */
#pragma once

#include "region/connect.h"
#include "region/figures.h"
#include "region/workflows.h"
#include "store/machines.h"
#include "store/objects.h"

#define RUN_BUCKETS 4096
#define EXECUTION_NAME_MAX 80
#define MACHINE_ALIAS_BYTES 81 /* the longest name of one, with its end */

struct run;
/* Somebody who waits for a run's start or end. */
struct run_waiter {
    struct run_waiter *next;
    bool for_start;
    /* NULL: the region is closing, or the execution could not be started. Called once. */
    void (*told)(void *ctx, const struct asl_execution_info *info);
    void *ctx;
};
struct run {
    struct run *chain;
    uint64_t number;
    const struct workflow_machine *machine; /* NULL: it is no more */
    struct px_str name;                     /* its own */
    struct px_str task;  /* token of the task that waits for its end; its own; empty: none */
    uint32_t version;    /* of the machine; 0: started without one */
    struct px_str alias; /* that led to it; its own; empty: none */
    bool started, express;
    struct run_waiter *waiters;
};
/* A reply that waits until the execution's next turn is committed. */
struct answer {
    struct answer *next;
    uint64_t number; /* of the execution */
    uint64_t turn;   /* 0: it had none yet */
    void (*ready)(void *ctx, bool committed);
    void *ctx;
};
/* A definition that some execution runs on. */
struct version {
    struct version *next;
    uint64_t definition;
    struct asl_program *program;
};
/* A machine's versions and aliases as the journal has them. */
struct machine_kept {
    struct px_arena arena; /* holds the record */
    struct machine_record record;
};
/* What executions that were started on one version by one name did, in this process. */
struct machine_figures {
    struct machine_figures *next;
    uint32_t version;                /* 0: on none */
    char alias[MACHINE_ALIAS_BYTES]; /* that led to it; empty: none */
    struct figures *figures;
};
struct machine_holder {        /* one for each machine of the catalogue */
    struct machine_kept *kept; /* NULL: nobody ever changed it */
    struct machine_figures *figures;
    size_t figures_count;
};
struct name_note {
    struct name_note *next;
    uint64_t number;
    const struct workflow_machine *machine;
    char name[EXECUTION_NAME_MAX + 1];
};
struct machine_timer {
    struct workflows *workflows;
    uv_timer_t timer;
    const struct workflow_machine *machine;
    const struct workflow_schedule *schedule;
};

struct workflows {
    struct workflows_options options;
    struct px_arena arena; /* of the catalogue */
    struct workflow_catalogue catalogue;
    struct asl_jsonata *jsonata;
    struct asl_engine *engine;
    struct version *versions;
    struct machine_holder *holders; /* by index of the catalogue */
    /* the journal */
    struct execution_store *writer, *reader;
    struct execution_batch batches[2];
    unsigned filling;
    bool committing;
    uint64_t committing_turns;
    uv_work_t commit;
    int commit_result;
    char commit_error[512];
    uint32_t retry_ms;
    uv_timer_t timer, housekeeping, recovery;
    bool moving; /* inside the pump */
    /* who waits */
    struct run *runs[RUN_BUCKETS];
    size_t run_count, express_count;
    struct answer *answers;
    size_t lookups;          /* of names, under way */
    struct name_note *fresh; /* names given while there are lookups */
    /* calls */
    struct worker reading, working;
    struct connection *connections;
    struct table_store *tables; /* the working thread's */
    struct object_store *objects[2];
    /* life */
    struct machine_timer *machine_timers;
    size_t machine_timer_count;
    bool draining, closed;
    void (*drained)(void *ctx);
    void *drained_ctx;
    struct workflows_stats stats;
};

/* workflows.c */
void workflows_wake(struct workflows *w); /* the engine has something to do */
struct px_str workflows_machine_name(
    const struct asl_execution_info *info); /* as the journal has it */
uint64_t workflows_definition(const struct workflows *w, const struct asl_program *program);
/* The program of a definition, borrowed; NULL when it is an old one that was not needed yet. */
struct asl_program *workflows_known_program(const struct workflows *w, uint64_t definition);
/* The program of a machine as it is now, borrowed; compiled the first time. */
PX_MUST_USE int workflows_machine_program(struct workflows *w,
                                          const struct workflow_machine *machine,
                                          struct asl_program **ret_program);
/* The program of a definition, parsed from `text` when it is not known. Faults: PX_F_CORRUPT when it is refused now. */
PX_MUST_USE int workflows_program(struct workflows *w, uint64_t definition, struct px_str machine,
                                  struct px_str text, struct asl_program **ret_program);
PX_MUST_USE int answer_later(struct workflows *w, uint64_t number,
                             void (*ready)(void *ctx, bool committed), void *ctx);

/* Those that wait for a turn of an execution that was put down. */
void answers_refuse(struct workflows *w, uint64_t number);

/* workflows_runs.c */
struct run *run_find(const struct workflows *w, uint64_t number);
/* name and task are copied. */
PX_MUST_USE int run_add(struct workflows *w, uint64_t number,
                        const struct workflow_machine *machine, struct px_str name,
                        struct px_str task, struct run **ret_run);
/* alias is copied. */
PX_MUST_USE int run_set_version(struct run *run, uint32_t version, struct px_str alias);
struct run *run_of_name(const struct workflows *w, const struct workflow_machine *machine,
                        struct px_str name);
struct run *run_of_task(const struct workflows *w, struct px_str token);
PX_MUST_USE int run_wait(struct run *run, bool for_start,
                         void (*told)(void *ctx, const struct asl_execution_info *info), void *ctx);
void run_started(struct workflows *w, const struct asl_execution_info *info);
void run_ended(struct workflows *w, const struct asl_execution_info *info);
/* The end of an execution that the journal knows, to the task that waits for it. */
PX_MUST_USE int run_tell_ended(struct workflows *w, const struct execution_row *row);
void runs_sweep(struct workflows *w); /* those that are not in the engine end, for whoever waits */
void runs_close(struct workflows *w); /* all waiters are told NULL */

/* workflows_machines.c */
enum { MACHINE_ABSENT = 1 }; /* no such version or alias */
/* What a start runs on. */
struct machine_choice {
    uint32_t version;    /* 0: none, what the machine is now */
    struct px_str alias; /* empty: none */
    uint64_t definition; /* 0: the platform's */
};
/* By a version's number or an alias, which draws by its weights; empty: what the machine is now. Answers: MACHINE_ABSENT. */
PX_MUST_USE int machine_choose(const struct workflows *w, const struct workflow_machine *machine,
                               struct px_str qualifier, struct px_arena *arena,
                               struct machine_choice *ret_choice);
PX_MUST_USE int machines_load(struct workflows *w); /* once the writer is open */
void machines_free(struct workflows *w);
bool machine_is_kept(const struct workflows *w, const struct workflow_machine *machine);
/* As it is now, borrowed until the loop goes on; definitions are 0 in a machine that nobody changed. */
PX_MUST_USE int machine_record_now(const struct workflows *w,
                                   const struct workflow_machine *machine, struct px_arena *arena,
                                   struct machine_record *ret_record);
/* In a thread: what there is, or what a machine has that nobody changed, to be changed and written. */
PX_MUST_USE int machine_kept_read(struct execution_store *store,
                                  const struct workflow_machine *machine,
                                  struct machine_kept **ret_kept);
void machine_kept_free(struct machine_kept **kept);
/* In the loop, after it was written: from now on starts go by it. */
void machine_install(struct workflows *w, const struct workflow_machine *machine,
                     struct machine_kept **kept);

/* An execution of the run began, or ended. */
void machine_count(struct workflows *w, const struct run *run,
                   const struct asl_execution_info *info, bool ended);
/* One was not begun, because too many run. */
void machine_count_refused(struct workflows *w, const struct workflow_machine *machine,
                           uint32_t version, struct px_str alias);

/* workflows_start.c */
enum start_outcome {
    START_OK,
    START_ABSENT, /* the machine has no such version or alias */
    START_EXISTS, /* the name is taken, by another input or an execution that ended */
    START_BAD_NAME,
    START_BAD_INPUT,
    START_FULL,
    START_CLOSING,
    START_FAULT,
};
struct start_result {
    enum start_outcome outcome;
    struct px_str arn;
    int64_t start_ms;
    const struct asl_execution_info *info; /* of the end, when that was waited for */
};
struct start_request {
    const struct workflow_machine *machine;
    struct px_str qualifier; /* a version's number or an alias; empty: what the machine is now */
    struct px_str name;      /* empty: a new UUID */
    struct px_str input;
    struct px_str task; /* token of a task that waits for the end; empty: none */
    bool same_task;     /* an execution of this name that was started for `task` is the one */
    bool until_end;     /* done is called at the end, not at the start */
    /* Called once, later or at once; result's views live during the call. */
    void (*done)(void *ctx, const struct start_result *result);
    void *ctx;
};
void workflows_start(struct workflows *w, const struct start_request *request);
bool execution_name_ok(struct px_str name);
/* An ended execution as the journal has it, and the executions of its distributed Maps: what a redrive needs. */
struct redrive_part {
    struct execution_row row;
    struct execution_frame *frames;
    size_t frame_count;
};
struct redrive_plan {
    struct px_arena arena;
    struct redrive_part top;
    struct redrive_part *children;
    size_t child_count;
    struct px_str definition; /* its text */
};
/* In a thread. Answers: EXECUTION_ABSENT. */
PX_MUST_USE int redrive_read(struct execution_store *store, struct px_str machine,
                             struct px_str name, struct redrive_plan *plan);
/* In the loop. Faults: PX_F_CORRUPT. */
PX_MUST_USE int redrive_apply(struct workflows *w, const struct redrive_plan *plan);

/* workflows_restore.c */
/* Executions that run by the journal and not in the engine, read from `store`, go on. */
PX_MUST_USE int workflows_restore(struct workflows *w, struct execution_store *store);
PX_MUST_USE int restore_one(struct workflows *w, struct asl_program *program,
                            const struct execution_row *row, const struct execution_frame *frames,
                            size_t frame_count, bool redrive);
/* A child that ended, to its parent. */
PX_MUST_USE int restore_ended(struct workflows *w, const struct execution_row *child);

/* connect.c */
void connect_task(struct workflows *w, const struct asl_task_call *call);
void connect_cancel(struct workflows *w, struct px_str token);
void connect_close(struct workflows *w); /* free what is left, after the loop */

/* workflows_messages.c */
void workflow_event(struct workflows *w, struct px_str row); /* into _system.workflow_events */
