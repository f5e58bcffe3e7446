/* cli/config_explain.c - `prism config explain`: a value, where it was written, what it hides, and where it goes. */
#include "cli/config.h"
#include "cli/glyph.h"
#include "config/explain.h"

struct explain_values {
    struct config_places places;
    const char *environment;
};
static const struct cli_option options[] = {
    {"environment", 'e', CLI_TEXT, offsetof(struct explain_values, environment), "NAME",
     "only this one (default all)", NULL, 0, 0},
    CONFIG_PLACE_OPTIONS(struct explain_values),
};

struct explain {
    struct cli *cli;
    struct px_str text;
    struct px_buf *out;
    size_t said;
    const char *near;
};

static void line(struct explain *e, const char *name, struct px_str text)
{
    px_buf_printf(e->out, "  %-9s ", name);
    glyph_add(e->out, text, false);
    px_buf_add_char(e->out, '\n');
}

static struct px_str place_text(struct explain *e, struct config_place place)
{
    return px_arena_printf(&e->cli->arena, "%.*s:%u:%u", PX_FMT(place.file), place.line,
                           place.column);
}

static struct px_str default_text(struct explain *e, const struct config_explained *of)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 1u << 16);
    if (of->otherwise)
        value_write_json(&text, of->otherwise);
    else
        px_buf_add_str(&text, of->otherwise_text);
    return px_arena_dup(&e->cli->arena, px_buf_str(&text));
}

/* "a number, 1 to 256, in steps of 0.5" */
static struct px_str range_text(struct explain *e, const struct config_explained *of)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    yyjson_val *min = yyjson_obj_get(of->limit, "min"), *max = yyjson_obj_get(of->limit, "max"),
               *values = px_json_arr(of->limit, "values");
    bool word = px_str_eq(px_json_str(of->limit, "type"), S("text"));
    px_buf_init(&text, 1u << 16);
    px_buf_add_c(&text, of->type ? config_type_name(of->type) : word ? "a text" : "a number");
    if (min) px_buf_printf(&text, ", %.15g", yyjson_get_num(min));
    if (max) px_buf_printf(&text, " to %.15g", yyjson_get_num(max));
    if (min && !max) px_buf_add_c(&text, " or more");
    if (px_json_f64(of->limit, "step", 1) != 1)
        px_buf_printf(&text, ", in steps of %.15g", px_json_f64(of->limit, "step", 1));
    if (values) px_buf_add_c(&text, ", one of ");
    if (values) px_buf_add_json(&text, values);
    if (!values && px_json_str(of->limit, "remedy").len > 0)
        px_buf_printf(&text, "; %.*s", PX_FMT(px_json_str(of->limit, "remedy")));
    return px_arena_dup(&e->cli->arena, px_buf_str(&text));
}

static void say_places(struct explain *e, const struct config *config, yyjson_val *node)
{
    size_t i, n;
    yyjson_val *place;
    struct config_place at = config_place_at(&config->tree, yyjson_obj_get(node, "at")),
                        from = config_place_of(&config->tree, node);
    line(e, "written", place_text(e, from));
    if (at.line != from.line || at.column != from.column || !px_str_eq(at.file, from.file))
        line(e, "by way of", place_text(e, at));
    px_json_arr_foreach(yyjson_obj_get(node, "over"), i, n, place)
    {
        line(e, "over", place_text(e, config_place_at(&config->tree, place)));
    }
}

