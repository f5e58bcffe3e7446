/* delivery/rules_database.c - Aurora Serverless v2, its proxy and its readers. */
#include "delivery/rule.h"

#define CLUSTER                                                                                    \
    "Cluster configuration includes Multi-AZ deployment for high availability, automated backups " \
    "with point-in-time recovery, and encryption at rest with regional KMS keys."
#define SCALES                                                                                     \
    "Aurora Serverless v2 PostgreSQL clusters provide metadata storage with automatic scaling "    \
    "based on workload demands."
#define PROXY                                                                                      \
    "Proxy configuration includes IAM authentication integration, automatic failover "             \
    "capabilities, and connection limit management to prevent resource exhaustion."
#define READERS                                                                                    \
    "Read replicas are automatically provisioned based on connection patterns and query volume "   \
    "metrics."

static bool needs_cluster(struct verify *v)
{
    return rule_needs(v, "aws_rds_cluster", "module catalog makes the cluster");
}

static void multi_zone(struct verify *v)
{
    if (!needs_cluster(v)) return;
    for (plan_each(v->plan, "aws_rds_cluster", it)) {
        size_t count = 0;
        rule_look(v);
        for (plan_each(v->plan, "aws_rds_cluster_instance", instance))
            count += rule_names(v, plan_get(instance, "cluster_identifier"), it) ||
                     px_str_eq(plan_text(instance, "cluster_identifier"),
                               plan_text(it, "cluster_identifier"));
        if (count == 0)
            rule_find(v, it, "add a writer", "the cluster has no instance");
        else if (count < 2 && !rule_is_dev(v))
            rule_find(v, it, "set readers_min to 1 or more",
                      "the cluster has one instance: when its zone is gone, so is the catalog");
    }
}

static void backed_up(struct verify *v)
{
    if (!needs_cluster(v)) return;
    for (plan_each(v->plan, "aws_rds_cluster", it)) {
        double days = plan_number(it, "backup_retention_period", 0), least = rule_is_dev(v) ? 1 : 7;
        rule_look(v);
        if (days < least)
            rule_find(v, it, "set backup_retention_period to 7 or more (1 in dev)",
                      "point-in-time recovery reaches back %.0f days", days);
        if (!plan_truth(it, "copy_tags_to_snapshot"))
            rule_find(v, it, "set copy_tags_to_snapshot = true",
                      "snapshots have no tags: nobody knows whose they are");
    }
}

static void by_identity(struct verify *v)
{
    if (!needs_cluster(v)) return;
    for (plan_each(v->plan, "aws_rds_cluster", it)) {
        rule_look(v);
        if (!plan_truth(it, "iam_database_authentication_enabled"))
            rule_find(v, it, "set iam_database_authentication_enabled = true",
                      "functions would need a password to connect");
    }
    for (plan_each(v->plan, "aws_db_proxy", it)) {
        const struct value *auth = plan_get(it, "auth");
        bool whole = rule_is(plan_text(it, "default_auth_scheme"), "IAM_AUTH");
        rule_look(v);
        if (!whole && value_count(auth) == 0)
            rule_find(v, it, "set default_auth_scheme = \"IAM_AUTH\"",
                      "the proxy asks for no identity");
        for (size_t i = 0; i < value_count(auth); i++)
            if (!rule_is(value_str(value_get(value_item(auth, i), S("iam_auth"))), "REQUIRED"))
                rule_find(v, it, "set iam_auth = \"REQUIRED\"", "the proxy takes passwords");
    }
}

static void no_password(struct verify *v)
{
    if (!needs_cluster(v)) return;
    for (plan_each(v->plan, "aws_rds_cluster", it)) {
        rule_look(v);
        if (plan_is_set(it, "master_password"))
            rule_find(v, it, "remove master_password and set manage_master_user_password = true",
                      "the master password is in the plan and in the state");
        else if (!plan_truth(it, "manage_master_user_password") &&
                 !plan_is_set(it, "master_password_wo_version"))
            rule_find(v, it, "set manage_master_user_password = true",
                      "nobody keeps and rotates the master password");
        if (plan_is_set(it, "manage_master_user_password") &&
            !rule_customer_key(v, it, "master_user_secret_kms_key_id"))
            rule_find(v, it, "set master_user_secret_kms_key_id",
                      "the master password is not encrypted with an own key");
    }
}

