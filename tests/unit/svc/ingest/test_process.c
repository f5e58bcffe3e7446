/* process.h: the living are never called gone, the dead are, strangers are left alone. */
#include "support/support.h"

#include <signal.h>
#include <sys/wait.h>

#include "svc/ingest/process.h"

/* A child's name, the child ended and reaped, or still there. */
static pid_t child_name(char name[PROCESS_NAME_BYTES])
{
    int ends[2];
    CHECK_OK(pipe(ends));
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        process_name(name);
        if (write(ends[1], name, PROCESS_NAME_BYTES) != PROCESS_NAME_BYTES) _exit(1);
        (void)pause();
        _exit(0);
    }
    CHECK_INT(read(ends[0], name, PROCESS_NAME_BYTES), PROCESS_NAME_BYTES);
    close(ends[0]);
    close(ends[1]);
    return pid;
}

TEST(a_process_is_there_until_it_has_ended)
{
    char name[PROCESS_NAME_BYTES];
    pid_t pid = child_name(name);
    CHECK(!process_is_gone(px_str_c(name)));
    CHECK_OK(kill(pid, SIGKILL));
    siginfo_t info;
    CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    CHECK(process_is_gone(px_str_c(name))); /* a zombie writes nothing any more */
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(process_is_gone(px_str_c(name)));
}

TEST(this_process_is_there)
{
    char name[PROCESS_NAME_BYTES], again[PROCESS_NAME_BYTES];
    process_name(name);
    process_name(again);
    CHECK(name[0]);
    CHECK_STR(px_str_c(name), px_str_c(again));
    CHECK(!process_is_gone(px_str_c(name)));
}

TEST(a_pid_given_out_again_is_another_process)
{
    char name[PROCESS_NAME_BYTES];
    process_name(name);
    struct px_str start = px_str_c(name);
    while (start.len && memchr(start.ptr, '/', start.len)) start = px_str_skip(start, 1);
    CHECK(start.len > 0);
    char *digit = (char *)(uintptr_t)start.ptr;
    *digit = *digit == '9' ? '8' : '9'; /* the start time of somebody before */
    CHECK(process_is_gone(px_str_c(name)));
}

TEST(nothing_is_said_of_processes_elsewhere)
{
    char name[PROCESS_NAME_BYTES];
    process_name(name);
    name[0] = name[0] == '0' ? '1' : '0'; /* another boot, or another machine */
    CHECK(!process_is_gone(px_str_c(name)));
    CHECK(!process_is_gone(S("")));
    CHECK(!process_is_gone(S("?")));
    CHECK(!process_is_gone(S("///")));
}

TEST_MAIN
