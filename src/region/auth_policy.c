/* region/auth_policy.c - an authorizer's answer, read and weighed as API Gateway does.
 * Source: API Gateway developer guide, "Output from an API Gateway Lambda authorizer". */
#include <fnmatch.h>

#include "base/px_json.h"
#include "region/auth_cache.h"

static bool add_statement(yyjson_val *statement, struct px_str resource, struct auth_result *result)
{
    struct px_str effect = px_json_str(statement, "Effect");
    bool allow = px_str_eq(effect, S("Allow"));
    if (result->statement_count == AUTH_POLICY_STATEMENTS_MAX || resource.len == 0 ||
        (!allow && !px_str_eq(effect, S("Deny"))))
        return false;
    result->statements[result->statement_count].allow = allow;
    result->statements[result->statement_count++].resource = resource;
    return true;
}

/* Resource is one pattern or a list of them. */
static bool read_statement(yyjson_val *statement, struct auth_result *result)
{
    yyjson_val *resource = yyjson_obj_get(statement, "Resource"), *one;
    if (!yyjson_is_arr(resource))
        return add_statement(statement, px_json_val_str(resource), result);
    size_t idx, max;
    px_json_arr_foreach(resource, idx, max, one)
    {
        if (!add_statement(statement, px_json_val_str(one), result)) return false;
    }
    return true;
}

bool auth_result_parse(struct px_str payload, struct px_arena *arena,
                       struct auth_result *ret_result)
{
    struct auth_result result = {0};
    yyjson_val *root = NULL, *statement;
    if (px_json_parse(payload, arena, &root, NULL) != 0) return false;
    yyjson_val *statements = px_json_arr(px_json_obj(root, "policyDocument"), "Statement");
    size_t idx, max;
    px_json_arr_foreach(statements, idx, max, statement)
    {
        if (!read_statement(statement, &result)) return false;
    }
    if (result.statement_count == 0) return false;
    yyjson_val *context = px_json_obj(root, "context");
    result.caller = (struct api_caller){.tenant = px_json_str(context, "tenant"),
                                        .key_id = px_json_str(context, "key_id"),
                                        .scopes = px_json_str(context, "scopes"),
                                        .tier = px_json_str(context, "tier"),
                                        .home_region = px_json_str(context, "home_region"),
                                        .shard = px_json_str(context, "shard"),
                                        .quotas = px_json_str(context, "quotas"),
                                        .token = px_json_str(context, "token"),
                                        .restriction = px_json_str(context, "restriction")};
    struct px_str epoch = px_json_str(context, "epoch");
    if (epoch.len && !px_str_to_i64(epoch, &result.caller.epoch)) return false;
    *ret_result = result;
    return true;
}

bool auth_result_allows(const struct auth_result *result, const char *method_arn)
{
    bool allowed = false;
    for (size_t i = 0; i < result->statement_count; i++) {
        char pattern[512];
        struct px_str resource = result->statements[i].resource;
        if (resource.len >= sizeof(pattern)) return false;
        memcpy(pattern, resource.ptr, resource.len);
        pattern[resource.len] = '\0';
        if (fnmatch(pattern, method_arn, FNM_NOESCAPE) != 0) continue;
        if (!result->statements[i].allow) return false;
        allowed = true;
    }
    return allowed;
}
