/* delivery/eval_names.c - variables, local values, outputs and repetitions of a module's instance,
 * each worked out once; and what a resource's block says. */
#include "delivery/eval.h"
#include "delivery/plan_internal.h"

#define TYPE_DEPTH_MAX 32

/* each.value belongs to an instance: of its module's call, or of a resource. */
static const struct value *each_value(const struct value *repeated, const struct value *key)
{
    if (!key || !repeated) return NULL;
    if (value_is(repeated, VALUE_MAP)) return value_get(repeated, value_str(key));
    return value_is(repeated, VALUE_LIST) ? key : &value_unknown; /* a set */
}

static struct eval_scope scope_of_call(struct plan_module *module, struct hcl_block *block)
{
    struct eval_scope scope = {.module = module->parent, .each_key = module->key};
    if (module->key && block)
        scope.each_value = each_value(eval_repetition(module->parent, block), module->key);
    return scope;
}

static const struct value *finish(struct plan_memo *memo, const struct value *v)
{
    memo->value = v ? v : &value_unknown;
    memo->busy = false;
    return memo->value;
}

/* ---- types of variables: only what they add, the defaults of optional() ---- */

static const struct value *with_defaults(const struct eval_scope *scope,
                                         const struct hcl_expr *type, const struct value *v,
                                         unsigned depth);

static const struct value *each_with_defaults(const struct eval_scope *scope,
                                              const struct hcl_expr *type, const struct value *v,
                                              unsigned depth)
{
    struct px_arena *arena = scope->module->plan->arena;
    size_t count = value_count(v);
    const struct value **items = px_arena_array(arena, const struct value *, count);
    struct value_field *fields = px_arena_array(arena, struct value_field, count);
    if (!items || !fields) return v;
    for (size_t i = 0; i < count; i++) {
        items[i] = with_defaults(scope, type, value_item(v, i), depth + 1);
        if (v->kind == VALUE_MAP) fields[i] = (struct value_field){v->map.fields[i].name, items[i]};
    }
    const struct value *made = v->kind == VALUE_MAP ? value_map(arena, fields, count)
                                                    : value_list(arena, items, count);
    return made ? made : v;
}

static const struct value *object_with_defaults(const struct eval_scope *scope,
                                                const struct hcl_expr *object,
                                                const struct value *v, unsigned depth)
{
    struct px_arena *arena = scope->module->plan->arena;
    size_t count = 0;
    for (const struct hcl_expr *e = object->first; e; e = e->next) count++;
    struct value_field *fields = px_arena_array(arena, struct value_field, count / 2 + 1);
    if (!fields || !value_is(v, VALUE_MAP)) return v;
    count = 0;
    for (const struct hcl_expr *key = object->first; key && key->next; key = key->next->next) {
        const struct hcl_expr *type = key->next;
        struct px_str name = value_str(key->value);
        const struct value *field = value_get(v, name);
        bool optional = type->kind == HCL_CALL && px_str_eq(type->name, S("optional"));
        if (optional) {
            const struct hcl_expr *otherwise = type->first ? type->first->next : NULL;
            if (value_is_null(field)) field = otherwise ? eval(scope, otherwise) : &value_null;
            type = type->first;
        }
        if (!field || !type) continue;
        fields[count++] = (struct value_field){name, with_defaults(scope, type, field, depth + 1)};
    }
    const struct value *made = value_map(arena, fields, count);
    return made ? made : v;
}

static const struct value *with_defaults(const struct eval_scope *scope,
                                         const struct hcl_expr *type, const struct value *v,
                                         unsigned depth)
{
    if (depth > TYPE_DEPTH_MAX || type->kind != HCL_CALL || !type->first) return v;
    if (px_str_eq(type->name, S("object")) && type->first->kind == HCL_OBJECT)
        return object_with_defaults(scope, type->first, v, depth);
    bool collection = px_str_eq(type->name, S("map")) || px_str_eq(type->name, S("list")) ||
                      px_str_eq(type->name, S("set"));
    if (collection && (value_is(v, VALUE_MAP) || value_is(v, VALUE_LIST)))
        return each_with_defaults(scope, type->first, v, depth);
    return v;
}

