/* Metadata: values, conflicts, transactions, migrations. One suite for both halves: on SQLite by itself, on
 * PostgreSQL as postgres.h says. */
#include "store/child.h"
#include "store/postgres.h"
#include "support/support_alloc.h"

#include "store/migrate.h"

static const struct migrate_step steps[] = {
    {1, MIGRATE_EXPAND, "first",
     "CREATE TABLE people (id BIGINT NOT NULL PRIMARY KEY, name TEXT UNIQUE, "
     "weight DOUBLE PRECISION, photo BYTEA);"
     "CREATE TABLE pets (owner BIGINT NOT NULL REFERENCES people (id), name TEXT);",
     NULL, 0, 0, false},
    {2, MIGRATE_EXPAND, "second", "ALTER TABLE pets ADD COLUMN kind TEXT;", NULL, 0, 0, false},
};

static int make_tables(struct meta *meta)
{
    const struct migrate_list list = {steps, PX_COUNT(steps), 2};
    const struct migrate m = {meta, &list, &px_clock_system};
    size_t run = 0;
    return migrate_expand(&m, 0, &run);
}

static struct meta *meta_for_test(struct test *t)
{
    struct meta *meta = NULL;
    CHECK_OK(meta_open(meta_url_make(t, "meta"), NULL, &meta));
    CHECK_OK(make_tables(meta));
    return meta;
}
static int insert_person(struct meta *meta, int64_t id, struct px_str name)
{
    const struct meta_value params[] = {meta_i(id), meta_s(name)};
    return meta_exec(meta, "INSERT INTO people (id, name) VALUES ($1, $2)", params, 2, NULL);
}
static int64_t count_people(struct meta *meta)
{
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value value;
    CHECK_OK(meta_select(meta, "SELECT count(*) FROM people", NULL, 0, &rows));
    CHECK_OK(meta_rows_next(rows, &value, 1));
    return value.i;
}

TEST(values_of_each_type_come_back)
{
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t);
    const struct meta_value params[] = {meta_i(INT64_MIN),
                                        meta_s(S("né")),
                                        {META_REAL, 0, 0.1, {0}},
                                        meta_bytes(px_str("a\0\xff", 3))};
    int64_t changed = 0;
    CHECK_OK(meta_exec(meta, "INSERT INTO people (id, name, weight, photo) VALUES ($1, $2, $3, $4)",
                       params, 4, &changed));
    CHECK_INT(changed, 1);
    const struct meta_value nulls[] = {meta_i(7), meta_null(), meta_s(S(""))};
    CHECK_OK(meta_exec(meta, "INSERT INTO people (id, weight, name) VALUES ($1, $2, $3)", nulls, 3,
                       NULL));
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value v[4];
    CHECK_OK(meta_select(meta, "SELECT id, name, weight, photo FROM people ORDER BY id", NULL, 0,
                         &rows));
    CHECK_OK(meta_rows_next(rows, v, 4));
    CHECK(v[0].type == META_INT && v[0].i == INT64_MIN);
    CHECK(v[1].type == META_TEXT && v[2].type == META_REAL && v[2].d == 0.1);
    CHECK_STR(v[1].s, S("né"));
    CHECK(v[3].type == META_BYTES);
    CHECK_STR(v[3].s, px_str("a\0\xff", 3));
    CHECK_OK(meta_rows_next(rows, v, 4));
    CHECK(v[1].type == META_TEXT && v[1].s.len == 0 && v[2].type == META_NULL);
    CHECK_INT(meta_rows_next(rows, v, 4), META_END);
    CHECK_INT(meta_rows_next(rows, v, 4), META_END);
}

TEST(parameters_are_bound_by_their_digits)
{
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t);
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value params[12], v[5];
    for (int i = 0; i < 12; i++) params[i] = meta_i(i + 1);
    CHECK_OK(meta_select(meta,
                         "SELECT $12 - $11, $10, $2, $1, $1 + $3 + $4 + $5 + $6 + $7 + $8 + $9",
                         params, 12, &rows));
    CHECK_OK(meta_rows_next(rows, v, 5));
    CHECK(v[0].i == 1 && v[1].i == 10 && v[2].i == 2 && v[3].i == 1 && v[4].i == 43);
}

