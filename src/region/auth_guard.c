/* region/auth_guard.c - a bucket that leaks for each source, in aws-c-common's LRU cache: `dry_mono_ns` is the moment at which it
 * will have run dry, and each wrong key puts that off. */
#include "region/auth_guard.h"

#include <arpa/inet.h>
#include <aws/common/byte_buf.h>
#include <aws/common/lru_cache.h>
#include <stdlib.h>

#define SOURCE_BYTES 16

struct source {
    struct aws_byte_cursor key; /* of bytes */
    uint8_t bytes[SOURCE_BYTES];
    int64_t dry_mono_ns;
};
struct auth_guard {
    struct aws_cache *sources;
    const struct px_clock *clock;
    int64_t each_ns; /* that a wrong key is remembered for; 0: nobody waits */
    int64_t most_ns; /* that a source may be ahead */
};

int auth_guard_new(const struct px_clock *clock, uint32_t max, size_t sources_max,
                   struct auth_guard **ret_guard)
{
    struct auth_guard *guard = calloc(1, sizeof(*guard));
    if (!guard) return px_fault(PX_F_OOM, "guard of keys");
    guard->clock = clock;
    guard->most_ns = AUTH_GUARD_WINDOW_S * PX_NS_PER_S;
    guard->each_ns = max ? guard->most_ns / max : 0;
    guard->sources = aws_cache_new_lru(aws_default_allocator(), aws_hash_byte_cursor_ptr,
                                       (aws_hash_callback_eq_fn *)aws_byte_cursor_eq, NULL, free,
                                       sources_max);
    if (!guard->sources) {
        free(guard);
        return px_fault(PX_F_OOM, "guard of keys");
    }
    *ret_guard = guard;
    return 0;
}

void auth_guard_free(struct auth_guard **guard)
{
    if (!*guard) return;
    aws_cache_destroy((*guard)->sources);
    free(*guard);
    *guard = NULL;
}

/* IPv4 as IPv6 maps it; of IPv6 the network's half, for whoever has an address there has them all. What is no address is one source. */
static void read_source(struct px_str text, uint8_t ret_bytes[SOURCE_BYTES])
{
    char c[INET6_ADDRSTRLEN + 8];
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    memset(ret_bytes, 0, SOURCE_BYTES);
    if (text.len == 0 || text.len >= sizeof c) return;
    memcpy(c, text.ptr, text.len);
    c[text.len] = '\0';
    if (inet_pton(AF_INET, c, ret_bytes + sizeof mapped) == 1) {
        memcpy(ret_bytes, mapped, sizeof mapped);
        return;
    }
    if (inet_pton(AF_INET6, c, ret_bytes) != 1) memset(ret_bytes, 0, SOURCE_BYTES);
    if (memcmp(ret_bytes, mapped, sizeof mapped) != 0)
        memset(ret_bytes + SOURCE_BYTES / 2, 0, SOURCE_BYTES / 2);
}

static struct source *find(struct auth_guard *guard, const uint8_t bytes[SOURCE_BYTES])
{
    struct aws_byte_cursor key = aws_byte_cursor_from_array(bytes, SOURCE_BYTES);
    void *value = NULL;
    (void)aws_cache_find(guard->sources, &key, &value);
    return value;
}

uint32_t auth_guard_wait_s(struct auth_guard *guard, struct px_str source)
{
    uint8_t bytes[SOURCE_BYTES];
    if (guard->each_ns == 0) return 0;
    read_source(source, bytes);
    const struct source *found = find(guard, bytes);
    if (!found) return 0;
    int64_t over = found->dry_mono_ns - px_mono_ns(guard->clock) + guard->each_ns - guard->most_ns;
    return over > 0 ? (uint32_t)((over + PX_NS_PER_S - 1) / PX_NS_PER_S) : 0;
}

void auth_guard_blame(struct auth_guard *guard, struct px_str source)
{
    uint8_t bytes[SOURCE_BYTES];
    if (guard->each_ns == 0) return;
    read_source(source, bytes);
    int64_t now = px_mono_ns(guard->clock);
    struct source *found = find(guard, bytes);
    if (found) {
        found->dry_mono_ns = PX_MAX(found->dry_mono_ns, now) + guard->each_ns;
        found->dry_mono_ns = PX_MIN(found->dry_mono_ns, now + guard->most_ns);
        return;
    }
    found = calloc(1, sizeof(*found));
    if (!found) return;
    memcpy(found->bytes, bytes, SOURCE_BYTES);
    found->key = aws_byte_cursor_from_array(found->bytes, SOURCE_BYTES);
    found->dry_mono_ns = now + guard->each_ns;
    if (aws_cache_put(guard->sources, &found->key, found) != AWS_OP_SUCCESS) free(found);
}
