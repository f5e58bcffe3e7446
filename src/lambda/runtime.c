/* lambda/runtime.c - the loop of a function: next event, handler, answer.
 *
 * One blocking connection to the Runtime API and no thread. SIGTERM is taken through a signalfd that is
 * looked at only while waiting for the next event, so an event in work always ends with its answer.
 * When the API cannot be reached any more the process ends: then the region is gone, and a function
 * must not outlive it. */
#include "lambda/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lambda/apigw.h"
#include "lambda/runtime_observe.h"
#include "lambda/runtime_post.h"

#define ARENA_BYTES_DEFAULT (64u << 20)
#define EVENT_BYTES_MAX                                                                            \
    ((size_t)LAMBDA_PAYLOAD_BYTES_MAX + (1u << 20)) /* the API refuses earlier */
#define AFTER_NS_MAX (2 * PX_NS_PER_S)
#define AFTER_MARGIN_NS (500 * PX_NS_PER_MS)
#define TRACE_VARIABLE "_X_AMZN_TRACE_ID"

enum runtime_answer { RUNTIME_STOP = 1 }; /* SIGTERM came */

struct runtime {
    const struct lambda_handler *handler;
    struct http_client *client;
    int signal_fd;
    struct px_log log;
    struct px_arena arena; /* of the event */
    struct px_buf body;    /* of its answer */
    bool by_socket;        /* of the local region */
    struct runtime_observe observe;
    bool cold;
    /* "_X_AMZN_TRACE_ID=..." in the environment: changed in place, because each setenv(3) of a new
     * value takes memory for good. */
    char trace[sizeof TRACE_VARIABLE "=" + 512];
    char request_id[128];
    struct px_str answered; /* the one before; where request_id is, until the next has come */
};

/* ---- events ---- */

static bool id_is_fine(struct px_str id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '-';
        if (!fine) return false;
    }
    return id.len > 0 && id.len < sizeof((struct runtime *)0)->request_id;
}

static void export_trace(struct runtime *runtime, struct px_str trace_id)
{
    if (trace_id.len == 0 || trace_id.len >= sizeof runtime->trace - sizeof TRACE_VARIABLE) {
        (void)unsetenv(TRACE_VARIABLE);
        return;
    }
    (void)snprintf(runtime->trace, sizeof runtime->trace, TRACE_VARIABLE "=%.*s", PX_FMT(trace_id));
    (void)putenv(runtime->trace);
}

/* Faults: PX_F_PROTOCOL for an event without a usable id. */
static int event_of(struct runtime *runtime, const struct http_response *response,
                    struct lambda_event *ret_event)
{
    struct px_str id = http_response_header(response, S("Lambda-Runtime-Aws-Request-Id"));
    if (!id_is_fine(id))
        return px_fault(PX_F_PROTOCOL, "the Runtime API gave an event no request id");
    memcpy(runtime->request_id, id.ptr, id.len); /* outlives the client's memory, for the log */
    runtime->log.request_id = px_str(runtime->request_id, id.len);
    int64_t deadline_ms = 0;
    struct px_str deadline = http_response_header(response, S("Lambda-Runtime-Deadline-Ms"));
    if (!px_str_to_i64(deadline, &deadline_ms) || deadline_ms > INT64_MAX / PX_NS_PER_MS)
        deadline_ms = INT64_MAX / PX_NS_PER_MS; /* none is given: then none ends the event */
    *ret_event = (struct lambda_event){
        .request_id = runtime->log.request_id,
        .trace_id = http_response_header(response, S("Lambda-Runtime-Trace-Id")),
        .function_arn = http_response_header(response, S("Lambda-Runtime-Invoked-Function-Arn")),
        .deadline_ns = deadline_ms * PX_NS_PER_MS,
        .payload = response->body,
        .cold = runtime->cold,
        .arena = &runtime->arena,
        .log = &runtime->log,
    };
    export_trace(runtime, ret_event->trace_id);
    runtime->cold = false;
    return 0;
}

static void tell_refused(const struct px_log *log)
{
    px_log(log, PX_WARN, "the Runtime API did not take the answer of this event");
}

