"""The executables built here answer under AWS's own Lambda runtime interface emulator, unchanged and without a
region: what starts them as `bootstrap` need not be ours."""

import base64
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest
import requests
from conftest import BUILD, ROOT, free_port

RIE = pathlib.Path(os.environ.get("PRISM_LAMBDA_RIE", "aws-lambda-rie"))
CATALOGUE = json.loads((ROOT / "platform" / "functions.json").read_text())["functions"]
INVOKE = "/2015-03-31/functions/function/invocations"


def environment(name, folder):
    """A function's environment as its definition says, with every store in `folder`."""
    stores = {
        "PRISM_HOT_URL": folder / "hot",
        "PRISM_SEGMENTS_URL": folder / "segments",
        "PRISM_ANALYTICS_URL": folder / "analytics",
        "PRISM_TABLES_URL": folder / "tables.db",
        "PRISM_META_URL": folder / "meta.db",
        "PRISM_SECRETS_URL": folder / "secrets",
        "PRISM_TMP": folder / "tmp",
    }
    for key, path in stores.items():
        if not key.endswith(("TABLES_URL", "META_URL")):
            path.mkdir(mode=0o700, exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "PRISM_REGION": "local",
        **CATALOGUE[name]["environment"],
        **{key: str(path) for key, path in stores.items()},
    }


class Emulator:
    """The function `name` with its stores in `folder`; `command` is what is started instead of the build's executable."""

    def __init__(self, name, folder, env=None, command=None):
        self.log = folder / "emulator.log"
        self.command = command or [BUILD / "fn" / name / "bootstrap"]
        for _ in range(5):  # a port that was free may be somebody else's by the time that the emulator listens
            self.start(name, folder, env)
            if self.await_port():
                return
            self.stop()
        raise AssertionError(f"the emulator does not listen\n{self.log.read_text()}")

    def start(self, name, folder, env):
        self.url = f"http://127.0.0.1:{free_port()}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [RIE, "--runtime-interface-emulator-address", self.url.removeprefix("http://"),
                 "--runtime-api-address", f"127.0.0.1:{free_port()}", *self.command],
                env=environment(name, folder) if env is None else env, cwd=folder, stdout=log, stderr=log,
                start_new_session=True)

    def await_port(self):
        for _ in range(1500):
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                requests.get(self.url, timeout=60)
                return True
            if "address already in use" in self.log.read_text():
                return False
            time.sleep(0.02)
        return False

    def invoke(self, event):
        """The answer; of a streamed one the prelude, with the body as "streamed"."""
        answer = requests.post(self.url + INVOKE, data=event if isinstance(event, (str, bytes)) else json.dumps(event),
                               timeout=60)
        prelude, nuls, body = answer.content.partition(b"\0" * 8)
        return {**json.loads(prelude), **({"streamed": body.decode()} if nuls else {})}

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def emulate(tmp_path):
    assert RIE.exists(), "PRISM_LAMBDA_RIE names no emulator: run tools/setup test"
    running = []

    def start(name, env=None):
        running.append(Emulator(name, tmp_path, env))
        return running[-1]

    yield start
    for emulator in running:
        emulator.stop()


def proxy_event(method, resource, path, body=b"", caller=True, **params):
    authorizer = {"tenant": "acme", "key_id": "00112233445566ff", "scopes": "ingest query admin", "tier": "pool",
                  "home_region": "local", "shard": "0", "epoch": "1"}
    return {
        "resource": resource, "path": path, "httpMethod": method,
        "headers": {"Content-Type": "application/x-ndjson"}, "multiValueHeaders": None,
        "queryStringParameters": None, "multiValueQueryStringParameters": None,
        "pathParameters": params or None, "stageVariables": None,
        "requestContext": {"requestId": "00000000-0000-7000-8000-000000000001", "stage": "live",
                           "identity": {"sourceIp": "127.0.0.1"}, **({"authorizer": authorizer} if caller else {})},
        "body": base64.b64encode(body).decode() if body else None, "isBase64Encoded": bool(body),
    }


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_function_starts_and_goes_on_answering(emulate, name):
    emulator = emulate(name)
    first = emulator.invoke(proxy_event("GET", "/no/such/route", "/no/such/route"))
    assert "statusCode" in first or "errorType" in first or "policyDocument" in first, first
    assert first.get("errorType") not in ("Runtime.ExitError", "Runtime.InvalidEntrypoint", "Sandbox.Timedout"), first
    assert emulator.invoke("{}") is not None
    log = emulator.log.read_text()
    assert "INIT RTDONE(status: success)" in log, log
    assert log.count("INIT START") == 1, log  # the same process answered both


def test_ingest_stores_records_and_refuses_bad_ones(emulate, tmp_path):
    emulator = emulate("ingest")
    records = b"".join(b'{"time":"%s","message":"m%d"}\n' %
                       (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode(), i) for i in range(100))
    answer = emulator.invoke(proxy_event("POST", "/v1/ingest/{dataset}", "/v1/ingest/app", records, dataset="app"))
    assert answer["statusCode"] in (200, 202), answer
    assert json.loads(answer["body"])["accepted"] == 100
    assert any(path.stat().st_size > 0 for path in (tmp_path / "hot").rglob("*") if path.is_file())
    answer = emulator.invoke(proxy_event("POST", "/v1/ingest/{dataset}", "/v1/ingest/app", b'{"cut":', dataset="app"))
    assert 400 <= answer["statusCode"] < 500 or json.loads(answer["body"])["rejected"] == 1, answer
    answer = emulator.invoke(proxy_event("POST", "/v1/ingest/{dataset}", "/v1/ingest/app", records, caller=False,
                                         dataset="app"))
    assert answer["statusCode"] in (401, 403), answer  # the tenant comes from the authorizer only


def test_query_streams_its_answer(emulate):
    event = proxy_event("POST", "/v1/query", "/v1/query", json.dumps({"sql": "SELECT 40 + 2 AS answer"}).encode())
    answer = emulate("query").invoke(event)
    assert answer["statusCode"] == 200, answer
    assert "42" in answer["streamed"], answer


def test_what_is_no_event_is_an_answer_and_not_a_crash(emulate):
    emulator = emulate("ingest")
    for payload in ("null", "[]", '"text"', '{"httpMethod":1}'):
        answer = emulator.invoke(payload)
        assert answer.get("errorType") not in ("Runtime.ExitError", "Sandbox.Timedout"), answer
    assert emulator.log.read_text().count("INIT START") == 1


def test_a_function_that_cannot_start_posts_why(emulate, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    env = {**environment("ingest", tmp_path), "PRISM_HOT_URL": str(tmp_path / "file" / "hot")}
    answer = emulate("ingest", env).invoke("{}")
    assert answer["errorType"] and answer["errorType"] != "Sandbox.Timedout", answer
    assert "errorMessage" in answer


def test_without_a_runtime_api_it_says_how_to_start_it():
    done = subprocess.run([BUILD / "fn" / "ingest" / "bootstrap"], env={}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "AWS_LAMBDA_RUNTIME_API" in done.stderr and "aws-lambda-rie" in done.stderr
