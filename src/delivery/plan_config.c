/* delivery/plan_config.c - the modules of a plan as written.
 *
 * Sources are read from the folder that a call's `source` names, relative to that of its caller. They
 * must hold every resource that the plan says the module has; otherwise they are another version,
 * and the module is made of the plan's own list of references, as it is where there are no sources. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/px_file.h"
#include "delivery/plan_internal.h"

#define SOURCE_BYTES_MAX (4u << 20)
#define DEPTH_MAX 16

struct source { /* one folder; several calls may use it */
    const char *dir;
    struct hcl_body body;
    struct source *next;
};
struct loading {
    struct plan *plan;
    struct source *sources;
    const char *dir; /* being read */
    struct hcl_body *body;
};

struct plan_config *plan_config_child(const struct plan_config *config, struct px_str name)
{
    for (struct plan_config *child = config->children; child; child = child->next)
        if (px_str_eq(child->name, name)) return child;
    return NULL;
}

/* ---- sources ---- */

static int read_source(void *ctx, const char *name, bool is_dir)
{
    struct loading *loading = ctx;
    struct px_arena *arena = loading->plan->arena;
    if (is_dir || !px_str_ends(px_str_c(name), S(".tf"))) return 0;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, SOURCE_BYTES_MAX);
    struct px_str path = px_arena_printf(arena, "%s/%s", loading->dir, name);
    if (!path.ptr) return px_arena_fault(arena);
    int r = px_file_read(path.ptr, &text);
    if (r > 0) return px_fault(PX_F_CONFIG, "%s cannot be read", path.ptr);
    PX_TRY(r);
    struct px_where where = {0};
    r = hcl_parse(px_buf_str(&text), arena, loading->body, &where);
    if (r != HCL_INVALID) return r;
    size_t line = 1;
    for (size_t i = 0; i < where.offset && i < text.len; i++) line += text.ptr[i] == '\n';
    return px_fault(PX_F_CONFIG, "%s:%zu: %s", path.ptr, line, where.expected);
}

/* The body of a folder's files; NULL with 0: there is no such folder. */
static int source_of(struct loading *loading, const char *dir, struct hcl_body **ret_body)
{
    struct px_arena *arena = loading->plan->arena;
    *ret_body = NULL;
    for (struct source *it = loading->sources; it; it = it->next) {
        if (strcmp(it->dir, dir) != 0) continue;
        *ret_body = &it->body;
        return 0;
    }
    struct source *source = px_arena_new(arena, struct source);
    if (!source) return px_arena_fault(arena);
    source->dir = dir;
    loading->dir = dir;
    loading->body = &source->body;
    int r = px_dir_each(dir, read_source, loading);
    if (r == PX_FILE_ABSENT) return 0;
    PX_TRY(r);
    source->next = loading->sources;
    loading->sources = source;
    *ret_body = &source->body;
    return 0;
}

static const char *dir_of_call(struct px_arena *arena, const char *caller, struct px_str source)
{
    char real[PATH_MAX];
    bool local = px_str_starts(source, S("./")) || px_str_starts(source, S("../"));
    if (!caller || !local) return NULL;
    struct px_str path = px_arena_printf(arena, "%s/%.*s", caller, PX_FMT(source));
    if (!path.ptr || !realpath(path.ptr, real)) return NULL;
    return px_arena_cstr(arena, px_str_c(real));
}

/* resource, data, and what either program may add, such as ephemeral. */
static struct px_str block_type(yyjson_val *resource)
{
    struct px_str mode = px_json_str(resource, "mode");
    return px_str_eq(mode, S("managed")) || mode.len == 0 ? S("resource") : mode;
}

static bool holds_all(const struct hcl_body *body, yyjson_val *json)
{
    size_t i, n;
    yyjson_val *resource;
    px_json_arr_foreach(px_json_arr(json, "resources"), i, n, resource)
    {
        if (!hcl_block_of(body, block_type(resource), px_json_str(resource, "type"),
                          px_json_str(resource, "name")))
            return false;
    }
    return true;
}

/* ---- a body from what the plan lists ---- */

static struct hcl_expr *opaque(struct px_arena *arena)
{
    struct hcl_expr *e = px_arena_new(arena, struct hcl_expr);
    if (e) e->kind = HCL_OPAQUE;
    return e;
}

/* The list has "a.b.c" and then "a.b": only the longest say something. */
static bool is_covered(yyjson_val *references, size_t at)
{
    struct px_str own = px_json_val_str(yyjson_arr_get(references, at));
    size_t i, n;
    yyjson_val *other;
    yyjson_arr_foreach(references, i, n, other)
    {
        struct px_str text = px_json_val_str(other);
        bool longer = text.len > own.len && px_str_starts(text, own) &&
                      (text.ptr[own.len] == '.' || text.ptr[own.len] == '[');
        if (longer) return true;
    }
    return false;
}

