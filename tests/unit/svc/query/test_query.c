/* POST /v1/query from request to answer, over real stores. */
#include "svc/query/query_kit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "svc/query/query_impl.h"

TEST(fresh_and_sealed_rows_are_one_table)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    kit_lines(&kit, S("logs"), 0, 1000);
    CHECK_STR(kit_value(t, &kit, "SELECT count(*) FROM logs"), S("1000")); /* hot only */
    kit_seal(t, &kit, S("logs"), false);
    CHECK_STR(kit_value(t, &kit, "SELECT count(*) FROM logs"), S("1000")); /* sealed only */
    kit_lines(&kit, S("logs"), 1000, 500);
    CHECK_STR(kit_value(t, &kit, "SELECT count(*), sum(n), count(DISTINCT body) FROM logs"),
              S("1500,1124250,1500"));  /* both */
    kit_seal(t, &kit, S("logs"), true); /* sealed, and the file not yet removed */
    CHECK_STR(kit_value(t, &kit, "SELECT count(*), sum(n) FROM LOGS"), S("1500,1124250"));
    kit_lines(&kit, S("logs"), 1500, 1);
    CHECK_STR(kit_value(t, &kit, "SELECT count(*), max(n) FROM logs"), S("1501,1500"));
    CHECK_STR(kit_value(t, &kit, "SELECT a.n FROM logs a JOIN logs b USING (n) WHERE b.n = 1500"),
              S("1500"));
}

TEST(shapes_that_differ_are_seen_through_one_schema)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    kit_lines(&kit, S("logs"), 0, 10);
    kit_seal(t, &kit, S("logs"), false);
    PX_AUTO(batch_free) struct batch *wider = kit_batch();
    kit_row(wider, 10);
    CHECK_OK(batch_put_int(wider, S("level"), 3));
    CHECK_OK(batch_put_json(wider, S("tags"), S("[1,{\"a\":2}]")));
    CHECK_OK(batch_row_end(wider));
    kit_append(&kit, S("logs"), wider);
    const char *all = "SELECT count(*), count(level), sum(level), max(tags->1->>'a') FROM logs";
    CHECK_STR(kit_value(t, &kit, all), S("11,1,3,2"));
    kit_seal(t, &kit, S("logs"), false);
    CHECK_STR(kit_value(t, &kit, all), S("11,1,3,2"));
    CHECK_STR(
        kit_value(t, &kit,
                  "SELECT string_agg(column_name||' '||column_type, ' ') FROM (DESCRIBE logs)"),
        S("time TIMESTAMP n BIGINT body VARCHAR level BIGINT tags VARCHAR"));
}

TEST(a_column_widens_from_int_to_double)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    PX_AUTO(batch_free) struct batch *ints = kit_batch();
    kit_row(ints, 1);
    CHECK_OK(batch_put_int(ints, S("load"), 3));
    CHECK_OK(batch_row_end(ints));
    kit_append(&kit, S("logs"), ints);
    kit_seal(t, &kit, S("logs"), false);
    CHECK_STR(kit_value(t, &kit, "SELECT typeof(load), load FROM logs"), S("BIGINT,3"));
    PX_AUTO(batch_free) struct batch *doubles = kit_batch();
    kit_row(doubles, 2);
    CHECK_OK(batch_put_double(doubles, S("load"), 0.5));
    CHECK_OK(batch_row_end(doubles));
    kit_append(&kit, S("logs"), doubles);
    CHECK_STR(kit_value(t, &kit, "SELECT any_value(typeof(load)), sum(load), count(*) FROM logs"),
              S("DOUBLE,3.5,2"));
    kit_seal(t, &kit, S("logs"), false);
    CHECK_STR(kit_value(t, &kit, "SELECT any_value(typeof(load)), sum(load), count(*) FROM logs"),
              S("DOUBLE,3.5,2"));
    PX_AUTO(batch_free) struct batch *texts = kit_batch();
    kit_row(texts, 3);
    CHECK_OK(batch_put_str(texts, S("load"), S("high")));
    CHECK_OK(batch_row_end(texts));
    kit_append(&kit, S("logs"), texts);
    CHECK_STR(kit_value(t, &kit, "SELECT count(load), count(*), max(_other->>'load') FROM logs"),
              S("2,3,high"));
}

