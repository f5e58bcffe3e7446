"""A full disk: refused with a reason, nothing stored is harmed, and it works again once there is room."""

import json
import os
import subprocess
import threading

import pytest

from region_kit import Tree, environment, invoke, wait

RECORDS = [{"n": 0, "text": os.urandom(600).hex()} for _ in range(100)]


@pytest.fixture
def tree(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs", data], capture_output=True).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    r = Tree(tmp_path, env=environment())
    try:
        yield r.up()
    finally:
        r.down()
        subprocess.run(["umount", "-l", data], check=True)


def batch(number):
    return [{**record, "n": number * 100 + i} for i, record in enumerate(RECORDS)]


def fill(tree):
    """All room that is left."""
    with open(tree.data / "ballast", "wb", buffering=0) as ballast:
        piece = 1 << 20
        while piece >= 512:
            try:
                while ballast.write(b"\0" * piece) == piece:
                    pass
            except OSError:
                pass
            piece //= 2


def send_until_refused(tree, first):
    for number in range(first, first + 2000):
        answer = tree.ingest("kept", batch(number))
        if answer.status_code != 200:
            return number, answer
    raise AssertionError("the disk never was full")


def check(tree, batches):
    assert tree.rows("SELECT count(*), count(DISTINCT n), max(n) FROM kept") == [[batches * 100, batches * 100, batches * 100 - 1]]


def test_ingest_is_refused_and_goes_on_when_there_is_room(tree):
    assert tree.ingest("kept", batch(0)).status_code == 200
    fill(tree)
    stored, refused = send_until_refused(tree, 1)
    assert refused.status_code in (503, 507), refused.text
    assert refused.headers["Content-Type"] == "application/problem+json" and refused.json()["detail"]
    check(tree, stored)
    for _ in range(20):
        assert tree.ingest("kept", batch(stored)).status_code in (503, 507)
    status, _, error = invoke(tree, "storage", {"op": "seal"}, kind="Event")
    assert status in (503, 507), error
    assert tree.status()["phase"] == "serving"
    check(tree, stored)
    (tree.data / "ballast").unlink()
    wait(lambda: tree.ingest("kept", batch(stored)).status_code == 200)
    check(tree, stored + 1)
    tree.run("tick", "seal")
    check(tree, stored + 1)


def test_sealing_on_a_full_disk_loses_nothing(tree):
    for number in range(20):
        assert tree.ingest("kept", batch(number)).status_code == 200
    fill(tree)
    assert "failed" in tree.run("tick", "seal", check=False).stdout
    check(tree, 20)
    (tree.data / "ballast").unlink()
    tree.run("tick", "seal")
    check(tree, 20)
    assert list(tree.parquet("segments").rglob("*.parquet"))


def test_a_region_starts_on_a_full_disk(tree):
    assert tree.ingest("kept", batch(0)).status_code == 200
    fill(tree)
    pid = tree.pid
    assert tree.down().returncode == 0
    wait(lambda: not os.path.exists(f"/proc/{pid}"))
    tree.up()
    answer = tree.query("SELECT 1")
    assert answer.status_code == 200 or answer.json()["detail"], answer.text
    (tree.data / "ballast").unlink()
    wait(lambda: tree.query("SELECT 1").status_code == 200)
    check(tree, 1)
    assert tree.ingest("kept", batch(1)).status_code == 200
    check(tree, 2)


def test_workflows_stand_still_on_a_full_disk_and_go_on(tree):
    """Nothing is told that the journal does not know: a start that cannot be written is not answered until it is. By the socket: what the audit log cannot tell the API does not do."""
    tree.run("workflow", "start", "data-lifecycle", "--wait")
    fill(tree)
    answers = []

    def start(i):
        answers.append(tree.run("workflow", "start", "data-lifecycle", "--name", f"full{i}", "--input", json.dumps({"pad": "x" * 100000}), "--socket", check=False))

    starts = [threading.Thread(target=start, args=(i,)) for i in range(8)]
    for thread in starts:
        thread.start()
    wait(lambda: tree.status()["workflows"]["stalled"], seconds=60)
    (tree.data / "ballast").unlink()
    for thread in starts:
        thread.join(timeout=60)
    assert [answer.returncode for answer in answers] == [0] * 8
    wait(lambda: tree.status()["workflows"]["running"] == 0, seconds=60)
    executions = {e["name"]: e["status"] for e in tree.json("workflow", "list")["executions"]}
    assert all(executions[f"full{i}"] == "SUCCEEDED" for i in range(8)), executions
    assert not tree.status()["workflows"]["stalled"]
