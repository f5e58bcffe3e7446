/* What sql_check() lets through and what it refuses. Running the statements that pass, on a locked
 * engine, is test_lockdown.c's business. */
#include "support/support.h"

#include "base/px_buf.h"
#include "sql/engine.h"
#include "sql/functions.h"

static const struct sql_limits limits = {.memory_bytes = 256u << 20, .threads = 1};

static void engine_open(struct sql_engine **ret_engine)
{
    CHECK_OK(sql_engine_new(&limits, ret_engine));
}

static const struct {
    const char *sql, *why; /* a part of the reason */
} hostile[] = {
    /* other statements */
    {"COPY (SELECT 1) TO '/tmp/x.csv'", "only one SELECT"},
    {"COPY logs FROM '/etc/passwd'", "only one SELECT"},
    {"ATTACH '/etc/passwd' AS x", "only one SELECT"},
    {"DETACH memory", "only one SELECT"},
    {"INSTALL httpfs", "only one SELECT"},
    {"LOAD httpfs", "only one SELECT"},
    {"PRAGMA database_list", "only one SELECT"},
    {"PRAGMA version", "only one SELECT"},
    {"SET memory_limit = '1TB'", "only one SELECT"},
    {"RESET memory_limit", "only one SELECT"},
    {"SET VARIABLE a = 1", "only one SELECT"},
    {"CREATE TABLE t AS SELECT 1", "only one SELECT"},
    {"CREATE VIEW logs AS SELECT 1", "only one SELECT"},
    {"CREATE MACRO abs(a) AS TABLE SELECT * FROM read_text('/etc/passwd')", "only one SELECT"},
    {"CREATE SECRET s (TYPE s3)", "only one SELECT"},
    {"INSERT INTO logs VALUES (1)", "only one SELECT"},
    {"UPDATE logs SET a = 1", "only one SELECT"},
    {"DELETE FROM logs", "only one SELECT"},
    {"DROP VIEW logs", "only one SELECT"},
    {"ALTER VIEW logs RENAME TO x", "only one SELECT"},
    {"EXPORT DATABASE '/tmp/x'", "only one SELECT"},
    {"IMPORT DATABASE '/tmp/x'", "only one SELECT"},
    {"CALL pragma_version()", "only one SELECT"},
    {"PREPARE p AS SELECT 1", "only one SELECT"},
    {"EXECUTE p(1)", "only one SELECT"},
    {"EXPLAIN SELECT * FROM logs", "only one SELECT"},
    {"EXPLAIN ANALYZE SELECT * FROM logs", "only one SELECT"},
    {"BEGIN", "only one SELECT"},
    {"CHECKPOINT", "only one SELECT"},
    {"VACUUM", "only one SELECT"},
    {"USE temp", "only one SELECT"},
    {"SELECT 1; SELECT 2", "only one statement"},
    {"SELECT 1; DROP VIEW logs", "only one SELECT"},
    {"SELECT 1 /* ; */ ; -- x\nATTACH 'x'", "only one SELECT"},
    {"", "empty"},
    {"  \n\t ", "empty"},
    {"-- nothing", "no statement"},
    {";;;", "no statement"},
    {"SELEC 1", "cannot be parsed"},
    {"SELECT 'open", "cannot be parsed"},
    {"PIVOT logs ON body USING count(*)", "IN (...)"},
    {"SHOW DATABASES", "only SHOW TABLES"},
    {"SHOW ALL TABLES", "only SHOW TABLES"},
    {"SHOW", "only SHOW TABLES"},
    {"SELECT * FROM (SHOW ALL TABLES)", "only SHOW TABLES"},
    {"SHOW TABLES FROM system.information_schema", "only SHOW TABLES"},
    /* files as tables */
    {"SELECT * FROM '/etc/passwd'", "files cannot be reached"},
    {"SELECT * FROM 'x.parquet'", "files cannot be reached"},
    {"SELECT * FROM \"x.csv\"", "files cannot be reached"},
    {"FROM 's3://bucket/key.parquet'", "files cannot be reached"},
    {"FROM '*'", "files cannot be reached"},
    {"FROM '..'", "files cannot be reached"},
    {"WITH \"/etc/passwd\" AS (SELECT 1) SELECT * FROM \"/etc/passwd\"", "files cannot be reached"},
    {"SELECT (SELECT count(*) FROM '/etc/shadow')", "files cannot be reached"},
    {"SELECT * FROM logs WHERE EXISTS (FROM 'a.json')", "files cannot be reached"},
    {"DESCRIBE '/etc/passwd'", "files cannot be reached"},
    {"SUMMARIZE 'a.parquet'", "files cannot be reached"},
    {"TABLE 'a.parquet'", "files cannot be reached"},
    {"PIVOT 'a.csv' ON x IN (1) USING count(*)", "files cannot be reached"},
    {"SELECT list_transform([1], lambda x: (SELECT max(a) FROM 'f.csv'))",
     "files cannot be reached"},
    /* catalogs and other tenants */
    {"SELECT * FROM other_tenant.logs", "without database or schema"},
    {"SELECT * FROM \"other_tenant\".\"logs\"", "without database or schema"},
    {"SELECT * FROM information_schema.tables", "without database or schema"},
    {"SELECT * FROM pg_catalog.pg_class", "without database or schema"},
    {"SELECT * FROM memory.main.logs", "without database or schema"},
    {"SELECT * FROM system.main.duckdb_views", "without database or schema"},
    {"SELECT * FROM temp.logs", "without database or schema"},
    {"WITH duckdb_views AS (SELECT 1) SELECT * FROM duckdb_views", "belongs to the SQL engine"},
    {"SELECT * FROM (WITH duckdb_views AS (SELECT 1) SELECT 1), duckdb_views", "belongs to"},
    {"WITH RECURSIVE PG_Class AS (SELECT 1) SELECT 1", "belongs to the SQL engine"},
    {"WITH sqlite_master AS (SELECT 1) SELECT 1", "belongs to the SQL engine"},
    /* table functions */
    {"SELECT * FROM read_csv('/etc/passwd')", "table function read_csv"},
    {"SELECT * FROM READ_TEXT('/etc/passwd')", "table function"},
    {"SELECT * FROM \"read_blob\"('/etc/passwd')", "table function read_blob"},
    {"SELECT * FROM main.read_parquet('x')", "table function read_parquet"},
    {"SELECT * FROM system.main.read_json('x')", "table function read_json"},
    {"SELECT * FROM parquet_scan('x')", "table function parquet_scan"},
    {"SELECT * FROM parquet_metadata('x')", "table function parquet_metadata"},
    {"SELECT * FROM parquet_kv_metadata('x')", "table function parquet_kv_metadata"},
    {"SELECT * FROM glob('/*')", "table function glob"},
    {"SELECT * FROM sniff_csv('/etc/passwd')", "table function sniff_csv"},
    {"SELECT * FROM duckdb_settings()", "table function duckdb_settings"},
    {"SELECT * FROM duckdb_views()", "table function duckdb_views"},
    {"SELECT * FROM duckdb_secrets()", "table function duckdb_secrets"},
    {"SELECT * FROM pragma_database_list()", "table function pragma_database_list"},
    {"SELECT * FROM query('SELECT ' || '1')", "table function query"},
    {"SELECT * FROM query_table('duckdb_views')", "table function query_table"},
    {"SELECT * FROM histogram('duckdb_views', 'sql')", "table function histogram"},
    {"SELECT * FROM json_execute_serialized_sql('{}')", "table function json_execute"},
    {"SELECT * FROM prism_hot(0)", "table function prism_hot"},
    {"SELECT * FROM seq_scan('x')", "table function seq_scan"},
    {"SELECT * FROM sql_auto_complete('SEL')", "table function sql_auto_complete"},
    {"SELECT * FROM test_all_types()", "table function test_all_types"},
    {"SELECT * FROM arrow_scan(1, 2, 3)", "table function arrow_scan"},
    {"SELECT * FROM which_secret('x', 's3')", "table function which_secret"},
    {"SELECT * FROM logs, LATERAL (SELECT * FROM read_csv(logs.body))", "table function read_csv"},
    {"SELECT (SELECT content FROM read_text('/etc/passwd'))", "table function read_text"},
    {"WITH a AS MATERIALIZED (FROM read_csv('x')) SELECT 1", "table function read_csv"},
    {"VALUES ((SELECT max(content) FROM read_text('x')))", "table function read_text"},
    {"SELECT 1 ORDER BY (SELECT max(content) FROM read_text('x'))", "table function read_text"},
    {"SELECT 1 LIMIT (SELECT count(*) FROM glob('*'))", "table function glob"},
    {"SELECT sum(1) OVER (ORDER BY (SELECT max(file) FROM glob('*')))", "table function glob"},
    {"SELECT count(*) FILTER (WHERE EXISTS (FROM glob('*')))", "table function glob"},
    {"SELECT 1 UNION ALL SELECT content FROM read_text('x')", "table function read_text"},
    {"SELECT 1 GROUP BY GROUPING SETS ((), ((SELECT 1 FROM glob('*'))))", "table function glob"},
    {"SELECT * REPLACE ((SELECT 1 FROM glob('*')) AS body) FROM logs", "table function glob"},
    {"FROM range((SELECT count(*) FROM glob('*')))", "table function glob"},
    {"SELECT * FROM a JOIN b ON (SELECT true FROM glob('*'))", "table function glob"},
    {"SELECT 1 QUALIFY (SELECT true FROM glob('*'))", "table function glob"},
    {"SELECT 1 HAVING (SELECT true FROM glob('*'))", "table function glob"},
    {"SELECT {'a': [(SELECT 1 FROM glob('*'))]}", "table function glob"},
    {"SELECT CASE WHEN (SELECT true FROM glob('*')) THEN 1 END", "table function glob"},
    {"DESCRIBE SELECT * FROM glob('*')", "table function glob"},
    {"SELECT * FROM logs AT (VERSION => (SELECT 1 FROM glob('*')))", "table function glob"},
    {"SELECT COLUMNS(c -> (SELECT true FROM glob('*'))) FROM logs", "table function glob"},
    {"SELECT DISTINCT ON ((SELECT 1 FROM glob('*'))) 1", "table function glob"},
    /* functions */
    {"SELECT getenv('HOME')", "function getenv"},
    {"SELECT current_setting('temp_directory')", "function current_setting"},
    {"SELECT \"current_setting\"('temp_directory')", "function current_setting"},
    {"SELECT main.current_setting('x')", "function current_setting"},
    {"SELECT ('x').current_setting()", "function current_setting"},
    {"SELECT getvariable('a')", "function getvariable"},
    {"SELECT pg_get_viewdef(1)", "function pg_get_viewdef"},
    {"SELECT system.pg_catalog.pg_size_pretty(1)", "function pg_size_pretty"},
    {"SELECT json_serialize_plan('SELECT 1')", "function json_serialize_plan"},
    {"SELECT json_deserialize_sql('{}')", "function json_deserialize_sql"},
    {"SELECT nextval('s')", "function nextval"},
    {"SELECT write_log('x')", "function write_log"},
    {"SELECT sleep_ms(100000)", "function sleep_ms"},
    {"SELECT list_transform([1], lambda x: getenv('HOME'))", "function getenv"},
    {"SELECT list_transform(['HOME'], x -> getenv(x))", "function getenv"},
    {"SELECT max(1) FILTER (WHERE current_setting('a') = 'b')", "function current_setting"},
    {"SELECT 1 FROM logs ORDER BY current_setting('a')", "function current_setting"},
    {"SELECT current_setting('a') OVER ()", "function current_setting"},
    {"SELECT * FROM unnest([current_setting('a')])", "function current_setting"},
    {"SELECT __internal_compress_string_ubigint('a')", "function __internal"},
    {"SELECT no_such_function(1)", "function no_such_function"},
    {"SELECT $1", "parameters"},
    {"SELECT ?", "parameters"},
    {"SELECT $name", "parameters"},
};

