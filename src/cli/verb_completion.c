/* cli/verb_completion.c - `prism completion bash|zsh|fish`. */
#include "cli/completion.h"
#include "cli/verbs.h"

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values, (void)arg_count;
    static const struct {
        const char *shell;
        void (*print)(struct cli *cli);
    } shells[] = {{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};
    for (size_t i = 0; i < PX_COUNT(shells); i++) {
        if (strcmp(args[0], shells[i].shell) != 0) continue;
        shells[i].print(cli);
        return CLI_OK;
    }
    return cli_fail(cli, CLI_USAGE, "completion is there for bash, zsh and fish, not for %s",
                    args[0]);
}

const struct cli_verb verb_completion = {
    .name = "completion",
    .arguments = "bash|zsh|fish",
    .summary = "print a completion script for a shell",
    .details =
        "bash: source <(prism completion bash). zsh: prism completion zsh > a file _prism in $fpath. "
        "fish: prism completion fish | source.",
    .complete = "bash zsh fish",
    .without_data = true,
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
