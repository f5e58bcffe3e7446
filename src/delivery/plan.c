/* delivery/plan.c - opening a plan and finding things in it. */
#include "delivery/plan.h"

#include <stdlib.h>

#include "delivery/eval.h"
#include "delivery/plan_internal.h"

/* ---- what kind of stack ---- */

static yyjson_val *naming_stack(yyjson_val *root)
{
    return px_json_at(
        root, "configuration.root_module.module_calls.naming.expressions.stack.constant_value");
}

static bool has_type(yyjson_val *root, const char *type)
{
    size_t i, n;
    yyjson_val *change;
    px_json_arr_foreach(px_json_arr(root, "resource_changes"), i, n, change)
    {
        if (px_str_eq(px_json_str(change, "type"), px_str_c(type))) return true;
    }
    return false;
}

/* What the tags say, then what only one of the stacks holds. */
static enum plan_kind kind_of(yyjson_val *root)
{
    struct px_str stack = px_json_val_str(naming_stack(root));
    size_t i, n;
    yyjson_val *change;
    px_json_arr_foreach(px_json_arr(root, "resource_changes"), i, n, change)
    {
        if (stack.len > 0) break;
        stack = px_json_val_str(px_json_at(change, "change.after.tags_all.Stack"));
    }
    if (stack.len > 0) return px_str_eq(stack, S("global")) ? PLAN_GLOBAL : PLAN_REGION;
    static const char *const global[] = {"aws_cloudfront_distribution", "aws_ecr_repository",
                                         "aws_dynamodb_table", "aws_budgets_budget",
                                         "aws_iam_openid_connect_provider"};
    for (size_t g = 0; g < PX_COUNT(global); g++)
        if (has_type(root, global[g]) && !has_type(root, "aws_vpc")) return PLAN_GLOBAL;
    return PLAN_REGION;
}

/* ---- what it calls itself ---- */

static struct px_str context_text(struct plan *plan, const char *name)
{
    const struct value *naming = plan_child(plan->module, S("naming"));
    if (value_is(naming, VALUE_MODULE)) {
        const struct value *context = eval_output(naming->module, S("context"));
        struct px_str text = value_str(value_get(context, px_str_c(name)));
        if (text.len > 0 && !text_is_open(text)) return text;
    }
    return value_str(eval_variable(plan->module, px_str_c(name)));
}

/* eu-west-1 is euw1, ap-southeast-2 apse2: how module naming abbreviates. */
static struct px_str code_of(struct px_arena *arena, struct px_str region)
{
    char code[16];
    size_t n = 0;
    struct px_str rest = region, part;
    while (rest.len > 0 && n < 10) {
        bool first = rest.ptr == region.ptr;
        (void)px_str_cut(&rest, '-', &part);
        if (part.len == 0) continue;
        if (first && part.len <= 3) {
            memcpy(code + n, part.ptr, part.len);
            n += part.len;
            continue;
        }
        code[n++] = part.ptr[0];
        static const char *const second[] = {"east", "west"};
        for (size_t i = 0; i < PX_COUNT(second); i++)
            if (part.len > 5 && px_str_ends(part, px_str_c(second[i]))) code[n++] = second[i][0];
    }
    return px_arena_dup(arena, px_str(code, n));
}

static void name_plan(struct plan *plan)
{
    plan->project = context_text(plan, "project");
    plan->environment = context_text(plan, "environment");
    plan->region = context_text(plan, "region");
    plan->code = context_text(plan, "code");
    plan->prefix = context_text(plan, "prefix");
    if (plan->project.len == 0) plan->project = S("prism");
    if (plan->code.len == 0) plan->code = code_of(plan->arena, plan->region);
    if (plan->prefix.len > 0) return;
    bool regional = plan->kind == PLAN_REGION && plan->code.len > 0;
    plan->prefix = px_arena_printf(plan->arena, "%.*s-%.*s%s%.*s", PX_FMT(plan->project),
                                   PX_FMT(plan->environment), regional ? "-" : "",
                                   regional ? (int)plan->code.len : 0, plan->code.ptr);
}

