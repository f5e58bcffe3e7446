/* svc/storage/seal.c - hot frames to Parquet segments.
 *
 * One step makes at most one segment:
 *   1 read marks and schema of the catalog      4 put the object          (crash: an orphan)
 *   2 gather frames beyond the marks            5 catalog transaction     (crash: hot files stay)
 *   3 write Parquet to a temporary file         6 remove hot files
 * Up to the transaction nothing is visible; after it the frames are in the segment and no longer hot,
 * and what is left to remove is found by the next step, which sees files without frames beyond marks.
 * Another sealer's transaction in between moves a mark away: 5 conflicts, our object goes, and the
 * dataset is left to the other. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_id.h"
#include "store/hot_fence.h"
#include "svc/storage/move_claims.h"
#include "svc/storage/temp.h"
#include "svc/storage/turns.h"

struct sealing {
    struct storage *storage;
    struct px_str tenant, dataset;
    const struct seal_listing *listed;
    struct storage_counts *counts;
};

/* ---- columns ---- */

struct seal_columns {
    struct schema dataset; /* the catalog's with the frames' merged in */
    struct schema file;    /* those of it that these frames can fill */
    struct px_str dataset_json, file_json;
};

static int merge_frames(const struct seal_batch *batch, struct schema *schema)
{
    bool changed = false;
    for (size_t i = 0; i < batch->frame_count; i++)
        PX_TRY(schema_merge_frame(schema, &batch->frames[i].frame, &changed));
    return 0;
}

static int pick_columns(const struct seal_batch *batch, const struct schema *dataset,
                        struct px_arena *arena, struct schema *file)
{
    bool *used = px_arena_array(arena, bool, dataset->count + 1u);
    if (!used) return px_arena_fault(arena);
    for (size_t i = 0; i < batch->frame_count; i++) {
        const struct frame *frame = &batch->frames[i].frame;
        for (uint32_t c = 0; c < frame->header.columns; c++) {
            int at = schema_find(dataset, frame->columns[c].name);
            if (at >= 0) used[at] = true;
        }
    }
    bool changed = false;
    PX_TRY(schema_init(file, arena));
    for (uint32_t i = 1; i < dataset->count; i++) {
        const struct schema_column *column = &dataset->columns[i];
        if (px_str_eq(column->name, S(COL_OTHER_NAME)))
            PX_TRY(
                schema_add_other(file, &changed)); /* whether it is needed, only decoding tells */
        else if (used[i])
            PX_TRY(schema_merge(file, column->name, column->type, &changed));
    }
    return 0;
}

static int json_of(const struct schema *schema, struct px_arena *arena, struct px_str *ret_json)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, (size_t)4 << 20);
    schema_to_json(schema, &buf);
    PX_TRY(px_buf_fault(&buf));
    *ret_json = px_arena_dup(arena, px_buf_str(&buf));
    return ret_json->ptr ? 0 : px_arena_fault(arena);
}

static int settle_columns(const struct seal_batch *batch, const struct catalog_snapshot *snapshot,
                          struct px_arena *arena, struct seal_columns *columns)
{
    if (snapshot->schema_json.len == 0) {
        PX_TRY(schema_init(&columns->dataset, arena));
    } else {
        int r = schema_from_json(snapshot->schema_json, arena, &columns->dataset);
        if (r == SCHEMA_INVALID) return px_fault(PX_F_CORRUPT, "the catalog's schema");
        PX_TRY(r);
    }
    PX_TRY(merge_frames(batch, &columns->dataset));
    PX_TRY(pick_columns(batch, &columns->dataset, arena, &columns->file));
    PX_TRY(json_of(&columns->dataset, arena, &columns->dataset_json));
    return json_of(&columns->file, arena, &columns->file_json);
}

/* ---- writing ---- */

