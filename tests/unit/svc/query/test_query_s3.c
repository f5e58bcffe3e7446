/* Queries over segments in S3: how much of them is read. It needs an S3: tests/sys/test_query_s3.py, which
 * also runs test_query.c there. */
#include "aws/relay.h"
#include "svc/query/query_kit.h"

#define ROWS 20000
#define COLUMNS 12

/* Text that does not compress, in COLUMNS columns beside time, n and body. */
static void wide_rows(struct kit *kit, struct px_str dataset)
{
    PX_AUTO(batch_free) struct batch *batch = kit_batch();
    for (int64_t n = 0; n < ROWS; n++) {
        kit_row(batch, n);
        for (int c = 0; c < COLUMNS; c++) {
            unsigned char raw[16];
            char name[16], hex[33];
            px_random(raw, sizeof raw);
            px_hex(raw, sizeof raw, hex);
            (void)snprintf(name, sizeof name, "c%d", c);
            CHECK_OK(batch_put_str(batch, px_str_c(name), px_str(hex, 32)));
        }
        CHECK_OK(batch_row_end(batch));
    }
    kit_append(kit, dataset, batch);
}

#define OTHER_BYTES_MAX                                                                            \
    150000 /* heads of answers and the catalog's replies; pages of the catalog */

/* What came through the relay. The answer's cost says the same, but for heads on the one side and what was
 * read from the catalog's file on the other. */
static uint64_t bytes_of(struct test *t, struct kit *kit, struct relay *relay, const char *sql,
                         const char *want)
{
    uint64_t before = relay->bytes;
    struct px_str got = kit_value(t, kit, sql);
    uint64_t came = relay->bytes - before;
    if (want) CHECK_STR(got, px_str_c(want));
    const char *cost = strstr(kit->headers, "bytes_scanned=");
    CHECK(cost);
    uint64_t told = strtoull(cost + strlen("bytes_scanned="), NULL, 10);
    if (told + OTHER_BYTES_MAX < came || told > came + OTHER_BYTES_MAX)
        TEST_FAIL("%s\n  brought %llu bytes, and its cost says %llu", sql, (unsigned long long)came,
                  (unsigned long long)told);
    print_message("%s: %llu came, %llu told\n", sql, (unsigned long long)came,
                  (unsigned long long)told);
    return came;
}

/* What stands between DuckDB and S3. The store's endpoint is the relay from here on. */
struct between {
    struct relay relay;
    struct px_str before;
};
static void between_start(struct test *t, struct between *between)
{
    const char *endpoint = getenv("AWS_ENDPOINT_URL_S3");
    const char *port = endpoint ? strrchr(endpoint, ':') : NULL;
    CHECK(port);
    between->before = px_arena_dup(&t->arena, px_str_c(endpoint));
    relay_start(&between->relay, (uint16_t)strtoul(port + 1, NULL, 10));
    struct px_str url = px_arena_printf(&t->arena, "http://127.0.0.1:%d", between->relay.port);
    CHECK_INT(setenv("AWS_ENDPOINT_URL_S3", url.ptr, 1), 0);
}
static void between_stop(struct between *between)
{
    relay_stop(&between->relay);
    CHECK_INT(setenv("AWS_ENDPOINT_URL_S3", between->before.ptr, 1), 0);
}

