/* A locked engine: what runs, what cannot be reached even by a statement that nobody has checked, and
 * that time, memory and cancellation hold. */
#include "support/support.h"

#include <pthread.h>

#include "base/px_buf.h"
#include "sql/engine.h"

static _Atomic bool never_cancelled;

/* An engine with the view `logs` over one Parquet file of 200,000 rows; another file lies beside. */
static void engine_open(struct test *t, struct sql_engine **ret_engine)
{
    struct px_str spill = test_path(t, "spill");
    CHECK_OK(px_dir_make(spill.ptr));
    struct sql_limits limits = {
        .memory_bytes = 128u << 20, .threads = 2, .temp_dir = spill, .temp_bytes_max = 64u << 20};
    struct sql_engine *engine = NULL;
    CHECK_OK(sql_engine_new(&limits, &engine));
    *ret_engine = engine;
    CHECK_OK(
        sql_exec(engine,
                 "COPY (SELECT TIMESTAMP '2026-01-01' + INTERVAL (i) SECOND AS time, 'line '||i AS "
                 "body, i AS n FROM range(200000) r(i)) TO '%s/a.parquet' (FORMAT parquet);"
                 "COPY (SELECT 'secret' AS body) TO '%s/b.parquet' (FORMAT parquet);"
                 "CREATE VIEW logs AS FROM read_parquet(['%s/a.parquet'])",
                 t->dir, t->dir, t->dir));
    struct px_str files[] = {test_path(t, "a.parquet")};
    CHECK_OK(sql_engine_lock(engine, files, 1));
}

static int run_all(struct test *t, struct sql_engine *engine, struct px_str sql, int timeout_ms,
                   const _Atomic bool *cancelled, uint64_t *ret_rows, struct px_str *ret_why)
{
    struct sql_leash leash = {&px_clock_system,
                              px_mono_ns(&px_clock_system) + timeout_ms * PX_NS_PER_MS, cancelled};
    duckdb_result *result = NULL;
    *ret_rows = 0;
    *ret_why = (struct px_str){0};
    int r = sql_run(engine, sql, &leash, &t->arena, &result, ret_why);
    while (r == 0) {
        duckdb_data_chunk chunk = NULL;
        r = sql_fetch(engine, &t->arena, &chunk, ret_why);
        if (r != 0 || !chunk) break;
        *ret_rows += duckdb_data_chunk_get_size(chunk);
        duckdb_destroy_data_chunk(&chunk);
    }
    return r;
}

TEST(statements_run_on_a_locked_engine)
{
    static const struct {
        const char *sql;
        uint64_t rows;
    } good[] = {
        {"SELECT count(*) FROM logs", 1},
        {"FROM logs", 200000},
        {"SELECT n % 10 AS d, count(*) FROM logs GROUP BY d ORDER BY d", 10},
        {"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 9) FROM c", 9},
        {"SELECT n, row_number() OVER (ORDER BY n) r FROM logs QUALIFY r <= 3", 3},
        {"SELECT u FROM (FROM logs LIMIT 2), LATERAL (SELECT unnest([n, n + 1]) AS u)", 4},
        {"SELECT a.n FROM logs a JOIN logs b USING (n) WHERE a.n < 5", 5},
        {"SELECT * FROM (FROM logs LIMIT 3) a ASOF JOIN logs b ON a.time >= b.time", 3},
        {"SELECT regexp_extract(body, '([0-9]+)', 1) FROM logs WHERE body SIMILAR TO 'line 1.3'",
         10},
        {"SELECT json_extract_string('{\"a\": 1}', '$.a')", 1},
        {"SELECT key FROM json_each('{\"a\": 1, \"b\": 2}')", 2},
        {"SELECT quantile_cont(n, [0.5, 0.9]), median(n), approx_quantile(n, 0.5) FROM logs", 1},
        {"PIVOT (SELECT n % 2 AS m FROM logs) ON m IN (0, 1) USING count(*)", 1},
        {"UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b INTO NAME k VALUE v", 2},
        {"SELECT * FROM logs USING SAMPLE 10 ROWS", 10},
        {"SELECT list_filter([1, 2, 3], lambda x: x > 1), [x * 2 FOR x IN [1, 2]]", 1},
        {"SELECT time_bucket(INTERVAL 1 DAY, time) b, count(*) FROM logs GROUP BY b", 3},
        {"SELECT count(*) FROM logs WHERE time > now() - INTERVAL 5 MINUTE", 1},
        {"SELECT typeof(now()), typeof(current_timestamp), typeof(ago(INTERVAL 1 HOUR))", 1},
        {"DESCRIBE logs", 3},
        {"SUMMARIZE logs", 3},
        {"SHOW TABLES", 1},
        {"SELECT body FROM logs ORDER BY body DESC LIMIT 5", 5},
        {"SELECT n FROM logs WHERE n IN (SELECT max(n) FROM logs)", 1},
        {"SELECT COLUMNS('b.*') FROM logs LIMIT 1", 1},
        {"SELECT strftime(time, '%Y') y, timezone('Europe/Berlin', time) FROM logs LIMIT 1", 1},
        {"SELECT body, count(*) FROM logs GROUP BY ROLLUP (body) ORDER BY ALL LIMIT 1", 1},
        {"VALUES (1), (2)", 2},
        {"SELECT 1 INTERSECT SELECT 1", 1},
    };
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(t, &engine);
    for (size_t i = 0; i < PX_COUNT(good); i++) {
        struct sql_statement statement;
        struct px_str why = {0};
        uint64_t rows = 0;
        int r = sql_check(engine, px_str_c(good[i].sql), &t->arena, &statement, &why);
        if (r == 0)
            r = run_all(t, engine, px_str_c(good[i].sql), 20000, &never_cancelled, &rows, &why);
        if (r != 0) TEST_FAIL("%s\n  gave %d: %.*s", good[i].sql, r, PX_FMT(why));
        if (rows != good[i].rows)
            TEST_FAIL("%s\n  gave %lu rows", good[i].sql, (unsigned long)rows);
    }
}

