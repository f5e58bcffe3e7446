/* Objects in S3 when answers are lost, late, half or strange: a bucket that answers as told. What the
 * half does with one that works: test_objects.c. */
#include "aws/bucket.h"
#include "aws/reach.h"

#include <fcntl.h>

#include "aws/checksum.h"
#include "store/objects.h"

__attribute__((constructor)) static void reach(void) { reach_init(); }

struct rig {
    struct bucket bucket;
    struct object_store *store;
};
#define RIG_START(rig, opts, ...)                                                                  \
    static const struct bucket_rule rules_[] = {__VA_ARGS__};                                      \
    rig_start(t, rig, opts, rules_, PX_COUNT(rules_))
static void rig_start(struct test *t, struct rig *rig, const struct object_options *given,
                      const struct bucket_rule *rules, size_t count)
{
    memset(rig, 0, sizeof *rig);
    bucket_start(&rig->bucket, rules, count);
    struct px_str url = px_arena_printf(&t->arena, "http://127.0.0.1:%d", rig->bucket.port);
    CHECK_INT(setenv("AWS_ENDPOINT_URL", url.ptr, 1), 0);
    struct object_options options = given ? *given : (struct object_options){0};
    options.temp_dir = test_path(t, "tmp");
    CHECK_OK(object_store_open(S("s3://bucket/pre/fix"), &options, &rig->store));
}
static void rig_stop(struct rig *rig)
{
    object_store_close(&rig->store);
    bucket_stop(&rig->bucket);
}
/* The fault's text says all of these, and none of what is secret. */
static void fault_says(int fault, const char *const *words)
{
    char text[512];
    (void)px_fault_text(fault, text, sizeof text);
    for (; *words; words++)
        if (!strstr(text, *words)) TEST_FAIL("\"%s\" is not in: %s", *words, text);
    CHECK(!strstr(text, "wJalrXUtn") && !strstr(text, "AKID"));
}
#define SAYS(fault, ...) fault_says((fault), (const char *const[]){__VA_ARGS__, NULL})

