/* aws/transfer.c - meta requests of aws-c-s3, waited for; docs: transfer.h.
 *
 * As an attempt does, a transfer belongs to its caller, who waits with a deadline, and to the Runtime,
 * which may come back when the caller has gone; so it owns what the Runtime reads and writes, and
 * whoever lets go last frees it. The lock guards done and refs. */
#include "aws/transfer.h"

#include <aws/auth/auth.h>
#include <aws/common/file.h>
#include <aws/common/uri.h>
#include <aws/http/connection.h>
#include <aws/http/proxy.h>
#include <aws/io/io.h>
#include <aws/io/stream.h>
#include <aws/s3/s3.h>
#include <aws/s3/s3_client.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "aws/error_text.h"
#include "aws/internal.h"
#include "aws/verdict.h"
#include "observe/observe.h"

#define DEADLINE_MS_DEFAULT (120u * 1000u)
#define PART_BYTES_DEFAULT (UINT64_C(8) << 20)
#define MEMORY_BYTES_MAX                                                                           \
    (UINT64_C(256) << 20) /* of parts in flight; the least that aws-c-s3 takes */
#define CONNECT_MS 1000
#define RETRIES_MAX 7
#define RETRY_BASE_MS 25
#define RETRY_CAP_S 2
#define GBPS 1.0 /* what a function's network gives; bounds what aws-c-s3 prepares ahead */

struct cloud_transfers {
    struct cloud *cloud;
    struct aws_s3_client *client;
    struct aws_uri endpoint;
    char authority[264];
    bool tls;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ended;
};

/* ---- life ---- */

static void client_ended(void *ctx)
{
    struct cloud_transfers *transfers = ctx;
    (void)pthread_mutex_lock(&transfers->lock);
    transfers->ended = true;
    (void)pthread_cond_signal(&transfers->changed);
    (void)pthread_mutex_unlock(&transfers->lock);
}

static int endpoint_set(struct cloud_transfers *transfers, struct px_str url)
{
    struct aws_byte_cursor text = cloud_cursor(url);
    if (aws_uri_init_parse(&transfers->endpoint, transfers->cloud->allocator, &text) != 0)
        return px_fault(PX_F_CONFIG, "the endpoint of S3: %s", aws_error_str(aws_last_error()));
    struct px_str authority = cloud_str(transfers->endpoint.authority);
    if (authority.len >= sizeof transfers->authority)
        return px_fault(PX_F_CONFIG, "the endpoint of S3 has %zu bytes", authority.len);
    memcpy(transfers->authority, authority.ptr, authority.len);
    transfers->tls = px_str_starts(url, S("https:"));
    return 0;
}

static int client_make(struct cloud_transfers *transfers,
                       const struct cloud_transfers_options *options)
{
    struct cloud *cloud = transfers->cloud;
    struct aws_byte_cursor host = transfers->endpoint.host_name;
    struct aws_tls_connection_options tls;
    aws_tls_connection_options_init_from_ctx(&tls, cloud->tls);
    (void)aws_tls_connection_options_set_server_name(&tls, cloud->allocator, &host);
    struct aws_signing_config_aws signing;
    struct aws_byte_cursor region = aws_byte_cursor_from_c_str(cloud->region);
    aws_s3_init_default_signing_config(&signing, region, cloud->credentials);
    uint32_t silence_s = ((options->silence_ms ? options->silence_ms : 5000) + 999) / 1000;
    struct aws_http_connection_monitoring_options monitoring = {
        .minimum_throughput_bytes_per_second = 1,
        .allowable_throughput_failure_interval_seconds = silence_s};
    struct proxy_env_var_settings no_proxy = {.env_var_type = AWS_HPEV_DISABLE};
    uint32_t connections = options->connections_max ? options->connections_max : 8;
    uint64_t part_bytes = options->part_bytes ? options->part_bytes : PART_BYTES_DEFAULT;
    struct aws_s3_client_config config = {.max_active_connections_override = connections,
                                          .region = region,
                                          .client_bootstrap = cloud->bootstrap,
                                          .tls_mode = transfers->tls ? AWS_MR_TLS_ENABLED
                                                                     : AWS_MR_TLS_DISABLED,
                                          .tls_connection_options = transfers->tls ? &tls : NULL,
                                          .signing_config = &signing,
                                          .part_size = part_bytes,
                                          .multipart_upload_threshold = part_bytes,
                                          .throughput_target_gbps = GBPS,
                                          .memory_limit_in_bytes = MEMORY_BYTES_MAX,
                                          .retry_config = {.max_retries = RETRIES_MAX,
                                                           .backoff_scale_factor_ms = RETRY_BASE_MS,
                                                           .max_backoff_secs = RETRY_CAP_S},
                                          .shutdown_callback = client_ended,
                                          .shutdown_callback_user_data = transfers,
                                          .proxy_ev_settings = &no_proxy,
                                          .connect_timeout_ms = CONNECT_MS,
                                          .monitoring_options = &monitoring,
                                          .num_file_io_threads = 1};
    transfers->client = aws_s3_client_new(cloud->allocator, &config);
    aws_tls_connection_options_clean_up(&tls);
    if (transfers->client) return 0;
    return px_fault(PX_F_CONFIG, "transfers with S3: %s", aws_error_str(aws_last_error()));
}

