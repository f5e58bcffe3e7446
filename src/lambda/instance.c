/* lambda/instance.c - one process: its start, its events, its end.
 *
 * The exit of a process is not yet its end: what it had sent before may still lie in the sockets (an
 * answer, then exit, is an answer), so the instance is buried INSTANCE_SETTLE_MS later. */
#include "lambda/instance.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/px_clock.h"
#include "base/px_json.h"

/* RLIMIT_DATA counts what is mapped, used or not (stacks of threads, arenas of malloc), so the kernel's
 * ceiling stands well above the sampled one; it stops what allocates faster than samples come. */
#define DATA_SLACK_MB 256u

void instance_set_state(struct instance *instance, enum instance_state state, uint64_t limit_ms)
{
    instance->state = state;
    instance->deadline_ms = limit_ms == UINT64_MAX ? UINT64_MAX
                                                   : uv_now(instance->pool->loop) + limit_ms;
    if (limit_ms != UINT64_MAX) pool_wake(instance->pool, instance->deadline_ms);
}

/* ---- events ---- */

void instance_give(struct instance *instance, struct lambda_invocation *invocation)
{
    struct lambda_pool *pool = instance->pool;
    struct http_request *request = PX_TAKE(instance->parked);
    PX_ASSERT(request && !instance->invocation);
    int64_t deadline_ms = px_wall_ns(&px_clock_system) / PX_NS_PER_MS + pool->options.timeout_ms;
    char deadline[20];
    struct px_str deadline_text = px_str(deadline, px_u64_digits((uint64_t)deadline_ms, deadline));
    struct http_header headers[] = {
        {S("Content-Type"), S("application/json")},
        {S("Lambda-Runtime-Aws-Request-Id"), invocation->call.request_id},
        {S("Lambda-Runtime-Deadline-Ms"), deadline_text},
        {S("Lambda-Runtime-Invoked-Function-Arn"), px_str_c(pool->arn)},
        {S("Lambda-Runtime-Trace-Id"), invocation->call.trace_id},
    };
    size_t count = PX_COUNT(headers) - (invocation->call.trace_id.len == 0);
    invocation->instance = instance;
    invocation->begun_ns = uv_hrtime();
    invocation->cold = instance->fresh && !instance->provisioned;
    if (invocation->cold) pool->stats.cold_starts++;
    instance->fresh = false;
    instance->invocation = invocation;
    instance_set_state(instance, INSTANCE_BUSY, UINT64_MAX);
    /* the loop's own time is as old as its turn, and the event has all of its time */
    instance->deadline_ms = invocation->begun_ns / (uint64_t)PX_NS_PER_MS +
                            pool->options.timeout_ms + 1;
    pool_wake(pool, PX_MIN(instance->deadline_ms, pool->sample_due_ms));
    http_reply(request, 200, headers, count, invocation->call.payload);
}

struct lambda_invocation *instance_take(struct instance *instance)
{
    instance->answered = true;
    if (instance->state == INSTANCE_BUSY)
        instance_set_state(instance, INSTANCE_BETWEEN, UINT64_MAX);
    return PX_TAKE(instance->invocation);
}

/* ---- memory ---- */

static void limit_data(const struct instance *instance)
{
#if !defined(__SANITIZE_ADDRESS__) &&                                                              \
    !defined(__SANITIZE_THREAD__) /* they map terabytes of shadow */
    rlim_t bytes = (rlim_t)(instance->pool->options.memory_mb + DATA_SLACK_MB) << 20;
    struct rlimit limit = {bytes, bytes};
    (void)prlimit(instance->process.pid, RLIMIT_DATA, &limit, NULL);
#else
    (void)instance;
#endif
}

