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
};
#define HOT_FENCE_REGION_BYTES 64
struct hot_fence {
    enum hot_fence_state state;
    int64_t epoch;
    char region[HOT_FENCE_REGION_BYTES]; /* the other one; empty for NONE and HOME */
};
struct px_str hot_fence_state_name(enum hot_fence_state state);
PX_MUST_USE bool hot_fence_state_parse(struct px_str name, enum hot_fence_state *ret_state);

/* The fence as it is when the call is made, whatever this machine has cached of a shared file system.
 * Two system calls when there is none. Faults: PX_F_CORRUPT, PX_F_IO: nobody knows, so nothing may be
 * acknowledged. */
PX_MUST_USE int hot_fence_read(struct hot_store *store, struct px_str tenant,
                               struct hot_fence *ret_fence);

/* Raise or change it; on stable storage when the call returns, and then every later hot_fence_read() gives it.
 * One that stands already is fine. A higher epoch replaces any; of one epoch, LEAVING becomes LEFT or
 * HOME, ARRIVING becomes HOME or LEFT, and HOME and LEFT are final.
 * Answers: HOT_FENCE_STALE: another stands that does not give way; it is in ret_fence (may be NULL). */
enum hot_fence_answer { HOT_FENCE_STALE = 1 };
PX_MUST_USE int hot_fence_raise(struct hot_store *store, struct px_str tenant,
                                const struct hot_fence *fence, struct hot_fence *ret_fence);
/* The fence, and nobody can raise another until the caller closes *ret_fd: for changes that must not be made
 * under a later one. A process that dies lets go. */
PX_MUST_USE int hot_fence_hold(struct hot_store *store, struct px_str tenant,
                               struct hot_fence *ret_fence, int *ret_fd);
/* Take the file away, for a tenant that is deleted; absent is fine. */
PX_MUST_USE int hot_fence_remove(struct hot_store *store, struct px_str tenant);

/* Let this machine see what others wrote: the tenant's folders and files are asked for at the server, so
 * that the next hot_list() and hot_reader_open() have every frame that was stored before this call. */
PX_MUST_USE int hot_refresh(struct hot_store *store, struct px_str tenant, struct px_arena *arena);
