/* delivery/rules_functions.c - functions as platform/functions.json says. */
#include <ctype.h>

#include "delivery/rule.h"

#define PACKAGE                                                                                    \
    "The deployment system supports both container images and ZIP packages based on function "     \
    "complexity and runtime requirements."
#define CONFIG                                                                                     \
    "Lambda function configuration follows standardized patterns for memory allocation, timeout "  \
    "settings, environment variables, and execution roles."
#define ENVIRONMENT                                                                                 \
    "Configuration parameters are injected through environment variables with standardized naming " \
    "conventions."
#define SECRET                                                                                     \
    "Sensitive configuration data is retrieved from AWS Systems Manager Parameter Store or "       \
    "Secrets Manager during function initialization."
#define WARM                                                                                       \
    "The system maintains warm pools for ingest and query functions while allowing background "    \
    "processing functions to scale from zero."
#define SCALING                                                                                    \
    "Provisioned concurrency allocation is based on traffic patterns and SLA requirements, with "  \
    "automatic scaling policies that adjust capacity based on demand."
#define ENVIRONMENT_BYTES_MAX                                                                      \
    4096 /* docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */

static size_t all_functions(struct verify *v, struct rule_function **ret)
{
    if (!rule_has(v, v->functions, "functions.json")) return 0;
    return rule_functions(v, ret);
}
#define each_function(v, f)                                                                        \
    struct rule_function *all_ = NULL, *f = NULL;                                                  \
    size_t count_ = all_functions((v), &all_);                                                     \
    for (size_t i_ = 0; i_ < count_; i_++)                                                         \
        if (f = &all_[i_], rule_look(v), f->resource)

static const struct value *spec(const struct rule_function *f, const char *name)
{
    return value_get(f->spec, px_str_c(name));
}
static bool is_zip(const struct rule_function *f)
{
    return rule_is(value_str(spec(f, "package")), "zip");
}
static bool is_warm(const struct rule_function *f)
{
    return rule_is(value_str(value_get(spec(f, "concurrency"), S("class"))), "warm");
}

static void all_exist(struct verify *v)
{
    struct rule_function *all = NULL;
    size_t count = all_functions(v, &all);
    for (size_t i = 0; i < count; i++) {
        rule_look(v);
        if (!all[i].resource)
            rule_find(v, NULL,
                      "make it with module function, once per shard where it mounts the hot store",
                      "there is no function %.*s", PX_FMT(all[i].aws_name));
    }
    for (plan_each(v->plan, "aws_lambda_function", it)) {
        bool known = false;
        for (size_t i = 0; i < count; i++) known = known || all[i].resource == it;
        if (!known && count > 0)
            rule_find(v, it, "add it to platform/functions.json, or remove it",
                      "function %.*s is not in the catalogue",
                      PX_FMT(rule_shown(v, it, "function_name")));
    }
}

static void compare(struct verify *v, const struct rule_function *f, const char *path,
                    const struct value *want)
{
    const struct value *got = plan_get(f->resource, path);
    if (want && value_equal(got, want) != 1)
        rule_find(v, f->resource, "take it from platform/functions.json",
                  "%s is %.*s, but the catalogue says %.*s", path,
                  PX_FMT(value_shown(v->arena, got)), PX_FMT(value_shown(v->arena, want)));
}

static void configured(struct verify *v)
{
    const struct value *defaults = value_get(v->functions, S("defaults"));
    each_function(v, f)
    {
        const struct value *architecture = spec(f, "architecture");
        compare(v, f, "memory_size", spec(f, "memory_mb"));
        compare(v, f, "timeout", spec(f, "timeout_s"));
        compare(v, f, "architectures.0",
                architecture ? architecture : value_get(defaults, S("architecture")));
    }
}

