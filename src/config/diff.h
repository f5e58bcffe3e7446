/* config/diff.h - what differs between two renderings, value by value. */
#pragma once

#include "config/config.h"

/* A rendering: stacks by name, "global" and regions, each what its tfvars file holds; of `local` its functions' environments. */
struct config_rendering {
    struct px_str name; /* as a person called it */
    struct px_str *stacks;
    yyjson_val **values;
    size_t count;
};
/* Of an environment without faults. */
PX_MUST_USE int config_rendering_of(const struct config *config, struct px_arena *arena,
                                    struct config_rendering *ret_rendering);
/* Of a folder that was rendered into: its *.tfvars.json. Faults: PX_F_CONFIG: there is none, or one is no JSON. */
PX_MUST_USE int config_rendering_of_folder(const char *dir, struct px_arena *arena,
                                           struct config_rendering *ret_rendering);

struct config_difference {
    struct px_str key;        /* us-east-1.database.capacity_max */
    yyjson_val *left, *right; /* NULL: not there; lists and empty objects as a whole */
};
/* In order of keys. */
PX_MUST_USE int config_diff(const struct config_rendering *left,
                            const struct config_rendering *right, struct px_arena *arena,
                            struct config_difference **ret_differences, size_t *ret_count);
