/* svc/query/view.h - the SQL of the view that stands for a dataset. */
#pragma once

#include "lambda/restriction.h"
#include "svc/query/snapshot.h"

/* Append CREATE OR REPLACE VIEW for a snapshot whose hot frames are in `slot` of the registered hot_sets.
 *
 * Files of one schema that is the dataset's, and no hot frames: FROM read_parquet([...]), so that
 * everything DuckDB does with Parquet works as it does there. Else a UNION ALL of one branch for each
 * schema among the files and one for the hot frames, each with all columns of the dataset in order:
 * what a file lacks is NULL, what it has in another type is converted where it can be.
 *
 * restriction: NULL, or whose conditions on rows the view has. It is then a wall as well: nothing of the statement is
 * evaluated on a row that it leaves out, because an error could tell of it. */
PX_MUST_USE int view_add(const struct snapshot *snapshot, const struct restriction *restriction,
                         size_t slot, struct px_arena *arena, struct px_buf *sql);