static void packaged(struct verify *v)
{
    const struct value *defaults = value_get(v->functions, S("defaults"));
    each_function(v, f)
    {
        struct px_str type = plan_text(f->resource, "package_type");
        bool zip = rule_is(type, "Zip") || type.len == 0;
        if (zip != is_zip(f))
            rule_find(v, f->resource, "package it as the catalogue says",
                      "it is deployed as %.*s, but the catalogue says %.*s", PX_FMT(type),
                      PX_FMT(value_str(spec(f, "package"))));
        if (!zip) continue;
        compare(v, f, "runtime",
                spec(f, "runtime") ? spec(f, "runtime") : value_get(defaults, S("runtime")));
        compare(v, f, "handler",
                spec(f, "handler") ? spec(f, "handler") : value_get(defaults, S("handler")));
    }
}

static bool is_hex64(struct px_str text)
{
    size_t run = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        run = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ? run + 1 : 0;
        if (run == 64) return true;
    }
    return false;
}

static void by_digest(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_lambda_function", it)) {
        struct px_str image = plan_text(it, "image_uri"), key = plan_text(it, "s3_key");
        rule_look(v);
        if (plan_is_set(it, "image_uri")) {
            if (!text_find(image, S("@sha256:")) || !is_hex64(image))
                rule_find(v, it, "name the image by its digest, repository@sha256:...",
                          "its image is not named by digest: %.*s",
                          PX_FMT(text_shown(v->arena, image)));
        } else if (!is_hex64(key)) {
            rule_find(v, it,
                      "take the ZIP from functions/<name>/<sha256>.zip of the artifact bucket",
                      "its package is not named by digest: %.*s",
                      PX_FMT(rule_shown(v, it, key.len > 0 ? "s3_key" : "filename")));
        }
    }
}

static void log_groups(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_lambda_function", it)) {
        struct plan_resource *group = plan_target(v->plan,
                                                  plan_get(it, "logging_config.log_group"));
        rule_look(v);
        for (plan_each(v->plan, "aws_cloudwatch_log_group", other)) {
            struct px_str name = plan_text(other, "name");
            struct px_str plain = px_arena_printf(v->arena, "/aws/lambda/%.*s",
                                                  PX_FMT(plan_text(it, "function_name")));
            struct px_str edge = px_arena_printf(v->arena, "/aws/lambda/us-east-1.%.*s",
                                                 PX_FMT(plan_text(it, "function_name")));
            if (px_str_eq(name, plan_text(it, "logging_config.log_group")) ||
                px_str_eq(name, plain) || px_str_eq(name, edge))
                group = other;
        }
        if (!group || !rule_is(group->type, "aws_cloudwatch_log_group"))
            rule_find(
                v, it, "make its log group, with key and retention, and name it in logging_config",
                "no log group of the plan is the function's: Lambda would make one without key and end");
        else if (!rule_comes_after(v->plan, it, group))
            rule_find(v, it, "refer to the log group, or name it in depends_on",
                      "the function does not wait for its log group %.*s", PX_FMT(group->address));
    }
}

static struct plan_resource *alias_of(struct verify *v, struct plan_resource *function)
{
    for (plan_each(v->plan, "aws_lambda_alias", it)) {
        bool same = rule_names(v, plan_get(it, "function_name"), function) ||
                    px_str_eq(plan_text(it, "function_name"), plan_text(function, "function_name"));
        if (same && rule_is(plan_text(it, "name"), "live")) return it;
    }
    return NULL;
}

static void aliases(struct verify *v)
{
    each_function(v, f)
    {
        if (!alias_of(v, f->resource))
            rule_find(v, f->resource, "add an aws_lambda_alias called live",
                      "the function has no alias live for callers and rollbacks");
        if (!plan_truth(f->resource, "publish"))
            rule_find(v, f->resource, "set publish = true", "no version is published");
    }
}

/* "function:<name>:live" is how autoscaling names a function's alias. */
static struct plan_resource *scaling_of(struct verify *v, const struct rule_function *f)
{
    struct px_str id = px_arena_printf(v->arena, "function:%.*s:live", PX_FMT(f->aws_name));
    for (plan_each(v->plan, "aws_appautoscaling_target", it))
        if (px_str_eq(plan_text(it, "resource_id"), id)) return it;
    return NULL;
}

