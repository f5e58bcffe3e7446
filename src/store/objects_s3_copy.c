/* store/objects_s3_copy.c - reading piece by piece, and copies that S3 makes by itself; docs: objects.h.
 *
 * CopyObject and UploadPartCopy are sent to the target's bucket and name the source: no byte of the object comes here. From
 * a VPC they copy within a region only (endpoints take no request that reads another region's bucket), so an object of another
 * region is read there and put here, a part at a time. Both may answer 200 with an error in the body, since S3 sends the head before it has copied.
 * The copy has a checksum of the whole without being asked: the source's kind, which is ours, and CRC64NVME for parts.
 * Sources: Amazon S3 API reference, CopyObject, UploadPart, UploadPartCopy, CompleteMultipartUpload; Amazon S3 user guide,
 * "AWS PrivateLink for Amazon S3", restrictions. */
#include "aws/uri.h"
#include "aws/xml.h"
#include "store/objects_s3.h"

#include <stdio.h>

#define TURNS_MAX 4      /* of a copy that fails inside an answer of 200 */
#define PARTS_MAX 10000u /* S3's */
#define COPY_PART_FACTOR                                                                           \
    4 /* what S3 copies in one call, within the time of an attempt, is more than what we send */
#define RANGE_BYTES 64
#define REFUSAL_BYTES_MAX UINT64_C(65536)
#define PART_BYTES_MAX ((size_t)200) /* of one <Part> */

/* ---- one version ---- */

struct version {
    uint64_t bytes;
    struct px_str etag; /* with its quotes */
};

/* Answers: OBJECT_ABSENT. */
static int version_of(const struct s3_objects *s3, struct px_str key, struct px_arena *arena,
                      struct version *ret_version)
{
    struct s3_request request = {.what = "HeadObject", .method = "HEAD", .key = key};
    struct cloud_response response = {0};
    int r = s3_call(s3, &request, arena, &response);
    if (r == CLOUD_REFUSED) return s3_refusal(s3, request.what, &response);
    PX_TRY(r);
    struct version version = {.etag = cloud_response_header(&response, S("ETag"))};
    if (!px_str_to_u64(cloud_response_header(&response, S("Content-Length")), &version.bytes) ||
        version.etag.len == 0)
        return px_fault(PX_F_PROTOCOL, "HeadObject: no length or no version");
    *ret_version = version;
    return 0;
}

static int replaced(const char *what)
{
    return px_fault(PX_F_BUSY, "%s: the object was replaced meanwhile", what);
}

/* ---- reading ---- */

static int read_range(const struct s3_objects *s3, struct px_str key, const struct version *version,
                      uint64_t first, uint64_t bytes, object_piece *piece, void *ctx)
{
    PX_AUTO(px_arena_deinit) struct px_arena scratch;
    px_arena_init(&scratch, S3_SCRATCH_BYTES_MAX + PX_MAX(bytes, REFUSAL_BYTES_MAX));
    char range[RANGE_BYTES];
    (void)snprintf(range, sizeof range, "bytes=%llu-%llu", (unsigned long long)first,
                   (unsigned long long)(first + bytes - 1));
    struct s3_request request = {.what = "GetObject",
                                 .method = "GET",
                                 .key = key,
                                 .body_bytes_max = PX_MAX(bytes, REFUSAL_BYTES_MAX)};
    struct cloud_response response = {0};
    s3_header(&request, S("Range"), px_str_c(range));
    s3_header(&request, S("If-Match"), version->etag);
    int r = s3_call(s3, &request, &scratch, &response);
    if (r == CLOUD_REFUSED && response.status == 412) return replaced(request.what);
    if (r == CLOUD_REFUSED) return s3_refusal(s3, request.what, &response);
    PX_TRY(r);
    if (response.body.len != bytes)
        return px_fault(PX_F_PROTOCOL, "GetObject: %zu bytes of a range of %llu", response.body.len,
                        (unsigned long long)bytes);
    return piece(ctx, response.body);
}

int s3_read(struct object_store *store, struct px_str key, object_piece *piece, void *ctx)
{
    const struct s3_objects *s3 = s3_of(store);
    PX_AUTO(px_arena_deinit) struct px_arena scratch;
    px_arena_init(&scratch, S3_SCRATCH_BYTES_MAX);
    struct version version = {0};
    int r = version_of(s3, key, &scratch, &version);
    if (r != 0) return r;
    for (uint64_t at = 0; at < version.bytes; at += s3->options.part_bytes) {
        uint64_t bytes = PX_MIN(s3->options.part_bytes, version.bytes - at);
        r = read_range(s3, key, &version, at, bytes, piece, ctx);
        if (r != 0) return r;
    }
    return 0;
}

