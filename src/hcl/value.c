/* hcl/value.c - see value.h. */
#include "hcl/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SHOWN_BYTES_MAX 160

const struct value value_null = {.kind = VALUE_NULL};
const struct value value_unknown = {.kind = VALUE_UNKNOWN};
const struct value value_true = {.kind = VALUE_BOOL, .truth = true};
const struct value value_false = {.kind = VALUE_BOOL};

/* ---- making ---- */

const struct value *value_text(struct px_arena *arena, struct px_str text)
{
    struct value *v = px_arena_new(arena, struct value);
    if (v) *v = (struct value){.kind = VALUE_TEXT, .text = text};
    return v;
}

const struct value *value_number(struct px_arena *arena, double number)
{
    struct value *v = px_arena_new(arena, struct value);
    if (v) *v = (struct value){.kind = VALUE_NUMBER, .number = number};
    return v;
}

const struct value *value_bool(bool truth) { return truth ? &value_true : &value_false; }

const struct value *value_symbol(struct px_arena *arena, struct px_str address)
{
    struct px_str text = px_arena_printf(arena, "%c%.*s%c", VALUE_SYMBOL_BEGIN, PX_FMT(address),
                                         VALUE_SYMBOL_END);
    return text.ptr ? value_text(arena, text) : NULL;
}

const struct value *value_list(struct px_arena *arena, const struct value **items, size_t count)
{
    struct value *v = px_arena_new(arena, struct value);
    if (!v) return NULL;
    v->kind = VALUE_LIST;
    v->list.items = items;
    v->list.count = count;
    return v;
}

struct ordered { /* qsort is not stable */
    struct value_field field;
    size_t at;
};

static int by_name(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    int order = px_str_cmp(x->field.name, y->field.name);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

static bool is_sorted(const struct value_field *fields, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (px_str_cmp(fields[i - 1].name, fields[i].name) >= 0) return false;
    return true;
}

static bool sort_fields(struct px_arena *arena, struct value_field *fields, size_t *count)
{
    struct ordered *all = px_arena_array(arena, struct ordered, *count);
    if (!all) return false;
    for (size_t i = 0; i < *count; i++) all[i] = (struct ordered){fields[i], i};
    qsort(all, *count, sizeof *all, by_name);
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (kept > 0 && px_str_eq(fields[kept - 1].name, all[i].field.name)) kept--;
        fields[kept++] = all[i].field;
    }
    *count = kept;
    return true;
}

const struct value *value_map(struct px_arena *arena, struct value_field *fields, size_t count)
{
    struct value *v = px_arena_new(arena, struct value);
    if (!v || (!is_sorted(fields, count) && !sort_fields(arena, fields, &count))) return NULL;
    v->kind = VALUE_MAP;
    v->map.fields = fields;
    v->map.count = count;
    return v;
}

static const struct value *list_from_json(struct px_arena *arena, yyjson_val *json)
{
    size_t i, n, count = yyjson_arr_size(json);
    yyjson_val *item;
    const struct value **items = px_arena_array(arena, const struct value *, count);
    if (!items) return NULL;
    yyjson_arr_foreach(json, i, n, item) items[i] = value_from_json(arena, item);
    return value_list(arena, items, count);
}

static const struct value *map_from_json(struct px_arena *arena, yyjson_val *json)
{
    size_t i, n, count = yyjson_obj_size(json);
    yyjson_val *key, *item;
    struct value_field *fields = px_arena_array(arena, struct value_field, count);
    if (!fields) return NULL;
    yyjson_obj_foreach(json, i, n, key, item)
        fields[i] = (struct value_field){px_json_val_str(key), value_from_json(arena, item)};
    return value_map(arena, fields, count);
}

const struct value *value_from_json(struct px_arena *arena, yyjson_val *json)
{
    if (yyjson_is_bool(json)) return value_bool(yyjson_get_bool(json));
    if (yyjson_is_num(json)) return value_number(arena, yyjson_get_num(json));
    if (yyjson_is_str(json)) return value_text(arena, px_json_val_str(json));
    if (yyjson_is_arr(json)) return list_from_json(arena, json);
    if (yyjson_is_obj(json)) return map_from_json(arena, json);
    return &value_null;
}

/* A template puts symbols into JSON text as they are, quotes included; here they become JSON. */
static struct px_str escape_symbols(struct px_arena *arena, struct px_str text)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    bool inside = false;
    px_buf_init(&buf, text.len * 2 + 1024);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == VALUE_SYMBOL_BEGIN || c == VALUE_SYMBOL_END) {
            inside = c == VALUE_SYMBOL_BEGIN;
            px_buf_add_c(&buf, inside ? "\\u0002" : "\\u0003");
        } else {
            if (inside && (c == '"' || c == '\\')) px_buf_add_char(&buf, '\\');
            px_buf_add_char(&buf, c);
        }
    }
    return px_arena_dup(arena, px_buf_str(&buf));
}

