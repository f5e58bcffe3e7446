/* tests/unit/svc/storage/storage_kit.h - a region's stores in a folder, writers of numbered rows, and the
 * check that every row is there exactly once.
 *
 * A row is {time, id, name, maybe: double or absent}; ids are given out from 0 upwards. */
#pragma once

#include "aws/emulator.h"
#include "support/support.h"

#include <signal.h>
#include <sys/wait.h>

#include "aws/shared.h"
#include "base/px_file.h"
#include "columnar/batch.h"
#include "columnar/frame.h"
#include "svc/lending/lending.h"
#include "svc/storage/parquet.h"
#include "svc/storage/storage.h"

#define KIT_DAY_US (INT64_C(86400) * 1000000)
#define KIT_EPOCH_US (INT64_C(1767225600) * 1000000) /* 2026-01-01 */

__attribute__((constructor)) static void kit_reach(void) { emulator_init(); }

struct kit {
    char dir[128];
    struct px_arena arena; /* of the lifecycle */
    struct px_clock clock;
    int64_t now_ns; /* 0: the machine's */
    struct hot_store *hot;
    struct cloud_shared cloud;
    struct object_store *segments, *analytics;
    struct object_readers *readers;
    struct sql_remote remote;
    struct table_store *tables;
    struct meta *meta;
    struct catalog *catalog;
    struct lifecycle lifecycle;
    struct storage *storage;
    char last_notice[1024];
    size_t notices;
    uint32_t unwritable_rows; /* a frame of just so many rows cannot be written; 0: all can */
    int write_fault;          /* how that shows */
};

__attribute__((unused)) static int kit_write_fault(void *ctx, const struct frame *frames,
                                                   size_t count)
{
    const struct kit *kit = ctx;
    for (size_t i = 0; kit->unwritable_rows > 0 && i < count; i++)
        if (frames[i].header.rows == kit->unwritable_rows)
            return px_fault(kit->write_fault, "DuckDB: a frame that it does not like");
    return 0;
}

__attribute__((unused)) static int64_t kit_now(void *ctx)
{
    const struct kit *kit = ctx;
    return kit->now_ns ? kit->now_ns : px_wall_ns(&px_clock_system);
}

__attribute__((unused)) static void kit_notify(void *ctx, const struct storage_notice *notice)
{
    struct kit *kit = ctx;
    kit->notices++;
    (void)snprintf(kit->last_notice, sizeof kit->last_notice, "%s %.*s/%.*s %.*s: %.*s",
                   notice->event == STORAGE_FAILED ? "failed" : "set aside", PX_FMT(notice->tenant),
                   PX_FMT(notice->dataset), PX_FMT(notice->what), PX_FMT(notice->why));
}

__attribute__((unused)) static struct px_str kit_path(const struct kit *kit, const char *name,
                                                      char path[256])
{
    (void)snprintf(path, 256, "%s/%s", kit->dir, name);
    return px_str_c(path);
}

/* Opens everything; faults come back, since children use it, too. */
__attribute__((unused)) static int kit_open(struct kit *kit, const char *dir)
{
    char path[256];
    (void)snprintf(kit->dir, sizeof kit->dir, "%s", dir);
    px_arena_init(&kit->arena, 1u << 20);
    kit->clock = (struct px_clock){kit_now, px_clock_system.mono_ns, kit};
    PX_TRY(hot_store_open(kit_path(kit, "hot", path), &kit->hot));
    const struct object_options objects = {
        .cloud = &kit->cloud, .temp_dir = px_arena_dup(&kit->arena, kit_path(kit, "tmp", path))};
    PX_TRY(
        object_store_open(emulator_place(dir, "segments", &kit->arena), &objects, &kit->segments));
    PX_TRY(object_store_open(emulator_place(dir, "analytics", &kit->arena), &objects,
                             &kit->analytics));
    const struct lending_settings lending = {
        .extensions = px_str_c(getenv("PRISM_DUCKDB_EXTENSIONS")),
        .role_arn = px_str_c(getenv("PRISM_TENANT_ROLE_ARN")),
        .cloud = &kit->cloud};
    PX_TRY(lending_open(&lending, kit->segments, kit->analytics, &kit->arena, &kit->readers,
                        &kit->remote));
    const struct table_options tables = {.clock = &kit->clock, .busy_ms = 20000};
    PX_TRY(table_store_open(kit_path(kit, "tables.db", path), &tables, &kit->tables));
    const struct meta_options meta = {.busy_ms = 20000};
    PX_TRY(meta_open(kit_path(kit, "meta.db", path), &meta, &kit->meta));
    PX_TRY(catalog_new(kit->meta, &kit->clock, &kit->catalog));
    int r = lifecycle_parse(lifecycle_builtin(), &kit->arena, &kit->lifecycle, NULL);
    if (r != 0) return px_fault(PX_F_CONFIG, "lifecycle");
    char hot_root[256];
    struct px_str root = px_arena_dup(&kit->arena, kit_path(kit, "hot", hot_root));
    const struct storage_options options = {
        .hot = kit->hot,
        .hot_root = root,
        .segments = kit->segments,
        .analytics = kit->analytics,
        .readers = kit->readers,
        .remote = kit->remote,
        .tables = kit->tables,
        .catalog = kit->catalog,
        .lifecycle = &kit->lifecycle,
        .clock = &kit->clock,
        .limits = {.memory_bytes = 512u << 20,
                   .threads = 2,
                   .temp_dir = px_arena_dup(&kit->arena, kit_path(kit, "tmp", path))},
        .notify = kit_notify,
        .notify_ctx = kit,
        .write_fault = kit_write_fault};
    return storage_new(&options, &kit->storage);
}

