/* fn/keys/main.c - function `keys`: issue, list and revoke API keys, issue tokens. Wiring only. */
#include <stdlib.h>

#include "export/exporter.h"
#include "svc/audit/audit.h"
#include "svc/security/key_admin.h"
#include "svc/security/wiring.h"

struct function {
    struct security_urls urls;
    struct security_stores stores;
    struct home home;
};

static int handle(void *ctx, const struct lambda_event *event)
{
    struct function *fn = ctx;
    PX_TRY(security_stores_open(&fn->stores, &fn->urls));
    const struct audit audit = {fn->stores.tables, fn->stores.clock, fn->home.region};
    struct key_admin service = {security_keys(&fn->stores),
                                security_registry(&fn->stores, &fn->home), token_place_here(),
                                &audit};
    return key_admin_handle(&service, event);
}

static void stop(void *ctx) { security_stores_close(&((struct function *)ctx)->stores); }

int main(void)
{
    struct function fn = {.urls = {.tables = px_str_c(getenv("PRISM_TABLES_URL")),
                                   .secrets = px_str_c(getenv("PRISM_SECRETS_URL"))},
                          .home = {.region = px_str_c(getenv("PRISM_REGION"))}};
    struct lambda_handler handler = {.handle = handle,
                                     .stop = stop,
                                     .ctx = &fn,
                                     .exporter = &span_exporter,
                                     .exporter_ctx = &fn.stores.cloud};
    return lambda_run(&handler);
}
