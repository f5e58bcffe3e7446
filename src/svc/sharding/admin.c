/* svc/sharding/admin.c - administrative requests in, answers out. */
#include "svc/sharding/admin.h"

#include <stdio.h>

#include "svc/catalog/names.h"
#include "svc/sharding/registry.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000

int admin_refuse(struct admin_outcome *outcome, int status, const char *detail)
{
    outcome->status = status;
    outcome->detail = detail;
    return 0;
}

int admin_misdirected(struct admin_outcome *outcome, struct px_str home_region)
{
    outcome->home_region = home_region;
    return admin_refuse(outcome, HOME_MISDIRECTED, HOME_DETAIL);
}

bool admin_may(const struct admin_request *request, bool own_too)
{
    if (request->direct) return true;
    if (!api_caller_may(&request->caller, S("admin"))) return false;
    if (px_str_eq(request->caller.tenant, S(TENANT_SYSTEM))) return true;
    return own_too && request->tenant.len > 0 && px_str_eq(request->caller.tenant, request->tenant);
}

/* ---- what is asked ---- */

/* A document that is not even an object is nobody's request. */
struct incoming {
    struct px_str payload, request_id;
    struct px_arena *arena;
    const struct admin_service *service;
    struct admin_outcome *outcome;
};

static bool field_known(const char *fields, struct px_str name)
{
    char spaced[64];
    int n = snprintf(spaced, sizeof spaced, " %.*s ", PX_FMT(name));
    return n > 0 && (size_t)n < sizeof spaced && strlen(spaced) == (size_t)n &&
           strstr(fields, spaced);
}

/* Refuses a body with fields that the operation does not know: a mistyped one would be lost. */
static bool fields_fine(const struct incoming *in, const struct admin_request *request)
{
    size_t i, n;
    yyjson_val *key, *val;
    px_json_obj_foreach(request->body, i, n, key, val)
    {
        struct px_str name = px_json_val_str(key);
        if (field_known(request->route->fields, name)) continue;
        if (request->direct && field_known(" op tenant workflow ", name)) continue;
        struct px_str detail = px_arena_printf(in->arena, "unknown field \"%.*s\"; known are:%s",
                                               (int)PX_MIN(name.len, 64), name.ptr,
                                               request->route->fields);
        admin_refuse(in->outcome, 400, detail.ptr ? detail.ptr : "unknown field");
        return false;
    }
    return true;
}

static const struct admin_route *route_by_op(const struct incoming *in, struct px_str op)
{
    for (size_t i = 0; i < in->service->route_count; i++)
        if (px_str_eq(px_str_c(in->service->routes[i].op), op)) return &in->service->routes[i];
    return NULL;
}

static const struct admin_route *route_by_http(const struct incoming *in,
                                               const struct api_event *http)
{
    for (size_t i = 0; i < in->service->route_count; i++) {
        const struct admin_route *route = &in->service->routes[i];
        if (route->method && px_str_eq(px_str_c(route->method), http->method) &&
            px_str_eq(px_str_c(route->resource), http->resource))
            return route;
    }
    return NULL;
}

static bool limit_parse(struct px_str text, size_t *ret_limit)
{
    uint64_t limit = LIMIT_DEFAULT;
    if (text.ptr && !px_str_to_u64(text, &limit)) return false; /* "limit=" is none either */
    if (limit < 1 || limit > LIMIT_MAX) return false;
    *ret_limit = (size_t)limit;
    return true;
}

/* 0 with *request filled, or 0 with the outcome refused. */
static int read_direct(const struct incoming *in, yyjson_val *doc, struct admin_request *request)
{
    request->direct = true;
    request->request_id = in->request_id;
    request->route = route_by_op(in, px_json_str(doc, "op"));
    if (!request->route) return admin_refuse(in->outcome, 400, "op is none of this function's");
    request->tenant = px_json_str(doc, "tenant");
    request->key_id = px_json_str(doc, "key_id");
    request->shard = px_json_str(doc, "shard");
    request->after = px_json_str(doc, "after");
    yyjson_val *step_of = px_json_obj(doc, "workflow");
    if (!step_of) step_of = px_json_obj(doc, "move");
    yyjson_val *by = px_json_obj(px_json_obj(step_of, "request"), "by");
    request->behalf_tenant = px_json_str(by, "tenant");
    request->behalf_key_id = px_json_str(by, "key_id");
    int64_t limit = px_json_i64(doc, "limit", LIMIT_DEFAULT);
    if (limit < 1 || limit > LIMIT_MAX) return admin_refuse(in->outcome, 400, "limit is 1 to 1000");
    request->limit = (size_t)limit;
    request->body = doc;
    return 0;
}

