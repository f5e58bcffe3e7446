/* delivery/rules_iam.c - least privilege, as far as policies can tell it. */
#include "delivery/rule.h"
#include "delivery/rules_elsewhere.h"
#include "delivery/rules_machines.h"

#define TEMPLATES                                                                                   \
    "Each service type utilizes predefined IAM role templates that provide least-privilege access " \
    "to required AWS resources."
#define TENANTS                                                                                    \
    "Role templates are parameterized to support tenant-specific resource access patterns while "  \
    "maintaining security boundaries."
#define PIPELINE                                                                                   \
    "Automated deployment pipelines manage infrastructure provisioning, application deployment, "  \
    "and configuration updates across multiple environments and regions."
#define SCOPED "Secrets are scoped to specific services and environments to minimize exposure risk."

/* ---- wildcards ---- */

/* Whether the reviewed list allows an action a wildcard at an address; notes that the entry is used. */
static bool is_reviewed(struct verify *v, struct px_str address, struct px_str action)
{
    bool found = false;
    for (size_t i = 0; i < value_count(v->wildcards); i++) {
        const struct value *entry = value_item(v->wildcards, i);
        struct px_str where = value_str(value_get(entry, S("address")));
        struct px_str what = value_str(value_get(entry, S("action")));
        if (!px_str_ieq(what, action) || !rule_glob(where, address)) continue;
        v->wildcards_used[i] = true;
        found = true;
    }
    return found;
}

/* "*", or an ARN that names nothing behind the account. */
static bool is_any_resource(struct px_str resource)
{
    if (rule_is(resource, "*")) return true;
    struct px_str rest = resource, part;
    if (!px_str_starts(resource, S("arn:"))) return false;
    for (int i = 0; i < 5; i++) (void)px_str_cut(&rest, ':', &part);
    return rule_is(rest, "*");
}

static bool has_any_resource(const struct rule_statement *s)
{
    for (size_t i = 0; i < value_count(s->resources); i++)
        if (is_any_resource(value_str(value_item(s->resources, i)))) return true;
    return false;
}

typedef void each_policy(struct verify *v, struct plan_resource *holder, const struct value *text,
                         bool identity);

static void each_identity_policy(struct verify *v, each_policy *fn)
{
    static const char *const types[] = {"aws_iam_policy", "aws_iam_role_policy",
                                        "aws_iam_group_policy", "aws_iam_user_policy"};
    for (size_t t = 0; t < PX_COUNT(types); t++)
        for (plan_each(v->plan, types[t], it)) fn(v, it, plan_get(it, "policy"), true);
    for (plan_each(v->plan, "aws_iam_role", it)) {
        if (!plan_is_written(it, "inline_policy")) continue; /* read back: policies of their own */
        const struct value *blocks = plan_get(it, "inline_policy");
        for (size_t i = 0; i < value_count(blocks); i++) {
            const struct value *text = value_get(value_item(blocks, i), S("policy"));
            if (!value_is_null(text)) fn(v, it, text, true);
        }
    }
}

static void each_resource_policy(struct verify *v, each_policy *fn)
{
    static const char *const types[] = {
        "aws_s3_bucket_policy",
        "aws_sqs_queue_policy",
        "aws_sns_topic_policy",
        "aws_ecr_repository_policy",
        "aws_kms_key",
        "aws_kms_replica_key",
        "aws_kms_key_policy",
        "aws_secretsmanager_secret_policy",
        "aws_efs_file_system_policy",
        "aws_backup_vault_policy",
        "aws_cloudwatch_log_resource_policy",
        "aws_vpc_endpoint",
    };
    for (size_t t = 0; t < PX_COUNT(types); t++)
        for (plan_each(v->plan, types[t], it)) {
            bool of_logs = rule_is(it->type, "aws_cloudwatch_log_resource_policy");
            const char *path = of_logs ? "policy_document" : "policy";
            if (plan_is_set(it, path)) fn(v, it, plan_get(it, path), false);
        }
}

