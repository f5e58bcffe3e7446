/* svc/catalog/catalog_schema.c - the tables, as numbered steps (docs/design/catalog-schema.md).
 *
 * Keep to the dialect of store/meta.h: the same text runs on SQLite and PostgreSQL. Identifiers are
 * given out by `counters`, because neither system's own way of numbering is understood by the other;
 * an id is never used twice, so a compaction that holds an old id can never hit another segment. */
#include "svc/catalog/catalog_internal.h"

static const char tables_1[] =
    "CREATE TABLE datasets ("
    " tenant TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " version BIGINT NOT NULL,"
    " schema_json TEXT NOT NULL,"
    " retention_days BIGINT NOT NULL,"
    " created_ns BIGINT NOT NULL,"
    " dropped_ns BIGINT NOT NULL," /* 0: in use */
    " PRIMARY KEY (tenant, name));"
    "CREATE TABLE segments ("
    " id BIGINT NOT NULL PRIMARY KEY,"
    " tenant TEXT NOT NULL,"
    " dataset TEXT NOT NULL,"
    " state BIGINT NOT NULL,"
    " object_key TEXT NOT NULL UNIQUE,"
    " tier BIGINT NOT NULL,"
    " time_min_us BIGINT NOT NULL,"
    " time_max_us BIGINT NOT NULL,"
    " row_count BIGINT NOT NULL,"
    " byte_count BIGINT NOT NULL,"
    " created_ns BIGINT NOT NULL,"
    " ended_ns BIGINT NOT NULL," /* when it became dead or was set aside; 0 while live */
    " reason TEXT NOT NULL,"     /* why it was set aside */
    " schema_json TEXT NOT NULL,"
    " stats_json TEXT NOT NULL);"
    "CREATE INDEX segments_by_dataset ON segments (tenant, dataset, state, time_max_us);"
    "CREATE INDEX segments_by_end ON segments (state, ended_ns);"
    "CREATE TABLE marks ("
    " tenant TEXT NOT NULL,"
    " dataset TEXT NOT NULL,"
    " writer TEXT NOT NULL,"
    " sealed_seq BIGINT NOT NULL,"
    " sealed_ns BIGINT NOT NULL,"
    " PRIMARY KEY (tenant, dataset, writer));"
    "CREATE INDEX marks_by_age ON marks (sealed_ns);"
    "CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);"
    "INSERT INTO counters (name, value) VALUES ('segment', 0);";

/* Without its counter no segment gets an id. */
static const char tables_1_left[] = "SELECT 1 - count(*) FROM counters WHERE name = 'segment'";

/* What was run stood there before steps had kinds. Functions of that time look for it, and do not say what they know. */
static const char old_ledger_2[] = "DROP TABLE IF EXISTS migrations;";

/* How long rows stay where their dataset's own days (datasets.retention_days) do not say. dataset '': of all of a tenant's.
 * Functions of before do not look here. */
static const char retention_3[] =
    "CREATE TABLE retention ("
    " tenant TEXT NOT NULL,"
    " dataset TEXT NOT NULL,"
    " days BIGINT NOT NULL,"     /* 0: not said */
    " rules_json TEXT NOT NULL," /* '': none */
    " changed_ns BIGINT NOT NULL,"
    " PRIMARY KEY (tenant, dataset));"
    /* Which rules this segment's rows were held against; '': none. */
    "ALTER TABLE segments ADD COLUMN rules_done TEXT NOT NULL DEFAULT '';";

static const struct migrate_step steps[] = {
    {.number = 1,
     .kind = MIGRATE_EXPAND,
     .name = "datasets, segments, marks",
     .sql = tables_1,
     .left = tables_1_left},
    {.number = 2,
     .kind = MIGRATE_CONTRACT,
     .name = "the list of steps of before",
     .sql = old_ledger_2,
     .unused_since = 2,
     .unsaid = true},
    {.number = 3,
     .kind = MIGRATE_EXPAND,
     .name = "retention of tenants and by attribute",
     .sql = retention_3},
};
const struct migrate_list catalog_migrations = {steps, PX_COUNT(steps), 3};