/* ---- variables ---- */

static const struct value *root_variable(struct plan *plan, struct px_str name)
{
    yyjson_val *variables = px_json_obj(plan->root, "variables");
    yyjson_val *given = yyjson_obj_getn(variables, name.ptr, name.len);
    yyjson_val *value = yyjson_obj_get(given, "value");
    return value ? value_from_json(plan->arena, value) : NULL;
}

static const struct value *given_variable(struct plan_module *module, struct px_str name)
{
    if (!module->parent) return root_variable(module->plan, name);
    struct hcl_block *call = hcl_block_of(&module->parent->config->body, S("module"),
                                          module->config->name, S(""));
    struct hcl_expr *e = call ? hcl_attr_of(&call->body, name) : NULL;
    struct eval_scope scope = scope_of_call(module, call);
    if (!e) return NULL;
    const struct value *v = eval(&scope, e);
    return v ? v : &value_unknown;
}

const struct value *eval_variable(struct plan_module *module, struct px_str name)
{
    bool busy = false;
    const struct value *v = plan_memo_get(module->memos, 'v', name, &busy);
    if (v) return v;
    struct plan_memo *memo = plan_memo_put(module->plan->arena, &module->memos, 'v', name);
    if (!memo) return &value_unknown;
    struct hcl_block *block = hcl_block_of(&module->config->body, S("variable"), name, S(""));
    struct eval_scope scope = {.module = module};
    v = given_variable(module, name);
    if (value_is_null(v) && block) {
        struct hcl_expr *otherwise = hcl_attr_of(&block->body, S("default"));
        if (otherwise) v = eval(&scope, otherwise);
    }
    struct hcl_expr *type = block ? hcl_attr_of(&block->body, S("type")) : NULL;
    if (v && type) v = with_defaults(&scope, type, v, 0);
    return finish(memo, v);
}

/* ---- local values, outputs, repetitions ---- */

static struct hcl_expr *local_expr(const struct hcl_body *body, struct px_str name)
{
    for (struct hcl_block *block = body->blocks; block; block = block->next) {
        if (!px_str_eq(block->type, S("locals"))) continue;
        struct hcl_expr *e = hcl_attr_of(&block->body, name);
        if (e) return e;
    }
    return NULL;
}

static const struct value *memoised(struct plan_module *module, char kind, struct px_str name,
                                    struct hcl_expr *e)
{
    bool busy = false;
    const struct value *v = plan_memo_get(module->memos, kind, name, &busy);
    if (v || !e) return v;
    struct plan_memo *memo = plan_memo_put(module->plan->arena, &module->memos, kind, name);
    if (!memo) return &value_unknown;
    struct eval_scope scope = {.module = module};
    return finish(memo, eval(&scope, e));
}

const struct value *eval_local(struct plan_module *module, struct px_str name)
{
    const struct value *v = memoised(module, 'l', name, local_expr(&module->config->body, name));
    return v ? v : &value_unknown; /* a plan alone lists no local values */
}

const struct value *eval_output(struct plan_module *module, struct px_str name)
{
    struct hcl_block *block = hcl_block_of(&module->config->body, S("output"), name, S(""));
    return memoised(module, 'o', name, block ? hcl_attr_of(&block->body, S("value")) : NULL);
}

const struct value *eval_repetition(struct plan_module *module, struct hcl_block *block)
{
    struct hcl_expr *e = hcl_attr_of(&block->body, S("for_each"));
    if (!e) e = hcl_attr_of(&block->body, S("count"));
    if (!e) return NULL;
    struct px_str name = px_arena_printf(module->plan->arena, "%.*s.%.*s.%.*s", PX_FMT(block->type),
                                         PX_FMT(block->label), PX_FMT(block->name));
    return name.ptr ? memoised(module, 'f', name, e) : &value_unknown;
}

/* ---- what a block says ---- */

static const struct value *body_value(const struct eval_scope *scope, const struct hcl_body *body);

static bool add_one(const struct eval_scope *scope, const struct hcl_body *body,
                    const struct value **items, size_t *count, size_t max)
{
    if (*count >= max) return false;
    items[*count] = body_value(scope, body);
    return items[(*count)++] != NULL;
}