TEST(start_and_end_cut_and_prune)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    kit_lines(&kit, S("logs"), 0, 100);
    kit_seal(t, &kit, S("logs"), false);
    kit_lines(&kit, S("logs"), 1000, 100);
    kit_seal(t, &kit, S("logs"), false);
    kit_lines(&kit, S("logs"), 2000, 100);
    static const struct {
        const char *range, *count, *cost;
    } cases[] = {
        {"", "300", "files_read=3, files_pruned=0"},
        {",\"start\":\"2026-01-01T00:00:10Z\",\"end\":\"2026-01-01T00:00:20Z\"", "10",
         "files_read=1, files_pruned=2"},
        {",\"start\":1767226600", "200", "files_read=2, files_pruned=1"},
        {",\"start\":\"2026-01-01T00:33:20Z\"", "100", "files_read=1, files_pruned=2"},
        {",\"start\":\"2026-01-01T00:34:50Z\"", "10", "files_read=1, files_pruned=2"},
        {",\"end\":\"2026-01-01T00:00:00Z\"", "0", "files_read=0, files_pruned=3"},
        {",\"start\":1767225610000,\"end\":1767225620000000", "10", "files_read=1"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct px_str request = px_arena_printf(
            &t->arena, "{\"sql\":\"SELECT count(*) FROM logs\",\"format\":\"csv\"%s}",
            cases[i].range);
        struct px_str body = kit_json(t, &kit, request.ptr, 200);
        CHECK_STR(body, px_arena_printf(&t->arena, "count_star()\r\n%s\r\n", cases[i].count));
        if (!strstr(kit.headers, cases[i].cost)) TEST_FAIL("%s: %s", cases[i].range, kit.headers);
    }
}

TEST(relative_times_count_from_now)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    PX_AUTO(batch_free) struct batch *batch = kit_batch();
    int64_t now_us = px_wall_ns(&px_clock_system) / 1000;
    for (int i = 0; i < 10; i++) { /* one a minute, the newest now */
        batch_row_begin(batch);
        CHECK_OK(batch_put_time(batch, now_us - i * INT64_C(60000000)));
        CHECK_OK(batch_row_end(batch));
    }
    kit_append(&kit, S("logs"), batch);
    (void)kit_json(
        t, &kit,
        "{\"sql\":\"SELECT count(*) AS c FROM logs\",\"start\":\"-270s\",\"format\":\"csv\"}", 200);
    CHECK_STR(px_buf_str(&kit.body), S("c\r\n5\r\n"));
    CHECK_STR(
        kit_value(t, &kit, "SELECT count(*) FROM logs WHERE time > now() - INTERVAL 150 SECOND"),
        S("3"));
    CHECK_STR(
        kit_value(t, &kit,
                  "SELECT count(*) FROM logs WHERE time > current_timestamp - INTERVAL 150 SECOND"),
        S("3"));
}

TEST(bad_requests_say_what_is_wrong)
{
    static const struct {
        const char *body, *detail;
        int status;
    } cases[] = {
        {"", "not JSON", 400},
        {"{\"sql\":", "not JSON", 400},
        {"[]", "must be an object", 400},
        {"{}", "\\\"sql\\\" must be the text", 400},
        {"{\"sql\":1}", "\\\"sql\\\" must be the text", 400},
        {"{\"sql\":\"\"}", "empty", 400},
        {"{\"sql\":\"SELECT 1\",\"sqll\":1}", "unknown field", 400},
        {"{\"sql\":\"SELECT 1\",\"format\":\"xml\"}", "json, ndjson, csv, arrow or parquet", 400},
        {"{\"sql\":\"SELECT 1\",\"limit\":-1}", "whole number", 400},
        {"{\"sql\":\"SELECT 1\",\"start\":\"yesterday\"}", "\\\"start\\\" is no time", 400},
        {"{\"sql\":\"SELECT 1\",\"end\":true}", "\\\"end\\\" is no time", 400},
        {"{\"sql\":\"SELECT 1\",\"end\":1e300}", "\\\"end\\\" is no time", 400},
        {"{\"sql\":\"SELECT 1\",\"start\":\"now\",\"end\":\"-1h\"}", "not before", 400},
        {"{\"sql\":\"SELECT 1\",\"start\":\"-99999999999999d\"}", "is no time", 400},
        {"{\"sql\":\"DROP TABLE logs\"}", "only one SELECT", 400},
        {"{\"sql\":\"SELECT nope FROM logs\"}", "nope", 400},
        {"{\"sql\":\"SELECT * FROM log\"}", "there is no dataset \\\"log\\\"", 404},
        {"{\"sql\":\"SELECT * FROM log\"}", "\"datasets\":[\"logs\",\"other\"]", 404},
        {"{\"sql\":\"SELECT * FROM \\\"Strange name\\\"\"}", "no dataset", 404},
        {"{\"sql\":\"SELECT * FROM duckdb_views\"}", "no dataset", 404},
        {"{\"sql\":\"SELECT * FROM pg_class\"}", "no dataset", 404},
        {"{\"sql\":\"SELECT * FROM sqlite_master\"}", "no dataset", 404},
        {"{\"sql\":\"SELECT 1/0 + 'x'::INT\"}", "Could not convert", 400},
    };
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    kit_lines(&kit, S("logs"), 0, 10);
    kit_lines(&kit, S("other"), 0, 10);
    kit_seal(t, &kit, S("other"), false);
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct px_str body = kit_json(t, &kit, cases[i].body, cases[i].status);
        if (!strstr(body.ptr, cases[i].detail)) TEST_FAIL("%s\n  gave %s", cases[i].body, body.ptr);
        CHECK(strstr(kit.headers, "application/problem+json"));
        CHECK(!strstr(body.ptr, t->dir));
    }
}

