/* delivery/terraform/cost.c - what a plan changes of the monthly bill. */
#include "delivery/terraform/cost.h"

#include "base/px_json.h"

#define FILE_BYTES_MAX (1u << 20)

/* "per": how many units a resource is: a number in it, or how many elements a list in it has; absent: one. A path through a block, of
 * which there is one, goes to its first. */
static double units(yyjson_val *resource, struct px_str per)
{
    yyjson_val *value = resource;
    struct px_str part;
    if (per.len == 0) return 1;
    while (value && per.len > 0) {
        (void)px_str_cut(&per, '.', &part);
        if (yyjson_is_arr(value)) value = yyjson_arr_get_first(value);
        value = yyjson_is_obj(value) ? yyjson_obj_getn(value, part.ptr, part.len) : NULL;
    }
    if (yyjson_is_arr(value)) return (double)yyjson_arr_size(value);
    return yyjson_is_num(value) ? yyjson_get_num(value) : 0;
}

static bool applies(yyjson_val *price, yyjson_val *resource)
{
    size_t i, n;
    yyjson_val *key, *want;
    px_json_obj_foreach(px_json_obj(price, "when"), i, n, key, want)
    {
        if (!yyjson_equals(yyjson_obj_getn(resource, yyjson_get_str(key), yyjson_get_len(key)),
                           want))
            return false;
    }
    return true;
}

static double month(yyjson_val *price, yyjson_val *resource, double hours)
{
    if (!yyjson_is_obj(resource) || !applies(price, resource)) return 0;
    double one = px_json_f64(price, "month", 0) + hours * px_json_f64(price, "hour", 0);
    return one * units(resource, px_json_str(price, "per"));
}

static void note_open(struct cost *cost, struct px_str type)
{
    for (size_t i = 0; i < cost->open_count; i++)
        if (px_str_eq(cost->open[i], type)) return;
    if (cost->open_count < COST_OPEN_MAX)
        cost->open[cost->open_count++] = type;
    else
        cost->open_more = true;
}

static int check(const char *path, yyjson_val *root)
{
    size_t i, n;
    yyjson_val *key, *price;
    if (px_json_str(root, "date").len == 0 || px_json_str(root, "currency").len == 0 ||
        px_json_f64(root, "hours", 0) <= 0 || !px_json_obj(root, "types"))
        return px_fault(PX_F_CONFIG, "%s: needs date, currency, hours and types", path);
    px_json_obj_foreach(px_json_obj(root, "types"), i, n, key, price)
    {
        if (!yyjson_is_num(yyjson_obj_get(price, "month")) &&
            !yyjson_is_num(yyjson_obj_get(price, "hour")))
            return px_fault(PX_F_CONFIG, "%s: types.%s needs a number \"month\" or \"hour\"", path,
                            yyjson_get_str(key));
    }
    return 0;
}

int cost_of(const struct changes *changes, const char *platform_dir, struct cost *ret_cost)
{
    yyjson_val *root;
    struct px_str path = px_arena_printf(changes->arena, "%s/prices.json", platform_dir);
    if (!path.ptr) return px_arena_fault(changes->arena);
    PX_TRY(px_json_load(path.ptr, FILE_BYTES_MAX, changes->arena, &root));
    PX_TRY(check(path.ptr, root));
    struct cost cost = {.currency = px_json_str(root, "currency"),
                        .date = px_json_str(root, "date"),
                        .region = px_json_str(root, "region")};
    double hours = px_json_f64(root, "hours", 730);
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *c = &changes->items[i];
        yyjson_val *price = yyjson_obj_getn(px_json_obj(root, "types"),
                                            c->type.ptr ? c->type.ptr : "", c->type.len);
        if (c->kind == CHANGE_READ || c->kind == CHANGE_NONE || c->kind == CHANGE_FORGET) continue;
        if (!price) {
            note_open(&cost, c->type);
            continue;
        }
        cost.counted++;
        cost.before_month += month(price, c->before, hours);
        cost.after_month += month(price, c->after, hours);
    }
    *ret_cost = cost;
    return 0;
}