static void check_actions(struct verify *v, struct plan_resource *holder, const struct value *text,
                          bool identity)
{
    struct rule_statement *statements = NULL;
    int count = rule_statements(v, text, &statements);
    rule_look(v);
    if (count < 0 && identity)
        rule_find(v, holder, "write the policy with jsonencode or aws_iam_policy_document",
                  "the policy cannot be read before apply");
    for (int i = 0; i < count; i++) {
        const struct rule_statement *s = &statements[i];
        for (size_t a = 0; s->allow && a < value_count(s->actions); a++) {
            struct px_str action = value_str(value_item(s->actions, a));
            if (action.len == 0 || !memchr(action.ptr, '*', action.len)) continue;
            if (!is_reviewed(v, holder->address, action))
                rule_find(
                    v, holder,
                    "name the actions that are needed, or add the wildcard to infra/wildcards.json with its reason",
                    "a statement allows action %.*s", PX_FMT(action));
        }
        if (s->allow && s->not_actions)
            rule_find(v, holder, "name the actions that are needed",
                      "a statement allows all actions but some (NotAction)");
    }
}

static void no_wild_actions(struct verify *v)
{
    rule_look(v);
    each_identity_policy(v, check_actions);
    each_resource_policy(v, check_actions);
}

static void check_resources(struct verify *v, struct plan_resource *holder,
                            const struct value *text, bool identity)
{
    struct rule_statement *statements = NULL;
    int count = rule_statements(v, text, &statements);
    (void)identity;
    rule_look(v);
    for (int i = 0; i < count; i++) {
        const struct rule_statement *s = &statements[i];
        if (s->allow && s->not_resources)
            rule_find(v, holder, "name the resources that are needed",
                      "a statement allows all resources but some (NotResource)");
        if (!s->allow || !has_any_resource(s)) continue;
        for (size_t a = 0; a < value_count(s->actions); a++) {
            struct px_str action = value_str(value_item(s->actions, a));
            if (!is_reviewed(v, holder->address, action))
                rule_find(
                    v, holder,
                    "name the resources, or add the action to infra/wildcards.json with the reason",
                    "a statement allows %.*s on every resource", PX_FMT(action));
        }
    }
}

static void no_wild_resources(struct verify *v)
{
    rule_look(v);
    each_identity_policy(v, check_resources);
    /* In a resource's own policy * is that resource; in an endpoint's it is everything behind it. */
    for (plan_each(v->plan, "aws_vpc_endpoint", it))
        if (plan_is_written(it, "policy")) check_resources(v, it, plan_get(it, "policy"), false);
}

/* Only when both kinds of stack were looked at: an entry may be for the other one. */
static void stale_wildcards(struct verify *v)
{
    bool global = false, region = false;
    for (size_t i = 0; i < v->plan_count; i++)
        *(v->plans[i]->kind == PLAN_GLOBAL ? &global : &region) = true;
    if (!global || !region || !verify_is_wanted(v->options, &rules_iam[0]) ||
        !verify_is_wanted(v->options, &rules_iam[1]))
        return;
    for (size_t i = 0; i < value_count(v->wildcards); i++) {
        const struct value *entry = value_item(v->wildcards, i);
        rule_look(v);
        if (!v->wildcards_used[i])
            rule_find(v, NULL, "remove the entry from infra/wildcards.json",
                      "no policy needs the wildcard for %.*s at %.*s any more",
                      PX_FMT(value_str(value_get(entry, S("action")))),
                      PX_FMT(value_str(value_get(entry, S("address")))));
        if (value_str(value_get(entry, S("reason"))).len == 0)
            rule_find(v, NULL, "write the reason into infra/wildcards.json",
                      "the wildcard for %.*s has no reason",
                      PX_FMT(value_str(value_get(entry, S("action")))));
    }
}

/* ---- roles ---- */

static bool trusts(const struct rule_statement *s, const char *service)
{
    for (size_t i = 0; i < value_count(s->principals); i++) {
        struct px_str p = value_str(value_item(s->principals, i));
        if (px_str_starts(p, S("Service:")) && px_str_starts(px_str_skip(p, 8), px_str_c(service)))
            return true;
    }
    return false;
}

/* Whether something of the plan runs with the role, whoever is trusted to. */
static bool is_run_with(struct verify *v, struct plan_resource *role)
{
    static const struct {
        const char *type, *path;
    } runs[] = {{"aws_lambda_function", "role"},
                {"aws_sfn_state_machine", "role_arn"},
                {"aws_scheduler_schedule", "target.role_arn"}};
    for (size_t i = 0; i < PX_COUNT(runs); i++)
        if (rule_companion(v, runs[i].type, runs[i].path, role)) return true;
    return false;
}

