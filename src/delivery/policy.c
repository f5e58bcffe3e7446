/* delivery/policy.c - IAM policies as lists of statements, however they were written.
 *
 * A policy is JSON text, a value of jsonencode() with symbols inside, or the document of a data source
 * that is read only at apply: its statements are known all the same. */
#include "delivery/rule.h"

#define DOCUMENT_DEPTH_MAX 8

struct statements {
    struct rule_statement *at;
    size_t count, cap;
    bool unreadable;
};

static struct rule_statement *add(struct verify *v, struct statements *all)
{
    if (all->count == all->cap) {
        size_t cap = all->cap > 0 ? all->cap * 2 : 8;
        void *grown = px_arena_realloc(v->arena, all->at, all->cap * sizeof *all->at,
                                       cap * sizeof *all->at);
        if (!grown) return NULL;
        all->at = grown;
        all->cap = cap;
    }
    all->at[all->count] = (struct rule_statement){.allow = true};
    return &all->at[all->count++];
}

struct texts {
    const struct value **at;
    size_t count, cap;
};

static void add_text(struct verify *v, struct texts *texts, struct px_str text)
{
    if (texts->count == texts->cap) {
        size_t cap = texts->cap > 0 ? texts->cap * 2 : 8;
        size_t one = sizeof(const struct value *);
        void *grown = px_arena_realloc(v->arena, texts->at, texts->cap * one, cap * one);
        if (!grown) return;
        texts->at = grown;
        texts->cap = cap;
    }
    const struct value *item = value_text(v->arena, text);
    if (item) texts->at[texts->count++] = item;
}

/* One text or a list of them, always as a list; NULL: absent. */
static const struct value *as_list(struct verify *v, const struct value *value)
{
    if (value_is_null(value) || value_is(value, VALUE_LIST))
        return value_is_null(value) ? NULL : value;
    const struct value **items = px_arena_array(v->arena, const struct value *, 1);
    if (!items) return NULL;
    items[0] = value;
    return value_list(v->arena, items, 1);
}

static const struct value *finish(struct verify *v, struct texts *texts)
{
    return value_list(v->arena, texts->at, texts->count);
}

/* ---- JSON ---- */

static const struct value *json_principals(struct verify *v, const struct value *value)
{
    struct texts texts = {0};
    if (value_is(value, VALUE_TEXT))
        add_text(v, &texts, px_arena_printf(v->arena, "AWS:%.*s", PX_FMT(value->text)));
    for (size_t i = 0; value_is(value, VALUE_MAP) && i < value->map.count; i++) {
        const struct value *ids = as_list(v, value->map.fields[i].value);
        for (size_t k = 0; k < value_count(ids); k++)
            add_text(v, &texts,
                     px_arena_printf(v->arena, "%.*s:%.*s", PX_FMT(value->map.fields[i].name),
                                     PX_FMT(value_str(value_item(ids, k)))));
    }
    return finish(v, &texts);
}

static void add_conditions(struct verify *v, struct texts *texts, struct px_str test,
                           struct px_str key, const struct value *values)
{
    const struct value *list = as_list(v, values);
    for (size_t i = 0; i < value_count(list); i++) {
        struct px_str text = {0};
        (void)value_to_text(v->arena, value_item(list, i), &text);
        add_text(
            v, texts,
            px_arena_printf(v->arena, "%.*s:%.*s=%.*s", PX_FMT(test), PX_FMT(key), PX_FMT(text)));
    }
    if (value_count(list) == 0)
        add_text(v, texts, px_arena_printf(v->arena, "%.*s:%.*s=", PX_FMT(test), PX_FMT(key)));
}

static const struct value *json_conditions(struct verify *v, const struct value *value)
{
    struct texts texts = {0};
    for (size_t i = 0; value_is(value, VALUE_MAP) && i < value->map.count; i++) {
        const struct value *keys = value->map.fields[i].value;
        for (size_t k = 0; value_is(keys, VALUE_MAP) && k < keys->map.count; k++)
            add_conditions(v, &texts, value->map.fields[i].name, keys->map.fields[k].name,
                           keys->map.fields[k].value);
    }
    return finish(v, &texts);
}

static void from_json(struct verify *v, const struct value *document, struct statements *all)
{
    const struct value *list = as_list(v, value_get(document, S("Statement")));
    if (!value_is(document, VALUE_MAP)) all->unreadable = true;
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *from = value_item(list, i);
        struct rule_statement *to = add(v, all);
        if (!to) return;
        if (!value_is(from, VALUE_MAP)) all->unreadable = true;
        const struct value *not_principal = value_get(from, S("NotPrincipal"));
        to->allow = !rule_is(value_str(value_get(from, S("Effect"))), "Deny");
        to->actions = as_list(v, value_get(from, S("Action")));
        to->not_actions = as_list(v, value_get(from, S("NotAction")));
        to->resources = as_list(v, value_get(from, S("Resource")));
        to->not_resources = as_list(v, value_get(from, S("NotResource")));
        to->principals = json_principals(v, not_principal ? not_principal
                                                          : value_get(from, S("Principal")));
        to->not_principals = not_principal != NULL;
        to->conditions = json_conditions(v, value_get(from, S("Condition")));
    }
}

/* ---- data "aws_iam_policy_document" ---- */

static const struct value *document_principals(struct verify *v, const struct value *blocks)
{
    struct texts texts = {0};
    for (size_t i = 0; i < value_count(blocks); i++) {
        const struct value *ids = value_get(value_item(blocks, i), S("identifiers"));
        struct px_str type = value_str(value_get(value_item(blocks, i), S("type")));
        for (size_t k = 0; k < value_count(ids); k++)
            add_text(v, &texts,
                     px_arena_printf(v->arena, "%.*s:%.*s",
                                     PX_FMT(rule_is(type, "*") ? S("AWS") : type),
                                     PX_FMT(value_str(value_item(ids, k)))));
    }
    return finish(v, &texts);
}