/* What was said to the answer that went ahead of this call. */
static int look_ahead(const struct runtime *runtime)
{
    int status = http_client_ahead_status(runtime->client);
    if (status / 100 == 5)
        return px_fault(PX_F_UNAVAILABLE, "the Runtime API answered %d to an answer", status);
    struct px_log log = runtime->log;
    log.request_id = runtime->answered;
    if (status / 100 == 4) tell_refused(&log);
    return 0;
}

/* Answers: RUNTIME_STOP. */
static int next_event(struct runtime *runtime, struct lambda_event *ret_event)
{
    static const struct http_call call = {
        .method = "GET",
        .path = {RUNTIME_PATH "invocation/next", sizeof RUNTIME_PATH "invocation/next" - 1}};
    struct http_response response;
    http_client_pause(runtime->client, runtime_observe_pause(&runtime->observe));
    http_client_interrupt_fd(runtime->client, runtime->signal_fd);
    int r = http_client_call(runtime->client, &call, EVENT_BYTES_MAX, NULL, NULL, &response);
    http_client_interrupt_fd(runtime->client, -1);
    if (r >= 0) PX_TRY(look_ahead(runtime));
    if (r == HTTP_CLIENT_INTERRUPTED) return RUNTIME_STOP;
    PX_TRY(r);
    if (response.status != 200)
        return px_fault(PX_F_UNAVAILABLE, "the Runtime API answered %d to next", response.status);
    PX_TRY(event_of(runtime, &response, ret_event));
    return 0;
}

/* ---- answers ---- */

static int post_error(struct runtime *runtime, const struct lambda_event *event, struct px_str type,
                      struct px_str message)
{
    struct runtime_error error = {type, message};
    struct lambda_stream *stream = event->reply->stream;
    if (stream->begun && stream->ended) return runtime_post_stream_end(stream, NULL);
    if (stream->begun) return runtime_post_stream_end(stream, &error);
    return runtime_post_error(runtime->client, event->request_id, &error, event->arena);
}

static int post_too_large(struct runtime *runtime, const struct lambda_event *event, size_t bytes)
{
    char text[160];
    (void)snprintf(
        text, sizeof text,
        "Response payload size (%s%zu bytes) exceeded maximum allowed payload size (%d bytes).",
        bytes > LAMBDA_PAYLOAD_BYTES_MAX ? "" : "over ", bytes, LAMBDA_PAYLOAD_BYTES_MAX);
    px_log(&runtime->log, PX_ERROR, "%s", text);
    return post_error(runtime, event, S("Function.ResponseSizeTooLarge"), px_str_c(text));
}

static int post_fault(struct runtime *runtime, const struct lambda_event *event, int fault)
{
    char text[1024];
    px_log_fault(&runtime->log, fault, "the event failed");
    return post_error(runtime, event, px_str_c(px_fault_name(fault)),
                      px_str_c(px_fault_text(fault, text, sizeof text)));
}

static int post_body(struct runtime *runtime, const struct lambda_event *event)
{
    const struct px_buf *body = event->reply->body;
    if (px_buf_fault(body) == PX_F_LIMIT)
        return post_too_large(runtime, event, LAMBDA_PAYLOAD_BYTES_MAX);
    if (px_buf_fault(body)) return post_fault(runtime, event, px_buf_fault(body));
    if (runtime->by_socket)
        return runtime_post_response_ahead(runtime->client, event->request_id, px_buf_str(body),
                                           event->arena);
    int r = runtime_post_response(runtime->client, event->request_id, px_buf_str(body),
                                  event->arena);
    return r == RUNTIME_POST_TOO_LARGE ? post_too_large(runtime, event, body->len) : r;
}

static int post_outcome(struct runtime *runtime, const struct lambda_event *event, int outcome)
{
    const struct lambda_reply *reply = event->reply;
    if (outcome < 0) return post_fault(runtime, event, outcome);
    if (outcome > 0) return post_error(runtime, event, reply->error_type, reply->error_message);
    if (reply->stream->begun) return runtime_post_stream_end(reply->stream, NULL);
    return post_body(runtime, event);
}

