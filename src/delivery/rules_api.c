/* delivery/rules_api.c - the REST API of a region.
 * Quotas: docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html */
#include "delivery/rule.h"
#include "delivery/rules_direct.h"

#define REGIONAL                                                                                   \
    "Each region includes dedicated API Gateway deployments that provide regional entry points "   \
    "for tenant traffic."
#define SHAPE                                                                                      \
    "API configuration includes custom domain names, TLS termination, request/response "           \
    "transformation, and integration with Lambda authorizers."
#define THROTTLE                                                                                   \
    "API Gateway implements request throttling based on tenant quotas and system capacity limits."
#define ACCESS                                                                                     \
    "Access logs capture detailed request information for security auditing and performance "      \
    "analysis."
#define METRICS                                                                                     \
    "CloudWatch integration provides real-time metrics and alerting for API performance and error " \
    "rates."
#define DOMAIN                                                                                      \
    "Domain configuration includes SSL certificate management through AWS Certificate Manager and " \
    "Route 53 integration for DNS resolution."

#define STAGES_MAX 10
#define PLANS_MAX 300
#define VARIABLES_MAX 100
#define VARIABLE_NAME_MAX 64
#define VARIABLE_VALUE_MAX 512
#define INTEGRATION_MS_MAX 29000
#define STREAM_MS_MAX 900000
#define BODY_BYTES_MAX (6u << 20)

static bool needs_stages(struct verify *v)
{
    return rule_needs(v, "aws_api_gateway_stage", "module api makes one stage per shard");
}

static void stages(struct verify *v)
{
    const struct value *shards = rule_shards(v);
    if (!needs_stages(v)) return;
    if (plan_count(v->plan, "aws_api_gateway_stage") > STAGES_MAX)
        rule_find(v, NULL, "use at most 10 shards per region, or ask AWS for more",
                  "there are %zu stages; an API has 10",
                  plan_count(v->plan, "aws_api_gateway_stage"));
    for (size_t i = 0; value_is(shards, VALUE_MAP) && i < shards->map.count; i++) {
        bool found = false;
        rule_look(v);
        for (plan_each(v->plan, "aws_api_gateway_stage", it))
            found = found || px_str_eq(plan_text(it, "stage_name"), shards->map.fields[i].name);
        if (!found)
            rule_find(v, NULL, "make one stage per shard, named like it", "shard %.*s has no stage",
                      PX_FMT(shards->map.fields[i].name));
    }
}

static void stage_variables(struct verify *v)
{
    if (!needs_stages(v)) return;
    for (plan_each(v->plan, "aws_api_gateway_stage", it)) {
        const struct value *variables = plan_get(it, "variables");
        rule_look(v);
        if (!px_str_eq(value_str(value_get(variables, S("shard"))), plan_text(it, "stage_name")))
            rule_find(v, it, "set variables = { shard = <name of the stage> }",
                      "its variable shard is %.*s: requests would go to other functions",
                      PX_FMT(value_shown(v->arena, value_get(variables, S("shard")))));
        if (value_count(variables) > VARIABLES_MAX)
            rule_find(v, it, "use fewer variables", "a stage has at most 100 variables");
        for (size_t i = 0; value_is(variables, VALUE_MAP) && i < variables->map.count; i++)
            if (variables->map.fields[i].name.len > VARIABLE_NAME_MAX ||
                value_str(variables->map.fields[i].value).len > VARIABLE_VALUE_MAX)
                rule_find(v, it, "shorten it",
                          "variable %.*s is over 64 or its value over 512 characters",
                          PX_FMT(variables->map.fields[i].name));
    }
}

/* ---- access logs ---- */

static bool logs_field(const struct value *fields, const char *variable)
{
    for (size_t i = 0; value_is(fields, VALUE_MAP) && i < fields->map.count; i++)
        if (rule_is(value_str(fields->map.fields[i].value), variable)) return true;
    return false;
}

