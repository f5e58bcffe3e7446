/* delivery/plan_index.c - the resources of a plan, the instances of its modules, and their indexes.
 *
 * Managed resources come from resource_changes (those that go are left out), data sources from the
 * prior state, or from resource_changes where reading waits for apply. */
#include <stdio.h>
#include <stdlib.h>

#include "delivery/eval.h"
#include "delivery/plan_internal.h"

#define MODULE_DEPTH_MAX 16

/* ---- a hash table of texts ---- */

static uint64_t hash_of(struct px_str key)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < key.len; i++) h = (h ^ (unsigned char)key.ptr[i]) * 1099511628211u;
    return h;
}

struct plan_resource *plan_slot_find(const struct plan_slot *slots, size_t mask, struct px_str key)
{
    for (size_t i = hash_of(key) & mask; slots[i].resource; i = (i + 1) & mask)
        if (px_str_eq(slots[i].key, key)) return slots[i].resource;
    return NULL;
}

void plan_slot_put(struct plan_slot *slots, size_t mask, struct px_str key,
                   struct plan_resource *resource)
{
    size_t i = hash_of(key) & mask;
    while (slots[i].resource) i = (i + 1) & mask;
    slots[i] = (struct plan_slot){key, resource};
}

/* ---- addresses ---- */

struct px_str plan_address_step(struct px_str *rest)
{
    size_t i = 0;
    bool bracket = false, quote = false;
    for (; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (quote && c == '\\')
            i++;
        else if (c == '"')
            quote = !quote;
        else if (!quote && (c == '[' || c == ']'))
            bracket = c == '[';
        else if (!quote && !bracket && c == '.')
            break;
    }
    i = PX_MIN(i, rest->len);
    struct px_str step = px_str(rest->ptr, i);
    *rest = px_str_skip(*rest, i + 1);
    return step;
}

bool plan_address_key(struct px_arena *arena, struct px_str step, struct px_str *ret_name,
                      const struct value **ret_key)
{
    const char *open = step.len > 0 ? memchr(step.ptr, '[', step.len) : NULL;
    *ret_name = step;
    if (!open) return true;
    *ret_name = px_str(step.ptr, (size_t)(open - step.ptr));
    if (step.ptr[step.len - 1] != ']') return false;
    *ret_key = value_parse(arena, px_str(open + 1, (size_t)(step.ptr + step.len - 2 - open)));
    return value_is(*ret_key, VALUE_TEXT) || value_is(*ret_key, VALUE_NUMBER);
}

struct px_str plan_key_text(struct px_arena *arena, const struct value *key)
{
    struct px_str text = {0};
    (void)value_to_text(arena, key, &text);
    return text;
}

/* ---- instances of modules ---- */

static struct px_str child_address(struct plan_module *parent, struct px_str name,
                                   const struct value *key)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 64 * 1024);
    px_buf_add_str(&buf, parent->address);
    px_buf_printf(&buf, "%smodule.%.*s", parent->address.len > 0 ? "." : "", PX_FMT(name));
    if (key) {
        px_buf_add_char(&buf, '[');
        value_write_json(&buf, key);
        px_buf_add_char(&buf, ']');
    }
    return px_arena_dup(parent->plan->arena, px_buf_str(&buf));
}

struct plan_module *plan_module_child(struct plan_module *parent, struct px_str name,
                                      const struct value *key)
{
    for (struct plan_module *child = parent->children; child; child = child->next)
        if (px_str_eq(child->config->name, name) && value_equal(child->key, key) == 1) return child;
    struct plan_config *config = plan_config_child(parent->config, name);
    struct plan_module *child = config ? px_arena_new(parent->plan->arena, struct plan_module)
                                       : NULL;
    if (!child) return NULL;
    *child = (struct plan_module){
        .plan = parent->plan, .config = config, .key = key, .parent = parent};
    child->address = child_address(parent, name, key);
    struct plan_module **tail = &parent->children;
    while (*tail) tail = &(*tail)->next;
    *tail = child;
    return child->address.ptr ? child : NULL;
}

