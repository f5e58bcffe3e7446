/* columnar/batch.h - rows on their way in: decoders put fields row by row, the batch keeps them as
 * typed columns, frame_encode() writes them out.
 *
 * A batch belongs to one invocation; it is reset, not freed, between invocations, so its memory is
 * reused. Memory is bounded by bytes_max: reaching it is an answer. Columns are found by name with
 * a cursor that expects the order of the previous row, so rows of one shape cost no hashing. */
#pragma once

#include "base/px.h"
#include "base/px_buf.h"
#include "columnar/type.h"

struct batch; /* opaque */
enum batch_answer { BATCH_FULL = 1, BATCH_TOO_MANY_COLUMNS, BATCH_BAD_NAME };

struct batch_limits {
    size_t bytes_max;         /* all column data together; 0: 64 MiB; at most 1 GiB */
    uint32_t rows_max;        /* 0: 1,000,000; at most 4,194,304 */
    uint32_t columns_max;     /* per batch; 0: SCHEMA_COLUMNS_MAX */
    uint32_t row_columns_max; /* per row; 0: 1000 */
    /* Rows times columns: what a frame takes when it is decoded, whether a row has the column or
     * not. A request of a few megabytes would need gigabytes without it. 0: 16,777,216 */
    uint64_t cells_max;
    /* Every value with its name, as in JSON: what `_other` takes when no value finds a place in
     * the dataset. 0: 160 MiB, with escapes less than one block of a frame may have */
    size_t named_bytes_max;
};
PX_MUST_USE int batch_new(const struct batch_limits *limits, struct batch **ret_batch);
void batch_free(struct batch **batch);
void batch_reset(struct batch *batch);

/* A row is begun, filled, then ended or aborted; an aborted row leaves no trace. The put calls:
 *   name   1..COL_NAME_BYTES_MAX bytes of UTF-8 without control characters, or BATCH_BAD_NAME; so
 *          is `time`, which has its own call. Names that differ in (ASCII) case only are one
 *          column, spelled as first seen.
 *   utf8, json_text   copied; the caller has made sure that they are UTF-8, and JSON
 *   A name put twice in a row keeps the last value. A value of another type than the column so far
 *   turns the column into COL_MIXED (except INT and DOUBLE, which become DOUBLE, unless an INT is
 *   beyond 2^53 and would lose digits).
 * Answers as in the enum; after one, or a fault, only batch_row_abort() is allowed. */
void batch_row_begin(struct batch *batch);
PX_MUST_USE int batch_put_time(struct batch *batch, int64_t unix_us); /* the `time` column; once */
PX_MUST_USE int batch_put_time_field(struct batch *batch, struct px_str name, int64_t unix_us);
PX_MUST_USE int batch_put_bool(struct batch *batch, struct px_str name, bool value);
PX_MUST_USE int batch_put_int(struct batch *batch, struct px_str name, int64_t value);
PX_MUST_USE int batch_put_double(struct batch *batch, struct px_str name, double value);
PX_MUST_USE int batch_put_str(struct batch *batch, struct px_str name, struct px_str utf8);
PX_MUST_USE int batch_put_json(struct batch *batch, struct px_str name, struct px_str json_text);
/* The row must have its time. Answers: BATCH_FULL (the row is aborted). */
PX_MUST_USE int batch_row_end(struct batch *batch);
void batch_row_abort(struct batch *batch);

uint32_t batch_rows(const struct batch *batch);
size_t batch_bytes(const struct batch *batch);
uint32_t batch_columns(const struct batch *batch);
/* The view is valid until the next put. */
struct px_str batch_column_name(const struct batch *batch, uint32_t column);
enum col_type batch_column_type(const struct batch *batch, uint32_t column);
