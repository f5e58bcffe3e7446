/* What a client takes, and answers compressed as they go. */
// link: prism::z prism::zstd

#include "support/support.h"

#include <zlib.h>
#include <zstd.h>

#include "svc/query/accept.h"
#include "svc/query/coder.h"

TEST(the_most_exact_item_says_how_much_a_media_type_is_wanted)
{
    static const struct {
        const char *header, *name;
        int weight, place;
    } cases[] = {
        {"text/csv", "text/csv", 1000, 0},
        {"Text/CSV;q=0.5", "text/csv", 500, 0},
        {"text/*;q=0.3, text/csv;q=0.7, */*;q=0.5", "text/csv", 700, 1},
        {"text/*;q=0.3, text/csv;q=0.7, */*;q=0.5", "text/html", 300, 0},
        {"text/*;q=0.3, text/csv;q=0.7, */*;q=0.5", "image/png", 500, 2},
        {"text/csv;q=0, */*", "text/csv", 0, 0},
        {"text/html, image/gif, *; q=.2, */*; q=.2", "text/csv", 200, 2}, /* Java */
        {"application/json; charset=utf-8 ; Q = 0.25", "application/json", 250, 0},
        {"x/y;a=\"q=0,text/csv\", text/csv;q=1.000", "text/csv", 1000, 1},
        {"x/y;a=\"\\\"\", text/csv", "text/csv", 1000, 1},
        {", ,text/csv", "text/csv", 1000, 2},
        {"text/csv;q=2", "text/csv", ACCEPT_UNSAID, 0},
        {"text/csv;q=0.1234", "text/csv", ACCEPT_UNSAID, 0},
        {"text/csv;q=", "text/csv", ACCEPT_UNSAID, 0},
        {"text/csv;q=1.5", "text/csv", ACCEPT_UNSAID, 0},
        {"text/csv;q=-1", "text/csv", ACCEPT_UNSAID, 0},
        {"text", "text/csv", ACCEPT_UNSAID, 0},
        {"", "text/csv", ACCEPT_UNSAID, 0},
        {"\"", "text/csv", ACCEPT_UNSAID, 0},
    };
    (void)t;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        size_t place;
        int weight = accept_weight(ACCEPT_MEDIA, px_str_c(cases[i].header), px_str_c(cases[i].name),
                                   &place);
        if (weight != cases[i].weight || (int)place != cases[i].place)
            TEST_FAIL("%s in %s: %d at %zu", cases[i].name, cases[i].header, weight, place);
    }
}

TEST(a_coding_is_used_when_it_is_named)
{
    static const struct {
        const char *header;
        enum coding coding;
    } cases[] = {
        {"", CODING_IDENTITY},
        {"*", CODING_IDENTITY}, /* nor does API Gateway */
        {"br", CODING_IDENTITY},
        {"gzip, deflate, br, zstd", CODING_ZSTD},
        {"gzip, deflate", CODING_GZIP},
        {"gzip;q=0.9, zstd;q=0.8", CODING_GZIP},
        {"GZIP", CODING_GZIP},
        {"gzip;q=0", CODING_IDENTITY},
        {"gzip;q=0.5, identity", CODING_IDENTITY},
        {"gzip, identity;q=0.5", CODING_GZIP},
    };
    (void)t;
    for (size_t i = 0; i < PX_COUNT(cases); i++)
        if (coding_wanted(px_str_c(cases[i].header)) != cases[i].coding)
            TEST_FAIL("%s gave %d", cases[i].header, coding_wanted(px_str_c(cases[i].header)));
}

static size_t gunzip(struct px_str coded, char *to, size_t room, bool *ret_end)
{
    z_stream in = {.next_in = (Bytef *)(uintptr_t)coded.ptr,
                   .avail_in = (uInt)coded.len,
                   .next_out = (Bytef *)to,
                   .avail_out = (uInt)room};
    CHECK_INT(inflateInit2(&in, 15 + 16), Z_OK);
    *ret_end = inflate(&in, Z_SYNC_FLUSH) == Z_STREAM_END;
    CHECK_INT(in.avail_in, 0);
    CHECK_INT(inflateEnd(&in), Z_OK);
    return room - in.avail_out;
}

static size_t unzstd(struct px_str coded, char *to, size_t room, bool *ret_end)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {coded.ptr, coded.len, 0};
    ZSTD_outBuffer out = {to, room, 0};
    size_t left = 1;
    while (in.pos < in.size) left = ZSTD_decompressStream(stream, &out, &in);
    *ret_end = left == 0;
    ZSTD_freeDStream(stream);
    return out.pos;
}

/* Pieces from nothing to more than is compressed at once, some of them noise. */
TEST(what_is_given_so_far_can_be_decoded_so_far_and_all_of_it_in_the_end)
{
    static char plain[3 << 20], back[(3 << 20) + 64];
    static const size_t pieces[] = {1, 0, 70, 2 << 20, 100000, 0};
    uint64_t noise = 88172645463325252u;
    for (size_t i = 0; i < sizeof(plain); i++) {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        plain[i] = i % 100000 < 50000 ? "{\"n\":1}\n"[i % 8] : (char)noise;
    }
    for (enum coding coding = CODING_GZIP; coding <= CODING_ZSTD; coding++) {
        struct coder *coder = NULL;
        PX_AUTO(px_buf_deinit) struct px_buf out;
        size_t given = 0;
        px_buf_init(&out, 8u << 20);
        CHECK_OK(coder_new(coding, &coder));
        for (size_t i = 0; i < PX_COUNT(pieces); i++) {
            bool last = i + 1 == PX_COUNT(pieces), end;
            CHECK_OK(coder_add(coder, px_str(plain + given, pieces[i]), last, &out));
            given += pieces[i];
            size_t n = (coding == CODING_GZIP ? gunzip : unzstd)(px_buf_str(&out), back,
                                                                 sizeof(back), &end);
            CHECK(n == given && memcmp(plain, back, n) == 0);
            CHECK_INT(end, last);
        }
        CHECK(out.len < given * 3 / 4);
        coder_free(&coder);
        CHECK(!coder);
    }
    (void)t;
}

TEST(a_coder_that_has_no_room_says_so)
{
    struct coder *coder = NULL;
    for (enum coding coding = CODING_GZIP; coding <= CODING_ZSTD; coding++) {
        PX_AUTO(px_buf_deinit) struct px_buf out;
        px_buf_init(&out, 10);
        CHECK_OK(coder_new(coding, &coder));
        CHECK_INT(coder_add(coder, S("some text"), true, &out), PX_F_LIMIT);
        coder_free(&coder);
    }
    (void)t;
}

TEST_MAIN
