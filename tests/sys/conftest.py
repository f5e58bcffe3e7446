"""A whole region per test module, from the outside: the `prism` command, HTTP, files.

PRISM_BIN is the program under test (default build/prism), PRISM_BUILD the preset it was built with (release). With
PRISM_TEST_STORES=aws every region keeps its tables, objects and secrets in an emulator of AWS and its metadata in PostgreSQL."""

import contextlib
import gzip
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time

import boto3
import pytest
import requests

# Whoever starts the tests in the background has SIGINT ignored, and every child would inherit that: no Ctrl-C for `prism`.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRISM = pathlib.Path(os.environ.get("PRISM_BIN", ROOT / "build" / "prism"))
BUILD = ROOT / "build" / os.environ.get("PRISM_BUILD", "release")
SHARED_LOGS = ROOT.parent / "shared" / "data" / "loghub"

# A file's tests stay together on one worker; those that take a minute begin first, so that no worker ends alone with one.
LONGEST_FIRST = ["test_rollout", "test_package", "test_meta_postgres", "test_faults", "test_machine_rollout", "test_asl_cases", "test_region_drain", "test_query_s3",
                 "test_regions", "test_migration_workflow", "test_workflows", "test_region_async", "test_region_pools", "test_hostile_sql", "test_kill"]


def pytest_collection_modifyitems(items):
    place = {name: i for i, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.module.__name__, len(place)))


leases = []


def free_port():
    """Below the ephemeral range, so that nobody takes the port while a killed region is away. It is this process's until that ends, by a name that
    goes with it: no other worker chooses the port before what it is for listens there, or while that is away."""
    while True:
        port, lease = random.randrange(20000, 32000), socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError), socket.socket() as s:
            lease.bind(f"\0prism-test-port-{port}")
            s.bind(("127.0.0.1", port))
            leases.append(lease)
            return port
        lease.close()