TEST(other_tenants_and_missing_scopes_see_nothing)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    kit_lines(&kit, S("logs"), 0, 10);
    kit.tenant = S("other");
    (void)kit_json(t, &kit, "{\"sql\":\"FROM logs\"}", 404);
    CHECK(strstr(kit.body.ptr, "\"datasets\":[]"));
    (void)kit_json(t, &kit, "{\"sql\":\"FROM acme.logs\"}", 400);
    (void)kit_json(t, &kit, "{\"sql\":\"FROM \\\"../acme/logs\\\"\"}", 400);
    kit.tenant = (struct px_str){0};
    (void)kit_json(t, &kit, "{\"sql\":\"SELECT 1\"}", 403);
}

/* Something that happens to a tenant between a query's first look at the fence and its look at the data. */
struct meanwhile {
    struct kit *kit;
    struct hot_fence fences[3];
    bool forgets;
};

static int64_t wall_meanwhile(void *ctx)
{
    struct meanwhile *it = ctx;
    for (size_t i = 0; i < PX_COUNT(it->fences) && it->fences[i].state != HOT_FENCE_NONE; i++)
        if (hot_fence_raise(it->kit->hot, it->kit->tenant, &it->fences[i], NULL) != 0) return 0;
    if (it->forgets && catalog_drop_tenant(it->kit->catalog, it->kit->tenant) != 0) return 0;
    return px_wall_ns(&px_clock_system);
}

static void query_meanwhile(struct test *t, struct kit *kit, struct meanwhile *meanwhile,
                            int status)
{
    const struct px_clock clock = {wall_meanwhile, px_clock_system.mono_ns, meanwhile};
    meanwhile->kit = kit;
    kit->query->options.clock = &clock;
    (void)kit_json(t, kit, "{\"sql\":\"SELECT count(*) FROM logs\"}", status);
    kit->query->options.clock = &px_clock_system;
}

TEST(a_query_whose_tenant_leaves_before_the_data_is_read_finds_no_less_than_all)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    kit.home_region = S("here");
    kit_lines(&kit, S("logs"), 0, 10);
    kit_seal(t, &kit, S("logs"), false);
    struct meanwhile freezes = {.fences = {{HOT_FENCE_LEAVING, 2, "there"}}};
    query_meanwhile(t, &kit, &freezes, 200);
    struct meanwhile stays = {.fences = {{HOT_FENCE_HOME, 2, ""}}};
    query_meanwhile(t, &kit, &stays, 200);
    struct meanwhile leaves = {
        .fences = {{HOT_FENCE_LEAVING, 3, "there"}, {HOT_FENCE_LEFT, 3, "there"}}, .forgets = true};
    query_meanwhile(t, &kit, &leaves, 421);
    kit_lines(&kit, S("logs"), 0, 10);
    struct hot_fence home = {.state = HOT_FENCE_HOME, .epoch = 4};
    CHECK_OK(hot_fence_raise(kit.hot, kit.tenant, &home, NULL));
    struct meanwhile returns = {.fences = {{HOT_FENCE_LEAVING, 5, "there"},
                                           {HOT_FENCE_LEFT, 5, "there"},
                                           {HOT_FENCE_HOME, 6, ""}},
                                .forgets = true};
    query_meanwhile(t, &kit, &returns, 503);
}

TEST(a_tenant_of_another_region_is_told_where_its_home_is)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    kit_lines(&kit, S("logs"), 0, 10);
    kit.home_region = S("elsewhere");
    (void)kit_json(t, &kit, "{\"sql\":\"SELECT count(*) FROM logs\"}", 421);
    CHECK(strstr(kit.body.ptr, "\"home_region\":\"elsewhere\""));
    kit.home_region = S("neighbour"); /* which this one stands in for */
    CHECK_STR(kit_value(t, &kit, "SELECT count(*) FROM logs"), S("10"));
    kit.home_region = S("here");
    CHECK_STR(kit_value(t, &kit, "SELECT count(*) FROM logs"), S("10"));
}