TEST(hostile_statements_are_refused_with_a_reason)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(&engine);
    for (size_t i = 0; i < PX_COUNT(hostile); i++) {
        struct sql_statement statement;
        struct px_str why = {0};
        int r = sql_check(engine, px_str_c(hostile[i].sql), &t->arena, &statement, &why);
        if (r != SQL_REFUSED) TEST_FAIL("%s\n  gave %d", hostile[i].sql, r);
        if (!strstr(why.ptr, hostile[i].why))
            TEST_FAIL("%s\n  was refused because: %s", hostile[i].sql, why.ptr);
    }
}

static const char *const good[] = {
    "SELECT 1",
    "select count(*) from logs;",
    "FROM logs",
    "TABLE logs",
    "VALUES (1, 'a'), (2, 'b')",
    "FROM logs SELECT body WHERE n > 1 LIMIT 10",
    "SELECT body, count(*) FROM logs GROUP BY ALL ORDER BY ALL",
    "SELECT * EXCLUDE (n) REPLACE (upper(body) AS body) FROM logs",
    "SELECT COLUMNS('b.*') FROM logs",
    "DESCRIBE logs",
    "SUMMARIZE logs",
    "SHOW TABLES",
    "DESCRIBE SELECT n + 1 AS m FROM logs",
    "SELECT a.n FROM logs a JOIN traces b USING (n)",
    "SELECT * FROM logs ASOF JOIN traces ON logs.n = traces.n AND logs.time >= traces.time",
    "WITH a AS (SELECT 1 AS x) SELECT * FROM a",
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 9) SELECT sum(i) FROM c",
    "SELECT row_number() OVER (PARTITION BY body ORDER BY time) FROM logs QUALIFY row_number() OVER () = 1",
    "SELECT lag(n) OVER w FROM logs WINDOW w AS (ORDER BY time)",
    "SELECT u FROM logs, LATERAL (SELECT unnest([n, n + 1]) AS u)",
    "SELECT * FROM range(10) r(i), unnest([1, 2]) x(v)",
    "SELECT * FROM json_each('{\"a\": 1}')",
    "SELECT json_extract_string(body, '$.a'), body->>'$.b', body->'c' FROM logs",
    "SELECT regexp_extract(body, 'a(.)', 1) FROM logs WHERE body SIMILAR TO '.*x' OR body ~ 'y'",
    "SELECT quantile_cont(n, [0.5, 0.99]), approx_quantile(n, 0.9), median(n) FROM logs",
    "PIVOT logs ON body IN ('a', 'b') USING count(*)",
    "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b INTO NAME k VALUE v",
    "SELECT * FROM logs USING SAMPLE 10 PERCENT (bernoulli, 42)",
    "SELECT list_filter([1, 2, 3], lambda x: x > 1), [x * 2 FOR x IN [1, 2]]",
    "SELECT time_bucket(INTERVAL 5 MINUTE, time), count(*) FROM logs WHERE time > now() - INTERVAL 1 DAY GROUP BY 1",
    "SELECT date_trunc('hour', time), strftime(time, '%H'), epoch_ms(time) FROM logs",
    "SELECT current_timestamp, current_date, localtimestamp, ago(INTERVAL 1 HOUR)",
    "SELECT body.upper().length() FROM logs",
    "SELECT CASE WHEN n BETWEEN 1 AND 2 THEN 'a' ELSE 'b' END, n IN (1, 2), n IS NULL, NOT true FROM logs",
    "SELECT 1 UNION ALL BY NAME SELECT 2 EXCEPT SELECT 3",
    "SELECT struct_pack(a := 1).a, {'a': 1}['a'], MAP {'k': 1}['k'], [1, 2][1:2]",
    "SELECT count(*) FILTER (n > 1), string_agg(body, ',' ORDER BY time), arg_max(body, n) FROM logs",
    "SELECT * FROM logs WHERE (n, body) IN (SELECT n, body FROM traces)",
    "SELECT n::VARCHAR, TRY_CAST(body AS INTEGER), CAST(n AS DECIMAL(10, 2)) FROM logs",
    "SELECT * FROM logs POSITIONAL JOIN traces",
    "SELECT * FROM logs SEMI JOIN traces USING (n)",
    "SELECT GROUPING(body), body, sum(n) FROM logs GROUP BY ROLLUP (body)",
    "SELECT coalesce(n, 0), ifnull(n, 1), nullif(n, 2), if(n > 1, 2, 3), greatest(1, 2) FROM logs",
    "SELECT 'a' || 'b', concat('a', 1), format('{} {}', 1, 'x'), printf('%d', 1)",
    "SELECT * FROM (SELECT 1) AS t(\"my column\")",
    "SELECT 'file.parquet', '/etc/passwd', 'read_csv(''x'')' -- text is only text",
    "SELECT (SELECT max(n) FROM traces WHERE traces.n = logs.n) FROM logs",
    "SELECT unnest(string_split(body, ' ')) AS word, count(*) FROM logs GROUP BY word",
    "SELECT histogram(n), approx_count_distinct(body), mode(body) FROM logs",
};

