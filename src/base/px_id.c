/* base/px_id.c - random bytes and identifiers. */
#include "base/px_id.h"

#include <errno.h>
#include <sys/random.h>

#include "base/px_clock.h"

void px_random(void *bytes, size_t n)
{
    char *at = bytes;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        PX_ASSERT(got >= 0 || errno == EINTR);
        if (got < 0) continue;
        at += got;
        n -= (size_t)got;
    }
}

void px_random_from(struct px_random_stock *stock, void *bytes, size_t n)
{
    if (!stock || n > sizeof stock->bytes) {
        px_random(bytes, n);
        return;
    }
    if (stock->left < n) {
        px_random(stock->bytes, sizeof stock->bytes);
        stock->left = sizeof stock->bytes;
    }
    stock->left -= n;
    memcpy(bytes, stock->bytes + stock->left, n);
}

uint64_t px_random_u64(void)
{
    uint64_t value;
    px_random(&value, sizeof value);
    return value;
}

/* 48 bits of milliseconds, version, 12 bits of the millisecond's fraction (RFC 9562 section 6.2,
 * method 3), variant, 62 random bits. */
void px_uuid7_from(struct px_random_stock *stock, int64_t wall_ns, char buf[37])
{
    uint64_t low;
    px_random_from(stock, &low, sizeof low);
    uint64_t ns = wall_ns < 0 ? 0 : (uint64_t)wall_ns;
    uint64_t ms = ns / (uint64_t)PX_NS_PER_MS;
    uint64_t fraction = (ns % (uint64_t)PX_NS_PER_MS) * 4096 / (uint64_t)PX_NS_PER_MS;
    uint64_t high = ms << 16 | 0x7000u | fraction;
    low = (low >> 2) | UINT64_C(1) << 63;

    unsigned char raw[16];
    for (int i = 0; i < 8; i++) {
        raw[i] = (unsigned char)(high >> (56 - 8 * i));
        raw[8 + i] = (unsigned char)(low >> (56 - 8 * i));
    }
    char hex[33];
    px_hex(raw, sizeof raw, hex);
    static const unsigned char group_chars[] = {8, 4, 4, 4, 12};
    const char *from = hex;
    for (size_t i = 0; i < PX_COUNT(group_chars); i++) {
        if (i > 0) *buf++ = '-';
        memcpy(buf, from, group_chars[i]);
        buf += group_chars[i];
        from += group_chars[i];
    }
    *buf = '\0';
}

void px_uuid7(int64_t wall_ns, char buf[37]) { px_uuid7_from(NULL, wall_ns, buf); }

void px_hex(const void *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = bytes;
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[in[i] >> 4];
        *out++ = digits[in[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool px_unhex(struct px_str text, void *ret_bytes, size_t n)
{
    if (text.len / 2 != n || text.len % 2 != 0) return false;
    for (size_t i = 0; i < text.len; i++)
        if (hex_value(text.ptr[i]) < 0) return false;
    unsigned char *out = ret_bytes;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)(16 * hex_value(text.ptr[2 * i]) + hex_value(text.ptr[2 * i + 1]));
    return true;
}

bool px_secret_eq(struct px_str a, struct px_str b)
{
    if (a.len != b.len) return false;
    volatile unsigned char difference = 0;
    for (size_t i = 0; i < a.len; i++) difference |= (unsigned char)(a.ptr[i] ^ b.ptr[i]);
    return difference == 0;
}
