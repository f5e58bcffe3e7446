/* cli/verb_version.c - `prism version`. */
#include "cli/verbs.h"

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values, (void)arg_count, (void)args;
    (void)fputs(cli->json ? "{\"version\":\"" PRISM_VERSION "\"}\n" : "prism " PRISM_VERSION "\n",
                cli->out);
    return CLI_OK;
}

const struct cli_verb verb_version = {
    .name = "version",
    .summary = "show the version",
    .without_data = true,
    .run = run,
};
