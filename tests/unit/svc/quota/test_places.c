/* Places of queries: no more of a tenant than its limit are taken at once, by whichever processes, and none for longer than its query may
 * run, also of one that is killed. On SQLite by itself, on DynamoDB with PRISM_TEST_DYNAMODB. */
// link: px_svc_quota px_store px_aws
#include "svc/quota/quota_kit.h"

#include "svc/quota/places.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define S_NS PX_NS_PER_S
#define TWO "{\"concurrent_queries\":2}"

static struct places *places_of(struct test *t, struct ctx *ctx)
{
    struct places *places = NULL;
    const struct places_options options = {&t->clock, false, open_it, count_alone, ctx};
    CHECK_OK(places_new(&options, &places));
    return places;
}

static int enter(struct places *places, const char *tenant, const char *own, int64_t hold_ms)
{
    struct quota_refusal over = {0};
    const struct places_ask ask = {px_str_c(tenant), S("pooled"), px_str_c(own), hold_ms};
    int r = places_enter(places, &ask, &over);
    if (r != PLACES_OVER) return r;
    CHECK_STR(over.name, S("concurrent_queries"));
    CHECK_INT(over.window_s, 0);
    CHECK_INT(over.wait_s, 1);
    return r;
}

TEST(no_more_run_than_there_are_places_and_a_place_given_back_is_free)
{
    struct ctx ctx = {0};
    struct places *it[4];
    start_tables(t, &ctx);
    for (int i = 0; i < 4; i++) it[i] = places_of(t, &ctx);
    CHECK_OK(enter(it[0], "acme", TWO, 30000));
    CHECK_OK(enter(it[1], "acme", TWO, 30000));
    CHECK_INT(enter(it[2], "acme", TWO, 30000), PLACES_OVER);
    CHECK_OK(enter(it[3], "other", TWO, 30000)); /* has places of its own */
    places_leave(it[3]);
    for (int i = 0; i < 20; i++) { /* each in its turn, from whichever version of the item it saw */
        places_leave(it[i % 3]);
        CHECK_OK(enter(it[(i + 2) % 3], "acme", TWO, 30000));
        CHECK_INT(enter(it[i % 3], "acme", TWO, 30000), PLACES_OVER);
    }
    for (int i = 0; i < 4; i++) places_leave(it[i]);
    for (int i = 0; i < 2; i++) CHECK_OK(enter(it[i], "acme", TWO, 30000));
    CHECK_INT(ctx.alone, 0);
    for (int i = 0; i < 4; i++) places_free(&it[i]);
    table_store_close(&ctx.tables);
}

TEST(who_has_no_limit_costs_no_call_of_the_table)
{
    struct ctx ctx = {.away = true};
    struct places *places = places_of(t, &ctx);
    for (int i = 0; i < 10; i++) {
        CHECK_OK(enter(places, "acme", "", 1000));
        places_leave(places);
        CHECK_OK(enter(places, "acme", "{\"requests_per_s\":1}", 1000));
        places_leave(places);
    }
    CHECK_INT(enter(places, "acme", "{", 1000), PX_F_PROTOCOL);
    CHECK_INT(ctx.opened, 0);
    places_free(&places);
}

TEST(a_place_that_is_not_given_back_ends_by_itself)
{
    struct ctx ctx = {0};
    start_tables(t, &ctx);
    struct places *lost = places_of(t, &ctx), *next = places_of(t, &ctx);
    CHECK_OK(enter(lost, "acme", "{\"concurrent_queries\":1}", 30000));
    places_free(&lost); /* as of a process that is killed */
    test_advance(t, 29 * S_NS);
    CHECK_INT(enter(next, "acme", "{\"concurrent_queries\":1}", 30000), PLACES_OVER);
    test_advance(t, S_NS + 1);
    CHECK_OK(enter(next, "acme", "{\"concurrent_queries\":1}", 30000));
    places_leave(next);
    test_advance(t, 3600 * S_NS); /* whose clock is an hour ahead: nobody waits for that */
    CHECK_OK(enter(next, "acme", "{\"concurrent_queries\":1}", 30000));
    places_free(&next);
    t->now_ns -= 3600 * S_NS;
    next = places_of(t, &ctx);
    CHECK_OK(enter(next, "acme", "{\"concurrent_queries\":1}", 30000));
    places_free(&next);
    table_store_close(&ctx.tables);
}

