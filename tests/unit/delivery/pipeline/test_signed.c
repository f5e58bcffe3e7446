/* Signed copies of a release's ZIPs: what is kept of them, what Terraform and rollouts are told, and what AWS Signer may answer. */
// link: px_delivery_pipeline
#include "aws/fake.h"
#include "aws/reach.h"

#include "base/px_json.h"
#include "delivery/pipeline/rollout_release.h"
#include "delivery/pipeline/signed.h"
#include "delivery/pipeline/signer.h"
#include "store/objects.h"

__attribute__((constructor)) static void reach(void) { reach_init(); }

#define ONE "1111111111111111111111111111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222222222222222222222222222"
#define SIGNED "abcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcd"
#define ARTIFACTS                                                                                  \
    "{\"ingest\":{\"kind\":\"zip\",\"sha256\":\"" ONE                                              \
    "\"},\"query\":{\"kind\":\"image\",\"sha256\":\"" TWO "\"}}"

/* ---- a shelf ---- */

static int get(void *ctx, struct px_str key, struct px_buf *buf)
{
    return object_get(ctx, key, buf);
}
static int put(void *ctx, struct px_str key, struct px_str bytes)
{
    return object_put(ctx, key, bytes);
}
static struct deployed_shelf shelf_of(struct test *t, struct object_store **ret_store)
{
    CHECK_OK(object_store_open(test_path(t, "shelf"), NULL, ret_store));
    return (struct deployed_shelf){get, put, *ret_store};
}

static const struct signed_zip zip = {{"prod", 4}, {"eu-west-1", 9}, {"ingest", 6}, {ONE, 64}};
static const struct signed_copy copy = {
    .profile_version = {"arn:p/v1", 8}, .job = {"job-1", 5}, .sha256 = {SIGNED, 64}};

static yyjson_val *artifacts_of(struct test *t)
{
    yyjson_val *root = NULL;
    CHECK_OK(px_json_parse(S(ARTIFACTS), &t->arena, &root, NULL));
    return root;
}

/* ---- what is kept ---- */

TEST(a_copy_is_found_by_what_was_released_in_that_region)
{
    PX_AUTO(object_store_close) struct object_store *store = NULL;
    struct deployed_shelf shelf = shelf_of(t, &store);
    struct signed_copy got = {.job = S("untouched")};
    struct signed_zip other = zip;
    CHECK_INT(signed_read(&shelf, &zip, &t->arena, &got), SIGNED_ABSENT);
    CHECK_STR(got.job, S("untouched"));
    CHECK_OK(signed_write(&shelf, &zip, &copy));
    CHECK_OK(signed_read(&shelf, &zip, &t->arena, &got));
    CHECK_STR(got.sha256, S(SIGNED));
    CHECK_STR(got.job, S("job-1"));
    CHECK_STR(got.profile_version, S("arn:p/v1"));
    other.region = S("us-east-1");
    CHECK_INT(signed_read(&shelf, &other, &t->arena, &got), SIGNED_ABSENT);
    other = zip;
    other.sha256 = S(TWO);
    CHECK_INT(signed_read(&shelf, &other, &t->arena, &got), SIGNED_ABSENT);
}

TEST(a_job_that_failed_is_no_copy)
{
    PX_AUTO(object_store_close) struct object_store *store = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    struct deployed_shelf shelf = shelf_of(t, &store);
    struct signed_copy got, failed = {.profile_version = S("v"), .failed = S("job-9")};
    struct px_str missing = {0};
    px_buf_init(&buf, 4096);
    CHECK_OK(signed_write(&shelf, &zip, &failed));
    CHECK_OK(signed_read(&shelf, &zip, &t->arena, &got));
    CHECK_STR(got.failed, S("job-9"));
    CHECK_INT(got.sha256.len, 0);
    CHECK_INT(signed_artifacts(&shelf, S("prod"), S("eu-west-1"), artifacts_of(t), &t->arena, &buf,
                               &missing),
              SIGNED_ABSENT);
    CHECK_STR(missing, S("ingest"));
}

