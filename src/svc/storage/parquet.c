/* svc/storage/parquet.c - COPY with its statistics, and small selects.
 *
 * COPY ... (RETURN_STATS) gives one row: filename, count, file_size_bytes, footer_size_bytes,
 * column_statistics MAP(column, MAP(name, text)), ... The columns are asked for by position; the name
 * of a column in the map is quoted as an SQL identifier. */
#include "svc/storage/parquet.h"

#include "base/px_clock.h"

enum { STATS_ROWS = 1, STATS_BYTES = 2, STATS_COLUMNS = 4 };
#define ROW_GROUP_VALUES_MAX (INT64_C(1) << 22)
#define DICTIONARIES_BYTES_MAX (INT64_C(128) << 20)
#define BOUND_BYTES_MAX 64 /* of a string worth pruning by */

static void result_free(duckdb_result *result) { duckdb_destroy_result(result); }

static void chunk_free(duckdb_data_chunk *chunk)
{
    if (*chunk) duckdb_destroy_data_chunk(chunk);
}

static int fault_of(duckdb_result *result)
{
    const char *text = duckdb_result_error(result);
    if (!text) text = "unknown error";
    switch (duckdb_result_error_type(result)) {
    case DUCKDB_ERROR_OUT_OF_MEMORY: return px_fault(PX_F_OOM, "DuckDB: %s", text);
    case DUCKDB_ERROR_HTTP: return px_fault(PX_F_UNAVAILABLE, "DuckDB: %s", text);
    case DUCKDB_ERROR_IO:
        if (strstr(text, "HTTP")) return px_fault(PX_F_UNAVAILABLE, "DuckDB: %s", text);
        if (strstr(text, "No space left")) return px_fault(PX_F_NO_SPACE, "DuckDB: %s", text);
        return px_fault(PX_F_IO, "DuckDB: %s", text);
    default: return px_fault(PX_F_CORRUPT, "DuckDB: %s", text);
    }
}

/* ---- the map of statistics ---- */

static struct px_str text_at(duckdb_vector vector, idx_t row)
{
    duckdb_string_t *strings = duckdb_vector_get_data(vector);
    return px_str(duckdb_string_t_data(&strings[row]), duckdb_string_t_length(strings[row]));
}

/* A MAP vector is a list of (key, value) structs. */
struct map {
    duckdb_vector keys, values;
    duckdb_list_entry *entries; /* by row */
};
static struct map map_of(duckdb_vector vector)
{
    duckdb_vector pairs = duckdb_list_vector_get_child(vector);
    return (struct map){duckdb_struct_vector_get_child(pairs, 0),
                        duckdb_struct_vector_get_child(pairs, 1), duckdb_vector_get_data(vector)};
}

static struct px_str map_get(const struct map *map, idx_t row, struct px_str key)
{
    const duckdb_list_entry *entry = &map->entries[row];
    for (idx_t i = entry->offset; i < entry->offset + entry->length; i++)
        if (px_str_eq(text_at(map->keys, i), key)) return text_at(map->values, i);
    return (struct px_str){0};
}

/* "na""me" to na"me */
static struct px_str unquote(struct px_str quoted, struct px_arena *arena)
{
    char *out = px_arena_alloc(arena, quoted.len + 1);
    if (!out) return (struct px_str){0};
    size_t len = 0;
    for (size_t i = 1; i + 1 < quoted.len; i++) {
        if (quoted.ptr[i] == '"' && quoted.ptr[i + 1] == '"' && i + 2 < quoted.len) i++;
        out[len++] = quoted.ptr[i];
    }
    return px_str(out, len);
}

static bool is_number(struct px_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!strchr("0123456789+-.e", text.ptr[i])) return false; /* inf, nan */
    return text.len > 0;
}

static bool time_us(struct px_str text, int64_t *ret_us)
{
    int64_t ns;
    if (!px_time_parse(text, &ns)) return false;
    *ret_us = ns / PX_NS_PER_US - (ns % PX_NS_PER_US < 0);
    return true;
}

struct bounds {
    enum col_type type;
    struct px_str min, max;
    int64_t min_us, max_us; /* of COL_TIME */
};

