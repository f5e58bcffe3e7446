"""A move whose two regions lose each other between the decision and its end, step by step instead of by the machine, so that the moment is exact: writers
are served all the same, nothing is lost or doubled, and no query misses what was acknowledged."""

import os
import shutil

import pytest

from region_kit import wait
from test_regions import EU, US, Regions

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is missing: run tools/setup test"),
    pytest.mark.skipif(os.environ.get("PRISM_TEST_STORES") == "aws", reason="several regions keep their stores in their folders"),
]


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    r = Regions(tmp_path_factory.mktemp("r") / "d").up().settle()
    yield r
    r.down()


class Steps:
    """The steps of one move, as the machine makes them."""

    def __init__(self, regions, tenant):
        self.regions, self.tenant = regions, tenant
        self.key, self.there = regions.tenant_in(US, tenant), regions.one(EU)
        wait(lambda: self.there.query("SELECT 1", key=self.key).status_code == 421, seconds=60)  # its registry knows the key
        begun = self.call(US, "tenants", "move-begin", to=EU, shard="shard-0")
        self.epoch = begun["moving"]["epoch"]
        self.call(EU, "tenants", "move-place", epoch=self.epoch, shard="shard-0", tier=begun["tier"], at=EU)
        self.sent = 0

    def call(self, at_region, function, op, **more):
        status, answer = self.regions.ask(at_region, "POST", f"/2015-03-31/functions/{function}/invocations", {"op": op, "tenant": self.tenant, **more})
        assert status == 200 and "errorType" not in answer, answer
        return answer

    def step(self, at, op, **more):
        return self.call(at, "storage", f"move-{op}", epoch=self.epoch, at=at, **more)

    def close(self):
        """Up to the moment from which nobody can give up alone."""
        self.step(EU, "greet", region=US)
        self.write(self.regions, 3)
        freeze = self.step(US, "freeze", region=EU, for_ms=60_000)["freeze"]
        packed = self.step(US, "pack")
        self.source = packed["source"]
        fetched = self.step(EU, "fetch", source=self.source)
        assert packed["last"] and fetched["last"] and fetched["rows"] == 3
        self.step(US, "close", freeze=freeze, spool_after_ms=400)

    def send(self, where, identity):
        return where.ingest("events", [{"id": identity}], key=self.key, headers={"Idempotency-Key": f"k{identity}"})

    def write(self, where, count):
        for _ in range(count):
            wait(lambda: self.repeat(where), seconds=60, every=0.05)
            self.sent += 1

    def repeat(self, where):
        answer = self.send(where, self.sent)
        assert answer.status_code in (200, 503), answer.text
        return answer.status_code == 200

    def query(self):
        return self.regions.query("SELECT count(*), count(DISTINCT id) FROM events", key=self.key)

    def check_all(self):
        found = wait(lambda: self.query() if self.query().status_code == 200 else None, seconds=60)
        assert found.json()["rows"] == [[self.sent, self.sent]]


def test_moved_what_came_in_a_partition_behind_the_decision_is_there_once(regions):
    move = Steps(regions, "between")
    move.close()
    move.step(US, "leave", region=EU)
    regions.region("partition", US, EU)
    try:
        move.write(regions, 5)
        assert move.query().status_code == 503  # no answer rather than one that misses something
    finally:
        regions.region("heal", US, EU)
    move.step(EU, "receive")
    assert move.send(move.there, move.sent - 1).status_code == 200  # the answer of the source was lost, and the target is asked
    move.write(move.there, 2)
    assert move.there.query("SELECT 1 FROM events", key=move.key).status_code == 503
    move.write(regions, 1)  # the edge still goes to the source, which does not know yet
    move.call(US, "tenants", "move-commit", epoch=move.epoch, shard="shard-0")
    move.step(US, "finish")
    assert move.send(regions.one(US), 0).status_code == 421
    assert move.step(EU, "settle", source=move.source)["spooled"] == 6
    move.check_all()
    move.step(US, "clean")
    assert not (regions.data / "regions" / US / "hot" / "between" / ".spool").exists()
    move.check_all()


def test_given_up_what_came_in_a_partition_is_there_once(regions):
    move = Steps(regions, "staying")
    move.close()
    assert move.query().status_code == 200
    regions.region("partition", US, EU)
    try:
        move.write(regions, 5)
        assert move.query().status_code == 503
        assert move.step(US, "stay")["spooled"] == 5
        move.check_all()
        move.call(US, "tenants", "move-abort", epoch=move.epoch)
    finally:
        regions.region("heal", US, EU)
    move.step(EU, "part", region=US)
    move.write(regions, 1)
    move.check_all()