/* The second wall alone: none of these went through sql_check(). */
TEST(a_locked_engine_reaches_no_file_and_no_setting)
{
    static const char *const statements[] = {
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_parquet('%s/b.parquet')",
        "SELECT * FROM read_parquet('%s/*.parquet')",
        "SELECT * FROM read_parquet('%s/../%s/b.parquet')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM query('FROM read_blob(''%s/b.parquet'')')",
        "SELECT * FROM read_duckdb('%s/x.db')",
        "COPY (SELECT 1) TO '%s/c.csv'",
        "COPY (SELECT 1) TO '%s/a.parquet'",
        "ATTACH '%s/x.db' AS x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '100GB'",
        "SET enable_external_access = true",
        "SET allowed_paths = ['/etc/passwd']",
        "PRAGMA memory_limit = '100GB'",
        "SELECT 1; SELECT 2",
        "CREATE SECRET s (TYPE s3)",
    };
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(t, &engine);
    for (size_t i = 0; i < PX_COUNT(statements); i++) {
        struct px_str sql = {0};
        PX_AUTO(px_buf_deinit) struct px_buf text;
        px_buf_init(&text, 4096);
        for (const char *c = statements[i]; *c; c++) {
            if (c[0] == '%' && c[1] == 's')
                px_buf_add_c(&text, t->dir), c++;
            else
                px_buf_add_char(&text, *c);
        }
        sql = px_arena_dup(&t->arena, px_buf_str(&text));
        struct px_str why;
        uint64_t rows;
        int r = run_all(t, engine, sql, 20000, &never_cancelled, &rows, &why);
        if (r != SQL_FAILED && r != PX_F_IO)
            TEST_FAIL("%.*s\n  gave %d, %lu rows", PX_FMT(sql), r, (unsigned long)rows);
        if (strstr(why.ptr ? why.ptr : "", "a.parquet"))
            TEST_FAIL("%.*s\n  shows: %.*s", PX_FMT(sql), PX_FMT(why));
    }
}

TEST(virtual_columns_show_no_path)
{
    static const char *const statements[] = {
        "SELECT filename FROM logs",
        "SELECT logs.filename FROM logs",
        "SELECT file_row_number FROM logs",
        "SELECT file_index FROM logs",
        "SELECT rowid FROM logs",
        "SELECT logs.\"file_name\" FROM logs",
        "SELECT COLUMNS('file.*') FROM logs",
    };
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(t, &engine);
    for (size_t i = 0; i < PX_COUNT(statements); i++) {
        struct px_str why;
        uint64_t rows;
        int r = run_all(t, engine, px_str_c(statements[i]), 20000, &never_cancelled, &rows, &why);
        if (r != SQL_FAILED) TEST_FAIL("%s\n  gave %d", statements[i], r);
        CHECK(!strstr(why.ptr, t->dir));
    }
}