TEST(unique_and_foreign_keys_conflict)
{
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t);
    CHECK_OK(insert_person(meta, 1, S("ann")));
    CHECK_INT(insert_person(meta, 1, S("bob")), META_CONFLICT);
    CHECK_INT(insert_person(meta, 2, S("ann")), META_CONFLICT);
    CHECK_OK(insert_person(meta, 2, S("bob")));
    const struct meta_value params[] = {meta_i(9)};
    CHECK_INT(meta_exec(meta, "INSERT INTO pets (owner) VALUES ($1)", params, 1, NULL),
              META_CONFLICT);
    struct meta_rows *rows = NULL;
    CHECK_INT(
        meta_select(meta, "INSERT INTO pets (owner) VALUES ($1) RETURNING owner", params, 1, &rows),
        META_CONFLICT);
    CHECK(!rows);
    const struct meta_value null[] = {meta_null()};
    CHECK_INT(meta_exec(meta, "INSERT INTO pets (owner) VALUES ($1)", null, 1, NULL), PX_F_BUG);
    CHECK_INT(meta_exec(meta, "SELECT nonsense", NULL, 0, NULL), PX_F_BUG);
    int64_t changed = -1;
    CHECK_OK(meta_exec(meta, "UPDATE people SET name = name || 'x'", NULL, 0, &changed));
    CHECK_INT(changed, 2);
    CHECK_OK(meta_exec(meta, "DELETE FROM people WHERE id > 99", NULL, 0, &changed));
    CHECK_INT(changed, 0);
    CHECK_OK(meta_exec(meta, "CREATE TABLE more (a TEXT)", NULL, 0, &changed));
    CHECK_INT(changed, 0);
}

TEST(one_text_may_run_twice_at_once)
{
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t);
    CHECK_OK(insert_person(meta, 1, S("ann")));
    CHECK_OK(insert_person(meta, 2, S("bob")));
    static const char sql[] = "SELECT name FROM people ORDER BY id";
    PX_AUTO(meta_rows_close) struct meta_rows *outer = NULL, *inner = NULL;
    struct meta_value v;
    CHECK_OK(meta_select(meta, sql, NULL, 0, &outer));
    CHECK_OK(meta_rows_next(outer, &v, 1));
    CHECK_OK(meta_select(meta, sql, NULL, 0, &inner));
    CHECK_OK(meta_rows_next(inner, &v, 1));
    CHECK_STR(v.s, S("ann"));
    CHECK_OK(meta_rows_next(outer, &v, 1));
    CHECK_STR(v.s, S("bob"));
}

TEST(an_address_with_another_text_is_another_statement)
{
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t);
    char sql[32];
    for (int i = 0; i < 300; i++) { /* and the cache has an end */
        PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
        struct meta_value v;
        (void)snprintf(sql, sizeof sql, "SELECT %d", i);
        struct px_str copy = px_arena_dup(&t->arena, px_str_c(sql));
        CHECK_OK(meta_select(meta, i % 2 ? sql : copy.ptr, NULL, 0, &rows));
        CHECK_OK(meta_rows_next(rows, &v, 1));
        CHECK_INT(v.i, i);
    }
}

TEST(a_transaction_is_whole_or_gone)
{
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t), *other = NULL;
    CHECK_OK(meta_open(meta_url(t, "meta"), NULL, &other));
    meta_rollback(meta); /* nothing to do */
    CHECK_OK(meta_begin(meta, META_WRITE));
    CHECK_OK(insert_person(meta, 1, S("ann")));
    CHECK_INT(count_people(other), 0);
    meta_rollback(meta);
    CHECK_INT(count_people(meta), 0);
    CHECK_OK(meta_begin(other, META_SNAPSHOT));
    CHECK_INT(count_people(other), 0);
    CHECK_OK(meta_begin(meta, META_WRITE));
    CHECK_OK(insert_person(meta, 1, S("ann")));
    CHECK_OK(meta_commit(meta));
    CHECK_INT(count_people(other), 0); /* a snapshot */
    CHECK_OK(meta_commit(other));
    CHECK_INT(count_people(other), 1);
    CHECK_OK(meta_begin(meta, META_WRITE));
    CHECK_OK(insert_person(meta, 2, S("bob")));
    meta_close(&meta); /* without a commit */
    CHECK_INT(count_people(other), 1);
}

TEST(a_second_writer_waits_only_so_long)
{
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t), *other = NULL;
    const struct meta_options options = {.busy_ms = on_postgres() ? 3000 : 30}; /* and to connect */
    CHECK_OK(meta_open(meta_url(t, "meta"), &options, &other));
    CHECK_OK(meta_begin(meta, META_WRITE));
    CHECK_INT(meta_begin(other, META_WRITE), PX_F_BUSY);
    CHECK_INT(insert_person(other, 1, S("ann")), PX_F_BUSY);
    CHECK_OK(meta_commit(meta));
    CHECK_OK(meta_begin(other, META_WRITE));
}

TEST(read_only_does_not_write)
{
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t), *reader = NULL;
    struct meta_options options = {.read_only = true};
    (void)meta;
    if (!on_postgres()) CHECK_INT(meta_open(test_path(t, "absent.db"), &options, &reader), PX_F_IO);
    CHECK_OK(meta_open(meta_url(t, "meta"), &options, &reader));
    CHECK_INT(count_people(reader), 0);
    CHECK_INT(insert_person(reader, 1, S("ann")), PX_F_DENIED);
    CHECK_OK(meta_begin(reader, META_LAGGING));
    CHECK_INT(count_people(reader), 0);
    CHECK_OK(meta_commit(reader));
    CHECK_INT(meta_open(S("postgresql://somewhere/x"), NULL, &reader), PX_F_CONFIG);
}

