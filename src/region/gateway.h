/* region/gateway.h - the regional API as the contract describes it: route, authorize, hand the event to
 * a function, turn its answer into HTTP. What API Gateway does on AWS.
 *
 * Source of behaviours: API Gateway developer guide (REST APIs, Lambda proxy integration, Lambda
 * authorizers, gateway responses, quotas). Deviation: a throttled function is answered with the
 * THROTTLED response (429), where API Gateway says 500; clients can then tell "later" from "broken". */
#pragma once

#include "base/px_clock.h"
#include "base/px_log.h"
#include "http/certificates.h"
#include "http/server.h"
#include "lambda/pool.h"
#include "region/figures.h"
#include "region/names.h"
#include "region/openapi.h"
#include "region/request_sums.h"
#include "region/telemetry.h"

struct gateway; /* opaque */
struct vtl;

/* Ask Step Functions; done is called once, at once or later, with views that live during the call. */
typedef void gateway_service(void *ctx, struct px_str action, struct px_str body,
                             void (*done)(void *ctx, int status, struct px_str body),
                             void *done_ctx);

struct gateway_options {
    uv_loop_t *loop;
    const struct api_contract *contract;
    const struct names *names;
    struct lambda_pool *(*pool)(void *ctx,
                                struct px_str function); /* never NULL for the contract's */
    void *pool_ctx;
    gateway_service *service; /* of direct integrations; NULL with vtl: the contract has none */
    void *service_ctx;
    struct vtl *vtl;
    struct telemetry *telemetry;
    const struct px_clock *clock;
    struct figures *figures;       /* of all answers; NULL: nobody counts */
    struct request_sums *requests; /* likewise, by route and tenant */
    uint32_t slow_ms; /* a request that takes so long is told with its phases; 0: none is */
    const struct px_log *log;
    bool aws_limits; /* refuse what API Gateway would, where this server takes more */
    const char *region_name;
    const char *host;
    uint16_t port;
    struct certificates *certificates; /* NULL: no TLS */
    uint16_t tls_port;
    uint32_t wrong_keys_max;   /* of a source: auth_guard.h */
    struct px_str tables_url;  /* where requests of days are kept; empty: in memory */
    bool quota_tiers;          /* tenants have the limits of their tiers; else their own alone */
    bool functions_hold_rates; /* what tenants spend a second: then not the gateway */
};
enum gateway_answer { GATEWAY_PORT_TAKEN = 1, GATEWAY_TLS_PORT_TAKEN };
PX_MUST_USE int gateway_new(const struct gateway_options *options, struct gateway **ret_gateway,
                            uint16_t *ret_port);
/* Accept nothing more, let calls end, then call done once: no client and no function has one then. */
void gateway_drain(struct gateway *gateway, void (*done)(void *ctx), void *ctx);
/* Cut what is left, without done. The memory goes when the functions have let go of the calls, so the
 * telemetry must live until the pools have stopped. */
void gateway_free(struct gateway **gateway);

struct gateway_stats {
    uint64_t requests, refused; /* refused: answered without a function */
    uint32_t connections, active;
};
/* gateway may be NULL: all zero. */
void gateway_stats(const struct gateway *gateway, struct gateway_stats *ret_stats);
