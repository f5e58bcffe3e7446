/* Files of a Map may be packed, and say so in their first bytes. */
#include "support/support.h"

#include <libdeflate.h>
#include <zstd.h>

#include "asl/unpack.h"

#define BYTES_MAX 100000u

static struct px_str gzip(struct test *t, struct px_str text)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    size_t room = libdeflate_gzip_compress_bound(c, text.len);
    char *out = px_arena_alloc(&t->arena, room);
    CHECK(c && out);
    size_t len = libdeflate_gzip_compress(c, text.ptr, text.len, out, room);
    libdeflate_free_compressor(c);
    return px_str(out, len);
}

static struct px_str zstd(struct test *t, struct px_str text)
{
    size_t room = ZSTD_compressBound(text.len);
    char *out = px_arena_alloc(&t->arena, room);
    CHECK(out);
    return px_str(out, ZSTD_compress(out, room, text.ptr, text.len, 3));
}

static struct px_str both(struct test *t, struct px_str a, struct px_str b)
{
    char *out = px_arena_alloc(&t->arena, a.len + b.len);
    CHECK(out);
    memcpy(out, a.ptr, a.len);
    memcpy(out + a.len, b.ptr, b.len);
    return px_str(out, a.len + b.len);
}

static void check_gives(struct test *t, struct px_str packed, struct px_str plain)
{
    struct px_str text;
    CHECK_OK(asl_unpack(packed, BYTES_MAX, &t->arena, &text));
    CHECK_STR(text, plain);
}

static void check_bad(struct test *t, struct px_str packed)
{
    struct px_str text;
    CHECK_INT(asl_unpack(packed, BYTES_MAX, &t->arena, &text), ASL_UNPACK_BAD);
}

static struct px_str long_text(struct test *t, size_t bytes)
{
    char *text = px_arena_alloc(&t->arena, bytes);
    CHECK(text);
    for (size_t i = 0; i < bytes; i++) text[i] = (char)('a' + i % 7);
    return px_str(text, bytes);
}

TEST(what_is_not_packed_stays_as_it_is)
{
    check_gives(t, S(""), S(""));
    check_gives(t, S("{\"a\":1}"), S("{\"a\":1}"));
    check_gives(t, S("\x1f\x8b"), S("\x1f\x8b"));
}

TEST(gzip_and_zstd_are_unpacked_up_to_the_ceiling)
{
    static const size_t sizes[] = {0, 1, 1000, BYTES_MAX - 1, BYTES_MAX};
    for (size_t i = 0; i < PX_COUNT(sizes); i++) {
        struct px_str text = long_text(t, sizes[i] + 1);
        text.len = sizes[i];
        check_gives(t, gzip(t, text), text);
        check_gives(t, zstd(t, text), text);
    }
    check_bad(t, gzip(t, long_text(t, BYTES_MAX + 1)));
    check_bad(t, zstd(t, long_text(t, BYTES_MAX + 1)));
    check_bad(t, gzip(t, long_text(t, BYTES_MAX * 20)));
    check_bad(t, zstd(t, long_text(t, BYTES_MAX * 20)));
}

TEST(members_and_frames_behind_one_another_are_one_text)
{
    check_gives(t, both(t, gzip(t, S("one\n")), gzip(t, S("two\n"))), S("one\ntwo\n"));
    check_gives(t, both(t, zstd(t, S("one\n")), zstd(t, S("two\n"))), S("one\ntwo\n"));
    struct px_str half = long_text(t, BYTES_MAX / 2);
    check_bad(t, both(t, both(t, gzip(t, half), gzip(t, half)), gzip(t, S("x"))));
}

TEST(damage_is_told)
{
    struct px_str packed[] = {gzip(t, long_text(t, 5000)), zstd(t, long_text(t, 5000))};
    for (size_t i = 0; i < PX_COUNT(packed); i++) {
        for (size_t len = 19; len < packed[i].len; len += 3)
            check_bad(t, px_str(packed[i].ptr, len));
    }
    check_bad(t, S("\x1f\x8bnothing of the kind"));
    check_bad(t, S("\x28\xb5\x2f\xfdnothing of the kind"));
}

TEST_MAIN
