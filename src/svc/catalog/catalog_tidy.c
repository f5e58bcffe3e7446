/* svc/catalog/catalog_tidy.c - what maintenance needs besides moving data: dead segments, idle marks,
 * a tenant that is gone. */
#include "svc/catalog/catalog_internal.h"

int catalog_dead(struct catalog *catalog, int64_t grace_ns, size_t max, struct px_arena *arena,
                 struct segment **ret_segments, size_t *ret_count)
{
    const struct meta_value params[] = {
        meta_i(SEGMENT_DEAD), meta_i(px_wall_ns(catalog->clock) - grace_ns), meta_i((int64_t)max)};
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    PX_TRY(meta_select(catalog->meta,
                       "SELECT " SEGMENT_COLUMNS " FROM segments WHERE state = $1 AND "
                       "ended_ns <= $2 ORDER BY ended_ns, id LIMIT $3",
                       params, PX_COUNT(params), &rows));
    struct segment *segments = px_arena_array(arena, struct segment, max);
    if (!segments) return px_arena_fault(arena);
    struct meta_value row[SEGMENT_COLUMN_COUNT];
    size_t count = 0;
    int r;
    while ((r = meta_rows_next(rows, row, SEGMENT_COLUMN_COUNT)) == 0) {
        PX_ASSERT(count < max);
        PX_TRY(segment_from_row(row, count ? &segments[count - 1] : NULL, arena, &segments[count]));
        count++;
    }
    if (r != META_END) return r;
    *ret_segments = segments;
    *ret_count = count;
    return 0;
}

struct forgetting {
    const int64_t *ids;
    size_t count;
};

static int forget_body(struct catalog *catalog, const void *ctx)
{
    const struct forgetting *forgetting = ctx;
    for (size_t i = 0; i < forgetting->count; i++) {
        const struct meta_value params[] = {meta_i(forgetting->ids[i]), meta_i(SEGMENT_DEAD)};
        PX_TRY(catalog_exec(catalog, "DELETE FROM segments WHERE id = $1 AND state = $2", params,
                            PX_COUNT(params), NULL));
    }
    return 0;
}

int catalog_forget(struct catalog *catalog, const int64_t *ids, size_t count)
{
    const struct forgetting forgetting = {ids, count};
    return catalog_write(catalog, forget_body, &forgetting);
}

/* ---- marks ---- */

int catalog_idle_marks(struct catalog *catalog, int64_t older_than_ns, size_t max,
                       struct px_arena *arena, struct idle_mark **ret_marks, size_t *ret_count)
{
    const struct meta_value params[] = {meta_i(px_wall_ns(catalog->clock) - older_than_ns),
                                        meta_i((int64_t)max)};
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    PX_TRY(meta_select(catalog->meta,
                       "SELECT tenant, dataset, writer, sealed_seq FROM marks WHERE sealed_ns < $1 "
                       "ORDER BY sealed_ns, tenant, dataset, writer LIMIT $2",
                       params, PX_COUNT(params), &rows));
    struct idle_mark *marks = px_arena_array(arena, struct idle_mark, max);
    if (!marks) return px_arena_fault(arena);
    struct meta_value row[4];
    size_t count = 0;
    int r;
    while ((r = meta_rows_next(rows, row, 4)) == 0) {
        PX_ASSERT(count < max);
        struct idle_mark *mark = &marks[count++];
        *mark = (struct idle_mark){px_arena_dup(arena, row[0].s), px_arena_dup(arena, row[1].s),
                                   px_arena_dup(arena, row[2].s), (uint64_t)row[3].i};
        if (!mark->tenant.ptr || !mark->dataset.ptr || !mark->writer.ptr)
            return px_arena_fault(arena);
    }
    if (r != META_END) return r;
    *ret_marks = marks;
    *ret_count = count;
    return 0;
}

int catalog_forget_mark(struct catalog *catalog, const struct idle_mark *mark)
{
    const struct meta_value params[] = {meta_s(mark->tenant), meta_s(mark->dataset),
                                        meta_s(mark->writer), meta_i((int64_t)mark->sealed_seq)};
    return catalog_exec(catalog,
                        "DELETE FROM marks WHERE tenant = $1 AND dataset = $2 AND writer = $3 AND "
                        "sealed_seq = $4",
                        params, PX_COUNT(params), NULL);
}

