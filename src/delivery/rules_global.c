/* delivery/rules_global.c - what spans regions. */
#include "delivery/eval.h"
#include "delivery/rule.h"
#include "delivery/rules_runs.h"

#define TABLES                                                                                     \
    "Tenant registry and idempotency tables utilize DynamoDB Global Tables for multi-region "      \
    "consistency and availability."
#define CAPACITY                                                                                   \
    "Tables utilize on-demand billing with burst capacity to handle variable workloads without "   \
    "manual capacity planning."
#define MODULE                                                                                     \
    "Manages resources that span multiple regions including CloudFront distributions, DynamoDB "   \
    "Global Tables for tenant registry, Route 53 hosted zones, and Lambda@Edge functions for "     \
    "global routing."
#define IMAGES                                                                                     \
    "Complex functions with significant dependencies utilize container images stored in Amazon "   \
    "ECR."
#define DOMAINS                                                                                    \
    "Custom domain names provide stable endpoints for client applications while supporting "       \
    "regional routing and failover scenarios."
#define SOURCES                                                                                    \
    "Cross-service dependencies are managed through Terraform data sources and explicit "          \
    "dependency declarations."
#define PIPELINE                                                                                   \
    "Automated deployment pipelines manage infrastructure provisioning, application deployment, "  \
    "and configuration updates across multiple environments and regions."

/* Settings of the regions that the stack serves, by name; NULL: it does not say. */
static const struct value *regions_of(struct verify *v)
{
    const struct value *regions = eval_variable(v->plan->module, S("regions"));
    return value_is(regions, VALUE_MAP) ? regions : NULL;
}

static bool is_active(const struct value *settings)
{
    const struct value *active = value_get(settings, S("active"));
    return !value_is(active, VALUE_BOOL) || active->truth;
}

/* ---- tables ---- */

static bool is_called(struct verify *v, struct plan_resource *table, struct px_str name)
{
    struct px_str own = plan_text(table, "name");
    if (own.len <= v->plan->prefix.len + 1) return false;
    struct px_str rest = px_str_skip(own, v->plan->prefix.len + 1);
    if (rest.len != name.len) return false;
    for (size_t i = 0; i < rest.len; i++)
        if (rest.ptr[i] != name.ptr[i] && !(rest.ptr[i] == '-' && name.ptr[i] == '_')) return false;
    return true;
}

static bool is_replicated(struct verify *v, struct plan_resource *table, struct px_str region)
{
    const struct value *blocks = plan_get(table, "replica");
    struct px_str own = plan_text(table, "region");
    if (px_str_eq(own, region)) return true;
    for (size_t i = 0; i < value_count(blocks); i++)
        if (px_str_eq(value_str(value_get(value_item(blocks, i), S("region_name"))), region))
            return true;
    for (plan_each(v->plan, "aws_dynamodb_table_replica", it))
        if (px_str_eq(plan_text(it, "region"), region) &&
            rule_names(v, plan_get(it, "global_table_arn"), table))
            return true;
    return false;
}

static void tables_global(struct verify *v)
{
    const struct value *list = value_get(
        value_get(value_get(v->functions, S("stores")), S("tables")), S("tables"));
    const struct value *regions = regions_of(v);
    if (!rule_has(v, v->functions, "functions.json")) return;
    for (size_t t = 0; t < value_count(list); t++) {
        struct px_str name = value_str(value_item(list, t));
        struct plan_resource *table = NULL;
        rule_look(v);
        for (plan_each(v->plan, "aws_dynamodb_table", it))
            if (is_called(v, it, name)) table = it;
        if (!table) {
            rule_find(v, NULL, "make every table of platform/functions.json",
                      "table %.*s of the catalogue is not there", PX_FMT(name));
            continue;
        }
        for (size_t r = 0; regions && r < regions->map.count; r++) {
            rule_look(v);
            if (!is_replicated(v, table, regions->map.fields[r].name))
                rule_find(v, table, "add an aws_dynamodb_table_replica in that region",
                          "the table has no replica in %.*s", PX_FMT(regions->map.fields[r].name));
        }
    }
}

