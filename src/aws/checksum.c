/* aws/checksum.c - CRCs as S3 writes them: big-endian, base64; docs: checksum.h. */
#include "aws/checksum.h"

#include <aws/checksums/crc.h>
#include <aws/common/encoding.h>

static void to_text(uint64_t crc, size_t bytes, char ret_text[CLOUD_CHECKSUM_BYTES])
{
    uint8_t raw[8];
    for (size_t i = 0; i < bytes; i++) raw[i] = (uint8_t)(crc >> (8 * (bytes - 1 - i)));
    struct aws_byte_cursor in = aws_byte_cursor_from_array(raw, bytes);
    struct aws_byte_buf out = aws_byte_buf_from_empty_array(ret_text, CLOUD_CHECKSUM_BYTES);
    int r = aws_base64_encode(&in, &out);
    PX_ASSERT(r == 0 && out.len < CLOUD_CHECKSUM_BYTES);
    ret_text[out.len] = '\0';
}

void cloud_checksum(struct px_str bytes, char ret_text[CLOUD_CHECKSUM_BYTES])
{
    to_text(aws_checksums_crc64nvme_ex((const uint8_t *)bytes.ptr, bytes.len, 0), 8, ret_text);
}

bool cloud_checksum_fits(struct px_str bytes, struct px_str header, struct px_str value)
{
    char text[CLOUD_CHECKSUM_BYTES];
    const uint8_t *data = (const uint8_t *)bytes.ptr;
    if (value.len > 0 && memchr(value.ptr, '-', value.len)) return true;
    if (px_str_ieq(header, S("x-amz-checksum-crc64nvme")))
        cloud_checksum(bytes, text);
    else if (px_str_ieq(header, S("x-amz-checksum-crc32c")))
        to_text(aws_checksums_crc32c_ex(data, bytes.len, 0), 4, text);
    else if (px_str_ieq(header, S("x-amz-checksum-crc32")))
        to_text(aws_checksums_crc32_ex(data, bytes.len, 0), 4, text);
    else
        return true;
    return px_str_eq(value, px_str_c(text));
}
