"""Step Functions' work: transitions a second, start to end, memory of waiting executions; Prism's engine with its journal on the disk
(bench/executions.c) beside two emulators that keep everything in memory, driven by boto3 on loopback. Then requests of the protocol as a client
makes them, StartExecution and DescribeExecution: a whole region through its control socket, beside the same emulators; all by one client that
does no more than send and receive, since boto3's own work would hide the server's."""

import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import subprocess
import sys
import time
import urllib.parse
import uuid

import boto3
import requests
from botocore.config import Config

import emulator_kit
import two_regions
from measure import BUILD, arguments, percentile, scratch, table
from region_kit import Tree, UnixConnection

STATES = 10
HELD = 10_000


def ten_states():
    """Pass and Choice, with data moving: what a definition does between its tasks."""
    states = {}
    for i in range(STATES - 1):
        states[f"S{i}"] = {"Type": "Pass", "Parameters": {"order.$": "$.order", "customer.$": "$.customer", "step": i}, "Next": f"S{i + 1}"}
    states["S4"] = {"Type": "Choice", "Choices": [{"Variable": "$.customer", "StringEquals": "acme", "Next": "S5"}], "Default": "S5"}
    states[f"S{STATES - 1}"] = {"Type": "Pass", "End": True}
    return {"StartAt": "S0", "States": states}


WAITING = {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                                            "Parameters": {"QueueUrl": "q", "MessageBody": {"t.$": "$$.Task.Token"}}, "End": True}}}
INPUT = {"order": {"id": 42, "items": [1, 2, 3]}, "customer": "acme"}