static void check_format(struct verify *v, struct plan_resource *it, struct px_str format)
{
    static const char *const needed[] = {
        "$context.requestId",         "$context.requestTimeEpoch", "$context.httpMethod",
        "$context.resourcePath",      "$context.status",           "$context.responseLatency",
        "$context.authorizer.tenant", "$context.identity.sourceIp"};
    static const char *const never[] = {"$input",      "authorization", "Authorization",
                                        "requestBody", "apiKey}",       "$context.identity.apiKey"};
    const struct value *fields = value_parse(v->arena, format);
    if (!value_is(fields, VALUE_MAP)) {
        rule_find(v, it, "write the format with jsonencode", "the access log is no JSON");
        return;
    }
    for (size_t i = 0; i < PX_COUNT(needed); i++)
        if (!logs_field(fields, needed[i]))
            rule_find(v, it, "add it to the format", "the access log does not tell %s", needed[i]);
    for (size_t i = 0; i < PX_COUNT(never); i++) {
        bool id = i == 5 && text_find(format, S("apiKeyId"));
        if (text_find(format, px_str_c(never[i])) && !id)
            rule_find(v, it, "take it out", "the access log would hold credentials or bodies: %s",
                      never[i]);
    }
}

static void access_logs(struct verify *v)
{
    if (!needs_stages(v)) return;
    for (plan_each(v->plan, "aws_api_gateway_stage", it)) {
        rule_look(v);
        if (!plan_is_set(it, "access_log_settings.destination_arn"))
            rule_find(v, it, "set access_log_settings", "the stage has no access log");
        else
            check_format(v, it, plan_text(it, "access_log_settings.format"));
    }
}

/* ---- limits ---- */

static struct plan_resource *settings_of(struct verify *v, struct plan_resource *stage)
{
    for (plan_each(v->plan, "aws_api_gateway_method_settings", it))
        if (px_str_eq(plan_text(it, "stage_name"), plan_text(stage, "stage_name")) &&
            rule_is(plan_text(it, "method_path"), "*/*"))
            return it;
    return NULL;
}

static void throttled(struct verify *v)
{
    if (!needs_stages(v)) return;
    for (plan_each(v->plan, "aws_api_gateway_stage", it)) {
        struct plan_resource *settings = settings_of(v, it);
        rule_look(v);
        if (!settings || plan_number(settings, "settings.throttling_rate_limit", -1) <= 0 ||
            plan_number(settings, "settings.throttling_burst_limit", -1) <= 0)
            rule_find(v, settings ? settings : it,
                      "set throttling_rate_limit and throttling_burst_limit for */*",
                      "nothing but the account's quota limits the stage");
    }
}

static void metrics(struct verify *v)
{
    if (!needs_stages(v)) return;
    for (plan_each(v->plan, "aws_api_gateway_stage", it)) {
        struct plan_resource *settings = settings_of(v, it);
        rule_look(v);
        if (!settings || !plan_truth(settings, "settings.metrics_enabled"))
            rule_find(v, settings ? settings : it, "set metrics_enabled = true for */*",
                      "the stage has no metrics by route");
        if (settings && plan_truth(settings, "settings.data_trace_enabled"))
            rule_find(v, settings, "set data_trace_enabled = false",
                      "bodies of requests would be logged");
    }
}

static void traced(struct verify *v)
{
    if (!needs_stages(v)) return;
    for (plan_each(v->plan, "aws_api_gateway_stage", it)) {
        rule_look(v);
        if (!plan_truth(it, "xray_tracing_enabled"))
            rule_find(v, it, "set xray_tracing_enabled = true", "traces do not begin at the API");
    }
}

static void firewall(struct verify *v)
{
    if (!needs_stages(v)) return;
    for (plan_each(v->plan, "aws_api_gateway_stage", it)) {
        struct plan_resource *association = rule_companion(v, "aws_wafv2_web_acl_association",
                                                           "resource_arn", it);
        rule_look(v);
        if (!association || !plan_target(v->plan, plan_get(association, "web_acl_arn")))
            rule_find(v, it, "associate the region's web ACL with it",
                      "no firewall stands before the stage");
    }
    for (plan_each(v->plan, "aws_wafv2_web_acl", it)) {
        if (!rule_is(plan_text(it, "scope"), "REGIONAL")) continue;
        rule_look(v);
        if (!rule_limits(it))
            rule_find(v, it, "add a rate based rule whose action is block",
                      "one address may send as much as it likes");
    }
}

