/* tests/unit/svc/query/query_kit.h - a small region without processes: stores, catalog, a query service,
 * frames appended as ingest does and sealed as storage does. */
#pragma once

#include "aws/emulator.h"
#include "support/support.h"

#include <sys/stat.h>

#include "aws/shared.h"
#include "base/px_buf.h"
#include "base/px_id.h"
#include "columnar/batch.h"
#include "columnar/frame.h"
#include "sql/engine.h"
#include "sql/hot_table.h"
#include "store/meta.h"
#include "svc/lending/lending.h"
#include "svc/query/query.h"

#define T0 INT64_C(1767225600000000) /* 2026-01-01, microseconds */

__attribute__((constructor)) static void kit_reach(void) { emulator_init(); }

struct kit {
    struct hot_store *hot;
    struct hot_writer *writer;
    struct cloud_shared cloud;
    struct object_store *segments, *analytics;
    struct object_readers *readers;
    struct meta *meta;
    struct catalog *catalog;
    struct query *query;
    struct px_str tenant, home_region;
    struct query_limits limits;
    /* the last answer */
    int status;
    struct px_buf body;
    char headers[2048];
    bool binary, whole;
    size_t pieces;
    struct px_str why; /* of a cut answer, in why_text */
    char why_text[1024];
};

static void kit_free(struct kit *kit)
{
    query_free(&kit->query);
    catalog_free(&kit->catalog);
    meta_close(&kit->meta);
    hot_writer_free(&kit->writer);
    hot_store_close(&kit->hot);
    object_readers_free(&kit->readers);
    object_store_close(&kit->segments);
    object_store_close(&kit->analytics);
    cloud_shared_close(&kit->cloud);
    px_buf_deinit(&kit->body);
}

static void kit_init(struct test *t, struct kit *kit, const struct query_limits *limits)
{
    memset(kit, 0, sizeof(*kit));
    kit->tenant = S("acme");
    px_buf_init(&kit->body, 512u << 20);
    CHECK_OK(hot_store_open(test_path(t, "hot"), &kit->hot));
    CHECK_OK(hot_writer_new(kit->hot, &(struct hot_writer_options){0}, &kit->writer));
    const struct object_options objects = {.cloud = &kit->cloud, .temp_dir = test_path(t, "tmp")};
    emulator_bucket(t);
    CHECK_OK(object_store_open(emulator_url(t, "segments"), &objects, &kit->segments));
    CHECK_OK(object_store_open(emulator_url(t, "analytics"), &objects, &kit->analytics));
    CHECK_OK(meta_open(test_path(t, "meta.db"), &(struct meta_options){0}, &kit->meta));
    CHECK_OK(catalog_new(kit->meta, &t->clock, &kit->catalog));
    struct query_options options = {.hot = kit->hot,
                                    .segments = kit->segments,
                                    .analytics = kit->analytics,
                                    .catalog = kit->catalog,
                                    .clock = &px_clock_system,
                                    .home = {S("here"), S("neighbour")},
                                    .limits = limits ? *limits : (struct query_limits){0},
                                    .temp_dir = test_path(t, "tmp")};
    const struct lending_settings lending = {
        .extensions = px_str_c(getenv("PRISM_DUCKDB_EXTENSIONS")),
        .role_arn = px_str_c(getenv("PRISM_TENANT_ROLE_ARN")),
        .cloud = &kit->cloud};
    CHECK_OK(lending_open(&lending, kit->segments, kit->analytics, &t->arena, &kit->readers,
                          &options.remote));
    options.readers = kit->readers;
    if (!options.limits.memory_bytes) options.limits.memory_bytes = 256u << 20;
    CHECK_OK(query_new(&options, &kit->query));
}

/* ---- data ---- */

static struct batch *kit_batch(void)
{
    struct batch *batch = NULL;
    CHECK_OK(batch_new(&(struct batch_limits){0}, &batch));
    return batch;
}

/* One row: time, n, body, and whatever the caller puts in between begin and end. */
static void kit_row(struct batch *batch, int64_t n)
{
    char body[64];
    (void)snprintf(body, sizeof(body), "line number %lld of this test", (long long)n);
    batch_row_begin(batch);
    CHECK_OK(batch_put_time(batch, T0 + n * 1000000));
    CHECK_OK(batch_put_int(batch, S("n"), n));
    CHECK_OK(batch_put_str(batch, S("body"), px_str_c(body)));
}

