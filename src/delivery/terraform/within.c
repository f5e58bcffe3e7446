/* delivery/terraform/within.c - whether the changes of one plan are part of another's.
 *
 * After an apply that broke off, what was done shows as missing changes, and what was not known then is known now. A change fits when
 * the approved plan has one at the same address with actions that lead there, every attribute that changes now changed then too, and
 * is to become the same, or anything where it was not known. */
#include "base/px_json.h"
#include "delivery/terraform/changes_internal.h"

#define LINES_MAX 12

struct within {
    struct px_arena *arena;
    struct px_buf *differ;
    size_t lines;
};

static void differs(struct within *w, struct px_str address, const char *why, struct px_str what)
{
    if (w->lines++ >= LINES_MAX) return;
    px_buf_printf(w->differ, "%.*s: %s%.*s\n", PX_FMT(address), why, PX_FMT(what));
}

/* ---- values ---- */

/* `now` where `then` was approved; `unknown` is what was not known of then. */
static bool value_fits(yyjson_val *now, yyjson_val *then, yyjson_val *unknown)
{
    size_t i, n;
    yyjson_val *key, *item;
    if (changes_mask_all(unknown)) return true;
    if (!changes_mask_any(unknown)) return changes_same(now, then);
    if (yyjson_is_obj(now) && (yyjson_is_obj(then) || !then)) {
        px_json_obj_foreach(now, i, n, key, item)
        {
            yyjson_val *was = then ? yyjson_obj_getn(then, yyjson_get_str(key), yyjson_get_len(key))
                                   : NULL;
            if (!value_fits(item, was, changes_mask_at(unknown, key, 0))) return false;
        }
        px_json_obj_foreach(then, i, n, key, item)
        {
            if (!yyjson_obj_getn(now, yyjson_get_str(key), yyjson_get_len(key)) &&
                !changes_same(item, NULL))
                return false;
        }
        return true;
    }
    if (yyjson_is_arr(now) && yyjson_is_arr(then) &&
        yyjson_arr_size(now) == yyjson_arr_size(then)) {
        px_json_arr_foreach(now, i, n, item)
        {
            if (!value_fits(item, yyjson_arr_get(then, i), changes_mask_at(unknown, NULL, i)))
                return false;
        }
        return true;
    }
    return yyjson_is_null(now) || !now;
}

/* What is not known now was not known then. */
static bool unknown_fits(yyjson_val *now, yyjson_val *then)
{
    size_t i, n;
    yyjson_val *key, *item;
    if (changes_mask_all(then) || !changes_mask_any(now)) return true;
    if (changes_mask_all(now)) return false;
    px_json_arr_foreach(yyjson_is_arr(now) ? now : NULL, i, n, item)
    {
        if (!unknown_fits(item, changes_mask_at(then, NULL, i))) return false;
    }
    px_json_obj_foreach(yyjson_is_obj(now) ? now : NULL, i, n, key, item)
    {
        if (!unknown_fits(item, changes_mask_at(then, key, 0))) return false;
    }
    return true;
}

/* ---- changes ---- */

static yyjson_val *at(yyjson_val *change, const char *part, struct px_str name)
{
    yyjson_val *object = yyjson_obj_get(change, part);
    return yyjson_is_obj(object) ? yyjson_obj_getn(object, name.ptr, name.len) : NULL;
}

static bool names_secret(yyjson_val *change, struct px_str name)
{
    size_t i, n;
    yyjson_val *item;
    px_json_arr_foreach(px_json_arr(change, "secrets"), i, n, item)
    {
        if (px_str_eq(px_json_val_str(item), name)) return true;
    }
    return false;
}

static bool attribute_changes(yyjson_val *change, struct px_str name)
{
    return changes_mask_any(at(change, "unknown", name)) || names_secret(change, name) ||
           !changes_same(at(change, "before", name), at(change, "after", name));
}

static bool attribute_fits(struct within *w, struct px_str address, yyjson_val *now,
                           yyjson_val *then, struct px_str name)
{
    if (!attribute_changes(now, name)) return true;
    if (!attribute_changes(then, name)) {
        differs(w, address, "changes besides: ", name);
        return false;
    }
    if (value_fits(at(now, "after", name), at(then, "after", name), at(then, "unknown", name)) &&
        unknown_fits(at(now, "unknown", name), at(then, "unknown", name)))
        return true;
    differs(w, address, "would become another: ", name);
    return false;
}