int cloud_transfers_new(struct cloud *cloud, const struct cloud_transfers_options *options,
                        struct cloud_transfers **ret_transfers)
{
    PX_AUTO(cloud_transfers_free) struct cloud_transfers *transfers = calloc(1, sizeof *transfers);
    if (!transfers) return px_fault(PX_F_OOM, "transfers with S3");
    transfers->cloud = cloud;
    (void)pthread_mutex_init(&transfers->lock, NULL);
    (void)pthread_cond_init(&transfers->changed, NULL);
    aws_s3_library_init(cloud->allocator); /* more than once is harmless */
    PX_TRY(endpoint_set(transfers, options->url));
    PX_TRY(client_make(transfers, options));
    *ret_transfers = PX_TAKE(transfers);
    return 0;
}

void cloud_transfers_free(struct cloud_transfers **ptransfers)
{
    struct cloud_transfers *transfers = *ptransfers;
    if (!transfers) return;
    if (transfers->client) {
        aws_s3_client_release(transfers->client);
        (void)pthread_mutex_lock(&transfers->lock);
        while (!transfers->ended) (void)pthread_cond_wait(&transfers->changed, &transfers->lock);
        (void)pthread_mutex_unlock(&transfers->lock);
    }
    aws_uri_clean_up(&transfers->endpoint);
    (void)pthread_cond_destroy(&transfers->changed);
    (void)pthread_mutex_destroy(&transfers->lock);
    free(transfers);
    *ptransfers = NULL;
}

/* ---- one transfer ---- */

struct running {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int refs;
    bool done;
    struct px_buf sent;          /* of an upload from memory */
    struct aws_byte_buf arrived; /* of a download */
    struct px_buf refusal;       /* the body of an error */
    int error, status;
};

static void running_free(struct running *running)
{
    px_buf_deinit(&running->sent);
    px_buf_deinit(&running->refusal);
    free(running->arrived.buffer);
    (void)pthread_cond_destroy(&running->changed);
    (void)pthread_mutex_destroy(&running->lock);
    free(running);
}

static void running_unref(struct running **prunning)
{
    struct running *running = *prunning;
    if (!running) return;
    (void)pthread_mutex_lock(&running->lock);
    bool last = --running->refs == 0;
    (void)pthread_mutex_unlock(&running->lock);
    if (last) running_free(running);
    *prunning = NULL;
}

static int running_new(struct running **ret_running)
{
    struct running *running = calloc(1, sizeof *running);
    if (!running) return px_fault(PX_F_OOM, "a transfer");
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&running->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&running->lock, NULL);
    px_buf_init(&running->sent, SIZE_MAX);
    px_buf_init(&running->refusal, 64u * 1024u);
    running->refs = 1;
    *ret_running = running;
    return 0;
}

static void on_finish(struct aws_s3_meta_request *request,
                      const struct aws_s3_meta_request_result *result, void *ctx)
{
    (void)request;
    struct running *running = ctx;
    running->error = result->error_code;
    running->status = result->response_status;
    if (result->error_response_body)
        px_buf_add(&running->refusal, result->error_response_body->buffer,
                   result->error_response_body->len);
    (void)pthread_mutex_lock(&running->lock);
    running->done = true;
    (void)pthread_cond_signal(&running->changed);
    (void)pthread_mutex_unlock(&running->lock);
}

static void on_shutdown(void *ctx)
{
    struct running *running = ctx;
    running_unref(&running);
}

static bool running_wait(struct running *running, int64_t until_ns)
{
    struct timespec until = {until_ns / PX_NS_PER_S, until_ns % PX_NS_PER_S};
    (void)pthread_mutex_lock(&running->lock);
    int r = 0;
    while (!running->done && r == 0)
        r = pthread_cond_timedwait(&running->changed, &running->lock, &until);
    bool done = running->done;
    (void)pthread_mutex_unlock(&running->lock);
    return done;
}

/* ---- what it came to ---- */

