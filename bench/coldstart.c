/* bench/coldstart.c - from exec to the first answer of Lambda functions, through a bare Runtime API server in this
 * process; the functions take turns, so that drift of the machine hits all alike.
 *
 *   coldstart [--runs N] [--env NAME=VALUE]... EVENT.json NAME=EXECUTABLE...
 *
 * Prints per function: median and 90th percentile in ms, median of peak memory in MB, size of the executable. */
#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/px_buf.h"
#include "base/px_clock.h"
#include "base/px_file.h"
#include "http/server.h"

#define RUNS_MAX 1000
#define FUNCTIONS_MAX 8
#define ENV_MAX 32

struct subject {
    const char *name, *path;
    double ms[RUNS_MAX], memory_mb[RUNS_MAX];
};
struct bench {
    uv_loop_t loop;
    struct http_server *server;
    struct px_buf event;
    struct http_request *parked; /* the `next` after the answer: never answered */
    char api[64];
    const char *env[ENV_MAX + 1];
    int env_count, runs, subject_count;
    const char *event_path;
    struct subject *subjects[FUNCTIONS_MAX];
    bool answered, event_sent;
    int64_t answered_ns;
};

static const struct argp_option options[] = {
    {"runs", 'n', "N", 0, "Starts of each function (default 40)", 0},
    {"env", 'e', "NAME=VALUE", 0, "A variable for the functions", 0},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct bench *b = state->input;
    int64_t n = 0;
    if (key == 'n') {
        if (!px_str_to_i64(px_str_c(text), &n) || n < 1 || n > RUNS_MAX)
            argp_error(state, "--runs takes 1 to %d", RUNS_MAX);
        b->runs = (int)n;
    } else if (key == 'e') {
        if (b->env_count == ENV_MAX - 4) argp_error(state, "too many variables");
        b->env[b->env_count++] = text;
    } else if (key == ARGP_KEY_ARG && state->arg_num == 0) {
        b->event_path = text;
    } else if (key == ARGP_KEY_ARG) {
        char *equals = strchr(text, '=');
        if (!equals || b->subject_count == FUNCTIONS_MAX)
            argp_error(state, "'%s' is not NAME=EXECUTABLE, or there are too many", text);
        *equals = '\0';
        struct subject *s = calloc(1, sizeof(*s));
        PX_ASSERT(s);
        s->name = text;
        s->path = equals + 1;
        b->subjects[b->subject_count++] = s;
    } else if (key == ARGP_KEY_END && b->subject_count == 0) {
        argp_error(state, "name an event and at least one function");
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static void on_request(void *ctx, struct http_request *request)
{
    struct bench *b = ctx;
    if (px_str_ends(request->path, S("/next"))) {
        const struct http_header headers[] = {
            {S("Lambda-Runtime-Aws-Request-Id"), S("00000000-0000-7000-8000-000000000000")},
            {S("Lambda-Runtime-Deadline-Ms"), S("4102444800000")},
            {S("Lambda-Runtime-Trace-Id"), S("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700")},
            {S("Lambda-Runtime-Invoked-Function-Arn"),
             S("arn:aws:lambda:us-east-1:123456789012:function:f")},
            {S("Content-Type"), S("application/json")},
        };
        if (b->event_sent) {
            b->parked = request;
            return;
        }
        b->event_sent = true;
        http_reply(request, 200, headers, PX_COUNT(headers), px_buf_str(&b->event));
        return;
    }
    b->answered = px_str_ends(request->path, S("/response"));
    b->answered_ns = px_mono_ns(&px_clock_system);
    if (!b->answered) fprintf(stderr, "%.*s: %.*s\n", PX_FMT(request->path), PX_FMT(request->body));
    http_reply(request, 202, NULL, 0, S(""));
    uv_stop(&b->loop);
}

static void on_gone(void *ctx, struct http_request *request)
{
    struct bench *b = ctx;
    if (b->parked == request) b->parked = NULL;
    http_reply(request, 200, NULL, 0, S(""));
}

/* vfork keeps the parent's size out of the figure, as a sandbox's init would. */
static pid_t start(const struct bench *b, const struct subject *s)
{
    pid_t pid = vfork();
    if (pid == 0) {
        char *const argv[] = {(char *)s->path, NULL};
        execve(s->path, argv, (char *const *)b->env);
        _exit(127);
    }
    return pid;
}

static bool run_once(struct bench *b, struct subject *s, int run)
{
    struct rusage usage;
    int status = 0;
    b->answered = b->event_sent = false;
    int64_t started_ns = px_mono_ns(&px_clock_system);
    pid_t pid = start(b, s);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    kill(pid, SIGKILL);
    wait4(pid, &status, 0, &usage);
    while (http_server_connections(b->server) >
           0) /* its `next` must not take the next one's event */
        uv_run(&b->loop, UV_RUN_ONCE);
    s->ms[run] = (double)(b->answered_ns - started_ns) / 1e6;
    s->memory_mb[run] = (double)usage.ru_maxrss / 1024;
    return b->answered;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print(struct bench *b)
{
    printf("| function | p50 ms | p90 ms | memory MB | executable MB |\n|---|---|---|---|---|\n");
    for (int i = 0; i < b->subject_count; i++) {
        struct subject *s = b->subjects[i];
        struct stat st = {0};
        (void)!stat(s->path, &st);
        qsort(s->ms, (size_t)b->runs, sizeof(double), by_value);
        qsort(s->memory_mb, (size_t)b->runs, sizeof(double), by_value);
        printf("| %s | %.2f | %.2f | %.1f | %.2f |\n", s->name, s->ms[b->runs / 2],
               s->ms[b->runs * 9 / 10], s->memory_mb[b->runs / 2], (double)st.st_size / 1e6);
    }
}

static bool prepare(struct bench *b)
{
    const struct http_server_options server = {
        .on_request = on_request, .on_gone = on_gone, .ctx = b};
    uint16_t port = 0;
    px_buf_init(&b->event, 6 << 20);
    if (px_file_read(b->event_path, &b->event) != 0) {
        fprintf(stderr, "coldstart: cannot read %s\n", b->event_path);
        return false;
    }
    uv_loop_init(&b->loop);
    if (http_server_new(&b->loop, &server, &b->server) != 0 ||
        http_server_listen_tcp(b->server, "127.0.0.1", 0, &port) != 0)
        return false;
    snprintf(b->api, sizeof(b->api), "AWS_LAMBDA_RUNTIME_API=127.0.0.1:%u", port);
    b->env[b->env_count++] = b->api;
    b->env[b->env_count++] = "AWS_LAMBDA_FUNCTION_NAME=f";
    b->env[b->env_count++] = "AWS_LAMBDA_FUNCTION_VERSION=$LATEST";
    b->env[b->env_count++] = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128";
    return true;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {options,
                                     parse,
                                     "EVENT.json NAME=EXECUTABLE...",
                                     "Measure cold starts of Lambda functions.",
                                     NULL,
                                     NULL,
                                     NULL};
    static struct bench b = {.runs = 40};
    argp_parse(&argp, argc, argv, 0, NULL, &b);
    if (!prepare(&b)) return 1;
    for (int i = 0; i < b.subject_count; i++)
        if (!run_once(&b, b.subjects[i], 0)) /* warms the page cache; overwritten below */
            return 1;
    for (int run = 0; run < b.runs; run++)
        for (int i = 0; i < b.subject_count; i++)
            if (!run_once(&b, b.subjects[i], run)) return 1;
    print(&b);
    return 0;
}