static void pause(struct verify *v)
{
    if (!needs_cluster(v)) return;
    for (plan_each(v->plan, "aws_rds_cluster", it)) {
        double least = plan_number(it, "serverlessv2_scaling_configuration.min_capacity", -1);
        rule_look(v);
        if (least != 0) continue;
        if (!rule_is_dev(v))
            rule_find(v, it, "set capacity_min to 0.5 or more outside of dev",
                      "the cluster pauses, and resuming takes 15 s and more");
        if (plan_first(v->plan, "aws_db_proxy"))
            rule_find(v, it, "remove the proxy, or set capacity_min to 0.5 or more",
                      "a proxy keeps the cluster from pausing");
    }
}

static bool is_half_step(double capacity) { return capacity * 2 == (double)(int)(capacity * 2); }

static void capacity(struct verify *v)
{
    if (!needs_cluster(v)) return;
    for (plan_each(v->plan, "aws_rds_cluster", it)) {
        double least = plan_number(it, "serverlessv2_scaling_configuration.min_capacity", -1),
               most = plan_number(it, "serverlessv2_scaling_configuration.max_capacity", -1);
        rule_look(v);
        if (least < 0 || most < 0)
            rule_find(v, it, "add serverlessv2_scaling_configuration",
                      "the cluster does not scale");
        else if (least > most || most < 1 || most > 256 || !is_half_step(least) ||
                 !is_half_step(most))
            rule_find(v, it, "use 0 to 256 ACU in steps of 0.5, the maximum from 1 on",
                      "AWS refuses a capacity of %.2f to %.2f", least, most);
    }
    for (plan_each(v->plan, "aws_rds_cluster_instance", it)) {
        rule_look(v);
        if (!rule_is(plan_text(it, "instance_class"), "db.serverless"))
            rule_find(v, it, "set instance_class = \"db.serverless\"",
                      "the instance has a fixed size: %.*s",
                      PX_FMT(rule_shown(v, it, "instance_class")));
    }
}

static bool tracks(struct verify *v, const char *metric)
{
    for (plan_each(v->plan, "aws_appautoscaling_policy", it)) {
        struct px_str type = plan_text(
            it,
            "target_tracking_scaling_policy_configuration.predefined_metric_specification.predefined_metric_type");
        if (rule_is(type, metric)) return true;
    }
    return false;
}

static void readers_scale(struct verify *v)
{
    static const char *const metrics[] = {"RDSReaderAverageCPUUtilization",
                                          "RDSReaderAverageDatabaseConnections"};
    struct plan_resource *target = NULL;
    rule_look(v);
    for (plan_each(v->plan, "aws_appautoscaling_target", it))
        if (rule_is(plan_text(it, "service_namespace"), "rds")) target = it;
    if (!target) {
        if (!rule_is_dev(v))
            rule_find(v, NULL, "add an aws_appautoscaling_target for rds:cluster:ReadReplicaCount",
                      "the number of readers does not follow the load");
        return;
    }
    for (size_t i = 0; i < PX_COUNT(metrics); i++) {
        rule_look(v);
        if (!tracks(v, metrics[i]))
            rule_find(v, target, "add a target tracking policy on it",
                      "the number of readers does not follow %s", metrics[i]);
    }
    if (plan_number(target, "max_capacity", 0) > 15)
        rule_find(v, target, "use at most 15 readers", "Aurora has at most 15 readers");
}

static void protected(struct verify *v)
{
    if (!needs_cluster(v)) return;
    for (plan_each(v->plan, "aws_rds_cluster", it)) {
        rule_look(v);
        if (!rule_is_prod(v)) continue;
        if (!plan_truth(it, "deletion_protection"))
            rule_find(v, it, "set deletion_protection = true",
                      "the cluster can be deleted in prod");
        if (plan_truth(it, "skip_final_snapshot"))
            rule_find(v, it, "set skip_final_snapshot = false",
                      "nothing is left when it is deleted");
    }
}

