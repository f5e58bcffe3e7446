/* delivery/eval.c - expressions over a plan; see eval.h.
 *
 * Names resolve as in Terraform: what a for expression binds, each and count, then var, local,
 * module, data, path, and last resources. Depth and work are bounded per plan; over the bound
 * everything is unknown. */
#include "delivery/eval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/px_file.h"
#include "delivery/plan_internal.h"

#define DEPTH_MAX 200
#define STEPS_MAX UINT64_C(50000000)
#define FILE_BYTES_MAX (4u << 20)

static struct px_arena *arena_of(const struct eval_scope *scope)
{
    return scope->module->plan->arena;
}

static bool is_unknown(const struct value *v) { return value_is(v, VALUE_UNKNOWN); }

/* ---- names ---- */

static const struct value *binding_of(const struct eval_scope *scope, struct px_str name)
{
    for (const struct eval_binding *b = scope->bindings; b; b = b->outer)
        if (px_str_eq(b->name, name)) return b->value;
    return NULL;
}

static const struct value *each_attr(const struct eval_scope *scope, struct px_str name)
{
    if (px_str_eq(name, S("key"))) return scope->each_key ? scope->each_key : &value_unknown;
    if (px_str_eq(name, S("value"))) return scope->each_value ? scope->each_value : &value_unknown;
    return NULL;
}

static const struct value *path_attr(const struct eval_scope *scope, struct px_str name)
{
    const char *dir = scope->module->config->dir;
    if (!px_str_eq(name, S("module"))) dir = scope->module->plan->source_dir;
    return dir ? value_text(arena_of(scope), px_str_c(dir)) : &value_unknown;
}

/* `root.name`, where root is no bound name. */
static const struct value *root_attr(const struct eval_scope *scope, struct px_str root,
                                     struct px_str name)
{
    if (px_str_eq(root, S("var"))) return eval_variable(scope->module, name);
    if (px_str_eq(root, S("local"))) return eval_local(scope->module, name);
    if (px_str_eq(root, S("each"))) return each_attr(scope, name);
    if (px_str_eq(root, S("count"))) return scope->each_key ? scope->each_key : &value_unknown;
    if (px_str_eq(root, S("path"))) return path_attr(scope, name);
    if (px_str_eq(root, S("terraform"))) return value_text(arena_of(scope), S("default"));
    if (px_str_eq(root, S("module"))) return plan_child(scope->module, name);
    if (px_str_eq(root, S("self"))) return &value_unknown;
    return plan_instances(scope->module, root, name, false);
}

/* ---- steps ---- */

static const struct value *longer_symbol(const struct eval_scope *scope, const struct value *base,
                                         const char *fmt, struct px_str step)
{
    struct px_str address;
    if (!text_symbol(base->text, &address)) return text_is_open(base->text) ? &value_unknown : NULL;
    char suffix[256];
    (void)snprintf(suffix, sizeof suffix, fmt, PX_FMT(step));
    struct px_str longer = px_arena_printf(arena_of(scope), "%.*s%s", PX_FMT(address), suffix);
    return longer.ptr ? value_symbol(arena_of(scope), longer) : NULL;
}

static const struct value *get_attr(const struct eval_scope *scope, const struct value *base,
                                    struct px_str name)
{
    switch (base ? base->kind : VALUE_NULL) {
    case VALUE_MAP: return value_get(base, name);
    case VALUE_RESOURCE: return plan_attr(base->resource, name);
    case VALUE_MODULE: return eval_output(base->module, name);
    case VALUE_TEXT: return longer_symbol(scope, base, ".%.*s", name);
    case VALUE_UNKNOWN: return base;
    default: return NULL;
    }
}

static const struct value *eval_attr(const struct eval_scope *scope, const struct hcl_expr *e)
{
    const struct hcl_expr *base = e->a;
    if (base->kind == HCL_NAME && !binding_of(scope, base->name))
        return root_attr(scope, base->name, e->name);
    bool of_data = base->kind == HCL_ATTR && base->a->kind == HCL_NAME &&
                   px_str_eq(base->a->name, S("data")) && !binding_of(scope, S("data"));
    if (of_data) return plan_instances(scope->module, base->name, e->name, true);
    return get_attr(scope, eval(scope, base), e->name);
}

static const struct value *get_index(const struct eval_scope *scope, const struct value *base,
                                     const struct value *index)
{
    struct px_str name;
    if (!base || !index) return NULL;
    if (is_unknown(base) || is_unknown(index)) return &value_unknown;
    if (base->kind == VALUE_LIST) {
        double at = value_num(index, -1);
        if (value_is_open(index)) return &value_unknown;
        return at >= 0 ? value_item(base, (size_t)at) : NULL;
    }
    if (!value_to_text(arena_of(scope), index, &name)) return NULL;
    if (text_is_open(name)) return &value_unknown;
    if (base->kind == VALUE_TEXT)
        return longer_symbol(scope, base, value_is(index, VALUE_TEXT) ? "[\"%.*s\"]" : "[%.*s]",
                             name);
    return get_attr(scope, base, name);
}

