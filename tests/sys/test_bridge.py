"""Calls of workflows to functions in other regions: function `bridge` between regions of one machine, the same executable under AWS's own runtime
interface emulator, and Lambda's Invoke as boto3 knows it."""

import json
import os
import shutil
import signal
import threading

import boto3
import botocore.config
import botocore.exceptions
import pytest
from conftest import children_of
from region_kit import control, wait
from runtime_kit import KEY, SECRET, Server, signature_fits
from test_regions import AP, EU, US, Regions
from test_rie import Emulator

pytestmark = pytest.mark.skipif(os.environ.get("PRISM_TEST_STORES") == "aws", reason="no stores are looked at here")
of_fleets = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is missing: run tools/setup test")

STORAGE = "prism-storage-shard-0"


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    r = Regions(tmp_path_factory.mktemp("r") / "d").up().settle()
    yield r
    r.down()


def call(regions, region, function, event, at=US):
    """What `bridge` in region `at` answers."""
    status, answer = regions.ask(at, "POST", "/2015-03-31/functions/bridge/invocations", {"region": region, "function": function, "event": event})
    assert status == 200
    return answer


# ---- between regions of one machine ----


@of_fleets
def test_a_function_of_the_other_region_answers(regions):
    answer = call(regions, EU, STORAGE, {"op": "seal"})
    assert "errorType" not in answer and answer["op"] == "seal"
    other = next(f for f in regions.one(EU).status()["functions"] if f["name"] == "storage")
    assert other["invocations"] >= 1


@of_fleets
@pytest.mark.parametrize("event, error", [({"op": "move-settle", "tenant": "nobody", "epoch": 7, "at": US}, "WrongRegion"),
                                          ({"op": "move-clean", "tenant": "nobody", "epoch": 7, "at": EU}, "Fenced"),
                                          ({"op": "no-such-thing"}, "InvalidEvent")])
def test_its_errors_come_as_they_are(regions, event, error):
    there = regions.ask(EU, "POST", "/2015-03-31/functions/storage/invocations", event)[1]
    here = call(regions, EU, STORAGE, event)
    assert here["errorType"] == there["errorType"] == error and here["errorMessage"] == there["errorMessage"]


@of_fleets
@pytest.mark.parametrize("region, function", [(AP, STORAGE), (US, STORAGE), (EU, "prism-keys"), (EU, "storage"), (EU, "prism-storage-shard-1")])
def test_nothing_else_may_be_called(regions, region, function):
    assert call(regions, region, function, {})["errorType"] == "NotAllowed"


@of_fleets
def test_a_region_that_is_cut_off_or_down_is_told_and_later_reached(regions):
    regions.region("partition", US, EU)
    answer = call(regions, EU, STORAGE, {"op": "seal"})
    assert answer["errorType"] == "Lambda.SdkClientException" and "lambda Invoke in eu-west-1" in answer["errorMessage"]
    regions.region("heal", US, EU)
    wait(lambda: "errorType" not in call(regions, EU, STORAGE, {"op": "seal"}), seconds=60)
    regions.region("kill", EU)
    assert call(regions, EU, STORAGE, {"op": "seal"})["errorType"] == "Lambda.SdkClientException"
    regions.region("heal", EU)
    wait(lambda: "errorType" not in call(regions, EU, STORAGE, {"op": "seal"}), seconds=60)


@of_fleets
def test_many_call_at_once(regions):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(call(regions, EU, STORAGE, {"op": "seal"}))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8 and all(a.get("op") == "seal" for a in answers), answers


# ---- under the emulator, to a Lambda that is Prism's region and checks signatures as botocore makes them ----


