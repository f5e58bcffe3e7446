"""State machines in a local region: the platform's own, their questions to an operator, breakers, and executions through kill -9."""

import json
import os
import random
import socket
import threading
import time

import boto3
import botocore.config
import botocore.exceptions
import pytest

from region_kit import Tree, control, environment, invoke, wait

KILLS = int(os.environ.get("PRISM_WORKFLOW_KILLS", "5"))
EXECUTIONS = int(os.environ.get("PRISM_WORKFLOW_EXECUTIONS", "12"))

# In place of `storage`: fails the operations that the file `fail` lists, squares numbers, has nothing to do otherwise.
STORAGE = """#!{python}
import http.client, json, os, sys, time
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
path = "/2018-06-01/runtime/invocation/"
def post(request_id, what, answer):
    runtime.request("POST", path + request_id + what, json.dumps(answer))
    runtime.getresponse().read()
def failing():
    try:
        return open(os.environ["PRISM_TMP"] + "/fail").read().split()
    except OSError:
        return []
while True:
    try:
        runtime.request("GET", path + "next")
        answer = runtime.getresponse()
        event = json.loads(answer.read())
    except (OSError, http.client.HTTPException):
        sys.exit(0)
    request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    op = event.get("op", "")
    time.sleep(event.get("sleep", 0))
    if op in failing():
        post(request_id, "/error", {{"errorType": "Broken", "errorMessage": op + " fails as told"}})
    elif op == "square":
        post(request_id, "/response", {{"n": event["n"], "square": event["n"] ** 2}})
    else:
        post(request_id, "/response", {{"op": op, "failed": 0, "more": False, "after": "", "sha256": "x"}})
"""


def quick_storage(root):
    function = root["functions"]["storage"]
    function["stores"] = {}
    function["concurrency"].update({"max": 4})


def planted(folder, functions=quick_storage, replace=None, **env):
    tree = Tree(folder, replace={"storage": STORAGE, **(replace or {})}, functions=functions, env=environment(**env))
    lifecycle = tree.tree / "platform" / "workflows" / "data-lifecycle.asl.json"
    lifecycle.write_text(lifecycle.read_text().replace('"IntervalSeconds": 30', '"IntervalSeconds": 1').replace('"MaxDelaySeconds": 300', '"MaxDelaySeconds": 1'))
    offboarding = tree.tree / "platform" / "workflows" / "tenant-offboarding.asl.json"
    text = offboarding.read_text().replace('"Seconds": 120', '"Seconds": 1').replace('"Seconds": 960', '"Seconds": 1')
    offboarding.write_text(text.replace('"IntervalSeconds": 30', '"IntervalSeconds": 1').replace('"MaxDelaySeconds": 300', '"MaxDelaySeconds": 1'))
    return tree


@pytest.fixture
def tree(tmp_path):
    tree = planted(tmp_path)
    tree.up()
    yield tree
    tree.down()


def sfn(tree, action, **body):
    """(status, answer) of one action of Step Functions' protocol."""
    status, _, answer = control(tree, "POST", "/", body, {"X-Amz-Target": f"AWSStepFunctions.{action}"})
    return status, json.loads(answer)


def started(tree, machine, name=None, **given):
    return tree.run("workflow", "start", machine, "--input", json.dumps(given), *(["--name", name] if name else [])).stdout.strip()


def ended(tree, arn, seconds=60):
    """The execution's description once it has ended."""

    def look():
        status, answer = sfn(tree, "DescribeExecution", executionArn=arn)
        assert status == 200, answer
        return answer if answer["status"] != "RUNNING" else None

    return wait(look, seconds=seconds)


def history(tree, arn):
    events, token = [], None
    while True:
        status, page = sfn(tree, "GetExecutionHistory", executionArn=arn, maxResults=100, **({"nextToken": token} if token else {}))
        assert status == 200, page
        events += page["events"]
        token = page.get("nextToken")
        if not token:
            return events


def check_history(events):
    """Ids without gaps, nothing before its cause, each task ended once, one end and that at the end."""
    assert [e["id"] for e in events] == list(range(1, len(events) + 1))
    assert all(e["previousEventId"] < e["id"] for e in events)
    assert events[0]["type"] == "ExecutionStarted"
    assert [e["type"] for e in events if e["type"] in ("ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut")] == [events[-1]["type"]]
    after = {}
    for event in events:
        after.setdefault(event["previousEventId"], []).append(event)
    ends = ("TaskSucceeded", "TaskFailed", "TaskTimedOut")
    for event in events:
        if event["type"] == "TaskScheduled":
            followers = after.get(event["id"], [])
            submitted = [e for e in followers if e["type"] == "TaskSubmitted"]
            assert len(submitted) <= 1
            for e in submitted:
                followers = followers + after.get(e["id"], [])
            assert len([e for e in followers if e["type"] in ends]) == 1, event
    counts = {kind: sum(e["type"] == kind for e in events) for kind in ("TaskScheduled", *ends)}
    assert counts["TaskScheduled"] == sum(counts[kind] for kind in ends)


def questions(tree):
    return tree.json("workflow", "list", "--interventions")["interventions"]


def question_of(tree, arn):
    return wait(lambda: next((q for q in questions(tree) if q["executionArn"] == arn), None), seconds=60)


def fail(tree, *ops):
    (tree.data / "tmp" / "fail").write_text(" ".join(ops))


def outcomes(execution):
    """{op: outcome} of a data-lifecycle that ended."""
    steps = json.loads(execution["output"] if execution["status"] == "SUCCEEDED" else execution["cause"])
    return {step["op"]: step["outcome"] for step in steps}


# ---- the platform's own machines ----


def test_onboarding_answers_with_everything_that_a_tenant_needs(tree):
    done = tree.run("workflow", "start", "tenant-onboarding", "--sync", "--input", '{"tenant":"acme","tier":"dedicated"}')
    made = json.loads(done.stdout)
    assert made["tenant"] == "acme" and made["tier"] == "dedicated" and made["shard"] == "shard-0"
    folder = tree.data / "hot" / "acme"
    assert folder.stat().st_mode & 0o7777 == 0o2770
    if os.geteuid() == 0:
        assert (folder.stat().st_uid, folder.stat().st_gid) == (made["uid"], 10000)
    tree.call("POST", "/v1/ingest/app", key=made["key"], json=[{"n": 1}]).raise_for_status()
    assert tree.rows("SELECT n FROM app", key=made["key"]) == [[1]]
    # another one has an id of its own; the first, asked for again, keeps what it has
    other = json.loads(tree.run("workflow", "start", "tenant-onboarding", "--sync", "--input", '{"tenant":"globex"}').stdout)
    again = json.loads(tree.run("workflow", "start", "tenant-onboarding", "--sync", "--input", '{"tenant":"acme"}').stdout)
    assert other["uid"] != made["uid"]
    assert (again["uid"], again["access_point"]) == (made["uid"], made["access_point"]) and again["key"] != made["key"]
    # its output, which holds a key, is kept nowhere
    assert tree.json("workflow", "list")["executions"] == []
    assert made["key"].encode() not in b"".join(p.read_bytes() for p in tree.data.glob("workflows.db*"))


