/* aws/sign.c - signing waits for credentials, which may have to be fetched; docs: sign.h. */
#include "aws/sign.h"

#include <aws/auth/signable.h>
#include <aws/auth/signing_result.h>
#include <aws/io/stream.h>

struct signing {
    struct aws_allocator *allocator;
    struct aws_http_message *message;
    struct aws_signable *signable;
    void (*done)(void *ctx, int error);
    void *ctx;
};

static void signing_end(struct signing *signing, int error)
{
    struct signing ended = *signing;
    aws_signable_destroy(signing->signable);
    aws_mem_release(signing->allocator, signing);
    ended.done(ended.ctx, error);
}

static void signed_or_not(struct aws_signing_result *result, int error, void *ctx)
{
    struct signing *signing = ctx;
    if (error == 0 &&
        aws_apply_signing_result_to_http_request(signing->message, signing->allocator, result) != 0)
        error = aws_last_error();
    struct aws_input_stream *body = aws_http_message_get_body_stream(signing->message);
    if (error == 0 && body && aws_input_stream_seek(body, 0, AWS_SSB_BEGIN) != 0)
        error = aws_last_error();
    signing_end(signing, error);
}

void cloud_sign(struct cloud *cloud, const struct cloud_scope *scope,
                struct aws_http_message *message, void (*done)(void *ctx, int error), void *ctx)
{
    struct signing *signing = aws_mem_calloc(cloud->allocator, 1, sizeof *signing);
    *signing = (struct signing){
        .allocator = cloud->allocator,
        .message = message,
        .signable = aws_signable_new_http_request(cloud->allocator, message),
        .done = done,
        .ctx = ctx};
    struct aws_signing_config_aws config = {
        .config_type = AWS_SIGNING_CONFIG_AWS,
        .algorithm = AWS_SIGNING_ALGORITHM_V4,
        .signature_type = scope->query_s > 0 ? AWS_ST_HTTP_REQUEST_QUERY_PARAMS
                                             : AWS_ST_HTTP_REQUEST_HEADERS,
        .expiration_in_seconds = scope->query_s,
        .region = cloud_cursor(scope->region),
        .service = cloud_cursor(scope->service),
        .signed_body_header = scope->body_digest && scope->query_s == 0
                                  ? AWS_SBHT_X_AMZ_CONTENT_SHA256
                                  : AWS_SBHT_NONE,
        .credentials_provider = cloud->credentials};
    if (scope->unsigned_body) config.signed_body_value = g_aws_signed_body_value_unsigned_payload;
    /* S3 takes the path as it is sent; all other services encode it once more */
    bool is_s3 = px_str_eq(scope->service, S("s3"));
    config.flags.use_double_uri_encode = !is_s3;
    config.flags.should_normalize_uri_path = !is_s3;
    uint64_t now_ms = (uint64_t)(px_wall_ns(cloud->clock) / PX_NS_PER_MS);
    aws_date_time_init_epoch_millis(&config.date, now_ms);
    if (aws_sign_request_aws(cloud->allocator, signing->signable,
                             (struct aws_signing_config_base *)&config, signed_or_not,
                             signing) != 0)
        signing_end(signing, aws_last_error());
}
