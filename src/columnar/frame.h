/* columnar/frame.h - a batch as bytes: the payload of one hot frame.
 *
 * A fixed header, a column directory, then one independently compressed block per column, so that
 * a reader touches only the columns that it wants. Little endian; docs/design/frame.md has the
 * layout and the measurements behind each encoding. The hot store checksums the whole payload; a
 * frame is nevertheless decoded without trust, so that arbitrary bytes give PX_F_CORRUPT and
 * nothing worse. */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "columnar/batch.h"
#include "columnar/type.h"

struct frame_header {
    uint32_t rows, columns;
    int64_t time_min_us, time_max_us;
    int64_t accepted_ns;    /* wall time at acceptance; orders first sight of a field's type */
    uint8_t request_id[16]; /* hash of the idempotency key; all zero when there was none */
};
/* Append the encoded batch to buf, or nothing. request_id may be NULL: none. */
PX_MUST_USE int frame_encode(const struct batch *batch, int64_t accepted_ns,
                             const uint8_t request_id[16], struct px_buf *buf);

struct frame_column {
    struct px_str name; /* in the frame's bytes */
    enum col_type type;
    bool has_nulls;
    uint32_t block_offset, block_bytes; /* compressed, in the payload */
    uint32_t raw_bytes;                 /* decompressed */
    uint8_t encoding, codec;            /* frame_layout.h's business */
    bool has_big_ints;                  /* INT with a value beyond 2^53 */
};
struct frame {
    struct frame_header header;
    const struct frame_column *columns; /* in the arena of frame_open */
    struct px_str payload;              /* borrowed */
    const uint32_t *slots;              /* index over the names, see names.h */
    uint32_t slot_count;
};
/* Read header and directory. payload is borrowed for as long as the frame is used. */
PX_MUST_USE int frame_open(struct px_str payload, struct px_arena *arena, struct frame *ret_frame);
int frame_find(const struct frame *frame, struct px_str name); /* ASCII case folded; -1 */

/* One column decoded, as arrays of header.rows values. */
struct frame_values {
    enum col_type type;
    uint32_t dict_count;
    const uint64_t *validity; /* bit i set: row i has a value; NULL: all have */
    union {
        const uint8_t *b;
        const int64_t *i; /* INT, TIME */
        const double *d;
        const struct px_str *s; /* STRING, JSON, MIXED */
    };
    /* STRING with few distinct values: s[i] == dict[codes[i]]; then s may be NULL */
    const struct px_str *dict;
    const uint32_t *codes;
};
/* Decode into arena (scratch of about raw_bytes plus 24 bytes a row). s is always filled unless the
 * column is a dictionary, where dict and codes are filled instead. Faults: PX_F_CORRUPT. */
PX_MUST_USE int frame_read_column(const struct frame *frame, uint32_t column,
                                  struct px_arena *arena, struct frame_values *ret_values);
