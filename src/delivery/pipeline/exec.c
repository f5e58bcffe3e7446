/* delivery/pipeline/exec.c - see exec.h.
 *
 *   engine -- orders (socket) -> guardian -- fork, exec --> program, which leads the group
 *          <- report (pipe) --          <- its end ------
 *
 * The guardian is a fork without exec in a process that has threads, so it calls nothing but what signal-safety(7) allows. An
 * order is one byte: 'T' end it, 'K' kill it; the end of the socket is the end of the engine, and an order to end it. */
#include "delivery/pipeline/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIECE_BYTES 65536
#define LOOK_MS 50
#define PATH_BYTES 4096
#define FDS_MAX 8

struct report {     /* from the guardian, at the end */
    int exec_errno; /* of a program that could not be started */
    int status;     /* as waitpid(2) has it */
};
enum { ORDERS, REPORT, OUT, ERR, STARTED, PIPES };
struct pipes {
    int fds[PIPES][2]; /* [0] is read from; -1: closed */
};

/* ---- the program ---- */

_Noreturn static void become(const struct exec_options *options, const char *path,
                             const struct pipes *pipes, pid_t guardian)
{
    sigset_t none;
    int null = open("/dev/null", O_RDONLY);
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* should somebody kill the guardian */
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    bool ok = getppid() == guardian && null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
              dup2(pipes->fds[OUT][1], STDOUT_FILENO) >= 0 &&
              dup2(pipes->fds[ERR][1], STDERR_FILENO) >= 0 && chdir(options->dir) == 0;
    if (ok)
        (void)execve(path, (char *const *)(uintptr_t)options->argv,
                     (char *const *)(uintptr_t)options->env);
    int error = errno;
    ssize_t n = write(pipes->fds[STARTED][1], &error, sizeof error);
    (void)n;
    _exit(127);
}

/* ---- the guardian ---- */

/* Everything but these is the engine's: its sockets and files shall end with it. */
static void keep_only(int *fds, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && fds[j - 1] > fds[j]; j--) {
            int other = fds[j];
            fds[j] = fds[j - 1];
            fds[j - 1] = other;
        }
    int from = STDERR_FILENO + 1;
    for (size_t i = 0; i < count; i++) {
        if (fds[i] > from) (void)syscall(SYS_close_range, from, fds[i] - 1, 0);
        if (fds[i] >= from) from = fds[i] + 1;
    }
    (void)syscall(SYS_close_range, from, ~0U, 0);
}

/* Our children, by proc(5): the program's orphans as well, for we are their reaper. */
static void kill_children(void)
{
    char text[2048];
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0) (void)close(fd);
    pid_t pid = 0;
    for (ssize_t i = 0; i < n; i++) {
        if (text[i] >= '0' && text[i] <= '9') {
            pid = pid * 10 + (text[i] - '0');
        } else {
            if (pid > 1) (void)kill(pid, SIGKILL);
            pid = 0;
        }
    }
}

/* Until nothing of the program lives. */
static void kill_rest(pid_t program)
{
    for (;;) {
        (void)kill(-program, SIGKILL);
        kill_children();
        pid_t pid = waitpid(-1, NULL, 0);
        if (pid < 0 && errno == ECHILD) return;
    }
}

/* Give the group its time after an order to end; -1: for ever. */
static int time_left(const struct timespec *told)
{
    struct timespec now;
    if (told->tv_sec == 0) return -1;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = ((int64_t)now.tv_sec - told->tv_sec) * 1000 +
                 (now.tv_nsec - told->tv_nsec) / 1000000;
    return ms >= EXEC_GRACE_MS ? 0 : (int)(EXEC_GRACE_MS - ms);
}

/* Returns once the program has ended. */
static void watch(int orders, int pidfd, pid_t program)
{
    struct timespec told = {0};
    bool open_orders = true;
    for (;;) {
        struct pollfd fds[2] = {{.fd = pidfd, .events = POLLIN},
                                {.fd = open_orders ? orders : -1, .events = POLLIN}};
        int n = poll(fds, 2, time_left(&told));
        char order = 'T';
        if (n < 0 && errno != EINTR) return;
        if (fds[0].revents) return;
        if (n == 0) order = 'K';
        if (n > 0 && fds[1].revents) {
            ssize_t got = read(orders, &order, 1);
            if (got <= 0) open_orders = false, order = 'T';
        }
        if (n >= 0) (void)kill(-program, order == 'K' ? SIGKILL : SIGTERM);
        if (n >= 0 && told.tv_sec == 0) (void)clock_gettime(CLOCK_MONOTONIC, &told);
    }
}

