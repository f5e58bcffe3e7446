/* fn/schema/main.c - function `schema`: the catalog's tables are changed, its database's users made. Wiring only. It is a function of
 * its own because it alone signs in as somebody who may do so. */
#include <stdlib.h>

#include "aws/shared.h"
#include "export/exporter.h"
#include "svc/catalog/catalog.h"
#include "svc/catalog/migrate_event.h"

static int handle(void *ctx, const struct lambda_event *event) { return schema_handle(ctx, event); }

int main(void)
{
    struct cloud_shared cloud = {0};
    struct schema_function fn = {.cloud = &cloud,
                                 .list = &catalog_migrations,
                                 .meta_url = px_str_c(getenv("PRISM_META_URL")),
                                 .secrets_url = S("secretsmanager://"),
                                 .secret = px_str_c(getenv("PRISM_SCHEMA_SECRET")),
                                 .users = px_str_c(getenv("PRISM_SCHEMA_USERS"))};
    struct lambda_handler handler = {
        .handle = handle, .ctx = &fn, .exporter = &span_exporter, .exporter_ctx = &cloud};
    int status = lambda_run(&handler);
    cloud_shared_close(&cloud);
    return status;
}
