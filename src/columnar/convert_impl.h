/* columnar/convert_impl.h - between convert.c and convert_other.c. */
#pragma once

#include "columnar/convert.h"
#include "columnar/convert_value.h"

/* Arrays of a frame's rows, zeroed, every row NULL. */
PX_MUST_USE int convert_all_null(const struct frame *frame, enum col_type type,
                                 struct px_arena *arena, struct frame_values *ret_values);
/* The column `_other`. */
PX_MUST_USE int convert_other(const struct schema *schema, const struct frame *frame,
                              struct px_arena *arena, struct frame_values *ret_values);
