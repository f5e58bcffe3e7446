/* asl/check.c - places, and the problems told of them.
 *
 * Lines come from the JSON parser: its strings stand in its copy of the text where they stood in the text, so the address of
 * any of them is an offset. Where the copy begins is computed once, from the first string of the document: before it
 * there is no quotation mark but its own. */
#include "asl/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PLACE_BYTES_MAX 4096
#define MESSAGE_BYTES_MAX 1024

struct asl_noted {
    struct asl_problem problem;
    size_t offset; /* SIZE_MAX: not known */
    size_t order;
};

/* ---- places ---- */

struct asl_place asl_member_place(const struct asl_place *up, yyjson_val *key)
{
    return (struct asl_place){.up = up, .name = px_json_val_str(key), .near = key};
}

struct asl_place asl_element_place(const struct asl_place *up, size_t index, yyjson_val *element)
{
    yyjson_val *near = yyjson_is_str(element) ? element : NULL;
    if (yyjson_is_obj(element)) {
        yyjson_obj_iter iter = yyjson_obj_iter_with(element);
        near = yyjson_obj_iter_next(&iter);
    }
    return (struct asl_place){.up = up, .index = index, .near = near};
}

struct asl_place asl_named_place(const struct asl_place *up, yyjson_val *object, const char *name)
{
    struct asl_place place = {.up = up, .name = px_str_c(name)};
    yyjson_obj_iter iter = {0};
    yyjson_val *key;
    if (yyjson_obj_iter_init(object, &iter))
        while ((key = yyjson_obj_iter_next(&iter)) != NULL)
            if (px_str_eq(px_json_val_str(key), place.name)) place.near = key;
    return place;
}

static void add_place(struct px_buf *buf, const struct asl_place *place)
{
    if (!place || !place->up) return; /* the definition itself */
    add_place(buf, place->up);
    if (place->name.ptr) {
        px_buf_add_char(buf, '/');
        px_buf_add_str(buf, place->name);
    } else {
        px_buf_printf(buf, "[%zu]", place->index);
    }
}

/* The text that stands at or before the place. */
static size_t offset_of(const struct asl_check *check, const struct asl_place *place)
{
    while (place && !place->near) place = place->up;
    const char *at = place ? yyjson_get_str(place->near) : NULL;
    if (!at || !check->origin) return place ? SIZE_MAX : 0;
    size_t offset = (size_t)((uintptr_t)at - (uintptr_t)check->origin);
    return offset > 0 && offset <= check->text.len ? offset - 1 : SIZE_MAX; /* the quotation mark */
}

/* ---- problems ---- */

void *asl_check_alloc(struct asl_check *check, size_t count, size_t bytes)
{
    if (check->fault != 0) return NULL;
    void *memory = px_arena_zalloc_array(check->arena, bytes, count);
    if (!memory) check->fault = px_arena_fault(check->arena);
    return memory;
}

static struct asl_noted *next_noted(struct asl_check *check)
{
    if (check->noted_count == ASL_PROBLEMS_MAX || check->fault != 0) return NULL;
    if (check->noted_count == check->noted_cap) {
        size_t cap = check->noted_cap ? check->noted_cap * 2 : 16;
        struct asl_noted *grown = px_arena_realloc(
            check->arena, check->noted, check->noted_cap * sizeof *grown, cap * sizeof *grown);
        if (!grown) {
            check->fault = px_arena_fault(check->arena);
            return NULL;
        }
        check->noted = grown;
        check->noted_cap = cap;
    }
    struct asl_noted *noted = &check->noted[check->noted_count];
    *noted = (struct asl_noted){.order = check->noted_count};
    return noted;
}

