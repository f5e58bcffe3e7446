/* fn/ingest/main.c - function `ingest`: telemetry to durable hot frames. Wiring only.
 *
 * Stores are opened when a request needs them: a cold start spends nothing on files, SQLite is opened by
 * the first request that stores something and the catalog only by one that finds a claim left behind. */
#include <stdlib.h>

#include "aws/shared.h"
#include "export/exporter.h"
#include "lambda/runtime.h"
#include "settings/settings.h"
#include "svc/catalog/catalog.h"
#include "svc/ingest/ingest.h"
#include "svc/quota/rates.h"

/* A request of the largest body unpacks within this (memory_mb in platform/functions.json is 512). */
#define ARENA_BYTES_MAX ((size_t)256 << 20)

#define PARAMETERS_MS 2000 /* at start; without them the environment's values hold */
#define META_MARGIN_NS (500 * PX_NS_PER_MS) /* for telling that the catalog gave no answer */

struct function {
    struct cloud_shared cloud;
    int64_t deadline_mono_ns; /* of the running event */
    struct px_str hot_url, tables_url, meta_url;
    struct hot_store *hot;
    struct hot_writer *writer;
    struct table_store *tables, *tables_of_rates; /* these do not wait long */
    struct rates *rates;
    const struct px_log *log; /* of the running event */
    struct meta *meta;
    struct catalog *catalog;
    struct ingest *ingest;
    struct settings settings;
};

/* ---- settings ---- */

enum { BODY, RECORD, RECORDS, FIELDS, DATASETS, PAST, FUTURE, KEY, HASH, LEASE, SETTINGS };
static const struct setting_spec specs[SETTINGS] = {
    [BODY] = {"PRISM_INGEST_BODY_BYTES_MAX", "ingest/body_bytes_max", (uint64_t)256 << 20, true},
    [RECORD] = {"PRISM_INGEST_RECORD_BYTES_MAX", "ingest/record_bytes_max", (uint64_t)64 << 20,
                true},
    [RECORDS] = {"PRISM_INGEST_RECORDS_MAX", "ingest/records_max", 1000000, false},
    [FIELDS] = {"PRISM_INGEST_RECORD_FIELDS_MAX", "ingest/record_fields_max", 10000, false},
    [DATASETS] = {"PRISM_INGEST_DATASETS_MAX", "ingest/datasets_max", 1000000, true},
    [PAST] = {"PRISM_INGEST_TIME_PAST_S", "ingest/time_past_s", INT64_C(50) * 366 * 86400, true},
    [FUTURE] = {"PRISM_INGEST_TIME_FUTURE_S", "ingest/time_future_s", INT64_C(50) * 366 * 86400,
                true},
    [KEY] = {"PRISM_INGEST_KEY_WINDOW_S", "ingest/key_window_s", INT64_C(366) * 86400, true},
    [HASH] = {"PRISM_INGEST_HASH_WINDOW_S", "ingest/hash_window_s", INT64_C(366) * 86400, true},
    [LEASE] = {"PRISM_INGEST_LEASE_S", "ingest/lease_s", 3600, true},
};

static struct ingest_limits limits_of(const struct settings *settings)
{
    const uint64_t *value = settings->values;
    return (struct ingest_limits){.body_bytes_max = (size_t)value[BODY],
                                  .record_bytes_max = (size_t)value[RECORD],
                                  .records_max = (uint32_t)value[RECORDS],
                                  .record_fields_max = (uint32_t)value[FIELDS],
                                  .datasets_max = (uint32_t)value[DATASETS],
                                  .time_past_s = (int64_t)value[PAST],
                                  .time_future_s = (int64_t)value[FUTURE],
                                  .key_window_s = (int64_t)value[KEY],
                                  .hash_window_s = (int64_t)value[HASH],
                                  .lease_s = (int64_t)value[LEASE]};
}

static int open_settings(struct function *fn, const struct px_log *log)
{
    const struct param_options parameters = {.cloud = &fn->cloud};
    PX_TRY(settings_open(&fn->settings, "ingest", specs, SETTINGS, &parameters));
    (void)settings_refresh(&fn->settings, log, PARAMETERS_MS);
    return 0;
}

static void after(void *ctx, struct px_log *log, uint32_t within_ms)
{
    struct function *fn = ctx;
    if (settings_refresh(&fn->settings, log, within_ms)) {
        const struct ingest_limits limits = limits_of(&fn->settings);
        ingest_set_limits(fn->ingest, &limits);
    }
    log->level = fn->settings.level;
    catalog_say_after(fn->catalog, px_str_c(getenv("AWS_LAMBDA_FUNCTION_NAME")), within_ms, log);
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

static int open_rates(void *ctx, struct table_store **ret_tables)
{
    struct function *fn = ctx;
    const struct table_options options = {.cloud = &fn->cloud, .busy_ms = RATES_WAIT_MS};
    if (!fn->tables_of_rates)
        PX_TRY(table_store_open(fn->tables_url, &options, &fn->tables_of_rates));
    *ret_tables = fn->tables_of_rates;
    return 0;
}

static void rates_alone(void *ctx, int fault)
{
    struct function *fn = ctx;
    px_log_fault(fn->log, fault, "this instance holds tenants to their rates by itself");
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
    struct function *fn = ctx;
    struct ingest_options options = {
        .open = open_store,
        .open_ctx = fn,
        .clock = &px_clock_system,
        .home = {px_str_c(getenv("PRISM_REGION")), px_str_c(getenv("PRISM_STANDS_IN_FOR"))},
        .own_quotas = px_str_eq(px_str_c(getenv("PRISM_QUOTAS")), S("own"))};
    PX_TRY(read_url("PRISM_HOT_URL", &fn->hot_url));
    PX_TRY(read_url("PRISM_TABLES_URL", &fn->tables_url));
    PX_TRY(read_url("PRISM_META_URL", &fn->meta_url));
    PX_TRY(open_settings(fn, log));
    options.limits = limits_of(&fn->settings);
    const struct rates_options rates = {&px_clock_system, !options.own_quotas, open_rates,
                                        rates_alone, fn};
    if (!px_str_eq(px_str_c(getenv("PRISM_RATES")), S("gateway")))
        PX_TRY(rates_new(&rates, &fn->rates));
    options.rates = fn->rates;
    PX_TRY(ingest_new(&options, &fn->ingest));
    return 0;
}

static int handle(void *ctx, const struct lambda_event *event)
{
    struct function *fn = ctx;
    fn->log = event->log;
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
    settings_close(&fn->settings);
    hot_writer_free(&fn->writer);
    hot_store_close(&fn->hot);
    rates_free(&fn->rates);
    table_store_close(&fn->tables);
    table_store_close(&fn->tables_of_rates);
    catalog_free(&fn->catalog);
    meta_close(&fn->meta);
    cloud_shared_close(&fn->cloud);
}

int main(void)
{
    struct function fn = {0};
    struct lambda_handler handler = {.init = init,
                                     .handle = handle,
                                     .after = after,
                                     .stop = stop,
                                     .ctx = &fn,
                                     .arena_bytes_max = ARENA_BYTES_MAX,
                                     .exporter = &span_exporter,
                                     .exporter_ctx = &fn.cloud};
    return lambda_run(&handler);
}
