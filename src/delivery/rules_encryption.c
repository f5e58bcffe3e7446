/* delivery/rules_encryption.c - at rest with a key of the customer's own, on the way with TLS 1.2. */
#include "delivery/rule.h"

#define AT_REST                                                                                    \
    "Bucket configuration includes encryption at rest, versioning for critical data, and "         \
    "cross-region replication for disaster recovery scenarios."
#define DATABASE                                                                                   \
    "Cluster configuration includes Multi-AZ deployment for high availability, automated backups " \
    "with point-in-time recovery, and encryption at rest with regional KMS keys."
#define SECRETS                                                                                    \
    "Sensitive configuration data is managed through AWS Secrets Manager with automatic rotation " \
    "policies and secure access patterns."
#define LOGS                                                                                       \
    "CloudWatch Logs centralizes log data from all services with standardized log formats and "    \
    "retention policies."
#define SECURITY                                                                                   \
    "Each regional module operates independently while conforming to global naming conventions "   \
    "and security policies."
#define TLS                                                                                        \
    "API configuration includes custom domain names, TLS termination, request/response "           \
    "transformation, and integration with Lambda authorizers."

#define OWN_KEY "name a customer managed key of module security (or of the global stack)"

/* One type of store: where its key stands, and where the switch is. */
static void keyed(struct verify *v, const char *type, const char *on, const char *key)
{
    rule_look(v);
    for (plan_each(v->plan, type, it)) {
        rule_look(v);
        if (on && !plan_truth(it, on))
            rule_find(v, it, "switch encryption at rest on, with a key of your own",
                      "it is not encrypted: %s is not true", on);
        else if (!rule_customer_key(v, it, key))
            rule_find(v, it, OWN_KEY,
                      "it is not encrypted with a key of the customer's own: %s is %.*s", key,
                      PX_FMT(rule_shown(v, it, key)));
    }
}

/* Buckets that receive access logs of S3 may not use KMS: S3 does not deliver to them.
 * docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html */
static bool takes_access_logs(struct verify *v, struct plan_resource *bucket)
{
    if (rule_companion(v, "aws_s3_bucket_logging", "target_bucket", bucket)) return true;
    struct px_str name = plan_text(bucket, "bucket");
    for (plan_each(v->plan, "aws_s3_bucket_logging", it))
        if (name.len > 0 && px_str_eq(plan_text(it, "target_bucket"), name)) return true;
    return false;
}

static void buckets(struct verify *v)
{
    const char *rule = "rule.apply_server_side_encryption_by_default.kms_master_key_id";
    rule_look(v);
    for (plan_each(v->plan, "aws_s3_bucket", it)) {
        struct plan_resource *config = rule_companion(
            v, "aws_s3_bucket_server_side_encryption_configuration", "bucket", it);
        rule_look(v);
        if (!config) {
            rule_find(v, it,
                      "add an aws_s3_bucket_server_side_encryption_configuration with aws:kms",
                      "the bucket has no encryption of its own");
            continue;
        }
        struct px_str how = plan_text(config,
                                      "rule.apply_server_side_encryption_by_default.sse_algorithm");
        if (rule_is(how, "AES256") && takes_access_logs(v, it)) continue;
        if (!px_str_starts(how, S("aws:kms")) || !rule_customer_key(v, config, rule))
            rule_find(v, config, OWN_KEY, "the bucket is encrypted with %.*s and key %.*s",
                      PX_FMT(how), PX_FMT(rule_shown(v, config, rule)));
        else if (!plan_truth(config, "rule.bucket_key_enabled"))
            rule_find(v, config, "set bucket_key_enabled = true",
                      "each object asks KMS for a key of its own");
    }
}

static void file_systems(struct verify *v)
{
    if (v->plan->kind == PLAN_REGION)
        (void)rule_needs(v, "aws_efs_file_system", "module storage makes the hot store");
    keyed(v, "aws_efs_file_system", "encrypted", "kms_key_id");
}

