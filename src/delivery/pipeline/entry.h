/* delivery/pipeline/entry.h - one line of a run's journal, which is its audit log as well: who did what, when, to which step, for
 * which release and plan. Each holds the SHA-256 of the one before it, so that a line that was changed or taken out shows.
 *
 *   {"run":17,"seq":4,"at":"2026-11-27T11:20:31.123Z","prev":"<hex>","id":"<random>","fence":1,"who":"ada","event":"step-done",
 *    "step":"dev/plan","stage":"dev","release":"4f…","plan":"9c…","data":{...}} */
#pragma once

#include "base/px_arena.h"
#include "base/px_json.h"
#include "store/digest.h"

#define ENTRY_BYTES_MAX (4u << 20)
#define ENTRY_ID_BYTES 33
#define ENTRY_NO_PREV "0000000000000000000000000000000000000000000000000000000000000000"

/*      name                   text */
#define ENTRY_EVENTS(X)                                                                            \
    X(RUN_STARTED, "run-started")   /* data: definition, file, place of the release */             \
    X(HELD, "held")                 /* somebody drives the run: host, pid; a new fence */          \
    X(RELEASED, "released")         /* and stops driving it: why */                                \
    X(STEP_STARTED, "step-started") /* before its action runs: attempt */                          \
    X(STEP_NOTED, "step-noted")     /* what the action said */                                     \
    X(STEP_WAITS, "step-waits")     /* for a person: digest, expires */                            \
    X(APPROVED, "approved")                                                                        \
    X(REJECTED, "rejected")                                                                        \
    X(STEP_DONE, "step-done")     /* data: its result */                                           \
    X(STEP_FAILED, "step-failed") /* one attempt: why, and whether there is another */             \
    X(STAGE_DONE, "stage-done")                                                                    \
    X(ABORT_ASKED, "abort-asked")                                                                  \
    X(GOING_BACK, "going-back") /* a stage: why */                                                 \
    X(UNDO_STARTED, "undo-started")                                                                \
    X(UNDO_DONE, "undo-done")                                                                      \
    X(UNDO_FAILED, "undo-failed")                                                                  \
    X(WENT_BACK, "went-back") /* data: left, what a person has to do */                            \
    X(RUN_ENDED, "run-ended") /* data: outcome, why */

enum entry_event {
#define X(name, text) ENTRY_##name,
    ENTRY_EVENTS(X)
#undef X
};

struct entry {
    uint32_t run, seq;
    int64_t at_ns;
    struct px_str prev, id;
    uint32_t fence; /* of who drives; 0 from somebody who does not: approves, aborts */
    struct px_str who;
    enum entry_event event;
    struct px_str step, stage, release, plan; /* each may be empty */
    yyjson_val *data;                         /* an object, or NULL */
    char hash[DIGEST_HEX_BYTES];              /* of its text */
};

const char *entry_event_name(enum entry_event event);
/* The text, without data when it is NULL; data is JSON text. */
void entry_write(struct px_buf *buf, const struct entry *entry, struct px_str data);
/* Faults: PX_F_CORRUPT, with what is wrong. */
PX_MUST_USE int entry_read(struct px_str text, struct px_arena *arena, struct entry *ret_entry);
