/* delivery/pipeline/state.h - what a run's journal amounts to. The state is nothing but its entries, applied one by one; an entry
 * that does not fit the state is a fault.
 *
 *   step   pending -> running -> done            running -> waiting -> done
 *                     running -> failed -> running (another attempt)
 *          and when its stage goes back           -> rolled-back; what never began: skipped */
#pragma once

#include "delivery/pipeline/definition.h"
#include "delivery/pipeline/entry.h"

enum step_state {
    STEP_PENDING,
    STEP_RUNNING,
    STEP_WAITING,
    STEP_DONE,
    STEP_FAILED,
    STEP_ROLLED_BACK,
    STEP_SKIPPED
};
enum undo_state { UNDO_NONE, UNDO_RUNNING, UNDO_DONE, UNDO_FAILED };

struct state_note {
    struct state_note *next;
    yyjson_val *data;
};
struct state_step {
    enum step_state state;
    enum undo_state undo;
    uint32_t attempts, undo_attempts;
    bool final, undo_final; /* it failed and is not tried again by itself */
    bool again, undo_again; /* it was begun before and its end is not known */
    int64_t began_ns, ended_ns, undo_began_ns;
    yyjson_val *result;
    struct px_str error, undo_error;
    struct px_str undo_left; /* what a person has to do: its undo could take nothing back */
    struct state_note *notes, *undo_notes; /* oldest first */
    /* of a gate */
    struct px_str plan;
    int64_t asked_ns, expires_ns;
    bool approved, rejected;
    struct px_str decided_by, decided_why;
    int64_t decided_ns;
};
struct state_holder {
    bool held;
    struct px_str who, host, boot;
    int64_t pid, started; /* of its process, in the kernel's ticks */
    int64_t since_ns;
};
struct state {
    struct px_arena *arena; /* of all that is kept */
    const struct definition *definition;
    uint32_t run, seq, fence;
    char hash[DIGEST_HEX_BYTES];
    struct state_step *steps;
    bool *stages_done;
    struct px_str starter, definition_sha256, file, key; /* key: of who began it, may be empty */
    struct px_str until;                                 /* until: the last stage; empty: all */
    struct px_str emergency; /* why nobody is asked for an approval; empty: who is to be asked is */
    int64_t started_ns, ended_ns;
    struct action_release release;
    struct state_holder holder;
    bool aborting;
    struct px_str abort_by, abort_why;
    bool going_back, went_back; /* the stage of `back_stage` */
    size_t back_stage;
    struct px_str back_why;
    yyjson_val *left; /* array of texts: what a person has to do */
    bool ended;
    struct px_str outcome, why; /* "succeeded", "failed", "aborted", "left" */
};

const char *step_state_name(enum step_state state);
/* Before its first entry. */
void state_init(struct state *state, struct px_arena *arena);
/* Once the first entry says which pipeline it is. */
PX_MUST_USE int state_set_definition(struct state *state, const struct definition *definition);
/* Faults: PX_F_CORRUPT: it does not fit, and nothing was changed. The entry lies in the state's arena. */
PX_MUST_USE int state_apply(struct state *state, const struct entry *entry);
/* The step that is next or at work; step_count when all are done. */
size_t state_at(const struct state *state);
/* Of the stage that goes back the next step to take back; SIZE_MAX: none. */
size_t state_back_at(const struct state *state);
size_t state_step_of(const struct state *state, struct px_str path); /* SIZE_MAX: none */
/* {"<path>": result} of all steps that are done, as JSON text. */
void state_write_results(const struct state *state, struct px_buf *buf);
/* The whole state, for machines. progress: JSON text of what the holder said last, or empty. */
void state_write_json(const struct state *state, int64_t now_ns, struct px_str progress,
                      struct px_buf *buf);