static void clusters(struct verify *v)
{
    if (v->plan->kind == PLAN_REGION)
        (void)rule_needs(v, "aws_rds_cluster", "module catalog makes the cluster");
    keyed(v, "aws_rds_cluster", "storage_encrypted", "kms_key_id");
    for (plan_each(v->plan, "aws_rds_cluster_instance", it))
        if (plan_truth(it, "performance_insights_enabled") &&
            !rule_customer_key(v, it, "performance_insights_kms_key_id"))
            rule_find(v, it, OWN_KEY, "its performance insights are not encrypted with an own key");
}

static void tables(struct verify *v)
{
    keyed(v, "aws_dynamodb_table", "server_side_encryption.enabled",
          "server_side_encryption.kms_key_arn");
    keyed(v, "aws_dynamodb_table_replica", NULL, "kms_key_arn");
}
static void queues(struct verify *v) { keyed(v, "aws_sqs_queue", NULL, "kms_master_key_id"); }
static void topics(struct verify *v) { keyed(v, "aws_sns_topic", NULL, "kms_master_key_id"); }
static void secrets(struct verify *v)
{
    keyed(v, "aws_secretsmanager_secret", NULL, "kms_key_id");
    for (plan_each(v->plan, "aws_ssm_parameter", it))
        if (rule_is(plan_text(it, "type"), "SecureString") && !rule_customer_key(v, it, "key_id"))
            rule_find(v, it, OWN_KEY, "the parameter is not encrypted with an own key");
}
static void log_groups(struct verify *v)
{
    (void)rule_needs(v, "aws_cloudwatch_log_group", "make log groups before what writes to them");
    keyed(v, "aws_cloudwatch_log_group", NULL, "kms_key_id");
}
static void images(struct verify *v)
{
    keyed(v, "aws_ecr_repository", NULL, "encryption_configuration.kms_key");
}
static void vaults(struct verify *v) { keyed(v, "aws_backup_vault", NULL, "kms_key_arn"); }
static void functions(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_lambda_function", it)) {
        rule_look(v);
        if (plan_is_set(it, "environment.variables") && !rule_customer_key(v, it, "kms_key_arn"))
            rule_find(v, it, OWN_KEY, "its environment is not encrypted with an own key");
    }
    for (plan_each(v->plan, "aws_scheduler_schedule", it))
        if (!rule_customer_key(v, it, "kms_key_arn"))
            rule_find(v, it, OWN_KEY, "its input is not encrypted with an own key");
}

static void athena(struct verify *v)
{
    const char *how = "configuration.result_configuration.encryption_configuration.kms_key_arn";
    const char *managed =
        "configuration.managed_query_results_configuration.encryption_configuration.kms_key";
    rule_look(v);
    for (plan_each(v->plan, "aws_athena_workgroup", it)) {
        rule_look(v);
        if (!rule_customer_key(v, it, how) && !rule_customer_key(v, it, managed))
            rule_find(v, it, OWN_KEY, "results of queries are not encrypted with an own key");
        if (!plan_truth(it, "configuration.enforce_workgroup_configuration"))
            rule_find(v, it, "set enforce_workgroup_configuration = true",
                      "a client can choose another place and no encryption");
    }
}

static void streams(struct verify *v)
{
    keyed(v, "aws_kinesis_stream", NULL, "kms_key_id");
    keyed(v, "aws_kinesis_firehose_delivery_stream", "server_side_encryption.enabled",
          "server_side_encryption.key_arn");
    for (plan_each(v->plan, "aws_sfn_state_machine", it))
        if (plan_is_set(it, "encryption_configuration") &&
            !rule_is(plan_text(it, "encryption_configuration.type"), "AWS_OWNED_KEY") &&
            !rule_customer_key(v, it, "encryption_configuration.kms_key_id"))
            rule_find(v, it, OWN_KEY, "it names no key of the customer's own");
}

