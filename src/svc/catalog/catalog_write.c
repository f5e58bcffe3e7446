/* svc/catalog/catalog_write.c - the changes of a dataset: seal, replace, expire, set aside, drop.
 *
 *   a segment:  (absent) --seal, replace--> LIVE --replace, expire, drop--> DEAD --forget--> (absent)
 *                                           LIVE --quarantine--> QUARANTINED --drop--> DEAD
 *   a mark:     (absent, 0) --seal, drop--> seq, only upwards
 *
 * Each change is one transaction that first adds 1 to the dataset's version. There is one writer at a time. */
#include "svc/catalog/catalog_internal.h"

/* ---- pieces, inside a write transaction ---- */

int catalog_bump(struct catalog *catalog, const struct dataset_key *key)
{
    const struct meta_value params[] = {meta_s(key->tenant), meta_s(key->name)};
    int64_t changed = 0;
    PX_TRY(catalog_exec(catalog,
                        "UPDATE datasets SET version = version + 1 WHERE tenant = $1 AND name = $2",
                        params, PX_COUNT(params), &changed));
    return changed == 1 ? 0 : CATALOG_ABSENT;
}

/* Take `count` numbers; the first is written. */
static int take_ids(struct catalog *catalog, size_t count, int64_t *ret_first)
{
    const struct meta_value params[] = {meta_i((int64_t)count)};
    PX_TRY(catalog_exec(catalog, "UPDATE counters SET value = value + $1 WHERE name = 'segment'",
                        params, 1, NULL));
    int64_t last = 0;
    int r = catalog_select_ints(catalog, "SELECT value FROM counters WHERE name = 'segment'", NULL,
                                0, &last, 1);
    if (r == META_END) return px_fault(PX_F_CORRUPT, "the catalog's counter is gone");
    PX_TRY(r);
    *ret_first = last - (int64_t)count + 1;
    return 0;
}

int catalog_insert_segments(struct catalog *catalog, const struct dataset_key *key,
                            const struct segment *segments, size_t count)
{
    int64_t id = 0;
    if (count > 0) PX_TRY(take_ids(catalog, count, &id));
    for (size_t i = 0; i < count; i++) {
        const struct segment *segment = &segments[i];
        PX_ASSERT(segment->rows > 0 && segment->time_min_us <= segment->time_max_us);
        const struct meta_value params[] = {meta_i(id + (int64_t)i),
                                            meta_s(key->tenant),
                                            meta_s(key->name),
                                            meta_i(SEGMENT_LIVE),
                                            meta_s(segment->key),
                                            meta_i(segment->tier),
                                            meta_i(segment->time_min_us),
                                            meta_i(segment->time_max_us),
                                            meta_i(segment->rows),
                                            meta_i(segment->bytes),
                                            meta_i(px_wall_ns(catalog->clock)),
                                            catalog_text(segment->schema_json),
                                            catalog_text(segment->stats_json)};
        PX_TRY(catalog_exec(catalog,
                            "INSERT INTO segments (id, tenant, dataset, state, object_key, tier, "
                            "time_min_us, time_max_us, row_count, byte_count, created_ns, "
                            "ended_ns, reason, schema_json, stats_json) VALUES "
                            "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, '', $12, $13)",
                            params, PX_COUNT(params), NULL));
    }
    return 0;
}

/* Answers: CATALOG_CONFLICT when the mark is elsewhere. */
static int move_mark(struct catalog *catalog, const struct dataset_key *key,
                     const struct seal_mark *mark)
{
    PX_ASSERT(mark->to > mark->from);
    const struct meta_value params[] = {
        meta_i((int64_t)mark->to), meta_i(px_wall_ns(catalog->clock)),
        meta_s(key->tenant),       meta_s(key->name),
        meta_s(mark->writer),      meta_i((int64_t)mark->from)};
    int64_t changed = 0;
    PX_TRY(catalog_exec(catalog,
                        "UPDATE marks SET sealed_seq = $1, sealed_ns = $2 WHERE tenant = $3 AND "
                        "dataset = $4 AND writer = $5 AND sealed_seq = $6",
                        params, PX_COUNT(params), &changed));
    if (changed == 1) return 0;
    if (mark->from != 0) return CATALOG_CONFLICT;
    PX_TRY(catalog_exec(catalog,
                        "INSERT INTO marks (sealed_seq, sealed_ns, tenant, dataset, writer) VALUES "
                        "($1, $2, $3, $4, $5) ON CONFLICT (tenant, dataset, writer) DO NOTHING",
                        params, PX_COUNT(params) - 1, &changed));
    return changed == 1 ? 0 : CATALOG_CONFLICT;
}

