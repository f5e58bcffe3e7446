/* delivery/terraform/changes.c - reading what a plan would change. */
#include "delivery/terraform/changes.h"

#include <stdlib.h>

#include "base/px_json.h"
#include "delivery/terraform/changes_internal.h"

#define SECRET_BYTES_MIN 6 /* a shorter one would be found everywhere */
#define SECRETS_MAX 256

/* ---- kinds ---- */

static bool has_action(yyjson_val *actions, struct px_str name)
{
    size_t i, n;
    yyjson_val *action;
    px_json_arr_foreach(actions, i, n, action)
    {
        if (px_str_eq(px_json_val_str(action), name)) return true;
    }
    return false;
}

static enum change_kind kind_of(yyjson_val *actions)
{
    bool creates = has_action(actions, S("create")), destroys = has_action(actions, S("delete"));
    if (creates && destroys) return CHANGE_REPLACE;
    if (creates) return CHANGE_CREATE;
    if (destroys) return CHANGE_DESTROY;
    if (has_action(actions, S("update"))) return CHANGE_UPDATE;
    if (has_action(actions, S("read"))) return CHANGE_READ;
    if (has_action(actions, S("forget"))) return CHANGE_FORGET;
    return CHANGE_NONE;
}

const char *change_kind_word(enum change_kind kind)
{
    static const char *const words[] = {"unchanged", "read",      "made",     "changed in place",
                                        "replaced",  "destroyed", "forgotten"};
    return words[kind];
}

/* ---- resources ---- */

static struct change read_change(yyjson_val *resource)
{
    yyjson_val *change = px_json_obj(resource, "change");
    yyjson_val *actions = px_json_arr(change, "actions");
    return (struct change){
        .address = px_json_str(resource, "address"),
        .type = px_json_str(resource, "type"),
        .reason = px_json_str(resource, "action_reason"),
        .deposed = px_json_str(resource, "deposed"),
        .previous_address = px_json_str(resource, "previous_address"),
        .kind = kind_of(actions),
        .actions = actions,
        .before = px_json_obj(change, "before"),
        .after = px_json_obj(change, "after"),
        .unknown = change ? yyjson_obj_get(change, "after_unknown") : NULL,
        .secret_before = change ? yyjson_obj_get(change, "before_sensitive") : NULL,
        .secret_after = change ? yyjson_obj_get(change, "after_sensitive") : NULL,
        .replace_paths = px_json_arr(change, "replace_paths"),
    };
}

static int by_address(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    int order = px_str_cmp(x->address, y->address);
    return order != 0 ? order : px_str_cmp(x->deposed, y->deposed);
}

/* A move or an import alone changes the state, so it counts. */
static bool counts(const struct change *change, yyjson_val *resource)
{
    return change->kind != CHANGE_NONE ||
           (change->previous_address.len > 0 &&
            !px_str_eq(change->previous_address, change->address)) ||
           px_json_obj(px_json_obj(resource, "change"), "importing") != NULL;
}

static int read_list(struct changes *all, yyjson_val *list, bool drift)
{
    size_t i, n, count = 0, max = list ? yyjson_arr_size(list) : 0;
    yyjson_val *resource;
    struct change *items = px_arena_array(all->arena, struct change, max + 1);
    if (!items) return px_arena_fault(all->arena);
    px_json_arr_foreach(list, i, n, resource)
    {
        struct change change = read_change(resource);
        if (!drift && px_str_eq(px_json_str(resource, "mode"), S("managed"))) all->managed++;
        if (change.address.len == 0 || !counts(&change, resource)) continue;
        items[count++] = change;
        if (!drift) all->counts[change.kind]++;
    }
    if (count > 1) qsort(items, count, sizeof *items, by_address);
    if (drift)
        all->drift = items, all->drift_count = count;
    else
        all->items = items, all->count = count;
    return 0;
}

static void count_outputs(struct changes *all)
{
    size_t i, n;
    yyjson_val *key, *output;
    px_json_obj_foreach(px_json_obj(all->root, "output_changes"), i, n, key, output)
    {
        if (kind_of(px_json_arr(output, "actions")) != CHANGE_NONE) all->outputs++;
    }
}

/* ---- secrets ---- */