def test_onboarding_that_is_refused_makes_nothing(tree):
    done = tree.run("workflow", "start", "tenant-onboarding", "--sync", "--input", '{"tenant":"acme","shard":"shard-9"}', check=False)
    assert done.returncode == 3 and json.loads(done.stdout)["Error"] == "BadRequest"
    done = tree.run("workflow", "start", "tenant-onboarding", "--sync", "--input", '{"tenant":"Not A Name"}', check=False)
    assert done.returncode == 3
    assert not (tree.data / "hot" / "acme").exists()


def test_offboarding_asks_when_a_step_fails_and_goes_on_when_it_is_approved(tree):
    key = json.loads(tree.run("workflow", "start", "tenant-onboarding", "--sync", "--input", '{"tenant":"acme"}').stdout)["key"]
    fail(tree, "retain")
    arn = started(tree, "tenant-offboarding", "off", tenant="acme", confirm="acme")
    question = question_of(tree, arn)
    assert question["message"]["workflow"] == "tenant-offboarding" and question["message"]["error"]["Error"] == "Broken"
    assert question["taskToken"] == question["message"]["task_token"]
    assert tree.call("POST", "/v1/ingest/app", key=key, json=[{"n": 1}]).status_code in (401, 403)
    shown = tree.run("workflow", "list", "--interventions").stdout
    assert "off" in shown and question["taskToken"] in shown
    fail(tree)
    tree.run("workflow", "approve", "off")
    execution = ended(tree, arn)
    assert execution["status"] == "SUCCEEDED", execution
    assert json.loads(execution["output"])["tenant"] == "acme"
    check_history(history(tree, arn))
    assert questions(tree) == []
    # the answer is given once
    assert tree.run("workflow", "approve", question["taskToken"], check=False).returncode == 4
    # whoever looks at _system sees the alert and the question, without the token that answers it
    admin = (tree.data / "admin.key").read_text().strip()
    seen = wait(lambda: [rows for rows in [tree.query("SELECT event, message FROM workflow_events ORDER BY time", key=admin).json().get("rows")] if rows and len(rows) >= 2], seconds=60)[0]
    assert {row[0] for row in seen} == {"alert", "message"}
    assert not any(question["taskToken"] in row[1] for row in seen)


# ---- by the API ----

RUNS = "/v1/admin/workflows/tenant-offboarding/executions"


def operator(tree, method, path, **more):
    return tree.call(method, path, key=(tree.data / "admin.key").read_text().strip(), **more)


def told(tree):
    return [(c["operation"], c["target"], c["status"]) for c in tree.json("audit", "list", "_system", "--limit", "1000")["calls"] if c["operation"].startswith("workflow.")]


def test_operators_run_machines_by_the_api_and_every_change_is_told(tree):
    assert {m["machine"] for m in operator(tree, "GET", "/v1/admin/workflows").json()["machines"]} == {
        "data-lifecycle", "key-rotation", "region-evacuation", "schema-migration", "tenant-migration", "tenant-offboarding"}
    tree.run("workflow", "start", "tenant-onboarding", "--sync", "--input", '{"tenant":"acme"}')
    fail(tree, "retain")
    wish = {"name": "off", "input": {"tenant": "acme", "confirm": "acme"}}
    begun = operator(tree, "POST", RUNS, json=wish)
    assert begun.status_code == 202 and begun.json()["execution"] == "off", begun.text
    assert operator(tree, "POST", RUNS, json={**wish, "input": {"tenant": "other"}}).status_code == 409
    asks = wait(lambda: next(iter(operator(tree, "GET", f"{RUNS}/off").json()["questions"]), None), seconds=60)
    assert asks["message"]["workflow"] == "tenant-offboarding" and "task_token" not in asks["message"]
    token = questions(tree)[0]["taskToken"]
    shown, events, after = operator(tree, "GET", f"{RUNS}/off"), [], None
    by = shown.json()["input"]["by"]
    suspended = next(c for c in tree.json("audit", "list", "acme")["calls"] if c["operation"] == "tenant.change")
    assert (suspended["who"]["tenant"], suspended["who"]["key_id"]) == ("_system", by["key_id"])
    assert tree.json("audit", "show", "acme", suspended["seq"])["intent"]["asked"]["workflow"]["execution"].endswith("-tenant-offboarding:off")
    assert shown.json()["status"] == "RUNNING" and shown.json()["input"] == {**wish["input"], "by": by}
    assert by["tenant"] == "_system" and f'"key_id":"{by["key_id"]}"' in tree.run("audit", "export").stdout
    mine = {**wish, "name": "mine", "input": {**wish["input"], "by": {"tenant": "_system", "key_id": "another"}}}
    assert operator(tree, "POST", RUNS, json=mine).status_code == 400
    while True:
        page = operator(tree, "GET", f"{RUNS}/off/history", params={"limit": 7, **({"after": after} if after else {})})
        assert page.status_code == 200 and len(page.json()["events"]) <= 7 and token not in page.text + shown.text
        events, after = events + page.json()["events"], page.json().get("next")
        if not after:
            break
    assert [e["id"] for e in events] == list(range(1, len(events) + 1))
    assert [e["execution"] for e in operator(tree, "GET", RUNS, params={"status": "RUNNING"}).json()["executions"]] == ["off"]
    for wrong, status in (({}, 400), ({"output": 1, "error": "x"}, 400), ({"output": 1, "event": asks["event"] + 1}, 409)):
        assert operator(tree, "POST", f"{RUNS}/off/answer", json=wrong).status_code == status, wrong
    answered = operator(tree, "POST", f"{RUNS}/off/answer", json={"error": "Rejected", "cause": "not today", "event": asks["event"]})
    assert answered.status_code == 200 and answered.json() == {"answered": asks["event"]}, answered.text
    execution = ended(tree, shown_arn(tree, "off"))
    assert (execution["status"], execution["error"]) == ("FAILED", "OffboardingFailed")
    assert operator(tree, "POST", f"{RUNS}/off/answer", json={"output": {}}).status_code == 409
    fail(tree)
    again = operator(tree, "POST", f"{RUNS}/off/redrive")
    assert again.status_code == 200 and again.json()["redrives"] == 1, again.text
    ended(tree, shown_arn(tree, "off"))
    assert operator(tree, "POST", f"{RUNS}/nothing/stop", json={}).status_code == 404
    assert operator(tree, "POST", "/v1/admin/workflows/tenant-onboarding/executions", json={}).status_code == 404
    assert told(tree) == [
        ("workflow.start", "tenant-offboarding", 202), ("workflow.start", "tenant-offboarding", 409), ("workflow.start", "tenant-offboarding", 400), ("workflow.answer", "tenant-offboarding/off", 400),
        ("workflow.answer", "tenant-offboarding/off", 400), ("workflow.answer", "tenant-offboarding/off", 409), ("workflow.answer", "tenant-offboarding/off", 200),
        ("workflow.answer", "tenant-offboarding/off", 409), ("workflow.redrive", "tenant-offboarding/off", 200), ("workflow.stop", "tenant-offboarding/nothing", 404),
        ("workflow.start", "tenant-onboarding", 404)]
    log = tree.run("audit", "export").stdout
    assert token not in log and '"before":{"machine":"tenant-offboarding","execution":"off","status":"RUNNING"' in log


