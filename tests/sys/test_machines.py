"""Versions and aliases of state machines in a local region, by boto3 on its control socket: one region for all of it, a machine for each test."""

import json

import botocore.exceptions
import pytest

from region_kit import Tree, environment, wait
from rollout_kit import client

MACHINES = ["plain", "split", "wrong", "alias", "long", "killed", "platform", "pages", "starter", "drawn"]
QUICK = "quick"


def says(what):
    return {"StartAt": "Say", "States": {"Say": {"Type": "Pass", "Result": {"said": what}, "End": True}}}


def waits(what):
    """Says what once it has been answered."""
    return {"StartAt": "Ask", "States": {
        "Ask": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "ResultPath": None, "Next": "Say",
                "Parameters": {"QueueUrl": "https://sqs.test.amazonaws.com/000000000000/prism-interventions", "MessageBody": {"token.$": "$$.Task.Token"}}},
        "Say": {"Type": "Pass", "Result": {"said": what}, "End": True}}}


def starts(machine):
    """Starts that machine's alias and gives its output."""
    return {"StartAt": "Start", "States": {"Start": {
        "Type": "Task", "Resource": "arn:${partition}:states:::states:startExecution.sync:2", "End": True,
        "Parameters": {"StateMachineArn": "arn:${partition}:states:${region}:${account}:stateMachine:${prefix}-%s:live" % machine, "Input": {}},
        "ResultSelector": {"output.$": "$.Output", "arn.$": "$.ExecutionArn"}}}}


def write(tree, name, definition):
    (tree.tree / "platform" / "workflows" / f"{name}.asl.json").write_text(json.dumps(definition))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    tree = Tree(tmp_path_factory.mktemp("machines"), env=environment())

    def add(root):
        for name in [*MACHINES, QUICK]:
            root["machines"][name] = {"description": name, "type": "EXPRESS" if name == QUICK else "STANDARD", "log_level": "ALL",
                                      "may": {"start": ["drawn"], "send": ["interventions"]}}

    tree.edit("workflows.json", add)
    for name in [*MACHINES, QUICK]:
        write(tree, name, starts("drawn") if name == "starter" else waits("built") if name in ("long", "killed") else says("built"))
    tree.up()
    yield tree
    tree.down()


@pytest.fixture
def sfn(tree):
    with client(tree, "stepfunctions") as client_:
        yield client_


def arn_of(sfn, name):
    return next(m["stateMachineArn"] for m in sfn.list_state_machines()["stateMachines"] if m["name"] == f"prism-{name}")


def publish(sfn, arn, definition, **more):
    return sfn.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition), publish=True, **more)["stateMachineVersionArn"]


def route(*pairs):
    return [{"stateMachineVersionArn": version, "weight": weight} for version, weight in pairs]


def result(sfn, arn, **more):
    """What an execution of it says, and how it is described."""
    execution = sfn.start_execution(stateMachineArn=arn, **more)["executionArn"]
    return ended(sfn, execution)


def ended(sfn, execution):
    def look():
        described = sfn.describe_execution(executionArn=execution)
        return described if described["status"] != "RUNNING" else None

    described = wait(look, seconds=60)
    return json.loads(described["output"])["said"], described


def refused(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_a_machine_that_nobody_changed_has_version_1_and_live(tree, sfn):
    arn = arn_of(sfn, "plain")
    assert [v["stateMachineVersionArn"] for v in sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]] == [f"{arn}:1"]
    assert sfn.describe_state_machine_alias(stateMachineAliasArn=f"{arn}:live")["routingConfiguration"] == route((f"{arn}:1", 100))
    said, described = result(sfn, f"{arn}:live")
    assert (said, described["stateMachineArn"]) == ("built", arn)
    assert (described["stateMachineVersionArn"], described["stateMachineAliasArn"]) == (f"{arn}:1", f"{arn}:live")
    _, described = result(sfn, f"{arn}:1")
    assert described["stateMachineVersionArn"] == f"{arn}:1" and "stateMachineAliasArn" not in described
    _, described = result(sfn, arn)
    assert "stateMachineVersionArn" not in described and "stateMachineAliasArn" not in described
    name = tree.run("workflow", "start", "plain", "--wait", "--json").stdout
    assert json.loads(name)["stateMachineAliasArn"] == f"{arn}:live"


