/* delivery/verify.c - running the rules. */
#include "delivery/verify.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "delivery/rule.h"

#define PLATFORM_BYTES_MAX (8u << 20)

/* Each family ends with an empty entry. */
static const struct verify_rule *const families[] = {
    rules_network, rules_encryption, rules_iam,     rules_functions, rules_order,
    rules_storage, rules_database,   rules_api,     rules_workflows, rules_observability,
    rules_naming,  rules_global,     rules_secrets,
};

const struct verify_rule *verify_rule_at(size_t i)
{
    for (size_t f = 0; f < PX_COUNT(families); f++)
        for (const struct verify_rule *rule = families[f]; rule->id; rule++)
            if (i-- == 0) return rule;
    return NULL;
}

size_t verify_rule_count(void)
{
    size_t count = 0;
    while (verify_rule_at(count)) count++;
    return count;
}

static bool is_listed(const char *const *ids, const char *id)
{
    for (; ids && *ids; ids++)
        if (px_str_starts(px_str_c(id), px_str_c(*ids))) return true;
    return false;
}

bool verify_is_wanted(const struct verify_options *options, const struct verify_rule *rule)
{
    bool only = options->only && options->only[0];
    return (!only || is_listed(options->only, rule->id)) && !is_listed(options->except, rule->id);
}

/* ---- what rules compare with ---- */

static int load_file(struct verify *v, const char *path, const struct value **ret)
{
    yyjson_val *root = NULL;
    *ret = &value_unknown;
    if (!path || access(path, R_OK) != 0) return 0;
    PX_TRY(px_json_load(path, PLATFORM_BYTES_MAX, v->arena, &root));
    *ret = value_from_json(v->arena, root);
    return *ret ? 0 : px_arena_fault(v->arena);
}

static int load_platform(struct verify *v)
{
    struct {
        const char *name;
        const struct value **ret;
    } files[] = {
        {"functions.json", &v->functions}, {"network.json", &v->network},
        {"lifecycle.json", &v->lifecycle}, {"alarms.json", &v->alarms},
        {"workflows.json", &v->workflows}, {"api.openapi.json", &v->api},
        {"pipeline.json", &v->pipeline},
    };
    for (size_t i = 0; i < PX_COUNT(files); i++) {
        struct px_str path = {0};
        if (v->options->platform_dir)
            path = px_arena_printf(v->arena, "%s/%s", v->options->platform_dir, files[i].name);
        PX_TRY(load_file(v, path.ptr, files[i].ret));
    }
    PX_TRY(load_file(v, v->options->wildcards, &v->wildcards));
    const struct value *list = value_get(v->wildcards, S("wildcards"));
    if (list) v->wildcards = list;
    v->wildcards_used = px_arena_zalloc(v->arena, value_count(v->wildcards) + 1);
    return v->wildcards_used ? 0 : px_arena_fault(v->arena);
}

/* ---- running ---- */

static unsigned kind_bit(const struct plan *plan)
{
    return plan->kind == PLAN_GLOBAL ? VERIFY_GLOBAL : VERIFY_REGION;
}

static void run_on(struct verify *v, struct plan *plan)
{
    v->plan = plan;
    v->tallies[v->rule_index].applied = true;
    v->rule->check(v);
}

static void run_rule(struct verify *v)
{
    bool together = v->rule->stacks & VERIFY_TOGETHER;
    for (size_t i = 0; i < v->plan_count; i++) {
        if (!(v->rule->stacks & kind_bit(v->plans[i]))) continue;
        run_on(v, v->plans[i]);
        if (together) return;
    }
}

int verify_run(struct px_arena *arena, const struct verify_options *options, struct plan **plans,
               size_t plan_count, struct verify *ret_verify)
{
    struct verify *v = ret_verify;
    *v = (struct verify){
        .arena = arena, .options = options, .plans = plans, .plan_count = plan_count};
    v->tail = &v->findings;
    v->tallies = px_arena_array(arena, struct verify_tally, verify_rule_count());
    if (!v->tallies) return px_arena_fault(arena);
    PX_TRY(load_platform(v));
    for (v->rule_index = 0; (v->rule = verify_rule_at(v->rule_index)); v->rule_index++)
        if (verify_is_wanted(options, v->rule)) run_rule(v);
    return px_arena_full(arena) ? px_arena_fault(arena) : 0;
}

