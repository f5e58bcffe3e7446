/* cli/main.c - the `prism` command: the table of verbs. */
#include <signal.h>
#include <unistd.h>

#include "cli/settings.h"
#include "cli/verbs.h"

static const struct cli_verb *const verbs[] = {
    &verb_up,         &verb_down,    &verb_status, &verb_send, &verb_query,  &verb_tail,
    &verb_datasets,   &verb_tenant,  &verb_key,    &verb_logs, &verb_invoke, &verb_tick,
    &verb_completion, &verb_version, &verb_help,   NULL,
};

int main(int argc, char **argv)
{
    struct cli cli = {
        .out = stdout,
        .err = stderr,
        .out_is_tty = isatty(STDOUT_FILENO),
        .err_is_tty = isatty(STDERR_FILENO),
        .clock = &px_clock_system,
        .verbs = verbs,
    };
    (void)signal(SIGPIPE,
                 SIG_IGN); /* a reader that left is an error of write(2), said at the end */
    px_arena_init(&cli.arena, 1u << 30);
    int exit = settings_from_environment(&cli);
    if (exit == CLI_OK) exit = verbs_run(&cli, argc, argv);
    bool written = fflush(stdout) == 0 && !ferror(stdout);
    px_arena_deinit(&cli.arena);
    return exit == CLI_OK && !written ? CLI_FAILED : exit;
}