static void key_rotation(struct verify *v)
{
    (void)rule_needs(v, "aws_kms_key", "module security (or the global stack) makes the keys");
    for (plan_each(v->plan, "aws_kms_key", it)) {
        struct px_str spec = plan_text(it, "customer_master_key_spec");
        bool symmetric = spec.len == 0 || rule_is(spec, "SYMMETRIC_DEFAULT");
        rule_look(v);
        if (symmetric && !plan_truth(it, "enable_key_rotation"))
            rule_find(v, it, "set enable_key_rotation = true", "the key does not rotate");
        double days = plan_number(it, "deletion_window_in_days", 30);
        if (rule_is_prod(v) && days < 30)
            rule_find(v, it, "set deletion_window_in_days = 30 in prod",
                      "a key that was deleted by mistake is gone after %.0f days", days);
    }
}

/* ---- on the way ---- */

static bool denies_plain(struct verify *v, const struct value *policy)
{
    struct rule_statement *statements = NULL;
    int count = rule_statements(v, policy, &statements);
    for (int i = 0; i < count; i++) {
        const struct rule_statement *s = &statements[i];
        if (s->allow) continue;
        for (size_t c = 0; c < value_count(s->conditions); c++) {
            struct px_str text = value_str(value_item(s->conditions, c));
            if (px_str_starts(text, S("Bool:")) &&
                px_str_ieq(px_str_skip(text, 5), S("aws:SecureTransport=false")))
                return true;
        }
    }
    return false;
}

static void tls_policies(struct verify *v)
{
    static const struct {
        const char *type, *policy, *path;
    } held[] = {{"aws_s3_bucket", "aws_s3_bucket_policy", "bucket"},
                {"aws_sqs_queue", "aws_sqs_queue_policy", "queue_url"},
                {"aws_sns_topic", "aws_sns_topic_policy", "arn"}};
    rule_look(v);
    for (size_t h = 0; h < PX_COUNT(held); h++)
        for (plan_each(v->plan, held[h].type, it)) {
            struct plan_resource *policy = rule_companion(v, held[h].policy, held[h].path, it);
            rule_look(v);
            if (!denies_plain(v, plan_get(policy ? policy : it, "policy")))
                rule_find(v, it, "deny everything where aws:SecureTransport is false",
                          "its policy takes requests without TLS");
        }
}

static void file_system_policy(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_efs_file_system", it)) {
        struct plan_resource *policy = rule_companion(v, "aws_efs_file_system_policy",
                                                      "file_system_id", it);
        rule_look(v);
        if (rule_companion(v, "aws_efs_replication_configuration", "destination.file_system_id",
                           it))
            continue; /* a copy: nobody mounts it */
        if (!policy) {
            rule_find(v, it, "add a policy that requires TLS, IAM and an access point",
                      "the file system has no policy: whoever reaches it may mount it");
            continue;
        }
        struct rule_statement *statements = NULL;
        int count = rule_statements(v, plan_get(policy, "policy"), &statements);
        bool points = false, open = false;
        for (int i = 0; i < count; i++) {
            points = points ||
                     (!statements[i].allow &&
                      rule_has_condition(&statements[i], "elasticfilesystem:AccessPointArn"));
            open = open ||
                   (statements[i].allow && rule_in_list(statements[i].principals, "AWS:*") &&
                    value_count(statements[i].conditions) == 0);
        }
        if (!denies_plain(v, plan_get(policy, "policy")))
            rule_find(v, policy, "deny everything where aws:SecureTransport is false",
                      "the file system can be mounted without TLS");
        if (!points)
            rule_find(v, policy, "deny mounting where elasticfilesystem:AccessPointArn is missing",
                      "the file system can be mounted past its access points");
        if (open)
            rule_find(v, policy, "name roles, or leave allowing to the roles' own policies",
                      "the file system can be mounted without an identity");
    }
}