static struct plan_resource *provisioned_of(struct verify *v, const struct rule_function *f)
{
    for (plan_each(v->plan, "aws_lambda_provisioned_concurrency_config", it))
        if (px_str_eq(plan_text(it, "function_name"), f->aws_name) ||
            rule_names(v, plan_get(it, "function_name"), f->resource))
            return it;
    return NULL;
}

/* The environment's own wish wins over the catalogue's: root variable `concurrency`. */
static double provisioned_min(struct verify *v, const struct rule_function *f)
{
    const struct value *own = value_from_json(
        v->arena, px_json_at(v->plan->root, "variables.concurrency.value"));
    const struct value *least = value_get(value_get(own, f->name), S("provisioned_min"));
    if (value_is(least, VALUE_NUMBER)) return least->number;
    return value_num(value_get(spec(f, "concurrency"), S("min")), 0);
}

static void warm_pools(struct verify *v)
{
    each_function(v, f)
    {
        bool kept = provisioned_of(v, f) || scaling_of(v, f);
        if (is_warm(f) && !kept && provisioned_min(v, f) > 0)
            rule_find(v, f->resource, "add provisioned concurrency on alias live",
                      "the catalogue wants a warm pool, but nothing keeps one");
        if (!is_warm(f) && kept)
            rule_find(v, f->resource, "remove its provisioned concurrency",
                      "the catalogue lets it scale from zero, but instances are kept and paid for");
    }
}

static void scaling(struct verify *v)
{
    each_function(v, f)
    {
        struct plan_resource *provisioned = provisioned_of(v, f), *target = scaling_of(v, f);
        bool tracked = false;
        if (!provisioned && !target) continue;
        for (plan_each(v->plan, "aws_appautoscaling_policy", it))
            tracked = tracked ||
                      (target &&
                       px_str_eq(plan_text(it, "resource_id"), plan_text(target, "resource_id")) &&
                       rule_is(plan_text(it, "policy_type"), "TargetTrackingScaling"));
        if (!target || !tracked)
            rule_find(v, f->resource, "add a target and a target tracking policy on alias live",
                      "its provisioned concurrency does not follow demand");
        double least = target ? plan_number(target, "min_capacity", 0) : 0,
               most = target ? plan_number(target, "max_capacity", 0) : 0,
               reserved = plan_number(f->resource, "reserved_concurrent_executions", -1);
        if (target && (least > most || (reserved >= 0 && most > reserved)))
            rule_find(v, target, "keep min <= max <= reserved concurrency",
                      "provisioned concurrency %.0f to %.0f does not fit into %.0f reserved", least,
                      most, reserved);
    }
}

static void reserved(struct verify *v)
{
    each_function(v, f)
    {
        double most = plan_number(f->resource, "reserved_concurrent_executions", -1);
        if (most < 1)
            rule_find(v, f->resource,
                      "set reserved_concurrent_executions from the catalogue's maximum",
                      most == 0 ? "the function is switched off: it may run 0 times at once"
                                : "nothing limits how often the function runs at once");
    }
}

static void dead_letters(struct verify *v)
{
    each_function(v, f)
    {
        const struct value *asynchronous = spec(f, "asynchronous");
        bool needed = value_truth(value_get(asynchronous, S("dead_letter"))) ||
                      value_count(spec(f, "schedules")) > 0;
        if (needed && !plan_is_set(f->resource, "dead_letter_config.target_arn"))
            rule_find(v, f->resource, "set dead_letter_config to a queue",
                      "an event that fails is lost: it has no dead-letter queue");
        if (!asynchronous) continue;
        struct plan_resource *config = NULL;
        for (plan_each(v->plan, "aws_lambda_function_event_invoke_config", it))
            if (px_str_eq(plan_text(it, "function_name"), f->aws_name) ||
                rule_names(v, plan_get(it, "function_name"), f->resource))
                config = it;
        if (!config) {
            rule_find(v, f->resource,
                      "add an aws_lambda_function_event_invoke_config on alias live",
                      "retries and age of its events are Lambda's own, not the catalogue's");
            continue;
        }
        if (value_equal(plan_get(config, "maximum_retry_attempts"),
                        value_get(asynchronous, S("retries"))) == 0 ||
            value_equal(plan_get(config, "maximum_event_age_in_seconds"),
                        value_get(asynchronous, S("max_age_s"))) == 0)
            rule_find(v, config, "take retries and age from platform/functions.json",
                      "retries or age of events are not the catalogue's");
    }
}