/* One tenant's engine is kept; the next tenant gets another, in whatever order they ask. */
TEST(tenants_take_turns_and_see_their_own)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    struct px_str tenants[] = {S("acme"), S("acme2"), S("_system")};
    for (int i = 0; i < 3; i++) {
        kit.tenant = tenants[i];
        kit_lines(&kit, S("logs"), i * 100, 10 + i);
        kit_seal(t, &kit, S("logs"), false);
        kit_lines(&kit, S("logs"), i * 100 + 50, 1);
        if (i == 0) kit_lines(&kit, S("only_here"), 0, 1);
    }
    static const int turns[] = {0, 0, 1, 0, 2, 2, 1, 1, 0};
    for (size_t i = 0; i < PX_COUNT(turns); i++) {
        int who = turns[i];
        kit.tenant = tenants[who];
        CHECK_STR(kit_value(t, &kit, "SELECT count(*), min(n) FROM logs"),
                  px_arena_printf(&t->arena, "%d,%d", 11 + who, who * 100));
        (void)kit_value(t, &kit, "FROM only_here");
        CHECK_INT(kit.status, who == 0 ? 200 : 404);
        CHECK_STR(kit_value(t, &kit, "SHOW TABLES"), who == 0 ? S("logs\r\nonly_here") : S("logs"));
    }
}

TEST(an_engine_serves_many_queries_and_survives_failures)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    kit_lines(&kit, S("logs"), 0, 10);
    for (int i = 0; i < 1100; i++) { /* more than one engine's share */
        const char *sql = i % 10 == 3   ? "SELECT error('x') FROM logs"
                          : i % 10 == 7 ? "SELECT nope FROM logs"
                                        : "SELECT count(*) FROM logs";
        (void)kit_value(t, &kit, sql);
        CHECK_INT(kit.status, i % 10 == 3 || i % 10 == 7 ? 400 : 200);
    }
}

/* One row with a field `load`. */
static void append_load(struct kit *kit, struct px_str dataset, int64_t n, bool is_double)
{
    PX_AUTO(batch_free) struct batch *batch = kit_batch();
    kit_row(batch, n);
    CHECK_OK(is_double ? batch_put_double(batch, S("load"), 0.5)
                       : batch_put_int(batch, S("load"), 3));
    CHECK_OK(batch_row_end(batch));
    kit_append(kit, dataset, batch);
}

/* As DELETE does: frames that are not sealed yet count as sealed. */
static void drop_dataset(struct kit *kit, struct px_str dataset)
{
    struct seal_mark mark = {.writer = hot_writer_id(kit->writer)};
    CHECK_OK(catalog_mark(kit->catalog, kit->tenant, dataset, mark.writer, &mark.from));
    mark.to = hot_writer_next_seq(kit->writer, kit->tenant, dataset) - 1;
    CHECK_OK(catalog_drop_dataset(kit->catalog, kit->tenant, dataset, &mark, mark.to > mark.from));
}

/* The engine keeps its views between queries; every change of what they stand for is seen at once. */
TEST(views_that_are_kept_follow_their_datasets)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    const char *loads = "SELECT count(*), sum(load), any_value(typeof(load)) FROM logs";
    append_load(&kit, S("logs"), 1, false);
    append_load(&kit, S("other"), 1, false);
    CHECK_STR(kit_value(t, &kit, loads), S("1,3,BIGINT"));
    CHECK_STR(kit_value(t, &kit, loads), S("1,3,BIGINT"));
    append_load(&kit, S("logs"), 2, false); /* the same text, other frames */
    CHECK_STR(kit_value(t, &kit, loads), S("2,6,BIGINT"));
    append_load(&kit, S("logs"), 3, true); /* the same names, another type */
    CHECK_STR(kit_value(t, &kit, loads), S("3,6.5,DOUBLE"));
    kit_seal(t, &kit, S("logs"), false); /* other files */
    CHECK_STR(kit_value(t, &kit, loads), S("3,6.5,DOUBLE"));
    CHECK_STR(kit_value(t, &kit, "SELECT count(*) FROM other"), S("1"));
    CHECK_STR(kit_value(t, &kit, "SELECT count(*) FROM other a, logs b"), S("3"));
    CHECK_STR(kit_value(t, &kit, "SELECT count(*) FROM logs a, other b"), S("3")); /* slots */
    CHECK_STR(kit_value(t, &kit, "SHOW TABLES"), S("logs\r\nother"));
    CHECK_STR(kit_value(t, &kit, loads), S("3,6.5,DOUBLE")); /* and not the view that was listed */
    (void)kit_json(t, &kit, "{\"sql\":\"SELECT n FROM logs\",\"start\":\"2026-01-01T00:00:02Z\"}",
                   200);
    CHECK(strstr(kit.body.ptr, "\"row_count\":2,"));
    CHECK_STR(kit_value(t, &kit, "SELECT count(*) FROM logs"), S("3")); /* without a range again */
}