static void usage_plans(struct verify *v)
{
    const struct value *tiers = value_get(value_get(v->api, S("x-prism-throttling")), S("tiers"));
    size_t count = plan_count(v->plan, "aws_api_gateway_usage_plan");
    if (!rule_needs(v, "aws_api_gateway_usage_plan", "module api makes one per tier")) return;
    if (count > PLANS_MAX)
        rule_find(v, NULL, "make one plan per tier, not per tenant",
                  "there are %zu usage plans; an account has 300", count);
    for (plan_each(v->plan, "aws_api_gateway_usage_plan", it)) {
        rule_look(v);
        if (plan_number(it, "throttle_settings.rate_limit", -1) <= 0 ||
            plan_number(it, "quota_settings.limit", -1) <= 0)
            rule_find(v, it, "take rate, burst and quota from the contract's tiers",
                      "the plan limits nothing");
    }
    for (size_t i = 0; value_is(tiers, VALUE_MAP) && i < tiers->map.count; i++) {
        struct plan_resource *own = NULL;
        rule_look(v);
        for (plan_each(v->plan, "aws_api_gateway_usage_plan", it))
            if (px_str_eq(value_str(it->key), tiers->map.fields[i].name) ||
                px_str_ends(plan_text(it, "name"), tiers->map.fields[i].name))
                own = it;
        const struct value *tier = tiers->map.fields[i].value;
        if (!own)
            rule_find(v, NULL, "make one plan per tier of x-prism-throttling",
                      "tier %.*s of the contract has no usage plan",
                      PX_FMT(tiers->map.fields[i].name));
        else if (value_equal(plan_get(own, "throttle_settings.rate_limit"),
                             value_get(tier, S("rate"))) == 0 ||
                 value_equal(plan_get(own, "quota_settings.limit"),
                             value_get(tier, S("quota_per_day"))) == 0)
            rule_find(v, own, "take rate and quota from x-prism-throttling of the contract",
                      "its limits are not the contract's");
    }
}

/* ---- domain and deployment ---- */

static void domain(struct verify *v)
{
    if (!rule_needs(v, "aws_api_gateway_domain_name", "module api makes the custom domain")) return;
    for (plan_each(v->plan, "aws_api_gateway_domain_name", it)) {
        rule_look(v);
        if (!plan_is_set(it, "regional_certificate_arn"))
            rule_find(v, it, "set regional_certificate_arn", "the domain has no certificate");
    }
    if (!plan_first(v->plan, "aws_api_gateway_base_path_mapping") &&
        !plan_first(v->plan, "aws_apigatewayv2_api_mapping"))
        rule_find(v, NULL, "map a base path per stage", "the domain leads to no stage");
    bool named = false;
    for (plan_each(v->plan, "aws_route53_record", it)) {
        struct plan_resource *target = plan_target(v->plan, plan_get(it, "alias.name"));
        named = named || (target && rule_is(target->type, "aws_api_gateway_domain_name")) ||
                text_find(plan_text(it, "alias.name"), S(".execute-api."));
        for (plan_each(v->plan, "aws_api_gateway_domain_name", d))
            named = named || px_str_eq(plan_text(it, "name"), plan_text(d, "domain_name"));
    }
    if (!named)
        rule_find(v, NULL, "add an alias record for the custom domain",
                  "no DNS name leads to the API");
}

