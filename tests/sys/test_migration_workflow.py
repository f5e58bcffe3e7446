"""What the state machine tenant-migration does with answers that are no faults: copies that differ or are not all, loops that do not end, an answer
that was lost. Each run ends in one of three ways, told by what the calls that succeeded add up to: moved, given up with everything compensated,
or a question to a person behind an alert. Its fault matrix stands with those of all machines in test_workflow_faults.py.

The machine runs in `prism workflow run` with stand-ins for what it calls; only names of functions and times are changed in it."""

import copy
import json
import pathlib
import re
import subprocess

import pytest

from conftest import PRISM

ROOT = pathlib.Path(__file__).resolve().parents[2]
VALUES = {"partition": "aws", "region": "eu-west-1", "account": "123456789012", "prefix": "prism-dev-euw1", "dns_suffix": "amazonaws.com"}
DEFINITION = json.loads(re.sub(r"\$\{(\w+)\}", lambda m: VALUES[m[1]], (ROOT / "platform/workflows/tenant-migration.asl.json").read_text()))
INPUT = {"tenant": "acme", "to": "us-east-1", "to_prefix": "prism-dev-use1", "to_shard": "shard-0"}

COUNTS = {"source": {"segments": "s3://a", "analytics": "s3://b"}, "segments": 2, "rows": 7, "bytes": 9, "copied": 0, "copied_bytes": 0,
          "frames": 0, "differ": 0, "freeze": 0, "last": True, "more": False}
FUNCTIONS = {name: state for name, state in DEFINITION["States"].items() if state["Type"] == "Task" and state["Resource"].endswith("lambda:invoke")}
FORWARD = {"Leave", "Receive", "Commit", "Finish", "Settle", "Clean", "Vacate"}
BACK = {"Stay", "Abort", "Part", "CleanCopy", "VacateCopy"}
ATTEMPTS = 12


def answer(name):
    payload = FUNCTIONS[name]["Parameters"]["Payload"]
    op = payload.get("event", payload)["op"]
    if op in ("move-begin", "move-ready"):
        return {"moving": {"to": "us-east-1", "epoch": 2}, "shard": "shard-0", "tier": "pooled", "epoch": 1}
    return {"shard": "shard-7"} if op == "move-place" else COUNTS | {"op": op}


def changed(by_attempt):
    """Each function under the name of its state, those of by_attempt with the attempt's number, so that a stand-in can fail once; waits and
    pauses without their length."""
    machine = copy.deepcopy(DEFINITION)
    for state_name, state in machine["States"].items():
        if state["Type"] == "Wait":
            state["Seconds"] = 0
        for retrier in state.get("Retry", []):
            retrier.update({"IntervalSeconds": 1, "MaxDelaySeconds": 2, "MaxAttempts": min(retrier["MaxAttempts"], 5)} if retrier["MaxAttempts"] else {})
        if state_name in FUNCTIONS:
            for member in ("FunctionName", "FunctionName.$"):
                state["Parameters"].pop(member, None)
            called = f"States.Format('{state_name}-{{}}', $$.State.RetryCount)"
            state["Parameters"] |= {"FunctionName.$": called} if state_name in by_attempt else {"FunctionName": state_name}
    return machine