static struct px_str file_of(struct test *t, struct object_store *store, size_t bytes)
{
    struct px_str path;
    CHECK_OK(object_temp_path(store, &t->arena, &path));
    int fd = open(path.ptr, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
    px_close(&fd);
    return path;
}
#define LARGE ((size_t)12 << 20) /* two parts */

/* ---- one request ---- */

TEST(a_put_says_how_the_object_is_to_be_kept)
{
    struct bucket bucket;
    static const struct bucket_rule rules[] = {{.method = "PUT"}};
    struct object_store *store = NULL;
    bucket_start(&bucket, rules, 1);
    struct px_str url = px_arena_printf(&t->arena, "http://127.0.0.1:%d", bucket.port);
    CHECK_INT(setenv("AWS_ENDPOINT_URL_S3", url.ptr, 1), 0);
    struct object_options options = {.temp_dir = test_path(t, "tmp")};
    CHECK_OK(object_store_open(S("s3://bucket?kms-key=arn:aws:kms:eu-central-1:1:key/2"), &options,
                               &store));
    CHECK_OK(object_put_file(store, S("a b+%/\xc3\xa9"), file_of(t, store, 3), S("logs")));
    CHECK(strstr(bucket.heads, "PUT /bucket/a%20b%2B%25/%C3%A9 HTTP/1.1\r\n"));
    CHECK(strcasestr(bucket.heads, "\r\nx-amz-tagging: class=logs\r\n"));
    CHECK(strcasestr(bucket.heads, "\r\nx-amz-server-side-encryption: aws:kms\r\n"));
    CHECK(strcasestr(bucket.heads, "key-id: arn:aws:kms:eu-central-1:1:key/2\r\n"));
    CHECK(strcasestr(bucket.heads, "\r\nIf-None-Match: *\r\n"));
    CHECK(strcasestr(bucket.heads, "\r\nx-amz-checksum-crc64nvme: "));
    CHECK(strcasestr(bucket.heads, "\r\nContent-Length: 3\r\n"));
    CHECK_OK(object_put(store, S("k"), S("")));
    CHECK(strcasestr(bucket.heads, "PUT /bucket/k HTTP/1.1\r\n"));
    CHECK(strcasestr(strstr(bucket.heads, "PUT /bucket/k "), "\r\nContent-Length: 0\r\n"));
    object_store_close(&store);
    CHECK_INT(unsetenv("AWS_ENDPOINT_URL_S3"), 0);
    bucket_stop(&bucket);
}

TEST(a_put_whose_answer_was_lost_knows_its_own_object)
{
    struct rig rig;
    RIG_START(&rig, NULL, {"PUT", .times = 1, .kind = BUCKET_LOST},
              {"PUT", .status = 412, .body = BUCKET_ERROR("PreconditionFailed")},
              {"HEAD", .headers = "x-amz-meta-put-id: $ID\r\n"});
    struct px_str path = file_of(t, rig.store, 3);
    CHECK_OK(object_put_file(rig.store, S("k"), path, S("")));
    CHECK(access(path.ptr, F_OK) != 0);
    CHECK_INT(bucket_count(&rig.bucket, "PUT /bucket/pre/fix/k"), 2);
    rig_stop(&rig);
}

TEST(a_put_that_meets_anothers_object_tells_so)
{
    struct rig rig;
    RIG_START(&rig, NULL, {"PUT", .times = 1, .status = 500},
              {"PUT", .status = 412, .body = BUCKET_ERROR("PreconditionFailed")},
              {"HEAD", .headers = "x-amz-meta-put-id: another's\r\n"});
    struct px_str path = file_of(t, rig.store, 3);
    CHECK_INT(object_put_file(rig.store, S("k"), path, S("")), OBJECT_EXISTS);
    CHECK(access(path.ptr, F_OK) == 0);
    rig_stop(&rig);
}

TEST(slow_downs_conflicts_and_failures_are_tried_again)
{
    struct rig rig;
    RIG_START(
        &rig, NULL, {"PUT", .times = 2, .status = 503, .body = BUCKET_ERROR("SlowDown")},
        {"PUT", .times = 1, .status = 409, .body = BUCKET_ERROR("ConditionalRequestConflict")},
        {"PUT", .times = 1, .status = 500, .body = BUCKET_ERROR("InternalError")},
        {"PUT", .times = 1, .kind = BUCKET_RESET}, {"PUT"});
    CHECK_OK(object_put(rig.store, S("k"), S("bytes")));
    CHECK_INT(rig.bucket.requests, 6);
    rig_stop(&rig);
}

TEST(half_bodies_and_wrong_checksums_are_got_again)
{
    struct rig rig;
    RIG_START(
        &rig, NULL, {"GET", .times = 1, .kind = BUCKET_HALF, .body = "123456789"},
        {"GET", .times = 1, .body = "12345678x",
         .headers = "x-amz-checksum-crc64nvme: rosUhgp5mIg=\r\n"},
        {"GET", .times = 1, .body = "123456789", .headers = "x-amz-checksum-crc32c: AAAAAA==\r\n"},
        {"GET", .times = 1, .body = "123456789", .headers = "x-amz-checksum-crc32: AAAAAA==\r\n"},
        {"GET", .body = "123456789",
         .headers = "x-amz-checksum-crc64nvme: rosUhgp5mIg=\r\nx-amz-checksum-crc32c: 4waSgw==\r\n"
                    "x-amz-checksum-crc32: y/Q5Jg==\r\nx-amz-checksum-sha256: x-2\r\n"});
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 100);
    CHECK_OK(object_get(rig.store, S("k"), &buf));
    CHECK_STR(px_buf_str(&buf), S("123456789"));
    CHECK_INT(rig.bucket.requests, 5);
    CHECK(strcasestr(rig.bucket.heads, "\r\nx-amz-checksum-mode: ENABLED\r\n"));
    rig_stop(&rig);
}

