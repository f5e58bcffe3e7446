/* delivery/rules_order.c - what must be there first. */
#include "delivery/rule.h"

#define ORDER                                                                                       \
    "Aurora clusters are provisioned before Lambda functions that depend on them, EFS filesystems " \
    "are created and configured before Lambda functions mount them, and API Gateway deployments "   \
    "occur after all backend services are operational."
#define EXPLICIT                                                                                   \
    "Cross-service dependencies are managed through Terraform data sources and explicit "          \
    "dependency declarations."

static bool is_copy(const struct plan_resource *a, const struct plan_resource *b)
{
    return a && a->module && b->module && a->module->config == b->module->config &&
           px_str_eq(a->name, b->name) && px_str_eq(a->type, b->type);
}

/* Everything of `type` comes before `it`; instances of one block are told once. */
static void after_all(struct verify *v, struct plan_resource *it, const char *type, const char *why)
{
    struct plan_resource *last = NULL;
    for (plan_each(v->plan, type, first)) {
        if (is_copy(last, first)) continue;
        last = first;
        rule_look(v);
        if (!rule_comes_after(v->plan, it, first))
            rule_find(v, it, "refer to it through an output that depends on it",
                      "it does not wait for %.*s: %s", PX_FMT(first->address), why);
    }
}

static bool touches(const struct rule_function *f, const char *store)
{
    return value_get(value_get(f->spec, S("stores")), px_str_c(store)) != NULL;
}

static void functions_after_database(struct verify *v)
{
    struct rule_function *all = NULL;
    if (!rule_has(v, v->functions, "functions.json")) return;
    size_t count = rule_functions(v, &all);
    const struct plan_resource *last = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!all[i].resource || !touches(&all[i], "meta")) continue;
        if (is_copy(last, all[i].resource)) continue;
        last = all[i].resource;
        after_all(v, all[i].resource, "aws_rds_cluster_instance",
                  "the database has nobody to answer yet");
        after_all(v, all[i].resource, "aws_db_proxy_target", "the proxy leads nowhere yet");
    }
}

static void functions_after_mounts(struct verify *v)
{
    struct rule_function *all = NULL;
    if (!rule_has(v, v->functions, "functions.json")) return;
    size_t count = rule_functions(v, &all);
    const struct plan_resource *last = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!all[i].resource || !value_truth(value_get(all[i].spec, S("hot_mount")))) continue;
        if (is_copy(last, all[i].resource)) continue;
        last = all[i].resource;
        after_all(v, all[i].resource, "aws_efs_mount_target",
                  "Lambda refuses a file system that cannot be mounted");
        after_all(v, all[i].resource, "aws_efs_file_system_policy",
                  "the file system is not closed yet");
    }
}

static void functions_after_roles(struct verify *v)
{
    rule_look(v);
    const struct plan_resource *last = NULL;
    for (plan_each(v->plan, "aws_lambda_function", it)) {
        struct plan_resource *role = plan_target(v->plan, plan_get(it, "role"));
        struct rule_policy policies[16];
        if (!role || is_copy(last, it)) continue;
        last = it;
        size_t n = rule_role_policies(v, role, policies, PX_COUNT(policies));
        for (size_t p = 0; p < n; p++) {
            rule_look(v);
            if (policies[p].holder != role && !rule_comes_after(v->plan, it, policies[p].holder))
                rule_find(v, it, "name the role's policies in depends_on",
                          "it does not wait for its role's policy %.*s",
                          PX_FMT(policies[p].holder->address));
        }
    }
}

static void functions_after_network(struct verify *v)
{
    rule_look(v);
    const struct plan_resource *last = NULL;
    for (plan_each(v->plan, "aws_lambda_function", it)) {
        if (!plan_is_set(it, "vpc_config.subnet_ids") || is_copy(last, it)) continue;
        last = it;
        after_all(v, it, "aws_vpc_endpoint", "it has no way to AWS yet");
        after_all(v, it, "aws_vpc_security_group_egress_rule",
                  "its security group lets nothing out yet");
    }
}

static void deployment_after_functions(struct verify *v)
{
    if (!rule_needs(v, "aws_api_gateway_deployment", "module api makes it")) return;
    for (plan_each(v->plan, "aws_api_gateway_deployment", it)) {
        after_all(v, it, "aws_lambda_alias", "the backend behind a route is not there yet");
        rule_look(v);
    }
    for (plan_each(v->plan, "aws_api_gateway_stage", stage)) {
        struct plan_resource *last = NULL;
        for (plan_each(v->plan, "aws_lambda_permission", it)) {
            if (is_copy(last, it) ||
                !px_str_eq(plan_text(it, "principal"), S("apigateway.amazonaws.com")))
                continue; /* another service's right to call */
            last = it;
            rule_look(v);
            bool after = rule_comes_after(v->plan, stage, it) ||
                         rule_comes_after(v->plan, it, stage);
            for (plan_each(v->plan, "aws_api_gateway_deployment", d))
                after = after || rule_comes_after(v->plan, d, it);
            if (!after)
                rule_find(v, stage, "let the deployment depend on the permissions",
                          "the stage does not wait for %.*s", PX_FMT(it->address));
        }
        break; /* stages are instances of one block */
    }
}

