/* cli/verb_help.c - `prism help [VERB...|exit-codes]`. */
#include "cli/exit_codes.h"
#include "cli/manual.h"
#include "cli/options.h"
#include "cli/verbs.h"

struct help_values {
    bool man;
};
static const struct cli_option options[] = {
    {"man", 0, CLI_FLAG, offsetof(struct help_values, man), NULL,
     "all of it as a manual page: prism help --man | man -l -", NULL, 0, 0},
};

static void print_exit_codes(FILE *to)
{
    (void)fputs("Exit codes of prism:\n", to);
    for (size_t i = 0; i < PX_COUNT(exit_codes); i++)
        (void)fprintf(to, "  %d  %s\n", (int)i, exit_codes[i]);
    (void)fputs(
        "Ended by a signal: 128 + its number, as any program (Ctrl-C 130, a closed pipe 141).\n",
        to);
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct help_values *v = values;
    char path[128] = "prism";
    if (v->man) {
        manual_print(cli);
        return CLI_OK;
    }
    if (arg_count == 0) {
        verbs_help(cli, cli->out);
        return CLI_OK;
    }
    if (strcmp(args[0], "exit-codes") == 0) {
        print_exit_codes(cli->out);
        return CLI_OK;
    }
    const struct cli_verb *verb = verbs_find(cli, (const char *const *)args, (size_t)arg_count);
    if (!verb) return cli_fail(cli, CLI_USAGE, "there is no help on '%s'; see prism help", args[0]);
    for (int i = 0; i < arg_count; i++) {
        size_t used = strlen(path);
        (void)snprintf(path + used, sizeof path - used, " %s", args[i]);
    }
    if (verb->verbs)
        verbs_group_help(verb, path, cli->out);
    else
        options_help(cli, verb, path, cli->out);
    return CLI_OK;
}

const struct cli_verb verb_help = {
    .name = "help",
    .arguments = "[VERB...|exit-codes]",
    .summary = "help on a verb, or on exit codes",
    .complete = "verb",
    .without_data = true,
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct help_values),
    .args_max = 3,
    .run = run,
};