class Run:
    def __init__(self, folder, name, stubs):
        file, history = folder / f"{name}.json", folder / f"{name}-history.json"
        by_attempt = {stub.rpartition("-")[0] for stub in stubs} & set(FUNCTIONS)
        file.write_text(json.dumps(changed(by_attempt)))
        all_stubs = {n: "const:" + json.dumps(answer(n)) for n in FUNCTIONS if n not in by_attempt}
        all_stubs |= {f"{n}-{i}": "const:" + json.dumps(answer(n)) for n in by_attempt for i in range(ATTEMPTS)}
        all_stubs |= {"sns:publish": "const:{}", "sqs:sendMessage": 'const:{"action":"stop"}'} | stubs
        command = [PRISM, "workflow", "run", file, "--input", json.dumps(INPUT), "--history", history]
        for stub in all_stubs.items():
            command += ["--stub", "=".join(stub)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode in (0, 3), done.stderr
        self.output, self.failed = json.loads(done.stdout), done.returncode == 3
        self.entered, self.succeeded, at = [], set(), None
        events = json.loads(history.read_text())
        for event in events.get("events", events) if isinstance(events, dict) else events:
            if event["type"].endswith("StateEntered"):
                at = event["stateEnteredEventDetails"]["name"]
                self.entered.append(at)
            elif event["type"] == "TaskSucceeded":
                self.succeeded.add(at)

    def ending(self):
        """moved, given up, or asked; anything else is half done."""
        asked = [("Alert" + way, "Ask" + way) for way in ("Forward", "Back") if "Ask" + way in self.entered]
        if asked:
            (alert, ask), = asked
            assert self.failed and self.entered.index(alert) < self.entered.index(ask)
            return "asked"
        if not self.failed:
            assert self.output["outcome"] == "moved" and FORWARD <= {name.removesuffix("Again") for name in self.succeeded}
            return "moved"
        if self.entered[-1] == "NothingDone":
            assert self.succeeded == set()
            return "nothing done"
        assert BACK <= self.succeeded and not FORWARD & {name.removesuffix("Again") for name in self.succeeded}
        return "given up"


def test_all_goes_well(tmp_path):
    run = Run(tmp_path, "Begin", {})
    assert run.ending() == "moved" and run.output["epoch"] == 2
    assert not {"GiveUp", "AlertBack", "AlertForward"} & set(run.entered)


def test_a_region_without_room_is_told_before_anything_is_copied(tmp_path):
    run = Run(tmp_path, "Place", {"Place-0": "raise:Full:no shard of this region may take it"})
    assert run.ending() == "given up" and run.output["Error"] == "Full" and "no shard of this region may take it" in run.output["Cause"]
    assert not {"Greet", "Freeze"} & set(run.entered)


def test_the_place_is_made_before_the_freeze_and_where_the_target_says(tmp_path):
    run = Run(tmp_path, "Place", {})
    assert run.entered.index("Place") < run.entered.index("Greet") < run.entered.index("Freeze")
    given = DEFINITION["States"]["Placed"]
    assert (given["InputPath"], given["ResultPath"], given["Next"]) == ("$.place.shard", "$.request.to_shard", "Greet")
    assert DEFINITION["States"]["Commit"]["Parameters"]["Payload"]["shard.$"] == "$.request.to_shard"


def test_where_nobody_is_there_is_nothing_to_take_back_and_nobody_to_ask(tmp_path):
    run = Run(tmp_path, "Place", {"Place-0": "raise:NotAllowed:no such region"})
    assert run.failed and run.output["Error"] == "NotAllowed" and run.entered[-2:] == ["WasItReached", "GivenUp"]
    assert run.succeeded == {"Begin", "Stay", "Abort"}


def test_what_was_reached_once_is_taken_back_whatever_the_bridge_says_later(tmp_path):
    run = Run(tmp_path, "Greet", {"Greet-0": "raise:NotAllowed:no such function"})
    assert run.ending() == "given up" and run.output["Error"] == "NotAllowed"


LOST = {f"{name}-{i}": "raise:Broken:lost" for name in ("Leave", "LeaveAgain") for i in range(ATTEMPTS)}


def test_a_decision_whose_answer_was_lost_goes_on(tmp_path):
    run = Run(tmp_path, "Leave", LOST | {f"Stay-{i}": "raise:Decided:it has left" for i in range(ATTEMPTS)})
    assert not run.failed and run.output["outcome"] == "moved" and "Abort" not in run.entered


def test_a_move_that_somebody_left_behind_the_decision_goes_on_when_it_is_begun_again(tmp_path):
    begun = {f"Greet-{i}": "raise:Fenced:it takes records" for i in range(ATTEMPTS)} | {f"Stay-{i}": "raise:Decided:it has left" for i in range(ATTEMPTS)}
    run = Run(tmp_path, "Greet", begun)
    assert not run.failed and run.output["outcome"] == "moved" and {"Receive", "Commit", "Finish", "Settle", "Clean", "Vacate"} <= run.succeeded


def test_a_decision_that_was_not_made_is_given_up(tmp_path):
    assert Run(tmp_path, "Leave", LOST).ending() == "given up"


@pytest.mark.parametrize("member, value", [("differ", 1)])
def test_a_copy_that_differs_is_given_up(member, value, tmp_path):
    run = Run(tmp_path, "Check", {"Check-0": "const:" + json.dumps(COUNTS | {member: value})})
    assert run.ending() == "given up" and run.output["Error"] == "Different" and "Freeze" not in run.entered


@pytest.mark.parametrize("change", [{"rows": 6}, {"bytes": 8}, {"segments": 1}, {"last": False}])
def test_a_last_copy_that_is_not_all_is_given_up(change, tmp_path):
    run = Run(tmp_path, "FetchLast", {"FetchLast-0": "const:" + json.dumps(COUNTS | change)})
    assert run.ending() == "given up" and run.output["Error"] == "Different"


@pytest.mark.parametrize("name", ["Pack", "Fetch", "PackLast", "FetchLast", "Greet"])
def test_loops_are_bounded(name, tmp_path):
    run = Run(tmp_path, name, {f"{name}-0": "const:" + json.dumps(COUNTS | {"more": True})})
    assert run.ending() == "given up" and run.output["Error"] in ("TooLong", "FrozenTooLong", "NoRoom")


@pytest.mark.parametrize("name, asks", [("Settle", "AskForward"), ("Stay", "AskBack")])
def test_what_cannot_be_stored_of_a_spool_is_asked_about(name, asks, tmp_path):
    more = {f"{name}-0": "const:" + json.dumps(COUNTS | {"more": True})}
    run = Run(tmp_path, name, more | (LOST if name == "Stay" else {}))
    assert run.ending() == "asked" and asks in run.entered and run.entered.count(name) == 30


def test_rounds_are_bounded(tmp_path):
    run = Run(tmp_path, "Fetch", {"Fetch-0": "const:" + json.dumps(COUNTS | {"copied_bytes": 1 << 40})})
    assert run.ending() == "moved" and run.entered.count("Fetch") == 20


def test_a_freeze_that_takes_too_long_is_thawed_and_another_one_comes_behind_a_round(tmp_path):
    run = Run(tmp_path, "Close", {"Close-0": "raise:Fenced:its time is over"})
    assert run.ending() == "given up" and run.output["Error"] == "FrozenTooLong"
    assert [run.entered.count(name) for name in ("Freeze", "Thaw", "Check", "Pack", "Leave")] == [8, 8, 1, 8, 0]
    thawed = Run(tmp_path, "PackLast", {"PackLast-0": "const:" + json.dumps(COUNTS | {"last": False})})  # a writer met it when it was over
    assert thawed.ending() == "given up" and thawed.output["Error"] == "FrozenTooLong" and "Close" not in thawed.entered


@pytest.mark.parametrize("name", ["Freeze", "PackLast", "FetchLast"])
def test_what_fails_behind_the_freeze_lets_writers_on_at_once(name, tmp_path):
    run = Run(tmp_path, name, {f"{name}-0": "raise:Broken:x"})
    assert run.ending() == "given up" and run.entered[run.entered.index(name) + 1] == "Thaw" and run.entered.count(name) == 8


@pytest.mark.parametrize("name", ["Leave", "Receive", "Commit"])
def test_what_comes_behind_the_decision_is_called_once_more_without_a_pause(name, tmp_path):
    run = Run(tmp_path, name, {f"{name}-0": "raise:Broken:x"})
    assert run.ending() == "moved" and run.entered[run.entered.index(name) + 1] == f"{name}Again"


def test_an_alert_that_cannot_be_sent_does_not_keep_the_question_from_being_asked(tmp_path):
    broken = {f"{name}-{i}": "raise:Broken:always" for name in ("Receive", "ReceiveAgain") for i in range(ATTEMPTS)} | {"sns:publish": "raise:SNS.SdkClientException:down"}
    assert Run(tmp_path, "Receive", broken).ending() == "asked"