TEST(good_statements_pass)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(&engine);
    for (size_t i = 0; i < PX_COUNT(good); i++) {
        struct sql_statement statement;
        struct px_str why = {0};
        int r = sql_check(engine, px_str_c(good[i]), &t->arena, &statement, &why);
        if (r != 0) TEST_FAIL("%s\n  gave %d: %.*s", good[i], r, PX_FMT(why));
    }
}

TEST(views_of_the_engine_cannot_be_names_of_ctes)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(&engine);
    duckdb_result result;
    CHECK(duckdb_query(sql_engine_connection(engine),
                       "SELECT view_name FROM duckdb_views() WHERE internal AND schema_name <> "
                       "'information_schema'",
                       &result) == DuckDBSuccess);
    duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
    CHECK(chunk && duckdb_data_chunk_get_size(chunk) > 20);
    duckdb_string_t *names = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
        struct px_str sql = px_arena_printf(&t->arena, "WITH %.*s AS (SELECT 1) SELECT 1",
                                            (int)duckdb_string_t_length(names[i]),
                                            duckdb_string_t_data(&names[i]));
        struct sql_statement statement;
        struct px_str why;
        if (sql_check(engine, sql, &t->arena, &statement, &why) != SQL_REFUSED)
            TEST_FAIL("passed: %.*s", PX_FMT(sql));
    }
    duckdb_destroy_data_chunk(&chunk);
    duckdb_destroy_result(&result);
}

