"""Every step of every state machine fails: once, always, and by timeout; and what runs only because of that fails, too. The matrix comes from the
definitions themselves. An execution ends in success, or through a Fail state of its own after it undid what it had made or told somebody;
never by a fault of the machine itself (States.Runtime), and never half-done in silence.

Each Task becomes a call of a stand-in named after its state, with what the real service would answer; waits are skipped and retries cut to one."""

import concurrent.futures
import json
import re
import subprocess

import pytest

from conftest import PRISM, ROOT

WORKFLOWS = ROOT / "platform" / "workflows"
ACME = {"Payload": {"name": "acme", "home_region": "us-east-1", "shard": "shard-1", "tier": "pooled", "status": "active", "epoch": 1}}
FINE = {"Payload": {"op": "x", "more": False, "failed": 0}}
KEYS = [{"id": "new", "status": "active"}, {"id": "old", "status": "active"}]
EXPORT = {"Payload": {"more": False, "after": "", "sha256": "x"}}
FAILURES = {"Attributes": {"failures": {"N": "3"}, "skips": {"N": "3"}}}


def breaker(state, failures=3):
    return {"Item": {"breaker_state": {"S": state}, "failures": {"N": str(failures)}, "skips": {"N": "2"}}}


# what the functions of a move say; they are called in two regions
COUNTS = {"Payload": {"source": {"segments": "s3://a", "analytics": "s3://b"}, "segments": 2, "rows": 7, "bytes": 9, "copied": 0, "copied_bytes": 0,
                      "frames": 0, "differ": 0, "freeze": 7, "last": True, "more": False}}
FORWARD, BACK = {"Leave", "Receive", "Commit", "Finish", "Settle", "Clean", "Vacate"}, {"Stay", "Abort", "Part", "CleanCopy", "VacateCopy"}


def schema(next_, number=0, **more):
    """What function `schema` answers."""
    return {"Payload": {"version": 1, "contracted": 0, "next": next_, "next_number": number, "next_name": "x", "functions": [], "users_missing": 0,
                        "run": 1, "rows": 0, "more": False, "held": "", "unsound": 0, "left": 0, **more}}


def move_ends(done, entered, worked):
    """Moved, given up with everything undone, or a question behind an alert."""
    asked = [name for name in entered if name.startswith("Ask")]
    if done.returncode == 0:
        fine = json.loads(done.stdout)["outcome"] == "moved" and FORWARD <= {name.removesuffix("Again") for name in worked}
    elif asked:
        fine = all(entered.index(name.replace("Ask", "Alert")) < entered.index(name) for name in asked)
    elif entered[-1] == "NothingDone":
        fine = not worked
    else:
        fine = BACK <= worked and not FORWARD & {name.removesuffix("Again") for name in worked}
    return fine