static void kit_append(struct kit *kit, struct px_str dataset, const struct batch *batch)
{
    static const uint8_t no_id[16];
    static int64_t accepted;
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    px_buf_init(&bytes, 64u << 20);
    CHECK_OK(frame_encode(batch, ++accepted, no_id, &bytes));
    uint64_t seq = 0;
    struct px_str part = px_buf_str(&bytes);
    CHECK_OK(hot_append(kit->writer, kit->tenant, dataset, &part, 1, &seq));
}

__attribute__((unused)) static void kit_lines(struct kit *kit, struct px_str dataset, int64_t first,
                                              int count)
{
    PX_AUTO(batch_free) struct batch *batch = kit_batch();
    for (int64_t n = first; n < first + count; n++) {
        kit_row(batch, n);
        CHECK_OK(batch_row_end(batch));
    }
    kit_append(kit, dataset, batch);
}

/* All hot frames of a dataset into one segment; the hot file stays when keep_hot. */
__attribute__((unused)) static void kit_seal(struct test *t, struct kit *kit, struct px_str dataset,
                                             bool keep_hot)
{
    struct hot_file *files = NULL;
    size_t count = 0;
    CHECK_OK(hot_list(kit->hot, kit->tenant, dataset, &t->arena, &files, &count));
    struct catalog_snapshot before = {0};
    int r = catalog_read(kit->catalog, kit->tenant, dataset, INT64_MIN, INT64_MAX, &t->arena,
                         &before);
    CHECK(r == 0 || r == CATALOG_ABSENT);
    uint64_t from = 0, to;
    CHECK_OK(catalog_mark(kit->catalog, kit->tenant, dataset, hot_writer_id(kit->writer), &from));
    to = from;

    struct hot_reader *readers[16] = {0};
    struct frame frames[256];
    struct hot_set set = {.frames = frames, .start_us = INT64_MIN, .end_us = INT64_MAX};
    struct schema file_schema;
    bool changed = false;
    if (before.schema_json.len > 0)
        CHECK_OK(schema_from_json(before.schema_json, &t->arena, &set.schema));
    else
        CHECK_OK(schema_init(&set.schema, &t->arena));
    CHECK_OK(schema_init(&file_schema, &t->arena));
    int64_t time_min = INT64_MAX, time_max = INT64_MIN;
    for (size_t i = 0; i < count; i++) {
        struct hot_frame hot;
        CHECK_OK(hot_reader_open(&files[i], &readers[i]));
        while ((r = hot_reader_next(readers[i], &hot)) == 0) {
            if (hot.seq <= from) continue;
            struct frame *frame = &frames[set.frame_count++];
            CHECK_OK(frame_open(hot.payload, &t->arena, frame));
            CHECK_OK(schema_merge_frame(&set.schema, frame, &changed));
            set.rows += frame->header.rows;
            to = PX_MAX(to, hot.seq);
            time_min = PX_MIN(time_min, frame->header.time_min_us);
            time_max = PX_MAX(time_max, frame->header.time_max_us);
        }
        CHECK_INT(r, HOT_END);
    }
    for (uint32_t c = 0; c < set.schema.count; c++) {
        bool used = c == 0;
        for (size_t f = 0; f < set.frame_count; f++)
            used = used || frame_find(&frames[f], set.schema.columns[c].name) >= 0;
        if (used)
            CHECK_OK(schema_merge(&file_schema, set.schema.columns[c].name,
                                  set.schema.columns[c].type, &changed));
    }
    struct hot_set file_set = set;
    file_set.schema = file_schema;
    struct hot_sets sets = {.sets = {&file_set}, .count = 1};
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    CHECK_OK(
        sql_engine_new(&(struct sql_limits){.memory_bytes = 256u << 20, .threads = 1}, &engine));
    CHECK_OK(hot_table_register(sql_engine_connection(engine), &sets));
    struct px_str path;
    CHECK_OK(object_temp_path(kit->segments, &t->arena, &path));
    CHECK_OK(sql_exec(engine, "COPY (FROM prism_hot(0)) TO '%.*s' (FORMAT parquet)", PX_FMT(path)));
    char id[37];
    px_uuid7(px_wall_ns(&px_clock_system), id);
    struct px_str key = px_arena_printf(&t->arena, "%.*s/%.*s/%s.parquet", PX_FMT(kit->tenant),
                                        PX_FMT(dataset), id);
    struct stat written;
    CHECK_INT(stat(path.ptr, &written), 0);
    CHECK_OK(object_put_file(kit->segments, key, path, S("")));
    PX_AUTO(px_buf_deinit) struct px_buf all;
    PX_AUTO(px_buf_deinit) struct px_buf file;
    px_buf_init(&all, 1u << 20);
    px_buf_init(&file, 1u << 20);
    schema_to_json(&set.schema, &all);
    schema_to_json(&file_schema, &file);
    struct segment segment = {.key = key,
                              .tier = TIER_SEGMENT,
                              .time_min_us = time_min,
                              .time_max_us = time_max,
                              .rows = (int64_t)set.rows,
                              .bytes = written.st_size,
                              .created_ns = px_wall_ns(&px_clock_system),
                              .schema_json = px_buf_str(&file),
                              .stats_json = S("{}")};
    struct seal_mark mark = {hot_writer_id(kit->writer), from, to};
    struct catalog_sealing sealing = {kit->tenant, dataset, px_buf_str(&all), &segment, 1,
                                      &mark,       1};
    CHECK_OK(catalog_seal(kit->catalog, &sealing));
    if (!keep_hot) { /* files are removed once their writer is gone */
        hot_writer_free(&kit->writer);
        CHECK_OK(hot_writer_new(kit->hot, &(struct hot_writer_options){0}, &kit->writer));
    }
    for (size_t i = 0; i < count; i++) {
        hot_reader_close(&readers[i]);
        if (!keep_hot) CHECK_OK(hot_file_remove(kit->hot, &files[i]));
    }
}

