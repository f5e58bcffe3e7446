/* delivery/rules_elsewhere.c - see rules_elsewhere.h. Partition, region, account and names of other regions are known
 * before an apply, so what leads there stands in a plan as it will be. */
#include "delivery/rules_elsewhere.h"

#include "delivery/eval.h"

/* ---- both ---- */

struct elsewhere {
    struct verify *v;
    const struct rule_function *f;
    struct plan_resource *holder;
    bool granted[16]; /* by place in the catalogue's stores_elsewhere */
};
typedef void check_statement(struct elsewhere *it, const struct rule_statement *s);

static void check_role(struct elsewhere *it, check_statement *check)
{
    struct rule_policy policies[16];
    struct plan_resource *role = it->f->resource
                                     ? plan_target(it->v->plan, plan_get(it->f->resource, "role"))
                                     : NULL;
    rule_look(it->v);
    if (!role) return; /* PV-IAM-07 says so */
    size_t n = rule_role_policies(it->v, role, policies, PX_COUNT(policies));
    for (size_t p = 0; p < n; p++) {
        struct rule_statement *statements = NULL;
        int count = policies[p].text ? rule_statements(it->v, policies[p].text, &statements) : 0;
        it->holder = policies[p].holder;
        for (int i = 0; i < count; i++)
            if (statements[i].allow) check(it, &statements[i]);
    }
}

/* ---- functions of other regions ---- */

/* "<any prefix>-<callee>:live", or with a shard before the alias. */
static bool is_callee(struct px_str function, struct px_str callee)
{
    struct px_str rest = function, name;
    (void)px_str_cut(&rest, ':', &name);
    const char *at = text_find(name, callee);
    if (!at || at == name.ptr || at[-1] != '-' || !px_str_eq(rest, S("live"))) return false;
    struct px_str behind = px_str_skip(name, (size_t)(at - name.ptr) + callee.len);
    return behind.len == 0 || px_str_starts(behind, S("-shard-"));
}

static bool is_named_elsewhere(const struct rule_function *f, struct px_str function)
{
    const struct value *callees = value_get(f->spec, S("elsewhere"));
    for (size_t i = 0; i < value_count(callees); i++)
        if (is_callee(function, value_str(value_item(callees, i)))) return true;
    return false;
}

/* A function's ARN: partition, region and account are known before an apply. */
static void check_call(struct verify *v, const struct rule_function *f,
                       struct plan_resource *holder, struct px_str resource)
{
    struct px_str rest = resource, part = {0};
    rule_look(v);
    for (int i = 0; i < 4; i++) (void)px_str_cut(&rest, ':', &part);
    bool here = px_str_eq(part, v->plan->region);
    for (int i = 0; i < 2; i++) (void)px_str_cut(&rest, ':', &part);
    if (here || !px_str_starts(resource, S("arn:"))) return;
    if (memchr(resource.ptr, '*', resource.len) || !is_named_elsewhere(f, rest))
        rule_find(
            v, holder,
            "remove the statement, or name the callee in `elsewhere` of platform/functions.json",
            "function %.*s may call %.*s in another region, which the catalogue does not let it",
            PX_FMT(f->name), PX_FMT(resource));
}

static void check_calls(struct elsewhere *it, const struct rule_statement *s)
{
    if (!rule_in_list(s->actions, "lambda:InvokeFunction")) return;
    for (size_t r = 0; r < value_count(s->resources); r++)
        check_call(it->v, it->f, it->holder, value_str(value_item(s->resources, r)));
}

void calls_elsewhere(struct verify *v)
{
    struct rule_function *all = NULL;
    if (!rule_has(v, v->functions, "functions.json")) return;
    size_t count = rule_functions(v, &all);
    for (size_t i = 0; i < count; i++)
        check_role(&(struct elsewhere){.v = v, .f = &all[i]}, check_calls);
}

/* ---- stores of other regions ---- */

static bool is_named(struct verify *v, struct px_str bucket, struct px_str prefix)
{
    struct px_str whole = px_arena_printf(v->arena, "%.*s-", PX_FMT(prefix));
    return whole.ptr && px_str_starts(bucket, whole);
}

struct px_str rule_bucket_elsewhere(struct verify *v, struct px_str resource)
{
    const char *at = px_str_starts(resource, S("arn:")) ? text_find(resource, S(":s3:::")) : NULL;
    if (!at) return S("");
    struct px_str rest = px_str_skip(resource, (size_t)(at + 6 - resource.ptr)), bucket;
    (void)px_str_cut(&rest, '/', &bucket);
    struct px_str all = px_arena_printf(v->arena, "%.*s-%.*s", PX_FMT(v->plan->project),
                                        PX_FMT(v->plan->environment));
    return is_named(v, bucket, all) && !is_named(v, bucket, v->plan->prefix) ? bucket : S("");
}

