/* region/openapi_models.c - what the contract asks of a request before its function sees it.
 *
 * "x-amazon-apigateway-request-validator" of an operation, else of the file, names one of its validators. Parameters: those of query
 * and headers that are required; a path has its own, or it has no route. Bodies: a model for each media type; others pass. A model may refer
 * to components/schemas, which are the models that API Gateway makes of the file, and to nothing else.
 * Source: API Gateway developer guide, "Request validation for REST APIs". */
#include "region/openapi_internal.h"

#define VALIDATOR "x-amazon-apigateway-request-validator"

static int bad(struct api_reader *rd, const struct api_route *route, const char *why)
{
    return contract_refuse(
        rd, px_arena_printf(rd->arena, "%.*s %.*s", PX_FMT(route->method), PX_FMT(route->resource)),
        why);
}

/* {"$ref":"#/components/parameters/X"} -> it; anything else is itself. NULL when it leads nowhere. */
static yyjson_val *parameter_of(const struct api_reader *rd, yyjson_val *val)
{
    const struct px_str prefix = S("#/components/parameters/");
    struct px_str ref = px_json_str(val, "$ref");
    if (ref.len == 0) return val;
    if (!px_str_starts(ref, prefix)) return NULL;
    struct px_str name = px_str_skip(ref, prefix.len);
    return yyjson_obj_getn(px_json_at(rd->root, "components.parameters"), name.ptr, name.len);
}

static int read_parameters(struct api_reader *rd, struct api_route *route, yyjson_val *parameters)
{
    size_t idx, max;
    yyjson_val *item;
    px_json_arr_foreach(parameters, idx, max, item)
    {
        yyjson_val *parameter = parameter_of(rd, item);
        struct px_str in = px_json_str(parameter, "in");
        if (!parameter) return bad(rd, route, "a parameter's $ref leads nowhere");
        bool header = px_str_eq(in, S("header"));
        if (!px_json_bool(parameter, "required", false) || (!header && !px_str_eq(in, S("query"))))
            continue;
        if (route->required_count == API_REQUIRED_MAX)
            return bad(rd, route, "at most 8 parameters may be required");
        route->required[route->required_count++] = (struct api_required){
            .name = px_json_str(parameter, "name"), .header = header};
    }
    return 0;
}

static void *alloc(void *ctx, size_t bytes) { return px_arena_alloc(ctx, bytes); }

/* A token of a JSON pointer (RFC 6901). */
static void add_token(struct px_buf *out, struct px_str token)
{
    px_buf_add_char(out, '/');
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] == '~' || token.ptr[i] == '/')
            px_buf_add_c(out, token.ptr[i] == '~' ? "~0" : "~1");
        else
            px_buf_add_char(out, token.ptr[i]);
    }
}

static const char *pointer_of(struct api_reader *rd, const struct api_route *route,
                              struct px_str method, struct px_str media_type)
{
    PX_AUTO(px_buf_deinit) struct px_buf out;
    px_buf_init(&out, 4096);
    px_buf_add_c(&out, "/paths");
    add_token(&out, route->resource);
    add_token(&out, method);
    px_buf_add_c(&out, "/requestBody/content");
    add_token(&out, media_type);
    px_buf_add_c(&out, "/schema");
    return px_buf_fault(&out) ? NULL : px_arena_cstr(rd->arena, px_buf_str(&out));
}

/* The schemas of a request's bodies, where pointer_of() looks for them. Examples and words stay behind. */
static void add_bodies(struct px_buf *out, yyjson_val *operation)
{
    yyjson_val *key, *val;
    size_t idx, max;
    const char *comma = "";
    px_buf_add_c(out, "{\"requestBody\":{\"content\":{");
    px_json_obj_foreach(px_json_at(operation, "requestBody.content"), idx, max, key, val)
    {
        yyjson_val *schema = yyjson_obj_get(val, "schema");
        if (!schema) continue;
        px_buf_add_c(out, comma);
        px_buf_add_json(out, key);
        px_buf_add_c(out, ":{\"schema\":");
        px_buf_add_json(out, schema);
        px_buf_add_char(out, '}');
        comma = ",";
    }
    px_buf_add_c(out, "}}}");
}