static void traced(struct verify *v)
{
    each_function(v, f)
    {
        if (!rule_is(plan_text(f->resource, "tracing_config.mode"), "Active"))
            rule_find(v, f->resource, "set tracing_config { mode = \"Active\" }",
                      "the function is not traced");
    }
}

static void is_signed(struct verify *v)
{
    each_function(v, f)
    {
        if (!is_zip(f) || rule_is_dev(v)) continue;
        struct plan_resource *config = plan_target(
            v->plan, plan_get(f->resource, "code_signing_config_arn"));
        if (!plan_is_set(f->resource, "code_signing_config_arn"))
            rule_find(v, f->resource, "set code_signing_config_arn",
                      "anybody's package is taken: code is not signed");
        else if (config && !rule_is(plan_text(config, "policies.untrusted_artifact_on_deployment"),
                                    "Enforce"))
            rule_find(v, config, "set untrusted_artifact_on_deployment = \"Enforce\"",
                      "an unsigned package is only warned of");
    }
}

static void in_vpc(struct verify *v)
{
    each_function(v, f)
    {
        if (value_truth(spec(f, "vpc")) && !plan_is_set(f->resource, "vpc_config.subnet_ids"))
            rule_find(v, f->resource, "set vpc_config to the function subnets",
                      "the function runs outside of the VPC");
    }
}

static void mounts(struct verify *v)
{
    each_function(v, f)
    {
        bool wanted = value_truth(spec(f, "hot_mount")),
             mounted = value_count(plan_get(f->resource, "file_system_config")) > 0;
        struct plan_resource *point = plan_target(v->plan,
                                                  plan_get(f->resource, "file_system_config.arn"));
        if (wanted != mounted)
            rule_find(v, f->resource, "follow hot_mount of platform/functions.json",
                      wanted ? "the hot store is not mounted"
                             : "the hot store is mounted for no reason");
        else if (mounted && (!point || !rule_is(point->type, "aws_efs_access_point")))
            rule_find(v, f->resource, "mount the access point of its shard",
                      "it does not mount an access point of the plan");
        else if (mounted && point->key && f->shard.len > 0 &&
                 !px_str_eq(value_str(point->key), f->shard))
            rule_find(v, f->resource, "mount the access point of its own shard",
                      "it belongs to %.*s but mounts the access point of %.*s", PX_FMT(f->shard),
                      PX_FMT(value_str(point->key)));
    }
}

static bool is_standard_name(struct px_str name)
{
    if (!px_str_starts(name, S("PRISM_"))) return false;
    for (size_t i = 0; i < name.len; i++)
        if (!isupper((unsigned char)name.ptr[i]) && !isdigit((unsigned char)name.ptr[i]) &&
            name.ptr[i] != '_')
            return false;
    return true;
}

static void check_store_variables(struct verify *v, const struct rule_function *f,
                                  const struct value *variables)
{
    const struct value *uses = spec(f, "stores"), *stores = value_get(v->functions, S("stores"));
    for (size_t i = 0; value_is(uses, VALUE_MAP) && i < uses->map.count; i++) {
        struct px_str rest = uses->map.fields[i].name, store;
        (void)px_str_cut(&rest, '.', &store);
        struct px_str name = value_str(value_get(value_get(stores, store), S("env")));
        if (name.len > 0 && !value_get(variables, name))
            rule_find(v, f->resource, "set it from the store's address",
                      "its environment has no %.*s for store %.*s", PX_FMT(name), PX_FMT(store));
    }
}

