/* tests/unit/aws/emulator.h - for suites that run on files by themselves, and in S3 when PRISM_TEST_S3 names
 * an endpoint that needs no real account (tests/sys/emulator_kit.py). */
#pragma once

#include "aws/reach.h"
#include "support/support.h"

#include "aws/client.h"

#define EMULATOR_BUCKET "prism-test"

static inline bool on_s3(void) { return getenv("PRISM_TEST_S3") != NULL; }

/* Call it from a constructor. */
static void emulator_init(void)
{
    const char *endpoint = getenv("PRISM_TEST_S3"), *ca_file = getenv("PRISM_TEST_CA_FILE");
    if (!endpoint) return;
    reach_init();
    PX_ASSERT(setenv("AWS_ENDPOINT_URL_S3", endpoint, 1) == 0);
    PX_ASSERT(setenv("AWS_ENDPOINT_URL_STS", endpoint, 1) == 0);
    if (ca_file && *ca_file) PX_ASSERT(setenv("AWS_CA_BUNDLE", ca_file, 1) == 0);
}

/* Of a store of objects: a test's objects are below its scratch folder's name, so they are its own. In arena. */
static struct px_str emulator_place(const char *dir, const char *store, struct px_arena *arena)
{
    const char *name = strrchr(dir, '/');
    if (!on_s3() || !name) return px_arena_printf(arena, "%s/%s", dir, store);
    return px_arena_printf(arena, "s3://" EMULATOR_BUCKET "%s/%s", name, store);
}
static __attribute__((unused)) struct px_str emulator_url(struct test *t, const char *store)
{
    return emulator_place(t->dir, store, &t->arena);
}

static __attribute__((unused)) void emulator_bucket(struct test *t)
{
    if (!on_s3()) return;
    PX_AUTO(cloud_close) struct cloud *cloud = NULL;
    PX_AUTO(cloud_client_free) struct cloud_client *client = NULL;
    struct cloud_client_options options = {.service = S("s3")};
    struct cloud_request request = {
        .what = "CreateBucket",
        .method = "PUT",
        .path = S("/" EMULATOR_BUCKET),
        .body = S(
            "<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></"
            "CreateBucketConfiguration>")};
    struct cloud_response response = {0};
    CHECK_OK(cloud_open(NULL, &cloud));
    CHECK_OK(cloud_client_new(cloud, &options, &client));
    int r = cloud_call(client, &request, &t->arena, &response);
    if (r != CLOUD_REFUSED || response.status != 409) CHECK_OK(r); /* the first test made it */
}
