/* store/objects_s3.c - objects in S3: opening, one request, heads, deletes, URLs; docs: objects.h,
 * docs/design/aws.md. Beside it: objects_s3_put.c, objects_s3_get.c, objects_s3_copy.c, objects_s3_list.c. */
#include "store/objects_s3.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <aws/common/byte_buf.h>
#include <aws/common/date_time.h>

#include "aws/uri.h"
#include "base/px_file.h"

#define KEY_BYTES_MAX 1024u
#define CALL_MS_DEFAULT 10000u
#define ATTEMPT_MS_MAX 5000u /* 8 MiB within it is a slow network, not a hung one */
#define TRANSFER_MS_DEFAULT (120u * 1000u)
#define PART_BYTES_DEFAULT (UINT64_C(8) << 20)
#define PART_BYTES_MIN (UINT64_C(5) << 20)
#define TEMP_DIR_DEFAULT "/tmp"

/* ---- one request ---- */

void s3_header(struct s3_request *request, struct px_str name, struct px_str value)
{
    PX_ASSERT(request->header_count < S3_HEADERS_MAX);
    request->headers[request->header_count++] = (struct cloud_header){name, value};
}

int s3_path(const struct s3_objects *s3, struct px_str key, struct px_arena *arena,
            struct px_str *ret_path)
{
    struct px_str bucket = cloud_client_has_subdomain(s3->client) ? S("") : s3->bucket;
    struct px_str prefix = key.len > 0 ? s3->prefix : S("");
    struct px_str full = px_arena_printf(arena, "/%.*s%s%.*s%s%.*s", PX_FMT(bucket),
                                         bucket.len > 0 && key.len > 0 ? "/" : "", PX_FMT(prefix),
                                         prefix.len > 0 ? "/" : "", PX_FMT(key));
    if (!full.ptr) return px_arena_fault(arena);
    if (s3->prefix.len + 1 + key.len > KEY_BYTES_MAX || !px_utf8_ok(key))
        return px_fault(PX_F_LIMIT, "S3 takes keys of 1024 bytes of UTF-8, not one of %zu",
                        s3->prefix.len + 1 + key.len);
    struct px_str path = cloud_uri_path(full, arena);
    if (!path.ptr) return px_arena_fault(arena);
    *ret_path = path;
    return 0;
}

int s3_call(const struct s3_objects *s3, const struct s3_request *request, struct px_arena *arena,
            struct cloud_response *ret_response)
{
    struct px_str path = {0};
    PX_TRY(s3_path(s3, request->key, arena, &path));
    if (request->query.len > 0)
        path = px_arena_printf(arena, "%.*s?%.*s", PX_FMT(path), PX_FMT(request->query));
    if (!path.ptr) return px_arena_fault(arena);
    struct cloud_request call = {.what = request->what,
                                 .method = request->method,
                                 .path = path,
                                 .headers = request->headers,
                                 .header_count = request->header_count,
                                 .body = request->body,
                                 .deadline_ms = s3->options.call_ms,
                                 .body_bytes_max = request->body_bytes_max,
                                 .may_be_larger = request->may_be_larger};
    int r = cloud_call(s3->client, &call, arena, ret_response);
    if (r > 0) return r;
    PX_TRY(r);
    return 0;
}

int s3_refusal(const struct s3_objects *s3, const char *what, const struct cloud_response *response)
{
    if (px_str_eq(response->error, S("NoSuchBucket")))
        return px_fault(PX_F_CONFIG, "%s: the bucket %.*s does not exist", what,
                        PX_FMT(s3->bucket));
    bool unnamed = response->status == 404 && response->error.len == 0; /* of a HEAD */
    if (unnamed || px_str_eq(response->error, S("NoSuchKey"))) return OBJECT_ABSENT;
    return px_fault(PX_F_PROTOCOL, "%s: %d %.*s", what, response->status, PX_FMT(response->error));
}

int s3_transfers(struct s3_objects *s3, struct cloud_transfers **ret_transfers)
{
    struct cloud_transfers_options options = {.url = cloud_client_url(s3->client),
                                              .part_bytes = s3->options.part_bytes};
    int r = 0;
    (void)pthread_mutex_lock(&s3->lock);
    if (!s3->transfers) r = cloud_transfers_new(s3->cloud, &options, &s3->transfers);
    (void)pthread_mutex_unlock(&s3->lock);
    PX_TRY(r);
    *ret_transfers = s3->transfers;
    return 0;
}

/* ---- heads and deletes ---- */