TEST(a_record_that_is_damaged_is_a_fault)
{
    static const char *const wrong[] = {"", "{", "[]", "{}", "{\"signed_sha256\":\"abc\"}"};
    PX_AUTO(object_store_close) struct object_store *store = NULL;
    struct deployed_shelf shelf = shelf_of(t, &store);
    struct signed_copy got;
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        CHECK_OK(
            object_put(store, S("signed/prod/eu-west-1/ingest/" ONE ".json"), px_str_c(wrong[i])));
        CHECK_INT(signed_read(&shelf, &zip, &t->arena, &got), PX_F_CORRUPT);
    }
}

/* ---- who is told ---- */

TEST(terraform_gets_the_copies_of_zips_and_images_as_they_are)
{
    PX_AUTO(object_store_close) struct object_store *store = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    struct deployed_shelf shelf = shelf_of(t, &store);
    struct px_str missing = {0};
    px_buf_init(&buf, 4096);
    CHECK_OK(signed_write(&shelf, &zip, &copy));
    CHECK_OK(signed_artifacts(&shelf, S("prod"), S("eu-west-1"), artifacts_of(t), &t->arena, &buf,
                              &missing));
    CHECK_STR(px_buf_str(&buf), S("{\"ingest\":{\"kind\":\"zip\",\"sha256\":\"" SIGNED
                                  "\"},\"query\":{\"kind\":\"image\",\"sha256\":\"" TWO "\"}}"));
}

TEST(a_region_wants_signatures_unless_its_variables_say_otherwise)
{
    static const struct {
        const char *text;
        bool wanted;
    } cases[] = {
        {"{}", true}, {"{\"code_signing\":true}", true}, {"{\"code_signing\":false}", false}};
    bool wanted = false;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct px_str path = test_path(t, "r.tfvars.json");
        CHECK_OK(px_file_write_atomic(path.ptr, px_str_c(cases[i].text), 0600));
        CHECK_OK(signed_is_wanted(path.ptr, &t->arena, &wanted));
        CHECK(wanted == cases[i].wanted);
    }
    CHECK(signed_is_wanted(test_path(t, "none").ptr, &t->arena, &wanted) < 0);
}

static int host_get(void *ctx, struct px_str key, struct px_buf *buf) { return get(ctx, key, buf); }

TEST(a_rollout_knows_a_signed_copy_as_code_of_the_release)
{
    PX_AUTO(object_store_close) struct object_store *store = NULL;
    struct deployed_shelf shelf = shelf_of(t, &store);
    struct release_codes codes;
    yyjson_val *document = NULL;
    CHECK_OK(px_json_parse(S("{\"artifacts\":" ARTIFACTS "}"), &t->arena, &document, NULL));
    struct action_host host = {.shelf_get = host_get, .ctx = store};
    struct action_context ctx = {.arena = &t->arena,
                                 .environment = S("prod"),
                                 .region = S("eu-west-1"),
                                 .release = {.document = document},
                                 .host = &host};
    CHECK_OK(release_codes(&ctx, &codes));
    CHECK_INT(codes.count, 2);
    CHECK_OK(signed_write(&shelf, &zip, &copy));
    CHECK_OK(release_codes(&ctx, &codes));
    CHECK_INT(codes.count, 3);
    /* Lambda's CodeSha256 of the signed ZIP */
    const struct target_version versions[] = {
        {.number = 4, .sha256 = S("q83vq83vq83vq83vq83vq83vq83vq83vq83vq83vq80=")},
        {.number = 5, .sha256 = S("other")}};
    CHECK_INT(release_version(&codes, versions, 2), 4);
}

/* ---- what AWS may answer ---- */

#define SAYS(text)                                                                                 \
    static const struct fake_step steps[] = {FAKE_OK(text)};                                       \
    PX_AUTO(cloud_shared_close) struct cloud_shared cloud = {0};                                   \
    struct signer *signer = NULL;                                                                  \
    struct fake fake;                                                                              \
    fake_start_as_aws(&fake, steps, 1);                                                            \
    CHECK_OK(signer_open(&cloud, S("eu-west-1"), &signer))
#define SAID()                                                                                     \
    signer_close(&signer);                                                                         \
    cloud_shared_close(&cloud);                                                                    \
    fake_stop(&fake)

