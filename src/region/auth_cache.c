/* region/auth_cache.c - on aws-c-common's LRU cache. An entry is one block: the struct, then its texts. */
#include "region/auth_cache.h"

#include <aws/common/byte_buf.h>
#include <aws/common/lru_cache.h>
#include <stdlib.h>

#define ENTRY_TEXT_MAX (64 * 1024)

struct entry {
    struct aws_byte_cursor identity;
    int64_t expires_mono_ns;
    struct auth_result result;
    char text[];
};
struct auth_cache {
    struct aws_cache *entries;
    const struct px_clock *clock;
    int64_t ttl_ns;
};

static void entry_free(void *value)
{
    struct entry *e = value;
    explicit_bzero((void *)e->identity.ptr, e->identity.len); /* it is a credential */
    free(e);
}

int auth_cache_new(const struct px_clock *clock, uint32_t ttl_s, size_t entries_max,
                   struct auth_cache **ret_cache)
{
    struct auth_cache *cache = calloc(1, sizeof(*cache));
    if (!cache) return px_fault(PX_F_OOM, "authorizer cache");
    cache->clock = clock;
    cache->ttl_ns = (int64_t)ttl_s * PX_NS_PER_S;
    cache->entries = aws_cache_new_lru(aws_default_allocator(), aws_hash_byte_cursor_ptr,
                                       (aws_hash_callback_eq_fn *)aws_byte_cursor_eq, NULL,
                                       entry_free, entries_max);
    if (!cache->entries) {
        free(cache);
        return px_fault(PX_F_OOM, "authorizer cache");
    }
    *ret_cache = cache;
    return 0;
}

void auth_cache_free(struct auth_cache **cache)
{
    if (!*cache) return;
    aws_cache_destroy((*cache)->entries);
    free(*cache);
    *cache = NULL;
}

const struct auth_result *auth_cache_find(struct auth_cache *cache, struct px_str identity)
{
    struct aws_byte_cursor key = aws_byte_cursor_from_array(identity.ptr, identity.len);
    void *value = NULL;
    if (aws_cache_find(cache->entries, &key, &value) != AWS_OP_SUCCESS || !value) return NULL;
    struct entry *e = value;
    if (e->expires_mono_ns > px_mono_ns(cache->clock)) return &e->result;
    aws_cache_remove(cache->entries, &e->identity);
    return NULL;
}

/* Copy a view behind the entry and point it there. */
static void keep(struct px_str *view, char **cursor)
{
    memcpy(*cursor, view->ptr ? view->ptr : "", view->len);
    view->ptr = *cursor;
    *cursor += view->len;
}

static size_t text_bytes(const struct auth_result *r)
{
    size_t n = r->caller.tenant.len + r->caller.key_id.len + r->caller.scopes.len +
               r->caller.tier.len + r->caller.home_region.len + r->caller.shard.len +
               r->caller.quotas.len + r->caller.token.len + r->caller.restriction.len;
    for (size_t i = 0; i < r->statement_count; i++) n += r->statements[i].resource.len;
    return n;
}

int auth_cache_put(struct auth_cache *cache, struct px_str identity,
                   const struct auth_result *result)
{
    size_t bytes = identity.len + text_bytes(result);
    if (cache->ttl_ns == 0 || bytes > ENTRY_TEXT_MAX) return 0;
    struct entry *e = calloc(1, sizeof(*e) + bytes);
    if (!e) return px_fault(PX_F_OOM, "authorizer cache entry");
    char *cursor = e->text;
    e->result = *result;
    keep(&identity, &cursor);
    keep(&e->result.caller.tenant, &cursor);
    keep(&e->result.caller.key_id, &cursor);
    keep(&e->result.caller.scopes, &cursor);
    keep(&e->result.caller.tier, &cursor);
    keep(&e->result.caller.home_region, &cursor);
    keep(&e->result.caller.shard, &cursor);
    keep(&e->result.caller.quotas, &cursor);
    keep(&e->result.caller.token, &cursor);
    keep(&e->result.caller.restriction, &cursor);
    for (size_t i = 0; i < result->statement_count; i++)
        keep(&e->result.statements[i].resource, &cursor);
    e->identity = aws_byte_cursor_from_array(identity.ptr, identity.len);
    e->expires_mono_ns = px_mono_ns(cache->clock) + cache->ttl_ns;
    aws_cache_remove(cache->entries, &e->identity);
    if (aws_cache_put(cache->entries, &e->identity, e) != AWS_OP_SUCCESS) {
        entry_free(e);
        return px_fault(PX_F_OOM, "authorizer cache entry");
    }
    return 0;
}

void auth_cache_clear(struct auth_cache *cache) { aws_cache_clear(cache->entries); }