struct plan_module *plan_module_at(struct plan *plan, struct px_str address)
{
    struct plan_module *module = plan->module;
    struct px_str rest = address;
    for (unsigned depth = 0; module && rest.len > 0; depth++) {
        struct px_str name;
        const struct value *key = NULL;
        if (depth > MODULE_DEPTH_MAX) return NULL;
        if (!px_str_eq(plan_address_step(&rest), S("module"))) return NULL;
        if (!plan_address_key(plan->arena, plan_address_step(&rest), &name, &key)) return NULL;
        module = plan_module_child(module, name, key);
    }
    return module;
}

static const struct value *module_value(struct px_arena *arena, struct plan_module *module)
{
    struct value *v = px_arena_new(arena, struct value);
    if (!v) return NULL;
    v->kind = VALUE_MODULE;
    v->module = module;
    return v;
}

/* The calls that for_each or count make, also those without resources. */
static void make_children(struct plan_module *module, struct px_str name,
                          const struct value *repeated)
{
    struct px_arena *arena = module->plan->arena;
    if (value_is(repeated, VALUE_NUMBER)) {
        for (unsigned i = 0; i < repeated->number && i < 1000; i++)
            (void)plan_module_child(module, name, value_number(arena, i));
        return;
    }
    for (size_t i = 0; i < value_count(repeated); i++) {
        const struct value *key = repeated->kind == VALUE_MAP
                                      ? value_text(arena, repeated->map.fields[i].name)
                                      : value_item(repeated, i);
        if (value_is(key, VALUE_TEXT) && !value_is_open(key))
            (void)plan_module_child(module, name, key);
    }
}

static const struct value *keyed_children(struct plan_module *module, struct px_str name,
                                          bool by_number)
{
    struct px_arena *arena = module->plan->arena;
    size_t count = 0, n = 0;
    for (struct plan_module *child = module->children; child; child = child->next) count++;
    struct value_field *fields = px_arena_array(arena, struct value_field, count);
    const struct value **items = px_arena_array(arena, const struct value *, count);
    if (!fields || !items) return NULL;
    for (struct plan_module *child = module->children; child; child = child->next) {
        if (!px_str_eq(child->config->name, name) || !child->key) continue;
        items[n] = module_value(arena, child);
        fields[n] = (struct value_field){plan_key_text(arena, child->key), items[n]};
        if (!items[n++]) return NULL;
    }
    return by_number ? value_list(arena, items, n) : value_map(arena, fields, n);
}

const struct value *plan_child(struct plan_module *module, struct px_str name)
{
    struct plan_config *config = plan_config_child(module->config, name);
    struct hcl_block *block = hcl_block_of(&module->config->body, S("module"), name, S(""));
    if (!config || !block) return NULL;
    bool by_number = hcl_attr_of(&block->body, S("count")) != NULL;
    if (!by_number && !hcl_attr_of(&block->body, S("for_each"))) {
        struct plan_module *child = plan_module_child(module, name, NULL);
        return child ? module_value(module->plan->arena, child) : NULL;
    }
    make_children(module, name, eval_repetition(module, block));
    return keyed_children(module, name, by_number);
}

/* ---- resources ---- */

static enum plan_action action_of(yyjson_val *change)
{
    yyjson_val *actions = px_json_arr(change, "actions");
    struct px_str first = px_json_val_str(yyjson_arr_get(actions, 0));
    if (yyjson_arr_size(actions) > 1) return PLAN_REPLACE;
    if (px_str_eq(first, S("create"))) return PLAN_CREATE;
    if (px_str_eq(first, S("update"))) return PLAN_UPDATE;
    return px_str_eq(first, S("read")) ? PLAN_READ : PLAN_KEEP;
}

