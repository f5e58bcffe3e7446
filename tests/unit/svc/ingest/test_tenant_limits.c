/* A tenant's own ceilings. */
#include "support/support.h"

#include "svc/ingest/tenant_limits.h"

static const struct ingest_limits platform = {
    .body_bytes_max = 1000, .record_bytes_max = 100, .records_max = 10, .datasets_max = 5};

static struct ingest_limits limits_of(struct test *t, const char *quotas)
{
    struct ingest_limits limits = {0};
    struct api_caller caller = {.quotas = px_str_c(quotas)};
    CHECK_OK(tenant_limits(&platform, &caller, &t->arena, &limits));
    return limits;
}

TEST(without_quotas_the_platforms_limits_hold)
{
    struct ingest_limits limits = limits_of(t, "");
    CHECK_INT(limits.body_bytes_max, 1000);
    CHECK_INT(limits.record_bytes_max, 100);
    CHECK_INT(limits.records_max, 10);
    CHECK_INT(limits_of(t, "{\"other\":1,\"ingest_records\":\"2\"}").records_max, 10);
}

TEST(a_quota_lowers_and_never_raises)
{
    struct ingest_limits limits = limits_of(
        t, "{\"ingest_body_bytes\":500,\"ingest_record_bytes\":7,\"ingest_records\":99}");
    CHECK_INT(limits.body_bytes_max, 500);
    CHECK_INT(limits.record_bytes_max, 7);
    CHECK_INT(limits.records_max, 10);
    CHECK_INT(limits_of(t, "{\"ingest_body_bytes\":0}").body_bytes_max, 0);
    CHECK_INT(limits.datasets_max, 5);
    CHECK_INT(limits_of(t, "{\"datasets\":2}").datasets_max, 2);
}

TEST(quotas_that_are_no_json_are_a_fault_of_the_authorizer)
{
    struct ingest_limits limits = {0};
    struct api_caller caller = {.quotas = S("{")};
    CHECK_INT(tenant_limits(&platform, &caller, &t->arena, &limits), PX_F_PROTOCOL);
}

TEST_MAIN
