/* svc/query/write_parquet.c - a Parquet answer: DuckDB writes a temporary file, the only one that the
 * locked engine may write, and the file is the body. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "svc/query/query_impl.h"

#define READ_BYTES ((size_t)256 << 10)

/* The statement passed sql_check(): one SELECT, whole in itself, so brackets around it hold. Its own
 * semicolon would not stand in them, and a comment at its end needs a new line. */
static int copy_sql(struct job *job, struct px_buf *sql)
{
    struct px_str text = px_str_trim(job->request.sql);
    while (px_str_ends(text, S(";"))) text = px_str_trim(px_str(text.ptr, text.len - 1));
    uint64_t limit = PX_MIN(job->request.limit, job->query->options.limits.rows_max + 1);
    px_buf_add_c(sql, "COPY (FROM (");
    px_buf_add_str(sql, text);
    px_buf_printf(sql, "\n) LIMIT %llu) TO ", (unsigned long long)limit);
    sql_add_literal(sql, job->parquet_path);
    px_buf_add_c(sql, " (FORMAT parquet, COMPRESSION zstd)");
    return px_buf_fault(sql);
}

/* COPY gives one row: how many it wrote. */
static int rows_copied(struct job *job, uint64_t *ret_rows)
{
    duckdb_data_chunk chunk = NULL;
    struct px_str why = {0};
    int r = sql_fetch(job->engine, job->arena, &chunk, &why);
    if (r > 0) return job_sql_answer(job, r, why);
    PX_TRY(r);
    if (!chunk) return px_fault(PX_F_BUG, "COPY gave no row");
    *ret_rows = (uint64_t)((int64_t *)duckdb_vector_get_data(
        duckdb_data_chunk_get_vector(chunk, 0)))[0];
    duckdb_destroy_data_chunk(&chunk);
    return 0;
}

static int copy(struct job *job)
{
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, 4u << 20);
    PX_TRY(copy_sql(job, &sql));
    duckdb_result *result = NULL;
    struct px_str why = {0};
    int r = sql_run_copy(job->engine, px_buf_str(&sql), &job->leash, job->arena, &result, &why);
    if (r > 0) return job_sql_answer(job, r, why);
    PX_TRY(r);
    r = rows_copied(job, &job->cost.rows);
    if (r != 0) return r;
    uint64_t rows_max = job->query->options.limits.rows_max;
    if (job->cost.rows > rows_max)
        return job_refuse(job, 400, "the result has more than %llu rows: add LIMIT or aggregate",
                          (unsigned long long)rows_max);
    return 0;
}

static int refuse_size(struct job *job)
{
    return job_refuse(job, 400, "the result is too large a file: add LIMIT or aggregate");
}

static int send_file(struct job *job, int fd)
{
    for (;;) {
        char *room = px_buf_reserve(&job->reply.body, READ_BYTES);
        if (!room) return px_fold(px_buf_fault(&job->reply.body), __FILE__, __LINE__);
        ssize_t n = read(fd, room, READ_BYTES);
        if (n < 0) return px_fault_errno("read %.*s", PX_FMT(job->parquet_path));
        if (n == 0) return 0;
        job->reply.body.len += (size_t)n;
        int r = reply_flush(&job->reply);
        if (r == REPLY_TOO_LARGE) return refuse_size(job);
        PX_TRY(r);
    }
}

int job_write_parquet(struct job *job)
{
    job->reply.content_type = S("application/vnd.apache.parquet");
    job->reply.binary = true;
    int r = copy(job);
    if (r != 0) return r;
    job_measure(job);
    PX_AUTO(px_close) int fd = open(job->parquet_path.ptr, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return px_fault_errno("open %.*s", PX_FMT(job->parquet_path));
    struct stat info;
    if (fstat(fd, &info) != 0) return px_fault_errno("stat %.*s", PX_FMT(job->parquet_path));
    if ((uint64_t)info.st_size > job->reply.bytes_max) return refuse_size(job);
    r = send_file(job, fd);
    if (r != 0) return r;
    r = reply_end(&job->reply, &job->cost, job_warning(job));
    if (r == REPLY_TOO_LARGE) return refuse_size(job);
    PX_TRY(r);
    return HANDLED;
}