__attribute__((unused)) static void kit_close(struct kit *kit)
{
    storage_free(&kit->storage);
    catalog_free(&kit->catalog);
    meta_close(&kit->meta);
    table_store_close(&kit->tables);
    object_readers_free(&kit->readers);
    object_store_close(&kit->analytics);
    object_store_close(&kit->segments);
    hot_store_close(&kit->hot);
    cloud_shared_close(&kit->cloud);
    px_arena_deinit(&kit->arena);
}

/* An engine of the test's own, which may read the kit's objects. */
__attribute__((unused)) static int kit_engine(const struct kit *kit, struct sql_engine **ret_engine)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    uint64_t reader = 0;
    const struct sql_limits limits = {
        .memory_bytes = 512u << 20, .threads = 2, .remote = kit->remote};
    PX_TRY(sql_engine_new(&limits, &engine));
    PX_TRY(lend_access(kit->readers, S("acme"), engine, &reader));
    *ret_engine = PX_TAKE(engine);
    return 0;
}

/* ---- writing ---- */

struct kit_rows {
    const char *tenant, *dataset; /* NULL: acme, logs */
    int64_t first_id;
    int count;
    int64_t time_us, step_us; /* of the first row, between rows; 0: KIT_EPOCH_US, 1000 */
    bool id_is_text;          /* another type than before */
    uint8_t request;          /* all bytes of the request's id; 0: none */
};

__attribute__((unused)) static int kit_put_row(struct batch *batch, const struct kit_rows *rows,
                                               int i)
{
    int64_t id = rows->first_id + i;
    char name[32];
    int n = snprintf(name, sizeof name, "row %lld", (long long)(id % 17));
    struct px_str text = px_str(name, (size_t)n);
    batch_row_begin(batch);
    PX_TRY(batch_put_time(batch, (rows->time_us ? rows->time_us : KIT_EPOCH_US) +
                                     i * (rows->step_us ? rows->step_us : 1000)));
    if (rows->id_is_text)
        PX_TRY(batch_put_str(batch, S("id"), text));
    else
        PX_TRY(batch_put_int(batch, S("id"), id));
    PX_TRY(batch_put_str(batch, S("name"), text));
    if (id % 3 == 0) PX_TRY(batch_put_double(batch, S("maybe"), (double)id / 4));
    return batch_row_end(batch);
}

/* One frame. */
static int kit_encode(const struct kit_rows *rows, const uint8_t request[16], struct px_buf *buf)
{
    PX_AUTO(batch_free) struct batch *batch = NULL;
    PX_TRY(batch_new(NULL, &batch));
    for (int i = 0; i < rows->count; i++) PX_TRY(kit_put_row(batch, rows, i));
    return frame_encode(batch, px_wall_ns(&px_clock_system), request, buf);
}

__attribute__((unused)) static int kit_append(struct hot_writer *writer,
                                              const struct kit_rows *rows, uint64_t *ret_seq)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 64u << 20);
    uint8_t request[16];
    memset(request, rows->request, sizeof request);
    PX_TRY(kit_encode(rows, request, &buf));
    struct px_str payload = px_buf_str(&buf);
    return hot_append(writer, px_str_c(rows->tenant ? rows->tenant : "acme"),
                      px_str_c(rows->dataset ? rows->dataset : "logs"), &payload, 1, ret_seq);
}

/* ---- counting ---- */

struct kit_tally {
    uint8_t *seen; /* times that an id was seen */
    size_t ids;
    uint64_t hot_rows, parquet_rows;
};

__attribute__((unused)) static int kit_tally_id(struct kit_tally *tally, int64_t id)
{
    if (id < 0 || (uint64_t)id >= tally->ids)
        return px_fault(PX_F_CORRUPT, "an id nobody wrote: %lld", (long long)id);
    tally->seen[id]++;
    return 0;
}

