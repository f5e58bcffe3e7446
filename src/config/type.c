/* config/type.c - see type.h. */
#include "config/type.h"

#include "base/px_file.h"

#define SOURCE_BYTES_MAX ((size_t)4 << 20)
#define DEPTH_MAX 24

/* ---- literals ---- */

static const struct value *text_of_parts(struct px_arena *arena, const struct hcl_expr *expr)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 1u << 16);
    for (const struct hcl_expr *part = expr->first; part; part = part->next) {
        if (part->kind != HCL_VALUE || !value_is(part->value, VALUE_TEXT)) return NULL;
        px_buf_add_str(&text, part->value->text);
    }
    return px_buf_fault(&text) == 0 ? value_text(arena, px_buf_str(&text)) : NULL;
}

static size_t parts_of(const struct hcl_expr *expr)
{
    size_t count = 0;
    for (const struct hcl_expr *part = expr->first; part; part = part->next) count++;
    return count;
}

static const struct value *list_of_parts(struct px_arena *arena, const struct hcl_expr *expr)
{
    size_t count = parts_of(expr), at = 0;
    const struct value **items = px_arena_array(arena, const struct value *, count + 1);
    for (const struct hcl_expr *part = expr->first; items && part; part = part->next) {
        items[at] = config_literal(arena, part);
        if (!items[at++]) return NULL;
    }
    return items ? value_list(arena, items, count) : NULL;
}

static const struct value *map_of_parts(struct px_arena *arena, const struct hcl_expr *expr)
{
    size_t count = parts_of(expr) / 2, at = 0;
    struct value_field *fields = px_arena_array(arena, struct value_field, count + 1);
    for (const struct hcl_expr *key = expr->first; fields && key && key->next;
         key = key->next->next) {
        const struct value *name = config_literal(arena, key),
                           *value = config_literal(arena, key->next);
        fields[at].name = key->kind == HCL_NAME ? key->name : value_str(name);
        fields[at].value = value;
        if (!fields[at].name.ptr || !fields[at++].value) return NULL;
    }
    return fields ? value_map(arena, fields, at) : NULL;
}

const struct value *config_literal(struct px_arena *arena, const struct hcl_expr *expr)
{
    switch (expr->kind) {
    case HCL_VALUE: return expr->value;
    case HCL_TEMPLATE: return text_of_parts(arena, expr);
    case HCL_TUPLE: return list_of_parts(arena, expr);
    case HCL_OBJECT: return map_of_parts(arena, expr);
    case HCL_UNARY: {
        const struct value *of = config_literal(arena, expr->a);
        return expr->op == HCL_NEG && value_is(of, VALUE_NUMBER) ? value_number(arena, -of->number)
                                                                 : NULL;
    }
    default: return NULL;
    }
}

/* ---- descriptions ---- */

/* Of a description of several lines, what it says of one member: the line that begins with its name, alone or with others and commas
 * between them, two spaces, and the words; deeper lines go on. */
static struct px_str about_member(struct px_arena *arena, struct px_str about, struct px_str name)
{
    PX_AUTO(px_buf_deinit) struct px_buf found;
    struct px_str line;
    size_t indent = 0;
    bool inside = false;
    px_buf_init(&found, 4096);
    while (about.len > 0) {
        (void)px_str_cut(&about, '\n', &line);
        struct px_str text = px_str_trim(line);
        size_t deep = text.ptr ? (size_t)(text.ptr - line.ptr) : 0;
        if (inside && text.len > 0 && deep > indent) {
            px_buf_add_char(&found, ' ');
            px_buf_add_str(&found, text);
            continue;
        }
        inside = false;
        const char *gap = NULL;
        for (size_t i = 0; text.ptr && !gap && i + 1 < text.len; i++)
            if (text.ptr[i] == ' ' && text.ptr[i + 1] == ' ') gap = text.ptr + i;
        if (!gap || found.len > 0) continue;
        struct px_str names = px_str(text.ptr, (size_t)(gap - text.ptr)), one;
        while (names.len > 0 && !inside) {
            (void)px_str_cut(&names, ',', &one);
            inside = px_str_eq(px_str_trim(one), name);
        }
        indent = deep;
        if (inside)
            px_buf_add_str(&found, px_str_trim(px_str_skip(text, (size_t)(gap - text.ptr))));
    }
    return px_arena_dup(arena, px_buf_str(&found));
}

static struct px_str first_line(struct px_str about)
{
    struct px_str line;
    (void)px_str_cut(&about, '\n', &line);
    return px_str_trim(line);
}

/* ---- types ---- */

struct reading {
    struct px_arena *arena;
    const char *path;
    unsigned depth;
};

static int type_of(struct reading *reading, const struct hcl_expr *expr, struct px_str about,
                   const struct config_type **ret_type);

static int wrong(const struct reading *reading, const char *what)
{
    return px_fault(PX_F_CONFIG, "%s: %s", reading->path, what);
}

static int member_of(struct reading *reading, const struct hcl_expr *key,
                     const struct hcl_expr *expr, struct px_str about,
                     struct config_member *ret_member)
{
    struct px_arena *arena = reading->arena;
    bool optional = expr->kind == HCL_CALL && px_str_eq(expr->name, S("optional"));
    const struct value *name = key->kind == HCL_NAME ? NULL : config_literal(arena, key);
    *ret_member = (struct config_member){.name = key->kind == HCL_NAME ? key->name
                                                                       : value_str(name),
                                         .required = !optional,
                                         .nullable = optional};
    ret_member->about = about_member(arena, about, ret_member->name);
    const struct hcl_expr *of = optional ? expr->first : expr;
    if (!of || !ret_member->name.ptr)
        return wrong(reading, "a member of a type is without a name or a type");
    if (optional && of->next) ret_member->otherwise = config_literal(arena, of->next);
    return type_of(reading, of, about, &ret_member->type);
}

