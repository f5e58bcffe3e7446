/* svc/query/result_json.c - JSON: {"columns":[{"name","type"}],"rows":[[...]],"row_count","truncated",
 * "cost"}. Rows are arrays, because names of columns need not be unique and would stand in every row. One
 * that could not go on has "error":{"status","detail"} in place of "cost", and is truncated. */
#include "svc/query/result.h"

static int begin(struct result_out *out)
{
    px_buf_add_c(out->buf, "{\"columns\":[");
    for (idx_t i = 0; i < out->column_count; i++) {
        px_buf_add_c(out->buf, i > 0 ? ",{\"name\":" : "{\"name\":");
        px_buf_add_json_str(out->buf, out->names[i]);
        px_buf_add_c(out->buf, ",\"type\":");
        px_buf_add_json_str(out->buf, out->types[i].name);
        px_buf_add_char(out->buf, '}');
    }
    px_buf_add_c(out->buf, "],\n\"rows\":[");
    return 0;
}

static int add_chunk(struct result_out *out, duckdb_data_chunk chunk, idx_t rows)
{
    for (idx_t row = 0; row < rows; row++) {
        px_buf_add_c(out->buf, out->rows + row > 0 ? ",\n[" : "\n[");
        for (idx_t i = 0; i < out->column_count; i++) {
            if (i > 0) px_buf_add_char(out->buf, ',');
            cell_add_json(out->buf, &out->types[i], duckdb_data_chunk_get_vector(chunk, i), row);
        }
        px_buf_add_char(out->buf, ']');
    }
    return 0;
}

static int end(struct result_out *out, const struct query_cost *cost, bool truncated)
{
    px_buf_printf(out->buf, "],\n\"row_count\":%llu,\"truncated\":%s,\"cost\":",
                  (unsigned long long)out->rows, truncated ? "true" : "false");
    cost_add_json(out->buf, cost);
    px_buf_add_c(out->buf, "}\n");
    return 0;
}

static int fail(struct result_out *out, const struct result_failure *failure)
{
    px_buf_printf(out->buf,
                  "],\n\"row_count\":%llu,\"truncated\":true,\"error\":{\"status\":%d,\"detail\":",
                  (unsigned long long)out->rows, failure->status);
    px_buf_add_json_str(out->buf, failure->detail);
    px_buf_add_c(out->buf, "}}\n");
    return 0;
}

const struct result_format result_json = {
    .name = {"json", 4},
    .content_type = {"application/json", 16},
    .needs_types = true,
    .begin = begin,
    .chunk = add_chunk,
    .end = end,
    .fail = fail,
};
