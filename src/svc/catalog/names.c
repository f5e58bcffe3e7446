/* svc/catalog/names.c - names are checked byte by byte: what passes is ASCII, starts with a letter and
 * holds nothing that means something to a path, an object key or SQL. */
#include "svc/catalog/names.h"

#define NAME_BYTES_MAX 63

static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_word(char c) { return is_lower(c) || (c >= '0' && c <= '9') || c == '_'; }

bool tenant_name_ok(struct px_str name)
{
    if (px_str_eq(name, S("_system"))) return true;
    if (name.len == 0 || name.len > NAME_BYTES_MAX || !is_lower(name.ptr[0])) return false;
    for (size_t i = 1; i < name.len; i++)
        if (!is_word(name.ptr[i]) && name.ptr[i] != '-') return false;
    return true;
}

static const char *dataset_name_fault(struct px_str name)
{
    if (name.len == 0) return "a dataset name has at least one character";
    if (name.len > NAME_BYTES_MAX) return "a dataset name has at most 63 characters";
    if (!is_lower(name.ptr[0])) return "a dataset name starts with a letter a to z";
    for (size_t i = 1; i < name.len; i++)
        if (!is_word(name.ptr[i])) return "a dataset name holds only a to z, 0 to 9 and _";
    return NULL;
}

bool dataset_name_ok(struct px_str name, const char **ret_why)
{
    const char *why = dataset_name_fault(name);
    if (why && ret_why) *ret_why = why;
    return why == NULL;
}
