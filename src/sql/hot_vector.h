/* sql/hot_vector.h - decoded frame values into DuckDB vectors. */
#pragma once

#include <duckdb.h>

#include "columnar/frame.h"

/* Rows of a frame for one chunk: rows[0..count), or first, first + 1, ... when rows is NULL. */
struct hot_rows {
    const uint32_t *rows;
    uint32_t first, count;
};
static inline uint32_t hot_row(const struct hot_rows *rows, uint32_t i)
{
    return rows->rows ? rows->rows[rows->first + i] : rows->first + i;
}
/* Fill a vector. Texts stay where they are, so `values` must live until DuckDB asks for the next
 * chunk. dictionary: NULL, or what hot_dictionary_new() made of these values. */
void hot_vector_fill(duckdb_vector out, const struct frame_values *values,
                     const struct hot_rows *rows, duckdb_vector dictionary);
/* A vector of the dictionary's texts with one NULL behind them, shared by all chunks of a frame;
 * freed with duckdb_destroy_vector(). NULL when the values are no dictionary. */
duckdb_vector hot_dictionary_new(const struct frame_values *values);
