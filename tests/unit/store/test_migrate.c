/* Versions of a schema: order, two at once, kills, edited steps, functions that are too old or too new. One suite for both halves
 * (postgres.h). The steps are the test's own. */
#include "store/child.h"
#include "store/postgres.h"
#include "support/support_alloc.h"

#include "store/migrate.h"

/* A column that is renamed: added, filled, and the old one taken away. Two releases are in it: the first knows 1, the second
 * all but the last, the third everything. */
#define STEP_1 "CREATE TABLE people (id BIGINT NOT NULL PRIMARY KEY, name TEXT);"
static const struct migrate_step steps[] = {
    {.number = 1, .kind = MIGRATE_EXPAND, .name = "people", .sql = STEP_1},
    {.number = 2,
     .kind = MIGRATE_EXPAND,
     .name = "full names",
     .sql = "ALTER TABLE people ADD COLUMN full_name TEXT;"},
    {.number = 3,
     .kind = MIGRATE_BACKFILL,
     .name = "full names of all",
     .sql = "UPDATE people SET full_name = name WHERE id IN (SELECT id FROM people WHERE full_name "
            "IS NULL AND name IS NOT NULL ORDER BY id LIMIT $1)",
     .left = "SELECT count(*) FROM people WHERE full_name IS NULL AND name IS NOT NULL",
     .until = 5},
    {.number = 4,
     .kind = MIGRATE_EXPAND,
     .name = "by full name",
     .sql = "CREATE INDEX people_by_full_name ON people (full_name);"},
    {.number = 5,
     .kind = MIGRATE_CONTRACT,
     .name = "names",
     .sql = "ALTER TABLE people DROP COLUMN name;",
     .unused_since = 4},
    {.number = 6,
     .kind = MIGRATE_EXPAND,
     .name = "pets",
     .sql = "CREATE TABLE pets (owner BIGINT NOT NULL, name TEXT);",
     .left = "SELECT count(*) FROM pets WHERE owner < 0"},
};
static const struct migrate_list first = {steps, 1, 1}, second = {steps, 4, 4},
                                 third = {steps, 6, 4};

static int64_t test_wall_ns = 0; /* beside the machine's: a test moves it */
static int64_t wall_ns(void *ctx)
{
    (void)ctx;
    return px_wall_ns(&px_clock_system) + test_wall_ns;
}
static int64_t mono_ns(void *ctx)
{
    (void)ctx;
    return px_mono_ns(&px_clock_system);
}
static const struct px_clock test_clock = {wall_ns, mono_ns, NULL};

static struct migrate of(struct meta *meta, const struct migrate_list *list)
{
    return (struct migrate){meta, list, &test_clock};
}

static struct meta *open_at(struct px_str url)
{
    struct meta *meta = NULL;
    const struct meta_options options = {.busy_ms = 30000};
    CHECK_OK(meta_open(url, &options, &meta));
    return meta;
}

static struct meta *fresh(struct test *t)
{
    test_wall_ns = 0;
    return open_at(meta_url_make(t, "schema"));
}

static int expand(struct meta *meta, const struct migrate_list *list, size_t *ret_run)
{
    const struct migrate m = of(meta, list);
    return migrate_expand(&m, 0, ret_run);
}

static int fill(struct meta *meta, const struct migrate_list *list, int64_t rows, size_t max,
                struct migrate_filled *ret_filled)
{
    const struct migrate m = of(meta, list);
    const struct migrate_batches batches = {.rows = rows, .max = max};
    return migrate_backfill(&m, &batches, ret_filled);
}

static int contract(struct meta *meta, const struct migrate_list *list, enum migrate_word word)
{
    const struct migrate m = of(meta, list);
    size_t run = 0;
    return migrate_contract(&m, 0, word, &run);
}

static void look(struct meta *meta, const struct migrate_list *list, struct migrate_state *state)
{
    const struct migrate m = of(meta, list);
    CHECK_OK(migrate_look(&m, state));
}

static int check(struct meta *meta, const struct migrate_list *list)
{
    const struct migrate m = of(meta, list);
    return migrate_check(&m);
}

static int say(struct meta *meta, const struct migrate_list *list, const char *name)
{
    const struct migrate m = of(meta, list);
    return migrate_say(&m, px_str_c(name));
}

