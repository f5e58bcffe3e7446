/* A program run as a child: what it says, how it ends, that nothing of it stays. */
#include "support/support.h"

#include <signal.h>

#include "delivery/terraform/child.h"

struct run {
    struct px_buf out, err, lines;
    struct child_result result;
    bool stop_at_line, stopped;
};
static void run_open(struct run *run)
{
    px_buf_init(&run->out, 16u << 20);
    px_buf_init(&run->err, 1u << 20);
    px_buf_init(&run->lines, 1u << 20);
}
static void run_close(struct run *run)
{
    px_buf_deinit(&run->out);
    px_buf_deinit(&run->err);
    px_buf_deinit(&run->lines);
}
static void take_line(void *ctx, struct px_str line)
{
    struct run *run = ctx;
    px_buf_printf(&run->lines, "<%.*s>", PX_FMT(line));
    if (run->stop_at_line) run->stopped = true;
}
static bool is_stopped(void *ctx) { return ((struct run *)ctx)->stopped; }

static int start(struct test *t, struct run *run, struct child_spec spec, const char *script)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    if (!spec.argv) spec.argv = argv;
    spec.scratch_dir = t->dir;
    spec.clock = &px_clock_system;
    if (spec.grace_ms == 0) spec.grace_ms = 60000;
    if (spec.output_bytes_max == 0) spec.output_bytes_max = 16u << 20;
    spec.stop = is_stopped;
    spec.line = take_line;
    spec.ctx = run;
    return child_run(&spec, &run->out, &run->err, &run->result);
}

TEST(lines_output_and_code_come_back)
{
    PX_AUTO(run_close) struct run run = {0};
    run_open(&run);
    const char *env[] = {"PLANTED=yes", "HOME", NULL};
    CHECK_OK(start(t, &run, (struct child_spec){.env = env},
                   "echo one; echo \"$PLANTED:${HOME-none}\"; echo bad >&2; printf end; exit 3"));
    CHECK_INT(run.result.end, CHILD_EXITED);
    CHECK_INT(run.result.code, 3);
    CHECK_STR(px_buf_str(&run.out), S("one\nyes:none\nend"));
    CHECK_STR(px_buf_str(&run.err), S("bad\n"));
    CHECK_STR(px_buf_str(&run.lines), S("<one><yes:none><end>"));
}

TEST(no_shell_stands_between)
{
    PX_AUTO(run_close) struct run run = {0};
    run_open(&run);
    const char *argv[] = {"printf", "%s|", "a b", "$(id)", "; exit", NULL};
    CHECK_OK(start(t, &run, (struct child_spec){.argv = argv}, NULL));
    CHECK_STR(px_buf_str(&run.out), S("a b|$(id)|; exit|"));
}

TEST(what_is_not_there_is_a_fault_that_names_it)
{
    PX_AUTO(run_close) struct run run = {0};
    run_open(&run);
    const char *argv[] = {"no-such-program-of-prism", NULL};
    char text[512];
    int r = start(t, &run, (struct child_spec){.argv = argv}, NULL);
    CHECK_INT(r, PX_F_CONFIG);
    CHECK(strstr(px_fault_text(r, text, sizeof text), "no-such-program-of-prism"));
    CHECK_INT(start(t, &run, (struct child_spec){.dir = "/no/such/folder"}, "true"), PX_F_CONFIG);
}

TEST(stopping_asks_first_and_waits_for_an_orderly_end)
{
    PX_AUTO(run_close) struct run run = {.stop_at_line = true};
    run_open(&run);
    CHECK_OK(start(t, &run, (struct child_spec){0},
                   "trap 'echo orderly; exit 5' INT; echo ready; while :; do sleep 0.1; done"));
    CHECK_INT(run.result.end, CHILD_CANCELLED);
    CHECK_INT(run.result.code, 5);
    CHECK(memmem(run.lines.ptr, run.lines.len, "<orderly>", 9));
}

TEST(one_that_will_not_end_is_killed_with_all_that_it_started)
{
    PX_AUTO(run_close) struct run run = {.stop_at_line = true};
    run_open(&run);
    /* a child of the child that ignores what it is asked, and says who it is */
    const char *argv[] = {
        "perl", "-e",
        "$SIG{INT}='IGNORE'; $SIG{TERM}='IGNORE'; $|=1; my $p=fork(); if(!$p){sleep 1 while 1} print \"$p\\n\"; exit 0",
        NULL};
    CHECK_OK(start(t, &run, (struct child_spec){.argv = argv, .grace_ms = 1}, NULL));
    px_buf_add_char(&run.out, 0);
    pid_t left = (pid_t)strtol(run.out.ptr, NULL, 10);
    CHECK(left > 0);
    bool gone = false; /* it is killed before child_run() returns; who reaps it is not us */
    for (int i = 0; i < 600 && !gone; i++) {
        char path[64];
        PX_AUTO(px_buf_deinit) struct px_buf stat;
        px_buf_init(&stat, 4096);
        (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)left);
        gone = px_file_read(path, &stat) != 0 || memmem(stat.ptr, stat.len, ") Z", 3);
        if (!gone) (void)usleep(100000);
    }
    CHECK(gone);
}

TEST(a_deadline_and_a_flood_end_it)
{
    PX_AUTO(run_close) struct run late = {0}, flood = {0};
    run_open(&late);
    run_open(&flood);
    CHECK_OK(start(t, &late, (struct child_spec){.deadline_ns = 1}, "exec sleep 100"));
    CHECK_INT(late.result.end, CHILD_LATE);
    int r = start(t, &flood, (struct child_spec){.output_bytes_max = 64 * 1024}, "exec yes >&2");
    CHECK_OK(r);
    CHECK_INT(flood.result.end, CHILD_TALKED);
    CHECK(flood.err.len <= flood.err.limit_bytes);
}

TEST_MAIN
