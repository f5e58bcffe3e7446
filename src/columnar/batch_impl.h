/* columnar/batch_impl.h - the insides of a batch, for frame_encode.c. */
#pragma once

#include "columnar/batch.h"
#include "columnar/values.h"

struct frame_scratch; /* what encoding keeps from frame to frame; frame_encode.c */

struct batch_column {
    char name[COL_NAME_BYTES_MAX];
    uint32_t name_len;
    uint32_t follower;      /* column put after this one last time: the guess for the next put */
    uint64_t row_mark;      /* serial of the row that put it last */
    struct values *row_put; /* where that row's value went */
    struct values *values;  /* one per type seen; those of a replaced value may be empty */
};

struct batch {
    uint64_t magic;
    struct batch_limits limits;
    uint32_t rows, column_count, column_cap;
    struct batch_column *columns; /* [0] is `time` */
    uint32_t *slots;              /* names -> columns, see names.h */
    uint32_t slot_count;
    size_t bytes, named_bytes;
    struct values *spare; /* emptied, memory kept */

    uint64_t row_serial;
    bool in_row, row_has_time;
    int64_t row_time_us;
    size_t row_bytes_before, row_named_before; /* as they were when the row began */
    uint32_t row_columns_before;
    uint32_t *row_log; /* columns put in this row */
    uint32_t row_log_count;
    uint32_t last_put;       /* column, BATCH_NO_COLUMN at the start of a row */
    uint32_t first_follower; /* column that the last row put first */

    struct frame_scratch *scratch;
};

struct frame_scratch *frame_scratch_new(void); /* NULL: out of memory */
void frame_scratch_free(struct frame_scratch *scratch);
size_t frame_scratch_held_bytes(const struct frame_scratch *scratch);
void frame_scratch_trim(struct frame_scratch *scratch); /* memory back to the system */
