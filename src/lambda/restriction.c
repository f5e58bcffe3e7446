/* lambda/restriction.c - see restriction.h. */
#include "lambda/restriction.h"

#include <stdio.h>

#define NAME_BYTES_MAX 256u

struct reader {
    struct px_arena *arena;
    const char *why; /* set: it is invalid */
};

static bool refuse(struct reader *reader, const char *why)
{
    reader->why = why;
    return false;
}

/* Members are those named, and no others: who mistypes one would be given more than meant. */
static bool members_are(yyjson_val *obj, const char *const *names)
{
    size_t i, n;
    unsigned seen = 0;
    yyjson_val *key, *val;
    px_json_obj_foreach(obj, i, n, key, val)
    {
        unsigned k = 0;
        while (names[k] && !px_str_eq(px_json_val_str(key), px_str_c(names[k]))) k++;
        if (!names[k] || seen & 1u << k) return false;
        seen |= 1u << k;
    }
    return yyjson_is_obj(obj);
}

/* NUL could end a text early where somebody takes it for C's. */
static bool name_read(yyjson_val *val, struct px_str *ret_name)
{
    struct px_str name = px_json_val_str(val);
    *ret_name = name;
    return name.len > 0 && name.len <= NAME_BYTES_MAX && !memchr(name.ptr, '\0', name.len);
}

static bool value_read(struct reader *reader, yyjson_val *val, struct px_str *ret_value)
{
    static const char *const why = "a value is a text without NUL, a whole number, true or false";
    if (yyjson_is_str(val)) {
        *ret_value = px_json_val_str(val);
        return !memchr(ret_value->ptr, '\0', ret_value->len) || refuse(reader, why);
    }
    if (yyjson_is_bool(val))
        *ret_value = yyjson_get_bool(val) ? S("true") : S("false");
    else if (yyjson_is_uint(val))
        *ret_value = px_arena_printf(reader->arena, "%llu",
                                     (unsigned long long)yyjson_get_uint(val));
    else if (yyjson_is_sint(val))
        *ret_value = px_arena_printf(reader->arena, "%lld", (long long)yyjson_get_sint(val));
    else
        return refuse(reader, why);
    return ret_value->ptr != NULL;
}

static bool row_read(struct reader *reader, yyjson_val *obj, struct restriction_row *row)
{
    static const char *const names[] = {"column", "in", "equals", NULL};
    static const char *const why =
        "a condition is {\"column\",\"equals\"} or {\"column\",\"in\"} with 1 to 32 values";
    yyjson_val *list = yyjson_obj_get(obj, "in"), *one = yyjson_obj_get(obj, "equals"), *val;
    size_t count = list ? yyjson_arr_size(list) : 1, i, n;
    if (!members_are(obj, names) || !list == !one || count < 1 || count > RESTRICTION_VALUES_MAX ||
        !name_read(yyjson_obj_get(obj, "column"), &row->column))
        return refuse(reader, why);
    row->values = px_arena_array(reader->arena, struct px_str, count);
    row->value_count = count;
    if (!row->values) return false;
    if (one) return value_read(reader, one, &row->values[0]);
    px_json_arr_foreach(list, i, n, val)
    {
        if (!value_read(reader, val, &row->values[i])) return false;
    }
    return true;
}

static bool rows_read(struct reader *reader, yyjson_val *list, struct restriction *found)
{
    size_t count = yyjson_arr_size(list), i, n;
    yyjson_val *val;
    if (count < 1 || count > RESTRICTION_ROWS_MAX)
        return refuse(reader, "rows is a list of 1 to 8 conditions");
    found->rows = px_arena_array(reader->arena, struct restriction_row, count);
    found->row_count = count;
    if (!found->rows) return false;
    px_json_arr_foreach(list, i, n, val)
    {
        if (!row_read(reader, val, &found->rows[i])) return false;
    }
    return true;
}

static bool datasets_read(struct reader *reader, yyjson_val *list, struct restriction *found)
{
    static const char *const why = "datasets is a list of 1 to 32 names";
    size_t count = yyjson_arr_size(list), i, n;
    yyjson_val *val;
    if (count < 1 || count > RESTRICTION_DATASETS_MAX) return refuse(reader, why);
    found->datasets = px_arena_array(reader->arena, struct px_str, count);
    found->dataset_count = count;
    if (!found->datasets) return false;
    px_json_arr_foreach(list, i, n, val)
    {
        if (!name_read(val, &found->datasets[i])) return refuse(reader, why);
    }
    return true;
}

static bool read_all(struct reader *reader, yyjson_val *value, struct restriction *found)
{
    static const char *const names[] = {"datasets", "rows", NULL};
    yyjson_val *datasets = yyjson_obj_get(value, "datasets"), *rows = yyjson_obj_get(value, "rows");
    if (!members_are(value, names) || (!datasets && !rows))
        return refuse(reader, "a restriction is an object with datasets, rows or both");
    return (!datasets || datasets_read(reader, datasets, found)) &&
           (!rows || rows_read(reader, rows, found));
}

int restriction_parse(yyjson_val *value, struct px_arena *arena,
                      struct restriction *ret_restriction, const char **ret_why)
{
    struct reader reader = {.arena = arena};
    struct restriction found = {0};
    bool good = read_all(&reader, value, &found);
    if (!good && !reader.why) return px_fault(px_arena_fault(arena), "restriction");
    if (!good && ret_why) *ret_why = reader.why;
    if (!good) return RESTRICTION_INVALID;
    *ret_restriction = found;
    return 0;
}

int restriction_read(struct px_str json, struct px_arena *arena,
                     const struct restriction **ret_restriction)
{
    yyjson_val *root = NULL;
    if (json.len == 0) {
        *ret_restriction = NULL;
        return 0;
    }
    struct restriction *found = px_arena_new(arena, struct restriction);
    if (!found) return px_fault(px_arena_fault(arena), "restriction");
    int r = json.len > RESTRICTION_BYTES_MAX ? RESTRICTION_INVALID
                                             : px_json_parse(json, arena, &root, NULL);
    if (r == 0) r = restriction_parse(root, arena, found, NULL);
    if (r > 0) return px_fault(PX_F_CORRUPT, "the caller's restriction is not whole");
    PX_TRY(r);
    *ret_restriction = found;
    return 0;
}

bool restriction_allows(const struct restriction *restriction, struct px_str dataset)
{
    if (!restriction || restriction->dataset_count == 0) return true;
    for (size_t i = 0; i < restriction->dataset_count; i++)
        if (px_str_eq(restriction->datasets[i], dataset)) return true;
    return false;
}
