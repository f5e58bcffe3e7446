/* cli/glyph.c - UTF-8 to glyphs. */
#include "cli/glyph.h"

#include <stdio.h>

struct range {
    uint32_t from, to;
};
/* Controls of C0 and C1, line and paragraph separators, marks of direction, the byte order mark. */
static const struct range hidden[] = {
    {0, 0x1f},        {0x7f, 0x9f},     {0x200b, 0x200b}, {0x200e, 0x200f},   {0x2028, 0x202e},
    {0x2066, 0x2069}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
};
/* Unicode's combining marks and joiners, as far as logs have them. */
static const struct range narrow[] = {
    {0x300, 0x36f}, {0x200c, 0x200d}, {0xfe00, 0xfe0f}, {0x1f3fb, 0x1f3ff}};
/* East Asian wide characters and emoji. */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
    {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd},
};

static bool is_in(uint32_t code, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i].from && code <= ranges[i].to) return true;
    return false;
}

/* Bytes of the character at the start and its code; 0: that byte begins no character. */
static size_t decode(struct px_str text, uint32_t *ret_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)text.ptr;
    size_t bytes = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    uint32_t code = bytes == 1 ? at[0] : at[0] & (0x7fu >> bytes);
    if ((at[0] >= 0x80 && at[0] < 0xc2) || at[0] > 0xf4 || bytes > text.len) return 0;
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < least[bytes] || surrogate || code > 0x10ffff) return 0;
    *ret_code = code;
    return bytes;
}

static struct glyph written_out(const char *format, uint32_t code, size_t bytes)
{
    struct glyph glyph = {.bytes = bytes};
    int n = snprintf(glyph.text, sizeof glyph.text, format, (unsigned)code);
    glyph.text_bytes = glyph.width = n > 0 ? (size_t)n : 0;
    return glyph;
}

static bool is_plain(char c) { return c >= 0x20 && c < 0x7f; }

struct glyph glyph_next(struct px_str text)
{
    if (is_plain(text.ptr[0]))
        return (struct glyph){.text = {text.ptr[0]}, .text_bytes = 1, .width = 1, .bytes = 1};
    uint32_t code = 0;
    size_t bytes = decode(text, &code);
    if (bytes == 0) return written_out("\\x%02x", (unsigned char)text.ptr[0], 1);
    if (code == '\n') return written_out("\\n", 0, 1);
    if (code == '\r') return written_out("\\r", 0, 1);
    if (code == '\t') return written_out("\\t", 0, 1);
    if (code < 0x80 && is_in(code, hidden, 2)) return written_out("\\x%02x", code, 1);
    if (is_in(code, hidden, PX_COUNT(hidden))) return written_out("\\u{%x}", code, bytes);
    struct glyph glyph = {.text_bytes = bytes, .width = 1, .bytes = bytes};
    memcpy(glyph.text, text.ptr, bytes);
    if (code >= narrow[0].from && is_in(code, narrow, PX_COUNT(narrow))) glyph.width = 0;
    if (code >= wide[0].from && glyph.width == 1 && is_in(code, wide, PX_COUNT(wide)))
        glyph.width = 2;
    return glyph;
}

void glyph_add(struct px_buf *to, struct px_str text, bool keep_lines)
{
    while (text.len > 0) {
        size_t plain = 0;
        while (plain < text.len &&
               (is_plain(text.ptr[plain]) || (keep_lines && text.ptr[plain] == '\n')))
            plain++;
        px_buf_add(to, text.ptr, plain);
        text = px_str_skip(text, plain);
        if (text.len == 0) return;
        struct glyph glyph = glyph_next(text);
        px_buf_add(to, glyph.text, glyph.text_bytes);
        text = px_str_skip(text, glyph.bytes);
    }
}

size_t glyph_width(struct px_str text)
{
    size_t width = 0;
    while (text.len > 0) {
        struct glyph glyph = glyph_next(text);
        width += glyph.width;
        text = px_str_skip(text, glyph.bytes);
    }
    return width;
}