static int read_body(const struct incoming *in, struct px_str body, struct admin_request *request)
{
    struct px_where where = {0};
    int r = px_json_parse(body, in->arena, &request->body, &where);
    if (r < 0) PX_TRY(r);
    if (r == 0 && yyjson_is_obj(request->body)) return 0;
    if (r == 0) return admin_refuse(in->outcome, 400, "the body is a JSON object");
    struct px_str detail = px_arena_printf(in->arena, "the body is no JSON: %s, at byte %zu",
                                           where.expected, where.offset);
    return admin_refuse(in->outcome, 400, detail.ptr ? detail.ptr : "the body is no JSON");
}

static int read_http(struct incoming *in, struct admin_request *request)
{
    struct api_event *http = px_arena_new(in->arena, struct api_event);
    if (!http) return px_arena_fault(in->arena);
    struct px_where where = {0};
    int r = api_event_parse(in->payload, in->arena, http, &where);
    if (r == API_INVALID) return admin_refuse(in->outcome, 400, "not an HTTP event");
    PX_TRY(r);
    api_event_observe(http);
    in->request_id = http->request_id;
    request->http = http;
    request->request_id = http->request_id;
    request->source = http->source_ip;
    request->caller = http->caller;
    request->route = route_by_http(in, http);
    if (!request->route) return admin_refuse(in->outcome, 404, "no such route");
    request->tenant = api_path_param(http, S("tenant"));
    request->key_id = api_path_param(http, S("key_id"));
    request->shard = api_path_param(http, S("shard"));
    request->after = api_query(http, S("after"));
    request->region = api_query(http, S("region"));
    if (!limit_parse(api_query(http, S("limit")), &request->limit))
        return admin_refuse(in->outcome, 400, "limit is 1 to 1000");
    if (request->route->fields && http->body.len > 0) return read_body(in, http->body, request);
    return 0;
}

static int read_request(struct incoming *in, yyjson_val *doc, struct admin_request *request)
{
    if (px_json_at(doc, "httpMethod"))
        PX_TRY(read_http(in, request));
    else
        PX_TRY(read_direct(in, doc, request));
    if (in->outcome->status == 0 && request->route->fields) (void)fields_fine(in, request);
    return 0;
}

/* ---- what is answered ---- */

static const char *error_name(int status)
{
    switch (status) {
    case 400: return "BadRequest";
    case 403: return "Forbidden";
    case 404: return "NotFound";
    case 409: return "Conflict";
    case 412: return "Decided";
    case 507: return "Full";
    case HOME_MISDIRECTED: return "Misdirected";
    default: return "Refused";
    }
}

static int reply_direct(const struct lambda_event *event, const struct admin_outcome *outcome)
{
    if (outcome->status < 300) {
        px_buf_add_str(event->reply->body, px_buf_str(outcome->json));
        return 0;
    }
    event->reply->error_type = px_str_c(error_name(outcome->status));
    event->reply->error_message = px_str_c(outcome->detail);
    if (outcome->home_region.len > 0)
        event->reply->error_message = px_arena_printf(event->arena, "%s: %.*s", outcome->detail,
                                                      PX_FMT(outcome->home_region));
    return LAMBDA_ERROR;
}

static int reply_http(const struct lambda_event *event, struct px_str request_id,
                      const struct admin_outcome *outcome)
{
    if (outcome->status < 300) {
        const char *type = outcome->content_type ? outcome->content_type : "application/json";
        api_respond(outcome->status, px_str_c(type), px_buf_str(outcome->json), event->reply->body);
        return 0;
    }
    struct px_str hint = {0};
    if (outcome->home_region.len > 0) hint = home_hint(outcome->home_region, event->arena);
    api_respond_problem(outcome->status, px_str_c(outcome->detail), request_id, hint,
                        event->reply->body);
    return 0;
}

/* ---- the audit log ---- */

#define KEPT_BYTES_MAX (1u << 20)

/* In whose chain: of the tenant that the call is about; of the caller, who may nothing there; else of the
 * operator. A name that is none never becomes a chain. */
static struct px_str chain_of(const struct admin_service *service,
                              const struct admin_request *request)
{
    struct px_str about = request->tenant;
    if (about.len == 0 && !service->target) about = px_json_str(request->body, "name");
    if (!admin_may(request, true)) about = request->caller.tenant;
    return tenant_name_ok(about) ? about : S(TENANT_SYSTEM);
}

static struct px_str target_of(const struct admin_request *request, struct px_arena *arena)
{
    struct px_str name = px_json_str(request->body, "name");
    if (strcmp(request->route->op, "token") == 0)
        return request->caller.key_id; /* what it hangs on */
    if (request->tenant.len == 0) return name.len > 0 ? name : request->shard;
    if (request->key_id.len == 0) return request->tenant;
    return px_arena_printf(arena, "%.*s/%.*s", PX_FMT(request->tenant), PX_FMT(request->key_id));
}

