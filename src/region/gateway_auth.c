/* region/gateway_auth.c - who is calling: cached result, or the authorizer function.
 *
 * One flight per identity: a thousand requests with a new key cost one authorizer call. */
#include <stdlib.h>

#include "base/px_id.h"
#include "region/gateway_internal.h"

#define IDENTITY_BYTES_MAX 4096

static void end_refused(struct gateway_call *call, enum api_gateway_response which, const char *why)
{
    gateway_refuse(call, which, why);
    gateway_call_end(call);
}

/* arn:aws:execute-api:region:account:api/stage/METHOD/path: what a policy's Resource is held against. */
static void method_arn(const struct gateway_call *call, char *arn, size_t bytes)
{
    snprintf(arn, bytes, "arn:aws:execute-api:%s:000000000000:prism/%.*s/%.*s%.*s",
             call->gateway->options.region_name, PX_FMT(call->place.stage->name),
             PX_FMT(call->match.route->method), PX_FMT(call->place.path));
}

static struct px_str own(struct gateway_call *call, struct px_str s)
{
    return px_arena_dup(call->request->arena, s);
}

/* The cached result may go before the call ends, so the caller's words are copied. */
static void apply(struct gateway_call *call, const struct auth_result *result)
{
    char arn[1024];
    const struct api_caller *c = &result->caller;
    method_arn(call, arn, sizeof(arn));
    call->caller = (struct api_caller){.tenant = own(call, c->tenant),
                                       .key_id = own(call, c->key_id),
                                       .scopes = own(call, c->scopes),
                                       .tier = own(call, c->tier),
                                       .home_region = own(call, c->home_region),
                                       .shard = own(call, c->shard),
                                       .quotas = own(call, c->quotas),
                                       .token = own(call, c->token),
                                       .restriction = own(call, c->restriction),
                                       .epoch = c->epoch};
    bool whole = c->restriction.len == 0 ||
                 call->caller.restriction.ptr; /* without it, it may more */
    if (!whole)
        end_refused(call, API_GW_AUTHORIZER_FAILURE, "out of memory");
    else if (!auth_result_allows(result, arn))
        end_refused(call, API_GW_ACCESS_DENIED, "denied by the authorizer's policy");
    else if (call->caller.tenant.len == 0)
        end_refused(call, API_GW_AUTHORIZER_FAILURE, "the authorizer named no tenant");
    else
        gateway_integrate(call);
}

static bool is_unauthorized(struct px_str payload, struct px_arena *arena)
{
    yyjson_val *root = NULL;
    return px_json_parse(payload, arena, &root, NULL) == 0 &&
           px_str_eq(px_json_str(root, "errorMessage"), S("Unauthorized"));
}

static void flight_free(struct auth_flight *flight)
{
    struct auth_flight **link = &flight->gateway->flights;
    while (*link != flight) link = &(*link)->next;
    *link = flight->next;
    explicit_bzero((void *)flight->identity.ptr, flight->identity.len);
    free((void *)flight->identity.ptr);
    px_buf_deinit(&flight->event);
    free(flight);
}

/* Go on with every request that waited. A request whose client left meanwhile is answered into the
 * void by the same path. */
static void settle(struct auth_flight *flight, const struct auth_result *result,
                   enum api_gateway_response refusal, const char *why)
{
    double ms = (double)(px_mono_ns(flight->gateway->options.clock) - flight->started_mono_ns) /
                1e6;
    struct gateway_call *call = flight->waiting;
    bool wrong = !result && refusal == API_GW_UNAUTHORIZED;
    while (call) {
        struct gateway_call *next = call->next_waiting;
        call->next_waiting = NULL;
        call->authorizer_ms = ms;
        if (wrong) auth_guard_blame(flight->gateway->guard, call->request->peer);
        if (result)
            apply(call, result);
        else
            end_refused(call, refusal, why);
        call = next;
    }
}

static void on_done(void *ctx, const struct lambda_result *result)
{
    struct auth_flight *flight = ctx;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 1 << 20);
    struct auth_result parsed;
    if (result->outcome == LAMBDA_OK && auth_result_parse(result->payload, &arena, &parsed)) {
        if (!flight->stale) (void)!auth_cache_put(flight->gateway->auth, flight->identity, &parsed);
        settle(flight, &parsed, 0, NULL);
    } else if (result->outcome == LAMBDA_FUNCTION_ERROR &&
               is_unauthorized(result->payload, &arena)) {
        settle(flight, NULL, API_GW_UNAUTHORIZED, "unauthorized");
    } else if (result->outcome == LAMBDA_THROTTLED) {
        settle(flight, NULL, API_GW_THROTTLED, "authorizer throttled");
    } else {
        settle(flight, NULL, API_GW_AUTHORIZER_FAILURE, "authorizer failed");
    }
    flight_free(flight);
}