/* Whether the bounds are exact and worth keeping. */
static bool bounds_read(const struct map *stats, idx_t row, enum col_type type,
                        struct bounds *bounds)
{
    *bounds = (struct bounds){type, map_get(stats, row, S("min")), map_get(stats, row, S("max")), 0,
                              0};
    if (!bounds->min.ptr || !bounds->max.ptr) return false; /* all NULL, or too long to note */
    if (px_str_eq(map_get(stats, row, S("min_is_exact")), S("false")) ||
        px_str_eq(map_get(stats, row, S("max_is_exact")), S("false")))
        return false; /* cut; a DuckDB that cuts says so */
    switch (type) {
    case COL_TIME:
        return time_us(bounds->min, &bounds->min_us) && time_us(bounds->max, &bounds->max_us);
    case COL_INT:
    case COL_DOUBLE: return is_number(bounds->min) && is_number(bounds->max);
    case COL_STRING:
        return bounds->min.len <= BOUND_BYTES_MAX && bounds->max.len <= BOUND_BYTES_MAX;
    default: return false;
    }
}

/* SQL takes NaN for greater than every number, so bounds of a column with NaN exclude rows that they
 * must not. has_nan in the statistics speaks of the last row group only (DuckDB 1.5); the footer has
 * no bounds for a row group with NaN. Columns of a file are numbered as in its schema. */
static int find_nan(struct sql_engine *engine, const struct parquet_job *job,
                    struct px_arena *arena, bool *nan)
{
    int64_t *columns = px_arena_array(arena, int64_t, job->schema->count);
    if (!columns) return px_arena_fault(arena);
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, (size_t)1 << 20);
    px_buf_add_c(&sql, "SELECT DISTINCT CAST(column_id AS BIGINT) FROM parquet_metadata(");
    sql_add_literal(&sql, job->path);
    px_buf_add_c(&sql, ") WHERE type = 'DOUBLE' AND stats_min_value IS NULL AND "
                       "num_values > stats_null_count");
    PX_TRY(px_buf_fault(&sql));
    size_t count = 0;
    PX_TRY(parquet_select_ints(engine, px_buf_str(&sql), 1, job->schema->count, columns, &count));
    for (size_t i = 0; i < count; i++)
        if (columns[i] >= 0 && columns[i] < job->schema->count) nan[columns[i]] = true;
    return 0;
}

/* Columns of which bounds must not be kept, by number. */
static int find_unbounded(struct sql_engine *engine, const struct parquet_job *job,
                          struct px_arena *arena, bool **ret_unbounded)
{
    bool *unbounded = px_arena_array(arena, bool, job->schema->count);
    if (!unbounded) return px_arena_fault(arena);
    for (uint32_t i = 0; i < job->schema->count; i++) {
        if (job->schema->columns[i].type != COL_DOUBLE) continue;
        PX_TRY(find_nan(engine, job, arena, unbounded));
        break;
    }
    *ret_unbounded = unbounded;
    return 0;
}

static void bound_write(const struct bounds *bounds, struct px_str text, int64_t us,
                        struct px_buf *buf)
{
    if (bounds->type == COL_TIME)
        px_buf_printf(buf, "%lld", (long long)us);
    else if (bounds->type == COL_STRING)
        px_buf_add_json_str(buf, text);
    else
        px_buf_add_str(buf, text);
}

static void bounds_write(struct px_str name, const struct bounds *bounds, struct px_str nulls,
                         struct px_buf *buf)
{
    if (buf->len > 1) px_buf_add_char(buf, ',');
    px_buf_add_json_str(buf, name);
    px_buf_add_c(buf, ":{\"min\":");
    bound_write(bounds, bounds->min, bounds->min_us, buf);
    px_buf_add_c(buf, ",\"max\":");
    bound_write(bounds, bounds->max, bounds->max_us, buf);
    px_buf_printf(buf, ",\"nulls\":%.*s}", PX_FMT(is_number(nulls) ? nulls : S("0")));
}

static int stats_write(duckdb_vector vector, const struct schema *schema, const bool *unbounded,
                       struct px_arena *arena, struct parquet_file *file, struct px_buf *buf)
{
    struct map columns = map_of(vector);
    struct map stats = map_of(columns.values);
    const duckdb_list_entry *entry = &columns.entries[0];
    px_buf_add_char(buf, '{');
    for (idx_t i = entry->offset; i < entry->offset + entry->length; i++) {
        struct px_str name = unquote(text_at(columns.keys, i), arena);
        if (!name.ptr) return px_arena_fault(arena);
        int column = schema_find(schema, name);
        struct bounds bounds;
        if (column < 0 || unbounded[column]) continue;
        if (!bounds_read(&stats, i, schema->columns[column].type, &bounds)) continue;
        bounds_write(name, &bounds, map_get(&stats, i, S("null_count")), buf);
        if (!px_str_eq(name, S(COL_TIME_NAME))) continue;
        file->has_times = true;
        file->time_min_us = bounds.min_us;
        file->time_max_us = bounds.max_us;
    }
    px_buf_add_char(buf, '}');
    return px_buf_fault(buf);
}

