/* delivery/eval_functions.c - Terraform's functions, as far as modules use them for what rules look
 * at. One that is missing here makes a value unknown, never wrong. A function of a text with symbols
 * is unknown, unless it only puts texts together.
 * What each does: developer.hashicorp.com/terraform/language/functions. */
#include <ctype.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "delivery/cidr.h"
#include "delivery/eval.h"

#define TEXT_BYTES_MAX (4u << 20)

struct call {
    struct px_arena *arena;
    const struct value *const *args;
    size_t count;
};
typedef const struct value *function(const struct call *c);

static const struct value *arg(const struct call *c, size_t i)
{
    return i < c->count ? c->args[i] : NULL;
}
static struct px_str text_arg(const struct call *c, size_t i) { return value_str(arg(c, i)); }

static const struct value *text_of(const struct call *c, struct px_str text)
{
    return text.ptr || text.len == 0 ? value_text(c->arena, text.ptr ? text : S("")) : NULL;
}

static const struct value *buffered(const struct call *c, struct px_buf *buf)
{
    struct px_str text = px_arena_dup(c->arena, px_buf_str(buf));
    return text.ptr && px_buf_fault(buf) == 0 ? value_text(c->arena, text) : NULL;
}

static bool is_collection(const struct value *v)
{
    return value_is(v, VALUE_LIST) || value_is(v, VALUE_MAP);
}

/* ---- lists being made ---- */

struct items {
    struct px_arena *arena;
    const struct value **at;
    size_t count, cap;
    bool bad;
};

static void add_item(struct items *items, const struct value *v)
{
    if (items->count == items->cap) {
        size_t cap = items->cap > 0 ? items->cap * 2 : 8;
        size_t one = sizeof(const struct value *);
        void *grown = px_arena_realloc(items->arena, items->at, items->cap * one, cap * one);
        if (!grown) items->bad = true;
        if (items->bad) return;
        items->at = grown;
        items->cap = cap;
    }
    items->at[items->count++] = v;
}

static const struct value *done(struct items *items)
{
    return items->bad ? NULL : value_list(items->arena, items->at, items->count);
}

static bool holds(const struct items *items, const struct value *v)
{
    for (size_t i = 0; i < items->count; i++)
        if (value_equal(items->at[i], v) == 1) return true;
    return false;
}

/* ---- texts ---- */

static const struct value *f_join(const struct call *c)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, TEXT_BYTES_MAX);
    bool first = true;
    for (size_t a = 1; a < c->count; a++) {
        for (size_t i = 0; i < value_count(c->args[a]); i++) {
            struct px_str text;
            if (!value_to_text(c->arena, value_item(c->args[a], i), &text)) return &value_unknown;
            if (!first) px_buf_add_str(&buf, text_arg(c, 0));
            px_buf_add_str(&buf, text);
            first = false;
        }
    }
    return buffered(c, &buf);
}

/* The conversions that modules use: %s, %d with flags and width, %q, %v, %%. */
static bool format_one(const struct call *c, struct px_str *spec, size_t *at, struct px_buf *buf)
{
    char conversion[16] = "%";
    size_t n = 1;
    while (spec->len > 0 && n < 4 && spec->ptr[0] && strchr("0123456789-+ ", spec->ptr[0])) {
        conversion[n++] = spec->ptr[0];
        *spec = px_str_skip(*spec, 1);
    }
    if (spec->len == 0) return false;
    char kind = spec->ptr[0];
    struct px_str text;
    *spec = px_str_skip(*spec, 1);
    if (kind == '%') {
        px_buf_add_char(buf, '%');
        return true;
    }
    const struct value *v = arg(c, (*at)++);
    if (!v) return false;
    if (kind == 'd' || kind == 'x') {
        if (value_is_open(v)) return false;
        (void)snprintf(conversion + n, sizeof conversion - n, "ll%c", kind);
        px_buf_printf(buf, conversion, (long long)value_num(v, 0));
        return true;
    }
    if (!value_to_text(c->arena, v, &text)) return false;
    if (kind == 'q') {
        px_buf_add_json_str(buf, text);
    } else {
        px_buf_add_str(buf, text);
    }
    return kind == 's' || kind == 'v' || kind == 'q';
}

