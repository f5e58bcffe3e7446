/* svc/catalog/catalog_retention.c - how long rows stay: what was said of it, and which segments were held against rules.
 *
 * Days of a dataset are in its own row, where functions have always looked; its rules, and what the tenant says of all that do
 * not say it themselves, are in `retention`. */
#include "svc/catalog/catalog_internal.h"

/* ---- what was said ---- */

int catalog_set_retention(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                          int64_t days)
{
    PX_ASSERT(days >= 0);
    const struct meta_value params[] = {meta_s(tenant), meta_s(dataset), meta_i(days),
                                        meta_s(S(CATALOG_EMPTY_SCHEMA)),
                                        meta_i(px_wall_ns(catalog->clock))};
    return catalog_exec(catalog,
                        "INSERT INTO datasets (tenant, name, version, schema_json, retention_days, "
                        "created_ns, dropped_ns) VALUES ($1, $2, 1, $4, $3, $5, 0) "
                        "ON CONFLICT (tenant, name) DO UPDATE SET version = datasets.version + 1, "
                        "retention_days = $3, dropped_ns = 0",
                        params, PX_COUNT(params), NULL);
}

int catalog_put_rules(struct catalog *catalog, const struct dataset_key *key, int64_t days,
                      struct px_str rules, int64_t *ret_changed)
{
    const struct meta_value params[] = {meta_s(key->tenant), catalog_text(key->name), meta_i(days),
                                        catalog_text(rules), meta_i(px_wall_ns(catalog->clock))};
    if (days == 0 && rules.len == 0)
        return catalog_exec(catalog, "DELETE FROM retention WHERE tenant = $1 AND dataset = $2",
                            params, 2, ret_changed);
    return catalog_exec(catalog,
                        "INSERT INTO retention (tenant, dataset, days, rules_json, changed_ns) "
                        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, dataset) DO UPDATE SET "
                        "days = $3, rules_json = $4, changed_ns = $5 "
                        "WHERE retention.days <> $3 OR retention.rules_json <> $4",
                        params, PX_COUNT(params), ret_changed);
}

struct saying {
    struct dataset_key key; /* name empty: of all */
    int64_t days;
    struct px_str rules;
};

static int say_body(struct catalog *catalog, const void *ctx)
{
    const struct saying *saying = ctx;
    const struct dataset_key *key = &saying->key;
    if (key->name.len == 0)
        return catalog_put_rules(catalog, key, saying->days, saying->rules, NULL);
    PX_TRY(catalog_set_retention(catalog, key->tenant, key->name, saying->days));
    return catalog_put_rules(catalog, key, 0, saying->rules, NULL);
}

int catalog_say_retention(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                          int64_t days, struct px_str rules)
{
    PX_ASSERT(tenant.len > 0 && days >= 0);
    const struct saying saying = {{tenant, dataset}, days, rules};
    return catalog_write(catalog, say_body, &saying);
}

int catalog_set_tenant_retention(struct catalog *catalog, struct px_str tenant, int64_t days)
{
    return catalog_say_retention(catalog, tenant, S(""), days, S(""));
}

int catalog_tenant_retention(struct catalog *catalog, struct px_str tenant, struct px_arena *arena,
                             struct tenant_retention *ret_retention)
{
    const struct meta_value params[] = {meta_s(tenant)};
    struct meta_value row[2];
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    PX_TRY(meta_select(catalog->meta,
                       "SELECT days, rules_json FROM retention WHERE tenant = $1 AND dataset = ''",
                       params, PX_COUNT(params), &rows));
    *ret_retention = (struct tenant_retention){0};
    int r = meta_rows_next(rows, row, 2);
    if (r == META_END) return 0;
    PX_TRY(r);
    ret_retention->days = row[0].i;
    ret_retention->rules = px_arena_dup(arena, row[1].s);
    return ret_retention->rules.ptr ? 0 : px_arena_fault(arena);
}

