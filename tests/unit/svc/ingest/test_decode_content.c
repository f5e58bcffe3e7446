/* decode_content(): each coding undone, damage told, bombs stopped at the ceiling. */
#include "support/support.h"

#include <libdeflate.h>
#include <zstd.h>

#include "svc/ingest/decode.h"
// link: prism::deflate prism::zstd

enum packing { PACK_GZIP, PACK_ZLIB, PACK_RAW, PACK_ZSTD };
static const char *const codings[] = {"gzip", "deflate", "deflate", "zstd"};

static struct px_str pack(struct test *t, enum packing how, struct px_str plain)
{
    size_t room = PX_MIN(plain.len + plain.len / 8 + 1024, (size_t)4 << 20), n = 0;
    char *to = px_arena_alloc(&t->arena, room);
    CHECK(to);
    if (how == PACK_ZSTD) {
        n = ZSTD_compress(to, room, plain.ptr, plain.len, 3);
        CHECK(!ZSTD_isError(n));
        return px_str(to, n);
    }
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    if (how == PACK_GZIP) n = libdeflate_gzip_compress(c, plain.ptr, plain.len, to, room);
    if (how == PACK_ZLIB) n = libdeflate_zlib_compress(c, plain.ptr, plain.len, to, room);
    if (how == PACK_RAW) n = libdeflate_deflate_compress(c, plain.ptr, plain.len, to, room);
    libdeflate_free_compressor(c);
    CHECK(n > 0);
    return px_str(to, n);
}

static struct px_str text_of(struct test *t, size_t bytes)
{
    char *text = px_arena_alloc(&t->arena, bytes + 1);
    uint32_t state = 1;
    for (size_t i = 0; i < bytes; i++) {
        state = state * 1664525u + 1013904223u;
        text[i] = (char)('a' + (state >> 28));
    }
    return px_str(text, bytes);
}

struct undone {
    struct px_buf out;
    struct px_str body;
    struct px_where where;
    int r;
};
static void undone_deinit(struct undone *it) { px_buf_deinit(&it->out); }
static struct undone undo(const char *coding, struct px_str packed, size_t bytes_max)
{
    struct undone it = {0};
    px_buf_init(&it.out, bytes_max);
    it.r = decode_content(px_str_c(coding), packed, bytes_max, &it.out, &it.body, &it.where);
    return it;
}

TEST(every_coding_gives_the_body_back)
{
    const size_t sizes[] = {0, 1, 100, 70000, 3000000};
    for (size_t i = 0; i < PX_COUNT(sizes); i++) {
        struct px_str plain = text_of(t, sizes[i]);
        for (int how = PACK_GZIP; how <= PACK_ZSTD; how++) {
            struct px_str packed = pack(t, (enum packing)how, plain);
            PX_AUTO(undone_deinit)
            struct undone it = undo(codings[how], packed, sizes[i]); /* exactly fits */
            if (it.r != 0)
                TEST_FAIL("%s of %zu bytes: %s", codings[how], sizes[i], it.where.expected);
            CHECK_STR(it.body, plain);
        }
    }
}

TEST(one_byte_over_the_ceiling_is_too_large)
{
    struct px_str plain = text_of(t, 200000);
    for (int how = PACK_GZIP; how <= PACK_ZSTD; how++) {
        PX_AUTO(undone_deinit)
        struct undone it = undo(codings[how], pack(t, (enum packing)how, plain), plain.len - 1);
        CHECK_INT(it.r, DECODE_TOO_LARGE);
        CHECK(strstr(it.where.expected, "199999 bytes"));
    }
    PX_AUTO(undone_deinit) struct undone it = undo("identity", plain, plain.len - 1);
    CHECK_INT(it.r, DECODE_TOO_LARGE);
}

TEST(no_coding_borrows_the_body)
{
    struct px_str plain = text_of(t, 1000);
    const char *const names[] = {"", "identity", "Identity", " identity "};
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        PX_AUTO(undone_deinit) struct undone it = undo(names[i], plain, 1000);
        CHECK_OK(it.r);
        CHECK(it.body.ptr == plain.ptr && it.out.cap == 0);
    }
}

TEST(unknown_codings_are_named)
{
    const char *const names[] = {"br", "gzip, gzip", "compress"};
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        PX_AUTO(undone_deinit) struct undone it = undo(names[i], S("x"), 1000);
        CHECK_INT(it.r, DECODE_INVALID);
        CHECK(strstr(it.where.expected, names[i]));
    }
}

