/* Parquet files as DuckDB writes them for us: bounds that are true, encodings that others can read. */
#include "svc/storage/storage_kit.h"

#define ROWS "FROM range(6000) t(i)"
#define TIME "make_timestamp(CAST(i AS BIGINT)) AS \"time\""

static const struct lifecycle_parquet small_groups = {.version = {"V1", 2},
                                                      .compression_level = 3,
                                                      .row_group_rows = 2048,
                                                      .row_group_bytes = 1 << 27};

struct fixture {
    struct sql_engine *engine;
    struct schema schema;
    struct px_str path;
};

static void open_engine(struct test *t, struct fixture *f, uint64_t memory_bytes)
{
    const struct sql_limits limits = {memory_bytes, 2, {0}, 0};
    CHECK_OK(sql_engine_new(&limits, &f->engine));
    CHECK_OK(sql_exec(f->engine, "SET preserve_insertion_order = false"));
    CHECK_OK(schema_init(&f->schema, &t->arena));
    f->path = test_path(t, "file.parquet");
}

static void add(struct fixture *f, struct px_str name, enum col_type type)
{
    bool changed = false;
    CHECK_OK(schema_merge(&f->schema, name, type, &changed));
}

static void copy(struct test *t, struct fixture *f, const char *select,
                 struct parquet_file *ret_file)
{
    const struct parquet_job job = {px_str_c(select), f->path, &f->schema, &small_groups};
    CHECK_OK(parquet_write(f->engine, &job, &t->arena, ret_file));
}

static int64_t ask(struct test *t, struct fixture *f, const char *select, const char *rest)
{
    int64_t value = -1;
    size_t rows = 0;
    struct px_str sql = px_arena_printf(&t->arena, "%s('%.*s') %s", select, PX_FMT(f->path), rest);
    CHECK_OK(parquet_select_ints(f->engine, sql, 1, 1, &value, &rows));
    return value;
}

/* The statistics of the writer speak of the last row group only; a query for d > 9000 finds the NaN. */
TEST(bounds_of_a_column_with_nan_in_any_row_group_are_not_kept)
{
    struct fixture f = {0};
    struct parquet_file file;
    open_engine(t, &f, 256u << 20);
    add(&f, S("first"), COL_DOUBLE);
    add(&f, S("last"), COL_DOUBLE);
    add(&f, S("none"), COL_DOUBLE);
    add(&f, S("void"), COL_DOUBLE);
    copy(t, &f,
         "SELECT " TIME ", CASE WHEN i = 5 THEN CAST('nan' AS DOUBLE) ELSE i END AS \"first\", "
         "CASE WHEN i = 5999 THEN CAST('nan' AS DOUBLE) ELSE i END AS \"last\", "
         "CAST(i AS DOUBLE) AS \"none\", CAST(NULL AS DOUBLE) AS \"void\" " ROWS,
         &file);
    CHECK_INT(file.rows, 6000);
    CHECK_STR(file.stats_json, S("{\"none\":{\"min\":0.0,\"max\":5999.0,\"nulls\":0},"
                                 "\"time\":{\"min\":0,\"max\":5999,\"nulls\":0}}"));
    sql_engine_free(&f.engine);
}

/* 1,500 columns, all NULL but one: what a client makes with a request of some kilobytes. */
TEST(many_columns_make_short_row_groups)
{
    struct fixture f = {0};
    struct parquet_file file;
    const struct lifecycle_parquet usual = {.version = {"V1", 2},
                                            .compression_level = 3,
                                            .row_group_rows = 262144,
                                            .row_group_bytes = 1 << 27};
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, 1u << 20);
    open_engine(t, &f, 256u << 20);
    px_buf_add_c(&sql, "SELECT " TIME);
    for (int i = 0; i < 1500; i++) {
        struct px_str name = px_arena_printf(&t->arena, "c%d", i);
        add(&f, name, COL_INT);
        px_buf_printf(&sql, ", CAST(NULL AS BIGINT) AS \"%.*s\"", PX_FMT(name));
    }
    px_buf_add_c(&sql, " FROM range(8000) t(i)");
    const struct parquet_job job = {px_buf_str(&sql), f.path, &f.schema, &usual};
    CHECK_OK(parquet_write(f.engine, &job, &t->arena, &file));
    CHECK_INT(file.rows, 8000);
    CHECK(ask(t, &f, "SELECT num_row_groups FROM parquet_file_metadata", "") >= 2);
    sql_engine_free(&f.engine);
}

TEST(infinite_bounds_are_not_kept_since_json_cannot_say_them)
{
    struct fixture f = {0};
    struct parquet_file file;
    open_engine(t, &f, 256u << 20);
    add(&f, S("d"), COL_DOUBLE);
    copy(t, &f, "SELECT " TIME ", CASE WHEN i = 5 THEN CAST('inf' AS DOUBLE) ELSE i END AS d " ROWS,
         &file);
    CHECK_STR(file.stats_json, S("{\"time\":{\"min\":0,\"max\":5999,\"nulls\":0}}"));
    sql_engine_free(&f.engine);
}

