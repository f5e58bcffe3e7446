/* region/gateway_direct.c - a call that goes to Step Functions without a function between: what is sent and what is answered are made by the
 * contract's mapping templates.
 *
 * A template that fails is an integration that failed, as on AWS. Never met AWS: which of the two gateway responses that is
 * (API_CONFIGURATION_ERROR or INTEGRATION_FAILURE). */
#include "region/gateway_internal.h"

#define BODY_BYTES_MAX (256u * 1024) /* a state machine's input has no more */
#define CONTEXT_MAX 16

static void end_refused(struct gateway_call *call, enum api_gateway_response which, const char *why)
{
    gateway_refuse(call, which, why);
    gateway_call_end(call);
}

/* http_header and vtl_pair are both a name and a value. */
static struct vtl_pair *pairs_of(struct px_arena *arena, const struct http_header *from,
                                 size_t count)
{
    struct vtl_pair *pairs = px_arena_array(arena, struct vtl_pair, count + 1);
    for (size_t i = 0; pairs && i < count; i++)
        pairs[i] = (struct vtl_pair){from[i].name, from[i].value};
    return pairs;
}

static size_t read_context(const struct gateway_call *call, struct vtl_pair pairs[CONTEXT_MAX])
{
    const struct api_caller *caller = &call->caller;
    const struct vtl_pair all[] = {
        {S("requestId"), px_str_c(call->request_id)},
        {S("apiId"), S("prism")},
        {S("stage"), call->place.stage->name},
        {S("httpMethod"), call->match.route->method},
        {S("resourcePath"), call->match.route->resource},
        {S("path"), call->request->path},
        {S("domainName"), call->place.domain},
        {S("identity.sourceIp"), call->request->peer},
        {S("identity.userAgent"), http_header_get(call->request, S("User-Agent"))},
        {S("authorizer.tenant"), caller->tenant},
        {S("authorizer.key_id"), caller->key_id},
        {S("authorizer.scopes"), caller->scopes},
        {S("authorizer.tier"), caller->tier},
        {S("authorizer.home_region"), caller->home_region},
    };
    static_assert(PX_COUNT(all) <= CONTEXT_MAX, "room");
    memcpy(pairs, all, sizeof all);
    return PX_COUNT(all);
}

/* `body`: what $input is of; parameters are those of the request, and of a request alone. */
static int render(struct gateway_call *call, struct px_str text, struct px_str body,
                  bool is_request, struct vtl_result *ret_result)
{
    struct http_request *request = call->request;
    struct http_header query[GATEWAY_QUERY_PAIRS_MAX];
    struct vtl_pair context[CONTEXT_MAX];
    const struct names_stage *stage = call->place.stage;
    size_t query_count = 0;
    if (is_request) (void)gateway_read_query(request, query, &query_count); /* it was validated */
    struct px_str why = {0};
    struct vtl_input input = {
        .body = body,
        .path = pairs_of(request->arena, call->match.params, call->match.param_count),
        .path_count = is_request ? call->match.param_count : 0,
        .query = pairs_of(request->arena, query, query_count),
        .query_count = query_count,
        .headers = pairs_of(request->arena, request->headers, request->header_count),
        .header_count = is_request ? request->header_count : 0,
        .context = context,
        .context_count = read_context(call, context),
        .stage_variables = pairs_of(request->arena, stage->variables, stage->variable_count),
        .stage_variable_count = stage->variable_count,
    };
    if (!input.path || !input.query || !input.headers || !input.stage_variables)
        return px_arena_fault(request->arena);
    int r = vtl_render(call->gateway->options.vtl, text, &input, request->arena, ret_result, &why);
    if (r == VTL_FAILED)
        px_log(call->gateway->options.log, PX_WARN, "request %s: a mapping template failed: %.*s",
               call->request_id, PX_FMT(why));
    if (r < 0)
        px_log_fault(call->gateway->options.log, r, "a mapping template cannot be evaluated");
    return r;
}

static void on_done(void *ctx, int status, struct px_str body)
{
    struct gateway_call *call = ctx;
    struct vtl_result result = {0};
    call->asks_service = false;
    call->function_ms = (double)(px_mono_ns(call->gateway->options.clock) - call->invoked_mono_ns) /
                        1e6;
    if (call->request) {
        const struct api_direct_reply *reply = api_direct_reply(call->match.route->direct, status);
        if (render(call, reply->template_text, body, false, &result) != 0)
            gateway_refuse(call, API_GW_INTEGRATION_FAILURE, "a mapping template failed");
        else
            gateway_reply_direct(call, reply, &result);
    }
    gateway_call_end(call);
}

void gateway_direct(struct gateway_call *call)
{
    const struct gateway_options *options = &call->gateway->options;
    const struct api_direct *direct = call->match.route->direct;
    struct vtl_result result = {0};
    if (!px_str_ieq(gateway_media_type(call->request), direct->media_type)) {
        end_refused(call, API_GW_UNSUPPORTED_MEDIA_TYPE, "no template for the Content-Type");
        return;
    }
    if (call->request->body.len > BODY_BYTES_MAX) {
        end_refused(call, API_GW_REQUEST_TOO_LARGE, "over what a state machine takes");
        return;
    }
    if (render(call, direct->template_text, call->request->body, true, &result) != 0) {
        end_refused(call, API_GW_INTEGRATION_FAILURE, "a mapping template failed");
        return;
    }
    call->invoked_mono_ns = px_mono_ns(options->clock);
    call->deadline_mono_ns = call->started_mono_ns + call->match.route->timeout_ms * PX_NS_PER_MS;
    call->asks_service = true;
    options->service(options->service_ctx, direct->action, result.text, on_done, call);
}