static void boundaries(struct verify *v)
{
    static const char *const services[] = {"lambda.", "edgelambda.", "states.", "scheduler."};
    rule_look(v);
    for (plan_each(v->plan, "aws_iam_role", it)) {
        struct rule_statement *statements = NULL;
        int count = rule_statements(v, plan_get(it, "assume_role_policy"), &statements);
        bool bounded = is_run_with(v, it);
        for (int i = 0; i < count; i++)
            for (size_t s = 0; s < PX_COUNT(services); s++)
                bounded = bounded || trusts(&statements[i], services[s]);
        if (!bounded) continue;
        rule_look(v);
        if (!plan_is_set(it, "permissions_boundary"))
            rule_find(v, it, "set permissions_boundary to the stack's boundary",
                      "the role of a function, schedule or workflow has no permissions boundary");
    }
}

/* Services that say for whom they act; Lambda, RDS and CloudFront's edge do not.
 * docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html and the services' own pages. */
static bool says_for_whom(struct px_str principal)
{
    static const char *const services[] = {"states.", "scheduler.", "vpc-flow-logs.", "events.",
                                           "pipes.",  "firehose.",  "backup."};
    if (!px_str_starts(principal, S("Service:"))) return false;
    for (size_t i = 0; i < PX_COUNT(services); i++)
        if (px_str_starts(px_str_skip(principal, 8), px_str_c(services[i]))) return true;
    return false;
}

static void check_trust(struct verify *v, struct plan_resource *role,
                        const struct rule_statement *s)
{
    bool scoped = rule_has_condition(s, "aws:SourceAccount") ||
                  rule_has_condition(s, "aws:SourceArn") ||
                  rule_has_condition(s, "aws:SourceOrgID");
    for (size_t i = 0; s->allow && i < value_count(s->principals); i++) {
        struct px_str p = value_str(value_item(s->principals, i));
        if (rule_is(p, "AWS:*") && value_count(s->conditions) == 0)
            rule_find(v, role, "name who may assume the role", "anybody may assume the role");
        if (says_for_whom(p) && !scoped)
            rule_find(v, role, "add a condition on aws:SourceAccount or aws:SourceArn",
                      "%.*s may assume the role for another account", PX_FMT(p));
    }
    if (s->allow && s->not_principals)
        rule_find(v, role, "name who may assume the role",
                  "everybody but some may assume the role");
}

static void trust(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_iam_role", it)) {
        struct rule_statement *statements = NULL;
        int count = rule_statements(v, plan_get(it, "assume_role_policy"), &statements);
        rule_look(v);
        if (count < 0)
            rule_find(v, it, "write the policy with jsonencode or aws_iam_policy_document",
                      "who may assume the role cannot be read before apply");
        for (int i = 0; i < count; i++) check_trust(v, it, &statements[i]);
    }
}

/* The subject names a repository and not every branch of it. */
static bool subject_is_narrow(const struct rule_statement *s)
{
    bool found = false;
    for (size_t i = 0; i < value_count(s->conditions); i++) {
        struct px_str test, name, rest = value_str(value_item(s->conditions, i));
        (void)px_str_cut(&rest, ':', &test);
        if (px_str_starts(rest, S("token.actions."))) (void)px_str_cut(&rest, ':', &name);
        if (!px_str_starts(rest, S("sub="))) continue;
        struct px_str subject = px_str_skip(rest, 4);
        bool wild = subject.len == 0 || px_str_ends(subject, S(":*")) || rule_is(subject, "*");
        if (wild) return false;
        found = true;
    }
    return found;
}

static bool has_audience(const struct rule_statement *s)
{
    for (size_t i = 0; i < value_count(s->conditions); i++) {
        struct px_str text = value_str(value_item(s->conditions, i));
        if (text_find(text, S(":aud="))) return true;
    }
    return false;
}

static void oidc_trust(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_iam_role", it)) {
        struct rule_statement *statements = NULL;
        int count = rule_statements(v, plan_get(it, "assume_role_policy"), &statements);
        for (int i = 0; i < count; i++) {
            const struct rule_statement *s = &statements[i];
            if (!s->allow || !rule_in_list(s->actions, "sts:AssumeRoleWithWebIdentity")) continue;
            rule_look(v);
            if (!subject_is_narrow(s))
                rule_find(
                    v, it,
                    "add a condition on :sub that names the repository and its environment or branch",
                    "any job of the identity provider, or of the repository, may assume the role");
            if (!has_audience(s))
                rule_find(v, it, "add a condition on :aud",
                          "tokens for another audience are taken");
        }
    }
}