/* ---- asking ---- */

static int kit_begin(void *ctx, const struct query_answer *answer)
{
    struct kit *kit = ctx;
    CHECK_INT(kit->status, 0); /* once */
    kit->status = answer->status;
    kit->binary = answer->binary;
    kit->whole = answer->whole;
    for (size_t i = 0; i < answer->header_count; i++) {
        size_t used = strlen(kit->headers);
        (void)snprintf(kit->headers + used, sizeof(kit->headers) - used, "%.*s: %.*s\n",
                       PX_FMT(answer->headers[i].name), PX_FMT(answer->headers[i].value));
    }
    px_buf_add_str(&kit->body, answer->body);
    return 0;
}

static int kit_more(void *ctx, struct px_str piece)
{
    struct kit *kit = ctx;
    CHECK(kit->status == 200 && !kit->whole);
    kit->pieces++;
    px_buf_add_str(&kit->body, piece);
    return 0;
}

/* The outcome of query_handle(); a NUL stands behind the body. */
static int kit_post(struct kit *kit, struct px_str body, bool stream, const _Atomic bool *cancelled)
{
    struct http_header headers[] = {{S("Content-Type"), S("application/json")}};
    struct api_event event = {.resource = S("/v1/query"),
                              .path = S("/v1/query"),
                              .method = S("POST"),
                              .headers = headers,
                              .header_count = 1,
                              .request_id = S("req-1"),
                              .caller = {.tenant = kit->tenant,
                                         .scopes = S("ingest query"),
                                         .home_region = kit->home_region},
                              .body = body};
    struct query_sink sink = {kit_begin, stream ? kit_more : NULL, kit};
    struct px_arena arena;
    px_arena_init(&arena, 256u << 20);
    px_buf_clear(&kit->body);
    kit->status = 0;
    kit->pieces = 0;
    kit->headers[0] = '\0';
    int r = query_handle(kit->query, &event, &arena, INT64_MAX, cancelled, &sink, &kit->why);
    px_buf_add_char(&kit->body, '\0');
    kit->body.len--;
    (void)snprintf(kit->why_text, sizeof(kit->why_text), "%.*s",
                   r == QUERY_CUT ? (int)kit->why.len : 0, r == QUERY_CUT ? kit->why.ptr : "");
    kit->why = px_str_c(kit->why_text);
    px_arena_deinit(&arena);
    return r;
}

/* A statement; the body must be the result of one value of text. */
__attribute__((unused)) static struct px_str kit_value(struct test *t, struct kit *kit,
                                                       const char *sql)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 1u << 20);
    px_buf_add_c(&body, "{\"format\":\"csv\",\"sql\":");
    px_buf_add_json_str(&body, px_str_c(sql));
    px_buf_add_char(&body, '}');
    CHECK_OK(kit_post(kit, px_buf_str(&body), false, NULL));
    struct px_str rest = px_arena_dup(&t->arena, px_buf_str(&kit->body)), line;
    if (kit->status != 200) return rest;
    (void)px_str_cut(&rest, '\n', &line);
    return px_str_trim(rest);
}

__attribute__((unused)) static struct px_str kit_json(struct test *t, struct kit *kit,
                                                      const char *request, int status)
{
    CHECK_OK(kit_post(kit, px_str_c(request), false, NULL));
    if (kit->status != status) TEST_FAIL("%s\n  gave %d %s", request, kit->status, kit->body.ptr);
    return px_arena_dup(&t->arena, px_buf_str(&kit->body));
}