static void deployment(struct verify *v)
{
    if (!rule_needs(v, "aws_api_gateway_deployment", "module api makes it")) return;
    for (plan_each(v->plan, "aws_api_gateway_deployment", it)) {
        rule_look(v);
        if (!plan_is_set(it, "triggers"))
            rule_find(v, it, "set triggers to a hash of the contract",
                      "a changed contract would not be deployed");
        struct plan_resource *api = plan_first(v->plan, "aws_api_gateway_rest_api");
        if (plan_is_set(it, "triggers") && api &&
            !rule_made_of(v->plan, it, "triggers", api, "body"))
            rule_find(
                v, it, "add a hash of the contract to triggers",
                "its triggers do not change with the contract, so a new one would not be deployed");
        const struct hcl_block *lifecycle = it->block ? hcl_block_of(&it->block->body,
                                                                     S("lifecycle"), S(""), S(""))
                                                      : NULL;
        if (it->module && it->module->config->from_sources &&
            (!lifecycle || !hcl_attr_of(&lifecycle->body, S("create_before_destroy"))))
            rule_find(v, it, "set lifecycle { create_before_destroy = true }",
                      "a new deployment cannot be made while stages use the old one");
    }
}

/* ---- the contract ---- */

static const struct value *body_of(struct verify *v, struct plan_resource *api)
{
    const struct value *body = plan_get(api, "body");
    return value_is(body, VALUE_TEXT) ? value_parse(v->arena, body->text) : &value_unknown;
}

static bool is_method(struct px_str name)
{
    static const char *const methods[] = {"get",    "put",  "post",   "patch",
                                          "delete", "head", "options"};
    for (size_t i = 0; i < PX_COUNT(methods); i++)
        if (rule_is(name, methods[i])) return true;
    return false;
}

static struct plan_resource *api_with_body(struct verify *v, const struct value **ret_body)
{
    if (!rule_needs(v, "aws_api_gateway_rest_api", "module api makes it")) return NULL;
    struct plan_resource *api = plan_first(v->plan, "aws_api_gateway_rest_api");
    *ret_body = body_of(v, api);
    if (value_is(*ret_body, VALUE_MAP)) return api;
    rule_find(v, api, "give it platform/api.openapi.json as its body",
              "the API's routes cannot be read from the plan");
    return NULL;
}

static void routes(struct verify *v)
{
    const struct value *body = NULL, *want = value_get(v->api, S("paths"));
    if (!rule_has(v, v->api, "api.openapi.json")) return;
    struct plan_resource *api = api_with_body(v, &body);
    const struct value *got = value_get(body, S("paths"));
    for (size_t p = 0; api && value_is(want, VALUE_MAP) && p < want->map.count; p++) {
        const struct value *methods = want->map.fields[p].value;
        const struct value *own = value_get(got, want->map.fields[p].name);
        for (size_t m = 0; value_is(methods, VALUE_MAP) && m < methods->map.count; m++) {
            if (!is_method(methods->map.fields[m].name)) continue;
            rule_look(v);
            if (!value_get(own, methods->map.fields[m].name))
                rule_find(v, api, "take the body from platform/api.openapi.json",
                          "the contract's route %.*s %.*s is not in the API",
                          PX_FMT(methods->map.fields[m].name), PX_FMT(want->map.fields[p].name));
        }
    }
}

/* Calls fn for each method of the API's body. */
typedef void each_route(struct verify *v, struct plan_resource *api, const struct value *body,
                        struct px_str method, struct px_str path, const struct value *operation);

static void for_routes(struct verify *v, each_route *fn)
{
    const struct value *body = NULL;
    struct plan_resource *api = api_with_body(v, &body);
    const struct value *paths = value_get(body, S("paths"));
    for (size_t p = 0; api && value_is(paths, VALUE_MAP) && p < paths->map.count; p++) {
        const struct value *methods = paths->map.fields[p].value;
        for (size_t m = 0; value_is(methods, VALUE_MAP) && m < methods->map.count; m++)
            if (is_method(methods->map.fields[m].name))
                fn(v, api, body, methods->map.fields[m].name, paths->map.fields[p].name,
                   methods->map.fields[m].value);
    }
}

