/* delivery/terraform/words.c - what the types of resources are to people. */
#include "delivery/terraform/words.h"

#include "base/px_json.h"

#define FILE_BYTES_MAX (1u << 20)

const char *words_weight_name(enum words_weight weight)
{
    static const char *const names[] = {"", "low", "middle", "high", "critical"};
    return names[weight];
}

static enum words_weight weight_of(struct px_str name)
{
    for (enum words_weight w = WORDS_LOW; w <= WORDS_CRITICAL; w++)
        if (px_str_eq(name, px_str_c(words_weight_name(w)))) return w;
    return 0;
}

int words_load(const char *platform_dir, struct px_arena *arena, struct words *ret_words)
{
    yyjson_val *root, *key, *type;
    size_t i, n;
    struct px_str path = px_arena_printf(arena, "%s/resources.json", platform_dir);
    if (!path.ptr) return px_arena_fault(arena);
    PX_TRY(px_json_load(path.ptr, FILE_BYTES_MAX, arena, &root));
    yyjson_val *types = px_json_obj(root, "types");
    if (!types) return px_fault(PX_F_CONFIG, "%s: needs an object \"types\"", path.ptr);
    px_json_obj_foreach(types, i, n, key, type)
    {
        struct px_str weight = px_json_str(type, "weight");
        if (px_json_str(type, "word").len == 0)
            return px_fault(PX_F_CONFIG, "%s: types.%s needs a text \"word\"", path.ptr,
                            yyjson_get_str(key));
        if (weight.len > 0 && weight_of(weight) == 0)
            return px_fault(PX_F_CONFIG,
                            "%s: types.%s.weight: \"%.*s\" is none of low, middle, high, critical",
                            path.ptr, yyjson_get_str(key), PX_FMT(weight));
    }
    ret_words->types = types;
    return 0;
}

static yyjson_val *entry(const struct words *words, struct px_str type)
{
    return words->types ? yyjson_obj_getn(words->types, type.ptr ? type.ptr : "", type.len) : NULL;
}

/* aws_cloudwatch_dashboard is a cloudwatch dashboard. */
static struct px_str plain_name(struct px_arena *arena, struct px_str type)
{
    if (px_str_starts(type, S("aws_"))) type = px_str_skip(type, 4);
    struct px_str name = px_arena_dup(arena, type);
    if (!name.ptr || name.len == 0) return S("resource");
    char *text = (char *)(uintptr_t)name.ptr;
    for (size_t i = 0; i < name.len; i++)
        if (text[i] == '_') text[i] = ' ';
    return name;
}

struct word words_of(const struct words *words, struct px_arena *arena, struct px_str type)
{
    yyjson_val *found = entry(words, type);
    struct word word = {.name = px_json_str(found, "word"),
                        .holds = px_json_str(found, "holds"),
                        .weight = weight_of(px_json_str(found, "weight"))};
    if (word.name.len == 0) word.name = plain_name(arena, type);
    if (word.weight == 0) word.weight = WORDS_MIDDLE;
    return word;
}

struct px_str words_owner(const struct words *words, struct px_str type, struct px_str attribute)
{
    yyjson_val *owned = px_json_obj(entry(words, type), "owned");
    return px_json_val_str(
        owned ? yyjson_obj_getn(owned, attribute.ptr ? attribute.ptr : "", attribute.len) : NULL);
}
