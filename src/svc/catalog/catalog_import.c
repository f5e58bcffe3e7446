/* svc/catalog/catalog_import.c - a dataset that comes from another region: segments, columns and marks as
 * they were there at one moment, made true here in one transaction.
 *
 * A repeat finds nothing to do and leaves the version alone. What an earlier round brought and the newer one
 * does not know any more, because it was compacted or expired in between, becomes dead. */
#include <stdlib.h>

#include "svc/catalog/catalog_internal.h"

#define KEYS_ARENA_BYTES_MAX ((size_t)256 << 20)

struct known {
    struct px_str key;
    int64_t id, state;
    bool stays;
};
struct importing {
    const struct catalog_arrival *arrival;
    struct px_arena *arena;
    struct known *known; /* in order of keys */
    size_t known_count;
    const struct segment **missing;
    size_t missing_count;
    bool changed;
};

static struct dataset_key key_of(const struct catalog_arrival *arrival)
{
    return (struct dataset_key){arrival->tenant, arrival->dataset};
}

/* ---- what is here ---- */

static int read_known(struct catalog *catalog, struct importing *importing)
{
    const struct dataset_key key = key_of(importing->arrival);
    const struct meta_value params[] = {meta_s(key.tenant), meta_s(key.name)};
    int64_t count = 0;
    PX_TRY(catalog_select_ints(catalog,
                               "SELECT count(*) FROM segments WHERE tenant = $1 AND dataset = $2",
                               params, PX_COUNT(params), &count, 1));
    importing->known = px_arena_array(importing->arena, struct known, (size_t)count + 1);
    if (!importing->known) return px_arena_fault(importing->arena);
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    PX_TRY(meta_select(catalog->meta,
                       "SELECT object_key, id, state FROM segments WHERE tenant = $1 AND "
                       "dataset = $2",
                       params, PX_COUNT(params), &rows));
    struct meta_value row[3];
    int r;
    while ((r = meta_rows_next(rows, row, 3)) == 0) {
        PX_ASSERT(importing->known_count < (size_t)count); /* one transaction */
        struct known *known = &importing->known[importing->known_count++];
        *known = (struct known){px_arena_dup(importing->arena, row[0].s), row[1].i, row[2].i,
                                false};
        if (!known->key.ptr) return px_arena_fault(importing->arena);
    }
    return r == META_END ? 0 : r;
}

static int by_key(const void *left, const void *right)
{
    const struct known *a = left, *b = right;
    return px_str_cmp(a->key, b->key);
}

/* Answers: CATALOG_CONFLICT for an object that is known and not live: its end is near, so nothing may be
 * built on it. */
static int compare(struct importing *importing)
{
    const struct catalog_arrival *arrival = importing->arrival;
    importing->missing = px_arena_array(importing->arena, const struct segment *,
                                        arrival->segment_count + 1);
    if (!importing->missing) return px_arena_fault(importing->arena);
    if (importing->known_count > 1)
        qsort(importing->known, importing->known_count, sizeof *importing->known, by_key);
    for (size_t i = 0; i < arrival->segment_count; i++) {
        const struct known wanted = {.key = arrival->segments[i].key};
        struct known *found = importing->known_count == 0
                                  ? NULL
                                  : bsearch(&wanted, importing->known, importing->known_count,
                                            sizeof *importing->known, by_key);
        if (!found)
            importing->missing[importing->missing_count++] = &arrival->segments[i];
        else if (found->state != SEGMENT_LIVE)
            return CATALOG_CONFLICT;
        else
            found->stays = true;
    }
    return 0;
}

/* ---- making it true ---- */

static bool is_brought(const struct catalog_arrival *arrival, struct px_str key)
{
    const char *slash = memrchr(key.ptr, '/', key.len);
    size_t folder = slash ? (size_t)(slash - key.ptr) + 1 : 0;
    return px_str_starts(px_str_skip(key, folder), arrival->brought);
}

static int end_others(struct catalog *catalog, struct importing *importing)
{
    for (size_t i = 0; i < importing->known_count; i++) {
        const struct known *known = &importing->known[i];
        if (known->stays || known->state == SEGMENT_DEAD) continue;
        if (!is_brought(importing->arrival, known->key)) continue;
        const struct meta_value params[] = {meta_i(SEGMENT_DEAD),
                                            meta_i(px_wall_ns(catalog->clock)), meta_i(known->id)};
        PX_TRY(catalog_exec(catalog, "UPDATE segments SET state = $1, ended_ns = $2 WHERE id = $3",
                            params, PX_COUNT(params), NULL));
        importing->changed = true;
    }
    return 0;
}

