/* columnar/values.h - the values of one type in one column of a batch, without gaps, and the rows
 * that have them. Internal to columnar.
 *
 * Memory is proportional to the values put, not to rows times columns: rows are kept as runs, so a
 * field that one row in a thousand has costs 8 bytes where it appears. Strings begin as a
 * dictionary (a code a value); one whose values turn out to be mostly different becomes one byte
 * buffer plus lengths. The last value can be taken back, which is how a row is aborted. */
#pragma once

#include "base/px.h"
#include "columnar/type.h"

/* Bytes on the heap that grow and are reused; no ceiling of their own (the batch counts). */
struct values_vec {
    char *ptr;
    size_t cap;
};
struct values_run {
    uint32_t row, count;
};
struct values_entry { /* of the dictionary, in order of first appearance */
    uint32_t offset, len;
    uint32_t hash;
    uint32_t first; /* index of the value that brought it */
};

struct values {
    enum col_type type; /* never MIXED */
    uint32_t count;
    uint32_t run_count;
    bool is_dict;
    uint32_t dict_count, slot_count;
    size_t text_bytes;       /* in text, or in dict_text while is_dict */
    struct values_vec fixed; /* numbers; for text its lengths, or codes while is_dict: uint32 */
    struct values_vec runs;  /* struct values_run */
    struct values_vec text, dict_text;
    struct values_vec entries, slots; /* struct values_entry; uint32 entry + 1, 0 empty */
    struct values *next;              /* same column, another type; or the batch's spare list */
};

/* Empty, of a type; memory of an earlier life is kept. */
PX_MUST_USE int values_start(struct values *values, enum col_type type);
void values_deinit(struct values *values);
/* Append. row is larger than any before. Faults: PX_F_OOM. */
PX_MUST_USE int values_add_word(struct values *values, uint32_t row, uint64_t bits);
PX_MUST_USE int values_add_bool(struct values *values, uint32_t row, bool value);
PX_MUST_USE int values_add_text(struct values *values, uint32_t row, struct px_str text);
/* Take the last value back. */
void values_pop(struct values *values);
/* Bytes that a new value's row costs beside the value itself. */
size_t values_row_cost(const struct values *values, uint32_t row);
size_t values_held_bytes(const struct values *values);
/* Whether all, of type INT, are exact as DOUBLE. */
bool values_ints_fit_double(const struct values *values);

/* Exact as DOUBLE, and every INT beside it too, so that equal stays equal. */
static inline bool int_fits_double(int64_t value)
{
    return value >= -(INT64_C(1) << 53) && value <= INT64_C(1) << 53;
}
static inline bool col_type_is_text(enum col_type type)
{
    return type == COL_STRING || type == COL_JSON || type == COL_MIXED;
}
static inline const int64_t *values_ints(const struct values *values)
{
    return (const int64_t *)(const void *)values->fixed.ptr;
}
static inline const double *values_doubles(const struct values *values)
{
    return (const double *)(const void *)values->fixed.ptr;
}
static inline const uint8_t *values_bools(const struct values *values)
{
    return (const uint8_t *)values->fixed.ptr;
}
static inline const uint32_t *values_lens(const struct values *values) /* or codes */
{
    return (const uint32_t *)(const void *)values->fixed.ptr;
}
static inline const struct values_run *values_runs(const struct values *values)
{
    return (const struct values_run *)(const void *)values->runs.ptr;
}
static inline const struct values_entry *values_entries(const struct values *values)
{
    return (const struct values_entry *)(const void *)values->entries.ptr;
}

/* Walks values in row order, beside the rows. */
struct values_cursor {
    const struct values *values;
    uint32_t run, in_run, index;
    size_t text_offset;
};
/* Whether `row` has a value; if so ret_index is its number and the cursor moves on. Rows are asked
 * for in rising order without a gap. */
static inline bool values_cursor_at(struct values_cursor *cursor, uint32_t row, uint32_t *ret_index)
{
    if (cursor->run == cursor->values->run_count) return false;
    const struct values_run *run = &values_runs(cursor->values)[cursor->run];
    if (run->row + cursor->in_run != row) return false;
    if (++cursor->in_run == run->count) {
        cursor->run++;
        cursor->in_run = 0;
    }
    *ret_index = cursor->index++;
    return true;
}
/* The text of value `index`; indexes are asked for in rising order without a gap. */
struct px_str values_cursor_text(struct values_cursor *cursor, uint32_t index);

/* Room for bytes in all; old content stands. False: out of memory. */
bool values_vec_room(struct values_vec *vec, size_t bytes);
