/* delivery/terraform/document.c - the document of a plan: its changes as JSON that is the same each time. */
#include <openssl/sha.h>

#include <stdlib.h>

#include "base/px_json.h"
#include "delivery/terraform/changes_internal.h"

/* ---- masks ---- */

bool changes_mask_all(yyjson_val *mask) { return yyjson_is_true(mask); }

bool changes_mask_any(yyjson_val *mask)
{
    size_t i, n;
    yyjson_val *key, *item;
    if (yyjson_is_true(mask)) return true;
    px_json_arr_foreach(yyjson_is_arr(mask) ? mask : NULL, i, n, item)
    {
        if (changes_mask_any(item)) return true;
    }
    px_json_obj_foreach(yyjson_is_obj(mask) ? mask : NULL, i, n, key, item)
    {
        if (changes_mask_any(item)) return true;
    }
    return false;
}

yyjson_val *changes_mask_at(yyjson_val *mask, yyjson_val *key, size_t index)
{
    if (!mask || yyjson_is_true(mask)) return mask;
    if (key)
        return yyjson_is_obj(mask) ? yyjson_obj_getn(mask, yyjson_get_str(key), yyjson_get_len(key))
                                   : NULL;
    return yyjson_is_arr(mask) ? yyjson_arr_get(mask, index) : NULL;
}

/* ---- order ---- */

static int by_name(const void *a, const void *b)
{
    yyjson_val *const *x = a, *const *y = b;
    int order = px_str_cmp(px_json_val_str(*x), px_json_val_str(*y));
    return order != 0 ? order : *x < *y ? -1 : *x > *y;
}

int changes_sorted(struct px_arena *arena, yyjson_val *object, yyjson_val ***ret_keys,
                   size_t *ret_count)
{
    size_t i, n, count = 0, kept = 0;
    yyjson_val *key, *value;
    yyjson_val **keys = px_arena_array(arena, yyjson_val *, yyjson_obj_size(object) + 1);
    if (!keys) return px_arena_fault(arena);
    px_json_obj_foreach(object, i, n, key, value) keys[count++] = key;
    if (count > 1) qsort(keys, count, sizeof(yyjson_val *), by_name);
    for (size_t k = 0; k < count; k++)
        if (kept == 0 || !px_str_eq(px_json_val_str(keys[k]), px_json_val_str(keys[kept - 1])))
            keys[kept++] = keys[k];
    *ret_keys = keys;
    *ret_count = kept;
    return 0;
}

/* ---- values ---- */

struct writer {
    const struct changes *all;
    struct px_buf *buf;
};
/* `secret` twice: what is marked on either side of a change is left out on both. */
struct masks {
    yyjson_val *one, *other;
};

static struct masks masks_at(struct masks masks, yyjson_val *key, size_t index)
{
    return (struct masks){changes_mask_at(masks.one, key, index),
                          changes_mask_at(masks.other, key, index)};
}

static int write_value(struct writer *w, yyjson_val *value, struct masks masks);

static int write_object(struct writer *w, yyjson_val *object, struct masks masks)
{
    yyjson_val **keys;
    size_t count;
    PX_TRY(changes_sorted(w->all->arena, object, &keys, &count));
    px_buf_add_char(w->buf, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) px_buf_add_char(w->buf, ',');
        px_buf_add_json_str(w->buf, px_json_val_str(keys[i]));
        px_buf_add_char(w->buf, ':');
        PX_TRY(write_value(w, yyjson_obj_iter_get_val(keys[i]), masks_at(masks, keys[i], 0)));
    }
    px_buf_add_char(w->buf, '}');
    return 0;
}

/* A set has no order, so a mask in it may stand beside another element than its own: then all of it is left out. */
static bool is_odd(yyjson_val *array, yyjson_val *mask)
{
    return yyjson_is_arr(mask) && yyjson_arr_size(mask) != yyjson_arr_size(array) &&
           changes_mask_any(mask);
}

static int write_array(struct writer *w, yyjson_val *array, struct masks masks)
{
    size_t i, n;
    yyjson_val *item;
    if (is_odd(array, masks.one) || is_odd(array, masks.other)) {
        px_buf_add_json_str(w->buf, S(CHANGES_HIDDEN));
        return 0;
    }
    px_buf_add_char(w->buf, '[');
    px_json_arr_foreach(array, i, n, item)
    {
        if (i > 0) px_buf_add_char(w->buf, ',');
        PX_TRY(write_value(w, item, masks_at(masks, NULL, i)));
    }
    px_buf_add_char(w->buf, ']');
    return 0;
}

static int write_value(struct writer *w, yyjson_val *value, struct masks masks)
{
    if (!value || yyjson_is_null(value)) {
        px_buf_add_str(w->buf, S("null"));
        return 0;
    }
    if (changes_mask_all(masks.one) || changes_mask_all(masks.other) ||
        (yyjson_is_str(value) && changes_holds_secret(w->all, px_json_val_str(value)))) {
        px_buf_add_json_str(w->buf, S(CHANGES_HIDDEN));
        return 0;
    }
    if (yyjson_is_obj(value)) return write_object(w, value, masks);
    if (yyjson_is_arr(value)) return write_array(w, value, masks);
    if (yyjson_is_str(value))
        px_buf_add_json_str(w->buf, px_json_val_str(value));
    else
        px_buf_add_json(w->buf, value);
    return 0;
}