# machine: its input; answers by state ({} without); which states tell somebody; what undoes what; what, once begun, must not fail in silence;
# `ends`: more that holds of every end.
MACHINES = {
    "data-lifecycle": {
        "input": {},
        "answers": {"Run": FINE, "RecordFailure": FAILURES, "CountSkip": FAILURES, "AskOperator": {"action": "skip"}},
        "variants": {"probing": {"ReadBreaker": {"Item": {"breaker_state": {"S": "open"}, "failures": {"N": "3"}, "skips": {"N": "2"}}}},
                     "mended by hand": {"AskOperator": {"action": "retry"}}},
        "tells": {"AskOperator", "Alert"},
        "watched": {"StepsFailed"},
    },
    "tenant-onboarding": {
        "input": {"tenant": "acme"},
        "answers": {"Create": ACME, "Get": ACME, "NextUid": {"Attributes": {"next_uid": {"N": "1"}}},
                    "KeepUid": {"Attributes": {"uid": {"N": "5"}}}, "MakeAccessPoint": {"AccessPointId": "fsap-1"},
                    "FindAccessPoint": {"AccessPoints": [{"ClientToken": "acme", "AccessPointId": "fsap-1"}]}, "MakeUsageKey": {"Id": "k1"},
                    "FindUsageKey": {"Items": [{"Name": "prism-dev-use1-acme", "Id": "k1"}]}, "IssueKey": {"Payload": {"key": "prism_x", "id": "x"}},
                    "Leave": {"Item": {"usage_key": {"S": "k1"}, "access_point": {"S": "fsap-1"}}}},
        "variants": {"dedicated": {"Create": {"Payload": {**ACME["Payload"], "tier": "dedicated"}}}, "leaves": {},
                     "enters": {"ReadRecord": {"Item": {"uid": {"N": "5"}, "access_point": {"S": "fsap-0"}, "point_shard": {"S": "shard-1"}}}}},
        "inputs": {"enters": {"only": "enter", "shard": "shard-0", "tier": "pooled"}, "leaves": {"only": "leave"}},
        "tells": {"CallForHelp"},
        "undone_by": {"Create": "Suspend", "MakeAccessPoint": "DropAccessPoint", "MakeUsageKey": "DropUsageKey"},
    },
    "tenant-offboarding": {
        "input": {"tenant": "acme", "confirm": "acme"},
        "answers": {"Get": ACME, "Suspend": ACME, "Export": EXPORT, "Check": EXPORT, "Delete": {"Payload": {"keys_revoked": 1}}, "Remove": FINE, "RemoveObjects": FINE, "RemoveRest": FINE,
                    "ReadRecord": {"Item": {"usage_key": {"S": "k1"}, "access_point": {"S": "fsap-1"}}}, "RevokeAgain": {"Payload": {"keys_revoked": 1}},
                    "Prove": {"Payload": {"key": "_proofs/acme/x.json", "sha256": "y"}}, "AskOperator": {"action": "stop"}},
        "variants": {"not all removed": {"RemoveObjects": {"Payload": {"more": False, "failed": 1}}},
                     "another export than was checked": {"Check": {"Payload": {**EXPORT["Payload"], "sha256": "z"}}},
                     "an export without end": {"Export": {"Payload": {**EXPORT["Payload"], "more": True}}},
                     "deleted before": {"Get": {"Payload": {**ACME["Payload"], "status": "deleted"}}},
                     "a record that stays": {"LookForRecord": {"Item": {"tenant": {"S": "acme"}}}}},
        "tells": {"AskOperator", "Alert"},
        "begins": {"Suspend", "Delete"},
    },
    "key-rotation": {
        "input": {"tenant": "acme", "keep": ["new"], "grace_s": 60},
        "answers": {"FindNew": {"Payload": {"keys": KEYS}}, "FindOld": {"Payload": {"keys": KEYS}}, "Revoke": {"Payload": {"id": "old"}},
                    "Check": {"Payload": {"keys": KEYS[:1]}}, "RecordFailure": FAILURES, "CountSkip": FAILURES, "AskOperator": {"action": "stop"}},
        "variants": {"the new key is gone": {"FindOld": {"Payload": {"keys": KEYS[1:]}}}, "the old key stays": {"Check": {"Payload": {"keys": KEYS}}},
                     "probing": {"ReadBreaker": breaker("open")}, "mended by hand": {"AskOperator": {"action": "retry"}},
                     "postponed": {"ReadBreaker": breaker("open"), "CountSkip": {"Attributes": {"skips": {"N": "1"}}}}},
        "tells": {"AskOperator", "Alert"},
        "begins": {"FindOld"},
    },
    "region-evacuation": {
        "input": {"to": "eu-west-1", "to_prefix": "prism-dev-euw1", "to_shard": "shard-0", "confirm": "us-east-1"},
        "answers": {"List": {"Payload": {"tenants": [ACME["Payload"], {**ACME["Payload"], "name": "b", "home_region": "eu-west-1"}]}},
                    "GoOnAnew": {"ExecutionArn": "arn"}, "RecordFailure": FAILURES, "AskOperator": {"action": "stop"}},
        "variants": {"pages": {"List": {"Payload": {"tenants": [ACME["Payload"]], "next": "acme"}}},
                     "probing": {"ReadBreaker": breaker("open")}, "another probes": {"ReadBreaker": breaker("half-open")},
                     "mended by hand": {"AskOperator": {"action": "retry"}}},
        "tells": {"AskOperator", "Alert"},
        "begins": {"Move"},
    },
    "tenant-migration": {
        "input": {"tenant": "acme", "to": "us-east-1", "to_prefix": "prism-dev-use1", "to_shard": "shard-0"},
        "answers": {**{state: COUNTS for state in ("Greet", "Pack", "Fetch", "Check", "Freeze", "PackLast", "FetchLast", "Finish", "Settle", "Stay", "Clean", "CleanCopy")},
                    "Begin": {"Payload": {"moving": {"to": "us-east-1", "epoch": 2}, "shard": "shard-0", "tier": "pooled", "epoch": 1}},
                    "Place": {"Payload": {"shard": "shard-1"}},
                    "AskForward": {"action": "stop"}, "AskBack": {"action": "stop"}},
        "variants": {"it differs": {"Check": {"Payload": {**COUNTS["Payload"], "differ": 1}}},
                     "not all came": {"FetchLast": {"Payload": {**COUNTS["Payload"], "rows": 6}}},
                     "thawed before it was packed": {"PackLast": {"Payload": {**COUNTS["Payload"], "last": False, "freeze": 0}}}},
        "tells": {"AlertForward", "AlertBack", "AskForward", "AskBack"},
        "undone_by": {"Begin": "Stay", "Place": "VacateCopy", "Pack": "CleanCopy", "Freeze": "Stay"},
        "begins": FORWARD - {"Leave"},  # it says what is decided; Stay finds out
        "ends": move_ends,
    },
    "schema-migration": {
        "input": {"contract": True},
        "answers": {"Status": [schema("expand", 1), schema("none")], "Expand": schema("backfill", 2), "Backfill": schema("contract", 3),
                    "Verify": [schema("contract", 3), schema("none")], "FillAgain": schema("contract", 3), "VerifyAgain": schema("contract", 3),
                    "AskToContract": {"action": "contract"}, "Contract": schema("none"), "AskOperator": {"action": "stop"}},
        "variants": {"rows were written late": {"Verify": [schema("contract", 3, unsound=2, left=5), schema("none")], "FillAgain": [schema("contract", 3, more=True), schema("contract", 3)]},
                     "it does not hold": {"Verify": schema("contract", 3, unsound=1, left=1), "VerifyAgain": schema("contract", 3, unsound=1, left=1)},
                     "in use, then forced": {"Contract": [schema("contract", 3, held="in_use"), schema("none")],
                                             "AskToContract": [{"action": "contract"}, {"action": "force"}]},
                     "rejected": {"AskToContract": {"action": "no"}}},
        "tells": {"AskOperator", "Alert"},
        "begins": {"Expand", "Backfill", "Contract"},
    },
}
PLATFORM = json.loads((ROOT / "platform" / "workflows.json").read_text())["machines"]


