"""Migration under fire: a tenant moves to and fro between two regions while four writers and two readers use it through the edge router, and while
functions and whole regions are killed, the registry lags and the regions are cut off from each other, at moments that a seed decides.

What has to hold: no acknowledged record is lost or doubled, no answer of a query misses a record that was acknowledged before the query was sent (a row is
visible as soon as its request was answered: docs/api.md), writers and readers see nothing but answers that say to repeat, and in the end all is in one
region and nothing is left in the other.

PRISM_FIRE_ROUNDS and PRISM_FIRE_SEED set how many migrations and which, PRISM_FIRE_LONG_CUTS which share of the partitions outlasts the machine's patience
(`make soak-migration`). With PRISM_FIRE_AIM_MS a migration for which a writer was refused for longer fails the run, also where the home's process itself was dead. Only where
functions were stopped, which issue 6 does not ask for, the time for which the home's own ingest or authorizer was stopped is taken off. PRISM_FIRE_CONTROLS is how many
times the same faults come without any migration, for comparison."""

import collections
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import threading
import time

import pytest
import requests

from region_kit import instances, wait
from test_regions import EU, US, Regions

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is missing: run tools/setup test"),
    pytest.mark.skipif(os.environ.get("PRISM_TEST_STORES") == "aws", reason="several regions keep their stores in their folders"),
]

ROUNDS = int(os.environ.get("PRISM_FIRE_ROUNDS", "6"))
SEED = int(os.environ.get("PRISM_FIRE_SEED", "1"))
SOAK = ROUNDS > 20
AIM_MS = int(os.environ.get("PRISM_FIRE_AIM_MS", "0"))  # 0: nothing is asserted of time
WRITERS, READERS, BATCH = 4, 2, 3
REPEAT = {409, 429, 502, 503, 504}  # docs/api.md: each of them says to repeat
LONG_S = 2
LATE_S = 0.1
PATIENCE_S = 300  # for what must happen; a broken run ends, a slow machine has time
FUNCTIONS = ("ingest", "query", "storage", "tenants", "authorizer")
FAULTS = ((), ("functions",), ("functions",), ("lag",), ("lag", "functions"), ("region",), ("region", "functions"), ("partition",),
          ("partition", "lag", "functions"), ("pauses",), ("pauses", "functions"))
OUTAGES = {"region", "partition", "pauses"}
CONTROLS = int(os.environ.get("PRISM_FIRE_CONTROLS", "0"))
ONLY = set(filter(None, os.environ.get("PRISM_FIRE_FAULTS", "").split(",")))  # migrations with one of these alone, to look into them
KILL_HOME = os.environ.get("PRISM_FIRE_KILLS") == "home"  # always the region that has the tenant at that moment
WRITERS_NEED = {"ingest", "authorizer"}
SHOWN_MS = 1000  # a migration that kept a writer waiting for longer is shown step by step
CUT_S_MAX = 3.0
LONG_CUT_S = 45.0  # longer than the machine tries again: the move is given up, or asks
LONG_CUTS = float(os.environ.get("PRISM_FIRE_LONG_CUTS", "0"))  # the share of partitions that are so long


class Failure(Exception):
    pass