TEST(without_the_tables_queries_are_let_in)
{
    struct ctx ctx = {.away = true};
    struct places *places = places_of(t, &ctx);
    for (int i = 0; i < 10; i++) {
        CHECK_OK(enter(places, "acme", TWO, 30000));
        places_leave(places);
    }
    CHECK_INT(ctx.opened, 1); /* it is not asked for each query */
    CHECK_INT(ctx.alone, 1);
    start_tables(t, &ctx);
    ctx.away = false;
    test_advance(t, PLACES_ALONE_S * S_NS);
    CHECK_OK(enter(places, "acme", "{\"concurrent_queries\":1}", 30000));
    struct places *other = places_of(t, &ctx);
    CHECK_INT(enter(other, "acme", "{\"concurrent_queries\":1}", 30000), PLACES_OVER);
    places_free(&places);
    places_free(&other);
    table_store_close(&ctx.tables);
}

TEST(the_most_places_of_a_tenant_fit_its_item)
{
    struct ctx ctx = {0};
    start_tables(t, &ctx);
    PX_AUTO(px_buf_deinit) struct px_buf document;
    px_buf_init(&document, 1 << 20);
    for (int i = 0; i < PLACES_MAX - 1; i++)
        px_buf_printf(&document, "%s\"%016x\":%lld", i ? "," : "{", i,
                      (long long)(t->now_ns + 60 * S_NS));
    px_buf_add_c(&document, "}");
    const struct table_put put = {.key = {S(DAYS_TABLE), S("acme"), S("places")},
                                  .document = px_buf_str(&document)};
    CHECK_OK(table_put(ctx.tables, &put, &t->arena, NULL, NULL));
    struct places *one = places_of(t, &ctx), *more = places_of(t, &ctx);
    CHECK_OK(enter(one, "acme", "{\"concurrent_queries\":100000}", 30000));
    CHECK_INT(enter(more, "acme", "{\"concurrent_queries\":100000}", 30000), PLACES_OVER);
    places_leave(one);
    CHECK_OK(enter(more, "acme", "{\"concurrent_queries\":100000}", 30000));
    CHECK_INT(ctx.alone, 0);
    places_free(&one);
    places_free(&more);
    table_store_close(&ctx.tables);
}

/* ---- several processes, killed at any moment ---- */

#define PROCESSES 5
#define HOLD_MS 20000 /* longer than a machine under load lets anybody sleep */
#define ROUNDS 3
static const char *const tenants[ROUNDS] = {"acme", "beta", "ceta"};
struct shared {
    _Atomic int running, most; /* of those that live: who is killed is taken off by who killed it */
    _Atomic int64_t total;
};

static void run_queries(struct test *t, struct shared *shared, const char *tenant)
{
    struct ctx ctx = {0};
    struct places *places = NULL;
    const struct table_options tables = {.busy_ms = 20000};
    const struct places_options options = {&px_clock_system, false, open_it, NULL, &ctx};
    if (table_store_open(tables_url(t), &tables, &ctx.tables) != 0) _exit(1);
    if (places_new(&options, &places) != 0) _exit(2);
    for (;;) {
        if (enter(places, tenant, TWO, HOLD_MS) != 0) {
            (void)usleep(500);
            continue;
        }
        int now = ++shared->running;
        if (now > shared->most) shared->most = now;
        shared->total++;
        (void)usleep(1000);
        shared->running--;
        places_leave(places);
    }
}

TEST(processes_that_are_killed_at_any_moment_take_no_more_than_there_are)
{
    struct ctx ctx = {0};
    pid_t pids[PROCESSES];
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    int64_t seen = 0;
    start_tables(t, &ctx);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PROCESSES; i++) {
            pids[i] = fork();
            if (pids[i] == 0) run_queries(t, shared, tenants[round]);
            CHECK(pids[i] > 0);
        }
        CHECK_OK(usleep((useconds_t)(200000 + rand() % 100000)));
        for (int i = 0; i < PROCESSES; i++) {
            CHECK_OK(kill(pids[i], SIGKILL));
            CHECK_INT(waitpid(pids[i], NULL, 0), pids[i]);
        }
        CHECK(shared->total > seen); /* each round got somewhere */
        seen = shared->total;
        shared->running = 0;
    }
    CHECK(shared->total > 0);
    CHECK(shared->most <= 2);
    print_message("%d processes, killed 3 times: %lld queries, at most %d at once\n", PROCESSES,
                  (long long)shared->total, shared->most);
    struct places *next = places_of(t, &ctx), *other = places_of(t, &ctx);
    t->now_ns = px_wall_ns(&px_clock_system) + HOLD_MS * PX_NS_PER_MS;
    CHECK_OK(enter(next, tenants[0], TWO, HOLD_MS));
    CHECK_OK(enter(other, tenants[0], TWO, HOLD_MS));
    places_free(&next);
    places_free(&other);
    table_store_close(&ctx.tables);
    CHECK_OK(munmap(shared, sizeof *shared));
}

TEST_MAIN
