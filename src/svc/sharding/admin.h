/* svc/sharding/admin.h - the one shape of administrative requests, for tenants and keys: an HTTP event
 * of the gateway or a direct event {"op":...} of the region and of operators' tools becomes an
 * operation with its fields; the outcome becomes a proxy response or a plain document.
 *
 * A direct event carries no caller: who may invoke a function directly is decided outside (IAM on AWS,
 * the owner of the control socket on one machine). */
#pragma once

#include "base/px_json.h"
#include "lambda/apigw.h"
#include "lambda/runtime.h"
#include "svc/audit/audit.h"

struct admin_route {
    const char *method, *resource; /* NULL: by direct event only */
    const char *op;
    const char *fields; /* what its body may hold, each name between spaces: " name tier " */
    const char
        *audit; /* its name in the audit log, "tenant.create"; NULL: it changes nothing, or is
                         * a step of a workflow, whose start is the administrative call */
    const char *secret; /* the member of its answer that is never kept; NULL: none */
};
struct admin_request {
    const struct admin_route *route;
    bool direct;
    struct api_caller caller; /* empty when direct */
    /* Of a direct event: whose call started the workflow that this is a step of, as its input says (`by` of workflow.request, or of a
     * move's move.request); or empty. Told in the audit log; gives no rights. */
    struct px_str behalf_tenant, behalf_key_id;
    struct px_str tenant, key_id, shard;
    const struct api_event *http; /* NULL when direct */
    struct px_str source, request_id;
    struct px_str after, region;
    size_t limit;     /* 1..1000 */
    yyjson_val *body; /* an object, or NULL when the operation has no fields */
};
/* What an operation came to: a document, JSON if nothing else is said, or a refusal with a sentence. */
struct admin_outcome {
    int status;                /* HTTP's meaning, for direct events too */
    struct px_buf *json;       /* to be filled when status is below 300 */
    const char *content_type;  /* of that, over HTTP; NULL: application/json */
    const char *detail;        /* otherwise */
    struct px_str home_region; /* of the tenant, when it is elsewhere */
};
struct admin_service {
    const struct admin_route *routes;
    size_t route_count;
    int (*run)(void *ctx, const struct admin_request *request, struct px_arena *arena,
               struct admin_outcome *outcome);
    /* What the request is about, as it stands now: a JSON object without secrets, or nothing; for the
     * audit log. May be NULL. */
    int (*state)(void *ctx, const struct admin_request *request, struct px_arena *arena,
                 struct px_buf *json);
    /* What a call is told to be about in the audit log. May be NULL: tenant, key or shard. */
    struct px_str (*target)(const struct admin_request *request, struct px_arena *arena);
    void *ctx;
    const struct audit *audit; /* NULL: nothing is recorded */
};
/* Parse the event, call `run` when it is a request of the table, write the reply. Bad input never
 * reaches `run`. Direct refusals become function errors named after their status (BadRequest,
 * NotFound, Conflict, Misdirected, ...). Passes on faults of `run`.
 *
 * A call of a route with a name in the audit log stands there before `run` is called, and what came of it
 * before it is answered: in the chain of the tenant that it is about, or of the caller's when he may not.
 * `run` is not called when the first cannot be written. */
PX_MUST_USE int admin_serve(const struct lambda_event *event, const struct admin_service *service);
/* Ends an operation: `return admin_refuse(outcome, 404, "no such tenant");` */
int admin_refuse(struct admin_outcome *outcome, int status, const char *detail);
/* The tenant is changed in its home region, which the answer names. */
int admin_misdirected(struct admin_outcome *outcome, struct px_str home_region);
/* Scope admin and the operator's tenant; or, with own_too, the tenant that is being asked about.
 * Direct events may. */
bool admin_may(const struct admin_request *request, bool own_too);