def shown_arn(tree, name):
    return next(e["executionArn"] for e in tree.json("workflow", "list")["executions"] if e["name"] == name)


def test_an_execution_is_stopped_by_the_api(tree):
    fail(tree, "retain")
    tree.run("workflow", "start", "tenant-onboarding", "--sync", "--input", '{"tenant":"acme"}')
    assert operator(tree, "POST", RUNS, json={"name": "off", "input": {"tenant": "acme", "confirm": "acme"}}).status_code == 202
    stopped = operator(tree, "POST", f"{RUNS}/off/stop", json={"error": "Mistake", "cause": "the wrong one"})
    assert stopped.status_code == 200 and stopped.json()["status"] == "ABORTED" and stopped.json()["stopped"], stopped.text
    assert operator(tree, "GET", f"{RUNS}/off").json()["error"] == "Mistake"
    assert operator(tree, "POST", f"{RUNS}/off/stop", json={}).json()["status"] == "ABORTED"  # it had ended


def test_tenants_run_no_machine(tree):
    mine = tree.json("key", "create", "default", "--scopes", "ingest,query,admin")["key"]
    for method, path in (("GET", "/v1/admin/workflows"), ("GET", RUNS), ("POST", RUNS), ("GET", f"{RUNS}/x"), ("GET", f"{RUNS}/x/history"), ("POST", f"{RUNS}/x/stop"),
                         ("POST", f"{RUNS}/x/redrive"), ("POST", f"{RUNS}/x/answer")):
        assert tree.call(method, path, key=mine, json={} if method == "POST" else None).status_code == 403, path
    assert tree.json("workflow", "list")["executions"] == []


def test_the_command_changes_executions_by_the_api(tree):
    """With the answers that the socket gives; what goes by the socket is not told."""
    tree.run("workflow", "start", "tenant-onboarding", "--sync", "--input", '{"tenant":"acme"}')
    fail(tree, "retain")
    begun = tree.json("workflow", "start", "tenant-offboarding", "--name", "off", "--input", '{"tenant":"acme","confirm":"acme"}')
    _, about = sfn(tree, "DescribeExecution", executionArn="off")
    assert begun == {"executionArn": about["executionArn"], "startDate": about["startDate"]}
    assert json.loads(about["input"])["by"]["tenant"] == "_system"
    stopped = tree.json("workflow", "stop", begun["executionArn"], "--error", "Mistake", "--cause", "the wrong one")
    _, about = sfn(tree, "DescribeExecution", executionArn="off")
    assert stopped == {"stopDate": about["stopDate"]} and (about["error"], about["cause"]) == ("Mistake", "the wrong one")
    redriven = tree.json("workflow", "redrive", "off")
    assert list(redriven) == ["redriveDate"] and redriven["redriveDate"] >= stopped["stopDate"]
    question_of(tree, begun["executionArn"])
    assert tree.run("workflow", "approve", "off", "--output", "nonsense", check=False).returncode == 4
    assert tree.run("workflow", "reject", "off", "--cause", "not today").stdout == "The execution has its answer.\n"
    assert ended(tree, begun["executionArn"])["error"] == "OffboardingFailed"
    assert tree.run("workflow", "redrive", "off", "--socket").stdout == "off goes on\n"
    assert tree.run("workflow", "stop", "off", "--socket").stdout == "off is stopped\n"
    for wrong in (["stop", "nothing"], ["redrive", "nothing"], ["approve", "nothing"], ["start", "nothing"], ["start", "tenant-offboarding", "--input", "[]"],
                  ["start", "tenant-offboarding", "--input", '{"by":{}}']):
        assert tree.run("workflow", *wrong, check=False).returncode == 4, wrong
    off = "tenant-offboarding/off"
    assert told(tree) == [("workflow.start", "tenant-offboarding", 202), ("workflow.stop", off, 200), ("workflow.redrive", off, 200), ("workflow.answer", off, 200),
                          ("workflow.start", "tenant-offboarding", 400)]
    tree.run("tenant", "offboard", "acme", "--confirm", "acme", "--name", "again")
    assert told(tree)[-1] == ("workflow.start", "tenant-offboarding", 202)


def test_with_its_machine_an_execution_needs_no_more_than_port_and_key(tree, tmp_path):
    def away(*args, **kw):
        key = (tree.data / "admin.key").read_text().strip()
        return tree.run("--data", str(tmp_path / "nothing"), "--port", str(tree.port), "--key", key, "workflow", *args, **kw)

    fail(tree, "retain")
    tree.run("workflow", "start", "tenant-onboarding", "--sync", "--input", '{"tenant":"acme"}')
    arn = started(tree, "tenant-offboarding", "off", tenant="acme", confirm="acme")
    token = question_of(tree, arn)["taskToken"]
    path = "tenant-offboarding/off"
    shown = away("show", path).stdout
    assert "\nstatus     RUNNING\n" in "\n" + shown and '\nasks       {"workflow":"tenant-offboarding"' in shown and token not in shown
    assert json.loads(away("show", path, "--json").stdout)["arn"] == arn
    events = json.loads(away("show", path, "--history", "--json").stdout)["events"]
    assert [e["id"] for e in events] == list(range(1, len(events) + 1)) and len(events) > 10 and token not in json.dumps(events)
    assert token in json.dumps(history(tree, arn))
    assert away("stop", path).stdout == f"{path} is stopped\n"
    assert away("redrive", path).stdout == f"{path} goes on\n"
    question_of(tree, arn)
    assert away("reject", path, "--cause", "not today").stdout == "The execution has its answer.\n"
    assert ended(tree, arn)["error"] == "OffboardingFailed"
    told_all = away("show", path, "--history").stdout
    assert all(event in told_all for event in ("ExecutionAborted", "ExecutionRedriven", "ExecutionFailed"))
    for wrong, code in ((["show", "tenant-offboarding/nothing"], 4), (["stop", "nothing/off"], 4), (["approve", path], 4), (["show", "/off"], 2), (["show", path, "--follow"], 2),
                        (["show", "off"], 3), (["stop", "tenant-offboarding/../off"], 4)):
        assert away(*wrong, check=False).returncode == code, wrong