static int open_root(struct plan *plan, const char *source_dir, struct px_where *where)
{
    if (!px_json_obj(plan->root, "configuration") || !px_json_arr(plan->root, "resource_changes")) {
        px_where_set(where, 0, NULL,
                     "a plan as `terraform show -json FILE` prints it: an object with "
                     "configuration and resource_changes");
        return PLAN_INVALID;
    }
    plan->kind = kind_of(plan->root);
    PX_TRY(plan_config_load(plan, source_dir));
    PX_TRY(plan_index(plan));
    name_plan(plan);
    if (!plan->config->from_sources && plan->note.len == 0)
        plan->note = S(
            "without the sources of its modules (--infra DIR) values that are known after "
            "apply are followed only as far as the plan lists references");
    return 0;
}

int plan_open(struct px_str text, const char *name, const char *source_dir, struct px_arena *arena,
              struct plan **ret_plan, struct px_where *ret_where)
{
    struct px_where none;
    struct plan *plan = px_arena_new(arena, struct plan);
    if (!plan) return px_arena_fault(arena);
    plan->arena = arena;
    plan->name = name;
    int r = px_json_parse(text, arena, &plan->root, ret_where);
    if (r == PX_JSON_INVALID) return PLAN_INVALID;
    PX_TRY(r);
    r = open_root(plan, source_dir, ret_where ? ret_where : &none);
    if (r == 0) *ret_plan = plan;
    return r;
}

/* ---- resources by type ---- */

struct plan_resource *plan_first(const struct plan *plan, const char *type)
{
    struct px_str want = px_str_c(type);
    size_t low = 0, high = plan->resource_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (px_str_cmp(plan->resources[mid]->type, want) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low >= plan->resource_count) return NULL;
    struct plan_resource *found = plan->resources[low];
    if (!px_str_eq(found->type, want)) return NULL;
    return found->is_data ? plan_after(plan, found) : found;
}

struct plan_resource *plan_after(const struct plan *plan, const struct plan_resource *resource)
{
    for (size_t i = resource->order + 1; i < plan->resource_count; i++) {
        struct plan_resource *next = plan->resources[i];
        if (!px_str_eq(next->type, resource->type)) return NULL;
        if (!next->is_data) return next;
    }
    return NULL;
}

size_t plan_count(const struct plan *plan, const char *type)
{
    size_t count = 0;
    for (plan_each(plan, type, it)) count++;
    return count;
}

struct plan_resource *plan_at(const struct plan *plan, struct px_str address)
{
    return plan_slot_find(plan->by_address, plan->slot_mask, address);
}

/* ---- attributes by path ---- */

/* Below a symbol everything is a symbol, with the path behind it. */
static const struct value *symbol_step(struct px_arena *arena, const struct value *at,
                                       struct px_str step)
{
    struct px_str address;
    if (!text_symbol(value_str(at), &address)) return NULL;
    struct px_str longer = px_arena_printf(arena, "%.*s.%.*s", PX_FMT(address), PX_FMT(step));
    return longer.ptr ? value_symbol(arena, longer) : NULL;
}

static const struct value *below(struct px_arena *arena, const struct value *at, struct px_str step)
{
    uint64_t index = 0;
    switch (at->kind) {
    case VALUE_LIST:
        if (px_str_to_u64(step, &index)) return value_item(at, (size_t)index);
        return value_count(at) > 0 ? below(arena, value_item(at, 0), step) : NULL;
    case VALUE_TEXT: return symbol_step(arena, at, step);
    case VALUE_RESOURCE: return plan_attr(at->resource, step);
    case VALUE_UNKNOWN: return at;
    default: return value_get(at, step);
    }
}

const struct value *plan_get(struct plan_resource *resource, const char *path)
{
    struct px_str rest = px_str_c(path), step;
    bool more = px_str_cut(&rest, '.', &step);
    const struct value *at = plan_attr(resource, step);
    while (more && !value_is_null(at)) {
        more = px_str_cut(&rest, '.', &step);
        at = below(resource->plan->arena, at, step);
    }
    return at ? at : &value_null;
}

struct px_str plan_text(struct plan_resource *resource, const char *path)
{
    return value_str(plan_get(resource, path));
}

double plan_number(struct plan_resource *resource, const char *path, double otherwise)
{
    return value_num(plan_get(resource, path), otherwise);
}

bool plan_truth(struct plan_resource *resource, const char *path)
{
    return value_truth(plan_get(resource, path));
}

