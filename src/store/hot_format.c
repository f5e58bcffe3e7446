/* store/hot_format.c - making and checking the headers of a hot file. */
#include "store/hot_format.h"

#include <stdio.h>

#include <aws/checksums/crc.h>

static uint32_t crc_of(const void *bytes, size_t n, uint32_t seed)
{
    return n == 0 ? seed : aws_checksums_crc32c_ex(bytes, n, seed);
}

uint32_t hot_place_crc(struct px_str tenant, struct px_str dataset, struct px_str writer,
                       uint32_t file_no)
{
    uint32_t crc = crc_of(tenant.ptr, tenant.len, 0);
    crc = crc_of("/", 1, crc);
    crc = crc_of(dataset.ptr, dataset.len, crc);
    crc = crc_of("/", 1, crc);
    crc = crc_of(writer.ptr, writer.len, crc);
    return crc_of(&file_no, sizeof file_no, crc);
}

struct hot_file_header hot_file_header_make(struct px_str writer, uint32_t file_no,
                                            uint32_t place_crc)
{
    PX_ASSERT(writer.len == HOT_WRITER_LEN);
    struct hot_file_header header = {.magic = HOT_FILE_MAGIC,
                                     .version = HOT_VERSION,
                                     .header_bytes = sizeof header,
                                     .file_no = file_no,
                                     .place_crc = place_crc};
    memcpy(header.writer, writer.ptr, sizeof header.writer);
    header.header_crc = crc_of(&header, offsetof(struct hot_file_header, header_crc), place_crc);
    return header;
}

bool hot_file_header_is_valid(const struct hot_file_header *header, uint32_t place_crc)
{
    return header->magic == HOT_FILE_MAGIC && header->version == HOT_VERSION &&
           header->place_crc == place_crc &&
           header->header_crc ==
               crc_of(header, offsetof(struct hot_file_header, header_crc), place_crc);
}

static uint32_t frame_header_crc(const struct hot_frame_header *header, uint32_t place_crc)
{
    return crc_of(header, offsetof(struct hot_frame_header, header_crc), place_crc);
}

struct hot_frame_header hot_frame_header_make(uint64_t seq, const struct px_str *parts,
                                              size_t n_parts, uint32_t place_crc)
{
    struct hot_frame_header header = {
        .magic = HOT_FRAME_MAGIC, .version = HOT_VERSION, .seq = seq, .payload_crc = place_crc};
    for (size_t i = 0; i < n_parts; i++) {
        header.payload_bytes += parts[i].len;
        header.payload_crc = crc_of(parts[i].ptr, parts[i].len, header.payload_crc);
    }
    header.header_crc = frame_header_crc(&header, place_crc);
    PX_ASSERT(hot_frame_header_is_valid(&header, place_crc));
    return header;
}

bool hot_frame_header_is_valid(const struct hot_frame_header *header, uint32_t place_crc)
{
    return header->magic == HOT_FRAME_MAGIC && header->version == HOT_VERSION && header->seq > 0 &&
           header->payload_bytes <= HOT_PAYLOAD_BYTES_MAX &&
           header->header_crc == frame_header_crc(header, place_crc);
}

uint32_t hot_payload_crc(struct px_str payload, uint32_t place_crc)
{
    return crc_of(payload.ptr, payload.len, place_crc);
}

void hot_name_make(struct px_str writer, uint32_t file_no, char *name)
{
    int n = snprintf(name, HOT_NAME_BYTES, "%.*s-%06u.wal", PX_FMT(writer), file_no);
    PX_ASSERT(n > 0 && n < HOT_NAME_BYTES);
}

bool hot_name_parse(struct px_str name, struct px_str *ret_writer, uint32_t *ret_file_no)
{
    if (!px_str_ends(name, S(".wal")) || name.len < HOT_WRITER_LEN + 1 + 4) return false;
    if (name.ptr[0] == '.' || name.ptr[HOT_WRITER_LEN] != '-') return false;
    struct px_str digits = px_str_skip(px_str(name.ptr, name.len - 4), HOT_WRITER_LEN + 1);
    uint64_t file_no;
    if (!px_str_to_u64(digits, &file_no) || file_no == 0 || file_no > UINT32_MAX) return false;
    *ret_writer = px_str(name.ptr, HOT_WRITER_LEN);
    *ret_file_no = (uint32_t)file_no;
    return true;
}