static void check_timeout(struct verify *v, struct plan_resource *api, const struct value *body,
                          struct px_str method, struct px_str path, const struct value *operation)
{
    const struct value *integration = value_get(operation, S("x-amazon-apigateway-integration"));
    double ms = value_num(value_get(integration, S("timeoutInMillis")), INTEGRATION_MS_MAX);
    bool streams = rule_is(value_str(value_get(integration, S("responseTransferMode"))), "STREAM");
    double most = streams ? STREAM_MS_MAX : INTEGRATION_MS_MAX;
    (void)body;
    rule_look(v);
    if (ms < 50 || ms > most)
        rule_find(v, api, "set timeoutInMillis to 50 to 29000 (streamed: 900000)",
                  "%.*s %.*s waits %.0f ms for its backend", PX_FMT(method), PX_FMT(path), ms);
}

static void quotas(struct verify *v)
{
    const struct value *body = NULL;
    struct plan_resource *api = api_with_body(v, &body);
    if (!api) return;
    if (plan_text(api, "body").len > BODY_BYTES_MAX)
        rule_find(v, api, "shorten the contract", "the API's body is over 6 MB");
    if (value_count(value_get(body, S("paths"))) > 300)
        rule_find(v, api, "use fewer paths", "an API has at most 300 resources");
    for_routes(v, check_timeout);
}

/* "prism-dev-euw1-ingest-${stageVariables.shard}" of a URI. */
static struct px_str called_function(struct px_str uri)
{
    const char *found = uri.len > 0 ? text_find(uri, S(":function:")) : NULL;
    if (!found) return S("");
    struct px_str rest = px_str_skip(uri, (size_t)(found + 10 - uri.ptr)), name;
    const char *end = rest.len > 0 ? text_find(rest, S("/invocations")) : NULL;
    if (end) rest.len = (size_t)(end - rest.ptr);
    (void)px_str_cut(&rest, ':', &name);
    const char *stream = text_find(name, S("/response-streaming"));
    return stream ? px_str(name.ptr, (size_t)(stream - name.ptr)) : name;
}

static struct plan_resource *function_called(struct verify *v, struct px_str name)
{
    for (plan_each(v->plan, "aws_lambda_function", it))
        if (px_str_eq(plan_text(it, "function_name"), name)) return it;
    return NULL;
}

static bool is_permitted(struct verify *v, struct plan_resource *function)
{
    struct px_str name = plan_text(function, "function_name");
    for (plan_each(v->plan, "aws_lambda_permission", it)) {
        bool of = px_str_eq(plan_text(it, "function_name"), name) ||
                  rule_names(v, plan_get(it, "function_name"), function);
        if (of && px_str_starts(plan_text(it, "principal"), S("apigateway."))) return true;
    }
    return false;
}

static void check_callee(struct verify *v, struct plan_resource *api, struct px_str uri,
                         struct px_str what)
{
    static const char variable[] = "${stageVariables.shard}";
    struct px_str name = called_function(uri);
    const char *hole = text_find(name, S("${stageVariables.shard}"));
    size_t stage_count = 0;
    if (name.len == 0) return;
    for (plan_each(v->plan, "aws_api_gateway_stage", stage)) {
        struct px_str full = name;
        if (hole)
            full = px_arena_printf(v->arena, "%.*s%.*s%.*s", (int)(hole - name.ptr), name.ptr,
                                   PX_FMT(plan_text(stage, "stage_name")),
                                   (int)(name.ptr + name.len - hole) - (int)(sizeof variable - 1),
                                   hole + sizeof variable - 1);
        if (!hole && stage_count++ > 0) break;
        struct plan_resource *function = function_called(v, full);
        rule_look(v);
        if (!function)
            rule_find(v, api, "make the function, or take the route out of the contract",
                      "%.*s calls function %.*s, which the plan does not have", PX_FMT(what),
                      PX_FMT(full));
        else if (!is_permitted(v, function))
            rule_find(v, function, "add an aws_lambda_permission for apigateway on alias live",
                      "the API may not call it, though %.*s does", PX_FMT(what));
        bool live = text_find(uri, S(":live/")) != NULL;
        if (!live)
            rule_find(v, api, "address alias live", "%.*s calls %.*s past its alias live",
                      PX_FMT(what), PX_FMT(full));
    }
}

