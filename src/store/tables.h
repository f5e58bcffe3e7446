/* store/tables.h - key-value items with conditional writes and expiry, DynamoDB's shape: a table, a
 * partition key, a sort key, a JSON document, a version, an expiry time.
 *
 * Embedded half: one SQLite file in WAL mode with synchronous=FULL, shared by all processes of the
 * region (busy waits bounded by busy_ms).
 * AWS half: DynamoDB tables, laid out as infra/global/README.md says. Reads are consistent within
 * the region; between regions the last writer wins (docs/design/aws.md). Whoever put an item
 * succeeds exactly once, also when an answer was lost and the request was sent again.
 * An expired item counts as absent in every call, whether or not it was removed yet. */
#pragma once

#include "base/px.h"
#include "base/px_arena.h"
#include "base/px_clock.h"

struct cloud_shared; /* aws/shared.h */
struct table_store;  /* opaque; one per thread */
enum table_answer { TABLE_ABSENT = 1, TABLE_CONDITION_FAILED };

struct table_options {
    const struct px_clock *clock; /* borrowed; NULL: the machine's */
    int busy_ms; /* how long to wait for another process, or for DynamoDB with retries; 0: 5000 */
    struct cloud_shared *cloud; /* borrowed; for DynamoDB; NULL: the store makes its own */
};
/* url: path of the SQLite file (created when absent, mode 0600), or "dynamodb://prefix" for the
 * tables "<prefix>-<table>", which exist.
 * Faults with DynamoDB, here and later: those of cloud_call(); PX_F_CONFIG for a missing table. */
PX_MUST_USE int table_store_open(struct px_str url, const struct table_options *options,
                                 struct table_store **ret_store);
void table_store_close(struct table_store **store);

struct table_key {
    struct px_str table;     /* "tenants", "keys", "idempotency", ... [a-z_]{1,32} */
    struct px_str partition; /* 1..512 bytes; UTF-8, or DynamoDB refuses with PX_F_LIMIT */
    struct px_str sort;      /* 0..512 bytes, likewise */
};
struct table_item {
    struct px_str partition, sort;
    struct px_str document; /* JSON text, up to 256 KiB */
    int64_t version;        /* 1 at creation, +1 on each put */
    int64_t expires_ns;     /* wall time; 0: never; DynamoDB rounds up to a second */
};
/* Answers: TABLE_ABSENT. */
PX_MUST_USE int table_get(struct table_store *store, const struct table_key *key,
                          struct px_arena *arena, struct table_item *ret_item);

/* Items of one table, at most TABLE_KEYS_MAX keys: (*ret_items)[i] is that of keys[i], with version 0 where there
 * is none. A key may stand there twice. All of them together are at most 16 MiB. */
#define TABLE_KEYS_MAX 100u
PX_MUST_USE int table_get_all(struct table_store *store, const struct table_key *keys, size_t count,
                              struct px_arena *arena, struct table_item **ret_items);

enum table_condition {
    TABLE_ANY,     /* put whatever stands there */
    TABLE_NEW,     /* only when absent (or expired) */
    TABLE_VERSION, /* only when present with `version` */
};
struct table_put {
    struct table_key key;
    struct px_str document;
    int64_t expires_ns;
    int64_t version; /* for TABLE_VERSION */
    enum table_condition condition;
    bool relaxed; /* may be lost on power failure (not on a crash of the process) */
};
/* Answers: TABLE_CONDITION_FAILED; then, if ret_current is not NULL, the item that stood in the way
 * is written to it (document empty and version 0 when it was absent). ret_version may be NULL. */
PX_MUST_USE int table_put(struct table_store *store, const struct table_put *put,
                          struct px_arena *arena, int64_t *ret_version,
                          struct table_item *ret_current);
/* All of them or none, in one transaction (DynamoDB: TransactWriteItems, at most 100).
 * Answers: TABLE_CONDITION_FAILED, ret_failed (may be NULL) says which. A put with document.ptr
 * NULL is a delete. No key stands there twice. */
PX_MUST_USE int table_put_all(struct table_store *store, const struct table_put *puts, size_t count,
                              size_t *ret_failed);
/* Absent is fine with TABLE_ANY. Answers: TABLE_CONDITION_FAILED. */
PX_MUST_USE int table_delete(struct table_store *store, const struct table_key *key,
                             enum table_condition condition, int64_t version);
/* Items of one partition in key order, after (after_partition, after_sort), at most max. With an empty
 * key.partition those of the whole table: each once when a walk goes on after the last item that it
 * got; in key order with SQLite, in an order of its own with DynamoDB. */
struct table_query {
    struct table_key key; /* sort: a prefix */
    struct px_str after_partition, after_sort;
    size_t max;
};
PX_MUST_USE int table_query(struct table_store *store, const struct table_query *query,
                            struct px_arena *arena, struct table_item **ret_items,
                            size_t *ret_count);
/* Remove at most max expired items (DynamoDB does it by itself: 0 are). */
PX_MUST_USE int table_expire(struct table_store *store, size_t max, size_t *ret_removed);
