/* fn/catalog/main.c - function `catalog`: datasets, schemas, retention. Wiring only. */
#include <stdlib.h>

#include "aws/shared.h"
#include "export/exporter.h"
#include "svc/catalog/datasets.h"

#define META_MARGIN_NS (500 * PX_NS_PER_MS) /* for telling that the catalog gave no answer */

struct function {
    struct px_str hot_url, meta_url, tables_url, name;
    struct home home;
    bool own_quotas;
    struct cloud_shared cloud;
    struct px_arena arena; /* the lifecycle's text */
    struct lifecycle lifecycle;
    struct hot_store *hot;
    struct meta *meta;
    struct catalog *catalog;
    struct table_store *tables; /* opened by the first change, for the audit log, and for usage */
};

static int init(void *ctx, const struct px_log *log)
{
    struct function *fn = ctx;
    (void)log;
    if (fn->hot_url.len == 0) return px_fault(PX_F_CONFIG, "PRISM_HOT_URL is not set");
    if (fn->meta_url.len == 0) return px_fault(PX_F_CONFIG, "PRISM_META_URL is not set");
    px_arena_init(&fn->arena, (size_t)1 << 20);
    int r = lifecycle_parse(lifecycle_builtin(), &fn->arena, &fn->lifecycle, NULL);
    if (r > 0) return px_fault(PX_F_CONFIG, "the built-in lifecycle is invalid");
    PX_TRY(r);
    PX_TRY(hot_store_open(fn->hot_url, &fn->hot));
    const struct meta_options meta = {.cloud = &fn->cloud};
    PX_TRY(meta_open(fn->meta_url, &meta, &fn->meta));
    return catalog_new(fn->meta, &px_clock_system, &fn->catalog);
}

static int open_tables(void *ctx, struct table_store **ret_tables)
{
    struct function *fn = ctx;
    const struct table_options options = {.cloud = &fn->cloud};
    if (fn->tables_url.len == 0) return px_fault(PX_F_CONFIG, "PRISM_TABLES_URL is not set");
    if (!fn->tables) PX_TRY(table_store_open(fn->tables_url, &options, &fn->tables));
    *ret_tables = fn->tables;
    return 0;
}

static int open_audit(void *ctx, struct audit *ret_audit)
{
    struct function *fn = ctx;
    PX_TRY(open_tables(fn, &fn->tables));
    *ret_audit = (struct audit){fn->tables, &px_clock_system, fn->home.region};
    return 0;
}

static int handle(void *ctx, const struct lambda_event *event)
{
    struct function *fn = ctx;
    meta_set_deadline(fn->meta, lambda_deadline_mono_ns(event, META_MARGIN_NS));
    const struct datasets datasets = {fn->catalog, fn->hot, &fn->lifecycle, fn->home,
                                      open_audit,  fn,      fn->own_quotas, open_tables};
    return datasets_handle(&datasets, event);
}

static void after(void *ctx, struct px_log *log, uint32_t within_ms)
{
    struct function *fn = ctx;
    catalog_say_after(fn->catalog, fn->name, within_ms, log);
}

static void stop(void *ctx)
{
    struct function *fn = ctx;
    catalog_free(&fn->catalog);
    meta_close(&fn->meta);
    table_store_close(&fn->tables);
    hot_store_close(&fn->hot);
    cloud_shared_close(&fn->cloud);
    px_arena_deinit(&fn->arena);
}

int main(void)
{
    struct function fn = {
        .hot_url = px_str_c(getenv("PRISM_HOT_URL")),
        .meta_url = px_str_c(getenv("PRISM_META_URL")),
        .tables_url = px_str_c(getenv("PRISM_TABLES_URL")),
        .name = px_str_c(getenv("AWS_LAMBDA_FUNCTION_NAME")),
        .home = {px_str_c(getenv("PRISM_REGION")), px_str_c(getenv("PRISM_STANDS_IN_FOR"))},
        .own_quotas = px_str_eq(px_str_c(getenv("PRISM_QUOTAS")), S("own"))};
    struct lambda_handler handler = {.init = init,
                                     .handle = handle,
                                     .after = after,
                                     .stop = stop,
                                     .ctx = &fn,
                                     .exporter = &span_exporter,
                                     .exporter_ctx = &fn.cloud};
    return lambda_run(&handler);
}