const struct value *value_parse(struct px_arena *arena, struct px_str text)
{
    yyjson_val *root = NULL;
    if (text_is_open(text)) text = escape_symbols(arena, text);
    if (!text.ptr || px_json_parse(text, arena, &root, NULL) != 0) return &value_unknown;
    const struct value *v = value_from_json(arena, root);
    return v ? v : &value_unknown;
}

/* ---- asking ---- */

struct px_str value_str(const struct value *v)
{
    return value_is(v, VALUE_TEXT) ? v->text : (struct px_str){0};
}

double value_num(const struct value *v, double otherwise)
{
    if (value_is(v, VALUE_NUMBER)) return v->number;
    if (!value_is(v, VALUE_TEXT) || v->text.len == 0 || v->text.len > 40) return otherwise;
    char text[48], *end = NULL;
    memcpy(text, v->text.ptr, v->text.len);
    text[v->text.len] = '\0';
    double number = strtod(text, &end);
    return *end == '\0' ? number : otherwise;
}

bool value_truth(const struct value *v)
{
    if (value_is(v, VALUE_BOOL)) return v->truth;
    return value_is(v, VALUE_TEXT) && px_str_eq(v->text, S("true"));
}

size_t value_count(const struct value *v)
{
    if (value_is(v, VALUE_LIST)) return v->list.count;
    return value_is(v, VALUE_MAP) ? v->map.count : 0;
}

const struct value *value_item(const struct value *v, size_t i)
{
    if (i >= value_count(v)) return NULL;
    return v->kind == VALUE_LIST ? v->list.items[i] : v->map.fields[i].value;
}

