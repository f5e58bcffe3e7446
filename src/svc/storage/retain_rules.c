/* svc/storage/retain_rules.c - rows that go earlier than their dataset's others, by the value of an attribute.
 *
 * Vocabulary: a rule is *due* for a segment once the whole segment is older than the rule's days; what a segment was *held
 * against* is a hash of the rules that were due then. So each segment is read once for each rule, and a rule that is new
 * reads all that it is due for.
 *
 * Rows that match are left out when the segment is written anew, and old and new change places in one transaction that knows
 * how many rows may be missing. Crash points are compaction's: before the transaction the new object is an orphan, after it
 * the old segment is dead. Who is overtaken by a compaction, or another retain, deletes its object and leaves the segment to
 * the next run. */
#include <xxhash.h>

#include "base/px_id.h"
#include "svc/catalog/retention.h"
#include "svc/lending/lending.h"
#include "svc/storage/retain_rules.h"
#include "svc/storage/temp.h"

#define DAY_US (INT64_C(86400) * 1000000)
enum { HASH_CHARS = 17 };

struct reducing {
    struct storage *storage;
    struct px_str tenant, dataset;
    struct storage_counts *counts;
    int64_t now_us;
    const struct retention_rules *rules;
    struct px_arena *arena; /* of the segment */
    /* the segment */
    const struct segment *segment;
    struct schema schema;
    const struct retention_rule *due[RETENTION_RULES_MAX];
    size_t due_count;
    char done[HASH_CHARS];
    struct sql_engine *engine;
};

/* ---- which rules ---- */

/* Whole days may be more than time has microseconds. */
static int64_t limit_of(const struct reducing *re, const struct retention_rule *rule)
{
    return re->now_us - rule->days * DAY_US;
}

static void find_due(struct reducing *re)
{
    uint64_t hash = 0;
    re->due_count = 0;
    for (size_t i = 0; i < re->rules->count; i++) {
        const struct retention_rule *rule = &re->rules->at[i];
        if (re->segment->time_max_us >= limit_of(re, rule)) continue;
        re->due[re->due_count++] = rule;
        hash = XXH3_64bits_withSeed(rule->attribute.ptr, rule->attribute.len, hash);
        hash = XXH3_64bits_withSeed(rule->value.ptr, rule->value.len, hash);
    }
    (void)snprintf(re->done, sizeof re->done, "%016llx", (unsigned long long)hash);
}

/* ---- SQL ---- */

/* True for rows that go. As the column's type has the value: one that does not convert equals nothing. */
static void add_condition(const struct reducing *re, struct px_buf *sql)
{
    px_buf_add_c(sql, "coalesce(false");
    for (size_t i = 0; i < re->due_count; i++) {
        int at = schema_find(&re->schema, re->due[i]->attribute);
        if (at < 0) continue;
        enum col_type type = re->schema.columns[at].type;
        px_buf_add_c(sql, " OR coalesce(");
        sql_add_identifier(sql, re->schema.columns[at].name);
        px_buf_add_c(sql, " = TRY_CAST(");
        sql_add_literal(sql, re->due[i]->value);
        px_buf_printf(sql, " AS %s), false)", type == COL_JSON ? "VARCHAR" : col_type_sql(type));
    }
    px_buf_add_c(sql, ", false)");
}

static int add_source(const struct reducing *re, struct px_buf *sql)
{
    struct px_str url;
    PX_TRY(object_url(storage_tier(re->storage, re->segment->tier), re->segment->key, re->arena,
                      &url));
    px_buf_add_c(sql, " FROM read_parquet(");
    sql_add_literal(sql, url);
    px_buf_add_c(sql, ", hive_partitioning = false)");
    return px_buf_fault(sql);
}

/* Faults: PX_F_CORRUPT when the object does not hold as many rows as the catalog says. */
static int count_matching(const struct reducing *re, int64_t *ret_matching)
{
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    int64_t counts[2] = {0};
    size_t rows = 0;
    px_buf_init(&sql, 1u << 20);
    px_buf_add_c(&sql, "SELECT count(*), CAST(count_if(");
    add_condition(re, &sql);
    px_buf_add_c(&sql, ") AS BIGINT)");
    PX_TRY(add_source(re, &sql));
    PX_TRY(parquet_select_ints(re->engine, px_buf_str(&sql), 2, 1, counts, &rows));
    if (counts[0] != re->segment->rows)
        return px_fault(PX_F_CORRUPT, "%.*s: %lld rows where the catalog has %lld",
                        PX_FMT(re->segment->key), (long long)counts[0],
                        (long long)re->segment->rows);
    *ret_matching = counts[1];
    return 0;
}

/* ---- writing ---- */

/* In the folder of the old one, so that an object of a day stays in its day. */
static int new_key(const struct reducing *re, struct px_str *ret_key)
{
    char id[37];
    px_uuid7(px_wall_ns(re->storage->options.clock), id);
    struct px_str old = re->segment->key;
    const char *slash = memrchr(old.ptr, '/', old.len);
    int folder = slash ? (int)(slash - old.ptr) + 1 : 0;
    *ret_key = px_arena_printf(re->arena, "%.*s%s.parquet", folder, old.ptr, id);
    return ret_key->ptr ? 0 : px_arena_fault(re->arena);
}

static int put_file(const struct reducing *re, struct px_str path, const struct segment *kept)
{
    const struct lifecycle *lifecycle = re->storage->options.lifecycle;
    struct px_str class = kept->tier == TIER_SEGMENT
                              ? S("")
                              : lifecycle_class_of(lifecycle, re->tenant, re->dataset)->name;
    int r = object_put_file(storage_tier(re->storage, kept->tier), kept->key, path, class);
    if (r > 0) return px_fault(PX_F_BUG, "object name taken: %.*s", PX_FMT(kept->key));
    return r;
}

