/* store/params.c - which half an URL means, and what holds for both; docs: params.h.
 *
 * A set is read beside the one that stands and then takes its place, so a reading that fails half-way
 * changes nothing. Values may be secret (SecureString), so sets are overwritten when they go. */
#include "store/params_half.h"

#include <stdlib.h>

#define SCHEME "ssm://"
#define KEEP_MS_DEFAULT 60000u
#define AGAIN_PART 6 /* of keep_ms, after a fault */
#define SET_BYTES_MAX ((size_t)PARAMS_MAX * (PARAM_BYTES_MAX + 2048))

static void set_init(struct param_set *set)
{
    *set = (struct param_set){0};
    px_arena_init(&set->arena,
                  SET_BYTES_MAX + (1u << 20)); /* a document, before it is taken apart */
}

static void set_deinit(struct param_set *set)
{
    px_arena_deinit_wiped(&set->arena);
    *set = (struct param_set){0};
}

int param_set_add(struct param_set *set, struct px_str name, struct px_str value)
{
    if (value.len > PARAM_BYTES_MAX)
        return px_fault(PX_F_LIMIT, "parameter %.*s has %zu bytes, more than %u", PX_FMT(name),
                        value.len, PARAM_BYTES_MAX);
    if (set->count == PARAMS_MAX)
        return px_fault(PX_F_LIMIT, "more than %u parameters", PARAMS_MAX);
    if (!set->params) set->params = px_arena_array(&set->arena, struct param, PARAMS_MAX);
    struct param param = {px_arena_dup(&set->arena, name), px_arena_dup(&set->arena, value)};
    if (!set->params || !param.name.ptr || !param.value.ptr) return px_arena_fault(&set->arena);
    set->params[set->count++] = param;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return px_str_cmp(((const struct param *)a)->name, ((const struct param *)b)->name);
}

static bool set_equal(const struct param_set *a, const struct param_set *b)
{
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (!px_str_eq(a->params[i].name, b->params[i].name) ||
            !px_str_eq(a->params[i].value, b->params[i].value))
            return false;
    return true;
}

int param_store_open(struct px_str url, const struct param_options *options,
                     struct param_store **ret_store)
{
    struct param_options given = options ? *options : (struct param_options){0};
    struct param_store *store = NULL;
    if (px_str_starts(url, S(SCHEME)))
        PX_TRY(params_aws_open(px_str_skip(url, sizeof SCHEME - 1), &given, &store));
    else
        PX_TRY(params_file_open(url, &store));
    store->clock = given.clock ? given.clock : &px_clock_system;
    store->keep_ns = (given.keep_ms ? given.keep_ms : KEEP_MS_DEFAULT) * PX_NS_PER_MS;
    set_init(&store->set);
    *ret_store = store;
    return 0;
}

void param_store_close(struct param_store **store)
{
    struct param_store *it = *store;
    if (!it) return;
    set_deinit(&it->set);
    it->half->close(it);
    *store = NULL;
}

int param_refresh(struct param_store *store, uint32_t within_ms)
{
    int64_t now_ns = px_mono_ns(store->clock);
    if (within_ms == 0 || (store->due_ns != 0 && now_ns < store->due_ns)) return PARAM_YOUNG;
    PX_AUTO(set_deinit) struct param_set set;
    set_init(&set);
    store->due_ns = now_ns + store->keep_ns / AGAIN_PART;
    PX_TRY(store->half->read(store, within_ms, &set));
    store->due_ns = now_ns + store->keep_ns;
    if (set.count > 1) qsort(set.params, set.count, sizeof set.params[0], by_name);
    bool same = store->is_read && set_equal(&store->set, &set);
    store->is_read = true;
    if (same) return PARAM_SAME;
    struct param_set before = store->set;
    store->set = set;
    set = before;
    return 0;
}

struct px_str param_get(const struct param_store *store, struct px_str name)
{
    const struct param wanted = {.name = name};
    const struct param *found = NULL;
    if (store->set.count > 0)
        found = bsearch(&wanted, store->set.params, store->set.count, sizeof wanted, by_name);
    return found ? found->value : (struct px_str){0};
}