TEST(what_the_caller_cannot_help_is_a_fault)
{
    struct rig rig;
    RIG_START(&rig, NULL, {"GET", .times = 1, .status = 400, .body = BUCKET_ERROR("ExpiredToken")},
              {"GET", .times = 1, .status = 403, .body = BUCKET_ERROR("AccessDenied")},
              {"GET", .times = 1, .status = 404, .body = BUCKET_ERROR("NoSuchBucket")},
              {"GET", .times = 1, .status = 301, .body = BUCKET_ERROR("PermanentRedirect")},
              {"GET", .times = 1, .status = 404, .body = BUCKET_ERROR("NoSuchKey")},
              {"GET", .times = 1, .status = 404, .body = "<html>of a proxy"},
              {"HEAD", .times = 1, .status = 403}, {"HEAD", .times = 1, .status = 301},
              {"HEAD", .times = 1, .status = 404}, {"HEAD", .status = 400},
              {"DELETE", .status = 400, .body = BUCKET_ERROR("Strange")});
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    struct object_info info;
    px_buf_init(&buf, 100);
    int expired = object_get(rig.store, S("k"), &buf);
    CHECK_INT(expired, PX_F_DENIED);
    SAYS(expired, "s3 GetObject in eu-central-1", "the credentials have expired 400 ExpiredToken");
    CHECK_INT(object_get(rig.store, S("k"), &buf), PX_F_DENIED);
    CHECK_INT(object_get(rig.store, S("k"), &buf), PX_F_CONFIG);
    CHECK_INT(object_get(rig.store, S("k"), &buf), PX_F_CONFIG);
    CHECK_INT(object_get(rig.store, S("k"), &buf), OBJECT_ABSENT);
    CHECK_INT(object_get(rig.store, S("k"), &buf), OBJECT_ABSENT); /* an error without a name */
    CHECK_INT(object_head(rig.store, S("k"), &t->arena, &info), PX_F_DENIED);
    CHECK_INT(object_head(rig.store, S("k"), &t->arena, &info), PX_F_CONFIG);
    CHECK_INT(object_head(rig.store, S("k"), &t->arena, &info), OBJECT_ABSENT);
    CHECK_INT(object_head(rig.store, S("k"), &t->arena, &info), PX_F_PROTOCOL);
    CHECK_INT(object_delete(rig.store, S("k")), PX_F_PROTOCOL);
    rig_stop(&rig);
}

TEST(a_silent_bucket_meets_the_deadline)
{
    struct rig rig;
    static const struct object_options options = {.call_ms = 200};
    RIG_START(&rig, &options, {"GET", .kind = BUCKET_SILENT});
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 100);
    CHECK_INT(object_get(rig.store, S("k"), &buf), PX_F_TIMEOUT);
    rig_stop(&rig);
}

TEST(a_key_that_s3_does_not_take_is_not_sent)
{
    struct rig rig;
    RIG_START(&rig, NULL, {"PUT"});
    char key[1020];
    memset(key, 'k', sizeof key);
    CHECK_INT(object_put(rig.store, px_str(key, sizeof key), S("")), PX_F_LIMIT);
    CHECK_INT(object_put(rig.store, S("\xff"), S("")), PX_F_LIMIT);
    CHECK_INT(rig.bucket.requests, 0);
    rig_stop(&rig);
}

/* ---- lists ---- */

#define LISTED(keys, more)                                                                           \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/" \
    "doc/2006-03-01/\"><Name>bucket</Name>" keys more "</ListBucketResult>"
#define LISTED_KEY(key)                                                                            \
    "<Contents><Key>" key                                                                          \
    "</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;"                      \
    "x&quot;</ETag><Size>7</Size><Owner><ID>1</ID></Owner></Contents>"

TEST(a_list_goes_on_by_its_token_and_leaves_out_what_is_no_key)
{
    struct rig rig;
    RIG_START(&rig, NULL,
              {"GET", .has = "continuation-token=t%2F%2B1%3D",
               .body = LISTED(LISTED_KEY("pre/fix/b%2B"), "<IsTruncated>false</IsTruncated>")},
              {"GET", .has = "start-after=pre%2Ffix%2Fa%20",
               .body = LISTED(LISTED_KEY("pre/fix/a+1") LISTED_KEY("pre/fix/folder/"),
                              "<NextContinuationToken>t/+1=</NextContinuationToken>")});
    struct object_info *infos = NULL;
    size_t count = 0;
    CHECK_OK(object_list(rig.store, S("a&"), S("a "), 10, &t->arena, &infos, &count));
    CHECK_INT(count, 2);
    CHECK_STR(infos[0].key, S("a 1"));
    CHECK_INT(infos[0].bytes, 7);
    CHECK_INT(infos[0].modified_ns, INT64_C(1767323045) * PX_NS_PER_S);
    CHECK_STR(infos[1].key, S("b+"));
    CHECK_INT(bucket_count(&rig.bucket, "prefix=pre%2Ffix%2Fa%26"), 2);
    rig_stop(&rig);
}

TEST(a_list_that_is_none_is_a_fault)
{
    static const char *const bodies[] = {"",
                                         "{}",
                                         "<html></html>",
                                         LISTED("<Contents><Key>%</Key></Contents>", ""),
                                         LISTED("<Contents><Size>-1</Size></Contents>", ""),
                                         "<ListBucketResult><Contents>"};
    for (size_t i = 0; i < PX_COUNT(bodies); i++) {
        struct rig rig;
        struct bucket_rule rule = {.method = "GET", .body = bodies[i]};
        rig_start(t, &rig, NULL, &rule, 1);
        struct object_info *infos = NULL;
        size_t count = 0;
        CHECK_INT(object_list(rig.store, S(""), S(""), 10, &t->arena, &infos, &count),
                  PX_F_PROTOCOL);
        rig_stop(&rig);
    }
}

