/* delivery/rule.h - what the families of rules share. */
#pragma once

#include "delivery/verify.h"

/* A finding: what is wrong, and behind it what to do. `resource` NULL: something is missing. */
void rule_find(struct verify *v, const struct plan_resource *resource, const char *fix,
               const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* One more thing that the rule has looked at. */
static inline void rule_look(struct verify *v) { v->tallies[v->rule_index].looked_at++; }
/* The type must be there at all; looks, and says so when not. */
bool rule_needs(struct verify *v, const char *type, const char *fix);

/* Whether a value names a key of the customer's own: a key or alias of a plan, or an ARN of one. */
bool rule_customer_key(struct verify *v, struct plan_resource *resource, const char *path);
/* The one that belongs to another: of `type`, whose `path` names `owner`. NULL: none. */
struct plan_resource *rule_companion(struct verify *v, const char *type, const char *path,
                                     const struct plan_resource *owner);
bool rule_names(struct verify *v, const struct value *value, const struct plan_resource *owner);
bool rule_in_list(const struct value *list, const char *word);
bool rule_is_prod(const struct verify *v);
bool rule_is_dev(const struct verify *v);
static inline bool rule_is(struct px_str text, const char *want)
{
    return px_str_eq(text, px_str_c(want));
}
/* Whether a web ACL refuses an address that sends too much, whatever it asks for. */
bool rule_limits(struct plan_resource *web_acl);
/* Glob with * only. */
bool rule_glob(struct px_str pattern, struct px_str text);
/* For messages. */
struct px_str rule_shown(struct verify *v, struct plan_resource *resource, const char *path);

/* A file of platform/; false, with a finding, when it is not there. */
bool rule_has(struct verify *v, const struct value *file, const char *name);

/* Whether a text has the shape of a credential: keys of AWS, private keys, tokens of known makers. */
bool rule_looks_secret(struct px_str text);

/* ---- the catalogue in a plan ---- */

struct rule_function {         /* one that must exist */
    struct px_str name, shard; /* shard empty: not sharded */
    struct px_str aws_name;
    const struct value *spec;
    struct plan_resource *resource; /* NULL: it is not there */
};
/* Every function that the catalogue and the shards of the plan ask for; returns how many. */
size_t rule_functions(struct verify *v, struct rule_function **ret);
/* Names of the shards: keys of the root variable. */
const struct value *rule_shards(struct verify *v);

/* ---- IAM policies ---- */

struct rule_statement {
    bool allow;
    const struct value *actions, *not_actions, *resources, *not_resources; /* lists or NULL */
    const struct value *principals; /* list of "Type:identifier" */
    bool not_principals;
    const struct value *conditions; /* list of "Operator:key=value" */
};
/* The statements of a policy, given as JSON or as the name of a policy document; returns how many,
 * -1 when it cannot be read before apply. */
int rule_statements(struct verify *v, const struct value *policy, struct rule_statement **ret);
bool rule_has_condition(const struct rule_statement *s, const char *key);
/* Calls fn for every policy that a role has; `policy` says where it stands. */
struct rule_policy {
    struct plan_resource *holder; /* the resource that holds the text */
    const struct value *text;
    struct px_str arn; /* of a policy that no plan holds */
};
size_t rule_role_policies(struct verify *v, struct plan_resource *role, struct rule_policy *ret,
                          size_t max);

/* ---- order ---- */

/* Whether what `from` is made of comes after `to` in every apply: through references and depends_on. */
bool rule_comes_after(struct plan *plan, const struct plan_resource *from,
                      const struct plan_resource *to);
/* Whether an attribute is made of what an attribute of another resource is made of, or of that itself. */
bool rule_made_of(struct plan *plan, const struct plan_resource *from, const char *attr,
                  const struct plan_resource *to, const char *source);

extern const struct verify_rule rules_network[], rules_encryption[], rules_iam[], rules_functions[],
    rules_order[], rules_storage[], rules_database[], rules_api[], rules_workflows[],
    rules_observability[], rules_naming[], rules_global[], rules_secrets[];
