/* region/connect_s3.c - getObject, putObject and listObjectsV2 on the region's buckets, "<prefix>-segments" and "<prefix>-analytics".
 *
 * For a distributed Map the answer of getObject is the file itself. An object's body stands in memory, at most OBJECT_BYTES_MAX.
 * Source of shapes and errors: S3 API reference. */
#include "region/homes.h"
#include "region/workflows_internal.h"

#define OBJECT_BYTES_MAX (32u << 20)
#define LIST_MAX 1000

static const char *const buckets[] = {"segments", "analytics"};

/* Of `buckets`; -1: refused. */
static int find_bucket(struct connection *c)
{
    struct px_str bucket = px_json_str(c->payload, "Bucket"),
                  owner = px_json_str(c->payload, "ExpectedBucketOwner"),
                  own = workflow_own_name(c->catalogue, bucket);
    if (owner.len > 0 && !px_str_eq(owner, S(WORKFLOW_ACCOUNT))) {
        connection_fail(c, "S3.AccessDenied", "Access Denied");
        return -1;
    }
    for (size_t i = 0; own.ptr && i < PX_COUNT(buckets); i++) {
        if (!px_str_eq(own, px_str_c(buckets[i]))) continue;
        if (workflow_may(c->machine, "buckets", own)) return (int)i;
        connection_fail(c, "S3.AccessDenied",
                        "Access Denied (may.buckets of workflows.json has not %.*s)", PX_FMT(own));
        return -1;
    }
    connection_fail(c, "S3.NoSuchBucket", "The specified bucket does not exist: %.*s",
                    PX_FMT(bucket));
    return -1;
}

static bool open_bucket(struct connection *c, struct object_store **ret_store)
{
    struct workflows *w = c->workflows;
    int i = find_bucket(c), r = 0;
    if (i < 0) return false;
    const char *url = homes_url(w->options.data, buckets[i], &c->arena);
    if (!w->objects[i])
        r = url ? object_store_open(px_str_c(url), NULL, &w->objects[i])
                : px_arena_fault(&c->arena);
    if (r != 0) {
        connection_fault(c, "S3.SdkClientException", r);
        return false;
    }
    *ret_store = w->objects[i];
    return true;
}

static bool key_ok(struct connection *c, struct px_str key)
{
    if (key.len > 0 && key.len <= 1024 && key.ptr[0] != '/' && key.ptr[key.len - 1] != '/' &&
        !memmem(key.ptr, key.len, "//", 2) && !memmem(key.ptr, key.len, "..", 2) &&
        !memchr(key.ptr, '\0', key.len) && px_utf8_ok(key) && !px_str_starts(key, S(".")))
        return true;
    connection_fail(c, "S3.InvalidArgument", "No key of an object here: '%.*s'", PX_FMT(key));
    return false;
}

bool connect_s3_object(struct connection *c, const char **ret_bucket, struct px_str *ret_key)
{
    struct px_str key = px_json_str(c->payload, "Key");
    int i = c->outcome == CONNECTION_OPEN ? find_bucket(c) : -1;
    if (i < 0 || !key_ok(c, key)) return false;
    *ret_bucket = buckets[i];
    *ret_key = key;
    return true;
}

/* Buckets here keep no versions; what S3 says of one that does not. */
static bool version_ok(struct connection *c)
{
    struct px_str version = px_json_str(c->payload, "VersionId");
    if (version.len == 0 || px_str_eq(version, S("null"))) return true;
    connection_fail(c, "S3.InvalidArgument", "Invalid version id specified");
    return false;
}