static void add_resource(struct plan *plan, yyjson_val *json, struct px_str module_address,
                         struct plan_resource *resource)
{
    yyjson_val *index = yyjson_obj_get(json, "index");
    resource->plan = plan;
    resource->address = px_json_str(json, "address");
    resource->type = px_json_str(json, "type");
    resource->name = px_json_str(json, "name");
    resource->is_data = px_str_eq(px_json_str(json, "mode"), S("data"));
    resource->module = plan_module_at(plan, module_address);
    if (index && !yyjson_is_null(index)) resource->key = value_from_json(plan->arena, index);
    if (resource->module)
        resource->block = hcl_block_of(&resource->module->config->body,
                                       resource->is_data ? S("data") : S("resource"),
                                       resource->type, resource->name);
    plan->resources[plan->resource_count++] = resource;
}

static int add_changes(struct plan *plan)
{
    size_t i, n;
    yyjson_val *json;
    px_json_arr_foreach(px_json_arr(plan->root, "resource_changes"), i, n, json)
    {
        yyjson_val *change = px_json_obj(json, "change");
        yyjson_val *after = px_json_obj(change, "after");
        if (!after || px_json_str(json, "address").len == 0) continue; /* it goes */
        struct plan_resource *resource = px_arena_new(plan->arena, struct plan_resource);
        if (!resource) return px_arena_fault(plan->arena);
        resource->known = after;
        resource->unknown = yyjson_obj_get(change, "after_unknown");
        resource->sensitive = yyjson_obj_get(change, "after_sensitive");
        resource->action = action_of(change);
        add_resource(plan, json, px_json_str(json, "module_address"), resource);
    }
    return 0;
}

static int add_data(struct plan *plan, yyjson_val *module, struct px_str address)
{
    size_t i, n;
    yyjson_val *json, *child;
    px_json_arr_foreach(px_json_arr(module, "resources"), i, n, json)
    {
        if (!px_str_eq(px_json_str(json, "mode"), S("data"))) continue;
        struct plan_resource *resource = px_arena_new(plan->arena, struct plan_resource);
        if (!resource) return px_arena_fault(plan->arena);
        resource->known = px_json_obj(json, "values");
        resource->sensitive = yyjson_obj_get(json, "sensitive_values");
        add_resource(plan, json, address, resource);
    }
    px_json_arr_foreach(px_json_arr(module, "child_modules"), i, n, child)
    {
        PX_TRY(add_data(plan, child, px_json_str(child, "address")));
    }
    return 0;
}

static size_t count_below(yyjson_val *module)
{
    size_t i, n, count = yyjson_arr_size(px_json_arr(module, "resources"));
    yyjson_val *child;
    px_json_arr_foreach(px_json_arr(module, "child_modules"), i, n, child)
        count += count_below(child);
    return count;
}

/* "module.a.aws_x.y" of an address with or without a key. */
static struct px_str base_of(struct px_str address)
{
    if (address.len == 0 || address.ptr[address.len - 1] != ']') return address;
    struct px_str rest = address, step = {0};
    while (rest.len > 0) step = plan_address_step(&rest);
    const char *open = step.len > 0 ? memchr(step.ptr, '[', step.len) : NULL;
    return open ? px_str(address.ptr, (size_t)(open - address.ptr)) : address;
}

static void index_resource(struct plan *plan, struct plan_resource *resource)
{
    struct px_str base = base_of(resource->address);
    if (!plan_at(plan, resource->address))
        plan_slot_put(plan->by_address, plan->slot_mask, resource->address, resource);
    struct plan_resource *first = plan_slot_find(plan->by_base, plan->slot_mask, base);
    if (!first) {
        plan_slot_put(plan->by_base, plan->slot_mask, base, resource);
        return;
    }
    resource->next_sibling = first->next_sibling;
    first->next_sibling = resource;
}