static void tables_recover(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_dynamodb_table", it)) {
        rule_look(v);
        if (!plan_truth(it, "point_in_time_recovery.enabled"))
            rule_find(v, it, "set point_in_time_recovery { enabled = true }",
                      "a mistake in the table cannot be undone");
        if (rule_is_prod(v) && !plan_truth(it, "deletion_protection_enabled"))
            rule_find(v, it, "set deletion_protection_enabled = true in prod",
                      "the table can be deleted");
    }
    for (plan_each(v->plan, "aws_dynamodb_table_replica", it)) {
        rule_look(v);
        if (!plan_truth(it, "point_in_time_recovery"))
            rule_find(v, it, "set point_in_time_recovery = true", "the replica cannot be set back");
        if (rule_is_prod(v) && !plan_truth(it, "deletion_protection_enabled"))
            rule_find(v, it, "set deletion_protection_enabled = true in prod",
                      "the replica can be deleted");
    }
}

static bool scales(struct verify *v, struct plan_resource *table, const char *dimension)
{
    struct px_str id = px_arena_printf(v->arena, "table/%.*s", PX_FMT(plan_text(table, "name")));
    for (plan_each(v->plan, "aws_appautoscaling_target", it))
        if (px_str_eq(plan_text(it, "resource_id"), id) &&
            rule_is(plan_text(it, "scalable_dimension"), dimension))
            return true;
    return false;
}

static void tables_bounded(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_dynamodb_table", it)) {
        bool provisioned = rule_is(plan_text(it, "billing_mode"), "PROVISIONED");
        rule_look(v);
        if (!provisioned &&
            (plan_number(it, "on_demand_throughput.max_read_request_units", -1) <= 0 ||
             plan_number(it, "on_demand_throughput.max_write_request_units", -1) <= 0))
            rule_find(v, it, "set on_demand_throughput with both ceilings",
                      "nothing limits what the table may cost");
        if (provisioned && (!scales(v, it, "dynamodb:table:ReadCapacityUnits") ||
                            !scales(v, it, "dynamodb:table:WriteCapacityUnits")))
            rule_find(v, it, "add scaling targets for reads and writes",
                      "provisioned capacity does not follow demand");
    }
}

static void tables_expire(struct verify *v)
{
    for (plan_each(v->plan, "aws_dynamodb_table", it)) {
        rule_look(v);
        if (px_str_ends(plan_text(it, "name"), S("idempotency")) && !plan_truth(it, "ttl.enabled"))
            rule_find(v, it, "set ttl { attribute_name = \"expires_at\", enabled = true }",
                      "claims of idempotency never expire");
    }
    rule_look(v);
}

/* ---- artifacts ---- */

static void images(struct verify *v)
{
    const struct value *functions = value_get(v->functions, S("functions"));
    if (!rule_needs(v, "aws_ecr_repository", "make one per function that is an image")) return;
    for (plan_each(v->plan, "aws_ecr_repository", it)) {
        rule_look(v);
        if (!px_str_starts(plan_text(it, "image_tag_mutability"), S("IMMUTABLE")))
            rule_find(v, it, "set image_tag_mutability = \"IMMUTABLE\"",
                      "a tag can be moved to another image");
        if (!plan_truth(it, "image_scanning_configuration.scan_on_push"))
            rule_find(v, it, "set scan_on_push = true", "images are not scanned");
        struct plan_resource *lifecycle = rule_companion(v, "aws_ecr_lifecycle_policy",
                                                         "repository", it);
        for (plan_each(v->plan, "aws_ecr_lifecycle_policy", p))
            if (px_str_eq(plan_text(p, "repository"), plan_text(it, "name"))) lifecycle = p;
        if (!lifecycle)
            rule_find(v, it, "add an aws_ecr_lifecycle_policy", "images are kept for ever");
    }
    for (size_t i = 0; value_is(functions, VALUE_MAP) && i < functions->map.count; i++) {
        const struct value_field *f = &functions->map.fields[i];
        bool found = false;
        if (!rule_is(value_str(value_get(f->value, S("package"))), "image")) continue;
        rule_look(v);
        for (plan_each(v->plan, "aws_ecr_repository", it))
            found = found || px_str_ends(plan_text(it, "name"), f->name);
        if (!found)
            rule_find(v, NULL, "make one repository per function that is an image",
                      "function %.*s has no repository", PX_FMT(f->name));
    }
}