/* The reviewed number of functions outside the list: another DuckDB with other functions must make
 * somebody look. */
TEST(the_list_of_functions_matches_this_duckdb)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(&engine);
    duckdb_result result;
    CHECK(
        duckdb_query(sql_engine_connection(engine),
                     "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN "
                     "('scalar', 'aggregate', 'macro') AND function_name NOT LIKE 'icu_collate%' "
                     "AND function_name NOT LIKE '\\_\\_internal%' ESCAPE '\\'",
                     &result) == DuckDBSuccess);
    size_t allowed = 0, refused = 0;
    for (duckdb_data_chunk chunk; (chunk = duckdb_fetch_chunk(result));) {
        duckdb_string_t *names = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
        for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
            struct px_str name = px_str(duckdb_string_t_data(&names[i]),
                                        duckdb_string_t_length(names[i]));
            if (sql_function_allowed(name))
                allowed++;
            else
                refused++;
        }
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&result);
    CHECK_INT(allowed, 582);
    CHECK_INT(refused, 82);
}

static const struct sql_table *named(const struct sql_statement *statement, const char *name)
{
    for (size_t i = 0; i < statement->table_count; i++) {
        if (px_str_eq(statement->tables[i].name, px_str_c(name))) return &statement->tables[i];
    }
    TEST_FAIL("no table %s", name);
    return NULL;
}

