/* fn/ingest/main.c - function `ingest`: telemetry to durable hot frames. Wiring only.
 *
 * Stores are opened when a request needs them: a cold start spends nothing on files, SQLite is opened by
 * the first request that stores something and the catalog only by one that finds a claim left behind. */
#include <stdlib.h>

#include "aws/shared.h"
#include "export/exporter.h"
#include "lambda/runtime.h"
#include "svc/catalog/catalog.h"
#include "svc/ingest/ingest.h"

/* A request of the largest body unpacks within this (memory_mb in platform/functions.json is 512). */
#define ARENA_BYTES_MAX ((size_t)256 << 20)

#define META_MARGIN_NS (500 * PX_NS_PER_MS) /* for telling that the catalog gave no answer */

struct function {
    struct cloud_shared cloud;
    int64_t deadline_mono_ns; /* of the running event */
    struct px_str hot_url, tables_url, meta_url;
    struct hot_store *hot;
    struct hot_writer *writer;
    struct table_store *tables;
    struct meta *meta;
    struct catalog *catalog;
    struct ingest *ingest;
};

/* ---- environment ---- */

static int read_number(const char *name, uint64_t max, uint64_t *value)
{
    const char *text = getenv(name);
    if (!text || !*text) return 0; /* the default of ingest.h */
    if (!px_str_to_u64(px_str_c(text), value) || *value == 0 || *value > max)
        return px_fault(PX_F_CONFIG, "%s is a number from 1 to %llu, not \"%s\"", name,
                        (unsigned long long)max, text);
    return 0;
}

static int read_limits(struct ingest_limits *limits)
{
    uint64_t body = 0, record = 0, records = 0, fields = 0, datasets = 0;
    uint64_t past = 0, future = 0, key = 0, hash = 0, lease = 0;
    PX_TRY(read_number("PRISM_INGEST_BODY_BYTES_MAX", (uint64_t)256 << 20, &body));
    PX_TRY(read_number("PRISM_INGEST_RECORD_BYTES_MAX", (uint64_t)64 << 20, &record));
    PX_TRY(read_number("PRISM_INGEST_RECORDS_MAX", 1000000, &records));
    PX_TRY(read_number("PRISM_INGEST_RECORD_FIELDS_MAX", 10000, &fields));
    PX_TRY(read_number("PRISM_INGEST_DATASETS_MAX", 1000000, &datasets));
    PX_TRY(read_number("PRISM_INGEST_TIME_PAST_S", INT64_C(50) * 366 * 86400, &past));
    PX_TRY(read_number("PRISM_INGEST_TIME_FUTURE_S", INT64_C(50) * 366 * 86400, &future));
    PX_TRY(read_number("PRISM_INGEST_KEY_WINDOW_S", INT64_C(366) * 86400, &key));
    PX_TRY(read_number("PRISM_INGEST_HASH_WINDOW_S", INT64_C(366) * 86400, &hash));
    PX_TRY(read_number("PRISM_INGEST_LEASE_S", 3600, &lease));
    *limits = (struct ingest_limits){.body_bytes_max = (size_t)body,
                                     .record_bytes_max = (size_t)record,
                                     .records_max = (uint32_t)records,
                                     .record_fields_max = (uint32_t)fields,
                                     .datasets_max = (uint32_t)datasets,
                                     .time_past_s = (int64_t)past,
                                     .time_future_s = (int64_t)future,
                                     .key_window_s = (int64_t)key,
                                     .hash_window_s = (int64_t)hash,
                                     .lease_s = (int64_t)lease};
    return 0;
}

/* ---- stores ---- */

static int open_writer(struct function *fn)
{
    if (!fn->hot) PX_TRY(hot_store_open(fn->hot_url, &fn->hot));
    if (!fn->writer) PX_TRY(hot_writer_new(fn->hot, NULL, &fn->writer));
    return 0;
}