def prism(mode, definition, folder, executions):
    path = pathlib.Path(folder) / "definition.asl.json"
    path.write_text(json.dumps(definition))
    place = pathlib.Path(folder) / mode
    place.mkdir(exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    done = subprocess.run([BUILD / "bench" / "executions", mode, path, place, str(executions)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def client(url):
    return boto3.client("stepfunctions", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test",
                        aws_secret_access_key="test", config=Config(inject_host_prefix=False, retries={"max_attempts": 0}))


def one(sfn, machine):
    arn = sfn.start_execution(stateMachineArn=machine, name=str(uuid.uuid4()), input=json.dumps(INPUT))["executionArn"]
    deadline = time.monotonic() + 60
    while (status := sfn.describe_execution(executionArn=arn)["status"]) == "RUNNING":
        assert time.monotonic() < deadline, "it does not end"
        time.sleep(0.0005)
    assert status == "SUCCEEDED", status


def peer(url, executions):
    """Executions a second of four clients, and the times of one client alone."""
    sfn = client(url)
    machine = sfn.create_state_machine(name="bench", definition=json.dumps(ten_states()), roleArn="arn:aws:iam::123456789012:role/r")["stateMachineArn"]
    one(sfn, machine)
    times = []
    for _ in range(min(executions, 50)):
        begun = time.perf_counter()
        one(sfn, machine)
        times.append((time.perf_counter() - begun) * 1e6)
    begun = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: one(sfn, machine), range(executions)))
    seconds = time.perf_counter() - begun
    return {"states_per_s": executions * STATES / seconds, "p50_us": percentile(times, 50), "p99_us": percentile(times, 99)}


@contextlib.contextmanager
def moto():
    with emulator_kit.emulator() as port:
        url = f"http://127.0.0.1:{port}"
        requests.post(f"{url}/moto-api/config", json={"stepfunctions": {"execute_state_machine": True}}, timeout=30).raise_for_status()
        yield url


# ---- the protocol ----

SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0"  # tells the service; unchecked


class Protocol:
    """Requests of Step Functions on one kept connection."""

    def __init__(self, connection):
        self.connection = connection

    def call(self, action, **body):
        headers = {"X-Amz-Target": f"AWSStepFunctions.{action}", "Content-Type": "application/x-amz-json-1.0", "Authorization": SIGNED}
        self.connection.request("POST", "/", json.dumps(body), headers)
        answer = self.connection.getresponse()
        read = json.loads(answer.read())
        assert answer.status == 200, read
        return read

    def timed(self, action, **body):
        begun = time.perf_counter()
        answer = self.call(action, **body)
        return answer, (time.perf_counter() - begun) * 1e6

    def end(self, arn):
        deadline = time.monotonic() + 60
        while (found := self.call("DescribeExecution", executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < deadline, "it does not end"
        assert found["status"] == "SUCCEEDED", found


def requests_of(protocol, machine, count):
    """Microseconds of starts, of descriptions of what has ended, and from a start to the end, one request at a time."""
    starts, describes, ends = [], [], []
    for i in range(count + 10):
        begun = time.perf_counter()
        answer, took = protocol.timed("StartExecution", stateMachineArn=machine, name=str(uuid.uuid4()), input=json.dumps(INPUT))
        protocol.end(answer["executionArn"])
        whole = (time.perf_counter() - begun) * 1e6
        _, described = protocol.timed("DescribeExecution", executionArn=answer["executionArn"])
        if i >= 10:  # those before warm up
            starts.append(took)
            describes.append(described)
            ends.append(whole)
    return {name: (percentile(v, 50), percentile(v, 99)) for name, v in (("start", starts), ("describe", describes), ("to the end", ends))}


@contextlib.contextmanager
def region(folder):
    """A region with the machine of ten states in its platform."""
    tree = Tree(pathlib.Path(folder))
    tree.edit("workflows.json", lambda root: root["machines"].update(bench={"type": "STANDARD", "log_level": "ERROR", "may": {}}))
    (tree.tree / "platform" / "workflows" / "bench.asl.json").write_text(json.dumps(ten_states()))
    tree.up()
    try:
        yield Protocol(UnixConnection(tree.data / "region.sock"))
    finally:
        tree.down()


def peer_requests(url, count):
    sfn = client(url)
    machine = sfn.create_state_machine(name="requests", definition=json.dumps(ten_states()), roleArn="arn:aws:iam::123456789012:role/r")["stateMachineArn"]
    place = urllib.parse.urlsplit(url)
    return requests_of(Protocol(http.client.HTTPConnection(place.hostname, place.port, timeout=60)), machine, count)


def main():
    args = arguments(executions=100_000, peer_executions=200, requests=1000, peer_requests=100)
    with scratch() as folder:
        own = prism("transitions", ten_states(), folder, args.executions)
        lone = prism("latency", ten_states(), folder, 1000)
        held = prism("held", WAITING, folder, HELD)
    with scratch() as folder, region(folder) as protocol:
        asked = {"prism": requests_of(protocol, "bench", args.requests)}
    rows = [["prism", f"{own['states_per_s']:,.0f}", f"{lone['p50_us']:,}", f"{lone['p99_us']:,}", "1"]]
    for name, start in (("ministack", lambda: two_regions.emulator("stepfunctions")), ("moto", moto)):
        with start() as url:
            theirs = peer(url, args.peer_executions)
            asked[name] = peer_requests(url, args.peer_requests)
        rows.append([name, f"{theirs['states_per_s']:,.0f}", f"{theirs['p50_us']:,.0f}", f"{theirs['p99_us']:,.0f}",
                     f"{own['states_per_s'] / theirs['states_per_s']:,.0f}"])
    table(["", "states/s", "start to end p50 us", "p99 us", "prism is times"], rows)
    print(f"\n{held['executions']:,} executions waiting for a token: {held['resident_bytes'] / 1e6:.1f} MB resident (aim: 200), "
          f"{(held['resident_bytes'] - held['before_bytes']) / held['executions']:,.0f} bytes each")
    print()
    table(["a request at a time", *[f"{what} p50 us (p99)" for what in asked["prism"]], "prism's start is times", "describe", "to the end"],
          [[name, *[f"{p50:,.0f} ({p99:,.0f})" for p50, p99 in of.values()],
            *[f"{of[what][0] / asked['prism'][what][0]:,.1f}" for what in of]] for name, of in asked.items()])
    sys.stdout.flush()


main()
