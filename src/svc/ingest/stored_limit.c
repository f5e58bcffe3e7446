/* svc/ingest/stored_limit.c - see stored_limit.h. */
#include "svc/ingest/stored_limit.h"

static uint64_t hash_of(struct px_str s)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < s.len; i++) hash = (hash ^ (uint8_t)s.ptr[i]) * UINT64_C(1099511628211);
    return hash;
}

static void ask_catalog(struct stored_seen *seen, const struct stored_ask *ask)
{
    struct catalog *catalog = NULL;
    int64_t bytes = 0;
    int r = ask->catalog_of(ask->ctx, &catalog);
    if (r == 0) r = catalog_stored(catalog, ask->tenant, &bytes);
    if (r == 0) seen->bytes = bytes; /* else as the header says */
}

int stored_limit_check(struct stored_limit *limit, const struct stored_ask *ask)
{
    struct px_str tenant = ask->tenant;
    if (tenant.len == 0 || tenant.len > sizeof limit->seen[0].tenant)
        return px_fault(PX_F_PROTOCOL, "the authorizer's tenant has a name too long");
    struct stored_seen *seen = &limit->seen[hash_of(tenant) % STORED_TENANTS_MAX];
    int64_t now_ns = px_mono_ns(ask->clock);
    bool is_ours = px_str_eq(px_str(seen->tenant, seen->tenant_len), tenant);
    if (!is_ours) {
        *seen = (struct stored_seen){.tenant_len = (uint8_t)tenant.len};
        memcpy(seen->tenant, tenant.ptr, tenant.len);
    }
    if (!is_ours || now_ns - seen->asked_ns >= STORED_LIMIT_S * PX_NS_PER_S) {
        seen->asked_ns = now_ns;
        ask_catalog(seen, ask);
    }
    return seen->bytes >= ask->limit ? STORED_FULL : 0;
}