TEST(tables_are_named_once_in_lower_case_without_their_ctes)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(&engine);
    struct sql_statement statement;
    struct px_str why;
    CHECK_OK(sql_check(engine,
                       S("WITH a AS (SELECT * FROM Logs), traces AS (FROM traces) "
                         "SELECT * FROM a, LOGS, traces, \"Metrics\""),
                       &t->arena, &statement, &why));
    CHECK_INT(statement.table_count, 4);
    CHECK(named(&statement, "a")->defined);
    CHECK(!named(&statement, "logs")->defined);
    CHECK(named(&statement, "traces")->defined); /* and yet its definition names a dataset */
    CHECK(!named(&statement, "metrics")->defined);
    CHECK(!statement.shows_tables);
    CHECK_OK(sql_check(engine, S("SHOW TABLES"), &t->arena, &statement, &why));
    CHECK(statement.shows_tables);
}

/* What passed is known the next time, with its tables; what was refused is refused again. */
TEST(a_text_that_comes_again_is_judged_the_same)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(&engine);
    struct sql_statement statement;
    struct px_str why;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++) { /* more than are remembered */
            struct px_str passes = px_arena_printf(
                &t->arena, "WITH c%d AS (SELECT 1) SELECT %d FROM t%d, c%d", i, i, i, i);
            struct px_str fails = px_arena_printf(&t->arena, "SELECT getenv('%d')", i);
            for (int again = 0; again < 2; again++) {
                CHECK_OK(sql_check(engine, passes, &t->arena, &statement, &why));
                CHECK_INT(statement.table_count, 2);
                char name[16];
                (void)snprintf(name, sizeof(name), "t%d", i);
                CHECK(!named(&statement, name)->defined);
                name[0] = 'c';
                CHECK(named(&statement, name)->defined);
                CHECK_INT(sql_check(engine, fails, &t->arena, &statement, &why), SQL_REFUSED);
            }
        }
    }
}

