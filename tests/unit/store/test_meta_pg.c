/* What PostgreSQL and the way to it can do wrong. Needs a server (postgres.h); tests/sys/test_meta_postgres.py
 * runs it. */
#include "store/child.h"
#include "store/postgres.h"
#include "store/relay.h"

#include "base/px_id.h"
#include "store/migrate.h"
#include "store/pg_url.h"

#define SHORT_MS 3000 /* to give up after; a slow machine connects in less */
#define NEEDS_SERVER()                                                                             \
    do {                                                                                           \
        if (!on_postgres()) skip();                                                                \
    } while (0)

static const struct migrate_step steps[] = {
    {1, MIGRATE_EXPAND, "people",
     "CREATE TABLE people (id BIGINT NOT NULL PRIMARY KEY, name TEXT);", NULL, 0, 0, false},
    {2, MIGRATE_EXPAND, "sums",
     "CREATE TABLE sums (value BIGINT NOT NULL); INSERT INTO sums (value) VALUES (0);", NULL, 0, 0,
     false},
};

static int make_tables(struct meta *meta)
{
    const struct migrate_list list = {steps, PX_COUNT(steps), 2};
    const struct migrate m = {meta, &list, &px_clock_system};
    size_t run = 0;
    return migrate_expand(&m, 0, &run);
}

static struct meta *meta_at(struct px_str url, int busy_ms)
{
    struct meta *meta = NULL;
    const struct meta_options options = {.busy_ms = busy_ms};
    CHECK_OK(meta_open(url, &options, &meta));
    return meta;
}

static struct meta *meta_for_test(struct test *t)
{
    struct meta *meta = meta_at(meta_url_make(t, "meta"), 5000);
    CHECK_OK(make_tables(meta));
    return meta;
}

/* The test's URL with another host, port and parameters. */
static struct px_str url_through(struct test *t, const char *host, unsigned port,
                                 const char *parameters)
{
    struct px_str url = meta_url(t, "meta");
    const char *end = memchr(url.ptr, '@', url.len);
    return px_arena_printf(&t->arena, "%.*s@%s:%u/%s?%s", (int)(end - url.ptr), url.ptr, host, port,
                           postgres_name(t, "meta"), parameters);
}

static unsigned server_port(struct test *t)
{
    struct pg_target target;
    uint64_t port = 0;
    CHECK_OK(pg_target_init(meta_url(t, "meta"), &target));
    CHECK(px_str_to_u64(px_str_c(target.port), &port));
    return (unsigned)port;
}

static struct meta *meta_relayed(struct test *t, struct relay *relay, int busy_ms)
{
    meta_close(&(struct meta *){meta_for_test(t)});
    relay_start(relay, (int)server_port(t));
    return meta_at(url_through(t, "127.0.0.1", relay->port, "sslmode=disable"), busy_ms);
}

static int insert_person(struct meta *meta, int64_t id)
{
    const struct meta_value params[] = {meta_i(id), meta_s(S("ann"))};
    return meta_exec(meta, "INSERT INTO people (id, name) VALUES ($1, $2)", params, 2, NULL);
}

static int number_of(struct meta *meta, const char *sql, int64_t *ret_number)
{
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value value;
    PX_TRY(meta_select(meta, sql, NULL, 0, &rows));
    PX_TRY(meta_rows_next(rows, &value, 1));
    *ret_number = value.i;
    return 0;
}

static int64_t count_people(struct meta *meta)
{
    int64_t count = -1;
    CHECK_OK(number_of(meta, "SELECT count(*) FROM people", &count));
    return count;
}

static void check_says(int fault, const char *word)
{
    char text[512];
    if (!strstr(px_fault_text(fault, text, sizeof text), word))
        TEST_FAIL("%s: not in %s", word, text);
}

static void deadline_in(struct meta *meta, int64_t ms)
{
    meta_set_deadline(meta, ms ? px_mono_ns(&px_clock_system) + ms * PX_NS_PER_MS : 0);
}

static void terminate_all(struct test *t)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                   "WHERE datname = '%s'",
                   postgres_name(t, "meta"));
    postgres_do(t, sql);
}