static int64_t number(struct meta *meta, const char *sql)
{
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value value;
    CHECK_OK(meta_select(meta, sql, NULL, 0, &rows));
    CHECK_OK(meta_rows_next(rows, &value, 1));
    return value.i;
}

static void add_people(struct meta *meta, int64_t from, int64_t count)
{
    const struct meta_value params[] = {meta_i(from), meta_i(count)};
    CHECK_OK(
        meta_exec(meta,
                  "INSERT INTO people (id, name) WITH RECURSIVE n (i) AS (SELECT $1 + 0 UNION ALL "
                  "SELECT i + 1 FROM n WHERE i + 1 < $1 + $2) SELECT i, 'p' || i FROM n",
                  params, 2, NULL));
}

/* What the first release made, with rows; then steps up to and with the first backfill's beginning. */
static struct meta *expanded(struct test *t, int64_t people)
{
    struct meta *meta = fresh(t);
    size_t run = 0;
    CHECK_OK(expand(meta, &first, &run));
    CHECK_INT(run, 1);
    add_people(meta, 1, people);
    CHECK_OK(expand(meta, &third, &run));
    CHECK_INT(run, 1); /* 2; the backfill is next */
    return meta;
}

TEST(steps_that_add_stop_at_a_backfill_and_go_on_behind_it)
{
    PX_AUTO(meta_close) struct meta *meta = expanded(t, 25);
    struct migrate_state state;
    struct migrate_filled filled;
    size_t run = 9;
    look(meta, &third, &state);
    CHECK_INT(state.count, 6);
    CHECK_INT(state.expanded, 2);
    CHECK_INT(state.adding, 3);
    CHECK_INT(state.removing, 1);
    CHECK_INT(migrate_next(&state, 0)->number, 3);
    CHECK(!migrate_next(&state, 2));
    CHECK_OK(expand(meta, &third, &run));
    CHECK_INT(run, 0);
    CHECK_OK(fill(meta, &third, 10, 2, &filled));
    CHECK(filled.more && filled.batches == 2 && filled.rows == 20);
    look(meta, &third, &state);
    CHECK_INT(state.items[2].rows, 20);
    CHECK_INT(state.items[2].applied_ns, 0);
    CHECK_OK(fill(meta, &third, 10, 0, &filled));
    CHECK(!filled.more && filled.rows == 5);
    CHECK_INT(number(meta, "SELECT count(*) FROM people WHERE full_name = name"), 25);
    CHECK_OK(expand(meta, &third, &run));
    CHECK_INT(run, 2); /* 4 and 6: the contract step between them may wait */
    look(meta, &third, &state);
    CHECK_INT(state.adding, 0);
    CHECK_INT(state.expanded, 6);
    CHECK_INT(state.contracted, 0);
    CHECK_INT(migrate_next(&state, 0)->number, 5);
    CHECK(state.items[0].applied_ns > 0 && state.items[3].applied_ns >= state.items[1].applied_ns);
}

TEST(a_contract_step_goes_before_or_behind_later_steps_that_add)
{
    PX_AUTO(meta_close) struct meta *meta = expanded(t, 3);
    struct migrate_filled filled;
    const struct migrate m = of(meta, &third);
    size_t run = 0;
    CHECK_INT(contract(meta, &third, MIGRATE_FORCED), MIGRATE_BEHIND);
    CHECK_OK(fill(meta, &third, 10, 0, &filled));
    CHECK_OK(migrate_expand(&m, 4, &run));
    CHECK_INT(run, 1);
    CHECK_OK(contract(meta, &third, MIGRATE_NO_WORD));
    CHECK_OK(migrate_expand(&m, 0, &run));
    CHECK_INT(run, 1);
    CHECK_OK(contract(meta, &third, MIGRATE_NO_WORD)); /* done before */
    struct migrate_state state;
    look(meta, &third, &state);
    CHECK(!migrate_next(&state, 0) && state.contracted == 5 && state.floor == 4);
    CHECK_INT(meta_exec(meta, "SELECT name FROM people", NULL, 0, NULL), PX_F_BUG);
}