static int64_t time_of(struct px_str text)
{
    struct aws_byte_cursor cursor = aws_byte_cursor_from_array(text.ptr, text.len);
    struct aws_date_time time;
    if (aws_date_time_init_from_str_cursor(&time, &cursor, AWS_DATE_FORMAT_RFC822) != 0) return 0;
    return (int64_t)aws_date_time_as_epoch_secs(&time) * PX_NS_PER_S;
}

static int s3_head(struct object_store *store, struct px_str key, struct px_arena *arena,
                   struct object_info *ret_info)
{
    const struct s3_objects *s3 = s3_of(store);
    PX_AUTO(px_arena_deinit) struct px_arena scratch;
    px_arena_init(&scratch, S3_SCRATCH_BYTES_MAX);
    struct s3_request request = {.what = "HeadObject", .method = "HEAD", .key = key};
    struct cloud_response response = {0};
    int r = s3_call(s3, &request, &scratch, &response);
    if (r == CLOUD_REFUSED) return s3_refusal(s3, request.what, &response);
    PX_TRY(r);
    struct px_str version = cloud_response_header(&response, S("x-amz-version-id"));
    struct object_info info = {.key = px_arena_dup(arena, key),
                               .version = px_arena_dup(arena, version)};
    if (!info.key.ptr || !info.version.ptr) return px_arena_fault(arena);
    if (!px_str_to_u64(cloud_response_header(&response, S("Content-Length")), &info.bytes))
        return px_fault(PX_F_PROTOCOL, "HeadObject: no length");
    info.modified_ns = time_of(cloud_response_header(&response, S("Last-Modified")));
    *ret_info = info;
    return 0;
}

static int s3_delete(struct object_store *store, struct px_str key)
{
    const struct s3_objects *s3 = s3_of(store);
    PX_AUTO(px_arena_deinit) struct px_arena scratch;
    px_arena_init(&scratch, S3_SCRATCH_BYTES_MAX);
    struct s3_request request = {.what = "DeleteObject", .method = "DELETE", .key = key};
    struct cloud_response response = {0};
    int r = s3_call(s3, &request, &scratch, &response);
    if (r == CLOUD_REFUSED) r = s3_refusal(s3, request.what, &response);
    if (r == OBJECT_ABSENT) return 0;
    PX_TRY(r);
    return 0;
}

/* ---- URLs ---- */

static int s3_url(struct object_store *store, struct px_str key, struct px_arena *arena,
                  struct px_str *ret_url)
{
    const struct s3_objects *s3 = s3_of(store);
    struct px_str url = px_arena_printf(arena, "s3://%.*s/%.*s%s%.*s", PX_FMT(s3->bucket),
                                        PX_FMT(s3->prefix), s3->prefix.len > 0 ? "/" : "",
                                        PX_FMT(key));
    if (!url.ptr) return px_arena_fault(arena);
    *ret_url = url;
    return 0;
}

static int s3_presign(struct object_store *store, struct px_str key, enum object_right right,
                      uint32_t expires_s, struct px_arena *arena, struct px_str *ret_url)
{
    const struct s3_objects *s3 = s3_of(store);
    PX_AUTO(px_arena_deinit) struct px_arena scratch;
    px_arena_init(&scratch, S3_SCRATCH_BYTES_MAX);
    struct px_str path = {0};
    PX_TRY(s3_path(s3, key, &scratch, &path));
    PX_TRY(cloud_presign(s3->client, right == OBJECT_WRITE ? "PUT" : "GET", path, expires_s, arena,
                         ret_url));
    return 0;
}

static void s3_place(struct object_store *store, struct object_place *ret_place)
{
    const struct s3_objects *s3 = s3_of(store);
    struct px_str url = cloud_client_url(s3->client);
    bool tls = px_str_starts(url, S("https:"));
    *ret_place = (struct object_place){
        .host = cloud_client_is_own(s3->client) ? S("") : px_str_skip(url, tls ? 8 : 7),
        .tls = tls,
        .path_style = !cloud_client_has_subdomain(s3->client),
        .bucket = s3->bucket,
        .prefix = s3->prefix};
}

/* ---- opening ---- */

static void s3_close(struct object_store *store)
{
    struct s3_objects *s3 = s3_of(store);
    cloud_transfers_free(&s3->transfers);
    cloud_client_free(&s3->client);
    cloud_shared_close(&s3->own);
    (void)pthread_mutex_destroy(&s3->lock);
    free(s3->text);
    free(s3->temp);
    free(s3);
}

