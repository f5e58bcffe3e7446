"""A query ends when its client goes, and its instance serves the next one."""

import os
import pathlib
import time

import pytest
import requests

from region_kit import ENDLESS, Tree, begin, environment, function, instances, wait


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    def one(root):
        root["functions"]["query"]["concurrency"].update({"min": 1, "max": 1})

    r = Tree(tmp_path_factory.mktemp("cancel"), functions=one, env=environment()).up()
    yield r
    r.down()


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def leave(tree, sql):
    with pytest.raises(requests.Timeout):
        requests.post(tree.url + "/v1/query", headers={"Authorization": f"Bearer {tree.key}"}, json={"sql": sql}, timeout=0.5)


def test_a_running_query_stops_and_the_instance_goes_on(tree):
    pid, = instances(tree, "query")
    leave(tree, ENDLESS)
    wait(lambda: function(tree, "query")["busy"] == 0)
    used = cpu(pid)
    time.sleep(0.5)
    assert cpu(pid) - used < 0.2
    assert tree.one("SELECT 41 + 1") == 42
    assert instances(tree, "query") == [pid]


def test_a_waiting_query_is_never_started(tree):
    before = function(tree, "query")
    first = begin(tree, tree.key, ENDLESS)
    wait(lambda: function(tree, "query")["busy"] == 1)
    leave(tree, ENDLESS)
    wait(lambda: function(tree, "query")["queued"] == 0)
    first.close()
    wait(lambda: function(tree, "query")["busy"] == 0)
    assert tree.one("SELECT 1") == 1
    assert function(tree, "query")["crashes"] == before["crashes"]


def test_a_streaming_query_stops_when_its_reader_leaves(tree):
    tree.ingest("wide", [{"n": i, "text": "x" * 200} for i in range(2000)])
    answer = requests.post(tree.url + "/v1/query", headers={"Authorization": f"Bearer {tree.key}"}, stream=True,
                           json={"sql": "SELECT a.text, b.n FROM wide a, wide b LIMIT 900000", "format": "ndjson"})
    next(answer.iter_content(1000))
    answer.close()
    wait(lambda: function(tree, "query")["busy"] == 0)
    assert tree.one("SELECT 2") == 2
