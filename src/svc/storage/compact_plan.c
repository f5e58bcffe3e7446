/* svc/storage/compact_plan.c */
#include "svc/storage/compact_plan.h"

#define DAY_US (INT64_C(86400) * 1000000)

static int64_t day_of(int64_t us) { return us / DAY_US - (us % DAY_US < 0); }

/* segments come ordered by time_min_us. */
static void choose_sealed(const struct segment *segments, size_t count, int64_t bytes_max,
                          struct compact_plan *plan)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < count && plan->count < COMPACT_INPUTS_MAX; i++) {
        if (segments[i].tier != TIER_SEGMENT) continue;
        if (plan->count > 0 && bytes + segments[i].bytes > bytes_max) break;
        plan->inputs[plan->count++] = segments[i];
        bytes += segments[i].bytes;
    }
}

/* Objects of four times the size are one class higher; 0 is below 64 KiB. */
static int size_class(int64_t bytes)
{
    int class = 0;
    for (int64_t limit = 65536; bytes >= limit && class < 30; limit *= 4) class ++;
    return class;
}

static bool is_small(const struct segment *segment, const struct lifecycle *lifecycle)
{
    return segment->tier == TIER_ANALYTICS && segment->bytes < lifecycle->object_bytes_target / 2;
}

/* Small objects of the same day and class as the first, which is segments[0]. */
static void choose_alike(const struct segment *segments, size_t count,
                         const struct lifecycle *lifecycle, struct compact_plan *plan)
{
    int64_t day = day_of(segments[0].time_min_us), bytes = 0;
    int class = size_class(segments[0].bytes);
    plan->count = 0;
    for (size_t i = 0; i < count && plan->count < COMPACT_INPUTS_MAX; i++) {
        const struct segment *segment = &segments[i];
        if (day_of(segment->time_min_us) != day) break;
        if (!is_small(segment, lifecycle) || size_class(segment->bytes) != class) continue;
        if (plan->count > 0 && bytes + segment->bytes > lifecycle->object_bytes_target) break;
        plan->inputs[plan->count++] = *segment;
        bytes += segment->bytes;
    }
}

bool compact_choose(const struct segment *segments, size_t count, const struct lifecycle *lifecycle,
                    struct compact_plan *ret_plan)
{
    ret_plan->count = 0;
    choose_sealed(segments, count, lifecycle->object_bytes_target, ret_plan);
    if (ret_plan->count > 0) return true;
    for (size_t i = 0; i < count; i++) {
        if (!is_small(&segments[i], lifecycle)) continue;
        choose_alike(&segments[i], count - i, lifecycle, ret_plan);
        if (ret_plan->count >= (size_t)lifecycle->merge_files_min) return true;
    }
    ret_plan->count = 0;
    return false;
}