static void note(struct asl_check *check, struct px_str place, size_t offset, const char *code,
                 bool warning, const char *fmt, va_list args)
{
    char text[MESSAGE_BYTES_MAX];
    int n = vsnprintf(text, sizeof text, fmt, args);
    if (!warning) check->refused = true;
    struct asl_noted *noted = next_noted(check);
    if (!noted) return;
    struct px_str message = px_str(text, PX_MIN((size_t)PX_MAX(n, 0), sizeof text - 1));
    noted->offset = offset;
    noted->problem = (struct asl_problem){
        .code = code,
        .place = px_arena_dup(check->arena, place),
        .message = px_arena_dup(check->arena, message),
        .warning = warning,
    };
    if (!noted->problem.place.ptr || !noted->problem.message.ptr)
        check->fault = px_arena_fault(check->arena);
    else
        check->noted_count++;
}

static void note_at(struct asl_check *check, const struct asl_place *place, const char *code,
                    bool warning, const char *fmt, va_list args)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, PLACE_BYTES_MAX);
    add_place(&text, place);
    if (text.len == 0) px_buf_add_char(&text, '/');
    if (px_buf_fault(&text) == PX_F_OOM) check->fault = PX_F_OOM; /* a long place is cut */
    note(check, px_buf_str(&text), offset_of(check, place), code, warning, fmt, args);
}

void asl_problem(struct asl_check *check, const struct asl_place *place, const char *code,
                 const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    note_at(check, place, code, false, fmt, args);
    va_end(args);
}

void asl_warning(struct asl_check *check, const struct asl_place *place, const char *code,
                 const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    note_at(check, place, code, true, fmt, args);
    va_end(args);
}

void asl_text_problem(struct asl_check *check, const char *code, size_t offset, const char *fmt,
                      ...)
{
    va_list args;
    va_start(args, fmt);
    note(check, S("/"), offset, code, false, fmt, args);
    va_end(args);
}

static int by_offset(const void *left, const void *right)
{
    const struct asl_noted *a = left, *b = right;
    if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static void set_lines(const struct asl_check *check)
{
    size_t at = 0, line = 1, line_start = 0;
    for (size_t i = 0; i < check->noted_count; i++) {
        struct asl_noted *noted = &check->noted[i];
        if (noted->offset > check->text.len) continue;
        for (; at < noted->offset; at++) {
            if (check->text.ptr[at] != '\n') continue;
            line++;
            line_start = at + 1;
        }
        noted->problem.line = line;
        noted->problem.column = noted->offset - line_start + 1;
    }
}

int asl_problems_finish(struct asl_check *check, struct asl_problems *ret_problems)
{
    if (check->fault != 0) return px_fold(check->fault, __FILE__, __LINE__);
    struct asl_problem *list = asl_check_array(check, struct asl_problem, check->noted_count);
    if (!list) return px_fold(check->fault, __FILE__, __LINE__);
    if (check->noted_count > 1)
        qsort(check->noted, check->noted_count, sizeof *check->noted, by_offset);
    set_lines(check);
    for (size_t i = 0; i < check->noted_count; i++) list[i] = check->noted[i].problem;
    *ret_problems = (struct asl_problems){list, check->noted_count, check->noted_count};
    return 0;
}

/* ---- names ---- */

/* FNV-1a, mixed: a definition's author could shape names so that the tree leans, and a million bytes hold few enough of them
 * for that not to matter. */
static uint64_t hash_of(struct px_str text)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * 1099511628211u;
    hash ^= hash >> 32;
    return hash * 0x9e3779b97f4a7c15u;
}

bool asl_name_is_new(struct asl_check *check, struct asl_name **names, struct px_str name)
{
    uint64_t hash = hash_of(name);
    struct asl_name **at = names;
    while (*at) {
        if ((*at)->hash == hash && px_str_eq((*at)->text, name)) return false;
        at = hash < (*at)->hash ? &(*at)->left : &(*at)->right;
    }
    struct asl_name *fresh = asl_check_array(check, struct asl_name, 1);
    if (!fresh) return true;
    *fresh = (struct asl_name){.text = name, .hash = hash};
    *at = fresh;
    return true;
}

size_t asl_char_count(struct px_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}
