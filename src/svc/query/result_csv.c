/* svc/query/result_csv.c - RFC 4180: a header line, CRLF, quotes where needed. NULL is an empty field, an
 * empty text a quoted one. */
#include "svc/query/result.h"

static bool needs_quotes(struct px_str field)
{
    if (field.len == 0) return true;
    for (size_t i = 0; i < field.len; i++) {
        char c = field.ptr[i];
        if (c == ',' || c == '"' || c == '\n' || c == '\r') return true;
    }
    return false;
}

static void add_quoted(struct px_buf *buf, struct px_str field)
{
    px_buf_add_char(buf, '"');
    for (size_t i = 0; i < field.len; i++) {
        if (field.ptr[i] == '"') px_buf_add_char(buf, '"');
        px_buf_add_char(buf, field.ptr[i]);
    }
    px_buf_add_char(buf, '"');
}

static void add_field(struct px_buf *buf, struct px_str field)
{
    if (needs_quotes(field))
        add_quoted(buf, field);
    else
        px_buf_add_str(buf, field);
}

static void scratch_free(struct result_out *out)
{
    struct px_buf *scratch = out->state;
    if (scratch) px_buf_deinit(scratch);
    out->state = NULL;
}

static int begin(struct result_out *out)
{
    struct px_buf *scratch = px_arena_new(out->arena, struct px_buf);
    if (!scratch) return px_fault(px_arena_fault(out->arena), "csv");
    px_buf_init(scratch, out->buf->limit_bytes);
    out->state = scratch;
    for (idx_t i = 0; i < out->column_count; i++) {
        if (i > 0) px_buf_add_char(out->buf, ',');
        add_field(out->buf, out->names[i]);
    }
    px_buf_add_c(out->buf, "\r\n");
    return 0;
}

static int add_chunk(struct result_out *out, duckdb_data_chunk chunk, idx_t rows)
{
    struct px_buf *scratch = out->state;
    for (idx_t row = 0; row < rows; row++) {
        for (idx_t i = 0; i < out->column_count; i++) {
            if (i > 0) px_buf_add_char(out->buf, ',');
            px_buf_clear(scratch);
            if (cell_add_text(scratch, &out->types[i], duckdb_data_chunk_get_vector(chunk, i), row))
                add_field(out->buf, px_buf_str(scratch));
        }
        px_buf_add_c(out->buf, "\r\n");
    }
    PX_TRY(px_buf_fault(scratch));
    return 0;
}

static int end(struct result_out *out, const struct query_cost *cost, bool truncated)
{
    (void)out, (void)cost, (void)truncated;
    return 0;
}

const struct result_format result_csv = {
    .name = {"csv", 3},
    .content_type = {"text/csv; charset=utf-8", 23},
    .needs_types = true,
    .begin = begin,
    .chunk = add_chunk,
    .end = end,
    .free = scratch_free,
};