def test_every_machine_has_a_matrix():
    assert set(MACHINES) == set(PLATFORM) == {path.name.removesuffix(".asl.json") for path in WORKFLOWS.glob("*.asl.json")}


def states_of(definition):
    for name, state in definition["States"].items():
        yield name, state
        for inner in [state.get("ItemProcessor"), *state.get("Branches", [])]:
            if inner:
                yield from states_of(inner)


def without_tokens(value):
    if isinstance(value, dict):
        return {k: without_tokens(v) for k, v in value.items() if "Task.Token" not in str(v) or isinstance(v, dict)}
    return value


def tamed(name):
    """The machine with stand-ins for what it calls, and quick."""
    text = (WORKFLOWS / f"{name}.asl.json").read_text()
    text = text.replace("${shards}", '["shard-0"]')
    for number, name_ in enumerate(set(re.findall(r":\s*\$\{([a-z_]+)\}", text))):
        text = text.replace(": ${%s}" % name_, f": {1000 + number}")
    definition = json.loads(text)
    for state, s in states_of(definition):
        if s["Type"] == "Task":
            s["Resource"] = f"arn:aws:lambda:us-east-1:123456789012:function:{state}"
            for field in {"Parameters", "Arguments"} & set(s):
                s[field] = without_tokens(s[field])
        if s["Type"] == "Wait":
            s.pop("SecondsPath", None)
            s["Seconds"] = 0
        if s["Type"] == "Map":
            s["MaxConcurrency"] = 1
        if isinstance(s.get("Parameters"), dict) and "ops" in s["Parameters"]:
            s["Parameters"]["ops"] = s["Parameters"]["ops"][:1]
        for retry in s.get("Retry", []):
            retry.pop("MaxDelaySeconds", None)
            retry.update(IntervalSeconds=1, BackoffRate=1.0, MaxAttempts=min(retry.get("MaxAttempts", 3), 1))
    return definition


