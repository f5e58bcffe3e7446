/* store/objects_s3_put.c - puts; docs: objects.h, docs/design/aws.md.
 *
 * A put that must not replace anything has the condition If-None-Match, and an id in its metadata. An
 * answer may be lost after S3 did its work; sent again, the put then fails on the object that it made
 * itself, and finds that out by the id. */
#include "store/objects_s3.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/checksum.h"
#include "base/px_file.h"
#include "base/px_id.h"

#define TURNS_MAX 4 /* of an upload in parts that another's put interrupts */
#define PUT_ID_HEADER "x-amz-meta-put-id"

/* What the headers of a put point to. */
struct put_text {
    char id[S3_PUT_ID_BYTES + 1];
    char class_tag[6 + 64 + 1];
    char checksum[CLOUD_CHECKSUM_BYTES];
};

static void id_make(char id[S3_PUT_ID_BYTES + 1])
{
    unsigned char bytes[S3_PUT_ID_BYTES / 2];
    px_random(bytes, sizeof bytes);
    px_hex(bytes, sizeof bytes, id);
}

/* Headers that a whole put and the parts of one have in common. */
static void put_describe(const struct s3_objects *s3, struct px_str class, bool new_only,
                         struct put_text *text, struct s3_request *request)
{
    if (s3->kms_key.len > 0) {
        s3_header(request, S("x-amz-server-side-encryption"), S("aws:kms"));
        s3_header(request, S("x-amz-server-side-encryption-aws-kms-key-id"), s3->kms_key);
    }
    if (class.len > 0) {
        (void)snprintf(text->class_tag, sizeof text->class_tag, "class=%.*s", PX_FMT(class));
        s3_header(request, S("x-amz-tagging"), px_str_c(text->class_tag));
    }
    if (!new_only) return;
    id_make(text->id);
    s3_header(request, S(PUT_ID_HEADER), px_str_c(text->id));
    s3_header(request, S("If-None-Match"), S("*"));
}

/* The object in the way: 0 when it is the one that this put made. Answers: OBJECT_EXISTS. */
static int is_own(const struct s3_objects *s3, struct px_str key, const char *id,
                  struct px_arena *arena)
{
    struct s3_request request = {.what = "HeadObject", .method = "HEAD", .key = key};
    struct cloud_response response = {0};
    int r = s3_call(s3, &request, arena, &response);
    if (r == CLOUD_REFUSED) r = s3_refusal(s3, request.what, &response);
    if (r == OBJECT_ABSENT) return r;
    PX_TRY(r);
    struct px_str found = cloud_response_header(&response, S(PUT_ID_HEADER));
    return px_str_eq(found, px_str_c(id)) ? 0 : OBJECT_EXISTS;
}

static bool is_in_the_way(const struct cloud_response *response)
{
    return response->status == 412 || px_str_eq(response->error, S("PreconditionFailed"));
}

/* Answers: OBJECT_EXISTS (only with new_only). */
static int put_whole(struct s3_objects *s3, struct px_str key, struct px_str bytes,
                     struct px_str class, bool new_only)
{
    PX_AUTO(px_arena_deinit) struct px_arena scratch;
    px_arena_init(&scratch, S3_SCRATCH_BYTES_MAX);
    struct put_text text;
    struct s3_request request = {.what = "PutObject", .method = "PUT", .key = key, .body = bytes};
    struct cloud_response response = {0};
    put_describe(s3, class, new_only, &text, &request);
    cloud_checksum(bytes, text.checksum);
    s3_header(&request, S("x-amz-sdk-checksum-algorithm"), S("CRC64NVME"));
    s3_header(&request, S("x-amz-checksum-crc64nvme"), px_str_c(text.checksum));
    int r = s3_call(s3, &request, &scratch, &response);
    if (r != CLOUD_REFUSED) {
        PX_TRY(r);
        return 0;
    }
    if (!new_only || !is_in_the_way(&response))
        r = s3_refusal(s3, request.what, &response);
    else
        r = response.unsure ? is_own(s3, key, text.id, &scratch) : OBJECT_EXISTS;
    if (r == OBJECT_ABSENT) return px_fault(PX_F_BUSY, "PutObject: the object comes and goes");
    return r;
}

int s3_put_whole(struct s3_objects *s3, struct px_str key, struct px_str bytes, struct px_str class)
{
    PX_TRY(put_whole(s3, key, bytes, class, false));
    return 0;
}

/* ---- in parts ---- */

enum parts_answer { PARTS_AGAIN = 100 }; /* beside object_answer */