_Noreturn static void guard(const struct exec_options *options, const char *path,
                            const struct pipes *pipes, int lock)
{
    struct report report = {0};
    int kept[FDS_MAX] = {pipes->fds[ORDERS][0],
                         pipes->fds[REPORT][1],
                         pipes->fds[OUT][1],
                         pipes->fds[ERR][1],
                         pipes->fds[STARTED][0],
                         pipes->fds[STARTED][1],
                         lock >= 0 ? lock : pipes->fds[OUT][1]};
    sigset_t all;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL); /* a Ctrl-C is the engine's to tell us */
    (void)setsid();
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    keep_only(kept, 7);
    pid_t self = getpid(), program = fork();
    if (program == 0) become(options, path, pipes, self);
    if (program < 0) {
        report.exec_errno = errno;
    } else {
        (void)setpgid(program, program);
        (void)close(pipes->fds[STARTED][1]);
        (void)close(pipes->fds[OUT][1]);
        (void)close(pipes->fds[ERR][1]);
        ssize_t n = read(pipes->fds[STARTED][0], &report.exec_errno, sizeof report.exec_errno);
        int pidfd = n == 0 ? (int)syscall(SYS_pidfd_open, program, 0) : -1;
        if (pidfd >= 0) watch(pipes->fds[ORDERS][0], pidfd, program);
        (void)kill(-program, SIGKILL);
        while (waitpid(program, &report.status, 0) < 0 && errno == EINTR) continue;
        kill_rest(program);
    }
    ssize_t n = write(pipes->fds[REPORT][1], &report, sizeof report);
    (void)n;
    _exit(0);
}

/* ---- the engine ---- */

static void close_pipes(struct pipes *pipes)
{
    for (size_t i = 0; i < PIPES; i++)
        for (size_t end = 0; end < 2; end++) {
            px_close(&pipes->fds[i][end]);
            pipes->fds[i][end] = -1;
        }
}

static int open_pipes(struct pipes *pipes)
{
    for (size_t i = 0; i < PIPES; i++) {
        /* orders to a guardian that has just ended shall raise no signal */
        int r = i == ORDERS ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pipes->fds[i])
                            : pipe2(pipes->fds[i], O_CLOEXEC);
        if (r != 0) return px_fault_errno("pipe");
    }
    return 0;
}

/* The file that argv[0] names, by the PATH of its environment. */
static int find_program(const struct exec_options *options, char path[PATH_BYTES])
{
    struct px_str name = px_str_c(options->argv[0]), rest = S("/usr/local/bin:/usr/bin:/bin"), dir;
    for (size_t i = 0; options->env[i]; i++)
        if (strncmp(options->env[i], "PATH=", 5) == 0) rest = px_str_c(options->env[i] + 5);
    if (memchr(name.ptr, '/', name.len)) {
        bool absolute = name.ptr[0] == '/';
        int n = snprintf(path, PATH_BYTES, "%s%s%.*s", absolute ? "" : options->dir,
                         absolute ? "" : "/", PX_FMT(name));
        if (n > 0 && n < PATH_BYTES && access(path, X_OK) == 0) return 0;
        return px_fault(PX_F_CONFIG, "%.*s in %s: %m", PX_FMT(name), options->dir);
    }
    for (bool more = true; more;) {
        more = px_str_cut(&rest, ':', &dir);
        int n = snprintf(path, PATH_BYTES, "%.*s/%.*s", PX_FMT(dir), PX_FMT(name));
        if (dir.len > 0 && n > 0 && n < PATH_BYTES && access(path, X_OK) == 0) return 0;
    }
    return px_fault(PX_F_CONFIG, "there is no program %.*s in PATH; pass PATH on, or name the file",
                    PX_FMT(name));
}

/* Answers: 1: late or cancelled. The file is the caller's to close whatever comes. */
static int take_lock(const struct exec_options *options, int *fd)
{
    if (!options->lock) return 0;
    *fd = open(options->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0) return px_fault_errno("%s", options->lock);
    while (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) return px_fault_errno("lock %s", options->lock);
        if (px_mono_ns(options->clock) >= options->deadline_ns) return 1;
        if (options->is_cancelled && options->is_cancelled(options->ctx)) return 1;
        (void)nanosleep(&(struct timespec){0, LOOK_MS * PX_NS_PER_MS}, NULL);
    }
    return 0;
}

