/* svc/security/key_admin.h - key management as a function: HTTP routes under
 * /v1/admin/tenants/{tenant}/keys, POST /v1/tokens (token_admin.h), and the direct operations issue, list,
 * revoke. docs/api.md */
#pragma once

#include "lambda/runtime.h"
#include "svc/audit/audit.h"
#include "svc/security/keys.h"
#include "svc/security/token.h"
#include "svc/sharding/registry.h"

struct key_admin {
    struct keys keys;
    struct registry registry; /* to see that the tenant exists */
    struct token_place place;
    const struct audit *audit; /* NULL: changes are not recorded */
};
PX_MUST_USE int key_admin_handle(const struct key_admin *admin, const struct lambda_event *event);
