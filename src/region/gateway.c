/* region/gateway.c - calls from arrival to function. */
#include "region/gateway.h"

#include <aws/common/byte_buf.h>
#include <aws/common/hash_table.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/px_id.h"
#include "http/http2.h"
#include "region/gateway_internal.h"

#define AUTH_ENTRIES_MAX 4096
#define SPARE_CALLS_MAX 256
#define SWEEP_MS 250
#define CONNECTIONS_MAX 16384
#define DESCRIPTORS_KEPT 1024         /* for functions, stores and who is turned away */
#define BODIES_BYTES_MAX (128u << 20) /* from their first byte to the answer; events add a third */

static struct gateway_call *call_take(struct gateway *gw)
{
    struct gateway_call *call = gw->spare;
    if (call) {
        gw->spare = call->next;
        gw->spare_count--;
    } else {
        call = calloc(1, sizeof(*call));
        if (!call) return NULL;
        px_buf_init(&call->event, 3 * LAMBDA_EVENT_BYTES_MAX);
    }
    call->gateway = gw;
    call->next = gw->active;
    call->prev = NULL;
    if (gw->active) gw->active->prev = call;
    gw->active = call;
    gw->stats.active++;
    return call;
}

static void on_sweep_closed(uv_handle_t *handle);

/* The end of the last call may be what a drain or a free has waited for. */
static void check_empty(struct gateway *gw)
{
    if (gw->stats.active > 0) return;
    if (gw->freed) {
        uv_close((uv_handle_t *)&gw->sweep, on_sweep_closed);
    } else if (gw->connections_gone && gw->drained) {
        void (*drained)(void *ctx) = gw->drained;
        gw->drained = NULL;
        drained(gw->drained_ctx);
    }
}

static void call_keep(struct gateway_call *call)
{
    struct gateway *gw = call->gateway;
    struct px_buf event = call->event;
    if (event.cap > GATEWAY_EVENT_KEEP_BYTES || gw->spare_count >= SPARE_CALLS_MAX)
        px_buf_deinit(&event);
    if (gw->spare_count >= SPARE_CALLS_MAX) {
        free(call);
        return;
    }
    *call = (struct gateway_call){.gateway = gw, .event = event, .next = gw->spare};
    call->event.limit_bytes = 3 * LAMBDA_EVENT_BYTES_MAX;
    px_buf_clear(&call->event);
    gw->spare = call;
    gw->spare_count++;
}

/* The call's struct goes back to the free list, clean but for its event buffer. */
void gateway_call_end(struct gateway_call *call)
{
    struct gateway *gw = call->gateway;
    if (call->prev)
        call->prev->next = call->next;
    else
        gw->active = call->next;
    if (call->next) call->next->prev = call->prev;
    gw->stats.active--;
    buckets_leave(&call->place_of_query);
    call_keep(call);
    check_empty(gw);
}

static void on_done(void *ctx, const struct lambda_result *result)
{
    struct gateway_call *call = ctx;
    call->invocation = NULL;
    int64_t asked_ns = px_mono_ns(call->gateway->options.clock) - call->invoked_mono_ns;
    call->function_ms = result->duration_ms;
    call->queue_ms = PX_MAX((double)asked_ns / 1e6 - result->duration_ms, 0);
    call->cold = result->cold;
    /* Before the answer: what follows it on the same connection must not pass on an old result. A
     * function that failed may have done its work before. */
    if (call->match.route->flushes_authorizer_cache) gateway_auth_flush(call->gateway);
    if (call->request && call->streaming)
        gateway_stream_end(call, result->outcome == LAMBDA_OK);
    else if (call->request)
        gateway_reply_result(call, result);
    gateway_call_end(call);
}

bool gateway_read_query(struct http_request *request, struct http_header *pairs, size_t *ret_count)
{
    struct px_str rest = request->query, pair, name;
    for (*ret_count = 0; rest.len;) {
        (void)px_str_cut(&rest, '&', &pair);
        struct px_str value = pair;
        if (!px_str_cut(&value, '=', &name)) value = (struct px_str){0};
        if (name.len == 0) continue;
        struct http_header *next = &pairs[*ret_count];
        if (*ret_count == GATEWAY_QUERY_PAIRS_MAX ||
            !url_decode(name, true, request->arena, &next->name) ||
            !url_decode(value, true, request->arena, &next->value))
            return false;
        ++*ret_count;
    }
    return true;
}

