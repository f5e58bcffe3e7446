/* asl/definition_value.c - values of fields as they are run: written out, paths, templates, expressions. Their types were
 * looked at by the table (fields.h); here a wrong one is left out, and only what compiling tells is told. */
#include "asl/check.h"

bool asl_is_expression(yyjson_val *val)
{
    struct px_str text = px_json_val_str(val);
    return text.len >= 4 && px_str_starts(text, S("{%")) && px_str_ends(text, S("%}"));
}

/* ---- single expressions ---- */

static const struct asl_expr *read_jsonata(const struct asl_reader *r,
                                           const struct asl_place *place, yyjson_val *val)
{
    struct asl_check *check = r->check;
    struct px_where where = {0};
    const struct asl_expr *expr = NULL;
    struct px_str text = px_json_val_str(val);
    text = px_str_trim(px_str(text.ptr + 2, text.len - 4));
    int result = asl_expr_jsonata(text, check->jsonata, check->arena, &expr, &where);
    if (result == ASL_INVALID)
        asl_problem(check, place, ASL_C_JSONATA, "%s", where.expected);
    else if (result < 0)
        check->fault = result;
    return result == 0 ? expr : NULL;
}

/* A path, or where the field may compute its text, an intrinsic function. */
static const struct asl_expr *read_path(const struct asl_reader *r, const struct asl_place *place,
                                        yyjson_val *val, bool may_call)
{
    struct asl_check *check = r->check;
    struct px_where where = {0};
    const struct asl_expr *expr = NULL;
    int result = asl_expr_path(px_json_val_str(val), check->arena, &expr, &where);
    if (result < 0) {
        check->fault = result;
        return NULL;
    }
    if (result == 0 && (may_call || !asl_expr_is_intrinsic(expr))) return expr;
    if (may_call)
        asl_problem(check, place, ASL_C_SCHEMA,
                    "The value for the field '%.*s' must be a valid JSONPath or a valid intrinsic "
                    "function call",
                    PX_FMT(place->name));
    else
        asl_problem(check, place, ASL_C_SCHEMA, "Value must be a valid JSONPath.");
    return NULL;
}

/* Fields of which an intrinsic function may make the text. Source: developer guide, "Intrinsics for JSONPath states". */
static bool may_call(const char *name)
{
    static const char *const names[] = {"ErrorPath", "CausePath", "RoleArn.$"};
    for (size_t i = 0; i < PX_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

struct asl_field asl_read_field(const struct asl_reader *r, const char *name, const char *path_name)
{
    yyjson_val *val = yyjson_obj_get(r->object, name);
    struct asl_place place = asl_named_place(r->place, r->object, name);
    struct asl_field field = {.name = name};
    if (val && r->language == ASL_JSONATA && asl_is_expression(val)) {
        field.expr = read_jsonata(r, &place, val);
        if (field.expr) field.kind = ASL_FIELD_COMPUTED;
        return field;
    }
    if (val) {
        if (r->language == ASL_JSONATA && px_str_starts(px_json_val_str(val), S("{%")))
            asl_problem(r->check, &place, ASL_C_SCHEMA,
                        "JSONata string must start with {%% and end with %%}");
        field.written = val;
        field.kind = ASL_FIELD_WRITTEN;
        return field;
    }
    if (!path_name || r->language == ASL_JSONATA) return field;
    val = yyjson_obj_get(r->object, path_name);
    if (!yyjson_is_str(val)) return field;
    place = asl_named_place(r->place, r->object, path_name);
    field.name = path_name;
    field.expr = read_path(r, &place, val, may_call(path_name));
    if (field.expr) field.kind = ASL_FIELD_COMPUTED;
    return field;
}

/* Whether a path can find one value only: no wildcard, descent, filter, slice or union outside its quoted names. */
static bool names_one_place(struct px_str path)
{
    char quote = 0, before = 0;
    bool in_brackets = false;
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if (quote) {
            if (c == quote && before != '\\') quote = 0;
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '[' || c == ']') {
            in_brackets = c == '[';
        } else if (c == '*' || c == '?' || (c == '.' && before == '.') ||
                   (in_brackets && (c == ':' || c == ','))) {
            return false;
        }
        before = c;
    }
    return true;
}

struct asl_path_field asl_read_path(const struct asl_reader *r, const char *name)
{
    yyjson_val *val = yyjson_obj_get(r->object, name);
    struct asl_path_field field = {.kind = ASL_PATH_ROOT};
    if (yyjson_is_null(val)) field.kind = ASL_PATH_NULL;
    if (r->language == ASL_JSONATA || !yyjson_is_str(val) || yyjson_equals_str(val, "$"))
        return field;
    struct asl_place place = asl_named_place(r->place, r->object, name);
    field.expr = read_path(r, &place, val, false);
    if (!field.expr) return field;
    field.kind = ASL_PATH_EXPR;
    bool puts = strcmp(name, "ResultPath") == 0;
    bool one = strcmp(name, "ItemsPath") == 0;
    if ((puts && !asl_expr_is_reference(field.expr)) ||
        (one && !names_one_place(px_json_val_str(val))))
        asl_problem(
            r->check, &place, ASL_C_SCHEMA,
            "Value is not a Reference Path: it must name one place by members and indices%s",
            puts ? " of '$'" : "");
    return field;
}

/* ---- templates ---- */

struct below {
    const struct asl_reader *reader;
    const struct asl_place *place; /* of what is compiled */
    yyjson_val *written;
    bool
        names_holder; /* a wrong member is told at the object that holds it, as Step Functions does in templates */
};

static struct px_str unescape(struct px_arena *arena, struct px_str token)
{
    struct px_str plain = px_arena_dup(arena, token);
    if (!plain.ptr) return token;
    char *to = (char *)(uintptr_t)plain.ptr;
    size_t len = 0;
    for (size_t i = 0; i < token.len; i++) {
        char c = token.ptr[i];
        if (c == '~' && i + 1 < token.len) c = token.ptr[++i] == '1' ? '/' : '~';
        to[len++] = c;
    }
    return px_str(plain.ptr, len);
}

/* The place of one step of a JSON pointer below a value; *val becomes what is there. */
static struct asl_place step_down(struct px_arena *arena, const struct asl_place *up,
                                  yyjson_val **val, struct px_str token)
{
    uint64_t index;
    if (yyjson_is_arr(*val) && px_str_to_u64(token, &index)) {
        yyjson_val *element = yyjson_arr_get(*val, index);
        *val = element;
        return asl_element_place(up, index, element);
    }
    struct px_str name = unescape(arena, token);
    yyjson_obj_iter iter = {0};
    yyjson_val *key;
    if (yyjson_obj_iter_init(*val, &iter)) {
        while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
            if (!px_str_eq(px_json_val_str(key), name)) continue;
            *val = yyjson_obj_iter_get_val(key);
            return asl_member_place(up, key);
        }
    }
    *val = NULL;
    return (struct asl_place){.up = up, .name = name};
}