class Client(threading.Thread):
    """Repeats one request until it is answered, notes how long it was refused, and stops everything at an answer that is none to repeat."""

    def __init__(self, fire, name):
        super().__init__(daemon=True, name=name)
        self.fire, self.session = fire, requests.Session()
        self.refusals = []  # (when the first refused attempt was sent, when another was answered)
        self.late = []  # the same of what was never refused, but answered late
        self.reasons = collections.Counter()  # of the request that is being repeated
        self.statuses = collections.Counter()

    def attempt(self, method, path, **kw):
        """The answer, or None when it says to repeat."""
        try:
            answer = self.session.request(method, self.fire.regions.url + path, timeout=60, **kw)
        except requests.RequestException:
            self.statuses[0] += 1  # cut off with the region that was answering
            self.reasons["cut off"] += 1
            return None
        self.statuses[answer.status_code] += 1
        if answer.status_code == 200:
            return answer
        if answer.status_code not in REPEAT:
            raise Failure(f"{answer.status_code} {answer.text[:500]}")
        self.reasons[f"{answer.status_code} {answer.json().get('detail')}"] += 1
        return None

    def insist(self, send):
        began = time.monotonic()
        refused = False
        self.reasons.clear()
        while (value := send()) is None:
            refused = True
            if self.fire.broken or time.monotonic() - began > PATIENCE_S:
                raise Failure(f"refused for {time.monotonic() - began:.0f} s: {dict(self.reasons)}")
            time.sleep(0.02)
        if refused:
            self.refusals.append((began, time.monotonic()))
        elif time.monotonic() - began > LATE_S:  # the router waits for a region that refuses connections; a function may be stopped
            self.late.append((began, time.monotonic()))
        if refused and time.monotonic() - began > LONG_S:
            print(f"     {self.name} was refused for {time.monotonic() - began:.1f} s: {dict(self.reasons)}", flush=True)
        return value

    def run(self):
        try:
            while not self.fire.stop.is_set():
                self.turn()
        except Exception as error:  # noqa: BLE001: whatever ends a client ends the test
            self.fire.broken.append(f"{self.name}: {error}")

    def turn(self):
        raise NotImplementedError


class Writer(Client):
    """Batches 0, 1, 2, ...; the next one is sent when the one before is acknowledged."""

    def __init__(self, fire, number):
        super().__init__(fire, f"writer {number}")
        self.number, self.acknowledged = number, 0
        self.pause = random.Random(f"{SEED}/{number}")

    def send(self):
        records = [{"w": self.number, "n": self.acknowledged * BATCH + i, "text": hashlib.md5(f"{self.number}/{self.acknowledged * BATCH + i}".encode()).hexdigest()} for i in range(BATCH)]
        answer = self.attempt("POST", "/v1/ingest/events", data="".join(json.dumps(r) + "\n" for r in records).encode(),
                              headers={**self.fire.headers, "Content-Type": "application/x-ndjson", "Idempotency-Key": f"{self.number}-{self.acknowledged}"})
        if answer is not None and answer.json()["accepted"] != BATCH:
            raise Failure(f"{self.name}: {answer.text}")
        return answer

    def turn(self):
        self.insist(self.send)
        self.acknowledged += 1
        time.sleep(self.pause.uniform(0.0, 0.08))


class Reader(Client):
    def __init__(self, fire, number):
        super().__init__(fire, f"reader {number}")
        self.answers = 0
        self.pause = random.Random(f"{SEED}/r{number}")

    def send(self):
        known = [w.acknowledged for w in self.fire.writers]
        answer = self.attempt("POST", "/v1/query", json={"sql": TOTALS}, headers=self.fire.headers)
        if answer is not None:
            check_totals(self.name, known, answer.json()["rows"], [w.acknowledged + 1 for w in self.fire.writers])
        return answer

    def turn(self):
        self.insist(self.send)
        self.answers += 1
        time.sleep(self.pause.uniform(0.0, 0.3))


TOTALS = """SELECT w, count(*), count(DISTINCT n), max(n), sum(n), count(*) FILTER (text = md5(concat(w, '/', n))) FROM events GROUP BY w ORDER BY w"""


def check_totals(who, known, rows, sent):
    """Each writer's batches from the first one on without a gap or a double: all that were acknowledged, at most one more."""
    found = {row[0]: [int(value) for value in row[1:]] for row in rows}
    for writer, acknowledged in enumerate(known):
        count, distinct, last, total, right = found.get(writer, (0, 0, -1, 0, 0))
        whole = count == distinct == right == last + 1 and total == count * (count - 1) // 2
        if not whole or not acknowledged * BATCH <= count <= sent[writer] * BATCH:
            raise Failure(f"{who}: of writer {writer} {acknowledged} batches were acknowledged, and there are {count} records, {distinct} different, "
                          f"up to {last}, adding up to {total}, {right} with their own text")


