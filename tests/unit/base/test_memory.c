/* Arenas and buffers: alignment, ceilings, memory that runs out. */
#include "support/support_alloc.h"

#include "base/px_buf.h"

#include <math.h>
#include <stdio.h>

TEST(allocations_are_aligned_and_do_not_overlap)
{
    struct px_arena arena;
    px_arena_init(&arena, 1u << 20);
    char *before = NULL;
    for (size_t bytes = 0; bytes < 600; bytes++) {
        char *ptr = px_arena_alloc(&arena, bytes);
        CHECK(ptr && (uintptr_t)ptr % 16 == 0 && ptr != before);
        memset(ptr, (int)bytes, bytes);
        if (before && bytes > 1) CHECK_INT((unsigned char)before[0], (unsigned char)(bytes - 1));
        before = ptr;
    }
    CHECK_INT(arena.used_bytes, 599 * 600 / 2);
    px_arena_deinit(&arena);
    CHECK_INT(arena.held_bytes, 0);
}

TEST(the_ceiling_is_exact_and_told_from_memory_running_out)
{
    struct px_arena arena;
    px_arena_init(&arena, 64);
    CHECK(px_arena_alloc(&arena, 48) && px_arena_alloc(&arena, 16));
    CHECK(!px_arena_alloc(&arena, 1) && px_arena_full(&arena));
    px_arena_reset(&arena);
    CHECK(!px_arena_alloc(&arena, 100) &&
          px_arena_alloc(&arena, 1)); /* what still fits does not hide it */
    CHECK_INT(px_arena_fault(&arena), PX_F_LIMIT);
    px_arena_reset(&arena);
    CHECK(!px_arena_full(&arena) && px_arena_alloc(&arena, 64));
    CHECK(!px_arena_alloc(&arena, SIZE_MAX) && !px_arena_array(&arena, uint64_t, SIZE_MAX / 4));
    px_arena_deinit(&arena);
}

TEST(reset_keeps_the_largest_block_and_nothing_else)
{
    struct px_arena arena;
    px_arena_init(&arena, 8u << 20);
    CHECK(px_arena_alloc(&arena, 100) && px_arena_alloc(&arena, 3u << 20));
    CHECK(px_arena_alloc(&arena, 100));
    px_arena_reset(&arena);
    CHECK_INT(arena.held_bytes, 3u << 20);
    CHECK_INT(arena.used_bytes, 0);
    void *again = px_arena_alloc(&arena, 3u << 20);
    CHECK(again);
    CHECK_INT(arena.held_bytes, 3u << 20); /* from the kept block */
    px_arena_deinit(&arena);
}

TEST(the_newest_allocation_grows_in_place)
{
    struct px_arena arena;
    px_arena_init(&arena, 1u << 20);
    char *first = px_arena_alloc(&arena, 10);
    for (int i = 0; i < 10; i++) first[i] = (char)('0' + i);
    CHECK(px_arena_realloc(&arena, first, 10, 1000) == first);
    CHECK(px_arena_realloc(&arena, first, 1000, 20) == first);
    char *second = px_arena_alloc(&arena, 10);
    char *moved = px_arena_realloc(&arena, first, 1000, 2000);
    CHECK(moved != first && second && memcmp(moved, "0123456789", 10) == 0);
    CHECK(!px_arena_realloc(&arena, moved, 2000, 2u << 20)); /* the old one stands */
    CHECK_INT(memcmp(moved, "0123456789", 10), 0);
    px_arena_deinit(&arena);
}

TEST(text_in_an_arena_is_terminated)
{
    struct px_str copy = px_arena_dup(&t->arena, S("abc"));
    CHECK_STR(copy, S("abc"));
    CHECK_INT(copy.ptr[3], 0);
    CHECK_STR(px_arena_printf(&t->arena, "%s-%d", "x", 7), S("x-7"));
    CHECK_STR(px_arena_dup(&t->arena, (struct px_str){0}), S(""));
}

static int arena_build(struct px_arena *arena)
{
    for (int i = 0; i < 10; i++)
        if (!px_arena_alloc(arena, 3000)) return px_arena_fault(arena);
    return 0;
}
TEST(an_arena_without_memory_says_so_and_stays_whole)
{
    struct px_arena arena;
    px_arena_init(&arena, 1u << 20);
    SWEEP_ALLOCATIONS(arena_build(&arena), px_arena_deinit(&arena));
}

TEST(a_full_buffer_stays_bad_until_cleared)
{
    struct px_buf buf;
    px_buf_init(&buf, 10);
    px_buf_add_c(&buf, "12345");
    px_buf_add_c(&buf, "67890");
    CHECK_INT(px_buf_fault(&buf), 0);
    px_buf_add_char(&buf, 'x');
    CHECK_INT(px_buf_fault(&buf), PX_F_LIMIT);
    px_buf_add_c(&buf, "");
    CHECK(!px_buf_reserve(&buf, 0));
    CHECK_STR(px_buf_str(&buf), S("1234567890"));
    px_buf_clear(&buf);
    px_buf_printf(&buf, "%d", 123456789);
    CHECK_STR(px_buf_str(&buf), S("123456789"));
    px_buf_printf(&buf, "%*d", 5000, 1);
    CHECK_INT(px_buf_fault(&buf), PX_F_LIMIT);
    px_buf_deinit(&buf);
    px_buf_deinit(&buf); /* an empty one is left alone */
}

TEST(long_formats_arrive_whole)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    px_buf_printf(&buf, "%0300d|%0256d|%0255d", 1, 2, 3);
    CHECK_INT(buf.len, 300 + 1 + 256 + 1 + 255);
    CHECK(buf.ptr[299] == '1' && buf.ptr[556] == '2' && buf.ptr[812] == '3');
}

