/* delivery/pipeline/definition_check.c - what each member of a pipeline may be, and where its variables go. */
#include <stdarg.h>
#include <stdio.h>

#include "base/px_json.h"
#include "delivery/pipeline/definition_overlay.h"

#define DAYS_30_S (INT64_C(30) * 86400)
#define TEXT_DEPTH_MAX 32

void definition_problem(struct reading *reading, struct px_str place, const char *fmt, ...)
{
    char what[512];
    va_list args;
    if (++reading->problem_count > DEFINITION_PROBLEMS_MAX) return;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    px_buf_printf(reading->problems, "%s: %.*s: %s\n", reading->file, PX_FMT(place), what);
}

struct px_str definition_place(struct reading *reading, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct px_str copy = px_arena_dup(reading->arena, px_str_c(text));
    if (!copy.ptr) reading->fault = px_arena_fault(reading->arena);
    return copy;
}

size_t definition_line_of(struct px_str text, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset && i < text.len; i++) line += text.ptr[i] == '\n';
    return line;
}

static bool is_listed(const char *const *known, struct px_str name)
{
    for (; *known; known++)
        if (px_str_eq(px_str_c(*known), name)) return true;
    return false;
}

static void list_names(const char *const *known, char *text, size_t bytes)
{
    size_t len = 0;
    text[0] = '\0';
    for (; *known && len < bytes; known++) {
        if (**known == '$') continue;
        int n = snprintf(text + len, bytes - len, "%s%s", len ? ", " : "", *known);
        len += n > 0 ? (size_t)n : 0;
    }
}

bool definition_check_members(struct reading *reading, yyjson_val *object, struct px_str place,
                              const char *const *known)
{
    size_t i, max;
    yyjson_val *key, *val;
    char names[256];
    if (!yyjson_is_obj(object)) {
        definition_problem(reading, place, "must be an object");
        return false;
    }
    list_names(known, names, sizeof names);
    yyjson_obj_foreach(object, i, max, key, val)
    {
        struct px_str name = px_json_val_str(key);
        if (!is_listed(known, name))
            definition_problem(reading, place, "unknown member '%.*s'; there are %s", PX_FMT(name),
                               names);
        else if (yyjson_obj_getn(object, name.ptr, name.len) != val)
            definition_problem(reading, place, "member '%.*s' stands there twice; leave one",
                               PX_FMT(name));
    }
    return true;
}

int64_t definition_number(struct reading *reading, yyjson_val *object, struct px_str place,
                          const struct definition_number *number)
{
    yyjson_val *val = yyjson_is_obj(object) ? yyjson_obj_get(object, number->name) : NULL;
    if (!val) return number->otherwise;
    if (!yyjson_is_int(val) || yyjson_get_sint(val) < number->min ||
        yyjson_get_sint(val) > number->max) {
        definition_problem(reading,
                           definition_place(reading, "%.*s.%s", PX_FMT(place), number->name),
                           "must be a whole number from %lld to %lld", (long long)number->min,
                           (long long)number->max);
        return number->otherwise;
    }
    return yyjson_get_sint(val);
}

/* ---- variables ---- */

struct variable {
    const char *name;
    size_t offset;
};
#define VARIABLE(field)                                                                            \
    {                                                                                              \
#field, offsetof(struct definition_values, field)                                          \
    }
static const struct variable variables[] = {
    VARIABLE(environment), VARIABLE(region),  VARIABLE(stage), VARIABLE(wave), VARIABLE(run),
    VARIABLE(run_dir),     VARIABLE(release), VARIABLE(place), VARIABLE(root)};
#undef VARIABLE

static const struct variable *variable_of(struct px_str name)
{
    for (size_t i = 0; i < PX_COUNT(variables); i++)
        if (px_str_eq(px_str_c(variables[i].name), name)) return &variables[i];
    return NULL;
}

/* The next "${name}" of *rest: what stands before it into ret_before. False: there is none, and ret_before is the rest. "$${" stands
 * for "${". */
static bool next_variable(struct px_str *rest, struct px_str *ret_before, struct px_str *ret_name)
{
    for (size_t i = 0; i + 1 < rest->len; i++) {
        if (rest->ptr[i] != '$' || rest->ptr[i + 1] != '{') continue;
        const char *end = memchr(rest->ptr + i, '}', rest->len - i);
        if (!end) break;
        bool escaped = i > 0 && rest->ptr[i - 1] == '$';
        size_t len = (size_t)(end - rest->ptr) - i - 2;
        *ret_before = px_str(rest->ptr, escaped ? i - 1 : i);
        *ret_name = escaped ? px_str(rest->ptr + i, len + 3) : px_str(rest->ptr + i + 2, len);
        *rest = px_str_skip(*rest, i + len + 3);
        return true;
    }
    *ret_before = *rest;
    return false;
}