static void replicated_images(struct verify *v)
{
    const struct value *regions = regions_of(v);
    const struct value *own = eval_variable(v->plan->module, S("account_settings"));
    bool elsewhere = value_is(own, VALUE_BOOL) && !own->truth;
    rule_look(v);
    if (!regions || value_count(regions) < 2 || elsewhere) return;
    struct plan_resource *config = plan_first(v->plan, "aws_ecr_replication_configuration");
    if (!config) {
        rule_find(v, NULL, "add aws_ecr_replication_configuration", "images reach one region only");
        return;
    }
    const struct value *to = plan_get(config, "replication_configuration.rule.destination");
    for (size_t r = 0; r < regions->map.count; r++) {
        struct px_str name = regions->map.fields[r].name;
        bool found = px_str_eq(name, v->plan->region);
        for (size_t i = 0; i < value_count(to); i++)
            found = found || px_str_eq(value_str(value_get(value_item(to, i), S("region"))), name);
        rule_look(v);
        if (!found)
            rule_find(v, config, "add it as a destination", "images do not reach %.*s",
                      PX_FMT(name));
    }
}

static void artifacts(struct verify *v)
{
    const struct value *regions = regions_of(v);
    for (size_t r = 0; regions && r < regions->map.count; r++) {
        struct px_str name = regions->map.fields[r].name;
        bool bucket = false, profile = false;
        rule_look(v);
        for (plan_each(v->plan, "aws_s3_bucket", it)) {
            struct px_str own = plan_text(it, "bucket");
            bucket = bucket || (px_str_eq(plan_text(it, "region"), name) && own.len > 0 &&
                                text_find(own, S("artifacts")));
        }
        for (plan_each(v->plan, "aws_signer_signing_profile", it))
            profile = profile || px_str_eq(plan_text(it, "region"), name);
        if (!bucket)
            rule_find(v, NULL, "make an artifact bucket in each region",
                      "%.*s has no bucket of artifacts: Lambda takes ZIPs from its own region only",
                      PX_FMT(name));
        if (!profile)
            rule_find(v, NULL, "add an aws_signer_signing_profile in each region",
                      "%.*s has no signing profile", PX_FMT(name));
    }
    (void)rule_needs(v, "aws_signer_signing_profile", "ZIPs are signed with it");
}

static void delivery(struct verify *v)
{
    const struct value *wanted = eval_variable(v->plan->module, S("delivery"));
    rule_look(v);
    for (plan_each(v->plan, "aws_iam_openid_connect_provider", it)) {
        struct px_str url = plan_text(it, "url");
        rule_look(v);
        if (!px_str_starts(url, S("https://")) && !px_str_starts(url, S("token.actions.")))
            rule_find(v, it, "use the provider's https address", "its address is %.*s",
                      PX_FMT(url));
        if (!rule_in_list(plan_get(it, "client_id_list"), "sts.amazonaws.com"))
            rule_find(v, it, "set client_id_list = [\"sts.amazonaws.com\"]",
                      "tokens for another audience are taken");
    }
    if (!value_is(wanted, VALUE_MAP)) return;
    bool found = false;
    for (plan_each(v->plan, "aws_iam_role", it)) {
        struct rule_statement *statements = NULL;
        int count = rule_statements(v, plan_get(it, "assume_role_policy"), &statements);
        for (int i = 0; i < count; i++)
            found = found || rule_in_list(statements[i].actions, "sts:AssumeRoleWithWebIdentity");
    }
    if (!found)
        rule_find(v, NULL, "make the roles that the pipeline assumes",
                  "variable delivery is set, but no role trusts the pipeline");
}

