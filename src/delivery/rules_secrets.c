/* delivery/rules_secrets.c - nothing secret in a plan, and so in no state. */
#include "delivery/eval.h"
#include "delivery/rule.h"

#define MANAGED                                                                                    \
    "Sensitive configuration data is managed through AWS Secrets Manager with automatic rotation " \
    "policies and secure access patterns."
#define SCOPED "Secrets are scoped to specific services and environments to minimize exposure risk."

static bool is_run_of(struct px_str text, size_t from, size_t n, bool (*fits)(char c))
{
    if (from + n > text.len) return false;
    for (size_t i = 0; i < n; i++)
        if (!fits(text.ptr[from + i])) return false;
    return true;
}
static bool is_upper_or_digit(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
static bool is_word(char c)
{
    return is_upper_or_digit(c) || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
}

/* Shapes that their makers document, so that leaks can be found: AWS access key ids, private keys in
 * PEM, GitHub and Slack tokens. */
bool rule_looks_secret(struct px_str text)
{
    static const struct {
        const char *begin;
        size_t n;
        bool (*fits)(char c);
    } shapes[] = {
        {"AKIA", 16, is_upper_or_digit}, {"ASIA", 16, is_upper_or_digit},
        {"ghp_", 36, is_word},           {"gho_", 36, is_word},
        {"ghs_", 36, is_word},           {"github_pat_", 22, is_word},
        {"xoxb-", 20, is_word},          {"xoxp-", 20, is_word},
        {"sk_live_", 20, is_word},
    };
    if (text.len >= 20 && text_find(text, S("PRIVATE KEY-----"))) return true;
    for (size_t s = 0; s < PX_COUNT(shapes); s++) {
        size_t n = strlen(shapes[s].begin);
        for (size_t i = 0; i + n + shapes[s].n <= text.len; i++) {
            if (memcmp(text.ptr + i, shapes[s].begin, n) != 0) continue;
            if (i > 0 && is_word(text.ptr[i - 1])) continue;
            if (is_run_of(text, i + n, shapes[s].n, shapes[s].fits)) return true;
        }
    }
    return false;
}

static void no_values(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_secretsmanager_secret_version", it)) {
        rule_look(v);
        if (plan_is_set(it, "secret_string") || plan_is_set(it, "secret_binary"))
            rule_find(v, it, "use secret_string_wo with an ephemeral value",
                      "the secret's value is in the plan and in the state");
    }
    for (plan_each(v->plan, "aws_ssm_parameter", it)) {
        rule_look(v);
        bool plain = plan_is_set(it, "value") || plan_is_set(it, "insecure_value");
        if (rule_is(plan_text(it, "type"), "SecureString") && plain)
            rule_find(v, it, "use value_wo with an ephemeral value",
                      "the parameter's value is in the plan and in the state");
    }
}

static void no_passwords(struct verify *v)
{
    static const struct {
        const char *type, *path;
    } places[] = {{"aws_rds_cluster", "master_password"},        {"aws_db_instance", "password"},
                  {"aws_rds_global_cluster", "master_password"}, {"aws_db_proxy", "auth.password"},
                  {"aws_api_gateway_api_key", "value"},          {"aws_iam_access_key", "secret"}};
    rule_look(v);
    for (size_t i = 0; i < PX_COUNT(places); i++)
        for (plan_each(v->plan, places[i].type, it)) {
            rule_look(v);
            if (plan_is_set(it, places[i].path))
                rule_find(v, it, "let AWS make and keep it, or use a write-only argument",
                          "%s is in the plan and in the state", places[i].path);
        }
}

static bool has_secret(yyjson_val *json)
{
    size_t i, n;
    yyjson_val *key, *item;
    if (yyjson_is_str(json)) return rule_looks_secret(px_json_val_str(json));
    if (yyjson_is_arr(json)) {
        yyjson_arr_foreach(json, i, n, item) if (has_secret(item)) return true;
    } else if (yyjson_is_obj(json)) {
        yyjson_obj_foreach(json, i, n, key, item) if (has_secret(item)) return true;
    }
    return false;
}