TEST(a_limit_holds_for_each_kind)
{
    PX_AUTO(meta_close) struct meta *meta = fresh(t);
    const struct migrate m = of(meta, &third);
    size_t run = 0;
    CHECK_OK(migrate_expand(&m, 1, &run));
    CHECK_INT(run, 1);
    CHECK_OK(migrate_expand(&m, 2, &run));
    CHECK_INT(run, 1);
    const struct migrate_batches until_2 = {.to = 2};
    struct migrate_filled filled;
    CHECK_OK(migrate_backfill(&m, &until_2, &filled));
    CHECK(!filled.more && filled.batches == 0);
    CHECK_OK(migrate_contract(&m, 4, MIGRATE_NO_WORD, &run));
    CHECK_INT(run, 0);
}

TEST(who_runs_and_knows_too_little_holds_a_contract_step)
{
    PX_AUTO(meta_close) struct meta *meta = expanded(t, 3);
    struct migrate_filled filled;
    size_t run;
    CHECK_OK(fill(meta, &third, 10, 0, &filled));
    CHECK_OK(expand(meta, &third, &run));
    CHECK_OK(say(meta, &first, "ingest"));
    CHECK_OK(say(meta, &second, "query"));
    CHECK_INT(contract(meta, &third, MIGRATE_APPROVED), MIGRATE_IN_USE);
    struct migrate_state state;
    look(meta, &third, &state);
    CHECK_INT(state.user_count, 2);
    CHECK(strcmp(state.users[0].name, "ingest") == 0 && state.users[0].knows == 1);
    CHECK_INT(state.users[1].knows, 4);
    test_wall_ns = (MIGRATE_FORGET_S - 60) * PX_NS_PER_S;
    CHECK_INT(contract(meta, &third, MIGRATE_APPROVED), MIGRATE_IN_USE);
    CHECK_OK(say(meta, &first, "ingest")); /* it still runs */
    test_wall_ns += 120 * PX_NS_PER_S;
    CHECK_INT(contract(meta, &third, MIGRATE_APPROVED), MIGRATE_IN_USE);
    test_wall_ns += MIGRATE_FORGET_S * PX_NS_PER_S;
    look(meta, &third, &state);
    CHECK_INT(state.user_count, 0);
    CHECK_OK(contract(meta, &third, MIGRATE_NO_WORD));
}

TEST(a_word_is_written_once_an_hour)
{
    PX_AUTO(meta_close) struct meta *meta = expanded(t, 1);
    CHECK_OK(say(meta, &second, "query"));
    int64_t seen = number(meta, "SELECT max(seen_ns) FROM schema_functions");
    CHECK_OK(say(meta, &second, "query"));
    CHECK_INT(number(meta, "SELECT max(seen_ns) FROM schema_functions"), seen);
    test_wall_ns = (MIGRATE_SAY_S + 1) * PX_NS_PER_S;
    CHECK_OK(say(meta, &second, "query"));
    CHECK(number(meta, "SELECT max(seen_ns) FROM schema_functions") > seen);
    CHECK_INT(number(meta, "SELECT count(*) FROM schema_functions"), 1);
}

TEST(force_is_stronger_than_what_functions_say)
{
    PX_AUTO(meta_close) struct meta *meta = expanded(t, 3);
    struct migrate_filled filled;
    size_t run;
    CHECK_OK(fill(meta, &third, 10, 0, &filled));
    CHECK_OK(expand(meta, &third, &run));
    CHECK_OK(say(meta, &first, "ingest"));
    CHECK_OK(contract(meta, &third, MIGRATE_FORCED));
}

TEST(who_never_says_anything_takes_a_person_s_word)
{
    struct migrate_step own[2] = {steps[0], steps[4]};
    own[1] = (struct migrate_step){.number = 2,
                                   .kind = MIGRATE_CONTRACT,
                                   .name = "people",
                                   .sql = "DROP TABLE people;",
                                   .unused_since = 2,
                                   .unsaid = true};
    const struct migrate_list list = {own, 2, 1};
    PX_AUTO(meta_close) struct meta *meta = fresh(t);
    size_t run;
    CHECK_OK(expand(meta, &list, &run));
    CHECK_INT(contract(meta, &list, MIGRATE_NO_WORD), MIGRATE_UNSAID);
    CHECK_OK(contract(meta, &list, MIGRATE_APPROVED));
}

