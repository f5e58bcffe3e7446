/* Rates: what several processes give a tenant together stays within the bound of docs/design/quotas.md, whoever asks at once, is killed
 * or cannot reach the tables. On SQLite by itself, on DynamoDB with PRISM_TEST_DYNAMODB. */
// link: px_svc_quota px_store px_aws
#include "svc/quota/quota_kit.h"

#include "svc/quota/rates.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define MS PX_NS_PER_MS
#define S_NS PX_NS_PER_S

static struct rates *rates_of(struct test *t, struct ctx *ctx, bool tiers)
{
    struct rates *rates = NULL;
    const struct rates_options options = {&t->clock, tiers, open_it, count_alone, ctx};
    CHECK_OK(rates_new(&options, &rates));
    return rates;
}

static int take(struct rates *rates, const char *own, uint64_t bytes, struct quota_refusal *over)
{
    const struct rates_ask ask = {S("acme"), S("pooled"), px_str_c(own), bytes};
    return rates_take(rates, &ask, over);
}

/* The bucket as it stands in the table; 0: nothing does. */
static int64_t full_in(struct test *t, struct table_store *tables, const char *member)
{
    struct table_item item;
    yyjson_val *root = NULL;
    const struct table_key key = {S(DAYS_TABLE), S("acme"), S("rates")};
    int r = table_get(tables, &key, &t->arena, &item);
    if (r == TABLE_ABSENT) return 0;
    CHECK_OK(r);
    CHECK_OK(px_json_parse(item.document, &t->arena, &root, NULL));
    return px_json_i64(root, member, -1);
}

TEST(a_burst_then_the_rate_and_what_is_refused_costs_nothing)
{
    struct ctx ctx = {0};
    start_tables(t, &ctx);
    struct rates *rates = rates_of(t, &ctx, false);
    const char *own = "{\"requests_per_s\":2,\"requests_burst\":3}";
    struct quota_refusal over;
    for (int i = 0; i < 3; i++) CHECK_OK(take(rates, own, 0, &over));
    for (int i = 0; i < 9; i++) CHECK_INT(take(rates, own, 0, &over), RATES_OVER);
    CHECK_STR(over.name, S("requests_per_s"));
    CHECK_INT(over.limit, 2);
    CHECK_INT(over.window_s, 1);
    CHECK_INT(over.wait_s, 1);
    for (int i = 0; i < 6; i++) {
        test_advance(t, S_NS / 2);
        CHECK_OK(take(rates, own, 0, &over));
        CHECK_INT(take(rates, own, 0, &over), RATES_OVER);
    }
    test_advance(t, 100 * S_NS); /* and its item has expired, or not */
    for (int i = 0; i < 3; i++) CHECK_OK(take(rates, own, 0, &over));
    CHECK_INT(take(rates, own, 0, &over), RATES_OVER);
    CHECK_INT(ctx.opened, 1);
    CHECK_INT(ctx.alone, 0);
    rates_free(&rates);
    table_store_close(&ctx.tables);
}

TEST(who_has_no_number_of_its_own_costs_no_call_of_the_table)
{
    struct ctx ctx = {.away = true};
    struct rates *own = rates_of(t, &ctx, false), *tiers = rates_of(t, &ctx, true);
    struct quota_refusal over;
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(take(own, "", 1u << 30, &over));
        CHECK_OK(take(own, "{\"records_per_day\":1,\"requests_burst\":1}", 1u << 30, &over));
        CHECK_OK(take(tiers, "", 0, &over));
    }
    CHECK_OK(take(tiers, "", 1u << 30, &over)); /* what its tier says of bytes holds here */
    CHECK_INT(take(tiers, "", 1, &over), RATES_OVER);
    CHECK_STR(over.name, S("bytes_per_s"));
    CHECK_INT(over.wait_s, 32); /* 1 GiB at 32 MiB a second, and one second's worth may be owed */
    CHECK_OK(take(tiers, "", 0, &over));
    CHECK_INT(take(own, "{", 0, &over), PX_F_PROTOCOL);
    CHECK_INT(ctx.opened, 0);
    rates_free(&own);
    rates_free(&tiers);
}