/* JSON goes out as plain text: not every reader of Parquet knows the JSON type. */
static void select_text(const struct schema *schema, struct px_buf *sql)
{
    px_buf_add_c(sql, "SELECT ");
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct schema_column *column = &schema->columns[i];
        if (i > 0) px_buf_add_c(sql, ", ");
        if (column->type == COL_JSON) px_buf_add_c(sql, "CAST(");
        sql_add_identifier(sql, column->name);
        if (column->type != COL_JSON) continue;
        px_buf_add_c(sql, " AS VARCHAR) AS ");
        sql_add_identifier(sql, column->name);
    }
    px_buf_add_c(sql, " FROM prism_hot(0)");
}

/* What is written: a run of the batch's frames into one file. */
struct writing {
    struct storage *storage;
    struct seal_batch *batch;
    const struct seal_columns *columns;
    struct px_str path;
};

static int run_copy(const struct writing *w, const struct hot_set *set,
                    struct parquet_file *ret_file)
{
    struct storage *storage = w->storage;
    const struct storage_options *options = &storage->options;
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, (size_t)4 << 20);
    select_text(&w->columns->file, &sql);
    PX_TRY(px_buf_fault(&sql));
    if (options->write_fault)
        PX_TRY(options->write_fault(options->notify_ctx, set->frames, set->frame_count));
    struct sql_engine *engine = NULL;
    PX_TRY(storage_engine(storage, &engine));
    storage->sets.sets[0] = set;
    storage->sets.count = 1;
    atomic_store(&storage->sets.fault, 0);
    atomic_store(&storage->sets.fault_claimed, 0);
    const struct parquet_job job = {px_buf_str(&sql), w->path, &w->columns->file,
                                    &options->lifecycle->segment};
    int r = parquet_write(engine, &job, w->batch->arena, ret_file);
    storage->sets.count = 0;
    storage->sets.sets[0] = NULL;
    int scan_fault = atomic_load(&storage->sets.fault); /* the reason behind DuckDB's own */
    if (r != 0 && scan_fault != 0) return px_fault(scan_fault, "%s", storage->sets.fault_text);
    return r;
}

static int copy_run(const struct writing *w, size_t first, size_t count,
                    struct parquet_file *ret_file)
{
    PX_AUTO(px_free_mem) struct frame *frames = calloc(count, sizeof(*frames));
    if (!frames) return px_fault(PX_F_OOM, "frames");
    struct hot_set set = {.schema = w->columns->file,
                          .frames = frames,
                          .frame_count = count,
                          .start_us = INT64_MIN,
                          .end_us = INT64_MAX};
    for (size_t i = 0; i < count; i++) {
        frames[i] = w->batch->frames[first + i].frame;
        set.rows += frames[i].header.rows;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): PX_AUTO frees it */
    PX_TRY(run_copy(w, &set, ret_file));
    if ((uint64_t)ret_file->rows == set.rows) return 0;
    return px_fault(PX_F_CORRUPT, "%lld rows written of %llu", (long long)ret_file->rows,
                    (unsigned long long)set.rows);
}

static int copy_frames(const struct writing *w, struct parquet_file *ret_file)
{
    ret_file->rows = 0;
    return w->batch->rows == 0 ? 0 : copy_run(w, 0, w->batch->frame_count, ret_file);
}

/* ---- frames that cannot be written ---- */

/* Memory and disk are nobody's fault. */
static bool blames_frames(int fault) { return fault == PX_F_CORRUPT || fault == PX_F_BUG; }

/* DuckDB gives up its database after some errors, so what comes next has another one. Its refusal of
 * rows that cannot be at fault says that it is not the frame's. */
static int engine_works(const struct writing *w)
{
    struct sql_engine *engine = NULL;
    sql_engine_free(&w->storage->engine);
    PX_TRY(storage_engine(w->storage, &engine));
    struct schema schema;
    PX_TRY(schema_init(&schema, w->batch->arena));
    const struct parquet_job job = {S("SELECT TIMESTAMP '2026-01-01' AS \"time\""), w->path,
                                    &schema, &w->storage->options.lifecycle->segment};
    struct parquet_file file;
    return parquet_write(engine, &job, w->batch->arena, &file);
}

