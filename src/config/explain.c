/* config/explain.c - see explain.h. */
#include "config/explain.h"

#include "base/px_words.h"

#define NAMES_MAX 256u

/* ---- keys ---- */

static bool is_settings_key(struct px_str region_part)
{
    return px_str_starts(region_part, S("settings.")) ||
           px_str_starts(region_part, S("parameters."));
}

static struct px_str variable_key(const struct config *config, struct px_str variable,
                                  struct px_arena *arena)
{
    size_t i, n, k, m;
    yyjson_val *field, *spec, *name, *says;
    px_json_obj_foreach(config_schema_functions(config->schema), i, n, field, spec)
    {
        struct px_str function = px_json_val_str(field);
        px_json_obj_foreach(config_schema_settings(config->schema, function), k, m, name, says)
        {
            if (px_str_eq(config_variable(config->schema, arena, function, px_json_val_str(name)),
                          variable))
                return px_arena_printf(arena, "settings.%.*s.%.*s", PX_FMT(function),
                                       PX_FMT(px_json_val_str(name)));
        }
    }
    px_json_obj_foreach(config_schema_settings(config->schema, S("common")), k, m, name, says)
    {
        if (px_str_eq(config_variable(config->schema, arena, S("common"), px_json_val_str(name)),
                      variable))
            return px_arena_printf(arena, "settings.common.%.*s", PX_FMT(px_json_val_str(name)));
    }
    return variable;
}

static struct px_str part_meant(const struct config *config, struct px_str text,
                                struct px_arena *arena)
{
    struct px_str function, name = text;
    if (px_str_starts(text, S("PRISM_"))) return variable_key(config, text, arena);
    if (px_str_cut(&name, '/', &function))
        return px_arena_printf(arena, "parameters.%.*s.%.*s", PX_FMT(function), PX_FMT(name));
    return text;
}

int config_keys_meant(const struct config *config, struct px_str text, struct px_str region,
                      struct px_arena *arena, struct px_str **ret_keys, size_t *ret_count)
{
    struct px_str first, rest = text, *regions = NULL;
    size_t count = 0, at = 0;
    (void)px_str_cut(&rest, '.', &first);
    bool whole = px_str_eq(first, S("global")) || px_str_eq(first, S("regions")) ||
                 px_str_eq(first, S("environment"));
    PX_TRY(config_regions(config, arena, &regions, &count));
    struct px_str *keys = px_arena_array(arena, struct px_str, count + 1),
                  part = part_meant(config, text, arena);
    if (!keys || !part.ptr) return px_arena_fault(arena);
    if (whole) keys[at++] = text;
    for (size_t i = 0; i < count && !whole; i++)
        if (region.len == 0 || px_str_eq(region, regions[i]))
            keys[at++] = px_arena_printf(arena, "regions.%.*s.%.*s", PX_FMT(regions[i]),
                                         PX_FMT(part));
    if (px_arena_full(arena)) return px_arena_fault(arena);
    *ret_keys = keys;
    *ret_count = at;
    return 0;
}

/* ---- one key ---- */

struct names {
    const char *at[NAMES_MAX];
    size_t count;
};

static const char *nearest(struct px_arena *arena, const struct config_type *type,
                           struct px_str name)
{
    struct names names = {0};
    for (size_t i = 0; type && i < type->count && names.count < NAMES_MAX; i++) {
        const char *text = px_arena_cstr(arena, type->members[i].name);
        if (text) names.at[names.count++] = text;
    }
    return px_words_nearest(name, names.at, names.count);
}

static int explain_variable(const struct config_type *type, struct px_str path, bool global,
                            struct px_arena *arena, struct config_explained *of,
                            const char **ret_near)
{
    struct px_str name, first = {0};
    bool more = true;
    of->type = type;
    while (more) {
        more = px_str_cut(&path, '.', &name);
        if (first.len == 0) first = name;
        const struct config_member *member = config_type_member(of->type, name);
        if (of->type->kind == TYPE_OBJECT && !member) {
            *ret_near = nearest(arena, of->type, name);
            return CONFIG_NO_KEY;
        }
        if (!member && !of->type->of) return CONFIG_NO_KEY;
        of->type = member ? member->type : of->type->of;
        of->otherwise = member ? member->otherwise : NULL;
        if (member && member->about.len > 0) of->about = member->about;
    }
    of->declared = global ? S("infra/global/variables.tf") : S("infra/region/variables.tf");
    of->goes = px_arena_printf(arena, "variable %.*s of infra/%s", PX_FMT(first),
                               global ? "global" : "region");
    return 0;
}