TEST(a_body_is_owed_whole)
{
    struct ctx ctx = {0};
    start_tables(t, &ctx);
    struct rates *one = rates_of(t, &ctx, false), *other = rates_of(t, &ctx, false);
    const char *own = "{\"bytes_per_s\":2000}";
    struct quota_refusal over;
    CHECK_OK(take(one, own, 20000, &over));
    CHECK_INT(take(other, own, 1, &over), RATES_OVER);
    CHECK_STR(over.name, S("bytes_per_s"));
    CHECK_INT(over.wait_s, 10);
    CHECK_OK(take(other, own, 0, &over)); /* no body: nothing of it is asked */
    test_advance(t, 8 * S_NS);
    CHECK_INT(take(other, own, 1, &over), RATES_OVER);
    test_advance(t, 2 * S_NS);
    CHECK_OK(take(other, own, 1, &over));
    rates_free(&one);
    rates_free(&other);
    table_store_close(&ctx.tables);
}

/* ---- the bound ---- */

#define INSTANCES 4
#define RATE 800
#define LEASE (RATE / RATES_AHEAD_PART)
#define DEPTH (RATE / 4) /* of a burst of 1: two leases */
#define OWN "{\"requests_per_s\":800,\"requests_burst\":1}"
#define TICKS 5000

/* Each millisecond an instance gets so many requests. In ret_served: of each millisecond. Returns how many writes there were. */
static int64_t drive(struct test *t, int per_tick, int64_t ret_served[TICKS])
{
    struct ctx ctx = {0};
    struct rates *rates[INSTANCES];
    struct quota_refusal over;
    int64_t writes = 0, full_ns = 0;
    start_tables(t, &ctx);
    for (int i = 0; i < INSTANCES; i++) rates[i] = rates_of(t, &ctx, false);
    for (int tick = 0; tick < TICKS; tick++) {
        ret_served[tick] = 0;
        for (int i = 0; i < per_tick; i++)
            ret_served[tick] += take(rates[(i + tick) % INSTANCES], OWN, 0, &over) == 0;
        int64_t now_ns = full_in(t, ctx.tables, "requests");
        writes += now_ns != full_ns;
        full_ns = now_ns;
        px_arena_reset(&t->arena);
        test_advance(t, MS);
    }
    CHECK_INT(ctx.alone, 0);
    for (int i = 0; i < INSTANCES; i++) rates_free(&rates[i]);
    table_store_close(&ctx.tables);
    return writes;
}

static int64_t most_of_a_second(const int64_t served[TICKS])
{
    int64_t most = 0, sum = 0;
    for (int tick = 0; tick < TICKS; tick++) {
        sum += served[tick] - (tick >= 1000 ? served[tick - 1000] : 0);
        most = PX_MAX(most, sum);
    }
    return most;
}

TEST(over_its_rate_a_tenant_gets_it_in_any_second_and_no_more_than_a_lease_of_each_instance_besides)
{
    static int64_t served[TICKS];
    int64_t total = 0, writes = drive(t, 8, served);
    for (int tick = 0; tick < TICKS; tick++) total += served[tick];
    print_message("%d a second, %d instances: at most %lld in one, %lld in %d ms, %lld writes\n",
                  RATE, INSTANCES, (long long)most_of_a_second(served), (long long)total, TICKS,
                  (long long)writes);
    CHECK(most_of_a_second(served) <= RATE + DEPTH + INSTANCES * LEASE);
    CHECK(most_of_a_second(served) >= RATE);
    CHECK(total <= DEPTH + RATE * TICKS / 1000);
    CHECK(total >= RATE * TICKS / 1000 * 95 / 100); /* and nothing is lost between them */
    CHECK(writes <= 16 * INSTANCES * TICKS / 1000);
}

