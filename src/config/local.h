/* config/local.h - the settings of a region on one machine, rendered when its files changed and kept otherwise.
 *
 * A start does not wait for templates: what they said stands in a file with the content hashes of all files that it was made of, named from
 * the platform's folder, and is taken from there while those are the same. The build makes one of environment `local` (tools/settingsbake.c),
 * which stands beside the program; what files of then do not say a start keeps in <data>/settings.json. */
#pragma once

#include "config/config.h"

struct config_local {
    const char *platform_dir, *infra_dir; /* a real path; infra_dir may be NULL */
    const char *built;                    /* what the build rendered; NULL: nothing */
    const char *data_dir;                 /* NULL: nothing was kept */
    struct px_str environment, region;    /* of `local`, region is any */
    struct config_report *report;
};
enum config_local_answer { CONFIG_LOCAL_NONE = 1, CONFIG_LOCAL_REFUSED, CONFIG_LOCAL_NO_REGION };
#define CONFIG_LOCAL_FILE "settings.json"
/* {"<function>": {"PRISM_...": "..."}} in arena: functions.json with the environment's settings over it, and its parameters over both.
 *
 *   ret_keep  what to write into <data>/settings.json once the folder is one, in arena; empty: it is there, or was built
 *
 * Answers: CONFIG_LOCAL_NONE: there is no such environment; CONFIG_LOCAL_REFUSED: it has faults, which are in the report;
 * CONFIG_LOCAL_NO_REGION. */
PX_MUST_USE int config_local_settings(const struct config_local *of, struct px_arena *arena,
                                      yyjson_val **ret_functions, struct px_str *ret_keep);