TEST(rows_that_functions_of_before_wrote_later_are_filled_before_anything_goes)
{
    PX_AUTO(meta_close) struct meta *meta = expanded(t, 3);
    const struct migrate m = of(meta, &third);
    struct migrate_filled filled;
    struct migrate_verdict verdict = {0};
    size_t run;
    CHECK_OK(fill(meta, &third, 10, 0, &filled));
    CHECK_OK(expand(meta, &third, &run));
    CHECK_OK(migrate_verify(&m, &verdict));
    CHECK_INT(verdict.checked, 5);
    add_people(meta, 100, 2);
    CHECK_INT(migrate_verify(&m, &verdict), MIGRATE_LEFT);
    CHECK(verdict.number == 3 && verdict.left == 2);
    CHECK_INT(contract(meta, &third, MIGRATE_FORCED), MIGRATE_LEFT);
    CHECK_OK(fill(meta, &third, 10, 0, &filled));
    CHECK(!filled.more && filled.rows == 2);
    CHECK_OK(contract(meta, &third, MIGRATE_NO_WORD));
    CHECK_OK(migrate_verify(&m, &verdict)); /* what it would ask about is gone */
    CHECK_OK(fill(meta, &third, 10, 0, &filled));
    CHECK(!filled.more && filled.batches == 0);
}

TEST(a_step_that_was_run_is_never_changed)
{
    PX_AUTO(meta_close) struct meta *meta = expanded(t, 3);
    struct migrate_step edited[2] = {steps[0], steps[1]};
    const struct migrate_list list = {edited, 2, 1};
    const struct migrate m = of(meta, &list);
    struct migrate_filled filled;
    struct migrate_verdict verdict;
    struct migrate_state state;
    size_t run = 0;
    edited[1].name = "another name is fine";
    CHECK_OK(expand(meta, &list, &run));
    edited[1].sql = "ALTER TABLE people ADD COLUMN full_name TEXT NOT NULL DEFAULT '';";
    CHECK_INT(expand(meta, &list, &run), PX_F_CONFIG);
    CHECK_INT(fill(meta, &list, 1, 1, &filled), PX_F_CONFIG);
    CHECK_INT(contract(meta, &list, MIGRATE_FORCED), PX_F_CONFIG);
    CHECK_INT(migrate_verify(&m, &verdict), PX_F_CONFIG);
    look(meta, &list, &state);
    CHECK(state.edited == 1 && state.items[1].edited && !state.items[0].edited);
}

TEST(a_step_that_fails_leaves_nothing_of_itself)
{
    struct migrate_step own[2] = {
        steps[0],
        {.number = 2,
         .kind = MIGRATE_EXPAND,
         .name = "broken",
         .sql = "CREATE TABLE b (x TEXT); CREATE TABLE people (again TEXT);"}};
    const struct migrate_list list = {own, 2, 1};
    PX_AUTO(meta_close) struct meta *meta = fresh(t);
    size_t run = 0;
    CHECK_INT(expand(meta, &list, &run), PX_F_BUG);
    CHECK_INT(meta_exec(meta, "INSERT INTO b (x) VALUES ('not there')", NULL, 0, NULL), PX_F_BUG);
    own[1].sql = "CREATE TABLE b (x TEXT);"; /* it was never run, so it may be mended */
    CHECK_OK(expand(meta, &list, &run));
    CHECK_INT(run, 1);
}

TEST(a_backfill_that_does_not_fill_is_told)
{
    struct migrate_step own[2] = {steps[0], steps[2]};
    own[1].number = 2;
    own[1].until = 0;
    own[1].sql = "UPDATE people SET name = name WHERE id < 0 AND id < $1";
    own[1].left = "SELECT count(*) FROM people";
    const struct migrate_list list = {own, 2, 1};
    PX_AUTO(meta_close) struct meta *meta = fresh(t);
    struct migrate_filled filled;
    size_t run;
    CHECK_OK(expand(meta, &list, &run));
    CHECK_OK(fill(meta, &list, 1, 1, &filled)); /* nobody is there */
    CHECK(!filled.more);
    add_people(meta, 1, 1);
    CHECK_INT(fill(meta, &list, 1, 1, &filled), PX_F_BUG);
}

