"""What a region tells of itself: every request once, traces as the caller began them, and no secret anywhere."""

import json
import os
import re
import signal
import time

import pytest
import requests

from conftest import ROOT
from region_kit import PROBE, Tree, UnixConnection, control, environment, instances, invoke, probe_in_place_of, wait


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    r = Tree(tmp_path_factory.mktemp("telemetry"), {"catalog": PROBE}, probe_in_place_of("catalog"), env=environment(PRISM_REGION_SLOW_MS="1500")).up()
    yield r
    r.down()


def own(tree, sql, count):
    """Rows of _system once there are so many of them."""

    def rows():
        answer = tree.query(sql, key=tree.admin_key)
        found = answer.json()["rows"] if answer.status_code == 200 else []
        return found if len(found) >= count else None

    return wait(rows, every=0.2)


def test_access_log_matches_what_was_asked(tree):
    mark = "match/1"
    agent = {"User-Agent": mark}
    key = tree.tenant("seen")
    asked = {}
    for answer in [
        tree.call("GET", "/v1/datasets", key=key, headers=agent),
        tree.call("GET", "/v1/datasets?exit=1", key=key, headers=agent),
        tree.ingest("seen", [{"n": 1}], key=key, headers=agent),
        tree.call("POST", "/v1/ingest/seen", key=key, data=b"{", headers={**agent, "Content-Type": "application/x-ndjson"}),
        tree.call("POST", "/v1/query", key=key, json={"sql": "SELECT 1"}, headers=agent),
        requests.get(tree.url + "/v1/health", headers=agent),
        requests.get(tree.url + "/v1/datasets", headers=agent),
        requests.get(tree.url + "/v1/nothing", headers=agent),
    ]:
        asked[answer.headers["x-amzn-RequestId"]] = answer.status_code
    assert len(asked) == 8
    rows = own(tree, f"SELECT request_id, status, tenant, duration_ms, path, bytes_out FROM access_log WHERE user_agent = '{mark}'", 8)
    assert {r[0]: r[1] for r in rows} == asked and len(rows) == 8
    assert {r[2] for r in rows} == {"seen", None}
    assert all(0 < r[3] < 60000 and r[5] > 0 for r in rows)
    errors = own(tree, f"SELECT error, error_message FROM access_log WHERE user_agent = '{mark}' AND status IN (401, 404, 502) ORDER BY status", 3)
    assert errors == [["UNAUTHORIZED", "no identity"], ["MISSING_AUTHENTICATION_TOKEN", "no such route"], ["INTEGRATION_FAILURE", "function exited"]]
    ids = own(tree, f"SELECT trace_id, domain, tier FROM access_log WHERE user_agent = '{mark}' AND path = '/v1/query'", 1)
    assert ids[0][0].startswith("Root=1-") and ids[0][1:] == [f"127.0.0.1:{tree.port}", "pooled"]


def test_access_log_has_the_fields_of_its_one_description(tree):
    described = json.loads((ROOT / "platform" / "access_log.json").read_text())["fields"]
    here = {f["name"] for f in described if f["local"]}
    assert len({f["name"] for f in described}) == len(described) and all(f["means"] for f in described)
    at_api_gateway = dict(re.findall(r'^    (\w+) += "(\$context\.[\w.]+)"$', (ROOT / "infra/modules/api/logs.tf").read_text(), re.M))
    assert at_api_gateway == {f["name"]: f["context"] for f in described if "context" in f}
    assert all(f["local"] or "context" in f for f in described)
    assert requests.get(tree.url + "/v1/datasets").status_code == 401
    assert tree.ingest("described", [{"n": 1}], key=tree.tenant("described")).status_code == 200

    def columns():
        answer = tree.query("SELECT * FROM access_log LIMIT 1", key=tree.admin_key)
        return {c["name"] for c in answer.json()["columns"]} if answer.status_code == 200 else None
    wait(lambda: columns() == here, every=0.2)