/* ---- edge ---- */

static bool edge_is_wanted(struct verify *v)
{
    const struct value *edge = eval_variable(v->plan->module, S("edge"));
    const struct value *router = value_get(edge, S("router_sha256"));
    if (value_is(edge, VALUE_MAP))
        return !value_is_null(router); /* before the first upload: none */
    return true;
}

static void edge(struct verify *v)
{
    rule_look(v);
    if (!edge_is_wanted(v)) return;
    if (!rule_needs(v, "aws_cloudfront_distribution", "make the distribution")) return;
    for (plan_each(v->plan, "aws_cloudfront_distribution", it)) {
        const struct value *list = plan_get(it,
                                            "default_cache_behavior.lambda_function_association");
        bool routed = false;
        rule_look(v);
        for (size_t i = 0; i < value_count(list); i++)
            routed = routed ||
                     rule_is(value_str(value_get(value_item(list, i), S("event_type"))),
                             "origin-request") ||
                     rule_is(value_str(value_get(value_item(list, i), S("event_type"))),
                             "viewer-request");
        if (!routed)
            rule_find(v, it, "associate the router with origin-request",
                      "no router sends tenants to their home region");
        if (!plan_is_set(it, "web_acl_id"))
            rule_find(v, it, "set web_acl_id", "no firewall stands before the edge");
        if (!plan_truth(it, "enabled"))
            rule_find(v, it, "set enabled = true", "it is switched off");
        if (!plan_is_set(it, "logging_config") &&
            !plan_first(v->plan, "aws_cloudwatch_log_delivery"))
            rule_find(v, it, "set logging_config, or deliver its logs", "it logs no access");
    }
}

static void edge_firewall(struct verify *v)
{
    rule_look(v);
    if (!edge_is_wanted(v)) return;
    struct plan_resource *acl = NULL;
    for (plan_each(v->plan, "aws_wafv2_web_acl", it))
        if (rule_is(plan_text(it, "scope"), "CLOUDFRONT")) acl = it;
    if (!acl) {
        rule_find(v, NULL, "add an aws_wafv2_web_acl of scope CLOUDFRONT",
                  "there is no firewall for the edge");
        return;
    }
    if (!rule_limits(acl))
        rule_find(v, acl, "add a rate based rule whose action is block",
                  "one address may send as much as it likes");
    if (!rule_companion(v, "aws_wafv2_web_acl_logging_configuration", "resource_arn", acl))
        rule_find(v, acl, "add aws_wafv2_web_acl_logging_configuration",
                  "what it refuses is not logged");
}

/* ---- names ---- */

static struct plan_resource *latency_of(struct verify *v, struct px_str region)
{
    for (plan_each(v->plan, "aws_route53_record", it))
        if (px_str_eq(plan_text(it, "latency_routing_policy.region"), region)) return it;
    return NULL;
}

static void routing(struct verify *v)
{
    const struct value *regions = regions_of(v);
    size_t primary = 0, secondary = 0, want_secondary = 0;
    rule_look(v);
    for (size_t r = 0; regions && r < regions->map.count; r++) {
        const struct value_field *region = &regions->map.fields[r];
        want_secondary += value_truth(value_get(region->value, S("secondary")));
        if (!is_active(region->value)) continue;
        struct plan_resource *record = latency_of(v, region->name);
        rule_look(v);
        if (!record)
            rule_find(v, NULL, "add a latency record for each active region",
                      "no latency record leads to %.*s", PX_FMT(region->name));
        else if (!plan_is_set(record, "health_check_id"))
            rule_find(v, record, "set health_check_id", "clients are sent there while it is down");
    }
    for (plan_each(v->plan, "aws_route53_record", it)) {
        struct px_str type = plan_text(it, "failover_routing_policy.type");
        primary += rule_is(type, "PRIMARY");
        secondary += rule_is(type, "SECONDARY");
        if (rule_is(type, "PRIMARY") && !plan_is_set(it, "health_check_id"))
            rule_find(v, it, "set health_check_id", "nothing makes it fail over");
    }
    if (regions && primary == 0)
        rule_find(v, NULL, "add a failover record for the primary region",
                  "there is no primary failover record");
    if (want_secondary > 0 && secondary == 0)
        rule_find(v, NULL, "add a failover record for the secondary region",
                  "there is no secondary failover record");
}