TEST(functions_work_between_what_they_need_and_what_they_know)
{
    PX_AUTO(meta_close) struct meta *meta = fresh(t);
    struct migrate_filled filled;
    size_t run;
    CHECK_INT(check(meta, &first), MIGRATE_BEHIND);
    CHECK_OK(expand(meta, &first, &run));
    CHECK_OK(check(meta, &first));
    CHECK_INT(check(meta, &second), MIGRATE_BEHIND);
    CHECK_OK(expand(meta, &second, &run));
    CHECK_INT(check(meta, &second), MIGRATE_BEHIND); /* it needs the rows filled */
    CHECK_OK(fill(meta, &second, 10, 0, &filled));
    CHECK_OK(expand(meta, &third, &run));
    CHECK_OK(check(meta, &second));
    CHECK_OK(check(meta, &first)); /* steps that add are nothing to it */
    CHECK_OK(contract(meta, &third, MIGRATE_NO_WORD));
    CHECK_OK(check(meta, &third));
    CHECK_OK(check(meta, &second)); /* it does not know step 5, and uses nothing of what went */
    CHECK_INT(check(meta, &first), PX_F_CONFIG);
    char text[1024];
    (void)px_fault_text(PX_F_CONFIG, text, sizeof text);
    CHECK(strstr(text, "functions must know its step 4, and this one knows steps up to 1"));
}

TEST(steps_of_a_later_release_are_told_and_left_alone)
{
    PX_AUTO(meta_close) struct meta *meta = expanded(t, 3);
    struct migrate_state state;
    size_t run = 9;
    look(meta, &first, &state);
    CHECK_INT(state.count, 2);
    CHECK(state.items[1].number == 2 && !state.items[1].step && state.items[1].applied_ns > 0);
    CHECK_OK(expand(meta, &first, &run));
    CHECK_INT(run, 0);
}

/* ---- databases of before there were kinds of steps ---- */

static void make_old(struct meta *meta)
{
    static const char *const sql[] = {
        "CREATE TABLE migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL,"
        "applied_ns BIGINT NOT NULL)",
        "CREATE TABLE people (id BIGINT NOT NULL PRIMARY KEY, name TEXT)",
        "INSERT INTO migrations (number, name, applied_ns) VALUES (1, 'people', 1234)",
        "INSERT INTO people (id, name) VALUES (7, 'ann')",
    };
    for (size_t i = 0; i < PX_COUNT(sql); i++) CHECK_OK(meta_exec(meta, sql[i], NULL, 0, NULL));
}

TEST(a_database_of_before_is_taken_over)
{
    PX_AUTO(meta_close) struct meta *meta = fresh(t);
    struct migrate_state state;
    size_t run = 9;
    make_old(meta);
    CHECK_INT(check(meta, &first), MIGRATE_HOMELESS);
    CHECK_INT(check(meta, &second), MIGRATE_BEHIND);
    look(meta, &second, &state);
    CHECK(state.has_old_home && !state.has_home && state.items[0].applied_ns == 1234);
    CHECK_OK(expand(meta, &first, &run));
    CHECK_INT(run, 0);
    CHECK_OK(check(meta, &first));
    CHECK_OK(expand(meta, &second, &run));
    CHECK_INT(run, 1);
    look(meta, &second, &state);
    CHECK(state.has_home && state.items[0].applied_ns == 1234 && state.edited == 0);
    CHECK_INT(number(meta, "SELECT count(*) FROM people WHERE full_name IS NULL"), 1);
    CHECK_INT(number(meta, "SELECT number FROM migrations"),
              1); /* functions of before look there */
}

/* ---- several, and kills ---- */

static int run_all(struct meta *meta)
{
    struct migrate_filled filled = {0};
    size_t run = 0;
    do {
        PX_TRY(expand(meta, &third, &run));
        PX_TRY(fill(meta, &third, 7, 3, &filled));
    } while (run > 0 || filled.batches > 0);
    int r = contract(meta, &third, MIGRATE_NO_WORD);
    return r;
}

static int run_all_in_child(struct test *t, int i)
{
    PX_AUTO(meta_close) struct meta *meta = NULL;
    const struct meta_options options = {.busy_ms = 60000};
    (void)i;
    if (meta_open(meta_url(t, "schema"), &options, &meta) != 0) return 1;
    int r = run_all(meta);
    char text[1024];
    if (r != 0) (void)fprintf(stderr, "%d: %s\n", r, px_fault_text(r, text, sizeof text));
    return r == 0 ? 0 : 2;
}