static const struct value *f_format(const struct call *c)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, TEXT_BYTES_MAX);
    struct px_str spec = text_arg(c, 0);
    size_t at = 1;
    while (spec.len > 0) {
        char first = spec.ptr[0];
        spec = px_str_skip(spec, 1);
        if (first != '%')
            px_buf_add_char(&buf, first);
        else if (!format_one(c, &spec, &at, &buf))
            return &value_unknown;
    }
    return buffered(c, &buf);
}

static const struct value *cased(const struct call *c, int (*to)(int))
{
    struct px_str from = text_arg(c, 0);
    if (text_is_open(from)) return &value_unknown;
    char *made = px_arena_cstr(c->arena, from);
    for (size_t i = 0; made && i < from.len; i++) made[i] = (char)to((unsigned char)made[i]);
    return made ? value_text(c->arena, px_str(made, from.len)) : NULL;
}
static const struct value *f_lower(const struct call *c) { return cased(c, tolower); }
static const struct value *f_upper(const struct call *c) { return cased(c, toupper); }

static const struct value *f_title(const struct call *c)
{
    struct px_str from = text_arg(c, 0);
    if (text_is_open(from)) return &value_unknown;
    char *made = px_arena_cstr(c->arena, from);
    for (size_t i = 0; made && i < from.len; i++)
        if (i == 0 || isspace((unsigned char)made[i - 1]))
            made[i] = (char)toupper((unsigned char)made[i]);
    return made ? value_text(c->arena, px_str(made, from.len)) : NULL;
}

/* ---- patterns ---- */

/* Terraform's patterns are RE2's; what both it and POSIX know is enough here. Others are refused, as
 * are those that would make the C library work long. */
static bool pattern_open(struct px_arena *arena, struct px_str text, regex_t *ret)
{
    if (text.len == 0 || text.len > 200 || text_find(text, S("(?"))) return false;
    for (size_t i = 0; i + 1 < text.len; i++) {
        bool class = text.ptr[i] == '\\' && isalpha((unsigned char)text.ptr[i + 1]); /* \\d, \\w */
        bool repeat = text.ptr[i] == '{' && isdigit((unsigned char)text.ptr[i + 1]);
        if (class || repeat) return false;
    }
    char *pattern = px_arena_cstr(arena, text);
    return pattern && regcomp(ret, pattern, REG_EXTENDED) == 0;
}

#define GROUPS_MAX 8

static const struct value *match_value(const struct call *c, const char *at,
                                       const regmatch_t found[GROUPS_MAX], size_t groups)
{
    const struct value *items[GROUPS_MAX];
    for (size_t g = 0; g <= groups && g < GROUPS_MAX; g++) {
        size_t from = found[g].rm_so < 0 ? 0 : (size_t)found[g].rm_so,
               to = found[g].rm_so < 0 ? 0 : (size_t)found[g].rm_eo;
        struct px_str text = px_arena_dup(c->arena, px_str(at + from, to - from));
        items[g] = text.ptr ? value_text(c->arena, text) : NULL;
        if (!items[g]) return NULL;
    }
    if (groups == 0) return items[0];
    const struct value **kept = px_arena_array(c->arena, const struct value *, groups);
    if (!kept) return NULL;
    memcpy(kept, items + 1, groups * sizeof(const struct value *));
    return value_list(c->arena, kept, groups);
}

static const struct value *matches(const struct call *c, bool all)
{
    regex_t pattern;
    regmatch_t found[GROUPS_MAX];
    struct items items = {.arena = c->arena};
    char *at = px_arena_cstr(c->arena, text_arg(c, 1));
    const struct value *first = NULL;
    if (!at || value_is_open(arg(c, 1)) || !value_is(arg(c, 1), VALUE_TEXT) || strlen(at) > 65536 ||
        !pattern_open(c->arena, text_arg(c, 0), &pattern))
        return &value_unknown;
    bool fits = pattern.re_nsub < GROUPS_MAX;
    int flags = 0;
    while (fits && regexec(&pattern, at, GROUPS_MAX, found, flags) == 0) {
        first = match_value(c, at, found, pattern.re_nsub);
        add_item(&items, first);
        if (!all || at[0] == '\0') break;
        at += found[0].rm_eo > 0 ? found[0].rm_eo : 1;
        flags = REG_NOTBOL;
    }
    regfree(&pattern);
    if (!fits) return &value_unknown;
    return all ? done(&items) : first; /* no match is an error, for can() and try() */
}
static const struct value *f_regex(const struct call *c) { return matches(c, false); }
static const struct value *f_regexall(const struct call *c) { return matches(c, true); }

