/* delivery/terraform/attributes.c - which attributes of a resource change, and how a value is shown. */
#include "base/px_json.h"
#include "delivery/terraform/changes_internal.h"

/* ---- the same ---- */

static bool is_empty(yyjson_val *value)
{
    return !value || yyjson_is_null(value) ||
           (yyjson_is_str(value) && yyjson_get_len(value) == 0) ||
           (yyjson_is_arr(value) && yyjson_arr_size(value) == 0) ||
           (yyjson_is_obj(value) && yyjson_obj_size(value) == 0);
}

static bool same_objects(yyjson_val *a, yyjson_val *b)
{
    size_t i, n;
    yyjson_val *key, *value;
    px_json_obj_foreach(a, i, n, key, value)
    {
        if (!changes_same(value, yyjson_obj_getn(b, yyjson_get_str(key), yyjson_get_len(key))))
            return false;
    }
    px_json_obj_foreach(b, i, n, key, value)
    {
        if (!yyjson_obj_getn(a, yyjson_get_str(key), yyjson_get_len(key)) && !is_empty(value))
            return false;
    }
    return true;
}

bool changes_same(yyjson_val *a, yyjson_val *b)
{
    size_t i, n;
    yyjson_val *item;
    if (is_empty(a) || is_empty(b)) return is_empty(a) && is_empty(b);
    if (yyjson_is_obj(a) && yyjson_is_obj(b)) return same_objects(a, b);
    if (yyjson_is_arr(a) && yyjson_is_arr(b)) {
        if (yyjson_arr_size(a) != yyjson_arr_size(b)) return false;
        yyjson_val *other = yyjson_arr_get_first(b);
        px_json_arr_foreach(a, i, n, item)
        {
            if (!changes_same(item, other)) return false;
            other = unsafe_yyjson_get_next(other);
        }
        return true;
    }
    if (yyjson_is_num(a) && yyjson_is_num(b)) return yyjson_get_num(a) == yyjson_get_num(b);
    return yyjson_equals(a, b);
}

/* ---- attributes ---- */

static bool replaces(const struct change *change, struct px_str name)
{
    size_t i, n;
    yyjson_val *path;
    px_json_arr_foreach(change->replace_paths, i, n, path)
    {
        if (px_str_eq(px_json_val_str(yyjson_arr_get_first(path)), name)) return true;
    }
    return false;
}

static yyjson_val *member(yyjson_val *object, struct px_str name)
{
    return yyjson_is_obj(object) ? yyjson_obj_getn(object, name.ptr, name.len) : NULL;
}

static bool is_secret(const struct changes *all, const struct change *change,
                      const struct change_attribute *a)
{
    return changes_mask_any(member(change->secret_before, a->name)) ||
           changes_mask_any(member(change->secret_after, a->name)) ||
           (yyjson_is_str(a->before) && changes_holds_secret(all, px_json_val_str(a->before))) ||
           (yyjson_is_str(a->after) && changes_holds_secret(all, px_json_val_str(a->after)));
}

static void take(const struct changes *all, const struct change *change, struct px_str name,
                 struct change_attribute *items, size_t *count)
{
    struct change_attribute a = {
        .name = name, .before = member(change->before, name), .after = member(change->after, name)};
    a.unknown = changes_mask_any(member(change->unknown, name));
    if (!a.unknown && changes_same(a.before, a.after)) return;
    a.secret = is_secret(all, change, &a);
    a.replaces = replaces(change, name);
    items[(*count)++] = a;
}

/* Names of before, after and unknown, each once: an object that has them all. */
static int all_names(const struct changes *all, const struct change *change, yyjson_val ***ret_keys,
                     size_t *ret_count)
{
    yyjson_val *sources[] = {change->before, change->after, change->unknown};
    yyjson_val **lists[PX_COUNT(sources)], **merged;
    size_t counts[PX_COUNT(sources)] = {0}, at[PX_COUNT(sources)] = {0}, total = 0, kept = 0;
    for (size_t s = 0; s < PX_COUNT(sources); s++) {
        if (yyjson_is_obj(sources[s]))
            PX_TRY(changes_sorted(all->arena, sources[s], &lists[s], &counts[s]));
        total += counts[s];
    }
    merged = px_arena_array(all->arena, yyjson_val *, total + 1);
    if (!merged) return px_arena_fault(all->arena);
    for (;;) {
        yyjson_val *least = NULL;
        for (size_t s = 0; s < PX_COUNT(sources); s++)
            if (at[s] < counts[s] && (!least || px_str_cmp(px_json_val_str(lists[s][at[s]]),
                                                           px_json_val_str(least)) < 0))
                least = lists[s][at[s]];
        if (!least) break;
        merged[kept++] = least;
        for (size_t s = 0; s < PX_COUNT(sources); s++)
            if (at[s] < counts[s] &&
                px_str_eq(px_json_val_str(lists[s][at[s]]), px_json_val_str(least)))
                at[s]++;
    }
    *ret_keys = merged;
    *ret_count = kept;
    return 0;
}

int changes_attributes(const struct changes *all, const struct change *change,
                       struct change_attribute **ret_items, size_t *ret_count)
{
    yyjson_val **keys = NULL;
    size_t names = 0, count = 0;
    PX_TRY(all_names(all, change, &keys, &names));
    struct change_attribute *items = px_arena_array(all->arena, struct change_attribute, names + 1);
    if (!items) return px_arena_fault(all->arena);
    for (size_t i = 0; i < names; i++) take(all, change, px_json_val_str(keys[i]), items, &count);
    *ret_items = items;
    *ret_count = count;
    return 0;
}

/* ---- showing ---- */

/* A value comes from AWS, where others write too: it must not act on the terminal. */
static void add_plain(struct px_buf *buf, struct px_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        px_buf_add_char(buf, c < 32 || c == 127 ? ' ' : (char)c);
    }
}

void changes_show(const struct changes *all, yyjson_val *value, yyjson_val *secret, size_t max,
                  struct px_buf *buf)
{
    if (changes_mask_any(secret)) {
        px_buf_add_str(buf, S(CHANGES_HIDDEN));
        return;
    }
    if (!value || yyjson_is_null(value)) {
        px_buf_add_str(buf, S("nothing"));
        return;
    }
    PX_AUTO(px_buf_deinit) struct px_buf text = {0};
    px_buf_init(&text, CHANGES_TEXT_MAX);
    px_buf_add_json(&text, value);
    struct px_str shown = px_buf_str(&text);
    if (px_buf_fault(&text) != 0 || changes_holds_secret(all, shown)) {
        px_buf_add_str(buf, S(CHANGES_HIDDEN));
        return;
    }
    bool cut = shown.len > max;
    while (cut && max > 0 && ((unsigned char)shown.ptr[max] & 0xC0) == 0x80) max--;
    add_plain(buf, cut ? px_str(shown.ptr, max) : shown);
    if (cut) px_buf_add_str(buf, S("..."));
}
