/* Integers in as few bytes as they need. */
#include "support/support.h"

#include "columnar/pack.h"

static size_t check_i64(const int64_t *values, uint32_t n)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    pack_i64(values, n, &buf);
    px_buf_add_c(&buf, "tail");
    CHECK_OK(px_buf_fault(&buf));
    struct px_str rest = px_buf_str(&buf);
    int64_t got[1000];
    CHECK(unpack_i64(&rest, n, got));
    for (uint32_t i = 0; i < n; i++) CHECK_INT(got[i], values[i]);
    CHECK_STR(rest, S("tail"));
    for (size_t len = 0; len < buf.len - 4; len++) { /* every truncation is noticed */
        rest = px_str(buf.ptr, len);
        CHECK(!unpack_i64(&rest, n, got));
    }
    return buf.len - 4;
}

TEST(integers_come_back)
{
    int64_t extremes[] = {INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MAX, INT64_MIN};
    CHECK_INT(check_i64(extremes, PX_COUNT(extremes)), 10 + 8 * PX_COUNT(extremes));
    CHECK_INT(check_i64(extremes, 1), 10);
    CHECK_INT(check_i64(extremes, 0), 10);
    for (unsigned bits = 0; bits < 63; bits++) {
        int64_t values[] = {0, INT64_C(1) << bits, (INT64_C(1) << bits) - 1, 5, -5};
        (void)check_i64(values, PX_COUNT(values));
    }
}

TEST(size_follows_the_range_or_the_steps_whichever_is_less)
{
    int64_t same[1000], rising[1000], small[1000];
    for (int i = 0; i < 1000; i++) {
        same[i] = -77;
        rising[i] = INT64_C(1767323045000000) + i * INT64_C(1000000) + i % 200;
        small[i] = 200 + i % 256;
    }
    CHECK_INT(check_i64(same, 1000), 10);
    CHECK_INT(check_i64(rising, 1000), 18 + 1000);
    CHECK_INT(check_i64(small, 1000), 10 + 1000);
}

TEST(unsigned_integers_come_back_and_others_are_refused)
{
    uint32_t values[] = {0, UINT32_MAX, 7, 70000}, got[4];
    for (uint32_t n = 0; n <= 4; n++) {
        PX_AUTO(px_buf_deinit) struct px_buf buf;
        px_buf_init(&buf, 1u << 20);
        pack_u32(values, n, &buf);
        struct px_str rest = px_buf_str(&buf);
        CHECK(unpack_u32(&rest, n, got));
        CHECK_INT(rest.len, 0);
        for (uint32_t i = 0; i < n; i++) CHECK_INT(got[i], values[i]);
    }
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    int64_t negative[] = {-1, -1}, large[] = {0, INT64_MAX};
    pack_i64(negative, 2, &buf);
    struct px_str rest = px_buf_str(&buf);
    CHECK(!unpack_u32(&rest, 2, got));
    px_buf_clear(&buf);
    pack_i64(large, 2, &buf);
    rest = px_buf_str(&buf);
    CHECK(!unpack_u32(&rest, 2, got));
}

TEST_MAIN
