/* prism_hot(): frames made by the batch builder, read by SQL. */
// link: px_columnar
#include "support/support.h"

#include "base/px_buf.h"
#include "sql/engine.h"
#include "sql/hot_table.h"

#define T0 INT64_C(1767225600000000) /* 2026-01-01, microseconds */

struct world {
    struct px_buf bytes[16];
    struct frame frames[16];
    struct hot_set set;
    struct hot_sets sets;
    struct sql_engine *engine;
};

static void world_free(struct world *world)
{
    sql_engine_free(&world->engine);
    for (size_t i = 0; i < PX_COUNT(world->bytes); i++) px_buf_deinit(&world->bytes[i]);
}

static void world_init(struct test *t, struct world *world)
{
    memset(world, 0, sizeof(*world));
    for (size_t i = 0; i < PX_COUNT(world->bytes); i++) px_buf_init(&world->bytes[i], 64u << 20);
    CHECK_OK(schema_init(&world->set.schema, &t->arena));
    world->set.frames = world->frames;
    world->set.start_us = INT64_MIN;
    world->set.end_us = INT64_MAX;
    world->sets.sets[0] = &world->set;
    world->sets.count = 1;
    struct sql_limits limits = {.memory_bytes = 512u << 20, .threads = 4};
    CHECK_OK(sql_engine_new(&limits, &world->engine));
    CHECK_OK(hot_table_register(sql_engine_connection(world->engine), &world->sets));
}

static void add_frame(struct test *t, struct world *world, const struct batch *batch)
{
    static const uint8_t no_id[16];
    size_t i = world->set.frame_count++;
    bool changed = false;
    CHECK_OK(frame_encode(batch, 1, no_id, &world->bytes[i]));
    CHECK_OK(frame_open(px_buf_str(&world->bytes[i]), &t->arena, &world->frames[i]));
    CHECK_OK(schema_merge_frame(&world->set.schema, &world->frames[i], &changed));
    world->set.rows += world->frames[i].header.rows;
}

/* rows records, one a second from `first` on: n counts, level has few values, body is long, gap is
 * there in every third. */
static void add_lines(struct test *t, struct world *world, int64_t first, int rows)
{
    PX_AUTO(batch_free) struct batch *batch = NULL;
    CHECK_OK(batch_new(&(struct batch_limits){0}, &batch));
    static const char *const levels[] = {"debug", "info", "a level of more than twelve bytes"};
    for (int64_t i = first; i < first + rows; i++) {
        char body[64];
        (void)snprintf(body, sizeof(body), "line number %lld of this test", (long long)i);
        batch_row_begin(batch);
        CHECK_OK(batch_put_time(batch, T0 + i * 1000000));
        CHECK_OK(batch_put_int(batch, S("n"), i));
        if (i % 5 != 0) CHECK_OK(batch_put_str(batch, S("level"), px_str_c(levels[i % 3])));
        CHECK_OK(batch_put_str(batch, S("body"), px_str_c(body)));
        CHECK_OK(batch_put_double(batch, S("d"), (double)i / 2));
        CHECK_OK(batch_put_bool(batch, S("even"), i % 2 == 0));
        if (i % 3 == 0) CHECK_OK(batch_put_int(batch, S("gap"), -i));
        CHECK_OK(batch_put_json(batch, S("tags"), S("[1,2]")));
        CHECK_OK(batch_row_end(batch));
    }
    add_frame(t, world, batch);
}

/* The only row of a statement, its columns as text with '|' between; NULL is "-". */
static struct px_str ask(struct test *t, struct world *world, const char *sql)
{
    duckdb_result result;
    if (duckdb_query(sql_engine_connection(world->engine), sql, &result) != DuckDBSuccess) {
        struct px_str error = px_arena_dup(&t->arena, px_str_c(duckdb_result_error(&result)));
        duckdb_destroy_result(&result);
        return error;
    }
    duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
    CHECK(chunk && duckdb_data_chunk_get_size(chunk) == 1 &&
          duckdb_data_chunk_get_column_count(chunk) == 1);
    duckdb_string_t *text = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    struct px_str copy = px_arena_dup(
        &t->arena, px_str(duckdb_string_t_data(text), duckdb_string_t_length(*text)));
    duckdb_destroy_data_chunk(&chunk);
    duckdb_destroy_result(&result);
    return copy;
}

