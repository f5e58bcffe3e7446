/* fn/audit/main.c - function `audit`: reads the audit log. Wiring only. */
#include <stdlib.h>

#include "export/exporter.h"
#include "svc/security/audit_admin.h"

struct function {
    struct px_str url;
    struct cloud_shared cloud;
    struct audit_admin admin;
};

static int handle(void *ctx, const struct lambda_event *event)
{
    struct function *fn = ctx;
    if (fn->url.len == 0) return px_fault(PX_F_CONFIG, "PRISM_TABLES_URL is not set");
    if (!fn->admin.tables) {
        const struct table_options options = {.clock = &px_clock_system, .cloud = &fn->cloud};
        PX_TRY(table_store_open(fn->url, &options, &fn->admin.tables));
    }
    return audit_admin_handle(&fn->admin, event);
}

static void stop(void *ctx)
{
    struct function *fn = ctx;
    table_store_close(&fn->admin.tables);
    cloud_shared_close(&fn->cloud);
}

int main(void)
{
    struct function fn = {.url = px_str_c(getenv("PRISM_TABLES_URL")),
                          .admin = {.region = px_str_c(getenv("PRISM_REGION"))}};
    struct lambda_handler handler = {.handle = handle,
                                     .stop = stop,
                                     .ctx = &fn,
                                     .exporter = &span_exporter,
                                     .exporter_ctx = &fn.cloud};
    return lambda_run(&handler);
}