TEST(below_its_rate_a_tenant_is_never_refused)
{
    struct ctx ctx = {0};
    struct rates *rates[INSTANCES];
    struct quota_refusal over;
    start_tables(t, &ctx);
    for (int i = 0; i < INSTANCES; i++) rates[i] = rates_of(t, &ctx, false);
    for (int i = 0; i < 2100; i++) { /* 700 a second, each by another instance */
        CHECK_OK(take(rates[i % INSTANCES], OWN, 0, &over));
        test_advance(t, S_NS / 700);
    }
    for (int i = 0; i < 400; i++) { /* 40 a second, likewise */
        CHECK_OK(take(rates[i % INSTANCES], OWN, 0, &over));
        test_advance(t, S_NS / 40);
    }
    for (int i = 0; i < INSTANCES; i++) rates_free(&rates[i]);
    table_store_close(&ctx.tables);
}

TEST(a_lease_is_given_up_when_it_is_old)
{
    struct ctx ctx = {0};
    start_tables(t, &ctx);
    struct rates *rates = rates_of(t, &ctx, false);
    struct quota_refusal over;
    for (int i = 0; i < 50; i++) CHECK_OK(take(rates, OWN, 0, &over));
    int64_t full_ns = full_in(t, ctx.tables, "requests");
    CHECK(full_ns - t->now_ns > 50 * S_NS / RATE); /* it holds some */
    CHECK_OK(take(rates, OWN, 0, &over));
    CHECK_INT(full_in(t, ctx.tables, "requests"), full_ns);
    test_advance(t, RATES_LEASE_S * S_NS + 1);
    CHECK_OK(take(rates, OWN, 0, &over));
    CHECK(full_in(t, ctx.tables, "requests") > full_ns);
    rates_free(&rates);
    table_store_close(&ctx.tables);
}

/* ---- what goes wrong ---- */

TEST(without_the_tables_an_instance_holds_the_rate_by_itself)
{
    struct ctx ctx = {.away = true};
    struct rates *rates = rates_of(t, &ctx, false);
    const char *own = "{\"requests_per_s\":10,\"requests_burst\":20}";
    struct quota_refusal over;
    int served = 0;
    for (int i = 0; i < 100; i++) served += take(rates, own, 0, &over) == 0;
    CHECK_INT(served, 20);
    for (int i = 0; i < 40; i++) { /* four seconds */
        test_advance(t, S_NS / 10);
        served += take(rates, own, 0, &over) == 0;
    }
    CHECK_INT(served, 60);
    CHECK_INT(ctx.opened, 1); /* it is not asked for each request */
    CHECK_INT(ctx.alone, 1);
    start_tables(t, &ctx);
    ctx.away = false;
    test_advance(t, RATES_ALONE_S * S_NS);
    CHECK_OK(take(rates, own, 0, &over));
    CHECK_INT(ctx.opened, 2);
    CHECK_INT(full_in(t, ctx.tables, "requests"), t->now_ns + S_NS / 10);
    rates_free(&rates);
    table_store_close(&ctx.tables);
}

TEST(nobody_waits_for_a_wrong_clock_or_other_limits)
{
    struct ctx ctx = {0};
    struct quota_refusal over;
    start_tables(t, &ctx);
    struct rates *ahead = rates_of(t, &ctx, false), *right = rates_of(t, &ctx, false);
    const char *own = "{\"requests_per_s\":10,\"bytes_per_s\":1000000}";
    test_advance(t, 3600 * S_NS); /* its clock is an hour ahead */
    CHECK_OK(take(ahead, own, 1000, &over));
    t->now_ns -= 3600 * S_NS;
    CHECK_INT(take(right, own, 1000, &over), RATES_OVER);
    test_advance(t, S_NS + 1);
    CHECK_OK(take(right, own, 0, &over)); /* a full bucket's time later */
    test_advance(t, 68 * S_NS);           /* the largest body's */
    CHECK_OK(take(right, own, 1000, &over));
    for (int i = 0; i < 100; i++) /* with other limits so much may be owed */
        CHECK_OK(take(right, "{\"requests_per_s\":1,\"requests_burst\":1000000}", 0, &over));
    CHECK_INT(take(right, own, 0, &over), RATES_OVER);
    test_advance(t, S_NS);
    CHECK_OK(take(right, own, 0, &over));
    rates_free(&ahead);
    rates_free(&right);
    table_store_close(&ctx.tables);
}