static const struct value *eval_splat(const struct eval_scope *scope, const struct hcl_expr *e)
{
    const struct value *base = eval(scope, e->a);
    if (!base || is_unknown(base)) return base;
    if (value_is(base, VALUE_NULL)) return value_list(arena_of(scope), NULL, 0);
    bool is_list = base->kind == VALUE_LIST;
    size_t count = is_list ? value_count(base) : 1;
    const struct value **items = px_arena_array(arena_of(scope), const struct value *, count);
    if (!items) return NULL;
    for (size_t i = 0; i < count; i++) {
        struct eval_binding item = {S("*"), is_list ? value_item(base, i) : base, scope->bindings};
        struct eval_scope inner = *scope;
        inner.bindings = &item;
        items[i] = eval(&inner, e->b);
        if (!items[i]) return NULL;
    }
    return value_list(arena_of(scope), items, count);
}

/* ---- constructors ---- */

static size_t count_of(const struct hcl_expr *first)
{
    size_t count = 0;
    for (; first; first = first->next) count++;
    return count;
}

static const struct value *eval_tuple(const struct eval_scope *scope, const struct hcl_expr *e)
{
    size_t count = count_of(e->first), n = 0;
    const struct value **items = px_arena_array(arena_of(scope), const struct value *, count);
    if (!items) return NULL;
    for (const struct hcl_expr *item = e->first; item; item = item->next) {
        items[n] = eval(scope, item);
        if (!items[n++]) return NULL;
    }
    return value_list(arena_of(scope), items, n);
}

static const struct value *eval_object(const struct eval_scope *scope, const struct hcl_expr *e)
{
    size_t count = count_of(e->first) / 2, n = 0;
    struct value_field *fields = px_arena_array(arena_of(scope), struct value_field, count);
    if (!fields) return NULL;
    for (const struct hcl_expr *key = e->first; key && key->next; key = key->next->next) {
        const struct value *k = eval(scope, key), *v = eval(scope, key->next);
        if (is_unknown(k)) return &value_unknown;
        if (!v || !value_to_text(arena_of(scope), k, &fields[n].name)) return NULL;
        fields[n++].value = v;
    }
    return value_map(arena_of(scope), fields, n);
}

static const struct value *eval_template(const struct eval_scope *scope, const struct hcl_expr *e)
{
    if (e->first && !e->first->next) return eval(scope, e->first); /* "${x}" is x */
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, FILE_BYTES_MAX);
    for (const struct hcl_expr *part = e->first; part; part = part->next) {
        struct px_str text;
        const struct value *v = eval(scope, part);
        if (is_unknown(v)) return v;
        if (!value_to_text(arena_of(scope), v, &text)) return NULL;
        px_buf_add_str(&buf, text);
    }
    struct px_str text = px_arena_dup(arena_of(scope), px_buf_str(&buf));
    return text.ptr && px_buf_fault(&buf) == 0 ? value_text(arena_of(scope), text) : NULL;
}

/* ---- for ---- */

struct loop {
    const struct eval_scope *scope;
    const struct hcl_expr *e;
    struct value_field *fields; /* {for ...} */
    const struct value **items; /* [for ...] */
    size_t count;
};

/* {for ... : k => v...}: values of one key are a list. */
static const struct value *grouped(struct loop *loop, struct px_str key, const struct value *v)
{
    struct px_arena *arena = arena_of(loop->scope);
    const struct value *before = NULL;
    for (size_t i = 0; i < loop->count; i++)
        if (px_str_eq(loop->fields[i].name, key)) before = loop->fields[i].value;
    size_t count = value_count(before);
    const struct value **items = px_arena_array(arena, const struct value *, count + 1);
    if (!items) return NULL;
    for (size_t i = 0; i < count; i++) items[i] = value_item(before, i);
    items[count] = v;
    return value_list(arena, items, count + 1);
}

/* 0 or 1; -1: it cannot be told, -2: an error. */
static int loop_item(struct loop *loop, const struct eval_scope *inner)
{
    const struct hcl_expr *e = loop->e;
    if (e->first) {
        const struct value *wanted = eval(inner, e->first);
        if (!wanted) return -2;
        if (is_unknown(wanted)) return -1;
        if (!value_truth(wanted)) return 0;
    }
    const struct value *v = eval(inner, e->c);
    if (!v) return -2;
    if (!e->b) {
        loop->items[loop->count++] = v;
        return 1;
    }
    struct px_str name;
    const struct value *key = eval(inner, e->b);
    if (is_unknown(key)) return -1;
    if (!value_to_text(arena_of(inner), key, &name)) return -2;
    if (e->expand) v = grouped(loop, name, v);
    loop->fields[loop->count++] = (struct value_field){name, v};
    return v ? 1 : -2;
}