static void environment_names(struct verify *v)
{
    static const char *const needed[] = {"PRISM_FUNCTION", "PRISM_SERVICE", "PRISM_ENVIRONMENT",
                                         "PRISM_REGION", "PRISM_LOG_LEVEL"};
    each_function(v, f)
    {
        const struct value *variables = plan_get(f->resource, "environment.variables");
        const struct value *own = spec(f, "environment");
        for (size_t i = 0; value_is(variables, VALUE_MAP) && i < variables->map.count; i++)
            if (!is_standard_name(variables->map.fields[i].name))
                rule_find(v, f->resource, "begin the name with PRISM_, in upper case",
                          "environment variable %.*s is not in the standard naming",
                          PX_FMT(variables->map.fields[i].name));
        for (size_t i = 0; i < PX_COUNT(needed); i++)
            if (!value_get(variables, px_str_c(needed[i])))
                rule_find(v, f->resource, "set it in module function", "its environment has no %s",
                          needed[i]);
        if (f->shard.len > 0 && !value_get(variables, S("PRISM_SHARD")))
            rule_find(v, f->resource, "set it in module function",
                      "its environment has no PRISM_SHARD");
        for (size_t i = 0; value_is(own, VALUE_MAP) && i < own->map.count; i++)
            if (!value_get(variables, own->map.fields[i].name))
                rule_find(v, f->resource, "take it from platform/functions.json",
                          "its environment has no %.*s", PX_FMT(own->map.fields[i].name));
        check_store_variables(v, f, variables);
    }
}

static void environment_size(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_lambda_function", it)) {
        const struct value *variables = plan_get(it, "environment.variables");
        size_t bytes = 0;
        rule_look(v);
        for (size_t i = 0; value_is(variables, VALUE_MAP) && i < variables->map.count; i++)
            bytes += variables->map.fields[i].name.len +
                     value_str(variables->map.fields[i].value).len;
        if (bytes >= ENVIRONMENT_BYTES_MAX)
            rule_find(v, it, "move what is long to an SSM parameter",
                      "its environment has %zu bytes; Lambda takes less than 4096", bytes);
    }
}

static bool name_is_secret(struct px_str name)
{
    static const char *const words[] = {"PASSWORD",   "PASSWD",  "SECRET_KEY", "PRIVATE_KEY",
                                        "ACCESS_KEY", "API_KEY", "TOKEN",      "CREDENTIAL"};
    for (size_t i = 0; i < PX_COUNT(words); i++)
        if (name.len >= strlen(words[i]) && text_find(name, px_str_c(words[i])))
            return !px_str_ends(name, S("_ARN")) && !px_str_ends(name, S("_URL")) &&
                   !px_str_ends(name, S("_NAME")) && !px_str_ends(name, S("_S")) &&
                   !px_str_ends(name, S("_MAX"));
    return false;
}

static void environment_secrets(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_lambda_function", it)) {
        const struct value *variables = plan_get(it, "environment.variables");
        rule_look(v);
        for (size_t i = 0; value_is(variables, VALUE_MAP) && i < variables->map.count; i++) {
            struct px_str name = variables->map.fields[i].name,
                          value = value_str(variables->map.fields[i].value);
            const char *at = text_find(value, S("://"));
            struct px_str host = at ? px_str_skip(value, (size_t)(at + 3 - value.ptr)) : S(""),
                          user;
            bool has_user = px_str_cut(&host, '@', &user) && memchr(user.ptr, ':', user.len);
            if (name_is_secret(name) || has_user || rule_looks_secret(value))
                rule_find(v, it, "keep it in Secrets Manager and give the function its name",
                          "environment variable %.*s looks like a secret", PX_FMT(name));
        }
    }
}