TEST(a_dataset_may_have_the_name_of_a_view_of_duckdb)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    append_load(&kit, S("duckdb_views"), 1, false);
    append_load(&kit, S("sqlite_master"), 2, false);
    for (int i = 0; i < 2; i++)
        CHECK_STR(kit_value(t, &kit, "SELECT a.n + b.n FROM duckdb_views a, sqlite_master b"),
                  S("3"));
}

TEST(a_view_that_is_kept_goes_with_its_dataset)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    append_load(&kit, S("gone"), 1, false);
    append_load(&kit, S("stays"), 1, false);
    kit_seal(t, &kit, S("gone"), false);
    CHECK_STR(kit_value(t, &kit, "SELECT count(*) FROM gone, stays"), S("1"));
    drop_dataset(&kit, S("gone"));
    CHECK_STR(kit_value(t, &kit, "SHOW TABLES"), S("stays"));
    (void)kit_value(t, &kit, "FROM gone");
    CHECK_INT(kit.status, 404);
    (void)kit_value(t, &kit, "SELECT * FROM (WITH gone AS (SELECT 1) FROM gone), gone");
    CHECK_INT(kit.status, 400); /* the name is only defined inside */
    append_load(&kit, S("gone"), 2, true);
    CHECK_STR(kit_value(t, &kit, "SELECT count(*), max(n) FROM gone"), S("1,2"));
    CHECK_STR(kit_value(t, &kit, "SHOW TABLES"), S("gone\r\nstays"));
}

/* Its hot files stay until their writer has closed them and seal has come by. */
TEST(a_dropped_dataset_is_absent_at_once_though_its_files_are_there)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    append_load(&kit, S("hot"), 1, false);
    append_load(&kit, S("mixed"), 1, false);
    kit_seal(t, &kit, S("mixed"), true);
    append_load(&kit, S("mixed"), 2, false);
    CHECK_STR(kit_value(t, &kit, "SELECT count(*) FROM hot, mixed"), S("2"));
    drop_dataset(&kit, S("hot"));
    drop_dataset(&kit, S("mixed"));
    static const char *const statements[] = {"FROM hot", "FROM mixed", "DESCRIBE mixed"};
    for (size_t i = 0; i < PX_COUNT(statements); i++) {
        struct px_str body = kit_value(t, &kit, statements[i]);
        CHECK_INT(kit.status, 404);
        CHECK(strstr(body.ptr, "nothing was sent yet"));
    }
    CHECK_STR(kit_value(t, &kit, "SHOW TABLES"), S(""));
    append_load(&kit, S("mixed"), 3, true);
    CHECK_STR(kit_value(t, &kit, "SELECT count(*), max(n), any_value(typeof(load)) FROM mixed"),
              S("1,3,DOUBLE"));
}

TEST(many_views_are_not_kept_for_ever)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    for (int i = 0; i < 70; i++) {
        struct px_str name = px_arena_printf(&t->arena, "set%d", i);
        kit_lines(&kit, name, i, 1);
        char sql[64];
        (void)snprintf(sql, sizeof(sql), "SELECT n FROM set%d", i);
        CHECK_STR(kit_value(t, &kit, sql), px_arena_printf(&t->arena, "%d", i));
    }
    CHECK_STR(kit_value(t, &kit, "SELECT a.n + b.n FROM set1 a, set69 b"), S("70"));
}

TEST(a_cte_may_have_the_name_of_a_dataset)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    kit_lines(&kit, S("logs"), 0, 10);
    CHECK_STR(kit_value(t, &kit,
                        "WITH logs AS (SELECT * FROM logs WHERE n < 3) SELECT count(*) FROM logs"),
              S("3"));
    CHECK_STR(kit_value(t, &kit, "WITH x AS (SELECT 7 AS v) SELECT v FROM x"), S("7"));
    /* a name that is defined elsewhere does not open anything here */
    struct px_str body = kit_value(t, &kit,
                                   "SELECT * FROM (WITH hidden AS (SELECT 1) FROM hidden), hidden");
    CHECK_INT(kit.status, 400);
    CHECK(strstr(body.ptr, "hidden does not exist"));
}

