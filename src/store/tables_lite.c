/* store/tables_lite.c - items in one SQLite table; docs: tables.h.
 *
 * Every change runs in a transaction that takes the write lock at once, reads the item, checks the
 * condition and writes. So a condition and its write are one step among all processes. Expired items
 * are filtered on reading; a put over one starts again at version 1. */
#include "store/tables_lite.h"

#include <stdlib.h>

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS items ("
    " tbl TEXT NOT NULL, pk TEXT NOT NULL, sk TEXT NOT NULL,"
    " document TEXT NOT NULL, version INTEGER NOT NULL, expires_ns INTEGER NOT NULL,"
    " PRIMARY KEY (tbl, pk, sk)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS items_by_expiry ON items (expires_ns) WHERE expires_ns > 0;";

/* Without the write lock when the tables are there, which is nearly always. */
static int schema_make(struct lite *lite)
{
    PX_AUTO(lite_give) struct lite_stmt look = {0};
    PX_TRY(lite_take(lite, "SELECT 1 FROM sqlite_schema WHERE name = 'items_by_expiry'", &look));
    int r = lite_step(&look);
    if (r == LITE_ROW) return 0;
    if (r != LITE_DONE) PX_TRY(r);
    lite_give(&look);
    PX_TRY(lite_begin_write(lite, false));
    r = lite_run_script(lite, schema);
    if (r == 0) r = lite_run(lite, "COMMIT");
    if (r != 0) lite_rollback(lite);
    PX_TRY(r);
    return 0;
}

/* ---- keys and rows ---- */

static void bind_key(struct lite_stmt *stmt, const struct table_key *key)
{
    lite_bind_text(stmt, 1, key->table);
    lite_bind_text(stmt, 2, key->partition);
    lite_bind_text(stmt, 3, key->sort);
}

#define ITEM_COLUMNS "pk, sk, document, version, expires_ns"

/* Text stays SQLite's until the next step. */
static struct table_item row_item(const struct lite_stmt *stmt)
{
    return (struct table_item){.partition = lite_column(stmt, 0),
                               .sort = lite_column(stmt, 1),
                               .document = lite_column(stmt, 2),
                               .version = sqlite3_column_int64(stmt->stmt, 3),
                               .expires_ns = sqlite3_column_int64(stmt->stmt, 4)};
}

/* The item of the key into arena, or only its version when arena is NULL. An absent one has version 0. */
static int item_read(struct table_store *store, const struct table_key *key, struct px_arena *arena,
                     struct table_item *ret_item)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(&lite_of(store)->lite,
                     "SELECT " ITEM_COLUMNS " FROM items WHERE tbl = ?1 AND pk = ?2 AND sk = ?3"
                     " AND (expires_ns = 0 OR expires_ns > ?4)",
                     &stmt));
    bind_key(&stmt, key);
    lite_bind_int(&stmt, 4, px_wall_ns(store->clock));
    int r = lite_step(&stmt);
    if (r == LITE_DONE) {
        *ret_item = (struct table_item){.version = 0};
        return 0;
    }
    if (r != LITE_ROW) PX_TRY(r);
    struct table_item item = row_item(&stmt);
    if (arena) return table_item_keep(&item, arena, ret_item);
    *ret_item = (struct table_item){.version = item.version};
    return 0;
}

static int tables_get(struct table_store *store, const struct table_key *key,
                      struct px_arena *arena, struct table_item *ret_item)
{
    struct table_item item = {0};
    PX_TRY(item_read(store, key, arena, &item));
    if (item.version == 0) return TABLE_ABSENT;
    *ret_item = item;
    return 0;
}

/* ---- changes, inside a write transaction ---- */

static bool condition_holds(enum table_condition condition, int64_t version,
                            int64_t current_version)
{
    switch (condition) {
    case TABLE_ANY: return true;
    case TABLE_NEW: return current_version == 0;
    case TABLE_VERSION: return current_version != 0 && current_version == version;
    }
    PX_ASSERT(!"a condition");
    return false;
}

static int step_to_done(struct lite_stmt *stmt)
{
    int r = lite_step(stmt);
    if (r == LITE_DONE) return 0;
    PX_TRY(r);
    return 0;
}

