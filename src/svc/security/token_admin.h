/* svc/security/token_admin.h - POST /v1/tokens: a key issues a token for its own tenant.
 *
 * Of the caller nothing is asked but its key: what the token says is the authorizer's context, or less. A key with the scope
 * admin could make a key for anything of its tenant, so it may give what it has not; nobody gives the scope admin, and a
 * token issues no tokens, so that what was given for an hour ends after an hour. A restricted key gives within its
 * restriction: some of its datasets, its conditions and more. */
#pragma once

#include "svc/security/key_admin.h"
#include "svc/sharding/admin.h"

PX_MUST_USE int token_admin_issue(const struct key_admin *admin,
                                  const struct admin_request *request, struct px_arena *arena,
                                  struct admin_outcome *out);
