/* asl/unpack.c - see unpack.h. Several members of gzip (RFC 1952), or frames of zstd (RFC 8878), behind one another are one text. */
#include "asl/unpack.h"

#include <libdeflate.h>
#include <zstd.h>

#include "base/px_buf.h"

#define ROOM_BYTES ((size_t)64 << 10)

static bool begins(struct px_str text, const char *magic, size_t bytes)
{
    return text.len > bytes && memcmp(text.ptr, magic, bytes) == 0;
}
static bool is_gzip(struct px_str text) { return begins(text, "\x1f\x8b", 2); }
static bool is_zstd(struct px_str text) { return begins(text, "\x28\xb5\x2f\xfd", 4); }

/* A buffer that is full is a text that is too large; without memory it is a fault. */
static int no_room(const struct px_buf *out)
{
    int r = px_buf_fault(out);
    return r == PX_F_LIMIT ? ASL_UNPACK_BAD : r;
}

/* One member; its length in ret_in. Rooms are doubled, since a member does not say what it holds. */
static int add_member(struct libdeflate_decompressor *decompressor, struct px_str text,
                      size_t bytes_max, struct px_buf *out, size_t *ret_in)
{
    size_t left = bytes_max - out->len;
    for (size_t room = PX_MIN(PX_MAX(text.len * 4, ROOM_BYTES), left);;
         room = PX_MIN(room * 2, left)) {
        size_t produced = 0;
        char *at = px_buf_reserve(out, room);
        if (!at) return no_room(out);
        enum libdeflate_result result = libdeflate_gzip_decompress_ex(
            decompressor, text.ptr, text.len, at, room, ret_in, &produced);
        if (result == LIBDEFLATE_SUCCESS) {
            out->len += produced;
            return 0;
        }
        if (result != LIBDEFLATE_INSUFFICIENT_SPACE || room == left) return ASL_UNPACK_BAD;
    }
}

/* What stands behind the last member and is none is passed over, as gzip itself does. */
static int gunzip(struct px_str text, size_t bytes_max, struct px_buf *out)
{
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    int r = decompressor ? 0 : px_fault(PX_F_OOM, "a decompressor");
    while (r == 0 && is_gzip(text)) {
        size_t in = 0;
        r = add_member(decompressor, text, bytes_max, out, &in);
        text = px_str_skip(text, in);
    }
    libdeflate_free_decompressor(decompressor);
    return r;
}

static int unzstd_into(ZSTD_DStream *stream, struct px_str text, size_t bytes_max,
                       struct px_buf *out)
{
    ZSTD_inBuffer in = {text.ptr, text.len, 0};
    size_t left = 0;
    do {
        size_t room = PX_MIN(ROOM_BYTES, bytes_max + 1 - out->len);
        char *at = px_buf_reserve(out, room);
        if (!at) return no_room(out);
        ZSTD_outBuffer to = {at, room, 0};
        left = ZSTD_decompressStream(stream, &to, &in);
        out->len += to.pos;
        bool stuck = to.pos == 0 && in.pos == in.size && left != 0; /* it was cut off */
        if (ZSTD_isError(left) || stuck || out->len > bytes_max) return ASL_UNPACK_BAD;
    } while (left != 0 || in.pos < in.size);
    return 0;
}

static int unzstd(struct px_str text, size_t bytes_max, struct px_buf *out)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    int r = stream ? unzstd_into(stream, text, bytes_max, out)
                   : px_fault(PX_F_OOM, "a decompressor");
    (void)ZSTD_freeDStream(stream);
    return r;
}

int asl_unpack(struct px_str text, size_t bytes_max, struct px_arena *arena,
               struct px_str *ret_text)
{
    PX_AUTO(px_buf_deinit) struct px_buf out = {0};
    *ret_text = text;
    if (!is_gzip(text) && !is_zstd(text)) return 0;
    px_buf_init(&out, bytes_max + 1);
    int r = is_gzip(text) ? gunzip(text, bytes_max, &out) : unzstd(text, bytes_max, &out);
    if (r != 0) return r;
    struct px_str plain = px_arena_dup(arena, px_buf_str(&out));
    if (!plain.ptr) return px_arena_fault(arena);
    *ret_text = plain;
    return 0;
}
