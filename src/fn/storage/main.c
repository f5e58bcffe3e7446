/* fn/storage/main.c - function `storage`: seal, compact, retain, ttl. Wiring only. */
#include <stdlib.h>

#include "aws/shared.h"
#include "export/exporter.h"
#include "svc/storage/storage_event.h"

static int handle(void *ctx, const struct lambda_event *event)
{
    return storage_handle(ctx, event);
}

/* A number from the environment; 0, the default, when it is absent or none. */
static uint64_t number(const char *name)
{
    uint64_t value = 0;
    return px_str_to_u64(px_str_c(getenv(name)), &value) ? value : 0;
}

int main(void)
{
    struct cloud_shared cloud = {0};
    struct storage_function fn = {
        .cloud = &cloud,
        .urls = {.hot = px_str_c(getenv("PRISM_HOT_URL")),
                 .segments = px_str_c(getenv("PRISM_SEGMENTS_URL")),
                 .analytics = px_str_c(getenv("PRISM_ANALYTICS_URL")),
                 .tables = px_str_c(getenv("PRISM_TABLES_URL")),
                 .meta = px_str_c(getenv("PRISM_META_URL"))},
        .limits = {.memory_bytes = number("PRISM_STORAGE_MEMORY_BYTES"),
                   .threads = (uint32_t)number("PRISM_STORAGE_THREADS"),
                   .temp_dir = px_str_c(getenv("PRISM_TMP")),
                   .temp_bytes_max = number("PRISM_STORAGE_TEMP_BYTES_MAX")},
        .region = px_str_c(getenv("PRISM_REGION")),
        .name = px_str_c(getenv("AWS_LAMBDA_FUNCTION_NAME")),
        .lifecycle_path = px_str_c(getenv("PRISM_STORAGE_LIFECYCLE")),
        .lending = {.extensions = px_str_c(getenv("PRISM_DUCKDB_EXTENSIONS")),
                    .role_arn = px_str_c(getenv("PRISM_TENANT_ROLE_ARN")),
                    .ca_file = px_str_c(getenv("AWS_CA_BUNDLE"))}};
    struct lambda_handler handler = {
        .handle = handle, .ctx = &fn, .exporter = &span_exporter, .exporter_ctx = &cloud};
    int status = lambda_run(&handler);
    cloud_shared_close(&cloud);
    return status;
}
