/* svc/query/write.c - run the statement and write what comes, chunk by chunk. */
#include "svc/query/query_impl.h"

static void chunk_free(duckdb_data_chunk *chunk)
{
    if (*chunk) duckdb_destroy_data_chunk(chunk);
}

static void format_free(const struct result_format *format, struct result_out *out)
{
    if (format->free) format->free(out);
}

/* ---- columns ---- */

static int refuse_type(struct job *job, struct px_str column, struct px_str type)
{
    return job_refuse(job, 400,
                      "column \"%.*s\" has the type %.*s, which this format does not have: cast it "
                      "to VARCHAR",
                      PX_FMT(column), PX_FMT(type));
}

static int describe(struct job *job, const struct result_format *format, struct result_out *out)
{
    out->column_count = duckdb_column_count(out->result);
    struct px_str *names = px_arena_array(job->arena, struct px_str, out->column_count + 1);
    struct cell_type *types = px_arena_array(job->arena, struct cell_type, out->column_count + 1);
    if (!names || !types) return px_fault(px_arena_fault(job->arena), "columns");
    out->names = names;
    out->types = types;
    for (idx_t i = 0; i < out->column_count; i++) {
        names[i] = px_str_c(duckdb_column_name(out->result, i));
        if (!format->needs_types) continue;
        duckdb_logical_type type = duckdb_column_logical_type(out->result, i);
        int r = cell_type_init(type, job->arena, &types[i]);
        duckdb_destroy_logical_type(&type);
        if (r == CELL_UNSUPPORTED) return refuse_type(job, names[i], types[i].name);
        PX_TRY(r);
    }
    return 0;
}

static int begin(struct job *job, const struct result_format *format, struct result_out *out)
{
    job->reply.content_type = format->content_type;
    job->reply.binary = format->binary;
    job->reply.coding = coding_wanted(api_header(job->event, S("accept-encoding")));
    int r = describe(job, format, out);
    if (r != 0) return r;
    r = format->begin(out);
    if (r == RESULT_UNSUPPORTED) return job_refuse(job, 400, "%s", (const char *)out->state);
    PX_TRY(r);
    return 0;
}

/* ---- chunks ---- */

static int refuse_size(struct job *job)
{
    uint64_t bytes_max = job->reply.bytes_max;
    if (!job->reply.sink->more) bytes_max = PX_MIN(bytes_max, (uint64_t)QUERY_WHOLE_BYTES_MAX);
    return job_refuse(job, 400, "the result has more than %llu bytes: add LIMIT or aggregate",
                      (unsigned long long)bytes_max);
}

static int flush(struct job *job)
{
    int r = reply_flush(&job->reply);
    if (r == REPLY_TOO_LARGE) return refuse_size(job);
    PX_TRY(r);
    return 0;
}

/* Rows of a chunk that the request's limit leaves. */
static idx_t wanted(const struct job *job, const struct result_out *out, idx_t rows)
{
    return (idx_t)PX_MIN((uint64_t)rows, job->request.limit - out->rows);
}

static int add_chunk(struct job *job, const struct result_format *format, struct result_out *out,
                     duckdb_data_chunk chunk, bool *ret_truncated)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    idx_t take = wanted(job, out, rows);
    uint64_t rows_max = job->query->options.limits.rows_max;
    if (out->rows + take > rows_max)
        return job_refuse(job, 400, "the result has more than %llu rows: add LIMIT or aggregate",
                          (unsigned long long)rows_max);
    if (take > 0) PX_TRY(format->chunk(out, chunk, take));
    out->rows += take;
    *ret_truncated = take < rows;
    int r = flush(job);
    if (r == 0 && job->reply.body.len == 0) job->rows_given = out->rows;
    return r;
}

static int add_all(struct job *job, const struct result_format *format, struct result_out *out,
                   bool *ret_truncated)
{
    *ret_truncated = false;
    while (!*ret_truncated) {
        PX_AUTO(chunk_free) duckdb_data_chunk chunk = NULL;
        struct px_str why = {0};
        int r = sql_fetch(job->engine, job->arena, &chunk, &why);
        if (r > 0) return job_sql_answer(job, r, why);
        PX_TRY(r);
        if (!chunk) break;
        r = add_chunk(job, format, out, chunk, ret_truncated);
        if (r != 0) return r;
    }
    return 0;
}

static int finish(struct job *job, const struct result_format *format, struct result_out *out,
                  bool truncated)
{
    job_measure(job);
    job->cost.rows = out->rows;
    PX_TRY(format->end(out, &job->cost, truncated));
    int r = reply_end(&job->reply, &job->cost, job_warning(job));
    if (r == REPLY_TOO_LARGE) return refuse_size(job);
    PX_TRY(r);
    return HANDLED;
}

int job_write_result(struct job *job, const struct result_format *format)
{
    struct result_out out = {.buf = &job->reply.body, .arena = job->arena};
    struct px_str why = {0};
    int r = sql_run(job->engine, job->request.sql, &job->leash, job->arena, &out.result, &why);
    if (r > 0) return job_sql_answer(job, r, why);
    PX_TRY(r);
    r = begin(job, format, &out);
    if (r != 0) return r;
    bool truncated = false;
    job->format = format;
    job->out = &out;
    r = add_all(job, format, &out, &truncated);
    if (r == 0) r = finish(job, format, &out, truncated);
    job->format = NULL;
    format_free(format, &out);
    return r;
}