/* ---- writing ---- */

/* A row group is gathered in memory before it is written, 16 bytes a value at least, NULL or not, and
 * row_group_bytes does not count those. At 2,000 columns the usual number of rows takes 8 GB. */
static int64_t row_group_rows(const struct parquet_job *job)
{
    int64_t fit = ROW_GROUP_VALUES_MAX / (int64_t)PX_MAX(job->schema->count, 1u);
    return PX_MIN(job->how->row_group_rows, PX_MAX(fit, (int64_t)duckdb_vector_size()));
}

/* Every column of text reserves 1 MiB, or the ceiling on its dictionary where that is less. The ceiling
 * is lowered for many columns only: one of 1 MiB made eight columns of logs 37 MB instead of 26. */
static void add_dictionary_limit(const struct parquet_job *job, struct px_buf *sql)
{
    int64_t bytes = DICTIONARIES_BYTES_MAX / (int64_t)PX_MAX(job->schema->count, 1u);
    if (bytes < INT64_C(1) << 20)
        px_buf_printf(sql, ", STRING_DICTIONARY_PAGE_SIZE_LIMIT %lld", (long long)bytes);
}

static void copy_text(const struct parquet_job *job, int64_t row_group_bytes, struct px_buf *sql)
{
    px_buf_add_c(sql, "COPY (");
    px_buf_add_str(sql, job->select);
    px_buf_add_c(sql, ") TO ");
    sql_add_literal(sql, job->path);
    px_buf_printf(sql,
                  " (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL %lld, PARQUET_VERSION "
                  "%.*s, ROW_GROUP_SIZE %lld, ROW_GROUP_SIZE_BYTES %lld, RETURN_STATS",
                  (long long)job->how->compression_level, PX_FMT(job->how->version),
                  (long long)row_group_rows(job), (long long)row_group_bytes);
    add_dictionary_limit(job, sql);
    px_buf_add_char(sql, ')');
    px_buf_add_char(sql, '\0');
}

static int written(struct sql_engine *engine, duckdb_result *result, const struct parquet_job *job,
                   struct px_arena *arena, struct parquet_file *ret_file)
{
    bool *unbounded = NULL;
    PX_AUTO(chunk_free) duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
    if (!chunk || duckdb_data_chunk_get_size(chunk) != 1)
        return px_fault(PX_F_BUG, "COPY gave no statistics");
    struct parquet_file file = {0};
    file.rows = (int64_t)((uint64_t *)duckdb_vector_get_data(
        duckdb_data_chunk_get_vector(chunk, STATS_ROWS)))[0];
    file.bytes = (int64_t)((uint64_t *)duckdb_vector_get_data(
        duckdb_data_chunk_get_vector(chunk, STATS_BYTES)))[0];
    PX_AUTO(px_buf_deinit) struct px_buf stats;
    px_buf_init(&stats, (size_t)4 << 20);
    if (file.rows > 0) PX_TRY(find_unbounded(engine, job, arena, &unbounded));
    if (unbounded)
        PX_TRY(stats_write(duckdb_data_chunk_get_vector(chunk, STATS_COLUMNS), job->schema,
                           unbounded, arena, &file, &stats));
    file.stats_json = px_arena_dup(arena, px_buf_str(&stats));
    if (!file.stats_json.ptr) return px_arena_fault(arena);
    *ret_file = file;
    return 0;
}

void parquet_add_columns(const struct schema *schema, struct px_buf *sql)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct schema_column *column = &schema->columns[i];
        px_buf_add_c(sql, i > 0 ? ", CAST(" : "CAST(");
        sql_add_identifier(sql, column->name);
        /* JSON is plain text in our files */
        px_buf_printf(sql, " AS %s) AS ",
                      column->type == COL_JSON ? "VARCHAR" : col_type_sql(column->type));
        sql_add_identifier(sql, column->name);
    }
}

static int write_once(struct sql_engine *engine, const struct parquet_job *job,
                      int64_t row_group_bytes, struct px_arena *arena,
                      struct parquet_file *ret_file)
{
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, (size_t)16 << 20);
    copy_text(job, row_group_bytes, &sql);
    PX_TRY(px_buf_fault(&sql));
    PX_AUTO(result_free) duckdb_result result = {0};
    if (duckdb_query(sql_engine_connection(engine), sql.ptr, &result) != DuckDBSuccess)
        return fault_of(&result);
    return written(engine, &result, job, arena, ret_file);
}

