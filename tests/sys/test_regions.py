"""Several regions on one machine behind the edge router, from the outside: `prism up --regions`, HTTP through the router,
failures by `prism region` and by SIGKILL."""

import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

import pytest
import requests

import conftest
from conftest import PRISM, ROOT, alive, children_of
from region_kit import UnixConnection, wait

US, EU, AP = "us-east-1", "eu-west-1", "ap-south-1"

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is missing: run tools/setup test"),
    pytest.mark.skipif(os.environ.get("PRISM_TEST_STORES") == "aws", reason="several regions keep their stores in their folders"),
]


class Regions(conftest.Region):
    """All regions of one folder. The inherited calls go through the router."""

    def __init__(self, folder, names=(US, EU), env=None):
        super().__init__(folder, env=env)
        self.names = names

    def up(self, *more):
        self.run("up", "--detach", "--regions", ",".join(self.names), *more)
        return self

    def settle(self):
        """Until every region that is up knows the operator's key, which the primary has made."""
        for name in self.names:
            if not self.of(name)["killed"]:
                wait(lambda: self.one(name).call("GET", "/v1/admin/tenants", key=self.admin_key).status_code == 200, seconds=60, every=0.1)
        return self

    def one(self, name):
        """A region by itself: its own folder and port."""
        region = conftest.Region(self.data / "regions" / name)
        region.port = self.of(name)["port"]
        region.env["PRISM_PORT"] = str(region.port)
        return region

    def of(self, name):
        return next(r for r in self.status()["regions"] if r["name"] == name)

    def region(self, *args, **kw):
        return self.run("region", *args, **kw)

    def tenant_in(self, name, tenant):
        """Created in that region and known to the router: its key."""
        self.run("tenant", "create", tenant, "--region", name)
        key = self.json("key", "create", tenant, "--region", name)["key"]
        wait(lambda: self.query("SELECT 1", key=key).status_code != 401, seconds=60, every=0.2)
        return key

    def items(self, name):
        """The global tables of a region, from its file."""
        with contextlib.closing(sqlite3.connect(f"file:{self.data}/regions/{name}/tables.db?mode=ro", uri=True)) as db:
            return db.execute("SELECT tbl, pk, sk, document, version, expires_ns FROM items WHERE expires_ns = 0 AND tbl NOT LIKE 'wf\\_%' ESCAPE '\\' ORDER BY 1, 2, 3").fetchall()

    def agree(self):
        first, *others = (self.items(name) for name in self.names)
        return all(other == first for other in others)

    def converged(self, seconds=60):
        wait(self.agree, seconds=seconds, every=0.1)

    def ask(self, name, method, path, body=None):
        """The control socket of one region."""
        conn = UnixConnection(self.data / "regions" / name / "region.sock")
        try:
            conn.request(method, path, body=json.dumps(body) if body is not None else None)
            answer = conn.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            conn.close()

    def tree(self):
        status = self.status()
        return [status["pid"], *children_of(status["pid"])]


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    r = Regions(tmp_path_factory.mktemp("r") / "d").up().settle()
    yield r
    r.down()


@pytest.fixture
def fresh(tmp_path_factory):
    made = []

    def start(*names, more=(), env=None):
        r = Regions(tmp_path_factory.mktemp("r") / "d", names or (US, EU), env)
        made.append(r)
        return r.up(*more).settle()

    yield start
    for r in made:
        r.down()


def problem(answer):
    return answer.status_code, answer.json()["detail"]


# ---- the start, and what there is ----


def test_ready_lines_name_router_and_regions(regions):
    said = regions.json("up", "--detach")
    assert said["port"] == regions.port and said["already_running"]
    status = regions.status()
    assert status["phase"] == "serving" and status["router"]["state"] == "ready"
    assert [(r["name"], r["state"], r["primary"]) for r in status["regions"]] == [(US, "ready", True), (EU, "ready", False)]
    text = regions.run("status").stdout
    assert US in text and EU in text and "the router is ready" in text
    assert regions.run("region", "list").stdout.split()[:1] == text.split()[:1]


def test_one_region_is_what_it_is_by_itself(regions):
    one = regions.json("status", "--region", EU)
    assert one["region"] == EU and one["data_dir"].endswith(f"/regions/{EU}") and one["phase"] == "serving"
    assert any(f["name"] == "ingest" for f in one["functions"])
    assert regions.run("logs", "--region", EU).returncode == 0
    assert f"== {US} ==" in regions.run("logs").stdout
    assert regions.run("status", "--region", "mars-north-1", check=False).returncode == 3