static int explain_setting(const struct config *config, struct px_str path, struct px_arena *arena,
                           struct config_explained *of)
{
    struct px_str what, function, name = path;
    (void)px_str_cut(&name, '.', &what);
    (void)px_str_cut(&name, '.', &function);
    yyjson_val *says = config_schema_setting(config->schema, function, name);
    bool known = px_str_eq(function, S("common")) ||
                 config_schema_function(config->schema, function);
    if (!says || !known) return CONFIG_NO_KEY;
    struct px_str variable = config_variable(config->schema, arena, function, name);
    yyjson_val *environment = px_json_obj(config_schema_function(config->schema, function),
                                          "environment");
    yyjson_val *standard = environment ? yyjson_obj_getn(environment, variable.ptr, variable.len)
                                       : NULL;
    of->limit = says;
    of->about = px_json_str(says, "about");
    of->declared = S("platform/config.json");
    of->otherwise_text = px_json_val_str(standard);
    if (!standard && yyjson_obj_get(says, "default")) {
        PX_AUTO(px_buf_deinit) struct px_buf text;
        px_buf_init(&text, 256);
        px_buf_add_json(&text, yyjson_obj_get(says, "default"));
        of->otherwise_text = px_arena_dup(arena, px_buf_str(&text));
    }
    bool common = px_str_eq(function, S("common"));
    if (px_str_eq(what, S("parameters")))
        of->goes = px_arena_printf(arena, "parameter config/%.*s%s%.*s of SSM",
                                   PX_FMT(common ? S("") : function), common ? "" : "/",
                                   PX_FMT(name));
    else
        of->goes = px_arena_printf(arena, "%.*s in the environment of %.*s", PX_FMT(variable),
                                   PX_FMT(common ? S("every function") : function));
    return 0;
}

int config_explain(const struct config *config, struct px_str key, struct px_arena *arena,
                   struct config_explained *ret_explained, const char **ret_near)
{
    struct config_explained of = {.key = key};
    struct px_str first, region, rest = key;
    int r = CONFIG_NO_KEY;
    *ret_near = NULL;
    (void)px_str_cut(&rest, '.', &first);
    const char *path = px_arena_cstr(arena, key);
    if (!path) return px_arena_fault(arena);
    const struct config_limit *limit = config_schema_limit(config->schema, key);
    of.node = config_at(config->tree.root, path);
    of.limit = limit ? limit->says : NULL;
    if (px_str_eq(first, S("global")) && rest.len > 0 && !config_is_local(config)) {
        r = explain_variable(config_schema_stack(config->schema, true), rest, true, arena, &of,
                             ret_near);
        of.goes_file = S("global.tfvars.json");
    } else if (px_str_eq(first, S("regions")) && px_str_cut(&rest, '.', &region)) {
        bool setting = is_settings_key(rest);
        if (setting) r = explain_setting(config, rest, arena, &of);
        if (!setting && !config_is_local(config))
            r = explain_variable(config_schema_stack(config->schema, false), rest, false, arena,
                                 &of, ret_near);
        if (!config_is_local(config))
            of.goes_file = px_arena_printf(arena, "%.*s.tfvars.json", PX_FMT(region));
    }
    if (r != 0) return r;
    if (px_arena_full(arena)) return px_arena_fault(arena);
    *ret_explained = of;
    return 0;
}

/* ---- JSON ---- */

static void write_place(struct px_buf *to, struct config_place place)
{
    px_buf_add_c(to, "{\"file\":");
    px_buf_add_json_str(to, place.file);
    px_buf_printf(to, ",\"line\":%u,\"column\":%u}", place.line, place.column);
}

static void text_field(struct px_buf *to, const char *name, struct px_str text)
{
    px_buf_printf(to, ",\"%s\":", name);
    if (text.len > 0)
        px_buf_add_json_str(to, text);
    else
        px_buf_add_c(to, "null");
}

void config_explained_json(struct px_buf *to, const struct config *config,
                           const struct config_explained *of)
{
    size_t i, n;
    yyjson_val *place, *over = yyjson_obj_get(of->node, "over");
    px_buf_add_c(to, "{\"environment\":");
    px_buf_add_json_str(to, config->name);
    text_field(to, "key", of->key);
    px_buf_printf(to, ",\"set\":%s,\"value\":", of->node ? "true" : "false");
    config_write_json(to, of->node);
    px_buf_add_c(to, ",\"at\":");
    if (of->node)
        write_place(to, config_place_at(&config->tree, yyjson_obj_get(of->node, "at")));
    else
        px_buf_add_c(to, "null");
    px_buf_add_c(to, ",\"from\":");
    if (of->node)
        write_place(to, config_place_of(&config->tree, of->node));
    else
        px_buf_add_c(to, "null");
    px_buf_add_c(to, ",\"over\":[");
    px_json_arr_foreach(over, i, n, place)
    {
        if (i > 0) px_buf_add_char(to, ',');
        write_place(to, config_place_at(&config->tree, place));
    }
    px_buf_add_c(to, "],\"default\":");
    if (of->otherwise)
        value_write_json(to, of->otherwise);
    else if (of->otherwise_text.len > 0)
        px_buf_add_str(to, of->otherwise_text);
    else
        px_buf_add_c(to, "null");
    text_field(to, "about", of->about);
    text_field(to, "declared", of->declared);
    text_field(to, "goes", of->goes);
    text_field(to, "file", of->goes_file);
    px_buf_add_c(to, ",\"limit\":");
    if (of->limit)
        px_buf_add_json(to, of->limit);
    else
        px_buf_add_c(to, "null");
    px_buf_add_char(to, '}');
}