int lite_item_write(struct lite *lite, const struct table_put *put, int64_t version)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(lite,
                     "INSERT INTO items (tbl, pk, sk, document, version, expires_ns)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tbl, pk, sk) DO UPDATE SET"
                     " document = excluded.document, version = excluded.version,"
                     " expires_ns = excluded.expires_ns",
                     &stmt));
    bind_key(&stmt, &put->key);
    lite_bind_text(&stmt, 4, put->document);
    lite_bind_int(&stmt, 5, version);
    lite_bind_int(&stmt, 6, put->expires_ns);
    PX_TRY(step_to_done(&stmt));
    return 0;
}

int lite_item_remove(struct lite *lite, const struct table_key *key)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(lite, "DELETE FROM items WHERE tbl = ?1 AND pk = ?2 AND sk = ?3", &stmt));
    bind_key(&stmt, key);
    PX_TRY(step_to_done(&stmt));
    return 0;
}

/* Answers: TABLE_CONDITION_FAILED, with ret_current (may be NULL) filled. */
static int change_apply(struct table_store *store, const struct table_put *put,
                        struct px_arena *arena, int64_t *ret_version,
                        struct table_item *ret_current)
{
    struct table_item current = {0};
    PX_TRY(item_read(store, &put->key, ret_current ? arena : NULL, &current));
    if (!condition_holds(put->condition, put->version, current.version)) {
        if (ret_current) *ret_current = current;
        return TABLE_CONDITION_FAILED;
    }
    struct lite_tables *tables = lite_of(store);
    if (!put->document.ptr) {
        PX_TRY(lite_item_remove(&tables->lite, &put->key));
        return current.version == 0 ? 0 : lite_log_note(tables, put, 0);
    }
    PX_TRY(lite_item_write(&tables->lite, put, current.version + 1));
    PX_TRY(lite_log_note(tables, put, current.version + 1));
    if (ret_version) *ret_version = current.version + 1;
    return 0;
}

int lite_change_end(struct lite *lite, int r)
{
    if (r == 0) r = lite_run(lite, "COMMIT");
    if (r != 0) lite_rollback(lite);
    return r;
}

static int tables_put(struct table_store *store, const struct table_put *put,
                      struct px_arena *arena, int64_t *ret_version, struct table_item *ret_current)
{
    PX_TRY(lite_begin_write(&lite_of(store)->lite, put->relaxed));
    int64_t version = 0;
    int r = lite_change_end(&lite_of(store)->lite,
                            change_apply(store, put, arena, &version, ret_current));
    if (r == 0 && ret_version) *ret_version = version;
    return r;
}

static int tables_put_all(struct table_store *store, const struct table_put *puts, size_t count,
                          size_t *ret_failed)
{
    bool relaxed = true;
    for (size_t i = 0; i < count; i++) relaxed = relaxed && puts[i].relaxed;
    PX_TRY(lite_begin_write(&lite_of(store)->lite, relaxed));
    int r = 0;
    size_t at = 0;
    for (; at < count && r == 0; at++) r = change_apply(store, &puts[at], NULL, NULL, NULL);
    if (r == TABLE_CONDITION_FAILED && ret_failed) *ret_failed = at - 1;
    return lite_change_end(&lite_of(store)->lite, r);
}

static int tables_expire(struct table_store *store, size_t max, size_t *ret_removed)
{
    PX_TRY(lite_begin_write(&lite_of(store)->lite, true));
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    int r = lite_take(&lite_of(store)->lite,
                      "DELETE FROM items WHERE (tbl, pk, sk) IN (SELECT tbl, pk, sk FROM items"
                      " WHERE expires_ns > 0 AND expires_ns <= ?1 ORDER BY expires_ns LIMIT ?2)",
                      &stmt);
    if (r == 0) {
        lite_bind_int(&stmt, 1, px_wall_ns(store->clock));
        lite_bind_int(&stmt, 2, (int64_t)PX_MIN(max, (size_t)INT64_MAX));
        r = step_to_done(&stmt);
    }
    size_t removed = (size_t)sqlite3_changes64(lite_of(store)->lite.db);
    lite_give(&stmt);
    PX_TRY(lite_change_end(&lite_of(store)->lite, r));
    *ret_removed = removed;
    return 0;
}

