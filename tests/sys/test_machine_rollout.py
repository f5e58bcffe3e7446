"""`prism rollout --machine` and the pipeline's step on a region whose state machine is started all the time: good versions get all
executions, worse ones go back by themselves, controller and region may be killed between."""

import contextlib
import itertools
import json
import re
import subprocess
import time

import botocore.exceptions
import pytest

from region_kit import Threads, Tree, environment, wait
from rollout_kit import client, cloudwatch, started

# Alarms of the machine look five minutes back, so one test's failed executions would stop the next test's rollout; none is named like this.
QUICK = ["--machine", "--bake", "1s", "--requests", "5", "--poll", "100ms", "--slower", "100000", "--alarms", "none-"]
NAME, WATCHED = "work", "watched"


def says(what):
    return {"StartAt": "Say", "States": {"Say": {"Type": "Pass", "Result": {"said": what}, "End": True}}}


# Every second execution.
FAILS = {"StartAt": "Which", "States": {
    "Which": {"Type": "Choice", "Choices": [{"Variable": "$.even", "BooleanEquals": True, "Next": "No"}], "Default": "Yes"},
    "No": {"Type": "Fail", "Error": "Worse"}, "Yes": {"Type": "Succeed"}}}
SLOW = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("m")
    tree = Tree(folder, env=environment())
    tree.edit("workflows.json", lambda root: root["machines"].update(
        {name: {"description": name, "type": "STANDARD", "log_level": "ALL", "may": {}} for name in (NAME, WATCHED)}))
    for name in (NAME, WATCHED):
        (tree.tree / "platform" / "workflows" / f"{name}.asl.json").write_text(json.dumps(says("built")))
    tree.store = folder / "delivery"
    tree.up()
    yield tree
    tree.down()


class Starts(Threads):
    """Executions of the alias, again and again, from several threads; a start that is refused while the region is killed is tried on."""

    def __init__(self, tree, arn=None, threads=2):
        super().__init__([self.run] * threads)
        self.tree, self.arn, self.numbers = tree, arn or ARN, itertools.count()

    def run(self):
        with client(self.tree, "stepfunctions") as sfn:
            while not self.stop.wait(0.005):
                with contextlib.suppress(botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError):
                    sfn.start_execution(stateMachineArn=f"{self.arn}:live", input=json.dumps({"even": next(self.numbers) % 2 == 0}))


ARN = "arn:aws:states:local:000000000000:stateMachine:prism-work"


@pytest.fixture(autouse=True)
def arn(tree):
    global ARN
    with client(tree, "stepfunctions") as sfn:
        ARN = next(m["stateMachineArn"] for m in sfn.list_state_machines()["stateMachines"] if m["name"].endswith(f"-{NAME}"))
    return ARN


def rollout(tree, verb, *args, check=True):
    return tree.run("rollout", verb, NAME, "--machine", "--store", tree.store, *args, check=check, timeout=300)


def definition(tmp_path, what):
    path = tmp_path / "definition.json"
    path.write_text(json.dumps(what))
    return path


def routes(tree):
    """{version: per cent} of the alias."""
    with client(tree, "stepfunctions") as sfn:
        alias = sfn.describe_state_machine_alias(stateMachineAliasArn=f"{ARN}:live")
    return {int(r["stateMachineVersionArn"].rsplit(":", 1)[1]): r["weight"] for r in alias["routingConfiguration"]}


def status(tree):
    return json.loads(rollout(tree, "status", "--json").stdout)


def test_a_good_version_gets_all_executions(tree, tmp_path):
    with Starts(tree):
        done = rollout(tree, "start", "--code", definition(tmp_path, says("good")), *QUICK)
    (number, weight), = routes(tree).items()
    said = status(tree)
    assert weight == 100 and said["state"] == "done" and said["machine"] and said["alias"] == {"main": number, "other": 0, "weight": 0}
    assert [re.sub(r"[:;].*", "", e["what"]) for e in said["events"]] == [
        "begins", "is a definition that Step Functions took", "gets 10 % of the calls", "step of 10 % was fine", "gets 33 % of the calls",
        "step of 33 % was fine", "gets 100 % of the calls", "step of 100 % was fine", "gets all calls"]
    assert "work: " in done.stdout and (tree.store / "rollout" / "local" / "machines" / NAME / "current.json").exists()
    assert "is live already" in rollout(tree, "start", *QUICK).stdout, "nothing new is published"


@pytest.mark.parametrize("what, more, reason", [(FAILS, [], "errors: "), (SLOW, ["--slower", "25", "--steps", "33,100"], "latency: p90 is ")],
                         ids=["errors", "latency"])
def test_a_worse_version_goes_back_by_itself(tree, tmp_path, what, more, reason):
    before = routes(tree)
    with Starts(tree):
        done = rollout(tree, "start", "--code", definition(tmp_path, what), *QUICK, "--requests", "100000", *more, check=False)
    assert done.returncode == 1 and "is back on the old version" in done.stderr, done.stdout + done.stderr
    assert routes(tree) == before
    assert status(tree)["state"] == "rolled-back" and status(tree)["reason"].startswith(reason)