const struct verify_rule rules_functions[] = {
    {"PV-FN-01", "Every function of the catalogue is there, and no other", CONFIG,
     "functions are compared with platform/functions.json, once per shard where they mount the hot "
     "store",
     VERIFY_REGION, VERIFY_ERROR, all_exist},
    {"PV-FN-02", "Memory, timeout and architecture are the catalogue's", CONFIG,
     "each is compared with platform/functions.json", VERIFY_REGION, VERIFY_ERROR, configured},
    {"PV-FN-03", "Packages are of the kind that the catalogue says", PACKAGE,
     "ZIP or image, runtime and handler", VERIFY_REGION, VERIFY_ERROR, packaged},
    {"PV-FN-04", "Artifacts are named by digest",
     "Lambda deployment packages are built and managed through automated CI/CD pipelines that ensure "
     "consistent runtime environments across all functions.",
     "keys of ZIPs and addresses of images hold a SHA-256", VERIFY_GLOBAL | VERIFY_REGION,
     VERIFY_ERROR, by_digest},
    {"PV-FN-05", "Each function's log group is made before it",
     "Log groups are organized by service and region to facilitate efficient querying and analysis.",
     "the group exists and the function comes after it", VERIFY_GLOBAL | VERIFY_REGION,
     VERIFY_ERROR, log_groups},
    {"PV-FN-06", "Each function has a published version and alias live",
     "Rollback operations restore previous infrastructure states and application versions while "
     "maintaining data consistency.",
     "publish and aws_lambda_alias", VERIFY_REGION, VERIFY_ERROR, aliases},
    {"PV-FN-07", "Warm pools are kept warm, the rest scales from zero", WARM,
     "provisioned concurrency for class warm and for no other", VERIFY_REGION, VERIFY_ERROR,
     warm_pools},
    {"PV-FN-08", "Provisioned concurrency follows demand", SCALING,
     "a target tracking policy within reserved concurrency", VERIFY_REGION, VERIFY_ERROR, scaling},
    {"PV-FN-09", "Reserved concurrency limits each function",
     "Throttling policies protect backend services from overload while providing fair resource "
     "allocation across tenants.",
     "reserved_concurrent_executions is set", VERIFY_REGION, VERIFY_ERROR, reserved},
    {"PV-FN-10", "Events that fail are kept",
     "Error states trigger appropriate alerting and manual intervention procedures when automatic "
     "recovery is not possible.",
     "dead-letter queues, retries and ages of functions that are called asynchronously",
     VERIFY_REGION, VERIFY_ERROR, dead_letters},
    {"PV-FN-11", "Each function is traced",
     "AWS X-Ray provides distributed tracing capabilities across Lambda functions and AWS services.",
     "tracing is active", VERIFY_REGION, VERIFY_ERROR, traced},
    {"PV-FN-12", "ZIPs are signed",
     "Pipeline stages include validation, testing, approval gates, and progressive rollout "
     "strategies.",
     "code signing is enforced outside of dev", VERIFY_REGION, VERIFY_ERROR, is_signed},
    {"PV-FN-13", "Functions run in the VPC",
     "Private subnets host all Lambda functions and data storage resources, with no public subnets "
     "required for the serverless architecture.",
     "vpc_config where the catalogue says vpc", VERIFY_REGION, VERIFY_ERROR, in_vpc},
    {"PV-FN-14", "The hot store is mounted by those who need it, shard by shard",
     "EFS access points provide tenant isolation and security boundaries within shared filesystems.",
     "file_system_config exactly where the catalogue says hot_mount, with the shard's access point",
     VERIFY_REGION, VERIFY_ERROR, mounts},
    {"PV-FN-15", "Environments are in the standard naming and complete", ENVIRONMENT,
     "names begin with PRISM_, and those of the catalogue and its stores are there", VERIFY_REGION,
     VERIFY_ERROR, environment_names},
    {"PV-FN-16", "Environments fit", ENVIRONMENT, "names and values are under 4096 bytes",
     VERIFY_GLOBAL | VERIFY_REGION, VERIFY_ERROR, environment_size},
    {"PV-FN-17", "Environments hold no secret", SECRET,
     "names and values are looked at for what secrets look like", VERIFY_GLOBAL | VERIFY_REGION,
     VERIFY_ERROR, environment_secrets},
    {0},
};
