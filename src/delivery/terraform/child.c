/* delivery/terraform/child.c - a program run as a child.
 *
 * States: runs -> asked (SIGINT) -> pressed (SIGINT again) -> told (SIGTERM, group) -> killed (SIGKILL, group). A state that is
 * not the first is left after its time only; the child's end ends them all. */
#include "delivery/terraform/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 100
#define PRESS_MS 10000 /* between the later states */
#define LINE_BYTES_MAX (1u << 20)

enum child_state { CHILD_RUNS, CHILD_ASKED, CHILD_PRESSED, CHILD_TOLD, CHILD_KILLED };
struct child {
    const struct child_spec *spec;
    struct px_arena arena; /* of the environment */
    char **env;
    pid_t pid;
    int watch; /* pidfd */
    int out, err;
    off_t read_to; /* of out, by lines */
    struct px_buf line;
    bool line_cut;
    enum child_state state;
    int64_t state_ns;
    enum child_end why; /* it is stopped; 0: it is not */
};

/* ---- starting ---- */

static bool same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return n == strcspn(b, "=") && strncmp(a, b, n) == 0;
}

/* Ours with spec->env on top; made before fork(), for memory is not to be had behind it. */
static char **make_environment(struct px_arena *arena, const char *const *set)
{
    size_t ours = 0, more = 0;
    while (environ[ours]) ours++;
    while (set && set[more]) more++;
    const char **all = px_arena_array(arena, const char *, ours + more + 1);
    size_t n = 0;
    for (size_t i = 0; all && i < ours; i++) {
        bool replaced = false;
        for (size_t s = 0; s < more && !replaced; s++) replaced = same_name(environ[i], set[s]);
        if (!replaced) all[n++] = environ[i];
    }
    for (size_t s = 0; all && s < more; s++)
        if (strchr(set[s], '=')) all[n++] = set[s];
    return (char **)all;
}

static int open_scratch(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd >= 0 ? fd : px_fault_errno("a file in %s", dir);
    char path[PATH_MAX]; /* file systems of networks know none without a name */
    if (snprintf(path, sizeof path, "%s/.said-XXXXXX", dir) >= (int)sizeof path)
        return px_fault(PX_F_CONFIG, "%s is too long", dir);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) return px_fault_errno("a file in %s", dir);
    (void)unlink(path);
    return fd;
}

_Noreturn static void become(const struct child_spec *spec, char **env, int out, int err,
                             int report, pid_t parent)
{
    sigset_t none;
    int null = open("/dev/null", O_RDONLY);
    (void)setpgid(0, 0);
    (void)umask(0077); /* plans and states are nobody else's */
    (void)prctl(PR_SET_PDEATHSIG, SIGINT);
    if (getppid() != parent) _exit(127); /* it died before */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    if (null >= 0 && dup2(null, 0) >= 0 && dup2(out, 1) >= 0 && dup2(err, 2) >= 0 &&
        (!spec->dir || chdir(spec->dir) == 0)) {
        environ = env;
        (void)execvp(spec->argv[0], (char *const *)(uintptr_t)spec->argv);
    }
    int why = errno;
    (void)!write(report, &why, sizeof why);
    _exit(127);
}

static int start(struct child *child)
{
    const struct child_spec *spec = child->spec;
    PX_AUTO(px_close) int report = -1;
    int pipe_fd[2], why = 0;
    child->env = make_environment(&child->arena, spec->env);
    if (!child->env) return px_fault(PX_F_OOM, "environment");
    if (pipe2(pipe_fd, O_CLOEXEC) != 0) return px_fault_errno("pipe");
    report = pipe_fd[0];
    pid_t self = getpid(), pid = fork();
    if (pid == 0) become(spec, child->env, child->out, child->err, pipe_fd[1], self);
    px_close(&pipe_fd[1]);
    if (pid < 0) return px_fault_errno("fork");
    (void)setpgid(pid, pid); /* by both, whoever comes first */
    child->pid = pid;
    ssize_t n;
    do n = read(report, &why, sizeof why);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof why) {
        (void)waitpid(pid, NULL, 0);
        child->pid = 0;
        return px_fault(PX_F_CONFIG, "%s%s%s: %s", spec->argv[0], spec->dir ? " in " : "",
                        spec->dir ? spec->dir : "", strerror(why));
    }
    child->watch = (int)syscall(SYS_pidfd_open, pid, 0);
    return child->watch >= 0 ? 0 : px_fault_errno("pidfd_open");
}

/* ---- what it says ---- */

static void give_line(struct child *child)
{
    if (!child->line_cut && px_buf_fault(&child->line) == 0)
        child->spec->line(child->spec->ctx, px_buf_str(&child->line));
    child->line_cut = false;
    px_buf_clear(&child->line);
}

static void take_bytes(struct child *child, struct px_str bytes)
{
    while (bytes.len > 0) {
        const char *end = memchr(bytes.ptr, '\n', bytes.len);
        size_t n = end ? (size_t)(end - bytes.ptr) : bytes.len;
        if (child->line.len + n > LINE_BYTES_MAX) child->line_cut = true;
        if (!child->line_cut) px_buf_add(&child->line, bytes.ptr, n);
        if (end) give_line(child);
        bytes = px_str_skip(bytes, end ? n + 1 : n);
    }
}