static void say(struct explain *e, const struct config *config, const struct config_explained *of)
{
    struct px_str source = px_json_str(of->limit, "source"), otherwise = default_text(e, of);
    if (e->cli->json) {
        px_buf_add_c(e->out, e->said++ > 0 ? "," : "");
        config_explained_json(e->out, config, of);
        return;
    }
    px_buf_printf(e->out, "%s%.*s: %.*s = ", e->said++ > 0 ? "\n" : "", PX_FMT(config->name),
                  PX_FMT(of->key));
    PX_AUTO(px_buf_deinit) struct px_buf value;
    px_buf_init(&value, (size_t)8 << 20);
    if (of->node)
        config_write_json(&value, of->node);
    else
        px_buf_add_str(&value, otherwise.len > 0 ? otherwise : S("not set"));
    glyph_add(e->out, px_buf_str(&value), false);
    px_buf_add_char(e->out, '\n');
    if (of->node)
        say_places(e, config, of->node);
    else
        line(e, "written", S("nowhere: it is the default"));
    if (otherwise.len > 0)
        line(e, "default", px_arena_printf(&e->cli->arena, "%.*s", PX_FMT(otherwise)));
    line(e, "allowed", range_text(e, of));
    if (source.len > 0) line(e, "source", source);
    if (of->about.len > 0)
        line(e, "for",
             px_arena_printf(&e->cli->arena, "%.*s (%.*s)", PX_FMT(of->about),
                             PX_FMT(of->declared)));
    line(e, "goes to",
         px_arena_printf(&e->cli->arena, "%.*s%s%.*s", PX_FMT(of->goes),
                         of->goes_file.len > 0 ? ", " : "", PX_FMT(of->goes_file)));
}

static int explain_environment(struct explain *e, const struct config *config)
{
    struct px_arena *arena = &e->cli->arena;
    struct px_str *keys = NULL;
    size_t count = 0;
    struct px_str region = config_is_local(config) ? S("") : px_str_c(e->cli->region);
    int r = config_keys_meant(config, e->text, region, arena, &keys, &count);
    for (size_t i = 0; i < count && r == 0; i++) {
        struct config_explained of;
        const char *near = NULL;
        r = config_explain(config, keys[i], arena, &of, &near);
        if (r == 0) say(e, config, &of);
        if (r == CONFIG_NO_KEY) r = 0;
        if (near) e->near = near;
    }
    return r == 0 ? CLI_OK : cli_fault(e->cli, r, "%.*s", PX_FMT(e->text));
}

static int explain_all(struct explain *e, const struct config_schema *schema, const char *only)
{
    struct cli *cli = e->cli;
    struct px_str one = px_str_c(only), *names = &one;
    size_t count = 1;
    int exit = CLI_OK, r = only ? 0 : config_environments(schema, &cli->arena, &names, &count);
    if (r != 0) return cli_fault(cli, r, "environments");
    for (size_t i = 0; i < count && exit == CLI_OK; i++) {
        struct config config;
        exit = config_find_environment(cli, schema, px_arena_cstr(&cli->arena, names[i]), &config);
        if (exit == CLI_OK) exit = explain_environment(e, &config);
    }
    return exit;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    const struct explain_values *v = values;
    struct config_schema *schema = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf out;
    px_buf_init(&out, (size_t)64 << 20);
    struct explain e = {.cli = cli, .text = px_str_c(args[0]), .out = &out};
    int exit = config_find(cli, &v->places, &schema);
    if (exit == CLI_OK) exit = explain_all(&e, schema, v->environment);
    if (exit != CLI_OK) return exit;
    if (e.said == 0)
        return cli_fail(cli, CLI_USAGE, "no environment has a key %s%s%s%s", args[0],
                        e.near ? "; did you mean " : "", e.near ? e.near : "", e.near ? "?" : "");
    if (px_buf_fault(&out) != 0) return cli_fault(cli, px_buf_fault(&out), "%s", args[0]);
    (void)fprintf(cli->out, cli->json ? "{\"keys\":[%.*s]}\n" : "%.*s", PX_FMT(px_buf_str(&out)));
    return CLI_OK;
}

const struct cli_verb config_explain_verb = {
    .name = "explain",
    .arguments = "KEY",
    .summary =
        "a value: where it was written, what it hides, its default, what it is for, where it goes",
    .details =
        "KEY is as prism config check tells it, regions.eu-west-1.database.capacity_max; without its region it is explained for every "
        "region (or --region's). A function's variable, PRISM_QUERY_TIMEOUT_MS, and a parameter, query/timeout_ms, are keys too.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct explain_values),
    .args_min = 1,
    .args_max = 1,
    .without_data = true,
    .run = run,
};
