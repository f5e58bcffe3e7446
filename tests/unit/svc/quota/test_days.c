/* Days: never less than what was used, never more than the limit, whoever counts at once or is killed. On SQLite by itself, on
 * DynamoDB with PRISM_TEST_DYNAMODB. */
// link: px_svc_quota px_store px_aws
#include "store/tables_kit.h"

#include "svc/quota/days.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define DAY_NS (86400 * PX_NS_PER_S)
#define NO_LIMIT (INT64_C(1) << 60)

static struct table_store *tables_of(struct test *t)
{
    static const char *const names[] = {DAYS_TABLE};
    struct table_store *store = NULL;
    tables_prepare(t, names, PX_COUNT(names));
    CHECK_OK(table_store_open(tables_url(t), NULL, &store));
    return store;
}

static struct days *days_of(const struct px_clock *clock)
{
    struct days *days = NULL;
    if (days_new(clock, S("records"), &days) != 0) abort();
    return days;
}

static int take(struct test *t, struct days *days, struct table_store *tables, int64_t count,
                int64_t limit, int64_t *ret_wait_s)
{
    const struct days_ask ask = {.tenant = S("acme"), .count = count, .limit = limit};
    return days_take(days, tables, &ask, &t->arena, ret_wait_s);
}

static int64_t counted(struct test *t, struct table_store *tables)
{
    struct days_used used;
    int r = days_read(tables, &t->clock, S("records"), S("acme"), &t->arena, &used);
    if (r == DAYS_NONE) return 0;
    CHECK_OK(r);
    return used.count;
}

/* The machine's day could end within a test: items expire by the machine's clock, so the test's is near it. */
static void set_noon(struct test *t)
{
    t->now_ns = px_wall_ns(&px_clock_system) / DAY_NS * DAY_NS + DAY_NS / 2;
}

TEST(a_day_is_spent_to_the_last_record_and_begins_at_midnight)
{
    struct table_store *tables = tables_of(t);
    set_noon(t);
    struct days *days = days_of(&t->clock);
    int64_t wait_s = -1;
    CHECK_INT(counted(t, tables), 0);
    CHECK_OK(take(t, days, tables, 7, 10, &wait_s));
    CHECK_INT(counted(t, tables), 7);
    CHECK_INT(take(t, days, tables, 4, 10, &wait_s), DAYS_OVER);
    CHECK_INT(wait_s, 43200);
    CHECK_INT(counted(t, tables), 7); /* nothing is taken by what is refused */
    CHECK_OK(take(t, days, tables, 3, 10, &wait_s));
    CHECK_INT(take(t, days, tables, 1, 10, &wait_s), DAYS_OVER);
    CHECK_OK(take(t, days, tables, 0, 10, &wait_s));
    CHECK_OK(take(t, days, tables, 5, 15, &wait_s)); /* it was given more */
    CHECK_OK(take(t, days, tables, 1000, NO_LIMIT, &wait_s));
    CHECK_INT(counted(t, tables), 1015);
    test_advance(t, DAY_NS / 2);
    CHECK_INT(counted(t, tables), 0);
    CHECK_OK(take(t, days, tables, 10, 10, &wait_s));
    CHECK_INT(counted(t, tables), 10);
    days_free(&days);
    table_store_close(&tables);
}

TEST(what_was_not_used_is_used_next)
{
    struct table_store *tables = tables_of(t);
    set_noon(t);
    struct days *days = days_of(&t->clock);
    int64_t wait_s;
    CHECK_OK(take(t, days, tables, 8, 10, &wait_s));
    days_return(days, S("acme"), 8);
    CHECK_OK(take(t, days, tables, 6, 10, &wait_s));
    CHECK_INT(counted(t, tables), 8);
    CHECK_OK(take(t, days, tables, 4, 10, &wait_s));
    CHECK_INT(counted(t, tables), 10);
    days_return(days, S("nobody"), 8);
    test_advance(t, DAY_NS);
    days_return(days, S("acme"), 4); /* of yesterday */
    CHECK_OK(take(t, days, tables, 1, 10, &wait_s));
    CHECK_INT(counted(t, tables), 1);
    days_free(&days);
    table_store_close(&tables);
}

TEST(who_comes_often_writes_seldom_and_holds_no_more_than_said)
{
    struct table_store *tables = tables_of(t);
    set_noon(t);
    struct days *days = days_of(&t->clock);
    int64_t wait_s, number = 0, writes = 0;
    for (int64_t i = 1; i <= 1000; i++) { /* all in one second */
        CHECK_OK(take(t, days, tables, 3, NO_LIMIT, &wait_s));
        int64_t now = counted(t, tables);
        writes += now != number;
        number = now;
        CHECK(number >= 3 * i && number <= 3 * (2 * i + 1));
    }
    CHECK(writes >= 8 && writes < 24);
    test_advance(t, PX_NS_PER_S);
    CHECK_OK(
        take(t, days, tables, number + 1 - 3000, NO_LIMIT, &wait_s)); /* one more than is held */
    CHECK_INT(counted(t, tables), number + 1);
    days_free(&days);
    table_store_close(&tables);
}

