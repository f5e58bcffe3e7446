/* config/render.c - what Terraform, functions and parameters get of an environment: see config.h. */
#include <stdio.h>

#include "config/config.h"

struct writer {
    const struct config *config;
    struct px_buf *to;
    unsigned depth;
    bool first;
    bool as_one; /* settings and parameters together */
};

static void line(struct writer *w)
{
    if (!w->first) px_buf_add_char(w->to, ',');
    w->first = false;
    px_buf_add_char(w->to, '\n');
    for (unsigned i = 0; i < w->depth; i++) px_buf_add_c(w->to, "  ");
}

static void name(struct writer *w, struct px_str text)
{
    line(w);
    px_buf_add_json_str(w->to, text);
    px_buf_add_c(w->to, ": ");
}

static void begin(struct writer *w, char bracket)
{
    px_buf_add_char(w->to, bracket);
    w->depth++;
    w->first = true;
}

static void end(struct writer *w, char bracket)
{
    w->depth--;
    if (!w->first) {
        w->first = true;
        line(w);
    }
    px_buf_add_char(w->to, bracket);
    w->first = false;
}

static void value(struct writer *w, yyjson_val *node)
{
    size_t i, n;
    yyjson_val *field, *part;
    if (config_fields(node)) {
        begin(w, '{');
        yyjson_obj_foreach(config_fields(node), i, n, field, part)
        {
            name(w, px_json_val_str(field));
            value(w, part);
        }
        end(w, '}');
    } else if (config_items(node)) {
        begin(w, '[');
        yyjson_arr_foreach(config_items(node), i, n, part)
        {
            line(w);
            value(w, part);
        }
        end(w, ']');
    } else {
        config_write_json(w->to, node);
    }
}

/* A setting as functions and SSM take it: a text. */
static void text_of(struct writer *w, yyjson_val *node)
{
    yyjson_val *plain = config_value(node);
    if (yyjson_is_str(plain)) {
        px_buf_add_json_str(w->to, px_json_val_str(plain));
        return;
    }
    px_buf_add_char(w->to, '"');
    if (yyjson_is_num(plain) && yyjson_get_num(plain) == (double)(int64_t)yyjson_get_num(plain))
        px_buf_printf(w->to, "%lld", (long long)yyjson_get_num(plain));
    else
        px_buf_add_json(w->to, plain);
    px_buf_add_char(w->to, '"');
}

static void entry(struct writer *w, struct px_str key, struct px_str text)
{
    name(w, key);
    px_buf_add_json_str(w->to, text);
}

/* ---- settings ---- */

#define LAYERS 4

/* What an environment says of one function; a later layer wins. Of a machine, which has no SSM, the parameters are the last. */
static void layers_of(struct writer *w, yyjson_val *region, struct px_str function,
                      yyjson_val *layers[LAYERS])
{
    yyjson_val *settings = config_field(region, S("settings"));
    yyjson_val *live = w->as_one ? config_field(region, S("parameters")) : NULL;
    layers[0] = config_field(settings, S("common"));
    layers[1] = config_field(settings, function);
    layers[2] = config_field(live, S("common"));
    layers[3] = config_field(live, function);
}

static bool is_covered(yyjson_val *const layers[LAYERS], size_t from, struct px_str key)
{
    for (size_t i = from; i < LAYERS; i++)
        if (config_field(layers[i], key)) return true;
    return false;
}

static void overrides(struct writer *w, yyjson_val *region, struct px_str function)
{
    size_t i, n;
    yyjson_val *field, *part, *layers[LAYERS];
    layers_of(w, region, function, layers);
    for (size_t l = 0; l < LAYERS; l++) {
        px_json_obj_foreach(config_fields(layers[l]), i, n, field, part)
        {
            if (is_covered(layers, l + 1, px_json_val_str(field))) continue;
            name(w, config_variable(w->config->schema, w->config->arena, function,
                                    px_json_val_str(field)));
            text_of(w, part);
        }
    }
}

/* By function, what is over functions.json: variable `settings` of infra/region. */
static void settings_by_function(struct writer *w, yyjson_val *region)
{
    yyjson_val *settings = config_field(region, S("settings"));
    size_t i, n;
    yyjson_val *field, *spec;
    bool common = yyjson_obj_size(config_fields(config_field(settings, S("common")))) > 0;
    begin(w, '{');
    px_json_obj_foreach(config_schema_functions(w->config->schema), i, n, field, spec)
    {
        if (!common && !config_field(settings, px_json_val_str(field))) continue;
        name(w, px_json_val_str(field));
        begin(w, '{');
        overrides(w, region, px_json_val_str(field));
        end(w, '}');
    }
    end(w, '}');
}