static void check_integration(struct verify *v, struct plan_resource *api, const struct value *body,
                              struct px_str method, struct px_str path,
                              const struct value *operation)
{
    const struct value *integration = value_get(operation, S("x-amazon-apigateway-integration"));
    struct px_str uri = value_str(value_get(integration, S("uri")));
    struct px_str what = px_arena_printf(v->arena, "%.*s %.*s", PX_FMT(method), PX_FMT(path));
    (void)body;
    rule_look(v);
    if (!integration)
        rule_find(v, api, "add x-amazon-apigateway-integration in the contract",
                  "%.*s leads nowhere", PX_FMT(what));
    check_callee(v, api, uri, what);
}

static void integrations(struct verify *v) { for_routes(v, check_integration); }

static void check_direct(struct verify *v, struct plan_resource *api, const struct value *body,
                         struct px_str method, struct px_str path, const struct value *operation)
{
    const struct value *integration = value_get(operation, S("x-amazon-apigateway-integration"));
    (void)body;
    rule_look(v);
    if (px_str_ieq(value_str(value_get(integration, S("type"))), S("aws")))
        direct_check(v, api, px_arena_printf(v->arena, "%.*s %.*s", PX_FMT(method), PX_FMT(path)),
                     integration);
}

static void direct(struct verify *v) { for_routes(v, check_direct); }

static void authorizer(struct verify *v)
{
    const struct value *body = NULL;
    struct plan_resource *api = api_with_body(v, &body);
    const struct value *schemes = value_get(value_get(body, S("components")), S("securitySchemes"));
    size_t found = 0;
    for (size_t i = 0; api && value_is(schemes, VALUE_MAP) && i < schemes->map.count; i++) {
        const struct value *own = value_get(schemes->map.fields[i].value,
                                            S("x-amazon-apigateway-authorizer"));
        double ttl = value_num(value_get(own, S("authorizerResultTtlInSeconds")), 300);
        if (!own) continue;
        found++;
        rule_look(v);
        if (ttl < 0 || ttl > 3600)
            rule_find(v, api, "set authorizerResultTtlInSeconds to 0 to 3600",
                      "answers of the authorizer are kept for %.0f s", ttl);
        check_callee(v, api, value_str(value_get(own, S("authorizerUri"))), S("the authorizer"));
    }
    for (plan_each(v->plan, "aws_api_gateway_authorizer", it)) {
        double ttl = plan_number(it, "authorizer_result_ttl_in_seconds", 300);
        found++;
        if (ttl < 0 || ttl > 3600)
            rule_find(v, it, "set authorizer_result_ttl_in_seconds to 0 to 3600",
                      "answers of the authorizer are kept for %.0f s", ttl);
    }
    if (api && found == 0)
        rule_find(v, api, "add the authorizer in the contract's securitySchemes",
                  "nobody asks who calls: the API has no authorizer");
}

static bool is_open_route(const struct value *operation, const struct value *body)
{
    const struct value *own = value_get(operation, S("security"));
    if (!own) own = value_get(body, S("security"));
    return value_count(own) == 0;
}

static void check_security(struct verify *v, struct plan_resource *api, const struct value *body,
                           struct px_str method, struct px_str path, const struct value *operation)
{
    const struct value *type = value_get(value_get(operation, S("x-amazon-apigateway-integration")),
                                         S("type"));
    bool is_preflight = px_str_ieq(method, S("OPTIONS")) && px_str_eq(value_str(type), S("mock"));
    rule_look(v);
    if (is_open_route(operation, body) && !is_preflight && !px_str_ends(path, S("/health")))
        rule_find(v, api, "add `security` to the route in the contract",
                  "%.*s %.*s asks for no key", PX_FMT(method), PX_FMT(path));
}

static void secured(struct verify *v) { for_routes(v, check_security); }