def test_publishing_is_idempotent_and_knows_revisions(sfn):
    arn = arn_of(sfn, "pages")
    assert refused(sfn.publish_state_machine_version, stateMachineArn=arn, revisionId="other")[0] == "ConflictException"
    assert sfn.publish_state_machine_version(stateMachineArn=arn, revisionId="INITIAL")["stateMachineVersionArn"] == f"{arn}:1"
    first = sfn.update_state_machine(stateMachineArn=arn, definition=json.dumps(says("two")))
    assert first["revisionId"] and "stateMachineVersionArn" not in first
    assert sfn.describe_state_machine(stateMachineArn=arn)["revisionId"] == first["revisionId"]
    again = sfn.update_state_machine(stateMachineArn=arn, definition=json.dumps(says("two")))
    assert again["revisionId"] == first["revisionId"], "the same definition is the same revision"
    code, words = refused(sfn.publish_state_machine_version, stateMachineArn=arn, revisionId="INITIAL")
    assert code == "ConflictException" and words == ("Failed to publish the State Machine version for revision INITIAL. "
                                                     f"The current State Machine revision is {first['revisionId']}.")
    two = sfn.publish_state_machine_version(stateMachineArn=arn, revisionId=first["revisionId"], description="the second")
    assert two["stateMachineVersionArn"] == f"{arn}:2"
    assert sfn.publish_state_machine_version(stateMachineArn=arn)["creationDate"] == two["creationDate"]
    described = sfn.describe_state_machine(stateMachineArn=f"{arn}:2")
    assert (described["stateMachineArn"], described["description"], json.loads(described["definition"])) == (f"{arn}:2", "the second", says("two"))
    assert json.loads(sfn.describe_state_machine(stateMachineArn=f"{arn}:1")["definition"]) == says("built")
    for i in range(3, 8):
        assert publish(sfn, arn, says(i)) == f"{arn}:{i}"
    page = sfn.list_state_machine_versions(stateMachineArn=arn, maxResults=3)
    assert [v["stateMachineVersionArn"] for v in page["stateMachineVersions"]] == [f"{arn}:{i}" for i in (7, 6, 5)]
    page = sfn.list_state_machine_versions(stateMachineArn=arn, maxResults=9, nextToken=page["nextToken"])
    assert [v["stateMachineVersionArn"] for v in page["stateMachineVersions"]] == [f"{arn}:{i}" for i in (4, 3, 2, 1)] and "nextToken" not in page
    sfn.delete_state_machine_version(stateMachineVersionArn=f"{arn}:7")
    sfn.delete_state_machine_version(stateMachineVersionArn=f"{arn}:7")
    assert publish(sfn, arn, says("eight")) == f"{arn}:8", "no number is given twice"
    assert refused(sfn.start_execution, stateMachineArn=f"{arn}:7")[0] == "StateMachineDoesNotExist"
    assert refused(sfn.describe_state_machine, stateMachineArn=f"{arn}:7")[0] == "StateMachineDoesNotExist"


def test_weights_split_executions(tree, sfn):
    arn = arn_of(sfn, "split")
    two = publish(sfn, arn, says("new"))
    assert result(sfn, f"{arn}:live")[0] == "built", "a publication alone changes nothing for callers"
    assert result(sfn, arn)[0] == "new", "without a qualifier it is what the machine is now"
    sfn.update_state_machine_alias(stateMachineAliasArn=f"{arn}:live", routingConfiguration=route((f"{arn}:1", 50), (two, 50)))
    heard = [result(sfn, f"{arn}:live") for _ in range(48)]
    assert {said for said, _ in heard} == {"built", "new"}
    for said, described in heard:
        assert described["stateMachineVersionArn"] == (two if said == "new" else f"{arn}:1") and described["stateMachineAliasArn"] == f"{arn}:live"
    by_version = sfn.list_executions(stateMachineArn=two, maxResults=1000)["executions"]
    assert len(by_version) == sum(said == "new" for said, _ in heard) and {e["stateMachineVersionArn"] for e in by_version} == {two}
    assert len(sfn.list_executions(stateMachineArn=f"{arn}:live", maxResults=1000)["executions"]) == 49
    sfn.update_state_machine_alias(stateMachineAliasArn=f"{arn}:live", routingConfiguration=route((two, 100)))
    assert {result(sfn, f"{arn}:live")[0] for _ in range(8)} == {"new"}
    assert json.loads(tree.run("workflow", "start", "split:1", "--wait").stdout)["said"] == "built"


