/* svc/storage/items.c - see items.h. */
#include "svc/storage/items.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_id.h"
#include "sql/cell.h"
#include "svc/storage/parquet.h"
#include "svc/storage/temp.h"

#define MEMORY_BYTES ((uint64_t)1 << 30)
#define COPY_BYTES_MAX ((uint64_t)8 << 30)
#define RUN_NS (INT64_C(600) * PX_NS_PER_S)

struct reading {
    const struct items_source *source;
    struct px_arena *arena;
    struct items_page *page;
    struct px_buf *rows;
    struct px_str path;
    struct sql_engine *engine;
    struct px_str *keys; /* of the columns, as JSON with colon */
    struct cell_type *types;
    idx_t column_count;
    struct px_str why;
};

static int refuse(struct reading *r, const char *why)
{
    r->why = px_str_c(why);
    return ITEMS_REFUSED;
}

/* ---- the file ---- */

struct copying {
    int fd;
    uint64_t left;
};
static int copy_piece(void *ctx, struct px_str bytes)
{
    struct copying *c = ctx;
    if (bytes.len > c->left) return px_fault(PX_F_LIMIT, "an object that is copied to be read");
    c->left -= bytes.len;
    return px_file_write_all(c->fd, bytes.ptr, bytes.len);
}

static int copy(struct reading *r, struct px_str key, struct px_str path)
{
    uint64_t most = r->source->limits.temp_bytes_max;
    PX_AUTO(px_close) int fd = open(path.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return px_fault_errno("open %s", path.ptr);
    struct copying copying = {fd, most > 0 ? most : COPY_BYTES_MAX};
    int result = object_read(r->source->store, key, copy_piece, &copying);
    if (result == PX_F_LIMIT) return refuse(r, "the object is larger than the room for its copy");
    return result == OBJECT_ABSENT ? ITEMS_ABSENT : result;
}

/* r->path, and *temp where that is a copy of ours. */
static int find_file(struct reading *r, struct px_str key, struct px_str *temp)
{
    char id[37];
    struct object_info info;
    struct px_str folder = r->source->limits.temp_dir;
    int result = object_head(r->source->store, key, r->arena, &info);
    if (result == OBJECT_ABSENT) return ITEMS_ABSENT;
    PX_TRY(result);
    PX_TRY(object_url(r->source->store, key, r->arena, &r->path));
    if (px_str_starts(r->path, S("/"))) return 0;
    px_uuid7(px_wall_ns(&px_clock_system), id);
    *temp = px_arena_printf(r->arena, "%.*s/items-%s.parquet",
                            PX_FMT(folder.len > 0 ? folder : S("/tmp")), id);
    if (!temp->ptr) return px_arena_fault(r->arena);
    r->path = *temp;
    return copy(r, key, *temp);
}

/* ---- what it may be ---- */

static int ask(struct reading *r, const char *what, const char *of, size_t columns, int64_t *values)
{
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    size_t rows = 0;
    px_buf_init(&sql, (size_t)1 << 16);
    px_buf_printf(&sql, "SELECT %s FROM %s(", what, of);
    sql_add_literal(&sql, r->path);
    px_buf_add_char(&sql, ')');
    PX_TRY(px_buf_fault(&sql));
    int result = parquet_select_ints(r->engine, px_buf_str(&sql), columns, 1, values, &rows);
    /* what DuckDB says of a file that is not what it should be */
    if (result == PX_F_CORRUPT || (result == 0 && rows != 1))
        return refuse(r, "the object is no Parquet file, or is damaged");
    return result;
}

static int check(struct reading *r)
{
    int64_t file[2] = {0}, group = 0;
    int result = ask(r, "footer_size::BIGINT, num_rows::BIGINT", "parquet_file_metadata", 2, file);
    if (result != 0) return result;
    r->page->total = file[1];
    if (file[0] > ITEMS_FOOTER_BYTES_MAX)
        return refuse(r, "the Parquet file's footer is larger than 5 MB");
    result = ask(r, "coalesce(max(row_group_bytes), 0)::BIGINT", "parquet_metadata", 1, &group);
    if (result != 0) return result;
    return group > ITEMS_ROW_GROUP_BYTES_MAX
               ? refuse(r, "a row group of the Parquet file is larger than 256 MB")
               : 0;
}

/* ---- rows ---- */

static int prepare_columns(struct reading *r, duckdb_result *result)
{
    r->column_count = duckdb_column_count(result);
    r->keys = px_arena_array(r->arena, struct px_str, r->column_count);
    r->types = px_arena_array(r->arena, struct cell_type, r->column_count);
    if (!r->keys || !r->types) return px_arena_fault(r->arena);
    for (idx_t i = 0; i < r->column_count; i++) {
        PX_AUTO(px_buf_deinit) struct px_buf key = {0};
        duckdb_logical_type type = duckdb_column_logical_type(result, i);
        int answer = cell_type_init(type, r->arena, &r->types[i]);
        duckdb_destroy_logical_type(&type);
        if (answer == CELL_UNSUPPORTED)
            return refuse(r, "a column's type of the Parquet file has no form in JSON");
        PX_TRY(answer);
        px_buf_init(&key, (size_t)1 << 20);
        px_buf_add_json_str(&key, px_str_c(duckdb_column_name(result, i)));
        px_buf_add_char(&key, ':');
        PX_TRY(px_buf_fault(&key));
        r->keys[i] = px_arena_dup(r->arena, px_buf_str(&key));
        if (!r->keys[i].ptr) return px_arena_fault(r->arena);
    }
    return 0;
}

static int add_row(struct reading *r, duckdb_data_chunk chunk, idx_t row)
{
    size_t begin = r->rows->len;
    if (r->page->count > 0) px_buf_add_char(r->rows, ',');
    for (idx_t i = 0; i < r->column_count; i++) {
        px_buf_add_char(r->rows, i > 0 ? ',' : '{');
        px_buf_add_str(r->rows, r->keys[i]);
        cell_add_json(r->rows, &r->types[i], duckdb_data_chunk_get_vector(chunk, i), row);
    }
    px_buf_add_char(r->rows, '}');
    PX_TRY(px_buf_fault(r->rows));
    if (r->rows->len - begin > ITEMS_ROW_BYTES_MAX)
        return refuse(r, "a row of the Parquet file is larger than 1 MiB");
    r->page->count++;
    return 0;
}

static int add_chunk(struct reading *r, duckdb_data_chunk chunk)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    for (idx_t row = 0; row < rows && r->rows->len < ITEMS_PAGE_BYTES; row++) {
        int result = add_row(r, chunk, row);
        if (result != 0) return result;
    }
    return 0;
}