TEST(frames_are_one_table)
{
    PX_AUTO(world_free) struct world world;
    world_init(t, &world);
    for (int i = 0; i < 10; i++) add_lines(t, &world, i * 5000, 5000);
    CHECK_STR(ask(t, &world, "SELECT count(*)::VARCHAR FROM prism_hot(0)"), S("50000"));
    CHECK_STR(ask(t, &world, "SELECT sum(n)::VARCHAR FROM prism_hot(0)"), S("1249975000"));
    CHECK_STR(ask(t, &world, "SELECT count(DISTINCT body)::VARCHAR FROM prism_hot(0)"), S("50000"));
    CHECK_STR(ask(t, &world,
                  "SELECT concat_ws('|', count(level), count(DISTINCT level), min(level)) "
                  "FROM prism_hot(0)"),
              S("40000|3|a level of more than twelve bytes"));
    CHECK_STR(ask(t, &world,
                  "SELECT concat_ws('|', count(gap), min(gap), sum(d), count(*) FILTER (even)) "
                  "FROM prism_hot(0)"),
              S("16667|-49998|624987500.0|25000"));
    CHECK_STR(ask(t, &world, "SELECT concat_ws('|', min(time), max(time)) FROM prism_hot(0)"),
              S("2026-01-01 00:00:00|2026-01-01 13:53:19"));
    CHECK_STR(ask(t, &world,
                  "SELECT string_agg(column_name||' '||column_type, ',') FROM (DESCRIBE FROM "
                  "prism_hot(0))"),
              S("time TIMESTAMP,n BIGINT,body VARCHAR,d DOUBLE,even BOOLEAN,gap BIGINT,tags JSON,"
                "level VARCHAR"));
}

TEST(every_row_is_whole_whatever_the_encoding)
{
    PX_AUTO(world_free) struct world world;
    world_init(t, &world);
    for (int i = 0; i < 3; i++) add_lines(t, &world, i * 7001, 7001);
    CHECK_STR(
        ask(t, &world,
            "SELECT count(*)::VARCHAR FROM prism_hot(0) WHERE body = 'line number '||n||' of this test' "
            "AND level IS NOT DISTINCT FROM CASE WHEN n % 5 = 0 THEN NULL WHEN n % 3 = 0 THEN 'debug' "
            "WHEN n % 3 = 1 THEN 'info' ELSE 'a level of more than twelve bytes' END "
            "AND epoch_us(time) = 1767225600000000 + n * 1000000 AND d = n / 2 "
            "AND even = (n % 2 = 0) AND gap IS NOT DISTINCT FROM CASE WHEN n % 3 = 0 THEN -n END "
            "AND tags::VARCHAR = '[1,2]'"),
        S("21003"));
    /* through operators that keep, cut and reorder vectors */
    CHECK_STR(ask(t, &world,
                  "SELECT count(*)::VARCHAR FROM (SELECT a.level, b.body, a.n FROM prism_hot(0) a "
                  "JOIN prism_hot(0) b USING (n) ORDER BY a.level, b.body LIMIT 9000) WHERE "
                  "body LIKE '%'||n||'%'"),
              S("9000"));
    CHECK_STR(ask(t, &world,
                  "SELECT max(c)::VARCHAR FROM (SELECT level, count(*) c FROM prism_hot(0) WHERE "
                  "n % 2 = 1 GROUP BY level)"),
              S("2801"));
}

TEST(only_named_columns_are_decoded)
{
    PX_AUTO(world_free) struct world world;
    world_init(t, &world);
    add_lines(t, &world, 0, 5000);
    (void)ask(t, &world, "SELECT count(*)::VARCHAR FROM prism_hot(0)");
    uint64_t none = world.sets.bytes_read; /* DuckDB asks for one column, the first */
    CHECK(none < 100);
    (void)ask(t, &world, "SELECT max(d)::VARCHAR FROM prism_hot(0)");
    uint64_t one = world.sets.bytes_read - none;
    (void)ask(t, &world, "SELECT max(d + length(body))::VARCHAR FROM prism_hot(0)");
    uint64_t two = world.sets.bytes_read - none - one;
    CHECK(one > 0 && two > one && two < world.bytes[0].len);
}

TEST(rows_outside_the_range_are_left_out)
{
    PX_AUTO(world_free) struct world world;
    world_init(t, &world);
    for (int i = 0; i < 4; i++) add_lines(t, &world, i * 1000, 1000);
    world.set.start_us = T0 + 1500 * INT64_C(1000000);
    world.set.end_us = T0 + 3001 * INT64_C(1000000);
    CHECK_STR(ask(t, &world,
                  "SELECT concat_ws('|', count(*), min(n), max(n), count(level), count(DISTINCT "
                  "body), sum(gap)) FROM prism_hot(0)"),
              S("1501|1500|3000|1200|1501|-1127250"));
    world.set.end_us = world.set.start_us;
    CHECK_STR(ask(t, &world, "SELECT count(*)::VARCHAR FROM prism_hot(0)"), S("0"));
}

