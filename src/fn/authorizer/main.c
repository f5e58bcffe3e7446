/* fn/authorizer/main.c - function `authorizer`: API keys and tokens to callers. Wiring only. */
#include <stdlib.h>

#include "export/exporter.h"
#include "svc/security/authorizer.h"
#include "svc/security/wiring.h"

struct function {
    struct security_urls urls;
    struct security_stores stores;
};

static int handle(void *ctx, const struct lambda_event *event)
{
    struct function *fn = ctx;
    PX_TRY(security_stores_open(&fn->stores, &fn->urls));
    struct authorizer service = {security_keys(&fn->stores), security_registry(&fn->stores, NULL),
                                 px_str_c(getenv("PRISM_ENVIRONMENT")), token_place_here()};
    return authorizer_handle(&service, event);
}

static void stop(void *ctx) { security_stores_close(&((struct function *)ctx)->stores); }

int main(void)
{
    struct function fn = {.urls = {.tables = px_str_c(getenv("PRISM_TABLES_URL")),
                                   .secrets = px_str_c(getenv("PRISM_SECRETS_URL"))}};
    struct lambda_handler handler = {.handle = handle,
                                     .stop = stop,
                                     .ctx = &fn,
                                     .exporter = &span_exporter,
                                     .exporter_ctx = &fn.stores.cloud};
    return lambda_run(&handler);
}