static void no_shapes(struct verify *v)
{
    size_t i, n;
    yyjson_val *key, *given;
    for (size_t r = 0; r < v->plan->resource_count; r++) {
        struct plan_resource *it = v->plan->resources[r];
        rule_look(v);
        if (rule_is(it->type, "aws_caller_identity")) continue; /* an id, not its secret */
        if (has_secret(it->known))
            rule_find(v, it, "take it out, and revoke it: it has been in a file",
                      "an attribute has the shape of a credential");
    }
    px_json_obj_foreach(px_json_obj(v->plan->root, "variables"), i, n, key, given)
    {
        rule_look(v);
        if (has_secret(given))
            rule_find(v, NULL, "take it out, and revoke it: it has been in a file",
                      "variable %.*s has the shape of a credential", PX_FMT(px_json_val_str(key)));
    }
}

static bool sounds_secret(struct px_str name)
{
    static const char *const words[] = {"password",   "secret_string", "private_key",
                                        "access_key", "api_key_value", "token_value"};
    for (size_t i = 0; i < PX_COUNT(words); i++)
        if (text_find(name, px_str_c(words[i])))
            return !px_str_ends(name, S("_arn")) && !px_str_ends(name, S("_arns"));
    return false;
}

static void outputs(struct verify *v)
{
    size_t i, n;
    yyjson_val *key, *output;
    rule_look(v);
    px_json_obj_foreach(px_json_at(v->plan->root, "configuration.root_module.outputs"), i, n, key,
                        output)
    {
        rule_look(v);
        if (sounds_secret(px_json_val_str(key)) && !px_json_bool(output, "sensitive", false))
            rule_find(v, NULL, "remove the output, or mark it sensitive",
                      "output %.*s sounds secret and is printed", PX_FMT(px_json_val_str(key)));
    }
}

static void scoped(struct verify *v)
{
    if (!rule_needs(v, "aws_secretsmanager_secret", "module security makes the secrets")) return;
    for (plan_each(v->plan, "aws_secretsmanager_secret", it)) {
        struct px_str name = plan_text(it, "name");
        struct px_str scope = px_arena_printf(v->arena, "%.*s/%.*s/", PX_FMT(v->plan->project),
                                              PX_FMT(v->plan->environment));
        rule_look(v);
        if (name.len > 0 && !px_str_starts(name, scope) &&
            !px_str_starts(px_str_skip(name, 1), scope))
            rule_find(v, it, "begin its name with project and environment",
                      "the secret %.*s is scoped to no environment", PX_FMT(name));
        if (!rule_companion(v, "aws_secretsmanager_secret_policy", "secret_arn", it) &&
            !plan_is_set(it, "policy"))
            rule_find(v, it, "add an aws_secretsmanager_secret_policy that names its readers",
                      "everybody who may read secrets may read this one");
    }
}

static const struct value *replica_in(const struct value *replicas, struct px_str region)
{
    for (size_t i = 0; i < value_count(replicas); i++)
        if (px_str_eq(value_str(value_get(value_item(replicas, i), S("region"))), region))
            return value_item(replicas, i);
    return NULL;
}

/* A secret of the global stack is one that all regions need: in each of them, under a key of the customer's there. */
static void replicated(struct verify *v)
{
    const struct value *regions = eval_variable(v->plan->module, S("regions"));
    if (!rule_needs(v, "aws_secretsmanager_secret", "infra/global/secrets.tf makes them")) return;
    for (plan_each(v->plan, "aws_secretsmanager_secret", it)) {
        for (size_t i = 0; value_is(regions, VALUE_MAP) && i < regions->map.count; i++) {
            struct px_str region = regions->map.fields[i].name;
            const struct value *replica = replica_in(plan_get(it, "replica"), region);
            rule_look(v);
            if (px_str_eq(region, v->plan->region)) continue;
            if (!replica)
                rule_find(
                    v, it, "add a replica block for every region",
                    "it is not in %.*s: what is signed or hashed with it elsewhere is nothing "
                    "there",
                    PX_FMT(region));
            else if (value_is_null(value_get(replica, S("kms_key_id"))))
                rule_find(v, it, "set kms_key_id of the replica to a key of that region",
                          "its replica in %.*s is under a key of AWS's", PX_FMT(region));
        }
    }
}

/* Security Hub's control SecretsManager.4 asks for as much unless told otherwise:
 * docs.aws.amazon.com/securityhub/latest/userguide/secretsmanager-controls.html */
#define ROTATION_DAYS_MAX 90

static bool is_rotator(struct verify *v, const struct value *arn)
{
    struct px_str name = px_arena_printf(v->arena, "%.*s-rotation", PX_FMT(v->plan->prefix));
    struct plan_resource *target = plan_target(v->plan, arn);
    return target && px_str_starts(target->type, S("aws_lambda_")) &&
           px_str_eq(plan_text(target, "function_name"), name);
}