/* ---- parts ---- */

#define CREATED                                                                                    \
    "<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>k</Key><UploadId>u1</UploadId></"  \
    "InitiateMultipartUploadResult>"
#define COMPLETED                                                                                  \
    "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>"
#define ABSENT_AT_FIRST                                                                            \
    {                                                                                              \
        "HEAD", .times = 1, .status = 404                                                          \
    }
#define CREATES                                                                                    \
    {                                                                                              \
        "POST", .has = "?uploads", .body = CREATED                                                 \
    }

TEST(a_large_file_goes_in_parts_that_are_tried_again)
{
    struct rig rig;
    RIG_START(
        &rig, NULL, ABSENT_AT_FIRST, CREATES,
        {"PUT", .has = "partNumber=1", .times = 1, .kind = BUCKET_RESET},
        {"PUT", .has = "partNumber=2", .times = 1, .status = 503, .body = BUCKET_ERROR("SlowDown")},
        {"PUT", .has = "partNumber=1", .headers = "ETag: \"1\"\r\n"},
        {"PUT", .has = "partNumber=2", .headers = "ETag: \"2\"\r\n"},
        {"POST", .has = "?uploadId=u1", .times = 1, .status = 500,
         .body = BUCKET_ERROR("InternalError")},
        {"POST", .has = "?uploadId=u1", .body = COMPLETED});
    struct px_str path = file_of(t, rig.store, LARGE);
    CHECK_OK(object_put_file(rig.store, S("k"), path, S("logs")));
    CHECK(access(path.ptr, F_OK) != 0);
    CHECK_INT(bucket_count(&rig.bucket, "partNumber=1"), 2);
    CHECK_INT(bucket_count(&rig.bucket, "partNumber=2"), 2);
    CHECK_INT(bucket_count(&rig.bucket, "DELETE"), 0);
    CHECK(strcasestr(rig.bucket.heads, "x-amz-tagging: class=logs\r\n"));
    CHECK(strcasestr(rig.bucket.heads, "x-amz-checksum-algorithm: CRC64NVME\r\n"));
    CHECK(strcasestr(rig.bucket.heads, "If-None-Match: *\r\n"));
    rig_stop(&rig);
}

TEST(an_upload_that_fails_leaves_no_parts)
{
    struct rig rig;
    RIG_START(&rig, NULL, ABSENT_AT_FIRST, CREATES,
              {"PUT", .has = "partNumber=1", .status = 403, .body = BUCKET_ERROR("AccessDenied")},
              {"PUT", .headers = "ETag: \"2\"\r\n"},
              {"DELETE", .has = "?uploadId=u1", .status = 204});
    struct px_str path = file_of(t, rig.store, LARGE);
    int r = object_put_file(rig.store, S("k"), path, S(""));
    CHECK_INT(r, PX_F_DENIED);
    SAYS(r, "s3 PutObject in parts in eu-central-1", "denied 403 AccessDenied");
    CHECK_INT(bucket_count(&rig.bucket, "DELETE /bucket/pre/fix/k?uploadId=u1"), 1);
    CHECK(access(path.ptr, F_OK) == 0);
    rig_stop(&rig);
}

TEST(a_completed_upload_whose_answer_was_lost_is_known_again)
{
    static const struct bucket_rule seconds[] = {
        {"POST", .has = "?uploadId=u1", .status = 412, .body = BUCKET_ERROR("PreconditionFailed")},
        {"POST", .has = "?uploadId=u1", .status = 404, .body = BUCKET_ERROR("NoSuchUpload")}};
    for (size_t i = 0; i < PX_COUNT(seconds); i++) {
        struct rig rig;
        const struct bucket_rule rules[] = {
            ABSENT_AT_FIRST,
            CREATES,
            {"PUT", .headers = "ETag: \"1\"\r\n"},
            {"POST", .has = "?uploadId=u1", .times = 1, .kind = BUCKET_LOST},
            seconds[i],
            {"HEAD", .headers = "x-amz-meta-put-id: $ID\r\n"},
            {"DELETE", .status = 404, .body = BUCKET_ERROR("NoSuchUpload")}};
        rig_start(t, &rig, NULL, rules, PX_COUNT(rules));
        CHECK_OK(object_put_file(rig.store, S("k"), file_of(t, rig.store, LARGE), S("")));
        rig_stop(&rig);
    }
}

