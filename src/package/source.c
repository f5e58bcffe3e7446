/* package/source.c - the catalogue and the folders of a build, read. */
#include "package/source.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/px_json.h"

#define JSON_BYTES_MAX ((size_t)4 << 20)

const char *package_kind_name(enum package_kind kind)
{
    return kind == PACKAGE_IMAGE ? "image" : "zip";
}

static int keep(struct px_arena *arena, struct px_str text, struct px_str *ret_kept)
{
    struct px_str kept = px_arena_dup(arena, text);
    if (!kept.ptr) return px_arena_fault(arena);
    *ret_kept = kept;
    return 0;
}

/* ---- the catalogue ---- */

/* A name becomes part of paths and of addresses. */
static bool name_is_fine(struct px_str name)
{
    if (name.len == 0 || name.len > 40 || name.ptr[0] < 'a' || name.ptr[0] > 'z') return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
    }
    return true;
}

static int read_function(struct px_str name, yyjson_val *entry, struct px_str architecture,
                         struct px_arena *arena, struct package_function *function)
{
    struct px_str kind = px_json_str(entry, "package"), own = px_json_str(entry, "architecture");
    if (!name_is_fine(name))
        return px_fault(PX_F_CONFIG, "functions.json: \"%.*s\" is no name of a function",
                        PX_FMT(name));
    if (!px_str_eq(kind, S("zip")) && !px_str_eq(kind, S("image")))
        return px_fault(PX_F_CONFIG, "functions.json: package of %.*s is neither zip nor image",
                        PX_FMT(name));
    if (own.len > 0) architecture = own;
    if (!px_str_eq(architecture, S("arm64")) && !px_str_eq(architecture, S("x86_64")))
        return px_fault(PX_F_CONFIG,
                        "functions.json: architecture of %.*s is neither arm64 nor x86_64",
                        PX_FMT(name));
    function->kind = px_str_eq(kind, S("image")) ? PACKAGE_IMAGE : PACKAGE_ZIP;
    PX_TRY(keep(arena, name, &function->name));
    PX_TRY(keep(arena, architecture, &function->architecture));
    PX_TRY(keep(arena, px_json_str(entry, "description"), &function->description));
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct package_function *first = a, *second = b;
    return px_str_cmp(first->name, second->name);
}

int package_catalogue_load(const char *platform_dir, struct px_arena *arena,
                           struct package_catalogue *ret_catalogue)
{
    yyjson_val *root = NULL, *key = NULL, *entry = NULL;
    size_t i = 0, max = 0;
    struct px_str path = px_arena_printf(arena, "%s/functions.json", platform_dir);
    if (!path.ptr) return px_arena_fault(arena);
    PX_TRY(px_json_load(path.ptr, JSON_BYTES_MAX, arena, &root));
    yyjson_val *functions = px_json_obj(root, "functions");
    struct px_str architecture = px_json_val_str(px_json_at(root, "defaults.architecture"));
    struct package_catalogue catalogue = {0};
    catalogue.functions = px_arena_array(arena, struct package_function,
                                         yyjson_obj_size(functions) + 1);
    if (!catalogue.functions) return px_arena_fault(arena);
    px_json_obj_foreach(functions, i, max, key, entry)
    {
        PX_TRY(read_function(px_json_val_str(key), entry, architecture, arena,
                             &catalogue.functions[catalogue.count]));
        catalogue.count++;
    }
    if (catalogue.count == 0) return px_fault(PX_F_CONFIG, "%s names no function", path.ptr);
    qsort(catalogue.functions, catalogue.count, sizeof *catalogue.functions, by_name);
    *ret_catalogue = catalogue;
    return 0;
}

/* ---- what a build left ---- */

int package_source_open(const char *dir, struct px_arena *arena, struct package_source *ret_source)
{
    yyjson_val *root = NULL;
    struct package_source source = {.dir = dir};
    struct px_str path = px_arena_printf(arena, "%s/package.json", dir);
    if (!path.ptr) return px_arena_fault(arena);
    if (access(path.ptr, F_OK) != 0) return PACKAGE_SOURCE_ABSENT;
    PX_TRY(px_json_load(path.ptr, JSON_BYTES_MAX, arena, &root));
    if (px_json_i64(root, "version", 0) != 1)
        return px_fault(PX_F_CONFIG, "%s is of another version of Prism", path.ptr);
    PX_TRY(keep(arena, px_json_str(root, "architecture"), &source.architecture));
    PX_TRY(keep(arena, px_json_str(root, "prism"), &source.version));
    if (!px_str_eq(source.architecture, S("arm64")) && !px_str_eq(source.architecture, S("x86_64")))
        return px_fault(PX_F_CONFIG, "%s: architecture is neither arm64 nor x86_64", path.ptr);
    *ret_source = source;
    return 0;
}

/* ---- parts ---- */

static int join(yyjson_val *list, struct px_arena *arena, struct px_str *ret_text)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    yyjson_val *item = NULL;
    size_t i = 0, max = 0;
    px_buf_init(&text, JSON_BYTES_MAX);
    px_json_arr_foreach(list, i, max, item)
    {
        if (i > 0) px_buf_add_c(&text, ", ");
        px_buf_add_str(&text, px_json_val_str(item));
    }
    if (px_buf_fault(&text)) return px_fault(px_buf_fault(&text), "a list of parts");
    return keep(arena, px_buf_str(&text), ret_text);
}

static int read_part(yyjson_val *entry, struct px_arena *arena, struct package_part *part)
{
    yyjson_val *archives = px_json_arr(entry, "archives");
    PX_TRY(keep(arena, px_json_str(entry, "name"), &part->name));
    PX_TRY(keep(arena, px_json_str(entry, "version"), &part->version));
    PX_TRY(keep(arena, px_json_str(entry, "licence"), &part->licence));
    PX_TRY(keep(arena, px_json_str(entry, "origin"), &part->origin));
    PX_TRY(keep(arena, px_json_str(entry, "checksum"), &part->checksum));
    return join(archives ? archives : px_json_arr(entry, "files"), arena, &part->contents);
}

int package_parts_load(const char *path, const char *key, struct px_arena *arena,
                       struct package_parts *ret_parts)
{
    yyjson_val *root = NULL, *entry = NULL;
    size_t i = 0, max = 0;
    PX_TRY(px_json_load(path, JSON_BYTES_MAX, arena, &root));
    yyjson_val *list = px_json_arr(root, key);
    struct package_parts parts = {.count = yyjson_arr_size(list)};
    parts.items = px_arena_array(arena, struct package_part, parts.count + 1);
    if (!parts.items) return px_arena_fault(arena);
    px_json_arr_foreach(list, i, max, entry)
    {
        PX_TRY(read_part(entry, arena, &parts.items[i]));
        if (parts.items[i].name.len == 0 || parts.items[i].licence.len == 0)
            return px_fault(PX_F_CONFIG, "%s: a part without name or licence", path);
    }
    *ret_parts = parts;
    return 0;
}
