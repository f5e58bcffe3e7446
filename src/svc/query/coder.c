/* svc/query/coder.c - see coder.h. */
#include "svc/query/coder.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "svc/query/accept.h"

#define GZIP_LEVEL 1
#define GZIP_WINDOW (15 + 16) /* with gzip's frame */
#define ZSTD_LEVEL 1
#define ROOM_BYTES_MIN ((size_t)16 << 10)

struct coder {
    enum coding coding;
    z_stream gzip;
    ZSTD_CCtx *zstd;
};

static const struct px_str names[] = {
    [CODING_IDENTITY] = {"identity", 8}, [CODING_GZIP] = {"gzip", 4}, [CODING_ZSTD] = {"zstd", 4}};

struct px_str coding_name(enum coding coding) { return names[coding]; }

enum coding coding_wanted(struct px_str accept_encoding)
{
    size_t place;
    int zstd = accept_weight(ACCEPT_CODING, accept_encoding, names[CODING_ZSTD], &place);
    int gzip = accept_weight(ACCEPT_CODING, accept_encoding, names[CODING_GZIP], &place);
    int plain = accept_weight(ACCEPT_CODING, accept_encoding, names[CODING_IDENTITY], &place);
    int best = PX_MAX(zstd, gzip);
    if (best <= 0 || best < plain) return CODING_IDENTITY;
    return zstd == best ? CODING_ZSTD : CODING_GZIP;
}

int coder_new(enum coding coding, struct coder **ret_coder)
{
    struct coder *coder = calloc(1, sizeof(*coder));
    if (!coder) return px_fault(PX_F_OOM, "a coder");
    coder->coding = coding;
    bool fine;
    if (coding == CODING_ZSTD) {
        coder->zstd = ZSTD_createCCtx();
        fine = coder->zstd && !ZSTD_isError(ZSTD_CCtx_setParameter(
                                  coder->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL));
    } else {
        PX_ASSERT(coding == CODING_GZIP);
        fine = deflateInit2(&coder->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8,
                            Z_DEFAULT_STRATEGY) == Z_OK;
    }
    if (!fine) {
        coder_free(&coder);
        return px_fault(PX_F_OOM, "a coder");
    }
    *ret_coder = coder;
    return 0;
}

void coder_free(struct coder **coder)
{
    if (!*coder) return;
    if ((*coder)->coding == CODING_GZIP) (void)deflateEnd(&(*coder)->gzip);
    ZSTD_freeCCtx((*coder)->zstd);
    free(*coder);
    *coder = NULL;
}

/* One turn: what fits into out's room. True: nothing is left inside. */
static bool gzip_turn(struct coder *coder, struct px_str *bytes, bool last, char *to, size_t room,
                      size_t *ret_written)
{
    z_stream *gzip = &coder->gzip;
    uInt take = (uInt)PX_MIN(bytes->len, (size_t)1 << 30);
    bool all = take == bytes->len;
    gzip->next_in = (Bytef *)(uintptr_t)bytes->ptr; /* zlib's type; it does not write there */
    gzip->avail_in = take;
    gzip->next_out = (Bytef *)to;
    gzip->avail_out = (uInt)room;
    int r = deflate(gzip, !all ? Z_NO_FLUSH : last ? Z_FINISH : Z_SYNC_FLUSH);
    PX_ASSERT(r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR);
    *bytes = px_str_skip(*bytes, take - gzip->avail_in);
    *ret_written = room - gzip->avail_out;
    return all && (last ? r == Z_STREAM_END : gzip->avail_out > 0);
}

static bool zstd_turn(struct coder *coder, struct px_str *bytes, bool last, char *to, size_t room,
                      size_t *ret_written)
{
    ZSTD_inBuffer in = {bytes->ptr, bytes->len, 0};
    ZSTD_outBuffer out = {to, room, 0};
    size_t left = ZSTD_compressStream2(coder->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_flush);
    *bytes = px_str_skip(*bytes, in.pos);
    *ret_written = ZSTD_isError(left) ? SIZE_MAX : out.pos;
    return left == 0;
}

int coder_add(struct coder *coder, struct px_str bytes, bool last, struct px_buf *out)
{
    bool done = false;
    while (!done) {
        size_t room = PX_MIN(PX_MAX(bytes.len / 2, ROOM_BYTES_MIN), (size_t)1 << 30), written;
        char *to = px_buf_reserve(out, room);
        if (!to) return px_buf_fault(out);
        done = (coder->coding == CODING_ZSTD ? zstd_turn : gzip_turn)(coder, &bytes, last, to, room,
                                                                      &written);
        if (written == SIZE_MAX) return px_fault(PX_F_OOM, "zstd could not compress");
        out->len += written;
    }
    return 0;
}