TEST(what_a_statement_can_list_shows_no_paths)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    kit_lines(&kit, S("logs"), 0, 10);
    kit_lines(&kit, S("other"), 0, 10);
    kit_seal(t, &kit, S("logs"), false);
    static const char *const statements[] = {
        "SHOW TABLES",
        "DESCRIBE logs",
        "SUMMARIZE logs",
        "FROM logs",
        "SELECT filename FROM logs",
        "SELECT * FROM logs WHERE body = 1",
        "SELECT logs FROM logs",
        "EXPLAIN SELECT * FROM logs",
        "SELECT sql FROM duckdb_views()",
        "FROM (DESCRIBE logs)",
        "SELECT alias(body), typeof(logs) FROM logs",
    };
    for (size_t i = 0; i < PX_COUNT(statements); i++) {
        struct px_str body = kit_value(t, &kit, statements[i]);
        if (strstr(body.ptr, t->dir) || strstr(body.ptr, ".parquet") || strstr(kit.headers, t->dir))
            TEST_FAIL("%s gave %s", statements[i], body.ptr);
    }
    CHECK_STR(kit_value(t, &kit, "SHOW TABLES"), S("logs\r\nother"));
}

TEST(formats_by_field_and_limit)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    kit_lines(&kit, S("logs"), 0, 5000);
    (void)kit_json(t, &kit, "{\"sql\":\"SELECT n FROM logs ORDER BY n\",\"limit\":2}", 200);
    CHECK(strstr(kit.body.ptr,
                 "\"rows\":[\n[0],\n[1]],\n\"row_count\":2,\"truncated\":true,\"cost\":{"));
    CHECK(strstr(kit.headers, "Content-Type: application/json\n"));
    CHECK(strstr(kit.headers, "Prism-Query-Cost: bytes_scanned="));
    CHECK(strstr(kit.headers, "rows=2, cpu_ms="));
    (void)kit_json(t, &kit, "{\"sql\":\"SELECT n FROM logs ORDER BY n\",\"limit\":5000}", 200);
    CHECK(strstr(kit.body.ptr, "\"row_count\":5000,\"truncated\":false"));
    (void)kit_json(t, &kit, "{\"sql\":\"SELECT n FROM logs\",\"limit\":0}", 200);
    CHECK(strstr(kit.body.ptr, "\"rows\":[],\n\"row_count\":0,\"truncated\":true"));
    (void)kit_json(t, &kit, "{\"sql\":\"SELECT 1 AS a\",\"format\":\"ndjson\"}", 200);
    CHECK_STR(px_buf_str(&kit.body), S("{\"a\":1}\n"));
    (void)kit_json(t, &kit, "{\"sql\":\"SELECT 1 AS a\",\"format\":\"arrow\"}", 200);
    CHECK(kit.binary && memcmp(kit.body.ptr, "\377\377\377\377", 4) == 0);
    (void)kit_json(t, &kit, "{\"sql\":\"SELECT 'x'::ENUM('x') AS a\",\"format\":\"arrow\"}", 400);
}

TEST(parquet_answers_are_files_that_leave_nothing_behind)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    kit_lines(&kit, S("logs"), 0, 5000);
    (void)kit_json(
        t, &kit,
        "{\"sql\":\"SELECT n, body, n AS n FROM logs ORDER BY n -- all; \\n ; \",\"format\":\"parquet\"}",
        200);
    CHECK(kit.binary && memcmp(kit.body.ptr, "PAR1", 4) == 0);
    CHECK(strstr(kit.headers, "rows=5000"));
    struct px_str copy = test_path(t, "copy.parquet");
    CHECK_OK(px_file_write_atomic(copy.ptr, px_buf_str(&kit.body), 0600));
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    CHECK_OK(
        sql_engine_new(&(struct sql_limits){.memory_bytes = 128u << 20, .threads = 1}, &engine));
    CHECK_OK(sql_exec(
        engine,
        "SELECT CASE WHEN count(*) = 5000 AND sum(n) = 12497500 THEN 1 ELSE error('no') END "
        "FROM read_parquet('%s')",
        copy.ptr));
    CHECK_INT(rmdir(kit.query->scratch.path.ptr), 0); /* empty */
    CHECK_OK(px_dir_make(kit.query->scratch.path.ptr));
    (void)kit_json(t, &kit,
                   "{\"sql\":\"SELECT * FROM (SELECT 1) /* ) TO 'x' */\",\"format\":\"parquet\"}",
                   200);
    (void)kit_json(t, &kit, "{\"sql\":\"SELECT n FROM logs\",\"limit\":7,\"format\":\"parquet\"}",
                   200);
    CHECK(strstr(kit.headers, "rows=7"));
    (void)kit_json(t, &kit, "{\"sql\":\"DESCRIBE logs\",\"format\":\"parquet\"}", 200);
    (void)kit_json(t, &kit, "{\"sql\":\"SELECT 1) TO 'x.csv' --\",\"format\":\"parquet\"}", 400);
}