static void database_tls(struct verify *v)
{
    bool forced = false;
    rule_look(v);
    for (plan_each(v->plan, "aws_rds_cluster_parameter_group", it)) {
        const struct value *parameters = plan_get(it, "parameter");
        for (size_t i = 0; i < value_count(parameters); i++) {
            const struct value *p = value_item(parameters, i);
            if (rule_is(value_str(value_get(p, S("name"))), "rds.force_ssl"))
                forced = value_num(value_get(p, S("value")), 0) == 1;
        }
    }
    struct plan_resource *holder = plan_first(v->plan, "aws_rds_cluster_parameter_group");
    if (!holder) holder = plan_first(v->plan, "aws_rds_cluster");
    if (plan_first(v->plan, "aws_rds_cluster") && !forced)
        rule_find(v, holder, "set rds.force_ssl = 1 in the cluster's parameter group",
                  "the database takes connections without TLS");
    for (plan_each(v->plan, "aws_db_proxy", it)) {
        rule_look(v);
        if (!plan_truth(it, "require_tls"))
            rule_find(v, it, "set require_tls = true", "the proxy takes connections without TLS");
    }
}

static bool tls12(struct px_str policy)
{
    return px_str_starts(policy, S("TLSv1.2_")) || px_str_starts(policy, S("TLSv1.3"));
}

static void check_behavior(struct verify *v, struct plan_resource *it, const struct value *behavior)
{
    struct px_str how = value_str(value_get(behavior, S("viewer_protocol_policy")));
    rule_look(v);
    if (!rule_is(how, "https-only") && !rule_is(how, "redirect-to-https"))
        rule_find(v, it, "set viewer_protocol_policy = \"https-only\"",
                  "the edge takes requests without TLS: %.*s", PX_FMT(how));
}

static void edge_tls(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_cloudfront_distribution", it)) {
        struct px_str least = plan_text(it, "viewer_certificate.minimum_protocol_version");
        const struct value *more = plan_get(it, "ordered_cache_behavior"),
                           *origins = plan_get(it, "origin");
        if (!tls12(least))
            rule_find(v, it, "set minimum_protocol_version = \"TLSv1.2_2021\"",
                      "the edge takes TLS below 1.2: %.*s", PX_FMT(least));
        check_behavior(v, it, value_item(plan_get(it, "default_cache_behavior"), 0));
        for (size_t i = 0; i < value_count(more); i++) check_behavior(v, it, value_item(more, i));
        for (size_t i = 0; i < value_count(origins); i++) {
            const struct value *custom = value_item(
                value_get(value_item(origins, i), S("custom_origin_config")), 0);
            struct px_str how = value_str(value_get(custom, S("origin_protocol_policy")));
            const struct value *protocols = value_get(custom, S("origin_ssl_protocols"));
            if (custom && !rule_is(how, "https-only"))
                rule_find(v, it, "set origin_protocol_policy = \"https-only\"",
                          "the edge calls an origin without TLS: %.*s", PX_FMT(how));
            if (rule_in_list(protocols, "TLSv1") || rule_in_list(protocols, "TLSv1.1") ||
                rule_in_list(protocols, "SSLv3"))
                rule_find(v, it, "set origin_ssl_protocols = [\"TLSv1.2\"]",
                          "the edge calls an origin with TLS below 1.2");
        }
    }
}

static void api_tls(struct verify *v)
{
    (void)rule_needs(v, "aws_api_gateway_domain_name", "module api makes the custom domain");
    for (plan_each(v->plan, "aws_api_gateway_domain_name", it)) {
        struct px_str policy = plan_text(it, "security_policy");
        rule_look(v);
        if (!rule_is(policy, "TLS_1_2") && !px_str_starts(policy, S("SecurityPolicy_TLS13")))
            rule_find(v, it, "set security_policy = \"TLS_1_2\"",
                      "the API takes TLS below 1.2: %.*s", PX_FMT(policy));
    }
}

