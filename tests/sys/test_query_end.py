"""A streamed answer that cannot go on: its status is gone, so its end says why; and a deleted dataset."""

import json

import pytest
import requests

from conftest import Region
from region_kit import wait

ROWS_MAX = 250_000
TOO_MANY = "SELECT i, hash(i)::VARCHAR || hash(i + 1) AS h FROM range(400000) r(i)"


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    r = Region(tmp_path_factory.mktemp("end") / "data", env={"PRISM_QUERY_ROWS_MAX": str(ROWS_MAX)}).up()
    yield r
    r.down()


def ask(region, format):
    return region.call("POST", "/v1/query", json={"sql": TOO_MANY, "format": format})


def test_json_is_complete_and_has_the_error(region):
    answer = ask(region, "json")
    assert answer.status_code == 200
    said = answer.json()
    assert said["truncated"] and said["error"]["status"] == 400
    assert said["error"]["detail"] == f"the result has more than {ROWS_MAX} rows: add LIMIT or aggregate"
    assert 0 < said["row_count"] == len(said["rows"]) <= ROWS_MAX and "cost" not in said


def test_ndjson_ends_with_the_error(region):
    answer = ask(region, "ndjson")
    lines = answer.text.splitlines()
    assert answer.status_code == 200 and json.loads(lines[0]) == {"i": 0, "h": json.loads(lines[0])["h"]}
    assert json.loads(lines[-1])["prism_error"]["status"] == 400


@pytest.mark.parametrize("format", ["csv", "arrow"])
def test_a_format_without_a_place_for_it_is_cut(region, format):
    log = region.data / "logs" / "query.log"
    told = lambda: log.read_text().count(f"more than {ROWS_MAX} rows") if log.exists() else 0
    before = told()
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        ask(region, format)
    wait(lambda: told() > before)  # written when the caller knows already


def test_parquet_is_refused_before_its_first_byte(region):
    answer = ask(region, "parquet")
    assert answer.status_code == 400 and "more than 250000 rows" in answer.json()["detail"]


@pytest.mark.parametrize("format", ["table", "json", "ndjson", "csv"])
def test_the_command_says_it_and_keeps_no_file(region, format, tmp_path):
    out = tmp_path / "out"
    done = region.run("query", TOO_MANY, "--format", format, "-o", out, check=False)
    assert done.returncode != 0 and not out.exists() and not list(tmp_path.iterdir())
    if format != "csv":
        assert f"more than {ROWS_MAX} rows" in done.stderr


def test_what_fits_is_whole(region):
    answer = region.call("POST", "/v1/query", json={"sql": TOO_MANY.replace("400000", str(ROWS_MAX))})
    assert answer.json()["row_count"] == ROWS_MAX and not answer.json()["truncated"] and "error" not in answer.json()


def test_a_deleted_dataset_is_absent_at_once(region):
    region.ingest("brief", [{"n": 1}, {"n": 2}])
    assert region.rows("SELECT count(*) FROM brief") == [[2]]
    key = region.json("key", "create", "default", "--scopes", "admin,query")["key"]
    assert region.call("DELETE", "/v1/datasets/brief", key=key).status_code == 200
    assert region.query("FROM brief").status_code == 404
    assert "brief" not in [name for name, in region.rows("SHOW TABLES")]
    region.ingest("brief", [{"n": 3}])
    assert region.rows("SELECT n FROM brief") == [[3]]


def test_a_tenant_has_a_ceiling_of_datasets(region):
    region.run("tenant", "create", "few", "--quotas", '{"datasets": 2}')
    key = region.json("key", "create", "few", "--scopes", "ingest")["key"]
    named = [region.call("POST", f"/v1/ingest/set{i}", data=b'{"n":1}', key=key, headers={"Content-Type": "application/x-ndjson"})
             for i in (1, 2, 3, 1)]
    assert [answer.status_code for answer in named] == [200, 200, 403, 200]
    assert "as many as it may" in named[2].json()["detail"]
