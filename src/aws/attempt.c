/* aws/attempt.c - sign, take a connection, exchange; docs: attempt.h.
 *
 * The callbacks form a chain of which exactly one link is pending at a time, and the chain holds one
 * reference. The lock guards what both sides touch: done, called_off, stage, stream. The rest is the
 * chain's until done, then the caller's. */
#include "aws/attempt.h"

#include <aws/http/connection.h>
#include <aws/http/request_response.h>
#include <aws/io/stream.h>

#include <stdlib.h>
#include <time.h>

#include "aws/sign.h"
#include "observe/observe.h"

#define HEAD_BYTES_MAX (32u * 1024u)
#define BODY_BYTES_MAX_DEFAULT (1024u * 1024u)

struct attempt {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int refs;
    bool done, called_off;
    enum attempt_stage stage;
    struct aws_http_stream *stream; /* while it is in flight */

    struct aws_http_connection_manager *connections;
    struct aws_http_connection *connection;
    struct aws_http_message *message;
    struct aws_input_stream *body_stream;
    struct px_buf sent, head, body;
    bool sign_only, secret;
    bool is_head; /* its answer announces a body that does not come */
    struct attempt_outcome outcome;
};

/* ---- life ---- */

static void attempt_free(struct attempt *attempt)
{
    if (attempt->connections) aws_http_connection_manager_release(attempt->connections);
    aws_http_message_release(attempt->message);
    aws_input_stream_release(attempt->body_stream);
    void (*deinit)(struct px_buf *) = attempt->secret ? px_buf_deinit_wiped : px_buf_deinit;
    deinit(&attempt->sent);
    deinit(&attempt->body);
    px_buf_deinit(&attempt->head);
    (void)pthread_cond_destroy(&attempt->changed);
    (void)pthread_mutex_destroy(&attempt->lock);
    free(attempt);
}

void attempt_unref(struct attempt **pattempt)
{
    struct attempt *attempt = *pattempt;
    if (!attempt) return;
    (void)pthread_mutex_lock(&attempt->lock);
    bool last = --attempt->refs == 0;
    (void)pthread_mutex_unlock(&attempt->lock);
    if (last) attempt_free(attempt);
    *pattempt = NULL;
}

/* The chain's end. */
static void attempt_end(struct attempt *attempt, int error)
{
    attempt->outcome.error = error;
    (void)pthread_mutex_lock(&attempt->lock);
    attempt->done = true;
    attempt->outcome.stage = attempt->stage;
    (void)pthread_cond_signal(&attempt->changed);
    (void)pthread_mutex_unlock(&attempt->lock);
    attempt_unref(&attempt);
}

/* The chain's next link; false when the caller has gone. */
static bool attempt_go_on(struct attempt *attempt, enum attempt_stage stage,
                          struct aws_http_stream *stream)
{
    (void)pthread_mutex_lock(&attempt->lock);
    bool go_on = !attempt->called_off;
    if (go_on) {
        attempt->stage = stage;
        attempt->stream = stream;
    }
    (void)pthread_mutex_unlock(&attempt->lock);
    return go_on;
}

/* With the lock. */
static bool wait_until(struct attempt *attempt, int64_t until_ns)
{
    struct timespec until = {until_ns / PX_NS_PER_S, until_ns % PX_NS_PER_S};
    int r = 0;
    while (!attempt->done && r == 0)
        r = pthread_cond_timedwait(&attempt->changed, &attempt->lock, &until);
    return attempt->done;
}

bool attempt_look(struct attempt *attempt, int64_t until_ns)
{
    (void)pthread_mutex_lock(&attempt->lock);
    bool done = wait_until(attempt, until_ns);
    (void)pthread_mutex_unlock(&attempt->lock);
    return done;
}

bool attempt_wait(struct attempt *attempt, int64_t until_ns, enum attempt_stage *ret_stage)
{
    (void)pthread_mutex_lock(&attempt->lock);
    bool done = wait_until(attempt, until_ns);
    attempt->called_off = !done;
    *ret_stage = attempt->stage;
    /* closes the connection, from the loop's thread; the stream's end follows */
    if (!done && attempt->stream) aws_http_stream_cancel_default_error(attempt->stream);
    (void)pthread_mutex_unlock(&attempt->lock);
    return done;
}

struct attempt_outcome attempt_outcome(const struct attempt *attempt)
{
    struct attempt_outcome outcome = attempt->outcome;
    outcome.head = px_buf_str(&attempt->head);
    outcome.body = px_buf_str(&attempt->body);
    struct aws_byte_cursor path = {0};
    (void)aws_http_message_get_request_path(attempt->message, &path);
    outcome.path = cloud_str(path);
    return outcome;
}

