/* lambda/runtime.h - the function's side of the Lambda Runtime API (version 2018-06-01): an ordinary
 * executable that calls lambda_run() can be started by AWS as `bootstrap`, by the runtime interface
 * emulator and by the local region, without change.
 *
 * Source of the protocol: AWS Lambda developer guide, "Using the Lambda runtime API". */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "base/px_clock.h"
#include "base/px_log.h"

#define LAMBDA_PAYLOAD_BYTES_MAX (6 * 1024 * 1024) /* synchronous, each way: aws-facts 17 */

struct lambda_reply;
struct lambda_stream;

/* One invocation. Views live until the handler returns. */
struct lambda_event {
    struct px_str request_id;   /* Lambda-Runtime-Aws-Request-Id */
    struct px_str trace_id;     /* Lambda-Runtime-Trace-Id, X-Ray form; may be empty */
    struct px_str function_arn; /* Lambda-Runtime-Invoked-Function-Arn */
    int64_t deadline_ns;        /* wall time */
    struct px_str payload;      /* JSON; may be written to, for api_event_parse_in_place() */
    bool cold;                  /* first event of this process */
    struct px_arena *arena;     /* reset after the invocation */
    const struct px_log *log;   /* carries the request id */
    struct lambda_reply *reply;
};
/* When the event's work must have ended (monotonic, of px_clock_system): margin_ns before its deadline, but
 * not more than half of what is left. 0: it has none. */
static inline int64_t lambda_deadline_mono_ns(const struct lambda_event *event, int64_t margin_ns)
{
    if (event->deadline_ns == 0) return 0;
    int64_t left_ns = event->deadline_ns - px_wall_ns(&px_clock_system);
    int64_t until_ns = px_mono_ns(&px_clock_system) + left_ns - PX_MIN(margin_ns, left_ns / 2);
    return PX_MAX(until_ns, INT64_C(1));
}
/* What the handler fills. Text is borrowed until it returns; use event->arena. */
struct lambda_reply {
    struct px_buf *body; /* JSON; owned by the runtime, empty at the start */
    struct px_str error_type,
        error_message;            /* for a positive result: an unhandled function error */
    struct lambda_stream *stream; /* the runtime's own */
};
enum lambda_answer { LAMBDA_ERROR = 1 }; /* reply->error_* are set */

/* Who takes a function's spans. Made with the first batch, which leaves after an answer. */
struct lambda_exporter {
    /* url: "xray", or "http://host:port/path" of an OTLP/HTTP receiver. Faults: PX_F_CONFIG, ... */
    int (*open)(void *ctx, struct px_str url, void **ret_exporter);
    /* One ExportTraceServiceRequest. ret_refused: spans of it that the receiver did not take. */
    int (*send)(void *exporter, struct px_str otlp, uint32_t deadline_ms, uint64_t *ret_refused);
    void (*close)(void **exporter);
};

struct lambda_handler {
    /* Once, before the first event. A fault is posted as an init error and the process exits 1. */
    int (*init)(void *ctx, const struct px_log *log);
    /* Each event. A fault is posted as an invocation error (errorType from the fault's name) and
     * logged; the process goes on. */
    int (*handle)(void *ctx, const struct lambda_event *event);
    /* After each event, when its answer has gone and nobody waits; may be NULL. What it does may take
     * within_ms, and costs time of the function. It may set the log's level, for which it is also
     * called once after init, with 0. */
    void (*after)(void *ctx, struct px_log *log, uint32_t within_ms);
    /* Before exit on SIGTERM; may be NULL. */
    void (*stop)(void *ctx);
    void *ctx;
    size_t arena_bytes_max;                 /* 0: 64 MiB */
    const struct lambda_exporter *exporter; /* NULL: no spans leave; closed before stop() */
    void *exporter_ctx;                     /* for its open() */
};
/* Runs until SIGTERM (returns 0, after the current event) or until the Runtime API is gone (returns
 * 1); the value is for main() to return. Reads AWS_LAMBDA_RUNTIME_API and AWS_LAMBDA_FUNCTION_NAME;
 * without them it prints how to start the executable and returns 2. The log's level comes from
 * PRISM_LOG_LEVEL or Lambda's own AWS_LAMBDA_LOG_LEVEL (debug, info, warn, error). What it tells of its
 * events, and the settings of that: docs/design/observability.md.
 *
 * SIGTERM is blocked in the process and in the threads that init starts, SIGPIPE ignored, and so is
 * SIGUSR1 (the local region's "the caller is gone") until init installs a handler for it. */
int lambda_run(const struct lambda_handler *handler);

/* ---- response streaming (Lambda-Runtime-Function-Response-Mode: streaming) ---- */

/* Begin the streamed answer of an HTTP event: content type application/vnd.awslambda.http-
 * integration-response, the prelude {"statusCode","headers"}, eight NUL bytes, then the body. After
 * that reply->body is not sent. What is begun goes out with the first bytes written. */
PX_MUST_USE int lambda_stream_begin(const struct lambda_event *event, struct px_str prelude_json);
PX_MUST_USE int lambda_stream_write(const struct lambda_event *event, struct px_str bytes);
/* The last bytes: the caller has its answer at once, and what the handler does afterwards can no longer
 * change it; a fault is only logged then. */
PX_MUST_USE int lambda_stream_last(const struct lambda_event *event, struct px_str bytes);
/* Ends at return of the handler; a fault then is sent as the Lambda-Runtime-Function-Error-Type and
 * -Body trailers. */