static enum verdict verdict_of_error(int error)
{
    switch (error) {
    case AWS_ERROR_S3_REQUEST_TIME_TOO_SKEWED: return VERDICT_CLOCK;
    case AWS_ERROR_S3_SLOW_DOWN: return VERDICT_THROTTLED;
    case AWS_ERROR_S3_INTERNAL_ERROR: return VERDICT_SERVER;
    case AWS_AUTH_SIGNING_NO_CREDENTIALS:
    case AWS_AUTH_CREDENTIALS_PROVIDER_INVALID_ENVIRONMENT:
    case AWS_AUTH_CREDENTIALS_PROVIDER_PROFILE_SOURCE_FAILURE: return VERDICT_DENIED;
    case AWS_IO_SOCKET_TIMEOUT:
    case AWS_IO_SOCKET_CONNECTION_REFUSED:
    case AWS_IO_DNS_INVALID_NAME: return VERDICT_UNREACHABLE;
    default: return VERDICT_LOST;
    }
}

static bool is_of_a_file(int error)
{
    return error == AWS_ERROR_FILE_INVALID_PATH || error == AWS_ERROR_FILE_OPEN_FAILURE ||
           error == AWS_ERROR_FILE_READ_FAILURE || error == AWS_ERROR_NO_PERMISSION;
}

/* Answers: CLOUD_REFUSED. */
static int outcome(const struct cloud_transfers *transfers, const struct running *running,
                   const char *what, struct px_arena *arena, struct cloud_response *ret_response)
{
    struct error_text text = {.arena = arena};
    if (running->error == 0) return 0;
    if (is_of_a_file(running->error))
        return px_fault(PX_F_IO, "s3 %s: %s", what, aws_error_str(running->error));
    PX_TRY(error_text_read(px_buf_str(&running->refusal), &text));
    bool answered = running->status >= 300;
    enum verdict verdict = answered ? verdict_of(running->status, text.code, text.message, 0)
                                    : verdict_of_error(running->error);
    bool begins_again = running->status == 409; /* all of it, which is the caller's to do */
    if (verdict == VERDICT_REFUSED || begins_again) {
        *ret_response = (struct cloud_response){.status = running->status, .error = text.code};
        return CLOUD_REFUSED;
    }
    char status[16] = "";
    if (answered) (void)snprintf(status, sizeof status, " %d", running->status);
    return px_fault(verdict_fault(verdict), "s3 %s in parts in %s: %s%s%s%.*s: %s", what,
                    transfers->cloud->region, verdict_text(verdict), status,
                    text.code.len > 0 ? " " : "", PX_FMT(text.code), aws_error_str(running->error));
}

/* ---- asking ---- */

static void header_add(struct aws_http_message *message, struct px_str name, struct px_str value)
{
    struct aws_http_header header = {.name = cloud_cursor(name), .value = cloud_cursor(value)};
    (void)aws_http_message_add_header(message, header); /* fails only on names that are none */
}

static struct aws_http_message *message_make(const struct cloud_transfers *transfers,
                                             const struct cloud_transfer *transfer,
                                             const char *method)
{
    struct aws_http_message *message = aws_http_message_new_request(transfers->cloud->allocator);
    (void)aws_http_message_set_request_method(message, aws_byte_cursor_from_c_str(method));
    (void)aws_http_message_set_request_path(message, cloud_cursor(transfer->path));
    header_add(message, S("Host"), px_str_c(transfers->authority));
    for (size_t i = 0; i < transfer->header_count; i++)
        header_add(message, transfer->headers[i].name, transfer->headers[i].value);
    return message;
}

/* Start it and wait. The message is used up. */
static int run(struct cloud_transfers *transfers, const struct cloud_transfer *transfer,
               struct aws_s3_meta_request_options *options, struct running *running)
{
    int64_t deadline_ms = transfer->deadline_ms ? transfer->deadline_ms : DEADLINE_MS_DEFAULT;
    int64_t until_ns = px_mono_ns(&px_clock_system) + deadline_ms * PX_NS_PER_MS;
    options->user_data = running;
    options->finish_callback = on_finish;
    options->shutdown_callback = on_shutdown;
    options->endpoint = &transfers->endpoint;
    running->refs++; /* the Runtime's, until on_shutdown() */
    struct aws_s3_meta_request *request = aws_s3_client_make_meta_request(transfers->client,
                                                                          options);
    aws_http_message_release(options->message);
    if (!request) {
        running->refs--;
        int error = aws_last_error();
        return px_fault(is_of_a_file(error) ? PX_F_IO : PX_F_CONFIG, "a transfer with S3: %s",
                        aws_error_str(error));
    }
    bool done = running_wait(running, until_ns);
    if (!done) aws_s3_meta_request_cancel(request);
    aws_s3_meta_request_release(request);
    if (done) return 0;
    return px_fault(PX_F_TIMEOUT, "s3 in %s: a transfer has not ended in %lld ms",
                    transfers->cloud->region, (long long)deadline_ms);
}

