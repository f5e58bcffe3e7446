/* cli/config.h - what the verbs of `prism config` share. */
#pragma once

#include "cli/cli.h"
#include "config/config.h"

struct config_places { /* options of all of them */
    const char *platform, *infra;
};
#define CONFIG_PLACE_OPTIONS(type)                                                                 \
    {"platform", 0,                                                                                \
     CLI_TEXT,   offsetof(type, places.platform),                                                  \
     "DIR",      "functions.json, config.json and environments/ (default beside the program)",     \
     NULL,       0,                                                                                \
     0},                                                                                           \
    {                                                                                              \
        "infra", 'i', CLI_TEXT, offsetof(type, places.infra), "DIR",                               \
            "sources of the stacks, whose variables are set (default infra beside platform)",      \
            NULL, 0, 0                                                                             \
    }

/* The real path of platform/, and infra/ beside it or NULL. An enum cli_exit, already said. */
PX_MUST_USE int config_find_places(struct cli *cli, const struct config_places *places,
                                   const char **ret_platform, const char **ret_infra);
/* The schema, in the command's arena. An enum cli_exit, already said. */
PX_MUST_USE int config_find(struct cli *cli, const struct config_places *places,
                            struct config_schema **ret_schema);
/* One environment; what is wrong with it has been said. An enum cli_exit. */
PX_MUST_USE int config_find_environment(struct cli *cli, const struct config_schema *schema,
                                        const char *name, struct config *ret_config);
/* An environment's variables for Terraform into a folder, which is made; of --region alone where it is given. What is wrong with it has
 * been said. An enum cli_exit. */
PX_MUST_USE int config_render_tfvars(struct cli *cli, const struct config_places *places,
                                     const char *environment, const char *dir);
/* Faults as lines for people, on stderr or, as a verb's answer, on stdout. */
void config_say_faults(FILE *to, const struct config_report *report);
void config_write_faults(struct px_buf *json, const struct config_report *report);

extern const struct cli_verb config_render_verb, config_check_verb, config_diff_verb,
    config_explain_verb;