TEST(a_query_reads_the_columns_that_it_names_and_those_once)
{
    if (!on_s3()) {
        print_message("PRISM_TEST_S3 is not set\n");
        return;
    }
    struct between between;
    between_start(t, &between);
    struct relay *relay = &between.relay;
    struct kit kit;
    kit_init(t, &kit, NULL);
    wide_rows(&kit, S("logs"));
    kit_seal(t, &kit, S("logs"), false);
    struct object_info *infos = NULL;
    size_t count = 0;
    CHECK_OK(object_list(kit.segments, S("acme/"), S(""), 10, &t->arena, &infos, &count));
    CHECK_INT(count, 1);
    uint64_t whole = infos[0].bytes;
    CHECK(whole > 5000000);

    uint64_t counted = bytes_of(t, &kit, relay, "SELECT count(*) FROM logs", "20000");
    uint64_t one = bytes_of(t, &kit, relay, "SELECT sum(n) FROM logs", "199990000");
    uint64_t again = bytes_of(t, &kit, relay, "SELECT sum(n), min(n) FROM logs", "199990000,0");
    uint64_t text = bytes_of(t, &kit, relay, "SELECT max(length(c3)) FROM logs", "32");
    uint64_t all = bytes_of(t, &kit, relay, "SELECT bit_xor(hash(COLUMNS(*))) FROM logs", NULL);
    print_message("object %llu; count %llu, n %llu, n again %llu, c3 %llu, all %llu\n",
                  (unsigned long long)whole, (unsigned long long)counted, (unsigned long long)one,
                  (unsigned long long)again, (unsigned long long)text, (unsigned long long)all);
    CHECK(counted < whole / 20); /* the footer */
    CHECK(one < whole / 10);
    CHECK(again < whole / 100);
    CHECK(text > whole / 20 && text < whole / 6);
    CHECK(all < whole + whole / 10);
    kit_free(&kit);
    between_stop(&between);
}

/* ---- copies ---- */

#define SEGMENTS 20

static void ask(struct test *t, struct kit *kit, const struct relay *relay, const char *tenant,
                const char *what, uint64_t *ret_requests)
{
    uint64_t before = relay->requests;
    int64_t begin = px_mono_ns(&px_clock_system);
    kit->tenant = px_str_c(tenant);
    CHECK_STR(kit_value(t, kit, "SELECT sum(n) FROM logs"), S("1999000"));
    *ret_requests = relay->requests - before;
    print_message("%s, %s: %llu requests, %.1f ms\n", what, tenant,
                  (unsigned long long)*ret_requests,
                  (double)(px_mono_ns(&px_clock_system) - begin) / 1e6);
}

/* Two tenants ask by turns, each with SEGMENTS small segments: requests of their first, second and, after the other,
 * third query. */
static void take_turns(struct test *t, struct between *between, uint64_t copy_bytes_max,
                       const char *what, const char *const tenants[2], uint64_t requests[3])
{
    struct kit kit;
    const struct query_limits limits = {.copy_bytes_max = copy_bytes_max};
    kit_init(t, &kit, &limits);
    for (size_t i = 0; i < 2; i++) {
        kit.tenant = px_str_c(tenants[i]);
        for (int n = 0; n < SEGMENTS; n++) {
            kit_lines(&kit, S("logs"), n * 100, 100);
            kit_seal(t, &kit, S("logs"), false);
        }
    }
    uint64_t other;
    ask(t, &kit, &between->relay, tenants[0], what, &requests[0]);
    ask(t, &kit, &between->relay, tenants[0], what, &requests[1]);
    ask(t, &kit, &between->relay, tenants[1], what, &other);
    ask(t, &kit, &between->relay, tenants[0], what, &requests[2]);
    kit_free(&kit);
}

TEST(small_objects_are_got_once_whoever_asks_between)
{
    if (!on_s3()) {
        print_message("PRISM_TEST_S3 is not set\n");
        return;
    }
    struct between between;
    uint64_t without[3], with[3];
    between_start(t, &between);
    take_turns(t, &between, 1, "without copies", (const char *const[]){"acme", "beta"}, without);
    take_turns(t, &between, 0, "with copies", (const char *const[]){"gamma", "delta"}, with);
    CHECK(without[0] >= 2 * SEGMENTS && without[2] >= 2 * SEGMENTS && without[1] == 0);
    CHECK_INT(with[0], SEGMENTS);
    CHECK_INT(with[1], 0);
    CHECK_INT(with[2], 0);
    between_stop(&between);
}

TEST_MAIN
