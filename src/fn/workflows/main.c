/* fn/workflows/main.c - function `workflows`: state machines for operators. Wiring only. */
#include <stdlib.h>

#include "export/exporter.h"
#include "svc/sharding/workflow_admin.h"

struct function {
    struct px_str url, region;
    struct cloud_shared cloud;
    struct table_store *tables;
    struct workflow_admin admin;
};

static int handle(void *ctx, const struct lambda_event *event)
{
    struct function *fn = ctx;
    if (fn->url.len == 0) return px_fault(PX_F_CONFIG, "PRISM_TABLES_URL is not set");
    if (fn->admin.arn_prefix.len == 0)
        return px_fault(PX_F_CONFIG, "PRISM_MACHINES_ARN is not set");
    if (!fn->tables) {
        const struct table_options options = {.clock = &px_clock_system, .cloud = &fn->cloud};
        PX_TRY(table_store_open(fn->url, &options, &fn->tables));
    }
    const struct audit audit = {fn->tables, &px_clock_system, fn->region};
    fn->admin.audit = &audit;
    return workflow_admin_handle(&fn->admin, event);
}

static void stop(void *ctx)
{
    struct function *fn = ctx;
    sfn_deinit(&fn->admin.sfn);
    table_store_close(&fn->tables);
    cloud_shared_close(&fn->cloud);
}

int main(void)
{
    struct function fn = {
        .url = px_str_c(getenv("PRISM_TABLES_URL")),
        .region = px_str_c(getenv("PRISM_REGION")),
        .admin = {.sfn = {.cloud = &fn.cloud, .endpoint = px_str_c(getenv("AWS_ENDPOINT_URL_SFN"))},
                  .machines = px_str_c(getenv("PRISM_MACHINES")),
                  .arn_prefix = px_str_c(getenv("PRISM_MACHINES_ARN"))}};
    struct lambda_handler handler = {.handle = handle,
                                     .stop = stop,
                                     .ctx = &fn,
                                     .exporter = &span_exporter,
                                     .exporter_ctx = &fn.cloud};
    return lambda_run(&handler);
}
