/* cli/verb_help.c - `prism help [VERB...|exit-codes]`. */
#include "cli/options.h"
#include "cli/verbs.h"

static const char exit_codes[] =
    "Exit codes of prism:\n"
    "  0  done\n"
    "  1  it could not be done: a file, the machine, no answer in time\n"
    "  2  wrong arguments; nothing was tried\n"
    "  3  no region is running on the data folder or port\n"
    "  4  the region refused: a wrong key, bad SQL, some refused records (HTTP 4xx)\n"
    "  5  the region failed, or the function that was invoked did (HTTP 5xx)\n";

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values;
    char path[128] = "prism";
    if (arg_count == 0) {
        verbs_help(cli, cli->out);
        return CLI_OK;
    }
    if (strcmp(args[0], "exit-codes") == 0) {
        (void)fputs(exit_codes, cli->out);
        return CLI_OK;
    }
    const struct cli_verb *verb = verbs_find(cli, (const char *const *)args, (size_t)arg_count);
    if (!verb) return cli_fail(cli, CLI_USAGE, "there is no help on '%s'; see prism help", args[0]);
    for (int i = 0; i < arg_count; i++) {
        size_t used = strlen(path);
        (void)snprintf(path + used, sizeof path - used, " %s", args[i]);
    }
    if (verb->verbs) {
        verbs_group_help(verb, path, cli->out);
        return CLI_OK;
    }
    options_help(cli, verb, path, cli->out);
    return CLI_OK;
}

const struct cli_verb verb_help = {
    .name = "help",
    .arguments = "[VERB...|exit-codes]",
    .summary = "help on a verb, or on exit codes",
    .complete = "verb",
    .without_data = true,
    .args_max = 3,
    .run = run,
};