/* ---- connections that break ---- */

TEST(a_read_and_a_beginning_find_another_connection)
{
    NEEDS_SERVER();
    struct relay relay;
    PX_AUTO(meta_close) struct meta *meta = meta_relayed(t, &relay, 5000);
    CHECK_INT(count_people(meta), 0);
    relay_cut(&relay);
    CHECK_INT(count_people(meta), 0);
    relay_cut(&relay);
    CHECK_OK(meta_begin(meta, META_WRITE));
    CHECK_OK(insert_person(meta, 1));
    CHECK_OK(meta_commit(meta));
    relay_arm(&relay, "count(*)", RELAY_SWALLOW);
    CHECK_INT(count_people(meta), 1);
    CHECK_INT(relay.trips, 1);
    meta_close(&meta);
    relay_stop(&relay);
}

TEST(a_terminated_session_is_replaced_and_its_transaction_is_gone)
{
    NEEDS_SERVER();
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t);
    terminate_all(t);
    CHECK_INT(count_people(meta), 0);
    CHECK_OK(meta_begin(meta, META_WRITE));
    CHECK_OK(insert_person(meta, 1));
    terminate_all(t);
    CHECK_INT(insert_person(meta, 2), PX_F_UNAVAILABLE);
    CHECK_INT(insert_person(meta, 3), PX_F_UNAVAILABLE); /* nothing of it goes elsewhere */
    CHECK_INT(meta_commit(meta), PX_F_UNAVAILABLE);
    meta_rollback(meta);
    CHECK_INT(count_people(meta), 0);
    CHECK_OK(meta_begin(meta, META_SNAPSHOT));
    CHECK_INT(count_people(meta), 0);
    terminate_all(t);
    CHECK_OK(meta_commit(meta)); /* whoever has read has read */
}

TEST(a_commit_that_did_not_arrive_is_told_as_rolled_back)
{
    NEEDS_SERVER();
    struct relay relay;
    PX_AUTO(meta_close) struct meta *meta = meta_relayed(t, &relay, 5000);
    CHECK_OK(meta_begin(meta, META_WRITE));
    CHECK_OK(insert_person(meta, 1));
    relay_arm(&relay, "COMMIT", RELAY_CUT);
    CHECK_INT(meta_commit(meta), PX_F_UNAVAILABLE);
    check_says(PX_F_UNAVAILABLE, "rolled back");
    CHECK_INT(count_people(meta), 0);
    meta_close(&meta);
    relay_stop(&relay);
}

TEST(a_commit_whose_answer_is_lost_is_asked_for)
{
    NEEDS_SERVER();
    struct relay relay;
    PX_AUTO(meta_close) struct meta *meta = meta_relayed(t, &relay, 5000);
    CHECK_OK(meta_begin(meta, META_WRITE));
    CHECK_OK(insert_person(meta, 1));
    relay_arm(&relay, "COMMIT", RELAY_SWALLOW);
    CHECK_OK(meta_commit(meta));
    CHECK_INT(relay.trips, 1);
    CHECK_INT(count_people(meta), 1);
    meta_close(&meta);
    relay_stop(&relay);
}

TEST(an_outcome_that_cannot_be_asked_for_is_told_as_unknown)
{
    NEEDS_SERVER();
    struct relay relay;
    PX_AUTO(meta_close) struct meta *meta = meta_relayed(t, &relay, SHORT_MS);
    CHECK_OK(meta_begin(meta, META_WRITE));
    CHECK_OK(insert_person(meta, 1));
    relay.refuses = true;
    relay_arm(&relay, "COMMIT", RELAY_SWALLOW);
    CHECK_INT(meta_commit(meta), PX_F_UNAVAILABLE);
    check_says(PX_F_UNAVAILABLE, "unknown");
    relay.refuses = false;
    CHECK_INT(count_people(meta), 1);
    meta_close(&meta);
    relay_stop(&relay);
}

