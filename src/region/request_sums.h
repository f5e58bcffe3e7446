/* region/request_sums.h - requests by route and tenant, added up until the region writes its rows.
 *
 * Both are bounded, whatever clients send: routes are those of the contract and one for what has none; of tenants the first
 * REQUEST_TENANTS_MAX of a minute have figures of their own, the others are added up as `_other`. */
#pragma once

#include "base/px_buf.h"
#include "region/openapi.h"

#define REQUEST_TENANTS_MAX 64u
#define REQUEST_TENANT_OTHER "_other" /* no tenant's name begins so, but the operator's */

struct request_sums; /* opaque */
/* contract: borrowed. */
PX_MUST_USE int request_sums_new(const struct api_contract *contract,
                                 struct request_sums **ret_sums);
void request_sums_free(struct request_sums **sums);
/* One that was answered. route: of the contract, or NULL. tenant: empty where nobody was let in. */
void request_sums_add(struct request_sums *sums, const struct api_route *route,
                      struct px_str tenant, int status, double ms);
/* NDJSON rows of all since the last time, each between row(ctx, true), which gives it a place or NULL, and row(ctx, false):
 * request_ms, whose count is that of the requests, and requests_4xx and requests_5xx where there were any. */
void request_sums_write(struct request_sums *sums, struct px_str time,
                        struct px_buf *(*row)(void *ctx, bool begin), void *ctx);
