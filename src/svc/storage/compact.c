/* svc/storage/compact.c - segments to larger, time-sorted Parquet by day.
 *
 * One step takes a bounded number of bytes (compact_plan.h), writes one object for each UTC day in them,
 * checks that as many rows came out as the catalog has, and exchanges the old for the new in one
 * transaction. Rows scattered over more than DAYS_MAX days: the rest becomes a segment again and waits
 * for the next step, so that a step stays bounded whatever times a tenant sends.
 *
 * Crash points: before the transaction new objects are orphans; after it the old ones are dead. */
#include <time.h>

#include "base/px_id.h"
#include "svc/lending/lending.h"
#include "svc/storage/compact_plan.h"
#include "svc/storage/storage_internal.h"
#include "svc/storage/temp.h"
#include "svc/storage/turns.h"

enum { DAYS_MAX = 128 };
#define DAY_US (INT64_C(86400) * 1000000)

struct compacting {
    struct storage *storage;
    struct px_str tenant, dataset;
    struct storage_counts *counts;
    struct px_arena *arena; /* of the step */
    struct sql_engine *engine;
    struct compact_plan plan;
    struct schema columns; /* of the new objects */
    struct px_str columns_json;
    struct segment outputs[DAYS_MAX + 1];
    size_t output_count;
};

/* ---- columns ---- */

static int parse_schema(struct px_str json, struct px_arena *arena, struct schema *schema)
{
    int r = schema_from_json(json, arena, schema);
    return r == SCHEMA_INVALID ? px_fault(PX_F_CORRUPT, "a schema in the catalog") : r;
}

/* Columns of the dataset that any input has, with the dataset's types. */
static int settle_columns(struct compacting *c, struct px_str dataset_json)
{
    struct schema dataset;
    PX_TRY(parse_schema(dataset_json, c->arena, &dataset));
    bool *used = px_arena_array(c->arena, bool, dataset.count + 1u);
    if (!used) return px_arena_fault(c->arena);
    for (size_t i = 0; i < c->plan.count; i++) {
        struct schema input;
        PX_TRY(parse_schema(c->plan.inputs[i].schema_json, c->arena, &input));
        for (uint32_t k = 0; k < input.count; k++) {
            int at = schema_find(&dataset, input.columns[k].name);
            if (at < 0) return px_fault(PX_F_CORRUPT, "a segment's column is not in the dataset");
            used[at] = true;
        }
    }
    bool changed = false;
    PX_TRY(schema_init(&c->columns, c->arena));
    for (uint32_t k = 1; k < dataset.count; k++) {
        const struct schema_column *column = &dataset.columns[k];
        if (!used[k]) continue;
        if (px_str_eq(column->name, S(COL_OTHER_NAME)))
            PX_TRY(schema_add_other(&c->columns, &changed));
        else
            PX_TRY(schema_merge(&c->columns, column->name, column->type, &changed));
    }
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, (size_t)4 << 20);
    schema_to_json(&c->columns, &buf);
    PX_TRY(px_buf_fault(&buf));
    c->columns_json = px_arena_dup(c->arena, px_buf_str(&buf));
    return c->columns_json.ptr ? 0 : px_arena_fault(c->arena);
}

/* ---- SQL ---- */

static int add_source(struct compacting *c, struct px_buf *sql)
{
    px_buf_add_c(sql, " FROM read_parquet([");
    for (size_t i = 0; i < c->plan.count; i++) {
        struct px_str url;
        const struct segment *input = &c->plan.inputs[i];
        PX_TRY(object_url(storage_tier(c->storage, input->tier), input->key, c->arena, &url));
        if (i > 0) px_buf_add_char(sql, ',');
        sql_add_literal(sql, url);
    }
    px_buf_add_c(sql, "], union_by_name = true, hive_partitioning = false)");
    return 0;
}

/* Rows with time in [day_first, day_end), in order of time. */
static int select_days(struct compacting *c, int64_t day_first, int64_t day_end, struct px_buf *sql)
{
    px_buf_add_c(sql, "SELECT ");
    parquet_add_columns(&c->columns, sql);
    PX_TRY(add_source(c, sql));
    long long first_us = day_first * DAY_US, end_us = day_end * DAY_US;
    px_buf_printf(sql,
                  " WHERE \"time\" >= make_timestamp(%lld) AND \"time\" < make_timestamp(%lld) "
                  "ORDER BY \"time\"",
                  first_us, end_us);
    return px_buf_fault(sql);
}

static int64_t day_of(int64_t us) { return us / DAY_US - (us % DAY_US < 0); }