static void add_secret(struct changes *all, yyjson_val *value)
{
    size_t i, n;
    yyjson_val *key, *item;
    struct px_str text = px_json_val_str(value);
    if (text.len >= SECRET_BYTES_MIN && all->secret_count < SECRETS_MAX)
        all->secrets[all->secret_count++] = text;
    px_json_arr_foreach(yyjson_is_arr(value) ? value : NULL, i, n, item) add_secret(all, item);
    px_json_obj_foreach(yyjson_is_obj(value) ? value : NULL, i, n, key, item) add_secret(all, item);
}

static yyjson_val *variables_of(const struct changes *all)
{
    yyjson_val *configuration = px_json_obj(all->root, "configuration");
    return px_json_obj(px_json_obj(configuration, "root_module"), "variables");
}

bool changes_is_secret(const struct changes *all, struct px_str wanted)
{
    size_t i, n;
    yyjson_val *name, *variable;
    px_json_obj_foreach(variables_of(all), i, n, name, variable)
    {
        bool meant = wanted.len == 0 || px_str_eq(px_json_val_str(name), wanted);
        if (meant && px_json_bool(variable, "sensitive", false)) return true;
    }
    return false;
}

/* The plan has values of variables in the clear; which are sensitive the configuration says. */
static int find_secrets(struct changes *all)
{
    size_t i, n;
    yyjson_val *name, *variable, *values = px_json_obj(all->root, "variables");
    all->secrets = px_arena_array(all->arena, struct px_str, SECRETS_MAX);
    if (!all->secrets) return px_arena_fault(all->arena);
    px_json_obj_foreach(variables_of(all), i, n, name, variable)
    {
        if (!px_json_bool(variable, "sensitive", false)) continue;
        yyjson_val *value = px_json_obj(values, yyjson_get_str(name));
        add_secret(all, value ? yyjson_obj_get(value, "value") : NULL);
        add_secret(all, yyjson_obj_get(variable, "default"));
    }
    return 0;
}

bool changes_holds_secret(const struct changes *all, struct px_str text)
{
    for (size_t i = 0; all && i < all->secret_count; i++)
        if (text.len >= all->secrets[i].len &&
            memmem(text.ptr, text.len, all->secrets[i].ptr, all->secrets[i].len))
            return true;
    return false;
}

void changes_scrub(const struct changes *all, struct px_str text, struct px_buf *buf)
{
    while (text.len > 0) {
        const char *first = NULL;
        size_t len = 0;
        for (size_t i = 0; all && i < all->secret_count; i++) {
            struct px_str secret = all->secrets[i];
            const char *at = text.len >= secret.len
                                 ? memmem(text.ptr, text.len, secret.ptr, secret.len)
                                 : NULL;
            if (at && (!first || at < first || (at == first && secret.len > len)))
                first = at, len = secret.len;
        }
        if (!first) break;
        px_buf_add(buf, text.ptr, (size_t)(first - text.ptr));
        px_buf_add_str(buf, S("(sensitive)"));
        text = px_str_skip(text, (size_t)(first - text.ptr) + len);
    }
    px_buf_add_str(buf, text);
}

/* ---- the whole ---- */

int changes_open(struct px_str text, struct px_arena *arena, struct changes *ret_changes,
                 struct px_where *ret_where)
{
    struct changes all = {.arena = arena};
    int r = px_json_parse(text, arena, &all.root, ret_where);
    if (r == PX_JSON_INVALID) return CHANGES_INVALID;
    PX_TRY(r);
    if (!yyjson_is_obj(all.root) || !yyjson_obj_get(all.root, "format_version")) {
        if (ret_where)
            px_where_set(ret_where, 0, NULL,
                         "a plan as `terraform show -json FILE` prints it: an object with "
                         "format_version");
        return CHANGES_INVALID;
    }
    all.errored = px_json_bool(all.root, "errored", false);
    PX_TRY(read_list(&all, px_json_arr(all.root, "resource_changes"), false));
    PX_TRY(read_list(&all, px_json_arr(all.root, "resource_drift"), true));
    count_outputs(&all);
    PX_TRY(find_secrets(&all));
    *ret_changes = all;
    return 0;
}

bool changes_any(const struct changes *all) { return all->count > 0 || all->outputs > 0; }
