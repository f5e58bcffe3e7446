/* store/tables.c - which half an URL means, and what holds for both; docs: tables.h. */
#include "store/tables_half.h"

#define DOCUMENT_BYTES_MAX (256u * 1024u)
#define KEY_BYTES_MAX 512u
#define SCHEME "dynamodb://"

int table_store_open(struct px_str url, const struct table_options *options,
                     struct table_store **ret_store)
{
    struct table_options given = options ? *options : (struct table_options){0};
    if (!given.clock) given.clock = &px_clock_system;
    if (!px_str_starts(url, S(SCHEME))) return tables_lite_open(url, &given, ret_store);
    return tables_dynamo_open(px_str_skip(url, sizeof SCHEME - 1), &given, ret_store);
}

void table_store_close(struct table_store **store)
{
    if (!*store) return;
    (*store)->half->close(*store);
    *store = NULL;
}

/* ---- what may be stored ---- */

static bool table_name_is_valid(struct px_str name)
{
    if (name.len == 0 || name.len > 32) return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] != '_' && (name.ptr[i] < 'a' || name.ptr[i] > 'z')) return false;
    return true;
}

/* Keys may come from tenants, so a long one is no mistake of ours. */
static int key_check(const struct table_key *key)
{
    PX_ASSERT(table_name_is_valid(key->table));
    PX_ASSERT(key->partition.len > 0);
    if (key->partition.len > KEY_BYTES_MAX || key->sort.len > KEY_BYTES_MAX)
        return px_fault(PX_F_LIMIT, "a key of %zu and %zu bytes", key->partition.len,
                        key->sort.len);
    return 0;
}

static int put_check(const struct table_put *put)
{
    PX_TRY(key_check(&put->key));
    PX_ASSERT(put->expires_ns >= 0);
    if (put->document.len > DOCUMENT_BYTES_MAX)
        return px_fault(PX_F_LIMIT, "a document of %zu bytes", put->document.len);
    return 0;
}

/* ---- calls ---- */

int table_get(struct table_store *store, const struct table_key *key, struct px_arena *arena,
              struct table_item *ret_item)
{
    PX_TRY(key_check(key));
    return store->half->get(store, key, arena, ret_item);
}

static int get_each(struct table_store *store, const struct table_key *keys, size_t count,
                    struct px_arena *arena, struct table_item *items)
{
    for (size_t i = 0; i < count; i++) {
        int r = store->half->get(store, &keys[i], arena, &items[i]);
        if (r != TABLE_ABSENT) PX_TRY(r);
    }
    return 0;
}

int table_get_all(struct table_store *store, const struct table_key *keys, size_t count,
                  struct px_arena *arena, struct table_item **ret_items)
{
    PX_ASSERT(count <= TABLE_KEYS_MAX);
    struct table_item *items = px_arena_array(arena, struct table_item, count + 1);
    if (!items) return px_arena_fault(arena);
    memset(items, 0, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        PX_ASSERT(px_str_eq(keys[i].table, keys[0].table));
        PX_TRY(key_check(&keys[i]));
    }
    if (count > 0)
        PX_TRY((store->half->get_all ? store->half->get_all : get_each)(store, keys, count, arena,
                                                                        items));
    *ret_items = items;
    return 0;
}

int table_put(struct table_store *store, const struct table_put *put, struct px_arena *arena,
              int64_t *ret_version, struct table_item *ret_current)
{
    PX_ASSERT(put->document.ptr);
    PX_ASSERT(arena || !ret_current);
    PX_TRY(put_check(put));
    return store->half->put(store, put, arena, ret_version, ret_current);
}

int table_put_all(struct table_store *store, const struct table_put *puts, size_t count,
                  size_t *ret_failed)
{
    PX_ASSERT(count <= TABLE_PUTS_MAX);
    for (size_t i = 0; i < count; i++) PX_TRY(put_check(&puts[i]));
    if (count == 0) return 0;
    return store->half->put_all(store, puts, count, ret_failed);
}

int table_delete(struct table_store *store, const struct table_key *key,
                 enum table_condition condition, int64_t version)
{
    struct table_put removal = {.key = *key, .condition = condition, .version = version};
    return table_put_all(store, &removal, 1, NULL);
}

int table_query(struct table_store *store, const struct table_query *query, struct px_arena *arena,
                struct table_item **ret_items, size_t *ret_count)
{
    PX_ASSERT(table_name_is_valid(query->key.table));
    return store->half->query(store, query, arena, ret_items, ret_count);
}

int table_expire(struct table_store *store, size_t max, size_t *ret_removed)
{
    return store->half->expire(store, max, ret_removed);
}

/* ---- items for the caller ---- */

int table_item_keep(const struct table_item *item, struct px_arena *arena,
                    struct table_item *ret_item)
{
    struct table_item kept = *item;
    kept.partition = px_arena_dup(arena, item->partition);
    kept.sort = px_arena_dup(arena, item->sort);
    kept.document = px_arena_dup(arena, item->document);
    if (!kept.partition.ptr || !kept.sort.ptr || !kept.document.ptr) return px_arena_fault(arena);
    *ret_item = kept;
    return 0;
}

int table_list_add(struct table_list *list, const struct table_item *item)
{
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 16;
        void *items = px_arena_realloc(list->arena, list->items, list->room * sizeof *list->items,
                                       room * sizeof *list->items);
        if (!items) return px_arena_fault(list->arena);
        list->items = items;
        list->room = room;
    }
    PX_TRY(table_item_keep(item, list->arena, &list->items[list->count]));
    list->count++;
    return 0;
}