def test_wrong_changes_are_refused_in_awss_words_and_change_nothing(sfn):
    arn = arn_of(sfn, "wrong")
    live = {"stateMachineAliasArn": f"{arn}:live"}
    one = f"{arn}:1"
    cases = [
        (route((one, 99)), "Sum of routing configuration weights must equal 100. Received: [99]"),
        (route((one, 50), (one, 50)), f"Routing configuration must contain distinct state machine version ARNs. Received: [{one}, {one}]"),
        (route((f"{arn}:9", 100)), f"Routing configuration must contain state machine version ARNs. Received: [{arn}:9]"),
        (route((f"{arn}:live", 100)), f"Routing configuration must contain state machine version ARNs. Received: [{arn}:live]"),
        (route((f"{arn_of(sfn, 'plain')}:1", 100)), f"Routing configuration must contain state machine version ARNs. Received: [{arn_of(sfn, 'plain')}:1]"),
        (route((one, 101)), "1 validation error detected: Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: "
                            "Member must have value less than or equal to 100"),
    ]
    for wrong, words in cases:
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            sfn.update_state_machine_alias(**live, routingConfiguration=wrong)
        assert caught.value.response["Error"] == {"Code": "ValidationException", "Message": words}
        assert caught.value.response.get("reason") == (None if "validation error" in words else "INVALID_ROUTING_CONFIGURATION")
    assert refused(sfn.update_state_machine_alias, **live)[0] == "ValidationException"
    assert refused(sfn.delete_state_machine_alias, **live)[0] == "ConflictException"
    missing = ("ResourceNotFound", "Request references a resource that does not exist.")
    assert refused(sfn.describe_state_machine_alias, stateMachineAliasArn=f"{arn}:none") == missing
    assert refused(sfn.delete_state_machine_alias, stateMachineAliasArn=f"{arn}:none") == missing
    assert refused(sfn.update_state_machine_alias, stateMachineAliasArn=f"{arn}:none", description="x") == missing
    assert refused(sfn.describe_state_machine_alias, stateMachineAliasArn="nothing")[0] == "InvalidArn"
    assert refused(sfn.delete_state_machine_version, stateMachineVersionArn=arn)[0] == "InvalidArn"
    assert refused(sfn.delete_state_machine_version, stateMachineVersionArn=one) == (
        "ConflictException", "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [live]")
    assert refused(sfn.update_state_machine, stateMachineArn=arn)[0] == "MissingRequiredParameter"
    assert refused(sfn.update_state_machine, stateMachineArn=arn, definition="{}")[0] == "InvalidDefinition"
    assert refused(sfn.update_state_machine, stateMachineArn=arn, definition=json.dumps(says(1)), versionDescription="x") == (
        "ValidationException", "Version description can only be set when publish is true")
    assert refused(sfn.update_state_machine, stateMachineArn=arn, roleArn="arn:aws:iam::000000000000:role/other")[0] == "ValidationException"
    assert refused(sfn.start_execution, stateMachineArn=f"{arn}:none")[0] == "StateMachineDoesNotExist"
    assert refused(sfn.create_state_machine_alias, name="12", routingConfiguration=route((one, 100)))[0] == "InvalidName"
    assert len(sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]) == 1
    assert "revisionId" not in sfn.describe_state_machine(stateMachineArn=arn)


def test_an_alias_of_ones_own(sfn):
    arn = arn_of(sfn, "alias")
    two = publish(sfn, arn, says("two"), versionDescription="second")
    made = sfn.create_state_machine_alias(name="canary", description="try", routingConfiguration=route((two, 100)))
    assert made["stateMachineAliasArn"] == f"{arn}:canary"
    assert sfn.create_state_machine_alias(name="canary", description="try", routingConfiguration=route((two, 100)))["creationDate"] == made["creationDate"]
    assert refused(sfn.create_state_machine_alias, name="canary", routingConfiguration=route((f"{arn}:1", 100))) == (
        "ConflictException", "Failed to create alias because an alias with the same name and a different routing configuration already exists.")
    assert result(sfn, f"{arn}:canary")[0] == "two" and result(sfn, f"{arn}:live")[0] == "built"
    names = [a["stateMachineAliasArn"] for a in sfn.list_state_machine_aliases(stateMachineArn=arn)["stateMachineAliases"]]
    assert names == [f"{arn}:canary", f"{arn}:live"]
    assert [a["stateMachineAliasArn"] for a in sfn.list_state_machine_aliases(stateMachineArn=two)["stateMachineAliases"]] == [f"{arn}:canary"]
    page = sfn.list_state_machine_aliases(stateMachineArn=arn, maxResults=1)
    assert sfn.list_state_machine_aliases(stateMachineArn=arn, nextToken=page["nextToken"])["stateMachineAliases"][0]["stateMachineAliasArn"] == f"{arn}:live"
    sfn.update_state_machine_alias(stateMachineAliasArn=f"{arn}:canary", description="tried")
    described = sfn.describe_state_machine_alias(stateMachineAliasArn=f"{arn}:canary")
    assert (described["name"], described["description"], described["routingConfiguration"]) == ("canary", "tried", route((two, 100)))
    assert described["updateDate"] >= described["creationDate"]
    sfn.delete_state_machine_alias(stateMachineAliasArn=f"{arn}:canary")
    sfn.delete_state_machine_version(stateMachineVersionArn=two)
    assert refused(sfn.start_execution, stateMachineArn=f"{arn}:canary")[0] == "StateMachineDoesNotExist"