def test_a_token_names_one_question_of_several(tmp_path):
    tree = planted(tmp_path, PRISM_SHARDS="shard-0,shard-1")
    tree.up()
    try:
        fail(tree, "ttl")
        for _ in range(2):
            ended(tree, started(tree, "data-lifecycle"))
        arn = started(tree, "data-lifecycle", "both")
        waiting = wait(lambda: found if len(found := questions(tree)) == 2 else None, seconds=60)
        assert tree.run("workflow", "approve", "both", check=False).returncode == 2
        second = next(q for q in waiting if q["message"]["breaker"] == "ttl/shard-1")
        tree.run("workflow", "reject", second["taskToken"])
        assert [q["message"]["breaker"] for q in questions(tree)] == ["ttl/shard-0"]
        fail(tree)
        tree.run("workflow", "approve", "both")
        ended(tree, arn)
        assert [(c[0], c[2]) for c in told(tree)][-2:] == [("workflow.answer", 200)] * 2
    finally:
        tree.down()


def test_executions_are_started_and_stopped_when_functions_do_not_run(tmp_path):
    tree = planted(tmp_path, replace={"workflows": "#!/bin/false\n"})
    tree.up()
    try:
        refused = tree.run("workflow", "start", "data-lifecycle", "--name", "x", check=False)
        assert refused.returncode == 5 and "--socket" in refused.stderr, refused
        fail(tree, "seal")
        arn = tree.run("workflow", "start", "data-lifecycle", "--name", "x", "--socket").stdout.strip()
        tree.run("workflow", "stop", "x", "--socket")
        assert ended(tree, arn)["status"] in ("ABORTED", "FAILED")
    finally:
        tree.down()


def test_offboarding_that_is_rejected_fails_and_can_be_redriven(tree):
    tree.run("workflow", "start", "tenant-onboarding", "--sync", "--input", '{"tenant":"acme"}')
    fail(tree, "retain")
    arn = started(tree, "tenant-offboarding", "off", tenant="acme", confirm="acme")
    question_of(tree, arn)
    tree.run("workflow", "reject", "off", "--cause", "not today")
    execution = ended(tree, arn)
    assert (execution["status"], execution["error"]) == ("FAILED", "OffboardingFailed")
    assert execution["redriveStatus"] == "REDRIVABLE"
    done = tree.run("workflow", "start", "tenant-offboarding", "--input", '{"tenant":"acme"}', "--wait", check=False)
    assert done.returncode == 3 and json.loads(done.stdout)["Error"] == "NotConfirmed"


def test_a_breaker_opens_skips_probes_and_closes(tree):
    fail(tree, "compact")
    for _ in range(2):
        execution = ended(tree, started(tree, "data-lifecycle"))
        assert execution["error"] == "StepsFailed"
        assert outcomes(execution) == {"seal": "done", "compact": "failed", "retain": "done", "ttl": "done"}
    third = started(tree, "data-lifecycle", "third")  # opens it, and asks
    assert question_of(tree, third)["message"]["breaker"] == "compact/shard-0"
    tree.run("workflow", "reject", "third")
    assert outcomes(ended(tree, third))["compact"] == "failed"
    for _ in range(2):
        execution = ended(tree, started(tree, "data-lifecycle"))
        assert execution["status"] == "SUCCEEDED" and outcomes(execution)["compact"] == "skipped"
    assert outcomes(ended(tree, started(tree, "data-lifecycle")))["compact"] == "failed"  # the probe, in vain
    fail(tree)
    assert [outcomes(ended(tree, started(tree, "data-lifecycle")))["compact"] for _ in range(4)] == ["skipped", "skipped", "done", "done"]


def test_a_breaker_is_closed_by_hand(tree):
    fail(tree, "ttl")
    for _ in range(2):
        assert outcomes(ended(tree, started(tree, "data-lifecycle")))["ttl"] == "failed"
    arn = started(tree, "data-lifecycle")
    token = question_of(tree, arn)["taskToken"]
    fail(tree)
    tree.run("workflow", "approve", token, "--output", '{"action":"retry"}')
    assert outcomes(ended(tree, arn))["ttl"] == "done"
    assert outcomes(ended(tree, started(tree, "data-lifecycle")))["ttl"] == "done"


# In place of `keys` and `tenants`: five tenants at home here, none of which can move; each has a new key and an old one.
ANSWER = """        post(request_id, "/response", {{"op": op, "failed": 0, "more": False, "after": "", "sha256": "x"}})
"""
assert ANSWER in STORAGE
PEOPLE = STORAGE.replace(ANSWER, """        post(request_id, "/response", say(op, event))
""").replace("while True:", """def say(op, event):
    revoked = os.environ["PRISM_TMP"] + "/revoked"
    if op == "revoke":
        open(revoked, "w").close()
    if "tenant" in event:
        return {{"keys": [{{"id": "new", "status": "active"}}, {{"id": "old", "status": "revoked" if os.path.exists(revoked) else "active"}}]}}
    return {{"tenants": [{{"name": "t" + str(n), "home_region": os.environ["AWS_REGION"]}} for n in range(5)]}}
while True:""", 1)


@pytest.fixture
def people(tmp_path):
    def without_stores(root):
        for name in ("keys", "tenants"):
            root["functions"][name]["stores"] = {}

    tree = Tree(tmp_path, replace={"keys": PEOPLE, "tenants": PEOPLE}, functions=without_stores, env=environment())
    rotation = tree.tree / "platform" / "workflows" / "key-rotation.asl.json"
    rotation.write_text(rotation.read_text().replace('"Seconds": 900', '"Seconds": 1'))
    tree.up()
    yield tree
    tree.down()


def entered(tree, arn):
    return [e["stateEnteredEventDetails"]["name"] for e in history(tree, arn) if e["type"].endswith("StateEntered")]


