/* store/tables_half.h - what a half of the tables implements, and what both use. Inside store only. */
#pragma once

#include "store/tables.h"

#define TABLE_PUTS_MAX 100u /* DynamoDB's limit of a transaction */

/* Keys, documents and counts have been checked; counts are not 0. */
struct table_half {
    int (*get)(struct table_store *store, const struct table_key *key, struct px_arena *arena,
               struct table_item *ret_item);
    /* NULL: one after the other is as quick. items are zeroed. */
    int (*get_all)(struct table_store *store, const struct table_key *keys, size_t count,
                   struct px_arena *arena, struct table_item *items);
    int (*put)(struct table_store *store, const struct table_put *put, struct px_arena *arena,
               int64_t *ret_version, struct table_item *ret_current);
    int (*put_all)(struct table_store *store, const struct table_put *puts, size_t count,
                   size_t *ret_failed);
    int (*query)(struct table_store *store, const struct table_query *query, struct px_arena *arena,
                 struct table_item **ret_items, size_t *ret_count);
    int (*expire)(struct table_store *store, size_t max, size_t *ret_removed);
    void (*close)(struct table_store *store); /* and free */
};
/* Each half's own struct begins with one. */
struct table_store {
    const struct table_half *half;
    const struct px_clock *clock;
};

/* options: clock is set. */
PX_MUST_USE int tables_lite_open(struct px_str path, const struct table_options *options,
                                 struct table_store **ret_store);
/* prefix: of the tables' names. */
PX_MUST_USE int tables_dynamo_open(struct px_str prefix, const struct table_options *options,
                                   struct table_store **ret_store);

/* A copy whose text is in arena. */
PX_MUST_USE int table_item_keep(const struct table_item *item, struct px_arena *arena,
                                struct table_item *ret_item);
struct table_list {
    struct px_arena *arena;
    struct table_item *items;
    size_t count, room;
};
PX_MUST_USE int table_list_add(struct table_list *list, const struct table_item *item);