TEST(a_cut_or_damaged_stream_is_invalid)
{
    struct px_str plain = text_of(t, 50000);
    for (int how = PACK_GZIP; how <= PACK_ZSTD; how++) {
        struct px_str packed = pack(t, (enum packing)how, plain);
        for (size_t n = 0; n < packed.len; n += packed.len / 9 + 1) {
            PX_AUTO(undone_deinit)
            struct undone it = undo(codings[how], px_str(packed.ptr, n), 100000);
            CHECK_INT(it.r, DECODE_INVALID);
        }
        PX_AUTO(undone_deinit)
        struct undone it = undo(codings[how], S("this is no such stream at all"), 1000);
        CHECK_INT(it.r, DECODE_INVALID);
    }
    struct px_str gzip = pack(t, PACK_GZIP, plain);
    ((char *)(uintptr_t)gzip.ptr)[gzip.len / 2] ^= 1;
    PX_AUTO(undone_deinit) struct undone it = undo("gzip", gzip, 100000);
    CHECK_INT(it.r, DECODE_INVALID);
}

TEST(gzip_members_add_up_and_what_follows_them_is_damage)
{
    struct px_str one = pack(t, PACK_GZIP, S("one\n")), two = pack(t, PACK_GZIP, S("two\n"));
    struct px_str both = px_arena_printf(&t->arena, "%*s", (int)(one.len + two.len), "");
    memcpy((char *)(uintptr_t)both.ptr, one.ptr, one.len);
    memcpy((char *)(uintptr_t)both.ptr + one.len, two.ptr, two.len);
    PX_AUTO(undone_deinit) struct undone it = undo("x-gzip", both, 100);
    CHECK_OK(it.r);
    CHECK_STR(it.body, S("one\ntwo\n"));
    PX_AUTO(undone_deinit) struct undone cut = undo("gzip", px_str(both.ptr, both.len - 3), 100);
    CHECK_INT(cut.r, DECODE_INVALID);
    CHECK_INT(cut.where.offset, one.len);
}

TEST(a_size_that_lies_changes_nothing)
{
    struct px_str plain = text_of(t, 300000);
    const uint32_t lies[] = {0, 1, UINT32_MAX};
    for (size_t i = 0; i < PX_COUNT(lies); i++) {
        struct px_str packed = pack(t, PACK_GZIP, plain);
        memcpy((char *)(uintptr_t)packed.ptr + packed.len - 4, &lies[i], 4);
        PX_AUTO(undone_deinit) struct undone it = undo("gzip", packed, 1u << 20);
        CHECK_INT(it.r, DECODE_INVALID); /* the size is part of gzip's check */
        CHECK(it.out.cap <= (1u << 20) + 1);
    }
}

/* 40 MiB of zeros in some 40 KiB */
TEST(a_bomb_costs_the_ceiling_at_most)
{
    char *zeros = calloc(1, 40u << 20);
    CHECK(zeros);
    struct px_str plain = {zeros, 40u << 20};
    for (int how = PACK_GZIP; how <= PACK_ZSTD; how++) {
        struct px_str packed = pack(t, (enum packing)how, plain);
        CHECK(packed.len < 64u << 10);
        PX_AUTO(undone_deinit) struct undone it = undo(codings[how], packed, 1u << 20);
        CHECK_INT(it.r, DECODE_TOO_LARGE);
        CHECK(it.out.cap <= (1u << 20) + 1);
    }
    free(zeros);
}

TEST(a_zstd_window_over_8_mib_is_refused)
{
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    struct px_str plain = text_of(t, 100000);
    size_t room = ZSTD_compressBound(plain.len);
    char *to = px_arena_alloc(&t->arena, room);
    (void)ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, 27);
    (void)ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 0);
    ZSTD_inBuffer in = {plain.ptr, plain.len, 0};
    ZSTD_outBuffer out = {to, room, 0};
    CHECK(!ZSTD_isError(ZSTD_compressStream2(ctx, &out, &in, ZSTD_e_flush)));
    CHECK(!ZSTD_isError(ZSTD_compressStream2(ctx, &out, &in, ZSTD_e_end)));
    ZSTD_freeCCtx(ctx);
    PX_AUTO(undone_deinit) struct undone it = undo("zstd", px_str(to, out.pos), 1u << 20);
    CHECK_INT(it.r, DECODE_INVALID);
}

TEST_MAIN