static int add_missing(struct catalog *catalog, struct importing *importing)
{
    const struct dataset_key key = key_of(importing->arrival);
    struct segment *segments = px_arena_array(importing->arena, struct segment,
                                              importing->missing_count + 1);
    if (!segments) return px_arena_fault(importing->arena);
    for (size_t i = 0; i < importing->missing_count; i++) segments[i] = *importing->missing[i];
    importing->changed = importing->changed || importing->missing_count > 0;
    return catalog_insert_segments(catalog, &key, segments, importing->missing_count);
}

/* A mark only rises: one from an earlier stay of the tenant may be ahead. */
static int raise_marks(struct catalog *catalog, struct importing *importing)
{
    const struct catalog_arrival *arrival = importing->arrival;
    for (size_t i = 0; i < arrival->mark_count; i++) {
        const struct meta_value params[] = {
            meta_i((int64_t)arrival->marks[i].sealed_seq), meta_i(px_wall_ns(catalog->clock)),
            meta_s(arrival->tenant), meta_s(arrival->dataset), meta_s(arrival->marks[i].writer)};
        int64_t changed = 0;
        PX_TRY(
            catalog_exec(catalog,
                         "INSERT INTO marks (sealed_seq, sealed_ns, tenant, dataset, writer) "
                         "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, dataset, writer) DO "
                         "UPDATE SET sealed_seq = $1, sealed_ns = $2 WHERE marks.sealed_seq < $1",
                         params, PX_COUNT(params), &changed));
        importing->changed = importing->changed || changed > 0;
    }
    return 0;
}

static int put_dataset(struct catalog *catalog, struct importing *importing)
{
    const struct catalog_arrival *arrival = importing->arrival;
    int64_t now_ns = px_wall_ns(catalog->clock);
    const struct meta_value params[] = {meta_s(arrival->tenant), meta_s(arrival->dataset),
                                        meta_s(arrival->schema_json),
                                        meta_i(arrival->retention_days), meta_i(now_ns)};
    const struct meta_value dropped[] = {params[0], params[1]};
    int64_t same = 0;
    int r = catalog_select_ints(catalog,
                                arrival->dropped
                                    ? "SELECT 1 FROM datasets WHERE tenant = $1 AND name = $2 AND "
                                      "dropped_ns <> 0 AND schema_json = $3 AND retention_days = $4"
                                    : "SELECT 1 FROM datasets WHERE tenant = $1 AND name = $2 AND "
                                      "dropped_ns = 0 AND schema_json = $3 AND retention_days = $4",
                                params, 4, &same, 1);
    if (r == 0 && !importing->changed) return 0;
    if (r != 0 && r != META_END) return r;
    importing->changed = true;
    PX_TRY(catalog_exec(catalog,
                        "INSERT INTO datasets (tenant, name, version, schema_json, retention_days, "
                        "created_ns, dropped_ns) VALUES ($1, $2, 1, $3, $4, $5, 0) "
                        "ON CONFLICT (tenant, name) DO UPDATE SET version = datasets.version + 1, "
                        "schema_json = $3, retention_days = $4, dropped_ns = 0",
                        params, PX_COUNT(params), NULL));
    if (!arrival->dropped) return 0;
    const struct meta_value ended[] = {dropped[0], dropped[1], meta_i(now_ns)};
    return catalog_exec(catalog,
                        "UPDATE datasets SET dropped_ns = $3 WHERE tenant = $1 AND name = $2",
                        ended, PX_COUNT(ended), NULL);
}

static int put_rules(struct catalog *catalog, struct importing *importing)
{
    const struct dataset_key key = key_of(importing->arrival);
    int64_t changed = 0;
    PX_TRY(catalog_put_rules(catalog, &key, 0, importing->arrival->rules, &changed));
    importing->changed = importing->changed || changed > 0;
    return 0;
}

static int import_body(struct catalog *catalog, const void *ctx)
{
    struct importing *importing = *(struct importing *const *)ctx;
    importing->known_count = importing->missing_count = 0;
    importing->changed = false;
    PX_TRY(read_known(catalog, importing));
    int r = compare(importing);
    if (r != 0) return r;
    PX_TRY(end_others(catalog, importing));
    PX_TRY(add_missing(catalog, importing));
    PX_TRY(raise_marks(catalog, importing));
    PX_TRY(put_rules(catalog, importing));
    return put_dataset(catalog, importing);
}

int catalog_import(struct catalog *catalog, const struct catalog_arrival *arrival,
                   bool *ret_changed)
{
    PX_ASSERT(arrival->tenant.len > 0 && arrival->dataset.len > 0 && arrival->brought.len > 0);
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, KEYS_ARENA_BYTES_MAX);
    struct importing importing = {.arrival = arrival, .arena = &arena};
    struct importing *ctx = &importing;
    int r = catalog_write(catalog, import_body, &ctx);
    if (r != 0) return r;
    *ret_changed = importing.changed;
    return 0;
}
