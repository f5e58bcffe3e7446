"""Bad input gets a 4xx with a reason; what is stored stays as it was; memory stays bounded."""

import gzip
import json
import zlib

import pytest
import requests

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module", autouse=True)
def stored(region):
    assert region.ingest("intact", [{"n": i} for i in range(10)]).status_code == 200
    yield
    assert region.one("SELECT count(*) FROM intact") == 10
    assert all(f["rss_bytes"] < 1 << 30 for f in region.status()["functions"])


def refused(answer, *statuses):
    assert answer.status_code in statuses, f"{answer.status_code} {answer.text[:300]}"
    assert answer.text.strip(), "no reason given"
    return answer


CASES = {
    "malformed protobuf": ("/v1/logs", b"\xff\xff\xff\xff", PROTOBUF, (400,)),
    "cut protobuf": ("/v1/traces", b"\x0a\xff\x01abc", PROTOBUF, (400,)),
    "JSON cut in half": ("/v1/logs", b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"strin', JSON, (400,)),
    "array cut in half": ("/v1/ingest/intact", b'[{"n":1},{"n":', JSON, (400,)),
    "all lines broken": ("/v1/ingest/intact", b'{"n":\n}{\n', NDJSON, (400,)),
    "no object": ("/v1/ingest/intact", b'"text"', JSON, (400,)),
    "unknown type": ("/v1/ingest/intact", b"<xml/>", {"Content-Type": "text/xml"}, (415,)),
    "unknown encoding": ("/v1/ingest/intact", b"x", {**NDJSON, "Content-Encoding": "br"}, (400, 415)),
    "broken gzip": ("/v1/ingest/intact", b"\x1f\x8bnonsense", {**NDJSON, "Content-Encoding": "gzip"}, (400,)),
    "truncated gzip": ("/v1/ingest/intact", gzip.compress(b'{"n":1}\n' * 1000)[:-20], {**NDJSON, "Content-Encoding": "gzip"}, (400,)),
    "gzip bomb": ("/v1/ingest/intact", gzip.compress(b" " * (1 << 30), 9), {**NDJSON, "Content-Encoding": "gzip"}, (413,)),
    "over 10 MiB": ("/v1/ingest/intact", b"x" * (11 << 20), NDJSON, (413,)),
    "over the event's 6 MB": ("/v1/ingest/intact", b" " * (5 << 20), NDJSON, (413,)),
    "bad dataset name": ("/v1/ingest/No%20Good", b'{"n":1}', NDJSON, (400, 404)),
    "path climbing": ("/v1/ingest/..%2f..%2fetc", b'{"n":1}', NDJSON, (400, 404)),
    "time_field of 257 characters": ("/v1/ingest/intact?time_field=" + "%C3%A9" * 257, b'{"n":1}', NDJSON, (400,)),
    "bad idempotency key": ("/v1/ingest/intact", b'{"n":1}', {**NDJSON, "Idempotency-Key": "x" * 300}, (400,)),
    "year 1900": ("/v1/ingest/intact", b'{"n":1,"time":"1900-01-01T00:00:00Z"}', NDJSON, (400,)),
    "year 2900": ("/v1/ingest/intact", b'{"n":1,"time":"2900-01-01T00:00:00Z"}', NDJSON, (400,)),
    "10,000 columns": ("/v1/ingest/intact", json.dumps({f"c{i}": i for i in range(10000)}).encode(), NDJSON, (400, 413)),
}


@pytest.mark.parametrize("name", CASES)
def test_refused_with_a_reason(region, name):
    path, body, headers, statuses = CASES[name]
    refused(region.call("POST", path, data=body, headers=headers), *statuses)


def test_record_of_100_mb_is_refused_and_memory_stays_bounded(region):
    body = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = body.compress(b'{"n":1,"message":"')
    for _ in range(100):
        data += body.compress(b"x" * (1 << 20))
    data += body.compress(b'"}') + body.flush()
    refused(region.call("POST", "/v1/ingest/intact", data=data, headers={**NDJSON, "Content-Encoding": "gzip"}), 400, 413)


def test_keys_wrong_missing_and_revoked(region):
    key = region.tenant("revokee")
    assert region.ingest("x", [{"n": 1}], key=key).status_code == 200
    refused(requests.post(region.url + "/v1/ingest/x", data=b"{}", timeout=60), 401)
    refused(region.ingest("x", [{"n": 1}], key="nonsense"), 401)
    refused(region.ingest("x", [{"n": 1}], key=key[:-1] + ("0" if key[-1] != "0" else "1")), 401)
    region.run("key", "revoke", "revokee", key.split("_")[1])
    refused(region.ingest("x", [{"n": 1}], key=key), 401)


def test_scope_is_needed(region):
    key = region.tenant("reader", scopes="query")
    refused(region.ingest("x", [{"n": 1}], key=key), 403)
    refused(region.call("GET", "/v1/admin/tenants", key=key), 403)


def test_unknown_dataset_names_those_that_exist(region):
    answer = refused(region.query("SELECT * FROM no_such_thing"), 404, 400)
    assert "no_such_thing" in answer.text


@pytest.mark.parametrize("sql", [
    "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM '/etc/passwd'", "COPY (SELECT 1) TO '/tmp/x'",
    "ATTACH '/tmp/x.db'", "SET memory_limit='1TB'", "PRAGMA version", "SELECT 1; SELECT 2", "INSTALL httpfs",
    "SELECT * FROM duckdb_settings()", "SELECT getenv('HOME')", "SELECT current_setting('memory_limit')",
    "SELECT * FROM glob('/**')", "SELECT * FROM other.logs", "CREATE TABLE t(i int)", "not sql at all", "",
])
def test_sql_that_reaches_out_is_refused(region, sql):
    refused(region.query(sql), 400, 403, 404)


def test_partly_bad_batch_says_which_records(region):
    answer = region.ingest("partly", b'{"n":1}\n{"n":\n{"n":3}\n')
    assert answer.status_code == 200
    said = answer.json()
    assert (said["accepted"], said["refused"]) == (2, 1)
    assert said["errors"][0]["record"] == 1 and said["errors"][0]["reason"]
    assert region.one("SELECT sum(n) FROM partly") == 4


def test_unknown_routes_and_methods(region):
    for method, path in [("GET", "/"), ("GET", "/v2/logs"), ("DELETE", "/v1/query"), ("POST", "/v1/ingest/")]:
        answer = refused(region.call(method, path), 404, 405)
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_tenants_own_limits(region):
    key = region.tenant("small")
    quotas = {"ingest_body_bytes": 2000, "ingest_record_bytes": 200, "ingest_records": 5}
    changed = region.call("PATCH", "/v1/admin/tenants/small", key=region.admin_key, json={"quotas": quotas})
    assert changed.status_code == 200, changed.text
    assert region.ingest("mine", [{"n": i} for i in range(5)], key=key).status_code == 200
    refused(region.ingest("mine", [{"n": i} for i in range(6)], key=key), 413)
    refused(region.ingest("mine", [{"m": "x" * 3000}], key=key), 413)
    refused(region.ingest("mine", [{"m": "x" * 300}], key=key), 400, 413)
    assert region.ingest("yours", [{"m": "x" * 3000, "n": i} for i in range(6)]).status_code == 200
    assert region.one("SELECT count(*) FROM mine", key=key) == 5