/* What stands in a pipe; false when it has ended. */
static bool take_output(const struct exec_options *options, int fd, bool is_error)
{
    char piece[PIECE_BYTES];
    ssize_t n = read(fd, piece, sizeof piece);
    if (n < 0) return errno == EINTR || errno == EAGAIN;
    if (n > 0 && options->on_output)
        options->on_output(options->ctx, px_str(piece, (size_t)n), is_error);
    return n > 0;
}

struct following {
    bool out, err; /* still open */
    int64_t told_ns, now_ns;
    enum exec_ending ending;
};

static void give_orders(const struct exec_options *options, struct following *f, int orders)
{
    char order = 'T';
    f->now_ns = px_mono_ns(options->clock);
    bool late = f->now_ns >= options->deadline_ns;
    bool cancelled = options->is_cancelled && options->is_cancelled(options->ctx);
    if (f->ending != EXEC_EXITED || (!late && !cancelled)) return;
    f->ending = cancelled ? EXEC_CANCELLED : EXEC_LATE;
    ssize_t n = send(orders, &order, 1, MSG_NOSIGNAL); /* the guardian counts the grace */
    (void)n;
}

static int follow(const struct exec_options *options, struct pipes *pipes, struct following *f,
                  struct report *ret_report)
{
    *f = (struct following){.out = true, .err = true, .ending = EXEC_EXITED};
    for (;;) {
        struct pollfd fds[3] = {{.fd = f->out ? pipes->fds[OUT][0] : -1, .events = POLLIN},
                                {.fd = f->err ? pipes->fds[ERR][0] : -1, .events = POLLIN},
                                {.fd = pipes->fds[REPORT][0], .events = POLLIN}};
        if (poll(fds, 3, LOOK_MS) < 0 && errno != EINTR) return px_fault_errno("poll");
        if (fds[0].revents) f->out = take_output(options, fds[0].fd, false);
        if (fds[1].revents) f->err = take_output(options, fds[1].fd, true);
        give_orders(options, f, pipes->fds[ORDERS][1]);
        if (!fds[2].revents || f->out || f->err) continue; /* what it wrote last first */
        ssize_t n = TEMP_FAILURE_RETRY(read(fds[2].fd, ret_report, sizeof *ret_report));
        if (n != sizeof *ret_report)
            return px_fault(PX_F_IO, "the guardian of %s was killed", options->argv[0]);
        return 0;
    }
}

static int start(const struct exec_options *options, const char *path, struct pipes *pipes,
                 int lock, pid_t *ret_guardian)
{
    static const int theirs[PIPES] = {
        [ORDERS] = 0, [REPORT] = 1, [OUT] = 1, [ERR] = 1, [STARTED] = 1};
    pid_t guardian = fork();
    if (guardian < 0) return px_fault_errno("fork");
    if (guardian == 0) guard(options, path, pipes, lock);
    for (size_t i = 0; i < PIPES; i++) {
        px_close(&pipes->fds[i][theirs[i]]);
        pipes->fds[i][theirs[i]] = -1;
    }
    *ret_guardian = guardian;
    return 0;
}

int exec_run(const struct exec_options *options, struct exec_result *ret_result)
{
    char path[PATH_BYTES];
    PX_AUTO(px_close) int lock = -1;
    PX_AUTO(close_pipes) struct pipes pipes = {{{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}}};
    struct following f;
    struct report report = {0};
    pid_t guardian = 0;
    PX_TRY(find_program(options, path));
    int r = take_lock(options, &lock);
    if (r == 1) {
        bool late = px_mono_ns(options->clock) >= options->deadline_ns;
        *ret_result = (struct exec_result){late ? EXEC_LATE : EXEC_CANCELLED, 0};
        return 0;
    }
    PX_TRY(r);
    PX_TRY(open_pipes(&pipes));
    PX_TRY(start(options, path, &pipes, lock, &guardian));
    r = follow(options, &pipes, &f, &report);
    px_close(&pipes.fds[ORDERS][1]); /* a guardian that is still there ends the program */
    pipes.fds[ORDERS][1] = -1;
    (void)TEMP_FAILURE_RETRY(waitpid(guardian, NULL, 0));
    PX_TRY(r);
    if (report.exec_errno != 0) {
        errno = report.exec_errno;
        return px_fault(PX_F_CONFIG, "%s cannot be started: %m", path);
    }
    *ret_result = (struct exec_result){f.ending, 0};
    if (WIFSIGNALED(report.status)) {
        if (f.ending == EXEC_EXITED) ret_result->ending = EXEC_SIGNALLED;
        ret_result->code = WTERMSIG(report.status);
    } else {
        ret_result->code = WEXITSTATUS(report.status);
    }
    return 0;
}