/* replace(text, "/pattern/", to), where `to` names no group. */
static const struct value *replace_pattern(const struct call *c)
{
    regex_t pattern;
    regmatch_t found[1];
    struct px_str from = text_arg(c, 1), to = text_arg(c, 2);
    char *at = px_arena_cstr(c->arena, text_arg(c, 0));
    bool groups = to.len > 0 && memchr(to.ptr, '$', to.len);
    if (!at || groups || strlen(at) > 65536 ||
        !pattern_open(c->arena, px_str(from.ptr + 1, from.len - 2), &pattern))
        return &value_unknown;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, TEXT_BYTES_MAX);
    int flags = 0;
    while (at[0] != '\0' && regexec(&pattern, at, 1, found, flags) == 0) {
        size_t end = found[0].rm_eo > 0 ? (size_t)found[0].rm_eo : 1;
        px_buf_add(&buf, at, (size_t)found[0].rm_so);
        px_buf_add_str(&buf, to);
        if (found[0].rm_eo == 0) px_buf_add(&buf, at, 1);
        at += end;
        flags = REG_NOTBOL;
    }
    regfree(&pattern);
    px_buf_add_c(&buf, at);
    return buffered(c, &buf);
}

static const struct value *f_replace(const struct call *c)
{
    struct px_str text = text_arg(c, 0), from = text_arg(c, 1), to = text_arg(c, 2);
    bool pattern = from.len > 1 && from.ptr[0] == '/' && from.ptr[from.len - 1] == '/';
    if (text_is_open(text) || from.len == 0) return &value_unknown;
    if (pattern) return replace_pattern(c);
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, TEXT_BYTES_MAX);
    while (text.len > 0) {
        if (px_str_starts(text, from)) {
            px_buf_add_str(&buf, to);
            text = px_str_skip(text, from.len);
        } else {
            px_buf_add_char(&buf, text.ptr[0]);
            text = px_str_skip(text, 1);
        }
    }
    return buffered(c, &buf);
}

static bool find(struct px_str text, struct px_str part, size_t *ret_at)
{
    const char *found = part.len > 0 && text.len >= part.len ? text_find(text, part) : NULL;
    if (found) *ret_at = (size_t)(found - text.ptr);
    return found != NULL;
}

static const struct value *f_split(const struct call *c)
{
    struct px_str by = text_arg(c, 0), rest = text_arg(c, 1);
    struct items items = {.arena = c->arena};
    size_t at;
    if (text_is_open(rest) || by.len == 0) return &value_unknown;
    while (find(rest, by, &at)) {
        add_item(&items, text_of(c, px_str(rest.ptr, at)));
        rest = px_str_skip(rest, at + by.len);
    }
    add_item(&items, text_of(c, rest));
    return done(&items);
}

static const struct value *f_substr(const struct call *c)
{
    struct px_str text = text_arg(c, 0);
    double from = value_num(arg(c, 1), 0), n = value_num(arg(c, 2), -1);
    if (text_is_open(text)) return &value_unknown;
    if (from < 0) from += (double)text.len;
    if (from < 0 || from > (double)text.len) return NULL;
    struct px_str rest = px_str_skip(text, (size_t)from);
    return text_of(c, n < 0 || n > (double)rest.len ? rest : px_str(rest.ptr, (size_t)n));
}

static const struct value *f_trimprefix(const struct call *c)
{
    struct px_str text = text_arg(c, 0), part = text_arg(c, 1);
    if (text_is_open(text)) return &value_unknown;
    return text_of(c, px_str_starts(text, part) ? px_str_skip(text, part.len) : text);
}

static const struct value *f_trimsuffix(const struct call *c)
{
    struct px_str text = text_arg(c, 0), part = text_arg(c, 1);
    if (text_is_open(text)) return &value_unknown;
    return text_of(c, px_str_ends(text, part) ? px_str(text.ptr, text.len - part.len) : text);
}

static const struct value *f_trimspace(const struct call *c)
{
    return text_of(c, px_str_trim(text_arg(c, 0)));
}