/* ---- several processes, killed at any moment ---- */

#define BINS 4096
#define BIN_NS (10 * MS)
struct shared {
    _Atomic int64_t served[BINS]; /* of each hundredth of a second */
    _Atomic int64_t total;
    int64_t begin_ns;
};

static void flood(struct test *t, struct shared *shared)
{
    struct ctx ctx = {0};
    struct rates *rates = NULL;
    struct quota_refusal over;
    const struct table_options tables = {.busy_ms = 20000};
    const struct rates_options options = {&px_clock_system, false, open_it, NULL, &ctx};
    if (table_store_open(tables_url(t), &tables, &ctx.tables) != 0) _exit(1);
    if (rates_new(&options, &rates) != 0) _exit(2);
    for (;;) {
        int64_t bin = (px_mono_ns(&px_clock_system) - shared->begin_ns) / BIN_NS;
        if (bin >= BINS) _exit(3);
        if (take(rates, OWN, 0, &over) != 0) {
            (void)usleep(200);
            continue;
        }
        shared->served[bin]++;
        shared->total++;
    }
}

static pid_t start(struct test *t, struct shared *shared)
{
    pid_t pid = fork();
    if (pid == 0) flood(t, shared);
    CHECK(pid > 0);
    return pid;
}

static void end(pid_t pid)
{
    int status;
    CHECK_OK(kill(pid, SIGKILL));
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status)); /* it had not ended by itself */
}

TEST(processes_that_are_killed_at_any_moment_stay_within_the_bound_and_lock_nobody_out)
{
    struct ctx ctx = {0};
    pid_t pids[INSTANCES];
    size_t bytes = sizeof(struct shared);
    int started = INSTANCES;
    struct shared *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                                 -1, 0);
    CHECK(shared != MAP_FAILED);
    start_tables(t, &ctx);
    shared->begin_ns = px_mono_ns(&px_clock_system);
    for (int i = 0; i < INSTANCES; i++) pids[i] = start(t, shared);
    for (int i = 0; i < 12; i++) { /* two to three seconds */
        CHECK_OK(usleep((useconds_t)(100000 + rand() % 200000)));
        end(pids[i % INSTANCES]);
        pids[i % INSTANCES] = start(t, shared);
        started++;
    }
    for (int i = 0; i < INSTANCES; i++) end(pids[i]);
    int64_t ran_ns = px_mono_ns(&px_clock_system) - shared->begin_ns;
    CHECK(shared->total > 0);
    CHECK(shared->total <= DEPTH + RATE * ran_ns / S_NS + 1);
    int64_t sum = 0, most = 0;
    for (int bin = 0; bin < BINS; bin++) {
        most = PX_MAX(most, sum);
        sum += shared->served[bin] - (bin >= 100 ? shared->served[bin - 100] : 0);
        /* one lease that each has, and one that it is just taking */
        CHECK(sum <= RATE + DEPTH + 2 * started * LEASE);
    }
    print_message("%d processes, %d killed: at most %lld in a second, %lld in %lld ms\n", INSTANCES,
                  started, (long long)most, (long long)shared->total, (long long)(ran_ns / MS));
    t->now_ns = px_wall_ns(&px_clock_system);
    CHECK(full_in(t, ctx.tables, "requests") - t->now_ns <= S_NS / 4); /* no more than it holds */
    test_advance(t, S_NS / 4);
    struct rates *next = rates_of(t, &ctx, false);
    struct quota_refusal over;
    CHECK_OK(take(next, OWN, 0, &over));
    rates_free(&next);
    table_store_close(&ctx.tables);
    CHECK_OK(munmap(shared, bytes));
}

TEST_MAIN