class Matrix:
    def __init__(self, name, folder):
        self.name, self.machine, self.folder = name, MACHINES[name], folder
        self.definition = tamed(name)
        self.states = dict(states_of(self.definition))
        self.file = folder / f"{name}.asl.json"
        self.file.write_text(json.dumps(self.definition))

    def run(self, answers, faults, label, variant=""):
        """Ended how, and the history's (type, state) in order. faults: {state: [stub behaviours before the answer]} or with None behind: for good."""
        stubs = []
        for state, s in self.states.items():
            if s["Type"] != "Task":
                continue
            behaviours = list(faults.get(state, []))
            if not behaviours or behaviours[-1] is not None:
                answer = answers.get(state, {})  # a list: one after the other
                behaviours += ["const:" + json.dumps(one) for one in (answer if isinstance(answer, list) else [answer])]
            for behaviour in behaviours:
                if behaviour:
                    stubs += ["--stub", f"{state}={behaviour}"]
        history = self.folder / f"{abs(hash(label))}.json"
        done = subprocess.run([PRISM, "workflow", "run", self.file, "--template", "--input", json.dumps({**self.machine["input"], **self.machine.get("inputs", {}).get(variant, {})}), "--history", history, *stubs],
                              capture_output=True, text=True, timeout=300)
        assert done.returncode in (0, 3), f"{label}: {done.stdout}{done.stderr}"
        events = []
        for event in json.loads(history.read_text())["events"]:
            details = event.get("stateEnteredEventDetails") or event.get("stateExitedEventDetails") or {}
            events.append((event["type"], details.get("name")))
        return done, events

    def transient(self, state):
        for retry in self.states[state].get("Retry", []):
            for error in retry["ErrorEquals"] if retry.get("MaxAttempts", 3) else []:
                return "Some.Fault" if error.startswith("States.") else error
        return None

    def judge(self, done, events, faults, label):
        entered = [name for kind, name in events if kind.endswith("StateEntered")]
        worked = {name for kind, name in events if kind == "TaskStateExited"}
        worked -= {state for state, behaviours in faults.items() if behaviours[-1] is None}  # left through its Catch
        ends = self.machine.get("ends")
        wrong = [f"{label}: it ended as it may not, {entered}"] if ends and not ends(done, entered, worked) else []
        if done.returncode == 0:
            return wrong
        error = json.loads(done.stdout).get("Error", "")
        if not any(kind == "FailStateEntered" for kind, _ in events[-3:]):
            wrong.append(f"{label}: it ended by itself, {done.stdout.strip()[:300]}")
        told = bool(self.machine["tells"] & set(entered))
        for made, undo in self.machine.get("undone_by", {}).items():
            if made in worked and undo not in worked and not told:
                wrong.append(f"{label}: {made} was neither undone nor told ({error})")
        begun = self.machine.get("begins", set()) & (worked | set(entered))
        if begun and not told:
            wrong.append(f"{label}: {begun} had begun and nobody was told ({error})")
        return wrong

    def tasks_in(self, events):
        return [name for name in dict.fromkeys(n for kind, n in events if kind == "TaskStateEntered")]

    def faults_of(self, state):
        once = self.transient(state)
        if once:
            yield "once", [f"raise:{once}:it passes"]
        yield "always", ["raise:Broken:for good", None]
        yield "timeout", ["raise:States.Timeout:too slow", None]

    def one(self, answers, first, label, variant):
        """Run it; and, when it is for good, again with each task that runs only then failing as well."""
        done, events = self.run(answers, first, label, variant)
        return self.judge(done, events, first, label), events

    def all(self):
        wrong, count = [], 0
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for variant, more in {"": {}, **self.machine.get("variants", {})}.items():
                answers = {**self.machine["answers"], **more}
                done, plain = self.run(answers, {}, f"{variant} plain", variant)
                wrong += self.judge(done, plain, {}, f"{variant} plain")
                assert variant or done.returncode == 0, done.stdout
                usual = self.tasks_in(plain)
                again = any(isinstance(answer, dict) and answer.get("action") == "retry" for answer in answers.values())
                jobs = {}
                for state in usual:
                    for how, behaviours in self.faults_of(state):
                        if again and behaviours[-1] is None:  # whoever answers "retry" for ever never ends: it works the second time
                            behaviours = [behaviours[0]] * 2
                        jobs[f"{variant} {state} {how}"] = {state: behaviours}
                results = {label: pool.submit(self.one, answers, faults, label, variant) for label, faults in jobs.items()}
                second = {}
                for label, result in results.items():
                    bad, events = result.result()
                    wrong += bad
                    for state in self.tasks_in(events):
                        if state not in usual and not again:
                            second[f"{label}, {state} always"] = {**jobs[label], state: ["raise:Broken:for good", None]}
                results = [pool.submit(self.one, answers, faults, label, variant) for label, faults in second.items()]
                for result in results:
                    wrong += result.result()[0]
                count += len(jobs) + len(second)
        return wrong, count


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_no_fault_leaves_a_machine_half_done_in_silence(name, tmp_path):
    wrong, count = Matrix(name, tmp_path).all()
    assert count >= 10
    assert not wrong, "\n".join(wrong)


