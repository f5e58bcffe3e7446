/* store/params_file.c - parameters in a JSON file; docs: params.h. It is a person's file, so a mistake in it is
 * told with its place. */
#include "store/params_half.h"

#include <stdlib.h>

#include "base/px_file.h"
#include "base/px_json.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)

struct param_file {
    struct param_store store; /* first: the header's functions know only this */
    char *path;
};

/* Numbers as they are in C, of a double's only those that are whole or short. */
static int add_value(struct param_set *set, struct px_str name, yyjson_val *val, const char *path)
{
    char text[32];
    struct px_str value = px_json_val_str(val);
    if (yyjson_is_bool(val)) value = yyjson_get_bool(val) ? S("true") : S("false");
    if (yyjson_is_uint(val))
        value = px_str(text, (size_t)snprintf(text, sizeof text, "%llu",
                                              (unsigned long long)yyjson_get_uint(val)));
    else if (yyjson_is_sint(val))
        value = px_str(
            text, (size_t)snprintf(text, sizeof text, "%lld", (long long)yyjson_get_sint(val)));
    else if (yyjson_is_real(val))
        value = px_str(text, (size_t)snprintf(text, sizeof text, "%.15g", yyjson_get_real(val)));
    if (!value.ptr)
        return px_fault(PX_F_CONFIG, "%s: \"%.*s\" is a text, a number, true or false", path,
                        PX_FMT(name));
    PX_TRY(param_set_add(set, name, value));
    return 0;
}

static bool is_repeated(const struct param_set *set, struct px_str name)
{
    for (size_t i = 0; i < set->count; i++)
        if (px_str_eq(set->params[i].name, name)) return true;
    return false;
}

static int file_read(struct param_store *store, uint32_t within_ms, struct param_set *set)
{
    (void)within_ms;
    const char *path = ((struct param_file *)store)->path;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, FILE_BYTES_MAX);
    int r = px_file_read(path, &text);
    if (r == PX_FILE_ABSENT) return 0;
    if (r == PX_FILE_TOO_LARGE) return px_fault(PX_F_LIMIT, "%s is larger than 1 MiB", path);
    PX_TRY(r);
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 16 * FILE_BYTES_MAX);
    struct px_where where = {0};
    yyjson_val *root = NULL;
    r = px_json_parse(px_buf_str(&text), &arena, &root, &where);
    if (r == PX_JSON_INVALID)
        return px_fault(PX_F_CONFIG, "%s: %s, at byte %zu", path, where.expected, where.offset);
    PX_TRY(r);
    if (!yyjson_is_obj(root)) return px_fault(PX_F_CONFIG, "%s: it is no JSON object", path);
    size_t i, n;
    yyjson_val *key, *val;
    px_json_obj_foreach(root, i, n, key, val)
    {
        struct px_str name = px_json_val_str(key);
        if (is_repeated(set, name))
            return px_fault(PX_F_CONFIG, "%s: \"%.*s\" stands there twice", path, PX_FMT(name));
        PX_TRY(add_value(set, name, val, path));
    }
    return 0;
}

static void file_close(struct param_store *store)
{
    free(((struct param_file *)store)->path);
    free(store);
}

static const struct param_half half = {.read = file_read, .close = file_close};

int params_file_open(struct px_str path, struct param_store **ret_store)
{
    if (path.len == 0) return px_fault(PX_F_CONFIG, "the parameters' file has no name");
    struct param_file *file = calloc(1, sizeof *file);
    if (!file) return px_fault(PX_F_OOM, "the parameters");
    PX_AUTO(param_store_close) struct param_store *store = &file->store;
    store->half = &half;
    file->path = strndup(path.ptr, path.len);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): PX_AUTO frees it */
    if (!file->path) return px_fault(PX_F_OOM, "the parameters");
    *ret_store = PX_TAKE(store);
    return 0;
}
