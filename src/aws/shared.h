/* aws/shared.h - the one cloud of a process, opened when the first store needs it.
 *
 * A program holds one, hands it to whatever opens a store, and closes it after all stores. So a function
 * with embedded stores opens nothing, and one with AWS's reads certificates and credentials once. It
 * belongs to the thread that opens stores. */
#pragma once

#include "aws/context.h"

struct cloud_shared { /* all zero is one that nobody needed so far */
    struct cloud_options options;
    struct cloud *cloud;
};
/* Faults: those of cloud_open(). */
PX_MUST_USE static inline int cloud_shared_take(struct cloud_shared *shared,
                                                struct cloud **ret_cloud)
{
    if (!shared->cloud) PX_TRY(cloud_open(&shared->options, &shared->cloud));
    *ret_cloud = shared->cloud;
    return 0;
}
static inline void cloud_shared_close(struct cloud_shared *shared) { cloud_close(&shared->cloud); }