/* ---- size and depth ---- */

static struct px_str nested(struct test *t, const char *head, const char *open, size_t n,
                            const char *middle, const char *close)
{
    struct px_buf buf;
    px_buf_init(&buf, 8u << 20);
    px_buf_add_c(&buf, head);
    for (size_t i = 0; i < n; i++) px_buf_add_c(&buf, open);
    px_buf_add_c(&buf, middle);
    for (size_t i = 0; i < n; i++) px_buf_add_c(&buf, close);
    struct px_str text = px_arena_dup(&t->arena, px_buf_str(&buf));
    px_buf_deinit(&buf);
    return text;
}

TEST(deep_and_large_statements_end_without_harm)
{
    static const struct {
        const char *head, *open;
        size_t n;
        const char *middle, *close;
    } bombs[] = {
        {"SELECT ", "(", 10000, "1", ")"},
        {"SELECT ", "- ", 50000, "1", ""},
        {"SELECT ", "1+", 60000, "1", ""},
        {"SELECT ", "NOT ", 30000, "true", ""},
        {"SELECT ", "(SELECT ", 5000, "1", ")"},
        {"SELECT * FROM ", "(SELECT * FROM ", 5000, "logs", ")"},
        {"SELECT ", "[", 60000, "1", "]"},
        {"SELECT ", "abs(", 20000, "1", ")"},
        {"SELECT ", "{'a':", 20000, "1", "}"},
        {"SELECT ", "CASE WHEN true THEN ", 4000, "1", " END"},
        {"SELECT 1", " UNION ALL SELECT 1", 6000, "", ""},
        {"SELECT * FROM logs", ", logs", 20000, "", ""},
        {"SELECT * FROM logs", " JOIN logs USING (a)", 6000, "", ""},
        {"SELECT 1", "::INT", 20000, "", ""},
        {"SELECT a", "[1]", 20000, "", ""},
        {"SELECT a", ".b", 60000, "", ""},
        {"SELECT ", "x -> ", 20000, "1", ""},
        {"SELECT CAST(1 AS INT", "[]", 60000, ")", ""},
        {"SELECT 'x", "x", 1u << 20, "'", ""},
    };
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(&engine);
    for (size_t i = 0; i < PX_COUNT(bombs); i++) {
        struct px_str sql = nested(t, bombs[i].head, bombs[i].open, bombs[i].n, bombs[i].middle,
                                   bombs[i].close);
        struct sql_statement statement;
        struct px_str why = {0};
        int r = sql_check(engine, sql, &t->arena, &statement, &why);
        if (r != SQL_REFUSED && r != 0) TEST_FAIL("bomb %zu gave %d", i, r);
        if (r == SQL_REFUSED) CHECK(why.len > 0 && why.len < 600);
    }
}

TEST(nul_characters_are_refused)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(&engine);
    struct sql_statement statement;
    struct px_str why;
    CHECK_INT(sql_check(engine, S("SELECT 1\0; DROP VIEW logs"), &t->arena, &statement, &why),
              SQL_REFUSED);
    CHECK(strstr(why.ptr, "NUL"));
}

TEST_MAIN
