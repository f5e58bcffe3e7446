/* store/objects_s3_get.c - gets; docs: objects.h.
 *
 * One request gets a small object whole. A large one is recognised by the head of that request's answer,
 * whose body is not waited for; it then comes in parts, all of that very version. */
#include "aws/checksum.h"
#include "store/objects_s3.h"

#define TURNS_MAX 4 /* of a large object that is replaced meanwhile */
#define REFUSAL_BYTES_MAX ((size_t)64 << 10)

static size_t room_of(const struct px_buf *buf) { return buf->limit_bytes - buf->len; }

enum get_answer { GET_AGAIN = 100 }; /* beside object_answer */

/* whole: the head of the object's answer. */
static int get_parts(struct s3_objects *s3, struct px_str key, const struct cloud_response *whole,
                     struct px_buf *buf, struct px_arena *arena)
{
    uint64_t bytes = 0;
    if (!px_str_to_u64(cloud_response_header(whole, S("Content-Length")), &bytes))
        return px_fault(PX_F_PROTOCOL, "GetObject: no length");
    if (bytes > room_of(buf)) return OBJECT_TOO_LARGE;
    struct cloud_header version = {S("If-Match"), cloud_response_header(whole, S("ETag"))};
    struct cloud_transfer transfer = {
        .headers = &version, .header_count = 1, .deadline_ms = s3->options.transfer_ms};
    struct px_str checksum = cloud_response_header(whole, S("x-amz-checksum-crc64nvme"));
    if (checksum.len + 1 != CLOUD_CHECKSUM_BYTES) checksum = S(""); /* of parts, or none */
    struct cloud_transfers *transfers = NULL;
    struct cloud_response response = {0};
    PX_TRY(s3_transfers(s3, &transfers));
    PX_TRY(s3_path(s3, key, arena, &transfer.path));
    int r = cloud_transfer_get(transfers, &transfer, bytes, checksum, buf, arena, &response);
    if (r == CLOUD_REFUSED && response.status == 412) return GET_AGAIN;
    if (r == CLOUD_REFUSED) return s3_refusal(s3, "GetObject", &response);
    PX_TRY(r);
    return 0;
}

static int get_once(struct s3_objects *s3, struct px_str key, struct px_buf *buf)
{
    PX_AUTO(px_arena_deinit) struct px_arena scratch;
    size_t whole_max = PX_MIN(room_of(buf), s3->options.part_bytes);
    whole_max = PX_MAX(whole_max, REFUSAL_BYTES_MAX);
    px_arena_init(&scratch, S3_SCRATCH_BYTES_MAX + whole_max);
    struct s3_request request = {.what = "GetObject",
                                 .method = "GET",
                                 .key = key,
                                 .body_bytes_max = whole_max,
                                 .may_be_larger = true};
    s3_header(&request, S("x-amz-checksum-mode"), S("ENABLED"));
    struct cloud_response response = {0};
    int r = s3_call(s3, &request, &scratch, &response);
    if (r == CLOUD_REFUSED) return s3_refusal(s3, request.what, &response);
    if (r == CLOUD_TOO_LARGE) return get_parts(s3, key, &response, buf, &scratch);
    PX_TRY(r);
    if (response.body.len > room_of(buf)) return OBJECT_TOO_LARGE;
    px_buf_add_str(buf, response.body);
    PX_TRY(px_buf_fault(buf));
    return 0;
}

int s3_get(struct object_store *store, struct px_str key, struct px_buf *buf)
{
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        int r = get_once(s3_of(store), key, buf);
        if (r != GET_AGAIN) return r;
    }
    return px_fault(PX_F_BUSY, "GetObject: the object is replaced all the time");
}
