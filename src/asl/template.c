/* asl/template.c - payload templates as trees. A part without expressions stays the definition's value and is copied as a whole. */
#include "asl/template.h"

#include <stdio.h>
#include <stdlib.h>

#include "asl/expr_value.h"
#include "asl/text.h"

enum node_kind { NODE_FIXED, NODE_EXPR, NODE_OBJECT, NODE_ARRAY };
struct asl_template {
    enum node_kind kind;
    struct px_str name; /* as a member */
    /* For causes: in JSONPath the member's name with its ".$", in JSONata what follows the field's name ("/a/b[0]"). */
    const char *field;
    size_t count; /* of parts */
    union {
        yyjson_val *fixed;
        const struct asl_expr *expr;
        const struct asl_template *parts;
    } of;
};

/* ---- compiling ---- */

/* Where the compiler is, from the inside out. */
struct place {
    const struct place *up; /* NULL: the template itself */
    struct px_str name;     /* ptr NULL: an element */
    size_t index;
};
struct compiler {
    enum asl_language language;
    struct asl_jsonata *jsonata;
    struct px_arena *arena;
    const struct asl_template_error *error;
    bool wrong;
};

/* RFC 6901 */
static void pointer_add(struct asl_text_buf *buf, const struct place *place)
{
    char index[24];
    if (!place->up) return;
    pointer_add(buf, place->up);
    asl_text_add(buf, S("/"));
    if (!place->name.ptr) {
        (void)snprintf(index, sizeof index, "%zu", place->index);
        asl_text_add(buf, px_str_c(index));
        return;
    }
    for (size_t i = 0; i < place->name.len; i++) {
        char c = place->name.ptr[i];
        asl_text_add(buf, c == '~' ? S("~0") : c == '/' ? S("~1") : px_str(&place->name.ptr[i], 1));
    }
}

static int tell(struct compiler *compiler, const struct place *place, struct px_str expected)
{
    struct asl_text_buf buf = {.arena = compiler->arena};
    pointer_add(&buf, place);
    if (buf.failed || !expected.ptr) return px_arena_fault(compiler->arena);
    compiler->wrong = true;
    compiler->error->told(compiler->error->ctx, asl_text_of(&buf), expected);
    return 0;
}

/* "/a/b[0]" */
static void field_add(struct asl_text_buf *buf, const struct place *place)
{
    char index[24];
    if (!place->up) return;
    field_add(buf, place->up);
    if (place->name.ptr) {
        asl_text_add(buf, S("/"));
        asl_text_add(buf, place->name);
    } else {
        (void)snprintf(index, sizeof index, "[%zu]", place->index);
        asl_text_add(buf, px_str_c(index));
    }
}

static int node_of(struct compiler *compiler, const struct place *place, yyjson_val *written,
                   struct asl_template *node);

/* A member "name.$" in JSONPath. */
static int path_node(struct compiler *compiler, const struct place *holder, const char *name,
                     yyjson_val *written, struct asl_template *node)
{
    struct px_where where;
    const struct asl_expr *expr = NULL;
    int r = ASL_INVALID;
    if (yyjson_is_str(written))
        r = asl_expr_path(px_json_val_str(written), compiler->arena, &expr, &where);
    if (r == ASL_INVALID)
        return tell(
            compiler, holder,
            px_arena_printf(compiler->arena,
                            "The value for the field '%s' must be a valid JSONPath or a valid "
                            "intrinsic function call",
                            name));
    PX_TRY(r);
    node->kind = NODE_EXPR;
    node->field = name;
    node->of.expr = expr;
    return 0;
}

