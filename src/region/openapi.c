/* region/openapi.c - read the contract into routes.
 *
 * What this reader does not understand of an integration is refused at start: a route that would behave
 * differently here and on AWS is worse than none. */
#include "region/openapi_internal.h"

#define INTEGRATION_TIMEOUT_MS 29000 /* API Gateway's default for REST APIs */

int contract_refuse(struct api_reader *rd, struct px_str path, const char *why)
{
    char place[96];
    snprintf(place, sizeof(place), "%.*s", PX_FMT(path));
    px_where_set(rd->where, 0, place, "%s", why);
    return API_CONTRACT_INVALID;
}

/* arn:...:lambda:path/2015-03-31/functions/arn:...:function:${prefix}-NAME:live/invocations -> NAME.
 * A function that mounts hot storage is there once for each shard, and a stage of the API picks its own:
 * ${prefix}-NAME-${stageVariables.shard}. A local region has one shard.
 *
 * `live` is the one alias that a function has, here (region/versions.h) and on AWS (infra/modules/function). API Gateway answers 500 to a call by
 * another one, and what names none runs $LATEST, past any rollout. */
static int read_function(struct api_reader *rd, struct px_str place, struct px_str uri,
                         struct px_str *ret_function)
{
    static const char mark[] = ":function:${prefix}-";
    const struct px_str shard = S("-${stageVariables.shard}");
    const char *at = uri.len ? memmem(uri.ptr, uri.len, mark, sizeof(mark) - 1) : NULL;
    struct px_str rest = S(""), name = S(""), action, alias;
    if (at) rest = px_str_skip(uri, (size_t)(at - uri.ptr) + sizeof(mark) - 1);
    bool called = px_str_cut(&rest, '/', &name); /* rest: what is done with it */
    action = rest;
    rest = name;
    bool by_alias = px_str_cut(&rest, ':', &name);
    alias = rest;
    if (px_str_ends(name, shard)) name.len -= shard.len;
    if (name.len == 0 || memchr(name.ptr, '$', name.len))
        return contract_refuse(rd, place, "uri names no function:${prefix}-NAME:");
    if (!by_alias || !px_str_eq(alias, S("live")))
        return contract_refuse(rd, place,
                               "uri must call its function by the alias live, the only one: "
                               "function:${prefix}-NAME:live/");
    if (!called || !(px_str_eq(action, S("invocations")) ||
                     px_str_eq(action, S("response-streaming-invocations"))))
        return contract_refuse(rd, place,
                               "uri must end with :live/invocations or "
                               ":live/response-streaming-invocations");
    *ret_function = name;
    return 0;
}

static bool split_resource(struct px_str resource, struct api_route *route)
{
    struct px_str rest = px_str_skip(resource, 1), part;
    if (!px_str_starts(resource, S("/"))) return false;
    bool more = true;
    while (more) {
        if (route->part_count == API_PATH_PARTS_MAX) return false;
        more = px_str_cut(&rest, '/', &part);
        bool param = part.len > 2 && part.ptr[0] == '{' && part.ptr[part.len - 1] == '}';
        route->parts[route->part_count++] = (struct api_part){
            .text = param ? px_str(part.ptr + 1, part.len - 2) : part, .param = param};
    }
    return true;
}

/* Which bodies a mock takes: with passthroughBehavior "never" those that it has a template for. */
static int read_mock_request(struct api_reader *rd, yyjson_val *integration,
                             struct api_route *route)
{
    yyjson_val *templates = px_json_obj(integration, "requestTemplates"), *key, *val;
    size_t idx, max;
    if (!px_str_eq(px_json_str(integration, "passthroughBehavior"), S("never"))) return 0;
    if (yyjson_obj_size(templates) != 1)
        return contract_refuse(rd, route->resource,
                               "a mock that passes nothing needs one template");
    px_json_obj_foreach(templates, idx, max, key, val)
    {
        route->mock_media_type = px_json_val_str(key);
    }
    return 0;
}

