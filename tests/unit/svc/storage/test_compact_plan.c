/* Which segments are rewritten together. */
#include "support/support.h"

#include "svc/storage/compact_plan.h"

#define DAY_US (INT64_C(86400) * 1000000)
enum { MIB = 1 << 20 };

static const struct lifecycle lifecycle = {.object_bytes_target = 200 * MIB, .merge_files_min = 4};

static struct segment segment(enum segment_tier tier, int64_t day, int64_t bytes)
{
    static int64_t id;
    return (struct segment){.id = ++id,
                            .tier = tier,
                            .time_min_us = day * DAY_US,
                            .time_max_us = day * DAY_US + 1,
                            .rows = 1,
                            .bytes = bytes};
}

static size_t chosen(const struct segment *segments, size_t count)
{
    struct compact_plan plan = {.count = 99};
    bool any = compact_choose(segments, count, &lifecycle, &plan);
    CHECK_INT(any, plan.count > 0);
    return plan.count;
}

TEST(sealed_segments_are_taken_up_to_the_target_and_at_least_one)
{
    struct segment s[5] = {0};
    CHECK_INT(chosen(s, 0), 0);
    for (int i = 0; i < 5; i++) s[i] = segment(TIER_SEGMENT, i, 60 * MIB);
    CHECK_INT(chosen(s, 5), 3);
    s[0].bytes = 500 * MIB;
    CHECK_INT(chosen(s, 5), 1);
}

TEST(analytics_objects_wait_until_enough_of_a_size_are_together)
{
    struct segment s[6];
    for (int i = 0; i < 3; i++) s[i] = segment(TIER_ANALYTICS, 1, 10 * MIB);
    CHECK_INT(chosen(s, 3), 0);
    s[3] = segment(TIER_ANALYTICS, 2, 10 * MIB); /* another day */
    CHECK_INT(chosen(s, 4), 0);
    s[3] = segment(TIER_ANALYTICS, 1, 1 * MIB); /* another size */
    CHECK_INT(chosen(s, 4), 0);
    s[4] = segment(TIER_ANALYTICS, 1, 12 * MIB);
    CHECK_INT(chosen(s, 5), 4);
    s[5] = segment(TIER_SEGMENT, 1, 1); /* what was sealed goes first */
    CHECK_INT(chosen(s, 6), 1);
}

TEST(large_objects_are_left_alone)
{
    struct segment s[8];
    for (int i = 0; i < 8; i++) s[i] = segment(TIER_ANALYTICS, 1, 100 * MIB);
    CHECK_INT(chosen(s, 8), 0);
    for (int i = 0; i < 8; i++) s[i] = segment(TIER_ANALYTICS, 1, 70 * MIB);
    CHECK_INT(chosen(s, 8), 0); /* only two fit the target, fewer than four */
}

TEST(times_before_1970_have_days_as_well)
{
    struct segment s[4];
    for (int i = 0; i < 4; i++) s[i] = segment(TIER_ANALYTICS, -1, 1);
    s[3].time_min_us = -1;
    CHECK_INT(chosen(s, 4), 4);
    s[3].time_min_us = 0;
    CHECK_INT(chosen(s, 4), 0);
}

/* Many small seals: each row is rewritten once per size class, not once per compaction. */
TEST(a_row_is_rewritten_a_bounded_number_of_times)
{
    struct segment live[64];
    size_t count = 0;
    int64_t sealed = 0, written = 0;
    for (int round = 0; round < 1000; round++) {
        live[count++] = segment(TIER_SEGMENT, 0, 100 * 1024);
        sealed += 100 * 1024;
        struct compact_plan plan;
        while (compact_choose(live, count, &lifecycle, &plan)) {
            int64_t bytes = 0;
            for (size_t i = 0; i < plan.count; i++) {
                bytes += plan.inputs[i].bytes;
                for (size_t k = 0; k < count; k++)
                    if (live[k].id == plan.inputs[i].id) live[k] = live[--count];
            }
            live[count++] = segment(TIER_ANALYTICS, 0, bytes);
            written += bytes;
        }
        CHECK(count < 40);
    }
    CHECK(written < sealed * 8);
}

TEST_MAIN
