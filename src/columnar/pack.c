/* columnar/pack.c - see pack.h. Arithmetic is unsigned, so it wraps where it must. */
#include "columnar/pack.h"

#include <endian.h>

static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "frames are little endian and copied as they stand");

struct pack_plan {
    enum pack_mode mode;
    uint8_t width;
    int64_t base, first;
};

static uint8_t width_of(uint64_t range)
{
    return range == 0 ? 0 : (uint8_t)((71 - __builtin_clzll(range)) / 8);
}

static struct pack_plan plan_i64(const int64_t *values, uint32_t n)
{
    if (n == 0) return (struct pack_plan){PACK_OFFSET, 0, 0, 0};
    int64_t low = values[0], high = values[0];
    int64_t delta_low = INT64_MAX, delta_high = INT64_MIN;
    for (uint32_t i = 1; i < n; i++) {
        int64_t delta = (int64_t)((uint64_t)values[i] - (uint64_t)values[i - 1]);
        low = PX_MIN(low, values[i]);
        high = PX_MAX(high, values[i]);
        delta_low = PX_MIN(delta_low, delta);
        delta_high = PX_MAX(delta_high, delta);
    }
    uint8_t width = width_of((uint64_t)high - (uint64_t)low);
    if (n == 1 || width == 0) return (struct pack_plan){PACK_OFFSET, 0, low, 0};
    uint8_t delta_width = width_of((uint64_t)delta_high - (uint64_t)delta_low);
    if (delta_width < width)
        return (struct pack_plan){PACK_DELTA, delta_width, delta_low, values[0]};
    return (struct pack_plan){PACK_OFFSET, width, low, 0};
}

static unsigned char *start(const struct pack_plan *plan, uint32_t n, struct px_buf *buf)
{
    unsigned char head[2] = {(unsigned char)plan->mode, plan->width};
    px_buf_add(buf, head, sizeof head);
    px_buf_add(buf, &plan->base, sizeof plan->base);
    if (plan->mode == PACK_DELTA) px_buf_add(buf, &plan->first, sizeof plan->first);
    size_t bytes = (size_t)plan->width * n;
    unsigned char *planes = (unsigned char *)px_buf_reserve(buf, bytes);
    if (planes) buf->len += bytes;
    return planes;
}

void pack_i64(const int64_t *values, uint32_t n, struct px_buf *buf)
{
    struct pack_plan plan = plan_i64(values, n);
    unsigned char *planes = start(&plan, n, buf);
    if (!planes) return;
    for (unsigned byte = 0; byte < plan.width; byte++) {
        unsigned char *plane = planes + (size_t)byte * n;
        unsigned shift = 8 * byte;
        if (plan.mode == PACK_OFFSET) {
            for (uint32_t i = 0; i < n; i++)
                plane[i] = (unsigned char)(((uint64_t)values[i] - (uint64_t)plan.base) >> shift);
            continue;
        }
        plane[0] = 0; /* the first value stands in the head */
        for (uint32_t i = 1; i < n; i++) {
            uint64_t delta = (uint64_t)values[i] - (uint64_t)values[i - 1];
            plane[i] = (unsigned char)((delta - (uint64_t)plan.base) >> shift);
        }
    }
}

void pack_u32(const uint32_t *values, uint32_t n, struct px_buf *buf)
{
    uint32_t low = n ? values[0] : 0, high = low;
    for (uint32_t i = 1; i < n; i++) {
        low = PX_MIN(low, values[i]);
        high = PX_MAX(high, values[i]);
    }
    struct pack_plan plan = {PACK_OFFSET, width_of(high - low), low, 0};
    unsigned char *planes = start(&plan, n, buf);
    if (!planes) return;
    for (unsigned byte = 0; byte < plan.width; byte++) {
        unsigned char *plane = planes + (size_t)byte * n;
        for (uint32_t i = 0; i < n; i++)
            plane[i] = (unsigned char)((values[i] - low) >> (8 * byte));
    }
}

/* ---- unpacking ---- */

static bool take_plan(struct px_str *rest, uint32_t n, struct pack_plan *ret_plan,
                      const unsigned char **ret_planes)
{
    unsigned char head[2];
    if (!take_bytes(rest, head, sizeof head) || head[0] > PACK_DELTA || head[1] > 8) return false;
    *ret_plan = (struct pack_plan){.mode = (enum pack_mode)head[0], .width = head[1]};
    if (!take_bytes(rest, &ret_plan->base, sizeof ret_plan->base)) return false;
    if (head[0] == PACK_DELTA && !take_bytes(rest, &ret_plan->first, sizeof ret_plan->first))
        return false;
    size_t bytes = (size_t)head[1] * n;
    if (rest->len < bytes) return false;
    *ret_planes = (const unsigned char *)rest->ptr;
    *rest = px_str_skip(*rest, bytes);
    return true;
}

/* Offsets, not yet added to the base. The common widths in one pass, the others plane by plane. */
static void join_planes(const unsigned char *p, unsigned width, uint32_t n, uint64_t *out)
{
    const unsigned char *q = p + n, *r = q + (width > 2 ? n : 0);
    switch (width) {
    case 0: memset(out, 0, n * sizeof *out); return;
    case 1:
        for (uint32_t i = 0; i < n; i++) out[i] = p[i];
        return;
    case 2:
        for (uint32_t i = 0; i < n; i++) out[i] = (uint64_t)p[i] | (uint64_t)q[i] << 8;
        return;
    default:
        for (uint32_t i = 0; i < n; i++)
            out[i] = (uint64_t)p[i] | (uint64_t)q[i] << 8 | (uint64_t)r[i] << 16;
    }
    for (unsigned byte = 3; byte < width; byte++) {
        const unsigned char *plane = p + (size_t)byte * n;
        for (uint32_t i = 0; i < n; i++) out[i] |= (uint64_t)plane[i] << (8 * byte);
    }
}

bool unpack_i64(struct px_str *rest, uint32_t n, int64_t *ret_values)
{
    struct pack_plan plan;
    const unsigned char *planes;
    if (!take_plan(rest, n, &plan, &planes)) return false;
    if (n == 0) return true;
    uint64_t *out = (uint64_t *)ret_values, base = (uint64_t)plan.base;
    join_planes(planes, plan.width, n, out);
    if (plan.mode == PACK_OFFSET) {
        for (uint32_t i = 0; i < n; i++) out[i] += base;
        return true;
    }
    out[0] = (uint64_t)plan.first;
    for (uint32_t i = 1; i < n; i++) out[i] += out[i - 1] + base;
    return true;
}

bool unpack_u32(struct px_str *rest, uint32_t n, uint32_t *ret_values)
{
    struct pack_plan plan;
    const unsigned char *planes;
    if (!take_plan(rest, n, &plan, &planes)) return false;
    bool fits = plan.mode == PACK_OFFSET && plan.width <= 4 && plan.base >= 0 &&
                plan.base <= UINT32_MAX;
    if (!fits) return false;
    uint32_t base = (uint32_t)plan.base; /* a sum past 2^32 wraps; who uses it checks its range */
    for (uint32_t i = 0; i < n; i++) ret_values[i] = base;
    for (unsigned byte = 0; byte < plan.width; byte++) {
        const unsigned char *plane = planes + (size_t)byte * n;
        for (uint32_t i = 0; i < n; i++) ret_values[i] += (uint32_t)plane[i] << (8 * byte);
    }
    return true;
}