/* Halves, down to the single frames at fault: of n frames with one bad one, 2 log n files. */
static int condemn_unwritable(const struct writing *w, size_t first, size_t count)
{
    char text[512];
    struct parquet_file file;
    int r = copy_run(w, first, count, &file);
    if (r == 0 || !blames_frames(r)) return r;
    (void)px_fault_text(r, text, sizeof text); /* before what follows may fault */
    PX_TRY(engine_works(w));
    if (count == 1)
        return seal_condemn(w->batch, first, px_fault(r, "cannot be written: %s", text));
    PX_TRY(condemn_unwritable(w, first, count / 2));
    return condemn_unwritable(w, first + count / 2, count - count / 2);
}

/* A frame that does not decode fails the whole statement, and so does one that DuckDB cannot write for
 * a reason of its own: find such frames and leave them out. When the engine writes nothing at all, or
 * all frames fail only together, it is a fault, and they are tried again. */
static int copy_readable(const struct writing *w, struct parquet_file *ret_file)
{
    struct seal_batch *batch = w->batch;
    int r = copy_frames(w, ret_file);
    if (r == 0 || r == PX_F_OOM || r == PX_F_NO_SPACE) return r;
    size_t removed = 0;
    PX_TRY(seal_weed(batch, &removed));
    r = copy_frames(w, ret_file);
    if (r == 0 || !blames_frames(r)) return r;
    PX_TRY(condemn_unwritable(w, 0, batch->frame_count));
    seal_drop_condemned(batch);
    return copy_frames(w, ret_file);
}

static void time_bounds(const struct seal_batch *batch, struct segment *segment)
{
    segment->time_min_us = INT64_MAX;
    segment->time_max_us = INT64_MIN;
    for (size_t i = 0; i < batch->frame_count; i++) {
        const struct frame_header *header = &batch->frames[i].frame.header;
        if (header->rows == 0) continue;
        segment->time_min_us = PX_MIN(segment->time_min_us, header->time_min_us);
        segment->time_max_us = PX_MAX(segment->time_max_us, header->time_max_us);
    }
}

/* The batch as an object that the catalog does not know yet; rows 0 and no object when there is
 * nothing to write. */
static int make_object(const struct sealing *sealing, struct seal_batch *batch,
                       const struct seal_columns *columns, struct segment *segment)
{
    *segment = (struct segment){.tier = TIER_SEGMENT, .schema_json = columns->file_json};
    if (batch->rows == 0) return 0;
    struct storage *storage = sealing->storage;
    PX_AUTO(temp_remove) struct px_str path = {0};
    PX_TRY(object_temp_path(storage->options.segments, batch->arena, &path));
    struct parquet_file file = {0};
    const struct writing writing = {storage, batch, columns, path};
    PX_TRY(copy_readable(&writing, &file));
    if (file.rows == 0) return 0;
    segment->rows = file.rows;
    segment->bytes = file.bytes;
    segment->stats_json = file.stats_json;
    time_bounds(batch, segment);
    char id[37];
    px_uuid7(px_wall_ns(storage->options.clock), id);
    segment->key = px_arena_printf(batch->arena, "%.*s/%.*s/%s.parquet", PX_FMT(sealing->tenant),
                                   PX_FMT(sealing->dataset), id);
    if (!segment->key.ptr) return px_arena_fault(batch->arena);
    int r = object_put_file(storage->options.segments, segment->key, path, S(""));
    return r > 0 ? px_fault(PX_F_BUG, "object name taken: %.*s", PX_FMT(segment->key)) : r;
}

/* ---- the catalog, and after it ---- */

