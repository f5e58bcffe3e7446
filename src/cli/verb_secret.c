/* cli/verb_secret.c - `prism secret create|rotate|list|history`: of the region on the data folder, or of Secrets Manager by its URL.
 * Values come from a file or standard input, never from an argument, which all users of a machine see; none is ever shown. Every
 * change leaves a line in <data>/logs/audit.log; Secrets Manager's own trail is CloudTrail. */
#include "cli/secret.h"
#include "cli/verbs.h"

static const struct cli_verb *const verbs[] = {&secret_verb_create, &secret_verb_rotate,
                                               &secret_verb_list, &secret_verb_history, NULL};
const struct cli_verb verb_secret = {
    .name = "secret",
    .arguments = "VERB ...",
    .summary = "create, rotate and list secrets",
    .verbs = verbs,
};
