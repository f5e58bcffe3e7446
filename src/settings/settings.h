/* settings/settings.h - a function's numbers, and the level of its log: from its environment at start, from
 * parameters also while it runs.
 *
 * Of a setting its parameter holds, else its variable, else the default. Of the log's level the parameter
 * "<function>/log_level", else "log_level", else what the environment said. A parameter that does not fit is told in
 * the log, once, and what held before goes on. docs/design/functions.md, "Settings". */
#pragma once

#include "base/px_log.h"
#include "store/params.h"

#define SETTINGS_MAX 16u

struct setting_spec {
    const char *variable;  /* "PRISM_QUERY_TIMEOUT_MS" */
    const char *parameter; /* "query/timeout_ms" */
    uint64_t max;          /* from 1 */
    bool live;             /* a change holds while the function runs, else from its next start on */
};
struct settings {         /* zeros: nothing is set */
    const char *function; /* borrowed, like specs */
    const struct setting_spec *specs;
    size_t count;
    uint64_t environment[SETTINGS_MAX];
    uint64_t
        values[SETTINGS_MAX]; /* by the index of its spec; 0: the default, which is the caller's */
    struct param_store *params; /* NULL: there are none */
    enum px_level level;        /* what the log's level is to be, after a refresh */
    enum px_level level_at_start;
    bool begun, failing;
};

/* Reads the environment: the settings, PRISM_PARAMETERS_URL (empty: there are no parameters) and
 * PRISM_PARAMETERS_AGE_MS, after which they are read anew. They come with the first settings_refresh().
 *
 *   options  for param_store_open()
 *
 * Faults: PX_F_CONFIG, naming the variable that does not fit. */
PX_MUST_USE int settings_open(struct settings *settings, const char *function,
                              const struct setting_spec *specs, size_t count,
                              const struct param_options *options);
void settings_close(struct settings *settings);
/* Read the parameters if they are old. The first time all settings follow, later those that are live.
 * What cannot be read or does not fit is logged and changes nothing.
 *
 *   within_ms  for the reading; 0: nothing is read
 *
 * True: a number changed. */
bool settings_refresh(struct settings *settings, const struct px_log *log, uint32_t within_ms);