/* Which of the catalogue's stores that the function may read elsewhere a bucket is; -1: none. */
static int store_elsewhere(const struct rule_function *f, struct px_str bucket)
{
    const struct value *stores = value_get(f->spec, S("stores_elsewhere"));
    for (size_t i = 0; value_is(stores, VALUE_MAP) && i < stores->map.count && i < 16; i++)
        if (text_find(bucket, stores->map.fields[i].name)) return (int)i;
    return -1;
}

static void check_object(struct elsewhere *it, struct px_str action, struct px_str resource)
{
    struct px_str bucket = rule_bucket_elsewhere(it->v, resource);
    if (bucket.len == 0) return;
    int store = store_elsewhere(it->f, bucket);
    struct px_str keys = px_str_skip(resource, (size_t)(bucket.ptr + bucket.len - resource.ptr));
    bool some = keys.len > 2 && !memchr(bucket.ptr, '*', bucket.len);
    rule_look(it->v);
    if (store < 0)
        rule_find(
            it->v, it->holder,
            "remove the statement, or name the store in `stores_elsewhere` of platform/functions.json",
            "function %.*s may %.*s on %.*s of another region, which the catalogue does not let it",
            PX_FMT(it->f->name), PX_FMT(action), PX_FMT(resource));
    else if (!rule_is(action, "s3:GetObject") || !some)
        rule_find(
            it->v, it->holder, "let it s3:GetObject, and name the kinds of keys that it reads",
            "function %.*s may %.*s on %.*s of another region: to read some objects is enough",
            PX_FMT(it->f->name), PX_FMT(action), PX_FMT(resource));
    else
        it->granted[store] = true;
}

/* "s3.<region>." of a condition on kms:ViaService. */
static bool is_through_s3(const struct rule_statement *s, struct px_str region)
{
    for (size_t i = 0; i < value_count(s->conditions); i++) {
        struct px_str rest = value_str(value_item(s->conditions, i)), name;
        if (!px_str_starts(rest, S("StringEquals:kms:ViaService="))) continue;
        (void)px_str_cut(&rest, '=', &name);
        return px_str_starts(rest, S("s3.")) && px_str_starts(px_str_skip(rest, 3), region);
    }
    return false;
}

static void check_key(struct elsewhere *it, const struct rule_statement *s, struct px_str action,
                      struct px_str resource)
{
    struct px_str rest = resource, region = {0};
    if (!px_str_starts(resource, S("arn:"))) return;
    for (int i = 0; i < 4; i++) (void)px_str_cut(&rest, ':', &region);
    if (px_str_eq(region, it->v->plan->region)) return;
    const struct value *stores = value_get(it->f->spec, S("stores_elsewhere"));
    bool named = value_is(stores, VALUE_MAP) && stores->map.count > 0;
    bool narrow = rule_is(action, "kms:Decrypt") && is_through_s3(s, region) &&
                  rule_has_condition(s, "kms:ResourceAliases");
    rule_look(it->v);
    if (named && narrow) return;
    rule_find(
        it->v, it->holder,
        "let only functions with `stores_elsewhere` kms:Decrypt, with conditions on kms:ViaService (S3 of that "
        "region) and kms:ResourceAliases",
        "function %.*s may %.*s with keys of %.*s", PX_FMT(it->f->name), PX_FMT(action),
        PX_FMT(region));
}

static void check_reads(struct elsewhere *it, const struct rule_statement *s)
{
    for (size_t a = 0; a < value_count(s->actions); a++)
        for (size_t r = 0; r < value_count(s->resources); r++) {
            struct px_str action = value_str(value_item(s->actions, a));
            struct px_str resource = value_str(value_item(s->resources, r));
            if (px_str_starts(action, S("s3:"))) check_object(it, action, resource);
            if (px_str_starts(action, S("kms:"))) check_key(it, s, action, resource);
        }
}

/* Where tenants may move to and from other regions. */
static bool has_peers(struct verify *v)
{
    return value_count(eval_variable(v->plan->module, S("peer_shards"))) > 0;
}

void reads_elsewhere(struct verify *v)
{
    struct rule_function *all = NULL;
    if (!rule_has(v, v->functions, "functions.json")) return;
    size_t count = rule_functions(v, &all);
    for (size_t i = 0; i < count; i++) {
        struct elsewhere it = {.v = v, .f = &all[i]};
        const struct value *stores = value_get(all[i].spec, S("stores_elsewhere"));
        check_role(&it, check_reads);
        for (size_t k = 0; has_peers(v) && all[i].resource && value_is(stores, VALUE_MAP) &&
                           k < stores->map.count && k < PX_COUNT(it.granted);
             k++)
            if (!it.granted[k])
                rule_find(
                    v, all[i].resource,
                    "add the statements to the role (infra/modules/storage/peers.tf)",
                    "nothing lets the function read %.*s of other regions, which the catalogue gives it: a tenant "
                    "cannot move here",
                    PX_FMT(stores->map.fields[k].name));
    }
}
