/* delivery/rules_naming.c - names, tags, and that tenants are data.
 * Lengths: each service's own quota page. */
#include "delivery/rule.h"

#define CHOSEN_MAX 16

#define CONSISTENT                                                                                 \
    "This module establishes the foundation for multi-region tenant routing and ensures "          \
    "consistent global resource naming and tagging."
#define CONFORM                                                                                    \
    "Each regional module operates independently while conforming to global naming conventions "   \
    "and security policies."

static const struct named {
    const char *type, *path;
    size_t max;
    bool is_path; /* begins with /project/environment/code instead of the prefix */
} names[] = {
    {"aws_lambda_function", "function_name", 64, false},
    {"aws_iam_role", "name", 64, false},
    {"aws_iam_policy", "name", 128, false},
    {"aws_s3_bucket", "bucket", 63, false},
    {"aws_sqs_queue", "name", 80, false},
    {"aws_sns_topic", "name", 256, false},
    {"aws_dynamodb_table", "name", 255, false},
    {"aws_sfn_state_machine", "name", 80, false},
    {"aws_security_group", "name", 255, false},
    {"aws_rds_cluster", "cluster_identifier", 63, false},
    {"aws_rds_cluster_instance", "identifier", 63, false},
    {"aws_db_proxy", "name", 60, false},
    {"aws_api_gateway_rest_api", "name", 1024, false},
    {"aws_api_gateway_usage_plan", "name", 1024, false},
    {"aws_cloudwatch_metric_alarm", "alarm_name", 255, false},
    {"aws_cloudwatch_composite_alarm", "alarm_name", 255, false},
    {"aws_cloudwatch_dashboard", "dashboard_name", 255, false},
    {"aws_wafv2_web_acl", "name", 128, false},
    {"aws_backup_vault", "name", 50, false},
    {"aws_scheduler_schedule_group", "name", 64, false},
    {"aws_budgets_budget", "name", 100, false},
    {"aws_xray_sampling_rule", "rule_name", 32, false},
    {"aws_efs_file_system", "creation_token", 64, false},
    {"aws_ecr_repository", "name", 256, false},
    {"aws_secretsmanager_secret", "name", 512, true},
    {"aws_ssm_parameter", "name", 1011, true},
    {"aws_cloudwatch_log_group", "name", 512, true},
};

/* Names that AWS prescribes: log groups of services, and of the firewall. */
static bool is_prescribed(struct verify *v, const struct named *kind, struct px_str name)
{
    if (!kind->is_path) return false;
    static const char *const begins[] = {"/aws/", "aws-waf-logs-", "API-Gateway-Execution-Logs_"};
    bool has_prefix = name.len > 0 && text_find(name, v->plan->prefix);
    for (size_t i = 0; i < PX_COUNT(begins); i++)
        if (px_str_starts(name, px_str_c(begins[i])))
            return has_prefix || i == 2 || text_is_open(name) ||
                   px_str_starts(name, S("/aws/route53/"));
    return false;
}

static bool has_path(struct verify *v, struct px_str name)
{
    struct px_str path = px_arena_printf(v->arena, "%.*s/%.*s", PX_FMT(v->plan->project),
                                         PX_FMT(v->plan->environment));
    struct px_str rest = px_str_starts(name, S("/")) ? px_str_skip(name, 1) : name;
    return px_str_starts(rest, path);
}

static void prefixes(struct verify *v)
{
    rule_look(v);
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        for (plan_each(v->plan, names[i].type, it)) {
            struct px_str name = plan_text(it, names[i].path), address;
            rule_look(v);
            if (name.len == 0 || text_symbol(name, &address)) {
                if (plan_is_set(it, "name_prefix") || plan_is_set(it, "bucket_prefix"))
                    rule_find(v, it, "compute the whole name from context.prefix",
                              "its name ends in something random");
                continue;
            }
            bool fine = px_str_starts(name, v->plan->prefix) ||
                        (names[i].is_path &&
                         (has_path(v, name) || is_prescribed(v, &names[i], name)));
            if (!fine)
                rule_find(v, it, "compute the name from context.prefix (or context.path)",
                          "its name %.*s does not begin with %.*s",
                          PX_FMT(text_shown(v->arena, name)), PX_FMT(v->plan->prefix));
        }
    }
}

static void lengths(struct verify *v)
{
    rule_look(v);
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        for (plan_each(v->plan, names[i].type, it)) {
            struct px_str name = plan_text(it, names[i].path);
            rule_look(v);
            if (!text_is_open(name) && name.len > names[i].max)
                rule_find(v, it, "shorten project, service or shard",
                          "its name has %zu characters; AWS takes %zu", name.len, names[i].max);
        }
    }
}

