/* svc/catalog/catalog.c - open, transactions, and what readers ask.
 *
 * Every reader that combines several tables does so in one read transaction: a snapshot's segments and
 * marks must be of one moment, or a frame would show twice or not at all. */
#include "svc/catalog/catalog.h"

#include <stdlib.h>

#include "svc/catalog/catalog_internal.h"

#define SAY_AGAIN_S 60 /* after a fault */

/* Functions on AWS may not change tables: there the workflow schema-migration does, before they come. */
static int too_old(void)
{
    return px_fault(
        PX_F_CONFIG,
        "the catalog's tables are older than this release needs (step %d): run the workflow "
        "schema-migration, or prism migrate",
        catalog_migrations.needs);
}

/* Answers: MIGRATE_HOMELESS: it fits, but there is no place for catalog_say. */
static int fit(const struct migrate *m)
{
    size_t run = 0;
    int before = migrate_check(m);
    if (before <= 0) return before;
    int r = migrate_expand(m, 0, &run);
    if (r == PX_F_DENIED) return before == MIGRATE_BEHIND ? too_old() : before;
    PX_TRY(r);
    r = migrate_check(m);
    return r == MIGRATE_BEHIND ? too_old() : r;
}

int catalog_new(struct meta *meta, const struct px_clock *clock, struct catalog **ret_catalog)
{
    const struct migrate m = {meta, &catalog_migrations, clock ? clock : &px_clock_system};
    int fits = fit(&m);
    if (fits < 0) PX_TRY(fits);
    struct catalog *catalog = calloc(1, sizeof *catalog);
    if (!catalog) return px_fault(PX_F_OOM, "catalog");
    *catalog = (struct catalog){CATALOG_MAGIC, meta, m.clock,
                                fits == MIGRATE_HOMELESS ? INT64_MAX : INT64_MIN};
    *ret_catalog = catalog;
    return 0;
}

void catalog_free(struct catalog **catalog)
{
    free(*catalog);
    *catalog = NULL;
}

int catalog_say(struct catalog *catalog, struct px_str name, uint32_t within_ms)
{
    const struct migrate m = {catalog->meta, &catalog_migrations, catalog->clock};
    int64_t now_ns = px_mono_ns(catalog->clock);
    if (now_ns < catalog->say_again_ns || within_ms == 0) return 0;
    meta_set_deadline(catalog->meta, px_mono_ns(&px_clock_system) + within_ms * PX_NS_PER_MS);
    catalog->say_again_ns = now_ns + SAY_AGAIN_S * PX_NS_PER_S;
    int r = migrate_say(&m, name);
    meta_set_deadline(catalog->meta, 0); /* it is no event's */
    PX_TRY(r);
    catalog->say_again_ns = now_ns + MIGRATE_SAY_S * PX_NS_PER_S;
    return 0;
}

void catalog_say_after(struct catalog *catalog, struct px_str name, uint32_t within_ms,
                       const struct px_log *log)
{
    int r = catalog ? catalog_say(catalog, name, within_ms) : 0;
    if (r != 0 && log) px_log_fault(log, r, "what this function knows of the tables was not noted");
}

/* ---- statements and transactions ---- */

int catalog_exec(struct catalog *catalog, const char *sql, const struct meta_value *params,
                 size_t count, int64_t *ret_changed)
{
    int r = meta_exec(catalog->meta, sql, params, count, ret_changed);
    if (r == META_CONFLICT) return px_fault(PX_F_BUG, "unique key violated: %.80s", sql);
    return r;
}

int catalog_select_ints(struct catalog *catalog, const char *sql, const struct meta_value *params,
                        size_t count, int64_t *values, size_t columns)
{
    struct meta_value row[8];
    PX_ASSERT(columns <= PX_COUNT(row));
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    PX_TRY(meta_select(catalog->meta, sql, params, count, &rows));
    int r = meta_rows_next(rows, row, columns);
    if (r != 0) return r;
    for (size_t i = 0; i < columns; i++) values[i] = row[i].type == META_INT ? row[i].i : 0;
    return 0;
}

int catalog_write(struct catalog *catalog, int (*body)(struct catalog *catalog, const void *ctx),
                  const void *ctx)
{
    PX_ASSERT(catalog->magic == CATALOG_MAGIC);
    PX_TRY(meta_begin(catalog->meta, META_WRITE));
    int r = body(catalog, ctx);
    if (r == 0) r = meta_commit(catalog->meta);
    if (r != 0) meta_rollback(catalog->meta);
    return r;
}

