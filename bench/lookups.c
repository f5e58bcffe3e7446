/* bench/lookups.c - catalog lookups on PostgreSQL, beside the same statements through libpq's blocking calls, taking turns.
 *
 *   lookups URL LIBPQ-URL [ROUNDS]   (20; a row of the table each: lookups a second, median of the rounds)
 *
 * bench/meta.py starts the server. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "svc/catalog/catalog.h"

#define SEGMENTS 200
#define VERSIONS 400 /* lookups of one turn */
#define SNAPSHOTS 40
#define ROUNDS_MAX 1000

struct bench {
    struct meta *meta;
    struct catalog *catalog;
    PGconn *conn;
    struct px_arena arena;
};

static void must(int result)
{
    char text[512];
    if (result == 0) return;
    fprintf(stderr, "lookups: %s\n", px_fault_text(result, text, sizeof text));
    exit(1);
}

static void die(const char *what)
{
    fprintf(stderr, "lookups: %s\n", what);
    exit(1);
}

static void fill(struct bench *bench)
{
    for (uint64_t i = 0; i < SEGMENTS; i++) {
        char key[40];
        (void)snprintf(key, sizeof key, "acme/logs/%llu.parquet", (unsigned long long)i);
        const struct segment segment = {
            .key = px_str_c(key),
            .tier = TIER_SEGMENT,
            .time_min_us = (int64_t)i,
            .time_max_us = (int64_t)i + 1,
            .rows = 1,
            .bytes = 1,
            .schema_json = S("[{\"name\":\"time\",\"type\":\"time\"}]"),
            .stats_json = S("{\"time\":{\"min\":1,\"max\":2,\"nulls\":0}}")};
        const struct seal_mark mark = {S("writer"), i, i + 1};
        const struct catalog_sealing sealing = {.tenant = S("acme"),
                                                .dataset = S("logs"),
                                                .schema_json = segment.schema_json,
                                                .segments = &segment,
                                                .segment_count = 1,
                                                .marks = &mark,
                                                .mark_count = 1};
        must(catalog_seal(bench->catalog, &sealing));
    }
}

/* ---- one lookup, by each ---- */

static void prism_version(struct bench *bench)
{
    int64_t version = 0;
    must(catalog_version(bench->catalog, S("acme"), S("logs"), &version));
    if (version != SEGMENTS) die("another version");
}

static void prism_snapshot(struct bench *bench)
{
    struct catalog_snapshot snapshot;
    px_arena_reset(&bench->arena);
    must(catalog_read(bench->catalog, S("acme"), S("logs"), INT64_MIN, INT64_MAX, &bench->arena,
                      &snapshot));
    if (snapshot.segment_count != SEGMENTS) die("another snapshot");
}

static const char *const names[] = {"acme", "logs"};

static void libpq_rows(PGresult *result, int rows)
{
    if (PQresultStatus(result) != PGRES_TUPLES_OK || (rows > 0 && PQntuples(result) != rows))
        die(PQresultErrorMessage(result));
    PQclear(result);
}

static void libpq_do(struct bench *bench, const char *sql)
{
    PGresult *result = PQexec(bench->conn, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) die(PQresultErrorMessage(result));
    PQclear(result);
}

static void libpq_ask(struct bench *bench, const char *sql, int rows)
{
    libpq_rows(PQexecParams(bench->conn, sql, 2, NULL, names, NULL, NULL, 1), rows);
}

static void libpq_version(struct bench *bench)
{
    libpq_ask(bench, "SELECT version FROM datasets WHERE tenant = $1 AND name = $2", 1);
}

static void libpq_prepared(struct bench *bench)
{
    libpq_rows(PQexecPrepared(bench->conn, "version", 2, names, NULL, NULL, 1), 1);
}

