/* svc/storage/storage.h - what happens to data after it was accepted.
 *
 *   seal     hot frames -> a Parquet segment -> one catalog transaction -> the hot files go
 *   compact  segments -> larger, time-sorted Parquet by day (tenant/dataset/date=YYYY-MM-DD/)
 *   retain   what is older than its retention, dead segments past their grace, leftovers of crashes
 *   ttl      expired items of the key-value tables
 *
 * Each operation may be killed at any instruction and run by several processes at once: data moves
 * only in catalog transactions (svc/catalog/catalog.h), objects are whole or absent, and what a crash
 * leaves behind is found and removed by the next retain. docs/design/storage.md walks through it.
 *
 * One dataset's trouble does not stop the others: it is reported, counted in `failed`, and the
 * operation goes on. A file or object that cannot be read is set aside, never removed. */
#pragma once

#include "base/px_clock.h"
#include "columnar/frame.h"
#include "sql/engine.h"
#include "store/hot.h"
#include "store/objects.h"
#include "store/readers.h"
#include "store/tables.h"
#include "svc/catalog/catalog.h"
#include "svc/catalog/lifecycle.h"

struct storage; /* opaque; one thread */

struct storage_limits {
    uint64_t memory_bytes;   /* of DuckDB; 0: 1 GiB */
    uint32_t threads;        /* 0: 2 */
    struct px_str temp_dir;  /* for sorting more than memory holds; empty: not possible */
    uint64_t temp_bytes_max; /* 0: 8 GiB */
};
/* Things that went wrong without ending the operation. */
enum storage_event { STORAGE_SET_ASIDE, STORAGE_FAILED };
struct storage_notice {
    enum storage_event event;
    struct px_str tenant, dataset;
    struct px_str what; /* file or object; empty for STORAGE_FAILED */
    struct px_str why;
};
struct storage_options { /* all borrowed; they outlive the storage */
    struct hot_store *hot;
    struct px_str hot_root; /* its folder: empty folders of deleted tenants are removed from it */
    struct object_store *segments, *analytics;
    struct object_readers *readers; /* NULL where both are folders */
    struct sql_remote remote;       /* needed where one is not */
    struct table_store *tables;
    struct catalog *catalog;
    const struct lifecycle *lifecycle;
    const struct px_clock *clock; /* ages of data; NULL: the machine's */
    struct storage_limits limits;
    void (*notify)(void *ctx, const struct storage_notice *notice); /* may be NULL */
    void *notify_ctx;
    /* For tests, with notify_ctx: a fault stands for DuckDB's refusal to write these frames. */
    int (*write_fault)(void *ctx, const struct frame *frames, size_t count);
};
PX_MUST_USE int storage_new(const struct storage_options *options, struct storage **ret_storage);
void storage_free(struct storage **storage);

struct storage_scope {
    struct px_str tenant, dataset; /* empty: all */
    int64_t deadline_mono_ns;      /* no new step is begun after it; 0: none */
};
struct storage_counts {
    uint64_t datasets; /* that something was done to */
    uint64_t frames, rows;
    uint64_t bytes_in, bytes_out;
    uint64_t segments_in; /* compact: replaced; retain: expired */
    uint64_t objects;     /* written */
    uint64_t objects_removed, files_removed;
    uint64_t items_removed; /* ttl: table items; retain: marks */
    uint64_t set_aside, conflicts, failed;
    bool more; /* stopped at the deadline with work left */
};
/* Each adds to *counts. Faults: only what concerns all datasets, such as the catalog itself. */
PX_MUST_USE int storage_seal(struct storage *storage, const struct storage_scope *scope,
                             struct storage_counts *counts);
PX_MUST_USE int storage_compact(struct storage *storage, const struct storage_scope *scope,
                                struct storage_counts *counts);
PX_MUST_USE int storage_retain(struct storage *storage, const struct storage_scope *scope,
                               struct storage_counts *counts);
PX_MUST_USE int storage_ttl(struct storage *storage, const struct storage_scope *scope,
                            struct storage_counts *counts);