def test_rotations_share_a_breaker(people):
    fail(people, "revoke")
    request = {"tenant": "acme", "keep": ["new"], "grace_s": 0}
    for number in range(3):  # each asks: two for themselves, the third because it opened the breaker
        arn = started(people, "key-rotation", f"r{number}", **request)
        question_of(people, arn)
        people.run("workflow", "reject", f"r{number}")
        assert ended(people, arn)["error"] == "RotationFailed"
        assert ("Open" in entered(people, arn)) == (number == 2)
    waiting = started(people, "key-rotation", "waiting", **request)  # finds it open, and probes at each third look
    wait(lambda: "OpenAgain" in entered(people, waiting), seconds=60)
    assert not [q for q in questions(people) if q["executionArn"] == waiting]
    fail(people)
    assert json.loads(ended(people, waiting)["output"])["revoked"] == ["old"]
    assert "CloseBreaker" in entered(people, waiting)
    after = started(people, "key-rotation", "after", **request)
    assert ended(people, after)["status"] == "SUCCEEDED" and "CountSkip" not in entered(people, after)


def test_an_evacuation_stops_moving_when_moves_fail(people):
    fail(people, "move-begin")
    region = sfn(people, "ListStateMachines")[1]["stateMachines"][0]["stateMachineArn"].split(":")[3]
    request = {"to": "elsewhere", "to_prefix": "prism", "to_shard": "shard-0", "confirm": region}
    for number in range(2):
        arn = started(people, "region-evacuation", f"e{number}", **request)
        question_of(people, arn)
        states = entered(people, arn)
        if number == 0:
            assert states.count("Move") >= 3 and states.count("Skipped") == 5 - states.count("Move") and "Open" in states
        else:  # it opened just now: nobody moves, nobody probes
            assert states.count("Skipped") == 5 and "Move" not in states
        people.run("workflow", "reject", f"e{number}")
        assert ended(people, arn)["error"] == "EvacuationFailed"
    begun_by = json.loads(sfn(people, "DescribeExecution", executionArn=arn)[1]["input"])["by"]
    moves = [e["executionArn"] for e in people.json("workflow", "list", "--machine", "tenant-migration")["executions"]]
    assert begun_by["tenant"] == "_system" and len(moves) >= 3
    assert all(json.loads(sfn(people, "DescribeExecution", executionArn=move)[1]["input"])["by"] == begun_by for move in moves)


def test_a_definition_that_is_wrong_is_told_at_the_start(tree):
    tree.down()
    path = tree.tree / "platform" / "workflows" / "key-rotation.asl.json"
    right = path.read_text()
    path.write_text(right.replace('"Next": "IsRequestFine"', '"Next": "Nowhere"'))
    for _ in range(2):
        refused = tree.run("up", "--detach", check=False)
        assert refused.returncode == 1 and "key-rotation.asl.json: /States/Request/Next" in refused.stderr, refused.stderr
    path.write_text(right)
    tree.up()
    assert ended(tree, started(tree, "key-rotation"))["error"] == "BadRequest"  # compiled now


def test_a_map_reads_objects_and_writes_its_results(tmp_path):
    bucket = {"Bucket": "prism-analytics"}
    s3 = "arn:aws:states:::s3:"

    def task(action, state_next, **parameters):
        return {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:" + action, "Parameters": {**bucket, **parameters}, "ResultPath": None, "Next": state_next}

    parse = {"Type": "Pass", "Parameters": {"files.$": "States.StringToJson($.manifest.Body)"}, "Next": "Results"}
    machine = {"StartAt": "One", "States": {
        "One": task("putObject", "Two", Key="lines/1.jsonl", Body='1\n{"n":2}\n'),
        "Two": task("putObject", "Each", Key="lines/2.jsonl", Body="3"),
        "Each": {"Type": "Map", "Next": "Manifest",
                 "ItemReader": {"Resource": s3 + "listObjectsV2", "Parameters": {**bucket, "Prefix": "lines/"},
                                "ReaderConfig": {"InputType": "JSONL", "Transformation": "LOAD_AND_FLATTEN"}},
                 "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}},
                 "ResultWriter": {"Resource": s3 + "putObject", "Parameters": {**bucket, "Prefix": "results"},
                                  "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSON"}}},
        "Manifest": {**task("getObject", "Parse"), "Parameters": {**bucket, "Key.$": "$.ResultWriterDetails.Key"}, "ResultPath": "$.manifest"},
        "Parse": parse,
        "Results": {**task("getObject", "Done"), "Parameters": {**bucket, "Key.$": "$.files.ResultFiles.SUCCEEDED[0].Key"}, "ResultPath": "$.results"},
        "Done": {"Type": "Pass", "Parameters": {"results.$": "States.StringToJson($.results.Body)", "manifest.$": "$.files"}, "End": True}}}
    tree = Tree(tmp_path, env=environment())
    tree.edit("workflows.json", lambda root: root["machines"].update(files={"type": "STANDARD", "log_level": "ERROR", "may": {"buckets": ["analytics"]}}))
    (tree.tree / "platform" / "workflows" / "files.asl.json").write_text(json.dumps(machine))
    tree.up()
    try:
        execution = ended(tree, started(tree, "files"))
        assert execution["status"] == "SUCCEEDED", execution
        output = json.loads(execution["output"])
        assert sorted(output["results"], key=str) == [1, 3, {"n": 2}]
        assert output["manifest"]["DestinationBucket"] == "prism-analytics" and not output["manifest"]["ResultFiles"]["FAILED"]
        started_runs = [e for e in history(tree, execution["executionArn"]) if e["type"] == "MapRunStarted"]
        assert [e["mapRunStartedEventDetails"]["mapRunArn"] for e in started_runs] == [output["manifest"]["MapRunArn"]]
    finally:
        tree.down()


