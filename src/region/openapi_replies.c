/* region/openapi_replies.c - the contract's gateway responses: what API Gateway answers by itself.
 *
 * A type that the contract does not name has the words of DEFAULT_4XX or DEFAULT_5XX, and without these
 * API Gateway's own. Templates of gateway responses know variables, but no directives and functions.
 * Source: API Gateway developer guide, "Gateway responses" and "Gateway response types". */
#include "region/openapi_internal.h"

#define PLACE "x-amazon-apigateway-gateway-responses"

static const struct {
    const char *name;
    int status;          /* API Gateway's own when the contract says nothing */
    const char *message; /* $context.error.message, where the cause has no better one */
} known[API_GW_COUNT_] = {
    [API_GW_UNAUTHORIZED] = {"UNAUTHORIZED", 401, "Unauthorized"},
    [API_GW_ACCESS_DENIED] = {"ACCESS_DENIED", 403,
                              "User is not authorized to access this resource"},
    [API_GW_AUTHORIZER_FAILURE] = {"AUTHORIZER_FAILURE", 500, "Internal server error"},
    [API_GW_NOT_FOUND] = {"MISSING_AUTHENTICATION_TOKEN", 403, "Missing Authentication Token"},
    [API_GW_REQUEST_TOO_LARGE] = {"REQUEST_TOO_LARGE", 413, "Request Too Long"},
    [API_GW_UNSUPPORTED_MEDIA_TYPE] = {"UNSUPPORTED_MEDIA_TYPE", 415, "Unsupported Media Type"},
    [API_GW_BAD_REQUEST_PARAMETERS] = {"BAD_REQUEST_PARAMETERS", 400,
                                       "Missing required request parameters"},
    [API_GW_BAD_REQUEST_BODY] = {"BAD_REQUEST_BODY", 400, "Invalid request body"},
    [API_GW_THROTTLED] = {"THROTTLED", 429, "Too Many Requests"},
    [API_GW_QUOTA_EXCEEDED] = {"QUOTA_EXCEEDED", 429, "Limit Exceeded"},
    [API_GW_INTEGRATION_FAILURE] = {"INTEGRATION_FAILURE", 504, "Internal server error"},
    [API_GW_INTEGRATION_TIMEOUT] = {"INTEGRATION_TIMEOUT", 504, "Endpoint request timed out"},
};

static const char *const variables[API_VARIABLE_COUNT_] = {
    [API_VARIABLE_REQUEST_ID] = "$context.requestId",
    [API_VARIABLE_MESSAGE_STRING] = "$context.error.messageString",
    [API_VARIABLE_MESSAGE] = "$context.error.message",
    [API_VARIABLE_RESPONSE_TYPE] = "$context.error.responseType",
    [API_VARIABLE_VALIDATION] = "$context.error.validationErrorString",
};

static int refuse_reply(struct api_reader *rd, const char *name, const char *why)
{
    return contract_refuse(rd, px_arena_printf(rd->arena, PLACE ".%s", name), why);
}

bool api_template_next(struct px_str *text, struct px_str *ret_before,
                       enum api_variable *ret_variable)
{
    const char *dollar = text->len ? memchr(text->ptr, '$', text->len) : NULL;
    *ret_variable = API_VARIABLE_COUNT_;
    if (!dollar) {
        *ret_before = *text;
        *text = (struct px_str){0};
        return ret_before->len > 0;
    }
    struct px_str rest = px_str_skip(*text, (size_t)(dollar - text->ptr));
    *ret_before = px_str(text->ptr, (size_t)(dollar - text->ptr));
    size_t taken = 1; /* an unknown variable is its own dollar */
    for (size_t i = 0; i < API_VARIABLE_COUNT_; i++) {
        struct px_str name = px_str_c(variables[i]);
        if (name.len <= taken || !px_str_starts(rest, name)) continue;
        taken = name.len;
        *ret_variable = (enum api_variable)i;
    }
    *text = px_str_skip(rest, taken);
    return true;
}

static int check_template(struct api_reader *rd, const char *name, struct px_str text)
{
    struct px_str before;
    enum api_variable variable;
    if (text.len && memchr(text.ptr, '#', text.len))
        return refuse_reply(rd, name, "its template may hold variables, no directives");
    while (text.len) {
        bool dollar = memchr(text.ptr, '$', text.len) != NULL;
        (void)api_template_next(&text, &before, &variable);
        if (dollar && variable == API_VARIABLE_COUNT_)
            return refuse_reply(rd, name,
                                "its template may hold $context.requestId, $context.error.message, "
                                "messageString, validationErrorString and responseType");
    }
    return 0;
}

bool api_read_headers(yyjson_val *parameters, struct px_str prefix,
                      struct http_header headers[API_REPLY_HEADERS_MAX], size_t *ret_count)
{
    size_t idx, max, count = 0;
    yyjson_val *key, *val;
    px_json_obj_foreach(parameters, idx, max, key, val)
    {
        struct px_str to = px_json_val_str(key), from = px_json_val_str(val);
        bool words = from.len >= 2 && from.ptr[0] == '\'' && from.ptr[from.len - 1] == '\'';
        if (!px_str_starts(to, prefix) || !words || count == API_REPLY_HEADERS_MAX) return false;
        headers[count++] = (struct http_header){px_str_skip(to, prefix.len),
                                                px_str(from.ptr + 1, from.len - 2)};
    }
    *ret_count = count;
    return true;
}

static int read_reply(struct api_reader *rd, enum api_gateway_response which, yyjson_val *one)
{
    const char *name = known[which].name;
    struct api_gateway_reply *reply = &rd->contract->replies[which];
    yyjson_val *templates = px_json_obj(one, "responseTemplates"), *key, *val;
    int64_t status = known[which].status;
    size_t idx, max;
    if (yyjson_obj_get(one, "statusCode") &&
        (!px_str_to_i64(px_json_str(one, "statusCode"), &status) || status < 400 || status > 599))
        return refuse_reply(rd, name, "statusCode is a text, \"400\" to \"599\"");
    *reply = (struct api_gateway_reply){
        .status = (int)status,
        .type = px_str_c(name),
        .message = px_str_c(known[which].message),
        .media_type = S("application/json"),
        .template_text = S("{\"message\":$context.error.messageString}")};
    if (yyjson_obj_size(templates) > 1)
        return refuse_reply(rd, name, "one media type: nothing chooses between several here");
    px_json_obj_foreach(templates, idx, max, key, val)
    {
        reply->media_type = px_json_val_str(key);
        reply->template_text = px_json_val_str(val);
    }
    if (!api_read_headers(px_json_obj(one, "responseParameters"), S("gatewayresponse.header."),
                          reply->headers, &reply->header_count))
        return refuse_reply(rd, name,
                            "responseParameters are at most 8 of gatewayresponse.header.X with "
                            "'words' in quotes");
    return check_template(rd, name, reply->template_text);
}

int api_read_replies(struct api_reader *rd, yyjson_val *root)
{
    yyjson_val *all = px_json_obj(root, PLACE);
    for (size_t i = 0; i < API_GW_COUNT_; i++) {
        yyjson_val *one = px_json_obj(all, known[i].name);
        if (!one) one = px_json_obj(all, known[i].status < 500 ? "DEFAULT_4XX" : "DEFAULT_5XX");
        int r = read_reply(rd, (enum api_gateway_response)i, one);
        if (r != 0) return r;
    }
    return 0;
}