static void add_paths(struct px_buf *out, yyjson_val *paths)
{
    yyjson_val *path, *item, *method, *operation;
    size_t i, n, j, m;
    const char *outer = "";
    px_json_obj_foreach(paths, i, n, path, item)
    {
        const char *inner = "";
        px_buf_add_c(out, outer);
        px_buf_add_json(out, path);
        px_buf_add_c(out, ":{");
        px_json_obj_foreach(item, j, m, method, operation)
        {
            if (!px_json_at(operation, "requestBody.content")) continue;
            px_buf_add_c(out, inner);
            px_buf_add_json(out, method);
            px_buf_add_char(out, ':');
            add_bodies(out, operation);
            inner = ",";
        }
        px_buf_add_char(out, '}');
        outer = ",";
    }
}

/* What models can say: one part in twenty of the contract, which the validator's library reads once more. */
static int make_models(struct api_reader *rd)
{
    PX_AUTO(px_buf_deinit) struct px_buf out;
    px_buf_init(&out, 2 * rd->text.len + 4096);
    yyjson_val *schemas = px_json_at(rd->root, "components.schemas");
    px_buf_add_c(&out, "{\"components\":{\"schemas\":");
    if (schemas)
        px_buf_add_json(&out, schemas);
    else
        px_buf_add_c(&out, "{}");
    px_buf_add_c(&out, "},\"paths\":{");
    add_paths(&out, px_json_obj(rd->root, "paths"));
    px_buf_add_c(&out, "}}");
    PX_TRY(px_buf_fault(&out));
    rd->models = models_new(out.ptr, out.len);
    return rd->models ? 0 : px_fault(PX_F_OOM, "models of the contract");
}

static int read_model(struct api_reader *rd, struct api_route *route, struct px_str method,
                      struct px_str media_type)
{
    char why[160];
    struct api_model *model = &route->models[route->model_count];
    const char *pointer = pointer_of(rd, route, method, media_type);
    if (!px_str_ieq(media_type, S("application/json")))
        return bad(rd, route,
                   "a body that is validated is application/json, as API Gateway reads it");
    if (!pointer) return px_arena_fault(rd->arena);
    if (!rd->models) PX_TRY(make_models(rd));
    int r = model_compile(rd->models, pointer, alloc, rd->arena, &model->model, why, sizeof(why));
    if (r == MODEL_WRONG)
        return bad(rd, route, px_arena_printf(rd->arena, "its model is none: %s", why).ptr);
    if (r != 0) return px_arena_fault(rd->arena);
    model->media_type = media_type;
    route->model_count++;
    return 0;
}

static int read_body(struct api_reader *rd, struct api_route *route, struct px_str method,
                     yyjson_val *operation)
{
    yyjson_val *content = px_json_at(operation, "requestBody.content"), *key, *val;
    size_t idx, max;
    px_json_obj_foreach(content, idx, max, key, val)
    {
        if (!yyjson_obj_get(val, "schema")) continue;
        if (route->model_count == API_MODELS_MAX)
            return bad(rd, route, "at most 4 media types have a model");
        int r = read_model(rd, route, method, px_json_val_str(key));
        if (r != 0) return r;
    }
    return 0;
}

int api_read_validation(struct api_reader *rd, struct api_route *route, struct px_str method,
                        yyjson_val *item, yyjson_val *operation)
{
    struct px_str name = px_json_str(operation, VALIDATOR);
    if (name.len == 0) name = px_json_str(rd->root, VALIDATOR);
    if (name.len == 0) return 0;
    yyjson_val *all = px_json_obj(rd->root, VALIDATOR "s");
    yyjson_val *validator = all ? yyjson_obj_getn(all, name.ptr, name.len) : NULL;
    if (!validator) return bad(rd, route, "its request validator is not in the file");
    int r = 0;
    if (px_json_bool(validator, "validateRequestParameters", false)) {
        r = read_parameters(rd, route, px_json_arr(item, "parameters"));
        if (r == 0) r = read_parameters(rd, route, px_json_arr(operation, "parameters"));
    }
    if (r == 0 && px_json_bool(validator, "validateRequestBody", false))
        r = read_body(rd, route, method, operation);
    return r;
}
