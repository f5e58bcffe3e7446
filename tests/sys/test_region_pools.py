"""Instances come and go: from zero and back, the warm minimum, crashes that cost one request at most."""

import concurrent.futures
import os
import random
import signal
import threading
import time

import pytest

from region_kit import ENV_QUICK, PROBE, Tree, function, instances, invoke, probe_in_place_of, problem, wait


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    r = Tree(tmp_path_factory.mktemp("pools"), {"catalog": PROBE}, probe_in_place_of("catalog"), env=ENV_QUICK).up()
    yield r
    r.down()


def test_from_zero_and_back(tree):
    for name in ("keys", "tenants", "storage"):
        wait(lambda: function(tree, name)["instances"] == 0)
    tree.run("tenant", "list")
    tree.run("key", "list", "default")
    tree.run("tick", "seal")
    for name in ("keys", "tenants", "storage"):
        assert function(tree, name)["cold_starts"] >= 1
        wait(lambda: function(tree, name)["instances"] == 0)
    assert function(tree, "ingest")["instances"] >= 2


def test_warm_minimum_comes_back_after_a_kill(tree):
    before = instances(tree, "ingest")
    assert len(before) >= 2
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait(lambda: len(set(instances(tree, "ingest")) - set(before)) >= 2)
    assert tree.ingest("after_kill", [{"n": 1}]).status_code == 200


def test_killed_while_busy_is_502_and_costs_nobody_else(tree):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        doomed = pool.submit(tree.call, "GET", "/v1/datasets?sleep=20")
        wait(lambda: function(tree, "catalog")["busy"] == 1)
        victim = instances(tree, "catalog")[0]
        other = pool.submit(tree.call, "GET", "/v1/datasets?sleep=0.3")
        wait(lambda: [asked.get("sleep") for _, asked in tree.calls()][-2:] == ["20", "0.3"])
        os.kill(victim, signal.SIGKILL)
        problem(doomed.result(), 502)
        assert other.result().status_code == 200
    said = function(tree, "catalog")
    assert said["crashes"] >= 1 and "signal: killed" in said["last_error"]
    assert "platform.report" in (tree.data / "logs" / "catalog.log").read_text()


def test_a_crash_is_told_to_who_invokes_directly(tree):
    status, headers, error = invoke(tree, "catalog", {"exit": 3})
    assert status == 200 and headers["X-Amz-Function-Error"] == "Unhandled"
    assert error["errorType"] == "Runtime.ExitError" and "exit status 3" in error["errorMessage"]
    _, _, error = invoke(tree, "catalog", {"raise": "by design"})
    assert error == {"errorType": "Probe", "errorMessage": "by design"}


def test_kills_at_random_lose_no_other_request(tree):
    """200 requests at a time while instances are killed: 200 means stored once, 502 means that instance."""
    rng, stop = random.Random(3), threading.Event()

    def killer():
        while not stop.wait(rng.uniform(0.02, 0.08)):
            pids = instances(tree, "ingest")
            if pids:
                try:
                    os.kill(rng.choice(pids), signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def send(i):
        return i, tree.ingest("killed", [{"n": i}]).status_code

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        with concurrent.futures.ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(send, range(600)))
    finally:
        stop.set()
        thread.join()
    statuses = {s for _, s in answers}
    assert statuses <= {200, 502} and 200 in statuses, statuses
    stored = [n for n, in tree.rows("SELECT n FROM killed")]
    accepted = {i for i, s in answers if s == 200}
    unknown = {i for i, s in answers if s == 502}
    assert len(stored) == len(set(stored)), "doubled"
    assert accepted <= set(stored) <= accepted | unknown, "lost"


def test_a_function_that_cannot_start_does_not_spin(tree):
    good = (tree.tree / "fn" / "catalog" / "bootstrap").read_text()
    wait(lambda: function(tree, "catalog")["instances"] == 0)
    tree.replace("catalog", "#!/bin/false\n")
    try:
        problem(tree.call("GET", "/v1/datasets"), 502)
        deadline, starts = time.time() + 1.5, set()
        while time.time() < deadline:
            starts |= set(instances(tree, "catalog"))
            assert tree.call("GET", "/v1/datasets").status_code == 502
        assert len(starts) < 40
        assert "exit status 1" in function(tree, "catalog")["last_error"]
        assert "platform.initReport" in (tree.data / "logs" / "catalog.log").read_text()
    finally:
        tree.replace("catalog", good)
    wait(lambda: tree.call("GET", "/v1/datasets").status_code == 200)