static int object_of(struct reading *reading, const struct hcl_expr *fields, struct px_str about,
                     struct config_type *type)
{
    if (!fields || fields->kind != HCL_OBJECT) return wrong(reading, "object() is without members");
    type->members = px_arena_array(reading->arena, struct config_member, parts_of(fields) / 2 + 1);
    if (!type->members) return px_arena_fault(reading->arena);
    for (const struct hcl_expr *key = fields->first; key && key->next; key = key->next->next)
        PX_TRY(member_of(reading, key, key->next, about, &type->members[type->count++]));
    return 0;
}

static int type_of(struct reading *reading, const struct hcl_expr *expr, struct px_str about,
                   const struct config_type **ret_type)
{
    static const struct {
        const char *name;
        enum type_kind kind;
    } names[] = {{"string", TYPE_TEXT}, {"number", TYPE_NUMBER}, {"bool", TYPE_BOOL},
                 {"any", TYPE_ANY},     {"list", TYPE_LIST},     {"set", TYPE_SET},
                 {"map", TYPE_MAP},     {"object", TYPE_OBJECT}};
    struct config_type *type = px_arena_new(reading->arena, struct config_type);
    if (!type) return px_arena_fault(reading->arena);
    size_t i = 0;
    while (i < PX_COUNT(names) && !px_str_eq(expr->name, px_str_c(names[i].name))) i++;
    if (i == PX_COUNT(names) || (expr->kind != HCL_NAME && expr->kind != HCL_CALL))
        return wrong(reading, "a type that is not known here");
    if (reading->depth > DEPTH_MAX) return wrong(reading, "types are nested too deeply");
    type->kind = names[i].kind;
    reading->depth++;
    if (type->kind == TYPE_OBJECT)
        PX_TRY(object_of(reading, expr->first, about, type));
    else if (type->kind == TYPE_LIST || type->kind == TYPE_SET || type->kind == TYPE_MAP)
        PX_TRY(expr->first ? type_of(reading, expr->first, about, &type->of)
                           : wrong(reading, "a collection is of no type"));
    reading->depth--;
    *ret_type = type;
    return 0;
}

static int variable_of(struct reading *reading, const struct hcl_block *block,
                       struct config_member *ret_member)
{
    static const struct config_type any = {.kind = TYPE_ANY};
    struct hcl_expr *type = hcl_attr_of(&block->body, S("type"));
    struct hcl_expr *otherwise = hcl_attr_of(&block->body, S("default"));
    struct hcl_expr *about = hcl_attr_of(&block->body, S("description"));
    struct hcl_expr *nullable = hcl_attr_of(&block->body, S("nullable"));
    struct px_str text = about ? value_str(config_literal(reading->arena, about)) : S("");
    *ret_member = (struct config_member){
        .name = block->label, .required = !otherwise, .about = first_line(text), .type = &any};
    ret_member->nullable = !nullable || value_truth(config_literal(reading->arena, nullable));
    if (otherwise) ret_member->otherwise = config_literal(reading->arena, otherwise);
    return type ? type_of(reading, type, text, &ret_member->type) : 0;
}

int config_type_of_variables(const char *path, struct px_arena *arena, struct config_type *ret_type)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct hcl_body body = {0};
    struct px_where where = {0};
    struct reading reading = {.arena = arena, .path = path};
    px_buf_init(&text, SOURCE_BYTES_MAX);
    int r = px_file_read(path, &text);
    if (r == PX_FILE_ABSENT) return px_fault(PX_F_CONFIG, "%s does not exist", path);
    if (r > 0) return px_fault(PX_F_CONFIG, "%s is too large", path);
    PX_TRY(r);
    r = hcl_parse(px_buf_str(&text), arena, &body, &where);
    if (r == HCL_INVALID)
        return px_fault(PX_F_CONFIG, "%s, byte %zu: %s", path, where.offset, where.expected);
    PX_TRY(r);
    size_t count = 0;
    struct config_type type = {.kind = TYPE_OBJECT};
    for (struct hcl_block *block = body.blocks; block; block = block->next) count++;
    type.members = px_arena_array(arena, struct config_member, count + 1);
    if (!type.members) return px_arena_fault(arena);
    for (struct hcl_block *block = body.blocks; block; block = block->next)
        if (px_str_eq(block->type, S("variable")))
            PX_TRY(variable_of(&reading, block, &type.members[type.count++]));
    *ret_type = type;
    return 0;
}

const struct config_member *config_type_member(const struct config_type *type, struct px_str name)
{
    for (size_t i = 0; type && i < type->count; i++)
        if (px_str_eq(type->members[i].name, name)) return &type->members[i];
    return NULL;
}

const char *config_type_name(const struct config_type *type)
{
    static const char *const names[] = {
        [TYPE_ANY] = "any value", [TYPE_BOOL] = "true or false", [TYPE_NUMBER] = "a number",
        [TYPE_TEXT] = "a text",   [TYPE_LIST] = "a list",        [TYPE_SET] = "a list",
        [TYPE_MAP] = "an object", [TYPE_OBJECT] = "an object"};
    return names[type->kind];
}