static const struct value *loop_key(struct px_arena *arena, const struct value *over, size_t i)
{
    if (over->kind == VALUE_MAP) return value_text(arena, over->map.fields[i].name);
    return value_number(arena, (double)i);
}

static const struct value *eval_for(const struct eval_scope *scope, const struct hcl_expr *e)
{
    struct px_arena *arena = arena_of(scope);
    const struct value *over = eval(scope, e->a);
    if (!over) return NULL;
    if (over->kind != VALUE_LIST && over->kind != VALUE_MAP)
        return over->kind == VALUE_UNKNOWN || value_is_open(over) ? &value_unknown : NULL;
    struct loop loop = {.scope = scope, .e = e};
    loop.fields = px_arena_array(arena, struct value_field, value_count(over));
    loop.items = px_arena_array(arena, const struct value *, value_count(over));
    if (!loop.fields || !loop.items) return NULL;
    for (size_t i = 0; i < value_count(over); i++) {
        struct eval_binding key = {e->key_name, loop_key(arena, over, i), scope->bindings};
        struct eval_binding item = {e->name, value_item(over, i), &key};
        struct eval_scope inner = *scope;
        inner.bindings = &item;
        int r = loop_item(&loop, &inner);
        if (r == -1) return &value_unknown;
        if (r < 0) return NULL;
    }
    return e->b ? value_map(arena, loop.fields, loop.count)
                : value_list(arena, loop.items, loop.count);
}

/* ---- operators ---- */

static const struct value *eval_cond(const struct eval_scope *scope, const struct hcl_expr *e)
{
    const struct value *cond = eval(scope, e->a);
    if (!cond) return NULL;
    if (!value_is_open(cond)) return eval(scope, value_truth(cond) ? e->b : e->c);
    const struct value *yes = eval(scope, e->b), *no = eval(scope, e->c);
    return yes && no && value_equal(yes, no) == 1 ? yes : &value_unknown;
}

static const struct value *arithmetic(struct px_arena *arena, enum hcl_op op, double a, double b)
{
    if (isnan(a) || isnan(b)) return NULL;
    switch (op) {
    case HCL_LT: return value_bool(a < b);
    case HCL_GT: return value_bool(a > b);
    case HCL_LE: return value_bool(a <= b);
    case HCL_GE: return value_bool(a >= b);
    case HCL_ADD: return value_number(arena, a + b);
    case HCL_SUB: return value_number(arena, a - b);
    case HCL_MUL: return value_number(arena, a * b);
    case HCL_DIV: return b == 0 ? NULL : value_number(arena, a / b);
    default: return b == 0 ? NULL : value_number(arena, fmod(a, b));
    }
}

static const struct value *logic(const struct eval_scope *scope, const struct hcl_expr *e)
{
    bool decides = e->op == HCL_OR;
    const struct value *a = eval(scope, e->a);
    if (!a) return NULL;
    if (!value_is_open(a) && value_truth(a) == decides) return value_bool(decides);
    const struct value *b = eval(scope, e->b);
    if (!b) return NULL;
    if (!value_is_open(b) && value_truth(b) == decides) return value_bool(decides);
    return value_is_open(a) || value_is_open(b) ? &value_unknown : value_bool(!decides);
}

static const struct value *eval_binary(const struct eval_scope *scope, const struct hcl_expr *e)
{
    if (e->op == HCL_OR || e->op == HCL_AND) return logic(scope, e);
    const struct value *a = eval(scope, e->a), *b = eval(scope, e->b);
    if (!a || !b) return NULL;
    if (e->op == HCL_EQ || e->op == HCL_NE) {
        int equal = value_equal(a, b);
        return equal < 0 ? &value_unknown : value_bool((equal == 1) == (e->op == HCL_EQ));
    }
    if (value_is_open(a) || value_is_open(b)) return &value_unknown;
    return arithmetic(arena_of(scope), e->op, value_num(a, NAN), value_num(b, NAN));
}

static const struct value *eval_unary(const struct eval_scope *scope, const struct hcl_expr *e)
{
    const struct value *a = eval(scope, e->a);
    if (!a) return NULL;
    if (value_is_open(a)) return &value_unknown;
    if (e->op == HCL_NOT) return value_bool(!value_truth(a));
    return value_number(arena_of(scope), -value_num(a, 0));
}

/* ---- calls ---- */

