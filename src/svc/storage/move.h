/* svc/storage/move.h - what a tenant's move does to its data. docs/design/migration.md has the order.
 *
 *   target:  greet   forget what an earlier stay left here, then raise the fence: arriving
 *   source:  pack    seal, then write down what there is, as objects under _moves/ of the segments store
 *   target:  fetch   copy what is written there and not here yet, then make the catalog say so
 *   target:  check   compare every dataset and every object with what was packed
 *   source:  freeze  raise the fence for a time: leaving, and nothing is taken until that is over
 *            close   what was packed under this very freeze is all: no end any more
 *            thaw    it took too long: records are taken again, and the move goes on with another round
 *            leave   decided: from here on the move goes forward
 *   target:  receive records are taken; queries are not answered yet
 *   source:  finish  no spool any more, and what was taken into it is handed over
 *   target:  settle  what was spooled is stored like any other record, and the target is the home
 *   source:  stay    given up: records are taken again, what was spooled is stored, then queries are answered
 *   any:     fence   the fence's next state
 *   either:  clean   the side that the tenant is not at home at any more forgets it
 *
 * Each may be killed at any instruction, repeated, and come late: changes of a catalog are made while the
 * fence is held, in the state and epoch that the step belongs to; objects have the epoch in their keys. */
#pragma once

#include "store/hot_fence.h"
#include "svc/storage/storage.h"

struct storage_move {
    struct px_str tenant;
    int64_t epoch;                             /* of the move */
    struct object_store *segments, *analytics; /* of the source, for fetch and check */
    int64_t deadline_mono_ns;                  /* as in storage_scope */
};
struct storage_moved {
    uint64_t datasets, segments, rows, bytes;
    uint64_t copied, copied_bytes; /* fetch: objects that were not there yet */
    uint64_t frames;               /* pack: sealed by this call */
    uint64_t differ;               /* check: datasets and objects that are not the same */
    uint64_t spooled;              /* settle, stay: requests that were told on, or known */
    int64_t freeze; /* freeze: its number; pack, fetch: under which it was packed; 0: none */
    bool last;      /* what was packed behind the fence: nothing comes after it */
    bool
        more; /* stopped at the deadline, a dataset was not sealed whole, or claims are under way: repeat */
};
/* Answers, of all: MOVE_FENCED: the fence is not what this step needs, so the step comes too early or too late.
 * MOVE_UNPACKED: the source wrote nothing down yet for this epoch. MOVE_DECIDED: it has left, and stay comes too late. */
enum storage_move_answer { MOVE_FENCED = 1, MOVE_UNPACKED, MOVE_DECIDED };

/* from: the source's region. */
PX_MUST_USE int storage_greet(struct storage *storage, const struct storage_move *move,
                              struct px_str from, struct storage_moved *moved);
PX_MUST_USE int storage_fence(struct storage *storage, const struct storage_move *move,
                              enum hot_fence_state state, struct px_str region);
/* for_ms: how long records are refused at most before anybody may thaw it. The freeze's number is in moved->freeze. */
PX_MUST_USE int storage_freeze(struct storage *storage, const struct storage_move *move,
                               struct px_str to, int64_t for_ms, struct storage_moved *moved);
/* spool_after_ms: how long writers wait for the decision, then a spool takes their records; 0: as long as it takes.
 * Answers: MOVE_FENCED as well when this freeze is over: then nothing is decided, and thaw is next. */
PX_MUST_USE int storage_close(struct storage *storage, const struct storage_move *move,
                              int64_t freeze, int64_t spool_after_ms);
PX_MUST_USE int storage_leave(struct storage *storage, const struct storage_move *move,
                              struct px_str to);
PX_MUST_USE int storage_receive(struct storage *storage, const struct storage_move *move);
PX_MUST_USE int storage_finish(struct storage *storage, const struct storage_move *move,
                               struct storage_moved *moved);
/* Without the source's segments: for a machine of an earlier release, whose source has no spool. */
PX_MUST_USE int storage_settle(struct storage *storage, const struct storage_move *move,
                               struct storage_moved *moved);
PX_MUST_USE int storage_stay(struct storage *storage, const struct storage_move *move,
                             struct storage_moved *moved);
PX_MUST_USE int storage_thaw(struct storage *storage, const struct storage_move *move);
PX_MUST_USE int storage_pack(struct storage *storage, const struct storage_move *move,
                             struct storage_moved *moved);
PX_MUST_USE int storage_fetch(struct storage *storage, const struct storage_move *move,
                              struct storage_moved *moved);
PX_MUST_USE int storage_check(struct storage *storage, const struct storage_move *move,
                              struct storage_moved *moved);
PX_MUST_USE int storage_clean(struct storage *storage, const struct storage_move *move,
                              struct storage_moved *moved);
/* Of clean: the spool's objects. */
PX_MUST_USE int move_spool_clean(struct storage *storage, const struct storage_move *move);
