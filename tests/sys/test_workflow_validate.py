"""`prism workflow validate` and `graph` from the outside: exit codes, formats, templates, the platform's own workflows, and what real
AWS accepted and refused, where that is at hand."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from conftest import PRISM, ROOT

DONE, FAILED, USAGE, REFUSED = 0, 1, 2, 4
RECORDED = ROOT.parent / "shared" / "asl"
WORKFLOWS = sorted((ROOT / "platform" / "workflows").glob("*.asl.json"))
MACHINES = json.loads((ROOT / "platform" / "workflows.json").read_text())["machines"]
SVG = "{http://www.w3.org/2000/svg}"


def workflow(*args, stdin=None):
    return subprocess.run([PRISM, "workflow", *map(str, args)], capture_output=True, text=True, input=stdin, timeout=60,
                          env={"PATH": os.environ["PATH"]})


def machine(**state):
    return json.dumps({"StartAt": "A", "States": {"A": state}}, indent=1)


FINE = machine(Type="Pass", End=True)


# -- validate --

def test_a_definition_that_is_fine_is_accepted(tmp_path):
    path = tmp_path / "m.json"
    path.write_text(FINE)
    done = workflow("validate", path)
    assert done.returncode == DONE and done.stderr == "" and done.stdout == f"{path}: accepted, 0 errors, 0 warnings\n"
    assert workflow("validate", "-", stdin=FINE).returncode == DONE


def test_a_problem_has_its_line_its_code_and_its_place(tmp_path):
    path = tmp_path / "m.json"
    path.write_text(machine(Type="Wait", Seconds=-1, End=True, Foo=1))
    done = workflow("validate", path)
    assert done.returncode == REFUSED and done.stderr == ""
    assert done.stdout.splitlines() == [
        f"{path}:6:4: error: SCHEMA_VALIDATION_FAILED: Minimum value is 0 at /States/A/Seconds",
        f"{path}:8:4: error: SCHEMA_VALIDATION_FAILED: Field 'Foo' is not supported at /States/A",
        f"{path}: refused, 2 errors, 0 warnings"]


def test_json_is_what_the_service_s_own_check_answers():
    done = workflow("validate", "-", "--json", stdin="{}")
    assert done.returncode == REFUSED
    assert json.loads(done.stdout) == {"file": "stdin", "result": "FAIL", "diagnostics": [{
        "severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "message": "These fields are required: [States, StartAt]",
        "location": "/", "line": 1, "column": 1}]}
    done = workflow("validate", "-", "--json", stdin=FINE)
    assert done.returncode == DONE and json.loads(done.stdout) == {"file": "stdin", "result": "OK", "diagnostics": []}


def test_warnings_are_told_and_do_not_refuse():
    done = workflow("validate", "-", stdin=machine(Type="Pass", End=True, Parameters={"a": "$.b"}))
    assert done.returncode == DONE and "warning: NO_DOLLAR: " in done.stdout and "0 errors, 1 warning\n" in done.stdout


def test_expressions_of_jsonata_are_checked():
    done = workflow("validate", "-", stdin=machine(Type="Pass", End=True, QueryLanguage="JSONata", Output={"a": "{% 1 + %}"}))
    assert done.returncode == REFUSED and "INVALID_JSONATA_EXPRESSION" in done.stdout and "/States/A/Output/a" in done.stdout


@pytest.mark.parametrize("type_, code", [("STANDARD", DONE), ("EXPRESS", REFUSED)])
def test_the_type_decides(type_, code):
    task = machine(Type="Task", End=True, Resource="arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                   Parameters={"QueueUrl": "q", "MessageBody": {"token.$": "$$.Task.Token"}})
    assert workflow("validate", "-", "--type", type_, stdin=task).returncode == code


@pytest.mark.parametrize("args, code, said", [
    (("validate", "/nowhere"), FAILED, "does not exist"), (("validate",), USAGE, "something is missing: FILE|-"),
    (("validate", "-", "--type", "FAST"), USAGE, "one of STANDARD EXPRESS"), (("validate", "-", "--set", "a"), USAGE, "NAME=VALUE"),
    (("vaildate", "-"), USAGE, "did you mean 'validate'?"), (("graph", "/nowhere"), FAILED, "does not exist")])
def test_mistakes_are_named(args, code, said):
    done = workflow(*args, stdin="{}")
    assert done.returncode == code and said in done.stderr


def test_text_of_a_definition_cannot_act_on_a_terminal():
    done = workflow("validate", "-", stdin=json.dumps({"StartAt": "a\x1b[31m", "States": {"a\x1b[31m": {"Type": "Pass", "End": True}}}))
    assert done.returncode == REFUSED and "\x1b" not in done.stdout and r"\x1b[31m" in done.stdout


# -- templates --

def test_values_are_put_in():
    template = machine(Type="Task", End=True, Resource="arn:${partition}:lambda:${region}:1:function:f")
    assert workflow("validate", "-", stdin=template).returncode == REFUSED
    assert workflow("validate", "-", "--set", "partition=aws", "--set", "region=eu-west-1", stdin=template).returncode == DONE
    done = workflow("validate", "-", "--set", "partition=aws", stdin=template)
    assert done.returncode == REFUSED and "stdin:7: expected a value for 'region'" in done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.name for path in WORKFLOWS])
def test_the_platform_s_workflows_are_accepted(path):
    done = workflow("validate", path, "--template", "--type", MACHINES[path.name.removesuffix(".asl.json")]["type"])
    assert done.returncode == DONE and "0 errors, 0 warnings" in done.stdout, done.stdout
    assert done.stderr == ""


def test_a_template_has_plausible_values_for_every_documented_name():
    documented = (ROOT / "docs" / "design" / "workflows.md").read_text().split("A definition is a template over")[1].split("\n\n")[0]
    names = re.findall(r"`(\w+)`", documented)
    definition = machine(Type="Pass", End=True, Comment=" ".join("${%s}" % name for name in names if name != "shards"))
    assert len(names) > 5 and workflow("validate", "-", "--template", stdin=definition).returncode == DONE


# -- what was recorded on real AWS --

recorded = pytest.mark.skipif(not (RECORDED / "run.py").exists(), reason="no recorded cases at hand")


@recorded
def test_what_aws_accepted_is_accepted_and_what_it_refused_is_refused():
    done = subprocess.run([sys.executable, RECORDED / "run.py", "--invalid", "--cmd", f"{PRISM} workflow validate {{definition}} --type {{type}}",
                           RECORDED / "invalid.jsonl", RECORDED / "cases.jsonl"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout


@recorded
def test_refusals_have_the_words_that_aws_has():
    cases = [json.loads(line) for line in (RECORDED / "invalid.jsonl").read_text().splitlines()]
    compared = 0
    for case in (case for case in cases if case.get("expect") == "invalid"):
        text = case.get("definition_text") or json.dumps(case["definition"])
        done = workflow("validate", "-", "--json", "--type", case.get("type", "STANDARD"), stdin=text)
        told = json.loads(done.stdout)["diagnostics"]
        if case["api"] == "CreateStateMachine":
            words = "Invalid State Machine Definition: '" + ", ".join(f"{d['code']}: {d['message']} at {d['location']}" for d in told) + "'"
            assert words == case["message"].replace("<partition>", "aws"), case["id"]
        elif told[0]["code"] != "INVALID_JSON_DESCRIPTION":  # there the words are the JSON parser's
            want = [(d["code"], d["message"], d["location"]) for d in case["diagnostics"]]
            assert [(d["code"], d["message"], d["location"]) for d in told] == want, case["id"]
        compared += 1
    assert compared > 5


# -- graph --

def texts(svg):
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


def test_a_machine_is_drawn():
    done = workflow("graph", "-", stdin=FINE)
    assert done.returncode == DONE and done.stderr == ""
    assert texts(done.stdout) == ["A", "Pass"] and "prefers-color-scheme:dark" in done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.name for path in WORKFLOWS])
def test_the_platform_s_workflows_are_drawn(path, tmp_path):
    out = tmp_path / "m.svg"
    done = workflow("graph", path, "--template", "--type", MACHINES[path.name.removesuffix(".asl.json")]["type"], "--output", out)
    assert done.returncode == DONE and done.stdout == ""

    def names(flow):
        for name, state in flow["States"].items():
            yield name
            for inner in state.get("Branches", []) + [state[key] for key in ("ItemProcessor", "Iterator") if key in state]:
                yield from names(inner)

    text = re.sub(r"(?<!\$)\$\{shards\}", "[]", path.read_text())
    definition = json.loads(re.sub(r"(?<!\$)\$\{(\w+)\}", "1", text))
    shown = texts(out.read_text())
    for name in names(definition):
        assert any(text == name or text.startswith(f"{name}Map") or text.startswith(f"{name}Parallel") for text in shown), name


def test_a_pipe_is_written_not_replaced(tmp_path):
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    assert workflow("graph", "-", "--output", pipe, stdin=FINE).returncode == 0
    assert reader.communicate(timeout=60)[0].startswith(b"<svg") and pipe.is_fifo()
    link.symlink_to(tmp_path / "drawn.svg")
    (tmp_path / "drawn.svg").write_text("old")
    assert workflow("graph", "-", "--output", link, stdin=FINE).returncode == 0
    assert link.is_symlink() and link.read_text().startswith("<svg")


def test_an_execution_is_coloured(tmp_path):
    history = tmp_path / "history.json"
    history.write_text(json.dumps({"events": [
        {"id": 1, "type": "ExecutionStarted", "previousEventId": 0},
        {"id": 2, "type": "PassStateEntered", "previousEventId": 1, "stateEnteredEventDetails": {"name": "A"}},
        {"id": 3, "type": "PassStateExited", "previousEventId": 2, "stateExitedEventDetails": {"name": "A"}},
        {"id": 4, "type": "ExecutionSucceeded", "previousEventId": 3}]}))
    done = workflow("graph", "-", "--execution", history, stdin=FINE)
    assert done.returncode == DONE and 'class="state ok"' in done.stdout and "succeeded" in texts(done.stdout)
    history.write_text("{}")
    done = workflow("graph", "-", "--execution", history, stdin=FINE)
    assert done.returncode == FAILED and "no history" in done.stderr


def test_a_run_s_history_is_what_graph_reads(tmp_path):
    path, history = tmp_path / "m.json", tmp_path / "history.json"
    path.write_text(json.dumps({"StartAt": "Both", "States": {
        "Both": {"Type": "Parallel", "Next": "Done", "Branches": [
            {"StartAt": "Call", "States": {"Call": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
                                                     "Parameters": {"FunctionName": "f"}, "End": True,
                                                     "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Instead"}]},
                                            "Instead": {"Type": "Pass", "End": True}}},
            {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$.items", "End": True, "ItemProcessor": {
                "StartAt": "Item", "States": {"Item": {"Type": "Pass", "End": True}}}}}}]},
        "Done": {"Type": "Succeed"}}}))
    done = workflow("run", path, "--input", '{"items":[1,2]}', "--stub", "f=raise:E:no", "--history", history)
    assert done.returncode == DONE, done.stderr
    done = workflow("graph", path, "--execution", history)
    assert done.returncode == DONE
    marked = {group.find(f"{SVG}title").text.split()[0]: (group.find(f"{SVG}rect")).get("class").split()[-1]
              for group in ET.fromstring(done.stdout).iter(f"{SVG}g")}
    assert marked == {"Both": "ok", "Call": "caught", "Instead": "ok", "Each": "ok", "Item": "ok", "Done": "ok"}


def test_what_is_refused_is_not_drawn():
    done = workflow("graph", "-", stdin="{}")
    assert done.returncode == REFUSED and done.stdout == "" and "These fields are required" in done.stderr


# -- run --

def test_an_input_that_is_a_files_name_is_refused_with_the_way_to_read_it(tmp_path):
    path, given = tmp_path / "m.json", tmp_path / "input.json"
    path.write_text(FINE)
    given.write_text('{"a":1}')
    done = workflow("run", path, "--input", given)
    assert done.returncode == USAGE and "--input-file" in done.stderr
    assert "--input-file" not in workflow("run", path, "--input", "{cut").stderr
    assert json.loads(workflow("run", path, "--input-file", given).stdout) == {"a": 1}
