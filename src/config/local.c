/* config/local.c - see local.h. */
#include "config/local.h"

#include <stdio.h>
#include <xxhash.h>

#include "base/px_file.h"

#define KEPT_BYTES_MAX ((size_t)4 << 20)
#define VERSION 2 /* of the kept file, and of what is rendered */

/* ---- content hashes ---- */

static bool hash_file(const char *path, char hex[33])
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, KEPT_BYTES_MAX);
    if (px_file_read(path, &text) != 0) return false;
    XXH128_hash_t hash = XXH3_128bits(text.ptr ? text.ptr : "", text.len);
    (void)snprintf(hex, 33, "%016llx%016llx", (unsigned long long)hash.high64,
                   (unsigned long long)hash.low64);
    return true;
}

static bool is_current(yyjson_val *kept, const struct config_local *of, struct px_arena *arena)
{
    size_t i, n;
    yyjson_val *path, *hash;
    yyjson_val *inputs = px_json_obj(kept, "inputs");
    char hex[33];
    bool same = px_json_i64(kept, "version", 0) == VERSION &&
                px_str_eq(px_json_str(kept, "environment"), of->environment) &&
                px_str_eq(px_json_str(kept, "region"), of->region) &&
                px_json_obj(kept, "functions") && yyjson_obj_size(inputs) > 0;
    px_json_obj_foreach(inputs, i, n, path, hash)
    {
        const char *name =
            px_arena_printf(arena, "%s/%.*s", of->platform_dir, PX_FMT(px_json_val_str(path))).ptr;
        same = same && name && hash_file(name, hex) &&
               px_str_eq(px_json_val_str(hash), px_str_c(hex));
    }
    return same;
}

/* ---- rendering ---- */

static int add_input(struct px_buf *to, const struct config_local *of, struct px_arena *arena,
                     struct px_str below, bool first)
{
    char hex[33];
    const char *path = px_arena_printf(arena, "%s/%.*s", of->platform_dir, PX_FMT(below)).ptr;
    if (!path) return px_arena_fault(arena);
    if (!hash_file(path, hex)) return px_fault(PX_F_IO, "%s", path);
    px_buf_add_c(to, first ? "" : ",");
    px_buf_add_json_str(to, below);
    px_buf_printf(to, ":\"%s\"", hex);
    return 0;
}

static int add_inputs(struct px_buf *to, const struct config_local *of, const struct config *config)
{
    struct px_arena *arena = config->arena;
    struct px_str own = px_arena_printf(arena, "environments/%.*s.jsonnet",
                                        PX_FMT(of->environment));
    if (!own.ptr) return px_arena_fault(arena);
    PX_TRY(add_input(to, of, arena, own, true));
    PX_TRY(add_input(to, of, arena, S("functions.json"), false));
    PX_TRY(add_input(to, of, arena, S("config.json"), false));
    for (size_t i = 0; i < config->tree.read_count; i++) {
        struct px_str read =
            config->tree.read[i]; /* source.c imports from below the folder alone */
        PX_ASSERT(px_str_starts(read, px_str_c(of->platform_dir)));
        PX_TRY(add_input(to, of, arena, px_str_skip(read, strlen(of->platform_dir) + 1), false));
    }
    return 0;
}

static int what_to_keep(const struct config_local *of, const struct config *config,
                        struct px_str functions, struct px_str *ret_text)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, KEPT_BYTES_MAX);
    px_buf_printf(&text, "{\"version\":%d,\"environment\":", VERSION);
    px_buf_add_json_str(&text, of->environment);
    px_buf_add_c(&text, ",\"region\":");
    px_buf_add_json_str(&text, of->region);
    px_buf_add_c(&text, ",\"inputs\":{");
    PX_TRY(add_inputs(&text, of, config));
    px_buf_add_c(&text, "},\"functions\":");
    px_buf_add_str(&text, functions);
    px_buf_add_c(&text, "}\n");
    PX_TRY(px_buf_fault(&text));
    *ret_text = px_arena_dup(config->arena, px_buf_str(&text));
    return ret_text->ptr ? 0 : px_arena_fault(config->arena);
}

static int render(const struct config_local *of, struct px_arena *arena, struct px_str *ret_keep,
                  yyjson_val **ret_functions)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct config_schema *schema = NULL;
    struct config config;
    size_t before = of->report->count;
    px_buf_init(&text, KEPT_BYTES_MAX);
    PX_TRY(config_schema_open(of->platform_dir, of->infra_dir, arena, &schema));
    int r = config_open(schema, of->environment, arena, of->report, &config);
    if (r == CONFIG_NO_ENVIRONMENT) return CONFIG_LOCAL_NONE;
    PX_TRY(r);
    if (of->report->count > before) return CONFIG_LOCAL_REFUSED;
    r = config_render(&config, CONFIG_MACHINE, config_is_local(&config) ? S("local") : of->region,
                      &text);
    if (r == CONFIG_NO_ENVIRONMENT) return CONFIG_LOCAL_NO_REGION;
    PX_TRY(r);
    PX_TRY(what_to_keep(of, &config, px_str_trim(px_buf_str(&text)), ret_keep));
    return px_json_parse(px_buf_str(&text), arena, ret_functions, NULL);
}

/* False: there is none that holds. */
static bool take(const char *path, const struct config_local *of, struct px_arena *arena,
                 yyjson_val **ret_functions)
{
    yyjson_val *kept = NULL;
    if (!path || px_json_load(path, KEPT_BYTES_MAX, arena, &kept) != 0) return false;
    if (!is_current(kept, of, arena)) return false;
    *ret_functions = px_json_obj(kept, "functions");
    return true;
}

int config_local_settings(const struct config_local *of, struct px_arena *arena,
                          yyjson_val **ret_functions, struct px_str *ret_keep)
{
    const char *own = NULL;
    if (of->data_dir && !(own = px_arena_printf(arena, "%s/" CONFIG_LOCAL_FILE, of->data_dir).ptr))
        return px_arena_fault(arena);
    if (take(of->built, of, arena, ret_functions) || take(own, of, arena, ret_functions)) {
        *ret_keep = S("");
        return 0;
    }
    return render(of, arena, ret_keep, ret_functions);
}