/* An object's members but one. */
static void add_without(struct px_buf *buf, yyjson_val *object, const char *secret)
{
    size_t i, n, kept = 0;
    yyjson_val *key, *val;
    px_buf_add_char(buf, '{');
    px_json_obj_foreach(object, i, n, key, val)
    {
        struct px_str name = px_json_val_str(key);
        if (secret && px_str_eq(name, px_str_c(secret))) continue;
        if (kept++ > 0) px_buf_add_char(buf, ',');
        px_buf_add_json_str(buf, name);
        px_buf_add_char(buf, ':');
        px_buf_add_json(buf, val);
    }
    px_buf_add_char(buf, '}');
}

static int intend(const struct incoming *in, const struct admin_request *request,
                  struct audit_intent *ret_intent)
{
    const struct admin_service *service = in->service;
    PX_AUTO(px_buf_deinit) struct px_buf asked, before;
    px_buf_init(&asked, KEPT_BYTES_MAX);
    px_buf_init(&before, KEPT_BYTES_MAX);
    if (request->body) px_buf_add_json(&asked, request->body);
    if (service->state && admin_may(request, true))
        PX_TRY(service->state(service->ctx, request, in->arena, &before));
    PX_TRY(px_buf_fault(&asked));
    PX_TRY(px_buf_fault(&before));
    const struct audit_call call = {
        .tenant = chain_of(service, request),
        .who = {.tenant = request->direct ? request->behalf_tenant : request->caller.tenant,
                .key_id = request->direct ? request->behalf_key_id : request->caller.key_id,
                .source = request->source,
                .request_id = request->request_id,
                .direct = request->direct},
        .operation = px_str_c(request->route->audit),
        .target = service->target ? service->target(request, in->arena)
                                  : target_of(request, in->arena),
        .asked = px_buf_str(&asked),
        .before = px_buf_str(&before),
    };
    return audit_intend(service->audit, &call, ret_intent);
}

/* What the answer shows is what stands there now, but for what is shown once. */
static int conclude(const struct incoming *in, const struct admin_request *request,
                    const struct audit_intent *intent)
{
    const struct admin_outcome *outcome = in->outcome;
    PX_AUTO(px_buf_deinit_wiped) struct px_buf after;
    px_buf_init(&after, KEPT_BYTES_MAX);
    struct audit_outcome told = {.status = outcome->status, .detail = px_str_c(outcome->detail)};
    if (outcome->status < 300) {
        PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
        px_arena_init(&scratch, (size_t)64 << 20);
        yyjson_val *answer = NULL;
        int r = px_json_parse(px_buf_str(outcome->json), &scratch, &answer, NULL);
        if (r > 0) return px_fault(PX_F_BUG, "an answer is no JSON");
        PX_TRY(r);
        add_without(&after, answer, request->route->secret);
        PX_TRY(px_buf_fault(&after));
        told.after = px_buf_str(&after);
        told.detail = S("");
    }
    return audit_conclude(in->service->audit, intent, &told);
}

/* A fault of the operation is told as well, and stays what the call ends with. */
static int run_recorded(const struct incoming *in, const struct admin_request *request)
{
    const struct admin_service *service = in->service;
    if (!service->audit || !request->route->audit)
        return service->run(service->ctx, request, in->arena, in->outcome);
    struct audit_intent intent = {0};
    PX_TRY(intend(in, request, &intent));
    int r = service->run(service->ctx, request, in->arena, in->outcome);
    if (r == 0) return conclude(in, request, &intent);
    PX_ASSERT(r < 0);
    audit_conclude_fault(service->audit, &intent, r);
    return r;
}

int admin_serve(const struct lambda_event *event, const struct admin_service *service)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 5 * 1024 * 1024); /* what a response may hold, with room for its envelope */
    struct admin_outcome outcome = {.json = &json};
    struct incoming in = {.payload = event->payload,
                          .request_id = event->request_id,
                          .arena = event->arena,
                          .service = service,
                          .outcome = &outcome};
    struct admin_request request = {0};
    yyjson_val *doc = NULL;
    int r = px_json_parse(event->payload, event->arena, &doc, NULL);
    if (r < 0) PX_TRY(r);
    if (r == 0 && yyjson_is_obj(doc))
        PX_TRY(read_request(&in, doc, &request));
    else
        admin_refuse(&outcome, 400, "the event is a JSON object");
    if (outcome.status == 0) PX_TRY(run_recorded(&in, &request));
    PX_ASSERT(outcome.status != 0);
    PX_TRY(px_buf_fault(&json));
    bool http = r == 0 && px_json_at(doc, "httpMethod");
    r = http ? reply_http(event, in.request_id, &outcome) : reply_direct(event, &outcome);
    PX_TRY(px_buf_fault(event->reply->body));
    return r;
}
