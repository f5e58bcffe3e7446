/* store/table_log.h - what the embedded tables tell other regions: a log of changes to the tables that are
 * global, and the application of another region's log, as DynamoDB's global tables do it (MREC): whole
 * items, eventually, the last writer wins. docs/design/regions.md
 *
 * Once a file has a log (table_log_enable()), every change to one of its global tables is stamped and
 * logged in the transaction that makes it, by whichever process makes it. A change is (stamp, origin): wall
 * time, never less than what the item had before, and the region that wrote it. The greater one stands, so
 * whatever order changes arrive in, and however often, all regions end with the same items. A removed item
 * leaves its stamp behind until nothing older can arrive any more.
 *
 * Only for stores in SQLite; DynamoDB does all of this itself. */
#pragma once

#include "store/tables.h"

#define TABLE_LOG_TABLES_MAX 16u
#define TABLE_LOG_NAME_BYTES_MAX 63u /* of a region */

struct table_change {
    struct table_key key;
    struct px_str document; /* ptr NULL: the item was removed */
    int64_t version, expires_ns;
    int64_t stamp_ns;
    struct px_str origin;
    int64_t seq; /* place in the log that it was read from; not looked at when applied */
};

/* Make the log of the store's file, or find it: `origin` is the region, `tables` are global. Stores on
 * this file that are opened later log. Faults: PX_F_CONFIG when the log is another region's. */
PX_MUST_USE int table_log_enable(struct table_store *store, struct px_str origin,
                                 const struct px_str *tables, size_t table_count);

struct table_log_state {
    char id[33];         /* of this log; a new one is another log */
    int64_t last_seq;    /* 0: nothing was ever logged */
    int64_t trimmed_seq; /* what stood up to here is not in the log any more */
    int64_t rows;        /* in the log */
};
PX_MUST_USE int table_log_state(struct table_store *store, struct table_log_state *ret_state);

/* Changes behind after_seq, in order, stamped before before_ns; as many as fit into count_max and, but for
 * the first, bytes_max. */
struct table_log_query {
    int64_t after_seq, before_ns;
    size_t count_max, bytes_max;
};
PX_MUST_USE int table_log_read(struct table_store *store, const struct table_log_query *query,
                               struct px_arena *arena, struct table_change **ret_changes,
                               size_t *ret_count);
/* All items that stand, and removals that are remembered, into the log once more: for a region that knows nothing
 * of what was trimmed. */
PX_MUST_USE int table_log_repeat(struct table_store *store);
/* Forget what stands up to seq, which all other regions have. */
PX_MUST_USE int table_log_trim(struct table_store *store, int64_t seq);
/* Of the changes of one item keep the last: while a region is away the log is then no larger than the tables. */
PX_MUST_USE int table_log_compact(struct table_store *store);

/* ---- the other end ---- */

struct table_log_cursor { /* how far another region's log was applied here */
    char id[33];          /* empty: nothing was */
    int64_t seq;
};
PX_MUST_USE int table_log_cursor(struct table_store *store, struct px_str peer,
                                 struct table_log_cursor *ret_cursor);
/* Apply changes of `peer`'s log in one transaction with the cursor; ret_applied says how many were newer than
 * what stood here. The cursor's seq need not be the last change's.
 *   complete_ns  all of the peer's changes that are stamped before it are here now; 0: not known */
PX_MUST_USE int table_log_apply(struct table_store *store, struct px_str peer,
                                const struct table_log_cursor *cursor,
                                const struct table_change *changes, size_t count,
                                int64_t complete_ns, size_t *ret_applied);
/* Where a walk over the stamps goes on; zeros: at their beginning. */
struct table_log_place {
    char table[33], partition[513], sort[513];
    size_t partition_bytes, sort_bytes;
};
/* Forget stamps of removed and expired items that nothing older can arrive for, since each of the peers has
 * been complete up to then. Looks at no more than max stamps, so that writers do not wait, and goes on from
 * there the next time. */
PX_MUST_USE int table_log_forget(struct table_store *store, const struct px_str *peers,
                                 size_t peer_count, size_t max, struct table_log_place *place,
                                 size_t *ret_removed);