/* "{% ... %}" in JSONata. Step Functions refuses what is opened and not closed, or the reverse. */
static int text_node(struct compiler *compiler, const struct place *place, struct px_str text,
                     struct asl_template *node)
{
    bool opened = px_str_starts(text, S("{%")), closed = px_str_ends(text, S("%}"));
    if (!opened && !closed) return 0;
    if (!opened || !closed || text.len < 4)
        return tell(compiler, place,
                    S("A JSONata expression must start with '{%' and end with '%}', without blanks "
                      "around them"));
    struct px_where where = {0};
    const struct asl_expr *expr;
    int r = asl_expr_jsonata(px_str(text.ptr + 2, text.len - 4), compiler->jsonata, compiler->arena,
                             &expr, &where);
    if (r == ASL_INVALID)
        return tell(compiler, place, px_arena_dup(compiler->arena, px_str_c(where.expected)));
    PX_TRY(r);
    struct asl_text_buf field = {.arena = compiler->arena};
    field_add(&field, place);
    asl_text_add(&field, px_str("", 1));
    if (field.failed) return px_arena_fault(compiler->arena);
    node->kind = NODE_EXPR;
    node->field = field.ptr;
    node->of.expr = expr;
    return 0;
}

static int parts_new(struct compiler *compiler, struct asl_template *node, size_t count,
                     struct asl_template **ret_parts)
{
    struct asl_template *parts = px_arena_array(compiler->arena, struct asl_template, count);
    if (!parts) return px_arena_fault(compiler->arena);
    node->count = count;
    *ret_parts = parts;
    return 0;
}
static bool all_fixed(const struct asl_template *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (parts[i].kind != NODE_FIXED) return false;
    return true;
}

static int name_cmp(const void *a, const void *b)
{
    return px_str_cmp(*(const struct px_str *)a, *(const struct px_str *)b);
}

/* "a" and "a.$" would be one member. */
static int names_check(struct compiler *compiler, const struct place *place,
                       const struct asl_template *parts, size_t count)
{
    struct px_str *names = px_arena_array(compiler->arena, struct px_str, count);
    if (!names) return px_arena_fault(compiler->arena);
    for (size_t i = 0; i < count; i++) names[i] = parts[i].name;
    qsort(names, count, sizeof *names, name_cmp);
    for (size_t i = 1; i < count; i++)
        if (px_str_eq(names[i - 1], names[i]))
            return tell(compiler, place,
                        px_arena_printf(compiler->arena, "The field '%.*s' is there twice",
                                        PX_FMT(names[i])));
    return 0;
}

static int object_node(struct compiler *compiler, const struct place *place, yyjson_val *written,
                       struct asl_template *node)
{
    struct asl_template *parts = NULL;
    size_t i, n;
    yyjson_val *key, *value;
    PX_TRY(parts_new(compiler, node, yyjson_obj_size(written), &parts));
    yyjson_obj_foreach(written, i, n, key, value)
    {
        struct px_str name = px_json_val_str(key);
        bool is_path = compiler->language == ASL_JSONPATH && px_str_ends(name, S(".$"));
        struct place inside = {place, name, 0};
        parts[i].of.fixed = value;
        int r = is_path ? path_node(compiler, place, yyjson_get_str(key), value, &parts[i])
                        : node_of(compiler, &inside, value, &parts[i]);
        PX_TRY(r);
        parts[i].name = px_str(name.ptr, is_path ? name.len - 2 : name.len);
    }
    PX_TRY(names_check(compiler, place, parts, n));
    if (all_fixed(parts, n)) return 0;
    node->kind = NODE_OBJECT;
    node->of.parts = parts;
    return 0;
}

static int array_node(struct compiler *compiler, const struct place *place, yyjson_val *written,
                      struct asl_template *node)
{
    struct asl_template *parts = NULL;
    size_t i, n;
    yyjson_val *value;
    PX_TRY(parts_new(compiler, node, yyjson_arr_size(written), &parts));
    yyjson_arr_foreach(written, i, n, value)
    {
        struct place inside = {place, px_str(NULL, 0), i};
        PX_TRY(node_of(compiler, &inside, value, &parts[i]));
    }
    if (all_fixed(parts, n)) return 0;
    node->kind = NODE_ARRAY;
    node->of.parts = parts;
    return 0;
}

/* Recursion is bounded by PX_JSON_DEPTH_MAX, which the definition was parsed with. */
static int node_of(struct compiler *compiler, const struct place *place, yyjson_val *written,
                   struct asl_template *node)
{
    *node = (struct asl_template){.kind = NODE_FIXED, .of.fixed = written};
    if (yyjson_is_obj(written)) return object_node(compiler, place, written, node);
    if (yyjson_is_arr(written)) return array_node(compiler, place, written, node);
    if (compiler->language == ASL_JSONATA && yyjson_is_str(written))
        return text_node(compiler, place, px_json_val_str(written), node);
    return 0;
}

