/* fleet/child.c - see child.h. A child's start opens handles (its process, the pipe of its word, its standard
 * input); it has ended when all of them are closed. */
#include "fleet/child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"

#define WORD_FD 3
#define WORD_BYTES_MAX 8192
#define PAUSE_MS_MIN 100
#define PAUSE_MS_MAX 10000
#define STEADY_MS 1000 /* who served and lived so long is started again at once */
#define ARENA_BYTES_MAX (1u << 20)
#define TAIL_BYTES 400

static void begin(struct child *child);

static void change(struct child *child, enum child_state state)
{
    child->state = state;
    child->options.on_change(child->options.ctx);
}

const char *child_state_name(const struct child *child)
{
    static const char *const names[] = {"down", "starting", "ready", "stopping", "restarting"};
    return names[child->state];
}

int child_pid(const struct child *child)
{
    return child->open_handles > 0 && !child->exited ? (int)child->process.pid : 0;
}

/* ---- its end ---- */

static void on_timer(uv_timer_t *timer)
{
    struct child *child = timer->data;
    if (child->wanted) begin(child);
}

static void pause_child(struct child *child)
{
    int64_t lived_ms = (px_mono_ns(child->options.clock) - child->started_ns) / PX_NS_PER_MS;
    bool steady = child->state == CHILD_READY && lived_ms >= STEADY_MS;
    child->pause_ms = steady ? 0
                             : PX_MIN(PX_MAX(child->pause_ms * 2, (uint32_t)PAUSE_MS_MIN),
                                      (uint32_t)PAUSE_MS_MAX);
    child->restarts++;
    px_log(child->options.log, PX_WARN, "%s has ended: %s; it starts again in %u ms",
           child->options.name, child->last_error, child->pause_ms);
    (void)uv_timer_start(&child->timer, on_timer, child->pause_ms, 0);
    change(child, CHILD_PAUSED);
}

static void on_closed(uv_handle_t *handle)
{
    struct child *child = handle->data;
    if (--child->open_handles > 0) return;
    px_buf_deinit_wiped(&child->said);
    if (!child->wanted)
        change(child, CHILD_DOWN);
    else if (child->state == CHILD_STOPPING) /* a restart */
        begin(child);
    else
        pause_child(child);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle)) uv_close(handle, on_closed);
}

/* What it wrote last, for who asks why. */
static void read_tail(const char *path, char *text, size_t bytes)
{
    FILE *file = fopen(path, "re");
    text[0] = '\0';
    if (!file) return;
    if (fseek(file, -(long)(bytes - 1), SEEK_END) != 0) rewind(file);
    text[fread(text, 1, bytes - 1, file)] = '\0';
    (void)fclose(file);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal)
{
    struct child *child = process->data;
    char tail[TAIL_BYTES];
    child->exited = true;
    if (child->last_error[0] == '\0' && child->state != CHILD_STOPPING) {
        read_tail(child->options.log_path, tail, sizeof tail);
        if (signal)
            (void)snprintf(child->last_error, sizeof child->last_error, "signal %d (%s)", signal,
                           strsignal(signal));
        else
            (void)snprintf(child->last_error, sizeof child->last_error,
                           "exit code %lld; %s ends with: %s", (long long)status,
                           child->options.log_path, tail);
    }
    close_handle((uv_handle_t *)process);
    close_handle((uv_handle_t *)&child->word);
    if (child->options.holds_stdin) close_handle((uv_handle_t *)&child->life);
}

/* ---- its word ---- */

static void take_word(struct child *child)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    yyjson_val *root = NULL;
    px_arena_init(&arena, ARENA_BYTES_MAX);
    struct px_str word = px_buf_str(&child->said);
    if (word.len == 0 || px_json_parse(word, &arena, &root, NULL) != 0) return;
    struct px_str why = px_json_str(root, "why");
    if (why.len > 0) {
        (void)snprintf(child->last_error, sizeof child->last_error, "%.*s", PX_FMT(why));
    } else if (child->state == CHILD_STARTING) {
        child->last_error[0] = '\0';
        child->state = CHILD_READY;
    }
    child->options.on_word(child->options.ctx, word);
    if (child->said.ptr)
        explicit_bzero(child->said.ptr, child->said.cap); /* a key may stand there */
    px_buf_clear(&child->said);
    child->options.on_change(child->options.ctx);
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *ret_buf)
{
    struct child *child = handle->data;
    (void)wanted;
    char *room = px_buf_reserve(&child->said, 1024);
    *ret_buf = uv_buf_init(room, room ? 1024 : 0);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct child *child = stream->data;
    (void)buf;
    if (n > 0) {
        child->said.len += (size_t)n;
        return;
    }
    if (n == 0) return;
    take_word(child);
    close_handle((uv_handle_t *)stream);
}