const struct value *value_get(const struct value *v, struct px_str name)
{
    if (!value_is(v, VALUE_MAP)) return NULL;
    size_t low = 0, high = v->map.count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = px_str_cmp(v->map.fields[mid].name, name);
        if (order == 0) return v->map.fields[mid].value;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

bool text_is_open(struct px_str text)
{
    return text.len > 0 && memchr(text.ptr, VALUE_SYMBOL_BEGIN, text.len) != NULL;
}

bool value_is_open(const struct value *v)
{
    if (!v) return false;
    if (v->kind == VALUE_UNKNOWN) return true;
    if (v->kind == VALUE_TEXT) return text_is_open(v->text);
    for (size_t i = 0; i < value_count(v); i++)
        if (value_is_open(value_item(v, i))) return true;
    return false;
}

const char *text_find(struct px_str text, struct px_str part)
{
    if (part.len == 0 || text.len < part.len) return NULL;
    return memmem(text.ptr, text.len, part.ptr, part.len);
}

bool text_next_symbol(struct px_str text, size_t *at, struct px_str *ret_address)
{
    struct px_str rest = px_str_skip(text, *at);
    const char *begin = rest.len > 0 ? memchr(rest.ptr, VALUE_SYMBOL_BEGIN, rest.len) : NULL;
    if (!begin) return false;
    rest = px_str_skip(rest, (size_t)(begin - rest.ptr) + 1);
    const char *end = rest.len > 0 ? memchr(rest.ptr, VALUE_SYMBOL_END, rest.len) : NULL;
    if (!end) return false;
    *ret_address = px_str(rest.ptr, (size_t)(end - rest.ptr));
    *at = (size_t)(end + 1 - text.ptr);
    return true;
}

bool text_symbol(struct px_str text, struct px_str *ret_address)
{
    size_t at = 0;
    struct px_str address;
    if (text.len < 3 || text.ptr[0] != VALUE_SYMBOL_BEGIN) return false;
    if (!text_next_symbol(text, &at, &address) || at != text.len) return false;
    *ret_address = address;
    return true;
}

static int lists_equal(const struct value *a, const struct value *b)
{
    int all = 1;
    if (value_count(a) != value_count(b)) return 0;
    for (size_t i = 0; i < value_count(a); i++) {
        if (a->kind == VALUE_MAP && !px_str_eq(a->map.fields[i].name, b->map.fields[i].name))
            return 0;
        int one = value_equal(value_item(a, i), value_item(b, i));
        if (one == 0) return 0;
        if (one < 0) all = -1;
    }
    return all;
}

static bool is_plain(const struct value *v)
{
    return v->kind == VALUE_TEXT || v->kind == VALUE_NUMBER || v->kind == VALUE_BOOL;
}

/* Whether a text with symbols may become one without: a symbol stands for one character at least, since
 * ids, ARNs and addresses are never empty. */
static bool may_become(struct px_str open, struct px_str known)
{
    size_t least = 0, begins = 0;
    bool inside = false;
    for (size_t i = 0; i < open.len; i++) {
        if (open.ptr[i] == VALUE_SYMBOL_BEGIN) {
            if (least == begins) begins = least;
            inside = true;
            least++;
        } else if (open.ptr[i] == VALUE_SYMBOL_END) {
            inside = false;
        } else if (!inside) {
            bool at_front = least == begins;
            if (at_front && (begins >= known.len || known.ptr[begins] != open.ptr[i])) return false;
            begins += at_front;
            least++;
        }
    }
    return known.len >= least;
}

static int texts_equal(struct px_str a, struct px_str b)
{
    if (px_str_eq(a, b)) return 1;
    bool a_open = text_is_open(a), b_open = text_is_open(b);
    if (a_open && b_open) return -1;
    if (a_open) return may_become(a, b) ? -1 : 0;
    return b_open && may_become(b, a) ? -1 : 0;
}

/* "1" and 1 are equal, as after Terraform's own conversion. */
static int converted_equal(const struct value *a, const struct value *b)
{
    const struct value *text = a->kind == VALUE_TEXT ? a : b, *other = text == a ? b : a;
    if (text->kind != VALUE_TEXT) return 0;
    if (text_is_open(text->text)) return -1;
    if (other->kind == VALUE_BOOL)
        return px_str_eq(text->text, other->truth ? S("true") : S("false"));
    return value_num(text, NAN) == other->number;
}

int value_equal(const struct value *a, const struct value *b)
{
    if (!a) a = &value_null;
    if (!b) b = &value_null;
    if (a->kind == VALUE_UNKNOWN || b->kind == VALUE_UNKNOWN) return -1;
    if (a->kind != b->kind) return is_plain(a) && is_plain(b) ? converted_equal(a, b) : 0;
    switch (a->kind) {
    case VALUE_NULL: return 1;
    case VALUE_BOOL: return a->truth == b->truth;
    case VALUE_NUMBER: return a->number == b->number;
    case VALUE_TEXT: return texts_equal(a->text, b->text);
    case VALUE_RESOURCE: return a->resource == b->resource;
    case VALUE_MODULE: return a->module == b->module;
    default: return lists_equal(a, b);
    }
}

/* ---- writing ---- */

static void write_number(struct px_buf *buf, double number)
{
    if (number == floor(number) && fabs(number) < 1e15)
        px_buf_printf(buf, "%.0f", number);
    else
        px_buf_printf(buf, "%.15g", number);
}

bool value_to_text(struct px_arena *arena, const struct value *v, struct px_str *ret_text)
{
    if (value_is(v, VALUE_TEXT)) {
        *ret_text = v->text;
        return true;
    }
    if (value_is(v, VALUE_BOOL)) {
        *ret_text = v->truth ? S("true") : S("false");
        return true;
    }
    if (!value_is(v, VALUE_NUMBER)) return false;
    bool whole = v->number == floor(v->number) && fabs(v->number) < 1e15;
    *ret_text = px_arena_printf(arena, whole ? "%.0f" : "%.15g", v->number);
    return ret_text->ptr != NULL;
}

static void write_list(struct px_buf *buf, const struct value *v)
{
    px_buf_add_char(buf, v->kind == VALUE_MAP ? '{' : '[');
    for (size_t i = 0; i < value_count(v); i++) {
        if (i > 0) px_buf_add_char(buf, ',');
        if (v->kind == VALUE_MAP) {
            px_buf_add_json_str(buf, v->map.fields[i].name);
            px_buf_add_char(buf, ':');
        }
        value_write_json(buf, value_item(v, i));
    }
    px_buf_add_char(buf, v->kind == VALUE_MAP ? '}' : ']');
}

void value_write_json(struct px_buf *buf, const struct value *v)
{
    switch (v ? v->kind : VALUE_NULL) {
    case VALUE_BOOL: px_buf_add_c(buf, v->truth ? "true" : "false"); return;
    case VALUE_NUMBER: write_number(buf, v->number); return;
    case VALUE_TEXT: px_buf_add_json_str(buf, v->text); return;
    case VALUE_LIST:
    case VALUE_MAP: write_list(buf, v); return;
    case VALUE_RESOURCE:
    case VALUE_MODULE:
    case VALUE_UNKNOWN: px_buf_add_c(buf, "\"\\u0002unknown\\u0003\""); return;
    default: px_buf_add_c(buf, "null"); return;
    }
}

struct px_str text_shown(struct px_arena *arena, struct px_str text)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 4096);
    for (size_t i = 0; i < text.len && buf.len < SHOWN_BYTES_MAX; i++) {
        if (text.ptr[i] == VALUE_SYMBOL_BEGIN)
            px_buf_add_c(&buf, "${");
        else
            px_buf_add_char(&buf, text.ptr[i] == VALUE_SYMBOL_END ? '}' : text.ptr[i]);
    }
    if (buf.len >= SHOWN_BYTES_MAX) px_buf_add_c(&buf, "...");
    struct px_str shown = px_arena_dup(arena, px_buf_str(&buf));
    return shown.ptr ? shown : S("?");
}

struct px_str value_shown(struct px_arena *arena, const struct value *v)
{
    struct px_str text;
    if (value_is_null(v)) return S("nothing");
    if (v->kind == VALUE_UNKNOWN) return S("a value known after apply");
    if (value_to_text(arena, v, &text)) return text_shown(arena, text);
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    value_write_json(&buf, v);
    return text_shown(arena, px_buf_str(&buf));
}
