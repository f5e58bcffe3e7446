/* store/tables_lite.h - what the files of the embedded tables share. Inside store only. */
#pragma once

#include "store/lite.h"
#include "store/table_log.h"
#include "store/tables_half.h"

/* Which tables' changes are logged; read when the file is opened. */
struct lite_log {
    struct px_str origin; /* empty: this file has no log */
    struct px_str tables[TABLE_LOG_TABLES_MAX];
    size_t table_count;
    struct px_arena arena; /* of the names */
};
struct lite_tables {
    struct table_store store; /* first: the header's functions know only this */
    struct lite lite;
    struct lite_log log;
};
static inline struct lite_tables *lite_of(struct table_store *store)
{
    return (struct lite_tables *)store;
}
/* tables_lite.c; in a write transaction */
PX_MUST_USE int lite_item_write(struct lite *lite, const struct table_put *put, int64_t version);
PX_MUST_USE int lite_item_remove(struct lite *lite, const struct table_key *key);
/* End the transaction: with a commit when r is 0. */
PX_MUST_USE int lite_change_end(struct lite *lite, int r);
/* table_log.c */
PX_MUST_USE int lite_log_load(struct lite_tables *tables);
void lite_log_deinit(struct lite_log *log);
/* A change that has just been made in this transaction; version 0: removed. */
PX_MUST_USE int lite_log_note(struct lite_tables *tables, const struct table_put *put,
                              int64_t version);