static void scaling_after_instances(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_appautoscaling_target", it))
        if (rule_is(plan_text(it, "service_namespace"), "rds"))
            after_all(v, it, "aws_rds_cluster_instance",
                      "AWS refuses to scale a cluster without a writer");
}

static void replication_after_versioning(struct verify *v)
{
    rule_look(v);
    static const char *const ends[] = {"bucket", "rule.destination.bucket"};
    for (plan_each(v->plan, "aws_s3_bucket_replication_configuration", it))
        for (size_t e = 0; e < PX_COUNT(ends); e++) {
            struct plan_resource *bucket = plan_target(v->plan, plan_get(it, ends[e]));
            struct plan_resource *versioning = bucket
                                                   ? rule_companion(v, "aws_s3_bucket_versioning",
                                                                    "bucket", bucket)
                                                   : NULL;
            rule_look(v);
            if (versioning && !rule_comes_after(v->plan, it, versioning))
                rule_find(v, it, "name the versioning of both buckets in depends_on",
                          "it does not wait for %.*s: S3 replicates versioned buckets only",
                          PX_FMT(versioning->address));
        }
}

static void machines_after_roles(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_sfn_state_machine", it)) {
        struct plan_resource *role = plan_target(v->plan, plan_get(it, "role_arn"));
        struct rule_policy policies[16];
        size_t n = role ? rule_role_policies(v, role, policies, PX_COUNT(policies)) : 0;
        for (size_t p = 0; p < n; p++) {
            rule_look(v);
            if (policies[p].holder != role && !rule_comes_after(v->plan, it, policies[p].holder))
                rule_find(v, it, "name the role's policies in depends_on",
                          "it does not wait for its role's policy %.*s",
                          PX_FMT(policies[p].holder->address));
        }
    }
}

static void no_whole_modules(struct verify *v)
{
    rule_look(v);
    for (const struct hcl_block *b = v->plan->config->body.blocks; b; b = b->next) {
        if (!px_str_eq(b->type, S("module"))) continue;
        rule_look(v);
        if (hcl_attr_of(&b->body, S("depends_on")))
            rule_find(
                v, NULL, "offer the order in an output: output \"x\" { depends_on = [...] }",
                "module %.*s waits for other modules as a whole, so each of its plans is full of unknowns",
                PX_FMT(b->label));
    }
}

const struct verify_rule rules_order[] = {
    {"PV-ORD-01", "Functions come after the database that they use", ORDER,
     "from functions with store meta, references and depends_on lead to each instance and to the "
     "proxy's target",
     VERIFY_REGION, VERIFY_ERROR, functions_after_database},
    {"PV-ORD-02", "Functions come after the file system that they mount", ORDER,
     "from functions with hot_mount, they lead to the mount targets and the file system's policy",
     VERIFY_REGION, VERIFY_ERROR, functions_after_mounts},
    {"PV-ORD-03", "The API is deployed after what it calls", ORDER,
     "from the deployment they lead to each function's alias, from stages to the permissions",
     VERIFY_REGION, VERIFY_ERROR, deployment_after_functions},
    {"PV-ORD-04", "Readers are scaled once there are instances", EXPLICIT,
     "from scaling targets of the cluster they lead to its instances", VERIFY_REGION, VERIFY_ERROR,
     scaling_after_instances},
    {"PV-ORD-05", "Replication comes after versioning", EXPLICIT,
     "from the replication of buckets they lead to their versioning", VERIFY_GLOBAL | VERIFY_REGION,
     VERIFY_ERROR, replication_after_versioning},
    {"PV-ORD-06", "Functions come after what they may do", EXPLICIT,
     "from each function they lead to the policies of its role", VERIFY_GLOBAL | VERIFY_REGION,
     VERIFY_ERROR, functions_after_roles},
    {"PV-ORD-07", "Functions come after their ways to AWS", EXPLICIT,
     "from each function in the VPC they lead to endpoints and egress rules", VERIFY_REGION,
     VERIFY_ERROR, functions_after_network},
    {"PV-ORD-08", "Workflows come after what they may do", EXPLICIT,
     "from each state machine they lead to the policies of its role", VERIFY_REGION, VERIFY_ERROR,
     machines_after_roles},
    {"PV-ORD-09", "No module waits for another as a whole",
     "This ensures that updates to shared resources propagate correctly to dependent services without "
     "causing deployment failures or service disruptions.",
     "no call of a module has depends_on", VERIFY_GLOBAL | VERIFY_REGION, VERIFY_WARNING,
     no_whole_modules},
    {0},
};