/* A refused upload is over and its parts are gone, unless it was finished by an attempt whose answer was
 * lost. */
static int parts_refused(const struct s3_objects *s3, struct px_str key, bool new_only,
                         const char *id, const struct cloud_response *response,
                         struct px_arena *arena)
{
    if (response->status == 409) return PARTS_AGAIN; /* another wrote this key just then */
    bool gone = px_str_eq(response->error, S("NoSuchUpload"));
    if (!gone && !(new_only && is_in_the_way(response)))
        return s3_refusal(s3, "PutObject in parts", response);
    if (!new_only) return PARTS_AGAIN;
    int r = is_own(s3, key, id, arena);
    return r == OBJECT_ABSENT ? PARTS_AGAIN : r;
}

/* One of file and bytes is given. Answers: OBJECT_EXISTS, PARTS_AGAIN. */
static int put_parts_once(struct s3_objects *s3, struct px_str key, struct px_str file,
                          struct px_str bytes, struct px_str class, bool new_only)
{
    PX_AUTO(px_arena_deinit) struct px_arena scratch;
    px_arena_init(&scratch, S3_SCRATCH_BYTES_MAX);
    struct cloud_transfers *transfers = NULL;
    struct put_text text;
    struct s3_request request = {.what = "PutObject"};
    struct cloud_transfer transfer = {.headers = request.headers,
                                      .deadline_ms = s3->options.transfer_ms};
    struct cloud_response response = {0};
    PX_TRY(s3_transfers(s3, &transfers));
    put_describe(s3, class, new_only, &text, &request);
    transfer.header_count = request.header_count;
    PX_TRY(s3_path(s3, key, &scratch, &transfer.path));
    int r = cloud_transfer_put(transfers, &transfer, file, bytes, &scratch, &response);
    if (r == CLOUD_REFUSED) return parts_refused(s3, key, new_only, text.id, &response, &scratch);
    PX_TRY(r);
    return 0;
}

static int put_parts(struct s3_objects *s3, struct px_str key, struct px_str file,
                     struct px_str bytes, struct px_str class, bool new_only)
{
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        int r = put_parts_once(s3, key, file, bytes, class, new_only);
        if (r != PARTS_AGAIN) return r;
    }
    return px_fault(PX_F_BUSY, "PutObject: others write this key all the time");
}

/* ---- what callers ask for ---- */

int s3_put(struct object_store *store, struct px_str key, struct px_str bytes)
{
    struct s3_objects *s3 = s3_of(store);
    if (bytes.len > s3->options.part_bytes)
        PX_TRY(put_parts(s3, key, S(""), bytes, S(""), false));
    else
        PX_TRY(put_whole(s3, key, bytes, S(""), false));
    return 0;
}

static int put_small_file(struct s3_objects *s3, struct px_str key, const char *path,
                          struct px_str class)
{
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    px_buf_init(&bytes, s3->options.part_bytes);
    int r = px_file_read(path, &bytes);
    if (r == PX_FILE_ABSENT || r == PX_FILE_TOO_LARGE)
        return px_fault(PX_F_IO, "%s changed while it was put", path);
    PX_TRY(r);
    return put_whole(s3, key, px_buf_str(&bytes), class, true);
}

/* A large file is not sent when there is an object already: it would be refused after all of it. */
static int put_large_file(struct s3_objects *s3, struct px_str key, struct px_str path,
                          struct px_str class)
{
    PX_AUTO(px_arena_deinit) struct px_arena scratch;
    px_arena_init(&scratch, S3_SCRATCH_BYTES_MAX);
    struct object_info info;
    int r = object_head(&s3->store, key, &scratch, &info);
    if (r == 0) return OBJECT_EXISTS;
    if (r != OBJECT_ABSENT) PX_TRY(r);
    return put_parts(s3, key, path, S(""), class, true);
}

int s3_put_file(struct object_store *store, struct px_str key, struct px_str local_path,
                struct px_str class)
{
    struct s3_objects *s3 = s3_of(store);
    char path[PATH_MAX];
    struct stat about;
    memcpy(path, local_path.ptr, local_path.len);
    path[local_path.len] = '\0';
    if (stat(path, &about) != 0) return px_fault_errno("stat %s", path);
    bool small = (uint64_t)about.st_size <= s3->options.part_bytes;
    int r = small ? put_small_file(s3, key, path, class)
                  : put_large_file(s3, key, local_path, class);
    if (r == OBJECT_EXISTS) return r;
    PX_TRY(r);
    if (unlink(path) != 0) return px_fault_errno("remove %s", path);
    return 0;
}