static void no_users(struct verify *v)
{
    static const char *const types[] = {"aws_iam_user",         "aws_iam_access_key",
                                        "aws_iam_user_policy",  "aws_iam_user_login_profile",
                                        "aws_iam_group_policy", "aws_iam_user_policy_attachment"};
    rule_look(v);
    for (size_t i = 0; i < PX_COUNT(types); i++)
        for (plan_each(v->plan, types[i], it))
            rule_find(v, it,
                      "use roles: functions have one each, pipelines assume one through OIDC",
                      "%s gives somebody lasting credentials", types[i]);
}

static void managed_policies(struct verify *v)
{
    static const char *const wide[] = {"AdministratorAccess", "PowerUserAccess", "IAMFullAccess",
                                       "FullAccess", "ReadOnlyAccess"};
    rule_look(v);
    for (plan_each(v->plan, "aws_iam_role_policy_attachment", it)) {
        struct px_str arn = plan_text(it, "policy_arn");
        rule_look(v);
        for (size_t i = 0; i < PX_COUNT(wide); i++) {
            if (!px_str_ends(arn, px_str_c(wide[i]))) continue;
            rule_find(v, it, "write a policy of what is needed",
                      "AWS's policy %.*s is wider than any role here needs", PX_FMT(arn));
            break;
        }
    }
}

/* ---- what roles may pass, and to whom ---- */

static void check_pass_role(struct verify *v, struct plan_resource *holder,
                            const struct value *text, bool identity)
{
    struct rule_statement *statements = NULL;
    int count = rule_statements(v, text, &statements);
    (void)identity;
    for (int i = 0; i < count; i++) {
        const struct rule_statement *s = &statements[i];
        if (!s->allow || !rule_in_list(s->actions, "iam:PassRole")) continue;
        rule_look(v);
        if (has_any_resource(s))
            rule_find(v, holder, "name the roles that may be passed", "any role may be passed on");
        if (!rule_has_condition(s, "iam:PassedToService"))
            rule_find(v, holder, "add a condition on iam:PassedToService",
                      "roles may be passed to any service");
    }
}

static void pass_role(struct verify *v)
{
    rule_look(v);
    each_identity_policy(v, check_pass_role);
}

static void check_anybody(struct verify *v, struct plan_resource *holder, const struct value *text,
                          bool identity)
{
    struct rule_statement *statements = NULL;
    int count = rule_statements(v, text, &statements);
    (void)identity;
    rule_look(v);
    for (int i = 0; i < count; i++) {
        const struct rule_statement *s = &statements[i];
        bool anybody = rule_in_list(s->principals, "AWS:*") || rule_in_list(s->principals, "*:*");
        if (s->allow && (anybody || s->not_principals) && value_count(s->conditions) == 0)
            rule_find(v, holder, "name who may, or add a condition on the account",
                      "its policy allows anybody something");
    }
}

static void resource_policies(struct verify *v)
{
    rule_look(v);
    each_resource_policy(v, check_anybody);
    for (plan_each(v->plan, "aws_lambda_permission", it)) {
        rule_look(v);
        if (!plan_is_set(it, "source_arn") && !plan_is_set(it, "source_account") &&
            !plan_is_set(it, "principal_org_id"))
            rule_find(v, it, "set source_arn to the caller",
                      "%.*s may call the function for any account",
                      PX_FMT(rule_shown(v, it, "principal")));
    }
}

/* ---- functions against the catalogue ---- */

static bool may_write(struct px_str word)
{
    return rule_is(word, "read-write") || rule_is(word, "list-write") || rule_is(word, "append") ||
           rule_is(word, "read-remove");
}

static bool may_list(struct px_str word)
{
    return rule_is(word, "list") || rule_is(word, "list-write");
}

static bool writes(struct px_str action)
{
    static const char *const verbs[] = {":Put",    ":Delete",      ":Update",     ":BatchWrite",
                                        ":Create", ":ClientWrite", ":ClientRoot", ":Abort"};
    for (size_t i = 0; i < PX_COUNT(verbs); i++)
        if (text_find(action, px_str_c(verbs[i]))) return true;
    return false;
}

