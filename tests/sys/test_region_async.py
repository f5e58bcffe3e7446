"""Asynchronous events: accepted means done or in the dead-letter folder, whatever is killed meanwhile. Schedules."""

import json
import time

import pytest

from region_kit import PROBE, Tree, control, environment, function, invoke, is_within, probe_in_place_of, wait


@pytest.fixture
def tree(tmp_path):
    change = probe_in_place_of("catalog", asynchronous={"retries": 2, "max_age_s": 3600, "dead_letter": True})
    r = Tree(tmp_path, {"catalog": PROBE}, change, env=environment()).up()
    yield r
    r.down()


def attempts(tree, request_id):
    return len([c for c, _ in tree.calls() if c == request_id])


def letters(tree):
    return sorted((tree.data / "dead-letter").glob("*.json"))


def test_done_once_when_it_succeeds(tree):
    status, headers, body = invoke(tree, "catalog", {"mark": 1}, kind="Event")
    assert (status, body) == (202, None)
    request_id = headers["x-amzn-RequestId"]
    wait(lambda: attempts(tree, request_id) == 1)
    wait(lambda: not list((tree.data / "async").iterdir()))
    time.sleep(0.4)
    assert attempts(tree, request_id) == 1 and not letters(tree)


def test_tried_three_times_then_dead_letter(tree):
    request_id = invoke(tree, "catalog", {"raise": "no luck", "text": "\u00e9"}, kind="Event")[1]["x-amzn-RequestId"]
    path = tree.data / "dead-letter" / f"catalog~{request_id}.json"
    letter = json.loads(wait(lambda: path.exists() and path.read_text()))
    assert attempts(tree, request_id) == 3
    context = letter["requestContext"]
    assert (context["requestId"], context["condition"], context["approximateInvokeCount"]) == (request_id, "RetriesExhausted", 3)
    assert letter["requestPayload"] == {"raise": "no luck", "text": "\u00e9"}
    assert letter["responsePayload"] == {"errorType": "Probe", "errorMessage": "no luck"}
    assert letter["responseContext"]["functionError"] == "Unhandled"
    wait(lambda: not list((tree.data / "async").iterdir()))
    wait(lambda: request_id in (tree.data / "logs" / "region.log").read_text())


def test_an_event_without_a_body_is_an_empty_object(tree):
    status, headers, _ = control(tree, "POST", "/2015-03-31/functions/catalog/invocations", None, {"X-Amz-Invocation-Type": "Event"})
    assert status == 202
    wait(lambda: (headers["x-amzn-RequestId"], {}) in tree.calls())


def test_accepted_events_survive_kill_9(tree):
    ids = {invoke(tree, "catalog", {"sleep": 30, "i": i}, kind="Event")[1]["x-amzn-RequestId"] for i in range(10)}
    tree.kill()
    assert {p.name.split("~")[1][:-5] for p in (tree.data / "async").iterdir()} == ids
    before = len(tree.calls())
    (tree.data / "async" / ".catalog~x.json.0123456789abcdef.tmp").write_text("a write cut short")
    tree.replace("catalog", PROBE.replace('float(do.get("sleep", 0))', "0"))
    tree.up()
    wait(lambda: {c for c, _ in tree.calls()[before:]} >= ids)
    wait(lambda: not list((tree.data / "async").iterdir()))


def test_events_waiting_for_a_retry_survive_a_stop(tree):
    tree.down()
    tree.env["PRISM_REGION_RETRY_MS"] = "60000"
    tree.up()
    request_id = invoke(tree, "catalog", {"raise": "later"}, kind="Event")[1]["x-amzn-RequestId"]
    wait(lambda: attempts(tree, request_id) == 1)
    assert tree.status()["queues"]["asynchronous"] == 1
    assert tree.down().returncode == 0
    tree.env["PRISM_REGION_RETRY_MS"] = "100"
    tree.up()
    wait(lambda: letters(tree))
    assert attempts(tree, request_id) == 4


def test_bad_events_are_refused(tree):
    path = "/2015-03-31/functions/catalog/invocations"
    assert control(tree, "POST", "/2015-03-31/functions/nobody/invocations", {})[0] == 404
    assert control(tree, "POST", path, {"x": "y" * (2 << 20)}, {"X-Amz-Invocation-Type": "Event"})[0] == 413
    assert control(tree, "POST", "/tick/nothing")[0] == 404
    assert control(tree, "GET", "/nothing")[0] == 404
    assert tree.calls() == []


def test_what_waits_is_bounded(tree):
    """A function that takes no more: events are refused once 32 MiB of them wait."""
    tree.down()
    tree.env["PRISM_REGION_RETRY_MS"] = "60000"
    tree.up()
    big = {"raise": "full", "text": "x" * 1_000_000}
    statuses = [invoke(tree, "catalog", big, kind="Event")[0] for _ in range(40)]
    assert set(statuses) == {202, 429} and 28 <= statuses.count(202) <= 34
    assert is_within(tree, 96)
    assert tree.query("SELECT 1").status_code == 200


def test_schedules_run_by_themselves(tmp_path):
    def often(root):
        schedules = root["functions"]["storage"]["schedules"]
        next(s for s in schedules if s["name"] == "seal")["rate_s"] = 1

    tree = Tree(tmp_path, functions=often, env=environment()).up()
    try:
        tree.ingest("sealed", [{"n": i} for i in range(5)])
        wait(lambda: list(tree.parquet("segments").rglob("default/sealed/*.parquet")))
        assert tree.one("SELECT count(*) FROM sealed") == 5
        assert function(tree, "storage")["errors"] == 0
    finally:
        assert tree.down().returncode == 0