static void health(struct verify *v)
{
    const struct value *regions = regions_of(v);
    size_t active = 0, count = 0;
    for (size_t r = 0; regions && r < regions->map.count; r++)
        active += is_active(regions->map.fields[r].value);
    for (plan_each(v->plan, "aws_route53_health_check", it)) {
        struct px_str type = plan_text(it, "type");
        rule_look(v);
        if (!px_str_starts(type, S("HTTPS"))) continue;
        count++;
        if (plan_text(it, "resource_path").len == 0)
            rule_find(v, it, "set resource_path to the API's health route",
                      "it asks for no route: an answer says nothing");
    }
    rule_look(v);
    if (count < active)
        rule_find(v, NULL, "add an HTTPS health check for each active region",
                  "%zu health checks watch %zu regions", count, active);
}

static void zone(struct verify *v)
{
    bool public_zone = false, validated = plan_first(v->plan, "aws_acm_certificate_validation");
    rule_look(v);
    for (plan_each(v->plan, "aws_route53_zone", it))
        public_zone = public_zone || value_count(plan_get(it, "vpc")) == 0;
    if (!public_zone) rule_find(v, NULL, "add the public zone", "there is no public zone");
    if (edge_is_wanted(v) && !plan_first(v->plan, "aws_acm_certificate"))
        rule_find(v, NULL, "add an aws_acm_certificate", "the edge has no certificate");
    if (edge_is_wanted(v) && plan_first(v->plan, "aws_acm_certificate") && !validated)
        rule_find(v, plan_first(v->plan, "aws_acm_certificate"),
                  "add an aws_acm_certificate_validation", "nobody waits for the certificate");
}

static void budgets(struct verify *v)
{
    if (!rule_needs(v, "aws_budgets_budget", "set variable budgets")) return;
    for (plan_each(v->plan, "aws_budgets_budget", it)) {
        rule_look(v);
        if (value_count(plan_get(it, "notification")) == 0)
            rule_find(v, it, "add notifications", "nobody is told when it is used up");
    }
}

static void published(struct verify *v)
{
    const struct value *regions = regions_of(v);
    struct px_str name = px_arena_printf(v->arena, "/%.*s/%.*s/global", PX_FMT(v->plan->project),
                                         PX_FMT(v->plan->environment));
    for (size_t r = 0; regions && r < regions->map.count; r++) {
        bool found = false;
        rule_look(v);
        for (plan_each(v->plan, "aws_ssm_parameter", it))
            found = found || (px_str_eq(plan_text(it, "name"), name) &&
                              px_str_eq(plan_text(it, "region"), regions->map.fields[r].name));
        if (!found)
            rule_find(v, NULL, "publish the parameter in each region",
                      "the regional stack of %.*s does not find %.*s",
                      PX_FMT(regions->map.fields[r].name), PX_FMT(name));
    }
    rule_look(v);
}

static void primary_region(struct verify *v)
{
    const struct value *regions = regions_of(v);
    size_t primaries = 0;
    rule_look(v);
    for (size_t r = 0; regions && r < regions->map.count; r++)
        primaries += value_truth(value_get(regions->map.fields[r].value, S("primary")));
    if (regions && primaries != 1)
        rule_find(v, NULL, "set primary = true for exactly one region", "%zu regions are primary",
                  primaries);
    for (size_t i = 0; i < v->plan_count; i++) {
        struct plan *other = v->plans[i];
        if (other->kind != PLAN_REGION || !regions) continue;
        rule_look(v);
        if (other->region.len > 0 && !value_get(regions, other->region))
            rule_find(v, NULL, "add the region to `regions` of the global stack",
                      "%s is a stack of %.*s, which the global stack does not know", other->name,
                      PX_FMT(other->region));
    }
}

