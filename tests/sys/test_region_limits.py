"""What Lambda limits, the region limits: one event at a time, queue, memory, time."""

import concurrent.futures
import re

import pytest

from region_kit import PROBE, Tree, environment, function, instances, invoke, is_within, probe_in_place_of, problem, wait


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    change = probe_in_place_of("catalog", max=1, queue=3, timeout_s=2, memory_mb=128)
    r = Tree(tmp_path_factory.mktemp("limits"), {"catalog": PROBE}, change, env=environment()).up()
    yield r
    r.down()


def test_one_event_at_a_time(tree):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = list(pool.map(lambda _: invoke(tree, "catalog", {"sleep": 0.1})[2], range(3)))
    spans = sorted((a["began"], a["ended"]) for a in asked)
    assert len({a["pid"] for a in asked}) == 1
    for (_, ended), (began, _) in zip(spans, spans[1:]):
        assert began >= ended


def test_past_the_queue_is_429_with_retry_after(tree):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: tree.call("GET", "/v1/datasets?sleep=0.3"), range(12)))
    served = [a for a in answers if a.status_code == 200]
    throttled = [a for a in answers if a.status_code == 429]
    assert len(served) + len(throttled) == 12 and len(throttled) >= 4 and len(served) >= 3
    for answer in throttled:
        problem(answer, 429)
        assert int(answer.headers["Retry-After"]) >= 1
    assert function(tree, "catalog")["throttles"] >= len(throttled)


def test_over_its_memory_it_is_killed_and_answered(tree):
    problem(tree.call("GET", "/v1/datasets?hog_mb=400"), 502)
    said = re.search(r"killed \((\d+) of 128 MB\)", function(tree, "catalog")["last_error"])
    assert said and int(said[1]) > 128
    assert tree.call("GET", "/v1/datasets").status_code == 200
    assert is_within(tree, 64)


def test_past_its_time_it_is_killed_and_answered(tree):
    status, headers, error = invoke(tree, "catalog", {"sleep": 60})
    assert status == 200 and headers["X-Amz-Function-Error"] == "Unhandled"
    assert error["errorType"] == "Sandbox.Timedout" and "Task timed out after 2.00 seconds" in error["errorMessage"]
    problem(tree.call("GET", "/v1/datasets?sleep=60"), 504)
    assert function(tree, "catalog")["timeouts"] == 2
    wait(lambda: not [p for p in instances(tree, "catalog") if function(tree, "catalog")["busy"]])


def test_the_callers_timeout_frees_the_queue(tmp_path):
    """The gateway answers 504 at its own limit; what still waited for an instance is not run any more."""

    def contract(root):
        root["paths"]["/v1/datasets"]["get"]["x-amazon-apigateway-integration"]["timeoutInMillis"] = 500

    tree = Tree(tmp_path, {"catalog": PROBE}, probe_in_place_of("catalog", min=1, max=1), contract, environment()).up()
    try:
        wait(lambda: tree.call("GET", "/v1/datasets?mark=warm").status_code == 200)  # on a busy machine the start alone takes longer than the limit
        wait(lambda: function(tree, "catalog")["busy"] == 0)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            first = pool.submit(tree.call, "GET", "/v1/datasets?until=late")
            wait(lambda: function(tree, "catalog")["busy"] == 1)
            second = pool.submit(tree.call, "GET", "/v1/datasets?mark=never")
            problem(first.result(), 504)
            problem(second.result(), 504)
            tree.let_go("late")
        wait(lambda: function(tree, "catalog")["busy"] == 0)
        wait(lambda: tree.call("GET", "/v1/datasets?mark=later").status_code == 200)
        marks = [e.get("mark") for _, e in tree.calls() if e.get("mark") != "warm"]
        assert marks[0] is None and set(marks[1:]) == {"later"}
    finally:
        assert tree.down().returncode == 0


def test_a_large_body_is_refused_before_a_function_sees_it(tree):
    problem(tree.call("POST", "/v1/ingest/big", data=b"x" * (7 << 20)), 413)
    assert is_within(tree, 64)