/* ---- the exchange ---- */

static int too_large(struct attempt *attempt)
{
    attempt->outcome.too_large = true;
    return aws_raise_error(AWS_ERROR_SHORT_BUFFER);
}

/* A body that is announced as too large is not waited for. */
static bool body_is_announced_too_large(const struct attempt *attempt)
{
    struct px_str head = px_buf_str(&attempt->head), name, value;
    uint64_t bytes = 0;
    while (!attempt->is_head && head.len > 0) {
        (void)px_str_cut(&head, '\0', &name);
        (void)px_str_cut(&head, '\0', &value);
        if (px_str_ieq(name, S("Content-Length")) && px_str_to_u64(value, &bytes))
            return bytes > attempt->body.limit_bytes;
    }
    return false;
}

static int on_headers(struct aws_http_stream *stream, enum aws_http_header_block block,
                      const struct aws_http_header *headers, size_t count, void *ctx)
{
    struct attempt *attempt = ctx;
    if (block != AWS_HTTP_HEADER_BLOCK_MAIN) return AWS_OP_SUCCESS;
    (void)aws_http_stream_get_incoming_response_status(stream, &attempt->outcome.status);
    for (size_t i = 0; i < count; i++) {
        px_buf_add_str(&attempt->head, cloud_str(headers[i].name));
        px_buf_add_char(&attempt->head, '\0');
        px_buf_add_str(&attempt->head, cloud_str(headers[i].value));
        px_buf_add_char(&attempt->head, '\0');
    }
    if (px_buf_fault(&attempt->head)) return too_large(attempt);
    return AWS_OP_SUCCESS;
}

static int on_head_end(struct aws_http_stream *stream, enum aws_http_header_block block, void *ctx)
{
    (void)stream;
    struct attempt *attempt = ctx;
    bool cut = block == AWS_HTTP_HEADER_BLOCK_MAIN && body_is_announced_too_large(attempt);
    return cut ? too_large(attempt) : AWS_OP_SUCCESS;
}

static int on_body(struct aws_http_stream *stream, const struct aws_byte_cursor *data, void *ctx)
{
    (void)stream;
    struct attempt *attempt = ctx;
    px_buf_add(&attempt->body, data->ptr, data->len);
    return px_buf_fault(&attempt->body) ? too_large(attempt) : AWS_OP_SUCCESS;
}

static void on_complete(struct aws_http_stream *stream, int error, void *ctx)
{
    struct attempt *attempt = ctx;
    (void)pthread_mutex_lock(&attempt->lock);
    attempt->stream = NULL; /* from now on nobody cancels it */
    (void)pthread_mutex_unlock(&attempt->lock);
    aws_http_stream_release(stream);
    /* one that was cut is not given to the next */
    (void)aws_http_connection_manager_release_connection(attempt->connections, attempt->connection);
    attempt_end(attempt, error);
}

/* on_complete follows when this returns 0. */
static int exchange_begin(struct attempt *attempt)
{
    struct aws_http_make_request_options options = {.self_size = sizeof options,
                                                    .request = attempt->message,
                                                    .user_data = attempt,
                                                    .on_response_headers = on_headers,
                                                    .on_response_header_block_done = on_head_end,
                                                    .on_response_body = on_body,
                                                    .on_complete = on_complete};
    struct aws_http_stream *stream = aws_http_connection_make_request(attempt->connection,
                                                                      &options);
    if (!stream) return aws_last_error();
    int error = AWS_ERROR_HTTP_STREAM_CANCELLED;
    if (attempt_go_on(attempt, STAGE_EXCHANGING, stream)) {
        if (aws_http_stream_activate(stream) == 0) return 0;
        error = aws_last_error();
        (void)attempt_go_on(attempt, STAGE_CONNECTING, NULL); /* nothing was sent */
    }
    aws_http_stream_release(stream);
    return error;
}

static void on_connection(struct aws_http_connection *connection, int error, void *ctx)
{
    struct attempt *attempt = ctx;
    if (error == 0) {
        attempt->connection = connection;
        error = exchange_begin(attempt);
        if (error == 0) return;
        (void)aws_http_connection_manager_release_connection(attempt->connections, connection);
    }
    attempt_end(attempt, error);
}

