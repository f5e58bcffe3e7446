/* tests/unit/lambda/pool_rig.h - a pool against real processes: the test program is also the function. Started with a Runtime API in its
 * environment it runs lambda_run(), and an event "verb argument" says how it behaves. */
#pragma once

#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/px_id.h"
#include "lambda/apigw.h"
#include "lambda/pool.h"
#include "lambda/runtime.h"

/* ---- the function ---- */

static volatile sig_atomic_t told_gone;
static void on_usr1(int signal) { (void)signal, told_gone = 1; }

static struct px_str verb_of(struct px_str payload, int64_t *ret_number)
{
    struct px_str rest = px_str_skip(px_str(payload.ptr, payload.len - 1), 1),
                  verb; /* without quotes */
    (void)px_str_cut(&rest, ' ', &verb);
    *ret_number = 0;
    if (!px_str_to_i64(rest, ret_number)) *ret_number = 0;
    return verb;
}

static int stream_bytes(const struct lambda_event *event, int64_t bytes, bool fail)
{
    static const char piece[10000] = {'s'};
    PX_TRY(lambda_stream_begin(
        event, S("{\"statusCode\":201,\"headers\":{\"content-type\":\"text/plain\"}}")));
    for (int64_t done = 0; done < bytes; done += (int64_t)sizeof piece)
        PX_TRY(lambda_stream_write(
            event, px_str(piece, (size_t)PX_MIN(bytes - done, (int64_t)sizeof piece))));
    return fail ? px_fault(PX_F_IO, "in the middle") : 0;
}

/* The answer is whole, then the handler goes on for a while and may fail. */
static int stream_last(const struct lambda_event *event, int64_t after_ms)
{
    PX_TRY(lambda_stream_begin(event, S("{\"statusCode\":201}")));
    PX_TRY(lambda_stream_last(event, S("all of it")));
    usleep((useconds_t)after_ms * 1000);
    return after_ms % 2 ? px_fault(PX_F_IO, "too late to matter") : 0;
}

static void add_bytes(struct px_buf *body, int64_t bytes)
{
    char *room = px_buf_reserve(body, (size_t)bytes);
    if (!room) return;
    memset(room, 'x', (size_t)bytes);
    body->len += (size_t)bytes;
}

static void grow(int64_t mb)
{
    for (int64_t i = 0; i < mb; i++) {
        char *block = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                           0);
        if (block == MAP_FAILED) _exit(77);
        memset(block, 1, 1 << 20);
        usleep(1000);
    }
}

/* How many sockets this process has. */
static void add_sockets(struct px_buf *body)
{
    int count = 0;
    for (int fd = 0; fd < 64; fd++) {
        struct stat what;
        count += fstat(fd, &what) == 0 && S_ISSOCK(what.st_mode);
    }
    px_buf_printf(body, "%d", count);
}

static int handle(void *ctx, const struct lambda_event *event)
{
    (void)ctx;
    struct px_buf *body = event->reply->body;
    int64_t n;
    struct px_str verb = verb_of(event->payload, &n);
    if (px_str_eq(verb, S("pid")))
        px_buf_printf(body, "%d", (int)getpid());
    else if (px_str_eq(verb, S("sleep")))
        usleep((useconds_t)n * 1000), px_buf_printf(body, "%d", (int)getpid());
    else if (px_str_eq(verb, S("crash")))
        raise(SIGSEGV);
    else if (px_str_eq(verb, S("exit")))
        _exit((int)n);
    else if (px_str_eq(verb, S("grow")))
        grow(n);
    else if (px_str_eq(verb, S("bytes")))
        add_bytes(body, n);
    else if (px_str_eq(verb, S("stream")))
        return stream_bytes(event, n, false);
    else if (px_str_eq(verb, S("streamfail")))
        return stream_bytes(event, n, true);
    else if (px_str_eq(verb, S("streamlast")))
        return stream_last(event, n);
    else if (px_str_eq(verb, S("fault")))
        return px_fault(PX_F_NO_SPACE, "no room for \"%d\"", 7);
    else if (px_str_eq(verb, S("length")))
        px_buf_printf(body, "%zu", event->payload.len);
    else if (px_str_eq(verb, S("sockets")))
        add_sockets(body);
    else if (px_str_eq(verb, S("env"))) {
        for (char **e = environ; *e; e++) px_buf_printf(body, "%s\n", *e);
    } else if (px_str_eq(verb, S("context"))) {
        px_buf_printf(
            body, "%.*s %.*s %d %lld", PX_FMT(event->request_id), PX_FMT(event->trace_id),
            event->cold,
            (long long)((event->deadline_ns - px_wall_ns(&px_clock_system)) / PX_NS_PER_MS));
    } else if (px_str_eq(verb, S("error"))) {
        event->reply->error_type = S("Tenant.Unknown");
        event->reply->error_message = S("who?");
        return LAMBDA_ERROR;
    } else if (px_str_eq(verb, S("log"))) {
        px_log(event->log, PX_INFO, "line one");
        fprintf(stderr, "to stderr\nhalf a line");
        fflush(stderr);
    } else if (px_str_eq(verb, S("untilgone"))) {
        for (int i = 0; i < 3000 && !told_gone; i++) usleep(1000);
        px_buf_printf(body, "gone %d", (int)told_gone);
    } else {
        px_buf_add_str(body, event->payload);
    }
    return 0;
}

static int init(void *ctx, const struct px_log *log)
{
    (void)ctx, (void)log;
    signal(SIGUSR1, on_usr1);
    const char *how = getenv("TEST_INIT");
    if (!how) return 0;
    if (strcmp(how, "fault") == 0) return px_fault(PX_F_CONFIG, "no key");
    if (strcmp(how, "exit") == 0) _exit(3);
    if (strcmp(how, "slow") == 0) usleep(300000);
    return 0;
}