def test_a_map_reads_the_rows_of_parquet(tmp_path):
    """Of what the region itself has sealed; a function with DuckDB reads it. Files that Prism did not write: tests/unit/svc/storage/test_items.c."""
    s3, bucket = "arn:aws:states:::s3:", {"Bucket": "prism-segments"}

    def rows(state_next, resource, parameters, **config):
        return {"Type": "Map", "Next": state_next, "MaxConcurrency": 4, "ItemSelector": {"n.$": "$$.Map.Item.Value.n"},
                "ItemReader": {"Resource": s3 + resource, "Parameters": {**bucket, **parameters}, "ReaderConfig": {"InputType": "PARQUET", **config}},
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}, "StartAt": "Of" + state_next, "States": {"Of" + state_next: {"Type": "Pass", "OutputPath": "$.n", "End": True}}},
                "ResultPath": "$." + config.get("Transformation", parameters.get("VersionId", "one")), "Catch": [{"ErrorEquals": ["States.ItemReaderFailed"], "ResultPath": "$.failure", "Next": state_next}]}

    machine = {"StartAt": "All", "States": {
        "All": rows("Two", "listObjectsV2", {"Prefix.$": "$.prefix"}, Transformation="LOAD_AND_FLATTEN"),
        "Two": rows("Old", "getObject", {"Key.$": "$.key"}, MaxItems=2),
        "Old": {**rows("Text", "getObject", {"Key.$": "$.key", "VersionId": "v1"}), "Catch": [{"ErrorEquals": ["States.ItemReaderFailed"], "ResultPath": "$.old", "Next": "Text"}]},
        "Text": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:putObject", "Parameters": {**bucket, "Key": "text", "Body": "PAR1 and no more"}, "ResultPath": None, "Next": "Bad"},
        "Bad": rows("Done", "getObject", {"Key": "text"}),
        "Done": {"Type": "Succeed"}}}
    tree = Tree(tmp_path, env=environment())
    tree.edit("workflows.json", lambda root: root["machines"].update(rows={"type": "STANDARD", "log_level": "ERROR", "may": {"buckets": ["segments"]}}))
    (tree.tree / "platform" / "workflows" / "rows.asl.json").write_text(json.dumps(machine))
    tree.up()
    try:
        tree.ingest("app", [{"n": n} for n in range(20)])
        tree.run("tick", "seal")
        files = sorted(tree.parquet("segments").rglob("*.parquet"))
        keys = [str(f.relative_to(tree.parquet("segments"))) for f in files if "/app/" in str(f)]
        assert len(keys) == 1, files
        execution = ended(tree, started(tree, "rows", key=keys[0], prefix=keys[0].rsplit("/", 1)[0] + "/"))
        assert execution["status"] == "SUCCEEDED", execution
        output = json.loads(execution["output"])
        assert sorted(output["LOAD_AND_FLATTEN"]) == list(range(20)) and len(output["one"]) == 2
        assert "VersionId is not supported for Parquet files" in output["old"]["Cause"]
        assert output["failure"]["Cause"].endswith("the object is no Parquet file, or is damaged"), output["failure"]
    finally:
        tree.down()


# ---- names, stopping, listing ----


def test_a_name_is_one_execution(tree):
    request = {"tenant": "nobody", "confirm": "x"}
    fail(tree)
    first = started(tree, "tenant-offboarding", "same", **request)
    ended(tree, first)
    status, answer = sfn(tree, "StartExecution", stateMachineArn="tenant-offboarding", name="same", input=json.dumps(request))
    assert (status, answer["__type"]) == (400, "ExecutionAlreadyExists")
    for wrong in ("a b", "a/b", "x" * 81):
        status, answer = sfn(tree, "StartExecution", stateMachineArn="tenant-offboarding", name=wrong)
        assert (status, answer["__type"]) == (400, "InvalidName")
    status, answer = sfn(tree, "StartExecution", stateMachineArn="tenant-offboarding", input="{")
    assert (status, answer["__type"]) == (400, "InvalidExecutionInput")
    status, answer = sfn(tree, "StartExecution", stateMachineArn="nothing")
    assert (status, answer["__type"]) == (400, "StateMachineDoesNotExist")
    status, answer = sfn(tree, "DescribeExecution", executionArn=first + "x")
    assert (status, answer["__type"]) == (400, "ExecutionDoesNotExist")
    assert sfn(tree, "Nonsense")[1]["__type"] == "UnknownOperationException"


def test_many_starts_of_one_name_at_once_are_one(tree):
    tree.run("workflow", "start", "tenant-onboarding", "--sync", "--input", '{"tenant":"acme"}')
    fail(tree, "retain")  # so that it is still there
    answers = []

    def start():
        answers.append(sfn(tree, "StartExecution", stateMachineArn="tenant-offboarding", name="one", input='{"tenant":"acme","confirm":"acme"}'))

    threads = [threading.Thread(target=start) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for status, _ in answers} == {200} and len({answer["executionArn"] for _, answer in answers}) == 1
    assert len(tree.json("workflow", "list")["executions"]) == 1
    tree.run("workflow", "stop", "one", "--error", "Enough", "--cause", "of it")
    execution = ended(tree, answers[0][1]["executionArn"])
    assert (execution["status"], execution["error"], execution["cause"]) == ("ABORTED", "Enough", "of it")
    assert tree.run("workflow", "redrive", "one").returncode == 0
    assert wait(lambda: [q for q in questions(tree) if q["executionArn"] == answers[0][1]["executionArn"]], seconds=60)
    fail(tree)
    tree.run("workflow", "approve", "one")
    assert ended(tree, answers[0][1]["executionArn"])["redriveCount"] == 1
    shown = tree.run("workflow", "show", "one", "--history").stdout
    assert "ExecutionAborted" in shown and "ExecutionRedriven" in shown and "ExecutionSucceeded" in shown
    lines = tree.run("workflow", "show", "one", "--follow", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(1, len(lines) + 1))


def test_lists_are_in_pages(tree):
    arns = [started(tree, "tenant-offboarding", f"n{i}") for i in range(7)]
    for arn in arns:
        ended(tree, arn)
    seen, token = [], None
    while True:
        _, page = sfn(tree, "ListExecutions", stateMachineArn="tenant-offboarding", statusFilter="FAILED", maxResults=3, **({"nextToken": token} if token else {}))
        seen += [e["name"] for e in page["executions"]]
        token = page.get("nextToken")
        if not token:
            break
    assert seen == [f"n{i}" for i in reversed(range(7))]
    assert sfn(tree, "ListExecutions", statusFilter="SUCCEEDED")[1]["executions"] == []
    machines = {m["name"]: m["type"] for m in sfn(tree, "ListStateMachines")[1]["stateMachines"]}
    assert machines["prism-data-lifecycle"] == "STANDARD" and machines["prism-tenant-onboarding"] == "EXPRESS"


def test_functions_are_not_scheduled_twice(tree):
    """What data-lifecycle does on its schedule is no schedule of the function's own, and can still be asked for."""
    assert json.loads(tree.run("tick", "compact", "--json").stdout)["op"] == "compact"
    assert invoke(tree, "storage", {"op": "ttl"})[0] == 200


# ---- AWS's own client ----


