/* delivery/rules_runs.c - see rules_runs.h.
 * What holds for every bucket (versions, key, TLS, nothing public, an end to leftovers) is said by the rules for all of them. */
#include "delivery/rules_runs.h"

#include "delivery/eval.h"
#include "delivery/rule.h"

#define POLICIES_MAX 64
#define JOURNAL "runs/\?\?\?\?\?\?/\?\?\?\?\?\?.json" /* every entry; \? is no trigraph */

struct store { /* as platform/pipeline.json describes it */
    struct px_str environment, prefix;
    struct px_str begin; /* of the bucket's name; the account's number follows */
};

static bool read_store(struct verify *v, struct store *ret)
{
    const struct value *store = value_get(v->pipeline, S("store"));
    struct px_str name = value_str(value_get(store, S("name")));
    *ret = (struct store){.environment = value_str(value_get(store, S("environment"))),
                          .prefix = value_str(value_get(store, S("prefix")))};
    ret->begin = px_arena_printf(v->arena, "%.*s-%.*s-%.*s-", PX_FMT(v->plan->project),
                                 PX_FMT(ret->environment), PX_FMT(name));
    if (name.len > 0 && ret->environment.len > 0 && ret->prefix.len > 0) return true;
    rule_find(v, NULL, "add \"store\": {\"environment\", \"name\", \"prefix\"}",
              "platform/pipeline.json does not say where its runs are kept");
    return false;
}

/* ---- resources of statements ---- */

/* What stands behind the bucket in an ARN of it, "" for the bucket itself; false: it is of another. */
static bool inside(const struct store *store, struct px_str arn, struct px_str *ret)
{
    struct px_str name = S(":::");
    const char *at = arn.len > 0 ? memmem(arn.ptr, arn.len, name.ptr, name.len) : NULL;
    if (!at) return false;
    *ret = px_str_skip(arn, (size_t)(at - arn.ptr) + name.len);
    if (!px_str_starts(*ret, store->begin)) return false;
    struct px_str bucket;
    if (!px_str_cut(ret, '/', &bucket)) *ret = S("");
    return true;
}

static bool names_inside(struct verify *v, const struct store *store,
                         const struct rule_statement *s, const char *what)
{
    struct px_str rest, want = px_arena_printf(v->arena, "%.*s/%s", PX_FMT(store->prefix), what);
    for (size_t i = 0; i < value_count(s->resources); i++)
        if (inside(store, value_str(value_item(s->resources, i)), &rest) && px_str_eq(rest, want))
            return true;
    return false;
}

/* ---- the bucket ---- */

static bool denies(struct verify *v, const struct store *store, const struct value *policy,
                   const char *action, const char *objects, const char *condition)
{
    struct rule_statement *s = NULL;
    int count = rule_statements(v, policy, &s);
    for (int i = 0; i < count; i++)
        if (!s[i].allow && rule_in_list(s[i].actions, action) &&
            names_inside(v, store, &s[i], objects) &&
            (condition ? rule_has_condition(&s[i], condition) : value_count(s[i].conditions) == 0))
            return true;
    return false;
}

static void look_at_bucket(struct verify *v, const struct store *store)
{
    struct plan_resource *bucket = NULL;
    rule_look(v);
    for (plan_each(v->plan, "aws_s3_bucket", it))
        if (px_str_starts(plan_text(it, "bucket"), store->begin)) bucket = it;
    if (!bucket) {
        rule_find(v, NULL, "make the bucket, as infra/global/runs.tf does",
                  "there is no bucket %.*s<account> for the pipeline's runs", PX_FMT(store->begin));
        return;
    }
    struct plan_resource *holder = rule_companion(v, "aws_s3_bucket_policy", "bucket", bucket);
    const struct value *policy = plan_get(holder ? holder : bucket, "policy");
    rule_look(v);
    if (!denies(v, store, policy, "s3:PutObject", JOURNAL, "s3:if-none-match"))
        rule_find(v, bucket, "deny s3:PutObject on the journal without s3:if-none-match",
                  "entries of the journal can be replaced: it is the audit log and the lock");
    if (plan_truth(bucket, "force_destroy")) return; /* for a test: it has to go again */
    if (!denies(v, store, policy, "s3:DeleteObject", "runs/*", NULL) ||
        !denies(v, store, policy, "s3:DeleteObjectVersion", "runs/*", NULL))
        rule_find(v, bucket, "deny s3:DeleteObject and s3:DeleteObjectVersion on the runs",
                  "runs can be deleted: they are the audit log");
}

