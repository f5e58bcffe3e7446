"""Records in, SQL answers out, through every stage of their life."""

import json
import time

import duckdb


def records(n, start=0):
    return [{"time": f"2026-11-20T10:{i // 60 % 60:02d}:{i % 60:02d}.{i:06d}Z", "n": i, "service": f"s{i % 5}",
             "message": f"line {i}", "nested": {"a": i, "b": [1, 2]}} for i in range(start, start + n)]


def test_up_prints_what_a_newcomer_needs(fresh):
    fresh.down()
    again = fresh.run("up", "--detach").stdout
    assert str(fresh.port) in again
    assert fresh.status()["phase"] == "serving"


def test_rows_are_visible_as_soon_as_they_were_answered(region):
    answer = region.ingest("fresh", records(100))
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == 100
    assert region.one("SELECT count(*) FROM fresh") == 100


def test_same_rows_hot_sealed_and_compacted(region):
    region.ingest("life", records(500))
    hot = region.rows("SELECT * FROM life ORDER BY n")
    region.run("tick", "seal")
    region.ingest("life", records(10, start=500))
    assert region.rows("SELECT * FROM life WHERE n < 500 ORDER BY n") == hot
    assert region.one("SELECT count(*) FROM life") == 510
    region.run("tick", "seal")
    region.run("tick", "compact")
    assert region.rows("SELECT * FROM life WHERE n < 500 ORDER BY n") == hot
    analytics = region.parquet()
    files = list(analytics.rglob("*.parquet"))
    assert any("/life/date=2026-11-20/" in str(f) for f in files)
    count = duckdb.sql(f"SELECT count(*) FROM '{analytics}/default/life/**/*.parquet'").fetchone()[0]
    assert count == 510


def test_idempotency_key_stores_once(region):
    for _ in range(3):
        answer = region.ingest("once", records(7), headers={"Idempotency-Key": "k-1"})
        assert answer.status_code == 200
    assert answer.json()["duplicate"] is True
    assert region.one("SELECT count(*) FROM once") == 7
    region.run("tick", "seal")
    assert region.ingest("once", records(7), headers={"Idempotency-Key": "k-1"}).json()["duplicate"] is True
    assert region.one("SELECT count(*) FROM once") == 7


def test_new_fields_and_changed_types_fail_nothing(region):
    region.ingest("types", [{"v": 1, "time": "2026-11-20T00:00:00Z"}])
    before = "SELECT sum(v) FROM types WHERE v >= 0"
    assert region.one(before) == 1
    for seal in (False, True):
        assert region.ingest("types", [{"v": "text", "more": True, "seal": seal}, {"v": {"deep": 1}}, {"v": [1]}, {"v": 2.5}]).status_code == 200
        if seal:
            region.run("tick", "seal")
        assert float(region.one(before)) >= 1
    assert region.one("SELECT count(*) FROM types WHERE _other LIKE '%text%'") == 2
    assert region.one("SELECT count(*) FROM types WHERE more") == 2


def test_tenants_see_their_own_rows_only(region):
    acme, other = region.tenant("acme"), region.tenant("other")
    region.ingest("shared_name", [{"secret": "acme's"}], key=acme)
    region.ingest("shared_name", [{"secret": "other's"}], key=other)
    assert region.rows("SELECT secret FROM shared_name", key=acme) == [["acme's"]]
    assert region.rows("SELECT secret FROM shared_name", key=other) == [["other's"]]


def test_joins_windows_and_ctes_over_datasets(region):
    region.ingest("orders", [{"id": i, "who": i % 3} for i in range(9)])
    region.ingest("people", [{"who": i, "name": f"p{i}"} for i in range(3)])
    rows = region.rows("""WITH counted AS (SELECT who, count(*) AS n FROM orders GROUP BY who)
        SELECT name, n, row_number() OVER (ORDER BY name) AS r FROM counted JOIN people USING (who) ORDER BY name""")
    assert rows == [["p0", 3, 1], ["p1", 3, 2], ["p2", 3, 3]]


def test_the_regions_own_records_can_be_queried(region):
    region.query("SELECT 1")
    admin = region.admin_key
    deadline = time.time() + 60
    while time.time() < deadline:
        answer = region.query("SELECT count(*) FROM access_log WHERE status = 200", key=admin)
        if answer.status_code == 200 and answer.json()["rows"][0][0] > 0:
            break
        time.sleep(0.2)
    assert answer.status_code == 200, answer.text
    assert answer.json()["rows"][0][0] > 0
    assert region.rows("SELECT DISTINCT kind FROM traces WHERE \"resource.service.name\" = 'prism-gateway'", key=admin) == [["SERVER"]]


def test_restart_keeps_everything(fresh):
    fresh.ingest("kept", records(50))
    assert fresh.down().returncode == 0
    fresh.up()
    assert fresh.one("SELECT count(*) FROM kept") == 50


def test_status_and_invoke_speak_json(region):
    status = region.status()
    assert {"pid", "port", "functions", "queues", "data"} <= status.keys()
    assert {f["name"] for f in status["functions"]} >= {"ingest", "query", "authorizer", "storage"}
    assert json.loads(region.run("invoke", "storage", "-", input='{"op":"ttl"}').stdout) is not None