def test_a_version_goes_back_when_its_machines_alarm_fires(tree, tmp_path):
    """With too few calls to compare, the first failed execution is one too many: platform/alarms.json says so, here as on AWS."""
    arn, alarm = ARN.removesuffix(NAME) + WATCHED, f"machine-failed-{WATCHED}"
    args = [WATCHED, "--machine", "--store", tree.store, "--bake", "10m", "--requests", "100000", "--poll", "100ms", "--code", definition(tmp_path, FAILS)]
    with Starts(tree, arn):
        done = tree.run("rollout", "start", *args, check=False, timeout=300)
    assert done.returncode == 1 and "is back on the old version" in done.stderr, done.stdout + done.stderr
    said = json.loads(tree.run("rollout", "status", WATCHED, "--machine", "--store", tree.store, "--json").stdout)
    assert said["state"] == "rolled-back" and re.match(rf"alarm \S*-{alarm} fires: ", said["reason"]), said["reason"]
    with cloudwatch(tree) as metrics:
        alarms = {a["AlarmName"]: a for a in metrics.describe_alarms()["MetricAlarms"] if a["Namespace"] == "AWS/States"}
        (firing,) = (a for name, a in alarms.items() if name.endswith(f"-{alarm}"))
        assert firing["StateValue"] == "ALARM" and firing["Dimensions"] == [{"Name": "StateMachineArn", "Value": arn}]
        for id_ in ("machine-timed-out", "machine-throttled", "machine-aborted"):
            assert next(a for name, a in alarms.items() if name.endswith(f"-{id_}-{WATCHED}"))["StateValue"] == "OK"

        def failed(*more):
            query = {"Id": "q", "MetricStat": {"Stat": "Sum", "Period": 60, "Metric": {"Namespace": "AWS/States", "MetricName": "ExecutionsFailed", "Dimensions": [
                {"Name": "StateMachineArn", "Value": arn}, *({"Name": name, "Value": value} for name, value in more)]}}}
            now = time.time()
            return sum(metrics.get_metric_data(StartTime=now - 3000, EndTime=now + 60, MetricDataQueries=[query])["MetricDataResults"][0]["Values"])

        assert failed(("Alias", "live")) == failed() == failed(("Version", "2")) > 0, "all came by the alias to the new version"
        assert failed(("Alias", "other")) == failed(("Version", "1")) == failed(("Alias", "live"), ("Version", "2")) == 0
    again = tree.run("rollout", "start", *args, check=False, timeout=300)
    assert again.returncode not in (0, 1) and f"{alarm} fires already" in again.stderr, again.stderr
    # Who gives it time gets a rollout that begins once the alarm is quiet, which is minutes from now; stopped before, it has left nothing.
    events = lambda: json.loads((tree.store / "rollout" / "local" / "machines" / WATCHED / "current.json").read_text())["events"]
    before = events()
    with subprocess.Popen([tree.tree / "prism", "rollout", "start", *map(str, args), "--calm", "1h"], env=tree.env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as waiting:
        said = next((line for line in waiting.stdout if "waits until alarm" in line), "")
        waiting.terminate()
        waiting.stdout.read()
    assert alarm in said and waiting.returncode != 0 and events() == before


def test_people_promote_and_roll_back(tree, tmp_path):
    before = routes(tree)
    with started(tree, NAME, "--code", definition(tmp_path, says("promoted")), *QUICK, "--bake", "10m") as p:
        wait(lambda: len(routes(tree)) == 2, seconds=60)
        rollout(tree, "promote")
        p.wait(60)  # it ends, whether it sees first that another controller took over or that the alias was moved
    (number, weight), = routes(tree).items()
    assert weight == 100 and {number: 100} != before
    rollout(tree, "rollback", "--reason", "second thoughts")
    assert routes(tree) == before
    assert status(tree)["reason"].endswith("second thoughts")


def test_it_is_gone_on_with_after_kills_of_controller_and_region(tree, tmp_path):
    before = routes(tree)
    with Starts(tree):
        with started(tree, NAME, "--code", definition(tmp_path, says("through kills")), *QUICK, "--bake", "10m") as p:
            wait(lambda: len(routes(tree)) == 2, seconds=60)
            p.kill()
        half = routes(tree)
        tree.kill()
        tree.up()
        assert routes(tree) == half, "weights are durable"
        (number,) = set(half) - set(before)
        journal = tree.store / "rollout" / "local" / "machines" / NAME / "current.json"
        text = json.loads(journal.read_text())
        text["plan"]["bake_s"] = 1
        journal.write_text(json.dumps(text))
        rollout(tree, "resume")
    assert routes(tree) == {number: 100}


def test_who_moves_the_alias_besides_is_left_alone(tree, tmp_path):
    with started(tree, NAME, "--code", definition(tmp_path, says("moved")), *QUICK, "--bake", "10m") as p:
        wait(lambda: len(routes(tree)) == 2, seconds=60)
        with client(tree, "stepfunctions") as sfn:
            versions = [f"{ARN}:{v}" for v in routes(tree)]
            sfn.update_state_machine_alias(stateMachineAliasArn=f"{ARN}:live", routingConfiguration=[
                {"stateMachineVersionArn": versions[0], "weight": 45}, {"stateMachineVersionArn": versions[1], "weight": 55}])
        _, err = p.communicate(timeout=60)
    assert "by somebody else" in err and sorted(routes(tree).values()) == [45, 55]
    with client(tree, "stepfunctions") as sfn:
        sfn.update_state_machine_alias(stateMachineAliasArn=f"{ARN}:live", routingConfiguration=[{"stateMachineVersionArn": versions[0], "weight": 100}])


def test_metrics_are_told_by_version(tree):
    with client(tree, "stepfunctions") as sfn, cloudwatch(tree) as metrics:
        version = sfn.update_state_machine(stateMachineArn=ARN, definition=json.dumps(FAILS), publish=True)["stateMachineVersionArn"]
        executions = [sfn.start_execution(stateMachineArn=version, input=json.dumps({"even": i % 2 == 0}))["executionArn"] for i in range(6)]
        for execution in executions:
            wait(lambda: sfn.describe_execution(executionArn=execution)["status"] != "RUNNING", seconds=60)

        def query(i, metric, stat, number):
            return {"Id": f"q{i}", "MetricStat": {"Stat": stat, "Period": 60, "Metric": {"Namespace": "AWS/States", "MetricName": metric, "Dimensions": [
                {"Name": "StateMachineArn", "Value": ARN}, {"Name": "Version", "Value": number}]}}}

        names = ["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"]
        queries = [query(i, name, "Sum", version.rsplit(":", 1)[1]) for i, name in enumerate(names)]
        queries += [query(5, "ExecutionTime", "SampleCount", version.rsplit(":", 1)[1]), query(6, "ExecutionsStarted", "Sum", "999")]
        now = time.time()
        answer = metrics.get_metric_data(StartTime=now - 3000, EndTime=now + 60, MetricDataQueries=queries)
        sums = [sum(r["Values"]) for r in answer["MetricDataResults"]]
    assert sums == [6, 3, 3, 0, 0, 6, 0]


def test_wrong_arguments_touch_nothing(tree, tmp_path):
    before = routes(tree)
    assert "there is no state machine" in tree.run("rollout", "start", "none", *QUICK, "--store", tree.store, check=False).stderr
    assert rollout(tree, "start", "--image", "x", check=False).returncode == 2
    wrong = rollout(tree, "start", "--code", definition(tmp_path, {"StartAt": "Nowhere", "States": {}}), check=False)
    assert wrong.returncode != 0 and "Invalid State Machine Definition" in wrong.stderr
    assert rollout(tree, "start", "--version", "999", check=False).returncode != 0
    assert routes(tree) == before


def pipeline(tree, folder, *later, requests_min=3):
    """One stage: what was published is rolled out in the region, and what comes after."""
    where = {"prefix": "prism-work", "store": str(folder / "journal"), "endpoint": f"unix:{tree.data / 'region.sock'}"}
    step = {"name": "rollout", "action": "rollout", "undo": {"action": "rollback", "with": where}, "timeout_s": 600,
            "with": {**where, "bake_s": 1, "requests_min": requests_min, "quiet_s": 600, "slower_percent": 100000, "force": True}}
    (folder / "platform").mkdir(parents=True)
    (folder / "platform" / "pipeline.json").write_text(json.dumps({"version": 1, "stages": [{"name": "s", "steps": [step, *later]}]}))
    return subprocess.run([tree.tree / "prism", "pipeline", "run", "--state", folder / "state", "--root", folder, "--as", "ada"], env=tree.env,
                          capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)


def publish(tree, what):
    with client(tree, "stepfunctions") as sfn:
        return int(sfn.update_state_machine(stateMachineArn=ARN, definition=json.dumps(what), publish=True)["stateMachineVersionArn"].rsplit(":", 1)[1])


def test_the_pipelines_step_rolls_machines_out_and_takes_them_back(tree, tmp_path):
    failing = {"name": "after", "action": "command", "with": {"argv": ["false"]}}
    before = routes(tree)
    with Starts(tree):
        publish(tree, FAILS)
        done = pipeline(tree, tmp_path / "one", requests_min=100000)
        assert done.returncode != 0 and "prism-work went back" in done.stdout + done.stderr, done.stdout + done.stderr
        assert routes(tree) == before
        publish(tree, says("good"))
        done = pipeline(tree, tmp_path / "two", failing)
    (journal,) = (tmp_path / "two" / "journal").rglob("prism-work/current.json")
    told = [e["what"] for e in json.loads(journal.read_text())["events"]]
    assert "gets all calls" in told and told[-1] == "is back on the old version", told
    assert done.returncode != 0 and routes(tree) == before, done.stdout + done.stderr