static int read_mock(struct api_reader *rd, yyjson_val *integration, struct api_route *route)
{
    yyjson_val *answer = px_json_at(integration, "responses.default");
    int64_t status = 0;
    struct px_str text = px_json_str(answer, "statusCode");
    if (!px_str_to_i64(text, &status) || status < 100 || status > 599)
        return contract_refuse(rd, route->resource,
                               "a mock integration needs responses.default.statusCode");
    route->integration = API_MOCK;
    route->mock_status = (int)status;
    route->mock_body = px_json_str(px_json_obj(answer, "responseTemplates"), "application/json");
    if (!api_read_headers(px_json_obj(answer, "responseParameters"), S("method.response.header."),
                          route->mock_headers, &route->mock_header_count))
        return contract_refuse(rd, route->resource,
                               "responseParameters of a mock are at most 8 of "
                               "method.response.header.X with 'words' in quotes");
    return read_mock_request(rd, integration, route);
}

static int read_integration(struct api_reader *rd, yyjson_val *operation, struct api_route *route)
{
    yyjson_val *integration = px_json_obj(operation, "x-amazon-apigateway-integration");
    struct px_str type = px_json_str(integration, "type");
    if (px_str_eq(type, S("mock"))) return read_mock(rd, integration, route);
    if (px_str_eq(type, S("aws"))) return api_read_direct(rd, integration, route);
    if (!px_str_eq(type, S("aws_proxy")))
        return contract_refuse(rd, route->resource,
                               "integration type must be aws_proxy, aws or mock");
    route->integration = API_LAMBDA;
    struct px_str uri = px_json_str(integration, "uri");
    bool streams = px_str_eq(px_json_str(integration, "responseTransferMode"), S("STREAM"));
    int64_t timeout = px_json_i64(integration, "timeoutInMillis", INTEGRATION_TIMEOUT_MS);
    int r = read_function(rd, route->resource, uri, &route->function);
    if (r != 0) return r;
    /* Source: API Gateway developer guide, "Set up a Lambda proxy integration with payload response
     * streaming": the mode and the path of the URI go together. */
    if (streams != px_str_ends(uri, S("/response-streaming-invocations")))
        return contract_refuse(
            rd, route->resource,
            "responseTransferMode STREAM and a uri with /response-streaming-invocations "
            "need each other");
    if (timeout < 50 || timeout > 300000)
        return contract_refuse(rd, route->resource, "timeoutInMillis must be 50 to 300000");
    route->timeout_ms = (uint32_t)timeout;
    route->streams = streams;
    return 0;
}

static int read_operation(struct api_reader *rd, struct px_str resource, struct px_str method,
                          yyjson_val *item, yyjson_val *operation)
{
    struct api_route *route = &rd->contract->routes[rd->contract->route_count];
    *route = (struct api_route){.resource = resource};
    if (!split_resource(resource, route))
        return contract_refuse(rd, resource, "path must start with / and have at most 16 parts");
    char *upper = px_arena_cstr(rd->arena, method);
    if (!upper) return px_arena_fault(rd->arena);
    for (char *c = upper; *c; c++) *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    route->method = px_str(upper, method.len);
    route->operation_id = px_json_str(operation, "operationId");
    route->authorized = yyjson_arr_size(px_json_arr(operation, "security")) > 0;
    route->flushes_authorizer_cache = px_json_bool(operation, "x-prism-flush-authorizer-cache",
                                                   false);
    int r = read_integration(rd, operation, route);
    if (r == 0) r = api_read_validation(rd, route, method, item, operation);
    if (r != 0) return r;
    rd->contract->route_count++;
    return 0;
}

static bool is_method(struct px_str key)
{
    static const char *const methods[] = {"get",     "put",  "post", "delete",
                                          "options", "head", "patch"};
    for (size_t i = 0; i < PX_COUNT(methods); i++)
        if (px_str_eq(key, px_str_c(methods[i]))) return true;
    return false;
}

