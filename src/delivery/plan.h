/* delivery/plan.h - a Terraform plan as rules want to ask it.
 *
 * Made from `terraform show -json` (or OpenTofu's) and, when they are at hand, the sources of the
 * modules it was made of. What the plan knows is taken from the plan. What it will know only after
 * apply is worked out from the sources as far as references go: the security group of a rule is then
 * the symbol of another resource's id (value.h). Without sources the references that the plan lists
 * must do, which is less: it lists no local values.
 *
 * Everything lives in one arena and is only read once it is open, but for caches of values. */
#pragma once

#include "hcl/hcl.h"
#include "hcl/value.h"

enum plan_kind { PLAN_GLOBAL = 1, PLAN_REGION = 2 };
enum plan_action { PLAN_KEEP, PLAN_CREATE, PLAN_UPDATE, PLAN_REPLACE, PLAN_READ };

struct plan_memo; /* values worked out before */

/* A module as written, one per place in the tree of calls. */
struct plan_config {
    struct px_str path;   /* "" for the root, "storage.function" */
    struct px_str name;   /* of the call */
    const char *dir;      /* its sources; NULL: none */
    struct hcl_body body; /* of the sources, or made from the plan's references */
    bool from_sources;
    yyjson_val *json, *call;
    struct plan_config *parent, *children, *next;
};
/* One instance of a module. */
struct plan_module {
    struct plan *plan;
    struct plan_config *config;
    struct px_str address;   /* "" for the root */
    const struct value *key; /* NULL: not repeated */
    struct plan_module *parent, *children, *next;
    struct plan_memo *memos;
};
struct plan_resource {
    struct plan *plan;
    struct plan_module *module;
    struct px_str address;
    struct px_str type, name;
    const struct value *key; /* NULL: not repeated */
    bool is_data;
    enum plan_action action;
    yyjson_val *known, *unknown, *sensitive; /* of the planned state */
    struct hcl_block *block;                 /* as written; NULL: not found */
    struct plan_memo *memos;
    struct plan_resource *next_sibling; /* another instance of the same */
    size_t order;                       /* in the plan */
};
struct plan_slot;
struct plan {
    struct px_arena *arena;
    const char *name; /* the file */
    enum plan_kind kind;
    yyjson_val *root;
    struct plan_config *config; /* the root module */
    struct plan_module *module;
    struct plan_resource **resources; /* by type, then as in the plan */
    size_t resource_count;
    struct plan_slot *by_address, *by_base, *by_identity;
    size_t slot_mask, identity_mask;
    bool identities_indexed;
    const char *source_dir; /* of the root module; NULL: none */
    struct px_str note;     /* what about the sources; empty: nothing */
    unsigned depth;
    uint64_t steps;
    /* what the installation calls itself */
    struct px_str project, environment, region, code, prefix;
};

enum plan_answer { PLAN_INVALID = 1 };
/*   name        of the file, for messages; borrowed
 *   source_dir  infra/, which holds global/, region/ and modules/; NULL: no sources
 * Answers: PLAN_INVALID when the text is no plan, with ret_where filled. */
PX_MUST_USE int plan_open(struct px_str text, const char *name, const char *source_dir,
                          struct px_arena *arena, struct plan **ret_plan,
                          struct px_where *ret_where);

/* ---- resources ---- */

/* The instances of a managed type: for (it = plan_first(p, "aws_vpc"); it; it = plan_next(p, it)). */
struct plan_resource *plan_first(const struct plan *plan, const char *type);
struct plan_resource *plan_after(const struct plan *plan, const struct plan_resource *resource);
#define plan_each(plan, type, it)                                                                  \
    struct plan_resource *it = plan_first((plan), (type));                                         \
    it;                                                                                            \
    it = plan_after((plan), it)
size_t plan_count(const struct plan *plan, const char *type);
struct plan_resource *plan_at(const struct plan *plan, struct px_str address); /* NULL: none */

/* An attribute as planned, by a path such as "vpc_config.subnet_ids" or "statement.0.actions";
 * the first of a list is meant where no number stands. Never NULL. */
const struct value *plan_get(struct plan_resource *resource, const char *path);
struct px_str plan_text(struct plan_resource *resource, const char *path);
double plan_number(struct plan_resource *resource, const char *path, double otherwise);
bool plan_truth(struct plan_resource *resource, const char *path);
/* Whether somebody wrote it: neither null, nor empty, nor left to the provider. */
bool plan_is_set(struct plan_resource *resource, const char *path);
/* Whether the block itself names the attribute of that path: what is read back from AWS is not written. */
bool plan_is_written(const struct plan_resource *resource, const char *path);
/* One top-level attribute; NULL: the resource has none of that name. */
const struct value *plan_attr(struct plan_resource *resource, struct px_str name);

/* The resource that a value names: through its symbol, or by an id, ARN or name that is known. */
struct plan_resource *plan_target(struct plan *plan, const struct value *value);
/* All resources named anywhere in a value; returns how many, at most max. */
size_t plan_targets(struct plan *plan, const struct value *value, struct plan_resource **ret,
                    size_t max);
/* The same for one text. */
struct plan_resource *plan_target_text(struct plan *plan, struct px_str text);
/* The resource and the rest of "module.a.aws_x.y[\"k\"].arn"; NULL: none, or more than one instance. */
struct plan_resource *plan_of_symbol(struct plan *plan, struct px_str address,
                                     struct px_str *ret_path);

/* ---- modules ---- */

/* Instances of a call in a module: one value, a list or a map of VALUE_MODULE. */
const struct value *plan_child(struct plan_module *module, struct px_str name);
struct plan_config *plan_config_child(const struct plan_config *config, struct px_str name);
/* All instances of a resource in a module, as an expression sees them. */
const struct value *plan_instances(struct plan_module *module, struct px_str type,
                                   struct px_str name, bool is_data);
