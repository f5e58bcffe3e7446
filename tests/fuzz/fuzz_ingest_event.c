/* A Lambda proxy event of any content through ingest with small limits, over real stores in a scratch folder. Every
 * answer must be a proxy response that API Gateway takes, with a status that says what happened. Nothing that a client
 * sends is a fault. The authorizer's quotas are none of a client's: broken ones are a fault, which is answered, too. */
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

static bool quotas_are_broken(const struct api_event *event, struct px_arena *arena)
{
    yyjson_val *root;
    struct px_str quotas = event->caller.quotas;
    return quotas.len > 0 && px_json_parse(quotas, arena, &root, NULL) == PX_JSON_INVALID;
}

/* The assertion alone would end the process without a reason. */
static void check_fault(int fault, const struct api_event *event, struct px_arena *arena)
{
    char text[1024];
    bool expected = fault == PX_F_PROTOCOL && quotas_are_broken(event, arena);
    if (!expected) fprintf(stderr, "ingest_handle: %s\n", px_fault_text(fault, text, sizeof text));
    PX_ASSERT(expected);
}

static void check_response(struct px_str payload, bool is_fault, struct px_arena *arena)
{
    struct api_response response;
    PX_ASSERT(api_response_parse(payload, arena, &response) == 0);
    int status = response.status;
    PX_ASSERT(is_fault ? status == 502 || status == 503
                       : status == 200 || (status >= 400 && status < 500) || status == 503);
    PX_ASSERT(response.header_count >= 1);
}

static void handle(const struct api_event *event, struct px_arena *arena, struct px_buf *buf)
{
    int r = ingest_handle(it.ingest, event, arena, buf);
    if (r != 0) {
        check_fault(r, event, arena);
        px_buf_clear(buf);
        ingest_reply_fault(event, r, buf);
    }
    check_response(px_buf_str(buf), r != 0, arena);
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
        handle(&event, &arena, &buf);
    }
    px_buf_deinit(&buf);
    px_arena_deinit(&arena);
    return 0;
}
