/* config/explain.h - where a value came from, and where it goes. */
#pragma once

#include "config/config.h"

/* One key of one environment, all of which may be absent from it. */
struct config_explained {
    struct px_str key;              /* regions.eu-west-1.database.capacity_max */
    yyjson_val *node;               /* its value; NULL: it is not set */
    const struct config_type *type; /* NULL: of a function's setting */
    const struct value *otherwise;  /* its default; NULL: none */
    struct px_str otherwise_text;   /* of a setting */
    struct px_str about, declared;  /* what it is for, and where that is written */
    struct px_str goes,
        goes_file;     /* "variable database of infra/region", "eu-west-1.tfvars.json" */
    yyjson_val *limit; /* of platform/config.json; NULL: none */
};
enum { CONFIG_NO_KEY = 1 };
/* A key as it stands in the environment's file, from its root on.
 * Answers: CONFIG_NO_KEY; ret_near: the nearest name beside it, or NULL. */
PX_MUST_USE int config_explain(const struct config *config, struct px_str key,
                               struct px_arena *arena, struct config_explained *ret_explained,
                               const char **ret_near);

/* The keys that a person means: as they stand; without "regions.<region>", of each region (or of one); PRISM_QUERY_TIMEOUT_MS as a
 * function's variable; query/timeout_ms as a parameter. */
PX_MUST_USE int config_keys_meant(const struct config *config, struct px_str text,
                                  struct px_str region, struct px_arena *arena,
                                  struct px_str **ret_keys, size_t *ret_count);
/* One value as JSON, with its places: {"key":...,"value":...,"set":...,"at":{...}}. */
void config_explained_json(struct px_buf *to, const struct config *config,
                           const struct config_explained *of);