/* ---- time, memory, cancellation ---- */

static const char *const endless[] = {
    "SELECT count(*) FROM range(1000000000000) t(i) WHERE i % 7 = 3",
    "SELECT sum(a.n * b.n) FROM logs a, logs b",
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT max(i) FROM c",
    "SELECT count(*) FROM logs a, logs b WHERE regexp_matches(a.body || b.body, '(x+x+)+y')",
    "FROM logs a, logs b",
    "SELECT max(i) FROM generate_series(1, 9000000000000000) g(i)",
};

TEST(a_deadline_ends_whatever_runs)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(t, &engine);
    for (size_t i = 0; i < PX_COUNT(endless); i++) {
        struct px_str why;
        uint64_t rows;
        int64_t start = px_mono_ns(&px_clock_system);
        int r = run_all(t, engine, px_str_c(endless[i]), 150, &never_cancelled, &rows, &why);
        int64_t ms = (px_mono_ns(&px_clock_system) - start) / PX_NS_PER_MS;
        if (r != SQL_TIMEOUT) TEST_FAIL("%s\n  gave %d %.*s", endless[i], r, PX_FMT(why));
        if (ms > 5000) TEST_FAIL("%s\n  ended only after %ld ms", endless[i], (long)ms);
    }
    struct px_str why;
    uint64_t rows;
    CHECK_OK(run_all(t, engine, S("SELECT 1"), 20000, &never_cancelled, &rows, &why));
}

static void *set_flag(void *flag)
{
    usleep(50000);
    *(_Atomic bool *)flag = true;
    return NULL;
}

TEST(a_flag_cancels_whatever_runs)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(t, &engine);
    for (size_t i = 0; i < 3; i++) {
        _Atomic bool cancelled = false;
        pthread_t thread;
        CHECK_INT(pthread_create(&thread, NULL, set_flag, (void *)&cancelled), 0);
        struct px_str why;
        uint64_t rows;
        CHECK_INT(run_all(t, engine, px_str_c(endless[i]), 20000, &cancelled, &rows, &why),
                  SQL_CANCELLED);
        pthread_join(thread, NULL);
    }
}

/* One watch serves all statements of an engine: what ended one does not touch the next, and after a
 * rest longer than the watch stays awake it still looks. */
TEST(a_watch_serves_one_statement_after_the_other)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(t, &engine);
    struct px_str why;
    uint64_t rows;
    for (int round = 0; round < 3; round++) {
        CHECK_INT(run_all(t, engine, px_str_c(endless[0]), 50, &never_cancelled, &rows, &why),
                  SQL_TIMEOUT);
        for (int i = 0; i < 20; i++)
            CHECK_OK(run_all(t, engine, S("SELECT count(*) FROM logs WHERE n % 7 = 1"), 20000,
                             &never_cancelled, &rows, &why));
        if (round == 1) usleep(1300000);
        if (round == 1) CHECK_OK(sql_engine_renew(engine));
    }
}

TEST(memory_over_the_limit_is_an_answer)
{
    static const char *const statements[] = {
        "SELECT max(len(l)) FROM (SELECT list(i) AS l FROM range(100000000) t(i))",
        "SELECT string_agg(repeat(a.body, 100), ',') FROM logs a, (FROM logs LIMIT 50) b",
    };
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(t, &engine);
    for (size_t i = 0; i < PX_COUNT(statements); i++) {
        struct px_str why;
        uint64_t rows;
        int r = run_all(t, engine, px_str_c(statements[i]), 60000, &never_cancelled, &rows, &why);
        if (r != SQL_MEMORY) TEST_FAIL("%s\n  gave %d %.*s", statements[i], r, PX_FMT(why));
        CHECK(!strstr(why.ptr, t->dir)); /* the folder of spill files */
    }
}

TEST(a_large_result_streams_through_little_memory)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(t, &engine);
    struct px_str why;
    uint64_t rows;
    CHECK_OK(run_all(t, engine, S("SELECT i, repeat('x', 100) FROM range(5000000) t(i)"), 60000,
                     &never_cancelled, &rows, &why));
    CHECK_INT(rows, 5000000);
}