static bool proxy_wanted(struct verify *v)
{
    return plan_first(v->plan, "aws_db_proxy") != NULL || !rule_is_dev(v);
}

static void proxy(struct verify *v)
{
    rule_look(v);
    if (!proxy_wanted(v)) return;
    if (!rule_needs(v, "aws_db_proxy", "set database.proxy = true outside of dev")) return;
    if (!rule_needs(v, "aws_db_proxy_target", "lead the proxy to the cluster")) return;
    bool limited = false;
    for (plan_each(v->plan, "aws_db_proxy_default_target_group", it)) {
        double most = plan_number(it, "connection_pool_config.max_connections_percent", -1);
        limited = most > 0 && most <= 100;
        rule_look(v);
    }
    if (!limited)
        rule_find(v, plan_first(v->plan, "aws_db_proxy"),
                  "add connection_pool_config with max_connections_percent",
                  "nothing limits the connections that the proxy opens");
}

static void parameters(struct verify *v)
{
    if (!needs_cluster(v)) return;
    for (plan_each(v->plan, "aws_rds_cluster", it)) {
        struct plan_resource *group = plan_target(v->plan,
                                                  plan_get(it, "db_cluster_parameter_group_name"));
        rule_look(v);
        if (!rule_is(plan_text(it, "engine"), "aurora-postgresql"))
            rule_find(v, it, "set engine = \"aurora-postgresql\"", "the engine is %.*s",
                      PX_FMT(rule_shown(v, it, "engine")));
        if (!group || !rule_is(group->type, "aws_rds_cluster_parameter_group"))
            rule_find(v, it, "name a parameter group of its own",
                      "its parameters are AWS's defaults");
        if (!rule_in_list(plan_get(it, "enabled_cloudwatch_logs_exports"), "postgresql"))
            rule_find(v, it, "export postgresql to CloudWatch Logs",
                      "what the database logs is not collected");
    }
}

const struct verify_rule rules_database[] = {
    {"PV-DB-01", "The database survives the loss of a zone", CLUSTER,
     "two instances or more outside of dev", VERIFY_REGION, VERIFY_ERROR, multi_zone},
    {"PV-DB-02", "The database can be set back to any point of the last days", CLUSTER,
     "backups reach back 7 days or more, 1 in dev", VERIFY_REGION, VERIFY_ERROR, backed_up},
    {"PV-DB-03", "Whoever connects has an identity", PROXY,
     "IAM authentication of cluster and proxy", VERIFY_REGION, VERIFY_ERROR, by_identity},
    {"PV-DB-04", "No password is planned",
     "Sensitive configuration data is managed through AWS Secrets Manager with automatic rotation "
     "policies and secure access patterns.",
     "the master password is managed by RDS with an own key, and none stands in the plan",
     VERIFY_REGION, VERIFY_ERROR, no_password},
    {"PV-DB-05", "Only dev pauses, and without a proxy", SCALES,
     "minimum capacity 0 in dev and without aws_db_proxy only", VERIFY_REGION, VERIFY_ERROR, pause},
    {"PV-DB-06", "Capacity is in AWS's range", SCALES,
     "0 to 256 ACU in steps of 0.5, serverless instances", VERIFY_REGION, VERIFY_ERROR, capacity},
    {"PV-DB-07", "Readers follow connections and load", READERS,
     "a scaling target for readers with policies on both metrics; in dev it may be absent",
     VERIFY_REGION, VERIFY_ERROR, readers_scale},
    {"PV-DB-08", "The database is not deleted in prod", CLUSTER,
     "deletion protection and a last snapshot in prod", VERIFY_REGION, VERIFY_ERROR, protected},
    {"PV-DB-09", "A proxy limits connections", PROXY,
     "outside of dev a proxy leads to the cluster with a limit on connections", VERIFY_REGION,
     VERIFY_ERROR, proxy},
    {"PV-DB-10", "The database is PostgreSQL with own parameters and logs", SCALES,
     "engine, parameter group, exported logs", VERIFY_REGION, VERIFY_ERROR, parameters},
    {0},
};