#define BOTH (VERIFY_GLOBAL | VERIFY_REGION)
const struct verify_rule rules_encryption[] = {
    {"PV-ENC-01", "Buckets are encrypted with an own key", AT_REST,
     "each bucket has SSE-KMS with a customer managed key and a bucket key; those that receive S3's "
     "access logs may have SSE-S3",
     BOTH, VERIFY_ERROR, buckets},
    {"PV-ENC-02", "File systems are encrypted with an own key",
     "EFS access points provide tenant isolation and security boundaries within shared filesystems.",
     "encrypted, with a customer managed key", BOTH, VERIFY_ERROR, file_systems},
    {"PV-ENC-03", "The database is encrypted with a regional key", DATABASE,
     "storage and insights have a customer managed key", VERIFY_REGION, VERIFY_ERROR, clusters},
    {"PV-ENC-04", "Tables are encrypted with an own key",
     "Tenant registry and idempotency tables utilize DynamoDB Global Tables for multi-region "
     "consistency and availability.",
     "each table and replica has a customer managed key", BOTH, VERIFY_ERROR, tables},
    {"PV-ENC-05", "Queues are encrypted with an own key", SECURITY,
     "each queue has a customer managed key", BOTH, VERIFY_ERROR, queues},
    {"PV-ENC-06", "Topics are encrypted with an own key", SECURITY,
     "each topic has a customer managed key", BOTH, VERIFY_ERROR, topics},
    {"PV-ENC-07", "Log groups are encrypted with an own key", LOGS,
     "each log group has a customer managed key", BOTH, VERIFY_ERROR, log_groups},
    {"PV-ENC-08", "Secrets are encrypted with an own key", SECRETS,
     "each secret and SecureString has a customer managed key", BOTH, VERIFY_ERROR, secrets},
    {"PV-ENC-09", "Image repositories are encrypted with an own key",
     "Complex functions with significant dependencies utilize container images stored in Amazon "
     "ECR.",
     "each repository has a customer managed key", BOTH, VERIFY_ERROR, images},
    {"PV-ENC-10", "Backups are encrypted with an own key", DATABASE,
     "each vault has a customer managed key", BOTH, VERIFY_ERROR, vaults},
    {"PV-ENC-11", "Environments of functions are encrypted with an own key",
     "Configuration parameters are injected through environment variables with standardized naming "
     "conventions.",
     "each function with an environment, and each schedule, has a customer managed key", BOTH,
     VERIFY_ERROR, functions},
    {"PV-ENC-12", "Results of Athena are encrypted with an own key", AT_REST,
     "the workgroup encrypts and enforces it", VERIFY_REGION, VERIFY_ERROR, athena},
    {"PV-ENC-13", "Streams and workflows are encrypted with an own key", SECURITY,
     "streams have a customer managed key, and workflows that name a key a customer's", BOTH,
     VERIFY_ERROR, streams},
    {"PV-ENC-14", "Keys rotate and are deleted slowly", DATABASE,
     "rotation is on, and in prod a deletion takes 30 days", BOTH, VERIFY_ERROR, key_rotation},
    {"PV-ENC-15", "Buckets, queues and topics refuse requests without TLS", SECURITY,
     "each has a policy that denies where aws:SecureTransport is false", BOTH, VERIFY_ERROR,
     tls_policies},
    {"PV-ENC-16", "The file system wants TLS, an identity and an access point",
     "Each tenant receives dedicated access points with POSIX user/group isolation and path-based "
     "restrictions that prevent cross-tenant data access.",
     "the file system's policy denies plain mounts and mounts past access points, and allows nobody "
     "without an identity",
     VERIFY_REGION, VERIFY_ERROR, file_system_policy},
    {"PV-ENC-17", "Database and proxy want TLS", DATABASE,
     "rds.force_ssl of the parameter group, require_tls of the proxy", VERIFY_REGION, VERIFY_ERROR,
     database_tls},
    {"PV-ENC-18", "The edge speaks TLS 1.2 on both sides", TLS,
     "minimum protocol, viewer and origin policies of the distribution", VERIFY_GLOBAL,
     VERIFY_ERROR, edge_tls},
    {"PV-ENC-19", "The API's domain speaks TLS 1.2", TLS, "security policy of the custom domain",
     VERIFY_REGION, VERIFY_ERROR, api_tls},
    {0},
};