static const struct value *f_trim(const struct call *c)
{
    struct px_str text = text_arg(c, 0), set = text_arg(c, 1);
    if (text_is_open(text)) return &value_unknown;
    while (text.len > 0 && memchr(set.ptr ? set.ptr : "", text.ptr[0], set.len))
        text = px_str_skip(text, 1);
    while (text.len > 0 && memchr(set.ptr ? set.ptr : "", text.ptr[text.len - 1], set.len))
        text.len--;
    return text_of(c, text);
}

static const struct value *f_startswith(const struct call *c)
{
    struct px_str text = text_arg(c, 0), part = text_arg(c, 1);
    if (px_str_starts(text, part)) return &value_true;
    return text_is_open(text) ? &value_unknown : &value_false;
}

static const struct value *f_endswith(const struct call *c)
{
    struct px_str text = text_arg(c, 0), part = text_arg(c, 1);
    if (px_str_ends(text, part)) return &value_true;
    return text_is_open(text) ? &value_unknown : &value_false;
}

static const struct value *f_strcontains(const struct call *c)
{
    size_t at;
    if (find(text_arg(c, 0), text_arg(c, 1), &at)) return &value_true;
    return text_is_open(text_arg(c, 0)) ? &value_unknown : &value_false;
}

static const struct value *f_jsonencode(const struct call *c)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, TEXT_BYTES_MAX);
    value_write_json(&buf, arg(c, 0));
    return buffered(c, &buf);
}

static const struct value *f_jsondecode(const struct call *c)
{
    struct px_str text = text_arg(c, 0);
    if (text.len == 0) return NULL;
    const struct value *v = value_parse(c->arena, text);
    return v->kind == VALUE_UNKNOWN && !text_is_open(text) ? NULL : v;
}

/* ---- conversions ---- */

static const struct value *f_same(const struct call *c) { return arg(c, 0); }

static const struct value *f_tostring(const struct call *c)
{
    struct px_str text;
    if (value_is(arg(c, 0), VALUE_NULL)) return &value_null;
    if (!value_to_text(c->arena, arg(c, 0), &text)) return NULL;
    return value_text(c->arena, text);
}

static const struct value *f_tonumber(const struct call *c)
{
    double number = value_num(arg(c, 0), NAN);
    return isnan(number) ? NULL : value_number(c->arena, number);
}

static int by_text(const void *a, const void *b)
{
    const struct value *x = *(const struct value *const *)a, *y = *(const struct value *const *)b;
    return px_str_cmp(value_str(x), value_str(y));
}

static const struct value *distinct(const struct call *c, bool sorted)
{
    struct items items = {.arena = c->arena};
    if (!is_collection(arg(c, 0))) return NULL;
    for (size_t i = 0; i < value_count(arg(c, 0)); i++)
        if (!holds(&items, value_item(arg(c, 0), i))) add_item(&items, value_item(arg(c, 0), i));
    if (sorted && items.count > 1)
        qsort(items.at, items.count, sizeof(const struct value *), by_text);
    return done(&items);
}
static const struct value *f_toset(const struct call *c) { return distinct(c, true); }
static const struct value *f_distinct(const struct call *c) { return distinct(c, false); }

/* ---- collections ---- */

static const struct value *f_length(const struct call *c)
{
    if (is_collection(arg(c, 0))) return value_number(c->arena, (double)value_count(arg(c, 0)));
    if (!value_is(arg(c, 0), VALUE_TEXT) || value_is_open(arg(c, 0))) return &value_unknown;
    return value_number(c->arena, (double)text_arg(c, 0).len);
}

static const struct value *f_keys(const struct call *c)
{
    struct items items = {.arena = c->arena};
    const struct value *map = arg(c, 0);
    if (!value_is(map, VALUE_MAP)) return NULL;
    for (size_t i = 0; i < map->map.count; i++)
        add_item(&items, value_text(c->arena, map->map.fields[i].name));
    return done(&items);
}

static const struct value *f_values(const struct call *c)
{
    struct items items = {.arena = c->arena};
    if (!value_is(arg(c, 0), VALUE_MAP)) return NULL;
    for (size_t i = 0; i < value_count(arg(c, 0)); i++) add_item(&items, value_item(arg(c, 0), i));
    return done(&items);
}

static const struct value *f_lookup(const struct call *c)
{
    const struct value *found = value_get(arg(c, 0), text_arg(c, 1));
    return found ? found : arg(c, 2);
}