static int read_lines(struct child *child)
{
    char bytes[16 * 1024];
    while (child->spec->line) {
        ssize_t n = pread(child->out, bytes, sizeof bytes, child->read_to);
        if (n < 0) return px_fault_errno("output of %s", child->spec->argv[0]);
        if (n == 0) break;
        child->read_to += n;
        take_bytes(child, px_str(bytes, (size_t)n));
    }
    return 0;
}

static bool talked_too_much(const struct child *child)
{
    struct stat out, err;
    return (fstat(child->out, &out) == 0 && (size_t)out.st_size > child->spec->output_bytes_max) ||
           (fstat(child->err, &err) == 0 && (size_t)err.st_size > child->spec->output_bytes_max);
}

static int append_file(int fd, off_t from, struct px_buf *buf)
{
    for (;;) {
        char *room = px_buf_reserve(buf, 64 * 1024);
        if (!room) return px_fault(px_buf_fault(buf), "output of a program");
        ssize_t n = pread(fd, room, 64 * 1024, from);
        if (n < 0) return px_fault_errno("output of a program");
        if (n == 0) return 0;
        from += n;
        buf->len += (size_t)n;
    }
}

/* Its end, where programs say why they failed. */
static int append_tail(int fd, struct px_buf *buf)
{
    struct stat is;
    if (fstat(fd, &is) != 0) return px_fault_errno("output of a program");
    off_t room = (off_t)(buf->limit_bytes - buf->len) - 128 * 1024;
    return append_file(fd, room > 0 && is.st_size > room ? is.st_size - room : 0, buf);
}

/* ---- stopping ---- */

static void enter(struct child *child, enum child_state state)
{
    child->state = state;
    child->state_ns = px_mono_ns(child->spec->clock);
    if (state == CHILD_ASKED || state == CHILD_PRESSED) (void)kill(child->pid, SIGINT);
    if (state == CHILD_TOLD) (void)kill(-child->pid, SIGTERM);
    if (state == CHILD_KILLED) (void)kill(-child->pid, SIGKILL);
}

static void look(struct child *child)
{
    const struct child_spec *spec = child->spec;
    int64_t now = px_mono_ns(spec->clock);
    if (child->state == CHILD_RUNS) {
        if (spec->stop && spec->stop(spec->ctx))
            child->why = CHILD_CANCELLED;
        else if (spec->deadline_ns > 0 && now >= spec->deadline_ns)
            child->why = CHILD_LATE;
        else if (talked_too_much(child))
            child->why = CHILD_TALKED;
        if (child->why != 0) enter(child, CHILD_ASKED);
        return;
    }
    int64_t wait_ms = child->state == CHILD_ASKED ? spec->grace_ms : PRESS_MS;
    if (child->state < CHILD_KILLED && now - child->state_ns >= wait_ms * PX_NS_PER_MS)
        enter(child, child->state + 1);
}

static int wait_for(struct child *child, int *ret_status)
{
    struct pollfd watch = {.fd = child->watch, .events = POLLIN};
    for (;;) {
        int r = poll(&watch, 1, TICK_MS);
        if (r < 0 && errno != EINTR) return px_fault_errno("poll");
        PX_TRY(read_lines(child));
        if (r > 0) break;
        look(child);
    }
    /* what it started goes first: as long as it is not waited for, the group's number is its own */
    (void)kill(-child->pid, SIGKILL);
    if (waitpid(child->pid, ret_status, 0) < 0) return px_fault_errno("waitpid");
    child->pid = 0;
    return 0;
}

static void end_child(struct child *child)
{
    if (child->pid > 0) {
        (void)kill(-child->pid, SIGKILL);
        (void)waitpid(child->pid, NULL, 0);
    }
    px_close(&child->watch);
    px_close(&child->out);
    px_close(&child->err);
    px_buf_deinit(&child->line);
    px_arena_deinit(&child->arena);
}

int child_run(const struct child_spec *spec, struct px_buf *out, struct px_buf *err,
              struct child_result *ret_result)
{
    PX_AUTO(end_child)
    struct child child = {.spec = spec, .watch = -1, .out = -1, .err = -1};
    int status = 0;
    px_buf_init(&child.line, LINE_BYTES_MAX + 4096);
    px_arena_init(&child.arena, 16u << 20);
    child.out = open_scratch(spec->scratch_dir);
    if (child.out < 0) return child.out;
    child.err = open_scratch(spec->scratch_dir);
    if (child.err < 0) return child.err;
    PX_TRY(start(&child));
    PX_TRY(wait_for(&child, &status));
    if (spec->line && child.line.len > 0) give_line(&child);
    if (out) PX_TRY(append_file(child.out, 0, out));
    if (err) PX_TRY(append_tail(child.err, err));
    bool exited = WIFEXITED(status);
    *ret_result = (struct child_result){.end = child.why != 0 ? child.why
                                               : exited       ? CHILD_EXITED
                                                              : CHILD_SIGNALLED,
                                        .code = exited ? WEXITSTATUS(status) : WTERMSIG(status)};
    return 0;
}
