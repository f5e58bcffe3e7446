/* asl/jsonata_path.c - the plainest expressions without an engine: a variable, then names through objects.
 *
 * "$states.input.order.id" and "$attempt" are most of what definitions hold. Where every step meets an object that has the
 * name, JSONata's answer is the value that stands there, unchanged; wherever anything else is met (an array that would be
 * mapped over, nothing at all, a name that is a word of the language), this has no answer and the module is asked. */
#include "asl/jsonata_engine.h"

static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/* The name at the beginning of *rest, taken off; empty for anything but letters, digits and underscores. */
static struct px_str name_cut(struct px_str *rest)
{
    size_t len = 0;
    while (len < rest->len &&
           (letter(rest->ptr[len]) || (len > 0 && rest->ptr[len] >= '0' && rest->ptr[len] <= '9')))
        len++;
    struct px_str name = px_str(rest->ptr, len);
    *rest = px_str_skip(*rest, len);
    return name;
}

static bool reserved(struct px_str name)
{
    static const char *const words[] = {"and", "or", "in", "true", "false", "null", "function"};
    for (size_t i = 0; i < PX_COUNT(words); i++)
        if (px_str_eq(name, px_str_c(words[i]))) return true;
    return false;
}

/* The last of that name: writers of JSON may repeat one. */
static yyjson_mut_val *member_of(yyjson_mut_val *object, struct px_str name)
{
    yyjson_mut_val *found = NULL, *key, *value;
    size_t i, count;
    if (name.len == 0 || !yyjson_mut_is_obj(object)) return NULL;
    yyjson_mut_obj_foreach(object, i, count, key, value)
    {
        if (yyjson_mut_equals_strn(key, name.ptr, name.len)) found = value;
    }
    return found;
}

static yyjson_mut_val *states_member(const struct asl_scope *scope, struct px_str name)
{
    if (px_str_eq(name, S("input"))) return scope->input;
    if (px_str_eq(name, S("context"))) return scope->context;
    if (px_str_eq(name, S("result"))) return scope->result;
    if (px_str_eq(name, S("errorOutput"))) return scope->error_output;
    return NULL;
}

static bool dot_cut(struct px_str *rest)
{
    if (rest->len == 0 || rest->ptr[0] != '.') return false;
    *rest = px_str_skip(*rest, 1);
    return true;
}

yyjson_mut_val *jsonata_path(struct px_str text, const struct asl_scope *scope)
{
    struct px_str rest = px_str_trim(text);
    if (rest.len < 2 || rest.ptr[0] != '$') return NULL;
    rest = px_str_skip(rest, 1);
    struct px_str name = name_cut(&rest);
    yyjson_mut_val *value;
    if (!px_str_eq(name, S("states")))
        value = member_of(scope->variables, name);
    else
        value = dot_cut(&rest) ? states_member(scope, name_cut(&rest)) : NULL;
    while (value && dot_cut(&rest)) {
        name = name_cut(&rest);
        value = reserved(name) ? NULL : member_of(value, name);
    }
    return rest.len == 0 ? value : NULL;
}
