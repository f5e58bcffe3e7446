/* store/hot_format.h - the bytes of a hot file, for the two halves of the hot store and its tests.
 *
 * Every checksum is CRC-32C seeded with the file's place (tenant, dataset, writer, number). A frame is
 * therefore valid in its own file only: neither bytes of another file nor a payload made to look
 * like a frame is ever taken for one. */
#pragma once

#include "store/hot.h"

#define HOT_FILE_MAGIC UINT64_C(0x544F484D53495250) /* "PRISMHOT" */
#define HOT_FRAME_MAGIC UINT32_C(0x4D524648)        /* "HFRM" */
#define HOT_VERSION 1u

struct hot_file_header {
    uint64_t magic;
    uint32_t version;
    uint32_t header_bytes;
    char writer[HOT_WRITER_LEN];
    uint32_t file_no;
    uint32_t place_crc;
    uint32_t header_crc; /* of the bytes before it */
};
static_assert(sizeof(struct hot_file_header) == 64, "on-disk size");

struct hot_frame_header {
    uint32_t magic;
    uint32_t version;
    uint64_t seq;
    uint64_t payload_bytes;
    uint32_t payload_crc;
    uint32_t header_crc; /* of the bytes before it */
};
static_assert(sizeof(struct hot_frame_header) == 32, "on-disk size");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the structs are the bytes on disk");

/* The seed of every checksum in the file. */
uint32_t hot_place_crc(struct px_str tenant, struct px_str dataset, struct px_str writer,
                       uint32_t file_no);
struct hot_file_header hot_file_header_make(struct px_str writer, uint32_t file_no,
                                            uint32_t place_crc);
bool hot_file_header_is_valid(const struct hot_file_header *header, uint32_t place_crc);

struct hot_frame_header hot_frame_header_make(uint64_t seq, const struct px_str *parts,
                                              size_t n_parts, uint32_t place_crc);
/* Says nothing of the payload yet. */
bool hot_frame_header_is_valid(const struct hot_frame_header *header, uint32_t place_crc);
uint32_t hot_payload_crc(struct px_str payload, uint32_t place_crc);

/* Zero bytes behind a payload, so that frames begin at multiples of 8. */
static inline size_t hot_pad_bytes(uint64_t payload_bytes) { return (size_t)(-payload_bytes & 7u); }
static inline uint64_t hot_frame_bytes(uint64_t payload_bytes)
{
    return sizeof(struct hot_frame_header) + payload_bytes + hot_pad_bytes(payload_bytes);
}

/* "<writer>-<file_no>.wal" into name (at least HOT_NAME_BYTES); the reverse is false for any other. */
#define HOT_NAME_BYTES 64
void hot_name_make(struct px_str writer, uint32_t file_no, char *name);
PX_MUST_USE bool hot_name_parse(struct px_str name, struct px_str *ret_writer,
                                uint32_t *ret_file_no);
