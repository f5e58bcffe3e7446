/* tests/unit/store/tables_kit.h - tables for a suite that runs on both halves: on SQLite by itself, on DynamoDB when
 * PRISM_TEST_DYNAMODB names an endpoint that needs no real account. */
#pragma once

#include "aws/reach.h"
#include "store/child.h"

#include "aws/client.h"
#include "store/tables.h"

static bool on_dynamodb(void) { return getenv("PRISM_TEST_DYNAMODB") != NULL; }

/* A test's tables are named after its scratch folder, so they are its own. */
static struct px_str tables_url(struct test *t)
{
    if (!on_dynamodb()) return test_path(t, "tables.db");
    return px_arena_printf(&t->arena, "dynamodb://%s", strrchr(t->dir, '/') + 1);
}

static void table_make(struct test *t, struct cloud_client *client, const char *name)
{
    struct cloud_header headers[] = {{S("X-Amz-Target"), S("DynamoDB_20120810.CreateTable")},
                                     {S("Content-Type"), S("application/x-amz-json-1.0")}};
    struct cloud_request request = {.what = "CreateTable", .method = "POST", .path = S("/")};
    struct cloud_response response;
    request.headers = headers;
    request.header_count = PX_COUNT(headers);
    request.body = px_arena_printf(
        &t->arena,
        "{\"TableName\":\"%s-%s\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":["
        "{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"},"
        "{\"AttributeName\":\"sk\",\"AttributeType\":\"S\"}],\"KeySchema\":["
        "{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"},"
        "{\"AttributeName\":\"sk\",\"KeyType\":\"RANGE\"}]}",
        strrchr(t->dir, '/') + 1, name);
    CHECK_OK(cloud_call(client, &request, &t->arena, &response));
}

/* The tables of these names, with DynamoDB; the SQLite file makes its own. */
static void tables_prepare(struct test *t, const char *const *names, size_t count)
{
    if (!on_dynamodb()) return;
    PX_AUTO(cloud_close) struct cloud *cloud = NULL;
    PX_AUTO(cloud_client_free) struct cloud_client *client = NULL;
    struct cloud_client_options options = {.service = S("dynamodb")};
    CHECK_OK(cloud_open(NULL, &cloud));
    CHECK_OK(cloud_client_new(cloud, &options, &client));
    for (size_t i = 0; i < count; i++) table_make(t, client, names[i]);
}

__attribute__((constructor)) static void reach(void)
{
    const char *endpoint = getenv("PRISM_TEST_DYNAMODB");
    if (!endpoint) return;
    reach_init();
    PX_ASSERT(setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint, 1) == 0);
    const char *ca_file = getenv("PRISM_TEST_CA_FILE");
    if (ca_file && *ca_file) PX_ASSERT(setenv("AWS_CA_BUNDLE", ca_file, 1) == 0);
}
