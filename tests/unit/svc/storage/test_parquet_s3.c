/* Objects that S3 does not give, or not whole, are not taken for damaged ones: nothing is set aside. */
#include "aws/bucket.h"
#include "aws/reach.h"

#include "sql/remote.h"
#include "svc/storage/parquet.h"

__attribute__((constructor)) static void reach(void) { reach_init(); }

#define HEAD                                                                                       \
    {                                                                                              \
        "HEAD", .headers = "ETag: \"e\"\r\nAccept-Ranges: bytes\r\nContent-Length: 1048576\r\n"    \
    }

static int verify(struct test *t, struct bucket *bucket, struct px_str *ret_why)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    struct sql_limits limits = {.memory_bytes = 128u << 20, .threads = 1};
    CHECK_OK(sql_remote_find(px_str_c(getenv("PRISM_DUCKDB_EXTENSIONS")), &t->arena,
                             &limits.remote.extension));
    CHECK_OK(sql_engine_new(&limits, &engine));
    CHECK_OK(sql_exec(engine, "SET GLOBAL http_retry_wait_ms = 1; SET GLOBAL http_timeout = 1"));
    const struct sql_secret secret = {
        .key_id = S("a"),
        .secret = S("b"),
        .region = S("eu-central-1"),
        .host = px_arena_printf(&t->arena, "127.0.0.1:%d", bucket->port),
        .path_style = true};
    CHECK_OK(sql_remote_secret(engine, &secret));
    return parquet_verify(engine, S("s3://bucket/acme/logs/x.parquet"), 10, &t->arena, ret_why);
}

static void is_unavailable(struct test *t, const struct bucket_rule *rules, size_t count)
{
    struct bucket bucket;
    struct px_str why = {0};
    bucket_start(&bucket, rules, count);
    int r = verify(t, &bucket, &why);
    if (r != PX_F_UNAVAILABLE && r != PX_F_IO) {
        char text[512];
        TEST_FAIL("gave %d: %.*s %s", r, PX_FMT(why),
                  r < 0 ? px_fault_text(r, text, sizeof text) : "");
    }
    CHECK(bucket_count(&bucket, "/bucket/acme/logs/x.parquet") > 0);
    bucket_stop(&bucket);
}
#define UNAVAILABLE(...)                                                                           \
    do {                                                                                           \
        static const struct bucket_rule rules_[] = {__VA_ARGS__};                                  \
        is_unavailable(t, rules_, PX_COUNT(rules_));                                               \
    } while (0)

TEST(what_s3_refuses_is_not_damaged)
{
    UNAVAILABLE({"HEAD", .status = 403},
                {"GET", .status = 403, .body = BUCKET_ERROR("AccessDenied")});
    UNAVAILABLE({"HEAD", .status = 400},
                {"GET", .status = 400, .body = BUCKET_ERROR("ExpiredToken")});
    UNAVAILABLE({"HEAD", .status = 404}, {"GET", .status = 404, .body = BUCKET_ERROR("NoSuchKey")});
    UNAVAILABLE(HEAD, {"GET", .status = 403, .body = BUCKET_ERROR("AccessDenied")});
}

TEST(what_s3_fails_to_give_is_not_damaged)
{
    UNAVAILABLE({"HEAD", .status = 503}, {"GET", .status = 503, .body = BUCKET_ERROR("SlowDown")});
    UNAVAILABLE(HEAD, {"GET", .status = 500, .body = BUCKET_ERROR("InternalError")});
    UNAVAILABLE(HEAD, {"GET", .status = 503, .body = BUCKET_ERROR("SlowDown")});
}

TEST(what_breaks_on_the_way_is_not_damaged)
{
    UNAVAILABLE({"HEAD", .kind = BUCKET_LOST});
    UNAVAILABLE(HEAD, {"GET", .kind = BUCKET_LOST});
    UNAVAILABLE(HEAD, {"GET", .kind = BUCKET_HALF, .status = 206, .zeros = 65536});
}

/* The other way round: an object that came whole and is no Parquet is damaged. */
TEST(an_object_that_is_no_parquet_is_damaged)
{
    struct bucket bucket;
    struct px_str why = {0};
    static const struct bucket_rule rules[] = {
        {"HEAD", .headers = "ETag: \"e\"\r\nAccept-Ranges: bytes\r\nContent-Length: 8\r\n"},
        {"GET", .status = 206, .headers = "ETag: \"e\"\r\nContent-Range: bytes 0-7/8\r\n",
         .body = "no magic"}};
    bucket_start(&bucket, rules, PX_COUNT(rules));
    CHECK_INT(verify(t, &bucket, &why), PARQUET_BAD);
    CHECK(why.len > 0);
    bucket_stop(&bucket);
}

TEST_MAIN
