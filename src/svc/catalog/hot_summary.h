/* svc/catalog/hot_summary.h - what a dataset has in hot files beyond its marks: rows that no segment holds
 * yet. Reads frame headers only. */
#pragma once

#include "columnar/schema.h"
#include "store/hot.h"
#include "svc/catalog/catalog.h"

struct hot_summary {
    uint64_t rows;
    uint64_t bytes; /* of the frames */
    int64_t time_min_us, time_max_us;
    struct seal_mark *marks; /* from each writer's mark to its last frame here; those that moved */
    size_t mark_count;
    bool partial; /* more bytes than bytes_max: the rest was not looked at */
};
/* files: the dataset's, ordered as hot_list() gives them. schema may be NULL; otherwise the frames'
 * columns are merged into it. */
PX_MUST_USE int hot_summarize(const struct hot_file *files, size_t count,
                              const struct writer_mark *marks, size_t mark_count,
                              uint64_t bytes_max, struct schema *schema, struct px_arena *arena,
                              struct hot_summary *ret_summary);