/* The days that the inputs have rows of, at most DAYS_MAX + 1, ascending. */
static int find_days(struct compacting *c, int64_t *days, size_t *ret_count)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (size_t i = 0; i < c->plan.count; i++) {
        first = PX_MIN(first, day_of(c->plan.inputs[i].time_min_us));
        last = PX_MAX(last, day_of(c->plan.inputs[i].time_max_us));
    }
    if (first == last) {
        days[0] = first;
        *ret_count = 1;
        return 0;
    }
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, (size_t)4 << 20);
    px_buf_add_c(&sql, "SELECT DISTINCT CAST(date_diff('day', DATE '1970-01-01', "
                       "CAST(\"time\" AS DATE)) AS BIGINT) AS d");
    PX_TRY(add_source(c, &sql));
    px_buf_printf(&sql, " ORDER BY d LIMIT %d", DAYS_MAX + 1);
    PX_TRY(px_buf_fault(&sql));
    return parquet_select_ints(c->engine, px_buf_str(&sql), 1, DAYS_MAX + 1, days, ret_count);
}

/* ---- writing ---- */

static int object_key(struct compacting *c, enum segment_tier tier, int64_t day,
                      struct px_str *ret_key)
{
    char id[37];
    px_uuid7(px_wall_ns(c->storage->options.clock), id);
    struct px_str key;
    if (tier == TIER_SEGMENT) {
        key = px_arena_printf(c->arena, "%.*s/%.*s/%s.parquet", PX_FMT(c->tenant),
                              PX_FMT(c->dataset), id);
    } else {
        time_t at = (time_t)(day * 86400);
        struct tm tm;
        if (!gmtime_r(&at, &tm)) return px_fault(PX_F_CORRUPT, "day %lld", (long long)day);
        key = px_arena_printf(c->arena, "%.*s/%.*s/date=%04d-%02d-%02d/%s.parquet",
                              PX_FMT(c->tenant), PX_FMT(c->dataset), tm.tm_year + 1900,
                              tm.tm_mon + 1, tm.tm_mday, id);
    }
    if (!key.ptr) return px_arena_fault(c->arena);
    *ret_key = key;
    return 0;
}

/* Bounds when the statistics have none: those of day and inputs, wider but never wrong. */
static void set_times(const struct compacting *c, const struct parquet_file *file,
                      int64_t day_first, int64_t day_end, struct segment *segment)
{
    segment->time_min_us = file->time_min_us;
    segment->time_max_us = file->time_max_us;
    if (file->has_times) return;
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (size_t i = 0; i < c->plan.count; i++) {
        min = PX_MIN(min, c->plan.inputs[i].time_min_us);
        max = PX_MAX(max, c->plan.inputs[i].time_max_us);
    }
    segment->time_min_us = PX_MAX(min, day_first * DAY_US);
    segment->time_max_us = PX_MIN(max, day_end * DAY_US - 1);
}

static int write_object(struct compacting *c, enum segment_tier tier, int64_t day_first,
                        int64_t day_end)
{
    struct object_store *store = storage_tier(c->storage, tier);
    const struct lifecycle *lifecycle = c->storage->options.lifecycle;
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, (size_t)8 << 20);
    PX_TRY(select_days(c, day_first, day_end, &sql));
    PX_AUTO(temp_remove) struct px_str path = {0};
    PX_TRY(object_temp_path(store, c->arena, &path));
    const struct parquet_job job = {px_buf_str(&sql), path, &c->columns,
                                    tier == TIER_SEGMENT ? &lifecycle->segment
                                                         : &lifecycle->analytics};
    struct parquet_file file;
    PX_TRY(parquet_write(c->engine, &job, c->arena, &file));
    if (file.rows == 0) return 0; /* the row count will tell */
    struct segment *output = &c->outputs[c->output_count];
    *output = (struct segment){.tier = tier,
                               .rows = file.rows,
                               .bytes = file.bytes,
                               .schema_json = c->columns_json,
                               .stats_json = file.stats_json};
    set_times(c, &file, day_first, day_end, output);
    PX_TRY(object_key(c, tier, day_first, &output->key));
    struct px_str class = tier == TIER_SEGMENT
                              ? S("") /* short-lived; only analytics' bucket has rules */
                              : lifecycle_class_of(lifecycle, c->tenant, c->dataset)->name;
    int r = object_put_file(store, output->key, path, class);
    if (r > 0) return px_fault(PX_F_BUG, "object name taken: %.*s", PX_FMT(output->key));
    PX_TRY(r);
    c->output_count++;
    return 0;
}