def children_of(pid):
    """All descendants, read from /proc."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        for child in parents.get(queue.pop(), []):
            found.append(child)
            queue.append(child)
    return found


class AwsStores:
    """One emulator and one PostgreSQL for all regions of a run; each region has names and a database of its own."""

    def __init__(self, endpoint, postgres):
        self.endpoint, self.postgres, self.count = endpoint, postgres, 0

    def copy(self, bucket, folder):
        """All objects of a bucket as files."""
        s3 = boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        shutil.rmtree(folder, ignore_errors=True)
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", []):
                path = folder / item["Key"]
                path.parent.mkdir(parents=True, exist_ok=True)
                s3.download_file(bucket, item["Key"], str(path))
        return folder

    def of_a_region(self):
        """(what `prism up` is told, environment)."""
        self.count += 1
        name = f"t{self.count}"
        self.postgres.sql(f"CREATE DATABASE {name}")
        return (["--aws-endpoint", self.endpoint, "--aws-prefix", f"prism-{name}"],
                {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "PRISM_META_URL": self.postgres.url(name)})


stores = None  # AwsStores, or None: each region's are in its data folder


@pytest.fixture(scope="session", autouse=True)
def where_stores_are():
    global stores
    if os.environ.get("PRISM_TEST_STORES") != "aws":
        yield
        return
    import emulator_kit
    import postgres_server
    with emulator_kit.emulator() as port, postgres_server.server() as postgres:
        stores = AwsStores(f"http://127.0.0.1:{port}", postgres)
        yield


class Region:
    def __init__(self, data, env=None):
        self.data = pathlib.Path(data)
        self.port = free_port()
        self.env = {**os.environ, "PRISM_DATA": str(self.data), "PRISM_PORT": str(self.port), **(env or {})}
        self.up_options = []
        if stores:
            self.up_options, more = stores.of_a_region()
            self.env.update(more)
        self.warms = bool(self.up_options)

    # -- the command --

    def run(self, *args, check=True, input=None, timeout=120):
        if args[0] == "up":
            args = [*args, *self.up_options]
        done = subprocess.run([PRISM, *map(str, args)], env=self.env, capture_output=True,
                              text=True, input=input, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"prism {' '.join(map(str, args))}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
                                 f"{self.last_words() if done.returncode == 3 else ''}")
        return done

    def last_words(self):
        """Why a region that should run does not: the end of its log, from a sanitizer's report if it has one."""
        log = self.data / "logs" / "region.log"
        text = log.read_text(errors="replace") if log.exists() else ""
        return text[text.find("WARNING: ThreadSanitizer"):][:4000] if "ThreadSanitizer" in text else text[-4000:]

    def json(self, *args, **kw):
        return json.loads(self.run(*args, "--json", **kw).stdout)

    def up(self):
        self.run("up", "--detach")
        return self.warm() if self.warms and (self.data / "tenant.key").exists() else self

    def warm(self, seconds=60):
        """The first key is looked up, and nothing else done: on a busy machine an emulator may take longer than the authorizer has."""
        deadline = time.time() + seconds
        while self.call("GET", "/v1/admin/tenants").status_code == 500 and time.time() < deadline:
            time.sleep(0.2)
        return self

    def down(self):
        return self.run("down", check=False)

    def status(self):
        return self.json("status")

    @property
    def pid(self):
        return self.status()["pid"]

    def kill(self):
        """kill -9 of the whole process tree, and wait until it is gone."""
        pid = self.pid
        tree = [pid, *children_of(pid)]
        os.kill(pid, signal.SIGSTOP)
        for p in [*children_of(pid), pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(p, signal.SIGKILL)
        deadline = time.time() + 60
        while time.time() < deadline and any(alive(p) for p in tree):
            time.sleep(0.01)

    def parquet(self, store="analytics"):
        """The folder of Parquet files in `segments` or `analytics`: the region's own, or a copy of what stands in S3 now."""
        if not self.up_options:
            return self.data / store
        return stores.copy(f"{self.up_options[-1]}-{store}", self.data / "copy" / store)

    def catalog(self, select):
        """The first column of what the catalog answers; in AWS mode, where that is PostgreSQL."""
        return stores.postgres.sql(select, database=self.env["PRISM_META_URL"].split("?")[0].rsplit("/", 1)[1]).splitlines()

    # -- HTTP --

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self):
        return (self.data / "tenant.key").read_text().strip()

    @property
    def admin_key(self):
        return (self.data / "admin.key").read_text().strip()

    def call(self, method, path, key=None, **kw):
        headers = {"Authorization": f"Bearer {key or self.key}", **kw.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=60, **kw)

    def ingest(self, dataset, records, key=None, headers=None, **params):
        body = "".join(json.dumps(r) + "\n" for r in records) if isinstance(records, list) else records
        return self.call("POST", f"/v1/ingest/{dataset}", key=key, data=body if isinstance(body, bytes) else body.encode(),
                         headers={"Content-Type": "application/x-ndjson", **(headers or {})}, params=params)

    def query(self, sql, key=None, **body):
        return self.call("POST", "/v1/query", key=key, json={"sql": sql, **body})

    def rows(self, sql, key=None, **body):
        answer = self.query(sql, key=key, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()["rows"]

    def one(self, sql, **kw):
        return self.rows(sql, **kw)[0][0]

    def tenant(self, name, scopes="ingest,query"):
        self.run("tenant", "create", name)
        return self.json("key", "create", name, "--scopes", scopes)["key"]

    def bare(self, name):
        """A tenant that is in the registry only: a direct event makes nothing else."""
        event = self.data / f"create-{name}.json"
        event.write_text(json.dumps({"op": "create", "name": name}))
        self.run("invoke", "tenants", event)
        return self.json("key", "create", name)["key"]


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    r = Region(tmp_path_factory.mktemp("region") / "data").up()
    yield r
    r.down()


@pytest.fixture
def fresh(tmp_path):
    r = Region(tmp_path / "data").up()
    yield r
    r.down()


@pytest.fixture(scope="session")
def log_lines():
    """Real log lines when the collection is at hand, else lines of our own build log's kind."""
    lines = []
    for path in sorted(SHARED_LOGS.glob("*.log")):
        lines += [l for l in path.read_text(errors="replace").splitlines() if l.strip()]
    return lines or [f"unit {i} started in {i % 97} ms by worker-{i % 7}" for i in range(5000)]


def gz(text):
    return gzip.compress(text if isinstance(text, bytes) else text.encode(), mtime=0)


def foreign(variable, name):
    """A program that tools/setup test brought, by the variable that tools/run-tests sets."""
    path = os.environ.get(variable, "")
    path = path if os.access(path, os.X_OK) else shutil.which(name)
    if not path:
        pytest.skip(f"{name} could not be built here (tools/setup test says why)")
    return path