static int open_tables(struct function *fn)
{
    const struct table_options options = {.cloud = &fn->cloud};
    if (!fn->tables) PX_TRY(table_store_open(fn->tables_url, &options, &fn->tables));
    return 0;
}

static int open_catalog(struct function *fn)
{
    const struct meta_options options = {.cloud = &fn->cloud};
    if (!fn->meta) PX_TRY(meta_open(fn->meta_url, &options, &fn->meta));
    meta_set_deadline(fn->meta, fn->deadline_mono_ns);
    if (!fn->catalog) PX_TRY(catalog_new(fn->meta, &px_clock_system, &fn->catalog));
    return 0;
}

static int open_store(void *ctx, enum ingest_store store, struct ingest_options *options)
{
    struct function *fn = ctx;
    switch (store) {
    case INGEST_WRITER: PX_TRY(open_writer(fn)); break;
    case INGEST_TABLES: PX_TRY(open_tables(fn)); break;
    case INGEST_CATALOG: PX_TRY(open_catalog(fn)); break;
    }
    options->hot = fn->hot;
    options->writer = fn->writer;
    options->tables = fn->tables;
    options->catalog = fn->catalog;
    return 0;
}

static int read_url(const char *name, struct px_str *ret_url)
{
    struct px_str url = px_str_c(getenv(name));
    if (url.len == 0) return px_fault(PX_F_CONFIG, "%s is not set", name);
    *ret_url = url;
    return 0;
}

/* ---- the function ---- */

static int init(void *ctx, const struct px_log *log)
{
    (void)log;
    struct function *fn = ctx;
    struct ingest_options options = {
        .open = open_store,
        .open_ctx = fn,
        .clock = &px_clock_system,
        .home = {px_str_c(getenv("PRISM_REGION")), px_str_c(getenv("PRISM_STANDS_IN_FOR"))}};
    PX_TRY(read_url("PRISM_HOT_URL", &fn->hot_url));
    PX_TRY(read_url("PRISM_TABLES_URL", &fn->tables_url));
    PX_TRY(read_url("PRISM_META_URL", &fn->meta_url));
    PX_TRY(read_limits(&options.limits));
    PX_TRY(ingest_new(&options, &fn->ingest));
    return 0;
}

static int handle(void *ctx, const struct lambda_event *event)
{
    struct function *fn = ctx;
    fn->deadline_mono_ns = lambda_deadline_mono_ns(event, META_MARGIN_NS);
    if (fn->meta) meta_set_deadline(fn->meta, fn->deadline_mono_ns);
    struct api_event api;
    struct px_where where;
    int r = api_event_parse_in_place(event->payload, event->arena, &api, &where);
    if (r == API_INVALID) {
        event->reply->error_type = S("InvalidEvent");
        event->reply->error_message = px_arena_dup(event->arena, px_str_c(where.expected));
        return LAMBDA_ERROR;
    }
    PX_TRY(r);
    api_event_observe(&api);
    r = ingest_handle(fn->ingest, &api, event->arena, event->reply->body);
    if (r == 0) return 0;
    px_log_fault(event->log, r, "a request was not stored");
    px_buf_clear(event->reply->body);
    ingest_reply_fault(&api, r, event->reply->body);
    return px_buf_fault(event->reply->body);
}

static void stop(void *ctx)
{
    struct function *fn = ctx;
    ingest_free(&fn->ingest);
    hot_writer_free(&fn->writer);
    hot_store_close(&fn->hot);
    table_store_close(&fn->tables);
    catalog_free(&fn->catalog);
    meta_close(&fn->meta);
    cloud_shared_close(&fn->cloud);
}

int main(void)
{
    struct function fn = {0};
    struct lambda_handler handler = {.init = init,
                                     .handle = handle,
                                     .stop = stop,
                                     .ctx = &fn,
                                     .arena_bytes_max = ARENA_BYTES_MAX,
                                     .exporter = &span_exporter,
                                     .exporter_ctx = &fn.cloud};
    return lambda_run(&handler);
}