/* ---- segments and rules ---- */

int catalog_aged(struct catalog *catalog, const struct dataset_key *key, int64_t older_than_us,
                 struct px_arena *arena, struct aged_segment **ret_segments, size_t *ret_count)
{
    const struct meta_value params[] = {meta_s(key->tenant), meta_s(key->name),
                                        meta_i(SEGMENT_LIVE), meta_i(older_than_us)};
    struct aged_segment *segments = NULL;
    size_t count = 0, cap = 0;
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    PX_TRY(meta_select(catalog->meta,
                       "SELECT " SEGMENT_COLUMNS ", rules_done FROM segments WHERE tenant = $1 AND "
                       "dataset = $2 AND state = $3 AND time_max_us < $4 ORDER BY time_max_us, id",
                       params, PX_COUNT(params), &rows));
    struct meta_value row[SEGMENT_COLUMN_COUNT + 1];
    int r;
    while ((r = meta_rows_next(rows, row, SEGMENT_COLUMN_COUNT + 1)) == 0) {
        if (count == cap) {
            size_t grown = cap ? cap * 2 : 64;
            segments = px_arena_realloc(arena, segments, cap * sizeof(*segments),
                                        grown * sizeof(*segments));
            if (!segments) return px_arena_fault(arena);
            cap = grown;
        }
        struct aged_segment *at = &segments[count];
        const struct segment *before = count ? &segments[count - 1].segment : NULL;
        PX_TRY(segment_from_row(row, before, arena, &at->segment));
        at->rules_done = px_arena_dup(arena, row[SEGMENT_COLUMN_COUNT].s);
        if (!at->rules_done.ptr) return px_arena_fault(arena);
        count++;
    }
    if (r != META_END) return r;
    *ret_segments = segments;
    *ret_count = count;
    return 0;
}

int catalog_rules_done(struct catalog *catalog, int64_t id, struct px_str done)
{
    const struct meta_value params[] = {catalog_text(done), meta_i(id), meta_i(SEGMENT_LIVE)};
    return catalog_exec(catalog, "UPDATE segments SET rules_done = $1 WHERE id = $2 AND state = $3",
                        params, PX_COUNT(params), NULL);
}

static int reduce_body(struct catalog *catalog, const void *ctx)
{
    const struct catalog_reduction *reduction = ctx;
    const struct dataset_key *key = &reduction->key;
    int r = catalog_bump(catalog, key);
    if (r == CATALOG_ABSENT) return CATALOG_CONFLICT;
    PX_TRY(r);
    int64_t rows = 0, kept = reduction->kept ? reduction->kept->rows : 0;
    const struct meta_value params[] = {meta_i(reduction->id)};
    r = catalog_select_ints(catalog, "SELECT row_count FROM segments WHERE id = $1", params, 1,
                            &rows, 1);
    if (r == META_END) return CATALOG_CONFLICT;
    PX_TRY(r);
    r = catalog_end_segment(catalog, key, reduction->id);
    if (r != 0) return r;
    if (rows != kept + reduction->removed)
        return px_fault(PX_F_CORRUPT, "%.*s/%.*s: %lld rows became %lld, though %lld were to go",
                        PX_FMT(key->tenant), PX_FMT(key->name), (long long)rows, (long long)kept,
                        (long long)reduction->removed);
    if (!reduction->kept) return 0;
    PX_TRY(catalog_insert_segments(catalog, key, reduction->kept, 1));
    const struct meta_value done[] = {catalog_text(reduction->done), meta_s(reduction->kept->key)};
    return catalog_exec(catalog, "UPDATE segments SET rules_done = $1 WHERE object_key = $2", done,
                        PX_COUNT(done), NULL);
}

int catalog_reduce(struct catalog *catalog, const struct catalog_reduction *reduction)
{
    PX_ASSERT(reduction->removed > 0);
    return catalog_write(catalog, reduce_body, reduction);
}
