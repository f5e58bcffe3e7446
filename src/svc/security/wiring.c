/* svc/security/wiring.c - stores of the security functions. */
#include "svc/security/wiring.h"

#include <stdlib.h>

int security_stores_open(struct security_stores *stores, const struct security_urls *urls)
{
    if (urls->tables.len == 0) return px_fault(PX_F_CONFIG, "PRISM_TABLES_URL is not set");
    if (urls->secrets.len == 0) return px_fault(PX_F_CONFIG, "PRISM_SECRETS_URL is not set");
    if (!stores->clock) stores->clock = &px_clock_system;
    if (!stores->tables) {
        struct table_options options = {.clock = stores->clock, .cloud = &stores->cloud};
        PX_TRY(table_store_open(urls->tables, &options, &stores->tables));
    }
    if (!stores->secrets) {
        struct secret_options options = {.clock = stores->clock, .cloud = &stores->cloud};
        PX_TRY(secret_store_open(urls->secrets, &options, &stores->secrets));
    }
    return 0;
}

void security_stores_close(struct security_stores *stores)
{
    table_store_close(&stores->tables);
    secret_store_close(&stores->secrets);
    cloud_shared_close(&stores->cloud);
}

struct keys security_keys(const struct security_stores *stores)
{
    return (struct keys){stores->tables, stores->secrets, stores->clock};
}

struct registry security_registry(const struct security_stores *stores, const struct home *home)
{
    struct registry registry = {.tables = stores->tables, .clock = stores->clock};
    if (home) registry.home = *home;
    return registry;
}

struct token_place token_place_here(void)
{
    return (struct token_place){px_str_c(getenv("PRISM_ENVIRONMENT")),
                                px_str_c(getenv("PRISM_REGION")),
                                token_secret_name(getenv("PRISM_TOKEN_SECRET_NAME"))};
}
