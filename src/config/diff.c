/* config/diff.c - see diff.h. Objects are compared field by field, everything else as a whole. */
#include "config/diff.h"

#include <stdlib.h>

#include "base/px_file.h"

#define RENDERED_BYTES_MAX ((size_t)16 << 20)
#define STACKS_MAX 64u
#define TAIL ".tfvars.json"

static int make_room(struct px_arena *arena, struct config_rendering *rendering)
{
    rendering->stacks = px_arena_array(arena, struct px_str, STACKS_MAX);
    rendering->values = px_arena_array(arena, yyjson_val *, STACKS_MAX);
    return rendering->stacks && rendering->values ? 0 : px_arena_fault(arena);
}

static int add_stack(const struct config *config, struct px_str stack, struct px_arena *arena,
                     struct config_rendering *rendering)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    enum config_output output = config_is_local(config) ? CONFIG_ENVIRONMENT : CONFIG_TFVARS;
    px_buf_init(&text, RENDERED_BYTES_MAX);
    if (rendering->count == STACKS_MAX)
        return px_fault(PX_F_LIMIT, "more than %u stacks", STACKS_MAX);
    PX_TRY(config_render(config, output, stack, &text));
    PX_TRY(px_json_parse(px_buf_str(&text), arena, &rendering->values[rendering->count], NULL));
    rendering->stacks[rendering->count++] = stack;
    return 0;
}

int config_rendering_of(const struct config *config, struct px_arena *arena,
                        struct config_rendering *ret_rendering)
{
    struct config_rendering rendering = {.name = config->name};
    struct px_str *regions = NULL;
    size_t count = 0;
    PX_TRY(make_room(arena, &rendering));
    PX_TRY(config_regions(config, arena, &regions, &count));
    if (!config_is_local(config)) PX_TRY(add_stack(config, S("global"), arena, &rendering));
    for (size_t i = 0; i < count; i++) PX_TRY(add_stack(config, regions[i], arena, &rendering));
    *ret_rendering = rendering;
    return 0;
}

struct folder {
    const char *dir;
    struct px_arena *arena;
    struct config_rendering *rendering;
};

static int add_file(void *ctx, const char *name, bool is_dir)
{
    struct folder *folder = ctx;
    struct config_rendering *rendering = folder->rendering;
    struct px_str stack = px_str_c(name);
    if (is_dir || !px_str_ends(stack, S(TAIL)) || stack.len == strlen(TAIL)) return 0;
    const char *path = px_arena_printf(folder->arena, "%s/%s", folder->dir, name).ptr;
    if (!path) return px_arena_fault(folder->arena);
    if (rendering->count == STACKS_MAX)
        return px_fault(PX_F_LIMIT, "%s: more than %u stacks", folder->dir, STACKS_MAX);
    PX_TRY(px_json_load(path, RENDERED_BYTES_MAX, folder->arena,
                        &rendering->values[rendering->count]));
    stack.len -= strlen(TAIL);
    rendering->stacks[rendering->count] = px_arena_dup(folder->arena, stack);
    return rendering->stacks[rendering->count++].ptr ? 0 : px_arena_fault(folder->arena);
}

int config_rendering_of_folder(const char *dir, struct px_arena *arena,
                               struct config_rendering *ret_rendering)
{
    struct config_rendering rendering = {.name = px_str_c(dir)};
    struct folder folder = {.dir = dir, .arena = arena, .rendering = &rendering};
    PX_TRY(make_room(arena, &rendering));
    int r = px_dir_each(dir, add_file, &folder);
    if (r == PX_FILE_ABSENT || (r == 0 && rendering.count == 0))
        return px_fault(PX_F_CONFIG,
                        "%s holds no *" TAIL ", as prism config render --out writes them", dir);
    PX_TRY(r);
    *ret_rendering = rendering;
    return 0;
}

/* ---- differences ---- */

struct diff {
    struct px_arena *arena;
    struct config_difference *at;
    size_t count, cap;
};

static int add(struct diff *diff, struct px_str key, yyjson_val *left, yyjson_val *right)
{
    if (diff->count == diff->cap) {
        size_t cap = diff->cap * 2 + 32;
        struct config_difference *more = px_arena_realloc(
            diff->arena, diff->at, diff->cap * sizeof *more, cap * sizeof *more);
        if (!more) return px_arena_fault(diff->arena);
        diff->at = more;
        diff->cap = cap;
    }
    diff->at[diff->count++] = (struct config_difference){key, left, right};
    return 0;
}

static bool is_full(yyjson_val *val) { return yyjson_is_obj(val) && yyjson_obj_size(val) > 0; }

static int compare(struct diff *diff, struct px_str key, yyjson_val *left, yyjson_val *right)
{
    size_t i, n;
    yyjson_val *name, *val;
    bool deep = (is_full(left) || !left) && (is_full(right) || !right);
    if (!deep) return left && right && yyjson_equals(left, right) ? 0 : add(diff, key, left, right);
    px_json_obj_foreach(left, i, n, name, val)
    {
        struct px_str field = px_json_val_str(name);
        struct px_str full = px_arena_printf(diff->arena, "%.*s.%.*s", PX_FMT(key), PX_FMT(field));
        if (!full.ptr) return px_arena_fault(diff->arena);
        PX_TRY(
            compare(diff, full, val, right ? yyjson_obj_getn(right, field.ptr, field.len) : NULL));
    }
    px_json_obj_foreach(right, i, n, name, val)
    {
        struct px_str field = px_json_val_str(name);
        if (left && yyjson_obj_getn(left, field.ptr, field.len)) continue;
        struct px_str full = px_arena_printf(diff->arena, "%.*s.%.*s", PX_FMT(key), PX_FMT(field));
        if (!full.ptr) return px_arena_fault(diff->arena);
        PX_TRY(compare(diff, full, NULL, val));
    }
    return 0;
}

static yyjson_val *stack_of(const struct config_rendering *of, struct px_str name)
{
    for (size_t i = 0; i < of->count; i++)
        if (px_str_eq(of->stacks[i], name)) return of->values[i];
    return NULL;
}

static int by_key(const void *a, const void *b)
{
    const struct config_difference *left = a, *right = b;
    return px_str_cmp(left->key, right->key);
}

int config_diff(const struct config_rendering *left, const struct config_rendering *right,
                struct px_arena *arena, struct config_difference **ret_differences,
                size_t *ret_count)
{
    struct diff diff = {.arena = arena};
    for (size_t i = 0; i < left->count; i++)
        PX_TRY(compare(&diff, left->stacks[i], left->values[i], stack_of(right, left->stacks[i])));
    for (size_t i = 0; i < right->count; i++)
        if (!stack_of(left, right->stacks[i]))
            PX_TRY(compare(&diff, right->stacks[i], NULL, right->values[i]));
    if (diff.count > 1) qsort(diff.at, diff.count, sizeof *diff.at, by_key);
    *ret_differences = diff.at;
    *ret_count = diff.count;
    return 0;
}