bool plan_is_set(struct plan_resource *resource, const char *path)
{
    const struct value *v = plan_get(resource, path);
    struct px_str address, rest;
    if (value_is_null(v)) return false;
    if (v->kind == VALUE_LIST || v->kind == VALUE_MAP) return value_count(v) > 0;
    if (v->kind != VALUE_TEXT) return true;
    if (v->text.len == 0) return false;
    if (!text_symbol(v->text, &address)) return true;
    return plan_of_symbol(resource->plan, address, &rest) != resource; /* its own: the provider's */
}

bool plan_is_written(const struct plan_resource *resource, const char *path)
{
    struct px_str rest = px_str_c(path), step;
    (void)px_str_cut(&rest, '.', &step);
    if (!resource->block) return true; /* nobody can tell */
    if (hcl_attr_of(&resource->block->body, step)) return true;
    for (const struct hcl_block *b = resource->block->body.blocks; b; b = b->next)
        if (px_str_eq(px_str_eq(b->type, S("dynamic")) ? b->label : b->type, step)) return true;
    return false;
}

/* ---- what a value names ---- */

struct plan_resource *plan_of_symbol(struct plan *plan, struct px_str address,
                                     struct px_str *ret_path)
{
    struct px_str rest = address;
    for (;;) {
        struct px_str step = plan_address_step(&rest);
        if (step.len == 0) return NULL;
        struct px_str upto = px_str(address.ptr, (size_t)(step.ptr + step.len - address.ptr));
        struct plan_resource *found = plan_at(plan, upto);
        if (!found) continue;
        *ret_path = rest;
        return found;
    }
}

static void index_identity(struct plan *plan, struct plan_resource *resource, const char *attr)
{
    yyjson_val *known = yyjson_obj_get(resource->known, attr);
    struct px_str text = px_json_val_str(known);
    if (text.len > 0 && !plan_slot_find(plan->by_identity, plan->identity_mask, text))
        plan_slot_put(plan->by_identity, plan->identity_mask, text, resource);
}

/* Ids win over names: an id is unique, a name only within its type. */
static void index_identities(struct plan *plan)
{
    static const char *const attrs[] = {
        "arn",    "id",      "qualified_arn", "invoke_arn",    "state_machine_version_arn",
        "key_id", "zone_id", "version_arn",   "dns_name",      "regional_domain_name",
        "bucket", "name",    "alarm_name",    "function_name", "execution_arn",
        "url",
    };
    plan->identities_indexed = true;
    plan->identity_mask = (plan->slot_mask + 1) * 16 - 1; /* room for all of them, half empty */
    plan->by_identity = px_arena_array(plan->arena, struct plan_slot, plan->identity_mask + 1);
    if (!plan->by_identity) return;
    for (size_t a = 0; a < PX_COUNT(attrs); a++)
        for (size_t i = 0; i < plan->resource_count; i++)
            if (!plan->resources[i]->is_data) index_identity(plan, plan->resources[i], attrs[a]);
}

struct plan_resource *plan_target_text(struct plan *plan, struct px_str text)
{
    struct px_str address, path;
    size_t at = 0;
    if (text.len == 0) return NULL;
    if (text_next_symbol(text, &at, &address)) return plan_of_symbol(plan, address, &path);
    if (!plan->identities_indexed) index_identities(plan);
    if (!plan->by_identity) return NULL;
    return plan_slot_find(plan->by_identity, plan->identity_mask, text);
}

struct plan_resource *plan_target(struct plan *plan, const struct value *value)
{
    struct plan_resource *found[1] = {NULL};
    (void)plan_targets(plan, value, found, 1);
    return found[0];
}

size_t plan_targets(struct plan *plan, const struct value *value, struct plan_resource **ret,
                    size_t max)
{
    size_t count = 0;
    if (!value || max == 0) return 0;
    if (value->kind == VALUE_RESOURCE) {
        ret[count++] = value->resource;
    } else if (value->kind == VALUE_TEXT) {
        struct plan_resource *one = plan_target_text(plan, value->text);
        if (one) ret[count++] = one;
    }
    for (size_t i = 0; i < value_count(value) && count < max; i++)
        count += plan_targets(plan, value_item(value, i), ret + count, max - count);
    return count;
}