static int buf_build(struct px_buf *buf)
{
    for (int i = 0; i < 2000; i++) px_buf_printf(buf, "%d,", i);
    px_buf_printf(buf, "%0400d", 1);
    return px_buf_fault(buf);
}
TEST(a_buffer_without_memory_says_so_at_the_end)
{
    struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    SWEEP_ALLOCATIONS(buf_build(&buf), px_buf_deinit(&buf));
}

static struct px_str json_str_of(struct px_buf *buf, struct px_str s)
{
    px_buf_clear(buf);
    px_buf_add_json_str(buf, s);
    return px_buf_str(buf);
}
TEST(json_strings_escape_what_must_be_escaped)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 4096);
    CHECK_STR(json_str_of(&buf, S("")), S("\"\""));
    CHECK_STR(json_str_of(&buf, S("a\"b\\c/\n\r\t\b\f\x01\x1f\x7f")),
              S("\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\""));
    CHECK_STR(json_str_of(&buf, px_str("a\0b", 3)), S("\"a\\u0000b\""));
    CHECK_STR(json_str_of(&buf, S("é€😀")), S("\"é€😀\""));
    CHECK(px_utf8_ok(S("é€😀")) && px_utf8_ok(px_str("a\0b", 3)) && px_utf8_ok((struct px_str){0}));
}

TEST(bytes_that_are_not_utf8_become_replacement_characters)
{
    static const char *const bad[] = {"\x80",         "\xc0\xaf",         "\xe0\x80\x80",
                                      "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8",
                                      "\xe2\x82",     "\xf0\x9f\x98"};
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 4096);
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct px_str got = json_str_of(&buf, px_str_c(bad[i]));
        CHECK(!px_utf8_ok(px_str_c(bad[i])));
        CHECK_INT(got.len, 2 + 3 * strlen(bad[i])); /* one for each byte */
        CHECK(px_str_starts(got, S("\"\xEF\xBF\xBD")));
    }
    CHECK_STR(json_str_of(&buf, S("a\xff\x62")), S("\"a\xEF\xBF\xBD\x62\""));
}

/* Eight bytes are looked at in one: whatever stands at whichever place of them is seen. */
TEST(json_strings_are_the_same_at_every_place_and_length)
{
    struct px_buf buf, want;
    px_buf_init(&buf, SIZE_MAX);
    px_buf_init(&want, SIZE_MAX);
    char text[24];
    for (unsigned c = 0; c < 256; c++)
        for (size_t len = 1; len <= sizeof text; len++)
            for (size_t at = 0; at < len; at++) {
                memset(text, '!', sizeof text); /* the borrow of a lower byte reaches it */
                text[at] = (char)c;
                px_buf_clear(&want);
                px_buf_add_char(&want, '"');
                for (size_t i = 0; i < len; i++) {
                    struct px_str one = json_str_of(&buf, px_str(text + i, 1));
                    px_buf_add(&want, one.ptr + 1, one.len - 2);
                }
                px_buf_add_char(&want, '"');
                CHECK_STR(json_str_of(&buf, px_str(text, len)), px_buf_str(&want));
            }
    px_buf_deinit(&buf);
    px_buf_deinit(&want);
}

static struct px_str number_of(struct px_buf *buf, int64_t n)
{
    px_buf_clear(buf);
    px_buf_add_i64(buf, n);
    return px_buf_str(buf);
}

static struct px_str milli_of(struct px_buf *buf, double value)
{
    px_buf_clear(buf);
    px_buf_add_milli(buf, value);
    return px_buf_str(buf);
}

TEST(numbers_are_those_of_printf)
{
    struct px_buf buf;
    px_buf_init(&buf, SIZE_MAX);
    const int64_t whole[] = {0, 1, -1, 9, 10, 99, 100, 1234567890, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < PX_COUNT(whole); i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "%lld", (long long)whole[i]);
        CHECK_STR(number_of(&buf, whole[i]), px_str_c(text));
    }
    char digits[20];
    CHECK_STR(px_str(digits, px_u64_digits(UINT64_MAX, digits)), S("18446744073709551615"));
    CHECK_STR(milli_of(&buf, 0), S("0.000"));
    CHECK_STR(milli_of(&buf, 0.0014), S("0.001"));
    CHECK_STR(milli_of(&buf, 0.9996), S("1.000"));
    CHECK_STR(milli_of(&buf, 12.345), S("12.345"));
    CHECK_STR(milli_of(&buf, 86400000.07), S("86400000.070"));
    CHECK_STR(milli_of(&buf, -1), S("0.000"));
    CHECK_STR(milli_of(&buf, (double)NAN), S("0.000"));
    CHECK_STR(milli_of(&buf, (double)INFINITY), S("0.000"));
    px_buf_deinit(&buf);
}

TEST(base64_is_that_of_rfc_4648)
{
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 4096);
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        px_buf_clear(&buf);
        px_buf_add_c(&buf, ">");
        px_buf_add_base64(&buf, px_str_c(cases[i][0]));
        CHECK_STR(px_str_skip(px_buf_str(&buf), 1), px_str_c(cases[i][1]));
    }
    px_buf_clear(&buf);
    char many[90];
    memset(many, 0xfb, sizeof many); /* long enough for the vector code */
    px_buf_add_base64(&buf, px_str(many, sizeof many));
    CHECK_INT(buf.len, 120);
    for (size_t i = 0; i < buf.len; i += 4) CHECK_INT(memcmp(buf.ptr + i, "+/v7", 4), 0);
}

TEST_MAIN