@pytest.fixture
def relay(tree):
    """The control socket on a port of this machine, as a tunnel would have it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def copy(a, b):
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)

        def serve():
            while True:
                try:
                    near, _ = server.accept()
                except OSError:
                    return
                far = socket.socket(socket.AF_UNIX)
                far.connect(str(tree.data / "region.sock"))
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=copy, args=(a, b), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def test_boto3_talks_to_it(tree, relay):
    client = boto3.client("stepfunctions", endpoint_url=relay, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x",
                          config=botocore.config.Config(inject_host_prefix=False, retries={"max_attempts": 1}))
    machines = {m["name"]: m["stateMachineArn"] for m in client.list_state_machines()["stateMachines"]}
    assert "prism-data-lifecycle" in machines
    assert json.loads(client.describe_state_machine(stateMachineArn=machines["prism-data-lifecycle"])["definition"])["StartAt"] == "Shards"
    sync = client.start_sync_execution(stateMachineArn=machines["prism-tenant-onboarding"], input='{"tenant":"acme"}')
    assert sync["status"] == "SUCCEEDED" and json.loads(sync["output"])["tenant"] == "acme"
    arn = client.start_execution(stateMachineArn=machines["prism-data-lifecycle"], name="by-boto3")["executionArn"]
    wait(lambda: client.describe_execution(executionArn=arn)["status"] == "SUCCEEDED", seconds=60)
    events = [e for page in client.get_paginator("get_execution_history").paginate(executionArn=arn, PaginationConfig={"PageSize": 20}) for e in page["events"]]
    assert events[-1]["type"] == "ExecutionSucceeded" and len(events) > 40
    assert [e["name"] for e in client.list_executions(stateMachineArn=machines["prism-data-lifecycle"])["executions"]] == ["by-boto3"]
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(stateMachineArn=machines["prism-data-lifecycle"], name="by-boto3", input='{"other":1}')
    with pytest.raises(client.exceptions.TaskTimedOut):
        client.send_task_success(taskToken="1-1-abc", output="{}")
    with pytest.raises(botocore.exceptions.ClientError):
        client.redrive_execution(executionArn=arn)


# ---- what a machine may, and what is not there ----

REFUSED = {
    "another region": ("arn:aws:states:::lambda:invoke", {"FunctionName": "arn:aws:lambda:eu-nowhere-1:000000000000:function:prism-storage-shard-0"},
                       "Lambda.ResourceNotFoundException"),
    "no such function": ("arn:aws:states:::lambda:invoke", {"FunctionName": "prism-nothing"}, "Lambda.ResourceNotFoundException"),
    "a function that it may not": ("arn:aws:states:::lambda:invoke", {"FunctionName": "prism-keys"}, "Lambda.AWSLambdaException"),
    "no such table": ("arn:aws:states:::dynamodb:getItem", {"TableName": "prism-nothing", "Key": {"x": {"S": "y"}}}, "DynamoDB.ResourceNotFoundException"),
    "a table that it may not": ("arn:aws:states:::dynamodb:getItem", {"TableName": "prism-tenant-resources", "Key": {"tenant": {"S": "y"}}},
                                "DynamoDB.AccessDeniedException"),
    "another key": ("arn:aws:states:::dynamodb:getItem", {"TableName": "prism-breakers", "Key": {"tenant": {"S": "y"}}}, "DynamoDB.ValidationException"),
    "an expression that is none": ("arn:aws:states:::dynamodb:updateItem", {"TableName": "prism-breakers", "Key": {"breaker": {"S": "y"}}, "UpdateExpression": "SET a.b = :c"},
                                   "DynamoDB.ValidationException"),
    "a condition that fails": ("arn:aws:states:::dynamodb:putItem", {"TableName": "prism-breakers", "Item": {"breaker": {"S": "y"}}, "ConditionExpression": "attribute_exists(breaker)"},
                               "DynamoDB.ConditionalCheckFailedException"),
    "no such queue": ("arn:aws:states:::sqs:sendMessage", {"QueueUrl": "https://sqs/0/prism-nothing", "MessageBody": "x"}, "SQS.QueueDoesNotExistException"),
    "no such topic": ("arn:aws:states:::sns:publish", {"TopicArn": "arn:aws:sns:local:0:nothing", "Message": "x"}, "SNS.NotFoundException"),
    "a topic that it may not": ("arn:aws:states:::sns:publish", {"TopicArn": "arn:aws:sns:local:0:prism-alerts-page", "Message": "x"}, "SNS.AuthorizationErrorException"),
    "a bucket that it may not": ("arn:aws:states:::aws-sdk:s3:getObject", {"Bucket": "prism-segments", "Key": "x"}, "S3.AccessDenied"),
    "no such bucket": ("arn:aws:states:::aws-sdk:s3:getObject", {"Bucket": "nothing", "Key": "x"}, "S3.NoSuchBucket"),
    "access points": ("arn:aws:states:::aws-sdk:efs:deleteAccessPoint", {"AccessPointId": "x"}, "Efs.EfsException"),
    "a machine that it may not": ("arn:aws:states:::states:startExecution", {"StateMachineArn": "data-lifecycle"}, "StepFunctions.AWSStepFunctionsException"),
    "no such machine": ("arn:aws:states:::states:startExecution", {"StateMachineArn": "nothing"}, "StepFunctions.StateMachineDoesNotExistException"),
    "a service that is not there": ("arn:aws:states:::aws-sdk:ec2:describeInstances", {}, "States.TaskFailed"),
}


def test_refusals_have_awss_names(tmp_path):
    tree = Tree(tmp_path, replace={"storage": STORAGE}, functions=quick_storage, env=environment())
    branches = []
    for what, (resource, parameters, _) in REFUSED.items():
        task = {"Type": "Task", "Resource": resource, "Parameters": parameters, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": f"Told: {what}"}], "End": True}
        branches.append({"StartAt": what, "States": {what: task, f"Told: {what}": {"Type": "Pass", "End": True}}})
    may = {"invoke": ["storage"], "tables": ["breakers"], "publish": ["ticket"]}
    tree.edit("workflows.json", lambda root: root["machines"].update({"asker": {"type": "STANDARD", "may": may}}))
    definition = {"StartAt": "All", "States": {"All": {"Type": "Parallel", "Branches": branches, "End": True}}}
    (tree.tree / "platform" / "workflows" / "asker.asl.json").write_text(json.dumps(definition))
    tree.up()
    told = json.loads(tree.run("workflow", "start", "asker", "--wait").stdout)
    assert {what: answer.get("Error", answer) for what, answer in zip(REFUSED, told)} == {what: error for what, (_, _, error) in REFUSED.items()}
    assert all(answer["Cause"] for answer in told)
    tree.down()


# ---- kills ----

COUNT = {
    "Type": "Task",
    "Resource": "arn:${partition}:states:::dynamodb:updateItem",
    "Parameters": {
        "TableName": "${prefix}-breakers",
        "Key": {"breaker": {"S": "counted"}},
        "UpdateExpression": "ADD hits :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    },
    "ResultPath": None,
}
SQUARE = {
    "Type": "Task",
    "Resource": "arn:${partition}:states:::lambda:invoke",
    "Parameters": {"FunctionName": "${prefix}-storage-shard-0", "Payload": {"op": "square", "n.$": "$", "sleep": 0.02}},
    "ResultSelector": {"square.$": "$.Payload.square"},
    "OutputPath": "$.square",
    "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 20, "BackoffRate": 1}],
}
SURVIVOR = {
    "StartAt": "Square",
    "States": {
        "Square": {
            "Type": "Map",
            "ItemsPath": "$.numbers",
            "MaxConcurrency": 3,
            "ItemProcessor": {"StartAt": "One", "States": {"One": {**SQUARE, "End": True}}},
            "ResultPath": "$.squares",
            "Next": "Both",
        },
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Count", "States": {"Count": {**COUNT, "Next": "Rest"}, "Rest": {"Type": "Wait", "Seconds": 1, "End": True}}},
                {"StartAt": "Again", "States": {"Again": {**COUNT, "End": True}}},
            ],
            "ResultPath": None,
            "Next": "Child",
        },
        "Child": {
            "Type": "Task",
            "Resource": "arn:${partition}:states:::states:startExecution.sync:2",
            "Parameters": {"StateMachineArn": "arn:${partition}:states:${region}:${account}:stateMachine:${prefix}-survivor-child", "Input": {"n.$": "$.numbers[0]"}},
            "ResultSelector": {"output.$": "$.Output"},
            "ResultPath": "$.child",
            "Next": "Ask",
        },
        "Ask": {
            "Type": "Task",
            "Resource": "arn:${partition}:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": "https://sqs.${region}.${dns_suffix}/${account}/${prefix}-interventions",
                           "MessageBody": {"question": "?", "token.$": "$$.Task.Token", "name.$": "$$.Execution.Name"}},
            "ResultPath": "$.decision",
            "Next": "Done",
        },
        "Done": {"Type": "Pass", "Parameters": {"squares.$": "$.squares", "child.$": "$.child.output", "decision.$": "$.decision"}, "End": True},
    },
}
CHILD = {
    "StartAt": "Count",
    "States": {"Count": {**COUNT, "Next": "Square"}, "Square": {**SQUARE, "Parameters": {**SQUARE["Parameters"], "Payload": {"op": "square", "n.$": "$.n"}}, "End": True}},
}


def add_machines(root):
    may = {"invoke": ["storage"], "tables": ["breakers"], "send": ["interventions"], "start": ["survivor-child"]}
    for name in ("survivor", "survivor-child"):
        root["machines"][name] = {"description": name, "type": "STANDARD", "log_level": "ALL", "may": may}


@pytest.fixture
def survivors(tmp_path):
    tree = Tree(tmp_path, replace={"storage": STORAGE}, functions=quick_storage, env=environment())
    tree.edit("workflows.json", add_machines)
    for name, definition in (("survivor", SURVIVOR), ("survivor-child", CHILD)):
        (tree.tree / "platform" / "workflows" / f"{name}.asl.json").write_text(json.dumps(definition))
    tree.up()
    yield tree
    tree.down()


def counted(tree):
    """Hits of the counter, by a machine's own eyes."""
    import sqlite3

    with sqlite3.connect(f"file:{tree.data / 'tables.db'}?mode=ro", uri=True) as tables:
        row = tables.execute("SELECT document FROM items WHERE tbl = 'wf_breakers' AND pk = 'counted'").fetchone()
    return int(json.loads(row[0])["hits"]["N"]) if row else 0