def test_a_slow_request_tells_where_its_time_went(tree):
    key = tree.tenant("slow")
    slow = tree.call("GET", "/v1/datasets?sleep=2", key=key, headers={"User-Agent": "secret agent"}).headers["x-amzn-RequestId"]
    rows = own(tree, f"SELECT * FROM slow_requests WHERE request_id = '{slow}'", 1)
    columns = [c["name"] for c in tree.query("SELECT * FROM slow_requests LIMIT 1", key=tree.admin_key).json()["columns"]]
    row = dict(zip(columns, rows[0]))
    assert row["status"] == 200 and row["tenant"] == "slow" and row["resource"] == "/v1/datasets" and row["function"] == "catalog"
    assert row["function_ms"] >= 2000 and row["duration_ms"] >= row["function_ms"] and row["trace_id"].startswith("Root=1-")
    phases = sum(row[name] for name in ("authorizer_ms", "queue_ms", "function_ms", "gateway_ms"))
    assert abs(phases - row["duration_ms"]) < 1
    assert "secret agent" not in str(row) and "sleep" not in str(row)
    quick = own(tree, "SELECT min(duration_ms) FROM slow_requests", 1)
    assert quick[0][0] >= 1500


def test_bytes_that_are_no_text_spoil_no_batch(tree):
    ids = []
    for value in (b"caf\xe9", b"\xff\xfe\xfd", b'"quoted\\"', b"tab\there"):
        answer = requests.get(tree.url + "/v1/health", headers={"User-Agent": value, "X-Mark": "x"})
        assert answer.status_code == 200
        ids.append(answer.headers["x-amzn-RequestId"])
    invoke(tree, "catalog", {"print": b"odd \xff\xfe\x00\x1b line".hex()})
    assert own(tree, "SELECT message FROM function_log WHERE message LIKE 'odd %'", 1)
    listed = ",".join(f"'{i}'" for i in ids)
    assert own(tree, f"SELECT status FROM access_log WHERE request_id IN ({listed})", 4) == [[200]] * 4
    assert tree.status()["queues"]["telemetry_dropped"] == 0


def test_function_log_has_lines_and_reasons(tree):
    invoke(tree, "catalog", {"print": b"a line of mine".hex()})
    invoke(tree, "catalog", {"exit": 9})
    rows = own(tree, "SELECT function, message FROM function_log WHERE message = 'a line of mine' OR message LIKE '%exit status 9%'", 2)
    assert {r[0] for r in rows} == {"catalog"}


def test_w3c_trace_context_is_continued(tree):
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    answer = tree.call("GET", "/v1/datasets", headers={"traceparent": f"00-{trace}-{parent}-01"})
    assert answer.status_code == 200
    rows = own(tree, f"SELECT span_id, parent_span_id, kind, name, \"attributes.prism.request_id\" FROM traces WHERE \"resource.service.name\" = 'prism-gateway' AND trace_id = '{trace}'", 1)
    assert len(rows) == 1
    span, above, kind, name, request_id = rows[0]
    assert above == parent and span != parent and re.fullmatch("[0-9a-f]{16}", span)
    assert kind == "SERVER" and name and request_id == answer.headers["x-amzn-RequestId"]


