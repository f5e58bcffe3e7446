/* columnar/pack.h - integers in as few bytes as their range needs: the inside of frame blocks.
 *
 * Packed: mode u8, width u8 (0..8), base i64, for PACK_DELTA first i64, then `width` planes of one
 * byte a value: all lowest bytes, then all second bytes. Values (or their differences) minus base
 * are what the planes hold, modulo 2^64. Planes make a constant high byte cost nothing after
 * compression and decode without branches. All equal: width 0, no planes. Little endian. */
#pragma once

#include "base/px_buf.h"

enum pack_mode { PACK_OFFSET = 0, PACK_DELTA = 1 };

/* Append the packed form to buf; whether that worked is asked of buf. n may be 0. */
void pack_i64(const int64_t *values, uint32_t n, struct px_buf *buf);
void pack_u32(const uint32_t *values, uint32_t n, struct px_buf *buf);
/* Take n packed integers off the front of *rest. False, with ret_values in any state, when *rest is
 * not a packed run, or for u32 a value does not fit. */
PX_MUST_USE bool unpack_i64(struct px_str *rest, uint32_t n, int64_t *ret_values);
PX_MUST_USE bool unpack_u32(struct px_str *rest, uint32_t n, uint32_t *ret_values);
/* Copy n bytes off the front of *rest; false when there are fewer. */
static inline bool take_bytes(struct px_str *rest, void *into, size_t n)
{
    if (rest->len < n) return false;
    memcpy(into, rest->ptr, n);
    *rest = px_str_skip(*rest, n);
    return true;
}