static struct px_str actions_of(struct px_arena *arena, yyjson_val *change)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf = {0};
    px_buf_init(&buf, 4096);
    size_t i, n;
    yyjson_val *action;
    px_json_arr_foreach(px_json_arr(change, "actions"), i, n, action)
    {
        if (i > 0) px_buf_add_char(&buf, '+');
        px_buf_add_str(&buf, px_json_val_str(action));
    }
    struct px_str text = px_arena_dup(arena, px_buf_str(&buf));
    return text.ptr ? text : S("?");
}

/* One that replaces is done in two steps, and may have stopped between them; what it had made and not finished is marked tainted. */
static bool actions_fit(yyjson_val *now, yyjson_val *then, struct px_str did, struct px_str may)
{
    bool replaces = px_str_eq(may, S("delete+create")) || px_str_eq(may, S("create+delete"));
    bool deposed = px_json_str(now, "deposed").len > 0;
    if (px_str_eq(did, may) && deposed == (px_json_str(then, "deposed").len > 0)) return true;
    if (replaces && px_str_eq(did, S("create"))) return true;
    if (replaces && deposed && px_str_eq(did, S("delete"))) return true;
    bool again = px_str_eq(did, S("delete+create")) || px_str_eq(did, S("create+delete"));
    return again && (replaces || px_str_eq(may, S("create"))) &&
           px_str_eq(px_json_str(now, "reason"), S("replace_because_tainted"));
}

static yyjson_val *find(yyjson_val *document, yyjson_val *change)
{
    size_t i, n;
    yyjson_val *item, *other = NULL;
    px_json_arr_foreach(px_json_arr(document, "changes"), i, n, item)
    {
        if (!px_str_eq(px_json_str(item, "address"), px_json_str(change, "address"))) continue;
        if (px_str_eq(px_json_str(item, "deposed"), px_json_str(change, "deposed"))) return item;
        if (px_json_str(item, "deposed").len == 0) other = item;
    }
    return other; /* that it would depose something is in the approved change's actions */
}

static bool change_fits(struct within *w, yyjson_val *now, yyjson_val *approved)
{
    struct px_str address = px_json_str(now, "address");
    struct px_str did = actions_of(w->arena, now);
    yyjson_val *then = find(approved, now), *after = px_json_obj(now, "after"), *key, *value;
    bool fits = true;
    size_t i, n;
    if (!then) {
        differs(w, address, "is no part of it: ", did);
        return false;
    }
    if (!actions_fit(now, then, did, actions_of(w->arena, then))) {
        differs(w, address, "is to be dealt with in another way: ", did);
        return false;
    }
    /* an update is attribute by attribute; what is made or replaced is as a whole what was approved */
    bool whole = !px_str_eq(did, S("update"));
    px_json_obj_foreach(after, i, n, key, value)
    {
        struct px_str name = px_json_val_str(key);
        if (!whole) {
            fits &= attribute_fits(w, address, now, then, name);
        } else if (!value_fits(value, at(then, "after", name), at(then, "unknown", name))) {
            differs(w, address, "would become another: ", name);
            fits = false;
        }
    }
    if (!unknown_fits(yyjson_obj_get(now, "unknown"), yyjson_obj_get(then, "unknown"))) {
        differs(w, address, "has values that are not known, and were then", S(""));
        fits = false;
    }
    return fits;
}

int changes_within(yyjson_val *now, yyjson_val *approved, struct px_arena *arena,
                   struct px_buf *differ)
{
    struct within w = {.arena = arena, .differ = differ};
    size_t i, n;
    yyjson_val *change;
    bool fits = yyjson_is_obj(now) && yyjson_is_obj(approved);
    px_json_arr_foreach(px_json_arr(now, "changes"), i, n, change)
    {
        fits &= change_fits(&w, change, approved);
    }
    if (w.lines > LINES_MAX) px_buf_printf(differ, "and %zu more\n", w.lines - LINES_MAX);
    PX_TRY(px_buf_fault(differ));
    return fits ? 0 : CHANGES_DIFFER;
}