def test_through_the_router_a_tenant_reaches_its_home(regions):
    keys = {name: regions.tenant_in(name, f"at-{name}") for name in regions.names}
    for name, key in keys.items():
        assert regions.ingest("app", [{"where": name}], key=key).status_code == 200
    for name, key in keys.items():
        assert regions.rows("SELECT \"where\" FROM app", key=key) == [[name]]
        hot = {n: (regions.data / "regions" / n / "hot" / f"at-{name}").exists() for n in regions.names}
        assert hot == {n: n == name for n in regions.names}


def test_keys_that_open_nothing_are_refused_at_the_edge_as_in_the_region(regions):
    key = regions.tenant_in(EU, "revoking")
    made = regions.json("key", "list", "revoking", "--region", EU)
    revoked_id = (made["keys"] if isinstance(made, dict) else made)[0]["id"]
    regions.run("key", "revoke", revoked_id, "--tenant", "revoking", "--region", EU)
    wait(lambda: regions.query("SELECT 1", key=key).status_code == 401, seconds=60, every=0.2)
    for wrong in (key, "prism_0123456789abcdef_" + "0" * 48, "nonsense"):
        through = regions.query("SELECT 1", key=wrong)
        direct = regions.one(EU).query("SELECT 1", key=wrong)
        assert problem(through) == problem(direct) and through.status_code == 401
        assert through.headers["WWW-Authenticate"] == direct.headers["WWW-Authenticate"]
        assert through.headers["Content-Type"] == direct.headers["Content-Type"]


def test_what_everybody_may_read_needs_no_key(regions):
    assert requests.get(regions.url + "/v1/health", timeout=60).status_code == 200
    assert requests.get(regions.url + "/elsewhere", timeout=60).status_code == 404
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", regions.port, timeout=60)) as conn:
        conn.request("GET", "/v1/../x")
        assert conn.getresponse().status == 400


# ---- bodies ----


