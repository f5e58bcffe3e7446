"""The state machines of platform/workflows, run: on the emulator's interpreter, against its tables, queues and access points. Functions are answers
that the test lays out in order. The emulator has no aws-sdk:apigateway, so those states pass here; what they send is for review."""

import json
import time
import urllib.request

import kit
import pytest

REGION = "eu-west-1"
PREFIX = "prism-prod-euw1"
FINE = {"op": "x", "more": False, "failed": 0}
EXPORT = {"op": "x", "more": False, "after": "", "sha256": "x"}
ACME = {"name": "acme", "home_region": REGION, "shard": "shard-1", "tier": "pooled", "status": "active", "epoch": 1}
KEY = {"key": "prism_id_secret", "id": "id"}


class Machines:
    def __init__(self, emulator):
        self.emulator = emulator
        self.post("config", {"lambda": {"use_docker": False}, "stepfunctions": {"execute_state_machine": True}})
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "states.amazonaws.com"}}]}
        self.role = self.client("iam").create_role(RoleName="x", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        for name, table in kit.platform("workflows.json")["tables"].items():
            self.client("dynamodb").create_table(TableName=f"{PREFIX}-{name}", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": table["key"], "KeyType": "HASH"}],
                                                 AttributeDefinitions=[{"AttributeName": table["key"], "AttributeType": "S"}])
        self.queue = self.client("sqs").create_queue(QueueName=f"{PREFIX}-interventions")["QueueUrl"]
        for severity in kit.platform("alarms.json")["severities"]:
            self.client("sns").create_topic(Name=f"{PREFIX}-alerts-{severity}")
        self.file_system = self.client("efs").create_file_system(CreationToken="hot")["FileSystemId"]

    def client(self, service):
        return self.emulator.client(service, REGION)

    def post(self, path, document):
        request = urllib.request.Request(f"{self.emulator.url}/moto-api/{path}", json.dumps(document).encode(), {"Content-Type": "application/json"}, method="POST")
        urllib.request.urlopen(request, timeout=30).close()

    def machine(self, name, change=lambda definition: None):
        values = {"partition": "aws", "region": REGION, "account": kit.ACCOUNT, "dns_suffix": "amazonaws.com", "prefix": PREFIX, "environment": "prod",
                  "shards": '["shard-0","shard-1"]', "file_system_id": self.file_system, "shard_gid_first": "10000", "tenant_uid_first": "100000",
                  "usage_plan_pooled": "aaa", "usage_plan_dedicated": "bbb"}
        text = (kit.PLATFORM / "workflows" / f"{name}.asl.json").read_text()
        for variable, value in values.items():
            text = text.replace("${%s}" % variable, value)
        definition = json.loads(text)
        for state, s in definition["States"].items():
            if "aws-sdk:apigateway:" in s.get("Resource", ""):
                made = {"Result": {"id": "usage-key"}, "ResultPath": "$.usage_key"} if state == "MakeUsageKey" else {}
                definition["States"][state] = {"Type": "Pass", "Next": s["Next"], **made}
            if s["Type"] == "Wait":
                s["Seconds"] = 1
        change(definition)
        return self.client("stepfunctions").create_state_machine(name=f"{name}-{time.time_ns()}", roleArn=self.role, definition=json.dumps(definition))["stateMachineArn"]

    def start(self, machine, given, *answers):
        if answers:
            self.post("static/lambda-simple/response", {"results": [json.dumps(a) for a in answers], "region": REGION})
        return self.client("stepfunctions").start_execution(stateMachineArn=machine, name=f"e{time.time_ns()}", input=json.dumps(given))["executionArn"]

    def end(self, execution):
        deadline = time.time() + 60
        while True:
            done = self.client("stepfunctions").describe_execution(executionArn=execution)
            if done["status"] != "RUNNING":
                return done
            assert time.time() < deadline, f"{execution} does not end"
            time.sleep(0.2)

    def run(self, machine, given, *answers):
        return self.end(self.start(machine, given, *answers))

    def items(self, table):
        return self.client("dynamodb").scan(TableName=f"{PREFIX}-{table}", ConsistentRead=True)["Items"]


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    emulator = kit.Emulator(tmp_path_factory.mktemp("workflows") / "emulator.log")
    yield Machines(emulator)
    emulator.stop()


# ---- data-lifecycle ----


def one_step(fails):
    """Only seal of shard-0, without waiting between attempts; failing where its function should be called."""

    def change(definition):
        definition["States"]["Shards"]["Parameters"] = {"shards": ["shard-0"], "ops": ["seal"]}
        states = definition["States"]["EachShard"]["ItemProcessor"]["States"]["EachStep"]["ItemProcessor"]["States"]
        for retry in states["Run"]["Retry"]:
            retry["MaxAttempts"] = 0
        if fails:
            states["Run"].update(Resource="arn:aws:states:::dynamodb:getItem", Parameters={"TableName": "missing", "Key": {"x": {"S": "y"}}})

    return change


def breaker(machines):
    item, = [i for i in machines.items("breakers") if i["breaker"]["S"] == "seal/shard-0"]
    return item["breaker_state"]["S"], int(item["failures"]["N"]), int(item["skips"]["N"])


def asked_of_a_person(machines):
    """The next question; it is deleted, or it would come back after the queue's visibility timeout."""
    queue, deadline = machines.client("sqs"), time.time() + 120
    while not (messages := queue.receive_message(QueueUrl=machines.queue, WaitTimeSeconds=1).get("Messages")):
        assert time.time() < deadline, "nobody was asked"
    queue.delete_message(QueueUrl=machines.queue, ReceiptHandle=messages[0]["ReceiptHandle"])
    return json.loads(messages[0]["Body"])


def outcomes(done):
    return [step["outcome"] for step in json.loads(done["output"] if done["status"] == "SUCCEEDED" else done["cause"])]


def test_every_step_on_every_shard(machines):
    done = machines.run(machines.machine("data-lifecycle"), {}, *[FINE] * 8)
    assert [(s["shard"], s["op"]) for s in json.loads(done["output"])] == [(s, o) for s in ("shard-0", "shard-1") for o in ("seal", "compact", "retain", "ttl")]
    assert machines.items("breakers") == []  # what never failed has no breaker


def test_breaker(machines):
    broken, mended = machines.machine("data-lifecycle", one_step(True)), machines.machine("data-lifecycle", one_step(False))

    # Closed: two failures are recorded and end the execution as failed; the third opens and asks.
    for failures in (1, 2):
        assert machines.run(broken, {})["error"] == "StepsFailed"
        assert breaker(machines) == ("closed", failures, 0)
    asked = machines.start(broken, {})
    question = asked_of_a_person(machines)
    assert breaker(machines) == ("open", 3, 0)
    assert (question["breaker"], question["error"]["Error"]) == ("seal/shard-0", "DynamoDB.ResourceNotFoundException")
    machines.client("stepfunctions").send_task_success(taskToken=question["task_token"], output='{"action":"skip"}')
    assert outcomes(machines.end(asked)) == ["failed"]

    # Open: two are skipped, the third probes, fails, and the count begins again.
    assert [outcomes(machines.run(broken, {})) for _ in range(3)] == [["skipped"], ["skipped"], ["failed"]]
    assert breaker(machines) == ("open", 4, 0)

    # The cause is gone: the next probe closes it.
    assert [outcomes(machines.run(mended, {}, *[FINE] * (i == 2))) for i in range(3)] == [["skipped"], ["skipped"], ["done"]]
    assert breaker(machines) == ("closed", 0, 0)


def test_an_operator_closes_a_breaker(machines):
    machines.client("dynamodb").put_item(TableName=f"{PREFIX}-breakers", Item={"breaker": {"S": "seal/shard-0"}, "breaker_state": {"S": "closed"}, "failures": {"N": "2"}, "skips": {"N": "0"}})

    def change(definition):
        """Fails once: what runs after the answer is another state than what failed."""
        one_step(True)(definition)
        states = definition["States"]["EachShard"]["ItemProcessor"]["States"]["EachStep"]["ItemProcessor"]["States"]
        states["Mended"] = {"Type": "Pass", "Result": {"answer": FINE}, "ResultPath": "$.run", "Next": "IsThereMore"}
        states["CloseByHand"]["Next"] = "Mended"

    execution = machines.start(machines.machine("data-lifecycle", change), {})
    machines.client("stepfunctions").send_task_success(taskToken=asked_of_a_person(machines)["task_token"], output='{"action":"retry"}')
    assert outcomes(machines.end(execution)) == ["done"]
    assert breaker(machines) == ("closed", 0, 0)


# ---- tenants ----


def test_onboarding_and_offboarding(machines):
    onboarding = machines.machine("tenant-onboarding")
    done = json.loads(machines.run(onboarding, {"tenant": "acme"}, ACME, KEY)["output"])
    assert (done["key"], done["shard"], done["uid"]) == (KEY["key"], "shard-1", 100001)
    point, = machines.client("efs").describe_access_points(FileSystemId=machines.file_system)["AccessPoints"]
    assert (point["AccessPointId"], point["ClientToken"]) == (done["access_point"], "acme")
    assert point["PosixUser"] == {"Uid": 100001, "Gid": 100001}
    assert point["RootDirectory"]["CreationInfo"] == {"OwnerUid": 100001, "OwnerGid": 10001, "Permissions": "2770"}

    # Again: the same access point and id, whatever the tier is now.
    again = json.loads(machines.run(onboarding, {"tenant": "acme"}, {**ACME, "tier": "dedicated"}, KEY)["output"])
    assert (again["access_point"], again["uid"], again["tier"]) == (done["access_point"], 100001, "dedicated")
    assert json.loads(machines.run(onboarding, {"tenant": "other"}, {**ACME, "name": "other"}, KEY)["output"])["uid"] == 100002

    offboarding = machines.machine("tenant-offboarding")
    assert machines.run(offboarding, {"tenant": "acme"})["error"] == "NotConfirmed"
    gone = machines.run(offboarding, {"tenant": "acme", "confirm": "acme"}, ACME, {**ACME, "status": "suspended"},
                        {**EXPORT, "more": True}, EXPORT, {**EXPORT, "more": True, "after": "data/app/a.parquet"}, EXPORT, {"name": "acme", "keys_revoked": 2},
                        {**FINE, "more": True}, FINE, FINE, {**FINE, "more": True}, FINE, {"name": "acme", "keys_revoked": 2}, {"key": "_proofs/acme/x.json", "sha256": "y"})
    gone = json.loads(gone["output"])
    assert (gone["keys_revoked"], gone["exported"], gone["manifest"]["sha256"], gone["proof"]["sha256"]) == (2, True, "x", "y")
    assert [p["ClientToken"] for p in machines.client("efs").describe_access_points(FileSystemId=machines.file_system)["AccessPoints"]] == ["other"]
    assert not [i for i in machines.items("tenant-resources") if i["tenant"]["S"] == "acme"]


@pytest.mark.parametrize("tenant, given, error", [
    ({**ACME, "status": "deleted"}, {}, "TenantDeleted"),
    ({**ACME, "status": "suspended"}, {}, "TenantSuspended"),
    ({**ACME, "home_region": "us-east-1"}, {}, "TenantElsewhere"),
    (None, {"shard": "shard-7"}, "BadRequest"),
])
def test_whom_onboarding_refuses(machines, tenant, given, error):
    done = machines.run(machines.machine("tenant-onboarding"), {"tenant": "acme", **given}, *([tenant] if tenant else []))
    assert done["error"] == error


def test_onboarding_undoes_what_it_made(machines):
    def change(definition):
        definition["States"]["IssueKey"].update(Resource="arn:aws:states:::dynamodb:getItem", Parameters={"TableName": "missing", "Key": {"x": {"S": "y"}}})

    before = len(machines.client("efs").describe_access_points(FileSystemId=machines.file_system)["AccessPoints"])
    done = machines.run(machines.machine("tenant-onboarding", change), {"tenant": "late"}, {**ACME, "name": "late"}, {**ACME, "status": "suspended"})
    assert done["error"] == "OnboardingFailed"
    assert len(machines.client("efs").describe_access_points(FileSystemId=machines.file_system)["AccessPoints"]) == before
    record, = [i for i in machines.items("tenant-resources") if i["tenant"]["S"] == "late"]
    assert set(record) == {"tenant", "uid"}  # the id stays its own

    # With resume it goes on, activates, and has the same id.
    done = machines.run(machines.machine("tenant-onboarding"), {"tenant": "late", "resume": True}, {**ACME, "name": "late", "status": "suspended"}, {**ACME, "status": "active"}, KEY)
    assert json.loads(done["output"])["uid"] == int(record["uid"]["N"])


def test_who_comes_by_the_api_or_by_a_move_has_the_same_and_who_leaves_has_nothing(machines):
    def points():
        return {p["ClientToken"]: p for p in machines.client("efs").describe_access_points(FileSystemId=machines.file_system)["AccessPoints"]}

    onboarding = machines.machine("tenant-onboarding")
    entering = {"only": "enter", "tenant": "mover", "shard": "shard-1", "tier": "dedicated"}
    done = machines.run(onboarding, entering)
    assert done["status"] == "SUCCEEDED", done
    done = json.loads(done["output"])
    point = points()["mover"]
    assert (done["access_point"], done["uid"]) == (point["AccessPointId"], point["PosixUser"]["Uid"])
    assert json.loads(machines.run(onboarding, entering)["output"]) == done
    # to another shard: its root is another folder; the id stays
    other = json.loads(machines.run(onboarding, {**entering, "shard": "shard-0"})["output"])
    assert other["access_point"] != done["access_point"] and other["uid"] == done["uid"]
    assert points()["mover"]["RootDirectory"]["Path"] == "/shards/shard-0/tenants/mover"
    for _ in range(2):
        assert json.loads(machines.run(onboarding, {"only": "leave", "tenant": "mover"})["output"]) == {"tenant": "mover"}
        assert "mover" not in points()
    record, = [i for i in machines.items("tenant-resources") if i["tenant"]["S"] == "mover"]
    assert set(record) == {"tenant", "uid"}


# ---- moves ----


def test_a_tenant_moves_by_functions_of_this_region_alone(machines):
    """The other region's functions are called through bridge: Step Functions itself calls none of another region."""
    answer = {"op": "x", "source": {"segments": "s3://a", "analytics": "s3://b"}, "segments": 2, "rows": 7, "bytes": 9, "copied": 0, "copied_bytes": 0,
              "frames": 0, "differ": 0, "freeze": 0, "last": True, "more": False}
    begun = {"shard": "shard-1", "tier": "pooled", "epoch": 1, "moving": {"to": "us-east-1", "epoch": 2}}
    called = {}

    def change(definition):
        for name, state in definition["States"].items():
            if state.get("Resource", "").endswith("lambda:invoke"):
                called[name] = state["Parameters"].get("FunctionName", state["Parameters"].get("FunctionName.$"))

    moved = machines.run(machines.machine("tenant-migration", change), {"tenant": "acme", "to": "us-east-1", "to_prefix": "prism-prod-use1", "to_shard": "shard-0"},
                         begun, {"shard": "shard-1"}, *[answer] * 4, begun, *[answer] * 10, {"vacated": True})
    assert moved["status"] == "SUCCEEDED" and json.loads(moved["output"])["outcome"] == "moved", moved
    assert all(f":lambda:{REGION}:" in name for name in called.values()), called
    assert {name for name, function in called.items() if f"function:{PREFIX}-bridge:live" in function} == {
        "Place", "Greet", "Fetch", "Check", "FetchLast", "Receive", "ReceiveAgain", "Settle", "Part", "CleanCopy", "VacateCopy"}
