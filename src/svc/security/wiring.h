/* svc/security/wiring.h - what the functions authorizer, keys and tenants have in common: the stores that
 * keys and tenants stand in, opened at the first event, so that a cold start is spent on nothing that
 * the event does not need. */
#pragma once

#include "aws/shared.h"
#include "svc/security/keys.h"
#include "svc/security/token.h"
#include "svc/sharding/registry.h"

struct security_stores {
    struct cloud_shared cloud; /* opened by a store that is AWS's */
    struct table_store *tables;
    struct secret_store *secrets;
    const struct px_clock *clock;
};
/* Whose tokens a function of this process issues and takes: PRISM_ENVIRONMENT, PRISM_REGION, PRISM_TOKEN_SECRET_NAME. */
struct token_place token_place_here(void);
/* PRISM_TABLES_URL and PRISM_SECRETS_URL, as the function's main() read them. */
struct security_urls {
    struct px_str tables, secrets;
};
/* Opens what is not open yet. Faults: PX_F_CONFIG when an url is empty. */
PX_MUST_USE int security_stores_open(struct security_stores *stores,
                                     const struct security_urls *urls);
void security_stores_close(struct security_stores *stores);
struct keys security_keys(const struct security_stores *stores);
/* home: may be NULL, where no tenant is changed. */
struct registry security_registry(const struct security_stores *stores, const struct home *home);
