/* region/environment.h - a function's environment in the standard naming: where its stores are, its
 * limits from the catalogue. Only the stores that the catalogue lets it touch are named, and of functions in other regions only those
 * that it may call. */
#pragma once

#include "region/homes.h"
#include "region/siblings.h"

/* "NAME=value" strings, NULL-ended, in arena. A variable of this process that the catalogue or the settings declare
 * for the function goes over both, so that one machine can be tuned without editing files. With
 * stores on AWS come this process's settings for AWS (homes.h). */
struct environment_of {
    const struct function_catalogue *catalogue;
    const struct data_dir *dir;
    const struct siblings *siblings; /* NULL: none */
    yyjson_val *settings;            /* region.h; NULL: the catalogue's */
};
PX_MUST_USE int environment_build(const struct environment_of *of,
                                  const struct function_spec *function, struct px_arena *arena,
                                  const char *const **ret_env);
