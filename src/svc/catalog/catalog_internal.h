/* svc/catalog/catalog_internal.h - what the files of the catalog share: the open catalog, transactions
 * and rows of the tables in catalog_schema.c. */
#pragma once

#include "svc/catalog/catalog.h"

#define CATALOG_MAGIC 0x676c7463u /* "ctlg" */

struct catalog {
    uint32_t magic;
    struct meta *meta; /* borrowed */
    const struct px_clock *clock;
    int64_t say_again_ns; /* catalog_say does nothing before (monotonic) */
};

/* segments.state; on-disk numbers. */
enum segment_state { SEGMENT_LIVE = 1, SEGMENT_DEAD = 2, SEGMENT_QUARANTINED = 3 };

/* The schema of a dataset that has nothing yet. */
#define CATALOG_EMPTY_SCHEMA "[{\"name\":\"time\",\"type\":\"time\"}]"

/* Text that may be an empty view without pointer: '' and not NULL. */
static inline struct meta_value catalog_text(struct px_str text)
{
    return meta_s(text.ptr ? text : S(""));
}

/* Run a statement without rows; no answer of meta is expected here. */
int catalog_exec(struct catalog *catalog, const char *sql, const struct meta_value *params,
                 size_t count, int64_t *ret_changed);
/* Run a SELECT that gives exactly one row or none (answer META_END), and copy its integers out. */
int catalog_select_ints(struct catalog *catalog, const char *sql, const struct meta_value *params,
                        size_t count, int64_t *values, size_t columns);

/* Run body in a write transaction: committed when it returns 0, otherwise rolled back and its answer
 * or fault returned. */
int catalog_write(struct catalog *catalog, int (*body)(struct catalog *catalog, const void *ctx),
                  const void *ctx);
/* Likewise for a read: one snapshot. */
int catalog_snapshot_read(struct catalog *catalog, enum meta_mode mode,
                          int (*body)(struct catalog *catalog, void *ctx), void *ctx);

/* The columns of a segment row, in the order that segment_from_row() expects. */
#define SEGMENT_COLUMNS                                                                            \
    "id, object_key, tier, time_min_us, time_max_us, row_count, byte_count, created_ns, "          \
    "schema_json, stats_json"
#define SEGMENT_COLUMN_COUNT 10
/* Copy a row into arena. `previous` (may be NULL) lends its schema text when it is the same, since
 * the segments of a dataset mostly agree. */
int segment_from_row(const struct meta_value *row, const struct segment *previous,
                     struct px_arena *arena, struct segment *ret_segment);

/* Inside a write transaction. */
int catalog_bump(struct catalog *catalog,
                 const struct dataset_key *key); /* answers CATALOG_ABSENT */
/* A live one becomes dead. Answers: CATALOG_CONFLICT when it is not live. */
int catalog_end_segment(struct catalog *catalog, const struct dataset_key *key, int64_t id);
/* What stands in `retention` of a dataset (name empty: of all): days 0 and no rules remove it. */
int catalog_put_rules(struct catalog *catalog, const struct dataset_key *key, int64_t days,
                      struct px_str rules, int64_t *ret_changed);
int catalog_insert_segments(struct catalog *catalog, const struct dataset_key *key,
                            const struct segment *segments, size_t count);
int catalog_move_marks(struct catalog *catalog, const struct dataset_key *key,
                       const struct seal_mark *marks, size_t count);