/* ---- what was served when ---- */

static int read_served(struct catalog *catalog, const char *sql, struct px_str tenant,
                       struct px_arena *arena, struct dataset_served **ret_served,
                       size_t *ret_count)
{
    const struct meta_value params[] = {catalog_text(tenant)};
    struct dataset_served *served = NULL;
    size_t count = 0, cap = 0;
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    PX_TRY(meta_select(catalog->meta, sql, params, PX_COUNT(params), &rows));
    struct meta_value row[3];
    int r;
    while ((r = meta_rows_next(rows, row, 3)) == 0) {
        if (count == cap) {
            size_t grown = cap ? cap * 2 : 64;
            served = px_arena_realloc(arena, served, cap * sizeof(*served),
                                      grown * sizeof(*served));
            if (!served) return px_arena_fault(arena);
            cap = grown;
        }
        struct dataset_served *at = &served[count++];
        *at = (struct dataset_served){px_arena_dup(arena, row[0].s), px_arena_dup(arena, row[1].s),
                                      row[2].i};
        if (!at->tenant.ptr || !at->dataset.ptr) return px_arena_fault(arena);
    }
    if (r != META_END) return r;
    *ret_served = served;
    *ret_count = count;
    return 0;
}

int catalog_last_sealed(struct catalog *catalog, struct px_str tenant, struct px_arena *arena,
                        struct dataset_served **ret_served, size_t *ret_count)
{
    return read_served(catalog,
                       "SELECT tenant, dataset, CAST(max(sealed_ns) AS BIGINT) FROM marks "
                       "WHERE $1 = '' OR tenant = $1 GROUP BY tenant, dataset "
                       "ORDER BY tenant, dataset",
                       tenant, arena, ret_served, ret_count);
}

_Static_assert(TIER_ANALYTICS == 2, "number in catalog_last_compacted");
int catalog_last_compacted(struct catalog *catalog, struct px_str tenant, struct px_arena *arena,
                           struct dataset_served **ret_served, size_t *ret_count)
{
    return read_served(catalog,
                       "SELECT tenant, dataset, CAST(max(created_ns) AS BIGINT) FROM segments "
                       "WHERE tier = 2 AND ($1 = '' OR tenant = $1) GROUP BY tenant, dataset "
                       "ORDER BY tenant, dataset",
                       tenant, arena, ret_served, ret_count);
}

/* ---- a tenant that is gone ---- */

int catalog_remains(struct catalog *catalog, struct px_str tenant,
                    struct catalog_remains *ret_remains)
{
    const struct meta_value params[] = {meta_s(tenant)};
    int64_t counts[4];
    PX_TRY(catalog_select_ints(catalog,
                               "SELECT (SELECT count(*) FROM datasets WHERE tenant = $1), "
                               "(SELECT count(*) FROM segments WHERE tenant = $1), "
                               "(SELECT count(*) FROM marks WHERE tenant = $1), "
                               "(SELECT count(*) FROM retention WHERE tenant = $1)",
                               params, PX_COUNT(params), counts, PX_COUNT(counts)));
    *ret_remains = (struct catalog_remains){counts[0], counts[1], counts[2], counts[3]};
    return 0;
}

static int erase_body(struct catalog *catalog, const void *ctx)
{
    const struct px_str *tenant = ctx;
    const struct meta_value params[] = {meta_s(*tenant)};
    PX_TRY(catalog_exec(catalog, "DELETE FROM segments WHERE tenant = $1", params, 1, NULL));
    PX_TRY(catalog_exec(catalog, "DELETE FROM marks WHERE tenant = $1", params, 1, NULL));
    PX_TRY(catalog_exec(catalog, "DELETE FROM retention WHERE tenant = $1", params, 1, NULL));
    return catalog_exec(catalog, "DELETE FROM datasets WHERE tenant = $1", params, 1, NULL);
}

int catalog_erase_tenant(struct catalog *catalog, struct px_str tenant)
{
    PX_ASSERT(tenant.len > 0);
    PX_TRY(catalog_write(catalog, erase_body, &tenant));
    return meta_scrub(catalog->meta); /* statistics of segments hold values of columns */
}