TEST(a_statement_that_writes_by_itself_is_done_once)
{
    NEEDS_SERVER();
    struct relay relay;
    PX_AUTO(meta_close) struct meta *meta = meta_relayed(t, &relay, 5000);
    static const struct {
        const char *text;
        enum relay_deed deed;
    } breaks[] = {{"BEGIN", RELAY_CUT},
                  {"BEGIN", RELAY_SWALLOW},
                  {"INSERT INTO", RELAY_CUT},
                  {"INSERT INTO", RELAY_SWALLOW},
                  {"COMMIT", RELAY_SWALLOW}};
    for (size_t i = 0; i < PX_COUNT(breaks); i++) {
        relay_arm(&relay, breaks[i].text, breaks[i].deed);
        CHECK_OK(insert_person(meta, (int64_t)i));
        CHECK_INT(relay.trips, i + 1);
        CHECK_INT(count_people(meta), i + 1);
    }
    meta_close(&meta);
    relay_stop(&relay);
}

/* ---- time ---- */

TEST(silence_ends_at_the_deadline)
{
    NEEDS_SERVER();
    struct relay relay;
    PX_AUTO(meta_close) struct meta *meta = meta_relayed(t, &relay, 5000);
    int64_t count;
    CHECK_INT(count_people(meta), 0);
    relay_arm(&relay, "count(*)", RELAY_HOLD);
    deadline_in(meta, 200);
    CHECK_INT(number_of(meta, "SELECT count(*) FROM people", &count), PX_F_TIMEOUT);
    deadline_in(meta, 0);
    CHECK_INT(count_people(meta), 0);
    meta_close(&meta);
    relay_stop(&relay);
}

TEST(a_slow_statement_ends_on_both_sides)
{
    NEEDS_SERVER();
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t), *other = NULL;
    int64_t number;
    other = meta_at(meta_url(t, "meta"), 20000);
    deadline_in(meta, 3000);
    CHECK_OK(meta_begin(meta, META_WRITE));
    CHECK_INT(number_of(meta, "SELECT count(*) FROM pg_sleep(60)", &number), PX_F_TIMEOUT);
    CHECK_OK(meta_begin(other, META_WRITE)); /* the lock is free long before the minute */
    CHECK_OK(meta_commit(other));
    meta_rollback(meta);
    deadline_in(meta, 0);
    CHECK_INT(count_people(meta), 0);
}

TEST(a_deadline_that_is_over_begins_and_ends_nothing)
{
    NEEDS_SERVER();
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t);
    int64_t count;
    meta_set_deadline(meta, 1);
    CHECK_INT(meta_begin(meta, META_WRITE), PX_F_TIMEOUT);
    CHECK_INT(number_of(meta, "SELECT count(*) FROM people", &count), PX_F_TIMEOUT);
    meta_set_deadline(meta, 0);
    CHECK_OK(meta_begin(meta, META_WRITE));
    CHECK_OK(insert_person(meta, 1));
    meta_set_deadline(meta, 1);
    CHECK_INT(meta_commit(meta), PX_F_TIMEOUT);
    check_says(PX_F_TIMEOUT, "rolled back");
    meta_set_deadline(meta, 0);
    CHECK_INT(count_people(meta), 0);
}

/* ---- who is there ---- */

static void check_refused(struct px_str url, int fault, const char *says)
{
    PX_AUTO(meta_close) struct meta *meta = meta_at(url, 30000);
    int64_t count;
    char text[512];
    CHECK_INT(number_of(meta, "SELECT count(*) FROM people", &count), fault);
    check_says(fault, says);
    CHECK(!strstr(px_fault_text(fault, text, sizeof text), "geheim"));
}

TEST(a_wrong_password_or_database_is_refused_at_once)
{
    NEEDS_SERVER();
    (void)meta_url_make(t, "meta");
    struct px_str url = meta_url(t, "meta"), none = meta_url(t, "none");
    const char *user = strchr(url.ptr + 13, ':'), *host = strchr(url.ptr, '@');
    check_refused(px_arena_printf(&t->arena, "%.*s:geheim%s", (int)(user - url.ptr), url.ptr, host),
                  PX_F_DENIED, "password authentication failed");
    check_refused(none, PX_F_CONFIG, "does not exist");
}

