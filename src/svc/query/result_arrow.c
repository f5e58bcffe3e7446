/* svc/query/result_arrow.c - Arrow IPC stream: DuckDB converts chunks to Arrow arrays, nanoarrow frames
 * them as messages. A chunk of DuckDB's (at most 2048 rows) is a record batch. */
#include "svc/query/result.h"

#include <nanoarrow/nanoarrow_ipc.h>
#include <stdlib.h>

struct state {
    duckdb_arrow_options options;
    struct ArrowIpcWriter writer;
    bool has_writer;
    struct ArrowSchema schema;
    struct px_buf *buf;
};

/* ---- nanoarrow's output goes into the answer's buffer ---- */

static ArrowErrorCode write_bytes(struct ArrowIpcOutputStream *stream, const void *bytes, int64_t n,
                                  int64_t *ret_written, struct ArrowError *error)
{
    (void)error;
    struct state *state = stream->private_data;
    px_buf_add(state->buf, bytes, (size_t)n);
    *ret_written = n;
    return px_buf_fault(state->buf) == 0 ? NANOARROW_OK : ENOMEM;
}

static void release_stream(struct ArrowIpcOutputStream *stream) { stream->release = NULL; }

/* ---- failures ---- */

static int unsupported(struct result_out *out, const char *text)
{
    out->state = NULL;
    struct px_str reason = px_arena_printf(
        out->arena,
        "the result cannot be given as Arrow (%.200s): cast the column to a plain type "
        "or ask for another format",
        text && *text ? text : "a type that it does not have");
    if (!reason.ptr) return px_fault(px_arena_fault(out->arena), "arrow");
    out->state = (void *)(uintptr_t)reason.ptr;
    return RESULT_UNSUPPORTED;
}

/* Takes the error; 0 when there is none. */
static bool failed(duckdb_error_data *error, struct px_arena *arena, struct px_str *ret_text)
{
    bool bad = *error && duckdb_error_data_has_error(*error);
    if (bad) *ret_text = px_arena_dup(arena, px_str_c(duckdb_error_data_message(*error)));
    if (*error) duckdb_destroy_error_data(error);
    return bad;
}

static void state_free(struct state *state)
{
    if (!state) return;
    if (state->has_writer) ArrowIpcWriterReset(&state->writer);
    if (state->schema.release) state->schema.release(&state->schema);
    if (state->options) duckdb_destroy_arrow_options(&state->options);
    free(state);
}

static void free_state(struct result_out *out)
{
    state_free(out->state);
    out->state = NULL;
}

/* ---- schema ---- */

static int convert_schema(struct result_out *out, struct state *state, struct px_str *ret_text)
{
    size_t n = out->column_count;
    duckdb_logical_type *types = px_arena_array(out->arena, duckdb_logical_type, n + 1);
    const char **names = px_arena_array(out->arena, const char *, n + 1);
    if (!types || !names) return px_fault(px_arena_fault(out->arena), "arrow");
    for (idx_t i = 0; i < n; i++) {
        names[i] = px_arena_cstr(out->arena, out->names[i]);
        if (!names[i]) return px_fault(px_arena_fault(out->arena), "arrow");
    }
    for (idx_t i = 0; i < n; i++) types[i] = duckdb_column_logical_type(out->result, i);
    duckdb_error_data error = duckdb_to_arrow_schema(state->options, types, names, n,
                                                     &state->schema);
    for (idx_t i = 0; i < n; i++) duckdb_destroy_logical_type(&types[i]);
    return failed(&error, out->arena, ret_text) ? RESULT_UNSUPPORTED : 0;
}

/* ENUM becomes a dictionary, which nanoarrow's encoder does not write. */
static bool has_dictionary(const struct ArrowSchema *schema)
{
    if (schema->dictionary) return true;
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (has_dictionary(schema->children[i])) return true;
    }
    return false;
}

static int start_writer(struct state *state, struct px_str *ret_text)
{
    static _Thread_local struct ArrowError error;
    if (has_dictionary(&state->schema)) {
        *ret_text = S("an ENUM");
        return RESULT_UNSUPPORTED;
    }
    struct ArrowIpcOutputStream stream = {write_bytes, release_stream, state};
    if (ArrowIpcWriterInit(&state->writer, &stream) != NANOARROW_OK)
        return px_fault(PX_F_OOM, "arrow writer");
    state->has_writer = true;
    if (ArrowIpcWriterWriteSchema(&state->writer, &state->schema, &error) == NANOARROW_OK) return 0;
    PX_TRY(px_buf_fault(state->buf));
    *ret_text = px_str_c(error.message);
    return RESULT_UNSUPPORTED;
}

static int begin(struct result_out *out)
{
    struct state *state = calloc(1, sizeof(*state));
    if (!state) return px_fault(PX_F_OOM, "arrow");
    struct px_str text = {0};
    state->buf = out->buf;
    state->options = duckdb_result_get_arrow_options(out->result);
    int r = convert_schema(out, state, &text);
    if (r == 0) r = start_writer(state, &text);
    if (r == 0) {
        out->state = state;
        return 0;
    }
    if (r == RESULT_UNSUPPORTED) r = unsupported(out, text.ptr);
    state_free(state);
    return r;
}

/* ---- chunks ---- */

static int write_array(struct state *state, struct ArrowArray *array)
{
    struct ArrowError error;
    struct ArrowArrayView view;
    if (ArrowArrayViewInitFromSchema(&view, &state->schema, &error) != NANOARROW_OK)
        return px_fault(PX_F_BUG, "arrow view: %s", error.message);
    int r = 0;
    if (ArrowArrayViewSetArray(&view, array, &error) != NANOARROW_OK ||
        ArrowIpcWriterWriteArrayView(&state->writer, &view, &error) != NANOARROW_OK) {
        r = px_buf_fault(state->buf);
        if (r == 0) r = px_fault(PX_F_BUG, "arrow batch: %s", error.message);
    }
    ArrowArrayViewReset(&view);
    return r;
}

static int add_chunk(struct result_out *out, duckdb_data_chunk chunk, idx_t rows)
{
    struct state *state = out->state;
    struct ArrowArray array = {0};
    struct px_str text = {0};
    duckdb_data_chunk_set_size(chunk, rows);
    duckdb_error_data error = duckdb_data_chunk_to_arrow(state->options, chunk, &array);
    if (failed(&error, out->arena, &text)) return px_fault(PX_F_BUG, "arrow: %.*s", PX_FMT(text));
    int r = write_array(state, &array);
    if (array.release) array.release(&array);
    return r;
}

static int end(struct result_out *out, const struct query_cost *cost, bool truncated)
{
    (void)cost, (void)truncated;
    struct state *state = out->state;
    struct ArrowError error;
    if (ArrowIpcWriterWriteArrayView(&state->writer, NULL, &error) == NANOARROW_OK) return 0;
    PX_TRY(px_buf_fault(state->buf));
    return px_fault(PX_F_BUG, "arrow end: %s", error.message);
}

const struct result_format result_arrow = {
    .name = {"arrow", 5},
    .content_type = {"application/vnd.apache.arrow.stream", 35},
    .binary = true,
    .begin = begin,
    .chunk = add_chunk,
    .end = end,
    .free = free_state,
};
