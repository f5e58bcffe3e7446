/* Signature Version 4 against published vectors: AWS's signing test suite, as aws-c-auth carries it in
 * tests/aws-signing-test-suite/v4. Its key, secret, region, service and time are all the same. */
#include "aws/reach.h"

#include "aws/client.h"
#include "aws/sign.h"

#include <aws/io/stream.h>

#define VECTOR_TIME_NS (INT64_C(1440938160) * PX_NS_PER_S) /* 2015-08-30T12:36:00Z */

__attribute__((constructor)) static void reach(void) { reach_init(); }

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    int error;
};
static void done(void *ctx, int error)
{
    struct waiter *waiter = ctx;
    (void)pthread_mutex_lock(&waiter->lock);
    waiter->done = true;
    waiter->error = error;
    (void)pthread_cond_signal(&waiter->changed);
    (void)pthread_mutex_unlock(&waiter->lock);
}

struct vector {
    const char *method, *path, *body;
    const char *headers[3][2];
    bool body_digest;
    const char *authorization; /* behind the scope */
};

static struct px_str signed_authorization(struct test *t, struct cloud *cloud,
                                          const struct vector *vector)
{
    struct aws_allocator *allocator = aws_default_allocator();
    struct aws_http_message *message = aws_http_message_new_request(allocator);
    struct aws_byte_cursor body = aws_byte_cursor_from_c_str(vector->body ? vector->body : "");
    struct aws_input_stream *stream = aws_input_stream_new_from_cursor(allocator, &body);
    if (vector->body) aws_http_message_set_body_stream(message, stream);
    CHECK_INT(
        aws_http_message_set_request_method(message, aws_byte_cursor_from_c_str(vector->method)),
        0);
    CHECK_INT(aws_http_message_set_request_path(message, aws_byte_cursor_from_c_str(vector->path)),
              0);
    for (size_t i = 0; i < 3 && vector->headers[i][0]; i++) {
        struct aws_http_header header = {
            .name = aws_byte_cursor_from_c_str(vector->headers[i][0]),
            .value = aws_byte_cursor_from_c_str(vector->headers[i][1])};
        CHECK_INT(aws_http_message_add_header(message, header), 0);
    }
    struct waiter waiter = {.done = false};
    (void)pthread_mutex_init(&waiter.lock, NULL);
    (void)pthread_cond_init(&waiter.changed, NULL);
    struct cloud_scope scope = {S("us-east-1"), S("service"), vector->body_digest};
    cloud_sign(cloud, &scope, message, done, &waiter);
    (void)pthread_mutex_lock(&waiter.lock);
    while (!waiter.done) (void)pthread_cond_wait(&waiter.changed, &waiter.lock);
    (void)pthread_mutex_unlock(&waiter.lock);
    CHECK_INT(waiter.error, 0);
    struct aws_byte_cursor value = {0};
    CHECK_INT(aws_http_headers_get(aws_http_message_get_headers(message),
                                   aws_byte_cursor_from_c_str("Authorization"), &value),
              0);
    struct px_str kept = px_arena_dup(&t->arena, cloud_str(value));
    aws_http_message_release(message);
    aws_input_stream_release(stream);
    return kept;
}

static const struct vector vectors[] = {
    {.method = "GET", /* get-vanilla */
     .path = "/",
     .headers = {{"Host", "example.amazonaws.com"}},
     .authorization = "SignedHeaders=host;x-amz-date, Signature="
                      "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.method = "POST", /* post-vanilla */
     .path = "/",
     .headers = {{"Host", "example.amazonaws.com"}},
     .authorization = "SignedHeaders=host;x-amz-date, Signature="
                      "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {.method = "POST", /* post-x-www-form-urlencoded */
     .path = "/",
     .body = "Param1=value1",
     .headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                 {"Host", "example.amazonaws.com"},
                 {"Content-Length", "13"}},
     .body_digest = true,
     .authorization = "SignedHeaders=content-length;content-type;host;x-amz-content-sha256;"
                      "x-amz-date, Signature="
                      "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
};

TEST(published_vectors_have_their_signatures)
{
    t->now_ns = VECTOR_TIME_NS;
    PX_AUTO(cloud_close) struct cloud *cloud = NULL;
    struct cloud_options options = {.clock = &t->clock};
    CHECK_OK(cloud_open(&options, &cloud));
    for (size_t i = 0; i < PX_COUNT(vectors); i++)
        CHECK_STR(signed_authorization(t, cloud, &vectors[i]),
                  px_arena_printf(&t->arena,
                                  "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/"
                                  "service/aws4_request, %s",
                                  vectors[i].authorization));
}

/* The example of a presigned URL in the User Guide of S3 ("Authenticating Requests: Using Query
 * Parameters"), with its own key, region and time. */
TEST(the_published_presigned_url_has_its_signature)
{
    t->now_ns = INT64_C(1369353600) * PX_NS_PER_S; /* 2013-05-24T00:00:00Z */
    CHECK_INT(setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE", 1), 0);
    CHECK_INT(setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 1), 0);
    PX_AUTO(cloud_close) struct cloud *cloud = NULL;
    PX_AUTO(cloud_client_free) struct cloud_client *client = NULL;
    struct cloud_options options = {.clock = &t->clock, .region = S("us-east-1")};
    struct cloud_client_options s3 = {.service = S("s3"),
                                      .endpoint = S("https://examplebucket.s3.amazonaws.com")};
    struct px_str url;
    CHECK_OK(cloud_open(&options, &cloud));
    CHECK_OK(cloud_client_new(cloud, &s3, &client));
    CHECK_OK(cloud_presign(client, "GET", S("/test.txt"), 86400, &t->arena, &url));
    CHECK(px_str_starts(url, S("https://examplebucket.s3.amazonaws.com/test.txt?")));
    CHECK(strstr(url.ptr,
                 "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4"));
    CHECK(px_str_ends(url, S("X-Amz-Signature="
                             "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")));
}

TEST_MAIN