static void write_event(struct gateway_call *call)
{
    struct http_header query[GATEWAY_QUERY_PAIRS_MAX];
    struct http_request *request = call->request;
    size_t query_count;
    (void)gateway_read_query(request, query, &query_count); /* it was validated */
    const struct api_event event = {
        .resource = call->match.route->resource,
        .path = request->path,
        .method = request->method_name,
        .headers = request->headers,
        .header_count = request->header_count,
        .query = query,
        .query_count = query_count,
        .path_params = call->match.params,
        .path_param_count = call->match.param_count,
        .request_id = px_str_c(call->request_id),
        .source_ip = request->peer,
        .stage = call->place.stage->name,
        .stage_variables = call->place.stage->variables,
        .stage_variable_count = call->place.stage->variable_count,
        .domain = call->place.domain,
        .client = request->client,
        .caller = call->caller,
        .body = request->body,
    };
    px_buf_clear(&call->event);
    api_event_write(&event, &call->event);
}

static uint64_t group_of(struct px_str tenant)
{
    struct aws_byte_cursor bytes = aws_byte_cursor_from_array(tenant.ptr, tenant.len);
    return tenant.len > 0 ? aws_hash_byte_cursor_ptr(&bytes) | 1 : 0;
}

void gateway_integrate(struct gateway_call *call)
{
    const struct api_route *route = call->match.route;
    struct gateway *gw = call->gateway;
    if (!gateway_quota(call) || !gateway_validate(call)) {
        gateway_call_end(call);
        return;
    }
    if (route->integration == API_MOCK) {
        gateway_reply_mock(call);
        gateway_call_end(call);
        return;
    }
    if (call->gone) { /* while the authorizer was asked */
        gateway_refuse(call, API_GW_INTEGRATION_FAILURE, "client went away");
        gateway_call_end(call);
        return;
    }
    if (route->integration == API_DIRECT) {
        gateway_direct(call);
        return;
    }
    write_event(call);
    if (px_buf_fault(&call->event) || call->event.len > LAMBDA_EVENT_BYTES_MAX) {
        gateway_refuse(call, API_GW_REQUEST_TOO_LARGE, "the event is over Lambda's 6 MB");
        gateway_call_end(call);
        return;
    }
    call->deadline_mono_ns = call->started_mono_ns + route->timeout_ms * PX_NS_PER_MS;
    const struct lambda_call invoke = {
        .payload = px_buf_str(&call->event),
        .trace_id = px_str_c(call->trace_id),
        .request_id = px_str_c(call->request_id),
        .group = group_of(call->caller.tenant),
        .on_stream_begin = gateway_stream_begin,
        .on_stream_piece = gateway_stream_piece,
        .on_done = on_done,
        .ctx = call,
    };
    call->invoked_mono_ns = px_mono_ns(gw->options.clock);
    call->invocation = lambda_pool_invoke(gw->options.pool(gw->options.pool_ctx, route->function),
                                          &invoke);
}

static void on_request(void *ctx, struct http_request *request)
{
    struct gateway *gw = ctx;
    struct gateway_call *call = call_take(gw);
    gw->stats.requests++;
    if (!call) {
        http_reply(request, 503, NULL, 0, S(""));
        return;
    }
    request->user = call;
    call->request = request;
    call->bytes_in = request->body.len;
    gateway_trace_start(call);
    if (!gateway_fits_aws(call)) {
        gateway_call_end(call);
        return;
    }
    if (names_find(gw->options.names, request, &call->place) == NAMES_FORBIDDEN) {
        gateway_refuse_name(call);
        gateway_call_end(call);
        return;
    }
    int r = api_route_find(gw->options.contract, request->method_name, call->place.path,
                           request->arena, &call->match);
    if (r != 0 || !call->match.route) {
        gateway_refuse(call, API_GW_NOT_FOUND, "no such route");
        gateway_call_end(call);
    } else if (call->match.route->authorized) {
        gateway_authorize(call); /* ends the call itself when it refuses */
    } else {
        gateway_integrate(call);
    }
}

/* The client went away: nobody waits for the answer, but the request must still be answered. */
static void on_gone(void *ctx, struct http_request *request)
{
    struct gateway_call *call = request->user;
    (void)ctx;
    if (!call) return;
    call->gone = true;
    call->fault = "client went away";
    if (call->invocation) lambda_invocation_cancel(call->invocation);
}

static void on_sweep(uv_timer_t *timer)
{
    struct gateway *gw = timer->data;
    int64_t now = px_mono_ns(gw->options.clock);
    gateway_give_back(gw);
    if (gw->options.certificates) (void)certificates_follow(gw->options.certificates);
    if (gw->request_days) request_days_turn(gw->request_days, gw->buckets);
    for (struct gateway_call *call = gw->active; call; call = call->next)
        if (call->request && (call->invocation || call->asks_service) && !call->streaming &&
            call->deadline_mono_ns < now) {
            gateway_refuse(call, API_GW_INTEGRATION_TIMEOUT, "integration timeout");
            if (call->invocation)
                lambda_invocation_cancel(call->invocation); /* nobody waits for it any more */
        }
}

