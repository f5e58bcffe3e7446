/* delivery/pipeline/engine.h - between the files of the engine: the open pipeline, and how it writes its journal. */
#pragma once

#include "delivery/pipeline/journal.h"
#include "delivery/pipeline/pipeline.h"

#define ENGINE_ARENA_BYTES ((size_t)1 << 30)
#define ENGINE_STEP_ARENA_BYTES ((size_t)256 << 20)

struct pipeline {
    const struct pipeline_options *options;
    struct object_store *store, *lease_store;
    struct px_arena arena; /* of the run that is loaded */
    struct definition definition;
    struct journal journal;
    struct state state;
    bool loaded;
    bool holds; /* the run, under the state's fence */
    uint32_t fence;
    struct lease lease;
    struct px_buf said;
    struct px_buf error;         /* of an action */
    struct px_arena *step_arena; /* of the action that runs */
    bool interrupted;
    size_t at;               /* the step at work */
    bool undoing;            /* or rather its undo */
    const char *asked;       /* what begins the run, when it is no file; NULL */
    struct px_str emergency; /* of the run that is begun: why nobody is asked */
};

/* ---- pipeline.c ---- */
/* The pipeline's file, as text and read. Answers: PIPELINE_INVALID, said. */
PX_MUST_USE int engine_read_definition(struct pipeline *p, struct px_buf *text,
                                       struct px_arena *arena, struct definition *definition);
/* Until the last run, which is loaded, has ended. Answers: PIPELINE_BUSY, said. */
PX_MUST_USE int engine_wait_for_turn(struct pipeline *p);
/* Begin the run behind the one that is loaded, with the pipeline `text`; definition: whose overlay the log tells. Then it is the loaded one. The number of the run is its first
 * entry; of two that want one, one gets it. Answers: JOURNAL_TAKEN. */
PX_MUST_USE int engine_begin(struct pipeline *p, struct px_str text,
                             const struct definition *definition,
                             const struct action_release *release);

/* ---- engine_load.c ---- */
/* Forget what is loaded and read a run from its beginning. Answers: PIPELINE_NONE. */
PX_MUST_USE int engine_load(struct pipeline *p, uint32_t run);
/* What others wrote since. */
PX_MUST_USE int engine_catch_up(struct pipeline *p);
/* Write an entry. who and fence are filled in for who holds the run. Faults: PX_F_BUSY: it was lost. */
PX_MUST_USE int engine_append(struct pipeline *p, struct entry *entry, struct px_str data);
/* Likewise from somebody who does not hold it. Answers: JOURNAL_TAKEN: look again, somebody was quicker. */
PX_MUST_USE int engine_append_once(struct pipeline *p, struct entry *entry, struct px_str data);
void engine_say(struct pipeline *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool engine_is_lost(struct pipeline *p);
bool engine_is_interrupted(struct pipeline *p);

/* ---- engine_hold.c ---- */
/* Take the loaded run to drive it. Answers: PIPELINE_BUSY, said by whom. */
PX_MUST_USE int engine_take(struct pipeline *p);
/* Stop driving it, in words for the log. Nothing is done when it was lost. */
void engine_release(struct pipeline *p, const char *why);
/* Who holds it, in words. */
void engine_say_holder(struct pipeline *p);

/* ---- engine_act.c ---- */
/* Run the action of step `at`, or its undo; its result is JSON text in ret_result. Answers: enum action_answer, with p->error. */
PX_MUST_USE int engine_act(struct pipeline *p, size_t at, bool undo, struct px_buf *ret_result);
/* The digest of the plan that step `at` is about. */
struct px_str engine_plan_of(const struct pipeline *p, size_t at);

/* ---- engine.c ---- */
PX_MUST_USE int engine_drive(struct pipeline *p);
/* Seconds to pass; false: something has come up before. */
PX_MUST_USE bool engine_pause(struct pipeline *p, int64_t s);
/* ---- engine_back.c ---- */
/* Take back what is left to take back of the stage, then end the run. Answers: PIPELINE_FAILED, PIPELINE_ABORTED, PIPELINE_STUCK,
 * PIPELINE_INTERRUPTED. */
PX_MUST_USE int engine_go_back(struct pipeline *p);
/* The stage of step `at` shall go back. */
PX_MUST_USE int engine_turn_back(struct pipeline *p, size_t at, struct px_str why);
PX_MUST_USE int engine_end(struct pipeline *p, const char *outcome, struct px_str why);
