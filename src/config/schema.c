/* config/schema.c - what settings there are: see config.h. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/px_file.h"
#include "config/config.h"

#define FILE_BYTES_MAX ((size_t)4 << 20)

struct config_schema {
    const char *platform_dir, *infra_dir;
    struct config_type global, region;
    yyjson_val *functions, *tables, *settings, *given;
    struct config_limit *limits;
    size_t limit_count;
    const struct value *regions;
};

/* ---- reading ---- */

static const char *path_of(struct px_arena *arena, const char *dir, const char *name)
{
    return px_arena_printf(arena, "%s/%s", dir, name).ptr;
}

static int read_json(struct px_arena *arena, const char *dir, const char *name,
                     yyjson_val **ret_root)
{
    const char *path = path_of(arena, dir, name);
    if (!path) return px_arena_fault(arena);
    PX_TRY(px_json_load(path, FILE_BYTES_MAX, arena, ret_root));
    return yyjson_is_obj(*ret_root) ? 0 : px_fault(PX_F_CONFIG, "%s is no object", path);
}

/* The regions that names have codes for: infra/modules/naming. */
static int read_regions(struct config_schema *schema, struct px_arena *arena)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct hcl_body body = {0};
    struct px_where where = {0};
    const char *path = path_of(arena, schema->infra_dir, "modules/naming/regions.tf");
    px_buf_init(&text, FILE_BYTES_MAX);
    if (!path) return px_arena_fault(arena);
    int r = px_file_read(path, &text);
    if (r == 0) r = hcl_parse(px_buf_str(&text), arena, &body, &where);
    if (r > 0) return px_fault(PX_F_CONFIG, "%s cannot be read: %s", path, where.expected);
    PX_TRY(r);
    for (const struct hcl_block *block = body.blocks; block; block = block->next) {
        struct hcl_expr *found = hcl_attr_of(&block->body, S("regions"));
        if (px_str_eq(block->type, S("locals")) && found)
            schema->regions = config_literal(arena, found);
    }
    return value_is(schema->regions, VALUE_MAP)
               ? 0
               : px_fault(PX_F_CONFIG, "%s: no local `regions`", path);
}

static int read_stacks(struct config_schema *schema, struct px_arena *arena)
{
    const char *global = path_of(arena, schema->infra_dir, "global/variables.tf");
    const char *region = path_of(arena, schema->infra_dir, "region/variables.tf");
    if (!global || !region) return px_arena_fault(arena);
    PX_TRY(config_type_of_variables(global, arena, &schema->global));
    PX_TRY(config_type_of_variables(region, arena, &schema->region));
    return read_regions(schema, arena);
}

static int read_limits(struct config_schema *schema, yyjson_val *limits, struct px_arena *arena)
{
    size_t i, n;
    yyjson_val *key, *says;
    schema->limits = px_arena_array(arena, struct config_limit, yyjson_obj_size(limits) + 1);
    if (!schema->limits) return px_arena_fault(arena);
    px_json_obj_foreach(limits, i, n, key, says)
    {
        schema->limits[schema->limit_count++] = (struct config_limit){px_json_val_str(key), says};
    }
    return 0;
}

int config_schema_open(const char *platform_dir, const char *infra_dir, struct px_arena *arena,
                       struct config_schema **ret_schema)
{
    struct config_schema *schema = px_arena_new(arena, struct config_schema);
    yyjson_val *functions = NULL, *config = NULL;
    char real[PATH_MAX];
    if (!schema) return px_arena_fault(arena);
    if (!realpath(platform_dir, real)) return px_fault_errno("%s", platform_dir);
    schema->platform_dir = px_arena_cstr(arena, px_str_c(real));
    schema->infra_dir = infra_dir;
    PX_TRY(read_json(arena, real, "functions.json", &functions));
    PX_TRY(read_json(arena, real, "config.json", &config));
    schema->functions = px_json_obj(functions, "functions");
    schema->tables = px_json_arr(px_json_at(functions, "stores.tables"), "tables");
    schema->settings = px_json_obj(config, "settings");
    schema->given = px_json_obj(config, "given");
    PX_TRY(read_limits(schema, px_json_obj(config, "limits"), arena));
    if (infra_dir) PX_TRY(read_stacks(schema, arena));
    *ret_schema = schema;
    return 0;
}

/* ---- asking ---- */

const struct config_type *config_schema_stack(const struct config_schema *schema, bool global)
{
    return global ? &schema->global : &schema->region;
}
yyjson_val *config_schema_functions(const struct config_schema *schema)
{
    return schema->functions;
}
yyjson_val *config_schema_tables(const struct config_schema *schema) { return schema->tables; }
const struct value *config_schema_regions(const struct config_schema *schema)
{
    return schema->regions;
}
const char *config_schema_platform(const struct config_schema *schema)
{
    return schema->platform_dir;
}
const char *config_schema_infra(const struct config_schema *schema) { return schema->infra_dir; }

/* Part by part; "*" is any one part. */
static bool matches(struct px_str pattern, struct px_str key)
{
    struct px_str want, have;
    for (;;) {
        bool more_wanted = px_str_cut(&pattern, '.', &want), more = px_str_cut(&key, '.', &have);
        if (!px_str_eq(want, S("*")) && !px_str_eq(want, have)) return false;
        if (more_wanted != more) return false;
        if (!more) return true;
    }
}

