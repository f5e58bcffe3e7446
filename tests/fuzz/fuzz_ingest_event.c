/* A Lambda proxy event of any content through ingest with small limits, over real stores in a scratch folder. Every
 * answer must be a proxy response that API Gateway takes, with a status that says what happened. */
// link: px_svc_ingest
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "svc/catalog/catalog.h"
#include "svc/ingest/ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Set up once, at the first input; a fuzzer has no other place for it. */
static struct {
    char dir[64];
    struct hot_store *hot;
    struct hot_writer *writer;
    struct table_store *tables;
    struct meta *meta;
    struct catalog *catalog;
    struct ingest *ingest;
} it;

static void tear_down(void)
{
    ingest_free(&it.ingest);
    hot_writer_free(&it.writer);
    hot_store_close(&it.hot);
    table_store_close(&it.tables);
    catalog_free(&it.catalog);
    meta_close(&it.meta);
    if (px_dir_remove(it.dir) != 0) fprintf(stderr, "%s stays\n", it.dir);
}

static struct px_str in_dir(const char *name, char *path, size_t room)
{
    return px_str(path, (size_t)snprintf(path, room, "%s/%s", it.dir, name));
}

static void set_up(void)
{
    char path[128];
    const char *shm = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(it.dir, sizeof it.dir, "%s/prism-fuzz-XXXXXX", shm);
    PX_ASSERT(mkdtemp(it.dir));
    PX_ASSERT(hot_store_open(in_dir("hot", path, sizeof path), &it.hot) == 0);
    PX_ASSERT(hot_writer_new(it.hot, NULL, &it.writer) == 0);
    PX_ASSERT(table_store_open(in_dir("tables.db", path, sizeof path), NULL, &it.tables) == 0);
    PX_ASSERT(meta_open(in_dir("meta.db", path, sizeof path), NULL, &it.meta) == 0);
    PX_ASSERT(catalog_new(it.meta, &px_clock_system, &it.catalog) == 0);
    struct ingest_options options = {.writer = it.writer,
                                     .hot = it.hot,
                                     .tables = it.tables,
                                     .catalog = it.catalog,
                                     .clock = &px_clock_system,
                                     .limits = {.body_bytes_max = 65536,
                                                .record_bytes_max = 1024,
                                                .records_max = 50,
                                                .record_fields_max = 20,
                                                .time_past_s = INT64_C(1500000000)}};
    PX_ASSERT(ingest_new(&options, &it.ingest) == 0);
    (void)atexit(tear_down);
}

static void check_response(struct px_str payload, struct px_arena *arena)
{
    struct api_response response;
    PX_ASSERT(api_response_parse(payload, arena, &response) == 0);
    PX_ASSERT(response.status == 200 || (response.status >= 400 && response.status < 500) ||
              response.status == 503);
    PX_ASSERT(response.header_count >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!it.ingest) set_up();
    struct px_arena arena;
    struct px_buf buf;
    struct api_event event;
    struct px_where where;
    px_arena_init(&arena, 16u << 20);
    px_buf_init(&buf, 1u << 20);
    int r = api_event_parse(px_str((const char *)data, size), &arena, &event, &where);
    if (r == 0) {
        /* one tenant and few datasets, so that a long run does not fill the disk with folders */
        if (event.caller.tenant.len) event.caller.tenant = S("fuzz");
        PX_ASSERT(ingest_handle(it.ingest, &event, &arena, &buf) == 0);
        check_response(px_buf_str(&buf), &arena);
    }
    px_buf_deinit(&buf);
    px_arena_deinit(&arena);
    return 0;
}
