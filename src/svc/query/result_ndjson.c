/* svc/query/result_ndjson.c - one JSON object a line. A name that comes a second time gets a number:
 * "a", "a_2". An answer that could not go on ends with the line {"prism_error":{"status","detail"}}. */
#include "svc/query/result.h"

static bool is_taken(const struct px_str *keys, idx_t count, struct px_str key)
{
    for (idx_t i = 0; i < count; i++) {
        if (px_str_eq(keys[i], key)) return true;
    }
    return false;
}

/* The key of each column as JSON text with colon. */
static int begin(struct result_out *out)
{
    struct px_str *keys = px_arena_array(out->arena, struct px_str, out->column_count + 1);
    struct px_str *texts = px_arena_array(out->arena, struct px_str, out->column_count + 1);
    if (!keys || !texts) return px_fault(px_arena_fault(out->arena), "keys");
    for (idx_t i = 0; i < out->column_count; i++) {
        keys[i] = out->names[i];
        for (unsigned n = 2; is_taken(keys, i, keys[i]); n++) {
            keys[i] = px_arena_printf(out->arena, "%.*s_%u", PX_FMT(out->names[i]), n);
            if (!keys[i].ptr) return px_fault(px_arena_fault(out->arena), "keys");
        }
        size_t start = out->buf->len;
        px_buf_add_json_str(out->buf, keys[i]);
        px_buf_add_char(out->buf, ':');
        PX_TRY(px_buf_fault(out->buf));
        texts[i] = px_arena_dup(out->arena, px_str(out->buf->ptr + start, out->buf->len - start));
        out->buf->len = start;
        if (!texts[i].ptr) return px_fault(px_arena_fault(out->arena), "keys");
    }
    out->state = texts;
    return 0;
}

static int add_chunk(struct result_out *out, duckdb_data_chunk chunk, idx_t rows)
{
    const struct px_str *texts = out->state;
    for (idx_t row = 0; row < rows; row++) {
        for (idx_t i = 0; i < out->column_count; i++) {
            px_buf_add_char(out->buf, i > 0 ? ',' : '{');
            px_buf_add_str(out->buf, texts[i]);
            cell_add_json(out->buf, &out->types[i], duckdb_data_chunk_get_vector(chunk, i), row);
        }
        px_buf_add_c(out->buf, "}\n");
    }
    return 0;
}

static int end(struct result_out *out, const struct query_cost *cost, bool truncated)
{
    (void)out, (void)cost, (void)truncated;
    return 0;
}

/* The one line that is no row. */
static int fail(struct result_out *out, const struct result_failure *failure)
{
    px_buf_printf(out->buf, "{\"prism_error\":{\"status\":%d,\"detail\":", failure->status);
    px_buf_add_json_str(out->buf, failure->detail);
    px_buf_add_c(out->buf, "}}\n");
    return 0;
}

const struct result_format result_ndjson = {
    .name = {"ndjson", 6},
    .content_type = {"application/x-ndjson", 20},
    .needs_types = true,
    .begin = begin,
    .chunk = add_chunk,
    .end = end,
    .fail = fail,
};