@pytest.mark.parametrize("header", ["", "00-0-0-00", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                    "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "zz" * 27 + "z"])
def test_a_bad_traceparent_starts_a_new_trace(tree, header):
    assert tree.call("GET", "/v1/datasets", headers={"traceparent": header}).status_code == 200


def test_every_answer_has_a_request_id(tree):
    for answer in (tree.query("SELECT 1"), tree.query("SELECT nonsense FROM nowhere"), tree.query("SELECT 1", format="csv"),
                   tree.call("OPTIONS", "/v1/query"), tree.call("GET", "/v1/health")):
        assert re.fullmatch("[0-9a-f-]{36}", answer.headers["x-amzn-RequestId"]), answer.headers


def test_a_tenant_cannot_see_it(tree):
    for dataset in ("access_log", "_system.access_log", "function_log", "_system.traces", "metrics"):
        answer = tree.query(f"SELECT * FROM {dataset}")
        assert 400 <= answer.status_code < 500, answer.text
    assert tree.ingest("access_log", [{"mine": 1}]).status_code == 200
    assert tree.rows("SELECT * EXCLUDE (time) FROM access_log")[0].count(1) == 1


def test_metrics_are_there_after_a_restart(tree):
    """They are written each minute and at the end."""
    tree.down()
    tree.up()
    rows = own(tree, "SELECT metric_name, max(value) FROM metrics GROUP BY 1", 5)
    assert dict(rows)["gateway.requests"] > 0 and "function.invocations" in dict(rows)


def test_requests_are_counted_by_route_and_tenant(tree):
    tree.run("tenant", "create", "counted")
    key = tree.json("key", "create", "counted", "--scopes", "query")["key"]
    for _ in range(7):
        assert tree.call("GET", "/v1/datasets", key=key).status_code == 200
    tree.down()
    tree.up()
    rows = own(tree, """SELECT metric_name, "attributes.route", CAST(sum(coalesce("count", value)) AS BIGINT) FROM metrics
                        WHERE "attributes.tenant" = 'counted' AND "attributes.route" IS NOT NULL GROUP BY 1, 2""", 1)
    assert [tuple(row) for row in rows] == [("request_ms", "GET /v1/datasets", 7)]


def test_batches_survive_a_crashing_ingest(tmp_path):
    """Telemetry is sent again under the same idempotency key until it is answered: nothing lost, nothing doubled."""
    tree = Tree(tmp_path, env=environment()).up()
    try:
        ids = []
        for i in range(60):
            ids.append(requests.get(tree.url + "/v1/health", headers={"User-Agent": "again"}).headers["x-amzn-RequestId"])
            if i % 10 == 0:
                for pid in instances(tree, "ingest"):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.03)
        rows = own(tree, "SELECT request_id FROM access_log WHERE user_agent = 'again' LIMIT 1000", len(ids))
        assert sorted(r[0] for r in rows) == sorted(ids)
    finally:
        tree.down()


def test_logs_can_be_followed(tree):
    conn = UnixConnection(tree.data / "region.sock")
    conn.request("GET", "/logs?function=catalog&lines=0&follow=1")
    answer = conn.getresponse()
    invoke(tree, "catalog", {"print": b"followed line".hex()})
    assert answer.readline() == b"followed line\n"
    conn.close()
    invoke(tree, "catalog", {"print": b"nobody listens".hex()})
    assert control(tree, "GET", "/logs?function=catalog&lines=1")[2] == b"nobody listens\n"
    assert control(tree, "GET", "/logs?function=nobody")[0] == 400


def test_no_key_is_written_down(tmp_path):
    """Keys pass through every function and every failure; their text stands in the two key files only."""
    tree = Tree(tmp_path, {"catalog": PROBE}, probe_in_place_of("catalog"), env=environment(PRISM_LOG_LEVEL="debug"))
    tree.up()
    keys = [tree.key, tree.admin_key, tree.tenant("acme")]
    secrets = [k.rsplit("_", 1)[1].encode() for k in keys]
    for key in keys:
        wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
        for k in (key, wrong):
            for header in ({"Authorization": f"Bearer {k}"}, {"x-api-key": k}):
                requests.get(tree.url + "/v1/datasets?exit=1", headers=header)
                requests.get(tree.url + "/v1/nothing", headers=header)
                requests.post(tree.url + "/v1/query", headers=header, json={"sql": "SELECT broken"})
                requests.post(tree.url + "/v1/ingest/x", headers=header, data=b"{broken")
                requests.post(tree.url + "/v1/ingest/x", headers={**header, "Content-Type": "application/x-ndjson"}, data=b'{"n":1}')
    tree.run("key", "list", "acme")
    tree.run("key", "revoke", "acme", keys[2].split("_")[1])
    invoke(tree, "catalog", {"exit": 1}, kind="Event")
    wait(lambda: list((tree.data / "dead-letter").glob("*.json")))
    texts = [json.dumps(tree.status()).encode(), control(tree, "GET", "/logs?lines=1000")[2]]
    time.sleep(1.2)
    tree.down()
    probe = tree.data / "tmp" / "probe.calls"
    assert not any(s in probe.read_bytes() for s in secrets)
    for path in tree.data.rglob("*"):
        if path.is_file() and path.name not in ("admin.key", "tenant.key"):
            texts.append(path.read_bytes())
    assert len(texts) > 10
    for text in texts:
        for secret in secrets:
            assert secret not in text
    assert tree.up_options or list((tree.data / "secrets").iterdir())  # the pepper, if it is not in AWS
    assert all(p.stat().st_mode & 0o077 == 0 for p in tree.data.rglob("*") if p.is_file())
