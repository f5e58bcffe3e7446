/* svc/catalog/catalog_list.c - datasets with what their live segments add up to. */
#include "svc/catalog/catalog_internal.h"

#define INFO_COLUMNS 14
/* $1, $2: tenant and dataset, empty for all. A dataset without segments is listed with zeros. */
static const char list_sql[] =
    "SELECT d.tenant, d.name, d.version, d.schema_json, d.retention_days,"
    " CAST(coalesce(sum(CASE WHEN s.state = 1 THEN s.row_count ELSE 0 END), 0) AS BIGINT),"
    " CAST(coalesce(sum(CASE WHEN s.state = 1 THEN s.byte_count ELSE 0 END), 0) AS BIGINT),"
    " coalesce(sum(CASE WHEN s.state = 1 THEN 1 ELSE 0 END), 0),"
    " coalesce(sum(CASE WHEN s.state = 3 THEN 1 ELSE 0 END), 0),"
    " coalesce(min(CASE WHEN s.state = 1 THEN s.time_min_us ELSE NULL END), 0),"
    " coalesce(max(CASE WHEN s.state = 1 THEN s.time_max_us ELSE NULL END), 0),"
    " coalesce(r.days, 0), coalesce(r.rules_json, ''), coalesce(o.rules_json, '')"
    " FROM datasets d LEFT JOIN retention r ON r.tenant = d.tenant AND r.dataset = ''"
    " LEFT JOIN retention o ON o.tenant = d.tenant AND o.dataset = d.name"
    " LEFT JOIN segments s"
    " ON s.tenant = d.tenant AND s.dataset = d.name AND s.state <> 2"
    " WHERE d.dropped_ns = 0 AND ($1 = '' OR d.tenant = $1) AND ($2 = '' OR d.name = $2)"
    " GROUP BY d.tenant, d.name, d.version, d.schema_json, d.retention_days, r.days,"
    " r.rules_json, o.rules_json"
    " ORDER BY d.tenant, d.name";

_Static_assert(SEGMENT_LIVE == 1 && SEGMENT_DEAD == 2 && SEGMENT_QUARANTINED == 3,
               "numbers in list_sql");

struct listing {
    struct dataset_key key;
    struct px_arena *arena;
    struct dataset_info *infos;
    size_t count;
};

static int info_from_row(const struct meta_value *row, struct px_arena *arena,
                         struct dataset_info *info)
{
    *info = (struct dataset_info){
        .tenant = px_arena_dup(arena, row[0].s),
        .name = px_arena_dup(arena, row[1].s),
        .version = row[2].i,
        .schema_json = px_arena_dup(arena, row[3].s),
        .retention_days = row[4].i,
        .rows = row[5].i,
        .bytes = row[6].i,
        .segments = row[7].i,
        .quarantined = row[8].i,
        .time_min_us = row[9].i,
        .time_max_us = row[10].i,
        .tenant_days = row[11].i,
        .tenant_rules = px_arena_dup(arena, row[12].s),
        .rules = px_arena_dup(arena, row[13].s),
    };
    bool copied = info->tenant.ptr && info->name.ptr && info->schema_json.ptr &&
                  info->tenant_rules.ptr && info->rules.ptr;
    return copied ? 0 : px_arena_fault(arena);
}

static int list_rows(struct catalog *catalog, void *ctx)
{
    struct listing *listing = ctx;
    const struct meta_value params[] = {catalog_text(listing->key.tenant),
                                        catalog_text(listing->key.name)};
    int64_t count = 0;
    PX_TRY(catalog_select_ints(catalog,
                               "SELECT count(*) FROM datasets WHERE dropped_ns = 0 AND "
                               "($1 = '' OR tenant = $1) AND ($2 = '' OR name = $2)",
                               params, PX_COUNT(params), &count, 1));
    listing->infos = px_arena_array(listing->arena, struct dataset_info, (size_t)count);
    if (!listing->infos) return px_arena_fault(listing->arena);

    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    PX_TRY(meta_select(catalog->meta, list_sql, params, PX_COUNT(params), &rows));
    struct meta_value row[INFO_COLUMNS];
    int r;
    while ((r = meta_rows_next(rows, row, INFO_COLUMNS)) == 0) {
        PX_ASSERT(listing->count < (size_t)count); /* one snapshot */
        PX_TRY(info_from_row(row, listing->arena, &listing->infos[listing->count]));
        listing->count++;
    }
    return r == META_END ? 0 : r;
}

int catalog_list(struct catalog *catalog, struct px_str tenant, struct px_arena *arena,
                 struct dataset_info **ret_datasets, size_t *ret_count)
{
    struct listing listing = {{tenant, {0}}, arena, NULL, 0};
    PX_TRY(catalog_snapshot_read(catalog, META_SNAPSHOT, list_rows, &listing));
    *ret_datasets = listing.infos;
    *ret_count = listing.count;
    return 0;
}

int catalog_stored(struct catalog *catalog, struct px_str tenant, int64_t *ret_bytes)
{
    const struct meta_value params[] = {meta_s(tenant), meta_i(SEGMENT_LIVE)};
    PX_ASSERT(tenant.len > 0);
    return catalog_select_ints(catalog,
                               "SELECT CAST(coalesce(sum(byte_count), 0) AS BIGINT) FROM segments "
                               "WHERE tenant = $1 AND state = $2",
                               params, PX_COUNT(params), ret_bytes, 1);
}

int catalog_find(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                 struct px_arena *arena, struct dataset_info *ret_dataset)
{
    PX_ASSERT(tenant.len > 0 && dataset.len > 0);
    struct listing listing = {{tenant, dataset}, arena, NULL, 0};
    PX_TRY(catalog_snapshot_read(catalog, META_SNAPSHOT, list_rows, &listing));
    if (listing.count == 0) return CATALOG_ABSENT;
    *ret_dataset = listing.infos[0];
    return 0;
}

struct dropped_listing {
    struct px_str tenant;
    struct px_arena *arena;
    struct px_str *names;
    size_t count;
};

static int dropped_rows(struct catalog *catalog, void *ctx)
{
    struct dropped_listing *listing = ctx;
    const struct meta_value params[] = {meta_s(listing->tenant)};
    int64_t count = 0;
    PX_TRY(catalog_select_ints(
        catalog, "SELECT count(*) FROM datasets WHERE tenant = $1 AND dropped_ns <> 0", params,
        PX_COUNT(params), &count, 1));
    listing->names = px_arena_array(listing->arena, struct px_str, (size_t)count);
    if (!listing->names) return px_arena_fault(listing->arena);
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    PX_TRY(meta_select(catalog->meta,
                       "SELECT name FROM datasets WHERE tenant = $1 AND dropped_ns <> 0 "
                       "ORDER BY name",
                       params, PX_COUNT(params), &rows));
    struct meta_value row[1];
    int r;
    while ((r = meta_rows_next(rows, row, 1)) == 0) {
        PX_ASSERT(listing->count < (size_t)count); /* one snapshot */
        struct px_str *name = &listing->names[listing->count++];
        *name = px_arena_dup(listing->arena, row[0].s);
        if (!name->ptr) return px_arena_fault(listing->arena);
    }
    return r == META_END ? 0 : r;
}

int catalog_dropped(struct catalog *catalog, struct px_str tenant, struct px_arena *arena,
                    struct px_str **ret_names, size_t *ret_count)
{
    struct dropped_listing listing = {tenant, arena, NULL, 0};
    PX_TRY(catalog_snapshot_read(catalog, META_SNAPSHOT, dropped_rows, &listing));
    *ret_names = listing.names;
    *ret_count = listing.count;
    return 0;
}
