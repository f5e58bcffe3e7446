/* fn/rotation/main.c - function `rotation`: new values for secrets. Wiring only. It is a function of its own because it alone may write
 * secrets. */
#include <stdlib.h>

#include "aws/shared.h"
#include "export/exporter.h"
#include "svc/security/rotation.h"
#include "svc/security/token_keys.h"

static int handle(void *ctx, const struct lambda_event *event)
{
    return rotation_handle(ctx, event);
}

int main(void)
{
    struct cloud_shared cloud = {0};
    struct rotation_options options = {
        .secrets_url = px_str_c(getenv("PRISM_SECRETS_URL")),
        .tables_url = px_str_c(getenv("PRISM_TABLES_URL")),
        .token_secret = token_secret_name(getenv("PRISM_TOKEN_SECRET_NAME")),
        .primary = px_str_c(getenv("PRISM_SECRETS_PRIMARY")),
        .cloud = &cloud};
    struct lambda_handler handler = {
        .handle = handle, .ctx = &options, .exporter = &span_exporter, .exporter_ctx = &cloud};
    int status = lambda_run(&handler);
    cloud_shared_close(&cloud);
    return status;
}