def test_nothing_is_deleted_before_its_export_is_checked(tmp_path):
    matrix = Matrix("tenant-offboarding", tmp_path)
    done, events = matrix.run(matrix.machine["answers"], {}, "plain")
    tasks = matrix.tasks_in(events)
    assert tasks[:5] == ["Get", "Suspend", "Export", "Check", "Delete"] and tasks[-1] == "Prove"
    said = json.loads(done.stdout)
    assert (said["exported"], said["proof"]["sha256"], said["manifest"]["sha256"]) == (True, "y", "x")
    for state in ("Suspend", "Export", "Check"):
        done, events = matrix.run(matrix.machine["answers"], {state: ["raise:Broken:for good", None]}, state)
        assert json.loads(done.stdout)["Error"] == "OffboardingFailed" and not {"Delete", "Remove"} & set(matrix.tasks_in(events))
    for variant in ("another export than was checked", "an export without end"):
        done, events = matrix.run({**matrix.machine["answers"], **matrix.machine["variants"][variant]}, {}, variant)
        assert done.returncode == 3 and not {"Delete", "Remove"} & set(matrix.tasks_in(events))
    # without an export: what there was is written down all the same
    matrix.machine = {**matrix.machine, "input": {"tenant": "acme", "confirm": "acme", "export": False}}
    done, events = matrix.run(matrix.machine["answers"], {}, "without")
    assert json.loads(done.stdout)["exported"] is False and matrix.tasks_in(events)[:4] == ["Get", "Suspend", "Export", "Delete"]


def test_rotation_revokes_what_is_old_and_only_that(tmp_path):
    matrix = Matrix("key-rotation", tmp_path)
    done, events = matrix.run(matrix.machine["answers"], {}, "plain")
    assert json.loads(done.stdout) == {"tenant": "acme", "kept": ["new"], "revoked": ["old"]}
    assert matrix.tasks_in(events) == ["FindNew", "ReadBreaker", "FindOld", "Revoke", "Check"]
    unknown = {**matrix.machine["answers"], "FindNew": {"Payload": {"keys": KEYS[1:]}}}
    done, events = matrix.run(unknown, {}, "no new key")
    assert json.loads(done.stdout)["Error"] == "NoNewKey" and matrix.tasks_in(events) == ["FindNew"]


def test_evacuation_moves_who_is_at_home_and_reports(tmp_path):
    matrix = Matrix("region-evacuation", tmp_path)
    done, events = matrix.run(matrix.machine["answers"], {}, "plain")
    assert json.loads(done.stdout) == {"moved": 1, "failed": []}
    assert matrix.tasks_in(events) == ["List", "ReadBreaker", "Move"]
    done, events = matrix.run(matrix.machine["answers"], {"Move": ["raise:MigrationFailed:x", None]}, "stayed")
    assert json.loads(done.stdout) == {"Error": "EvacuationFailed", "Cause": "TenantsStayed: acme"}
    paged = {**matrix.machine["answers"], **matrix.machine["variants"]["pages"]}
    done, events = matrix.run(paged, {}, "paged")
    assert json.loads(done.stdout) == {"moved": 3, "failed": [], "goes_on_as": "arn"}


HOLDS = "raise:DynamoDB.ConditionalCheckFailedException:x"


def test_one_rotation_opens_the_breaker_and_asks_and_others_wait(tmp_path):
    matrix = Matrix("key-rotation", tmp_path)
    answers, broken = matrix.machine["answers"], ["raise:Broken:x"]
    done, events = matrix.run(answers, {"FindOld": broken + [None]}, "opens")
    assert json.loads(done.stdout)["Error"] == "RotationFailed"
    assert matrix.tasks_in(events)[-4:] == ["RecordFailure", "Open", "Alert", "AskOperator"]
    done, events = matrix.run(answers, {"FindOld": broken, "Open": [HOLDS]}, "another has opened")  # the second time it works
    assert done.returncode == 0 and not {"Alert", "AskOperator"} & set(matrix.tasks_in(events))
    once = {**answers, "RecordFailure": {"Attributes": {"failures": {"N": "1"}}}}
    done, events = matrix.run(once, {"FindOld": broken + [None]}, "the first failure")
    assert matrix.tasks_in(events)[-3:] == ["RecordFailure", "Alert", "AskOperator"]


