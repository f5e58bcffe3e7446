/* store/hot_fence.h - whose turn it is to write a tenant's hot files while the tenant moves between regions.
 *
 * A fence is one small file in the tenant's folder, `.fence`. It stands where the frames stand, so that
 * a writer that has put its frame on stable storage and then finds no fence knows: whoever raises one
 * later and lists the folder then, finds the frame. No cache between the two can say otherwise.
 * docs/design/migration.md has the states and what follows from them. */
#pragma once

#include "store/hot.h"

enum hot_fence_state {
    HOT_FENCE_NONE,     /* never moved: the registry alone says where the tenant is */
    HOT_FENCE_HOME,     /* at home here since `epoch` */
    HOT_FENCE_LEAVING,  /* nothing is taken any more; still read here */
    HOT_FENCE_LEFT,     /* at home in `region` since `epoch` */
    HOT_FENCE_ARRIVING, /* comes from `region`; neither taken nor read yet */
    HOT_FENCE_THAWED, /* taken and read as at home while a move goes on: before its freezes and between them */
    HOT_FENCE_SPOOLING, /* leaving, and it takes long: taken into a spool (hot_spool.h), not read any more */
    HOT_FENCE_TAKING, /* taken here, and not read yet: records of a spool are still to come */
};
#define HOT_FENCE_REGION_BYTES 64
struct hot_fence {
    enum hot_fence_state state;
    int64_t epoch;
    char region[HOT_FENCE_REGION_BYTES]; /* the other one; empty for NONE and HOME */
    /* LEAVING: wall time at which whoever sees it may thaw it; 0: it stays until the move says. It is the number
     * of this freeze as well: each one of an epoch has a higher one. THAWED: the number of the freeze before. */
    int64_t until_ms;
    /* LEAVING without an end, SPOOLING, LEFT: wall time from which records go into a spool, since nobody knows yet where
     * the tenant is; 0: never. LEFT with one is not final: LEFT without one is to follow. */
    int64_t spool_ms;
};
struct px_str hot_fence_state_name(enum hot_fence_state state);
PX_MUST_USE bool hot_fence_state_parse(struct px_str name, enum hot_fence_state *ret_state);

/* The fence as it is when the call is made, whatever this machine has cached of a shared file system.
 * Two system calls when there is none. Faults: PX_F_CORRUPT, PX_F_IO: nobody knows, so nothing may be
 * acknowledged. */
PX_MUST_USE int hot_fence_read(struct hot_store *store, struct px_str tenant,
                               struct hot_fence *ret_fence);

/* Raise or change it; on stable storage when the call returns, and then every later hot_fence_read() gives it.
 * One that stands already is fine. A higher epoch replaces any that has no spool to be thought of (hot_fence_is_open());
 * of one epoch, LEAVING becomes LEFT (not as long as it has an end) or HOME, THAWED becomes LEAVING or HOME, SPOOLING
 * becomes LEFT or TAKING, ARRIVING becomes TAKING, HOME or LEFT, TAKING becomes HOME, LEFT loses its spool, and HOME and
 * LEFT without one are final.
 * Answers: HOT_FENCE_STALE: another stands that does not give way; it is in ret_fence (may be NULL). */
enum hot_fence_answer { HOT_FENCE_STALE = 1, HOT_FENCE_HELD };
PX_MUST_USE int hot_fence_raise(struct hot_store *store, struct px_str tenant,
                                const struct hot_fence *fence, struct hot_fence *ret_fence);
/* Raise LEAVING with an end, also over THAWED of the same epoch. One of this epoch that stands is left as it is.
 * ret_fence: what stands then, with the number of the freeze. Answers: HOT_FENCE_STALE. */
PX_MUST_USE int hot_fence_freeze(struct hot_store *store, struct px_str tenant,
                                 const struct hot_fence *fence, struct hot_fence *ret_fence);
/* Take the end away from this very freeze, before it is over: it was not thawed in between, so nothing was taken
 * since it was raised. spool_ms: as in the fence. Answers: HOT_FENCE_STALE: it was thawed, or its time is over. */
PX_MUST_USE int hot_fence_close(struct hot_store *store, struct px_str tenant, int64_t epoch,
                                int64_t until_ms, int64_t spool_ms, int64_t now_ms);
/* LEAVING whose spool_ms is over becomes SPOOLING; whoever sees it may do that. ret_fence: what stands then, whatever
 * the answer. Answers: HOT_FENCE_HELD: somebody else changes it right now. */
PX_MUST_USE int hot_fence_spool(struct hot_store *store, struct px_str tenant, int64_t now_ms,
                                struct hot_fence *ret_fence);
/* LEAVING with an end becomes THAWED. ret_fence: what stands then, whatever the answer.
 *   wait   false: HOT_FENCE_HELD instead of waiting for another's change
 * Answers: HOT_FENCE_STALE: it is final, or of a later epoch. An earlier one, or none, is left as it is. */
PX_MUST_USE int hot_fence_thaw(struct hot_store *store, struct px_str tenant, int64_t epoch,
                               bool wait, struct hot_fence *ret_fence);
/* May whoever sees this fence thaw it? */
static inline bool hot_fence_is_over(const struct hot_fence *fence, int64_t now_ms)
{
    return fence->state == HOT_FENCE_LEAVING && fence->until_ms != 0 && now_ms >= fence->until_ms;
}
/* May records go into the spool, or, while it is LEAVING, may it begin? */
static inline bool hot_fence_may_spool(const struct hot_fence *fence, int64_t now_ms)
{
    bool state = fence->state == HOT_FENCE_LEFT || fence->state == HOT_FENCE_SPOOLING ||
                 (fence->state == HOT_FENCE_LEAVING && fence->until_ms == 0);
    return state && fence->spool_ms != 0 && now_ms >= fence->spool_ms;
}
/* There may be records in a spool, here or in the other region, that no query finds yet. */
static inline bool hot_fence_is_open(const struct hot_fence *fence)
{
    return fence->state == HOT_FENCE_SPOOLING || fence->state == HOT_FENCE_TAKING ||
           (fence->state == HOT_FENCE_LEFT && fence->spool_ms != 0);
}
/* The fence, and nobody can raise another until the caller closes *ret_fd: for changes that must not be made
 * under a later one. A process that dies lets go. */
PX_MUST_USE int hot_fence_hold(struct hot_store *store, struct px_str tenant,
                               struct hot_fence *ret_fence, int *ret_fd);
/* Take the file away, for a tenant that is deleted; absent is fine. */
PX_MUST_USE int hot_fence_remove(struct hot_store *store, struct px_str tenant);

/* Let this machine see what others wrote: the tenant's folders and files are asked for at the server, so
 * that the next hot_list() and hot_reader_open() have every frame that was stored before this call. */
PX_MUST_USE int hot_refresh(struct hot_store *store, struct px_str tenant, struct px_arena *arena);