/* Private memory: what is resident and no page of a file. */
static bool private_bytes(const struct instance *instance, uint64_t *ret_bytes)
{
    char text[128];
    if (instance->statm_fd < 0) return false;
    ssize_t n = pread(instance->statm_fd, text, sizeof text, 0);
    if (n <= 0) return false;
    struct px_str rest = px_str(text, (size_t)n), size, resident, shared;
    uint64_t resident_pages, shared_pages;
    (void)px_str_cut(&rest, ' ', &size);
    (void)px_str_cut(&rest, ' ', &resident);
    (void)px_str_cut(&rest, ' ', &shared);
    if (!px_str_to_u64(resident, &resident_pages) || !px_str_to_u64(shared, &shared_pages) ||
        shared_pages > resident_pages)
        return false;
    *ret_bytes = (resident_pages - shared_pages) * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

void instance_sample(struct instance *instance)
{
    uint64_t bytes;
    if (!private_bytes(instance, &bytes)) return;
    instance->rss_bytes = bytes;
    instance->rss_max_bytes = PX_MAX(instance->rss_max_bytes, bytes);
    if (bytes > (uint64_t)instance->pool->options.memory_mb << 20) instance_stop(instance, SIGKILL);
}

/* ---- the end ---- */

void instance_stop(struct instance *instance, int signal)
{
    if (instance->exited) return;
    (void)uv_process_kill(&instance->process, signal);
    instance_set_state(instance, INSTANCE_STOPPING,
                       signal == SIGKILL ? UINT64_MAX : INSTANCE_KILL_MS);
}

/* As Go, in which Lambda's own supervisor is written, words it. */
static void exit_text(const struct instance *instance, char *text, size_t bytes)
{
    if (instance->exit_signal) {
        int n = snprintf(text, bytes, "Runtime exited with error: signal: %s",
                         strsignal(instance->exit_signal));
        size_t at = sizeof "Runtime exited with error: signal: " - 1;
        if (n > (int)at && (size_t)n < bytes) text[at] = (char)tolower((unsigned char)text[at]);
    } else if (instance->exit_status) {
        (void)snprintf(text, bytes, "Runtime exited with error: exit status %lld",
                       (long long)instance->exit_status);
    } else {
        (void)snprintf(text, bytes, "Runtime exited without providing a reason");
    }
}

/* errorMessage of what was told about the init, cut to fit. */
static const char *init_message(const struct px_buf *error, char *text, size_t bytes)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    yyjson_val *root = NULL;
    px_arena_init(&arena, 4u << 20);
    struct px_str message = px_buf_str(error);
    if (px_json_parse(message, &arena, &root, NULL) == 0)
        message = px_json_str(root, "errorMessage");
    (void)snprintf(text, bytes, "%.*s", (int)PX_MIN(message.len, bytes - 1), message.ptr);
    return text;
}

static void note_init_exit(struct instance *instance)
{
    struct px_buf *error = &instance->pool->init_error;
    char text[96], reason[512];
    exit_text(instance, text, sizeof text);
    if (!instance->pool->stopping)
        instance_report(instance, S(""), "error",
                        error->len > 0 ? init_message(error, reason, sizeof reason) : text);
    if (error->len > 0) return; /* the function itself or the init limit has said more */
    pool_error_json(error, "Runtime.ExitError", S(""), text);
}

static void on_output_closed(uv_handle_t *handle)
{
    struct instance *instance = handle->data;
    struct lambda_pool *pool = instance->pool;
    struct instance **at = &pool->instances;
    while (*at != instance) at = &(*at)->next;
    *at = instance->next;
    px_buf_deinit(&instance->line);
    free(instance);
    pool_unref(pool);
}

static void bury(struct instance *instance)
{
    bool in_init = !instance->ready;
    bool stopped = instance->state == INSTANCE_STOPPING; /* by the pool, not by itself */
    struct lambda_invocation *invocation = PX_TAKE(instance->invocation);
    instance_set_state(instance, INSTANCE_DEAD, UINT64_MAX);
    instance_output_flush(instance);
    instance_stream_drop(instance);
    if (instance->parked) http_reply(PX_TAKE(instance->parked), 410, NULL, 0, S(""));
    http_server_free(&instance->server);
    px_close(&instance->statm_fd);
    uv_close((uv_handle_t *)&instance->output, on_output_closed);
    if (in_init) note_init_exit(instance);
    if (invocation) {
        char text[96];
        exit_text(instance, text, sizeof text);
        instance_report(instance, invocation->call.request_id, "error", text);
        instance->pool->stats.crashes++;
        pool_finish_error(invocation, LAMBDA_EXITED, "Runtime.ExitError", text);
    }
    /* one that exits as soon as it is asked to wait would be started over and over as well */
    bool at_once = !instance->answered && !invocation && !stopped &&
                   instance->exit_signal != SIGTERM &&
                   uv_hrtime() - instance->spawned_ns < (uint64_t)PX_NS_PER_S;
    pool_instance_dead(instance, in_init || at_once);
}

static void on_process_closed(uv_handle_t *handle)
{
    struct instance *instance = handle->data;
    instance->process_closed = true;
    if (instance->pool->freed) {
        bury(instance);
        return;
    }
    instance->bury_ms = uv_now(instance->pool->loop) + INSTANCE_SETTLE_MS;
    pool_wake(instance->pool, instance->bury_ms);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal)
{
    struct instance *instance = process->data;
    instance->exited = true;
    instance->exit_status = status;
    instance->exit_signal = signal;
    uv_close((uv_handle_t *)process, on_process_closed);
}

/* ---- deadlines ---- */

static void time_out(struct instance *instance)
{
    struct lambda_pool *pool = instance->pool;
    char text[96];
    (void)snprintf(text, sizeof text, "Task timed out after %.2f seconds",
                   pool->options.timeout_ms / 1000.0);
    struct lambda_invocation *invocation = PX_TAKE(instance->invocation);
    instance_stop(instance, SIGKILL);
    instance_stream_drop(instance);
    pool->stats.timeouts++;
    instance_report(instance, invocation->call.request_id, "timeout", text);
    pool_finish_error(invocation, LAMBDA_TIMED_OUT, "Sandbox.Timedout", text);
}

