/* svc/catalog/retention.c - see retention.h. */
#include "svc/catalog/retention.h"

/* ---- who said it ---- */

struct retention retention_of(const struct lifecycle *lifecycle, const struct dataset_info *info)
{
    const struct lifecycle_class *class = lifecycle_class_of(lifecycle, info->tenant, info->name);
    struct retention said = {.days = class->retention_days, .from = "class"};
    if (info->tenant_days > 0) said.days = info->tenant_days, said.from = "tenant";
    if (info->retention_days > 0) said.days = info->retention_days, said.from = "dataset";
    if (info->tenant_rules.len > 0) said.rules = info->tenant_rules, said.rules_from = "tenant";
    if (info->rules.len > 0) said.rules = info->rules, said.rules_from = "dataset";
    return said;
}

/* ---- rules ---- */

/* NUL could end a text early where somebody takes it for C's. */
static bool text_ok(struct px_str text)
{
    return text.ptr && text.len <= RETENTION_TEXT_MAX && !memchr(text.ptr, '\0', text.len);
}

/* Faults: no memory. Answers: RETENTION_INVALID. */
static int read_value(yyjson_val *val, struct px_arena *arena, struct px_str *ret_value)
{
    if (yyjson_is_bool(val)) {
        *ret_value = yyjson_get_bool(val) ? S("true") : S("false");
    } else if (yyjson_is_int(val)) {
        *ret_value = yyjson_is_uint(val)
                         ? px_arena_printf(arena, "%llu", (unsigned long long)yyjson_get_uint(val))
                         : px_arena_printf(arena, "%lld", (long long)yyjson_get_sint(val));
        if (!ret_value->ptr) return px_arena_fault(arena);
    } else {
        *ret_value = px_json_val_str(val);
        if (!yyjson_is_str(val) || !text_ok(*ret_value)) return RETENTION_INVALID;
    }
    return 0;
}

/* Those three members, each once. */
static int read_rule(yyjson_val *obj, struct px_arena *arena, struct retention_rule *rule)
{
    yyjson_val *value = yyjson_obj_get(obj, "equals"), *days = yyjson_obj_get(obj, "days");
    rule->attribute = px_json_val_str(yyjson_obj_get(obj, "attribute"));
    if (yyjson_obj_size(obj) != 3 || !value || !yyjson_is_int(days)) return RETENTION_INVALID;
    if (rule->attribute.len == 0 || !text_ok(rule->attribute)) return RETENTION_INVALID;
    rule->days = yyjson_get_sint(days);
    if (rule->days < 1 || rule->days > RETENTION_DAYS_MAX) return RETENTION_INVALID;
    return read_value(value, arena, &rule->value);
}

int retention_rules_parse(yyjson_val *list, struct px_arena *arena,
                          struct retention_rules *ret_rules, const char **ret_why)
{
    size_t i, n;
    yyjson_val *obj;
    struct retention_rules rules = {.count = yyjson_arr_size(list)};
    *ret_why = "rules is a list of at most 16";
    if (!yyjson_is_arr(list) || rules.count > RETENTION_RULES_MAX) return RETENTION_INVALID;
    *ret_why = "a rule is {\"attribute\",\"equals\",\"days\"}: a name and a text, whole number or "
               "boolean of at most 256 bytes, and a whole number from 1 to 36500";
    px_json_arr_foreach(list, i, n, obj)
    {
        int r = read_rule(obj, arena, &rules.at[i]);
        if (r != 0) return r;
    }
    *ret_rules = rules;
    return 0;
}

int retention_rules_read(struct px_str json, struct px_arena *arena,
                         struct retention_rules *ret_rules)
{
    yyjson_val *list = NULL;
    const char *why = NULL;
    *ret_rules = (struct retention_rules){0};
    if (json.len == 0) return 0;
    int r = px_json_parse(json, arena, &list, NULL);
    if (r == 0) r = retention_rules_parse(list, arena, ret_rules, &why);
    return r > 0 ? px_fault(PX_F_CORRUPT, "rules of retention in the catalog") : r;
}