/* For the metrics: 0 for an answer without one, negative for an error. */
static int status_of(const struct lambda_reply *reply, int outcome)
{
    if (outcome != 0) return -1;
    return reply->stream->begun ? reply->stream->status
                                : api_response_status(px_buf_str(reply->body));
}

/* What work behind an answer may take: a while, and not past the event's end. */
static uint32_t time_after(const struct lambda_event *event)
{
    int64_t left_ns = event->deadline_ns - px_wall_ns(&px_clock_system) - AFTER_MARGIN_NS;
    return (uint32_t)(PX_MAX(PX_MIN(left_ns, AFTER_NS_MAX), 0) / PX_NS_PER_MS);
}

static int handle_event(struct runtime *runtime, struct lambda_event *event)
{
    px_buf_clear(&runtime->body);
    struct lambda_stream stream = {
        runtime->client, event->request_id, event->arena, false, false, 0};
    struct lambda_reply reply = {.body = &runtime->body, .stream = &stream};
    event->reply = &reply;
    observe_event_begin(runtime->observe.observe,
                        &(struct observe_event){event->request_id, event->trace_id,
                                                event->function_arn, event->cold});
    int outcome = runtime->handler->handle(runtime->handler->ctx, event);
    int r = post_outcome(runtime, event, outcome);
    observe_event_end(runtime->observe.observe, status_of(&reply, outcome));
    runtime_observe_after(&runtime->observe, event->deadline_ns);
    if (runtime->handler->after)
        runtime->handler->after(runtime->handler->ctx, &runtime->log, time_after(event));
    px_arena_reset(&runtime->arena);
    if (r > 0) tell_refused(&runtime->log);
    runtime->answered = runtime->log.request_id;
    runtime->log.request_id = S("");
    return PX_MIN(r, 0);
}

/* ---- life ---- */

static int runtime_init(struct runtime *runtime)
{
    int fault = runtime_observe_open(&runtime->observe, runtime->handler, &runtime->log);
    if (fault == 0 && runtime->handler->init)
        fault = runtime->handler->init(runtime->handler->ctx, &runtime->log);
    if (fault == 0 && runtime->handler->after)
        runtime->handler->after(runtime->handler->ctx, &runtime->log, 0);
    if (fault == 0) return 0;
    char text[1024];
    struct runtime_error error = {px_str_c(px_fault_name(fault)),
                                  px_str_c(px_fault_text(fault, text, sizeof text))};
    px_log_fault(&runtime->log, fault, "the function could not start");
    if (runtime_post_error(runtime->client, S(""), &error, &runtime->arena) != 0)
        px_log(&runtime->log, PX_WARN, "the Runtime API did not take the init error");
    return fault;
}

/* A fault means that the API is out of reach: on a region's end that is the usual way to go, so
 * nothing is logged unless the protocol itself was broken. */
static int runtime_loop(struct runtime *runtime)
{
    int r = 0;
    while (r == 0) {
        struct lambda_event event;
        r = next_event(runtime, &event);
        if (r == 0) r = handle_event(runtime, &event);
    }
    if (r < 0 && r != PX_F_UNAVAILABLE)
        px_log_fault(&runtime->log, r, "the Runtime API is out of reach");
    return r == RUNTIME_STOP ? 0 : 1;
}

static enum px_level level_wanted(void)
{
    const char *text = getenv("PRISM_LOG_LEVEL");
    if (!text) text = getenv("AWS_LAMBDA_LOG_LEVEL");
    enum px_level level = PX_INFO;
    return px_level_parse(px_str_c(text), &level) ? level : PX_INFO;
}