int catalog_move_marks(struct catalog *catalog, const struct dataset_key *key,
                       const struct seal_mark *marks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int r = move_mark(catalog, key, &marks[i]);
        if (r != 0) return r;
    }
    return 0;
}

/* Live segments become dead or set aside. Answers: CATALOG_CONFLICT when it is not live. */
static int end_segment(struct catalog *catalog, const struct dataset_key *key, int64_t id,
                       enum segment_state state, struct px_str reason)
{
    const struct meta_value params[] = {meta_i(state),        meta_i(px_wall_ns(catalog->clock)),
                                        catalog_text(reason), meta_i(id),
                                        meta_s(key->tenant),  meta_s(key->name),
                                        meta_i(SEGMENT_LIVE)};
    int64_t changed = 0;
    PX_TRY(catalog_exec(catalog,
                        "UPDATE segments SET state = $1, ended_ns = $2, reason = $3 WHERE id = $4 "
                        "AND tenant = $5 AND dataset = $6 AND state = $7",
                        params, PX_COUNT(params), &changed));
    return changed == 1 ? 0 : CATALOG_CONFLICT;
}

int catalog_end_segment(struct catalog *catalog, const struct dataset_key *key, int64_t id)
{
    return end_segment(catalog, key, id, SEGMENT_DEAD, S(""));
}

/* ---- seal ---- */

#define SCHEMA_ARENA_BYTES_MAX ((size_t)8 << 20)

/* Whether every column of `before` is in `after` with the same or a wider type. */
static int schema_keeps(struct px_str before, struct px_str after, bool *ret_keeps)
{
    *ret_keeps = true;
    if (px_str_eq(before, after)) return 0;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, SCHEMA_ARENA_BYTES_MAX);
    struct schema old, new;
    int r = schema_from_json(before, &arena, &old);
    if (r == SCHEMA_INVALID) return px_fault(PX_F_CORRUPT, "a stored schema does not parse");
    PX_TRY(r);
    r = schema_from_json(after, &arena, &new);
    if (r == SCHEMA_INVALID) return px_fault(PX_F_BUG, "a new schema does not parse");
    PX_TRY(r);
    for (uint32_t i = 0; i < old.count && *ret_keeps; i++) {
        int at = schema_find(&new, old.columns[i].name);
        enum col_type was = old.columns[i].type;
        enum col_type is = at < 0 ? COL_MIXED : new.columns[at].type;
        *ret_keeps = is == was || (was == COL_INT && is == COL_DOUBLE);
    }
    return 0;
}

/* The dataset's row with the new schema and the next version. Answers: CATALOG_CONFLICT. */
static int put_dataset(struct catalog *catalog, const struct dataset_key *key,
                       struct px_str schema_json)
{
    const struct meta_value params[] = {meta_s(key->tenant), meta_s(key->name),
                                        meta_s(S(CATALOG_EMPTY_SCHEMA)),
                                        meta_i(px_wall_ns(catalog->clock))};
    PX_TRY(catalog_exec(catalog,
                        "INSERT INTO datasets (tenant, name, version, schema_json, retention_days, "
                        "created_ns, dropped_ns) VALUES ($1, $2, 1, $3, 0, $4, 0) "
                        "ON CONFLICT (tenant, name) DO UPDATE SET version = datasets.version + 1, "
                        "dropped_ns = 0",
                        params, PX_COUNT(params), NULL));
    bool keeps = false;
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    PX_TRY(meta_select(catalog->meta,
                       "SELECT schema_json FROM datasets WHERE tenant = $1 AND name = $2", params,
                       2, &rows));
    struct meta_value row[1];
    PX_TRY(meta_rows_next(rows, row, 1));
    PX_TRY(schema_keeps(row[0].s, schema_json, &keeps));
    meta_rows_close(&rows);
    if (!keeps) return CATALOG_CONFLICT;
    const struct meta_value set[] = {meta_s(key->tenant), meta_s(key->name), meta_s(schema_json)};
    return catalog_exec(catalog,
                        "UPDATE datasets SET schema_json = $3 WHERE tenant = $1 AND name = $2", set,
                        PX_COUNT(set), NULL);
}