/* Of a table that is only appended to, items are put and read; IAM cannot tell a first put from a second, the chain of what is
 * appended does. */
static bool changes_appended(struct px_str store, struct px_str action, struct px_str word)
{
    return rule_is(word, "append") && px_str_starts(store, S("tables.")) &&
           !rule_is(action, "dynamodb:GetItem") && !rule_is(action, "dynamodb:PutItem");
}

/* The word that the catalogue has for a store; empty: the function may not touch it. */
static struct px_str word_for(const struct rule_function *f, struct px_str store)
{
    return value_str(value_get(value_get(f->spec, S("stores")), store));
}

/* "tables.keys" of a table's ARN: its name without the prefix. */
static struct px_str table_store(struct verify *v, struct px_str resource)
{
    const char *found = text_find(resource, S(":table/"));
    if (!found) return S("");
    struct px_str rest = px_str_skip(resource, (size_t)(found + 7 - resource.ptr)), name;
    (void)px_str_cut(&rest, '/', &name);
    struct px_str base = px_arena_printf(v->arena, "%.*s-%.*s-", PX_FMT(v->plan->project),
                                         PX_FMT(v->plan->environment));
    if (!px_str_starts(name, base)) return name;
    struct px_str store = px_arena_printf(v->arena, "tables.%.*s",
                                          PX_FMT(px_str_skip(name, base.len)));
    for (size_t i = 0; i < store.len; i++)
        if (store.ptr[i] == '-') ((char *)(uintptr_t)store.ptr)[i] = '_';
    return store;
}

/* Which of the catalogue's object stores a bucket's ARN is: its name has the store's in it. */
static struct px_str bucket_store(struct verify *v, struct px_str resource)
{
    const struct value *stores = value_get(v->functions, S("stores"));
    if (rule_bucket_elsewhere(v, resource).len > 0) return S(""); /* PV-IAM-14's affair */
    struct plan_resource *bucket = plan_target_text(v->plan, resource);
    struct px_str name = bucket ? plan_text(bucket, "bucket") : resource;
    for (size_t i = 0; value_is(stores, VALUE_MAP) && i < stores->map.count; i++) {
        const struct value_field *store = &stores->map.fields[i];
        if (!rule_is(value_str(value_get(store->value, S("kind"))), "objects")) continue;
        if (name.len > 0 && text_find(name, store->name)) return store->name;
    }
    return S("");
}

/* What RDS keeps for a cluster: who owns the database may read it, and nobody else. */
static bool is_administrators(struct px_str action, struct px_str resource)
{
    return px_str_starts(action, S("secretsmanager:")) && text_find(resource, S(":secret:rds!"));
}

static struct px_str store_of(struct verify *v, struct px_str action, struct px_str resource)
{
    if (is_administrators(action, resource)) return S("meta");
    if (px_str_starts(action, S("dynamodb:"))) return table_store(v, resource);
    if (px_str_starts(action, S("s3:"))) return bucket_store(v, resource);
    if (px_str_starts(action, S("elasticfilesystem:"))) return S("hot");
    if (px_str_starts(action, S("rds-db:"))) return S("meta");
    if (px_str_starts(action, S("secretsmanager:"))) return S("secrets");
    if (px_str_starts(action, S("ssm:"))) return S("parameters");
    return S("");
}

static bool is_usual(struct px_str action)
{
    static const char *const services[] = {"logs:",       "xray:",
                                           "ec2:",        "kms:",
                                           "sqs:",        "sts:",
                                           "ssm:",        "s3:",
                                           "dynamodb:",   "elasticfilesystem:",
                                           "rds-db:",     "secretsmanager:",
                                           "cloudwatch:", "lambda:",
                                           "states:",     "apigateway:",
                                           "events:"};
    for (size_t i = 0; i < PX_COUNT(services); i++)
        if (px_str_starts(action, px_str_c(services[i]))) return true;
    return false;
}