def test_a_rotation_probes_an_open_breaker_and_closes_it(tmp_path):
    matrix = Matrix("key-rotation", tmp_path)
    opened = {**matrix.machine["answers"], "ReadBreaker": breaker("open")}
    done, events = matrix.run(opened, {}, "probe")
    assert done.returncode == 0 and [n for n in matrix.tasks_in(events) if "Probe" in n or "Breaker" in n] == ["ReadBreaker", "ClaimProbe", "CloseBreaker"]
    done, events = matrix.run(opened, {"ClaimProbe": [HOLDS]}, "another probes")
    assert done.returncode == 0 and [n for k, n in events if k == "WaitStateEntered"].count("Postpone") == 1
    done, events = matrix.run(opened, {"FindOld": ["raise:Broken:x"]}, "the probe fails")
    assert done.returncode == 0 and "OpenAgain" in matrix.tasks_in(events) and "AskOperator" not in matrix.tasks_in(events)
    shut = {**opened, "CountSkip": {"Attributes": {"skips": {"N": "1"}}}}
    done, events = matrix.run(shut, {}, "open for a day")
    assert json.loads(done.stdout) == {"Error": "RotationFailed", "Cause": "BreakerIsOpen: The breaker rotate/keys was open for a day."}
    assert [n for k, n in events if k == "WaitStateEntered"].count("Postpone") == 96 and "FindOld" not in matrix.tasks_in(events)


def test_an_evacuation_stops_moving_when_moves_fail_in_a_row(tmp_path):
    matrix = Matrix("region-evacuation", tmp_path)
    answers = matrix.machine["answers"]
    done, events = matrix.run(answers, {"Move": ["raise:GivenUp:x", None]}, "opens")
    assert "Open" in matrix.tasks_in(events)
    opened = {**answers, "ReadBreaker": breaker("open")}
    done, events = matrix.run(opened, {"ClaimProbe": [HOLDS, None]}, "open")
    assert json.loads(done.stdout)["Cause"] == "TenantsStayed: acme" and "Move" not in matrix.tasks_in(events)
    done, events = matrix.run(opened, {}, "probe")
    assert json.loads(done.stdout) == {"moved": 1, "failed": []} and "CloseBreaker" in matrix.tasks_in(events)
    done, events = matrix.run(opened, {"Move": ["raise:GivenUp:x", None]}, "the probe fails")
    assert {"RecordFailure", "OpenAgain"} <= set(matrix.tasks_in(events)) and "Open" not in matrix.tasks_in(events)
    half_open = {**answers, "ReadBreaker": breaker("half-open")}
    done, events = matrix.run(half_open, {}, "another probes")
    assert [n for k, n in events if k == "WaitStateEntered"] == ["AwaitProbe"] * 5 and "ClaimProbe" in matrix.tasks_in(events)


def test_a_schema_is_expanded_filled_checked_and_contracted_by_a_word(tmp_path):
    matrix = Matrix("schema-migration", tmp_path)
    answers = matrix.machine["answers"]
    done, events = matrix.run(answers, {}, "plain")
    assert json.loads(done.stdout) == {"version": 1, "contracted": 0, "contract_pending": 0}
    assert matrix.tasks_in(events) == ["Status", "Expand", "Backfill", "Verify", "TellOfContract", "AskToContract", "Contract"]
    done, events = matrix.run({**answers, "Status": schema("none"), "Verify": schema("none")}, {}, "nothing to do")
    assert done.returncode == 0 and matrix.tasks_in(events) == ["Status", "Verify"]
    done, events = matrix.run({**answers, **matrix.machine["variants"]["rejected"]}, {}, "rejected")
    assert json.loads(done.stdout)["contract_pending"] == 3 and "Contract" not in matrix.tasks_in(events)
    done, events = matrix.run({**answers, **matrix.machine["variants"]["in use, then forced"]}, {}, "forced")
    assert done.returncode == 0 and [n for kind, n in events if kind == "TaskStateEntered"].count("AskToContract") == 2
    matrix.machine["input"] = {}
    done, events = matrix.run(answers, {}, "without a contract")
    matrix.machine["input"] = {"contract": True}
    assert json.loads(done.stdout)["contract_pending"] == 3 and "AskToContract" not in matrix.tasks_in(events)
