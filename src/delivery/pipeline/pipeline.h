/* delivery/pipeline/pipeline.h - runs of a pipeline: begun, driven, looked at, decided on, taken back.
 *
 * A run is its journal (journal.h). Whoever drives it writes each transition before its effect, so a run that was cut off anywhere is
 * driven on by anybody who has the store: the step at work is run again, all others are as they were. One run at a time: the
 * next one begins when the last one has ended. docs/design/pipeline.md has the states and why they hold. */
#pragma once

#include "delivery/pipeline/lease.h"
#include "delivery/pipeline/state.h"

struct pipeline; /* opaque */

enum pipeline_answer {
    PIPELINE_FAILED = 1,  /* the run failed; its stage went back */
    PIPELINE_ABORTED,     /* likewise, because somebody asked for it */
    PIPELINE_WAITS,       /* for an approval */
    PIPELINE_INTERRUPTED, /* by on_interrupt; resume goes on */
    PIPELINE_STUCK,       /* a step could not be taken back: a person has to see to it */
    PIPELINE_LOST,        /* somebody else took the run over */
    PIPELINE_BUSY,        /* somebody else drives a run, or the last one has not ended */
    PIPELINE_NONE,        /* there is no such run, or nothing to do for it */
    PIPELINE_REFUSED,     /* a decision that may not be made */
    PIPELINE_INVALID,     /* the pipeline's definition has errors */
    PIPELINE_PAUSED,      /* behind the stage that it was asked for; resume goes on */
};

struct pipeline_options {
    const char *state_url; /* folder or s3://bucket/prefix */
    struct cloud_shared *cloud;
    const struct px_clock *clock;
    const struct action_table *actions;
    const char *who;      /* for the audit log */
    const char *root;     /* sources; absolute */
    const char *work_dir; /* absolute; a folder for each run is made in it */
    const char *file;     /* platform/pipeline.json, for run */
    const char
        *overlay; /* a file of what this run does otherwise (definition_overlay.h); NULL: none */
    const char *release; /* folder or URL with release.json; NULL: a step of the run makes one */
    const char *until;   /* a stage: the run ends behind it; NULL: the last one */
    const char
        *pause_behind; /* a stage: return when it is done, the run being resumable; NULL: none */
    const char
        *key;    /* of run: when the last run began with this key, drive that one on; NULL: none */
    bool wait;   /* for another run, or its holder, to end */
    bool attend; /* stay while an approval is waited for */
    /* Something has changed. progress: of the step at work, or NULL. */
    void (*on_change)(void *ctx, const struct state *state, const struct entry *entry,
                      const struct action_progress *progress);
    bool (*on_interrupt)(void *ctx);               /* true: leave it resumable and return */
    void (*on_wait)(void *ctx, struct px_str why); /* waiting for somebody else; once in a while */
    void *ctx;
};
/* options and what it points to are borrowed. */
PX_MUST_USE int pipeline_open(const struct pipeline_options *options,
                              struct pipeline **ret_pipeline);
void pipeline_close(struct pipeline **pipeline);
/* What the last call ended with, in words for people with what to do. */
struct px_str pipeline_said(const struct pipeline *pipeline);
/* The state of the run that was worked on or loaded; NULL: none. */
const struct state *pipeline_state(const struct pipeline *pipeline);
/* What its holder said last, as JSON text; empty: nothing. */
PX_MUST_USE int pipeline_progress(struct pipeline *pipeline, struct px_arena *arena,
                                  struct px_str *ret_json);

/* Begin a run and drive it. Answers: all of enum pipeline_answer. */
PX_MUST_USE int pipeline_run(struct pipeline *pipeline);
/* Begin a run that takes an environment back to a release that it had, and drive it: rollback.c.
 *
 *   environment  empty: the only one that got anything
 *   regions      of it; none: all, and the stack that they share
 *   to           a release's id or how it begins; empty: the release before
 *   plan_only    say what would change, and change nothing
 *   emergency    why nobody is asked for an approval; empty: the environment's approval is asked for
 *
 * Answers: all of enum pipeline_answer; PIPELINE_REFUSED: it must not be, and nothing was touched. */
struct pipeline_way_back {
    struct px_str environment, to, emergency;
    struct px_str regions[64];
    size_t region_count;
    bool plan_only;
};
PX_MUST_USE int pipeline_rollback(struct pipeline *pipeline, const struct pipeline_way_back *way);
/* Drive the last run on. Answers: all but PIPELINE_INVALID. */
PX_MUST_USE int pipeline_resume(struct pipeline *pipeline);
/* The last run shall go back. Its holder does it when there is one, else this call.
 *   leave  end it as it stands, taking nothing back: for a run that is stuck
 * Answers: 0 and PIPELINE_ABORTED when it went back, PIPELINE_BUSY when its holder was told, others as above. */
PX_MUST_USE int pipeline_abort(struct pipeline *pipeline, struct px_str why, bool leave);
/* Approve or reject what the last run waits for.
 *   plan  the digest that was looked at; empty: whichever waits
 * Answers: PIPELINE_NONE, PIPELINE_REFUSED. */
struct pipeline_decision {
    bool approve;
    struct px_str plan, why;
};
PX_MUST_USE int pipeline_decide(struct pipeline *pipeline,
                                const struct pipeline_decision *decision);
/* Read a run; 0: the last one. Again: what is new of it. Answers: PIPELINE_NONE. */
PX_MUST_USE int pipeline_load(struct pipeline *pipeline, uint32_t run);
/* Each entry of a run, or from the first run to the last; fn ends the walk with a non-zero result. Answers: PIPELINE_NONE. */
PX_MUST_USE int pipeline_history(struct pipeline *pipeline, uint32_t run,
                                 int (*fn)(void *ctx, const struct entry *entry), void *ctx);
PX_MUST_USE int pipeline_check(struct pipeline *pipeline, struct px_str tip,
                               struct px_buf *problems, uint64_t *ret_entries,
                               unsigned *ret_problems, char ret_tip[DIGEST_HEX_BYTES]);