static const struct value *file_text(const struct eval_scope *scope, const struct value *path)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, FILE_BYTES_MAX);
    char *name = px_arena_cstr(arena_of(scope), value_str(path));
    bool may = scope->module->plan->source_dir && name && name[0] && !value_is_open(path);
    if (!may || px_file_read(name, &text) != 0) return &value_unknown;
    struct px_str copy = px_arena_dup(arena_of(scope), px_buf_str(&text));
    return copy.ptr ? value_text(arena_of(scope), copy) : NULL;
}

static const struct value *template_file(const struct eval_scope *scope, const struct value *path,
                                         const struct value *names)
{
    struct hcl_expr *e = NULL;
    const struct value *text = file_text(scope, path);
    if (!value_is(text, VALUE_TEXT) || !value_is(names, VALUE_MAP)) return &value_unknown;
    if (hcl_parse_template(text->text, arena_of(scope), &e, NULL) != 0) return &value_unknown;
    struct eval_binding *bindings = px_arena_array(arena_of(scope), struct eval_binding,
                                                   value_count(names));
    if (!bindings) return NULL;
    struct eval_scope inner = {.module = scope->module};
    for (size_t i = 0; i < value_count(names); i++) {
        bindings[i] = (struct eval_binding){names->map.fields[i].name, names->map.fields[i].value,
                                            inner.bindings};
        inner.bindings = &bindings[i];
    }
    return eval(&inner, e);
}

static const struct value *eval_try(const struct eval_scope *scope, const struct hcl_expr *e)
{
    for (const struct hcl_expr *arg = e->first; arg; arg = arg->next) {
        const struct value *v = eval(scope, arg);
        if (v) return v;
    }
    return NULL;
}

static const struct value *eval_call(const struct eval_scope *scope, const struct hcl_expr *e)
{
    enum { ARGS_MAX = 512 };
    const struct value *args[ARGS_MAX];
    size_t count = 0;
    if (px_str_eq(e->name, S("try"))) return eval_try(scope, e);
    for (const struct hcl_expr *arg = e->first; arg && count < ARGS_MAX; arg = arg->next) {
        const struct value *v = eval(scope, arg);
        if (px_str_eq(e->name, S("can"))) return value_bool(v != NULL);
        if (!v) return NULL;
        if (!arg->next && e->expand) {
            if (is_unknown(v)) return v;
            for (size_t i = 0; i < value_count(v) && count < ARGS_MAX; i++)
                args[count++] = value_item(v, i);
        } else {
            args[count++] = v;
        }
    }
    if (px_str_eq(e->name, S("file")) && count == 1) return file_text(scope, args[0]);
    if (px_str_eq(e->name, S("templatefile")) && count == 2)
        return template_file(scope, args[0], args[1]);
    return eval_function(arena_of(scope), e->name, args, count);
}

/* ---- all ---- */

/* References that a plan lists: what they name is known, not how it is put together. */
static const struct value *eval_opaque(const struct eval_scope *scope, const struct hcl_expr *e)
{
    size_t count = count_of(e->first), n = 0;
    if (scope->module->config->from_sources || count == 0) return &value_unknown;
    const struct value **items = px_arena_array(arena_of(scope), const struct value *, count);
    if (!items) return NULL;
    for (const struct hcl_expr *item = e->first; item; item = item->next) {
        const struct value *v = eval(scope, item);
        items[n++] = v ? v : &value_unknown;
    }
    return value_list(arena_of(scope), items, n);
}

static const struct value *eval_kind(const struct eval_scope *scope, const struct hcl_expr *e)
{
    switch (e->kind) {
    case HCL_VALUE: return e->value;
    case HCL_TEMPLATE: return eval_template(scope, e);
    case HCL_NAME: return binding_of(scope, e->name);
    case HCL_ATTR: return eval_attr(scope, e);
    case HCL_INDEX: return get_index(scope, eval(scope, e->a), eval(scope, e->b));
    case HCL_SPLAT: return eval_splat(scope, e);
    case HCL_CALL: return eval_call(scope, e);
    case HCL_COND: return eval_cond(scope, e);
    case HCL_UNARY: return eval_unary(scope, e);
    case HCL_BINARY: return eval_binary(scope, e);
    case HCL_TUPLE: return eval_tuple(scope, e);
    case HCL_OBJECT: return eval_object(scope, e);
    case HCL_FOR: return eval_for(scope, e);
    default: return eval_opaque(scope, e);
    }
}

const struct value *eval(const struct eval_scope *scope, const struct hcl_expr *e)
{
    struct plan *plan = scope->module->plan;
    if (!e) return NULL;
    if (plan->depth >= DEPTH_MAX || plan->steps >= STEPS_MAX) return &value_unknown;
    plan->depth++;
    plan->steps++;
    const struct value *v = eval_kind(scope, e);
    plan->depth--;
    return v;
}
