"""Databases of the release that had no kinds of steps yet (docs/design/catalog-schema.md)."""

MADE_BEFORE = """
CREATE TABLE migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL,applied_ns BIGINT NOT NULL);
INSERT INTO migrations VALUES(1,'datasets, segments, marks',1795766308842743693);
CREATE TABLE datasets ( tenant TEXT NOT NULL, name TEXT NOT NULL, version BIGINT NOT NULL, schema_json TEXT NOT NULL, retention_days BIGINT NOT NULL,
 created_ns BIGINT NOT NULL, dropped_ns BIGINT NOT NULL, PRIMARY KEY (tenant, name));
CREATE TABLE segments ( id BIGINT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, dataset TEXT NOT NULL, state BIGINT NOT NULL, object_key TEXT NOT NULL UNIQUE,
 tier BIGINT NOT NULL, time_min_us BIGINT NOT NULL, time_max_us BIGINT NOT NULL, row_count BIGINT NOT NULL, byte_count BIGINT NOT NULL,
 created_ns BIGINT NOT NULL, ended_ns BIGINT NOT NULL, reason TEXT NOT NULL, schema_json TEXT NOT NULL, stats_json TEXT NOT NULL);
CREATE TABLE marks ( tenant TEXT NOT NULL, dataset TEXT NOT NULL, writer TEXT NOT NULL, sealed_seq BIGINT NOT NULL, sealed_ns BIGINT NOT NULL,
 PRIMARY KEY (tenant, dataset, writer));
CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO counters VALUES('segment',0);
CREATE INDEX segments_by_dataset ON segments (tenant, dataset, state, time_max_us);
CREATE INDEX segments_by_end ON segments (state, ended_ns);
CREATE INDEX marks_by_age ON marks (sealed_ns);
"""