int catalog_snapshot_read(struct catalog *catalog, enum meta_mode mode,
                          int (*body)(struct catalog *catalog, void *ctx), void *ctx)
{
    PX_ASSERT(catalog->magic == CATALOG_MAGIC);
    PX_TRY(meta_begin(catalog->meta, mode));
    int r = body(catalog, ctx);
    if (r == 0) r = meta_commit(catalog->meta);
    if (r != 0) meta_rollback(catalog->meta);
    return r;
}

/* ---- one snapshot of a dataset ---- */

struct reading {
    struct dataset_key key;
    int64_t start_us, end_us;
    struct px_arena *arena;
    struct catalog_snapshot snapshot;
};

static int dup_str(struct px_arena *arena, struct px_str text, struct px_str *ret_copy)
{
    struct px_str copy = px_arena_dup(arena, text);
    if (!copy.ptr) return px_arena_fault(arena);
    *ret_copy = copy;
    return 0;
}

int segment_from_row(const struct meta_value *row, const struct segment *previous,
                     struct px_arena *arena, struct segment *ret_segment)
{
    struct segment segment = {
        .id = row[0].i,
        .tier = (enum segment_tier)row[2].i,
        .time_min_us = row[3].i,
        .time_max_us = row[4].i,
        .rows = row[5].i,
        .bytes = row[6].i,
        .created_ns = row[7].i,
    };
    PX_TRY(dup_str(arena, row[1].s, &segment.key));
    if (previous && px_str_eq(previous->schema_json, row[8].s))
        segment.schema_json = previous->schema_json;
    else
        PX_TRY(dup_str(arena, row[8].s, &segment.schema_json));
    PX_TRY(dup_str(arena, row[9].s, &segment.stats_json));
    *ret_segment = segment;
    return 0;
}

/* Answers: META_END when there is no such dataset. */
static int read_dataset(struct catalog *catalog, struct reading *reading)
{
    const struct meta_value params[] = {meta_s(reading->key.tenant), meta_s(reading->key.name)};
    struct meta_value row[3];
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    PX_TRY(meta_select(catalog->meta,
                       "SELECT version, schema_json, dropped_ns FROM datasets "
                       "WHERE tenant = $1 AND name = $2",
                       params, PX_COUNT(params), &rows));
    int r = meta_rows_next(rows, row, 3);
    if (r != 0) return r;
    reading->snapshot.version = row[0].i;
    reading->snapshot.dropped = row[2].i != 0;
    return dup_str(reading->arena, row[1].s, &reading->snapshot.schema_json);
}

static int read_segments(struct catalog *catalog, struct reading *reading)
{
    const struct meta_value params[] = {meta_s(reading->key.tenant), meta_s(reading->key.name),
                                        meta_i(SEGMENT_LIVE), meta_i(reading->start_us),
                                        meta_i(reading->end_us)};
    int64_t counts[2] = {0, 0}; /* all live, those in range */
    PX_TRY(catalog_select_ints(catalog,
                               "SELECT count(*), coalesce(sum(CASE WHEN time_max_us >= $4 AND "
                               "time_min_us < $5 THEN 1 ELSE 0 END), 0) FROM segments "
                               "WHERE tenant = $1 AND dataset = $2 AND state = $3",
                               params, PX_COUNT(params), counts, 2));
    struct catalog_snapshot *snapshot = &reading->snapshot;
    snapshot->pruned = (size_t)(counts[0] - counts[1]);
    snapshot->segments = px_arena_array(reading->arena, struct segment, (size_t)counts[1]);
    if (!snapshot->segments) return px_arena_fault(reading->arena);

    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    PX_TRY(meta_select(catalog->meta,
                       "SELECT " SEGMENT_COLUMNS " FROM segments WHERE tenant = $1 AND "
                       "dataset = $2 AND state = $3 AND time_max_us >= $4 AND time_min_us < $5 "
                       "ORDER BY time_min_us, id",
                       params, PX_COUNT(params), &rows));
    struct meta_value row[SEGMENT_COLUMN_COUNT];
    int r;
    while ((r = meta_rows_next(rows, row, SEGMENT_COLUMN_COUNT)) == 0) {
        PX_ASSERT(snapshot->segment_count < (size_t)counts[1]); /* one snapshot */
        struct segment *at = &snapshot->segments[snapshot->segment_count];
        PX_TRY(segment_from_row(row, snapshot->segment_count ? at - 1 : NULL, reading->arena, at));
        snapshot->segment_count++;
    }
    return r == META_END ? 0 : r;
}