/* With one thread and ever smaller row groups: slower and larger, but it fits. */
static int write_small(struct sql_engine *engine, const struct parquet_job *job,
                       struct px_arena *arena, struct parquet_file *ret_file)
{
    int64_t threads = 1;
    size_t rows = 0;
    PX_TRY(parquet_select_ints(engine, S("SELECT CAST(current_setting('threads') AS BIGINT)"), 1, 1,
                               &threads, &rows));
    PX_TRY(sql_exec(engine, "SET threads = 1"));
    int r = PX_F_OOM;
    for (int64_t shrink = 4; shrink <= 64 && r == PX_F_OOM; shrink *= 4)
        r = write_once(engine, job, PX_MAX(job->how->row_group_bytes / shrink, 1), arena, ret_file);
    PX_TRY(r);
    return sql_exec(engine, "SET threads = %lld", (long long)threads);
}

int parquet_write(struct sql_engine *engine, const struct parquet_job *job, struct px_arena *arena,
                  struct parquet_file *ret_file)
{
    int r = write_once(engine, job, job->how->row_group_bytes, arena, ret_file);
    return r == PX_F_OOM ? write_small(engine, job, arena, ret_file) : r;
}

/* ---- reading ---- */

static int take_chunk(duckdb_data_chunk chunk, size_t columns, size_t max, int64_t *values,
                      size_t *rows)
{
    idx_t size = duckdb_data_chunk_get_size(chunk);
    if (*rows + size > max) return px_fault(PX_F_LIMIT, "more than %zu rows", max);
    for (size_t c = 0; c < columns; c++) {
        duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, c);
        const int64_t *from = duckdb_vector_get_data(vector);
        uint64_t *validity = duckdb_vector_get_validity(vector);
        for (idx_t i = 0; i < size; i++) {
            bool valid = !validity || duckdb_validity_row_is_valid(validity, i);
            values[(*rows + i) * columns + c] = valid ? from[i] : 0;
        }
    }
    *rows += size;
    return 0;
}

int parquet_select_ints(struct sql_engine *engine, struct px_str sql, size_t columns, size_t max,
                        int64_t *values, size_t *ret_rows)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, (size_t)16 << 20);
    px_buf_add_str(&text, sql);
    px_buf_add_char(&text, '\0');
    PX_TRY(px_buf_fault(&text));
    PX_AUTO(result_free) duckdb_result result = {0};
    if (duckdb_query(sql_engine_connection(engine), text.ptr, &result) != DuckDBSuccess)
        return fault_of(&result);
    PX_ASSERT(duckdb_column_count(&result) == columns);
    for (size_t c = 0; c < columns; c++)
        PX_ASSERT(duckdb_column_type(&result, c) == DUCKDB_TYPE_BIGINT);
    size_t rows = 0;
    for (;;) {
        PX_AUTO(chunk_free) duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        if (!chunk) break;
        PX_TRY(take_chunk(chunk, columns, max, values, &rows));
    }
    *ret_rows = rows;
    return 0;
}

int parquet_verify(struct sql_engine *engine, struct px_str path, int64_t rows,
                   struct px_arena *arena, struct px_str *ret_why)
{
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, (size_t)1 << 20);
    /* the hash of a whole row makes DuckDB decode every column */
    px_buf_add_c(&sql, "SELECT count(*), CAST(count(hash(t)) AS BIGINT) FROM read_parquet(");
    sql_add_literal(&sql, path);
    px_buf_add_c(&sql, ", hive_partitioning = false) t");
    int64_t found[2] = {0};
    size_t count = 0;
    int r = px_buf_fault(&sql);
    if (r == 0) r = parquet_select_ints(engine, px_buf_str(&sql), 2, 1, found, &count);
    if (r == PX_F_CORRUPT) {
        char text[512];
        *ret_why = px_arena_dup(arena, px_str_c(px_fault_text(r, text, sizeof text)));
        return ret_why->ptr ? PARQUET_BAD : px_arena_fault(arena);
    }
    PX_TRY(r);
    if (count == 1 && found[0] == rows) return 0;
    *ret_why = px_arena_printf(arena, "%lld rows where the catalog has %lld", (long long)found[0],
                               (long long)rows);
    return ret_why->ptr ? PARQUET_BAD : px_arena_fault(arena);
}