/* Answers: CATALOG_CONFLICT. The object goes unless the catalog took it or may have taken it. */
static int register_segment(const struct sealing *sealing, const struct seal_batch *batch,
                            const struct seal_columns *columns, const struct segment *segment)
{
    const struct catalog_sealing change = {.tenant = sealing->tenant,
                                           .dataset = sealing->dataset,
                                           .schema_json = columns->dataset_json,
                                           .segments = segment,
                                           .segment_count = segment->rows > 0,
                                           .marks = batch->marks,
                                           .mark_count = batch->mark_count};
    int r = catalog_seal(sealing->storage->options.catalog, &change);
    if (r == CATALOG_CONFLICT && segment->rows > 0)
        PX_TRY(object_delete(sealing->storage->options.segments, segment->key));
    if (r != 0) return r;
    sealing->counts->frames += batch->frame_count;
    sealing->counts->rows += (uint64_t)segment->rows;
    sealing->counts->bytes_in += batch->hot_bytes;
    sealing->counts->bytes_out += (uint64_t)segment->bytes;
    sealing->counts->objects += segment->rows > 0;
    return 0;
}

static int copy_bytes(const char *from, const char *to)
{
    char bytes[65536];
    PX_AUTO(px_close) int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) return px_fault_errno("open %s", from);
    PX_AUTO(px_close) int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0) return px_fault_errno("create %s", to);
    for (;;) {
        ssize_t n = TEMP_FAILURE_RETRY(read(in, bytes, sizeof bytes));
        if (n < 0) return px_fault_errno("read %s", from);
        if (n == 0) return 0;
        PX_TRY(px_file_write_all(out, bytes, (size_t)n));
    }
}

/* A copy under the quarantine prefix; there already when a crash came between copy and removal. */
static int set_file_aside(const struct sealing *sealing, const struct seal_source *source,
                          struct px_arena *arena)
{
    struct object_store *store = sealing->storage->options.segments;
    const struct hot_file *file = source->file;
    struct px_str key = px_arena_printf(arena, QUARANTINE_PREFIX "hot/%.*s/%.*s/%.*s-%u.wal",
                                        PX_FMT(file->tenant), PX_FMT(file->dataset),
                                        PX_FMT(file->writer), file->file_no);
    char *from = px_arena_cstr(arena, file->path);
    if (!key.ptr || !from) return px_arena_fault(arena);
    PX_AUTO(temp_remove) struct px_str path = {0};
    PX_TRY(object_temp_path(store, arena, &path));
    PX_TRY(copy_bytes(from, path.ptr));
    int r = object_put_file(store, key, path, S(""));
    if (r != OBJECT_EXISTS) PX_TRY(r);
    storage_set_aside(sealing->storage, file->tenant, file->dataset, key, source->why,
                      sealing->counts);
    return 0;
}

static int set_frames_aside(const struct sealing *sealing, const struct seal_batch *batch)
{
    for (size_t i = 0; i < batch->bad_count; i++) {
        const struct seal_bad *bad = &batch->bad[i];
        struct px_str key = px_arena_printf(
            batch->arena, QUARANTINE_PREFIX "frames/%.*s/%.*s/%.*s-%llu", PX_FMT(sealing->tenant),
            PX_FMT(sealing->dataset), PX_FMT(bad->file->writer), (unsigned long long)bad->seq);
        if (!key.ptr) return px_arena_fault(batch->arena);
        PX_TRY(object_put(sealing->storage->options.segments, key, bad->payload));
        storage_set_aside(sealing->storage, sealing->tenant, sealing->dataset, key, bad->why,
                          sealing->counts);
    }
    return 0;
}

/* Everything in these files is sealed. */
static int remove_files(const struct sealing *sealing, const struct seal_batch *batch)
{
    for (size_t i = 0; i < batch->source_count; i++) {
        const struct seal_source *source = &batch->sources[i];
        if (!source->closed || !source->ended) continue;
        if (source->corrupt) PX_TRY(set_file_aside(sealing, source, batch->arena));
        int r = hot_file_remove(sealing->storage->options.hot, source->file);
        if (r == PX_F_BUSY) continue; /* another process looks at its lock: next time */
        PX_TRY(r);
        sealing->counts->files_removed++;
    }
    return 0;
}

/* ---- steps ---- */

