/* svc/ingest/decode_content.c - Content-Encoding undone with a ceiling.
 *
 * gzip and deflate are inflated whole by libdeflate into a buffer sized by what the stream says of
 * itself: gzip's last four bytes are its size, which is a hint and may lie. A hint too small costs
 * another pass over a doubled buffer, so the work stays below twice the ceiling; one too large
 * reserves address space that is never touched. zstd runs as a stream with the 8 MiB window that
 * RFC 9659 allows for this content coding. */
#include "svc/ingest/decode.h"

#include <libdeflate.h>
#include <zstd.h>

#define ZSTD_WINDOW_LOG_MAX 23
#define GROW_BYTES_MIN (64u * 1024u)

enum coding { CODING_NONE, CODING_GZIP, CODING_DEFLATE, CODING_ZSTD, CODING_UNKNOWN };

static enum coding coding_of(struct px_str name)
{
    static const struct {
        const char *name;
        enum coding coding;
    } codings[] = {{"identity", CODING_NONE},
                   {"gzip", CODING_GZIP},
                   {"x-gzip", CODING_GZIP},
                   {"zstd", CODING_ZSTD},
                   {"deflate", CODING_DEFLATE}};
    name = px_str_trim(name);
    if (name.len == 0) return CODING_NONE;
    for (size_t i = 0; i < PX_COUNT(codings); i++)
        if (px_str_ieq(name, px_str_c(codings[i].name))) return codings[i].coding;
    return CODING_UNKNOWN;
}

static int too_large(size_t bytes_max, struct px_where *ret_where)
{
    px_where_set(ret_where, 0, NULL, "at most %zu bytes after decompression", bytes_max);
    return DECODE_TOO_LARGE;
}

static int broken(const char *coding, size_t offset, struct px_where *ret_where)
{
    px_where_set(ret_where, offset, NULL, "a valid %s stream, which breaks off or is damaged here",
                 coding);
    return DECODE_INVALID;
}

/* ---- gzip, deflate ---- */

struct inflater {
    struct libdeflate_decompressor *decompressor;
    enum coding coding;
    struct px_buf *out;
    size_t bytes_max;
};

static void inflater_deinit(struct inflater *inflater)
{
    if (inflater->decompressor) libdeflate_free_decompressor(inflater->decompressor);
}

static enum libdeflate_result inflate_into(const struct inflater *inflater, struct px_str in,
                                           size_t room, size_t *ret_in, size_t *ret_out)
{
    char *out = inflater->out->ptr + inflater->out->len;
    struct libdeflate_decompressor *d = inflater->decompressor;
    if (inflater->coding == CODING_GZIP)
        return libdeflate_gzip_decompress_ex(d, in.ptr, in.len, out, room, ret_in, ret_out);
    /* "deflate" means zlib's format (RFC 9110 8.4.1.2); some senders leave its header out */
    const unsigned char *head = (const unsigned char *)in.ptr;
    bool is_zlib = in.len >= 2 && (head[0] & 0x0F) == 8 && (head[0] * 256u + head[1]) % 31 == 0;
    if (is_zlib)
        return libdeflate_zlib_decompress_ex(d, in.ptr, in.len, out, room, ret_in, ret_out);
    return libdeflate_deflate_decompress_ex(d, in.ptr, in.len, out, room, ret_in, ret_out);
}

static size_t size_hint(const struct inflater *inflater, struct px_str in, size_t left)
{
    size_t hint = in.len * 4;
    if (inflater->coding == CODING_GZIP && in.len >= 18) {
        const unsigned char *tail = (const unsigned char *)in.ptr + in.len - 4;
        hint = (size_t)tail[0] | (size_t)tail[1] << 8 | (size_t)tail[2] << 16 |
               (size_t)tail[3] << 24;
    }
    hint = PX_MIN(hint, in.len * 1032); /* deflate cannot expand further */
    return PX_MIN(PX_MAX(hint, (size_t)GROW_BYTES_MIN), left);
}

