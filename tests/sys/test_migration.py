"""A tenant moves between two regions of one machine by the state machine tenant-migration, while it is written to: what was acknowledged is there
once, and writers saw nothing but answers to repeat."""

import json
import os
import shutil
import threading
import time

import pytest

from region_kit import wait
from test_regions import EU, US, Regions

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is missing: run tools/setup test"),
    pytest.mark.skipif(os.environ.get("PRISM_TEST_STORES") == "aws", reason="several regions keep their stores in their folders"),
]


class Writer(threading.Thread):
    """One batch after the other with a key of its own, each repeated until it is answered with 200."""

    def __init__(self, number, send):
        super().__init__(daemon=True)
        self.number, self.send = number, send
        self.stop, self.count, self.statuses, self.longest_s = threading.Event(), 0, set(), 0.0

    def run(self):
        while not self.stop.is_set():
            identity, began = self.number * 1_000_000 + self.count, time.monotonic()
            while True:
                try:
                    status = self.send(identity)
                except OSError:
                    status = 0
                self.statuses.add(status)
                if status == 200:
                    break
                time.sleep(0.02)
            self.longest_s = max(self.longest_s, time.monotonic() - began)
            self.count += 1


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    r = Regions(tmp_path_factory.mktemp("r") / "d").up("--registry-lag", "400ms").settle()
    yield r
    r.down()


def migrate(regions, source, target):
    """Starts the machine in the source; returns once the target is the home and takes records."""
    region = regions.one(source)
    request = {"tenant": "mover", "to": target, "to_prefix": "prism", "to_shard": "shard-0"}
    region.run("workflow", "start", "tenant-migration", "--input", json.dumps(request))
    fence = regions.data / "regions" / target / "hot" / "mover" / ".fence"

    def settled():
        return fence.exists() and json.loads(fence.read_text())["state"] == "home"

    wait(settled, seconds=60, every=0.1)
    there = regions.one(target)  # the registry follows when it has been replicated
    wait(lambda: there.call("GET", "/v1/admin/tenants/mover", key=regions.admin_key).json().get("home_region") == target, seconds=60, every=0.05)


def test_a_tenant_moves_there_and_back_while_it_is_written_to(regions):
    key = regions.tenant_in(US, "mover")
    wait(lambda: regions.query("SELECT 1", key=key).status_code == 200, seconds=60, every=0.2)

    def send(identity):
        return regions.ingest("events", [{"id": identity}], key=key, headers={"Idempotency-Key": f"k{identity}"}).status_code

    writers = [Writer(i, send) for i in range(2)]
    for writer in writers:
        writer.start()
    wait(lambda: all(w.count > 5 for w in writers), seconds=60)
    for source, target in ((US, EU), (EU, US)):
        migrate(regions, source, target)
        before = [w.count for w in writers]
        wait(lambda: all(w.count > n + 5 for w, n in zip(writers, before)), seconds=60)
    for writer in writers:
        writer.stop.set()
    for writer in writers:
        writer.join(60)
        assert not writer.is_alive()
    wanted = sorted(w.number * 1_000_000 + i for w in writers for i in range(w.count))
    found = wait(lambda: regions.query("SELECT id FROM events ORDER BY id", key=key), seconds=60)
    assert found.status_code == 200, found.text
    assert [row[0] for row in found.json()["rows"]] == wanted
    assert set().union(*(w.statuses for w in writers)) <= {0, 200, 409, 421, 502, 503}, [w.statuses for w in writers]
    print("longest", [w.longest_s for w in writers], [w.statuses for w in writers])