def test_bodies_stream_through_whole(regions):
    lines = [{"n": i, "text": "x" * 200} for i in range(20_000)]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    headers = {"Authorization": f"Bearer {regions.key}", "Content-Type": "application/x-ndjson"}

    def pieces():
        for at in range(0, len(body), 100_000):
            yield body[at:at + 100_000]

    answer = requests.post(regions.url + "/v1/ingest/big", data=pieces(), headers=headers, timeout=120)  # chunked
    assert answer.status_code == 200 and answer.json()["accepted"] == len(lines)
    packed = requests.post(regions.url + "/v1/ingest/big", data=conftest.gz(body[:1_000_002 // 2]), timeout=120,
                           headers={**headers, "Content-Encoding": "gzip", "Idempotency-Key": "packed"})
    assert packed.status_code == 200, packed.text
    with requests.post(regions.url + "/v1/query", json={"sql": "SELECT * FROM big"}, headers={**headers, "Content-Type": "application/json",
                       "Accept": "application/x-ndjson"}, timeout=120, stream=True) as answer:
        assert answer.status_code == 200
        assert sum(len(piece) for piece in answer.iter_content(65536)) > 4_000_000


def test_a_body_over_the_limit_is_refused_as_the_region_does(regions):
    through = regions.ingest("app", b"x" * (11 << 20))
    direct = regions.one(US).ingest("app", b"x" * (11 << 20))
    assert problem(through)[0] == problem(direct)[0] == 413


def test_a_client_that_goes_away_leaves_nothing_behind(regions):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", regions.port)) as s:
            s.sendall(f"POST /v1/ingest/app HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {regions.key}\r\nContent-Length: 1000000\r\n\r\nhalf".encode())
            time.sleep(0.05)
    wait(lambda: regions.json("status", "--region", US)["gateway"]["active"] == 0, seconds=60)
    assert regions.query("SELECT 1").status_code == 200


def test_expect_is_answered_after_the_decision(regions):
    with socket.create_connection(("127.0.0.1", regions.port), timeout=60) as s:
        s.sendall(b"POST /v1/ingest/app HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nonsense\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 401")


# ---- the registry between the regions ----


def test_with_a_lag_a_tenant_is_seen_late_and_never_wrongly(fresh):
    regions = fresh(more=("--registry-lag", "1500ms"))
    made = time.monotonic()
    regions.run("tenant", "create", "late", "--region", EU)
    assert any("late" in str(item) for item in regions.items(EU))
    while not any("late" in str(item) for item in regions.items(US)):
        assert time.monotonic() - made < 60
        time.sleep(0.02)
    assert time.monotonic() - made >= 1.5
    regions.region("lag", "0")
    assert regions.status()["registry_lag_ms"] == 0
    regions.converged()


def test_a_partition_holds_changes_back_until_it_is_healed(fresh):
    regions = fresh()
    regions.region("partition", US, EU)
    assert regions.of(US)["cut_from"] == [EU]
    regions.run("tenant", "create", "hidden", "--region", EU)
    key = regions.json("key", "create", "hidden", "--region", EU)["key"]
    assert regions.one(EU).query("SELECT 1", key=key).status_code == 200
    assert regions.one(US).query("SELECT 1", key=key).status_code == 401
    status, answer = regions.ask(US, "GET", "/registry/tenants/hidden")
    assert status == 404
    regions.region("heal", US, EU)
    wait(lambda: regions.ask(US, "GET", "/registry/tenants/hidden")[0] == 200, seconds=60)
    wait(lambda: regions.query("SELECT 1", key=key).status_code == 200, seconds=60, every=0.2)
    regions.converged()


def test_the_registry_shows_the_router_two_tables_and_no_more(regions):
    assert regions.ask(US, "GET", "/registry/tenants/default")[1]["home_region"] == US
    assert regions.ask(US, "GET", "/registry/idempotency/default")[0] == 404
    assert regions.ask(US, "GET", "/registry/tenants/")[0] == 404


def test_changes_of_no_sibling_are_refused(regions):
    batch = {"origin": "mars", "id": "0" * 32, "known": {"id": "", "seq": 0}, "upto": 1, "complete_ns": 0, "changes": []}
    assert regions.ask(US, "POST", "/replication/changes", batch)[0] == 403
    assert regions.ask(US, "POST", "/replication/changes", {"changes": 1})[0] == 400
    regions.converged()


def test_of_two_changes_to_one_item_the_later_stands_in_both(fresh):
    """As between DynamoDB's replicas: test_two_regions.py. Both regions write an item while they are cut off from each other."""
    regions = fresh()
    regions.region("partition", US, EU)
    for name in (US, EU):
        regions.run("tenant", "create", "twice", "--region", name)
    homes = {name: regions.ask(name, "GET", "/registry/tenants/twice")[1]["home_region"] for name in (US, EU)}
    assert homes == {US: US, EU: EU}  # both were told that it is theirs
    regions.region("heal", US, EU)
    regions.converged()
    assert [regions.ask(name, "GET", "/registry/tenants/twice")[1]["home_region"] for name in (US, EU)] == [EU] * 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_registry_converges_after_partitions_and_kills(fresh, seed):
    chance = random.Random(seed)
    regions = fresh(US, EU, AP)
    pairs = [(US, EU), (US, AP), (EU, AP)]
    made = []
    for step in range(25):
        what = chance.random()
        if what < 0.45:
            name = chance.choice(regions.names)
            done = regions.run("tenant", "create", f"t{step}", "--region", name, check=False)
            if done.returncode == 0:
                made.append(f"t{step}")
        elif what < 0.6 and made:
            tenant = chance.choice(made)
            for name in chance.sample(regions.names, 2):
                regions.run("tenant", chance.choice(["suspend", "resume"]), tenant, "--region", name, check=False)
        elif what < 0.8:
            regions.region("partition" if chance.random() < 0.6 else "heal", *chance.choice(pairs))
        else:  # it starts again by itself
            pid = regions.of(chance.choice(regions.names))["pid"]
            with contextlib.suppress(ProcessLookupError):  # it may just be starting again
                if pid:
                    os.kill(pid, signal.SIGKILL)
    for pair in pairs:
        regions.region("heal", *pair)
    wait(lambda: all(r["state"] == "ready" for r in regions.status()["regions"]), seconds=60, every=0.1)
    regions.converged()
    names = {row[1] for row in regions.items(US) if row[0] == "tenants"}
    assert set(made) <= names  # what was answered is there


# ---- losing a region ----


def test_a_lost_region_is_503_for_its_tenants_and_nothing_for_others(fresh):
    regions = fresh()
    key = regions.tenant_in(EU, "there")
    for n in range(20):
        assert regions.ingest("app", [{"n": n}], key=key, headers={"Idempotency-Key": f"k{n}"}).status_code == 200
    regions.region("kill", EU)
    assert regions.of(EU)["state"] == "down" and regions.of(EU)["killed"]
    for _ in range(5):
        answer = regions.query("SELECT 1", key=key)
        assert problem(answer) == (503, "the home region is not available; repeat later") and int(answer.headers["Retry-After"]) >= 1
        assert regions.query("SELECT 1").status_code == 200
    regions.region("heal", EU)
    wait(lambda: regions.query("SELECT 1", key=key).status_code == 200, seconds=60, every=0.2)
    assert regions.rows("SELECT count(*), count(DISTINCT n) FROM app", key=key) == [[20, 20]]  # without loss
    again = regions.ingest("app", [{"n": 0}], key=key, headers={"Idempotency-Key": "k0"})
    assert again.status_code == 200 and again.json()["duplicate"]


def test_killed_on_purpose_it_stays_down_over_a_restart_of_all(fresh):
    regions = fresh()
    regions.region("kill", EU)
    regions.down()
    regions.up()
    assert regions.of(EU)["state"] == "down" and regions.of(US)["state"] == "ready"
    regions.region("heal", EU)
    assert regions.of(EU)["state"] == "ready"


def test_a_region_that_dies_by_itself_is_started_again(fresh):
    regions = fresh()
    before = regions.of(EU)["pid"]
    os.kill(before, signal.SIGKILL)
    wait(lambda: regions.of(EU)["state"] == "ready" and regions.of(EU)["pid"] not in (0, before), seconds=60, every=0.05)
    assert regions.of(EU)["restarts"] == 1 and regions.of(US)["restarts"] == 0


def test_a_router_that_dies_is_started_again_and_writers_lose_nothing(fresh):
    regions = fresh()
    pid = regions.status()["router"]["pid"]
    stored = 0
    for n in range(40):
        if n == 10:
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while True:  # as exporters do
            with contextlib.suppress(requests.ConnectionError):
                if regions.ingest("app", [{"n": n}], headers={"Idempotency-Key": f"k{n}"}).status_code == 200:
                    stored += 1
                    break
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert stored == 40 and regions.rows("SELECT count(*), count(DISTINCT n) FROM app") == [[40, 40]]
    assert regions.status()["router"]["restarts"] == 1


def write_under_kills(regions, count, ingest):
    """A writer that repeats what was not answered, as exporters do, while its region (EU) and the router are killed. ingest(n): the status; None: no answer."""
    chance = random.Random(5)
    deadline = time.monotonic() + 180
    for n in range(count):
        if n % 20 == 10:
            status = regions.status()
            pid = status["router"]["pid"] if chance.random() < 0.3 else regions.of(EU)["pid"]
            with contextlib.suppress(ProcessLookupError):
                if pid:
                    os.kill(pid, signal.SIGKILL)
        while (status := ingest(n)) != 200:
            assert status in (None, 409, 429, 502, 503, 504)  # each of them says: repeat
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_kills_of_regions_and_router_lose_and_double_nothing(fresh):
    regions = fresh(env={"PRISM_INGEST_LEASE_S": "6"})  # then a claim whose process was killed is taken over
    key = regions.tenant_in(EU, "fire")

    def ingest(n):
        with contextlib.suppress(requests.ConnectionError):
            return regions.ingest("app", [{"n": n}], key=key, headers={"Idempotency-Key": f"k{n}"}).status_code

    write_under_kills(regions, 120, ingest)
    wait(lambda: regions.query("SELECT 1", key=key).status_code == 200, seconds=60, every=0.2)
    assert regions.rows("SELECT count(*), count(DISTINCT n) FROM app", key=key) == [[120, 120]]
    regions.converged()


def test_an_evacuated_regions_tenants_are_served_by_its_standby(fresh):
    regions = fresh()
    key = regions.tenant_in(EU, "moving")
    assert regions.ingest("app", [{"place": "home"}], key=key).status_code == 200
    regions.region("evacuate", EU, "--to", US)
    wait(lambda: regions.ingest("app", [{"place": "standby"}], key=key).status_code == 200, seconds=60, every=0.2)
    assert regions.rows("SELECT place FROM app", key=key) == [["standby"]]  # not what its home holds
    regions.region("kill", EU)
    assert regions.query("SELECT 1", key=key).status_code == 200
    regions.region("heal", EU)
    regions.region("evacuate", EU, "--undo")
    wait(lambda: regions.query("SELECT 1", key=key).status_code == 200, seconds=60, every=0.2)
    assert regions.rows("SELECT place FROM app", key=key) == [["home"]]
    assert regions.region("evacuate", EU, check=False).returncode == 2
    assert regions.region("evacuate", EU, "--to", EU, check=False).returncode == 4


# ---- the end ----


def test_down_leaves_nothing_and_up_goes_on_where_it_was(fresh):
    regions = fresh()
    ports = [r["port"] for r in regions.status()["regions"]]
    assert regions.ingest("app", [{"n": 1}]).status_code == 200
    tree = regions.tree()
    assert regions.down().returncode == 0
    assert not [pid for pid in tree if alive(pid)]
    del regions.env["PRISM_PORT"]
    regions.run("up", "--detach")  # names and ports are remembered
    status = regions.status()
    assert status["port"] == regions.port and [r["port"] for r in status["regions"]] == ports
    assert regions.rows("SELECT count(*) FROM app") == [[1]]


def test_ctrl_c_ends_all(tmp_path_factory):
    regions = Regions(tmp_path_factory.mktemp("r") / "d")
    process = subprocess.Popen([PRISM, "up", "--regions", f"{US},{EU}"], env=regions.env, stdout=subprocess.PIPE, text=True)
    try:
        assert any("The regions are ready" in line for line in process.stdout)
        tree = regions.tree()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert not [pid for pid in tree if alive(pid)]
    finally:
        process.kill()
        process.wait()


def test_regions_end_with_a_supervisor_that_is_killed(fresh):
    regions = fresh()
    tree = regions.tree()
    os.kill(tree[0], signal.SIGKILL)
    wait(lambda: not [pid for pid in tree if alive(pid)], seconds=60)
    regions.up()
    assert regions.query("SELECT 1").status_code == 200


# ---- what cannot be ----


def test_without_node_it_says_what_to_install(tmp_path):
    regions = Regions(tmp_path / "d", env={"PRISM_NODE": "/nowhere/node"})
    done = regions.run("up", "--detach", "--regions", f"{US},{EU}", check=False)
    assert done.returncode == 1 and "nodejs" in done.stderr


def test_names_and_folders_that_do_not_fit_are_refused(tmp_path):
    regions = Regions(tmp_path / "d")
    for names in ("one", "a,B", "a,../b"):
        done = regions.run("up", "--detach", "--regions", names, check=False)
        assert done.returncode == 1 and "region" in done.stderr, done.stderr
    assert regions.run("region", "list", check=False).returncode == 3
    single = conftest.Region(tmp_path / "single").up()
    try:
        assert single.run("region", "list", check=False).returncode == 3
        done = single.run("up", "--detach", "--regions", f"{US},{EU}", check=False)
        assert done.returncode == 1 and "one region runs already" in done.stderr and "--data" in done.stderr
    finally:
        single.down()
    done = Regions(tmp_path / "single").run("up", "--detach", "--regions", f"{US},{EU}", check=False)
    assert done.returncode == 1 and "one region" in done.stderr


def test_the_lines_of_the_readme_work_as_printed(tmp_path):
    block = re.search(r"## Several regions\n.*?```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.S).group(1)
    env = {**os.environ, "PRISM_PORT": str(conftest.free_port())}
    done = subprocess.run(["bash", "-e", "-c", block.replace("build/prism", str(PRISM))], env=env, cwd=tmp_path,
                          capture_output=True, text=True, timeout=120)
    subprocess.run([PRISM, "down", "--data", tmp_path / "regions"], env=env, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "acme has moved to eu-west-1" in done.stdout and "killed" in done.stdout


def test_a_port_that_is_taken_is_said(tmp_path_factory):
    regions = Regions(tmp_path_factory.mktemp("r") / "d")
    with socket.socket() as s:
        s.bind(("127.0.0.1", regions.port))
        s.listen()
        done = regions.run("up", "--detach", "--regions", f"{US},{EU}", check=False)
        assert done.returncode == 1 and f"port {regions.port} is in use" in done.stderr
    assert regions.run("status", check=False).returncode == 3


# ---- objects ----


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


def test_objects_are_copied_to_the_next_region_and_deletions_follow(fresh):
    regions = fresh(env={"PRISM_REGION_COPY_MS": "200"})
    key = regions.tenant_in(EU, "copied")
    assert regions.ingest("app", [{"n": n} for n in range(100)], key=key).status_code == 200
    regions.run("tick", "seal", "--region", EU)
    source, copies = regions.data / "regions" / EU, regions.data / "regions" / US / "replicas" / EU
    here = wait(lambda: {k: v for k, v in files(source / "segments").items() if k.startswith("copied/")}, seconds=60)
    wait(lambda: here.items() <= files(copies / "segments").items(), seconds=60)
    regions.region("kill", EU)
    assert here.items() <= files(copies / "segments").items()  # what a lost region leaves
    regions.region("heal", EU)
    regions.run("tick", "compact", "--region", EU)
    wait(lambda: all(files(copies / store) == files(source / store) for store in ("segments", "analytics")), seconds=60)
    regions.region("partition", US, EU)
    assert regions.ingest("app", [{"n": 1000}], key=key).status_code == 200
    regions.run("tick", "seal", "--region", EU)
    new = wait(lambda: files(source / "segments").keys() - files(copies / "segments").keys(), seconds=60)
    regions.region("heal", US, EU)
    wait(lambda: new <= files(copies / "segments").keys(), seconds=60)


@pytest.mark.parametrize("home, other", [(EU, US), (US, EU)])
def test_a_region_that_lost_its_folder_does_not_take_its_copies_along(fresh, home, other):
    """Also the primary: it takes keys and secrets back from a sibling, as the others took them from it."""
    regions = fresh(env={"PRISM_REGION_COPY_MS": "200"})
    key = regions.tenant_in(home, "lost")
    assert regions.ingest("app", [{"n": 1}], key=key).status_code == 200
    regions.run("tick", "seal", "--region", home)
    copies = regions.data / "regions" / other / "replicas" / home / "segments"
    kept = wait(lambda: {k for k in files(copies) if k.startswith("lost/")}, seconds=60)
    regions.converged()
    regions.region("kill", home)
    wait(lambda: regions.json("status", "--region", other)["replication"]["siblings"][0]["state"] == "away", seconds=60)  # it writes there no more
    wait(lambda: shutil.rmtree(regions.data / "regions" / home, ignore_errors=True) or not (regions.data / "regions" / home).exists(), seconds=60)
    regions.region("heal", home)
    wait(lambda: regions.json("status", "--region", home)["copies"]["complete"], seconds=60)
    assert kept <= files(copies).keys()
    regions.converged()  # the registry came back from its sibling
    wait(lambda: regions.query("SELECT 1", key=key).status_code == 200, seconds=60, every=0.2)
    assert regions.one(home).call("GET", "/v1/admin/tenants", key=regions.admin_key).status_code == 200


# ---- secrets ----


def test_a_pepper_rotates_in_the_primary_and_the_others_follow(fresh):
    """As replicas of Secrets Manager do; and a cut pair catches up when it is healed."""
    regions = fresh(env={"PRISM_REGION_METRICS_MS": "300"})

    def current(name):
        return next(v["version"] for v in regions.json("secret", "history", "api-key-pepper", "--region", name)["versions"] if "current" in v["stages"])

    key = regions.tenant_in(EU, "rotated")
    wait(lambda: current(EU) == current(US), seconds=60, every=0.2)
    refused = regions.run("secret", "rotate", "api-key-pepper", "--region", EU, check=False)
    assert refused.returncode == 5 and "primary" in refused.stderr
    for _ in range(2):
        regions.run("secret", "rotate", "api-key-pepper", "--region", US)
        wait(lambda: current(EU) == current(US), seconds=60, every=0.2)
    assert regions.query("SELECT 1", key=key).status_code == 200
    regions.run("secret", "rotate", "token-signing-key", "--region", EU, check=False)  # a region's own: it may not be made yet
    regions.region("partition", US, EU)
    before = current(EU)
    regions.run("secret", "rotate", "api-key-pepper", "--region", US)
    regions.region("heal", US, EU)
    wait(lambda: current(EU) == current(US) != before, seconds=60, every=0.2)