def test_machines_start_by_alias(sfn):
    arn = arn_of(sfn, "drawn")
    sfn.update_state_machine_alias(stateMachineAliasArn=f"{arn}:live", routingConfiguration=route((publish(sfn, arn, says("drawn")), 100)))
    execution = sfn.start_execution(stateMachineArn=f"{arn_of(sfn, 'starter')}:live")["executionArn"]
    described = wait(lambda: (d := sfn.describe_execution(executionArn=execution))["status"] != "RUNNING" and d, seconds=60)
    assert described["status"] == "SUCCEEDED", described
    output = json.loads(described["output"])
    assert output["output"]["said"] == "drawn"
    assert sfn.describe_execution(executionArn=output["arn"])["stateMachineAliasArn"] == f"{arn}:live"


def test_an_express_machine_has_versions_too(tree, sfn):
    arn = arn_of(sfn, QUICK)
    two = publish(sfn, arn, says("quicker"))
    assert json.loads(tree.run("workflow", "start", QUICK, "--sync").stdout)["said"] == "built"
    sfn.update_state_machine_alias(stateMachineAliasArn=f"{arn}:live", routingConfiguration=route((two, 100)))
    assert json.loads(tree.run("workflow", "start", QUICK, "--sync").stdout)["said"] == "quicker"
    assert json.loads(tree.run("workflow", "start", f"{QUICK}:1", "--sync").stdout)["said"] == "built"


def answer(tree, sfn, execution):
    token = wait(lambda: [e["taskSubmittedEventDetails"] for e in sfn.get_execution_history(executionArn=execution)["events"]
                          if e["type"] == "TaskSubmitted"], seconds=60)
    assert token
    tree.run("workflow", "approve", execution)


def test_what_runs_keeps_its_definition_and_versions_survive_kills(tree):
    """kill -9 behind each change: what was answered stands, what was begun goes on with what it began with."""
    with client(tree, "stepfunctions") as sfn:
        arn = arn_of(sfn, "killed")
        old = sfn.start_execution(stateMachineArn=f"{arn}:live")["executionArn"]
        two = publish(sfn, arn, waits("two"))
    tree.kill()
    tree.up()
    with client(tree, "stepfunctions") as sfn:
        assert len(sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]) == 2
        sfn.update_state_machine_alias(stateMachineAliasArn=f"{arn}:live", routingConfiguration=route((f"{arn}:1", 0), (two, 100)))
    tree.kill()
    tree.up()
    with client(tree, "stepfunctions") as sfn:
        new = sfn.start_execution(stateMachineArn=f"{arn}:live")["executionArn"]
        sfn.update_state_machine_alias(stateMachineAliasArn=f"{arn}:live", routingConfiguration=route((f"{arn}:1", 100)))
        sfn.delete_state_machine_version(stateMachineVersionArn=two)
    tree.kill()
    tree.up()
    with client(tree, "stepfunctions") as sfn:
        assert [v["stateMachineVersionArn"] for v in sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]] == [f"{arn}:1"]
        for execution, said, version in ((old, "built", f"{arn}:1"), (new, "two", two)):
            assert sfn.describe_execution(executionArn=execution)["stateMachineVersionArn"] == version
            answer(tree, sfn, execution)
            heard, described = ended(sfn, execution)
            assert (heard, described["stateMachineVersionArn"], described["stateMachineAliasArn"]) == (said, version, f"{arn}:live")


def test_a_published_machine_does_not_follow_the_platform_by_itself(tree):
    with client(tree, "stepfunctions") as sfn:
        arn = arn_of(sfn, "platform")
        sfn.update_state_machine_alias(stateMachineAliasArn=f"{arn}:live", description="from now on it is published")
    tree.down()
    write(tree, "platform", says("next platform"))
    write(tree, "long", says("followed"))
    tree.up()
    with client(tree, "stepfunctions") as sfn:
        assert result(sfn, f"{arn}:live")[0] == "built" and result(sfn, arn)[0] == "next platform"
        assert result(sfn, f"{arn_of(sfn, 'long')}:live")[0] == "followed", "one that nobody changed follows"
        assert sfn.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"] == f"{arn}:2"
        sfn.update_state_machine_alias(stateMachineAliasArn=f"{arn}:live", routingConfiguration=route((f"{arn}:2", 100)))
        assert result(sfn, f"{arn}:live")[0] == "next platform"