static int write_objects(struct compacting *c)
{
    int64_t days[DAYS_MAX + 1];
    size_t count = 0;
    PX_TRY(find_days(c, days, &count));
    size_t whole = PX_MIN(count, (size_t)DAYS_MAX);
    for (size_t i = 0; i < whole; i++)
        PX_TRY(write_object(c, TIER_ANALYTICS, days[i], days[i] + 1));
    if (count > whole) {
        int64_t last = days[whole];
        for (size_t i = 0; i < c->plan.count; i++)
            last = PX_MAX(last, day_of(c->plan.inputs[i].time_max_us));
        PX_TRY(write_object(c, TIER_SEGMENT, days[whole], last + 1));
    }
    int64_t rows_in = 0, rows_out = 0;
    for (size_t i = 0; i < c->plan.count; i++) rows_in += c->plan.inputs[i].rows;
    for (size_t i = 0; i < c->output_count; i++) rows_out += c->outputs[i].rows;
    if (rows_in == rows_out) return 0;
    return px_fault(PX_F_CORRUPT, "%lld rows became %lld", (long long)rows_in, (long long)rows_out);
}

/* ---- inputs that cannot be read ---- */

/* Answers: PARQUET_BAD with ret_why; OBJECT_ABSENT is told apart, since a whole store may be away. */
static int check_input(struct compacting *c, const struct segment *input, bool *ret_absent,
                       struct px_str *ret_why)
{
    struct object_store *store = storage_tier(c->storage, input->tier);
    struct object_info info;
    struct px_str url = {0};
    *ret_absent = false;
    int r = object_head(store, input->key, c->arena, &info);
    if (r == OBJECT_ABSENT) {
        *ret_absent = true;
        *ret_why = S("the object is gone");
        return PARQUET_BAD;
    }
    PX_TRY(r);
    if (info.bytes != (uint64_t)input->bytes) {
        *ret_why = px_arena_printf(c->arena, "%llu bytes where the catalog has %lld",
                                   (unsigned long long)info.bytes, (long long)input->bytes);
        return ret_why->ptr ? PARQUET_BAD : px_arena_fault(c->arena);
    }
    PX_TRY(object_url(store, input->key, c->arena, &url));
    return parquet_verify(c->engine, url, input->rows, c->arena, ret_why);
}

static int quarantine(struct compacting *c, const struct segment *input, struct px_str why)
{
    int r = catalog_quarantine(c->storage->options.catalog, c->tenant, c->dataset, input->id, why);
    if (r == CATALOG_CONFLICT) return 0; /* replaced or expired by now */
    PX_TRY(r);
    storage_set_aside(c->storage, c->tenant, c->dataset, input->key, why, c->counts);
    return 0;
}

/* After a failure: set aside the inputs that are at fault. ret_count 0: none is. */
static int weed_inputs(struct compacting *c, size_t *ret_count)
{
    struct px_str why[COMPACT_INPUTS_MAX] = {0};
    bool bad[COMPACT_INPUTS_MAX], absent[COMPACT_INPUTS_MAX];
    size_t bad_count = 0, absent_count = 0;
    for (size_t i = 0; i < c->plan.count; i++) {
        int r = check_input(c, &c->plan.inputs[i], &absent[i], &why[i]);
        bad[i] = r == PARQUET_BAD;
        if (!bad[i]) PX_TRY(r);
        bad_count += bad[i];
        absent_count += absent[i];
    }
    *ret_count = 0;
    if (absent_count == c->plan.count) return 0; /* rather the store than every single object */
    for (size_t i = 0; i < c->plan.count; i++)
        if (bad[i]) PX_TRY(quarantine(c, &c->plan.inputs[i], why[i]));
    *ret_count = bad_count;
    return 0;
}

/* ---- steps ---- */

static int delete_outputs(struct compacting *c)
{
    for (size_t i = 0; i < c->output_count; i++)
        PX_TRY(object_delete(storage_tier(c->storage, c->outputs[i].tier), c->outputs[i].key));
    c->output_count = 0;
    return 0;
}

/* Answers: TURN_MORE when an input was set aside and the rest may succeed. */
static int after_failure(struct compacting *c, int fault)
{
    char text[512];
    (void)px_fault_text(fault, text, sizeof text); /* what follows may fault, too */
    PX_TRY(delete_outputs(c));
    if (fault != PX_F_CORRUPT && fault != PX_F_IO) return px_fault(fault, "%s", text);
    size_t weeded = 0;
    PX_TRY(weed_inputs(c, &weeded));
    return weeded > 0 ? TURN_MORE : px_fault(fault, "%s", text);
}

