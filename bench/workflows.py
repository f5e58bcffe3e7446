"""Step Functions' work: transitions a second, start to end, memory of waiting executions; Prism's engine with its journal on the disk
(bench/executions.c) beside two emulators that keep everything in memory, driven by boto3 on loopback."""

import concurrent.futures
import contextlib
import json
import pathlib
import subprocess
import sys
import time
import uuid

import boto3
import requests
from botocore.config import Config

import emulator_kit
import two_regions
from measure import BUILD, arguments, percentile, scratch, table

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


def main():
    args = arguments(executions=100_000, peer_executions=200)
    with scratch() as folder:
        own = prism("transitions", ten_states(), folder, args.executions)
        lone = prism("latency", ten_states(), folder, 1000)
        held = prism("held", WAITING, folder, HELD)
    rows = [["prism", f"{own['states_per_s']:,.0f}", f"{lone['p50_us']:,}", f"{lone['p99_us']:,}", "1"]]
    for name, start in (("ministack", lambda: two_regions.emulator("stepfunctions")), ("moto", moto)):
        with start() as url:
            theirs = peer(url, args.peer_executions)
        rows.append([name, f"{theirs['states_per_s']:,.0f}", f"{theirs['p50_us']:,.0f}", f"{theirs['p99_us']:,.0f}",
                     f"{own['states_per_s'] / theirs['states_per_s']:,.0f}"])
    table(["", "states/s", "start to end p50 us", "p99 us", "prism is times"], rows)
    print(f"\n{held['executions']:,} executions waiting for a token: {held['resident_bytes'] / 1e6:.1f} MB resident (aim: 200), "
          f"{(held['resident_bytes'] - held['before_bytes']) / held['executions']:,.0f} bytes each")
    sys.stdout.flush()


main()