static void tags(struct verify *v)
{
    static const char *const needed[] = {"Project",   "Environment", "Region", "Stack",
                                         "ManagedBy", "CostCenter",  "Owner"};
    rule_look(v);
    for (size_t i = 0; i < v->plan->resource_count; i++) {
        struct plan_resource *it = v->plan->resources[i];
        if (it->is_data || !plan_attr(it, S("tags_all"))) continue;
        const struct value *all = plan_get(it, "tags_all");
        rule_look(v);
        if (!value_is(all, VALUE_MAP)) continue; /* known after apply */
        for (size_t k = 0; k < PX_COUNT(needed); k++)
            if (value_str(value_get(all, px_str_c(needed[k]))).len == 0) {
                rule_find(v, it, "let the provider's default_tags be context.tags",
                          "it has no tag %s", needed[k]);
                break;
            }
        struct px_str environment = value_str(value_get(all, S("Environment")));
        if (environment.len > 0 && v->plan->environment.len > 0 &&
            !px_str_eq(environment, v->plan->environment))
            rule_find(v, it, "do not set Environment beside context.tags",
                      "it is tagged for environment %.*s", PX_FMT(environment));
    }
}

static void services(struct verify *v)
{
    static const char *const types[] = {
        "aws_lambda_function", "aws_s3_bucket",       "aws_sqs_queue",        "aws_dynamodb_table",
        "aws_rds_cluster",     "aws_efs_file_system", "aws_sfn_state_machine"};
    rule_look(v);
    for (size_t t = 0; t < PX_COUNT(types); t++)
        for (plan_each(v->plan, types[t], it)) {
            rule_look(v);
            if (value_is(plan_get(it, "tags_all"), VALUE_MAP) &&
                plan_text(it, "tags_all.Service").len == 0)
                rule_find(v, it, "add tag Service in its module", "it has no tag Service");
        }
}

/* Module of the stack and its region's own: names of one region must not fit another. */
static void regions(struct verify *v)
{
    rule_look(v);
    if (v->plan->code.len == 0 || v->plan->prefix.len == 0) return;
    rule_look(v);
    if (!px_str_ends(v->plan->prefix, v->plan->code))
        rule_find(v, NULL, "take context.prefix from module naming",
                  "the prefix %.*s does not tell the region", PX_FMT(v->plan->prefix));
    for (size_t i = 0; i < v->plan_count; i++)
        if (v->plans[i] != v->plan && px_str_eq(v->plans[i]->prefix, v->plan->prefix))
            rule_find(v, NULL, "give each stack an environment and region of its own",
                      "%s has the same prefix %.*s", v->plans[i]->name, PX_FMT(v->plan->prefix));
}

/* A few names that somebody chose, which no number of tenants makes longer. */
static bool is_choice(yyjson_val *given)
{
    size_t i, n;
    yyjson_val *item, *list = px_json_arr(given, "value");
    if (!list || yyjson_arr_size(list) > CHOSEN_MAX) return false;
    px_json_arr_foreach(list, i, n, item) if (!yyjson_is_str(item)) return false;
    return true;
}

static void tenants(struct verify *v)
{
    static const char *const types[] = {"aws_api_gateway_api_key", "aws_api_gateway_usage_plan_key",
                                        "aws_dynamodb_table_item", "aws_s3_object"};
    rule_look(v);
    for (size_t t = 0; t < PX_COUNT(types); t++)
        for (plan_each(v->plan, types[t], it))
            rule_find(v, it, "let the onboarding workflow make it",
                      "%s belongs to a tenant or a record: plans would grow with their number",
                      types[t]);
    const struct value *shards = rule_shards(v);
    size_t points = plan_count(v->plan, "aws_efs_access_point");
    if (value_is(shards, VALUE_MAP) && points > shards->map.count)
        rule_find(v, NULL, "make access points of tenants in the onboarding workflow",
                  "there are %zu access points for %zu shards", points, shards->map.count);
    size_t i, n;
    yyjson_val *key, *given;
    px_json_obj_foreach(px_json_obj(v->plan->root, "variables"), i, n, key, given)
    {
        struct px_str name = px_json_val_str(key);
        rule_look(v);
        if (text_find(name, S("tenants")) && !is_choice(given))
            rule_find(v, NULL, "keep tenants in the registry",
                      "variable %.*s holds tenants, and more than %d chosen names", PX_FMT(name),
                      CHOSEN_MAX);
    }
}

#define BOTH (VERIFY_GLOBAL | VERIFY_REGION)
const struct verify_rule rules_naming[] = {
    {"PV-NAM-01", "Names begin with the prefix", CONSISTENT,
     "names of every kind that has one; secrets, parameters and log groups have the path instead",
     BOTH, VERIFY_ERROR, prefixes},
    {"PV-NAM-02", "Names fit", CONSISTENT, "lengths against each service's limit", BOTH,
     VERIFY_ERROR, lengths},
    {"PV-NAM-03", "Everything is tagged", CONSISTENT,
     "tags_all of every resource that has tags holds the seven tags of the context", BOTH,
     VERIFY_ERROR, tags},
    {"PV-NAM-04", "Everything that costs tells its service", CONSISTENT,
     "tag Service of functions, buckets, queues, tables, databases, file systems, workflows", BOTH,
     VERIFY_ERROR, services},
    {"PV-NAM-05", "Prefixes tell environment and region apart", CONFORM,
     "the prefix ends with the region's code and no two plans share one", VERIFY_REGION,
     VERIFY_ERROR, regions},
    {"PV-NAM-06", "A plan has the same size with any number of tenants",
     "Configuration templates utilize parameter substitution and conditional logic to support "
     "different deployment scenarios.",
     "no resource of a kind that is made per tenant, no variable of tenants but a few chosen names",
     BOTH, VERIFY_ERROR, tenants},
    {0},
};