static void check_all_done(struct meta *meta, int64_t people)
{
    const struct migrate m = of(meta, &third);
    struct migrate_state state;
    struct migrate_verdict verdict;
    look(meta, &third, &state);
    CHECK(!migrate_next(&state, 0));
    CHECK_OK(migrate_verify(&m, &verdict));
    CHECK_INT(number(meta, "SELECT count(*) FROM schema_steps"), 6);
    CHECK_INT(number(meta, "SELECT count(*) FROM people WHERE full_name = 'p' || id"), people);
    CHECK_INT(state.items[2].rows, people); /* none was filled twice */
}

TEST(many_may_migrate_at_once)
{
    int status[8];
    meta_close(&(struct meta *){expanded(t, 200)});
    in_children(t, 8, run_all_in_child, status);
    for (int i = 0; i < 8; i++) CHECK_INT(status[i], 0);
    PX_AUTO(meta_close) struct meta *meta = open_at(meta_url(t, "schema"));
    check_all_done(meta, 200);
}

static void run_until_killed(struct test *t, int out)
{
    uint64_t one = 1;
    struct meta *meta = NULL;
    const struct meta_options options = {.busy_ms = 60000};
    if (meta_open(meta_url(t, "schema"), &options, &meta) != 0) return;
    if (write(out, &one, sizeof one) != sizeof one) return;
    (void)run_all(meta);
    for (;;) (void)pause(); /* it was faster than the kill */
}

TEST(who_is_killed_leaves_nothing_half_done)
{
    unsigned seed = 20261127;
    meta_close(&(struct meta *){expanded(t, 300)});
    for (int i = 0; i < 40; i++) {
        (void)killed_child(t, (unsigned)(rand_r(&seed) % 8000), run_until_killed);
        PX_AUTO(meta_close) struct meta *meta = open_at(meta_url(t, "schema"));
        struct migrate_state state;
        look(meta, &third, &state);
        int64_t gone = state.contracted == 5; /* each step is whole: its row and its work */
        CHECK_INT(number(meta, "SELECT count(*) FROM people WHERE full_name IS NOT NULL"),
                  state.items[2].rows);
        if (!gone) CHECK_INT(number(meta, "SELECT count(*) FROM people WHERE name IS NULL"), 0);
        if (state.items[5].applied_ns > 0) CHECK_INT(number(meta, "SELECT count(*) FROM pets"), 0);
    }
    PX_AUTO(meta_close) struct meta *meta = open_at(meta_url(t, "schema"));
    CHECK_OK(run_all(meta));
    check_all_done(meta, 300);
}

/* ---- what is shown ---- */

TEST(sql_is_shown_as_the_database_gets_it)
{
    PX_AUTO(meta_close) struct meta *meta = fresh(t);
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    const struct migrate m = of(meta, &third);
    px_buf_init(&buf, 4096);
    migrate_sql(&m, &steps[1], &buf);
    CHECK_STR(px_buf_str(&buf),
              on_postgres() ? S("ALTER TABLE people ADD COLUMN full_name TEXT COLLATE \"C\";")
                            : S("ALTER TABLE people ADD COLUMN full_name TEXT;"));
    px_buf_clear(&buf);
    migrate_sql(&m, &steps[2], &buf);
    CHECK_STR(px_buf_str(&buf), px_str_c(steps[2].sql));
}

/* On one file, so that each round goes on where the memory of the last one ran out. */
static int open_and_run(const char *path)
{
    PX_AUTO(meta_close) struct meta *meta = NULL;
    PX_TRY(meta_open(px_str_c(path), NULL, &meta));
    PX_TRY(run_all(meta));
    PX_TRY(say(meta, &third, "query"));
    return 0;
}
TEST(memory_running_out_is_a_fault_at_every_allocation)
{
    if (on_postgres()) skip(); /* libpq's own memory is not ours to fail */
    struct px_str path = test_path(t, "sweep.db");
    SWEEP_ALLOCATIONS(open_and_run(path.ptr), (void)0);
}

TEST_MAIN
