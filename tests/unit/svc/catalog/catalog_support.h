/* tests/unit/svc/catalog/catalog_support.h - an open catalog for a test, and sealings in one line.
 * On SQLite, or on PostgreSQL as store/postgres.h says. */
#pragma once

#include "store/postgres.h"
#include "support/support.h"

#include "svc/catalog/catalog.h"

#define SCHEMA_A "[{\"name\":\"time\",\"type\":\"time\"},{\"name\":\"a\",\"type\":\"int\"}]"
#define SCHEMA_AB                                                                                  \
    "[{\"name\":\"time\",\"type\":\"time\"},{\"name\":\"a\",\"type\":\"double\"},"                 \
    "{\"name\":\"b\",\"type\":\"string\"}]"

struct catalog_fixture {
    struct meta *meta;
    struct catalog *catalog;
};

__attribute__((unused)) static void fixture_open(struct test *t, struct catalog_fixture *fixture)
{
    CHECK_OK(meta_open(meta_url_make(t, "meta"), NULL, &fixture->meta));
    CHECK_OK(catalog_new(fixture->meta, &t->clock, &fixture->catalog));
}

__attribute__((unused)) static void fixture_close(struct catalog_fixture *fixture)
{
    catalog_free(&fixture->catalog);
    meta_close(&fixture->meta);
}

/* One segment of `rows` rows at [min, max] holding the frames (from, to] of a writer. */
struct one_sealing {
    const char *tenant, *dataset, *writer, *key, *schema;
    uint64_t from, to;
    int64_t rows, min_us, max_us;
};
__attribute__((unused)) static int seal_one(struct catalog *catalog, const struct one_sealing *one)
{
    const struct segment segment = {.key = px_str_c(one->key),
                                    .tier = TIER_SEGMENT,
                                    .time_min_us = one->min_us,
                                    .time_max_us = one->max_us,
                                    .rows = one->rows,
                                    .bytes = one->rows * 10,
                                    .schema_json = px_str_c(one->schema ? one->schema : SCHEMA_A),
                                    .stats_json = S("{}")};
    const struct seal_mark mark = {px_str_c(one->writer ? one->writer : "w1"), one->from, one->to};
    const struct catalog_sealing sealing = {
        .tenant = px_str_c(one->tenant ? one->tenant : "acme"),
        .dataset = px_str_c(one->dataset ? one->dataset : "logs"),
        .schema_json = segment.schema_json,
        .segments = &segment,
        .segment_count = 1,
        .marks = &mark,
        .mark_count = 1};
    return catalog_seal(catalog, &sealing);
}

__attribute__((unused)) static void read_all(struct test *t, struct catalog *catalog,
                                             struct catalog_snapshot *snapshot)
{
    CHECK_OK(
        catalog_read(catalog, S("acme"), S("logs"), INT64_MIN, INT64_MAX, &t->arena, snapshot));
}
