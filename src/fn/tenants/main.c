/* fn/tenants/main.c - function `tenants`: the tenant registry. Wiring only. */
#include <stdlib.h>

#include "export/exporter.h"
#include "svc/audit/audit.h"
#include "svc/security/wiring.h"
#include "svc/sharding/tenants.h"

struct function {
    struct security_urls urls;
    struct security_stores stores;
    struct home home;
    struct px_str shards;
    struct residence residence;
};

static int revoke_keys(void *ctx, struct px_str tenant, struct px_arena *arena, size_t *ret_count)
{
    struct function *fn = ctx;
    struct keys keys = security_keys(&fn->stores);
    return keys_revoke_all(&keys, tenant, arena, ret_count);
}

static int handle(void *ctx, const struct lambda_event *event)
{
    struct function *fn = ctx;
    PX_TRY(security_stores_open(&fn->stores, &fn->urls));
    const struct audit audit = {fn->stores.tables, fn->stores.clock, fn->home.region};
    struct tenants service = {
        .audit = &audit,
        .registry = security_registry(&fn->stores, &fn->home),
        .revoke_keys = revoke_keys,
        .ctx = fn,
        .shards = fn->shards,
        .residence = fn->residence.machine.len > 0 ? &fn->residence : NULL,
    };
    return tenants_handle(&service, event);
}

static void stop(void *ctx)
{
    struct function *fn = ctx;
    residence_deinit(&fn->residence);
    security_stores_close(&fn->stores);
}

int main(void)
{
    struct function fn = {
        .urls = {.tables = px_str_c(getenv("PRISM_TABLES_URL")),
                 .secrets = px_str_c(getenv("PRISM_SECRETS_URL"))},
        .home = {.region = px_str_c(getenv("PRISM_REGION"))},
        .shards = px_str_c(getenv("PRISM_SHARDS")),
        .residence = {.sfn = {.cloud = &fn.stores.cloud,
                              .endpoint = px_str_c(getenv("AWS_ENDPOINT_URL_SFN"))},
                      .machine = px_str_c(getenv("PRISM_STARTS"))}};
    struct lambda_handler handler = {.handle = handle,
                                     .stop = stop,
                                     .ctx = &fn,
                                     .exporter = &span_exporter,
                                     .exporter_ctx = &fn.stores.cloud};
    return lambda_run(&handler);
}
