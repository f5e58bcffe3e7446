/* svc/query/scratch.h - a folder for the temporary files of this process alone.
 *
 * Function instances on one machine share one folder for temporary files, and what lies there is rows of
 * tenants. So every process has a folder of its own in it, held by a lock for as long as the process
 * lives. What a killed process left is removed by the next one that starts. */
#pragma once

#include "base/px_arena.h"

struct scratch {
    struct px_str path; /* absolute, in the arena; NUL behind it */
    int lock_fd;        /* -1: none */
};
/* parent: made when it is not there. */
PX_MUST_USE int scratch_open(struct px_str parent, struct px_arena *arena,
                             struct scratch *ret_scratch);
/* Removes the folder with all that is in it; one that was never opened (lock_fd -1) is a no-op. */
void scratch_close(struct scratch *scratch);
