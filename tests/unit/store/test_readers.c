/* Credentials for reading one tenant's objects: what is asked of STS, how long they are kept. */
#include "aws/fake.h"
#include "aws/reach.h"

#include "aws/shared.h"
#include "store/readers.h"

__attribute__((constructor)) static void reach(void) { reach_init(); }

#define ASSUMED(id, expires)                                                                       \
    FAKE_OK("<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>" id                  \
            "</AccessKeyId><SecretAccessKey>s&amp;1</SecretAccessKey><SessionToken>t</"            \
            "SessionToken><Expiration>" expires "</Expiration></Credentials></AssumeRoleResult></" \
            "AssumeRoleResponse>")

struct rig {
    struct fake fake;
    struct cloud_shared cloud;
    struct object_store *segments, *analytics;
    struct object_readers *readers;
};
#define RIG_START(rig, role, ...)                                                                  \
    static const struct fake_step steps_[] = {__VA_ARGS__};                                        \
    rig_start(t, rig, role, steps_, PX_COUNT(steps_))
static void rig_start(struct test *t, struct rig *rig, struct px_str role,
                      const struct fake_step *steps, size_t count)
{
    memset(rig, 0, sizeof *rig);
    fake_start(&rig->fake, steps, count);
    struct px_str url = px_arena_printf(&t->arena, "http://127.0.0.1:%d", rig->fake.port);
    CHECK_INT(setenv("AWS_ENDPOINT_URL_STS", url.ptr, 1), 0);
    const struct object_options objects = {.cloud = &rig->cloud, .temp_dir = test_path(t, "tmp")};
    CHECK_OK(object_store_open(S("s3://prism-segments"), &objects, &rig->segments));
    CHECK_OK(object_store_open(S("s3://prism-analytics/deep"), &objects, &rig->analytics));
    const struct object_readers_options options = {.cloud = &rig->cloud,
                                                   .stores = {rig->segments, rig->analytics},
                                                   .role_arn = role,
                                                   .clock = &t->clock};
    CHECK_OK(object_readers_new(&options, &rig->readers));
    CHECK(object_readers_remote(rig->readers));
}
static void rig_stop(struct rig *rig)
{
    object_readers_free(&rig->readers);
    object_store_close(&rig->segments);
    object_store_close(&rig->analytics);
    cloud_shared_close(&rig->cloud);
    fake_stop(&rig->fake);
}
#define ROLE S("arn:aws-cn:iam::123456789012:role/prism-tenant")

TEST(a_role_is_assumed_for_one_tenant_and_kept)
{
    struct rig rig;
    RIG_START(&rig, ROLE, ASSUMED("A1", "2026-01-02T04:04:05Z"),
              ASSUMED("A2", "2026-01-02T04:04:05Z"));
    struct object_reader acme, other, again;
    CHECK_OK(object_readers_get(rig.readers, S("acme"), &acme));
    CHECK_STR(acme.key_id, S("A1"));
    CHECK_STR(acme.secret, S("s&1"));
    CHECK_STR(acme.token, S("t"));
    CHECK_STR(acme.region, S("eu-central-1"));
    CHECK(acme.host.len == 0 && acme.tls && !acme.path_style);
    char *request = rig.fake.request + rig.fake.body_at;
    CHECK(strstr(request, "Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600"));
    CHECK(strstr(request, "RoleArn=arn%3Aaws-cn%3Aiam%3A%3A123456789012%3Arole%2Fprism-tenant"));
    CHECK(strstr(request, "Tags.member.1.Key=tenant&Tags.member.1.Value=acme"));
    CHECK(strstr(request, "arn%3Aaws-cn%3As3%3A%3A%3Aprism-segments%2Facme%2F%2A%22"));
    CHECK(strstr(request, "arn%3Aaws-cn%3As3%3A%3A%3Aprism-analytics%2Fdeep%2Facme%2F%2A%22"));
    CHECK(strstr(rig.fake.request, "/eu-central-1/sts/aws4_request"));
    CHECK_OK(object_readers_get(rig.readers, S("other"), &other));
    CHECK_STR(other.key_id, S("A2"));
    CHECK(other.serial != acme.serial);
    CHECK_OK(object_readers_get(rig.readers, S("acme"), &again));
    CHECK_STR(again.key_id, S("A1"));
    CHECK_INT(again.serial, acme.serial);
    CHECK_INT(rig.fake.requests, 2);
    rig_stop(&rig);
}