/* ---- changes ---- */

/* Attributes whose secret part changes, by name: what they hold is not told. */
static int write_secrets(struct writer *w, const struct change *change)
{
    struct change_attribute *items;
    size_t count, written = 0;
    PX_TRY(changes_attributes(w->all, change, &items, &count));
    px_buf_add_str(w->buf, S(",\"secrets\":["));
    for (size_t i = 0; i < count; i++) {
        if (!items[i].secret) continue;
        if (written++ > 0) px_buf_add_char(w->buf, ',');
        px_buf_add_json_str(w->buf, items[i].name);
    }
    px_buf_add_char(w->buf, ']');
    return 0;
}

static void write_text(struct writer *w, const char *name, struct px_str text)
{
    if (text.len == 0) return;
    px_buf_printf(w->buf, ",\"%s\":", name);
    px_buf_add_json_str(w->buf, text);
}

static int write_change(struct writer *w, const struct change *change)
{
    struct masks secret = {change->secret_before, change->secret_after}, none = {0};
    px_buf_add_str(w->buf, S("{\"address\":"));
    px_buf_add_json_str(w->buf, change->address);
    write_text(w, "type", change->type);
    write_text(w, "deposed", change->deposed);
    write_text(w, "previous_address", change->previous_address);
    write_text(w, "reason", change->reason);
    px_buf_add_str(w->buf, S(",\"actions\":"));
    PX_TRY(write_value(w, change->actions, none));
    px_buf_add_str(w->buf, S(",\"before\":"));
    PX_TRY(write_value(w, change->before, secret));
    px_buf_add_str(w->buf, S(",\"after\":"));
    PX_TRY(write_value(w, change->after, secret));
    px_buf_add_str(w->buf, S(",\"unknown\":"));
    PX_TRY(write_value(w, change->unknown, none));
    PX_TRY(write_secrets(w, change));
    px_buf_add_char(w->buf, '}');
    return 0;
}

static int write_outputs(struct writer *w)
{
    yyjson_val **keys, *outputs = px_json_obj(w->all->root, "output_changes");
    size_t count = 0, written = 0;
    if (outputs) PX_TRY(changes_sorted(w->all->arena, outputs, &keys, &count));
    for (size_t i = 0; i < count; i++) {
        yyjson_val *output = yyjson_obj_iter_get_val(keys[i]);
        struct masks secret = {yyjson_obj_get(output, "before_sensitive"),
                               yyjson_obj_get(output, "after_sensitive")};
        struct px_str action = px_json_val_str(
            yyjson_arr_get_first(yyjson_obj_get(output, "actions")));
        if (action.len == 0 || px_str_eq(action, S("no-op"))) continue;
        px_buf_add_str(w->buf, written++ > 0 ? S(",{\"name\":") : S("{\"name\":"));
        px_buf_add_json_str(w->buf, px_json_val_str(keys[i]));
        px_buf_add_str(w->buf, S(",\"actions\":"));
        PX_TRY(write_value(w, yyjson_obj_get(output, "actions"), (struct masks){0}));
        px_buf_add_str(w->buf, S(",\"before\":"));
        PX_TRY(write_value(w, yyjson_obj_get(output, "before"), secret));
        px_buf_add_str(w->buf, S(",\"after\":"));
        PX_TRY(write_value(w, yyjson_obj_get(output, "after"), secret));
        px_buf_add_str(w->buf, S(",\"unknown\":"));
        PX_TRY(write_value(w, yyjson_obj_get(output, "after_unknown"), (struct masks){0}));
        px_buf_add_char(w->buf, '}');
    }
    return 0;
}

int changes_document(const struct changes *all, struct px_buf *buf)
{
    struct writer w = {all, buf};
    px_buf_add_str(buf, S("{\"version\":1,\"changes\":["));
    for (size_t i = 0; i < all->count; i++) {
        if (i > 0) px_buf_add_char(buf, ',');
        PX_TRY(write_change(&w, &all->items[i]));
    }
    px_buf_add_str(buf, S("],\"outputs\":["));
    PX_TRY(write_outputs(&w));
    px_buf_add_str(buf, S("]}\n"));
    return px_buf_fault(buf) ? px_fault(px_buf_fault(buf), "the changes of a plan") : 0;
}

void changes_digest(struct px_str document, char ret_hex[CHANGES_HEX_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t sum[SHA256_DIGEST_LENGTH];
    (void)SHA256((const uint8_t *)document.ptr, document.len, sum);
    for (size_t i = 0; i < sizeof sum; i++) {
        ret_hex[2 * i] = hex[sum[i] >> 4];
        ret_hex[2 * i + 1] = hex[sum[i] & 15];
    }
    ret_hex[2 * sizeof sum] = 0;
}