static int take_signals(int *ret_fd)
{
    struct sigaction old, ignore = {.sa_handler = SIG_IGN};
    sigset_t term;
    if (sigemptyset(&term) != 0 || sigaddset(&term, SIGTERM) != 0 ||
        sigprocmask(SIG_BLOCK, &term, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0 ||
        sigaction(SIGUSR1, NULL, &old) != 0)
        return px_fault_errno("signals");
    if (old.sa_handler == SIG_DFL && sigaction(SIGUSR1, &ignore, NULL) != 0)
        return px_fault_errno("SIGUSR1");
    int fd = signalfd(-1, &term, SFD_CLOEXEC);
    if (fd < 0) return px_fault_errno("signalfd");
    *ret_fd = fd;
    return 0;
}

/* The region's socket in place of a connection: if it is one, and was made by the process that says to be the region. What
 * a function starts has its environment too, but not its descriptors. */
static void take_socket(struct runtime *runtime)
{
    struct ucred maker = {0};
    socklen_t bytes = sizeof maker;
    int64_t number = -1, region = 0;
    const char *text = getenv(RUNTIME_SOCKET_FD), *pid = getenv(RUNTIME_REGION_PID);
    if (!text || !px_str_to_i64(px_str_c(text), &number) || number < 3 || number > INT_MAX) return;
    if (!pid || !px_str_to_i64(px_str_c(pid), &region)) return;
    int fd = (int)number;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &maker, &bytes) != 0 ||
        maker.pid != (pid_t)region || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return;
    http_client_adopt(runtime->client, &fd);
    runtime->by_socket = true;
}

/* The local region names itself as the parent, and then a function ends with it at once, also within an
 * event: nobody is left to answer. Elsewhere the parent may be a thread that comes and goes. False:
 * it is gone already. */
static bool end_with_region(void)
{
    int64_t region = 0;
    const char *text = getenv(RUNTIME_REGION_PID);
    if (!text || !px_str_to_i64(px_str_c(text), &region)) return true;
    return prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() == (pid_t)region;
}

/* Keys and records of tenants are in memory: no core file of it, also where the system pipes them. */
static void keep_memory_private(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they trace themselves */
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

static void runtime_deinit(struct runtime *runtime)
{
    (void)unsetenv(TRACE_VARIABLE); /* it may point into the struct */
    runtime_observe_close(&runtime->observe);
    http_client_free(&runtime->client);
    px_close(&runtime->signal_fd);
    px_buf_deinit(&runtime->body);
    px_arena_deinit(&runtime->arena);
}

static int usage(void)
{
    (void)fprintf(
        stderr,
        "%s is an AWS Lambda function; it is started with AWS_LAMBDA_RUNTIME_API and\n"
        "AWS_LAMBDA_FUNCTION_NAME in its environment, by AWS Lambda or by `prism up`.\n"
        "To try it alone, start it under the Lambda runtime interface emulator and post an event:\n"
        "  AWS_LAMBDA_FUNCTION_NAME=example aws-lambda-rie %s &\n"
        "  curl -d @event.json http://127.0.0.1:8080/2015-03-31/functions/function/invocations\n",
        program_invocation_short_name, program_invocation_name);
    return 2;
}

int lambda_run(const struct lambda_handler *handler)
{
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API"), *name = getenv("AWS_LAMBDA_FUNCTION_NAME");
    if (!api || !name) return usage();
    if (!end_with_region()) return 1;
    keep_memory_private();
    PX_AUTO(runtime_deinit)
    struct runtime runtime = {
        .handler = handler,
        .signal_fd = -1,
        .log = {.fd = 1,
                .level = level_wanted(),
                .service = px_str_c(name),
                .clock = &px_clock_system},
        .cold = true,
    };
    px_arena_init(&runtime.arena,
                  handler->arena_bytes_max ? handler->arena_bytes_max : ARENA_BYTES_DEFAULT);
    px_buf_init(&runtime.body, LAMBDA_PAYLOAD_BYTES_MAX);
    int r = take_signals(&runtime.signal_fd);
    if (r == 0) r = http_client_new(px_str_c(api), 0, &runtime.client);
    if (r != 0) {
        px_log_fault(&runtime.log, r, "the function could not start");
        return 1;
    }
    take_socket(&runtime);
    if (runtime_init(&runtime) != 0) return 1;
    r = runtime_loop(&runtime);
    runtime_observe_last(&runtime.observe);
    if (handler->stop) handler->stop(handler->ctx);
    return r;
}
