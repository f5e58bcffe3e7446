"""Secrets get new values while a region is used: nobody who has a key notices, whatever is killed, and no value is seen anywhere."""

import concurrent.futures
import contextlib
import functools
import http.client
import json
import os
import random
import signal
import threading
import time
import uuid

import boto3
import pytest

from conftest import Region, children_of
from emulator_kit import emulator
from region_kit import Threads, Tree, instances, invoke

STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"]
KINDS = ["api-key-pepper", "token-signing-key"]
SOAK_S = float(os.environ.get("PRISM_ROTATION_S", "0"))
CLIENTS = 6


def ask_the_authorizer_each_second(root):
    for scheme in root["components"]["securitySchemes"].values():
        if "x-amazon-apigateway-authorizer" in scheme:
            scheme["x-amazon-apigateway-authorizer"]["authorizerResultTtlInSeconds"] = 1


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    tree = Tree(tmp_path_factory.mktemp("rotation"), contract=ask_the_authorizer_each_second).up()
    assert tree.json("tick", "rotate")["failed"] == 0  # makes the signing key
    yield tree
    tree.down()


def versions(region, name, *where):
    return region.json("secret", "history", name, *where)["versions"]


def of_stage(region, name, stage, *where):
    found = [v["version"] for v in versions(region, name, *where) if stage in v["stages"].split(",")]
    return found[0] if found else None


def step(region, which, name, token):
    return invoke(region, "rotation", {"Step": which, "SecretId": name, "ClientRequestToken": token})[2]