static const struct value *f_merge(const struct call *c)
{
    size_t count = 0, n = 0;
    for (size_t a = 0; a < c->count; a++) count += value_count(c->args[a]);
    struct value_field *fields = px_arena_array(c->arena, struct value_field, count);
    if (!fields) return NULL;
    for (size_t a = 0; a < c->count; a++) {
        if (value_is(c->args[a], VALUE_UNKNOWN)) return &value_unknown;
        if (value_is(c->args[a], VALUE_MAP))
            for (size_t i = 0; i < c->args[a]->map.count; i++)
                fields[n++] = c->args[a]->map.fields[i];
    }
    return value_map(c->arena, fields, n);
}

static const struct value *f_concat(const struct call *c)
{
    struct items items = {.arena = c->arena};
    for (size_t a = 0; a < c->count; a++) {
        if (!value_is(c->args[a], VALUE_LIST)) return &value_unknown;
        for (size_t i = 0; i < value_count(c->args[a]); i++)
            add_item(&items, value_item(c->args[a], i));
    }
    return done(&items);
}

static void flatten_into(struct items *items, const struct value *list, unsigned depth)
{
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *item = value_item(list, i);
        if (value_is(item, VALUE_LIST) && depth < 32)
            flatten_into(items, item, depth + 1);
        else
            add_item(items, item);
    }
}

static const struct value *f_flatten(const struct call *c)
{
    struct items items = {.arena = c->arena};
    if (!value_is(arg(c, 0), VALUE_LIST)) return &value_unknown;
    flatten_into(&items, arg(c, 0), 0);
    return done(&items);
}

static const struct value *f_compact(const struct call *c)
{
    struct items items = {.arena = c->arena};
    for (size_t i = 0; i < value_count(arg(c, 0)); i++) {
        const struct value *item = value_item(arg(c, 0), i);
        if (value_is_null(item) || (value_is(item, VALUE_TEXT) && item->text.len == 0)) continue;
        add_item(&items, item);
    }
    return done(&items);
}

static const struct value *f_sort(const struct call *c)
{
    struct items items = {.arena = c->arena};
    if (value_is_open(arg(c, 0))) return &value_unknown;
    for (size_t i = 0; i < value_count(arg(c, 0)); i++) add_item(&items, value_item(arg(c, 0), i));
    if (items.count > 1) qsort(items.at, items.count, sizeof(const struct value *), by_text);
    return done(&items);
}

static const struct value *f_reverse(const struct call *c)
{
    struct items items = {.arena = c->arena};
    for (size_t i = value_count(arg(c, 0)); i > 0; i--)
        add_item(&items, value_item(arg(c, 0), i - 1));
    return done(&items);
}

static const struct value *f_slice(const struct call *c)
{
    struct items items = {.arena = c->arena};
    double from = value_num(arg(c, 1), 0), to = value_num(arg(c, 2), 0);
    if (!value_is(arg(c, 0), VALUE_LIST)) return &value_unknown;
    if (from < 0 || to > (double)value_count(arg(c, 0))) return NULL;
    for (size_t i = (size_t)from; (double)i < to; i++) add_item(&items, value_item(arg(c, 0), i));
    return done(&items);
}

static const struct value *f_element(const struct call *c)
{
    size_t count = value_count(arg(c, 0));
    double at = value_num(arg(c, 1), 0);
    if (!value_is(arg(c, 0), VALUE_LIST)) return &value_unknown;
    return count > 0 && at >= 0 ? value_item(arg(c, 0), (size_t)fmod(at, (double)count)) : NULL;
}

static const struct value *f_contains(const struct call *c)
{
    bool open = false;
    for (size_t i = 0; i < value_count(arg(c, 0)); i++) {
        int equal = value_equal(value_item(arg(c, 0), i), arg(c, 1));
        if (equal == 1) return &value_true;
        if (equal < 0) open = true;
    }
    return open || value_is(arg(c, 0), VALUE_UNKNOWN) ? &value_unknown : &value_false;
}

static const struct value *f_index(const struct call *c)
{
    for (size_t i = 0; i < value_count(arg(c, 0)); i++)
        if (value_equal(value_item(arg(c, 0), i), arg(c, 1)) == 1)
            return value_number(c->arena, (double)i);
    return NULL;
}

