"""A tenant moves between two regions of one machine by the state machine tenant-migration, while it is written to: what was acknowledged is there
once, and writers saw nothing but answers to repeat."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import pytest

import conftest
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
    r = Regions(tmp_path_factory.mktemp("r") / "d").up("--registry-lag", "200ms").settle()
    r.region("lag", "200ms", "--scatter", "300ms")  # as DynamoDB: items arrive in no order
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

    wait(settled, seconds=180, every=0.1)
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


def test_a_move_waits_for_no_registry_and_repeats_are_known_all_the_same(regions):
    key, there = regions.tenant_in(US, "early"), regions.one(EU)
    wait(lambda: there.query("SELECT 1", key=key).status_code == 421, seconds=60)
    regions.region("lag", "1h")
    try:
        def send(identity):
            return regions.ingest("events", [{"id": identity}], key=key, headers={"Idempotency-Key": f"k{identity}"})

        for identity in range(20):
            assert wait(lambda: send(identity), seconds=60).json()["accepted"] == 1
        moved = json.loads(migrate_verb(regions, "early", "--to", EU, "--json").stdout)
        assert moved["outcome"] == "moved" and moved["rows"] == 20, moved
        for identity in range(20):  # by the region itself: its registry does not know yet that the tenant is at home there
            again = there.ingest("events", [{"id": identity}], key=key, headers={"Idempotency-Key": f"k{identity}"})
            assert again.status_code == 200 and again.json()["duplicate"], again.text
    finally:
        regions.region("lag", "200ms", "--scatter", "300ms")
    regions.converged()
    found = wait(lambda: regions.query("SELECT count(*), count(DISTINCT id) FROM events", key=key), seconds=60)
    assert found.json()["rows"] == [[20, 20]]


def taken_today(regions, at, tenant):
    with contextlib.closing(sqlite3.connect(f"file:{regions.data}/regions/{at}/tables.db?mode=ro", uri=True)) as db:
        return [json.loads(d)["taken"] for d, in db.execute("SELECT document FROM items WHERE tbl = 'usage' AND pk = ? AND sk LIKE 'records/%'", [tenant])]


def test_what_was_used_of_a_day_goes_along(regions):
    if 86400 - time.time() % 86400 < 600:
        pytest.skip("the day could end within the test")
    regions.run("tenant", "create", "daily", "--region", US)
    changed = regions.one(US).call("PATCH", "/v1/admin/tenants/daily", key=regions.admin_key, json={"quotas": {"records_per_day": 10}})
    assert changed.status_code == 200, changed.text
    key = regions.json("key", "create", "daily", "--region", US)["key"]
    regions.converged()
    assert wait(lambda: regions.query("SELECT 1", key=key), seconds=60).status_code == 200
    assert regions.ingest("app", [{"n": n} for n in range(6)], key=key).status_code == 200
    wait(lambda: taken_today(regions, EU, "daily") == [6], seconds=60)
    assert json.loads(migrate_verb(regions, "daily", "--to", EU, "--json").stdout)["outcome"] == "moved"

    def send(numbers):
        """The first answer that is none to repeat."""
        answers = []
        wait(lambda: answers.append(regions.ingest("app", [{"n": n} for n in numbers], key=key)) or answers[-1].status_code not in (421, 502, 503), seconds=60, every=0.2)
        return answers[-1].status_code

    assert send(range(10, 15)) == 429
    assert send(range(6, 10)) == 200
    assert send([10]) == 429
    assert regions.query("SELECT count(*) FROM app", key=key).json()["rows"] == [[10]]
    wait(lambda: taken_today(regions, US, "daily") == taken_today(regions, EU, "daily") == [10], seconds=60)


# ---- prism tenant migrate ----


def migrate_verb(regions, *args, **kw):
    return regions.run("tenant", "migrate", *args, check=False, **kw)


def begun_by(regions, at, tenant):
    """Tenants of the keys that began moves there, as the audit log has them."""
    return [call["who"].get("tenant", "") for call in regions.json("audit", "list", f"{at}/{tenant}", "--region", at)["calls"] if call["operation"] == "tenant.move"]


def test_the_verb_moves_a_tenant_whichever_region_it_talks_to(regions):
    key = regions.tenant_in(EU, "roaming")
    assert regions.ingest("app", [{"n": n} for n in range(10)], key=key).status_code == 200
    regions.run("tick", "seal", "--region", EU)
    moved = json.loads(migrate_verb(regions, "roaming", "--to", US, "--json").stdout)
    assert {**moved, "execution": "", "bytes_copied": 0, "writers_waited_ms": 0} == {
        "tenant": "roaming", "from": EU, "to": US, "shard": "shard-0", "shard_asked": "shard-0", "execution": "", "outcome": "moved", "epoch": 2, "rounds": 1, "segments": 1,
        "rows": 10, "bytes_copied": 0, "writers_waited_ms": 0}
    assert moved["bytes_copied"] > 0 and moved["writers_waited_ms"] > 0
    shown = regions.json("workflow", "show", moved["execution"], "--region", EU)
    assert shown["status"] == "RUNNING" and json.loads(shown["input"])["tenant"] == "roaming"  # it cleans up later
    back = migrate_verb(regions, "roaming", "--to", EU, "--to-shard", "shard-0", "--region", EU, "--socket")
    assert begun_by(regions, EU, "roaming") == ["_system"] and begun_by(regions, US, "roaming") == [""]  # by the API, by the socket
    assert back.returncode == 0 and back.stdout.startswith(f"roaming has moved to {EU}, shard-0: 10 rows in 1 segment"), back.stdout + back.stderr
    one = regions.one(US)
    one.env["PRISM_DATA"] = str(one.data)
    third = one.run("tenant", "migrate", "roaming", "--to", US, "--no-wait", check=False)
    assert third.returncode == 0, third.stderr
    wait(lambda: regions.query("SELECT count(*) FROM app", key=key).status_code == 200, seconds=60, every=0.1)


def residence(regions, at, tenant):
    """What a region has for a tenant besides the registry: (access points, ids and names of its record, its place among those expected or leaving)."""
    with contextlib.closing(sqlite3.connect(f"file:{regions.data}/regions/{at}/tables.db?mode=ro", uri=True)) as db:
        points = [json.loads(d) for d, in db.execute("SELECT document FROM items WHERE tbl = 'wf_access_points' AND pk = 'points'")]
        record = db.execute("SELECT document FROM items WHERE tbl = 'wf_tenant_resources' AND pk = ?", [tenant]).fetchone()
        stay = db.execute("SELECT document FROM items WHERE tbl = 'shards' AND pk = ? AND sk = ?", [at, f"stay/{tenant}"]).fetchone()
    record = {k: list(v.values())[0] for k, v in json.loads(record[0]).items()} if record else {}
    return [p for p in points if p["ClientToken"] == tenant], record, json.loads(stay[0])["state"] if stay else None


def vacate(regions, at, tenant, epoch):
    """What the machine does behind Clean, minutes after the move."""
    return regions.ask(at, "POST", "/2015-03-31/functions/tenants/invocations", {"op": "move-vacate", "tenant": tenant, "epoch": epoch, "at": at})[1]


def shard_0(regions, at):
    answer = regions.ask(at, "POST", "/2015-03-31/functions/tenants/invocations", {"op": "shards"})[1]
    return next(s for s in answer["shards"] if s["shard"] == "shard-0")


def test_who_is_made_by_up_is_entered_as_all_others_where_it_lives(regions):
    for at, name in ((US, "_system"), (US, "default"), (EU, "_system")):
        wait(lambda: residence(regions, at, name)[1].get("usage_key"), seconds=60, every=0.05)
        (point,), record, _ = residence(regions, at, name)
        assert record["access_point"] == point["AccessPointId"] and record["uid"] == str(point["PosixUser"]["Uid"])
        assert point["RootDirectory"]["Path"] == f"/shards/shard-0/tenants/{name}"
    assert residence(regions, EU, "default")[0] == []


def test_access_point_and_ids_come_before_the_tenant_and_go_after_it(regions):
    key = regions.tenant_in(US, "resident")
    (point,), record, stay = residence(regions, US, "resident")
    assert record["access_point"] == point["AccessPointId"] and record["point_shard"] == "shard-0" and stay is None
    assert residence(regions, EU, "resident") == ([], {}, None)
    assert regions.ingest("app", [{"n": 1}], key=key).status_code == 200
    assert migrate_verb(regions, "resident", "--to", EU).returncode == 0
    (new,), new_record, _ = residence(regions, EU, "resident")
    assert new["RootDirectory"]["Path"] == "/shards/shard-0/tenants/resident" and str(new["PosixUser"]["Uid"]) == new_record["uid"]
    folder = (regions.data / "regions" / EU / "hot" / "resident").stat()
    assert folder.st_mode & 0o7777 == 0o2770 and (os.geteuid() != 0 or folder.st_uid == new["PosixUser"]["Uid"])
    wait(lambda: shard_0(regions, EU) and residence(regions, EU, "resident")[2] is None, seconds=60, every=0.2)  # a look counts who arrived
    assert vacate(regions, US, "resident", 2) == {"vacated": True} == vacate(regions, US, "resident", 2)
    points, record, stay = residence(regions, US, "resident")
    assert points == [] and set(record) == {"tenant", "uid"} and stay is None
    assert vacate(regions, EU, "resident", 2) == {"vacated": False}  # it is at home there
    # back: the same ids as before, since they are never given twice
    assert migrate_verb(regions, "resident", "--to", US).returncode == 0
    (back,), again, _ = residence(regions, US, "resident")
    assert again["uid"] == record["uid"] == str(back["PosixUser"]["Uid"]) and vacate(regions, US, "resident", 2) == {"vacated": False}


def test_a_region_that_is_full_takes_nobody_and_says_so_before_anything_moves(regions):
    key = regions.tenant_in(US, "waiting")
    assert regions.ingest("app", [{"n": 1}], key=key).status_code == 200
    full = shard_0(regions, EU)

    def bound(tenants):
        event = {"op": "shard", "shard": "shard-0", "bounds": {"tenants": tenants}}
        assert "errorType" not in regions.ask(EU, "POST", "/2015-03-31/functions/tenants/invocations", event)[1]

    bound(full["load"]["tenants"])
    try:
        done = migrate_verb(regions, "waiting", "--to", EU)
        assert done.returncode == 3 and done.stdout.startswith(f"waiting stays in {US}, the move was given up: Full"), done.stdout
        assert "no shard of this region may take it" in done.stdout
        assert shard_0(regions, EU)["load"]["tenants"] == full["load"]["tenants"]
        points, record, stay = residence(regions, EU, "waiting")
        assert points == [] and stay is None and "access_point" not in record
        assert regions.ingest("app", [{"n": 2}], key=key).status_code == 200
    finally:
        bound(full["bounds"]["tenants"])


@pytest.mark.parametrize("args, exit_code, says", [
    (["nobody", "--to", EU], 4, "there is no tenant nobody"),
    (["default", "--to", US], 4, f"default is at home in {US} already"),
    (["default", "--to", "eu-west-2"], 4, f"there is no region eu-west-2 (did you mean {EU}?)"),
    (["default", "--to", EU, "--to-shard", "shard-9"], 4, "has no shard shard-9"),
    (["default"], 2, "give --to REGION"),
    (["default", "--to", EU, "--wait", "--no-wait"], 2, "exclude each other"),
    (["_system", "--to", EU], 3, "each region has an operator's tenant of its own"),
])
def test_the_verb_says_what_cannot_be(regions, args, exit_code, says):
    done = migrate_verb(regions, *args)
    assert done.returncode == exit_code and says in done.stderr + done.stdout, (done.returncode, done.stderr, done.stdout)


def test_without_several_regions_there_is_nowhere_to_move_to(tmp_path):
    single = conftest.Region(tmp_path / "d")
    done = single.run("tenant", "migrate", "default", "--to", EU, check=False)
    assert done.returncode == 3 and "prism up --regions" in done.stderr


def fence(regions, at, tenant, **content):
    path = regions.data / "regions" / at / "hot" / tenant / ".fence"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_a_move_that_is_given_up_says_so_and_why(regions):
    key = regions.tenant_in(US, "staying")
    assert regions.ingest("app", [{"n": 1}], key=key).status_code == 200
    fence(regions, EU, "staying", state="left", epoch=2, region=US)  # as a move that was given up there leaves it: its turn is over
    done = migrate_verb(regions, "staying", "--to", EU)
    assert done.returncode == 3 and done.stdout.startswith(f"staying stays in {US}, the move was given up: Fenced"), done.stdout
    assert wait(lambda: regions.query("SELECT n FROM app", key=key), seconds=60).json()["rows"] == [[1]]
    assert regions.ingest("app", [{"n": 2}], key=key).status_code == 200


def test_a_move_that_asks_says_how_to_answer_and_then_goes_on(regions):
    key = regions.tenant_in(US, "asking")
    assert regions.ingest("app", [{"n": 1}], key=key).status_code == 200
    wrong = fence(regions, EU, "asking", state="home", epoch=1000, region="")
    asks = migrate_verb(regions, "asking", "--to", EU)
    assert asks.returncode == 6 and asks.stdout.startswith("asking waits for a decision: Fenced"), asks.stdout
    command = asks.stdout.split("prism workflow approve ")[1].split("\n")[0].split()
    again = migrate_verb(regions, "asking", "--to", EU)
    assert again.returncode == 4 and f"asking is moving already: see prism workflow show {command[0]}" in again.stderr
    wrong.unlink()
    regions.run("workflow", "approve", *command)
    wait(lambda: regions.json("workflow", "show", command[0], "--region", US)["status"] == "FAILED", seconds=60, every=0.1)
    moved = migrate_verb(regions, "asking", "--to", EU)
    assert moved.returncode == 0, moved.stdout + moved.stderr


def test_ctrl_c_ends_the_command_and_not_the_move(regions):
    regions.tenant_in(US, "leaving")
    process = subprocess.Popen([conftest.PRISM, "tenant", "migrate", "leaving", "--to", EU, "--wait"], env=regions.env, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    fenced = regions.data / "regions" / EU / "hot" / "leaving" / ".fence"
    wait(lambda: fenced.exists() and json.loads(fenced.read_text())["state"] == "home", seconds=60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT and out == "" and "the move goes on without this command" in err
    name = err.split("prism workflow show ")[1].split()[0]
    assert regions.json("workflow", "show", name, "--region", US)["status"] == "RUNNING"


def test_a_move_that_was_left_as_it_is_can_be_made_again(regions):
    key = regions.tenant_in(US, "left-over")
    assert regions.ingest("app", [{"n": 1}], key=key).status_code == 200
    wrong = fence(regions, EU, "left-over", state="home", epoch=1000, region="")
    asks = json.loads(migrate_verb(regions, "left-over", "--to", EU, "--json").stdout)
    assert asks["outcome"] == "asks" and asks["error"] == "Fenced"
    regions.run("workflow", "approve", asks["execution"], "--region", US, "--output", '{"action":"stop"}')
    wait(lambda: regions.json("workflow", "show", asks["execution"], "--region", US)["status"] == "FAILED", seconds=60, every=0.1)
    assert regions.query("SELECT n FROM app", key=key).json()["rows"] == [[1]]
    wrong.unlink()
    moved = json.loads(migrate_verb(regions, "left-over", "--to", EU, "--json").stdout)
    assert moved["outcome"] == "moved" and moved["epoch"] == 3
    assert wait(lambda: regions.query("SELECT n FROM app", key=key), seconds=60).status_code in (200, 503)
