/* base/px_id.h - random bytes and identifiers. */
#pragma once

#include "base/px.h"

/* From the kernel's generator (getrandom(2)); never fails once the system has booted. */
void px_random(void *bytes, size_t n);
uint64_t px_random_u64(void);
/* Bytes of the kernel's generator in stock, for whoever names many things: a call of it costs as much as the rest
 * of an identifier. Zeroed is empty. Not for secrets, which would lie in memory before they are made. */
struct px_random_stock {
    size_t left;
    unsigned char bytes[1024];
};
/* stock NULL: px_random(). */
void px_random_from(struct px_random_stock *stock, void *bytes, size_t n);
/* UUIDv7 (RFC 9562 section 5.7): sortable by time; 36 characters and a NUL into buf[37]. */
void px_uuid7(int64_t wall_ns, char buf[37]);
void px_uuid7_from(struct px_random_stock *stock, int64_t wall_ns, char buf[37]);
/* Lower-case hex of n bytes into out, 2n characters and a NUL. */
void px_hex(const void *bytes, size_t n, char *out);
/* The reverse; false when text is not exactly 2n hex digits. */
PX_MUST_USE bool px_unhex(struct px_str text, void *ret_bytes, size_t n);
/* Without early exit, so that time tells nothing about where two secrets differ. */
bool px_secret_eq(struct px_str a, struct px_str b);