/* ---- its start ---- */

static int spawn(struct child *child, char **args, char **env, int log_fd)
{
    const struct child_options *o = &child->options;
    uv_stdio_container_t stdio[WORD_FD + 1] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = log_fd},
        {.flags = UV_INHERIT_FD, .data.fd = log_fd},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&child->word},
    };
    if (o->holds_stdin) {
        stdio[0].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
        stdio[0].data.stream = (uv_stream_t *)&child->life;
    }
    const uv_process_options_t options = {
        .exit_cb = on_exit_of,
        .file = args[0],
        .args = args,
        .env = env,
        .flags = UV_PROCESS_DETACHED, /* a Ctrl-C in the terminal is the supervisor's */
        .stdio_count = PX_COUNT(stdio),
        .stdio = stdio,
    };
    return uv_spawn(o->loop, &child->process, &options);
}

static void open_handles(struct child *child)
{
    child->process.data = child->word.data = child->life.data = child;
    (void)uv_pipe_init(child->options.loop, &child->word, 0);
    if (child->options.holds_stdin) (void)uv_pipe_init(child->options.loop, &child->life, 0);
    child->open_handles = child->options.holds_stdin ? 3 : 2;
    child->exited = false;
    px_buf_init(&child->said, WORD_BYTES_MAX);
}

static int start_process(struct child *child)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    char **args = NULL, **env = NULL;
    px_arena_init(&arena, ARENA_BYTES_MAX);
    PX_TRY(child->options.on_start(child->options.ctx, &arena, &args, &env));
    PX_AUTO(px_close)
    int log_fd = open(child->options.log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) return px_fault_errno("%s", child->options.log_path);
    open_handles(child);
    int error = spawn(child, args, env, log_fd);
    if (error == 0) {
        (void)uv_read_start((uv_stream_t *)&child->word, on_alloc, on_read);
        return 0;
    }
    child->exited = true; /* the handles go as those of one that ran */
    close_handle((uv_handle_t *)&child->process);
    close_handle((uv_handle_t *)&child->word);
    if (child->options.holds_stdin) close_handle((uv_handle_t *)&child->life);
    return px_fault(PX_F_UNAVAILABLE, "%s: %s", args[0], uv_strerror(error));
}

static void begin(struct child *child)
{
    child->started_ns = px_mono_ns(child->options.clock);
    child->last_error[0] = '\0';
    child->state = CHILD_STARTING;
    int r = start_process(child);
    if (r != 0) {
        (void)px_fault_text(r, child->last_error, sizeof child->last_error);
        if (child->open_handles == 0) pause_child(child);
        return;
    }
    child->options.on_change(child->options.ctx);
}

/* ---- calls ---- */

void child_init(struct child *child, const struct child_options *options)
{
    *child = (struct child){.options = *options, .state = CHILD_DOWN};
    (void)uv_timer_init(options->loop, &child->timer);
    child->timer.data = child;
}

void child_start(struct child *child)
{
    bool idle = child->state == CHILD_DOWN || child->state == CHILD_PAUSED;
    child->wanted = true;
    child->pause_ms = 0;
    (void)uv_timer_stop(&child->timer);
    if (idle) begin(child);
}

static void end_process(struct child *child, int signal)
{
    child->state = CHILD_STOPPING;
    if (!child->exited) (void)uv_process_kill(&child->process, signal);
}

void child_stop(struct child *child, int signal)
{
    child->wanted = false;
    (void)uv_timer_stop(&child->timer);
    if (child->open_handles > 0)
        end_process(child, signal);
    else
        change(child, CHILD_DOWN);
}

void child_restart(struct child *child)
{
    if (child->wanted && child->open_handles > 0) end_process(child, SIGTERM);
}

void child_close(struct child *child)
{
    if (!uv_is_closing((uv_handle_t *)&child->timer)) uv_close((uv_handle_t *)&child->timer, NULL);
}
