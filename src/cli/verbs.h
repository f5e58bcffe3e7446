/* cli/verbs.h - the verbs, each in verb_<name>.c; their order in --help is main.c's. */
#pragma once

#include "cli/cli.h"

extern const struct cli_verb verb_up, verb_down, verb_status, verb_logs, verb_region, verb_invoke,
    verb_tenant, verb_key, verb_token, verb_secret, verb_send, verb_query, verb_tail, verb_datasets,
    verb_tick, verb_workflow, verb_migrate, verb_config, verb_pipeline, verb_rollback, verb_rollout,
    verb_verify, verb_drift, verb_package, verb_audit, verb_retention, verb_completion,
    verb_version, verb_help;

/* Run the verb that argv names, with its options; argv[0] is the program. An enum cli_exit. */
PX_MUST_USE int verbs_run(struct cli *cli, int argc, char **argv);
/* The general help. */
void verbs_help(struct cli *cli, FILE *to);
/* The help of a verb that has verbs; path is "prism key". */
void verbs_group_help(const struct cli_verb *group, const char *path, FILE *to);
/* A verb by its path, "key create"; NULL: none. */
const struct cli_verb *verbs_find(struct cli *cli, const char *const *words, size_t count);
