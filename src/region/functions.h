/* region/functions.h - the function catalogue (platform/functions.json) as structs. */
#pragma once

#include "base/px_arena.h"
#include "base/px_json.h"

struct function_schedule {
    const char *name;
    uint32_t rate_s;
    struct px_str input; /* JSON */
    struct px_str
        workflow; /* the state machine that does it instead, where it is scheduled; may be empty */
};
struct function_spec {
    const char *name, *service;
    uint32_t memory_mb, timeout_ms;
    uint32_t concurrency_min, concurrency_max, queue_max;
    uint32_t concurrency_wanted; /* the catalogue's max; machine_fit() may have lowered the other */
    bool cancel_on_gone;
    uint32_t async_retries;
    int64_t async_max_age_s;
    struct {
        const char *name, *value;
    } * environment;
    size_t environment_count;
    const char **stores; /* store names this function may touch: "hot", "tables", ... */
    size_t store_count;
    const char **elsewhere; /* functions that it may call in other regions */
    size_t elsewhere_count;
    const char *starts;   /* the Express machine that it may start and wait for; or NULL */
    const char *operates; /* machines that it may run for operators, a space between; or NULL */
    struct function_schedule *schedules;
    size_t schedule_count;
};
struct function_store {
    const char *name, *env, *kind;
    const char **tables; /* of kind "tables"; their names */
    size_t table_count;
};
struct function_catalogue {
    struct function_spec *functions;
    size_t count;
    struct function_store *stores;
    size_t store_count;
};
/* Load and check; everything lives in arena. Faults: PX_F_CONFIG with file, function and field. */
PX_MUST_USE int function_catalogue_load(const char *path, struct px_arena *arena,
                                        struct function_catalogue *ret_catalogue);
/* Names of this region's shards, NULL behind the last: as PRISM_SHARDS of function `tenants` says, in this process's environment or else in the
 * catalogue; else "shard-0". All of them are served by the same functions: docs/design/sharding.md. */
PX_MUST_USE int function_shards(const struct function_catalogue *catalogue, struct px_arena *arena,
                                const char *const **ret_shards);
/* NULL when there is none of that name. */
const struct function_spec *function_find(const struct function_catalogue *catalogue,
                                          struct px_str name);