/* dynamic "x" { for_each = ..., content { ... } } */
static bool add_dynamic(const struct eval_scope *scope, struct hcl_block *block,
                        const struct value **items, size_t *count, size_t max)
{
    struct px_arena *arena = scope->module->plan->arena;
    struct hcl_block *content = hcl_block_of(&block->body, S("content"), S(""), S(""));
    struct hcl_expr *iterator = hcl_attr_of(&block->body, S("iterator"));
    struct hcl_expr *for_each = hcl_attr_of(&block->body, S("for_each"));
    const struct value *over = for_each ? eval(scope, for_each) : NULL;
    if (!content || !over || value_is(over, VALUE_UNKNOWN)) return false;
    for (size_t i = 0; i < value_count(over); i++) {
        bool is_map = over->kind == VALUE_MAP;
        struct value_field *fields = px_arena_array(arena, struct value_field, 2);
        if (!fields) return false;
        fields[0] = (struct value_field){S("key"), is_map
                                                       ? value_text(arena, over->map.fields[i].name)
                                                       : value_number(arena, (double)i)};
        fields[1] = (struct value_field){S("value"), value_item(over, i)};
        struct eval_binding item = {iterator ? iterator->name : block->label,
                                    value_map(arena, fields, 2), scope->bindings};
        struct eval_scope inner = *scope;
        inner.bindings = &item;
        if (!add_one(&inner, &content->body, items, count, max)) return false;
    }
    return true;
}

static const struct value *nested_blocks(const struct eval_scope *scope,
                                         const struct hcl_body *body, struct px_str type)
{
    enum { BLOCKS_MAX = 512 };
    const struct value *items[BLOCKS_MAX];
    size_t count = 0;
    for (struct hcl_block *block = body->blocks; block; block = block->next) {
        bool dynamic = px_str_eq(block->type, S("dynamic")) && px_str_eq(block->label, type);
        bool fine = true;
        if (dynamic)
            fine = add_dynamic(scope, block, items, &count, BLOCKS_MAX);
        else if (px_str_eq(block->type, type))
            fine = add_one(scope, &block->body, items, &count, BLOCKS_MAX);
        if (!fine) return &value_unknown;
    }
    if (count == 0) return NULL;
    const struct value **kept = px_arena_array(scope->module->plan->arena, const struct value *,
                                               count);
    if (!kept) return NULL;
    memcpy(kept, items, count * sizeof(const struct value *));
    return value_list(scope->module->plan->arena, kept, count);
}

static const struct value *body_value(const struct eval_scope *scope, const struct hcl_body *body)
{
    enum { FIELDS_MAX = 128 };
    struct value_field fields[FIELDS_MAX];
    size_t count = 0;
    struct px_arena *arena = scope->module->plan->arena;
    for (struct hcl_attr *attr = body->attrs; attr && count < FIELDS_MAX; attr = attr->next) {
        const struct value *v = eval(scope, attr->expr);
        fields[count++] = (struct value_field){attr->name, v ? v : &value_unknown};
    }
    for (struct hcl_block *block = body->blocks; block && count < FIELDS_MAX; block = block->next) {
        struct px_str type = px_str_eq(block->type, S("dynamic")) ? block->label : block->type;
        const struct value *v = nested_blocks(scope, body, type);
        if (v) fields[count++] = (struct value_field){type, v};
    }
    struct value_field *kept = px_arena_array(arena, struct value_field, count);
    if (!kept) return NULL;
    if (count > 0) memcpy(kept, fields, count * sizeof *fields);
    return value_map(arena, kept, count);
}

const struct value *eval_written(struct plan_resource *resource, struct px_str name)
{
    struct hcl_block *block = resource->block;
    if (!block || !resource->module) return NULL;
    struct eval_scope scope = {.module = resource->module, .each_key = resource->key};
    if (resource->key)
        scope.each_value = each_value(eval_repetition(resource->module, block), resource->key);
    struct hcl_expr *e = hcl_attr_of(&block->body, name);
    if (!e) return nested_blocks(&scope, &block->body, name);
    const struct value *v = eval(&scope, e);
    return v ? v : &value_unknown;
}