TEST(near_its_end_a_limit_is_shared_by_small_parts)
{
    struct table_store *tables = tables_of(t);
    set_noon(t);
    struct days *one = days_of(&t->clock), *other = days_of(&t->clock);
    int64_t wait_s, used = 0;
    while (take(t, one, tables, 1, 1000, &wait_s) == 0) used++;
    CHECK_INT(used, 1000); /* alone it gets all */
    test_advance(t, DAY_NS);
    for (used = 0; used < 900; used++) CHECK_OK(take(t, one, tables, 1, 1000, &wait_s));
    for (used = 900; take(t, other, tables, 1, 1000, &wait_s) == 0; used++) {}
    CHECK(used >= 1000 - 1000 / 16 && used <= 1000); /* but for what `one` holds */
    CHECK_INT(counted(t, tables), 1000);
    while (take(t, one, tables, 1, 1000, &wait_s) == 0) used++;
    CHECK_INT(used, 1000); /* and it still has that */
    days_free(&one);
    days_free(&other);
    table_store_close(&tables);
}

TEST(many_tenants_are_forgotten_and_counted_on)
{
    struct table_store *tables = tables_of(t);
    set_noon(t);
    struct days *days = days_of(&t->clock);
    int64_t wait_s;
    CHECK_OK(take(t, days, tables, 5, 9, &wait_s));
    for (uint32_t i = 0; i < DAYS_TENANTS_MAX; i++) { /* nothing is taken: nothing is written */
        struct px_str tenant = px_arena_printf(&t->arena, "t%u", i);
        const struct days_ask ask = {.tenant = tenant, .count = 0, .limit = 1};
        CHECK_OK(days_take(days, tables, &ask, &t->arena, &wait_s));
    }
    CHECK_INT(take(t, days, tables, 5, 9, &wait_s), DAYS_OVER);
    CHECK_OK(take(t, days, tables, 4, 9, &wait_s));
    CHECK_INT(counted(t, tables), 9);
    days_free(&days);
    table_store_close(&tables);
}

/* ---- several processes ---- */

#define PROCESSES 4

static void count_used(struct test *t, _Atomic int64_t *used, int64_t limit)
{
    struct table_store *tables = NULL;
    struct days *days = days_of(&t->clock);
    int64_t wait_s;
    if (table_store_open(tables_url(t), NULL, &tables) != 0) _exit(1);
    for (;;) {
        int r = take(t, days, tables, 1, limit, &wait_s);
        if (r == DAYS_OVER) _exit(0);
        if (r == 0)
            (*used)++;
        else if (r != PX_F_BUSY)
            _exit(2);
    }
}

static pid_t start(struct test *t, _Atomic int64_t *used, int64_t limit)
{
    pid_t pid = fork();
    if (pid == 0) count_used(t, used, limit);
    CHECK(pid > 0);
    return pid;
}

static int64_t sum_of(_Atomic int64_t *used)
{
    int64_t sum = 0;
    for (int i = 0; i < PROCESSES; i++) sum += used[i];
    return sum;
}

TEST(processes_that_count_at_once_and_are_killed_never_overspend_nor_lose_count)
{
    int64_t limit = 2000, killed = 0;
    _Atomic int64_t *used = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                                 0);
    CHECK(used != MAP_FAILED);
    set_noon(t);
    struct table_store *tables = tables_of(t);
    pid_t pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) pids[i] = start(t, &used[i], limit);
    /* the others may use all of it before the first comes to anything */
    while (used[0] < 20 && sum_of(used) < limit / 2) CHECK(usleep(1000) == 0);
    CHECK_OK(kill(pids[0], SIGKILL));
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        CHECK_INT(waitpid(pids[i], &status, 0), pids[i]);
        killed += WIFSIGNALED(status);
        CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    }
    int64_t sum = sum_of(used);
    CHECK(killed <= 1);
    CHECK_INT(counted(t, tables), limit); /* all of it is taken */
    CHECK(sum <= limit);
    CHECK(sum >=
          limit - limit / 16 - 1); /* but for what the killed one held, and was about to use */
    if (killed == 0) CHECK_INT(sum, limit);
    table_store_close(&tables);
    CHECK_OK(munmap((void *)used, 4096));
}

TEST_MAIN