static void check_variables(struct reading *reading, yyjson_val *val, struct px_str place,
                            unsigned depth)
{
    size_t i, max;
    yyjson_val *key, *member;
    struct px_str text = px_json_val_str(val), before, name;
    if (depth > TEXT_DEPTH_MAX) {
        definition_problem(reading, place, "is nested deeper than %d", TEXT_DEPTH_MAX);
        return;
    }
    while (text.len > 0 && next_variable(&text, &before, &name))
        if (!px_str_starts(name, S("${")) && !variable_of(name))
            definition_problem(reading, place,
                               "there is no variable '%.*s'; there are environment, region, stage, "
                               "wave, run, run_dir, release, place and root, and $${ is a plain ${",
                               PX_FMT(name));
    if (yyjson_is_arr(val))
        yyjson_arr_foreach(val, i, max, member) check_variables(reading, member, place, depth + 1);
    if (yyjson_is_obj(val))
        yyjson_obj_foreach(val, i, max, key, member)
            check_variables(reading, member, place, depth + 1);
}

static void fill_text(struct px_buf *buf, struct px_str text,
                      const struct definition_values *values)
{
    PX_AUTO(px_buf_deinit) struct px_buf filled;
    struct px_str before, name;
    px_buf_init(&filled, DEFINITION_BYTES_MAX);
    for (;;) {
        bool more = next_variable(&text, &before, &name);
        px_buf_add_str(&filled, before);
        if (!more) break;
        const struct variable *variable = variable_of(name);
        if (variable)
            px_buf_add_str(&filled,
                           *(const struct px_str *)((const char *)values + variable->offset));
        else
            px_buf_add_str(&filled, name);
    }
    if (px_buf_fault(&filled) != 0) buf->fault = px_buf_fault(&filled);
    px_buf_add_json_str(buf, px_buf_str(&filled));
}

static void fill(struct px_buf *buf, yyjson_val *val, const struct definition_values *values,
                 unsigned depth)
{
    size_t i, max;
    yyjson_val *key, *member;
    if (depth > TEXT_DEPTH_MAX) return; /* checked when it was read */
    if (yyjson_is_str(val)) {
        fill_text(buf, px_json_val_str(val), values);
    } else if (yyjson_is_arr(val)) {
        px_buf_add_char(buf, '[');
        yyjson_arr_foreach(val, i, max, member)
        {
            if (i > 0) px_buf_add_char(buf, ',');
            fill(buf, member, values, depth + 1);
        }
        px_buf_add_char(buf, ']');
    } else if (yyjson_is_obj(val)) {
        px_buf_add_char(buf, '{');
        yyjson_obj_foreach(val, i, max, key, member)
        {
            if (i > 0) px_buf_add_char(buf, ',');
            px_buf_add_json_str(buf, px_json_val_str(key));
            px_buf_add_char(buf, ':');
            fill(buf, member, values, depth + 1);
        }
        px_buf_add_char(buf, '}');
    } else {
        px_buf_add_json(buf, val);
    }
}

int definition_fill(yyjson_val *with, const struct definition_values *values,
                    struct px_arena *arena, yyjson_val **ret_with)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 4 * DEFINITION_BYTES_MAX);
    if (with)
        fill(&buf, with, values, 0);
    else
        px_buf_add_c(&buf, "{}");
    PX_TRY(px_buf_fault(&buf));
    PX_TRY(px_json_parse(px_buf_str(&buf), arena, ret_with, NULL));
    return 0;
}

/* ---- parameters ---- */

static bool is_choice(const char *choices, struct px_str text)
{
    struct px_str rest = px_str_c(choices), word;
    for (bool more = true; more;) {
        more = px_str_cut(&rest, ' ', &word);
        if (px_str_eq(word, text)) return true;
    }
    return false;
}

static void check_texts(struct reading *reading, const struct action_field *field, yyjson_val *val,
                        struct px_str place)
{
    size_t i, max;
    yyjson_val *member;
    size_t least = field->max ? (size_t)field->min : 0,
           most = field->max ? (size_t)field->max : 1000;
    if (!yyjson_is_arr(val) || yyjson_arr_size(val) < least || yyjson_arr_size(val) > most) {
        definition_problem(reading, place, "must be an array of %zu to %zu texts", least, most);
        return;
    }
    yyjson_arr_foreach(val, i, max,
                       member) if (!yyjson_is_str(member) ||
                                   strlen(yyjson_get_str(member)) != yyjson_get_len(member))
        definition_problem(reading, definition_place(reading, "%.*s[%zu]", PX_FMT(place), i),
                           "must be a text without a zero character");
}

