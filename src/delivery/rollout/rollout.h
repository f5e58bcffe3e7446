/* delivery/rollout/rollout.h - a new version of a function or a state machine gets the calls of its alias step by step, and goes back by
 * itself.
 *
 *   PROVING        the version starts: provisioned concurrency of one, ready, taken away again; a machine's is passed over
 *   BAKING step    the alias has the step's weight; time AND requests AND no alarm AND no regression (judge.h), then the next
 *   FINISHING      the alias points to the new version, without weights
 *   DONE, ROLLED_BACK, FAILED (the alias is not what a rollout left there: nothing is touched)
 *
 * Where the target stands is read from it at each turn. What the target does not know is in a journal, written before and
 * after each step: which versions, since when a step is baking, and the story. So a controller that was killed, on
 * whichever machine, is gone on with by running it again. Two at once do no harm: alias changes carry the revision that was
 * read, and who was told to take over ends the other. docs/design/rollout.md */
#pragma once

#include "delivery/rollout/judge.h"
#include "delivery/rollout/target.h"
#include "store/objects.h"

#define ROLLOUT_STEPS_MAX 8
#define ROLLOUT_ALIAS "live"

struct rollout_plan {
    double weights[ROLLOUT_STEPS_MAX]; /* ascending, to 1 */
    size_t count;
    int64_t bake_s;        /* of each step, at least */
    uint64_t requests_min; /* of the new version in each step, at least */
    int64_t patience_s;    /* a step that has not got them by then goes back */
    bool quiet_goes_on;    /* or on, in a function that is called seldom */
    int64_t poll_ms;
    uint32_t period_s; /* of figures; 60 of AWS */
    int64_t
        contact_s; /* out of reach for longer: back as soon as it is there again; for twice as long: given up */
    uint32_t keep;        /* versions that stay; 0: all */
    struct px_str alarms; /* prefix of names; empty: alarms of this function and of the API */
    struct judge_limits limits;
    bool force;     /* begin although alarms fire; those are not looked at */
    int64_t calm_s; /* how long to wait before it begins until none fires; not in the journal */
};
/* local: a region of this machine, whose figures have seconds and come at once. */
void rollout_plan_default(bool local, struct rollout_plan *ret_plan);

enum rollout_state {
    ROLLOUT_NONE, /* there was never one */
    ROLLOUT_PROVING,
    ROLLOUT_BAKING,
    ROLLOUT_FINISHING,
    ROLLOUT_RETURNING, /* on its way back */
    ROLLOUT_DONE,
    ROLLOUT_ROLLED_BACK,
    ROLLOUT_FAILED,
};
const char *rollout_state_name(enum rollout_state state); /* "baking", "rolled-back" */

/* How it stands; everything is borrowed during the call. */
struct rollout_view {
    struct px_str function;
    enum rollout_state state;
    int64_t from, to;
    size_t step, steps;
    double weight;
    bool paused;
    int64_t left_s; /* of the bake's time */
    uint64_t requests, requests_min;
    struct target_figures figures[2]; /* old and new, of this step */
    size_t alarms;                    /* that fire */
    struct px_str note;               /* what happened now; empty: nothing new */
};
struct rollout_options {
    struct rollout_target *target;
    struct object_store *store; /* of the journal */
    struct px_str region;       /* "local", or AWS's name: part of the journal's key */
    struct px_str function;     /* as Lambda knows it; of a target of machines, the machine */
    struct px_str who;          /* for the story */
    const struct px_clock *clock;
    int64_t
        only_version; /* of rollout_back(): refused when the rollout was of another one; 0: any */
    const _Atomic bool *called_off; /* may be NULL: stop soon and leave everything as it stands */
    void (*progress)(void *ctx, const struct rollout_view *view); /* may be NULL */
    void *ctx;
};
/* What to roll out: a version that is published, or code, which becomes one. All empty: the newest version; of a machine, what it is now. */
struct rollout_code {
    int64_t version;
    struct target_code code;
};
enum rollout_answer {
    ROLLOUT_WENT_BACK = 1, /* why: rollout_why() */
    ROLLOUT_REFUSED,       /* nothing was begun, or the alias is somebody else's */
    ROLLOUT_STOPPED,       /* called off; it stands as it stood */
    ROLLOUT_TAKEN,         /* another controller goes on */
    ROLLOUT_LOST,          /* out of reach for too long; it stands as it stood */
};
#define ROLLOUT_WHY_BYTES 512

/* Begin, or go on with the one that is under way for the same version; until its end. why: written for all but 0.
 * 0 is also for a version that is live already.
 * Faults: those of target and store, when it could not go back either; run it again. */
PX_MUST_USE int rollout_start(const struct rollout_options *options,
                              const struct rollout_plan *plan, const struct rollout_code *code,
                              char why[ROLLOUT_WHY_BYTES]);
/* Go on with the one that is under way, unpaused; ROLLOUT_REFUSED: there is none. */
PX_MUST_USE int rollout_resume(const struct rollout_options *options, char why[ROLLOUT_WHY_BYTES]);
/* No further step until it is resumed; going back is not held up. */
PX_MUST_USE int rollout_pause(const struct rollout_options *options, char why[ROLLOUT_WHY_BYTES]);
/* At once to the old version, or to the new one. back: also of one that is done, until the next is begun. */
PX_MUST_USE int rollout_back(const struct rollout_options *options, struct px_str reason,
                             char why[ROLLOUT_WHY_BYTES]);
PX_MUST_USE int rollout_promote(const struct rollout_options *options, char why[ROLLOUT_WHY_BYTES]);
/* A JSON object: the journal, and where the alias stands. {"state":"none"} when there was never a rollout. */
PX_MUST_USE int rollout_status(const struct rollout_options *options, struct px_buf *buf);
