/* svc/query/snapshot.h - what one query sees of one dataset: the live segments of its time range and the
 * hot frames that are in none of them, at one version of the catalog. */
#pragma once

#include "columnar/schema.h"
#include "sql/hot_table.h"
#include "store/hot.h"
#include "store/objects.h"
#include "svc/catalog/catalog.h"

/* How far hot files were found to be sealed, so that a query does not go over it again: a file stays for
 * minutes after its frames were sealed, and holds tens of megabytes. Of one process; zeros are empty. */
#define SNAPSHOT_MEMORY_FILES 1024
struct snapshot_memory {
    struct {
        uint64_t path[2]; /* hash */
        struct hot_bookmark bookmark;
    } files[SNAPSHOT_MEMORY_FILES];
};
struct snapshot_stores {
    struct hot_store *hot;
    struct object_store *segments, *analytics;
    struct catalog *catalog;
    struct snapshot_memory *memory; /* may be NULL */
};
struct snapshot_file {
    struct px_str url;         /* something DuckDB opens */
    struct px_str schema_json; /* its columns */
    int64_t rows;
    struct object_store *store; /* which has it under this key */
    struct px_str key;
    uint64_t bytes;
};
struct snapshot {
    struct px_str dataset;
    struct snapshot_file *files;
    size_t file_count;
    struct hot_set
        hot; /* frames of the range in order of acceptance; its schema is the dataset's */
    struct hot_reader **readers; /* keep the frames mapped */
    size_t reader_count, reader_cap;
    size_t hot_files_read, pruned; /* files */
    size_t damaged;                /* hot frames that fail their check and are left out */
};
enum snapshot_answer { SNAPSHOT_ABSENT = 1 };
/* Answers: SNAPSHOT_ABSENT: the tenant has no such dataset.
 * Faults: PX_F_BUSY when the dataset changed during every attempt. */
PX_MUST_USE int snapshot_take(const struct snapshot_stores *stores, struct px_str tenant,
                              struct px_str dataset, int64_t start_us, int64_t end_us,
                              struct px_arena *arena, struct snapshot *ret_snapshot);
void snapshot_release(struct snapshot *snapshot); /* a zeroed one is a no-op */
/* The names of all datasets of a tenant, sealed or only hot, in order. */
PX_MUST_USE int snapshot_datasets(const struct snapshot_stores *stores, struct px_str tenant,
                                  struct px_arena *arena, struct px_str **ret_names,
                                  size_t *ret_count);