static void check_field(struct reading *reading, const struct action_field *field, yyjson_val *val,
                        struct px_str place)
{
    struct px_str text = px_json_val_str(val);
    int64_t max = field->max || field->min ? field->max : INT64_MAX;
    switch (field->kind) {
    case ACTION_TEXT:
        if (text.len == 0 || strlen(text.ptr) != text.len)
            definition_problem(reading, place, "must be a text that is not empty");
        break;
    case ACTION_STEP:
        if (!definition_name_is_ok(text))
            definition_problem(reading, place, "must be the name of a step");
        break;
    case ACTION_TEXTS: check_texts(reading, field, val, place); break;
    case ACTION_NUMBER:
        if (!yyjson_is_int(val) ||
            (yyjson_is_uint(val) && yyjson_get_uint(val) > (uint64_t)INT64_MAX) ||
            yyjson_get_sint(val) < field->min || yyjson_get_sint(val) > max)
            definition_problem(reading, place, "must be a whole number from %lld to %lld",
                               (long long)field->min, (long long)max);
        break;
    case ACTION_BOOL:
        if (!yyjson_is_bool(val)) definition_problem(reading, place, "must be true or false");
        break;
    case ACTION_OBJECT:
        if (!yyjson_is_obj(val) && !yyjson_is_arr(val))
            definition_problem(reading, place, "must be an object or an array");
        break;
    case ACTION_CHOICE:
        if (text.len == 0 || !is_choice(field->choices, text))
            definition_problem(reading, place, "must be one of: %s", field->choices);
        break;
    }
}

void definition_check_with(struct reading *reading, const struct action *action, yyjson_val *with,
                           struct px_str place)
{
    const char *known[33];
    size_t count = 0;
    PX_ASSERT(action->field_count < PX_COUNT(known));
    for (; count < action->field_count; count++) known[count] = action->fields[count].name;
    known[count] = NULL;
    if (with && !definition_check_members(reading, with, place, known)) return;
    for (size_t i = 0; i < action->field_count; i++) {
        const struct action_field *field = &action->fields[i];
        yyjson_val *val = with ? yyjson_obj_get(with, field->name) : NULL;
        struct px_str at = definition_place(reading, "%.*s.%s", PX_FMT(place), field->name);
        if (val)
            check_field(reading, field, val, at);
        else if (field->required)
            definition_problem(reading, at, "is missing; action '%s' needs it", action->name);
        if (val) check_variables(reading, val, at, 0);
    }
}

/* ---- an action ---- */

static void list_actions(const struct action_table *table, char *text, size_t bytes)
{
    size_t len = 0;
    text[0] = '\0';
    for (const struct action *const *action = table->actions; *action && len < bytes; action++) {
        int n = snprintf(text + len, bytes - len, "%s%s", len ? ", " : "", (*action)->name);
        len += n > 0 ? (size_t)n : 0;
    }
}

void definition_read_act(struct reading *reading, yyjson_val *object, struct px_str place,
                         struct px_str path, const char *const *known, struct definition_act *act)
{
    const struct definition_number timeout = {"timeout_s", 1, DAYS_30_S, reading->timeout_s},
                                   attempts = {"attempts", 1, 10, reading->attempts},
                                   pause = {"pause_s", 0, 3600, reading->pause_s};
    struct px_str name = px_json_str(object, "action");
    char names[256];
    if (!definition_check_members(reading, object, place, known)) return;
    act->with = yyjson_obj_get(object, "with");
    act->timeout_s = definition_number(reading, object, place, &timeout);
    act->attempts = definition_number(reading, object, place, &attempts);
    act->pause_s = definition_number(reading, object, place, &pause);
    act->action = action_find(reading->actions, name);
    act->with = definition_overlay_with(reading, path, act->action, act->with);
    if (act->action) {
        definition_check_with(reading, act->action, act->with,
                              definition_place(reading, "%.*s.with", PX_FMT(place)));
        return;
    }
    list_actions(reading->actions, names, sizeof names);
    definition_problem(reading, definition_place(reading, "%.*s.action", PX_FMT(place)),
                       "there is no action '%.*s'; there are %s", PX_FMT(name), names);
}