static const struct object_half half = {.put = s3_put,
                                        .put_file = s3_put_file,
                                        .get = s3_get,
                                        .read = s3_read,
                                        .copy = s3_copy,
                                        .head = s3_head,
                                        .delete = s3_delete,
                                        .list = s3_list,
                                        .url = s3_url,
                                        .presign = s3_presign,
                                        .place = s3_place,
                                        .close = s3_close};

/* S3's rules for the names of buckets, as far as they keep one from being something else in an URL. */
static bool bucket_is_valid(struct px_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.')
            return false;
    }
    return name.len >= 3 && name.len <= 63;
}

/* It becomes part of a host's name. */
static bool region_is_valid(struct px_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') return false;
    }
    return name.len > 0 && name.len <= 32;
}

static int location_set(struct s3_objects *s3, struct px_str location)
{
    struct px_str rest, name, value;
    s3->text = strndup(location.ptr ? location.ptr : "", location.len);
    if (!s3->text) return px_fault(PX_F_OOM, "the object store");
    rest = px_str(s3->text, location.len);
    struct px_str place;
    bool has_query = px_str_cut(&rest, '?', &place);
    while (has_query && rest.len > 0) {
        (void)px_str_cut(&rest, '&', &value);
        (void)px_str_cut(&value, '=', &name);
        bool is_key = px_str_eq(name, S("kms-key"));
        bool is_region = px_str_eq(name, S("region")) && region_is_valid(value);
        if (!(is_key || is_region) || value.len == 0)
            return px_fault(PX_F_CONFIG,
                            "s3://...?%.*s: only kms-key=<arn> and region=<name> are known",
                            PX_FMT(name));
        *(is_key ? &s3->kms_key : &s3->region) = value;
    }
    (void)px_str_cut(&place, '/', &s3->bucket);
    if (px_str_ends(place, S("/"))) place.len--;
    s3->prefix = place;
    if (!bucket_is_valid(s3->bucket) || (place.len > 0 && !object_key_is_valid(place)))
        return px_fault(PX_F_CONFIG, "s3://%.*s: no bucket and prefix", PX_FMT(location));
    return 0;
}

static int temp_set(struct s3_objects *s3, struct px_str temp_dir)
{
    if (temp_dir.len == 0) temp_dir = S(TEMP_DIR_DEFAULT);
    if (temp_dir.len > PATH_MAX / 2)
        return px_fault(PX_F_CONFIG, "the folder for temporary objects has a name of %zu bytes",
                        temp_dir.len);
    if (asprintf(&s3->temp, "%.*s/prism-objects", PX_FMT(temp_dir)) < 0) {
        s3->temp = NULL;
        return px_fault(PX_F_OOM, "the object store");
    }
    PX_TRY(px_dir_make(s3->temp));
    s3->store.temp_folder = s3->temp;
    return 0;
}

/* A bucket with dots in its name has no certificate as a subdomain, so it goes in the path. */
static int client_make(struct s3_objects *s3)
{
    bool dotted = memchr(s3->bucket.ptr, '.', s3->bucket.len) != NULL;
    struct cloud_client_options options = {
        .service = S("s3"),
        .region = s3->region,
        .subdomain = dotted ? (struct px_str){0} : s3->bucket,
        .attempt_ms = PX_MIN(s3->options.call_ms, ATTEMPT_MS_MAX)};
    PX_TRY(cloud_client_new(s3->cloud, &options, &s3->client));
    return 0;
}

int objects_s3_open(struct px_str location, const struct object_options *options,
                    struct object_store **ret_store)
{
    struct s3_objects *s3 = calloc(1, sizeof *s3);
    if (!s3) return px_fault(PX_F_OOM, "the object store");
    PX_AUTO(object_store_close) struct object_store *store = &s3->store;
    store->half = &half;
    (void)pthread_mutex_init(&s3->lock, NULL);
    s3->options = (struct object_options){
        .call_ms = options->call_ms ? options->call_ms : CALL_MS_DEFAULT,
        .transfer_ms = options->transfer_ms ? options->transfer_ms : TRANSFER_MS_DEFAULT,
        .part_bytes = options->part_bytes ? options->part_bytes : PART_BYTES_DEFAULT};
    PX_ASSERT(s3->options.part_bytes >= PART_BYTES_MIN);
    PX_TRY(location_set(s3, location));
    PX_TRY(temp_set(s3, options->temp_dir));
    struct cloud_shared *shared = options->cloud ? options->cloud : &s3->own;
    PX_TRY(cloud_shared_take(shared, &s3->cloud));
    PX_TRY(client_make(s3));
    *ret_store = PX_TAKE(store);
    return 0;
}
