/* delivery/pipeline/environment.h - environments/<name>.json in a pipeline's store: what an environment got last, by a stage that
 * ended; for `promote`, and for the way back. */
#pragma once

#include "delivery/pipeline/action.h"
#include "store/objects.h"

struct environment {
    struct action_release release; /* id empty: nothing yet */
    uint32_t run;                  /* that delivered it */
    int64_t floor; /* what functions must know of the catalog's schema since (contract.h) */
};
/* Zeros when there is none. Everything is in arena. */
PX_MUST_USE int environment_read(struct object_store *store, struct px_str name,
                                 struct px_arena *arena, struct environment *ret_environment);
PX_MUST_USE int environment_write(struct object_store *store, struct px_str name,
                                  const struct environment *environment);