static void told_below(void *ctx, struct px_str pointer, struct px_str expected)
{
    const struct below *below = ctx;
    const struct asl_reader *r = below->reader;
    struct asl_place steps[PX_JSON_DEPTH_MAX + 2];
    const struct asl_place *at = below->place;
    yyjson_val *val = below->written;
    struct px_str rest = px_str_starts(pointer, S("/")) ? px_str_skip(pointer, 1) : pointer, token;
    size_t depth = 0;
    bool more = pointer.len > 0;
    while (more && depth < PX_COUNT(steps)) {
        more = px_str_cut(&rest, '/', &token);
        steps[depth] = step_down(r->check->arena, at, &val, token);
        at = &steps[depth++];
    }
    bool own = r->language == ASL_JSONATA && !px_str_starts(expected, S("A JSONata expression"));
    asl_problem(r->check, at, own ? ASL_C_JSONATA : ASL_C_SCHEMA, "%.*s", PX_FMT(expected));
}

static bool looks_computed(struct px_str text)
{
    if (px_str_starts(text, S("$.")) || px_str_starts(text, S("$$."))) return true;
    return px_str_starts(text, S("States.")) && memchr(text.ptr, '(', text.len) != NULL;
}

/* Depth is bounded by the JSON parser. */
static void warn_of_paths(struct asl_check *check, const struct asl_place *up, yyjson_val *val)
{
    size_t i, n;
    yyjson_val *key, *member;
    if (yyjson_is_obj(val)) {
        yyjson_obj_foreach(val, i, n, key, member)
        {
            struct asl_place place = asl_member_place(up, key);
            bool computed = px_str_ends(place.name, S(".$"));
            if (!computed && looks_computed(px_json_val_str(member)))
                asl_warning(check, &place, ASL_C_NO_DOLLAR,
                            "The value looks like a path or an intrinsic function and is taken as "
                            "it stands, because the field's name does not end with '.$'");
            warn_of_paths(check, &place, member);
        }
    }
    px_json_arr_foreach(yyjson_is_arr(val) ? val : NULL, i, n, member)
    {
        struct asl_place place = asl_element_place(up, i, member);
        warn_of_paths(check, &place, member);
    }
}