TEST(an_upload_that_another_overtakes_tells_so)
{
    struct rig rig;
    RIG_START(
        &rig, NULL, ABSENT_AT_FIRST, CREATES, {"PUT", .headers = "ETag: \"1\"\r\n"},
        {"POST", .has = "?uploadId=u1", .status = 412, .body = BUCKET_ERROR("PreconditionFailed")},
        {"HEAD", .headers = "x-amz-meta-put-id: another's\r\n"}, {"DELETE", .status = 204});
    struct px_str path = file_of(t, rig.store, LARGE);
    CHECK_INT(object_put_file(rig.store, S("k"), path, S("")), OBJECT_EXISTS);
    CHECK_INT(bucket_count(&rig.bucket, "DELETE"), 1);
    CHECK_INT(object_put_file(rig.store, S("k"), path, S("")), OBJECT_EXISTS);
    CHECK_INT(bucket_count(&rig.bucket, "?uploads"), 1); /* not sent to be refused */
    rig_stop(&rig);
}

TEST(an_upload_begins_again_after_a_conflict)
{
    struct rig rig;
    RIG_START(&rig, NULL, ABSENT_AT_FIRST, CREATES, {"PUT", .headers = "ETag: \"1\"\r\n"},
              {"POST", .has = "?uploadId=u1", .times = 1, .status = 409,
               .body = BUCKET_ERROR("ConditionalRequestConflict")},
              {"POST", .has = "?uploadId=u1", .body = COMPLETED}, {"DELETE", .status = 204});
    CHECK_OK(object_put_file(rig.store, S("k"), file_of(t, rig.store, LARGE), S("")));
    CHECK_INT(bucket_count(&rig.bucket, "?uploads"), 2);
    rig_stop(&rig);
}

TEST(an_upload_meets_its_deadline_and_is_aborted)
{
    struct rig rig;
    static const struct object_options options = {.transfer_ms = 300};
    RIG_START(&rig, &options, ABSENT_AT_FIRST, CREATES, {"PUT", .kind = BUCKET_SILENT},
              {"DELETE", .status = 204});
    int r = object_put_file(rig.store, S("k"), file_of(t, rig.store, LARGE), S(""));
    CHECK_INT(r, PX_F_TIMEOUT);
    object_store_close(&rig.store); /* waits for what is cancelled */
    CHECK_INT(bucket_count(&rig.bucket, "DELETE /bucket/pre/fix/k?uploadId=u1"), 1);
    bucket_stop(&rig.bucket);
}

TEST(a_large_object_is_of_one_version)
{
    struct rig rig;
    RIG_START(&rig, NULL, {"GET", .times = 1, .headers = "ETag: \"old\"\r\n", .zeros = LARGE},
              {"GET", .times = 1, .status = 412, .body = BUCKET_ERROR("PreconditionFailed")},
              {"GET", .body = "small now"});
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 2 * LARGE);
    CHECK_OK(object_get(rig.store, S("k"), &buf));
    CHECK_STR(px_buf_str(&buf), S("small now"));
    CHECK(strcasestr(rig.bucket.heads, "\r\nIf-Match: \"old\"\r\n"));
    rig_stop(&rig);
}

/* CRC-64/NVME of LARGE zeros. */
static char zeros_checksum[CLOUD_CHECKSUM_BYTES];
static const char *zeros_headers(struct test *t, bool right)
{
    char *zeros = calloc(1, LARGE);
    CHECK(zeros);
    cloud_checksum(px_str(zeros, LARGE - (right ? 0 : 1)), zeros_checksum);
    free(zeros);
    return px_arena_printf(&t->arena, "ETag: \"e\"\r\nx-amz-checksum-crc64nvme: %s\r\n",
                           zeros_checksum)
        .ptr;
}
static struct px_str range_headers(struct test *t, size_t first, size_t bytes)
{
    return px_arena_printf(&t->arena, "ETag: \"e\"\r\nContent-Range: bytes %zu-%zu/%zu\r\n", first,
                           first + bytes - 1, LARGE);
}
TEST(a_large_object_is_compared_with_its_checksum)
{
    const size_t part = 8u << 20;
    for (int right = 1; right >= 0; right--) {
        struct rig rig;
        const struct bucket_rule rules[] = {
            {"GET", .times = 1, .headers = zeros_headers(t, right), .zeros = LARGE},
            {"GET", .times = 1, .status = 206, .headers = range_headers(t, 0, part).ptr,
             .zeros = part},
            {"GET", .times = 1, .kind = BUCKET_HALF, .status = 206,
             .headers = range_headers(t, part, LARGE - part).ptr, .zeros = LARGE - part},
            {"GET", .status = 206, .headers = range_headers(t, part, LARGE - part).ptr,
             .zeros = LARGE - part}};
        rig_start(t, &rig, NULL, rules, PX_COUNT(rules));
        PX_AUTO(px_buf_deinit) struct px_buf buf;
        px_buf_init(&buf, LARGE);
        int r = object_get(rig.store, S("k"), &buf);
        CHECK_INT(r, right ? 0 : PX_F_UNAVAILABLE);
        CHECK_INT(buf.len, right ? LARGE : 0);
        rig_stop(&rig);
    }
}

