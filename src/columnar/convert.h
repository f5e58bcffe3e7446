/* columnar/convert.h - frame columns seen through a dataset's schema (the rules of schema.h). */
#pragma once

#include "columnar/frame.h"
#include "columnar/schema.h"

/* Merge all columns of a frame into a schema, in column order. Sets *ret_changed when it grew; adds
 * `_other` when a value of this frame can need it (type differs from the column's, or no room). */
PX_MUST_USE int schema_merge_frame(struct schema *schema, const struct frame *frame,
                                   bool *ret_changed);
/* Decode one schema column from a frame, converted to the schema's type; a column that the frame
 * lacks is all NULL (ret_values->validity all clear). For COL_OTHER_NAME the JSON objects are built
 * from whatever does not fit, merged over an `_other` the frame itself has. */
PX_MUST_USE int convert_column(const struct schema *schema, uint32_t column,
                               const struct frame *frame, struct px_arena *arena,
                               struct frame_values *ret_values);