/* Both protocols on both ports: HTTP/2 without TLS is by prior knowledge. */
static int listen_on(struct gateway *gw, uint16_t *ret_port)
{
    const struct gateway_options *options = &gw->options;
    http_server_offer_http2(gw->server);
    int r = http_server_listen_tcp(gw->server, options->host, options->port, ret_port);
    if (r == HTTP_PORT_TAKEN) return GATEWAY_PORT_TAKEN;
    PX_TRY(r);
    if (!options->certificates) return 0;
    r = http_server_listen_tls(gw->server, certificates_tls(options->certificates), options->host,
                               options->tls_port, NULL);
    return r == HTTP_PORT_TAKEN ? GATEWAY_TLS_PORT_TAKEN : r;
}

/* What the process may have open, less what it needs itself. */
static uint32_t connections_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        limit.rlim_cur >= CONNECTIONS_MAX + DESCRIPTORS_KEPT)
        return CONNECTIONS_MAX;
    return limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? (uint32_t)limit.rlim_cur - DESCRIPTORS_KEPT
                                                 : DESCRIPTORS_KEPT / 2;
}

int gateway_new(const struct gateway_options *options, struct gateway **ret_gateway,
                uint16_t *ret_port)
{
    struct gateway *gw = calloc(1, sizeof(*gw));
    if (!gw) return px_fault(PX_F_OOM, "gateway");
    gw->options = *options;
    spans_init(&gw->spans);
    const struct http_server_options server = {.connections_max = connections_max(),
                                               .buffered_bytes_max = BODIES_BYTES_MAX,
                                               .on_request = on_request,
                                               .on_gone = on_gone,
                                               .on_refuse = gateway_log_refusal,
                                               .on_handshake_failed = gateway_log_handshake,
                                               .ctx = gw};
    int r = http_server_new(options->loop, &server, &gw->server);
    if (r == 0)
        r = auth_cache_new(options->clock, options->contract->authorizer_ttl_s, AUTH_ENTRIES_MAX,
                           &gw->auth);
    if (r == 0)
        r = auth_guard_new(options->clock, options->wrong_keys_max, AUTH_GUARD_SOURCES_MAX,
                           &gw->guard);
    if (r == 0) r = buckets_new(options->quota_tiers, &gw->buckets);
    if (r == 0 && options->functions_hold_rates) buckets_leave_rates(gw->buckets);
    if (r == 0 && options->tables_url.len > 0)
        r = request_days_new(options->tables_url, options->clock, options->log, &gw->request_days);
    if (r == 0 && gw->request_days) request_days_turn(gw->request_days, gw->buckets);
    if (r == 0) r = listen_on(gw, ret_port);
    uv_timer_init(options->loop, &gw->sweep);
    gw->sweep.data = gw;
    uv_timer_start(&gw->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    if (r != 0) {
        gateway_free(&gw);
        return r > 0 ? r : px_fold(r, __FILE__, __LINE__);
    }
    *ret_gateway = gw;
    return 0;
}

static void on_connections_gone(void *ctx)
{
    struct gateway *gw = ctx;
    gw->connections_gone = true;
    check_empty(gw);
}

void gateway_drain(struct gateway *gateway, void (*done)(void *ctx), void *ctx)
{
    gateway->drained = done;
    gateway->drained_ctx = ctx;
    http_server_drain(gateway->server, on_connections_gone, gateway);
}

static void on_sweep_closed(uv_handle_t *handle)
{
    struct gateway *gw = handle->data;
    auth_cache_free(&gw->auth);
    auth_guard_free(&gw->guard);
    request_days_free(&gw->request_days, gw->buckets);
    buckets_free(&gw->buckets);
    spans_deinit(&gw->spans);
    while (gw->spare) {
        struct gateway_call *call = gw->spare;
        gw->spare = call->next;
        px_buf_deinit(&call->event);
        free(call);
    }
    free(gw);
}

void gateway_free(struct gateway **gateway)
{
    struct gateway *gw = *gateway;
    if (!gw) return;
    *gateway = NULL;
    http_server_free(&gw->server);
    gw->freed = true;
    check_empty(gw);
}

void gateway_stats(const struct gateway *gateway, struct gateway_stats *ret_stats)
{
    *ret_stats = (struct gateway_stats){0};
    if (!gateway) return;
    *ret_stats = gateway->stats;
    ret_stats->connections = http_server_connections(gateway->server);
}