static void init_out(struct instance *instance)
{
    char text[96];
    px_buf_clear(&instance->pool->init_error);
    (void)snprintf(text, sizeof text, "Task timed out after %.2f seconds",
                   INSTANCE_INIT_MS / 1000.0);
    pool_error_json(&instance->pool->init_error, "Sandbox.Timedout", S(""), text);
    instance_stop(instance, SIGKILL);
}

void instance_abandon(struct instance *instance)
{
    if (instance->state == INSTANCE_DEAD) return;
    instance_stop(instance, SIGKILL);
    if (instance->process_closed) bury(instance);
}

void instance_tick(struct instance *instance, uint64_t now_ms)
{
    if (instance->state == INSTANCE_DEAD) return;
    instance_stream_tick(instance, now_ms);
    if (now_ms >= instance->bury_ms) {
        bury(instance);
        return;
    }
    if (now_ms < instance->deadline_ms || instance->exited) {
        pool_wake(instance->pool,
                  PX_MIN(instance->exited ? UINT64_MAX : instance->deadline_ms, instance->bury_ms));
        return;
    }
    instance->deadline_ms = UINT64_MAX;
    switch (instance->state) {
    case INSTANCE_STARTING: init_out(instance); break;
    case INSTANCE_BUSY: time_out(instance); break;
    case INSTANCE_IDLE: pool_instance_asks(instance); break; /* still wanted? */
    case INSTANCE_STOPPING: instance_stop(instance, SIGKILL); break;
    case INSTANCE_BETWEEN:
    case INSTANCE_DEAD: break;
    }
}

/* ---- the start ---- */

static int start_process(struct instance *instance, char **env, int output_fd, int api_fd)
{
    struct lambda_pool *pool = instance->pool;
    char root[4096], *args[] = {(char *)(uintptr_t)pool->options.executable, NULL};
    (void)snprintf(root, sizeof root, "%s", pool->options.executable);
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = output_fd},
        {.flags = UV_INHERIT_FD, .data.fd = output_fd},
        [INSTANCE_SOCKET_FD] = {.flags = UV_INHERIT_FD, .data.fd = api_fd},
    };
    uv_process_options_t options = {
        .exit_cb = on_exit_of,
        .file = args[0],
        .args = args,
        .env = env,
        .cwd = dirname(root),
        .flags = UV_PROCESS_DETACHED, /* a Ctrl-C in the region's terminal is the region's */
        .stdio_count = PX_COUNT(stdio),
        .stdio = stdio,
    };
    int error = uv_spawn(pool->loop, &instance->process, &options);
    if (error)
        return px_fault(PX_F_UNAVAILABLE, "fork/exec %s: %s", pool->options.executable,
                        uv_strerror(error));
    return 0;
}

static int open_statm(pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* A process that could not be started is buried like one that exited. */
static int start(struct instance *instance, struct px_arena *arena)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return px_fault_errno("pipe");
    PX_AUTO(px_close) int write_end = ends[1];
    PX_TRY(instance_output_open(instance, ends[0]));
    uint16_t port;
    char **env;
    PX_AUTO(px_close) int api_end = -1;
    PX_TRY(instance_api_listen(instance, &port, &api_end));
    PX_TRY(instance_environment(instance->pool, port, instance->provisioned, arena, &env));
    PX_TRY(start_process(instance, env, write_end, api_end));
    limit_data(instance);
    instance->statm_fd = open_statm(instance->process.pid);
    return 0;
}

int instance_spawn(struct lambda_pool *pool, bool provisioned)
{
    struct instance *instance = calloc(1, sizeof *instance);
    if (!instance) return px_fault(PX_F_OOM, "an instance");
    instance->pool = pool;
    instance->process.data = instance;
    instance->output.data = instance;
    instance->statm_fd = -1;
    instance->bury_ms = UINT64_MAX;
    instance->fresh = true;
    instance->provisioned = provisioned;
    instance->spawned_ns = uv_hrtime();
    if (uv_pipe_init(pool->loop, &instance->output, 0) != 0) {
        free(instance);
        return px_fault(PX_F_IO, "a pipe");
    }
    instance->next = pool->instances;
    pool->instances = instance;
    px_buf_clear(&pool->init_error);
    instance_set_state(instance, INSTANCE_STARTING, INSTANCE_INIT_MS);

    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 1u << 20);
    int r = start(instance, &arena);
    if (r == 0) return 0;
    char text[512];
    pool_error_json(&pool->init_error, "Runtime.InvalidEntrypoint", S(""),
                    px_fault_text(r, text, sizeof text));
    instance->exited = true;
    if (instance->process.loop)
        uv_close((uv_handle_t *)&instance->process, on_process_closed);
    else
        on_process_closed((uv_handle_t *)&instance->process);
    return 0;
}