TEST(a_large_object_over_the_ceiling_is_not_got)
{
    struct rig rig;
    RIG_START(&rig, NULL, {"GET", .headers = "ETag: \"e\"\r\n", .zeros = LARGE});
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, LARGE - 1);
    CHECK_INT(object_get(rig.store, S("k"), &buf), OBJECT_TOO_LARGE);
    CHECK_INT(rig.bucket.requests, 1);
    rig_stop(&rig);
}

TEST(expired_credentials_end_a_transfer_at_once)
{
    struct rig rig;
    RIG_START(&rig, NULL, ABSENT_AT_FIRST,
              {"POST", .status = 400, .body = BUCKET_ERROR("ExpiredToken")});
    int r = object_put_file(rig.store, S("k"), file_of(t, rig.store, LARGE), S(""));
    CHECK_INT(r, PX_F_DENIED);
    CHECK_INT(bucket_count(&rig.bucket, "POST"), 1);
    rig_stop(&rig);
}

/* ---- URLs ---- */

/* ---- copies ---- */

#define COPIED "<CopyObjectResult><ETag>&quot;e2&quot;</ETag></CopyObjectResult>"
#define PART_COPIED "<CopyPartResult><ETag>&quot;p&quot;</ETag></CopyPartResult>"
#define HEAD_OF(bytes) "ETag: \"e1\"\r\nContent-Length: " bytes "\r\n"

TEST(a_bucket_of_another_region_is_asked_there)
{
    struct rig rig;
    struct object_store *there = NULL, *bad = NULL;
    RIG_START(&rig, NULL, {"PUT"});
    CHECK_OK(object_store_open(S("s3://there?kms-key=arn:k&region=ap-south-2"), NULL, &there));
    CHECK_OK(object_put(there, S("k"), S("x")));
    CHECK(strstr(rig.bucket.heads, "/ap-south-2/s3/aws4_request"));
    CHECK_OK(object_put(rig.store, S("k"), S("x")));
    CHECK(strstr(strstr(rig.bucket.heads, "PUT /bucket/"), "aws4_request"));
    CHECK(!strstr(strstr(rig.bucket.heads, "PUT /bucket/"), "ap-south-2"));
    CHECK_INT(object_store_open(S("s3://there?region=a.b"), NULL, &bad), PX_F_CONFIG);
    CHECK_INT(object_store_open(S("s3://there?region="), NULL, &bad), PX_F_CONFIG);
    object_store_close(&there);
    rig_stop(&rig);
}

TEST(a_copy_is_made_by_s3_of_the_version_that_was_looked_at)
{
    struct rig rig;
    struct object_store *other = NULL;
    RIG_START(&rig, NULL, {"HEAD", .headers = HEAD_OF("77")}, {"PUT", .body = COPIED});
    CHECK_OK(object_store_open(S("s3://elsewhere?kms-key=arn:aws:kms:eu-central-1:1:key/2"), NULL,
                               &other));
    CHECK_OK(object_copy(rig.store, S("a b"), other, S("k"), S("logs")));
    CHECK(strstr(rig.bucket.heads, "PUT /elsewhere/k HTTP/1.1\r\n"));
    CHECK(strcasestr(rig.bucket.heads, "\r\nx-amz-copy-source: /bucket/pre/fix/a%20b\r\n"));
    CHECK(strcasestr(rig.bucket.heads, "\r\nx-amz-copy-source-if-match: \"e1\"\r\n"));
    CHECK(strcasestr(rig.bucket.heads, "\r\nx-amz-tagging: class=logs\r\n"));
    CHECK(strcasestr(rig.bucket.heads, "\r\nx-amz-tagging-directive: REPLACE\r\n"));
    CHECK(strcasestr(rig.bucket.heads, "key-id: arn:aws:kms:eu-central-1:1:key/2\r\n"));
    object_store_close(&other);
    rig_stop(&rig);
}