static bool may_be_called_for(struct verify *v, const struct plan_resource *secret)
{
    for (plan_each(v->plan, "aws_lambda_permission", it))
        if (px_str_starts(plan_text(it, "principal"), S("secretsmanager.")) &&
            rule_names(v, plan_get(it, "source_arn"), secret))
            return true;
    return false;
}

static void rotates_here(struct verify *v, struct plan_resource *secret)
{
    struct plan_resource *rotation = rule_companion(v, "aws_secretsmanager_secret_rotation",
                                                    "secret_id", secret);
    rule_look(v);
    if (!rotation) {
        rule_find(v, secret, "name it in `rotation.secrets` of module security",
                  "it never gets another value");
        return;
    }
    double days = plan_number(rotation, "rotation_rules.automatically_after_days", 0);
    bool scheduled = plan_is_set(rotation, "rotation_rules.schedule_expression");
    if (!scheduled && (days < 1 || days > ROTATION_DAYS_MAX))
        rule_find(v, rotation, "set rotation.days to 1 to 90", "it rotates after %.0f days", days);
    if (!is_rotator(v, plan_get(rotation, "rotation_lambda_arn")))
        rule_find(v, rotation, "let it be alias live of function `rotation`",
                  "something else than function `rotation` is called");
    if (!may_be_called_for(v, secret))
        rule_find(v, rotation,
                  "add an aws_lambda_permission for secretsmanager.amazonaws.com and this secret",
                  "Secrets Manager may not call the function for it");
}

static struct plan *home_of(struct verify *v)
{
    for (size_t i = 0; i < v->plan_count; i++)
        if (v->plans[i]->kind == PLAN_REGION && px_str_eq(v->plans[i]->region, v->plan->region))
            return v->plans[i];
    return NULL;
}

/* A secret of the global stack has its rotation in the home region's stack, which knows its ARN. */
static void rotates_at_home(struct verify *v, struct plan_resource *secret)
{
    struct plan *home = home_of(v);
    struct px_str part = px_arena_printf(v->arena, ":secret:%.*s-",
                                         PX_FMT(plan_text(secret, "name")));
    rule_look(v);
    if (!home) return;
    for (plan_each(home, "aws_secretsmanager_secret_rotation", it))
        if (text_find(plan_text(it, "secret_id"), part)) return;
    rule_find(v, secret, "hand it to module security of the home region in `rotation.shared`",
              "the stack of its home region, %.*s, does not rotate it", PX_FMT(home->region));
}

static void rotation(struct verify *v)
{
    if (!rule_needs(v, "aws_secretsmanager_secret", "module security makes the secrets")) return;
    for (plan_each(v->plan, "aws_secretsmanager_secret", it))
        (v->plan->kind == PLAN_GLOBAL ? rotates_at_home : rotates_here)(v, it);
}

#define BOTH (VERIFY_GLOBAL | VERIFY_REGION)
const struct verify_rule rules_secrets[] = {
    {"PV-SEC-01", "No value of a secret is planned", MANAGED,
     "secret versions and SecureStrings have write-only values", BOTH, VERIFY_ERROR, no_values},
    {"PV-SEC-02", "No password is planned", MANAGED, "passwords of every type that has one", BOTH,
     VERIFY_ERROR, no_passwords},
    {"PV-SEC-03", "Nothing in the plan has the shape of a credential", SCOPED,
     "all texts of resources and variables are looked at", BOTH, VERIFY_ERROR, no_shapes},
    {"PV-SEC-04", "Outputs print no secret", SCOPED, "names of outputs that are not sensitive",
     BOTH, VERIFY_ERROR, outputs},
    {"PV-SEC-05", "Secrets are scoped and name their readers", SCOPED,
     "names begin with project and environment, and a policy says who reads", BOTH, VERIFY_ERROR,
     scoped},
    {"PV-SEC-06", "Secrets that all regions share are in every region", MANAGED,
     "a replica under its own key in each region of variable `regions`", VERIFY_GLOBAL,
     VERIFY_ERROR, replicated},
    {"PV-SEC-07", "Secrets rotate", MANAGED,
     "each secret's rotation within 90 days by function `rotation`, which Secrets Manager may call; "
     "of shared ones in the home region's plan",
     BOTH, VERIFY_ERROR, rotation},
    {0},
};