TEST(frames_of_other_shapes_are_seen_through_the_schema)
{
    PX_AUTO(world_free) struct world world;
    world_init(t, &world);
    add_lines(t, &world, 0, 10);
    PX_AUTO(batch_free) struct batch *batch = NULL;
    CHECK_OK(batch_new(&(struct batch_limits){0}, &batch));
    batch_row_begin(batch);
    CHECK_OK(batch_put_time(batch, T0));
    CHECK_OK(batch_put_str(batch, S("n"), S("not a number")));
    CHECK_OK(batch_put_int(batch, S("d"), 7));
    CHECK_OK(batch_put_int(batch, S("level"), 5));
    CHECK_OK(batch_put_str(batch, S("fresh"), S("new")));
    CHECK_OK(batch_row_end(batch));
    add_frame(t, &world, batch);
    CHECK_STR(
        ask(t, &world,
            "SELECT concat_ws('|', n IS NULL, d, level, fresh, _other) FROM prism_hot(0) WHERE "
            "fresh IS NOT NULL"),
        S("true|7.0|5|new|{\"n\":\"not a number\"}"));
    CHECK_STR(
        ask(t, &world, "SELECT concat_ws('|', count(n), count(fresh), count(*)) FROM prism_hot(0)"),
        S("10|1|11"));
}

/* A frame of 100,000 rows under 1,500 columns that it lacks: 2.4 GB if each column had its own NULLs. */
TEST(columns_that_a_frame_lacks_take_no_memory_of_their_own)
{
    PX_AUTO(world_free) struct world world;
    world_init(t, &world);
    PX_AUTO(batch_free) struct batch *batch = NULL;
    CHECK_OK(batch_new(&(struct batch_limits){.row_columns_max = 1500}, &batch));
    batch_row_begin(batch);
    CHECK_OK(batch_put_time(batch, T0));
    for (int i = 0; i < 1500; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "c%d", i);
        struct px_str text = px_str_c(name);
        CHECK_OK(i % 2 ? batch_put_json(batch, text, S("[1]")) : batch_put_int(batch, text, i));
    }
    CHECK_OK(batch_row_end(batch));
    add_frame(t, &world, batch);
    batch_reset(batch);
    for (int i = 0; i < 100000; i++) {
        batch_row_begin(batch);
        CHECK_OK(batch_put_time(batch, T0 + 1));
        CHECK_OK(batch_put_int(batch, S("n"), i));
        CHECK_OK(batch_row_end(batch));
    }
    add_frame(t, &world, batch);
    CHECK_STR(ask(t, &world,
                  "SELECT concat_ws('|', count(*), sum(n), count(c8), count(c9), "
                  "count(DISTINCT hash(t))) FROM (FROM prism_hot(0) WHERE n < 3000) t"),
              S("3000|4498500|0|0|3000"));
    CHECK_STR(ask(t, &world, "SELECT concat_ws('|', max(c8), max(c9)) FROM prism_hot(0)"),
              S("8|[1]"));
    CHECK_INT(world.sets.fault, 0);
}

TEST(parquet_made_from_frames_holds_the_same)
{
    PX_AUTO(world_free) struct world world;
    world_init(t, &world);
    for (int i = 0; i < 4; i++) add_lines(t, &world, i * 5000, 5000);
    CHECK_OK(sql_exec(world.engine,
                      "COPY (SELECT * FROM prism_hot(0)) TO '%s/x.parquet' (FORMAT parquet)",
                      t->dir));
    struct px_str sql = px_arena_printf(
        &t->arena,
        "SELECT count(*)::VARCHAR FROM ((FROM prism_hot(0) EXCEPT ALL FROM "
        "'%s/x.parquet') UNION ALL (FROM '%s/x.parquet' EXCEPT ALL FROM "
        "prism_hot(0)))",
        t->dir, t->dir);
    CHECK_STR(ask(t, &world, sql.ptr), S("0"));
}

TEST(a_damaged_frame_fails_the_statement_and_leaves_its_fault)
{
    PX_AUTO(world_free) struct world world;
    world_init(t, &world);
    add_lines(t, &world, 0, 5000);
    const struct frame_column *column =
        &world.frames[0].columns[frame_find(&world.frames[0], S("body"))];
    memset(world.bytes[0].ptr + column->block_offset, 0x5a, column->block_bytes);
    struct px_str error = ask(t, &world, "SELECT max(body) FROM prism_hot(0)");
    CHECK(strstr(error.ptr, "fresh data cannot be read"));
    CHECK_INT(world.sets.fault, PX_F_CORRUPT);
    CHECK(strlen(world.sets.fault_text) > 0);
    CHECK_STR(ask(t, &world, "SELECT max(n)::VARCHAR FROM prism_hot(0)"), S("4999"));
}

TEST(a_slot_that_is_not_there_is_an_error)
{
    PX_AUTO(world_free) struct world world;
    world_init(t, &world);
    CHECK(strstr(ask(t, &world, "SELECT 1 FROM prism_hot(1)").ptr, "no such slot"));
    CHECK(strstr(ask(t, &world, "SELECT 1 FROM prism_hot(-1)").ptr, "no such slot"));
    CHECK_STR(ask(t, &world, "SELECT count(*)::VARCHAR FROM prism_hot(0)"), S("0"));
}

TEST_MAIN
