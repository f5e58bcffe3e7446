/* delivery/plan_fill.c - attributes of a planned resource.
 *
 * Three documents tell of an attribute: what is known of it, where something is unknown (a tree of
 * true in the places), and what was written in the block. The last fills the holes of the first. */
#include "delivery/eval.h"
#include "delivery/plan_internal.h"

#define DEPTH_MAX 64

const struct value *plan_memo_get(struct plan_memo *memos, char kind, struct px_str name,
                                  bool *ret_busy)
{
    for (struct plan_memo *memo = memos; memo; memo = memo->next) {
        if (memo->kind != kind || !px_str_eq(memo->name, name)) continue;
        *ret_busy = memo->busy;
        return memo->busy ? &value_unknown : memo->value;
    }
    return NULL;
}

struct plan_memo *plan_memo_put(struct px_arena *arena, struct plan_memo **memos, char kind,
                                struct px_str name)
{
    struct plan_memo *memo = px_arena_new(arena, struct plan_memo);
    if (!memo) return NULL;
    *memo = (struct plan_memo){
        .name = name, .kind = kind, .busy = true, .value = &value_unknown, .next = *memos};
    *memos = memo;
    return memo;
}

struct fill {
    struct px_arena *arena;
    struct px_str path; /* of what is filled, "address.attr[0].x" */
    unsigned depth;
};

static const struct value *fill(struct fill f, yyjson_val *known, yyjson_val *unknown,
                                const struct value *written);

static bool has_unknown(yyjson_val *unknown)
{
    size_t i, n;
    yyjson_val *key, *item;
    if (yyjson_is_true(unknown)) return true;
    if (yyjson_is_arr(unknown)) {
        yyjson_arr_foreach(unknown, i, n, item) if (has_unknown(item)) return true;
    } else if (yyjson_is_obj(unknown)) {
        yyjson_obj_foreach(unknown, i, n, key, item) if (has_unknown(item)) return true;
    }
    return false;
}

static const struct value *fill_map(struct fill f, yyjson_val *known, yyjson_val *unknown,
                                    const struct value *written)
{
    size_t i, n, count = 0;
    yyjson_val *key, *item;
    struct value_field *fields = px_arena_array(f.arena, struct value_field,
                                                yyjson_obj_size(known) + yyjson_obj_size(unknown));
    if (!fields) return NULL;
    px_json_obj_foreach(known, i, n, key, item) fields[count++] = (struct value_field){
        px_json_val_str(key), value_from_json(f.arena, item)};
    px_json_obj_foreach(unknown, i, n, key, item)
    {
        struct px_str name = px_json_val_str(key);
        struct fill inner = f;
        if (!has_unknown(item)) continue;
        inner.depth++;
        inner.path = px_arena_printf(f.arena, "%.*s.%.*s", PX_FMT(f.path), PX_FMT(name));
        if (!inner.path.ptr) return NULL;
        const struct value *v = fill(inner, yyjson_obj_getn(known, name.ptr, name.len), item,
                                     value_get(written, name));
        fields[count++] = (struct value_field){name, v};
    }
    return value_map(f.arena, fields, count);
}

/* Whether a written item may be this one: what is known of it says nothing else. */
static bool may_be(yyjson_val *known, const struct value *written, struct px_arena *arena)
{
    size_t i, n;
    yyjson_val *key, *item;
    if (!yyjson_is_obj(known) || !value_is(written, VALUE_MAP)) return true;
    yyjson_obj_foreach(known, i, n, key, item)
    {
        const struct value *w = value_get(written, px_json_val_str(key));
        if (!w || yyjson_is_ctn(item)) continue;
        if (value_equal(value_from_json(arena, item), w) == 0) return false;
    }
    return true;
}

/* Sets come in another order than they were written. */
static const struct value *written_item(struct fill f, yyjson_val *known,
                                        const struct value *written, bool used[], size_t at)
{
    size_t count = value_count(written);
    if (at < count && !used[at] && may_be(known, value_item(written, at), f.arena)) {
        used[at] = true;
        return value_item(written, at);
    }
    for (size_t i = 0; i < count; i++) {
        if (used[i] || !may_be(known, value_item(written, i), f.arena)) continue;
        used[i] = true;
        return value_item(written, i);
    }
    return NULL;
}

static const struct value *fill_list(struct fill f, yyjson_val *known, yyjson_val *unknown,
                                     const struct value *written)
{
    size_t count = yyjson_arr_size(known);
    const struct value **items = px_arena_array(f.arena, const struct value *, count);
    bool *used = px_arena_zalloc(f.arena, value_count(written) + 1);
    if (!items || !used) return NULL;
    if (!value_is(written, VALUE_LIST)) written = NULL;
    for (size_t i = 0; i < count; i++) {
        struct fill inner = f;
        yyjson_val *item = yyjson_arr_get(known, i);
        inner.depth++;
        inner.path = px_arena_printf(f.arena, "%.*s[%zu]", PX_FMT(f.path), i);
        if (!inner.path.ptr) return NULL;
        items[i] = fill(inner, item, yyjson_arr_get(unknown, i),
                        written ? written_item(f, item, written, used, i) : NULL);
    }
    return value_list(f.arena, items, count);
}

static const struct value *fill(struct fill f, yyjson_val *known, yyjson_val *unknown,
                                const struct value *written)
{
    if (f.depth > DEPTH_MAX) return &value_unknown;
    if (yyjson_is_true(unknown)) {
        if (!value_is_null(written)) return written;
        return value_symbol(f.arena, f.path);
    }
    if (!has_unknown(unknown)) return value_from_json(f.arena, known);
    if (yyjson_is_arr(known)) return fill_list(f, known, unknown, written);
    return fill_map(f, known, unknown, written);
}

/* Also of a data source that is read at apply: what it is asked is known, its answer is a symbol. */
const struct value *plan_attr(struct plan_resource *resource, struct px_str name)
{
    struct px_arena *arena = resource->plan->arena;
    bool busy = false;
    const struct value *v = plan_memo_get(resource->memos, 'a', name, &busy);
    if (v) return v;
    yyjson_val *known = yyjson_obj_getn(resource->known, name.ptr, name.len);
    yyjson_val *unknown = yyjson_obj_getn(resource->unknown, name.ptr, name.len);
    bool hole = has_unknown(unknown);
    if (!known && !hole) return NULL;
    struct plan_memo *memo = plan_memo_put(arena, &resource->memos, 'a', name);
    if (!memo) return &value_unknown;
    struct fill f = {
        .arena = arena,
        .path = px_arena_printf(arena, "%.*s.%.*s", PX_FMT(resource->address), PX_FMT(name))};
    v = f.path.ptr ? fill(f, known, unknown, hole ? eval_written(resource, name) : NULL) : NULL;
    memo->value = v ? v : &value_unknown;
    memo->busy = false;
    return memo->value;
}