TEST(the_place_is_what_the_global_stack_published)
{
    SAYS(
        "{\"Parameter\":{\"Value\":\"{\\\"artifact_bucket\\\":\\\"b\\\",\\\"signing_profile_arn\\\":"
        "\\\"arn:aws:signer:eu-west-1:1:/signing-profiles/prism_prod_euw1\\\",\\\"signing_profile_version_arn\\\":\\\"arn/V\\\"}\"}}");
    struct signer_place place;
    CHECK_OK(signer_place_read(signer, S("/prism/prod/global"), &t->arena, &place));
    CHECK_STR(place.bucket, S("b"));
    CHECK_STR(place.profile, S("prism_prod_euw1"));
    CHECK_STR(place.profile_version, S("arn/V"));
    CHECK(strstr(fake.request, "{\"Name\":\"/prism/prod/global\"}"));
    CHECK(strstr(fake.request, "/eu-west-1/ssm/aws4_request"));
    SAID();
}

TEST(a_parameter_that_names_no_profile_is_refused)
{
    SAYS("{\"Parameter\":{\"Value\":\"{\\\"artifact_bucket\\\":\\\"b\\\"}\"}}");
    struct signer_place place;
    CHECK_INT(signer_place_read(signer, S("/prism/prod/global"), &t->arena, &place),
              SIGNER_REFUSED);
    CHECK(strstr(signer_why(signer), "names no artifact bucket and signing profile"));
    SAID();
}

TEST(a_job_names_bucket_version_profile_and_token)
{
    SAYS("{\"jobId\":\"job-1\"}");
    const struct signer_place place = {.bucket = S("b"), .profile = S("p")};
    const struct signer_job job = {.place = &place,
                                   .key = S("functions/x/1.zip"),
                                   .version = S("v\"1"),
                                   .prefix = S("signed/x/"),
                                   .token = S("t0")};
    struct px_str id;
    CHECK_OK(signer_start(signer, &job, &t->arena, &id));
    CHECK_STR(id, S("job-1"));
    CHECK(strstr(fake.request, "POST /signing-jobs HTTP/1.1\r\n"));
    CHECK(strstr(fake.request, "/eu-west-1/signer/aws4_request"));
    CHECK(
        strstr(fake.request + fake.body_at,
               "{\"source\":{\"s3\":{\"bucketName\":\"b\",\"key\":\"functions/x/1.zip\","
               "\"version\":\"v\\\"1\"}},\"destination\":{\"s3\":{\"bucketName\":\"b\",\"prefix\":"
               "\"signed/x/\"}},\"profileName\":\"p\",\"clientRequestToken\":\"t0\"}"));
    SAID();
}

TEST(a_job_that_failed_says_why)
{
    SAYS("{\"jobId\":\"j\",\"status\":\"Failed\",\"statusReason\":\"malformed\"}");
    struct signer_look look;
    CHECK_OK(signer_look(signer, S("j/1"), &t->arena, &look));
    CHECK_INT(look.state, SIGNER_FAILED);
    CHECK_STR(look.reason, S("malformed"));
    CHECK(strstr(fake.request, "GET /signing-jobs/j%2F1 HTTP/1.1\r\n"));
    SAID();
}

TEST(a_state_that_nobody_knows_is_a_fault)
{
    SAYS("{\"status\":\"Perhaps\"}");
    struct signer_look look;
    CHECK_INT(signer_look(signer, S("j"), &t->arena, &look), PX_F_PROTOCOL);
    SAID();
}

TEST(a_job_that_succeeded_without_an_object_is_a_fault)
{
    SAYS("{\"status\":\"Succeeded\",\"signedObject\":{}}");
    struct signer_look look;
    CHECK_INT(signer_look(signer, S("j"), &t->arena, &look), PX_F_PROTOCOL);
    SAID();
}

TEST(a_refusal_is_told_in_awss_words)
{
    static const struct fake_step steps[] = {
        {.kind = FAKE_ANSWER,
         .status = 404,
         .headers = "x-amzn-ErrorType: ResourceNotFoundException\r\n",
         .body = "{\"message\":\"no such profile\"}"}};
    PX_AUTO(cloud_shared_close) struct cloud_shared cloud = {0};
    struct signer *signer = NULL;
    struct signer_look look;
    struct fake fake;
    fake_start_as_aws(&fake, steps, 1);
    CHECK_OK(signer_open(&cloud, S("eu-west-1"), &signer));
    CHECK_INT(signer_look(signer, S("j"), &t->arena, &look), SIGNER_REFUSED);
    CHECK_STR(px_str_c(signer_why(signer)),
              S("DescribeSigningJob: 404 ResourceNotFoundException: no such profile"));
    SAID();
}

TEST_MAIN