TEST(a_copy_that_fails_inside_an_answer_of_200_is_asked_for_again_and_not_for_ever)
{
    struct rig rig;
    RIG_START(&rig, NULL, {"HEAD", .headers = HEAD_OF("77")},
              {"PUT", "/k1", .times = 2, .body = BUCKET_ERROR("InternalError")},
              {"PUT", "/k1", .times = 1, .kind = BUCKET_LOST}, {"PUT", "/k1", .body = COPIED},
              {"PUT", "/k2", .body = BUCKET_ERROR("InternalError")},
              {"PUT", "/k3", .status = 412, .body = BUCKET_ERROR("PreconditionFailed")},
              {"PUT", "/k4", .status = 404, .body = BUCKET_ERROR("NoSuchKey")});
    CHECK_OK(object_copy(rig.store, S("a"), rig.store, S("k1"), S("")));
    CHECK_INT(bucket_count(&rig.bucket, "PUT /bucket/pre/fix/k1"), 4);
    int r = object_copy(rig.store, S("a"), rig.store, S("k2"), S(""));
    CHECK_INT(r, PX_F_UNAVAILABLE);
    SAYS(r, "CopyObject", "InternalError");
    CHECK_INT(object_copy(rig.store, S("a"), rig.store, S("k3"), S("")), PX_F_BUSY);
    CHECK_INT(object_copy(rig.store, S("a"), rig.store, S("k4"), S("")), OBJECT_ABSENT);
    rig_stop(&rig);
}

TEST(a_copy_in_parts_that_fails_leaves_no_parts)
{
    struct rig rig;
    RIG_START(
        &rig, NULL, {"HEAD", .headers = HEAD_OF("70000000")},
        {"POST", "?uploads",
         .body = "<InitiateMultipartUploadResult><UploadId>u/1</UploadId>"
                 "</InitiateMultipartUploadResult>"},
        {"PUT", "partNumber=2", .times = 1, .status = 403, .body = BUCKET_ERROR("AccessDenied")},
        {"PUT", "partNumber=", .body = PART_COPIED}, {"DELETE", .status = 204},
        {"POST", .times = 1, .kind = BUCKET_LOST},
        {"POST", .status = 404, .body = BUCKET_ERROR("NoSuchUpload")});
    int r = object_copy(rig.store, S("a"), rig.store, S("k"), S(""));
    CHECK_INT(r, PX_F_DENIED);
    SAYS(r, "UploadPartCopy");
    CHECK_INT(bucket_count(&rig.bucket, "DELETE /bucket/pre/fix/k?uploadId=u%2F1"), 1);
    CHECK_OK(
        object_copy(rig.store, S("a"), rig.store, S("k"), S(""))); /* its last answer was lost */
    CHECK_INT(bucket_count(&rig.bucket, "PUT /bucket/pre/fix/k?partNumber="), 2 + 3);
    CHECK_INT(bucket_count(&rig.bucket, "DELETE "), 1);
    CHECK(strcasestr(rig.bucket.heads, "\r\nx-amz-copy-source-range: bytes=67108864-69999999\r\n"));
    rig_stop(&rig);
}

TEST(an_object_of_another_region_is_read_there_and_put_here)
{
    struct rig rig;
    struct object_store *there = NULL;
    RIG_START(&rig, NULL, {"HEAD", "/there/a", .headers = HEAD_OF("77")},
              {"GET", "/there/a", .status = 206, .zeros = 77},
              {"HEAD", "/there/gone", .status = 404}, {"PUT", "/pre/fix/k"});
    CHECK_OK(object_store_open(S("s3://there?region=ap-south-2"), NULL, &there));
    CHECK_OK(object_copy(there, S("a"), rig.store, S("k"), S("logs")));
    CHECK(!strcasestr(rig.bucket.heads, "x-amz-copy-source"));
    CHECK(strstr(rig.bucket.heads, "/ap-south-2/s3/aws4_request"));
    CHECK(strcasestr(rig.bucket.heads, "\r\nIf-Match: \"e1\"\r\n"));
    CHECK(strcasestr(rig.bucket.heads, "\r\nx-amz-tagging: class=logs\r\n"));
    CHECK(!strcasestr(rig.bucket.heads, "\r\nIf-None-Match"));
    CHECK_INT(object_copy(there, S("gone"), rig.store, S("k"), S("")), OBJECT_ABSENT);
    object_store_close(&there);
    rig_stop(&rig);
}