static int seal_body(struct catalog *catalog, const void *ctx)
{
    const struct catalog_sealing *sealing = ctx;
    const struct dataset_key key = {sealing->tenant, sealing->dataset};
    int r = put_dataset(catalog, &key, sealing->schema_json);
    if (r == 0) r = catalog_move_marks(catalog, &key, sealing->marks, sealing->mark_count);
    if (r != 0) return r;
    return catalog_insert_segments(catalog, &key, sealing->segments, sealing->segment_count);
}

int catalog_seal(struct catalog *catalog, const struct catalog_sealing *sealing)
{
    PX_ASSERT(sealing->mark_count > 0);
    return catalog_write(catalog, seal_body, sealing);
}

/* ---- replace ---- */

struct replacing {
    struct dataset_key key;
    const int64_t *old_ids;
    size_t old_count;
    const struct segment *segments;
    size_t segment_count;
};

static int rows_of(struct catalog *catalog, const struct replacing *replacing, int64_t *ret_rows)
{
    int64_t sum = 0;
    for (size_t i = 0; i < replacing->old_count; i++) {
        const struct meta_value params[] = {meta_i(replacing->old_ids[i])};
        int64_t rows = 0;
        int r = catalog_select_ints(catalog, "SELECT row_count FROM segments WHERE id = $1", params,
                                    1, &rows, 1);
        if (r == META_END) return CATALOG_CONFLICT;
        PX_TRY(r);
        sum += rows;
    }
    *ret_rows = sum;
    return 0;
}

static int replace_body(struct catalog *catalog, const void *ctx)
{
    const struct replacing *replacing = ctx;
    int r = catalog_bump(catalog, &replacing->key);
    if (r == CATALOG_ABSENT) return CATALOG_CONFLICT;
    PX_TRY(r);
    for (size_t i = 0; i < replacing->old_count; i++) {
        r = end_segment(catalog, &replacing->key, replacing->old_ids[i], SEGMENT_DEAD, S(""));
        if (r != 0) return r;
    }
    int64_t rows_before = 0, rows_after = 0;
    r = rows_of(catalog, replacing, &rows_before);
    if (r != 0) return r;
    for (size_t i = 0; i < replacing->segment_count; i++) rows_after += replacing->segments[i].rows;
    if (rows_before != rows_after)
        return px_fault(PX_F_CORRUPT, "%.*s/%.*s: %lld rows would replace %lld",
                        PX_FMT(replacing->key.tenant), PX_FMT(replacing->key.name),
                        (long long)rows_after, (long long)rows_before);
    return catalog_insert_segments(catalog, &replacing->key, replacing->segments,
                                   replacing->segment_count);
}

int catalog_replace(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                    const int64_t *old_ids, size_t old_count, const struct segment *segments,
                    size_t segment_count)
{
    const struct replacing replacing = {
        {tenant, dataset}, old_ids, old_count, segments, segment_count};
    return catalog_write(catalog, replace_body, &replacing);
}

/* ---- expire, quarantine ---- */

struct ending {
    struct dataset_key key;
    int64_t older_than_us;
    int64_t id;
    struct px_str reason;
    size_t *count;
};

/* Answers: CATALOG_ABSENT when nothing is that old; rolled back, so that the version stays. */
static int expire_body(struct catalog *catalog, const void *ctx)
{
    const struct ending *ending = ctx;
    int r = catalog_bump(catalog, &ending->key);
    if (r != 0) return r;
    const struct meta_value params[] = {
        meta_i(SEGMENT_DEAD),       meta_i(px_wall_ns(catalog->clock)),
        meta_s(ending->key.tenant), meta_s(ending->key.name),
        meta_i(SEGMENT_LIVE),       meta_i(ending->older_than_us)};
    int64_t changed = 0;
    PX_TRY(catalog_exec(catalog,
                        "UPDATE segments SET state = $1, ended_ns = $2 WHERE tenant = $3 AND "
                        "dataset = $4 AND state = $5 AND time_max_us < $6",
                        params, PX_COUNT(params), &changed));
    *ending->count = (size_t)changed;
    return changed > 0 ? 0 : CATALOG_ABSENT;
}

int catalog_expire(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                   int64_t older_than_us, size_t *ret_count)
{
    size_t count = 0;
    const struct ending ending = {{tenant, dataset}, older_than_us, 0, {0}, &count};
    int r = catalog_write(catalog, expire_body, &ending);
    if (r != CATALOG_ABSENT) PX_TRY(r);
    *ret_count = r == 0 ? count : 0;
    return 0;
}