TEST(a_server_must_be_who_its_certificate_says)
{
    NEEDS_SERVER();
    (void)meta_url_make(t, "meta");
    const char *other_ca = getenv("PRISM_TEST_POSTGRES_OTHER_CA");
    struct pg_target target;
    CHECK(other_ca != NULL);
    CHECK_OK(pg_target_init(meta_url(t, "meta"), &target));
    unsigned port = server_port(t);
    struct px_str other = px_arena_printf(&t->arena, "sslrootcert=%s", other_ca);
    struct px_str own = px_arena_printf(&t->arena, "sslrootcert=%s", target.ca_file);
    check_refused(url_through(t, "localhost", port, other.ptr), PX_F_UNAVAILABLE, "CERTIFICATE");
    check_refused(url_through(t, "127.0.0.1", port, own.ptr), PX_F_UNAVAILABLE, "does not match");
}

TEST(nobody_there_is_told_after_a_while)
{
    NEEDS_SERVER();
    struct relay relay;
    PX_AUTO(meta_close) struct meta *meta = meta_relayed(t, &relay, SHORT_MS);
    relay.refuses = true;
    CHECK_INT(meta_begin(meta, META_WRITE), PX_F_UNAVAILABLE);
    check_says(PX_F_UNAVAILABLE, "attempts");
    relay.refuses = false;
    CHECK_OK(meta_begin(meta, META_WRITE));
    meta_close(&meta);
    relay_stop(&relay);
}

static void read_only_set(struct test *t, const char *value)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql, "ALTER DATABASE \"%s\" SET default_transaction_read_only = %s",
                   postgres_name(t, "meta"), value);
    postgres_do(t, sql);
}

TEST(a_server_that_does_not_write_any_more_is_left)
{
    NEEDS_SERVER();
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t);
    read_only_set(t, "on");
    terminate_all(t);
    struct meta *hasty = meta_at(meta_url(t, "meta"), SHORT_MS);
    CHECK_INT(count_people(hasty), 0);
    CHECK_INT(meta_begin(hasty, META_WRITE), PX_F_UNAVAILABLE);
    check_says(PX_F_UNAVAILABLE, "does not write");
    CHECK_INT(insert_person(hasty, 1), PX_F_UNAVAILABLE);
    meta_close(&hasty);
    CHECK_INT(count_people(meta), 0); /* connected to it */
    read_only_set(t, "off");
    CHECK_OK(meta_begin(meta, META_WRITE)); /* of a new connection, since that one cannot */
    CHECK_OK(insert_person(meta, 1));
    CHECK_OK(meta_commit(meta));
}

TEST(reads_that_may_lag_go_to_the_replica_if_there_is_one)
{
    NEEDS_SERVER();
    PX_AUTO(meta_close) struct meta *meta = NULL, *replica = NULL;
    CHECK_OK(meta_open(meta_url_make(t, "replica"), NULL, &replica));
    CHECK_OK(make_tables(replica));
    CHECK_OK(insert_person(replica, 1));
    meta_close(&(struct meta *){meta_for_test(t)});
    struct relay relay;
    relay_start(&relay, (int)server_port(t));
    const struct meta_options options = {.reader_url = meta_url(t, "replica")};
    CHECK_OK(meta_open(meta_url(t, "meta"), &options, &meta));
    CHECK_OK(meta_begin(meta, META_LAGGING));
    CHECK_INT(count_people(meta), 1);
    CHECK_OK(meta_commit(meta));
    CHECK_OK(meta_begin(meta, META_SNAPSHOT));
    CHECK_INT(count_people(meta), 0);
    CHECK_OK(meta_commit(meta));
    meta_close(&meta);
    relay.refuses = true;
    const struct meta_options gone = {
        .reader_url = url_through(t, "127.0.0.1", relay.port, "sslmode=disable")};
    CHECK_OK(meta_open(meta_url(t, "meta"), &gone, &meta));
    CHECK_OK(meta_begin(meta, META_LAGGING));
    CHECK_INT(count_people(meta), 0);
    meta_rollback(meta);
    meta_close(&meta);
    relay_stop(&relay);
}

/* ---- values ---- */

