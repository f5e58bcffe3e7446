/* aws/checksum.h - checksums of objects, in the headers that S3 has for them. Inside aws and the stores
 * that use it. */
#pragma once

#include "base/px.h"

#define CLOUD_CHECKSUM_BYTES 13 /* base64 of 64 bits, and a NUL */

/* The value of x-amz-checksum-crc64nvme, S3's own choice where nobody asks for another. */
void cloud_checksum(struct px_str bytes, char ret_text[CLOUD_CHECKSUM_BYTES]);
/* Of a header x-amz-checksum-<name>: false when the bytes have another; true also for a name that is not
 * known, and for one of parts ("<base64>-<count>"), which says nothing of the whole. */
PX_MUST_USE bool cloud_checksum_fits(struct px_str bytes, struct px_str header,
                                     struct px_str value);