TEST(a_large_object_of_another_region_comes_in_parts_and_leaves_none_when_that_fails)
{
    struct rig rig;
    struct object_store *there = NULL;
    const struct object_options options = {.part_bytes = 5u << 20};
    RIG_START(
        &rig, &options, {"HEAD", "/there/", .headers = HEAD_OF("10485760")},
        {"GET", "/there/", .status = 206, .zeros = 5u << 20},
        {"POST", "?uploads",
         .body = "<InitiateMultipartUploadResult><UploadId>u/1</UploadId>"
                 "</InitiateMultipartUploadResult>"},
        {"PUT", "partNumber=2", .times = 1, .status = 403, .body = BUCKET_ERROR("AccessDenied")},
        {"PUT", "partNumber=", .headers = "ETag: \"p\"\r\n"}, {"DELETE", .status = 204},
        {"POST", .body = "<CompleteMultipartUploadResult><ETag>&quot;w&quot;</ETag>"
                         "</CompleteMultipartUploadResult>"});
    CHECK_OK(object_store_open(S("s3://there?region=ap-south-2"), &options, &there));
    int r = object_copy(there, S("a"), rig.store, S("k"), S(""));
    CHECK_INT(r, PX_F_DENIED);
    SAYS(r, "UploadPart");
    CHECK_INT(bucket_count(&rig.bucket, "DELETE /bucket/pre/fix/k?uploadId=u%2F1"), 1);
    CHECK_OK(object_copy(there, S("a"), rig.store, S("k"), S("")));
    CHECK_INT(bucket_count(&rig.bucket, "PUT /bucket/pre/fix/k?partNumber="), 2 + 2);
    CHECK(strcasestr(rig.bucket.heads, "\r\nRange: bytes=5242880-10485759\r\n"));
    CHECK(!strcasestr(rig.bucket.heads, "x-amz-copy-source"));
    object_store_close(&there);
    rig_stop(&rig);
}

static int count_piece(void *ctx, struct px_str bytes)
{
    size_t *count = ctx;
    *count += bytes.len;
    return 0;
}

TEST(a_reading_in_pieces_is_of_one_version)
{
    struct rig rig;
    size_t count = 0;
    RIG_START(&rig, NULL, {"HEAD", .headers = HEAD_OF("3")},
              {"GET", "/k1", .status = 206, .zeros = 3},
              {"GET", "/k2", .status = 412, .body = BUCKET_ERROR("PreconditionFailed")},
              {"GET", "/k3", .status = 206, .zeros = 2});
    CHECK_OK(object_read(rig.store, S("k1"), count_piece, &count));
    CHECK_INT(count, 3);
    CHECK(strcasestr(rig.bucket.heads, "\r\nRange: bytes=0-2\r\n"));
    CHECK(strcasestr(rig.bucket.heads, "\r\nIf-Match: \"e1\"\r\n"));
    CHECK_INT(object_read(rig.store, S("k2"), count_piece, &count), PX_F_BUSY);
    CHECK_INT(object_read(rig.store, S("k3"), count_piece, &count), PX_F_PROTOCOL);
    rig_stop(&rig);
}

TEST(an_url_can_be_signed_for_others)
{
    struct rig rig;
    RIG_START(&rig, NULL, {"GET"});
    struct px_str url;
    CHECK_OK(object_presign(rig.store, S("a b"), OBJECT_READ, 60, &t->arena, &url));
    struct px_str begin = px_arena_printf(&t->arena, "http://127.0.0.1:%d/bucket/pre/fix/a%%20b?",
                                          rig.bucket.port);
    CHECK(px_str_starts(url, begin));
    CHECK(strstr(url.ptr, "X-Amz-Algorithm=AWS4-HMAC-SHA256") &&
          strstr(url.ptr, "X-Amz-Expires=60"));
    CHECK(strstr(url.ptr, "X-Amz-SignedHeaders=host") && strstr(url.ptr, "X-Amz-Signature="));
    CHECK(!strstr(url.ptr, "wJalr"));
    CHECK_INT(rig.bucket.requests, 0);
    rig_stop(&rig);
}

TEST(an_url_that_names_no_bucket_is_refused)
{
    static const char *const urls[] = {
        "s3://",          "s3://a",           "s3://UPPER",      "s3:///k",
        "s3://bucket//k", "s3://bucket/../k", "s3://bucket?x=1", "s3://bucket?kms-key="};
    for (size_t i = 0; i < PX_COUNT(urls); i++) {
        struct object_store *store = NULL;
        CHECK_INT(object_store_open(px_str_c(urls[i]), NULL, &store), PX_F_CONFIG);
        CHECK(!store);
    }
}

TEST_MAIN
