/* region/provision.c - see provision.h. */
#include "region/provision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aws/client.h"

#define DEADLINE_MS                                                                                \
    20000 /* an emulator that has just started takes seconds for its first answers */
#define ACTIVE_MS 60000

struct job {
    struct cloud *cloud;
    struct px_str prefix;
    struct px_arena *arena;
    const struct px_clock *clock;
};

/* ---- tables ---- */

static int dynamodb(struct job *job, struct cloud_client *client, const char *what,
                    struct px_str body, struct cloud_response *ret_response)
{
    char target[64];
    (void)snprintf(target, sizeof target, "DynamoDB_20120810.%s", what);
    const struct cloud_header headers[] = {{S("X-Amz-Target"), px_str_c(target)},
                                           {S("Content-Type"), S("application/x-amz-json-1.0")}};
    const struct cloud_request request = {.what = what,
                                          .method = "POST",
                                          .path = S("/"),
                                          .headers = headers,
                                          .header_count = PX_COUNT(headers),
                                          .body = body,
                                          .deadline_ms = DEADLINE_MS};
    return cloud_call(client, &request, job->arena, ret_response);
}

static int refused(const char *what, struct px_str name, const struct cloud_response *response)
{
    return px_fault(PX_F_PROTOCOL, "%s %.*s: %d %.*s", what, PX_FMT(name), response->status,
                    PX_FMT(response->error));
}

static int wait_until_active(struct job *job, struct cloud_client *client, struct px_str name)
{
    int64_t until = px_mono_ns(job->clock) + ACTIVE_MS * PX_NS_PER_MS;
    for (;;) {
        struct cloud_response response = {0};
        yyjson_val *root = NULL;
        struct px_str body = px_arena_printf(job->arena, "{\"TableName\":\"%.*s\"}", PX_FMT(name));
        int r = dynamodb(job, client, "DescribeTable", body, &response);
        PX_TRY(r < 0 ? r : 0);
        if (r == CLOUD_REFUSED) return refused("DescribeTable", name, &response);
        if (px_json_parse(response.body, job->arena, &root, NULL) != 0)
            return px_fault(PX_F_PROTOCOL, "DescribeTable %.*s: not JSON", PX_FMT(name));
        struct px_str status = px_json_str(px_json_obj(root, "Table"), "TableStatus");
        if (px_str_eq(status, S("ACTIVE"))) return 0;
        if (px_mono_ns(job->clock) > until)
            return px_fault(PX_F_TIMEOUT, "table %.*s: still %.*s after %d s", PX_FMT(name),
                            PX_FMT(status), ACTIVE_MS / 1000);
        const struct timespec pause = {.tv_nsec = 100 * PX_NS_PER_MS};
        (void)nanosleep(&pause, NULL);
    }
}

/* Removing what expired only saves room: every reader compares the time itself. So an endpoint that
 * cannot do it is no fault. */
static int expire_items(struct job *job, struct cloud_client *client, struct px_str name)
{
    struct cloud_response response = {0};
    struct px_str body = px_arena_printf(job->arena,
                                         "{\"TableName\":\"%.*s\",\"TimeToLiveSpecification\":"
                                         "{\"AttributeName\":\"expires_at\",\"Enabled\":true}}",
                                         PX_FMT(name));
    int r = dynamodb(job, client, "UpdateTimeToLive", body, &response);
    return r < 0 ? r : 0;
}

static int make_table(struct job *job, struct cloud_client *client, const char *table)
{
    struct cloud_response response = {0};
    struct px_str name = px_arena_printf(job->arena, "%.*s-%s", PX_FMT(job->prefix), table);
    struct px_str body = px_arena_printf(
        job->arena,
        "{\"TableName\":\"%.*s\",\"BillingMode\":\"PAY_PER_REQUEST\",\"KeySchema\":["
        "{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"},"
        "{\"AttributeName\":\"sk\",\"KeyType\":\"RANGE\"}],\"AttributeDefinitions\":["
        "{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"},"
        "{\"AttributeName\":\"sk\",\"AttributeType\":\"S\"}]}",
        PX_FMT(name));
    if (!body.ptr) return px_arena_fault(job->arena);
    int r = dynamodb(job, client, "CreateTable", body, &response);
    PX_TRY(r < 0 ? r : 0);
    bool there = r == CLOUD_REFUSED && px_str_eq(response.error, S("ResourceInUseException"));
    if (r == CLOUD_REFUSED && !there) return refused("CreateTable", name, &response);
    PX_TRY(wait_until_active(job, client, name));
    return there ? 0 : expire_items(job, client, name);
}

static int make_tables(struct job *job, const struct function_store *store)
{
    PX_AUTO(cloud_client_free) struct cloud_client *client = NULL;
    PX_TRY(cloud_client_new(job->cloud, &(struct cloud_client_options){.service = S("dynamodb")},
                            &client));
    for (size_t i = 0; i < store->table_count; i++)
        PX_TRY(make_table(job, client, store->tables[i]));
    return 0;
}

/* ---- buckets ---- */

/* S3 makes a bucket in us-east-1 unless it is told another region, and refuses to be told us-east-1. */
static int bucket_place(struct job *job, struct px_str *ret_body)
{
    struct px_str region = px_str_c(getenv("AWS_REGION")); /* homes_prepare() has set it */
    *ret_body = S("");
    if (region.len == 0 || px_str_eq(region, S("us-east-1"))) return 0;
    *ret_body = px_arena_printf(job->arena,
                                "<CreateBucketConfiguration "
                                "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                                "<LocationConstraint>%.*s</LocationConstraint>"
                                "</CreateBucketConfiguration>",
                                PX_FMT(region));
    return ret_body->ptr ? 0 : px_arena_fault(job->arena);
}

static int make_bucket(struct job *job, struct cloud_client *client, const char *store)
{
    struct cloud_response response = {0};
    struct px_str path = px_arena_printf(job->arena, "/%.*s-%s", PX_FMT(job->prefix), store);
    struct px_str place = S("");
    if (!path.ptr) return px_arena_fault(job->arena);
    PX_TRY(bucket_place(job, &place));
    const struct cloud_request request = {.what = "CreateBucket",
                                          .method = "PUT",
                                          .path = path,
                                          .body = place,
                                          .deadline_ms = DEADLINE_MS};
    int r = cloud_call(client, &request, job->arena, &response);
    PX_TRY(r < 0 ? r : 0);
    if (r == CLOUD_REFUSED && response.status != 409) /* 409: it is ours already */
        return refused("CreateBucket", px_str_skip(path, 1), &response);
    return 0;
}

int provision(const struct function_catalogue *catalogue, struct px_str prefix,
              struct px_arena *arena, const struct px_clock *clock)
{
    PX_AUTO(cloud_close) struct cloud *cloud = NULL;
    PX_AUTO(cloud_client_free) struct cloud_client *s3 = NULL;
    PX_TRY(cloud_open(&(struct cloud_options){.clock = clock}, &cloud));
    PX_TRY(cloud_client_new(cloud, &(struct cloud_client_options){.service = S("s3")}, &s3));
    struct job job = {cloud, prefix, arena, clock};
    for (size_t i = 0; i < catalogue->store_count; i++) {
        const struct function_store *store = &catalogue->stores[i];
        if (strcmp(store->kind, "tables") == 0) PX_TRY(make_tables(&job, store));
        if (strcmp(store->kind, "objects") == 0) PX_TRY(make_bucket(&job, s3, store->name));
    }
    return 0;
}
