/* Requests of a day: kept through restarts and kills, counted by several gateways together, never waited for. */
// link: px_region
#include "support/support.h"

#include "region/request_days.h"
#include "svc/quota/days.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define DAY_NS (86400 * PX_NS_PER_S)

struct gateway_half {
    struct buckets *buckets;
    struct request_days *days;
};

static const struct px_log quiet = {.fd = -1, .clock = &px_clock_system};

static void begin(struct test *t, struct gateway_half *it)
{
    struct px_str url = test_path(t, "tables.db");
    CHECK_OK(buckets_new(false, &it->buckets));
    CHECK_OK(request_days_new(url, &t->clock, &quiet, &it->days));
    request_days_turn(it->days, it->buckets);
}

static void end(struct gateway_half *it)
{
    request_days_free(&it->days, it->buckets);
    buckets_free(&it->buckets);
}

static struct buckets_spend spend_at(struct test *t)
{
    return (struct buckets_spend){.tenant = S("acme"),
                                  .own = S("{\"requests_per_day\":10}"),
                                  .mono_ns = t->now_ns,
                                  .wall_ns = t->now_ns};
}

static int ask(struct test *t, struct gateway_half *it, int count)
{
    struct quota_refusal refusal;
    const struct buckets_spend spend = spend_at(t);
    int served = 0;
    for (int i = 0; i < count; i++) served += buckets_take(it->buckets, &spend, &refusal) == 0;
    return served;
}

static int64_t left(struct test *t, struct gateway_half *it)
{
    struct quota_left items[BUCKETS_LEFT_MAX];
    const struct buckets_spend spend = spend_at(t);
    return buckets_left(it->buckets, &spend, items) == 1 ? items[0].left : -1;
}

/* Turns until it knows that so many are left. */
static void turn_until(struct test *t, struct gateway_half *it, int64_t wanted)
{
    while (left(t, it) != wanted) {
        request_days_turn(it->days, it->buckets);
        CHECK(usleep(1000) == 0);
    }
}

static int64_t written(struct test *t)
{
    PX_AUTO(table_store_close) struct table_store *tables = NULL;
    struct days_used used = {0};
    CHECK_OK(table_store_open(test_path(t, "tables.db"), NULL, &tables));
    int r = days_read(tables, &t->clock, S("requests"), S("acme"), &t->arena, &used);
    CHECK(r == 0 || r == DAYS_NONE);
    return r == 0 ? used.count : 0;
}

static void write_until(struct test *t, struct gateway_half *it, int64_t wanted)
{
    while (written(t) != wanted) {
        request_days_turn(it->days, it->buckets);
        CHECK(usleep(1000) == 0);
    }
}

/* Items expire by the machine's clock. */
static void set_noon(struct test *t)
{
    t->now_ns = px_wall_ns(&px_clock_system) / DAY_NS * DAY_NS + DAY_NS / 2;
}

TEST(gateways_count_a_day_together_and_go_on_after_a_restart)
{
    struct gateway_half one = {0}, other = {0};
    set_noon(t);
    begin(t, &one);
    begin(t, &other);
    CHECK_INT(ask(t, &one, 4), 4);
    write_until(t, &one, 4);
    CHECK_INT(ask(t, &other, 1), 1); /* of what it knows */
    turn_until(t, &other, 5);
    CHECK_INT(ask(t, &other, 9), 5);
    write_until(t, &other, 10);
    end(&other);
    end(&one);
    begin(t, &one);
    CHECK_INT(ask(t, &one, 1), 1); /* before its first turn; that is counted as well */
    turn_until(t, &one, 0);
    CHECK_INT(ask(t, &one, 3), 0);
    end(&one);
    CHECK_INT(written(t), 11);
    t->now_ns += DAY_NS;
    begin(t, &one);
    CHECK_INT(ask(t, &one, 12), 10);
    end(&one); /* writes what came last */
    CHECK_INT(written(t), 10);
}

TEST(a_gateway_that_is_killed_leaves_what_it_wrote)
{
    struct gateway_half it = {0};
    set_noon(t);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        begin(t, &it);
        if (ask(t, &it, 6) != 6) _exit(1);
        for (;;) {
            request_days_turn(it.days, it.buckets);
            (void)usleep(1000);
        }
    }
    while (written(t) != 6) CHECK(usleep(1000) == 0);
    CHECK_OK(kill(pid, SIGKILL));
    CHECK(waitpid(pid, NULL, 0) == pid);
    begin(t, &it);
    CHECK_INT(ask(t, &it, 1), 1);
    turn_until(t, &it, 3);
    end(&it);
}

TEST(without_tables_a_gateway_counts_by_itself_and_writes_when_they_are_back)
{
    struct gateway_half it = {0};
    struct px_str path = test_path(t, "tables.db");
    set_noon(t);
    CHECK_OK(mkdir(path.ptr, 0700)); /* it cannot be opened */
    begin(t, &it);
    CHECK_INT(ask(t, &it, 4), 4);
    for (int i = 0; i < 50; i++) {
        request_days_turn(it.days, it.buckets);
        CHECK(usleep(1000) == 0);
    }
    CHECK_INT(left(t, &it), 6);
    CHECK_INT(ask(t, &it, 3), 3);
    CHECK_OK(rmdir(path.ptr));
    write_until(t, &it, 7);
    CHECK_INT(ask(t, &it, 9), 3);
    end(&it);
    CHECK_INT(written(t), 10);
}

TEST_MAIN