TEST(bounds_of_strings_are_kept_when_short_and_exact_over_all_row_groups)
{
    struct fixture f = {0};
    struct parquet_file file;
    open_engine(t, &f, 256u << 20);
    add(&f, S("a \"b\""), COL_STRING);
    add(&f, S("long"), COL_STRING);
    add(&f, S("some"), COL_STRING);
    copy(t, &f,
         "SELECT " TIME ", 'x\"' || (i % 7) AS \"a \"\"b\"\"\", repeat('y', 65) || i AS long, "
         "CASE WHEN i > 1000 AND i < 1010 THEN repeat('z', 20000) || i WHEN i > 3000 THEN 'k' END "
         "AS some " ROWS,
         &file);
    CHECK_STR(file.stats_json,
              S("{\"a \\\"b\\\"\":{\"min\":\"x\\\"0\",\"max\":\"x\\\"6\",\"nulls\":0},"
                "\"time\":{\"min\":0,\"max\":5999,\"nulls\":0}}"));
    CHECK(file.has_times);
    CHECK_INT(file.time_max_us, 5999);
    sql_engine_free(&f.engine);
}

TEST(a_v1_file_has_only_encodings_and_types_that_every_reader_knows)
{
    struct fixture f = {0};
    struct parquet_file file;
    open_engine(t, &f, 256u << 20);
    add(&f, S("i"), COL_INT);
    add(&f, S("s"), COL_STRING);
    add(&f, S("d"), COL_DOUBLE);
    copy(t, &f, "SELECT " TIME ", i, md5(CAST(i AS VARCHAR)) AS s, random() AS d " ROWS, &file);
    CHECK_INT(ask(t, &f, "SELECT CAST(count(*) AS BIGINT) FROM parquet_metadata",
                  "WHERE regexp_matches(encodings, 'DELTA|SPLIT') OR compression <> 'ZSTD'"),
              0);
    CHECK_INT(ask(t, &f, "SELECT CAST(count(*) AS BIGINT) FROM parquet_schema",
                  "WHERE converted_type = 'TIMESTAMP_MICROS' AND name = 'time'"),
              1);
    CHECK_INT(
        ask(t, &f, "SELECT CAST(count(*) AS BIGINT) FROM parquet_metadata", "WHERE column_id = 0"),
        3); /* row groups, or the tests here prove nothing */
    sql_engine_free(&f.engine);
}

TEST(rows_too_wide_for_the_memory_are_written_in_smaller_groups)
{
    struct fixture f = {0};
    struct parquet_file file;
    open_engine(t, &f, 120u << 20);
    add(&f, S("s"), COL_STRING);
    const struct lifecycle_parquet large = {.version = {"V1", 2},
                                            .compression_level = 1,
                                            .row_group_rows = 1 << 20,
                                            .row_group_bytes = 1 << 30};
    const struct parquet_job job = {
        S("SELECT " TIME ", repeat(md5(CAST(i AS VARCHAR)), 100) AS s FROM range(60000) t(i)"),
        f.path, &f.schema, &large};
    CHECK_OK(parquet_write(f.engine, &job, &t->arena, &file));
    CHECK_INT(file.rows, 60000);
    CHECK(ask(t, &f, "SELECT CAST(count(*) AS BIGINT) FROM parquet_metadata",
              "WHERE column_id = 0") > 1);
    int64_t threads = 0;
    size_t rows = 0;
    CHECK_OK(parquet_select_ints(f.engine, S("SELECT CAST(current_setting('threads') AS BIGINT)"),
                                 1, 1, &threads, &rows));
    CHECK_INT(threads, 2);
    sql_engine_free(&f.engine);
}

TEST(what_cannot_be_written_or_read_is_a_fault_and_more_rows_than_asked_too)
{
    struct fixture f = {0};
    struct parquet_file file = {.rows = 7};
    open_engine(t, &f, 256u << 20);
    const struct parquet_job job = {S("SELECT 1/0 AS x FROM nowhere"), f.path, &f.schema,
                                    &small_groups};
    CHECK(parquet_write(f.engine, &job, &t->arena, &file) < 0);
    CHECK_INT(file.rows, 7);
    int64_t values[2];
    size_t rows = 0;
    CHECK_INT(parquet_select_ints(f.engine, S("SELECT CAST(i AS BIGINT) FROM range(3) t(i)"), 1, 2,
                                  values, &rows),
              PX_F_LIMIT);
    struct px_str why;
    CHECK_OK(px_file_write_atomic(f.path.ptr, S("PAR1 and nothing else PAR1"), 0600));
    CHECK_INT(parquet_verify(f.engine, f.path, 1, &t->arena, &why), PARQUET_BAD);
    CHECK(why.len > 0);
    sql_engine_free(&f.engine);
}

TEST_MAIN