static void stop(void *ctx)
{
    (void)ctx;
    const char *mark = getenv("TEST_STOP_FILE");
    int fd = mark ? open(mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
    px_close(&fd);
}

/* ---- the rig ---- */

struct rig {
    struct test *t;
    uv_loop_t loop;
    struct lambda_pool *pool;
    char executable[4096];
    const char *env[8];
    unsigned done, lines;
    char log[4096];
    bool stopped;
};
struct result { /* of one call; kept by the test */
    struct rig *rig;
    struct lambda_call call;
    bool done;
    enum lambda_outcome outcome;
    struct px_str payload;
    bool cold;
    double init_ms, duration_ms;
    uint64_t max_rss_bytes;
    unsigned begins, pieces;
    size_t stream_bytes, queued;
    char prelude[128];
    char id[37];
};

static void on_log(void *ctx, const char *function, struct px_str line)
{
    struct rig *rig = ctx;
    CHECK_STR(px_str_c(function), S("unit"));
    rig->lines++;
    size_t used = strlen(rig->log);
    (void)snprintf(rig->log + used, sizeof rig->log - used, "%.*s|", PX_FMT(line));
}

static void on_done(void *ctx, const struct lambda_result *result)
{
    struct result *r = ctx;
    CHECK(!r->done);
    r->done = true;
    r->outcome = result->outcome;
    r->payload = px_arena_dup(&r->rig->t->arena, result->payload);
    r->cold = result->cold;
    r->init_ms = result->init_ms;
    r->duration_ms = result->duration_ms;
    r->max_rss_bytes = result->max_rss_bytes;
    r->rig->done++;
}

__attribute__((constructor)) static void warm_up(void) /* libuv's own descriptors */
{
    uv_loop_t loop;
    PX_ASSERT(uv_loop_init(&loop) == 0 && uv_loop_close(&loop) == 0);
    sigset_t all;
    (void)sigemptyset(&all);
    (void)sigaddset(&all, SIGPIPE);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
}

static struct rig *rig_new(struct test *t, struct lambda_pool_options options)
{
    struct rig *rig = px_arena_new(&t->arena, struct rig);
    rig->t = t;
    CHECK_INT(uv_loop_init(&rig->loop), 0);
    /* libuv makes descriptors for SIGCHLD with the first process of a loop */
    ssize_t n = readlink("/proc/self/exe", rig->executable, sizeof rig->executable - 1);
    CHECK(n > 0);
    options.name = "unit";
    if (!options.executable) options.executable = rig->executable;
    if (!options.env) options.env = rig->env;
    if (!options.memory_mb) options.memory_mb = 512;
    if (!options.timeout_ms) options.timeout_ms = 20000;
    if (!options.concurrency_max) options.concurrency_max = 2;
    options.on_log = on_log;
    options.ctx = rig;
    CHECK_OK(lambda_pool_new(&rig->loop, &options, &rig->pool));
    return rig;
}

static struct result *invoke_call(struct rig *rig, struct lambda_call call)
{
    struct result *result = px_arena_new(&rig->t->arena, struct result);
    result->rig = rig;
    px_uuid7(px_wall_ns(&px_clock_system), result->id);
    call.request_id = px_str_c(result->id);
    call.on_done = on_done;
    call.ctx = result;
    result->call = call;
    (void)lambda_pool_invoke(rig->pool, &call);
    CHECK(!result->done); /* never inside invoke */
    return result;
}

static struct result *invoke(struct rig *rig, const char *payload)
{
    return invoke_call(rig, (struct lambda_call){.payload = px_str_c(payload)});
}

static void turn_until(struct rig *rig, const bool *flag, int ms)
{
    int64_t end_ns = px_mono_ns(&px_clock_system) + ms * PX_NS_PER_MS;
    while (!(flag && *flag) && px_mono_ns(&px_clock_system) < end_ns) {
        uv_run(&rig->loop, UV_RUN_NOWAIT);
        usleep(500);
    }
}

static struct result *finish(struct result *result)
{
    turn_until(result->rig, &result->done, 30000);
    CHECK(result->done);
    return result;
}

static struct px_str answer(struct rig *rig, const char *payload)
{
    struct result *result = finish(invoke(rig, payload));
    if (result->outcome != LAMBDA_OK)
        TEST_FAIL("%s: outcome %d %.*s", payload, result->outcome, PX_FMT(result->payload));
    return result->payload;
}

__attribute__((unused)) static pid_t pid_in(struct px_str text)
{
    int64_t pid;
    CHECK(px_str_to_i64(text, &pid));
    return (pid_t)pid;
}

__attribute__((unused)) static struct lambda_pool_stats stats_of(struct rig *rig)
{
    struct lambda_pool_stats stats;
    lambda_pool_stats(rig->pool, &stats);
    return stats;
}

static void on_stopped(void *ctx)
{
    struct rig *rig = ctx;
    rig->stopped = true;
    lambda_pool_free(&rig->pool);
}

static void rig_end(struct rig *rig)
{
    lambda_pool_stop(rig->pool, 0, on_stopped, rig);
    turn_until(rig, &rig->stopped, 20000);
    CHECK(rig->stopped);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    CHECK_INT(uv_loop_close(&rig->loop), 0);
}

__attribute__((unused)) static bool is_gone(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}
static bool has(struct px_str text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part));
}

/* main() of a test program, and of the function. */
static inline int pool_main(int argc, char **argv)
{
    if (getenv("AWS_LAMBDA_RUNTIME_API"))
        return lambda_run(&(struct lambda_handler){.init = init, .handle = handle, .stop = stop});
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    return _cmocka_run_group_tests(argv[0], test_list, test_count, NULL, NULL);
}
