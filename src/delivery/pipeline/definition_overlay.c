/* delivery/pipeline/definition_overlay.c - see definition_overlay.h. */
#include "delivery/pipeline/definition_overlay.h"

#include "base/px_file.h"
#include "base/px_json.h"

#define PARTS_MAX 64 /* of `skip`, and of `steps`: one bit each says that it was used */

static yyjson_val *part_of(const struct reading *reading, const char *name)
{
    return reading->overlay ? yyjson_obj_get(reading->overlay, name) : NULL;
}

/* ---- its members ---- */

static void check_skip(struct reading *reading, yyjson_val *skip)
{
    size_t i, max;
    yyjson_val *val;
    if (!skip) return;
    if (!yyjson_is_arr(skip) || yyjson_arr_size(skip) > PARTS_MAX) {
        definition_problem(reading, S("overlay.skip"),
                           "must be an array of at most %d paths of stages and steps", PARTS_MAX);
        return;
    }
    yyjson_arr_foreach(skip, i, max, val) if (px_json_val_str(val).len == 0)
        definition_problem(reading, definition_place(reading, "overlay.skip[%zu]", i),
                           "must be the path of a stage or a step");
}

static void check_parameters(struct reading *reading, const char *name)
{
    size_t i, max;
    yyjson_val *key, *val, *part = part_of(reading, name);
    if (!part) return;
    if (!yyjson_is_obj(part) || yyjson_obj_size(part) > PARTS_MAX) {
        definition_problem(reading, definition_place(reading, "overlay.%s", name),
                           "must be an object with at most %d members", PARTS_MAX);
        return;
    }
    yyjson_obj_foreach(part, i, max, key, val) if (!yyjson_is_obj(val)) definition_problem(
        reading, definition_place(reading, "overlay.%s.%s", name, yyjson_get_str(key)),
        "must be an object of parameters; null takes one away");
}

static void check_actions(struct reading *reading)
{
    size_t i, max;
    yyjson_val *key, *val, *actions = part_of(reading, "actions");
    if (!yyjson_is_obj(actions)) return;
    yyjson_obj_foreach(actions, i, max, key, val)
    {
        struct px_str name = px_json_val_str(key);
        const struct action *action = action_find(reading->actions, name);
        struct px_str place = definition_place(reading, "overlay.actions.%.*s", PX_FMT(name));
        if (!action)
            definition_problem(reading, place, "there is no action '%.*s'", PX_FMT(name));
        else if (action->is_fixed)
            definition_problem(reading, place, "an overlay cannot change what '%.*s' is given",
                               PX_FMT(name));
    }
}

void definition_overlay_check(struct reading *reading)
{
    static const char *const known[] = {"why", "skip", "actions", "steps", "$comment", NULL};
    if (!reading->overlay) return;
    if (!definition_check_members(reading, reading->overlay, S("overlay"), known)) {
        reading->overlay = NULL;
        return;
    }
    if (px_json_str(reading->overlay, "why").len == 0)
        definition_problem(reading, S("overlay.why"),
                           "must say why this run is otherwise; it is for the audit log");
    check_skip(reading, part_of(reading, "skip"));
    check_parameters(reading, "actions");
    check_parameters(reading, "steps");
    check_actions(reading);
    reading->definition->overlay = reading->overlay;
}

/* ---- steps ---- */

static bool is_below(struct px_str path, struct px_str part)
{
    return px_str_eq(path, part) ||
           (path.len > part.len && px_str_starts(path, part) && path.ptr[part.len] == '/');
}

bool definition_overlay_skips(struct reading *reading, struct px_str path, struct px_str place,
                              const struct action *action)
{
    size_t i, max;
    yyjson_val *val, *skip = part_of(reading, "skip");
    bool found = false;
    if (!yyjson_is_arr(skip)) return false;
    yyjson_arr_foreach(skip, i, max, val)
    {
        struct px_str part = px_json_val_str(val);
        if (i >= PARTS_MAX || part.len == 0 || !is_below(path, part)) continue;
        reading->overlay_skipped |= UINT64_C(1) << i;
        found = true;
    }
    const struct definition *d = reading->definition;
    bool touches = d->stages[d->stage_count - 1].environment;
    if (found && action && (touches || !action->can_be_skipped))
        definition_problem(reading, place,
                           "the overlay leaves %.*s out; it may leave out commands and the making "
                           "of the release, in stages without an environment",
                           PX_FMT(path));
    return found;
}

static void write_over(struct px_buf *buf, yyjson_val *under, yyjson_val *over, bool *first)
{
    size_t i, max;
    yyjson_val *key, *val;
    if (!yyjson_is_obj(under)) return;
    yyjson_obj_foreach(under, i, max, key, val)
    {
        if (yyjson_is_null(val)) continue;
        if (over && yyjson_obj_getn(over, yyjson_get_str(key), yyjson_get_len(key))) continue;
        px_buf_add_char(buf, *first ? '{' : ',');
        px_buf_add_json(buf, key);
        px_buf_add_char(buf, ':');
        px_buf_add_json(buf, val);
        *first = false;
    }
}