static int seal_batch(const struct sealing *sealing, const struct catalog_snapshot *snapshot,
                      struct seal_batch *batch)
{
    if (batch->mark_count > 0) {
        struct seal_columns columns;
        struct segment segment;
        PX_TRY(move_claims_note(sealing->storage, sealing->tenant, sealing->dataset, batch));
        PX_TRY(settle_columns(batch, snapshot, batch->arena, &columns));
        PX_TRY(make_object(sealing, batch, &columns, &segment));
        PX_TRY(set_frames_aside(sealing, batch));
        int r = register_segment(sealing, batch, &columns, &segment);
        if (r == CATALOG_CONFLICT) return TURN_CONFLICT;
        PX_TRY(r);
    }
    PX_TRY(remove_files(sealing, batch));
    return batch->full ? TURN_MORE : 0;
}

/* As turn_step. */
static int seal_step(const struct sealing *sealing)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct catalog_snapshot snapshot;
    /* an empty time range: marks and schema without segments */
    int r = catalog_read(sealing->storage->options.catalog, sealing->tenant, sealing->dataset,
                         INT64_MAX, INT64_MIN, &arena, &snapshot);
    if (r != CATALOG_ABSENT) PX_TRY(r);
    PX_AUTO(seal_batch_deinit) struct seal_batch batch = {0};
    PX_TRY(seal_gather(sealing->storage, sealing->listed, &snapshot, &arena, &batch));
    return seal_batch(sealing, &snapshot, &batch);
}

/* Files from `first` on that are of the same dataset. */
static size_t run_of(const struct hot_file *files, size_t count, size_t first)
{
    size_t n = 1;
    while (first + n < count && px_str_eq(files[first + n].tenant, files[first].tenant) &&
           px_str_eq(files[first + n].dataset, files[first].dataset))
        n++;
    return n;
}

/* ---- all datasets ---- */

struct sealing_all {
    struct storage *storage;
    struct storage_counts *counts;
    const struct seal_listing *listings; /* by turn.index */
};

static int seal_turn(void *ctx, const struct turn *turn)
{
    const struct sealing_all *all = ctx;
    struct hot_fence fence;
    PX_TRY(hot_fence_read(all->storage->options.hot, turn->tenant, &fence));
    if (fence.state == HOT_FENCE_LEFT || fence.state == HOT_FENCE_ARRIVING)
        return 0; /* only stragglers: they are not to be found again */
    const struct sealing sealing = {all->storage, turn->tenant, turn->dataset,
                                    &all->listings[turn->index], all->counts};
    return seal_step(&sealing);
}

/* A turn for each dataset that has files, and its files. */
static int list_turns(struct storage *storage, const struct storage_scope *scope,
                      struct px_arena *arena, struct turn **ret_turns,
                      struct seal_listing **ret_listings, size_t *ret_count)
{
    struct hot_file *files = NULL;
    struct dataset_served *served = NULL;
    size_t count = 0, served_count = 0, n = 0;
    PX_TRY(hot_list(storage->options.hot, scope->tenant, scope->dataset, arena, &files, &count));
    struct turn *turns = px_arena_array(arena, struct turn, count + 1);
    struct seal_listing *listings = px_arena_array(arena, struct seal_listing, count + 1);
    if (!turns || !listings) return px_arena_fault(arena);
    for (size_t i = 0; i < count; i += listings[n++].count) {
        listings[n] = (struct seal_listing){&files[i], run_of(files, count, i)};
        turns[n] = (struct turn){
            .tenant = files[i].tenant, .dataset = files[i].dataset, .index = n};
    }
    PX_TRY(catalog_last_sealed(storage->options.catalog, scope->tenant, arena, &served,
                               &served_count));
    turns_set_served(turns, n, served, served_count);
    *ret_turns = turns;
    *ret_listings = listings;
    *ret_count = n;
    return 0;
}

int storage_seal(struct storage *storage, const struct storage_scope *scope,
                 struct storage_counts *counts)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct turn *turns = NULL;
    struct seal_listing *listings = NULL;
    size_t count = 0;
    PX_TRY(list_turns(storage, scope, &arena, &turns, &listings, &count));
    struct sealing_all all = {storage, counts, listings};
    turns_take(storage, scope, turns, count, seal_turn, &all, counts);
    return 0;
}