static int read_marks(struct catalog *catalog, struct reading *reading)
{
    const struct meta_value params[] = {meta_s(reading->key.tenant), meta_s(reading->key.name)};
    int64_t count = 0;
    PX_TRY(catalog_select_ints(catalog,
                               "SELECT count(*) FROM marks WHERE tenant = $1 AND dataset = $2",
                               params, PX_COUNT(params), &count, 1));
    struct catalog_snapshot *snapshot = &reading->snapshot;
    snapshot->marks = px_arena_array(reading->arena, struct writer_mark, (size_t)count);
    if (!snapshot->marks) return px_arena_fault(reading->arena);

    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    PX_TRY(meta_select(catalog->meta,
                       "SELECT writer, sealed_seq FROM marks WHERE tenant = $1 AND dataset = $2 "
                       "ORDER BY writer",
                       params, PX_COUNT(params), &rows));
    struct meta_value row[2];
    int r;
    while ((r = meta_rows_next(rows, row, 2)) == 0) {
        PX_ASSERT(snapshot->mark_count < (size_t)count);
        struct writer_mark *mark = &snapshot->marks[snapshot->mark_count];
        PX_TRY(dup_str(reading->arena, row[0].s, &mark->writer));
        mark->sealed_seq = (uint64_t)row[1].i;
        snapshot->mark_count++;
    }
    return r == META_END ? 0 : r;
}

static int read_snapshot(struct catalog *catalog, void *ctx)
{
    struct reading *reading = ctx;
    int r = read_dataset(catalog, reading);
    if (r == META_END) return CATALOG_ABSENT;
    PX_TRY(r);
    PX_TRY(read_segments(catalog, reading));
    return read_marks(catalog, reading);
}

static int read_at(struct catalog *catalog, enum meta_mode mode, struct reading *reading,
                   struct catalog_snapshot *ret_snapshot)
{
    int r = catalog_snapshot_read(catalog, mode, read_snapshot, reading);
    if (r == CATALOG_ABSENT) *ret_snapshot = (struct catalog_snapshot){0};
    if (r == 0) *ret_snapshot = reading->snapshot;
    return r;
}

int catalog_read(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                 int64_t start_us, int64_t end_us, struct px_arena *arena,
                 struct catalog_snapshot *ret_snapshot)
{
    struct reading reading = {{tenant, dataset}, start_us, end_us, arena, {0}};
    return read_at(catalog, META_SNAPSHOT, &reading, ret_snapshot);
}

int catalog_read_lagging(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                         int64_t start_us, int64_t end_us, struct px_arena *arena,
                         struct catalog_snapshot *ret_snapshot)
{
    struct reading reading = {{tenant, dataset}, start_us, end_us, arena, {0}};
    int r = read_at(catalog, META_LAGGING, &reading, ret_snapshot);
    if (r >= 0) return r;
    /* a replica drops readers that keep it from following */
    return catalog_read(catalog, tenant, dataset, start_us, end_us, arena, ret_snapshot);
}

int catalog_version(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                    int64_t *ret_version)
{
    const struct meta_value params[] = {meta_s(tenant), meta_s(dataset)};
    int64_t version = 0;
    int r = catalog_select_ints(catalog,
                                "SELECT version FROM datasets WHERE tenant = $1 AND name = $2",
                                params, PX_COUNT(params), &version, 1);
    if (r != META_END) PX_TRY(r);
    *ret_version = version;
    return 0;
}

int catalog_mark(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                 struct px_str writer, uint64_t *ret_seq)
{
    const struct meta_value params[] = {meta_s(tenant), meta_s(dataset), meta_s(writer)};
    int64_t seq = 0;
    int r = catalog_select_ints(
        catalog, "SELECT sealed_seq FROM marks WHERE tenant = $1 AND dataset = $2 AND writer = $3",
        params, PX_COUNT(params), &seq, 1);
    if (r != META_END) PX_TRY(r);
    *ret_seq = (uint64_t)seq;
    return 0;
}

int catalog_knows(struct catalog *catalog, struct px_str key, bool *ret_known)
{
    const struct meta_value params[] = {meta_s(key)};
    int64_t one = 0;
    int r = catalog_select_ints(catalog, "SELECT 1 FROM segments WHERE object_key = $1", params,
                                PX_COUNT(params), &one, 1);
    if (r != META_END) PX_TRY(r);
    *ret_known = r == 0;
    return 0;
}
