"""The user of PostgreSQL gets new passwords while a region stores and queries: two users take turns, nobody notices, no password is logged."""

import json
import subprocess
import threading
import time
import urllib.parse
import uuid

import boto3
import pytest

import postgres_server
from conftest import Region
from emulator_kit import emulator
from region_kit import invoke

PREFIX = "prism-database"
NAME = "database/app"
STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"]


@pytest.fixture(scope="module")
def postgres():
    with postgres_server.server(settings=["log_statement = 'all'", "log_connections = on"]) as server:
        server.sql("CREATE ROLE app LOGIN PASSWORD 'first'", "CREATE DATABASE prism TEMPLATE template0 OWNER app")
        yield server


@pytest.fixture(scope="module")
def secrets():
    with emulator() as port:
        client = boto3.client("secretsmanager", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        client.endpoint = f"http://127.0.0.1:{port}"
        yield client


@pytest.fixture(scope="module")
def region(postgres, secrets, tmp_path_factory):
    plain = postgres.url("prism", account="app", password="unused")
    value = {"username": "app", "password": "first", "url": plain, "admin": "database-owner", "note": "kept"}
    secrets.create_secret(Name=f"{PREFIX}/{NAME}", SecretString=json.dumps(value))
    secrets.create_secret(Name=f"{PREFIX}/database-owner", SecretString=json.dumps({"username": "prism", "password": postgres_server.PASSWORD}))
    url = (f"postgresql://localhost:{postgres.port}/prism?sslrootcert={postgres.folder}/ca.pem&secret={NAME}&secrets="
           + urllib.parse.quote(f"secretsmanager://{PREFIX}", safe=""))
    region = Region(tmp_path_factory.mktemp("region") / "data", env={"PRISM_META_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"})
    region.up_options = ["--aws-endpoint", secrets.endpoint, "--aws-prefix", PREFIX]
    region.up().warm()
    yield region
    region.down()


def value(secrets, stage="AWSCURRENT"):
    return json.loads(secrets.get_secret_value(SecretId=f"{PREFIX}/{NAME}", VersionStage=stage)["SecretString"])


def step(region, which, token):
    return invoke(region, "rotation", {"Step": which, "SecretId": NAME, "ClientRequestToken": token})[2]


def test_nobody_notices_three_rotations(region, postgres, secrets):
    """Sessions are ended all the time, so that functions sign in with what the secret says at each moment of a rotation."""
    bad, over, count = [], threading.Event(), [0]

    def work(number):
        while not over.is_set():
            count[0] += 1
            for answer in (region.ingest(f"turn{number}", [{"n": count[0], "id": str(uuid.uuid4())}]), region.query(f"SELECT count(*) FROM turn{number}")):
                if answer.status_code != 200:
                    bad.append((answer.status_code, answer.text))

    def cut():
        while not over.wait(0.3):
            postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'app%'")

    for number in range(2):
        assert region.ingest(f"turn{number}", [{"n": 0}]).status_code == 200
    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)] + [threading.Thread(target=cut)]
    for thread in threads:
        thread.start()
    try:
        users = [value(secrets)["username"]]
        for _ in range(3):
            region.run("secret", "rotate", NAME)
            users.append(value(secrets)["username"])
            until, deadline = count[0] + 10, time.monotonic() + 60
            while count[0] < until and time.monotonic() < deadline:
                time.sleep(0.05)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not bad, bad[:3]
    assert users == ["app", "app_clone", "app", "app_clone"] and count[0] > 30
    assert value(secrets)["note"] == "kept" and value(secrets, "AWSPREVIOUS")["username"] == "app"
    assert postgres.sql("SELECT count(*) FROM pg_tables WHERE tableowner = 'app_clone'", database="prism") == "0"


def test_steps_repeated_in_between_leave_both_users_working(region, postgres, secrets):
    token = str(uuid.uuid4())
    for done in range(1, len(STEPS) + 1):
        for which in STEPS[:done]:
            assert step(region, which, token).get("done"), which
        signs_in(postgres, value(secrets))
    signs_in(postgres, value(secrets, "AWSPREVIOUS"))
    assert step(region, "setSecret", token).get("done")  # late: it has ended


def signs_in(postgres, given):
    url = postgres.url("prism", account=given["username"], password=given["password"]) + "&sslmode=verify-full"
    done = subprocess.run(["psql", "-X", "-A", "-t", "-c", "SELECT current_user", url], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "app"), done.stderr


def test_an_administrator_who_may_not_is_told_and_the_user_in_use_stays(region, postgres, secrets):
    before = value(secrets)
    owner = f"{PREFIX}/database-owner"
    good = secrets.get_secret_value(SecretId=owner)["SecretString"]
    secrets.put_secret_value(SecretId=owner, SecretString=json.dumps({"username": "prism", "password": "wrong"}))
    told = region.run("secret", "rotate", NAME, check=False)
    assert told.returncode == 5 and "setSecret" in told.stderr and "wrong" not in told.stderr
    assert value(secrets) == before
    signs_in(postgres, before)
    secrets.put_secret_value(SecretId=owner, SecretString=good)
    assert region.json("secret", "rotate", NAME)["resumed"] is True
    assert value(secrets)["username"] != before["username"]
    signs_in(postgres, value(secrets))
    signs_in(postgres, before)


def test_no_password_is_in_logs_of_the_server_or_the_region(region, postgres, secrets):
    passwords = set()
    for version in secrets.list_secret_version_ids(SecretId=f"{PREFIX}/{NAME}", IncludeDeprecated=True)["Versions"]:
        given = json.loads(secrets.get_secret_value(SecretId=f"{PREFIX}/{NAME}", VersionId=version["VersionId"])["SecretString"])
        passwords.add(given["password"])
    assert len(passwords) >= 4
    passwords.discard("first")  # by CREATE ROLE above, and too short a word to look for
    log = postgres.log.read_text(errors="replace")
    assert "ALTER ROLE" in log and not any(p in log for p in passwords)
    for path in region.data.rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            assert not any(p.encode() in text for p in passwords), path
