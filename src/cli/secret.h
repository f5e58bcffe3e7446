/* cli/secret.h - what the verbs of `prism secret` share: which store, which secret, and the line that a change leaves in the audit log. Each verb
 * stands in its own file, secret_<verb>.c; verb_secret.c is their table. */
#pragma once

#include "cli/cli.h"
#include "store/secrets.h"

extern const struct cli_verb secret_verb_create, secret_verb_rotate, secret_verb_list,
    secret_verb_history;

struct secret_values {
    const char *store, *environment, *service, *from;
    int64_t timeout_ms;
};
#define SECRET_WHERE_OPTIONS                                                                       \
    {"store",                                                                                      \
     0,                                                                                            \
     CLI_TEXT,                                                                                     \
     offsetof(struct secret_values, store),                                                        \
     "URL",                                                                                        \
     "secretsmanager://PREFIX, or a folder of sealed secrets (default: the data folder's region)", \
     NULL,                                                                                         \
     0,                                                                                            \
     0},                                                                                           \
        {"environment",                                                                            \
         'e',                                                                                      \
         CLI_TEXT,                                                                                 \
         offsetof(struct secret_values, environment),                                              \
         "NAME",                                                                                   \
         "an environment on AWS: secretsmanager://prism/NAME",                                     \
         NULL,                                                                                     \
         0,                                                                                        \
         0},                                                                                       \
    {                                                                                              \
        "service", 0, CLI_TEXT, offsetof(struct secret_values, service), "NAME",                   \
            "secrets of one service: those below NAME/", NULL, 0, 0                                \
    }
struct secret_place {
    struct cli *cli;
    const struct secret_values *v;
    struct px_str url;
    bool region; /* the data folder's, whose function rotates */
    struct secret_store *store;
};

/* Of --store, --environment or the data folder. An enum cli_exit, already said. */
PX_MUST_USE int secret_place_open(struct cli *cli, const struct secret_values *v,
                                  struct secret_place *place);
void secret_place_close(struct secret_place *place);
/* An argument as a secret's name, below --service. An enum cli_exit, already said. */
PX_MUST_USE int secret_name_of(const struct secret_place *place, const char *argument,
                               struct px_str *ret_name);
/* The version that is current; none: ret_id stays. Answers and faults of secret_describe(). */
PX_MUST_USE int secret_current_id(const struct secret_place *place, struct px_str name,
                                  struct px_str *ret_id);

struct secret_deed {
    const char *verb;
    struct px_str secret, version;
    const char *outcome;
};
/* A change that was made stays made when the line cannot be written; that is said, then. */
void secret_audit(const struct secret_place *place, const struct secret_deed *deed);