static const struct value *document_conditions(struct verify *v, const struct value *blocks)
{
    struct texts texts = {0};
    for (size_t i = 0; i < value_count(blocks); i++) {
        const struct value *block = value_item(blocks, i);
        add_conditions(v, &texts, value_str(value_get(block, S("test"))),
                       value_str(value_get(block, S("variable"))), value_get(block, S("values")));
    }
    return finish(v, &texts);
}

static const struct value *filled(const struct value *list)
{
    return value_count(list) > 0 || value_is(list, VALUE_UNKNOWN) ? list : NULL;
}

static void read_policy(struct verify *v, const struct value *policy, struct statements *all,
                        unsigned depth);

static void from_document(struct verify *v, struct plan_resource *document, struct statements *all,
                          unsigned depth)
{
    const struct value *blocks = plan_get(document, "statement");
    if (value_is(blocks, VALUE_TEXT) || value_is(blocks, VALUE_UNKNOWN)) all->unreadable = true;
    for (size_t i = 0; i < value_count(blocks); i++) {
        const struct value *from = value_item(blocks, i);
        struct rule_statement *to = add(v, all);
        if (!to) return;
        const struct value *not_principals = filled(value_get(from, S("not_principals")));
        to->allow = !rule_is(value_str(value_get(from, S("effect"))), "Deny");
        to->actions = filled(value_get(from, S("actions")));
        to->not_actions = filled(value_get(from, S("not_actions")));
        to->resources = filled(value_get(from, S("resources")));
        to->not_resources = filled(value_get(from, S("not_resources")));
        to->not_principals = not_principals != NULL;
        to->principals = document_principals(v, not_principals ? not_principals
                                                               : value_get(from, S("principals")));
        to->conditions = document_conditions(v, value_get(from, S("condition")));
    }
    static const char *const more[] = {"source_policy_documents", "override_policy_documents"};
    for (size_t m = 0; m < PX_COUNT(more); m++) {
        const struct value *list = plan_get(document, more[m]);
        for (size_t i = 0; i < value_count(list); i++)
            read_policy(v, value_item(list, i), all, depth + 1);
    }
}

static void read_policy(struct verify *v, const struct value *policy, struct statements *all,
                        unsigned depth)
{
    struct px_str text = value_str(policy), address, path;
    if (depth > DOCUMENT_DEPTH_MAX || text.len == 0) {
        all->unreadable = true;
    } else if (text_symbol(text, &address)) {
        struct plan_resource *target = plan_of_symbol(v->plan, address, &path);
        if (target && rule_is(target->type, "aws_iam_policy_document"))
            from_document(v, target, all, depth);
        else
            all->unreadable = true;
    } else {
        from_json(v, value_parse(v->arena, text), all);
    }
}

int rule_statements(struct verify *v, const struct value *policy, struct rule_statement **ret)
{
    struct statements all = {0};
    read_policy(v, policy, &all, 0);
    *ret = all.at;
    return all.unreadable ? -1 : (int)all.count;
}

bool rule_has_condition(const struct rule_statement *s, const char *key)
{
    for (size_t i = 0; i < value_count(s->conditions); i++) {
        struct px_str test, rest = value_str(value_item(s->conditions, i)), name;
        struct px_str any = S("ForAnyValue:"); /* false without a value, as the test alone is */
        if (px_str_starts(rest, any)) rest = px_str_skip(rest, any.len);
        (void)px_str_cut(&rest, ':', &test);
        /* ForAllValues holds also where there is no such key, so it is no condition on it */
        if (px_str_ieq(test, S("ForAnyValue"))) (void)px_str_cut(&rest, ':', &test);
        (void)px_str_cut(&rest, '=', &name);
        if (px_str_ieq(name, px_str_c(key))) return true;
    }
    return false;
}

/* ---- of a role ---- */

static void attached(struct verify *v, struct plan_resource *attachment, const char *path,
                     struct rule_policy *ret)
{
    struct plan_resource *policy = plan_target(v->plan, plan_get(attachment, path));
    bool own = policy && rule_is(policy->type, "aws_iam_policy");
    *ret = (struct rule_policy){.holder = own ? policy : attachment};
    if (own)
        ret->text = plan_get(policy, "policy");
    else
        ret->arn = plan_text(attachment, path);
}

static bool is_of_role(struct verify *v, struct plan_resource *it, struct plan_resource *role)
{
    if (rule_names(v, plan_get(it, "role"), role)) return true;
    struct px_str name = plan_text(it, "role");
    return name.len > 0 && px_str_eq(name, plan_text(role, "name"));
}

size_t rule_role_policies(struct verify *v, struct plan_resource *role, struct rule_policy *ret,
                          size_t max)
{
    size_t count = 0;
    const struct value *inner = plan_is_written(role, "inline_policy")
                                    ? plan_get(role, "inline_policy")
                                    : NULL;
    for (size_t i = 0; i < value_count(inner) && count < max; i++) {
        const struct value *text = value_get(value_item(inner, i), S("policy"));
        if (!value_is_null(text)) ret[count++] = (struct rule_policy){.holder = role, .text = text};
    }
    for (plan_each(v->plan, "aws_iam_role_policy", it))
        if (count < max && is_of_role(v, it, role))
            ret[count++] = (struct rule_policy){.holder = it, .text = plan_get(it, "policy")};
    for (plan_each(v->plan, "aws_iam_role_policy_attachment", it))
        if (count < max && is_of_role(v, it, role)) attached(v, it, "policy_arn", &ret[count++]);
    return count;
}