int asl_template_compile(yyjson_val *written, enum asl_language language,
                         struct asl_jsonata *jsonata, struct px_arena *arena,
                         const struct asl_template_error *error,
                         const struct asl_template **ret_template)
{
    struct compiler compiler = {language, jsonata, arena, error, false};
    struct place place = {0};
    struct asl_template *root = px_arena_new(arena, struct asl_template);
    if (!root) return px_arena_fault(arena);
    PX_TRY(node_of(&compiler, &place, written, root));
    if (compiler.wrong) return ASL_INVALID;
    *ret_template = root;
    return 0;
}

bool asl_template_is_fixed(const struct asl_template *template)
{
    return template->kind == NODE_FIXED;
}

/* ---- evaluating ---- */

struct maker {
    const struct asl_scope *scope;
    const char *field;
    struct asl_failure *failure;
};

static int make(const struct maker *maker, const struct asl_template *node,
                yyjson_mut_val **ret_value);

static int make_expr(const struct maker *maker, const struct asl_template *node,
                     yyjson_mut_val **ret_value)
{
    char field[512];
    const char *name = node->field;
    if (name[0] == '\0' || name[0] == '/' || name[0] == '[') { /* below the template's own name */
        (void)snprintf(field, sizeof field, "%s%s", maker->field, name);
        name = field;
    }
    yyjson_mut_val *value = NULL;
    bool fresh = false;
    int r = asl_expr_value(node->of.expr, maker->scope, name, ASL_PAST_END_IS_NULL, &value, &fresh,
                           maker->failure);
    if (r) return r;
    if (!fresh) value = asl_share(maker->scope->values, value);
    if (!value) return px_arena_fault(maker->scope->values->arena);
    *ret_value = value;
    return 0;
}

static int make_parts(const struct maker *maker, const struct asl_template *node,
                      yyjson_mut_val **ret_value)
{
    yyjson_mut_doc *doc = maker->scope->values->doc;
    bool object = node->kind == NODE_OBJECT;
    yyjson_mut_val *whole = object ? yyjson_mut_obj(doc) : yyjson_mut_arr(doc);
    if (!whole) return px_arena_fault(maker->scope->values->arena);
    for (size_t i = 0; i < node->count; i++) {
        const struct asl_template *part = &node->of.parts[i];
        yyjson_mut_val *value = NULL;
        int r = make(maker, part, &value);
        if (r) return r;
        yyjson_mut_val *name = object ? yyjson_mut_strn(doc, part->name.ptr, part->name.len) : NULL;
        bool added = object ? yyjson_mut_obj_add(whole, name, value)
                            : yyjson_mut_arr_append(whole, value);
        if (!added) return px_arena_fault(maker->scope->values->arena);
    }
    *ret_value = whole;
    return 0;
}

static int make(const struct maker *maker, const struct asl_template *node,
                yyjson_mut_val **ret_value)
{
    switch (node->kind) {
    case NODE_EXPR: return make_expr(maker, node, ret_value);
    case NODE_OBJECT:
    case NODE_ARRAY: return make_parts(maker, node, ret_value);
    case NODE_FIXED: break;
    }
    *ret_value = asl_share_fixed(maker->scope->values, node->of.fixed);
    return *ret_value ? 0 : px_arena_fault(maker->scope->values->arena);
}

int asl_template_eval(const struct asl_template *template, const struct asl_scope *scope,
                      const char *field, yyjson_mut_val **ret_value,
                      struct asl_failure *ret_failure)
{
    struct maker maker = {scope, field, ret_failure};
    yyjson_mut_val *value = NULL;
    int r = make(&maker, template, &value);
    if (r) return r;
    if (!asl_value_depth_is_fine(value)) /* a machine that wraps its state, in a loop */
        return asl_fail(scope->values->arena, ret_failure, ASL_E_RUNTIME,
                        "The value of the field '%s' is nested more than %d levels deep.", field,
                        ASL_DEPTH_MAX);
    *ret_value = value;
    return 0;
}