/* ---- what rules say ---- */

void rule_find(struct verify *v, const struct plan_resource *resource, const char *fix,
               const char *fmt, ...)
{
    struct verify_finding *finding = px_arena_new(v->arena, struct verify_finding);
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0) return;
    if (!finding) { /* a full arena is seen at the end */
        free(text);
        return;
    }
    finding->rule = v->rule;
    finding->plan = resource ? resource->plan : v->plan;
    if (resource) finding->address = resource->address;
    finding->message = px_arena_dup(v->arena, px_str(text, (size_t)n));
    finding->fix = px_str_c(fix);
    free(text);
    *v->tail = finding;
    v->tail = &finding->next;
    v->tallies[v->rule_index].findings++;
    v->finding_count++;
}

bool rule_needs(struct verify *v, const char *type, const char *fix)
{
    rule_look(v);
    if (plan_first(v->plan, type)) return true;
    rule_find(v, NULL, fix, "the plan has no %s", type);
    return false;
}

bool rule_has(struct verify *v, const struct value *file, const char *name)
{
    if (!value_is(file, VALUE_UNKNOWN)) return true;
    rule_find(v, NULL, "name the folder that holds it with --platform DIR",
              "platform/%s is not there to compare with", name);
    return false;
}

/* ---- questions that rules ask ---- */

bool rule_is_prod(const struct verify *v) { return rule_is(v->plan->environment, "prod"); }
bool rule_is_dev(const struct verify *v) { return rule_is(v->plan->environment, "dev"); }

bool rule_customer_key(struct verify *v, struct plan_resource *resource, const char *path)
{
    const struct value *value = plan_get(resource, path);
    struct plan_resource *key = plan_target(v->plan, value);
    if (key && px_str_starts(key->type, S("aws_kms_"))) return true;
    struct px_str text = value_str(value);
    if (text.len == 0 || text_is_open(text)) return false;
    if (!plan_is_written(resource, path)) return false; /* AWS's own key, read back */
    bool arn = text_find(text, S(":key/")) || text_find(text, S(":alias/")) ||
               px_str_starts(text, S("alias/"));
    return arn && !text_find(text, S("alias/aws/"));
}

/* A rule that counts only looks on, and one with a scope looks at some requests only. */
static bool limits(const struct value *rule)
{
    const struct value *statement = value_item(value_get(rule, S("statement")), 0),
                       *action = value_item(value_get(rule, S("action")), 0),
                       *rate = value_item(value_get(statement, S("rate_based_statement")), 0);
    return rate && value_count(value_get(rate, S("scope_down_statement"))) == 0 &&
           value_count(value_get(action, S("block"))) > 0;
}

bool rule_limits(struct plan_resource *web_acl)
{
    const struct value *rules = plan_get(web_acl, "rule");
    for (size_t i = 0; i < value_count(rules); i++)
        if (limits(value_item(rules, i))) return true;
    return false;
}

bool rule_names(struct verify *v, const struct value *value, const struct plan_resource *owner)
{
    struct plan_resource *found[256];
    size_t count = plan_targets(v->plan, value, found, PX_COUNT(found));
    for (size_t i = 0; i < count; i++)
        if (found[i] == owner) return true;
    return false;
}

struct plan_resource *rule_companion(struct verify *v, const char *type, const char *path,
                                     const struct plan_resource *owner)
{
    for (plan_each(v->plan, type, it))
        if (rule_names(v, plan_get(it, path), owner)) return it;
    return NULL;
}

bool rule_in_list(const struct value *list, const char *word)
{
    for (size_t i = 0; i < value_count(list); i++)
        if (rule_is(value_str(value_item(list, i)), word)) return true;
    return rule_is(value_str(list), word);
}

bool rule_glob(struct px_str pattern, struct px_str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.len && pattern.ptr[p] == text.ptr[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') p++;
    return p == pattern.len;
}

struct px_str rule_shown(struct verify *v, struct plan_resource *resource, const char *path)
{
    return value_shown(v->arena, plan_get(resource, path));
}