/* Rows of one tenant must not lie where the query of another may find them. */
TEST(every_process_has_temporary_files_of_its_own)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    struct px_str mine = test_path(t, "tmp/query-mine"), dead = test_path(t, "tmp/query-dead");
    const struct timespec long_ago[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    CHECK_OK(px_dir_make(mine.ptr));
    CHECK_OK(px_dir_make(dead.ptr));
    CHECK_OK(px_file_write_atomic(test_path(t, "tmp/query-dead/x").ptr, S("rows"), 0600));
    CHECK_INT(utimensat(AT_FDCWD, mine.ptr, long_ago, 0), 0);
    CHECK_INT(utimensat(AT_FDCWD, dead.ptr, long_ago, 0), 0);
    int fd = open(mine.ptr, O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);

    struct px_arena arena;
    px_arena_init(&arena, 1u << 16);
    struct scratch scratch;
    CHECK_OK(scratch_open(test_path(t, "tmp"), &arena, &scratch));
    CHECK(!px_str_eq(scratch.path, kit.query->scratch.path));
    CHECK_INT(access(mine.ptr, F_OK), 0);
    CHECK_INT(access(dead.ptr, F_OK), -1);
    CHECK_INT(access(kit.query->scratch.path.ptr, F_OK), 0);
    scratch_close(&scratch);
    CHECK_INT(access(scratch.path.ptr, F_OK), -1);
    px_arena_deinit(&arena);
    (void)close(fd);
}

/* ---- limits ---- */

TEST(the_limit_of_time_is_an_answer)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, &(struct query_limits){.memory_bytes = 64u << 20, .timeout_ms = 300});
    (void)kit_json(t, &kit,
                   "{\"sql\":\"SELECT count(*) FROM range(1000000000000) r(i) WHERE i % 7 = 2\"}",
                   504);
    CHECK(strstr(kit.body.ptr, "limit of 300 ms") || strstr(kit.body.ptr, "limit of 299 ms"));
}

TEST(reached_limits_are_answers)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit,
             &(struct query_limits){.memory_bytes = 64u << 20,
                                    .temp_bytes_max = 16u << 20,
                                    .rows_max = 1000,
                                    .result_bytes_max = 20000});
    (void)kit_json(t, &kit, "{\"sql\":\"FROM range(1001)\"}", 400);
    CHECK(strstr(kit.body.ptr, "more than 1000 rows: add LIMIT"));
    (void)kit_json(t, &kit, "{\"sql\":\"FROM range(1001)\",\"format\":\"parquet\"}", 400);
    CHECK(strstr(kit.body.ptr, "more than 1000 rows: add LIMIT"));
    (void)kit_json(t, &kit, "{\"sql\":\"FROM range(1001)\",\"limit\":1000}", 200);
    (void)kit_json(t, &kit, "{\"sql\":\"SELECT repeat('x', 30) FROM range(1000)\"}", 400);
    CHECK(strstr(kit.body.ptr, "more than 20000 bytes: add LIMIT"));
    _Atomic bool cancelled = true;
    CHECK_OK(kit_post(
        &kit, S("{\"sql\":\"SELECT count(*) FROM range(1000000000000) r(i) WHERE i % 7 = 2\"}"),
        false, &cancelled));
    CHECK_INT(kit.status, 499);
}

TEST(memory_is_bounded)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit,
             &(struct query_limits){.memory_bytes = 64u << 20, .temp_bytes_max = 16u << 20});
    (void)kit_json(
        t, &kit,
        "{\"sql\":\"SELECT max(len(l)) FROM (SELECT list(i) AS l FROM range(100000000) r(i))\"}",
        400);
    CHECK(strstr(kit.body.ptr, "more memory than its limit of 64 MiB"));
    (void)kit_json(t, &kit, "{\"sql\":\"SELECT 1\"}", 200);
}

TEST(large_answers_stream)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    static const char *const formats[] = {"json", "ndjson", "csv", "arrow", "parquet"};
    for (size_t i = 0; i < PX_COUNT(formats); i++) {
        struct px_str request = px_arena_printf(
            &t->arena,
            "{\"sql\":\"SELECT i, hash(i)::VARCHAR||hash(i+1) AS h, hash(i+2) FROM range(300000) r(i)\",\"format\":\"%s\"}",
            formats[i]);
        CHECK_OK(kit_post(&kit, request, true, NULL));
        CHECK_INT(kit.status, 200);
        if (kit.whole || kit.pieces < 5) TEST_FAIL("%s: %zu pieces", formats[i], kit.pieces);
        CHECK(!strstr(kit.headers, "Prism-Query-Cost"));
        CHECK_OK(kit_post(&kit, request, false, NULL));
        CHECK_INT(kit.status, 400);
    }
}

