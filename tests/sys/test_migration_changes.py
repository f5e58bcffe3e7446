"""What else a moving tenant has than records: its place on a shard, its keys, its datasets' retention and drops. All of it is changed while the tenant
moves to and fro between two regions, and whatever was acknowledged holds afterwards."""

import json
import os
import shutil
import threading
import time

import pytest

from isolation_kit import EU, US, Fleet, Tenant, ask
from region_kit import wait

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is missing: run tools/setup test"),
    pytest.mark.skipif(os.environ.get("PRISM_TEST_STORES") == "aws", reason="several regions keep their stores in their folders"),
]

JSON = ("Content-Type", "application/json")
TO_REPEAT = {409, 421, 429, 502, 503}
MOVES = 4


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    f = Fleet(tmp_path_factory.mktemp("c"), authorizer_ttl_s=1)
    f.run("up", "--detach", "--regions", ",".join(f.names), "--registry-lag", "200ms")
    f.settle()
    yield f
    f.down()


def counts(fleet, region, *more):
    shards = json.loads(fleet.run("tenant", "placement", "--json", "--region", region, *more).stdout)["shards"]
    return {s["shard"]: s["load"]["tenants"] for s in shards}


def home(fleet, name, region):
    """The tenant as that region's registry has it."""
    return ask(fleet.port_of(region), "GET", f"/v1/admin/tenants/{name}", fleet.admin_key).json()


def move(fleet, name, source, target, shard):
    request = {"tenant": name, "to": target, "to_prefix": "prism", "to_shard": shard}
    fleet.run("workflow", "start", "tenant-migration", "--region", source, "--input", json.dumps(request))
    fence = fleet.data / "regions" / target / "hot" / name / ".fence"
    for region in (target, source):
        wait(lambda: home(fleet, name, region).get("home_region") == target, seconds=90, every=0.05)
    wait(lambda: fence.exists() and json.loads(fence.read_text())["state"] == "home", seconds=60, every=0.05)


def test_shards_count_a_tenant_where_it_is(fleet):
    """A local region's functions are those of shard-0; from shard to shard: tests/unit/svc/sharding/test_placement.c."""
    tenant = Tenant(fleet, "placed", US, "shard-0")
    wait(lambda: "name" in home(fleet, "placed", EU), seconds=60, every=0.05)
    before = {r: counts(fleet, r) for r in (US, EU)}
    for source, target, there in ((US, EU, {US: -1, EU: 1}), (EU, US, {US: 0, EU: 0})):
        move(fleet, tenant.name, source, target, "shard-0")
        now = {r: counts(fleet, r) for r in (US, EU)}
        assert now == {r: before[r] | {"shard-0": before[r]["shard-0"] + there[r]} for r in (US, EU)}
        assert now == {r: counts(fleet, r, "--recount") for r in (US, EU)}


def test_the_verb_tells_the_shard_that_took_the_tenant_when_the_one_it_asked_for_was_full(fleet):
    tenant = Tenant(fleet, "crowded", US, "shard-0")
    wait(lambda: "name" in home(fleet, "crowded", EU), seconds=60, every=0.05)
    full = counts(fleet, EU)["shard-0"]

    def bound(tenants):
        fleet.run("invoke", "tenants", "-", "--region", EU, input=json.dumps({"op": "shard", "shard": "shard-0", "bounds": {"tenants": tenants}}))

    bound(full)
    try:
        moved = json.loads(fleet.run("tenant", "migrate", tenant.name, "--to", EU, "--to-shard", "shard-0", "--json").stdout)
    finally:
        bound(2000)
    assert (moved["outcome"], moved["shard_asked"], moved["shard"]) == ("moved", "shard-0", "shard-1")
    wait(lambda: home(fleet, tenant.name, EU)["shard"] == "shard-1", seconds=60, every=0.05)
    back = fleet.run("tenant", "migrate", tenant.name, "--to", US, "--to-shard", "shard-1")
    assert back.stdout.startswith(f"crowded has moved to {US}, shard-1: "), back.stdout