static size_t count_operations(yyjson_val *paths)
{
    size_t i, n, j, m, count = 0;
    yyjson_val *path, *item, *key, *val;
    px_json_obj_foreach(paths, i, n, path, item)
    {
        px_json_obj_foreach(item, j, m, key, val) { count += is_method(px_json_val_str(key)); }
    }
    return count;
}

static int read_paths(struct api_reader *rd, yyjson_val *paths)
{
    size_t i, n, j, m;
    yyjson_val *path, *item, *key, *val;
    rd->contract->routes = px_arena_array(rd->arena, struct api_route, count_operations(paths));
    if (!rd->contract->routes) return px_arena_fault(rd->arena);
    px_json_obj_foreach(paths, i, n, path, item)
    {
        px_json_obj_foreach(item, j, m, key, val)
        {
            if (!is_method(px_json_val_str(key))) continue;
            int r = read_operation(rd, px_json_val_str(path), px_json_val_str(key), item, val);
            if (r != 0) return r;
        }
    }
    return rd->contract->route_count ? 0 : contract_refuse(rd, S("paths"), "no operations");
}

static int read_authorizer(struct api_reader *rd, yyjson_val *root)
{
    yyjson_val *schemes = px_json_at(root, "components.securitySchemes");
    size_t idx, max;
    yyjson_val *key, *scheme;
    px_json_obj_foreach(schemes, idx, max, key, scheme)
    {
        yyjson_val *authorizer = px_json_obj(scheme, "x-amazon-apigateway-authorizer");
        if (!authorizer) continue; /* the key of a usage plan, which API Gateway counts by */
        struct px_str identity = px_json_str(authorizer, "identitySource");
        int64_t ttl = px_json_i64(authorizer, "authorizerResultTtlInSeconds", 300);
        struct px_str header = S("method.request.header.");
        rd->contract->identity_header = px_str_skip(identity, header.len);
        rd->contract->authorizer_ttl_s = (uint32_t)ttl;
        int r = read_function(rd, px_json_val_str(key), px_json_str(authorizer, "authorizerUri"),
                              &rd->contract->authorizer_function);
        if (r != 0) return r;
        if (!px_str_starts(identity, header) || rd->contract->identity_header.len == 0)
            return contract_refuse(rd, px_json_val_str(key),
                                   "authorizer needs identitySource method.request.header.X");
        if (ttl < 0 || ttl > 3600)
            return contract_refuse(rd, px_json_val_str(key),
                                   "authorizerResultTtlInSeconds must be 0 to 3600");
    }
    return 0;
}

static int check_routes(struct api_reader *rd)
{
    for (size_t i = 0; i < rd->contract->route_count; i++)
        if (rd->contract->routes[i].authorized && rd->contract->authorizer_function.len == 0)
            return contract_refuse(rd, rd->contract->routes[i].resource,
                                   "security, but no authorizer");
    return 0;
}

static int read_contract(struct api_reader *rd)
{
    if (!px_str_starts(px_json_str(rd->root, "openapi"), S("3.0")))
        return contract_refuse(rd, S("openapi"),
                               "must be 3.0.x, the version that API Gateway imports");
    int r = read_paths(rd, px_json_obj(rd->root, "paths"));
    if (r == 0) r = read_authorizer(rd, rd->root);
    if (r == 0) r = check_routes(rd);
    if (r == 0) r = api_read_names(rd, rd->root);
    return r == 0 ? api_read_replies(rd, rd->root) : r;
}

int api_contract_parse(struct px_str text, struct px_arena *arena,
                       struct api_contract *ret_contract, struct px_where *ret_where)
{
    struct api_contract contract = {0};
    struct api_reader rd = {arena, &contract, ret_where, .text = text};
    int r = px_json_parse(text, arena, &rd.root, ret_where);
    if (r == PX_JSON_INVALID) return API_CONTRACT_INVALID;
    PX_TRY(r);
    r = read_contract(&rd);
    models_free(&rd.models);
    if (r == 0) *ret_contract = contract;
    return r;
}