static struct hcl_expr *from_references(struct px_arena *arena, yyjson_val *references)
{
    struct hcl_expr *all = opaque(arena), **tail = all ? &all->first : NULL;
    size_t i, n;
    yyjson_val *reference;
    px_json_arr_foreach(references, i, n, reference)
    {
        struct hcl_expr *e = NULL;
        if (!all || is_covered(references, i)) continue;
        if (hcl_parse_expr(px_json_val_str(reference), arena, &e, NULL) != 0) continue;
        *tail = e;
        tail = &e->next;
    }
    bool single = all && all->first && !all->first->next;
    return single ? all->first : all; /* several: nobody knows how they are put together */
}

static bool is_expression(yyjson_val *json)
{
    if (!yyjson_is_obj(json)) return false;
    size_t own = (yyjson_obj_get(json, "references") != NULL) +
                 (yyjson_obj_get(json, "constant_value") != NULL);
    return own == yyjson_obj_size(json);
}

static struct hcl_expr *from_expression(struct px_arena *arena, yyjson_val *json)
{
    yyjson_val *constant = yyjson_obj_get(json, "constant_value");
    if (!constant) return from_references(arena, px_json_arr(json, "references"));
    struct hcl_expr *e = px_arena_new(arena, struct hcl_expr);
    if (!e) return NULL;
    e->kind = HCL_VALUE;
    e->value = value_from_json(arena, constant);
    return e->value ? e : NULL;
}

static bool add_attr(struct px_arena *arena, struct hcl_body *body, struct px_str name,
                     struct hcl_expr *expr)
{
    struct hcl_attr *attr = px_arena_new(arena, struct hcl_attr);
    if (!attr || !expr) return false;
    *attr = (struct hcl_attr){name, expr, body->attrs};
    body->attrs = attr;
    return true;
}

static struct hcl_block *add_block(struct px_arena *arena, struct hcl_body *body,
                                   struct px_str type, struct px_str label, struct px_str name)
{
    struct hcl_block *block = px_arena_new(arena, struct hcl_block), **tail = &body->blocks;
    if (!block) return NULL;
    *block = (struct hcl_block){.type = type, .label = label, .name = name};
    while (*tail) tail = &(*tail)->next;
    *tail = block;
    return block;
}

static bool add_expressions(struct px_arena *arena, struct hcl_body *body, yyjson_val *json);

static bool add_nested(struct px_arena *arena, struct hcl_body *body, struct px_str name,
                       yyjson_val *json)
{
    struct hcl_block *block = add_block(arena, body, name, S(""), S(""));
    return block && add_expressions(arena, &block->body, json);
}

static bool add_expressions(struct px_arena *arena, struct hcl_body *body, yyjson_val *json)
{
    size_t i, n, k, m;
    yyjson_val *key, *value, *item;
    px_json_obj_foreach(json, i, n, key, value)
    {
        struct px_str name = px_json_val_str(key);
        if (is_expression(value)) {
            if (!add_attr(arena, body, name, from_expression(arena, value))) return false;
        } else if (yyjson_is_arr(value)) {
            yyjson_arr_foreach(value, k, m,
                               item) if (!add_nested(arena, body, name, item)) return false;
        } else if (!add_nested(arena, body, name, value)) {
            return false;
        }
    }
    return true;
}

static bool add_common(struct px_arena *arena, struct hcl_body *body, yyjson_val *json)
{
    static const struct {
        const char *json, *name;
    } repeated[] = {{"for_each_expression", "for_each"}, {"count_expression", "count"}};
    for (size_t i = 0; i < PX_COUNT(repeated); i++) {
        yyjson_val *e = px_json_obj(json, repeated[i].json);
        if (e && !add_attr(arena, body, px_str_c(repeated[i].name), from_expression(arena, e)))
            return false;
    }
    yyjson_val *depends = px_json_arr(json, "depends_on");
    if (depends && !add_attr(arena, body, S("depends_on"), from_references(arena, depends)))
        return false;
    return add_expressions(arena, body, px_json_obj(json, "expressions"));
}

static bool add_resources(struct px_arena *arena, struct hcl_body *body, yyjson_val *json)
{
    size_t i, n;
    yyjson_val *resource;
    px_json_arr_foreach(px_json_arr(json, "resources"), i, n, resource)
    {
        struct hcl_block *block = add_block(arena, body, block_type(resource),
                                            px_json_str(resource, "type"),
                                            px_json_str(resource, "name"));
        if (!block || !add_common(arena, &block->body, resource)) return false;
    }
    return true;
}