/* A streamed answer that cannot go on: its status is gone, so the reason stands at its end, or where a
 * format has no place for one it is cut. */
static void check_reason(struct test *t, struct kit *kit, const char *sql, const char *reason)
{
    static const char *const formats[] = {"json", "ndjson", "csv", "arrow"};
    for (size_t i = 0; i < PX_COUNT(formats); i++) {
        struct px_str request = px_arena_printf(&t->arena, "{\"sql\":\"%s\",\"format\":\"%s\"}",
                                                sql, formats[i]);
        int r = kit_post(kit, request, true, NULL);
        CHECK_INT(kit->status, 200);
        CHECK(!kit->whole);
        if (i >= 2) {
            CHECK_INT(r, QUERY_CUT);
            CHECK(strstr(kit->why.ptr, reason) || strstr(kit->why.ptr, "DuckDB lost its reason"));
            continue;
        }
        CHECK_INT(r, 0);
        const char *end = kit->body.ptr + kit->body.len - 400;
        if (!strstr(end, reason) && !strstr(end, "DuckDB lost its reason"))
            TEST_FAIL("%s ends with %s", formats[i], kit->body.ptr + kit->body.len - 400);
    }
}

TEST(a_streamed_answer_says_why_it_ended)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, &(struct query_limits){.memory_bytes = 256u << 20, .rows_max = 250000});
    const char *hashes = "SELECT i, hash(i)::VARCHAR||hash(i+1) AS h FROM range(%d) r(i)";
    char sql[200];
    (void)snprintf(sql, sizeof(sql), hashes, 400000);
    check_reason(t, &kit, sql, "more than 250000 rows: add LIMIT or aggregate");
    struct px_str request = px_arena_printf(&t->arena, "{\"sql\":\"%s\"}", sql);
    CHECK_OK(kit_post(&kit, request, true, NULL));
    yyjson_val *root = NULL;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, (size_t)1 << 30);
    CHECK_OK(px_json_parse(px_buf_str(&kit.body), &arena, &root, NULL));
    CHECK(px_json_bool(root, "truncated", false));
    CHECK_INT(px_json_i64(px_json_obj(root, "error"), "status", 0), 400);
    CHECK_INT(px_json_i64(root, "row_count", -1), yyjson_arr_size(px_json_arr(root, "rows")));
    CHECK(!yyjson_obj_get(root, "cost"));
    check_reason(
        t, &kit,
        "SELECT i, CASE WHEN i < 200000 THEN 1 ELSE 'x'::INT END, hash(i)::VARCHAR||hash(i+1) FROM "
        "range(240000) r(i)",
        "Could not convert string 'x'");
}

TEST(a_streamed_answer_over_its_bytes_keeps_room_for_the_reason)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit,
             &(struct query_limits){.memory_bytes = 256u << 20, .result_bytes_max = 6u << 20});
    CHECK_OK(kit_post(
        &kit, S("{\"sql\":\"SELECT i, hash(i)::VARCHAR||hash(i+1) AS h FROM range(400000) r(i)\"}"),
        true, NULL));
    CHECK(kit.body.len < 6u << 20);
    yyjson_val *root = NULL;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, (size_t)1 << 30);
    CHECK_OK(px_json_parse(px_buf_str(&kit.body), &arena, &root, NULL));
    CHECK(strstr(px_json_str(px_json_obj(root, "error"), "detail").ptr, "more than 6291456 bytes"));
    CHECK_INT(px_json_i64(root, "row_count", -1), yyjson_arr_size(px_json_arr(root, "rows")));
}

TEST(damaged_fresh_frames_are_left_out_with_a_warning)
{
    PX_AUTO(kit_free) struct kit kit;
    kit_init(t, &kit, NULL);
    kit_lines(&kit, S("logs"), 0, 10);
    kit_lines(&kit, S("logs"), 10, 10);
    kit_lines(&kit, S("logs"), 20, 10);
    struct hot_file *files = NULL;
    size_t count = 0;
    CHECK_OK(hot_list(kit.hot, kit.tenant, S("logs"), &t->arena, &files, &count));
    FILE *file = fopen(files[0].path.ptr, "r+b");
    CHECK(file && fseek(file, (long)files[0].bytes / 2, SEEK_SET) == 0 &&
          fputc(0x55, file) == 0x55);
    CHECK(fclose(file) == 0);
    CHECK_STR(kit_value(t, &kit, "SELECT count(*) FROM logs"), S("20"));
    CHECK(strstr(kit.headers, "Prism-Query-Warning: 1 damaged"));
}

TEST_MAIN
