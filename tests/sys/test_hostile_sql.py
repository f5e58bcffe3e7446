"""A tenant whose SQL reaches for files, others and the machine; others go on meanwhile."""

import os
import threading

import pytest
import requests

from conftest import Region
from region_kit import wait


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Limits that bombs reach soon."""
    r = Region(tmp_path_factory.mktemp("hostile") / "data",
               env={"PRISM_QUERY_TIMEOUT_MS": "1000", "PRISM_QUERY_MEMORY_BYTES": str(150 << 20)}).up()
    r.acme, r.other = r.tenant("acme"), r.tenant("acme_2")
    rows = [{"time": "2026-11-20T10:00:00Z", "n": i, "body": f"mine {i}"} for i in range(50)]
    r.ingest("logs", rows, key=r.acme)
    r.ingest("logs", [{"n": i, "body": f"SECRET {i}"} for i in range(70)], key=r.other)
    r.ingest("only_other", [{"n": 1, "body": "SECRET"}], key=r.other)
    r.run("tick", "seal")
    r.ingest("sealed_and_fresh", rows, key=r.acme)
    yield r
    assert r.one("SELECT count(*) FROM logs", key=r.other) == 70
    assert r.status()["phase"] == "serving"
    r.down()


REACHING = r"""
SELECT filename FROM logs
SELECT file_row_number, file_index FROM logs
SELECT rowid FROM logs
SELECT * FROM only_other
FROM (SUMMARIZE only_other)
SELECT * FROM acme_2.logs
SELECT * FROM "acme_2/logs"
SELECT * FROM "../acme_2/logs/x.parquet"
SELECT * FROM "ｌｏｇｓ"
SELECT * FROM "logs "
SELECT * FROM duckdb_views
SELECT * FROM pg_class
SELECT * FROM information_schema.tables
WITH a AS (WITH duckdb_tables AS (SELECT 1) SELECT 1) SELECT * FROM duckdb_tables
WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT * FROM x) SELECT * FROM duckdb_databases
SELECT 'logs'::regclass
SELECT CAST(NULL AS "read_text"('/etc/passwd'))
SELECT 'a' COLLATE "/etc/passwd"
SELECT abs(-1).getenv()
SELECT list_aggregate(['HOME'], 'getenv')
SELECT apply(['temp_directory'], x -> current_setting(x))
SELECT from_json('{"a":1}', '{"a":"read_text(''/etc/passwd'')"}')
SELECT * FROM range(1) t(x), LATERAL (SELECT * FROM read_text(x::VARCHAR))
SELECT * FROM query_table(['logs','only_other'])
SELECT * FROM query('FROM only_other')
SELECT * FROM sniff_csv('/etc/passwd')
SELECT * FROM parquet_full_metadata('*')
SELECT write_log('a')
SELECT * FROM enable_logging()
SELECT timezone('../../etc/passwd', now())
EXPLAIN ANALYZE SELECT * FROM logs
FROM (EXPLAIN SELECT 1)
PREPARE x AS SELECT 1
WITH x AS (COPY logs TO '/tmp/x') SELECT 1
WITH x AS (INSERT INTO logs VALUES (1)) SELECT 1
SELECT /* ' */ 1; COPY logs TO '/tmp/x' -- '
SHOW ALL TABLES
DESCRIBE
FROM logs AT (VERSION => 1)
SELECT body::INT FROM logs
SELECT nope FROM logs
SELECT nope FROM sealed_and_fresh
""".strip().splitlines()


@pytest.mark.parametrize("sql", REACHING)
def test_refused_without_a_word_about_the_inside(hostile, sql):
    answer = hostile.query(sql, key=hostile.acme)
    assert answer.status_code in (400, 404), answer.text
    for word in ("SECRET", str(hostile.data), "prism_hot", "read_parquet", "root:"):
        assert word not in answer.text


def test_what_shows_names_shows_the_tenants_own(hostile):
    for sql in ("SHOW TABLES", "FROM (SHOW TABLES)"):
        assert hostile.rows(sql, key=hostile.acme) == [["logs"], ["sealed_and_fresh"]]
    known = hostile.query("FROM nope", key=hostile.acme).json()["datasets"]
    assert known == ["logs", "sealed_and_fresh"]
    columns = [row[0] for row in hostile.rows("DESCRIBE logs", key=hostile.acme)]
    assert columns == ["time", "n", "body"]


def test_tenants_that_take_turns_on_one_instance_share_nothing(hostile):
    for i in range(20):
        assert hostile.rows("SELECT count(*), max(body[:4]) FROM logs", key=hostile.acme) == [[50, "mine"]]
        assert hostile.query("FROM only_other", key=hostile.acme).status_code == 404
        assert hostile.rows("SELECT count(*), max(body[:6]) FROM logs", key=hostile.other) == [[70, "SECRET"]]
        assert hostile.query("FROM sealed_and_fresh", key=hostile.other).status_code == 404


def test_tenants_that_spill_at_the_same_time_keep_their_rows_apart(tmp_path):
    region = Region(tmp_path / "data", env={"PRISM_QUERY_MEMORY_BYTES": str(120 << 20)}).up()
    keys = [region.tenant(f"t{i}") for i in range(3)]
    sql = """SELECT count(*), count(*) FILTER (p < x AND y = repeat(x, 2)) FROM (SELECT x, y, lag(x, 1, '') OVER (ORDER BY x) p
        FROM (SELECT md5((i + {})::VARCHAR) x, repeat(x, 2) y FROM range(600000) t(i)))"""
    wrong = []

    def ask(i):
        for _ in range(2):
            answer = region.query(sql.format(i * 10**7), key=keys[i])
            if answer.status_code != 200 or answer.json()["rows"] != [[600000, 600000]]:
                wrong.append(answer.text)

    try:
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
    finally:
        region.down()
    assert not [f for f in (region.data / "tmp").rglob("*") if f.is_file()]


BOMBS = {
    "endless recursion": "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT max(i) FROM c",
    "doubling text": "WITH RECURSIVE c(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM c) SELECT max(length(s)) FROM c",
    "10^18 rows": "SELECT sum(i) FROM generate_series(1, 1000000000000000000) g(i)",
    "a list of 10^18": "SELECT len(range(1000000000000000000))",
    "range join": "SELECT count(*) FROM range(1000000) a(x), range(1000000) b(y) WHERE a.x < b.y",
    "cross joins": "SELECT count(*) FROM " + ",".join(f"logs a{i}" for i in range(20)),
    "1 GB of text": "SELECT length(repeat(repeat('x', 1000000), 1000))",
    "wide format": "SELECT length(format('{:2000000000}', 1))",
    "one aggregate": "SELECT list(i) FROM range(500000000) t(i)",
    "sort": "SELECT max(z) FROM (SELECT repeat(md5(i::VARCHAR), 30) z FROM range(50000000) t(i) ORDER BY z OFFSET 49999999)",
    "exponential CTEs": "WITH a0 AS (SELECT 1 x), " + ",".join(
        f"a{i} AS NOT MATERIALIZED (SELECT a.x FROM a{i - 1} a, a{i - 1} b)" for i in range(1, 14)) + " SELECT count(*) FROM a13, logs, range(100000000)",
    "cube": "SELECT count(*) FROM range(10) t(a) GROUP BY CUBE (" + ",".join(f"a+{i}" for i in range(30)) + ")",
    "star after star": "SELECT " + ",".join(["*"] * 20000) + " FROM logs",
    "100,000 UNION ALL": " UNION ALL ".join(["SELECT 1"] * 100000),
    "deep": "SELECT " + "NOT " * 30000 + "true",
    "edit distance": "SELECT sum(levenshtein(repeat('x', 200 + (i % 9)::INT), repeat('y', 200))) FROM range(1000000) t(i)",
}


# A sanitizer ends the process where malloc would fail, and its own bookkeeping counts against the function's memory.
OF_MEMORY = {"wide format", "1 GB of text"}


def sanitized():
    return os.environ.get("PRISM_BUILD", "") in ("asan", "tsan")


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_with_a_reason(hostile, name):
    answer = hostile.query(BOMBS[name], key=hostile.acme, limit=1)  # within a minute
    if name in OF_MEMORY and sanitized():
        assert answer.status_code in (400, 502, 504), answer.text
    else:
        assert answer.status_code in (400, 504), answer.text
    assert answer.json()["detail"]
    assert hostile.one("SELECT count(*) FROM logs", key=hostile.other) == 70


@pytest.mark.parametrize("sql", [
    "SELECT json_merge_patch(repeat('{\"a\":', 100000) || '1' || repeat('}', 100000), '{}')",
    "SELECT json_structure(repeat('{\"a\":', 100000) || '1' || repeat('}', 100000))",
    "SELECT json_contains(repeat('[', 500000) || repeat(']', 500000), '1')",
])
def test_what_overflows_the_stack_costs_one_process(hostile, sql):
    """DuckDB's JSON functions recurse; the process ends and the next has a new one."""
    assert hostile.query(sql, key=hostile.acme).status_code in (200, 400, 502)
    assert hostile.one("SELECT count(*) FROM logs", key=hostile.acme) == 50
    assert hostile.one("SELECT count(*) FROM logs", key=hostile.other) == 70


def busy(region):
    query = next(f for f in region.status()["functions"] if f["name"] == "query")
    return query["busy"], query["queued"]


def quietly(call, *args, **kw):
    try:
        call(*args, **kw)
    except requests.RequestException:
        pass  # the region ended meanwhile


def test_a_flood_of_endless_queries_leaves_room_for_others(tmp_path):
    region = Region(tmp_path / "data", env={"PRISM_REGION_MEMORY_MB": "65536"}).up()
    flooder, other = region.tenant("flooder"), region.tenant("calm")
    region.ingest("logs", [{"n": 1}], key=other)
    endless = "SELECT count(*) FROM range(1000000000000) t(i) WHERE i % 7 = 3"
    threads = [threading.Thread(target=quietly, args=(region.query, endless, flooder))
               for _ in range(12)]
    for thread in threads:
        thread.start()
    wait(lambda: busy(region) == (6, 6))
    for _ in range(5):
        assert region.one("SELECT sum(n) FROM logs", key=other) == 1
    assert busy(region) == (6, 6)  # none of them had to end for that
    region.kill()
    for thread in threads:
        thread.join()