class Move:
    """What became of one migration."""

    def __init__(self, number, source, target, faults):
        self.number, self.source, self.target, self.faults = number, source, target, faults
        self.began, self.ended, self.outcome = time.monotonic(), 0.0, ""
        self.asked, self.tries = 0, []
        self.waited_ms = 0.0  # the longest that a writer was refused
        self.own_ms = 0.0  # without the time for which the home itself was away
        self.late_ms = 0.0  # the longest that a writer waited for an answer without being refused
        self.execution, self.freezes = "", 0
        self.outages = []  # (what, region, began, ended)

    @property
    def aimed_ms(self):
        return self.own_ms if "pauses" in self.faults else self.waited_ms

    @property
    def counts(self):
        return not OUTAGES & set(self.faults)

    def __str__(self):
        return (f"{self.number:4} {self.source} -> {self.target} {self.outcome}, {self.ended - self.began:.2f} s, writers waited "
                f"{self.waited_ms:.0f} ms ({self.own_ms:.0f} of its own), answered late {self.late_ms:.0f} ms, {self.freezes} freezes, asked {self.asked}, tried {1 + len(self.tries)}, faults: {', '.join(self.faults) or 'none'}")


def overlap(a, b):
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0]))


def union(spans):
    """The same time without doubles."""
    merged = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([begin, end])
    return merged