static int quarantine_body(struct catalog *catalog, const void *ctx)
{
    const struct ending *ending = ctx;
    int r = catalog_bump(catalog, &ending->key);
    if (r == CATALOG_ABSENT) return CATALOG_CONFLICT;
    PX_TRY(r);
    return end_segment(catalog, &ending->key, ending->id, SEGMENT_QUARANTINED, ending->reason);
}

int catalog_quarantine(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                       int64_t id, struct px_str reason)
{
    const struct ending ending = {{tenant, dataset}, 0, id, reason, NULL};
    return catalog_write(catalog, quarantine_body, &ending);
}

/* ---- drop ---- */

struct dropping {
    struct dataset_key key; /* name empty: all of the tenant */
    const struct seal_mark *marks;
    size_t mark_count;
};

/* Works on one dataset or, with an empty name, on all of a tenant. */
static int drop_rows(struct catalog *catalog, const struct dataset_key *key, int64_t *ret_datasets)
{
    int64_t now_ns = px_wall_ns(catalog->clock);
    const struct meta_value datasets[] = {meta_i(now_ns), meta_s(S(CATALOG_EMPTY_SCHEMA)),
                                          meta_s(key->tenant), catalog_text(key->name)};
    PX_TRY(catalog_exec(catalog,
                        "UPDATE datasets SET version = version + 1, dropped_ns = $1, "
                        "schema_json = $2, retention_days = 0 WHERE tenant = $3 AND "
                        "($4 = '' OR name = $4) AND dropped_ns = 0",
                        datasets, PX_COUNT(datasets), ret_datasets));
    const struct meta_value segments[] = {meta_i(SEGMENT_DEAD), meta_i(now_ns), meta_s(key->tenant),
                                          catalog_text(key->name)};
    return catalog_exec(catalog,
                        "UPDATE segments SET state = $1, ended_ns = $2 WHERE tenant = $3 AND "
                        "($4 = '' OR dataset = $4) AND state <> $1",
                        segments, PX_COUNT(segments), NULL);
}

/* One that has only fresh frames, never sealed or not since it was dropped: readers find its marks and
 * its version by its row. */
static int put_dropped(struct catalog *catalog, const struct dataset_key *key)
{
    const struct meta_value params[] = {meta_s(key->tenant), meta_s(key->name),
                                        meta_s(S(CATALOG_EMPTY_SCHEMA)),
                                        meta_i(px_wall_ns(catalog->clock))};
    return catalog_exec(catalog,
                        "INSERT INTO datasets (tenant, name, version, schema_json, retention_days, "
                        "created_ns, dropped_ns) VALUES ($1, $2, 1, $3, 0, $4, $4) "
                        "ON CONFLICT (tenant, name) DO UPDATE SET version = datasets.version + 1",
                        params, PX_COUNT(params), NULL);
}

/* How long rows stay goes with them. */
static int drop_retention(struct catalog *catalog, const struct dataset_key *key,
                          int64_t *ret_changed)
{
    const struct meta_value params[] = {meta_s(key->tenant), catalog_text(key->name)};
    return catalog_exec(catalog,
                        "DELETE FROM retention WHERE tenant = $1 AND ($2 = '' OR dataset = $2)",
                        params, PX_COUNT(params), ret_changed);
}

static int drop_body(struct catalog *catalog, const void *ctx)
{
    const struct dropping *dropping = ctx;
    int64_t datasets = 0, kept = 0;
    PX_TRY(drop_rows(catalog, &dropping->key, &datasets));
    PX_TRY(drop_retention(catalog, &dropping->key, &kept));
    if (datasets == 0 && dropping->mark_count > 0) PX_TRY(put_dropped(catalog, &dropping->key));
    int r = catalog_move_marks(catalog, &dropping->key, dropping->marks, dropping->mark_count);
    if (r != 0) return r;
    return datasets > 0 || kept > 0 || dropping->mark_count > 0 ? 0 : CATALOG_ABSENT;
}

int catalog_drop_dataset(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                         const struct seal_mark *marks, size_t mark_count)
{
    PX_ASSERT(tenant.len > 0 && dataset.len > 0);
    const struct dropping dropping = {{tenant, dataset}, marks, mark_count};
    return catalog_write(catalog, drop_body, &dropping);
}

int catalog_drop_tenant(struct catalog *catalog, struct px_str tenant)
{
    PX_ASSERT(tenant.len > 0);
    const struct dropping dropping = {{tenant, {0}}, NULL, 0};
    int r = catalog_write(catalog, drop_body, &dropping);
    return r == CATALOG_ABSENT ? 0 : r;
}
