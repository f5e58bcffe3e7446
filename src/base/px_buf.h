/* base/px_buf.h - a growable byte buffer with a ceiling, owned by its holder.
 *
 * Appends cannot be ignored half-way: the first that fails marks the buffer bad, later ones do
 * nothing, and the holder asks once at the end with px_buf_fault(). */
#pragma once

#include "base/px.h"

struct px_buf {
    char *ptr;
    size_t len, cap;
    size_t limit_bytes;
    int fault; /* 0, PX_F_OOM or PX_F_LIMIT */
};

void px_buf_init(struct px_buf *buf, size_t limit_bytes);
void px_buf_deinit(struct px_buf *buf);
/* Overwritten first: for what held secrets. */
void px_buf_deinit_wiped(struct px_buf *buf);
static inline void px_buf_clear(struct px_buf *buf)
{
    buf->len = 0;
    buf->fault = 0;
}
static inline struct px_str px_buf_str(const struct px_buf *buf)
{
    return (struct px_str){buf->ptr, buf->len};
}
static inline int px_buf_fault(const struct px_buf *buf) { return buf->fault; }

/* Room for `more` bytes behind len; NULL when the buffer is or becomes bad. */
char *px_buf_reserve(struct px_buf *buf, size_t more);
void px_buf_add(struct px_buf *buf, const void *bytes, size_t n);
static inline void px_buf_add_str(struct px_buf *buf, struct px_str s)
{
    px_buf_add(buf, s.ptr, s.len);
}
static inline void px_buf_add_c(struct px_buf *buf, const char *c)
{
    px_buf_add(buf, c, strlen(c));
}
void px_buf_add_char(struct px_buf *buf, char c);
void px_buf_add_i64(struct px_buf *buf, int64_t n);
/* A number that is not negative, below 2^50 and finite, to three digits behind the point; others become 0. */
void px_buf_add_milli(struct px_buf *buf, double value);
void px_buf_printf(struct px_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Whether all of s is UTF-8 (RFC 3629). */
bool px_utf8_ok(struct px_str s);
/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void px_buf_add_json_str(struct px_buf *buf, struct px_str s);
/* Base64 with padding (RFC 4648 section 4). */
void px_buf_add_base64(struct px_buf *buf, struct px_str bytes);