TEST(credentials_that_would_end_within_an_invocation_are_renewed)
{
    struct rig rig;
    RIG_START(&rig, ROLE, ASSUMED("A1", "2026-01-02T04:04:05Z"),
              ASSUMED("A2", "2026-01-02T05:04:05Z"));
    struct object_reader one, two;
    CHECK_OK(object_readers_get(rig.readers, S("acme"), &one));
    uint64_t serial = one.serial;
    test_advance(t, INT64_C(39) * 60 * PX_NS_PER_S);
    CHECK_OK(object_readers_get(rig.readers, S("acme"), &one));
    CHECK_INT(one.serial, serial);
    test_advance(t, INT64_C(2) * 60 * PX_NS_PER_S);
    CHECK_OK(object_readers_get(rig.readers, S("acme"), &two));
    CHECK_STR(two.key_id, S("A2"));
    CHECK(two.serial != serial);
    rig_stop(&rig);
}

TEST(without_a_role_the_processs_own_credentials_are_lent)
{
    struct rig rig;
    RIG_START(&rig, S(""), {.kind = FAKE_RESET});
    struct object_reader own;
    CHECK_OK(object_readers_get(rig.readers, S("acme"), &own));
    CHECK_STR(own.key_id, S("AKIDEXAMPLE"));
    CHECK_STR(own.token, S(""));
    CHECK_INT(rig.fake.requests, 0);
    rig_stop(&rig);
}

TEST(a_role_that_may_not_be_assumed_is_told_without_secrets)
{
    struct rig rig;
    RIG_START(&rig, ROLE,
              {.status = 403,
               .body = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"},
              {.status = 400,
               .body = "<ErrorResponse><Error><Code>MalformedPolicyDocument</Code></Error></"
                       "ErrorResponse>"},
              FAKE_OK("<AssumeRoleResponse></AssumeRoleResponse>"), FAKE_OK("{}"));
    struct object_reader reader;
    CHECK_INT(object_readers_get(rig.readers, S("acme"), &reader), PX_F_DENIED);
    CHECK_INT(object_readers_get(rig.readers, S("acme"), &reader), PX_F_CONFIG);
    CHECK_INT(object_readers_get(rig.readers, S("acme"), &reader), PX_F_PROTOCOL);
    CHECK_INT(object_readers_get(rig.readers, S("acme"), &reader), PX_F_PROTOCOL);
    rig_stop(&rig);
}

TEST(more_tenants_than_are_kept_take_turns)
{
    struct rig rig;
    RIG_START(&rig, ROLE, ASSUMED("A", "2026-01-02T04:04:05Z"));
    for (int i = 0; i < 20; i++) {
        char tenant[16];
        struct object_reader reader;
        (void)snprintf(tenant, sizeof tenant, "t%d", i);
        CHECK_OK(object_readers_get(rig.readers, px_str_c(tenant), &reader));
        CHECK_INT(reader.serial, i + 1);
    }
    CHECK_INT(rig.fake.requests, 20);
    rig_stop(&rig);
}

TEST(folders_need_no_credentials)
{
    struct object_store *folder = NULL;
    struct object_readers *readers = NULL;
    CHECK_OK(object_store_open(test_path(t, "objects"), NULL, &folder));
    const struct object_readers_options options = {.stores = {folder, folder}};
    CHECK_OK(object_readers_new(&options, &readers));
    CHECK(!object_readers_remote(readers) && !object_readers_remote(NULL));
    object_readers_free(&readers);
    object_store_close(&folder);
}

TEST_MAIN