/* ---- copying ---- */

struct copying {
    struct s3_objects *to;
    struct px_str key;
    struct px_str source;   /* "/bucket/key", encoded */
    struct version version; /* of the source */
    struct px_arena *arena;
    char class_tag[6 + 64 + 1];
};

static int source_of(const struct s3_objects *from, struct px_str key, struct px_arena *arena,
                     struct px_str *ret_source)
{
    struct px_str path = {0};
    PX_TRY(s3_path(from, key, arena, &path));
    *ret_source = cloud_client_has_subdomain(from->client)
                      ? px_arena_printf(arena, "/%.*s%.*s", PX_FMT(from->bucket), PX_FMT(path))
                      : path;
    return ret_source->ptr ? 0 : px_arena_fault(arena);
}

static void describe(struct copying *copying, struct px_str class, struct s3_request *request)
{
    const struct s3_objects *to = copying->to;
    if (to->kms_key.len > 0) {
        s3_header(request, S("x-amz-server-side-encryption"), S("aws:kms"));
        s3_header(request, S("x-amz-server-side-encryption-aws-kms-key-id"), to->kms_key);
    }
    if (class.len > 0) {
        (void)snprintf(copying->class_tag, sizeof copying->class_tag, "class=%.*s", PX_FMT(class));
        s3_header(request, S("x-amz-tagging"), px_str_c(copying->class_tag));
    }
}

static void name_source(const struct copying *copying, struct s3_request *request)
{
    s3_header(request, S("x-amz-copy-source"), copying->source);
    s3_header(request, S("x-amz-copy-source-if-match"), copying->version.etag);
}

/* What stands in an answer. */
struct told {
    struct px_arena *arena;
    struct px_str etag, upload, code;
};

static int take_leaf(void *ctx, struct px_str name, struct px_str text)
{
    struct told *told = ctx;
    struct px_str *to = px_str_eq(name, S("ETag"))       ? &told->etag
                        : px_str_eq(name, S("UploadId")) ? &told->upload
                        : px_str_eq(name, S("Code"))     ? &told->code
                                                         : NULL;
    if (!to) return 0;
    *to = px_arena_dup(told->arena, text);
    return to->ptr ? 0 : px_arena_fault(told->arena);
}

static int read_told(const char *what, struct px_str body, struct told *told)
{
    static const char *const containers[] = {"CopyObjectResult",
                                             "CopyPartResult",
                                             "InitiateMultipartUploadResult",
                                             "CompleteMultipartUploadResult",
                                             "Error",
                                             NULL};
    const struct cloud_xml_reader reader = {
        .containers = containers, .leaf = take_leaf, .ctx = told};
    int r = cloud_xml_read(body, &reader);
    if (r == CLOUD_XML_INVALID) return px_fault(PX_F_PROTOCOL, "%s: no answer of S3's", what);
    PX_TRY(r);
    return 0;
}

/* Answers: OBJECT_ABSENT. told is left as it is where S3 says so; its code tells of a failure inside a 200. */
static int ask(struct copying *copying, struct s3_request *request, struct told *told)
{
    struct s3_objects *to = copying->to;
    struct cloud_response response = {0};
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        int r = s3_call(to, request, copying->arena, &response);
        if (r == CLOUD_REFUSED && response.status == 412) return replaced(request->what);
        /* completed by an attempt whose answer was lost: whoever copies compares what stands there */
        if (r == CLOUD_REFUSED && request->body.len > 0 && response.unsure &&
            px_str_eq(response.error, S("NoSuchUpload")))
            return 0;
        if (r == CLOUD_REFUSED) return s3_refusal(to, request->what, &response);
        PX_TRY(r);
        *told = (struct told){.arena = copying->arena};
        PX_TRY(read_told(request->what, response.body, told));
        if (told->code.len == 0) return 0;
    }
    return px_fault(PX_F_UNAVAILABLE, "%s: 200 with %.*s inside", request->what,
                    PX_FMT(told->code));
}