class Changer(threading.Thread):
    """Makes keys and revokes every other one, makes datasets, gives them a retention and drops every other one; each step until it is acknowledged."""

    def __init__(self, tenant, door):
        super().__init__(daemon=True)
        self.tenant, self.door, self.ending = tenant, door, threading.Event()
        self.opens, self.ended, self.retention, self.dropped, self.statuses = [], [], {}, [], set()
        self.failure = None

    def until_done(self, method, path, body, done, kind=JSON):
        while True:
            try:
                answer = ask(self.door, method, path, self.tenant.key, [kind], body)
            except OSError:
                time.sleep(0.02)
                continue
            self.statuses.add(answer.status)
            if answer.status in done:
                return answer
            assert answer.status in TO_REPEAT, answer.text()
            time.sleep(0.02)

    def turn(self, i):
        keys, name = f"/v1/admin/tenants/{self.tenant.name}/keys", f"d{i}"
        made = self.until_done("POST", keys, {"scopes": ["query"]}, {201}).json()["key"]
        self.until_done("POST", f"/v1/ingest/{name}", json.dumps({"n": i}) + "\n", {200}, ("Content-Type", "application/x-ndjson"))
        if i % 2:
            self.until_done("DELETE", f"{keys}/{made.split('_')[1]}", None, {200})
            self.until_done("DELETE", f"/v1/datasets/{name}", None, {200, 404})  # 404: one that was told to repeat was carried after all
            self.ended.append(made)
            self.dropped.append(name)
        else:
            self.until_done("PUT", f"/v1/datasets/{name}/retention", {"days": 100 + i}, {200})
            self.opens.append(made)
            self.retention[name] = 100 + i

    def run(self):
        try:
            i = 0
            while not self.ending.is_set() and i < 150:
                self.turn(i)
                i += 1
        except Exception as error:  # told by whoever waits for it
            self.failure = error


def test_what_was_acknowledged_of_keys_and_datasets_holds_after_moves(fleet):
    tenant = Tenant(fleet, "changing", US, "shard-0")
    fleet.known_everywhere([tenant])
    wait(lambda: ask(fleet.port, "GET", "/v1/datasets", tenant.key).status == 200, seconds=60, every=0.1)
    changer = Changer(tenant, fleet.port)
    changer.start()
    for i in range(MOVES):
        source, target = ((US, EU), (EU, US))[i % 2]
        before = len(changer.opens)
        move(fleet, "changing", source, target, "shard-0")
        wait(lambda: len(changer.opens) > before + 1 or not changer.is_alive(), seconds=60, every=0.05)
    changer.ending.set()
    changer.join(60)
    assert changer.failure is None and not changer.is_alive(), changer.failure
    assert len(changer.opens) > MOVES and len(changer.ended) >= MOVES
    fleet.converged()
    port = fleet.port_of(US)
    wait(lambda: ask(port, "GET", "/v1/datasets", changer.ended[-1]).status == 401, seconds=60, every=0.1)
    wait(lambda: ask(port, "GET", "/v1/datasets", tenant.key).status == 200, seconds=60, every=0.1)
    found = {d["name"]: d["retention_days"] for d in ask(port, "GET", "/v1/datasets", tenant.key).json()["datasets"]}
    assert found == changer.retention and not set(found) & set(changer.dropped)
    for region in (US, EU):
        for key in changer.opens:
            assert ask(fleet.port_of(region), "GET", "/v1/datasets", key).status in ({200} if region == US else {421}), region
        for key in changer.ended:
            assert ask(fleet.port_of(region), "GET", "/v1/datasets", key).status == 401, region
    listed = {k["key_id"] if "key_id" in k else k["id"]: k["status"] for k in ask(port, "GET", f"/v1/admin/tenants/{tenant.name}/keys", tenant.key).json()["keys"]}
    assert all(listed[k.split("_")[1]] == "active" for k in changer.opens) and all(listed[k.split("_")[1]] == "revoked" for k in changer.ended)
    print(len(changer.opens), len(changer.ended), sorted(changer.statuses))