static const struct value *f_coalesce(const struct call *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct value *v = c->args[i];
        if (!value_is_null(v) && !(value_is(v, VALUE_TEXT) && v->text.len == 0)) return v;
    }
    return NULL;
}

static const struct value *f_one(const struct call *c)
{
    const struct value *v = arg(c, 0);
    if (!is_collection(v) || value_count(v) > 1) return is_collection(v) ? NULL : &value_unknown;
    return value_count(v) == 1 ? value_item(v, 0) : &value_null;
}

static const struct value *f_zipmap(const struct call *c)
{
    size_t count = value_count(arg(c, 0));
    struct value_field *fields = px_arena_array(c->arena, struct value_field, count);
    if (!fields || count != value_count(arg(c, 1))) return NULL;
    for (size_t i = 0; i < count; i++)
        fields[i] = (struct value_field){value_str(value_item(arg(c, 0), i)),
                                         value_item(arg(c, 1), i)};
    return value_map(c->arena, fields, count);
}

static const struct value *f_range(const struct call *c)
{
    struct items items = {.arena = c->arena};
    double from = c->count > 1 ? value_num(arg(c, 0), 0) : 0;
    double to = value_num(arg(c, c->count > 1 ? 1 : 0), 0), by = value_num(arg(c, 2), 1);
    for (size_t i = 0; by > 0 && from + (double)i * by < to && i < 4096; i++)
        add_item(&items, value_number(c->arena, from + (double)i * by));
    return done(&items);
}

static const struct value *f_setunion(const struct call *c)
{
    struct items items = {.arena = c->arena};
    for (size_t a = 0; a < c->count; a++)
        for (size_t i = 0; i < value_count(c->args[a]); i++)
            if (!holds(&items, value_item(c->args[a], i)))
                add_item(&items, value_item(c->args[a], i));
    return done(&items);
}

static const struct value *filtered(const struct call *c, bool keep)
{
    struct items items = {.arena = c->arena}, other = {.arena = c->arena};
    for (size_t i = 0; i < value_count(arg(c, 1)); i++) add_item(&other, value_item(arg(c, 1), i));
    for (size_t i = 0; i < value_count(arg(c, 0)); i++)
        if (holds(&other, value_item(arg(c, 0), i)) == keep)
            add_item(&items, value_item(arg(c, 0), i));
    return done(&items);
}
static const struct value *f_setsubtract(const struct call *c) { return filtered(c, false); }
static const struct value *f_setintersection(const struct call *c) { return filtered(c, true); }

static bool next_product(const struct call *c, size_t at[], size_t arg_count)
{
    for (size_t a = arg_count; a > 0; a--) {
        if (++at[a - 1] < value_count(c->args[a - 1])) return true;
        at[a - 1] = 0;
    }
    return false;
}

static const struct value *f_setproduct(const struct call *c)
{
    struct items items = {.arena = c->arena};
    size_t at[8] = {0};
    if (c->count == 0 || c->count > PX_COUNT(at)) return &value_unknown;
    for (size_t a = 0; a < c->count; a++)
        if (value_count(c->args[a]) == 0) return done(&items);
    do {
        struct items one = {.arena = c->arena};
        for (size_t a = 0; a < c->count; a++) add_item(&one, value_item(c->args[a], at[a]));
        add_item(&items, done(&one));
    } while (next_product(c, at, c->count) && items.count < 65536);
    return done(&items);
}

static const struct value *truths(const struct call *c, bool all)
{
    for (size_t i = 0; i < value_count(arg(c, 0)); i++) {
        if (value_is_open(value_item(arg(c, 0), i))) return &value_unknown;
        if (value_truth(value_item(arg(c, 0), i)) != all) return value_bool(!all);
    }
    return value_bool(all);
}
static const struct value *f_alltrue(const struct call *c) { return truths(c, true); }
static const struct value *f_anytrue(const struct call *c) { return truths(c, false); }

/* ---- numbers ---- */