TEST(errors_while_fetching_are_answers)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(t, &engine);
    struct px_str why;
    uint64_t rows;
    CHECK_INT(run_all(t, engine,
                      S("SELECT CASE WHEN n = 199999 THEN body::INT ELSE 1 END FROM logs"), 20000,
                      &never_cancelled, &rows, &why),
              SQL_FAILED);
    CHECK(strstr(why.ptr, "Could not convert"));
    CHECK_INT(run_all(t, engine, S("SELECT nope FROM logs"), 20000, &never_cancelled, &rows, &why),
              SQL_FAILED);
    CHECK(strstr(why.ptr, "nope"));
}

TEST(a_broken_file_is_a_fault_not_the_callers_mistake)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(t, &engine);
    CHECK_OK(px_file_write_atomic(test_path(t, "a.parquet").ptr,
                                  S("no parquet at all, not even close"), 0600));
    struct px_str why;
    uint64_t rows;
    /* counts and bounds come from the footer that is known: objects never change */
    CHECK_OK(run_all(t, engine,
                     S("SELECT 1 FROM (SELECT count(*) AS c, max(n) AS m FROM logs) WHERE "
                       "c = 200000 AND m = 199999"),
                     20000, &never_cancelled, &rows, &why));
    CHECK_INT(rows, 1);
    int r = run_all(t, engine, S("SELECT sum(length(body)) FROM logs"), 20000, &never_cancelled,
                    &rows, &why);
    if (r >= 0) TEST_FAIL("gave %d: %.*s", r, PX_FMT(why));
}

/* ---- an engine that is kept ---- */

TEST(an_engine_locked_to_folders_reaches_nothing_beside_them)
{
    static const char *const beside[] = {
        "SELECT * FROM read_parquet('%s/acme2/x.parquet')",
        "SELECT * FROM read_parquet('%s/acme/../acme2/x.parquet')",
        "SELECT * FROM read_parquet('%s/acme/./../acme2/x.parquet')",
        "SELECT * FROM read_parquet('%s/acme//../acme2/*.parquet')",
        "SELECT * FROM read_parquet('%s/acm*/x.parquet')",
        "SELECT * FROM read_parquet('file://%s/acme2/x.parquet')",
        "SELECT * FROM glob('%s/acme2/*')",
        "SELECT * FROM glob('%s/acme*/*')",
        "SELECT * FROM read_text('%s/acme2/x.parquet')",
        "SELECT * FROM '%s/acme2/x.parquet'",
        "SELECT * FROM read_text('/etc/passwd')",
    };
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    struct sql_limits limits = {.memory_bytes = 128u << 20, .threads = 2};
    CHECK_OK(sql_engine_new(&limits, &engine));
    CHECK_OK(px_dir_make(test_path(t, "acme").ptr));
    CHECK_OK(px_dir_make(test_path(t, "acme2").ptr));
    CHECK_OK(sql_exec(engine,
                      "COPY (SELECT 1 AS a) TO '%s/acme/x.parquet' (FORMAT parquet);"
                      "COPY (SELECT 2 AS a) TO '%s/acme2/x.parquet' (FORMAT parquet)",
                      t->dir, t->dir));
    struct px_str folder = test_path(t, "acme/");
    CHECK_OK(sql_engine_lock_folders(engine, &folder, 1));
    struct px_str why;
    uint64_t rows;
    for (size_t i = 0; i < PX_COUNT(beside); i++) {
        CHECK_OK(sql_engine_renew(engine));
        struct px_str sql = px_arena_printf(&t->arena, beside[i], t->dir);
        int r = run_all(t, engine, sql, 20000, &never_cancelled, &rows, &why);
        if (r != SQL_FAILED) TEST_FAIL("%.*s\n  gave %d", PX_FMT(sql), r);
    }
    struct px_str own = px_arena_printf(&t->arena, "FROM read_parquet('%s/acme/x.parquet')",
                                        t->dir);
    CHECK_OK(run_all(t, engine, own, 20000, &never_cancelled, &rows, &why));
    CHECK_INT(rows, 1);
}

