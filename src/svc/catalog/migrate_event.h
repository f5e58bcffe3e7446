/* svc/catalog/migrate_event.h - the function `schema`: steps of the catalog's tables, run by a workflow.
 *
 *   {"op":"status"|"expand"|"backfill"|"contract"|"verify", "to"?: n, "rows"?: n, "approved"?: bool, "force"?: bool}
 *   -> {"op":..., "version":n, "contracted":n, "next":"expand"|"backfill"|"contract"|"none", "next_number":n, "next_name":"",
 *       "pending":n, "contract_pending":n, "functions":[{"name","knows"}], "users_missing":n,
 *       "run":n, "rows":n, "more":bool, "held":""|"behind"|"in_use"|"unsaid"|"left", "unsound":n, "left":n, "ms":n}
 *
 * All are answered alike, so that whoever drives it looks at `next` alone (docs/design/catalog-schema.md). `held` is of
 * contract, `unsound` (a step's number) and `left` of verify. Every operation may be repeated. expand also makes the
 * database's users. A wrong event is the function error "InvalidEvent". */
#pragma once

#include "lambda/runtime.h"
#include "store/migrate.h"

struct cloud_shared; /* aws/shared.h */
struct schema_function {
    struct cloud_shared *cloud;      /* borrowed; NULL: each store makes its own */
    const struct migrate_list *list; /* borrowed */
    struct px_str meta_url;          /* as somebody who may change tables */
    struct px_str secrets_url,
        secret; /* {"username","password"} for it, as RDS keeps them; empty: the URL has them */
    struct px_str users; /* meta_users.h; empty: none are made */
};
PX_MUST_USE int schema_handle(const struct schema_function *function,
                              const struct lambda_event *event);
