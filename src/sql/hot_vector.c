/* sql/hot_vector.c - see hot_vector.h. Whole runs of fixed-size values are copied with memcpy and
 * validity by words; only a frame that is cut by the time range goes row by row. */
#include "sql/hot_vector.h"

static bool is_valid(const struct frame_values *values, uint32_t row)
{
    return !values->validity || (values->validity[row >> 6] >> (row & 63) & 1);
}

/* Whether any of the rows is NULL; sets the vector's validity. */
static void fill_validity(duckdb_vector out, const struct frame_values *values,
                          const struct hot_rows *rows)
{
    if (!values->validity) return;
    duckdb_vector_ensure_validity_writable(out);
    uint64_t *mask = duckdb_vector_get_validity(out);
    if (!rows->rows && rows->first % 64 == 0) {
        memcpy(mask, values->validity + rows->first / 64, (rows->count + 63) / 64 * sizeof(*mask));
        return;
    }
    for (uint32_t i = 0; i < rows->count; i++)
        duckdb_validity_set_row_validity(mask, i, is_valid(values, hot_row(rows, i)));
}

static void fill_fixed(void *out, const void *values, size_t width, const struct hot_rows *rows)
{
    const char *from = values;
    char *to = out;
    if (!rows->rows) {
        memcpy(to, from + (size_t)rows->first * width, (size_t)rows->count * width);
        return;
    }
    for (uint32_t i = 0; i < rows->count; i++)
        memcpy(to + i * width, from + (size_t)hot_row(rows, i) * width, width);
}

/* DuckDB's string: up to 12 bytes inline, else length, first 4 bytes and a pointer. */
static void set_text(duckdb_string_t *out, struct px_str text)
{
    memset(out, 0, sizeof(*out));
    out->value.inlined.length = (uint32_t)text.len;
    if (text.len <= sizeof(out->value.inlined.inlined)) {
        if (text.len > 0) memcpy(out->value.inlined.inlined, text.ptr, text.len);
        return;
    }
    memcpy(out->value.pointer.prefix, text.ptr, sizeof(out->value.pointer.prefix));
    out->value.pointer.ptr = (char *)text.ptr;
}

static void fill_texts(duckdb_vector out, const struct frame_values *values,
                       const struct hot_rows *rows)
{
    duckdb_string_t *texts = duckdb_vector_get_data(out);
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t row = hot_row(rows, i);
        struct px_str text = {0};
        if (is_valid(values, row))
            text = values->dict ? values->dict[values->codes[row]] : values->s[row];
        set_text(&texts[i], text);
    }
}

static void fill_dictionary(duckdb_vector out, const struct frame_values *values,
                            const struct hot_rows *rows, duckdb_vector dictionary)
{
    duckdb_selection_vector selection = duckdb_create_selection_vector(rows->count);
    sel_t *codes = duckdb_selection_vector_get_data_ptr(selection);
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t row = hot_row(rows, i);
        codes[i] = is_valid(values, row) ? values->codes[row] : values->dict_count;
    }
    duckdb_vector_reference_vector(out, dictionary);
    duckdb_slice_vector(out, selection, rows->count);
    duckdb_destroy_selection_vector(selection);
}

void hot_vector_fill(duckdb_vector out, const struct frame_values *values,
                     const struct hot_rows *rows, duckdb_vector dictionary)
{
    if (dictionary) {
        fill_dictionary(out, values, rows, dictionary);
        return;
    }
    void *data = duckdb_vector_get_data(out);
    switch (values->type) {
    case COL_BOOL: fill_fixed(data, values->b, 1, rows); break;
    case COL_INT:
    case COL_TIME: fill_fixed(data, values->i, sizeof(int64_t), rows); break;
    case COL_DOUBLE: fill_fixed(data, values->d, sizeof(double), rows); break;
    case COL_STRING:
    case COL_JSON:
    case COL_MIXED: fill_texts(out, values, rows); break;
    }
    fill_validity(out, values, rows);
}

duckdb_vector hot_dictionary_new(const struct frame_values *values)
{
    if (!values->dict) return NULL;
    duckdb_logical_type type = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_vector dictionary = duckdb_create_vector(type, (idx_t)values->dict_count + 1);
    duckdb_destroy_logical_type(&type);
    if (!dictionary) return NULL;
    duckdb_string_t *texts = duckdb_vector_get_data(dictionary);
    for (uint32_t i = 0; i < values->dict_count; i++) set_text(&texts[i], values->dict[i]);
    set_text(&texts[values->dict_count], (struct px_str){0});
    duckdb_vector_ensure_validity_writable(dictionary);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(dictionary), values->dict_count);
    return dictionary;
}