static int write_rest(const struct reducing *re, struct segment *ret_kept)
{
    const struct segment *old = re->segment;
    const struct lifecycle *lifecycle = re->storage->options.lifecycle;
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, (size_t)8 << 20);
    px_buf_add_c(&sql, "SELECT ");
    parquet_add_columns(&re->schema, &sql);
    PX_TRY(add_source(re, &sql));
    px_buf_add_c(&sql, " WHERE NOT ");
    add_condition(re, &sql);
    px_buf_add_c(&sql, " ORDER BY \"time\"");
    PX_TRY(px_buf_fault(&sql));
    PX_AUTO(temp_remove) struct px_str path = {0};
    PX_TRY(object_temp_path(storage_tier(re->storage, old->tier), re->arena, &path));
    const struct parquet_job job = {px_buf_str(&sql), path, &re->schema,
                                    old->tier == TIER_SEGMENT ? &lifecycle->segment
                                                              : &lifecycle->analytics};
    struct parquet_file file;
    PX_TRY(parquet_write(re->engine, &job, re->arena, &file));
    *ret_kept = (struct segment){
        .tier = old->tier,
        .time_min_us = file.has_times ? file.time_min_us : old->time_min_us,
        .time_max_us = file.has_times ? file.time_max_us : old->time_max_us,
        .rows = file.rows,
        .bytes = file.bytes,
        .schema_json = old->schema_json,
        .stats_json = file.stats_json};
    if (file.rows == 0) return px_fault(PX_F_CORRUPT, "no row of %.*s is left", PX_FMT(old->key));
    PX_TRY(new_key(re, &ret_kept->key));
    return put_file(re, path, ret_kept);
}

static int exchange(struct reducing *re, int64_t removed, const struct segment *kept)
{
    const struct catalog_reduction reduction = {.key = {re->tenant, re->dataset},
                                                .id = re->segment->id,
                                                .kept = kept,
                                                .removed = removed,
                                                .done = px_str_c(re->done)};
    int r = catalog_reduce(re->storage->options.catalog, &reduction);
    if (r == CATALOG_CONFLICT) {
        re->counts->conflicts++;
        return kept ? object_delete(storage_tier(re->storage, kept->tier), kept->key) : 0;
    }
    PX_TRY(r);
    re->counts->rows += (uint64_t)removed;
    re->counts->bytes_in += (uint64_t)re->segment->bytes;
    re->counts->segments_in++;
    if (!kept) return 0;
    re->counts->bytes_out += (uint64_t)kept->bytes;
    re->counts->objects++;
    return 0;
}

/* ---- one segment ---- */

static bool has_attribute(const struct reducing *re)
{
    for (size_t i = 0; i < re->due_count; i++)
        if (schema_find(&re->schema, re->due[i]->attribute) >= 0) return true;
    return false;
}

static int reduce(struct reducing *re)
{
    struct storage *storage = re->storage;
    struct segment kept;
    int64_t matching = 0;
    int r = schema_from_json(re->segment->schema_json, re->arena, &re->schema);
    if (r == SCHEMA_INVALID) return px_fault(PX_F_CORRUPT, "a schema in the catalog");
    PX_TRY(r);
    if (has_attribute(re)) {
        PX_TRY(storage_engine(storage, &re->engine));
        PX_TRY(lend_access(storage->options.readers, re->tenant, re->engine, &storage->reader));
        PX_TRY(count_matching(re, &matching));
    }
    if (matching == 0)
        return catalog_rules_done(storage->options.catalog, re->segment->id, px_str_c(re->done));
    if (matching == re->segment->rows) return exchange(re, matching, NULL);
    PX_TRY(write_rest(re, &kept));
    return exchange(re, matching, &kept);
}

/* ---- a dataset ---- */

static int64_t latest_limit(const struct reducing *re)
{
    int64_t limit = INT64_MIN;
    for (size_t i = 0; i < re->rules->count; i++)
        limit = PX_MAX(limit, limit_of(re, &re->rules->at[i]));
    return limit;
}

int storage_retain_rules(struct storage *storage, const struct storage_scope *scope,
                         const struct dataset_info *info, struct storage_counts *counts)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena, one;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    px_arena_init(&one, STORAGE_ARENA_BYTES_MAX);
    struct retention_rules rules;
    struct aged_segment *aged = NULL;
    size_t count = 0;
    PX_TRY(
        retention_rules_read(retention_of(storage->options.lifecycle, info).rules, &arena, &rules));
    if (rules.count == 0) return 0;
    struct reducing re = {.storage = storage,
                          .tenant = info->tenant,
                          .dataset = info->name,
                          .counts = counts,
                          .now_us = px_wall_ns(storage->options.clock) / PX_NS_PER_US,
                          .rules = &rules,
                          .arena = &one};
    const struct dataset_key key = {info->tenant, info->name};
    PX_TRY(catalog_aged(storage->options.catalog, &key, latest_limit(&re), &arena, &aged, &count));
    for (size_t i = 0; i < count; i++) {
        re.segment = &aged[i].segment;
        find_due(&re);
        if (px_str_eq(aged[i].rules_done, px_str_c(re.done))) continue;
        if (storage_late(scope, counts)) return 0;
        px_arena_reset(&one);
        PX_TRY(reduce(&re));
    }
    return 0;
}
