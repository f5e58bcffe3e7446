"""The end of a region: what runs is answered, what comes is refused, nothing hangs for ever."""

import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import subprocess
import time

import pytest
import requests

from conftest import alive, children_of
from region_kit import PROBE, Tree, control, environment, function, instances, probe_in_place_of, wait

SLOW_SQL = "SELECT count(*) FROM range(60000) a, range(60000) b WHERE a.range * b.range % 7 = 3"


@pytest.fixture
def tree(tmp_path):
    r = Tree(tmp_path, {"catalog": PROBE}, probe_in_place_of("catalog", timeout_s=60), env=environment()).up()
    yield r
    r.down()


def refused(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


def gone(pid):
    wait(lambda: not alive(pid))


@pytest.mark.parametrize("how", ["SIGTERM", "prism down"])
def test_running_requests_are_answered(tree, how):
    pid, tenant_key = tree.pid, tree.key
    tree.ingest("before", [{"n": 1}])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        slow = pool.submit(tree.call, "GET", "/v1/datasets?until=refused")
        query = pool.submit(tree.query, "SELECT count(*) FROM range(4000) a, range(20000) b WHERE a.range * b.range % 7 = 3")
        wait(lambda: function(tree, "catalog")["busy"] == 1)
        down = pool.submit(tree.run, "down") if how == "prism down" else os.kill(pid, signal.SIGTERM)
        wait(lambda: refused(tree.port))
        tree.let_go("refused")
        assert slow.result().status_code == 200 and query.result().status_code == 200
        if down:
            assert down.result().returncode == 0
    gone(pid)
    assert not (tree.data / "region.sock").exists()
    tree.up()
    assert tree.one("SELECT count(*) FROM before", key=tenant_key) == 1
    told = tree.rows("SELECT status, count(*) FROM access_log WHERE resource = '/v1/datasets' GROUP BY 1", key=tree.admin_key)
    assert told == [[200, 1]]


def test_every_request_sent_while_draining_is_answered_or_never_taken(tree):
    """Writers go on until they are refused; what was answered is there after the restart."""
    answered = []

    def write(worker):
        with requests.Session() as session, contextlib.suppress(requests.ConnectionError):
            for i in range(10000):
                n = worker * 10000 + i
                answer = session.post(f"{tree.url}/v1/ingest/drained", data=json.dumps({"n": n}),
                                      headers={"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"})
                if answer.status_code == 200:
                    answered.append(n)

    key, pid = tree.key, tree.pid
    with concurrent.futures.ThreadPoolExecutor() as pool:
        writers = [pool.submit(write, w) for w in range(8)]
        wait(lambda: len(answered) > 50)
        os.kill(pid, signal.SIGTERM)
        for writer in writers:
            writer.result()
    gone(pid)
    tree.up()
    stored = [n for n, in tree.rows("SELECT n FROM drained LIMIT 100000")]
    assert len(stored) == len(set(stored)) and set(answered) <= set(stored)


def test_idle_and_half_sent_connections_do_not_hold_a_drain(tmp_path):
    tree = Tree(tmp_path, env=environment(PRISM_REGION_DRAIN_MS=800)).up()
    pid = tree.pid
    idle, half = (socket.create_connection(("127.0.0.1", tree.port)) for _ in range(2))
    half.sendall(b"POST /v1/ingest/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
    time.sleep(0.1)
    assert tree.run("down").returncode == 0
    gone(pid)
    idle.close(), half.close()


def test_a_stuck_function_is_cut_when_the_drain_is_over(tmp_path):
    tree = Tree(tmp_path, {"catalog": PROBE}, probe_in_place_of("catalog", timeout_s=60), env=environment(PRISM_REGION_DRAIN_MS=500)).up()
    pid = tree.pid
    with concurrent.futures.ThreadPoolExecutor() as pool:
        stuck = pool.submit(tree.call, "GET", "/v1/datasets?sleep=50")
        wait(lambda: function(tree, "catalog")["busy"] == 1)
        below = children_of(pid)
        assert tree.run("down", timeout=60).returncode == 0
        wait(lambda: not [p for p in below if alive(p)])  # the kernel ends them when the region is gone
        with pytest.raises(requests.ConnectionError):
            stuck.result()


def test_a_second_signal_hurries(tree):
    pid = tree.pid
    with concurrent.futures.ThreadPoolExecutor() as pool:
        stuck = pool.submit(tree.call, "GET", "/v1/datasets?sleep=50")
        wait(lambda: function(tree, "catalog")["busy"] == 1)
        below = children_of(pid)
        os.kill(pid, signal.SIGTERM)
        wait(lambda: tree.status()["phase"] == "draining")
        os.kill(pid, signal.SIGTERM)
        gone(pid)
        wait(lambda: not [p for p in below if alive(p)])  # the kernel ends them when the region is gone
        with pytest.raises(requests.ConnectionError):
            stuck.result()
    assert "second signal" in (tree.data / "logs" / "region.log").read_text()


def test_a_client_that_left_does_not_spoil_a_drain(tree):
    """The function still has the event when the connections are gone."""
    pid = tree.pid
    with socket.create_connection(("127.0.0.1", tree.port)) as client:
        client.sendall(f"GET /v1/datasets?sleep=3 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tree.key}\r\n\r\n".encode())
        wait(lambda: function(tree, "catalog")["busy"] == 1)
    os.kill(pid, signal.SIGTERM)
    gone(pid)
    tree.up()
    rows = tree.rows("SELECT error_message FROM access_log WHERE resource = '/v1/datasets'", key=tree.admin_key)
    assert rows == [["client went away"]]


def test_status_answers_while_draining_and_work_is_refused(tree):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        slow = pool.submit(tree.call, "GET", "/v1/datasets?until=seen")
        wait(lambda: function(tree, "catalog")["busy"] == 1)
        tree.ingest("x", [{"n": 1}])
        os.kill(tree.pid, signal.SIGTERM)
        wait(lambda: tree.status()["phase"] == "draining")
        status, _, body = control(tree, "POST", "/tick/seal")
        assert status == 503 and b"draining" in body
        tree.let_go("seen")
        while True:
            try:
                assert control(tree, "GET", "/status")[0] == 200
            except OSError:
                break
        assert slow.result().status_code == 200


def test_exit_status_in_the_foreground(tmp_path):
    tree = Tree(tmp_path)
    up = subprocess.Popen([tree.tree / "prism", "up"], env=tree.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait(lambda: (tree.data / "region.sock").exists() and not refused(tree.port))
    up.send_signal(signal.SIGINT)
    up.communicate(timeout=60)
    assert up.returncode == 0


def test_kill_9_leaves_no_function_behind(tree):
    pid = tree.pid
    with concurrent.futures.ThreadPoolExecutor() as pool:
        busy = pool.submit(tree.query, SLOW_SQL)
        wait(lambda: function(tree, "query")["busy"] == 1)
        below = [p for p in children_of(pid) if p not in instances(tree, "catalog")]
        assert len(below) >= 4
        os.kill(pid, signal.SIGKILL)
        wait(lambda: not [p for p in below if alive(p)])
        with pytest.raises(requests.ConnectionError):
            busy.result()
    assert (tree.data / "region.sock").exists() and (tree.data / "region.lock").exists()
    tree.up()
    assert tree.ingest("again", [{"n": 1}]).status_code == 200
