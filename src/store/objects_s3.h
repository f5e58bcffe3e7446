/* store/objects_s3.h - what the files of the S3 half share. Inside store only. */
#pragma once

#include <pthread.h>

#include "aws/client.h"
#include "aws/shared.h"
#include "aws/transfer.h"
#include "store/objects_half.h"

#define S3_PUT_ID_BYTES 32 /* hex digits */
#define S3_HEADERS_MAX 8
#define S3_SCRATCH_BYTES_MAX ((size_t)16 << 20) /* of one call, beside an object's bytes */

struct s3_objects {
    struct object_store store; /* first: the header's functions know only this */
    struct cloud_shared own;   /* where nobody shares */
    struct cloud *cloud;
    struct cloud_client *client;
    struct object_options options; /* with the defaults filled in */
    char *text;                    /* what follows points into it */
    struct px_str bucket, prefix, kms_key, region;
    char *temp;
    pthread_mutex_t lock;
    struct cloud_transfers *transfers; /* made for the first large object */
};
static inline struct s3_objects *s3_of(struct object_store *store)
{
    return (struct s3_objects *)store;
}

struct s3_request {
    const char *what, *method;
    struct px_str key;   /* without the prefix; empty: the bucket */
    struct px_str query; /* encoded, without '?' */
    struct cloud_header headers[S3_HEADERS_MAX];
    size_t header_count;
    struct px_str body;
    size_t body_bytes_max; /* of the answer; 0: 1 MiB */
    bool may_be_larger;
};
void s3_header(struct s3_request *request, struct px_str name, struct px_str value);
/* The path, encoded. Faults: PX_F_LIMIT for a key that S3 does not take. */
PX_MUST_USE int s3_path(const struct s3_objects *s3, struct px_str key, struct px_arena *arena,
                        struct px_str *ret_path);
/* Answers: as cloud_call(). */
PX_MUST_USE int s3_call(const struct s3_objects *s3, const struct s3_request *request,
                        struct px_arena *arena, struct cloud_response *ret_response);
/* The fault for a refusal that no operation knows; OBJECT_ABSENT for a missing key. */
PX_MUST_USE int s3_refusal(const struct s3_objects *s3, const char *what,
                           const struct cloud_response *response);
PX_MUST_USE int s3_transfers(struct s3_objects *s3, struct cloud_transfers **ret_transfers);

PX_MUST_USE int s3_put(struct object_store *store, struct px_str key, struct px_str bytes);
/* In one request, replacing what there is; for other files of this half. */
PX_MUST_USE int s3_put_whole(struct s3_objects *s3, struct px_str key, struct px_str bytes,
                             struct px_str class);
PX_MUST_USE int s3_put_file(struct object_store *store, struct px_str key, struct px_str local_path,
                            struct px_str class);
PX_MUST_USE int s3_get(struct object_store *store, struct px_str key, struct px_buf *buf);
PX_MUST_USE int s3_read(struct object_store *store, struct px_str key, object_piece *piece,
                        void *ctx);
PX_MUST_USE int s3_copy(struct object_store *from, struct px_str from_key, struct object_store *to,
                        struct px_str to_key, struct px_str class);
PX_MUST_USE int s3_list(struct object_store *store, struct px_str prefix, struct px_str after,
                        size_t max, struct px_arena *arena, struct object_info **ret_infos,
                        size_t *ret_count);
