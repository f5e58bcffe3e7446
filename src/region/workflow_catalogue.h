/* region/workflow_catalogue.h - platform/workflows.json and the definitions beside it, as this region runs them.
 *
 * Templates get the values that Terraform gives them on AWS (docs/design/workflows.md), with account 000000000000 and the region's own
 * name. What a machine may touch is enforced here as its role enforces it there. */
#pragma once

#include "asl/program.h"

#define WORKFLOW_ACCOUNT "000000000000"
#define WORKFLOW_LIVE "live"    /* the alias that everybody starts */
#define WORKFLOW_PREFIX "prism" /* of names, where the stores' do not begin otherwise */
#define WORKFLOW_FILE_SYSTEM "fs-local"
#define WORKFLOW_PLAN_POOLED "plan-pooled"
#define WORKFLOW_PLAN_DEDICATED "plan-dedicated"

struct workflow_schedule {
    struct px_str name;
    uint32_t rate_s;
    struct px_str input; /* JSON */
};
struct workflow_machine {
    struct px_str name;      /* "data-lifecycle" */
    struct px_str full_name; /* "prism-data-lifecycle" */
    struct px_str arn;
    enum asl_machine_type type;
    struct px_str role_arn, text; /* its definition, rendered */
    const char *path;             /* the file, for messages */
    struct asl_program *program;  /* NULL: not compiled yet */
    uint64_t definition;          /* the text's number in the journal; 0: none */
    yyjson_val *may;
    struct workflow_schedule *schedules;
    size_t schedule_count;
};
struct workflow_table {
    struct px_str name, key;
};
struct workflow_queue {
    struct px_str name;
    int64_t retention_s;
};
struct workflow_catalogue {
    struct workflow_machine *machines;
    size_t count;
    struct workflow_table *tables;
    size_t table_count;
    struct workflow_queue *queues;
    size_t queue_count;
    struct px_str region, prefix;
    const char *const *shards; /* NULL-ended */
};
struct workflow_catalogue_options {
    const char *platform_dir;
    struct px_str region, prefix, environment;
    const char *const *shards; /* NULL-ended; borrowed */
};
/* Everything but the programs lives in arena; nothing is compiled. A folder without workflows.json has no machines.
 * Faults: PX_F_CONFIG with file, place and sentence. */
PX_MUST_USE int workflow_catalogue_load(const struct workflow_catalogue_options *options,
                                        struct px_arena *arena,
                                        struct workflow_catalogue *ret_catalogue);
/* Its program, unless it has one. jsonata: checks expressions; NULL: they are checked when they are evaluated.
 * Faults: PX_F_CONFIG with file, place and sentence. */
PX_MUST_USE int workflow_machine_compile(struct workflow_machine *machine,
                                         struct asl_jsonata *jsonata);
void workflow_catalogue_deinit(struct workflow_catalogue *catalogue); /* the programs' references */

/* By name, full name or ARN; NULL: none. */
const struct workflow_machine *workflow_machine_find(const struct workflow_catalogue *catalogue,
                                                     struct px_str name);
/* The same with ":<version or alias>" behind it, which is given apart; empty: there is none. */
const struct workflow_machine *workflow_machine_qualified(
    const struct workflow_catalogue *catalogue, struct px_str name, struct px_str *ret_qualifier);
/* Whether `may.<what>` of the machine names `name`. A machine that is gone may nothing. */
bool workflow_may(const struct workflow_machine *machine, const char *what, struct px_str name);
/* "prism-breakers" to "breakers"; ptr NULL when it begins otherwise. */
struct px_str workflow_own_name(const struct workflow_catalogue *catalogue, struct px_str name);
/* "rate(1 hour)" in seconds. False for anything else. */
PX_MUST_USE bool workflow_rate_parse(struct px_str expression, uint32_t *ret_rate_s);