/* One gzip member or one deflate stream, appended to out. */
static int inflate_member(const struct inflater *inflater, struct px_str in, size_t *ret_in,
                          enum libdeflate_result *ret_result)
{
    size_t left = inflater->bytes_max - inflater->out->len;
    size_t room = size_hint(inflater, in, left);
    for (;; room = PX_MIN(room * 2, left)) {
        if (!px_buf_reserve(inflater->out, room)) return px_buf_fault(inflater->out);
        size_t produced = 0;
        *ret_result = inflate_into(inflater, in, room, ret_in, &produced);
        if (*ret_result == LIBDEFLATE_SUCCESS) inflater->out->len += produced;
        if (*ret_result != LIBDEFLATE_INSUFFICIENT_SPACE || room == left) return 0;
    }
}

static int inflate_body(enum coding coding, struct px_str body, size_t bytes_max,
                        struct px_buf *out, struct px_where *ret_where)
{
    const char *name = coding == CODING_GZIP ? "gzip" : "deflate";
    PX_AUTO(inflater_deinit)
    struct inflater inflater = {libdeflate_alloc_decompressor(), coding, out, bytes_max};
    if (!inflater.decompressor) return px_fault(PX_F_OOM, "a decompressor");

    size_t at = 0;
    do { /* gzip allows several members behind one another (RFC 1952 2.2) */
        size_t consumed = 0;
        enum libdeflate_result result = LIBDEFLATE_BAD_DATA;
        PX_TRY(inflate_member(&inflater, px_str_skip(body, at), &consumed, &result));
        if (result == LIBDEFLATE_INSUFFICIENT_SPACE) return too_large(bytes_max, ret_where);
        if (result != LIBDEFLATE_SUCCESS) return broken(name, at, ret_where);
        at += consumed;
    } while (coding == CODING_GZIP && at < body.len);
    return at == body.len ? 0 : broken(name, at, ret_where);
}

/* ---- zstd ---- */

static void dstream_free(ZSTD_DStream **stream) { ZSTD_freeDStream(*stream); }

static int zstd_body(struct px_str body, size_t bytes_max, struct px_buf *out,
                     struct px_where *ret_where)
{
    PX_AUTO(dstream_free) ZSTD_DStream *stream = ZSTD_createDStream();
    if (!stream) return px_fault(PX_F_OOM, "a zstd stream");
    (void)ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);

    ZSTD_inBuffer in = {body.ptr, body.len, 0};
    size_t hint = 1; /* 0: a frame ended exactly here */
    while (in.pos < in.size || hint != 0) {
        /* one byte past the ceiling tells a body of exactly bytes_max from a longer one */
        size_t room = PX_MIN(PX_MAX(out->len, (size_t)GROW_BYTES_MIN), bytes_max + 1 - out->len);
        char *to = px_buf_reserve(out, room);
        if (!to) return px_buf_fault(out);
        ZSTD_outBuffer piece = {to, room, 0};
        size_t pos_before = in.pos;
        hint = ZSTD_decompressStream(stream, &piece, &in);
        if (ZSTD_isError(hint)) return broken("zstd", in.pos, ret_where);
        out->len += piece.pos;
        if (out->len > bytes_max) return too_large(bytes_max, ret_where);
        bool is_stuck = in.pos == pos_before && piece.pos == 0;
        if (is_stuck && hint != 0) return broken("zstd", in.pos, ret_where);
    }
    return 0;
}

int decode_content(struct px_str encoding, struct px_str body, size_t bytes_max, struct px_buf *out,
                   struct px_str *ret_body, struct px_where *ret_where)
{
    enum coding coding = coding_of(encoding);
    if (coding == CODING_UNKNOWN) {
        px_where_set(ret_where, 0, NULL,
                     "Content-Encoding is identity, gzip, deflate or zstd, not \"%.*s\"",
                     (int)PX_MIN(encoding.len, (size_t)40), encoding.ptr);
        return DECODE_INVALID;
    }
    if (coding == CODING_NONE) {
        if (body.len > bytes_max) {
            px_where_set(ret_where, bytes_max, NULL, "a body of at most %zu bytes", bytes_max);
            return DECODE_TOO_LARGE;
        }
        *ret_body = body;
        return 0;
    }
    px_buf_clear(out);
    out->limit_bytes = bytes_max + 1;
    int r = coding == CODING_ZSTD ? zstd_body(body, bytes_max, out, ret_where)
                                  : inflate_body(coding, body, bytes_max, out, ret_where);
    if (r == 0) *ret_body = px_buf_str(out);
    return r;
}