static yyjson_val *merge(struct reading *reading, yyjson_val *with, yyjson_val *patch)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf = {0};
    yyjson_val *merged = with;
    bool first = true;
    if (!yyjson_is_obj(patch) || (with && !yyjson_is_obj(with))) return with;
    px_buf_init(&buf, 2 * DEFINITION_BYTES_MAX);
    write_over(&buf, with, patch, &first);
    write_over(&buf, patch, NULL, &first);
    px_buf_add_c(&buf, first ? "{}" : "}");
    int r = px_buf_fault(&buf);
    if (r == 0) r = px_json_parse(px_buf_str(&buf), reading->arena, &merged, NULL);
    if (r != 0) reading->fault = r < 0 ? r : px_fault(PX_F_CORRUPT, "parameters that were joined");
    return r == 0 ? merged : with;
}

yyjson_val *definition_overlay_with(struct reading *reading, struct px_str path,
                                    const struct action *action, yyjson_val *with)
{
    size_t i, max;
    yyjson_val *key, *val, *steps = part_of(reading, "steps"),
                           *actions = part_of(reading, "actions");
    if (!action) return with;
    if (yyjson_is_obj(actions)) with = merge(reading, with, yyjson_obj_get(actions, action->name));
    if (!yyjson_is_obj(steps)) return with;
    yyjson_obj_foreach(steps, i, max, key, val)
    {
        if (i >= PARTS_MAX || !px_str_eq(px_json_val_str(key), path)) continue;
        reading->overlay_used |= UINT64_C(1) << i;
        if (action->is_fixed)
            definition_problem(reading,
                               definition_place(reading, "overlay.steps.%.*s", PX_FMT(path)),
                               "an overlay cannot change what '%s' is given", action->name);
        else
            with = merge(reading, with, val);
    }
    return with;
}

void definition_overlay_check_used(struct reading *reading)
{
    size_t i, max;
    yyjson_val *key, *val, *skip = part_of(reading, "skip"), *steps = part_of(reading, "steps");
    if (yyjson_is_arr(skip))
        yyjson_arr_foreach(skip, i, max,
                           val) if (i < PARTS_MAX && !(reading->overlay_skipped >> i & 1))
            definition_problem(reading, definition_place(reading, "overlay.skip[%zu]", i),
                               "there is no stage or step '%.*s'", PX_FMT(px_json_val_str(val)));
    if (yyjson_is_obj(steps))
        yyjson_obj_foreach(steps, i, max, key,
                           val) if (i < PARTS_MAX && !(reading->overlay_used >> i & 1))
            definition_problem(reading, S("overlay.steps"), "there is no step '%.*s'",
                               PX_FMT(px_json_val_str(key)));
}

/* ---- the file ---- */

static int read_file(const char *path, size_t bytes_max, struct px_buf *problems,
                     struct px_buf *ret_text)
{
    px_buf_deinit(ret_text);
    px_buf_init(ret_text, bytes_max);
    int r = px_file_read(path, ret_text);
    if (r == PX_FILE_ABSENT) px_buf_printf(problems, "%s does not exist\n", path);
    if (r == PX_FILE_TOO_LARGE)
        px_buf_printf(problems, "%s is larger than %zu bytes\n", path, bytes_max);
    return r > 0 ? DEFINITION_INVALID : r;
}

static int join(struct px_str pipeline, const char *path, struct px_arena *arena,
                struct px_buf *problems, struct px_buf *ret_text)
{
    PX_AUTO(px_buf_deinit) struct px_buf overlay = {0};
    yyjson_val *under = NULL, *over = NULL;
    struct px_where where = {0};
    bool first = false;
    int r = read_file(path, OVERLAY_BYTES_MAX, problems, &overlay);
    if (r != 0) return r;
    r = px_json_parse(px_buf_str(&overlay), arena, &over, &where);
    if (r == PX_JSON_INVALID) {
        px_buf_printf(problems, "%s:%zu: no JSON: %s\n", path,
                      definition_line_of(px_buf_str(&overlay), where.offset), where.expected);
        return DEFINITION_INVALID;
    }
    PX_TRY(r);
    PX_TRY(px_json_parse(pipeline, arena, &under, NULL)); /* it was read before */
    px_buf_add_c(ret_text, "{\"overlay\":");
    px_buf_add_json(ret_text, over);
    write_over(ret_text, under, NULL, &first);
    px_buf_add_c(ret_text, "}\n");
    return px_buf_fault(ret_text);
}

int definition_load(const char *file, const char *overlay, const struct action_table *actions,
                    struct px_arena *arena, struct px_buf *problems, struct px_buf *ret_text,
                    struct definition *ret_definition)
{
    PX_AUTO(px_buf_deinit) struct px_buf joined;
    px_buf_init(&joined, DEFINITION_BYTES_MAX);
    int r = read_file(file, DEFINITION_BYTES_MAX, problems, ret_text);
    if (r == 0)
        r = definition_read(px_buf_str(ret_text), file, actions, arena, problems, ret_definition);
    if (r != 0 || !overlay) return r;
    r = join(px_buf_str(ret_text), overlay, arena, problems, &joined);
    if (r != 0) return r;
    struct px_str both = px_arena_printf(arena, "%s with %s", file, overlay);
    if (!both.ptr) return px_arena_fault(arena);
    r = definition_read(px_buf_str(&joined), both.ptr, actions, arena, problems, ret_definition);
    if (r != 0) return r;
    px_buf_clear(ret_text);
    px_buf_add_str(ret_text, px_buf_str(&joined));
    return px_buf_fault(ret_text);
}