/* ---- queries ---- */

/* Where a query begins: behind (partition, sort), or at it when inclusive. */
struct query_start {
    struct px_str partition, sort;
    bool inclusive;
};

static struct query_start query_start(const struct table_query *query)
{
    struct px_str after_partition = query->after_partition;
    if (after_partition.len == 0 && query->after_sort.len > 0)
        after_partition = query->key.partition;
    struct query_start start = {query->key.partition, query->key.sort, true};
    int order = px_str_cmp(after_partition, start.partition);
    if (after_partition.len == 0 || order < 0) return start;
    if (order > 0 || px_str_cmp(query->after_sort, start.sort) >= 0)
        start = (struct query_start){after_partition, query->after_sort, false};
    return start;
}

static int query_take(struct table_store *store, const struct table_query *query,
                      struct lite_stmt *ret_stmt)
{
    struct query_start start = query_start(query);
    PX_TRY(lite_take(&lite_of(store)->lite,
                     start.inclusive ? "SELECT " ITEM_COLUMNS
                                       " FROM items WHERE tbl = ?1 AND (pk, sk) >= (?2, ?3)"
                                       " AND (expires_ns = 0 OR expires_ns > ?4) ORDER BY pk, sk"
                                     : "SELECT " ITEM_COLUMNS
                                       " FROM items WHERE tbl = ?1 AND (pk, sk) > (?2, ?3)"
                                       " AND (expires_ns = 0 OR expires_ns > ?4) ORDER BY pk, sk",
                     ret_stmt));
    lite_bind_text(ret_stmt, 1, query->key.table);
    lite_bind_text(ret_stmt, 2, start.partition);
    lite_bind_text(ret_stmt, 3, start.sort);
    lite_bind_int(ret_stmt, 4, px_wall_ns(store->clock));
    return 0;
}

/* Rows come in key order from the start on. */
enum fit { FIT_TAKE, FIT_SKIP, FIT_END };
static enum fit row_fit(const struct table_query *query, const struct table_item *item)
{
    bool one_partition = query->key.partition.len > 0;
    if (one_partition && !px_str_eq(item->partition, query->key.partition)) return FIT_END;
    if (px_str_starts(item->sort, query->key.sort)) return FIT_TAKE;
    return one_partition ? FIT_END : FIT_SKIP;
}

static int tables_query(struct table_store *store, const struct table_query *query,
                        struct px_arena *arena, struct table_item **ret_items, size_t *ret_count)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(query_take(store, query, &stmt));
    struct table_list list = {.arena = arena};
    while (list.count < query->max) {
        int r = lite_step(&stmt);
        if (r == LITE_DONE) break;
        if (r != LITE_ROW) PX_TRY(r);
        struct table_item item = row_item(&stmt);
        enum fit fit = row_fit(query, &item);
        if (fit == FIT_END) break;
        if (fit == FIT_TAKE) PX_TRY(table_list_add(&list, &item));
    }
    *ret_items = list.items;
    *ret_count = list.count;
    return 0;
}

/* ---- opening ---- */

static void tables_close(struct table_store *store)
{
    lite_log_deinit(&lite_of(store)->log);
    lite_close(&lite_of(store)->lite);
    free(store);
}

static const struct table_half half = {.get = tables_get,
                                       .put = tables_put,
                                       .put_all = tables_put_all,
                                       .query = tables_query,
                                       .expire = tables_expire,
                                       .close = tables_close};

int tables_lite_open(struct px_str path, const struct table_options *options,
                     struct table_store **ret_store)
{
    struct lite_tables *tables = calloc(1, sizeof *tables);
    if (!tables) return px_fault(PX_F_OOM, "the tables");
    PX_AUTO(table_store_close) struct table_store *store = &tables->store;
    store->half = &half;
    store->clock = options->clock;
    struct lite_options lite_options = {.busy_ms = options->busy_ms};
    PX_TRY(lite_open(path, &lite_options, &tables->lite));
    PX_TRY(schema_make(&tables->lite));
    PX_TRY(lite_log_load(tables));
    *ret_store = PX_TAKE(store);
    return 0;
}
