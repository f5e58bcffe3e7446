/* cli/main.c - the `prism` command: the table of verbs. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/settings.h"
#include "cli/verbs.h"

static const struct cli_verb *const verbs[] = {
    &verb_up,       &verb_down,       &verb_status,    &verb_send,    &verb_query,
    &verb_tail,     &verb_datasets,   &verb_retention, &verb_tenant,  &verb_key,
    &verb_token,    &verb_secret,     &verb_audit,     &verb_logs,    &verb_region,
    &verb_invoke,   &verb_tick,       &verb_workflow,  &verb_migrate, &verb_config,
    &verb_pipeline, &verb_rollback,   &verb_rollout,   &verb_verify,  &verb_drift,
    &verb_package,  &verb_completion, &verb_version,   &verb_help,    NULL,
};

/* Whether the pipe behind standard output has lost its reader. */
static bool reader_left(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP));
}

/* What could not be written turns success into failure; `prism query ... | head` ends as every program
 * does whose reader left. */
static int finish_output(int exit)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return exit;
    if (reader_left()) interrupt_end(SIGPIPE);
    const char *why = errno != 0 ? strerror(errno) : "write error";
    (void)fprintf(stderr, "prism: standard output: %s\n", why);
    return exit == CLI_OK ? CLI_FAILED : exit;
}

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
    /* a reader that left is an error of write(2), seen at the end */
    (void)signal(SIGPIPE, SIG_IGN);
    px_arena_init(&cli.arena, 1u << 30);
    int exit = settings_from_environment(&cli);
    if (exit == CLI_OK) exit = verbs_run(&cli, argc, argv);
    px_arena_deinit(&cli.arena);
    return finish_output(exit);
}