class Load(Threads):
    """Clients that store records over kept connections, each with the keys there are, also those that came meanwhile.

    rate: requests a second of all together; 0: as many as go."""

    def __init__(self, region, keys, rate=0.0):
        self.region, self.keys, self.rate = region, keys, rate
        self.answers, self.bad, self.waits = 0, [], []
        self.lock = threading.Lock()
        super().__init__([functools.partial(self.client, i) for i in range(CLIENTS)])

    def client(self, number):
        connection = http.client.HTTPConnection("127.0.0.1", self.region.port, timeout=60)
        sent, began = 0, time.monotonic()
        while not self.stop.is_set():
            key = self.keys[(sent * CLIENTS + number) % len(self.keys)]
            due = began + sent * CLIENTS / self.rate if self.rate else time.monotonic()
            if self.stop.wait(max(0.0, due - time.monotonic())):
                break
            body = json.dumps({"client": number, "n": sent, "run": str(uuid.uuid4())})
            connection.request("POST", "/v1/ingest/rotated", body + "\n", {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"})
            answer = connection.getresponse()
            said = answer.read()
            with self.lock:
                self.answers += 1
                self.waits.append(time.monotonic() - due)
                if answer.status != 200:
                    self.bad.append((answer.status, said[:200]))
            sent += 1
        connection.close()

    def wait_for(self, more):
        until, deadline = self.answers + more, time.monotonic() + 120
        while self.answers < until and time.monotonic() < deadline and not self.bad:
            time.sleep(0.02)


def figures(waits):
    waits = sorted(waits)
    return {f"p{p}_ms": round(waits[min(len(waits) - 1, len(waits) * p // 100)] * 1000, 1) for p in (50, 99)} if waits else {}


def test_no_request_fails_over_three_rotations_of_each_kind(tree):
    """PRISM_ROTATION_S=60 (make soak-rotation): a minute at 80 % of the rate that the region holds."""
    keys = [tree.key, *(tree.tenant(f"load{i}") for i in range(3))]
    held = 0.0
    if SOAK_S:
        with Load(tree, keys) as warm:
            warm.wait_for(200)
        with Load(tree, keys) as flat_out:
            began = time.monotonic()
            while time.monotonic() - began < 10:
                time.sleep(0.1)
            held = flat_out.answers / (time.monotonic() - began)
        assert not flat_out.bad
    pause = SOAK_S / 7
    with Load(tree, keys, rate=0.8 * held or 60.0) as load:
        for turn in range(3):
            for kind in KINDS:
                before = of_stage(tree, kind, "current")
                tree.run("secret", "rotate", kind)
                assert of_stage(tree, kind, "previous") == before
                keys.append(tree.json("key", "create", f"load{turn}", "--scopes", "ingest,query")["key"])
                load.wait_for(40)
                time.sleep(pause)
        time.sleep(pause)
    assert not load.bad, load.bad[:5]
    assert load.answers > 200
    if SOAK_S:
        print(f"\nrotation under load: holds {held:.0f}/s, sent {0.8 * held:.0f}/s for {SOAK_S:.0f} s, {load.answers} requests, {len(load.bad)} failed, {figures(load.waits)}")
    assert tree.call("GET", "/v1/datasets", key=tree.key[:-1] + ("0" if tree.key[-1] != "0" else "1")).status_code == 401
    # what is sealed under the previous names opens as well: each key, asked for anew
    time.sleep(1.1)
    assert {tree.call("GET", "/v1/datasets", key=key).status_code for key in keys} == {200}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_region_that_is_killed_between_steps_ends_the_rotation_later(tree, kind, done):
    token = str(uuid.uuid4())
    for which in STEPS[:done]:
        assert step(tree, which, kind, token)["done"]
    tree.kill()
    tree.up()
    assert tree.call("GET", "/v1/datasets").status_code == 200  # the current value serves
    told = tree.json("tick", "rotate")
    assert (told["ended"], told["failed"]) == (1, 0)
    assert of_stage(tree, kind, "current") == token and of_stage(tree, kind, "pending") is None
    assert tree.call("GET", "/v1/datasets", key=tree.json("key", "create")["key"]).status_code == 200


def test_kills_within_steps_lock_nobody_out(tree):
    """The function, now and then the region: kill -9 at any moment of a rotation."""
    chance = random.Random(5)
    keys = [tree.key]
    for turn in range(8):
        kind = KINDS[turn % 2]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            rotating = pool.submit(tree.run, "secret", "rotate", kind, check=False)
            time.sleep(chance.uniform(0.0, 0.06))
            if turn % 4 == 3:
                tree.kill()
            else:
                for pid in instances(tree, "rotation"):
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
            rotating.result()
        if turn % 4 == 3:
            tree.up()
        tree.run("secret", "rotate", kind)  # ends what was begun, or begins one
        assert of_stage(tree, kind, "pending") is None
        keys.append(tree.json("key", "create")["key"])
        assert {tree.call("GET", "/v1/datasets", key=key).status_code for key in keys} == {200}
    assert tree.json("tick", "rotate")["failed"] == 0


def test_ten_rotations_at_once_are_one_or_follow_each_other(tree):
    before = len(versions(tree, "api-key-pepper"))
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        ends = [done.returncode for done in pool.map(lambda _: tree.run("secret", "rotate", "api-key-pepper", check=False), range(10))]
    assert 0 in ends and set(ends) <= {0, 5}  # who met another's is told
    tree.run("secret", "rotate", "api-key-pepper")
    assert of_stage(tree, "api-key-pepper", "pending") is None
    assert before < len(versions(tree, "api-key-pepper")) <= before + 11
    assert tree.call("GET", "/v1/datasets", key=tree.json("key", "create")["key"]).status_code == 200


# ---- the function's events ----


def test_events_that_are_none_of_its_own_are_refused(tree):
    token = str(uuid.uuid4())
    for event, kind in [({}, "BadRequest"), ([], "BadRequest"), ({"Step": "createSecret"}, "BadRequest"), ({"op": "due"}, "BadRequest"), ({"op": "due", "days": 1001}, "BadRequest"),
                        ({"Step": "dropSecret", "SecretId": "api-key-pepper", "ClientRequestToken": token}, "BadRequest"),
                        ({"Step": "createSecret", "SecretId": "nobody/api-key-pepper", "ClientRequestToken": token}, "NotFound"),
                        ({"Step": "createSecret", "SecretId": "../key", "ClientRequestToken": token}, "BadRequest"),
                        ({"Step": "createSecret", "SecretId": "api key pepper", "ClientRequestToken": token}, "NotFound"),
                        ({"Step": "createSecret", "SecretId": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prism/dev/api-key-pepper-AbCdEf", "ClientRequestToken": token}, "NotFound"),
                        ({"Step": "finishSecret", "SecretId": "api-key-pepper", "ClientRequestToken": token}, "Conflict")]:
        assert invoke(tree, "rotation", event)[2]["errorType"] == kind, event
    assert of_stage(tree, "api-key-pepper", "pending") is None


def test_public_keys_have_ids_and_nothing_private(tree):
    tree.run("secret", "rotate", "token-signing-key")
    keys = invoke(tree, "rotation", {"op": "public-keys"})[2]["keys"]
    assert len(keys) >= 2 and all(set(k) == {"kty", "crv", "use", "alg", "kid", "x"} for k in keys)


# ---- the command ----


def test_a_secret_comes_from_a_file_or_standard_input_and_is_never_shown(tree, tmp_path):
    canary = "canary-" + uuid.uuid4().hex
    (tmp_path / "value").write_text(canary + "\n")
    said = [tree.run("secret", "create", "partner", "--service", "billing", "--from", str(tmp_path / "value")),
            tree.run("secret", "create", "other", "--from", "-", input=canary), tree.run("secret", "create", "made", "--json"),
            tree.run("secret", "list"), tree.run("secret", "history", "other"), tree.run("secret", "create", "other", "--from", "-", input=canary, check=False),
            tree.run("secret", "rotate", "other", check=False), tree.run("secret", "create", "bad name", check=False), tree.run("secret", "history", "none", check=False),
            tree.run("secret", "create", "empty", "--from", "-", input="\n", check=False), tree.run("secret", "create", "x", "--from", str(tmp_path / "none"), check=False)]
    assert [done.returncode for done in said] == [0, 0, 0, 0, 0, 4, 4, 2, 4, 2, 1]
    assert not any(canary in done.stdout + done.stderr for done in said)
    listed = {s["name"]: s for s in tree.json("secret", "list")["secrets"]}
    assert listed["api-key-pepper"]["rotates"] == "yes" and listed["other"]["rotates"] == "no" and listed["billing/partner"]["since"]
    assert [s["name"] for s in tree.json("secret", "list", "--service", "billing")["secrets"]] == ["billing/partner"]
    assert versions(tree, "other")[0]["stages"] == "current"
    audit = [json.loads(line) for line in (tree.data / "logs" / "audit.log").read_text().splitlines()]
    assert ["secret create", "billing/partner", "done"] in [[a["action"], a["secret"], a["outcome"]] for a in audit]
    assert all(a["user"].startswith("root(0)") or "(" in a["user"] for a in audit) and canary not in json.dumps(audit)


# ---- Secrets Manager, and nothing seen ----


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """A region whose secrets are in an emulator's Secrets Manager, where a test can read every value there ever was."""
    with emulator() as port:
        endpoint = f"http://127.0.0.1:{port}"
        region = Region(tmp_path_factory.mktemp("cloud") / "data", env={
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "PRISM_REGION_METRICS_MS": "500",
            "PRISM_METRICS_INTERVAL_MS": "200", "PRISM_LOG_LEVEL": "debug"})
        client = boto3.client("secretsmanager", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        client.create_secret(Name="prism-planted/api-key-pepper", SecretString="planted-pepper-" + uuid.uuid4().hex)
        client.create_secret(Name="prism-planted/token-signing-key", SecretString="planted-token-key-" + uuid.uuid4().hex)
        region.up_options = [*region.up_options[:0], "--aws-endpoint", endpoint, "--aws-prefix", "prism-planted"]
        region.up().warm()
        region.client = client
        yield region
        region.down()


def arn(region, kind):
    return region.client.describe_secret(SecretId=f"prism-planted/{kind}")["ARN"]


def words(region):
    """Every secret word of every version: whole values, and what their lists hold."""
    found = set()
    for kind in KINDS:
        name = f"prism-planted/{kind}"
        for version in region.client.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]:
            value = region.client.get_secret_value(SecretId=name, VersionId=version["VersionId"])["SecretString"]
            found.add(value)
            if value.startswith("{"):
                parts = json.loads(value)
                found |= {p["value"] for p in parts.get("peppers", [])} | {k["d"] for k in parts.get("keys", [])}
    assert len(found) >= 6
    return found


def processes(region):
    pid = region.pid
    return [pid, *children_of(pid)]


def test_secrets_manager_s_own_events_rotate_by_arn(cloud):
    key = cloud.key
    for kind in KINDS:
        token = str(uuid.uuid4())
        for which in [*STEPS, "finishSecret", "createSecret"]:
            assert step(cloud, which, arn(cloud, kind), token).get("done"), which
        stages = cloud.client.describe_secret(SecretId=arn(cloud, kind))["VersionIdsToStages"]
        assert "AWSCURRENT" in stages[token] and sum("AWSPREVIOUS" in s for s in stages.values()) == 1
        cloud.run("secret", "rotate", kind)
    assert cloud.call("GET", "/v1/datasets", key=key).status_code == 200
    assert cloud.call("GET", "/v1/datasets", key=cloud.json("key", "create")["key"]).status_code == 200
    where = ["--store", "secretsmanager://prism-planted"]
    env, cloud.env = cloud.env, {**cloud.env, "AWS_ENDPOINT_URL": cloud.up_options[-3]}
    assert of_stage(cloud, KINDS[0], "current", *where) == of_stage(cloud, KINDS[0], "current")
    cloud.env = env


def test_no_value_is_seen_in_logs_data_telemetry_letters_or_processes(cloud):
    """Values that are known, in what is known to be written: and the function is made to fail and to crash with them in memory."""
    assert cloud.ingest("seen", [{"n": 1}]).status_code == 200
    invoke(cloud, "rotation", {"op": "due", "days": "planted"})
    invoke(cloud, "rotation", {"Step": "finishSecret", "SecretId": "api-key-pepper", "ClientRequestToken": "x"})
    invoke(cloud, "rotation", {"op": "nothing"}, kind="Event")  # fails each time: a dead letter in the end
    invoke(cloud, "rotation", {"op": "public-keys"})
    for name in ("rotation", "authorizer", "keys"):
        for pid in instances(cloud, name):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGQUIT)  # whose default is a core; sanitizers take SIGSEGV for themselves
    cloud.run("secret", "rotate", KINDS[0])
    assert cloud.call("GET", "/v1/datasets").status_code == 200
    secret = words(cloud)
    needles = [w.encode() for w in secret]
    for pid in processes(cloud):
        with contextlib.suppress(OSError):
            for what in ("environ", "cmdline"):
                text = open(f"/proc/{pid}/{what}", "rb").read()
                assert not any(n in text for n in needles), (pid, what)
            limits = open(f"/proc/{pid}/limits").read()
            core = next(line.split() for line in limits.splitlines() if line.startswith("Max core file size"))
            assert core[4:6] == ["0", "0"], core
    operator = cloud.json("key", "create", "_system", "--scopes", "query")["key"]
    for dataset in ("function_log", "access_log", "metrics", "traces", "workflow_events"):
        answer = cloud.query(f"SELECT * FROM {dataset}", key=operator)
        assert answer.status_code in (200, 404, 400), answer.text
        assert not any(w in answer.text for w in secret), dataset
    cloud.down()
    looked = 0
    for path in cloud.data.rglob("*"):
        if path.is_file():
            assert not path.name.startswith("core"), path
            text = path.read_bytes()
            looked += 1
            assert not any(n in text for n in needles), path
    assert looked > 10 and (cloud.data / "logs" / "rotation.log").stat().st_size > 0
    cloud.up()