/* The REQUEST authorizer's event. */
static void write_event(struct auth_flight *flight, const struct gateway_call *call)
{
    char arn[1024];
    struct px_buf *buf = &flight->event;
    const struct http_request *request = call->request;
    method_arn(call, arn, sizeof(arn));
    px_buf_add_c(buf, "{\"type\":\"REQUEST\",\"methodArn\":");
    px_buf_add_json_str(buf, px_str_c(arn));
    px_buf_add_c(buf, ",\"resource\":");
    px_buf_add_json_str(buf, call->match.route->resource);
    px_buf_add_c(buf, ",\"path\":");
    px_buf_add_json_str(buf, request->path);
    px_buf_add_c(buf, ",\"httpMethod\":");
    px_buf_add_json_str(buf, request->method_name);
    px_buf_add_c(buf, ",\"headers\":{");
    for (size_t i = 0; i < request->header_count; i++) {
        px_buf_add_c(buf, i ? "," : "");
        px_buf_add_json_str(buf, request->headers[i].name);
        px_buf_add_c(buf, ":");
        px_buf_add_json_str(buf, request->headers[i].value);
    }
    px_buf_add_c(buf, "},\"queryStringParameters\":{},\"pathParameters\":{},");
    api_stage_variables_write(call->place.stage->variables, call->place.stage->variable_count, buf);
    px_buf_add_c(buf, ",\"requestContext\":{\"stage\":");
    px_buf_add_json_str(buf, call->place.stage->name);
    px_buf_add_c(buf, ",\"domainName\":");
    px_buf_add_json_str(buf, call->place.domain);
    px_buf_add_c(buf, ",\"requestId\":");
    px_buf_add_json_str(buf, px_str_c(call->request_id));
    px_buf_add_c(buf, ",\"identity\":{\"sourceIp\":");
    px_buf_add_json_str(buf, request->peer);
    if (request->client) api_client_write(request->client, buf);
    px_buf_add_c(buf, "}}}");
}

static struct auth_flight *flight_start(struct gateway *gw, struct gateway_call *call,
                                        struct px_str identity)
{
    struct auth_flight *flight = calloc(1, sizeof(*flight));
    char *copy = malloc(identity.len);
    if (!flight || !copy) {
        free(flight);
        free(copy);
        return NULL;
    }
    memcpy(copy, identity.ptr, identity.len);
    flight->gateway = gw;
    flight->identity = px_str(copy, identity.len);
    flight->started_mono_ns = px_mono_ns(gw->options.clock);
    px_uuid7(px_wall_ns(gw->options.clock), flight->request_id);
    px_buf_init(&flight->event, 256 * 1024);
    write_event(flight, call);
    flight->next = gw->flights;
    gw->flights = flight;
    return flight;
}

static struct auth_flight *flight_find(struct gateway *gw, struct px_str identity)
{
    for (struct auth_flight *f = gw->flights; f; f = f->next)
        if (!f->stale && px_str_eq(f->identity, identity)) return f;
    return NULL;
}

void gateway_auth_flush(struct gateway *gateway)
{
    auth_cache_clear(gateway->auth);
    for (struct auth_flight *f = gateway->flights; f; f = f->next) f->stale = true;
}

/* The identity header's value; empty when it is not there exactly once. Of several, what stands in front
 * of the region and the authorizer might each believe another. */
static struct px_str identity_of(const struct http_request *request, struct px_str name)
{
    struct px_str identity = {0};
    unsigned count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (!px_str_ieq(request->headers[i].name, name)) continue;
        identity = request->headers[i].value;
        count++;
    }
    return count == 1 ? identity : (struct px_str){0};
}

void gateway_authorize(struct gateway_call *call)
{
    struct gateway *gw = call->gateway;
    const struct api_contract *contract = gw->options.contract;
    struct px_str identity = identity_of(call->request, contract->identity_header);
    if (identity.len == 0 || identity.len > IDENTITY_BYTES_MAX) {
        end_refused(call, API_GW_UNAUTHORIZED, "no identity");
        return;
    }
    /* what the authorizer said is for the stage that was called: its policy names it */
    identity = px_arena_printf(call->request->arena, "%.*s %.*s", PX_FMT(call->place.stage->name),
                               PX_FMT(identity));
    if (!identity.ptr) {
        end_refused(call, API_GW_AUTHORIZER_FAILURE, "out of memory");
        return;
    }
    const struct auth_result *known = auth_cache_find(gw->auth, identity);
    if (known) {
        apply(call, known);
        return;
    }
    if (auth_guard_wait_s(gw->guard, call->request->peer) > 0) {
        end_refused(call, API_GW_THROTTLED, "too many wrong keys from this address");
        return;
    }
    struct auth_flight *flight = flight_find(gw, identity);
    bool first = !flight;
    if (first) flight = flight_start(gw, call, identity);
    if (!flight) {
        end_refused(call, API_GW_AUTHORIZER_FAILURE, "out of memory");
        return;
    }
    call->next_waiting = flight->waiting;
    flight->waiting = call;
    if (!first) return;
    const struct lambda_call invoke = {.payload = px_buf_str(&flight->event),
                                       .request_id = px_str_c(flight->request_id),
                                       .trace_id = px_str_c(call->trace_id),
                                       .on_done = on_done,
                                       .ctx = flight};
    (void)lambda_pool_invoke(gw->options.pool(gw->options.pool_ctx, contract->authorizer_function),
                             &invoke);
}