/* What catalog_read() asks for. */
static void libpq_snapshot(struct bench *bench)
{
    libpq_do(bench, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    libpq_ask(
        bench,
        "SELECT version, schema_json, dropped_ns FROM datasets WHERE tenant = $1 AND name = $2", 1);
    libpq_ask(bench,
              "SELECT count(*), coalesce(sum(CASE WHEN time_max_us >= -9223372036854775808 AND "
              "time_min_us < 9223372036854775807 THEN 1 ELSE 0 END), 0) FROM segments "
              "WHERE tenant = $1 AND dataset = $2 AND state = 1",
              1);
    libpq_ask(
        bench,
        "SELECT id, object_key, tier, time_min_us, time_max_us, row_count, byte_count, "
        "created_ns, schema_json, stats_json FROM segments WHERE tenant = $1 AND dataset = $2 AND "
        "state = 1 AND time_max_us >= -9223372036854775808 AND time_min_us < "
        "9223372036854775807 ORDER BY time_min_us, id",
        SEGMENTS);
    libpq_ask(bench, "SELECT count(*) FROM marks WHERE tenant = $1 AND dataset = $2", 1);
    libpq_ask(
        bench,
        "SELECT writer, sealed_seq FROM marks WHERE tenant = $1 AND dataset = $2 ORDER BY writer",
        1);
    libpq_do(bench, "COMMIT");
}

/* ---- turns ---- */

struct contestant {
    const char *name;
    void (*lookup)(struct bench *bench);
    int lookups;
    const char *against; /* the name of who it is compared with */
    double per_s[ROUNDS_MAX];
};
static struct contestant contestants[] = {
    {"dataset version: libpq alone", libpq_version, VERSIONS, NULL, {0}},
    {"dataset version: libpq alone, prepared",
     libpq_prepared,
     VERSIONS,
     "dataset version: libpq alone",
     {0}},
    {"dataset version: Prism", prism_version, VERSIONS, "dataset version: libpq alone", {0}},
    {"snapshot of 200 segments: libpq alone", libpq_snapshot, SNAPSHOTS, NULL, {0}},
    {"snapshot of 200 segments: Prism",
     prism_snapshot,
     SNAPSHOTS,
     "snapshot of 200 segments: libpq alone",
     {0}},
};

static double turn(struct bench *bench, const struct contestant *contestant)
{
    int64_t begin_ns = px_mono_ns(&px_clock_system);
    for (int i = 0; i < contestant->lookups; i++) contestant->lookup(bench);
    return contestant->lookups * 1e9 / (double)(px_mono_ns(&px_clock_system) - begin_ns);
}

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static double median_of(const char *name, int rounds)
{
    for (size_t i = 0; i < PX_COUNT(contestants); i++)
        if (strcmp(contestants[i].name, name) == 0) return contestants[i].per_s[rounds / 2];
    return 0;
}

static void print_table(int rounds)
{
    printf("| lookup | a second | us each | x libpq alone |\n|---|---|---|---|\n");
    for (size_t i = 0; i < PX_COUNT(contestants); i++) {
        const struct contestant *c = &contestants[i];
        double own = c->per_s[rounds / 2];
        double other = c->against ? median_of(c->against, rounds) : own;
        printf("| %s | %.0f | %.0f | %.2f |\n", c->name, own, 1e6 / own, own / other);
    }
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    if (argc < 3) die("usage: lookups URL LIBPQ-URL [ROUNDS]");
    int64_t given = 20;
    if (argc > 3 && !px_str_to_i64(px_str_c(argv[3]), &given)) given = 0;
    if (given < 1 || given > ROUNDS_MAX) die("1 to 1000 rounds");
    int rounds = (int)given;
    px_arena_init(&bench.arena, (size_t)64 << 20);
    must(meta_open(px_str_c(argv[1]), NULL, &bench.meta));
    must(catalog_new(bench.meta, &px_clock_system, &bench.catalog));
    bench.conn = PQconnectdb(argv[2]);
    if (PQstatus(bench.conn) != CONNECTION_OK) die(PQerrorMessage(bench.conn));
    fill(&bench);
    libpq_do(
        &bench,
        "PREPARE version (text, text) AS SELECT version FROM datasets WHERE tenant = $1 AND name = $2");
    for (int round = -1; round < rounds; round++) /* the first warms up */
        for (size_t i = 0; i < PX_COUNT(contestants); i++) {
            double per_s = turn(&bench, &contestants[i]);
            if (round >= 0) contestants[i].per_s[round] = per_s;
        }
    for (size_t i = 0; i < PX_COUNT(contestants); i++)
        qsort(contestants[i].per_s, (size_t)rounds, sizeof(double), by_size);
    print_table(rounds);
    PQfinish(bench.conn);
    catalog_free(&bench.catalog);
    meta_close(&bench.meta);
    px_arena_deinit(&bench.arena);
    return 0;
}