TEST(what_the_dialect_does_not_have_is_a_fault)
{
    NEEDS_SERVER();
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t);
    const struct meta_value bad[] = {meta_i(1), meta_s(S("\xff"))};
    const struct meta_value nul[] = {meta_i(1), meta_s(px_str("a\0b", 3))};
    int64_t number;
    CHECK_INT(meta_exec(meta, "INSERT INTO people (id, name) VALUES ($1, $2)", bad, 2, NULL),
              PX_F_LIMIT);
    CHECK_INT(meta_exec(meta, "INSERT INTO people (id, name) VALUES ($1, $2)", nul, 2, NULL),
              PX_F_LIMIT);
    CHECK_INT(number_of(meta, "SELECT 1.5", &number), PX_F_BUG);
    check_says(PX_F_BUG, "cast");
    CHECK_INT(count_people(meta), 0);
}

/* ---- several at once ---- */

enum { ADDERS = 6, ADDITIONS = 20 };

/* Reads, and writes what it has read plus one: wrong unless each sees what the one before wrote. */
static int add_one(struct meta *meta)
{
    int64_t value = 0;
    PX_TRY(meta_begin(meta, META_WRITE));
    int r = number_of(meta, "SELECT value FROM sums", &value);
    const struct meta_value params[] = {meta_i(value + 1)};
    if (r == 0) r = meta_exec(meta, "UPDATE sums SET value = $1", params, 1, NULL);
    if (r == 0) r = meta_commit(meta);
    if (r != 0) meta_rollback(meta);
    PX_TRY(r);
    return 0;
}

static int adder(struct test *t, int i)
{
    PX_AUTO(meta_close) struct meta *meta = NULL;
    const struct meta_options options = {.busy_ms = 60000};
    (void)i;
    if (meta_open(meta_url(t, "meta"), &options, &meta) != 0) return 1;
    for (int n = 0; n < ADDITIONS; n++)
        if (add_one(meta) != 0) return 2;
    return 0;
}

TEST(writers_follow_each_other)
{
    NEEDS_SERVER();
    int status[ADDERS];
    int64_t value = 0;
    meta_close(&(struct meta *){meta_for_test(t)});
    in_children(t, ADDERS, adder, status);
    for (int i = 0; i < ADDERS; i++) CHECK_INT(status[i], 0);
    PX_AUTO(meta_close) struct meta *meta = meta_at(meta_url(t, "meta"), 5000);
    CHECK_OK(number_of(meta, "SELECT value FROM sums", &value));
    CHECK_INT(value, ADDERS * ADDITIONS);
}

/* The server is killed meanwhile, and started again, by whoever set PRISM_TEST_POSTGRES_PROGRESS to a file: what was said to
 * be committed is there, and each number once. */
TEST(kills_of_the_server_lose_and_double_nothing)
{
    const char *path = getenv("PRISM_TEST_POSTGRES_PROGRESS");
    if (!on_postgres() || !path) skip();
    PX_AUTO(meta_close) struct meta *meta = meta_for_test(t);
    int64_t done = 0, faults = 0, count = 0;
    meta_close(&meta);
    meta = meta_at(meta_url(t, "meta"), 30000);
    while (done < 400) {
        int64_t now = -1;
        CHECK_OK(meta_begin(meta, META_WRITE));
        int r = insert_person(meta, done + 1);
        const struct meta_value params[] = {meta_i(done + 1)};
        if (r == 0) r = meta_exec(meta, "UPDATE sums SET value = $1", params, 1, NULL);
        if (r == 0) r = meta_commit(meta);
        if (r != 0) meta_rollback(meta);
        CHECK_OK(number_of(meta, "SELECT value FROM sums", &now));
        if (r == 0) CHECK_INT(now, done + 1);
        CHECK(now == done || now == done + 1);
        faults += r != 0;
        done = now;
        FILE *file = fopen(path, "w");
        CHECK(file && fprintf(file, "%lld\n", (long long)done) > 0 && fclose(file) == 0);
    }
    CHECK_OK(number_of(meta, "SELECT count(*) FROM people WHERE id <= 400", &count));
    CHECK_INT(count, 400);
    print_message("%lld transactions were cut\n", (long long)faults);
}

TEST_MAIN
