/* lambda/restriction.c - see restriction.h. */
#include "lambda/restriction.h"

#include <stdio.h>

#define NAME_BYTES_MAX 256u
#define TEXT_BYTES_MAX (4 * RESTRICTION_BYTES_MAX) /* while it is written */

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
    row->json = obj;
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

static int text_of(struct px_buf *buf, struct px_arena *arena, struct px_str *ret_json)
{
    int fault = px_buf_fault(buf);
    if (fault == PX_F_LIMIT || buf->len > RESTRICTION_BYTES_MAX) return RESTRICTION_INVALID;
    PX_TRY(fault);
    struct px_str json = px_arena_dup(arena, px_buf_str(buf));
    if (!json.ptr) return px_fault(px_arena_fault(arena), "restriction");
    *ret_json = json;
    return 0;
}

int restriction_take(yyjson_val *value, struct px_arena *arena, struct restriction *ret_restriction,
                     struct px_str *ret_json, const char **ret_why)
{
    PX_AUTO(px_buf_deinit) struct px_buf json = {0};
    struct restriction found;
    int r = restriction_parse(value, arena, &found, ret_why);
    if (r == RESTRICTION_INVALID) return r;
    PX_TRY(r);
    px_buf_init(&json, TEXT_BYTES_MAX);
    px_buf_add_json(&json, value);
    r = text_of(&json, arena, ret_json);
    if (r == RESTRICTION_INVALID && ret_why) *ret_why = "a restriction has 2048 bytes at most";
    if (r == RESTRICTION_INVALID) return r;
    PX_TRY(r);
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

/* ---- of two ---- */

static bool is_same(const struct restriction_row *a, const struct restriction_row *b)
{
    if (!px_str_eq(a->column, b->column) || a->value_count != b->value_count) return false;
    for (size_t i = 0; i < a->value_count; i++)
        if (!px_str_eq(a->values[i], b->values[i])) return false;
    return true;
}

static bool has_row(const struct restriction *restriction, const struct restriction_row *row)
{
    for (size_t i = 0; restriction && i < restriction->row_count; i++)
        if (is_same(&restriction->rows[i], row)) return true;
    return false;
}

/* Naming none is having all, which are within all only. */
static bool datasets_within(const struct restriction *inner, const struct restriction *outer)
{
    if (outer->dataset_count == 0) return true;
    for (size_t i = 0; i < inner->dataset_count; i++)
        if (!restriction_allows(outer, inner->datasets[i])) return false;
    return inner->dataset_count > 0;
}

bool restriction_within(const struct restriction *inner, const struct restriction *outer)
{
    if (!outer) return true;
    for (size_t i = 0; i < outer->row_count; i++)
        if (!has_row(inner, &outer->rows[i])) return false;
    return datasets_within(inner ? inner : &(struct restriction){0}, outer);
}

static void add_datasets(struct px_buf *json, const struct restriction *from)
{
    for (size_t i = 0; i < from->dataset_count; i++) {
        px_buf_add_c(json, i > 0 ? "," : "\"datasets\":[");
        px_buf_add_json_str(json, from->datasets[i]);
    }
    if (from->dataset_count > 0) px_buf_add_char(json, ']');
}

/* Those of `from` that are not in `but`. */
static void add_rows(struct px_buf *json, const struct restriction *from,
                     const struct restriction *but, size_t *count)
{
    for (size_t i = 0; i < from->row_count; i++) {
        if (has_row(but, &from->rows[i])) continue;
        px_buf_add_c(json, (*count)++ > 0 ? "," : "\"rows\":[");
        px_buf_add_json(json, from->rows[i].json);
    }
}

int restriction_narrow(const struct restriction *outer, const struct restriction *wish,
                       struct px_arena *arena, struct px_str *ret_json)
{
    const struct restriction *named = wish->dataset_count > 0 ? wish : outer;
    PX_AUTO(px_buf_deinit) struct px_buf json = {0};
    size_t rows = 0;
    if (!datasets_within(named, outer)) return RESTRICTION_WIDER;
    px_buf_init(&json, TEXT_BYTES_MAX);
    px_buf_add_char(&json, '{');
    add_datasets(&json, named);
    if (named->dataset_count > 0 && outer->row_count + wish->row_count > 0)
        px_buf_add_char(&json, ',');
    add_rows(&json, outer, NULL, &rows);
    add_rows(&json, wish, outer, &rows);
    px_buf_add_c(&json, rows > 0 ? "]}" : "}");
    if (rows > RESTRICTION_ROWS_MAX) return RESTRICTION_INVALID;
    int r = text_of(&json, arena, ret_json);
    if (r == RESTRICTION_INVALID) return r;
    PX_TRY(r);
    return 0;
}
