/* The SQL of views: which form, and what of it. That it gives the right rows is test_query.c's business. */
#include "support/support.h"

#include "base/px_buf.h"
#include "svc/query/view.h"

#define SCHEMA "[{\"name\":\"time\",\"type\":\"time\"},{\"name\":\"a\",\"type\":\"int\"}]"
#define WIDE                                                                                       \
    "[{\"name\":\"time\",\"type\":\"time\"},{\"name\":\"a\",\"type\":\"double\"},"                 \
    "{\"name\":\"_row\",\"type\":\"json\"},{\"name\":\"q\\\"x\",\"type\":\"string\"}]"

static const struct restriction *limited; /* of the caller */

static struct px_str view(struct test *t, const char *schema, struct snapshot_file *files,
                          size_t count, bool hot, int64_t start_us, int64_t end_us)
{
    static const struct frame frame;
    struct snapshot snapshot = {.dataset = S("logs"), .files = files, .file_count = count};
    CHECK_OK(schema_from_json(px_str_c(schema), &t->arena, &snapshot.hot.schema));
    snapshot.hot.frames = &frame;
    snapshot.hot.frame_count = hot;
    snapshot.hot.start_us = start_us;
    snapshot.hot.end_us = end_us;
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, 1u << 20);
    CHECK_OK(view_add(&snapshot, limited, 3, &t->arena, &sql));
    return px_arena_dup(&t->arena, px_buf_str(&sql));
}

TEST(files_of_the_datasets_schema_are_plain_parquet)
{
    struct snapshot_file files[] = {{S("/b'c"), S(SCHEMA)}, {S("/a"), S(SCHEMA)}};
    CHECK_STR(
        view(t, SCHEMA, files, 2, false, INT64_MIN, INT64_MAX),
        S("CREATE OR REPLACE VIEW \"logs\" AS SELECT * FROM read_parquet(['/a','/b''c'], hive_partitioning = "
          "false);\n"));
    CHECK_STR(
        view(t, SCHEMA, files, 1, false, -5, 7),
        S("CREATE OR REPLACE VIEW \"logs\" AS SELECT * FROM read_parquet(['/a'], hive_partitioning = false) WHERE "
          "\"time\" >= make_timestamp(-5) AND \"time\" < make_timestamp(7);\n"));
}

TEST(a_restriction_is_a_wall_around_either_form_and_quotes_what_it_holds)
{
    struct snapshot_file files[] = {{S("/a"), S(WIDE)}};
    struct px_str texts[] = {S("it's"), S("'); DROP TABLE x; --")}, one[] = {S("5")};
    struct restriction_row rows[] = {
        {S("q\"x"), texts, 2}, {S("a"), one, 1}, {S("no\"ne"), one, 1}};
    const struct restriction two = {NULL, 0, rows, 2}, three = {NULL, 0, rows, 3};
#define WALL                                                                                       \
    ") WHERE \"q\"\"x\" IN (TRY_CAST('it''s' AS VARCHAR), TRY_CAST('''); DROP TABLE x; --' AS "    \
    "VARCHAR)) AND \"a\" IN (TRY_CAST('5' AS DOUBLE))"
    limited = &two;
    CHECK_STR(view(t, WIDE, files, 1, false, INT64_MIN, 7),
              S("CREATE OR REPLACE VIEW \"logs\" AS SELECT * FROM (SELECT * FROM "
                "read_parquet(['/a'], hive_partitioning = false) WHERE \"time\" < "
                "make_timestamp(7)" WALL " LIMIT 9223372036854775807;\n"));
    limited = &three; /* and of a column that is not there, no row */
    struct px_str sql = px_arena_printf(
        &t->arena, "%.*s", PX_FMT(view(t, WIDE, files, 1, true, INT64_MIN, INT64_MAX)));
    CHECK(strstr(sql.ptr, "FROM prism_hot(3))" WALL " AND false LIMIT 9223372036854775807;\n"));
    limited = NULL;
}

TEST(fresh_rows_join_by_union_with_a_constant_in_front)
{
    struct snapshot_file files[] = {{S("/a"), S(SCHEMA)}};
    CHECK_STR(
        view(t, SCHEMA, files, 1, true, INT64_MIN, 7),
        S("CREATE OR REPLACE VIEW \"logs\" AS SELECT \"time\", \"a\" FROM ("
          "SELECT true AS \"_row\", \"time\" AS \"time\", \"a\" AS \"a\" FROM read_parquet(['/a'], "
          "hive_partitioning = false) WHERE \"time\" < make_timestamp(7) UNION ALL "
          "SELECT true AS \"_row\", \"time\" AS \"time\", \"a\" AS \"a\" FROM prism_hot(3));\n"));
}

TEST(each_schema_among_the_files_is_a_branch_converted_to_the_datasets)
{
    struct snapshot_file files[] = {{S("/a"), S(SCHEMA)}, {S("/b"), S(WIDE)}, {S("/c"), S(SCHEMA)}};
    struct px_str sql = view(t, WIDE, files, 3, false, INT64_MIN, INT64_MAX);
    CHECK(strstr(sql.ptr, "read_parquet(['/a','/c']"));
    CHECK(strstr(sql.ptr,
                 "CAST(\"a\" AS DOUBLE) AS \"a\", CAST(NULL AS VARCHAR) AS \"_row\", CAST(NULL AS "
                 "VARCHAR) AS \"q\"\"x\" FROM read_parquet(['/a'"));
    CHECK(strstr(sql.ptr, "SELECT true AS \"__row\", ")); /* not a column's name */
    CHECK(!strstr(sql.ptr, "prism_hot"));
}

TEST(nothing_at_all_is_an_empty_table)
{
    struct px_str sql = view(t, SCHEMA, NULL, 0, false, INT64_MIN, INT64_MAX);
    CHECK(strstr(sql.ptr, "FROM prism_hot(3));"));
    CHECK(!strstr(sql.ptr, "UNION"));
}

TEST_MAIN