static int copy_whole(struct copying *copying, struct px_str class)
{
    struct s3_request request = {.what = "CopyObject", .method = "PUT", .key = copying->key};
    struct told told = {0};
    describe(copying, class, &request);
    name_source(copying, &request);
    s3_header(&request, S("x-amz-tagging-directive"), S("REPLACE"));
    s3_header(&request, S("x-amz-metadata-directive"), S("REPLACE"));
    int r = ask(copying, &request, &told);
    if (r != 0) return r;
    return told.etag.len > 0 ? 0 : px_fault(PX_F_PROTOCOL, "CopyObject: no version");
}

/* ---- in parts ---- */

static int begin_parts(struct copying *copying, struct px_str class, struct px_str *ret_upload)
{
    struct s3_request request = {.what = "CreateMultipartUpload",
                                 .method = "POST",
                                 .key = copying->key,
                                 .query = S("uploads")};
    struct told told = {0};
    describe(copying, class, &request);
    PX_TRY(ask(copying, &request, &told));
    struct px_str upload = cloud_uri_param(told.upload, copying->arena);
    if (told.upload.len == 0) return px_fault(PX_F_PROTOCOL, "CreateMultipartUpload: no id");
    if (!upload.ptr) return px_arena_fault(copying->arena);
    *ret_upload = upload;
    return 0;
}

static int copy_part(struct copying *copying, struct px_str upload, unsigned number, uint64_t first,
                     uint64_t bytes, struct px_buf *list)
{
    char range[RANGE_BYTES];
    struct told told = {0};
    struct s3_request request = {.what = "UploadPartCopy", .method = "PUT", .key = copying->key};
    request.query = px_arena_printf(copying->arena, "partNumber=%u&uploadId=%.*s", number,
                                    PX_FMT(upload));
    if (!request.query.ptr) return px_arena_fault(copying->arena);
    (void)snprintf(range, sizeof range, "bytes=%llu-%llu", (unsigned long long)first,
                   (unsigned long long)(first + bytes - 1));
    name_source(copying, &request);
    s3_header(&request, S("x-amz-copy-source-range"), px_str_c(range));
    int r = ask(copying, &request, &told);
    if (r != 0) return r;
    if (told.etag.len == 0) return px_fault(PX_F_PROTOCOL, "UploadPartCopy: no version");
    px_buf_printf(list, "<Part><PartNumber>%u</PartNumber><ETag>%.*s</ETag></Part>", number,
                  PX_FMT(told.etag));
    return 0;
}

static int end_parts(struct copying *copying, struct px_str upload, struct px_buf *list)
{
    struct told told = {0};
    struct s3_request request = {
        .what = "CompleteMultipartUpload", .method = "POST", .key = copying->key};
    request.query = px_arena_printf(copying->arena, "uploadId=%.*s", PX_FMT(upload));
    if (!request.query.ptr) return px_arena_fault(copying->arena);
    px_buf_add_c(list, "</CompleteMultipartUpload>");
    PX_TRY(px_buf_fault(list));
    request.body = px_buf_str(list);
    return ask(copying, &request, &told);
}

/* The parts go; what cannot be aborted now goes by the bucket's lifecycle rule. */
static void abort_parts(struct copying *copying, struct px_str upload)
{
    struct cloud_response response = {0};
    struct s3_request request = {
        .what = "AbortMultipartUpload", .method = "DELETE", .key = copying->key};
    request.query = px_arena_printf(copying->arena, "uploadId=%.*s", PX_FMT(upload));
    int r = request.query.ptr ? s3_call(copying->to, &request, copying->arena, &response) : 0;
    (void)r; /* what failed before is what the caller is told */
}

/* r: how it ended. */
static int give_up_parts(struct copying *copying, struct px_str upload, int r)
{
    if (r == 0) return 0;
    char why[512] = "";
    if (r < 0) (void)px_fault_text(r, why, sizeof why);
    abort_parts(copying, upload);
    return r < 0 ? px_fault(r, "%s", why) : r;
}

static int copy_parts(struct copying *copying, struct px_str class, uint64_t part_bytes)
{
    PX_AUTO(px_buf_deinit) struct px_buf list;
    struct px_str upload = {0};
    uint64_t bytes = copying->version.bytes;
    unsigned number = 0;
    int r = 0;
    px_buf_init(&list, PARTS_MAX * PART_BYTES_MAX);
    px_buf_add_c(&list, "<CompleteMultipartUpload>");
    PX_TRY(begin_parts(copying, class, &upload));
    for (uint64_t at = 0; r == 0 && at < bytes; at += part_bytes)
        r = copy_part(copying, upload, ++number, at, PX_MIN(part_bytes, bytes - at), &list);
    if (r == 0) r = end_parts(copying, upload, &list);
    return give_up_parts(copying, upload, r);
}