__attribute__((unused)) static int kit_tally_frame(struct kit_tally *tally, struct px_str payload)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 256u << 20);
    struct frame frame;
    struct frame_values values;
    PX_TRY(frame_open(payload, &arena, &frame));
    PX_TRY(frame_read_column(&frame, (uint32_t)frame_find(&frame, S("id")), &arena, &values));
    for (uint32_t i = 0; i < frame.header.rows; i++) PX_TRY(kit_tally_id(tally, values.i[i]));
    tally->hot_rows += frame.header.rows;
    return 0;
}

__attribute__((unused)) static int kit_tally_file(struct kit *kit, struct kit_tally *tally,
                                                  const struct hot_file *file)
{
    uint64_t mark = 0;
    PX_TRY(catalog_mark(kit->catalog, file->tenant, file->dataset, file->writer, &mark));
    PX_AUTO(hot_reader_close) struct hot_reader *reader = NULL;
    PX_TRY(hot_reader_open(file, &reader));
    for (;;) {
        struct hot_frame hot;
        int r = hot_reader_next(reader, &hot);
        if (r == HOT_END) return 0;
        PX_TRY(r);
        if (hot.seq > mark) PX_TRY(kit_tally_frame(tally, hot.payload));
    }
}

__attribute__((unused)) static int kit_tally_parquet(struct kit *kit, struct kit_tally *tally,
                                                     struct px_arena *arena)
{
    struct catalog_snapshot s;
    int r = catalog_read(kit->catalog, S("acme"), S("logs"), INT64_MIN, INT64_MAX, arena, &s);
    if (r == CATALOG_ABSENT || (r == 0 && s.segment_count == 0)) return 0;
    PX_TRY(r);
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, 1u << 20);
    px_buf_add_c(&sql, "SELECT CAST(id AS BIGINT) FROM read_parquet([");
    for (size_t i = 0; i < s.segment_count; i++) {
        struct px_str url;
        bool analytics = s.segments[i].tier == TIER_ANALYTICS;
        PX_TRY(
            object_url(analytics ? kit->analytics : kit->segments, s.segments[i].key, arena, &url));
        if (i > 0) px_buf_add_char(&sql, ',');
        sql_add_literal(&sql, url);
    }
    px_buf_add_c(&sql, "], hive_partitioning = false, union_by_name = true)");
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    PX_TRY(kit_engine(kit, &engine));
    int64_t *ids = px_arena_array(arena, int64_t, tally->ids * 2 + 1);
    if (!ids) return px_arena_fault(arena);
    size_t rows = 0;
    PX_TRY(parquet_select_ints(engine, px_buf_str(&sql), 1, tally->ids * 2 + 1, ids, &rows));
    for (size_t i = 0; i < rows; i++) PX_TRY(kit_tally_id(tally, ids[i]));
    tally->parquet_rows = rows;
    return 0;
}

/* Hot frames beyond the marks and live segments of acme/logs; nothing may run meanwhile. */
__attribute__((unused)) static int kit_tally(struct kit *kit, struct kit_tally *tally)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 512u << 20);
    struct hot_file *files = NULL;
    size_t count = 0;
    PX_TRY(hot_list(kit->hot, S("acme"), S("logs"), &arena, &files, &count));
    for (size_t i = 0; i < count; i++) PX_TRY(kit_tally_file(kit, tally, &files[i]));
    return kit_tally_parquet(kit, tally, &arena);
}

/* Every id from 0 to ids - 1 is there exactly once. */
__attribute__((unused)) static void kit_check_all(struct kit *kit, size_t ids,
                                                  struct kit_tally *ret_tally)
{
    struct kit_tally tally = {.seen = calloc(ids + 1, 1), .ids = ids};
    CHECK(tally.seen);
    CHECK_OK(kit_tally(kit, &tally));
    for (size_t i = 0; i < ids; i++)
        if (tally.seen[i] != 1) TEST_FAIL("id %zu is there %d times", i, tally.seen[i]);
    free(tally.seen);
    tally.seen = NULL;
    if (ret_tally) *ret_tally = tally;
}

__attribute__((unused)) static size_t kit_objects(struct object_store *store, struct px_str prefix)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 64u << 20);
    struct object_info *infos = NULL;
    size_t count = 0;
    CHECK_OK(object_list(store, prefix, S(""), 10000, &arena, &infos, &count));
    return count;
}
__attribute__((unused)) static size_t kit_hot_files(struct kit *kit)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 64u << 20);
    struct hot_file *files = NULL;
    size_t count = 0;
    CHECK_OK(hot_list(kit->hot, S(""), S(""), &arena, &files, &count));
    return count;
}
