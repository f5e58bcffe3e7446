/* region/gateway_validate.c - a request against what the contract asks of it, before its function is called.
 *
 * A caller is known by then, as on AWS. What has no model, hot routes above all, costs nothing here. */
#include "region/gateway_internal.h"

#define MISSING_BYTES_MAX 1024
#define WHY_BYTES_MAX 512

static bool has_query(const struct http_header *query, size_t count, struct px_str name)
{
    for (size_t i = 0; i < count; i++)
        if (px_str_eq(query[i].name, name) && query[i].value.len) return true;
    return false;
}

/* "Missing required request parameters: [a, b]"; empty: none is. */
static struct px_str missing(struct gateway_call *call, const struct http_header *query,
                             size_t count)
{
    const struct api_route *route = call->match.route;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    size_t n = 0;
    px_buf_init(&text, MISSING_BYTES_MAX);
    for (size_t i = 0; i < route->required_count; i++) {
        const struct api_required *one = &route->required[i];
        if (one->header ? http_header_get(call->request, one->name).len > 0
                        : has_query(query, count, one->name))
            continue;
        px_buf_add_c(&text, n++ ? ", " : "Missing required request parameters: [");
        px_buf_add_str(&text, one->name);
    }
    if (n == 0) return S("");
    px_buf_add_c(&text, "]");
    return px_arena_dup(call->request->arena, px_buf_str(&text));
}

static const struct model *model_of(const struct gateway_call *call)
{
    const struct api_route *route = call->match.route;
    struct px_str type = gateway_media_type(call->request);
    for (size_t i = 0; i < route->model_count; i++)
        if (px_str_ieq(route->models[i].media_type, type)) return route->models[i].model;
    return NULL;
}

/* A parameter that cannot be read must not be taken for one that is not there. */
static bool check_parameters(struct gateway_call *call)
{
    struct http_header query[GATEWAY_QUERY_PAIRS_MAX];
    size_t count = 0;
    bool readable = gateway_read_query(call->request, query, &count);
    if (!readable)
        call->message = S(
            "the query cannot be read: an escape is broken or stands for NUL, or it has more than 64 parameters");
    else if (call->match.route->required_count)
        call->message = missing(call, query, count);
    if (call->message.len == 0) return true;
    gateway_refuse(call, API_GW_BAD_REQUEST_PARAMETERS,
                   readable ? "a required parameter is missing" : "the query cannot be read");
    return false;
}

bool gateway_validate(struct gateway_call *call)
{
    const struct api_route *route = call->match.route;
    char why[WHY_BYTES_MAX];
    bool parameters = route->required_count > 0 || call->request->query.len > 0;
    if (parameters && !check_parameters(call)) return false;
    const struct model *model = route->model_count ? model_of(call) : NULL;
    struct px_str body = call->request->body;
    if (!model ||
        model_check(model, body.ptr ? body.ptr : "", body.len, why, sizeof(why)) == MODEL_FITS)
        return true;
    call->violation = px_arena_dup(call->request->arena, px_str_c(why));
    gateway_refuse(call, API_GW_BAD_REQUEST_BODY, "the body does not fit its model");
    return false;
}