/* ---- roles ---- */

struct rights {
    bool reads, writes, lists;
};

static void look_at_statement(struct verify *v, const struct store *store,
                              const struct rule_policy *policy, const struct rule_statement *s,
                              struct rights *rights)
{
    struct px_str rest;
    if (!s->allow) return;
    bool below = names_inside(v, store, s, "*");
    rights->reads = rights->reads || (below && rule_in_list(s->actions, "s3:GetObject"));
    rights->writes = rights->writes || (below && rule_in_list(s->actions, "s3:PutObject"));
    for (size_t i = 0; i < value_count(s->resources); i++) {
        if (!inside(store, value_str(value_item(s->resources, i)), &rest)) continue;
        rule_look(v);
        rights->lists = rights->lists ||
                        (rest.len == 0 && rule_in_list(s->actions, "s3:ListBucket"));
        if (rule_in_list(s->actions, "s3:DeleteObject") ||
            rule_in_list(s->actions, "s3:DeleteObjectVersion"))
            rule_find(v, policy->holder, "leave it out: nothing in the store is deleted",
                      "the pipeline may delete its own runs");
        bool objects = rule_in_list(s->actions, "s3:PutObject") ||
                       rule_in_list(s->actions, "s3:GetObject");
        if (objects &&
            !px_str_starts(rest, px_arena_printf(v->arena, "%.*s/", PX_FMT(store->prefix))))
            rule_find(v, policy->holder, "name the prefix of platform/pipeline.json",
                      "the pipeline may use its bucket beyond %.*s/", PX_FMT(store->prefix));
    }
}

static bool is_pipelines(struct verify *v, struct plan_resource *role)
{
    struct rule_statement *s = NULL;
    int count = rule_statements(v, plan_get(role, "assume_role_policy"), &s);
    for (int i = 0; i < count; i++)
        if (s[i].allow && rule_in_list(s[i].actions, "sts:AssumeRoleWithWebIdentity")) return true;
    return false;
}

static struct rights rights_of(struct verify *v, const struct store *store,
                               struct plan_resource *role)
{
    struct rule_policy policies[POLICIES_MAX];
    struct rights rights = {0};
    size_t count = rule_role_policies(v, role, policies, POLICIES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct rule_statement *s = NULL;
        int n = policies[i].text ? rule_statements(v, policies[i].text, &s) : 0;
        for (int k = 0; k < n; k++) look_at_statement(v, store, &policies[i], &s[k], &rights);
    }
    return rights;
}

static void look_at_roles(struct verify *v, const struct store *store)
{
    bool writes = false;
    for (plan_each(v->plan, "aws_iam_role", it)) {
        if (!is_pipelines(v, it)) continue;
        struct rights rights = rights_of(v, store, it);
        rule_look(v);
        writes = writes || rights.writes;
        if (!rights.reads || !rights.lists)
            rule_find(v, it, "allow s3:GetObject below the prefix and s3:ListBucket",
                      "the role cannot read the pipeline's runs");
    }
    if (!writes)
        rule_find(v, NULL, "allow the deploying role s3:PutObject below the prefix",
                  "no role of the pipeline can write its runs");
}

void rules_runs(struct verify *v)
{
    struct store store;
    rule_look(v);
    if (!value_is(eval_variable(v->plan->module, S("delivery")), VALUE_MAP)) return;
    if (!rule_has(v, v->pipeline, "pipeline.json") || !read_store(v, &store)) return;
    if (px_str_eq(store.environment, v->plan->environment)) look_at_bucket(v, &store);
    look_at_roles(v, &store);
}
