/* region/gateway_quota.c - what a tenant may spend at this gateway, as a usage plan has it on AWS: counted behind the authorizer,
 * for every route that needs one, before the request is looked at. What is refused costs the tenant nothing.
 *
 * Headers: Retry-After (RFC 9110), and those of svc/quota/told.h. */
#include "region/gateway_internal.h"

static struct buckets_spend spend_of(const struct gateway_call *call)
{
    const struct gateway *gw = call->gateway;
    return (struct buckets_spend){.tenant = call->caller.tenant,
                                  .tier = call->caller.tier,
                                  .own = call->caller.quotas,
                                  .bytes = call->request->body.len,
                                  .function = call->match.route->function,
                                  .mono_ns = px_mono_ns(gw->options.clock),
                                  .wall_ns = px_wall_ns(gw->options.clock)};
}

bool gateway_quota(struct gateway_call *call)
{
    if (!call->match.route->authorized) return true;
    const struct buckets_spend spend = spend_of(call);
    struct buckets *buckets = call->gateway->buckets;
    int r = buckets_enter(buckets, &spend, &call->place_of_query, &call->over);
    if (r == 0) r = buckets_take(buckets, &spend, &call->over);
    if (r == 0) return true;
    if (r == BUCKETS_OVER)
        gateway_refuse(call,
                       call->over.which == QUOTA_REQUESTS_PER_DAY ? API_GW_QUOTA_EXCEEDED
                                                                  : API_GW_THROTTLED,
                       call->over.name.ptr);
    else
        gateway_refuse(call, API_GW_AUTHORIZER_FAILURE, "the tenant's quotas cannot be read");
    return false;
}

static size_t put(struct http_header *headers, size_t count, struct px_str name,
                  struct px_str value)
{
    size_t at = 0;
    while (at < count && !px_str_ieq(headers[at].name, name)) at++;
    headers[at] = (struct http_header){name, value};
    return at < count ? count : count + 1;
}

size_t gateway_quota_refusal(const struct gateway_call *call, struct http_header *headers,
                             size_t count)
{
    const struct quota_refusal *over = &call->over;
    struct px_arena *arena = call->request->arena;
    if (over->wait_s == 0) return count;
    struct px_str wait = px_arena_printf(arena, "%lld", (long long)over->wait_s);
    struct quota_fields fields = quota_fields_of_refusal(arena, over);
    if (!wait.ptr || !fields.state.ptr || !fields.policy.ptr) return count;
    count = put(headers, count, S("Retry-After"), wait);
    count = put(headers, count, S("RateLimit"), fields.state);
    return put(headers, count, S("RateLimit-Policy"), fields.policy);
}

/* Both lists: what the gateway says, then what the function said (RFC 9651, 3.1: one list in several lines). */
static struct px_str joined(struct px_arena *arena, struct px_str ours, struct px_str name,
                            const struct http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (px_str_ieq(headers[i].name, name))
            return px_arena_printf(arena, "%.*s, %.*s", PX_FMT(ours), PX_FMT(headers[i].value));
    return ours;
}

size_t gateway_quota_left(const struct gateway_call *call, struct http_header *headers,
                          size_t count)
{
    struct quota_left left[BUCKETS_LEFT_MAX];
    struct quota_fields fields = {{0}, {0}};
    if (!call->match.route->authorized) return count;
    const struct buckets_spend spend = spend_of(call);
    size_t left_count = buckets_left(call->gateway->buckets, &spend, left);
    for (size_t i = 0; i < left_count; i++)
        fields = quota_fields_add(call->request->arena, fields, &left[i]);
    if (!fields.state.ptr || !fields.policy.ptr) return count;
    struct px_arena *arena = call->request->arena;
    fields.state = joined(arena, fields.state, S("RateLimit"), headers, count);
    fields.policy = joined(arena, fields.policy, S("RateLimit-Policy"), headers, count);
    if (!fields.state.ptr || !fields.policy.ptr) return count;
    count = put(headers, count, S("RateLimit"), fields.state);
    return put(headers, count, S("RateLimit-Policy"), fields.policy);
}