/* ---- from another region ---- */

struct carrying {
    struct copying *copying;
    struct px_str upload;
    unsigned number;
    struct px_buf *list;
};

/* As object_piece. */
static int send_part(void *ctx, struct px_str bytes)
{
    struct carrying *carrying = ctx;
    PX_AUTO(px_arena_deinit) struct px_arena scratch;
    px_arena_init(&scratch, S3_SCRATCH_BYTES_MAX);
    struct s3_objects *to = carrying->copying->to;
    struct cloud_response response = {0};
    struct s3_request request = {
        .what = "UploadPart", .method = "PUT", .key = carrying->copying->key, .body = bytes};
    request.query = px_arena_printf(&scratch, "partNumber=%u&uploadId=%.*s", ++carrying->number,
                                    PX_FMT(carrying->upload));
    if (!request.query.ptr) return px_arena_fault(&scratch);
    int r = s3_call(to, &request, &scratch, &response);
    if (r == CLOUD_REFUSED) r = s3_refusal(to, request.what, &response);
    if (r > 0) return px_fault(PX_F_BUSY, "UploadPart: the upload is gone");
    PX_TRY(r);
    struct px_str etag = cloud_response_header(&response, S("ETag"));
    if (etag.len == 0) return px_fault(PX_F_PROTOCOL, "UploadPart: no version");
    px_buf_printf(carrying->list, "<Part><PartNumber>%u</PartNumber><ETag>%.*s</ETag></Part>",
                  carrying->number, PX_FMT(etag));
    return px_buf_fault(carrying->list);
}

static int carry_parts(struct s3_objects *from, struct px_str from_key, struct copying *copying,
                       struct px_str class)
{
    PX_AUTO(px_buf_deinit) struct px_buf list;
    struct carrying carrying = {.copying = copying, .list = &list};
    px_buf_init(&list, PARTS_MAX * PART_BYTES_MAX);
    px_buf_add_c(&list, "<CompleteMultipartUpload>");
    PX_TRY(begin_parts(copying, class, &carrying.upload));
    int r = s3_read(&from->store, from_key, send_part, &carrying);
    if (r == 0) r = end_parts(copying, carrying.upload, &list);
    return give_up_parts(copying, carrying.upload, r);
}

static int add_piece(void *ctx, struct px_str bytes)
{
    px_buf_add(ctx, bytes.ptr, bytes.len);
    return px_buf_fault(ctx);
}

static int carry(struct s3_objects *from, struct px_str from_key, struct copying *copying,
                 struct px_str class)
{
    struct s3_objects *to = copying->to;
    uint64_t bytes = copying->version.bytes;
    if (bytes > from->options.part_bytes * PARTS_MAX)
        return px_fault(PX_F_LIMIT, "an object of %llu bytes", (unsigned long long)bytes);
    if (bytes > to->options.part_bytes) return carry_parts(from, from_key, copying, class);
    PX_AUTO(px_buf_deinit) struct px_buf whole;
    px_buf_init(&whole, to->options.part_bytes);
    int r = s3_read(&from->store, from_key, add_piece, &whole);
    if (r != 0) return r;
    PX_TRY(s3_put_whole(to, copying->key, px_buf_str(&whole), class));
    return 0;
}

int s3_copy(struct object_store *from, struct px_str from_key, struct object_store *to,
            struct px_str to_key, struct px_str class)
{
    PX_AUTO(px_arena_deinit) struct px_arena scratch;
    px_arena_init(&scratch, S3_SCRATCH_BYTES_MAX);
    struct copying copying = {.to = s3_of(to), .key = to_key, .arena = &scratch};
    int r = version_of(s3_of(from), from_key, &scratch, &copying.version);
    if (r != 0) return r;
    if (!px_str_eq(cloud_client_region(s3_of(from)->client),
                   cloud_client_region(copying.to->client)))
        return carry(s3_of(from), from_key, &copying, class);
    PX_TRY(source_of(s3_of(from), from_key, &scratch, &copying.source));
    uint64_t part_bytes = copying.to->options.part_bytes * COPY_PART_FACTOR;
    part_bytes = PX_MAX(part_bytes, (copying.version.bytes + PARTS_MAX - 1) / PARTS_MAX);
    return copying.version.bytes <= part_bytes ? copy_whole(&copying, class)
                                               : copy_parts(&copying, class, part_bytes);
}