static void on_signed(void *ctx, int error)
{
    struct attempt *attempt = ctx;
    if (error == 0 && !attempt->sign_only && !attempt_go_on(attempt, STAGE_CONNECTING, NULL))
        error = AWS_ERROR_HTTP_STREAM_CANCELLED;
    if (error != 0 || attempt->sign_only) {
        attempt_end(attempt, error);
        return;
    }
    aws_http_connection_manager_acquire_connection(attempt->connections, on_connection, attempt);
}

/* ---- the request ---- */

static void message_add(struct aws_http_message *message, const char *name, struct px_str value)
{
    struct aws_http_header header = {.name = aws_byte_cursor_from_c_str(name),
                                     .value = cloud_cursor(value)};
    (void)aws_http_message_add_header(message, header); /* fails only on names that are none */
}

/* Whose work the request is, for X-Ray. It is not signed, for whoever passes a request on may change it. */
static void message_add_trace(struct aws_http_message *message)
{
    struct trace_context context;
    char text[TRACE_XRAY_BYTES];
    if (observe_context(&context))
        message_add(message, "X-Amzn-Trace-Id", trace_to_xray(&context, text));
}

static void message_make(struct attempt *attempt, const struct attempt_terms *terms)
{
    const struct cloud_request *request = terms->request;
    struct aws_allocator *allocator = terms->cloud->allocator;
    struct aws_http_message *message = aws_http_message_new_request(allocator);
    attempt->message = message;
    (void)aws_http_message_set_request_method(message, aws_byte_cursor_from_c_str(request->method));
    (void)aws_http_message_set_request_path(message, cloud_cursor(request->path));
    message_add(message, "Host", px_str_c(terms->endpoint->authority));
    for (size_t i = 0; i < request->header_count; i++) {
        struct aws_http_header header = {.name = cloud_cursor(request->headers[i].name),
                                         .value = cloud_cursor(request->headers[i].value)};
        (void)aws_http_message_add_header(message, header);
    }
    attempt->is_head = strcmp(request->method, "HEAD") == 0;
    bool has_body = strcmp(request->method, "PUT") == 0 || strcmp(request->method, "POST") == 0;
    if (!attempt->sign_only) message_add_trace(message);
    if (attempt->sign_only || (request->body.len == 0 && !has_body)) return;
    char length[24];
    (void)snprintf(length, sizeof length, "%zu", request->body.len);
    message_add(message, "Content-Length", px_str_c(length));
    if (request->body.len == 0) return;
    struct aws_byte_cursor body = cloud_cursor(px_buf_str(&attempt->sent));
    attempt->body_stream = aws_input_stream_new_from_cursor(allocator, &body);
    aws_http_message_set_body_stream(message, attempt->body_stream);
}

static void locks_init(struct attempt *attempt)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&attempt->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&attempt->lock, NULL);
}

int attempt_new(const struct attempt_terms *terms, struct attempt **ret_attempt)
{
    struct attempt *attempt = calloc(1, sizeof *attempt);
    if (!attempt) return px_fault(PX_F_OOM, "a request");
    locks_init(attempt);
    size_t body_bytes_max = terms->request->body_bytes_max;
    px_buf_init(&attempt->sent, SIZE_MAX);
    px_buf_init(&attempt->head, HEAD_BYTES_MAX);
    px_buf_init(&attempt->body, body_bytes_max > 0 ? body_bytes_max : BODY_BYTES_MAX_DEFAULT);
    px_buf_add_str(&attempt->sent, terms->request->body);
    if (px_buf_fault(&attempt->sent)) {
        attempt_free(attempt);
        return px_fault(PX_F_OOM, "a request of %zu bytes", terms->request->body.len);
    }
    aws_http_connection_manager_acquire(terms->connections);
    attempt->connections = terms->connections;
    attempt->sign_only = terms->presign_s > 0;
    attempt->secret = terms->request->secret;
    message_make(attempt, terms);
    attempt->refs = 2; /* the chain's and the caller's */
    *ret_attempt = attempt;
    if (terms->request->anonymous || terms->endpoint->is_socket) {
        on_signed(attempt, 0);
        return 0;
    }
    bool is_s3 = px_str_eq(terms->service, S("s3"));
    struct cloud_scope scope = {.region = terms->region,
                                .service = terms->service,
                                .body_digest = is_s3,
                                .unsigned_body = is_s3 &&
                                                 (terms->endpoint->tls || attempt->sign_only),
                                .query_s = terms->presign_s};
    cloud_sign(terms->cloud, &scope, attempt->message, on_signed, attempt);
    return 0;
}