def approve_all(tree):
    for question in questions(tree):
        sfn(tree, "SendTaskSuccess", taskToken=question["taskToken"], output=json.dumps({"for": question["message"]["name"]}))


def test_executions_survive_kills_as_if_there_were_none(survivors):
    """No execution lost, no task reported done twice, each ends as an undisturbed one would, what they count is counted once."""
    tree, chance = survivors, random.Random(23)
    arns, kills = {}, 0
    while kills < KILLS or len(arns) < EXECUTIONS:
        for _ in range(max(1, EXECUTIONS // KILLS + 1)):
            if len(arns) < EXECUTIONS:
                i = len(arns)
                arns[i] = started(tree, "survivor", f"s{i}", numbers=[i, i + 1, i + 2, i + 3])
        time.sleep(chance.uniform(0.0, 0.6))
        approve_all(tree)
        tree.kill()
        kills += 1
        tree.up()

    def all_ended():
        approve_all(tree)
        return not sfn(tree, "ListExecutions", statusFilter="RUNNING", maxResults=1)[1]["executions"]

    wait(all_ended, seconds=120, every=0.2)
    for i, arn in arns.items():
        execution = ended(tree, arn)
        assert execution["status"] == "SUCCEEDED", execution
        assert json.loads(execution["output"]) == {"squares": [(i + k) ** 2 for k in range(4)], "child": i ** 2, "decision": {"for": f"s{i}"}}
        check_history(history(tree, arn))
    assert len(sfn(tree, "ListExecutions", stateMachineArn="survivor", maxResults=1000)[1]["executions"]) == EXECUTIONS
    children = sfn(tree, "ListExecutions", stateMachineArn="survivor-child", maxResults=1000)[1]["executions"]
    assert len(children) == EXECUTIONS and {c["status"] for c in children} == {"SUCCEEDED"}
    for child in children:
        check_history(history(tree, child["executionArn"]))
    assert counted(tree) == 3 * EXECUTIONS
    assert questions(tree) == []


def test_a_drain_is_no_failure(survivors):
    """Whatever runs when a region is stopped goes on in the next."""
    tree = survivors
    arns = [started(tree, "survivor", f"d{i}", numbers=[i, 1, 2, 3]) for i in range(4)]
    tree.down()
    tree.up()

    def all_ended():
        approve_all(tree)
        return not sfn(tree, "ListExecutions", statusFilter="RUNNING", maxResults=1)[1]["executions"]

    wait(all_ended, seconds=60, every=0.2)
    for i, arn in enumerate(arns):
        execution = ended(tree, arn)
        assert execution["status"] == "SUCCEEDED", execution
        assert json.loads(execution["output"])["squares"] == [i * i, 1, 4, 9]
        assert not [e for e in history(tree, arn) if e["type"] == "TaskFailed"]
    assert counted(tree) == 3 * len(arns)


def test_a_machine_that_changes_does_not_change_what_runs(survivors):
    tree = survivors
    arn = started(tree, "survivor", "old", numbers=[1, 2])
    wait(lambda: questions(tree), seconds=60)
    tree.kill()
    path = tree.tree / "platform" / "workflows" / "survivor.asl.json"
    path.write_text(json.dumps({"StartAt": "New", "States": {"New": {"Type": "Succeed"}}}))
    tree.up()
    assert json.loads(tree.run("workflow", "start", "survivor", "--input", '{"new":1}', "--wait").stdout) == {"new": 1}
    approve_all(tree)
    assert json.loads(ended(tree, arn)["output"])["squares"] == [1, 4]