const struct config_limit *config_schema_limit(const struct config_schema *schema,
                                               struct px_str key)
{
    for (size_t i = 0; i < schema->limit_count; i++)
        if (matches(schema->limits[i].pattern, key)) return &schema->limits[i];
    return NULL;
}

struct px_str config_schema_given(const struct config_schema *schema, struct px_str key)
{
    size_t i, n;
    yyjson_val *pattern, *says;
    px_json_obj_foreach(schema->given, i, n, pattern, says)
    {
        if (matches(px_json_val_str(pattern), key)) return px_json_val_str(says);
    }
    return S("");
}

static yyjson_val *named(yyjson_val *object, struct px_str name)
{
    return object && name.ptr ? yyjson_obj_getn(object, name.ptr, name.len) : NULL;
}

yyjson_val *config_schema_function(const struct config_schema *schema, struct px_str name)
{
    return named(schema->functions, name);
}
yyjson_val *config_schema_settings(const struct config_schema *schema, struct px_str function)
{
    return named(schema->settings, function);
}
yyjson_val *config_schema_setting(const struct config_schema *schema, struct px_str function,
                                  struct px_str name)
{
    yyjson_val *own = named(named(schema->settings, function), name);
    return own ? own : named(named(schema->settings, S("common")), name);
}

struct px_str config_variable(const struct config_schema *schema, struct px_arena *arena,
                              struct px_str function, struct px_str name)
{
    bool own = named(named(schema->settings, function), name) && !px_str_eq(function, S("common"));
    struct px_str text = px_arena_printf(arena, "PRISM_%.*s%s%.*s", own ? (int)function.len : 0,
                                         function.ptr, own ? "_" : "", PX_FMT(name));
    for (size_t i = 0; text.ptr && i < text.len; i++)
        ((char *)text.ptr)[i] = (char)toupper((unsigned char)text.ptr[i]);
    return text;
}

/* ---- environments ---- */

struct listing {
    struct px_arena *arena;
    struct px_str *names;
    size_t count, cap;
};

static int add_name(void *ctx, const char *file, bool is_dir)
{
    struct listing *list = ctx;
    struct px_str name = px_str_c(file);
    if (is_dir || !px_str_ends(name, S(".jsonnet"))) return 0;
    if (list->count == list->cap) {
        size_t cap = list->cap * 2 + 8;
        struct px_str *more = px_arena_realloc(list->arena, list->names, list->cap * sizeof *more,
                                               cap * sizeof *more);
        if (!more) return px_arena_fault(list->arena);
        list->names = more;
        list->cap = cap;
    }
    name.len -= strlen(".jsonnet");
    list->names[list->count] = px_arena_dup(list->arena, name);
    return list->names[list->count++].ptr ? 0 : px_arena_fault(list->arena);
}

static int by_name(const void *a, const void *b)
{
    return px_str_cmp(*(const struct px_str *)a, *(const struct px_str *)b);
}

int config_environments(const struct config_schema *schema, struct px_arena *arena,
                        struct px_str **ret_names, size_t *ret_count)
{
    struct listing list = {.arena = arena};
    const char *dir = path_of(arena, schema->platform_dir, "environments");
    if (!dir) return px_arena_fault(arena);
    int r = px_dir_each(dir, add_name, &list);
    if (r == PX_FILE_ABSENT) return px_fault(PX_F_CONFIG, "%s does not exist", dir);
    PX_TRY(r);
    if (list.count > 1) qsort(list.names, list.count, sizeof *list.names, by_name);
    *ret_names = list.names;
    *ret_count = list.count;
    return 0;
}

int config_open(const struct config_schema *schema, struct px_str name, struct px_arena *arena,
                struct config_report *report, struct config *ret_config)
{
    struct px_str *names = NULL;
    size_t count = 0, i = 0;
    char real[PATH_MAX];
    PX_TRY(config_environments(schema, arena, &names, &count));
    while (i < count && !px_str_eq(names[i], name)) i++;
    if (i == count) return CONFIG_NO_ENVIRONMENT;
    const char *path = px_arena_printf(arena, "%s/environments/%.*s.jsonnet", schema->platform_dir,
                                       PX_FMT(name))
                           .ptr;
    if (!path) return px_arena_fault(arena);
    if (!realpath(path, real)) return px_fault_errno("%s", path);
    struct config config = {
        .schema = schema, .name = names[i], .arena = arena, .file = config_shown_path(arena, real)};
    if (!config.file.ptr) return px_arena_fault(arena);
    PX_TRY(config_evaluate(schema->platform_dir, path, arena, &config.tree));
    config_check(&config, report);
    if (px_arena_full(arena)) return px_arena_fault(arena);
    *ret_config = config;
    return 0;
}

int config_regions(const struct config *config, struct px_arena *arena, struct px_str **ret_names,
                   size_t *ret_count)
{
    yyjson_val *fields = config_fields(config_field(config->tree.root, S("regions"))), *key,
               *region;
    size_t i, n, count = 0;
    struct px_str *names = px_arena_array(arena, struct px_str, yyjson_obj_size(fields) + 1);
    if (!names) return px_arena_fault(arena);
    px_json_obj_foreach(fields, i, n, key, region) { names[count++] = px_json_val_str(key); }
    *ret_names = names;
    *ret_count = count;
    return 0;
}
