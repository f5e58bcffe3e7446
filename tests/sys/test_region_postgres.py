"""A whole region whose metadata is in PostgreSQL 15 over TLS and whose other stores are moto's: what a deployed region has."""

import pytest

import postgres_server
from conftest import Region
from emulator_kit import emulator


def records(first, count):
    return [{"n": n, "service": f"s{n % 5}", "time": f"2026-11-20T10:00:{n % 60:02d}Z"} for n in range(first, first + count)]


@pytest.fixture(scope="module")
def postgres():
    with postgres_server.server() as server:
        server.sql("CREATE DATABASE prism TEMPLATE template0")
        yield server


@pytest.fixture(scope="module")
def region(postgres, tmp_path_factory):
    with emulator() as port:
        region = Region(tmp_path_factory.mktemp("region") / "data", env={
            "PRISM_META_URL": postgres.url("prism"), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-central-1"})
        region.run("migrate")
        region.run("up", "--detach", "--aws-endpoint", f"http://127.0.0.1:{port}")
        yield region.warm()
        region.down()


def segments(postgres, dataset):
    return int(postgres.sql(f"SELECT count(*) FROM segments WHERE state = 1 AND dataset = '{dataset}'", database="prism"))


def test_rows_live_through_all_stages(region, postgres):
    assert region.ingest("life", records(0, 500)).status_code == 200
    hot = region.rows("SELECT * FROM life ORDER BY n")
    region.run("tick", "seal")
    assert segments(postgres, "life") >= 1
    assert region.rows("SELECT * FROM life ORDER BY n") == hot
    assert region.ingest("life", records(500, 100)).status_code == 200
    region.run("tick", "seal")
    region.run("tick", "compact")
    assert region.rows("SELECT count(*), min(n), max(n), sum(n) FROM life") == [[600, 0, 599, sum(range(600))]]
    assert [dataset["rows"] for dataset in region.json("datasets")["datasets"] if dataset["name"] == "life"] == [600]
    key = region.json("key", "create", "--scopes", "admin")["key"]
    assert region.call("DELETE", "/v1/datasets/life", key=key).status_code in (200, 204)
    assert segments(postgres, "life") == 0


def test_a_database_that_is_away_is_told_and_comes_back(region, postgres):
    """Nothing that was answered is lost: frames wait in hot files while nothing can be sealed."""
    assert region.ingest("away", records(0, 100)).status_code == 200
    region.run("tick", "seal")
    postgres.kill()
    assert region.ingest("away", records(100, 100)).status_code == 200
    assert region.query("SELECT count(*) FROM away").status_code == 503
    assert "UNAVAILABLE" not in region.query("SELECT count(*) FROM away").text
    postgres.start()
    assert region.one("SELECT count(*) FROM away") == 200
    region.run("tick", "seal")
    assert region.one("SELECT count(*) FROM away") == 200
    said = region.run("logs", "query").stdout
    assert "PostgreSQL" in said and postgres_server.URL_PASSWORD not in said and postgres_server.PASSWORD not in said


def test_a_terminated_session_is_not_noticed(region, postgres):
    assert region.ingest("cut", records(0, 10)).status_code == 200
    for _ in range(5):
        postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'prism' AND pid <> pg_backend_pid()")
        assert region.one("SELECT count(*) FROM cut") == 10
