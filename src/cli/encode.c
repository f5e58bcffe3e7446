/* cli/encode.c - zstd and gzip at their fastest levels: the region is as near as the network allows,
 * and the sender's time counts. */
#include "cli/encode.h"

#include <zlib.h>
#include <zstd.h>

#define ZSTD_LEVEL 1
#define GZIP_LEVEL 1
#define GZIP_WINDOW_BITS (15 + 16) /* with a gzip header */

bool encoding_parse(struct px_str name, enum encoding *ret_encoding)
{
    static const char *const names[] = {"none", "zstd", "gzip"};
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        if (!px_str_eq(name, px_str_c(names[i]))) continue;
        *ret_encoding = (enum encoding)i;
        return true;
    }
    return false;
}

void encoder_init(struct encoder *encoder, enum encoding encoding)
{
    *encoder = (struct encoder){.encoding = encoding};
    px_buf_init(&encoder->out, 256u << 20);
}

void encoder_deinit(struct encoder *encoder)
{
    ZSTD_freeCCtx(encoder->zstd);
    encoder->zstd = NULL;
    px_buf_deinit(&encoder->out);
}

static int run_zstd(struct encoder *encoder, struct px_str text)
{
    if (!encoder->zstd) encoder->zstd = ZSTD_createCCtx();
    if (!encoder->zstd) return px_fault(PX_F_OOM, "zstd");
    size_t room = ZSTD_compressBound(text.len);
    char *at = px_buf_reserve(&encoder->out, room);
    if (!at) return px_buf_fault(&encoder->out);
    size_t n = ZSTD_compressCCtx(encoder->zstd, at, room, text.ptr, text.len, ZSTD_LEVEL);
    if (ZSTD_isError(n)) return px_fault(PX_F_OOM, "zstd: %s", ZSTD_getErrorName(n));
    encoder->out.len += n;
    return 0;
}

static int run_gzip(struct encoder *encoder, struct px_str text)
{
    z_stream z = {0};
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return px_fault(PX_F_OOM, "gzip");
    size_t room = deflateBound(&z, text.len);
    char *at = px_buf_reserve(&encoder->out, room);
    int r = Z_MEM_ERROR;
    if (at) {
        z.next_in = (unsigned char *)(uintptr_t)text.ptr;
        z.avail_in = (uInt)text.len; /* a batch is far below 4 GiB */
        z.next_out = (unsigned char *)at;
        z.avail_out = (uInt)room;
        r = deflate(&z, Z_FINISH);
        encoder->out.len += z.total_out;
    }
    (void)deflateEnd(&z);
    return r == Z_STREAM_END ? 0 : px_fault(PX_F_OOM, "gzip");
}

int encoder_run(struct encoder *encoder, struct px_str text, struct px_str *ret_body,
                struct px_str *ret_name)
{
    px_buf_clear(&encoder->out);
    switch (encoder->encoding) {
    case ENCODING_ZSTD:
        PX_TRY(run_zstd(encoder, text));
        *ret_name = S("zstd");
        break;
    case ENCODING_GZIP:
        PX_TRY(run_gzip(encoder, text));
        *ret_name = S("gzip");
        break;
    default:
        *ret_body = text;
        *ret_name = (struct px_str){0};
        return 0;
    }
    *ret_body = px_buf_str(&encoder->out);
    return 0;
}