static const struct value *extreme(const struct call *c, bool most)
{
    double best = NAN;
    for (size_t i = 0; i < c->count; i++) {
        double n = value_num(c->args[i], NAN);
        if (isnan(n)) return &value_unknown;
        if (isnan(best) || (most ? n > best : n < best)) best = n;
    }
    return value_number(c->arena, best);
}
static const struct value *f_max(const struct call *c) { return extreme(c, true); }
static const struct value *f_min(const struct call *c) { return extreme(c, false); }
static const struct value *f_ceil(const struct call *c)
{
    return value_number(c->arena, ceil(value_num(arg(c, 0), 0)));
}
static const struct value *f_floor(const struct call *c)
{
    return value_number(c->arena, floor(value_num(arg(c, 0), 0)));
}
static const struct value *f_abs(const struct call *c)
{
    return value_number(c->arena, fabs(value_num(arg(c, 0), 0)));
}
static const struct value *f_pow(const struct call *c)
{
    return value_number(c->arena, pow(value_num(arg(c, 0), 0), value_num(arg(c, 1), 0)));
}

static const struct value *f_sum(const struct call *c)
{
    double sum = 0;
    for (size_t i = 0; i < value_count(arg(c, 0)); i++)
        sum += value_num(value_item(arg(c, 0), i), 0);
    return value_is_open(arg(c, 0)) ? &value_unknown : value_number(c->arena, sum);
}

static const struct value *f_cidrsubnet(const struct call *c)
{
    struct cidr cidr = cidr_parse(text_arg(c, 0));
    double more = value_num(arg(c, 1), -1), net = value_num(arg(c, 2), -1);
    if (!cidr.valid) return &value_unknown;
    if (more < 0 || net < 0 || cidr.bits + more > 32 || net >= 4294967296.0) return NULL;
    unsigned length = cidr.bits + (unsigned)more;
    uint32_t base = cidr.base;
    if (length > 0) base |= (uint32_t)((uint64_t)net << (32 - length));
    struct px_str made = px_arena_printf(c->arena, "%u.%u.%u.%u/%u", base >> 24, (base >> 16) & 255,
                                         (base >> 8) & 255, base & 255, length);
    return made.ptr ? value_text(c->arena, made) : NULL;
}

static const struct {
    const char *name;
    function *run;
} functions[] = {
    {"abs", f_abs},
    {"alltrue", f_alltrue},
    {"anytrue", f_anytrue},
    {"ceil", f_ceil},
    {"cidrsubnet", f_cidrsubnet},
    {"coalesce", f_coalesce},
    {"compact", f_compact},
    {"concat", f_concat},
    {"contains", f_contains},
    {"distinct", f_distinct},
    {"element", f_element},
    {"endswith", f_endswith},
    {"flatten", f_flatten},
    {"floor", f_floor},
    {"format", f_format},
    {"index", f_index},
    {"join", f_join},
    {"jsondecode", f_jsondecode},
    {"jsonencode", f_jsonencode},
    {"keys", f_keys},
    {"length", f_length},
    {"lookup", f_lookup},
    {"lower", f_lower},
    {"max", f_max},
    {"merge", f_merge},
    {"min", f_min},
    {"nonsensitive", f_same},
    {"one", f_one},
    {"pow", f_pow},
    {"range", f_range},
    {"regex", f_regex},
    {"regexall", f_regexall},
    {"replace", f_replace},
    {"reverse", f_reverse},
    {"sensitive", f_same},
    {"setintersection", f_setintersection},
    {"setproduct", f_setproduct},
    {"setsubtract", f_setsubtract},
    {"setunion", f_setunion},
    {"slice", f_slice},
    {"sort", f_sort},
    {"split", f_split},
    {"startswith", f_startswith},
    {"strcontains", f_strcontains},
    {"substr", f_substr},
    {"sum", f_sum},
    {"title", f_title},
    {"tobool", f_same},
    {"tolist", f_same},
    {"tomap", f_same},
    {"tonumber", f_tonumber},
    {"toset", f_toset},
    {"tostring", f_tostring},
    {"trim", f_trim},
    {"trimprefix", f_trimprefix},
    {"trimspace", f_trimspace},
    {"trimsuffix", f_trimsuffix},
    {"upper", f_upper},
    {"values", f_values},
    {"zipmap", f_zipmap},
};

const struct value *eval_function(struct px_arena *arena, struct px_str name,
                                  const struct value *const *args, size_t count)
{
    struct call c = {arena, args, count};
    for (size_t i = 0; i < PX_COUNT(functions); i++)
        if (px_str_eq(name, px_str_c(functions[i].name))) {
            if (count > 0 && value_is(args[0], VALUE_UNKNOWN)) return &value_unknown;
            return functions[i].run(&c);
        }
    return &value_unknown;
}
