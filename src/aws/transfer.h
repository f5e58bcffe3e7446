/* aws/transfer.h - large objects to and from S3: in parts, several at once, by aws-c-s3.
 *
 * Small ones go by cloud_call(), which is quicker for one request and has one budget for retries and one
 * deadline with all other calls (docs/design/aws.md has the figures). Parts are tried again by
 * aws-c-s3 itself, and an upload that fails is aborted, so that no parts stay behind. */
#pragma once

#include "aws/client.h"
#include "base/px_buf.h"

struct cloud_transfers; /* opaque; two threads live in it */
struct cloud_transfers_options {
    struct px_str url;        /* cloud_client_url() of the bucket's client */
    uint64_t part_bytes;      /* 5 MiB at least, S3's limit; 0: 8 MiB */
    uint32_t connections_max; /* also parts at once; 0: 8 */
    uint32_t silence_ms;      /* a connection on which nothing moves is given up; 0: 5000 */
};
/* cloud is borrowed and outlives it. Faults: PX_F_CONFIG, PX_F_OOM. */
PX_MUST_USE int cloud_transfers_new(struct cloud *cloud,
                                    const struct cloud_transfers_options *options,
                                    struct cloud_transfers **ret_transfers);
/* Waits for transfers that went on after their deadline to be cancelled. */
void cloud_transfers_free(struct cloud_transfers **transfers);

struct cloud_transfer {
    struct px_str path; /* encoded once */
    const struct cloud_header *headers;
    size_t header_count;
    uint32_t deadline_ms; /* 0: two minutes */
};
/* An upload in parts of a local file, or of bytes where `file` is empty (they are copied).
 * Answers: CLOUD_REFUSED; ret_response has its status and error. Faults: as cloud_call(), and PX_F_IO
 * for a file that cannot be read. */
PX_MUST_USE int cloud_transfer_put(struct cloud_transfers *transfers,
                                   const struct cloud_transfer *transfer, struct px_str file,
                                   struct px_str bytes, struct px_arena *arena,
                                   struct cloud_response *ret_response);
/* A download of exactly `bytes` bytes, appended to buf, which has room for them.
 *   checksum   what x-amz-checksum-crc64nvme says of the whole object; empty: not checked
 * Answers: CLOUD_REFUSED. Faults: as above; PX_F_UNAVAILABLE also for a wrong checksum. */
PX_MUST_USE int cloud_transfer_get(struct cloud_transfers *transfers,
                                   const struct cloud_transfer *transfer, uint64_t bytes,
                                   struct px_str checksum, struct px_buf *buf,
                                   struct px_arena *arena, struct cloud_response *ret_response);
