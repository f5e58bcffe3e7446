/* svc/catalog/datasets.h - the function `catalog`: HTTP events about datasets.
 *
 *   GET    /v1/datasets                        the tenant's datasets
 *   GET    /v1/datasets/{dataset}              one with its columns
 *   DELETE /v1/datasets/{dataset}              drop its rows (scope admin)
 *   GET    /v1/datasets/{dataset}/retention    how long its rows stay, and who said so
 *   PUT    /v1/datasets/{dataset}/retention    {"days": n, "rules": [...]} (scope admin; retention.h)
 *   DELETE /v1/datasets/{dataset}/retention    as its tenant's others (scope admin)
 *   GET, PUT, DELETE /v1/retention             of all datasets that have none of their own
 *   GET    /v1/usage                           what the tenant may use and has stored
 *   GET    /v1/admin/tenants/{tenant}/usage    what that one has stored here (scope admin of the operator, or its own)
 *
 * The tenant is the caller's, from nowhere else but in the last, which only the operator may ask of others. A dataset is there as soon as a row was accepted:
 * `rows` and `bytes` count sealed segments and hot frames, `sealed_rows` and `hot_bytes` tell them
 * apart.
 *
 * Changes stand in the tenant's audit log, with the retention before and after (svc/audit/audit.h).
 *
 * While the tenant moves, its fence decides who answers, as for queries and records: changes are told to
 * repeat from the moment on from which records are. */
#pragma once

#include "lambda/apigw.h"
#include "lambda/runtime.h"
#include "store/hot.h"
#include "svc/audit/audit.h"
#include "svc/catalog/catalog.h"
#include "svc/catalog/lifecycle.h"
#include "svc/home/home.h"

struct datasets {
    struct catalog *catalog;
    struct hot_store *hot;
    const struct lifecycle *lifecycle;
    struct home home; /* whose datasets are shown and changed; zeros: everybody's */
    /* Where changes are recorded, asked for when there is one; NULL: nowhere. */
    int (*open_audit)(void *ctx, struct audit *ret_audit);
    void *ctx;
    bool own_quotas; /* tiers' numbers do not hold here */
    /* Where days are counted, asked for when usage is, with the same ctx; NULL: today's is not told. */
    int (*open_tables)(void *ctx, struct table_store **ret_tables);
};
PX_MUST_USE int datasets_handle(const struct datasets *datasets, const struct lambda_event *event);