static void check_store_use(struct verify *v, const struct rule_function *f,
                            struct plan_resource *holder, struct px_str action,
                            struct px_str resource)
{
    struct px_str store = store_of(v, action, resource);
    if (!is_usual(action))
        rule_find(v, holder, "remove the statement from the function's role",
                  "function %.*s may %.*s, which no function needs", PX_FMT(f->name),
                  PX_FMT(action));
    if (store.len == 0) return;
    struct px_str word = word_for(f, store);
    if (is_administrators(action, resource) && !rule_is(word, "own"))
        rule_find(v, holder, "remove the statement: the function `schema` alone owns the database",
                  "function %.*s may read the secret of the database's administrator",
                  PX_FMT(f->name));
    else if (word.len == 0)
        rule_find(v, holder, "remove the statement, or add the store to platform/functions.json",
                  "function %.*s may %.*s on %.*s, which the catalogue does not give it",
                  PX_FMT(f->name), PX_FMT(action), PX_FMT(store));
    else if ((writes(action) && !may_write(word)) ||
             (rule_is(action, "dynamodb:Scan") && !may_list(word)) ||
             changes_appended(store, action, word))
        rule_find(v, holder, "remove the action, or change the word in platform/functions.json",
                  "function %.*s may %.*s on %.*s, but the catalogue says %.*s", PX_FMT(f->name),
                  PX_FMT(action), PX_FMT(store), PX_FMT(word));
}

static void check_function_policy(struct verify *v, const struct rule_function *f,
                                  const struct rule_policy *policy)
{
    struct rule_statement *statements = NULL;
    int count = policy->text ? rule_statements(v, policy->text, &statements) : 0;
    if (count < 0)
        rule_find(v, policy->holder, "write the policy so that a plan shows it",
                  "what function %.*s may do cannot be read before apply", PX_FMT(f->name));
    for (int i = 0; i < count; i++) {
        const struct rule_statement *s = &statements[i];
        for (size_t a = 0; s->allow && a < value_count(s->actions); a++)
            for (size_t r = 0; r < PX_MAX(value_count(s->resources), 1); r++)
                check_store_use(v, f, policy->holder, value_str(value_item(s->actions, a)),
                                value_str(value_item(s->resources, r)));
    }
}

/* Every store that the catalogue gives is granted by some statement. */
static void check_granted(struct verify *v, const struct rule_function *f,
                          const struct rule_policy *policies, size_t policy_count)
{
    const struct value *stores = value_get(f->spec, S("stores"));
    for (size_t w = 0; value_is(stores, VALUE_MAP) && w < stores->map.count; w++) {
        bool granted = false;
        rule_look(v);
        for (size_t p = 0; p < policy_count && !granted; p++) {
            struct rule_statement *statements = NULL;
            int count = policies[p].text ? rule_statements(v, policies[p].text, &statements) : 0;
            for (int i = 0; i < count && !granted; i++)
                for (size_t a = 0; statements[i].allow && a < value_count(statements[i].actions);
                     a++)
                    for (size_t r = 0; r < value_count(statements[i].resources); r++)
                        granted = granted ||
                                  px_str_eq(
                                      store_of(v, value_str(value_item(statements[i].actions, a)),
                                               value_str(value_item(statements[i].resources, r))),
                                      stores->map.fields[w].name);
        }
        if (!granted)
            rule_find(v, f->resource, "add the statements of the store to the role",
                      "no statement lets the function touch %.*s, which the catalogue gives it",
                      PX_FMT(stores->map.fields[w].name));
    }
}

static void function_stores(struct verify *v)
{
    struct rule_function *all = NULL;
    if (!rule_has(v, v->functions, "functions.json")) return;
    size_t count = rule_functions(v, &all);
    for (size_t i = 0; i < count; i++) {
        struct rule_policy policies[16];
        if (!all[i].resource) continue; /* PV-FN-01 says so */
        struct plan_resource *role = plan_target(v->plan, plan_get(all[i].resource, "role"));
        rule_look(v);
        if (!role) {
            rule_find(v, all[i].resource, "make the role in the same stack",
                      "the function's role is not in the plan");
            continue;
        }
        size_t n = rule_role_policies(v, role, policies, PX_COUNT(policies));
        for (size_t p = 0; p < n; p++) check_function_policy(v, &all[i], &policies[p]);
        check_granted(v, &all[i], policies, n);
    }
}

