/* base/px_buf_text.c - JSON strings and base64 into a buffer. */
#include "base/px_buf.h"

#include <aws/common/encoding.h>

/* How many bytes of s, from its start, are one whole UTF-8 character (RFC 3629: no overlong forms,
 * no surrogates, at most U+10FFFF); 0 when they are not. */
static size_t utf8_char_bytes(struct px_str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    if (p[0] < 0x80) return 1;
    size_t n = p[0] >= 0xC2 && p[0] <= 0xDF   ? 2
               : p[0] >= 0xE0 && p[0] <= 0xEF ? 3
               : p[0] >= 0xF0 && p[0] <= 0xF4 ? 4
                                              : 0;
    if (n == 0 || n > s.len) return 0;
    unsigned char low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return n;
}

bool px_utf8_ok(struct px_str s)
{
    while (s.len > 0) {
        size_t n = utf8_char_bytes(s);
        if (n == 0) return false;
        s = px_str_skip(s, n);
    }
    return true;
}

static void add_control(struct px_buf *buf, unsigned char c)
{
    switch (c) {
    case '"': px_buf_add(buf, "\\\"", 2); return;
    case '\\': px_buf_add(buf, "\\\\", 2); return;
    case '\n': px_buf_add(buf, "\\n", 2); return;
    case '\r': px_buf_add(buf, "\\r", 2); return;
    case '\t': px_buf_add(buf, "\\t", 2); return;
    case '\b': px_buf_add(buf, "\\b", 2); return;
    case '\f': px_buf_add(buf, "\\f", 2); return;
    default: px_buf_printf(buf, "\\u%04x", c);
    }
}

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* Whether each of eight bytes is ASCII that stands for itself in a JSON string. The high bit of a byte of `x - EACH(n)` without
 * that of x says that it is below n, of which the lowest one is surely right and the others may be too many: enough for "none is". */
static bool eight_are_plain(const char *bytes)
{
    uint64_t x;
    memcpy(&x, bytes, sizeof x);
    uint64_t quote = x ^ EACH_BYTE('"'), backslash = x ^ EACH_BYTE('\\');
    uint64_t below = ((x - EACH_BYTE(0x20)) | (quote - EACH_BYTE(1)) | (backslash - EACH_BYTE(1)));
    return ((below | x) & EACH_BYTE(0x80)) == 0;
}

/* Bytes from the start of s that stand for themselves in a JSON string. */
static size_t plain_bytes(struct px_str s)
{
    size_t at = 0;
    while (at < s.len) {
        if (s.len - at >= 8 && eight_are_plain(s.ptr + at)) {
            at += 8;
            continue;
        }
        unsigned char c = (unsigned char)s.ptr[at];
        if (c < 0x20 || c == '"' || c == '\\') break;
        size_t n = c < 0x80 ? 1 : utf8_char_bytes(px_str_skip(s, at));
        if (n == 0) break;
        at += n;
    }
    return at;
}

void px_buf_add_json_str(struct px_buf *buf, struct px_str s)
{
    size_t plain = plain_bytes(s);
    char *room = plain == s.len ? px_buf_reserve(buf, plain + 2) : NULL;
    if (room) { /* nearly all are */
        room[0] = '"';
        if (plain > 0) memcpy(room + 1, s.ptr, plain);
        room[plain + 1] = '"';
        buf->len += plain + 2;
        return;
    }
    px_buf_add_char(buf, '"');
    for (; s.len > 0; plain = plain_bytes(s)) {
        px_buf_add(buf, s.ptr, plain);
        s = px_str_skip(s, plain);
        if (s.len == 0) break;
        unsigned char c = (unsigned char)s.ptr[0];
        if (c < 0x80)
            add_control(buf, c);
        else
            px_buf_add(buf, "\xEF\xBF\xBD", 3);
        s = px_str_skip(s, 1);
    }
    px_buf_add_char(buf, '"');
}

void px_buf_add_base64(struct px_buf *buf, struct px_str bytes)
{
    if (bytes.len == 0) return;
    size_t encoded_bytes = 0;
    if (aws_base64_compute_encoded_len(bytes.len, &encoded_bytes) != AWS_OP_SUCCESS) {
        buf->fault = px_fault(PX_F_LIMIT, "base64 of %zu bytes", bytes.len);
        return;
    }
    char *room = px_buf_reserve(buf, encoded_bytes);
    if (!room) return;
    struct aws_byte_cursor in = aws_byte_cursor_from_array(bytes.ptr, bytes.len);
    struct aws_byte_buf out = aws_byte_buf_from_empty_array(room, encoded_bytes);
    int result = aws_base64_encode(&in, &out);
    PX_ASSERT(result == AWS_OP_SUCCESS);
    buf->len += out.len;
}