TEST(text_orders_by_its_bytes)
{
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t);
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    static const char *const names[] = {"B", "_", "a", "b", "\xc3\xa9"};
    struct meta_value v;
    for (int i = 4; i >= 0; i--) CHECK_OK(insert_person(meta, i, px_str_c(names[i])));
    CHECK_OK(meta_select(meta, "SELECT name FROM people ORDER BY name", NULL, 0, &rows));
    for (int i = 0; i < 5; i++) {
        CHECK_OK(meta_rows_next(rows, &v, 1));
        CHECK_STR(v.s, px_str_c(names[i]));
    }
}

TEST(many_rows_come_whole)
{
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t);
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value v[2];
    CHECK_OK(meta_exec(meta,
                       "INSERT INTO people (id, name) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL "
                       "SELECT i + 1 FROM n WHERE i < 3000) SELECT i, 'p' || i FROM n",
                       NULL, 0, NULL));
    CHECK_OK(meta_select(meta, "SELECT id, name FROM people ORDER BY id", NULL, 0, &rows));
    for (int i = 1; i <= 3000; i++) {
        CHECK_OK(meta_rows_next(rows, v, 2));
        CHECK_INT(v[0].i, i);
    }
    CHECK_INT(meta_rows_next(rows, v, 2), META_END);
}

TEST(a_statement_that_returns_what_it_wrote_is_whole)
{
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t);
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    const struct meta_value params[] = {meta_i(5), meta_s(S("eve"))};
    struct meta_value v;
    CHECK_OK(meta_select(meta, "INSERT INTO people (id, name) VALUES ($1, $2) RETURNING id", params,
                         2, &rows));
    CHECK_OK(meta_rows_next(rows, &v, 1));
    CHECK_INT(v.i, 5);
    CHECK_INT(meta_rows_next(rows, &v, 1), META_END);
    meta_rows_close(&rows);
    CHECK_INT(count_people(meta), 1);
}

TEST(after_a_failed_statement_a_transaction_is_rolled_back)
{
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t);
    CHECK_OK(meta_begin(meta, META_WRITE));
    CHECK_OK(insert_person(meta, 1, S("ann")));
    CHECK_INT(insert_person(meta, 1, S("bob")), META_CONFLICT);
    meta_rollback(meta);
    CHECK_INT(count_people(meta), 0);
    CHECK_OK(insert_person(meta, 1, S("ann")));
}

static int migrate_and_insert(struct test *t, int i)
{
    PX_AUTO(meta_close) struct meta *meta = NULL;
    const struct meta_options options = {.busy_ms = 30000};
    if (meta_open(meta_url(t, "many"), &options, &meta) != 0) return 1;
    if (make_tables(meta) != 0) return 2;
    char name[16];
    (void)snprintf(name, sizeof name, "%d", i);
    return insert_person(meta, i, px_str_c(name)) == 0 ? 0 : 3;
}
TEST(many_may_migrate_at_once)
{
    int status[12];
    (void)meta_url_make(t, "many");
    in_children(t, 12, migrate_and_insert, status);
    for (int i = 0; i < 12; i++) CHECK_INT(status[i], 0);
    PX_AUTO(meta_close) struct meta *meta = NULL;
    CHECK_OK(meta_open(meta_url(t, "many"), NULL, &meta));
    CHECK_INT(count_people(meta), 12);
}

/* On one file, so that each round goes on where the memory of the last one ran out. */
static int open_migrate_ask(const char *path)
{
    PX_AUTO(meta_close) struct meta *meta = NULL;
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    PX_TRY(meta_open(px_str_c(path), NULL, &meta));
    PX_TRY(make_tables(meta));
    const struct meta_value params[] = {meta_i(1), meta_s(S("ann"))};
    PX_TRY(meta_exec(meta, "INSERT INTO people (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                     params, 2, NULL));
    PX_TRY(meta_select(meta, "SELECT name FROM people", NULL, 0, &rows));
    struct meta_value v;
    PX_TRY(meta_rows_next(rows, &v, 1));
    CHECK_STR(v.s, S("ann"));
    meta_rows_close(&rows);
    return 0;
}
TEST(memory_running_out_is_a_fault_at_every_allocation)
{
    if (on_postgres()) skip(); /* libpq's own memory is not ours to fail */
    struct px_str path = test_path(t, "sweep.db");
    SWEEP_ALLOCATIONS(open_migrate_ask(path.ptr), (void)0);
}

TEST_MAIN