static void own_roles(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_lambda_function", it)) {
        struct plan_resource *role = plan_target(v->plan, plan_get(it, "role"));
        rule_look(v);
        if (!role)
            rule_find(v, it, "make its role beside it and name that",
                      "its role %.*s is not of this plan: what it may do cannot be told",
                      PX_FMT(rule_shown(v, it, "role")));
        for (plan_each(v->plan, "aws_lambda_function", other))
            if (role && other->order > it->order &&
                plan_target(v->plan, plan_get(other, "role")) == role)
                rule_find(v, other, "give each function a role of its own",
                          "it shares its role with %.*s", PX_FMT(it->address));
    }
}

#define BOTH (VERIFY_GLOBAL | VERIFY_REGION)
#define REVIEWED                                                                                   \
    "in statements that allow, unless infra/wildcards.json lists address and action with a reason"
const struct verify_rule rules_iam[] = {
    {"PV-IAM-01", "No wildcard in an action", TEMPLATES, "no * in actions " REVIEWED, BOTH,
     VERIFY_ERROR, no_wild_actions},
    {"PV-IAM-02", "No statement for every resource", TEMPLATES, "no resource * " REVIEWED, BOTH,
     VERIFY_ERROR, no_wild_resources},
    {"PV-IAM-03", "Roles of functions and workflows have a boundary", TENANTS,
     "each role that Lambda, Step Functions or Scheduler assumes has a permissions boundary", BOTH,
     VERIFY_ERROR, boundaries},
    {"PV-IAM-04", "Trust names who and for whom", TENANTS,
     "no role is assumed by anybody, nor by a service on behalf of another account", BOTH,
     VERIFY_ERROR, trust},
    {"PV-IAM-05", "Pipelines are known by repository and environment", PIPELINE,
     "roles for OIDC have conditions on subject and audience", BOTH, VERIFY_ERROR, oidc_trust},
    {"PV-IAM-06", "No users and no lasting credentials", SCOPED,
     "no user, access key, login or group policy is planned", BOTH, VERIFY_ERROR, no_users},
    {"PV-IAM-07", "Functions touch the stores that the catalogue gives them", TEMPLATES,
     "statements of each function's role are compared with `stores` of platform/functions.json, both "
     "ways; who appends to a table deletes and updates nothing there",
     VERIFY_REGION, VERIFY_ERROR, function_stores},
    {"PV-IAM-08", "Roles are passed on only by name and to one service", TEMPLATES,
     "iam:PassRole names roles and has a condition on iam:PassedToService", BOTH, VERIFY_ERROR,
     pass_role},
    {"PV-IAM-09", "The list of reviewed wildcards has no dead entries", TEMPLATES,
     "each entry is needed by some policy of the plans and has a reason", BOTH | VERIFY_TOGETHER,
     VERIFY_WARNING, stale_wildcards},
    {"PV-IAM-10", "Policies of resources name who", SCOPED,
     "no bucket, queue, topic, key, repository, secret or function lets anybody in without a "
     "condition",
     BOTH, VERIFY_ERROR, resource_policies},
    {"PV-IAM-11", "No wide policy of AWS's", TEMPLATES, "attachments of managed policies", BOTH,
     VERIFY_ERROR, managed_policies},
    {"PV-IAM-12", "Each function has a role of its own", TEMPLATES,
     "roles of all functions are of the plan and compared", BOTH, VERIFY_ERROR, own_roles},
    {"PV-IAM-13", "Functions call other regions only as the catalogue says", TEMPLATES,
     "lambda:InvokeFunction of each function's role names, outside of the region, only what `elsewhere` of "
     "platform/functions.json names, without wildcards",
     VERIFY_REGION, VERIFY_ERROR, calls_elsewhere},
    {"PV-IAM-14", "Functions read other regions' stores only as the catalogue says", TEMPLATES,
     "what each function's role may do with buckets and keys of other regions is s3:GetObject on kinds of objects of "
     "`stores_elsewhere` of platform/functions.json and kms:Decrypt through S3 there, both ways",
     VERIFY_REGION, VERIFY_ERROR, reads_elsewhere},
    {"PV-IAM-15", "Functions run state machines only as the catalogue says", TEMPLATES,
     "what each function's role may do with Step Functions is to run the machines of `operates` and to start that of `starts` of "
     "platform/functions.json, each by name, both ways",
     VERIFY_REGION, VERIFY_ERROR, runs_machines},
    {0},
};