/* Other queries' answers and spilled rows lie there for moments. */
TEST(the_folder_of_spill_files_is_as_closed_as_others)
{
    static const char *const beside[] = {
        "FROM read_parquet('%s/spill/answer.parquet')",
        "FROM read_blob('%s/spill/*')",
        "FROM glob('%s/spill/*')",
        "FROM read_csv('%s/spill/answer.parquet')",
        "COPY (SELECT 1) TO '%s/spill/new.csv'",
    };
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(t, &engine);
    CHECK_OK(px_file_write_atomic(test_path(t, "spill/answer.parquet").ptr, S("rows"), 0600));
    struct px_str why;
    uint64_t rows;
    for (size_t i = 0; i < PX_COUNT(beside); i++) {
        struct px_str sql = px_arena_printf(&t->arena, beside[i], t->dir);
        int r = run_all(t, engine, sql, 20000, &never_cancelled, &rows, &why);
        if (r != SQL_FAILED)
            TEST_FAIL("%.*s\n  gave %d, %lu rows", PX_FMT(sql), r, (unsigned long)rows);
    }
}

struct spiller {
    struct sql_engine *engine;
    struct px_arena arena;
    struct px_str why;
    char fault[256];
    int answer;
};

/* Sorts more than its memory holds; the rows are right only if every block comes back as it went. */
static void *spill(void *arg)
{
    struct spiller *spiller = arg;
    struct sql_leash leash = {&px_clock_system, px_mono_ns(&px_clock_system) + 60000 * PX_NS_PER_MS,
                              &never_cancelled};
    duckdb_result *result = NULL;
    spiller->answer = sql_run(
        spiller->engine,
        S("SELECT CASE WHEN count(*) = 500000 AND count(*) FILTER (p < x AND y = repeat(x, 2)) = "
          "500000 THEN 1 ELSE error('mixed up') END FROM (SELECT x, y, lag(x, 1, '') OVER (ORDER BY "
          "x) p FROM (SELECT md5(i::VARCHAR) x, repeat(x, 2) y FROM range(500000) r(i)))"),
        &leash, &spiller->arena, &result, &spiller->why);
    if (spiller->answer < 0) px_fault_text(spiller->answer, spiller->fault, sizeof(spiller->fault));
    return NULL;
}

TEST(engines_that_spill_into_one_folder_do_not_mix_their_rows)
{
    struct spiller spillers[3] = {0};
    pthread_t threads[PX_COUNT(spillers)];
    struct px_str folder = test_path(t, "spill");
    CHECK_OK(px_dir_make(folder.ptr));
    struct sql_limits limits = {
        .memory_bytes = 80u << 20, .threads = 2, .temp_dir = folder, .temp_bytes_max = 512u << 20};
    for (size_t i = 0; i < PX_COUNT(spillers); i++) {
        px_arena_init(&spillers[i].arena, 1u << 20);
        CHECK_OK(sql_engine_new(&limits, &spillers[i].engine));
        CHECK_OK(sql_engine_lock(spillers[i].engine, NULL, 0));
        CHECK_INT(pthread_create(&threads[i], NULL, spill, &spillers[i]), 0);
    }
    for (size_t i = 0; i < PX_COUNT(spillers); i++) pthread_join(threads[i], NULL);
    for (size_t i = 0; i < PX_COUNT(spillers); i++) {
        if (spillers[i].answer != 0)
            TEST_FAIL("gave %d: %.*s%s", spillers[i].answer, PX_FMT(spillers[i].why),
                      spillers[i].fault);
        sql_engine_free(&spillers[i].engine);
        px_arena_deinit(&spillers[i].arena);
    }
    CHECK_INT(rmdir(folder.ptr), 0); /* nothing is left */
}

TEST(a_renewed_engine_has_forgotten_the_views_and_kept_the_lock)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    engine_open(t, &engine);
    struct px_str why;
    uint64_t rows;
    CHECK_OK(sql_exec(engine, "CREATE TEMP VIEW mine AS SELECT 42 AS secret"));
    CHECK_OK(run_all(t, engine, S("FROM mine"), 20000, &never_cancelled, &rows, &why));
    CHECK_OK(sql_engine_renew(engine));
    CHECK_INT(run_all(t, engine, S("FROM mine"), 20000, &never_cancelled, &rows, &why), SQL_FAILED);
    CHECK_OK(run_all(t, engine, S("SELECT 1 WHERE typeof(now()) = 'TIMESTAMP'"), 20000,
                     &never_cancelled, &rows, &why));
    CHECK_INT(rows, 1);
    CHECK(sql_exec(engine, "SET memory_limit = '10GB'") < 0);
    CHECK(sql_exec(engine, "FROM read_text('/etc/passwd')") < 0);
}

TEST_MAIN