@pytest.fixture
def lambda_of(region):
    """Lambda's endpoint in front of a region: its control socket on a port. `hold` keeps answers back."""
    hold = threading.Event()
    hold.set()
    seen = []

    def answer(handler, body):
        seen.append(handler)
        if "Authorization" in handler.headers:
            handler.fits = lambda where: signature_fits("POST", handler.path, handler.headers, body, "lambda", where)
        hold.wait(60)
        path, _, _ = handler.path.partition("?")
        kept = {name: handler.headers[name] for name in ("X-Amz-Invocation-Type", "Content-Type") if name in handler.headers}
        status, headers, text = control(region, "POST", path, json.loads(body) if body else None, kept)
        return status, {n: v for n, v in headers.items() if n.lower() not in ("content-length", "date", "connection")}, text

    server = Server(answer)
    server.hold, server.seen = hold, seen
    yield server
    hold.set()
    server.close()


@pytest.fixture
def emulated(tmp_path, lambda_of):
    may = {"local": ["prism-tenants", "prism-storage-shard-0", "prism-nobody"]}
    env = {"PATH": os.environ["PATH"], "AWS_LAMBDA_FUNCTION_NAME": "bridge", "PRISM_REGION": "eu-central-1", "AWS_REGION": "eu-central-1",
           "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL_LAMBDA": lambda_of.url,
           "PRISM_BRIDGE_FUNCTIONS": json.dumps(may)}
    emulator = Emulator("bridge", tmp_path, env)
    yield emulator
    emulator.stop()


def test_under_the_emulator_it_calls_a_region_with_signed_requests(emulated, lambda_of):
    listed = emulated.invoke({"region": "local", "function": "prism-tenants", "event": {"op": "list"}})
    assert any(t["name"] == "_system" for t in listed["tenants"]), listed
    assert lambda_of.seen[-1].fits("local")
    refused = emulated.invoke({"region": "local", "function": "prism-storage-shard-0", "event": {"op": "no-such-thing"}})
    assert refused["errorType"] == "InvalidEvent"
    absent = emulated.invoke({"region": "local", "function": "prism-nobody", "event": {}})
    assert absent["errorType"] == "Lambda.ResourceNotFoundException"
    before = len(lambda_of.seen)
    assert emulated.invoke({"region": "eu-west-1", "function": "prism-tenants", "event": {}})["errorType"] == "NotAllowed"
    assert len(lambda_of.seen) == before


def test_a_caller_that_is_gone_ends_the_call(emulated, lambda_of):
    lambda_of.hold.clear()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(emulated.invoke({"region": "local", "function": "prism-tenants", "event": {"op": "list"}})))
    thread.start()
    wait(lambda: lambda_of.seen, seconds=60)
    for pid in children_of(emulated.process.pid):
        os.kill(pid, signal.SIGUSR1)
    thread.join(60)
    assert answers and answers[0]["errorType"] == "Lambda.SdkClientException" and "called off" in answers[0]["errorMessage"], answers


# ---- the region's Invoke, as AWS's own client speaks it ----


@pytest.fixture
def client(lambda_of):
    return boto3.client("lambda", region_name="local", endpoint_url=lambda_of.url, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
                        config=botocore.config.Config(retries={"max_attempts": 0}))


@pytest.mark.parametrize("name", ["tenants", "prism-tenants", "arn:aws:lambda:local:000000000000:function:prism-tenants:live"])
def test_boto3_invokes_by_name_and_arn(client, name):
    answer = client.invoke(FunctionName=name, Payload=json.dumps({"op": "list"}))
    assert answer["StatusCode"] == 200 and "FunctionError" not in answer
    assert any(t["name"] == "_system" for t in json.loads(answer["Payload"].read())["tenants"])


def test_boto3_sees_functions_errors_and_lambdas_own(client):
    answer = client.invoke(FunctionName="prism-storage-shard-0", Payload=b'{"op":"no-such-thing"}')
    assert answer["FunctionError"] == "Unhandled" and json.loads(answer["Payload"].read())["errorType"] == "InvalidEvent"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="prism-nobody", Payload=b"{}")
    with pytest.raises(client.exceptions.ResourceNotFoundException):  # of a region that is nobody's
        client.invoke(FunctionName="arn:aws:lambda:eu-west-1:000000000000:function:prism-tenants:live", Payload=b"{}")
    assert client.invoke(FunctionName="tenants", InvocationType="Event", Payload=b'{"op":"list"}')["StatusCode"] == 202