static int by_type(const void *a, const void *b)
{
    const struct plan_resource *x = *(struct plan_resource *const *)a;
    const struct plan_resource *y = *(struct plan_resource *const *)b;
    int order = px_str_cmp(x->type, y->type);
    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

int plan_index(struct plan *plan)
{
    yyjson_val *state = px_json_at(plan->root, "prior_state.values.root_module");
    size_t most = yyjson_arr_size(px_json_arr(plan->root, "resource_changes")) + count_below(state);
    size_t slots = 64;
    while (slots < most * 4) slots *= 2;
    plan->slot_mask = slots - 1;
    plan->resources = px_arena_array(plan->arena, struct plan_resource *, most);
    plan->by_address = px_arena_array(plan->arena, struct plan_slot, slots);
    plan->by_base = px_arena_array(plan->arena, struct plan_slot, slots);
    plan->module = px_arena_new(plan->arena, struct plan_module);
    if (!plan->resources || !plan->by_address || !plan->by_base || !plan->module)
        return px_arena_fault(plan->arena);
    *plan->module = (struct plan_module){.plan = plan, .config = plan->config};
    PX_TRY(add_changes(plan));
    PX_TRY(add_data(plan, state, S("")));
    for (size_t i = 0; i < plan->resource_count; i++) plan->resources[i]->order = i;
    qsort(plan->resources, plan->resource_count, sizeof(struct plan_resource *), by_type);
    for (size_t i = 0; i < plan->resource_count; i++) {
        plan->resources[i]->order = i;
        index_resource(plan, plan->resources[i]);
    }
    return 0;
}

/* ---- instances as expressions see them ---- */

static const struct value *resource_value(struct px_arena *arena, struct plan_resource *resource)
{
    struct value *v = px_arena_new(arena, struct value);
    if (!v) return NULL;
    v->kind = VALUE_RESOURCE;
    v->resource = resource;
    return v;
}

static const struct value *keyed_instances(struct px_arena *arena, struct plan_resource *first)
{
    size_t count = 0, n = 0;
    for (struct plan_resource *it = first; it; it = it->next_sibling) count++;
    struct value_field *fields = px_arena_array(arena, struct value_field, count);
    const struct value **items = px_arena_array(arena, const struct value *, count);
    if (!fields || !items) return NULL;
    bool by_number = value_is(first->key, VALUE_NUMBER);
    for (struct plan_resource *it = first; it; it = it->next_sibling, n++) {
        const struct value *v = resource_value(arena, it);
        if (!v) return NULL;
        fields[n] = (struct value_field){plan_key_text(arena, it->key), v};
        size_t at = by_number ? (size_t)value_num(it->key, 0) : 0;
        if (by_number && at < count) items[at] = v;
    }
    for (size_t i = 0; by_number && i < count; i++)
        if (!items[i]) items[i] = &value_unknown;
    return by_number ? value_list(arena, items, count) : value_map(arena, fields, count);
}

static const struct value *no_instances(struct plan_module *module, struct px_str type,
                                        struct px_str name, bool is_data)
{
    struct hcl_block *block = hcl_block_of(&module->config->body,
                                           is_data ? S("data") : S("resource"), type, name);
    if (!block) return NULL;
    if (hcl_attr_of(&block->body, S("for_each"))) return value_map(module->plan->arena, NULL, 0);
    if (hcl_attr_of(&block->body, S("count"))) return value_list(module->plan->arena, NULL, 0);
    return &value_unknown;
}

const struct value *plan_instances(struct plan_module *module, struct px_str type,
                                   struct px_str name, bool is_data)
{
    struct plan *plan = module->plan;
    char base[1024];
    int n = snprintf(base, sizeof base, "%.*s%s%s%.*s.%.*s", PX_FMT(module->address),
                     module->address.len > 0 ? "." : "", is_data ? "data." : "", PX_FMT(type),
                     PX_FMT(name));
    if (n < 0 || (size_t)n >= sizeof base) return NULL;
    struct plan_resource *first = plan_slot_find(plan->by_base, plan->slot_mask,
                                                 px_str(base, (size_t)n));
    if (!first) return no_instances(module, type, name, is_data);
    return first->key ? keyed_instances(plan->arena, first) : resource_value(plan->arena, first);
}