static int exchange(struct compacting *c)
{
    int64_t ids[COMPACT_INPUTS_MAX];
    for (size_t i = 0; i < c->plan.count; i++) ids[i] = c->plan.inputs[i].id;
    int r = catalog_replace(c->storage->options.catalog, c->tenant, c->dataset, ids, c->plan.count,
                            c->outputs, c->output_count);
    if (r == CATALOG_CONFLICT) {
        PX_TRY(delete_outputs(c));
        return TURN_CONFLICT;
    }
    PX_TRY(r);
    for (size_t i = 0; i < c->plan.count; i++)
        c->counts->bytes_in += (uint64_t)c->plan.inputs[i].bytes;
    for (size_t i = 0; i < c->output_count; i++) {
        c->counts->rows += (uint64_t)c->outputs[i].rows;
        c->counts->bytes_out += (uint64_t)c->outputs[i].bytes;
    }
    c->counts->segments_in += c->plan.count;
    c->counts->objects += c->output_count;
    return TURN_MORE;
}

/* Rows so wide that all inputs together do not fit: one at a time then. */
static int write_fewer(struct compacting *c, struct px_str dataset_json)
{
    PX_TRY(delete_outputs(c));
    c->plan.count = 1;
    PX_TRY(settle_columns(c, dataset_json));
    return write_objects(c);
}

/* As turn_step. */
static int compact_step(struct compacting *c)
{
    struct storage *storage = c->storage;
    struct catalog_snapshot snapshot;
    int r = catalog_read(storage->options.catalog, c->tenant, c->dataset, INT64_MIN, INT64_MAX,
                         c->arena, &snapshot);
    if (r == CATALOG_ABSENT) return 0;
    PX_TRY(r);
    if (!compact_choose(snapshot.segments, snapshot.segment_count, storage->options.lifecycle,
                        &c->plan))
        return 0;
    PX_TRY(storage_engine(storage, &c->engine));
    PX_TRY(lend_access(storage->options.readers, c->tenant, c->engine, &storage->reader));
    PX_TRY(settle_columns(c, snapshot.schema_json));
    r = write_objects(c);
    if (r == PX_F_OOM && c->plan.count > 1) r = write_fewer(c, snapshot.schema_json);
    return r == 0 ? exchange(c) : after_failure(c, r);
}

/* compacting is too large for a stack frame in a loop. As turn_step. */
static int compact_step_alloc(struct storage *storage, const struct dataset_info *info,
                              struct storage_counts *counts)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct compacting *c = px_arena_new(&arena, struct compacting);
    if (!c) return px_arena_fault(&arena);
    c->storage = storage;
    c->tenant = info->tenant;
    c->dataset = info->name;
    c->counts = counts;
    c->arena = &arena;
    return compact_step(c);
}

/* ---- all datasets ---- */

struct compacting_all {
    struct storage *storage;
    struct storage_counts *counts;
    const struct dataset_info *infos; /* by turn.index */
};

static int compact_turn(void *ctx, const struct turn *turn)
{
    const struct compacting_all *all = ctx;
    bool settled = false;
    PX_TRY(storage_is_settled(all->storage, turn->tenant, &settled));
    if (!settled) return 0;
    return compact_step_alloc(all->storage, &all->infos[turn->index], all->counts);
}

int storage_compact(struct storage *storage, const struct storage_scope *scope,
                    struct storage_counts *counts)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct dataset_info *infos = NULL;
    struct dataset_served *served = NULL;
    size_t count = 0, served_count = 0, n = 0;
    PX_TRY(catalog_list(storage->options.catalog, scope->tenant, &arena, &infos, &count));
    PX_TRY(catalog_last_compacted(storage->options.catalog, scope->tenant, &arena, &served,
                                  &served_count));
    struct turn *turns = px_arena_array(&arena, struct turn, count + 1);
    if (!turns) return px_arena_fault(&arena);
    for (size_t i = 0; i < count; i++) {
        if (scope->dataset.len > 0 && !px_str_eq(scope->dataset, infos[i].name)) continue;
        turns[n++] = (struct turn){.tenant = infos[i].tenant, .dataset = infos[i].name, .index = i};
    }
    turns_set_served(turns, n, served, served_count);
    struct compacting_all all = {storage, counts, infos};
    turns_take(storage, scope, turns, n, compact_turn, &all, counts);
    return 0;
}
