/* region/gateway_quota.c - what a tenant may spend at this gateway, as a usage plan has it on AWS: counted behind the authorizer,
 * for every route that needs one, before the request is looked at. What is refused costs the tenant nothing.
 *
 * Headers: Retry-After (RFC 9110); RateLimit and RateLimit-Policy, draft-ietf-httpapi-ratelimit-headers-10. */
#include "region/gateway_internal.h"

static const char *const units[QUOTA_COUNT_] = {[QUOTA_BYTES_PER_S] = ";qu=\"content-bytes\""};

bool gateway_quota(struct gateway_call *call)
{
    struct gateway *gw = call->gateway;
    const struct api_caller *caller = &call->caller;
    if (!call->match.route->authorized) return true;
    const struct buckets_spend spend = {.tenant = caller->tenant,
                                        .tier = caller->tier,
                                        .own = caller->quotas,
                                        .bytes = call->request->body.len,
                                        .mono_ns = px_mono_ns(gw->options.clock),
                                        .wall_ns = px_wall_ns(gw->options.clock)};
    int r = buckets_take(gw->buckets, &spend, &call->over);
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

size_t gateway_quota_headers(const struct gateway_call *call, struct http_header *headers,
                             size_t count)
{
    const struct buckets_refusal *over = &call->over;
    struct px_arena *arena = call->request->arena;
    if (over->wait_s == 0) return count;
    const char *unit = units[over->which] ? units[over->which] : "";
    struct px_str wait = px_arena_printf(arena, "%lld", (long long)over->wait_s);
    struct px_str state = px_arena_printf(arena, "\"%.*s\";r=0;t=%lld", PX_FMT(over->name),
                                          (long long)over->wait_s);
    struct px_str policy = px_arena_printf(arena, "\"%.*s\";q=%lld%s;w=%lld", PX_FMT(over->name),
                                           (long long)over->limit, unit, (long long)over->window_s);
    if (!wait.ptr || !state.ptr || !policy.ptr) return count;
    count = put(headers, count, S("Retry-After"), wait);
    count = put(headers, count, S("RateLimit"), state);
    return put(headers, count, S("RateLimit-Policy"), policy);
}