/* What is never computed, with names that say it is. */
static void warn_of_computed(struct asl_check *check, const struct asl_place *up, yyjson_val *val)
{
    size_t i, n;
    yyjson_val *key, *member;
    px_json_obj_foreach(yyjson_is_obj(val) ? val : NULL, i, n, key, member)
    {
        struct asl_place place = asl_member_place(up, key);
        if (px_str_ends(place.name, S(".$")) && looks_computed(px_json_val_str(member)))
            asl_warning(check, &place, ASL_C_STATIC_RESULT,
                        "The result of a Pass state is taken as it stands; use Parameters");
        warn_of_computed(check, &place, member);
    }
    px_json_arr_foreach(yyjson_is_arr(val) ? val : NULL, i, n, member)
    {
        struct asl_place place = asl_element_place(up, i, member);
        warn_of_computed(check, &place, member);
    }
}

const struct asl_template *asl_read_template(const struct asl_reader *r, const char *name)
{
    struct asl_check *check = r->check;
    yyjson_val *val = yyjson_obj_get(r->object, name);
    if (!val || check->fault != 0) return NULL;
    struct asl_place place = asl_named_place(r->place, r->object, name);
    struct below below = {r, &place, val};
    struct asl_template_error error = {told_below, &below};
    const struct asl_template *template = NULL;
    int result = asl_template_compile(val, r->language, check->jsonata, check->arena, &error,
                                      &template);
    if (result < 0) check->fault = result;
    if (result != 0) check->refused = true;
    if (r->language == ASL_JSONPATH) warn_of_paths(check, &place, val);
    return result == 0 ? template : NULL;
}

const struct asl_template *asl_read_payload(const struct asl_reader *r)
{
    return asl_read_template(r, r->language == ASL_JSONATA ? "Arguments" : "Parameters");
}

const struct asl_rule *asl_read_rule(const struct asl_reader *r)
{
    struct below below = {r, r->place, r->object};
    struct asl_template_error error = {told_below, &below};
    const struct asl_rule *rule = NULL;
    if (r->check->fault != 0) return NULL;
    int result = asl_rule_compile(r->object, r->check->arena, &error, &rule);
    if (result < 0) r->check->fault = result;
    if (result != 0) r->check->refused = true;
    return result == 0 ? rule : NULL;
}

void asl_warn_of_paths(const struct asl_reader *r, const char *name)
{
    yyjson_val *val = yyjson_obj_get(r->object, name);
    struct asl_place place = asl_named_place(r->place, r->object, name);
    if (val) warn_of_computed(r->check, &place, val);
}

/* ---- Assign ---- */

/* Identifiers of Unicode Standard Annex 31; of characters beyond ASCII any is taken. Source: developer guide, "Passing data
 * between states with variables". */
static bool is_variable_name(struct px_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80);
        bool later = (c >= '0' && c <= '9') || c == '_';
        if (!letter && !(i > 0 && later)) return false;
    }
    return name.len > 0;
}

static void check_variable(const struct asl_reader *r, const struct asl_place *assign,
                           yyjson_val *key)
{
    struct asl_place place = asl_member_place(assign, key);
    struct px_str name = place.name;
    if (r->language == ASL_JSONPATH && px_str_ends(name, S(".$"))) name.len -= 2;
    if (px_str_eq(name, S("states")))
        asl_problem(r->check, &place, ASL_C_RESERVED,
                    "Cannot assign to reserved variable '$states'.");
    else if (asl_char_count(name) > ASL_NAME_MAX)
        asl_problem(r->check, &place, ASL_C_VARIABLE,
                    "Invalid variable name '%.*s': the name exceeds the %d-character limit.",
                    PX_FMT(name), ASL_NAME_MAX);
    else if (!is_variable_name(name))
        asl_problem(r->check, &place, ASL_C_VARIABLE,
                    "Invalid variable name '%.*s': the variable name contains invalid characters.",
                    PX_FMT(name));
}

const struct asl_template *asl_read_assign(const struct asl_reader *r)
{
    yyjson_val *assign = px_json_obj(r->object, "Assign"), *key, *val;
    struct asl_place place = asl_named_place(r->place, r->object, "Assign");
    size_t i, n;
    if (!assign) return NULL;
    yyjson_obj_foreach(assign, i, n, key, val) check_variable(r, &place, key);
    return asl_read_template(r, "Assign");
}

const struct px_str *asl_read_texts(const struct asl_reader *r, const char *name, size_t *ret_count)
{
    yyjson_val *list = px_json_arr(r->object, name), *val;
    struct asl_place place = asl_named_place(r->place, r->object, name);
    struct px_str *texts = asl_check_array(r->check, struct px_str, yyjson_arr_size(list));
    size_t i, n;
    *ret_count = 0;
    px_json_arr_foreach(texts ? list : NULL, i, n, val)
    {
        struct asl_place at = asl_element_place(&place, i, val);
        if (yyjson_is_str(val))
            texts[(*ret_count)++] = px_json_val_str(val);
        else
            asl_problem(r->check, &at, ASL_C_SCHEMA, "Expected value of type [STRING]");
    }
    return texts;
}