const struct verify_rule rules_global[] = {
    {"PV-GLB-01", "Tables of the catalogue are global", TABLES,
     "each table of platform/functions.json has a replica in each region", VERIFY_GLOBAL,
     VERIFY_ERROR, tables_global},
    {"PV-GLB-02", "Tables can be set back and are not deleted", TABLES,
     "point-in-time recovery of tables and replicas, deletion protection in prod",
     VERIFY_GLOBAL | VERIFY_REGION, VERIFY_ERROR, tables_recover},
    {"PV-GLB-03", "Tables have a ceiling", CAPACITY,
     "ceilings of on-demand tables, autoscaling of provisioned ones", VERIFY_GLOBAL, VERIFY_ERROR,
     tables_bounded},
    {"PV-GLB-04", "Claims of idempotency expire", TABLES, "TTL of the table", VERIFY_GLOBAL,
     VERIFY_ERROR, tables_expire},
    {"PV-GLB-05", "Images cannot be changed and are scanned", IMAGES,
     "tags, scanning and lifecycle of each repository; one per function that is an image",
     VERIFY_GLOBAL, VERIFY_ERROR, images},
    {"PV-GLB-06", "Images reach every region", IMAGES, "destinations of the registry's replication",
     VERIFY_GLOBAL, VERIFY_ERROR, replicated_images},
    {"PV-GLB-07", "Every region has artifacts and a signing profile",
     "Simpler functions use ZIP packages for faster cold start performance.",
     "an artifact bucket and a signing profile in each region", VERIFY_GLOBAL, VERIFY_ERROR,
     artifacts},
    {"PV-GLB-08", "The pipeline comes through OIDC", PIPELINE,
     "identity provider, audience, roles that trust it", VERIFY_GLOBAL, VERIFY_ERROR, delivery},
    {"PV-GLB-09", "The edge routes, and behind a firewall",
     "Each region maintains its own private zone for internal service endpoints, while global "
     "routing logic in Lambda@Edge directs traffic to appropriate regional origins based on tenant "
     "home region configuration.",
     "router, web ACL and logs of the distribution, once the router is uploaded", VERIFY_GLOBAL,
     VERIFY_ERROR, edge},
    {"PV-GLB-10", "The edge's firewall limits and logs", MODULE,
     "rate rule that blocks and logging of the web ACL", VERIFY_GLOBAL, VERIFY_ERROR,
     edge_firewall},
    {"PV-GLB-11", "Names lead to the nearest healthy region", DOMAINS,
     "latency records of active regions and failover records, with health checks", VERIFY_GLOBAL,
     VERIFY_ERROR, routing},
    {"PV-GLB-12", "Every region is watched from outside", DOMAINS,
     "an HTTPS health check with a route for each active region", VERIFY_GLOBAL, VERIFY_ERROR,
     health},
    {"PV-GLB-13", "There is a zone and a certificate",
     "Domain configuration includes SSL certificate management through AWS Certificate Manager and "
     "Route 53 integration for DNS resolution.",
     "public zone, certificate, validation", VERIFY_GLOBAL, VERIFY_ERROR, zone},
    {"PV-GLB-14", "Somebody is told of the bill",
     "This approach balances cost efficiency with performance requirements for different workload "
     "patterns.",
     "budgets with notifications", VERIFY_GLOBAL, VERIFY_ERROR, budgets},
    {"PV-GLB-15", "Regional stacks find the global one", SOURCES,
     "the published parameter stands in each region", VERIFY_GLOBAL, VERIFY_ERROR, published},
    {"PV-GLB-16", "The stacks agree on the regions", MODULE,
     "one primary region, and every regional plan's region is known", VERIFY_GLOBAL, VERIFY_ERROR,
     primary_region},
    {"PV-GLB-17", "The pipeline's runs are kept", PIPELINE,
     "the bucket that platform/pipeline.json describes, what its policy denies, and what the "
     "pipeline's roles may do with it",
     VERIFY_GLOBAL, VERIFY_ERROR, rules_runs},
    {0},
};
