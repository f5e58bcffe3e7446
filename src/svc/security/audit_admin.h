/* svc/security/audit_admin.h - the audit log as an operator reads it: GET /v1/admin/audit tells the chains with their tips,
 * GET /v1/admin/audit/{tenant} gives a page of one chain's entries, each line as it is stored, so that hashes hold. It only reads:
 * who writes the log reads nothing of others, and who reads it writes nothing. docs/design/audit.md */
#pragma once

#include "aws/shared.h"
#include "lambda/runtime.h"
#include "svc/audit/verify.h"

struct audit_admin {
    struct table_store *tables; /* borrowed */
    struct px_str region;       /* of the chains when a request names none; empty: "local" */
};
PX_MUST_USE int audit_admin_handle(const struct audit_admin *admin,
                                   const struct lambda_event *event);
