/* store/machines.h - versions and aliases of state machines, in the workflows' journal (executions.h) beside the executions that run on
 * them. A machine that nobody ever changed has nothing here. */
#pragma once

#include "store/executions.h"

#define MACHINE_ROUTES_MAX 2

struct machine_version {
    uint32_t number;
    uint64_t definition; /* executions.h; its text never changes */
    struct px_str revision, description;
    int64_t created_ms;
};
struct machine_route {
    uint32_t version, weight; /* of 100 */
};
struct machine_alias {
    struct px_str name, description;
    struct machine_route routes[MACHINE_ROUTES_MAX];
    size_t route_count;
    int64_t created_ms, updated_ms;
};
/* All of one machine. */
struct machine_record {
    struct px_str machine;
    uint64_t definition;    /* what it is now: what the next publication makes a version of */
    struct px_str revision; /* of that; empty: it was never updated */
    uint64_t shipped;       /* the platform's own definition, when that was looked at last */
    uint32_t next;          /* number of the next version; none is given twice */
    int64_t updated_ms;
    struct machine_version *versions; /* ascending */
    size_t version_count;
    struct machine_alias *aliases; /* in the order of their making */
    size_t alias_count;
};

/* Everything into arena. Answers: EXECUTION_ABSENT. Faults: PX_F_CORRUPT for a record that cannot be. */
PX_MUST_USE int machine_read(struct execution_store *store, struct px_str machine,
                             struct px_arena *arena, struct machine_record *ret_record);
/* In place of what there is, in one transaction that is on stable storage when it returns. */
PX_MUST_USE int machine_write(struct execution_store *store, const struct machine_record *record);

/* Whether it can be: versions ascend below `next`, aliases point to versions that are there, weights add up to 100. */
bool machine_record_ok(const struct machine_record *record);
const struct machine_version *machine_version_find(const struct machine_record *record,
                                                   uint32_t number);
const struct machine_alias *machine_alias_find(const struct machine_record *record,
                                               struct px_str name);
bool machine_alias_leads_to(const struct machine_alias *alias, uint32_t version);
