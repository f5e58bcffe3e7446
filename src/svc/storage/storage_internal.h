/* svc/storage/storage_internal.h - what the operations share. */
#pragma once

#include "sql/engine.h"
#include "sql/hot_table.h"
#include "svc/storage/parquet.h"
#include "svc/storage/storage.h"

#define STORAGE_MAGIC 0x726f7473u /* "stor" */
/* Objects under this prefix of the segments store were set aside for people to look at. */
#define QUARANTINE_PREFIX "_quarantine/"
#define STORAGE_ARENA_BYTES_MAX ((size_t)1 << 30)

struct storage {
    uint32_t magic;
    struct storage_options options;
    struct hot_sets sets;      /* what prism_hot(0) scans: one set, changed between statements */
    struct sql_engine *engine; /* opened at first use, after that for the storage's life */
    uint64_t reader;           /* whose credentials the engine has; 0: none */
    char spill_dir[512];       /* DuckDB's alone: its files there have fixed names; empty: none */
};

/* Folders for spilling are called this and a UUIDv7, in limits.temp_dir. */
#define SPILL_PREFIX "storage-spill-"

/* The engine, opened when it is not yet. */
int storage_engine(struct storage *storage, struct sql_engine **ret_engine);
/* Whether the tenant is at home here and stays; while it moves, the catalog is the move's (move.h). */
PX_MUST_USE int storage_is_settled(struct storage *storage, struct px_str tenant,
                                   bool *ret_settled);
/* Hot files, folders and fence of a deleted tenant. held_too: also files that a writer still holds. */
PX_MUST_USE int storage_remove_hot(struct storage *storage, struct px_str tenant, bool held_too,
                                   struct px_arena *arena, struct storage_counts *counts);
bool storage_late(const struct storage_scope *scope, struct storage_counts *counts);
/* Count a fault of one dataset and tell about it; the operation goes on. */
void storage_failed(struct storage *storage, struct px_str tenant, struct px_str dataset, int fault,
                    struct storage_counts *counts);
void storage_set_aside(struct storage *storage, struct px_str tenant, struct px_str dataset,
                       struct px_str what, struct px_str why, struct storage_counts *counts);

static inline struct object_store *storage_tier(const struct storage *storage,
                                                enum segment_tier tier)
{
    return tier == TIER_ANALYTICS ? storage->options.analytics : storage->options.segments;
}