static void get_object(struct connection *c)
{
    struct object_store *store;
    struct px_str key = px_json_str(c->payload, "Key");
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, OBJECT_BYTES_MAX);
    if (!open_bucket(c, &store) || !key_ok(c, key) || !version_ok(c)) return;
    int r = object_get(store, key, &body);
    if (r == OBJECT_ABSENT) {
        connection_fail(c, "S3.NoSuchKey", "The specified key does not exist.");
    } else if (r == OBJECT_TOO_LARGE) {
        connection_fail(c, "S3.SdkClientException", "The object is over %u bytes",
                        OBJECT_BYTES_MAX);
    } else if (r != 0) {
        connection_fault(c, "S3.SdkClientException", r);
    } else if (c->reader) {
        px_buf_add_str(&c->output, px_buf_str(&body));
        connection_succeed(c);
    } else {
        px_buf_add_c(&c->output, "{\"Body\":");
        px_buf_add_json_str(&c->output, px_buf_str(&body));
        px_buf_printf(&c->output, ",\"ContentLength\":%zu}", body.len);
        connection_succeed(c);
    }
}

/* The same object again is no second one, so it needs no note. */
static void put_object(struct connection *c)
{
    struct object_store *store;
    struct px_str key = px_json_str(c->payload, "Key");
    yyjson_val *body = yyjson_obj_get(c->payload, "Body");
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, OBJECT_BYTES_MAX);
    if (!open_bucket(c, &store) || !key_ok(c, key)) return;
    if (yyjson_is_str(body))
        px_buf_add_str(&text, px_json_val_str(body));
    else if (body)
        px_buf_add_json(&text, body);
    int r = px_buf_fault(&text);
    if (r == 0) r = object_put(store, key, px_buf_str(&text));
    if (r != 0) {
        connection_fault(c, "S3.SdkClientException", r);
        return;
    }
    px_buf_add_c(&c->output, "{}");
    connection_succeed(c);
}

static void add_info(struct connection *c, const struct object_info *info)
{
    char when[40];
    px_buf_add_c(&c->output, "{\"Key\":");
    px_buf_add_json_str(&c->output, info->key);
    px_buf_printf(&c->output, ",\"Size\":%llu,\"StorageClass\":\"STANDARD\",\"LastModified\":",
                  (unsigned long long)info->bytes);
    if (c->reader) /* a Map's items have seconds (developer guide, "ItemReader (Map)") */
        px_buf_printf(&c->output, "%lld}", (long long)(info->modified_ns / PX_NS_PER_S));
    else
        px_buf_printf(&c->output, "\"%.*s\"}", PX_FMT(px_time_format(info->modified_ns, 3, when)));
}

/* The token to go on is the last key. */
static void list_objects(struct connection *c)
{
    struct object_store *store;
    struct object_info *infos;
    size_t count;
    int64_t most = px_json_i64(c->payload, "MaxKeys", LIST_MAX);
    struct px_str prefix = px_json_str(c->payload, "Prefix"),
                  after = px_json_str(c->payload, "ContinuationToken");
    if (!after.ptr) after = px_json_str(c->payload, "StartAfter");
    if (!open_bucket(c, &store)) return;
    if (most < 1 || most > LIST_MAX) most = LIST_MAX;
    int r = object_list(store, prefix, after, (size_t)most + 1, &c->arena, &infos, &count);
    if (r != 0) {
        connection_fault(c, "S3.SdkClientException", r);
        return;
    }
    bool more = count > (size_t)most;
    if (more) count = (size_t)most;
    px_buf_printf(&c->output, "{\"KeyCount\":%zu,\"IsTruncated\":%s,\"Contents\":[", count,
                  more ? "true" : "false");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) px_buf_add_char(&c->output, ',');
        add_info(c, &infos[i]);
    }
    px_buf_add_char(&c->output, ']');
    if (more) {
        px_buf_add_c(&c->output, ",\"NextContinuationToken\":");
        px_buf_add_json_str(&c->output, infos[count - 1].key);
    }
    px_buf_add_char(&c->output, '}');
    connection_succeed(c);
}

const struct connector connect_s3[] = {
    {.service = "s3", .action = "getObject", .work = get_object},
    {.service = "s3", .action = "putObject", .work = put_object},
    {.service = "s3", .action = "listObjectsV2", .work = list_objects},
    {.service = "aws-sdk:s3", .action = "getObject", .work = get_object},
    {.service = "aws-sdk:s3", .action = "putObject", .work = put_object},
    {.service = "aws-sdk:s3", .action = "listObjectsV2", .work = list_objects},
    {0},
};
