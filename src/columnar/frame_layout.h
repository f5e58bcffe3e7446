/* columnar/frame_layout.h - numbers of the frame format, for its writer and its reader.
 * docs/design/frame.md describes what they mean. On disk: never renumber. */
#pragma once

#include "columnar/frame.h"

#define FRAME_MAGIC UINT32_C(0x31465850) /* "PXF1" */
#define FRAME_VERSION 1

/* Ceilings a reader insists on before it allocates. */
#define FRAME_ROWS_MAX (1u << 22)
#define FRAME_COLUMNS_MAX 65536u
#define FRAME_BLOCK_RAW_MAX ((uint32_t)512 << 20)

struct frame_disk_header {
    uint32_t magic;
    uint16_t version, header_bytes;
    uint32_t rows, columns;
    int64_t time_min_us, time_max_us;
    int64_t accepted_ns;
    uint8_t request_id[16];
    uint32_t directory_bytes, reserved;
};
static_assert(sizeof(struct frame_disk_header) == 64, "on-disk size");

struct frame_disk_column { /* followed by the name */
    uint16_t name_bytes;
    uint8_t type, encoding, codec, flags;
    uint16_t reserved;
    uint32_t block_bytes, raw_bytes;
};
static_assert(sizeof(struct frame_disk_column) == 16, "on-disk size");

enum frame_codec { FRAME_STORED = 0, FRAME_ZSTD = 1 };
enum frame_flags {
    FRAME_HAS_NULLS = 1, /* the block begins with a bitmap of rows, (rows + 7) / 8 bytes */
    FRAME_BIG_INTS = 2,  /* INT: a value is beyond 2^53, so DOUBLE may not hold it */
    FRAME_FLAGS_ALL = 3,
};
enum frame_encoding {
    FRAME_BITS = 1,    /* BOOL: one bit a value */
    FRAME_INTS = 2,    /* INT, TIME: pack.h */
    FRAME_DECIMAL = 3, /* DOUBLE: power of ten u8, then integers; value = integer / 10^power */
    FRAME_DOUBLES = 4, /* DOUBLE: its 64 bits as integers */
    FRAME_TEXT = 5,    /* lengths, then the bytes */
    FRAME_DICT = 6,    /* entries u32, their lengths, their bytes, then codes */
    FRAME_HEX = 7, /* STRING of one even length, lower-case hex: length u8, then half the bytes */
};
#define FRAME_DECIMAL_POWER_MAX 12
static const double frame_powers_of_ten[FRAME_DECIMAL_POWER_MAX + 1]
    __attribute__((unused)) = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

/* The fault for a NULL from this arena; said so that the compiler knows that it is never 0. */
#define frame_no_room(arena) px_is_fault_(px_arena_fault(arena))