static int failed(struct reading *r, int answer, struct px_str why)
{
    if (answer < 0) return answer;
    if (answer == SQL_FAILED) {
        r->why = px_arena_printf(r->arena, "the Parquet file cannot be read: %.*s", PX_FMT(why));
        return r->why.ptr ? ITEMS_REFUSED : px_arena_fault(r->arena);
    }
    if (answer == SQL_MEMORY) return px_fault(PX_F_OOM, "rows of a Parquet file");
    return px_fault(PX_F_TIMEOUT, "rows of a Parquet file");
}

static int read_rows(struct reading *r)
{
    const struct items_page *page = r->page;
    int64_t deadline_ns = r->source->deadline_mono_ns;
    struct sql_leash leash = {
        .clock = &px_clock_system,
        .deadline_mono_ns = deadline_ns > 0 ? deadline_ns : px_mono_ns(&px_clock_system) + RUN_NS};
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    duckdb_result *result = NULL;
    struct px_str why = {0};
    px_buf_init(&sql, (size_t)1 << 16);
    px_buf_add_c(&sql, "SELECT * EXCLUDE (file_row_number) FROM read_parquet(");
    sql_add_literal(&sql, r->path);
    px_buf_printf(&sql,
                  ", file_row_number = true, hive_partitioning = false) WHERE file_row_number >= "
                  "%lld",
                  (long long)page->after);
    if (page->max > 0) px_buf_printf(&sql, " LIMIT %lld", (long long)page->max);
    PX_TRY(px_buf_fault(&sql));
    int answer = sql_run(r->engine, px_buf_str(&sql), &leash, r->arena, &result, &why);
    if (answer != 0) return failed(r, answer, why);
    answer = prepare_columns(r, result);
    while (answer == 0 && r->rows->len < ITEMS_PAGE_BYTES) {
        duckdb_data_chunk chunk = NULL;
        int fetched = sql_fetch(r->engine, r->arena, &chunk, &why);
        if (fetched != 0) return failed(r, fetched, why);
        if (!chunk) break;
        answer = add_chunk(r, chunk);
        duckdb_destroy_data_chunk(&chunk);
    }
    return answer;
}

static int read_file(struct reading *r)
{
    const struct storage_limits *limits = &r->source->limits;
    const struct sql_limits sql = {.memory_bytes = limits->memory_bytes > 0 ? limits->memory_bytes
                                                                            : MEMORY_BYTES,
                                   .threads = 1};
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    PX_TRY(sql_engine_new(&sql, &engine));
    r->engine = engine;
    PX_TRY(sql_engine_lock(engine, &r->path, 1));
    int result = check(r);
    return result != 0 ? result : read_rows(r);
}

int items_read(const struct items_source *source, struct px_str key, struct px_arena *arena,
               struct items_page *page, struct px_buf *rows, struct px_str *ret_why)
{
    PX_AUTO(temp_remove) struct px_str temp = {0};
    struct reading r = {.source = source, .arena = arena, .page = page, .rows = rows};
    page->count = page->total = 0;
    int result = find_file(&r, key, &temp);
    if (result == 0) result = read_file(&r);
    if (result == ITEMS_REFUSED) *ret_why = r.why;
    if (result != 0) return result;
    bool enough = page->max > 0 && page->count == page->max;
    page->more = !enough && page->after + page->count < page->total;
    return 0;
}