static void answers(struct verify *v)
{
    static const char *const needed[] = {"UNAUTHORIZED", "THROTTLED", "DEFAULT_4XX", "DEFAULT_5XX"};
    const struct value *body = NULL;
    struct plan_resource *api = api_with_body(v, &body);
    const struct value *own = value_get(body, S("x-amazon-apigateway-gateway-responses"));
    for (size_t i = 0; api && i < PX_COUNT(needed); i++) {
        rule_look(v);
        if (!value_get(own, px_str_c(needed[i])))
            rule_find(v, api, "add it in the contract",
                      "the API answers %s in AWS's words, not in the contract's", needed[i]);
    }
}

const struct verify_rule rules_api[] = {
    {"PV-API-01", "One stage per shard, at most ten", REGIONAL,
     "stages are compared with the shards", VERIFY_REGION, VERIFY_ERROR, stages},
    {"PV-API-02", "Stages log access as JSON, without credentials or bodies", ACCESS,
     "format of each stage's access log", VERIFY_REGION, VERIFY_ERROR, access_logs},
    {"PV-API-03", "Stages are throttled",
     "Throttling policies protect backend services from overload while providing fair resource "
     "allocation across tenants.",
     "rate and burst for all methods of each stage", VERIFY_REGION, VERIFY_ERROR, throttled},
    {"PV-API-04", "A firewall stands before each stage",
     "Throttling policies protect backend services from overload while providing fair resource "
     "allocation across tenants.",
     "a web ACL with a rate rule that blocks is associated with each stage", VERIFY_REGION,
     VERIFY_ERROR, firewall},
    {"PV-API-05", "An authorizer is asked and its answers are kept for at most an hour", SHAPE,
     "authorizers of the API's body, their cache, function and permission", VERIFY_REGION,
     VERIFY_ERROR, authorizer},
    {"PV-API-06", "One usage plan per tier", THROTTLE,
     "usage plans are compared with the contract's tiers; at most 300", VERIFY_REGION, VERIFY_ERROR,
     usage_plans},
    {"PV-API-07", "A domain with a certificate and a name leads to the stages", DOMAIN,
     "custom domain, certificate, base paths, DNS record", VERIFY_REGION, VERIFY_ERROR, domain},
    {"PV-API-08", "A changed contract is deployed", REGIONAL,
     "triggers of the deployment, create before destroy", VERIFY_REGION, VERIFY_ERROR, deployment},
    {"PV-API-09", "Stage variables fit and name the shard", REGIONAL,
     "variable shard, at most 100 variables of 64 and 512 characters", VERIFY_REGION, VERIFY_ERROR,
     stage_variables},
    {"PV-API-10", "Traces begin at the API",
     "Trace collection captures request flows through the system, enabling performance analysis and "
     "bottleneck identification.",
     "tracing of each stage", VERIFY_REGION, VERIFY_ERROR, traced},
    {"PV-API-11", "The API is within AWS's quotas", REGIONAL,
     "timeouts of integrations, size of the body, number of paths", VERIFY_REGION, VERIFY_ERROR,
     quotas},
    {"PV-API-12", "Every route of the contract is there", SHAPE,
     "paths and methods of the API's body are compared with platform/api.openapi.json",
     VERIFY_REGION, VERIFY_ERROR, routes},
    {"PV-API-13", "Every route calls a function that exists and may be called", SHAPE,
     "URIs of integrations are followed, stage by stage, to functions and permissions",
     VERIFY_REGION, VERIFY_ERROR, integrations},
    {"PV-API-14", "The API has metrics", METRICS, "metrics of all methods, no data trace",
     VERIFY_REGION, VERIFY_ERROR, metrics},
    {"PV-API-15", "Every route but health and preflights asks for a key", SHAPE,
     "`security` of each route", VERIFY_REGION, VERIFY_ERROR, secured},
    {"PV-API-16", "Refusals are in the contract's words", SHAPE,
     "gateway responses of the API's body", VERIFY_REGION, VERIFY_ERROR, answers},
    {"PV-API-17", "What the API starts without a function is the machine that its template names",
     SHAPE,
     "integrations of type aws are followed from `credentials` to a role that may start those "
     "machines, by their alias, and nothing else",
     VERIFY_REGION, VERIFY_ERROR, direct},
    {0},
};