class Fire:
    def __init__(self, regions, chance):
        self.regions, self.chance = regions, chance
        self.stop, self.broken, self.moves, self.controls = threading.Event(), [], [], []
        self.headers = {"Authorization": f"Bearer {regions.tenant_in(US, 'mover')}"}
        self.writers = [Writer(self, i) for i in range(WRITERS)]
        self.readers = [Reader(self, i) for i in range(READERS)]

    def check(self):
        assert not self.broken, self.broken

    def until(self, condition):
        """As wait(), but a client that failed ends it."""
        def either():
            self.check()
            return condition()

        return wait(either, seconds=PATIENCE_S, every=0.03)

    def start(self):
        for writer in self.writers:
            writer.start()
        self.until(lambda: all(w.acknowledged for w in self.writers))
        for reader in self.readers:
            reader.start()
        self.until(lambda: all(r.answers for r in self.readers))

    def faults(self, kinds=frozenset()):
        """Some that are of these kinds, if there are any, and of those that were asked for."""
        return self.chance.choice([f for f in FAULTS if (not kinds or kinds & set(f)) and (not ONLY or ONLY & set(f))])

    def finish(self):
        self.stop.set()
        for client in (*self.writers, *self.readers):
            client.join(PATIENCE_S)
        self.check()

    def fence(self, region):
        """(state, epoch) as the region's disk says."""
        with contextlib.suppress(FileNotFoundError):
            fence = json.loads((self.regions.data / "regions" / region / "hot" / "mover" / ".fence").read_text())
            return fence["state"], fence["epoch"]
        return "none", 0

    def home_of(self, move):
        return move.target if self.fence(move.target)[0] in ("taking", "home") else move.source

    # ---- faults ----

    def signal_function(self, region, number):
        """To one instance of a function, or to all of them; its name and their process ids."""
        one, name = self.regions.one(region), self.chance.choice(FUNCTIONS)
        with contextlib.suppress(AssertionError):  # the region itself may be away
            pids = instances(one, name)[: self.chance.choice((1, 100))]
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            return name, pids
        return name, []

    @contextlib.contextmanager
    def outage(self, move, what, region):
        began = time.monotonic()
        yield
        move.outages.append((what, region, began, time.monotonic()))

    def pause_function(self, move, region):
        """As a machine does that swaps, or a hypervisor: what it decided before is old when it goes on."""
        began = time.monotonic()
        name, stopped = self.signal_function(region, signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.1, 2.0))
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        move.outages.append((name, region, began, time.monotonic()))

    def is_ready(self, region):
        with contextlib.suppress(AssertionError):
            return self.regions.of(region)["state"] == "ready"
        return False

    def kill_region(self, move, region):
        """By SIGKILL, and the supervisor starts it again; or by `prism region kill` for a while."""
        by_supervisor, pause_s, pid = self.chance.random() < 0.5, self.chance.uniform(0.0, 1.5), self.regions.of(region)["pid"]
        with self.outage(move, "region", region):
            if by_supervisor:
                with contextlib.suppress(ProcessLookupError):
                    if pid:
                        os.kill(pid, signal.SIGKILL)
                wait(lambda: self.regions.of(region)["pid"] not in (None, 0, pid), seconds=PATIENCE_S, every=0.02)
            else:
                self.regions.region("kill", region)
                time.sleep(pause_s)
                self.regions.region("heal", region)
            wait(lambda: self.is_ready(region), seconds=PATIENCE_S, every=0.02)

    def cut(self, move):
        with self.outage(move, "partition", ""):
            self.regions.region("partition", US, EU)
            time.sleep(LONG_CUT_S if self.chance.random() < LONG_CUTS else self.chance.uniform(0.1, CUT_S_MAX))
            self.regions.region("heal", US, EU)

    def harm(self, move, span):
        """What a migration has to bear, beginning at some moment of the next `span` seconds."""
        places = (move.source, move.target)
        if "functions" in move.faults:
            for _ in range(self.chance.randint(1, 4)):
                time.sleep(self.chance.uniform(0.0, span / 3))
                self.signal_function(self.chance.choice(places), signal.SIGKILL)
        if "pauses" in move.faults:
            for _ in range(self.chance.randint(1, 3)):
                time.sleep(self.chance.uniform(0.0, span / 3))
                self.pause_function(move, self.chance.choice(places))
        time.sleep(self.chance.uniform(0.0, span))
        if "region" in move.faults:
            place = self.chance.choice(places)
            self.kill_region(move, self.home_of(move) if KILL_HOME else place)
        if "partition" in move.faults:
            self.cut(move)

    def housekeeping(self):
        """Steps of storage come at any moment, too."""
        if self.chance.random() < 0.3:
            self.regions.run("tick", self.chance.choice(("seal", "compact", "retain")), "--region", self.chance.choice((US, EU)), check=False)

    # ---- one migration ----

    def go(self, move):
        """By `prism tenant migrate`, again and again until it has started; questions are answered with: try again."""
        while True:
            self.check()
            assert time.monotonic() - move.began < PATIENCE_S, f"move {move.number} does not end"
            done = self.regions.run("tenant", "migrate", "mover", "--to", move.target, "--json", check=False, timeout=PATIENCE_S)
            said = json.loads(done.stdout)
            outcome = said.get("outcome")
            move.execution = said.get("execution") or move.execution
            if outcome == "moved":
                assert done.returncode == 0, said
                return "moved"
            if outcome == "given up":
                assert done.returncode == 3, said
                return f"given up ({said['error']})"
            if outcome == "asks":
                assert done.returncode == 6, said
                return self.decide(move, said["execution"])
            assert "error" in said and done.returncode in (1, 3, 5), said  # a region is away
            move.tries.append(said["error"])
            time.sleep(0.05)

    def decide(self, move, name):
        """Until the execution ends, or the target serves."""
        epoch = self.fence(move.target)[1]
        while True:
            self.check()
            assert time.monotonic() - move.began < PATIENCE_S, f"move {move.number} does not end"
            move.asked += self.regions.run("workflow", "approve", name, "--region", move.source, check=False).returncode == 0
            if self.fence(move.target) == ("home", epoch):
                return "moved"
            if self.execution(move, name)["status"] == "FAILED":
                return "given up"
            time.sleep(0.1)

    def execution(self, move, name):
        done = self.regions.run("workflow", "show", name, "--region", move.source, "--json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {"status": "RUNNING"}

    def migrate(self, number, source, target):
        faults = self.faults()
        lag, scatter = (self.chance.randrange(50, 600), self.chance.choice((0, 400))) if "lag" in faults else (0, 0)
        self.regions.region("lag", f"{lag}ms", "--scatter", f"{scatter}ms")
        move = Move(number, source, target, faults)
        harm = threading.Thread(target=self.harm, args=(move, self.chance.choice((0.2, 0.4, 1.0))), daemon=True)
        harm.start()
        self.housekeeping()
        move.outcome = self.go(move)
        self.conclude(move, harm)
        return target if move.outcome == "moved" else source

    def control(self, number, home, other):
        """The same faults with nobody moving."""
        move = Move(number, home, other, self.faults(OUTAGES))
        move.outcome = "stays"
        harm = threading.Thread(target=self.harm, args=(move, self.chance.choice((0.2, 0.4, 1.0))), daemon=True)
        harm.start()
        self.conclude(move, harm, self.controls)

    def conclude(self, move, harm, kept=None):
        harm.join(PATIENCE_S)
        move.ended = time.monotonic()
        self.until(lambda: all(r["state"] == "ready" for r in self.regions.status()["regions"]))
        before = [w.acknowledged for w in self.writers]
        self.until(lambda: all(w.acknowledged > n + 1 for w, n in zip(self.writers, before)))
        self.attribute(move)
        (self.moves if kept is None else kept).append(move)
        print(move, flush=True)

    def attribute(self, move):
        """How long a writer waited at most, and for what."""
        steps = self.steps(move)
        move.freezes = sum(name == "Freeze" for name, *_ in steps)
        commits = [end for name, _, end in steps if name.startswith("Commit")]
        committed = min(commits) if commits and move.outcome == "moved" else float("inf")
        away = union([(begin, end) for what, region, begin, end in move.outages for home, since, until in
                      ((move.source, 0.0, committed), (move.target, committed, float("inf")))
                      if (what == "region" or what in WRITERS_NEED) and region == home and begin < until and end > since])
        for writer in self.writers:
            move.late_ms = max([move.late_ms, *(1000 * (end - begin) for begin, end in writer.late if end >= move.began)])
            for span in [r for r in writer.refusals if r[1] >= move.began]:
                waited_ms = 1000 * (span[1] - span[0])
                move.waited_ms = max(move.waited_ms, waited_ms)
                move.own_ms = max(move.own_ms, waited_ms - 1000 * sum(overlap(span, a) for a in away))
                if waited_ms > SHOWN_MS:
                    self.show(writer, span, steps, move)

    def show(self, writer, span, steps, move):
        at = lambda moment: f"{1000 * (moment - span[0]):.0f}"  # noqa: E731
        print(f"     {writer.name} waited {1000 * (span[1] - span[0]):.0f} ms: "
              + ", ".join(f"{name} {at(begin)}..{at(end)}" for name, begin, end in steps if overlap(span, (begin, end)) > 0.005)
              + "; " + ", ".join(f"{what} {region} {at(begin)}..{at(end)}" for what, region, begin, end in move.outages if overlap(span, (begin, end)) > 0), flush=True)

    def steps(self, move):
        """(state, entered, left) of the move's execution, by the test's clock."""
        if not move.execution:
            return []
        done = self.regions.run("workflow", "show", move.execution, "--history", "--region", move.source, "--json", check=False)
        if done.returncode != 0:
            return []
        offset, now, found, entered = time.time() - time.monotonic(), time.monotonic(), [], {}
        for event in json.loads(done.stdout)["events"]:
            at = event["timestamp"] - offset
            if event["type"].endswith("StateEntered"):
                entered[event["stateEnteredEventDetails"]["name"]] = at
            elif event["type"].endswith("StateExited"):
                name = event["stateExitedEventDetails"]["name"]
                found.append((name, entered.pop(name, at), at))
        return found + [(name, at, now) for name, at in entered.items()]


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def report(fire):
    outages = [m for m in fire.moves if not m.counts]
    rows = [("migrations without an outage", [m for m in fire.moves if m.counts]), ("migrations with an outage", outages)]
    for kind in sorted(OUTAGES):
        rows += [(f"of them with {kind}", [m for m in outages if kind in m.faults]), (f"times {kind} without a migration", [m for m in fire.controls if kind in m.faults])]
    for name, moves in rows:
        waits, own, late = ([getattr(m, name) for m in moves] for name in ("waited_ms", "own_ms", "late_ms"))
        if waits:
            print(f"{len(moves)} {name}: writers waited at most (ms) p50 {percentile(waits, 0.5):.0f}, p99 {percentile(waits, 0.99):.0f}, max {max(waits):.0f}; "
                  f"while the home was there p99 {percentile(own, 0.99):.0f}, max {max(own):.0f}; more than 2 s {sum(w > 2000 for w in waits)}, of its own {sum(w > 2000 for w in own)}; "
                  f"answered late without being refused p50 {percentile(late, 0.5):.0f}, max {max(late):.0f}; "
                  f"{sum(m.freezes > 1 for m in moves)} thawed in between; {sum(m.outcome == 'moved' for m in moves)} moved, {sum(m.outcome != 'moved' for m in moves)} given up, {sum(m.asked for m in moves)} questions")
    statuses = sum((c.statuses for c in (*fire.writers, *fire.readers)), collections.Counter())
    print(f"{sum(w.acknowledged for w in fire.writers) * BATCH} records acknowledged, {sum(r.answers for r in fire.readers)} queries answered, "
          f"answers by status {dict(sorted(statuses.items()))}")


def test_migration_under_fire(tmp_path):
    regions = Regions(tmp_path / "d").up().settle()
    try:
        fire = Fire(regions, random.Random(SEED))
        fire.start()
        home = US
        for number in range(ROUNDS):
            home = fire.migrate(number, home, EU if home == US else US)
        regions.region("lag", "0")
        fire.chance = random.Random(f"{SEED}/control")
        for number in range(CONTROLS):
            fire.control(number, home, EU if home == US else US)
        fire.finish()
        report(fire)
        check_the_end(fire, home)
        if SOAK:
            check_executions(fire)
    finally:
        regions.down()
    slow = [str(m) for m in fire.moves if AIM_MS and m.aimed_ms > AIM_MS]
    assert not slow, slow


def totals_of(region, key):
    answer = region.query(TOTALS, key=key)
    return answer.json()["rows"] if answer.status_code == 200 else None


def live_segments(regions, name):
    with contextlib.closing(sqlite3.connect(f"file:{regions.data}/regions/{name}/meta.db?mode=ro", uri=True)) as db:
        return db.execute("SELECT count(*) FROM segments WHERE tenant = 'mover' AND ended_ns = 0").fetchone()[0]


def check_the_end(fire, home):
    """All is in one region, which a kill of both does not change, and the other one keeps nothing and says where to go."""
    regions, key, other = fire.regions, fire.headers["Authorization"].split()[1], EU if home == US else US
    known = [w.acknowledged for w in fire.writers]
    for name in (home, other):  # nobody holds a file any more
        regions.region("kill", name)
        regions.region("heal", name)
    for region in (regions, regions.one(home)):
        check_totals("in the end", known, fire.until(lambda: totals_of(region, key)), known)
    assert fire.fence(home)[0] == "home" and fire.fence(other) == ("left", fire.fence(home)[1])
    elsewhere = regions.one(other).query(TOTALS, key=key)
    assert elsewhere.status_code == 421 and elsewhere.json()["home_region"] == home, elsewhere.text
    step = json.dumps({"op": "move-clean", "tenant": "mover", "epoch": fire.fence(other)[1], "at": other})  # as the machine does after 90 s
    fire.until(lambda: json.loads(regions.run("invoke", "storage", "-", "--region", other, input=step).stdout)["more"] is False)
    assert live_segments(regions, other) == 0 and live_segments(regions, home) > 0
    assert list((regions.data / "regions" / other / "hot" / "mover").rglob("*.wal")) == []
    assert totals_of(regions, key) == totals_of(regions.one(home), key) is not None


def check_executions(fire):
    """Each ended: as moved, or as given up."""
    for name in (US, EU):
        fire.until(lambda: not fire.regions.json("workflow", "list", "--machine", "tenant-migration", "--status", "RUNNING", "--region", name)["executions"])
    ended = [e for name in (US, EU) for e in fire.regions.json("workflow", "list", "--machine", "tenant-migration", "--limit", "1000", "--region", name)["executions"]]
    assert sum(e["status"] == "SUCCEEDED" for e in ended) == sum(m.outcome == "moved" for m in fire.moves)
    assert {e["status"] for e in ended} <= {"SUCCEEDED", "FAILED"}