static int put(struct cloud_transfers *transfers, const struct cloud_transfer *transfer,
               struct px_str file, struct px_str bytes, struct px_arena *arena,
               struct cloud_response *ret_response)
{
    PX_AUTO(running_unref) struct running *running = NULL;
    struct aws_s3_checksum_config checksum = {.location = AWS_SCL_HEADER,
                                              .checksum_algorithm = AWS_SCA_CRC64NVME};
    PX_TRY(running_new(&running));
    if (file.len == 0) px_buf_add_str(&running->sent, bytes);
    PX_TRY(px_buf_fault(&running->sent));
    struct aws_http_message *message = message_make(transfers, transfer, "PUT");
    struct aws_input_stream *stream = NULL;
    if (file.len == 0) {
        char length[24];
        (void)snprintf(length, sizeof length, "%zu", bytes.len);
        header_add(message, S("Content-Length"), px_str_c(length));
        struct aws_byte_cursor body = cloud_cursor(px_buf_str(&running->sent));
        stream = aws_input_stream_new_from_cursor(transfers->cloud->allocator, &body);
        aws_http_message_set_body_stream(message, stream);
    }
    struct aws_s3_meta_request_options options = {.type = AWS_S3_META_REQUEST_TYPE_PUT_OBJECT,
                                                  .message = message,
                                                  .send_filepath = cloud_cursor(file),
                                                  .checksum_config = &checksum};
    int r = run(transfers, transfer, &options, running);
    aws_input_stream_release(stream);
    PX_TRY(r);
    return outcome(transfers, running, "PutObject", arena, ret_response);
}

int cloud_transfer_put(struct cloud_transfers *transfers, const struct cloud_transfer *transfer,
                       struct px_str file, struct px_str bytes, struct px_arena *arena,
                       struct cloud_response *ret_response)
{
    struct observe_work work = observe_begin("s3 PutObject in parts", SPAN_CLIENT);
    int r = put(transfers, transfer, file, bytes, arena, ret_response);
    if (r < 0) observe_store_kind(r); /* attempts of parts are aws-c-s3's own */
    observe_end_store(&work, r);
    return r;
}

static int get(struct cloud_transfers *transfers, const struct cloud_transfer *transfer,
               uint64_t bytes, struct px_str checksum, struct px_buf *buf, struct px_arena *arena,
               struct cloud_response *ret_response)
{
    PX_AUTO(running_unref) struct running *running = NULL;
    struct aws_s3_checksum_config expected = {
        .expected_checksum = cloud_cursor(checksum),
        .expected_checksum_algorithm = checksum.len > 0 ? AWS_SCA_CRC64NVME : AWS_SCA_NONE};
    PX_TRY(running_new(&running));
    void *room = malloc(bytes > 0 ? bytes : 1);
    if (!room) return px_fault(PX_F_OOM, "an object of %llu bytes", (unsigned long long)bytes);
    running->arrived = (struct aws_byte_buf){.buffer = room, .capacity = bytes, .allocator = NULL};
    struct aws_s3_meta_request_options options = {
        .type = AWS_S3_META_REQUEST_TYPE_GET_OBJECT,
        .message = message_make(transfers, transfer, "GET"),
        .recv_buffer = &running->arrived,
        .checksum_config = &expected};
    PX_TRY(run(transfers, transfer, &options, running));
    int r = outcome(transfers, running, "GetObject", arena, ret_response);
    if (r == CLOUD_REFUSED) return r;
    PX_TRY(r);
    if (running->arrived.len != bytes)
        return px_fault(PX_F_UNAVAILABLE, "s3 GetObject: %zu bytes came, not %llu",
                        running->arrived.len, (unsigned long long)bytes);
    px_buf_add(buf, running->arrived.buffer, running->arrived.len);
    PX_TRY(px_buf_fault(buf));
    return 0;
}

int cloud_transfer_get(struct cloud_transfers *transfers, const struct cloud_transfer *transfer,
                       uint64_t bytes, struct px_str checksum, struct px_buf *buf,
                       struct px_arena *arena, struct cloud_response *ret_response)
{
    struct observe_work work = observe_begin("s3 GetObject in parts", SPAN_CLIENT);
    int r = get(transfers, transfer, bytes, checksum, buf, arena, ret_response);
    observe_number(&work, "prism.bytes", (int64_t)bytes);
    if (r < 0) observe_store_kind(r);
    observe_end_store(&work, r);
    return r;
}