static bool add_others(struct px_arena *arena, struct hcl_body *body, yyjson_val *json)
{
    size_t i, n;
    yyjson_val *key, *value;
    px_json_obj_foreach(px_json_obj(json, "module_calls"), i, n, key, value)
    {
        struct hcl_block *block = add_block(arena, body, S("module"), px_json_val_str(key), S(""));
        if (!block || !add_common(arena, &block->body, value)) return false;
    }
    px_json_obj_foreach(px_json_obj(json, "outputs"), i, n, key, value)
    {
        struct hcl_block *block = add_block(arena, body, S("output"), px_json_val_str(key), S(""));
        yyjson_val *depends = px_json_arr(value, "depends_on");
        if (!block || !add_attr(arena, &block->body, S("value"),
                                from_expression(arena, px_json_obj(value, "expression"))))
            return false;
        if (depends &&
            !add_attr(arena, &block->body, S("depends_on"), from_references(arena, depends)))
            return false;
    }
    px_json_obj_foreach(px_json_obj(json, "variables"), i, n, key, value)
    {
        struct hcl_block *block = add_block(arena, body, S("variable"), px_json_val_str(key),
                                            S(""));
        struct hcl_expr *e = px_arena_new(arena, struct hcl_expr);
        if (!block || !e) return false;
        e->value = value_from_json(arena, yyjson_obj_get(value, "default"));
        if (yyjson_obj_get(value, "default") && !add_attr(arena, &block->body, S("default"), e))
            return false;
    }
    return true;
}

static int make_body(struct plan *plan, struct plan_config *config)
{
    bool made = add_resources(plan->arena, &config->body, config->json) &&
                add_others(plan->arena, &config->body, config->json);
    return made ? 0 : px_arena_fault(plan->arena);
}

/* ---- the tree ---- */

static int fill_body(struct loading *loading, struct plan_config *config)
{
    struct plan *plan = loading->plan;
    struct hcl_body *body = NULL;
    if (config->dir) PX_TRY(source_of(loading, config->dir, &body));
    if (body && holds_all(body, config->json)) {
        config->body = *body;
        config->from_sources = true;
        return 0;
    }
    if (config->dir && plan->note.len == 0) {
        plan->note = px_arena_printf(plan->arena,
                                     "the sources in %s are not those that %s was made of",
                                     config->dir, plan->name);
        if (!plan->note.ptr) return px_arena_fault(plan->arena);
    }
    config->dir = NULL;
    return make_body(plan, config);
}

static int load_module(struct loading *loading, struct plan_config *config, unsigned depth)
{
    struct px_arena *arena = loading->plan->arena;
    size_t i, n;
    yyjson_val *key, *call;
    if (depth > DEPTH_MAX) return px_fault(PX_F_CONFIG, "modules are nested too deeply");
    PX_TRY(fill_body(loading, config));
    px_json_obj_foreach(px_json_obj(config->json, "module_calls"), i, n, key, call)
    {
        struct plan_config *child = px_arena_new(arena, struct plan_config);
        if (!child) return px_arena_fault(arena);
        child->name = px_json_val_str(key);
        child->path = px_arena_printf(arena, "%.*s%s%.*s", PX_FMT(config->path),
                                      config->path.len > 0 ? "." : "", PX_FMT(child->name));
        if (!child->path.ptr) return px_arena_fault(arena);
        child->parent = config;
        child->call = call;
        child->json = px_json_obj(call, "module");
        child->dir = dir_of_call(arena, config->dir, px_json_str(call, "source"));
        child->next = config->children;
        config->children = child;
        PX_TRY(load_module(loading, child, depth + 1));
    }
    return 0;
}

int plan_config_load(struct plan *plan, const char *source_dir)
{
    struct loading loading = {.plan = plan};
    plan->config = px_arena_new(plan->arena, struct plan_config);
    if (!plan->config) return px_arena_fault(plan->arena);
    plan->config->json = px_json_at(plan->root, "configuration.root_module");
    if (source_dir) {
        struct px_str dir = px_arena_printf(plan->arena, "%s/%s", source_dir,
                                            plan->kind == PLAN_GLOBAL ? "global" : "region");
        if (!dir.ptr) return px_arena_fault(plan->arena);
        plan->config->dir = plan->source_dir = dir.ptr;
    }
    return load_module(&loading, plan->config, 0);
}