static bool overridden(struct writer *w, yyjson_val *region, struct px_str function,
                       struct px_str variable)
{
    size_t i, n;
    yyjson_val *field, *part, *layers[LAYERS];
    layers_of(w, region, function, layers);
    for (size_t l = 0; l < LAYERS; l++) {
        px_json_obj_foreach(config_fields(layers[l]), i, n, field, part)
        {
            struct px_str own = config_variable(w->config->schema, w->config->arena, function,
                                                px_json_val_str(field));
            if (px_str_eq(own, variable)) return true;
        }
    }
    return false;
}

/* By function, all of its settings. */
static void environment(struct writer *w, yyjson_val *region)
{
    size_t i, n, k, m;
    yyjson_val *field, *spec, *variable, *text;
    begin(w, '{');
    px_json_obj_foreach(config_schema_functions(w->config->schema), i, n, field, spec)
    {
        struct px_str function = px_json_val_str(field);
        name(w, function);
        begin(w, '{');
        px_json_obj_foreach(px_json_obj(spec, "environment"), k, m, variable, text)
        {
            if (!overridden(w, region, function, px_json_val_str(variable)))
                entry(w, px_json_val_str(variable), px_json_val_str(text));
        }
        overrides(w, region, function);
        end(w, '}');
    }
    end(w, '}');
}

/* "query/timeout_ms", and "log_level" for all. */
static void parameters(struct writer *w, yyjson_val *all)
{
    size_t i, n, k, m;
    yyjson_val *field, *function, *setting, *part;
    begin(w, '{');
    px_json_obj_foreach(config_fields(all), i, n, field, function)
    {
        struct px_str of = px_json_val_str(field);
        bool common = px_str_eq(of, S("common"));
        px_json_obj_foreach(config_fields(function), k, m, setting, part)
        {
            struct px_str own = px_json_val_str(setting);
            name(w, common
                        ? own
                        : px_arena_printf(w->config->arena, "%.*s/%.*s", PX_FMT(of), PX_FMT(own)));
            text_of(w, part);
        }
    }
    end(w, '}');
}

/* ---- outputs ---- */

static void stack(struct writer *w, yyjson_val *node, struct px_str region)
{
    size_t i, n;
    yyjson_val *field, *part;
    begin(w, '{');
    entry(w, S("environment"), w->config->name);
    if (region.len > 0) entry(w, S("region"), region);
    px_json_obj_foreach(config_fields(node), i, n, field, part)
    {
        struct px_str key = px_json_val_str(field);
        name(w, key);
        if (region.len > 0 && px_str_eq(key, S("settings")))
            settings_by_function(w, node);
        else if (region.len > 0 && px_str_eq(key, S("parameters")))
            parameters(w, part);
        else
            value(w, part);
    }
    end(w, '}');
}

int config_render(const struct config *config, enum config_output output, struct px_str region,
                  struct px_buf *to)
{
    struct writer w = {.config = config,
                       .to = to,
                       .first = true,
                       .as_one = config_is_local(config) || output == CONFIG_MACHINE};
    yyjson_val *root = config->tree.root,
               *node = config_field(config_field(root, S("regions")), region);
    bool global = output == CONFIG_TFVARS && px_str_eq(region, S("global")) &&
                  !config_is_local(config);
    if (output != CONFIG_JSON && !global && !node) return CONFIG_NO_ENVIRONMENT;
    switch (output) {
    case CONFIG_TFVARS:
        stack(&w, global ? config_field(root, S("global")) : node, global ? S("") : region);
        break;
    case CONFIG_ENVIRONMENT:
    case CONFIG_MACHINE: environment(&w, node); break;
    case CONFIG_PARAMETERS: parameters(&w, config_field(node, S("parameters"))); break;
    case CONFIG_JSON: value(&w, root); break;
    }
    px_buf_add_char(to, '\n');
    PX_TRY(px_buf_fault(to));
    return px_arena_full(config->arena) ? px_arena_fault(config->arena) : 0;
}
